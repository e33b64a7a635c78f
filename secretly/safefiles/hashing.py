"""SHA-256, without OpenSSL for what is small: loading it takes longer than hashing a megabyte."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import IO, Any

__all__ = ["new", "of_bytes", "of_file"]

#: How many bytes Python's own code hashes, all in all. OpenSSL's is several times as quick.
_SMALL = 1 << 20
_left = _SMALL

#: How many bytes are read at a time.
_CHUNK = 1 << 18


def new(size: int) -> Any:
    """A new hash, for about so many bytes; its methods are those of hashlib's."""
    global _left
    if size <= _left and "hashlib" not in sys.modules:
        try:
            _left -= size
            module: Any = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256")
            return module.sha256()
        except ImportError:  # a Python that was built without them
            pass
    import hashlib

    return hashlib.sha256()


def of_bytes(data: bytes) -> str:
    """The hash of some bytes, in hexadecimal."""
    digest = new(len(data))
    digest.update(data)
    return str(digest.hexdigest())


def of_file(file: IO[bytes], size: int) -> str:
    """The hash of a file from here to its end, in hexadecimal.

    :param size: about how many bytes that is.
    """
    digest, buffer = new(size), bytearray(min(size, _CHUNK) + 1)
    view = memoryview(buffer)
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(view[:count])
    return str(digest.hexdigest())
