"""The proxies and certificates in the user's own settings of npm."""

from __future__ import annotations

from ...asking import upload_wording
from ..steering import proxy_host
from ..tool import Network
from .settings import Settings

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def connection(settings: Settings, url: str, environ: Mapping[str, str]) -> Network:
    """Proxies and certificates.

    :param url: the registry's URL.
    """
    found, unverified = settings.get("strict-ssl"), ""
    if found is not None and found.value == "false":
        unverified = f"strict-ssl=false in {found.level.shown}"
    return Network(tuple(dict.fromkeys(_lines(settings, url, environ))), unverified)


def _lines(settings: Settings, url: str, environ: Mapping[str, str]) -> Iterator[str]:
    proxies = [found.value for key in ("https-proxy", "proxy") if (found := settings.get(key))]
    proxies += filter(None, map(environ.get, ("PROXY", "proxy")))
    for proxy in proxies:
        if proxy not in ("false", "null"):
            yield upload_wording.proxy(proxy_host(proxy))
    if settings.get("ca") or settings.get("cafile"):
        yield upload_wording.OWN_CERTIFICATES
    names = [name for _, name, _ in settings.of_host(url)]
    if settings.get("cert") or "certfile" in names:
        yield upload_wording.CLIENT_CERTIFICATE
