"""Fetch the items that one run needs, each of them once."""

from __future__ import annotations

from ..errors import SecretlyError, SourceFailed
from ..redacted import Secret
from ..reference import Reference
from ..text import escape
from ..waiting import tasks, turns
from ..waiting.blocks import suppress
from . import programs
from .failures import Unreachable
from .registry import find
from .runs import Item, Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .source import Source


class Items:
    """The items that one run needs. Each is fetched once, however many of its fields are wanted.

    :param run: the state that the sources share.
    :param wanted: the references that this run will ask for.
    :param commands: the configured commands, by the names of their secrets.
    :param as_json: the names whose commands print a JSON object.
    """

    def __init__(
        self,
        run: Run,
        wanted: Sequence[Reference] = (),
        commands: Mapping[str, tuple[str, ...]] | None = None,
        as_json: Collection[str] = (),
    ) -> None:
        self._run, self._commands, self._as_json = run, commands or {}, as_json
        self._fields: dict[tuple[str, str], dict[str, None]] = {}
        self._turns: dict[tuple[str, str], turns.Turns] = {}
        self._found: dict[tuple[str, str], tuple[tuple[str, ...], Item]] = {}
        self._failed: dict[tuple[str, str], Exception] = {}
        for reference in wanted:
            with suppress(SecretlyError):  # get() raises it
                self._note(reference)

    def _note(self, reference: Reference) -> tuple[tuple[str, str], str]:
        """Note that a field of an item is wanted; return the item and the field."""
        path, field = reference.path, reference.field
        if reference.usual == "password":
            path, in_path = _parted(self._source(reference), (reference.scheme, path))
            field = in_path or field
        key = (reference.scheme, path)
        self._fields.setdefault(key, {})[field] = None
        return key, field

    async def get(self, reference: Reference) -> tuple[Secret, str | None]:
        """Return the secret that *reference* names, and the item's user name or None.

        :raises SourceFailed: if the source can't return the secret.
        :raises BadReference: if no source has the reference's scheme.
        """
        source = self._source(reference)
        key, field = self._note(reference)
        title = _title(source, key)
        item = await self._item(key, source)
        value = item.chosen(field, title, key[1])
        return value, item.username if field == reference.field else None

    def _source(self, reference: Reference) -> Source:
        if reference.scheme == "command" and reference.path in self._commands:
            from .command import CommandSource

            argv = self._commands[reference.path]
            return CommandSource(argv, reference.path in self._as_json)
        return find(reference.scheme)

    async def _item(self, key: tuple[str, str], source: Source) -> Item:
        async with self._turns.setdefault(key, turns.Turns()).take():
            if key in self._failed:
                raise self._failed[key]
            fields = tuple(self._fields[key])
            asked, item = self._found.get(key, ((), Item()))
            if asked != fields:  # the first time, or a field was not wanted the first time
                try:
                    item = await _fetched(source, key, fields, self._run)
                except SourceFailed as error:
                    self._failed[key] = error
                    raise
                self._found[key] = fields, item
            return item


def _title(source: Source, key: tuple[str, str]) -> str:
    """Return the source's title. One of another package may raise anything, or have none."""
    title = None
    try:
        title = source.title
    except KeyboardInterrupt:
        raise
    except BaseException:  # other people's code
        pass
    if not (isinstance(title, str) and title.strip()):
        raise _failed(key, "its title is missing")
    return title


def _parted(source: Source, key: tuple[str, str]) -> tuple[str, str]:
    """Split a path into the item's path and the field, if the source has such a form."""
    what = "parted() did not return two strings"
    try:
        part = getattr(source, "parted", None)
        path, field = (key[1], "") if part is None else part(key[1])
        if isinstance(path, str) and isinstance(field, str):
            return path, field
    except (SecretlyError, KeyboardInterrupt):
        raise
    except BaseException as error:  # other people's code
        what = type(error).__name__
    raise _failed(key, what)


#: How often a source may use up all the time that a program has, or the user.
_TRIES = 3


async def _fetched(source: Source, key: tuple[str, str], fields: tuple[str, ...], run: Run) -> Item:
    """Fetch an item. A source of another package may raise or return anything, or never end."""
    seconds = _TRIES * (programs.MACHINE_TIMEOUT + (run.prompt_timeout or 0))
    run = run._replace(clock=tasks.Clock(seconds))
    try:
        item, error = await tasks.run_with_deadline(_asked(source, key, fields, run), run.clock)
    except tasks.Overdue:
        item, error = None, _overdue(key, seconds)
    if item is not None:
        return item
    what = type(error).__name__
    if isinstance(error, SecretlyError):
        error = _named(error, key) if _worded(error) else None
    if not isinstance(error, (SecretlyError, KeyboardInterrupt)):
        error = _failed(key, what)
    raise error


async def _asked(source: Source, key: tuple[str, str], fields: tuple[str, ...], run: Run) -> Item:
    try:
        item = Item(await source.fetch(key[1], fields, run))
        if not all(isinstance(part, str) for pair in item.items() for part in pair):
            raise TypeError
        return item
    except SystemExit as error:  # asyncio would end the program
        what = type(error).__name__
    raise _failed(key, what)


def _called(key: tuple[str, str]) -> str:
    """Return an item's name in messages."""
    return escape(f"{key[0]}://{key[1]}" if key[0] != "command" else key[1])


def _worded(error: SecretlyError) -> bool:
    """Whether an error has a text and a hint. Another package may have made it in any way."""
    try:
        return bool(str(error).strip()) and isinstance(error.hint, str)
    except Exception:
        return False


def _named(error: SecretlyError, key: tuple[str, str]) -> SecretlyError | None:
    """Add a hint, and the item's name, to an error that lacks them. None: it takes no hint."""
    import re

    named = rf"(?<!\w){re.escape(escape(key[1]))}(?!\w)"
    failed = isinstance(error, SourceFailed)
    if failed and (not re.search(named, str(error)) or not error.hint):
        error.args = (f"{error} ({_called(key)})", *error.args[1:])
    if not error.hint:
        try:
            error.hint = _ELSEWHERE
        except AttributeError:  # another package's class may forbid it
            return None
    return error


#: What to do about a source that does not work.
_ELSEWHERE = "report this to the source's author, or use another source"


def _failed(key: tuple[str, str], what: str) -> SourceFailed:
    return SourceFailed(
        f"the source {key[0]}:// failed for {escape(key[1])}: {what}",
        _ELSEWHERE,
    )


def _overdue(key: tuple[str, str], seconds: float) -> SourceFailed:
    return Unreachable(
        f"the source {key[0]}:// did not answer within {seconds:.0f} s for {escape(key[1])}",
        _ELSEWHERE,
    )
