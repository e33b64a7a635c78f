"""The sources: what all have in common, and those that need no password manager."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import signal
import sys
import textwrap
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from command import PATIENCE, SECRETLY, TWISTED, Home, Quick, ended, home, quick, wait_until
from twisted.internet import reactor  # noqa: F401 - it opens what stays open

from secretly import BadReference, Cancelled, Secret, SourceFailed, sources
from secretly.asking import wording
from secretly.processes import child, output
from secretly.reference import Reference, parse
from secretly.sources import Item, Items, Program, Run, command, env, file, keyring_items, programs
from secretly.sources import items as items_module
from secretly.sources.json_fields import read_fields, with_fields
from secretly.testing import FakePinentry, MemoryKeychain, SourceContract
from secretly.text import Environ


def fetch(reference: str, environ: Mapping[str, str] | None = None) -> Secret:
    """Return the secret that a reference names."""
    run = Run(Environ(environ or {}), keychain=MemoryKeychain())
    return asyncio.run(Items(run).get(parse(reference)))[0]


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test, no program that it started runs, and no descriptor is open."""
    if request.node.get_closest_marker("process"):
        with quick() as here:  # what it forks from stays open for the next tests
            here.run("--version")
            here.run_code("", loaded=TWISTED)
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert child.living() == frozenset()
    assert set(os.listdir("/proc/self/fd")) <= before  # what an earlier test left may end only now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that only its owner can read."""
    path = tmp_path / "token"
    path.touch(0o600)
    return path


def failure(reference: str, environ: Mapping[str, str] | None = None) -> SourceFailed:
    """Return the error for a reference, which :func:`harmless` has checked."""
    with pytest.raises(SourceFailed) as caught:
        fetch(reference, environ)
    return harmless(caught.value)


def harmless(error: Any) -> Any:
    """Return the error after a check: no secret shows, it has a hint, and it can be printed."""
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
    """``env://`` keeps the contract; it has no user names."""

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
    """``file://`` keeps the contract; it has no user names."""

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
    """``keyring://`` keeps the contract; the user name is part of the path."""

    USERNAME = "user/\"ü\" 'b' \\n %41 #c <d@example.org>"

    def source(self) -> sources.Source:
        return keyring_items

    def run(self) -> Run:
        kept = MemoryKeychain()
        kept.items["https://example.org/", self.USERNAME] = Secret(self.PASSWORD)
        return Run(Environ(), keychain=kept)

    def item(self) -> str:
        return f"{quote('https://example.org/', safe='')}/{quote(self.USERNAME, safe='')}"

    def missing(self) -> str:
        return "service/missing"


class Called:
    """A configured command that gets the item's name as an argument, which is unusual."""

    title = command.CommandSource(("show-token",)).title

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the command's output."""
        return await command.CommandSource(("show-token", path)).fetch(path, fields, run)


@pytest.mark.process
class TestCommand(SourceContract):
    """A configured command keeps the contract."""

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
    """The value comes back unchanged, a newline at its end included."""
    found = fetch("env://TOKEN", {"TOKEN": " canary-1\n"})
    assert found == " canary-1\n"
    assert type(found) is Secret
    assert fetch("env://TOKEN#password", {"TOKEN": "canary-1"}) == "canary-1"


@pytest.mark.parametrize("environ", [{}, {"TOKEN": ""}, {"token": "canary-1"}])
def test_an_unset_variable_is_an_error(environ: dict[str, str]) -> None:
    """The error names the variable; an empty one counts as unset."""
    error = failure("env://TOKEN", environ)
    assert isinstance(error, sources.NoItem)
    assert "TOKEN" in str(error)


def test_only_the_given_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of this process that is not in the given environment is not read."""
    monkeypatch.setenv("SECRETLY_TOKEN", "canary-1")
    failure("env://SECRETLY_TOKEN", {})


# -- file:// -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b"canary-1", "canary-1"),
        (b"canary-1\n", "canary-1"),
        (b"canary-1\n\n", "canary-1\n"),
        (b"canary-1\r\n", "canary-1"),
        (b"\xef\xbb\xbfcanary-1\r\n", "canary-1"),
        (b" canary-1 ", " canary-1 "),
        ("canary-é€😀\n".encode(), "canary-é€😀"),
        (b"two\nlines\n", "two\nlines"),
    ],
)
def test_a_file_is_read_without_its_last_newline(path: Path, data: bytes, secret: str) -> None:
    """Editors and echo add one newline; nothing else is removed."""
    path.write_bytes(data)
    found = fetch(f"file://{path}")
    assert found == secret
    assert type(found) is Secret


def test_a_tilde_is_the_home_folder(path: Path) -> None:
    """A path may begin with a tilde."""
    path.write_text("canary-1")
    assert fetch("file://~/token", {"HOME": str(path.parent)}) == "canary-1"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_access_is_refused(path: Path, mode: int) -> None:
    """The hint has the command that makes the file private."""
    path.write_text("canary-1")
    path.chmod(mode)
    error = failure(f"file://{path}")
    assert str(path) in str(error)
    assert f"chmod 600 {path}" in error.hint


@pytest.mark.process
def test_a_hints_command_can_be_pasted(tmp_path: Path) -> None:
    """The names in it are quoted for a shell."""
    path = tmp_path / "it's a; file"
    path.write_text("canary-1")
    path.chmod(0o644)
    hint = failure(f"file://{path}").hint
    asyncio.run(
        output.read_output(
            ["/bin/sh", "-c", hint.partition(": ")[2]], timeout=5, environ={"PATH": os.defpath}
        )
    )
    assert fetch(f"file://{path}") == "canary-1"
    hint = failure("keyring://my service/me $too").hint
    assert hint == "keyring set 'my service' 'me $too'"


def test_another_users_file_is_refused(path: Path) -> None:
    """The file's owner could read and change it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to own a file as somebody else")
    path.write_text("canary-1")
    os.chown(path, 54_321, -1)
    assert "chmod" in failure(f"file://{path}").hint


def test_a_missing_file_is_an_error(path: Path) -> None:
    """The error shows the file's name, escaped."""
    path.unlink()
    assert isinstance(failure(f"file://{path}"), sources.NoItem)
    assert "\\u202e" in str(failure(f"file://{path}\u202e"))


