"""Where configured secrets come from: one module a scheme.

Another package adds one through an entry point of the group ``secretly.sources``, whose
name is the scheme, and which loads a :class:`Source`.
"""

from __future__ import annotations

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
from .runs import Item, Run, Source

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
