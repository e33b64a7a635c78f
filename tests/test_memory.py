"""Scan the memory of a program for its secret after the exec."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from command import SECRETLY, Home, children, ended, home, processes, wait_until
from conftest import Tried

from secretly.testing import FakePinentry

pytestmark = [
    pytest.mark.process,
    pytest.mark.outside,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/PID/mem"),
]

CANARY = "canary-1f7c93d2"


class Place(NamedTuple):
    """A place in a process's memory that contains a text."""

    mapping: str
    address: int


def maps(pid: int) -> Iterator[tuple[int, int, str]]:
    """The readable parts of a process's memory: start, end, name (proc(5))."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, *rest = line.split(maxsplit=5)
        if rights.startswith("r"):
            start, end = (int(part, 16) for part in span.split("-"))
            yield start, end, rest[3] if len(rest) > 3 else ""


def found_in(pid: int, text: str) -> list[Place]:
    """Each place that contains a text in a process's memory. All of the memory must be readable."""
    places, read = [], 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, name in maps(pid):
            if name in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):  # the kernel's, which has no file
                continue
            memory.seek(start)
            data = memory.read(end - start)
            assert len(data) == end - start
            read += len(data)
            places += [Place(name, start + one.start()) for one in re.finditer(text.encode(), data)]
    assert read > 1 << 20
    return places


def environment_of(pid: int) -> range:
    """The range of memory in which execve put a process's environment (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return range(int(fields[47]), int(fields[48]))


@contextlib.contextmanager
def becoming(here: Home, argv: list[str], environ: dict[str, str], name: str) -> Iterator[int]:
    """A command that has become the program of that name and waits."""
    process = here.start(argv, environ=environ, stderr=subprocess.DEVNULL)
    with ended(process):
        comm = Path(f"/proc/{process.pid}/comm")
        wait_until(lambda: comm.read_text().strip() == name)
        # It has started when it waits for its input, or for the time.
        wait_until(
            lambda: (
                Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
            )
        )
        yield process.pid


@pytest.fixture(name="here")
def _here() -> Iterator[Home]:
    with home() as found:
        yield found


WAYS = ["typed", "stored", "typed and stored", "stored, after consent", "a command", "an env file"]


def given(here: Home, way: str) -> tuple[FakePinentry, list[str]]:
    """The pinentry and the options for one way to get the secret."""
    answers: list[str | bool | None] = []
    options = ["-e", "A=Name"]
    if way.startswith("typed"):
        answers = [CANARY]
    if "stored" in way:
        here.keep_in_a_file()
    if way in ("stored", "stored, after consent"):
        assert here.run("set", "Name", "--stdin", stdin=CANARY).status == 0
    if way == "typed and stored":
        options += ["--remember"]
    elif way == "stored, after consent":
        options += ["--confirm"]
        answers = ["yes"]
    elif way == "a command":
        program = here.program(
            "manager", f"#!/bin/sh\nprintf '%s%s\\n' {CANARY[:9]} {CANARY[9:]}\n"
        )
        here.configure(f'[secrets.Name]\ncommand = ["{program}"]\n')
    elif way == "an env file":
        (here.folder / ".env").write_text("A=env://SOURCE\n")
        options = ["--env-file", ".env"]
    return FakePinentry(answers), options


@pytest.mark.parametrize("way", WAYS)
def test_the_secret_is_only_in_the_environment(here: Home, way: str, tried: Tried) -> None:
    """It is there once, and in no other part of the program's memory or arguments.

    No process around it has the secret in its memory, environment or arguments.
    """
    fake, options = given(here, way)
    environ = {"SOURCE": CANARY} if way == "an env file" else {}
    with fake as pinentry:
        started = time.monotonic()
        line = [*SECRETLY, "run", "-q", *options, "sleep", "60"]
        with becoming(here, line, {**pinentry.environ, **environ}, "sleep") as pid:
            places = found_in(pid, CANARY)
            assert {place.mapping for place in places} == {"[stack]"}
            assert all(place.address in environment_of(pid) for place in places)
            # The variable that it was read from stays, next to the one that gets it.
            names = ["A", "SOURCE"] if environ else ["A"]
            assert len(places) == len(names)
            block = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            held = sorted(entry for entry in block if CANARY.encode() in entry)
            assert held == [f"{name}={CANARY}".encode() for name in names]
            assert CANARY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
            assert children(pid) == []
            assert around(pid) == []
        assert len(pinentry.prompts) == (way not in ("stored", "a command", "an env file"))
    tried("the program's memory", way, "in its environment alone", time.monotonic() - started)


def around(pid: int) -> list[tuple[int, str]]:
    """The other processes that have the text in their arguments or environment."""
    found = []
    for other in processes():
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                if CANARY.encode() in Path(f"/proc/{other}/{name}").read_bytes() and other != pid:
                    found.append((other, name))
    return found


def test_the_scan_finds_copies(here: Home) -> None:
    """A program that copies its environment has the secret elsewhere in its memory too."""
    program = "import os, time; os.environ['A']; print(flush=True); time.sleep(60)"
    with FakePinentry([CANARY]) as pinentry:
        line = [*SECRETLY, "run", "-q", "-e", "A", sys.executable, "-IS", "-c", program]
        process = here.start(line, environ=pinentry.environ)
        with ended(process):
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            assert {place.mapping for place in found_in(process.pid, CANARY)} > {"[stack]"}


def test_the_scan_finds_the_first_of_two_secrets(here: Home) -> None:
    """While the command waits for the second secret, the first is in its memory."""
    if os.geteuid() != 0:
        pytest.skip("only root may look into the command that waits")
    with FakePinentry([CANARY, [("hang", False)]]) as pinentry:
        line = [*SECRETLY, "run", "-e", "A", "-e", "B", "true"]
        process = here.start(line, environ=pinentry.environ)
        with ended(process):
            wait_until(lambda: len(pinentry.prompts) == 2)
            assert found_in(process.pid, CANARY)
