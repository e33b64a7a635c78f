"""The npm that a call starts: its version, and what it has built in, read from its own files."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from ... import safefiles
from ...errors import Refused
from ...text import escape

#: The major versions in which options take precedence over ``publishConfig``, and whose settings
#: secretly knows.
VERSIONS = (10, 11, 12)

#: The program in npm's folder that is started, and where npm's own settings are defined: in its
#: folder, or next to it, as Debian does it.
_PROGRAM = os.path.join("bin", "npm-cli.js")
_DEFINED = os.path.join("@npmcli", "config", "lib", "definitions", "definitions.js")

_SETTING = re.compile(r"new Definition\(\s*'([^']+)'")
_REGISTRY = re.compile(
    r"\bregistry: new Definition\(\s*'registry', \{\s*default: '(https://[\w.-]+/)',"
)


class Installed(NamedTuple):
    """An installed npm.

    :param folder: where it is installed.
    :param major: its major version.
    :param registry: the URL of the registry that it has built in.
    :param keys: the settings that it knows.
    """

    folder: str
    major: int
    registry: str
    keys: frozenset[str]


def find_npm(word: str, environ: Mapping[str, str]) -> Installed:
    """The npm that a call starts.

    :param word: the program as it was typed.
    :raises Refused: if that isn't npm's own program, or a version that secretly can't hold to a
        registry.
    """
    path = word if os.sep in word else safefiles.program_on_path(word, environ)
    real = os.path.realpath(path) if path else ""
    folder = real.removesuffix(os.sep + _PROGRAM)
    version = _version(folder) if folder != real else ""
    if not version:
        shown = escape(path or word)
        raise Refused(
            f"can't determine the version of npm: {shown} is not npm's own program",
            "name npm's own program, a link to bin/npm-cli.js: secretly run /path/to/npm publish",
        )
    major = int(version.partition(".")[0])
    if major not in VERSIONS:
        raise Refused(
            f"secretly can't hold npm {escape(version)} to a registry",
            f"use npm {VERSIONS[0]} to {VERSIONS[-1]}",
        )
    return _read(folder, major)


def _version(folder: str) -> str:
    """The version of the npm in a folder; empty if there is none."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads(safefiles.read_file(os.path.join(folder, "package.json")))
        if isinstance(found, dict) and found.get("name") == "npm":
            version = found.get("version")
            if isinstance(version, str) and re.match(r"\d{1,4}\.", version):
                return version
    return ""


def _read(folder: str, major: int) -> Installed:
    for modules in (os.path.join(folder, "node_modules"), os.path.dirname(folder)):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = safefiles.read_file(os.path.join(modules, _DEFINED)).decode()
            registry, keys = _REGISTRY.search(text), frozenset(_SETTING.findall(text))
            if registry and "registry" in keys:
                return Installed(folder, major, registry[1], keys)
    raise Refused(
        f"can't find out which registry npm has built in: {escape(folder)} has no {_DEFINED}",
        "install npm again: npm install --global npm",
    )
