"""Doubles for tests of programs that use secretly, which secretly's own tests use too.

.. versionadded:: 1.0
"""

from __future__ import annotations

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
