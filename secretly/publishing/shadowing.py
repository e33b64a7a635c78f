"""The modules of the working folder that ``python -m`` starts, or that the tool loads."""

from __future__ import annotations

import contextlib
import os

from .. import safefiles
from ..text import shorten
from .tool_call import ToolCall

#: A module's file. Nothing that a tool loads has the name of a project's build script.
_MODULE = r"(?a)(?!setup\.)\w+(\.\S+)?\.(py|so)"

#: The flags with which Python doesn't search the working folder.
_ISOLATED = r"-[^-cmWX]*[IP]"

_VERSION = r"(?:python|pypy)(\d+)\.(\d+)t?"


def shadowing_modules(call: ToolCall) -> list[str]:
    """The modules of the working folder that a ``python -m`` may show the token, in words.

    That is a module with the tool's name. A Python before 3.11 can't be told to leave out the
    working folder, so there it is any module.
    """
    name = call.invocation.row.name
    found = (f for f in (f"{name}.py", f"{name}/__init__.py") if os.path.exists(f))
    names = [os.path.dirname(path) or path for path in found]
    if _searches_folder(call):
        names += _modules()
    return [shorten(", ".join(dict.fromkeys(names)), 60)] if names else []


def _searches_folder(call: ToolCall) -> bool:
    """Whether a Python starts that is known to search the working folder in any case."""
    import re  # few calls start a module

    starter, flags = call.invocation.launching[-1]
    direct = len(call.invocation.launching) == 1 and starter.startswith("py")
    return direct and is_old(call.program) and not any(re.match(_ISOLATED, flag) for flag in flags)


def _modules() -> list[str]:
    import re

    names = []
    with contextlib.suppress(OSError):
        names = sorted(os.listdir())
    packages = (n for n in names if os.path.exists(os.path.join(n, "__init__.py")))
    return [*(n for n in names if re.fullmatch(_MODULE, n)), *packages]


def is_old(program: str) -> bool:
    """Whether a Python is older than 3.11, by its name or its virtual environment.

    If neither tells its version, it is taken for a newer one.
    """
    import re

    names = (os.path.basename(path) for path in (program, os.path.realpath(program)))
    found = next(filter(None, (re.fullmatch(_VERSION, name) for name in names)), None)
    if found is None and program:
        settings = os.path.join(os.path.dirname(os.path.dirname(program)), "pyvenv.cfg")
        with contextlib.suppress(OSError):
            text = safefiles.read_file(settings).decode("utf-8", "replace")
            found = re.search(r"(?m)^version(?:_info)? *= *(\d+)\.(\d+)", text)
    return found is not None and (int(found[1]), int(found[2])) < (3, 11)
