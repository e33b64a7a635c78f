"""The command line, which finds secretly's own modules itself, in less time than Python.

A run of the command loads more than fifty modules. Python's own finder takes twelve system calls
for each of them; the one here takes five. It leaves everything that is unusual to Python: code
that is not compiled yet, or for another version of the source, or kept in another place. Only the
command has it, and no other package's modules are found by it.

It is in this file because Python itself has to find the file that it is in. A module of its own
would take as long to find as several that it finds.

https://docs.python.org/3/reference/import.html#the-meta-path
"""

from __future__ import annotations

import marshal
import sys

try:
    # What importlib.machinery names; it would be one more module to load.
    from _frozen_importlib import ModuleSpec
    from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
    from _imp import _fix_co_filename  # type: ignore[attr-defined]
    from posix import F_OK, O_CLOEXEC, O_RDONLY, access, close, read, stat  # os wraps open
    from posix import open as open_file
except ImportError:  # pragma: no cover - a Python that has other names for what it is made of
    MAGIC_NUMBER, SourceFileLoader = b"", object  # type: ignore[assignment,misc]

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import stat_result
    from types import CodeType, ModuleType
else:
    ModuleType = type(sys)  # types would be one more module to load

__all__ = ["main"]

_PACKAGE = f"{__name__.partition('.')[0]}."

#: What compiled code begins with that Python checks by the source's time and size (PEP 552).
_CHECKED_BY_TIME = MAGIC_NUMBER + bytes(4)

_32_BITS = 0xFFFF_FFFF

#: How large, in bytes, compiled code is that is left to Python. No module has half of it.
_LARGE = 1 << 16

#: The size of that beginning, with the time and the size.
_HEAD = len(_CHECKED_BY_TIME) + 8


class _Module(ModuleType):
    """A module that is not a package and has no ``__getattr__`` of its own (PEP 562).

    ``from`` asks each module for ``__path__``. Where there is none, Python 3.11 makes an error that
    nobody sees, which takes longer than all else that ``from`` does. It makes none for objects
    whose attributes are found in the usual way.
    """

    __getattribute__ = object.__getattribute__


class _Loader(SourceFileLoader):
    """Loads a module as Python does, but tries its compiled code first.

    :param facts: the source's.
    """

    def __init__(self, name: str, path: str, cached: str, facts: stat_result) -> None:
        super().__init__(name, path)
        self._cached, self._facts = cached, facts

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the module with its files. Python would set them after an error for each."""
        module = (_Module if spec.submodule_search_locations is None else ModuleType)(spec.name)
        vars(module).update(__file__=spec.origin, __cached__=spec.cached)
        return module

    def get_code(self, fullname: str) -> CodeType | None:
        try:
            data = _content(self._cached)
        except OSError:
            data = b""
        numbers = int(self._facts.st_mtime) & _32_BITS | (self._facts.st_size & _32_BITS) << 32
        head = numbers.to_bytes(8, "little")
        if data[:_HEAD] != _CHECKED_BY_TIME + head:
            return super().get_code(fullname)
        try:
            code: CodeType = marshal.loads(memoryview(data)[_HEAD:])
            _fix_co_filename(code, self.path)  # the folder may have been moved
        except (EOFError, TypeError, ValueError):  # cut short
            return super().get_code(fullname)
        return code


def _content(path: str) -> bytes:
    """Return the content of a file; empty if it is large."""
    descriptor = open_file(path, O_RDONLY | O_CLOEXEC)
    try:
        data = read(descriptor, _LARGE)
    finally:
        close(descriptor)
    return data if len(data) < _LARGE else b""


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
        # As for Python, a package comes before a module of that name. An error would cost more.
        package = access(f"{path[0]}/{name}/__init__.py", F_OK)
        folder, stem = (f"{path[0]}/{name}", "__init__") if package else (path[0], name)
        source = f"{folder}/{stem}.py"
        cached = f"{folder}/__pycache__/{stem}.{sys.implementation.cache_tag}.pyc"
        try:
            loader = _Loader(fullname, source, cached, stat(source))
        except OSError:
            return None
        spec = ModuleSpec(fullname, loader, origin=source, is_package=package)
        spec.has_location, spec.cached = True, cached
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(folder)
        return spec


def _install() -> None:
    """Put the finder in front, unless Python keeps compiled code elsewhere, or none."""
    usual = sys.implementation.name == "cpython" and sys.pycache_prefix is None
    if usual and MAGIC_NUMBER and not sys.flags.optimize and _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


_install()  # before the other modules

from .main import main  # noqa: E402
