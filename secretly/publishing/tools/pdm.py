"""The publishing tool pdm."""

from __future__ import annotations

import functools
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...asking import upload_wording
from ...config.invocation import Words
from ...errors import Refused
from ...text import escape
from ..addresses import read_address, secret_named
from ..destination import Destination, secret_at
from ..parsers import pdm as parser
from ..pdm_settings import PdmSettings, RepositorySettings
from ..tool import Artifacts, Network, Pin
from ..tool_call import ToolCall, table_at

#: The hooks of an upload, in the order in which they run. Those of a build are not among them.
_HOOKS = ("pre_invoke", "pre_publish", "post_publish")

#: The variables of an identity of GitHub's: pdm needs both.
_GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")

#: The names of the indexes that pdm has built in, and the secret of each.
_NAMES = {"pypi": "PyPI", "testpypi": "TestPyPI"}

#: The fragment of a pinned URL: a settings file can't know it.
_MADE_UP = secrets.token_hex(8)

_IN_URL = "the password in the index's URL"


class Pdm(ToolCall):
    """A call of pdm.

    pdm finds its project from the working folder upwards, unless it is named. It puts the words
    of the project's ``tool.pdm.options.publish`` right after its subcommand, and reads all again.
    """

    names = _NAMES
    artifacts = Artifacts(
        folder="dist",
        strict=True,
        endings=(".whl", ".tar.gz", ".zip", ".tar.bz2"),
        anywhere=(".whl",),
        signatures=True,
        folder_options=("--dest",),
        root=True,
        names=("project.name", "tool.poetry.name"),
        builds=("publish",),
        no_build_options=("--no-build",),
        separately="pdm build && secretly run pdm publish --no-build",
    )
    reads = ("PDM_PUBLISH_REPO", "PDM_PUBLISH_USERNAME", "PDM_PUBLISH_PASSWORD")
    own_variables = ("PDM_*",)
    harmless = (
        "PDM_CHECK_UPDATE",
        "PDM_NON_INTERACTIVE",
        "PDM_LOG_DIR",
        "PDM_LOCK*",
        "PDM_NO_LOCK",
        "PDM_FROZEN_LOCKFILE",
        "PDM_NO_CACHE",
        "PDM_NO_EDITABLE",
        "PDM_NO_SELF",
        "PDM_REQUEST_TIMEOUT",
        "PDM_RESOLVE_*",
        "PDM_INSTALL_*",
        "PDM_SCRIPTS_SHOW_HEADER",
        "PDM_VENV_IN_PROJECT",
        "PDM_VENV_PROMPT",
        "PDM_VENV_WITH_PIP",
    )
    trusts = (
        "PDM_PUBLISH_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    )

    # -- the command line ------------------------------------------------------------

    def read(self) -> Words:
        """Read the arguments, with those that the project's settings add.

        :raises Refused: if those do more than choose the index and what is uploaded.
        """
        return parser.read(self.arguments, added) if (added := self._added) else self._typed

    @functools.cached_property
    def _typed(self) -> Words:
        return parser.read(self.arguments)

    @functools.cached_property
    def _added(self) -> Sequence[str]:
        """The words that the project's settings add to the command line."""
        # 2.22 takes those of the project around the working folder, 2.29 those of the named one.
        first, *others = map(_options_of, self._pyprojects())
        if any(other != first for other in others):
            raise Refused(
                "versions of pdm take the options of different projects: tool.pdm.options",
                "run pdm in the project's own folder",
            )
        parser.check_added(first)
        return first

    def _pyprojects(self) -> Iterator[Mapping[str, Any]]:
        for root in dict.fromkeys((self.project_folder, self._found_folder)):
            yield self.read_toml(root / "pyproject.toml")

    # -- the project -----------------------------------------------------------------

    @functools.cached_property
    def start_folder(self) -> Path:
        """The working folder.

        :raises Refused: if it was deleted.
        """
        try:
            return Path.cwd()
        except OSError:
            raise Refused("the working folder was deleted", "cd to another folder") from None

    @functools.cached_property
    def project_folder(self) -> Path:
        """The folder that is named, else the nearest with a ``pyproject.toml``."""
        named = self._typed.last(("--project",))
        named = self.environ.get("PDM_PROJECT") if named is None else named
        return self.start_folder / named if named else self._found_folder

    @functools.cached_property
    def _found_folder(self) -> Path:
        folder = self.start_folder
        found = (f for f in (folder, *folder.parents) if (f / "pyproject.toml").exists())
        return next(found, folder)

    @functools.cached_property
    def _settings(self) -> PdmSettings:
        named = self._typed.last(("--config",)) or self.environ.get("PDM_CONFIG_FILE")
        folders = list(dict.fromkeys((self.project_folder, self._found_folder)))
        return PdmSettings(self.read_toml, self.environ, folders, named)

    @property
    def _table(self) -> Mapping[str, Any]:
        return table_at(self.read_toml(self.project_folder / "pyproject.toml"), "tool", "pdm")

    # -- the destination -------------------------------------------------------------

    @functools.cached_property
    def _repository(self) -> str:
        named = self.words.last(("--repository",))
        return named or self.environ.get("PDM_PUBLISH_REPO", "pypi")

    @functools.cached_property
    def _entry(self) -> RepositorySettings:
        if not self._repository:
            raise Refused(
                "PDM_PUBLISH_REPO is empty, and pdm refuses that", "unset it, or name an index"
            )
        return self._settings.of_repository(self._repository)

    def find_destination(self) -> Destination:
        """The index that an option, a variable or the settings name, by URL or by name."""
        name, entry = self._repository, self._entry
        url, by_project = entry.value("url")
        if "://" in name:
            url, name = name, ""
        if url is None:
            if name not in _NAMES:
                raise Refused(
                    f"pdm has no URL for the index {escape(name)}",
                    f"set it: pdm config repository.{escape(name)}.url URL",
                )
            return Destination(name, _NAMES[name], "", self._username)
        bare = read_address(url).url.partition("#")[0]
        if name:
            secret = secret_named(self, name, url, by_project=by_project)
        else:
            secret = secret_at(url, self.locations)
        return Destination(name, secret, bare, self._username)

    def is_named_by_project(self) -> bool:
        """Whether the project's ``pdm.toml`` has the URL of that name."""
        return "://" not in self._repository and self._entry.value("url")[1]

    @functools.cached_property
    def _url(self) -> str:
        """The URL as it is given, with what may be a secret in it; empty if pdm has it built in."""
        if "://" in self._repository:
            return self._repository
        return self._entry.value("url")[0] or ""

    @functools.cached_property
    def _username(self) -> str | None:
        """The name that pdm sends with a password: an empty one becomes ``__token__``."""
        if self.given_by() == _IN_URL:
            return urlsplit(self._url).username or ""
        typed = self.words.last(("--username",)) or self.environ.get("PDM_PUBLISH_USERNAME")
        found = self._entry.value("username")[0] if typed is None else typed
        return "__token__" if found == "" or (found is None and self._has_password) else found

    @property
    def _has_password(self) -> bool:
        """Whether pdm has one apart from the URL's. An empty variable hides that of settings."""
        typed = self.words.last(("--password",)) or self.environ.get("PDM_PUBLISH_PASSWORD")
        return bool(self._entry.value("password")[0] if typed is None else typed)

    # -- credentials, and whether they are needed ------------------------------------

    def given_by(self) -> str:
        """``--password``, or a URL with a user name and a password."""
        if self.words.last(("--password",)):
            return "--password"
        has_both = bool(self._url) and read_address(self._url).has_colon
        return _IN_URL if has_both and not self._has_password else ""

    def why_needs_none(self) -> str:
        """``--help`` and ``--version``."""
        found = (name for name in ("--version", "--help") if self._typed.has((name,)))
        return next((f"{name} sends nothing" for name in found), "")

    def identity(self) -> str:
        """An identity that GitHub or GitLab give, and that pdm exchanges for a token."""
        secret = self.destination.secret
        if not self.destination.pypis or self.given_by() or self._has_password:
            return ""
        gitlab = f"{secret.upper()}_ID_TOKEN" if self.environ.get("GITLAB_CI") else ""
        for name, *others in (_GITHUB, (gitlab,)):
            if all(map(self.environ.get, (name, *others))):
                return f"{name} is set"
        return ""

    def network(self) -> Network:
        """Certificates and their checks, of the command line and of the user's settings."""
        entry, words = self._entry, self.words
        named = words.last(("--ca-certs",)) or entry.value("ca_certs")[0]
        settings = [upload_wording.OWN_CERTIFICATES] if named else []
        if entry.value("client_cert")[0]:
            settings.append(upload_wording.CLIENT_CERTIFICATE)
        unverified = "--no-verify-ssl" if words.has(("--no-verify-ssl",)) else ""
        if entry.value("verify_ssl")[0] is False:
            unverified = unverified or f"verify_ssl = false in {entry.where('verify_ssl')}"
        return Network(tuple(settings), unverified)

    def code(self) -> tuple[str, ...]:
        """Hooks, plugins of the project, and its own Python, which pdm starts."""
        found = [upload_wording.project_script(name) for name in self._hooks()]
        folders = dict.fromkeys((self.project_folder, self._found_folder))
        if any((folder / ".pdm-plugins").exists() for folder in folders):
            found.append(upload_wording.project_plugins(".pdm-plugins"))
        if self._table.get("plugins"):
            found.append(upload_wording.project_plugins("tool.pdm.plugins"))
        if not self._builds and not self._python and not self.environ.get("PDM_PYTHON"):
            found.append(upload_wording.PROJECT_PYTHON)
        return tuple(found)

    def _hooks(self) -> Iterator[str]:
        scripts = table_at(self._table, "scripts")
        values = [value or "" for name, value in self.words.options if name == "--skip"]
        values.append(self.environ.get("PDM_SKIP_HOOKS", ""))
        skipped = {word.strip() for value in values for word in value.split(",")}
        for name in _HOOKS:
            kind = f":{name.partition('_')[0]}"
            if name in scripts and skipped.isdisjoint((":all", kind, name)):
                yield name

    @property
    def _builds(self) -> bool:
        return not self.words.has(("--no-build",))

    @property
    def _python(self) -> str:
        """A Python that pdm can start in place of the project's; empty if it takes none."""
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        project = self.read_toml(self.project_folder / "pyproject.toml").get("project")
        if not isinstance(project, dict):  # of poetry or flit: pdm has its own reading of it
            return ""
        version = ".".join(map(str, sys.version_info[:3]))
        try:
            fits = SpecifierSet(str(project.get("requires-python", ""))).contains(version)
        except InvalidSpecifier:
            return ""
        return sys.executable if fits else ""

    # -- the pin ---------------------------------------------------------------------

    def pin(self) -> Pin:
        """Repeat the destination at the end of the line, where pdm takes it from.

        A made-up fragment makes the URL equal to none that a settings file knows: so none of the
        project's can add certificates to it, or switch their checks off. The index that pdm knows
        itself has only its name, and a project may give that another URL until pdm reads it.

        :raises Refused: if the user's own settings for the index can't be repeated there.
        """
        destination = self.destination
        added = [f"--dest={self.words.last(('--dest',)) or 'dist'}"]
        if self.given_by() == _IN_URL:  # as it is: its password is not for others to see
            return Pin(self.arguments)
        if destination.username is not None:
            added.append(f"--username={destination.username}")
        if destination.url:
            added += [f"--repository={destination.url}#{_MADE_UP}", *self._trust()]
        else:
            added.append(f"--repository={destination.repository}")
        pin = Pin((*self.arguments, *added))
        if self._builds or not self._python or self.environ.get("PDM_PYTHON"):
            return pin
        return pin._replace(
            environ={"PDM_PYTHON": self._python}, removes=("PDM_IGNORE_SAVED_PYTHON",)
        )

    def _trust(self) -> Iterator[str]:
        """The user's own settings for the index, as options."""
        entry, words = self._entry, self.words
        for key in ("client_cert", "client_key"):
            if entry.value(key)[0]:
                raise Refused(
                    f"pdm has no option for {key} in {escape(entry.where(key))}",
                    "upload with twine: secretly run twine upload --client-cert FILE …",
                )
        if words.has(("--no-verify-ssl", "--ca-certs")):
            return
        certificates = entry.value("ca_certs")[0]
        if entry.value("verify_ssl")[0] is False:
            yield "--no-very-ssl"
        elif certificates and self.environ.get("PDM_PUBLISH_CA_CERTS") is None:
            yield f"--ca-certs={certificates}"


def _options_of(pyproject: Mapping[str, Any]) -> Sequence[str]:
    """The words in ``tool.pdm.options.publish``."""
    options = table_at(pyproject, "tool", "pdm").get("options", {})
    words = options.get("publish", []) if isinstance(options, dict) else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Refused(
            "tool.pdm.options.publish in pyproject.toml is not a list of words",
            'write it as publish = ["--option"]',
        )
    return words


TOOL = Pdm
