"""The command lines to compare: secretly's own, and the alternatives.

All are in a private session with a keychain of its own, and with nothing of this user's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import secretservice
import vaults

__all__ = [
    "BASE",
    "CONFIGURED",
    "DOTENV",
    "HELP",
    "MANY",
    "ONE",
    "RUN_HELP",
    "TEN",
    "UNNEEDED",
    "Installed",
    "Line",
    "Place",
    "check",
    "installed",
    "place",
]

ROOT = Path(__file__).parents[2]

#: What everything is measured by: the interpreter's own start.
BASE = "python -I -c pass"

ONE = "secretly run, one secret"
CONFIGURED = "secretly run, 50 secrets and 20 profiles configured"
TEN = "secretly run, ten secrets"
MANY = "secretly run, ten secrets, with 300 names stored"
UNNEEDED = "secretly run twine check, which needs none"
HELP = "secretly --help"
RUN_HELP = "secretly run --help"
DOTENV = "dotenv run, a plain file"
DOTENVX = "dotenvx run, a plain file"

NAMES = [f"Service-{number}" for number in range(10)]
SECRET = "canary-secret-of-forty-letters-and-digits"


class Installed(NamedTuple):
    """The folder of the measured programs, all of one interpreter."""

    bin: Path

    def program(self, name: str) -> str:
        """The path of a program."""
        return str(self.bin / name)


@contextlib.contextmanager
def installed() -> Iterator[Installed]:
    """Install secretly from a wheel, as a user does, with dotenv's command and nothing else.

    Other packages would add their ``.pth`` files to each start of the interpreter.
    """
    with tempfile.TemporaryDirectory(prefix="secretly-bench-") as folder:
        source, made = Path(folder, "source"), Path(folder, "venv")
        source.mkdir()
        for name in ("setup.py", "setup.cfg", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        shutil.copytree(
            ROOT / "secretly", source / "secretly", ignore=shutil.ignore_patterns("__pycache__")
        )
        venv.create(made, with_pip=True, symlinks=True)
        argv = [made / "bin/python", "-m", "pip", "install", "-q", source, "python-dotenv[cli]"]
        done = subprocess.run(argv, capture_output=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr.decode()
        yield Installed(made / "bin")


class Line(NamedTuple):
    """A command line.

    :param more: variables that it is started with, in addition to the others'.
    """

    argv: Sequence[str]
    more: Mapping[str, str] = {}


class Place(NamedTuple):
    """A home with secrets in it, and the command lines that get at them.

    :param environ: the variables that all are started with.
    :param commands: the command lines, by what they are called in the table.
    :param left_out: what could not be measured, and why.
    """

    environ: dict[str, str]
    commands: dict[str, Line]
    left_out: dict[str, str]
    folder: Path


@contextlib.contextmanager
def place(programs: Installed) -> Iterator[Place]:
    """Make a place."""
    with secretservice.secret_service() as service:
        home = service.folder
        environ = {**service.environ, "LC_ALL": "C.UTF-8", "PATH": f"{programs.bin}:{os.defpath}"}
        (home / "twine").symlink_to("/bin/true")
        (home / "plain.env").write_text(f"X={SECRET}\n")
        (home / "config.toml").write_text(_configuration())
        for name in NAMES:
            _must([programs.program("secretly"), "set", name, "--stdin"], environ, SECRET)
        _store_many(Path(environ["XDG_STATE_HOME"], "secretly"), home / "many" / "secretly")
        found = Place(environ, {}, {}, home)
        found.commands.update(_secretly(programs, home))
        plain = ("-f", str(home / "plain.env"))
        found.commands[DOTENV] = Line([programs.program("dotenv"), *plain, "run", "true"])
        user = _username(programs, environ)
        found.commands["keyring get"] = Line([programs.program("keyring"), "get", NAMES[0], user])
        with contextlib.ExitStack() as stack:
            for add in (_secret_tool, _pass, _dotenvx):
                try:
                    add(found, user, stack)
                except _Missing as error:
                    found.left_out[error.args[0]] = error.args[1]
            yield found


class _Missing(Exception):
    """Something to compare is missing: its name, and why."""


def _must(argv: Sequence[str], environ: Mapping[str, str], stdin: str = "") -> str:
    done = subprocess.run(
        argv, env=dict(environ), input=stdin.encode(), capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, (argv, done.stderr.decode())
    return done.stdout.decode()


def _username(programs: Installed, environ: Mapping[str, str]) -> str:
    """The user name under which secretly stores a secret without one of its own."""
    script = "import getpass; print(getpass.getuser())"
    return _must([programs.program("python"), "-c", script], environ).strip()


def _secretly(programs: Installed, home: Path) -> dict[str, Line]:
    secretly, python = programs.program("secretly"), programs.program("python")
    one = [secretly, "run", "-e", f"X={NAMES[0]}", "true"]
    ten = [f"-eX{number}={name}" for number, name in enumerate(NAMES)]
    return {
        BASE: Line([python, "-I", "-c", "pass"]),
        ONE: Line(one),
        CONFIGURED: Line(one, {"SECRETLY_CONFIG": str(home / "config.toml")}),
        TEN: Line([secretly, "run", *ten, "true"]),
        MANY: Line([secretly, "run", *ten, "true"], {"XDG_STATE_HOME": str(home / "many")}),
        UNNEEDED: Line([secretly, "run", str(home / "twine"), "check", "x"]),
        HELP: Line([secretly, "--help"]),
        RUN_HELP: Line([secretly, "run", "--help"]),
    }


def _store_many(folder: Path, other: Path) -> None:
    """A copy of the list of stored names with 290 more, of items that nobody asks for."""
    other.mkdir(mode=0o700, parents=True)
    (path,) = folder.glob("*.tsv")
    head, *lines = path.read_text().splitlines()
    rest = lines[0].split("\t")[1:]
    lines += ["\t".join([f"Other-{number}", *rest]) for number in range(290)]
    (other / path.name).write_text("\n".join([head, *sorted(lines), ""]))
    (other / path.name).chmod(0o600)


def _configuration() -> str:
    """Fifty secrets and twenty profiles, as they add up over the years."""
    lines = []
    for number in range(50):
        lines += [f"[secrets.Configured-{number}]", f'source = "op://Private/Item {number}"']
        lines += ['username = "me"', "confirm = true", ""]
    for number in range(20):
        lines += [f"[commands.tool-{number // 4}.profiles.profile-{number}]"]
        lines += [f'env = {{ TOOL_URL = "https://index-{number}.example/" }}']
        lines += [f'secrets = {{ TOOL_PASSWORD = "Configured-{number}" }}', ""]
    return "\n".join(lines)


# -- what people would use instead ---------------------------------------------------


def _program(title: str, name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise _Missing(title, f"{name} is not installed")
    return found


def _secret_tool(where: Place, user: str, stack: contextlib.ExitStack) -> None:
    program = _program("secret-tool lookup", "secret-tool")
    attributes = ("service", NAMES[0], "username", user)
    where.commands["secret-tool lookup"] = Line([program, "lookup", *attributes])


def _pass(where: Place, user: str, stack: contextlib.ExitStack) -> None:
    program = _program("pass show", "pass")
    _program("pass show", "gpg")
    gnupg, item = where.folder / "gnupg", vaults.Login(NAMES[0], SECRET)
    # A key without a passphrase: an agent that knows the passphrase is as quick.
    vaults.gpg_home(gnupg, "")
    stack.callback(vaults.end_gpg_agent, gnupg)
    made = vaults.password_store_of(where.folder / "store", gnupg, [item])
    where.commands["pass show"] = Line([program, "show", NAMES[0]], made)


def _dotenvx(where: Place, user: str, stack: contextlib.ExitStack) -> None:
    title, folder = DOTENVX, ROOT / ".tox/dotenvx"
    program = folder / "node_modules/.bin/dotenvx"
    if not program.exists():
        npm = _program(title, "npm")
        options = ["--silent", "--no-fund", "--no-audit", "--prefix", str(folder)]
        done = subprocess.run(
            [npm, "install", *options, "@dotenvx/dotenvx"],
            stdout=sys.stderr,
            timeout=300,
            check=False,
        )
        if done.returncode or not program.exists():
            raise _Missing(title, "npm does not install it")
    node = _program(title, "node")
    path = os.pathsep.join((os.path.dirname(node), where.environ["PATH"]))
    plain = ("-f", str(where.folder / "plain.env"))
    argv = [str(program), "run", "--quiet", *plain, "--", "true"]
    where.commands[title] = Line(argv, {"PATH": path})


def check(where: Place) -> None:
    """Check that each command line prints the secret."""
    for name, (argv, more) in where.commands.items():
        environ = {**where.environ, **more}
        if name in (ONE, CONFIGURED, DOTENV, DOTENVX):
            argv = [*argv[:-1], "sh", "-c", 'printf %s "$X"']
        elif name in (TEN, MANY):
            argv = [*argv[:-1], "sh", "-c", 'printf %s "$X9"']
        elif not name.startswith(("keyring", "secret-tool", "pass")):
            continue
        assert _must(argv, environ).strip() == SECRET, name
