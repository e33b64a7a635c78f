"""Run secretly as a real process, in an empty home and on a terminal of its own."""

from __future__ import annotations

import atexit
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
from typing import Any, ClassVar, NamedTuple, TypeVar

_SCRIPT = Path(sys.executable).with_name("secretly")

#: The words that start secretly: the installed script or, without a script, the module.
SECRETLY = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "secretly"]

#: The time limit of each step, in seconds.
PATIENCE = 60.0

#: A keyring backend that stores secrets in a file, for tests that work with any keychain.
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
    """The status of an ended process (negative for a signal), and its output."""

    status: int
    stdout: str
    stderr: str


class Home:
    """An empty home folder, and an environment that refers to no other folder of the user.

    :ivar environ: the variables for each command.
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
        for name, value in os.environ.items():  # children are measured with these
            if name.startswith("COVERAGE_") or name == "PYTHONPATH":
                self.environ[name] = value

    def configure(self, text: str) -> None:
        """Write the configuration."""
        self.config.write_text(text, "utf-8")

    def keep_in_a_file(self) -> Path:
        """Configure a keychain that is a file, and return the path of that file."""
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
        """Add the folders of these installed programs to PATH."""
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
        """Run secretly without a terminal, and wait until it ends."""
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
        """Run a command line without a terminal, and wait until it ends."""
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
        """Start a command line in a session without a terminal."""
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


_Home = TypeVar("_Home", bound=Home)


@contextlib.contextmanager
def _made(kind: type[_Home]) -> Iterator[_Home]:
    # Not pytest's tmp_path, which may be in a folder of another user.
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="secretly-")))
    try:
        yield kind(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def home() -> contextlib.AbstractContextManager[Home]:
    """Make an empty home, and delete it when the ``with`` block ends."""
    return _made(Home)


def quick() -> contextlib.AbstractContextManager[Home]:
    """Make an empty home where :meth:`Home.run` takes a few milliseconds: see :class:`Quick`."""
    return _made(Quick)


@contextlib.contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Kill the process and its whole session when the ``with`` block ends."""
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

# The session leader: gives the session its terminal, starts the command, reports how the command
# ended, and waits to be killed. If the leader ended earlier, the kernel would hang up the terminal
# and end the processes there, so a test couldn't find the processes that the command left running.
# It starts often, so it loads only modules that load no others: not signal, which loads enum.
_LEAD = """
import _signal as signal, fcntl, os, termios
KEYS = (signal.SIGINT, signal.SIGTSTP, signal.SIGQUIT)
def lead(channel, begin):
    os.set_inheritable(channel, False)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in KEYS:
        signal.signal(number, lambda *_: None)
    def hung_up(*_):
        signal.signal(signal.SIGHUP, lambda *_: None)
        os.killpg(0, signal.SIGHUP)
    signal.signal(signal.SIGHUP, hung_up)
    def report(event, number):
        os.write(channel, f'{{"{event}": {number}}}\\n'.encode())
    pid = begin()
    report("pid", pid)
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        report("stopped", os.WSTOPSIG(status))
    report("ended", os.waitstatus_to_exitcode(status))
    while True:
        signal.pause()
"""

_LEADER = f"""{_LEAD}
import sys
channel, background, *argv = sys.argv[1:]
group = {{"setpgroup": 0}} if background == "1" else {{}}
ignored = [signal.SIGPIPE, signal.SIGXFSZ]  # by Python
spawn = os.posix_spawnp
lead(int(channel), lambda: spawn(argv[0], argv, os.environ, setsigdef=ignored, **group))
"""


