"""The publishing tool maturin."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ... import safefiles
from ...config import places
from ...config.invocation import Words
from ...errors import Refused
from ...text import escape, shell_quote
from ..addresses import read_address, secret_named
from ..destination import Destination, located, secret_at
from ..options import Options
from ..parsers import ini
from ..parsers.clap import Clap
from ..pypirc import Pypirc
from ..tool import Artifacts, Pin
from ..tool_call import ToolCall, first_text, table_at

_UPLOAD = "-r/--repository= --repository-url= -u/--username= -p/--password= --skip-existing "
_UPLOAD += "--non-interactive"

#: The options of ``publish`` in all versions: those of builds too.
_BUILD = (
    "-i/--interpreter= -b/--bindings= --compatibility/--manylinux= --auditwheel= -o/--out= "
    "--sbom-include= -j/--jobs= --profile= -F/--features= --target= --target-dir= "
    "-m/--manifest-path= --color= --config= -Z= --compression-method= --compression-level= "
    "--debug --no-strip --no-sdist --pgo -f/--find-interpreter --skip-auditwheel --zig "
    "--include-debuginfo -q/--quiet --all-features --no-default-features --ignore-rust-version "
    "--frozen --locked --offline --timings --future-incompat-report "
    "--compression-enable-large-file-support --generate-stubs"
)

CLAP = Clap(
    "maturin",
    Options("-v/--verbose -h/--help -V/--version"),
    {"upload": Options(_UPLOAD), "publish": Options(f"{_UPLOAD} {_BUILD}")},
    frozenset(
        {
            *("--interpreter", "--compatibility", "--sbom-include", "--features", "--config", "-Z"),
            *("--target-dir",),
        }
    ),
)

#: maturin's own names for the indexes whose URL it knows.
_NAMES = {"pypi": "PyPI", "testpypi": "TestPyPI"}

_NAME, _URL = "--repository", "--repository-url"

_TOKEN = "__token__"

#: The variables with which maturin gets a token from GitHub, before it looks at any option.
_IDENTITY = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL")


class Maturin(ToolCall):
    """A call of maturin."""

    names = _NAMES
    artifacts = Artifacts(
        arguments=True,
        strict=True,
        endings=(".whl", ".gz", ".tgz", ".zip", ".egg"),
        anywhere=(".tar.gz", ".zip"),
        manifest_options=("--manifest-path",),
        builds=("publish",),
        separately="maturin build -o dist && secretly run maturin upload dist/*",
    )
    own_variables = ("MATURIN_*", "CARGO_*", "RUST*")
    reads = (
        *("MATURIN_REPOSITORY", "MATURIN_REPOSITORY_URL"),
        *("MATURIN_USERNAME", "MATURIN_PASSWORD", "MATURIN_PYPI_TOKEN"),
    )
    harmless = ("MATURIN_NON_INTERACTIVE", "RUST_LOG", "RUST_BACKTRACE", "CARGO_TERM_*")
    trusts = ("MATURIN_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

    def read(self) -> Words:
        """Read the command line as clap does."""
        return CLAP.read(self.arguments)

    # -- the index -------------------------------------------------------------------

    @functools.cached_property
    def target(self) -> tuple[str, str]:
        """The option that names the index, and its value. The last one on the line counts.

        :raises Refused: for an option and the other one's variable: maturin takes one of them.
        """
        typed = [(n, v or "") for n, v in self.words.options if n in (_NAME, _URL)]
        variables = [(_NAME, "MATURIN_REPOSITORY"), (_URL, "MATURIN_REPOSITORY_URL")]
        named = {option: name for option, name in variables if name in self.environ}
        option = typed[-1][0] if typed else min(named, default=_NAME)
        for other in named.keys() - {option}:
            raise Refused(
                f"maturin takes an index's name or its URL, but not one of them and {named[other]}",
                f"unset {named[other]}",
            )
        if typed:
            return typed[-1]
        return option, self.environ[named[option]] if named else "pypi"

    def find_destination(self) -> Destination:
        """Where maturin would upload to, and as whom."""
        option, value = self.target
        if option == _URL:
            url = read_address(value).url
            return Destination("", secret_at(url, self.locations), url, self._username())
        found = self._section(value, strict=True).get("repository")
        if found is not None:
            url = read_address(found).url
            secret = secret_named(self, value, url)
            return Destination(value, secret, url, self._username())
        if value not in _NAMES:
            raise Refused(
                f"~/.pypirc has no index named '{escape(value)}'",
                "check the name, or name the URL: --repository-url URL",
            )
        return Destination(value, _NAMES[value], username=self._username())

    # -- who ---------------------------------------------------------------------------

    def _username(self) -> str | None:
        """The user name that maturin would send. An empty one counts."""
        if self.has_secret("MATURIN_PYPI_TOKEN"):
            return _TOKEN
        if (by_command := self._own_username()) is not None:
            return by_command
        typed = self.words.last(["--username"])
        return self.environ.get("MATURIN_USERNAME") if typed is None else typed

    def _own_username(self) -> str | None:
        """The user name in ``.pypirc``, which beats all options if a password is there too."""
        option, value = self.target
        if option != _URL:
            return self._stored_username(value)
        found = self._username_at(value)
        return found if located(value, self.locations) in _NAMES.values() else None

    def _username_at(self, url: str) -> str | None:
        """The user name in ``.pypirc`` for a URL: maturin knows its own indexes by theirs.

        :raises Refused: if it isn't certain that this is one of them.
        """
        name = _default_name(url)
        found = self._stored_username(name) if name else None
        certain = found in (None, _TOKEN) or located(url, self.locations) in _NAMES.values()
        if not certain:
            raise Refused(
                f"maturin may send the user name and the password in {escape(self._pypirc[0])}",
                f"name maturin's own index: --repository {name}, or remove the password there",
            )
        return found

    def _stored_username(self, name: str) -> str | None:
        section = self._section(name)
        return section.get("username") if section.get("password") is not None else None

    def _beating(self) -> str | None:
        """The user name in ``.pypirc`` that beats the variables under the pin too."""
        target = self.destination
        if target.url:
            return self._username_at(target.url)
        return self._stored_username(target.repository)

    def given_by(self) -> str:
        """The option with the password."""
        return "--password" if self.words.has(["--password"]) else ""

    def why_needs_none(self) -> str:
        """Help."""
        options = ("--help", "--version")
        return next((f"{name} sends nothing" for name in options if self.words.has([name])), "")

    def identity(self) -> str:
        """GitHub's identity: without the pin, maturin asks for a token whatever options give."""
        if "MATURIN_PYPI_TOKEN" in self.environ or "GITHUB_ACTIONS" not in self.environ:
            return ""
        there = all(name in self.environ for name in _IDENTITY)
        return f"{_IDENTITY[0]} is set" if there else ""

    def variable(self, name: str) -> str:
        """The variable for the password: where ``.pypirc`` has one, only this beats it."""
        token = name == "MATURIN_PASSWORD" and self._beating() == _TOKEN
        return "MATURIN_PYPI_TOKEN" if token else name

    # -- ~/.pypirc ---------------------------------------------------------------------

    @functools.cached_property
    def _pypirc(self) -> tuple[str, ini.Sections | None]:
        """The path of the file, and its sections; None if maturin can't read it."""
        path = os.path.join(places.home_folder(self.environ), ".pypirc")
        with contextlib.suppress(OSError, ValueError):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return path, ini.read(safefiles.read_file(path).decode("utf-8"))
            return path, {}
        return path, None

    def _section(self, name: str, *, strict: bool = False) -> Mapping[str, str | None]:
        """A section; an empty one without it.

        :param strict: refuse a file that maturin can't read. maturin itself acts as if it wasn't
            there.
        """
        path, sections = self._pypirc
        if sections is None and strict:
            raise Refused(
                f"can't read {escape(path)}: maturin would ignore all of it", "fix the file"
            )
        return (sections or {}).get(name.lower(), {})

    def read_pypirc(self) -> Pypirc:
        """The file in the home folder."""
        path, sections = self._pypirc
        sections = sections or {}
        urls = {name: keys.get("repository") or "" for name, keys in sections.items()}
        secret = tuple(name for name, keys in sections.items() if keys.get("password"))
        return Pypirc(path, None, urls, secret)

    # -- the project -------------------------------------------------------------------

    def named(self, folder: Path) -> tuple[str, str]:
        """The name and the version in ``pyproject.toml``, else in the manifest of the crate.

        If another folder's ``pyproject.toml`` may count, they are not known.
        """
        typed = self.words.last(("--manifest-path",))
        path = folder / "pyproject.toml"
        if typed and not path.exists() and any((f / path.name).exists() for f in folder.parents):
            return "", ""
        tables = self.read_toml(path)
        manifest = typed or first_text(tables, ("tool.maturin.manifest-path",)) or "Cargo.toml"
        crate = self.read_toml((self.start_folder if typed else folder) / manifest)
        project = table_at(tables, "project") or table_at(crate, "package")
        version = project.get("version", table_at(crate, "package").get("version"))
        named = (project.get("name"), version)
        name, version = (text if isinstance(text, str) else "" for text in named)
        return name, version

    # -- the pin -----------------------------------------------------------------------

    def pin(self) -> Pin:
        """The URL as the last option; without one, maturin's own name for the index.

        :raises Refused: if ``.pypirc`` has another user and the password for maturin's own index.
        """
        target, beating = self.destination, self._beating()
        shown = _TOKEN if target.username is None else target.username
        if beating is not None and {beating, shown} != {_TOKEN}:
            path, name = escape(self._pypirc[0]), shell_quote(target.secret)
            raise Refused(
                f"maturin would send the user name and the password in {path}",
                f"1) secretly set {name} 2) remove `password` from {path}",
            )
        named = f"{_URL}={target.url}" if target.url else f"{_NAME}={target.repository}"
        without = [_NAME, _URL]
        if self.words.last(["--username"]) != target.username:
            without.append("--username")  # the variable has the one that was shown
        removes = ["MATURIN_REPOSITORY", "MATURIN_REPOSITORY_URL"]
        if not self.environ.get("MATURIN_PYPI_TOKEN"):
            removes += _IDENTITY  # a token of CI's would beat the one that was shown
        return Pin(CLAP.rewrite(self.arguments, without, [named]), {}, tuple(removes))


def _default_name(url: str) -> str:
    """maturin's own name for a URL that may be one of its own; empty for others."""
    parts = urlsplit(url.rstrip("/"))
    host = parts.netloc.partition(".")[0]
    good = (parts.scheme, parts.path, parts.query) == ("https", "/legacy", "")
    return {"upload": "pypi", "test": "testpypi"}.get(host, "") if good else ""


TOOL = Maturin
