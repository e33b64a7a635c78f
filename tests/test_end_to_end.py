"""The main job, whole: a real package, twine, index server, pinentry and keychain.

Only the token is made up. The package is built with ``python -m build``, twine
uploads it to an index on loopback, the token is typed into pinentry-curses on a
terminal, and kept by gnome-keyring in a D-Bus session of its own.

The index checks tokens as PyPI does. pypiserver compares passwords letter by letter,
which a token that was narrowed never passes: it is tried with a password.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import tokens
from command import (
    SECRETLY,
    Home,
    Terminal,
    Watch,
    ended,
    files_with,
    home,
    wait_until,
)
from conftest import need
from tokens import Warehouse

from secretly.asking import wording

pytestmark = [pytest.mark.real, pytest.mark.outside]

#: The user's own token, for all of their projects.
TOKEN = tokens.token("127.0.0.1", identifier=os.urandom(8).hex())

#: What it begins with, and each that is made of it: the index and its number.
BEGINNING = TOKEN[:45]

#: What it alone ends with: its signature.
END = TOKEN[-40:]

PASSWORD = f"canary-{os.urandom(24).hex()}"


def _need_module(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        if os.environ.get("CI"):
            pytest.fail(f"needs {name}")
        pytest.skip(f"needs {name}")


# -- the real parts --------------------------------------------------------------


class Package(NamedTuple):
    """Three versions of a package, built.

    :param folder: where the files are, under ``dist``.
    """

    folder: Path

    def files(self, version: str) -> list[str]:
        """The files of one version, as twine's arguments."""
        found = sorted(self.folder.glob(f"dist/demo-{version}*"))
        return [str(path.relative_to(self.folder)) for path in found]


@pytest.fixture(scope="module", name="package")
def _package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    need("pinentry-curses")  # before anything is built for nothing
    _need_module("build")
    folder = tmp_path_factory.mktemp("package")
    (folder / "demo.py").write_text('"""A demonstration."""\n')
    backends = {
        "setuptools": "setuptools.build_meta",
        "flit_core": "flit_core.buildapi",
        "hatchling": "hatchling.build",
    }
    backend = next((name for name in backends if importlib.util.find_spec(name)), None)
    # Without a backend here, build fetches one.
    isolation = [] if backend is None else ["--no-isolation"]
    if backend in (None, "setuptools") and importlib.util.find_spec("wheel") is None:
        isolation += [] if backend is None else ["--sdist"]  # old ones need wheel for a wheel
    for version in ("1.0", "1.1", "1.2"):
        (folder / "pyproject.toml").write_text(
            f'[build-system]\nrequires = ["{backend or "setuptools"}"]\n'
            f'build-backend = "{backends[backend or "setuptools"]}"\n'
            f'[project]\nname = "demo"\nversion = "{version}"\ndescription = "A demonstration"\n'
        )
        build = [sys.executable, "-m", "build", *isolation, "."]
        done = subprocess.run(build, cwd=folder, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stdout + done.stderr
    return Package(folder)


@pytest.fixture(name="index")
def _index() -> Iterator[Warehouse]:
    """An index on loopback that accepts the token, and tokens made from it."""
    with tokens.warehouse() as found:
        yield found


def arrived(index: Warehouse) -> list[str]:
    """The files that the index accepted."""
    return sorted(upload.file for upload in index.uploads if upload.status == 200)


class Server(NamedTuple):
    """A pypiserver on loopback that takes the password, and nothing else.

    :param packages: the folder in which uploads arrive.
    """

    url: str
    packages: Path


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[Server]:
    _need_module("pypiserver")
    _need_module("passlib")
    from passlib.hash import apr_md5_crypt

    passwords, packages = tmp_path / "htpasswd", tmp_path / "packages"
    passwords.write_text(f"me:{apr_md5_crypt.hash(PASSWORD)}\n")
    packages.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port)]
    command += ["-P", str(passwords), "-a", "update,download,list", "--disable-fallback"]
    with open(tmp_path / "server.log", "wb") as log:
        server = subprocess.Popen(
            [*command, str(packages)], stdout=log, stderr=log, start_new_session=True
        )
    with ended(server):
        wait_until(lambda: _listens(port))
        yield Server(f"http://127.0.0.1:{port}/", packages)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    """An empty home."""
    with home() as found:
        found.environ["PINENTRY"] = "pinentry-curses"
        yield found


