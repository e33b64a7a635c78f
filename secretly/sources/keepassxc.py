"""``keepassxc://DATABASE.kdbx/ENTRY[#attribute]``: KeePassXC, by ``keepassxc-cli``."""

from __future__ import annotations

import os
import re
import shlex

from ..asking import wording
from ..config import places
from ..errors import BadConfiguration, BadReference
from ..redacted import Secret
from ..text import escape
from ..waiting import tasks
from ..waiting.blocks import suppress
from .failures import Ambiguous, Locked, NoField, NoItem, Unasked
from .programs import Program, operand
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

title = "KeePassXC"

program = Program(
    title,
    "keepassxc-cli",
    (
        (
            "invalid credentials",
            Locked,
            "the database password is wrong",
            "keepassxc-cli ls DATABASE",
        ),
        (
            "failed to open database|error while reading the database",
            NoItem,
            "can't open the database of {item}",
            "check its path",
        ),
        (
            "could not find entry",
            NoItem,
            "can't find the entry {item}",
            "keepassxc-cli ls -R -f DATABASE",
        ),
        (
            "unknown attribute",
            NoField,
            "the entry {item} does not have this attribute",
            "keepassxc-cli show --all DATABASE ENTRY",
        ),
        (
            "no TOTP set up|could not find attachment",
            NoField,
            "the entry {item} does not have this",
            "keepassxc-cli show --all --show-attachments DATABASE ENTRY",
        ),
        (
            "ambiguous|more than one",
            Ambiguous,
            "several attributes match in {item}",
            "write the attribute as KeePassXC does, capitals included",
        ),
    ),
)

#: The names of the attributes that all entries have.
_NAMES = {
    "": "Password",
    "password": "Password",
    "username": "UserName",
    "url": "URL",
    "notes": "Notes",
    "title": "Title",
}


#: How the field of an attachment begins, whose name follows.
_ATTACHMENT = "attachment/"

#: The options that a database may need, and whether they take a value.
_OPTIONS = {"-k": True, "--key-file": True, "-y": True, "--yubikey": True, "--no-password": False}

#: keepassxc-cli can't use a KeePassXC window in which the database is open.
_ASK = "run it where secretly can ask you for the password, as keepassxc-cli would"

