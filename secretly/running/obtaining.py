"""Obtain the secrets of a run, and hand each to its way of delivery."""

from __future__ import annotations

import time

from ..redacted import Secret
from ..resolving import confirming, obtain
from ..resolving.candidates import TYPED, ResolvedSecret, configured_source
from ..resolving.request import Context, SecretRequest
from ..text import escape
from .delivery import PreparedRun, is_username
from .launch import Launch
from .receipts import NOT_ASKED, HandedSecret

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


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
    launch, narrowing = run.launch, _Narrowing(run, context.environ)
    for delivery in run.deliveries:
        by, value = delivery.by, delivery.value
        if is_username(value):
            result = found[value.request]
            username = _username(by.variables, value.request, result, run, context.environ)
            if run.check_secret is not None:
                run.check_secret(result.secret, username or "")
            if username is not None:
                launch = by.apply(launch, username)
                if run.release is not None:
                    tell(_user_line(username))
            continue
        secrets = {}
        for request in delivery.requests:
            for line in _said(request, found[request], context.must_confirm):
                tell(f"{by.describe()}: {line}")
            secrets[request] = narrowing.narrowed(request, found[request])
        text = secrets[value] if isinstance(value, SecretRequest) else value.text(secrets)
        launch = by.apply(launch, text)
    tell(f"program: {escape(launch.program)}")
    for line in run.pinned:
        tell(line)
    removes = (*launch.removes, *narrowing.replaced)
    handed = _handed(run, found, narrowing)
    return launch._replace(removes=removes, said=sorted(narrowing.said), handed=handed)


def _load_the_end() -> None:
    """Load what writes the receipt, while a password manager's program works."""
    from . import receipt_file  # noqa: F401


def _username(
    variables: Sequence[str],
    request: SecretRequest,
    result: ResolvedSecret,
    run: PreparedRun,
    environ: Mapping[str, str],
) -> str | None:
    """The user name that goes with a secret; None: the command knows best."""
    if run.username is not None:
        return run.username(result.entry.username, result.username)
    from .usernames import sent_username

    return sent_username(variables, request, result, environ)


def _handed(
    run: PreparedRun, found: Mapping[SecretRequest, ResolvedSecret], narrowing: _Narrowing
) -> list[HandedSecret]:
    """What the receipt says of each secret."""
    places: dict[SecretRequest, list[str]] = {}
    for delivery in run.deliveries:
        for request in dict.fromkeys(delivery.requests):
            places.setdefault(request, []).append(delivery.by.describe())
    handed = []
    for request, result in found.items():
        answer = TYPED if result.origin == TYPED else result.answer or NOT_ASKED
        limits = narrowing.limits.get(request, (None, None))
        used = HandedSecret(result.name, result.origin, answer, tuple(places[request]), *limits)
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


class _Narrowing:
    """Narrows PyPI's tokens to an upload, or to what other commands get.

    :param environ: secretly's own environment.
    """

    def __init__(self, run: PreparedRun, environ: Mapping[str, str]) -> None:
        self._run, self._environ, self._now = run, environ, time.time()
        #: The lines to print once nothing can stop the run.
        self.said: set[str] = set()
        #: What the tokens allow that were made from the secrets: the projects, and the end.
        self.limits: dict[SecretRequest, tuple[tuple[str, ...] | None, float | None]] = {}
        #: The variables that hold a token from which a narrower one was made.
        self.replaced: list[str] = []

    def narrowed(self, request: SecretRequest, result: ResolvedSecret) -> Secret:
        """Return the token that the command gets in place of a secret."""
        release, limits = self._run.release, self._run.limits
        value = result.secret
        if release is not None:
            value = release.narrowed(value, self._now)
            said = release.said
        elif limits is not None:
            value = limits.narrowed(value, result.entry, self._now)
            said = lambda token: limits.said(token, name=result.name)  # noqa: E731
        if value is not result.secret:
            self.said.add(said(value))
            self._note_limits(request, value)
            # The original token must not be in another variable.
            self.replaced += _own_variable(request, result, self._environ)
        return value

    def _note_limits(self, request: SecretRequest, token: Secret) -> None:
        from ..publishing.pypi_token import token_scope

        scope = token_scope(token)
        projects = None if scope.projects is None else tuple(sorted(scope.projects))
        self.limits[request] = projects, scope.expires


def _own_variable(
    request: SecretRequest, result: ResolvedSecret, environ: Mapping[str, str]
) -> list[str]:
    """The variable of our own environment that has the secret, even if it was typed this time."""
    source = result.entry.source and configured_source(result.entry.source, environ)
    source = request.reference if request.reference.scheme else source
    return [source.path] if source is not None and source.scheme == "env" else []
