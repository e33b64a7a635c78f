"""The publishing tool poetry."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from urllib.parse import unquote

from ...asking import upload_wording
from ...config.invocation import Words
from ...errors import Refused
from ...text import escape
from .. import pins
from ..addresses import Address, read_address, secret_named
from ..destination import Destination
from ..options import Options, invalid, misread
from ..parsers import cleo
from ..poetry_settings import PoetrySettings, Setting, differing, variable_of
from ..tool import Artifacts, Network, Pin
from ..tool_call import ToolCall, table_at

_COMMON = Options(
    "--quiet/-q --verbose/-v/-vv/-vvv --version/-V --ansi --no-ansi --no-interaction/-n "
    "--no-plugins --no-cache --help/-h --directory/-C= --project/-P="
)
_PUBLISH = Options(
    "--repository/-r= --username/-u= --password/-p= --cert= --client-cert= --dist-dir= --build "
    "--dry-run --skip-existing"
)

_SENDS_NOTHING = {
    "--help": "--help uploads nothing",
    "--version": "--version uploads nothing",
    "--dry-run": "--dry-run uploads nothing",
}

#: The only name that poetry knows without settings.
_NAMES = {"pypi": "PyPI"}

_TOKEN = "__token__"


class Poetry(ToolCall):
    """A call of poetry.

    :cvar settings_options: what names a folder in place of the user's settings.
    """

    names = _NAMES
    artifacts = Artifacts(
        folder="dist",
        folder_options=("--dist-dir",),
        endings=(".whl", ".tar.gz"),
        root=True,
        newest_only=True,
        names=("project.name", "tool.poetry.name"),
        versions=("project.version", "tool.poetry.version"),
        builds=("publish",),
        build_options=("--build",),
        separately="poetry build && secretly run poetry publish",
    )
    folder_options = ("--directory",)
    project_options = ("--project",)
    settings_options = ("$POETRY_CONFIG_DIR",)
    own_variables = ("POETRY_*",)
    reads = ("POETRY_REPOSITORIES_*", "POETRY_PYPI_TOKEN_*", "POETRY_HTTP_BASIC_*")
    harmless = (
        "POETRY_VIRTUALENVS_*",
        "POETRY_INSTALLER_*",
        "POETRY_SOLVER_*",
        "POETRY_CACHE_DIR",
        "POETRY_DATA_DIR",
        "POETRY_HOME",
        "POETRY_PYTHON_*",
        "POETRY_REQUESTS_TIMEOUT",
        "POETRY_REQUESTS_MAX_RETRIES",
        "POETRY_SYSTEM_GIT_CLIENT",
        "POETRY_EXPERIMENTAL_*",
        "POETRY_NO_INTERACTION",
        "POETRY_KEYRING_ENABLED",
    )
    trusts = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

    def read(self) -> Words:
        """Read the arguments as cleo does."""
        words = cleo.read("poetry", self.arguments, _COMMON, _PUBLISH)
        for word in words.words[1:]:
            raise invalid(
                "poetry publish takes no files", word, "leave it out: poetry uploads those in dist"
            )
        if words.last(("--dist-dir",)) == "":
            raise misread("poetry", "--dist-dir=", "name the folder, or leave the option out")
        return words

    def find_destination(self) -> Destination:
        """The built-in index, or the repository with that name.

        poetry has no option for a URL.
        """
        name = self.repository
        self._check_project()
        self.settings.refuse_unknown(name)
        self._refuse_lone_password()
        if not self._named:
            return Destination("pypi", "PyPI", "", self._username)
        url, found = self._url.url, self._setting
        secret = secret_named(self, name, url, by_project=found.by_project)
        destination = Destination(name, secret, url, self._username)
        self._check_credentials(destination)
        return destination

    def is_named_by_project(self) -> bool:
        """Whether a file of the project, or an env file, has the repository's URL."""
        return bool(self._named) and self._setting.by_project

    def why_needs_none(self) -> str:
        """A call for help or for the version, and a dry run, upload nothing."""
        typed = [name for name, _ in self.words.options]
        return next((_SENDS_NOTHING[name] for name in typed if name in _SENDS_NOTHING), "")

    def given_by(self) -> str:
        """The option or the variable in which the call itself gives a password that counts."""
        if self._typed_name:
            return "--password"
        return self._setting.set_by if self._gives_password else ""

    def network(self) -> Network:
        """The certificates of options and settings; those of other variables are shown anyway."""
        found = []
        shown = any(map(self.environ.get, self.trusts))
        cert, client = self._certificate("cert"), self._certificate("client-cert")
        if not shown and (self.words.last(("--cert",)) or (cert and cert.value is not False)):
            found.append(upload_wording.OWN_CERTIFICATES)
        if self.words.last(("--client-cert",)) or client:
            found.append(upload_wording.CLIENT_CERTIFICATE)
        unverified = self._unverified and not shown and not self.words.last(("--cert",))
        where = f"certificates.{self.repository} in {cert.set_by}" if cert and unverified else ""
        return Network(tuple(found), escape(where))

    def code(self) -> tuple[str, ...]:
        """The project's own plugins, which poetry 2 loads."""
        plugins = (self.project_folder / ".poetry" / "plugins").exists()
        loaded = plugins and not self.words.has(("--no-plugins",))
        return (upload_wording.project_plugins(".poetry/plugins"),) if loaded else ()

    def named(self, folder: Path) -> tuple[str, str]:
        """The name and the version, which a plugin may change while it builds."""
        name, version = super().named(folder)
        tool = table_at(self.read_toml(folder / "pyproject.toml"), "tool")
        changes = self.words.has(("--build",)) and "poetry-dynamic-versioning" in tool
        return name, "" if changes else version

    def check_secret(self, secret: str, username: str) -> None:
        """poetry replaces names in braces, and takes only tokens for some names of repositories."""
        name = escape(self.destination.repository)
        if "{" in secret or "{" in username:
            raise Refused(
                f"poetry would replace what is in braces in the secret for {name}",
                "use a secret without '{', or twine: poetry build, then twine upload",
            )
        if username != _TOKEN and not self._by_name:
            raise Refused(
                f"poetry takes no user name for a repository called {name}, only a token",
                "call the repository by small letters and hyphens only",
            )

    def variable(self, name: str) -> str:
        """The variable with the name of the repository in it, as poetry spells it.

        poetry reads a token for each repository, and a user's name and password only for some: a
        secret without a name goes into the token's variable.
        """
        if name == _PASSWORD and not self._by_name:
            name = "POETRY_PYPI_TOKEN_{REPOSITORY}"
        return name.replace("{REPOSITORY}", self.repository.upper().replace("-", "_"))

    def pin(self) -> Pin:
        """The repository's URL in its variable, and no settings of the user's.

        The certificates in these are typed. A build may need the settings, and poetry reads some
        variables only for repositories that it knows from them: then they stay.
        """
        name, added = self.repository, []
        for option, key in (("--cert", "cert"), ("--client-cert", "client-cert")):
            setting = self._certificate(key)
            if setting and setting.value and not self.words.last((option,)):
                added.append(f"{option}={setting.text}")
        environ: dict[str, str] = {}
        if self._named and not self._gives_password:
            environ[variable_of("repositories", name, "url")] = self.destination.url
        if self._configured_name not in (None, _TOKEN):  # the settings may have it
            environ[variable_of("http-basic", name, "username")] = self._configured_name
        known = not self._by_name or self.settings.is_regular(name)
        if known and not (self.words.has(("--build",)) or self._unverified):
            environ["POETRY_CONFIG_DIR"] = pins.empty_folder(self.environ)
        return Pin((*self.arguments, *added), environ)

    # -- the repository --------------------------------------------------------------

    @functools.cached_property
    def settings(self) -> PoetrySettings:
        """What poetry knows of repositories."""
        folder = self.value(self.settings_options)
        if folder and not os.path.isabs(folder) and self.words.has(self.folder_options):
            raise Refused(
                "versions of poetry read a relative POETRY_CONFIG_DIR from different folders",
                "write it as an absolute path, or leave out --directory",
            )
        return PoetrySettings(self, folder)

    @property
    def _named(self) -> str:
        return self.words.last(("--repository",)) or ""

    @functools.cached_property
    def repository(self) -> str:
        """The name of the repository.

        :raises Refused: if poetry has no variables for a repository of that name, or its versions
            spell them differently.
        """
        name = self._named or "pypi"
        if "://" in name:
            raise Refused(
                "poetry takes the name of a repository, not its URL",
                "run: poetry config repositories.corp URL, then publish with -r corp",
            )
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise Refused(
                f"versions of poetry read the name '{escape(name)}' differently",
                "give the repository a name of letters, digits and hyphens",
            )
        return name

    @functools.cached_property
    def _setting(self) -> Setting:
        """The setting with the repository's URL."""
        found = self.settings.url(self.repository)
        if found is None:
            raise Refused(
                f"poetry knows no repository '{escape(self.repository)}'",
                "leave out -r for PyPI"
                if self.repository == "pypi"
                else f"add its URL: poetry config repositories.{escape(self.repository)} URL",
            )
        return found

    @functools.cached_property
    def _url(self) -> Address:
        url = self._setting.text
        # Some versions add the slash themselves.
        return read_address(url + "/" if url.endswith("/legacy") else url)

    def _check_project(self) -> None:
        key = differing(self.read_toml(self.project_folder / "pyproject.toml"), ("name", "version"))
        if key:
            raise Refused(
                f"pyproject.toml gives project.{key} and tool.poetry.{key} different values, and "
                "versions of poetry disagree which one counts",
                "remove one of them: it decides which files of dist are uploaded",
            )

    # -- credentials -----------------------------------------------------------------

    @property
    def _typed_name(self) -> str:
        """The user's name, which counts only with a password."""
        return (self.words.last(("--password",)) and self.words.last(("--username",))) or ""

    def _refuse_lone_password(self) -> None:
        if self.words.last(("--password",)) and not self._typed_name:
            raise Refused(
                "poetry ignores --password without --username",
                "add --username; or leave both out, and secretly asks",
            )

    @functools.cached_property
    def _configured_name(self) -> str | None:
        """The user's name in settings; a token takes precedence."""
        name = self.repository
        variable = variable_of("pypi-token", name)
        if self.has_secret(variable, (variable, variable_of("http-basic", name, "password"))):
            return _TOKEN
        token = self.settings.get("pypi-token", name)
        if token is not None and token.value and not self.environ.get(variable):
            return _TOKEN
        found = self.settings.get("http-basic", name, "username")
        if found is None or not (name == "pypi" or self.settings.configured(name)):
            return None
        return found.text or None

    @property
    def _username(self) -> str | None:
        name = self._typed_name or self._configured_name
        known = self.repository == "pypi" or self.settings.configured(self.repository)
        if not known and self.words.last(("--password",)) == "":  # poetry looks for no other
            name = name or self.words.last(("--username",))
        if name or not self._named or not self._url.has_colon:
            return name
        if self._url.username or self._url.has_password:
            return unquote(self._url.username or "")
        return None

    @property
    def _gives_password(self) -> bool:
        """Whether the password is in the repository's URL, and poetry has no other."""
        if not self._named or self._typed_name or self._configured_name:
            return False
        return self._url.has_password

    def _check_credentials(self, destination: Destination) -> None:
        """Refuse credentials that can be given only in a file or an argument."""
        name = escape(destination.repository)
        if self._gives_password and not self._setting.by_variable:
            raise Refused(
                f"the URL of {name} contains a password",
                f"secretly set {escape(destination.secret)}, then remove it from the URL",
            )
        given = self._typed_name or self._gives_password
        if not given and self._by_name and not self.settings.reads_username(self.repository):
            raise Refused(
                f"poetry reads no user name from a variable for a repository named '{name}'",
                "give the repository a name of small letters and hyphens",
            )

    @property
    def _by_name(self) -> bool:
        """Whether the secret travels with a user's name, and not as a token."""
        return self._username not in (None, _TOKEN) or self.settings.is_regular(self.repository)

    # -- certificates ----------------------------------------------------------------

    def _certificate(self, key: str) -> Setting | None:
        """A setting for the repository's certificates; the built-in index has none."""
        name = self.repository
        if name.lower() == "pypi" or not self.settings.configured(name):
            return None
        verify = self.settings.get("certificates", name, "verify") if key == "cert" else None
        found = verify or self.settings.get("certificates", name, key)
        return found if found and found.value is not True else None

    @property
    def _unverified(self) -> bool:
        setting = self._certificate("cert")
        return setting is not None and setting.value is False


_PASSWORD = "POETRY_HTTP_BASIC_{REPOSITORY}_PASSWORD"


TOOL = Poetry
