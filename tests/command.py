"""The command as a real process: in an empty HOME, and on a terminal of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

_SCRIPT = Path(sys.executable).with_name("secretly")

#: The command as it is started: the installed script, else the module.
SECRETLY = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "secretly"]

#: How long anything here may take, in seconds.
PATIENCE = 30.0

#: A keychain that is a file: a backend for keyring, for tests that only need some keychain.
_BACKEND = """
import json, os
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

class Keyring(KeyringBackend):
    priority = 1
    path = os.environ["TEST_KEYCHAIN"]

    def _items(self):
        try:
            with open(self.path) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def _write(self, items):
        with open(self.path, "w") as file:
            json.dump(items, file)

    def get_password(self, service, username):
        return self._items().get(json.dumps([service, username]))

    def set_password(self, service, username, password):
        self._write({**self._items(), json.dumps([service, username]): password})

    def delete_password(self, service, username):
        items = self._items()
        if items.pop(json.dumps([service, username]), None) is None:
            raise PasswordDeleteError
        self._write(items)
"""


class Ended(NamedTuple):
    """How a process ended: its status, negative for a signal, and what it wrote."""

    status: int
    stdout: str
    stderr: str


class Home:
    """An empty home folder, and an environment that knows nothing else.

    :ivar environ: the variables that the command is started with.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / ".config" / "secretly" / "config.toml"
        self.programs = folder / "programs"
        self.environ = {
            "HOME": str(folder),
            "PATH": os.pathsep.join((str(self.programs), os.path.dirname(sys.executable)))
            + os.pathsep
            + os.defpath,
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
        }
        for name, part in (("CONFIG", ".config"), ("DATA", ".local/share"), ("CACHE", ".cache")):
            self.environ[f"XDG_{name}_HOME"] = str(folder / part)
        self.environ["XDG_STATE_HOME"] = str(folder / ".local/state")
        self.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
        self.environ["TMPDIR"] = str(folder / "tmp")
        for part in (
            ".config/secretly",
            ".local/share",
            ".local/state",
            ".cache",
            "run",
            "tmp",
            "programs",
        ):
            (folder / part).mkdir(mode=0o700, parents=True)
        for name, value in os.environ.items():  # how coverage follows children
            if name.startswith("COVERAGE_") or name == "PYTHONPATH":
                self.environ[name] = value

    def configure(self, text: str) -> None:
        """Write the configuration."""
        self.config.write_text(text, "utf-8")

    def keep_in_a_file(self) -> Path:
        """Use a keychain that is a file, which is returned; the configuration must allow it."""
        (self.folder / "filekeychain.py").write_text(_BACKEND)
        path = self.folder / "keychain.json"
        before = self.environ.get("PYTHONPATH", "")
        self.environ |= {
            "PYTHONPATH": os.pathsep.join(filter(None, (before, str(self.folder)))),
            "PYTHON_KEYRING_BACKEND": "filekeychain.Keyring",
            "TEST_KEYCHAIN": str(path),
        }
        self.configure('[keychain]\nbackends = ["filekeychain.Keyring"]\n')
        return path

    def program(self, name: str, text: str, mode: int = 0o755) -> Path:
        """Put a program on PATH."""
        path = self.programs / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def reach(self, *programs: str) -> None:
        """Have PATH lead to these programs, wherever they are installed."""
        folders = {os.path.dirname(shutil.which(program) or "") for program in programs}
        self.environ["PATH"] = os.pathsep.join((self.environ["PATH"], *sorted(folders)))

    def run(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        stdin: str = "",
        cwd: Path | None = None,
        seconds: float = PATIENCE,
    ) -> Ended:
        """Run the command to its end, without a terminal."""
        return self.run_any(
            [*SECRETLY, *arguments], environ=environ, stdin=stdin, cwd=cwd, seconds=seconds
        )

    def run_any(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str] | None = None,
        stdin: str = "",
        cwd: Path | None = None,
        seconds: float = PATIENCE,
        **more: Any,
    ) -> Ended:
        """Run any command line to its end, without a terminal."""
        process = self.start(argv, environ=environ, cwd=cwd, **more)
        with ended(process):
            out, err = process.communicate(os.fsencode(stdin), seconds)
        return Ended(process.returncode, os.fsdecode(out), os.fsdecode(err))

    def start(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        **more: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a command line in a session that has no terminal."""
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            list(argv),
            env={**self.environ, **(environ or {})},
            cwd=self.folder if cwd is None else cwd,
            start_new_session=True,
            **{**streams, **more},
        )

    def terminal(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        background: bool = False,
    ) -> Terminal:
        """Start a command line on a terminal of its own."""
        return Terminal(
            argv,
            {**self.environ, **(environ or {})},
            self.folder if cwd is None else cwd,
            background,
        )


@contextlib.contextmanager
def home() -> Iterator[Home]:
    """A home that is empty at the start and gone at the end."""
    # Not pytest's tmp_path: its folders may be in one that is another user's.
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="secretly-")))
    try:
        yield Home(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Have the process, and all of its session, gone at the end."""
    try:
        yield
    finally:
        for pid in session_of(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(PATIENCE)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


# -- a terminal ------------------------------------------------------------------

# The session's leader: gives the session its terminal, starts the command in the
# foreground, says how it ended, and stays until it is told to go. A leader that
# ends takes everything on its terminal with it, and would hide what is left over.
_LEADER = """
import fcntl, json, os, signal, subprocess, sys, termios
channel, background = int(sys.argv[1]), sys.argv[2] == "1"
said = os.fdopen(channel, "w", buffering=1)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
for number in (signal.SIGINT, signal.SIGTSTP, signal.SIGQUIT):
    signal.signal(number, lambda *_: None)
def hung_up(*_):
    signal.signal(signal.SIGHUP, lambda *_: None)
    os.killpg(0, signal.SIGHUP)
signal.signal(signal.SIGHUP, hung_up)
child = subprocess.Popen(sys.argv[3:], process_group=0 if background else None)
print(json.dumps({"pid": child.pid}), file=said)
while True:
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        print(json.dumps({"stopped": os.WSTOPSIG(status)}), file=said)
        continue
    print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), file=said)
    break
while True:
    signal.pause()
"""


class Terminal:
    """A terminal with a session of its own, in which one command runs.

    :ivar pid: the command's process.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path, background: bool
    ) -> None:
        self._master, self._slave = os.openpty()
        self.resize(30, 100)
        self.path = os.ttyname(self._slave)
        self._written = b""
        self._position = 0
        reading, writing = os.pipe()
        self._leader = subprocess.Popen(
            [sys.executable, "-IS", "-c", _LEADER, str(writing), str(int(background)), *argv],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=environ,
            cwd=cwd,
            start_new_session=True,
            pass_fds=(writing,),
        )
        os.close(writing)
        self._events = reading
        self._said = b""
        self.modes = termios.tcgetattr(self._slave)
        self.pid: int = self._event("pid")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        with ended(self._leader):
            pass
        for descriptor in (self._master, self._slave, self._events):
            if descriptor >= 0:
                os.close(descriptor)

    def _event(self, name: str) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in self._said.splitlines(keepends=True):
                if line.endswith(b"\n") and name in (event := json.loads(line)):
                    self._said = self._said.replace(line, b"", 1)
                    return int(event[name])
            # What is written must be read, or the command blocks.
            found, _, _ = select.select([self._events, *self._readable], [], [], 0.2)
            if self._events in found:
                self._said += os.read(self._events, 4096)
            self._read()
        raise AssertionError(f"no event '{name}'; on the screen: {self.screen!r}")

    @property
    def _readable(self) -> list[int]:
        return [self._master] if self._master >= 0 else []

    def _read(self) -> None:
        while self._master >= 0 and select.select([self._master], [], [], 0)[0]:
            try:
                chunk = os.read(self._master, 65536)
            except OSError:
                return
            if not chunk:
                return
            self._written += chunk

    @property
    def screen(self) -> str:
        """All that was written so far, without the escape sequences."""
        text = self._written.decode("utf-8", "replace")
        return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][0-9A-B]|[=>78])", "", text)

    @property
    def raw(self) -> bytes:
        """All that was written so far, as it came."""
        return self._written

    def expect(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until the screen shows *text*, after the text of the last call."""
        deadline = time.monotonic() + seconds
        while (found := self.screen.find(text, self._position)) < 0:
            left = deadline - time.monotonic()
            if left < 0:
                raise AssertionError(f"no '{text}' on the screen: {self.screen!r}")
            select.select(self._readable, [], [], min(left, 0.2))
            self._read()
        self._position = found + len(text)

    def type(self, text: str) -> None:
        """Type, once the keys are read one by one or with no echo, as a prompt reads them."""
        os.write(self._master, text.encode())

    def opened_by(self, program: str) -> int:
        """How many processes of this session have opened the terminal by its name.

        A command that asks on it has, and one that waits for its turn to ask.
        """
        return sum(
            any(
                number > 2 and _link(f"/proc/{pid}/fd/{number}") == self.path
                for number in map(int, _listed(f"/proc/{pid}/fd"))
            )
            for pid in session_of(self._leader.pid)
            if program in _link(f"/proc/{pid}/exe")
        )

    def wait_for_prompt(self) -> None:
        """Wait until the terminal has its echo off."""
        wait_until(lambda: not termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, which sends SIGWINCH."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def hang_up(self) -> None:
        """Take the terminal away."""
        os.close(self._slave)
        os.close(self._master)
        self._slave = self._master = -1

    @property
    def modes_now(self) -> list[Any]:
        """The terminal's modes."""
        return termios.tcgetattr(self._slave)

    def stopped(self) -> int:
        """Wait until the command was stopped, and return the signal."""
        return self._event("stopped")

    def wait(self) -> int:
        """Wait until the command has ended, and return its status, negative for a signal."""
        status = self._event("ended")
        self._read()
        return status

    @property
    def left_over(self) -> list[int]:
        """The processes that still run in the session, without its leader."""
        return [pid for pid in session_of(self._leader.pid) if pid != self._leader.pid]


# -- looking at processes --------------------------------------------------------


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until *condition* is true, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("what was waited for did not come")
        time.sleep(0.01)
    return found


def _link(path: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return ""


def _listed(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)
    return []


def _facts(pid: int) -> list[str]:
    """State, parent, group, session… of a process (proc(5), after the name)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def processes() -> list[int]:
    """Every process there is."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def session_of(leader: int) -> list[int]:
    """The processes in a session that live: zombies do not."""
    return [
        pid for pid in processes() if (f := _facts(pid)) and f[3] == str(leader) and f[0] != "Z"
    ]


def children(parent: int) -> list[int]:
    """The processes that *parent* has started and not reaped."""
    return [pid for pid in processes() if (f := _facts(pid)) and f[1] == str(parent)]


def holders(text: str) -> Iterator[tuple[int, str, str]]:
    """Each process that has *text* in its arguments or environment: pid, where, name."""
    for pid in processes():
        for part in ("cmdline", "environ"):
            try:
                if text.encode() in Path(f"/proc/{pid}/{part}").read_bytes():
                    yield pid, part, Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue


class Watch:
    """Keeps looking who has a text in its arguments or environment."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.rounds = 0
        self.seen: set[tuple[int, str, str]] = set()

    def _look(self) -> None:
        while not self._over.is_set():
            self.seen.update(holders(self._text))
            self.rounds += 1
            self._over.wait(0.005)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join(PATIENCE)


def files_with(text: str, folder: Path) -> list[Path]:
    """The files in a folder that have *text* in them."""
    found = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):
            if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes():
                found.append(path)
    return found


# -- many starts at little cost --------------------------------------------------

# Imports the command once, then becomes a fresh copy of itself for each start.
_WARM = """
import json, os, sys, tempfile
from secretly.cli import main
null = os.open(os.devnull, os.O_RDWR)
for line in sys.stdin:
    arguments = json.loads(line)
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        for wanted, descriptor in enumerate((null, out.fileno(), err.fileno())):
            os.dup2(descriptor, wanted)
        try:
            sys.argv[1:] = arguments
            sys.exit(main())
        except SystemExit as exit:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(exit.code or 0)
        except BaseException:
            import traceback
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(99)
    _, status = os.waitpid(pid, 0)
    texts = []
    for file in (out, err):
        file.seek(0)
        texts.append(os.fsdecode(file.read()))
        file.close()
    print(json.dumps([os.waitstatus_to_exitcode(status), *texts]), flush=True)
"""


class Warm:
    """Starts the command in a few milliseconds, by forking one that is loaded already.

    Tests that compare hundreds of starts use it in place of the command; everything
    but the interpreter's own start is the same.
    """

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        self.home = home
        self._process = home.start(
            [sys.executable, "-c", _WARM], environ=environ, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *exception: object) -> None:
        with ended(self._process):
            pass

    def run(self, *arguments: str) -> Ended:
        """Run the command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments).encode() + b"\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            raise AssertionError(f"it did not end: {arguments!r}")
        return Ended(*json.loads(self._process.stdout.readline()))