def test_anything_but_a_regular_file_is_an_error(path: Path) -> None:
    """Folders, devices and pipes are refused, without waiting for what a pipe may write."""
    assert "Is a directory" in str(failure(f"file://{path.parent}"))
    assert "/dev/null" in str(failure("file:///dev/null"))
    path.unlink()
    os.mkfifo(path, 0o600)
    assert str(path) in str(failure(f"file://{path}"))


@pytest.mark.parametrize("data", [b"canary-\xff", b"canary-\0"], ids=["not UTF-8", "NUL"])
def test_a_file_that_is_not_text_is_an_error(path: Path, data: bytes) -> None:
    """The error shows none of the bytes."""
    path.write_bytes(data)
    assert str(failure(f"file://{path}"))


def test_an_empty_or_huge_file_is_an_error(path: Path) -> None:
    """An empty file has no secret, and a part of a huge one would be a wrong secret."""
    for nothing in (b"", b"\n", b"\xef\xbb\xbf\r\n"):
        path.write_bytes(nothing)
        assert str(failure(f"file://{path}")) == f"the file {path} is empty"
    path.write_bytes(b"x" * (1 << 20))
    assert len(fetch(f"file://{path}")) == 1 << 20
    path.write_bytes(b"x" * ((1 << 20) + 1))
    failure(f"file://{path}")


# -- keyring:// --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "service", "username"),
    [
        ("keyring://PyPI/me", "PyPI", "me"),
        ("keyring://https://upload.example.org/legacy//__token__",
         "https://upload.example.org/legacy/", "__token__"),
        ("keyring://a%2Fb/c%2Fd", "a/b", "c/d"),
        ("keyring://100%25/me%23you", "100%", "me#you"),
        ("keyring://gh:github.com/", "gh:github.com", ""),
    ],
)  # fmt: skip
def test_a_keychain_item_is_named_by_service_and_user(
    reference: str, service: str, username: str
) -> None:
    """The last slash is the border, so a service may be a URL; both parts may be encoded."""
    kept = MemoryKeychain()
    kept.items[service, username] = Secret("canary-1")
    found = asyncio.run(Items(Run(Environ(), keychain=kept)).get(parse(reference)))
    assert found == ("canary-1", username or None)


@pytest.mark.parametrize("reference", ["keyring://PyPI", "keyring:///me"])
def test_a_keychain_item_needs_its_service(reference: str) -> None:
    """A reference without it is an error that says how to write one."""
    with pytest.raises(BadReference) as caught:
        fetch(reference)
    assert "keyring://SERVICE/USERNAME" in caught.value.hint


# -- command -----------------------------------------------------------------------


@pytest.mark.process
def test_a_commands_output_is_the_secret(path: Path) -> None:
    """The command gets its arguments unchanged: no shell reads them."""
    script(path.parent, "show", 'printf "%s|" "$@"; echo')
    found = command.CommandSource(("show", "$HOME", "a b", "'c'"))
    given = asyncio.run(found.fetch("Name", ("",), run_of(path.parent)))
    assert given == {"password": "$HOME|a b|'c'|"}


@pytest.mark.parametrize(
    ("printed", "fields"),
    [
        (
            '{"user": "ada", "password": "canary-1\\ncanary-2", "port": 5432, "tls": true}',
            {"user": "ada", "password": "canary-1\ncanary-2", "port": "5432", "tls": "true"},
        ),
        ('{"a": null, "b": [1], "c": {"d": "e"}, "big": 1e400}', {"big": "1e400"}),
        *((text, None) for text in ("canary-1", "[1]", '"a"', "", "{", "[" * 9999)),
    ],
)
def test_texts_and_numbers_of_a_json_object_are_fields(
    printed: str, fields: dict[str, str] | None
) -> None:
    """As they are written; lists and tables are not, and nothing else is an object."""
    assert read_fields(printed) == fields


def test_a_text_is_a_password_unless_its_object_has_one() -> None:
    """``all`` is the whole text, unless the object has a field of that name."""
    for text, password, whole in (
        ("canary-1", "canary-1", "canary-1"),
        ('{"password": "canary-2"}', "canary-2", '{"password": "canary-2"}'),
        ('{"key": "canary-3"}', '{"key": "canary-3"}', '{"key": "canary-3"}'),
        ('{"All": "canary-4"}', '{"All": "canary-4"}', "canary-4"),
    ):
        item = Item(with_fields(Secret(text)))
        assert item.chosen("", "x", "x") == password
        assert item.chosen("all", "x", "x") == whole


@pytest.mark.process
def test_a_command_that_prints_json_has_fields(path: Path) -> None:
    """Anything but an object is an error, which shows nothing of it."""
    script(path.parent, "db", f'cat "{path}"')
    commands = {"DB": (str(path.parent / "db"),)}
    for printed, user in (('{"user": "ada", "password": "canary-1"}', "ada"), ("canary-2", "")):
        path.write_text(printed)
        items = Items(run_of(path.parent), (), commands, {"DB"})
        wanted = [Reference("command", "DB"), Reference("command", "DB", "user")]
        if user:
            assert [asyncio.run(items.get(one))[0] for one in wanted] == ["canary-1", user]
            continue
        with pytest.raises(SourceFailed, match="JSON object") as caught:
            asyncio.run(items.get(wanted[0]))
        harmless(caught.value)


def test_only_the_configuration_reaches_a_command() -> None:
    """No reference can name a command: a project's file may hold references."""
    for text in ("command://echo", "Command://echo#password"):
        with pytest.raises(BadReference):
            parse(text)


# -- an item's fields --------------------------------------------------------------


class Counted(ModuleType):
    """A source that records what it is asked for."""

    title = "the counting one"

    def __init__(self, *given: Mapping[str, str] | Exception) -> None:
        super().__init__("counted")
        self.given, self.asked = list(given), list[tuple[str, tuple[str, ...]]]()

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the next answer."""
        self.asked.append((path, tuple(fields)))
        await asyncio.sleep(0.01)
        given = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        if isinstance(given, BaseException):
            raise given
        return given


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The source ``counted://``, whose items have some fields."""
    source = Counted({"password": "canary-1", "username": "me", "PIN": "canary-2"})
    monkeypatch.setitem(sys.modules, "secretly.sources.counted", source)
    monkeypatch.setitem(sources.SCHEMES, "counted", "counted")
    return source


