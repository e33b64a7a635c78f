"""The command line of a known command: its words, and whether it needs the secret."""

from __future__ import annotations

from ..record import Record, computed
from .known_commands import ALIASED, OPTIONS

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Set

    from .launchers import Start
    from .model import Command

__all__ = ["Invocation", "Words", "parse_words"]

#: Flags whose name begins that of an option with a value: argparse prefers the exact name.
_FLAGS = frozenset({"--sign"})


class Words(Record):
    """The arguments of a command, parsed.

    :param options: each option with its value, or None if it has no value.
    :param words: the other arguments, in order.
    :param before: how many of the options come before the first word.
    """

    options: list[tuple[str, str | None]]
    words: list[str]
    before: int = 0

    def last(self, names: Sequence[str]) -> str | None:
        """The value of the last option in *names*."""
        found = [value for name, value in self.options if name in names and value is not None]
        return found[-1] if found else None

    def has(self, names: Sequence[str]) -> bool:
        """Whether an option in *names* is given."""
        return any(name in names for name, _ in self.options)


class Invocation(Record):
    """A command line of a known command.

    :param row: the known command.
    :param arguments: the arguments after the command's own name.
    :param launching: what starts the command: the name of each launcher, with its own arguments.
    :param started: the word that each of them starts, as it was typed.
    :param why_needs_none: why this call needs no secret although its subcommand does; empty if it
        may need one.
    """

    row: Command
    arguments: tuple[str, ...]
    launching: tuple[tuple[str, Sequence[str]], ...] = ()
    started: tuple[str, ...] = ()
    why_needs_none: str = ""

    @computed
    def starts(self) -> tuple[Start, ...]:
        """What starts the command: each launcher as it is called."""
        from .launchers import PLAIN, Start, skip_options, values_of

        found = []
        for (name, arguments), word in zip(self.launching, self.started, strict=True):
            if name in PLAIN:
                pairs = [(part[0], part[2]) for part in (one.partition("=") for one in arguments)]
                found.append(Start(name, pairs if name == "env" else (), word))
                continue
            values = values_of(name)
            called, rest = [name], list(arguments)
            while rest := skip_options(rest, values):
                called.append(rest.pop(0))
            found.append(Start(" ".join(called), parse_words(arguments, values).options, word))
        return tuple(found)

    @property
    def is_module(self) -> bool:
        """Whether it starts as a module of Python: ``python -m twine``, ``uv run -m twine``."""
        name, arguments = self.launching[-1] if self.launching else ("", ())
        return name.startswith("py") or not {"-m", "--module"}.isdisjoint(arguments)

    @computed
    def parsed(self) -> Words:
        """The arguments as the command's own parser reads them."""
        values = (*self.row.values, *OPTIONS.get(self.row.name, "").split())
        return parse_words(self.arguments, {name for name in values if name.startswith("-")})

    @property
    def asks_help(self) -> bool:
        """Whether this call asks for help or for the version."""
        options, words = self.parsed.options, self.parsed.words
        # -h must be an argument of its own: Go's options have one dash, and an h in -method
        # does not ask for help.
        helped = ("-h", None) in options and not {"-h", "-help"}.isdisjoint(self.arguments)
        # After a subcommand --version may be anything, as in `cargo yank --version 1.0`.
        return (
            helped or ("--help", None) in options or (("--version", None) in options and not words)
        )

    @property
    def needs_secret(self) -> bool:
        """Whether this call needs the secret.

        It does if its subcommand does. A call for help or for the version never does.
        """
        if self.why_needs_none or self.asks_help:
            return False
        if not self.row.subcommands:
            # Only the first arguments count: in `glab -R login mr list`, login is a value.
            return not _beginning(self.arguments, self.row.exceptions)
        return self.subcommand != ""

    @property
    def may_be_alias(self) -> bool:
        """Whether the words may be the user's own name for a call that needs the secret."""
        return self.row.name in ALIASED and not (self.needs_secret or self.asks_help)

    @property
    def subcommand(self) -> str:
        """The subcommand of this call, if it is one that needs the secret; else empty."""
        words = self.parsed.words
        # `cargo +nightly publish`: the first word chooses rustup's toolchain.
        toolchain = bool(words) and words[0].startswith("+")
        return _beginning(words[toolchain:], self.row.subcommands)


def _beginning(words: Sequence[str], subcommands: Sequence[str]) -> str:
    """Which of *subcommands* the *words* start with; each may have several words."""
    for one in subcommands:
        wanted = one.split()
        if list(words[: len(wanted)]) == wanted:
            return one
    return ""


def parse_words(arguments: Sequence[str], values: Set[str]) -> Words:
    """Read arguments as getopt_long, argparse, click and clap do.

    :param values: the options that take a value. A long one may be abbreviated, as argparse
        allows.

    >>> parse_words(["-v", "upload", "-rtest", "--", "-x"], {"-r"}).words
    ['upload', '-x']
    """
    options: list[tuple[str, str | None]] = []
    words: list[str] = []
    before = None
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            words.extend(rest)
        elif word.startswith("--"):
            options.append(_long_option(word, rest, values))
        elif word.startswith("-") and word != "-":
            options.extend(_short_options(word, rest, values))
        else:
            before = len(options) if before is None else before
            words.append(word)
    return Words(options, words, len(options) if before is None else before)


def _long_option(word: str, rest: Iterator[str], values: Set[str]) -> tuple[str, str | None]:
    """Read ``--option``, ``--option=value`` or ``--option value``."""
    option, equals, value = word.partition("=")
    if option not in values and option not in _FLAGS:
        longer = [name for name in values if name.startswith(option)]
        option = longer[0] if len(longer) == 1 else option
    if option in values:
        return option, value if equals else next(rest, "")
    return option, value if equals else None


def _short_options(
    word: str, rest: Iterator[str], values: Set[str]
) -> Iterator[tuple[str, str | None]]:
    """Read a cluster such as ``-vrtest``, ``-vr=test`` or ``-vr test``."""
    for position, letter in enumerate(word[1:], 2):
        if f"-{letter}" in values:
            yield f"-{letter}", word[position:].removeprefix("=") or next(rest, "")
            return
        yield f"-{letter}", None
