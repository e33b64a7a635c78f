"""``mysql``, ``mysqldump`` and MariaDB's: a password in an option file hides ``MYSQL_PWD``.

Even an empty one does. Tried with MariaDB's client 10.11; the groups and files are those of
``mysql --help``. Oracle's client reads the encrypted ``~/.mylogin.cnf`` as well.
"""

from __future__ import annotations

import os

from ...config.invocation import Invocation
from ...text import escape
from .rival import Rival, home_path, in_file, read_settings

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Where the builds of MySQL and MariaDB look for the settings of all users.
_SYSTEM = (
    *("/etc/my.cnf", "/etc/mysql/my.cnf", "/usr/etc/my.cnf", "/usr/local/etc/my.cnf"),
    *("/usr/local/mysql/etc/my.cnf", "/opt/homebrew/etc/my.cnf", "/opt/local/etc/mysql/my.cnf"),
)

#: The groups of all clients, and those of each.
_GROUPS = ("client", "client-server", "client-mariadb")
_OWN = {"dump": ("mysqldump", "mariadb-dump"), "": ("mysql", "mariadb-client")}

#: How deep ``!include`` may lead, and how many files may be read.
_DEEPEST, _MOST = 10, 100


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The option or the file that has a password."""
    options = known.parsed.options
    for name, _ in options:
        if name == "-p" or (name.startswith("--pass") and "--password".startswith(name)):
            return Rival(f"what {name} gives or asks for", f"leave out {name}")
        if name == "--skip-password":
            return Rival("no password, because of --skip-password", "leave out --skip-password")
    groups = {f"{one}{end}" for one in _groups(known.row.name) for end in _ends(options, environ)}
    for path in _files(options, environ):
        if rival := _in_file(path, groups, [0], 0):
            return rival
    login = environ.get("MYSQL_TEST_LOGIN_FILE") or home_path(".mylogin.cnf", environ)
    if "mariadb" not in known.row.name and os.path.isfile(login):
        return Rival(
            f"the password in {escape(login)}, if it has one (the file is encrypted)",
            "remove it: mysql_config_editor remove",
        )
    return None


def _groups(tool: str) -> tuple[str, ...]:
    return (*_GROUPS, *_OWN["dump" if "dump" in tool else ""])


def _ends(options: list[tuple[str, str | None]], environ: Mapping[str, str]) -> Iterator[str]:
    """The ends of the groups' names: a call may ask for more groups."""
    yield ""
    for name, value in options:
        if name == "--defaults-group-suffix" and value:
            yield value.lower()
    for variable in ("MARIADB_GROUP_SUFFIX", "MYSQL_GROUP_SUFFIX"):
        if environ.get(variable):
            yield environ[variable].lower()


def _files(options: list[tuple[str, str | None]], environ: Mapping[str, str]) -> list[str]:
    """The option files, in the order in which the client reads them."""
    given = dict(options)
    if "--no-defaults" in given:
        return []
    if named := given.get("--defaults-file"):
        return [named]
    folders = [environ.get("MARIADB_HOME"), environ.get("MYSQL_HOME")]
    extra = given.get("--defaults-extra-file")
    return [
        *_SYSTEM,
        *(os.path.join(folder, "my.cnf") for folder in folders if folder),
        *filter(None, [extra]),
        home_path(".my.cnf", environ),
    ]


def _in_file(path: str, groups: set[str], seen: list[int], depth: int) -> Rival | None:
    """The password in a file, or in one that it includes.

    :param seen: how many files were read so far, as its only item.
    """
    seen[0] += 1
    if depth > _DEEPEST or seen[0] > _MOST:
        return Rival(f"the settings that {escape(path)} includes", "include fewer files there")
    group = ""
    for raw in (read_settings(path) or "").splitlines():
        line = raw.strip()
        if line.startswith("!include"):
            for included in _included(line):
                if rival := _in_file(included, groups, seen, depth + 1):
                    return rival
        elif line.startswith("["):
            group = line[1:].partition("]")[0].strip()
        elif group.lower() in groups and _is_password(line):
            return in_file(path, "password", group)
    return None


def _included(line: str) -> list[str]:
    """The files of a line with ``!include FILE`` or ``!includedir FOLDER``."""
    word, _, path = line.partition(" ")
    path = path.strip()
    if word == "!include":
        return [path]
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return []
    return [os.path.join(path, name) for name in names if name.endswith((".cnf", ".ini"))]


def _is_password(line: str) -> bool:
    """Whether a line sets the password. The client takes a beginning of the option's name."""
    key = line.partition("=")[0].partition("#")[0].strip().lower().replace("_", "-")
    key = key.removeprefix("loose-").removeprefix("skip-").removeprefix("disable-")
    return len(key) > 1 and "password".startswith(key)
