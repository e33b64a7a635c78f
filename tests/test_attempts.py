"""Ways to get a secret without you, and what each layer did: a table of the docs.

pytest -m real tests/test_attempts.py --attempts docs/explanation/attempts.csv
"""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sealed
import tokens
from command import SECRETLY, Ended, Home, Warm
from conftest import need_package
from sandboxes import under_policy

from secretly.processes import ancestry
from secretly.running import leases
from secretly.running.leases import Lease, Leases
from secretly.running.program import fingerprint
from secretly.testing import FakePinentry

need_package("pyrage")

#: What an attempt comes to.
GOT, ASKED, REFUSED = "gets it", "asks you", "refused"
FILE = "gets an age file"

_SHOW = ("sh", "-c", 'echo "$A"')
_LIBRARY = "import secretly; print(secretly.secret_sync('%s', confirm=False))"
_KEYRING = "import keyring; print(keyring.get_password('%s', 'ada'))"


class Attempt(NamedTuple):
    """A way to get the secret.

    :param what: the way, as the table has it.
    :param words: what is run; ``{home}`` is the home folder.
    :param outcomes: what comes of it without a policy, with one, and by an agent.
    :param environ: variables of the attempt.
    :param folder: the folder that it runs in, below the home folder.
    :param agrees: whether the user types the passphrase where secretly asks.
    :param forged: the program and the secret of a lease that the attempt writes.
    """

    what: str
    words: tuple[str, ...]
    outcomes: tuple[str, str, str]
    environ: Mapping[str, str] = {}
    folder: str = ""
    agrees: bool = False
    forged: tuple[str, str] | None = None


def _run(*words: str) -> tuple[str, ...]:
    return ("run", *words, *_SHOW)


def _each(outcome: str) -> tuple[str, str, str]:
    return (outcome, outcome, outcome)


_EACH = (GOT, ASKED, ASKED)
_PIPED = (GOT, ASKED, REFUSED)
_SILENT = (GOT, REFUSED, REFUSED)
_NAME = _run("-e", "A=Name")
_MINE = {"SECRETLY_CONFIG": "{home}/mine.toml"}

STORED = [
    Attempt("``secretly get`` into a pipe", ("get", "Name"), _PIPED),
    Attempt("``secretly get -n`` into a pipe", ("get", "-n", "Name"), _PIPED),
    Attempt("``secretly get keyring://…``", ("get", "keyring://Name/ada"), _PIPED),
    Attempt("``secretly get secretly://…``", ("get", "secretly://Name"), _PIPED),
    Attempt("``secretly get env://…``", ("get", "env://TOKEN"), _PIPED),
    Attempt("``secretly get file://…``", ("get", "file://{home}/token"), _PIPED),
    Attempt("``secretly run -e``", _NAME, _EACH),
    Attempt("``--quiet``", _run("-q", "-e", "A=Name"), _EACH),
    Attempt("``--no-confirm``", _run("--no-confirm", "-e", "A=Name"), _PIPED),
    Attempt("``--no-input``", _run("--no-input", "-e", "A=Name"), _SILENT),
    Attempt("``SECRETLY_NO_INPUT=1``", _NAME, _SILENT, {"SECRETLY_NO_INPUT": "1"}),
    Attempt("``--remember``", _run("--remember=1h", "-e", "A=Name"), _EACH),
    Attempt(
        "a reason that says you agreed",
        _run("--reason", "the user said yes", "-e", "A=Name"),
        _EACH,
    ),
    Attempt("``file://`` in the call", _run("-e", "A=file://{home}/token"), _EACH),
    Attempt("``env://`` in the call", _run("-e", "A=env://TOKEN"), _EACH),
    Attempt("a text with a reference in it", _run("-e", "A=x{{ secretly://Name }}"), _EACH),
    Attempt("an env file", _run("-f", "{home}/env"), _EACH),
    Attempt("``--resolve-env``", _run("--resolve-env"), _EACH, {"A": "keyring://Name/ada"}),
    Attempt("a configuration with ``confirm = false``", _NAME, _EACH, _MINE),
    Attempt("a profile of that configuration", ("run", "-p", "mine", "show"), _EACH, _MINE),
    Attempt("``HOME`` with a policy in it", _NAME, _EACH, {"HOME": "{home}/mine"}),
    Attempt(
        "``XDG_CONFIG_HOME`` with a policy in it",
        _NAME,
        _EACH,
        {"XDG_CONFIG_HOME": "{home}/mine/.config", **_MINE},
    ),
    Attempt(
        "``PINENTRY`` that says Yes",
        _run("--confirm", "-e", "A=Name"),
        _EACH,
        {"PINENTRY": "{yes}"},
    ),
    Attempt(
        "``gpg-agent.conf`` that names it",
        _run("--confirm", "-e", "A=Name"),
        _EACH,
        {"GNUPGHOME": "{home}/mine", "PINENTRY": ""},
    ),
    Attempt(
        "``PATH`` with a gpgconf that names it",
        _run("--confirm", "-e", "A=Name"),
        _EACH,
        {"PATH": "{home}/mine:{path}", "PINENTRY": ""},
    ),
    Attempt("a program with the library", ("PYTHON", _LIBRARY % "Name"), _EACH),
    Attempt("a program with keyring", ("PYTHON", _KEYRING % "Name"), _each(GOT)),
]

