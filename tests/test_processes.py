"""Child processes: started, read, answered, ended and reaped."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import need
from ptys import DEADLINE, SOON, children, processes, running, wait_until

from secretly.processes import hardening
from secretly.processes.child import _ENDING, Child, living, processes_from_proc, processes_from_ps
from secretly.processes.dialogue import run_and_answer
from secretly.processes.output import Finished, TooMuch, read_output

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("no_quick_homes")]

ENVIRON = {"PATH": os.defpath}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After each test no child is left, not even a zombie, and no more descriptors are open."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert children(os.getpid()) == []
    assert living() == frozenset()
    assert set(os.listdir("/proc/self/fd")) <= before


def child(source: str, **more: int) -> Child:
    """Start a Python program that says when it is ready, and wait for that."""
    reading, writing = os.pipe()
    try:
        argv = [
            sys.executable,
            "-IS",
            "-c",
            f"{source}\nprint(flush=True)\nimport time; time.sleep(600)",
        ]
        null = subprocess.DEVNULL
        started = Child(argv, stdin=null, stdout=writing, stderr=null, environ=ENVIRON)
        assert os.read(reading, 1) == b"\n"
        return started
    finally:
        os.close(reading)
        os.close(writing)


def test_something_is_done_while_a_program_works() -> None:
    """It is called once the program runs, and the program's end is not waited for before."""
    seen: list[frozenset[Child]] = []
    ends = ["/bin/sh", "-c", "read line; echo done"]  # at its end of file, which comes before
    found = asyncio.run(
        read_output(
            ends, timeout=DEADLINE, environ=ENVIRON, meanwhile=lambda: seen.append(living())
        )
    )
    assert found.stdout == b"done\n"
    assert [len(children) for children in seen] == [1]
    assert living() == frozenset()


