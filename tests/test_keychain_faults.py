"""Every way in which a keychain can fail, and what comes of it: the command never runs.

Each is tried with the command as a real process, on a Secret Service of its own: the real
gnome-keyring, or a double for what it does not do. The secret is there each time, kept by
secretly, so that it is listed, or put there by keyring alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import secretstorage
from command import SECRETLY, ended, files_with
from conftest import Tried
from secretservice import Misbehaving, SecretService, prompter, secret_service

from secretly.testing import FakePinentry

pytestmark = pytest.mark.real

#: How long, in seconds, a keychain may take where it asks nobody: ``keychain.MACHINE``.
MACHINE = 30.0

#: How long, in seconds, the command may take beside what it waits for, on a busy machine.
SOON = 10.0

#: How long a person has, in seconds, and then a keychain that does not answer.
PERSON = 2

KEPT = "Kept"  # by secretly
PUT = "Put"  # by keyring, so that no list has it


class Outcome(NamedTuple):
    """How a command ended, and when."""

    status: int
    stdout: str
    stderr: str
    seconds: float


class Desk:
    """A session with a Secret Service in it, in which there are two secrets.

    :ivar environ: the variables of the command.
    """

    def __init__(self, service: SecretService) -> None:
        self.service = service
        self.environ = {**service.environ, "LC_ALL": "C.UTF-8"}
        if "PYTHONPATH" in os.environ:
            self.environ["PYTHONPATH"] = os.environ["PYTHONPATH"]
        kept = self.run(["set", KEPT, "--stdin"], typed="canary-kept")
        assert kept.status == 0, kept
        login = (
            "import getpass, keyring; keyring.set_password('Put', getpass.getuser(), 'canary-put')"
        )
        subprocess.run([sys.executable, "-c", login], env=self.environ, check=True, timeout=20)

    def start(self, arguments: list[str], more: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the command."""
        return subprocess.Popen(
            [*SECRETLY, *arguments],
            env={**self.environ, **more},
            cwd=self.service.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self,
        arguments: list[str],
        more: Mapping[str, str] | None = None,
        typed: str = "",
        seconds: float = MACHINE,
    ) -> Outcome:
        """Run it to its end."""
        started = time.monotonic()
        process = self.start(arguments, more or {})
        with ended(process):
            out, err = process.communicate(typed.encode(), seconds)
        took = time.monotonic() - started
        return Outcome(process.returncode, out.decode(), err.decode(), took)

    def hands(self, *options: str, names: tuple[str, ...] = (KEPT,), **more: str) -> Outcome:
        """Run a command that would print what it was given, and leave a file."""
        wanted = [word for number, name in enumerate(names) for word in ("-e", f"X{number}={name}")]
        shell = ["sh", "-c", 'echo "got:$X0"; touch ran']
        return self.run(["run", *options, *wanted, "--", *shell], more, seconds=MACHINE + SOON)

    def refused(self, outcome: Outcome, status: int = 125) -> float:
        """It ended so, with two lines, and ran nothing; return how long it took."""
        assert outcome.status == status, outcome
        assert outcome.stdout == ""
        lines = outcome.stderr.splitlines()
        assert len(lines) == 2, outcome
        assert lines[0].startswith("secretly: ") and lines[1].startswith("  "), outcome
        assert "canary" not in outcome.stderr
        assert not (self.service.folder / "ran").exists()
        assert files_with("canary", self.service.folder) == []
        return outcome.seconds


@contextlib.contextmanager
def desk(kind: type[SecretService] = SecretService) -> Iterator[Desk]:
    """A session of its own."""
    with secret_service(kind=kind) as service:
        yield Desk(service)


def alone(found: Desk, environ: Mapping[str, str], *names: str) -> float:
    """Try it where nobody may be asked, for each of these; return how long it took."""
    with ThreadPoolExecutor(len(names)) as pool:
        ways = [pool.submit(found.hands, "--no-input", names=(n,), **environ) for n in names]
        return max(found.refused(way.result()) for way in ways)