def items(*wanted: str) -> Items:
    """The items of a run that wants these."""
    return Items(Run(Environ()), [parse(f"counted://{path}") for path in wanted])


def test_an_item_is_fetched_once(counted: Counted) -> None:
    """However many fields are wanted, together or one after another, one call fetches them."""

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
    # Case may matter to a manager, so a field in another spelling is another field.
    assert counted.asked[2:] == [("A", ("", "username", "pin", "PIN"))]


def test_a_field_that_was_not_announced_is_fetched(counted: Counted) -> None:
    """A source may return only the wanted fields, so a new one takes another call."""
    counted.given = [{"password": "canary-1"}, {"password": "canary-1", "pin": "canary-2"}]

    async def work() -> list[str]:
        found = items("A")
        names = ("A", "A#pin", "A")
        return [(await found.get(parse(f"counted://{name}")))[0] for name in names]

    assert asyncio.run(work()) == ["canary-1", "canary-2", "canary-1"]
    assert counted.asked == [("A", ("",)), ("A", ("", "pin"))]


def test_a_failed_item_is_not_tried_again(counted: Counted) -> None:
    """A run asks only once, together or later: who has declined is not asked again."""
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
def test_a_foreign_source_may_raise_or_return_anything(counted: Counted, given: Any) -> None:
    """The error names the source, the item and the kind of error, and shows none of its text."""
    counted.given = [given]
    error = failure("counted://A")
    name = type(given).__name__ if isinstance(given, Exception) else "Error"
    assert str(error).startswith("the source counted:// failed for A: ")
    assert str(error).endswith(name)


def test_a_cancelled_source_is_cancelled(counted: Counted) -> None:
    """Cancelling is not a failure of the source."""

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

programs.MACHINE_TIMEOUT = 0.1
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

#: What is loaded before they start; the command loads no event loop.
_LOADED = {"asyncio": TWISTED, "twisted": TWISTED, "the command": ()}


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
def test_a_source_that_never_ends_is_cancelled(drive: str, body: str) -> None:
    """At the deadline the source is cancelled, and the error names it and the item."""
    with quick() as here:
        code = _ENDLESS.format(body=body, drive=_DRIVES[drive])
        code = f"import warnings; warnings.simplefilter('error')\n{code}"
        done = here.run_code(code, loaded=_LOADED[drive])
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
def test_a_source_that_awaits_the_loops_own_is_cancelled(drive: str, body: str) -> None:
    """The deadline holds for Futures and Deferreds that never get a result, too."""
    test_a_source_that_never_ends_is_cancelled(drive, body)


_CANCELLED = """
from twisted.internet.defer import CancelledError, ensureDeferred
failures = []
getting = ensureDeferred(get())
getting.addErrback(failures.append)
getting.cancel()
print(failures[0].check(CancelledError) is CancelledError, ended)
"""


@pytest.mark.process
def test_cancelling_in_twisted_cancels_the_source() -> None:
    """The source can clean up, and the outcome is Twisted's own CancelledError."""
    with home() as here:
        body = "from twisted.internet.defer import Deferred; await Deferred()"
        code = _ENDLESS.format(body=body, drive=_CANCELLED).replace("TIMEOUT = 0.1", "TIMEOUT = 30")
        done = here.run_any([sys.executable, "-W", "error", "-c", code])
    assert done == (0, "True ['Item']\n", "")


