"""Find all secrets in plain text: in the usual files, and in exported variables."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from ..config.model import Configuration
from ..config.places import expand_user, home_folder
from ..errors import SecretlyError
from ..text import escape, shell_quote
from .finding import FileKind, Finding
from .kinds import shell, tokens
from .reading import Searched, search
from .registry import KINDS, kind_by_name, kind_by_place, usual_files
from .shapes import assess, is_example, known_variables

__all__ = ["Leftover", "kind_of", "movable_files", "places_of", "readers_of", "short", "survey"]

#: How many files one start-up file may lead to: they can name each other.
_MOST = 200


class Leftover(NamedTuple):
    """A secret in plain text.

    :param place: the file and the line, or the variable.
    :param what: what it is called there, and its kind.
    :param advice: the command that moves it, or what else to do.
    """

    place: str
    what: str
    advice: str


def survey(environ: Mapping[str, str], configuration: Configuration) -> Iterator[Leftover]:
    """All secrets that lie in plain text. No file is run, and no value is in the result."""
    assigned: dict[str, str] = {}
    for searched in _files(environ, configuration):
        if isinstance(searched, Leftover):
            yield searched
            continue
        path = short(searched.document.named, environ)
        for finding in searched.findings:
            assigned.setdefault(finding.label, f"{path}:{finding.line}")
            yield Leftover(
                f"{path}:{finding.line}",
                f"{finding.label}: {finding.kind}",
                _advice(searched, finding, path),
            )
    yield from _exported(environ, configuration, assigned)


def movable_files(
    environ: Mapping[str, str], configuration: Configuration
) -> list[tuple[str, FileKind]]:
    """The files with a secret that secretly can move, each once."""
    return [
        (found.document.named, found.kind)
        for found in _files(environ, configuration)
        if isinstance(found, Searched) and any(one.movable for one in found.findings)
    ]


def places_of(
    values: Collection[str],
    but: str,
    environ: Mapping[str, str],
    configuration: Configuration,
) -> list[str]:
    """Where else one of these values is: in other files, and in exported variables.

    :param but: the file that needs no mention, with links resolved.
    """
    return [
        f"{short(found.document.named, environ)}:{finding.line}"
        for found in _files(environ, configuration)
        if isinstance(found, Searched) and found.document.path != but
        for finding in found.findings
        if finding.value in values
    ] + [f"${escape(name)}" for name, value in sorted(environ.items()) if value in values]


def readers_of(
    path: str, environ: Mapping[str, str], configuration: Configuration
) -> Iterator[str]:
    """The start-up files that read a file.

    :param path: the file, with links resolved.
    """
    for found in _files(environ, configuration):
        if isinstance(found, Searched) and found.kind.find is shell.find:
            data = found.document.data
            named = [*shell.sourced(data), *shell.bare_files(data).values()]
            if path in map(os.path.realpath, _led_to(named, environ)):
                yield short(found.document.named, environ)


def _advice(searched: Searched, finding: Finding, path: str) -> str:
    file = path if re.fullmatch(r"~/[\w./-]+", path) else shell_quote(searched.document.named)
    if finding.movable:
        named = f" --as {shell_quote(finding.name)}" if not searched.kind.usual else ""
        return f"secretly import {file}{named if searched.kind.whole else ''}"
    if not finding.name or "secretly set" in finding.problem:
        return finding.problem
    set_it = f"secretly set {shell_quote(finding.name)}"
    return f"by hand: {set_it}, then take it out there ({finding.problem})"


def _files(
    environ: Mapping[str, str], configuration: Configuration
) -> Iterator[Searched | Leftover]:
    """The usual files with their secrets, and those that start-up files lead to."""
    todo, seen = [*usual_files(environ), *_here(environ)], set[str]()
    (shells,) = (kind for kind in KINDS if kind.find is shell.find)
    known = known_variables(configuration)
    while todo and len(seen) < _MOST + len(KINDS):
        path, kind = todo.pop(0)
        real = os.path.realpath(path)
        if real in seen or is_example(path) or not os.path.isfile(real):
            continue
        seen.add(real)
        try:
            found = search(path, kind, environ, configuration)
        except SecretlyError as error:
            if os.access(real, os.R_OK):
                yield Leftover(short(path, environ), str(error), error.hint)
            continue
        yield found
        if kind is shells:
            data = found.document.data
            todo += [(one, shells) for one in _led_to(shell.sourced(data), environ)]
            for variable, named in shell.bare_files(data).items():
                name = known.get(variable) or variable
                token = tokens.token_file(name, variable)
                todo += [(one, token) for one in _led_to([named], environ)]


def kind_of(path: str, environ: Mapping[str, str], configuration: Configuration) -> FileKind | None:
    """The kind of a file: by its place, by its name, or because a start-up file reads it."""
    real = os.path.realpath(path)
    if found := kind_by_place(path, environ):
        return found
    if by_name := kind_by_name(path):
        return by_name
    for searched in _files(environ, configuration):
        if isinstance(searched, Searched) and searched.document.path == real:
            return searched.kind
    return None


def _here(environ: Mapping[str, str]) -> Iterator[tuple[str, FileKind]]:
    """The files of the working folder that usually hold secrets."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir()):
            kind = kind_by_name(name)
            if kind is not None and name.startswith((".env", ".npmrc", ".pypirc", "p")):
                yield os.path.abspath(name), kind


def _led_to(paths: list[str], environ: Mapping[str, str]) -> list[str]:
    """The files of these paths; those with a variable other than HOME can't be known."""
    home = home_folder(environ)
    full = [re.sub(r"^\$(?:HOME\b|\{HOME\})", lambda _: home, path) for path in paths]
    return [
        path
        for one in full
        if "$" not in one and os.path.isabs(path := expand_user(one, environ))
        if not path.startswith(("/etc/", "/usr/", "/opt/", "/proc/", "/sys/", "/dev/"))
    ]


def _exported(
    environ: Mapping[str, str], configuration: Configuration, assigned: Mapping[str, str]
) -> Iterator[Leftover]:
    """The variables of the environment that hold secrets: each program that you start has them."""
    known = known_variables(configuration)
    for variable, value in sorted(environ.items()):
        if kind := assess(variable, value, known):
            name = known.get(variable) or variable
            where = f" (assigned in {assigned[variable]})" if variable in assigned else ""
            yield Leftover(
                f"${escape(variable)}",
                f"{kind}{where}",
                f"secretly set {shell_quote(name)}, then: unset {escape(variable)}",
            )


def short(path: str, environ: Mapping[str, str]) -> str:
    """A path as you would type it, harmless."""
    home = home_folder(environ)
    inside = home != "/" and path.startswith(f"{home}/")
    return escape(f"~{path[len(home) :]}" if inside else path)
