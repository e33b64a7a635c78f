"""Find the source for a scheme."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from ..errors import BadReference, SourceFailed
from ..reference import is_scheme
from ..text import escape
from .runs import Source

#: The schemes that come with secretly, and the module here for each.
SCHEMES = {
    "bw": "bw",
    "env": "env",
    "file": "file",
    "keepassxc": "keepassxc",
    "keyring": "keychain",
    "lpass": "lpass",
    "op": "op",
    "pass": "passwordstore",
}

#: The entry points' group.
GROUP = "secretly.sources"


def _others() -> Mapping[str, Any]:
    """Those of other packages, as a reference names them: in small letters, as URLs have it."""
    from importlib.metadata import entry_points

    found = {point.name.lower(): point for point in entry_points(group=GROUP)}
    return {name: found[name] for name in found if is_scheme(name)}


def schemes() -> list[str]:
    """The schemes that can be read."""
    return sorted({*SCHEMES, *_others()})


def find(scheme: str) -> Source:
    """Return the source for a scheme.

    :raises BadReference: if there is none.
    """
    if scheme in SCHEMES:
        return cast(Source, import_module(f".{SCHEMES[scheme]}", __package__))
    if scheme in (others := _others()):
        try:
            return cast(Source, others[scheme].load())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # another's code
            raise SourceFailed(
                f"the source {scheme}:// cannot be loaded: {type(error).__name__}",
                f"mend or uninstall what brings it: {escape(others[scheme].value)}",
            ) from None
    raise BadReference(
        f"there is no source '{escape(scheme)}://'",
        f"known: {', '.join(f'{name}://' for name in schemes())}",
    )
