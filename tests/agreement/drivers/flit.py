"""What flit itself makes of calls: one a line of standard input, answers on standard output."""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path
from typing import Any

import flit
import flit.upload
import requests
from answering import answer_lines

#: What flit gets as the user's name if it asks for one.
_ASKED = "asked for"


class _Sent(BaseException):
    """Raised where flit would begin to send."""


_URL = getattr(flit.upload, "normalize_repository_url", str)


def _main(ini_path: Path, name: str | None, pypirc: str | None = None, **_: Any) -> None:
    """The beginning of flit's own function: what precedes the build, without the project."""
    if pypirc is None:
        pypirc = flit.upload.PYPIRC_DEFAULT
    elif not os.path.isfile(pypirc):
        raise FileNotFoundError("The specified pypirc config file does not exist.")
    repository = flit.upload.get_repository(pypirc, name, project_name="demo")
    url = _URL(repository.url)
    requests.Request("POST", url).prepare()  # it may be no URL
    raise _Sent("" if repository.url == flit.upload.PYPI else url, repository.username)


class _Terminal(io.StringIO):
    """A terminal, at which flit asks for the user's name."""

    def isatty(self) -> bool:
        return True


def answer(arguments: list[str]) -> dict[str, object]:
    """What flit does with these arguments, for one who has a password."""
    sys.stdin = _Terminal()
    try:
        flit.main(arguments)
    except _Sent as sent:
        url, username = sent.args
        username = None if username == _ASKED else username
        return {"url": url, "username": username, "files": None, "error": ""}
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    else:
        said = "it sent nothing"
    return {"url": "", "username": None, "files": None, "error": said}


flit.upload.main = _main
flit.upload.write_pypirc = flit.upload.find_token = lambda *_: None
flit.upload.get_password = lambda *_: "canary-password"
flit.upload.input = lambda _: _ASKED
logging.disable()  # each call of flit adds a handler
answer_lines(answer)
