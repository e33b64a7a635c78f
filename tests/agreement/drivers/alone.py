"""Runs a real tool where loopback is the only network, and tells where its uploads went.

Started with the tool's path in a network namespace of its own. One server on loopback is the proxy
for all hosts, and each host itself, by TLS too: it notes the URL, the user name and the file of
each upload, and passes nothing on. Each line that is read is a case, and each line that is written
its answer.
"""

from __future__ import annotations

import base64
import fcntl
import json
import re
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: The name of the file in a form.
_NAMED = re.compile(rb'filename="([^"]*)"')


class Authority:
    """Makes the certificates of all hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "ca.pem"
        self.contexts: dict[str, ssl.SSLContext] = {}
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"),
            *("-addext", "keyUsage=critical,keyCertSign"),
        )

    def context(self, host: str) -> ssl.SSLContext:
        """The TLS of a host."""
        if host not in self.contexts:
            self.contexts[host] = self._context(host, f"host{len(self.contexts)}")
        return self.contexts[host]

    def _context(self, host: str, stem: str) -> ssl.SSLContext:
        self._openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", "/CN=host", "-keyout", f"{stem}.key", "-out", f"{stem}.csr"),
        )
        kind = "IP" if re.fullmatch(r"[\d.]+|.*:.*", host) else "DNS"
        (self.folder / f"{stem}.ext").write_text(f"subjectAltName={kind}:{host}\n")
        self._openssl(
            *("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-days", "2", "-extfile", f"{stem}.ext", "-out", f"{stem}.pem"),
        )
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        found.load_cert_chain(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        return found

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


class Seen:
    """What the server has seen since the last case."""

    def __init__(self) -> None:
        self.uploads: list[tuple[str, str, str]] = []
        self.checks: list[str] = []


class Handler(socketserver.StreamRequestHandler):
    """A connection: to the proxy, or through it."""

    seen: Seen
    authority: Authority
    timeout = 20

    def handle(self) -> None:
        """Answer the requests of a connection, until one ends it."""
        base = ""
        while line := self.rfile.readline().decode("latin-1"):
            method, target, _ = line.split(" ", 2)
            headers = self._headers()
            if method == "CONNECT":
                base = self._tunnel(target)
                continue
            if target.startswith("/"):
                target = (base or f"http://{headers['host']}") + target
            self._request(method, target, headers)

    def _tunnel(self, target: str) -> str:
        """Be the host that the tool wants to reach, and return the beginning of its URLs."""
        self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        if self.connection.recv(1, socket.MSG_PEEK) != b"\x16":
            return f"http://{target.removesuffix(':80')}"
        host = target.rpartition(":")[0].strip("[]")
        self.connection = self.authority.context(host).wrap_socket(
            self.connection, server_side=True
        )
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        return f"https://{target.removesuffix(':443')}"

    def _request(self, method: str, target: str, headers: dict[str, str]) -> None:
        body = self._body(headers)
        if method != "POST":
            self.seen.checks.append(target)
            self._say("404 Not Found")
            return
        given = headers.get("authorization", "")
        user = base64.b64decode(given.partition(" ")[2]).decode().partition(":")[0]
        named = _NAMED.findall(body)
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


def run(tool: str, case: dict[str, Any], given: dict[str, str]) -> tuple[str, bool]:
    """Run the tool, and return what it wrote, and whether it failed."""
    done = subprocess.run(
        [tool, *case["arguments"]],
        env=given | case["environ"],
        cwd=case["folder"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    said = done.stdout.decode(errors="replace") or str(done.returncode)
    return said, done.returncode != 0


def answer(seen: Seen, said: str, failed: bool, defaults: dict[str, str]) -> dict[str, Any]:
    """What a run shows: one URL and user for all its files, or why nothing was sent.

    :param failed: the run ended early, so that its files don't say what it would send: uv 0.8
        stops at a ``.zip``, after it has sent others.
    """
    if not seen.uploads:
        return {"url": "", "username": None, "files": None, "error": said[-300:]}
    url, user, _ = seen.uploads[0]
    if {(u, n) for u, n, _ in seen.uploads} != {(url, user)}:
        url = f"several: {seen.uploads}"
    files = None if failed else sorted({name for _, _, name in seen.uploads})
    return {"url": defaults.get(url, url), "username": user, "files": files, "error": ""}


#: Runs a tool: see :func:`run`.
Run = Callable[[str, dict[str, Any], dict[str, str]], tuple[str, bool]]


def examine(
    tool: str, case: dict[str, Any], given: dict[str, str], run: Run = run
) -> tuple[str, bool]:
    """Run the tool with the first of the *tries*, further variables, with which it sends."""
    found = ("", True)
    for variables in case.get("tries", [{}]):
        Handler.seen = Seen()
        found = run(tool, case, given | variables)
        if Handler.seen.uploads:
            break
    return found


def usual(proxy: str, authority: str) -> dict[str, str]:
    """The variables that each call is given.

    :param authority: the path of the certificate that the hosts' own are signed with.
    """
    given = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), proxy)
    return given | dict.fromkeys(("SSL_CERT_FILE", "MATURIN_CA_BUNDLE"), authority)


def main(
    handler: type[Handler] = Handler,
    variables: Callable[[str, str], dict[str, str]] = usual,
    run: Run = run,
) -> None:
    """Answer cases until the input ends.

    Those with a *default* upload to an index whose URL only the tool knows: that is its name.

    :param handler: what answers the tool.
    :param variables: makes the variables that each call is given.
    :param run: runs the tool.
    """
    tool = sys.argv[1]
    with socket.socket() as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up
    defaults: dict[str, str] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(("127.0.0.1", 0), handler) as server,
    ):
        Handler.authority = Authority(Path(folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy = f"http://127.0.0.1:{server.server_address[1]}"
        given = variables(proxy, str(Handler.authority.path))
        for line in sys.stdin:
            case = json.loads(line)
            said, failed = examine(tool, case, given, run)
            if "default" in case:
                defaults[Handler.seen.uploads[0][0]] = case["default"]
                continue
            found = answer(Handler.seen, said, failed, defaults)
            print(json.dumps({**found, "checks": Handler.seen.checks}), flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
