"""What people would use instead of secretly. What isn't installed is left out."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import vaults
from contenders import NAMES, ROOT, SECRET, Installed, Line, Missing, Place, must

__all__ = [
    "DOTENV",
    "DOTENVX",
    "DOTENV_EMPTY",
    "DOTENV_LONG",
    "ENVCHAIN",
    "PASS",
    "PASS_SOURCE",
    "with_rivals",
]

DOTENV = "dotenv run, a plain file"
DOTENV_EMPTY = "dotenv run, an empty file"
DOTENV_LONG = "dotenv run, a file of 1,000 lines"
DOTENVX = "dotenvx run, a plain file"
ENVCHAIN = "envchain, one secret"
KEYRING = "keyring get"
PASS = "pass show"
PASS_SOURCE = "secretly run, one secret of pass"
SECRET_TOOL = "secret-tool lookup"

#: Where envchain's sources are; Debian doesn't have it.
_ENVCHAIN = "https://github.com/sorah/envchain"


@contextlib.contextmanager
def with_rivals(where: Place, programs: Installed) -> Iterator[None]:
    """Add them to a place, and end at the end what they started."""
    _add_dotenv(where, programs)
    argv = [programs.program("keyring"), "get", NAMES[0], _username(programs, where)]
    where.commands[KEYRING] = Line(argv, shows="")
    with contextlib.ExitStack() as stack:
        _try(where, SECRET_TOOL, lambda: _add_secret_tool(where, programs))
        _try(where, ENVCHAIN, lambda: _add_envchain(where))
        _try(where, PASS, lambda: _add_pass(where, programs, stack))
        _try(where, DOTENVX, lambda: _add_dotenvx(where))
        yield


def _try(where: Place, title: str, add: Callable[[], None]) -> None:
    try:
        add()
    except Missing as error:
        where.left_out[title] = str(error)


def _username(programs: Installed, where: Place) -> str:
    """The user name under which secretly stores a secret without one of its own."""
    script = "import getpass; print(getpass.getuser())"
    return must([programs.program("python"), "-c", script], where.environ).strip()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def _add_dotenv(where: Place, programs: Installed) -> None:
    for title, name in ((DOTENV, "plain"), (DOTENV_EMPTY, "empty"), (DOTENV_LONG, "long")):
        file = str(where.folder / f"{name}.env")
        argv = [programs.program("dotenv"), "-f", file, "run", "true"]
        where.commands[title] = Line(argv)
    where.commands[DOTENV] = where.commands[DOTENV]._replace(shows="X")


def _add_secret_tool(where: Place, programs: Installed) -> None:
    attributes = ("service", NAMES[0], "username", _username(programs, where))
    where.commands[SECRET_TOOL] = Line([_program("secret-tool"), "lookup", *attributes], shows="")


def _add_envchain(where: Place) -> None:
    program = shutil.which("envchain") or _build_envchain()
    must([program, "--set", NAMES[0], "X"], where.environ, f"{SECRET}\n")
    where.commands[ENVCHAIN] = Line([program, NAMES[0], "true"], shows="X")


def _build_envchain() -> str:
    """Build envchain from its sources. It needs git, make, a compiler, libsecret and readline."""
    folder = ROOT / ".tox/envchain"
    program = folder / "envchain"
    steps = [["make", "-C", str(folder), "envchain"]]
    if not folder.exists():
        steps.insert(0, ["git", "clone", "-q", "--depth", "1", _ENVCHAIN, str(folder)])
    for argv in steps:
        if not program.exists():
            done = subprocess.run(argv, capture_output=True, timeout=300, check=False)
            if done.returncode:
                raise Missing(f"it is not installed, and {argv[0]} can't build it")
    return str(program)


def _add_pass(where: Place, programs: Installed, stack: contextlib.ExitStack) -> None:
    program = _program("pass")
    _program("gpg")
    gnupg, item = where.folder / "gnupg", vaults.Login(NAMES[0], SECRET)
    # A key without a passphrase: an agent that knows the passphrase is as quick.
    vaults.gpg_home(gnupg, "")
    stack.callback(vaults.end_gpg_agent, gnupg)
    made = vaults.password_store_of(where.folder / "store", gnupg, [item])
    where.commands[PASS] = Line([program, "show", NAMES[0]], made, "", False)
    argv = [programs.program("secretly"), "run", "-e", f"X=pass://{NAMES[0]}", "true"]
    where.commands[PASS_SOURCE] = Line(argv, made, "X", False)


def _add_dotenvx(where: Place) -> None:
    folder = ROOT / ".tox/dotenvx"
    program = folder / "node_modules/.bin/dotenvx"
    if not program.exists():
        options = ["--silent", "--no-fund", "--no-audit", "--prefix", str(folder)]
        done = subprocess.run(
            [_program("npm"), "install", *options, "@dotenvx/dotenvx"],
            stdout=sys.stderr,
            timeout=300,
            check=False,
        )
        if done.returncode or not program.exists():
            raise Missing("npm does not install it")
    path = os.pathsep.join((os.path.dirname(_program("node")), where.environ["PATH"]))
    plain = ("-f", str(Path(where.folder, "plain.env")))
    argv = [str(program), "run", "--quiet", *plain, "--", "true"]
    where.commands[DOTENVX] = Line(argv, {"PATH": path}, "X", False)
