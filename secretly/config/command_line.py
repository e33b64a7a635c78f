"""Command lines: which known command one is, and what its words say."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence, Set

from ..errors import Refused, SecretlyError
from ..record import Record
from ..text import escape
from .model import Command, Configuration, Profile

__all__ = ["Invocation", "NoProfile", "Words", "chosen_profile", "recognize"]

# Options of the launchers that take a value in the following argument.
_PYTHON = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_UV = frozenset(
    "--extra --no-extra --group --no-group --only-group --no-editable-package --env-file -w --with "
    "--with-editable --with-requirements --package --python-platform --index --default-index -i "
    "--index-url --extra-index-url -f --find-links --index-strategy --keyring-provider -P "
    "--upgrade-package --upgrade-group --resolution --prerelease --prerelease-package "
    "--fork-strategy --exclude-newer --exclude-newer-package --no-sources-package "
    "--reinstall-package --link-mode -C --config-setting --config-settings-package "
    "--no-build-isolation-package --no-build-package --no-binary-package --cache-dir "
    "--refresh-package -p --python --color --allow-insecure-host --directory --project "
    "--config-file --from -c --constraints -b --build-constraints --overrides "
    "--torch-backend".split()
)
_PIPX = frozenset(
    "--spec --python --pip-args --index-url -i --with --backend --fetch-python".split()
)
# Of poetry, pdm and hatch, before and after their `run`.
_RUNNERS = frozenset(
    "-C --directory -P --project -p -c --config -e --env --data-dir --cache-dir".split()
)
# Flags whose name begins that of an option with a value: argparse takes a whole name first.
_FLAGS = frozenset({"--sign"})


class NoProfile(SecretlyError):
    """The profile that was named does not exist."""


class Words(Record):
    """The arguments of a command, taken apart.

    :param options: each option with its value, None where it has none.
    :param words: what is no option, in order.
    :param before: how many of the options stand before the first word.
    """

    options: list[tuple[str, str | None]]
    words: list[str]
    before: int = 0

    def last(self, names: Sequence[str]) -> str | None:
        """The value of the last option that is one of *names*."""
        found = [value for name, value in self.options if name in names and value is not None]
        return found[-1] if found else None

    def has(self, names: Sequence[str]) -> bool:
        """Whether there is an option that is one of *names*."""
        return any(name in names for name, _ in self.options)


class Invocation(Record):
    """A command line that is known.

    :param row: what is known of the command.
    :param arguments: what follows the command's own name.
    :param launching: what starts it: each launcher's name, with its own options and words.
    """

    row: Command
    arguments: tuple[str, ...]
    launching: tuple[tuple[str, Sequence[str]], ...] = ()

    @property
    def launcher(self) -> str:
        """What of a project starts it: ``"uv run"``."""
        return next((name for name, _ in self._launchers() if name in _PROJECTS_OWN), "")

    def steered(self, environ: Mapping[str, str]) -> str:
        """What starts it, and with which option or variable it does so in another folder, or
        with other variables, than can be seen here."""
        for name, options in self._launchers():
            steering = _LAUNCHERS[name]
            found = [part for part in options if part.startswith(steering)]
            found += [part for part in steering if environ.get(part)]
            if found:
                return f"{name} with {found[0]}"
        return ""

    def _launchers(self) -> Iterator[tuple[str, list[str]]]:
        """Each that is known, and its options."""
        for name, own in self.launching:
            called, rest = [name], list(own)
            while rest := _after(rest, _UV if name in ("uv", "uvx") else _RUNNERS):
                called.append(rest.pop(0))
            if " ".join(called) in _LAUNCHERS:
                yield " ".join(called), [part.partition("=")[0] for part in own]

    def parsed(self) -> Words:
        """The arguments as the command's own parser would read them."""
        index, files = self.row.index, self.row.files
        values, flags = set(self.row.values), set(_FLAGS)
        if index is not None:
            values.update(index.name_options, index.url_options, index.folder_options)
            values.update(index.project_options, index.pypirc_options)
            flags.update(index.no_settings_options)
        if files is not None:
            values.update(files.folder_options, files.manifest_options, files.elsewhere_options)
            flags.update(files.build_options, files.no_build_options)
        values = {name for name in values if name.startswith("-")}
        return parse_words(self.arguments, values, flags)

    @property
    def needs_secret(self) -> bool:
        """Whether its subcommand is one that needs the secret: to ask for help needs none."""
        taken = self.parsed()
        options, words = taken.options, taken.words
        # By itself: Go's own options have one dash, and an h in -method is none.
        helped = ("-h", None) in options and not {"-h", "-help"}.isdisjoint(self.arguments)
        # Not `cargo yank --version 1.0`: with a subcommand it may be anything.
        if helped or ("--help", None) in options or (("--version", None) in options and not words):
            return False
        if not self.row.subcommands:
            # Not the first word: `glab -R login mr list` has an option's value there.
            return not _begins(self.arguments, self.row.exceptions)
        # `cargo +nightly publish`: that is which of rustup's toolchains it is.
        return _begins(words[bool(words and words[0].startswith("+")) :], self.row.subcommands)


def _begins(words: Sequence[str], subcommands: Sequence[str]) -> bool:
    """Whether the first of these words are those of a subcommand."""
    return any(list(words[: len(wanted)]) == wanted for wanted in map(str.split, subcommands))


