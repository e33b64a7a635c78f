"""Completions for a word of ``secretly``'s command line.

The scripts in ``completions/`` call ``secretly __complete WORD...`` with the words after
``secretly`` up to the one that is completed. The first line that it prints is what to offer:

- ``words``: the lines that follow. Each is a word, a tab, and what it means.
- ``files`` or ``folders``: those of the shell, for what follows the prefix after the space.
- ``command N``: what the shell offers for another command, which begins with word N.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..config import loading, places
from ..config.model import Configuration
from ..config.values import is_variable
from ..errors import SecretlyError
from ..keeping.stored_names import StoredNames
from .described import Described, DescribedVerb, describe
from .verbs import ALIASES, VERBS

#: Words to offer, with what each means.
Words = Mapping[str, str]


class Known:
    """What is known of the user's secrets and commands. It asks neither the user nor the keychain.

    :param environ: where the configuration and the list of stored names are.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @functools.cached_property
    def configuration(self) -> Configuration:
        """The configuration; an empty one if it is wrong."""
        try:
            return loading.load(self._environ)
        except SecretlyError:
            return Configuration()

    @functools.cached_property
    def stored(self) -> Words:
        """The names on the list of stored names."""
        try:
            table = StoredNames(places.secretly_folder("state", self._environ)).read()
        except SecretlyError:
            return {}
        return dict.fromkeys(table.names, "stored")

    @property
    def names(self) -> Words:
        """The names of stored and configured secrets."""
        return {**dict.fromkeys(self.configuration.secrets, "configured"), **self.stored}

    @property
    def commands(self) -> Words:
        """The known commands."""
        return dict.fromkeys(self.configuration.commands, "known command")

    @property
    def with_profiles(self) -> Words:
        """The known commands that have profiles."""
        rows = self.configuration.commands
        return {name: "has profiles" for name in rows if rows[name].profiles}

    @property
    def profiles(self) -> Words:
        """The profiles, each with its commands."""
        found: dict[str, list[str]] = {}
        for name, row in self.configuration.commands.items():
            for profile in row.profiles:
                found.setdefault(profile, []).append(name)
        return {profile: f"profile of {', '.join(names)}" for profile, names in found.items()}

    @property
    def usernames(self) -> Words:
        """The user names of stored secrets."""
        names = StoredNames(places.secretly_folder("state", self._environ))
        try:
            return {one.username: f"user of {one.name}" for one in names.items()}
        except SecretlyError:
            return {}


class Offer(NamedTuple):
    """What to offer.

    :param kind: ``"words"``, ``"files"``, ``"folders"`` or ``"command"``.
    :param detail: the number of the command's first word, or the prefix before a path.
    """

    kind: str
    words: Words = MappingProxyType({})
    detail: str = ""


def _variables(known: Known, value: str) -> Words:
    """``VARIABLE=NAME``, or a name that is a variable as well."""
    variable, equals, _ = value.partition("=")
    if equals:
        return {f"{variable}={name}": about for name, about in known.names.items()}
    return {name: about for name, about in known.names.items() if is_variable(name)}


#: What to offer for the value of an option. Nothing is known of the values of the others.
OF_OPTIONS: Mapping[str, str | Callable[[Known, str], Words] | None] = {
    "--env": _variables,
    "--env-file": "files",
    "--profile": lambda known, value: known.profiles,
    "--as": lambda known, value: known.commands,
    "--wrap": lambda known, value: known.commands,
    "--username": lambda known, value: known.usernames,
    "--dir": "folders",
    **dict.fromkeys(
        (
            "--literal",
            "--remember",
            "--prompt-timeout",
            "--project",
            "--expires",
            "--older",
            "--reason",
            "--since",
        )
    ),
}

#: The verbs for secrets that are in the keychain.
_OF_STORED = ("forget", "seal", "unseal")

#: What to offer for an argument, by its name in the help.
OF_ARGUMENTS: Mapping[str, Callable[[Known, str], Words]] = {
    "REFERENCE": lambda known, verb: known.stored if verb in _OF_STORED else known.names,
    "COMMAND": lambda known, verb: known.with_profiles,
}


