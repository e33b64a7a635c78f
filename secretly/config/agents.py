"""Coding agents: how secretly recognizes that one of them started this process.

Recognition only makes secretly more careful. An agent that wants to can hide: this is for agents
that try what makes an error go away, and not for programs that attack.
"""

from __future__ import annotations

import os
import time

from ..processes import ancestry
from ..record import Record
from ..text import escape, shorten

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

__all__ = [
    "PROGRAMS",
    "VARIABLES",
    "Agent",
    "find_mark",
    "recognize",
    "recognize_recently",
]

#: The variables that mark an agent, with a value if only that one does, and the agent's name.
#: An empty variable marks nothing. The first one counts.
VARIABLES: tuple[tuple[str, str], ...] = (
    ("AI_AGENT", ""),  # its value is the agent's name
    ("CLAUDECODE", "Claude Code"),
    ("CODEX_THREAD_ID", "Codex"),
    ("CODEX_CI", "Codex"),
    ("CODEX_SANDBOX", "Codex"),
    ("CODEX_SANDBOX_NETWORK_DISABLED", "Codex"),
    ("GEMINI_CLI", "Gemini CLI"),
    ("CURSOR_AGENT", "Cursor"),
    ("CURSOR_EXTENSION_HOST_ROLE=agent-exec", "Cursor"),
    ("COPILOT_AGENT", "Copilot"),
    ("COPILOT_CLI", "Copilot CLI"),
    ("OPENCODE", "OpenCode"),
    ("AMP_CURRENT_THREAD_ID", "Amp"),
    ("GOOSE_TERMINAL", "Goose"),
    ("CLINE_ACTIVE", "Cline"),
    ("ROO_ACTIVE", "Roo"),
    ("KIRO_SESSION_ID", "Kiro"),
    ("AGENT_CONTEXT_OUT", "Kiro"),
    ("CRUSH", "Crush"),
    ("AUGMENT_AGENT", "Augment"),
    ("QWEN_CODE", "Qwen Code"),
    ("PI_CODING_AGENT", "Pi"),
    ("ANTIGRAVITY_AGENT", "Antigravity"),
    ("JUNIE_DATA", "Junie"),
    ("JUNIE_SHIM_PATH", "Junie"),
    ("OZ_RUN_ID", "Warp"),
    ("HERMES_AGENT", "Hermes"),
    ("OPENCLAW_SHELL", "OpenClaw"),
    ("AGENT=1", "an agent"),
    ("AGENT=amp", "Amp"),
    ("AGENT=crush", "Crush"),
    ("AGENT=goose", "Goose"),
    ("AGENT=opencode", "OpenCode"),
)

#: How long, in seconds, an agent that was recognized is not looked for again.
_MOMENT = 0.5

#: The names of these variables.
_NAMES = frozenset(variable.partition("=")[0] for variable, _ in VARIABLES)

#: The programs that are agents; a ``*`` stands for any ending.
PROGRAMS: tuple[tuple[str, str], ...] = (
    ("claude*", "Claude Code"),
    ("codex", "Codex"),
    ("gemini", "Gemini CLI"),
    ("gemini-cli", "Gemini CLI"),
    ("cursor-agent", "Cursor"),
    ("copilot", "Copilot CLI"),
    ("opencode", "OpenCode"),
    ("goose", "Goose"),
    ("aider", "Aider"),
    ("crush", "Crush"),
    ("kiro-cli*", "Kiro"),
    ("amp", "Amp"),
    ("devin", "Devin"),
    ("droid", "Droid"),
)

#: How their names begin.
_BEGINNINGS = tuple(pattern.removesuffix("*") for pattern, _ in PROGRAMS)

#: Programs that a person uses to start others: a mark that one of them adds is not an agent's.
_NOT_AGENTS = frozenset(
    "sh bash dash ash zsh fish ksh mksh yash csh tcsh nu elvish xonsh pwsh busybox direnv env sudo "
    "doas su login sshd sshd-session mosh-server tmux screen zellij systemd init launchd".split()
)


