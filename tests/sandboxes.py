"""Run a command in a sandbox as agents make one, or under a policy of the whole system's."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import pwd
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from command import Home
from conftest import need

#: The system calls that a filter answers with EPERM, by machine and name (seccomp(2)).
_CALLS = {"x86_64": {"socket": 41, "connect": 42}, "aarch64": {"socket": 198, "connect": 203}}

#: Forbids a system call, for socket() only of AF_UNIX, and becomes the command.
_FILTER = """
import ctypes, os, struct, sys
number, command = int(sys.argv[1]), sys.argv[3:]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
if sys.argv[2] == "socket":  # the first argument is in the data after 16 bytes
    steps[1:2] = [(0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 1)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
program = Program(len(steps), ctypes.addressof(code))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    sys.exit(99)
os.execvp(command[0], command)
"""


def without_sockets(call: str) -> list[str]:
    """The words that start a command that may not make local connections.

    :param call: ``"socket"``, as in Claude Code's sandbox, or ``"connect"``, as in Codex's.
    """
    number = _CALLS.get(platform.machine(), {}).get(call)
    if number is None or sys.platform != "linux":
        pytest.skip("the numbers of the system calls are not known here")
    return [sys.executable, "-c", _FILTER, str(number), call]


def under_policy(home: Home, system: str = "", own: str = "") -> list[str]:
    """The words that start a command for which there is a policy, in a mount namespace.

    The password database names the test's own home there.

    :param system: the text of the system's file; empty: there is none.
    :param own: the text of the user's file.
    """
    need("unshare", "mount")
    layer = home.folder / "etc"
    (layer / "secretly").mkdir(parents=True, exist_ok=True)
    (layer / "passwd").write_text(f"root:x:0:0:root:{home.folder}:/bin/sh\n")
    for path, text in (
        (layer / "secretly/policy.toml", system),
        (home.folder / ".config/secretly/policy.toml", own),
    ):
        path.unlink(missing_ok=True)
        if text:
            path.write_text(text)
            path.chmod(0o644)
    layered = f'mount -t overlay overlay -o lowerdir="{layer}":/etc /etc && exec "$@"'
    words = ["unshare", *_as_root(), "-m", "sh", "-c", layered, "sh"]
    if not _works(tuple(words)):
        pytest.skip("this system allows no mounts here")
    return words


@contextlib.contextmanager
def account_home(folder: Path) -> Iterator[None]:
    """The password database names this home, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        entry = [*pwd.getpwuid(os.getuid())]
        entry[5] = str(folder)
        patch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd(entry))
        yield


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["-r"]


@functools.cache
def _works(words: Sequence[str]) -> bool:
    return subprocess.run([*words, "true"], stderr=subprocess.DEVNULL).returncode == 0
