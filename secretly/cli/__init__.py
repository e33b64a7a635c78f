"""The command line."""

from __future__ import annotations

try:
    from . import finder
except ImportError:  # pragma: no cover - a Python that has other names for what it is made of
    pass
else:
    finder.install()  # before the other modules

from .main import main

__all__ = ["main"]
