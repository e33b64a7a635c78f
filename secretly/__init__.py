"""Give one command your secret, for as long as it runs.

>>> import secretly
>>> async def upload() -> None:
...     token = await secretly.secret("PyPI")

The same coroutines work when Twisted drives them and when asyncio does.
"""

# Nothing is imported here, not even __future__: with ``python -m secretly`` the current folder
# still comes first.
TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any

    from .api import Credential, confirm, credential, forget, remember, secret, secretly
    from .errors import (
        BadConfiguration,
        BadReference,
        BadToken,
        Cancelled,
        KeychainLocked,
        KeychainUnavailable,
        NoPinentry,
        NotConfirmed,
        NotFound,
        PinentryFailed,
        PromptTimeout,
        Refused,
        SecretlyError,
        SourceFailed,
    )
    from .redacted import Secret

__all__ = [
    "BadConfiguration",
    "BadReference",
    "BadToken",
    "Cancelled",
    "Credential",
    "KeychainLocked",
    "KeychainUnavailable",
    "NoPinentry",
    "NotConfirmed",
    "NotFound",
    "PinentryFailed",
    "PromptTimeout",
    "Refused",
    "Secret",
    "SecretlyError",
    "SourceFailed",
    "confirm",
    "credential",
    "forget",
    "remember",
    "secret",
    "secretly",
]

_MODULES = {
    "Secret": "redacted",
    **dict.fromkeys(
        ("Credential", "confirm", "credential", "forget", "remember", "secret", "secretly"), "api"
    ),
}


def __getattr__(name: str) -> "Any":
    """Load the public names when they are first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'secretly' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_MODULES.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
