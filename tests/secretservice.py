"""A real Secret Service in a D-Bus session of its own: gnome-keyring, with no screen."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import jeepney
from conftest import COVERAGE, need
from jeepney.io.blocking import DBusConnection, open_dbus_connection

__all__ = ["SecretService", "secret_service", "wait_until"]

_PASSWORD = b"keyring-password"
_COLLECTION = "/org/freedesktop/secrets/collection/login"


def wait_until(condition: object, seconds: float = 10.0) -> None:
    """Wait for a condition, a function of nothing; fail if it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


class SecretService:
    """A session bus with gnome-keyring on it, in folders of its own.

    ``environ`` has what a program needs to use it and nothing else of this user's.
    """

    def __init__(self, folder: Path, *, collection: bool = True) -> None:
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"], "HOME": os.fspath(folder), **COVERAGE}
        for name in ("RUNTIME_DIR", "DATA_HOME", "CONFIG_HOME", "CACHE_HOME", "STATE_HOME"):
            own = folder / name.lower()
            own.mkdir(mode=0o700)
            self.environ[f"XDG_{name}"] = os.fspath(own)
        self._bus = subprocess.Popen(
            ["dbus-run-session", "--", "sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat'],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._bus.stdout is not None
        self.address = self._bus.stdout.readline().decode().strip()
        self.environ["DBUS_SESSION_BUS_ADDRESS"] = self.address
        self._daemon: subprocess.Popen[bytes] | None = None
        try:
            self._start(_PASSWORD if collection else None)
        except BaseException:
            self.end()
            raise

    def _start(self, password: bytes | None) -> None:
        """Start the daemon: with a password it makes, or unlocks, the login collection."""
        self._daemon = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--components=secrets"]
            + (["--unlock"] if password else []),
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert self._daemon.stdin is not None
        self._daemon.stdin.write(password or b"")
        self._daemon.stdin.close()
        # --unlock can return before the name is owned.
        wait_until(lambda: self._owner() == self._daemon_pid)

    @property
    def _daemon_pid(self) -> int | None:
        return self._daemon.pid if self._daemon else None

    @contextlib.contextmanager
    def connection(self) -> Iterator[DBusConnection]:
        """A connection to the bus."""
        with contextlib.closing(open_dbus_connection(self.address)) as connection:
            yield connection

    def _owner(self) -> int | None:
        """The process that answers for the Secret Service."""
        bus = jeepney.DBusAddress(
            "/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus"
        )
        question = jeepney.new_method_call(
            bus, "GetConnectionUnixProcessID", "s", ("org.freedesktop.secrets",)
        )
        with self.connection() as connection:
            answer = connection.send_and_get_reply(question, timeout=5)
        if answer.header.message_type == jeepney.MessageType.error:
            return None
        return int(answer.body[0])

    def lock(self) -> None:
        """Lock the collection, as the desktop does when it is left alone."""
        service = jeepney.DBusAddress(
            "/org/freedesktop/secrets",
            "org.freedesktop.secrets",
            "org.freedesktop.Secret.Service",
        )
        with self.connection() as connection:
            call = jeepney.new_method_call(service, "Lock", "ao", ([_COLLECTION],))
            connection.send_and_get_reply(call, timeout=5)

    def unlock(self) -> None:
        """Have the collection unlocked again, by a daemon that is started anew."""
        self.kill()
        self._start(_PASSWORD)

    def stop(self) -> None:
        """Have the daemon hang: it is there, and answers nothing."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the daemon without a warning."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait(10)

    def run(self, *command: str, typed: str = "") -> str:
        """Run a program in the session and return what it wrote."""
        done = subprocess.run(
            command,
            env=self.environ,
            input=typed.encode(),
            stdout=subprocess.PIPE,
            timeout=20,
            check=True,
        )
        return done.stdout.decode()

    def end(self) -> None:
        """End the daemon and the bus."""
        self.kill()
        assert self._bus.stdin is not None
        self._bus.stdin.close()  # ends the cat, then dbus-run-session ends its bus
        self._bus.wait(10)


@contextlib.contextmanager
def secret_service(*, collection: bool = True) -> Iterator[SecretService]:
    """Start a Secret Service and end it.

    :param collection: whether there is an unlocked collection, as after a log-in.
    """
    need("dbus-run-session", "gnome-keyring-daemon")
    # Not pytest's own folder: the path of a socket has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="secretly-"))
    try:
        service = SecretService(folder, collection=collection)
        try:
            yield service
        finally:
            service.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
