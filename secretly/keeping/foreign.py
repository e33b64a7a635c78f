"""Items of other programs in the Secret Service: recognized by their attributes, and named.

Tried with docker's helper 0.6.4 and git's helper for libsecret of 2.39. git 2.41 and newer has a
schema of its own, and writes more lines below the password (``git-credential-libsecret.c``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from ..redacted import Secret
from .secret_service import APPLICATION, UV

__all__ = ["OtherItem", "named_attributes", "password_of", "recognized", "reference"]

_DOCKER = "io.docker.Credentials"

#: git's schema, and the one that it used before, which is not git's alone.
_GIT, _NETWORK = "org.git.Password", "org.gnome.keyring.NetworkPassword"

_GIT_KEYS = frozenset(("xdg:schema", "protocol", "server", "port", "object", "user"))

#: The lines that git adds to a password.
_GIT_LINES = ("password_expiry_utc=", "oauth_refresh_token=")


class OtherItem(NamedTuple):
    """An item of another program; no value.

    :param tool: the program that stored it.
    :param what: what it is for: a URL, a host or another name.
    :param username: its user name.
    :param reference: how secretly names it.
    """

    tool: str
    what: str
    username: str
    reference: str


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
        return OtherItem(tool, service, username, reference(service, username))
    if service.startswith("gh:"):
        return OtherItem("gh", service, username, reference(service, username))
    if schema == _DOCKER:
        return _of("docker", attributes.get("server", ""), username)
    if _is_gits(attributes):
        return _of("git", _git_url(attributes), attributes.get("user", ""))
    return None


def _of(tool: str, what: str, username: str) -> OtherItem:
    """An item that has no service: secretly names it after the tool."""
    return OtherItem(tool, what, username, reference(f"{tool}:{what}", username))


def reference(service: str, username: str) -> str:
    """Return the reference of an item."""
    return f"keyring://{quote(service, safe=':')}/{quote(username, safe='')}"


def _is_gits(attributes: Mapping[str, str]) -> bool:
    schema = attributes.get("xdg:schema")
    if schema == _NETWORK and not attributes.get("protocol", "").startswith("http"):
        return False  # desktops store the passwords of other servers so
    return schema in (_GIT, _NETWORK) and _GIT_KEYS.issuperset(attributes)


def _git_url(attributes: Mapping[str, str]) -> str:
    port = f":{attributes['port']}" if "port" in attributes else ""
    path = f"/{attributes['object']}" if "object" in attributes else ""
    return f"{attributes.get('protocol', '')}://{attributes.get('server', '')}{port}{path}"


def named_attributes(service: str, username: str) -> dict[str, str]:
    """Return what to search for, if git or docker stores an item of this name; empty otherwise.

    A search also finds other items: the one that is meant is recognized by its reference.
    """
    tool, _, what = service.partition(":")
    if tool == "docker" and what:
        return {"server": what, "username": username}
    if tool == "git" and "://" in what:
        host = urlsplit(what).netloc.partition(":")[0]
        return {"protocol": what.partition("://")[0], "server": host, "user": username}
    return {}


def password_of(tool: str, value: Secret) -> Secret:
    """Return the password in an item's value: git writes what else it knows below it."""
    first, *more = value.split("\n")
    known = all(line.startswith(_GIT_LINES) for line in more if line)
    return Secret(first) if tool == "git" and known else value
