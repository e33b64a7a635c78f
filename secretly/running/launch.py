"""A plan: which program, with what in its environment; and its exec."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from ..errors import NotExecutable, NotThere, Refused, SecretlyError
from ..record import Record
from ..redacted import NotASecret, to_secret
from ..text import escape
from .program import fingerprint


class LaunchPlan(Record):
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


def execute(
    plan: LaunchPlan,
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
                f"{escape(plan.program)} was changed meanwhile", "look at it, and try again"
            )
    for line in plan.said:
        say(line)
    environ = _inherited()
    for name in plan.removes:
        environ.pop(os.fsencode(name), None)
    for name, value in plan.environ.items():
        try:
            checked = to_secret(value, limit=None)
            environ[os.fsencode(name)] = checked.encode("utf-8", "surrogateescape")
        except NotASecret as error:
            environ, value = {}, ""  # a traceback may show locals
            raise Refused(
                f"the value for {escape(name)} {error}", "an environment variable cannot hold it"
            ) from None
    value = ""
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
    name = escape(program)
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
