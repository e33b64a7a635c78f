"""Choose how to ask the user: with a pinentry, a dialog, the terminal or the notebook."""

from __future__ import annotations

import os
import sys

from .. import safefiles
from ..config import places
from ..config.asking_limits import AskingLimits
from ..errors import NoPinentry, Refused
from ..record import Record
from ..text import Environ, escape
from . import measured, screens
from .finding import find_terminal
from .terminal import Terminal

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from typing import Any

__all__ = [
    "PromptMethod",
    "Surroundings",
    "choose",
    "in_background",
    "notebook_kernel",
    "surroundings",
]

_MAC = (
    "/opt/homebrew/bin/pinentry-mac",
    "/usr/local/bin/pinentry-mac",
    "/usr/local/MacGPG2/libexec/pinentry-mac.app/Contents/MacOS/pinentry-mac",
)

#: The graphical pinentries that are taken under an agent: by their path, whatever PATH says.
_BUILT_IN = tuple(
    f"{folder}/{name}"
    for folder in ("/usr/bin", "/usr/local/bin", "/run/current-system/sw/bin")
    for name in ("pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2")
)

_DOCTOR = "'secretly doctor' says more"
_NAME_ANOTHER = "name a pinentry that is installed, or remove the setting"


class PromptMethod(Record):
    """A way to ask the user.

    :param kind: ``"pinentry"``, ``"osascript"``, ``"terminal"`` or ``"notebook"``.
    :param program: the path of the pinentry, if it is one.
    :param graphical: whether it may open a window. It may still ask on the terminal.
    :param why: why this one was chosen, for ``doctor``.
    :param only: whether nothing else may ask in its place.
    """

    kind: str
    program: str | None
    graphical: bool
    why: str
    only: bool = False

    @property
    def name(self) -> str:
        """The program's name, for a message."""
        return "pinentry" if self.program is None else escape(os.path.basename(self.program))


def _login_bus(environ: Mapping[str, str]) -> str:
    from ..config import login_bus

    return login_bus.address(environ)


class Surroundings(Record):
    """What this process can ask on.

    :param environ: the environment.
    :param terminal: its terminal, if it has one.
    :param foreground: whether it may read from that terminal now.
    """

    environ: Mapping[str, str]
    terminal: Terminal | None
    foreground: bool

    @property
    def usable_terminal(self) -> Terminal | None:
        """The terminal, if this process may ask on it now."""
        return self.terminal if self.foreground else None

    @property
    def ssh(self) -> bool:
        """Whether the user is logged in over SSH."""
        return any(name in self.environ for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))

    @property
    def display(self) -> bool:
        """Whether the user sits at a screen that can show a window."""
        if self.ssh:
            return False
        if sys.platform == "darwin":
            return True
        return bool(self.environ.get("DISPLAY") or self.environ.get("WAYLAND_DISPLAY"))

    @property
    def in_emacs(self) -> bool:
        """Whether this is a shell in Emacs."""
        return bool(self.environ.get("INSIDE_EMACS"))

    @property
    def simple_terminal(self) -> bool:
        """Whether the terminal only shows lines, as a shell in Emacs does."""
        kind, emacs = self.environ.get("TERM", ""), self.environ.get("INSIDE_EMACS", "")
        return kind in ("", "unknown") or kind.startswith("dumb") or "comint" in emacs

    def for_pinentry(self, graphical: bool) -> Environ:
        """The environment of a pinentry."""
        environ = Environ(self.environ)
        if not graphical:
            # Some pinentries would open a window, here or on another screen, if they could.
            for name in ("DISPLAY", "WAYLAND_DISPLAY", places.BUS_VARIABLE):
                environ.pop(name, None)
        elif not environ.get(places.BUS_VARIABLE, "").strip():
            # pinentry-gnome3 looks at the variable alone, and asks on this bus.
            environ |= {places.BUS_VARIABLE: bus} if (bus := _login_bus(environ)) else {}
        return environ

    def options(self) -> Iterator[str]:
        """Yield what a pinentry is told of the terminal and the language."""
        yield "no-grab"
        terminal = self.usable_terminal
        if terminal is not None and terminal.named:
            yield f"ttyname={terminal.path}"
            if kind := self.environ.get("TERM"):
                yield f"ttytype={kind}"
        for option, names in (
            ("lc-ctype", ("LC_ALL", "LC_CTYPE", "LANG")),
            ("lc-messages", ("LC_ALL", "LC_MESSAGES", "LANG")),
        ):
            if value := next(filter(None, map(self.environ.get, names)), ""):
                yield f"{option}={value}"

    @property
    def windows(self) -> bool:
        """Whether a program may open a window, on a screen or on Windows' desktop."""
        return self.display or bool(self.environ.get("WSL_DISTRO_NAME"))


