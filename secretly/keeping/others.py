"""List the items that other programs store in the Secret Service."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Any

from . import foreign
from .backends import has_attributes

__all__ = ["list_items"]


def list_items(backend: Any, stored: Collection[tuple[str, str]]) -> list[foreign.OtherItem] | None:
    """Return the items of programs that secretly knows, sorted; None if a keychain can't list them.

    :param stored: the service and the user name of each item that secretly stored.
    """
    if not has_attributes(backend):
        return None
    collection = backend.get_preferred_collection()
    with contextlib.closing(collection.connection):
        items = [item.get_attributes() for item in collection.get_all_items()]
    found = {one for one in map(foreign.recognized, items) if one is not None}
    named = {foreign.reference(*pair) for pair in stored}
    return sorted(one for one in found if one.reference not in named)