class Agent(Record):
    """A coding agent that started this process.

    :param name: its name, harmless and short.
    :param mark: what it was recognized by.
    :param process: its process, if it is known; else :data:`~secretly.processes.ancestry.UNKNOWN`.
    """

    name: str
    mark: str
    process: ancestry.Ancestor = ancestry.UNKNOWN


def recognize(
    environ: Mapping[str, str],
    more: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ancestors: Callable[[], Sequence[ancestry.Ancestor]] = ancestry.chain,
    environment: Callable[[int, Container[str]], Mapping[str, str] | None] = ancestry.environment,
    foreground: Callable[[], bool] | None = None,
) -> Agent | None:
    """Return the agent that started this process, or None.

    An ancestor with an agent's name is one, and so is the ancestor that added a mark to the
    environment. If neither lives and this process can read from a terminal, a mark is stale: a
    terminal's server such as tmux may have been started by an agent once.

    :param more: more variables and programs, as the policy has them.
    :param ancestors: finds the ancestors.
    :param environment: reads variables of a process by their names, None if that can't be read.
    :param foreground: whether this process can read from a terminal.
    """
    names = _NAMES.union(variable.partition("=")[0] for variable in more[0])
    seen = [(one, environment(one.pid, names)) for one in ancestors()]
    mark = find_mark(environ, more[0])
    below = mark
    for process, variables in seen:
        if name := _named(process.name, more[1]):
            return Agent(name, f"the program {_harmless(process.name)}", process)
        own = find_mark(variables or {}, more[0])
        if below is not None and own is None and _adds_marks(process, variables):
            return Agent(*below, process)
        below, mark = own, mark or own
    if mark is None or (foreground or _in_foreground)():
        return None
    return Agent(*mark)


_recent: dict[object, tuple[float, Agent | None]] = {}


def recognize_recently(
    environ: Mapping[str, str],
    more: tuple[Sequence[str], Sequence[str]],
    ancestors: Callable[[], Sequence[ancestry.Ancestor]] = ancestry.chain,
) -> Agent | None:
    """Return what :func:`recognize` does, as it was at most :data:`_MOMENT` seconds ago.

    It reads four files of each ancestor, and a program may ask for a thousand secrets together.
    """
    mark = find_mark(environ, more[0])
    asked = os.getpid(), os.getppid(), mark, tuple(more[0]), tuple(more[1])
    known = _recent.get(asked)
    if known is None or not 0 <= time.monotonic() - known[0] < _MOMENT:
        _recent.clear()
        known = _recent[asked] = time.monotonic(), recognize(environ, more, ancestors)
    return known[1]


def _adds_marks(process: ancestry.Ancestor, environ: Mapping[str, str] | None) -> bool:
    """Whether a process without a mark gave one to its child. A person's shell did not.

    The first process of a container is the parent of whatever an agent left behind.

    :param environ: its environment; None: that can't be read.
    """
    return environ is not None and process.pid != 1 and process.name not in _NOT_AGENTS


def find_mark(environ: Mapping[str, str], more: Sequence[str] = ()) -> tuple[str, str] | None:
    """Return the name of the agent that an environment names, and the variable that does."""
    if not more and _NAMES.isdisjoint(environ):  # most often
        return None
    for variable, name in (*VARIABLES, *((one, "an agent") for one in more)):
        key, equals, wanted = variable.partition("=")
        value = environ.get(key, "")
        if value and (not equals or value == wanted):
            return _harmless(name or value.strip() or "an agent"), key
    return None


def _named(program: str, more: Sequence[str]) -> str:
    """The name of the agent that a program is; empty if it is none."""
    if not more and not program.startswith(_BEGINNINGS):  # most often
        return ""
    for pattern, name in (*PROGRAMS, *((one, _harmless(program)) for one in more)):
        start = pattern.removesuffix("*")
        if program == start or (start != pattern and program.startswith(start)):
            return name
    return ""


def _harmless(name: str) -> str:
    return shorten(escape(name), 32)


def _in_foreground() -> bool:
    """Whether this process may read from its controlling terminal now."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
