"""Read from the Secret Service without keyring: the reader returns keyring's value or none."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import SECRETLY, wait_until
from conftest import COVERAGE, need
from secretservice import KeePassXC, Misbehaving, SecretService, secret_service

import secretly
from secretly.errors import KeychainTimeout, KeychainUnavailable, SecretlyError
from secretly.keeping import name_changes
from secretly.keeping.keychain import Keychain
from secretly.keeping.secret_service import BACKEND, MISSING, ItemReader, Missing, is_own
from secretly.keeping.stored_names import StoredNames

KEYRINGS = {"application": "Python keyring library"}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    """A Secret Service of its own, which this process uses."""
    with secret_service() as service:
        for name in ("PYTHON_KEYRING_BACKEND", "DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in service.environ.items():
            monkeypatch.setenv(name, value)
        yield service


def item(
    service: SecretService, secret: bytes, name: str = "name", user: str = "user", **more: str
) -> None:
    """Store an item with any attributes."""
    import secretstorage

    attributes = {"service": name, "username": user, **more}
    with service.connection() as connection:
        collection = secretstorage.get_default_collection(connection)
        collection.create_item("label", attributes, secret, replace=False)


def by_keyring(name: str, user: str) -> str | None:
    """Return what keyring reads, or the name of its error."""
    try:
        return asyncio.run(Keychain(dict(os.environ)).get(name, user, None))
    except SecretlyError as error:
        return f"<{type(error).__name__}>"


def directly(name: str, user: str) -> str | Missing | None:
    """Return the value read without keyring; None: only keyring can tell."""
    return one(ItemReader(os.environ["DBUS_SESSION_BUS_ADDRESS"]), name, user)


def one(
    reader: ItemReader, name: str, user: str = "user", seconds: float = 10
) -> str | Missing | None:
    """The value of one item."""
    (found,) = reader.read([(name, user)], seconds)
    return found


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "user", "value"),
    [
        ("PyPI", "__token__", "canary-1"),
        ("a name", "u", "canary with spaces "),
        ("", "user", "canary-1"),
        ("n\u00e4me/\u20ac\u202e\n", "\U0001f511", "canary-\u00e4\u20ac\U0001f511\n\t"),
        ("x" * 5000, "u" * 5000, "canary-" * 10000),
        ("https://pypi.example/legacy/?a=b&c", "user@example.org", "canary-'\"\\$`"),
    ],
    ids=["plain", "spaces", "no name", "unicode", "long", "url"],
)
def test_items_of_keyring_are_read(
    service: SecretService, name: str, user: str, value: str
) -> None:
    """Difficult names and values come back as keyring returns them."""
    stored = asyncio.run(Keychain(dict(os.environ)).set(name, user, value, None))
    assert stored == BACKEND
    assert directly(name, user) == by_keyring(name, user) == value


@pytest.mark.real
@pytest.mark.parametrize(
    "arrange",
    [
        lambda service: None,
        lambda service: item(service, b"canary-1", **{"xdg:schema": "org.example"}),
        lambda service: item(service, b"canary-1", other="tool"),
        lambda service: (
            item(service, b"canary-2", other="tool"),
            item(service, b"canary-1", **KEYRINGS),
        ),
        lambda service: (item(service, b"canary-1"), item(service, b"canary-2", **KEYRINGS)),
        lambda service: (item(service, b"canary-1", **KEYRINGS), item(service, b"canary-2")),
        lambda service: item(service, b"canary-1", user="other"),
        lambda service: item(service, b"canary-1", name="names"),
        lambda service: item(service, b"canary-\xff\xfe"),
        lambda service: item(service, b"canary-\x00-1"),
        lambda service: item(service, b""),
        lambda service: (item(service, b"canary-1"), service.lock()),
        lambda service: (item(service, b"canary-1"), service.kill()),
    ],
    ids=[
        "missing",
        "a schema",
        "another tool's",
        "another tool's next to ours",
        "two, one newer",
        "two, the other newer",
        "another user's",
        "another name",
        "not UTF-8",
        "NUL",
        "empty",
        "locked",
        "a killed daemon",
    ],
)
def test_the_reader_returns_keyrings_value_or_none(
    service: SecretService, arrange: Callable[[SecretService], object]
) -> None:
    """Whatever is stored, the reader never returns another value than keyring."""
    arrange(service)
    found, said = directly("name", "user"), by_keyring("name", "user")
    assert found is None or (None if found is MISSING else found) == said


@pytest.mark.real
def test_a_plain_item_needs_no_keyring(service: SecretService) -> None:
    """The test above would also pass for a reader that reads nothing."""
    item(service, b"canary-1", **KEYRINGS)
    item(service, b"canary-2", other="tool")
    assert directly("name", "user") == "canary-1"


@pytest.mark.real
def test_many_items_share_one_connection(service: SecretService) -> None:
    """A missing item doesn't end the connection."""
    for number in range(10):
        item(service, f"canary-{number}".encode(), name=f"name-{number}")
    reader = ItemReader(service.address)
    gc.collect()  # what earlier tests have left open
    before = descriptors()
    found = [one(reader, f"name-{number}", seconds=10) for number in range(10)]
    assert found == [f"canary-{number}" for number in range(10)]
    held = descriptors()
    assert one(reader, "missing", seconds=10) is MISSING
    assert one(reader, "name-3", seconds=10) == "canary-3"
    assert descriptors() == held
    del reader
    assert descriptors() <= before


