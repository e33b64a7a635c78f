"""What other processes of the same user can see of the command that waits, and of its end."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from command import SECRETLY, Home, ended, home, wait_until
from conftest import Tried
from nobody import give, nobody

from secretly.testing import FakePinentry

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="as Linux has it"),
]

FIRST, INHERITED = "canary-first", "canary-inherited"

HANG = [("hang", False)]

#: The library asking for two secrets, in a program of its own: the second prompt waits.
LIBRARY = [
    sys.executable,
    "-c",
    "import asyncio, secretly\n"
    "async def main():\n"
    "    first = await secretly.secret('First')\n"
    "    second = await secretly.secret('Second')\n"
    "asyncio.run(main())",
]
COMMAND = [*SECRETLY, "run", "-e", "A=First", "-e", "B=Second", "true"]

#: Starts a command line, and when it is told to, tries to look into it. It is the parent, as
#: With Yama (ptrace_scope 1) only an ancestor may trace: the looker is one.
_LOOKER = r"""
import ctypes, json, os, resource, subprocess, sys

argv, canaries = json.loads(sys.argv[1]), [text.encode() for text in json.loads(sys.argv[2])]
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
child = subprocess.Popen(argv, stdin=subprocess.PIPE)
print(child.pid, flush=True)
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


def file(name):
    with open(f"/proc/{child.pid}/{name}", "rb") as opened:
        return opened.read()


def link(name):
    return os.readlink(f"/proc/{child.pid}/{name}").encode()


def memory():
    found = b""
    with open(f"/proc/{child.pid}/mem", "rb", buffering=0) as opened:
        for line in file("maps").splitlines():
            start, end = (int(part, 16) for part in line.split()[0].split(b"-"))
            if b"rw" in line.split()[1]:
                opened.seek(start)
                found += opened.read(end - start)
    return found


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def copied():
    # The start of the stack's own mapping; of this process, where its maps cannot be read.
    try:
        maps = file("maps")
    except OSError:
        maps = open("/proc/self/maps", "rb").read()
    line = next(line for line in maps.splitlines() if line.endswith(b"[stack]"))
    end = int(line.split()[0].split(b"-")[1], 16)
    here = ctypes.create_string_buffer(8)
    ours, theirs = Piece(ctypes.addressof(here), 8), Piece(end - 16, 8)
    if libc.process_vm_readv(child.pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "process_vm_readv")
    return b"read"


def attached():
    if libc.ptrace(0x4206, child.pid, None, None) < 0:  # PTRACE_SEIZE
        raise OSError(ctypes.get_errno(), "ptrace")
    libc.ptrace(0x4207, child.pid, None, None)  # PTRACE_INTERRUPT
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    libc.ptrace(17, child.pid, None, None)  # PTRACE_DETACH
    return b"attached"


WAYS = {
    "mem": memory,
    "maps": lambda: file("maps"),
    "smaps": lambda: file("smaps"),
    "environ": lambda: file("environ"),
    "auxv": lambda: file("auxv"),
    "fd": lambda: link("fd/0"),
    "exe": lambda: link("exe"),
    "ptrace": attached,
    "process_vm_readv": copied,
}
for line in sys.stdin:
    if line == "wait\n":
        print(child.wait(), flush=True)
        continue
    found = {}
    for name, way in WAYS.items():
        try:
            data = way()
            found[name] = [text.decode() for text in canaries if text in data]
        except OSError as error:
            found[name] = os.strerror(error.errno)
    print(json.dumps(found), flush=True)