@pytest.mark.process
def test_a_source_that_ignores_cancellation_is_abandoned() -> None:
    """The error comes soon after the deadline, although the source goes on."""
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
def test_waiting_for_a_turn_does_not_count(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the wait for a turn nor the time in which the user types counts."""
    monkeypatch.setattr("secretly.sources.items._TRIES", 0.02)  # a second in all
    monkeypatch.setattr("secretly.sources.items.find", lambda scheme: Vault())
    slow: list[Any] = [[("wait", 1.5), ("raw", b"D canary-key\nOK\n")]]
    with FakePinentry(slow) as pinentry:
        run = run_of(locked, prompt_timeout=20)
        run = run._replace(environ=Environ({**run.environ, **pinentry.environ}))

        async def work() -> list[Any]:
            found = Items(run)
            return await asyncio.gather(*(found.get(parse(f"vault://{n}")) for n in range(3)))

        assert [value for value, _ in asyncio.run(work())] == ["canary-1"] * 3


#: Sources that ignore cancellation, at least if it is an Exception.
_STUBBORN = {
    "sleeps": "await requests.sleep(0.01)",
    "sleeps for long": "await requests.sleep(10 ** 6)",
    "starts programs": 'await output.read_output(["/bin/true"], timeout=5, environ={})',
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
def test_an_abandoned_source_ends_nothing_else(drive: str, kind: str, caught: str) -> None:
    """The error comes, and the program ends in the usual way."""
    with quick() as here:
        code = _ENDLESS.format(body=_stubborn(kind, caught), drive=_DRIVES[drive])
        code = f"from secretly.processes import output\n{code}"
        started = time.monotonic()
        done = here.run_code(code, loaded=_LOADED[drive])
    assert done.status == 0, done
    assert done.stdout.startswith("the source endless:// did not answer within 0 s for Item\n")
    assert time.monotonic() - started < 15


@pytest.mark.process
@pytest.mark.parametrize("kind", ["sleeps", "sleeps for long", "starts programs"])
def test_ctrl_c_ends_the_command_despite_a_stubborn_source(ourpass: Home, kind: str) -> None:
    """Ctrl-C ends the command soon after, although the source ignores cancellation."""
    body = _stubborn(kind, "Exception").replace("\n          ", "\n        ")
    source = (
        "from secretly.waiting import requests\nfrom secretly.processes import output\n"
        "title = 'stubborn'\n"
        f"async def fetch(path, fields, run):\n    open('began', 'w').close()\n    {body}\n"
    )
    distribution(ourpass.folder / "packages", textwrap.dedent(source))
    process = ourpass.start([*SECRETLY, "run", "-eX=ourpass://A", "echo", "ran"])
    with ended(process):
        wait_until(lambda: (ourpass.folder / "began").exists())
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (-signal.SIGINT, b"", b"")


@pytest.mark.process
@pytest.mark.parametrize("reference", ["env://TOKEN", "file://~/token"])
def test_reading_a_variable_or_file_loads_no_event_loop(reference: str) -> None:
    """A source that waits for nothing needs none, although it has a deadline."""
    code = "import sys; from secretly.cli import main; main(['get', sys.argv[1]]); "
    code += "print('twisted' in sys.modules, 'asyncio' in sys.modules)"
    with home() as here:
        (here.folder / "token").touch(0o600)
        (here.folder / "token").write_text("canary-1")
        here.environ["TOKEN"] = "canary-1"
        done = here.run_any([sys.executable, "-c", code, reference])
    assert done == (0, "canary-1\nFalse False\n", "")


def test_cancelling_one_request_leaves_the_others(counted: Counted) -> None:
    """The next request for the same item fetches it."""

    async def work() -> None:
        found = items("A")
        first, second = (asyncio.ensure_future(found.get(parse("counted://A"))) for _ in "12")
        while not counted.asked:
            await asyncio.sleep(0)
        first.cancel()
        assert (await asyncio.wait_for(second, PATIENCE))[0] == "canary-1"
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
    """The default is the password, else the credential; the first field of a name counts."""
    counted.given = [fields]
    assert fetch(f"counted://A{wanted}") == value


@pytest.mark.parametrize("name", ["username", "Username", "USERNAME"])
def test_the_user_name_comes_with_a_password_whatever_its_case(counted: Counted, name: str) -> None:
    """The first field of that name counts."""
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
def test_a_missing_field_is_an_error_with_those_that_exist(
    counted: Counted, fields: dict[str, str], wanted: str, hint: str
) -> None:
    """The error names the missing field, and the hint those that the item has."""
    counted.given = [fields]
    error = failure(f"counted://A{wanted}")
    assert isinstance(error, sources.NoField)
    assert f"'{wanted[1:] or 'password'}'" in str(error)
    assert error.hint == hint


@pytest.mark.parametrize(("value", "wrong"), [("canary-\0", "NUL"), ("canary-\ud800", "Unicode")])
def test_a_value_that_no_variable_can_hold_is_refused(
    counted: Counted, value: str, wrong: str
) -> None:
    """JSON can hold values that no variable can."""
    counted.given = [{"password": value}]
    assert wrong in str(failure("counted://A"))


@pytest.mark.parametrize("scheme", ["env", "file"])
def test_a_source_without_fields_has_no_user_name(scheme: str, path: Path) -> None:
    """The secret itself is never returned as the user name."""
    path.write_text("canary-1")
    name = {"env": "TOKEN", "file": str(path)}[scheme]
    environ = {"TOKEN": "canary-1"} if scheme == "env" else {}
    error = failure(f"{scheme}://{name}#username", environ)
    assert isinstance(error, sources.NoField)
    assert "'username'" in str(error)


# -- a manager's program -----------------------------------------------------------

VAULT = Program(
    "the vault",
    "vault",
    (
        ("is locked", sources.Locked, "it is locked", "vault unlock"),
        ("no item", sources.NoItem, "can't find {item}", "vault list {item}"),
    ),
)


def call(folder: Path, text: str, *arguments: str, **more: Any) -> str:
    """Call a program, which is a shell script."""
    script(folder, "vault", text)
    return asyncio.run(VAULT.call(run_of(folder), *arguments, **{"item": "PyPI", **more}))


@pytest.mark.process
def test_a_program_gets_arguments_stdin_and_variables(tmp_path: Path) -> None:
    """The program has the run's environment with the given changes."""
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
     (" canary \\t", " canary \t"), ("canary\\r\\n", "canary"),
     ("\\357\\273\\277canary", "canary"), ("", "")],
)  # fmt: skip
def test_exactly_one_newline_is_stripped(tmp_path: Path, wrote: str, value: str) -> None:
    """The program adds one line end. Other white space belongs to the secret."""
    assert call(tmp_path, f"printf '{wrote}'") == value


@pytest.mark.process
def test_a_failure_is_recognized_by_the_programs_words(tmp_path: Path) -> None:
    """Case does not matter; text and hint name the item, even one with braces."""
    with pytest.raises(sources.NoItem) as caught:
        call(tmp_path, "echo 'ERROR: No item, canary-1' >&2; exit 1", item="a {item} \u202e")
    error = harmless(caught.value)
    assert str(error) == "the vault: can't find a {item} \\u202e"
    assert error.hint == "vault list 'a {item} \\u202e'"


@pytest.mark.process
@pytest.mark.parametrize("status", ["exit 3", "kill -9 $$"])
def test_an_unknown_failure_shows_nothing_of_the_output(tmp_path: Path, status: str) -> None:
    """The program's output may hold a secret, on stderr too."""
    with pytest.raises(SourceFailed) as caught:
        call(tmp_path, f"echo canary-1; echo canary-2 >&2; {status}")
    assert type(harmless(caught.value)) is SourceFailed
    assert "the vault (vault)" in str(caught.value)
    assert "PyPI" in str(caught.value)


@pytest.mark.process
@pytest.mark.process
def test_a_warning_on_stderr_is_not_a_failure(tmp_path: Path) -> None:
    """A program with status 0 has succeeded, whatever it writes to stderr."""
    assert call(tmp_path, "echo 'is locked' >&2; echo canary-1") == "canary-1"


@pytest.mark.process
def test_a_program_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    """A program whose interpreter is missing, say; the error names it and the cause."""
    path = script(tmp_path, "vault", "")
    path.write_text("#!/nonexistent/interpreter\n")
    with pytest.raises(sources.NotInstalled, match="vault: No such file"):
        asyncio.run(VAULT.call(run_of(tmp_path)))


def test_a_program_is_found_on_absolute_path_entries_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in the current folder is never started."""
    script(tmp_path, "vault", "echo canary-1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sources.NotInstalled, match="vault"):
        asyncio.run(VAULT.call(Run(Environ({"PATH": f".:{os.defpath}:"}))))


@pytest.mark.parametrize("asks", [False, True])
def test_how_long_a_program_may_take(asks: bool) -> None:
    """30 s and never more than the user has; a program that asks has the user's time."""
    program = Program("the vault", "vault", asks=asks)
    assert program.limit(Run({})) == programs.MACHINE_TIMEOUT == 30
    assert program.limit(Run({"DISPLAY": ":0"}, prompt_timeout=300)) == (300 if asks else 30)
    assert program.limit(Run({}, prompt_timeout=5)) == 5


