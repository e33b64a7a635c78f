"""``keepassxc://DATABASE.kdbx/ENTRY[#attribute]``: KeePassXC, by ``keepassxc-cli``."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Mapping, Sequence

from ..config import places
from ..errors import BadConfiguration, BadReference
from ..redacted import Secret
from ..text import escape
from ..waiting import tasks
from .failures import Ambiguous, Locked, NoField, NoItem, Unasked
from .programs import Program, operand
from .runs import Run

title = "KeePassXC"

program = Program(
    title,
    "keepassxc-cli",
    (
        ("invalid credentials", Locked, "that was not its password", "keepassxc-cli ls DATABASE"),
        (
            "failed to open database|error while reading the database",
            NoItem,
            "the database of {item} cannot be opened",
            "check its path",
        ),
        (
            "could not find entry",
            NoItem,
            "there is no entry {item}",
            "keepassxc-cli ls -R -f DATABASE",
        ),
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


#: The options that a database may need, and whether they have a value.
_OPTIONS = {"-k": True, "--key-file": True, "-y": True, "--yubikey": True, "--no-password": False}

#: An open KeePassXC tells its program nothing.
_ASK = "run it where a person can be asked, as keepassxc-cli would"

_VARIABLE = "SECRETLY_KEEPASSXC_OPTIONS"


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the wanted attributes, and the user name."""
    database, entry = _parted(path, run.environ)
    options = _options(run)
    key = (title, database)
    wanted = dict.fromkeys(_NAMES.get(field.casefold(), field) for field in fields)
    wanted["UserName"] = None

    async def call(verb: str, *arguments: str) -> Secret:
        # The password is read from stdin, the prompt for it goes to stderr.
        words = (verb, *options, *arguments)
        typed = run.kept.get(key)
        stdin = Secret("" if typed is None else f"{typed}\n")
        return await program.call(run, *words, item=entry, stdin=stdin)

    async def once() -> Mapping[str, str]:
        listed = await run.once((title, database, "ls"), lambda: call("ls", "-R", "-f", database))
        # `show` would take the first of several.
        if listed.split("\n").count(entry) > 1:
            what = f"{title}: several entries are called {escape(entry)}"
            raise Ambiguous(what, "rename one, or move it: keepassxc-cli ls -R -f DATABASE")
        return {}

    async def show(*attributes: str) -> Secret:
        chosen = [word for name in attributes for word in ("-a", name)]
        # Without the slash it could be one of that title in any group, or in the bin.
        return await call("show", "-s", *chosen, database, f"/{entry}")

    async def values() -> Mapping[str, str]:
        with contextlib.suppress(NoField):
            lines = (await show(*wanted)).split("\n")
            if len(lines) == len(wanted):
                return dict(zip(wanted, map(Secret, lines), strict=True))
        # One has several lines, or is not there: what is between two of them is not marked.
        found = {}
        for name in (*wanted, "Password"):
            with contextlib.suppress(NoField):
                found[name] = await show(name)
        return found

    async def attempt() -> Mapping[str, str]:
        if key not in run.kept and "--no-password" not in options:
            program.path(run)  # before anybody types for nothing
            if not os.path.isfile(database):
                raise NoItem(f"{title}: there is no database {escape(database)}", "check its path")
            raise Locked(f"{title}: {escape(database)} is locked", "open it in KeePassXC")
        found, _ = await tasks.gather(values(), once())
        return found

    async def unlock(wrong: str) -> None:
        if "--no-password" in options:
            what = f"{title}: {escape(database)} is locked, and has no password"
            raise Unasked(what, f"check the key file in {_VARIABLE}")
        purpose = f"KeePassXC's {escape(os.path.basename(database))} is locked"
        run.kept[key] = await run.typed("Database password", purpose, wrong, _ASK)

    found = await program.unlocking(run, attempt, unlock)
    asked = {**dict.fromkeys(("password", "username")), **dict.fromkeys(fields)}
    given = {name: found.get(_NAMES.get(name.casefold(), name)) for name in asked if name}
    return {name: value for name, value in given.items() if value}


def _options(run: Run) -> list[str]:
    """What the person has said that their databases need."""
    try:
        words = shlex.split(run.environ.get(_VARIABLE, ""))
    except ValueError:
        words = ["'"]
    left = iter(words)
    for word in left:
        if word not in _OPTIONS or (_OPTIONS[word] and next(left, "-").startswith("-")):
            raise BadConfiguration(
                f"{_VARIABLE} has '{escape(word)}' in it, which it may not have, or not so",
                "it takes --key-file FILE, --yubikey SLOT and --no-password",
            )
    return words


def _parted(path: str, environ: Mapping[str, str]) -> tuple[str, str]:
    found = re.fullmatch(r"(.+?\.kdbx)/+(.*[^/])/*", path)
    if found is None:
        raise BadReference(
            f"keepassxc://{escape(path)} does not say which database and entry",
            "write keepassxc://PATH/TO/DATABASE.kdbx/ENTRY",
        )
    return operand(places.expand_user(found[1], environ)), operand(found[2])
