"""Where configured secrets come from: what all sources have in common, and the plain ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from command import PATIENCE, SECRETLY, Home, ended, home, wait_until
from twisted.internet import reactor  # noqa: F401 - it opens what stays open

from secretly import BadReference, Cancelled, Secret, SourceFailed, sources
from secretly.processes import child, output
from secretly.redacted import Environ
from secretly.reference import parse
from secretly.sources import Items, Program, Run, command, env, file, keychain, programs
from secretly.testing import FakePinentry, MemoryKeychain, SourceContract


def fetch(reference: str, environ: Mapping[str, str] | None = None) -> Secret:
    """What a reference gives."""
    run = Run(Environ(environ or {}), keychain=MemoryKeychain())
    return asyncio.run(Items(run).get(parse(reference)))[0]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After each test no program runs that it started, and no descriptor is open."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert child.living() == frozenset()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that only its owner can read."""
    path = tmp_path / "token"
    path.touch(0o600)
    return path


def trouble(reference: str, environ: Mapping[str, str] | None = None) -> SourceFailed:
    """The error that a reference is, which shows no secret, has a hint and can be printed."""
    with pytest.raises(SourceFailed) as caught:
        fetch(reference, environ)
    return harmless(caught.value)


def harmless(error: Any) -> Any:
    """The error, which shows no secret, has a hint and can be printed."""
    assert error.hint
    frames = traceback.walk_tb(error.__traceback__)
    kept = [repr(f.f_locals) for f, _ in frames if "/secretly/" in f.f_code.co_filename]
    assert kept
    assert "canary" not in f"{error} {error.hint} {kept}"
    assert f"{error} {error.hint}".isprintable()
    assert error.__context__ is None or error.__suppress_context__
    return error


def script(folder: Path, name: str, text: str) -> Path:
    """A program in a folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o700)
    return path


def run_of(folder: Path, **more: Any) -> Run:
    """A run in which the programs of a folder are found first."""
    environ = {"PATH": f"{folder}{os.pathsep}{os.defpath}", "HOME": str(folder)}
    return Run(Environ(environ), **more)


# -- the contract ------------------------------------------------------------------


class TestEnv(SourceContract):
    """``env://`` keeps it, but has no user names."""

    USERNAME = None

    def source(self) -> sources.Source:
        return env

    def run(self) -> Run:
        return Run(Environ({"TOKEN": self.PASSWORD}))

    def item(self) -> str:
        return "TOKEN"

    def missing(self) -> str:
        return "MISSING"


class TestFile(SourceContract):
    """``file://`` keeps it, but has no user names."""

    USERNAME = None

    @pytest.fixture(autouse=True)
    def _kept(self, path: Path) -> None:
        self._path = path
        path.write_text(f"{self.PASSWORD}\n", "utf-8")

    def source(self) -> sources.Source:
        return file

    def item(self) -> str:
        return str(self._path)

    def missing(self) -> str:
        return str(self._path.with_name("missing"))


class TestKeyring(SourceContract):
    """``keyring://`` keeps it; the user name is a part of the item's."""

    USERNAME = "user/\"ü\" 'b' \\n %41 #c <d@example.org>"

    def source(self) -> sources.Source:
        return keychain

    def run(self) -> Run:
        kept = MemoryKeychain()
        kept.items["https://example.org/", self.USERNAME] = Secret(self.PASSWORD)
        return Run(Environ(), keychain=kept)

    def item(self) -> str:
        return f"{quote('https://example.org/', safe='')}/{quote(self.USERNAME, safe='')}"

    def missing(self) -> str:
        return "service/missing"


class Called:
    """A configured command that is told the item's name, which it is usually not."""

    title = command.Command(("show-token",)).title

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what it writes."""
        return await command.Command(("show-token", path)).fetch(path, fields, run)


@pytest.mark.process
class TestCommand(SourceContract):
    """A command gives what it writes."""

    USERNAME = None
    PROGRAM = "show-token"
    MISSING = SourceFailed  # a command only fails

    @pytest.fixture(autouse=True)
    def _kept(self, path: Path) -> None:
        self._folder = path.parent
        path.write_text(f"{self.PASSWORD}\n", "utf-8")
        script(path.parent, "show-token", f'test "$1" = it && cat "{path}"')

    def source(self) -> sources.Source:
        return Called()

    def run(self) -> Run:
        return run_of(self._folder)

    def item(self) -> str:
        return "it"

    def missing(self) -> str:
        return "missing"


# -- env:// ------------------------------------------------------------------------


def test_a_variable_is_read() -> None:
    """As it is, from the environment that is given: no newline is taken off."""
    found = fetch("env://TOKEN", {"TOKEN": " canary-1\n"})
    assert found == " canary-1\n"
    assert type(found) is Secret
    assert fetch("env://TOKEN#password", {"TOKEN": "canary-1"}) == "canary-1"


@pytest.mark.parametrize("environ", [{}, {"TOKEN": ""}, {"token": "canary-1"}])
def test_a_variable_that_is_not_set_fails(environ: dict[str, str]) -> None:
    """An empty one is no secret either; the name is said."""
    assert "the variable TOKEN is not set" in str(trouble("env://TOKEN", environ))


def test_a_variable_of_another_process_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The given environment is the only one."""
    monkeypatch.setenv("SECRETLY_TOKEN", "canary-1")
    trouble("env://SECRETLY_TOKEN", {})


# -- file:// -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b"canary-1", "canary-1"),
        (b"canary-1\n", "canary-1"),
        (b"canary-1\n\n", "canary-1\n"),
        (b" canary-1 ", " canary-1 "),
        ("canary-é€😀\n".encode(), "canary-é€😀"),
        (b"two\nlines\n", "two\nlines"),
    ],
)
def test_a_file_is_read_without_its_last_newline(path: Path, data: bytes, secret: str) -> None:
    """Which editors and echo add; nothing else is taken off."""
    path.write_bytes(data)
    found = fetch(f"file://{path}")
    assert found == secret
    assert type(found) is Secret


def test_a_file_at_home_may_be_named_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tilde."""
    path.write_text("canary-1")
    monkeypatch.setenv("HOME", str(path.parent))
    assert fetch("file://~/token") == "canary-1"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    """With the way to mend it."""
    path.write_text("canary-1")
    path.chmod(mode)
    error = trouble(f"file://{path}")
    assert "others can read" in str(error)
    assert f"chmod 600 {path}" in error.hint


@pytest.mark.process
def test_what_mends_it_can_be_pasted(tmp_path: Path) -> None:
    """Whatever is in its name."""
    path = tmp_path / "it's a; file"
    path.write_text("canary-1")
    path.chmod(0o644)
    hint = trouble(f"file://{path}").hint
    asyncio.run(
        output.output(
            ["/bin/sh", "-c", hint.partition(": ")[2]], seconds=5, environ={"PATH": os.defpath}
        )
    )
    assert fetch(f"file://{path}") == "canary-1"
    hint = trouble("keyring://my service/me $too").hint
    assert hint == "keyring set 'my service' 'me $too'"


def test_a_file_of_another_is_refused(path: Path) -> None:
    """Whoever owns it reads and changes it as they like."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to own a file as somebody else")
    path.write_text("canary-1")
    os.chown(path, 54_321, -1)
    assert "others can read" in str(trouble(f"file://{path}"))


