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
    from .api import Credential, confirm, credential, forget, remember, secret, secretly
    from .api.blocking import credential_sync, secret_sync
    from .api.variables import environment
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

    __version__: str

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
    "credential_sync",
    "environment",
    "forget",
    "remember",
    "secret",
    "secret_sync",
    "secretly",
]

_MODULES = {
    "Secret": "redacted",
    "credential_sync": "api.blocking",
    "environment": "api.variables",
    "secret_sync": "api.blocking",
    **dict.fromkeys(
        ("Credential", "confirm", "credential", "forget", "remember", "secret", "secretly"), "api"
    ),
}


def _load(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("secretly")
    elif name in __all__:
        from importlib import import_module

        value = getattr(import_module(f".{_MODULES.get(name, 'errors')}", __name__), name)
    else:
        raise AttributeError(f"module 'secretly' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


# A type checker would take each name for one that exists.
if not TYPE_CHECKING:  # pragma: no branch
    __getattr__ = _load
