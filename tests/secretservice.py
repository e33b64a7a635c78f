"""Run gnome-keyring, a real Secret Service, in a D-Bus session of its own without a screen."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import jeepney
from conftest import COVERAGE, need
from jeepney.io.blocking import DBusConnection, open_dbus_connection

__all__ = ["KeePassXC", "Misbehaving", "SecretService", "prompter", "secret_service", "wait_until"]

_PASSWORD = b"keyring-password"
_COLLECTION = "/org/freedesktop/secrets/collection/login"


def wait_until(condition: object, seconds: float = 10.0) -> None:
    """Wait until a condition is true. Fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.01)


class SecretService:
    """A session bus with gnome-keyring, in folders of its own.

    ``environ`` has the variables that a program needs to use the service, and nothing else of
    the user's.
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
        """Start the daemon. With a password, the daemon makes or unlocks the login collection."""
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
        # The daemon may unlock the collection before it owns its name on the bus.
        wait_until(lambda: self._owner() == self._daemon_pid)

    @property
    def bus(self) -> int:
        """The process ID of the bus."""
        (pid,) = (
            int(child)
            for child in Path(f"/proc/{self._bus.pid}/task/{self._bus.pid}/children")
            .read_text()
            .split()
            if Path(f"/proc/{child}/comm").read_text().strip() == "dbus-daemon"
        )
        return pid

    @property
    def _daemon_pid(self) -> int | None:
        return self._daemon.pid if self._daemon else None

    @contextlib.contextmanager
    def connection(self) -> Iterator[DBusConnection]:
        """Open a connection to the bus, and close it at the end."""
        with contextlib.closing(open_dbus_connection(self.address)) as connection:
            yield connection

    def _owner(self) -> int | None:
        """Return the ID of the process that provides the Secret Service, if any."""
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

    @property
    def is_alive(self) -> bool:
        """Whether the daemon that was started still provides the service."""
        return self._daemon_pid is not None and self._owner() == self._daemon_pid

    def lock(self) -> None:
        """Lock the collection, as the desktop does when the user is away."""
        service = jeepney.DBusAddress(
            "/org/freedesktop/secrets",
            "org.freedesktop.secrets",
            "org.freedesktop.Secret.Service",
        )
        with self.connection() as connection:
            request = jeepney.new_method_call(service, "Lock", "ao", ([_COLLECTION],))
            connection.send_and_get_reply(request, timeout=5)

    def unlock(self) -> None:
        """Restart the daemon, which unlocks the collection."""
        self.kill()
        self._start(_PASSWORD)

    def stop(self) -> None:
        """Suspend the daemon, so that no request gets an answer."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the suspended daemon continue."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the daemon."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait(10)

    def run(self, *command: str, typed: str = "") -> str:
        """Run a program in the session, and return its output."""
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
def secret_service(
    *, collection: bool = True, kind: type[SecretService] = SecretService
) -> Iterator[SecretService]:
    """Run a Secret Service until the ``with`` block ends.

    :param collection: whether an unlocked collection exists, as after a login.
    :param kind: the class of the real service, or of a :class:`Double`.
    """
    need("dbus-run-session", "gnome-keyring-daemon")
    # The path of a socket has at most 107 bytes, so pytest's folder is too deep.
    folder = Path(tempfile.mkdtemp(prefix="secretly-"))
    try:
        service = kind(folder, collection=collection)
        try:
            yield service
        finally:
            service.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class prompter:
    """A desktop prompter that accepts requests and never answers.

    The value of ``with`` is a function that returns whether a request has arrived.
    """

    def __init__(self, service: SecretService) -> None:
        self._service = service

    def __enter__(self) -> Any:
        script = """
        import jeepney, sys
        from jeepney.io.blocking import open_dbus_connection
        connection = open_dbus_connection()
        connection.send_and_get_reply(
            jeepney.message_bus.RequestName("org.gnome.keyring.SystemPrompter")
        )
        print("ready", flush=True)
        while True:
            message = connection.receive()
            if message.header.fields.get(jeepney.HeaderFields.member) == "BeginPrompting":
                print("asked", flush=True)
        """
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            env=self._service.environ,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        os.set_blocking(self._process.stdout.fileno(), False)
        return lambda: (self._process.stdout.read() or b"").startswith(b"asked")  # type: ignore[union-attr]

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait(10)