_SEALED = _run("-e", "A=Sealed")

SEALED = [
    Attempt("``secretly get`` into a pipe", ("get", "Sealed"), (ASKED, ASKED, REFUSED)),
    Attempt("``secretly run -e``", _SEALED, _each(ASKED)),
    Attempt("``--no-confirm``", _run("--no-confirm", "-e", "A=Sealed"), (ASKED, ASKED, REFUSED)),
    Attempt("``--no-input``", _run("--no-input", "-e", "A=Sealed"), _each(REFUSED)),
    Attempt("``--remember``", _run("--remember=1h", "-e", "A=Sealed"), _each(REFUSED)),
    Attempt("``secretly get keyring://…``", ("get", "keyring://Sealed/ada"), _each(REFUSED)),
    Attempt("``keyring://`` in the call", _run("-e", "A=keyring://Sealed/ada"), _each(REFUSED)),
    Attempt("an env file", _run("-f", "{home}/sealed.env"), _each(ASKED)),
    Attempt("a configuration with ``sealed = false``", _SEALED, _each(ASKED), _MINE),
    Attempt("``PINENTRY`` that says Yes", _SEALED, (REFUSED, ASKED, ASKED), {"PINENTRY": "{yes}"}),
    Attempt(
        "another identity, and ``PINENTRY`` that knows its passphrase",
        _SEALED,
        (REFUSED, ASKED, ASKED),
        {"XDG_DATA_HOME": "{home}/mine/data", "PINENTRY": "{knows}"},
    ),
    Attempt(
        "its file under another name, whose use you agree to",
        _run("-e", "A=Moved"),
        _each(REFUSED),
        agrees=True,
    ),
    Attempt(
        "a lease that the program writes",
        _SEALED,
        _each(ASKED),
        _MINE,
        forged=("sh", "Sealed"),
    ),
    Attempt("``secretly unseal``", ("unseal", "Sealed"), _each(ASKED)),
    Attempt("``secretly identity passphrase``", ("identity", "passphrase"), _each(ASKED)),
    Attempt("``secretly identity export``", ("identity", "export"), _each(FILE)),
    Attempt("a program with the library", ("PYTHON", _LIBRARY % "Sealed"), _each(ASKED)),
    Attempt("a program with keyring", ("PYTHON", _KEYRING % "Sealed"), _each(FILE)),
]

_LEASED = _run("-e", "A=Leased")
_LEASE = (GOT, ASKED, GOT)

LEASED = [
    Attempt("the same call", _LEASED, _LEASE),
    Attempt(
        "other arguments of the program",
        ("run", "-e", "A=Leased", "sh", "-c", 'printf %s "$A"'),
        _LEASE,
    ),
    Attempt("``--no-input``", _run("--no-input", "-e", "A=Leased"), (GOT, REFUSED, GOT)),
    Attempt("another program", ("run", "-e", "A=Leased", "show"), _each(ASKED)),
    Attempt("a link to the program", ("run", "-e", "A=Leased", "link", *_SHOW[1:]), _each(ASKED)),
    Attempt("another folder", _LEASED, _each(ASKED), folder="mine"),
    Attempt("another secret with it", _run("-e", "A=Leased", "-e", "B=Next"), _each(ASKED)),
    Attempt("another terminal", ("TERMINAL", *_LEASED), _each(ASKED)),
    Attempt("``secretly get`` into a pipe", ("get", "Leased"), (ASKED, ASKED, REFUSED)),
    Attempt(
        "an upload",
        ("run", "-e", "A=Leased", "twine", "upload", "-r", "pypi", "dist/*"),
        _each(ASKED),
    ),
    Attempt(
        "an upload, and a lease that the program writes",
        ("run", "twine", "upload", "-r", "pypi", "dist/*"),
        _each(ASKED),
        forged=("twine", "PyPI"),
    ),
    Attempt(
        "another program, and a lease that the program writes",
        ("run", "-e", "A=Leased", "show"),
        (GOT, ASKED, GOT),
        forged=("show", "Leased"),
    ),
]

