"""Which way of asking is found, with stand-ins for all that might be installed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import COVERAGE
from ptys import DEADLINE, SOON, Pty

from secretly.asking import choosing, dialogs, prompting, screens, wording
from secretly.asking.choosing import PromptMethod, choose
from secretly.asking.questions import Patience, Prompt
from secretly.config.places import BUS_VARIABLE
from secretly.errors import NoPinentry, PinentryFailed, Refused, SecretlyError
from secretly.keeping.secret_service import session_bus

SCREEN = {"DISPLAY": ":9"}
BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}
ALL = ("pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2", "pinentry-curses", "pinentry-tty")


class Home:
    """A folder with a PATH of stand-ins, and a HOME."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(mode=0o755)
        self.environ = {"PATH": str(self.bin), "HOME": str(folder), "TERM": "xterm", **COVERAGE}
        self.environ["XDG_RUNTIME_DIR"] = str(folder)

    def program(self, name: str, content: str = "exit 1", folder: Path | None = None) -> Path:
        """Put a program there; the name says what it is."""
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{content}\n")
        path.chmod(0o755)
        return path

    def gpgconf(self, *lines: str, before: str = "") -> Path:
        """Put a gpgconf there that lists these components."""
        listed = "\n".join(("gpg:OpenPGP:/usr/bin/gpg", *lines))
        checks = f'test "$1" = --list-components || exit 2\n{before}'
        return self.program("gpgconf", f"{checks}\n/bin/cat <<'END'\n{listed}\nEND")

    def agent(self, text: str, folder: str = ".gnupg") -> None:
        """Write gpg-agent's own settings."""
        (self.folder / folder).mkdir(exist_ok=True)
        (self.folder / folder / "gpg-agent.conf").write_text(text)

    def find(self, setting: str | None = None, **environ: str) -> PromptMethod:
        """Find the way of asking in this process, which has no terminal of its own.

        Its program is a path here, to be compared with those that the tests made.
        """
        skipped: list[str] = []
        way = asyncio.run(choose({**self.environ, **environ}, setting, skipped))
        return way._replace(program=way.program and Path(way.program))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home where nothing is installed."""
    return Home(tmp_path)


WHERE = """
import asyncio, json, os, sys
from secretly.asking.choosing import choose
from secretly.errors import SecretlyError

def find():
    skipped = []
    try:
        way = asyncio.run(choose(os.environ, None, skipped))
        return [way.kind, way.program and str(way.program), way.graphical, way.why, skipped]
    except SecretlyError as error:
        return [type(error).__name__, str(error), error.hint, "", skipped]

with open(sys.argv[1]) as asked, open(sys.argv[2], "w") as found:
    for line in asked:
        os.environ.clear()
        os.environ.update(json.loads(line))
        print(json.dumps(find()), file=found, flush=True)
"""


class Finder:
    """A process that finds the way of asking, with each environment that it is asked for.

    :param before: what it runs before it loads secretly.
    :param shell: a shell command that starts it as ``"$@"``.
    """

    def __init__(self, folder: Path, before: str = "", shell: str = "") -> None:
        self._folder = folder
        self._pipes = [folder / "asked", folder / "found"]
        argv = [sys.executable, "-c", before + WHERE, *map(str, self._pipes)]
        self.argv = ["/bin/sh", "-c", shell, "sh", *argv] if shell else argv
        self.environ = {"PATH": os.defpath, "HOME": str(folder), **COVERAGE}
        for pipe in self._pipes:
            os.mkfifo(pipe)

    def open(self) -> None:
        """Open the pipes, in the process's order: each opening waits for the other end."""
        self._asked, self._found = self._pipes[0].open("w"), self._pipes[1].open()

    def close(self) -> None:
        """Have the process end."""
        for file in (self._asked, self._found):
            file.close()

    def find(self, environ: dict[str, str]) -> tuple[Any, ...]:
        """Find it with this environment."""
        print(json.dumps(environ), file=self._asked, flush=True)
        assert select.select([self._found], [], [], DEADLINE)[0]
        return tuple(json.loads(self._found.readline()))


