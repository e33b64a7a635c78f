"""The calls for programs that are not async: they wait in a loop of secretly's own."""

from __future__ import annotations

import contextvars
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .. import api
from ..redacted import Secret
from ..waiting import own_loop, requests

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["credential_sync", "secret_sync"]

#: How long *verify* may block where the call has no limit, in seconds: 20 days.
_NO_LIMIT = 20 * 86400.0


def secret_sync(
    reference: str,
    *,
    username: str | None = None,
    prompt: str | None = None,
    description: str | None = None,
    remember: api.Remember = None,
    confirm: bool | None = None,
    verify: api.Verify | None = None,
    timeout: api.Timeout = None,
) -> Secret:
    """Return a secret as :func:`secret` does, in a program that is not async.

    :param reference: as for :func:`secret`; so are the other parameters.
    :param username: the user name that belongs to the secret.
    :param prompt: the label of the entry field.
    :param description: what it is for.
    :param remember: whether to store what the user typed.
    :param confirm: whether the user confirms the use of a stored secret.
    :param verify: a function or coroutine function that tries the secret; a function may block.
    :param timeout: how long the call may take, in seconds or as a timedelta.
    :raises SecretlyError: as for :func:`secret`; and if an event loop runs in this thread.

    Any thread can call it. Calls at the same time for the same secret share one prompt. Ctrl-C, and
    whatever else a signal handler raises in the main thread, ends that thread's prompt.

    >>> import secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
    ...     secretly.secret_sync("Example", description="to greet the server")
    Secret('…')

    .. versionadded:: 1.1
    """
    tried = _unblocked(verify)
    options = api.CallOptions(username, prompt, description, remember, confirm, tried, timeout)
    return _waited(api.secret, reference, options)


def credential_sync(
    reference: str,
    *,
    username: str | None = None,
    prompt: str | None = None,
    description: str | None = None,
    remember: api.Remember = None,
    confirm: bool | None = None,
    verify: api.Verify | None = None,
    timeout: api.Timeout = None,
) -> api.Credential:
    """Return a user name and its secret, as :func:`credential` does, without async.

    :param reference: as for :func:`credential`; so are the other parameters.
    :param username: the user name, if you know it.
    :param prompt: the label of the entry field.
    :param description: what it is for.
    :param remember: whether to store what the user typed.
    :param confirm: whether the user confirms the use of a stored secret.
    :param verify: a function or coroutine function that tries the secret; a function may block.
    :param timeout: how long the call may take, in seconds or as a timedelta.
    :raises SecretlyError: as for :func:`credential`; and if an event loop runs in this thread.

    >>> import secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
    ...     secretly.credential_sync("Example", username="ada")
    Credential(username='ada', password=Secret('…'))

    .. versionadded:: 1.1
    """
    tried = _unblocked(verify)
    options = api.CallOptions(username, prompt, description, remember, confirm, tried, timeout)
    return _waited(api.credential, reference, options)


def _waited(
    function: Callable[..., Coroutine[Any, Any, T]], reference: str, options: api.CallOptions
) -> T:
    name = function.__name__
    own_loop.refuse_in_loop(
        f"secretly.{name}_sync", f"await the coroutine: await secretly.{name}(…)"
    )
    limit = api.time_limit(options.timeout)
    try:
        return own_loop.run_blocking(lambda: function(reference, **options._asdict()), limit)
    except KeyboardInterrupt as interrupt:  # you pressed Ctrl-C: how secretly waits says nothing
        raise interrupt.with_traceback(None) from None


def _unblocked(verify: api.Verify | None) -> api.Verify | None:
    """Return a *verify* that doesn't block the loop, which other threads' calls use too."""
    if verify is None or not callable(verify) or inspect.iscoroutinefunction(verify):
        return verify
    return cast("api.Verify", _InThread(verify))  # mypy doesn't see that the tuple is callable


class _InThread(NamedTuple):
    """A *verify* that runs in a daemon thread. Two are equal if their functions are."""

    verify: api.Verify

    async def __call__(self, value: Secret) -> bool | None:
        context = contextvars.copy_context()

        def attempt() -> tuple[Any, BaseException | None]:
            try:
                return context.run(self.verify, value), None
            except BaseException as error:  # a SystemExit would end the thread in silence
                return None, error

        return await _verdict(await requests.in_thread(attempt, _NO_LIMIT))


async def _verdict(tried: tuple[Any, BaseException | None]) -> bool | None:
    """What a *verify* that ran in a thread returned; or its error is raised."""
    answer, error = tried
    if error is not None:
        raise error
    found: bool | None = (await answer) if inspect.isawaitable(answer) else answer
    return found
