"""One dialog at a time on a screen, whichever process opens it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from command import PATIENCE, SECRETLY, ended, home, wait_until

from secretly.asking import screen_turns
from secretly.config import places
from secretly.errors import PromptTimeout
from secretly.safefiles import shared
from secretly.testing import FakePinentry
from secretly.waiting import turns


def environ(folder: Path, **screens: str) -> dict[str, str]:
    """The environment of a program on these screens."""
    return {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), **screens}


@pytest.mark.parametrize(
    ("screens", "names"),
    [
        ({"DISPLAY": ":0"}, ["x11-_0"]),
        ({"DISPLAY": ":0.1"}, ["x11-_0"]),
        ({"DISPLAY": "unix:0"}, ["x11-_0"]),
        ({"DISPLAY": "other:0"}, ["x11-other_0"]),
        ({"DISPLAY": "../../x"}, ["x11-.._.._x"]),
        ({"WAYLAND_DISPLAY": "wayland-0"}, ["wayland-wayland-0"]),
        ({"WAYLAND_DISPLAY": "/run/user/1/w"}, ["wayland-w"]),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":1"}, ["wayland-w", "x11-_1"]),
    ],
)
def test_each_screen_has_a_name(screens: dict[str, str], names: list[str]) -> None:
    """Every form of a screen's name on this machine means the same screen."""
    assert screen_turns.screen_names(screens) == names


def test_without_a_name_the_platform_has_one_screen() -> None:
    """macOS and Windows' desktop under WSL have no variable for their screen."""
    assert len(screen_turns.screen_names({})) == 1


def lock(folder: Path, **screens: str) -> screen_turns.Lock:
    """The lock of these screens."""
    names = screen_turns.screen_names(screens)
    return screen_turns.Lock([str(folder / name) for name in names])


