"""Children: ended, reaped, and read."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from ptys import children, running

from secretly.processes import Child, output

ENVIRON = {"PATH": os.defpath}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After each test there is no child, not even a zombie, and no descriptor more."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert children(os.getpid()) == []
    assert set(os.listdir("/proc/self/fd")) == before


def child(source: str, **more: int) -> Child:
    """Start a Python program that says when it is ready, and wait for that."""
    reading, writing = os.pipe()
    try:
        argv = [
            sys.executable,
            "-IS",
            "-c",
            f"{source}\nprint(flush=True)\nimport time; time.sleep(60)",
        ]
        null = subprocess.DEVNULL
        started = Child(argv, stdin=null, stdout=writing, stderr=null, environ=ENVIRON)
        assert os.read(reading, 1) == b"\n"
        return started
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(
    ("ignored", "ended_by"),
    [
        ("(signal.SIGTERM,)", signal.SIGINT),
        ("(signal.SIGINT,)", signal.SIGTERM),
        ("(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)", signal.SIGKILL),
    ],
)
def test_a_child_is_ended_by_the_mildest_signal(ignored: str, ended_by: int) -> None:
    """INT, TERM and KILL are tried in turn, and it takes half a second at most."""
    process = child(f"import signal\nfor s in {ignored}: signal.signal(s, signal.SIG_IGN)")
    started = time.monotonic()
    process.end()
    assert time.monotonic() - started < 0.8
    assert process.status == -ended_by
    assert not os.path.exists(f"/proc/{process.pid}")


def test_a_stopped_child_is_ended() -> None:
    """A child that was stopped (Ctrl-Z) is ended as well, without waiting for the KILL."""
    process = child("")
    os.kill(process.pid, signal.SIGSTOP)
    process.end()
    assert process.status == -signal.SIGINT


def test_ending_twice_is_ending_once() -> None:
    """What has ended is left alone; its status stays."""
    process = child("")
    os.kill(process.pid, signal.SIGKILL)
    assert process.ended(5)
    process.end()
    process.end()
    assert process.status == -signal.SIGKILL


def test_a_child_that_goes_on_has_not_ended() -> None:
    """``ended`` waits as long as it is told, and says no."""
    process = child("")
    started = time.monotonic()
    assert process.ended(0.1) is False
    assert 0.09 < time.monotonic() - started < 1
    assert process.status is None
    process.end()


def test_what_cannot_be_started_is_an_error() -> None:
    """A program that is not there is an OSError, and leaves nothing."""
    null = subprocess.DEVNULL
    with pytest.raises(FileNotFoundError):
        Child(["/nonexistent"], stdin=null, stdout=null, stderr=null, environ=ENVIRON)
    with pytest.raises(FileNotFoundError):
        asyncio.run(output(["/nonexistent"], seconds=5, environ=ENVIRON))


def test_a_process_that_exits_ends_its_children() -> None:
    """At exit, children that still run are ended."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import subprocess as s; from secretly.processes import Child;"
            "c = Child(['sleep', '60'], stdin=-3, stdout=-3, stderr=-3, environ={'PATH': '/bin'});"
            "print(c.pid)",
        ],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stderr == ""
    assert not running(int(done.stdout))


# -- output ----------------------------------------------------------------------


def shell(command: str, seconds: float = 10, limit: int = 1 << 20) -> tuple[int, bytes]:
    """Run a shell command through ``output``."""
    found = asyncio.run(
        output(["/bin/sh", "-c", command], seconds=seconds, environ=ENVIRON, limit=limit)
    )
    return found.status, found.stdout


def test_what_a_program_wrote_is_returned() -> None:
    """Its stdout and its status come back; its stderr goes nowhere; its stdin is empty."""
    assert shell("echo out; echo err >&2; cat; exit 3") == (3, b"out\n")
    assert shell("kill -9 $$") == (-9, b"")


def test_long_output_comes_whole() -> None:
    """Up to the limit everything comes, beyond it is an error."""
    assert shell("head -c 300000 /dev/zero") == (0, bytes(300000))
    assert shell("head -c 1000 /dev/zero", limit=1000) == (0, bytes(1000))
    with pytest.raises(TimeoutError):
        shell("head -c 1001 /dev/zero; sleep 60", limit=1000)


@pytest.mark.parametrize("command", ["sleep 60", "echo a; exec sleep 60", "exec >&-; sleep 60"])
def test_what_takes_too_long_is_ended(command: str) -> None:
    """A program that says nothing, says something, or closes its stdout has one deadline."""
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        shell(f"exec {command}" if command.startswith("sleep") else command, seconds=0.2)
    assert time.monotonic() - started < 2


def test_what_was_found_shows_nothing_of_it() -> None:
    """The repr of an outcome holds no byte of what the program wrote."""
    found = asyncio.run(output(["/bin/echo", "canary-1"], seconds=5, environ=ENVIRON))
    assert "canary" not in repr(found)


def test_cancelling_ends_the_program() -> None:
    """A cancelled wait leaves no program."""

    async def main() -> None:
        task = asyncio.create_task(output(["/bin/sleep", "60"], seconds=60, environ=ENVIRON))
        while not children(os.getpid()):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children(os.getpid()) == []

    asyncio.run(main())


def test_it_gets_the_environment_that_it_is_given() -> None:
    """A child has the variables that it was given and no other."""
    found = asyncio.run(output(["/usr/bin/env"], seconds=5, environ={"A": "1"}))
    assert found.stdout == b"A=1\n"