def with_a_person(
    found: Desk, environ: Mapping[str, str], waits: bool = False, seconds: int = 60
) -> float:
    """Try it with a person, who is asked instead, and declines; return how long it took.

    :param waits: whether the keychain does not answer: it has the person's time then, and
        they are told.
    """
    with FakePinentry([None]) as fake:
        options = ("--prompt-timeout", f"{PERSON if waits else seconds}s")
        took = found.refused(found.hands(*options, **{**environ, **fake.environ}), 130)
        (shown,) = fake.prompts
    assert not waits or "did not answer" in shown["SETERROR"]
    assert took < SOON
    return took


def all_ways(found: Desk, environ: Mapping[str, str], *names: str) -> float:
    """Try it alone and with a person at the same time, where nothing is waited for."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(with_a_person, found, environ)
        took = max(alone(found, environ, *names), asked.result())
    assert took < SOON
    return took


@pytest.fixture(name="shared", scope="module")
def _shared() -> Iterator[Desk]:
    """The real service, for what leaves it as it was."""
    with desk() as found:
        yield found


@pytest.fixture(name="double", scope="module")
def _double() -> Iterator[Desk]:
    """The double of it."""
    with desk(Misbehaving) as found:
        yield found


def test_both_work_where_nothing_is_wrong(shared: Desk, double: Desk) -> None:
    """The command gets what is kept, and what was put there, from the double as well."""
    for found in (shared, double):
        for name, value in ((KEPT, "canary-kept"), (PUT, "canary-put")):
            given = found.hands("--no-input", names=(name,))
            assert given[:3] == (0, f"got:{value}\n", "")
        (found.service.folder / "ran").unlink()


# -- around the service ------------------------------------------------------------


def dead_socket(folder: Path) -> str:
    path = folder / "dead"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(path))
    return f"unix:path={path}"


BUS = "DBUS_SESSION_BUS_ADDRESS"
BACKEND = "PYTHON_KEYRING_BACKEND"

VARIABLES = {
    "no bus": (BUS, ""),
    "a bus's address that is none": (BUS, "nonsense"),
    "a bus that is not there": (BUS, "unix:path=/nonexistent"),
    "a socket that a bus has left": (BUS, "dead"),
    "PYTHON_KEYRING_BACKEND is empty": (BACKEND, ""),
    "PYTHON_KEYRING_BACKEND is no class": (BACKEND, "nonsense"),
    "PYTHON_KEYRING_BACKEND is a module that is not there": (
        BACKEND,
        "keyring.backends.nonsense.Keyring",
    ),
    "PYTHON_KEYRING_BACKEND is a class that is not there": (
        BACKEND,
        "keyring.backends.SecretService.Nonsense",
    ),
    "PYTHON_KEYRING_BACKEND is another system's": (
        BACKEND,
        "keyring.backends.Windows.WinVaultKeyring",
    ),
    "PYTHON_KEYRING_BACKEND keeps nothing": (BACKEND, "keyring.backends.null.Keyring"),
    "PYTHON_KEYRING_BACKEND always fails": (BACKEND, "keyring.backends.fail.Keyring"),
    "PYTHON_KEYRING_BACKEND is somebody's": (BACKEND, "planted.Keyring"),
}


@pytest.mark.parametrize("what", VARIABLES)
def test_variables(what: str, shared: Desk, tmp_path: Path, tried: Tried) -> None:
    """What is named is not there, or is not to be used."""
    name, value = VARIABLES[what]
    if value == "dead":
        value = dead_socket(tmp_path)
    tried("keychain", what, "nothing is run", all_ways(shared, {name: value}, KEPT))


# -- the real service --------------------------------------------------------------


def lose(service: SecretService) -> None:
    """Have the daemon find no collection any more."""
    service.kill()
    shutil.rmtree(Path(service.environ["XDG_DATA_HOME"], "keyrings"))


BROKEN: dict[str, Callable[[SecretService], object]] = {
    "the bus was killed": lambda service: os.kill(service.bus, signal.SIGKILL),
    "the daemon was killed": SecretService.kill,
    "no collection any more": lose,
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_service_that_breaks(what: str, tried: Tried) -> None:
    """What happens to a desktop's keychain. A daemon that the bus starts anew is locked."""
    with desk() as found:
        BROKEN[what](found.service)
        tried("keychain", what, "nothing is run", all_ways(found, {}, KEPT, PUT))


