"""The failures of a keychain, one by one: the command never runs without its secret.

Each test runs the command as a real process, on a Secret Service of its own: the real
gnome-keyring, or a double that fails in ways in which gnome-keyring doesn't. Both secrets are
stored each time, one by secretly, which lists it, and one only by keyring.
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

#: How long, in seconds, a keychain may take if it asks no user.
MACHINE = 30.0

#: How long, in seconds, the command itself may take on a busy machine.
SOON = 10.0

#: How long a prompt waits, in seconds, and so a keychain that does not answer.
PROMPT = 16

KEPT = "Kept"  # by secretly
PUT = "Put"  # by keyring, so that no list has it


class Outcome(NamedTuple):
    """How a command ended, and when."""

    status: int
    stdout: str
    stderr: str
    seconds: float


class Desk:
    """A session with a Secret Service that has two secrets.

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
        """Run the command to its end."""
        started = time.monotonic()
        process = self.start(arguments, more or {})
        with ended(process):
            out, err = process.communicate(typed.encode(), seconds)
        took = time.monotonic() - started
        return Outcome(process.returncode, out.decode(), err.decode(), took)

    def hands(self, *options: str, names: tuple[str, ...] = (KEPT,), **more: str) -> Outcome:
        """Run a command that prints its secret and leaves a file."""
        wanted = [word for number, name in enumerate(names) for word in ("-e", f"X{number}={name}")]
        shell = ["sh", "-c", 'echo "got:$X0"; touch ran']
        return self.run(["run", *options, *wanted, "--", *shell], more, seconds=MACHINE + SOON)

    def refused(self, outcome: Outcome, status: int = 125) -> float:
        """Check that the command failed with two lines and ran nothing; return how long it took."""
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
    """A session with its own Secret Service."""
    with secret_service(kind=kind) as service:
        yield Desk(service)


def without_prompts(found: Desk, environ: Mapping[str, str], *names: str) -> float:
    """Try each of these secrets with ``--no-input``; return how long it took."""
    with ThreadPoolExecutor(len(names)) as pool:
        ways = [pool.submit(found.hands, "--no-input", names=(n,), **environ) for n in names]
        return max(found.refused(way.result()) for way in ways)


def with_prompts(
    found: Desk, environ: Mapping[str, str], waits: bool = False, seconds: int = 60
) -> float:
    """Try it with a user who cancels the prompt; return how long it took.

    :param waits: whether the keychain does not answer. Then it may take as long as the user, and
        the prompt says that it did not answer.
    """
    with FakePinentry([None]) as fake:
        options = ("--prompt-timeout", f"{seconds}s")
        took = found.refused(found.hands(*options, **{**environ, **fake.environ}), 130)
        (shown,) = fake.prompts
    assert not waits or "did not answer" in shown["SETERROR"]
    assert took < (PROMPT if seconds == PROMPT else SOON)
    return took


def all_ways(found: Desk, environ: Mapping[str, str], *names: str) -> float:
    """Try it with and without prompts at the same time; neither waits."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(with_prompts, found, environ)
        took = max(without_prompts(found, environ, *names), asked.result())
    assert took < SOON
    return took


@pytest.fixture(name="shared", scope="module")
def _shared() -> Iterator[Desk]:
    """The real service, for tests that leave it unchanged."""
    with desk() as found:
        yield found


@pytest.fixture(name="double", scope="module")
def _double() -> Iterator[Desk]:
    """The double of the service."""
    with desk(Misbehaving) as found:
        yield found


def test_the_command_gets_both_secrets_if_nothing_is_wrong(shared: Desk, double: Desk) -> None:
    """The real service and the double return both secrets."""
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
    "an invalid bus address": (BUS, "nonsense"),
    "a bus that does not exist": (BUS, "unix:path=/nonexistent"),
    "the socket of a bus that has ended": (BUS, "dead"),
    "PYTHON_KEYRING_BACKEND is empty": (BACKEND, ""),
    "PYTHON_KEYRING_BACKEND is not a class": (BACKEND, "nonsense"),
    "PYTHON_KEYRING_BACKEND names a missing module": (
        BACKEND,
        "keyring.backends.nonsense.Keyring",
    ),
    "PYTHON_KEYRING_BACKEND names a missing class": (
        BACKEND,
        "keyring.backends.SecretService.Nonsense",
    ),
    "PYTHON_KEYRING_BACKEND names another system's backend": (
        BACKEND,
        "keyring.backends.Windows.WinVaultKeyring",
    ),
    "PYTHON_KEYRING_BACKEND names a backend that stores nothing": (
        BACKEND,
        "keyring.backends.null.Keyring",
    ),
    "PYTHON_KEYRING_BACKEND names a backend that always fails": (
        BACKEND,
        "keyring.backends.fail.Keyring",
    ),
    "PYTHON_KEYRING_BACKEND names a planted backend": (BACKEND, "planted.Keyring"),
}


@pytest.mark.parametrize("what", VARIABLES)
def test_a_variable_that_names_no_working_keychain_is_an_error(
    what: str, shared: Desk, tmp_path: Path, tried: Tried
) -> None:
    """The bus or the backend doesn't exist, or secretly must not use it."""
    name, value = VARIABLES[what]
    if value == "dead":
        value = dead_socket(tmp_path)
    tried("keychain", what, "the command does not run", all_ways(shared, {name: value}, KEPT))


# -- the real service --------------------------------------------------------------


