"""The URLs of package indexes, and the secrets that belong to them."""

from __future__ import annotations

from ..config.model import Command
from ..errors import Refused
from ..record import Record
from ..reference import OWN as OWN_SCHEME
from ..text import escape
from .destination import OWN, REGISTRIES, host_of, located, secret_at, split_url
from .tool_call import ToolCall
from .tools import is_tool

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


class Address(Record):
    """The URL of an index.

    :param url: without a user name and password.
    :param username: the user name in the URL, as it is written there; None without one.
    :param has_colon: whether a colon follows the name. For some programs, only then a password
        follows, which may be empty.
    :param has_password: whether a password is in the URL.
    """

    url: str
    username: str | None = None
    has_colon: bool = False
    has_password: bool = False


def read_address(url: str) -> Address:
    """Take a URL apart.

    :raises Refused: if programs may disagree about where it leads, or about its user name.
    """
    import re

    host = host_of(url)
    shown = escape(url.rpartition("@")[2])  # what comes before may be a password
    good = False
    try:
        parts = split_url(url)
        good = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:  # the port is not a number
        parts = split_url("")
    if not good or "%" in host or re.search(r'[^!-~]|[{}<>"^`|]', url):
        raise Refused(
            f"programs may read the index URL '{shown}' differently",
            "write it as https://host/path, with special characters as %XX"
            if host.isascii()
            else "write the host's name in its ASCII form, which begins with xn--",
        )
    user, at, _ = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    if not re.fullmatch(r"[\w.~!$&()*+,%-]*", name, re.ASCII):
        raise Refused(
            f"programs may read the user name in the URL of '{shown}' differently",
            "give the user name to the tool by its own option",
        )
    start = url.index("//") + 2
    bare = url[:start] + url[start + len(user + at) :]
    return Address(bare, name or None, bool(colon), bool(password))


def _is_of_another(name: str, commands: Mapping[str, Command]) -> bool:
    """Whether a command that is not a publishing tool uses the secret of that name."""
    for command, row in commands.items():
        tables = [row.secrets, *(one.secrets for one in row.profiles.values())]
        used = {_base(reference) for table in tables for reference in table.values()}
        if name in used and not is_tool(command):
            return True
    return False


def _base(reference: str) -> str:
    """The name in a reference, without its field and its project."""
    return reference.removeprefix(f"{OWN_SCHEME}://").partition("#")[0].partition("/")[0]


def secret_named(call: ToolCall, name: str, url: str, *, by_project: bool = False) -> str:
    """The name of the secret for an index that settings give a name and a URL.

    The secret of a token that this index made, if there is one; else that of the index's name. The
    tool's own names, and the names of their secrets, are not enough: there the URL decides. So it
    does where a project calls its index like the secret of another command: ``GitHub``.

    :param by_project: whether the settings are the project's. Only the user's own may say where
        PyPI (``upload.…``) and TestPyPI (``test.…``) are.
    :raises Refused: if the URL has no host.
    """
    host = host_of(url)
    if found := located(url, call.locations):
        return found
    if not by_project:
        if call.names.get(name) == "PyPI" and host.startswith("upload."):
            return "PyPI"
        if name in ("testpypi", "test") and host.startswith("test."):
            return "TestPyPI"
    first = name.partition("/")[0]
    built_in = name in call.names or name in ("testpypi", "test")
    theirs = (by_project or not call.narrows) and first in REGISTRIES
    taken = built_in or first in OWN or theirs or "://" in name
    taken = taken or (by_project and _is_of_another(first, call.commands))
    return secret_at(url, call.locations) if taken else name