def test_a_file_that_is_not_there_fails(path: Path) -> None:
    """And so does one whose name is odd; it is shown harmless."""
    path.unlink()
    assert "is not there" in str(trouble(f"file://{path}"))
    assert "\\u202e" in str(trouble(f"file://{path}\u202e"))


def test_what_is_no_plain_file_fails_at_once(path: Path) -> None:
    """A folder, a device; a pipe that nobody writes to is not waited for."""
    assert "cannot be read: Is a directory" in str(trouble(f"file://{path.parent}"))
    assert "is no file" in str(trouble("file:///dev/null"))
    path.unlink()
    os.mkfifo(path, 0o600)
    assert "is no file" in str(trouble(f"file://{path}"))


@pytest.mark.parametrize(
    ("data", "wrong"), [(b"canary-\xff", "is not UTF-8 text"), (b"canary-\0", "has a NUL byte")]
)
def test_a_file_that_is_no_text_fails(path: Path, data: bytes, wrong: str) -> None:
    """And nothing of its bytes is shown."""
    path.write_bytes(data)
    assert wrong in str(trouble(f"file://{path}"))


def test_a_file_of_the_wrong_length_fails(path: Path) -> None:
    """An empty one is no secret, and half of one would be a wrong one."""
    assert "is empty" in str(trouble(f"file://{path}"))
    path.write_bytes(b"x" * (1 << 20))
    assert len(fetch(f"file://{path}")) == 1 << 20
    path.write_bytes(b"x" * ((1 << 20) + 1))
    assert "longer than 1 MiB" in str(trouble(f"file://{path}"))


# -- keyring:// --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "service", "username"),
    [
        ("keyring://PyPI/me", "PyPI", "me"),
        ("keyring://https://upload.example.org/legacy//__token__",
         "https://upload.example.org/legacy/", "__token__"),
        ("keyring://a%2Fb/c%2Fd", "a/b", "c/d"),
        ("keyring://100%25/me%23you", "100%", "me#you"),
    ],
)  # fmt: skip
def test_a_keychain_item_is_named_by_service_and_user(
    reference: str, service: str, username: str
) -> None:
    """Parted at the last slash, so that a service may be an address; each may be encoded."""
    kept = MemoryKeychain()
    kept.items[service, username] = Secret("canary-1")
    found = asyncio.run(Items(Run(Environ(), keychain=kept)).get(parse(reference)))
    assert found == ("canary-1", username)


@pytest.mark.parametrize("reference", ["keyring://PyPI", "keyring:///me", "keyring://PyPI/"])
def test_a_keychain_item_needs_both_names(reference: str) -> None:
    """Or it says how to write them."""
    with pytest.raises(BadReference, match="does not say which item") as caught:
        fetch(reference)
    assert "keyring://SERVICE/USERNAME" in caught.value.hint


# -- command -----------------------------------------------------------------------


@pytest.mark.process
def test_a_command_gives_what_it_writes(path: Path) -> None:
    """Its words are given as they are, and no shell reads them."""
    script(path.parent, "show", 'printf "%s|" "$@"; echo')
    found = command.Command(("show", "$HOME", "a b", "'c'"))
    given = asyncio.run(found.fetch("Name", ("",), run_of(path.parent)))
    assert given == {"password": "$HOME|a b|'c'|"}


def test_a_command_is_reached_by_configuration_alone() -> None:
    """A reference, which a project's file may hold, names none that can be run."""
    for text in ("command://echo", "Command://echo#password"):
        with pytest.raises(BadReference, match="a command is no reference"):
            parse(text)


# -- an item's fields --------------------------------------------------------------


class Counted(ModuleType):
    """A source that counts how often it is asked."""

    title = "the counting one"

    def __init__(self, *given: Mapping[str, str] | Exception) -> None:
        super().__init__("counted")
        self.given, self.asked = list(given), list[tuple[str, tuple[str, ...]]]()

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what is next."""
        self.asked.append((path, tuple(fields)))
        await asyncio.sleep(0.01)
        given = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        if isinstance(given, BaseException):
            raise given
        return given


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The source ``counted://``, which gives an item with some fields."""
    source = Counted({"password": "canary-1", "username": "me", "PIN": "canary-2"})
    monkeypatch.setitem(sys.modules, "secretly.sources.counted", source)
    monkeypatch.setitem(sources.SCHEMES, "counted", "counted")
    return source


def items(*wanted: str) -> Items:
    """The items of a run in which these are wanted."""
    return Items(Run(Environ()), [parse(f"counted://{path}") for path in wanted])


def test_an_item_is_fetched_once(counted: Counted) -> None:
    """Whatever is wanted of it, however often, at the same time or one after another."""

    async def work() -> list[tuple[Secret, str | None]]:
        found = items("A", "A#username", "A#pin", "B")
        names = ["A", "A#username", "A#pin", "A", "B"]
        given = await asyncio.gather(*(found.get(parse(f"counted://{name}")) for name in names))
        return [*given, await found.get(parse("counted://A#PIN"))]

    given = asyncio.run(work())
    assert [value for value, _ in given] == [
        "canary-1",
        "me",
        "canary-2",
        "canary-1",
        "canary-1",
        "canary-2",
    ]
    assert {username for _, username in given} == {"me"}
    assert counted.asked[:2] == [("A", ("", "username", "pin")), ("B", ("",))]
    # A manager may tell the letters' case: a name that is written otherwise is asked for.
    assert counted.asked[2:] == [("A", ("", "username", "pin", "PIN"))]


def test_a_field_that_was_not_wanted_at_first_is_asked_for(counted: Counted) -> None:
    """A source gives what it was asked for, and perhaps no more."""
    counted.given = [{"password": "canary-1"}, {"password": "canary-1", "pin": "canary-2"}]

    async def work() -> list[str]:
        found = items("A")
        names = ("A", "A#pin", "A")
        return [(await found.get(parse(f"counted://{name}")))[0] for name in names]

    assert asyncio.run(work()) == ["canary-1", "canary-2", "canary-1"]
    assert counted.asked == [("A", ("",)), ("A", ("", "pin"))]


def test_an_item_that_failed_is_not_asked_for_again(counted: Counted) -> None:
    """In this run, at the same time or later: a person who declined is not asked again."""
    counted.given = [sources.Locked("it is locked", "unlock it")]

    async def work() -> None:
        found = items("A")
        several = (found.get(parse("counted://A")) for _ in range(3))
        errors = await asyncio.gather(*several, return_exceptions=True)
        assert [type(error) for error in errors] == [sources.Locked] * 3
        with pytest.raises(sources.Locked):
            await found.get(parse("counted://A"))

    asyncio.run(work())
    assert len(counted.asked) == 1


