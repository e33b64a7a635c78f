"""Runs a real tool where loopback is the only network, and tells where its uploads went.

Started with the path of the tool, in a network namespace of its own. One server on loopback is the
proxy of every host: it sees the URL, the user name and the file of each upload, and passes nothing
on. Of a connection by TLS it sees only the host. Each line that is read is a case, and each line
that is written its answer.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from typing import Any

#: Ends a multipart form.
_END = re.compile(rb'filename="([^"]*)"')


class Seen:
    """What the server has seen since the last case."""

    def __init__(self) -> None:
        self.uploads: list[tuple[str, str, str]] = []
        self.hosts: list[str] = []
        self.checks: list[str] = []


class Handler(socketserver.StreamRequestHandler):
    """A connection: to the proxy, or through it."""

    seen = Seen()
    timeout = 20

    def handle(self) -> None:
        """Answer the requests of a connection, until one ends it."""
        base = ""
        while line := self.rfile.readline().decode("latin-1"):
            method, target, _ = line.split(" ", 2)
            headers = self._headers()
            if method == "CONNECT":
                if target.endswith(":443"):
                    self.seen.hosts.append(target.removesuffix(":443"))
                    self._say("502 Not here")
                    return
                base = f"http://{target.removesuffix(':80')}"
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                continue
            if target.startswith("/"):
                target = (base or f"http://{headers['host']}") + target
            self._request(method, target, headers)

    def _request(self, method: str, target: str, headers: dict[str, str]) -> None:
        body = self._body(headers)
        if method != "POST":
            self.seen.checks.append(target)
            self._say("404 Not Found")
            return
        given = headers.get("authorization", "")
        user = base64.b64decode(given.partition(" ")[2]).decode().partition(":")[0]
        named = _END.findall(body)
        self.seen.uploads.append((target, user, named[0].decode() if named else ""))
        self._say("200 OK")

    def _headers(self) -> dict[str, str]:
        found = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            found[name.lower()] = value.strip()
        return found

    def _body(self, headers: dict[str, str]) -> bytes:
        if "100-continue" in headers.get("expect", ""):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" not in headers.get("transfer-encoding", ""):
            return self.rfile.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _say(self, status: str) -> None:
        text = "OK" if status.startswith("200") else ""
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())


class Server(socketserver.ThreadingTCPServer):
    """The proxy, which is also every host behind it."""

    daemon_threads = True
    allow_reuse_address = True


def loopback_up() -> None:
    """Switch on the only network device that a new namespace has."""
    with socket.socket() as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up


def run(tool: str, case: dict[str, Any], port: int) -> tuple[int, str]:
    """Run the tool, and return its status and what it wrote."""
    proxy = f"http://127.0.0.1:{port}"
    environ = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, **case["environ"]}
    done = subprocess.run(
        [tool, *case["arguments"]],
        env=environ,
        cwd=case["folder"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def answer(seen: Seen, status: int, said: str, defaults: dict[str, str]) -> dict[str, Any]:
    """What a run shows: one URL and user for all its files, or why nothing was sent."""
    if not seen.uploads and not seen.hosts:
        return {"url": "", "username": None, "files": None, "error": said[-300:] or str(status)}
    if not seen.uploads:  # by TLS: the host is all that can be seen
        host = seen.hosts[0]
        url = defaults.get(host, f"https://{host}/")
        return {"url": url, "username": None, "files": None, "error": ""}
    url, user, _ = seen.uploads[0]
    if {(u, n) for u, n, _ in seen.uploads} != {(url, user)}:
        raise SystemExit(f"several destinations: {seen.uploads}")
    files = sorted(name for _, _, name in seen.uploads)
    return {"url": url, "username": user, "files": files, "error": ""}


def main() -> None:
    """Answer cases until the input ends; the first two lines say how the tool is asked its own."""
    tool = sys.argv[1]
    if os.environ.get("SECRETLY_ALONE") != "no":
        loopback_up()
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        defaults: dict[str, str] = {}
        for line in sys.stdin:
            case = json.loads(line)
            Handler.seen = Seen()
            status, said = run(tool, case, port)
            if name := case.get("default"):  # its host is what the tool calls by that name
                defaults[Handler.seen.hosts[0]] = name
                continue
            found = answer(Handler.seen, status, said, defaults)
            print(json.dumps({**found, "checks": Handler.seen.checks}), flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