@pytest.mark.parametrize(
    ("ignored", "ended_by"),
    [
        ("(signal.SIGTERM,)", signal.SIGINT),
        ("(signal.SIGINT,)", signal.SIGTERM),
        ("(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)", signal.SIGKILL),
    ],
)
def test_a_child_is_ended_by_the_mildest_signal(
    ignored: str, ended_by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INT, TERM and KILL are sent in turn, until it ends."""
    if ended_by != signal.SIGKILL:  # a busy machine may need a while for what a signal does
        longer = tuple((number, 3.0) for number, _ in _ENDING)
        monkeypatch.setattr("secretly.processes.child._ENDING", longer)
    process = child(f"import signal\nfor s in {ignored}: signal.signal(s, signal.SIG_IGN)")
    started = time.monotonic()
    process.end()
    assert time.monotonic() - started < SOON
    assert process.status == -ended_by
    assert not os.path.exists(f"/proc/{process.pid}")


def test_a_stopped_child_is_ended() -> None:
    """A child that was suspended (Ctrl-Z) ends at INT, without waiting for the KILL."""
    process = child("")
    os.kill(process.pid, signal.SIGSTOP)
    process.end()
    assert process.status in (-signal.SIGINT, -signal.SIGTERM)  # TERM follows on a busy machine


@pytest.mark.parametrize("ignored", ["", "signal.SIGINT, signal.SIGTERM"])
def test_what_a_child_has_started_ends_with_it(ignored: str) -> None:
    """A script passes no signal on: the program that it waits for ends too, and that one's own."""
    sleeper = "import signal, time\\n"
    sleeper += f"for s in ({ignored},): signal.signal(s, signal.SIG_IGN)\\n" if ignored else ""
    sleeper += "print(flush=True); time.sleep(60)"
    outer = f"s.Popen([sys.executable, '-IS', '-c', '{sleeper}'])"
    source = f"import subprocess as s, sys\np = {outer}\nprint(p.pid, flush=True)\np.wait()"
    reading, writing = os.pipe()
    null = subprocess.DEVNULL
    script = ["/bin/sh", "-c", '"$@"; exit', "sh", sys.executable, "-IS", "-c", source]
    process = Child(script, stdin=null, stdout=writing, stderr=null, environ=ENVIRON)
    with open(reading) as said:
        os.close(writing)
        pid = int("".join(said.readline() for _ in range(2)))
        started = time.monotonic()
        process.end()
        assert time.monotonic() - started < SOON
        assert not running(pid)
        assert said.read() == ""  # no process has it open any more


def test_ending_twice_is_ending_once() -> None:
    """What has ended is left alone; its status stays."""
    process = child("")
    os.kill(process.pid, signal.SIGKILL)
    assert process.has_ended(DEADLINE)
    process.end()
    process.end()
    assert process.status == -signal.SIGKILL


def test_a_child_that_goes_on_has_not_ended() -> None:
    """``ended`` waits as long as it is told, and says no."""
    process = child("")
    started = time.monotonic()
    assert process.has_ended(0.1) is False
    assert 0.09 < time.monotonic() - started < SOON
    assert process.status is None
    process.end()


def test_a_missing_program_is_an_error() -> None:
    """It is an OSError, and leaves nothing behind."""
    null = subprocess.DEVNULL
    with pytest.raises(FileNotFoundError):
        Child(["/nonexistent"], stdin=null, stdout=null, stderr=null, environ=ENVIRON)
    with pytest.raises(FileNotFoundError):
        asyncio.run(read_output(["/nonexistent"], timeout=DEADLINE, environ=ENVIRON))


#: What a program can see of how it was started.
SEES = r"""
ls /proc/self/fd | wc -l
grep -E 'SigIgn|SigBlk' /proc/self/status
read -r _ _ _ _ _ session _ < /proc/$$/stat
[ "$session" -eq $$ ] && echo leads
env | sort; cat; echo complained >&2
"""


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], list[Any]]:
    """Do the same as the library, which uses subprocess, and as the command, which forks."""

    def do(work: Callable[[], Any]) -> list[Any]:
        found = [work()]
        called: list[int] = []
        with monkeypatch.context() as as_command:
            before_exec = functools.partial(called.append, 1)  # in the child
            as_command.setattr(hardening, "_before_exec", before_exec)
            found.append(work())
        assert called == []
        return found

    return do


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the command uses subprocess")
@pytest.mark.parametrize("new_session", [False, True])
def test_the_commands_children_start_as_the_librarys_do(
    both: Callable[[Callable[[], Any]], list[Any]], new_session: bool
) -> None:
    """The same streams, signals and variables, and no other file that was open here."""
    open_here = os.open("/", os.O_RDONLY)
    os.set_inheritable(open_here, True)

    def run() -> Finished:
        argv, environ = ["sh", "-c", SEES], {"A": "\udcff é", "PATH": "/nowhere:/usr/bin:/bin"}
        return asyncio.run(
            read_output(
                argv, timeout=DEADLINE, environ=environ, stdin=b"given", new_session=new_session
            )
        )

    library, command = both(run)
    os.close(open_here)
    assert command == library
    assert b"given" in command.stdout and command.stderr == b"complained\n"
    assert (b"leads" in command.stdout) == new_session


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the command uses subprocess")
@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (["/nonexistent"], {}),
        (["nonexistent"], {"PATH": "/bin:/usr/bin"}),
        (["/"], {}),
        (["/bin/true", "a\0b"], {}),
        (["/bin/true"], {"A=B": "C"}),
    ],
)
@pytest.mark.parametrize("at_the_end_of_a_child", [signal.SIG_DFL, signal.SIG_IGN])
def test_the_commands_children_fail_as_the_librarys_do(
    both: Callable[[Callable[[], Any]], list[Any]],
    argv: list[str],
    environ: dict[str, str],
    at_the_end_of_a_child: signal.Handlers,
) -> None:
    """The same kind of error, with the same number, also where no child can be waited for."""

    def fail() -> tuple[type[Exception], int | None]:
        with pytest.raises((OSError, ValueError)) as caught:
            Child(argv, stdin=-3, stdout=-3, stderr=-3, environ=environ)
        return type(caught.value), getattr(caught.value, "errno", None)

    before = signal.signal(signal.SIGCHLD, at_the_end_of_a_child)
    try:
        library, command = both(fail)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert command == library


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the command uses subprocess")
def test_a_system_without_another_process_is_an_error(
    both: Callable[[Callable[[], Any]], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a user who may start no more (RLIMIT_NPROC). No descriptor is left open."""

    def refuse(*_: object) -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def fail() -> int | None:
        with pytest.raises(OSError, match="temporarily unavailable") as caught:
            Child(["/bin/true"], stdin=-3, stdout=-3, stderr=-3, environ=ENVIRON)
        return caught.value.errno

    monkeypatch.setattr(os, "fork", refuse)
    monkeypatch.setattr("_posixsubprocess.fork_exec", refuse)
    monkeypatch.setattr("subprocess._fork_exec", refuse, raising=False)
    monkeypatch.setattr("subprocess._USE_POSIX_SPAWN", False)
    assert both(fail) == [errno.EAGAIN] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the command uses subprocess")
def test_a_forked_child_is_ended_and_reaped(
    both: Callable[[Callable[[], Any]], list[Any]],
) -> None:
    """Its status is the signal's; one that another part of the program took is None."""

    def status(reaped_by_another: bool) -> int | None:
        child = Child(["/bin/sleep", "60"], stdin=-3, stdout=-3, stderr=-3, environ=ENVIRON)
        if reaped_by_another:
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
        child.end()
        child.end()
        return child.status

    assert both(lambda: status(False)) == [-signal.SIGINT] * 2
    assert both(lambda: status(True)) == [None, None]


@pytest.mark.usefixtures("children_ignored")
def test_a_lost_status_is_not_0(both: Callable[[Callable[[], Any]], list[Any]]) -> None:
    """Where SIGCHLD is ignored, a program that fails halfway looks like one that has ended well."""

    def run() -> tuple[int | None, int | None]:
        alone, _ = shell("echo canary-half; exit 1")
        asked, _ = talk(f"{ASK} echo canary-half; exit 1", "answer")
        assert asked is not None
        return alone, asked.status

    assert both(run) == [(None, None)] * 2


def test_a_forked_process_leaves_its_parents_children_alone() -> None:
    """Their parent has forked, and the new process exits as every program does."""
    program = """if True:
        import os, sys, time
        from secretly.processes.child import Child, living
        environ = {"PATH": os.defpath}
        argv = ["sh", "-c", "sleep 60 & echo; wait $!"]
        reading, writing = os.pipe()
        child = Child(argv, stdin=-3, stdout=writing, stderr=-3, environ=environ, new_session=True)
        os.read(reading, 1)
        if os.fork() == 0:
            sys.exit()
        os.wait()
        print(child.has_ended(0.2), living() == {child})
    """
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE)
    assert (done.stdout, done.stderr) == ("False True\n", "")


def test_a_process_that_exits_ends_its_children() -> None:
    """At exit, children that still run are ended."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import subprocess as s; from secretly.processes.child import Child;"
            "c = Child(['sleep', '60'], stdin=-3, stdout=-3, stderr=-3, environ={'PATH': '/bin'});"
            "print(c.pid)",
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.stderr == ""
    assert not running(int(done.stdout))


# -- output ----------------------------------------------------------------------


def shell(command: str, seconds: float = DEADLINE, limit: int = 1 << 20) -> tuple[int, bytes]:
    """Run a shell command through ``output``."""
    found = asyncio.run(
        read_output(["/bin/sh", "-c", command], timeout=seconds, environ=ENVIRON, limit=limit)
    )
    return found.status, found.stdout


def test_what_a_program_wrote_is_returned() -> None:
    """Its stdout and its status come back; its stdin is empty."""
    assert shell("echo out; echo err >&2; cat; exit 3") == (3, b"out\n")
    assert shell("kill -9 $$") == (-9, b"")


def test_long_output_comes_whole() -> None:
    """Up to the limit everything comes, beyond it is an error."""
    assert shell("head -c 300000 /dev/zero") == (0, bytes(300000))
    assert shell("head -c 1000 /dev/zero", limit=1000) == (0, bytes(1000))
    with pytest.raises(TimeoutError):
        shell("head -c 1001 /dev/zero; sleep 60", limit=1000)


@pytest.mark.parametrize("command", ["sleep 600", "echo a; exec sleep 600", "exec >&-; sleep 600"])
def test_a_program_that_takes_too_long_is_ended(command: str) -> None:
    """A program that says nothing, says something, or closes its stdout has one deadline."""
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        shell(f"exec {command}" if command.startswith("sleep") else command, seconds=0.2)
    assert time.monotonic() - started < SOON


def test_the_repr_of_an_outcome_shows_no_output() -> None:
    """The repr of an outcome holds no byte of what the program wrote."""
    command = ["/bin/sh", "-c", "echo canary-1; echo canary-2 >&2"]
    found = asyncio.run(read_output(command, timeout=DEADLINE, environ=ENVIRON))
    assert found == Finished(0, b"canary-1\n", b"canary-2\n")
    assert "canary" not in repr(found)


def test_cancelling_ends_the_program() -> None:
    """When the wait is cancelled, the program has ended."""

    async def main() -> None:
        task = asyncio.create_task(read_output(["/bin/sleep", "60"], timeout=60, environ=ENVIRON))
        while not children(os.getpid()):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children(os.getpid()) == []

    asyncio.run(main())


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        "(sleep 60; :) & (sleep 60; :); :",
        'sh -c "sleep 60; :"; :',
        'trap "" INT TERM; sleep 60; sleep 60; sleep 60',
        'trap "" INT TERM; while :; do sleep 0.001 & wait $!; done',  # always another one
        "set -m; (sleep 60; :) & wait",  # in a group of its own
    ],
)
def test_a_program_that_takes_too_long_ends_with_its_children(
    tmp_path: Path, script: str, session: bool
) -> None:
    """However they are related, and whatever they ignore."""
    started = time.monotonic()
    argv = ["/bin/sh", "-c", f"MARK={tmp_path}; export MARK; {script}"]
    with pytest.raises(TimeoutError):
        asyncio.run(read_output(argv, timeout=0.5, environ=ENVIRON, new_session=session))
    assert time.monotonic() - started < 2 * SOON
    assert marked(tmp_path) == []


def marked(folder: Path) -> list[int]:
    """The processes that run and have this folder in their environment."""
    found = []
    for pid, facts in processes():
        with contextlib.suppress(OSError):
            data = Path(f"/proc/{pid}/environ").read_bytes()
            if os.fsencode(folder) in data and facts[0] not in "ZX":
                found.append(pid)
    return found


def test_a_session_ends_with_its_leader(tmp_path: Path) -> None:
    """The leader has ended, and one of its children holds the output open."""
    argv = ["/bin/sh", "-c", f"MARK={tmp_path}; export MARK; sleep 60 & exit 0"]
    with pytest.raises(TimeoutError):
        asyncio.run(read_output(argv, timeout=0.5, environ=ENVIRON, new_session=True))
    assert marked(tmp_path) == []


def test_a_daemon_is_left_alone(tmp_path: Path) -> None:
    """An agent that the program started, in a new session, is there for other programs too."""
    daemon = f"import os; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0);{HELD}"
    started = f"open({str(tmp_path / 'started')!r}, 'x')"
    whole = f"import subprocess as s, time; {START}; {started}; time.sleep(60)"
    argv = [sys.executable, "-ISc", whole]
    environ = {**ENVIRON, "MARK": str(tmp_path), "DAEMON": daemon}

    async def main() -> None:
        task = asyncio.create_task(read_output(argv, timeout=DEADLINE, environ=environ))
        while not (tmp_path / "started").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (left,) = marked(tmp_path)
    os.kill(left, signal.SIGKILL)
    wait_until(lambda: not running(left))


#: Starts the program of ``DAEMON``, and waits until that says that it is there.
START = "import os, sys; s.run([sys.executable, '-ISc', os.environ['DAEMON']])"
HELD = "import time; os.close(1); time.sleep(60)"


@pytest.mark.real
def test_processes_are_listed_by_proc_and_by_ps() -> None:
    """Both list this process and its child."""
    need("ps")
    process = child("")
    for found in (processes_from_proc(), processes_from_ps()):
        facts = {pid: more for pid, *more in found}
        assert facts[process.pid][:2] == [os.getpid(), os.getpgrp()]
        assert os.getpid() in facts
    process.end()
    assert process.pid not in [pid for pid, *_ in processes_from_ps()]


@pytest.mark.parametrize(
    "script", ["echo canary-1; exec sleep 60", "echo canary-1; exec >&-; exec sleep 60"]
)
def test_a_traceback_of_a_time_out_shows_no_output(script: str) -> None:
    """A traceback may show the values of variables."""
    with pytest.raises(TimeoutError) as caught:
        shell(script, seconds=0.3)
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    shown = [repr(found) for found in frames if found.get("command") is None]
    assert len(shown) > 3
    assert "canary-1\\n" not in "".join(shown)


def test_a_child_gets_the_environment_that_it_is_given() -> None:
    """A child has the variables that it was given and no other."""
    found = asyncio.run(read_output(["/usr/bin/env"], timeout=DEADLINE, environ={"A": "1"}))
    assert found.stdout == b"A=1\n"


@pytest.mark.parametrize(("says", "expected"), [("ready", b"canary-1"), ("other", b"other")])
def test_a_program_gets_its_input_once_it_is_ready(says: str, expected: bytes) -> None:
    """Until it has said so, its standard input is empty; what it said is not returned."""
    script = f"printf {says}; exec cat"
    done = asyncio.run(
        read_output(
            ["/bin/sh", "-c", script],
            timeout=DEADLINE,
            environ=ENVIRON,
            stdin=b"canary-1",
            ready=b"ready",
        )
    )
    assert done.stdout == expected


@pytest.mark.parametrize("data", [b"", b"canary-1", b"\0\xff\n" * 20_000])
def test_a_program_can_read_its_stdin(data: bytes) -> None:
    """Its stdin has the data and then ends, whether the program reads it or not."""
    found = asyncio.run(read_output(["/bin/cat"], timeout=DEADLINE, environ=ENVIRON, stdin=data))
    assert found == Finished(0, data, b"")
    found = asyncio.run(read_output(["/bin/true"], timeout=DEADLINE, environ=ENVIRON, stdin=data))
    assert found == Finished(0, b"", b"")


def test_a_program_may_complain_at_length() -> None:
    """The last 64 KiB of its stderr are kept, and the program never has to wait."""
    script = "head -c 300000 /dev/zero >&2; echo wrote; echo the end >&2"
    found = asyncio.run(read_output(["/bin/sh", "-c", script], timeout=DEADLINE, environ=ENVIRON))
    assert (found.status, found.stdout) == (0, b"wrote\n")
    assert len(found.stderr) == 65536
    assert found.stderr.endswith(b"\0the end\n")


def test_a_program_may_complain_at_length_after_its_output(tmp_path: Path) -> None:
    """It has closed its stdout, and its stderr is read until it ends."""
    script = "exec >&-; head -c 300000 /dev/zero >&2; echo the end >&2; exit 1"
    found = asyncio.run(read_output(["/bin/sh", "-c", script], timeout=DEADLINE, environ=ENVIRON))
    assert (found.status, found.stdout) == (1, b"")
    assert found.stderr.endswith(b"\0the end\n")


@pytest.mark.parametrize("script", ["exec yes >&2", "yes >&2"])
def test_a_program_that_complains_without_end_has_a_deadline(script: str) -> None:
    """Though there is always more to read."""
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        shell(script, seconds=0.5)
    assert time.monotonic() - started < SOON


def test_a_child_that_a_program_leaves_behind_is_not_waited_for() -> None:
    """The child holds the program's stderr open."""
    started = time.monotonic()
    script = "sleep 600 >/dev/null & echo said >&2; echo $!"
    found = asyncio.run(read_output(["/bin/sh", "-c", script], timeout=DEADLINE, environ=ENVIRON))
    assert time.monotonic() - started < SOON
    os.kill(int(found.stdout), signal.SIGKILL)
    assert found.stderr == b"said\n"


# -- dialogue --------------------------------------------------------------------

PROMPT = rb"Password[^:]*: ?$"


def talk(
    script: str,
    *answers: str | Exception,
    seconds: float = DEADLINE,
    pause: float = 0,
    limit: int = 1 << 20,
) -> tuple[Finished | None, int]:
    """Answer a shell script that asks on its terminal; also return how often it was answered."""
    left = list(answers)

    async def answer() -> str:
        await asyncio.sleep(pause)
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    argv = ["/bin/sh", "-c", script]
    talked = run_and_answer(
        argv, timeout=seconds, environ=ENVIRON, prompt=PROMPT, answer=answer, limit=limit
    )
    found = asyncio.run(talked)
    return found, len(answers) - len(left)


#: Asks as a password manager does, and says what it was told.
ASK = 'printf "Password: " >/dev/tty; IFS= read -r it </dev/tty; '


def test_a_program_that_asks_on_its_terminal_is_answered() -> None:
    """What it writes is apart from what it asks, and the answer is in neither."""
    found, answers = talk(f'{ASK} test "$it" = "canary 1 é" && echo wrote; exit 3', "canary 1 é")
    assert answers == 1
    assert found is not None
    assert (found.status, found.stdout) == (3, b"wrote\n")
    assert b"canary" not in found.stderr
    assert b"canary" not in repr(found).encode()


def test_a_program_may_ask_on_its_stdin_and_stderr() -> None:
    """They are that terminal too, and it is the one of a session of its own."""
    script = 'printf "Password for me: " >&2; read -r it; echo "$it"; tty; echo end >&2'
    found, _ = talk(f"test -t 0 && test -t 2 && ! test -t 1 && {script}", "canary-1")
    assert found is not None
    it, terminal = found.stdout.decode().splitlines()
    assert it == "canary-1"
    assert terminal.startswith("/dev/pts/")
    assert found.stderr == b"end\r\n"


def test_a_program_that_asks_nothing_gets_no_answer() -> None:
    """Even if it writes the word that a prompt has."""
    found, answers = talk("echo Passwords: are not asked for >&2; echo wrote", "canary-1")
    assert found is not None
    assert (found.status, found.stdout) == (0, b"wrote\n")
    assert b"not asked for" in found.stderr
    assert answers == 0


def test_a_prompt_may_be_coloured_and_come_in_pieces() -> None:
    """As the prompt of lpass does."""
    script = (
        "printf '\\033[1;33mPass' >&2; sleep 0.05; printf 'word\\033[0m: \\033[0m' >&2; read -r it"
    )
    found, answers = talk(f'{script}; echo "$it"', "canary-1")
    assert found is not None
    assert (found.stdout, answers) == (b"canary-1\n", 1)


def test_a_program_that_refuses_the_answer_is_ended() -> None:
    """It does not get the same answer again."""
    found, answers = talk(f"{ASK} echo Incorrect, try again. >&2; {ASK} exit 0", "a", "b")
    assert (found, answers) == (None, 1)


def test_a_program_may_ask_twice() -> None:
    """It may ask for the vault and for an item in it, three times at most."""
    found, answers = talk(f'{ASK} {ASK} echo "$it"', "a", "b")
    assert found is not None
    assert (found.stdout, answers) == (b"b\n", 2)
    assert talk(f"while :; do {ASK} done", *"abcdef") == (None, 3)


def test_the_time_of_the_answer_does_not_count() -> None:
    """Only the program's own time has a deadline."""
    found, _ = talk(f"{ASK} echo wrote", "a", seconds=4, pause=4.5)
    assert found is not None
    for script in ("sleep 600", f"{ASK} sleep 600", "exec >&-; sleep 600", "echo a; sleep 600"):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            talk(script.replace("sleep", "exec sleep"), "a", seconds=0.3)
        assert time.monotonic() - started < SOON


def test_a_program_that_asks_may_write_at_length() -> None:
    """It may write more than a pipe holds, whether it asks or not, also to its terminal."""
    for begin in (ASK, ""):
        found, _ = talk(f"{begin} head -c 1000000 /dev/zero; echo end >&2", "a")
        assert found is not None
        assert (found.status, found.stdout) == (0, bytes(1000000))
        assert found.stderr.endswith(b"end\r\n")
    found, _ = talk(f"head -c 300000 /dev/zero >&2; {ASK} echo wrote", "a")
    assert found is not None
    assert found.stdout == b"wrote\n"


@pytest.mark.parametrize("where", ["", ">&2"])
@pytest.mark.parametrize("begin", ["", ASK])
def test_a_program_that_asks_and_writes_without_end_is_ended(begin: str, where: str) -> None:
    """It writes too much or takes too long, on its terminal as in the pipe; the end is kept."""
    started = time.monotonic()
    with pytest.raises(TooMuch):
        talk(f"{begin} exec yes {where}", "a")
    with pytest.raises(TimeoutError) as caught:
        talk(f"{begin} exec yes {where}", "a", seconds=0.5, limit=1 << 40)
    assert caught.type is TimeoutError
    assert time.monotonic() - started < 2 * SOON
    found, _ = talk(f"{begin} head -c 300000 /dev/zero >&2", "a")
    assert found is not None
    assert len(found.stderr) == 65536


def test_a_missing_answer_ends_the_program() -> None:
    """As when the user cancels the prompt."""
    with pytest.raises(ZeroDivisionError):
        talk(f"{ASK} sleep 600", ZeroDivisionError())


def test_a_missing_program_that_would_ask_ends_with_127() -> None:
    """It is the status of a shell for a missing program."""

    async def answer() -> str:
        raise AssertionError

    found = asyncio.run(
        run_and_answer(
            ["/nonexistent"], timeout=DEADLINE, environ=ENVIRON, prompt=PROMPT, answer=answer
        )
    )
    assert found is not None
    assert found.status == 127
