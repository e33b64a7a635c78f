"""Contract tests for stores and sources."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import SecretlyError, SourceFailed
from ..processes import child
from ..redacted import Environ
from ..sources import failures, runs


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
    MISSING: type[SourceFailed] = failures.NoItem
    #: The name of the program that it runs, as on PATH; empty: it runs none.
    PROGRAM = ""

    def source(self) -> runs.Source:
        """Return the source to be tested."""
        raise NotImplementedError

    def run(self) -> runs.Run:
        """Return a fresh run in which the item can be had."""
        return runs.Run(Environ(os.environ), person=10)

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
        found = runs.Item(_in_twisted(self.source().fetch(self.item(), ("",), self.run())))
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
            found = runs.Item(await self.source().fetch(self.item(), ("", field), self.run()))
            found.chosen(field, self.source().title, self.item())

        error = self._raised(work, failures.NoField)
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
                error = self._failure(run, self.item(), failures.NotInstalled)
            assert self.PROGRAM in f"{error}"
            assert self.PROGRAM in error.hint

    def test_a_program_that_hangs_is_ended(self) -> None:
        """When the time is over, with an error that names it."""
        before = set(child.living())
        with self._other("exec sleep 3600") as run:
            if self.PROGRAM:
                error = self._failure(replace(run, person=0.5), self.item(), SourceFailed)
                assert self.PROGRAM in f"{error}"
        assert set(child.living()) == before

    def test_a_cancelled_wait_ends_the_program(self) -> None:
        """And it is reaped."""
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

    def _where(self, variables: Mapping[str, str]) -> runs.Run:
        run = self.run()
        return replace(run, environ=Environ({**run.environ, **variables}))

    @contextlib.contextmanager
    def _other(self, script: str) -> Iterator[runs.Run]:
        """A run in which the program is another: a shell script."""
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
