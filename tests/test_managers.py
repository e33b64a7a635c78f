"""The real password managers, with test vaults, run by the command."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import vaults
from command import (
    SECRETLY,
    Ended,
    Home,
    Watch,
    ended,
    files_with,
    home,
    processes,
    quick,
    wait_until,
)
from conftest import need
from vaults import MASTER, Login, Vault, bitwarden, keepassxc, lastpass, password_store

from secretly import sources
from secretly.asking import wording
from secretly.reference import parse
from secretly.testing import FakePinentry, SourceContract
from secretly.text import Environ

pytestmark = pytest.mark.process

WRONG = "canary-wrong"


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        yield found


# -- vaults ----------------------------------------------------------------------


Maker = Callable[[Home], Vault]

#: Those whose master password secretly itself asks for.
ASKED: Sequence[Maker] = (lastpass, keepassxc, bitwarden)


@pytest.fixture(name="vault")
def _vault(home: Home, request: pytest.FixtureRequest) -> Iterator[Vault]:
    """Make the vault of a test."""
    made: Vault = request.param(home)
    home.environ |= made.environ
    yield made
    made.end()


def of(*makers: Maker) -> pytest.MarkDecorator:
    """Give the test a vault from each of these functions in turn."""
    names = [maker.__name__ for maker in makers]
    return pytest.mark.parametrize("vault", makers, ids=names, indirect=True)


# -- calls -----------------------------------------------------------------------


#: Prints its value, and the variables of password managers that it has got too.
SHOW = 'printf %s "$TOKEN"; env | grep -E "SESSION|MASTER|canary-m" >&2; exit 0'


def taken(home: Home, verb: str, *references: str, fake: FakePinentry, more: str = "") -> Ended:
    """The output of ``get`` for the reference, or of a command that gets its value."""
    if verb == "get":
        return home.run("get", "-n", *references, environ=fake.environ)
    wanted = [f"-eTOKEN{number or ''}={one}" for number, one in enumerate(references)]
    argv = ["run", *([more] if more else []), *wanted, "--", "sh", "-c", SHOW]
    return home.run(*argv, environ=fake.environ)


def together(home: Home, *references: str, fake: FakePinentry) -> list[str]:
    """The output of one command that gets all of the references."""
    wanted = [f"-eTOKEN{number}={one}" for number, one in enumerate(references)]
    script = " ".join(f'"$TOKEN{number}"' for number in range(len(references)))
    argv = [*wanted, "--", "sh", "-c", f"printf '%s\\n' {script}"]
    done = home.run("run", *argv, environ=fake.environ)
    assert (done.status, done.stderr) == (0, "")
    return done.stdout.splitlines()


def failure(home: Home, verb: str, *references: str, fake: FakePinentry | None = None) -> str:
    """The two lines of an error, which contain no secret."""
    with FakePinentry() as unused:
        done = taken(home, verb, *references, fake=fake or unused)
        assert fake is not None or unused.prompts == []
    assert done.status == (1 if verb == "get" else 125), done
    assert done.stdout == ""
    assert "canary" not in done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    return done.stderr


VERBS = pytest.mark.parametrize("verb", ["get", "run"])


def living(home: Home) -> set[int]:
    """The processes that run with this home, without zombies."""
    found = set()
    for pid in processes():
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            home_is = os.fsencode(f"HOME={home.folder}")
            if state != "Z" and home_is in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def name_of(pid: int) -> str:
    """The name of a process's program; empty if the process has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


# -- unlocking, as all do ----------------------------------------------------------


@pytest.mark.real
@VERBS
@of(lastpass, keepassxc)
def test_a_wrong_master_password_is_asked_for_again(home: Home, vault: Vault, verb: str) -> None:
    """The next prompt says so; the right one is in no file, argument or variable."""
    with FakePinentry([WRONG, MASTER]) as fake, Watch(MASTER) as watch:
        done = taken(home, verb, f"{vault.prefix}PyPI", fake=fake)
        first, second = fake.prompts
    assert done == (0, "canary-pypi", "")
    assert " is locked" in first["SETDESC"]
    assert vault.title in first["SETDESC"]
    assert "SETERROR" not in first
    assert second["SETERROR"] == wording.WRONG_PASSWORD
    assert watch.rounds > 1
    assert watch.seen == set()
    assert files_with(MASTER, home.folder) == []
    assert files_with("canary-pypi", home.folder) == []


@pytest.mark.real
@of(lastpass, keepassxc)
def test_three_wrong_master_passwords_end_the_run(home: Home, vault: Vault) -> None:
    """secretly doesn't start the command."""
    with FakePinentry([WRONG, WRONG, WRONG, MASTER]) as fake:
        said = failure(home, "run", f"{vault.prefix}PyPI", fake=fake)
        assert len(fake.prompts) == 3
    assert vault.title in said


@pytest.mark.real
@VERBS
@of(lastpass, keepassxc)
def test_cancelling_the_master_password_ends_the_run(home: Home, vault: Vault, verb: str) -> None:
    """The exit status is that of a cancelled prompt."""
    with FakePinentry([None, MASTER]) as fake:
        done = taken(home, verb, f"{vault.prefix}PyPI", fake=fake)
        assert len(fake.prompts) == 1
    assert (done.status, done.stdout) == (130, "")


@pytest.mark.real
@of(*ASKED, password_store)
def test_a_locked_vault_is_an_error_with_no_input(home: Home, vault: Vault) -> None:
    """The error says that the vault is locked; the hint has the command that unlocks it."""
    with FakePinentry([MASTER]) as fake:
        vault.let_ask(fake.path)
        done = taken(home, "run", f"{vault.prefix}PyPI", fake=fake, more="--no-input")
        assert fake.lines == []
    assert done.status == 125
    assert vault.title in done.stderr
    assert "PyPI" in done.stderr


@pytest.mark.real
@of(*ASKED, password_store)
def test_a_manager_that_is_not_installed_is_named(home: Home, vault: Vault) -> None:
    """The error names the program, and no prompt for the secret follows."""
    home.environ["PATH"] = str(home.programs)
    said = failure(home, "get", f"{vault.prefix}PyPI")
    assert vault.title in said
    assert vault.program in said
    home.program("show", "#!/bin/sh\n/bin/echo started\n")
    with FakePinentry() as fake:
        done = home.run("run", "-eTOKEN=" + vault.prefix + "PyPI", "show", environ=fake.environ)
        assert fake.lines == []
    assert (done.status, done.stdout) == (125, "")
    assert vault.program in done.stderr


