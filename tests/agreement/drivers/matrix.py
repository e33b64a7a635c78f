"""Two indexes and a proxy where loopback is the only network, and commands that run there.

Started in a network namespace of its own. Its first line names the three ports. Each line that is
read is a command with its variables and its folder; each line that is written says how it ended,
and what each server got: the server, the host and port that the request was for, the password, and
the request's method.

The servers are registries of npm packages and of crates as well. An index of crates below
``/moved/`` names the other server as its registry.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

sys.path.insert(0, os.path.dirname(__file__))

import crates

#: What the servers got from the command that runs.
GOT: list[tuple[str, str, str, str]] = []

#: The ports of the two indexes, and the index's lines of the crates that were uploaded.
PORTS: list[int] = []
PUBLISHED: dict[str, str] = {}


def password_in(header: str) -> str:
    """The secret in a header: after a user name, after ``Bearer``, or alone as cargo sends it."""
    kind, _, given = header.partition(" ")
    if kind == "Basic":
        return base64.b64decode(given).decode().partition(":")[2]
    return given or kind


def page(url: str) -> str:
    """What an index of crates says at a URL; empty if it has no such page."""
    parts = urlsplit(url)
    if parts.path.endswith("/config.json") and parts.port in PORTS:
        moved = "/moved/" in parts.path
        port = PORTS[PORTS.index(parts.port) - moved]
        base = f"http://127.0.0.1:{port}"
        return json.dumps({"dl": f"{base}/dl", "api": base})
    return PUBLISHED.get(parts.path.rpartition("/")[2], "")


def handler(server: str) -> type[BaseHTTPRequestHandler]:
    """A server that takes every upload, and finds nothing else. The proxy passes nothing on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.note(200)

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.endswith("/api/v1/crates/new"):
                name, line = crates.published(body)
                PUBLISHED[name] = line
            self.note(200, '{"ok": true}')

        def do_GET(self) -> None:
            found = page(self.url)
            self.note(200 if found else 404, found)

        def do_CONNECT(self) -> None:
            self.note(502)

        @property
        def url(self) -> str:
            host = self.headers["Host"]
            return self.path if "//" in self.path else f"http://{host}{self.path}"

        def note(self, status: int, text: str = "") -> None:
            password = password_in(self.headers.get("Authorization", ""))
            where = self.path if self.command == "CONNECT" else urlsplit(self.url).netloc
            GOT.append((server, where, password, self.command))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(text.encode())
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


def run(command: dict[str, object]) -> dict[str, object]:
    """Run a command, and return what came of it."""
    GOT.clear()
    PUBLISHED.clear()
    try:
        done = subprocess.run(
            command["argv"],  # type: ignore[call-overload]
            env=command["environ"],
            cwd=command["folder"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=110,
        )
        said, status = done.stderr + done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        said, status = b"it did not end", 124
    return {"status": status, "said": said.decode(errors="replace"), "got": list(GOT)}


def main() -> None:
    """Run commands until the input ends."""
    with socket.socket() as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(name)) for name in "ABC"]
    PORTS.extend(server.server_port for server in servers[:2])
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps([server.server_port for server in servers]), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
