"""Credentials that a tool prefers to the variable that secretly sets.

Most tools prefer the variable to their settings. Where a tool does not, its row in the known
commands says so in ``beaten_by``: with an option, or with the name of a module here, which looks at
the tool's own settings. No value of a credential is kept or shown.
"""

from __future__ import annotations

from ...config.invocation import Invocation
from ...config.values import is_variable
from ...errors import BadConfiguration, Refused
from ...text import Environ, escape
from .rival import Rival

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ..planning import DeliveryPlan

__all__ = ["MODULES", "refuse_in_plan", "refuse_rivals"]

#: What ``beaten_by`` may name, apart from options: one module for each tool's settings.
MODULES = (
    "aws",
    "cdk",
    "doctl",
    "gemini",
    "gh",
    "libpq",
    "llm",
    "mysql",
    "pgcli",
    "redis",
    "sam",
)

#: How many letters of a long option must be there to be taken for it: argparse and getopt_long
#: accept a beginning.
_SHORTEST = len("--pro")


def refuse_in_plan(known: Invocation, plan: DeliveryPlan, environ: Mapping[str, str]) -> None:
    """Refuse a run in which the tool would use another credential.

    :param environ: the inherited environment.
    :raises Refused: with the option or the file.
    """
    changed = {**environ, **plan.launch.environ}
    kept = Environ({name: changed[name] for name in changed.keys() - {*plan.removed}})
    refuse_rivals(known, {n for one in plan.deliveries for n in one.by.variables}, kept)


def refuse_rivals(
    known: Invocation, delivered: Collection[str], environ: Mapping[str, str]
) -> None:
    """Refuse a call in which the tool would use another credential than the one from secretly.

    :param delivered: the variables that get a secret.
    :param environ: the environment that the tool gets.
    :raises Refused: with the option or the file.
    """
    row = known.row
    credentials = [name for name in (*row.secrets, *row.alternatives) if name in delivered]
    if not credentials:
        return
    environ = Environ({**environ, **dict(_set_by_env(known))})
    for word in row.beaten_by:
        rival = _option(known, word) if word.startswith("-") else _settings(known, word, environ)
        if rival is not None:
            tool, variable = escape(row.name), credentials[-1]
            raise Refused(
                f"{tool} would use {rival.what}, not the secret that secretly puts into {variable}",
                f"{rival.fix}, or run {tool} without secretly",
            )


def _set_by_env(known: Invocation) -> Iterator[tuple[str, str]]:
    """The variables that ``env`` sets, as in ``env PGSERVICE=work psql``."""
    for start in known.starts:
        if start.name == "env":
            for name, value in start.options:
                if is_variable(name) and value is not None:
                    yield name, value


def _option(known: Invocation, option: str) -> Rival | None:
    """The option, if it is given: whole, or a long one by its beginning."""
    for given, _ in known.parsed.options:
        short = len(given) >= _SHORTEST and given not in known.row.values
        if given == option or (short and option.startswith(given)):
            return Rival(f"the credential of {escape(option)}", f"leave out {escape(option)}")
    return None


def _settings(known: Invocation, name: str, environ: Mapping[str, str]) -> Rival | None:
    """What a module of this package finds."""
    if name not in MODULES:
        raise BadConfiguration(
            f"commands.{escape(known.row.name)}.beaten_by has '{escape(name)}', which is not known",
            f"it takes options, such as --profile, and: {', '.join(MODULES)}",
        )
    from importlib import import_module

    found: Rival | None = import_module(f".{name}", __name__).find(known, environ)
    return found
