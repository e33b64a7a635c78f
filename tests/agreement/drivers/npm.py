"""Runs a real npm where loopback is the only network, and tells what it sent to which registry.

Started as ``alone.py`` is. The server answers as a registry does that has the packages in two
versions, and notes each request that changes something: its registry, its token and its packages.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))

import alone

#: The registry and the package of a request.
_REQUEST = re.compile(
    r"(?i)(.*?/)(?:-/package/)?((?:@\w+%2f)?(?:demo|one|two|other))(?:/(?:-rev|dist-tags)/.*)?"
)

#: The token with which a call sends anything, if it has none of its own.
NOBODY = "nobody-known"


class Handler(alone.Handler):
    """A connection to a registry."""

    def _request(self, method: str, target: str, headers: dict[str, str]) -> None:
        body = self._body(headers)
        if method not in ("PUT", "POST", "DELETE"):
            self._reply(_document(target))
            return
        found = _REQUEST.fullmatch(target)
        if found is None:
            raise SystemExit(f"an odd request: {method} {target}")
        name = found[2].replace("%2f", "/").replace("%2F", "/")
        sent = json.loads(body or b"{}")
        attached = sent.get("_attachments") if isinstance(sent, dict) else None
        if attached:
            name = "@".join((name, *sent["versions"]))
        token = headers.get("authorization", "").removeprefix("Bearer ")
        self.seen.uploads.append((found[1], token, name))
        self._reply({"ok": True})

    def _reply(self, document: dict[str, Any]) -> None:
        text = json.dumps(document).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
        self.wfile.write(head.encode() + b"\r\n\r\n" + text)


def _document(target: str) -> dict[str, Any]:
    """What a registry has at a URL."""
    if "/-/user/" in target:
        return {"name": target.rpartition(":")[2], "email": "ada@example.org"}
    if target.endswith("/dist-tags"):
        return {"latest": "0.0.2", "beta": "0.0.1"}
    found = _REQUEST.fullmatch(target.partition("?")[0])
    name = found[2].replace("%2f", "/") if found else "other"
    return {
        "_id": name,
        "_rev": "1-1",
        "name": name,
        "versions": {v: {"name": name, "version": v} for v in ("0.0.1", "0.0.2")},
        "dist-tags": {"latest": "0.0.2"},
        "maintainers": [{"name": "ada", "email": "x"}, {"name": "bob", "email": "x"}],
    }


def variables(proxy: str, authority: str) -> dict[str, str]:
    """What each call is given."""
    given = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), proxy)
    quiet = {"fetch_retries": "0", "update_notifier": "false", "fund": "false", "audit": "false"}
    return {
        **given,
        **{f"npm_config_{name}": value for name, value in quiet.items()},
        "npm_config_cafile": authority,
    }


if __name__ == "__main__":
    alone.main(Handler, variables)
