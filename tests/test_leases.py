"""Leases: an answer that is good for later calls of the same program, and for no others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import SECRETLY, Home, quick
from conftest import need
from ptys import Asking

from secretly.asking import assuan, questions, wording
from secretly.config.model import Entry
from secretly.processes.ancestry import Ancestor
from secretly.redacted import Secret
from secretly.reference import Reference
from secretly.resolving.candidates import KEYCHAIN, TYPED, Candidate, ResolvedSecret
from secretly.resolving.confirming import decide_confirmation
from secretly.resolving.request import SecretRequest
from secretly.running import leases
from secretly.running.leases import Leases, Terms
from secretly.testing import FakePinentry

ROOT = Ancestor(4321, 99, "zsh", True)
NAMES = ("Example keychain",)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose runtime folder is private."""
    tmp_path.chmod(0o700)
    return {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}


def terms(
    environ: dict[str, str],
    path: str = "/usr/bin/pytest",
    identity: tuple[int | str, ...] = (1, 2, ""),
    root: Ancestor = ROOT,
) -> Terms:
    """What the user agrees to, for a call in the current folder."""
    return Terms(path, identity, root, environ)


# -- what it covers ----------------------------------------------------------------


def test_a_lease_covers_the_same_use(environ: dict[str, str]) -> None:
    """The same program, folder, secrets and asking process."""
    assert not terms(environ).covers(NAMES)
    terms(environ).grant(NAMES, 60)
    assert terms(environ).covers(NAMES)


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/usr/bin/other"},
        {"identity": (1, 3, "")},
        {"root": ROOT._replace(pid=4322)},
        {"root": ROOT._replace(started=100)},
    ],
)
def test_a_lease_covers_no_other_use(other: dict[str, object], environ: dict[str, str]) -> None:
    """Another program, a changed file, another terminal, or a process with the same number."""
    terms(environ).grant(NAMES, 60)
    assert not terms(environ, **other).covers(NAMES)  # type: ignore[arg-type]


