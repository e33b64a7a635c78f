"""What hatch itself makes of calls: one a line of standard input, answers on standard output."""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any
from urllib.parse import urlsplit

import keyring
from answering import answer_lines
from hatch import cli
from hatch.cli.application import Application
from hatch.index.core import PackageIndex
from hatch.publish.auth import AuthenticationCredentials
from hatch.publish.index import IndexPublisher

try:
    import httpx2 as httpx
except ImportError:
    import httpx

#: What hatch gets as the user's name if it asks for one.
_ASKED = "asked for"

_sent: list[tuple[PackageIndex, str]] = []


def _prompt(_: Any, text: str, **__: Any) -> str:
    return _ASKED if text.startswith("Username") else "canary-typed"


def _no_index(*_: object) -> None:
    raise ValueError("no index")


def _sending(index: PackageIndex, file: Any, _: object) -> None:
    """Note the upload, unless the URL is one that the HTTP client refuses."""
    url = httpx.URL(index.repo)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("not a URL of HTTP")
    _sent.append((index, file.name))


def _read_username(credentials: AuthenticationCredentials) -> str | None:
    """What hatch reads: where it would ask, it is told a name, even with ``--no-prompt``."""
    found = _read_previous(credentials)
    return _ASKED if found is None else found


Application.prompt = _prompt
_read_previous = AuthenticationCredentials._read_previous_working_user_data
AuthenticationCredentials._read_previous_working_user_data = _read_username
AuthenticationCredentials.write_updated_data = lambda _: None
PackageIndex.get_simple_api = _no_index
PackageIndex.upload_artifact = _sending
keyring.get_password = lambda *_: "canary-kept"
_BUILT_IN = {
    repo["url"]: {"main": "", "test": "test"}[name]
    for name, repo in IndexPublisher(None, "", "", {}, {}).get_repos().items()
}


def answer(arguments: list[str]) -> dict[str, object]:
    """What hatch does with these arguments."""
    _sent.clear()
    os.environ |= {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x"}  # or hatch starts git twice
    said = "it sent nothing"
    shown = io.StringIO()
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            cli.hatch(arguments, prog_name="hatch")
    except BaseException as error:
        said = f"{type(error).__name__}: {error}: {shown.getvalue()[-200:]}"
    if not _sent:
        return {"url": "", "username": None, "files": None, "error": said}
    index = _sent[0][0]
    return {
        "url": _BUILT_IN.get(index.repo, _without_user(index.repo)),
        "username": None if index.user == _ASKED else index.user,
        "files": sorted({name for _, name in _sent}),
        "error": "",
    }


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


answer_lines(answer)
