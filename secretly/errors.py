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
    :param hint: what the reader can do about it, in one line.

    Neither ever contains a secret.

    .. versionadded:: 1.0
    """

    hint = ""  # for subclasses whose own __init__ doesn't call this one

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Cancelled(SecretlyError):
    """The user declined or cancelled: an outcome, not a fault.

    .. versionadded:: 1.0
    """


class NotConfirmed(Cancelled):
    """The user was asked to confirm the use of a stored secret, and answered No.

    .. versionadded:: 1.0
    """


class PromptTimeout(SecretlyError):
    """The user did not answer a prompt in time.

    .. versionadded:: 1.0
    """


class NoPinentry(SecretlyError):
    """secretly can't ask the user: it found no pinentry and no terminal.

    .. versionadded:: 1.0
    """


class PinentryFailed(SecretlyError):
    """A pinentry died, hung, or answered what the protocol does not allow.

    .. versionadded:: 1.0
    """


class NotFound(SecretlyError):
    """The secret is not stored, and secretly must not ask for it.

    .. versionadded:: 1.0
    """


class KeychainUnavailable(SecretlyError):
    """The keychain cannot be used: it is missing, broken, or does not answer.

    :ivar answered: False if it did not answer in time.

    .. versionadded:: 1.0
    """

    answered = True


class KeychainLocked(KeychainUnavailable):
    """The keychain is locked, and the user did not unlock it.

    .. versionadded:: 1.0
    """


class SourceFailed(SecretlyError):
    """The configured source of a secret did not return the secret.

    .. versionadded:: 1.0
    """


class BadReference(SecretlyError):
    """A reference is malformed, or looks like a secret itself.

    .. versionadded:: 1.0
    """


class BadConfiguration(SecretlyError):
    """The configuration has an unknown key, a wrong type, or a bad value.

    .. versionadded:: 1.0
    """


class BadToken(SecretlyError):
    """A PyPI API token is malformed.

    .. versionadded:: 1.0
    """


class Refused(SecretlyError):
    """secretly refused to go on, because that would not be safe.

    .. versionadded:: 1.0
    """


class KeychainTimeout(KeychainUnavailable):
    """The keychain did not answer in time. Internal: callers see a KeychainUnavailable."""

    answered = False


class BadArgument(SecretlyError, TypeError, ValueError):
    """An argument of the library that has no meaning. Internal: callers see its bases."""


class NotThere(SecretlyError):
    """The command was not found: exit status 127."""


class NotExecutable(SecretlyError):
    """The command was found, but cannot be executed: exit status 126."""
