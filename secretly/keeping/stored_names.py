"""The list of stored names: the keychain can't be asked which secrets it has."""

from __future__ import annotations

import codecs
import os
import time

from .. import safefiles
from ..config import places
from ..errors import KeychainUnavailable
from ..record import Record
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Self

    #: The columns of a line: name, user name, own, stored, backend, sealed.
    _Row = tuple[str, str, str, str, str, str]

__all__ = ["NameTable", "StoredName", "StoredNames"]


class StoredName(Record):
    """An entry of the list: a secret that secretly stored in the keychain.

    :param username: the user name under which the keychain has the secret.
    :param has_own_username: whether that is the secret's own user name, rather than the login name.
    :param stored: when it was stored, in ISO 8601.
    :param backend: the keyring backend that stored it; empty: unknown.
    :param sealed: whether it was stored as an age file.
    """

    name: str
    username: str
    has_own_username: bool
    stored: str
    backend: str = ""
    sealed: bool = False


#: The first line of the file. The format is not JSON because loading json takes as long as all
#: the rest of this. The last column is the backend. The line of a sealed secret has one more.
HEAD = b"name\tusername\town\tstored\tkeeper\n"

#: The last column of a sealed secret.
SEALED = "sealed"


def _row(line: str) -> _Row:
    """Parse a line of the file.

    :raises ValueError: if it is not a line of the list.
    """
    texts = line.split("\t")
    if "\\" in line:
        texts = [codecs.unicode_escape_decode(text.encode("ascii"))[0] for text in texts]
    name, username, own, stored, backend, sealed = texts if len(texts) == 6 else (*texts, "")
    if own not in ("yes", "no") or sealed not in ("", SEALED):
        raise ValueError
    return name, username, own, stored, backend, sealed


def _rows(lines: Sequence[str]) -> list[_Row]:
    """Parse the lines of the file. Those without escapes are split together, which is faster.

    :raises ValueError: if one is not a line of the list.
    """
    plain = [line for line in lines if line.count("\t") == 4 and "\\" not in line]
    texts = "\t".join(plain).split("\t") if plain else []
    if not {"yes", "no"}.issuperset(texts[2::5]):
        raise ValueError
    columns = [texts[column::5] for column in range(5)]
    rows: list[_Row] = list(zip(*columns, [""] * len(plain), strict=True))
    if len(rows) == len(lines):
        return rows
    left = iter(rows)
    return [
        next(left) if line.count("\t") == 4 and "\\" not in line else _row(line) for line in lines
    ]


def _item(row: _Row) -> StoredName:
    name, username, own, stored, backend, sealed = row
    return StoredName(name, username, own == "yes", stored, backend, sealed == SEALED)


def _when(row: _Row) -> str:
    return row[3]


#: How many names are searched for in the bytes before all of them are parsed.
_SEARCHES = 20