@pytest.mark.real
@of(lastpass, keepassxc)
def test_two_items_are_unlocked_once(home: Home, vault: Vault) -> None:
    """One answer is enough for two items and for three of their fields."""
    names = ("PyPI", "Other", "Other#username", "PyPI#password")
    with FakePinentry([MASTER]) as fake:
        found = together(home, *(vault.prefix + name for name in names), fake=fake)
        assert len(fake.prompts) == 1
    assert found == ["canary-pypi", "canary-other", "somebody", "canary-pypi"]


@pytest.mark.real
@of(lastpass, keepassxc)
def test_a_missing_item_causes_no_other_prompt(home: Home, vault: Vault) -> None:
    """The vault is already unlocked."""
    with FakePinentry([MASTER] * 4) as fake:
        failure(home, "run", *(f"{vault.prefix}{n}" for n in ("Missing", "PyPI")), fake=fake)
        assert len(fake.prompts) == 1


@pytest.mark.real
@of(lastpass, keepassxc)
def test_a_missing_item_is_named(home: Home, vault: Vault) -> None:
    """The same is true of a missing field. secretly asks only for the master password."""
    with FakePinentry([MASTER] * 4) as fake:
        said = failure(home, "get", f"{vault.prefix}Missing", fake=fake)
        assert vault.title in said
        assert "Missing" in said
        said = failure(home, "run", f"{vault.prefix}PyPI#flavour", fake=fake)
        assert "PyPI has no field 'flavour'" in said
        assert "password" in said.splitlines()[1]
        assert "username" in said.splitlines()[1]
        assert len(fake.prompts) == 2


@pytest.mark.real
@VERBS
@of(*ASKED)
def test_without_terminal_or_screen_the_error_names_the_item(
    home: Home, vault: Vault, verb: str
) -> None:
    """The error names the manager and the item, and the hint says what unlocks it."""
    reference = f"{vault.prefix}PyPI"
    words = [reference] if verb == "get" else [f"-eTOKEN={reference}", "echo", "ran"]
    done = home.run(verb, *words)
    assert (done.status, done.stdout) == (1 if verb == "get" else 125, "")
    what, hint = done.stderr.splitlines()
    assert vault.title in what
    assert "is locked" in what
    assert "PyPI" in what
    remedy = {"lpass": "lpass login", "bw": "bw unlock", "keepassxc-cli": "keepassxc-cli"}
    assert remedy[vault.program] in hint


@pytest.mark.real
@of(lastpass, keepassxc, password_store)
def test_an_item_without_a_password_is_an_error(home: Home, vault: Vault) -> None:
    """An empty password is an error that names the fields, and none of their values."""
    with FakePinentry([MASTER]) as fake:
        vault.let_ask(fake.path)
        said = failure(home, "get", f"{vault.prefix}Empty", fake=fake)
    assert "has no field 'password'" in said
    assert "username" in said
    assert "somebody" not in said


ITEMS = [Login(f"I{number}", f"canary-{number}", "me") for number in range(10)]


def _ten_of_lastpass(home: Home) -> Vault:
    need("lpass")
    environ = vaults._lastpass(home.folder / "lpass", MASTER, ITEMS)
    return Vault("lpass", "LastPass", "lpass://", environ)


def _ten_of_keepassxc(home: Home) -> Vault:
    need("keepassxc-cli")
    vaults.database(home.folder / "ten.kdbx", MASTER, ITEMS)
    return Vault("keepassxc-cli", "KeePassXC", f"keepassxc://{home.folder}/ten.kdbx/", {})


def _ten_of_pass(home: Home) -> Vault:
    vault = password_store(home)
    gnupg = Path(vault.environ["GNUPGHOME"])
    try:
        made = vaults.password_store_of(home.folder / "ten", gnupg, ITEMS)
    finally:
        vault.end()
    return vault._replace(environ=made)


@pytest.mark.real
@of(_ten_of_lastpass, _ten_of_keepassxc, _ten_of_pass)
def test_ten_items_are_one_prompt(home: Home, vault: Vault) -> None:
    """Nine requests wait while one unlocks the vault."""
    with FakePinentry([MASTER] * 10) as fake:
        vault.let_ask(fake.path)
        found = together(home, *(f"{vault.prefix}{item.name}" for item in ITEMS), fake=fake)
        assert found == [item.password for item in ITEMS]
        assert len(fake.prompts) == 1


@pytest.mark.real
def test_all_managers_of_a_run_ask_one_after_another(home: Home) -> None:
    """Each asks once, and never while another does. A command that might ask waits too."""
    made = [maker(home) for maker in (lastpass, keepassxc, bitwarden, password_store)]
    for vault in made:
        home.environ |= vault.environ
    seen = home.folder / "seen"
    mark = f"#!/bin/sh\necho begin >> {seen}\n{{}}\necho end >> {seen}\n"
    home.program("token", mark.format("sleep 0.1; echo canary-token"))
    home.configure('[secrets.Own]\ncommand = ["token"]\n')
    references = [f"{vault.prefix}PyPI{field}" for vault in made for field in ("", "#username")]
    try:
        with FakePinentry([MASTER] * 8) as fake:
            pinentry = home.program("pinentry-marked", mark.format(fake.path))
            made[-1].let_ask(pinentry)
            home.environ |= {**fake.environ, "PINENTRY": str(pinentry)}
            wanted = [f"-eA{n}={one}" for n, one in enumerate([*references, "Own"])]
            show = 'printf "%s " "$A0" "$A1" "$A2" "$A3" "$A4" "$A5" "$A6" "$A7" "$A8"'
            done = home.run("run", *wanted, "--", "sh", "-c", show, seconds=90)
            assert len(fake.prompts) == 4
    finally:
        made[-1].end()
    assert done == (0, 4 * "canary-pypi __token__ " + "canary-token ", "")
    assert seen.read_text().split() == ["begin", "end"] * 5


# -- another language --------------------------------------------------------------

#: The variables of a German locale, each with an encoding.
GERMAN = [
    {"LANGUAGE": "de"},
    {"LC_ALL": "de_DE.UTF-8"},
    {"LC_ALL": "", "LANG": "de_DE.UTF-8"},
    {"LC_ALL": "", "LANG": "de_DE.UTF-8", "LANGUAGE": "de:en"},
]


@pytest.mark.real
@of(keepassxc)
@pytest.mark.parametrize("german", GERMAN, ids=str)
def test_failures_are_recognized_in_a_german_locale(
    home: Home, vault: Vault, german: dict[str, str]
) -> None:
    """A wrong password, a missing entry and a missing field have different errors."""
    home.environ |= german
    with FakePinentry([WRONG, MASTER]) as fake:
        found = taken(home, "get", f"{vault.prefix}PyPI", fake=fake)
        assert found == (0, "canary-pypi", "")
        assert fake.prompts[1]["SETERROR"] == wording.WRONG_PASSWORD
    with FakePinentry([MASTER] * 2) as fake:
        said = failure(home, "get", f"{vault.prefix}Missing", fake=fake)
        assert "KeePassXC" in said
        assert "Missing" in said
        said = failure(home, "get", f"{vault.prefix}PyPI#flavour", fake=fake)
        assert "PyPI has no field 'flavour'" in said
        assert len(fake.prompts) == 2


