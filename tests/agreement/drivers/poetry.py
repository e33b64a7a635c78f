"""What poetry itself makes of calls: one a line of standard input, answers on standard output."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import io
import json
import sys
from typing import Any

import poetry.json
import requests
from answering import answer_lines
from poetry import locations
from poetry.config import config
from poetry.console.application import Application
from poetry.console.commands.publish import PublishCommand
from poetry.publishing.publisher import Publisher
from poetry.publishing.uploader import Uploader
from poetry.utils.password_manager import HTTPAuthCredential, PoetryKeyring

(_BUILT_IN,) = (
    text
    for text in Publisher.publish.__code__.co_consts
    if isinstance(text, str) and text.startswith("https://")
)


class _Sent(BaseException):
    """Raised where poetry would begin to send."""


def _sending(uploader: Any, session: Any, url: str, dry_run: bool = False, *_: Any) -> None:
    if dry_run:
        return
    session.trust_env = False
    prepared = session.prepare_request(requests.Request("POST", url))
    name = None
    if "Authorization" in prepared.headers:
        name = (session.auth or requests.utils.get_auth_from_url(url))[0]
    raise _Sent(url, name, sorted(file.name for file in uploader.files))


def _kept(_: Any, __: str, name: str | None) -> str | None:
    """The user's keyring has the password of every user, and no token."""
    for_token = sys._getframe(1).f_code.co_name == "get_pypi_token"
    return None if for_token or not name else "canary"


PoetryKeyring.is_available = classmethod(lambda _: True)
PoetryKeyring.get_password = _kept
PoetryKeyring.get_credential = lambda _, *__, username=None: HTTPAuthCredential(username, None)
PublishCommand.call = lambda *_, **__: 0
PublishCommand.confirm = lambda *_: True
Uploader._upload = _sending


def _compile(schema: Any, **options: Any) -> Any:
    """Compile a schema once, and not for each project."""
    key = json.dumps(schema)
    if key not in _compiled:
        _compiled[key] = _compiling(schema, **options)
    return _compiled[key]


_compiled: dict[str, Any] = {}
_schemas = poetry.json.fastjsonschema
_compiling, _schemas.compile = _schemas.compile, _compile
# What takes the most time, and has nothing to do with where an upload goes.
importlib.metadata.entry_points = functools.cache(importlib.metadata.entry_points)
Application.render_error = lambda _, error, __: print(error)


def answer(arguments: list[str]) -> dict[str, object]:
    """What poetry does with these arguments."""
    config._default_config = None
    importlib.reload(locations)
    config.CONFIG_DIR = locations.CONFIG_DIR
    sys.argv = ["poetry", *arguments]
    shown = io.StringIO()
    said = "it sent nothing"
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            Application().run()
    except _Sent as sent:
        url, username, files = sent.args
        url = "" if url == _BUILT_IN else without_user(url)
        return {"url": url, "username": username, "files": files, "error": ""}
    except BaseException as error:
        said = f"{type(error).__name__}: {error}: {shown.getvalue()[-300:]}"
    return {"url": "", "username": None, "files": None, "error": said}


def without_user(url: str) -> str:
    """The URL without what requests takes as the user's name and password."""
    parts = requests.utils.urlparse(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


answer_lines(answer)