@pytest.mark.real
def test_a_service_that_was_started_anew_is_spoken_to_anew(service: SecretService) -> None:
    """The reader's session ended with the service, and the reader begins another."""
    item(service, b"canary-1")
    reader = ItemReader(service.address)
    assert one(reader, "name") == "canary-1"
    service.unlock()
    assert one(reader, "name") == "canary-1"


@pytest.mark.real
def test_one_item_that_fails_takes_no_other_with_it() -> None:
    """If the values of several items can't be read together, each is read alone."""
    with secret_service(kind=Misbehaving) as service:
        assert isinstance(service, Misbehaving)
        for name in ("one", "two"):
            item(service, b"canary-" + name.encode(), name=name)
        service.misbehave("returns one at a time")
        found = ItemReader(service.address).read([("one", "user"), ("two", "user")], 10)
        assert found == ["canary-one", "canary-two"]


@pytest.mark.real
def test_many_items_together_are_read_as_each_alone(service: SecretService) -> None:
    """One search in place of a look at each item finds the same items."""
    for number in range(6):
        item(service, f"canary-{number}".encode(), name=f"name-{number}", **KEYRINGS)
    item(service, b"canary-1", name="without")
    item(service, b"canary-1", name="another tool's", other="tool")
    item(service, b"canary-2", name="both", other="tool")
    item(service, b"canary-1", name="both", **KEYRINGS)
    item(service, b"canary-1", name="decorated", **KEYRINGS, Title="x")
    item(service, b"canary-\xff", name="not UTF-8", **KEYRINGS)
    item(service, b"canary-1", name="uv:x", application="uv", target="default")
    item(service, b"canary-1", name="another user's", user="other", **KEYRINGS)
    names = [f"name-{number}" for number in range(6)]
    names += ["without", "another tool's", "both", "decorated", "not UTF-8", "uv:x"]
    wanted = [(name, "user") for name in [*names, "another user's", "missing", "name-0"]]
    reader = ItemReader(service.address)
    alone = [one(reader, *each) for each in wanted]
    assert reader.read(wanted, 10) == alone
    assert alone[:6] == [f"canary-{number}" for number in range(6)]
    assert alone[6:9] == ["canary-1", MISSING, "canary-1"]
    assert alone[9:] == ["canary-1", None, "canary-1", MISSING, MISSING, "canary-0"]
    service.lock()
    assert reader.read(wanted[:6], 10) == [None] * 6