class Terminal:
    """A terminal with a session of its own, in which one command runs.

    :ivar pid: the command's process ID.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path, background: bool
    ) -> None:
        self._master, self._slave = os.openpty()
        self.resize(30, 100)
        self.path = os.ttyname(self._slave)
        self._written = b""
        self._position = 0
        self._said = b""
        self.modes = termios.tcgetattr(self._slave)
        self._leader, self._events = self._lead(argv, environ, cwd, background)
        self.pid: int = self._event("pid")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        with ended(self._leader):
            pass
        for descriptor in (self._master, self._slave, self._events):
            if descriptor >= 0:
                os.close(descriptor)

    def _lead(
        self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path, background: bool
    ) -> tuple[Any, int]:
        """Start the session's leader. Return it, and where it reports."""
        reading, writing = os.pipe()
        leader = subprocess.Popen(
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
        return leader, reading

    def _event(self, name: str) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in self._said.splitlines(keepends=True):
                if line.endswith(b"\n") and name in (event := json.loads(line)):
                    self._said = self._said.replace(line, b"", 1)
                    return int(event[name])
            # Read the command's output, so that the command never blocks.
            ready, _, _ = select.select([self._events, *self._readable], [], [], 0.2)
            if self._events in ready:
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
        """All output so far, without escape sequences."""
        text = self._written.decode("utf-8", "replace")
        return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][0-9A-B]|[=>78])", "", text)

    @property
    def raw(self) -> bytes:
        """All output so far, as bytes."""
        return self._written

    def expect(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until *text* appears on the screen, after the text of the previous call."""
        deadline = time.monotonic() + seconds
        while (start := self.screen.find(text, self._position)) < 0:
            left = deadline - time.monotonic()
            if left < 0:
                raise AssertionError(f"no '{text}' on the screen: {self.screen!r}")
            select.select(self._readable, [], [], min(left, 0.2))
            self._read()
        self._position = start + len(text)

    def type(self, text: str) -> None:
        """Type *text*. If a prompt reads it, call :meth:`wait_for_prompt` first."""
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
        """Wait until echo is off, as it is in a prompt."""
        wait_until(lambda: not termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def resize(self, rows: int, columns: int) -> None:
        """Change the terminal's size, which sends SIGWINCH."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def hang_up(self) -> None:
        """Close the terminal, as when the user closes its window."""
        os.close(self._slave)
        os.close(self._master)
        self._slave = self._master = -1

    @property
    def modes_now(self) -> list[Any]:
        """The terminal's modes now."""
        return termios.tcgetattr(self._slave)

    def stopped(self) -> int:
        """Wait until a signal stops the command, and return the signal."""
        return self._event("stopped")

    def wait(self) -> int:
        """Wait until the command ends, and return its status, which is negative for a signal."""
        status = self._event("ended")
        self._read()
        return status

    @property
    def left_over(self) -> list[int]:
        """The processes that still run in the session, except its leader."""
        return [pid for pid in session_of(self._leader.pid) if pid != self._leader.pid]


# -- processes -------------------------------------------------------------------


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Call *condition* until its result is truthy, and return that result."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not become true in time")
        time.sleep(0.01)
    return result


