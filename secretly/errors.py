"""The errors: all under one root, each with what happened and, separately, what to do."""

from __future__ import annotations

__all__ = [
    "BadConfiguration",
    "BadReference",
    "BadToken",
    "Cancelled",
    "KeychainLocked",
    "KeychainUnavailable",
    "NoPinentry",
    "NotConfirmed",
    "NotFound",
    "PinentryFailed",
    "PromptTimeout",
    "Refused",
    "SecretlyError",
    "SourceFailed",
]


class SecretlyError(Exception):
    """The root of every error that secretly raises.

    :param message: what happened, in one line that names the thing.
    :param hint: what the reader can do about it, in one line. It is a note of the error, too, so a
        traceback shows it.

    Neither ever contains a secret.

    >>> import secretly
    >>> from secretly.testing import sandbox
    >>> with sandbox():
    ...     try:
    ...         secretly.secret_sync("Example")
    ...     except secretly.SecretlyError as error:
    ...         print(error, error.hint, sep="\\n")
    no stored secret Example
    store it: secretly set Example

    .. versionadded:: 1.0
    """

    _hint = ""  # for subclasses whose own __init__ doesn't call this one

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def hint(self) -> str:
        """What the reader can do about it."""
        return self._hint

    @hint.setter
    def hint(self, hint: str) -> None:
        notes: list[str] = getattr(self, "__notes__", [])
        if self._hint in notes:
            notes.remove(self._hint)
        self._hint = hint
        if hint and isinstance(hint, str):  # another package's source may set anything
            self.add_note(hint)


class Cancelled(SecretlyError):
    """The user declined or cancelled: an outcome, not a fault.

    >>> import secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry([None]) as pinentry, sandbox(pinentry):
    ...     try:
    ...         secretly.secret_sync("Example")
    ...     except secretly.Cancelled as error:
    ...         print(error)
    cancelled at the prompt

    .. versionadded:: 1.0
    """


class NotConfirmed(Cancelled):
    """The user was asked to confirm the use of a stored secret, and answered No.

    >>> import secretly
    >>> try:
    ...     raise secretly.NotConfirmed("you did not confirm it", "nothing was done")
    ... except secretly.Cancelled as error:
    ...     print(error.hint)
    nothing was done

    .. versionadded:: 1.0
    """


class PromptTimeout(SecretlyError):
    """The user did not answer a prompt in time.

    >>> import secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry([[("hang", False)]]) as pinentry, sandbox(pinentry):
    ...     try:
    ...         secretly.secret_sync("Example", timeout=0.5)
    ...     except secretly.PromptTimeout as error:
    ...         print(error)
    you did not answer the prompt in 0.5 s

    .. versionadded:: 1.0
    """


class NoPinentry(SecretlyError):
    """secretly can't ask the user: it found no pinentry and no terminal.

    >>> import asyncio, secretly
    >>> from secretly.testing import sandbox
    >>> with sandbox():
    ...     try:
    ...         asyncio.run(secretly.confirm("Delete it?"))
    ...     except secretly.NoPinentry as error:
    ...         print(error)
    can't ask you to confirm: prompts are switched off

    .. versionadded:: 1.0
    """


class PinentryFailed(SecretlyError):
    """A pinentry died, hung, or answered what the protocol does not allow.

    >>> import secretly
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry([[("exit", 0)]]) as pinentry, sandbox(pinentry):
    ...     try:
    ...         secretly.secret_sync("Example")
    ...     except secretly.PinentryFailed as error:
    ...         print(error.hint != "")
    True

    .. versionadded:: 1.0
    """


class NotFound(SecretlyError):
    """The secret is not stored, and secretly must not ask for it.

    >>> import secretly
    >>> from secretly.testing import sandbox
    >>> with sandbox():
    ...     try:
    ...         secretly.secret_sync("Example")
    ...     except secretly.NotFound as error:
    ...         print(error)
    no stored secret Example

    .. versionadded:: 1.0
    """


class KeychainUnavailable(SecretlyError):
    """The keychain cannot be used: it is missing, broken, or does not answer.

    :ivar answered: False if it did not answer in time.

    >>> import secretly
    >>> from secretly.testing import MemoryKeychain, sandbox
    >>> with sandbox(keychain=MemoryKeychain(absent=True)):
    ...     try:
    ...         secretly.secret_sync("Example")
    ...     except secretly.KeychainUnavailable as error:
    ...         print(error)
    can't get Example: no keychain is available

    .. versionadded:: 1.0
    """

    answered = True


class KeychainLocked(KeychainUnavailable):
    """The keychain is locked, and the user did not unlock it.

    >>> import secretly
    >>> from secretly.testing import MemoryKeychain, sandbox
    >>> with sandbox(keychain=MemoryKeychain(locked=True)):
    ...     try:
    ...         secretly.secret_sync("Example")
    ...     except secretly.KeychainLocked as error:
    ...         print(error)
    can't get Example: the keychain is locked

    .. versionadded:: 1.0
    """


class SourceFailed(SecretlyError):
    """The configured source of a secret did not return the secret.

    >>> import secretly
    >>> from secretly.testing import sandbox
    >>> with sandbox():
    ...     try:
    ...         secretly.secret_sync("env://TOKEN")
    ...     except secretly.SourceFailed as error:
    ...         print(error)
    the variable TOKEN is not set in the environment

    .. versionadded:: 1.0
    """


class BadReference(SecretlyError):
    """A reference is malformed, or looks like a secret itself.

    >>> import secretly
    >>> from secretly.testing import sandbox
    >>> with sandbox():
    ...     try:
    ...         secretly.secret_sync("")
    ...     except secretly.BadReference as error:
    ...         print(error)
    the reference '' has no name

    .. versionadded:: 1.0
    """


class BadConfiguration(SecretlyError):
    """The configuration has an unknown key, a wrong type, or a bad value.

    >>> import secretly
    >>> try:
    ...     secretly.environment({"PATH": "Example"})
    ... except secretly.BadConfiguration as error:
    ...     print(error)
    can't put a secret into PATH: it changes how programs load

    .. versionadded:: 1.0
    """


class BadToken(SecretlyError):
    """A PyPI API token is malformed.

    >>> import secretly
    >>> issubclass(secretly.BadToken, secretly.SecretlyError)
    True

    .. versionadded:: 1.0
    """


class Refused(SecretlyError):
    """secretly refused to go on, because that would not be safe.

    >>> import asyncio, secretly
    >>> from secretly.testing import sandbox
    >>> with sandbox():
    ...     try:
    ...         asyncio.run(secretly.remember("Example", ""))
    ...     except secretly.Refused as error:
    ...         print(error)
    the secret is empty

    .. versionadded:: 1.0
    """


class KeychainTimeout(KeychainUnavailable):
    """The keychain did not answer in time. Internal: callers see a KeychainUnavailable."""

    answered = False
