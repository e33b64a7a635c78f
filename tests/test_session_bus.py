"""Without a desktop: the bus of the login, lists of addresses, and the first line of errors."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Home, quick
from command import home as fresh_home
from secretservice import SecretService, secret_service

from secretly.asking import wording
from secretly.config.places import BUS_VARIABLE
from secretly.keeping import name_changes
from secretly.keeping.backends import HandOverBus
from secretly.keeping.keychain import Keychain
from secretly.keeping.secret_service import session_bus
from secretly.keeping.stored_names import StoredNames
from secretly.testing import FakePinentry


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    found = Path(tempfile.mkdtemp(prefix="secretly-"))
    yield found
    shutil.rmtree(found)


@pytest.fixture(name="listening")
def _listening(folder: Path) -> Iterator[str]:
    """The path of the bus of a login."""
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(os.fspath(folder / "bus"))
        bus.listen()
        yield os.fspath(folder / "bus")


# -- which bus ---------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "", " "])
def test_the_bus_of_the_login_is_used_without_an_address(given: str | None, listening: str) -> None:
    """The variable may be unset, or empty because a client cleared it."""
    environ = {"XDG_RUNTIME_DIR": os.path.dirname(listening)}
    environ |= {} if given is None else {BUS_VARIABLE: given}
    assert session_bus(environ) == f"unix:path={listening}"
    assert session_bus({**environ, BUS_VARIABLE: "unix:path=/own"}) == "unix:path=/own"


def test_only_a_socket_of_ours_is_the_bus_of_the_login(folder: Path) -> None:
    """Only a socket counts, and only in the folder that XDG_RUNTIME_DIR names."""
    environ = {"XDG_RUNTIME_DIR": os.fspath(folder)}
    assert session_bus(environ) == ""
    (folder / "bus").touch()
    assert session_bus(environ) == ""


def test_another_users_bus_is_not_the_bus_of_the_login(listening: str) -> None:
    """``sudo -E`` passes on the folder of another user, whose bus secretly ignores."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a file another's")
    environ = {"XDG_RUNTIME_DIR": os.path.dirname(listening)}
    assert session_bus(environ)
    os.chown(listening, 4321, 4321)
    assert session_bus(environ) == ""


def test_an_odd_path_is_escaped() -> None:
    """A comma or a semicolon in the path would end the address (D-Bus, Server Addresses)."""
    folder = Path(tempfile.mkdtemp(prefix="a;b,c %"))
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(os.fspath(folder / "bus"))
        found = session_bus({"XDG_RUNTIME_DIR": os.fspath(folder)})
    shutil.rmtree(folder)
    assert "a%3bb%2cc%20%25" in found


def test_of_several_addresses_the_first_that_answers_is_used(listening: str) -> None:
    """secretly skips unusable addresses. If no address works, it takes the first."""
    good, gone = f"unix:path={listening}", "unix:path=/nonexistent/bus"
    for first in (gone, "nonsense", "tcp:host=localhost,port=1", "autolaunch:", "unix:abstract=x"):
        assert session_bus({BUS_VARIABLE: f"{first};{good}"}) == good
        assert session_bus({BUS_VARIABLE: f"{first};;{good};"}) == good
    assert session_bus({BUS_VARIABLE: f"{gone};{gone}2"}) == gone
    assert session_bus({BUS_VARIABLE: f"{gone};"}) == gone