@pytest.mark.real
def test_many_items_of_keyring_need_no_look_at_each() -> None:
    """gnome-keyring takes longer to describe an item than to search all of them."""
    with secret_service(kind=Misbehaving) as service:
        assert isinstance(service, Misbehaving)
        names = [f"name-{number}" for number in range(5)]
        for name in names:
            item(service, b"canary-" + name.encode(), name=name, **KEYRINGS)
        item(service, b"canary-1", name="without")
        service.misbehave("vanishes before it is looked at")
        found = ItemReader(service.address).read([(name, "user") for name in names], 10)
        assert found == [f"canary-{name}" for name in names]
        assert one(ItemReader(service.address), "name-0") is None
        wanted = [(name, "user") for name in [*names, "without"]]
        assert ItemReader(service.address).read(wanted, 10)[-1] is None


@pytest.mark.real
def test_a_search_by_patterns_finds_no_other_items_secret() -> None:
    """Each item of a service that may do that is looked at, however many there are."""
    with secret_service(kind=Misbehaving) as service:
        assert isinstance(service, Misbehaving)
        service.misbehave("names items by UUIDs")
        for name in (*(f"name-{number}" for number in range(6)), "a|"):
            item(service, b"canary-" + name.encode(), name=name, **KEYRINGS)
        service.misbehave("searches by patterns")
        assert one(ItemReader(service.address), "a|") == "canary-a|"


@pytest.mark.real
def test_calls_at_the_same_time_share_a_connection_and_a_thread(
    service: SecretService, tmp_path: Path
) -> None:
    """Each call in an event loop has a keychain of its own, and gets its own item."""
    stored = StoredNames(tmp_path)
    for number in range(9):
        item(service, f"canary-{number}".encode(), name=f"name-{number}", **KEYRINGS)
        name_changes.add(stored, f"name-{number}", "user", True, BACKEND)
    gc.collect()
    threads, before = [], descriptors()

    async def get(number: int) -> str | None:
        found = await Keychain(dict(os.environ), (), stored).get(f"name-{number}", "user", None)
        threads.append(threading.active_count())
        return found

    async def main() -> list[str | None]:
        return await asyncio.gather(*map(get, (*range(9), 9)))

    assert asyncio.run(main()) == [*(f"canary-{number}" for number in range(9)), None]
    assert max(threads) <= threading.active_count() + 1
    wait_until(lambda: descriptors() <= before)  # the thread ends after its last answer


WANTED = {"service": "name", "username": "user"}
DECORATION = {"Title": "x", "UserName": "", "URL": "", "Notes": "", "Uuid": "1", "Path": "/x"}


@pytest.mark.parametrize(
    ("attributes", "own"),
    [
        (WANTED, True),
        ({**WANTED, "xdg:schema": "org.freedesktop.Secret.Generic"}, True),
        ({**WANTED, **KEYRINGS}, True),
        ({**WANTED, **KEYRINGS, **DECORATION}, True),
        ({**WANTED, **KEYRINGS, "xdg:schema": "x", "added": "by a service"}, True),
        ({**WANTED, **DECORATION}, False),
        ({**WANTED, "application": "another"}, True),
        ({**WANTED, "application": "another", **DECORATION}, False),
        ({**WANTED, "server": "example.org"}, False),
        ({**KEYRINGS, "service": "name"}, False),
        ({**WANTED, **KEYRINGS, "username": "another"}, False),
        ({}, False),
    ],
)
def test_an_item_is_ours_if_all_that_was_stored_is_there(
    attributes: dict[str, str], own: bool
) -> None:
    """Additional attributes are fine, unless they show that another tool made the item."""
    assert is_own(attributes, WANTED) is own


def descriptors() -> int:
    """How many descriptors are open."""
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.real
def test_a_daemon_that_hangs_ends_at_the_deadline(service: SecretService) -> None:
    """The read ends at its deadline without a value, and works again later."""
    item(service, b"canary-1")
    reader = ItemReader(service.address)
    assert one(reader, "name", seconds=10) == "canary-1"
    service.stop()
    with pytest.raises(TimeoutError):
        one(reader, "name", seconds=0.3)
    with pytest.raises(TimeoutError):
        one(ItemReader(service.address), "name", seconds=0.3)
    service.resume()
    assert one(reader, "name", seconds=10) == "canary-1"


