"""Hostile surroundings: secretly releases nothing to them, and names them.

Each test runs the command twice as a real process. Without the hostile part the command gets the
secret, and with the hostile part no program does. Both times the keychain has the secret, and a
pinentry would answer.
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import test_failures
import test_keychain_faults
import test_pinentry_faults
import tokens
from command import SECRETLY, Ended, Home, ended, files_with, quick
from conftest import Tried
from nobody import nobody

import secretly
from secretly import safefiles
from secretly.cli import checks
from secretly.cli.checks import STEERING, STEERING_PREFIXES, steering
from secretly.testing import FakePinentry

pytestmark = [pytest.mark.process, pytest.mark.outside]

DOCS = Path(__file__).parent.parent / "docs"

#: The stored secret, the one of a planted program, and the one that the user types.
CANARY = "canary-kept-71c3"
TYPED = "canary-typed-71c3"

#: A user that is not this process's own.
OTHER = 54_321

#: How long, in seconds, an error may take on a busy machine: secretly waits for nothing here.
SOON = 10.0

AGAINST = "hostile surroundings"

#: What redraws a screen, ends a line, turns the direction, or is not to be seen.
ODD = "a\x1b[2J\nb\u202ec\u200bd"
RAW = ("\x1b", "\u202e", "\u200b")


class Attempt(NamedTuple):
    """A command line, and the words of its refusal.

    :param says: what each must be named: the reason, and the file or the variable.
    :param environ: variables in addition to the home's own; None removes one.
    :param more: how else the process is started.
    """

    argv: Sequence[str]
    says: Sequence[str] = ()
    status: int = 125
    environ: Mapping[str, str | None] = {}
    cwd: Path | None = None
    stdin: str = ""
    more: Mapping[str, Any] = {}


class Here:
    """A home with a secret in its keychain, a program that may have it, and a pinentry."""

    def __init__(self, place: Home, pinentry: FakePinentry, kept: tuple[str, str]) -> None:
        self.home, self.pinentry = place, pinentry
        self.folder = place.folder
        self.log = place.folder / "log"
        self.held: list[int] = []
        self.keychain = place.keep_in_a_file()
        self.settings = place.config.read_text()
        self.keychain.write_text(kept[0])
        self.list = Path(place.environ["XDG_STATE_HOME"], "secretly", "kept.tsv")
        self.list.parent.mkdir(mode=0o700)
        self.list.write_text(kept[1])
        place.environ |= pinentry.environ
        self.show = place.program("show", self.writes("the command"))
        self.theirs = place.folder / "theirs"
        self.theirs.mkdir(0o755)
        self.cwd = place.folder / "project"
        self.cwd.mkdir(0o755)

    def writes(self, who: str) -> str:
        """A program that says that it ran, and prints its value."""
        return f'#!/bin/sh\necho "{who}: $X" >>{self.log}\n'

    def asks(self, hostile: bool) -> str:
        """A pinentry, which says that it ran if it is planted."""
        says = f"echo a planted pinentry >>{self.log}" if hostile else ":"
        return f'#!/bin/sh\n{says}\nexec {self.pinentry.path} "$@"\n'

    def plant(self, path: Path, text: str, mode: int = 0o755) -> Path:
        """Write a file there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def open(self, hostile: bool, *paths: Path) -> None:
        """Let others write there, if this is the hostile attempt."""
        for path in paths if hostile else ():
            path.chmod(path.stat().st_mode | 0o022)

    def path(self, *folders: Path | str) -> str:
        """A PATH with these folders, and the home's own."""
        return os.pathsep.join(map(str, (*folders, self.home.programs, "/usr/bin", "/bin")))

    def run(self, *words: str, **more: Any) -> Attempt:
        """The usual attempt: the program wants the secret from the keychain."""
        return Attempt(["run", "-q", "-e", "X=Name", "--", *(words or ("show",))], **more)

    def typed(self, **more: Any) -> Attempt:
        """The same with a secret that the user types."""
        return Attempt(["run", "-q", "--ask", "-e", "X=Name", "--", "show"], **more)

    def tried(self, attempt: Attempt, command: Sequence[str] = ()) -> Ended:
        """Start it and wait for its end.

        :param command: what starts secretly. Without it secretly is forked, where the start
            itself makes no difference.
        """
        before = self.home.environ
        environ = {**before, **attempt.environ}
        self.home.environ = {k: v for k, v in environ.items() if v is not None}
        try:
            cwd = attempt.cwd or self.cwd
            if not (command or attempt.stdin or attempt.more):
                return self.home.run(*attempt.argv, cwd=cwd)
            argv = [*(command or SECRETLY), *attempt.argv]
            return self.home.run_any(argv, stdin=attempt.stdin, cwd=cwd, **attempt.more)
        finally:
            self.home.environ = before

    def ran(self) -> list[str]:
        """The output of the programs that ran."""
        with contextlib.suppress(FileNotFoundError):
            return self.log.read_text().splitlines()
        return []


@pytest.fixture(name="kept", scope="module")
def _kept() -> tuple[str, str]:
    """The files of the keychain and the list after a secret was stored."""
    with quick() as place:
        keychain = place.keep_in_a_file()
        assert place.run("set", "Name", "--stdin", stdin=CANARY).status == 0
        index = Path(place.environ["XDG_STATE_HOME"], "secretly", "kept.tsv")
        return keychain.read_text(), index.read_text()


