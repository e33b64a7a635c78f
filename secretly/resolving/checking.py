"""Check whether a secret may be used: its form, its purpose, and whether it is accepted."""

from __future__ import annotations

import time

from ..config.model import Entry
from ..errors import PromptTimeout
from ..redacted import Secret, is_cut_short, is_sealed
from ..reference import OWN
from ..text import escape
from .candidates import Candidate
from .request import SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any


#: Why a text can't be a command's secret, as the end of a sentence about it.
EMPTY, CUT_SHORT = "is empty", "is only the beginning of several lines"
REFERENCE, SEALED = "is itself a reference", "is sealed: an age file"


def find_fault(value: str) -> str:
    """Decide whether a text may be a secret, wherever it comes from; return why not, or nothing.

    A command can't use the beginning of several lines, and would take a reference or a sealed
    secret for its secret.
    """
    if not value:
        return EMPTY
    if is_sealed(value):
        return SEALED
    if is_cut_short(value):
        return CUT_SHORT
    return REFERENCE if _is_reference(value) else ""


def validate_token(entry: Entry, value: Secret) -> tuple[Secret, str]:
    """Strip white space (a copied newline) from a token; say what is wrong with it.

    :returns: the value to use, and a sentence about what is wrong, empty if nothing is.
    """
    no_token = False
    if entry.prefix:
        value = Secret(value.strip())
        no_token = not value.startswith(entry.prefix) or not value.isprintable() or " " in value
    fault = find_fault(value)
    if not fault and not no_token:
        return value, ""
    from ..asking import wording

    said = {
        EMPTY: wording.NOTHING_ENTERED,
        CUT_SHORT: wording.CUT_SHORT,
        REFERENCE: wording.A_REFERENCE,
        SEALED: wording.SEALED,
        "": wording.not_a_token(escape(entry.name), str(entry.prefix)),
    }
    return value, said[fault]


def check_stored(candidate: Candidate, value: Secret) -> Secret:
    """Return a secret that was found, without white space around a token.

    :raises Refused: if it is empty, or not a token where the name has tokens.
    """
    entry = candidate.entry
    value, wrong = validate_token(entry, value)
    if not wrong:
        return value
    check_whole(candidate, value)
    from .unusable import why_unusable

    raise why_unusable(candidate, f"does not start with '{entry.prefix}', so it is not a token")


def check_whole(candidate: Candidate, value: Secret, may_be_empty: bool = False) -> None:
    """Refuse a value that can't be a secret.

    :param may_be_empty: it is another field than the password.
    :raises Refused: if it is.
    """
    fault = find_fault(value)
    if not fault or (fault == EMPTY and may_be_empty):
        return
    from . import unusable

    if fault == REFERENCE:
        scheme = value.partition("://")[0].strip()
        raise unusable.why_not_followed(candidate, scheme, fault, scheme.lower() in _readable())
    if fault == SEALED:
        raise unusable.why_not_opened(candidate, fault)
    raise unusable.why_unusable(candidate, fault, " --stdin < FILE" if fault == CUT_SHORT else "")


def _is_reference(value: str) -> bool:
    """Whether a value is a reference to a store, whole. ``env://`` and ``file://`` may be URLs."""
    text = value.strip()
    scheme, separator, path = text.partition("://")
    if not separator or not path or "\n" in path:
        return False
    if scheme.lower() in _readable():
        return True
    from ..sources.unreadable import find_unreadable

    found = find_unreadable(text, _readable())
    return found is not None and text.lower().startswith(found[0].lower())


def _readable() -> frozenset[str]:
    """The schemes of the stores that secretly reads."""
    from ..sources import registry

    return frozenset((*registry.SCHEMES, OWN)) - {"env", "file"}


async def is_accepted(request: SecretRequest, secret: Secret) -> bool:
    """Try a secret with the caller's *verify*; without one, it is accepted.

    :raises PromptTimeout: if the request's time is over before *verify* has ended.
    """
    if request.verify is None:
        return True
    import inspect

    answer = request.verify(secret)
    if inspect.isawaitable(answer):
        answer = await _in_time(answer, request)
    elif time.monotonic() > request.until:  # it blocked, and nothing could end it
        from ..waiting import tasks

        raise PromptTimeout(_late(request), tasks.MORE_TIME)
    return answer is not False


async def _in_time(answer: Awaitable[Any], request: SecretRequest) -> Any:
    from ..waiting import tasks

    async def awaited() -> Any:
        return await answer

    if request.until == float("inf"):
        return await answer
    left = max(0.0, request.until - time.monotonic())
    return await tasks.bounded(awaited(), left, _late(request), grace=0)


def _late(request: SecretRequest) -> str:
    return f"verify did not end in time for {escape(request.reference.name)}"
