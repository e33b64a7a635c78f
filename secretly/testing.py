"""Doubles for tests of programs that use secretly, which secretly's own tests use too.

.. versionadded:: 1.0
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import api, configuration, processes, resolve, sources
from .errors import KeychainLocked, KeychainUnavailable, SecretlyError, SourceFailed
from .index import Index
from .redacted import Environment, Secret
from .session import Held

__all__ = [
    "FakePinentry",
    "KeychainContract",
    "MemoryKeychain",
    "MemorySession",
    "SourceContract",
    "sandbox",
]

_PROGRAM = r"""
import base64, fcntl, json, os, signal, sys, time

script = json.loads(SCRIPT)
folder = FOLDER
said = {}

def write(data):
    while data:
        data = data[os.write(1, data):]

def turn():
    with open(folder + "/turn", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = int(file.read() or 0)
        file.truncate(0)
        file.write(str(number + 1))
    return number

def act(action):
    kind, value = action
    if kind == "raw":
        write(base64.b64decode(value))
    elif kind == "drip":
        for byte in base64.b64decode(value):
            write(bytes([byte]))
            time.sleep(0.005)
    elif kind == "wait":
        time.sleep(value)
    elif kind == "hang":
        for number in (signal.SIGINT, signal.SIGTERM) if value else ():
            signal.signal(number, signal.SIG_IGN)
        time.sleep(3600)
    elif kind == "kill":
        if value not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(value, signal.SIG_DFL)
        os.kill(os.getpid(), value)
        time.sleep(10)
    elif kind == "exit":
        os._exit(value)

def answer(verb, default):
    for action in script["on"].get(verb, [["raw", base64.b64encode(default).decode()]]):
        act(action)

signal.signal(signal.SIGINT, lambda *_: os._exit(1))
answer("greeting", b"OK Pleased to meet you\n")
while True:
    line = sys.stdin.buffer.readline()
    if not line:
        break
    verb, _, text = line.rstrip(b"\n").partition(b" ")
    verb = verb.decode("ascii", "replace")
    said[verb] = text.decode("utf-8", "replace")
    with open(folder + "/lines", "ab") as file:
        file.write(line)
    if verb in ("GETPIN", "CONFIRM", "MESSAGE"):
        with open(folder + "/prompts", "a") as file:
            file.write(json.dumps(said) + "\n")
        number = turn()
        answers = script["answers"]
        actions = answers[number] if number < len(answers) else script["otherwise"]
        for action in actions:
            act(action)
    elif verb == "BYE":
        answer(verb, b"OK closing connection\n")
        break
    elif verb == "GETINFO" and text == b"flavor":
        answer(verb, b"D " + script["flavor"].encode() + b"\nOK\n")
    else:
        answer(verb, b"OK\n")
"""

Action = tuple[str, Any]
#: What a fake pinentry does at a prompt: type a text, cancel (None), say yes or no,
#: or a list of actions: ``("raw", bytes)``, ``("drip", bytes)``, ``("wait", seconds)``,
#: ``("hang", whether to ignore signals)``, ``("kill", signal)``, ``("exit", status)``.
Answer = str | None | bool | Sequence[Action]

_CANCEL = b"ERR 83886179 Operation cancelled <Pinentry>\n"


def _executable(path: Path, text: str) -> None:
    """Write a program, by a process that has ended when it is there.

    A program that some process has open for writing cannot be started (ETXTBSY, execve(2)):
    one that another thread starts meanwhile would have it open for a moment.
    """
    script = 'cat >"$0" && chmod 700 "$0"'
    subprocess.run(["/bin/sh", "-c", script, path], input=text.encode(), check=True, timeout=60)


class FakePinentry:
    """A pinentry that follows a script: a real process, as a real one is.

    :param answers: what it does at each prompt in turn; after the last one it cancels.
    :param on: what it does at other commands, by verb, or at its ``"greeting"``.
    :param flavor: what it says that it is.

    ``path`` is the program, to be named in ``PINENTRY``; ``prompts`` are the texts
    that each prompt was shown with, by command. Use it as a context manager.
    """

    def __init__(
        self,
        answers: Sequence[Answer] = (),
        *,
        on: Mapping[str, Sequence[Action]] | None = None,
        flavor: str = "gtk2",
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="secretly-"))
        self.path = self._folder / "pinentry-gtk-fake"
        script = {
            "answers": [_actions(answer) for answer in answers],
            "otherwise": _encoded([("raw", _CANCEL)]),
            "on": {verb: _encoded(actions) for verb, actions in (on or {}).items()},
            "flavor": flavor,
        }
        program = _PROGRAM.replace("SCRIPT", repr(json.dumps(script)))
        program = program.replace("FOLDER", repr(str(self._folder)))
        _executable(self.path, f"#!{sys.executable} -IS\n{program}")

    def __enter__(self) -> FakePinentry:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._folder)

    @property
    def environ(self) -> dict[str, str]:
        """Variables with which this pinentry is the one that is asked."""
        return {"PINENTRY": str(self.path), "DISPLAY": ":fake"}

    @property
    def prompts(self) -> list[dict[str, str]]:
        """The texts of each prompt that was shown, by command, as they were sent."""
        with contextlib.suppress(FileNotFoundError):
            text = (self._folder / "prompts").read_text("utf-8")
            return [json.loads(line) for line in text.splitlines()]
        return []

    @property
    def lines(self) -> list[bytes]:
        """Every line that it was sent."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "lines").read_bytes().splitlines()
        return []


def _actions(answer: Answer) -> list[list[Any]]:
    if answer is None:
        return _encoded([("raw", _CANCEL)])
    if answer is True:
        return _encoded([("raw", b"OK\n")])
    if answer is False:
        return _encoded([("raw", b"ERR 83886194 Not confirmed <Pinentry>\n")])
    if isinstance(answer, str):
        from .assuan import escape

        data = escape(answer.encode())
        lines = b"".join(b"D " + data[i : i + 900] + b"\n" for i in range(0, len(data), 900))
        return _encoded([("raw", lines + b"OK\n")])
    return _encoded(answer)


def _encoded(actions: Sequence[Action]) -> list[list[Any]]:
    return [
        [kind, base64.b64encode(value).decode() if isinstance(value, bytes) else value]
        for kind, value in actions
    ]


class MemoryKeychain:
    """A keychain that forgets everything at the end; it passes :class:`KeychainContract`.

    :param locked: whether it is locked and stays so.
    :param absent: whether there is none.
    """

    def __init__(self, *, locked: bool = False, absent: bool = False) -> None:
        self.items: dict[tuple[str, str], Secret] = {}
        self._locked, self._absent = locked, absent

    def _check(self) -> None:
        if self._absent:
            raise KeychainUnavailable("there is no keychain", "install one")
        if self._locked:
            raise KeychainLocked("the keychain is locked", "unlock it")

    async def get(self, service: str, username: str, person: float | None) -> Secret | None:
        """Return what is kept, or None."""
        self._check()
        return self.items.get((service, username))

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Keep a secret."""
        self._check()
        self.items[service, username] = Secret(value)

    async def delete(self, service: str, username: str, person: float | None) -> bool:
        """Delete an item; return whether there was one."""
        self._check()
        return self.items.pop((service, username), None) is not None

    async def describe(self) -> str:
        """Name it."""
        self._check()
        return "memory"


class MemorySession:
    """What holds secrets for a while, in place of the kernel keyring.

    :param absent: whether there is none, as on macOS.
    """

    def __init__(self, *, absent: bool = False) -> None:
        self._items: dict[tuple[str, str], tuple[Secret, float]] = {}
        self._absent = absent

    def get(self, name: str, username: str) -> Secret | None:
        """Return what is held, or None."""
        value, end = self._items.get((name, username), (None, 0.0))
        return value if time.time() < end else None

    def hold(self, name: str, username: str, value: str, seconds: float) -> None:
        """Hold a secret."""
        if self._absent or seconds <= 0:
            why = "there is none here" if self._absent else "its time is over at once"
            raise KeychainUnavailable(f"it cannot be held in memory: {why}", "type it each time")
        self._items[name, username] = Secret(value), time.time() + seconds

    def drop(self, name: str | None = None, username: str | None = None) -> int:
        """Drop what is held for *name* and *username*, None meaning any; return how many."""
        gone = [
            item
            for item in self.held()
            if name in (None, item.name) and username in (None, item.username)
        ]
        for item in gone:
            del self._items[item.name, item.username]
        return len(gone)

    def held(self) -> list[Held]:
        """Return what is held, by name."""
        now = time.time()
        return sorted(
            Held(name, username, f"{end - now:.0f} s")
            for (name, username), (_, end) in self._items.items()
            if now < end
        )


@contextlib.contextmanager
def sandbox(
    pinentry: FakePinentry | None = None,
    keychain: MemoryKeychain | None = None,
    environ: Mapping[str, str] | None = None,
    config: str = "",
    session: MemorySession | None = None,
) -> Iterator[resolve.Context]:
    """Have the library use doubles, and nothing of this user's.

    :param pinentry: what is asked; None: nobody is there.
    :param keychain: where secrets are kept; None: a fresh :class:`MemoryKeychain`.
    :param environ: more variables.
    :param config: the text of a configuration file.
    :param session: where they are held for a while; None: a fresh :class:`MemorySession`.
    """
    # A call that was given up may still write there.
    with tempfile.TemporaryDirectory(prefix="secretly-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, "config.toml")
        path.write_text(config, "utf-8")
        variables = {"HOME": folder, "PATH": os.defpath, "SECRETLY_CONFIG": str(path)}
        variables |= {**(pinentry.environ if pinentry else {}), **(environ or {})}
        found = configuration.load(variables)
        double = MemoryKeychain() if keychain is None else keychain
        here = resolve.Context.of(found, variables)._replace(
            keychain=double,
            index=Index(Path(folder, "state")),
            no_input=pinentry is None,
            holder=MemorySession() if session is None else session,
        )
        before = api.context
        api.context = lambda: here
        try:
            yield here
        finally:
            api.context = before


class KeychainContract:
    """What every keychain must do: inherit it, and override :meth:`keychain`."""

    #: Texts that keychains were seen to trip over.
    DIFFICULT = ("", " ", "a b", "é€😀", "a=b&c", "100%", "x" * 5000, "\t\n", "'\"\\", "/../", "#")

    def keychain(self) -> Any:
        """Return the keychain to be tested, empty."""
        raise NotImplementedError

    def test_what_is_kept_comes_back(self) -> None:
        """Whatever text is kept, the same comes back."""
        keychain = self.keychain()
        for number, text in enumerate(self.DIFFICULT):
            asyncio.run(keychain.set(f"canary-{number}", "user", text, 5))
        for number, text in enumerate(self.DIFFICULT):
            assert asyncio.run(keychain.get(f"canary-{number}", "user", 5)) == text

    def test_names_may_be_difficult(self) -> None:
        """Whatever the name and the user name, each has its own secret."""
        keychain = self.keychain()
        names = [name for name in self.DIFFICULT if name]
        for name in names:
            asyncio.run(keychain.set(name, name, f"canary-{name}", 5))
        for name in names:
            assert asyncio.run(keychain.get(name, name, 5)) == f"canary-{name}"

    def test_what_is_not_there_is_none(self) -> None:
        """An item that was never kept, or under another user name, is None."""
        keychain = self.keychain()
        asyncio.run(keychain.set("there", "user", "canary-1", 5))
        assert asyncio.run(keychain.get("not there", "user", 5)) is None
        assert asyncio.run(keychain.get("there", "another", 5)) is None

    def test_the_last_one_counts(self) -> None:
        """A secret that is kept again replaces the one before."""
        keychain = self.keychain()
        asyncio.run(keychain.set("name", "user", "canary-1", 5))
        asyncio.run(keychain.set("name", "user", "canary-2", 5))
        assert asyncio.run(keychain.get("name", "user", 5)) == "canary-2"

    def test_what_is_deleted_is_gone(self) -> None:
        """Deleting says whether there was something, and leaves nothing."""
        keychain = self.keychain()
        asyncio.run(keychain.set("name", "user", "canary-1", 5))
        assert asyncio.run(keychain.delete("name", "user", 5)) is True
        assert asyncio.run(keychain.delete("name", "user", 5)) is False
        assert asyncio.run(keychain.get("name", "user", 5)) is None

    def test_it_names_itself(self) -> None:
        """A keychain that can keep something says what it is."""
        assert asyncio.run(self.keychain().describe())


class SourceContract:
    """What every source must do: inherit it, keep an item, and say where it is.

    Override :meth:`source`, :meth:`item` and :meth:`missing`; :meth:`run` too if the
    source needs variables, a keychain or a person. A source that runs a program names it
    in ``PROGRAM``: then it is also tried with programs of that name that fail.
    """

    #: The password of the item, with what sources were seen to trip over; it ends in white space.
    PASSWORD = "canary-\"a\" 'b' \\ \\n é€😀 100%41 #c $HOME `d` {e} &amp; \t "
    #: The user name of the item; None: the source has none.
    USERNAME: str | None = "canary \"ü\" 'b' \\n %41 #c <d@example.org>"
    #: What is raised for a missing item, where a source cannot tell that it is missing.
    MISSING: type[SourceFailed] = sources.NoItem
    #: The name of the program that it runs, as on PATH; empty: it runs none.
    PROGRAM = ""

    def source(self) -> sources.Source:
        """Return the source to be tested."""
        raise NotImplementedError

    def run(self) -> sources.Run:
        """Return a fresh run in which the item can be had."""
        return sources.Run(Environment(os.environ), person=10)

    def item(self) -> str:
        """Return the path of the item that has ``PASSWORD`` and ``USERNAME``."""
        raise NotImplementedError

    def missing(self) -> str:
        """Return the path of an item that is not there."""
        raise NotImplementedError

    def test_it_has_a_title(self) -> None:
        """It says in a line what people call it."""
        assert self.source().title.strip()
        assert self.source().title.isprintable()

    def test_the_password_comes_back(self) -> None:
        """As it was kept, but for one newline of the program's own; under each of its names."""
        for field in ("", "password", "Password"):
            found = self._item(self.run(), field)
            value = found.chosen(field, self.source().title, self.item())
            assert _same(value, self.PASSWORD)

    def test_the_user_name_comes_with_it(self) -> None:
        """The same call gives both, whether it was asked for or not."""
        if self.USERNAME is None:
            found = self._item(self.run(), "", "username")
            assert "username" not in found
        else:
            for wanted in (("", "username"), ("",), ("username",)):
                found = self._item(self.run(), *wanted)
                value = found.chosen("username", self.source().title, self.item())
                assert _same(value, self.USERNAME)
                assert wanted == ("username",) or _same(found.chosen("", "", ""), self.PASSWORD)

    def test_the_command_can_wait_for_it(self) -> None:
        """Twisted drives that: what is awaited is Twisted's, or secretly's own, not asyncio's."""
        found = sources.Item(_in_twisted(self.source().fetch(self.item(), ("",), self.run())))
        assert _same(found.chosen("", "", ""), self.PASSWORD)

    def test_it_can_be_asked_again(self) -> None:
        """In one run, for the same and for another."""
        run = self.run()
        self._item(run, "")
        self._failure(run, self.missing(), self.MISSING)
        assert _same(self._item(run, "").chosen("", "", ""), self.PASSWORD)

    def test_a_missing_item_is_said_to_be_missing(self) -> None:
        """With the names of the source and of the item, harmless, and what to do."""
        error = self._failure(self.run(), self.missing(), self.MISSING)
        name = self.missing().rpartition("/")[2]
        assert self.source().title in f"{error} {error.hint}"
        assert name in str(error)
        self._failure(self.run(), f"{self.missing()}\u202e", self.MISSING)

    def test_a_missing_field_is_said_to_be_missing(self) -> None:
        """With the names of those that there are, and none of their values."""
        field = "no such field"

        async def work() -> None:
            found = sources.Item(await self.source().fetch(self.item(), ("", field), self.run()))
            found.chosen(field, self.source().title, self.item())

        error = self._raised(work, sources.NoField)
        assert field in str(error)
        assert "password" in error.hint.casefold()

    def test_a_name_is_never_an_option(self) -> None:
        """What a program prints when it is asked for help is no secret."""
        for name in ("--help", "--version", "-h"):
            path = self.missing().rpartition("/")
            self._failure(self.run(), f"{path[0]}{path[1]}{name}", SecretlyError)

    def test_what_a_run_keeps_is_not_shown(self) -> None:
        """Neither by it nor by the item."""
        run = self.run()
        found = self._item(run, "", "username")
        assert "canary" not in f"{run!r} {found!r}"

    # -- its program -----------------------------------------------------------------

    def test_a_program_that_is_not_there(self) -> None:
        """It is said to be missing, by its name."""
        if self.PROGRAM:
            with tempfile.TemporaryDirectory(prefix="secretly-") as empty:
                run = self._where({"PATH": empty})
                error = self._failure(run, self.item(), sources.NotInstalled)
            assert self.PROGRAM in f"{error}"
            assert self.PROGRAM in error.hint

    def test_a_program_that_hangs_is_ended(self) -> None:
        """When the time is over, with an error that names it."""
        before = set(processes.living())
        with self._other("exec sleep 3600") as run:
            if self.PROGRAM:
                error = self._failure(replace(run, person=0.5), self.item(), SourceFailed)
                assert self.PROGRAM in f"{error}"
        assert set(processes.living()) == before

    def test_a_cancelled_wait_ends_the_program(self) -> None:
        """And it is reaped."""
        before = set(processes.living())

        async def cancelled(run: sources.Run) -> bool:
            task = asyncio.ensure_future(self.source().fetch(self.item(), ("",), run))
            while set(processes.living()) == before and not task.done():
                await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.wait([task], timeout=10)
            return task.cancelled()

        with self._other("exec sleep 3600") as run:
            assert not self.PROGRAM or asyncio.run(asyncio.wait_for(cancelled(run), 20))
        assert set(processes.living()) == before

    def test_what_a_failing_program_says_is_not_shown(self) -> None:
        """It may hold a secret."""
        for script in (
            "echo canary-out; echo canary-err >&2; exit 71",
            "echo canary-out; echo canary-err >&2; kill -9 $$",
        ):
            with self._other(script) as run:
                if self.PROGRAM:
                    error = self._failure(run, self.item(), SourceFailed)
                    assert self.source().title in f"{error}"

    def test_what_is_no_text_is_refused(self) -> None:
        """Bytes that are not UTF-8, and NUL, which no variable can hold."""
        for script in ("printf 'canary-\\377'", "printf 'canary-\\0'"):
            with self._other(script) as run:
                if self.PROGRAM:
                    self._failure(run, self.item(), SourceFailed)

    def test_garbage_is_an_error_of_ours_or_a_secret(self) -> None:
        """Whatever a program writes: nothing else is raised."""
        for said in ("", "canary {", "[]", "{}", "null", "3", "[[]]", '{"fields": 3}', "[3]"):
            with self._other(f"cat <<'EOF'\n{said}\nEOF") as run:
                if self.PROGRAM:
                    with contextlib.suppress(SourceFailed):
                        self._fetched(run, self.item(), "").chosen("", "", "")

    # -- how -------------------------------------------------------------------------

    def _where(self, variables: Mapping[str, str]) -> sources.Run:
        run = self.run()
        return replace(run, environ=Environment({**run.environ, **variables}))

    @contextlib.contextmanager
    def _other(self, script: str) -> Iterator[sources.Run]:
        """A run in which the program is another: a shell script."""
        with tempfile.TemporaryDirectory(prefix="secretly-") as folder:
            path = Path(folder, self.PROGRAM or "none")
            path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
            path.chmod(0o700)
            before = self.run().environ.get("PATH", os.defpath)
            yield self._where({"PATH": f"{folder}{os.pathsep}{before}"})

    def _fetched(self, run: sources.Run, path: str, *fields: str) -> sources.Item:
        return sources.Item(asyncio.run(_within(self.source().fetch(path, fields, run))))

    def _item(self, run: sources.Run, *fields: str) -> sources.Item:
        return self._fetched(run, self.item(), *fields)

    def _failure(self, run: sources.Run, path: str, kind: type[SecretlyError]) -> SecretlyError:
        return self._raised(lambda: self.source().fetch(path, ("",), run), kind)

    def _raised(
        self, work: Callable[[], Coroutine[Any, Any, Any]], kind: type[SecretlyError]
    ) -> SecretlyError:
        """The error that it raises, which is harmless, and says what to do."""
        try:
            asyncio.run(_within(work()))
        except kind as error:
            text = f"{error} {error.hint}"
            assert str(error)
            assert error.hint
            assert text.isprintable()
            assert "canary" not in text
            assert "canary" not in _locals(error)
            return error
        raise AssertionError(f"no {kind.__name__} was raised")


async def _within(work: Coroutine[Any, Any, Any]) -> Any:
    return await asyncio.wait_for(work, 60)


def _in_twisted(work: Coroutine[Any, Any, Any]) -> Any:
    """The outcome of what Twisted drives; its reactor is not started, for that can be done once."""
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    reactor: Any = installed
    outcome: list[Any] = []
    deferred = Deferred.fromCoroutine(work)
    deferred.addBoth(outcome.append)
    deadline = time.monotonic() + 60
    while not outcome and time.monotonic() < deadline:
        reactor.iterate(0.02)
    deferred.cancel()
    assert outcome, "it does not end, nor does it heed that it is cancelled"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


def _same(one: str, other: str) -> bool:
    # An assertion that compares them would show both.
    return one == other


def _locals(error: BaseException | None) -> str:
    """What a traceback with captured locals shows, but for the tests' own."""
    found = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if not str(frame.f_globals.get("__name__")).startswith((__name__, "asyncio")):
                found.append(repr(frame.f_locals))
        error = error.__cause__ or error.__context__
    return "\n".join(found)
