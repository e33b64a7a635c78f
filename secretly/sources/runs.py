"""What a source is, what those of one run share, and what they give."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ..asking import choosing, prompting, questions
from ..errors import NoPinentry, SourceFailed
from ..keeping.store import SecretStore
from ..redacted import NotASecret, Secret, to_secret
from ..text import escape
from ..waiting import tasks
from ..waiting.turns import Turns
from .failures import NoField, Unasked

__all__ = ["Item", "Run", "Source"]

T = TypeVar("T")

#: The names that the default field of an item has, in the order in which they are tried.
_PASSWORD = ("password", "credential")


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
    keychain: SecretStore | None = None
    #: Master passwords and sessions, for this run alone.
    kept: dict[Hashable, Secret] = field(default_factory=dict, repr=False)
    turns: Turns = field(default_factory=Turns, repr=False)
    #: What was unlocked in this run, and which programs that may ask have asked.
    opened: list[str] = field(default_factory=list, repr=False)
    asked: set[str] = field(default_factory=set, repr=False)
    _finding: dict[Hashable, Turns] = field(default_factory=dict, repr=False)
    #: How long one item may take; what is waited for in turn does not count.
    clock: tasks.Clock = field(default_factory=tasks.Clock, repr=False)

    @contextlib.asynccontextmanager
    async def after(self, turn: contextlib.AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
        """Have a turn, the wait for which is not this item's time."""
        async with contextlib.AsyncExitStack() as held:
            with self.clock.stopped():
                given = await held.enter_async_context(turn)
            yield given

    async def once(self, key: Hashable, find: Callable[[], Awaitable[str]]) -> Secret:
        """What *find* gives, which is kept until the end of the run."""
        async with self._finding.setdefault(key, Turns()).take():
            if key not in self.kept:
                self.keep(key, await find())
            return self.kept[key]

    def keep(self, key: Hashable, value: str) -> None:
        """Keep a session until the end of the run."""
        self.kept[key] = Secret(value)

    @property
    def attended(self) -> bool:
        """Whether somebody may see what a program asks by itself."""
        place = choosing.surroundings(self.environ)
        seen = place.foreground or place.display or choosing.notebook_kernel() is not None
        return self.person is not None and seen

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
        :raises Locked: if nobody may be asked, or nobody can be.
        """
        hint = hint or "unlock it first"
        seconds = self.must_ask(purpose, hint)
        text = f"{purpose}, and a secret in it is needed."
        asked = questions.Prompt("secretly", text, prompt, error)
        try:
            with self.clock.stopped():
                return await prompting.ask(asked, seconds, self.environ, self.setting)
        except NoPinentry as why:
            raise Unasked(f"{purpose}, and {why}", f"{hint}, or {why.hint}") from None

    @contextlib.asynccontextmanager
    async def attention(self, purpose: str, hint: str) -> AsyncIterator[Mapping[str, str]]:
        """Have the person's attention, for a program that asks by itself.

        :returns: variables that tell it where to ask.
        :raises Locked: if nobody may be asked.
        """
        seconds = self.must_ask(purpose, hint)
        async with self.after(prompting.turn_for_program(self.environ, seconds)) as variables:
            yield variables

    @contextlib.asynccontextmanager
    async def turn(self, program: str = "") -> AsyncIterator[Mapping[str, str]]:
        """Have the person's turn for a program that may ask by itself, if anybody may be asked.

        :param program: its name, if it is to be taken for one that asks no more once it has
            succeeded in this run: then the turn is for its first call.
        :returns: variables that tell it where to ask.
        """
        async with contextlib.AsyncExitStack() as turn:
            variables: Mapping[str, str] = {}
            if self.person is not None and program not in self.asked:
                waits = prompting.turn_for_program(self.environ, self.person, asking=False)
                variables = await turn.enter_async_context(self.after(waits))
                if program in self.asked:
                    await turn.aclose()
            yield variables
            if program:
                self.asked.add(program)


class Item(dict[str, str]):
    """The fields of an item, whose repr shows no value."""

    @classmethod
    def of(cls, fields: Mapping[Any, Any]) -> Item:
        """Those fields of which the name and the value are text: JSON has others."""
        both = fields.items()
        return cls({k: v for k, v in both if isinstance(k, str) and isinstance(v, str)})

    def __repr__(self) -> str:
        return f"<item with {len(self)} fields>"

    def called(self, *names: str) -> str | None:
        """The value of the first field that is called by the first of these names that there is."""
        known = {name.casefold(): name for name in reversed(self)}
        return next((self[known[name]] for name in names if name in known), None)

    @property
    def username(self) -> str | None:
        """The user name that it has, if any."""
        return self.called("username") or None

    def chosen(self, field: str, title: str, path: str) -> Secret:
        """The value of a field; of the default one, an API credential's if it has no password.

        :raises NoField: naming those that it has.
        """
        names = {name.casefold(): name for name in reversed(self)}  # the first of a name counts
        has = ", ".join(_shown(name) for name, value in self.items() if value) or "none"
        for name in (field,) if field.casefold() not in ("", "password") else _PASSWORD:
            found = names.get(name.casefold())
            if found is not None and self[found]:
                return _checked(Secret(self[found]), title, path)
            if found is not None:  # nothing else stands in for it
                raise NoField(
                    f"{title}: the field '{_shown(found)}' of {escape(path)} is empty",
                    f"its fields with a value: {has}",
                )
        raise NoField(
            f"{title}: {escape(path)} has no field '{_shown(field or 'password')}'",
            f"its fields: {has}",
        )


def _shown(name: str) -> str:
    """A field's name, without the slash that 1Password's own form of it begins with here."""
    return escape(name.removeprefix("/"))


def _checked(value: Secret, title: str, path: str) -> Secret:
    """A value that can be handed over: JSON can hold what no variable can."""
    try:
        return to_secret(value, limit=None)
    except NotASecret as error:
        raise SourceFailed(
            f"what {title} has for {escape(path)} {error}", "a secret is a text"
        ) from None
