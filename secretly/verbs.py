"""The verbs beside ``run``: for what is kept, for tokens, for shims, and the doctor."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import configuration, resolve, trust
from .console import Usage, drive, guard, own_context, parser, say
from .display import visible
from .errors import KeychainUnavailable, NotFound, Refused
from .redacted import Environment, Secret
from .references import Reference, parse
from .resolve import Context, Wish

__all__ = ["carry_out"]


def _name(text: str) -> str:
    """A plain name, for what is kept in the keychain."""
    reference = parse(text)
    if reference.scheme or reference.field:
        raise Usage(f"{text} is not a plain name", "the keychain keeps names, such as PyPI")
    return reference.path


def _set(options: Namespace) -> int:
    name, context = _name(options.reference), own_context()
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
        drive(
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
        drive(_ask_and_keep(name, username, context))
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
    guard.close()
    data, wrong = sys.stdin.buffer.read(limit + 1), ""
    with contextlib.suppress(UnicodeDecodeError):
        text = data.decode("utf-8")
        if len(data) <= limit:
            return Secret(text.removesuffix("\r\n" if text.endswith("\r\n") else "\n"))
        wrong = "is longer than 1 MiB"
    data = b""
    raise Refused(f"standard input {wrong or 'is not UTF-8 text'}", "a secret is a short text")


def _get(options: Namespace) -> int:
    _print_secret(_stored(options.reference, "to print it").secret, options.bare)
    return 0


def _stored(reference: str, purpose: str, release_it: bool = True) -> resolve.Found:
    """What is stored, with the person's consent where that is wanted."""
    context = own_context()
    wish = Wish(parse(reference), purpose=purpose)

    async def get() -> resolve.Found | None:
        try:
            found = await resolve.find_stored(wish, context)
        except KeychainUnavailable as error:
            raise resolve.not_had(wish, error) from None
        if found is None or not release_it:
            return found
        return await resolve.released(wish, found, context)

    found = drive(get())
    if found is None:
        raise resolve.not_found(wish)
    return found


def _print_secret(secret: Secret, bare: bool) -> None:
    printed = f"{secret}{'' if bare else chr(10)}"
    sys.stdout.buffer.write(printed.encode("utf-8", "surrogateescape"))


def _token_show(options: Namespace) -> int:
    from . import macaroon

    found = _stored(options.reference, "to look at it", release_it=False)
    for line in macaroon.allowed(found.secret).described():
        print(line)
    return 0


def _token_narrow(options: Namespace) -> int:
    import time

    from . import distributions, macaroon, release

    for name in options.project:
        if not distributions.is_project(name):
            raise Usage(f"'{visible(name)}' is no name of a project", "--project demo")
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


def _forget(options: Namespace) -> int:
    name, context = _name(options.reference), own_context()
    if not drive(resolve.forget(name, None, resolve.PERSON, context)):
        raise NotFound(f"there is no secret {visible(name)} in the keychain", "secretly list")
    print(f"forgot {visible(name)}")
    return 0


def _lock(options: Namespace) -> int:
    from .session import Session

    number = Session().drop()
    print(f"dropped {number} {'secret' if number == 1 else 'secrets'} from memory")
    return 0


def _list(options: Namespace) -> int:
    context = own_context()
    held: dict[str, str] = {}
    for one in context.memory.held():
        where = f"in memory, {one.left} left" if one.left else "in memory"
        held[one.name] = f"{held[one.name]}; {where}" if one.name in held else where
    rows = {
        item.name: f"the keychain, user {item.username}, since {item.stored[:10]}"
        for item in context.index.items()
    }
    for name, entry in context.configuration.secrets.items():
        if entry.source is not None:
            rows[name] = str(entry.source)
        elif name not in rows and name not in held:
            rows[name] = "not kept: asked for each time"
    for name, where in held.items():
        rows[name] = f"{where}; {rows[name]}" if name in rows else where
    width = max(map(len, rows), default=0)
    for name, where in sorted(rows.items()):
        print(f"{visible(name):{width}}  {visible(where)}")
    return 0


