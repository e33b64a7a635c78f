"""A folder of shims for one run, so that a recipe which calls a tool calls secretly.

The command takes this process's place, so it can't remove the folder. A small process that stays
behind does: it makes the folder, waits for the command's end, and removes the folder. Whenever
the command or secretly is killed, the folder goes too. Only if that process itself is killed does
the folder stay, until the next run that wraps a tool.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..config import places
from ..errors import Refused
from ..text import escape

__all__ = ["make_folder"]

_PREFIX = "secretly-wrap-"

#: How often the process looks whether the command has ended, in seconds, on a system that can't
#: say so.
_INTERVAL = 0.5


def make_folder(files: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Make a folder with these programs, which is removed when this process ends.

    Call it before there is a secret in memory: the process that stays behind is a copy of this one.

    :raises Refused: if no folder can have programs.
    """
    roots = _roots(environ)
    for root in roots:
        _remove_abandoned(root)
    pid, reading, writing = os.getpid(), *os.pipe()
    ending = _end_of(pid)
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            if os.fork() == 0:  # its parent ends, so the command never has to wait for it
                _stay(pid, ending, writing, roots, files)
        finally:
            os._exit(0)
    os.close(writing)
    with contextlib.suppress(ChildProcessError):  # secretly's parent ignores SIGCHLD
        os.waitpid(child, 0)
    if ending is not None:
        os.close(ending)
    with os.fdopen(reading, "rb") as pipe:
        said = os.fsdecode(pipe.read())
    if not said.startswith(os.sep):
        raise Refused(
            f"can't make a folder for wrapped commands: {escape(said) or 'nothing says why'}",
            "set TMPDIR to a folder that you can write to, on a file system without noexec",
        )
    return said


def _roots(environ: Mapping[str, str]) -> list[Path]:
    """The folders for temporary ones, the best first. PATH can't have one with a colon."""
    found = [places.named_folder("XDG_RUNTIME_DIR", environ)]
    with contextlib.suppress(FileNotFoundError):
        found.append(tempfile.gettempdir())
    found.append("/tmp")
    roots = dict.fromkeys(folder for folder in found if folder and os.pathsep not in folder)
    return [Path(folder) for folder in roots]


def _made_in(roots: Sequence[Path], prefix: str) -> str:
    """Make a folder in the first of the roots where that is possible and programs may be executed.

    A shell passes over programs that it can't execute, and would start the tool itself.

    :raises OSError: if there is none.
    """
    problem = OSError(errno.EACCES, "programs can't be executed there")
    for root in roots:
        try:
            if not os.statvfs(root).f_flag & getattr(os, "ST_NOEXEC", 8):
                return tempfile.mkdtemp(prefix=prefix, dir=root)
        except OSError as error:
            problem = error
    raise problem


def _remove_abandoned(root: Path) -> None:
    """Remove folders of runs that ended, whose process that stays behind was killed."""
    for folder in root.glob(f"{_PREFIX}*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            os.kill(int(number), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (OSError, OverflowError, ValueError):
            continue


def _stay(
    pid: int, ending: int | None, said: int, roots: Sequence[Path], files: Mapping[str, str]
) -> None:
    """Make the folder, say where it is, wait for the end of the command, remove the folder."""
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    folder = ""
    try:
        try:
            folder = _made_in(roots, f"{_PREFIX}{pid}-")
            for name, text in files.items():
                path = Path(folder, name)
                path.write_text(text, "utf-8")
                path.chmod(0o700)
            answer = os.fsencode(folder)
        except OSError as error:
            answer = os.fsencode(error.strerror or "an error")
        os.write(said, answer)
        os.chdir("/")
        _close_all_but(ending)
        if answer.startswith(b"/"):
            _wait(pid, ending)
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _close_all_but(kept: int | None) -> None:
    """Close what was inherited: a reader of the command's output waits until all have closed it."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    limit = 65536
    middle = 3 if kept is None else kept
    os.closerange(3, middle)
    os.closerange(middle + 1 if kept is not None else middle, limit)


def _end_of(pid: int) -> int | None:
    """A descriptor that is readable when a process has ended; None if the system has none."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            return os.pidfd_open(pid)
    return None


def _wait(pid: int, ending: int | None) -> None:
    """Wait until a process has ended."""
    if ending is not None:
        waiting = select.poll()  # select() takes no descriptor above 1023
        waiting.register(ending, select.POLLIN)
        waiting.poll()
        return
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:  # it has become another user's, as with sudo
            pass
        time.sleep(_INTERVAL)