def complete(arguments: Sequence[str]) -> int:
    """Print what to offer for the last word; return the exit status."""
    found = offer(arguments or [""], Known(os.environ))
    print(f"{found.kind} {found.detail}".rstrip())
    for word, about in found.words.items():
        if word.isprintable():  # a shell writes it to the terminal
            print(f"{word}\t{about}")
    return 0


def offer(words: Sequence[str], known: Known) -> Offer:
    """Decide what to offer for the last word.

    :param words: the words after ``secretly``.
    """
    *before, current = words
    if not before:
        options = {"--help": "show the help", "--version": "print the version"}
        return Offer("words", options if current.startswith("-") else VERBS)
    verb = ALIASES.get(before[0], before[0])
    if verb not in VERBS:
        return Offer("words")
    if verb == "help" and not current.startswith("-"):
        return _verbs_to_help(before[1:])
    return _of_verb(describe(verb), list(words), 1, known)


def _verbs_to_help(before: Sequence[str]) -> Offer:
    if not before:
        return Offer("words", VERBS)
    inner = describe(before[0]).verbs if before[0] in VERBS and len(before) == 1 else ()
    return Offer("words", _inner(inner))


def _inner(verbs: Iterable[DescribedVerb]) -> Words:
    return {one.name.rpartition(" ")[2]: one.about for one in verbs}


def _of_verb(verb: DescribedVerb, words: list[str], start: int, known: Known) -> Offer:
    """What to offer after a verb.

    :param start: the number of the first word after the verb.
    """
    current, known_options = words[-1], {name: one for one in verb.options for name in one.names}
    waiting, ended, arguments = None, False, list[str]()
    for number, word in enumerate(words[start:-1], start):
        if waiting is not None:
            waiting = None
        elif ended or not word.startswith("-") or word == "-":
            if verb.name == "run":
                return Offer("command", detail=str(number))
            inner = next((one for one in verb.verbs if one.name == f"{verb.name} {word}"), None)
            if inner is not None:
                return _of_verb(inner, words, number + 1, known)
            arguments.append(word)
        elif word == "--":
            ended = True
        else:
            waiting = _waiting(word, known_options)
    if waiting is not None:
        return _value(waiting, "", current, known)
    if current.startswith("-") and not ended:
        return _option(current, known_options, known)
    if verb.name == "run":
        return Offer("command", detail=str(len(words) - 1))
    return _argument(verb, len(arguments), known)


def _waiting(word: str, options: Mapping[str, Described]) -> Described | None:
    """The option that takes the next word as its value."""
    if word.startswith("--"):
        return _taking(options.get(word))
    for position, letter in enumerate(word[1:], 2):
        if found := _taking(options.get(f"-{letter}")):
            return found if position == len(word) else None
    return None


def _taking(option: Described | None) -> Described | None:
    """The option, if it takes a word as its value."""
    return option if option is not None and option.takes and option.number != "?" else None


def _option(current: str, options: Mapping[str, Described], known: Known) -> Offer:
    """The options; or the value of one that is in the same word."""
    name, equals, value = current.partition("=")
    if current[1:2] != "-" and _taking(options.get(current[:2])) and len(current) > 2:
        name, equals, value = current[:2], "", current[2:]
    elif not equals:
        return Offer("words", {name: one.help for name, one in options.items()})
    option = options.get(name)
    return _value(option, name + equals, value, known) if option else Offer("words")


def _value(option: Described, prefix: str, value: str, known: Known) -> Offer:
    """What to offer for an option's value.

    :param prefix: what is before the value in its word.
    """
    kind = OF_OPTIONS.get(option.names[-1])
    if isinstance(kind, str):
        return Offer(kind, detail=prefix)
    found = kind(known, value) if kind is not None else {}
    return Offer("words", {f"{prefix}{word}": about for word, about in found.items()})


def _argument(verb: DescribedVerb, number: int, known: Known) -> Offer:
    """What to offer for an argument; an option is offered for a dash alone."""
    if verb.verbs:
        return Offer("words", _inner(verb.verbs))
    if number >= len(verb.arguments):
        return Offer("words")
    one = verb.arguments[number]
    if one.choices:
        return Offer("words", dict.fromkeys(one.choices, ""))
    kind = OF_ARGUMENTS.get(one.takes)
    return Offer("words", kind(known, verb.name) if kind is not None else {})
