"""Each publishing tool that is known, for real, against an index on loopback.

The index checks each token as PyPI does. Destinations are given by URL here, so that
the secret is named after the host and what is configured for ``PyPI`` does not count.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import tokens
from command import SECRETLY, Ended, Home, Watch, files_with, home, wait_until
from conftest import need
from tokens import Upload, Warehouse

from secretly.asking import upload_wording, wording
from secretly.testing import FakePinentry

pytestmark = [pytest.mark.real, pytest.mark.outside]


@pytest.fixture(name="index")
def _index() -> Iterator[Warehouse]:
    with tokens.warehouse() as found:
        yield found


@contextlib.contextmanager
def home_with_project() -> Iterator[Home]:
    """A home with the project ``demo``."""
    with home() as found:
        (found.folder / "demo").mkdir()
        project(found.folder / "demo")
        yield found


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with home_with_project() as found:
        yield found


def project(folder: Path) -> None:
    """Make a project that each tool knows, with a wheel that can be uploaded."""
    tokens.wheel(folder / "dist")
    (folder / "demo.py").write_text('"""A demonstration."""\n__version__ = "1.0"\n')
    (folder / "pyproject.toml").write_text(
        "[build-system]\n"
        'requires = ["flit_core >= 3.2"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "demo"\nversion = "1.0"\ndescription = "A demonstration"\n'
        'requires-python = ">= 3"\nauthors = [{ name = "A", email = "a@example.org" }]\n'
        '[tool.poetry]\nname = "demo"\nversion = "1.0"\ndescription = ""\nauthors = []\n'
    )


def tool(name: str) -> str:
    """The path of a real tool: on PATH, or next to this Python."""
    next_to = Path(sys.executable).with_name(name)
    found = shutil.which(name) or (str(next_to) if next_to.exists() else None)
    if found is None:
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

#: How many minutes the token is good: flit builds before it uploads.
MINUTES = {name: 60 if name == "flit" else 15 for name in TOOLS}


#: pdm does not ask PyPI for a newer pdm.
NO_CHECK = {"PDM_CHECK_UPDATE": "0"}

#: Without secretly, it also makes no environment for the project.
NO_ENVIRONMENT = {**NO_CHECK, "VIRTUAL_ENV": sys.prefix}


def publish(home: Home, command: Sequence[str], environ: Mapping[str, str], *options: str) -> Ended:
    """Run a publishing command in the project's folder."""
    argv = [*SECRETLY, "run", *options, *command]
    return home.run_any(argv, environ={**NO_CHECK, **environ}, cwd=home.folder / "demo")


#: What each tool that does not publish even without secretly said.
_CANNOT: dict[str, str] = {}


def skip_if_it_cannot(home: Home, index: Warehouse, name: str, folder: Path) -> None:
    """Skip where the tool as it is installed does not publish at all."""
    if name != "pdm":
        return
    if name not in _CANNOT:
        arguments, variable = TOOLS[name]
        username, password = DIRECT[name]
        environ = {variable: index.url, username: "__token__", password: index.token()}
        environ |= NO_ENVIRONMENT
        done = home.run_any([tool(name), *arguments], environ=environ, cwd=folder)
        index.uploads.clear()
        said = " ".join((done.stderr or done.stdout).split())[-200:]
        _CANNOT[name] = said if done.status else ""
    if said := _CANNOT[name]:
        pytest.skip(f"the {name} that is installed does not publish, without secretly too: {said}")


def directly(home: Home, index: Warehouse, token: str, file: str = FILE) -> int:
    """Have twine upload with that token, without secretly, and return the index's answer."""
    environ = {
        "TWINE_REPOSITORY_URL": index.url,
        "TWINE_USERNAME": "__token__",
        "TWINE_PASSWORD": token,
    }
    argv = [tool("twine"), "--no-color", "upload", file]
    before = len(index.uploads)
    home.run_any(argv, environ=environ, cwd=home.folder / "demo")
    assert len(index.uploads) == before + 1
    return index.uploads[-1].status


