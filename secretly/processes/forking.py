"""Start a child of the command by fork and exec, and reap a child.

``subprocess`` takes as long to load as the question of a prompt, and gains nothing here: in the
command, Python code runs in each child before its program does (``hardening.before_exec``). In the
library it doesn't, so the library uses ``subprocess``, which is safe in a program with threads.
"""

from __future__ import annotations

import os

from ..waiting.blocks import suppress

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence
else:
    import _signal as signal  # signal loads enum

__all__ = ["NULL", "fork", "reap"]

#: Stands for ``/dev/null`` as one of a child's streams: ``subprocess.DEVNULL``.
NULL = -3

#: Python ignores these two. The others may be handled here, and must end the child until its exec.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def fork(
    argv: Sequence[str],
    streams: Sequence[int],
    environ: Mapping[str, str],
    before_exec: Callable[[], None],
    new_session: bool,
) -> int:
    """Start a program, and return its process ID.

    :param streams: its standard input, output and error.
    :param before_exec: is called in the child.
    :raises OSError: if the program can't be started.
    :raises ValueError: if an argument or a variable can't be passed on.
    """
    reading, writing = os.pipe()
    try:
        pid = os.fork()
        if pid == 0:  # pragma: no cover - the exec drops what was measured
            try:
                writing = _above_streams(writing)
                _prepare(streams, writing, new_session)
                before_exec()
                os.execvpe(argv[0], list(argv), dict(environ))
            except OSError as error:
                os.write(writing, b"%d" % (error.errno or 0))
            except BaseException:
                os.write(writing, b"0")
            finally:
                os._exit(255)
        os.close(writing)
        writing = -1
        failed = os.read(reading, 16)  # empty when the exec has closed it
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    if failed:
        with suppress(ChildProcessError):  # SIGCHLD is ignored
            os.waitpid(pid, 0)
        number = int(failed)
        if not number:
            raise ValueError("an argument or a variable has a NUL byte, or '=' in its name")
        raise OSError(number, os.strerror(number), argv[0])
    return pid


def reap(pid: int) -> int | None:
    """Return the exit status of a child that has ended, negative for a signal; None while it runs.

    ``Popen.poll`` returns 0 where this raises.

    :raises ChildProcessError: if its status was lost (waitpid(2)): this process ignores SIGCHLD,
        or another part of the program has waited for it.
    """
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _prepare(
    streams: Sequence[int], keep: int, new_session: bool
) -> None:  # pragma: no cover - the exec drops what was measured
    """Give the child its streams, and nothing else of this process but *keep*."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    for number in _HANDLED:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR) if NULL in streams else NULL
    for place, stream in enumerate(
        [_above_streams(null if stream == NULL else stream) for stream in streams]
    ):
        os.dup2(stream, place)
    if new_session:
        os.setsid()
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        import resource

        os.closerange(3, keep)
        os.closerange(keep + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        return
    for descriptor in descriptors:
        if descriptor > 2 and descriptor != keep:
            with suppress(OSError):  # the one that listed them is closed
                os.close(descriptor)


def _above_streams(descriptor: int) -> int:  # pragma: no cover - as above
    """Return a copy of a descriptor that no standard stream replaces."""
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    return descriptor
