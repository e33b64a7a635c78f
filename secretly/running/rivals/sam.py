"""``sam``: a profile in ``samconfig.toml`` hides the keys in the variables, as ``--profile`` does.

Tried with SAM CLI 1.170: AWS_PROFILE leaves the variables in force.
"""

from __future__ import annotations

import itertools
import os
import re

from ...config.invocation import Invocation
from .rival import Rival, in_file, read_settings, unknown

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: A profile anywhere in a YAML file.
_IN_YAML = re.compile(r"""(?m)(?:^|[{,])\s*["']?profile["']?\s*:""")
_TEMPLATE = ("--template", "--template-file")


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The profile that the settings give to this subcommand or to all."""
    given = known.parsed.last(["--config-file"])
    names = [given] if given else ["samconfig.toml", "samconfig.yaml", "samconfig.yml"]
    for folder in _folders(known, environ):
        for path in (os.path.join(folder, name) for name in names):
            text = read_settings(path)
            if text is not None:
                rival = _in_toml if path.endswith(".toml") else _in_yaml
                if found := rival(known, path, text):
                    return found
                break  # sam reads no further one in this folder
    return None


def _folders(known: Invocation, environ: Mapping[str, str]) -> Iterator[str]:
    """Here, and next to the template. ``-t`` is a flag of some subcommands."""
    yield ""
    templates = [value for name, value in known.parsed.options if name in _TEMPLATE]
    words = known.arguments
    templates += [after for word, after in itertools.pairwise(words) if word == "-t"]
    templates += [word[2:].removeprefix("=") for word in words if word[:2] == "-t"]
    for template in (*templates, environ.get("SAM_TEMPLATE_FILE")):
        if folder := os.path.dirname(template or ""):
            yield folder


def _in_toml(known: Invocation, path: str, text: str) -> Rival | None:
    import tomllib

    try:
        settings: object = tomllib.loads(text)
    except (ValueError, RecursionError):
        return unknown(path, "it is not valid TOML")
    chosen = known.parsed.last(["--config-env"]) or "default"
    commands = _within(settings, chosen)
    for name in _subcommands(known) or commands:
        if _within(_within(commands, name), "parameters").get("profile"):
            return in_file(path, "profile", f"{chosen}.{name}.parameters")
    return None


def _within(table: object, key: str) -> dict[str, object]:
    inner = table.get(key) if isinstance(table, dict) else None
    return inner if isinstance(inner, dict) else {}


def _subcommands(known: Invocation) -> list[str]:
    """The names that the subcommand may have in the settings; empty if it is not known."""
    words = [word.replace("-", "_") for word in known.parsed.words]
    return ["global", *itertools.accumulate(words, "{}_{}".format)] if words else []


def _in_yaml(known: Invocation, path: str, text: str) -> Rival | None:
    return in_file(path, "profile") if _IN_YAML.search(text) else None
