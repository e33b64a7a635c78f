"""The command: its arguments, what it prints, its exit statuses; joins the rooms."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import re
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from . import (
    commands,
    configuration,
    delivery,
    doctor,
    envfile,
    eventloop,
    launch,
    resolve,
    trust,
)
from .delivery import Planned
from .display import shown, visible
from .errors import BadConfiguration, BadReference, Cancelled, NotFound, Refused, SecretlyError
from .redacted import Environment, Secret
from .references import Reference, looks_secret, parse, without_secrets
from .resolve import Context, Wish
from .signals import Interrupted, Signals

__all__ = ["main"]

T = TypeVar("T")


class _Usage(SecretlyError):
    """The command line cannot be read."""


_signals = Signals()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    _signals.release()  # Python's own handler of INT shows a traceback
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller; print would use the other one
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    own_failure = 125 if arguments[:1] == ["run"] else 1
    try:
        status = _dispatch(list(arguments))
        sys.stdout.flush()
    except SecretlyError as error:
        status = _status(error, own_failure)
        if not _signals.pending:
            _complain(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = own_failure
    except (Interrupted, KeyboardInterrupt):
        _signals.pending = True
        status = own_failure
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left would fail again
            _complain(SecretlyError(f"cannot write: {error.strerror}", "make room on the disk"))
        elif not _signals.pending:
            _unexpected(error)
        status = own_failure
    except BaseException:
        if not _signals.pending:
            raise
        status = own_failure
    if _signals.pending:
        _signals.die()
    return status


def _status(error: SecretlyError, own_failure: int) -> int:
    if isinstance(error, Cancelled):
        return 130
    if isinstance(error, launch.NotThere):
        return 127
    if isinstance(error, launch.NotExecutable):
        return 126
    if own_failure == 1 and isinstance(error, (_Usage, BadConfiguration, BadReference)):
        return 2
    return own_failure


def _complain(error: SecretlyError) -> None:
    _say(str(error))
    if error.hint:
        print(f"  {visible(without_secrets(error.hint))}", file=sys.stderr)


def _say(message: str) -> None:
    # A token that was typed in a wrong place is in the message about that place.
    print(f"secretly: {visible(without_secrets(message))}", file=sys.stderr)


def _unexpected(error: Exception) -> None:
    """Say where it happened, and nothing of what it was about."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} ({code.co_name})"
        trace = trace.tb_next
    _say(f"an error in secretly itself: {type(error).__name__} at {place}")
    print("  please report this line; nothing was handed over", file=sys.stderr)


def _drive(coroutine: Coroutine[Any, Any, T]) -> T:
    _signals.install()
    try:
        return eventloop.run(coroutine, _signals)
    finally:
        _signals.release()


# -- arguments -------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        # An abbreviation that works today would be part of the contract.
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise _Usage(message, f"{self.prog} --help")


_RUN_EXAMPLE = """examples:
  secretly run twine upload dist/*          a known command: no option needed
  secretly run -e API_KEY=OpenAI ./call.py  any other: the variable, and the secret's name
"""


def _add_run(add: Callable[..., _Parser]) -> None:
    parser = add("run", "run a command with secrets in its environment", _RUN_EXAMPLE)
    parser.usage = "secretly run [options] [--] COMMAND [ARG...]"
    one = parser.add_argument
    one(
        "-e",
        "--env",
        action="append",
        default=[],
        metavar="VARIABLE[=REFERENCE]",
        help="put a secret into this variable (repeatable; X means X=X)",
    )
    one(
        "--env-file",
        action="append",
        default=[],
        metavar="FILE",
        help="set the variables of this .env file, and resolve the references in it (repeatable)",
    )
    one("-p", "--profile", metavar="NAME", help="use this profile of the command")
    one("--as", dest="alias", metavar="NAME", help="treat it as this known command")
    one(
        "--remember",
        nargs="?",
        const=True,
        type=configuration.duration,
        metavar="DURATION",
        help="keep what is typed in the keychain (for a DURATION: not yet; it says so)",
    )
    one("--no-remember", dest="remember", action="store_false", help="keep nothing")
    one("--ask", action="store_true", help="ask, even for a secret that is stored")
    one("--confirm", action="store_true", default=None, help="confirm the use of a stored secret")
    one("--no-confirm", dest="confirm", action="store_false", help="do not confirm it")
    one("--no-input", action="store_true", help="never ask: fail (also SECRETLY_NO_INPUT=1)")
    one(
        "--prompt-timeout",
        type=configuration.duration,
        default=resolve.PERSON,
        metavar="DURATION",
        help="how long a prompt waits (60s, 15m, 2h; default 300s)",
    )
    one("--dry-run", action="store_true", help="say what would be done; ask and run nothing")
    one("-q", "--quiet", action="store_true", help="say nothing but errors")
    one("-v", "--verbose", action="store_true", help="say where each secret came from")
    parser.set_defaults(call=None)


