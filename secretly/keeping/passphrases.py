"""Lock and unlock an identity with a passphrase, in a process of its own.

The work takes seconds. pyrage keeps Python's global lock meanwhile, so in a thread it would stop
the event loop and Ctrl-C; and it aborts its process when memory fails. The process gets the
passphrase through a pipe, when other programs can't read its memory and its pipes any more (on
Linux).
"""

from __future__ import annotations

import os
import signal
import sys

from ..asking import sealed_wording
from ..errors import Refused
from ..processes import output
from ..redacted import Secret
from ..text import Environ
from . import sealing
from .sealing import Damaged, Keys

__all__ = ["WrongPassphrase", "lock", "unlock", "weakness"]

#: How long the work may take, in seconds: about a second, on the machine where the file was made.
_WORK = 120.0

#: How many bytes the process can be given: as many as a pipe holds.
_MOST = 1 << 16

#: How often pyrage may try: it measures the machine each time, and a moment's speed is not typical.
_TRIES = 3

#: What pyrage says of a passphrase that doesn't open the file.
_NOT_THIS_PASSPHRASE = "Decryption failed"

#: The process. Without the user's site packages, its only path besides the standard library's is
#: the folder of pyrage. 4 is PR_SET_DUMPABLE (prctl(2)).
_PROGRAM = """
import os, resource, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
os.write(1, b"ready")
sys.path.append(sys.argv[1])
import pyrage
passphrase, data = sys.stdin.buffer.read().split(b"\\0", 1)
passphrase = passphrase.decode()
try:
    if sys.argv[2] == "lock":
        found = pyrage.passphrase.encrypt(data, passphrase, armored=True)
        if pyrage.passphrase.decrypt(found, passphrase) != data:
            raise SystemExit(3)
    else:
        found = pyrage.passphrase.decrypt(data, passphrase)
except pyrage.DecryptError as error:
    sys.stderr.write(str(error))
    raise SystemExit(2)
sys.stdout.buffer.write(found)
"""


class WrongPassphrase(Exception):
    """The passphrase doesn't open the identity."""


async def lock(keys: Keys, passphrase: str) -> str:
    """Return an identity as an age file that the passphrase opens. It was opened again.

    :raises Refused: if the process gets no memory, or pyrage takes more work than secretly does.
    """
    sealing.check_memory(sealing.MOST_WORK)
    for _ in range(_TRIES):
        found = await _work("lock", passphrase, keys.text())
        try:
            sealing.read_work(found.stdout)
        except Damaged:
            continue
        return found.stdout.decode("ascii")
    raise Refused(
        "this machine is so fast that the age library takes over 1 GiB of memory for a passphrase",
        "make the identity with age: see the guide about sealed secrets",
    )


async def unlock(locked: str, passphrase: str) -> Keys:
    """Open an identity.

    :raises WrongPassphrase: if the passphrase is another one.
    :raises Damaged: if the file is damaged.
    :raises Refused: if the process gets no memory.
    """
    sealing.check_memory(sealing.read_work(locked.encode()))
    found = await _work("unlock", passphrase, locked.strip())
    if found.status == 2:
        if found.stderr.decode("utf-8", "replace") == _NOT_THIS_PASSPHRASE:
            raise WrongPassphrase
        raise Damaged("is damaged")
    return Keys.parse(found.stdout.decode("utf-8", "replace"))


async def _work(what: str, passphrase: str, data: str) -> output.Finished:
    """Have the process do its work; return how it ended: with 0, or with 2 and pyrage's error."""
    folder = os.path.dirname(os.path.dirname(sealing.library().__file__))
    argv = [_interpreter(), "-I", "-S", "-c", _PROGRAM, folder, what]
    given = Secret(f"{passphrase}\0{data}").encode()
    if len(given) > _MOST:
        raise Refused("that passphrase is too long", "take one of at most 32 KiB")
    try:
        done = await output.read_output(
            argv, timeout=_WORK, environ=Environ(os.environ), stdin=given, ready=b"ready"
        )
    except TimeoutError:
        raise Refused(
            f"the passphrase took more than {_WORK:.0f} s of work", "try again on an idle machine"
        ) from None
    except OSError as error:
        raise Refused(
            f"can't start Python for the passphrase's work: {error.strerror}", "try again"
        ) from None
    if done.status is None:
        raise Refused(
            "nothing says how the passphrase's work ended: this process ignores SIGCHLD, or has "
            "waited for children that are not its own",
            output.KEEP_STATUSES,
        )
    if done.status not in (0, 2):
        ended = {-signal.SIGABRT: "it got no memory", -signal.SIGKILL: "it was killed"}
        raise Refused(
            f"the passphrase's work failed: {ended.get(done.status, f'status {done.status}')}",
            "end other programs, and try again",
        )
    return done


def _interpreter() -> str:
    """The interpreter. A program that has Python in it may call itself that.

    :raises Refused: if this is such a program.
    """
    name = os.path.basename(sys.executable or "")
    if name.startswith(("python", "pypy")) and os.path.isabs(sys.executable):
        return sys.executable
    raise Refused(
        "can't open sealed secrets in a program that has Python in it",
        "get the secret with the command: secretly run -e VARIABLE=NAME",
    )


def weakness(passphrase: str) -> str:
    """Return in words what is weak about a new passphrase; empty if nothing is.

    Each guess takes a second of a processor, so four random words are enough.
    """
    if len(passphrase) < 14:
        return sealed_wording.characters(len(passphrase))
    if len(set(passphrase)) < 8:
        return sealed_wording.FEW_CHARACTERS
    digits = passphrase.isdigit() and len(passphrase) < 20
    return sealed_wording.ONLY_DIGITS if digits else ""
