"""Secrets that are held in memory, for a while: the kernel keyring itself, and its double."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import getpass
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from command import SECRETLY, Ended, ended, home, wait_until
from conftest import Tried, need
from hypothesis import given
from hypothesis import strategies as st
from kernelkeyring import Actor, Kernel, NotHeld, kernel, keys

from secretly import KeychainUnavailable, Refused, Secret, forget, remember, secret
from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.keeping import kernel_keyring, name_changes
from secretly.reference import parse
from secretly.resolving.obtain import obtain
from secretly.resolving.request import SecretRequest
from secretly.testing import FakePinentry, MemoryKeychain, MemorySession, sandbox

DIFFICULT = ("a b", "é€😀", "a=b;c:d", "100%41", "x" * 1000, "\t\n", "'\"\\", "/../", "#", "\udcff")

#: Does nothing, and shows that it has its secret.
SHOW = ("sh", "-c", 'echo "it has ${#X} characters"')

#: Has /dev/null in place of /proc/keys, as containers do it.
HIDDEN = ("unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /proc/keys && exec "$@"', "sh")

#: Looks whether memory is in use: then another process remembers a secret, and it looks again.
_LOOKS = """
import subprocess, sys
from secretly.config.model import Configuration
from secretly.resolving import lookup
from secretly.resolving.request import Context
context = Context(Configuration(), {}, None, None)
seen = [lookup.memory_in_use(context, 3600)]
hold = "from secretly.keeping.kernel_keyring import KernelKeyring as K; K().hold(*'abc', 60)"
subprocess.run([sys.executable, "-c", hold], check=True)
seen += [lookup.memory_in_use(context, 3600), lookup.memory_in_use(context)]
lookup._unused_since = lookup.time.monotonic()
import secretly.keeping.kernel_keyring
print(*seen, lookup.memory_in_use(context, 3600))
"""


@pytest.fixture(name="kernel")
def _kernel() -> Iterator[Kernel]:
    with home() as folder, kernel(folder) as found:
        yield found


@pytest.fixture(scope="module")
def shared() -> Iterator[Kernel]:
    """One for the tests that leave it as it was."""
    with home() as folder, kernel(folder) as found:
        yield found


@pytest.fixture
def name() -> str:
    """A name that no other test has: /proc/keys shows the keys of all of them."""
    return f"canary-{uuid.uuid4().hex}"


class HolderContract:
    """Tests that the kernel keyring and its double must pass."""

    @pytest.fixture
    def holder(self) -> Iterator[Any]:
        """The store to test, empty."""
        raise NotImplementedError

    def test_a_held_secret_is_found(self, holder: Any) -> None:
        """A secret is found by its name and user name, and by no other, whatever its text."""
        assert holder.get("name", "user") is None
        for text in (*DIFFICULT, "canary-\0-nul", "y" * 5000):
            holder.hold("name", "user", text, 60)
            assert holder.get("name", "user") == text
        assert holder.get("name", "") is None
        assert holder.get("", "user") is None
        assert holder.get("user", "name") is None

    def test_names_may_be_difficult(self, holder: Any) -> None:
        """Each name and user name has a secret of its own, whatever characters are in them."""
        pairs = [(one, other) for one in DIFFICULT[:4] for other in ("", *DIFFICULT)]
        for number, (one, other) in enumerate(pairs):
            holder.hold(one, other, f"canary-{number}", 60)
        for number, (one, other) in enumerate(pairs):
            assert holder.get(one, other) == f"canary-{number}"
        assert sorted((one, other) for one, other, _ in holder.held()) == sorted(pairs)

    def test_holding_again_replaces(self, holder: Any) -> None:
        """Holding a secret again replaces the one before, and its time."""
        holder.hold("name", "user", "canary-1", 3600)
        holder.hold("name", "user", "canary-2", 40)
        assert holder.get("name", "user") == "canary-2"
        ((_, _, left),) = holder.held()
        number, unit = left.split()
        assert unit == "s"
        assert 0 < int(number) <= 40

    def test_a_dropped_secret_is_gone(self, holder: Any) -> None:
        """One secret can be dropped, all of a name, or all; the result is how many."""
        for pair in (("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("c", "")):
            holder.hold(*pair, "canary", 60)
        assert holder.drop("a", "1") == 1
        assert holder.drop("a", "1") == 0
        assert [item[:2] for item in holder.held()] == [
            ("a", "2"),
            ("b", "1"),
            ("b", "2"),
            ("c", ""),
        ]
        assert holder.drop(None, "2") == 2
        assert [item[:2] for item in holder.held()] == [("b", "1"), ("c", "")]
        holder.hold("a", "2", "canary", 60)
        holder.hold("b", "2", "canary", 60)
        assert holder.drop("b") == 2
        assert [item[:2] for item in holder.held()] == [("a", "2"), ("c", "")]
        assert holder.drop() == 2
        assert holder.held() == []
        assert holder.drop() == 0
        assert holder.get("c", "") is None

    def test_a_secret_is_gone_when_its_time_is_over(self, holder: Any) -> None:
        """Then it is not found, listed or counted, and another can be held."""
        holder.hold("name", "user", "canary-1", 1)
        wait_until(lambda: holder.get("name", "user") is None, 10)
        assert holder.held() == []
        assert holder.drop() == 0
        holder.hold("name", "user", "canary-2", 60)
        assert holder.get("name", "user") == "canary-2"

    def test_a_fraction_of_a_second_ends(self, holder: Any) -> None:
        """The kernel counts whole seconds, and 0 means no end: fractions are rounded up."""
        holder.hold("name", "user", "canary-1", 0.1)
        wait_until(lambda: holder.held() == [], 10)

    def test_no_time_is_refused(self, holder: Any) -> None:
        """A time of 0 s or less is an error, and nothing is held."""
        for seconds in (0, -1, -0.5):
            with pytest.raises((NotHeld, KeychainUnavailable), match=kernel_keyring.TOO_SHORT):
                holder.hold("name", "user", "canary-1", seconds)
        assert holder.held() == []


class TestMemory(HolderContract):
    """The double."""

    @pytest.fixture
    def holder(self) -> Iterator[Any]:
        """A fresh one."""
        yield MemorySession()

    def test_an_absent_one_holds_nothing(self) -> None:
        """The double of a machine without a kernel keyring refuses to hold, and finds nothing."""
        holder = MemorySession(absent=True)
        with pytest.raises(KeychainUnavailable):
            holder.hold("name", "user", "canary-1", 60)
        assert (holder.get("name", "user"), holder.held(), holder.drop()) == (None, [], 0)


@pytest.mark.real
class TestKernelKeyring(HolderContract):
    """The real one."""

    @pytest.fixture
    def holder(self, shared: Kernel) -> Iterator[Actor]:
        """One in a process of its own."""
        with shared.actor() as actor:
            actor.drop()
            yield actor


@pytest.mark.real
class TestInAFreshSessionKeyring(HolderContract):
    """The real one, in a session keyring that has no link to the user keyring."""

    @pytest.fixture
    def holder(self, shared: Kernel) -> Iterator[Actor]:
        """One in a process of its own."""
        with shared.actor(joined=True) as actor:
            actor.drop()
            yield actor


# -- the kernel's own ------------------------------------------------------------


@pytest.mark.real
def test_another_login_session_finds_it(kernel: Kernel) -> None:
    """A secret is found whatever the session keyring; without the link, reading it is refused."""
    plain = """
        import sys; from secretly.keeping import kernel_keyring as s
        s._keyctl(1, None)
        key = s._keyctl(s._SEARCH, s._USER, b"user", b"name:user", 0)
        try: print(s._read(key))
        except OSError as error: print(error.errno)
    """
    script = "\n".join(map(str.strip, plain.strip().splitlines()))
    with kernel.actor() as one, kernel.actor(joined=True) as other:
        one.hold("name", "user", "canary-1", 60)
        assert other.get("name", "user") == "canary-1"
        done = kernel.home.run_any(kernel.argv(sys.executable, "-c", script))
        assert done.stdout == f"{errno.EACCES}\n"  # the missing link, seen by who does not add it
        other.hold("name", "user", "canary-2", 60)
        assert one.get("name", "user") == "canary-2"
        assert other.drop() == 1
        assert one.get("name", "user") is None


@pytest.mark.real
def test_no_link_remains(kernel: Kernel) -> None:
    """Neither the process nor its children have more in their keyrings than before."""
    script = (
        "from secretly.keeping import kernel_keyring as s; S = s.KernelKeyring()\n"
        "S.hold('name', 'user', 'canary-1', 60); S.get('name', 'user'); S.held()\n"
        "S.drop('name', 'x')\n"
        "print(len(s._read(s._THREAD)))\n"
    )
    assert kernel.home.run_any(kernel.argv(sys.executable, "-c", script)).stdout == "0\n"


@pytest.mark.real
def test_all_start_at_the_same_time(kernel: Kernel) -> None:
    """Whichever process makes the keyring, no secret is lost."""
    with contextlib.ExitStack() as stack:
        actors = [stack.enter_context(kernel.actor()) for _ in range(6)]
        for turn in range(20):
            for number, actor in enumerate(actors):
                actor.send("hold", f"name-{number}", "user", "canary", 60)
            for actor in actors:
                actor.receive()
            assert actors[0].drop() == len(actors), turn


@pytest.mark.real
def test_the_first_of_several_at_the_same_time(kernel: Kernel, tmp_path: Path) -> None:
    """A keyring that another process has just made is used, not replaced."""
    need("strace")
    # The second one stands still between its look for the keyring and its own.
    slow = ["strace", "-f", "-o", "/dev/null", "-e", "inject=add_key:delay_enter=2000000:when=1"]
    with kernel.actor(*slow) as late, kernel.actor() as early:
        late.send("hold", "late", "user", "canary-late", 60)
        time.sleep(0.2)
        early.hold("early", "user", "canary-early", 60)
        late.receive()
        assert [item[0] for item in early.held()] == ["early", "late"]


@pytest.mark.real
def test_an_old_kernel_cannot_move_keys(kernel: Kernel) -> None:
    """Before Linux 5.3 secretly links the keyring instead."""
    need("strace")
    old = ["strace", "-f", "-o", "/dev/null", "-e", "inject=keyctl:error=EOPNOTSUPP:when=2"]
    with kernel.actor(*old) as actor, kernel.actor() as other:
        actor.hold("name", "user", "canary-1", 60)
        assert other.get("name", "user") == "canary-1"


@pytest.mark.real
def test_locked_while_others_read(kernel: Kernel) -> None:
    """During ``lock`` a reader gets the secret or nothing, never an error; after it, nothing."""
    with kernel.actor() as reader, kernel.actor() as writer:
        seen = set()
        for _ in range(30):
            for number in range(5):
                writer.hold(f"name-{number}", "user", "canary-1", 60)
            for number in range(5):
                reader.send("get", f"name-{number}", "user")
            writer.send("drop")
            seen.update(reader.receive() for _ in range(5))
            assert writer.receive() == 5
            assert reader.get("name-0", "user") is None
            assert reader.held() == []
        assert seen <= {"canary-1", None}


@pytest.mark.real
def test_a_key_that_is_linked_elsewhere_is_revoked(kernel: Kernel) -> None:
    """After ``lock``, a key that another program has linked is unreadable there too."""
    script = """
        import sys; from secretly.keeping import kernel_keyring as s
        ring = s._find(); key = s._keyctl(s._SEARCH, ring, b"user", b"name:user", -1)
        print(len(s._read(key)), flush=True); sys.stdin.readline()
        try: print(s._read(key))
        except OSError as error: print(error.errno)
    """
    script = "\n".join(map(str.strip, script.strip().splitlines()))
    with kernel.actor() as actor:
        actor.hold("name", "user", "canary-1", 60)
        thief = kernel.home.start(kernel.argv(sys.executable, "-c", script))
        with ended(thief):
            assert thief.stdout is not None
            assert thief.stdin is not None
            assert thief.stdout.readline() == b"8\n"
            assert actor.drop() == 1
            thief.stdin.write(b"\n")
            thief.stdin.flush()
            assert thief.stdout.readline() == b"%d\n" % errno.EKEYREVOKED


@pytest.mark.real
def test_a_ring_that_was_revoked_is_replaced(kernel: Kernel) -> None:
    """A revoked keyring counts as missing."""
    script = "from secretly.keeping import kernel_keyring as s; s._keyctl(s._REVOKE, s._find())"
    with kernel.actor() as actor:
        actor.hold("name", "user", "canary-1", 60)
        assert kernel.home.run_any(kernel.argv(sys.executable, "-c", script)).status == 0
        assert actor.get("name", "user") is None
        assert actor.held() == []
        actor.hold("name", "user", "canary-2", 60)
        assert actor.get("name", "user") == "canary-2"
        assert actor.drop() == 1


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("call", ["add_key", "keyctl"])
def test_killed_between_the_calls(call: str, kernel: Kernel, name: str, tried: Tried) -> None:
    """After kill -9 at any call, each remaining key has an end, and the next process works."""
    need("strace")
    number, over = 0, False
    while not over:
        number += 1
        started = time.monotonic()
        kill = ["strace", "-f", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={number}"]
        with kernel.actor(*kill) as actor:
            actor.send("hold", name, "user", "canary-1", 3600)
            with contextlib.suppress(EOFError):
                actor.receive()
                over = True
        wait_until(lambda: all(one[3] != "perm" for one in keys(name)))
        with kernel.actor() as actor:
            actor.hold(name, "user", "canary-2", 60)
            assert actor.get(name, "user") == "canary-2"
            assert actor.drop() == 1
        if not over:
            what = f"killed by KILL at {call} {number} of holding a secret"
            tried("the kernel keyring", what, "no key without an end", time.monotonic() - started)
    assert number > {"add_key": 2, "keyctl": 6}[call]  # each was in its turn


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("number", [4, 5, 6])
def test_killed_while_it_locks(number: int, kernel: Kernel, tried: Tried) -> None:
    """After kill -9 during ``lock``, nothing is held, not even keys that it had not reached."""
    need("strace")
    started = time.monotonic()
    kill = ["strace", "-f", "-o", "/dev/null", "-e", f"inject=keyctl:signal=KILL:when={number}"]
    with kernel.actor(*kill) as locking, kernel.actor() as other:
        for one in range(5):
            other.hold(f"name-{one}", "user", "canary-1", 60)
        locking.send("drop")
        with pytest.raises(EOFError):
            locking.receive()
        assert other.held() == []
        assert [other.get(f"name-{one}", "user") for one in range(5)] == [None] * 5
    what = f"killed by KILL at keyctl {number} of lock"
    tried("the kernel keyring", what, "nothing held", time.monotonic() - started)


@pytest.mark.real
def test_a_full_quota_is_a_warning(name: str, tried: Tried) -> None:
    """The warning says so, the command gets its secret, and older ones are still found."""
    uid = 1_000_000_000 + uuid.uuid4().int % 1_000_000_000
    fill = (
        "from secretly.keeping import kernel_keyring as s\n"
        "try:\n"
        "    for number in range(10_000):\n"
        "        s._add_key(b'user', b'canary-%d' % number, b'x' * 50, s._USER)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
    )
    started = time.monotonic()
    with home() as folder, kernel(folder) as found, FakePinentry(["canary-1", "canary-2"]) as asked:
        for path in (folder.folder, asked.path.parent):
            for each in (path, *path.rglob("*")):
                shutil.chown(each, uid, uid)

        def run(*words: str) -> Ended:
            return folder.run_any(found.argv(*words, uid=uid), environ=asked.environ)

        first = run(*SECRETLY, "run", "--remember=1h", "-e", f"X={name}", *SHOW)
        assert (first.status, first.stdout) == (0, "it has 8 characters\n"), first.stderr
        assert run(sys.executable, "-c", fill).stdout == f"{errno.EDQUOT}\n"
        done = run(*SECRETLY, "run", "--remember=1h", "-e", f"X={name}-2", *SHOW)
        assert (done.status, done.stdout) == (0, "it has 8 characters\n")
        assert str(kernel_keyring._unavailable(OSError(errno.EDQUOT, ""))) in done.stderr
        again = run(*SECRETLY, "run", "--no-input", "-e", f"X={name}", *SHOW)
        assert (again.status, again.stdout) == (0, "it has 8 characters\n")
        assert run(*SECRETLY, "lock").stdout == "dropped 1 secret from memory\n"
    tried("the kernel keyring", "the user's share used up", "said", time.monotonic() - started)


@pytest.mark.real
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM", "EACCES", "EDQUOT", "ENOMEM"])
def test_a_kernel_that_refuses_is_a_warning(
    error: str, kernel: Kernel, name: str, tried: Tried
) -> None:
    """The warning says why; the command gets its secret, and the next one asks again."""
    why = str(kernel_keyring._unavailable(OSError(getattr(errno, error), "")))
    need("strace")
    inject = [f"-einject={call}:error={error}" for call in ("add_key", "keyctl")]
    words = [*SECRETLY, "run", "--remember=15m", "-e", f"X={name}", *SHOW]
    with FakePinentry(["canary-1", "canary-2"]) as asked:
        for calls in (inject, inject[:1]):  # of both, or of add_key alone
            started = time.monotonic()
            argv = kernel.argv("strace", "-f", "-o", "/dev/null", *calls, *words)
            done = kernel.home.run_any(argv, environ=asked.environ)
            took = time.monotonic() - started
            assert (done.status, done.stdout) == (0, "it has 8 characters\n"), done.stderr
            assert name in done.stderr
            assert why in done.stderr
        assert len(asked.prompts) == 2
    tried("the kernel keyring", f"{error} from the kernel", "said; asked each time", took)


@pytest.mark.real
def test_without_it_nothing_is_held(kernel: Kernel) -> None:
    """``list`` and ``lock`` report nothing held; ``lock`` fails if the kernel does not allow it."""
    need("strace")

    def run(error: str, *words: str) -> Ended:
        before = ["strace", "-f", "-o", "/dev/null", f"-einject=keyctl:error={error}"]
        return kernel.home.run_any(kernel.argv(*before, *SECRETLY, *words))

    with kernel.actor() as actor:
        actor.hold("name", "user", "canary-1", 60)
        assert run("ENOSYS", "lock")[:2] == (0, "dropped 0 secrets from memory\n")
        refused = run("EPERM", "lock")
        assert refused.status == 1
        assert "kernel keyring" in refused.stderr
        listed = run("EPERM", "list")
        assert (listed.status, listed.stderr) == (0, "")
        assert "memory" not in listed.stdout
        assert actor.held() != []


@pytest.mark.process
@pytest.mark.parametrize(
    "first",
    [
        "sys.platform = 'darwin'",
        "sys.modules['ctypes'] = None",
        "os.uname = lambda: os.uname_result(['Linux', '', '', '', 'pdp11'])",
    ],
)
def test_another_system(first: str) -> None:
    """macOS, a Python without ctypes and an unknown machine have no kernel keyring."""
    script = (
        f"import os, sys\n{first}\n"
        "from secretly.keeping.kernel_keyring import KernelKeyring\n"
        "from secretly.errors import SecretlyError\n"
        "S = KernelKeyring()\n"
        "print(S.get('a', 'b'), S.held(), S.drop())\n"
        "try: S.hold('a', 'b', 'canary', 60)\n"
        "except SecretlyError as error: print(error, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    found, error = done.stdout.splitlines()
    assert found == "None [] 0", done.stderr
    assert "kernel keyring" in error
    assert "--remember" in error


@pytest.mark.real
def test_too_long_a_name_or_secret_is_an_error(shared: Kernel) -> None:
    """The kernel refuses a name of more than 4,095 bytes, and a secret of more than 32,767."""
    with shared.actor() as actor:
        actor.hold("name", "user", "x" * 32_767, 60)
        assert actor.get("name", "user") == "x" * 32_767
        for name, value in (("x" * 5000, "canary"), ("name", "x" * 32_768)):
            with pytest.raises(NotHeld, match="too long"):
                actor.hold(name, "user", value, 60)
        assert actor.drop() == 1


@pytest.mark.real
def test_the_longest_time(shared: Kernel, name: str) -> None:
    """A time that the kernel's number can't hold is shortened, and stays long."""
    with shared.actor() as actor:
        for seconds in (2.0**31, 2.0**32, 2.0**32 + 1, 1e15):
            actor.hold(name, "user", "canary", seconds)
            (found,) = [one for one in keys(name) if one[3] != "expd" and "R" not in one[1]]
            assert found[3].endswith("w")
            assert int(found[3][:-1]) > 50 * 52
            assert actor.held() == [(name, "user", f"{found[3][:-1]} w")]
            assert actor.drop() == 1


@given(st.text(), st.text())
def test_descriptions_are_read_back(one: str, other: str) -> None:
    """Whatever the names are, a description is one ASCII word and gives them back."""
    for text in (one, other):
        with contextlib.suppress(UnicodeEncodeError):
            text.encode("utf-8", "surrogateescape")
            escaped = kernel_keyring._escaped(text)
            assert kernel_keyring._unescaped(escaped) == text
            assert escaped.isascii()
            assert not set(escaped) & set(b" :\n\0\x7f")


# -- the command -----------------------------------------------------------------


def run(kernel: Kernel, *words: str, asked: FakePinentry | None = None, **more: Any) -> Ended:
    """Run the command in the namespace, to its end."""
    argv = kernel.argv(*SECRETLY, *words, **more)
    return kernel.home.run_any(argv, environ=asked.environ if asked else None)


@pytest.mark.real
def test_a_typed_secret_is_remembered(kernel: Kernel) -> None:
    """A secret typed with ``--remember=15m`` is found by the next command, without a prompt."""
    words = ("-e", "X=Name", *SHOW)
    with FakePinentry(["canary-1"]) as asked:
        first = run(kernel, "run", "--remember=15m", *words, asked=asked)
        assert (first.status, first.stdout, first.stderr) == (0, "it has 8 characters\n", "")
        for options in ([], ["--no-input"]):
            for joined in (False, True):
                done = run(kernel, "run", "-v", *options, *words, asked=asked, joined=joined)
                assert (done.status, done.stdout) == (0, "it has 8 characters\n")
                assert "X: Name (memory)" in done.stderr
        assert len(asked.prompts) == 1
        assert run(kernel, "get", "Name").stdout == "canary-1\n"
        dry = run(kernel, "run", "--dry-run", *words)
        assert "X: Name from memory\n" in dry.stdout
        listed = run(kernel, "list").stdout
        assert re.search(r"^Name      in memory, 1[45] min left$", listed, re.M)
        assert run(kernel, "lock").stdout == "dropped 1 secret from memory\n"
        assert run(kernel, "lock") == (0, "dropped 0 secrets from memory\n", "")
        assert "Name" not in run(kernel, "list").stdout
        none = run(kernel, "run", "--no-input", *words)
        assert none.status == 125
        done = run(kernel, "run", *words, asked=asked)
        assert len(asked.prompts) == 2


@pytest.mark.outside
@pytest.mark.real
def test_the_configuration_can_remember(kernel: Kernel) -> None:
    """``remember = "1h"`` holds each of two that are typed; ``--no-remember`` does not."""
    kernel.home.configure(
        '[secrets.One]\nremember = "1h"\n[secrets.Two]\nremember = "2h"\nusername = "ada"\n'
    )
    words = ("-e", "X=One", "-e", "Y=Two", *SHOW)
    with FakePinentry(["canary-1", "canary-2", "canary-3", "canary-4"]) as asked:
        assert run(kernel, "run", "--no-remember", *words, asked=asked).status == 0
        assert "memory" not in run(kernel, "list").stdout
        assert run(kernel, "run", *words, asked=asked).status == 0
        assert run(kernel, "run", "--no-input", *words).status == 0
        listed = run(kernel, "list").stdout
        assert re.search(r"^One       in memory, (59 min|1 h) left$", listed, re.M)
        assert re.search(r"^Two       in memory, [12] h left$", listed, re.M)
        assert re.search(r"^PyPI      not stored", listed, re.M)
        assert run(kernel, "get", "Two").stdout == "canary-4\n"
        assert run(kernel, "get", "Two#username").stdout == "ada\n"
        assert run(kernel, "lock").stdout == "dropped 2 secrets from memory\n"


@pytest.mark.outside
@pytest.mark.real
def test_asked_again_when_the_time_is_over(kernel: Kernel) -> None:
    """The kernel has dropped the secret, so the next command asks."""
    words = ("run", "--remember=1s", "-e", "X=Name", *SHOW)
    with FakePinentry(["canary-1", "canary-22"]) as asked, kernel.actor() as actor:
        assert run(kernel, *words, asked=asked).stdout == "it has 8 characters\n"
        wait_until(lambda: actor.held() == [], 10)
        assert run(kernel, *words, asked=asked).stdout == "it has 9 characters\n"
        assert len(asked.prompts) == 2


@pytest.mark.outside
@pytest.mark.real
def test_make_with_two_jobs_asks_once(kernel: Kernel) -> None:
    """After its turn to prompt comes, the second job finds the secret that the first remembered."""
    need("make")
    one = [*SECRETLY, "run", "--remember=15m", "-e", "X=Name", "/bin/sh", "-c", 'echo "got $$X;"']
    rule = f"a b:\n\t@{shlex.join(one)}\n"
    (kernel.home.folder / "Makefile").write_text(
        f"SHELL = /bin/sh\n.PHONY: all a b\nall: a b\n{rule}"
    )
    label = wording.entry_label(wording.secret_label("Name"))
    environ = {"PATH": str(kernel.home.programs)}
    make = kernel.argv(str(shutil.which("make")), "--jobs=2", "all")
    with kernel.home.terminal([str(shutil.which(make[0])), *make[1:]], environ=environ) as terminal:
        terminal.expect(label)
        terminal.wait_for_prompt()
        wait_until(lambda: terminal.opened_by("python") == 2)
        terminal.type("canary-1\n")
        assert terminal.wait() == 0
        assert terminal.screen.count(label) == 1
        assert terminal.screen.count("got canary-1;") == 2


@pytest.mark.real
def test_a_remembered_secret_takes_precedence(kernel: Kernel) -> None:
    """It was typed after the stored one; storing later, also by ``--remember``, replaces it."""
    path = kernel.home.keep_in_a_file()
    words = ("-e", "X=Name", *SHOW)
    with FakePinentry(["canary-22", "canary-333", "canary-4444"]) as asked:
        for value in ("canary-1", "canary-55555"):
            argv = kernel.argv(*SECRETLY, "set", "Name", "--stdin")
            assert kernel.home.run_any(argv, stdin=value).status == 0
            assert run(kernel, "run", *words).stdout == f"it has {len(value)} characters\n"
            assert "memory" not in run(kernel, "list").stdout
            run(kernel, "run", "--ask", "--remember=15m", *words, asked=asked)
            held = f"it has {9 + (value != 'canary-1')} characters\n"
            assert run(kernel, "run", *words).stdout == held
        listed = run(kernel, "list").stdout
        assert re.search(r"^Name      in memory, 1[45] min left; the keychain, user", listed, re.M)
        run(kernel, "run", "--ask", "--remember", *words, asked=asked)
        assert len(asked.prompts) == 3
        assert run(kernel, "run", *words).stdout == "it has 11 characters\n"
        assert run(kernel, "lock").stdout == "dropped 0 secrets from memory\n"
        assert list(json.loads(path.read_text()).values()) == ["canary-4444"]


@pytest.mark.real
def test_forget_drops_it_too(kernel: Kernel) -> None:
    """With or without a keychain; a failing keychain's entry stays on the list."""
    for keychain in (False, True):
        if keychain:
            kernel.home.keep_in_a_file()
        with FakePinentry(["canary-1"]) as asked:
            run(kernel, "run", "--remember=15m", "-e", "X=Name", *SHOW, asked=asked)
        forgot = run(kernel, "forget", "Name")
        assert (forgot.status, forgot.stdout) == (0, "forgot Name\n"), forgot.stderr
        assert run(kernel, "lock").stdout == "dropped 0 secrets from memory\n"
        assert run(kernel, "forget", "Name").status == 1
    argv = kernel.argv(*SECRETLY, "set", "Name", "--stdin")
    assert kernel.home.run_any(argv, stdin="canary-1").status == 0
    with FakePinentry(["canary-2"]) as asked:
        run(kernel, "run", "--ask", "--remember=15m", "-e", "X=Name", *SHOW, asked=asked)
    broken = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    done = kernel.home.run_any(kernel.argv(*SECRETLY, "forget", "Name"), environ=broken)
    assert done.status == 1
    assert run(kernel, "lock").stdout == "dropped 0 secrets from memory\n"


