"""``.env`` files: a reference takes the place of each value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from ...redacted import Secret
from ...text import escape, shell_quote
from ..finding import Cut, Document, FileKind, Finding, Parsed
from ..lines import BOM, NoParse
from ..shapes import assess, known_variables

_LINE = re.compile(
    r"(?P<before>\s*(?:export[^\S\r\n]+)?(?P<key>[A-Za-z_][A-Za-z0-9_.]*)[^\S\r\n]*=[^\S\r\n]*)"
    r"(?P<value>'(?:\\'|[^'])*'|\"(?:\\\"|[^\"])*\"|(?!['\"])[^\r\n]*?)"
    r"(?P<after>[^\S\r\n]*(?:\s#[^\r\n]*)?[\r\n]*)",
)

#: Files next to an env file whose programs read it too, or may.
_READERS = (
    *("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"),
    *("docker-compose.override.yml", "compose.override.yaml", ".envrc", "Makefile", "justfile"),
    *("package.json", "Procfile", "pyproject.toml", "tox.ini", "Dockerfile", "Vagrantfile"),
)


class _Entry(NamedTuple):
    """A variable of an env file.

    :param start: the offset of its line in the file, in bytes.
    :param original: its line as it is written.
    """

    key: str
    value: Secret
    line: int
    start: int
    original: Secret


def _entries(data: bytes) -> Iterator[_Entry]:
    """The variables of an env file, as python-dotenv reads them.

    :raises NoParse: if the file has a line that sets no variable.
    """
    from dotenv.parser import parse_stream

    try:
        text = data.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise NoParse("it is not UTF-8 text")
    at = len(data) - len(data.removeprefix(BOM))
    for found in parse_stream(StringIO(text, newline="")):
        original = found.original.string
        if found.error:
            raise NoParse(f"line {found.original.line} is not NAME=value")
        if found.key is not None and found.value is not None:
            skipped = len(original) - len(original.lstrip("\r\n"))
            line = found.original.line + original[:skipped].count("\n")
            yield _Entry(found.key, Secret(found.value), line, at, Secret(original))
        at += len(original.encode())


def parse(data: bytes) -> Parsed:
    """The variables. One that is set twice is refused: programs differ in which value counts.

    :raises NoParse: if a program might read the file differently.
    """
    values: dict[tuple[str, ...], str] = {}
    for entry in _entries(data):
        if (entry.key,) in values:
            raise NoParse(f"line {entry.line} sets {escape(entry.key)} a second time")
        values[entry.key,] = entry.value
    return values


def find(document: Document) -> list[Finding]:
    """The secrets among the variables."""
    known = known_variables(document.configuration)
    folder = os.path.basename(os.path.dirname(document.path))
    also = tuple(_readers(document.path))
    found = []
    for entry in _entries(document.data):
        if kind := assess(entry.key, entry.value, known):
            found.append(_finding(document, entry, kind, folder)._replace(also=also))
    return found


def _finding(document: Document, entry: _Entry, kind: str, folder: str) -> Finding:
    name = f"{folder}/{entry.key}"
    reference = f"secretly://{name}"
    written = f'"{reference}"' if " " in reference else reference
    match, problem = _LINE.fullmatch(entry.original), ""
    if not re.fullmatch(r"[\w.+-]+(?: [\w.+-]+)*", folder, re.ASCII):
        problem = "the folder's name can't be part of a reference: rename the folder"
    elif match is None or match["key"] != entry.key or "\n" in entry.value:
        problem = "its value is not on a line of its own"
    cuts: tuple[Cut, ...] = ()
    if match is not None:
        start = entry.start + len(entry.original[: match.start("value")].encode())
        cuts = (Cut(start, start + len(match["value"].encode()), written.encode()),)
    file = shell_quote(document.named)
    return Finding(
        entry.key,
        entry.line,
        entry.value,
        kind,
        name,
        None,
        cuts,
        ((entry.key,),),
        reference,
        problem,
        f"secretly run --env-file {file} -- COMMAND",
        "where you got it",
    )


def _readers(path: str) -> Iterator[str]:
    """What else reads the file, and would get the reference as text."""
    folder, base = os.path.split(path)
    named = re.compile(rf"(?<![\w.-]){re.escape(base)}(?![\w.-])|env_file|dotenv|load_dotenv")
    for name in _READERS:
        file = Path(folder, name)
        try:
            text = file.read_bytes()[:100_000].decode("utf-8", "replace") if file.is_file() else ""
        except OSError:
            continue
        composes = base == ".env" and "compose" in name and bool(text)
        if composes or named.search(text):
            yield f"{name} may read this file too: its programs get the reference as text"


KINDS = [FileKind("env file", (), (".env", ".env.*", "*.env"), find, parse)]
