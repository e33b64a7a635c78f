"""Guesses what a user meant by a mistyped call. Loaded only for calls that look wrong."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from .. import safefiles
from ..config import known_commands
from ..errors import Refused
from ..reference import looks_secret
from ..text import escape, format_command

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..config.invocation import Invocation

#: Other programs' words for the verbs.
_OTHER_WORDS = {
    **dict.fromkeys("add store save put insert login edit update".split(), "set"),
    **dict.fromkeys("show read print cat".split(), "get"),
    **dict.fromkeys("rm remove delete del erase unset".split(), "forget"),
    **dict.fromkeys("ls names".split(), "list"),
    **dict.fromkeys("exec start with".split(), "run"),
    **dict.fromkeys("status diagnose".split(), "doctor"),
    **dict.fromkeys("logout purge clear".split(), "lock"),
    "version": "--version",
}


#: A subcommand, or a path.
_PLAIN = re.compile(r"[a-z][a-z0-9-]{0,20}|[\w.-]*[/.][\w./*-]*")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``. Did you mean '…'?`` for a mistyped word; empty without a similar word."""
    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f". Did you mean '{near[0]}'?" if near else ""


def installed(name: str, commands: Iterable[str]) -> str:
    """Return ``. Did you mean '…'?`` for a mistyped program; empty without a similar one on PATH.

    :param commands: the names of the known commands.
    """
    near = difflib.get_close_matches(name, list(commands), 3, 0.6)
    return suggestion(name, (one for one in near if safefiles.program_on_path(one, os.environ)))


def unknown_verb(arguments: Sequence[str], verbs: Iterable[str]) -> str:
    """Return the message for a call whose first argument is neither a verb nor an option.

    :param arguments: all arguments of secretly.
    """
    first = arguments[0]
    meant = ""
    if first.casefold() in _OTHER_WORDS:
        meant = f". Did you mean '{_OTHER_WORDS[first.casefold()]}'?"
    elif first in known_commands.COMMANDS or safefiles.program_on_path(first, os.environ):
        meant = f". Did you mean '{_run_call(arguments)}'?"
    if not meant:
        meant = suggestion(first.casefold(), verbs)
    if not meant and (near := difflib.get_close_matches(first.casefold(), _OTHER_WORDS, 1, 0.8)):
        meant = f". Did you mean '{_OTHER_WORDS[near[0]]}'?"
    return f"unknown command '{escape(first)}'{meant}"


def unknown_option(arguments: Sequence[str], run_options: Iterable[str]) -> str:
    """Return the message for an option before the verb."""
    name = arguments[0].partition("=")[0]
    long = name if name.startswith("--") else name[:2]
    calls = {option: f"secretly run {option}" for option in run_options}
    calls |= dict.fromkeys(("--version", "-V", "-v"), "--version") | {"--help": "--help"}
    near = [long] if long in calls else difflib.get_close_matches(name, calls, 1, 0.6)
    meant = f". Did you mean '{calls[near[0]]}'?" if near else ""
    return f"unknown option '{escape(name)}'{meant}"


def _run_call(arguments: Sequence[str]) -> str:
    """The call with ``run``, without possible values, because a value may be a password."""
    plain: list[str] = []
    for word in arguments:
        if not _PLAIN.fullmatch(word) or looks_secret(word):
            break
        plain.append(word)
    shown = format_command(["secretly", "run", *(plain or arguments[:1])])
    return shown if len(plain) == len(arguments) else f"{shown} …"