def recognize(
    argv: Sequence[str],
    configuration: Configuration,
    alias: str | None = None,
) -> Invocation | None:
    """Find what is known of a command line.

    The last path part of the command is looked up; ``python -m X``, ``uv run X``,
    ``uvx X`` and ``pipx run X`` count as ``X``.

    :param alias: the name of the row to use in place of the command's own.
    """
    readings = _readings(argv)
    for last, (name, arguments) in reversed([*enumerate(readings)]):
        row = configuration.commands.get(name if alias is None else alias)
        if row is not None:
            pairs = itertools.pairwise(readings[: last + 1])
            # The next one's name is the first word that is not a launcher's own.
            launching = [(by, own[: len(own) - len(rest) - 1]) for (by, own), (_, rest) in pairs]
            return Invocation(row, tuple(arguments), tuple(launching))
    return None


def chosen_profile(call: Invocation | None, name: str | None) -> Profile | None:
    """The profile that was named, or the command's default one.

    :raises NoProfile: if the command has none of that name.
    :raises Refused: if it has some, of which none was chosen, and needs a secret.
    """
    if call is None:
        if name is not None:
            raise NoProfile(f"this command has no profile {name}", "profiles belong to commands")
        return None
    row = call.row
    names = ", ".join(sorted(row.profiles)) or "none"
    if name is not None:
        if name not in row.profiles:
            raise NoProfile(f"{row.name} has no profile '{name}'", f"its profiles: {names}")
        return row.profiles[name]
    if not row.profiles or not call.needs_secret:
        return None
    if row.default is None:
        raise Refused(
            f"{escape(row.name)} has profiles, and none was chosen: {escape(names)}",
            f"secretly run -p {escape(sorted(row.profiles)[0])} …",
        )
    return row.profiles[row.default]


#: What starts commands, with the options and variables that have it do so elsewhere or with
#: other variables. uv's own help has them.
_LAUNCHERS = {
    "uv tool run": ("--directory", "--env-file", "UV_WORKING_DIR", "UV_ENV_FILE"),
    "uv run": (
        "--directory",
        "--project",
        "--env-file",
        "UV_WORKING_DIR",
        "UV_PROJECT",
        "UV_ENV_FILE",
    ),
    "uvx": ("--directory", "--env-file", "UV_WORKING_DIR", "UV_ENV_FILE"),
    "poetry run": ("--directory", "-C", "--project", "-P"),
    "pdm run": ("--project", "-p", "PDM_PROJECT"),
    "hatch run": ("--project", "-p", "HATCH_PROJECT"),
}

#: Those of them that do so in a project's own environment.
_PROJECTS_OWN = frozenset({"uv run", "poetry run", "pdm run", "hatch run"})


def _readings(argv: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """The command line as it stands, then as what each launcher in it starts."""
    name, rest = _name(argv[0]), argv[1:]
    readings = [(name, rest)]
    inner: Sequence[str] = ()
    if name.startswith("python") and re.fullmatch(r"python(\d(\.\d+)?)?t?", name):
        inner = _module(rest)
    elif name == "uvx":
        inner = _after(rest, _UV)
    elif name == "uv":
        found = _after(rest, _UV)
        if found[:1] == ["run"]:
            inner = _after(found[1:], _UV)
        elif found[:2] == ["tool", "run"]:
            inner = _after(found[2:], _UV)
    elif name in ("hatch", "pdm", "poetry"):
        found = _after(rest, _RUNNERS)
        if found[:1] == ["run"]:
            inner = _after(found[1:], _RUNNERS)
            if inner and name == "hatch":  # ENVIRONMENT:COMMAND
                inner = [inner[0].rpartition(":")[2], *inner[1:]]
    elif name == "pipx":
        found = _after(rest, _PIPX)
        if found[:1] == ["run"]:
            inner = _after(found[1:], _PIPX)
    if inner:
        first = re.split(r"[@=<>~!\[]", inner[0])[0] if name in ("uv", "uvx", "pipx") else inner[0]
        readings += _readings([first or inner[0], *inner[1:]])
    return readings


def _name(word: str) -> str:
    return os.path.basename(word)


def _after(arguments: Sequence[str], values: frozenset[str]) -> list[str]:
    """What follows the options."""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            break
        if option in values and rest:
            rest.pop(0)
    return rest


def _module(arguments: Sequence[str]) -> list[str]:
    """What ``python … -m`` names, and its arguments; nothing if it runs something else."""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        # Among flags: what follows c, W or X is their value (-Ximporttime).
        if found := re.fullmatch(r"-[^-cmWX]*m(.*)", option):
            return [found[1], *rest] if found[1] else rest
        if option in _PYTHON and rest:
            rest.pop(0)
        elif option.startswith("-c"):
            break
    return []


def parse_words(arguments: Sequence[str], values: set[str], flags: Set[str] = _FLAGS) -> Words:
    """Read arguments as getopt_long, argparse, click and clap do.

    :param values: the options that take a value. A long one may be cut short,
        as argparse allows.
    :param flags: options without one that matter here, or that begin as another.

    >>> take_apart(["-v", "upload", "-rtest", "--", "-x"], {"-r"}).words
    ['upload', '-x']
    """
    found = Words([], [])
    before = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            found.words.extend(rest)
            break
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            option = _completed(option, values, flags)
            if not equals:
                value = rest.pop(0) if option in values and rest else ""
            found.options.append((option, value if equals or option in values else None))
        elif word.startswith("-") and word != "-":
            for position, letter in enumerate(word[1:], 2):
                if f"-{letter}" in values:
                    value = word[position:].removeprefix("=") or (rest.pop(0) if rest else "")
                    found.options.append((f"-{letter}", value))
                    break
                found.options.append((f"-{letter}", None))
        else:
            before = len(found.options) if before is None else before
            found.words.append(word)
    return found._replace(before=len(found.options) if before is None else before)


def _completed(option: str, values: set[str], flags: Set[str]) -> str:
    if option in values or option in flags:
        return option
    longer = [name for name in values | flags if name.startswith(option)]
    return longer[0] if len(longer) == 1 else option
