"""Settings with which a project changes what ``pdm run`` and other launchers start."""

from __future__ import annotations

import os

from .. import safefiles
from ..asking import upload_wording
from ..config.invocation import Invocation
from ..config.launchers import PLAIN, Start
from ..errors import Refused
from ..text import escape
from .tool import Launched, Variable
from .tool_call import read_toml, table_at
from .user_settings import config_file

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Any


def look(invocation: Invocation, environ: Mapping[str, str]) -> Launched:
    """What the launchers of a call add to it.

    :param environ: the environment that the first launcher will have.
    """
    found = Launched()
    try:
        for start in invocation.starts:
            one = _reader(start.name)(_Look(start, environ))
            found = Launched(
                {**found.variables, **one.variables},
                (*found.code, *one.code),
                (*found.replaced, *one.replaced),
            )
    except Refused as problem:
        return found._replace(problem=problem)
    return found


class _Look:
    """One look at a launcher and its project's settings."""

    def __init__(self, start: Start, environ: Mapping[str, str]) -> None:
        self.start, self.environ = start, environ
        self._tables: dict[Path, Mapping[str, Any]] = {}

    @property
    def name(self) -> str:
        """The launcher's name, as in ``"pdm run"``."""
        return self.start.name

    @property
    def word(self) -> str:
        """The name of the command that it starts, without hatch's environment."""
        return self.start.word.rpartition(":")[2] if self.name == "hatch run" else self.start.word

    def value(self, *names: str) -> str | None:
        """The value of the last of these options, else of the first ``$VARIABLE`` in them."""
        typed = [v for n, v in reversed(self.start.options) if n in names and v]
        variables = (self.environ.get(name[1:]) for name in names if name.startswith("$"))
        return next(filter(None, [*typed, *variables]), None)

    def folder(self, *names: str) -> Path:
        """The nearest folder with one of these files; without any, the working folder."""
        from pathlib import Path

        try:
            here = Path.cwd()
        except OSError:
            raise Refused("the working folder was deleted", "cd to another folder") from None
        above = (here, *here.parents)
        return next((f for f in above if any((f / name).is_file() for name in names)), here)

    def read(self, path: Path) -> Mapping[str, Any]:
        """The tables of a settings file; empty without the file."""
        if path not in self._tables:
            self._tables[path] = read_toml(path)
        return self._tables[path]

    def refused(self, setting: str, does: str) -> Refused:
        """The error for a setting that decides what runs."""
        return Refused(
            f"can't determine what {self.name} would start: {escape(setting)} {does}",
            f"run {escape(self.word)} without {self.name}",
        )

    def own_scripts(self) -> Iterator[str]:
        """The project's own program of that name, which may be in its environment."""
        tables = self.read(self.folder("pyproject.toml") / "pyproject.toml")
        for keys in (("project", "scripts"), ("tool", "poetry", "scripts")):
            if self.word in table_at(tables, *keys):
                yield upload_wording.project_program(self.word, ".".join(keys))


# -- pdm ---------------------------------------------------------------------------


def _pdm(one: _Look) -> Launched:
    """Variables, a file of variables, hooks and plugins."""
    folder = one.folder("pyproject.toml")
    table = table_at(one.read(folder / "pyproject.toml"), "tool", "pdm")
    scripts, key = table_at(table, "scripts"), "tool.pdm.scripts"
    shared = table_at(scripts, "_")
    if one.word in scripts:
        raise one.refused(f"{key}.{one.word}", "replaces it")
    if shared.get("working_dir"):
        raise one.refused(f"{key}._.working_dir", "names another folder")
    if "cache_dir" in one.read(folder / "pdm.toml"):
        raise one.refused("cache_dir in pdm.toml", "may have plugins of the project's")
    found = {
        name: Variable(None if "${" in str(value) else str(value), f"{key}._.env")
        for name, value in table_at(shared, "env").items()
    }
    named = shared.get("env_file")
    path = named.get("override") if isinstance(named, dict) else named
    if isinstance(path, str):
        found = {**_of_env_file(folder / path), **found}
    hooks = ("pre_invoke", "pre_run", "post_run")
    code = [upload_wording.project_script(name) for name in hooks if name in scripts]
    if (folder / ".pdm-plugins").exists():
        code.append(upload_wording.project_plugins(".pdm-plugins"))
    if table.get("plugins"):
        code.append(upload_wording.project_plugins("tool.pdm.plugins"))
    return Launched(found, (*code, *one.own_scripts()), (("${", one.name),))


