"""The verbs, their options and their arguments, as data: for completion and the man pages.

They come from where ``--help`` has them: the parsers of the verbs, and the options of ``run``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from . import parsing, run_help, run_options
from .verbs import VERBS


class Described(NamedTuple):
    """An option or an argument of a verb.

    :param names: the names of an option; none for an argument.
    :param takes: the name of its value; empty if it takes none.
    :param number: how many values it takes: ``"1"``, ``"?"`` or ``"*"``.
    :param help: what it is for.
    :param required: whether a call without it is wrong.
    :param choices: the only values that it takes; empty if it takes any.
    """

    names: tuple[str, ...]
    takes: str
    number: str
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()


class DescribedVerb(NamedTuple):
    """A verb.

    :param name: its name after ``secretly``; with two words, as in ``"token show"``.
    :param about: what it does, as a list of verbs says it.
    :param text: the first paragraph of its help.
    :param options: its options, in the order of its help.
    :param arguments: its arguments.
    :param example: the end of its help.
    :param verbs: the verbs of its own.
    """

    name: str
    about: str
    text: str
    options: tuple[Described, ...]
    arguments: tuple[Described, ...]
    example: str
    verbs: tuple[DescribedVerb, ...] = ()


_HELP = Described(("-h", "--help"), "", "1", "show this help message and exit")


def describe_all() -> list[DescribedVerb]:
    """Describe each verb of the help."""
    return list(map(describe, VERBS))


def describe(name: str) -> DescribedVerb:
    """Describe one verb."""
    if name == "run":
        return _run()
    return _of_parser(name, VERBS[name], parsing.reader_of(name, VERBS[name]))


def _run() -> DescribedVerb:
    options = [
        Described(one.names, one.takes.rstrip("?"), "?" if one.takes[-1:] == "?" else "1", one.help)
        for one in run_options.OPTIONS
    ]
    arguments = (
        Described((), "COMMAND", "1", "the command to run", True),
        Described((), "ARG", "*", "an argument of the command"),
    )
    about, example = VERBS["run"], run_help.EXAMPLE
    return DescribedVerb("run", about, _sentence(about), (_HELP, *options), arguments, example)


def _sentence(about: str) -> str:
    return f"{about[0].upper()}{about[1:]}."


def _of_parser(name: str, about: str, parser: argparse.ArgumentParser) -> DescribedVerb:
    options, arguments = list[Described](), list[Described]()
    verbs = list[DescribedVerb]()
    for action in parser._actions:  # argparse has no public way to list them
        if isinstance(action, argparse._SubParsersAction):
            verbs += _inner(name, action)
            continue
        one = Described(
            tuple(action.option_strings),
            "" if action.nargs == 0 else str(action.metavar),
            str(action.nargs or 1),
            str(action.help),
            action.required,
            tuple(map(str, action.choices or ())),
        )
        (options if one.names else arguments).append(one)
    text, example = str(parser.description), str(parser.epilog)
    return DescribedVerb(name, about, text, tuple(options), tuple(arguments), example, tuple(verbs))


def _inner(
    name: str, action: argparse._SubParsersAction[argparse.ArgumentParser]
) -> Iterator[DescribedVerb]:
    for row in action._choices_actions:
        yield _of_parser(f"{name} {row.dest}", str(row.help), action.choices[row.dest])
