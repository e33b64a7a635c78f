"""The keychain: a real Secret Service, and every way in which one can be missing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import quick
from conftest import need
from secretservice import SecretService, prompter, secret_service, wait_until

from secretly.errors import (
    Cancelled,
    KeychainLocked,
    KeychainTimeout,
    KeychainUnavailable,
    SecretlyError,
)
from secretly.keeping import name_changes
from secretly.keeping.backends import explain
from secretly.keeping.foreign import named_attributes, password_of, recognized
from secretly.keeping.keychain import Keychain, backend_name
from secretly.keeping.secret_service import APPLICATION, is_own
from secretly.keeping.store import SecretStore
from secretly.keeping.stored_names import StoredNames
from secretly.redacted import Secret
from secretly.testing import KeychainContract, MemoryKeychain

SERVICE = "keyring.backends.SecretService.Keyring"


@pytest.fixture(scope="module")
def shared() -> Iterator[SecretService]:
    """One Secret Service for the tests that leave it running and unlocked."""
    with secret_service() as service:
        yield service


@pytest.fixture
def service(shared: SecretService, monkeypatch: pytest.MonkeyPatch) -> SecretService:
    """The Secret Service that this process uses, with nothing in it."""
    use(shared, monkeypatch)
    empty(shared)
    return shared


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    """A Secret Service of the test's own, that it may break."""
    with secret_service() as service:
        use(service, monkeypatch)
        yield service


