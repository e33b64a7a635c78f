"""Command lines as clap reads them, the parser of uv and maturin.

It takes no abbreviations. ``--option=`` and ``-x=`` give an empty value. An option with one value
may be given once before the subcommand, and once after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...config.invocation import Words
from ..options import Options, invalid, misread, unknown_option, with_value, without_value

#: An option that was read, and its value.
_Read = tuple[str, str | None]


class Part(NamedTuple):
    """Words of a command line that belong together: an option with its value, or a cluster.

    :param words: as they were typed.
    :param options: the options in them; none in another word.
    """

    words: tuple[str, ...]
    options: tuple[_Read, ...] = ()


#: After this, all words are arguments.
_END = Part(("--",), (("--", None),))


class Clap(NamedTuple):
    """A tool's parser.

    :param tool: the tool's name, for errors.
    :param options: the options that may stand before the subcommand and after it.
    :param subcommands: the further options of each subcommand that is read to its end.
    :param repeated: the options with a value that may be given more than once.
    """

    tool: str
    options: Options
    subcommands: Mapping[str, Options]
    repeated: frozenset[str] = frozenset()

    def read(self, arguments: Sequence[str]) -> Words:
        """Read the arguments. The options have the names by which the adapter knows them.

        :raises Refused: for an unknown option, and for what the tool itself refuses.
        """
        found: list[_Read] = []
        words: list[str] = []
        before = None
        for part in self._parts(arguments):
            if not part.options:
                before = len(found) if before is None else before
                words += part.words
            elif part is not _END:
                found += part.options
        before = len(found) if before is None else before
        for options in (found[:before], found[before:]):  # those after the subcommand count
            self._refuse_repeated(options)
        return Words(found, words, before)

    def before(self, arguments: Sequence[str]) -> int:
        """How many arguments come before the subcommand."""
        count = 0
        for part in self._parts(arguments):
            if not part.options:
                break
            count += len(part.words)
        return count

    def rewrite(
        self, arguments: Sequence[str], without: Collection[str], adding: Sequence[str]
    ) -> tuple[str, ...]:
        """The arguments without some options, and with others as the last ones.

        :param without: the names of options that take a value, or have no short name.
        """
        kept: list[str] = []
        end = None
        for part in self._parts(arguments):
            if part is _END:
                end = len(kept)
            others = [name for name, _ in part.options if name not in without]
            if len(others) == len(part.options):
                kept += part.words
            elif others:  # the flags of a cluster, before the option that is left out
                kept.append(part.words[0][: len(others) + 1])
        end = len(kept) if end is None else end
        return (*kept[:end], *adding, *kept[end:])

    def _parts(self, arguments: Sequence[str]) -> Iterator[Part]:
        rest, known, subcommand = list(arguments), self.options, ""
        while rest:
            word = rest.pop(0)
            if word == "--":
                if not subcommand:
                    raise misread(self.tool, word, "leave it out")
                yield _END
                yield from (Part((name,)) for name in rest)
                return
            if word.startswith("-") and word != "-":
                yield (self._long if word.startswith("--") else self._short)(word, rest, known)
                continue
            yield Part((word,))
            if not subcommand:
                subcommand = word
                if word not in self.subcommands:  # its options are its own
                    yield from (Part((name,)) for name in rest)
                    return
                known |= self.subcommands[word]

    def _long(self, word: str, rest: list[str], known: Options) -> Part:
        """Read ``--option``, ``--option=value`` or ``--option value``."""
        name, equals, value = word.partition("=")
        option = known.get(name)
        if option is None:
            raise unknown_option(self.tool, name)
        if not option.takes_value:
            if equals:
                raise with_value(self.tool, name)
            return Part((word,), ((option.name, None),))
        if equals:
            return Part((word,), ((option.name, value),))
        value = self._value(name, rest)
        return Part((word, value), ((option.name, value),))

    def _short(self, word: str, rest: list[str], known: Options) -> Part:
        """Read a short option or a cluster: ``-tx``, ``-t=x``, ``-t x``, ``-qtx``."""
        found: list[_Read] = []
        for position, letter in enumerate(word[1:], 2):
            option = known.get(f"-{letter}")
            if option is None:
                raise unknown_option(self.tool, word[:2] if position == 2 else f"-{letter}")
            if not option.takes_value:
                found.append((option.name, None))
                continue
            if attached := word[position:]:
                value = attached.removeprefix("=")
                return Part((word,), (*found, (option.name, value)))
            value = self._value(f"-{letter}", rest)
            return Part((word, value), (*found, (option.name, value)))
        return Part((word,), tuple(found))

    def _value(self, option: str, rest: list[str]) -> str:
        """The argument after an option, which may not look like an option itself."""
        if not rest or (rest[0].startswith("-") and rest[0] != "-"):
            raise without_value(self.tool, option, f"{option}=VALUE")
        return rest.pop(0)

    def _refuse_repeated(self, found: Sequence[_Read]) -> None:
        seen: set[str] = set()
        for name, value in found:
            if value is None or name in self.repeated:
                continue
            if name in seen:
                raise invalid(f"{self.tool} takes this option only once", name, "give it once")
            seen.add(name)
