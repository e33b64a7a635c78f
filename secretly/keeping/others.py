"""Items that other programs store in the Secret Service: which there are, and how to name each."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from .backends import has_attributes
from .secret_service import APPLICATION, UV

__all__ = ["OtherItem", "list_items", "recognized"]


class OtherItem(NamedTuple):
    """An item of another program; no value.

    :param tool: the program that stored it.
    :param what: what it is for: a URL, a host or another name.
    :param username: its user name.
    :param reference: how secretly names it; empty if it can't.
    """

    tool: str
    what: str
    username: str
    reference: str = ""


def list_items(backend: Any, own: Collection[tuple[str, str]]) -> list[OtherItem] | None:
    """Return the items of programs that secretly knows, sorted; None if a keychain can't list them.

    :param own: the service and the user name of each item that secretly stored.
    """
    if not has_attributes(backend):
        return None
    collection = backend.get_preferred_collection()
    with contextlib.closing(collection.connection):
        items = [item.get_attributes() for item in collection.get_all_items()]
    found = {one for one in map(recognized, items) if one is not None}
    named = {_reference(*pair) for pair in own}
    return sorted(one for one in found if one.reference not in named)


def recognized(attributes: Mapping[str, str]) -> OtherItem | None:
    """Return the item with these attributes; None if another program's than those known here."""
    service, username = attributes.get("service", ""), attributes.get("username", "")
    application, schema = attributes.get("application"), attributes.get("xdg:schema", "")
    if service and application in (APPLICATION, UV):
        tool = "uv" if application == UV else "keyring"
        if service.startswith("poetry-repository-"):
            tool = "poetry"
        elif service.startswith("pdm-repository-"):
            tool = "pdm"
        return OtherItem(tool, service, username, _reference(service, username))
    if service.startswith("gh:"):
        return OtherItem("gh", service, username, _reference(service, username))
    if schema == "org.git.Password":
        where = f"{attributes.get('protocol', '')}://{attributes.get('server', '')}"
        return OtherItem("git", where, attributes.get("user", ""))
    if schema == "io.docker.Credentials":
        return OtherItem("docker", attributes.get("server", ""), username)
    return None


def _reference(service: str, username: str) -> str:
    return f"keyring://{quote(service, safe=':')}/{quote(username, safe='')}"
