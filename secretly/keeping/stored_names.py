"""The index: the names of what is in the keychain, which cannot be asked for them."""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Iterator

from .. import safefiles
from ..config import places
from ..errors import KeychainUnavailable
from ..record import Record
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Self

__all__ = ["StoredName", "StoredNames"]


class StoredName(Record):
    """What is known of a kept secret.

    :param username: under which user name the keychain has it.
    :param own: whether that is the secret's own, rather than the login name.
    :param stored: when, in ISO 8601.
    :param backend: the backend of keyring's that stored it; empty: not noted.
    """

    name: str
    username: str
    own: bool
    stored: str
    backend: str = ""


#: The first line of the list. It is no JSON because json takes as long to load as all of this.
_HEAD = "name\tusername\town\tstored\tkeeper"


def _line(item: StoredName) -> str:
    texts = (item.name, item.username, "yes" if item.own else "no", item.stored, item.backend)
    return "\t".join(codecs.unicode_escape_encode(text)[0].decode("ascii") for text in texts)


def _read(line: str) -> StoredName:
    texts = [codecs.unicode_escape_decode(text.encode("ascii"))[0] for text in line.split("\t")]
    name, username, own, stored, backend = texts
    return StoredName(name, username, {"yes": True, "no": False}[own], stored, backend)


class StoredNames:
    """The names of what secretly put into the keychain; never a value.

    keyring cannot list its items. The file is replaced as a whole, so that a
    crash leaves the old one or the new one, and changed under a lock, so that
    processes that store at the same time lose nothing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._path = os.path.join(folder, "kept.tsv")

    @classmethod
    def default(cls) -> Self:
        """The user's own."""
        return cls(places.secretly_folder("state", os.environ))

    @property
    def path(self) -> str:
        """Where it is."""
        return self._path

    def items(self) -> list[StoredName]:
        """Return what is listed, by name.

        :raises KeychainUnavailable: if the file is broken.
        :raises Refused: if others could write it: it says under which name the keychain is asked.
        """
        if not os.path.lexists(self._path):
            return []
        safefiles.check_only_mine(self._path, "the list of kept names")
        try:
            head, *lines = safefiles.read_file(self._path).decode("ascii").split("\n")
            if head != _HEAD or lines[-1:] != [""]:
                raise ValueError
            return [_read(line) for line in lines[:-1]]
        except (OSError, ValueError, KeyError, Warning):
            raise KeychainUnavailable(
                f"the list of kept names {escape(self._path)} cannot be read",
                "move it away: the keychain keeps its secrets, and 'set' lists them again",
            ) from None

    def find(self, name: str) -> StoredName | None:
        """Return the entry of *name*, the newest if there are several."""
        found = [item for item in self.items() if item.name == name]
        return max(found, key=lambda item: item.stored, default=None)

    def backend_of(self, name: str, username: str) -> str:
        """Return the backend that stored it, or nothing if that was not noted."""
        with contextlib.suppress(KeychainUnavailable):
            for item in self.items():
                if (item.name, item.username) == (name, username):
                    return item.backend
        return ""

    def add(self, name: str, username: str, own: bool, backend: str = "") -> None:
        """List a secret that was stored.

        :param backend: the backend of keyring's that stored it.
        """
        import datetime

        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
        with self._changing() as items:
            items[:] = [i for i in items if (i.name, i.username) != (name, username)]
            items.append(StoredName(name, username, own, now, backend))

    def remove(self, name: str, username: str) -> None:
        """Take a secret off the list."""
        with self._changing() as items:
            items[:] = [i for i in items if (i.name, i.username) != (name, username)]

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[StoredName]]:
        import fcntl

        folder = os.path.dirname(self._path)
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            safefiles.check_only_mine(folder, "the folder for the list of kept names")
            with open(os.path.join(folder, "kept.lock"), "a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                items = self.items()
                yield items
                self._write(items)
        except OSError as error:
            raise KeychainUnavailable(
                f"the list of kept names in {escape(folder)} cannot be written: {error.strerror}",
                "check the folder's permissions and the disk",
            ) from None

    def _write(self, items: list[StoredName]) -> None:
        items.sort(key=lambda item: (item.name, item.username))
        text = "\n".join((_HEAD, *map(_line, items), ""))
        new = os.path.join(
            os.path.dirname(self._path), "kept.new"
        )  # one name: a crash leaves at most one behind
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(new, flags, 0o600), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)
