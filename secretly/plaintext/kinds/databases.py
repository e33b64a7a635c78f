"""``.pgpass`` with one line, and ``.my.cnf`` with one password."""

from __future__ import annotations

import re

from ...redacted import Secret
from ...text import escape
from .. import ini
from ..finding import Cut, Document, FileKind, Finding, Parsed
from ..lines import TextLine, decoded, read_lines
from ..naming import secret_of

# -- PostgreSQL ------------------------------------------------------------------

_FIELD = rb"((?:\\.|[^:\\])*)"
_PGPASS = re.compile(rb":".join([_FIELD] * 4) + rb":" + rb"((?:\\.|[^:\\])*)(?::.*)?")


def _pg_lines(data: bytes) -> list[TextLine]:
    return [line for line in read_lines(data) if line.text and not line.text.startswith(b"#")]


def parse_pgpass(data: bytes) -> Parsed:
    """The lines, by how many lines came before."""
    return {(str(n),): decoded(line.text) for n, line in enumerate(_pg_lines(data))}


def find_pgpass(document: Document) -> list[Finding]:
    """The password of each line."""
    lines = _pg_lines(document.data)
    several = "it has several lines, and PGPASSWORD is one password" if len(lines) > 1 else ""
    found = []
    for number, line in enumerate(lines):
        match = _PGPASS.fullmatch(line.text)
        if match is None or not match[5]:
            continue
        user = decoded(re.sub(rb"\\(.)", rb"\1", match[4]))
        found.append(
            Finding(
                f"the password for {escape(decoded(match[1]))}",
                line.number,
                Secret(decoded(re.sub(rb"\\(.)", rb"\1", match[5]))),
                "password of a database",
                secret_of("psql", document.configuration),
                None if user == "*" else user,
                (Cut(line.start, line.end),),
                ((str(number),),),
                problem=several,
                command="secretly run psql …",
                revoke="in the database: ALTER ROLE … PASSWORD …",
            )
        )
    return found


# -- MySQL and MariaDB -----------------------------------------------------------


def find_my_cnf(document: Document) -> list[Finding]:
    """The passwords of all groups; the client takes any short form of the key."""
    values = ini.parse_loosely(document.data)
    password = "(?:loose[-_])?pass(?:w(?:o(?:rd?)?)?)?"
    keys = [key for key in values if re.fullmatch(password, key[1])]
    several = "several groups have one, and any of them hides MYSQL_PWD" if len(keys) > 1 else ""
    includes = re.search(rb"^[ \t]*!include", document.data, re.MULTILINE)
    return [
        _in_group(document, key, several or ("it includes other files" if includes else ""))
        for key in keys
        if values[key]
    ]


def _in_group(document: Document, key: tuple[str, ...], problem: str) -> Finding:
    values = ini.parse_loosely(document.data)
    raw, group = values[key], key[0]
    command = "mariadb" if "mariadb" in group else "mysql"
    line, cut = ini.find_key(document.data, *key) or (0, None)
    value = _unquoted(raw)
    if "\\" in value or " #" in raw or "\n" in raw or cut is None:
        problem = problem or "it is written with escapes, a comment or several lines"
    if group not in ("client", "mysql", "client-mariadb", "mariadb", "mariadb-client"):
        problem = problem or f"secretly knows no command that reads [{escape(group)}]"
    return Finding(
        f"[{escape(group)}] {escape(key[1])}",
        line,
        Secret(value),
        "password of a database",
        secret_of(command, document.configuration),
        _unquoted(values.get((group, "user"), "").partition(" #")[0].strip()) or None,
        (cut,) if cut else (),
        (key,),
        problem=problem,
        command=f"secretly run {command} …",
        revoke="in the database: ALTER USER … IDENTIFIED BY …",
    )


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] in "'\"" and text[:1] == text[-1:] and len(text) > 1 else text


KINDS = [
    FileKind(".pgpass", ("$PGPASSFILE", "~/.pgpass"), (".pgpass",), find_pgpass, parse_pgpass),
    FileKind(".my.cnf", ("~/.my.cnf",), (".my.cnf",), find_my_cnf, ini.parse_loosely),
]
