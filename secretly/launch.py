"""A plan: which program, with what in its environment; and its exec."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from . import trust
from .display import pasted, visible
from .errors import NotExecutable, NotThere, Refused, SecretlyError
from .records import Record

__all__ = ["Plan", "check", "find_program", "fingerprint", "interpreter", "locale_as_given", "run"]


class Plan(Record):
    """What is to be executed.

    :param program: the program's path.
    :param argv: its arguments, the first as it was typed.
    :param environ: the variables that are set, secrets among them.
    :param removes: the variables that are taken away.
    :param seal_keyring: give it a kernel session keyring that takes nothing.
    :param fingerprint: what :func:`fingerprint` said when the program was shown to the
        person; None: nobody was asked about it.
    :param recheck: looks again at what else was shown, and raises if it is another.
    :param said: what is said once nothing stands in the way any more.
    """

    program: str
    argv: Sequence[str]
    environ: Mapping[str, str] = {}
    removes: Sequence[str] = ()
    seal_keyring: bool = False
    fingerprint: tuple[int | str, ...] | None = None
    recheck: Callable[[], None] | None = None
    said: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"<plan to run {self.program}>"


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """Find a command as the shell does, but never in the current folder by accident.

    :raises NotThere: if there is none.
    :raises NotExecutable: if there is one that cannot be executed.
    """
    if not name:
        raise NotThere("the command has no name", "give a command after the options")
    if os.sep in name:
        candidates = [name]
    else:
        found = trust.program_on_path(name, environ)
        if found is not None:
            return found
        folders = environ.get("PATH", os.defpath).split(os.pathsep)
        candidates = [os.path.join(f, name) for f in folders if os.path.isabs(f)]
        candidates = [path for path in candidates if not trust.is_shim(path)]
    there = [path for path in candidates if os.path.lexists(path) and os.path.exists(path)]
    if not there:
        raise NotThere(
            f"there is no command {visible(name)}",
            f"check the name and PATH; a program in this folder is run as ./{visible(name)}"
            if os.path.exists(name) and os.sep not in name
            else "check the name and PATH",
        )
    if os.path.isdir(there[0]) or not os.access(there[0], os.X_OK):
        raise NotExecutable(
            f"{visible(there[0])} cannot be executed", f"chmod +x {pasted(there[0])}"
        )
    return there[0]


def interpreter(program: str, environ: Mapping[str, str]) -> str | None:
    """The program that the system starts for a script, by its first line; None for no script.

    ``env`` looks for it in PATH, and there in the current folder as well, where an entry
    is empty or relative.
    """
    try:
        with open(program, "rb", opener=trust.no_waiting) as file:
            line = os.fsdecode(file.readline(256))
    except OSError:  # one may execute what one may not read
        return None
    if not line.startswith("#!"):
        return None
    path, *arguments = line[2:].split() or [""]
    if os.path.basename(path) != "env":
        return path
    # GNU's 'env -S' splits the one argument that the system gives.
    names = [word for word in arguments if not word.startswith("-") and "=" not in word]
    name = names[0] if names else path
    if os.sep in name:
        return name
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    candidates = [os.path.join(folder, name) for folder in folders]
    return next((p for p in candidates if os.path.isfile(p) and os.access(p, os.X_OK)), None)


def check(program: str, environ: Mapping[str, str]) -> None:
    """Refuse a program that is not to have a secret.

    :raises Refused: if others could change it, or what the system starts for it; or if that
        is whatever lies in the current folder.
    """
    trust.check(program, "the program")
    found = interpreter(program, environ)
    if found is None or not os.path.exists(found):
        return  # the system says what is missing
    what = f"what runs {visible(program)}, "
    if not os.path.isabs(found):
        raise Refused(
            f"{what}{visible(found)}, is of the current folder",
            "take the empty and the relative entries out of PATH",
        )
    trust.check(found, what.rstrip())


def fingerprint(program: str, content: bool = False) -> tuple[int | str, ...]:
    """What a program's file is, to be compared just before it is executed.

    :param content: whether its bytes are looked at as well.
    :raises NotThere: if it has gone, or cannot be read.
    """
    try:
        facts = os.stat(program)
        digest = ""
        if content:
            import hashlib

            with open(program, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        if isinstance(error, PermissionError):  # one may execute what one may not read
            digest = "unreadable"
        else:
            raise NotThere(f"{visible(program)} has gone", "nothing was handed over") from None
    place = (facts.st_dev, facts.st_ino, facts.st_size)
    return (*place, facts.st_mtime_ns, facts.st_ctime_ns, digest)


def run(
    plan: Plan,
    say: Callable[[str], None] = lambda line: None,
    exposed: contextlib.AbstractContextManager[None] | None = None,
) -> None:
    """Become the program: the same process, terminal, signals and open files.

    The environment goes to execve and nowhere else: ``os.environ`` would keep
    copies of it in memory and hand it to every other child.

    :param say: is told the lines that the plan has to say.
    :param exposed: is entered for the moment of execve, to put back what the program
        is not to inherit.
    :raises Refused: if a value cannot be put into an environment, or the program is
        another than it was when its fingerprint was taken.
    :raises NotExecutable: if the system refuses to execute it.
    """
    if plan.recheck is not None:
        plan.recheck()
    if plan.fingerprint is not None:
        content = plan.fingerprint[-1] != ""
        if plan.fingerprint != fingerprint(plan.program, content):
            raise Refused(
                f"{visible(plan.program)} was changed meanwhile", "look at it, and try again"
            )
    for line in plan.said:
        say(line)
    environ = _inherited()
    for name in plan.removes:
        environ.pop(os.fsencode(name), None)
    for name, value in plan.environ.items():
        encoded = _encoded(value)
        if encoded is None or b"\0" in encoded:
            environ, encoded = {}, b""  # a traceback may show locals
            raise Refused(
                f"the value for {visible(name)} has a NUL byte in it, or is not text",
                "an environment variable cannot hold it",
            )
        environ[os.fsencode(name)] = encoded
    encoded = b""
    if plan.seal_keyring:
        _seal_keyring()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    # CPython ignores these two at its start, and what is ignored stays so over exec.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    argv = [os.fsencode(part) for part in plan.argv]
    try:
        with exposed or contextlib.nullcontext():
            try:
                os.execve(plan.program, argv, environ)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                # A script without '#!': shells and execvp(3) hand it to sh.
                script = [b"sh", os.fsencode(plan.program), *argv[1:]]
                os.execve("/bin/sh", script, environ)
    except OSError as error:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        environ = {}  # a traceback may show locals
        raise _failed(plan.program, error) from None


def _encoded(value: str) -> bytes | None:
    with contextlib.suppress(UnicodeEncodeError):
        return value.encode("utf-8", "surrogateescape")
    return None


def _inherited() -> dict[bytes, bytes]:
    """The environment as it was given."""
    environ = dict(os.environb)
    environ.pop(b"LC_CTYPE", None)
    given = locale_as_given()
    return environ if given is None else {**environ, b"LC_CTYPE": given}


@functools.cache
def locale_as_given() -> bytes | None:
    """LC_CTYPE as this process was given it: CPython sets it in a C locale (PEP 538).

    It is remembered, for a process that cannot be dumped may not read its own environment.
    """
    given = os.environb.get(b"LC_CTYPE")
    with contextlib.suppress(OSError), open("/proc/self/environ", "rb") as file:
        given = None
        for entry in file.read().split(b"\0"):
            if entry.startswith(b"LC_CTYPE="):
                given = entry.removeprefix(b"LC_CTYPE=")
    return given


def _failed(program: str, error: OSError) -> SecretlyError:
    name = visible(program)
    if error.errno == errno.E2BIG:
        return Refused(
            f"{name} cannot be started: its arguments and environment are too long",
            "a secret in the environment may have at most 128 KiB",
        )
    if error.errno == errno.ENOENT:
        return NotThere(f"{name} or its interpreter is not there", "check its first line (#!)")
    return NotExecutable(f"{name} cannot be executed: {error.strerror}", "check its permissions")


# keyctl(2) and its operations, from <linux/keyctl.h>.
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_JOIN_SESSION_KEYRING, _RESTRICT_KEYRING, _SESSION = 1, 29, -3


def _seal_keyring() -> None:
    """Join a new session keyring that takes no key, on Linux.

    maturin puts the password that it was given into the session keyring and the
    user's persistent one, where it stays for days.
    """
    number = _KEYCTL.get(os.uname().machine) if sys.platform == "linux" else None
    if number is not None:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).syscall
        if call(number, _JOIN_SESSION_KEYRING, None) >= 0:
            call(number, _RESTRICT_KEYRING, _SESSION, None, None)