@contextlib.contextmanager
def surroundings(kept: tuple[str, str], answers: Sequence[Any] = (TYPED, TYPED)) -> Iterator[Here]:
    """A home of its own."""
    with quick() as place, FakePinentry(answers) as pinentry:
        here = Here(place, pinentry, kept)
        try:
            yield here
        finally:
            for descriptor in here.held:
                os.close(descriptor)


def harmless(text: str) -> bool:
    """Whether a text from outside can be printed unchanged."""
    return not any(raw in text for raw in RAW) and not re.search(r"^b", text, re.MULTILINE)


def check_refused(here: Here, attempt: Attempt, done: Ended) -> None:
    """Check that nothing ran, the secret is nowhere, and two lines give the reason."""
    assert done.status == attempt.status, done
    assert re.fullmatch(r"secretly: .*\n  \S.*\n", done.stderr), done
    for words in attempt.says:
        assert words in done.stderr, done
    assert "canary" not in done.stdout + done.stderr
    assert harmless(done.stdout + done.stderr), done
    assert here.ran() == []
    assert set(files_with("canary", here.folder)) <= {here.keychain}


# -- refused ------------------------------------------------------------------------

Laid = Callable[[Here, bool], Attempt]
REFUSED: dict[str, Laid] = {}


def refused(what: str) -> Callable[[Laid], Laid]:
    """One of the surroundings: a function that makes them, with or without the hostile part."""

    def take(laid: Laid) -> Laid:
        assert what not in REFUSED
        REFUSED[what] = laid
        return laid

    return take


# PATH, and the command


