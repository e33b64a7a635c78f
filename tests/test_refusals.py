"""A No counts for a minute, for the agent that was refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from secretly.asking.refusals import DURATION, is_refused, note
from secretly.config import places

CLAUDE, CODEX = (411, 90210), (500, 90211)


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """A runtime folder of one's own."""
    tmp_path.chmod(0o700)
    return {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}


def test_a_no_counts_for_a_minute(environ: Mapping[str, str]) -> None:
    """And not longer."""
    assert not is_refused(CLAUDE, environ, 1000)
    note(CLAUDE, environ, 1000)
    assert is_refused(CLAUDE, environ, 1000)
    assert is_refused(CLAUDE, environ, 1000 + DURATION - 1)
    assert not is_refused(CLAUDE, environ, 1000 + DURATION)


def test_a_no_counts_for_one_agent(environ: Mapping[str, str]) -> None:
    """A process with the same number that started at another time is another one."""
    note(CLAUDE, environ, 1000)
    note(CODEX, environ, 1010)
    assert is_refused(CLAUDE, environ, 1020)
    assert is_refused(CODEX, environ, 1020)
    assert not is_refused((411, 90299), environ, 1020)


def test_the_file_stays_small(environ: Mapping[str, str]) -> None:
    """The oldest go first."""
    for number in range(300):
        note((number, 1), environ, 1000)
    assert is_refused((299, 1), environ, 1001)
    assert not is_refused((0, 1), environ, 1001)
    file = Path(places.shared_folder(environ), "refused")
    assert file.stat().st_size < 4096
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"\xff\0\n", b"1 2\n", b"a b c\n", b"411 90210 99999999999\n", b"9" * 9999]
)
def test_what_the_file_should_not_have_counts_for_nothing(
    content: bytes, environ: Mapping[str, str]
) -> None:
    """A time that lies too far ahead was not written by secretly."""
    note(CODEX, environ, 1000)
    file = Path(places.shared_folder(environ), "refused")
    file.write_bytes(content)
    assert not is_refused(CLAUDE, environ, 1001)
    note(CLAUDE, environ, 1001)
    assert is_refused(CLAUDE, environ, 1002)


def test_a_file_that_cannot_be_used_stops_nothing(environ: Mapping[str, str]) -> None:
    """It is for manners: the next question is asked."""
    folder = Path(places.shared_folder(environ))
    (folder / "refused").mkdir(parents=True)
    note(CLAUDE, environ, 1000)
    assert not is_refused(CLAUDE, environ, 1000)
    (folder / "refused").rmdir()
    (folder / "elsewhere").touch()
    (folder / "refused").symlink_to(folder / "elsewhere")
    note(CLAUDE, environ, 1000)
    assert (folder / "elsewhere").read_bytes() == b""