@contextlib.contextmanager
def finder_on_a_terminal(shell: str = "") -> Iterator[Finder]:
    """A process that has a terminal, and asks for it with *shell*."""
    with tempfile.TemporaryDirectory() as folder:
        finder = Finder(Path(folder), shell=shell)
        with Pty(finder.argv, finder.environ) as screen:
            finder.open()
            yield finder
            finder.close()
            assert screen.wait() == 0, screen.shown


@contextlib.contextmanager
def finder_without_a_terminal(before: str = "") -> Iterator[Finder]:
    """A process that has none."""
    with tempfile.TemporaryDirectory() as folder:
        finder = Finder(Path(folder), before)
        with subprocess.Popen(
            finder.argv, env=finder.environ, stdin=subprocess.DEVNULL, start_new_session=True
        ) as process:
            finder.open()
            try:
                yield finder
            finally:
                finder.close()
                assert process.wait(DEADLINE) == 0


@pytest.fixture(name="terminal", scope="module")
def _terminal() -> Iterator[Finder]:
    """A process on a terminal, for all the tests."""
    with finder_on_a_terminal() as found:
        yield found


@pytest.fixture(name="nowhere", scope="module")
def _nowhere() -> Iterator[Finder]:
    """A process without a terminal, for all the tests."""
    with finder_without_a_terminal() as found:
        yield found


# -- what the user named ---------------------------------------------------------


@pytest.mark.process
def test_each_setting_takes_precedence_over_the_next(home: Home) -> None:
    """Configuration, PINENTRY, gpg-agent.conf, gpgconf, the screen."""
    screen = home.program("pinentry-qt")
    found = home.find(**SCREEN)
    assert found == PromptMethod("pinentry", screen, True, "a screen")
    gpgconf = home.program("pinentry-qt-gpgconf", folder=home.folder / "opt")
    home.gpgconf(f"pinentry:Passphrase Entry:{gpgconf}")
    assert home.find(**SCREEN) == PromptMethod("pinentry", gpgconf, True, "gpgconf")
    agent = home.program("pinentry-qt-agent", folder=home.folder / "opt")
    home.agent(f"# settings\n\n  pinentry-program   {agent}  \nmax-cache-ttl 5\n")
    assert home.find(**SCREEN) == PromptMethod("pinentry", agent, True, "gpg-agent.conf")
    named = home.program("pinentry-qt-named", folder=home.folder / "opt")
    assert home.find(**SCREEN, PINENTRY=str(named)) == PromptMethod(
        "pinentry", named, True, "PINENTRY"
    )
    setting = home.program("pinentry-qt-setting", folder=home.folder / "opt")
    found = home.find(str(setting), **SCREEN, PINENTRY=str(named))
    assert found == PromptMethod("pinentry", setting, True, "the configuration's prompt.pinentry")


@pytest.mark.process
@pytest.mark.usefixtures("children_ignored")
def test_gpgconf_counts_where_its_status_was_lost(home: Home) -> None:
    """The configured pinentry asks, and no other."""
    home.program("pinentry-qt")
    gpgconf = home.program("pinentry-qt-gpgconf", folder=home.folder / "opt")
    home.gpgconf(f"pinentry:Passphrase Entry:{gpgconf}")
    assert home.find(**SCREEN) == PromptMethod("pinentry", gpgconf, True, "gpgconf")


def test_pinentry_may_be_a_name_or_a_path(home: Home) -> None:
    """PINENTRY may be a name on PATH, a path from the home, or an absolute one."""
    program = home.program("pinentry-qt-mine")
    for named in ("pinentry-qt-mine", str(program), "~/bin/pinentry-qt-mine"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(home.folder))
            assert home.find(**SCREEN, PINENTRY=named).program == program


def test_a_named_pinentry_that_is_missing_is_an_error(home: Home) -> None:
    """A pinentry that the user named and that is not a program is not skipped."""
    home.program("pinentry-qt")
    home.program("pinentry-data").chmod(0o644)
    for named in ("nonexistent", "/nonexistent/pinentry", str(home.bin), "pinentry-data"):
        with pytest.raises(NoPinentry, match="PINENTRY names") as caught:
            home.find(**SCREEN, PINENTRY=named)
        assert os.path.basename(named) in str(caught.value)
        assert caught.value.hint
        with pytest.raises(NoPinentry, match="configuration"):
            home.find(named, **SCREEN)


