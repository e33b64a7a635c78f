"""Test what the real twine and flit do with their settings, against an index on loopback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import tokens
from command import Home, home
from test_publishing import FILE, project, publish, tool
from tokens import Warehouse

from secretly.testing import FakePinentry

pytestmark = [pytest.mark.real, pytest.mark.outside]

USERS = ("ada", "aws", "bo")


@pytest.fixture(name="index")
def _index() -> Iterator[Warehouse]:
    with tokens.warehouse(*USERS) as found:
        yield found


@pytest.fixture(name="evil")
def _evil() -> Iterator[Warehouse]:
    with tokens.warehouse(*USERS) as found:
        yield found


@pytest.fixture(name="place")
def _place() -> Iterator[Home]:
    with home() as found:
        (found.folder / "demo").mkdir()
        project(found.folder / "demo")
        yield found


CORP = "[distutils]\nindex-servers = pypi corp\n[corp]\nrepository = URL\n"

#: Arguments, variables, the ``.pypirc``, and the user name that arrives. URL and HOST are the
#: index's, EVIL another one's.
ARRIVES: dict[str, tuple[str, str, Mapping[str, str], str, str]] = {
    "the section's user name": (
        "twine",
        f"upload -r corp {FILE}",
        {},
        f"{CORP}username = ada\n",
        "ada",
    ),
    "flit's section": ("flit", "publish --repository corp", {}, f"{CORP}username = ada\n", "ada"),
    "the URL's user name": (
        "twine",
        f"upload --repository-url http://aws@HOST/legacy/ {FILE}",
        {},
        "",
        "aws",
    ),
    "an option before the section": (
        "twine",
        f"upload -r corp -u bo {FILE}",
        {},
        f"{CORP}username = ada\n",
        "bo",
    ),
    "a variable before the section": (
        "twine",
        f"upload -r corp {FILE}",
        {"TWINE_USERNAME": "bo"},
        f"{CORP}username = ada\n",
        "bo",
    ),
    "an empty value takes no other word": (
        "twine",
        f"upload -c= --repository-url=URL {FILE}",
        {},
        "[pypi]\nrepository = EVIL\n",
        "__token__",
    ),
    "an empty option hides the variable": (
        "twine",
        f"upload -r corp --repository-url= {FILE}",
        {"TWINE_REPOSITORY_URL": "EVIL"},
        f"{CORP}username = ada\n",
        "ada",
    ),
    "a section whose name is a URL": (
        "twine",
        f"upload -r EVIL {FILE}",
        {},
        "[distutils]\nindex-servers = EVIL\n[EVIL]\nrepository = URL\nusername = ada\n",
        "ada",
    ),
    "flit's own order": (
        "flit",
        "--repository other publish --repository corp --format wheel",
        {},
        f"{CORP}username = ada\n[DEFAULT]\nrepository = EVIL\n",
        "ada",
    ),
}


@pytest.mark.parametrize("name", ARRIVES)
def test_the_upload_arrives_where_the_dialog_says_as_that_user(
    place: Home, index: Warehouse, evil: Warehouse, name: str
) -> None:
    """The dialog shows the index and the user name that the upload has."""
    program, line, environ, pypirc, username = ARRIVES[name]

    def filled(text: str) -> str:
        url = index.url
        return text.replace("URL", url).replace("EVIL", evil.url).replace("HOST", index.host)

    (place.folder / ".pypirc").write_text(filled(pypirc))
    variables = {key: filled(value) for key, value in environ.items()}
    command = [tool(program), *filled(line).split()]
    if program == "flit":
        (place.folder / "demo" / FILE).unlink()
    with FakePinentry([tokens.token("127.0.0.1")]) as fake:
        done = publish(place, command, {**variables, **fake.environ})
        assert done.status == 0, done
        (prompt,) = fake.prompts
    assert {(one.username, one.status) for one in index.uploads} == {(username, 200)}
    assert evil.uploads == []
    assert index.host in prompt["SETDESC"]
    assert username in prompt["SETDESC"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("upload -- --config-file=.evil.cfg .evil.cfg", "--"),
        (f"upload -r other {FILE}", "other"),
        (f"upload {FILE} dist/old", "folder"),
        (f"upload --repository-url http://:canary-1@HOST/ {FILE}", "password"),
    ],
)
def test_what_twine_would_refuse_or_send_elsewhere_is_refused(
    place: Home, evil: Warehouse, line: str, words: str
) -> None:
    """secretly asks nothing, and nothing is sent."""
    (place.folder / "demo" / ".evil.cfg").write_text(f"[pypi]\nrepository = {evil.url}\n")
    tokens.wheel(place.folder / "demo" / "dist" / "old")
    with FakePinentry([tokens.token("127.0.0.1")]) as fake:
        done = publish(
            place, [tool("twine"), *line.replace("HOST", evil.host).split()], fake.environ
        )
        assert fake.prompts == []
    assert (done.status, evil.uploads) == (125, [])
    assert words in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize("given", ["-p", "the URL"])
def test_a_secret_that_the_call_gives_is_used_as_it_is(
    place: Home, index: Warehouse, given: str
) -> None:
    """Nothing is asked and nothing claimed."""
    url = index.url if given == "-p" else index.url.replace("//", "//ada:canary-given@")
    words = ["-u", "ada", "-p", "canary-given"] if given == "-p" else []
    with FakePinentry([]) as fake:
        command = [tool("twine"), "upload", "--repository-url", url, *words, FILE]
        done = publish(place, command, fake.environ)
        assert fake.prompts == []
    assert [(one.username, one.token) for one in index.uploads] == [("ada", "canary-given")]
    assert "gets a token" not in done.stderr


def test_the_sections_client_certificate_is_passed_on(place: Home, index: Warehouse) -> None:
    """twine complains about a missing one, which shows that it still looks for it."""
    text = CORP.replace("URL", index.url.replace("http:", "https:"))
    (place.folder / ".pypirc").write_text(f"{text}client_cert = missing.pem\n")
    with FakePinentry([tokens.token("127.0.0.1")]) as fake:
        done = publish(place, [tool("twine"), "upload", "-r", "corp", FILE], fake.environ)
    assert "missing.pem" in done.stdout + done.stderr
    assert index.uploads == []


def test_changed_settings_do_not_move_the_upload(
    place: Home, index: Warehouse, evil: Warehouse
) -> None:
    """twine is given the URL that was shown, and opens no file any more."""
    (place.folder / ".pypirc").write_text(CORP.replace("URL", index.url))
    real = tool("twine")
    place.program(
        "twine",
        f"#!/bin/sh\nsed -i 's|{index.url}|{evil.url}|' {place.folder}/.pypirc\n"
        f'exec {real} "$@"\n',
    )
    with FakePinentry([tokens.token("127.0.0.1")]) as fake:
        done = publish(place, ["twine", "upload", "-r", "corp", FILE], fake.environ)
    assert evil.url in (place.folder / ".pypirc").read_text(), done
    assert (index.statuses, evil.uploads) == ([200], []), done
