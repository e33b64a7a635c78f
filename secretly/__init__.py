"""A person's secret, handed to one program, for one moment.

>>> import secretly
>>> async def upload() -> None:
...     token = await secretly.secret("PyPI")

The same coroutines work when Twisted drives them and when asyncio does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import confirm, credential, forget, remember, secret, secretly
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
    from .redacted import Credential, Secret

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
    "Credential": "redacted",
    "Secret": "redacted",
    **dict.fromkeys(("confirm", "credential", "forget", "remember", "secret", "secretly"), "api"),
}


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'secretly' has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
