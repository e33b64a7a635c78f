"""The man pages are what ``--help`` says, and man shows them without a warning."""

from __future__ import annotations

import configparser
import os
import subprocess
from pathlib import Path

import manpages
import pytest
from command import PATIENCE
from conftest import need

from secretly.cli.described import describe_all
from secretly.cli.verbs import VERBS

FOLDER = manpages.FOLDER


def test_the_pages_are_what_the_script_makes() -> None:
    """To write them anew: ``python tests/manpages.py``."""
    there = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    assert there == manpages.pages()
    assert there.keys() == {"secretly.1", *(f"secretly-{verb}.1" for verb in VERBS)}


def test_the_pages_and_scripts_are_installed() -> None:
    """Each file that setup.cfg names is there."""
    parser = configparser.ConfigParser()
    parser.read(FOLDER.parent.parent / "setup.cfg", encoding="utf-8")
    placed = parser["options.data_files"]
    assert placed["share/man/man1"].split() == ["docs/man/*.1"]
    for pattern in " ".join(placed.values()).split():
        assert list(FOLDER.parent.parent.glob(pattern)), pattern


def test_special_characters_are_shown_as_they_are() -> None:
    """roff would read a leading dot as a request, and show a dash as a hyphen."""
    assert manpages.plain(".env -x 'a\\b' ~ ^ `…") == (
        r"\&.env \-x \(aqa\eb\(aq \(ti \(ha \(ga\(u2026"
    )


@pytest.mark.real
def test_man_shows_each_page_without_a_warning() -> None:
    """With the names of all options, none of them cut."""
    need("man", "groff")
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "78", "PAGER": "cat"}
    for path in sorted(FOLDER.glob("*.1")):
        shown = subprocess.run(
            ["man", "--warnings=w", "-P", "cat", "-l", str(path)],
            env=environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert (shown.returncode, shown.stderr) == (0, ""), path
        text = " ".join(shown.stdout.split())
        for verb in describe_all():
            if path.name == f"secretly-{verb.name}.1":
                assert all(one.help in text for one in verb.options)
                assert all(name in text for one in verb.options for name in one.names)
        assert Path(path).stem.upper() in text
