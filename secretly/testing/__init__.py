"""Doubles and contract tests for programs that use secretly. Its own tests use them too.

.. versionadded:: 1.0
"""

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from .contracts import KeychainContract, SourceContract
    from .pinentry import FakePinentry
    from .sandbox import sandbox
    from .stores import MemoryKeychain, MemorySession

__all__ = [
    "FakePinentry",
    "KeychainContract",
    "MemoryKeychain",
    "MemorySession",
    "SourceContract",
    "sandbox",
]

_MODULES = {
    "FakePinentry": "pinentry",
    "KeychainContract": "contracts",
    "MemoryKeychain": "stores",
    "MemorySession": "stores",
    "SourceContract": "contracts",
    "sandbox": "sandbox",
}


def _load(name: str) -> object:
    """Load a name when it is first used: each run of pytest loads the plugin of this package."""
    if name not in _MODULES:
        raise AttributeError(f"module 'secretly.testing' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:  # pragma: no branch - see secretly/__init__.py
    __getattr__ = _load