@pytest.mark.parametrize(
    "address", ["unix:path=/nonexistent", "nonsense", "tcp:host=localhost", "", ";", "unix:x"]
)
def test_a_bad_address_is_left_to_keyring(address: str) -> None:
    """keyring's error says what is wrong with the address."""
    assert one(ItemReader(address), "name", seconds=1) is None


# -- when it is used ---------------------------------------------------------------

#: What must not be loaded for what can be read directly.
HEAVY = (
    "argparse array asyncio atexit collections contextlib ctypes dataclasses datetime enum "
    "functools inspect itertools jeepney json keyring logging operator pathlib pexpect re reprlib "
    "secretstorage selectors shutil signal socket string struct subprocess threading tomllib "
    "twisted types typing weakref"
).split()

#: How many of secretly's own modules a run loads that finds its secret in the keychain.
OWN = 54


def listed(folder: Path, backend: str = BACKEND) -> StoredNames:
    """The list of stored names, which names the backend."""
    stored = StoredNames(folder)
    name_changes.add(stored, "name", "user", True, backend)
    return stored


def loads_keyring(service: SecretService, folder: Path, **more: str) -> bool:
    """Read the item in a new process; return whether that loaded keyring."""
    code = """
        import asyncio, os, sys
        from secretly.keeping.stored_names import StoredNames
        from secretly.keeping.keychain import Keychain
        chain = Keychain(dict(os.environ), (), StoredNames(os.environ["FOLDER"]))
        assert asyncio.run(chain.get("name", "user", None)) == "canary-1"
        print("keyring" in sys.modules)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**service.environ, "FOLDER": os.fspath(folder), **more},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return {"True\n": True, "False\n": False}[done.stdout]


@pytest.mark.real
def test_the_reader_is_used_only_for_listed_items_of_its_backend(
    service: SecretService, tmp_path: Path
) -> None:
    """Another backend may have a newer item."""
    item(service, b"canary-1", **KEYRINGS)
    assert loads_keyring(service, tmp_path)
    listed(tmp_path)
    assert not loads_keyring(service, tmp_path)
    assert not loads_keyring(service, tmp_path, PYTHON_KEYRING_BACKEND=BACKEND)
    assert loads_keyring(service, tmp_path, KEYRING_PROPERTY_ANY="x")
    listed(tmp_path, "keyring.backends.libsecret.Keyring")
    assert loads_keyring(service, tmp_path)


@pytest.mark.real
def test_a_daemon_that_hangs_is_not_waited_for_twice(
    service: SecretService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that hangs is an error at the deadline; keyring does not wait for it again."""
    monkeypatch.setattr("secretly.keeping.keychain.MACHINE_TIMEOUT", 0.3)
    item(service, b"canary-1")
    service.stop()
    with pytest.raises(KeychainUnavailable) as caught:
        asyncio.run(Keychain(dict(os.environ), (), listed(tmp_path)).get("name", "user", None))
    assert isinstance(caught.value, KeychainTimeout)


@pytest.mark.real
def test_a_hit_loads_no_event_loop_and_no_keyring(service: SecretService) -> None:
    """The command doesn't load pexpect either, and no more of secretly's own modules than today."""
    run(service, "set", "OpenAI", "--stdin", typed="canary-1")
    code = f"""
        import os, sys
        sys.path.append({str(Path(secretly.__file__).parents[1])!r})
        def executed(program, argv, environ):
            assert environ[b"X"] == b"canary-1"
            loaded = [name for name in {HEAVY!r} if name in sys.modules]
            own = [name for name in sys.modules if name.startswith("secretly")]
            os.write(1, repr((loaded, own if len(own) > {OWN} else [])).encode())
            os._exit(0)
        os.execve = executed
        from secretly.cli import main
        main(["run", "-e", "X=OpenAI", "true"])
        """
    done = subprocess.run(
        # Without site, in which an editable installation loads half of them.
        [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)],
        env={k: v for k, v in service.environ.items() if k not in COVERAGE},  # it loads much
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "([], [])", done.stderr


def run(service: SecretService, *arguments: str, typed: str = "") -> str:
    """Run the command in the session."""
    return service.run(*SECRETLY, *arguments, typed=typed)


