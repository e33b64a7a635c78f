"""The publishing tool twine."""

from __future__ import annotations

import os

from ...asking import upload_wording
from ...config import places
from ...config.invocation import Words
from ...errors import Refused
from ...record import Record, computed
from ...text import escape
from .. import pins
from ..addresses import read_address, secret_named
from ..destination import Destination, secret_at, without_user
from ..options import Options
from ..parsers import argparse
from ..pypirc import Pypirc, read_pypirc
from ..tool import Artifacts, Network, Pin
from ..tool_call import ToolCall

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The indexes whose URL twine has built in, and their secrets.
_NAMES = {"pypi": "PyPI", "testpypi": "TestPyPI"}

_TOP = Options("-h/--help --version --no-color")

_UPLOAD = Options(
    "-h/--help -r/--repository= --repository-url= --attestations -s/--sign --sign-with="
    " -i/--identity= -u/--username= -p/--password= --non-interactive -c/--comment= --config-file="
    " --skip-existing --cert= --client-cert= --verbose --disable-progress-bar"
)


class _Index(Record):
    """The index of a call.

    :param name: its name; empty if it is given by URL.
    :param url: its URL, as it is given; empty: the one that twine has built in.
    :param settings: the keys of its section in the ``.pypirc``.
    """

    name: str
    url: str
    settings: Mapping[str, str] = {}


