"""``keepassxc://DATABASE.kdbx/ENTRY[#attribute]``: KeePassXC, by ``keepassxc-cli``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from ..display import visible
from ..errors import BadReference
from ..redacted import Secret
from .failures import Ambiguous, Locked, NoField, NoItem
from .programs import Program, operand
from .runs import Run

title = "KeePassXC"

program = Program(
    title,
    "keepassxc-cli",
    (
        ("invalid credentials", Locked, "the database is locked", "open it in KeePassXC"),
        (
            "failed to open database|error while reading the database",
            NoItem,
            "the database of {item} cannot be opened",
            "check its path",
        ),
        ("could not find entry", NoItem, "there is no entry {item}", "keepassxc-cli ls DATABASE"),
        (
            "unknown attribute",
            NoField,
            "the entry {item} has no such attribute",
            "keepassxc-cli show --all DATABASE ENTRY",
        ),
        (
            "ambiguous|more than one",
            Ambiguous,
            "several attributes match in {item}",
            "write the attribute with its own capitals",
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


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the wanted attributes, and the user name."""
    database, entry = _parted(path)
    key = (title, database)
    wanted = dict.fromkeys(_NAMES.get(field.casefold(), field) for field in fields)
    wanted["UserName"] = None
    values: dict[str, str] = {}

    async def attempt() -> str:
        if key not in run.kept:
            program.path(run)  # before anybody types for nothing
            if not os.path.isfile(database):
                raise NoItem(f"{title}: there is no database {visible(database)}", "check its path")
            raise Locked(f"{title}: {visible(database)} is locked", "open it in KeePassXC")
        names = [*wanted]
        for name in names:
            arguments = ("show", "-s", "-a", name, database, entry)
            try:
                # The password is read from stdin, the prompt for it goes to stderr.
                values[name] = await program.call(
                    run, *arguments, item=entry, stdin=Secret(f"{run.kept[key]}\n")
                )
            except NoField:
                if "Password" not in names:  # the error will say which there are
                    names.append("Password")
        return entry

    async def unlock(wrong: str) -> None:
        purpose = f"KeePassXC's {visible(os.path.basename(database))} is locked"
        run.kept[key] = await run.typed("Database password", purpose, wrong)

    await program.unlocking(run, attempt, unlock)
    names = {**dict.fromkeys(("password", "username")), **dict.fromkeys(fields)}
    found = {name: values.get(_NAMES.get(name.casefold(), name)) for name in names if name}
    return {name: value for name, value in found.items() if value}


def _parted(path: str) -> tuple[str, str]:
    found = re.fullmatch(r"(.+?\.kdbx)/(.+)", path)
    if found is None:
        raise BadReference(
            f"keepassxc://{visible(path)} does not say which database and entry",
            "write keepassxc://PATH/TO/DATABASE.kdbx/ENTRY",
        )
    return operand(os.path.expanduser(found[1])), operand(found[2])