class NameTable:
    """The list of stored names as it was when it was read. It answers without reading again.

    The lines of a few names are searched for in the file's bytes: to parse a long list takes
    milliseconds. Only a list that was parsed can say that it doesn't have a name.

    :param data: the content of the file.
    :param corrupt: makes the error for a line that is not one of the list.
    :raises ValueError: if the first line is another, the last one has no end, or not all is ASCII.
    """

    def __init__(self, data: bytes = HEAD, corrupt: Callable[[], Exception] = ValueError) -> None:
        self._data, self._corrupt = data, corrupt
        #: All rows, and those of each name, once they are parsed.
        self._parsed: tuple[list[_Row], dict[str, list[_Row]]] | None = None
        #: The rows that were searched for, by their names.
        self._found: dict[str, list[_Row]] = {}
        if not (data.startswith(HEAD) and data.endswith(b"\n") and data.isascii()):
            raise ValueError

    @property
    def _all(self) -> tuple[list[_Row], dict[str, list[_Row]]]:
        if self._parsed is None:
            try:
                rows = _rows(self._data.decode("ascii").split("\n")[1:-1])
            except (ValueError, Warning):
                raise self._corrupt() from None
            named: dict[str, list[_Row]] = {}
            for row in rows:
                named.setdefault(row[0], []).append(row)
            self._parsed = rows, named
        return self._parsed

    def _of(self, name: str) -> list[_Row]:
        """The rows of a name, in the list's order."""
        few = self._parsed is None and len(self._found) < _SEARCHES
        plain = name.isascii() and name.isprintable()
        # Where nothing is escaped, a line with the name begins with it.
        if few and plain and name not in self._found and b"\\" not in self._data:
            try:
                rows = [_row(line) for line in self._lines(name)]
            except ValueError:
                raise self._corrupt() from None
            self._found[name] = [row for row in rows if row[0] == name]
        return self._found.get(name) or self._all[1].get(name, [])

    def _lines(self, start: str) -> Iterator[str]:
        """The lines that begin so: a line that is damaged behind the name is among them."""
        data, at, wanted = self._data, 0, f"\n{start}".encode("ascii")
        while 0 < (at := data.find(wanted, at) + 1) < len(data):
            yield data[at : data.index(b"\n", at)].decode("ascii")

    @property
    def items(self) -> list[StoredName]:
        """The entries, in the list's order."""
        return list(map(_item, self._all[0]))

    @property
    def names(self) -> list[str]:
        """The names, each once, in the list's order."""
        return list(self._all[1])

    def find(self, name: str) -> StoredName | None:
        """Return the entry of *name*, the newest if there are several."""
        row = max(self._of(name), key=_when, default=None)
        return _item(row) if row else None

    def usernames(self, name: str) -> list[str]:
        """Return the user names under which a secret of that name is stored."""
        return [row[1] for row in self._of(name)]

    def has(self, name: str, username: str) -> bool:
        """Whether a secret of that name is stored for that user name."""
        return any(row[1] == username for row in self._of(name))

    def is_sealed(self, name: str) -> bool:
        """Whether a sealed secret is stored under the name."""
        return any(row[5] for row in self._of(name))

    def backend_of(self, name: str, username: str) -> str:
        """Return the backend that stored the secret; empty: not listed, or unknown."""
        return next((row[4] for row in self._of(name) if row[1] == username), "")


class StoredNames:
    """The names of the secrets that secretly stored in the keychain, never their values.

    keyring can't list its items. :mod:`.name_changes` changes the list.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._path = os.path.join(folder, "kept.tsv")
        self._known: tuple[tuple[int, ...], NameTable] | None = None

    @classmethod
    def default(cls) -> Self:
        """Return the user's own list. All who ask get the same, which is parsed only once."""
        folder = places.secretly_folder("state", os.environ)
        if folder not in _lists:
            _lists[folder] = cls(folder)
        known: Self = _lists[folder]
        return known

    @property
    def path(self) -> str:
        """The file's path."""
        return self._path

    def read(self) -> NameTable:
        """Return the list as it is now. A file that has not changed is parsed only once.

        :raises KeychainUnavailable: if the file is corrupt.
        :raises Refused: if others could change it: it says which item of the keychain to use.
        """
        marks = safefiles.change_marks(self._path)
        if self._known is not None and marks == self._known[0]:
            return self._known[1]
        self._known = None
        table = self.read_anew()
        settled = marks[-1] and safefiles.is_settled(marks[-1], time.time_ns())
        if settled and marks == safefiles.change_marks(self._path):
            self._known = marks, table
        return table

    def forget(self) -> None:
        """Forget what was read: the file has changed, or may have."""
        self._known = None

    def read_anew(self) -> NameTable:
        """Read the file, and remember nothing; raises what :meth:`read` does."""
        if not os.path.lexists(self._path):
            return NameTable()
        safefiles.refuse_if_others_can_write(self._path, "the list of stored names")
        try:
            return NameTable(safefiles.read_file(self._path), self._corrupt)
        except (OSError, ValueError):
            raise self._corrupt() from None

    def _corrupt(self) -> KeychainUnavailable:
        return KeychainUnavailable(
            f"can't read the list of stored names {escape(self._path)}",
            "move the file away: your secrets stay in the keychain, and 'secretly set' lists"
            " them again",
        )

    def items(self) -> list[StoredName]:
        """Return the entries, sorted by name; raises what :meth:`read` does."""
        return self.read().items

    def find(self, name: str) -> StoredName | None:
        """Return the entry of *name*, the newest if there are several."""
        return self.read().find(name)

    def usernames(self, name: str) -> list[str]:
        """Return the user names under which a secret of that name is stored."""
        return self.read().usernames(name)


_lists: dict[str, Any] = {}
