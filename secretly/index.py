"""The index: the names of what is in the keychain, which cannot be asked for them."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import trust
from .display import visible
from .errors import KeychainUnavailable

__all__ = ["Index", "Item"]


class Item(NamedTuple):
    """What is known of a kept secret.

    :param username: under which user name the keychain has it.
    :param own: whether that is the secret's own, rather than the login name.
    :param stored: when, in ISO 8601.
    """

    name: str
    username: str
    own: bool
    stored: str


class Index:
    """The names of what secretly put into the keychain; never a value.

    keyring cannot list its items. The file is replaced as a whole, so that a
    crash leaves the old one or the new one, and changed under a lock, so that
    processes that store at the same time lose nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "index.json"

    @classmethod
    def default(cls) -> Index:
        """The user's own."""
        import platformdirs

        return cls(platformdirs.user_state_path("secretly"))

    def items(self) -> list[Item]:
        """Return what is listed, by name.

        :raises KeychainUnavailable: if the file is broken.
        """
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return sorted(
                Item(str(i["name"]), str(i["username"]), bool(i["own"]), str(i["stored"]))
                for i in found["items"]
            )
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise KeychainUnavailable(
                f"the list of kept names {visible(os.fspath(self._path))} cannot be read",
                "move it away: the keychain keeps its secrets, and 'set' lists them again",
            ) from None

    def find(self, name: str) -> Item | None:
        """Return the entry of *name*, the newest if there are several."""
        found = [item for item in self.items() if item.name == name]
        return max(found, key=lambda item: item.stored, default=None)

    def add(self, name: str, username: str, own: bool) -> None:
        """List a secret that was stored."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
        with self._changing() as items:
            items[:] = [i for i in items if (i.name, i.username) != (name, username)]
            items.append(Item(name, username, own, now))

    def remove(self, name: str, username: str) -> None:
        """Take a secret off the list."""
        with self._changing() as items:
            items[:] = [i for i in items if (i.name, i.username) != (name, username)]

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Item]]:
        folder = self._path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            trust.check(folder, "the folder for the list of kept names")
            with open(folder / "index.lock", "a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                items = self.items()
                yield items
                self._write(items)
        except OSError as error:
            raise KeychainUnavailable(
                f"the list of kept names in {visible(os.fspath(folder))} cannot be written: "
                f"{error.strerror}",
                "check the folder's permissions and the disk",
            ) from None

    def _write(self, items: list[Item]) -> None:
        text = json.dumps({"version": 1, "items": [item._asdict() for item in items]}, indent=1)
        new = self._path.with_suffix(".new")  # one name: a crash leaves at most one behind
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(new, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)