_LIMIT = """
from secretly.sources import Program, Run
print(Program("the vault", "vault", asks=True).limit(Run({variables}, prompt_timeout=300)))
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("variables", "limit"),
    [({}, "30.0"), ({"WAYLAND_DISPLAY": "w"}, "300"), ({"DISPLAY": ":0", "SSH_TTY": "x"}, "30.0")],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac always has a screen")
def test_a_program_that_cannot_ask_here_has_30_seconds(
    variables: dict[str, str], limit: str
) -> None:
    """With neither terminal nor screen, the program does not get the user's time."""
    with home() as place:
        code = _LIMIT.format(variables=variables)
        assert place.run_any([sys.executable, "-c", code]) == (0, f"{limit}\n", "")


@pytest.mark.process
@pytest.mark.process
def test_a_program_that_writes_endlessly_is_ended(tmp_path: Path) -> None:
    """The error says how much the program may write, rather than that it was slow."""
    with pytest.raises(SourceFailed, match="1 MiB"):
        call(tmp_path, "exec cat /dev/zero")


@pytest.mark.process
def test_a_full_stderr_pipe_does_not_block_the_program(tmp_path: Path) -> None:
    """secretly reads stderr while the program runs, so the pipe never stays full."""
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
    """A source whose program is locked until it gets a key, which the user types."""

    title = "the vault"

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the program's output."""

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
    """Return what several requests get at the same time."""
    run = run_of(folder, **{"prompt_timeout": 20, **more})
    run = run._replace(environ=Environ({**run.environ, **pinentry.environ}))

    async def work() -> list[Any]:
        several = (Vault().fetch(f"item {n}", ("",), run) for n in range(count))
        return await asyncio.gather(*several, return_exceptions=True)

    return asyncio.run(work())


@pytest.mark.process
def test_each_prompt_has_what_is_left_of_the_limit(locked: Path) -> None:
    """The second prompt has only the time that the first attempt left."""
    run = run_of(locked, prompt_timeout=PATIENCE)
    run.until = time.monotonic() + PATIENCE
    wrong: list[Any] = [("wait", 1.1), ("raw", b"D canary-wrong\nOK\n")]
    with FakePinentry([wrong, "canary-key"]) as pinentry:
        run = run._replace(environ=Environ({**run.environ, **pinentry.environ}))
        assert asyncio.run(Vault().fetch("item", ("",), run)) == {"password": "canary-1"}
        first, second = (int(prompt["SETTIMEOUT"]) for prompt in pinentry.prompts)
    assert first > second


@pytest.mark.process
def test_one_prompt_unlocks_for_all_requests(locked: Path) -> None:
    """Ten requests find the vault locked; one asks, and the others wait for it."""
    with FakePinentry(["canary-key"]) as pinentry:
        assert unlocked(locked, pinentry, 10) == [{"password": "canary-1"}] * 10
        (prompt,) = pinentry.prompts
    assert "The vault is locked" in prompt["SETDESC"]
    assert prompt["SETPROMPT"] == "Key:"
    assert "SETERROR" not in prompt


@pytest.mark.process
def test_a_wrong_answer_asks_again(locked: Path) -> None:
    """The next prompt says that the last answer was wrong."""
    with FakePinentry(["canary-wrong", "canary-key"]) as pinentry:
        assert unlocked(locked, pinentry) == [{"password": "canary-1"}]
        assert [prompt.get("SETERROR") for prompt in pinentry.prompts] == [
            None,
            wording.WRONG_PASSWORD,
        ]


@pytest.mark.process
def test_three_wrong_answers_are_the_end(locked: Path) -> None:
    """After the third wrong answer the outcome is Locked."""
    with FakePinentry(["canary-wrong"] * 9) as pinentry:
        (error,) = unlocked(locked, pinentry)
        assert len(pinentry.prompts) == 3
    assert isinstance(error, sources.Locked)
    harmless(error)


@pytest.mark.process
def test_a_cancelled_prompt_is_not_repeated(locked: Path) -> None:
    """A request whose prompt was cancelled ends."""
    with FakePinentry([None]) as pinentry:
        (error,) = unlocked(locked, pinentry)
        assert len(pinentry.prompts) == 1
    assert isinstance(error, Cancelled)


@pytest.mark.process
def test_a_locked_vault_is_an_error_with_no_input(locked: Path) -> None:
    """The outcome is Locked, with the hint that unlocks the vault, and no pinentry starts."""
    with FakePinentry(["canary-key"]) as pinentry:
        (error,) = unlocked(locked, pinentry, prompt_timeout=None)
        assert pinentry.lines == []
    assert isinstance(error, sources.Locked)
    assert error.hint == "vault open"


# -- one asks after another ----------------------------------------------------------

#: A script that records when it begins and ends to show something to the user.
_SEEN = 'echo "begin $1" >> seen; sleep 0.2; {}; echo "end $1" >> seen'


def seen(folder: Path) -> list[str]:
    """Return what the user saw, after a check: never two things at the same time."""
    lines = (folder / "seen").read_text().splitlines()
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        assert (first[:6], second[:4]) == ("begin ", "end "), lines
        assert first[6:] == second[4:], lines
    return sorted(line[4:] for line in lines[1::2])


@pytest.mark.process
def test_programs_that_may_ask_run_one_after_another(locked: Path) -> None:
    """Commands and a vault that needs a key never show prompts at the same time."""
    script(locked, "asks", f"cd {locked}; {_SEEN.format('echo canary-2')}")
    with FakePinentry(["canary-key"]) as pinentry:
        wrapped = script(locked, "pinentry-fake", f"cd {locked}; {_SEEN.format(pinentry.path)}")
        run = run_of(locked, prompt_timeout=20)
        more = {**pinentry.environ, "PINENTRY": str(wrapped)}
        run = run._replace(environ=Environ({**run.environ, **more}))

        async def work() -> list[Any]:
            commands = [command.CommandSource(("asks", name)) for name in "abc"]
            return await asyncio.gather(
                commands[0].fetch("A", ("",), run),
                Vault().fetch("item", ("",), run),
                *(one.fetch("B", ("",), run) for one in commands[1:]),
            )

        given = asyncio.run(work())
    assert [found["password"] for found in given] == ["canary-2", "canary-1", *["canary-2"] * 2]
    assert seen(locked) == ["", "a", "b", "c"]


