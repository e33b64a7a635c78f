"""npm's settings: its options, variables and ``.npmrc`` files, the one that counts first."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ... import safefiles
from ...config import places
from ...config.invocation import Words
from ...errors import Refused
from ...text import escape
from ..parsers import npmrc
from .keys import HARMLESS, KINDS, SECRETS, USUAL
from .program import Installed

#: A variable in a value, which npm replaces.
VARIABLE = re.compile(r"\$\{([^${}?]+)(\?)?\}")

#: How the variables of npm's own settings begin, in any letters.
PREFIX = "npm_config_"

_VARIABLES = "a variable"

#: What npm takes for *off* where a flag is set: some words, and zero. All else is *on*: ``1``,
#: ``yes``, ``no``, and nothing.
_OFF = re.compile(r"false|null|undefined|[+-]?(0+\.?0*|\.0+)([eE][+-]?\d+)?|0[xXoObB]0+", re.ASCII)

#: The settings that may not be a list in a file: for npm, any list is *on*.
_SINGLE = frozenset((*KINDS.flags, "registry", "scope"))

#: The settings that decide what is published, or what runs: two variables must not contradict.
_CHOOSING = frozenset(("ignore-scripts", "include-workspace-root", "workspace", "workspaces"))


class Level(NamedTuple):
    """Settings from one place.

    :param shown: where they are, in words.
    :param values: the settings.
    :param by_project: whether they are the project's.
    :param typed: whether they are the options of the command line.
    """

    shown: str
    values: Mapping[str, str]
    by_project: bool = False
    typed: bool = False

    def named(self, key: str) -> str:
        """What sets a setting, in words; empty for an option, which the user sees."""
        if self.typed:
            return ""
        return f"{PREFIX}{key}" if self.shown == _VARIABLES else self.shown


class NpmSetting(NamedTuple):
    """A setting and the place that it comes from."""

    value: str
    level: Level


class Settings:
    """All settings of a call, each file read once.

    :param words: the command line.
    :param environ: the variables that npm will have.
    :param npm: the npm that is started.
    :param roots: the folders whose ``.npmrc`` may be the project's. The first one is.
    :param origins: the variables that are not the user's own: those of an env file.
    """

    def __init__(
        self,
        words: Words,
        environ: Mapping[str, str],
        npm: Installed,
        roots: Sequence[Path],
        origins: Collection[str] = (),
    ) -> None:
        self._environ = environ
        self._npm = npm
        options = {name[2:]: value for name, value in words.options if value}
        self.levels = [Level("the command line", options, typed=True)]
        self.levels += _variables(environ, origins)
        self._builtin = self._file(os.path.join(npm.folder, "npmrc"))
        self._read_files(roots)

    def _read_files(self, roots: Sequence[Path]) -> None:
        """Read the files. Each may say where the next one is, except the project's."""
        user = self._path("userconfig", self._home(".npmrc"))
        projects = [os.fspath(root / ".npmrc") for root in roots]
        others = [self._file(path, by_project=True) for path in projects if path != user]
        for level in others:
            self._check_project(level)
        self.levels += others[:1] if projects[0] != user else []
        self.levels.append(self._file(user))
        prefix = self._path("prefix", self._own_prefix())
        beyond = self._path("globalconfig", os.path.join(prefix, "etc", "npmrc"))
        self.levels += [self._file(beyond), self._builtin]

    def get(self, key: str) -> NpmSetting | None:
        """The setting that counts; None without one."""
        for level in self.levels:
            if value := level.values.get(key):
                return NpmSetting(value, level)
        return None

    def has(self, key: str) -> bool:
        """Whether a flag is set."""
        found = self.get(key)
        return found is not None and found.value == "true"

    def of_host(self, url: str) -> Iterator[tuple[str, str, Level]]:
        """The settings for a URL's host: the path and the name of each key, and its place."""
        host = urlsplit(url).netloc
        for level in self.levels:
            for key in level.values:
                if key.startswith("//"):
                    where, _, name = key[2:].rpartition(":")
                    place, slash, path = where.partition("/")
                    if place.lower() == host:
                        yield slash + path, name, level

    # -- the files -------------------------------------------------------------------

    def _file(self, path: str, *, by_project: bool = False) -> Level:
        """The settings of a file; none without the file.

        :raises Refused: if the file can't be read for certain.
        """
        shown, why, environ = escape(path), "it is not UTF-8", self._environ
        try:
            text = safefiles.read_file(path).decode("utf-8")
            values = npmrc.read(text, _SINGLE)
        except (FileNotFoundError, NotADirectoryError):
            return Level(shown, {}, by_project)
        except OSError as error:
            why = str(error.strerror)
        except UnicodeDecodeError:
            pass
        except npmrc.Unreadable as error:
            why = str(error)
        else:
            if not by_project:
                pairs = ((_filled(k, environ), _filled(v, environ)) for k, v in values.items())
                values = dict(pairs)
            return Level(shown, {k: _read_flag(k, v) for k, v in values.items()}, by_project)
        raise Refused(f"can't read {shown}: {why}", "fix the file: it may name the registry")

    def _check_project(self, level: Level) -> None:
        """Refuse a project's file that changes more than the registry.

        :raises Refused: naming the setting.
        """
        for key, value in level.values.items():
            name = key.rpartition(":")[2] if key.startswith("//") else key
            known = key in KINDS.all or key in KINDS.newer or key in self._npm.keys
            if key.startswith("//"):
                # What is sent to other registries doesn't matter: nothing goes there.
                good = name in (*SECRETS, "username", "email", "always-auth")
            else:
                good = key == "registry" or key.endswith(":registry") or key in HARMLESS
                good = good or (key, value) in USUAL
                good = (good or not known) and "${" not in value
            if not good or "${" in key:
                raise Refused(
                    f"{level.shown} sets {escape(key)}, which could change where or how the "
                    "upload goes, or what runs",
                    "remove it there; if you mean it, set it in your own ~/.npmrc",
                )

    # -- where they are --------------------------------------------------------------

    def _path(self, key: str, otherwise: str) -> str:
        """The path in a setting of the user's own."""
        for level in (*self.levels, self._builtin):
            if value := level.values.get(key):
                return os.path.abspath(places.expand_user(value, self._environ))
        return otherwise

    def _home(self, name: str) -> str:
        return os.path.join(places.home_folder(self._environ), name)

    def _own_prefix(self) -> str:
        """The folder of npm's that its settings for all users are below."""
        if prefix := self._environ.get("PREFIX"):
            return prefix
        node = safefiles.program_on_path("node", self._environ) or self._npm.folder
        prefix = os.path.dirname(os.path.dirname(os.path.realpath(node)))
        above = self._environ.get("DESTDIR")
        return os.path.join(above, prefix.lstrip("/")) if above else prefix


