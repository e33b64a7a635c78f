"""The sources of configured secrets: one module for each scheme.

Another package adds a source through an entry point of the group ``secretly.sources``. The
entry point's name is the scheme, and it loads a :class:`Source`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any

    from .failures import (
        Ambiguous,
        Locked,
        NoField,
        NoItem,
        NotInstalled,
        SignedOut,
        Unreachable,
    )
    from .items import Items
    from .programs import Program, operand
    from .registry import SCHEMES, find, schemes
    from .runs import Item, Run
    from .source import Source

__all__ = [
    "SCHEMES",
    "Ambiguous",
    "Item",
    "Items",
    "Locked",
    "NoField",
    "NoItem",
    "NotInstalled",
    "Program",
    "Run",
    "SignedOut",
    "Source",
    "Unreachable",
    "find",
    "operand",
    "schemes",
]

_MODULES = {
    "Items": "items",
    "Source": "source",
    **dict.fromkeys(("Item", "Run"), "runs"),
    **dict.fromkeys(("Program", "operand"), "programs"),
    **dict.fromkeys(("SCHEMES", "find", "schemes"), "registry"),
}


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used (PEP 562): most runs need few of them."""
    if name not in __all__:
        raise AttributeError(f"module 'secretly.sources' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_MODULES.get(name, 'failures')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