def test_a_locked_keychain(tried: Tried) -> None:
    """Locked, with nothing to unlock it by; then with what asks for its password and waits.

    Where nobody may be asked that is not asked either.
    """
    with desk() as found:
        found.service.lock()
        tried("keychain", "locked", "nothing is run", all_ways(found, {}, KEPT, PUT))
        with prompter(found.service) as asked:
            took = alone(found, {}, KEPT, PUT)
            assert took < SOON
            assert not asked()
            took = max(took, with_a_person(found, {}, waits=True))
            assert asked()
        tried("keychain", "locked, its own prompt never answers", "nothing is run", took)


#: What is there instead of the items: bytes, and attributes more than their own.
INSTEAD: dict[str, list[tuple[bytes, dict[str, str]]]] = {
    "the items were deleted": [],
    "the items became another tool's": [(b"canary-other", {"server": "example.org"})],
    "what is kept is not UTF-8": [(b"canary-\xff\xfe", {})],
}


@contextlib.contextmanager
def instead(service: SecretService, there: list[tuple[bytes, dict[str, str]]]) -> Iterator[None]:
    """Have something else in the place of each item, for a while."""
    with service.connection() as connection:
        collection = secretstorage.get_default_collection(connection)
        items = [(item.get_attributes(), item.get_secret()) for item in collection.get_all_items()]

        def put(values: list[tuple[dict[str, str], bytes]]) -> None:
            for item in list(collection.get_all_items()):
                item.delete()
            for attributes, value in values:
                collection.create_item("an item", attributes, value)

        put([({**attributes, **more}, value) for attributes, _ in items for value, more in there])
        try:
            yield
        finally:
            put(items)


@pytest.mark.parametrize("what", INSTEAD)
def test_an_item_that_is_no_more(what: str, shared: Desk, tried: Tried) -> None:
    """What is listed need not be there."""
    with instead(shared.service, INSTEAD[what]):
        tried("keychain", what, "nothing is run", all_ways(shared, {}, KEPT, PUT))


def test_what_is_kept_has_a_nul(shared: Desk, tried: Tried) -> None:
    """No variable can hold it: it is not cut. Nobody is asked: the keychain has given it."""
    with instead(shared.service, [(b"canary-\0-1", {})]), FakePinentry() as fake:
        took = max(shared.refused(shared.hands(**fake.environ)), alone(shared, {}, KEPT, PUT))
        assert fake.prompts == []
    tried("keychain", "what is kept has a NUL", "nothing is run", took)


# -- a service that does what none should --------------------------------------------


MISBEHAVIOUR = (
    "vanishes before it is looked at",
    "vanishes before it is read",
    "says that there is no such item",
    "says that it is locked",
    "locks itself before it is read",
    "knows nothing of the session",
    "opens no session",
    "gives what is not UTF-8",
    "gives a NUL",
    "gives something else",
    "dies before it is read",  # the last one: after it the bus starts the real one
)


@pytest.mark.parametrize("how", MISBEHAVIOUR)
def test_a_service_that_misbehaves(how: str, double: Desk, tried: Tried) -> None:
    """It finds the item, and then there is something wrong with it."""
    assert isinstance(double.service, Misbehaving)
    double.service.misbehave(how)
    took = alone(double, {}, KEPT, PUT)
    assert took < SOON
    tried("keychain", f"a service that finds it, and {how}", "nothing is run", took)


# -- what does not answer ------------------------------------------------------------


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Have a process stopped: it is there, and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def daemon_stopped() -> Iterator[tuple[Desk, dict[str, str]]]:
    with desk() as found:
        assert found.service._daemon_pid is not None
        with stopped(found.service._daemon_pid):
            yield found, {}