@pytest.mark.parametrize(
    "given",
    [
        ValueError("canary-1"),
        TimeoutError(),
        KeyError("canary-1"),
        OSError(2, "canary-1"),
        {"password": b"canary-1"},
        {"password": None},
        {3: "canary-1"},
        ["canary-1"],
        None,
        "canary-1",
    ],
    ids=repr,
)
def test_anothers_source_may_raise_or_give_anything(counted: Counted, given: Any) -> None:
    """It is a failure of that source, by its kind; nothing of its text is shown."""
    counted.given = [given]
    error = trouble("counted://A")
    name = type(given).__name__ if isinstance(given, Exception) else "Error"
    assert str(error).startswith("the source counted:// failed for A: ")
    assert str(error).endswith(name)


def test_a_cancelled_source_is_cancelled(counted: Counted) -> None:
    """That is no failure of the source's."""

    async def work() -> None:
        task = asyncio.ensure_future(items("A").get(parse("counted://A")))
        await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())


#: A source that never ends, and how it is waited for; the time of a program is a moment.
_ENDLESS = """
import asyncio, os, sys, types
from secretly import SourceFailed, sources
from secretly.waiting import driving, requests
from secretly.sources import Items, Run, Unreachable, programs
from secretly.reference import parse

programs.MACHINE = 0.1
ended = []

async def fetch(path, fields, run):
    try:
        {body}
    finally:
        ended.append(path)

source = types.ModuleType("secretly.sources.endless")
source.title, source.fetch = "the endless one", fetch
sys.modules[source.__name__] = source
sources.SCHEMES["endless"] = "endless"

async def get(_=None):
    try:
        await Items(Run({{}})).get(parse("endless://Item"))
    except Unreachable as error:
        print(error)
        print(ended)

class Quiet:
    pending, waiting, cancel = False, False, None
    def check(self): pass

def twisted():
    from twisted.internet import task
    task.react(lambda reactor: task.ensureDeferred(get()))

{drive}
"""

_DRIVES = {
    "asyncio": "asyncio.run(get())",
    "twisted": "twisted()",
    "the command": "driving.drive(get(), Quiet())",
}


@pytest.mark.process
@pytest.mark.parametrize("drive", _DRIVES)
@pytest.mark.parametrize(
    "body",
    [
        "await requests.sleep(10 ** 6)",
        "while True: await requests.sleep(0.01)",
        "await requests.readable(os.pipe()[0], 10 ** 6)",
    ],
)
def test_a_source_that_never_ends_is_given_up(drive: str, body: str) -> None:
    """Whoever drives it: it is cancelled, and named with the item."""
    with home() as here:
        code = _ENDLESS.format(body=body, drive=_DRIVES[drive])
        done = here.run_any([sys.executable, "-W", "error", "-c", code])
    said = "the source endless:// did not answer within 0 s for Item\n['Item']\n"
    assert done == (0, said, "")


@pytest.mark.process
@pytest.mark.parametrize(
    ("drive", "body"),
    [
        ("asyncio", "await asyncio.Future()"),
        ("twisted", "from twisted.internet.defer import Deferred; await Deferred()"),
        ("the command", "from twisted.internet.defer import Deferred; await Deferred()"),
    ],
)
def test_so_is_one_that_waits_for_what_never_comes(drive: str, body: str) -> None:
    """Of the loop's own."""
    test_a_source_that_never_ends_is_given_up(drive, body)


_CANCELLED = """
from twisted.internet.defer import CancelledError, ensureDeferred
failures = []
getting = ensureDeferred(get())
getting.addErrback(failures.append)
getting.cancel()
print(failures[0].check(CancelledError) is CancelledError, ended)
"""


@pytest.mark.process
def test_one_that_is_cancelled_in_twisted_is_cancelled() -> None:
    """By Twisted's own error, which is an Exception; it has tidied up."""
    with home() as here:
        body = "from twisted.internet.defer import Deferred; await Deferred()"
        code = _ENDLESS.format(body=body, drive=_CANCELLED)
        done = here.run_any([sys.executable, "-W", "error", "-c", code])
    assert done == (0, "True ['Item']\n", "")


@pytest.mark.process
def test_one_that_cannot_be_cancelled_is_left_behind() -> None:
    """It has a moment to tidy up."""
    body = "while True:\n         try: await requests.sleep(10 ** 6)\n"
    body += "         except asyncio.CancelledError: pass"
    with home() as here:
        code = (
            _ENDLESS.format(body=body, drive=_DRIVES["asyncio"])
            .replace(
                "asyncio.run(get())",
                "loop = asyncio.new_event_loop(); loop.run_until_complete(get()); os._exit(0)",
            )
            .replace("print(ended)", "print(ended, flush=True)")
        )
        done = here.run_any([sys.executable, "-c", code])
    assert done == (0, "the source endless:// did not answer within 0 s for Item\n[]\n", "")


