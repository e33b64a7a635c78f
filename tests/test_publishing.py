"""Each publishing tool that is known, for real, against a server on loopback."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from command import SECRETLY, Ended, Home, home
from conftest import need

from secretly.testing import FakePinentry

TOKEN = "pypi-canary-0123456789"


class Index(NamedTuple):
    """A server that takes every upload with credentials, and notes them.

    :param host: its host and port.
    :param seen: the credentials of each upload, as ``user:password``.
    """

    host: str
    seen: list[str]

    @property
    def url(self) -> str:
        return f"http://{self.host}/"


@pytest.fixture(name="index")
def _index() -> Iterator[Index]:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                while size := int(self.rfile.readline(), 16):
                    self.rfile.read(size + 2)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            scheme, _, value = self.headers.get("Authorization", "").partition(" ")
            if scheme == "Basic":
                seen.append(base64.b64decode(value).decode())
                self.answer(200)
            else:
                self.answer(401, ("WWW-Authenticate", 'Basic realm="test"'))

        def do_GET(self) -> None:
            self.answer(404)

        def answer(self, status: int, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (("Content-Length", "0"), *headers):
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Index(f"127.0.0.1:{server.server_port}", seen)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    """A home, in which the project ``demo`` has a wheel that can be uploaded."""
    with home() as found:
        dist = found.folder / "demo" / "dist"
        dist.mkdir(parents=True)
        (dist.parent / "demo.py").write_text('"""A demonstration."""\n__version__ = "1.0"\n')
        (dist.parent / "pyproject.toml").write_text(
            "[build-system]\n"
            'requires = ["flit_core >= 3.2"]\nbuild-backend = "flit_core.buildapi"\n'
            '[project]\nname = "demo"\nversion = "1.0"\ndescription = "A demonstration"\n'
            'requires-python = ">= 3"\nauthors = [{ name = "A", email = "a@example.org" }]\n'
            '[tool.poetry]\nname = "demo"\nversion = "1.0"\ndescription = ""\nauthors = []\n'
        )
        metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
        wheel = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(dist / "demo-1.0-py3-none-any.whl", "w") as file:
            file.writestr("demo.py", "")
            file.writestr("demo-1.0.dist-info/METADATA", metadata)
            file.writestr("demo-1.0.dist-info/WHEEL", wheel)
            file.writestr("demo-1.0.dist-info/RECORD", "")
        yield found


def tool(name: str) -> str:
    """The path of a real tool: on PATH, or beside this Python."""
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name) or (str(beside) if beside.exists() else None)
    if found is None or os.environ.get("SECRETLY_REAL") == "0":
        need(name)
    assert found is not None
    return os.path.abspath(found)


FILE = "dist/demo-1.0-py3-none-any.whl"

#: The arguments that make each tool publish the wheel, and the variable for the index.
TOOLS: dict[str, tuple[list[str], str]] = {
    "twine": (["--no-color", "upload", FILE], "TWINE_REPOSITORY_URL"),
    "uv": (["publish", FILE], "UV_PUBLISH_URL"),
    "flit": (["publish", "--format", "wheel"], "FLIT_INDEX_URL"),
    "hatch": (["publish", FILE], "HATCH_INDEX_REPO"),
    "poetry": (["publish", "-r", "local"], "POETRY_REPOSITORIES_LOCAL_URL"),
    "pdm": (["publish", "--no-build"], "PDM_PUBLISH_REPO"),
    "maturin": (["upload", FILE], "MATURIN_REPOSITORY_URL"),
}

#: The variables for user and password, to start a tool without secretly.
DIRECT = {
    "pdm": ("PDM_PUBLISH_USERNAME", "PDM_PUBLISH_PASSWORD"),
    "maturin": ("MATURIN_USERNAME", "MATURIN_PASSWORD"),
}


def publish(home: Home, command: Sequence[str], environ: dict[str, str], *options: str) -> Ended:
    """Run a publishing command in the project's folder."""
    argv = [*SECRETLY, "run", *options, *command]
    return home.run_any(argv, environ=environ, cwd=home.folder / "demo")


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_uploads_with_what_was_typed(home: Home, index: Index, name: str) -> None:
    """The tool sends the secret that was typed, under the user name of a token."""
    path = tool(name)
    arguments, variable = TOOLS[name]
    if name == "pdm":
        _skip_if_it_cannot(home, index, name)
    with FakePinentry([TOKEN]) as fake:
        done = publish(home, [path, *arguments], {variable: index.url, **fake.environ})
        assert done.status == 0, done
        assert index.seen == [f"__token__:{TOKEN}"]
        # A secret belongs to its index: the tool's own name for it, or else the host.
        wanted = "local" if name == "poetry" else index.host
        assert [prompt["SETPROMPT"] for prompt in fake.prompts] == [f"Secret for {wanted}:"]
        assert TOKEN not in done.stdout + done.stderr


