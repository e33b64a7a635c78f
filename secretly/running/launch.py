"""Start the program: find it, and become it."""

from __future__ import annotations

import errno
import os
import sys

from .. import safefiles
from ..errors import Refused
from ..processes.signals import signals
from ..record import Record
from ..text import Environ, escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import contextlib
    import signal
    from collections.abc import Callable, Mapping, Sequence

    from .receipts import HandedSecret
else:
    import _signal as signal  # signal loads enum


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """Find a command as the shell does, but never in the current folder by accident.

    :raises NotThere: if it doesn't exist.
    :raises NotExecutable: if it exists, but can't be executed.
    """
    if not name or os.sep in name:
        candidates = [name]
    else:
        found = safefiles.program_on_path(name, environ)
        if found is not None:
            return found
        folders = environ.get("PATH", os.defpath).split(os.pathsep)
        candidates = [os.path.join(f, name) for f in folders if os.path.isabs(f)]
        candidates = [path for path in candidates if not safefiles.is_shim(path)]
    there = [path for path in candidates if os.path.lexists(path) and os.path.exists(path)]
    if not there or os.path.isdir(there[0]) or not os.access(there[0], os.X_OK):
        from . import not_started

        raise not_started.why_not_found(name, there)
    return there[0]


class Launch(Record):
    """What is executed, and in which environment.

    :param program: the program's path.
    :param argv: its arguments, the first as it was typed.
    :param environ: the variables that are set, secrets among them.
    :param removes: the inherited variables that are removed.
    :param seal_keyring: give it a kernel session keyring that stores nothing.
    :param fingerprint: what :func:`~secretly.running.program.fingerprint` returned before the
        program was shown to the user; None if it wasn't shown.
    :param recheck: looks again at what else was shown, and raises if it changed.
    :param said: the lines to print once the checks have passed.
    :param handed: the secrets in it, without their values.
    """

    program: str
    argv: Sequence[str]
    environ: Mapping[str, str] = {}
    removes: Sequence[str] = ()
    seal_keyring: bool = False
    fingerprint: tuple[int | str, ...] | None = None
    recheck: Callable[[], None] | None = None
    said: Sequence[str] = ()
    handed: Sequence[HandedSecret] = ()

    def search_first(self, folder: str, environ: Mapping[str, str]) -> Launch:
        """The launch with a folder in front of PATH.

        :param environ: the inherited environment, for a launch that leaves PATH as it is.
        """
        path = self.environ.get("PATH", environ.get("PATH", os.defpath))
        changed = {**self.environ, "PATH": os.pathsep.join((folder, path))}
        return self._replace(environ=Environ(changed))

    def __repr__(self) -> str:
        return f"<launch to run {self.program}>"


def _nothing(_: object) -> None:
    """Do nothing."""


def execute(
    launch: Launch,
    say: Callable[[str], None] = _nothing,
    exposed: contextlib.AbstractContextManager[None] | None = None,
    record: Callable[[Sequence[HandedSecret]], None] = _nothing,
) -> None:
    """Become the program: the same process, terminal, signals and open files.

    The environment goes to execve and nowhere else: ``os.environ`` would keep
    copies of it in memory and hand it to every other child.

    :param say: is called with each line that the launch has to say.
    :param exposed: is entered for the moment of execve, to put back what the program
        must not inherit; None: nothing was changed.
    :param record: is called with the secrets that the program gets, before it starts.
    :raises Refused: if a value can't be put into an environment, or the program has
        changed since its fingerprint was taken.
    :raises NotThere: if the program or its interpreter doesn't exist.
    :raises NotExecutable: if the system refuses to execute it.
    """
    _check_unchanged(launch)
    if launch.handed:
        record(launch.handed)
    for line in launch.said:
        say(line)
    # Never a local variable here: a traceback may show locals.
    _become(launch, _environment(launch), exposed)