#: What each double begins with.
_BEGIN = """
import os, sys
from jeepney import HeaderFields, MessageType, message_bus, new_error, new_method_return
from jeepney.io.blocking import open_dbus_connection

PATH, PREFIX = "/org/freedesktop/secrets", "org.freedesktop.Secret."
COLLECTION, SESSION = PATH + "/collection/login", PATH + "/session/1"
UNKNOWN = "org.freedesktop.DBus.Error.UnknownObject"

class Wrong(Exception):
    pass
"""

#: What each ends with: it answers every call with what the double's own ``answer`` returns.
_SERVE = """
connection = open_dbus_connection()
connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
while True:
    message = connection.receive()
    fields = message.header.fields
    if message.header.message_type != MessageType.method_call:
        continue
    called = [fields.get(name, "") for name in (
        HeaderFields.path, HeaderFields.interface, HeaderFields.member)]
    try:
        connection.send(new_method_return(message, *answer(*called, message.body)))
    except Wrong as wrong:
        connection.send(new_error(message, str(wrong), "s", ("canary",)))
    except TimeoutError:
        pass
"""


class Double(SecretService):
    """A double of the Secret Service: a process of its own.

    :cvar code: a program with a function ``answer`` of the path, the interface, the member and the
        body of a call. It returns the signature and the body of the answer, raises ``Wrong`` for an
        error, or TimeoutError to answer nothing.
    """

    code: ClassVar[str]

    def _arguments(self) -> list[str]:
        """The arguments of the program."""
        return []

    def _start(self, password: bytes | None) -> None:
        command = [sys.executable, "-c", _BEGIN + self.code + _SERVE, *self._arguments()]
        self._daemon = subprocess.Popen(command, env=self.environ)
        wait_until(lambda: self._owner() == self._daemon_pid)


_MISBEHAVING = """
items = {}

def mode():
    with open(sys.argv[1]) as file:
        return file.read()

def matching(wanted):
    if mode() == "searches by patterns":  # KeePassXC 2.7.0 does
        wanted = {name: value for name, value in wanted.items() if "|" not in value}
    return [path for path, (has, _) in items.items() if wanted.items() <= has.items()]

def properties(path, interface):
    if path not in items:
        return {"Locked": ("b", False), "Label": ("s", "login"), "Items": ("ao", list(items))}
    if mode() == "vanishes before it is looked at":
        raise Wrong(UNKNOWN)
    return {
        "Locked": ("b", mode() == "locks itself before it is read"),
        "Label": ("s", "an item"),
        "Attributes": ("a{ss}", items[path][0]),
    }

def secret(path, session):
    now = mode()
    if now == "vanishes before it is read":
        raise Wrong(UNKNOWN)
    if now == "says that the item does not exist":
        raise Wrong(PREFIX + "Error.NoSuchObject")
    if now == "says that it is locked":
        raise Wrong(PREFIX + "Error.IsLocked")
    if now == "does not know the session":
        raise Wrong(PREFIX + "Error.NoSession")
    if now == "dies before it is read":
        os._exit(1)
    if now == "never returns it":
        raise TimeoutError
    value = items[path][1]
    if now == "returns bytes that are not UTF-8":
        value = b"canary-\\xff\\xfe"
    if now == "returns a NUL":
        value = b"canary-\\0-1"
    return session, b"", value, "text/plain"

def answer(path, interface, member, body):
    if interface == "org.freedesktop.DBus.Properties":
        known = properties(path, body[0])
        return ("v", (known[body[1]],)) if member == "Get" else ("a{sv}", (known,))
    if member == "OpenSession":
        if mode() == "opens no session":
            raise Wrong("org.freedesktop.DBus.Error.Failed")
        if body[0] != "plain":
            raise Wrong("org.freedesktop.DBus.Error.NotSupported")
        return "vo", (("s", ""), SESSION)
    if member == "SearchItems":
        if mode() == "never finds it":
            raise TimeoutError
        known = matching(body[0])
        return ("ao", (known,)) if interface == PREFIX + "Collection" else ("aoao", (known, []))
    if member == "ReadAlias":
        return "o", (COLLECTION,)
    if member in ("Unlock", "Lock"):
        return "aoo", ([] if mode().startswith("locks") else body[0], "/")
    if member == "GetSecrets":
        if mode() == "returns something else":
            return "s", ("canary",)
        if mode() == "returns one at a time" and len(body[0]) > 1:
            raise Wrong(UNKNOWN)
        return "a{o(oayays)}", ({path: secret(path, body[1]) for path in body[0]},)
    if member == "GetSecret":
        if mode() == "returns something else":
            return "s", ("canary",)
        return "(oayays)", (secret(path, body[0]),)
    if member == "CreateItem":
        has = dict(body[0][PREFIX + "Item.Attributes"][1])
        for path in matching(has):
            del items[path]
        number = len(items) + 1
        by_uuid = mode() == "names items by UUIDs"
        path = COLLECTION + "/" + (f"{(10 << 124) + number:032x}" if by_uuid else str(number))
        if mode() == "decorates items":
            has |= {"Title": "an item", "UserName": "", "URL": "", "Uuid": "1", "Path": "/an item"}
        if mode() == "loses an attribute":
            del has["service"]
        if mode() != "loses items":
            items[path] = has, bytes(body[1][2])[mode() == "loses a byte":]
        return "oo", (path, "/")
    if member == "Delete":
        del items[path]
        return "o", ("/",)
    raise Wrong("org.freedesktop.DBus.Error.UnknownMethod")
"""