@pytest.mark.outside
@pytest.mark.real
def test_its_use_is_confirmed(kernel: Kernel) -> None:
    """If configured, its use is confirmed, as for any stored secret."""
    words = ("run", "--confirm", "-e", "X=Name", *SHOW)
    with FakePinentry(["canary-1", True, False]) as asked:
        run(kernel, "run", "--remember=15m", *words[1:], asked=asked)
        assert run(kernel, *words, asked=asked).status == 0
        assert run(kernel, *words, asked=asked).status == 130
        assert len(asked.prompts) == 3
        question = wording.confirm_use_text("Name", wording.place("memory"), "")
        assert asked.prompts[1]["SETDESC"].startswith(question)
        assert run(kernel, *words, "--no-input").status == 125


@pytest.mark.real
def test_a_held_secret_is_found_without_proc_keys(kernel: Kernel) -> None:
    """A container may hide /proc/keys: the secret is found, and only its time is unknown."""
    with FakePinentry(["canary-1"]) as asked:
        for _ in range(2):
            argv = kernel.argv(*HIDDEN, *SECRETLY, "run", "--remember=1h", "-e", "X=Name", *SHOW)
            done = kernel.home.run_any(argv, environ=asked.environ)
            assert (done.status, done.stdout) == (0, "it has 8 characters\n"), done.stderr
        assert len(asked.prompts) == 1
    listed = kernel.home.run_any(kernel.argv(*HIDDEN, *SECRETLY, "list")).stdout
    assert "Name      in memory\n" in listed


