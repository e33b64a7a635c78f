"""Command lines of ``pdm publish``: argparse, and the words that a project's settings add."""

from __future__ import annotations

from ...config.invocation import Words
from ...errors import Refused
from ...text import escape
from ..options import Options, invalid, misread
from . import argparse

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence

_BEFORE = Options(
    "-h/--help -V/--version -c/--config= -v/--verbose -q/--quiet --no-cache -I/--ignore-python "
    "-n/--non-interactive"
)
_PUBLISH = Options(
    "-h/--help -v/--verbose -q/--quiet -p/--project= -k/--skip= -r/--repository= -u/--username= "
    "-P/--password= -S/--sign -i/--identity= -c/--comment= --no-build -d/--dest= --skip-existing "
    "--no-verify-ssl/--no-very-ssl --ca-certs="
)

#: The options of each parser of which pdm takes only one.
_EITHER = (("--verbose", "--quiet"), ("--no-verify-ssl", "--ca-certs"))

#: The options that a project may add: others choose the connection, or versions of pdm read them
#: differently.
_FOR_PROJECTS = (
    "--repository --username --dest --skip --sign --identity --comment --no-build --skip-existing "
    "--verbose --quiet"
).split()


def read(arguments: Sequence[str], added: Sequence[str] = ()) -> Words:
    """Read the arguments of an upload.

    :param added: the words that the project's settings add, right after the subcommand.
    :raises Refused: for what pdm refuses: then it may run a script of the project's instead.
    """
    at = _subcommand_at(arguments)
    before = argparse.read("pdm", arguments[:at], _BEFORE)
    if tuple(arguments[at : at + 1]) != ("publish",):
        word = next(iter(arguments[at:]), "pdm")
        instead = "write pdm publish first, or pdm --config=FILE publish"
        raise invalid("pdm reads this as its subcommand", word, instead)
    words = (*added, *arguments[at + 1 :])
    after = argparse.read("pdm", words, _PUBLISH)
    for word in (*before.words, *after.words):
        raise invalid("pdm publish takes no files", word, "leave it out: pdm uploads those in dist")
    _refuse_ambiguous(words)
    for one, other in _EITHER:
        for found in (before, after):
            if found.has([one]) and found.has([other]):
                raise invalid("pdm takes only one of these", f"{one} with {other}", "leave one out")
    if after.last(("--dest",)) == "":
        raise misread("pdm", "--dest=", "name the folder")
    return Words([*before.options, *after.options], ["publish"], len(before.options))


def check_added(added: Sequence[str]) -> None:
    """Refuse words of a project's settings that do more than choose the index and the files."""
    words = argparse.read("pdm", added, _PUBLISH)
    for name in [*words.words, *(name for name, _ in words.options)]:
        if name not in _FOR_PROJECTS:
            raise Refused(
                f"tool.pdm.options.publish in pyproject.toml adds {escape(name)} to the upload",
                "remove it there; if you mean it, type it",
            )


def _subcommand_at(arguments: Sequence[str]) -> int:
    """Where pdm looks for its subcommand, to which it adds the project's words."""
    value_follows = False
    for position, word in enumerate(arguments):
        if word in ("-c", "--config"):
            value_follows = True
        elif not word.startswith("-"):
            if not value_follows:
                return position
            value_follows = False
    return len(arguments)


def _refuse_ambiguous(words: Sequence[str]) -> None:
    """pdm reads each word as one of those before its subcommand too, where it may be ambiguous."""
    for word in words:
        name = word.partition("=")[0]
        several = len(_BEFORE.beginning_with(name)) > 1 and _BEFORE.get(name) is None
        if name.startswith("--") and several:
            raise misread("pdm", name, "write the option's whole name")
