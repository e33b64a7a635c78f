"""The publishing tool hatch."""

from __future__ import annotations

import configparser
import contextlib
import functools
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ... import safefiles
from ...asking import upload_wording
from ...config import places
from ...config.invocation import Words
from ...errors import Refused
from ...text import escape
from .. import pins
from ..addresses import read_address, secret_named
from ..destination import Destination, secret_at
from ..options import Options
from ..parsers import click
from ..tool import Artifacts, Network, Pin
from ..tool_call import ToolCall, table_at
from ..user_settings import cache_folder, config_file

_BEFORE = Options(
    "--env/-e= --project/-p= --verbose/-v --quiet/-q --color --no-color --interactive "
    "--no-interactive --data-dir= --cache-dir= --config= --version --help/-h"
)
_PUBLISH = Options(
    "--repo/-r= --user/-u= --auth/-a= --ca-cert= --client-cert= --client-key= --no-prompt/-n "
    "--initialize-auth --publisher/-p= --option/-o= --yes/-y --help/-h"
)

#: hatch's names for the two indexes whose URLs nothing changes.
_NAMES = {"main": "PyPI", "test": "TestPyPI"}

#: The settings of a connection: the option, the variable, the key, and the words for it.
_CERTIFICATES = (
    ("--ca-cert", "HATCH_INDEX_CA_CERT", "ca-cert", upload_wording.OWN_CERTIFICATES),
    ("--client-cert", "HATCH_INDEX_CLIENT_CERT", "client-cert", upload_wording.CLIENT_CERTIFICATE),
    ("--client-key", "HATCH_INDEX_CLIENT_KEY", "client-key", ""),
)


