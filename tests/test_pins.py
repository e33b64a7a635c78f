"""The empty file and the empty folder that switch a tool's settings files off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from secretly.errors import Refused
from secretly.publishing.pins import empty_file, empty_folder, make
from secretly.publishing.tool import Pin


def state(path: Path) -> dict[str, str]:
    """The variables for a home in a folder."""
    return {"HOME": str(path), "XDG_STATE_HOME": str(path / "state")}


def made(environ: dict[str, str]) -> tuple[Path, Path]:
    """The empty folder and the empty file, made for a pin that names both."""
    folder, file = empty_folder(environ), empty_file(environ)
    make(Pin((f"--config={file}",), {"FOLDER": folder}), environ)
    return Path(folder), Path(file)


def test_only_what_a_pin_names_is_made(tmp_path: Path) -> None:
    """A look writes nothing."""
    environ = state(tmp_path)
    folder, file = empty_folder(environ), empty_file(environ)
    make(Pin(("upload", f"{folder}.whl"), {"OTHER": "x"}), environ)
    assert os.listdir(tmp_path) == []
    make(Pin((), {"FOLDER": folder}), environ)
    assert os.path.isdir(folder)
    assert not os.path.exists(file)


def test_they_are_empty_and_only_this_users(tmp_path: Path) -> None:
    """Both are made once, and found again."""
    for _ in range(2):
        folder, file = made(state(tmp_path))
        assert os.listdir(folder) == []
        assert file.read_bytes() == b""
        assert os.stat(folder).st_mode & 0o077 == os.stat(file).st_mode & 0o077 == 0


def test_what_is_in_them_is_refused(tmp_path: Path) -> None:
    """The tool would read it as its settings."""
    folder, file = made(state(tmp_path))
    (folder / "config.toml").touch()
    with pytest.raises(Refused, match="must be empty") as caught:
        empty_folder(state(tmp_path))
    assert "remove it" in caught.value.hint
    file.write_text("[repositories]\n")
    with pytest.raises(Refused, match="must be empty"):
        empty_file(state(tmp_path))


def test_a_link_or_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """It is not followed, and not read."""
    _, path = made(state(tmp_path))
    pin = Pin((f"--config={path}",))
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="can't make the empty file"):
        make(pin, state(tmp_path))
    with pytest.raises(Refused):
        empty_file(state(tmp_path))
    path.unlink()
    path.mkdir()
    with pytest.raises(Refused):
        empty_file(state(tmp_path))


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    """The error names the folder that can't be made."""
    (tmp_path / "state").touch()
    for find in (empty_file, empty_folder):
        pin = Pin((find(state(tmp_path)),))
        with pytest.raises(Refused, match="can't make the folder") as caught:
            make(pin, state(tmp_path))
        assert caught.value.hint