def _shim(options: Namespace) -> int:
    from . import shims

    environ = Environment(os.environ)
    place = shims.folder(environ, options.dir)
    if options.list or options.remove:
        act = shims.remove if options.remove else shims.listed
        for path in act(place, options.command):
            print(f"{'removed ' if options.remove else ''}{visible(os.fspath(path))}")
        return 0
    if options.command is None:
        raise Usage("which command?", "secretly shim twine")
    row = configuration.load(environ).commands.get(options.command)
    if row is None:
        raise Usage(
            f"no command {visible(options.command)} is known", "configure [commands.NAME.profiles]"
        )
    for path in shims.write(place, shims.made(row, options.refuse)):
        print(f"wrote {visible(os.fspath(path))}")
    folders = [os.path.normpath(f) for f in environ.get("PATH", "").split(os.pathsep) if f]
    own = os.path.normpath(place)
    real = trust.program_on_path(options.command, environ) or ""
    # Only one that refuses has the name of what is before it.
    before = folders[: folders.index(own)] if own in folders else None
    if before is None or (options.refuse and os.path.normpath(os.path.dirname(real)) in before):
        say(f"put {place} on PATH, before the folder that {options.command} itself is in")
    return 0


def _doctor(options: Namespace) -> int:
    from . import doctor

    good = True
    for line in drive(doctor.examine(Environment(os.environ))):
        print(f"{'ok' if line.good else '!!' if line.good is False else '  '}  {line.text}")
        good = good and line.good is not False
    return 0 if good else 1


# -- their arguments -------------------------------------------------------------


def _set_arguments(verb: ArgumentParser) -> None:
    verb.add_argument("reference", metavar="REFERENCE")
    verb.add_argument("--username", metavar="U", help="the user name that goes with it")
    verb.add_argument("--stdin", action="store_true", help="read it from standard input")


def _get_arguments(verb: ArgumentParser) -> None:
    verb.add_argument("reference", metavar="REFERENCE")
    verb.add_argument("-n", dest="bare", action="store_true", help="print no newline after it")


def _forget_arguments(verb: ArgumentParser) -> None:
    verb.add_argument("reference", metavar="REFERENCE")


def _token_arguments(verb: ArgumentParser) -> None:
    verbs = verb.add_subparsers(metavar="VERB", parser_class=type(verb), required=True)
    show = verbs.add_parser(
        "show",
        help="say what a token allows, never the token",
        description="Say what a PyPI token allows: its index, projects and end. Never the token.",
        epilog="example:\n  secretly token show PyPI\n",
    )
    show.add_argument("reference", metavar="REFERENCE")
    show.set_defaults(call=_token_show)
    narrow = verbs.add_parser(
        "narrow",
        help="print a token that allows less",
        description="Print a PyPI token that is for these projects only, and ends soon.",
        epilog="example:\n  secretly token narrow PyPI --project demo --expires 15m\n",
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


def _shim_arguments(verb: ArgumentParser) -> None:
    verb.add_argument("command", metavar="COMMAND", nargs="?")
    verb.add_argument("--dir", metavar="FOLDER", help="where they are put")
    one = verb.add_mutually_exclusive_group()
    one.add_argument("--refuse", action="store_true", help="and a COMMAND that refuses")
    one.add_argument("--list", action="store_true", help="say which there are")
    one.add_argument("--remove", action="store_true", help="take them away")


def _no_arguments(verb: ArgumentParser) -> None:
    """It has none."""


class _Verb(NamedTuple):
    example: str
    arguments: Callable[[ArgumentParser], None]
    call: Callable[[Namespace], int] | None = None


_TOKEN_EXAMPLE = """examples:
  secretly token show PyPI
  secretly token narrow PyPI --project demo --expires 15m
"""

_SHIM_EXAMPLE = """examples:
  secretly shim twine              dev.twine, prod.twine: one a profile
  secretly shim --refuse twine     and a twine that says to use these
  secretly shim --remove twine
"""

_VERBS = {
    "set": _Verb("example:\n  secretly set PyPI\n", _set_arguments, _set),
    "get": _Verb("example:\n  secretly get PyPI | pbcopy\n", _get_arguments, _get),
    "forget": _Verb("example:\n  secretly forget PyPI\n", _forget_arguments, _forget),
    "list": _Verb("example:\n  secretly list\n", _no_arguments, _list),
    "token": _Verb(_TOKEN_EXAMPLE, _token_arguments),
    "shim": _Verb(_SHIM_EXAMPLE, _shim_arguments, _shim),
    "lock": _Verb("example:\n  secretly lock\n", _no_arguments, _lock),
    "doctor": _Verb("example:\n  secretly doctor\n", _no_arguments, _doctor),
}


def carry_out(name: str, about: str, arguments: Sequence[str]) -> int:
    """Carry out a verb, and return the exit status.

    :param about: what it does, for its help.
    """
    verb = _VERBS[name]
    reader = parser(f"secretly {name}", about, verb.example)
    verb.arguments(reader)
    try:
        options = reader.parse_args(arguments)
    except SystemExit:  # it printed a help
        return 0
    call: Callable[[Namespace], int] = verb.call or options.call
    return call(options)
