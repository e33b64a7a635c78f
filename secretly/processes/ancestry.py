"""The ancestors of this process, as far as the system shows them.

Everything here is what processes say of themselves. A process can change its name, and can leave
its ancestors: so this is good for a dialog, and for being more careful, never for less.
"""

from __future__ import annotations

import os
import sys

from ..record import Record
from ..text import escape, shorten

TYPE_CHECKING = False  # importing collections.abc would slow down the start
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

__all__ = [
    "UNKNOWN",
    "Ancestor",
    "asked_by",
    "chain",
    "chain_once",
    "environment",
    "in_sandbox",
    "root",
]

#: How many ancestors are looked at.
_LEVELS = 16

#: Where Linux shows its processes.
_PROC = "/proc"

#: How many bytes of a file there are read, and how many first: for more, the C library maps memory.
_LIMIT, _FIRST = 1 << 17, 1 << 14

#: The number of the first PID namespace of a Linux system (PROC_PID_INIT_INO of proc_ns.h).
_FIRST_NAMESPACE = "pid:[4026531836]"

#: Programs that are the first process of a whole system, and so of no sandbox.
_INITS = frozenset("systemd init launchd runit openrc-init s6-svscan dinit".split())

#: Programs that only start another one: between two others they say nothing.
_STARTERS = frozenset("sh bash dash ash zsh fish ksh env timeout nice nohup setsid".split())

#: The beginnings of the names of interpreters: the script is who asks.
_INTERPRETERS = (
    *("python", "pypy", "node", "bun", "deno", "ruby", "perl"),
    *("sh", "bash", "dash", "ash", "zsh", "fish", "ksh"),
)

#: Names of scripts and folders that say nothing about the program.
_GENERIC = frozenset(
    "cli index main __main__ run start versions current bin dist build lib".split()
)

#: Endings of scripts.
_ENDINGS = frozenset("py js mjs cjs rb pl".split())

#: How many of an interpreter's words may name the script.
_WORDS = 3

#: What is between two names, each started by the next one.
ARROW = " ← "


class Ancestor(Record):
    """A process that this one descends from.

    :param started: when it started, in the system's own unit: with *pid* it names one process.
    :param name: the program's name, as it came from the system.
    :param leader: whether it leads a session, as a terminal's shell does.
    """

    pid: int
    started: int
    name: str
    leader: bool


#: Stands for an ancestor that isn't known.
UNKNOWN = Ancestor(0, 0, "", False)


def chain() -> tuple[Ancestor, ...]:
    """Return the ancestors of this process, its parent first.

    It ends where the system shows no more, and before the first process of a system. It does not
    end before the first process of a sandbox.
    """
    if sys.platform == "linux":
        return tuple(_from_proc())
    from . import ps

    return tuple(_from_ps(ps.programs(), os.getppid()))


def chain_once() -> Callable[[], tuple[Ancestor, ...]]:
    """Return a function that finds the ancestors at its first call, and then gives the same ones.

    So everything in a use of secrets names the same ones, also if a parent has ended meanwhile. A
    process that is forked has ancestors of its own.
    """
    found: dict[int, tuple[Ancestor, ...]] = {}

    def ancestors() -> tuple[Ancestor, ...]:
        process = os.getpid()
        if process not in found:
            found[process] = chain()
        return found[process]

    return ancestors


def root(ancestors: Sequence[Ancestor], agent: int = 0) -> Ancestor:
    """Return who is behind a call: the agent's process, or the terminal's shell.

    :param agent: the process ID of a recognized agent; 0: there is none.
    :returns: else the last known ancestor, or :data:`UNKNOWN`.
    """
    found = [one for one in ancestors if one.pid == agent]
    found += [one for one in ancestors if one.leader]
    return next(iter([*found, *ancestors[-1:]]), UNKNOWN)


def asked_by(
    ancestors: Sequence[Ancestor], agent: int = 0, *, sandboxed: bool = False, limit: int = 160
) -> str:
    """Return who asks in a few words, harmless: ``make ← claude ← zsh``.

    The last one is the terminal's shell. An agent starts commands in sessions of their own, so
    the names go on to the agent and to the shell that the agent was started from.

    :param agent: the process ID of a recognized agent; 0: there is none.
    :param sandboxed: whether all of them run in a sandbox.
    :param limit: how many bytes it may have.
    """
    first = next((at for at, one in enumerate(ancestors) if one.pid == agent), 0)
    leaders = (at for at, one in enumerate(ancestors) if one.leader and at >= first)
    last = next(leaders, first if agent else len(ancestors) - 1)
    names = [shorten(escape(one.name), 32) for one in ancestors[: last + 1]]
    told = [name for name in names[:-1] if name not in _STARTERS] + names[-1:]
    end = ", in a sandbox" if sandboxed else ""
    return _joined(told or ["an unknown program"], limit - len(end)) + end


def _joined(names: Sequence[str], limit: int) -> str:
    """The names in one line, those in the middle left out where there are too many."""
    text, kept = ARROW.join(names), len(names) - 2
    while len(text.encode()) > limit and kept > 0:
        text = ARROW.join((*names[:kept], "…", names[-1]))
        kept -= 1
    while len(text.encode()) > limit:
        text = shorten(text, len(text) - 1)
    return text