@pytest.mark.parametrize("before", [None, "", "unix:path=/before"])
def test_the_variable_is_as_it_was_afterwards(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is restored even if two blocks overlap and the first block ends first."""
    monkeypatch.delenv(BUS_VARIABLE, raising=False)
    if before is not None:
        monkeypatch.setenv(BUS_VARIABLE, before)
    first, second = HandOverBus("unix:path=/a"), HandOverBus("unix:path=/a")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert os.environ[BUS_VARIABLE] == "unix:path=/a"
    second.__exit__(None, None, None)
    assert os.environ.get(BUS_VARIABLE) == before


# -- the real service --------------------------------------------------------------


@pytest.fixture(name="service", scope="module")
def _service() -> Iterator[SecretService]:
    with secret_service() as found:
        yield found


@pytest.mark.real
@pytest.mark.parametrize("how", ["unset", "empty", "list"])
def test_the_real_service_is_found_without_a_desktop(how: str, service: SecretService) -> None:
    """The fast reader and keyring find the service, and the command's variables stay unchanged."""
    path = service.address.partition("path=")[2].partition(",")[0]
    runtime = Path(service.environ["XDG_RUNTIME_DIR"])
    if not (runtime / "bus").exists():
        (runtime / "bus").symlink_to(path)
    given = {"empty": {BUS_VARIABLE: ""}, "list": {BUS_VARIABLE: f"unix:path=/x;{service.address}"}}
    with fresh_home() as home:
        home.environ["XDG_RUNTIME_DIR"] = os.fspath(runtime)
        home.environ |= given.get(how, {})
        done = home.run("set", f"Name-{how}", "--stdin", stdin="canary-1")
        assert (done.status, done.stderr) == (0, "")
        done = home.run("get", f"Name-{how}")
        assert (done.status, done.stdout) == (0, "canary-1\n")
        (home.folder / ".local/state/secretly/kept.tsv").unlink()  # then only keyring reads it
        shell = ["sh", "-c", 'echo "$X ${DBUS_SESSION_BUS_ADDRESS-unset}"']
        done = home.run("run", "--no-input", "-e", f"X=Name-{how}", *shell)
        assert done.stdout == f"canary-1 {home.environ.get(BUS_VARIABLE, 'unset')}\n", done
        assert home.run("forget", f"Name-{how}").status == 0


# -- the first line of an error ---------------------------------------------------


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    """A home without a bus, where OpenAI is in the list of stored names."""
    with quick() as found:
        names = StoredNames(found.folder / ".local/state/secretly")
        name_changes.add(names, "OpenAI", "ada", True, "keyring.backends.SecretService.Keyring")
        yield found


@pytest.mark.process
@pytest.mark.parametrize("options", [(), ("--no-input",)])
def test_a_stored_secret_that_cannot_be_reached_is_said_first(
    options: tuple[str, ...], home: Home
) -> None:
    """The first line is about the keychain, and not about a missing pinentry."""
    done = home.run("run", *options, "-e", "K=OpenAI", "touch", "ran")
    assert done.status == 125
    first, hint = done.stderr.splitlines()
    assert first.startswith(
        "secretly: OpenAI is stored in the keychain, which can't be reached from here: "
    )
    assert f"{home.folder}/run/bus" in first
    assert BUS_VARIABLE in hint
    assert not (home.folder / "ran").exists()
    other = home.run("run", *options, "-e", "K=Other", "touch", "ran").stderr
    assert "is stored" not in other


@pytest.mark.process
def test_a_prompt_says_that_the_stored_secret_cannot_be_reached(home: Home) -> None:
    """The prompt for a stored secret says why it asks. Other prompts don't."""
    with FakePinentry(["canary-1", "canary-2"]) as fake:
        for name in ("OpenAI", "Other"):
            assert home.run("run", "-e", f"K={name}", "true", environ=fake.environ).status == 0
        first, second = fake.prompts
    assert first["SETERROR"] == wording.KEYCHAIN_UNREACHABLE
    assert "SETERROR" not in second


@pytest.mark.real
def test_a_keyring_without_a_collection_is_not_locked() -> None:
    """The error says that the keyring is not set up. Prompts still work."""
    with secret_service(collection=False) as service, fresh_home() as home:
        home.environ |= {name: service.environ[name] for name in (BUS_VARIABLE, "XDG_RUNTIME_DIR")}
        for words in (("run", "--no-input", "-e", "X=Name", "true"), ("set", "Name", "--stdin")):
            done = home.run(*words, stdin="canary-1")
            assert done.status in (1, 125)
            assert "not set up" in done.stderr and "locked" not in done.stderr, done.stderr
        with FakePinentry(["canary-1"]) as fake:
            done = home.run("run", "-e", "X=Name", "sh", "-c", 'echo "$X"', environ=fake.environ)
        assert (done.status, done.stdout, done.stderr) == (0, "canary-1\n", "")


def test_a_keychain_is_handed_the_bus_that_its_environment_has(listening: str) -> None:
    """The bus of the login gives the same errors as a bus from the variable."""
    found = Keychain({"XDG_RUNTIME_DIR": os.path.dirname(listening), "HOME": "/nonexistent"})
    with pytest.raises(Exception, match="did not answer"):
        asyncio.run(found.get("a", "b", 0.5))
