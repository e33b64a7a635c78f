"""The publishing tool uv."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from ...asking import upload_wording
from ...config.invocation import Words
from ...errors import Refused
from ...text import escape
from ..addresses import Address, read_address, secret_named
from ..destination import Destination, host_of, secret_at
from ..metadata import is_project_name
from ..options import Options
from ..parsers.clap import Clap
from ..steering import proxy_host
from ..tool import Artifacts, Network, Pin
from ..tool_call import ToolCall
from ..uv_files import SettingsFile, first, indexes, kept_file, settings_files

CLAP = Clap(
    "uv",
    Options(
        "-q/--quiet -v/--verbose -h/--help -V/--version -n/--no-cache/--no-cache-dir --cache-dir= "
        "--color= --no-color --no-progress --config-file= --no-config --directory= --project= "
        "--allow-insecure-host/--trusted-host= --system-certs --no-system-certs --native-tls "
        "--no-native-tls --offline --no-offline --isolated --preview --no-preview "
        "--preview-features/--preview-feature= --managed-python --no-managed-python "
        "--no-python-downloads --allow-python-downloads --python-fetch= --python-preference= "
        "--no-installer-metadata --show-settings"
    ),
    {
        "publish": Options(
            "--index= --publish-url= --check-url= -u/--username= -p/--password= -t/--token= "
            "--trusted-publishing= --keyring-provider= --dry-run --no-attestations --direct "
            "--skip-existing"
        )
    },
    frozenset({"--allow-insecure-host", "--preview-features"}),
)

#: The variable with the user name.
_NAME = "UV_PUBLISH_USERNAME"

#: The endings of source distributions that uv knows, and doesn't upload.
_STOPS = tuple(".zip .tgz .tbz .txz .tlz .tar .tar.bz2 .tar.xz .tar.lz .tar.lzma .tar.zst".split())

#: What makes uv exit without an upload.
_SENDS_NOTHING = {
    "--help": "--help sends nothing",
    "--version": "--version sends nothing",
    "--dry-run": "--dry-run sends nothing",
    "--show-settings": "--show-settings sends nothing",
}


class Target(NamedTuple):
    """Where the command line or a setting sends the upload.

    :param url: the index's URL, as it is written there.
    :param origin: the option, variable or setting that has the URL, in words.
    :param name: the index's name; empty if it is given by URL.
    :param file: the settings file with the URL; None if the call has it.
    :param check: the URL where uv looks for files that the index has already.
    """

    url: str
    origin: str
    name: str = ""
    file: SettingsFile | None = None
    check: str = ""


#: The indexes whose URL uv knows, and their secrets.
_NAMES = {"pypi": "PyPI"}


class Uv(ToolCall):
    """A call of uv."""

    names = _NAMES
    secret_options = ("--password", "--token")
    artifacts = Artifacts(
        arguments=True,
        patterns="always",
        folder="dist",
        endings=(".whl", ".tar.gz"),
        stops=_STOPS,
        no_attestation_options=("--no-attestations", "$UV_PUBLISH_NO_ATTESTATIONS"),
        leaving_out="add --no-attestations",
    )
    folder_options = ("--directory", "$UV_WORKING_DIR", "$UV_WORKING_DIRECTORY")
    project_options = ("--project", "$UV_PROJECT")
    own_variables = ("UV_*", "PYX_*")
    reads = (
        *("UV_PUBLISH_URL", "UV_PUBLISH_INDEX", "UV_PUBLISH_CHECK_URL"),
        *(_NAME, "UV_PUBLISH_PASSWORD", "UV_PUBLISH_TOKEN"),
    )
    harmless = (
        *("UV_INDEX*", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_CACHE_DIR", "UV_NO_CACHE"),
        *("UV_NO_PROGRESS", "UV_HTTP_TIMEOUT", "UV_UPLOAD_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT"),
        *("UV_HTTP_CONNECT_TIMEOUT", "UV_HTTP_RETRIES", "UV_CONCURRENT_*", "UV_PYTHON*"),
        *("UV_TOOL_*", "UV_LINK_MODE", "UV_VENV_*", "UV_NO_BUILD*", "UV_NO_BINARY*", "UV_LOCKED"),
        *("UV_FROZEN", "UV_ENV_FILE", "UV_NO_ENV_FILE", "UV_PROJECT_ENVIRONMENT", "UV_NO_SYNC"),
        *("UV_PUBLISH_NO_ATTESTATIONS", "UV_COMPILE_BYTECODE", "UV_EXCLUDE_NEWER"),
        *("UV_RESOLUTION", "UV_PRERELEASE", "UV_LOG_CONTEXT"),
    )
    trusts = ("SSL_CERT_FILE", "SSL_CERT_DIR")

    def read(self) -> Words:
        """Read the command line as clap does."""
        return CLAP.read(self.arguments)

    @functools.cached_property
    def files(self) -> tuple[SettingsFile, ...]:
        """The settings files that count."""
        return settings_files(self)

    # -- the index -------------------------------------------------------------------

    @functools.cached_property
    def target(self) -> Target | None:
        """What names the index; None for uv's own.

        :raises Refused: if uv would refuse the call.
        """
        name, url, check = map(self._given, ("index", "publish-url", "check-url"))
        if name is not None and (other := url or check):
            raise Refused(
                f"uv takes {name[1]} or {other[1]}, but not both", f"leave out {other[1]}"
            )
        if url is not None:
            return Target(*url)
        if name is not None:
            return self._index(*name)
        found = first(self.files, "publish-url")
        if found is None:
            return None
        file, value = found
        return Target(value, f"publish-url in {escape(os.fspath(file.path))}", file=file)

    def _given(self, option: str) -> tuple[str, str] | None:
        """The value of an option or its variable, and the name of that. An empty one counts."""
        value = self.words.last([f"--{option}"])
        if value is not None:
            return value, f"--{option}"
        variable = "UV_PUBLISH_" + option.removeprefix("publish-").upper().replace("-", "_")
        value = self.environ.get(variable)
        return None if value is None else (value, variable)

    def _index(self, name: str, origin: str) -> Target:
        """The index of that name in the settings."""
        for file, index in indexes(self.files, name):
            url = index.get("publish-url")
            if isinstance(url, str):
                return Target(url, f"the index {escape(name)}", name, file, index["url"])
            raise Refused(
                f"the index {escape(name)} in {escape(os.fspath(file.path))} has no publish-url",
                "add it there, or name the URL: uv publish --publish-url URL",
            )
        raise Refused(
            f"uv's settings have no index named '{escape(name)}', which {origin} names",
            "check the name, or name the URL: uv publish --publish-url URL",
        )

    @functools.cached_property
    def address(self) -> Address:
        """The index's URL; an empty one for uv's own."""
        return Address("") if self.target is None else read_address(self.target.url)

    def find_destination(self) -> Destination:
        """Where uv would upload to, and as whom."""
        target, username = self.target, self._username()
        if target is None:
            return Destination("pypi", "PyPI", username=username)
        url = self.address.url
        if target.file is None:
            secret = secret_at(url, self.locations)
        else:
            secret = secret_named(
                self, target.name or "pypi", url, by_project=target.file.by_project
            )
        return Destination(target.name, secret, url, username)

    def _username(self) -> str | None:
        """The user name that uv would send. An empty one counts."""
        found, without = self.words.last(["--username"]), "leave out --username"
        if found is None:
            found, without = self.environ.get(_NAME), f"unset {_NAME}"
        in_url = self.address.username
        if in_url is not None and found not in (None, in_url):
            raise Refused(
                "uv takes the user name from the index's URL or from its option, but not both",
                f"leave out --username, and unset {_NAME}",
            )
        if self.has_secret("UV_PUBLISH_TOKEN"):
            if found is not None or in_url is not None:
                without = without if found is not None else "leave the user name out of the URL"
                raise Refused(
                    "uv takes a token, or a user name and a password, but not both",
                    f"use UV_PUBLISH_PASSWORD in place of UV_PUBLISH_TOKEN, or {without}",
                )
            return "__token__"
        return in_url if found is None else found

    def is_named_by_project(self) -> bool:
        """Whether a file of the project has the index of that name."""
        target = self.target
        return bool(target and target.name and target.file and target.file.by_project)

    # -- whether a secret is needed --------------------------------------------------

    def given_by(self) -> str:
        """The option, or the URL, that holds the secret."""
        for option in ("--password", "--token"):
            if self.words.has([option]):
                return option
        return self.target.origin if self.target and self.address.has_password else ""

    def why_needs_none(self) -> str:
        """Help, a dry run, and trusted publishing that was asked for."""
        for option, why in _SENDS_NOTHING.items():
            if self.words.has([option]):
                return why
        return "trusted publishing was asked for" if self.wants_identity() else ""

    def wants_identity(self) -> bool:
        """Whether trusted publishing is asked for: uv then takes no secret."""
        return self._trusted() == "always"

    def _trusted(self) -> object:
        """Whether trusted publishing is asked for: a settings file beats the option."""
        found = first(self.files, "trusted-publishing")
        return found[1] if found else self.words.last(["--trusted-publishing"])

    def identity(self) -> str:
        """The identity of GitHub or GitLab: uv asks for a token if it knows no credentials."""
        if self._trusted() == "never" or self._knows_credentials():
            return ""
        environ = self.environ
        if environ.get("GITHUB_ACTIONS"):
            names = ["ACTIONS_ID_TOKEN_REQUEST_URL"]
        else:
            names = [n for n in environ if n.endswith("_ID_TOKEN") and environ.get("GITLAB_CI")]
        return next((f"{escape(name)} is set" for name in names if name in environ), "")

    def _knows_credentials(self) -> bool:
        """Whether uv has credentials, or a keyring to ask, and so wants no identity."""
        if self._username() is not None or "UV_PUBLISH_PASSWORD" in self.environ:
            return True
        found = first(self.files, "keyring-provider")
        keyring = self.value(("--keyring-provider", "$UV_KEYRING_PROVIDER"))
        return (keyring or (found[1] if found else "disabled")) != "disabled"

    # -- the connection --------------------------------------------------------------

    def network(self) -> Network:
        """Proxies, certificates and hosts without them in the user's own files and options."""
        lines = []
        for file in self.files:
            proxies = (file.options.get(key) for key in ("https-proxy", "http-proxy"))
            lines += [upload_wording.proxy(proxy_host(str(proxy))) for proxy in proxies if proxy]
        if self.environ.get("SSL_CLIENT_CERT"):
            lines.append(upload_wording.CLIENT_CERTIFICATE)
        return Network(tuple(dict.fromkeys(lines)), self._unverified())

    def _unverified(self) -> str:
        """What makes uv accept any certificate from this index; empty if nothing does."""
        option, variable = "--allow-insecure-host", "UV_INSECURE_HOST"
        typed = [value or "" for name, value in self.words.options if name == option]
        named = [(option, typed), (variable, [self.environ.get(variable, "")])]
        for file in self.files:
            where = f"allow-insecure-host in {escape(os.fspath(file.path))}"
            named.append((where, file.options.get("allow-insecure-host", [])))
        for origin, texts in named:
            if any(self._covers(host) for text in texts for host in str(text).split()):
                return origin
        return ""

    def _covers(self, trusted: str) -> bool:
        """Whether a host that uv shall trust without a certificate is this index's."""
        try:
            parts = urlsplit(trusted if "://" in trusted else f"//{trusted}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return True
        target = self.destination
        if host == "*":
            return True
        if target.url:
            return host == target.host and port in (None, urlsplit(target.url).port)
        known = secret_at(f"https://{host}", self.locations) if host else ""
        return host.startswith("upload.") or known == target.secret

    # -- the files -------------------------------------------------------------------

    def collects(self, path: str) -> bool:
        """uv skips what is not a file, and what no version of uv takes for a release's name."""
        name = os.path.basename(path)
        if name.endswith(".whl"):
            project, *tags = name.split("-")
            named = len(tags) > 3
        else:
            project, _, _ = name.removesuffix(".tar.gz").rpartition("-")
            named = True
        return named and is_project_name(project) and os.path.isfile(path)

    # -- the pin ---------------------------------------------------------------------

    def pin(self) -> Pin:
        """The URL as an option, and no settings but the user's own.

        An index of these whose other URL has a password is named: no option may have that.
        """
        kept, url = kept_file(self.files), self.destination.url
        without, adding = ["--index", "--publish-url"], [f"--publish-url={url}"] if url else []
        named = self._named_in(kept)
        if named:
            adding = [f"--index={named}"]
        removes, environ = ["UV_PUBLISH_INDEX", "UV_PUBLISH_URL"], {}
        if kept is None:
            without.append("--config-file")
            removes.append("UV_CONFIG_FILE")
            environ = {"UV_NO_CONFIG": "1"}
        elif not self.value(("--config-file", "$UV_CONFIG_FILE")):
            environ = {"UV_CONFIG_FILE": os.fspath(kept.path)}
        folder = self.value(self.folder_options)
        if folder and not self.words.has(["--directory"]):  # older versions lack the variable
            adding.append(f"--directory={folder}")
            removes += ["UV_WORKING_DIR", "UV_WORKING_DIRECTORY"]
        adding += "" if named else self._check(kept), *self._trust(kept)
        arguments = CLAP.rewrite(self.arguments, without, [word for word in adding if word])
        return Pin(arguments, environ, tuple(removes))

    def _named_in(self, kept: SettingsFile | None) -> str:
        """The name of an index in the user's own settings whose check is not for an option."""
        target = self.target
        if target is None or not target.name or kept is None or target.file is not kept:
            return ""
        with contextlib.suppress(Refused):  # the path of a folder
            if not read_address(target.check).has_password:
                return ""
        return target.name

    def _check(self, kept: SettingsFile | None) -> str:
        """The option for the URL where uv looks for existing files, if a file names it."""
        if self._given("check-url"):
            return ""
        found = first(self.files, "check-url")
        if self.target and self.target.name:
            url, file = self.target.check, self.target.file
        elif found and found[0] is not kept:
            file, url = found
        else:
            return ""
        name = re.sub(r"[^A-Z0-9]", "_", self.target.name.upper()) if self.target else ""
        variables = (f"UV_INDEX_{name}_{part}" for part in ("USERNAME", "PASSWORD"))
        # Only settings that uv still reads give the index its name, and so these variables.
        lost = name and file is not kept and any(map(self.environ.get, variables))
        if lost or read_address(url).has_password:
            raise Refused(
                f"uv needs a password to look for existing files at {escape(host_of(url))}, "
                "which it gets from the project's settings only",
                "move the index from there to your own ~/.config/uv/uv.toml, or don't look for "
                "them: uv publish --no-config --publish-url URL",
            )
        return f"--check-url={url}"

    def _trust(self, kept: SettingsFile | None) -> Iterator[str]:
        """The options for the system's certificates and its keyring, if a file asks for them."""
        options = kept.options if kept else {}
        found = first(self.files, "system-certs") or first(self.files, "native-tls")
        if found and found[1] is not options.get("system-certs", options.get("native-tls", False)):
            yield "--native-tls" if found[1] else "--no-native-tls"
        key, option = "keyring-provider", "--keyring-provider"
        found = first(self.files, key)
        given = self.value((option, "$UV_KEYRING_PROVIDER"))
        if found and given is None and found[1] != options.get(key, "disabled"):
            yield f"{option}={found[1]}"


TOOL = Uv
