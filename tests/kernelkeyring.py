"""Give a test a real kernel keyring of its own, empty at the start and deleted at the end.

Each user namespace has its own user keyrings, so a test neither finds nor touches the keys of the
user's other programs.
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

# Calls the methods of a KernelKeyring that stdin names, and prints each result or error.
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

# Joins a fresh session keyring (KEYCTL_JOIN_SESSION_KEYRING), then executes the command line.
_JOINED = """
import os, sys
from secretly.keeping import kernel_keyring
kernel_keyring._keyctl(1, None)
os.execvp(sys.argv[1], sys.argv[1:])
"""

# Adds a key to the process keyring, and prints 0, or the errno if the kernel has no keyrings.
_PROBE = """
from secretly.keeping import kernel_keyring
try:
    kernel_keyring._add_key(b"user", b"canary", b"canary", -1)
    print(0)
except OSError as error:
    print(error.errno)
"""


class NotHeld(Exception):
    """The error that a method of an :class:`Actor` raises."""


class Actor:
    """A process with a :class:`KernelKeyring`. The actor has the keyring's methods."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._said = process, b""
        self._line()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._said:
            if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
                raise AssertionError("the process does not answer")
            more = os.read(self._process.stdout.fileno(), 65536)
            if not more:
                raise EOFError("the process has ended")
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return line

    def send(self, verb: str, *arguments: Any) -> None:
        """Tell the process to call a method."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([verb, arguments]).encode() + b"\n")
        self._process.stdin.flush()

    def receive(self) -> Any:
        """Return the result of the called method, or raise its error."""
        answer, error = json.loads(self._line())
        if error:
            raise NotHeld(error)
        return answer

    def _told(self, verb: str, *arguments: Any) -> Any:
        self.send(verb, *arguments)
        return self.receive()

    def get(self, name: str, username: str) -> str | None:
        """Return the held secret, if any."""
        value: str | None = self._told("get", name, username)
        return value

    def hold(self, name: str, username: str, value: str, seconds: float) -> None:
        """Hold a secret."""
        self._told("hold", name, username, value, seconds)

    def drop(self, name: str | None = None, username: str | None = None) -> int:
        """Drop the secrets that match, and return their number."""
        count: int = self._told("drop", name, username)
        return count

    def held(self) -> list[tuple[str, str, str]]:
        """Return the name, user name and remaining time of each held secret."""
        return [(name, username, left) for name, username, left in self._told("held")]


class Kernel:
    """A user namespace, whose processes have their own kernel keyring."""

    def __init__(self, home: Home, pid: int) -> None:
        self.home, self._pid = home, pid

    def argv(self, *words: str, joined: bool = False, uid: int = 0) -> list[str]:
        """Return the command line that runs *words* in the namespace.

        :param joined: use a fresh session keyring, which has no link to the user keyring.
        :param uid: run as this user.
        """
        enter = ["nsenter", "--user", f"--target={self._pid}", "--preserve-credentials", "--"]
        if uid:
            # The other user can still reach the interpreter and the tests in any folder.
            files = "+dac_override,+dac_read_search"
            enter += ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
            enter += [f"--inh-caps={files}", f"--ambient-caps={files}", "--"]
        if joined:
            enter += [sys.executable, "-c", _JOINED]
        return [*enter, *words]

    @contextlib.contextmanager
    def actor(self, *before: str, joined: bool = False) -> Iterator[Actor]:
        """Start an actor in the namespace.

        :param before: words that start the actor's interpreter.
        """
        words = [*before, sys.executable, "-c", _ACTOR]
        process = self.home.start(self.argv(*words, joined=joined), stderr=None)
        with ended(process):
            yield Actor(process)
            assert process.stdin is not None
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                process.stdin.close()
                process.wait(PATIENCE)  # so that coverage saves its data


@contextlib.contextmanager
def kernel(home: Home) -> Iterator[Kernel]:
    """Make a kernel keyring for the test, or skip the test if the kernel doesn't allow that."""
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
        namespace = Kernel(home, process.pid)
        answer = home.run_any(namespace.argv(sys.executable, "-c", _PROBE)).stdout.strip()
        if answer == str(errno.ENOSYS):
            lacking("a kernel with keyrings")
        if answer != "0":
            lacking(f"the kernel keyring: {os.strerror(int(answer))}")
        yield namespace


def lacking(what: str) -> None:
    """Skip the test, or fail in CI."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {what}")


def keys(name: str) -> list[list[str]]:
    """Return the lines of /proc/keys about the keys for *name*, split into columns."""
    lines = Path("/proc/keys").read_text().splitlines()
    rows = [line.split(maxsplit=8) for line in lines]
    return [row for row in rows if len(row) > 8 and row[8].startswith(f"{name}:")]