@pytest.mark.real
def test_the_command_gets_stored_secrets_back(service: SecretService) -> None:
    """Ten secrets and an update come back as they were last stored."""
    for number in range(10):
        run(service, "set", f"N{number}", "--stdin", typed=f"canary-{number}")
    run(service, "set", "N3", "--stdin", typed="canary-new")
    words = [word for number in range(10) for word in ("-e", f"V{number}=N{number}")]
    show = "import json, os; print(json.dumps({k: os.environ[k] for k in sorted(os.environ)}))"
    found = json.loads(run(service, "run", *words, sys.executable, "-c", show))
    expected = {f"V{number}": f"canary-{number}" for number in range(10)} | {"V3": "canary-new"}
    assert {name: found[name] for name in expected} == expected


# -- services with other rules for items ----------------------------------------------


@pytest.fixture(scope="module", name="keepassxc")
def _keepassxc() -> Iterator[SecretService]:
    """A running KeePassXC."""
    with secret_service(kind=KeePassXC) as service:
        yield service


def fails(service: SecretService, *arguments: str) -> str:
    """Run a command that must fail, and return its error."""
    done = subprocess.run(
        [*SECRETLY, *arguments],
        env=service.environ,
        input="canary-1",
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode
    assert "canary" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.real
def test_keepassxc_is_a_keychain(keepassxc: SecretService) -> None:
    """KeePassXC adds attributes to every item, and set, get, run and forget still work."""
    for name in ("One", "Two"):
        assert run(keepassxc, "set", name, "--stdin", typed=f"canary-{name}") != ""
        assert run(keepassxc, "get", name) == f"canary-{name}\n"
    words = ("-e", "A=One", "-e", "B=Two", "sh", "-c", 'echo "$A $B"')
    assert run(keepassxc, "run", "--no-input", *words) == "canary-One canary-Two\n"
    reader = ItemReader(keepassxc.address)
    user = run(keepassxc, "list").split("user ")[1].partition(",")[0]
    assert reader.read([("One", user), ("None", user)], 10) == ["canary-One", MISSING]
    assert run(keepassxc, "forget", "One") == "forgot One\n"
    assert "One" in fails(keepassxc, "get", "One")
    assert reader.read([("One", user), ("Two", user)], 10) == [MISSING, "canary-Two"]
    assert run(keepassxc, "get", "Two") == "canary-Two\n"


@pytest.mark.real
def test_keepassxcs_items_of_other_tools_are_left_alone(keepassxc: SecretService) -> None:
    """secretly neither returns nor deletes an entry that another tool made."""
    need("secret-tool")
    store = ("store", "--label", "x", "service", "Other", "username", "user", "server", "x")
    try:
        keepassxc.run("secret-tool", *store, typed="canary-other")
    except subprocess.TimeoutExpired:  # KeePassXC 2.7 sometimes never answers its first client
        keepassxc.run("secret-tool", *store, typed="canary-other")
    assert "Other" in fails(keepassxc, "get", "Other")
    fails(keepassxc, "forget", "Other", "--username", "user")
    assert keepassxc.run("secret-tool", "lookup", "service", "Other") == "canary-other"


@pytest.mark.real
def test_a_service_may_decorate_items() -> None:
    """secretly replaces and deletes items to which the service adds attributes."""
    with secret_service(kind=Misbehaving) as service:
        assert isinstance(service, Misbehaving)
        service.misbehave("decorates items")
        for value in ("canary-1", "canary-2"):
            run(service, "set", "Name", "--stdin", typed=value)
            assert run(service, "get", "Name") == f"{value}\n"
        assert run(service, "forget", "Name") == "forgot Name\n"
        fails(service, "forget", "Name")


@pytest.mark.real
@pytest.mark.parametrize("how", ["loses items", "loses an attribute", "loses a byte"])
def test_set_says_stored_only_of_what_comes_back(how: str) -> None:
    """If the keychain does not return the secret, ``set`` fails and doesn't list the name."""
    with secret_service(kind=Misbehaving) as service:
        assert isinstance(service, Misbehaving)
        service.misbehave(how)
        assert "keychain" in fails(service, "set", "Name", "--stdin")
        assert "Name" not in run(service, "list")
