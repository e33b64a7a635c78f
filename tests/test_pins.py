"""The empty file and the empty folder that switch a tool's settings files off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from secretly.errors import Refused
from secretly.publishing.pins import empty_file, empty_folder


def state(path: Path) -> dict[str, str]:
    """The variables for a home in a folder."""
    return {"HOME": str(path), "XDG_STATE_HOME": str(path / "state")}


def test_they_are_empty_and_only_this_users(tmp_path: Path) -> None:
    """Both are made once, and found again."""
    for _ in range(2):
        folder, file = empty_folder(state(tmp_path)), empty_file(state(tmp_path))
        assert os.listdir(folder) == []
        assert Path(file).read_bytes() == b""
        assert os.stat(folder).st_mode & 0o077 == os.stat(file).st_mode & 0o077 == 0


def test_what_is_in_them_is_refused(tmp_path: Path) -> None:
    """The tool would read it as its settings."""
    Path(empty_folder(state(tmp_path)), "config.toml").touch()
    with pytest.raises(Refused, match="must be empty") as caught:
        empty_folder(state(tmp_path))
    assert "remove it" in caught.value.hint
    Path(empty_file(state(tmp_path))).write_text("[repositories]\n")
    with pytest.raises(Refused, match="must be empty"):
        empty_file(state(tmp_path))


def test_a_link_or_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """It is not followed, and not read."""
    path = Path(empty_file(state(tmp_path)))
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="can't make the empty file"):
        empty_file(state(tmp_path))
    path.unlink()
    path.mkdir()
    with pytest.raises(Refused):
        empty_file(state(tmp_path))


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    """The error names the folder that can't be made."""
    (tmp_path / "state").touch()
    for make in (empty_file, empty_folder):
        with pytest.raises(Refused, match="can't make the folder") as caught:
            make(state(tmp_path))
        assert caught.value.hint
