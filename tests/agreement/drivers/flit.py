"""What flit itself makes of calls: one a line of standard input, answers on standard output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import flit
import flit.upload
from answering import answer_lines


class _Sent(BaseException):
    """Raised where flit would begin to send."""


_URL = getattr(flit.upload, "normalize_repository_url", str)


def _main(ini_path: Path, name: str | None, pypirc: str | None = None, **_: Any) -> None:
    """The beginning of flit's own function: what precedes the build, without the project."""
    if pypirc is None:
        pypirc = flit.upload.PYPIRC_DEFAULT
    elif not os.path.isfile(pypirc):
        raise FileNotFoundError("The specified pypirc config file does not exist.")
    raise _Sent(flit.upload.get_repository(pypirc, name, project_name="demo"))


def answer(arguments: list[str]) -> dict[str, object]:
    """What flit does with these arguments, for one who has a password."""
    os.environ.setdefault("FLIT_PASSWORD", "canary-password")
    try:
        flit.main(arguments)
    except _Sent as sent:
        (repository,) = sent.args
        url = "" if repository.url == flit.upload.PYPI else _URL(repository.url)
        return {"url": url, "username": repository.username, "files": None, "error": ""}
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    else:
        said = "it sent nothing"
    return {"url": "", "username": None, "files": None, "error": said}


flit.upload.main = _main
flit.upload.write_pypirc = lambda *_: None
answer_lines(answer)
