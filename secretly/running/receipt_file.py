"""The file of receipts: a line is added whole, and old lines go after a while."""

from __future__ import annotations

import errno
import os

from ..safefiles import shared

__all__ = ["ReceiptFile"]

#: How long, in bytes, the file may get, and how many older files there are next to it.
_LIMIT, _OLDER = 1 << 20, 3

#: How long, in seconds, another process may have the file locked. It adds a line, or reads.
_PATIENCE = 1.0

#: How often the file may be replaced while this process opens it.
_ATTEMPTS = 20


class ReceiptFile:
    """The receipts in a folder.

    :param folder: the folder; it is made when the first line is written.
    """

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "receipts.jsonl")

    @property
    def _paths(self) -> list[str]:
        """The file, then the older ones."""
        return [self.path, *(f"{self.path}.{number}" for number in range(1, _OLDER + 1))]

    def append(self, line: str) -> None:
        """Add a line with one write: it is there whole, or not at all.

        :raises OSError: if it can't be written.
        """
        data = line.encode("ascii") + b"\n"
        for _ in range(_ATTEMPTS):
            descriptor = shared.open_own(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                shared.lock(descriptor, _PATIENCE)
                if self._added(descriptor, data):
                    return
            finally:
                os.close(descriptor)
        raise OSError(errno.EBUSY, "other processes keep replacing it")

    def _added(self, descriptor: int, data: bytes) -> bool:
        """Add a line to the open file; return False if the file is not the current one any more."""
        try:
            if not os.path.samestat(os.fstat(descriptor), os.lstat(self.path)):
                return False
        except FileNotFoundError:
            return False
        size = os.fstat(descriptor).st_size
        if size and size + len(data) > _LIMIT:
            self._rotate()
            return False
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # a power failure cut the last one
            data = b"\n" + data
        if os.write(descriptor, data) < len(data):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return True

    def _rotate(self) -> None:
        """Move each file to the next older name. The oldest one goes."""
        paths = self._paths
        for older, newer in zip(paths[:0:-1], paths[-2::-1], strict=True):
            if os.path.lexists(newer):
                os.replace(newer, older)

    def lines(self) -> list[bytes]:
        """All lines, the oldest first.

        :raises OSError: if a file can't be read.
        """
        found: list[bytes] = []
        try:
            descriptor = shared.open_own(self.path, os.O_RDWR)
        except FileNotFoundError:
            return found
        try:
            shared.lock(descriptor, _PATIENCE)
            for path in reversed(self._paths):
                found += self._read(path)
        finally:
            os.close(descriptor)
        return found

    def _read(self, path: str) -> list[bytes]:
        try:
            descriptor = shared.open_own(path, os.O_RDONLY)
        except FileNotFoundError:
            return []
        with open(descriptor, "rb") as file:
            return file.read().splitlines()