@pytest.mark.outside
@pytest.mark.real
def test_the_module_is_loaded_only_if_secrets_are_held(kernel: Kernel) -> None:
    """A user who holds no secrets does not pay for loading it."""
    uid = 1_000_000_000 + uuid.uuid4().int % 1_000_000_000
    kernel.home.keep_in_a_file()
    script = (
        "import sys; from secretly.cli import main; status = main(sys.argv[1:])\n"
        "print(status, 'secretly.keeping.kernel_keyring' in sys.modules)\n"
    )
    hold = (
        "from secretly.keeping.kernel_keyring import KernelKeyring;"
        "KernelKeyring().hold('Other', 'user', 'canary', 60)"
    )
    kept = {json.dumps(["Name", str(uid)]): "canary-1"}
    (kernel.home.folder / "keychain.json").write_text(json.dumps(kept))

    def run(*words: str) -> str:
        done = kernel.home.run_any(kernel.argv(sys.executable, *words, uid=uid))
        assert done.status == 0, done.stderr
        return done.stdout

    assert run("-c", script, "get", "Name") == "canary-1\n0 False\n"
    run("-c", hold)
    assert run("-c", script, "get", "Name") == "canary-1\n0 True\n"
    run(
        "-c",
        "from secretly.keeping.kernel_keyring import KernelKeyring;"
        "assert KernelKeyring().drop('Other') == 1",
    )
    assert run("-c", script, "get", "Name") == "canary-1\n0 False\n"


