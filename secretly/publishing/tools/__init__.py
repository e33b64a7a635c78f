"""The publishing tools: a module for each, found by the name of its known command.

A tool's module has one class, its adapter, and ``TOOL`` names it. To add a tool, add a module here
and a row to ``config/known_commands.py``.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # what follows loads typing, and most commands don't publish
if TYPE_CHECKING:
    from ..tool_call import ToolCall

__all__ = ["tool_for"]


def tool_for(name: str) -> type[ToolCall] | None:
    """Return the adapter of the publishing tool whose known command has that name, or None.

    Loads the module of that tool only.
    """
    if not name.isidentifier() or name.startswith("_"):
        return None
    module = f"{__name__}.{name}"
    try:
        found: type[ToolCall] = importlib.import_module(module).TOOL
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None
    return found