# -- what the tool gets ----------------------------------------------------------


@pytest.mark.parametrize("origin", ["typed", "stored"])
@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_uploads_with_a_narrowed_token(
    home: Home, index: Warehouse, name: str, origin: str
) -> None:
    """For this project, for a quarter of an hour; the long one is seen nowhere else."""
    path = tool(name)
    arguments, variable = TOOLS[name]
    skip_if_it_cannot(home, index, name, home.folder / "demo")
    # One of its own: the whole machine is watched, on which these tests may run twice.
    long = tokens.token("127.0.0.1", identifier=os.urandom(8).hex())
    if name == "flit":  # it uploads what it builds
        (home.folder / "demo" / FILE).unlink()
    # A secret belongs to its index: the tool's own name for it, or else the host.
    wanted = "local" if name == "poetry" else index.host
    kept = []
    if origin == "stored":
        kept = [home.keep_in_a_file()]
        assert home.run("set", wanted, "--stdin", stdin=long).status == 0
    with (
        FakePinentry([long if origin == "typed" else True]) as fake,
        Watch(long[-40:]) as watch,
    ):
        begun = time.time()
        done = publish(home, [path, *arguments], {variable: index.url, **fake.environ})
        ended = time.time()
        assert done.status == 0, done
        (prompt,) = fake.prompts
    if origin == "typed":
        assert prompt["SETPROMPT"] == f"{wording.secret_label(wanted)}:"
    else:
        question = wording.confirm_use_text(wanted, wording.place("keychain"), "")
        assert prompt["SETDESC"].startswith(question)
    assert (upload_wording.BUILDS_FIRST in prompt["SETDESC"]) == (name == "flit")
    assert_narrowed(index.uploads, long, begun, ended, MINUTES[name])
    assert watch.rounds > 1
    assert watch.seen == set()
    assert files_with(long, home.folder) == files_with(long[-40:], home.folder) == kept
    assert long not in done.stdout + done.stderr
    said = re.escape(upload_wording.gets_token(name, "demo", "END")).replace(
        "END", r"([\d-]+ )?\d\d:\d\d"
    )
    assert re.search(rf"(?m)^secretly: {said}$", done.stderr)


def assert_narrowed(
    uploads: Sequence[Upload], long: str, begun: float, ended: float, minutes: int
) -> None:
    """One upload, with a token for ``demo`` alone that is good for so many minutes."""
    assert [(u.project, u.username, u.status) for u in uploads] == [("demo", "__token__", 200)]
    assert uploads[0].token != long
    found = tokens.limits(uploads[0].token)
    assert found.projects == ["demo"]
    assert found.expires is not None
    assert found.not_before is not None
    assert int(begun) <= found.expires - minutes * 60 <= ended
    assert int(begun) <= found.not_before + 60 <= ended


def test_the_narrowed_token_is_for_this_project_only(home: Home, index: Warehouse) -> None:
    """The token that arrived uploads the same project again, and no other: 403."""
    long = index.token()
    arguments, variable = TOOLS["twine"]
    with FakePinentry([long]) as fake:
        publish(home, [tool("twine"), *arguments], {variable: index.url, **fake.environ})
    other = tokens.wheel(home.folder / "demo" / "dist", "other")
    got = index.uploads[-1].token
    assert directly(home, index, got) == 200
    assert directly(home, index, got, str(other)) == 403
    assert directly(home, index, long, str(other)) == 200
    # The project's name in the metadata counts, and not the file's.
    disguised = other.replace(other.with_name("demo-2.0-py3-none-any.whl"))
    assert directly(home, index, got, str(disguised)) == 403