"""


class Looked:
    """A process of a user who is not root, and another of that user's that looks into it.

    :ivar pid: of the first.
    """

    def __init__(
        self, here: Home, argv: Sequence[str], environ: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        give(here.folder)
        canaries = json.dumps([FIRST, INHERITED])
        looker = [sys.executable, "-IS", "-c", _LOOKER, json.dumps(list(argv)), canaries]
        self.process = here.start(
            [*nobody(), *looker],
            environ={"INHERITED": INHERITED, **environ},
            cwd=cwd,
            stderr=subprocess.DEVNULL,
        )
        self.pid = int(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode()

    def _say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def look(self) -> dict[str, Any]:
        """Try each way of looking into it: what was found, or why it could not be done."""
        self._say("look\n")
        found: dict[str, Any] = json.loads(self._line())
        return found

    def wait(self) -> int:
        """Wait for its end, and return its status, negative for a signal."""
        self._say("wait\n")
        return int(self._line())


@contextlib.contextmanager
def looked(
    here: Home,
    argv: Sequence[str],
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Looked]:
    """Have a command line run, and looked into."""
    found = Looked(here, argv, environ or {}, cwd)
    with ended(found.process):
        yield found


@pytest.fixture(name="here")
def _here() -> Iterator[Home]:
    with home() as found:
        yield found


@contextlib.contextmanager
def asking(*answers: Any) -> Iterator[FakePinentry]:
    """A pinentry that the other user can start."""
    with FakePinentry(answers) as pinentry:
        give(pinentry.path.parent)
        yield pinentry


@contextlib.contextmanager
def second_prompt(
    here: Home, argv: Sequence[str], cwd: Path | None = None
) -> Iterator[tuple[Looked, FakePinentry]]:
    """Have one that was told the first secret and now waits for the second."""
    with (
        asking(FIRST, HANG) as pinentry,
        looked(here, argv, pinentry.environ, cwd) as found,
    ):
        wait_until(lambda: len(pinentry.prompts) == 2)
        yield found, pinentry


REFUSED = ("Permission denied", "Operation not permitted")

#: What is found in a process that is as others are.
OPEN = {"mem": [FIRST, INHERITED], "environ": [INHERITED]}


# -- while it waits --------------------------------------------------------------


@pytest.mark.outside
@pytest.mark.real
def test_other_processes_cannot_read_the_waiting_command(here: Home, tried: Tried) -> None:
    """In no way; the library's process, given the same secret, can be read in each of them."""
    with home() as other, second_prompt(other, LIBRARY) as (library, _):
        seen = library.look()
    assert seen["maps"] == seen["ptrace"] == seen["process_vm_readv"] == [] or yama()
    assert {name: seen[name] for name in OPEN} == OPEN or yama()
    assert seen["environ"] == [INHERITED]
    with second_prompt(here, COMMAND) as (command, _):
        for way, found in command.look().items():
            started = time.monotonic()
            assert found in REFUSED, way
            tried("the same user's other processes", way, found, time.monotonic() - started)
        os.kill(command.pid, 0)  # and it waits on


def yama() -> bool:
    """Return whether this system lets no process trace, not even a parent."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text()) > 1
    return False


#: A keychain that never answers.
_STUCK = """
import os, time
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1

    def get_password(self, service, username, password=None):
        open(os.environ["TEST_MARK"], "w").close()
        time.sleep(3600)

    set_password = get_password
"""


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("kind", ["source", "keychain", "keeping", "stdin", "confirm"])
def test_the_command_is_protected_whatever_it_waits_for(
    here: Home, kind: str, tried: Tried
) -> None:
    """A source's program, a keychain that reads or writes, standard input, a confirmation."""
    mark = here.folder / "mark"
    environ = {"TEST_MARK": str(mark)}
    verb = {
        "source": ["run", "-e", "A", "true"],
        "keychain": ["get", "A"],
        "confirm": ["get", "A"],
    }.get(kind, ["set", "A", "--stdin"])
    if kind == "confirm":
        here.keep_in_a_file()
        with here.config.open("a") as file:
            file.write("[secrets.A]\nconfirm = true\n")
        give(here.folder)
        line = [*nobody(), *SECRETLY, "set", "A", "--stdin"]
        assert here.run_any(line, stdin=FIRST).status == 0
    elif kind == "source":
        program = f'["sh", "-c", "touch {mark}; exec sleep 3600"]'
        here.configure(f"[secrets.A]\ncommand = {program}\n")
    else:
        here.configure('[keychain]\nbackends = ["stuck.Keyring"]\n')
        (here.folder / "stuck.py").write_text(_STUCK)
        paths = (here.environ.get("PYTHONPATH"), str(here.folder))
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        environ["PYTHON_KEYRING_BACKEND"] = "stuck.Keyring"
    (here.folder / "secret").write_text(FIRST)
    line = [*SECRETLY, *verb]
    if kind == "keeping":
        line = ["sh", "-c", 'exec "$@" <secret', "sh", *line]
    started = time.monotonic()
    with asking(HANG) as pinentry, looked(here, line, {**pinentry.environ, **environ}) as found:
        if kind == "confirm":
            wait_until(lambda: pinentry.prompts)
        elif kind == "stdin":
            wait_until(lambda: found.look()["environ"] in REFUSED)
        else:
            wait_until(mark.exists)
        seen = found.look()
        assert all(said in REFUSED for said in seen.values()), seen
        os.kill(found.pid, 0)
    tried(
        "the same user's other processes",
        f"while it waits: {kind}",
        seen["mem"],
        time.monotonic() - started,
    )