#: argparse's message about a word that must be one of a few. The quotes differ between versions.
_CHOICE = re.compile(r"argument ([^:]+): invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)


def unrecognized(message: str, options: Iterable[str]) -> str:
    """Return argparse's message about unknown options or words, with a suggestion."""
    if wrong := _CHOICE.fullmatch(message):
        choices = wrong[3].replace("'", "").split(", ")
        meant = suggestion(wrong[2], choices) or f": choose from {', '.join(choices)}"
        return f"'{wrong[2]}' is not a valid {wrong[1]}{meant}"
    known = [name for name in options if name.startswith("--")]
    for word in message.split():
        if word in known:
            return f"{message}: write options before '--'"
        if word.startswith("--"):
            return message + suggestion(word.partition("=")[0], known)
    return message


def not_joined(command: Sequence[str]) -> tuple[str, str] | None:
    """Return the message and the hint for ``--remember 15m COMMAND``.

    None: the command does not look like a duration, or is the name of a program.
    """
    word = command[0]
    if re.fullmatch(r"[0-9]+ ?[a-zA-Z]*", word) and not safefiles.program_on_path(word, os.environ):
        right = word if re.fullmatch(r"[0-9]{1,6}[smh]", word) else "15m"
        return (
            f"the value of --remember must be joined with '=': --remember={right}",
            f"secretly run --remember={right} {format_command(command[1:], 60) or 'COMMAND'}",
        )
    return None


#: A word of a recipe that publishes.
_PUBLISHING = re.compile(
    r"(?:.*[-_:])?(?:publish|upload|release|deploy)(?:[-_:].*)?", re.IGNORECASE
)

#: The first words with which programs start what a project defines.
_STARTING = frozenset("run run-script exec x make xtask".split())

#: Programs that put the tools of the project's own environment before those on PATH.
_OWN_PATH = frozenset("hatch nox pdm pipenv pixi poetry rye tox uv".split())


def unseen_upload(command: Sequence[str], known: Invocation, alias: str | None) -> str:
    """Return the line about a call that may publish and gets no secret; empty for other calls.

    :param alias: the known command that ``--as`` names.
    """
    name, words = known.row.name, known.parsed.words
    if known.asks_help or not known.row.publishes:
        return ""
    first, *others = [word for word in words if not re.search(r"[/.=]", word)] or [""]
    named = [first, *(others if first in _STARTING else [])]
    other = alias is not None and os.path.basename(command[0]) != alias
    if not other and not any(map(_PUBLISHING.fullmatch, named)):
        return ""
    shown = format_command(command, 60)
    if alias is not None and other:
        what = f"{escape(alias)} gets no secret: secretly can't read an upload from '{shown}'"
        return f"{what}. {_how(command, alias)}"
    return (
        f"{escape(name)} gets no secret: secretly can't see what it starts. {_how(command, name)}"
    )


#: How the package managers that can't be held to a registry pack what npm then publishes.
_PACKING = {"pnpm": "pnpm pack", "yarn": "yarn pack", "bun": "bun pm pack"}


def no_secret(command: Sequence[str]) -> Refused:
    """The error for a command that nothing names a secret for."""
    return Refused(
        f"no secret is configured for {escape(command[0])}",
        for_recipe(command)
        or f"add one: secretly run -e VARIABLE=NAME {format_command(command, 60)}",
    )


def for_recipe(command: Sequence[str]) -> str:
    """Return how to give a secret to what a recipe starts; empty if nothing looks like one."""
    packing = _PACKING.get(os.path.basename(command[0]))
    if packing and "publish" in command:
        return (
            "its settings can send a token anywhere, so let npm publish: "
            f"{packing}, then secretly run npm publish ./FILE.tgz"
        )
    if not any(map(_PUBLISHING.fullmatch, command)):
        return ""
    for at, word in enumerate(command[1:], 1):
        if known_commands.COMMANDS.get(word, {}).get("publishes"):  # npx npm publish
            direct = format_command(["secretly", "run", *command[at:]], 80)
            return f"start {word} without {escape(os.path.basename(command[0]))}: {direct}"
    how = _how(command, "twine")
    return how[0].lower() + how[1:]


def _how(command: Sequence[str], tool: str) -> str:
    """How a command gets a secret for an upload that it starts."""
    shown, program = format_command(command, 60), os.path.basename(command[0])
    variables = known_commands.COMMANDS.get(tool, {}).get("secrets")
    by_variable = dict(variables) if isinstance(variables, dict) else {}
    if any(by_variable.values()) and (program == tool or program in _OWN_PATH):
        # Its token can't be narrowed: cargo, npm.
        variable, secret = next(iter(by_variable.items()))
        return f"To give it one: secretly run -e {variable}={secret} {shown}"
    tool = "twine" if tool == program else tool
    if program in _OWN_PATH:
        return (
            f"To give it a token for one project: secretly run --as {tool} --project NAME {shown}"
        )
    return f"To be asked when it starts {tool}: secretly run --wrap {tool} {shown}"


def without_text(literal: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yield a line for each variable of ``--literal`` that nothing has a text for.

    :param known: the names of the variables with a text.
    """
    names = set(known)
    for name in literal:
        if name not in names:
            shown = "VARIABLE" if looks_secret(name) else escape(name)
            yield (
                f"--literal {shown} changes nothing: no env file, no configuration and no variable "
                f"of yours has a text for it{suggestion(name, names)}"
            )