class Hatch(ToolCall):
    """A call of hatch.

    :cvar settings_options: what names a file in place of the user's settings.
    """

    names = _NAMES
    secret_options = ("--auth",)
    artifacts = Artifacts(
        arguments=True,
        folders=True,
        skips=True,
        folder="dist",
        elsewhere_options=("--project", "$HATCH_PROJECT"),
        endings=(".whl", ".tar.gz"),
        root=True,
    )
    settings_options = ("--config", "$HATCH_CONFIG")
    own_variables = ("HATCH_*",)
    reads = ("HATCH_INDEX_REPO", "HATCH_INDEX_USER", "HATCH_INDEX_AUTH")
    harmless = (
        "HATCH_ENV",
        "HATCH_ENV_ACTIVE",
        "HATCH_ENV_TYPE_*",
        "HATCH_QUIET",
        "HATCH_VERBOSE",
        "HATCH_INTERACTIVE",
        "HATCH_DATA_DIR",
        "HATCH_PYTHON*",
        "HATCH_KEEP_ENV",
        "HATCH_NO_SOURCES",
        "HATCH_VERSION_VALIDATE_BUMP",
    )
    proxies = False
    trusts = ("HATCH_INDEX_CA_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR")

    def read(self) -> Words:
        """Read the arguments as click does."""
        return click.read("hatch", self.arguments, _BEFORE, _PUBLISH)

    def find_destination(self) -> Destination:
        """The index that an option, a variable or the user's settings name.

        A URL may be the name of an index, too: hatch looks for one first.
        """
        self._check_publisher()
        self._check_project()
        self._check_mode()
        name, username = self.repo, self._username()
        if name in _NAMES:
            return Destination(name, _NAMES[name], "", username)
        if "://" in name and name not in self._repositories:
            url = read_address(name).url
            return Destination("", secret_at(url, self.locations), url, username)
        url = read_address(self._repository["url"]).url
        if "://" in name:
            return Destination("", secret_at(url, self.locations), url, username)
        secret = secret_named(self, name, url)
        return Destination(name, secret, url, username)

    def why_needs_none(self) -> str:
        """A call for help or for the version uploads nothing."""
        asked = [name for name, _ in self.words.options if name in ("--help", "--version")]
        return f"{asked[0]} uploads nothing" if asked else ""

    def given_by(self) -> str:
        """The option that gives the password, unless its value is empty."""
        return "--auth" if self.words.last(("--auth",)) else ""

    def network(self) -> Network:
        """The certificates of options and settings; those of variables are shown anyway."""
        found = []
        for option, variable, key, words in _CERTIFICATES:
            if words and self._certificate(option, variable, key):
                by_variable = variable in self.trusts and not self.words.last((option,))
                if not (by_variable and self.environ.get(variable)):
                    found.append(words)
        return Network(tuple(found))

    def pin(self) -> Pin:
        """The index by its variable, and an empty file in place of the user's settings.

        ``HATCH_DEBUG`` would show all values of variables after an error, also the password.
        """
        self._check_disabled()
        destination = self.destination
        environ = {
            "HATCH_CONFIG": pins.empty_file(self.environ),
            "HATCH_INDEX_REPO": destination.url or destination.repository,
        }
        if destination.username is not None:  # the settings may have it
            environ["HATCH_INDEX_USER"] = destination.username
        for option, variable, key, _ in _CERTIFICATES:
            value = self._certificate(option, variable, key)
            if value and not self.words.last((option,)):
                environ[variable] = value
        return Pin(self._pinned_arguments(), environ, ("HATCH_DEBUG",))

    def _pinned_arguments(self) -> tuple[str, ...]:
        """The typed arguments, without those that take precedence over the variables."""
        words, arguments = self.words, []
        clashing = [
            (name, value)
            for name, value in words.options
            if name in ("--config", "--repo") or (name in ("--user", "--auth") and not value)
        ]
        if not clashing:
            return self.arguments
        for number, (name, value) in enumerate(words.options):
            if number == words.before:
                arguments.append(words.words[0])
            if (name, value) not in clashing:
                arguments.append(name if value is None else f"{name}={value}")
        if words.before == len(words.options):
            arguments.append(words.words[0])
        files = words.words[1:]
        mark = ["--"] if any(file.startswith("-") for file in files) else []
        return (*arguments, *mark, *files)

    # -- the project -----------------------------------------------------------------

    @functools.cached_property
    def project_folder(self) -> Path:
        """The nearest folder with a ``pyproject.toml`` or a ``setup.py``, if there is one."""
        folder = self.start_folder
        return next((f for f in (folder, *folder.parents) if _is_project(f)), folder)

    @property
    def _projects_tables(self) -> dict[str, Mapping[str, Any]]:
        """The tables of the project about the index, by the words for their place."""
        tool = table_at(self.read_toml(self.project_folder / "pyproject.toml"), "tool", "hatch")
        separate = self.read_toml(self.project_folder / "hatch.toml")
        return {
            "tool.hatch.publish.index of pyproject.toml": table_at(tool, "publish", "index"),
            "publish.index of hatch.toml": table_at(separate, "publish", "index"),
        }

    def _check_project(self) -> None:
        """Refuse settings that hatch ignored until now: only its user may choose an index."""
        for place, table in self._projects_tables.items():
            for key in table.keys() - {"disable", "repo", "repos"}:
                raise Refused(
                    f"the project sets {escape(key)} in {place}",
                    "remove it there: hatch reads it from your own settings only",
                )

    def _check_disabled(self) -> None:
        """Refuse an upload that the user's own settings have hatch ask about first."""
        by_project = [t["disable"] for t in self._projects_tables.values() if "disable" in t]
        if not by_project and self._index.get("disable") and not self.words.has(("--yes",)):
            raise Refused(
                f"{escape(self._settings_path)} disables uploads", "to upload anyway, add --yes"
            )

    # -- the user's settings ---------------------------------------------------------

    @functools.cached_property
    def _settings_path(self) -> str:
        named = self.value(self.settings_options)
        if not named:
            return config_file("hatch", self.environ)
        path = self.start_folder / named
        if not path.is_file():
            raise Refused(
                f"can't find the file {escape(named)}", "check the name of hatch's settings"
            )
        return os.fspath(path)

    @property
    def _settings(self) -> Mapping[str, Any]:
        return self.read_toml(Path(self._settings_path))

    @property
    def _index(self) -> Mapping[str, Any]:
        """The settings that all indexes share."""
        publish = self._settings.get("publish", {})
        index = publish.get("index", {}) if isinstance(publish, dict) else None
        if not isinstance(index, dict):
            raise self._malformed("publish.index")
        return index

    @property
    def _repositories(self) -> Mapping[str, Any]:
        found = self._index.get("repos", {})
        if not isinstance(found, dict):
            raise self._malformed("publish.index.repos")
        return found

    @functools.cached_property
    def repo(self) -> str:
        """The repository's name, or its URL."""
        name = self.value(("--repo", "$HATCH_INDEX_REPO")) or self._index.get("repo", "main")
        if not isinstance(name, str) or not name:
            raise self._malformed("publish.index.repo")
        return name

    @property
    def _repository(self) -> dict[str, Any]:
        """The settings of the repository; only ``url`` for one that is given by URL."""
        name, found = self.repo, self._repositories.get(self.repo)
        if found is None and name not in _NAMES:
            if "://" in name:
                return {"url": name}
            raise Refused(
                f"hatch knows no repository '{escape(name)}'",
                f"add its URL: hatch config set publish.index.repos.{escape(name)}.url URL",
            )
        table = {"url": found} if isinstance(found, str) else {} if found is None else found
        if not isinstance(table, dict) or (
            name not in _NAMES and not isinstance(table.get("url"), str)
        ):
            raise self._malformed(f"publish.index.repos.{name}")
        return {**self._index, **table, **({"url": ""} if name in _NAMES else {})}

    def _malformed(self, key: str) -> Refused:
        return Refused(
            f"{escape(key)} in {escape(self._settings_path)} is not valid", "correct it there"
        )

    def _setting(self, key: str) -> str | None:
        value = self._repository.get(key)
        if value and not isinstance(value, str):
            raise self._malformed(f"publish.index.{key}")
        return value or None

    def _certificate(self, option: str, variable: str, key: str) -> str | None:
        return self.value((option, f"${variable}")) or self._setting(key)

    def _check_publisher(self) -> None:
        """Refuse plugins: they have options and settings of their own."""
        typed = self.words.last(("--publisher",))
        chosen = self.environ.get("HATCH_PUBLISHER") or "index" if typed is None else typed
        if chosen != "index":
            raise Refused(
                f"can't determine where hatch's publisher '{escape(chosen)}' uploads to",
                "leave out --publisher, and unset HATCH_PUBLISHER",
            )
        if self.value(("--option", "$HATCH_PUBLISHER_OPTIONS")) is not None:
            raise Refused(
                "hatch takes no --option for its own publisher",
                "leave out --option, and unset HATCH_PUBLISHER_OPTIONS",
            )

    def _check_mode(self) -> None:
        """Refuse settings with which hatch works on a project in another folder."""
        mode = self._settings.get("mode", "local")
        here = mode == "local" or (mode == "aware" and _is_project(self.project_folder))
        if not here and self._settings.get("project"):
            raise Refused(
                f"{escape(self._settings_path)} has hatch publish a project that it names",
                "run: hatch config set mode local",
            )

    # -- the user's name -------------------------------------------------------------

    def _username(self) -> str | None:
        """The name from an option or a variable, else from each place where hatch looks."""
        return (
            self.value(("--user", "$HATCH_INDEX_USER"))
            or self._setting("user")
            or self._pypirc_username()
            or self._remembered()
        )

    def _pypirc_username(self) -> str | None:
        path = os.path.join(places.home_folder(self.environ), ".pypirc")
        with contextlib.suppress(configparser.Error, ValueError, OSError):
            parser = configparser.ConfigParser()
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                parser.read_string(safefiles.read_file(path).decode("utf-8"))
            section = self._section(parser)
            if section is None:
                return None
            parser.get(section, "password", fallback=None)  # hatch would stop there
            found = parser.get(section, "username", fallback=None)
            of_this_index = section == self.repo or self.repo not in _NAMES
            if of_this_index or found == "__token__":
                return found
        raise Refused(f"can't read the user's name in {escape(path)}", "add --user NAME")

    def _section(self, parser: configparser.ConfigParser) -> str | None:
        """The section named like the repository, else the first with its URL.

        Only hatch knows the URL of an index of its own: any that looks like it may be that one.
        """
        if parser.has_section(self.repo):
            return self.repo
        like = {"main": "//upload.", "test": "//test."}.get(self.repo)
        names: list[str] = parser.sections()
        for section in names:
            url = parser.get(section, "repository", fallback="")
            if like in url if like else url == self._repository["url"]:
                return section
        return None

    def _remembered(self) -> str | None:
        """The name that hatch was told when it asked for one."""
        named = self.value(("--cache-dir", "$HATCH_CACHE_DIR"))
        dirs = self._settings.get("dirs", {})
        named = named or (dirs.get("cache") if isinstance(dirs, dict) else None)
        folder = named or cache_folder("hatch", self.environ)
        if not isinstance(folder, str):
            raise self._malformed("dirs.cache")
        folder = places.expand_user(_filled(folder, self.environ), self.environ)
        path = self.start_folder / folder / "publish" / "index" / "previous_working_users.json"
        try:
            text = safefiles.read_file(path).decode("utf-8")
            found = json.loads(text).get(self.repo) if text else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, AttributeError):
            found = 0
        if found is not None and not isinstance(found, str):
            raise Refused(f"can't read {escape(os.fspath(path))}", "remove the file")
        return found


def _is_project(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file() or (folder / "setup.py").is_file()


def _filled(text: str, environ: Mapping[str, str]) -> str:
    """*text* with the values of the variables in it, as :func:`os.path.expandvars` has it."""
    return re.sub(
        r"\$(\w+|{[^}]*})", lambda m: environ.get(m[1].strip("{}"), m[0]), text, flags=re.ASCII
    )


TOOL = Hatch
