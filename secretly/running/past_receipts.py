"""Read the receipts that were written, also while another process writes one."""

from __future__ import annotations

import errno
import os

from ..safefiles import shared
from .receipt_file import PATIENCE

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from .receipt_file import ReceiptFile

__all__ = ["last_lines", "lines"]

#: How much of a file is read at most. A line may be longer than the limit: one receipt names all
#: secrets of an env file.
_READ = 16 << 20

#: How many bytes at the end of the file are looked at for what happened last.
_END = 1 << 16


def lines(file: ReceiptFile) -> list[bytes]:
    """All lines, the oldest first.

    :raises OSError: if a file can't be read.
    """
    try:
        descriptor = shared.open_own(file.path, os.O_RDWR)  # NFS needs that for the lock
    except OSError as error:
        # There may be older ones. In a sandbox the home folder may be read-only.
        if error.errno in {errno.ENOENT, errno.EACCES, errno.EROFS}:
            return _all(file)
        raise
    try:
        shared.lock(descriptor, PATIENCE)
        return _all(file)
    finally:
        os.close(descriptor)


def _all(file: ReceiptFile) -> list[bytes]:
    return [line for path in reversed(file.paths) for line in _read(path)]


def _read(path: str) -> list[bytes]:
    try:
        descriptor = shared.open_own(path, os.O_RDONLY)
    except FileNotFoundError:
        return []
    with open(descriptor, "rb") as file:
        data = file.read(_READ + 1)
    if len(data) > _READ:
        raise OSError(errno.EFBIG, f"{os.path.basename(path)} is larger than {_READ >> 20} MiB")
    return data.splitlines()


def last_lines(file: ReceiptFile) -> list[bytes]:
    """The lines at the end of the file, the oldest first; none if it can't be read.

    This waits for no other process: a line that one adds now may be missing.
    """
    try:
        descriptor = shared.open_own(file.path, os.O_RDONLY)
    except OSError:
        return []
    try:
        start = max(0, os.fstat(descriptor).st_size - _END)
        found = os.pread(descriptor, _END, start).splitlines()
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return found[1:] if start else found