#: Asks and fails as gpg does; in German, unless it is told otherwise, as gettext has it.
_GERMAN_PASS = """#!/bin/sh
case ${LANGUAGE-de} in en*) said="decryption failed: No secret key" ;;
*) said="Entschlüsselung fehlgeschlagen: Kein geheimer Schlüssel" ;; esac
case $PASSWORD_STORE_GPG_OPTS in
*error*) [ -e "$HOME/unlocked" ] || { echo "gpg: $said" >&2; exit 2; } ;;
*) touch "$HOME/unlocked" ;;
esac
echo canary-pypi; echo "encoding: $LC_ALL"
"""


def test_a_password_store_is_unlocked_in_a_german_locale(home: Home) -> None:
    """secretly sees that the store is locked, and the user's encoding stays."""
    home.program("pass", _GERMAN_PASS)
    home.environ["LC_ALL"] = "de_DE.UTF-8"
    with FakePinentry() as fake:
        assert taken(home, "get", "pass://PyPI", fake=fake) == (0, "canary-pypi", "")
        found = taken(home, "get", "pass://PyPI#encoding", fake=fake)
    assert found == (0, "de_DE.UTF-8", "")


# -- LastPass --------------------------------------------------------------------


@pytest.mark.real
@of(lastpass)
def test_an_ambiguous_item_of_lastpass_is_an_error(home: Home, vault: Vault) -> None:
    """The reference can name the folder too."""
    with FakePinentry([MASTER, MASTER]) as fake:
        assert "2 items match" in failure(home, "get", "lpass://Twice", fake=fake)
        assert taken(home, "get", "lpass://play/Twice", fake=fake) == (0, "canary-2", "")


@pytest.mark.real
@of(lastpass)
def test_a_guarded_item_of_lastpass_needs_one_answer(home: Home, vault: Vault) -> None:
    """lpass wants the master password twice; the user types it once."""
    with FakePinentry([WRONG, MASTER]) as fake:
        assert taken(home, "get", "lpass://Guarded", fake=fake) == (0, "canary-guarded", "")
        assert len(fake.prompts) == 2


@pytest.mark.real
@of(lastpass)
def test_a_secure_note_of_lastpass_has_its_fields(home: Home, vault: Vault) -> None:
    """It has the fields of its type, even with several lines. Its notes add no field."""
    key = vaults.KEY.partition("Private Key:")[2].rpartition("\nHostname")[0]
    fields = {
        "Server": "canary-server:1",
        "Server#username": "ada",
        "Server#hostname": "h.example.org",
        "Server#notes": "one\nPassword:canary-two",
        "SSH#private key": key,
        "SSH#Hostname": "h.example.org",
    }
    with FakePinentry([MASTER]) as fake:
        found = together(home, *(f"lpass://{field}" for field in fields), fake=fake)
        assert found == "\n".join(fields.values()).split("\n")
    with FakePinentry([MASTER]) as fake:
        said = failure(home, "get", "lpass://SSH", fake=fake)
    assert "SSH has no field 'password'" in said
    assert "Private Key" in said


@pytest.mark.real
def test_a_locked_lastpass_returns_a_long_item(home: Home) -> None:
    """The item doesn't fit into a pipe, so secretly reads it while lpass may ask."""
    need("lpass")
    note = {"note": "canary " * 20_000}
    home.environ |= vaults._lastpass(
        home.folder / "lpass", MASTER, [Login("Long", "canary-long", "me", note)]
    )
    with FakePinentry([MASTER]) as fake:
        assert taken(home, "get", "lpass://Long", fake=fake) == (0, "canary-long", "")


@pytest.fixture(name="agent")
def _agent(home: Home) -> Iterator[Vault]:
    """LastPass with its running agent, which has the key."""
    vault = lastpass(home)
    del vault.environ["LPASS_AGENT_DISABLE"]
    vault.environ["LPASS_AGENT_TIMEOUT"] = "300"
    home.environ |= vault.environ
    askpass = home.program("askpass", f"#!/bin/sh\necho {shlex.quote(MASTER)}\n", 0o700)
    try:
        show = ["lpass", "show", "--sync=no", "--name", "PyPI"]
        sock = home.folder / "lpass" / "agent.sock"
        for _ in range(10):  # its agent does not always outlive the start
            done = home.run_any(show, environ={"LPASS_ASKPASS": str(askpass)})
            assert done == (0, "PyPI\n", "")
            with contextlib.suppress(AssertionError):
                wait_until(sock.exists, 2)
                break
        askpass.unlink()
        assert sock.exists()
        yield vault
    finally:
        with socket.socket(socket.AF_UNIX) as talk, contextlib.suppress(FileNotFoundError):
            talk.connect(str(home.folder / "lpass" / "agent.sock"))
            who = talk.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            os.kill(struct.unpack("3i", who)[0], signal.SIGKILL)


@pytest.mark.real
@VERBS
@pytest.mark.usefixtures("agent")
def test_an_unlocked_lastpass_asks_nothing(home: Home, verb: str) -> None:
    """The agent has the key, so secretly shows no prompt."""
    with FakePinentry() as fake:
        assert taken(home, verb, "lpass://PyPI", fake=fake) == (0, "canary-pypi", "")
        assert fake.lines == []


@pytest.mark.real
@pytest.mark.usefixtures("agent")
def test_a_guarded_item_needs_the_password_even_if_lastpass_is_unlocked(home: Home) -> None:
    """Other items don't need the master password."""
    with FakePinentry([WRONG, MASTER]) as fake:
        assert taken(home, "get", "lpass://Guarded", fake=fake) == (0, "canary-guarded", "")
        assert len(fake.prompts) == 2
        assert taken(home, "get", "lpass://PyPI", fake=fake) == (0, "canary-pypi", "")
        assert len(fake.prompts) == 2


@pytest.mark.real
@VERBS
@of(lastpass)
def test_lastpass_without_a_login_is_an_error(home: Home, vault: Vault, verb: str) -> None:
    """The hint says what to run. secretly doesn't ask for a master password."""
    shutil.rmtree(vault.environ["LPASS_HOME"])
    os.mkdir(vault.environ["LPASS_HOME"], 0o700)
    said = failure(home, verb, "lpass://PyPI")
    assert "LastPass" in said
    assert "lpass login" in said
    assert "lpass login" in said


