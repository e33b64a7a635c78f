"""Obtain the secrets of a run, and hand each to its way of delivery."""

from __future__ import annotations

import time

from ..redacted import Secret
from ..resolving import confirming, obtain
from ..resolving.candidates import TYPED, ResolvedSecret
from ..resolving.request import Context, SecretRequest
from ..text import escape
from .delivery import Delivery, PreparedRun, is_username
from .launch import Launch
from .receipts import NOT_ASKED, HandedSecret

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .narrowing import Limits


async def obtain_values(run: PreparedRun, context: Context, tell: Callable[[str], None]) -> Launch:
    """Obtain all values, and return the launch that has them.

    PyPI's tokens are narrowed: to the upload, or else to an hour.

    :param tell: called with lines that say where each secret came from.
    :raises SecretlyError: if one can't be obtained; then nothing may be run.
    """
    context = context._replace(meanwhile=_load_the_end)
    requests = list(dict.fromkeys(one for delivery in run.deliveries for one in delivery.requests))
    results = await obtain.obtain_all(requests, context)
    found = dict(zip(requests, results, strict=True))
    values: dict[SecretRequest, Secret] = {}
    tokens: dict[SecretRequest, Secret] = {}
    launch, now = run.launch, time.time()
    for delivery in run.deliveries:
        by, value = delivery.by, delivery.value
        if is_username(value):
            username = _username(by.variables, value.request, found, run, context.environ)
            if username is not None:
                launch = _delivered(run, delivery, launch, username)
                if run.release is not None:
                    tell(_user_line(username))
            continue
        for request in delivery.requests:
            result = found[request]
            for line in _said(request, result, context.must_confirm):
                tell(f"{by.describe()}: {line}")
            values[request] = handed = _narrowed(run, result, now)
            if handed is not result.secret:
                tokens[request] = handed
        text = values[value] if isinstance(value, SecretRequest) else value.text(values)
        launch = _delivered(run, delivery, launch, text)
    tell(f"program: {escape(launch.program)}")
    for line in run.pinned:
        tell(line)
    if not tokens:
        return launch._replace(handed=_handed(run, found, {}))
    from . import narrowing

    removes = (*launch.removes, *narrowing.replaced(tokens, found, context.environ))
    limits = {request: narrowing.limits_of(token) for request, token in tokens.items()}
    said = sorted({narrowing.said(run, found[one], token) for one, token in tokens.items()})
    return launch._replace(removes=removes, said=said, handed=_handed(run, found, limits))


def _delivered(run: PreparedRun, delivery: Delivery, launch: Launch, text: str) -> Launch:
    """The launch with a text on its way.

    :raises Refused: if the tool would read the text otherwise.
    """
    if run.check_text is not None:
        run.check_text(delivery, text)
    return delivery.by.apply(launch, text)


def _load_the_end() -> None:
    """Load what writes the receipt, while a password manager's program works."""
    from . import receipt_file  # noqa: F401


def _username(
    variables: Sequence[str],
    request: SecretRequest,
    found: Mapping[SecretRequest, ResolvedSecret],
    run: PreparedRun,
    environ: Mapping[str, str],
) -> str | None:
    """The user name that goes with a secret; None: the command knows best."""
    result = found[request]
    if run.username is not None:
        return run.username(result.entry.username, result.username)
    from .usernames import sent_username

    return sent_username(variables, request, result, environ)


def _handed(
    run: PreparedRun,
    found: Mapping[SecretRequest, ResolvedSecret],
    limits: Mapping[SecretRequest, Limits],
) -> list[HandedSecret]:
    """What the receipt says of each secret.

    :param limits: those of the tokens that were made from the secrets.
    """
    places: dict[SecretRequest, list[str]] = {}
    for delivery in run.deliveries:
        for request in dict.fromkeys(delivery.requests):
            places.setdefault(request, []).append(delivery.by.describe())
    handed = []
    for request, result in found.items():
        answer = TYPED if result.origin == TYPED else result.answer or NOT_ASKED
        allowed = limits.get(request, (None, None))
        used = HandedSecret(result.name, result.origin, answer, tuple(places[request]), *allowed)
        handed.append(used)
    return handed


def _user_line(username: str) -> str:
    """The line with the user name, as the dialog has it."""
    from ..asking import upload_wording

    return upload_wording.user_line(escape(username))


def _said(request: SecretRequest, result: ResolvedSecret, must: bool) -> Iterator[str]:
    """The lines about where a secret came from.

    :param must: whether the policy has each use confirmed.
    """
    yield f"{escape(result.name)} ({result.origin})"
    if why := confirming.decide_confirmation(request, result, must).waived_by:
        yield f"not confirmed, by {why}"


def _narrowed(run: PreparedRun, result: ResolvedSecret, now: float) -> Secret:
    """What the command gets: a token for this upload or for an hour, or the secret itself.

    :param now: the time, in seconds since 1970.
    """
    if run.release is not None:
        return run.release.narrowed(result.secret, now)
    if run.limits is not None:
        return run.limits.narrowed(result.secret, result.entry, now)
    return result.secret
