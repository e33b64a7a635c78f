"""The publishing tool npm."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ...asking import upload_wording
from ...config.invocation import Words
from ...config.launchers import PLAIN
from ...errors import Refused
from ...text import escape, shell_quote, shorten
from ..destination import Destination, host_of, secret_of_host
from ..npm.commands import ACTIONS, DRY, DRY_SINCE_11, LISTING, own_name
from ..npm.connection import connection
from ..npm.keys import FILLED, HARMLESS, NOPT, SECRETS, VARIABLES
from ..npm.packages import NpmPackage, named, read_folder, read_manifest
from ..npm.program import Installed, find_npm
from ..npm.project import Project, project_folders
from ..npm.settings import Settings, variables_of
from ..npm.target import RegistryTarget, check_config, key_of, target_of
from ..options import invalid
from ..tool import Network, Packages, Pin
from ..tool_call import ToolCall

#: The variables with which npm 11 gets a token from a CI's identity, although it has one.
_GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
_IDENTITY = (*_GITHUB, "NPM_ID_TOKEN")


class Npm(ToolCall):
    """A call of npm."""

    narrows = False
    # The letters of npm's prefix may be small or not.
    own_variables = (
        *(f"{n}{p}{m}_*" for n in "nN" for p in "pP" for m in "mM"),
        *("NODE_*", "COREPACK_*", "PREFIX", "DESTDIR"),
        # The program that npm opens a registry's page with, and hooks of its libraries' own tests.
        *("BROWSER", "TESTING_TAR_*", "GRACEFUL_FS_*", "_ISEXE_*"),
    )
    reads = (*VARIABLES, *variables_of(["registry", "@*"]))
    harmless = (
        *variables_of(sorted(HARMLESS)),
        *("NODE_ENV", "NODE_NO_WARNINGS", "NODE_DISABLE_COLORS"),
    )
    trusts = ("NODE_EXTRA_CA_CERTS",)

    def read(self) -> Words:
        """Read the command line as nopt does."""
        return NOPT.read(self.arguments)

    # -- the variables ---------------------------------------------------------------

    @property
    def secret_options(self) -> Sequence[str]:  # type: ignore[override]
        """The options with a credential in the call."""
        names = {name for name, _ in self.words.options}
        return [name for name in names if name.endswith(SECRETS) or name == "--otp"]

    # -- the program and its settings ------------------------------------------------

    @functools.cached_property
    def npm(self) -> Installed:
        """The npm that is started.

        :raises Refused: if it can't be held to a registry, or is not known.
        """
        call = self.invocation
        for start in call.starts:
            if start.name not in PLAIN or call.is_module:
                raise Refused(
                    f"can't determine which npm {escape(start.name)} starts",
                    f"run npm without {escape(start.name)}",
                )
        word = call.started[-1] if call.started else self.program or "npm"
        return find_npm(word, self.environ)

    @functools.cached_property
    def settings(self) -> Settings:
        """npm's settings.

        :raises Refused: if they can't be read for certain, or the project's steer more than the
            registry.
        """
        return Settings(self.words, self.environ, self.npm, self._folders, self.origins)

    @functools.cached_property
    def _folders(self) -> list[Path]:
        return project_folders(self.words, self.start_folder)

    @functools.cached_property
    def _project(self) -> Project:
        return Project(self.words, self.settings, self._folders)

    # -- the call --------------------------------------------------------------------

    @property
    def _command(self) -> str:
        """The subcommand by its own name. It may have been cut short."""
        return own_name(self.words.words[0])

    @property
    def _words(self) -> list[str]:
        """The words after the subcommand, and after ``publish`` of ``npm stage``."""
        return self.words.words[1 + self._is_staged :]

    @property
    def _is_staged(self) -> bool:
        return self._command == "stage" and self.words.words[1:2] == ["publish"]

    @property
    def _publishes(self) -> bool:
        return self._command == "publish" or self._is_staged

    def why_needs_none(self) -> str:
        """Help, a dry run, and what only lists."""
        for option in ("--usage", "--version", "--versions"):
            if self.words.last([option]) == "true":
                return f"{'--help' if option == '--usage' else option} sends nothing"
        command, words = self._command, self._words
        if command in LISTING:
            if not words or words[0] in LISTING[command]:
                return f"npm {command} {words[0] if words else ''}".rstrip() + " changes nothing"
            if words[0] not in ACTIONS[command]:  # npm dist-tag NAME lists its tags
                return f"npm {command} changes nothing without add or rm"
        if self._knows_dry_run:
            typed = self.words.last(["--dry-run"])
            if typed == "true" or (typed is None and self._is_dry):
                return "--dry-run sends nothing"
        return ""

    @property
    def _knows_dry_run(self) -> bool:
        """Whether this subcommand respects ``--dry-run``. npm 10 sends a deprecation anyway."""
        if self._command not in DRY_SINCE_11:
            return self._command in DRY or self._is_staged
        with contextlib.suppress(Refused):
            return self.npm.major >= 11
        return False

    @property
    def _is_dry(self) -> bool:
        """Whether a setting makes this a dry run. One that can't be read says nothing of it."""
        with contextlib.suppress(Refused):
            return self.settings.has("dry-run")
        return False

    def given_by(self) -> str:
        """The option with a credential for the registry."""
        for name, value in self.words.options:
            if (
                name.startswith("--//")
                and name.endswith(SECRETS)
                and not FILLED.search(value or "")
                and key_of(self._target.url).startswith(name[2:].rpartition(":")[0])
            ):
                return escape(name)
        return ""

    def identity(self) -> str:
        """A CI's identity, which npm 11 uses to publish whatever else it knows."""
        environ = self.environ
        ci = any(map(environ.get, ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI")))
        if not (self._publishes and ci) or self.npm.major < 11:
            return ""
        if environ.get("NPM_ID_TOKEN"):
            return "NPM_ID_TOKEN is set"
        there = environ.get("GITHUB_ACTIONS") and all(map(environ.get, _GITHUB))
        return f"{_GITHUB[0]} is set" if there else ""

    # -- what is published -------------------------------------------------------------

    @functools.cached_property
    def _packages(self) -> list[NpmPackage]:
        """The packages of the call; none if it names none.

        :raises Refused: if they can't be known.
        """
        words, command = self._words, self._command
        if self._publishes:
            return self._project.published(words)
        if command == "unpublish" and not words:
            self._refuse_workspaces()
            return [read_folder(self._project.root)]
        if command in ACTIONS:
            return self._changed(words)
        if command in ("unpublish", "deprecate", "undeprecate", "star", "unstar"):
            if command == "unpublish":
                self._refuse_workspaces()
            if not words:
                raise invalid(f"npm {command} needs a package", command, "name it")
            packages = [named(word) for word in words[: None if "star" in command else 1]]
            return [self._with_own(packages[0])] if command == "unpublish" else packages
        scopes = {m[0] for word in words if (m := re.match(r"@[^/:]+", word))}
        return [NpmPackage(f"{scope}/") for scope in sorted(scopes)]

    def _changed(self, words: Sequence[str]) -> list[NpmPackage]:
        """The package of ``npm owner`` and ``npm dist-tag``."""
        at = 2 if self._command == "owner" else 1
        if len(words) > at:
            return [named(words[at])]
        self._refuse_workspaces()
        if self._command == "owner" and len(words) == at:
            return [read_folder(self._project.root)]
        raise invalid(f"npm {self._command} needs a package", " ".join(words), "name it")

    def _refuse_workspaces(self) -> None:
        if self._project.uses_workspaces:
            raise Refused(
                f"can't determine which packages npm {self._command} would change",
                "name one package, and no workspace",
            )

    def packages(self) -> Packages:
        """What the call publishes or changes, and the commands that publish without its code."""
        packages = self._packages
        # A scope alone names a team or an organization.
        named_ones = [one for one in packages if not one.name.endswith("/")]
        releases = tuple((one.name, self._version(one)) for one in named_ones)
        files = tuple(one.file for one in packages if one.file)
        safer = ""
        if self.code():
            one = packages[0]
            packed = f"{one.name.lstrip('@').replace('/', '-')}-{one.version}.tgz"
            what = shell_quote(os.path.dirname(one.shown) or ".")
            file = packed if len(packages) == 1 else "FILE"
            safer = upload_wording.safer_npm("" if what == "." else f"./{what}", f"./{file}")
        where = self._target.chosen_by
        notes = [upload_wording.chosen_by(where)] if where else []
        if self._publishes and not files:
            notes.append(upload_wording.packs_itself("npm", "npm pack --dry-run"))
        return Packages(releases, self._action, files, safer, tuple(notes))

    def _version(self, package: NpmPackage) -> str:
        whole = self._command == "unpublish" and not package.version
        return "(all versions)" if whole else package.version

    @property
    def _action(self) -> str:
        """What the call does, in words."""
        command, words = self._command, self._words
        if command in ACTIONS:
            what = words[1] if command == "owner" else " ".join(words[2:3])
            return shorten(f"{command} {ACTIONS[command][words[0]]} {what}".rstrip(), 80)
        if self._publishes or command in (*DRY, *DRY_SINCE_11):
            return "stage" if self._is_staged else command
        return shorten(" ".join(["npm", command, *words]), 80)

    def code(self) -> tuple[str, ...]:
        """The scripts of the folders that are published, which npm runs."""
        if not self._publishes:
            return ()
        found = dict.fromkeys(name for one in self._packages for name in one.scripts)
        if self.settings.has("ignore-scripts"):  # npm 10 runs this one all the same
            found = {name: None for name in found if name == "prepare" and self.npm.major < 11}
        return tuple(upload_wording.project_script(name) for name in found)

    # -- the registry ------------------------------------------------------------------

    @functools.cached_property
    def _target(self) -> RegistryTarget:
        """The registry of the packages.

        :raises Refused: if they have different ones, or the project steers more than that.
        """
        found: dict[str, RegistryTarget] = {}
        packages = self._packages or [NpmPackage("")]
        for one in packages:
            config: Mapping[str, object] = {}
            if self._publishes or (self._command == "unpublish" and one.shown):
                config = one.config
                check_config(config, one.shown, self.npm.keys)
            target = target_of(self.settings, one, config, self.npm.registry)
            found.setdefault(target.url, target)
        known = (*ACTIONS, *DRY, *DRY_SINCE_11)
        if not (self._publishes or self._command in known) and self._packages:
            target = target_of(self.settings, NpmPackage(""), {}, self.npm.registry)
            found.setdefault(target.url, target)
        if len(found) > 1:
            shown = " and ".join(sorted(host_of(url) for url in found))
            raise Refused(
                f"the packages go to different registries: {escape(shown)}",
                "publish one after another",
            )
        return next(iter(found.values()))

    def _with_own(self, package: NpmPackage) -> NpmPackage:
        """A package to unpublish, with its ``publishConfig`` if it is the folder's own."""
        manifest = read_manifest(self._project.root) or {}
        if manifest.get("name") != package.name or not manifest.get("publishConfig"):
            return package
        here = read_folder(self._project.root)
        return package._replace(config=here.config, shown=here.shown)

    def find_destination(self) -> Destination:
        """The registry, by its URL. Only npm's own has the secret ``npm``."""
        target = self._target
        built_in = target.url == self.npm.registry
        secret = "npm" if built_in else secret_of_host(target.url)
        return Destination("npm" if built_in else "", secret, target.url)

    def secrets(self, configured: Mapping[str, str]) -> Mapping[str, str]:
        """The variable for the secret, which belongs to the registry.

        What the user's configuration says instead doesn't count where the project chose the
        registry.
        """
        if any(map(self.has_secret, VARIABLES)):  # it has its secret
            return configured
        npm = self.destination.secret == "npm"
        kept = not self._target.by_project
        return {
            name: reference if npm or (kept and reference != "npm") else ""
            for name, reference in configured.items()
        }

    def network(self) -> Network:
        """Proxies and certificates in the user's own settings."""
        return connection(self.settings, self._target.url, self.environ)

    # -- the pin -----------------------------------------------------------------------

    def pin(self) -> Pin:
        """The registry and the credential as the last options, which nothing beats.

        The credential is bound to the registry's host, and npm takes it from a variable.

        :raises Refused: if a setting has a credential that npm would prefer.
        """
        target = self._target
        path = urlsplit(target.url).path
        for where, name, level in self.settings.of_host(target.url):
            if where.startswith(path) and where.rstrip("/") != path.rstrip("/"):
                raise Refused(
                    f"npm would prefer what {level.shown} has for {escape(where)}: {escape(name)}",
                    "remove it there, for this upload",
                )
        adding = [f"--registry={target.url}"]
        adding += [f"--{scope}:registry={target.url}" for scope in self._scopes]
        # What the user chose takes the place of what was inherited.
        names = [name for name in VARIABLES if name in self.chosen] or VARIABLES
        value = "".join(f"${{{name}}}" for name in names)
        adding.append(f"--{key_of(target.url)}:_authToken={value}")
        # npm leaves a variable that isn't there as it is.
        environ = {name: "" for name in names if not self.environ.get(name)}
        if not environ and len(names) > 1:
            raise Refused(f"{' and '.join(VARIABLES)} are both set", f"unset {VARIABLES[1]}")
        removes: tuple[str, ...] = ()
        if self._publishes and self.npm.major > 10 and not self._wants_provenance:
            removes = _IDENTITY
        arguments = NOPT.rewrite(self.arguments, _replaced, adding)
        return Pin(arguments, environ, removes)

    @property
    def _scopes(self) -> list[str]:
        """The scopes whose registry could count."""
        scope = self.settings.get("scope")
        configured = [f"@{scope.value.removeprefix('@')}"] if scope else []
        return sorted({*configured, *(one.scope for one in self._packages if one.scope)})

    @property
    def _wants_provenance(self) -> bool:
        found = self.settings.get("provenance")
        wanted = [one.config["provenance"] for one in self._packages if "provenance" in one.config]
        if wanted and not (found and found.level.typed):
            return any(wanted)
        return found is not None and found.value == "true"


def _replaced(option: str) -> bool:
    """Whether the pin takes the place of an option."""
    return option == "--registry" or option.endswith(":registry") or option.startswith("--//")


TOOL = Npm
