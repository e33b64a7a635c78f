"""Find the source for a scheme."""

from __future__ import annotations

from ..errors import BadReference, SourceFailed
from ..reference import is_scheme
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .source import Source

__all__ = ["GROUP", "SCHEMES", "find", "schemes"]

#: The schemes that come with secretly, and the module of this folder for each.
SCHEMES = {
    "aws-sm": "aws_sm",
    "aws-ssm": "aws_ssm",
    "bao-kv": "bao_kv",
    "bw": "bw",
    "bws": "bws",
    "env": "env",
    "file": "file",
    "gopass": "gopass",
    "keepassxc": "keepassxc",
    "keyring": "keyring_items",
    "lpass": "lpass",
    "op": "op",
    "pass": "passwordstore",
    "protonpass": "protonpass",
    "rbw": "rbw",
    "vault-kv": "vault_kv",
}

#: The group of the entry points by which other packages add sources.
GROUP = "secretly.sources"

#: Schemes that no source has: a URL of the web is never a reference.
_WEB = ("http", "https")


def _others() -> Mapping[str, Any]:
    """Return other packages' entry points by scheme, in lower case as in URLs."""
    from importlib.metadata import entry_points

    found = {point.name.lower(): point for point in entry_points(group=GROUP)}
    return {name: found[name] for name in found if is_scheme(name) and name not in _WEB}


def schemes() -> list[str]:
    """Return the schemes that can be read."""
    return sorted({*SCHEMES, *_others()})


def find(scheme: str) -> Source:
    """Return the source for a scheme.

    :raises BadReference: if no source has this scheme.
    :raises SourceFailed: if another package's source can't be loaded.
    """
    if scheme in SCHEMES:
        # importlib's import_module is slower to load than most sources are.
        found: Source = __import__(f"{__package__}.{SCHEMES[scheme]}", fromlist=("fetch",))
        return found
    if scheme in (others := _others()):
        try:
            added: Source = others[scheme].load()
            return added
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # other people's code
            raise SourceFailed(
                f"can't load the source {scheme}://: {type(error).__name__}",
                f"fix or uninstall the package of {escape(others[scheme].value)}",
            ) from None
    raise BadReference(
        f"unknown source '{escape(scheme)}://'",
        f"known: {', '.join(f'{name}://' for name in schemes())}",
    )