def use(service: SecretService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process use a Secret Service, and nothing of this user's."""
    for name in ("PYTHON_KEYRING_BACKEND", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in service.environ.items():
        monkeypatch.setenv(name, value)


def empty(service: SecretService) -> None:
    """Delete every item."""
    import secretstorage

    with service.connection() as connection:
        for item in secretstorage.get_default_collection(connection).get_all_items():
            item.delete()


def attributes(service: SecretService) -> list[dict[str, str]]:
    """The attributes of every item."""
    import secretstorage

    with service.connection() as connection:
        items = secretstorage.get_default_collection(connection).get_all_items()
        return [item.get_attributes() for item in items]


def keychain(*allowed: str) -> Keychain:
    """The keychain of this environment."""
    return Keychain(dict(os.environ), allowed)


def get(name: str, username: str = "user", person: float | None = None) -> Secret | None:
    """Return the secret from the keychain of this environment."""
    return asyncio.run(keychain().get(name, username, person))


def put(name: str, value: str, username: str = "user", person: float | None = None) -> None:
    """Store a secret in the keychain of this environment."""
    asyncio.run(keychain().set(name, username, value, person))


def every_verb(
    chain: SecretStore, name: str = "name", username: str = "user", person: float | None = None
) -> list[Callable[[], object]]:
    """The three uses of a keychain, ready to call."""
    return [
        lambda: asyncio.run(chain.get(name, username, person)),
        lambda: asyncio.run(chain.set(name, username, "canary-1", person)),
        lambda: asyncio.run(chain.delete(name, username, person)),
    ]


def in_a_process(
    environ: dict[str, str], script: str, *, seconds: float = 20, **more: str
) -> dict[str, Any]:
    """Run a script, which prints JSON, in a Python of its own; add how long it took.

    It must end in time: a process that can't exit fails the test.
    """
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**environ, **more},
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return {**json.loads(done.stdout), "took": time.monotonic() - started}


#: Try to read, to write and to delete; print the kind, the message and the hint of each error.
ATTEMPT = """
import asyncio, json, os, time
from secretly import SecretlyError
from secretly.keeping import keychain
keychain.MACHINE_TIMEOUT = float(os.environ.get("MACHINE", "30"))
person = json.loads(os.environ.get("PERSON", "null"))
chain = keychain.Keychain(dict(os.environ), tuple(os.environ.get("ALLOWED", "").split()))
seen = {}
for verb, arguments in ("get", ()), ("set", ("canary-1",)), ("delete", ()):
    try:
        answer = repr(asyncio.run(getattr(chain, verb)("name", "user", *arguments, person)))
        seen[verb] = ["", answer, ""]
    except SecretlyError as error:
        seen[verb] = [type(error).__name__, str(error), error.hint]
print(json.dumps(seen))
"""


def attempt(environ: dict[str, str], **more: str) -> dict[str, Any]:
    """Try everything in a process of its own; each must fail, the same way, with a hint.

    The process must end in time: one that can't exit fails the test.
    """
    with quick() as here:
        started = time.monotonic()
        done = here.run_code(ATTEMPT, {**environ, **more}, 20)
        took = time.monotonic() - started
    assert (done.status, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    for kind, message, hint in seen.values():
        assert kind and message and hint
        assert "canary" not in message + hint
        assert "\n" not in message + hint
    kinds = {kind for kind, message, hint in seen.values()}
    assert len(kinds) == 1, seen
    return {"kind": kinds.pop(), "message": seen["get"][1], "hint": seen["get"][2], "took": took}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment without anything of this user's, and without a bus."""
    home = os.fspath(tmp_path)
    return {"PATH": os.environ["PATH"], "HOME": home, "XDG_RUNTIME_DIR": home}


# -- what every keychain does ------------------------------------------------------


class TestMemory(KeychainContract):
    """The double keeps the contract."""

    def keychain(self) -> MemoryKeychain:
        """A fresh double."""
        return MemoryKeychain()


@pytest.mark.real
class TestSecretService(KeychainContract):
    """The real one keeps the same contract."""

    @pytest.fixture(autouse=True)
    def _service(self, service: SecretService) -> None:
        """It runs."""

    def keychain(self) -> Keychain:
        """The real keychain, emptied by the fixture."""
        return keychain()


def test_a_double_that_is_locked_or_absent_raises_what_the_real_one_does() -> None:
    """The double's endings are the real keychain's errors, with a hint."""
    for double, kind in (
        (MemoryKeychain(locked=True), KeychainLocked),
        (MemoryKeychain(absent=True), KeychainUnavailable),
    ):
        for call in every_verb(double, person=1):
            with pytest.raises(SecretlyError) as caught:
                call()
            assert type(caught.value) is kind
            assert caught.value.hint


@pytest.mark.real
def test_the_keychain_returns_a_secret(service: SecretService) -> None:
    """A value from the keychain never shows in a repr."""
    put("name", "canary-1")
    assert type(get("name")) is Secret


# -- together with other programs --------------------------------------------------


@pytest.mark.real
def test_the_keyring_command_sees_our_items(service: SecretService) -> None:
    """``keyring get NAME USER`` prints what secretly stores."""
    put("PyPI", "canary-ours", "__token__")
    shown = service.run(sys.executable, "-m", "keyring", "get", "PyPI", "__token__")
    assert shown.strip() == "canary-ours"


@pytest.mark.real
def test_we_see_the_keyring_commands_items(service: SecretService) -> None:
    """secretly gets what ``keyring set`` stores."""
    service.run(sys.executable, "-m", "keyring", "set", "PyPI", "u", typed="canary-theirs\n")
    assert get("PyPI", "u") == "canary-theirs"


@pytest.mark.real
def test_secret_tool_sees_our_items(service: SecretService) -> None:
    """``secret-tool lookup`` prints what secretly stores."""
    need("secret-tool")
    put("PyPI", "canary-ours", "__token__")
    assert (
        service.run("secret-tool", "lookup", "service", "PyPI", "username", "__token__")
        == "canary-ours"
    )


@pytest.mark.real
def test_we_see_secret_tools_items(service: SecretService) -> None:
    """secretly gets what ``secret-tool store`` stores with the same two attributes."""
    need("secret-tool")
    store(service, "canary-theirs", "service", "PyPI", "username", "u")
    assert get("PyPI", "u") == "canary-theirs"


def store(service: SecretService, value: str, *pairs: str) -> None:
    """Keep an item as another tool would."""
    service.run("secret-tool", "store", "--label=another tool's", *pairs, typed=value)


OTHER = ("service", "name", "username", "user", "server", "example.org")


#: The attributes of other programs' items, and the reference of each.
THEIRS = {
    "keyring": (
        {"application": APPLICATION, "service": "https://pypi.example/legacy/", "username": "me"},
        "keyring://https:%2F%2Fpypi.example%2Flegacy%2F/me",
    ),
    "poetry": (
        {"application": APPLICATION, "service": "poetry-repository-corp", "username": "a/b"},
        "keyring://poetry-repository-corp/a%2Fb",
    ),
    "pdm": (
        {"application": APPLICATION, "service": "pdm-repository-corp", "username": "ada"},
        "keyring://pdm-repository-corp/ada",
    ),
    "uv": (
        {
            "application": "uv",
            "service": "uv:https://pypi.example",
            "target": "default",
            "username": "ada",
        },
        "keyring://uv:https:%2F%2Fpypi.example/ada",
    ),
    "gh": ({"service": "gh:github.com", "username": ""}, "keyring://gh:github.com/"),
    "git": (
        {
            "xdg:schema": "org.git.Password",
            "protocol": "https",
            "server": "h.example",
            "user": "ada",
        },
        "keyring://git:https:%2F%2Fh.example/ada",
    ),
    "docker": (
        {
            "xdg:schema": "io.docker.Credentials",
            "docker_cli": "1",
            "label": "Docker Credentials",
            "server": "https://h.example/v1/",
            "username": "ada",
        },
        "keyring://docker:https:%2F%2Fh.example%2Fv1%2F/ada",
    ),
}

#: As git 2.39 stores it.
OLDER = {
    "xdg:schema": "org.gnome.keyring.NetworkPassword",
    "protocol": "https",
    "server": "h.example",
    "port": "8443",
    "object": "team/x.git",
    "user": "ada",
}


@pytest.mark.parametrize("tool", THEIRS)
def test_other_programs_items_are_recognized(tool: str) -> None:
    """By their attributes; the reference names the same item."""
    attributes, reference = THEIRS[tool]
    item = recognized(attributes)
    assert item is not None
    assert (item.tool, item.reference) == (tool, reference)
    assert recognized({**attributes, "application": "x", "xdg:schema": "y", "service": "z"}) is None


@pytest.mark.parametrize(
    ("more", "reference"),
    [
        ({}, "keyring://git:https:%2F%2Fh.example:8443%2Fteam%2Fx.git/ada"),
        ({"protocol": "sftp"}, None),
        ({"authtype": "basic"}, None),
        ({"xdg:schema": "org.git.Other"}, None),
    ],
)
def test_a_network_password_is_gits_if_only_git_would_store_it(
    more: dict[str, str], reference: str | None
) -> None:
    """Other programs use the same schema, with other protocols or attributes."""
    item = recognized({**OLDER, **more})
    assert (item.reference if item else None) == reference


@pytest.mark.parametrize("tool", ["git", "docker"])
def test_an_item_is_searched_for_by_some_of_its_attributes(tool: str) -> None:
    """Those that its name has."""
    for attributes in (THEIRS[tool][0], OLDER) if tool == "git" else (THEIRS[tool][0],):
        item = recognized(attributes)
        assert item is not None
        wanted = named_attributes(f"{tool}:{item.what}", item.username)
        assert wanted and wanted.items() <= attributes.items()
    assert named_attributes(f"{tool}:", "ada") == named_attributes("PyPI", "ada") == {}


@pytest.mark.parametrize(
    ("tool", "value", "password"),
    [
        ("git", "canary-1", "canary-1"),
        ("git", "canary-1\npassword_expiry_utc=9\noauth_refresh_token=canary-2", "canary-1"),
        ("git", "canary-1\ncanary-2", "canary-1\ncanary-2"),
        ("docker", "canary-1\noauth_refresh_token=x", "canary-1\noauth_refresh_token=x"),
    ],
)
def test_gits_password_is_above_what_else_git_knows(tool: str, value: str, password: str) -> None:
    """Other lines are part of the secret."""
    assert password_of(tool, Secret(value)) == password


@pytest.mark.parametrize(
    ("attributes", "mine"),
    [
        (THEIRS["uv"][0], True),
        ({**THEIRS["uv"][0], "target": "other"}, False),
        ({**THEIRS["uv"][0], "application": "vu"}, False),
        (THEIRS["gh"][0], True),
    ],
)
def test_an_item_of_uv_is_read_and_none_that_is_like_it(
    attributes: dict[str, str], mine: bool
) -> None:
    """uv's have a target, which must be the usual one."""
    wanted = {name: attributes[name] for name in ("service", "username")}
    assert is_own(attributes, wanted) == mine


@pytest.mark.real
def test_the_items_of_other_programs_are_listed_and_read(
    service: SecretService, tmp_path: Path
) -> None:
    """None of secretly's own is among them, and no value."""
    need("secret-tool")
    put("PyPI", "canary-ours", "__token__")
    for tool, (attributes, _) in THEIRS.items():
        pairs = [part for pair in attributes.items() for part in pair]
        store(service, f"canary-{tool}", *pairs)
    names = StoredNames(tmp_path)
    name_changes.add(names, "PyPI", "__token__", True)
    found = asyncio.run(Keychain(os.environ, stored_names=names).others())
    assert found is not None
    assert sorted((one.tool, one.reference) for one in found) == sorted(
        (tool, reference) for tool, (_, reference) in THEIRS.items()
    )
    with quick() as home:
        home.environ |= {"DBUS_SESSION_BUS_ADDRESS": service.address}
        assert home.run("set", "Own", "--stdin", stdin="canary-own").status == 0
        shown = home.run("list", "--others").stdout
        listed = json.loads(home.run("list", "--others", "--json").stdout)["others"]
    assert "canary" not in shown
    assert "Own" not in shown
    assert {"reference", "tool", "what", "username"} == set(listed[0])
    for _, reference in THEIRS.values():
        assert reference in shown
    assert get("gh:github.com", "") == "canary-gh"
    assert get("uv:https://pypi.example", "ada") == "canary-uv"
    assert get("git:https://h.example", "ada") == "canary-git"
    assert get("docker:https://h.example/v1/", "ada") == "canary-docker"
    assert get("git:https://h.example/other", "ada") is None


@pytest.mark.real
def test_an_item_with_other_attributes_is_another_tools(service: SecretService) -> None:
    """An item that matches, and has an attribute more, is not given out."""
    need("secret-tool")
    store(service, "canary-other", *OTHER)
    assert get("name") is None
    put("name", "canary-ours")
    assert get("name") == "canary-ours"


@pytest.mark.real
@pytest.mark.parametrize("more", ["server", "zzz", "xdg:creator", "a"])
@pytest.mark.parametrize("first", [True, False])
def test_another_tools_item_outlives_ours(service: SecretService, more: str, first: bool) -> None:
    """Keeping, replacing and deleting ours leaves the other tool's alone, whichever came first."""
    need("secret-tool")
    other = ("service", "name", "username", "user", more, "example.org")
    if first:
        store(service, "canary-other", *other)
    put("name", "canary-1")
    put("name", "canary-2")
    if not first:
        store(service, "canary-other", *other)
    assert asyncio.run(keychain().delete("name", "user", None)) is True
    assert service.run("secret-tool", "lookup", *other) == "canary-other"
    assert get("name") is None


@pytest.mark.real
def test_another_tools_item_is_not_deleted(service: SecretService) -> None:
    """Deleting a name that only another tool has an item for says that there was none."""
    need("secret-tool")
    store(service, "canary-other", *OTHER)
    assert asyncio.run(keychain().delete("name", "user", None)) is False
    assert service.run("secret-tool", "lookup", *OTHER) == "canary-other"


@pytest.mark.real
def test_a_stored_secret_replaces_another_tools(service: SecretService) -> None:
    """After secretly has kept a secret, an item that secret-tool had put there is not used."""
    need("secret-tool")
    store(service, "canary-old", "service", "name", "username", "user")
    put("name", "canary-new")
    assert get("name") == "canary-new"


@pytest.mark.real
def test_deleting_leaves_nothing_that_would_be_found(service: SecretService) -> None:
    """After a deletion the name is not found, even if two items had it."""
    need("secret-tool")
    store(service, "canary-old", "service", "name", "username", "user")
    put("name", "canary-new")
    assert asyncio.run(keychain().delete("name", "user", None)) is True
    assert get("name") is None
    assert attributes(service) == []


@pytest.mark.real
def test_items_are_named_as_the_desktop_shows_them(service: SecretService) -> None:
    """An item's attributes are the name and the user name, and none has the secret in it."""
    put("PyPI", "canary-1", "__token__")
    (found,) = attributes(service)
    assert found["service"] == "PyPI"
    assert found["username"] == "__token__"
    assert "canary-1" not in str(found)


# -- locked ------------------------------------------------------------------------


@pytest.mark.real
def test_locked_with_no_screen(own: SecretService) -> None:
    """A locked keychain that cannot ask is an error of its own, soon; unlocked, it answers."""
    put("name", "canary-1")
    own.lock()
    for person in None, 60.0:
        started = time.monotonic()
        for call in every_verb(keychain(), person=person):
            with pytest.raises(KeychainLocked) as caught:
                call()
            assert caught.value.hint
        assert time.monotonic() - started < 30
    assert asyncio.run(keychain().describe()).endswith(", locked")
    own.unlock()
    assert get("name") == "canary-1"
    assert asyncio.run(keychain().describe()) == SERVICE


@pytest.mark.real
def test_a_locked_keychain_that_must_not_ask(own: SecretService) -> None:
    """The locked keychain's own prompt does not start where secretly must not ask."""
    with prompter(own) as asked:
        own.lock()
        with pytest.raises(KeychainLocked):
            get("name", person=None)
        assert not asked()


@pytest.mark.real
@pytest.mark.alone
def test_an_unanswered_keychain_prompt_ends(own: SecretService) -> None:
    """The keychain's own prompt has the user's time, and then an error ends the wait."""
    with prompter(own) as asked:
        own.lock()
        found = attempt(own.environ, MACHINE="0.4", PERSON="0.8")
        assert asked()
    assert found["kind"] == "KeychainTimeout"
    assert found["took"] < 10


# -- absent, dead, wedged ----------------------------------------------------------


@pytest.mark.process
def test_no_bus(bare: dict[str, str]) -> None:
    """Without a bus, secretly can't use a keychain. The error says so, and how to get one."""
    found = attempt(bare)
    assert found["kind"] == "KeychainUnavailable"
    assert "DBUS_SESSION_BUS_ADDRESS" in found["message"]


@pytest.mark.process
def test_a_named_backend_and_no_bus(bare: dict[str, str]) -> None:
    """The Secret Service that is named, without a bus, is an error all the same."""
    found = attempt(bare, PYTHON_KEYRING_BACKEND=SERVICE)
    assert found["kind"] == "KeychainUnavailable"


@pytest.mark.process
@pytest.mark.parametrize("address", ["unix:path=/nonexistent", "unix:path=", "nonsense", ""])
@pytest.mark.parametrize("named", [False, True])
def test_a_bad_bus_address(bare: dict[str, str], address: str, named: bool) -> None:
    """A dead or malformed address is an error, and the error says that it is the address."""
    backend = {"PYTHON_KEYRING_BACKEND": SERVICE} if named else {}
    found = attempt(bare, DBUS_SESSION_BUS_ADDRESS=address, **backend)
    assert found["kind"] == "KeychainUnavailable"
    if address and not named:
        assert address in found["message"]


@pytest.mark.process
def test_a_dead_socket(bare: dict[str, str], tmp_path: Path) -> None:
    """A socket that a dead bus left behind is an error."""
    import socket

    path = tmp_path / "bus"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(path))
    found = attempt(bare, DBUS_SESSION_BUS_ADDRESS=f"unix:path={path}")
    assert found["kind"] == "KeychainUnavailable"


@pytest.mark.process
def test_a_bus_that_says_nothing(bare: dict[str, str], tmp_path: Path) -> None:
    """A bus that takes the connection and never speaks ends at the deadline."""
    import socket

    path = tmp_path / "bus"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(os.fspath(path))
        silent.listen(16)
        address = f"unix:path={path}"
        found = attempt(bare, DBUS_SESSION_BUS_ADDRESS=address, MACHINE="0.4")
    assert found["kind"] == "KeychainTimeout"


def test_an_error_says_whether_the_keychain_answered(
    bare: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keychain that times out and a missing keychain have different errors."""
    import socket

    path = tmp_path / "bus"
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    monkeypatch.setenv("HOME", bare["HOME"])
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={path}")
    for there, seconds in (False, 30), (True, 0.4):
        monkeypatch.setattr("secretly.keeping.keychain.MACHINE_TIMEOUT", seconds)
        with socket.socket(socket.AF_UNIX) as silent:
            if there:
                silent.bind(os.fspath(path))
                silent.listen(16)
            for call in every_verb(keychain()):
                with pytest.raises(KeychainUnavailable) as caught:
                    call()
                assert isinstance(caught.value, KeychainTimeout) is there


@pytest.mark.process
@pytest.mark.parametrize(
    "backend",
    [
        "",
        "nonsense",
        "keyring.backends.nonsense.Keyring",
        "keyring.backends.SecretService.Nonsense",
        "keyring.backends.SecretService",
        "keyring.backends.",
        "keyring.backends.Windows.WinVaultKeyring",
    ],
)
def test_a_bad_backend(bare: dict[str, str], backend: str) -> None:
    """A PYTHON_KEYRING_BACKEND that cannot be used is an error that names it."""
    found = attempt(bare, PYTHON_KEYRING_BACKEND=backend)
    assert found["kind"] == "KeychainUnavailable"
    assert "backend" in found["message"] or "(RuntimeError)" in found["message"]


@pytest.mark.real
def test_no_collection() -> None:
    """A Secret Service without a collection, and no screen to make one, is a typed error."""
    with secret_service(collection=False) as service:
        for person in "null", "5":
            found = attempt(service.environ, PERSON=person)
            assert found["kind"] in ("KeychainLocked", "KeychainUnavailable")
            assert found["took"] < 10


@pytest.mark.real
def test_no_collection_is_an_error_with_no_input() -> None:
    """No prompt for a new collection starts where secretly must not ask."""
    with secret_service(collection=False) as service, prompter(service) as asked:
        found = attempt(service.environ, MACHINE="2")
        assert not asked(), found
        assert "no collection" in found["message"]
        assert found["kind"] == "KeychainUnavailable"


@pytest.mark.real
def test_another_scheme_of_keyrings(own: SecretService) -> None:
    """What keyring keeps under another scheme's attributes is found, and so is ours by keyring."""
    environ = {**own.environ, "KEYRING_PROPERTY_SCHEME": "KeePassXC"}
    code = """
        import asyncio, os, keyring
        from secretly.keeping.keychain import Keychain
        ours = Keychain(os.environ)
        asyncio.run(ours.set("canary", "me", "canary-1", 5))
        assert keyring.get_password("canary", "me") == "canary-1"
        assert asyncio.run(ours.get("canary", "me", 5)) == "canary-1"
        assert asyncio.run(ours.delete("canary", "me", 5))
        assert keyring.get_password("canary", "me") is None
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.real
def test_the_daemon_was_killed(own: SecretService) -> None:
    """A killed daemon, started anew by the bus, is locked: an error, never None."""
    put("name", "canary-1")
    own.kill()
    found = attempt(own.environ)
    assert found["kind"] in ("KeychainLocked", "KeychainUnavailable")
    assert found["took"] < 10


@pytest.mark.real
def test_the_daemon_hangs(own: SecretService) -> None:
    """A stopped daemon ends at the deadline with an error, and the process exits."""
    put("name", "canary-1")
    own.stop()
    found = attempt(own.environ, MACHINE="0.4")
    assert found["kind"] == "KeychainTimeout"
    assert found["took"] < 10
    own.resume()
    assert get("name") == "canary-1"


TICKING = """
import asyncio, json, os, time
from secretly import KeychainUnavailable
from secretly.keeping import keychain
keychain.MACHINE_TIMEOUT = 1.5
ticks, asked = [], []

async def tick():
    while not asked:
        await asyncio.sleep(0.005)
        ticks.append(True)

async def ask():
    try:
        await keychain.Keychain(dict(os.environ)).get("name", "user", None)
    except KeychainUnavailable:
        asked.append(True)

async def main():
    await asyncio.gather(tick(), ask())

asyncio.run(main())
print(json.dumps({"ticks": len(ticks)}))
"""

TICKING_IN_TWISTED = """
import json, os, time
from twisted.internet import task
from secretly import KeychainUnavailable
from secretly.keeping import keychain
keychain.MACHINE_TIMEOUT = 1.5
ticks = []

def tick():
    ticks.append(True)

async def main(reactor):
    ticking = task.LoopingCall(tick)
    ticking.start(0.005)
    try:
        await keychain.Keychain(dict(os.environ)).get("name", "user", None)
    except KeychainUnavailable:
        ticking.stop()
        print(json.dumps({"ticks": len(ticks)}), flush=True)

task.react(lambda reactor: __import__("twisted").internet.defer.ensureDeferred(main(reactor)))
"""


@pytest.mark.real
@pytest.mark.parametrize("script", [TICKING, TICKING_IN_TWISTED], ids=["asyncio", "twisted"])
def test_the_event_loop_goes_on(own: SecretService, script: str) -> None:
    """While the keychain hangs, the event loop goes on. A blocked loop would tick only once."""
    own.stop()
    assert in_a_process(own.environ, script)["ticks"] > 3


@pytest.mark.real
def test_a_late_answer_is_dropped_silently(own: SecretService) -> None:
    """An answer after the deadline, or after the end of the loop, is dropped."""
    put("name", "canary-1")
    own.stop()
    script = f"""
    import asyncio, json, os, signal, time
    from secretly import KeychainUnavailable
    from secretly.keeping import keychain
    keychain.MACHINE_TIMEOUT = 0.3
    try:
        asyncio.run(keychain.Keychain(dict(os.environ)).get("name", "user", None))
    except KeychainUnavailable:
        os.kill({own._daemon_pid}, signal.SIGCONT)
        time.sleep(0.3)
        print(json.dumps({{"late": True}}))
    """
    assert in_a_process(own.environ, script)["late"]


# -- what is in it -----------------------------------------------------------------


@pytest.mark.real
def test_an_item_that_is_not_text(service: SecretService) -> None:
    """Bytes that are not UTF-8 are an error that shows none of them."""
    import secretstorage

    with service.connection() as connection:
        secretstorage.get_default_collection(connection).create_item(
            "bytes", {"service": "name", "username": "user"}, b"canary-\xff\xfe"
        )
    with pytest.raises(KeychainUnavailable) as caught:
        get("name")
    assert "not UTF-8" in str(caught.value)
    assert caught.value.hint
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.real
def test_nul_in_a_name(service: SecretService) -> None:
    """A NUL, which D-Bus cannot carry, in a name is a typed error for each verb."""
    for name, username in (("na\0me", "user"), ("name", "us\0er")):
        for call in every_verb(keychain(), name, username):
            with pytest.raises(KeychainUnavailable) as caught:
                call()
            assert caught.value.hint


@pytest.mark.real
def test_nul_in_a_secret(service: SecretService) -> None:
    """A NUL in the secret itself comes back, or is refused: it is never cut."""
    try:
        put("name", "canary-\0-1")
    except KeychainUnavailable as error:
        assert "canary" not in str(error)
    else:
        assert get("name") == "canary-\0-1"


@pytest.mark.real
def test_a_secret_that_no_bytes_spell(service: SecretService) -> None:
    """A lone surrogate is refused, unechoed, and nothing of it is left in the error."""
    with pytest.raises(KeychainUnavailable) as caught:
        put("name", "canary-\ud800")
    assert "canary" not in str(caught.value) + caught.value.hint
    assert caught.value.__context__ is None


# -- backends ----------------------------------------------------------------------

PLAINTEXT = "keyrings.alt.file.PlaintextKeyring"


@pytest.mark.parametrize("name", ["null", "fail"])
def test_a_backend_that_stores_nothing_is_refused(
    bare: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be lost silently is refused with an error that names the backend."""
    monkeypatch.setenv("HOME", bare["HOME"])
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"keyring.backends.{name}.Keyring")
    for call in (lambda: put("name", "canary-1"), lambda: asyncio.run(keychain().describe())):
        with pytest.raises(KeychainUnavailable) as caught:
            call()
        assert f"keyring.backends.{name}.Keyring" in str(caught.value)
        assert caught.value.hint


#: A backend that keeps secrets in a file, and notes that it was imported.
PLANTED = """
import os, keyring.backend
open(os.environ["HOME"] + "/imported", "w").close()
class PlaintextKeyring(keyring.backend.KeyringBackend):
    priority = 1
    path = os.environ["HOME"] + "/kept"
    def get_password(self, service, username):
        return open(self.path).read() if os.path.exists(self.path) else "canary-planted"
    def set_password(self, service, username, password):
        open(self.path, "w").write(password)
    def delete_password(self, service, username):
        pass
class Keyring(PlaintextKeyring):
    pass
"""


@pytest.fixture
def planted(bare: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment in which Python finds a module that somebody planted."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/planted.py").write_text(PLANTED)
    return {**bare, "PYTHONPATH": os.fspath(tmp_path / "modules")}


def keyringrc(environ: dict[str, str], text: str, xdg: bool = False) -> Path:
    """Write keyring's own configuration where it looks for it."""
    root = Path(environ["HOME"], "elsewhere" if xdg else ".config")
    if xdg:
        environ["XDG_CONFIG_HOME"] = os.fspath(root)
    path = root / "python_keyring/keyringrc.cfg"
    path.parent.mkdir(parents=True, mode=0o755)
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.process
@pytest.mark.parametrize("where", ["variable", "file", "file under XDG_CONFIG_HOME"])
def test_a_foreign_backend_is_refused_without_being_imported(
    planted: dict[str, str], tmp_path: Path, where: str
) -> None:
    """A class outside keyring's backends runs no line of code unless it is allowed."""
    if where == "variable":
        planted["PYTHON_KEYRING_BACKEND"] = "planted.Keyring"
    else:
        keyringrc(planted, "[backend]\ndefault-keyring=planted.Keyring\n", "XDG" in where)
    found = attempt(planted)
    assert found["kind"] == "KeychainUnavailable"
    assert "'planted.Keyring'" in found["message"]
    assert "[keychain] backends" in found["hint"]
    assert not (tmp_path / "imported").exists()


@pytest.mark.process
@pytest.mark.parametrize("where", ["variable", "file"])
def test_a_foreign_backend_that_is_allowed_is_used(
    planted: dict[str, str], tmp_path: Path, where: str
) -> None:
    """One that the configuration lists is loaded and used."""
    if where == "variable":
        planted["PYTHON_KEYRING_BACKEND"] = "planted.Keyring"
    else:
        keyringrc(planted, "[backend]\ndefault-keyring=planted.Keyring\n")
    seen = in_a_process(planted, ATTEMPT, ALLOWED="other.Keyring planted.Keyring")
    assert seen["get"] == ["", "Secret('…')", ""]
    assert seen["set"][0] == ""
    assert (tmp_path / "imported").exists()
    assert (tmp_path / "kept").read_text() == "canary-1"


CHAINER = "keyring.backends.chainer.ChainerBackend"


@pytest.mark.process
@pytest.mark.parametrize("where", ["variable", "file"])
def test_the_chainer_must_be_allowed(planted: dict[str, str], where: str) -> None:
    """keyring's own chainer uses any backend that is installed: it counts as foreign."""
    if where == "variable":
        planted["PYTHON_KEYRING_BACKEND"] = CHAINER
    else:
        keyringrc(planted, f"[backend]\ndefault-keyring={CHAINER}\n")
    found = attempt(planted)
    assert found["kind"] == "KeychainUnavailable"
    assert f"'{CHAINER}'" in found["message"]
    assert "[keychain] backends" in found["hint"]


@pytest.mark.process
@pytest.mark.parametrize(("backend", "refused"), [("PlaintextKeyring", True), ("Keyring", False)])
def test_a_chain_is_as_safe_as_what_is_in_it(
    planted: dict[str, str], tmp_path: Path, backend: str, refused: bool
) -> None:
    """A chainer that is allowed keeps nothing if one of its backends keeps plain text."""
    planted["PYTHON_KEYRING_BACKEND"] = CHAINER
    # As an installed package's entry point would, before keyring looks at what there is.
    known = f"""
        import keyring.backend
        class {backend}(keyring.backend.KeyringBackend):
            priority = 1
            path = os.environ["HOME"] + "/kept"
            def get_password(self, service, username):
                return open(self.path).read() if os.path.exists(self.path) else None
            def set_password(self, service, username, password):
                open(self.path, "w").write(password)
            def delete_password(self, service, username): pass
    """
    seen = in_a_process(planted, "import os\n" + textwrap.dedent(known) + ATTEMPT, ALLOWED=CHAINER)
    assert (tmp_path / "kept").exists() is not refused
    if refused:
        assert seen["set"][0] == "KeychainUnavailable"
        assert "plain text" in seen["set"][1]
    else:
        assert seen["set"][0] == ""


@pytest.mark.process
def test_a_plain_text_backend_is_refused(planted: dict[str, str], tmp_path: Path) -> None:
    """A backend that is known to write plain text is refused, even if it is allowed."""
    planted["PYTHON_KEYRING_BACKEND"] = "planted.PlaintextKeyring"
    seen = in_a_process(planted, ATTEMPT, ALLOWED="planted.PlaintextKeyring")
    assert seen["set"][0] == "KeychainUnavailable"
    assert "plain text" in seen["set"][1]
    assert not (tmp_path / "kept").exists()


@pytest.mark.real
def test_the_variable_counts_before_the_file(
    planted: dict[str, str], service: SecretService
) -> None:
    """As in keyring itself, PYTHON_KEYRING_BACKEND beats keyringrc.cfg."""
    keyringrc(planted, "[backend]\ndefault-keyring=planted.Keyring\n")
    address = service.environ["DBUS_SESSION_BUS_ADDRESS"]
    put("name", "canary-1")
    seen = in_a_process(
        planted, ATTEMPT, PYTHON_KEYRING_BACKEND=SERVICE, DBUS_SESSION_BUS_ADDRESS=address
    )
    assert seen["get"] == ["", "Secret('…')", ""]
    assert not Path(planted["HOME"], "imported").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    "text", ["no section", "[backend\n", "[backend]\nx\n", "\xff\xfe"], ids=range(4)
)
def test_a_broken_keyringrc(planted: dict[str, str], text: str) -> None:
    """A keyringrc.cfg that cannot be read is an error that names it: it might name a backend."""
    path = keyringrc(planted, "")
    path.write_bytes(text.encode("latin-1"))
    found = attempt(planted)
    assert found["kind"] == "KeychainUnavailable"
    assert "keyringrc.cfg" in found["message"]


