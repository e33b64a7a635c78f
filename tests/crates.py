"""A registry of crates on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Change(NamedTuple):
    """What a registry was asked to do.

    :param what: the method and the path.
    :param token: the token that came with it.
    :param crate: the name and the version of a crate that was sent.
    """

    what: str
    token: str
    crate: str = ""


class Registry:
    """An index, and the registry that it names.

    :ivar changes: what the registry was asked to do.
    :ivar config: what the index says; None: an answer that no one can read.
    :ivar status: the status with which it says that.
    :ivar later: what the index says from the second time on, if that differs.
    """

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.published: dict[str, str] = {}
        self.config: dict[str, object] | None = {}
        self.status = 200
        self.later: dict[str, object] | None = None
        self.host = ""

    @property
    def index(self) -> str:
        """The URL of the index, as cargo's settings name it."""
        return f"sparse+http://{self.host}/index/"

    def settings(self, name: str = "corp") -> str:
        """The settings that name this registry."""
        return f"[registries.{name}]\nindex = '{self.index}'\n"


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers for the index and for the registry."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.endswith("/config.json"):
                text = "no JSON" if registry.config is None else json.dumps(registry.config)
                registry.config = registry.later or registry.config
                self._say(registry.status, text)
                return
            line = registry.published.get(self.path.rpartition("/")[2])
            self._say(200 if line else 404, line or "")

        def do_PUT(self) -> None:
            crate, body = "", self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.endswith("/new"):
                size = struct.unpack("<I", body[:4])[0]
                facts = json.loads(body[4 : 4 + size])
                crate = f"{facts['name']} {facts['vers']}"
                digest = hashlib.sha256(body[8 + size :]).hexdigest()
                line = {"name": facts["name"], "vers": facts["vers"], "deps": [], "cksum": digest}
                registry.published[facts["name"]] = json.dumps({**line, "features": {}})
            what = f"{self.command} {self.path}"
            registry.changes.append(Change(what, self.headers.get("Authorization", ""), crate))
            self._say(200, json.dumps({"ok": True, "msg": ""}))

        do_DELETE = do_PUT

        def _say(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    return Handler


@contextlib.contextmanager
def registry() -> Iterator[Registry]:
    """A registry that takes every upload. Its index says that uploads go to the same host."""
    found = Registry()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(found)) as server:
        found.host = f"127.0.0.1:{server.server_port}"
        found.config = {"dl": f"http://{found.host}/dl", "api": f"http://{found.host}"}
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