def test_the_narrowed_token_ends(home: Home, index: Warehouse) -> None:
    """Once its time is over, the index answers 403."""
    home.configure('[commands.twine]\nexpires = "1s"\n')
    arguments, variable = TOOLS["twine"]
    with FakePinentry([index.token()]) as fake:
        publish(home, [tool("twine"), *arguments], {variable: index.url, **fake.environ})
    got = index.uploads[-1].token
    end = tokens.limits(got).expires
    assert end is not None
    wait_until(lambda: time.time() >= end)
    assert directly(home, index, got) == 403


def test_another_kind_of_secret_passes_unchanged(home: Home, index: Warehouse) -> None:
    """A password arrives as it was typed, and no line about a token is printed."""
    arguments, variable = TOOLS["twine"]
    with FakePinentry(["canary-password", "ada"]) as fake:
        environ = {variable: index.url, **fake.environ}
        done = publish(home, [tool("twine"), *arguments], environ)
    sent = [(upload.username, upload.token) for upload in index.uploads]
    assert sent == [("ada", "canary-password")]
    assert done.stderr == ""


@pytest.mark.parametrize("store", ["a file", "its keyring"])
def test_poetrys_own_stored_token_is_not_used(home: Home, index: Warehouse, store: str) -> None:
    """A token of ``poetry config``, in a file or a keyring, would take precedence."""
    path = tool("poetry")
    home.keep_in_a_file()
    arguments, variable = TOOLS["poetry"]
    if store == "a file":
        folder = home.folder / ".config" / "pypoetry"
        folder.mkdir()
        (folder / "auth.toml").write_text('[pypi-token]\nlocal = "canary-stored"\n')
    else:
        kept = {json.dumps(["poetry-repository-local", "__token__"]): "canary-stored"}
        (home.folder / "keychain.json").write_text(json.dumps(kept))
    directly = home.run_any(
        [path, *arguments], environ={variable: index.url}, cwd=home.folder / "demo"
    )
    assert [upload.token for upload in index.uploads] == ["canary-stored"], directly
    with FakePinentry([index.token()]) as fake:
        environ = {variable: index.url, "POETRY_KEYRING_ENABLED": "true", **fake.environ}
        done = publish(home, [path, *arguments], environ)
    assert done.status == 0, done
    assert [(u.username, u.status) for u in index.uploads[1:]] == [("__token__", 200)]


# -- how the tool is started, and for which index --------------------------------

