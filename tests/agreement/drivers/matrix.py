"""Two indexes and a proxy where loopback is the only network, and commands that run there.

Started in a network namespace of its own. Its first line names the three ports. Each line that is
read is a command with its variables and its folder; each line that is written says how it ended,
and what each server got: the server, the host and port that the request was for, the password, and
the request's method.
"""

from __future__ import annotations

import base64
import fcntl
import json
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: What the servers got from the command that runs.
GOT: list[tuple[str, str, str, str]] = []


def handler(server: str) -> type[BaseHTTPRequestHandler]:
    """A server that takes every upload, and finds nothing else. The proxy passes nothing on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.note(200)

        def do_GET(self) -> None:
            self.note(404)

        def do_CONNECT(self) -> None:
            self.note(502)

        def note(self, status: int) -> None:
            given = self.headers.get("Authorization", "").partition(" ")[2]
            password = base64.b64decode(given).decode().partition(":")[2]
            if self.command == "CONNECT":
                where = self.path
            else:
                where = urlsplit(self.path).netloc or self.headers["Host"]
            GOT.append((server, where, password, self.command))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


def run(command: dict[str, object]) -> dict[str, object]:
    """Run a command, and return what came of it."""
    GOT.clear()
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
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps([server.server_port for server in servers]), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
