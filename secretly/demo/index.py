"""A practice index on this computer. It checks tokens as PyPI does."""

from __future__ import annotations

import base64
import email
import email.policy
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from ..errors import BadToken
from ..publishing.metadata import normalize_project
from ..publishing.pypi_token import is_genuine, make_token, token_scope
from ..redacted import Secret
from ..running.usernames import TOKEN
from ..text import format_time

#: How much an upload may have, in bytes: the package of the demo has about a thousand.
LIMIT = 1 << 20

#: How long the index waits for the rest of a request, in seconds.
_PATIENCE = 10.0


class ReceivedUpload(NamedTuple):
    """An upload that the index received.

    :param refused: why the index refused it, in words; empty if it took it.
    """

    username: str
    token: Secret
    project: str
    version: str
    file: str
    refused: str


class PracticeIndex:
    """An index on loopback, which serves between :meth:`start` and :meth:`close`.

    :ivar uploads: what it received.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._ahead = 0.0
        self.uploads: list[ReceivedUpload] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def host(self) -> str:
        """Its address with the port."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The URL that takes uploads."""
        return f"http://{self.host}/legacy/"

    def make_token(self) -> Secret:
        """A token for all projects of the user."""
        return make_token("127.0.0.1", secrets.token_hex(8), self._key)

    def start(self) -> None:
        """Serve, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving, and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def put_clock_forward(self, seconds: float) -> None:
        """Judge tokens as if it were later."""
        self._ahead += seconds

    def judge(self, username: str, token: Secret, project: str) -> str:
        """Why the index refuses an upload, in words; empty if it takes it.

        :param project: the project's name, normalized.
        """
        if username != TOKEN:
            return f"the user name is not {TOKEN}"
        try:
            scope = token_scope(token)
            genuine = is_genuine(token, self._key)
        except BadToken as error:
            return str(error)
        now = time.time() + self._ahead
        if not genuine:
            return "another index made the token, or someone changed it"
        if scope.lacks([project]):
            return f"the token is not for the project {project}"
        if scope.not_before is not None and now < scope.not_before:
            return f"the token starts at {format_time(scope.not_before)}"
        if scope.expires is not None and now >= scope.expires:
            return f"the token ended at {format_time(scope.expires)}"
        return "the token has a restriction that this index doesn't know" if scope.others else ""


class _Server(ThreadingHTTPServer):
    def __init__(self, index: PracticeIndex) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.index = index


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE

    def do_POST(self) -> None:
        """Take an upload, or refuse it."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        try:
            form = _fields(self.headers.get("Content-Type", ""), self._body())
            username, _, token = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return self._answer(400, "this is not an upload")
        if scheme != "Basic":
            return self._answer(401, "a user name and a token are needed")
        project = normalize_project(form.get("name", ""))
        refused = self.server.index.judge(username, Secret(token), project)
        self.server.index.uploads.append(
            ReceivedUpload(
                username,
                Secret(token),
                project,
                form.get("version", ""),
                form.get("content", ""),
                refused,
            )
        )
        self._answer(403 if refused else 200, refused)

    def do_GET(self) -> None:
        """Show no page: some tools look whether a file is there before they upload it."""
        self._answer(404, "")

    def _body(self) -> bytes:
        """The body of the request.

        :raises ValueError: if it is too long, or its length is not a number.
        """
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self._read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(20), 16):
            body += self._read(size)
            if len(body) > LIMIT:
                raise ValueError("too long")
            self.rfile.read(2)
        return body

    def _read(self, size: int) -> bytes:
        if not 0 <= size <= LIMIT:
            raise ValueError("too long")
        return self.rfile.read(size)

    def _answer(self, status: int, reason: str) -> None:
        self.send_response(status, reason or None)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="practice"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing: the demo says what happened."""


def _fields(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a form. The value of a file is the file's name.

    :raises ValueError: if it is not a form.
    """
    message = email.message_from_bytes(
        f"Content-Type: {kind}\r\n\r\n".encode("latin-1") + body, policy=email.policy.HTTP
    )
    if not message.is_multipart():
        raise ValueError("not a form")
    found = {}
    for part in message.iter_parts():
        name = part.get_param("name", "", header="content-disposition")
        content = part.get_payload(decode=True)
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
        found[str(name)] = part.get_filename() or text.strip()
    return found
