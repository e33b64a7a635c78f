"""``secretly set --missing``: ask for what an env file names and the keychain lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..asking import wording
from ..errors import Cancelled, KeychainUnavailable, NotFound, SecretlyError
from ..resolving.candidates import KEYCHAIN, username_for
from ..resolving.obtain import look_up_each
from ..resolving.request import Context
from ..resolving.storing import other_usernames, replace_secret
from ..text import escape, shell_quote
from . import references
from .console import drive, say
from .references import MISSING, Verdict, Wanted
from .storing import ask_for, confirm_replacing


class _Missing(NamedTuple):
    """What is missing under one name.

    :param variables: the variables that it is for.
    :param fields: ``"password"``, ``"username"`` or both.
    """

    name: str
    variables: list[str]
    fields: set[str]

    @property
    def without_username(self) -> bool:
        """Whether the secret is stored, but not the user name that the file wants as well."""
        return "password" not in self.fields


def store_missing(
    paths: Sequence[str], literal: Sequence[str], context: Context, replace: bool
) -> int:
    """Ask for each missing secret and store it; return the exit status.

    :param replace: don't ask before a secret of another user name is replaced.
    """
    wanted = references.read_wanted(paths, literal, context.environ)
    stored: list[str] = []

    async def store() -> list[str]:
        findings = await references.examine(wanted, context, deep=False)
        both = list(zip(wanted, findings, strict=True))
        missing, left = await _missing([one for one, found in both if _is_stored(found)], context)
        if missing and context.no_input:
            raise NotFound(
                f"can't ask you for {escape(missing[0].name)}: prompts are switched off",
                "store each from standard input: secretly set NAME --stdin",
            )
        for number, one in enumerate(missing, 1):
            position = f"{number} of {len(missing)}" if len(missing) > 1 else ""
            await _store(one, position, context, replace)
            stored.append(one.name)
            print(f"stored {escape(one.name)} in the keychain", flush=True)
        others = (one for one in findings if one.state == MISSING and not _is_stored(one))
        return left + [f"{one.text}: {one.hint}" for one in others]

    try:
        left = drive(store())
    except Cancelled as error:
        error.hint = f"stored before that: {', '.join(map(escape, stored)) or 'nothing'}"
        raise
    for line in left:
        say(f"still missing: {line}")
    if not (stored or left):
        print("nothing is missing")
    return 1 if left else 0


def _is_stored(found: Verdict) -> bool:
    """Whether a secret that is missing belongs into the keychain."""
    return found.state == MISSING and found.origin == KEYCHAIN


async def _missing(wanted: Sequence[Wanted], context: Context) -> tuple[list[_Missing], list[str]]:
    """What to ask for, and lines about what is missing, but can't be asked for.

    The keychain may have a secret that is not on the list of stored names: ``run`` finds it.

    :raises KeychainUnavailable: if the keychain can't store one.
    """
    found: dict[str, _Missing] = {}
    left = []
    if wanted:
        await context.keychain.describe()  # fail before the user types
    results = await look_up_each([one.request for one in wanted], context)
    for one, result in zip(wanted, results, strict=True):
        reference = one.request.reference
        if isinstance(result, NotFound):
            missing = found.setdefault(reference.path, _Missing(reference.path, [], set()))
            missing.variables.append(one.variable)
            missing.fields.add(reference.usual)
        elif isinstance(result, KeychainUnavailable):
            raise result
        elif isinstance(result, SecretlyError):
            left.append(f"{result}: {result.hint}")
    for name in [name for name, one in found.items() if one.without_username]:
        del found[name]
        call = f"secretly set {shell_quote(name)} --username U"
        left.append(f"{escape(name)} is stored without a user name: {call}")
    return list(found.values()), left


async def _store(one: _Missing, position: str, context: Context, replace: bool) -> None:
    """Ask for a secret, and for its user name if a variable gets it, and store it."""
    name, entry = one.name, context.configuration.entry(one.name)
    purpose = wording.missing_purpose(escape(name), escape(", ".join(dict.fromkeys(one.variables))))
    typed = None
    if "username" in one.fields:
        typed = str(await ask_for(name, context, purpose, position=position, field="username"))
    username = username_for(typed, entry)
    others = await other_usernames(entry, username, context)
    if others and not replace:
        await confirm_replacing(name, username, others, context, True)
    value = await ask_for(name, context, purpose, position=position)
    await replace_secret(entry, value, username, context)
