"""The references of env files, and whether each of their secrets is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from .. import safefiles
from ..errors import KeychainUnavailable, SecretlyError
from ..reference import Reference
from ..resolving.candidates import (
    CONFIGURATION,
    KEYCHAIN,
    MEMORY,
    Candidate,
    ResolvedSecret,
    find_candidates,
)
from ..resolving.lookup import NameList
from ..resolving.obtain import look_up_each
from ..resolving.request import Context, SecretRequest
from ..running.delivery import Delivery, Environment
from ..running.env_file import read_env_files
from ..running.plain import plain_variables, separate
from ..sources import registry
from ..text import escape, shell_quote

THERE, MISSING, UNKNOWN = "there", "missing", "unknown"

#: Sources that are read without ``--deep``: they are on this computer, and ask you nothing.
_LOCAL = ("env", "file")

_WHERE = {
    MEMORY: "is in memory",
    KEYCHAIN: "is in the keychain",
    CONFIGURATION: "is in the configuration",
    "env": "is in the environment",
}


class Wanted(NamedTuple):
    """A reference of an env file.

    :param variable: the variable that it is for.
    """

    variable: str
    request: SecretRequest


class Verdict(NamedTuple):
    """Whether a secret is there.

    :param state: ``"there"``, ``"missing"`` or ``"unknown"``.
    :param origin: where it is: ``"keychain"``, ``"memory"``, ``"configuration"`` or a scheme.
    :param text: a sentence about the secret, escaped.
    :param hint: what to do.
    """

    state: str
    origin: str
    text: str
    hint: str = ""


def read_wanted(
    paths: Sequence[str], literal: Sequence[str], environ: Mapping[str, str]
) -> list[Wanted]:
    """Read the references of env files, as ``secretly run`` does.

    :raises Refused: for a file that ``secretly run`` would refuse.
    :raises BadReference: for a reference that can't be read.
    """
    variables = plain_variables(None, None, read_env_files(paths))
    found = separate(variables, SecretRequest(Reference("", "")), environ, literal)
    return [
        Wanted(name, request)
        for name, value in found.secret.items()
        for request in Delivery(value, Environment(name)).requests
    ]


async def examine(wanted: Sequence[Wanted], context: Context, deep: bool) -> list[Verdict]:
    """Find out whether each secret is there.

    :param deep: look each one up. Without it, the list of stored names says what the keychain
        has, and no password manager is asked.
    """
    requests = [one.request for one in wanted]
    findings = list(_glances(requests, context))
    closer = [at for at, one in enumerate(findings) if deep or one.origin in _LOCAL]
    results = await look_up_each([requests[at] for at in closer], context) if closer else []
    for at, result in zip(closer, results, strict=True):
        findings[at] = _looked_up(_named(requests[at]), result, findings[at])
    return findings


def _named(request: SecretRequest) -> str:
    return escape(str(request.reference))


def _looked_up(name: str, result: ResolvedSecret | SecretlyError, before: Verdict) -> Verdict:
    """What a look-up ended with."""
    if isinstance(result, ResolvedSecret):
        return Verdict(THERE, result.origin, f"{name} {_WHERE.get(result.origin, 'was found')}")
    # Only the keychain knows what it has.
    state = UNKNOWN if isinstance(result, KeychainUnavailable) else MISSING
    return Verdict(state, before.origin, str(result), result.hint)


def _glances(requests: Sequence[SecretRequest], context: Context) -> Iterator[Verdict]:
    """Whether each secret is there, as far as a glance shows."""
    names = NameList(context)
    held = {(one.name, one.username) for one in context.memory.held()}
    for request in requests:
        candidates = find_candidates(request, context.configuration, names.find, context.environ)
        glances = (_glance(one, held, names) for one in candidates[:-1])
        found = next((glance for glance in glances if glance is not None), None)
        found = found or _last(request, candidates[-1], names, context)
        yield found._replace(text=f"{_named(request)} {found.text}")


def _glance(one: Candidate, held: set[tuple[str, str]], names: NameList) -> Verdict | None:
    """Whether a stored candidate has the secret; None: it doesn't, and the next one follows.

    The text is the end of a sentence.
    """
    if one.value is not None:
        return Verdict(THERE, CONFIGURATION, _WHERE[CONFIGURATION])
    username = one.username.name if one.username else ""
    there = (one.name, username) in held if one.origin == MEMORY else names.has(one.name, username)
    return Verdict(THERE, one.origin, _WHERE[one.origin]) if there else None


def _last(request: SecretRequest, one: Candidate, names: NameList, context: Context) -> Verdict:
    """Whether the last candidate has the secret: a source, or else the user, who would type it."""
    if one.value is not None:
        return Verdict(THERE, CONFIGURATION, _WHERE[CONFIGURATION])
    if one.source is not None:
        return _in_source(one.source, context)
    from ..resolving.similar import did_you_mean

    question = did_you_mean(one.name, names.names, context.configuration)
    text = f"is not stored. {question}" if question else "is not stored"
    user = " --username U" if request.reference.usual == "username" else ""
    return Verdict(MISSING, KEYCHAIN, text, f"store it: secretly set {shell_quote(one.name)}{user}")


def _in_source(source: Reference, context: Context) -> Verdict:
    """Whether a source can be asked at all.

    :raises SecretlyError: if ``secretly run`` could not either.
    """
    if source.scheme in ("command", "keyring", *_LOCAL):
        return Verdict(UNKNOWN, source.scheme, "was not looked up: --deep does")
    program = getattr(registry.find(source.scheme), "program", None)
    name = str(program.name) if program is not None else ""
    if name and safefiles.program_on_path(name, context.environ) is None:
        what = f"needs {escape(name)}, which is not installed"
        return Verdict(MISSING, source.scheme, what, "install the password manager's program")
    return Verdict(UNKNOWN, source.scheme, "was not looked up: --deep does")