def _skip_if_it_cannot(home: Home, index: Index, name: str) -> None:
    """Skip where the tool as it is installed does not publish at all."""
    arguments, variable = TOOLS[name]
    username, password = DIRECT[name]
    environ = {variable: index.url, username: "direct", password: "canary"}
    cwd = home.folder / "demo"
    done = home.run_any([tool(name), *arguments], environ=environ, cwd=cwd)
    if done.status:
        said = " ".join((done.stderr or done.stdout).split())[-200:]
        pytest.skip(f"the {name} that is installed does not publish, without secretly too: {said}")
    index.seen.clear()


LAUNCHERS = {
    "python -m": [sys.executable, "-m", "twine"],
    "python -I -m": [sys.executable, "-I", "-m", "twine"],
    "uv run": ["uv", "run", "twine"],
    "uv tool run": ["uv", "tool", "run", "twine"],
    "uvx": ["uvx", "twine"],
    "pipx run": ["pipx", "run", "twine"],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_hands_it_on(home: Home, index: Index, launcher: str) -> None:
    """A real twine gets the secret through what starts it; uv and pipx are stand-ins."""
    path = tool("twine")
    for name, drops in (
        ("uv", "while [ $1 = run ] || [ $1 = tool ]; do shift; done"),
        ("uvx", ":"),
        ("pipx", "shift"),
    ):
        home.program(name, f'#!/bin/sh\n{drops}\nshift\nexec {path} "$@"\n')
    arguments, variable = TOOLS["twine"]
    with FakePinentry([TOKEN]) as fake:
        environ = {variable: index.url, **fake.environ}
        done = publish(home, [*LAUNCHERS[launcher], *arguments], environ)
        assert done.status == 0, done
        assert index.seen == [f"__token__:{TOKEN}"]


def test_the_index_can_be_named_on_the_command_line(home: Home, index: Index) -> None:
    """``--repository-url`` chooses the secret, and so does a section of ``.pypirc``."""
    path = tool("twine")
    (home.folder / ".pypirc").write_text(
        f"[distutils]\nindex-servers = mine\n[mine]\nrepository = {index.url}\n"
    )
    for options, wanted in ((["--repository-url", index.url], index.host), (["-rmine"], "mine")):
        with FakePinentry([TOKEN]) as fake:
            done = publish(home, [path, "upload", *options, FILE], fake.environ)
            assert done.status == 0, done
            assert fake.prompts[0]["SETPROMPT"] == f"Secret for {wanted}:"
    assert index.seen == [f"__token__:{TOKEN}"] * 2


def test_the_secrets_own_user_name_is_used(home: Home, index: Index) -> None:
    """A configured user name goes with the secret; else the caller's variable does."""
    path = tool("twine")
    arguments, variable = TOOLS["twine"]
    with FakePinentry([TOKEN, TOKEN]) as fake:
        environ = {variable: index.url, "TWINE_USERNAME": "caller", **fake.environ}
        publish(home, [path, *arguments], environ)
        home.configure(f'[secrets."{index.host}"]\nusername = "configured"\n')
        publish(home, [path, *arguments], environ)
    assert index.seen == [f"caller:{TOKEN}", f"configured:{TOKEN}"]


def test_a_token_that_is_pasted_with_white_space_is_cleaned(home: Home, index: Index) -> None:
    """What is copied has a newline at its end; what is no token is asked for again."""
    path = tool("twine")
    arguments, variable = TOOLS["twine"]
    home.configure(
        f'[commands.twine.profiles.test]\nenv = {{ {variable} = "{index.url}" }}\n'
        'secrets = { TWINE_PASSWORD = "PyPI" }\n'
    )
    with FakePinentry(["my password", f" {TOKEN}\n"]) as fake:
        done = publish(home, [path, *arguments], fake.environ, "-p", "test")
        assert done.status == 0, done
        assert [p["SETPROMPT"] for p in fake.prompts] == ["API token for PyPI (pypi-…):"] * 2
        assert "SETERROR" not in fake.prompts[0]
        assert "start with 'pypi-'" in fake.prompts[1]["SETERROR"]
    assert index.seen == [f"__token__:{TOKEN}"]


def test_a_cancel_uploads_nothing(home: Home, index: Index) -> None:
    """130, and the server has heard nothing."""
    path = tool("twine")
    arguments, variable = TOOLS["twine"]
    with FakePinentry([None]) as fake:
        done = publish(home, [path, *arguments], {variable: index.url, **fake.environ})
    assert (done.status, index.seen) == (130, [])


# -- maturin and the kernel's keyring --------------------------------------------


def test_maturin_is_kept_from_storing_what_it_is_given(home: Home, index: Index) -> None:
    """Started directly it leaves the password in the kernel's keyring; with secretly not."""
    path = tool("maturin")
    if not os.path.exists("/proc/keys"):
        pytest.skip("needs the kernel's keyrings")
    arguments, variable = TOOLS["maturin"]
    direct, handed = (f"canary-{os.urandom(6).hex()}" for _ in range(2))
    home.configure(f'[secrets."{index.host}"]\nusername = "{handed}"\n')
    with _removed(direct), _removed(handed), FakePinentry([TOKEN]) as fake:
        done = publish(home, [path, *arguments], {variable: index.url, **fake.environ})
        assert done.status == 0, done
        assert _keys(handed) == []
        environ = {variable: index.url, "MATURIN_USERNAME": direct, "MATURIN_PASSWORD": TOKEN}
        cwd = home.folder / "demo"
        done = home.run_any([path, *arguments], environ=environ, cwd=cwd)
        assert done.status == 0, done
        if not _keys(direct):
            pytest.skip("this maturin stores nothing in the kernel's keyring, nor could secretly's")
    assert index.seen == [f"{handed}:{TOKEN}", f"{direct}:{TOKEN}"]


def _keys(text: str) -> list[int]:
    """The numbers of the kernel's keys whose description has *text* in it."""
    lines = Path("/proc/keys").read_text().splitlines()
    return [int(line.split()[0], 16) for line in lines if text in line]


# keyctl(2): who has a keyring linked may invalidate the keys in it. Linked into the
# process's own are the user's session keyring and the persistent one.
_INVALIDATE = """
import ctypes, os, sys
call = ctypes.CDLL(None).syscall
number = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
call(number, 8, -5, -2)
call(number, 22, -1, -2)
for key in sys.argv[1:]:
    call(number, 21, int(key))
"""


@contextlib.contextmanager
def _removed(text: str) -> Iterator[None]:
    """Have no key with *text* in its description left at the end."""
    try:
        yield
    finally:
        if keys := _keys(text):
            numbers = [str(ctypes.c_int32(key).value) for key in keys]
            subprocess.run([sys.executable, "-IS", "-c", _INVALIDATE, *numbers], timeout=10)
