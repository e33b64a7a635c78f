"""Which files a run of the tests reads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import conftest
import pytest


@pytest.mark.parametrize(
    ("asked_for", "text", "is_read"),
    [
        ("alone and not real", "@pytest.mark.alone\ndef test(): ...", True),
        ("alone and not real", "def test():\n    'Leave it alone.'", False),
        ("process and outside", "pytestmark = [pytest.mark.process, pytest.mark.outside]", True),
        ("process and outside", "pytestmark = pytest.mark.process", False),
        ("hypothesis and not real", "from hypothesis import given", True),
        ("hypothesis and not real", "def test(): ...", False),
        ("not real and not alone", "def test(): ...", True),
        ("alone or real", "def test(): ...", True),
        ("not (alone or real)", "def test(): ...", True),
        ("", "def test(): ...", True),
    ],
)
def test_a_file_without_the_marker_that_is_asked_for_is_not_read(
    tmp_path: Path, asked_for: str, text: str, is_read: bool
) -> None:
    """With *or* or parentheses, each file is read."""
    path = tmp_path / "test_some.py"
    path.write_text(text)
    config = SimpleNamespace(option=SimpleNamespace(markexpr=asked_for))
    assert conftest.pytest_ignore_collect(path, config) is (None if is_read else True)


def test_folders_are_always_read(tmp_path: Path) -> None:
    """The files in them decide."""
    config = SimpleNamespace(option=SimpleNamespace(markexpr="alone"))
    assert conftest.pytest_ignore_collect(tmp_path, config) is None
