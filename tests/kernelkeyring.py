"""A kernel keyring of one's own: real, empty at the start, and gone at the end.

Each user namespace has its own user keyrings, so what other programs of this user hold
is neither found nor touched.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import PATIENCE, Home, ended
from conftest import need

# Does what it is told with a Session, and says what came of it.
_ACTOR = """
import json, sys
from secretly.errors import SecretlyError
from secretly.keeping.kernel_keyring import KernelKeyring
keyring = KernelKeyring()
print("ready", flush=True)
for line in sys.stdin:
    verb, arguments = json.loads(line)
    try:
        answer = [getattr(keyring, verb)(*arguments), ""]
    except SecretlyError as error:
        answer = [None, f"{error} ({error.hint})"]
    print(json.dumps(answer), flush=True)
"""

# Becomes the command line, in a fresh session keyring (KEYCTL_JOIN_SESSION_KEYRING).
_JOINED = """
import os, sys
from secretly.keeping import kernel_keyring
kernel_keyring._keyctl(1, None)
os.execvp(sys.argv[1], sys.argv[1:])
"""


# Whether there is a kernel keyring: a key in the process's own.
_PROBE = """
from secretly.keeping import kernel_keyring
try:
    kernel_keyring._add_key(b"user", b"canary", b"canary", -1)
    print(0)
except OSError as error:
    print(error.errno)
"""


class NotHeld(Exception):
    """The error of an :class:`Actor`."""


class Actor:
    """A process with a :class:`KernelKeyring`, which has the same methods."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._said = process, b""
        self._line()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._said:
            if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
                raise AssertionError("it does not answer")
            more = os.read(self._process.stdout.fileno(), 65536)
            if not more:
                raise EOFError("it has ended")
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return line

    def send(self, verb: str, *arguments: Any) -> None:
        """Tell it what to do."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([verb, arguments]).encode() + b"\n")
        self._process.stdin.flush()

    def receive(self) -> Any:
        """What came of what it was told to do."""
        answer, error = json.loads(self._line())
        if error:
            raise NotHeld(error)
        return answer

    def _told(self, verb: str, *arguments: Any) -> Any:
        self.send(verb, *arguments)
        return self.receive()

    def get(self, name: str, username: str) -> str | None:
        """What is held."""
        found: str | None = self._told("get", name, username)
        return found

    def hold(self, name: str, username: str, value: str, seconds: float) -> None:
        """Hold a secret."""
        self._told("hold", name, username, value, seconds)

    def drop(self, name: str | None = None, username: str | None = None) -> int:
        """Drop some."""
        found: int = self._told("drop", name, username)
        return found

    def held(self) -> list[tuple[str, str, str]]:
        """What is held."""
        return [(name, username, left) for name, username, left in self._told("held")]


class Kernel:
    """A user namespace, whose processes have a kernel keyring of their own."""

    def __init__(self, home: Home, pid: int) -> None:
        self.home, self._pid = home, pid

    def argv(self, *words: str, joined: bool = False, uid: int = 0) -> list[str]:
        """The command line that runs *words* in it.

        :param joined: in a fresh session keyring, which has no link to the user keyring.
        :param uid: as another user.
        """
        enter = ["nsenter", "--user", f"--target={self._pid}", "--preserve-credentials", "--"]
        if uid:
            # It still reaches the interpreter and the tests, wherever they are.
            files = "+dac_override,+dac_read_search"
            enter += ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
            enter += [f"--inh-caps={files}", f"--ambient-caps={files}", "--"]
        if joined:
            enter += [sys.executable, "-c", _JOINED]
        return [*enter, *words]

    @contextlib.contextmanager
    def actor(self, *before: str, joined: bool = False) -> Iterator[Actor]:
        """A process in it.

        :param before: what starts it.
        """
        words = [*before, sys.executable, "-c", _ACTOR]
        process = self.home.start(self.argv(*words, joined=joined), stderr=None)
        with ended(process):
            yield Actor(process)
            assert process.stdin is not None
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                process.stdin.close()
                process.wait(PATIENCE)  # so that what was covered is noted


@contextlib.contextmanager
def kernel(home: Home) -> Iterator[Kernel]:
    """A kernel keyring of one's own; the test is skipped where there can be none."""
    need("unshare", "nsenter", "setpriv")
    if os.geteuid() != 0:
        lacking("root, for a user namespace that has all users")
    process = home.start(["unshare", "--user", "sh", "-c", "echo ready; exec cat"])
    with ended(process):
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for kind in ("uid", "gid"):
            ours = Path(f"/proc/self/{kind}_map").read_text().splitlines()
            lines = [f"{inside} {inside} {count}" for inside, _, count in map(str.split, ours)]
            Path(f"/proc/{process.pid}/{kind}_map").write_text("\n".join(lines))
        found = Kernel(home, process.pid)
        answer = home.run_any(found.argv(sys.executable, "-c", _PROBE)).stdout.strip()
        if answer == str(errno.ENOSYS):
            lacking("a kernel with keyrings")
        if answer != "0":
            lacking(f"the kernel keyring: {os.strerror(int(answer))}")
        yield found


def lacking(what: str) -> None:
    """Skip the test; in CI that is a failure."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {what}")


def keys(name: str) -> list[list[str]]:
    """The lines of /proc/keys on the keys for *name*, in their columns."""
    lines = Path("/proc/keys").read_text().splitlines()
    columns = [line.split(maxsplit=8) for line in lines]
    return [one for one in columns if len(one) > 8 and one[8].startswith(f"{name}:")]