@pytest.mark.parametrize("where", ["program", "folder"])
def test_a_named_pinentry_that_others_can_change_is_refused(where: str, home: Home) -> None:
    """Others could write the program, or the folder that it is in."""
    folder = home.folder / "open"
    program = home.program("pinentry-qt-open", folder=folder)
    (program if where == "program" else folder).chmod(0o777)
    with pytest.raises(Refused, match="others") as caught:
        home.find(**SCREEN, PINENTRY=str(program))
    assert "open" in str(caught.value)


def test_a_found_pinentry_that_others_can_change_is_skipped(home: Home) -> None:
    """The user did not name it, and another one may be safe."""
    home.program("pinentry-qt").chmod(0o777)
    other = home.program("pinentry-gtk-2")
    skipped: list[str] = []
    way = asyncio.run(choose({**home.environ, **SCREEN}, None, skipped))
    assert way.program == str(other)
    assert len(skipped) == 1 and "pinentry-qt" in skipped[0] and "others" in skipped[0]


def test_relative_folders_of_path_are_skipped(home: Home) -> None:
    """A pinentry in the current folder is not found by an empty or relative entry of PATH."""
    home.program("pinentry-qt")
    for entries in ("", ".", "bin", ":bin:."):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home.folder if "bin" in entries else home.bin)
            with pytest.raises(NoPinentry):
                asyncio.run(choose({**home.environ, **SCREEN, "PATH": entries}))


# -- gpg's settings --------------------------------------------------------------


def test_gnupghome_says_where_the_settings_are(home: Home) -> None:
    """With GNUPGHOME the settings there count, and not those in the home."""
    one, two = home.program("pinentry-qt-1"), home.program("pinentry-qt-2")
    home.agent(f"pinentry-program {one}\n")
    home.agent(f"pinentry-program {two}\n", folder="other")
    assert home.find(**SCREEN).program == one
    assert home.find(**SCREEN, GNUPGHOME=str(home.folder / "other")).program == two


@pytest.mark.parametrize(
    "text",
    [
        "pinentry-program\t{}\t\n",
        ' \tpinentry-program \t "{}" \r\n',
        'pinentry-program "{}\n',
        "pinentry-program /nonexistent\npinentry-program {}",
        "pinentry-program {}\n# pinentry-program /nonexistent\npinentry-program\nother x\n",
    ],
)
def test_the_settings_of_gpg_are_read_as_gpg_reads_them(text: str, home: Home) -> None:
    """Tabs, quotes and the last of two lines count as in gpg-agent 2.2.40."""
    one = home.program("pinentry qt-1")
    home.agent(text.format(one))
    assert home.find(**SCREEN).program == one


