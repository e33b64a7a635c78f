"""One case of agreement: a call with its variables and files, and what the tool says of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from secretly.config import loading
from secretly.config.command_line import recognize
from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.publishing.collecting import collect
from secretly.publishing.upload import Upload, upload_of

HERE = Path(__file__).parent

#: Where the versions of the tools are installed, a virtual environment each.
INSTALLED = Path(os.environ.get("SECRETLY_AGREEMENT", HERE.parent.parent / ".tox" / "agreement"))

#: The versions of each tool, and what pip installs for them besides.
VERSIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "twine": {"5.1.1": (), "6.2.0": (), "7.0.0": ()},
    "flit": {"3.12.0": (), "4.2.0": ()},
    "hatch": {"1.14.2": ("httpx<0.29", "click<8.3"), "1.18.2": ()},
    "poetry": {"1.8.5": (), "2.0.1": (), "2.5.1": ()},
    "pdm": {"2.22.4": ("pdm[locked]==2.22.4",), "2.29.4": ("hishel<2",)},
    "uv": {"0.8.24": (), "0.13.9": ()},
    "maturin": {"1.9.4": (), "1.16.0": ()},
    "cargo": {"stable": ()},
    "npm": {"10.9.9": (), "11.19.1": ()},
}


class Case(NamedTuple):
    """A call of a tool in a folder of its own, which has ``home`` and ``project`` in it.

    :param arguments: the arguments after the tool's name.
    :param environ: the variables, besides ``HOME`` and ``PATH``. ``{home}`` and ``{project}`` in
        a value are the folders.
    :param files: the texts of the files, by their paths below the folder of the case.
    :param folder: the folder in which the tool starts, below that of the case.
    """

    arguments: tuple[str, ...]
    environ: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    folder: str = "project"


class Answer(NamedTuple):
    """Where an upload goes, and as whom.

    :param url: the index's URL; empty: the one that the tool has built in; ``test``: the test index
        that it has built in.
    :param username: the user name; None: the tool knows none.
    :param files: the base names of the files that the tool collects; None: it was not asked.
    :param error: why nothing would be sent: the tool's own error, or that it is a dry run.
    """

    url: str = ""
    username: str | None = None
    files: tuple[str, ...] | None = None
    error: str = ""


def lay_out(case: Case, root: Path) -> None:
    """Make the folder of a case, with its files."""
    for name in ("home", "project"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for path, text in case.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode("utf-8", "surrogateescape"))


def environ_of(case: Case, root: Path) -> dict[str, str]:
    """The variables of a case."""
    folders = {"{home}": str(root / "home"), "{project}": str(root / "project")}
    found = {"HOME": str(root / "home"), "PATH": "/usr/bin:/bin"}
    for name, value in case.environ.items():
        for mark, folder in folders.items():
            value = value.replace(mark, folder)
        found[name] = value
    return found


def configuration() -> Configuration:
    """The shipped configuration."""
    return loading.load({"SECRETLY_CONFIG": os.devnull})


def upload(tool: str, case: Case, root: Path, known: Configuration) -> Upload:
    """What secretly sees of a case. The process works in the case's folder from here on.

    :raises Refused: if secretly doesn't recognize the tool's call.
    """
    os.chdir(root / case.folder)
    invocation = recognize([tool, *case.arguments], known)
    environ = environ_of(case, root)
    found = upload_of(invocation, environ, commands=known.commands) if invocation else None
    if found is None:
        raise Refused("not recognized", "")
    return found


def answer_of(upload: Upload) -> Answer:
    """What secretly says of an upload, without its files.

    :raises Refused: if secretly refuses the call.
    """
    destination = upload.destination
    url = destination.url
    if not url and destination.builtin:
        url = "" if destination.secret == "PyPI" else "test"
    elif not url:  # only the tool would know it
        url = f"the index named {destination.repository}"
    return Answer(url, destination.username)


def answer_with_files(upload: Upload) -> Answer:
    """What secretly says of an upload, with the files that the tool is given or finds.

    :raises Refused: if secretly refuses the call.
    """
    found = answer_of(upload)
    if upload.why_needs_none or upload.identity:
        return found
    call = upload._call
    files = {os.path.basename(file.path) for file in collect(call, call.start_folder, "")}
    return found._replace(files=tuple(sorted(files)))


def pinned(tool: str, case: Case, root: Path, found: Upload, known: Configuration) -> Case:
    """The call as secretly starts it: pinned, with a user name and a secret in its variables.

    :raises Refused: if the destination can't be pinned.
    """
    found.make_empty()
    pin, row = found.pin, known.commands[tool]
    environ = {**environ_of(case, root), **pin.environ}
    for name in pin.removes:
        environ.pop(name, None)
    if not found.given_by:
        for name in found.secrets(row.secrets):
            environ[name] = "canary-secret"
        if row.username:
            username = found.destination.username
            environ[found.variable(row.username)] = "__token__" if username is None else username
        own = {*found.secrets(row.secrets), *pin.environ}
        for name in {*map(found.variable, row.alternatives)} - own:
            environ.pop(name, None)
        environ.update(dict.fromkeys({*map(found.variable, row.blanks)} - own, ""))
    return Case(pin.arguments, environ, {}, case.folder)


def npm(version: str) -> Path:
    """The program of a version of npm. It is installed if it isn't there."""
    folder = INSTALLED / f"npm-{version}"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
        words: list[str | Path] = ["npm", "install", *quiet, "--prefix", folder]
        subprocess.run([*words, f"npm@{version}"], check=True)
        (folder / "ready").touch()
    return folder / "node_modules" / "npm" / "bin" / "npm-cli.js"


def interpreter(tool: str, version: str) -> Path:
    """The Python of a version of a tool. It is installed if it isn't there."""
    folder = INSTALLED / f"{tool}-{version}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        wanted = [f"{tool}=={version}", *VERSIONS[tool][version]]
        venv: list[str | Path] = [sys.executable, "-m", "venv", folder]
        pip: list[str | Path] = [python, "-m", "pip", "install", "-q"]
        if uv := shutil.which("uv"):  # installs in seconds what takes pip minutes
            venv = [uv, "venv", "-q", "--python", sys.executable, folder]
            pip = [uv, "pip", "install", "-q", "--python", python]
        subprocess.run(venv, check=True)
        subprocess.run([*pip, *wanted], check=True)
        (folder / "ready").touch()
    return python


def ask(tool: str, version: str, cases: Sequence[tuple[Case, Path]]) -> list[Answer]:
    """What a version of a tool says of the cases, whose folders are laid out.

    One process, in the tool's own environment, reads a line of JSON for each case, and writes one.
    """
    driver = HERE / "drivers" / f"{tool}.py"
    lines = [
        json.dumps(
            {
                "arguments": case.arguments,
                "environ": environ_of(case, root),
                "folder": str(root / case.folder),
            }
        )
        for case, root in cases
    ]
    python = interpreter(tool, version)
    done = subprocess.run(
        [python, "-P", driver],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=300 + 5 * len(cases),
        cwd=INSTALLED,
        env={**os.environ, "PYTHONPATH": str(HERE / "drivers" / "shared")},
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(answers) != len(cases):
        raise AssertionError(
            f"{driver} of {version} ended after {len(answers)} cases, with {done.returncode}: "
            f"{done.stderr[-2000:]}"
        )
    return [
        Answer(
            a["url"], a["username"], None if a["files"] is None else tuple(a["files"]), a["error"]
        )
        for a in answers
    ]