_VARIABLE = "SECRETLY_KEEPASSXC_OPTIONS"


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the wanted attributes, and the user name."""
    database, entry = _parted(path, run.environ)
    wanted = dict.fromkeys(_NAMES.get(field.casefold(), field) for field in fields)
    wanted["UserName"] = None
    opened = _Entry(run, database, entry, tuple(wanted))
    found = await program.unlocking(run, opened.attempt, opened.unlock)
    asked = {**dict.fromkeys(("password", "username")), **dict.fromkeys(fields)}
    given = {name: found.get(_NAMES.get(name.casefold(), name)) for name in asked if name}
    return {name: value for name, value in given.items() if value}


class _Entry:
    """An entry of a database, and how to read it.

    :param database: the database's path.
    :param wanted: the attributes to read, as KeePassXC spells them.
    """

    def __init__(self, run: Run, database: str, entry: str, wanted: Sequence[str]) -> None:
        self._run, self._database, self._entry, self._wanted = run, database, entry, wanted
        self._options = _options(run)
        self._has_password = "--no-password" not in self._options
        self._key = (title, database)

    async def attempt(self) -> Mapping[str, str]:
        """Read the wanted attributes.

        :raises Locked: if the password is not known in this run, or is wrong.
        """
        database = escape(self._database)
        if self._has_password and self._key not in self._run.kept:
            program.path(self._run)  # fail before the user types a password in vain
            if not os.path.isfile(self._database):
                raise NoItem(f"{title}: the database {database} does not exist", "check its path")
            raise Locked(f"{title}: {database} is locked", "open it in KeePassXC")
        found, _ = await tasks.gather(self._values(), self._check_unique())
        return found

    async def unlock(self, wrong: str) -> None:
        """Ask for the password."""
        if not self._has_password:
            what = f"{title}: {escape(self._database)} is locked, and has no password"
            raise Unasked(what, f"check the key file in {_VARIABLE}")
        purpose = f"KeePassXC's {escape(os.path.basename(self._database))} is locked"
        typed = await self._run.typed(wording.DATABASE_PASSWORD, purpose, wrong, _ASK)
        self._run.kept[self._key] = typed

    async def _call(self, verb: str, *arguments: str) -> Secret:
        # keepassxc-cli reads the password from stdin, and writes its prompt to stderr.
        typed = self._run.kept.get(self._key)
        stdin = Secret("" if typed is None else f"{typed}\n")
        words = (verb, *self._options, *arguments)
        return await program.call(self._run, *words, item=self._entry, stdin=stdin)

    async def _check_unique(self) -> Mapping[str, str]:
        """Refuse an entry that shares its path with another: `show` would take the first."""
        database = self._database
        listed = await self._run.once(
            (title, database, "ls"), lambda: self._call("ls", "-R", "-f", database)
        )
        if listed.split("\n").count(self._entry) > 1:
            raise Ambiguous(
                f"{title}: several entries are called {escape(self._entry)}",
                "rename one, or move it: keepassxc-cli ls -R -f DATABASE",
            )
        return {}

    async def _values(self) -> Mapping[str, str]:
        """Read all attributes in one call if each is one line, else one after another.

        The output does not show where a value of several lines ends, or which one is missing.
        """
        names = [name for name in self._wanted if not name.startswith(_ATTACHMENT)]
        found = dict[str, Secret]()
        with suppress(NoField):
            lines = (await self._show(*names)).split("\n")
            if len(lines) == len(names):
                found = dict(zip(names, map(Secret, lines), strict=True))
        for name in () if found else (*names, "Password"):
            with suppress(NoField):
                found[name] = await self._show(name)
        for name in self._wanted:
            if name not in found:
                with suppress(NoField):
                    found[name] = await self._beyond_attributes(name)
        return found

    async def _beyond_attributes(self, name: str) -> Secret:
        """Return a one-time code, or the text of an attachment.

        :raises NoField: if the entry has no such thing.
        """
        entry = f"/{self._entry}"
        if name.casefold() == "totp":  # no attribute has that name
            return await self._call("show", "-t", self._database, entry)
        if name.startswith(_ATTACHMENT):
            attachment = operand(name.removeprefix(_ATTACHMENT))
            return await self._call(
                "attachment-export", "--stdout", self._database, entry, attachment
            )
        raise NoField(f"{title}: {escape(self._entry)} has no such field", "write its full name")

    async def _show(self, *attributes: str) -> Secret:
        chosen = [word for name in attributes for word in ("-a", name)]
        # Without the slash, an entry of that title in any group, or in the bin, would match.
        return await self._call("show", "-s", *chosen, self._database, f"/{self._entry}")


def _options(run: Run) -> list[str]:
    """Return the options that the user has set for their databases."""
    try:
        words = shlex.split(run.environ.get(_VARIABLE, ""))
    except ValueError:
        words = ["'"]
    left = iter(words)
    for word in left:
        if word not in _OPTIONS or (_OPTIONS[word] and next(left, "-").startswith("-")):
            raise BadConfiguration(
                f"'{escape(word)}' in {_VARIABLE} is not allowed, or lacks its value",
                "it takes --key-file FILE, --yubikey SLOT and --no-password",
            )
    return words


def _parted(path: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Split a path into the database and the entry."""
    found = re.fullmatch(r"(.+?\.kdbx)/+(.*[^/])/*", path)
    if found is None:
        raise BadReference(
            f"keepassxc://{escape(path)} does not say which database and entry",
            "write keepassxc://PATH/TO/DATABASE.kdbx/ENTRY",
        )
    return operand(places.expand_user(found[1], environ)), operand(found[2])
