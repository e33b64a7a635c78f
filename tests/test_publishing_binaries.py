"""The real uv and maturin, held to the index and the user that the dialog shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import tokens
from command import Ended, Home
from test_publishing import FILE, home_with_project, publish, tool
from tokens import Warehouse

from secretly.asking import upload_wording
from secretly.asking.assuan import unescape
from secretly.publishing import uv_files
from secretly.publishing.parsers.clap import Clap
from secretly.publishing.tools import maturin, uv
from secretly.testing import FakePinentry

pytestmark = [pytest.mark.real, pytest.mark.outside]


@pytest.fixture(name="index")
def _index() -> Iterator[Warehouse]:
    with tokens.warehouse("ada") as found:
        yield found


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with home_with_project() as found:
        yield found


def write(home: Home, files: Mapping[str, str]) -> None:
    """Add to files in the project, or in the home if the name begins with ``~/``."""
    for name, text in files.items():
        root = home.folder if name.startswith("~/") else home.folder / "demo"
        path = root / name.removeprefix("~/")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(text)


def run(
    home: Home, index: Warehouse, line: str, environ: Mapping[str, str] | None = None
) -> tuple[Ended, str]:
    """Run a command, type a token, and return its end and what the dialogs have shown."""
    name, *words = shlex.split(line)
    with FakePinentry([index.token()]) as fake:
        done = publish(home, [tool(name), *words], {**(environ or {}), **fake.environ})
        shown = [unescape(prompt["SETDESC"].encode()).decode() for prompt in fake.prompts]
    return done, "\n".join(shown)


CORP = "[[tool.uv.index]]\nname = 'corp'\nurl = '{url}simple'\npublish-url = '{url}'\n"

#: A command line, its variables, the files, and the user name that arrives.
ARRIVES: dict[str, tuple[str, Mapping[str, str], Mapping[str, str], str]] = {
    "uv: the user name is in the index's URL": (
        "uv publish --index corp",
        {},
        {"pyproject.toml": CORP.replace("publish-url = '{url}", "publish-url = '{ada}")},
        "ada",
    ),
    "uv: the root of the workspace names the index": (
        "uv publish --directory member ../" + FILE,
        {},
        {
            "pyproject.toml": CORP + "[tool.uv]\npublish-url = '{url}'\n"
            "[tool.uv.workspace]\nmembers = ['member']\n",
            "member/pyproject.toml": "[project]\nname = 'member'\nversion = '1.0'\n"
            "[tool.uv.sources]\ndemo = { workspace = true }\n",
        },
        "__token__",
    ),
    "uv: the user's own index and its check of existing files": (
        "uv publish --index corp",
        {},
        {"~/.config/uv/uv.toml": CORP.replace("tool.uv.", "")},
        "__token__",
    ),
    "uv: the user's own index needs a password to look for existing files": (
        "uv publish --index corp",
        {},
        {"~/.config/uv/uv.toml": CORP.replace("tool.uv.", "").replace("'{url}s", "'{read}s")},
        "__token__",
    ),
    "uv: an option gives the user name": (
        "uv publish -qu=ada",
        {"UV_PUBLISH_URL": "{url}"},
        {},
        "ada",
    ),
    "maturin: .pypirc knows the user name": (
        f"maturin upload -r corp -u bob {FILE}",
        {},
        {"~/.pypirc": "[CORP]\nrepository = {url} ; here\nusername = ada\npassword = canary-old\n"},
        "ada",
    ),
    "maturin: a variable names the index": (
        f"maturin upload -vu ada {FILE}",
        {"MATURIN_REPOSITORY": "corp"},
        {"~/.pypirc": "[corp]\nrepository = {url}\n"},
        "ada",
    ),
    "maturin: GitHub's identity doesn't take the place of the secret": (
        f"maturin upload -r corp {FILE}",
        {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/",
            "SECRETLY_CONFIG": "{home}/own.toml",
        },
        {
            "~/.pypirc": "[corp]\nrepository = {url}\n",
            "~/own.toml": "[secrets.corp]\nusername = 'ada'\n",
        },
        "ada",
    ),
}


def filled(text: str, home: Home, index: Warehouse) -> str:
    """Return *text* with the index's URL in it, and with a user name before its host."""
    url = index.url if index.url.endswith("/") else f"{index.url}/"
    text = text.replace("{url}", url).replace("{ada}", url.replace("//", "//ada@"))
    text = text.replace("{read}", url.replace("//", "//ada:canary-read@"))
    return text.replace("{home}", os.fspath(home.folder))


@pytest.mark.parametrize("name", ARRIVES)
def test_the_upload_arrives_as_the_user_that_the_tool_knows(
    home: Home, index: Warehouse, name: str
) -> None:
    """At the index that the dialog shows, with a token for this upload only."""
    line, environ, files, user = ARRIVES[name]
    write(home, {path: filled(text, home, index) for path, text in files.items()})
    environ = {key: filled(value, home, index) for key, value in environ.items()}
    done, shown = run(home, index, line, environ)
    assert done.status == 0, done
    assert [(u.username, u.status) for u in index.uploads] == [(user, 200)]
    assert tokens.limits(index.uploads[0].token).projects == ["demo"]
    assert index.host in shown
    assert f"\n{upload_wording.user_line(user)}" in shown


