"""The settings files of cargo, and what a project may set in them."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ... import safefiles
from ...asking import upload_wording
from ...config import places
from ...config.values import steers
from ...errors import Refused
from ...text import escape, shorten
from ..tool_call import ToolCall, read_toml, table_at, value_at

#: How the settings of the command line are called.
OPTION = "--config"

#: The tables of a project that change nothing of the upload itself. What builds the crate is shown
#: if cargo builds it. ``source``, ``patch`` and ``paths`` say where dependencies come from. cargo
#: ignores an alias for its own commands.
_HARMLESS = frozenset(
    "alias build cache cargo-new doc env future-incompat-report host install patch paths profile "
    "resolver rustdoc source target term".split()
)

#: The keys of further tables that don't matter.
_KEYS = {
    "http": frozenset("debug low-speed-limit multiplexing timeout user-agent".split()),
    "net": frozenset("git-fetch-with-cli offline retry".split()),
    "registry": frozenset(("default", "token")),
    "unstable": frozenset("bindeps build-std build-std-features unstable-options".split()),
}

#: Those of each of the registries. cargo prefers the variable to a token in a file.
_OF_REGISTRY = frozenset("index protocol token".split())

#: What finds the secret in cargo itself.
_BUILTIN = "cargo:token"

#: The programs that cargo starts to find out the compiler's version.
_COMPILERS = ("rustc", "rustc-wrapper", "rustc-workspace-wrapper")

#: How the variables begin with which rustup chooses one.
_OF_RUSTUP = "RUSTUP_"

_PROVIDERS = ("credential-provider", "global-credential-providers")


class Layer(NamedTuple):
    """One file, or the settings of one option.

    :param set_by: the file, or the option, in words.
    :param by_project: whether the settings are not the user's own.
    """

    set_by: str
    tables: Mapping[str, Any]
    by_project: bool = False


class CargoValue(NamedTuple):
    """A setting that counts.

    :param set_by: what sets it, in words.
    :param by_project: whether that isn't the user.
    """

    value: object
    set_by: str
    by_project: bool = False


class CargoSettings:
    """One look at the settings of a call of cargo: options, then variables, then files.

    :param typed: the values of the option ``--config``.
    """

    def __init__(self, call: ToolCall, typed: Sequence[str]) -> None:
        self._call, self._typed = call, typed

    def find(self, *keys: str) -> CargoValue | None:
        """The setting that counts under these keys; None without one."""
        for layer in self.options:
            if (value := value_at(layer.tables, keys)) is not None:
                return CargoValue(value, layer.set_by, layer.by_project)
        name = variable_of(*keys)
        if name in self._call.environ:
            return CargoValue(self._call.environ[name], name, name in self._call.origins)
        for layer in self.files:
            if (value := value_at(layer.tables, keys)) is not None:
                return CargoValue(value, layer.set_by, layer.by_project)
        return None

    def text(self, *keys: str) -> CargoValue | None:
        """Such a setting, which must be a text.

        :raises Refused: if it is another value.
        """
        found = self.find(*keys)
        if found is not None and not isinstance(found.value, str):
            raise Refused(
                f"{'.'.join(keys)} is not a text in {escape(found.set_by)}", "correct it there"
            )
        return found

    def has_list(self, *keys: str) -> bool:
        """Whether a file has a list for a setting. cargo merges that with an option."""
        return any(isinstance(value_at(layer.tables, keys), list) for layer in self.files)

    def check(self) -> None:
        """Refuse settings of the project that steer more than the registry.

        :raises Refused: naming the setting.
        """
        for layer in (*self.options, *self.files):
            for key, does in _steering(layer.tables) if layer.by_project else ():
                raise Refused(
                    f"{escape(layer.set_by)} sets {escape(key)}, which {does}",
                    f"remove it there; if you mean it, set it in {escape(self._own_file)}",
                )

    def programs(self) -> Iterator[str]:
        """What the project makes cargo run even if it builds nothing, in words.

        With some resolvers, cargo asks the compiler for its version to choose dependencies.
        """
        for layer in (*self.options, *self.files):
            build, env = (table_at(layer.tables, name) for name in ("build", "env"))
            keys = [f"build.{key}" for key in _COMPILERS if build.get(key)]
            keys += [f"env.{key}" for key in env if steers(key) or key.startswith(_OF_RUSTUP)]
            if layer.by_project and keys:
                names = escape(shorten(", ".join(keys), 100))
                yield upload_wording.run_by_cargo(escape(layer.set_by), names)

    @functools.cached_property
    def gits_proxy(self) -> bool:
        """Whether the user's settings of Git may name a proxy: cargo uses it."""
        environ = self._call.environ
        home = places.home_folder(environ)
        settings = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        for path in (os.path.join(home, ".gitconfig"), os.path.join(settings, "git", "config")):
            with contextlib.suppress(OSError):
                if b"proxy" in safefiles.read_file(path).lower():
                    return True
        return False

    @property
    def has_proxy(self) -> bool:
        """Whether the user's own settings or variables name a proxy, or may do so."""
        names = {name.lower() for name, value in self._call.environ.items() if value}
        by_variable = not names.isdisjoint(("http_proxy", "https_proxy", "all_proxy"))
        return by_variable or self.find("http", "proxy") is not None or self.gits_proxy

    @functools.cached_property
    def options(self) -> list[Layer]:
        """The settings of the command line, the one that counts first.

        :raises Refused: for one that can't be read.
        """
        return [layer for text in reversed(self._typed) for layer in self._option(text)]

    def _option(self, text: str) -> Iterator[Layer]:
        path = self._call.start_folder / text
        if text and path.exists():
            yield from self._read(path, f"{OPTION} {text}", by_project=True)
            return
        tables: dict[str, Any] = {}
        with contextlib.suppress(ValueError, RecursionError):
            tables = tomllib.loads(text)
        if not tables or "\n" in text:
            raise Refused(
                f"can't read a value of {OPTION}", f"write it as {OPTION} 'KEY=\"VALUE\"'"
            )
        if _has_token(tables):
            raise Refused(f"cargo takes no token from {OPTION}", "leave it out")
        yield Layer(OPTION, tables)

    # -- files -------------------------------------------------------------------------

    @functools.cached_property
    def home(self) -> Path:
        """The folder with the user's own settings: CARGO_HOME."""
        named = self._call.environ.get("CARGO_HOME")
        return self._call.start_folder / (named or self._usual_home)

    @property
    def _usual_home(self) -> str:
        return os.path.join(places.home_folder(self._call.environ), ".cargo")

    @property
    def _own_file(self) -> str:
        return os.path.join(self.home, "config.toml")

    @functools.cached_property
    def files(self) -> list[Layer]:
        """The settings of the files, the nearest first; then the user's own.

        :raises Refused: if one can't be read.
        """
        folder, home = self._call.start_folder, os.path.realpath(self.home)
        users_folders = (home, os.path.realpath(self._usual_home))
        found: list[Layer] = []
        for above in (folder, *folder.parents):
            real = os.path.realpath(above / ".cargo")
            if real != home:
                found += self._in_folder(above / ".cargo", by_project=real not in users_folders)
        return [*found, *self._in_folder(self.home, by_project=False)]

    def _in_folder(self, folder: Path, *, by_project: bool) -> Iterator[Layer]:
        """The settings in one folder. Without an ending, the name counts first."""
        paths = (folder / "config", folder / "config.toml")
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            yield from self._read(path, self._shown(path), by_project=by_project)

    def _shown(self, path: Path) -> str:
        """The path as it is short to say."""
        start = self._call.start_folder
        return os.fspath(path.relative_to(start) if path.is_relative_to(start) else path)

    def _read(
        self, path: Path, set_by: str, *, by_project: bool, seen: tuple[Path, ...] = ()
    ) -> Iterator[Layer]:
        """The settings of a file, then those of the files that the user's own one includes."""
        tables = self._call.read_toml(path)
        yield Layer(set_by, tables, by_project)
        included = tables.get("include", ()) if not by_project and path not in seen else ()
        for one in reversed([included] if isinstance(included, (str, dict)) else [*included]):
            name = one.get("path") if isinstance(one, dict) else one
            other = path.parent / str(name)
            yield from self._read(other, self._shown(other), by_project=False, seen=(*seen, path))