def test_no_file_of_the_current_folder_names_the_pinentry(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If HOME is empty or relative, secretly reads no settings from the current folder."""
    planted, other = home.program("pinentry-qt-planted"), home.program("pinentry-qt")
    home.agent(f"pinentry-program {planted}\n")
    home.agent(f"pinentry-program {planted}\n", folder="gnupg")
    monkeypatch.chdir(home.folder)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)  # a user that the system doesn't know
    for variables in ({"HOME": ""}, {"HOME": "."}, {"HOME": "", "GNUPGHOME": "gnupg"}):
        assert home.find(**SCREEN, **variables).program == other
    del home.environ["HOME"]
    assert home.find(**SCREEN).program == other
    for relative in ("bin/pinentry-qt", "./bin/pinentry-qt", "~nobody-of-that-name/pinentry"):
        with pytest.raises(NoPinentry, match="full path"):
            home.find(**SCREEN, PINENTRY=relative)
        with pytest.raises(NoPinentry, match="full path"):
            home.find(relative, **SCREEN)


@pytest.mark.parametrize(
    "text",
    [
        "# pinentry-program {}",
        "pinentry-program {} # a comment",
        "pinentry-program={}",
        '"pinentry-program" {}',
        "pinentry-program {}\npinentry-program bin/pinentry-qt-1",
        'pinentry-program {}\npinentry-program ""',
        "pinentry-program {}\npinentry-program /nonexistent",
        "pinentry-program",
        "pinentry-program bin/pinentry-qt-1",
        "pinentry-program-x {}",
        "pinentry-program /nonexistent",
        "\x00\xff",
    ],
)
def test_settings_of_gpg_without_a_pinentry_are_skipped(text: str, home: Home) -> None:
    """A gpg-agent.conf that names no pinentry, or a missing one, does no harm."""
    one, other = home.program("pinentry-qt-1"), home.program("pinentry-qt")
    home.agent(text.format(one))
    assert home.find(**SCREEN).program == other


@pytest.mark.process
@pytest.mark.parametrize(
    "line",
    [
        "pinentry:Passphrase Entry:",
        "pinentry",
        "pinentry:Passphrase Entry:relative",
        "pinentry:Passphrase Entry:/nonexistent",
        "gpg-agent:Private Keys:{}",
    ],
)
def test_a_gpgconf_without_a_pinentry_is_skipped(line: str, home: Home) -> None:
    """A gpgconf that names no pinentry, or a missing one, does no harm."""
    one, other = home.program("pinentry-qt-1"), home.program("pinentry-qt")
    home.gpgconf(line.format(one))
    assert home.find(**SCREEN).program == other


@pytest.mark.process
def test_the_path_of_gpgconf_is_unescaped(home: Home) -> None:
    """gpgconf escapes colons and percents in a path."""
    program = home.program("pinentry-qt-1", folder=home.folder / "a:b%c")
    escaped = str(program).replace("%", "%25").replace(":", "%3a")
    home.gpgconf(f"pinentry:Passphrase Entry:{escaped}")
    assert home.find(**SCREEN).program == program


@pytest.mark.process
@pytest.mark.parametrize("before", ["exit 3", "kill -9 $$", "exec sleep 600"])
def test_a_gpgconf_that_fails_or_hangs_is_skipped(before: str, home: Home) -> None:
    """A broken gpgconf costs two seconds at most."""
    other = home.program("pinentry-qt")
    home.gpgconf(before=before.replace("sleep", "/bin/sleep"))
    started = time.monotonic()
    assert home.find(**SCREEN).program == other
    assert time.monotonic() - started < SOON


def test_a_gpgconf_that_others_can_change_is_not_run(home: Home) -> None:
    """A gpgconf that others could write is not even started."""
    other = home.program("pinentry-qt")
    home.gpgconf(before=f"echo > {home.folder}/ran").chmod(0o777)
    assert home.find(**SCREEN).program == other
    assert not (home.folder / "ran").exists()


# -- a screen, a terminal, or nothing --------------------------------------------


def test_a_screen_is_asked_on_in_this_order(home: Home) -> None:
    """With a screen: gnome3 where there is a session bus, else qt, else gtk-2."""
    for name in ALL:
        home.program(name)
    for bus, name in ((BUS, "pinentry-gnome3"), ({}, "pinentry-qt")):
        for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
            found = home.find(**bus, **{variable: ":9"})
            assert found == PromptMethod("pinentry", home.bin / name, True, "a screen")
    (home.bin / "pinentry-qt").unlink()
    assert home.find(**SCREEN).program == home.bin / "pinentry-gtk-2"


@pytest.mark.process
@pytest.mark.parametrize("given", [None, "", " ", "unix:path=/given"])
def test_a_pinentry_gets_the_bus_that_the_keychain_uses(
    given: str | None,
) -> None:
    """pinentry-gnome3 looks only at the variable, so secretly sets it to the bus of the login."""
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as bus:
        bus.bind(f"{short}/bus")
        home = Home(Path(short))
        for name in ALL:
            home.program(name, f'echo "${{DBUS_SESSION_BUS_ADDRESS-unset}}" >{short}/given')
        environ = {**home.environ, **SCREEN}
        environ |= {} if given is None else {BUS_VARIABLE: given}
        method = asyncio.run(choose(environ))
        assert method.program == str(home.bin / "pinentry-gnome3")
        with pytest.raises(PinentryFailed):
            asyncio.run(prompting.probe(method, environ))
        used = (home.folder / "given").read_text().strip()
        assert used == session_bus(environ) == ((given or "").strip() or f"unix:path={short}/bus")
        over_ssh = method._replace(graphical=False)
        with pytest.raises(PinentryFailed):
            asyncio.run(prompting.probe(over_ssh, environ))
        assert (home.folder / "given").read_text() == "unset\n"


@pytest.mark.process
def test_without_a_screen_the_terminal_is_asked_on(home: Home, terminal: Finder) -> None:
    """Without a screen: curses, else tty, else any program called pinentry, else the terminal."""
    for name in (*ALL, "pinentry"):
        home.program(name)
    for name in ("pinentry-curses", "pinentry-tty", "pinentry"):
        kind, program, graphical, why, _ = terminal.find(home.environ)
        assert (kind, program, graphical) == ("pinentry", str(home.bin / name), False)
        assert why == "a terminal"
        (home.bin / name).unlink()
    kind, program, graphical, why, _ = terminal.find(home.environ)
    assert (kind, program, graphical) == ("terminal", None, False)
    assert "no pinentry" in why


@pytest.mark.process
def test_a_simple_terminal_is_asked_on_with_tty(home: Home, terminal: Finder) -> None:
    """Curses must know the terminal: if TERM is dumb or missing, tty is used."""
    home.program("pinentry-curses")
    home.program("pinentry-tty")
    for term in ("dumb", "", "unknown"):
        _, program, _, _, skipped = terminal.find({**home.environ, "TERM": term})
        assert program == str(home.bin / "pinentry-tty")
        assert "pinentry-curses" in skipped[0] and "TERM" in skipped[0]


@pytest.mark.process
@pytest.mark.parametrize(
    "variables",
    [
        {"TERM": "dumb"},
        {"TERM": "dumb-emacs-ansi"},
        {"TERM": "xterm", "INSIDE_EMACS": "30.1,comint"},
        {"TERM": "dumb", "DISPLAY": ":98"},  # a screen that is gone
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2"])
def test_no_dialog_is_drawn_on_a_simple_terminal(
    name: str, variables: dict[str, str], home: Home, terminal: Finder
) -> None:
    """Without a screen these pinentries use curses too, whatever name leads to them."""
    (home.bin / name).write_bytes(b"\x7fELF")
    (home.bin / name).chmod(0o755)
    (home.bin / "pinentry").symlink_to(name)
    home.gpgconf(f"pinentry:Passphrase Entry:{home.bin / 'pinentry'}")
    for setting in ({}, {"PINENTRY": str(home.bin / "pinentry")}):
        found = terminal.find({**home.environ, **variables, **setting})
        assert found[0] == "terminal", found
        assert all("TERM" in line for line in found[4])
    assert terminal.find({**home.environ, "TERM": "xterm"})[1] == str(home.bin / "pinentry")


@pytest.mark.process
@pytest.mark.parametrize("variable", ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"])
def test_over_ssh_no_window_opens(
    variable: str, home: Home, terminal: Finder, nowhere: Finder
) -> None:
    """Over SSH the terminal is asked on, even if a screen is forwarded; else it is an error."""
    for name in ALL:
        home.program(name)
    ssh = {variable: "198.51.100.1 1 198.51.100.2 22", **SCREEN, **BUS}
    assert terminal.find({**home.environ, **ssh})[1] == str(home.bin / "pinentry-curses")
    found = nowhere.find({**home.environ, **ssh})
    assert found[0] == "NoPinentry"


@pytest.mark.process
def test_without_a_screen_and_a_terminal_nothing_can_ask(home: Home, nowhere: Finder) -> None:
    """That is an error, whatever is installed."""
    for name in ALL:
        home.program(name)
    kind, message, hint, _, skipped = nowhere.find(home.environ)
    assert kind == "NoPinentry"
    assert message
    assert "doctor" in hint
    assert skipped == []
    named = nowhere.find({**home.environ, "PINENTRY": "pinentry-tty"})
    assert named[0] == "NoPinentry"
    assert "terminal" in named[4][0]


@pytest.mark.process
def test_in_the_background_only_a_window_opens(home: Home) -> None:
    """A background job does not ask on the terminal, but may in a window."""
    for name in ALL:
        home.program(name)
    with finder_on_a_terminal('set -m; "$@" & wait') as finder:
        assert finder.find({**home.environ, **SCREEN})[1] == str(home.bin / "pinentry-qt")
        kind, message, hint, _, skipped = finder.find(home.environ)
    assert kind == "NoPinentry"
    assert "background" in message and "fg" in hint
    assert len(skipped) == 2


@pytest.mark.process
def test_a_script_is_not_known_by_its_name(home: Home, terminal: Finder) -> None:
    """A script may start any pinentry, so its name doesn't say whether it opens a window."""
    script = home.program("pinentry-curses")
    link = home.bin / "pinentry-x11"
    link.symlink_to(script)
    for program in (script, link):
        found = terminal.find({**home.environ, "PINENTRY": str(program), **SCREEN})
        assert (found[1], found[2]) == (str(program), True)
        assert terminal.find({**home.environ, "PINENTRY": str(program)})[2] is False


def test_a_program_that_was_measured_is_known_by_its_name(home: Home) -> None:
    """A link to pinentry-curses, as in Debian, counts as pinentry-curses: it opens no window."""
    (home.bin / "pinentry-curses").write_bytes(b"\x7fELF")
    (home.bin / "pinentry-curses").chmod(0o755)
    (home.bin / "pinentry").symlink_to("pinentry-curses")
    skipped: list[str] = []
    with pytest.raises(NoPinentry):
        asyncio.run(choose({**home.environ, **SCREEN, "PINENTRY": "pinentry"}, None, skipped))
    assert "terminal" in skipped[0]


def test_wsl_asks_with_its_own_pinentry(home: Home) -> None:
    """In WSL pinentry-wsl-ps1 opens a window without any DISPLAY."""
    program = home.program("pinentry-wsl-ps1.sh")
    assert home.find(WSL_DISTRO_NAME="Debian") == PromptMethod("pinentry", program, True, "WSL")
    with pytest.raises(SecretlyError):
        home.find()


# -- macOS, as far as it can be tried elsewhere -----------------------------------

DARWIN = "import sys; sys.platform = 'darwin'\n"


@pytest.fixture(name="mac", scope="module")
def _mac() -> Iterator[Finder]:
    """A process without a terminal that takes this system for macOS."""
    with finder_without_a_terminal(DARWIN) as found:
        yield found


@pytest.mark.process
def test_a_mac_asks_in_a_window(home: Home, mac: Finder) -> None:
    """On a Mac pinentry-mac on PATH opens a window without any DISPLAY; not over SSH."""
    program = home.program("pinentry-mac")
    home.program("pinentry-curses")
    found = mac.find(home.environ)
    assert found[:4] == ("pinentry", str(program), True, "macOS")
    ssh = {**home.environ, "SSH_CONNECTION": "x"}
    assert mac.find(ssh)[0] == "NoPinentry"
    over_ssh = mac.find({**ssh, "PINENTRY": str(program)})
    assert over_ssh[0] == "NoPinentry"
    assert "screen" in over_ssh[4][0]


@pytest.mark.process
def test_a_macs_usual_folders_are_searched(home: Home, mac: Finder) -> None:
    """Without pinentry-mac on PATH its usual folders are tried, then osascript."""
    skipped = mac.find(home.environ)[4]
    assert [line.partition(" ")[0] for line in skipped] == [
        "/opt/homebrew/bin/pinentry-mac",
        "/usr/local/bin/pinentry-mac",
        "/usr/local/MacGPG2/libexec/pinentry-mac.app/Contents/MacOS/pinentry-mac",
        "/usr/bin/osascript",
    ]


OSASCRIPT = """
for last; do title=$text; text=$last; done
printf '%s\\n' "$@" > {folder}/arguments
{answer}
"""

ASK = """
import asyncio, json, os, sys
from secretly.asking import prompting, questions
prompt = questions.Prompt("a title", "a\\ndescription\\x1b", "a prompt", error="because")
try:
    found = asyncio.run(getattr(prompting, sys.argv[2])(prompt, 5, os.environ))
    found = found if found is None else str(found)
except Exception as error:
    found = type(error).__name__
with open(sys.argv[1], "w") as file:
    json.dump(found, file)
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("what", "answer", "found"),
    [
        ("ask", "printf '=canary-1\\n'", "canary-1"),
        ("ask", "printf '= canary \\n\\n'", " canary "),
        ("ask", "printf '=\\n'", ""),
        ("ask", "echo 'gave up'", "PromptTimeout"),
        ("ask", "echo cancelled", "Cancelled"),
        ("ask", "echo 'execution error: not allowed. (-1743)' >&2; exit 1", "PinentryFailed"),
        ("confirm", "printf '=yes\\n'", "yes"),
        ("confirm", "echo 'gave up'", "PromptTimeout"),
        ("confirm", "echo cancelled", "Cancelled"),
        ("confirm", "printf '=no\\n'", "NotConfirmed"),
        ("confirm", "printf '=pypi-canary-1\\n'", "NotConfirmed"),
        ("confirm", "printf '=\\n'", "NotConfirmed"),
    ],
)
def test_osascript_asks(what: str, answer: str, found: str | None, home: Home) -> None:
    """A Mac's own dialog, played by a script: its answers, and its texts as arguments."""
    assert asked_by_osascript(what, answer, home) == found
    script, _, texts = (home.folder / "arguments").read_text().partition("end run\n")
    assert "hidden answer" in script
    assert (wording.TYPE_YES in texts) is (what == "confirm")
    assert "giving up after 5" in script
    assert "description" not in script
    assert texts.startswith("a title\nbecause\n\na\ndescription\\x1b")


@pytest.mark.process
@pytest.mark.usefixtures("children_ignored")
@pytest.mark.parametrize(
    ("answer", "found"), [("printf '=canary-1\n'", "canary-1"), ("exit 1", "PinentryFailed")]
)
def test_osascripts_answer_counts_where_its_status_was_lost(
    answer: str, found: str, home: Home
) -> None:
    """It writes nothing before its answer."""
    assert asked_by_osascript("ask", answer, home) == found


def asked_by_osascript(what: str, answer: str, home: Home) -> object:
    """What a program that runs as on a Mac gets from this osascript."""
    program = home.program("osascript", OSASCRIPT.format(folder=home.folder, answer=answer))
    result = home.folder / "found"
    subprocess.run(
        [sys.executable, "-c", DARWIN + ASK, str(result), what],
        env={**home.environ, "PINENTRY": str(program), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        timeout=DEADLINE,
        check=True,
    )
    return json.loads(result.read_text())


NOTEBOOK = """
import asyncio, os, sys, types
def getpass(text):
    shown.append(text)
    exec(sys.argv[2])
    return sys.argv[3]
shown = []
shell = types.SimpleNamespace(kernel=types.SimpleNamespace(getpass=getpass))
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
from secretly.asking import prompting, questions
prompt = questions.Prompt("a title", "a\\ndescription\\x1b", "a prompt")
try:
    found = asyncio.run(getattr(prompting, sys.argv[1])(prompt, 5, os.environ))
    print(found if found is None else str(found), *shown)
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("what", "happens", "typed", "found"),
    [
        ("ask", "", "canary-1", "canary-1 a\ndescription\\x1b\na prompt\n"),
        ("ask", "raise EOFError", "", "Cancelled\n"),
        ("ask", "raise ValueError('no input here')", "", "NoPinentry\n"),
        ("confirm", "", "y", "yes a\ndescription\\x1b [y/N]\n"),
        ("confirm", "", "", "NotConfirmed\n"),
    ],
)
def test_a_notebooks_own_input_asks(
    what: str, happens: str, typed: str, found: str, home: Home
) -> None:
    """A kernel's password input, played by a function: its texts, and its answers."""
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, what, happens, typed],
        env={**home.environ, "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (done.stdout, done.stderr) == (found, "")


@pytest.mark.process
def test_a_missing_osascript_is_an_error() -> None:
    """The hint for a missing osascript says what to install."""
    method = choosing.PromptMethod("osascript", "/nonexistent/osascript", True, "a test")
    with pytest.raises(PinentryFailed) as caught:
        asyncio.run(dialogs.ask_osascript(method, Prompt("t", "d", "p"), Patience(DEADLINE)))
    assert "pinentry-mac" in caught.value.hint


def test_a_screen_of_this_machine_may_be_reached_by_tcp() -> None:
    """Its server accepts a connection, or it is gone. Another machine's may be there."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        display = f"localhost:{server.getsockname()[1] - 6000}"
        assert screens.missing({"DISPLAY": display}) == ""
        assert not screens.gone({"DISPLAY": display})
    for name in (display, "localhost:99999"):
        assert screens.missing({"DISPLAY": name}) == f"DISPLAY={name}"
        assert screens.gone({"DISPLAY": name})
    assert screens.missing({"DISPLAY": "other.example:0"}) == ""
    assert not screens.gone({"DISPLAY": "other.example:0"})
