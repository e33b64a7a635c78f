"""What twine itself makes of calls: one a line of standard input, answers on standard output."""

from __future__ import annotations

import copy
import functools
import logging
import os
import types
from typing import Any

import requests
from answering import answer_lines
from twine import auth, cli, package, settings, utils
from twine.commands import upload


class _Sent(BaseException):
    """Raised where twine would begin to send."""


_collected: list[str] = []
_make_package = upload._make_package


def _making(filename: str, signatures: Any, attestations: Any, given: Any) -> Any:
    """Note the file, and what goes with it."""
    made = _make_package(filename, signatures, attestations, given)
    _collected.append(filename)
    if made.signed_basefilename in signatures:
        _collected.append(signatures[made.signed_basefilename])
    if given.attestations:
        _collected.extend(attestations)
    return made


def _sending(given: settings.Settings) -> Any:
    if not _collected:
        raise FileNotFoundError("no distribution among the files")
    url = given.repository_config["repository"]
    requests.Request("POST", url).prepare()  # it may be no URL
    raise _Sent(url, given.username)


def _from_filename(filename: str, comment: str | None) -> package.PackageFile:
    """Read a file. Those of one name are the same in all cases, so that it is read once."""
    name = os.path.basename(filename)
    if name not in _read:
        _read[name] = _reading(filename, None)
    found = copy.copy(_read[name])
    found.filename, found.signed_filename, found.comment = filename, f"{filename}.asc", comment
    return found


_read: dict[str, package.PackageFile] = {}
_reading = package.PackageFile.from_filename
package.PackageFile.from_filename = _from_filename
upload._make_package = _making
settings.Settings.create_repository = _sending
# What twine only shows takes more time than all that is asked here.
entry_points = functools.cache(cli.importlib_metadata.entry_points)
cli.importlib_metadata = types.SimpleNamespace(entry_points=entry_points)
cli.dep_versions = lambda: ""
cli.configure_output = lambda: None
upload.print = lambda *_: None
logging.disable()
package.PackageFile.sign = lambda *_: None
auth.Resolver.username_from_keyring_or_prompt = lambda _: None
_BUILT_IN = {utils.DEFAULT_REPOSITORY: "", utils.TEST_REPOSITORY: "test"}


def answer(arguments: list[str]) -> dict[str, object]:
    """What twine does with these arguments."""
    _collected.clear()
    vars(cli.args).clear()
    try:
        cli.dispatch(arguments)
    except _Sent as sent:
        url, username = sent.args
        files = sorted({os.path.basename(path) for path in _collected})
        url = _BUILT_IN.get(url, url)
        return {"url": url, "username": username, "files": files, "error": ""}
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    else:
        said = "it sent nothing"
    return {"url": "", "username": None, "files": None, "error": said}


answer_lines(answer)
