"""The command lines to compare: secretly's own, and the alternatives.

All are in private sessions with keychains of their own, and with nothing of this user's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import secretservice
import stocks
import tokens
import uploads

__all__ = [
    "BASE",
    "BY_OLD_SCRIPT",
    "CONFIGURED",
    "CONFIGURED_MANY",
    "EMPTY_FILE",
    "HELP",
    "LARGE_WHEEL",
    "LONG_FILE",
    "MANY_NAMES",
    "MANY_WHEELS",
    "NAMES",
    "ONE",
    "ROOT",
    "RUN_HELP",
    "SECRET",
    "TEN",
    "TEN_OF_300",
    "THREE_HUNDRED",
    "UNNEEDED",
    "VERSION",
    "Installed",
    "Line",
    "Missing",
    "Place",
    "check",
    "configuration",
    "env_file",
    "installed",
    "must",
    "place",
]

ROOT = Path(__file__).parents[2]

#: What everything is measured by: the interpreter's own start.
BASE = "python -I -c pass"

ONE = "secretly run, one secret"
CONFIGURED = "secretly run, 50 secrets and 20 profiles configured"
CONFIGURED_MANY = "secretly run, 10,000 secrets configured"
TEN = "secretly run, ten secrets"
TEN_OF_300 = "secretly run, ten secrets, with 300 names stored"
THREE_HUNDRED = "secretly run, 300 secrets, with 300 names stored"
MANY_NAMES = "secretly run, one secret, with 10,000 names stored"
EMPTY_FILE = "secretly run, an empty env file"
LONG_FILE = "secretly run, an env file of 1,000 plain lines"
UNNEEDED = "secretly run twine check, which needs none"
HELP = "secretly --help"
VERSION = "secretly --version"
RUN_HELP = "secretly run --help"
MANY_WHEELS = "500 wheels of 1 MB"
LARGE_WHEEL = "a wheel of 1 GB"

NAMES = [stocks.ITEM.format(number) for number in range(10)]
SECRET = stocks.SECRET

#: Until pip 25.2, pip wrote start scripts that load ``re``. Python 3.11's venv comes with this one.
OLD_PIP = "pip==23.2.1"

#: What is measured with such a script as well, and what it is called then.
BY_OLD_SCRIPT = {name: f"{name}, by pip 23's script" for name in (ONE, HELP)}


class Installed(NamedTuple):
    """The folder of the measured programs, all of one interpreter.

    :param old: the start script that pip 23 writes, in an environment of its own; None without one.
    """

    bin: Path
    old: Path | None = None

    def program(self, name: str) -> str:
        """The path of a program."""
        return str(self.bin / name)


@contextlib.contextmanager
def installed(made: Path | None = None) -> Iterator[Installed]:
    """Install secretly from its sources, as the README does, and dotenv's command.

    uv and the current pip write equally quick start scripts. Other packages would add their
    ``.pth`` files to each start of the interpreter.

    :param made: a virtual environment that has all of this.
    """
    if made:
        yield Installed(made.absolute() / "bin")
        return
    with tempfile.TemporaryDirectory(prefix="secretly-bench-") as folder:
        source, made, old = Path(folder, "source"), Path(folder, "venv"), Path(folder, "old")
        source.mkdir()
        for name in ("setup.py", "setup.cfg", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        shutil.copytree(
            ROOT / "secretly", source / "secretly", ignore=shutil.ignore_patterns("__pycache__")
        )
        _install(made, shutil.which("uv"), "pip", source, "python-dotenv[cli]")
        _install(old, None, OLD_PIP, source)
        yield Installed(made / "bin", old / "bin/secretly")


def _install(made: Path, uv: str | None, pip: str, source: Path, *more: str) -> None:
    """Make a virtual environment with secretly in it.

    :param uv: the path of uv; None: pip installs it.
    :param pip: the pip to use then, as a requirement.
    """
    venv.create(made, with_pip=uv is None, symlinks=True)
    python = made / "bin/python"
    with_pip = [python, "-m", "pip", "install", "-q"]
    steps = [[*with_pip, "--upgrade", pip], [*with_pip, source, *more]]
    if uv is not None:
        steps = [[uv, "pip", "install", "-q", "--python", python, source, *more]]
    for argv in steps:
        done = subprocess.run(argv, capture_output=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr.decode()


class Line(NamedTuple):
    """A command line.

    :param more: variables that it is started with, in addition to the others'.
    :param shows: the variable with the secret, where the command is 'true'; empty: the program
        prints the secret; None: nothing of the kind.
    :param one_process: whether all that it does is done before 'true' starts, in its process.
    """

    argv: Sequence[str]
    more: Mapping[str, str] = {}
    shows: str | None = None
    one_process: bool = True


class Place(NamedTuple):
    """A home with secrets in it, and the command lines that get at them.

    :param environ: the variables that all are started with.
    :param commands: the command lines, by what they are called in the table.
    :param heavy: those that take long.
    :param upload: an upload of one wheel.
    :param hashing: the files that SHA-256 is compared for, by their names in the table.
    :param thousand: the variables of a session with a thousand items.
    :param left_out: what could not be measured, and why.
    """

    environ: dict[str, str]
    commands: dict[str, Line]
    heavy: dict[str, Line]
    upload: list[str]
    hashing: dict[str, list[str]]
    thousand: dict[str, str]
    left_out: dict[str, str]
    folder: Path


class Missing(Exception):
    """Something to compare is missing: its name, and why."""


@contextlib.contextmanager
def place(programs: Installed) -> Iterator[Place]:
    """Make a place."""
    with contextlib.ExitStack() as stack:
        session, three, thousand = (
            stack.enter_context(secretservice.secret_service()) for _ in range(3)
        )
        path = {"LC_ALL": "C.UTF-8", "PATH": f"{programs.bin}:{os.defpath}"}
        for other, count in ((three, 300), (thousand, 1000)):
            other.environ.update(path)
            stocks.stock(other, count)
        found = Place({**session.environ, **path}, {}, {}, [], {}, {}, {}, session.folder)
        for name, value in [*((name, SECRET) for name in NAMES), ("PyPI", tokens.TOKEN)]:
            must([programs.program("secretly"), "set", name, "--stdin"], found.environ, value)
        _write_files(found)
        found.commands.update(_secretly(programs, found.folder))
        ten = [*_asking(programs, 10), "true"]
        found.commands[TEN_OF_300] = Line(ten, three.environ, "X9")
        all_of_them = [*_asking(programs, 300), "true"]
        found.heavy[THREE_HUNDRED] = Line(all_of_them, three.environ, "X299")
        found.thousand.update(thousand.environ)
        _add_uploads(found, programs)
        yield found


def must(argv: Sequence[str], environ: Mapping[str, str], stdin: str = "") -> str:
    """Run a command that must succeed, and return its output."""
    done = subprocess.run(
        argv, env=dict(environ), input=stdin.encode(), capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, (argv, done.stderr.decode())
    return done.stdout.decode()


def _write_files(where: Place) -> None:
    """What the command lines read."""
    home = where.folder
    (home / "twine").symlink_to("/bin/true")
    (home / "plain.env").write_text(f"X={SECRET}\n")
    (home / "empty.env").write_text("")
    (home / "long.env").write_text(env_file(1000))
    (home / "config.toml").write_text(configuration(50, 20))
    (home / "large.toml").write_text(configuration(10_000))
    # The keychain has none of the others, and need not: secretly reads the list alone.
    stocks.list_names(home / "many", 10_000)


def _secretly(programs: Installed, home: Path) -> dict[str, Line]:
    secretly, python = programs.program("secretly"), programs.program("python")
    one = [secretly, "run", "-e", f"X={NAMES[0]}", "true"]

    def reading(name: str) -> Line:
        return Line([secretly, "run", "-f", str(home / name), "true"])

    made = {
        BASE: Line([python, "-I", "-c", "pass"]),
        ONE: Line(one, shows="X"),
        CONFIGURED: Line(one, {"SECRETLY_CONFIG": str(home / "config.toml")}, "X"),
        CONFIGURED_MANY: Line(one, {"SECRETLY_CONFIG": str(home / "large.toml")}, "X"),
        TEN: Line([*_asking(programs, 10), "true"], shows="X9"),
        MANY_NAMES: Line(one, {"XDG_STATE_HOME": str(home / "many")}, "X"),
        EMPTY_FILE: reading("empty.env"),
        LONG_FILE: reading("long.env")._replace(shows="X999"),
        UNNEEDED: Line([secretly, "run", str(home / "twine"), "check", "x"]),
        HELP: Line([secretly, "--help"]),
        VERSION: Line([secretly, "--version"]),
        RUN_HELP: Line([secretly, "run", "--help"]),
    }
    if programs.old is not None:
        for name, called in BY_OLD_SCRIPT.items():
            line = made[name]
            made[called] = line._replace(argv=[str(programs.old), *line.argv[1:]])
    return made


def _asking(programs: Installed, count: int) -> list[str]:
    asked = [f"-eX{number}={stocks.ITEM.format(number)}" for number in range(count)]
    return [programs.program("secretly"), "run", *asked]


def _add_uploads(where: Place, programs: Installed) -> None:
    upload = [programs.program("secretly"), "run", str(where.folder / "twine"), "upload"]
    where.upload.extend([*upload, *uploads.wheels(where.folder / "one", 1)])
    for name, count, size in ((MANY_WHEELS, 500, 1), (LARGE_WHEEL, 1, 1000)):
        paths = uploads.wheels(where.folder / name.replace(" ", "-"), count, size)
        where.hashing[name] = paths
        where.heavy[name] = Line([*upload, *paths])


def env_file(lines: int) -> str:
    """An env file without a reference."""
    return "".join(f"X{number}={SECRET}\n" for number in range(lines))


def configuration(secrets: int, profiles: int = 0) -> str:
    """Secrets and profiles, as they add up over the years."""
    lines = []
    for number in range(secrets):
        lines += [f"[secrets.Configured-{number}]", f'source = "op://Private/Item {number}"']
        lines += ['username = "me"', "confirm = true", ""]
    for number in range(profiles):
        lines += [f"[commands.tool-{number // 4}.profiles.profile-{number}]"]
        lines += [f'env = {{ TOOL_URL = "https://index-{number}.example/" }}']
        lines += [f'secrets = {{ TOOL_PASSWORD = "Configured-{number}" }}', ""]
    return "\n".join(lines)


def check(where: Place) -> None:
    """Check that each command line that is to show the secret does."""
    for name, (argv, more, variable, _) in {**where.commands, **where.heavy}.items():
        if variable is not None:
            if variable:
                argv = [*argv[:-1], "sh", "-c", f'printf %s "${variable}"']
            assert must(argv, {**where.environ, **more}).strip() == SECRET, name
