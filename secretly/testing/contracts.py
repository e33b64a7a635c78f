"""Contract tests for stores and sources."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import SecretlyError, SourceFailed
from ..processes import child
from ..sources import failures, runs
from ..sources.source import Source
from ..text import Environ


class KeychainContract:
    """Tests that every keychain must pass. Inherit them, and override :meth:`keychain`."""

    #: Texts that some keychains change or lose.
    DIFFICULT = ("", " ", "a b", "é€😀", "a=b&c", "100%", "x" * 5000, "\t\n", "'\"\\", "/../", "#")

    def keychain(self) -> Any:
        """Return the keychain to test, empty."""
        raise NotImplementedError

    def test_a_stored_secret_comes_back(self) -> None:
        """The keychain returns each text exactly as it was stored."""
        keychain = self.keychain()
        for number, text in enumerate(self.DIFFICULT):
            asyncio.run(keychain.set(f"canary-{number}", "user", text, 5))
        for number, text in enumerate(self.DIFFICULT):
            assert asyncio.run(keychain.get(f"canary-{number}", "user", 5)) == text

    def test_names_may_be_difficult(self) -> None:
        """Each name and user name has a secret of its own, whatever characters are in them."""
        keychain = self.keychain()
        names = [name for name in self.DIFFICULT if name]
        for name in names:
            asyncio.run(keychain.set(name, name, f"canary-{name}", 5))
        for name in names:
            assert asyncio.run(keychain.get(name, name, 5)) == f"canary-{name}"

    def test_a_missing_item_is_none(self) -> None:
        """An item that was never stored, or only under another user name, is None."""
        keychain = self.keychain()
        asyncio.run(keychain.set("there", "user", "canary-1", 5))
        assert asyncio.run(keychain.get("not there", "user", 5)) is None
        assert asyncio.run(keychain.get("there", "another", 5)) is None

    def test_storing_again_replaces(self) -> None:
        """Storing a secret again replaces the one before."""
        keychain = self.keychain()
        asyncio.run(keychain.set("name", "user", "canary-1", 5))
        asyncio.run(keychain.set("name", "user", "canary-2", 5))
        assert asyncio.run(keychain.get("name", "user", 5)) == "canary-2"

    def test_a_deleted_item_is_gone(self) -> None:
        """Deleting returns whether there was an item, and leaves nothing."""
        keychain = self.keychain()
        asyncio.run(keychain.set("name", "user", "canary-1", 5))
        assert asyncio.run(keychain.delete("name", "user", 5)) is True
        assert asyncio.run(keychain.delete("name", "user", 5)) is False
        assert asyncio.run(keychain.get("name", "user", 5)) is None

    def test_it_names_itself(self) -> None:
        """A keychain that can store secrets says which one it is."""
        assert asyncio.run(self.keychain().describe())


class SourceContract:
    """Tests that every source must pass. Inherit them, and store an item for them.

    Override :meth:`source`, :meth:`item` and :meth:`missing`; :meth:`run` too if the source
    needs variables, a keychain or prompts. If the source runs a program, name it in
    ``PROGRAM``: the tests then also try programs of that name that fail.
    """

    #: The item's password, with characters that some sources change. It ends in white space.
    PASSWORD = "canary-\"a\" 'b' \\ \\n é€😀 100%41 #c $HOME `d` {e} &amp; \t "
    #: The item's user name; None: the source has no user names.
    USERNAME: str | None = "canary \"ü\" 'b' \\n %41 #c <d@example.org>"
    #: The error for a missing item, for a source that can't see that the item is missing.
    MISSING: type[SourceFailed] = failures.NoItem
    #: The name of the program that the source runs, as on PATH; empty: it runs no program.
    PROGRAM = ""

    def source(self) -> Source:
        """Return the source to test."""
        raise NotImplementedError

    def run(self) -> runs.Run:
        """Return a new run in which the source can fetch the item."""
        return runs.Run(Environ(os.environ), prompt_timeout=10)

    def item(self) -> str:
        """Return the path of the item with ``PASSWORD`` and ``USERNAME``."""
        raise NotImplementedError

    def missing(self) -> str:
        """Return the path of an item that does not exist."""
        raise NotImplementedError

    def test_it_has_a_title(self) -> None:
        """The title is one printable line."""
        assert self.source().title.strip()
        assert self.source().title.isprintable()

    def test_the_password_comes_back(self) -> None:
        """The password comes back as it was stored, under each of its names."""
        for field in ("", "password", "Password"):
            found = self._item(self.run(), field)
            value = found.chosen(field, self.source().title, self.item())
            assert _same(value, self.PASSWORD)

    def test_the_user_name_comes_with_it(self) -> None:
        """The same call returns password and user name, whether the latter was wanted or not."""
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
        """Twisted can drive the source: it awaits secretly's own coroutines, not asyncio's."""
        found = runs.Item(_in_twisted(self.source().fetch(self.item(), ("",), self.run())))
        assert _same(found.chosen("", "", ""), self.PASSWORD)

    def test_it_can_be_asked_again(self) -> None:
        """One run can ask for the same item again, and for another one."""
        run = self.run()
        self._item(run, "")
        self._failure(run, self.missing(), self.MISSING)
        assert _same(self._item(run, "").chosen("", "", ""), self.PASSWORD)

    def test_a_missing_item_is_an_error(self) -> None:
        """The error names the source and the item, escaped, and has a hint."""
        error = self._failure(self.run(), self.missing(), self.MISSING)
        name = self.missing().rpartition("/")[2]
        assert self.source().title in f"{error} {error.hint}"
        assert name in str(error)
        self._failure(self.run(), f"{self.missing()}\u202e", self.MISSING)

    def test_a_missing_field_is_an_error(self) -> None:
        """The error names the fields that the item has, and none of their values."""
        field = "no such field"

        async def work() -> None:
            found = runs.Item(await self.source().fetch(self.item(), ("", field), self.run()))
            found.chosen(field, self.source().title, self.item())

        error = self._raised(work, failures.NoField)
        assert field in str(error)
        assert "password" in error.hint.casefold()

    def test_a_name_is_never_an_option(self) -> None:
        """A name that begins with a dash is refused: a program's help text is not a secret."""
        for name in ("--help", "--version", "-h"):
            path = self.missing().rpartition("/")
            self._failure(self.run(), f"{path[0]}{path[1]}{name}", SecretlyError)

    def test_reprs_show_no_secret(self) -> None:
        """The reprs of the run and of the item show no secret."""
        run = self.run()
        found = self._item(run, "", "username")
        assert "canary" not in f"{run!r} {found!r}"

    # -- the program -----------------------------------------------------------------

    def test_a_missing_program_is_named(self) -> None:
        """The error and the hint name the program that is not installed."""
        if self.PROGRAM:
            with tempfile.TemporaryDirectory(prefix="secretly-") as empty:
                run = self._where({"PATH": empty})
                error = self._failure(run, self.item(), failures.NotInstalled)
            assert self.PROGRAM in f"{error}"
            assert self.PROGRAM in error.hint

    def test_a_program_that_hangs_is_ended(self) -> None:
        """The program is ended when its time is over, with an error that names it."""
        before = set(child.living())
        with self._other("exec sleep 3600") as run:
            if self.PROGRAM:
                error = self._failure(run._replace(prompt_timeout=0.5), self.item(), SourceFailed)
                assert self.PROGRAM in f"{error}"
        assert set(child.living()) == before

    def test_a_cancelled_wait_ends_the_program(self) -> None:
        """A cancelled wait ends and reaps the program."""
        before = set(child.living())

        async def cancelled(run: runs.Run) -> bool:
            task = asyncio.ensure_future(self.source().fetch(self.item(), ("",), run))
            while set(child.living()) == before and not task.done():
                await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.wait([task], timeout=10)
            return task.cancelled()

        with self._other("exec sleep 3600") as run:
            assert not self.PROGRAM or asyncio.run(asyncio.wait_for(cancelled(run), 20))
        assert set(child.living()) == before

    def test_a_failing_programs_output_is_not_shown(self) -> None:
        """The error shows nothing that the program wrote: a secret may be in it."""
        for script in (
            "echo canary-out; echo canary-err >&2; exit 71",
            "echo canary-out; echo canary-err >&2; kill -9 $$",
        ):
            with self._other(script) as run:
                if self.PROGRAM:
                    error = self._failure(run, self.item(), SourceFailed)
                    assert self.source().title in f"{error}"

    def test_other_output_than_text_is_refused(self) -> None:
        """Bytes that are not UTF-8 are refused, and NUL, which no variable can hold."""
        for script in ("printf 'canary-\\377'", "printf 'canary-\\0'"):
            with self._other(script) as run:
                if self.PROGRAM:
                    self._failure(run, self.item(), SourceFailed)

    def test_unexpected_output_is_an_error_or_a_secret(self) -> None:
        """Whatever the program writes, the source raises nothing but its own errors."""
        for said in ("", "canary {", "[]", "{}", "null", "3", "[[]]", '{"fields": 3}', "[3]"):
            with self._other(f"cat <<'EOF'\n{said}\nEOF") as run:
                if self.PROGRAM:
                    with contextlib.suppress(SourceFailed):
                        self._fetched(run, self.item(), "").chosen("", "", "")

    # -- helpers ---------------------------------------------------------------------

    def _where(self, variables: Mapping[str, str]) -> runs.Run:
        run = self.run()
        return run._replace(environ=Environ({**run.environ, **variables}))

    @contextlib.contextmanager
    def _other(self, script: str) -> Iterator[runs.Run]:
        """A run with a shell script in the place of the program."""
        with tempfile.TemporaryDirectory(prefix="secretly-") as folder:
            path = Path(folder, self.PROGRAM or "none")
            path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
            path.chmod(0o700)
            before = self.run().environ.get("PATH", os.defpath)
            yield self._where({"PATH": f"{folder}{os.pathsep}{before}"})

    def _fetched(self, run: runs.Run, path: str, *fields: str) -> runs.Item:
        return runs.Item(asyncio.run(_within(self.source().fetch(path, fields, run))))

    def _item(self, run: runs.Run, *fields: str) -> runs.Item:
        return self._fetched(run, self.item(), *fields)

    def _failure(self, run: runs.Run, path: str, kind: type[SecretlyError]) -> SecretlyError:
        return self._raised(lambda: self.source().fetch(path, ("",), run), kind)

    def _raised(
        self, work: Callable[[], Coroutine[Any, Any, Any]], kind: type[SecretlyError]
    ) -> SecretlyError:
        """Return the error that *work* raises; its text is printable and it has a hint."""
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
    """Have Twisted drive a coroutine, without starting its reactor: that works only once."""
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
    assert outcome, "the source does not end, and ignores cancellation"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


def _same(one: str, other: str) -> bool:
    # An assertion that compares the two would show both.
    return one == other


def _locals(error: BaseException | None) -> str:
    """Return what a traceback with captured locals shows, except the tests' own."""
    found = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if not str(frame.f_globals.get("__name__")).startswith((__name__, "asyncio")):
                found.append(repr(frame.f_locals))
        error = error.__cause__ or error.__context__
    return "\n".join(found)