def test_a_lease_covers_no_other_folder_and_no_other_secrets(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that was not in the dialog, or one from another place, is asked for."""
    terms(environ).grant(NAMES, 60)
    for secrets in ((*NAMES, "Other keychain"), ("Example op",), ()):
        assert not terms(environ).covers(secrets)
    monkeypatch.chdir(tmp_path)
    assert not terms(environ).covers(NAMES)


@pytest.mark.parametrize("what", ["its time", "the system's start"])
def test_a_lease_ends(what: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With its time, and when the system starts again."""
    terms(environ).grant(NAMES, 60)
    later = leases._now() + 61
    if what == "its time":
        monkeypatch.setattr(leases, "_now", lambda: later)
    else:
        monkeypatch.setattr(leases, "_boot", lambda: "another")
    assert not terms(environ).covers(NAMES)
    assert Leases(environ).all() == []


def test_a_new_lease_takes_the_place_of_the_same_one(environ: dict[str, str]) -> None:
    """A file with leases stays short."""
    for number in range(150):
        terms(environ, path=f"/p{number}").grant(NAMES, 60 + number)
    for seconds in (30, 40):
        terms(environ).grant(NAMES, seconds)
    found = Leases(environ).all()
    assert len(found) == 100
    (mine,) = [one for one in found if one.program == "/usr/bin/pytest"]
    assert 30 < mine.left <= 40


def test_dropped_leases_are_gone(environ: dict[str, str]) -> None:
    """What is dropped is said."""
    assert Leases(environ).drop() == []
    terms(environ).grant(NAMES, 60)
    (dropped,) = Leases(environ).drop()
    assert dropped.text == f"Example for /usr/bin/pytest in {os.getcwd()}, 1 min left"
    assert not terms(environ).covers(NAMES)


@pytest.mark.parametrize("names", [("a\tb keychain", "c\nd keychain"), ("\udcff é😀\\ x",)])
def test_any_name_comes_back(names: tuple[str, ...], environ: dict[str, str]) -> None:
    """Tabs, line ends and bytes that are not text are in no way of the file's own form."""
    terms(environ, path="/a\tb\n/\udcff").grant(names, 60)
    assert terms(environ, path="/a\tb\n/\udcff").covers(names)


@pytest.mark.parametrize("text", [b"\xff\n", b"x\ty\n", b"nan\t\t\t\t\t\t\n", b"\\", b"\n\n"])
def test_a_damaged_file_covers_nothing(text: bytes, environ: dict[str, str]) -> None:
    """Then secretly asks, and a new answer can be noted."""
    path = Path(environ["XDG_RUNTIME_DIR"], "secretly", "leases.tsv")
    path.parent.mkdir(mode=0o700)
    path.write_bytes(text)
    assert not terms(environ).covers(NAMES)
    terms(environ).grant(NAMES, 60)
    assert terms(environ).covers(NAMES)


@pytest.mark.parametrize("end", ["inf", "Infinity", "-inf", "1e999"])
def test_a_lease_without_an_end_is_none(end: str, environ: dict[str, str]) -> None:
    """secretly writes no such line."""
    terms(environ).grant(NAMES, 60)
    path = Path(environ["XDG_RUNTIME_DIR"], "secretly", "leases.tsv")
    path.write_text(f"{end}\t{path.read_text().partition(chr(9))[2]}")
    assert not terms(environ).covers(NAMES)
    assert Leases(environ).all() == []


def test_the_file_is_private_and_has_no_link(environ: dict[str, str]) -> None:
    """Only the user can read it, and a link in its place is not followed."""
    terms(environ).grant(NAMES, 60)
    path = Path(environ["XDG_RUNTIME_DIR"], "secretly", "leases.tsv")
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    assert not terms(environ).covers(NAMES)
    with pytest.raises(OSError, match="symbolic"):
        terms(environ).grant(NAMES, 60)


# -- when it is offered ------------------------------------------------------------


def lease_of(configured: bool | float | None, origin: str = KEYCHAIN, **request: object) -> float:
    """For how long the user may agree to a use."""
    entry = Entry("Example", confirm=configured)
    found = ResolvedSecret(Secret("canary-1"), None, Candidate(origin, "Example", entry))
    there = {"lease": object(), **request}
    asked = SecretRequest(Reference("", "Example"), **there)  # type: ignore[arg-type]
    decided = decide_confirmation(asked, found)
    return decided.lease if decided.needed else -1.0


def test_a_lease_is_offered_where_a_duration_is_configured() -> None:
    """Never for what is published, for a limited token, or where each call needs a Yes."""
    assert lease_of(1800.0) == 1800.0
    assert lease_of(True) == 0.0
    assert lease_of(1800.0, confirm=True) == 0.0
    assert lease_of(1800.0, publishes=True) == 0.0
    assert lease_of(1800.0, limits=lambda *_: "token: 60 minutes") == 0.0
    assert lease_of(1800.0, lease=None) == 0.0
    assert lease_of(1800.0, confirm=False) == -1.0
    assert lease_of(1800.0, TYPED) == -1.0


@pytest.mark.parametrize(
    ("typed", "longer", "answer"),
    [
        (b"30m", "30m", "30m"),
        (b" 30M ", "30m", "30m"),
        (b"yes", "30m", "yes"),
        (b"30m", "", ""),
        (b"31m", "30m", ""),
        (b"", "30m", ""),
        (b"", "", ""),
        (b"yes 30m", "30m", ""),
    ],
)
def test_only_the_offered_duration_agrees_for_longer(
    typed: bytes, longer: str, answer: str
) -> None:
    """Any other text means No, and so does Return alone."""
    assert questions.agreed(typed, longer) == answer


# -- the command -------------------------------------------------------------------


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        found.keep_in_a_file()
        entries = '[secrets.Example]\nconfirm = "30m"\n[secrets.Other]\nconfirm = "1h"\n'
        found.configure(found.config.read_text() + entries)
        for name in ("Example", "Other"):
            assert found.run("set", name, "--stdin", stdin="canary-1").status == 0
        yield found


BOTH = ("run", "-e", "X=Example", "-e", "Y=Other", "--", "sh", "-c", "true")


@pytest.mark.process
def test_many_calls_are_one_dialog(home: Home) -> None:
    """One question for both secrets, whatever the arguments; ``lock`` makes secretly ask again."""
    with FakePinentry(["30m", False]) as pinentry:
        for word in ("true", "exit 0", ":"):
            assert home.run(*BOTH[:-1], word, environ=pinentry.environ).status == 0
        (shown,) = pinentry.prompts
        assert shown["SETPROMPT"] == wording.type_yes("30m")
        assert "Use Example, Other from your keychain" in shown["SETDESC"]
        assert f"in {home.folder}" in shown["SETDESC"]
        answers = [
            secret["answer"]
            for one in json.loads(home.run("log", "--json").stdout)["receipts"]
            for secret in one["secrets"]
        ]
        assert answers == ["yes", "yes", *["lease"] * 4]
        assert "not asked: Example, Other for " in home.run("list").stdout
        (listed,) = json.loads(home.run("list", "--json").stdout)["leases"]
        assert listed["secrets"] == ["Example", "Other"]
        assert 1700 < listed["seconds_left"] <= 1800
        assert "dropped the lease of Example, Other for " in home.run("lock").stdout
        assert home.run(*BOTH, environ=pinentry.environ).status == 130


@pytest.mark.process
def test_an_answer_that_can_not_be_noted_is_for_one_call(home: Home) -> None:
    """secretly says so, and ``lock`` fails: it can't know whether there are others."""
    path = Path(home.environ["XDG_RUNTIME_DIR"], "secretly/leases.tsv")
    path.mkdir(mode=0o700, parents=True)
    path.parent.chmod(0o700)
    with FakePinentry(["30m"]) as pinentry:
        done = home.run(*BOTH, environ=pinentry.environ)
    assert (done.status, "can't note your answer for later calls: Is a" in done.stderr) == (0, True)
    done = home.run("lock")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("secretly: can't drop the leases: Is a directory\n")


@pytest.mark.process
def test_a_yes_is_for_one_call(home: Home) -> None:
    """The word ``yes`` notes nothing, and ``--confirm`` and other secrets are asked for."""
    with FakePinentry([True, "30m", False, False, False]) as pinentry:
        screen = pinentry.environ
        assert [home.run(*BOTH, environ=screen).status for _ in range(3)] == [0, 0, 0]
        assert len(pinentry.prompts) == 2
        for words in (
            ("run", "--confirm", *BOTH[1:]),
            ("run", *BOTH[3:]),
            (*BOTH[:5], "--", "env"),
        ):
            assert home.run(*words, environ=screen).status == 130
        assert len(pinentry.prompts) == 5
        assert home.run("get", "Example", environ=screen).status == 130


@pytest.mark.process
def test_in_a_folder_that_was_deleted_a_yes_is_for_one_call(home: Home) -> None:
    """The folder's path may be another folder's later."""
    gone = home.folder / "gone"
    gone.mkdir()
    start = ["sh", "-c", 'rmdir "$0" && exec "$@"', str(gone), *SECRETLY]
    with FakePinentry(["30m"]) as pinentry:
        done = home.run_any([*start, *BOTH], environ=pinentry.environ, cwd=gone)
        assert done.status == 130, done.stderr
        assert [one["SETPROMPT"] for one in pinentry.prompts] == [wording.TYPE_YES]


@pytest.mark.process
def test_without_prompts_a_use_without_an_answer_is_refused(home: Home) -> None:
    """A lease is good without prompts; without one, secretly must not ask."""
    done = home.run("run", "--no-input", *BOTH[1:])
    assert (done.status, "can't ask you to confirm the use of Example, Other" in done.stderr) == (
        125,
        True,
    )
    with FakePinentry(["30m"]) as pinentry:
        assert home.run(*BOTH, environ=pinentry.environ).status == 0
    assert home.run("run", "--no-input", *BOTH[1:]).status == 0


@pytest.mark.process
def test_what_you_agree_to_is_in_the_dialog_whole(home: Home) -> None:
    """Secrets that don't fit into one dialog are several questions, and who asks is in each."""
    names = [f"{'a long name, ' * 5}{number:02}" for number in range(16)]
    entries = "".join(f'[secrets."{name}"]\nconfirm = "30m"\n' for name in names)
    home.configure(home.config.read_text() + entries)
    for name in names:
        assert home.run("set", name, "--stdin", stdin="canary-1").status == 0
    (home.folder / "env").write_text("".join(f"V{n}=secretly://{x}\n" for n, x in enumerate(names)))
    words = ("run", "-f", "env", "--", "sh", "-c", "true")
    with FakePinentry(["30m"] * 20) as pinentry:
        for _ in range(2):
            assert home.run(*words, environ=pinentry.environ).status == 0
        shown = [assuan.unescape(one["SETDESC"].encode()).decode() for one in pinentry.prompts]
    assert 1 < len(shown) < 10
    assert [one for one in names if not any(f"{one}" in text for text in shown)] == []
    for text in shown:
        assert "asked by: " in text
        assert "/bin/sh" in text
        assert "…" not in text


@pytest.mark.process
def test_a_long_command_does_not_hide_who_asks(home: Home) -> None:
    """Where the question is cut, who asks comes first."""
    long = home.folder.joinpath(*["folder-" + "x" * 200] * 5)
    long.mkdir(parents=True)
    (long / "program").symlink_to("/bin/sh")
    calls = [BOTH[:5], ("run", "--confirm", *BOTH[1:3]), ("run", "-e", "X=Typed")]
    with FakePinentry([False] * 3) as pinentry:
        for words in calls:
            home.run(*words, "--", str(long / "program"), environ=pinentry.environ)
        shown = [one["SETDESC"] for one in pinentry.prompts]
    assert len(shown) == 3
    assert [text for text in shown if "asked by: " not in text or "…" not in text] == []


@pytest.mark.process
def test_a_dialog_without_room_offers_no_duration(home: Home) -> None:
    """Where the duration's meaning does not fit, the question is for this call alone."""
    long = home.folder.joinpath(*["folder-" + "x" * 200] * 5)
    long.mkdir(parents=True)
    with FakePinentry(["30m"]) as pinentry:
        assert home.run(*BOTH, cwd=long, environ=pinentry.environ).status == 130
        assert pinentry.prompts[0]["SETPROMPT"] == wording.TYPE_YES


@pytest.mark.real
@pytest.mark.parametrize("name", ["pinentry-tty", "pinentry-curses", ""])
def test_the_duration_is_typed_in_a_real_pinentry(name: str, tmp_path: Path) -> None:
    """On the terminal, with and without a pinentry; Return alone is a No."""
    need(*filter(None, [name]))
    variables = {"PINENTRY": name} if name else {"PATH": str(tmp_path)}
    for number, (typed, error) in enumerate([("30m\r", None), ("\r", "NotConfirmed")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Asking(folder, "confirm", variables=variables, longer="30m") as terminal:
            terminal.prompted(wording.type_yes("30m") if name else wording.yes_or_no("30m"))
            terminal.type(typed)
            assert terminal.result().get("error") == error
