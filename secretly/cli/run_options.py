"""The options of ``secretly run``."""

from __future__ import annotations

import os

from ..text import escape
from .console import UsageError

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..config import model
    from ..running.delivery import Environment

_HELP = "secretly run --help"


class RunOption:
    """An option of ``run``. It is not a record: to make twenty of those takes ten times as long.

    :param name: the attribute of :class:`RunOptions`.
    :param help: at most 56 characters, so that each option has at most two lines.
    :param takes: the name of its value; followed by ``?`` if the value is optional.
    :param value: the value that the option has without one.
    :param many: whether it may be given several times.
    :param read: reads the text of its value.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        name: str,
        help: str,
        takes: str = "",
        *,
        value: object = True,
        many: bool = False,
        read: Callable[[str], object] = str,
    ) -> None:
        self.names, self.name, self.help, self.takes = names, name, help, takes
        self.value, self.many, self.read = value, many, read


def _variable_name(text: str) -> str:
    name, equals, _ = text.partition("=")
    if equals:
        raise UsageError(
            "--literal takes the name of a variable, and no value",
            f"--literal {escape(name)}: an env file or the configuration has its text",
        )
    return name


def _duration(text: str) -> float:
    from ..config import values  # few calls have a duration

    return values.duration(text)


def _time_limit(text: str) -> float:
    from ..config import values

    return values.time_limit(text)


#: The options, in the order of the help.
OPTIONS = (
    RunOption(
        ("-e", "--env"),
        "env",
        "set VARIABLE to this secret (repeatable; X means X=X)",
        "VARIABLE[=REFERENCE]",
        many=True,
    ),
    RunOption(
        ("-f", "--env-file"),
        "env_file",
        "read a .env file, references included (repeatable)",
        "FILE",
        many=True,
    ),
    RunOption(
        ("--literal",),
        "literal",
        "don't read VARIABLE's value as a reference (repeatable)",
        "VARIABLE",
        many=True,
        read=_variable_name,
    ),
    RunOption(
        ("--resolve-env",),
        "resolve_env",
        "resolve password managers' references in your own env",
    ),
    RunOption(("-p", "--profile"), "profile", "use this profile of the command", "NAME"),
    RunOption(("--as",), "alias", "treat the command as this known command", "NAME"),
    RunOption(
        ("--project",),
        "project",
        "a token for this project, with --as (repeatable)",
        "NAME",
        many=True,
    ),
    RunOption(
        ("--wrap",),
        "wrap",
        "use secretly when the command starts NAME (repeatable)",
        "NAME",
        many=True,
    ),
    RunOption(
        ("--remember",),
        "remember",
        "store what you type, or remember it for a DURATION",
        "DURATION?",
        read=_duration,
    ),
    RunOption(("--no-remember",), "remember", "don't store or remember it", value=False),
    RunOption(("--ask",), "ask", "ask you, even if the secret is stored"),
    RunOption(("--confirm",), "confirm", "ask you to confirm the use of a stored secret"),
    RunOption(("--no-confirm",), "confirm", "don't ask you to confirm it", value=False),
    RunOption(("--reason",), "reason", "say why, in the dialog (or SECRETLY_REASON)", "TEXT"),
    RunOption(("--no-input",), "no_input", "never ask: fail instead (or SECRETLY_NO_INPUT=1)"),
    RunOption(
        ("--prompt-timeout",),
        "prompt_timeout",
        "time limit of all waits (default: 300s for each prompt)",
        "DURATION",
        read=_time_limit,
    ),
    RunOption(("--dry-run",), "dry_run", "show what would happen; ask and run nothing"),
    RunOption(("--json",), "json", "print what --dry-run shows as JSON, for scripts"),
    RunOption(("-q", "--quiet"), "quiet", "print only errors"),
    RunOption(("-v", "--verbose"), "verbose", "print where each secret came from"),
)

_KNOWN = {name: option for option in OPTIONS for name in option.names}

#: The names of all options.
NAMES = _KNOWN.keys()


class RunOptions:
    """The options of ``run`` with their values; without any, the defaults."""

    def __init__(self) -> None:
        self.env: list[str] = []
        self.env_file: list[str] = []
        self.literal: list[str] = []
        self.resolve_env = False
        self.profile: str | None = None
        self.wrapped_profile: str | None = None
        self.alias: str | None = None
        self.project: list[str] = []
        self.wrap: list[str] = []
        self.remember: model.Remember | None = None
        self.ask = False
        self.confirm: bool | None = None
        self.reason: str | None = None
        self.no_input = False
        self.prompt_timeout: float | None = None
        self.dry_run = False
        self.json = False
        self.quiet = False
        self.verbose = False

    def take(self, option: RunOption, value: str | None) -> None:
        """Set an option to its value; without one, to what the option means alone."""
        read = option.value if value is None else option.read(value)
        if option.many:
            getattr(self, option.name).append(read)
        else:
            setattr(self, option.name, read)


def parse_options(arguments: Sequence[str]) -> tuple[RunOptions | None, list[str]]:
    """Split the options of ``run`` from the command: the first word that is not an option.

    :returns: None in place of the options if help is wanted.
    :raises UsageError: for an unknown option, or a missing or unexpected value.
    """
    found, rest = RunOptions(), list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, value = _split_long(word) if word.startswith("--") else _split_short(word, rest)
        if name in ("-h", "--help") and value is None:
            return None, []
        option = _KNOWN.get(name)
        if option is None:
            from .guesses import suggestion

            raise UsageError(f"unknown option '{escape(name)}'{suggestion(name, _KNOWN)}", _HELP)
        if value is not None and not option.takes:
            raise UsageError(f"{name} takes no value", _HELP)
        if value is None and option.takes and not option.takes.endswith("?"):
            value = _next_word(name, option, rest)
        found.take(option, value)
    return found, rest


def _split_long(word: str) -> tuple[str, str | None]:
    """``--env=X=Y``, as the option and its value; None without one."""
    name, equals, value = word.partition("=")
    return name, value if equals else None


def _split_short(word: str, rest: list[str]) -> tuple[str, str | None]:
    """``-eX=Y`` or ``-e=X=Y``, as the option and its value.

    Of ``-qe``, the first option; the others are put back in front of *rest*.
    """
    name, value = word[:2], word[2:]
    if value and name in _KNOWN and not _KNOWN[name].takes:
        rest.insert(0, f"-{value}")
        return name, None
    return name, value.removeprefix("=") if value else None


def _next_word(name: str, option: RunOption, rest: list[str]) -> str:
    """The value of an option as a word of its own: ``--env=-x`` for one that starts with '-'."""
    if not rest or (rest[0].startswith("-") and rest[0] != "-"):
        raise UsageError(f"{name} needs a {option.takes}", _HELP)
    return rest.pop(0)


def parse_variable(text: str) -> tuple[Environment, str]:
    """Read ``VARIABLE=REFERENCE``; a variable alone is the reference as well."""
    name, equals, reference = text.partition("=")
    from ..reference import looks_secret  # many calls have no -e

    if looks_secret(name):
        raise UsageError("that looks like a secret, not like a variable", "-e VARIABLE=NAME")
    from ..running.delivery import Environment  # many calls have no -e

    variable = Environment(name)
    variable.check()
    return variable, reference if equals else name


def expanded_by_the_shell(command: Sequence[str], variables: Iterable[str]) -> str:
    """Return a warning about an argument that the shell may have emptied, or nothing.

    :param variables: the variables with a secret. The shell replaced ``$NAME`` in the call before
        secretly started, and so before the command started.
    """
    named = sorted(name for name in variables if not os.environ.get(name))
    # If a word contains the name, such as a script, the shell has not replaced it.
    if not named or any(name in word for name in named for word in command[1:]):
        return ""
    empty = any(map(_has_gap, command[1:]))
    if not empty and (len(command) > 1 or os.path.basename(command[0]) not in ("echo", "printf")):
        return ""
    name = named[0]
    return (
        f"an argument is empty, or a part of one. If you wrote ${name}, your shell has replaced it "
        f"before {escape(os.path.basename(command[0]))} got the secret: use sh -c '… \"${name}\" …'"
    )


def _has_gap(word: str) -> bool:
    """Whether a word of a command looks as if a variable in it was empty."""
    last = word[-1:]
    # An empty password in a URL: https://user:@host/
    url = ":@" in word and "/" not in word.partition("://")[2].partition(":@")[0]
    return last in ("", "=") or last.isspace() or ("://" in word and url)