@pytest.mark.parametrize(
    ("first", "second", "shared_screen"),
    [
        ({"DISPLAY": ":0"}, {"DISPLAY": ":0"}, True),
        ({"DISPLAY": ":0"}, {"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}, True),
        ({"WAYLAND_DISPLAY": "w"}, {"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}, True),
        ({"DISPLAY": ":0"}, {"DISPLAY": ":1"}, False),
    ],
)
def test_a_screen_is_locked_for_one(
    first: dict[str, str], second: dict[str, str], shared_screen: bool, tmp_path: Path
) -> None:
    """Two programs that share one of their screens take turns, and no other two do."""
    one, other = lock(tmp_path, **first), lock(tmp_path, **second)
    one.take()
    if shared_screen:
        with pytest.raises(BlockingIOError):
            other.take()
    else:
        other.take()
        other.release()
    one.release()
    other.take()
    other.release()


@pytest.mark.parametrize("made_again", [False, True])
def test_a_deleted_file_locks_nothing(
    made_again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a lock and gets it when its file is deleted has not got the lock."""
    one = lock(tmp_path, DISPLAY=":0")
    real = screen_turns.fcntl.flock

    def flock(descriptor: int, how: int) -> None:
        (tmp_path / "x11-_0").unlink()
        if made_again:
            (tmp_path / "x11-_0").touch()
        real(descriptor, how)

    monkeypatch.setattr(screen_turns.fcntl, "flock", flock)
    with pytest.raises(BlockingIOError):
        one.take()


def test_a_failed_attempt_locks_nothing(tmp_path: Path) -> None:
    """A process that gets one of two screens gives it back, so that none waits in vain."""
    x11, both = lock(tmp_path, DISPLAY=":0"), lock(tmp_path, DISPLAY=":0", WAYLAND_DISPLAY="w")
    x11.take()
    with pytest.raises(BlockingIOError):
        both.take()
    wayland = lock(tmp_path, WAYLAND_DISPLAY="w")
    wayland.take()
    for one in (wayland, x11):
        one.release()


async def take_turn(variables: dict[str, str], timeout: float) -> list[str]:
    """Take the turn and give it back; return what was said meanwhile, or the error."""
    said: list[str] = []
    try:
        async with screen_turns.turn(variables, timeout, turns.Turn(), said.append):
            return said
    except PromptTimeout as error:
        return [*said, str(error)]


@pytest.mark.parametrize(
    ("written", "shown"), [("4321\n", " (process 4321)"), ("", ""), ("x\x1b", "")]
)
def test_waiting_has_an_end_and_is_said(
    written: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a second secretly says what it waits for, and which process to look at."""
    tmp_path.chmod(0o700)
    variables = environ(tmp_path, DISPLAY=":0")
    (tmp_path / "secretly").mkdir(mode=0o700)
    held = screen_turns.Lock([str(tmp_path / "secretly/screen-x11-_0.lock")])
    held.take()
    (tmp_path / "secretly/screen-x11-_0.lock").write_text(written)
    monkeypatch.setattr(screen_turns, "_SILENT", 0.1)
    assert asyncio.run(take_turn(variables, 0.4)) == [
        f"waiting until another dialog on this screen is answered{shown}",
        f"another secretly still has a dialog on this screen{shown}",
    ]
    held.release()
    assert asyncio.run(take_turn(variables, 0.4)) == []
    assert os.listdir(tmp_path / "secretly") == []


@pytest.mark.process
def test_a_forked_process_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    """The file stays, and stays locked."""
    tmp_path.chmod(0o700)
    variables, parent = environ(tmp_path, DISPLAY=":0"), os.getpid()

    async def fork() -> bool:
        try:
            async with screen_turns.turn(variables, 1, turns.Turn(), print):
                if child := os.fork():
                    os.waitpid(child, 0)
                    with pytest.raises(BlockingIOError):
                        screen_turns.Lock([str(tmp_path / "secretly/screen-x11-_0.lock")]).take()
        finally:
            if os.getpid() != parent:
                os._exit(0)
        return True

    assert asyncio.run(fork())


def test_a_lock_that_can_not_be_made_stops_no_dialog(tmp_path: Path) -> None:
    """A link in the place of the file is not followed, and secretly asks without the lock."""
    tmp_path.chmod(0o700)
    (tmp_path / "secretly").mkdir(mode=0o700)
    (tmp_path / "secretly/screen-x11-_0.lock").symlink_to(tmp_path / "elsewhere")
    asyncio.run(take_turn(environ(tmp_path, DISPLAY=":0"), 0.1))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_the_runtime_folder_is_shared_only_if_it_is_private(mode: int, tmp_path: Path) -> None:
    """In a folder that others can enter, the folder for secretly's state is used."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    runtime.chmod(mode)
    variables = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime)}
    private = places.shared_folder(variables) == str(runtime / "secretly")
    assert private is (mode == 0o700)


def test_an_own_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """The folders are made, only the user can read the file, and it has no second name."""
    path = tmp_path / "a" / "b"
    before = os.umask(0o777)
    try:
        os.close(shared.open_own(str(path), os.O_RDWR | os.O_CREAT))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    os.link(path, tmp_path / "other")
    with pytest.raises(OSError, match="one name"):
        shared.open_own(str(path), os.O_RDWR)


def test_a_lock_is_waited_for_only_so_long(tmp_path: Path) -> None:
    """A process that keeps a lock stops no other one."""
    first, second = (shared.open_own(str(tmp_path / "x"), os.O_RDWR | os.O_CREAT) for _ in "12")
    shared.lock(first, 0)
    with pytest.raises(TimeoutError):
        shared.lock(second, 0.02)
    os.close(first)
    shared.lock(second, 0)
    os.close(second)


@pytest.mark.process
def test_two_runs_ask_one_after_the_other() -> None:
    """The second dialog opens when the first one has ended, though each has its own session."""
    with home() as place, FakePinentry([[("hang", False)], True]) as pinentry:
        place.keep_in_a_file()
        assert place.run("set", "Example", "--stdin", stdin="canary-1").status == 0
        variables = {**pinentry.environ, "DISPLAY": ":77"}
        words = [*SECRETLY, "run", "--confirm", "-e", "X=Example", "true"]
        with ended(place.start(words, environ=variables)):
            wait_until(lambda: pinentry.prompts)
            second = place.start(words, environ=variables)
            assert second.stderr is not None
            assert b"waiting until another dialog" in second.stderr.readline()
            assert len(pinentry.prompts) == 1
        with ended(second):
            assert second.wait(PATIENCE) == 0
        assert len(pinentry.prompts) == 2