@pytest.mark.outside
@pytest.mark.real
def test_a_held_secret_is_in_no_file(kernel: Kernel) -> None:
    """No file has the secret, and only the command has it in its environment."""
    secret = f"canary-{uuid.uuid4().hex}"
    with FakePinentry([secret]) as asked:
        run(kernel, "run", "--remember=15m", "-e", "X=Name", *SHOW, asked=asked)
        lines = b"\n".join(asked.lines).decode()
    shown = [run(kernel, *words) for words in (["list"], ["run", "-v", "-e", "X=Name", *SHOW])]
    assert secret not in f"{lines} {shown} {Path('/proc/keys').read_text()}"
    for path in kernel.home.folder.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


# -- the library -----------------------------------------------------------------


@pytest.mark.process
def test_the_library_holds_for_a_timedelta(caplog: pytest.LogCaptureFixture) -> None:
    """The next call finds the secret, until ``forget`` or the end of its time."""
    with FakePinentry(["canary-1", "canary-2", "canary-3"]) as asked, sandbox(asked) as here:

        async def main() -> list[str]:
            found = []
            for time_left in (timedelta(minutes=15), timedelta(seconds=1)):
                found.append(await secret("Name", remember=time_left))
                if time_left.seconds > 1:
                    found.append(await secret("Name"))
                    assert await forget("Name") is True
                    assert await forget("Name") is False
                while here.memory.held():
                    await asyncio.sleep(0.01)
            return [str(one) for one in (*found, await secret("Name"))]

        found = asyncio.run(asyncio.wait_for(main(), 60))
        assert found == ["canary-1", "canary-1", "canary-2", "canary-3"]
        assert here.keychain.items == {}
        assert not caplog.records