class _Candidate(Record):
    """A pinentry that may be used.

    :param why: the setting that names the pinentry, or why secretly looks for it.
    :param named: whether the user named the pinentry: then a fault is an error.
    :param name: the program's name; empty for a program that secretly doesn't know.
    """

    program: str
    why: str
    named: bool = False
    name: str = ""

    @property
    def textual(self) -> bool:
        """Whether the pinentry never opens a window."""
        return (self.name or measured.name_of(self.program)) in measured.TEXTUAL


class _Skipped:
    """Why candidates were skipped.

    :param lines: is given a line for each.
    :ivar unsafe: the first line about a file that others could change.
    """

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.unsafe = ""

    def add(self, line: str, unsafe: bool = False) -> None:
        """Note one."""
        self.lines.append(line)
        if unsafe:
            self.unsafe = self.unsafe or line


def surroundings(
    environ: Mapping[str, str], setting: str | AskingLimits | None = None
) -> Surroundings:
    """Return what this process can ask on now. A terminal under an agent is the agent's."""
    if isinstance(setting, AskingLimits) and setting.agent is not None:
        return Surroundings(environ, None, False)
    # A notebook's terminal is its server's: the user may be somewhere else.
    found = None if notebook_kernel() else find_terminal()
    return Surroundings(environ, found, found is not None and found.in_foreground())


async def choose(
    environ: Mapping[str, str],
    setting: str | AskingLimits | None = None,
    skipped: list[str] | None = None,
) -> PromptMethod:
    """Choose how to ask the user.

    In order of precedence: the configuration's ``prompt.pinentry``, ``PINENTRY``, gpg-agent's
    setting, gpgconf's, what the platform has, the terminal itself.

    :param setting: the configuration's ``prompt.pinentry``, or what limits the choice.
    :param skipped: is given a line for each pinentry that was skipped, with the reason.
    :raises NoPinentry: if secretly can't ask here.
    :raises Refused: if others could change the pinentry that the user named.
    """
    around, limited = surroundings(environ, setting), isinstance(setting, AskingLimits)
    skips = _Skipped([] if skipped is None else skipped)
    async for candidate in _candidates(around, setting, skips):
        if _usable(candidate, around, skips):
            program = candidate.program
            kind = "osascript" if os.path.basename(program) == "osascript" else "pinentry"
            graphical = around.windows and not candidate.textual
            return PromptMethod(kind, program, graphical, candidate.why, limited)
    if isinstance(setting, AskingLimits):
        raise _no_window(setting, skips)
    if notebook_kernel():
        return PromptMethod("notebook", None, True, "the notebook's own password input")
    if around.foreground:
        return PromptMethod("terminal", None, False, "no pinentry was found; the terminal itself")
    raise _no_way(around, skips)


def _no_window(limits: AskingLimits, skips: _Skipped) -> NoPinentry:
    if limits.agent is None:
        return NoPinentry(f"can't ask you: {skips.lines[-1]}", _DOCTOR)
    from . import agent_prompts

    return agent_prompts.no_window(limits)


def _no_way(around: Surroundings, skips: _Skipped) -> NoPinentry:
    if around.terminal is not None:
        return in_background()
    if skips.unsafe:
        return NoPinentry(f"can't ask you: {skips.unsafe}", f"fix that; {_DOCTOR}")
    return NoPinentry(
        "can't ask you: no terminal and no screen",
        f"run it from a terminal, or store the secret from one first: secretly set; {_DOCTOR}",
    )


def in_background() -> NoPinentry:
    """Return the error for a background job that can only ask on the terminal."""
    return NoPinentry(
        "can't ask you on the terminal: this is a background job",
        "bring it to the foreground (fg), or use a graphical pinentry",
    )


