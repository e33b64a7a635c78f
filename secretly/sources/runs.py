"""The state that the sources of one run share, and the items that they return."""

from __future__ import annotations

import time

from ..config.asking_limits import AskingLimits
from ..errors import NoPinentry, SourceFailed
from ..redacted import NotASecret, Secret, to_secret
from ..text import escape
from ..waiting import tasks
from ..waiting.blocks import asynccontextmanager
from ..waiting.turns import Turns
from .failures import NoField, Unasked

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Self, TypeVar

    from ..keeping.store import SecretStore

    T = TypeVar("T")

__all__ = ["Item", "Run"]

#: The names of an item's default field, in the order in which they are tried.
_PASSWORD = ("password", "credential")


class _DataclassFields:
    """The fields of :class:`Run`, for those who call ``dataclasses.replace`` with one.

    It was a dataclass in 1.0, and tests of other packages' sources do so. To import dataclasses
    takes longer than the rest of a run with a source: so this loads it when it is asked.
    """

    def __get__(self, run: Run | None, owner: type[Run]) -> Any:
        import dataclasses

        made: Any = dataclasses.make_dataclass(owner.__name__, vars(run or owner({})))
        return made.__dataclass_fields__


class Run:
    """The state that the sources of one run share.

    :param environ: the environment that secretly was started with.
    :param prompt_timeout: how long the user may take to answer a prompt, in seconds; None: secretly
        must not ask. ``person`` is its first name, and still works.
    :param setting: the configured pinentry.
    :param keychain: the keychain.
    """

    __dataclass_fields__ = _DataclassFields()

    def __init__(
        self,
        environ: Mapping[str, str],
        prompt_timeout: float | None = None,
        setting: str | AskingLimits | None = None,
        keychain: SecretStore | None = None,
        **shared: Any,
    ) -> None:
        self.environ, self.setting, self.keychain = environ, setting, keychain
        self.prompt_timeout: float | None = shared.pop("person", prompt_timeout)
        #: Master passwords and the managers' own session keys, for this run only.
        self.kept: dict[Hashable, Secret] = {}
        #: Only one vault is unlocked at a time.
        self.turns = Turns()
        #: The title of a manager, once for each time that it was unlocked in this run.
        self.opened: list[str] = []
        #: The programs that had their chance to ask the user in this run.
        self.asked: set[str] = set()
        #: How long one item may take. Waiting for a turn does not count.
        self.clock = tasks.Clock()
        #: When the whole run must end: a time of the monotonic clock, in seconds.
        self.until = float("inf")
        #: Called while a program works: loads what is needed next.
        self.meanwhile: Callable[[], None] = _nothing
        #: Returns the line that says who asks, for a prompt of this run.
        self.wanted_by: Callable[[], str] = str
        self._finding: dict[Hashable, Turns] = {}
        vars(self).update(shared)  # a copy's, from the run that it is a copy of

    def __repr__(self) -> str:
        values = (self.environ, self.prompt_timeout, self.setting, self.keychain)
        return f"Run({', '.join(map(repr, values))})"

    @property
    def person(self) -> float | None:
        """The first name of ``prompt_timeout``, which other packages' sources may use."""
        return self.prompt_timeout

    def _replace(self, **changes: Any) -> Self:
        """Return a copy with some attributes changed; the copy shares what the run keeps."""
        if unknown := changes.keys() - vars(self).keys() - {"person"}:
            raise TypeError(f"Run has no {', '.join(sorted(unknown))}")
        return type(self)(**{**vars(self), **changes})

    @asynccontextmanager
    async def off_the_clock(self, turn: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
        """Take a turn. The time until the turn comes is not this item's time."""
        from contextlib import AsyncExitStack  # few programs ask

        async with AsyncExitStack() as held:
            with self.clock.stopped():
                given = await held.enter_async_context(turn)
            yield given

    async def once(self, key: Hashable, find: Callable[[], Awaitable[str]]) -> Secret:
        """Return the result of *find*, which is called only once in this run."""
        async with self._finding.setdefault(key, Turns()).take():
            if key not in self.kept:
                self.keep(key, await find())
            return self.kept[key]

    def keep(self, key: Hashable, value: str) -> None:
        """Keep a session key or a master password until the end of the run."""
        self.kept[key] = Secret(value)

    def at_most(self, seconds: float) -> float:
        """Return how many of these seconds are left before the whole run must end."""
        return max(0.0, min(seconds, self.until - time.monotonic()))

    @property
    def attended(self) -> bool:
        """Whether the user may see a prompt that a program shows itself."""
        from ..asking import choosing

        place = choosing.surroundings(self.environ, self.setting)
        seen = place.foreground or place.display or choosing.notebook_kernel() is not None
        return self.prompt_timeout is not None and seen

    def must_ask(self, what: str, hint: str) -> float:
        """Return how long the user may take to answer, in seconds.

        :raises Locked: if secretly must not ask.
        """
        if self.prompt_timeout is None:
            raise Unasked(f"{what}, and secretly may not ask you", hint)
        return self.at_most(self.prompt_timeout)

    async def typed(self, prompt: str, purpose: str, error: str = "", hint: str = "") -> Secret:
        """Ask the user, and return the text that they typed.

        :param prompt: the label of the entry field.
        :param purpose: why secretly asks: ``"Bitwarden is locked"``.
        :param error: what was wrong with the last answer.
        :param hint: the command that unlocks the vault, for the error.
        :raises Locked: if secretly must not ask, or can't.
        """
        from ..asking import prompting, questions, wording

        hint = hint or "unlock it first"
        self.must_ask(purpose, hint)
        text = wording.unlock_text(purpose, self.wanted_by())
        asked = questions.Prompt(wording.TITLE, text, prompt, error)
        seconds, environ = self.prompt_timeout or 0.0, self.environ
        try:
            with self.clock.stopped():
                return await prompting.ask(asked, seconds, environ, self.setting, until=self.until)
        except NoPinentry as why:
            raise Unasked(f"{purpose}, and {why}", f"{hint}, or {why.hint}") from None

    @asynccontextmanager
    async def attention(self, purpose: str, hint: str) -> AsyncIterator[Mapping[str, str]]:
        """Wait for a turn, for a program that asks the user itself.

        Nothing else asks the user until the end of the block.

        :param purpose: why the program asks: ``"gpg's passphrase is needed"``.
        :param hint: the command that unlocks the vault, for the error.
        :returns: variables that tell the program where to ask.
        :raises Locked: if the program must not ask.
        """
        from ..asking import prompting

        seconds = self.must_ask(purpose, hint)
        turn = prompting.turn_for_program(self.environ, seconds, setting=self.setting)
        async with self.off_the_clock(turn) as variables:
            yield variables

    @asynccontextmanager
    async def turn(self, program: str = "") -> AsyncIterator[Mapping[str, str]]:
        """Wait for a turn, for a program that may ask the user itself.

        Where secretly must not ask, the program starts without a turn.

        :param program: the program's name, if it asks at most once in a run: only its first
            call needs a turn.
        :returns: variables that tell the program where to ask.
        """
        from contextlib import AsyncExitStack

        from ..asking import prompting

        async with AsyncExitStack() as turn:
            variables: Mapping[str, str] = {}
            if self.prompt_timeout is not None and program not in self.asked:
                seconds = self.at_most(self.prompt_timeout)
                waits = prompting.turn_for_program(
                    self.environ, seconds, asking=False, setting=self.setting
                )
                variables = await turn.enter_async_context(self.off_the_clock(waits))
                if program in self.asked:
                    await turn.aclose()
            yield variables
            if program:
                self.asked.add(program)


def _nothing() -> None:
    """Load nothing."""


class Item(dict[str, str]):
    """The fields of an item. Its repr shows no value."""

    @classmethod
    def of(cls, fields: Mapping[Any, Any]) -> Item:
        """Return the fields whose name and value are text: JSON has others."""
        both = fields.items()
        return cls({k: v for k, v in both if isinstance(k, str) and isinstance(v, str)})

    def __repr__(self) -> str:
        return f"<item with {len(self)} fields>"

    def called(self, *names: str) -> str | None:
        """Return the value of the first of these names that a field has, whatever its case."""
        known = {name.casefold(): name for name in reversed(self)}
        return next((self[known[name]] for name in names if name in known), None)

    @property
    def username(self) -> str | None:
        """The item's user name, or None."""
        return self.called("username") or None

    def chosen(self, field: str, title: str, path: str) -> Secret:
        """Return the value of a field. The default field is the password, else the credential.

        1Password's items of the kind 'API Credential' have a credential and no password.

        :raises NoField: with the names of the fields that the item has, never their values.
        """
        names = {name.casefold(): name for name in reversed(self)}  # the first of each name counts
        has = ", ".join(_shown(name) for name, value in self.items() if value) or "none"
        for name in (field,) if field.casefold() not in ("", "password") else _PASSWORD:
            found = names.get(name.casefold())
            if found is not None and self[found]:
                return _checked(Secret(self[found]), title, path)
            if found is not None:  # no other field takes its place
                raise NoField(
                    f"{title}: the field '{_shown(found)}' of {escape(path)} is empty",
                    f"its fields with a value: {has}",
                )
        raise NoField(
            f"{title}: {escape(path)} has no field '{_shown(field or 'password')}'",
            f"its fields: {has}",
        )


def _shown(name: str) -> str:
    """Return a field's name. 1Password's own form of it has a slash before it here."""
    return escape(name.removeprefix("/"))


def _checked(value: Secret, title: str, path: str) -> Secret:
    """Refuse a value that no variable can hold: JSON can hold more."""
    try:
        return to_secret(value, limit=None)
    except NotASecret as error:
        raise SourceFailed(
            f"the value in {title} for {escape(path)} {error}",
            "store the secret there as plain text",
        ) from None
