"""Test how a .pypirc is read."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import pytest
from agreement.pypircs import pypircs
from conftest import fewer
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from toolcalls import Calls, root_fixture

from secretly.config import loading
from secretly.errors import Refused
from secretly.publishing.addresses import secret_named
from secretly.publishing.destination import without_user
from secretly.publishing.pypirc import Pypirc, read_pypirc

__all__ = ["root_fixture"]

URL = "https://packages.example.org/"


@pytest.fixture(name="path", scope="module")
def _path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home") / ".pypirc"


def read(path: Path, text: str) -> Pypirc:
    """Write a file, and read it."""
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return read_pypirc(str(path))


def test_each_section_has_its_keys_and_those_of_the_default_one(path: Path) -> None:
    """The password is not among them, and a percent sign means itself."""
    found = read(
        path,
        "[distutils]\nindex-servers =\n  pypi\n  corp\n[DEFAULT]\nUserName = all\n"
        f"[corp]\nrepository: {URL}\npassword = canary-1%(x)s\nca_cert = own.pem\n[pypi]\n",
    )
    assert found.servers == ("pypi", "corp")
    assert found.sections["corp"] == {"repository": URL, "username": "all", "ca_cert": "own.pem"}
    assert found.sections["pypi"] == {"username": "all"}
    assert found.with_password == ("corp",)
    assert "canary" not in repr(found)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(path: Path, end: str) -> None:
    """As in any file that Python opens as text: a section can't hide behind another line end."""
    assert read(path, f"[pypi]{end}repository = {URL}{end}").urls["pypi"] == URL


@pytest.mark.parametrize("name", [os.devnull, "/nonexistent/.pypirc"])
def test_without_a_file_nothing_is_said(name: str) -> None:
    """The null device is an empty file, too."""
    assert read_pypirc(name).sections == {"DEFAULT": {}}


@given(pypircs() | st.text(st.characters(exclude_categories=[])))
@example("[a]\npassword = canary-1\nx")
@fewer([HealthCheck.function_scoped_fixture])
def test_a_file_is_read_as_configparser_reads_it_or_refused(path: Path, text: str) -> None:
    """What tools read with Python's own parser, from a file that is opened as text."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (configparser.Error, ValueError):
        with pytest.raises(Refused) as caught:
            read_pypirc(str(path))
        assert "canary" not in f"{caught.value}{caught.value.hint}"
    else:
        found = read_pypirc(str(path))
        assert list(found.sections)[1:] == parser.sections()
        for name in parser.sections():
            for key in ("repository", "username", "ca_cert", "client_cert"):
                assert found.sections[name].get(key) == parser.get(name, key, fallback=None)


@pytest.mark.parametrize(
    ("name", "url", "expected"),
    [
        ("corp", URL, "corp"),
        ("pypi", URL, "packages.example.org"),
        ("pypi", "https://upload.pypi.example/", "PyPI"),
        ("testpypi", "https://test.pypi.example/", "TestPyPI"),
        ("testpypi", URL, "packages.example.org"),
        ("PyPI", URL, "packages.example.org"),
        ("PyPI/demo", URL, "packages.example.org"),
        ("https://a.example/", URL, "packages.example.org"),
        ("pypi", "https://known.example/", "mine"),
        ("corp", "https://upload.known.example/", "mine"),
    ],
)
def test_a_known_name_with_another_url_counts_as_its_host(
    root: Path, name: str, url: str, expected: str
) -> None:
    """Any other name is the name of the secret, unless the index made a stored token."""
    call = Calls("twine", root).call("upload x")
    call.locations = {"known.example": "mine"}
    assert secret_named(call, name, url) == expected


@pytest.mark.parametrize("name", ["GitHub", "GitHub/demo", "AWS", "npm", "Twilio account"])
def test_a_project_cannot_call_its_index_like_the_secret_of_another_command(
    root: Path, name: str
) -> None:
    """Your token for GitHub is not for an index that the project has made up."""
    call = Calls("uv", root).call("publish")
    assert secret_named(call, name, URL, by_project=True) == "packages.example.org"
    assert secret_named(call, "corp", URL, by_project=True) == "corp"
    assert secret_named(call, name, URL) == name


@pytest.mark.parametrize("secret", ["Deploy", "Deploy/eu#username", "secretly://Deploy"])
@pytest.mark.parametrize("table", ["secrets", "profiles.eu.secrets"])
def test_nor_like_the_secret_of_a_command_that_the_user_configured(
    root: Path, table: str, secret: str
) -> None:
    """A profile's secrets count as well. Those of a publishing tool may be an index's."""
    call = Calls("uv", root).call("publish")
    for command, expected in (("deployer", "packages.example.org"), ("twine", "Deploy")):
        path = root / "config.toml"
        path.write_text(f'[commands.{command}.{table}]\nTOKEN = "{secret}"\n')
        path.chmod(0o600)
        call.commands = loading.load({"SECRETLY_CONFIG": str(path)}).commands
        assert secret_named(call, "Deploy", URL, by_project=True) == expected


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z"),
        ("https://me@a.example/", "https://a.example/"),
        ("https://me:canary-1@a.example:1/me@x", "https://a.example:1/me@x"),
        ("https://a@b@c.example/", "https://c.example/"),
        ("https://[::1", "https://[::1"),
    ],
)
def test_a_url_is_shown_without_its_user(url: str, left: str) -> None:
    """Neither a user name nor a password is part of where it leads."""
    assert without_user(url) == left
