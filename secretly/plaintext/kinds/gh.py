"""gh's ``hosts.yml``, which has the token of the active user twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...redacted import Secret
from ...text import escape, shell_quote
from ..finding import Cut, Document, FileKind, Finding, Parsed
from ..lines import NoParse, TextLine, decoded, read_lines
from ..naming import secret_of

_LINE = re.compile(
    rb"(?P<indent> *)(?P<key>[^\s:#'\"\[\]{}&*!|>%@`-][^\s:'\"]*):(?: +(?P<value>\S.*?))? *"
)
_HOST = "github.com"


def _entries(data: bytes) -> Iterator[tuple[tuple[str, ...], str, TextLine]]:
    """Each key with its path, for the plain YAML that gh writes.

    :raises NoParse: for any other YAML.
    """
    path: list[tuple[int, str]] = []
    for line in read_lines(data):
        if not line.text.strip() or line.text.lstrip().startswith(b"#"):
            continue
        found = _LINE.fullmatch(line.text)
        value = b"" if found is None else found["value"] or b""
        other = value[:1] in (b"|", b">", b"{", b"[", b"&", b"*") or re.search(rb"\s#", value)
        if found is None or other:
            raise NoParse(f"line {line.number} is not as gh writes it")
        indent = len(found["indent"])
        path = [(at, key) for at, key in path if at < indent]
        path.append((indent, decoded(found["key"])))
        yield tuple(key for _, key in path), decoded(value), line


def parse(data: bytes) -> Parsed:
    """The values by their paths.

    :raises NoParse: if the file is not as gh writes it, or has a key twice.
    """
    values: dict[tuple[str, ...], str] = {}
    for path, value, line in _entries(data):
        if path in values:
            raise NoParse(f"line {line.number} has a key that is there before")
        values[path] = value
    return values


def find(document: Document) -> list[Finding]:
    """A token a host and user, with both of its copies."""
    tokens = [
        (path, Secret(value.strip("\"'")), line)
        for path, value, line in _entries(document.data)
        if path[-1] == "oauth_token" and value
    ]
    found: dict[tuple[str, str], list[tuple[tuple[str, ...], Secret, TextLine]]] = {}
    for path, value, line in tokens:
        found.setdefault((path[0], value), []).append((path, value, line))
    several = len(found) > 1
    return [_finding(document, copies, several) for copies in found.values()]


def _finding(
    document: Document, copies: list[tuple[tuple[str, ...], Secret, TextLine]], several: bool
) -> Finding:
    path, value, line = copies[0]
    host = path[0]
    main = host == _HOST
    problem = "it has the tokens of several users or hosts" if several else ""
    name = secret_of("gh", document.configuration) if main else host
    called = f"secretly run -e {shell_quote(f'GH_ENTERPRISE_TOKEN={name}')} gh …"
    return Finding(
        f"{escape(host)}: oauth_token{f' ({len(copies)} copies)' if len(copies) > 1 else ''}",
        line.number,
        value,
        "token of gh",
        name,
        None,
        tuple(Cut(one.start, one.end) for _, _, one in copies),
        tuple(key for key, _, _ in copies),
        problem=problem,
        command="secretly run gh …" if main else called,
        revoke=f"at {host}: Settings, Applications (or Developer settings), GitHub CLI",
    )


KINDS = [
    FileKind(
        "gh's hosts.yml",
        ("$GH_CONFIG_DIR/hosts.yml", "~/.config/gh/hosts.yml"),
        ("hosts.yml",),
        find,
        parse,
    )
]
