"""Runs the real cargo where loopback is the only network: see ``alone.py``.

The server is the index and the registry at each host. Which registry an index names is a rule,
which :func:`config_of` knows.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import sys
from pathlib import Path
from urllib.parse import urlsplit

# At the end: the folder has a module for each tool, and the tests import the real ones.
sys.path.append(str(Path(__file__).parent))

from alone import Handler, main

#: What a registry says after a change.
_DONE = json.dumps({"ok": True, "msg": ""})

_CHANGE = re.compile(r"(.*)/api/v1/crates/(?:new|([^/]+)/(?:owners|([^/]+)/(?:un)?yank))")

#: The lines of the index, by the URL of each.
_PUBLISHED: dict[str, str] = {}


def config_of(url: str) -> dict[str, object]:
    """What the index says whose ``config.json`` has this URL."""
    base, host = url.removesuffix("/config.json"), urlsplit(url).hostname or ""
    api = {"two.example": "http://api.two.example:81/v", "asks.example": base}.get(host)
    found: dict[str, object] = {"dl": f"{base}/dl", "api": api or base.removesuffix("/index")}
    return found | ({"auth-required": True} if host == "asks.example" else {})


class Crates(Handler):
    """A connection to an index or a registry."""

    def _request(self, method: str, target: str, headers: dict[str, str]) -> None:
        body = self._body(headers)
        token = headers.get("authorization", "")
        if method == "GET":
            self._say(*self._page(target, token))
            return
        found = _CHANGE.fullmatch(target)
        if found is None:
            self._say("404 Not Found")
            return
        url, name, version = found.groups()
        if name is None:
            name, line = published(body)
            version = json.loads(line)["vers"]
            _PUBLISHED[name] = line
        self.seen.uploads.append((url, token, f"{name} {version or ''}".strip()))
        self._say("200 OK", _DONE)

    def _say(self, status: str, text: str | None = None) -> None:
        length = len(text or "")
        self.wfile.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{text or ''}".encode()
        )

    def _page(self, target: str, token: str) -> tuple[str, str | None]:
        """The status and the text of a page of the index."""
        self.seen.checks.append(target)
        if target.endswith("/config.json"):
            config = config_of(target)
            if "auth-required" in config and not token:
                return "401 Unauthorized", None
            return "200 OK", json.dumps(config)
        line = _PUBLISHED.get(target.rpartition("/")[2]) if self.seen.uploads else None
        return ("200 OK", f"{line}\n") if line else ("404 Not Found", None)


def published(body: bytes) -> tuple[str, str]:
    """The name of a crate that was sent, and the line of the index with which it is there."""
    size = struct.unpack("<I", body[:4])[0]
    crate = json.loads(body[4 : 4 + size])
    digest = hashlib.sha256(body[8 + size :]).hexdigest()
    facts = {"name": crate["name"], "vers": crate["vers"], "deps": [], "cksum": digest}
    return crate["name"], json.dumps({**facts, "features": {}, "yanked": False})


def variables(proxy: str, authority: str) -> dict[str, str]:
    """The variables that each call is given."""
    return {"http_proxy": proxy, "https_proxy": proxy, "SSL_CERT_FILE": authority}


if __name__ == "__main__":
    main(Crates, variables)