def _usable(candidate: _Candidate, around: Surroundings, skips: _Skipped) -> bool:
    """Return whether a pinentry can be used here; if not, note why.

    :raises SecretlyError: if it can't be used anywhere and the user named it.
    """
    program, why, named = candidate.program, candidate.why, candidate.named
    unsafe = False
    if not os.path.isfile(program) or not os.access(program, os.X_OK):
        if named:
            raise NoPinentry(
                f"{why} names {escape(program)}, which is not a program", _NAME_ANOTHER
            )
        reason = "not installed"
    else:
        try:
            safefiles.refuse_if_others_can_write(program, "the pinentry")
            reason = _missing(candidate, around)
        except Refused as error:
            if named:
                raise
            unsafe, reason = True, str(error)
    if reason:
        skips.add(f"{escape(program)} ({why}): {reason}", unsafe)
    return not reason


def _missing(candidate: _Candidate, around: Surroundings) -> str:
    """Return what a pinentry needs that is missing here; empty if it can be tried."""
    textual = candidate.textual
    name = measured.name_of(candidate.program) or candidate.name
    draws = around.simple_terminal and name in measured.NEEDS_CURSES
    if around.windows and not textual and not (draws and screens.gone(around.environ)):
        return ""
    if around.terminal is None or os.path.basename(candidate.program) == "osascript":
        return "needs a terminal" if textual else "needs a screen or a terminal"
    if not around.foreground:
        return "needs the terminal, and this is a background job"
    if not around.terminal.named:
        return "needs a terminal that can be opened by its own name"
    if draws:
        return "this terminal is too simple for it (TERM)"
    return ""


async def _candidates(
    around: Surroundings, setting: str | AskingLimits | None, skips: _Skipped
) -> AsyncIterator[_Candidate]:
    """Yield the pinentries that may be used, in order of precedence."""
    environ = around.environ
    if isinstance(setting, AskingLimits):
        for candidate in _allowed(setting, around):
            yield candidate
        return
    for named, why in (
        (setting, "the configuration's prompt.pinentry"),
        (environ.get("PINENTRY"), "PINENTRY"),
    ):
        if named:
            path: str | None = places.expand_user(named, environ)
            if os.sep not in named:  # a program of the current folder is not meant
                path = safefiles.program_on_path(named, environ)
            if path is None or not os.path.isabs(path):
                what = "not on PATH" if path is None else "not a full path"
                raise NoPinentry(f"{why} names {escape(named)}, which is {what}", _NAME_ANOTHER)
            yield _Candidate(path, why, named=True)
    from . import gnupg  # who names a pinentry needs no more of its settings

    if configured := gnupg.agent_setting(environ, skips.add):
        yield _Candidate(configured, "gpg-agent.conf")
    async for program in gnupg.from_gpgconf(environ, skips.add):
        yield _Candidate(program, "gpgconf")
    for candidate in _on_this_platform(around):
        yield candidate


def _allowed(limits: AskingLimits, around: Surroundings) -> Iterator[_Candidate]:
    """Yield the policy's pinentry, or those that no setting and no variable chooses."""
    if limits.pinentry is not None:
        yield _Candidate(limits.pinentry, "the policy's pinentry")
    elif sys.platform == "darwin":
        yield from (_Candidate(path, "macOS") for path in (*_MAC, "/usr/bin/osascript"))
    elif around.display:
        yield from (_Candidate(path, "built in") for path in _BUILT_IN)


def _on_this_platform(around: Surroundings) -> Iterator[_Candidate]:
    environ = around.environ
    if sys.platform == "darwin":
        if not around.ssh:
            yield from _on_path(environ, "macOS", "pinentry-mac")
            yield from (_Candidate(path, "macOS") for path in _MAC)
            yield _Candidate("/usr/bin/osascript", "macOS")
    else:
        if environ.get("WSL_DISTRO_NAME"):
            yield from _on_path(environ, "WSL", "pinentry-wsl-ps1", "pinentry-wsl-ps1.sh")
        if around.display:
            if environ.get(places.BUS_VARIABLE, "").strip() or _login_bus(environ):
                yield from _on_path(environ, "a screen", "pinentry-gnome3")
            yield from _on_path(environ, "a screen", "pinentry-qt", "pinentry-gtk-2")
    if around.terminal is not None:
        names = ("pinentry-curses", "pinentry-tty", "pinentry")
        yield from _on_path(environ, "a terminal", *names)


def _on_path(environ: Mapping[str, str], why: str, *names: str) -> Iterator[_Candidate]:
    for name in names:
        if found := safefiles.program_on_path(name, environ):
            yield _Candidate(found, why, name=name)


def notebook_kernel() -> Any:
    """Return the kernel of the notebook that this process runs, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)