@pytest.mark.real
@VERBS
@of(lastpass)
def test_a_login_to_lastpass_alone_saves_no_vault(home: Home, vault: Vault, verb: str) -> None:
    """The hint says how to save the vault."""
    os.unlink(os.path.join(vault.environ["LPASS_HOME"], "blob"))
    with FakePinentry([MASTER]) as fake:
        said = failure(home, verb, "lpass://PyPI", fake=fake)
    assert "LastPass" in said
    assert "lpass sync" in said
    assert said.splitlines()[1].strip() == "lpass sync"


# -- pass ------------------------------------------------------------------------


@pytest.fixture(name="store")
def _store(home: Home) -> Iterator[Vault]:
    vault = password_store(home)
    home.environ |= vault.environ
    yield vault
    vault.end()


@pytest.mark.real
@VERBS
def test_gpgs_agent_asks_for_the_passphrase(home: Home, store: Vault, verb: str) -> None:
    """It asks again after a wrong passphrase, and remembers the right one."""
    with FakePinentry([WRONG, MASTER]) as fake, Watch(MASTER) as watch:
        store.let_ask(fake.path)
        assert taken(home, verb, "pass://PyPI", fake=fake) == (0, "canary-pypi", "")
        assert len(fake.prompts) == 2
        assert taken(home, verb, "pass://PyPI#username", fake=fake) == (0, "__token__", "")
        assert taken(home, verb, "pass://Other", fake=fake) == (0, "canary-other", "")
        assert len(fake.prompts) == 2
    assert watch.rounds > 1
    assert watch.seen == set()
    assert files_with(MASTER, home.folder) == []


@pytest.mark.real
@pytest.mark.parametrize(("answers", "asked"), [([WRONG] * 4, 3), ([None, MASTER], 1)])
def test_a_failed_passphrase_prompt_ends_the_run(
    home: Home, store: Vault, answers: Sequence[str | None], asked: int
) -> None:
    """After three wrong passphrases or a cancelled prompt, secretly doesn't ask again."""
    with FakePinentry(answers) as fake:
        store.let_ask(fake.path)
        said = failure(home, "run", "pass://PyPI", fake=fake)
        assert len(fake.prompts) == asked
    assert "gpg" in said
    assert "pass show PyPI" in said


@pytest.mark.real
def test_lines_of_an_item_are_its_fields(home: Home, store: Vault) -> None:
    """A line is ``key: value``, and ``login`` is a user name too."""
    with FakePinentry([MASTER]) as fake:
        store.let_ask(fake.path)
        fields = {
            "": "canary-shop",
            "#password": "canary-shop",
            "#url": "https://example.org:8/",
            "#login": "me",
            "#username": "me",
        }
        found = together(home, *(f"pass://web/shop{field}" for field in fields), fake=fake)
        assert found == list(fields.values())
        said = failure(home, "get", "pass://web/shop#flavour", fake=fake)
        assert "has no field 'flavour'" in said
        said = failure(home, "get", "pass://web/Missing", fake=fake)
        assert "pass: " in said
        assert "web/Missing" in said


@pytest.mark.parametrize("name", ["username", "Username", "User", "LOGIN"])
def test_an_upload_gets_the_user_name_of_the_item(home: Home, name: str) -> None:
    """The key may have capital letters. A configured user name takes precedence."""
    home.program("pass", f"#!/bin/sh\nprintf 'canary-pypi\\n{name}: ada\\n'\n")
    home.program("twine", '#!/bin/sh\necho "$TWINE_USERNAME $TWINE_PASSWORD"\n')
    wheel = home.folder / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr(
            "demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
        )
    entry = '[secrets."127.0.0.1:1"]\nsource = "pass://PyPI"\nconfirm = false\n'
    home.configure(entry)
    upload = ["run", "-q", "twine", "upload", "--repository-url", "http://127.0.0.1:1/x/"]
    assert home.run(*upload, str(wheel)).stdout == "ada canary-pypi\n"
    home.configure(f'{entry}username = "eve"\n')
    assert home.run(*upload, str(wheel)).stdout == "eve canary-pypi\n"
    assert home.run("get", "127.0.0.1:1#UserName").stdout == "eve\n"


@pytest.mark.real
@pytest.mark.parametrize("stubborn", [False, True])
def test_an_unanswered_passphrase_prompt_leaves_no_process(
    home: Home, store: Vault, stubborn: bool
) -> None:
    """pass, gpg and the agent's pinentry end. The pinentry would go on asking."""
    with FakePinentry([[("hang", stubborn)], MASTER]) as fake:
        store.let_ask(fake.path)
        argv = ["--prompt-timeout", "3s", "-eTOKEN=pass://PyPI", "echo", "ran"]
        done = home.run("run", *argv, environ=fake.environ)
        assert (done.status, done.stdout) == (125, "")
        assert "pass (pass) did not answer within 3 s" in done.stderr
        assert len(fake.prompts) == 1
        assert [*map(name_of, living(home))] == [
            "gpg-agent"
        ]  # which keeps what others have unlocked
        assert taken(home, "get", "pass://PyPI", fake=fake) == (0, "canary-pypi", "")


@pytest.mark.real
def test_an_interrupted_passphrase_prompt_leaves_no_process(home: Home, store: Vault) -> None:
    """No program stays on the terminal, which the user goes on using."""
    need("pinentry-tty")
    store.let_ask(Path(shutil.which("pinentry-tty") or ""))
    argv = [*SECRETLY, "run", "-eTOKEN=pass://PyPI", "--", "echo", "ran"]
    with home.terminal(argv) as terminal:
        terminal.expect("me@example.org")
        terminal.wait_for_prompt()
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.wait() == -signal.SIGTERM
        asking = {"pass", "gpg", "pinentry-tty"}
        wait_until(lambda: asking.isdisjoint(map(name_of, living(home))))
        assert terminal.modes_now == terminal.modes


@pytest.mark.real
def test_the_users_own_pinentry_data_stays(home: Home, store: Vault) -> None:
    """The user's own pinentry reads that variable."""
    log = home.folder / "told.log"
    with FakePinentry([MASTER]) as fake:
        script = f'echo "$PINENTRY_USER_DATA" > {log}; exec {fake.path}'
        store.let_ask(home.program("told", f"#!/bin/sh\n{script}\n"))
        home.environ["PINENTRY_USER_DATA"] = "USE_CURSES=1"
        assert taken(home, "get", "pass://PyPI", fake=fake) == (0, "canary-pypi", "")
    assert log.read_text() == "USE_CURSES=1\n"


