"""Read many files on two processors: to hash a large upload takes a while."""

from __future__ import annotations

import _thread  # threading is slow to load
import time

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    _File = TypeVar("_File")
    _Found = TypeVar("_Found")

__all__ = ["read_all"]

#: How long, in seconds, one thread reads before a second one helps: to start it takes a while, too.
ALONE = 0.02


def read_all(
    files: Sequence[_File], read: Callable[[_File], _Found], alone: float = ALONE
) -> tuple[_Found, ...]:
    """Read each file once, and return what was read, in the order of the files.

    A second thread helps if that takes long. It has ended when this returns, so that a process can
    be forked. To hash, to unpack and to read a file each let the other thread run.

    :param read: reads a file.
    :param alone: how long, in seconds, this thread reads without help.
    :raises Exception: what *read* raises, for the first file for which it does.
    """
    work = _Work(files, read)
    work.go_on(time.monotonic() + alone)
    if not work.is_done:
        _read_with_help(work)
    return work.results()


def _read_with_help(work: _Work) -> None:
    from threading import Thread

    second = Thread(target=work.go_on, daemon=True)
    try:
        second.start()
    except RuntimeError:  # the system allows no other thread
        work.go_on()
        return
    try:
        work.go_on()
    finally:
        second.join()


class _Work:
    """The files to read, for several threads."""

    def __init__(self, files: Sequence[Any], read: Callable[[Any], Any]) -> None:
        self._files, self._read = files, read
        self._taken, self._lock = 0, _thread.allocate_lock()
        self._found: dict[int, Any] = {}
        self._failed: dict[int, BaseException] = {}

    @property
    def is_done(self) -> bool:
        """Whether all files were taken, or reading one has failed."""
        return self._taken == len(self._files) or bool(self._failed)

    def go_on(self, until: float | None = None) -> None:
        """Read one file after another.

        :param until: when to stop, on the monotonic clock; None: at the end.
        """
        while until is None or time.monotonic() < until:
            with self._lock:
                if self.is_done:
                    return
                number = self._taken
                self._taken += 1
            try:
                self._found[number] = self._read(self._files[number])
            except BaseException as error:
                self._failed[number] = error

    def results(self) -> tuple[Any, ...]:
        """What was read. All files before one that failed have been read to their end."""
        if self._failed:
            raise self._failed[min(self._failed)]
        return tuple(self._found[number] for number in range(len(self._files)))