@pytest.mark.process
def test_the_library_warns_if_it_cannot_hold_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """The library logs a warning, returns the secret, and asks again the next time."""
    absent = MemorySession(absent=True)
    with FakePinentry(["canary-1", "canary-2"]) as asked, sandbox(asked, session=absent):
        for value in ("canary-1", "canary-2"):
            found = asyncio.run(secret("Name", remember=timedelta(minutes=15)))
            assert str(found) == value
        warned = [record.getMessage() for record in caplog.records]
        assert len(warned) == 2
        assert all("Name" in line and "kernel keyring" in line for line in warned)


@pytest.mark.process
def test_only_an_accepted_secret_is_held() -> None:
    """``verify`` runs before a secret is held, and again when it is found."""
    accepted = {"canary-2"}

    def verify(value: Secret) -> bool:
        return str(value) in accepted

    with FakePinentry(["canary-1", "canary-2", "canary-3"]) as asked, sandbox(asked) as here:
        for want, prompts in (("canary-2", 2), ("canary-2", 2), ("canary-3", 3)):
            accepted.add(want)
            if want == "canary-3":
                accepted.discard("canary-2")
            found = asyncio.run(secret("Name", remember=timedelta(hours=1), verify=verify))
            assert str(found) == want
            assert len(asked.prompts) == prompts
            assert here.memory.get("Name", getpass.getuser()) == want
        error = unescape(asked.prompts[2]["SETERROR"].encode()).decode()
        assert error == wording.not_accepted("Name")