@pytest.mark.real
def test_the_users_own_options_for_gpg_stay(home: Home, store: Vault) -> None:
    """secretly adds its own, unless the user's options say how to unlock the key."""
    quick = f"--pinentry-mode loopback --passphrase-file {home.folder}/passphrase"
    (home.folder / "passphrase").write_text(MASTER)
    with FakePinentry() as fake:
        store.let_ask(fake.path)
        home.environ |= {"PASSWORD_STORE_GPG_OPTS": quick, "SECRETLY_NO_INPUT": "1"}
        assert taken(home, "get", "pass://PyPI", fake=fake) == (0, "canary-pypi", "")
        assert fake.lines == []


@pytest.mark.real
def test_gpgs_agent_asks_on_the_commands_terminal(home: Home, store: Vault) -> None:
    """A terminal pinentry asks there, and leaves the terminal as it was."""
    need("pinentry-tty")
    store.let_ask(Path(shutil.which("pinentry-tty") or ""))
    argv = [*SECRETLY, "run", "-eTOKEN=pass://PyPI", "--", "sh", "-c", 'echo "got ${#TOKEN}"']
    with home.terminal(argv) as terminal:
        terminal.expect("me@example.org")
        terminal.wait_for_prompt()
        terminal.type(f"{MASTER}\n")
        terminal.expect("got 11")
        assert terminal.wait() == 0
        assert terminal.modes_now == terminal.modes
        assert MASTER not in terminal.screen


# -- KeePassXC -------------------------------------------------------------------


@pytest.mark.real
@of(keepassxc)
def test_an_attribute_of_keepassxc_is_a_field(home: Home, vault: Vault) -> None:
    """Custom attributes ignore case, and the standard ones have the usual names."""
    fields = {
        "#API token": "canary-api",
        "#api token": "canary-api",
        "#Password": "canary-own",
        "#title": "Own",
    }
    with FakePinentry([MASTER]) as fake:
        found = together(home, *(f"{vault.prefix}Own{field}" for field in fields), fake=fake)
    assert found == list(fields.values())


@pytest.fixture(name="calls")
def _calls(home: Home) -> Path:
    """A file with the arguments of each call of keepassxc-cli, without the database."""
    need("keepassxc-cli")
    log = home.folder / "calls"
    real = f'echo "$@" | sed "s|[^ ]*[.]kdbx||" >> {log}; exec {shutil.which("keepassxc-cli")} "$@"'
    home.program("keepassxc-cli", f"#!/bin/sh\n{real}\n")
    return log


@pytest.mark.real
@of(keepassxc)
def test_the_attributes_of_an_entry_need_one_call(home: Home, vault: Vault, calls: Path) -> None:
    """A second call lists the names of the entries."""
    wanted = ("PyPI", "PyPI#username", "PyPI#title", "Other", "Other#username")
    with FakePinentry([MASTER]) as fake:
        found = together(home, *(f"{vault.prefix}{name}" for name in wanted), fake=fake)
    assert found == ["canary-pypi", "__token__", "PyPI", "canary-other", "somebody"]
    assert sorted(line.split()[0] for line in calls.read_text().splitlines()) == [
        "ls",
        "show",
        "show",
    ]


@pytest.mark.real
def test_an_attribute_of_several_lines_has_a_call_of_its_own(home: Home, calls: Path) -> None:
    """keepassxc-cli prints attributes one after another, without a separator."""
    path = home.folder / "lines.kdbx"
    notes = {"Notes": "one\ntwo\n", "Key": "\ncanary-key\n\n"}
    vaults.database(path, MASTER, [Login("Lines", "canary-1\ncanary-2", "me", notes)])
    with FakePinentry([MASTER]) as fake:
        wanted = {"": "canary-1\ncanary-2", "#username": "me", "#key": "\ncanary-key\n\n"}
        options = [f"-eA{n}=keepassxc://{path}/Lines{field}" for n, field in enumerate(wanted)]
        show = 'printf "%s|" "$A0" "$A1" "$A2"'
        done = home.run("run", *options, "sh", "-c", show, environ=fake.environ)
    assert done == (0, "".join(f"{value}|" for value in wanted.values()), "")


@pytest.mark.real
def test_an_attachment_and_a_one_time_code_are_fields(home: Home) -> None:
    """The attachment comes whole; the code is the one of now, if no attribute has that name."""
    need("keepassxc-cli")
    path = home.folder / "more.kdbx"
    otp = {"otp": "otpauth://totp/x:me?secret=GEZDGNBVGY3TQOJQ&period=30&digits=6&issuer=x"}
    own = Login("Own", "canary-2", "me", {"TOTP": "canary-own"})
    vaults.database(path, MASTER, [Login("Key", "canary-1", "me", otp), own])
    (home.folder / "id").write_text("canary-k1\n\ncanary-k2\n")
    add = ["keepassxc-cli", "attachment-import", "-q", str(path), "Key", "id.pem", "id"]
    assert home.run_any(add, stdin=f"{MASTER}\n").status == 0
    with FakePinentry([MASTER]) as fake:
        wanted = ("Key#attachment/id.pem", "Key#totp", "Key", "Own#totp")
        names = [f"-eA{n}=keepassxc://{path}/{one}" for n, one in enumerate(wanted)]
        show = 'printf "%s|" "$A0" "$A1" "$A2" "$A3"'
        done = home.run("run", *names, "sh", "-c", show, environ=fake.environ)
        found = done.stdout.split("|")
        assert (found[0], found[2:]) == ("canary-k1\n\ncanary-k2", ["canary-1", "canary-own", ""])
        assert len(found[1]) == 6
        assert found[1].isdecimal()
    with FakePinentry([MASTER]) as fake:
        said = failure(home, "get", f"keepassxc://{path}/Own#attachment/id.pem", fake=fake)
        assert "has no field 'attachment/id.pem'" in said


@pytest.fixture(name="groups")
def _groups(home: Home) -> str:
    """The prefix of a database with groups, in which names occur several times."""
    need("keepassxc-cli")
    path = home.folder / "groups.kdbx"
    logins = [Login("Twin", "canary-1"), Login("Twin", "canary-2"), Login("a/b", "canary-3")]
    inside = [Login(name, f"canary-a/{name}") for name in ("b", "Lone", "Top")]
    top = [Login("Top", "canary-top"), Login("Old", "canary-old")]
    vaults.database(path, MASTER, [*logins, *top], {"a": inside})
    removed = ["keepassxc-cli", "rm", "-q", str(path), "Old"]  # which puts it into a bin
    assert home.run_any(removed, stdin=f"{MASTER}\n").status == 0
    return f"keepassxc://{path}/"


@pytest.mark.real
@pytest.mark.parametrize("name", ["Twin", "a/b", "/Twin"])
def test_two_entries_of_one_name_are_ambiguous(home: Home, groups: str, name: str) -> None:
    """In one group, or with a slash in a title, keepassxc-cli would take the first."""
    with FakePinentry([MASTER]) as fake:
        said = failure(home, "get", f"{groups}{name}", fake=fake)
    assert f"KeePassXC: several entries are called {name.strip('/')}" in said
    assert "keepassxc-cli ls -R -f" in said


