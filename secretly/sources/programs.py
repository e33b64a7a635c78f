"""What the password managers' programs have in common: run this, read that, know these failures."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .. import safefiles
from ..errors import BadReference, SecretlyError, SourceFailed
from ..processes import dialogue, output
from ..redacted import READ_LIMIT, Environ, NotASecret, Secret, to_secret
from ..text import escape, shell_quote
from .failures import Ambiguous, Locked, NoField, NoItem, NotInstalled, Unasked, Unreachable
from .runs import Run

__all__ = ["MACHINE", "Program", "operand", "text"]

T = TypeVar("T")

#: How long a program may take, in seconds, that asks nobody.
MACHINE = 30.0


Failure = tuple[str, type[SecretlyError], str, str]


@dataclass(frozen=True)
class Program:
    """A password manager's program.

    :param title: what people call the manager.
    :param name: the program.
    :param failures: how it says what went wrong: a pattern of its stderr, the error, what
        happened (``{item}`` is replaced), and the command that would mend it.
    :param asks: whether it may ask the person by itself: then it has the person's time, where one
        may be there, and the terminal. Call it in ``run.attention`` or ``run.turn``.
    """

    title: str
    name: str
    failures: Sequence[Failure] = ()
    asks: bool = False

    def path(self, run: Run) -> str:
        """Where the program is.

        :raises NotInstalled: if it is not.
        :raises Refused: if others could change it.
        """
        found = safefiles.program_on_path(self.name, run.environ)
        if found is None:
            raise NotInstalled(
                f"{self.title}'s program {self.name} is not installed",
                f"install it, so that {self.name} is on PATH",
            )
        safefiles.refuse_if_others_can_write(found, f"{self.title}'s program")
        return str(found)

    def limit(self, run: Run) -> float:
        """How long it may take, in seconds."""
        if run.person is None:
            return MACHINE
        return run.person if self.asks and run.attended else min(MACHINE, run.person)

    async def call(
        self,
        run: Run,
        *arguments: str,
        item: str = "",
        stdin: str = "",
        environ: Mapping[str, str | None] | None = None,
        limit: int = READ_LIMIT,
    ) -> Secret:
        """Run it and return what it wrote.

        :param item: what is sought, for the messages.
        :param environ: more variables for it; None takes one away.
        :param limit: how many bytes it may write.
        :raises SourceFailed: if it fails, hangs, or writes what is no text.
        """
        argv = [self.path(run), *arguments]
        try:
            done = await output.read_output(
                argv,
                timeout=self.limit(run),
                environ=_with(run.environ, environ),
                stdin=stdin.encode("utf-8", "surrogateescape"),
                new_session=not self.asks or run.person is None,  # with no terminal it cannot ask
                limit=limit,
            )
        except output.TooMuch:
            raise self.long(limit, item) from None
        except TimeoutError:
            raise self.slow(run, item) from None
        except OSError as error:
            raise NotInstalled(
                f"{self.name} cannot be started: {error.strerror}", f"look at it: {self.name}"
            ) from None
        return self.read(done, item)

    async def asked(
        self,
        run: Run,
        *arguments: str,
        prompt: bytes,
        answer: Callable[[], Awaitable[Secret]],
        item: str = "",
        environ: Mapping[str, str | None] | None = None,
    ) -> Secret:
        """Run it, answer what it asks on a terminal, and return what it wrote.

        :param prompt: the pattern of what it asks with.
        :param answer: gives the answer, if it does ask.
        :raises Locked: if it asks again.
        """
        try:
            done = await dialogue.run_and_answer(
                [self.path(run), *arguments],
                timeout=self.limit(run),
                environ=_with(run.environ, environ),
                prompt=prompt,
                answer=answer,
                limit=READ_LIMIT,
            )
        except output.TooMuch:
            raise self.long(READ_LIMIT, item) from None
        except TimeoutError:
            raise self.slow(run, item) from None
        if done is None:
            raise Locked(f"{self.title}: that was not the right one", f"try it with {self.name}")
        return self.read(done, item)

    def long(self, limit: int, item: str) -> SourceFailed:
        """The error for one that wrote too much."""
        return SourceFailed(
            f"{self.title} ({self.name}) wrote more than {limit >> 20} MiB for {escape(item)}",
            f"see what {self.name} writes by itself",
        )

    def slow(self, run: Run, item: str) -> SourceFailed:
        """The error for one that did not answer."""
        within = f"within {self.limit(run):.0f} s"
        return Unreachable(
            f"{self.title} ({self.name}) did not answer {within} for {escape(item)}",
            f"see whether {self.name} works by itself",
        )

    def read(self, done: output.Finished, item: str) -> Secret:
        """What a finished call wrote, or its failure as an error."""
        if done.status == 0:
            what = f"what {self.title} has for {escape(item)}"
            return text(done.stdout, what, f"a secret is a text: see what {self.name} writes")
        for pattern, kind, what, hint in self.failures:
            # What it said may hold a secret: it is kept in no variable.
            if re.search(pattern, done.stderr.decode("utf-8", "replace"), re.IGNORECASE):
                raise kind(
                    f"{self.title}: {what.format(item=escape(item))}",
                    hint.format(item=shell_quote(item)),
                )
        raise SourceFailed(
            f"{self.title} ({self.name}) failed with status {done.status} for {escape(item)}",
            f"see what {self.name} says by itself",
        )

    def parsed(self, said: Secret, read: Callable[[Any], T], item: str) -> T:
        """What *read* makes of the JSON that it wrote.

        :raises SourceFailed: if that is none, or has not the form that *read* expects.
        """
        failed = SourceFailed(
            f"{self.title} ({self.name}) wrote for {escape(item)} what cannot be read",
            f"see which version it is: {self.name} --version",
        )
        try:
            return read(json.loads(said))
        except SourceFailed as error:
            failed = error.with_traceback(None)  # a traceback may show what was read
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            pass
        raise failed

    async def unlocking(
        self,
        run: Run,
        attempt: Callable[[], Awaitable[T]],
        unlock: Callable[[str], Awaitable[None]],
        times: int = 3,
        alone: bool = False,
    ) -> T:
        """Try; if it is locked, have it unlocked, one after another, and try again.

        :param unlock: does it; it is told what was wrong with the last time.
        :param times: how often a person may be asked.
        :param alone: whether trying may have the person asked as well: then nobody else
            tries or unlocks anything before the first has succeeded.
        """
        alone = alone and run.person is not None and self.name not in run.asked
        while True:
            seen = run.opened.count(self.title)
            if not alone:
                with contextlib.suppress(Locked):
                    return await attempt()
            async with run.after(run.turns.take()):
                if run.opened.count(self.title) > seen or (alone and self.name in run.asked):
                    alone = False
                    continue  # another was before this one: try beside the others
                if alone:
                    with contextlib.suppress(Locked):
                        return await attempt()
                return await self._unlocked(run, attempt, unlock, times)

    async def _unlocked(
        self,
        run: Run,
        attempt: Callable[[], Awaitable[T]],
        unlock: Callable[[str], Awaitable[None]],
        times: int,
    ) -> T:
        wrong = ""
        for left in reversed(range(times)):
            try:
                await unlock(wrong)
                found = await attempt()
            except Locked as error:
                if not left or isinstance(error, Unasked):
                    raise
                wrong = "That was not the right one."
            except (NoItem, NoField, Ambiguous):
                run.opened.append(self.title)  # it could look
                raise
            else:
                run.opened.append(self.title)
                return found
        raise AssertionError("the last attempt raised")


def _with(environ: Mapping[str, str], more: Mapping[str, str | None] | None) -> Environ:
    """A program's environment: it speaks English, in which its failures are known.

    gettext and Qt heed ``LANGUAGE`` before the locale, whose encoding stays: a master
    password is read in it. gettext heeds none where the locale is C, which is English.
    """
    changed = {**environ, "LANGUAGE": "en", **(more or {})}
    return Environ({name: value for name, value in changed.items() if value is not None})


def operand(name: str) -> str:
    """Return a name for a program's command line.

    :raises BadReference: if the program would take it for an option, and give its help,
        say, for a secret.
    """
    if name.startswith("-"):
        raise BadReference(
            f"'{escape(name)}' would be taken for an option", "use the item's id, or rename it"
        )
    return name


def text(data: bytes, what: str, hint: str) -> Secret:
    """A program's output as text, without the one newline at its end.

    :raises SourceFailed: if it is none, or has a NUL byte in it.
    """
    try:
        return to_secret(data, limit=None, line_ends=("\n",))
    except NotASecret as error:
        data = b""  # a traceback may show locals
        raise SourceFailed(f"{what} {error}", hint) from None
