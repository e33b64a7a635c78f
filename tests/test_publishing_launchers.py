"""The real pdm, hatch and poetry as launchers of twine, held to what the dialog shows."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping

import pytest
import tokens
from command import Ended, Home
from test_publishing import FILE, home_with_project, tool
from test_publishing_binaries import filled, run, write
from tokens import Warehouse

pytestmark = [pytest.mark.real, pytest.mark.outside]

#: Where hatch keeps an environment of the type ``system``: it expects the folder.
HATCHS = "~/.local/share/hatch/env/system/made"

HATCH = "[tool.hatch.envs.default]\ntype = 'system'\nskip-install = true\n"

PDM = "[tool.pdm.scripts]\n"

#: The launcher, the project's settings, and its other files.
Project = tuple[str, str, Mapping[str, str]]


@pytest.fixture(name="index")
def _index() -> Iterator[Warehouse]:
    with tokens.warehouse() as found:
        yield found


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    """A home with the project ``demo``, whose environment is that of this Python."""
    with home_with_project() as found:
        write(found, {".pdm-python": sys.executable, HATCHS: ""})
        yield found


def with_twine(index: Warehouse) -> dict[str, str]:
    """Variables with which each launcher finds twine. Nothing leaves this machine."""
    paths = [os.path.dirname(tool(name)) for name in ("twine", "pdm", "hatch", "poetry")]
    return {
        "PATH": os.pathsep.join([*dict.fromkeys(paths), "/usr/bin", "/bin"]),
        "VIRTUAL_ENV": sys.prefix,
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "PDM_CHECK_UPDATE": "0",
    }


def launched(home: Home, index: Warehouse, case: Project, more: str = "") -> tuple[Ended, str]:
    """Run twine with a launcher of a project, as far as secretly lets it run."""
    launcher, settings, files = case
    files = {"pyproject.toml": settings, **files}
    write(home, {path: filled(text, home, index) for path, text in files.items()})
    line = f"{launcher} twine --no-color upload {more} {FILE}"
    return run(home, index, line, with_twine(index))


#: Projects that name the index.
NAMING: dict[str, Project] = {
    "pdm": ("pdm run", PDM + "_.env.TWINE_REPOSITORY_URL = '{url}'\n", {}),
    "hatch": ("hatch run", HATCH + "env-vars.TWINE_REPOSITORY_URL = '{url}'\n", {}),
    "hatch, in a file of its own": (
        "hatch run",
        HATCH + "env-vars.TWINE_REPOSITORY_URL = 'http://127.0.0.1:1/'\n",
        {
            "hatch.toml": HATCH.replace("tool.hatch.", "")
            + "env-vars.TWINE_REPOSITORY_URL = '{url}'"
        },
    ),
    "hatch, in the template": (
        "hatch -e other run",
        HATCH + "env-vars.TWINE_REPOSITORY_URL = '{url}'\n[tool.hatch.envs.other]\n",
        {},
    ),
}


@pytest.mark.parametrize("name", NAMING)
def test_the_index_that_a_project_names_through_a_launcher_is_shown(
    home: Home, index: Warehouse, name: str
) -> None:
    """The upload arrives there with a narrowed token."""
    done, shown = launched(home, index, NAMING[name])
    assert done.status == 0, done
    assert index.statuses == [200]
    assert tokens.limits(index.uploads[0].token).projects == ["demo"]
    assert index.host in shown


#: Projects that would send the upload elsewhere than ``--repository-url`` or ``.pypirc`` say.
STEERING: dict[str, Project] = {
    "pdm's file of variables": (
        "pdm run",
        PDM + "_.env_file.override = 'own'\n",
        {"own": "TWINE_REPOSITORY_URL={url}\n"},
    ),
    "pdm's script": (
        "pdm run",
        PDM + "twine.shell = 'python -m twine upload --repository-url {url} " + FILE + " # '\n",
        {},
    ),
    "hatch's variables on a condition": (
        "hatch run",
        HATCH + "overrides.env.HOME.env-vars = 'TWINE_REPOSITORY_URL={url}'\n",
        {},
    ),
}


@pytest.mark.parametrize("name", STEERING)
def test_a_project_that_steers_through_a_launcher_gets_nothing(
    home: Home, index: Warehouse, name: str
) -> None:
    """Without secretly, the upload goes elsewhere; secretly refuses it, and asks nothing."""
    case = STEERING[name]
    done, shown = launched(home, index, case, "-r corp")
    assert (done.status, shown, index.uploads) == (125, "", [])
    write(home, {"~/.pypirc": "[distutils]\nindex-servers = corp\n[corp]\n"})
    write(home, {"~/.pypirc": "repository = http://127.0.0.1:1/\n"})
    words = shlex.split(f"{case[0]} twine --no-color upload -r corp {FILE}")
    own = {"TWINE_USERNAME": "__token__", "TWINE_PASSWORD": index.token()}
    home.run_any(
        [tool(words[0]), *words[1:]],
        environ={**with_twine(index), **own},
        cwd=home.folder / "demo",
    )
    assert index.uploads


@pytest.mark.parametrize("launcher", ["pdm run", "hatch run", "poetry run"])
def test_a_project_that_steers_nothing_uploads(home: Home, index: Warehouse, launcher: str) -> None:
    """The pinned words and variables get through the launcher."""
    done, _ = launched(home, index, (launcher, HATCH, {}), f"--repository-url {index.url}")
    assert done.status == 0, done
    assert index.statuses == [200]
