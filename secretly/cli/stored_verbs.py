"""The verbs for stored secrets."""

from __future__ import annotations

import contextlib
import sys
from argparse import ArgumentParser, Namespace
from types import SimpleNamespace
from typing import Any

from ..errors import KeychainUnavailable, NotFound, Refused
from ..redacted import Secret
from ..reference import Reference, parse
from ..resolving import ask, keep, lookup, model, obtain
from ..resolving.model import Context, SecretRequest
from ..text import escape
from .console import UsageError, drive, hardening, user_context


def _name(text: str) -> str:
    """A plain name, for what is kept in the keychain."""
    reference = parse(text)
    if reference.scheme or reference.field:
        raise UsageError(f"{text} is not a plain name", "the keychain keeps names, such as PyPI")
    return reference.path


def _set(options: Namespace) -> int:
    name, context = _name(options.reference), user_context()
    entry = context.configuration.entry(name)
    if entry.source is not None:
        raise Refused(
            f"{escape(name)} is configured to come from {escape(str(entry.source))}",
            "change it there, or take its source out of the configuration",
        )
    username = options.username or entry.username
    if options.stdin:
        value, wrong = lookup.validate_token(entry, _read_stdin())
        if wrong:
            raise Refused(
                f"nothing was kept: {wrong[0].lower()}{wrong[1:]}", "check what is piped in"
            )
        drive(
            keep.store_secret(
                name,
                value,
                username or model.login_name(),
                username is not None,
                model.PROMPT_TIMEOUT,
                context,
            )
        )
    else:
        if context.no_input:
            raise NotFound("there is nobody to ask for it", "use --stdin")
        drive(_ask_and_keep(name, username, context))
    print(f"kept {escape(name)} in the keychain")
    return 0


async def _ask_and_keep(name: str, username: str | None, context: Context) -> None:
    entry = context.configuration.entry(name)
    await context.keychain.describe()  # before anybody types for nothing
    wish = SecretRequest(
        Reference("", name),
        purpose="to keep it in the keychain",
        ignore_stored=True,
        remember=False,
        repeat=not entry.prefix,
    )
    typed = (await obtain.obtain(wish, context)).secret
    await keep.store_secret(
        name,
        typed,
        username or model.login_name(),
        username is not None,
        model.PROMPT_TIMEOUT,
        context,
    )


def _read_stdin() -> Secret:
    """All of standard input, without one newline at its end."""
    limit = 1 << 20
    if sys.stdin is None:
        raise Refused("standard input is closed", "pipe the secret in, or leave --stdin away")
    hardening.close()
    data, wrong = sys.stdin.buffer.read(limit + 1), ""
    with contextlib.suppress(UnicodeDecodeError):
        text = data.decode("utf-8")
        if len(data) <= limit:
            return Secret(text.removesuffix("\r\n" if text.endswith("\r\n") else "\n"))
        wrong = "is longer than 1 MiB"
    data = b""
    raise Refused(f"standard input {wrong or 'is not UTF-8 text'}", "a secret is a short text")


def _get(options: Namespace) -> int:
    print_secret(stored(options.reference, "to print it").secret, options.bare)
    return 0


def stored(reference: str, purpose: str, release_it: bool = True) -> model.ResolvedSecret:
    """What is stored, with the person's consent where that is wanted."""
    context = user_context()
    wish = SecretRequest(parse(reference), purpose=purpose)

    async def get() -> model.ResolvedSecret | None:
        try:
            found = await lookup.find_stored(wish, context)
        except KeychainUnavailable as error:
            raise lookup.unavailable(wish, error) from None
        if found is None or not release_it:
            return found
        return await ask.confirm_use(wish, found, context)

    found = drive(get())
    if found is None:
        raise lookup.missing(wish)
    return found


def print_secret(secret: Secret, bare: bool) -> None:
    printed = f"{secret}{'' if bare else chr(10)}"
    sys.stdout.buffer.write(printed.encode("utf-8", "surrogateescape"))


def _forget(options: Namespace) -> int:
    name, context = _name(options.reference), user_context()
    if not drive(keep.forget_secret(name, None, model.PROMPT_TIMEOUT, context)):
        raise NotFound(f"there is no secret {escape(name)} in the keychain", "secretly list")
    print(f"forgot {escape(name)}")
    return 0


def _lock(options: Namespace) -> int:
    from ..keeping.kernel_keyring import KernelKeyring

    number = KernelKeyring().drop()
    print(f"dropped {number} {'secret' if number == 1 else 'secrets'} from memory")
    return 0


def _list(options: Namespace) -> int:
    context = user_context()
    held: dict[str, str] = {}
    for one in context.memory.held():
        where = f"in memory, {one.left} left" if one.left else "in memory"
        held[one.name] = f"{held[one.name]}; {where}" if one.name in held else where
    rows = {
        item.name: f"the keychain, user {item.username}, since {item.stored[:10]}"
        for item in context.stored_names.items()
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
        print(f"{escape(name):{width}}  {escape(where)}")
    return 0


def _set_arguments(verb: ArgumentParser) -> None:
    verb.add_argument("reference", metavar="REFERENCE")
    verb.add_argument("--username", metavar="U", help="the user name that goes with it")
    verb.add_argument("--stdin", action="store_true", help="read it from standard input")


def _get_arguments(verb: ArgumentParser) -> None:
    verb.add_argument("reference", metavar="REFERENCE")
    verb.add_argument("-n", dest="bare", action="store_true", help="print no newline after it")


def _forget_arguments(verb: ArgumentParser) -> None:
    verb.add_argument("reference", metavar="REFERENCE")


def _no_arguments(verb: ArgumentParser) -> None:
    """It has none."""


VERBS: dict[str, Any] = {
    name: SimpleNamespace(
        EXAMPLE=f"example:\n  secretly {example}\n", add_arguments=add, execute=do
    )
    for name, example, add, do in (
        ("set", "set PyPI", _set_arguments, _set),
        ("get", "get PyPI | pbcopy", _get_arguments, _get),
        ("forget", "forget PyPI", _forget_arguments, _forget),
        ("list", "list", _no_arguments, _list),
        ("lock", "lock", _no_arguments, _lock),
    )
}