def test_the_library_leaves_its_process_as_it_is() -> None:
    """Only its program decides whether it may be dumped, and its limits."""
    program = (
        "import asyncio, ctypes, resource, secretly\n"
        "def state():\n"
        "    return ctypes.CDLL(None).prctl(3), resource.getrlimit(resource.RLIMIT_CORE)\n"
        "before = state()\n"
        "assert asyncio.run(secretly.secret('First')) == 'canary-first'\n"
        "assert state() == before and before[0] == 1, (before, state())\n"
    )
    with home() as here, FakePinentry([FIRST]) as pinentry:
        done = here.run_any([sys.executable, "-c", program], environ=pinentry.environ)
    assert (done.status, done.stderr) == (0, "")


# -- cores -----------------------------------------------------------------------

DEADLY = [signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT, signal.SIGBUS]


@pytest.fixture(name="empty")
def _empty(here: Home) -> Path:
    """A folder for cores, in which there is nothing."""
    path = here.folder / "empty"
    path.mkdir()
    return path


@pytest.fixture(name="cores", scope="module")
def _cores() -> None:
    """Skip where a process leaves no core file in its folder, even if nothing keeps it from it."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    with home() as here:
        (folder := here.folder / "empty").mkdir()
        with second_prompt(here, LIBRARY, folder) as (library, _):
            os.kill(library.pid, signal.SIGSEGV)
            assert library.wait() == -signal.SIGSEGV
        found = [path.read_bytes() for path in folder.iterdir()]
    if not found:
        pytest.skip(f"cores go elsewhere (core_pattern {pattern}), or nowhere (ulimit -c)")
    assert FIRST.encode() in found[0]  # it is what the rest is about


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("number", DEADLY)
def test_the_command_leaves_no_core(
    here: Home, empty: Path, number: signal.Signals, tried: Tried
) -> None:
    """Core files are not limited here, and a program with the library leaves one."""
    with second_prompt(here, COMMAND, empty) as (command, _):
        started = time.monotonic()
        os.kill(command.pid, number)
        assert command.wait() == -number
        took = time.monotonic() - started
    assert list(empty.iterdir()) == []
    tried("core files", f"{number.name} while it waits", "none", took)


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.usefixtures("cores")
def test_a_pinentry_leaves_no_core(here: Home, empty: Path, tried: Tried) -> None:
    """One that crashes with what was typed has the command's limit."""
    started = time.monotonic()
    crash = [("raw", b"D canary-first\n"), ("kill", int(signal.SIGSEGV))]
    with asking(crash) as pinentry, looked(here, COMMAND, pinentry.environ, empty) as command:
        assert command.wait() == 125
    assert list(empty.iterdir()) == []
    tried("core files", "a pinentry that crashes", "none", time.monotonic() - started)


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.usefixtures("cores")
def test_the_program_that_the_command_became_leaves_a_core(here: Home, empty: Path) -> None:
    """As it would if it had been started directly."""
    command = [*SECRETLY, "run", "-e", "A=First", "sh", "-c", "kill -SEGV $$"]
    with asking(FIRST) as pinentry, looked(here, command, pinentry.environ, empty) as found:
        assert found.wait() == -signal.SIGSEGV
    assert len(list(empty.iterdir())) == 1


# -- after exec ------------------------------------------------------------------