@pytest.mark.process
def test_commands_run_together_if_none_may_ask(tmp_path: Path) -> None:
    """Without prompts, commands need no turns: each here waits until all have begun."""
    script(tmp_path, "asks", _TOGETHER.replace("FOLDER", str(tmp_path)).replace("COUNT", "5"))
    run = run_of(tmp_path)

    async def work() -> list[Any]:
        fetched = (command.CommandSource(("asks", name)).fetch("A", ("",), run) for name in "abcde")
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
def test_a_program_that_asks_once_needs_one_turn(tmp_path: Path) -> None:
    """The first call has a turn; the others wait for it, and then run together."""
    script(tmp_path, "vault", f"[ $1 = a ] || {{ {_TOGETHER.strip()}; }}; echo $1 >> FOLDER/done")
    text = (tmp_path / "vault").read_text().replace("FOLDER", str(tmp_path)).replace("COUNT", "4")
    (tmp_path / "vault").write_text(text)
    run = run_of(tmp_path, prompt_timeout=20)
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
def test_a_missing_item_does_not_ask_again(locked: Path) -> None:
    """The key was right, so a request that waited does not ask again."""
    script(locked, "vault", f"cd {locked}{_LOCK}".replace(
        'test "$KEY" = canary-key &&',
        '[ "$2" != missing ] || [ -z "$KEY" ] || { echo no item >&2; exit 1; }\n'
        '  test "$KEY" = canary-key &&',
    ))  # fmt: skip
    with FakePinentry(["canary-key"] * 3) as pinentry:
        run = run_of(locked, prompt_timeout=20)
        run = run._replace(environ=Environ({**run.environ, **pinentry.environ}))

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
    """The hint names the known schemes."""
    with pytest.raises(BadReference, match="http://") as caught:
        fetch("http://example.org/token")
    for scheme in sources.SCHEMES:
        assert f"{scheme}://" in caught.value.hint


def test_each_scheme_has_a_module() -> None:
    """Each module of the folder is the source of one scheme, except the shared ones."""
    modules = {path.stem for path in Path(sources.__file__).parent.glob("*.py")}
    shared = {"__init__", "command", "failures", "items", "private_files", "programs"}
    shared |= {"registry", "runs", "source", "unreadable", "aws", "json_fields"}
    assert set(sources.SCHEMES.values()) == modules - shared
    assert sources.schemes() == sorted(sources.SCHEMES)
    for scheme in sources.SCHEMES:
        assert sources.find(scheme).title


#: A source as a file of its own.
_ONE_FILE = """
title = "the wallet"

async def fetch(path, fields, run):
    return {"password": run.environ[f"WALLET_{path}"]}
"""


def test_one_more_source_is_one_file_and_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module in the folder and its row in ``SCHEMES`` are a source, and nothing else changes."""
    (tmp_path / "wallet.py").write_text(_ONE_FILE)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    monkeypatch.setitem(sources.SCHEMES, "wallet", "wallet")
    assert fetch("wallet://A#password", {"WALLET_A": "canary-1"}) == "canary-1"
    assert isinstance(failure("wallet://B"), SourceFailed)
    assert "wallet" in sources.schemes()
    monkeypatch.delitem(sys.modules, "secretly.sources.wallet")


def test_a_run_shares_its_state_with_its_copies_only() -> None:
    """Each run keeps session keys of its own; a copy with another deadline shares them."""
    first, second = Run({}), Run({})
    first.keep("vault", "canary-1")
    assert (dict(second.kept), second.opened, second.asked) == ({}, [], set())
    copy = first._replace(prompt_timeout=5.0)
    assert (copy.prompt_timeout, first.prompt_timeout) == (5.0, None)
    replaced = dataclasses.replace(first, prompt_timeout=5.0)  # as it was one in 1.0
    assert (replaced.kept, replaced.prompt_timeout) == (first.kept, 5.0)
    assert replaced.kept is first.kept
    copy.opened.append("the vault")
    assert (copy.kept, first.opened) == (first.kept, ["the vault"])
    assert "canary" not in repr(first)
    with pytest.raises(TypeError):
        first._replace(persons=5)


def test_the_first_name_of_prompt_timeout_works() -> None:
    """Sources of other packages, and their tests, say ``person``."""
    run = Run({}, person=5.0)
    for one in (run, Run({}, 5.0), run._replace(person=5.0), dataclasses.replace(run, person=5.0)):
        assert (one.prompt_timeout, one.person) == (5.0, 5.0)
    assert run._replace(prompt_timeout=None).person is None


@pytest.mark.process
def test_the_sources_load_no_dataclasses() -> None:
    """dataclasses loads inspect, and both take longer than a password manager's own module."""
    code = "import sys; before = set(sys.modules); "  # an editable install may load both
    code += "from secretly.sources import bw, file, items, keepassxc, lpass, op; "
    code += "print({'dataclasses', 'inspect'} & (set(sys.modules) - before))"
    with home() as here:
        assert here.run_any([sys.executable, "-I", "-c", code]) == (0, "set()\n", "")


def test_a_name_that_would_be_an_option_is_refused() -> None:
    """Other names pass unchanged."""
    for name in ("a", "", " -a", "a-b", "é"):
        assert sources.operand(name) == name
    for name in ("-", "-h", "--help", "-\u202e"):
        with pytest.raises(BadReference) as caught:
            sources.operand(name)
        harmless(caught.value)


# -- other packages' ---------------------------------------------------------------------