@pytest.mark.real
@pytest.mark.parametrize("name", ["Lone", "Old", "a", "a/", "b", "top"])
def test_an_entry_of_another_group_does_not_match(home: Home, groups: str, name: str) -> None:
    """keepassxc-cli would use it, even an entry in the recycle bin."""
    with FakePinentry([MASTER]) as fake:
        said = failure(home, "get", f"{groups}{name}", fake=fake)
    assert "KeePassXC" in said
    assert name.strip("/") in said


@pytest.mark.real
def test_an_entry_is_named_with_its_groups(home: Home, groups: str) -> None:
    """The path may start with a slash."""
    with FakePinentry([MASTER] * 2) as fake:
        names = ("Top", "/Top", "a/Top", "/a/Lone")
        found = together(home, *(f"{groups}{name}" for name in names), fake=fake)
    assert found == ["canary-top", "canary-top", "canary-a/Top", "canary-a/Lone"]


OPTIONS = "SECRETLY_KEEPASSXC_OPTIONS"


@pytest.mark.real
def test_a_database_with_a_key_file_needs_no_password(home: Home) -> None:
    """secretly shows no prompt."""
    need("keepassxc-cli")
    key, path = home.folder / "a key", home.folder / "keyed.kdbx"
    made = ["db-create", "-q", "--set-key-file", str(key), str(path)]
    assert home.run_any(["keepassxc-cli", *made]).status == 0
    added = ["add", "-q", "--no-password", "-k", str(key), "-g", "-u", "me", str(path), "Key"]
    assert home.run_any(["keepassxc-cli", *added]).status == 0
    environ = {OPTIONS: f"--no-password --key-file '{key}'"}
    reference = f"keepassxc://{path}/Key"
    done = home.run("get", "-n", f"{reference}#username", environ=environ)
    assert done == (0, "me", "")
    assert "Locked" not in home.run("get", reference, environ=environ).stderr
    other = home.folder / "other"
    other.write_text("another key")
    for file, what in ((home.folder / "none", "KeePassXC"), (other, "has no password")):
        wrong = home.run("get", reference, environ={OPTIONS: f"--no-password -k {file}"})
        assert (wrong.status, wrong.stdout) == (1, "")
        assert what in wrong.stderr
    assert OPTIONS in wrong.stderr.splitlines()[1]


@pytest.mark.real
@of(keepassxc)
@pytest.mark.parametrize("options", ["--help", "--key-file", "-k", "--key-file=x y", "-a X", "'"])
def test_an_option_that_is_not_allowed_is_refused(home: Home, vault: Vault, options: str) -> None:
    """The error comes before a password prompt."""
    with FakePinentry([MASTER]) as fake:
        environ = {**fake.environ, OPTIONS: options}
        done = home.run("get", f"{vault.prefix}PyPI", environ=environ)
        assert fake.lines == []
    assert done.status != 0
    assert OPTIONS in done.stderr


@pytest.mark.real
@of(keepassxc)
def test_a_missing_database_is_named(home: Home, vault: Vault) -> None:
    """The error comes before a password prompt."""
    said = failure(home, "get", f"keepassxc://{home.folder}/no.kdbx/PyPI")
    assert f"{home.folder}/no.kdbx" in said


@pytest.mark.real
@of(keepassxc)
def test_a_file_that_is_not_a_database_is_named(home: Home, vault: Vault) -> None:
    """secretly asks once, since another password would not help."""
    path = home.folder / "bad.kdbx"
    path.write_text("canary-text")
    with FakePinentry([MASTER, MASTER]) as fake:
        said = failure(home, "get", f"keepassxc://{path}/PyPI", fake=fake)
        assert len(fake.prompts) <= 1
    assert "database" in said


@pytest.mark.real
@of(keepassxc)
def test_two_databases_are_unlocked_one_by_one(home: Home, vault: Vault) -> None:
    """Each has its own password, and the prompt names the database."""
    second, log = home.folder / "second.kdbx", home.folder / "statuses"
    vaults.database(second, "canary-second", [Login("PyPI", "canary-two")])
    real = f'{shutil.which("keepassxc-cli")} "$@"; status=$?; echo $status >> {log}; exit $status'
    home.program("keepassxc-cli", f"#!/bin/sh\n{real}\n")
    with FakePinentry([MASTER, "canary-second"]) as fake:
        found = together(home, f"{vault.prefix}PyPI", f"keepassxc://{second}/PyPI", fake=fake)
        prompts = fake.prompts
    assert found == ["canary-pypi", "canary-two"]
    assert len(prompts) == 2
    assert "secrets.kdbx" in prompts[0]["SETDESC"]
    assert "second.kdbx" in prompts[1]["SETDESC"]
    # Neither was tried with the other's.
    assert set(log.read_text().split()) == {"0"}


# -- Bitwarden -------------------------------------------------------------------


@pytest.mark.real
@of(bitwarden)
def test_only_bw_gets_the_session_key_and_for_one_run(home: Home, vault: Vault) -> None:
    """secretly asks again after a wrong password. No other program or file gets the key."""
    real, log = shutil.which("bw"), home.folder / "calls"
    spy = 'printf "%s %s\\n" "$2" "${BW_SESSION-none}" >> ' + shlex.quote(str(log))
    home.program("bw", f'#!/bin/sh\n{spy}\nexec {real} "$@"\n')
    show = 'printf "%s %s " "$TOKEN" "$TOKEN1"; env | grep -c SESSION'
    wanted = ["-eTOKEN=bw://PyPI", "-eTOKEN1=bw://PyPI#username"]
    with FakePinentry([WRONG, MASTER]) as fake, Watch(MASTER) as watch:
        done = home.run("run", *wanted, "--", "sh", "-c", show, environ=fake.environ)
        first, second = fake.prompts
    assert done == (1, "canary-pypi __token__ 0\n", "")  # grep's own status
    assert first["SETDESC"].endswith(wording.unlock_text("Bitwarden is locked"))
    assert "wants bw://PyPI" in first["SETDESC"]
    assert second["SETERROR"] == wording.WRONG_PASSWORD
    assert watch.seen == set()
    calls = [line.split() for line in log.read_text().splitlines()]
    session = calls[-1][1]
    assert len(session) > 40
    expected = [["list", "none"], ["unlock", "none"], ["unlock", "none"], ["list", session]]
    assert calls == expected
    assert files_with(session, home.folder) == [log]
    assert files_with(MASTER, home.folder) == []
    with FakePinentry() as fake:
        done = taken(home, "run", "bw://PyPI", fake=fake, more="--no-input")
    assert done.status == 125
    assert "Bitwarden is locked" in done.stderr


