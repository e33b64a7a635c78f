"""Find secretly's own modules, and load what Python compiled of them before, in less time.

A run of the command loads about sixty modules. Python's own finder takes twelve system calls for
each of them; this one takes at most six. It leaves everything that is unusual to Python: code that
is not compiled yet, or for another version of the source, or kept in another place. Only the
command has it, and no other package's modules are found by it.

https://docs.python.org/3/reference/import.html#the-meta-path
"""

from __future__ import annotations

import marshal
import sys

# What importlib.machinery names; it would be one more module to load.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from _imp import _fix_co_filename  # type: ignore[attr-defined]
from posix import O_CLOEXEC, O_RDONLY, close, fstat, read, stat  # os wraps open
from posix import open as open_file

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import stat_result
    from types import CodeType

__all__ = ["install"]

_PACKAGE = f"{__name__.partition('.')[0]}."

#: What compiled code begins with that Python checks by the source's time and size (PEP 552).
_CHECKED_BY_TIME = MAGIC_NUMBER + bytes(4)

#: The size of that beginning, with the time and the size.
_HEAD = len(_CHECKED_BY_TIME) + 8


class _Loader(SourceFileLoader):
    """Loads a module as Python does, but tries its compiled code first.

    :param facts: the source's.
    """

    def __init__(self, name: str, path: str, cached: str, facts: stat_result) -> None:
        super().__init__(name, path)
        self._cached, self._facts = cached, facts

    def get_code(self, fullname: str) -> CodeType | None:
        try:
            data = _content(self._cached)
        except OSError:
            data = b""
        numbers = (int(self._facts.st_mtime), self._facts.st_size)
        head = b"".join((number & 0xFFFF_FFFF).to_bytes(4, "little") for number in numbers)
        if data[:_HEAD] != _CHECKED_BY_TIME + head:
            return super().get_code(fullname)
        try:
            code: CodeType = marshal.loads(memoryview(data)[_HEAD:])
            _fix_co_filename(code, self.path)  # the folder may have been moved
        except (EOFError, TypeError, ValueError):  # cut short
            return super().get_code(fullname)
        return code


def _content(path: str) -> bytes:
    descriptor = open_file(path, O_RDONLY | O_CLOEXEC)
    try:
        size = fstat(descriptor).st_size
        return read(descriptor, size)
    finally:
        close(descriptor)


class _Finder:
    """Finds the modules of this package, except the package itself."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None, target: object = None
    ) -> ModuleSpec | None:
        """The spec of a module; None leaves it to Python's own finders.

        :param path: the folders of the package that it is in.
        """
        if not fullname.startswith(_PACKAGE) or not path or len(path) != 1:
            return None
        name = fullname.rpartition(".")[2]
        if not (name.isascii() and name.islower() and name.isidentifier()):
            return None  # Python tells "UV" from "uv", which macOS doesn't
        # As for Python, a package comes before a module of that name.
        found = _module(f"{path[0]}/{name}", "__init__") or _module(path[0], name)
        if found is None:
            return None
        source, cached, facts = found
        loader = _Loader(fullname, source, cached, facts)
        spec = ModuleSpec(
            fullname, loader, origin=source, is_package=source.endswith("/__init__.py")
        )
        spec.has_location, spec.cached = True, cached
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(f"{path[0]}/{name}")
        return spec


def _module(folder: str, name: str) -> tuple[str, str, stat_result] | None:
    """The source of a module, its compiled code, and the source's facts; None without a source."""
    source = f"{folder}/{name}.py"
    try:
        facts = stat(source)
    except OSError:
        return None
    return source, f"{folder}/__pycache__/{name}.{sys.implementation.cache_tag}.pyc", facts


def install() -> None:
    """Put the finder in front, unless Python keeps compiled code elsewhere, or none."""
    usual = sys.implementation.name == "cpython" and sys.pycache_prefix is None
    if usual and not sys.flags.optimize and _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
