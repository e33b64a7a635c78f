"""Many files, read by two threads."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import tokens

from secretly.publishing.archives import Readings, read_distribution
from secretly.publishing.together import read_all

#: How long a test waits for the other thread, in seconds.
PATIENCE = 30


@pytest.mark.parametrize("alone", [0, PATIENCE])
@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_each_file_is_read_once(count: int, alone: float) -> None:
    """The results are in the order of the files, and no thread is left."""
    before, seen = threading.active_count(), list[int]()

    def read(number: int) -> int:
        seen.append(number)
        return -number

    assert read_all(range(count), read, alone) == tuple(-n for n in range(count))
    assert sorted(seen) == [*range(count)]
    assert threading.active_count() == before


def test_two_files_are_read_at_the_same_time() -> None:
    """Each of them waits until the other one is read."""
    both = threading.Barrier(2, timeout=PATIENCE)
    assert sorted(read_all("ab", lambda _: both.wait(), 0)) == [0, 1]


def test_no_thread_is_started_for_what_is_read_soon() -> None:
    """To start one would take longer."""
    assert len(set(read_all(range(20), lambda _: threading.get_ident(), PATIENCE))) == 1


def test_one_thread_reads_all_files_where_no_other_can_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A system may limit how many there are."""

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert read_all(range(5), lambda number: -number, 0) == (0, -1, -2, -3, -4)


def test_the_first_file_that_fails_is_named() -> None:
    """Whichever thread fails first."""
    third = threading.Event()

    def read(number: int) -> int:
        if number == 2:
            assert third.wait(PATIENCE)
            raise ValueError(number)
        if number == 3:
            third.set()
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="2"):
        read_all(range(100), read, 0)


@pytest.mark.parametrize("here", [True, False])
def test_nothing_is_read_after_a_failure(here: bool) -> None:
    """Whether this thread fails or the other one. Neither is left."""
    main, before = threading.get_ident(), threading.active_count()
    seen = list[int]()

    def read(number: int) -> int:
        seen.append(number)
        if (threading.get_ident() == main) == here:
            raise KeyboardInterrupt
        time.sleep(0.001)
        return number

    with pytest.raises(KeyboardInterrupt):
        read_all(range(10_000), read, 0)
    assert len(seen) < 10_000
    assert threading.active_count() == before


def test_files_read_together_are_as_if_read_one_after_another(tmp_path: Path) -> None:
    """With the same earlier results."""
    paths = [str(tokens.wheel(tmp_path, f"demo{number}")) for number in range(20)]
    readings: Readings = {}
    found = read_all(paths, lambda path: read_distribution(path, readings=readings), 0)
    assert found == tuple(map(read_distribution, paths))
    assert found == tuple(read_distribution(path, readings=readings) for path in paths)
    assert [file.project for file in found] == [f"demo{number}" for number in range(20)]
