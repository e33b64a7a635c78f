"""Command lines as nopt reads them, the parser of npm.

One dash is as good as two, a long option may be cut short, and options may be anywhere. The last
one counts. What the next word means depends on the option's kind, so the kind of each is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...config.invocation import Words
from ...errors import Refused
from ...text import escape
from ..options import invalid, misread, unknown_option, with_value, without_value

#: An option that was read, and its value; that of a flag is ``true`` or ``false``.
Read = tuple[str, str]

#: The words that nopt turns into something else than a text.
_SPECIAL = ("true", "false", "null", "undefined")

_BOOLEAN = {"true": True, "false": False}


class Kinds(NamedTuple):
    """The options of a tool, without their dashes.

    :param flags: those without a value, and with ``--no-``.
    :param values: those with a value.
    :param emptied: those of them that don't count with an empty value.
    :param choices: those that may have one of some values, after an equals sign; any value, if
        there are none.
    :param newer: those that only some versions have.
    :param short: what stands for other words: ``f`` for ``--force``.
    """

    flags: frozenset[str]
    values: frozenset[str]
    emptied: frozenset[str]
    choices: Mapping[str, tuple[str, ...]]
    newer: frozenset[str]
    short: Mapping[str, str]

    @property
    def all(self) -> frozenset[str]:
        """All of them that every version has."""
        return self.flags | self.values | self.choices.keys()

    def beginning_with(self, start: str) -> list[str]:
        """The options that any version could take this beginning for."""
        return [name for name in self.all | self.newer if name.startswith(start)]


class NoptPart(NamedTuple):
    """Words of a command line that belong together: an option with its value.

    :param words: as they were typed.
    :param options: the options in them; none in another word.
    """

    words: tuple[str, ...]
    options: tuple[Read, ...] = ()


#: After this, all words are arguments.
_END = NoptPart(("--",))


class Nopt(NamedTuple):
    """A tool's parser.

    :param tool: the tool's name, for errors.
    :param kinds: its options.
    :param open: options of any name like this take a value, which follows an equals sign.
    :param filled: a value of those that the tool itself replaces, and that the adapter knows.
    """

    tool: str
    kinds: Kinds
    open: re.Pattern[str]
    filled: re.Pattern[str]

    def read(self, arguments: Sequence[str]) -> Words:
        """Read the arguments. The options have two dashes and their full names.

        :raises Refused: for an unknown option, and for a form whose meaning is not certain.
        """
        found: list[tuple[str, str | None]] = []
        words: list[str] = []
        before = None
        for part in self._parts(arguments):
            if part.options:
                found += part.options
            elif part is not _END:
                before = len(found) if before is None else before
                words += part.words
        return Words(found, words, len(found) if before is None else before)

    def rewrite(
        self, arguments: Sequence[str], without: Callable[[str], bool], adding: Sequence[str]
    ) -> tuple[str, ...]:
        """The arguments without some options, and with others as the last ones.

        :param without: whether to leave out an option of that name.
        """
        kept: list[str] = []
        end = None
        for part in self._parts(arguments):
            end = len(kept) if part is _END else end
            if not (part.options and all(without(name) for name, _ in part.options)):
                kept += part.words
        end = len(kept) if end is None else end
        return (*kept[:end], *adding, *kept[end:])

    def _parts(self, arguments: Sequence[str]) -> Iterator[NoptPart]:
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            if word == "--":
                yield _END
                yield from (NoptPart((name,)) for name in rest)
                return
            if word.startswith("-") and word != "-":
                yield self._option(word, rest)
            else:
                yield NoptPart((word,))

    def _option(self, word: str, rest: list[str]) -> NoptPart:
        """Read an option. What it takes of the rest is taken away there."""
        typed, equals, value = word.partition("=")
        name = typed.lstrip("-")
        if self.open.fullmatch(name):
            if not self.filled.fullmatch(value):
                self._check_value(typed, value)
            return NoptPart((word,), ((f"--{name}", value),))
        if short := self._short(name):
            return self._shortened(word, short, rest)
        name, said = self._negated(name)
        name = self._full(name, typed)
        if name in self.kinds.choices:
            return self._choice(word, name, said, rest)
        if name in self.kinds.flags:
            return self._flag(word, name, said, rest)
        if not said:
            raise misread(self.tool, typed, "leave it out")
        if equals:
            if value or name not in self.kinds.emptied:
                self._check_value(typed, value)
            return NoptPart((word,), ((f"--{name}", value),))
        value = self._next(typed, rest)
        return NoptPart((word, value), ((f"--{name}", value),))

    def _short(self, name: str) -> list[str]:
        """What a short name stands for, or several of them in one word; empty for others."""
        short = self.kinds.short
        if name in self.kinds.all or not name:
            return []
        if name in short:
            return [short[name]]
        cluster = [short.get(letter, "") for letter in name]
        return cluster if all(cluster) else []

    def _shortened(self, word: str, stands_for: Sequence[str], rest: list[str]) -> NoptPart:
        """Read a short option, or a cluster of such flags."""
        typed, equals, value = word.partition("=")
        first, *others = stands_for
        if not others and " " not in first:
            part = self._option(f"{first}{equals}{value}", rest)
            return NoptPart((word, *part.words[1:]), part.options)
        if equals:
            raise with_value(self.tool, typed)
        options: list[Read] = []
        for long in stands_for:
            name, blank, value = long.partition(" ")
            if blank:
                options.append((name, value))
            elif (rest and rest[0] in _SPECIAL) or name[2:] in self.kinds.values:
                raise misread(self.tool, typed, "write each option as a word of its own")
            else:
                options += self._option(name, []).options
        return NoptPart((word,), tuple(options))

    def _negated(self, name: str) -> tuple[str, bool]:
        """The name without ``no-``, and whether it had none."""
        if not name.lower().startswith("no-"):
            return name, True
        rest = name[3:]
        if rest.lower().startswith("no-") or not name.startswith("no-"):
            raise unknown_option(self.tool, f"--{name}")
        return rest, False

    def _full(self, name: str, typed: str) -> str:
        """The full name of an option that may be cut short.

        :raises Refused: if it isn't certain which one that is.
        """
        if name in self.kinds.all:
            return name
        found = self.kinds.beginning_with(name) if name else []
        if len(found) != 1 or found[0] in self.kinds.newer:
            raise unknown_option(self.tool, typed)
        return found[0]

    def _flag(self, word: str, name: str, said: bool, rest: list[str]) -> NoptPart:
        typed, equals, value = word.partition("=")
        words: tuple[str, ...] = (word,)
        if equals:
            if value not in _BOOLEAN:
                raise with_value(self.tool, typed)
        elif rest and rest[0] in _SPECIAL:
            value = rest.pop(0)
            words = (word, value)
            if value not in _BOOLEAN:
                raise misread(self.tool, f"{typed} {value}", f"write {typed}=false")
        else:
            value = "true"
        true = _BOOLEAN[value] is said
        return NoptPart(words, ((f"--{name}", "true" if true else "false"),))

    def _choice(self, word: str, name: str, said: bool, rest: list[str]) -> NoptPart:
        """Read an option that is a flag, or has a value."""
        typed, equals, value = word.partition("=")
        wanted = self.kinds.choices[name]
        if equals and said and value and not value.startswith("-") and "${" not in value:
            if value in (wanted or (value,)):
                return NoptPart((word,), ((f"--{name}", value),))
        elif not equals and (not rest or rest[0].startswith("-")):
            return NoptPart((word,), ((f"--{name}", "true" if said else "false"),))
        raise misread(self.tool, typed, f"write --{name}=VALUE, or leave it out")

    def _next(self, option: str, rest: list[str]) -> str:
        """The argument after an option, which may not look like an option itself."""
        if not rest or rest[0].startswith("-"):
            raise without_value(self.tool, option, f"{option}=VALUE")
        self._check_value(option, rest[0])
        return rest.pop(0)

    def _check_value(self, option: str, value: str) -> None:
        """Refuse a value that is read as something else.

        :raises Refused: naming the option alone, because the value may be a password.
        """
        if not value:
            raise without_value(self.tool, option, f"{option}=VALUE")
        if "${" in value:
            raise Refused(
                f"{self.tool} replaces the variable in the value of {escape(option)} itself",
                "write the value, or let the shell replace the variable: remove the quotes",
            )
        if value.startswith("-") or value in _SPECIAL or value != value.strip():
            raise invalid(f"{self.tool} doesn't take this value as a text", option, "change it")
