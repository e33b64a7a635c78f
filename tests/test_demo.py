"""Test ``secretly demo``: a real run of ``secretly run``, with a practice index and token."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokens
from command import SECRETLY, Ended, Home, quick
from conftest import need

from secretly.config.invocation import Invocation
from secretly.config.model import Command
from secretly.demo import package, showing
from secretly.demo.index import PracticeIndex, ReceivedUpload
from secretly.demo.keychain import PracticeKeychain
from secretly.demo.tools import OWN, TOOLS
from secretly.errors import Refused
from secretly.publishing.archives import read_distribution
from secretly.publishing.pypi_token import is_genuine, make_token, narrow
from secretly.publishing.tools.demo_upload import DemoUpload
from secretly.redacted import Secret
from secretly.running.usernames import TOKEN as USERNAME
from secretly.testing import FakePinentry

NAME = package.NAME


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as new_home:
        new_home.environ["PATH"] = str(new_home.programs)
        yield new_home


@pytest.fixture(name="index")
def _index() -> Iterator[PracticeIndex]:
    index = PracticeIndex()
    yield index
    index.close()


# -- the index -----------------------------------------------------------------------


def test_a_token_is_made_as_indexes_make_it() -> None:
    """It is the token that the tests' own index makes, which pypitoken accepts."""
    made = make_token("pypi.example", "canary-token", tokens.KEY.encode())
    assert made == tokens.token("pypi.example", identifier="canary-token")


def test_only_the_right_key_proves_a_token_genuine() -> None:
    """A weaker token is genuine, too: anyone may add a restriction."""
    for token in (tokens.TOKEN, narrow(tokens.TOKEN, expires=2**31, projects=["demo"])):
        assert is_genuine(token, tokens.KEY.encode())
        assert not is_genuine(token, b"canary-other-key")


def test_the_index_judges_as_pypi_does(index: PracticeIndex) -> None:
    """It takes its own tokens, for their projects, in their time, from the right user."""
    whole, now = index.make_token(), int(time.time())
    for token, project, username, refused in (
        (whole, "demo", USERNAME, ""),
        (whole, "demo", "me", "user name"),
        (narrow(whole, projects=["demo"]), "demo", USERNAME, ""),
        (narrow(whole, projects=["demo"]), "other", USERNAME, "not for the project"),
        (narrow(whole, expires=now + 60, not_before=now), "demo", USERNAME, ""),
        (narrow(whole, expires=now - 60), "demo", USERNAME, "ended"),
        (narrow(whole, expires=now + 90, not_before=now + 60), "demo", USERNAME, "starts"),
        (Secret(tokens.TOKEN), "demo", USERNAME, "another index"),
        (Secret(tokens.token("127.0.0.1", {"odd": 1})), "demo", USERNAME, "another index"),
        (Secret("canary-password"), "demo", USERNAME, "not a PyPI token"),
    ):
        found = index.judge(username, token, project)
        assert refused in found
        assert bool(found) == bool(refused)


def test_the_index_judges_by_its_own_clock(index: PracticeIndex) -> None:
    """The demo puts it forward to show that a token has ended."""
    token = narrow(index.make_token(), expires=int(time.time()) + 60)
    assert not index.judge(USERNAME, token, "demo")
    index.put_clock_forward(61)
    assert "ended" in index.judge(USERNAME, token, "demo")


def test_the_index_answers_what_is_not_an_upload(index: PracticeIndex) -> None:
    """Each answer comes soon, and the index goes on serving."""
    index.start()
    host, _, port = index.host.partition(":")
    for body, status in (
        (b"POST /legacy/ HTTP/1.0\r\nContent-Length: 0\r\n\r\n", b" 400 "),
        (b"POST /legacy/ HTTP/1.0\r\nContent-Length: -5\r\n\r\n", b" 400 "),
        (b"POST /legacy/ HTTP/1.0\r\nContent-Length: 9999999\r\n\r\n", b" 400 "),
        (b"POST /legacy/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", b" 400 "),
        (
            b"POST /legacy/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            b" 400 ",
        ),
        (
            b"POST /legacy/ HTTP/1.0\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 60\r\n\r\n"
            + b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\ndemo\r\n--x--'.ljust(60),
            b" 401 ",
        ),
        (b"GET /simple/ HTTP/1.0\r\n\r\n", b" 404 "),
    ):
        with socket.create_connection((host, int(port)), 20) as connection:
            connection.sendall(body)
            assert status in connection.recv(100)
    assert not index.uploads


def test_the_demos_keychain_has_one_secret_and_stores_none() -> None:
    """It is found by its name and user name, and what the demo does changes nothing."""
    kept = PracticeKeychain("PyPI", USERNAME, Secret("canary-demo"))
    assert asyncio.run(kept.get("PyPI", USERNAME, None)) == kept.secret
    assert asyncio.run(kept.get("PyPI", "ada", None)) is None
    assert asyncio.run(kept.get("Other", USERNAME, None)) is None
    with pytest.raises(Refused, match="the demo stores nothing"):
        asyncio.run(kept.set("PyPI", USERNAME, "canary-new", None))
    assert asyncio.run(kept.delete("PyPI", USERNAME, None)) is False
    assert asyncio.run(kept.describe()) == "the demo's memory"


def test_the_demos_uploader_needs_a_url() -> None:
    """It knows no index of its own."""
    row = Command("demo_upload", publishes=True)
    call = DemoUpload(Invocation(row, ("upload", "demo.whl")), {})
    with pytest.raises(Refused, match="knows no index") as caught:
        call.find_destination()
    assert "--to" in str(caught.value.hint)