@pytest.mark.parametrize("kept", [True, False])
def test_a_refused_held_secret_gives_way_to_the_stored_one(kept: bool) -> None:
    """The held secret is dropped, and the keychain is tried before a prompt."""
    keychain = MemoryKeychain()
    me = getpass.getuser()
    if kept:
        keychain.items["Name", me] = Secret("canary-kept")
    with sandbox(keychain=keychain) as here:  # secretly can't ask
        here.memory.hold("Name", me, "canary-held", 60)
        call = secret("Name", verify=lambda value: str(value) != "canary-held")
        if kept:
            assert str(asyncio.run(call)) == "canary-kept"
        else:
            with pytest.raises(Refused, match="Name from memory"):
                asyncio.run(call)
        assert here.memory.held() == []


def test_a_secret_with_a_source_is_not_held(caplog: pytest.LogCaptureFixture) -> None:
    """A held secret of that name is not used in place of the source, either."""
    config = '[secrets.Name]\nsource = "env://TOKEN"\n'
    environ = {"TOKEN": "canary-source"}
    with sandbox(config=config, environ=environ) as here:
        here.memory.hold("Name", getpass.getuser(), "canary-held", 60)
        assert str(asyncio.run(secret("Name"))) == "canary-source"


@pytest.mark.process
def test_a_locked_keychain_is_not_waited_for() -> None:
    """The held secret is found first: else each use would make the desktop ask for a password."""
    keychain = MemoryKeychain(locked=True)
    with FakePinentry(["canary-1"]) as asked, sandbox(asked, keychain) as here:
        for _ in range(2):
            found = asyncio.run(secret("Name", remember=timedelta(hours=1)))
            assert str(found) == "canary-1"
        assert "locked" in asked.prompts[0]["SETERROR"]
        assert len(asked.prompts) == 1
        assert asyncio.run(forget("Name")) is True
        with pytest.raises(KeychainUnavailable):
            asyncio.run(forget("Name"))
        # What the list says that the locked one has is not forgotten by dropping another.
        name_changes.add(here.stored_names, "Name", getpass.getuser(), False)
        here.memory.hold("Name", getpass.getuser(), "canary-2", 60)
        with pytest.raises(KeychainUnavailable):
            asyncio.run(forget("Name"))
        assert here.memory.held() == []


