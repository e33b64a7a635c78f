"""Run a module with coverage measured, in all of its children too.

    python tests/measuring.py FOLDER pytest -m process

coverage takes four times as long to load as Python takes to start, and the tests start thousands of
processes. So each process loads only coverage's tracer, which is written in C, and writes what it
saw into a file of the folder. ``coverage_floor.py`` gives that to coverage, which makes the report.

This file is copied into the environment, next to a ``.pth`` that loads it as Python starts. So it
loads little itself, and no part of coverage that is written in Python. A process that is measured
can't load coverage: its tracer can be loaded once only.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

#: Where each process writes, and the folders of the code that is measured. Tests that make an
#: environment from nothing keep the variables whose names start like this.
FOLDER, PACKAGES = "COVERAGE_CHILDREN", "COVERAGE_PACKAGES"

#: What the ``.pth`` says. It sorts before those of other packages, so that they are measured.
_LINE = f"import os; {FOLDER!r} in os.environ and __import__('_measuring').start()\n"


class _Measured:
    """What runs in this process.

    :ivar arcs: by file, pairs of lines that ran one after the other, as the tracer packs them.
    """

    def __init__(self, folder: str, packages: tuple[str, ...]) -> None:
        # Each start of Python has loaded it; importlib.machinery has the same, and more.
        import _frozen_importlib_external as importing
        import threading

        places = [os.path.join(folder, "coverage") for folder in sys.path]
        spec = importing.PathFinder.find_spec("coverage.tracer", places)
        self._tracer = spec.loader.create_module(spec)
        spec.loader.exec_module(self._tracer)
        self._tracers: list[Any] = []  # one that is freed as its thread ends disturbs others
        self.arcs: dict[str, set[int]] = {}
        self._folder, self._packages = folder, packages
        self._known: dict[str, Any] = {}
        self._threading = threading

    def trace(self) -> Callable[..., Any]:
        """Trace this thread, and return the function that traces."""
        tracer = self._tracer.CTracer()
        self._tracers.append(tracer)
        tracer.data, tracer.trace_arcs = self.arcs, True
        tracer.should_trace, tracer.should_trace_cache = self._disposition, self._known
        tracer.lock_data = tracer.unlock_data = lambda: None
        tracer.file_tracers, tracer.warn = {}, lambda *arguments, **more: None
        tracer.concur_id_func = tracer.should_start_context = None
        return tracer.start()  # type: ignore[no-any-return]

    def trace_threads(self) -> None:
        """Trace the threads that start from now on."""

        def first(frame: FrameType, event: str, argument: Any) -> Any:
            sys.settrace(None)
            traced = self.trace()
            return traced and traced(frame, event, argument)

        self._threading.settrace(first)

    def _disposition(self, name: str, frame: FrameType) -> Any:
        made = self._tracer.CFileDisposition()
        made.original_filename = made.canonical_filename = made.source_filename = name
        made.trace = name.startswith(self._packages)
        made.reason, made.file_tracer, made.has_dynamic_filename = "", None, False
        return made

    def save(self) -> None:
        """Write what ran until now. A process that is killed here leaves nothing."""
        import marshal

        name = os.path.join(self._folder, f"{os.getpid()}-{os.urandom(8).hex()}")
        try:
            with open(name + ".part", "xb") as file:
                file.write(marshal.dumps(self.arcs))
            os.rename(name + ".part", name)
        except (OSError, ValueError):  # another user's process, for example
            pass


_measured: _Measured | None = None


def start() -> None:
    """Measure this process until it ends, in whichever way. Python may read a ``.pth`` twice."""
    global _measured
    if _measured is not None:
        return
    import atexit

    measured = _measured = _Measured(
        os.environ[FOLDER], tuple(os.environ[PACKAGES].split(os.pathsep))
    )

    def saving(ends: Callable[..., Any]) -> Callable[..., Any]:
        def save_and_end(*arguments: Any, **more: Any) -> Any:
            measured.save()
            return ends(*arguments, **more)

        return save_and_end

    atexit.register(measured.save)
    for name in ("_exit", "execv", "execve"):
        setattr(os, name, saving(getattr(os, name)))
    measured.trace_threads()
    measured.trace()


def resume() -> None:
    """Trace this thread again if that has ended: freeing a frame of another thread can end it."""
    if _measured is not None and sys.gettrace() is None:
        _measured.trace()


def save() -> None:
    """Write what ran until now: xdist kills a worker that takes long to end."""
    if _measured is not None:
        _measured.save()


def lines_run(folder: str) -> dict[str, set[tuple[int, int]]]:
    """Read what all processes wrote: by file, the pairs of lines. Code's start is negative."""
    import marshal

    packed: dict[str, set[int]] = {}
    for entry in os.scandir(folder):
        if "." not in entry.name:
            with open(entry.path, "rb") as file:
                for name, arcs in marshal.load(file).items():
                    packed.setdefault(name, set()).update(arcs)
    return {name: set(_unpacked(arcs)) for name, arcs in packed.items()}


def _unpacked(arcs: set[int]) -> Iterator[tuple[int, int]]:
    # As CTracer_record_pair of coverage's tracer.c packs them.
    for arc in arcs:
        first, second = arc & 0xFFFFFFF, arc >> 28 & 0xFFFFFFF
        yield (-first if arc >> 56 & 1 else first), (-second if arc >> 57 & 1 else second)


def changed(folder: str, package: str) -> list[str]:
    """The files of a package that are not as they were when its measuring began.

    Numbers of lines that were measured before a change would be those of other lines after it.

    :param folder: has what was measured. The first call notes there how the files are.
    """
    import hashlib
    import json

    files = {
        os.path.relpath(os.path.join(place, name), package): os.path.join(place, name)
        for place, _, names in os.walk(package)
        for name in names
        if name.endswith(".py")
    }
    now = {}
    for name, path in files.items():
        with open(path, "rb") as file:
            now[name] = hashlib.sha256(file.read()).hexdigest()
    try:
        with open(os.path.join(folder, "sources.json"), encoding="utf-8") as noted:
            before = json.load(noted)
    except FileNotFoundError:
        with open(os.path.join(folder, "sources.json"), "x", encoding="utf-8") as noted:
            json.dump(now, noted)
        before = now
    return sorted({name for name, _ in now.items() ^ before.items()})


def install(packages: str) -> None:
    """Write what Python loads as it starts into a folder of packages."""
    import shutil

    shutil.copy(__file__, os.path.join(packages, "_measuring.py"))
    with open(os.path.join(packages, "a0_measuring.pth"), "w", encoding="utf-8") as file:
        file.write(_LINE)


def main(folder: str, module: str, *arguments: str) -> None:
    """Run a module; it and its children write into the folder."""
    import sysconfig

    packages = sysconfig.get_path("purelib")
    install(packages)
    os.makedirs(folder, exist_ok=True)
    os.environ[FOLDER] = os.path.abspath(folder)
    measured = (os.path.join(folder, "secretly", "") for folder in (packages, os.getcwd()))
    places = [place for place in measured if os.path.isdir(place)]
    for place in places:
        if files := changed(folder, place):
            sys.exit(
                f"{place} has changed since {folder} was measured: {', '.join(files)}\n"
                f"remove {folder}, and measure all of it again"
            )
    os.environ[PACKAGES] = os.pathsep.join(places)
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