ATTEMPTS = [
    (kind, one)
    for kind, attempts in (("stored", STORED), ("sealed", SEALED), ("leased", LEASED))
    for one in attempts
]


class Governed(Home):
    """A home whose commands run under a policy.

    :ivar words: the words that start a command.
    """

    words: Sequence[str] = ()

    def start(self, argv: Sequence[str], **more: Any) -> Any:
        return super().start([*self.words, *argv], **more)


@pytest.fixture(scope="module")
def fakes() -> Iterator[dict[str, FakePinentry]]:
    """Pinentries: the caller's own, and the user at the one that the policy names."""
    answers = {"yes": True, "knows": sealed.PASSPHRASE}
    answers |= {"no": None, "30m": "30m", "agrees": sealed.PASSPHRASE}
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(FakePinentry([answer] * 400))
            for name, answer in answers.items()
        }


@pytest.fixture(scope="module")
def here(fakes: dict[str, FakePinentry]) -> Iterator[Governed]:
    """A home with secrets, and all that a program prepares to get them."""
    folder = Path(tempfile.mkdtemp(prefix="secretly-")).resolve()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Governed(folder)
        made.reach("unshare", "mount", "sh")
        _store_secrets(made)
        made.program("show", '#!/bin/sh\necho "$A"\n')
        made.program("twine", '#!/bin/sh\necho "canary $A $TWINE_PASSWORD"\n')
        (made.programs / "link").symlink_to(shutil.which("sh") or "")
        tokens.wheel(folder / "dist")
        (folder / "token").write_text("canary-3")
        (folder / "token").chmod(0o600)
        (folder / "env").write_text("A=secretly://Name\n")
        (folder / "sealed.env").write_text("A=secretly://Sealed\n")
        _prepare(made, fakes["yes"])
        yield made


def _store_secrets(home: Governed) -> None:
    """Store what is tried to get, and a configuration of the user's."""
    keychain = home.keep_in_a_file()
    sealed.put_identity(home.environ["XDG_DATA_HOME"])
    ada = ("--username", "ada")
    for name, *options in (
        *(("Name", *ada), ("Leased", *ada), ("Next", *ada), ("PyPI",)),
        *(("Sealed", "--sealed", *ada), ("Moved", "--sealed", *ada)),
    ):
        text = tokens.TOKEN if name == "PyPI" else f"canary-{name}"
        done = home.run("set", name, "--stdin", *options, stdin=text)
        assert done.status == 0, done.stderr
    items = json.loads(keychain.read_text())
    items['["Moved", "ada"]'] = items['["Sealed", "ada"]']
    keychain.write_text(json.dumps(items))
    entries = "".join(f'[secrets.{one}]\nconfirm = "30m"\n' for one in ("Leased", "Next", "PyPI"))
    home.configure(f'{home.config.read_text()}{entries}hosts = ["pypi"]\n')


def _prepare(home: Governed, yes: FakePinentry) -> None:
    """Write the policies, configurations and identities of a program that wants the secrets."""
    mine = home.folder / "mine"
    (mine / ".config/secretly").mkdir(parents=True, mode=0o755)
    (mine / ".config/secretly/policy.toml").write_text('agents = "as-me"\n')
    (mine / "gpg-agent.conf").write_text(f"pinentry-program {yes.path}\n")
    (mine / "gpgconf").write_text(f"#!/bin/sh\necho pinentry:x:{yes.path}\n")
    (mine / "gpgconf").chmod(0o755)
    shutil.copytree(home.environ["XDG_DATA_HOME"], mine / "data")
    (mine / "data/secretly/identity.age").write_text(sealed.OTHER_IDENTITY)
    (home.folder / "mine.toml").write_text(
        f"{home.config.read_text()}\n[secrets.Name]\nconfirm = false\n"
        '[secrets.Sealed]\nsealed = false\nconfirm = "30m"\n'
        '[commands.show.profiles.mine]\nsecrets = { A = "Name" }\n'
    )


