"""What each call of the library works with is as it is now, though most of it is kept."""

from __future__ import annotations

import asyncio
import gc
import os
import time
import traceback
import weakref
from pathlib import Path

import pytest

from secretly.api import contexts
from secretly.config.model import Configuration
from secretly.errors import BadConfiguration, Refused
from secretly.waiting import sharing, tasks
from secretly.waiting.events import Event


@pytest.fixture(name="file")
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's configuration would be."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SECRETLY_CONFIG", raising=False)
    (tmp_path / "secretly").mkdir(mode=0o700)
    return tmp_path / "secretly/config.toml"


def written(file: Path, username: str) -> None:
    """Configure a user name, and wait until another change would have another time."""
    file.write_text(f'[secrets.Example]\nusername = "{username}"\n')
    file.chmod(0o600)
    until = file.stat().st_ctime + 0.1
    while time.time() < until:
        time.sleep(0.01)


def configured() -> Configuration:
    """The configuration of a call that begins now."""
    return contexts._configured(contexts._environ())


def test_a_file_that_has_not_changed_is_loaded_once(file: Path) -> None:
    """Two calls have the same configuration, and so have two calls without a file."""
    assert configured() is configured()
    written(file, "ada")
    first = configured()
    assert first.entry("Example").username == "ada"
    assert configured() is first


def test_a_changed_file_is_seen(file: Path) -> None:
    """A file that appears, that changes, that gets another name or that goes is seen."""
    assert configured().entry("Example").username is None
    for username in ("ada", "eve"):  # of the same length: the size says nothing
        written(file, username)
        assert configured().entry("Example").username == username
        assert configured().entry("Example").username == username
    file.unlink()
    assert configured().entry("Example").username is None


def test_a_change_shortly_after_another_is_seen(file: Path) -> None:
    """Two changes can have the same time, so a file that has just changed is read again."""
    for number in range(200):
        file.write_text(f'[secrets.Example]\nusername = "user-{number:03}"\n')
        assert configured().entry("Example").username == f"user-{number:03}"


def test_another_files_name_is_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that names another file counts from the next call on."""
    written(file, "ada")
    other = file.with_name("other.toml")
    written(other, "eve")
    assert configured().entry("Example").username == "ada"
    monkeypatch.setenv("SECRETLY_CONFIG", str(other))
    assert configured().entry("Example").username == "eve"
    monkeypatch.setenv("SECRETLY_CONFIG", str(file.with_name("missing.toml")))
    with pytest.raises(BadConfiguration):
        configured()


def test_a_file_that_others_come_to_write_is_refused(file: Path) -> None:
    """A file that was loaded is checked again once its permissions have changed."""
    written(file, "ada")
    assert configured() is configured()
    file.chmod(0o666)
    for _ in range(2):  # an error is not kept either
        with pytest.raises(Refused):
            configured()


def test_another_user_of_the_process_loads_the_file_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others could change depends on who the process is."""
    written(file, "ada")
    first = configured()
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    if file.stat().st_uid:
        with pytest.raises(Refused):
            configured()
    else:  # root may change everything
        assert configured() is not first


def test_a_changed_variable_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is the same object until a variable changes, whichever way."""
    monkeypatch.setenv("CANARY", "1")
    first = contexts._environ()
    assert contexts._environ() is first and first["CANARY"] == "1"
    os.environb[b"CANARY"] = b"2"
    assert contexts._environ()["CANARY"] == "2"
    assert first["CANARY"] == "1"  # a call that began before goes on with what it had
    monkeypatch.delenv("CANARY")
    assert "CANARY" not in contexts._environ()
    assert dict(contexts._environ()) == dict(os.environ)


def test_a_call_can_not_change_the_environment_of_another() -> None:
    """Each context has a copy."""
    one, another = contexts.current(), contexts.current()
    one.environ["CANARY"] = "1"  # type: ignore[index]
    assert "CANARY" not in another.environ
    assert "CANARY" not in contexts.current().environ


# -- calls that share their work -------------------------------------------------------


def test_the_end_of_the_work_wakes_all_callers_together() -> None:
    """Those that gave up before, or are cancelled by one that goes on, take no other with them."""
    shared: sharing.Shared[str] = sharing.Shared()

    async def main() -> list[object]:
        go = Event()

        async def work() -> str:
            await go
            return "canary"

        callers = [asyncio.ensure_future(shared.do("key", work)) for _ in range(5)]
        callers[0].add_done_callback(lambda _: callers[3].cancel())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        callers[1].cancel()
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(*callers, return_exceptions=True)

    found = asyncio.run(asyncio.wait_for(main(), 10))
    assert [found[number] for number in (0, 2, 4)] == ["canary"] * 3
    assert isinstance(found[1], asyncio.CancelledError)


def test_a_caller_that_waits_has_no_dictionary() -> None:
    """Thousands may wait for the same secret, and each would have one."""

    async def work() -> str:
        return "canary"

    assert not hasattr(sharing._Caller({}, "key", work, None), "__dict__")


def test_work_that_ends_immediately_is_returned() -> None:
    """It may end before its first caller waits."""
    shared: sharing.Shared[int] = sharing.Shared()

    async def work() -> int:
        return 1

    async def main() -> list[int]:
        return await tasks.gather(*(shared.do("key", work) for _ in range(3)))

    assert asyncio.run(main()) == [1, 1, 1]


def test_an_error_that_callers_share_has_a_traceback_for_each() -> None:
    """A hundred callers don't find all the others in it."""
    shared: sharing.Shared[int] = sharing.Shared()

    async def fails() -> int:
        raise LookupError

    async def length() -> int:
        try:
            return await shared.do("key", fails)
        except LookupError as error:
            return len(traceback.extract_tb(error.__traceback__))

    async def main() -> list[int]:
        return await tasks.gather(*(length() for _ in range(100)))

    found = asyncio.run(main())
    assert len(found) == 100
    assert len(set(found)) == 1


def test_what_was_shared_is_freed_with_its_last_caller() -> None:
    """A secret does not stay in memory until Python looks for what nothing refers to."""
    shared: sharing.Shared[Event] = sharing.Shared()
    made: list[weakref.ref[Event]] = []

    async def work() -> Event:
        await asyncio.sleep(0)
        value = Event()
        made.append(weakref.ref(value))
        return value

    async def main() -> None:
        assert len(await asyncio.gather(*(shared.do("key", work) for _ in range(3)))) == 3
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert made[0]() is None

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()