def _of_env_file(path: Path) -> dict[str, Variable]:
    """The names of the variables in a file; their values may refer to others."""
    from io import StringIO

    from dotenv.parser import parse_stream

    shown = escape(os.fspath(path))
    try:
        text = safefiles.read_file(os.fspath(path)).decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        text = None
    if text is None:  # raised outside: a traceback may show the file's bytes
        raise Refused(f"can't read {shown}, which the launcher would load", "fix the file")
    lines = parse_stream(StringIO(text, newline=None))
    return {line.key: Variable(None, f"the file {shown}") for line in lines if line.key}


# -- hatch -------------------------------------------------------------------------


def _hatch(one: _Look) -> Launched:
    """The variables and scripts of the environment in which the command starts."""
    root = one.folder("pyproject.toml", "setup.py")
    above = (root, *root.parents)
    project = next((f for f in above if (f / "pyproject.toml").is_file()), root)
    own = table_at(one.read(project / "pyproject.toml"), "tool", "hatch")
    tables = {**own, **one.read(project / "hatch.toml")}
    _check_mode(one, root)
    code = [*one.own_scripts()]
    if table_at(tables, "env").get("requires"):
        code.append(upload_wording.project_plugins("tool.hatch.env.requires"))
    others = table_at(tables, "env", "collectors").keys() - {"default"}
    if others:
        raise one.refused(f"tool.hatch.env.collectors.{min(others)}", "may change environments")
    name, colon, _ = one.start.word.rpartition(":")
    if colon and name in ("", "system"):
        if one.word in table_at(tables, "scripts"):
            raise one.refused(f"tool.hatch.scripts.{one.word}", "replaces it")
        found: Mapping[str, Variable] = {}
    else:
        found = _of_environment(one, table_at(tables, "envs"), name or _active(one))
    return Launched(found, tuple(code), (("{", one.name),))


def _active(one: _Look) -> str:
    """The name of the environment that an option or a variable chooses."""
    return one.value("--env", "-e", "$HATCH_ENV", "$HATCH_ENV_ACTIVE") or "default"


def _check_mode(one: _Look, root: Path) -> None:
    """Refuse settings of the user's with which hatch works on a project in another folder."""
    from pathlib import Path

    path = one.value("--config", "$HATCH_CONFIG")
    settings = one.read(Path(path or config_file("hatch", one.environ)))
    inside = any((root / name).is_file() for name in ("pyproject.toml", "setup.py"))
    away = settings.get("mode") == "project" or (settings.get("mode") == "aware" and not inside)
    if away and settings.get("project"):
        raise Refused(
            "hatch's own settings have it work in the folder of another project",
            "run: hatch config set mode local",
        )


def _of_environment(one: _Look, envs: Mapping[str, Any], name: str) -> dict[str, Variable]:
    """The variables of an environment, which takes from its template what it doesn't set."""
    chain = list(_chain(envs, name))
    found: dict[str, Variable] = {}
    for key in ("type", "env-include", "env-exclude", "overrides", "env-vars"):
        env, value = next(((n, table[key]) for n, table in chain if key in table), ("", None))
        where = f"tool.hatch.envs.{env}.{key}"
        if key == "env-vars" and isinstance(value, dict):
            found |= {n: Variable(_plain(v), where) for n, v in value.items()}
        elif key == "overrides":
            found |= _overridden(one, value, where)
        elif value and value not in ("virtual", "system"):
            raise one.refused(where, "changes its variables")
    for env, table in chain:
        for key in ("scripts", "extra-scripts"):
            if one.word in table_at(table, key):
                raise one.refused(f"tool.hatch.envs.{env}.{key}.{one.word}", "replaces it")
    return found


