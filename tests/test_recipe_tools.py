"""Releases that are not typed: the real make, nox, tox and hatch start the real twine.

The index is on loopback, and accepts only tokens that it made for the project.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import tokens
from command import Ended, Home, home
from test_publishing import FILE, project, publish, tool

from secretly.asking.assuan import unescape
from secretly.publishing.pypi_token import token_scope
from secretly.testing import FakePinentry

pytestmark = [pytest.mark.real, pytest.mark.outside]

#: A twine that a recipe's own environment puts first on PATH.
OWN_TWINE = f"#!{sys.executable} -I\nfrom twine.__main__ import main\nraise SystemExit(main())\n"

#: The recipes: the files of each, and the command that runs it.
RECIPES: Mapping[str, tuple[Mapping[str, str], Sequence[str]]] = {
    "make": (
        {"Makefile": f"release:\n\ttwine upload --repository-url {{url}} {FILE}\n"},
        ("make", "release"),
    ),
    "nox": (
        {
            "noxfile.py": "import nox\n\n"
            "@nox.session(venv_backend='venv', venv_params=['--without-pip'])\n"
            "def release(session):\n"
            "    session.run('sh', '-c', f'cp own-twine {session.bin}/twine', external=True)\n"
            f"    session.run('twine', 'upload', '--repository-url', '{{url}}', '{FILE}')\n"
        },
        ("nox", "-s", "release"),
    ),
    "tox": (
        {
            "tox.ini": "[testenv:release]\nskip_install = true\npass_env = TWINE_*\n"
            "allowlist_externals = sh\n"
            "commands =\n    sh -c 'cp own-twine {env_bin_dir}/twine'\n"
            f"    twine upload --repository-url {{url}} {FILE}\n"
        },
        ("tox", "-e", "release"),
    ),
    "hatch": (
        {
            "hatch.toml": "[envs.default]\nskip-install = true\nsystem-packages = true\n"
            "[envs.default.scripts]\n"
            "release = 'sh own-release'\n",
            "own-release": 'cp own-twine "$(dirname "$(command -v python)")/twine"\n'
            f"twine upload --repository-url {{url}} {FILE}\n",
        },
        ("hatch", "run", "release"),
    ),
}


class Place(NamedTuple):
    """A home with the project ``demo`` and a recipe, and an index."""

    home: Home
    index: tokens.Warehouse
    command: Sequence[str]

    def run(self, *options: str, answers: Sequence[object] = (True,)) -> tuple[Ended, list[str]]:
        """Run the recipe with options of secretly's; return its end, and what each prompt said."""
        path = os.pathsep.join((str(Path(tool("twine")).parent), os.environ["PATH"]))
        with FakePinentry(list(answers)) as fake:  # type: ignore[arg-type]
            environ = {**fake.environ, "PATH": path}
            done = publish(self.home, [tool(self.command[0]), *self.command[1:]], environ, *options)
            shown = [unescape(prompt["SETDESC"].encode()).decode() for prompt in fake.prompts]
        return done, shown

    def store(self) -> None:
        """Store a token of the index that is not limited."""
        self.home.keep_in_a_file()
        done = self.home.run("set", "PyPI", "--stdin", stdin=self.index.token())
        assert done.status == 0, done


@pytest.fixture(name="place")
def _place(request: pytest.FixtureRequest) -> Iterator[Place]:
    files, command = RECIPES[request.param]
    tool(command[0])
    with home() as found, tokens.warehouse() as index:
        folder = found.folder / "demo"
        folder.mkdir()
        project(folder)
        for name, text in {**files, "own-twine": OWN_TWINE}.items():
            (folder / name).write_text(text.replace("{url}", index.url))
        (folder / "own-twine").chmod(0o755)
        place = Place(found, index, command)
        place.store()
        yield place


@pytest.mark.parametrize("place", ["make"], indirect=True)
def test_a_wrapped_tool_asks_with_its_files_and_index(place: Place) -> None:
    """The recipe's twine shows what it uploads, and gets a token for that project alone."""
    done, shown = place.run("--wrap", "twine")
    assert done.status == 0, done
    (dialog,) = shown
    assert "upload: demo 1.0\n" in dialog
    assert place.index.host in dialog
    (upload,) = place.index.uploads
    assert (upload.project, upload.status) == ("demo", 200)
    assert token_scope(upload.token).projects == {"demo"}


@pytest.mark.parametrize("place", ["nox", "tox", "hatch"], indirect=True)
def test_a_recipe_with_its_own_tool_gets_a_token_for_the_project(place: Place) -> None:
    """It gets the variables of the tool that ``--as`` names, after a Yes."""
    done, shown = place.run("--as", "twine", "--project", "demo")
    assert done.status == 0, done
    (dialog,) = shown
    assert "\nproject: demo\n" in dialog
    (upload,) = place.index.uploads
    assert (upload.project, upload.status) == ("demo", 200)
    assert token_scope(upload.token).projects == {"demo"}


@pytest.mark.parametrize("place", ["make"], indirect=True)
def test_a_no_sends_nothing(place: Place) -> None:
    """The recipe fails with its twine."""
    done, _ = place.run("--wrap", "twine", answers=[False])
    assert done.status != 0
    assert place.index.uploads == []
