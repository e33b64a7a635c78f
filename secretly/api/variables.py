"""Variables with secrets, for a child process of a program that uses the library."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .. import api
from ..config import values
from ..errors import SecretlyError
from ..redacted import Secret
from ..text import Environ
from ..waiting import own_loop
from .arguments import BadArgument, check_text

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["environment"]


class environment:
    """A block with the variables for a child process: your own, and one for each secret.

    :param variables: the name of each variable, and the reference of its secret, as for
        :func:`secret`.
    :param description: what the secrets are for, which the prompts show.
    :param remember: whether to store what the user typed, as for :func:`secret`.
    :param confirm: whether the user confirms the use of stored secrets.
    :param timeout: how long it may take to get them all, in seconds or as a timedelta.
    :raises SecretlyError: at the start of the block, as for :func:`secret`; and for a variable
        such as ``PATH`` or ``LD_PRELOAD``, which changes how programs load.

    ``with`` is for programs that are not async, ``async with`` for coroutines. ``os.environ`` does
    not change. The block gets a dictionary, which is empty after the block. Python can't overwrite
    the memory in which the secrets were.

    **Who can read the secrets:** this process, as long as the block runs. As long as the child
    runs: the child, everything that it starts, and on Linux each of your processes that reads
    ``/proc/PID/environ``. Where the program can't be started, a traceback with local variables (of
    pytest's ``--showlocals`` or of rich, for example) shows those of ``subprocess``, and the
    secrets are among them.

    >>> import subprocess, secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
    ...     with secretly.environment({"API_TOKEN": "Example"}) as env:
    ...         done = subprocess.run(["sh", "-c", "echo ${#API_TOKEN}"], env=env, stdout=-1)
    >>> done.stdout, env
    (b'8\\n', <environment of 0 variables>)

    .. versionadded:: 1.1
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        *,
        description: str | None = None,
        remember: api.Remember = None,
        confirm: bool | None = None,
        timeout: api.Timeout = None,
    ) -> None:
        if isinstance(variables, str) or not hasattr(variables, "keys"):
            raise BadArgument(
                f"environment takes a mapping, not {type(variables).__name__}",
                'write {"VARIABLE": "reference"}',
            )
        for name in variables:
            check_text("a variable's name", type(name))
        self._references = {values.check_variable(name): variables[name] for name in variables}
        self._options = api.CallOptions(
            description=description, remember=remember, confirm=confirm, timeout=timeout
        )
        self._in_use = threading.Lock()
        self._given = Environ()

    def __enter__(self) -> dict[str, str]:
        own_loop.refuse_in_loop(
            "with secretly.environment", "write: async with secretly.environment(…)"
        )
        limit = api.time_limit(self._options.timeout)
        with self._beginning():
            return self._give(own_loop.run_blocking(self._secrets, limit))

    async def __aenter__(self) -> dict[str, str]:
        with self._beginning():
            return self._give(await self._secrets())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._given.clear()
        self._in_use.release()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    @contextlib.contextmanager
    def _beginning(self) -> Iterator[None]:
        """Begin a block. At the end of another one, its variables would go."""
        if not self._in_use.acquire(blocking=False):
            raise SecretlyError(
                "this environment is in use: another block has it",
                "make one for each block: with secretly.environment(…)",
            )
        try:
            yield
        except BaseException:
            self._in_use.release()
            raise

    async def _secrets(self) -> dict[str, Secret]:
        return await api.secrets(self._references, self._options)

    def _give(self, secrets: dict[str, Secret]) -> Environ:
        self._given = Environ({**os.environ, **secrets})
        return self._given