def _link(path: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return ""


def _listed(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)
    return []


def _facts(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name: state, parent, group, session…"""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # of many processes, often
            return file.read().rpartition(b")")[2].decode().split()
    except OSError:
        return []


def processes() -> list[int]:
    """Return the IDs of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def session_of(leader: int) -> list[int]:
    """Return the processes of a session that are not zombies."""
    return [
        pid for pid in processes() if (f := _facts(pid)) and f[3] == str(leader) and f[0] != "Z"
    ]


def children(parent: int) -> list[int]:
    """Return the child processes of *parent*, including zombies."""
    return [pid for pid in processes() if (f := _facts(pid)) and f[1] == str(parent)]


def holders(text: str) -> Iterator[tuple[int, str, str]]:
    """Find *text* in arguments and environments. Yield process ID, place and program name."""
    for pid in processes():
        for part in ("cmdline", "environ"):
            try:
                if text.encode() in Path(f"/proc/{pid}/{part}").read_bytes():
                    yield pid, part, Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue


class Watch:
    """Search the arguments and environments of all processes for a text, again and again."""

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
    """Return the files in a folder that contain *text*."""
    matching = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):
            if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes():
                matching.append(path)
    return matching


# -- fast starts -----------------------------------------------------------------

# Imports secretly once, then forks for each start.
_WARM = (
    f"""{_LEAD}"""
    + """
import gc, json, os, signal, site, sys, tempfile
script, *loaded = sys.argv[1:]
sys.path[0] = os.path.dirname(script)
for name in loaded:
    __import__(name)
from secretly.cli import main
gc.freeze()  # so that a child's collections copy no memory

def files(stdin):
    for data in (stdin, "", ""):
        file = tempfile.TemporaryFile()
        file.write(os.fsencode(data))
        file.seek(0)
        yield file

def start(arguments, environ, cwd, code):
    if environ is not None:
        os.environ.clear()
        os.environ.update(environ)
        sys.path[1:1] = filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))
        sys.dont_write_bytecode = bool(environ.get("PYTHONDONTWRITEBYTECODE"))
        sys.modules.pop("sitecustomize", None)
        site.execsitecustomize()
    if cwd is not None:
        os.chdir(cwd)
    sys.stdin = open(0, errors="surrogateescape", closefd=False)
    if code is not None:
        sys.argv[:] = ["-c", *arguments]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        sys.exit()
    sys.argv[:] = [script, *arguments]
    sys.exit(main())

def start_and_end(arguments, environ, cwd, code=None):
    try:
        start(arguments, environ, cwd, code)
    except SystemExit as exit:
        if code is not None:
            raise  # it ends as a program does, with its threads and handlers
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit.code or 0)
    except BaseException:
        import traceback
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(99)

def lead_on_terminal(terminal, channel, errors, *call):
    os.setsid()
    opened = os.open(terminal, os.O_RDWR)
    for wanted in (0, 1, 2):
        os.dup2(opened, wanted)
    os.close(opened)
    said = os.open(channel, os.O_WRONLY)
    def begin():
        pid = os.fork()
        if pid == 0:
            os.close(said)
            for number in (*KEYS, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if errors is not None:
                os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT, 0o600), 2)
            sys.stdout = open(1, "w", closefd=False)
            start_and_end(*call)
        return pid
    lead(said, begin)

leaders = set()
for line in sys.stdin:
    call = json.loads(line)
    leaders -= {pid for pid in leaders if os.waitpid(pid, os.WNOHANG)[0]}
    if len(call) == 6:
        pid = os.fork()
        if pid == 0:
            lead_on_terminal(*call)
        leaders.add(pid)
        print(pid, flush=True)
        continue
    arguments, environ, cwd, stdin, code = call
    streams = list(files(stdin))
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for wanted, file in enumerate(streams):
            os.dup2(file.fileno(), wanted)
            file.close()
        start_and_end(arguments, environ, cwd, code)
    _, status = os.waitpid(pid, 0)
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    texts = []
    for file in streams[1:]:
        file.seek(0)
        texts.append(os.fsdecode(file.read()))
    for file in streams:
        file.close()
    print(json.dumps([os.waitstatus_to_exitcode(status), *texts]), flush=True)
"""
)

#: The modules that the command loads when it needs them.
_LOADED = (
    "csv difflib getpass glob hmac importlib.metadata secrets tomllib zipfile "
    "keyring.backends.fail packaging.metadata packaging.version pexpect.fdpexpect "
    "secretly.asking.upload_wording secretly.cli.check secretly.cli.doctor "
    "secretly.cli.dry_run secretly.cli.forget secretly.cli.get secretly.cli.guesses "
    "secretly.cli.list secretly.cli.noting secretly.cli.run secretly.cli.set "
    "secretly.cli.shim secretly.cli.token secretly.cli.upload_call "
    "secretly.keeping.kernel_keyring secretly.keeping.store secretly.processes.dialogue "
    "secretly.processes.output secretly.publishing.release secretly.publishing.tools.twine "
    "secretly.publishing.upload secretly.resolving.entering secretly.resolving.similar "
    "secretly.running.last_use secretly.running.obtaining secretly.running.templates "
    "secretly.sources.env secretly.sources.file secretly.sources.items "
    "secretly.sources.programs secretly.waiting.driving secretly.waiting.poll_loop "
    "secretly.waiting.tasks"
).split()

#: The modules that a program under Twisted loads, except the reactor, which can't be shared.
TWISTED = ("twisted.internet.posixbase", "twisted.internet.task", "twisted.logger")


class Warm:
    """Start secretly in a few milliseconds, by forking a process that has loaded secretly.

    Only the start of the interpreter differs from a real start.

    :param options: those of the interpreter.
    :param loaded: more modules to load.
    """

    def __init__(
        self,
        home: Home,
        environ: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        loaded: Sequence[str] = (),
    ) -> None:
        self.home = home
        self._process = home.start(
            [sys.executable, *options, "-c", _WARM, *SECRETLY[:1], *_LOADED, *loaded],
            environ=environ,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        self._turn = threading.Lock()

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *exception: object) -> None:
        with ended(self._process):
            pass

    def run(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        stdin: str = "",
        cwd: Path | None = None,
        seconds: float = PATIENCE,
        code: str | None = None,
    ) -> Ended:
        """Run secretly, and wait until it ends.

        :param environ: all variables. Without them it has those of its home.
        :param code: the program to run in place of secretly.
        """
        call = (arguments, environ and {**environ}, cwd and os.fspath(cwd), stdin, code)
        return Ended(*self._answer(call, seconds))

    def lead(
        self,
        terminal: str,
        channel: Path,
        errors: Path | None,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        cwd: Path,
    ) -> int:
        """Start secretly on a terminal, and return the session's leader.

        :param terminal: the terminal's path.
        :param channel: the pipe that the leader reports into.
        :param errors: the file for standard error, in place of the terminal.
        """
        places = (terminal, os.fspath(channel), errors and os.fspath(errors))
        found: int = self._answer((*places, arguments, {**environ}, os.fspath(cwd)), PATIENCE)
        return found

    def _answer(self, call: object, seconds: float) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(call).encode() + b"\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], seconds)[0]:
                raise AssertionError(f"secretly did not end: {call!r}")
            return json.loads(self._process.stdout.readline())


class _Leader(NamedTuple):
    """A session's leader that is not a child of this process. It has no streams of ours."""

    pid: int
    stdin: None = None
    stdout: None = None
    stderr: None = None

    def wait(self, seconds: float) -> None:
        """Wait until it has ended."""
        wait_until(lambda: (_facts(self.pid) or ["Z"])[0] == "Z", seconds)


class QuickTerminal(Terminal):
    """A terminal on which secretly is forked from a process that has loaded it.

    :param errors: the file for standard error, in place of the terminal.
    """

    def __init__(
        self,
        warm: Warm,
        errors: Path | None,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        cwd: Path,
    ) -> None:
        self._warm, self._errors = warm, errors
        super().__init__(arguments, environ, cwd, background=False)

    def _lead(
        self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path, background: bool
    ) -> tuple[Any, int]:
        with tempfile.TemporaryDirectory() as folder:
            channel = Path(folder, "channel")
            os.mkfifo(channel)
            reading = os.open(channel, os.O_RDONLY | os.O_NONBLOCK)
            pid = self._warm.lead(self.path, channel, self._errors, argv, environ, cwd)
            wait_until(lambda: select.select([reading], [], [], 0)[0])  # it has opened the pipe
        return _Leader(pid), reading


class Quick(Home):
    """A home whose :meth:`run` forks, for tests that read what secretly prints and does.

    A test of the start itself calls ``run_any`` with ``SECRETLY``, or ``start``.
    """

    _warm: ClassVar[dict[tuple[str, ...], Warm]] = {}
    _starts: ClassVar[threading.Lock] = threading.Lock()

    def run(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        stdin: str = "",
        cwd: Path | None = None,
        seconds: float = PATIENCE,
    ) -> Ended:
        """Run secretly without a terminal, and wait until it ends."""
        everything = {**self.environ, **(environ or {})}
        if everything.get("LC_ALL") != "C.UTF-8":  # Python reads it as it starts
            return super().run(*arguments, environ=environ, stdin=stdin, cwd=cwd, seconds=seconds)
        cwd = self.folder if cwd is None else cwd
        try:
            return self._started().run(
                *arguments, environ=everything, stdin=stdin, cwd=cwd, seconds=seconds
            )
        except BaseException:  # its answer may come later, and would be the next run's
            Quick.end()
            raise

    def run_code(
        self,
        code: str,
        environ: Mapping[str, str] | None = None,
        seconds: float = PATIENCE,
        loaded: tuple[str, ...] = (),
    ) -> Ended:
        """Run a program that uses secretly, and wait until it ends.

        What secretly loads when it needs it is loaded when the program starts.

        :param environ: all variables, in place of those of the home.
        :param loaded: what else is loaded then: :data:`TWISTED`.
        """
        everything = self.environ if environ is None else environ
        try:
            return self._started(loaded).run(
                environ=everything, cwd=self.folder, seconds=seconds, code=code
            )
        except BaseException:
            Quick.end()
            raise

    def secretly_on_terminal(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        errors: Path | None = None,
    ) -> Terminal:
        """Start secretly on a terminal of its own.

        :param errors: the file for standard error, in place of the terminal.
        """
        everything = {**self.environ, **(environ or {})}
        cwd = self.folder if cwd is None else cwd
        return QuickTerminal(self._started(), errors, arguments, everything, cwd)

    @staticmethod
    def _started(loaded: tuple[str, ...] = ()) -> Warm:
        """The process that all homes share."""
        with Quick._starts:  # threads that need it at the same time start one
            if loaded not in Quick._warm:
                with home() as empty:  # the folder is gone later: what is temporary goes elsewhere
                    temporary = {"TMPDIR": tempfile.gettempdir()}
                    warm = Quick._warm[loaded] = Warm(empty, temporary, loaded=loaded)
                    warm.run("--version")
            return Quick._warm[loaded]

    @staticmethod
    def end() -> None:
        """End the processes that all homes share."""
        while Quick._warm:
            Quick._warm.popitem()[1].__exit__()


atexit.register(Quick.end)