LAUNCHERS = {
    "python -m": [sys.executable, "-m", "twine"],
    "python -I -m": [sys.executable, "-I", "-m", "twine"],
    "uv run": ["uv", "run", "twine"],
    "uv tool run": ["uv", "tool", "run", "twine"],
    "uvx": ["uvx", "twine"],
    "pipx run": ["pipx", "run", "twine"],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_passes_the_token_on(home: Home, index: Warehouse, launcher: str) -> None:
    """A real twine gets the narrowed token through what starts it; uv and pipx are stand-ins."""
    path = tool("twine")
    for name, drops in (
        ("uv", "while [ $1 = run ] || [ $1 = tool ]; do shift; done"),
        ("uvx", ":"),
        ("pipx", "shift"),
    ):
        home.program(name, f'#!/bin/sh\n{drops}\nshift\nexec {path} "$@"\n')
    arguments, variable = TOOLS["twine"]
    long, begun = index.token(), time.time()
    with FakePinentry([long]) as fake:
        environ = {variable: index.url, **fake.environ}
        done = publish(home, [*LAUNCHERS[launcher], *arguments], environ)
        assert done.status == 0, done
    assert_narrowed(index.uploads, long, begun, time.time(), 15)


def test_the_index_can_be_named_on_the_command_line(home: Home, index: Warehouse) -> None:
    """``--repository-url`` chooses the secret, and so does a section of ``.pypirc``."""
    path = tool("twine")
    (home.folder / ".pypirc").write_text(
        f"[distutils]\nindex-servers = mine\n[mine]\nrepository = {index.url}\n"
    )
    for options, wanted in ((["--repository-url", index.url], index.host), (["-rmine"], "mine")):
        with FakePinentry([index.token()]) as fake:
            done = publish(home, [path, "upload", *options, FILE], fake.environ)
            assert done.status == 0, done
            assert wording.secret_label(wanted) in fake.prompts[0]["SETPROMPT"]
    assert index.statuses == [200, 200]


def test_the_secrets_own_user_name_is_used(home: Home) -> None:
    """The caller's variable counts first; without it, the configured user name does."""
    path = tool("twine")
    arguments, variable = TOOLS["twine"]
    with tokens.warehouse("caller", "configured") as index:
        with FakePinentry([index.token()] * 2) as fake:
            environ = {variable: index.url, **fake.environ}
            home.configure(f'[secrets."{index.host}"]\nusername = "configured"\n')
            publish(home, [path, *arguments], {"TWINE_USERNAME": "caller", **environ})
            publish(home, [path, *arguments], environ)
        assert [u.username for u in index.uploads] == ["caller", "configured"]
        assert index.statuses == [200, 200]


def test_a_token_that_is_pasted_with_white_space_is_cleaned(home: Home, index: Warehouse) -> None:
    """Copied text ends with a newline. secretly asks again for anything but a token."""
    path = tool("twine")
    arguments, variable = TOOLS["twine"]
    home.configure(
        f'[commands.twine.profiles.test]\nenv = {{ {variable} = "{index.url}" }}\n'
        'secrets = { TWINE_PASSWORD = "PyPI" }\n'
    )
    with FakePinentry(["my password", f" {index.token()}\n"]) as fake:
        done = publish(home, [path, *arguments], fake.environ, "-p", "test")
        assert done.status == 0, done
        assert len(fake.prompts) == 2
        for prompt in fake.prompts:
            assert wording.secret_label("PyPI", "pypi-") in prompt["SETPROMPT"]
        assert "SETERROR" not in fake.prompts[0]
        assert fake.prompts[1]["SETERROR"] == wording.not_a_token("PyPI", "pypi-")
    assert [(u.username, u.status) for u in index.uploads] == [("__token__", 200)]


def test_a_cancel_uploads_nothing(home: Home, index: Warehouse) -> None:
    """130, and the server has heard nothing."""
    path = tool("twine")
    arguments, variable = TOOLS["twine"]
    with FakePinentry([None]) as fake:
        done = publish(home, [path, *arguments], {variable: index.url, **fake.environ})
    assert (done.status, index.uploads) == (130, [])


# -- maturin and the kernel's keyring --------------------------------------------


def test_maturin_cannot_store_its_token_in_the_kernel_keyring(home: Home) -> None:
    """Started directly it leaves the password in the kernel's keyring; with secretly not."""
    path = tool("maturin")
    if not os.path.exists("/proc/keys"):
        pytest.skip("needs the kernel's keyrings")
    arguments, variable = TOOLS["maturin"]
    # It keeps only what was accepted.
    direct, handed = (f"canary-{os.urandom(6).hex()}" for _ in range(2))
    with _removed(direct), _removed(handed), tokens.warehouse(direct, handed) as index:
        home.configure(f'[secrets."{index.host}"]\nusername = "{handed}"\n')
        with FakePinentry([index.token()]) as fake:
            done = publish(home, [path, *arguments], {variable: index.url, **fake.environ})
        assert done.status == 0, done
        assert _keys(handed) == []
        username, password = DIRECT["maturin"]
        environ = {variable: index.url, username: direct, password: index.token()}
        cwd = home.folder / "demo"
        done = home.run_any([path, *arguments], environ=environ, cwd=cwd)
        assert done.status == 0, done
        assert [(u.username, u.status) for u in index.uploads] == [(handed, 200), (direct, 200)]
        if not _keys(direct):
            pytest.skip("this maturin stores nothing in the kernel's keyring, nor could secretly's")


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
