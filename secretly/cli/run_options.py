"""The options of ``secretly run``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..config import model, values
from ..record import Record
from ..reference import looks_secret
from ..text import escape
from .console import UsageError

_EXAMPLE = """examples:
  secretly run twine upload dist/*          a known command: no option needed
  secretly run -e API_KEY=OpenAI ./call.py  any other: the variable, and the secret's name
"""


class _Option(Record):
    """An option of ``run``.

    :param takes: the name of its value; followed by ``?`` if it may be left out.
    :param value: what it stands for without one.
    :param many: whether it may be given several times.
    :param read: how its value is read.
    """

    names: tuple[str, ...]
    name: str
    help: str
    takes: str = ""
    value: object = True
    many: bool = False
    read: Callable[[str], object] = str


_OPTIONS = (
    _Option(
        ("-e", "--env"),
        "env",
        "put a secret into this variable (repeatable; X means\nX=X)",
        "VARIABLE[=REFERENCE]",
        many=True,
    ),
    _Option(
        ("--env-file",),
        "env_file",
        "set the variables of this .env file, and resolve the\nreferences in it (repeatable)",
        "FILE",
        many=True,
    ),
    _Option(("-p", "--profile"), "profile", "use this profile of the command", "NAME"),
    _Option(("--as",), "alias", "treat it as this known command", "NAME"),
    _Option(
        ("--remember",),
        "remember",
        "keep what is typed in the keychain, or for a DURATION\n(15m) in memory",
        "DURATION?",
        read=values.duration,
    ),
    _Option(("--no-remember",), "remember", "keep nothing", value=False),
    _Option(("--ask",), "ask", "ask, even for a secret that is stored"),
    _Option(("--confirm",), "confirm", "confirm the use of a stored secret"),
    _Option(("--no-confirm",), "confirm", "do not confirm it", value=False),
    _Option(("--no-input",), "no_input", "never ask: fail (also SECRETLY_NO_INPUT=1)"),
    _Option(
        ("--prompt-timeout",),
        "prompt_timeout",
        "how long a prompt waits (60s, 15m, 2h; default 300s)",
        "DURATION",
        read=values.duration,
    ),
    _Option(("--dry-run",), "dry_run", "say what would be done; ask and run nothing"),
    _Option(("-q", "--quiet"), "quiet", "say nothing but errors"),
    _Option(("-v", "--verbose"), "verbose", "say where each secret came from"),
)


class RunOptions:
    """The options of ``run``, as they are unless given."""

    def __init__(self) -> None:
        self.env: list[str] = []
        self.env_file: list[str] = []
        self.profile: str | None = None
        self.alias: str | None = None
        self.remember: model.Remember | None = None
        self.ask = False
        self.confirm: bool | None = None
        self.no_input = False
        self.prompt_timeout: float | None = None
        self.dry_run = False
        self.quiet = False
        self.verbose = False

    def take(self, option: _Option, value: str | None) -> None:
        """Take an option, and its value if it has one."""
        read = option.value if value is None else option.read(value)
        if option.many:
            getattr(self, option.name).append(read)
        else:
            setattr(self, option.name, read)


def parse_options(arguments: Sequence[str]) -> tuple[RunOptions | None, list[str]]:
    """Part the options of ``run`` from the command: the first word that is no option.

    :returns: no options if help is wanted.
    """
    known = {name: option for option in _OPTIONS for name in option.names}
    found, rest = RunOptions(), list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word in ("-h", "--help"):
            return None, []
        name, equals, value = word.partition("=")
        cluster = ""
        if not word.startswith("--"):  # -qe X=Y, -eX=Y
            name, value = word[:2], word[2:]
            if name == "-h":
                return None, []
            if name in known and not known[name].takes:
                cluster, value = value, ""
            equals = value
            value = value.removeprefix("=")
        option = known.get(name)
        if option is None:
            raise UsageError(f"there is no option {escape(name)}", "secretly run --help")
        if cluster:
            rest.insert(0, f"-{cluster}")
        if not option.takes and equals:
            raise UsageError(f"{name} takes no value", "secretly run --help")
        if not option.takes or (option.takes.endswith("?") and not equals):
            found.take(option, None)
            continue
        if not equals:
            if not rest or (rest[0].startswith("-") and rest[0] != "-"):  # --env=-x if it is meant
                raise UsageError(f"{name} needs a {option.takes}", "secretly run --help")
            value = rest.pop(0)
        found.take(option, value)
    return found, rest


def print_help(about: str) -> None:
    """Print the help as argparse would, which takes as long to load as all of the rest."""
    print(
        f"usage: secretly run [options] [--] COMMAND [ARG...]\n\n{about[0].upper()}{about[1:]}.\n"
    )
    print("options:")
    for option in (_Option(("-h", "--help"), "", "show this help message and exit"), *_OPTIONS):
        takes = option.takes
        if takes.endswith("?"):
            takes = f"[{takes[:-1]}]"
        names = ", ".join(f"{name} {takes}".rstrip() for name in option.names)
        start = f"  {names:20}  " if len(names) <= 20 else f"  {names}\n{' ' * 24}"
        print(start + option.help.replace("\n", "\n" + " " * 24))
    print(f"\n{_EXAMPLE}", end="")


def parse_variable(text: str) -> tuple[str, str]:
    name, equals, reference = text.partition("=")
    if looks_secret(name):
        raise UsageError("that looks like a secret, not like a variable", "-e VARIABLE=NAME")
    return values.check_variable(name), reference if equals else name