def variable_of(*keys: str) -> str:
    """The variable with which cargo reads a setting."""
    return "CARGO_" + "_".join(re.sub(r"[-.]", "_", key.upper()) for key in keys)


def _steering(tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys that a project may not set, and what each of them does."""
    for name, table in tables.items():
        if name in _HARMLESS:
            continue
        entries = table if isinstance(table, dict) else {}
        if name == "registries":
            for registry, keys in entries.items():
                own = keys if isinstance(keys, dict) else {}
                yield from _others(f"registries.{registry}", own, _OF_REGISTRY)
        elif name in _KEYS:
            yield from _others(name, entries, _KEYS[name])
        else:
            yield name, _DOES.get(name, "secretly doesn't know")


def _others(
    name: str, table: Mapping[str, Any], harmless: frozenset[str]
) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if key in harmless or (key in _PROVIDERS and value in (_BUILTIN, [_BUILTIN])):
            continue
        does = "chooses a program that gets the token" if key in _PROVIDERS else ""
        yield f"{name}.{key}", does or _DOES.get(name, "could change where the token goes")


#: What the settings of a table do.
_DOES = {
    "credential-alias": "chooses a program that gets the token",
    "http": "changes the connection, or whom cargo trusts",
    "include": "names further settings",
    "net": "changes the connection",
}


def _has_token(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return any(key in ("token", "secret-key") or _has_token(one) for key, one in value.items())


# -- the toolchain -------------------------------------------------------------------

#: The older form of that file: the name of a toolchain, and nothing more.
_TOOLCHAIN = re.compile(rb"\s*[\w.+-]+\s*")


def check_toolchain(folder: Path) -> None:
    """Refuse a project that chooses the program which runs as ``cargo``.

    rustup takes the nearest file with one of these names. A channel is a toolchain that the user
    has installed.

    :param folder: the folder in which cargo starts.
    :raises Refused: for a path in that file, and for a file that can't be read.
    """
    for above in (folder, *folder.parents):
        for name in ("rust-toolchain", "rust-toolchain.toml"):
            path = above / name
            if path.is_file():
                _check_toolchain(path)
                return


def _check_toolchain(path: Path) -> None:
    data = b""
    with contextlib.suppress(OSError):
        data = safefiles.read_file(path)
    if _TOOLCHAIN.fullmatch(data):
        return
    shown = escape(os.fspath(path))
    what = f"{shown} chooses the program that would run as cargo"
    try:
        table = value_at(read_toml(path), ["toolchain"])
    except Refused:  # rustup reads newer TOML than Python does, and a path without any
        table = {"path": ""}
        what = f"can't read {shown}, which may choose the program that would run as cargo"
    if isinstance(table, dict) and ("path" in table or "/" in str(table.get("channel"))):
        raise Refused(what, "name a toolchain of yours: cargo +stable publish")