class Misbehaving(Double):
    """A double of the Secret Service that fails in ways in which gnome-keyring doesn't.

    The double works as usual until a test calls :meth:`misbehave`.
    """

    code = _MISBEHAVING

    def _arguments(self) -> list[str]:
        self._mode = self.folder / "mode"
        self.misbehave("")
        return [os.fspath(self._mode)]

    def misbehave(self, how: str) -> None:
        """Fail in this way from now on, or work as usual if the text is empty."""
        self._mode.write_text(how)


class KeePassXC(SecretService):
    """The real KeePassXC as the Secret Service, without a window.

    It does not ask before a program reads or deletes an item. A program that replaces an item of
    another one still has to wait for the user, who can answer only on a screen.
    """

    #: The screen for its windows; empty: none.
    display = ""

    def _start(self, password: bytes | None) -> None:
        need("keepassxc", "keepassxc-cli")
        # KeePassXC's lock, which keeps a second one from starting, is in TMPDIR.
        self.environ |= {"QT_QPA_PLATFORM": "offscreen", "TMPDIR": os.fspath(self.folder)}
        self._make_database()
        settings = self.folder / "keepassxc.ini"
        settings.write_text(
            "[General]\nConfigVersion=2\nUpdateCheckMessageShown=true\n"
            "[GUI]\nCheckForUpdates=false\n[FdoSecrets]\nEnabled=true\nShowNotification=false\n"
            "ConfirmAccessItem=false\nConfirmDeleteItem=false\n"
        )
        options = ("--config", settings, "--localconfig", self.folder / "local.ini", "--pw-stdin")
        self._daemon = subprocess.Popen(
            ["keepassxc", *options, self.folder / "canary.kdbx"],
            env={**self.environ, **self._window},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert self._daemon.stdin is not None
        self._daemon.stdin.write(_PASSWORD + b"\n")
        self._daemon.stdin.close()
        wait_until(lambda: self._owner() == self._daemon_pid and self._is_open(), 30)

    @property
    def _window(self) -> dict[str, str]:
        return {"DISPLAY": self.display, "QT_QPA_PLATFORM": "xcb"} if self.display else {}

    def _make_database(self) -> None:
        """Make a database, one of whose groups the Secret Service shows."""
        group = uuid.uuid4()
        source = self.folder / "canary.xml"
        source.write_text(
            '<?xml version="1.0" encoding="UTF-8"?><KeePassFile><Meta><CustomData><Item>'
            f"<Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{{{group}}}</Value></Item></CustomData>"
            f"</Meta><Root><Group><UUID>{base64.b64encode(group.bytes).decode()}</UUID>"
            "<Name>Root</Name></Group></Root></KeePassFile>"
        )
        subprocess.run(
            [
                "keepassxc-cli",
                "import",
                "-q",
                "-p",
                "-t",
                "100",
                source,
                source.with_suffix(".kdbx"),
            ],
            env=self.environ,
            input=2 * (_PASSWORD + b"\n"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=True,
        )

    def _is_open(self) -> bool:
        """Whether KeePassXC has opened the database."""
        service = jeepney.DBusAddress(
            "/org/freedesktop/secrets", "org.freedesktop.secrets", "org.freedesktop.Secret.Service"
        )
        question = jeepney.new_method_call(service, "ReadAlias", "s", ("default",))
        with self.connection() as connection:
            return bool(connection.send_and_get_reply(question, timeout=5).body[0] != "/")
