"""``psql`` and the like: a password in the call, or in a service, hides ``PGPASSWORD``.

Tried with PostgreSQL 15: ``.pgpass`` does not hide it.
"""

from __future__ import annotations

import os
import re

from ...config.invocation import Invocation
from ...text import escape
from .rival import Rival, home_path, read_settings

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Where distributions' builds of libpq look for services, without ``PGSYSCONFDIR``.
_SYSTEM = (
    "/etc/postgresql-common",
    "/etc",
    "/usr/local/etc/postgresql",
    "/opt/homebrew/etc/postgresql",
)

_URL = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The password in the call, or in the service that the call or a variable names."""
    service = environ.get("PGSERVICE") or ""
    for text in connections(known):
        if has_password(text):
            return Rival("the password in its arguments", "take the password out of the call")
        service = _setting(text, "service") or service
    return _in_service(service, environ) if service else None


def connections(known: Invocation) -> Iterator[str]:
    """The connection strings of a call, which may be in place of a database's name."""
    for name, value in known.parsed.options:
        if value and name in ("-d", "--dbname", "--maintenance-db", "--dsn"):
            yield value
    yield from known.parsed.words


def has_password(text: str) -> bool:
    """Whether a connection string has a password, even an empty one."""
    if scheme := _URL.match(text):
        user = re.split("[/?]", text[scheme.end() :], maxsplit=1)[0].rpartition("@")[0]
        return ":" in user or _setting(text, "password") is not None
    return _setting(text, "password") is not None


def _setting(text: str, key: str) -> str | None:
    """The value of a key in a connection string, as a URL has it or as ``key = value``."""
    if _URL.match(text):
        from urllib.parse import parse_qs

        values = parse_qs(text.partition("?")[2], keep_blank_values=True).get(key)
        return values[-1] if values else None
    found = re.findall(rf"(?:^|\s){key}\s*=\s*(?:'((?:\\.|[^'\\])*)'|((?:\\.|\S)*))", text)
    return (found[-1][0] or found[-1][1]) if found else None


def _in_service(name: str, environ: Mapping[str, str]) -> Rival | None:
    """The password of a service; a service that can't be read for certain may have one."""
    users_file = environ.get("PGSERVICEFILE") or home_path(".pg_service.conf", environ)
    system = environ.get("PGSYSCONFDIR")
    folders = [system] if system else _SYSTEM
    for path in (users_file, *(os.path.join(one, "pg_service.conf") for one in folders)):
        keys = _keys(read_settings(path) or "", name)
        if keys is None:
            continue
        where = f"the service {escape(name)} in {escape(path)}"
        if "password" in keys:
            return Rival(f"the password of {where}", "remove password there")
        if any(key.startswith("ldap:") for key in keys):
            return Rival(f"what a server gives it for {where}", "write its keys there")
        return None
    return Rival(
        f"the service {escape(name)}, which secretly can't find",
        "name its file: export PGSERVICEFILE=…",
    )


def _keys(text: str, service: str) -> set[str] | None:
    """The keys of a service; None if the file has no such service."""
    keys: set[str] | None = None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            if keys is not None:
                break
            keys = set() if line.startswith(f"[{service}]") else None
        elif keys is not None and line and not line.startswith("#"):
            keys.add(line.partition("=")[0].strip())
    return keys