LIMITS = {
    "none": (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    "a soft one": (0, resource.RLIM_INFINITY),
    "a small one": (4096, 8192),
    "both": (0, 0),
}


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("way", ["a prompt", "a hit"])
def test_the_program_has_its_limits_as_they_were(here: Home, limit: str, way: str) -> None:
    """All of them, and it may be dumped: its files in /proc are its user's."""
    if way == "a hit":
        here.keep_in_a_file()
    program = ["sh", "-c", "cat /proc/self/limits; stat -c '%u %g' /proc/self/environ"]
    give(here.folder)
    lower = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, "
        f"{LIMITS[limit]}); os.execvp(sys.argv[1], sys.argv[1:])"
    )
    start = [*nobody(), sys.executable, "-IS", "-c", lower]
    with asking(FIRST) as pinentry:
        environ = pinentry.environ
        if way == "a hit":
            kept = here.run_any([*nobody(), *SECRETLY, "set", "A", "--stdin"], stdin=FIRST)
            assert kept.status == 0
            environ = {}
        plain = here.run_any([*start, *program])
        run = [*start, *SECRETLY, "run", "-e", "A", *program]
        found = here.run_any(run, environ=environ)
    assert plain.status == 0
    assert "Max core file size" in plain.stdout
    assert found == plain


#: The command in one that has no capability, not even that by which it reached its files:
#: all that it loads is loaded before.
_BARE = """
import ctypes, importlib, os, pkgutil, resource, sys
import secretly
from secretly import cli
for module in pkgutil.walk_packages(secretly.__path__, "secretly."):
    if not module.name.startswith(("secretly.__main__", "secretly.testing")):
        importlib.import_module(module.name)
cli.main(["run", "--dry-run", *sys.argv[1:]])
assert not ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)())
sys.exit(cli.main(["run", *sys.argv[1:]]))
"""


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("value", ["C", "", None])
def test_the_program_has_its_locale_as_it_was(here: Home, value: str | None) -> None:
    """Though a process that cannot be dumped may not read its own environment."""
    here.environ.pop("LC_ALL")
    here.environ |= {"SOURCE": FIRST} | ({} if value is None else {"LC_CTYPE": value})
    give(here.folder)
    options = ["-q", "-e", "A=env://SOURCE", "sh", "-c", 'echo "${LC_CTYPE-unset} $A"']
    done = here.run_any([*nobody(), sys.executable, "-c", _BARE, *options])
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"{'unset' if value is None else value} {FIRST}"


@pytest.mark.outside
@pytest.mark.real
def test_after_a_failed_exec_the_command_fails_as_it_should(here: Home, empty: Path) -> None:
    """A program that can't be started leaves the command as it was."""
    here.program("broken", "#!/nonexistent\n")
    give(here.folder)
    with asking(FIRST) as pinentry:
        line = [*nobody(), *SECRETLY, "run", "-e", "A", "broken"]
        done = here.run_any(line, environ=pinentry.environ)
    assert (done.status, done.stdout) == (127, "")


@pytest.mark.parametrize("private", ["present", "absent"])
def test_hardening_itself(private: str) -> None:
    """Applied twice is applied once; lifted for a moment, only the limits are as they were.

    It also works where the C module under ctypes lacks what it uses.
    """
    program = (
        "import _ctypes, ctypes, resource\n"
        f"if {private!r} == 'absent': del _ctypes.call_function\n"
        "from secretly.processes.hardening import Hardening\n"
        "limits = lambda: resource.getrlimit(resource.RLIMIT_CORE)\n"
        "dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, limits()[1]))\n"
        "before, guard = limits(), Hardening()\n"
        "with guard.lifted(): assert (limits(), dumpable()) == (before, 1)\n"
        "guard.apply(); guard.apply()\n"
        "lowered = limits()\n"
        "assert lowered[0] < 2 and lowered[1] == before[1] and dumpable() == 0\n"
        "with guard.lifted(): assert (limits(), dumpable()) == (before, 0)\n"
        "assert (limits(), dumpable()) == (lowered, 0)\n"
    )
    with home() as here:
        done = here.run_any([sys.executable, "-c", program])
    assert (done.status, done.stderr) == (0, "")