def _chain(envs: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """An environment, its template, the template of that, and so on."""
    if name not in envs:  # one of a matrix: test.py3.12, or py3.12 of the default one
        name = name.partition(".")[0] if name.partition(".")[0] in envs else "default"
    seen = set[str]()
    while name not in seen:
        seen.add(name)
        table = table_at(envs, name)
        yield name, table
        template = "default" if not table.get("detached") else name
        name = str(table.get("template", template))


def _overridden(one: _Look, overrides: object, where: str) -> dict[str, Variable]:
    """The variables that an environment has under conditions."""
    found: dict[str, Variable] = {}
    sources = overrides.values() if isinstance(overrides, dict) else ()
    tables = [table for source in sources if isinstance(source, dict) for table in source.values()]
    for option, value in ((o, v) for t in tables if isinstance(t, dict) for o, v in t.items()):
        key = option.rpartition("set-")[2]
        items = value if isinstance(value, list) else [value]
        names = [str(i.get("key", "")) if isinstance(i, dict) else str(i) for i in items]
        names = [name.partition("=")[0] for name in names]
        if key in ("type", "env-include", "env-exclude") or (
            key in ("scripts", "extra-scripts") and one.word in names
        ):
            raise one.refused(f"{where}: {option}", "may change it")
        if key == "env-vars":
            found |= {name: Variable(None, f"{where}: {option}") for name in names}
    return found


def _plain(value: object) -> str | None:
    return value if isinstance(value, str) and "{" not in value else None


# -- pipenv ------------------------------------------------------------------------


def _pipenv(one: _Look) -> Launched:
    """The variables of the project's ``.env``, which pipenv sets in place of others."""
    folder = one.folder("Pipfile")
    if one.word in table_at(one.read(folder / "Pipfile"), "scripts"):
        raise one.refused(f"scripts.{one.word} in the Pipfile", "replaces it")
    found = {} if one.environ.get("PIPENV_DONT_LOAD_ENV") else _of_env_file(folder / ".env")
    return Launched(found, tuple(one.own_scripts()))


# -- the others --------------------------------------------------------------------


def _env(one: _Look) -> Launched:
    """The variables that ``env`` sets."""
    pairs = [(name, value) for name, value in one.start.options if value is not None]
    return Launched({name: Variable(value, "env") for name, value in pairs})


def _unknown(one: _Look) -> Launched:
    """Nothing is known of what its environments and tasks change.

    :raises Refused: always.
    """
    raise Refused(
        f"can't determine what {one.name} changes for {escape(one.word)}",
        f"activate that environment, and run {escape(one.word)} without {one.name}",
    )


def _poetry(one: _Look) -> Launched:
    """The project's own program of that name, and its plugins."""
    code = [*one.own_scripts()]
    if (one.folder("pyproject.toml") / ".poetry" / "plugins").exists():
        code.append(upload_wording.project_plugins(".poetry/plugins"))
    return Launched(code=tuple(code))


def _uv(one: _Look) -> Launched:
    """The project's own program of that name.

    :raises Refused: for a folder or an archive that versions of uv start in its place.
    """
    import zipfile

    if os.path.isfile(os.path.join(one.word, "__main__.py")) or zipfile.is_zipfile(one.word):
        raise one.refused(f"./{one.word}", "replaces it")
    return Launched(code=tuple(one.own_scripts()))


def _pipx(one: _Look) -> Launched:
    """Nothing.

    :raises Refused: for a file in the working folder that pipx starts in place of the program.
    """
    import glob

    found = [one.word, *glob.glob(f"__pypackages__/*/lib/bin/{glob.escape(one.word)}")]
    for path in found:
        if os.path.exists(path) and not os.path.isdir(path):
            raise one.refused(f"./{path}", "replaces it")
    return Launched()


def _nothing(_: _Look) -> Launched:
    """It starts the command as it is, or in an environment that is not the project's."""
    return Launched()


def _reader(name: str) -> Callable[[_Look], Launched]:
    """What reads a launcher's settings: a launcher that has no row below is not known."""
    return _nothing if name.startswith("py") else _READERS.get(name, _unknown)  # python, pypy3


_READERS: Mapping[str, Callable[[_Look], Launched]] = {
    "pdm run": _pdm,
    "hatch run": _hatch,
    "poetry run": _poetry,
    "uv run": _uv,
    "pipx run": _pipx,
    "pipenv run": _pipenv,
    **dict.fromkeys((*PLAIN, "uvx", "uv tool run"), _nothing),
    "env": _env,
    **dict.fromkeys(("conda run", "mamba run", "pixi run", "rye run"), _unknown),
}