def test_the_package_is_one_that_secretly_reads(tmp_path: Path) -> None:
    """The dialog shows its name and its version."""
    found = read_distribution(str(tmp_path / package.make_project(tmp_path)))
    assert (found.project, found.version) == (NAME, package.VERSION)


# -- the command ---------------------------------------------------------------------


def ran(done: Ended, program: str) -> None:
    """Check all that a demo says which ended well, and that it left nothing."""
    assert done.status == 0, done.stderr
    for text in (
        "1. secretly started a practice index on this computer: http://127.0.0.1:",
        f"run --no-confirm {program} ",
        f"({NAME} {package.VERSION})",
        f"from the user {USERNAME}, with a temporary token, not the stored one",
        "for another project, the index refused it: the token is not for the project another-",
        "an hour later, the index refused it: the token ended at",
        "removed now",
        f"secretly run {next(t.usual for t in (*TOOLS, OWN) if t.program == program)}",
    ):
        assert text in done.stdout
    assert "pypi-" not in done.stdout + done.stderr
    port = re.findall(r"127\.0\.0\.1:(\d+)", done.stdout)[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), 5)


@pytest.mark.process
def test_without_a_publishing_tool_the_demo_uploads_with_its_own(home: Home) -> None:
    """A fresh computer needs nothing else, and nothing is left there."""
    ran(home.run("demo", "--yes"), "demo_upload")
    assert not list(Path(home.environ["TMPDIR"]).iterdir())
    assert not list(Path(home.environ["XDG_STATE_HOME"]).rglob("*"))


@pytest.mark.process
def test_the_users_own_settings_for_the_tool_do_not_matter(home: Home) -> None:
    """They name another index, another password, and a proxy that isn't there."""
    shutil.copy(str(shutil.which("twine")), home.programs / "twine")
    environ = {
        "TWINE_REPOSITORY_URL": "http://127.0.0.1:9/",
        "TWINE_PASSWORD": "canary-own",
        "http_proxy": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    ran(home.run("demo", "--yes", environ=environ), "twine")


@pytest.mark.process
def test_the_demo_asks_what_a_run_asks(home: Home) -> None:
    """The dialog is the one of secretly run, and Yes uploads."""
    with FakePinentry(["yes"], flavor="gtk2") as pinentry:
        done = home.run("demo", environ=pinentry.environ)
        assert done.status == 0, done.stderr
        assert f"upload: {NAME} {package.VERSION}" in str(pinentry.prompts)
    assert "a temporary token, not the stored one" in done.stdout


@pytest.mark.process
def test_after_a_no_nothing_is_uploaded(home: Home) -> None:
    """The demo says that this is right."""
    with FakePinentry([]) as pinentry:
        done = home.run("demo", environ=pinentry.environ)
    assert done.status == 130
    assert "You answered No: demo_upload was not run. That is how it should be." in done.stderr
    assert "3. " not in done.stdout
    assert not list(Path(home.environ["TMPDIR"]).iterdir())


@pytest.mark.process
def test_a_tool_that_uploads_nothing_shows_nothing(home: Home) -> None:
    """It ended well, but the demo claims nothing that did not happen."""
    home.program("twine", "#!/bin/sh\n")
    done = home.run("demo", "--yes")
    assert done.status == 1
    assert "uploaded nothing, so the demo stopped there" in done.stderr
    assert "3. " not in done.stdout


def test_the_demo_says_what_the_index_does_not_refuse(tmp_path: Path) -> None:
    """If the tool sends the stored token, that token is good for other projects, too."""
    setting = showing._Setting(tmp_path, PracticeIndex(), Secret(""), OWN, yes=True)
    whole = setting.practice.make_token()
    upload = ReceivedUpload(USERNAME, whole, NAME, package.VERSION, "x.whl", "")
    with contextlib.closing(setting.practice):
        setting.practice.start()
        text = showing._result(setting._replace(token=whole), upload)
    assert "with the stored token" in text
    assert text.count("the index took it") == 2
    assert "refused" not in text


@pytest.mark.process
def test_where_nothing_can_ask_the_demo_names_the_way_without_a_question(home: Home) -> None:
    """It ends as the run ended."""
    done = home.run("demo")
    assert done.status == 125
    assert "can't ask you" in done.stderr
    assert "secretly demo --yes" in done.stderr


@pytest.mark.real
@pytest.mark.parametrize("tool", [tool.program for tool in TOOLS])
def test_each_publishing_tool_can_show_it(tool: str, home: Home) -> None:
    """The first of them on PATH uploads."""
    need(tool)
    os.symlink(str(shutil.which(tool)), home.programs / tool)
    home.environ["PATH"] += f"{os.pathsep}/usr/bin{os.pathsep}/bin"
    ran(home.run("demo", "--yes"), tool)


@pytest.mark.real
def test_the_real_pinentry_asks(home: Home) -> None:
    """pinentry-curses shows the dialog on the terminal; yes and Return upload."""
    need("pinentry-curses")
    home.environ["PINENTRY"] = str(shutil.which("pinentry-curses"))
    with home.terminal([*SECRETLY, "demo"]) as terminal:
        terminal.expect(f"upload: {NAME}")
        terminal.wait_for_prompt()
        terminal.type("yes\r")
        assert terminal.wait() == 0
        assert "a temporary token, not the stored one" in terminal.screen
