"""The demo's own uploader, for a computer without a publishing tool."""

from __future__ import annotations

import argparse
import base64
import http.client
import os
import secrets
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ..publishing.tools.demo_upload import PASSWORD, USERNAME
from ..redacted import Secret

#: The name under which the demo puts it on PATH.
PROGRAM = "demo_upload"

#: How long the index may take, in seconds.
_PATIENCE = 20.0


class Sent(NamedTuple):
    """A file to send.

    :param file: its name.
    """

    name: str
    version: str
    file: str
    content: bytes


def install(folder: Path) -> None:
    """Make the program in a folder."""
    program = folder / PROGRAM
    lines = (
        f"#!{sys.executable} -I",
        "import sys",
        f"sys.path[:] = {sys.path!r}",
        f"from {__name__} import upload",
        "print(upload(sys.argv[1:]))",
    )
    program.write_text("\n".join(lines) + "\n", "utf-8")
    program.chmod(0o700)


def upload(arguments: Sequence[str]) -> str:
    """Upload a file; return what to print.

    :param arguments: ``upload --to URL FILE``.
    :raises SystemExit: if the index refuses it.
    """
    parser = argparse.ArgumentParser(PROGRAM)
    parser.add_argument("upload", choices=["upload"])
    parser.add_argument("--to", required=True, metavar="URL", dest="url")
    parser.add_argument("file")
    options = parser.parse_args(arguments)
    where = urlsplit(options.url)
    sent = _read(Path(options.file))
    answer = send(where.netloc, os.environ[USERNAME], Secret(os.environ[PASSWORD]), sent)
    if answer.status != 200:
        raise SystemExit(f"the index refused the upload: {answer.reason}")
    return f"Uploaded {sent.file} to {where.netloc}"


def send(host: str, username: str, token: Secret, sent: Sent) -> http.client.HTTPResponse:
    """Send a file to the practice index; return its answer.

    :param host: the address of the index, with its port.
    """
    connection = http.client.HTTPConnection(host, timeout=_PATIENCE)
    login = base64.b64encode(f"{username}:{token}".encode()).decode()
    form, kind = _form(sent)
    headers = {"Content-Type": kind, "Authorization": f"Basic {login}"}
    connection.request("POST", "/legacy/", form, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def _read(path: Path) -> Sent:
    """A wheel, with the name and the version that its metadata has."""
    with zipfile.ZipFile(path) as wheel:
        (member,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        lines = dict(line.split(": ", 1) for line in wheel.read(member).decode().splitlines())
    return Sent(lines["Name"], lines["Version"], path.name, path.read_bytes())


def _form(sent: Sent) -> tuple[bytes, str]:
    """A form with the file, and its content type."""
    boundary = secrets.token_hex(16)
    fields = {":action": "file_upload", "name": sent.name, "version": sent.version}
    disposition = f"--{boundary}\r\nContent-Disposition: form-data; name="
    parts = [f'{disposition}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    parts.append(f'{disposition}"content"; filename="{sent.file}"\r\n\r\n'.encode())
    parts += [sent.content, f"\r\n--{boundary}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"