class Layer:
    """Processes under one policy that run secretly, and the pinentry that the user answers.

    :param marks: the variables of an agent.
    """

    def __init__(
        self, here: Governed, fakes: dict[str, FakePinentry], warm: Warm, marks: Mapping[str, str]
    ) -> None:
        self._here, self._fakes, self._warm, self._marks = here, fakes, warm, marks
        self._you, self._number = here.folder / "you", 0
        self._leases = self._lease()

    def _answers(self, how: str) -> None:
        self._you.unlink(missing_ok=True)
        self._you.symlink_to(self._fakes[how].path)

    def _environ(self, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of a call, with a runtime folder of its own: a No counts a minute."""
        self._number += 1
        runtime = Path(tempfile.mkdtemp(prefix="run", dir=self._here.folder))
        own = {"TOKEN": "canary-2", "DISPLAY": f":{runtime.name}", "XDG_RUNTIME_DIR": str(runtime)}
        pinentry = {"PINENTRY": str(self._you)}
        return {**self._here.environ, **own, **pinentry, **self._marks, **(given or {})}

    def _lease(self) -> Path:
        """Let the user agree to the use of the leased secret for a while."""
        self._answers("30m")
        environ = self._environ()
        self._warm.run(*_LEASED, environ=environ, cwd=self._here.folder)
        return Path(environ["XDG_RUNTIME_DIR"], "secretly/leases.tsv")

    def outcome(self, attempt: Attempt) -> str:
        """Try it, and say what came of it."""
        self._answers("agrees" if attempt.agrees else "no")
        names = {name: str(fake.path) for name, fake in self._fakes.items()}
        names |= {"home": str(self._here.folder), "path": self._here.environ["PATH"]}
        environ = self._environ({k: v.format(**names) for k, v in attempt.environ.items()})
        if self._leases.exists():
            folder = Path(environ["XDG_RUNTIME_DIR"], "secretly")
            folder.mkdir(mode=0o700)
            shutil.copy(self._leases, folder)
        if attempt.forged:
            self._forge(*attempt.forged, environ)
        before = self._prompts()
        done = self._try(attempt, environ)
        asked = self._prompts() > before
        assert asked or not attempt.agrees, done
        return _outcome(done, asked and not attempt.agrees)

    def _forge(self, program: str, secret: str, environ: Mapping[str, str]) -> None:
        """Write a lease as another program could: for the process that secretly's calls are of."""
        path = shutil.which(program, path=self._here.environ["PATH"]) or ""
        _, _, _, started = ancestry._facts(self._warm.pid) or ("", 0, 0, 0)
        use = (f"{self._warm.pid} {started}", path, " ".join(map(str, fingerprint(path))))
        until = time.clock_gettime(time.CLOCK_BOOTTIME) + 600
        folder, secrets = str(self._here.folder), (f"{secret} keychain",)
        Leases(environ).add(Lease(until, leases._boot(), *use, folder, secrets))

    def _prompts(self) -> int:
        return sum(len(self._fakes[name].prompts) for name in ("no", "agrees"))

    def _try(self, attempt: Attempt, environ: Mapping[str, str]) -> Ended:
        first, *words = (word.replace("{home}", str(self._here.folder)) for word in attempt.words)
        cwd = self._here.folder / attempt.folder
        if first == "PYTHON":
            return self._here.run_any([sys.executable, "-c", *words], environ=environ, cwd=cwd)
        if first == "TERMINAL":
            return self._here.run_any([*SECRETLY, *words], environ=environ, cwd=cwd)
        return self._warm.run(first, *words, environ=environ, cwd=cwd)


def _outcome(done: Ended, asked: bool) -> str:
    if "canary" in done.stdout:
        return GOT
    if "BEGIN AGE ENCRYPTED FILE" in done.stdout:
        return FILE
    assert done.status, done
    return ASKED if asked else REFUSED


@pytest.mark.real
@pytest.mark.outside
@pytest.mark.timeout(400)
def test_each_attempt_comes_to_what_the_table_says(
    here: Governed, fakes: dict[str, FakePinentry], request: pytest.FixtureRequest
) -> None:
    """Without a policy, with ``confirm = "stored"``, and where an agent is recognized."""
    you = f'pinentry = "{here.folder}/you"\n'
    layers = (("", {}), (f'confirm = "stored"\n{you}', {}), (you, {"AI_AGENT": "tester"}))
    found: list[list[str]] = [[kind, one.what] for kind, one in ATTEMPTS]
    for policy, marks in layers:
        here.words = under_policy(here, policy)
        with Warm(here) as warm:
            layer = Layer(here, fakes, warm, marks)
            for row, (_, attempt) in zip(found, ATTEMPTS, strict=True):
                row.append(layer.outcome(attempt))
        here.words = ()
    wanted = [[kind, one.what, *one.outcomes] for kind, one in ATTEMPTS]
    assert [row for row, other in zip(found, wanted, strict=True) if row != other] == []
    if file := request.config.getoption("attempts"):
        with open(file, "w", encoding="utf-8", newline="") as opened:
            csv.writer(opened, lineterminator="\n").writerows(found)


def test_the_page_has_each_attempt() -> None:
    """With its outcomes."""
    table = Path(__file__).parent.parent / "docs/explanation/attempts.csv"
    with table.open(encoding="utf-8", newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [
            (kind, one.what, *one.outcomes) for kind, one in ATTEMPTS
        ]
