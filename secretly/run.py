"""``secretly run``: its options, what it would do, and the exec."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import commands, configuration, delivery, launch, resolve, trust
from .console import Usage, drive, guard, own_context, parser, say
from .delivery import Planned
from .display import shown, visible
from .errors import Refused
from .references import Reference, looks_secret, parse
from .resolve import Context, Wish

__all__ = ["run"]

_EXAMPLE = """examples:
  secretly run twine upload dist/*          a known command: no option needed
  secretly run -e API_KEY=OpenAI ./call.py  any other: the variable, and the secret's name
"""


class _Option(NamedTuple):
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
        "put a secret into this variable (repeatable; X means X=X)",
        "VARIABLE[=REFERENCE]",
        many=True,
    ),
    _Option(
        ("--env-file",),
        "env_file",
        "set the variables of this .env file, and resolve the references in it (repeatable)",
        "FILE",
        many=True,
    ),
    _Option(("-p", "--profile"), "profile", "use this profile of the command", "NAME"),
    _Option(("--as",), "alias", "treat it as this known command", "NAME"),
    _Option(
        ("--remember",),
        "remember",
        "keep what is typed in the keychain (for a DURATION: not yet; it says so)",
        "DURATION?",
        read=configuration.duration,
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
        read=configuration.duration,
    ),
    _Option(("--dry-run",), "dry_run", "say what would be done; ask and run nothing"),
    _Option(("-q", "--quiet"), "quiet", "say nothing but errors"),
    _Option(("-v", "--verbose"), "verbose", "say where each secret came from"),
)


class _Options:
    """The options of ``run``, as they are unless given."""

    def __init__(self) -> None:
        self.env: list[str] = []
        self.env_file: list[str] = []
        self.profile: str | None = None
        self.alias: str | None = None
        self.remember: configuration.Remember | None = None
        self.ask = False
        self.confirm: bool | None = None
        self.no_input = False
        self.prompt_timeout: float = resolve.PERSON
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


def _read(arguments: Sequence[str]) -> tuple[_Options | None, list[str]]:
    """Part the options of ``run`` from the command: the first word that is no option.

    :returns: no options if help is wanted.
    """
    known = {name: option for option in _OPTIONS for name in option.names}
    found, rest = _Options(), list(arguments)
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
            if name in known and not known[name].takes:
                cluster, value = value, ""
            equals = value
            value = value.removeprefix("=")
        option = known.get(name)
        if option is None:
            raise Usage(f"there is no option {visible(name)}", "secretly run --help")
        if cluster:
            rest.insert(0, f"-{cluster}")
        if not option.takes and equals:
            raise Usage(f"{name} takes no value", "secretly run --help")
        if not option.takes or (option.takes.endswith("?") and not equals):
            found.take(option, None)
            continue
        if not equals:
            if not rest or rest[0] == "--":
                raise Usage(f"{name} needs a {option.takes}", "secretly run --help")
            value = rest.pop(0)
        found.take(option, value)
    return found, rest


def _help(about: str) -> None:
    helped = parser("secretly run", about, _EXAMPLE)
    helped.usage = "secretly run [options] [--] COMMAND [ARG...]"
    for option in _OPTIONS:
        if not option.takes:
            helped.add_argument(*option.names, action="store_true", help=option.help)
            continue
        name = option.takes.removesuffix("?")
        helped.add_argument(
            *option.names,
            metavar=name,
            nargs=None if name == option.takes else "?",
            help=option.help,
        )
    helped.print_help()


def run(about: str, arguments: Sequence[str]) -> int:
    """Carry out the verb; on success the command takes this process's place.

    :param about: what it does, for its help.
    """
    options, command = _read(arguments)
    if options is None:
        _help(about)
        return 0
    if not command:
        raise Usage("there is no command to run", "secretly run [options] COMMAND [ARG...]")
    mute = options.quiet
    context = own_context(options.no_input, (lambda message: None) if mute else say)
    call = commands.call_of(command, context.configuration, options.alias, context.environ)
    if options.alias is not None and call is None:
        raise Usage(f"no command {options.alias} is known", "--as takes a name that is configured")
    explicit = dict(_variable(text) for text in options.env)
    profile = delivery.profile(call, options.profile)
    file = None
    if options.env_file:
        from . import envfile

        file = envfile.read(options.env_file)
    if call is None and not explicit and not options.env_file:
        raise Refused(
            f"nothing to hand to {visible(command[0])}",
            "say which: secretly run -e VARIABLE=NAME " + shown(command, 60),
        )
    program = launch.find_program(command[0], context.environ)
    wish = Wish(
        Reference("", ""),
        remember=options.remember,
        confirm=options.confirm,
        person=options.prompt_timeout,
        fresh=options.ask,
    )
    planned = delivery.planned(
        launch.Plan(program, command), wish, call, profile, explicit, context, file
    )
    deliveries, plan, upload, listing = planned
    if deliveries:
        trust.check(program, "the program")
    if options.dry_run:
        filed = set(file.plain if file else ()) - set(profile.env if profile else ())
        _print_plan(planned, context, filed)
        return 0
    if deliveries:
        if options.confirm is not False:
            for line in listing:  # harmless already, and part of the question
                print(line, file=sys.stderr)
        tell = say if options.verbose else lambda message: None
        launch.locale_as_given()  # it cannot be read any more once secrets are near
        plan = drive(delivery.filled(plan, deliveries, upload, context, tell))
    launch.run(plan, context.note, guard.lifted())
    raise AssertionError("execve returned")


def _variable(text: str) -> tuple[str, str]:
    name, equals, reference = text.partition("=")
    if looks_secret(name):
        raise Usage("that looks like a secret, not like a variable", "-e VARIABLE=NAME")
    return configuration.check_variable(name), reference if equals else name


def _print_plan(planned: Planned, context: Context, filed: set[str]) -> None:
    deliveries, plan, upload, _ = planned
    print(f"program: {visible(plan.program)}")
    for name in plan.environ:
        if name not in [one.variable for one in deliveries]:
            by = "an env file" if name in filed else "the configuration"
            print(f"{visible(name)}: set by {by}")
    for one in deliveries:
        wish = one.wish
        places = [_place(name, context) for name in (*wish.names, str(wish.reference))]
        print(f"{visible(one.variable)}: {', else '.join(places)}")
        if one.username:
            print(f"{visible(one.username)}: the user name that goes with it")
    for name in plan.removes:
        if name in context.environ:
            print(f"{visible(name)}: removed")
    if upload is not None:
        for line in upload.described():
            print(line)


def _place(reference: str, context: Context) -> str:
    found = parse(reference)
    entry = context.configuration.entry(found.name)
    if found.scheme:
        return visible(str(found))
    if entry.source is not None:
        return f"{visible(reference)} from {visible(str(entry.source))}"
    return f"{visible(reference)} from the keychain or typed"