#: Gives what the real program said before, when it was asked the same.
_REMEMBERS = """#!{python} -IS
import json, os, sys
known = json.load(open({path!r}))
status, out, err = known[" ".join(sys.argv[1:])]
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""


@pytest.fixture(scope="module", name="answers")
def _answers() -> Iterator[Path]:
    """A program that repeats the answers of an unlocked Bitwarden, which takes seconds for each.

    The real program gets the calls that secretly makes, all at the same time.
    """
    names = ["contract", "missing", "Twice", "Empty", "Key", "Other"]
    with home() as place, ThreadPoolExecutor() as threads:

        def ask(name: str) -> tuple[str, Ended]:
            environ = vaults.unlocked_bitwarden(place, f"bw {names.index(name)}").environ
            words = ["--nointeraction", "list", "items", "--search", name]
            return " ".join(words), place.run_any(["bw", *words], environ=environ, seconds=90)

        vaults.bitwarden(place)
        path = place.folder / "answers"
        path.write_text(json.dumps(dict(threads.map(ask, names))))
        values = {"python": sys.executable, "path": str(path)}
        yield place.program("bw", _REMEMBERS.format(**values))


@pytest.mark.real
def test_an_item_of_bitwarden_may_have_an_accent(home: Home) -> None:
    """bw's search doesn't find words with an accent."""
    home.environ |= vaults.unlocked_bitwarden(home).environ
    with FakePinentry() as fake:
        found = taken(home, "get", "bw://Café crème", fake=fake)
        assert found == (0, "canary-cafe", "")


@pytest.mark.real
@pytest.mark.parametrize("real", [True, False])
def test_an_unlocked_bitwarden_has_different_errors(
    home: Home, request: pytest.FixtureRequest, real: bool
) -> None:
    """Ambiguous items, missing items and missing fields differ. No prompt appears."""
    if real:
        home.environ |= vaults.unlocked_bitwarden(home).environ
    else:
        shutil.copy(request.getfixturevalue("answers"), home.programs)
    assert "several items match Twice" in failure(home, "get", "bw://Twice")
    assert "missing" in failure(home, "get", "bw://missing")
    said = failure(home, "get", "bw://Empty")
    assert "has no field 'password'" in said
    assert "username" in said
    with FakePinentry() as fake:
        assert taken(home, "get", "bw://Key", fake=fake) == (0, "canary-key", "")
        assert taken(home, "get", "bw://Other", fake=fake) == (0, "canary-other", "")
        assert fake.lines == []


@pytest.mark.real
def test_bitwarden_without_a_login_is_an_error(home: Home) -> None:
    """The hint says what to run. secretly doesn't ask for a master password."""
    need("bw", "node")
    home.reach("bw", "node")
    home.environ["BITWARDENCLI_APPDATA_DIR"] = str(home.folder / "bw")
    said = failure(home, "run", "bw://PyPI")
    assert "Bitwarden" in said
    assert "bw login" in said
    assert "bw login" in said


# -- what every source must do -----------------------------------------------------


class _Contract(SourceContract):
    """The contract tests with a real vault. A fake pinentry types the master password."""

    @pytest.fixture(autouse=True)
    def _opened(self, home: Home) -> Iterator[None]:
        self._vault = self.make(home)
        with FakePinentry([MASTER] * 50) as fake:
            self._environ = {**home.environ, **self._vault.environ, **fake.environ}
            yield
        self._vault.end()

    @staticmethod
    def make(home: Home) -> Vault:
        """Make the vault."""
        raise NotImplementedError

    def run(self) -> sources.Run:
        """A run in which secretly may ask the user."""
        return sources.Run(Environ(self._environ), prompt_timeout=30)

    def source(self) -> sources.Source:
        """The source that the vault's references name."""
        return sources.find(parse(f"{self._vault.prefix}x").scheme)

    def item(self) -> str:
        """The item that each vault has."""
        return parse(f"{self._vault.prefix}contract").path

    def missing(self) -> str:
        """An item that no vault has."""
        return parse(f"{self._vault.prefix}missing").path


@pytest.mark.real
class TestLastPass(_Contract):
    """``lpass``."""

    PROGRAM = "lpass"
    make = staticmethod(lastpass)


@pytest.mark.real
class TestKeePassXC(_Contract):
    """``keepassxc-cli``."""

    PROGRAM = "keepassxc-cli"
    make = staticmethod(keepassxc)


@pytest.mark.real
class TestPass(_Contract):
    """``pass``, whose key an option of gpg unlocks."""

    PROGRAM = "pass"
    make = staticmethod(password_store)

    @pytest.fixture(autouse=True)
    def _unlocked(self, home: Home, _opened: None) -> None:
        file = home.folder / "passphrase"
        file.write_text(MASTER)
        quick = f"--pinentry-mode loopback --passphrase-file {file}"
        self._environ["PASSWORD_STORE_GPG_OPTS"] = quick


@pytest.mark.real
class TestBitwarden(_Contract):
    """``bw``, unlocked, with the answers of the real program."""

    PROGRAM = "bw"
    make = staticmethod(bitwarden)

    @pytest.fixture(autouse=True)
    def _quick(self, home: Home, _opened: None, answers: Path) -> None:
        shutil.copy(answers, home.programs)


# -- the keychain's items of others, and commands ------------------------------------


KEYRING = Path(sys.executable).with_name("keyring")


@pytest.mark.parametrize(
    "reference",
    [
        "keyring://https%3A%2F%2Fpypi.example%2Flegacy%2F/__token__",
        "keyring://https://pypi.example/legacy//__token__",
        "keyring://https://pypi.example/legacy//__token__#password",
    ],
)
def test_a_keychain_item_of_another_program_is_read(home: Home, reference: str) -> None:
    """twine's service name is a URL, which may be percent-encoded."""
    home.keep_in_a_file()
    command = [str(KEYRING), "set", "https://pypi.example/legacy/", "__token__"]
    assert home.run_any(command, stdin="canary-kept\n").status == 0
    with FakePinentry() as fake:
        for verb in ("get", "run"):
            assert taken(home, verb, reference, fake=fake) == (0, "canary-kept", "")
        assert fake.lines == []


def test_the_user_name_of_a_keychain_item_comes_with_it(home: Home) -> None:
    """It is percent-encoded if it has a slash."""
    home.keep_in_a_file()
    command = [str(KEYRING), "set", "service", "team/me"]
    assert home.run_any(command, stdin="canary-kept\n").status == 0
    with FakePinentry() as fake:
        found = taken(home, "get", "keyring://service/team%2Fme#username", fake=fake)
        assert found == (0, "team/me", "")


