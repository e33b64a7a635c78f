"""What the password managers' programs have in common: run this, read that, know these failures."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from .. import concurrency, pinentry, processes, trust
from ..display import visible
from ..errors import BadReference, SourceFailed
from ..keychain import Keeper
from ..redacted import Environment, Secret

__all__ = [
    "Ambiguous",
    "Locked",
    "NoField",
    "NoItem",
    "NotInstalled",
    "Program",
    "Run",
    "SignedOut",
    "Source",
    "Unasked",
    "Unreachable",
    "operand",
    "text",
]

T = TypeVar("T")

#: How long a program may take, in seconds, that asks nobody.
MACHINE = 30.0


class NotInstalled(SourceFailed):
    """The password manager's program is not there."""


class SignedOut(SourceFailed):
    """The password manager is there, and nobody is logged in to it."""


class Locked(SourceFailed):
    """The vault is locked, and was not unlocked."""


class Unasked(Locked):
    """It is locked, and nobody may be asked."""


class NoItem(SourceFailed):
    """There is no such item."""


class NoField(SourceFailed):
    """The item has no such field."""


class Ambiguous(SourceFailed):
    """Several items match."""


class Unreachable(SourceFailed):
    """The password manager needs the network, or another program, and does not get it."""


class Source(Protocol):
    """A kind of place that secrets come from: a module of this folder, or another's object."""

    @property
    def title(self) -> str:
        """What people call it: ``"LastPass"``."""

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the fields of an item: of *fields* those that it has, and its user name.

        They are named ``password``, ``username``, and as the manager names the others.

        :param path: what stands after ``scheme://``.
        :param fields: the names of the wanted ones; ``""`` is the password.
        :raises SourceFailed: if it cannot.
        """


@dataclass(frozen=True)
class Run:
    """What the sources of one run share.

    :param environ: the environment that secretly was started with.
    :param person: how long a person may take, in seconds; None: nobody may be asked.
    :param setting: the pinentry that is configured.
    :param keychain: the keychain.
    """

    environ: Mapping[str, str]
    person: float | None = None
    setting: str | None = None
    keychain: Keeper | None = None
    #: Master passwords and sessions, for this run alone.
    kept: dict[Hashable, Secret] = field(default_factory=dict, repr=False)
    turns: concurrency.Turns = field(default_factory=concurrency.Turns, repr=False)
    #: What was unlocked in this run.
    opened: list[str] = field(default_factory=list, repr=False)
    _finding: dict[Hashable, concurrency.Turns] = field(default_factory=dict, repr=False)

    async def once(self, key: Hashable, find: Callable[[], Awaitable[str]]) -> Secret:
        """What *find* gives, which is kept until the end of the run."""
        async with self._finding.setdefault(key, concurrency.Turns()).one():
            if key not in self.kept:
                self.keep(key, await find())
            return self.kept[key]

    def keep(self, key: Hashable, value: str) -> None:
        """Keep a session until the end of the run."""
        self.kept[key] = Secret(value)

    def must_ask(self, what: str, hint: str) -> float:
        """How long a person may take.

        :raises Locked: if nobody may be asked.
        """
        if self.person is None:
            raise Unasked(f"{what}, and nobody may be asked", hint)
        return self.person

    async def typed(self, prompt: str, purpose: str, error: str = "", hint: str = "") -> Secret:
        """What the person types at a prompt.

        :param prompt: the few words before the entry field.
        :param purpose: what it is for.
        :param error: what was wrong with the last answer.
        :raises Locked: if nobody may be asked.
        """
        seconds = self.must_ask(purpose, hint or "unlock it first")
        text = f"{purpose}, and a secret in it is needed."
        asked = pinentry.Prompt("secretly", text, prompt, error)
        return await pinentry.ask(asked, seconds, self.environ, self.setting)

    @contextlib.asynccontextmanager
    async def attention(self, purpose: str, hint: str) -> AsyncIterator[Mapping[str, str]]:
        """Have the person's attention, for a program that asks by itself.

        :returns: variables that tell it where to ask.
        :raises Locked: if nobody may be asked.
        """
        seconds = self.must_ask(purpose, hint)
        async with pinentry.elsewhere(self.environ, seconds) as variables:
            yield variables


Failure = tuple[str, type[SourceFailed], str, str]


@dataclass(frozen=True)
class Program:
    """A password manager's program.

    :param title: what people call the manager.
    :param name: the program.
    :param failures: how it says what went wrong: a pattern of its stderr, the error, what
        happened (``{item}`` is replaced), and the command that would mend it.
    :param asks: whether it may ask the person by itself: then it has the person's time.
    """

    title: str
    name: str
    failures: Sequence[Failure] = ()
    asks: bool = False

    def path(self, run: Run) -> str:
        """Where the program is.

        :raises NotInstalled: if it is not.
        """
        found = trust.program_on_path(self.name, run.environ)
        if found is None:
            raise NotInstalled(
                f"{self.title}'s program {self.name} is not installed",
                f"install it, so that {self.name} is on PATH",
            )
        return str(found)

    def limit(self, run: Run) -> float:
        """How long it may take, in seconds."""
        if run.person is None:
            return MACHINE
        return run.person if self.asks else min(MACHINE, run.person)

    async def call(
        self,
        run: Run,
        *arguments: str,
        item: str = "",
        stdin: str = "",
        environ: Mapping[str, str | None] | None = None,
    ) -> Secret:
        """Run it and return what it wrote.

        :param item: what is sought, for the messages.
        :param environ: more variables for it; None takes one away.
        :raises SourceFailed: if it fails, hangs, or writes what is no text.
        """
        argv = [self.path(run), *arguments]
        try:
            done = await processes.output(
                argv,
                seconds=self.limit(run),
                environ=_with(run.environ, environ),
                stdin=stdin.encode("utf-8", "surrogateescape"),
                session=run.person is None,  # with no terminal it cannot ask
            )
        except TimeoutError:
            raise self.slow(run) from None
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
            done = await processes.dialogue(
                [self.path(run), *arguments],
                seconds=self.limit(run),
                environ=_with(run.environ, environ),
                prompt=prompt,
                answer=answer,
            )
        except TimeoutError:
            raise self.slow(run) from None
        if done is None:
            raise Locked(f"{self.title}: that was not the right one", f"try it with {self.name}")
        return self.read(done, item)

    def slow(self, run: Run) -> SourceFailed:
        """The error for one that did not answer."""
        return Unreachable(
            f"{self.title} ({self.name}) did not answer within {self.limit(run):.0f} s",
            f"see whether {self.name} works by itself",
        )

    def read(self, done: processes.Finished, item: str) -> Secret:
        """What a finished call wrote, or its failure as an error."""
        if done.status == 0:
            return text(done.stdout, f"what {self.title} has for {visible(item)}")
        for pattern, kind, what, hint in self.failures:
            # What it said may hold a secret: it is kept in no variable.
            if re.search(pattern, done.stderr.decode("utf-8", "replace"), re.IGNORECASE):
                raise kind(
                    f"{self.title}: {what.format(item=visible(item))}",
                    hint.format(item=shlex.quote(visible(item))),
                )
        raise SourceFailed(
            f"{self.title} ({self.name}) failed with status {done.status} for {visible(item)}",
            f"see what {self.name} says by itself",
        )

    def parsed(self, said: Secret, read: Callable[[Any], T], item: str) -> T:
        """What *read* makes of the JSON that it wrote.

        :raises SourceFailed: if that is none, or has not the form that *read* expects.
        """
        failed = SourceFailed(
            f"{self.title} ({self.name}) wrote for {visible(item)} what cannot be read",
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
    ) -> T:
        """Try; if it is locked, have it unlocked, one after another, and try again.

        :param unlock: does it; it is told what was wrong with the last time.
        :param times: how often a person may be asked.
        """
        while True:
            seen = len(run.opened)
            with contextlib.suppress(Locked):
                return await attempt()
            async with run.turns.one():
                if len(run.opened) > seen:
                    continue  # another has unlocked it meanwhile: try beside the others
                found = await _unlocked(attempt, unlock, times)
                run.opened.append(self.title)
                return found


async def _unlocked(
    attempt: Callable[[], Awaitable[T]], unlock: Callable[[str], Awaitable[None]], times: int
) -> T:
    wrong = ""
    for left in reversed(range(times)):
        try:
            await unlock(wrong)
            return await attempt()
        except Locked as error:
            if not left or isinstance(error, Unasked):
                raise
        wrong = "That was not the right one."
    raise AssertionError("the last attempt raised")


def _with(environ: Mapping[str, str], more: Mapping[str, str | None] | None) -> Environment:
    changed = {**environ, **(more or {})}
    return Environment({name: value for name, value in changed.items() if value is not None})


def operand(name: str) -> str:
    """Return a name for a program's command line.

    :raises BadReference: if the program would take it for an option, and give its help,
        say, for a secret.
    """
    if name.startswith("-"):
        raise BadReference(
            f"'{visible(name)}' would be taken for an option", "use the item's id, or rename it"
        )
    return name


def text(data: bytes, what: str) -> Secret:
    """A program's output as text, without the one newline at its end.

    :raises SourceFailed: if it is none, or has a NUL byte in it.
    """
    wrong = "has a NUL byte in it"
    if b"\0" not in data:
        try:
            return Secret(data.decode("utf-8").removesuffix("\n"))
        except UnicodeDecodeError:
            wrong = "is not UTF-8 text"
    data = b""  # a traceback may show locals
    raise SourceFailed(f"{what} {wrong}", "a secret is a text")