@refused("the command is in a folder of PATH that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    here.plant(here.theirs / "show", here.writes("the command"))
    here.open(hostile, here.theirs)
    says = (safefiles.BY_OTHERS, str(here.theirs))
    return here.run(says=says, environ={"PATH": here.path(here.theirs)})


@refused("the command is a link to a file that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    real = here.plant(here.theirs / "real", here.writes("the command"))
    (here.home.programs / "linked").symlink_to(real)
    here.open(hostile, real)
    return here.run("linked", says=(safefiles.BY_OTHERS, str(real)))


@refused("others can write a folder above the command's")
def _(here: Here, hostile: bool) -> Attempt:
    real = here.plant(here.theirs / "deep" / "er" / "show", here.writes("the command"))
    here.open(hostile, here.theirs)
    return here.run(str(real), says=(safefiles.BY_OTHERS, str(here.theirs)))


@refused("the command is another user's")
def _(here: Here, hostile: bool) -> Attempt:
    if os.geteuid() != 0:
        pytest.skip("needs root, to own files as somebody else")
    if hostile:
        os.chown(here.show, OTHER, OTHER)
    return here.run(says=(safefiles.BY_OTHERS, str(here.show)))


@refused("what the command's first line names can be written by others")
def _(here: Here, hostile: bool) -> Attempt:
    (here.theirs / "shell").symlink_to("/bin/sh")
    here.home.program("show", here.writes("the command").replace("/bin/sh", f"{here.theirs}/shell"))
    here.open(hostile, here.theirs)
    says = (str(here.show), safefiles.BY_OTHERS, str(here.theirs))
    return here.run(says=says)


@refused("an interpreter in a folder of PATH that others can write, before the real one")
def _(here: Here, hostile: bool) -> Attempt:
    here.home.program("show", here.writes("the command").replace("/bin/sh", "/usr/bin/env shell"))
    (here.home.programs / "shell").symlink_to("/bin/sh")
    if hostile:
        here.plant(here.theirs / "shell", here.writes("a planted interpreter"))
    here.open(hostile, here.theirs)
    says = (str(here.show), safefiles.BY_OTHERS, str(here.theirs))
    return here.run(says=says, environ={"PATH": here.path(here.theirs)})


@refused("an interpreter in the current folder, PATH having an empty entry")
def _(here: Here, hostile: bool) -> Attempt:
    here.home.program(
        "show", here.writes("the command").replace("/bin/sh", "/usr/bin/env -S shell -u")
    )
    (here.home.programs / "shell").symlink_to("/bin/sh")
    if hostile:
        here.plant(here.cwd / "shell", here.writes("a planted interpreter"))
    says = (str(here.show), "PATH")
    return here.run(says=says, environ={"PATH": here.path("")})


def of_the_current_folder(entry: str) -> Laid:
    def laid(here: Here, hostile: bool) -> Attempt:
        program = here.cwd / entry / "twine"
        here.plant(program, here.writes("the command"))
        environ = {"PATH": here.path(entry if hostile else program.parent)}
        says = ("twine", "PATH")
        words = ["run", "-q", "--no-confirm", "-e", "X=Name", "--", "twine"]
        return Attempt(words, says=says, status=127, environ=environ)

    return laid


for _entry, _what in (("", "an empty"), (".", "'.' as an"), ("bin", "a relative")):
    refused(f"the command is in the current folder, PATH having {_what} entry")(
        of_the_current_folder(_entry)
    )


# the pinentry


def by_screen(here: Here, *folders: Path) -> dict[str, str | None]:
    """Variables with which secretly uses the only pinentry on PATH, on a screen."""
    path = os.pathsep.join(map(str, (*folders, here.home.programs)))
    return {"PINENTRY": None, "DISPLAY": ":fake", "PATH": path}


@refused("a pinentry in a folder of PATH that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    here.plant(here.theirs / "pinentry-gtk-2", here.asks(hostile))
    here.open(hostile, here.theirs)
    says = (safefiles.BY_OTHERS, str(here.theirs))
    return here.typed(says=says, environ=by_screen(here, here.theirs))


@refused("a gpgconf in a folder of PATH that others can write, which names a pinentry")
def _(here: Here, hostile: bool) -> Attempt:
    text = f"echo gpgconf >>{here.log}" if hostile else ":"
    text = f"#!/bin/sh\n{text}\necho pinentry:Passphrase Entry:{here.pinentry.path}\n"
    here.plant(here.theirs / "gpgconf", text)
    here.open(hostile, here.theirs)
    says = ("gpgconf", safefiles.BY_OTHERS, str(here.theirs))
    return here.typed(says=says, environ=by_screen(here, here.theirs))


@refused("PINENTRY names a program that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    program = here.plant(here.theirs / "pinentry-gtk", here.asks(hostile))
    here.open(hostile, program)
    says = (safefiles.BY_OTHERS, str(program))
    return here.typed(says=says, environ={"PINENTRY": str(program)})


@refused("PINENTRY names a program of the current folder")
def _(here: Here, hostile: bool) -> Attempt:
    place = here.cwd if hostile else here.home.programs
    here.plant(place / "pinentry-gtk-own", here.asks(hostile))
    says = ("PINENTRY", "pinentry-gtk-own")
    return here.typed(says=says, environ={"PINENTRY": "pinentry-gtk-own"})


@refused("the configuration's pinentry is in a folder that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    program = here.plant(here.theirs / "pinentry-gtk", here.asks(hostile))
    here.home.configure(f'{here.settings}[prompt]\npinentry = "{program}"\n')
    here.open(hostile, here.theirs)
    says = (safefiles.BY_OTHERS, str(here.theirs))
    return here.typed(says=says, environ={"PINENTRY": None})


def agent(where: str, what: str) -> Laid:
    """gpg-agent.conf names a pinentry, and others can write one of the two."""

    def laid(here: Here, hostile: bool) -> Attempt:
        program = here.plant(here.theirs / "pinentry-gtk", here.asks(hostile))
        folder = here.folder / where
        conf = here.plant(folder / "gpg-agent.conf", f"pinentry-program {program}\n", 0o600)
        weak = {"the file": conf, "the folder": folder, "the program": program}[what]
        here.open(hostile, weak)
        environ = by_screen(here)
        if where != ".gnupg":
            environ["GNUPGHOME"] = str(folder)
        says = (safefiles.BY_OTHERS, str(weak))
        return here.typed(says=says, environ=environ)

    return laid


refused("a gpg-agent.conf that others can write names the pinentry")(agent(".gnupg", "the file"))
refused("gpg-agent.conf names a pinentry that others can write")(agent(".gnupg", "the program"))
refused("GNUPGHOME is a folder that others can write")(agent("gnupg", "the folder"))


@refused("a pipe in the place of gpg-agent.conf")
def _(here: Here, hostile: bool) -> Attempt:
    conf = here.folder / ".gnupg" / "gpg-agent.conf"
    here.plant(conf, f"pinentry-program {here.pinentry.path}\n")
    if hostile:
        conf.unlink()
        os.mkfifo(conf, 0o600)
    return here.typed(says=(), environ=by_screen(here))


# the configuration, and what it names


def configured(here: Here, folder: Path) -> Path:
    """A configuration with another source for the secret."""
    text = f'{here.settings}[secrets.Name]\nsource = "env://VALUE"\n'
    return here.plant(folder / "secretly" / "config.toml", text, 0o600)


def elsewhere(here: Here, **more: Any) -> Attempt:
    environ = {"VALUE": CANARY, **more.pop("environ", {})}
    return here.run(environ=environ, **more)


@refused("XDG_CONFIG_HOME is a folder that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    configured(here, here.theirs)
    here.open(hostile, here.theirs)
    says = (safefiles.BY_OTHERS, str(here.theirs))
    return elsewhere(here, says=says, environ={"XDG_CONFIG_HOME": str(here.theirs)})


@refused("XDG_CONFIG_HOME is a link to a folder that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    configured(here, here.theirs)
    link = here.folder / "link"
    link.symlink_to(here.theirs)
    here.open(hostile, here.theirs)
    says = (safefiles.BY_OTHERS, str(here.theirs))
    return elsewhere(here, says=says, environ={"XDG_CONFIG_HOME": str(link)})


@refused("HOME is a folder that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    configured(here, here.theirs / ".config")
    here.open(hostile, here.theirs)
    says = (safefiles.BY_OTHERS, str(here.theirs))
    return elsewhere(here, says=says, environ={"XDG_CONFIG_HOME": None, "HOME": str(here.theirs)})


@refused("SECRETLY_CONFIG is a file that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    path = configured(here, here.theirs)
    here.open(hostile, path)
    says = (safefiles.BY_OTHERS, str(path))
    return elsewhere(here, says=says, environ={"SECRETLY_CONFIG": str(path)})


@refused("SECRETLY_CONFIG is what somebody sends to standard input")
def _(here: Here, hostile: bool) -> Attempt:
    path = configured(here, here.theirs)
    environ = {"SECRETLY_CONFIG": "/dev/stdin" if hostile else str(path)}
    says = ("/dev/stdin",)
    return elsewhere(here, says=says, environ=environ, stdin=path.read_text())


@refused("a pipe in the place of the configuration")
def _(here: Here, hostile: bool) -> Attempt:
    if hostile:
        here.home.config.unlink()
        os.mkfifo(here.home.config, 0o600)
    return here.run(says=(str(here.home.config),))


#: An access list as the system stores it (acl(5)): the user nobody may read and write too.
ACCESS_LIST = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, rights, who)
    for tag, rights, who in (
        *((1, 6, 2**32 - 1), (2, 6, OTHER), (4, 0, 2**32 - 1)),
        *((16, 6, 2**32 - 1), (32, 0, 2**32 - 1)),
    )
)


@refused("a configuration that an access list lets others write")
def _(here: Here, hostile: bool) -> Attempt:
    here.home.config.chmod(0o660)  # the group's, which has no other member
    if hostile:
        try:
            os.setxattr(here.home.config, "system.posix_acl_access", ACCESS_LIST)
        except OSError as error:
            pytest.skip(f"this file system has no access lists: {error.strerror}")
    says = (safefiles.BY_OTHERS, str(here.home.config))
    return here.run(says=says)


@refused("the configuration runs a program that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    text = f"#!/bin/sh\n{f'echo it ran >>{here.log}' if hostile else ':'}\necho $VALUE\n"
    program = here.plant(here.theirs / "give", text)
    here.home.configure('[secrets.Name]\ncommand = ["give"]\n')
    here.open(hostile, program)
    says = ("give", safefiles.BY_OTHERS, str(program))
    return elsewhere(here, says=says, environ={"PATH": here.path(here.theirs)})


def manager(name: str, title: str, reference: str, said: str) -> Laid:
    """A password manager's program is in a folder of PATH that others can write."""

    def laid(here: Here, hostile: bool) -> Attempt:
        text = f"#!/bin/sh\n{f'echo it ran >>{here.log}' if hostile else ':'}\n{said}\n"
        here.plant(here.theirs / name, text)
        here.open(hostile, here.theirs)
        argv = ["run", "-q", "-e", f"X={reference}", "--", "show"]
        says = (safefiles.BY_OTHERS, str(here.theirs / name))
        environ = {"VALUE": CANARY, "PATH": here.path(here.theirs)}
        return Attempt(argv, says, environ=environ)

    return laid


_OP = """case "$*" in *--version*) echo 2.30.0;; *) echo "$VALUE";; esac"""
for _name, _title, _reference, _said in (
    ("pass", "pass", "pass://mail", "echo $VALUE"),
    ("op", "1Password", "op://vault/item/password", _OP),
):
    refused(f"{_name} is in a folder of PATH that others can write")(
        manager(_name, _title, _reference, _said)
    )


def env_file(weak: str) -> Laid:
    def laid(here: Here, hostile: bool) -> Attempt:
        path = here.plant(here.theirs / ".env", "X=env://VALUE\n", 0o644)
        if weak == "pipe" and hostile:
            path.unlink()
            os.mkfifo(path)
        here.open(hostile, *{"file": [path], "folder": [here.theirs], "pipe": []}[weak])
        argv = ["run", "-q", "--env-file", str(path), "--", "show"]
        reason = "" if weak == "pipe" else safefiles.BY_OTHERS
        says = (str(path), reason)
        return Attempt(argv, says, environ={"VALUE": CANARY})

    return laid


refused("an env file that others can write")(env_file("file"))
refused("an env file in a folder that others can write")(env_file("folder"))
refused("a pipe in the place of an env file")(env_file("pipe"))


@refused("a secret's file that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    path = here.plant(here.theirs / "secret", "harmless\n", 0o666 if hostile else 0o600)
    argv = ["run", "-q", "-e", f"X=file://{path}", "-e", "Y=Name", "--", "show"]
    return Attempt(argv, ("others can read", str(path)))


# the keychain, and the list of its names


PLANTED = """
import os
from filekeychain import Keyring
with open(os.environ["LOG"], "a") as log:
    print("a planted backend", file=log)
"""


def backend(by_file: bool) -> Laid:
    def laid(here: Here, hostile: bool) -> Attempt:
        here.plant(here.cwd / "planted.py", PLANTED)
        named = "planted.Keyring" if hostile else "filekeychain.Keyring"
        environ: dict[str, str | None] = {"PYTHON_KEYRING_BACKEND": named, "LOG": str(here.log)}
        environ["PYTHONPATH"] = f"{here.home.environ['PYTHONPATH']}{os.pathsep}{here.cwd}"
        where = "PYTHON_KEYRING_BACKEND"
        if by_file:
            rc = here.folder / ".config" / "python_keyring" / "keyringrc.cfg"
            here.plant(rc, f"[backend]\ndefault-keyring={named}\n", 0o600)
            where, environ["PYTHON_KEYRING_BACKEND"] = str(rc), None
        argv = ["run", "-q", "--no-input", "-e", "X=Name", "--", "show"]
        says = (where, "'planted.Keyring'")
        return Attempt(argv, says, environ=environ)

    return laid


refused("PYTHON_KEYRING_BACKEND names somebody's module")(backend(by_file=False))
refused("a planted keyringrc.cfg names somebody's module")(backend(by_file=True))


@refused("a keyringrc.cfg that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    rc = here.folder / ".config" / "python_keyring" / "keyringrc.cfg"
    here.plant(rc, "[backend]\ndefault-keyring=filekeychain.Keyring\n", 0o600)
    here.open(hostile, rc)
    says = (safefiles.BY_OTHERS, str(rc))
    return here.run(says=says, environ={"PYTHON_KEYRING_BACKEND": None})


@refused("a keyringrc.cfg behind a link that others can turn")
def _(here: Here, hostile: bool) -> Attempt:
    here.plant(here.theirs / "rc", "[backend]\ndefault-keyring=filekeychain.Keyring\n", 0o600)
    rc = here.folder / ".config" / "python_keyring" / "keyringrc.cfg"
    rc.parent.mkdir()
    rc.symlink_to(here.theirs / "rc")
    here.open(hostile, here.theirs)
    says = (safefiles.BY_OTHERS, str(here.theirs))
    return here.run(says=says, environ={"PYTHON_KEYRING_BACKEND": None})


@refused("the state folder is one that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    here.open(hostile, here.list.parent)
    says = (safefiles.BY_OTHERS, str(here.list.parent))
    return here.run(says=says)


@refused("XDG_STATE_HOME is a link to a folder that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    here.plant(here.theirs / "secretly" / "kept.tsv", here.list.read_text(), 0o600)
    link = here.folder / "link"
    link.symlink_to(here.theirs)
    here.open(hostile, here.theirs)
    says = (safefiles.BY_OTHERS, str(here.theirs))
    return here.run(says=says, environ={"XDG_STATE_HOME": str(link)})


def instead(kind: str, where: str) -> Laid:
    """Put something without an end in place of a file."""

    def laid(here: Here, hostile: bool) -> Attempt:
        rc = here.folder / ".config" / "python_keyring" / "keyringrc.cfg"
        here.plant(rc, "[backend]\ndefault-keyring=filekeychain.Keyring\n", 0o600)
        path = {"the list of stored names": here.list, "keyringrc.cfg": rc}[where]
        if hostile:
            path.unlink()
            if kind == "a device":
                path.symlink_to("/dev/zero")
            else:
                os.mkfifo(path, 0o600)
                here.held.append(os.open(path, os.O_RDWR))  # a writer, who says nothing
        # With a way to ask, secretly would ask the user.
        argv = ["run", "-q", "--no-input", "-e", "X=Name", "--", "show"]
        return Attempt(argv, (str(path),), environ={"PYTHON_KEYRING_BACKEND": None})

    return laid


for _kind, _where in (
    ("a device", "the list of stored names"),
    ("a device", "keyringrc.cfg"),
    ("a pipe that somebody holds open", "keyringrc.cfg"),
):
    refused(f"{_kind} in the place of {_where}")(instead(_kind, _where))


@refused("a state folder that others can write, with a device in the place of the list")
def _(here: Here, hostile: bool) -> Attempt:
    here.open(hostile, here.list.parent)
    if hostile:
        here.list.unlink()
        here.list.symlink_to("/dev/zero")
    says = (safefiles.BY_OTHERS, str(here.list.parent))
    return here.run(says=says)


@refused("a list of stored names that others can write, with another keychain in it")
def _(here: Here, hostile: bool) -> Attempt:
    if hostile:
        text = here.list.read_text()
        assert "filekeychain.Keyring" in text
        here.list.write_text(
            text.replace("filekeychain.Keyring", "keyring.backends.SecretService.Keyring")
        )
    here.open(hostile, here.list)
    says = (safefiles.BY_OTHERS, str(here.list))
    return here.run(says=says)


# names, arguments, and what the process is given


SHOWN = r"a\x1b[2J\x0ab\u202ec\u200bd"


@refused("a command whose name has escapes and newlines")
def _(here: Here, hostile: bool) -> Attempt:
    return here.run(ODD if hostile else "show", says=(SHOWN,), status=127)


@refused("a command whose name is an option")
def _(here: Here, hostile: bool) -> Attempt:
    return here.run("-rf" if hostile else "show", says=("-rf",), status=127)


@refused("a command whose name is a newline")
def _(here: Here, hostile: bool) -> Attempt:
    return here.run("\n" if hostile else "show", says=(r"\x0a",), status=127)


@refused("the name of a secret has escapes and newlines")
def _(here: Here, hostile: bool) -> Attempt:
    name = ODD if hostile else "Name"
    argv = ["run", "-q", "--no-input", "-e", f"X={name}", "--", "show"]
    return Attempt(argv, (SHOWN,))


@refused("the name of a variable has escapes and newlines")
def _(here: Here, hostile: bool) -> Attempt:
    argv = ["run", "-q", "-e", f"{ODD if hostile else 'X'}=Name", "--", "show"]
    return Attempt(argv, (SHOWN,))


@refused("the name of a profile has escapes and newlines")
def _(here: Here, hostile: bool) -> Attempt:
    here.home.configure(
        f'{here.settings}[commands.show.profiles.dev]\nsecrets = {{ X = "Name" }}\n'
    )
    argv = ["run", "-q", "-p", ODD if hostile else "dev", "--", "show"]
    return Attempt(argv, (SHOWN, "dev"))


@refused("a folder whose name has escapes and newlines, that others can write")
def _(here: Here, hostile: bool) -> Attempt:
    program = here.plant(here.theirs / ODD / "show", here.writes("the command"))
    here.open(hostile, program.parent)
    return here.run(str(program), says=(safefiles.BY_OTHERS, f"{here.theirs}/{SHOWN}"))


def limited(name: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(name, (value, value))


@refused("no more than six open files")
def _(here: Here, hostile: bool) -> Attempt:
    more = {"preexec_fn": limited(resource.RLIMIT_NOFILE, 6)} if hostile else {}
    return here.typed(says=("Too many open files",), more=more)


@pytest.mark.parametrize("what", REFUSED)
def test_hostile_surroundings_are_refused(what: str, kept: tuple[str, str], tried: Tried) -> None:
    """Without the hostile part the command gets the secret; with it no program does."""
    laid = REFUSED[what]
    with surroundings(kept) as here:
        done = here.tried(laid(here, False))
        assert (done.status, done.stderr) == (0, "")
        (given,) = here.ran()
        assert given.startswith("the command: ")
    with surroundings(kept) as here:
        attempt = laid(here, True)
        started = time.monotonic()
        done = here.tried(attempt)
        took = time.monotonic() - started
        check_refused(here, attempt, done)
    assert took < SOON
    tried(AGAINST, what, f"{attempt.status}: {outcome(done.stderr)}", took)


def outcome(stderr: str) -> str:
    """The message, without the paths of this run."""
    line = stderr.splitlines()[0].removeprefix("secretly: ")
    return re.sub(r"/tmp/secretly-[^/ ]*", "~", line)


# -- passed over --------------------------------------------------------------------

#: Modules that the command loads, or that Python loads for it at its start.
MODULES = (
    "__future__ argparse tomllib dotenv jeepney keyring pexpect platformdirs secretstorage "
    "sitecustomize twisted usercustomize"
).split()

HARMLESS: dict[str, Callable[[Here], tuple[Attempt, Sequence[str]]]] = {}


def harmless_one(
    what: str,
) -> Callable[
    [Callable[[Here], tuple[Attempt, Sequence[str]]]],
    Callable[[Here], tuple[Attempt, Sequence[str]]],
]:
    """Surroundings that change nothing: an attempt, and how the command starts."""

    def take(
        laid: Callable[[Here], tuple[Attempt, Sequence[str]]],
    ) -> Callable[[Here], tuple[Attempt, Sequence[str]]]:
        assert what not in HARMLESS
        HARMLESS[what] = laid
        return laid

    return take


def plant_modules(here: Here) -> None:
    for name in MODULES:
        here.plant(here.cwd / f"{name}.py", f"open({str(here.log)!r}, 'a').write('{name}')\n")


@harmless_one("the current folder is full of modules")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    plant_modules(here)
    return here.run(), SECRETLY


@harmless_one("the current folder is full of modules, with python -m secretly")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    plant_modules(here)
    # Without site, which may load some of them before: packages' .pth files do.
    found = [path for path in sys.path if path.endswith("-packages")]
    found += [str(Path(secretly.__file__).parent.parent), here.home.environ["PYTHONPATH"]]
    environ = {"PYTHONPATH": os.pathsep.join(found)}
    return here.run(environ=environ), [sys.executable, "-S", "-m", "secretly"]


@harmless_one("a program of the command's name in the current folder, PATH having it first")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    here.plant(here.cwd / "show", here.writes("a planted program"))
    return here.run(environ={"PATH": here.path("", ".")}), SECRETLY


@harmless_one("a pinentry in the current folder, PATH having it first")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    for name in ("pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2", "gpgconf"):
        here.plant(here.cwd / name, here.asks(hostile=True))
    here.home.program("pinentry-gtk-2", here.asks(hostile=False))
    environ = by_screen(here)
    return here.typed(environ={**environ, "PATH": f":.:{environ['PATH']}"}), SECRETLY


@harmless_one("a relative XDG_CONFIG_HOME and XDG_STATE_HOME, with a configuration there")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    here.plant(here.cwd / "x" / "secretly" / "config.toml", "secrets.Name.source = 'env://HOME'")
    here.plant(here.cwd / "x" / "secretly" / "kept.tsv", "nonsense")
    allowed = here.folder / ".config" / "secretly"
    assert allowed.is_dir()
    return here.run(environ={"XDG_CONFIG_HOME": "x", "XDG_STATE_HOME": "x"}), SECRETLY


@harmless_one("a pipe in the place of the list of stored names")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    here.list.unlink()
    os.mkfifo(here.list)
    return here.run(), SECRETLY


@harmless_one("standard input, output and error are closed")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    return here.typed(), ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *SECRETLY]


@harmless_one("standard output is a full disk")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    return here.typed(), ["sh", "-c", '"$@" >/dev/full', "sh", *SECRETLY]


@harmless_one("TERM, COLUMNS, the locale and the display are odd")
def _(here: Here) -> tuple[Attempt, Sequence[str]]:
    environ = {"TERM": ODD, "COLUMNS": "-1", "LINES": ODD, "DISPLAY": ODD, "LC_ALL": "xx_YY.zz"}
    return here.typed(environ=environ), SECRETLY


@pytest.mark.parametrize("what", HARMLESS)
def test_planted_files_are_not_used(what: str, kept: tuple[str, str], tried: Tried) -> None:
    """secretly uses nothing that was planted. Only the command gets the secret."""
    with surroundings(kept) as here:
        attempt, command = HARMLESS[what](here)
        started = time.monotonic()
        done = here.tried(attempt, command)
        took = time.monotonic() - started
        value = TYPED if "--ask" in attempt.argv else CANARY
        assert (done, here.ran()) == ((0, "", ""), [f"the command: {value}"])
        asked = here.pinentry.prompts
        assert len(asked) == (value == TYPED)
        assert all(harmless(text) for prompt in asked for text in prompt.values())
        assert set(files_with("canary", here.folder)) <= {here.keychain, here.log}
    assert took < SOON
    tried(AGAINST, what, "passed over: the command alone has it", took)


# -- what is shown ------------------------------------------------------------------


def test_odd_names_are_shown_as_escapes(kept: tuple[str, str], tried: Tried) -> None:
    """In a prompt, a dry run, the list, and doctor's output."""
    started = time.monotonic()
    with surroundings(kept, [None]) as here:
        odd = ODD.encode("unicode_escape").decode("ascii")
        here.list.write_text(f"{kept[1]}{odd}\tx\tyes\t2026\t\n")
        program = here.plant(here.theirs / ODD, here.writes("the command"))
        words = ["-e", "X=Name", "--", str(program), ODD]
        done = here.tried(Attempt(["run", "--confirm", *words]))
        check_refused(here, Attempt([], status=130), done)
        (prompt,) = here.pinentry.prompts
        assert prompt["SETDESC"].count(SHOWN) >= 2
        assert all(harmless(text) for text in prompt.values())
        for argv, says in (
            (["run", "--dry-run", *words], f"program: {here.theirs}/{SHOWN}"),
            (["list"], SHOWN),
            (["doctor"], f"GTK_MODULES={SHOWN}"),
        ):
            done = here.tried(Attempt(argv, environ={"GTK_MODULES": ODD}))
            assert says in done.stdout, done
            assert harmless(done.stdout + done.stderr)
            assert here.ran() == []
    what = "names with newlines, escapes and bidi characters, in prompts and lists"
    tried(AGAINST, what, "shown as escapes", time.monotonic() - started)


def test_a_full_disk_is_an_error(kept: tuple[str, str], tried: Tried) -> None:
    """A dry run that can't be printed has failed."""
    for place, status, says in (("null", 0, ""), ("full", 125, "No space left")):
        with surroundings(kept) as here:
            started = time.monotonic()
            attempt = Attempt(["run", "--dry-run", "-e", "X=Name", "--", "show"])
            done = here.tried(attempt, ["sh", "-c", f'"$@" >/dev/{place}', "sh", *SECRETLY])
            assert (done.status, says in done.stderr, here.ran()) == (status, True, [])
    what = "what --dry-run says goes to a full disk"
    tried(AGAINST, what, "125: cannot write", time.monotonic() - started)


def test_a_folder_for_shims_that_others_can_write_is_refused(
    kept: tuple[str, str], tried: Tried
) -> None:
    """Others could put another program in a shim's place."""
    for hostile, status in ((False, 0), (True, 1)):
        with surroundings(kept) as here:
            here.home.configure(
                f'{here.settings}[commands.show.profiles.dev]\nsecrets = {{ X = "Name" }}\n'
            )
            here.open(hostile, here.theirs)
            started = time.monotonic()
            done = here.tried(Attempt(["shim", "show", "--dir", str(here.theirs)]))
            took = time.monotonic() - started
            assert done.status == status, done
            assert [path.name for path in here.theirs.iterdir()] == ["dev.show"] * (not hostile)
    assert safefiles.BY_OTHERS in done.stderr
    assert str(here.theirs) in done.stderr
    tried(AGAINST, "a folder for shims that others can write", outcome(done.stderr), took)


def test_a_planted_pypirc_gets_no_pypi_token(kept: tuple[str, str], tried: Tried) -> None:
    """It gives PyPI's name another host. secretly asks for that host's secret."""
    for hostile, answer, status in ((False, True, 0), (True, None, 130)):
        with surroundings(kept, [answer]) as here:
            assert here.tried(Attempt(["set", "PyPI", "--stdin"], stdin=tokens.TOKEN)).status == 0
            text = here.writes("the command").replace("$X", "${TWINE_PASSWORD%%-*}")
            here.home.program("twine", text)
            file = tokens.wheel(here.cwd / "dist")
            if hostile:
                planted = "[pypi]\nrepository = http://127.0.0.1:9/legacy/\n"
                here.plant(here.folder / ".pypirc", planted, 0o666)
            started = time.monotonic()
            done = here.tried(Attempt(["run", "-q", "twine", "upload", str(file)]))
            took = time.monotonic() - started
            assert done.status == status, done
            (prompt,) = here.pinentry.prompts
            assert ("127.0.0.1:9" in prompt["SETDESC"]) == hostile
            assert here.ran() == ([] if hostile else ["the command: pypi"])
            assert tokens.TOKEN not in done.stdout + done.stderr
    outcome = "130: its host's secret was asked for, and PyPI's not handed over"
    tried(AGAINST, "a .pypirc that others can write sends PyPI's uploads elsewhere", outcome, took)


# -- the session bus ----------------------------------------------------------------

#: Takes connections and says what comes over them.
_LISTENS = """
import socket, sys
with socket.socket(socket.AF_UNIX) as bus:
    bus.bind("\\0" + sys.argv[1])
    bus.listen()
    print("ready", flush=True)
    while True:
        with bus.accept()[0] as connection:
            print(repr(connection.recv(100)), flush=True)
"""


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_another_users_session_bus_is_refused(
    listed: bool, kept: tuple[str, str], tried: Tried
) -> None:
    """Another user has taken the stale address. secretly neither asks nor answers it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to listen as somebody else")
    for starter in ((), nobody()):
        with surroundings(kept) as here:
            text = here.list.read_text()
            service = "keyring.backends.SecretService.Keyring"
            here.list.write_text(text.replace("filekeychain.Keyring", service))
            if not listed:
                here.list.unlink()
            here.home.configure("")
            address = f"secretly-test-{os.getpid()}-{here.folder.name}"
            bus = here.home.start([*starter, sys.executable, "-IS", "-c", _LISTENS, address])
            with ended(bus):
                assert bus.stdout is not None
                assert bus.stdout.readline() == b"ready\n"
                environ = {
                    "PYTHON_KEYRING_BACKEND": None,
                    "DBUS_SESSION_BUS_ADDRESS": f"unix:abstract={address}",
                }
                attempt = here.run(says=(address, "DBUS_SESSION_BUS_ADDRESS"), environ=environ)
                started = time.monotonic()
                done = here.tried(attempt)
                took = time.monotonic() - started
                bus.kill()
                heard = [line for line in bus.stdout if line != b"b''\n"]
            if starter:
                check_refused(here, attempt, done)
                assert b"canary" not in b"".join(heard)
                assert here.pinentry.prompts == []
            else:  # the user's own bus has no secret, so secretly asks the user
                assert (done, here.ran()) == ((0, "", ""), [f"the command: {TYPED}"])
                assert heard != []
    name = "what it is said to have" if listed else "what no list has"
    what = f"the session bus is another user's: {name}"
    tried(AGAINST, what, "125: the session bus … is another user's", took)


# -- what cannot be held ------------------------------------------------------------

#: A library that does nothing more when it is loaded once more.
HARMLESS_LIBRARY = "libc.so.6"


@pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")
def test_doctor_names_variables_that_steer(kept: tuple[str, str], tried: Tried) -> None:
    """secretly can't protect itself from variables that the user's own programs set."""
    values = {
        "LD_PRELOAD": HARMLESS_LIBRARY,
        "KEYRING_PROPERTY_PATH": "/nonexistent",
        "GNUPGHOME": "/nonexistent",
        "BASH_ENV": "/nonexistent",
    }
    with surroundings(kept) as here:
        here.open(True, here.theirs, here.list.parent)
        environ = {**values, "PATH": here.path(here.theirs, "", "bin")}
        started = time.monotonic()
        done = here.tried(Attempt(["doctor"], environ=environ))
        took = time.monotonic() - started
        plain = here.tried(Attempt(["doctor"])).stdout
        for name, value in {**values, **here.pinentry.environ}.items():
            said = f"{name} is set" if name.startswith("KEYRING") else f"{name}={value}"
            assert (f"environment: {said}" in done.stdout) == (name != "DISPLAY")
        for line in (
            f"PATH: {here.theirs} {safefiles.BY_OTHERS}: {here.theirs}",
            "PATH: an empty entry ",
            "PATH: 'bin' ",
        ):
            assert line in done.stdout
            assert line not in plain
        assert re.search(rf"!!  .*{re.escape(str(here.list))}", done.stdout)
    assert f"environment: PINENTRY={here.pinentry.path}" in plain
    assert "LD_PRELOAD" not in plain
    tried(AGAINST, "LD_PRELOAD, PINENTRY and others are set", "named by doctor", took)


def test_the_threat_model_names_doctors_variables() -> None:
    """The page has each variable, and no other."""
    text = (DOCS / "explanation" / "threat-model.rst").read_text("utf-8")
    tables = re.findall(r"^\.\. list-table::\n((?:\n| .*\n)+)", text, re.M)
    (table,) = (table for table in tables if "``LD_…``" in table)
    told = set(re.findall(r"``([A-Z][A-Z0-9_]+…?)``", table))
    single = {name for name in STEERING if not name.startswith(STEERING_PREFIXES)}
    assert told - set(STEERING) == {f"{prefix}…" for prefix in STEERING_PREFIXES}
    assert single <= told


@pytest.mark.parametrize("name", STEERING)
def test_doctor_names_each_variable(name: str) -> None:
    """doctor names each variable that is set, and shows its value only if it can't be secret."""
    value = "=/nonexistent" if name in checks.SHOWN else " is set"
    said = [f"environment: {name}{value}"]
    assert [line.text for line in steering({name: "/nonexistent"})] == said
    assert steering({}) == []


@pytest.mark.parametrize(
    "name",
    [
        # These were seen to run other code in secretly, or in what it starts.
        *("PYTHONPYCACHEPREFIX", "PYTHONPLATLIBDIR", "BASH_FUNC_gpg%%"),
        *("KEYRING_PROPERTY_PATH", "LD_ACCESS_TOKEN"),
        # Options of programs may hold a password.
        *("PASSWORD_STORE_GPG_OPTS", "GIT_SSH_COMMAND", "GIT_SSH", "NODE_OPTIONS", "RUBYOPT"),
        *("PERL5OPT", "PROMPT_COMMAND", "PINENTRY_USER_DATA", "GLIBC_TUNABLES"),
    ],
)
def test_doctor_shows_no_value_that_may_be_secret(name: str) -> None:
    """Users paste the output of doctor into reports."""
    assert [line.text for line in steering({name: "canary-1"})] == [f"environment: {name} is set"]


# -- the page -----------------------------------------------------------------------

#: How much there must be of each at least.
LEAST = {"pinentry": 40, "keychain": 15, AGAINST: 25, "killed with -9": 20}


def test_the_page_has_what_was_tried() -> None:
    """The documentation's table is from a run, and has all of these."""
    with (DOCS / "explanation" / "tried.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    counted = Counter(against for against, *_ in {tuple(row[:2]) for row in rows})
    assert all(counted[against] >= least for against, least in LEAST.items())
    there = {what for against, what, *_ in rows if against == AGAINST}
    assert {*REFUSED, *HARMLESS} <= there
    all_of_it = "\n".join(what for _, what, *_ in rows)
    faults = test_pinentry_faults, test_keychain_faults
    for name in "FAULTS SLOW NO_WAY VARIABLES BROKEN INSTEAD SILENT".split():
        (found,) = (getattr(module, name) for module in faults if hasattr(module, name))
        assert [what for what in found if what not in all_of_it] == []
    said = {what.partition(": ")[2] for _, what, *_ in rows}
    for _, line, *_ in test_failures.SAID:
        assert line.removeprefix(test_failures.ERROR)[:40] in said
    assert all(float(seconds) >= 0 for *_, seconds in rows)
    assert not any(re.search(r"/tmp|/root|/home|canary", cell) for row in rows for cell in row)
