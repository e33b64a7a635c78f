"""The user's ``.npmrc``: npm reads ``${NPM_TOKEN?}`` where the token was."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping

from ...config import places
from ...errors import Refused
from ...publishing.destination import host_of
from ...publishing.npm.program import find_npm
from ...redacted import Secret
from ...safefiles import program_on_path
from ...text import escape
from ..finding import Cut, Document, FileKind, Finding, Parsed
from ..lines import NoParse, TextLine, decoded, read_lines
from ..naming import secret_of

_TOKEN = re.compile(
    rb"(?P<before>\s*(?P<key>(?://[^=\s]+:)?(?:_authToken|_auth|_password))\s*=\s*)"
    rb"(?P<value>\"[^\"]*\"|'[^']*'|[^\s;#\"']+)\s*(?P<comment>[;#].*)?"
)
_REFERENCE = "${NPM_TOKEN?}"


def _settings(data: bytes) -> Iterator[tuple[str, Secret, TextLine]]:
    for line in read_lines(data):
        text = line.text.strip()
        if text and text[:1] not in b";#":
            key, _, value = text.partition(b"=")
            yield decoded(key.strip()), decoded(value.strip()), line


def parse(data: bytes) -> Parsed:
    """The settings by their keys.

    :raises NoParse: if a key is there twice: its programs differ in which one counts.
    """
    values: dict[tuple[str, ...], str] = {}
    for key, value, line in _settings(data):
        if (key,) in values and not key.endswith("[]"):
            raise NoParse(f"line {line.number} sets a key a second time")
        values[key,] = value
    return values


def find(document: Document) -> list[Finding]:
    """The tokens of a ``.npmrc``."""
    found = []
    for line in read_lines(document.data):
        match = _TOKEN.fullmatch(line.text)
        if match is not None and not match["value"].startswith((b"${", b'"${')):
            found.append((line, match))
    why = "it has tokens for several registries" if len(found) > 1 else ""
    return [_finding(document, line, match, why) for line, match in found]


def _finding(document: Document, line: TextLine, match: re.Match[bytes], why: str) -> Finding:
    start = line.start + match.end("before")
    cut = Cut(start, start + len(match["value"]), _REFERENCE.encode())
    key = decoded(match["key"])
    if match["comment"]:
        why = "its line has a comment: put that on a line of its own"
    return Finding(
        escape(re.sub(r"//[^/]*@", "//…@", key)),
        line.number,
        Secret(decoded(match["value"]).strip("\"'")),
        "token for npm's registry",
        _secret_name(document, key),
        None,
        (cut,),
        ((key,),),
        _REFERENCE,
        _problem(document, key) or why,
        "secretly run npm publish",
        "in your npm account, under Access Tokens (npm token revoke)",
        ("calls without secretly, such as 'npm install', go without the token",),
    )


def _secret_name(document: Document, key: str) -> str:
    """The secret of the registry: npm's own has that of the known command."""
    host = key[2:].partition("/")[0] if key.startswith("//") else ""
    with contextlib.suppress(Refused):  # without an npm there is only one name
        if host and host != host_of(find_npm("npm", document.environ).registry):
            return host
    return secret_of("npm", document.configuration)


def _problem(document: Document, key: str) -> str:
    if not key.endswith(":_authToken"):
        return "only npm's _authToken of one registry can be a reference: make a token, revoke this"
    if os.path.realpath(user_file(document.environ)) != document.path:
        return "pnpm refuses a reference in a project's .npmrc: move the token to your own first"
    for other in ("pnpm", "yarn"):
        if program_on_path(other, document.environ):
            return f"{other} is installed, and reads a reference there differently from npm"
    return ""


def user_file(environ: Mapping[str, str]) -> str:
    """The user's own ``.npmrc``."""
    named = places.named_folder("NPM_CONFIG_USERCONFIG", environ)
    return named or os.path.join(places.home_folder(environ), ".npmrc")


KINDS = [FileKind(".npmrc", ("$NPM_CONFIG_USERCONFIG", "~/.npmrc"), (".npmrc",), find, parse)]