@pytest.mark.parametrize(
    ("line", "environ", "files", "word"),
    [
        ("uv publish", {}, {"uv.toml": "https-proxy = 'http://127.0.0.1:1'\n"}, "https-proxy"),
        ("uv publish", {}, {"uv.toml": "allow-insecure-host = ['127.0.0.1']\n"}, "allow-insecure"),
        ("uv publish --publish-ur {url}", {}, {}, "--publish-ur"),
        (f"maturin upload --repository-u {{url}} {FILE}", {}, {}, "--repository-u"),
        (
            f"maturin upload -r corp {FILE}",
            {"MATURIN_REPOSITORY_URL": "{url}"},
            {},
            "MATURIN_REPOS",
        ),
    ],
)
def test_a_call_that_would_surprise_you_is_refused_before_you_are_asked(
    home: Home,
    index: Warehouse,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    word: str,
) -> None:
    """Nothing is asked, and nothing arrives."""
    write(home, files)
    environ = {key: filled(value, home, index) for key, value in environ.items()}
    done, shown = run(home, index, filled(line, home, index), environ)
    assert (done.status, shown, index.uploads) == (125, "", [])
    assert word in done.stderr


def test_a_token_on_the_command_line_is_used_as_it_is(home: Home, index: Warehouse) -> None:
    """secretly asks for nothing, and claims nothing about the token."""
    long = index.token()
    done, shown = run(home, index, f"uv publish -t {long} --publish-url {index.url}")
    assert (done.status, shown) == (0, ""), done
    assert [u.token for u in index.uploads] == [long]
    assert "gets a token" not in done.stderr


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("uv generate-shell-completion fish", uv.CLAP),
        ("maturin completions fish", maturin.CLAP),
    ],
)
def test_each_option_of_the_tool_is_known(line: str, known: Clap) -> None:
    """With its short name, and whether it takes a value: the tool lists them itself."""
    name, *words = line.split()
    listed = subprocess.run([tool(name), *words], capture_output=True, text=True, check=True).stdout
    found = 0
    for subcommand, own in known.subcommands.items():
        for one in re.findall(rf"using_subcommand {subcommand}\b(.*)", listed):
            names = [f"-{s}" for s in re.findall(r" -s (\w)", one)]
            names += [f"--{long}" for long in re.findall(r" -l ([\w-]+)", one)]
            options = {(known.options | own).get(name) for name in names}
            (option,) = options
            assert option is not None, one
            flags = re.sub(r" -[da] '(?:[^'\\]|\\.)*'| -a \"(?:[^\"\\]|\\.)*\"", "", one)
            assert option.takes_value == (" -r" in flags), one
            found += 1
    assert found > 7


def test_each_key_of_uvs_settings_is_known(tmp_path: Path) -> None:
    """uv lists them where it finds another one. A project may set all but those of the network."""
    (tmp_path / "uv.toml").write_text("unknown = 1\n")
    (tmp_path / "demo-1.0-py3-none-any.whl").touch()
    line = [tool("uv"), "publish", "--dry-run", "--publish-url", "http://127.0.0.1:9/"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    listed = re.findall(r"`([\w-]+)`", done.stderr.partition("expected one of")[2])
    assert len(listed) > 50, done
    for key in listed:
        value = uv_files._TYPES.get(key, str)()
        settings = uv_files.SettingsFile(tmp_path, {key: value}, by_project=True, kept=False)
        uv_files.check(settings)


@pytest.mark.parametrize(
    ("text", "line", "files"),
    [
        ("UV_PUBLISH_INDEX=corp\n", "uv publish", {"uv.toml": CORP.replace("tool.uv.", "")}),
        ("UV_PUBLISH_URL={url}\n", "uv publish", {}),
        ("MATURIN_REPOSITORY_URL={url}\n", f"maturin upload {FILE}", {}),
        (
            "MATURIN_REPOSITORY=corp\n",
            f"maturin upload {FILE}",
            {"~/.pypirc": "[corp]\nrepository = {url}\n"},
        ),
    ],
)
def test_an_env_file_may_name_the_index(
    home: Home, index: Warehouse, text: str, line: str, files: Mapping[str, str]
) -> None:
    """The tool doesn't get that variable: the pin is in its place."""
    write(home, {path: filled(content, home, index) for path, content in files.items()})
    write(home, {".env": filled(text, home, index)})
    name, *words = line.split()
    with FakePinentry([index.token()]) as fake:
        done = publish(home, [tool(name), *words], fake.environ, "--env-file", ".env")
    assert done.status == 0, done
    assert index.statuses == [200]
