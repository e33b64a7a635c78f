"""Change the list of stored names: list a secret that was stored, or take it off the list.

Each change replaces the whole file, so that a crash leaves the old list or the new one, and holds
a lock, so that processes that store at the same time lose nothing.
"""

from __future__ import annotations

import codecs
import fcntl
import os
from collections.abc import Callable

from .. import safefiles
from ..errors import KeychainUnavailable
from ..safefiles import shared
from ..text import escape
from .stored_names import HEAD, SEALED, StoredName, StoredNames

__all__ = ["add", "check_place", "remove"]


def check_place(names: StoredNames) -> None:
    """Check that the list can be changed, before a secret is stored that it must name.

    :raises KeychainUnavailable: if the file is corrupt, or can't be written.
    :raises Refused: if others could change it.
    """
    _change(names, None)


def add(
    names: StoredNames,
    name: str,
    username: str,
    is_own: bool,
    backend: str = "",
    *,
    sealed: bool = False,
) -> None:
    """List a secret that was stored.

    :param is_own: whether *username* is the secret's own, rather than the login name.
    :param backend: the keyring backend that stored it.
    :param sealed: whether it was stored as an age file.
    """
    import datetime

    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    added = StoredName(name, username, is_own, now, backend, sealed)
    _change(names, lambda items: [*_others(items, name, username), added])


def remove(names: StoredNames, name: str, username: str) -> None:
    """Take a secret off the list."""
    _change(names, lambda items: _others(items, name, username))


def _others(items: list[StoredName], name: str, username: str) -> list[StoredName]:
    return [one for one in items if (one.name, one.username) != (name, username)]


def _change(
    names: StoredNames, change: Callable[[list[StoredName]], list[StoredName]] | None
) -> None:
    """Write the list that *change* makes of today's. None: only check that it could be done."""
    folder = os.path.dirname(names.path)
    try:
        shared.make_private_folder(folder)
        safefiles.refuse_if_others_can_write(folder, "the folder for the list of stored names")
        with open(os.path.join(folder, "kept.lock"), "a", opener=_open_private) as lock:
            if change is None:
                _ = names.read_anew().items
                return
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write(names.path, change(names.read_anew().items))
    except OSError as error:
        raise KeychainUnavailable(
            f"can't write the list of stored names in {escape(folder)}: {error.strerror}",
            "check the folder's permissions and the disk",
        ) from None
    finally:
        names.forget()


def _write(path: str, items: list[StoredName]) -> None:
    items.sort(key=lambda item: (item.name, item.username))
    data = HEAD + "".join(f"{_line(item)}\n" for item in items).encode("ascii")
    # Always the same name, so that crashes leave at most one such file behind.
    new = os.path.join(os.path.dirname(path), "kept.new")
    with open(new, "wb", opener=_open_private) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _line(item: StoredName) -> str:
    own = "yes" if item.has_own_username else "no"
    texts = [item.name, item.username, own, item.stored, item.backend]
    texts += [SEALED] if item.sealed else []
    return "\t".join(codecs.unicode_escape_encode(text)[0].decode("ascii") for text in texts)


def _open_private(path: str, flags: int) -> int:
    """Open a file, as :func:`open`'s *opener*, that only this user can read, whatever the umask."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor
