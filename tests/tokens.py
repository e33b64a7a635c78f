"""API tokens for tests, made as an index makes them, and an index that checks them."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import hashlib
import hmac
import json
import os
import re
import threading
import zipfile
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

#: The index's key, with which anyone can make tokens.
KEY = "canary-key-of-the-index"


def token(location: str = "pypi.example", *caveats: Any, identifier: str = "canary-token") -> str:
    """A token as the index of that host name makes it."""
    # The key itself is made of a fixed text and the index's, as libmacaroons has it.
    signature = hmac.digest(b"macaroons-key-generator", KEY.encode(), hashlib.sha256)
    signature = hmac.digest(signature, identifier.encode(), hashlib.sha256)
    data = b"\2" + _field(1, location.encode()) + _field(2, identifier.encode()) + b"\0"
    for caveat in caveats:
        text = json.dumps(caveat).encode()
        signature = hmac.digest(signature, text, hashlib.sha256)
        data += _field(2, text) + b"\0"
    data += b"\0" + _field(6, signature)
    return "pypi-" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def _field(kind: int, data: bytes) -> bytes:
    size = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return bytes([kind]) + size + data


#: A token that PyPI would have made for all projects of its user.
TOKEN = token()


def need_pypitoken() -> Any:
    """The pypitoken package, which needs libsodium; in CI it must be there."""
    try:
        import pypitoken
    except (ImportError, OSError) as error:
        if os.environ.get("CI"):
            pytest.fail(f"pypitoken cannot be loaded: {error}")
        pytest.skip(f"pypitoken cannot be loaded: {error}")
    return pypitoken


def wheel(folder: Path, project: str = "demo", version: str = "1.0", name: str = "") -> Path:
    """A wheel with nothing in it but its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{project.replace('-', '_')}-{version}"
    path = folder / (name or f"{stem}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as file:
        for part, text in (
            ("METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"),
            ("WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            ("RECORD", ""),
        ):
            file.writestr(f"{stem}.dist-info/{part}", text)
    return path


class Limits(NamedTuple):
    """What a token's restrictions are, as pypitoken reads them; the last ones count.

    :param projects: None if it has no such restriction.
    """

    not_before: int | None
    expires: int | None
    projects: list[str] | None


def limits(text: str) -> Limits:
    """Read a token's restrictions."""
    pypitoken = need_pypitoken()
    found = Limits(None, None, None)
    for restriction in pypitoken.Token.load(text).restrictions:
        if isinstance(restriction, pypitoken.DateRestriction):
            found = found._replace(not_before=restriction.not_before, expires=restriction.not_after)
        elif isinstance(restriction, pypitoken.ProjectNamesRestriction):
            found = found._replace(projects=restriction.project_names)
    return found


class Upload(NamedTuple):
    """An upload that was tried."""

    project: str
    file: str
    username: str
    token: str
    status: int


class Warehouse(NamedTuple):
    """An index on loopback that takes an upload if pypitoken says that its token allows it.

    :param uploads: those that were tried.
    """

    port: int
    uploads: list[Upload]

    @property
    def host(self) -> str:
        """Its host and port, as a secret for it is named."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where files are uploaded to."""
        return f"http://{self.host}/legacy/"

    def token(self, *caveats: Any) -> str:
        """A token of this index."""
        return token("127.0.0.1", *caveats)

    @property
    def statuses(self) -> list[int]:
        """How each upload went."""
        return [upload.status for upload in self.uploads]


@contextlib.contextmanager
def warehouse(*usernames: str) -> Iterator[Warehouse]:
    """An index that runs until the end.

    :param usernames: user names that it accepts as well as ``__token__``. PyPI accepts no other.
    """
    pypitoken = need_pypitoken()
    uploads: list[Upload] = []

    def status(username: str, password: str, project: str) -> int:
        if username not in ("__token__", *usernames):
            return 403
        try:
            pypitoken.Token.load(password).check(KEY, project_name=project)
        except pypitoken.PyPITokenException:
            return 403
        return 200

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.read_body()
            scheme, _, value = self.headers.get("Authorization", "").partition(" ")
            if scheme != "Basic":
                return self.answer(401, ("WWW-Authenticate", 'Basic realm="test"'))
            username, _, password = base64.b64decode(value).decode().partition(":")
            form = fields(self.headers["Content-Type"], body)
            project = re.sub(r"[-_.]+", "-", form.get("name", "")).lower()
            code = status(username, password, project)
            uploads.append(Upload(project, form.get("content", ""), username, password, code))
            self.answer(code)

        def read_body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.read(2)
            return body

        def do_GET(self) -> None:
            self.answer(404)

        def answer(self, code: int, *headers: tuple[str, str]) -> None:
            self.send_response(code)
            for name, value in (("Content-Length", "0"), *headers):
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Warehouse(server.server_port, uploads)
        finally:
            server.shutdown()
            thread.join()


def fields(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a form; of a file its name."""
    message = email.message_from_bytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP
    )
    found = {}
    for part in message.iter_parts():  # type: ignore[attr-defined]
        options: Sequence[tuple[str, str]] = part["Content-Disposition"].params
        name = dict(options)["name"]
        found[name] = part.get_filename() or part.get_content().strip()
    return found
