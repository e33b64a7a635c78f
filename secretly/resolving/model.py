"""A request for a secret, and its result."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from ..config.model import Configuration, Entry
from ..errors import (
    KeychainUnavailable,
)
from ..keeping.keychain import Keychain
from ..keeping.store import SecretStore
from ..keeping.stored_names import StoredNames
from ..record import Record
from ..redacted import Environ, Secret
from ..reference import Reference
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any, Self

    from ..config.model import Remember
    from ..keeping.kernel_keyring import TemporaryStore
    from ..sources.items import Items


#: How long a person has, in seconds, unless told otherwise.
PROMPT_TIMEOUT = 300.0


def _log(message: str) -> None:
    import logging

    logging.getLogger("secretly").warning("%s", message)


class Context(Record):
    """What a resolution stands on.

    :param no_input: never ask a person.
    :param note: is told what a person should know that is no error.
    :param items: what the sources have given in this run.
    :param temporary_store: what holds secrets for a while; None: the kernel keyring.
    """

    configuration: Configuration
    environ: Mapping[str, str]
    keychain: SecretStore
    stored_names: StoredNames
    no_input: bool = False
    note: Callable[[str], None] = _log
    items: Items | None = None
    temporary_store: TemporaryStore | None = None

    @property
    def memory(self) -> TemporaryStore:
        """What holds secrets for a while."""
        from ..keeping.kernel_keyring import KernelKeyring

        return KernelKeyring() if self.temporary_store is None else self.temporary_store

    @classmethod
    def of(cls, configuration: Configuration, environ: Mapping[str, str]) -> Self:
        """The user's own keychain and index, in this environment."""
        environ = Environ(environ)
        stored_names = StoredNames.default()
        return cls(
            configuration,
            environ,
            Keychain(environ, configuration.backends, stored_names),
            stored_names,
        )


class SecretRequest(Record):
    """A secret that is wanted.

    :param names: plain names to try in turn before the reference's own
        (``PyPI/demo`` before ``PyPI``).
    :param purpose: what it is for, as the prompt_timeout is told; harmless already.
    :param position: ``"1 of 3"``, where several are asked for.
    :param ignore_stored: ignore a stored one.
    :param repeat: have what is typed typed twice.
    :param publishes: confirm the use of a stored one, unless configured otherwise; the
        purpose is shown whole, or the use refused.
    :param inspect: is given the secret and what is configured for it, before anybody is
        asked to confirm it; raises if it is not to be used for this.
    """

    reference: Reference
    names: tuple[str, ...] = ()
    username: str | None = None
    prompt: str | None = None
    purpose: str = ""
    position: str = ""
    remember: Remember | None = None
    confirm: bool | None = None
    verify: Callable[[Secret], Any] | None = None
    prompt_timeout: float = PROMPT_TIMEOUT
    ignore_stored: bool = False
    repeat: bool = False
    publishes: bool = False
    inspect: Callable[[Secret, Entry], None] | None = None


class ResolvedSecret(Record):
    """A secret, and where it came from.

    :param username: the secret's own user name, if it has one.
    :param origin: ``"typed"``, ``"memory"``, ``"keychain"``, ``"configuration"`` or the
        source's scheme.
    """

    secret: Secret
    username: str | None
    origin: str
    name: str


def username_for(
    name: str, entry: Entry, wish: SecretRequest, context: Context
) -> tuple[str, bool]:
    """The user name that the keychain has *name* under, and whether it is the secret's own."""
    if wish.username is not None:
        return wish.username, True
    if entry.username is not None:
        return entry.username, True
    try:
        item = context.stored_names.find(name)
    except KeychainUnavailable as error:
        context.note(str(error))
        item = None
    return (item.username, item.own) if item else (login_name(), False)


def login_name() -> str:
    """Return the name that this user is logged in under, or else the number.

    A container may run under a number that no name belongs to.
    """
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the second since Python 3.13
        return str(os.getuid())


def _pinentry(context: Context) -> str | None:
    return context.configuration.pinentry


def calling_program() -> str:
    """What asks, for a prompt that says nothing else."""
    return escape(os.path.basename(sys.argv[0] if sys.argv else "") or "Python")