def lose(service: SecretService) -> None:
    """Delete the collection."""
    service.kill()
    shutil.rmtree(Path(service.environ["XDG_DATA_HOME"], "keyrings"))


BROKEN: dict[str, Callable[[SecretService], object]] = {
    "the bus was killed": lambda service: os.kill(service.bus, signal.SIGKILL),
    "the daemon was killed": SecretService.kill,
    "the collection was deleted": lose,
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_service_is_an_error(what: str, tried: Tried) -> None:
    """The bus starts a killed daemon again, but locked."""
    with desk() as found:
        BROKEN[what](found.service)
        tried("keychain", what, "the command does not run", all_ways(found, {}, KEPT, PUT))


def test_a_locked_keychain_is_an_error(tried: Tried) -> None:
    """First nothing can unlock the keychain, then a prompter asks for its password and waits.

    Without prompts, the prompter is not asked either.
    """
    with desk() as found:
        found.service.lock()
        tried("keychain", "locked", "the command does not run", all_ways(found, {}, KEPT, PUT))
        with prompter(found.service) as asked:
            took = without_prompts(found, {}, KEPT, PUT)
            assert took < SOON
            assert not asked()
            took = max(took, with_prompts(found, {}, True, PROMPT))
            assert asked()
        tried(
            "keychain", "locked, and its own prompt never answers", "the command does not run", took
        )


#: What replaces the items: bytes, and additional attributes.
INSTEAD: dict[str, list[tuple[bytes, dict[str, str]]]] = {
    "the items were deleted": [],
    "the items became another tool's": [
        (b"canary-other", {"server": "example.org", "application": "another"})
    ],
    "the stored secret is not UTF-8": [(b"canary-\xff\xfe", {})],
}


@contextlib.contextmanager
def instead(service: SecretService, there: list[tuple[bytes, dict[str, str]]]) -> Iterator[None]:
    """Replace each item for the block."""
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
def test_a_listed_item_that_is_missing_is_an_error(what: str, shared: Desk, tried: Tried) -> None:
    """The item was deleted or replaced after secretly had listed it."""
    with instead(shared.service, INSTEAD[what]):
        tried("keychain", what, "the command does not run", all_ways(shared, {}, KEPT, PUT))


def test_a_stored_secret_with_a_nul_is_refused(shared: Desk, tried: Tried) -> None:
    """No variable can hold a NUL. secretly neither cuts the secret nor asks for another."""
    with instead(shared.service, [(b"canary-\0-1", {})]), FakePinentry() as fake:
        took = max(
            shared.refused(shared.hands(**fake.environ)), without_prompts(shared, {}, KEPT, PUT)
        )
        assert fake.prompts == []
    tried("keychain", "the stored secret has a NUL", "the command does not run", took)


# -- a service that does what none should --------------------------------------------


MISBEHAVIOUR = (
    "vanishes before it is looked at",
    "vanishes before it is read",
    "says that the item does not exist",
    "says that it is locked",
    "locks itself before it is read",
    "does not know the session",
    "opens no session",
    "returns bytes that are not UTF-8",
    "returns a NUL",
    "returns something else",
    "dies before it is read",  # the last one: after it the bus starts the real one
)


@pytest.mark.parametrize("how", MISBEHAVIOUR)
def test_a_misbehaving_service_is_an_error(how: str, double: Desk, tried: Tried) -> None:
    """The service finds the item, and then fails."""
    assert isinstance(double.service, Misbehaving)
    double.service.misbehave(how)
    took = without_prompts(double, {}, KEPT, PUT)
    assert took < SOON
    tried("keychain", f"a service that finds the item, and {how}", "the command does not run", took)


# -- what does not answer ------------------------------------------------------------


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process for the block, so that it doesn't answer."""
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
    "a service that never finds the item": lambda: misbehaving("never finds it"),
    "a service that finds the item, and never returns it": lambda: misbehaving("never returns it"),
    "the bus is stopped": bus_stopped,
    "the bus takes the connection, and says nothing": bus_silent,
}


@pytest.fixture(name="waiting", scope="module", autouse=True)
def _waiting() -> Iterator[dict[str, Future[tuple[float, float]]]]:
    """Run the tests that wait for half a minute while other tests run."""

    def both(what: str) -> tuple[float, float]:
        with SILENT[what]() as (found, environ), ThreadPoolExecutor(2) as pool:
            # Also both secrets in one command, which does not wait for each in turn.
            names = (PUT, KEPT)
            more = pool.submit(found.hands, "--no-input", names=names, **environ)
            listed = pool.submit(without_prompts, found, environ, KEPT)
            # jeepney gives a connection one second, so either time-out may come first.
            waits = not what.startswith("the bus")
            soon = with_prompts(found, environ, waits, seconds=PROMPT)
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


def test_a_program_can_exit_while_the_keychain_hangs(tried: Tried) -> None:
    """The library asks the user when the time is over, and no thread keeps the program."""
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
def test_a_keychain_that_does_not_answer_is_an_error(
    what: str, waiting: dict[str, Future[tuple[float, float]]], tried: Tried
) -> None:
    """It gets as long as the prompt, or 30 seconds if secretly must not ask."""
    soon, late = waiting[what].result(100)
    assert late < MACHINE + SOON
    tried("keychain", f"{what}, {PROMPT} s for the prompt", "the command does not run", soon)
    tried("keychain", f"{what}, without prompts", "the command does not run", late)
