"""``.pypirc``, which twine, flit and hatch read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...redacted import Secret
from ...text import shell_quote
from .. import ini
from ..finding import Document, FileKind, Finding, Key
from ..naming import index_secret
from ..shapes import IN_URL, shape_of

#: Sections whose password twine sends to any index that has none of its own.
_FOR_ALL = ("server-login", "DEFAULT")


def find(document: Document) -> list[Finding]:
    """The passwords of a ``.pypirc``."""
    values = ini.parse(document.data)
    shared = [section for section in _FOR_ALL if values.get((section, "password"))]
    why = ""
    if shared:
        why = f"twine would send the password of [{shared[0]}] in its place: remove that one first"
    sections = [section for section, key in values if key == "password"]
    return [
        *(_finding(document, section, why) for section in sections),
        *(
            _in_value(document, key, *why)
            for key, value in values.items()
            for why in _others(value)
        ),
    ]


def _others(value: str) -> Iterator[tuple[str, str]]:
    """What else a value of any key has: the kind of the secret, and what to do."""
    if shape_of(value) == IN_URL:
        yield IN_URL, "take USER:PASSWORD@ out of the URL"
    if re.search(r"\npassword\s*[=:]\s*\S", value):
        why = "its line is indented, so programs read it as a part of the line before: correct that"
        yield "password of a package index", why


def _in_value(document: Document, key: Key, kind: str, problem: str) -> Finding:
    line, _ = ini.find_key(document.data, *key) or (0, None)
    value = Secret(ini.parse(document.data)[key])
    return Finding(f"[{key[0]}] {key[1]}", line, value, kind, problem=problem)


def _finding(document: Document, section: str, problem: str) -> Finding:
    values = ini.parse(document.data)
    value = values[section, "password"]
    line, cut = ini.find_key(document.data, section, "password") or (0, None)
    named = ("--config-file", document.path)
    index = index_secret("twine", section, document.environ, document.configuration, *named)
    problem = problem or next(_objections(document, value, cut is None, index.problem), "")
    prefix = document.configuration.entry(index.name).prefix if index.name else None
    if not problem and prefix and not value.startswith(prefix):
        problem = (
            "it is not an API token, and the index takes nothing else: remove it, make a token"
        )
    return Finding(
        f"[{section}] password",
        line,
        Secret(value),
        "password of a package index",
        index.name,
        values.get((section, "username")) or index.username,
        (cut,) if cut else (),
        ((section, "password"),),
        problem=problem,
        command=f"secretly run twine upload -r {shell_quote(section)} dist/*",
        revoke=f"in your account at {index.name or section}",
    )


def _objections(document: Document, value: str, lost: bool, of_tool: str) -> Iterator[str]:
    if not value:
        yield "it is empty"
    if lost or "\n" in value:
        yield "it has several lines"
    if of_tool:
        yield of_tool


KINDS = [FileKind(".pypirc", ("~/.pypirc",), (".pypirc", "*.pypirc", "pypirc"), find, ini.parse)]
