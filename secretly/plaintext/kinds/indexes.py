"""The settings of poetry, hatch and pdm, with the passwords of package indexes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...redacted import Secret
from ...text import escape, shell_quote
from .. import toml
from ..finding import Document, FileKind, Finding, Key
from ..naming import index_secret, upload_words


class _Found(NamedTuple):
    """A key with a secret.

    :param repository: the name of the index in the tool's settings.
    :param username: the key of its user name, if there is one.
    """

    key: Key
    repository: str
    username: Key = ()


def _poetry(keys: list[Key]) -> Iterator[_Found]:
    for key in keys:
        if len(key) == 3 and key[0] == "http-basic" and key[2] == "password":
            yield _Found(key, key[1], (*key[:2], "username"))
        if len(key) == 2 and key[0] == "pypi-token":
            yield _Found(key, key[1])


def _hatch(keys: list[Key]) -> Iterator[_Found]:
    for key in keys:
        if len(key) == 5 and key[:3] == ("publish", "index", "repos") and key[4] == "auth":
            yield _Found(key, key[3], (*key[:4], "user"))


def _pdm(keys: list[Key]) -> Iterator[_Found]:
    for key in keys:
        if len(key) == 3 and key[0] == "repository" and key[2] == "password":
            yield _Found(key, key[1], (*key[:2], "username"))


def _finder(
    tool: str, keys: Callable[[list[Key]], Iterator[_Found]]
) -> Callable[[Document], list[Finding]]:
    def find(document: Document) -> list[Finding]:
        values = toml.parse(document.data)
        return [_finding(document, tool, found) for found in keys([*values]) if values[found.key]]

    return find


#: What makes each tool look at no project, but at a folder that has none.
_NO_PROJECT = {"poetry": ("-C",), "pdm": ("-p",), "hatch": ()}


#: What a tool does without secretly from then on, if that is a surprise.
_ALONE = {"poetry": ("poetry without secretly then uploads without a password, and doesn't ask",)}


def _finding(document: Document, tool: str, found: _Found) -> Finding:
    values = toml.parse(document.data)
    line, cut = toml.find_key(document.data, found.key) or (0, None)
    folder = os.path.dirname(document.path)
    more = tuple(word for option in _NO_PROJECT[tool] for word in (option, folder))
    index = index_secret(tool, found.repository, document.environ, document.configuration, *more)
    value = Secret(values[found.key])
    words = " ".join(map(shell_quote, upload_words(tool, found.repository)))
    prefix = document.configuration.entry(index.name).prefix if index.name else None
    problem = index.problem or ("" if cut else "its key is not on a line of its own")
    if not problem and prefix and not value.startswith(prefix):
        problem = (
            "it is not an API token, and the index takes nothing else: remove it, make a token"
        )
    return Finding(
        escape(".".join(found.key)),
        line,
        value,
        "password of a package index",
        index.name,
        values.get(found.username) or index.username,
        (cut,) if cut else (),
        (found.key,),
        problem=problem,
        command=f"secretly run {tool} {words}",
        also=_ALONE.get(tool, ()),
        revoke=f"in your account at {escape(index.name or found.repository)}",
    )


KINDS = [
    FileKind(
        "poetry's settings",
        (
            *("$POETRY_CONFIG_DIR/auth.toml", "~/.config/pypoetry/auth.toml"),
            *("~/.config/pypoetry/config.toml", "~/Library/Application Support/pypoetry/auth.toml"),
        ),
        ("auth.toml", "poetry.toml"),
        _finder("poetry", _poetry),
        toml.parse,
    ),
    FileKind(
        "hatch's settings",
        (
            *("$HATCH_CONFIG", "~/.config/hatch/config.toml"),
            "~/Library/Application Support/hatch/config.toml",
        ),
        (),
        _finder("hatch", _hatch),
        toml.parse,
    ),
    FileKind(
        "pdm's settings",
        (
            *("$PDM_CONFIG_FILE", "~/.config/pdm/config.toml"),
            "~/Library/Application Support/pdm/config.toml",
        ),
        ("pdm.toml",),
        _finder("pdm", _pdm),
        toml.parse,
    ),
]
