"""The tokens that a run made from PyPI tokens: what they allow, and what they replace."""

from __future__ import annotations

from ..publishing.pypi_token import token_scope
from ..redacted import Secret
from ..resolving.candidates import ResolvedSecret, configured_source
from ..resolving.request import SecretRequest

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .delivery import PreparedRun

    #: What a token allows: the projects, and its end. None: all, and no end.
    Limits = tuple[tuple[str, ...] | None, float | None]

__all__ = ["limits_of", "replaced", "said"]


def said(run: PreparedRun, result: ResolvedSecret, token: Secret) -> str:
    """The line about a token, to print once nothing can stop the run."""
    if run.release is not None:
        return run.release.said(token)
    from . import limits

    assert run.limits is not None
    return limits.said(token, result.name, run.limits.command, run.limits.projects)


def limits_of(token: Secret) -> Limits:
    """What a token allows."""
    scope = token_scope(token)
    projects = None if scope.projects is None else tuple(sorted(scope.projects))
    return projects, scope.expires


def replaced(
    tokens: Mapping[SecretRequest, Secret],
    found: Mapping[SecretRequest, ResolvedSecret],
    environ: Mapping[str, str],
) -> Iterator[str]:
    """The variables of our own environment that hold a token from which a narrower one was made.

    The command must not have the original token in another variable, even if it was typed this
    time.

    :param environ: secretly's own environment.
    """
    for request in tokens:
        source = found[request].entry.source
        source = source and configured_source(source, environ)
        source = request.reference if request.reference.scheme else source
        if source is not None and source.scheme == "env":
            yield source.path