def _parser() -> _Parser:
    parser = _Parser(
        prog="secretly",
        description="Hand a secret to one program, for one moment.",
        epilog="example:\n  secretly run twine upload dist/*\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers(metavar="VERB", parser_class=_Parser)

    def add(name: str, text: str, example: str) -> _Parser:
        return verbs.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=example,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    _add_run(add)
    verb = add("set", "keep a secret in the keychain", "example:\n  secretly set PyPI\n")
    verb.add_argument("reference", metavar="REFERENCE")
    verb.add_argument("--username", metavar="U", help="the user name that goes with it")
    verb.add_argument("--stdin", action="store_true", help="read it from standard input")
    verb.set_defaults(call=_set)
    verb = add("get", "print a secret", "example:\n  secretly get PyPI | pbcopy\n")
    verb.add_argument("reference", metavar="REFERENCE")
    verb.add_argument("-n", dest="bare", action="store_true", help="print no newline after it")
    verb.set_defaults(call=_get)
    verb = add("forget", "take a secret out of the keychain", "example:\n  secretly forget PyPI\n")
    verb.add_argument("reference", metavar="REFERENCE")
    verb.set_defaults(call=_forget)
    verb = add(
        "list", "list the secrets that are kept or configured", "example:\n  secretly list\n"
    )
    verb.set_defaults(call=_list)
    _add_token(add("token", "look at a PyPI token, or make a weaker one of it", _TOKEN_EXAMPLE))
    verb = add("shim", "make small executables of a command's profiles", _SHIM_EXAMPLE)
    verb.add_argument("command", metavar="COMMAND", nargs="?")
    verb.add_argument("--refuse", action="store_true", help="and a COMMAND that refuses")
    verb.add_argument("--dir", metavar="FOLDER", help="where they are put")
    verb.add_argument("--list", action="store_true", help="say which there are")
    verb.add_argument("--remove", action="store_true", help="take them away")
    verb.set_defaults(call=_shim)
    verb = add(
        "doctor", "say what would be used here, and what is wrong", "example:\n  secretly doctor\n"
    )
    verb.set_defaults(call=_doctor)
    return parser


_SHIM_EXAMPLE = """examples:
  secretly shim twine              dev.twine, prod.twine: one a profile
  secretly shim --refuse twine     and a twine that says to use these
  secretly shim --remove twine
"""

_TOKEN_EXAMPLE = """examples:
  secretly token show PyPI
  secretly token narrow PyPI --project demo --expires 15m
"""


def _add_token(parser: _Parser) -> None:
    verbs = parser.add_subparsers(metavar="VERB", parser_class=_Parser, required=True)
    show = verbs.add_parser(
        "show",
        help="say what a token allows, never the token",
        description="Say what a PyPI token allows: its index, projects and end. Never the token.",
        epilog="example:\n  secretly token show PyPI\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    show.add_argument("reference", metavar="REFERENCE")
    show.set_defaults(call=_token_show)
    narrow = verbs.add_parser(
        "narrow",
        help="print a token that allows less",
        description="Print a PyPI token that is for these projects only, and ends soon.",
        epilog="example:\n  secretly token narrow PyPI --project demo --expires 15m\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    narrow.add_argument("reference", metavar="REFERENCE")
    narrow.add_argument(
        "--project",
        action="append",
        default=[],
        metavar="P",
        help="the project that it is for (repeatable; without, those of the token)",
    )
    narrow.add_argument(
        "--expires",
        type=configuration.duration,
        metavar="DURATION",
        help="when it ends (60s, 15m, 2h; default 15m)",
    )
    narrow.add_argument("-n", dest="bare", action="store_true", help="print no newline after it")
    narrow.set_defaults(call=_token_narrow)


#: Options of ``run`` that take a value in the following argument.
_VALUED = {"-e", "--env", "--env-file", "-p", "--profile", "--as", "--prompt-timeout"}


def _split_run(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Part the options of ``run`` from the command: the first word that is no option."""
    position = 0
    while position < len(arguments):
        word = arguments[position]
        if word == "--":
            return arguments[:position], arguments[position + 1 :]
        if not word.startswith("-") or word == "-":
            break
        # As a cluster of short options, too: -qe X=Y.
        position += 2 if word in _VALUED or re.fullmatch("-[qv]+[ep]", word) else 1
    return arguments[:position], arguments[position:]


def _dispatch(arguments: list[str]) -> int:
    parser = _parser()
    command: list[str] = []
    if arguments[:1] == ["run"]:
        options, command = _split_run(arguments[1:])
        arguments = ["run", *options]
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit:  # it printed a help
        return 0
    if parsed.version:
        from importlib.metadata import version

        print(f"secretly {version('secretly')}")
        return 0
    if not hasattr(parsed, "call"):
        parser.print_help()
        return 0
    if arguments[0] == "run":
        return _run(parsed, command)
    status: int = parsed.call(parsed)
    return status


def _no_input(environ: Mapping[str, str]) -> bool:
    return environ.get("SECRETLY_NO_INPUT", "0") not in ("", "0")


def _context(no_input: bool = False, note: Callable[[str], None] = _say) -> Context:
    environ = Environment(os.environ)
    context = Context.of(configuration.load(environ), environ)
    return context._replace(no_input=no_input or _no_input(environ), note=note)


# -- run -------------------------------------------------------------------------


def _run(options: argparse.Namespace, command: list[str]) -> int:
    if not command:
        raise _Usage("there is no command to run", "secretly run [options] COMMAND [ARG...]")
    mute = options.quiet
    context = _context(options.no_input, (lambda message: None) if mute else _say)
    call = commands.call_of(command, context.configuration, options.alias, context.environ)
    if options.alias is not None and call is None:
        raise _Usage(f"no command {options.alias} is known", "--as takes a name that is configured")
    explicit = dict(_variable(text) for text in options.env)
    profile = delivery.profile(call, options.profile)
    file = envfile.read(options.env_file) if options.env_file else envfile.EnvFile({}, {})
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
        _print_plan(planned, context, set(file.plain) - set(profile.env if profile else ()))
        return 0
    if deliveries:
        if options.confirm is not False:
            for line in listing:  # harmless already, and part of the question
                print(line, file=sys.stderr)
        tell = _say if options.verbose else lambda message: None
        plan = _drive(delivery.filled(plan, deliveries, upload, context, tell))
    launch.run(plan, context.note)
    raise AssertionError("execve returned")


def _variable(text: str) -> tuple[str, str]:
    name, equals, reference = text.partition("=")
    if looks_secret(name):
        raise _Usage("that looks like a secret, not like a variable", "-e VARIABLE=NAME")
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


# -- the other verbs -------------------------------------------------------------


def _name(text: str) -> str:
    """A plain name, for what is kept in the keychain."""
    reference = parse(text)
    if reference.scheme or reference.field:
        raise _Usage(f"{text} is not a plain name", "the keychain keeps names, such as PyPI")
    return reference.path


def _set(options: argparse.Namespace) -> int:
    name, context = _name(options.reference), _context()
    entry = context.configuration.entry(name)
    if entry.source is not None:
        raise Refused(
            f"{visible(name)} is configured to come from {visible(str(entry.source))}",
            "change it there, or take its source out of the configuration",
        )
    username = options.username or entry.username
    if options.stdin:
        value, wrong = resolve.cleaned(entry, _read_stdin())
        if wrong:
            raise Refused(
                f"nothing was kept: {wrong[0].lower()}{wrong[1:]}", "check what is piped in"
            )
        _drive(
            resolve.keep(
                name,
                value,
                username or resolve.login_name(),
                username is not None,
                resolve.PERSON,
                context,
            )
        )
    else:
        if context.no_input:
            raise NotFound("there is nobody to ask for it", "use --stdin")
        _drive(_ask_and_keep(name, username, context))
    print(f"kept {visible(name)} in the keychain")
    return 0


async def _ask_and_keep(name: str, username: str | None, context: Context) -> None:
    entry = context.configuration.entry(name)
    await context.keychain.describe()  # before anybody types for nothing
    wish = Wish(
        Reference("", name),
        purpose="to keep it in the keychain",
        fresh=True,
        remember=False,
        repeat=not entry.prefix,
    )
    typed = (await resolve.obtain(wish, context)).secret
    await resolve.keep(
        name, typed, username or resolve.login_name(), username is not None, resolve.PERSON, context
    )


def _read_stdin() -> Secret:
    """All of standard input, without one newline at its end."""
    limit = 1 << 20
    if sys.stdin is None:
        raise Refused("standard input is closed", "pipe the secret in, or leave --stdin away")
    data, wrong = sys.stdin.buffer.read(limit + 1), ""
    with contextlib.suppress(UnicodeDecodeError):
        text = data.decode("utf-8")
        if len(data) <= limit:
            return Secret(text.removesuffix("\r\n" if text.endswith("\r\n") else "\n"))
        wrong = "is longer than 1 MiB"
    data = b""
    raise Refused(f"standard input {wrong or 'is not UTF-8 text'}", "a secret is a short text")


def _get(options: argparse.Namespace) -> int:
    _print_secret(_stored(options.reference, "to print it").secret, options.bare)
    return 0


def _stored(reference: str, purpose: str, release_it: bool = True) -> resolve.Found:
    """What is stored, with the person's consent where that is wanted."""
    context = _context()
    wish = Wish(parse(reference), purpose=purpose)

    async def get() -> resolve.Found | None:
        found = await resolve.find_stored(wish, context)
        if found is None or not release_it:
            return found
        return await resolve.released(wish, found, context)

    found = _drive(get())
    if found is None:
        raise resolve.not_found(wish)
    return found


def _print_secret(secret: Secret, bare: bool) -> None:
    printed = f"{secret}{'' if bare else chr(10)}"
    sys.stdout.buffer.write(printed.encode("utf-8", "surrogateescape"))


def _token_show(options: argparse.Namespace) -> int:
    from . import macaroon

    found = _stored(options.reference, "to look at it", release_it=False)
    for line in macaroon.allowed(found.secret).described():
        print(line)
    return 0


def _token_narrow(options: argparse.Namespace) -> int:
    from . import distributions, macaroon, release

    for name in options.project:
        if not distributions.is_project(name):
            raise _Usage(f"'{visible(name)}' is no name of a project", "--project demo")
    projects = [distributions.normalised(name) for name in options.project]
    found = _stored(options.reference, "to print a narrowed token")
    allowed, now = macaroon.allowed(found.secret), time.time()
    if lacking := allowed.lacks(projects):
        raise Refused(
            f"the token for {visible(found.name)} is not for the project {lacking[0]}",
            "a token can be made weaker, not stronger",
        )
    if allowed.expires is not None and allowed.expires <= now:
        raise Refused(f"the token for {visible(found.name)} has expired", "make another")
    token = macaroon.narrowed(
        found.secret,
        not_before=int(now) - release.SKEW,
        expires=int(now + (options.expires or release.LIFETIME)),
        projects=projects or None,
    )
    _print_secret(token, options.bare)
    return 0


def _forget(options: argparse.Namespace) -> int:
    name, context = _name(options.reference), _context()
    if not _drive(resolve.forget(name, None, resolve.PERSON, context)):
        raise NotFound(f"there is no secret {visible(name)} in the keychain", "secretly list")
    print(f"forgot {visible(name)}")
    return 0


def _list(options: argparse.Namespace) -> int:
    context = _context()
    rows = {
        item.name: f"the keychain, user {item.username}, since {item.stored[:10]}"
        for item in context.index.items()
    }
    for name, entry in context.configuration.secrets.items():
        if entry.source is not None:
            rows[name] = str(entry.source)
        elif name not in rows:
            rows[name] = "not kept: asked for each time"
    width = max(map(len, rows), default=0)
    for name, where in sorted(rows.items()):
        print(f"{visible(name):{width}}  {visible(where)}")
    return 0


def _shim(options: argparse.Namespace) -> int:
    from . import shims

    environ = Environment(os.environ)
    place = shims.folder(environ, options.dir)
    if options.list or options.remove:
        act = shims.remove if options.remove else shims.listed
        for path in act(place, options.command):
            print(f"{'removed ' if options.remove else ''}{visible(os.fspath(path))}")
        return 0
    if options.command is None:
        raise _Usage("which command?", "secretly shim twine")
    row = configuration.load(environ).commands.get(options.command)
    if row is None:
        raise _Usage(
            f"no command {visible(options.command)} is known", "configure [commands.NAME.profiles]"
        )
    for path in shims.write(place, shims.made(row, options.refuse)):
        print(f"wrote {visible(os.fspath(path))}")
    if os.fspath(place) not in environ.get("PATH", "").split(os.pathsep):
        _say(f"put {place} on PATH, before the folder that {options.command} itself is in")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    good = True
    for line in _drive(doctor.examine(Environment(os.environ))):
        print(f"{'ok' if line.good else '!!' if line.good is False else '  '}  {line.text}")
        good = good and line.good is not False
    return 0 if good else 1