def lead(home: Home, url: str, secret: str, more: str = "") -> None:
    """Configure a profile for that index, with the secret of that name."""
    home.configure(
        '[commands.twine]\ndefault = "loopback"\n'
        "[commands.twine.profiles.loopback]\n"
        f'env = {{ TWINE_REPOSITORY_URL = "{url}" }}\n'
        f'secrets = {{ TWINE_PASSWORD = "{secret}" }}\n{more}'
    )


@pytest.fixture(name="keychain")
def _keychain(home: Home) -> Iterator[None]:
    """A gnome-keyring, unlocked, in a D-Bus session of its own."""
    need("dbus-daemon", "gnome-keyring-daemon")
    with contextlib.ExitStack() as stack:
        bus = home.start(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"], stderr=subprocess.DEVNULL
        )
        stack.enter_context(ended(bus))
        assert bus.stdout is not None
        home.environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
        daemon = home.start(
            ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.enter_context(ended(daemon))
        assert daemon.stdin is not None
        daemon.stdin.write(b"keychain password")
        daemon.stdin.close()
        ready = r"(?m)^ok  keychain: keyring\.backends\.SecretService\.Keyring$"
        wait_until(lambda: re.search(ready, home.run("doctor").stdout))
        yield


def _twine() -> str:
    sibling = Path(sys.executable).with_name("twine")
    found = str(sibling) if sibling.exists() else shutil.which("twine")
    if found is None:
        need("twine")
    assert found is not None
    return found


@contextlib.contextmanager
def upload(
    home: Home,
    package: Package,
    version: str,
    *options: str,
    index: Warehouse | None = None,
    safe: bool = True,
) -> Iterator[Terminal]:
    """``secretly run twine upload`` on a terminal; no other process gets the token.

    :param index: the one that is led to, with PyPI's token.
    :param safe: whether twine is to get one that is made of it.
    """
    if index is not None:
        lead(home, index.url, "PyPI")
    run = [*SECRETLY, "run", *options, _twine(), "upload", "--disable-progress-bar"]
    line = [*run, *package.files(version)]
    with (
        Watch(BEGINNING) as watch,
        Watch(END) as long,
        home.terminal(line, cwd=package.folder) as terminal,
    ):
        yield terminal
    # Only in the environment, and only of the process that became twine; the long one nowhere.
    assert min(watch.rounds, long.rounds) > 3
    assert {(pid, part) for pid, part, _ in watch.seen} == (
        {(terminal.pid, "environ")} if safe else set()
    )
    assert long.seen == set()
    assert BEGINNING not in terminal.screen
    assert terminal.left_over == []
    if safe and index is not None:
        assert "twine gets a token for demo only, until " in terminal.screen
        assert_narrowed(index)


def assert_narrowed(index: Warehouse) -> None:
    """The user's token never arrived. Each token was for ``demo``, and ends soon."""
    assert index.uploads
    for one in index.uploads:
        assert one.token.startswith(BEGINNING)
        assert END not in one.token
        found = tokens.limits(one.token)
        assert found.projects == ["demo"]
        assert found.expires is not None
        assert found.expires <= time.time() + 900


def assert_nowhere(home: Home) -> None:
    """Check that no file has the token: neither in the home nor in the keychain's own files."""
    assert files_with(BEGINNING, home.folder) == []
    assert files_with(END, home.folder) == []


def assert_asked_for_a_token(terminal: Terminal) -> None:
    terminal.expect("upload: demo 1.")
    terminal.expect("to: 127.0.0.1:")
    terminal.expect("API token for PyPI (pypi-")
    terminal.wait_for_prompt()


# -- the story -------------------------------------------------------------------


def test_publishing_with_a_keychain(
    home: Home, keychain: None, package: Package, index: Warehouse
) -> None:
    """The user stores the token at the first upload, then answers Yes, then No."""
    with upload(home, package, "1.0", "--remember", index=index) as terminal:
        assert_asked_for_a_token(terminal)
        terminal.type(TOKEN + "\r")
        assert terminal.wait() == 0, terminal.screen
        assert terminal.modes_now == terminal.modes
    first = [os.path.basename(name) for name in package.files("1.0")]
    assert first
    assert arrived(index) == first
    assert_nowhere(home)
    assert re.search(r"(?m)^PyPI +the keychain, user __token__", home.run("list").stdout)
    kept = home.run_any([sys.executable, "-m", "keyring", "get", "PyPI", "__token__"])
    assert kept.stdout == f"{TOKEN}\n"
    assert list(home.folder.rglob("*.keyring"))  # the keychain's files are among those looked at

    with upload(home, package, "1.1", index=index) as terminal:
        terminal.expect(wording.confirm_use_text("PyPI", wording.place("keychain"), ""))
        for text in ("upload: demo 1.1", "to: PyPI (127.0.0.1:", "program: /", "sha256 "):
            terminal.expect(text)
        terminal.wait_for_prompt()
        terminal.type("yes\r")
        assert terminal.wait() == 0, terminal.screen
    both = sorted(first + [os.path.basename(name) for name in package.files("1.1")])
    assert arrived(index) == both
    assert_nowhere(home)

    for keys in ("\r", "\t\t\r", "\x03"):  # No, Cancel, Ctrl-C
        with upload(home, package, "1.2", index=index, safe=False) as terminal:
            terminal.expect(wording.confirm_use_text("PyPI", wording.place("keychain"), ""))
            terminal.wait_for_prompt()
            terminal.type(keys)
            assert terminal.wait() == (-signal.SIGINT if keys == "\x03" else 130)
    assert arrived(index) == both

    assert home.run("forget", "PyPI").status == 0
    with upload(home, package, "1.2", index=index, safe=False) as terminal:
        assert_asked_for_a_token(terminal)
        terminal.type("\t\t\r")
        assert terminal.wait() == 130
        terminal.expect("secretly: cancelled at the prompt")
    assert arrived(index) == both
    assert_nowhere(home)


def test_publishing_with_a_pasted_token_and_no_keychain(
    home: Home, package: Package, index: Warehouse
) -> None:
    """White space around it is removed. Nothing is stored, so secretly asks again."""
    # Terminals paste a newline as Return. If one pastes it unchanged, the user presses Return.
    for version, pasted in (("1.0", f"{TOKEN}\r"), ("1.1", f"  {TOKEN} \n\r")):
        with upload(home, package, version, index=index) as terminal:
            assert_asked_for_a_token(terminal)
            terminal.type(pasted)
            assert terminal.wait() == 0, terminal.screen
            assert terminal.modes_now == terminal.modes
    wanted = package.files("1.0") + package.files("1.1")
    assert arrived(index) == sorted(map(os.path.basename, wanted))
    assert_nowhere(home)


def test_a_wrong_token_is_twines_own_failure(
    home: Home, package: Package, index: Warehouse
) -> None:
    """twine's status and message are the same as without secretly."""
    with upload(home, package, "1.0", index=index) as terminal:
        assert_asked_for_a_token(terminal)
        terminal.type(f"{TOKEN[:-10]}{'A' * 9}{TOKEN[-1]}\r")
        assert terminal.wait() == 1
        terminal.expect("403")
    assert arrived(index) == []


def test_publishing_with_a_password(home: Home, package: Package, server: Server) -> None:
    """A secret that isn't a token goes to a real pypiserver unchanged, and the files arrive."""
    lead(home, server.url, "mine", '[secrets.mine]\nusername = "me"\n')
    with (
        Watch(PASSWORD) as watch,
        upload(home, package, "1.0", safe=False) as terminal,
    ):
        terminal.expect("upload: demo 1.0")
        terminal.expect("Secret for mine")
        terminal.wait_for_prompt()
        terminal.type(f"{PASSWORD}\r")
        assert terminal.wait() == 0, terminal.screen
        assert "gets a token" not in terminal.screen
        assert PASSWORD not in terminal.screen
    assert {(pid, part) for pid, part, _ in watch.seen} == {(terminal.pid, "environ")}
    for name in package.files("1.0"):
        sent = package.folder / name
        assert (server.packages / sent.name).read_bytes() == sent.read_bytes()
    assert files_with(PASSWORD, home.folder) == []