class Twine(ToolCall):
    """A call of twine."""

    artifacts = Artifacts(
        arguments=True,
        patterns="missing",
        strict=True,
        signatures=True,
        attestation_options=("--attestations",),
        leaving_out="remove --attestations",
    )
    names = _NAMES
    own_variables = ("TWINE_*",)
    reads = ("TWINE_REPOSITORY", "TWINE_REPOSITORY_URL", "TWINE_USERNAME", "TWINE_PASSWORD")
    harmless = ("TWINE_NON_INTERACTIVE",)
    trusts = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "TWINE_CERT")

    def read(self) -> Words:
        """Read the arguments with argparse's rules, as twine's two parsers do."""
        return argparse.read("twine", self.arguments, _TOP, {"upload": _UPLOAD}, files=True)

    def find_destination(self) -> Destination:
        """The URL that an option or a variable gives, else the index with that name."""
        index = self._index
        name, url = index.name, index.url
        username = self._value("--username", "TWINE_USERNAME")
        if not url:
            return self._for_pypi(Destination(name, _NAMES[name]), username)
        shown = _lower_scheme(read_address(url).url)
        secret = secret_named(self, name, url) if name else secret_at(url, self.locations)
        found = Destination(name, secret, shown)
        if found.pypis:
            return self._for_pypi(found, username)
        return found._replace(
            username=index.settings.get("username") if username is None else username
        )

    def _for_pypi(self, found: Destination, username: str | None) -> Destination:
        """PyPI or TestPyPI, which take the user name ``__token__`` alone.

        No section's user name counts for them. Old versions of twine send nothing else, newer ones
        what an option or a variable gives.
        """
        given = username if self.given_by() else None
        return found._replace(username=given or "__token__")

    @computed
    def _index(self) -> _Index:
        """The index of this call.

        :raises Refused: if twine knows no URL for it.
        """
        if url := self._value("--repository-url", "TWINE_REPOSITORY_URL"):
            return _Index("", url, _user_in(url))
        name = self._value("--repository", "TWINE_REPOSITORY")
        if name is None:
            name = "pypi"
        elif not name:
            raise Refused("the name of twine's index is empty", "name one: -r pypi")
        return self._named(name)

    def _named(self, name: str) -> _Index:
        """The index with that name, as twine finds it in the ``.pypirc``.

        :raises Refused: if twine finds no URL for it.
        """
        pypirc = self.pypirc
        login = pypirc.sections.get("server-login", {})
        servers = tuple(_NAMES) if pypirc.servers is None else pypirc.servers
        listed = name in servers
        section = pypirc.sections.get(name, {}) if listed else {}
        known = name == "pypi" or (name in _NAMES and listed)
        url = section.get("repository")
        if url is None and not known:
            raise _unknown(name, pypirc, listed)
        url = url and url.lstrip()  # on a line of its own: twine's HTTP client ignores the blanks
        if url == "" or (url and "://" not in url):
            raise Refused(
                f"[{escape(name)}] in {escape(pypirc.path)} gives no valid URL",
                "write it as repository = https://host/path",
            )
        settings = {k: v for k, v in login.items() if k == "username"} | dict(section)
        return _Index(name, url or "", settings)

    def _value(self, option: str, variable: str) -> str | None:
        """The option's value, else the variable's; an empty one counts as a value."""
        found = self.words.last([option])
        return self.environ.get(variable) if found is None else found

    def read_pypirc(self) -> Pypirc:
        """The file that an option names, else the one in the home folder.

        :raises Refused: if the file that is named isn't there, or can't be read.
        """
        named = self.words.last(["--config-file"])
        path = places.expand_user("~/.pypirc" if named is None else named, self.environ)
        if named not in (None, "~/.pypirc") and not os.path.exists(path):
            raise Refused(
                f"can't find {escape(path)}: twine would stop there",
                "check what --config-file names",
            )
        return read_pypirc(path)

    # -- the credentials ---------------------------------------------------------

    def given_by(self) -> str:
        """The option with the password, or what gives a URL with one."""
        if self.words.has(["--password"]):
            return "--password"
        option, variable = "--repository-url", "TWINE_REPOSITORY_URL"
        url = self._value(option, variable)
        if not url or "password" not in _user_in(url):
            return ""
        return option if self.words.has([option]) else variable

    def why_needs_none(self) -> str:
        """Whether help or the version is asked for."""
        if self.words.has(["--help", "--version"]):
            return "twine only prints its help or its version"
        return ""

    def identity(self) -> str:
        """What GitHub or GitLab set where they give programs an identity."""
        destination = self.destination
        if self.given_by() or "TWINE_PASSWORD" in self.environ or not destination.pypis:
            return ""
        # Since twine 6.1, which asks the package id: each only where the other variable is set too.
        names = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": "GITHUB_ACTIONS",
            f"{destination.secret.upper()}_ID_TOKEN": "GITLAB_CI",
        }
        given = self.environ.get
        found = next((name for name, needs in names.items() if given(name) and given(needs)), "")
        if not found or destination.username not in (None, "__token__"):
            return ""
        return f"{found} is set"

    # -- the connection ----------------------------------------------------------

    def network(self) -> Network:
        """The certificates that options and the section of the ``.pypirc`` name."""
        found = []
        if self.words.last(["--cert"]) or (self._certificates and "TWINE_CERT" not in self.environ):
            found.append(upload_wording.OWN_CERTIFICATES)
        if self.words.last(["--client-cert"]) or self._client_certificate:
            found.append(upload_wording.CLIENT_CERTIFICATE)
        return Network(tuple(found))

    @property
    def _certificates(self) -> str:
        """The file of the section's own, unless an option or a variable names another."""
        if self._value("--cert", "TWINE_CERT") is not None:
            return ""
        return self._index.settings.get("ca_cert", "")

    @property
    def _client_certificate(self) -> str:
        """The file of the section's own, unless an option names another."""
        if self.words.last(["--client-cert"]) is not None:
            return ""
        return self._index.settings.get("client_cert", "")

    def code(self) -> tuple[str, ...]:
        """The program that signs, if it is not GnuPG's own."""
        program = self.words.last(["--sign-with"])
        if not self.words.has(["--sign"]) or program in (None, "gpg", "gpg2"):
            return ()
        return (upload_wording.signing_program(program),)

    def pin(self) -> Pin:
        """Give the URL in twine's strongest variable: twine then opens no ``.pypirc``.

        For an index that twine has built in, an empty ``.pypirc`` is given. What the section says
        of certificates is passed on.
        """
        destination, added, environ = self.destination, [], {}
        if certificates := self._certificates:
            environ["TWINE_CERT"] = certificates
        if client := self._client_certificate:
            added.append(f"--client-cert={client}")
        if destination.builtin:
            added.append(f"--config-file={pins.empty_file(self.environ)}")
        elif destination.repository:
            environ["TWINE_REPOSITORY_URL"] = destination.url
            if self.words.has(["--repository-url"]):  # an empty one, which hides the variable
                added.append(f"--repository-url={destination.url}")
        if self.words.last(["--username"]) not in (None, destination.username):
            added.append(f"--username={destination.username}")
        arguments = argparse.without_end(self.arguments) if added else self.arguments
        return Pin((*arguments, *added), environ)


def _unknown(name: str, pypirc: Pypirc, listed: bool) -> Refused:
    """The error for an index that twine doesn't know."""
    if "://" in name:
        hint = f"to give a URL: --repository-url {escape(without_user(name))}"
    elif name in _NAMES or (name in pypirc.sections and not listed):
        hint = f"add {escape(name)} to index-servers under [distutils] in {escape(pypirc.path)}"
    else:
        hint = f"add it to {escape(pypirc.path)}, or give its URL: --repository-url https://…"
    return Refused(f"twine knows no index '{escape(without_user(name))}'", hint)


def _user_in(url: str) -> dict[str, str]:
    """The user name in a URL, with an empty ``password`` if the URL has one too.

    :raises Refused: for a password without a user name.
    """
    found = read_address(url)
    if found.username is not None:
        return {"username": found.username} | ({"password": ""} if found.has_colon else {})
    if found.has_password:
        raise Refused(
            "the index URL has a password, but no user name", "remove what precedes the '@'"
        )
    return {}


def _lower_scheme(url: str) -> str:
    scheme, colon, rest = url.partition(":")
    return f"{scheme.lower()}{colon}{rest}"


TOOL = Twine