def test_a_held_wider_secret_does_not_replace_a_locked_narrower_one() -> None:
    """The same holds for a secret from a source."""
    me = getpass.getuser()
    with sandbox(keychain=MemoryKeychain(locked=True)) as here:
        here.memory.hold("Name", me, "canary-wide", 60)
        wish = SecretRequest(parse("Name"), names=("Name/demo",))
        assert str(asyncio.run(obtain(wish, here)).secret) == "canary-wide"
        name_changes.add(here.stored_names, "Name/demo", me, False)
        with pytest.raises(KeychainUnavailable):
            asyncio.run(obtain(wish, here))
        here.memory.hold("Name/demo", me, "canary-narrow", 60)
        assert str(asyncio.run(obtain(wish, here)).secret) == "canary-narrow"


def test_storing_later_replaces_the_held_secret() -> None:
    """``remember`` stores in the keychain, and drops the held secret."""
    with sandbox() as here:
        here.memory.hold("Name", getpass.getuser(), "canary-held", 60)
        here.memory.hold("Name", "ada", "canary-other", 60)
        asyncio.run(remember("Name", "canary-kept"))
        assert str(asyncio.run(secret("Name"))) == "canary-kept"
        assert str(asyncio.run(secret("Name", username="ada"))) == "canary-other"


@pytest.mark.real
def test_a_look_counts_for_a_moment_in_a_process_that_remembers_nothing(kernel: Kernel) -> None:
    """Calls at the same time share a look. One that has loaded the keyring looks each time."""
    done = kernel.home.run_any(kernel.argv(sys.executable, "-c", _LOOKS))
    assert (done.stdout, done.stderr) == ("False False True True\n", "")