def setting_of(variable: str) -> str:
    """The setting that a variable gives; empty for other variables."""
    if not variable.lower().startswith(PREFIX):
        return ""
    key = variable[len(PREFIX) :]
    return key if key.startswith("//") else (key[:1] + key[1:].replace("_", "-")).lower()


def variables_of(keys: Iterable[str]) -> tuple[str, ...]:
    """The variables that give these settings, in small letters and in large ones."""
    names = [PREFIX + key.replace("-", "_") for key in keys]
    return (*names, *map(str.upper, names))


def _read_flag(key: str, text: str) -> str:
    """A setting's text; that of a flag is ``true`` or ``false``, as npm reads it."""
    if key not in KINDS.flags:
        return text
    return "false" if _OFF.fullmatch(text.strip()) else "true"


def _filled(text: str, environ: Mapping[str, str]) -> str:
    """A text with its variables replaced, as npm does it."""

    def value(found: re.Match[str]) -> str:
        return environ.get(found[1], "" if found[2] else found[0])

    return VARIABLE.sub(value, text)


def _variables(environ: Mapping[str, str], origins: Collection[str]) -> Iterator[Level]:
    """The settings in variables: those in *origins*, and the user's own.

    :raises Refused: for two variables that give one setting different values.
    """
    found: dict[str, str] = {}
    others: set[str] = set()
    for name, value in environ.items():
        key = setting_of(name)
        if not key or not value:
            continue
        value = _read_flag(key, _filled(value, environ))
        harmless = key in HARMLESS and key not in _CHOOSING
        if found.get(key, value) != value and not harmless:
            raise Refused(
                f"two variables set npm's {escape(key)} to different values",
                f"unset one of them, as {escape(name)}",
            )
        found[key] = value
        if name in origins:
            others.add(key)
    yield Level(_VARIABLES, {key: found[key] for key in others}, by_project=True)
    yield Level(_VARIABLES, {key: found[key] for key in found.keys() - others})