def _check_unchanged(launch: Launch) -> None:
    """The last look at all that was shown; the program last, as large files take a while."""
    if launch.recheck is not None:
        launch.recheck()
    if launch.fingerprint is not None:
        from .program import fingerprint  # a program that gets no secret isn't shown

        content = launch.fingerprint[-1] != ""
        if launch.fingerprint != fingerprint(launch.program, content):
            raise Refused(
                f"{escape(launch.program)} was changed meanwhile",
                "check the change, then try again",
            )


def _environment(launch: Launch) -> dict[bytes, bytes]:
    """The whole environment of the program, as execve takes it.

    :raises Refused: for a value that no environment can hold.
    """
    environ = _inherited()
    for name in launch.removes:
        environ.pop(os.fsencode(name), None)
    if not launch.environ:
        return environ
    from ..redacted import NotASecret, to_secret  # most starts without secrets set nothing

    for name, value in launch.environ.items():
        try:
            checked = to_secret(value, limit=None)
        except NotASecret as error:
            environ, value = {}, ""  # a traceback may show locals
            raise Refused(
                f"the value of {escape(name)} {error}",
                "an environment variable can't hold it: store or configure another value",
            ) from None
        environ[os.fsencode(name)] = checked.encode("utf-8", "surrogateescape")
    return environ


def _become(
    launch: Launch,
    environ: dict[bytes, bytes],
    exposed: contextlib.AbstractContextManager[None] | None,
) -> None:
    try:
        _get_ready(launch)
        if exposed is None:
            _exec(launch, environ)
        else:
            with exposed:
                _exec(launch, environ)
    finally:
        environ = {}  # a traceback may show locals


def _exec(launch: Launch, environ: dict[bytes, bytes]) -> None:
    argv = [os.fsencode(part) for part in launch.argv]
    try:
        try:
            os.execve(launch.program, argv, environ)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without '#!': shells and execvp(3) hand it to sh.
            script = [b"sh", os.fsencode(launch.program), *argv[1:]]
            os.execve("/bin/sh", script, environ)
    except OSError as error:
        from . import not_started

        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        raise not_started.why_refused(launch.program, error) from None
    finally:
        environ = {}  # a traceback may show locals


def _get_ready(launch: Launch) -> None:
    if launch.seal_keyring:
        _seal_keyring()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    # CPython ignores these two at its start, and what is ignored stays so over exec.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    if signals.ignores_children:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _inherited() -> dict[bytes, bytes]:
    """The environment as secretly got it."""
    environ = dict(os.environb)
    environ.pop(b"LC_CTYPE", None)
    given = locale_as_given()
    return environ if given is None else {**environ, b"LC_CTYPE": given}


#: LC_CTYPE as this process got it, once it is known.
_given: list[bytes | None] = []


def locale_as_given() -> bytes | None:
    """LC_CTYPE as this process got it: CPython sets it in a C locale (PEP 538).

    Call it before hardening: a process that can't be dumped can't read its own environment.
    """
    if not _given:
        _given.append(_read_locale())
    return _given[0]


def _read_locale() -> bytes | None:
    if b"LC_CTYPE" not in os.environb:  # CPython takes none away
        return None
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return os.environb.get(b"LC_CTYPE")
    given = [entry for entry in entries if entry.startswith(b"LC_CTYPE=")]
    return given[-1].removeprefix(b"LC_CTYPE=") if given else None


# keyctl(2) and its operations, from <linux/keyctl.h>.
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_JOIN_SESSION_KEYRING, _RESTRICT_KEYRING, _SESSION = 1, 29, -3


def _seal_keyring() -> None:
    """Join a new session keyring that stores no key, on Linux.

    maturin stores the password that it gets in the session keyring and in the user's
    persistent one, where it stays for days.
    """
    number = _KEYCTL.get(os.uname().machine) if sys.platform == "linux" else None
    if number is not None:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).syscall
        if call(number, _JOIN_SESSION_KEYRING, None) >= 0:
            call(number, _RESTRICT_KEYRING, _SESSION, None, None)
