"""The publishing tools: a module for each, found by the name of its known command.

A tool's module has one class, its adapter, and ``TOOL`` names it. To add a tool, add a module here
and a row to ``config/known_commands.py``.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what follows loads typing, and most commands don't publish
if TYPE_CHECKING:
    from ..tool_call import ToolCall

__all__ = ["is_tool", "tool_for"]


def is_tool(name: str) -> bool:
    """Whether the known command of that name is a publishing tool. Loads no module."""
    from importlib.util import find_spec

    return _is_module(name) and find_spec(f"{__name__}.{name}") is not None


def _is_module(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_")


def tool_for(name: str) -> type[ToolCall] | None:
    """Return the adapter of the publishing tool whose known command has that name, or None.

    Loads the module of that tool only.
    """
    if not _is_module(name):
        return None
    module = f"{__name__}.{name}"
    try:
        # importlib's import_module loads more than most tools.
        found: type[ToolCall] = __import__(module, fromlist=("TOOL",)).TOOL
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None
    return found
