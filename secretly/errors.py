"""The errors: one root, each saying what happened and, apart from it, what to do."""

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

    :param message: what happened, in one line, naming the thing.
    :param hint: what the reader can do about it, in one line.

    Neither ever holds a secret.

    .. versionadded:: 1.0
    """

    hint = ""  # of one whose own __init__ does not come here

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Cancelled(SecretlyError):
    """The person declined or cancelled: an outcome, not a fault.

    .. versionadded:: 1.0
    """


class NotConfirmed(Cancelled):
    """The person was asked to allow the use of a stored secret, and said no.

    .. versionadded:: 1.0
    """


class PromptTimeout(SecretlyError):
    """Nobody answered a prompt in time.

    .. versionadded:: 1.0
    """


class NoPinentry(SecretlyError):
    """There is no way to ask a person: no pinentry and no terminal that may be used.

    .. versionadded:: 1.0
    """


class PinentryFailed(SecretlyError):
    """A pinentry died, hung, or answered what the protocol does not allow.

    .. versionadded:: 1.0
    """


class NotFound(SecretlyError):
    """The secret is kept nowhere, and nobody may be asked for it.

    .. versionadded:: 1.0
    """


class KeychainUnavailable(SecretlyError):
    """The keychain cannot be used: absent, broken, or not answering.

    :ivar answered: False if it was asked and let the time pass, as a wedged one does.

    .. versionadded:: 1.0
    """

    answered = True


class KeychainLocked(KeychainUnavailable):
    """The keychain is there, but locked, and was not unlocked.

    .. versionadded:: 1.0
    """


class SourceFailed(SecretlyError):
    """The place that a secret is configured to come from did not give it.

    .. versionadded:: 1.0
    """


class BadReference(SecretlyError):
    """A reference that cannot be read, or that looks like a secret itself.

    .. versionadded:: 1.0
    """


class BadConfiguration(SecretlyError):
    """The configuration has an unknown key, a wrong type, or a bad value.

    .. versionadded:: 1.0
    """


class BadToken(SecretlyError):
    """What should be an API token of PyPI's is malformed.

    .. versionadded:: 1.0
    """


class Refused(SecretlyError):
    """A guard said no: going on would not have been safe.

    .. versionadded:: 1.0
    """


class NotThere(SecretlyError):
    """There is no such command: exit status 127."""


class NotExecutable(SecretlyError):
    """The command is there, but cannot be executed: exit status 126."""