@contextlib.contextmanager
def bus_stopped() -> Iterator[tuple[Desk, dict[str, str]]]:
    with desk() as found, stopped(found.service.bus):
        yield found, {}


@contextlib.contextmanager
def bus_silent() -> Iterator[tuple[Desk, dict[str, str]]]:
    with desk() as found, socket.socket(socket.AF_UNIX) as silent:
        path = found.service.folder / "silent"
        silent.bind(os.fspath(path))
        silent.listen(64)
        yield found, {BUS: f"unix:path={path}"}


@contextlib.contextmanager
def misbehaving(how: str) -> Iterator[tuple[Desk, dict[str, str]]]:
    with desk(Misbehaving) as found:
        assert isinstance(found.service, Misbehaving)
        found.service.misbehave(how)
        yield found, {}


SILENT: dict[str, Callable[[], contextlib.AbstractContextManager[tuple[Desk, dict[str, str]]]]] = {
    "the daemon is stopped": daemon_stopped,
    "a service that never finds it": lambda: misbehaving("never finds it"),
    "a service that finds it, and never gives it": lambda: misbehaving("never gives it"),
    "the bus is stopped": bus_stopped,
    "the bus takes the connection, and says nothing": bus_silent,
}


@pytest.fixture(name="waiting", scope="module", autouse=True)
def _waiting() -> Iterator[dict[str, Future[tuple[float, float]]]]:
    """These wait for half a minute: they do it while the others are tried."""

    def both(what: str) -> tuple[float, float]:
        with SILENT[what]() as (found, environ), ThreadPoolExecutor(2) as pool:
            # Both secrets in one command, too: it does not wait for one after the other.
            names = (PUT, KEPT)
            more = pool.submit(found.hands, "--no-input", names=names, **environ)
            listed = pool.submit(alone, found, environ, KEPT)
            # A connection has a second by itself (jeepney): which of the two is over
            # first is not told.
            waits = not what.startswith("the bus")
            soon = with_a_person(found, environ, waits, seconds=PERSON)
            return soon, max(found.refused(more.result()), listed.result())

    with ThreadPoolExecutor(len(SILENT)) as pool:
        yield {what: pool.submit(both, what) for what in SILENT}


_LIBRARY = """
import asyncio, os, sys
from secretly import SecretlyError, secret
async def main():
    try:
        await secret("Kept", timeout=2)
    except SecretlyError as error:
        print(type(error).__name__, flush=True)
if sys.argv[1] == "asyncio":
    asyncio.run(main())
else:
    from twisted.internet import defer, task
    task.react(lambda reactor: defer.ensureDeferred(main()))
"""


def test_a_program_can_exit(tried: Tried) -> None:
    """The library asks the person once the time is over, and nothing keeps the program."""
    with daemon_stopped() as (found, environ):
        for driver in ("asyncio", "twisted"):
            with FakePinentry([None]) as fake:
                started = time.monotonic()
                done = subprocess.run(
                    [sys.executable, "-c", _LIBRARY, driver],
                    env={**found.environ, **environ, **fake.environ},
                    capture_output=True,
                    timeout=MACHINE,
                    check=False,
                )
                took = time.monotonic() - started
                assert (done.returncode, done.stdout, done.stderr) == (0, b"Cancelled\n", b"")
                assert "did not answer" in fake.prompts[0]["SETERROR"]
            assert took < SOON
            tried(
                "keychain", f"the daemon is stopped, by the library ({driver})", "Cancelled", took
            )


@pytest.mark.parametrize("what", SILENT)
def test_what_does_not_answer(
    what: str, waiting: dict[str, Future[tuple[float, float]]], tried: Tried
) -> None:
    """It has the person's time where there is one, and thirty seconds where nobody may be asked."""
    soon, late = waiting[what].result(100)
    assert late < MACHINE + SOON
    tried("keychain", f"{what}, a person's time being {PERSON} s", "nothing is run", soon)
    tried("keychain", f"{what}, where nobody may be asked", "nothing is run", late)
