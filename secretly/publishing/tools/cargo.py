"""The publishing tool cargo."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...asking import upload_wording
from ...config.invocation import Invocation
from ...errors import Refused
from ...text import escape, shorten
from ..addresses import secret_named
from ..cargo.call import CLAP, CargoCall
from ..cargo.index import IndexAnswer, Way, ask, canonical, check_index
from ..cargo.packages import NAME, Package, Selection, Workspace, checked
from ..cargo.settings import OPTION, check_toolchain, variable_of
from ..destination import Destination, host_of
from ..options import invalid
from ..steering import proxy_host
from ..tool import Network, Packages, Pin

#: cargo's own name for the public crate registry, and its variable for the secret.
PUBLIC, _VARIABLE = "crates-io", "CARGO_REGISTRY_TOKEN"

_SECRET = "Cargo"

#: The variables of registries that the adapter reads, for any name.
_OF_REGISTRY = re.compile(r"CARGO_REGISTRIES_\w+_(INDEX|TOKEN)", re.ASCII)

#: How the variables of cargo's own tests begin. One of them names another public registry.
_TESTING = "__CARGO_"

#: The variables for the secrets of all registries.
_TOKENS = re.compile(r"CARGO_REGISTRY_TOKEN|CARGO_REGISTRIES_\w+_TOKEN", re.ASCII)


class Registry(NamedTuple):
    """The registry of a call.

    :param credential_name: the name under which cargo looks for its secret.
    :param chosen_by: the file or variable, in words; empty: the command line chose it, or cargo.
    :param index_url: the URL of its index; empty for the public one.
    :param by_project: whether the index isn't named by the user.
    """

    name: str
    credential_name: str
    chosen_by: str = ""
    index_url: str = ""
    by_project: bool = False


class Cargo(CargoCall):
    """A call of cargo."""

    narrows = False
    names: Mapping[str, str] = {PUBLIC: _SECRET}
    secret_options = ("--token",)
    own_variables = ("CARGO_*", "RUSTUP_*", "RUST*")
    reads: tuple[str, ...] = ("CARGO_REGISTRY_DEFAULT", _VARIABLE)
    harmless = (
        *("CARGO_TERM_*", "CARGO_LOG", "CARGO_INCREMENTAL", "CARGO_PROFILE_*", "CARGO_CACHE_*"),
        *("CARGO_CARGO_NEW_*", "CARGO_FUTURE_*", "RUST_LOG", "RUST_BACKTRACE"),
        *("CARGO_NET_GIT_FETCH_WITH_CLI", "CARGO_NET_RETRY", "CARGO_NET_OFFLINE"),
        *("CARGO_HTTP_TIMEOUT", "CARGO_HTTP_MULTIPLEXING", "CARGO_HTTP_DEBUG"),
    )
    trusts = ("CARGO_HTTP_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR")

    def __init__(
        self, invocation: Invocation, environ: Mapping[str, str], *more: Any, **named: Any
    ) -> None:
        super().__init__(invocation, environ, *more, **named)
        self.reads = (*self.reads, *filter(_OF_REGISTRY.fullmatch, environ))

    @property
    def _subcommand(self) -> str:
        return (self.words.words or [""])[0]

    @property
    def _operands(self) -> list[str]:
        return self.words.words[1:]

    def without_alias(self) -> tuple[str, ...]:
        """The arguments with what the user's own alias stands for."""
        from ..cargo import aliases  # most calls have none

        return aliases.expanded(self)

    # -- whether it sends anything -------------------------------------------------------

    def why_needs_none(self) -> str:
        """A dry run, help, and lists."""
        if self._subcommand == "owner" and self.words.has(("--add", "--remove")):
            return ""
        options = [name for name, value in self.words.options if value is None]
        names = ("--dry-run", "--help", "--version", "--list")
        found = next((name for name in names if name in options), "")
        if found == "--list" and self._subcommand == "owner":
            return f"{found} changes nothing; to give it a token: -e {_VARIABLE}={_SECRET}"
        return f"{found} changes nothing" if found else ""

    def given_by(self) -> str:
        """The option with the token."""
        return "--token" if self.words.has(("--token",)) else ""

    # -- the registry ----------------------------------------------------------------------

    @functools.cached_property
    def registry(self) -> Registry:
        """The registry, and what chose it.

        :raises Refused: if that can't be known, or the project steers more than this.
        """
        self.settings.check()
        if not (self.toolchain or self.environ.get("RUSTUP_TOOLCHAIN")):
            check_toolchain(self.start_folder)
        if self.words.has(("--index",)):
            raise invalid(
                "cargo takes the URL of an index only with --token",
                "--index",
                "name the registry: --registry NAME",
            )
        name, chosen_by = self._named()
        if not NAME.fullmatch(name):
            source = f"{chosen_by} has no" if chosen_by else "not a"
            raise Refused(f"{source} valid name of a registry: '{escape(name)}'", "check the name")
        if name == PUBLIC:
            return Registry(name, name, chosen_by)
        index = self.settings.text("registries", name, "index")
        if index is None:
            raise Refused(
                f"cargo knows no registry named '{escape(name)}'",
                f"check the name, or set registries.{escape(name)}.index in cargo's settings",
            )
        url = check_index(name, str(index.value))
        if variable := self._with_index(url, name):
            credential_name = variable.split("_", 2)[2].removesuffix("_INDEX").lower()
            return Registry(name, credential_name, variable, url, variable in self.origins)
        by = index.set_by if index.by_project or not chosen_by else chosen_by
        return Registry(name, name, by, url, index.by_project)

    def _with_index(self, url: str, name: str) -> str:
        """The variable of another name that has the same index; empty without one.

        cargo looks the secret up under that name.
        """
        found = [
            variable
            for variable, value in sorted(self.environ.items())
            if _OF_REGISTRY.fullmatch(variable)
            and variable.endswith("_INDEX")
            and canonical(value) == canonical(f"sparse+{url}")
        ]
        if len(found) > 1:
            raise Refused(
                f"several variables name the same index: {', '.join(found)}", "unset all but one"
            )
        others = [one for one in found if one != variable_of("registries", name, "index")]
        return others[0] if others else ""

    def _named(self) -> tuple[str, str]:
        """The registry's name, and what chose it; empty: the command line, or nothing."""
        typed = self.words.last(("--registry",))
        if typed is not None:
            self._check_allowed(typed)
            return typed, ""
        default = self.settings.text("registry", "default")
        if default is not None:
            self._check_allowed(str(default.value))
            return str(default.value), default.set_by
        allowed = {one.registries for one in self._packages} if self._publishes else {None}
        if len(allowed) > 1 or any(one is not None and len(one) != 1 for one in allowed):
            raise Refused(
                "the packages name several registries: publish in Cargo.toml",
                "choose one: --registry NAME",
            )
        one = allowed.pop()
        return (one[0], "publish in Cargo.toml") if one else (PUBLIC, "")

    def _check_allowed(self, name: str) -> None:
        for one in self._packages if self._publishes else ():
            if one.registries is not None and name not in one.registries:
                raise Refused(
                    f"{escape(one.name)} may not be published to {escape(name)}: publish in "
                    "Cargo.toml",
                    f"choose another registry: --registry {escape(one.registries[0])}",
                )

    @functools.cached_property
    def _answer(self) -> IndexAnswer:
        """What the registry's index says."""
        registry, settings = self.registry, self.settings
        proxy, certificates = settings.text("http", "proxy"), settings.text("http", "cainfo")
        named = str(certificates.value) if certificates else self.environ.get("SSL_CERT_FILE", "")
        way = Way(self.environ, None if proxy is None else str(proxy.value), named)
        return ask(registry.name, registry.index_url, way)

    def find_destination(self) -> Destination:
        """Where the registry takes uploads: its index says so."""
        registry = self.registry
        if registry.name == PUBLIC:
            return Destination(PUBLIC, _SECRET)
        name, url = registry.credential_name, registry.index_url
        secret = secret_named(self, name, url, by_project=registry.by_project)
        return Destination(registry.name, secret, self._answer.api)

    def is_named_by_project(self) -> bool:
        """Whether a file of the project, or an env file, says where the registry is."""
        return self.registry.by_project

    def secrets(self, configured: Mapping[str, str]) -> Mapping[str, str]:
        """Another registry has its own variable, and never gets the secret of the public one."""
        if self.given_by():
            return configured
        registry, variable = self.registry, _VARIABLE
        if registry.index_url:
            variable = variable_of("registries", registry.credential_name, "token")
        others = {one: configured[one] for one in configured if not _TOKENS.fullmatch(one)}
        return {variable: configured.get(variable, ""), **others}

    # -- the packages ------------------------------------------------------------------------

    @property
    def _publishes(self) -> bool:
        return self._subcommand == "publish"

    @functools.cached_property
    def _packages(self) -> list[Package]:
        """The packages that would be published."""
        if self._operands:
            raise invalid("cargo publish takes no word", self._operands[0], "leave it out")
        wanted = Selection(
            self.words.last(("--manifest-path",)),
            self._all("--package"),
            self.words.has(("--workspace",)),
            self._all("--exclude"),
        )
        return Workspace(self, wanted.manifest).selected(wanted)

    def _all(self, name: str) -> tuple[str, ...]:
        return tuple(value for option, value in self.words.options if option == name and value)

    def packages(self) -> Packages:
        """The packages, and what happens to them."""
        notes = tuple(self._notes())
        if self._publishes:
            releases = tuple((one.name, one.version) for one in self._packages)
            packs = upload_wording.packs_itself("cargo", "cargo package --list")
            return Packages(releases, "upload", safer=self._safer(), notes=(packs, *notes))
        if len(self._operands) > 1:
            raise invalid(
                f"cargo {self._subcommand} takes one crate", self._operands[1], "leave it out"
            )
        operand = (self._operands or [""])[0] or Workspace(self, None).own_package().name
        if self._subcommand == "owner":
            return Packages(((checked(operand), ""),), self._owners(), notes=notes)
        name, at, version = operand.partition("@")
        typed = self.words.last(("--version",))
        if bool(at) == (typed is not None):
            raise Refused("cargo yank takes one version", f"cargo yank {escape(name)}@VERSION")
        action = upload_wording.UNDO_YANK if self.words.has(("--undo",)) else "yank"
        return Packages(((checked(name), typed or version),), action, notes=notes)

    def _owners(self) -> str:
        """What happens to the owners, in words."""
        changes = (("add", self._all("--add")), ("remove", self._all("--remove")))
        found = [f"{verb} {', '.join(names)}" for verb, names in changes if names]
        if not found:
            raise Refused(
                "cargo owner changes nothing", "name an owner: --add LOGIN, or --remove LOGIN"
            )
        return upload_wording.change_owners(shorten("; ".join(found), 200))

    def _notes(self) -> list[str]:
        """What is unusual about the registry, in words."""
        registry = self.registry
        notes = [upload_wording.chosen_by(escape(registry.chosen_by))] if registry.chosen_by else []
        if registry.index_url:
            index, (api, gets_token) = host_of(registry.index_url), self._answer
            if gets_token and registry.index_url == api:
                notes.append(upload_wording.ASKS_FIRST)
            elif index != host_of(api) or gets_token:
                notes.append(upload_wording.index_at(escape(index), gets_token=gets_token))
            if registry.index_url.startswith("http:") and not self.destination.plaintext:
                plain = Destination("", "", registry.index_url).plaintext
                notes += [upload_wording.PLAIN_HTTP] if plain else []
        return notes

    def code(self) -> tuple[str, ...]:
        """What runs while cargo verifies the crate, or chooses its dependencies."""
        if not self._publishes:
            return ()
        build = () if self.words.has(("--no-verify",)) else (upload_wording.CRATE_BUILD,)
        return (*build, *self.settings.programs())

    def _safer(self) -> str:
        """How the token stays away from it, in words."""
        code = self.code()
        if code == (upload_wording.CRATE_BUILD,):
            return upload_wording.SAFER_CRATE
        return upload_wording.SAFER_CRATE_ELSEWHERE if code else ""

    # -- the connection ------------------------------------------------------------------------

    def network(self) -> Network:
        """The user's own proxy and certificates."""
        found = []
        proxy, certificates = (self.settings.text("http", key) for key in ("proxy", "cainfo"))
        if proxy is not None and proxy.value:
            found.append(upload_wording.proxy(proxy_host(str(proxy.value))))
        elif proxy is None and self.settings.gits_proxy:
            found.append(upload_wording.proxy(upload_wording.GIT_PROXY))
        if certificates is not None:
            found.append(upload_wording.OWN_CERTIFICATES)
        return Network(tuple(found))

    # -- the pin -----------------------------------------------------------------------------

    def pin(self) -> Pin:
        """The registry, its index and cargo's own way to read the token, as the last options."""
        registry = self.registry
        provider, pinned, environ = ["registry", "credential-provider"], {}, {}
        if registry.index_url:
            provider = ["registries", registry.credential_name, "credential-provider"]
            pinned[f"registries.{registry.name}.index"] = f"sparse+{registry.index_url}"
        if self.settings.has_list(*provider):  # an option with a text would be an error
            environ[variable_of(*provider)] = "cargo:token"
        else:
            pinned[".".join(provider)] = "cargo:token"
        if not self.settings.has_proxy:
            pinned["http.proxy"] = ""
        # cargo ignores the settings before the subcommand where others follow it.
        typed = [f"{OPTION}={text}" for text in self._typed_settings]
        ours = [f"{OPTION}={key}={json.dumps(value)}" for key, value in pinned.items()]
        words = CLAP.rewrite(
            self._arguments,
            ("--registry", OPTION),
            (f"--registry={registry.name}", *typed, *ours),
        )
        removes = tuple(sorted(name for name in self.environ if name.startswith(_TESTING)))
        return Pin((*self.toolchain, *words), environ, removes)


TOOL = Cargo
