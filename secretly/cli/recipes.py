"""``secretly run`` for a recipe that uploads: ``--wrap``, and ``--as`` with ``--project``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..config import values
from ..config.invocation import Invocation
from ..config.model import Configuration
from ..config.profiles import NoProfile
from ..text import escape, format_command
from .console import UsageError
from .guesses import suggestion
from .run_options import RunOptions

#: The secret that a recipe gets.
_SECRET = "PyPI"

#: A project's name before it is normalized: the standard's own rule
#: (https://packaging.python.org/en/latest/specifications/name-normalization/).
_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)


def check_wrapped(
    options: RunOptions, known: Invocation | None, configuration: Configuration
) -> None:
    """Refuse names that are not known commands, and a profile that none of these has.

    The profile is the wrapped commands' if the command itself is not a known one.

    :raises UsageError: naming the first unknown command.
    :raises NoProfile: naming the profile.
    """
    for name in options.wrap:
        if name not in configuration.commands:
            raise UsageError(
                f"unknown command '{escape(name)}'{suggestion(name, configuration.commands)}",
                "--wrap takes a known command, such as twine: one with [commands.NAME]",
            )
    if options.wrap and known is None and options.profile is not None:
        options.wrapped_profile, options.profile = options.profile, None
        profiles = {one for name in options.wrap for one in configuration.commands[name].profiles}
        if options.wrapped_profile not in profiles:
            raise NoProfile(
                f"{escape(' and '.join(options.wrap))} has no profile"
                f" '{escape(options.wrapped_profile)}'",
                f"its profiles: {escape(', '.join(sorted(profiles)) or 'none')}",
            )


def wrapped_calls(options: RunOptions, configuration: Configuration) -> dict[str, str]:
    """The call of secretly that stands for each wrapped command, by the command's name."""
    return {
        name: format_command(["secretly", "run", *given, "--", name])
        for name, given in _handed_on(options, configuration).items()
    }


def _handed_on(options: RunOptions, configuration: Configuration) -> dict[str, list[str]]:
    """The options of ``secretly run`` for each wrapped command, by its name."""
    profile = options.wrapped_profile
    return {
        name: [
            *_given(options),
            *([f"--profile={profile}"] if profile in configuration.commands[name].profiles else []),
        ]
        for name in options.wrap
    }


def _given(options: RunOptions) -> list[str]:
    """The options about how to ask, and what to print, as they were given."""
    chosen = {
        "--remember": options.remember is True,
        "--no-remember": options.remember is False,
        "--ask": options.ask,
        "--confirm": options.confirm is True,
        "--no-confirm": options.confirm is False,
        "--no-input": options.no_input,
        "--quiet": options.quiet,
        "--verbose": options.verbose,
    }
    found = [option for option, given in chosen.items() if given]
    for option, seconds in (
        ("--remember", options.remember),
        ("--prompt-timeout", options.prompt_timeout),
    ):
        if isinstance(seconds, float):
            found.append(f"{option}={values.duration_text(seconds)}")
    if options.reason is not None:
        found.append(f"--reason={options.reason}")
    return found


def wrapping_folder(
    options: RunOptions, configuration: Configuration, environ: Mapping[str, str]
) -> str:
    """The folder with the programs that stand for the wrapped commands, for the command's PATH."""
    from ..running import shims, wrapping

    texts: dict[str, str] = {}
    for name, given in _handed_on(options, configuration).items():
        texts |= shims.wrapping([name], given)
    return wrapping.make_folder(texts, environ)


def as_recipe(known: Invocation | None, options: RunOptions) -> tuple[Invocation, tuple[str, ...]]:
    """The call of a recipe that uploads with the tool that ``--as`` names, and its projects.

    secretly can't see which index the recipe chooses. The token is PyPI's, and no other index
    accepts it.

    :raises UsageError: if ``--as`` names no publishing tool, or a project's name is not valid.
    """
    from ..publishing.archives import normalize_project
    from ..publishing.tools import tool_for

    tool = None if known is None or options.alias is None else tool_for(known.row.name)
    if known is None or tool is None or not tool.narrows:
        raise UsageError(
            "--project needs the publishing tool for Python packages that the command starts",
            "secretly run --as twine --project NAME COMMAND",
        )
    for name in options.project:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"'{escape(name)}' is not a valid name of a project",
                "--project takes the project's name, as PyPI shows it",
            )
    row = known.row

    def named(name: str) -> str:
        return name.replace("{REPOSITORY}", _SECRET.upper())

    row = row._replace(
        secrets={named(name): reference or _SECRET for name, reference in row.secrets.items()},
        username=row.username and named(row.username),
        alternatives=tuple(map(named, row.alternatives)),
        removes=tuple(map(named, row.removes)),
        blanks=tuple(map(named, row.blanks)),
    )
    call = known._replace(row=row, arguments=(row.subcommands[0],), launching=(), started=())
    return call, tuple(sorted(set(map(normalize_project, options.project))))
