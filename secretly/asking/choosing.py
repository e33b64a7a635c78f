"""Finding a way to ask a person: a pinentry, a dialog, the terminal, the notebook."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import safefiles
from ..config import places
from ..errors import NoPinentry, Refused
from ..processes import output
from ..text import escape
from . import assuan, terminal

__all__ = ["PromptMethod", "Surroundings", "choose", "notebook_kernel", "surroundings"]

_GRAPHICAL = ("gtk", "qt", "gnome", "mac", "fltk", "x11", "efl", "wsl", "tqt")
_MAC = (
    "/opt/homebrew/bin/pinentry-mac",
    "/usr/local/bin/pinentry-mac",
    "/usr/local/MacGPG2/libexec/pinentry-mac.app/Contents/MacOS/pinentry-mac",
)


class PromptMethod(NamedTuple):
    """A way of asking.

    :param kind: ``"pinentry"``, ``"osascript"``, ``"terminal"`` or ``"notebook"``.
    :param program: the pinentry's path, where there is one.
    :param graphical: whether it opens a window, and so leaves the terminal alone.
    :param why: why this one, for ``doctor``.
    """

    kind: str
    program: Path | None
    graphical: bool
    why: str


class Surroundings(NamedTuple):
    """What there is to ask on."""

    environ: Mapping[str, str]
    terminal: terminal.Terminal | None
    foreground: bool

    @property
    def ssh(self) -> bool:
        return any(name in self.environ for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))

    @property
    def display(self) -> bool:
        if self.ssh:
            return False
        if sys.platform == "darwin":
            return True
        return bool(self.environ.get("DISPLAY") or self.environ.get("WAYLAND_DISPLAY"))

    def graphical(self, program: Path) -> bool:
        """Whether *program* would open a window here."""
        name = os.path.basename(os.path.realpath(program))
        if "gnome3" in name and not self.environ.get("DBUS_SESSION_BUS_ADDRESS"):
            return False
        if "wsl" in name:
            return True
        known = any(word in name for word in _GRAPHICAL)
        textual = "curses" in name or "tty" in name
        return self.display and (known or not textual)


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """What there is to ask on, now."""
    # In a notebook the terminal is the server's: nobody may be sitting at it.
    found = None if notebook_kernel() else terminal.find_terminal()
    return Surroundings(environ, found, found is not None and found.in_foreground())


async def choose(
    environ: Mapping[str, str], setting: str | None = None, skipped: list[str] | None = None
) -> PromptMethod:
    """Find how to ask a person.

    In order: the configuration's ``prompt.pinentry``, ``PINENTRY``, gpg-agent's
    own setting, gpgconf's, what the platform has, the terminal itself.

    :param skipped: is given a line for each that was passed over, and why.
    :raises NoPinentry: if there is none.
    :raises Refused: if the one that was named could be changed by others.
    """
    place = surroundings(environ)
    skipped = [] if skipped is None else skipped
    async for program, why, named in _candidates(place, setting, skipped):
        reason = _unusable(program, place, named, why)
        if reason is None:
            graphical = place.graphical(program)
            kind = "osascript" if program.name == "osascript" else "pinentry"
            return PromptMethod(kind, program, graphical, why)
        skipped.append(f"{escape(os.fspath(program))} ({why}): {reason}")
    if notebook_kernel():
        return PromptMethod("notebook", None, True, "the notebook's own password input")
    if place.foreground:
        return PromptMethod("terminal", None, False, "no pinentry was found; the terminal itself")
    if place.terminal is not None:
        raise NoPinentry(
            "a prompt on the terminal cannot start in the background",
            "bring it to the foreground (fg), or use a graphical pinentry",
        )
    unsafe = next((line for line in skipped if safefiles.BY_OTHERS in line), None)
    if unsafe is not None:
        raise NoPinentry(
            f"there is nobody to ask: {unsafe}", "mend that; 'secretly doctor' says more"
        )
    raise NoPinentry(
        "there is nobody to ask: no terminal and no graphical pinentry",
        "run it from a terminal, or install pinentry-gtk2, pinentry-qt or pinentry-mac; "
        "'secretly doctor' says more",
    )


def _unusable(program: Path, place: Surroundings, named: bool, why: str) -> str | None:
    """Say why *program* cannot be used here; raise if it is one that the person named."""
    if not os.path.isfile(program) or not os.access(program, os.X_OK):
        if named:
            raise NoPinentry(
                f"{why} names {escape(os.fspath(program))}, which is no program",
                "name a pinentry that is installed, or take the setting away",
            )
        return "not there"
    try:
        safefiles.check_only_mine(program, "the pinentry")
    except Refused as error:
        if named:
            raise
        return str(error)
    if not place.graphical(program):
        name = os.path.basename(os.path.realpath(program))
        if "mac" in name or "osascript" in name or place.terminal is None:
            return "needs a screen" if any(w in name for w in _GRAPHICAL) else "needs a terminal"
        if not place.foreground:
            return "needs the terminal, and this is a background process"
        if "tty" not in name and place.environ.get("TERM", "") in ("", "dumb", "unknown"):
            return "the terminal is too simple for it (TERM)"
    return None


async def _candidates(
    place: Surroundings, setting: str | None, skipped: list[str]
) -> AsyncIterator[tuple[Path, str, bool]]:
    environ = place.environ

    def on_path(*names: str, why: str) -> Iterator[tuple[Path, str, bool]]:
        for name in names:
            if found := safefiles.program_on_path(name, environ):
                yield Path(found), why, False

    for named, why in (
        (setting, "the configuration's prompt.pinentry"),
        (environ.get("PINENTRY"), "PINENTRY"),
    ):
        if named:
            path: str | None = places.expand_user(named, environ)
            if os.sep not in named:  # a program of the current folder is not meant
                path = safefiles.program_on_path(named, environ)
            if path is None:
                raise NoPinentry(
                    f"{why} names {escape(named)}, which is not on PATH",
                    "name a pinentry that is installed, or take the setting away",
                )
            yield Path(path).absolute(), why, True
    if configured := _agent_setting(environ, skipped):
        yield configured, "gpg-agent.conf", False
    async for program in _from_gpgconf(environ, skipped):
        yield program, "gpgconf", False
    if sys.platform == "darwin":
        if not place.ssh:
            for found in on_path("pinentry-mac", why="macOS"):
                yield found
            for path in _MAC:
                yield Path(path), "macOS", False
            yield Path("/usr/bin/osascript"), "macOS", False
    elif environ.get("WSL_DISTRO_NAME"):
        for found in on_path("pinentry-wsl-ps1", "pinentry-wsl-ps1.sh", why="WSL"):
            yield found
    if place.display and sys.platform != "darwin":
        for found in on_path("pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2", why="a screen"):
            yield found
    if place.terminal is not None:
        for found in on_path("pinentry-curses", "pinentry-tty", "pinentry", why="a terminal"):
            yield found


def _agent_setting(environ: Mapping[str, str], skipped: list[str]) -> Path | None:
    home = environ.get("GNUPGHOME") or os.path.join(places.home_folder(environ), ".gnupg")
    path = os.path.join(home, "gpg-agent.conf")
    with contextlib.suppress(OSError):
        for line in safefiles.read_file(path).decode("utf-8", "replace").splitlines():
            word, _, value = line.strip().partition(" ")
            if word == "pinentry-program" and os.path.isabs(value.strip()):
                return Path(value.strip()) if _trusted(path, "gpg-agent.conf", skipped) else None
    return None


def _trusted(path: str, what: str, skipped: list[str]) -> bool:
    try:
        safefiles.check_only_mine(path, what)
    except Refused as error:
        skipped.append(str(error))
        return False
    return True


async def _from_gpgconf(environ: Mapping[str, str], skipped: list[str]) -> AsyncIterator[Path]:
    program = safefiles.program_on_path("gpgconf", environ)
    if program is None or not _trusted(program, "gpgconf", skipped):
        return
    command = [program, "--list-components"]
    with contextlib.suppress(OSError, TimeoutError):
        found = await output.output(command, seconds=2.0, environ=environ)
        for line in found.stdout.decode("utf-8", "replace").splitlines():
            name, _, rest = line.partition(":")
            if name == "pinentry":
                path = assuan.unescape(rest.rpartition(":")[2].encode()).decode("utf-8", "replace")
                if os.path.isabs(path):
                    yield Path(path)


def notebook_kernel() -> Any:
    """The kernel of the notebook that this runs in, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)
