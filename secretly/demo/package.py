"""The package that the demo uploads."""

from __future__ import annotations

import zipfile
from pathlib import Path

NAME, VERSION = "secretly-demo", "1.0"

_STEM = f"{NAME.replace('-', '_')}-{VERSION}"

_MODULE = '''"""A package that does nothing: secretly demo uploads it to its practice index."""

__version__ = "1.0"
'''

_METADATA = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"

_WHEEL = "Wheel-Version: 1.0\nGenerator: secretly\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

_PROJECT = f"""\
[build-system]
requires = ["flit_core >=3.2"]
build-backend = "flit_core.buildapi"

[project]
name = "{NAME}"
version = "{VERSION}"
description = "A package that does nothing"
"""


def make_project(folder: Path) -> Path:
    """Write a project whose wheel was built; return the path of the wheel, below the folder."""
    module = f"{NAME.replace('-', '_')}.py"
    (folder / "pyproject.toml").write_text(_PROJECT, "utf-8")
    (folder / module).write_text(_MODULE, "utf-8")
    wheel = Path("dist", f"{_STEM}-py3-none-any.whl")
    (folder / "dist").mkdir()
    with zipfile.ZipFile(folder / wheel, "w") as file:
        for name, text in (
            (module, _MODULE),
            (f"{_STEM}.dist-info/METADATA", _METADATA),
            (f"{_STEM}.dist-info/WHEEL", _WHEEL),
            (f"{_STEM}.dist-info/RECORD", ""),
        ):
            file.writestr(name, text)
    return wheel