@pytest.mark.process
def test_a_keyringrc_that_others_could_write_is_refused(planted: dict[str, str]) -> None:
    """keyringrc.cfg chooses the keychain, so only the user may be able to write it."""
    path = keyringrc(planted, "[backend]\ndefault-keyring=keyring.backends.null.Keyring\n")
    path.chmod(0o666)
    found = attempt(planted)
    assert found["kind"] == "Refused"


@pytest.mark.real
def test_a_keyringrc_that_names_no_backend(planted: dict[str, str], service: SecretService) -> None:
    """A keyringrc.cfg without a backend leaves the choice to what there is."""
    keyringrc(planted, "[backend]\nkeyring-path=/nonexistent\n")
    address = service.environ["DBUS_SESSION_BUS_ADDRESS"]
    seen = in_a_process(planted, ATTEMPT, DBUS_SESSION_BUS_ADDRESS=address)
    assert seen["set"][0] == ""


@pytest.mark.real
def test_no_process_is_left(shared: SecretService) -> None:
    """The fixture ends what it started, with what the bus had started."""
    with secret_service() as service:
        service.kill()
        attempt(service.environ)  # the bus starts another
        wait_until(lambda: service._owner() is not None)
        activated = service._owner()
        assert activated is not None
    wait_until(lambda: not alive(activated))


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Can't get password from keychain: (-128, 'Unknown Error')", Cancelled),
        ("Can't get password from keychain: (-25308, 'Unknown Error')", KeychainLocked),
        ("Can't get password from keychain: (-1280, 'Unknown Error')", KeychainUnavailable),
    ],
)
def test_errors_of_macos_are_explained(text: str, kind: type[Exception]) -> None:
    """-128 means that the user refused, -25308 that macOS can't ask for a locked keychain."""
    found = explain(RuntimeError(text))
    assert type(found) is kind
    assert found.hint


@pytest.mark.parametrize("content", [b"[backend", b"\xff\xfe\xff", b"default-keyring = x"])
def test_keyrings_configuration_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    """A keyringrc.cfg that is broken is an error that names it, not one that is passed over."""
    path = tmp_path / "python_keyring" / "keyringrc.cfg"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(KeychainUnavailable, match=r"keyringrc\.cfg"):
        backend_name({"XDG_CONFIG_HOME": str(tmp_path)}, ())