_OURPASS_SOURCE = '''
"""``ourpass://ITEM``: a password manager, by its program ourpass."""

from secretly.sources import Locked, NoItem, Program, operand

title = "ourpass"

program = Program(
    title,
    "ourpass",
    (
        ("couldn't find entry|no entry found", NoItem, "can't find {item}", "ourpass list"),
        ("agent is locked", Locked, "the vault is locked", "ourpass unlock"),
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

_OURPASS = """
echo "$*" >> "$HOME/calls"
case "$1 $2 $3 $4" in
  "get PyPI  ") cat "$HOME/password";;
  "get --field username PyPI") cat "$HOME/username";;
  *) echo "ourpass get: couldn't find entry for 'canary'" >&2; exit 1;;
esac
"""


def distribution(folder: Path, source: str = _OURPASS_SOURCE) -> None:
    """Install another package's distribution."""
    folder.mkdir(exist_ok=True)
    (folder / "secretly_ourpass.py").write_text(source)
    facts = folder / "secretly_ourpass-1.0.dist-info"
    facts.mkdir(exist_ok=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: secretly-ourpass\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[secretly.sources]\nourpass = secretly_ourpass\n")


@pytest.fixture
def ourpass() -> Iterator[Home]:
    """A home with a distribution that adds ``ourpass://``, and a script in the place of ourpass."""
    with quick() as here:
        distribution(here.folder / "packages")
        before = here.environ.get("PYTHONPATH", "")
        parts = filter(None, (str(here.folder / "packages"), before))
        here.environ["PYTHONPATH"] = os.pathsep.join(parts)
        here.program("ourpass", f"#!/bin/sh\n{_OURPASS}")
        for name, value in (("password", TestOurPass.PASSWORD), ("username", TestOurPass.USERNAME)):
            (here.folder / name).write_text(f"{value}\n", "utf-8")
        yield here


@pytest.mark.process
class TestOurPass(SourceContract):
    """A source of another package passes the same tests."""

    USERNAME: str = SourceContract.USERNAME or ""
    PROGRAM = "ourpass"

    @pytest.fixture(autouse=True)
    def _there(self, ourpass: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self._home = ourpass
        monkeypatch.syspath_prepend(str(ourpass.folder / "packages"))
        yield
        sys.modules.pop("secretly_ourpass", None)

    def source(self) -> sources.Source:
        return sources.find("ourpass")

    def run(self) -> Run:
        return Run(Environ(self._home.environ), prompt_timeout=10)

    def item(self) -> str:
        return "PyPI"

    def missing(self) -> str:
        return "Missing"


@pytest.mark.process
def test_the_command_uses_a_foreign_source(ourpass: Home) -> None:
    """A foreign source works in a reference, and as the source of a configured secret."""
    assert ourpass.run("get", "ourpass://PyPI", "-n") == (0, TestOurPass.PASSWORD, "")
    assert ourpass.run("get", "ourpass://PyPI#username", "-n") == (0, TestOurPass.USERNAME, "")
    (ourpass.folder / "calls").unlink()
    ourpass.configure('[secrets.X]\nsource = "ourpass://PyPI"\n')
    done = ourpass.run("run", "-e", "A=X", "-e", "B=X#username", "sh", "-c", PRINT)
    assert done == (0, f"{TestOurPass.USERNAME}|{TestOurPass.PASSWORD}\n", "")
    assert (ourpass.folder / "calls").read_text() == "get PyPI\nget --field username PyPI\n"


@pytest.mark.process
def test_a_foreign_sources_failure_is_two_lines(ourpass: Home) -> None:
    """The first line names the source and the item, the second has the hint."""
    status, out, err = ourpass.run("get", "ourpass://Other")
    assert (status, out) == (1, "")
    assert err.splitlines()[0] == "secretly: ourpass: can't find Other"
    assert "ourpass list" in err.splitlines()[1]
    ourpass.program("ourpass", "", mode=0o644)
    status, out, err = ourpass.run(
        "run", "-e", "A=ourpass://PyPI", "touch", str(ourpass.folder / "ran")
    )
    assert (status, out) == (125, "")
    assert "ourpass" in err
    assert not (ourpass.folder / "ran").exists()


@pytest.mark.process
@pytest.mark.process
def test_a_foreign_scheme_is_known(ourpass: Home) -> None:
    """The hint for an unknown scheme names it."""
    assert "ourpass://" in ourpass.run("get", "nothing://X").stderr


@pytest.mark.process
def test_doctor_names_a_foreign_source(ourpass: Home) -> None:
    """``doctor`` names the source and its program, and says if either does not work."""
    done = ourpass.run("doctor")
    assert f"ourpass ({ourpass.programs}/ourpass)" in done.stdout
    assert "source ourpass://" in done.stdout
    (ourpass.programs / "ourpass").unlink()
    line = next(
        line for line in ourpass.run("doctor").stdout.splitlines() if "source ourpass://" in line
    )
    assert "not installed" in line
    distribution(ourpass.folder / "packages", "raise ValueError('canary')")
    done = ourpass.run("doctor")
    assert re.search("^.*source ourpass://: .*ValueError", done.stdout, re.MULTILINE)
    assert "canary" not in done.stdout + done.stderr
    distribution(ourpass.folder / "packages", "title = None")
    assert re.search("source ourpass://.*None$", ourpass.run("doctor").stdout, re.MULTILINE)


@pytest.mark.process
@pytest.mark.parametrize("name", ["OURPASS", "OurPass", "ourpass"])
def test_a_schemes_case_does_not_matter(ourpass: Home, name: str) -> None:
    """Neither in the reference nor in the package's entry point."""
    entries = ourpass.folder / "packages" / "secretly_ourpass-1.0.dist-info" / "entry_points.txt"
    entries.write_text(f"[secretly.sources]\n{name} = secretly_ourpass\n")
    for scheme in ("ourpass", "OURPASS"):
        assert ourpass.run("get", f"{scheme}://PyPI", "-n") == (0, TestOurPass.PASSWORD, "")
    assert "ourpass://" in ourpass.run("get", "nothing://X").stderr


@pytest.mark.process
@pytest.mark.parametrize("name", ["my vault", "1st", "command", "Command"])
def test_a_scheme_that_no_reference_can_name_is_unknown(ourpass: Home, name: str) -> None:
    """An entry point that is not a scheme is ignored."""
    entries = ourpass.folder / "packages" / "secretly_ourpass-1.0.dist-info" / "entry_points.txt"
    entries.write_text(f"[secretly.sources]\n{name} = secretly_ourpass\n")
    known = ourpass.run("get", "nothing://X").stderr
    assert "env://" in known
    assert f"{name}://".lower() not in known.lower()


@pytest.mark.process
def test_a_foreign_source_cannot_replace_a_scheme(ourpass: Home) -> None:
    """secretly's own sources take precedence."""
    entries = ourpass.folder / "packages" / "secretly_ourpass-1.0.dist-info" / "entry_points.txt"
    entries.write_text("[secretly.sources]\nenv = secretly_ourpass\n")
    assert ourpass.run("get", "env://TOKEN", environ={"TOKEN": "canary-1"}).stdout == "canary-1\n"
    assert not (ourpass.folder / "calls").exists()


@pytest.mark.process
@pytest.mark.parametrize("source", ["import nothing_of_that_name", "raise ValueError('canary')"])
def test_a_foreign_source_that_cannot_load_is_an_error(ourpass: Home, source: str) -> None:
    """The error names the scheme and the package, without a traceback."""
    distribution(ourpass.folder / "packages", source)
    status, _, err = ourpass.run("get", "ourpass://PyPI")
    assert status == 1
    what, hint = err.splitlines()
    assert "ourpass://" in what
    assert "secretly_ourpass" in hint
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
import asyncio, secretly
async def get():
    try:
        await secretly.secret("ourpass://{item}")
    except secretly.SourceFailed as error:
        return str(error) + "; " + error.hint
print(asyncio.run(get()))
"""


@pytest.mark.process
@pytest.mark.parametrize("item", _OUTCOMES)
def test_whatever_a_foreign_source_raises_is_two_lines(ourpass: Quick, item: str) -> None:
    """The kind of error shows, and none of its text, alone or with another item, in asyncio too."""
    distribution(ourpass.folder / "packages", _ODD)
    said = f"the source ourpass:// failed for {item}: {_OUTCOMES[item]}"
    hint = items_module._ELSEWHERE
    lines = f"secretly: {said}\n  {hint}\n"
    assert ourpass.run("get", f"ourpass://{item}") == (1, "", lines)
    both = ["-eA=ourpass://ok", f"-eB=ourpass://{item}"]
    assert ourpass.run("run", *both, "echo", "ran") == (125, "", lines)
    done = ourpass.run_code(_CATCHES.format(item=item), loaded=TWISTED)
    assert done == (0, f"{said}; {hint}\n", "")


@pytest.mark.process
def test_a_task_that_the_source_cancels_is_a_failure(ourpass: Quick) -> None:
    """The request itself was not cancelled."""
    distribution(ourpass.folder / "packages", _ODD)
    done = ourpass.run_code(_CATCHES.format(item="gone"), loaded=TWISTED)
    assert done.stdout.startswith("the source ourpass:// failed for gone: CancelledError; ")


@pytest.mark.process
def test_an_error_without_a_hint_gets_one(ourpass: Home) -> None:
    """It also gets the item's name; its own text stays."""
    distribution(ourpass.folder / "packages", _ODD)
    done = ourpass.run("get", "ourpass://bare")
    assert done.stderr.splitlines() == [
        "secretly: it is shut (ourpass://bare)",
        f"  {items_module._ELSEWHERE}",
    ]


@pytest.mark.process
@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("del title", "its title is missing"),
        ("title = 3", "its title is missing"),
        ("del fetch", "AttributeError"),
        ("fetch = lambda *given: 3", "TypeError"),
        ("def parted(path): raise ValueError('canary-1')", "ValueError"),
        ("def parted(path): raise SystemExit('canary-1')", "SystemExit"),
        ("def parted(path): return None", "TypeError"),
        ("def parted(path): return ('a', 'b', 'c')", "ValueError"),
        ("def parted(path): return (path, None)", "parted() did not return two strings"),
    ],
)
def test_a_source_of_another_shape_is_two_lines(ourpass: Home, more: str, what: str) -> None:
    """The error names the source and says what is wrong with it."""
    distribution(ourpass.folder / "packages", f"{_ODD}\n{more}\n")
    for arguments in (
        ("get", "ourpass://ok"),
        ("run", "-eA=ourpass://ok", "-eB=env://HOME", "true"),
    ):
        done = ourpass.run(*arguments)
        assert (done.status, done.stdout) == (1 if arguments[0] == "get" else 125, "")
        line, hint = done.stderr.splitlines()
        assert line == f"secretly: the source ourpass:// failed for ok: {what}"
        assert "canary" not in hint


@pytest.mark.process
def test_a_source_that_ends_the_program_when_it_is_loaded(ourpass: Home) -> None:
    """SystemExit while a source loads is an error like any other."""
    distribution(ourpass.folder / "packages", "raise SystemExit('canary-1')")
    done = ourpass.run("get", "ourpass://ok")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0].endswith("ourpass://: SystemExit")
    assert ourpass.run("doctor").status in (0, 1)


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
def test_a_source_that_awaits_asyncios_own_fails(ourpass: Home, waits: str, kind: str) -> None:
    """It fails immediately; what belongs to Twisted works."""
    text = _ODD.replace('if path == "gone":', 'if path == "waits":')
    distribution(
        ourpass.folder / "packages",
        text.replace("await gone()", f"{waits}; return {{'password': 'canary-1'}}"),
    )
    done = ourpass.run("get", "ourpass://waits")
    if kind:
        what = f"secretly: the source ourpass:// failed for waits: {kind}"
        assert (done.status, done.stderr.splitlines()[0]) == (1, what)
    else:
        assert done == (0, "canary-1\n", "")


@pytest.mark.process
def test_ctrl_c_in_a_source_ends_the_command(ourpass: Home) -> None:
    """The command ends by the signal."""
    text = _ODD.replace("async def fetch", "errors['c'] = KeyboardInterrupt()\nasync def fetch")
    distribution(ourpass.folder / "packages", text)
    done = ourpass.run("get", "ourpass://c")
    assert done == (-signal.SIGINT, "", "")


@pytest.mark.process
def test_a_command_is_configured(ourpass: Home) -> None:
    """A configured command runs once, however many of its values are wanted."""
    text = '[secrets.X]\ncommand = ["ourpass", "get", "PyPI"]\nusername = "me"\n'
    ourpass.configure(text)
    done = ourpass.run("run", "-e", "A=X", "-e", "B=X#username", "-e", "C=X", "sh", "-c", PRINT)
    assert done == (0, f"me|{TestOurPass.PASSWORD}\n", "")
    assert (ourpass.folder / "calls").read_text() == "get PyPI\n"
    ourpass.configure(text.replace("PyPI", "Other"))
    status, _, err = ourpass.run("get", "X")
    assert status == 1
    assert "ourpass" in err
    assert "canary" not in err


def test_the_public_names_of_sources_are_listed() -> None:
    """``dir`` lists the public names, which load on first use."""
    assert dir(sources) == sorted(sources.__all__)
    for name in sources.__all__:
        assert getattr(sources, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        sources.nothing  # noqa: B018