@pytest.mark.process
def test_the_time_that_a_source_waits_for_its_turn_is_not_its_own(
    locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the time in which the person types."""
    monkeypatch.setattr("secretly.sources.items._TRIES", 0.02)  # a second in all
    monkeypatch.setattr("secretly.sources.items.find", lambda scheme: Vault())
    slow: list[Any] = [[("wait", 1.5), ("raw", b"D canary-key\nOK\n")]]
    with FakePinentry(slow) as pinentry:
        run = run_of(locked, person=20)
        run = replace(run, environ=Environ({**run.environ, **pinentry.environ}))

        async def work() -> list[Any]:
            found = Items(run)
            return await asyncio.gather(*(found.get(parse(f"vault://{n}")) for n in range(3)))

        assert [value for value, _ in asyncio.run(work())] == ["canary-1"] * 3


#: Sources that go on whatever comes: they heed no cancelling that is an Exception, or none.
_STUBBORN = {
    "sleeps": "await requests.sleep(0.01)",
    "sleeps for long": "await requests.sleep(10 ** 6)",
    "starts programs": 'await output.output(["/bin/true"], seconds=5, environ={})',
    "tidies up": None,
}


def _stubborn(kind: str, caught: str) -> str:
    body = _STUBBORN[kind]
    if body is None:
        return (
            "try:\n            while True: await requests.sleep(0.01)\n"
            "        finally: await requests.sleep(0.01)"
        )
    return f"while True:\n          try: {body}\n          except {caught}: pass"


@pytest.mark.process
@pytest.mark.parametrize("caught", ["Exception", "(Exception, asyncio.CancelledError)"])
@pytest.mark.parametrize("kind", _STUBBORN)
@pytest.mark.parametrize("drive", ["twisted", "the command"])
def test_one_that_heeds_nothing_ends_nothing_else(drive: str, kind: str, caught: str) -> None:
    """The error comes, and the program ends."""
    with home() as here:
        code = _ENDLESS.format(body=_stubborn(kind, caught), drive=_DRIVES[drive])
        code = code.replace("from secretly import Source", "from secretly import processes, Source")
        started = time.monotonic()
        done = here.run_any([sys.executable, "-c", code])
    assert done.status == 0, done
    assert done.stdout.startswith("the source endless:// did not answer within 0 s for Item\n")
    assert time.monotonic() - started < 15


@pytest.mark.process
@pytest.mark.parametrize("kind", ["sleeps", "sleeps for long", "starts programs"])
def test_a_source_that_heeds_nothing_does_not_keep_the_command(rbw: Home, kind: str) -> None:
    """A Ctrl-C ends it, after the moment that a source has to tidy up."""
    body = _stubborn(kind, "Exception").replace("\n          ", "\n        ")
    source = (
        "from secretly.waiting import requests\nfrom secretly.processes import output\n"
        "title = 'stubborn'\n"
        f"async def fetch(path, fields, run):\n    open('began', 'w').close()\n    {body}\n"
    )
    distribution(rbw.folder / "packages", textwrap.dedent(source))
    process = rbw.start([*SECRETLY, "run", "-eX=rbw://A", "echo", "ran"])
    with ended(process):
        wait_until(lambda: (rbw.folder / "began").exists())
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (-signal.SIGINT, b"", b"")


@pytest.mark.process
@pytest.mark.parametrize("reference", ["env://TOKEN", "file://~/token"])
def test_what_waits_for_nothing_loads_no_event_loop(reference: str) -> None:
    """Though each source has its time."""
    code = "import sys; from secretly.cli import main; main(['get', sys.argv[1]]); "
    code += "print('twisted' in sys.modules, 'asyncio' in sys.modules)"
    with home() as here:
        (here.folder / "token").touch(0o600)
        (here.folder / "token").write_text("canary-1")
        here.environ["TOKEN"] = "canary-1"
        done = here.run_any([sys.executable, "-c", code, reference])
    assert done == (0, "canary-1\nFalse False\n", "")


def test_one_that_is_cancelled_does_not_take_the_others_along(counted: Counted) -> None:
    """The next one fetches it."""

    async def work() -> None:
        found = items("A")
        first, second = (asyncio.ensure_future(found.get(parse("counted://A"))) for _ in "12")
        await asyncio.sleep(0.002)
        first.cancel()
        assert (await asyncio.wait_for(second, 5))[0] == "canary-1"
        assert first.cancelled()

    asyncio.run(work())
    assert len(counted.asked) == 2


@pytest.mark.parametrize(
    ("fields", "wanted", "value"),
    [
        ({"password": "canary-1", "credential": "canary-2"}, "", "canary-1"),
        ({"credential": "canary-2"}, "", "canary-2"),
        ({"Credential": "canary-2"}, "#password", "canary-2"),
        ({"Credential": "canary-2"}, "#Password", "canary-2"),
        ({"Password": "canary-1"}, "", "canary-1"),
        ({"PIN": "canary-1", "pin": "canary-2"}, "#Pin", "canary-1"),
        ({"password": "canary-1", "a b": "canary-2"}, "#A B", "canary-2"),
    ],
)
def test_a_field_is_chosen_ignoring_case(
    counted: Counted, fields: dict[str, str], wanted: str, value: str
) -> None:
    """The default one is the password, else an API credential's; the first of a name counts."""
    counted.given = [fields]
    assert fetch(f"counted://A{wanted}") == value


@pytest.mark.parametrize("name", ["username", "Username", "USERNAME"])
def test_the_user_name_comes_with_a_password_whatever_its_case(counted: Counted, name: str) -> None:
    """The first of that name counts, as with any field."""
    counted.given = [{"password": "canary-1", name: "ada", "UserName": "eve"}]
    for wanted in ("", "#password", "#Password"):
        found = asyncio.run(items("A").get(parse(f"counted://A{wanted}")))
        assert found == ("canary-1", "ada")
    assert fetch("counted://A#userName") == "ada"


@pytest.mark.parametrize(
    ("fields", "wanted", "hint"),
    [
        ({"username": "me", "PIN": "canary-2"}, "", "its fields: username, PIN"),
        ({"password": "canary-1"}, "#credential", "its fields: password"),
        (
            {"credential": "canary-1", "a\u202e": "canary-2"},
            "#x",
            "its fields: credential, a\\u202e",
        ),
        ({}, "", "its fields: none"),
    ],
)
def test_a_field_that_is_not_there_is_told_from_those_that_are(
    counted: Counted, fields: dict[str, str], wanted: str, hint: str
) -> None:
    """By their names."""
    counted.given = [fields]
    error = trouble(f"counted://A{wanted}")
    assert isinstance(error, sources.NoField)
    assert f"A has no field '{wanted[1:] or 'password'}'" in str(error)
    assert error.hint == hint


@pytest.mark.parametrize(("value", "wrong"), [("canary-\0", "NUL"), ("canary-\ud800", "Unicode")])
def test_a_value_that_no_variable_can_hold_is_refused(
    counted: Counted, value: str, wrong: str
) -> None:
    """JSON can hold it."""
    counted.given = [{"password": value}]
    assert wrong in str(trouble("counted://A"))


@pytest.mark.parametrize("scheme", ["env", "file"])
def test_a_field_that_a_source_has_not_fails(scheme: str, path: Path) -> None:
    """The secret is not handed out as a user name."""
    path.write_text("canary-1")
    name = {"env": "TOKEN", "file": str(path)}[scheme]
    environ = {"TOKEN": "canary-1"} if scheme == "env" else {}
    error = trouble(f"{scheme}://{name}#username", environ)
    assert "has no field 'username'" in str(error)


# -- a manager's program -----------------------------------------------------------

VAULT = Program(
    "the vault",
    "vault",
    (
        ("is locked", sources.Locked, "it is locked", "vault unlock"),
        ("no item", sources.NoItem, "there is no {item}", "vault list {item}"),
    ),
)


def call(folder: Path, text: str, *arguments: str, **more: Any) -> str:
    """Call a program that is a shell script."""
    script(folder, "vault", text)
    return asyncio.run(VAULT.call(run_of(folder), *arguments, **{"item": "PyPI", **more}))


@pytest.mark.process
def test_a_program_is_given_arguments_and_stdin_and_variables(tmp_path: Path) -> None:
    """One variable more, one less, and the rest of the run's environment."""
    script(tmp_path, "vault", 'echo "$1|$(cat)|$NEW|${HOME-none}"; echo canary-err >&2')
    run = run_of(tmp_path)
    found = VAULT.call(run, "a b", stdin="canary-in", environ={"NEW": "é", "HOME": None})
    value = asyncio.run(found)
    assert value == "a b|canary-in|é|none"
    assert "canary" not in repr(value)


@pytest.mark.process
@pytest.mark.parametrize(
    ("wrote", "value"),
    [("canary", "canary"), ("canary\\n", "canary"), ("canary\\n\\n", "canary\n"),
     (" canary \\t", " canary \t"), ("canary\\r\\n", "canary\r"), ("", "")],
)  # fmt: skip
def test_exactly_one_newline_is_stripped(tmp_path: Path, wrote: str, value: str) -> None:
    """The program's own; what else is white space is the secret's."""
    assert call(tmp_path, f"printf '{wrote}'") == value


@pytest.mark.process
def test_a_failure_is_known_by_what_the_program_says(tmp_path: Path) -> None:
    """Ignoring case; what happened and what to do name the item, whatever braces it has."""
    with pytest.raises(sources.NoItem) as caught:
        call(tmp_path, "echo 'ERROR: No item, canary-1' >&2; exit 1", item="a {item} \u202e")
    error = harmless(caught.value)
    assert str(error) == "the vault: there is no a {item} \\u202e"
    assert error.hint == "vault list 'a {item} \\u202e'"


@pytest.mark.process
@pytest.mark.parametrize("status", ["exit 3", "kill -9 $$"])
def test_an_unknown_failure_shows_nothing_that_the_program_said(
    tmp_path: Path, status: str
) -> None:
    """Its stderr may hold a secret."""
    with pytest.raises(SourceFailed) as caught:
        call(tmp_path, f"echo canary-1; echo canary-2 >&2; {status}")
    assert type(harmless(caught.value)) is SourceFailed
    assert "the vault (vault) failed with status" in str(caught.value)
    assert "PyPI" in str(caught.value)


@pytest.mark.process
def test_a_program_that_succeeds_may_complain(tmp_path: Path) -> None:
    """What it says on the way is no failure."""
    assert call(tmp_path, "echo 'is locked' >&2; echo canary-1") == "canary-1"


@pytest.mark.process
def test_a_program_that_cannot_be_started_is_said_to_be(tmp_path: Path) -> None:
    """It has no interpreter, say."""
    path = script(tmp_path, "vault", "")
    path.write_text("#!/nonexistent/interpreter\n")
    with pytest.raises(sources.NotInstalled, match="vault cannot be started: No such file"):
        asyncio.run(VAULT.call(run_of(tmp_path)))


def test_a_program_is_looked_for_on_the_path_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the folder that one happens to be in."""
    script(tmp_path, "vault", "echo canary-1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sources.NotInstalled, match="vault is not installed"):
        asyncio.run(VAULT.call(Run(Environ({"PATH": f".:{os.defpath}:"}))))


@pytest.mark.parametrize("asks", [False, True])
def test_how_long_a_program_may_take(asks: bool) -> None:
    """A machine's time, and no longer than a person's; one that asks the person has theirs."""
    program = Program("the vault", "vault", asks=asks)
    assert program.limit(Run({})) == programs.MACHINE == 30
    assert program.limit(Run({"DISPLAY": ":0"}, person=300)) == (300 if asks else 30)
    assert program.limit(Run({}, person=5)) == 5


_LIMIT = """
from secretly.sources import Program, Run
print(Program("the vault", "vault", asks=True).limit(Run({variables}, person=300)))
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("variables", "limit"),
    [({}, "30.0"), ({"WAYLAND_DISPLAY": "w"}, "300"), ({"DISPLAY": ":0", "SSH_TTY": "x"}, "30.0")],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac always has a screen")
def test_where_nobody_can_be_there_it_has_no_persons_time(
    variables: dict[str, str], limit: str
) -> None:
    """With neither terminal nor screen, what hangs waits for nobody."""
    with home() as place:
        code = _LIMIT.format(variables=variables)
        assert place.run_any([sys.executable, "-c", code]) == (0, f"{limit}\n", "")


@pytest.mark.process
def test_a_program_that_writes_without_end_is_ended(tmp_path: Path) -> None:
    """A secret has an end; that it had not, and not that it was slow, is said."""
    with pytest.raises(SourceFailed, match="wrote more than 1 MiB for"):
        call(tmp_path, "exec cat /dev/zero")


@pytest.mark.process
def test_a_program_with_much_to_complain_about_is_heard(tmp_path: Path) -> None:
    """A pipe that is full keeps nobody waiting."""
    text = "i=0; while [ $i -lt 3000 ]; do echo 'canary, at length, and again' >&2; i=$((i+1)); "
    with pytest.raises(sources.NoItem) as caught:
        call(tmp_path, f"{text} done; echo 'no item' >&2; exit 1")
    harmless(caught.value)


# -- unlocking ---------------------------------------------------------------------

_LOCK = """
echo "$1 $(cat)" >> calls
case "$1" in
  show) test "$KEY" = canary-key && echo canary-1 || { echo 'vault is locked' >&2; exit 1; };;
esac
"""


class Vault:
    """A source whose program is locked until it is given a key, which a person types."""

    title = "the vault"

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what it shows."""

        async def attempt() -> Secret:
            key = {"KEY": run.kept[self.title]} if self.title in run.kept else {}
            return await VAULT.call(run, "show", item=path, environ=key)

        async def unlock(wrong: str) -> None:
            run.keep(self.title, await run.typed("Key", "The vault is locked", wrong, "vault open"))

        return {"password": await VAULT.unlocking(run, attempt, unlock)}


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the program ``vault``, which logs its calls there."""
    script(tmp_path, "vault", f"cd {tmp_path}{_LOCK}")
    return tmp_path


def unlocked(folder: Path, pinentry: FakePinentry, count: int = 1, **more: Any) -> list[Any]:
    """What several get of it at the same time."""
    run = run_of(folder, **{"person": 20, **more})
    run = replace(run, environ=Environ({**run.environ, **pinentry.environ}))

    async def work() -> list[Any]:
        several = (Vault().fetch(f"item {n}", ("",), run) for n in range(count))
        return await asyncio.gather(*several, return_exceptions=True)

    return asyncio.run(work())


@pytest.mark.process
def test_a_person_is_asked_once_for_all(locked: Path) -> None:
    """Ten that find it locked wait for the one who asks, and then have it."""
    with FakePinentry(["canary-key"]) as pinentry:
        assert unlocked(locked, pinentry, 10) == [{"password": "canary-1"}] * 10
        (prompt,) = pinentry.prompts
    assert "The vault is locked" in prompt["SETDESC"]
    assert prompt["SETPROMPT"] == "Key:"
    assert "SETERROR" not in prompt


@pytest.mark.process
def test_a_wrong_answer_is_said_to_be_wrong(locked: Path) -> None:
    """And the person is asked again."""
    with FakePinentry(["canary-wrong", "canary-key"]) as pinentry:
        assert unlocked(locked, pinentry) == [{"password": "canary-1"}]
        assert [prompt.get("SETERROR") for prompt in pinentry.prompts] == [
            None,
            "That was not the right one.",
        ]


@pytest.mark.process
def test_three_wrong_answers_are_the_end(locked: Path) -> None:
    """With an error that says that it is locked."""
    with FakePinentry(["canary-wrong"] * 9) as pinentry:
        (error,) = unlocked(locked, pinentry)
        assert len(pinentry.prompts) == 3
    assert isinstance(error, sources.Locked)
    harmless(error)


@pytest.mark.process
def test_a_person_who_cancels_is_not_asked_again(locked: Path) -> None:
    """By the one who asked."""
    with FakePinentry([None]) as pinentry:
        (error,) = unlocked(locked, pinentry)
        assert len(pinentry.prompts) == 1
    assert isinstance(error, Cancelled)


@pytest.mark.process
def test_nobody_is_asked_where_nobody_may_be(locked: Path) -> None:
    """It is locked, and what to do is said."""
    with FakePinentry(["canary-key"]) as pinentry:
        (error,) = unlocked(locked, pinentry, person=None)
        assert pinentry.lines == []
    assert isinstance(error, sources.Locked)
    assert "nobody may be asked" in str(error)
    assert error.hint == "vault open"


# -- one asks after another ----------------------------------------------------------

#: Says when it begins and ends to do what a person sees.
_SEEN = 'echo "begin $1" >> seen; sleep 0.2; {}; echo "end $1" >> seen'


def seen(folder: Path) -> list[str]:
    """Who was seen, in turn: nobody while another was."""
    lines = (folder / "seen").read_text().splitlines()
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        assert (first[:6], second[:4]) == ("begin ", "end "), lines
        assert first[6:] == second[4:], lines
    return sorted(line[4:] for line in lines[1::2])


@pytest.mark.process
def test_what_may_ask_by_itself_does_so_one_after_another(locked: Path) -> None:
    """Two commands, and a vault whose key is asked for: whatever the order."""
    script(locked, "asks", f"cd {locked}; {_SEEN.format('echo canary-2')}")
    with FakePinentry(["canary-key"]) as pinentry:
        wrapped = script(locked, "pinentry-fake", f"cd {locked}; {_SEEN.format(pinentry.path)}")
        run = run_of(locked, person=20)
        more = {**pinentry.environ, "PINENTRY": str(wrapped)}
        run = replace(run, environ=Environ({**run.environ, **more}))

        async def work() -> list[Any]:
            commands = [command.Command(("asks", name)) for name in "abc"]
            return await asyncio.gather(
                commands[0].fetch("A", ("",), run),
                Vault().fetch("item", ("",), run),
                *(one.fetch("B", ("",), run) for one in commands[1:]),
            )

        given = asyncio.run(work())
    assert [found["password"] for found in given] == ["canary-2", "canary-1", *["canary-2"] * 2]
    assert seen(locked) == ["", "a", "b", "c"]


@pytest.mark.process
def test_where_nobody_may_be_asked_commands_run_at_once(tmp_path: Path) -> None:
    """They have no terminal, either: each here waits until all have begun."""
    script(tmp_path, "asks", _TOGETHER.replace("FOLDER", str(tmp_path)).replace("COUNT", "5"))
    run = run_of(tmp_path)

    async def work() -> list[Any]:
        fetched = (command.Command(("asks", name)).fetch("A", ("",), run) for name in "abcde")
        return await asyncio.gather(*fetched)

    assert asyncio.run(work()) == [{"password": "canary-1"}] * 5


_TOGETHER = """
: > FOLDER/begun.$1
i=0
while [ $(ls FOLDER | grep -c begun) -lt COUNT ]; do
  i=$((i+1)); [ $i -lt 1000 ] || exit 9; sleep 0.02
done
echo canary-1
"""


@pytest.mark.process
def test_a_manager_that_asks_no_more_once_it_has_succeeded(tmp_path: Path) -> None:
    """The first call has the person's turn for itself; the others then run at once."""
    script(tmp_path, "vault", f"[ $1 = a ] || {{ {_TOGETHER.strip()}; }}; echo $1 >> FOLDER/done")
    text = (tmp_path / "vault").read_text().replace("FOLDER", str(tmp_path)).replace("COUNT", "4")
    (tmp_path / "vault").write_text(text)
    run = run_of(tmp_path, person=20)
    program = Program("the vault", "vault", asks=True)

    async def one(name: str) -> None:
        async with run.turn("vault"):
            assert not (set("bcde") if name == "a" else set()) & set(began())
            await program.call(run, name, item=name)

    def began() -> list[str]:
        return [path.suffix[1:] for path in tmp_path.glob("begun.*")]

    async def work() -> None:
        await asyncio.gather(*map(one, "abcde"))

    asyncio.run(work())
    assert (tmp_path / "done").read_text().split()[0] == "a"
    assert sorted(began()) == list("bcde")


@pytest.mark.process
def test_a_missing_item_of_what_was_unlocked_asks_nobody_again(locked: Path) -> None:
    """The key was right: another that waited does not ask for it once more."""
    script(locked, "vault", f"cd {locked}{_LOCK}".replace(
        'test "$KEY" = canary-key &&',
        '[ "$2" != missing ] || [ -z "$KEY" ] || { echo no item >&2; exit 1; }\n'
        '  test "$KEY" = canary-key &&',
    ))  # fmt: skip
    with FakePinentry(["canary-key"] * 3) as pinentry:
        run = run_of(locked, person=20)
        run = replace(run, environ=Environ({**run.environ, **pinentry.environ}))

        async def get(name: str) -> str:
            async def attempt() -> Secret:
                key = {"KEY": run.kept["vault"]} if "vault" in run.kept else {}
                return await VAULT.call(run, "show", name, item=name, environ=key)

            async def unlock(wrong: str) -> None:
                run.keep("vault", await run.typed("Key", "The vault is locked", wrong))

            return await VAULT.unlocking(run, attempt, unlock)

        async def work() -> list[Any]:
            return await asyncio.gather(get("missing"), get("there"), return_exceptions=True)

        missing, there = asyncio.run(work())
        assert len(pinentry.prompts) == 1
    assert isinstance(missing, sources.NoItem)
    assert there == "canary-1"


# -- which there are ---------------------------------------------------------------


def test_an_unknown_scheme_is_a_bad_reference() -> None:
    """The known ones are named."""
    with pytest.raises(BadReference, match="no source 'http://'") as caught:
        fetch("http://example.org/token")
    for scheme in sources.SCHEMES:
        assert f"{scheme}://" in caught.value.hint


def test_each_scheme_has_its_module() -> None:
    """And each module of the folder but the shared ones is a source."""
    modules = {path.stem for path in Path(sources.__file__).parent.glob("*.py")}
    shared = {"__init__", "failures", "runs", "programs", "command"}
    assert set(sources.SCHEMES.values()) == modules - shared
    assert sources.schemes() == sorted(sources.SCHEMES)
    for scheme in sources.SCHEMES:
        assert sources.find(scheme).title


def test_a_name_that_would_be_an_option_is_refused() -> None:
    """Any other is let through as it is."""
    for name in ("a", "", " -a", "a-b", "é"):
        assert sources.operand(name) == name
    for name in ("-", "-h", "--help", "-\u202e"):
        with pytest.raises(BadReference, match="taken for an option") as caught:
            sources.operand(name)
        harmless(caught.value)


# -- another's ---------------------------------------------------------------------

_RBW_SOURCE = '''
"""``rbw://ITEM``: Bitwarden, by the program rbw."""

from secretly.sources import Locked, NoItem, Program, operand

title = "rbw"

program = Program(
    title,
    "rbw",
    (
        ("couldn't find entry|no entry found", NoItem, "there is no item {item}", "rbw list"),
        ("agent is locked", Locked, "the vault is locked", "rbw unlock"),
    ),
)


async def fetch(path, fields, run):
    """Return the password and the user name."""
    found = {}
    for name in ("password", "username"):
        field = () if name == "password" else ("--field", name)
        found[name] = await program.call(run, "get", *field, operand(path), item=path)
    return found
'''

#: Shows what a command was given.
PRINT = r"""printf '%s|%s\n' "$B" "$A" """

_RBW = """
echo "$*" >> "$HOME/calls"
case "$1 $2 $3 $4" in
  "get PyPI  ") cat "$HOME/password";;
  "get --field username PyPI") cat "$HOME/username";;
  *) echo "rbw get: couldn't find entry for 'canary'" >&2; exit 1;;
esac
"""


def distribution(folder: Path, source: str = _RBW_SOURCE) -> None:
    """Another's distribution, as it is once it is installed."""
    folder.mkdir(exist_ok=True)
    (folder / "secretly_rbw.py").write_text(source)
    facts = folder / "secretly_rbw-1.0.dist-info"
    facts.mkdir(exist_ok=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: secretly-rbw\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[secretly.sources]\nrbw = secretly_rbw\n")


@pytest.fixture
def rbw() -> Iterator[Home]:
    """A home with a distribution that adds ``rbw://``, and a program that stands in for rbw."""
    with home() as here:
        distribution(here.folder / "packages")
        before = here.environ.get("PYTHONPATH", "")
        parts = filter(None, (str(here.folder / "packages"), before))
        here.environ["PYTHONPATH"] = os.pathsep.join(parts)
        here.program("rbw", f"#!/bin/sh\n{_RBW}")
        for name, value in (("password", TestRbw.PASSWORD), ("username", TestRbw.USERNAME)):
            (here.folder / name).write_text(f"{value}\n", "utf-8")
        yield here


@pytest.mark.process
class TestRbw(SourceContract):
    """A source that another distribution adds passes what ours pass."""

    USERNAME: str = SourceContract.USERNAME or ""
    PROGRAM = "rbw"

    @pytest.fixture(autouse=True)
    def _there(self, rbw: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self._home = rbw
        monkeypatch.syspath_prepend(str(rbw.folder / "packages"))
        yield
        sys.modules.pop("secretly_rbw", None)

    def source(self) -> sources.Source:
        return sources.find("rbw")

    def run(self) -> Run:
        return Run(Environ(self._home.environ), person=10)

    def item(self) -> str:
        return "PyPI"

    def missing(self) -> str:
        return "Missing"


@pytest.mark.process
def test_anothers_source_is_used_by_the_command(rbw: Home) -> None:
    """As a reference, and as the source of a configured secret, with its user name."""
    assert rbw.run("get", "rbw://PyPI", "-n") == (0, TestRbw.PASSWORD, "")
    assert rbw.run("get", "rbw://PyPI#username", "-n") == (0, TestRbw.USERNAME, "")
    (rbw.folder / "calls").unlink()
    rbw.configure('[secrets.X]\nsource = "rbw://PyPI"\n')
    done = rbw.run("run", "-e", "A=X", "-e", "B=X#username", "sh", "-c", PRINT)
    assert done == (0, f"{TestRbw.USERNAME}|{TestRbw.PASSWORD}\n", "")
    assert (rbw.folder / "calls").read_text() == "get PyPI\nget --field username PyPI\n"


@pytest.mark.process
def test_anothers_source_fails_as_ours_do(rbw: Home) -> None:
    """With two lines, which name it and the item, and what to do."""
    status, out, err = rbw.run("get", "rbw://Other")
    assert (status, out) == (1, "")
    assert err.splitlines()[0] == "secretly: rbw: there is no item Other"
    assert "rbw list" in err.splitlines()[1]
    rbw.program("rbw", "", mode=0o644)
    status, out, err = rbw.run("run", "-e", "A=rbw://PyPI", "touch", str(rbw.folder / "ran"))
    assert (status, out) == (125, "")
    assert "rbw is not installed" in err
    assert not (rbw.folder / "ran").exists()


@pytest.mark.process
def test_anothers_source_is_among_the_known_ones(rbw: Home) -> None:
    """In the hint for one that is unknown."""
    assert "rbw://" in rbw.run("get", "nothing://X").stderr


@pytest.mark.process
def test_anothers_source_is_named_by_doctor(rbw: Home) -> None:
    """With its program, if that is there; and one that is broken is said to be."""
    done = rbw.run("doctor")
    assert f"rbw ({rbw.programs}/rbw)" in done.stdout
    assert "source rbw://, of another package: rbw\n" in done.stdout
    (rbw.programs / "rbw").unlink()
    text = "source rbw://, of another package: rbw, whose program is not installed\n"
    assert text in rbw.run("doctor").stdout
    distribution(rbw.folder / "packages", "raise ValueError('canary')")
    done = rbw.run("doctor")
    assert "source rbw://: the source rbw:// cannot be loaded: ValueError" in done.stdout
    assert "canary" not in done.stdout + done.stderr
    distribution(rbw.folder / "packages", "title = None")
    assert "source rbw://, of another package: None\n" in rbw.run("doctor").stdout


@pytest.mark.process
@pytest.mark.parametrize("name", ["RBW", "Rbw", "rbw"])
def test_a_scheme_is_found_whatever_its_case(rbw: Home, name: str) -> None:
    """As it stands in the reference, and as the package names it."""
    entries = rbw.folder / "packages" / "secretly_rbw-1.0.dist-info" / "entry_points.txt"
    entries.write_text(f"[secretly.sources]\n{name} = secretly_rbw\n")
    for scheme in ("rbw", "RBW"):
        assert rbw.run("get", f"{scheme}://PyPI", "-n") == (0, TestRbw.PASSWORD, "")
    assert "rbw://" in rbw.run("get", "nothing://X").stderr


@pytest.mark.process
@pytest.mark.parametrize("name", ["my vault", "1st", "command", "Command"])
def test_what_no_reference_can_name_is_not_among_the_known_ones(rbw: Home, name: str) -> None:
    """It could not be reached."""
    entries = rbw.folder / "packages" / "secretly_rbw-1.0.dist-info" / "entry_points.txt"
    entries.write_text(f"[secretly.sources]\n{name} = secretly_rbw\n")
    known = rbw.run("get", "nothing://X").stderr
    assert "env://" in known
    assert f"{name}://".lower() not in known.lower()


@pytest.mark.process
def test_another_cannot_take_a_scheme_of_ours(rbw: Home) -> None:
    """What comes with secretly is looked at first."""
    entries = rbw.folder / "packages" / "secretly_rbw-1.0.dist-info" / "entry_points.txt"
    entries.write_text("[secretly.sources]\nenv = secretly_rbw\n")
    assert rbw.run("get", "env://TOKEN", environ={"TOKEN": "canary-1"}).stdout == "canary-1\n"
    assert not (rbw.folder / "calls").exists()


@pytest.mark.process
@pytest.mark.parametrize("source", ["import nothing_of_that_name", "raise ValueError('canary')"])
def test_a_broken_source_of_another_is_said_to_be_broken(rbw: Home, source: str) -> None:
    """By its name, without a traceback."""
    distribution(rbw.folder / "packages", source)
    status, _, err = rbw.run("get", "rbw://PyPI")
    assert status == 1
    what, hint = err.splitlines()
    assert what.startswith("secretly: the source rbw:// cannot be loaded: ")
    assert "secretly_rbw" in hint
    assert "canary" not in err


#: A source in which each item goes wrong in another way.
_ODD = """
import asyncio, sys
from secretly import NotFound, SourceFailed
title = "odd"

class Bare(SourceFailed):
    def __init__(self, *text):
        Exception.__init__(self, *text)

class Unspeakable(SourceFailed):
    def __str__(self):
        raise ValueError("canary-1")

class Fixed(SourceFailed):
    hint = property(lambda self: "")
    def __init__(self, *text):
        Exception.__init__(self, *text)

class Base(BaseException):
    pass

numbered = NotFound("canary-1")
numbered.hint = 3

async def gone():
    task = asyncio.ensure_future(asyncio.sleep(9))
    task.cancel("canary-1")
    await task

errors = dict(
    exits=SystemExit("canary-1"), closes=GeneratorExit("canary-1"), base=Base("canary-1"),
    cancels=asyncio.CancelledError("canary-1"), bare=Bare("it is shut"), silent=Bare(),
    unspeakable=Unspeakable("canary-1"), group=ExceptionGroup("canary-1", [ValueError("canary-2")]),
    stops=StopIteration("canary-1"), memory=MemoryError("canary-1"), fixed=Fixed("canary-1"),
    numbered=numbered, empty=NotFound(""), hintless=NotFound("canary-1", None),
)

async def fetch(path, fields, run):
    if path == "ok":
        return {"password": "canary-1"}
    if path == "gone":
        await gone()
    raise errors[path]
"""

_OUTCOMES = {
    "exits": "SystemExit",
    "closes": "GeneratorExit",
    "base": "Base",
    "cancels": "CancelledError",
    "silent": "Bare",
    "unspeakable": "Unspeakable",
    "group": "ExceptionGroup",
    "stops": "RuntimeError",
    "memory": "MemoryError",
    "fixed": "Fixed",
    "numbered": "NotFound",
    "empty": "NotFound",
    "hintless": "NotFound",
}

_CATCHES = """
import asyncio, secretly, sys
async def get():
    try:
        await secretly.secret(sys.argv[1])
    except secretly.SourceFailed as error:
        return f"{error}; {error.hint}"
print(asyncio.run(get()))
"""


@pytest.mark.process
@pytest.mark.parametrize("item", _OUTCOMES)
def test_whatever_anothers_source_raises_is_two_lines(rbw: Home, item: str) -> None:
    """With the kind, and nothing of the text; beside another item as by itself, by asyncio too."""
    distribution(rbw.folder / "packages", _ODD)
    said = f"the source rbw:// failed for {item}: {_OUTCOMES[item]}"
    hint = "ask whoever made it, or take the secret from elsewhere"
    lines = f"secretly: {said}\n  {hint}\n"
    assert rbw.run("get", f"rbw://{item}") == (1, "", lines)
    both = ["-eA=rbw://ok", f"-eB=rbw://{item}"]
    assert rbw.run("run", *both, "echo", "ran") == (125, "", lines)
    done = rbw.run_any([sys.executable, "-c", _CATCHES, f"rbw://{item}"])
    assert done == (0, f"{said}; {hint}\n", "")


@pytest.mark.process
def test_an_item_whose_task_was_cancelled_by_the_source_has_failed(rbw: Home) -> None:
    """Whoever waits for it was not."""
    distribution(rbw.folder / "packages", _ODD)
    done = rbw.run_any([sys.executable, "-c", _CATCHES, "rbw://gone"])
    assert done.stdout.startswith("the source rbw:// failed for gone: CancelledError; ")


@pytest.mark.process
def test_an_error_that_has_no_hint_is_given_one(rbw: Home) -> None:
    """And what names the source; its own words stay."""
    distribution(rbw.folder / "packages", _ODD)
    done = rbw.run("get", "rbw://bare")
    assert done.stderr.splitlines() == [
        "secretly: it is shut (rbw://bare)",
        "  ask whoever made it, or take the secret from elsewhere",
    ]


@pytest.mark.process
@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("del title", "it has no title"),
        ("title = 3", "it has no title"),
        ("del fetch", "AttributeError"),
        ("fetch = lambda *given: 3", "TypeError"),
        ("def parted(path): raise ValueError('canary-1')", "ValueError"),
        ("def parted(path): raise SystemExit('canary-1')", "SystemExit"),
        ("def parted(path): return None", "TypeError"),
        ("def parted(path): return ('a', 'b', 'c')", "ValueError"),
        ("def parted(path): return (path, None)", "parted gives no two texts"),
    ],
)
def test_a_source_of_another_shape_is_two_lines(rbw: Home, more: str, what: str) -> None:
    """It is named, with what is wrong."""
    distribution(rbw.folder / "packages", f"{_ODD}\n{more}\n")
    for arguments in (("get", "rbw://ok"), ("run", "-eA=rbw://ok", "-eB=env://HOME", "true")):
        done = rbw.run(*arguments)
        assert (done.status, done.stdout) == (1 if arguments[0] == "get" else 125, "")
        line, hint = done.stderr.splitlines()
        assert line == f"secretly: the source rbw:// failed for ok: {what}"
        assert "canary" not in hint


@pytest.mark.process
def test_a_source_that_ends_the_program_when_it_is_loaded(rbw: Home) -> None:
    """It cannot be loaded: that is all."""
    distribution(rbw.folder / "packages", "raise SystemExit('canary-1')")
    done = rbw.run("get", "rbw://ok")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("secretly: the source rbw:// cannot be loaded: SystemExit\n")
    assert rbw.run("doctor").status in (0, 1)


@pytest.mark.process
@pytest.mark.parametrize(
    ("waits", "kind"),
    [
        ("await asyncio.sleep(0.01)", "RuntimeError"),
        ("await asyncio.get_event_loop_policy().new_event_loop().create_future()", "RuntimeError"),
        ("await asyncio.sleep(0)", ""),
        ("from twisted.internet import reactor, task; await task.deferLater(reactor, 0.01)", ""),
    ],
)
def test_what_is_asyncios_fails_in_the_command(rbw: Home, waits: str, kind: str) -> None:
    """At once; what is Twisted's comes."""
    text = _ODD.replace('if path == "gone":', 'if path == "waits":')
    distribution(
        rbw.folder / "packages",
        text.replace("await gone()", f"{waits}; return {{'password': 'canary-1'}}"),
    )
    done = rbw.run("get", "rbw://waits")
    if kind:
        what = f"secretly: the source rbw:// failed for waits: {kind}"
        assert (done.status, done.stderr.splitlines()[0]) == (1, what)
    else:
        assert done == (0, "canary-1\n", "")


@pytest.mark.process
def test_ctrl_c_in_a_source_is_no_failure_of_its(rbw: Home) -> None:
    """The command dies of it."""
    text = _ODD.replace("async def fetch", "errors['c'] = KeyboardInterrupt()\nasync def fetch")
    distribution(rbw.folder / "packages", text)
    done = rbw.run("get", "rbw://c")
    assert done == (-signal.SIGINT, "", "")


@pytest.mark.process
def test_a_command_is_configured(rbw: Home) -> None:
    """It is run once for all that is wanted of it, and is no source that a reference names."""
    text = '[secrets.X]\ncommand = ["rbw", "get", "PyPI"]\nusername = "me"\n'
    rbw.configure(text)
    done = rbw.run("run", "-e", "A=X", "-e", "B=X#username", "-e", "C=X", "sh", "-c", PRINT)
    assert done == (0, f"me|{TestRbw.PASSWORD}\n", "")
    assert (rbw.folder / "calls").read_text() == "get PyPI\n"
    rbw.configure(text.replace("PyPI", "Other"))
    status, _, err = rbw.run("get", "X")
    assert status == 1
    assert "the command rbw" in err
    assert "canary" not in err