# -- Linux -----------------------------------------------------------------------


def _from_proc() -> Iterator[Ancestor]:
    pid, child = os.getppid(), sys.maxsize
    if _link(f"{_PROC}/self") != str(os.getpid()):  # it shows another namespace's processes
        return
    for _ in range(_LEVELS):
        if pid < 1 or (pid == 1 and not in_sandbox()):
            return
        found = _facts(pid)
        if found is None:
            return
        comm, parent, session, started = found
        if started > child:  # the parent has ended, and its number is another process's
            return
        yield Ancestor(pid, started, _name(pid, comm), session == pid)
        pid, child = parent, started


def _facts(pid: int) -> tuple[str, int, int, int] | None:
    """Return the name, the parent, the session and the start of a process, see proc(5).

    None where the system doesn't show the process. The name may have any character.
    """
    before, _, after = _read(f"{_PROC}/{pid}/stat").rpartition(b")")
    fields = after.split(None, 20)
    if len(fields) < 20:
        return None
    comm = before.partition(b"(")[2].decode("utf-8", "surrogateescape")
    return comm, int(fields[1]), int(fields[3]), int(fields[19])


def in_sandbox() -> bool:
    """Whether this process is in a PID namespace that is not a whole system's.

    A container whose first process is an init counts as a system.
    """
    if sys.platform != "linux" or _link(f"{_PROC}/self/ns/pid") in ("", _FIRST_NAMESPACE):
        return False
    found = _facts(1)
    return found is None or found[0] not in _INITS


def environment(pid: int, names: Container[str]) -> dict[str, str] | None:
    """Return those of the variables that a process was started with.

    :param names: the variables that are wanted.
    :returns: None if they can't be read, or the process has none.
    """
    data = _read(f"{_PROC}/{pid}/environ")
    if not data:
        return None
    # One character a byte, so that nothing is lost: names are ASCII.
    found = {}
    for part in data.decode("latin-1").split("\0"):
        name, _, value = part.partition("=")
        if name in names:
            found[name] = os.fsdecode(value.encode("latin-1"))
    return found


def _name(pid: int, comm: str) -> str:
    path = _link(f"{_PROC}/{pid}/exe").removesuffix(" (deleted)")
    if not path.startswith("/") or path.startswith("/memfd:"):
        return comm
    return program_name(path, lambda: _arguments(pid)) or comm


def _arguments(pid: int) -> list[str]:
    """The first words that a process was started with."""
    words = _read(f"{_PROC}/{pid}/cmdline").split(b"\0", _WORDS)
    return [os.fsdecode(word) for word in words[:_WORDS]]


def _read(path: str) -> bytes:
    """Return the beginning of a file; empty if it can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        data = os.read(descriptor, _FIRST)
        return data if len(data) < _FIRST else data + os.read(descriptor, _LIMIT - _FIRST)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


# -- names -----------------------------------------------------------------------


def program_name(path: str, arguments: Callable[[], Sequence[str]]) -> str:
    """Return the name of a program that people know.

    Interpreters run a script, and some programs are files that are named after their version.

    :param path: the program's file.
    :param arguments: the first words that it was started with, which only interpreters need.

    >>> program_name("/home/ada/.local/share/claude/versions/2.1.37", list)
    'claude'
    >>> program_name("/usr/bin/node", lambda: ["node", "/opt/gemini-cli/dist/index.js"])
    'gemini-cli'
    """
    name = os.path.basename(path)
    if not _is_interpreter(name):
        return _telling(path.split("/")) or name
    words = [*arguments(), "", "", ""]
    title = os.path.basename(words[0].partition(" ")[0]).removeprefix("-")
    if title and not _is_interpreter(title):  # node's process.title
        return title
    script = words[2] if words[1] == "-m" else words[1]
    if not script or script.startswith(("-", "/dev/", "/proc/")):
        return name
    return _telling([_without_ending(part) for part in script.split("/")]) or name


def _is_interpreter(name: str) -> bool:
    stem = name.rstrip("0123456789.")
    return stem in _INTERPRETERS or stem == "nodejs"


def _telling(parts: Sequence[str]) -> str:
    """The last part of a path that is not a version and says something about the program."""
    for part in reversed(parts):
        if part and part not in _GENERIC and part.strip("0123456789.-v"):
            return part
    return ""


def _without_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and ending in _ENDINGS else name


# -- macOS -----------------------------------------------------------------------


def _from_ps(shown: Iterable[tuple[int, int, str, int, str]], pid: int) -> Iterator[Ancestor]:
    """Yield a process and its ancestors from what ps(1) shows."""
    rows = {row[0]: row for row in shown}
    for _ in range(_LEVELS):
        if pid <= 1 or pid not in rows:
            return
        _, parent, state, started, path = rows[pid]
        name = program_name(path, list) if "/" in path else path.removeprefix("-")
        yield Ancestor(pid, started, name, "s" in state)
        pid = parent
