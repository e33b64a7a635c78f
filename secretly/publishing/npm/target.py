"""The registry that a package goes to, and what its ``publishConfig`` may say."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from ...errors import Refused
from ...text import escape
from ..addresses import read_address
from .keys import KINDS, PUBLISHED
from .packages import NpmPackage
from .settings import Settings

#: A path that all programs read in the same way.
_PATH = re.compile(r"(/[\w.~!$&'()*+,;=:@%-]*)*", re.ASCII)

#: A host that ends like this is an address.
_NUMBER = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)\.?$", re.ASCII)


class RegistryTarget(NamedTuple):
    """A registry.

    :param url: ends with a slash.
    :param chosen_by: what names it, in words; empty for npm's own, and for an option.
    :param by_project: whether a file of the project's does.
    """

    url: str
    chosen_by: str = ""
    by_project: bool = False


def check_config(config: Mapping[str, object], shown: str, keys: Collection[str]) -> None:
    """Refuse a ``publishConfig`` that changes more than the registry and the release.

    :param shown: the file that it is in, in words.
    :param keys: the settings that this npm knows.
    :raises Refused: naming the setting.
    """
    for key, value in config.items():
        registry = key == "registry" or re.fullmatch(r"@[^/:]+:registry", key) is not None
        npms = key in KINDS.all or key in KINDS.newer or key in keys
        unknown = not (npms or key.startswith("//") or key.lower().endswith(":registry"))
        if not (registry and isinstance(value, str)) and key not in PUBLISHED and not unknown:
            raise Refused(
                f"publishConfig in {shown} sets {escape(key)}, which could change where or how "
                "the upload goes",
                "remove it there",
            )


def target_of(
    settings: Settings, package: NpmPackage, config: Mapping[str, object], default: str
) -> RegistryTarget:
    """The registry that npm chooses for a package: that of its scope, else the usual one.

    :param config: the ``publishConfig`` that counts.
    :param default: the registry that npm has built in.
    :raises Refused: if the URL can't be read for certain.
    """
    for key in _keys(settings, package):
        found, configured = settings.get(key), config.get(key)
        if isinstance(configured, str) and configured and not (found and found.level.typed):
            return RegistryTarget(_url(configured), f"publishConfig in {package.shown}", True)
        if found is not None:
            level = found.level
            return RegistryTarget(_url(found.value), level.named(key), level.by_project)
    return RegistryTarget(default)


def _keys(settings: Settings, package: NpmPackage) -> Iterator[str]:
    """The settings that name the registry, the one that counts first."""
    if package.scope:
        yield f"{package.scope}:registry"
    if scope := settings.get("scope"):
        yield f"@{scope.value.removeprefix('@')}:registry"
    yield "registry"


def _url(text: str) -> str:
    """A registry's URL as npm writes it, with a slash at its end.

    :raises Refused: if programs may read it differently.
    """
    address, parts = read_address(text), urlsplit(text)
    good = address.username is None and not (parts.query or parts.fragment or text[-1:] in "?#")
    good = good and _is_plain(parts.hostname or "")
    path = parts.path
    if not (good and _PATH.fullmatch(path)) or "//" in path or {".", ".."} & {*path.split("/")}:
        raise Refused(
            f"programs may read the registry's URL '{escape(address.url)}' differently",
            "write it as https://host/path/",
        )
    host, port = (parts.hostname or "").lower(), parts.port
    shown = f"[{host}]" if ":" in host else host
    if port and port != {"http": 80, "https": 443}[parts.scheme]:
        shown += f":{port}"
    return f"{parts.scheme}://{shown}{path.rstrip('/')}/"


def _is_plain(host: str) -> bool:
    """Whether npm leaves a host as it is: it writes ``127.1`` as ``127.0.0.1``."""
    if ":" not in host and not _NUMBER.search(host):
        return True
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host)) == host
    return False


def key_of(url: str) -> str:
    """How the settings for a registry begin: ``//host/path/``."""
    return url.partition(":")[2]
