"""Make API tokens as an index does, and run an index that checks them."""

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

#: The key of the test index, which signs every token.
KEY = "canary-key-of-the-index"


def token(location: str = "pypi.example", *caveats: Any, identifier: str = "canary-token") -> str:
    """Return a token as the index at the host *location* makes it."""
    # Like libmacaroons, derive the signing key from a fixed text and the index's key.
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


#: A token for all projects of its user, as PyPI makes it.
TOKEN = token()


def need_pypitoken() -> Any:
    """Return pypitoken, which needs libsodium. Without either, skip the test, or fail in CI."""
    try:
        import pypitoken
    except (ImportError, OSError) as error:
        if os.environ.get("CI"):
            pytest.fail(f"pypitoken cannot be loaded: {error}")
        pytest.skip(f"pypitoken cannot be loaded: {error}")
    return pypitoken


def wheel(folder: Path, project: str = "demo", version: str = "1.0", name: str = "") -> Path:
    """Make a wheel that contains only metadata, and return its path."""
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
    """A token's restrictions as pypitoken reads them. The last of each kind counts.

    :param projects: None if the token is not restricted to projects.
    """

    not_before: int | None
    expires: int | None
    projects: list[str] | None


def limits(text: str) -> Limits:
    """Return a token's restrictions."""
    pypitoken = need_pypitoken()
    result = Limits(None, None, None)
    for restriction in pypitoken.Token.load(text).restrictions:
        if isinstance(restriction, pypitoken.DateRestriction):
            result = result._replace(
                not_before=restriction.not_before, expires=restriction.not_after
            )
        elif isinstance(restriction, pypitoken.ProjectNamesRestriction):
            result = result._replace(projects=restriction.project_names)
    return result


class Upload(NamedTuple):
    """An attempted upload.

    :param fields: the names of the submitted form's fields.
    """

    project: str
    file: str
    username: str
    token: str
    status: int
    fields: frozenset[str] = frozenset()


class Warehouse(NamedTuple):
    """An index on loopback that accepts an upload if pypitoken accepts the token.

    :param uploads: the attempted uploads.
    """

    port: int
    uploads: list[Upload]

    @property
    def host(self) -> str:
        """The index's host and port, which is also the name of its secret."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The URL for uploads."""
        return f"http://{self.host}/legacy/"

    def token(self, *caveats: Any) -> str:
        """Return a token of this index with these restrictions."""
        return token("127.0.0.1", *caveats)

    @property
    def statuses(self) -> list[int]:
        """The HTTP status of each attempted upload."""
        return [upload.status for upload in self.uploads]


@contextlib.contextmanager
def warehouse(*usernames: str) -> Iterator[Warehouse]:
    """Run an index until the ``with`` block ends.

    :param usernames: user names to accept as well as ``__token__``. PyPI accepts no others.
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
            file = form.get("content", "")
            uploads.append(Upload(project, file, username, password, code, frozenset(form)))
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
    """Return the fields of a submitted form. The value of a file is the file's name."""
    message = email.message_from_bytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP
    )
    values = {}
    for part in message.iter_parts():  # type: ignore[attr-defined]
        options: Sequence[tuple[str, str]] = part["Content-Disposition"].params
        name = dict(options)["name"]
        values[name] = part.get_filename() or part.get_content().strip()
    return values
