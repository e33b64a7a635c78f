"""Read a file, and find the secrets in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .. import safefiles
from ..config.model import Configuration
from ..errors import Refused
from ..reference import looks_secret
from ..text import escape
from .finding import Document, FileKind, Finding
from .lines import NoParse

__all__ = ["Searched", "search"]


class Searched(NamedTuple):
    """A file, and what was found in it."""

    kind: FileKind
    document: Document
    findings: Sequence[Finding]


def _without_shown_secret(finding: Finding) -> Finding:
    """The finding; one whose user name is a secret stays, as user names are shown and listed."""
    if not looks_secret(finding.username or ""):
        return finding
    why = "its user name looks like a secret: correct that first"
    return finding._replace(username=None, problem=why)


def search(
    path: str, kind: FileKind, environ: Mapping[str, str], configuration: Configuration
) -> Searched:
    """Read a file and find the secrets in it. Links are followed.

    :raises Refused: if the file can't be read, or its programs couldn't read it.
    """
    real, why = os.path.realpath(path), ""
    try:
        data = safefiles.read_file(real)
        document = Document(real, path, data, environ, configuration)
        return Searched(kind, document, [*map(_without_shown_secret, kind.find(document))])
    except OSError as error:
        why = error.strerror or "the system can't say why"
    except NoParse as error:
        why = str(error)
    except ValueError:  # its text might quote a value
        why = "its programs may read it differently"
    raise Refused(
        f"can't read {escape(path)} as a {kind.title}: {why}",
        "take the secret out by hand: secretly set NAME, then edit the file",
    )
