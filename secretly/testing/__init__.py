"""Doubles and contract tests for programs that use secretly. Its own tests use them too.

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
