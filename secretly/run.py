"""``secretly run``: its options, what it would do, and the exec."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from . import commands, configuration, launch
from .console import Usage, drive, guard, own_context, quiet, say
from .display import shown, visible
from .errors import Refused
from .records import Record
from .redacted import Environment
from .references import Reference, looks_secret, parse

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from .delivery import Planned
    from .envfile import EnvFile
    from .resolve import Context

__all__ = ["run"]

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
            if name == "-h":
                return None, []
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
            if not rest or (rest[0].startswith("-") and rest[0] != "-"):  # --env=-x if it is meant
                raise Usage(f"{name} needs a {option.takes}", "secretly run --help")
            value = rest.pop(0)
        found.take(option, value)
    return found, rest


def _help(about: str) -> None:
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
    environ = Environment(os.environ)
    known = configuration.load(environ)
    call = commands.call_of(command, known, options.alias)
    if options.alias is not None and call is None:
        raise Usage(f"no command {options.alias} is known", "--as takes a name that is configured")
    explicit = dict(_variable(text) for text in options.env)
    profile = commands.profile(call, options.profile)
    file = None
    if options.env_file:
        from . import envfile

        file = envfile.read(options.env_file)
        if not options.quiet:
            for line in envfile.doubtful(file):
                say(line)
    if call is None and not explicit and file is None:
        raise Refused(
            f"nothing to hand to {visible(command[0])}",
            "say which: secretly run -e VARIABLE=NAME " + shown(command, 60),
        )
    plan = launch.Plan(launch.find_program(command[0], environ), command)
    if explicit or options.dry_run or (file and file.references) or (call and call.needs_secret):
        delivered = _deliver(options, plan, call, profile, explicit, file, known)
        if delivered is None:
            return 0
        plan = delivered
    else:
        plain = {**(file.plain if file else {}), **(profile.env if profile else {})}
        plan = plan._replace(environ=plain)
        if call is not None and options.verbose:
            say(f"{visible(call.row.name)} gets no secret: as far as is known, this needs none")
    launch.run(plan, quiet if options.quiet else say, guard.lifted())
    raise AssertionError("execve returned")


def _deliver(
    options: _Options,
    plan: launch.Plan,
    call: commands.Call | None,
    profile: configuration.Profile | None,
    explicit: Mapping[str, str],
    file: EnvFile | None,
    known: configuration.Configuration,
) -> launch.Plan | None:
    """Put the secrets into the plan; None if it was only to be shown."""
    from . import delivery, resolve

    context = own_context(known, options.no_input, quiet if options.quiet else say)
    wish = resolve.Wish(
        Reference("", ""),
        remember=options.remember,
        confirm=options.confirm,
        person=options.prompt_timeout or resolve.PERSON,
        fresh=options.ask,
    )
    planned = delivery.planned(plan, wish, call, profile, explicit, context, file)
    if planned.deliveries:
        launch.check(plan.program, context.environ)
    if options.dry_run:
        filed = set(file.plain if file else ()) - set(profile.env if profile else ())
        _print_plan(planned, context, filed)
        return None
    if not planned.deliveries:
        return planned.plan
    if options.confirm is not False:
        for line in planned.listing:  # harmless already, and part of the question
            print(line, file=sys.stderr)
    tell = say if options.verbose else quiet
    launch.locale_as_given()  # it cannot be read any more once secrets are near
    return drive(delivery.filled(planned.plan, planned.deliveries, planned.release, context, tell))


def _variable(text: str) -> tuple[str, str]:
    name, equals, reference = text.partition("=")
    if looks_secret(name):
        raise Usage("that looks like a secret, not like a variable", "-e VARIABLE=NAME")
    return configuration.check_variable(name), reference if equals else name


def _print_plan(planned: Planned, context: Context, filed: set[str]) -> None:
    deliveries, plan, upload = planned.deliveries, planned.plan, planned.release
    print(f"program: {visible(plan.program)}")
    for name in plan.environ:
        if name not in [one.variable for one in deliveries]:
            by = "an env file" if name in filed else "the configuration"
            what = "set" if plan.environ[name] else "set to nothing"
            print(f"{visible(name)}: {what} by {by}")
    for one in deliveries:
        wish = one.wish
        places = [_place(name, context) for name in (*wish.names, str(wish.reference))]
        print(f"{visible(one.variable)}: {', else '.join(places)}")
        if one.username:
            print(f"{visible(one.username)}: the user name that goes with it")
    for name in plan.removes:
        if name in context.environ and name not in plan.environ:
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
    if any(one.name == found.name for one in context.memory.held()):
        return f"{visible(reference)} from memory"
    return f"{visible(reference)} from the keychain or typed"
