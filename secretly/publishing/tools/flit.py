"""The publishing tool flit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...asking import upload_wording
from ...config import places
from ...config.invocation import Words
from ...errors import Refused
from ...text import escape
from .. import pins
from ..addresses import read_address, secret_named
from ..destination import Destination, secret_at, without_user
from ..options import Options, invalid
from ..parsers import argparse
from ..pypirc import Pypirc, read_pypirc
from ..tool import Artifacts, Pin
from ..tool_call import ToolCall, value_at

_TOP = Options("-h/--help -f/--ini-file= -V/--version --repository= --debug --logo")

#: flit 4 dropped ``--setup-py``, and says so itself.
_PUBLISH = Options(
    "-h/--help --format= --setup-py --no-setup-py --use-vcs --no-use-vcs --pypirc= --repository="
)


#: The indexes whose URL flit knows, and their secrets.
_NAMES = {"pypi": "PyPI"}


class Flit(ToolCall):
    """A call of flit."""

    names = _NAMES
    artifacts = Artifacts(
        manifest_options=("--ini-file",),
        names=("project.name", "tool.flit.metadata.dist-name", "tool.flit.metadata.module"),
        builds=("publish",),
        separately="flit build && secretly run twine upload dist/*",
    )
    own_variables = ("FLIT_*",)
    reads = ("FLIT_INDEX_URL", "FLIT_USERNAME", "FLIT_PASSWORD")
    harmless = ("FLIT_NO_NETWORK", "FLIT_ALLOW_INVALID", "FLIT_INSTALL_PYTHON", "FLIT_ROOT_INSTALL")
    trusts = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

    def read(self) -> Words:
        """Read the arguments with argparse's rules, as flit's parser and its subparser do."""
        words = argparse.read("flit", self.arguments, _TOP, {"publish": _PUBLISH})
        if len(words.words) > 1:
            raise invalid("flit publish takes no files", words.words[1], "leave it out")
        return words

    def find_destination(self) -> Destination:
        """The URL of the variable, else the index with the name that is given, else PyPI.

        flit reads no user name in a URL.
        """
        name = self._name
        if name is None and (url := self.environ.get("FLIT_INDEX_URL")) is not None:
            shown = _with_slash(read_address(url).url)
            return Destination("", secret_at(url, self.locations), shown, self._username(""))
        if name is not None and "FLIT_INDEX_URL" in self.environ:
            raise Refused(
                "flit takes either FLIT_INDEX_URL or --repository, not both",
                "unset FLIT_INDEX_URL, or leave out --repository",
            )
        return self._named("pypi" if name is None else name, default=name is None)

    @property
    def _name(self) -> str | None:
        """The name of the index that an option gives: after the subcommand, else before it."""
        words = self.words
        before, after = (
            part.last(["--repository"])
            for part in (
                words._replace(options=words.options[: words.before]),
                words._replace(options=words.options[words.before :]),
            )
        )
        return after or before

    def _named(self, name: str, *, default: bool) -> Destination:
        """The index with that name, as flit finds it in the ``.pypirc``.

        :param default: whether no name is given: then flit needs no section.
        :raises Refused: if flit finds no such index.
        """
        servers = self.pypirc.servers
        listed = name in (("pypi",) if servers is None else servers)
        if not listed and not default:
            raise self._unknown(name)
        section = self.pypirc.sections.get(name, {}) if listed else {}
        url, username = section.get("repository"), self._username(section.get("username", ""))
        if url is None:  # flit's own URL, for any index that is listed
            return Destination(name, "PyPI", "", username)
        url = url.lstrip()  # on a line of its own: flit's HTTP client ignores the blanks
        shown = _with_slash(read_address(url).url)
        return Destination(name, secret_named(self, name, url), shown, username)

    def _unknown(self, name: str) -> Refused:
        """The error for an index that flit doesn't know."""
        path = escape(self.pypirc.path)
        if "://" in name:
            hint = f"to give a URL: FLIT_INDEX_URL={escape(without_user(name))}"
        elif name in self.pypirc.sections:
            hint = f"add {escape(name)} to index-servers under [distutils] in {path}"
        else:
            hint = f"add it to {path}, or give its URL: FLIT_INDEX_URL=https://…"
        return Refused(f"flit knows no index '{escape(without_user(name))}'", hint)

    def _username(self, configured: str) -> str | None:
        """The variable's user name, else the section's; flit asks for one that is empty."""
        return self.environ.get("FLIT_USERNAME", configured) or None

    def read_pypirc(self) -> Pypirc:
        """The file that an option names, else the one in the home folder.

        :raises Refused: if the file that is named isn't there, or can't be read.
        """
        named = self.words.last(["--pypirc"])
        if named is None:
            return read_pypirc(places.expand_user("~/.pypirc", self.environ))
        if not os.path.isfile(named):
            raise Refused(
                f"can't find {escape(named)}: flit would stop there",
                "check what --pypirc names (flit doesn't replace ~ in it)",
            )
        return read_pypirc(named)

    def why_needs_none(self) -> str:
        """Whether help, the version or the logo is asked for."""
        if self.words.has(["--help", "--version", "--logo"]):
            return "flit only prints its help, its version or its logo"
        return ""

    def code(self) -> tuple[str, ...]:
        """The module that flit may import, and what git or hg start for a repository's settings."""
        found = []
        manifest = Path(self.start_folder, self.words.last(["--ini-file"]) or "pyproject.toml")
        tables = self.read_toml(manifest)
        if value_at(tables, ("tool", "flit", "metadata")) or _dynamic(tables):
            found.append(upload_wording.imported_module("flit"))
        formats = [value for option, value in self.words.options if option == "--format"]
        if "--no-use-vcs" not in dict(self.words.options) and formats != ["wheel"]:
            for program, settings in (("git", ".git/config"), ("hg", ".hg/hgrc")):
                if any((folder / f".{program}").exists() for folder in manifest.parents):
                    found.append(upload_wording.started_by(program, settings))
        return tuple(found)

    def pin(self) -> Pin:
        """Give the URL in flit's variable, and an empty ``.pypirc``.

        flit parses the file in the home folder in any case, and refuses the name of an index
        together with the variable. Where the index redirects it, flit would answer with a password
        from the ``.netrc``.
        """
        left = argparse.without(
            "flit", self.arguments, _TOP, {"publish": _PUBLISH}, ("--repository", "--pypirc")
        )
        url, empty = self.destination.url, pins.empty_file(self.environ)
        environ = {"NETRC": empty} | ({"FLIT_INDEX_URL": url} if url else {})
        return Pin((*left, f"--pypirc={empty}"), environ)


def _with_slash(url: str) -> str:
    """The URL with the slash after ``/legacy``, which flit adds since 4.2."""
    try:
        parts = urlsplit(url)
    except ValueError:  # secret_at says what is wrong with it
        return url
    return parts._replace(path="/legacy/").geturl() if parts.path == "/legacy" else url


def _dynamic(tables: dict[str, Any]) -> bool:
    """Whether flit takes the version or the description from the module."""
    dynamic = value_at(tables, ("project", "dynamic"))
    return isinstance(dynamic, list) and not {"version", "description"}.isdisjoint(
        item for item in dynamic if isinstance(item, str)
    )


TOOL = Flit