def test_a_missing_keychain_item_is_named(home: Home) -> None:
    """The hint has the command that stores it."""
    home.keep_in_a_file()
    for verb in ("get", "run"):
        said = failure(home, verb, "keyring://service/nobody")
        assert "service, user nobody" in said
        assert "keyring set service nobody" in said


def test_without_a_keychain_the_error_names_the_item(home: Home) -> None:
    """``get`` and ``run`` name the item, and ``run`` the reason too."""
    for verb in ("get", "run"):
        said = failure(home, verb, "keyring://my service/me")
        assert "keyring://my service/me" in said


def test_the_hint_for_a_locked_store_can_be_pasted(home: Home) -> None:
    """The item's name is one word to a shell."""
    home.program("pass", "#!/bin/sh\necho 'gpg: decryption failed: No secret key' >&2; exit 2\n")
    done = home.run("run", "--no-input", "-eA=pass://web/my shop", "true")
    assert done.stderr.splitlines()[1] == "  pass show 'web/my shop'"


def test_the_hint_for_storing_a_secret_can_be_pasted(home: Home) -> None:
    """A secret's name with a space is one word too."""
    home.keep_in_a_file()
    done = home.run("get", "My token")
    assert done.stderr.splitlines()[1].endswith(": secretly set 'My token'")


def commanded(home: Home, *argv: str) -> None:
    """Configure a secret with a command that prints it."""
    home.configure(f"[secrets.Token]\ncommand = {json.dumps(argv)}\n")


@VERBS
@pytest.mark.parametrize("argv", [("true",), ("echo",)])
def test_a_command_that_prints_nothing_is_an_error(
    home: Home, verb: str, argv: tuple[str, ...]
) -> None:
    """The error says that the field is empty, and names no other field."""
    commanded(home, *argv)
    said = failure(home, verb, "Token")
    assert f"the command {argv[0]}: the field 'password' of Token is empty" in said
    assert "its fields with a value: none" in said


@VERBS
def test_a_configured_command_prints_the_secret(home: Home, verb: str) -> None:
    """No shell reads its words, and one newline is removed."""
    commanded(home, "printf", "%s\\n", "canary $HOME `x` ;")
    with FakePinentry() as fake:
        assert taken(home, verb, "Token", fake=fake) == (0, "canary $HOME `x` ;", "")
        assert fake.lines == []


def test_a_command_keeps_the_users_language(home: Home) -> None:
    """A command's output may depend on the language."""
    commanded(home, "sh", "-c", 'echo "canary-${LANGUAGE-none}"')
    with FakePinentry() as fake:
        assert taken(home, "get", "Token", fake=fake).stdout == "canary-none"
        home.environ["LANGUAGE"] = "de"
        assert taken(home, "get", "Token", fake=fake).stdout == "canary-de"


@VERBS
def test_a_command_that_fails_is_named(home: Home, verb: str) -> None:
    """Its output is not shown: a secret may be in it."""
    commanded(home, "sh", "-c", "echo canary-1; echo canary-2 >&2; exit 3")
    said = failure(home, verb, "Token")
    assert "the command sh" in said
    assert "status 3" in said
    commanded(home, "no-such-command")
    said = failure(home, verb, "Token")
    assert said.splitlines()[0].endswith(" (Token)")
    assert "no-such-command" in said
    for path in (f"{home.folder}/missing", f"{home.config}", "~/missing", "./missing"):
        commanded(home, path)
        said = failure(home, verb, "Token")
        assert f"the command {path} " in said
        assert said.splitlines()[0].endswith(" (Token)")
        assert f"check its path in the configuration: {path}" in said


def test_a_command_runs_once_for_several_variables(home: Home) -> None:
    """In one run its output is one item."""
    home.program("counted", '#!/bin/sh\necho x >> "$HOME/count"\necho canary-1\n')
    commanded(home, "counted")
    argv = ["-eA=Token", "-eB=Token#password", "sh", "-c", 'printf "%s " "$A" "$B"']
    with FakePinentry() as fake:
        done = home.run("run", *argv, environ=fake.environ)
    assert done == (0, "canary-1 canary-1 ", "")
    assert (home.folder / "count").read_text() == "x\n"


#: Notes when it begins and when it is done. It goes on when as many have begun as a file says.
_NOTES = """#!/bin/sh
echo "begun $1" >> "$HOME/log"
until [ "$(grep -c begun "$HOME/log")" -ge "$(cat "$HOME/together")" ]; do sleep 0.1; done
sleep 0.2
echo "done $1" >> "$HOME/log"
echo "canary-$1"
"""


def test_commands_run_together_if_none_can_ask(home: Home) -> None:
    """Without terminal and screen all ten begin before one is done; else each waits for another."""
    home.program("notes", _NOTES)
    home.configure("".join(f'[secrets.I{n}]\ncommand = ["notes", "{n}"]\n' for n in range(10)))
    together, log = home.folder / "together", home.folder / "log"
    together.write_text("10")
    wanted = [f"-eA{n}=I{n}" for n in range(10)]
    done = home.run("run", *wanted, "sh", "-c", "env | grep -c canary-")
    assert done == (0, "10\n", "")
    log.unlink()
    together.write_text("1")
    with FakePinentry() as fake:  # here one might see what the second asks while the first does
        assert home.run("run", "-eA=I0", "-eB=I1", "true", environ=fake.environ).status == 0
    noted = [line.split() for line in log.read_text().splitlines()]
    assert [what for what, _ in noted] == ["begun", "done"] * 2
    assert {number for _, number in noted} == {"0", "1"}


def test_a_reference_runs_no_command(home: Home) -> None:
    """Only the user's own configuration names commands; a project's file can't."""
    mark = home.folder / "mark"
    with FakePinentry() as fake:
        for reference in (f"command://touch {mark}", f"command://{mark}", "command://touch"):
            done = taken(home, "run", reference, fake=fake)
            assert done.status == 125
            assert "command" in done.stderr
    assert not mark.exists()


def test_an_interrupted_run_leaves_no_manager_behind(home: Home) -> None:
    """Whatever signal ends it, secretly ends the processes that it started."""
    home.program("lpass", '#!/bin/sh\necho $$ > "$HOME/pid"\nexec sleep 600\n')
    argv = [*SECRETLY, "run", "-eTOKEN=lpass://PyPI", "true"]
    process = home.start(argv)
    with ended(process):
        wait_until(lambda: (home.folder / "pid").exists() and living(home))
        pid = int((home.folder / "pid").read_text())
        assert pid in living(home)
        process.terminate()
        assert process.wait(20) != 0
        wait_until(lambda: living(home) == set())
