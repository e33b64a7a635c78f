"""Test what secretly sees of calls of flit, and how it forces the destination on flit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from agreement import flit as generated
from agreement.cases import Case
from conftest import fewer
from hypothesis import HealthCheck, given
from toolcalls import (
    Calls,
    assert_goes_where_shown,
    assert_refused,
    known_fixture,
    root_fixture,
)

from secretly.config.command_line import recognize
from secretly.config.model import Configuration
from secretly.publishing.destination import Destination
from secretly.publishing.upload import upload_of

__all__ = ["known_fixture", "root_fixture"]

URL = "https://packages.example.org:8443/simple/"
HOST = "packages.example.org:8443"
CORP = f"[distutils]\nindex-servers = pypi corp\n[corp]\nrepository = {URL}\n"
PYPI = Destination("pypi", "PyPI")
BY_CORP = Destination("corp", "corp", URL)


@pytest.fixture
def flit(root: Path) -> Calls:
    """Calls of flit, in a project."""
    calls = Calls("flit", root)
    calls.write({"pyproject.toml": '[project]\nname = "demo"\nversion = "1.0"\n'})
    return calls


@pytest.mark.parametrize(
    ("line", "environ", "pypirc", "expected"),
    [
        ("publish", {}, "", PYPI),
        ("publish", {}, "[pypi]\nusername = ada\n", PYPI._replace(username="ada")),
        (
            "publish",
            {"FLIT_USERNAME": "bo"},
            "[pypi]\nusername = ada\n",
            PYPI._replace(username="bo"),
        ),
        # flit asks for a user name that is empty.
        ("publish", {"FLIT_USERNAME": ""}, "[pypi]\nusername = ada\n", PYPI),
        ("publish --repository corp", {}, CORP, BY_CORP),
        ("--repository corp publish", {}, CORP, BY_CORP),
        ("--repository x publish --repository corp", {}, CORP, BY_CORP),
        ("--repository corp publish --repository=", {}, CORP, BY_CORP),
        ("publish --repo corp --format=wheel", {}, CORP, BY_CORP),
        (
            "publish --repository corp",
            {},
            f"{CORP}[DEFAULT]\nusername = all%(x)s\n",
            BY_CORP._replace(username="all%(x)s"),
        ),
        # Any index that is listed has flit's own URL, unless its section has one.
        (
            "publish --repository corp",
            {},
            CORP.replace("repository", "x"),
            Destination("corp", "PyPI"),
        ),
        (
            "publish",
            {},
            "[distutils]\nindex-servers = corp\n[pypi]\nrepository = http://x/\n",
            PYPI,
        ),
        ("publish", {}, f"[pypi]\nrepository = {URL}\n", Destination("pypi", HOST, URL)),
        ("publish", {}, f"[pypi]\nrepository =\n  {URL}\n", Destination("pypi", HOST, URL)),
        # flit knows no test index but the one that .pypirc names.
        (
            "publish --repository testpypi",
            {},
            CORP.replace("corp", "testpypi").replace(URL, "https://test.pypi.example/legacy/"),
            Destination("testpypi", "TestPyPI", "https://test.pypi.example/legacy/"),
        ),
        ("publish", {"FLIT_INDEX_URL": URL}, CORP, Destination("", HOST, URL)),
        # flit reads no user name in a URL.
        (
            "publish",
            {"FLIT_INDEX_URL": "http://ada:canary-1@127.0.0.1:1/"},
            "",
            Destination("", "127.0.0.1:1", "http://127.0.0.1:1/"),
        ),
        # flit 4.2 adds the slash, older ones don't.
        (
            "publish",
            {"FLIT_INDEX_URL": "https://test.example/legacy"},
            "",
            Destination("", "test.example", "https://test.example/legacy/"),
        ),
    ],
)
def test_the_destination_is_where_flit_would_upload(
    flit: Calls, line: str, environ: Mapping[str, str], pypirc: str, expected: Destination
) -> None:
    """The index, its URL, and the user name that flit would send."""
    found = flit.upload(line, environ, {"~/.pypirc": pypirc})
    assert found.destination == expected
    # The pinned call leads to the same, whatever the settings files say by then.
    for text in (pypirc, "[pypi]\nrepository=http://evil.example/\nusername=evil\n", "broken"):
        flit.write({"~/.pypirc": text})
        again = flit.pinned(found).destination
        assert (again.url, again.username) == (expected.url, expected.username or "__token__")
        assert again.builtin == expected.builtin


def test_no_command_for_one_project_alone_is_shown(flit: Calls) -> None:
    """flit takes no files: it uploads the project whose folder it is in."""
    assert flit.upload("publish").commands() == []


def test_another_command_than_a_publishing_tool_is_not_an_upload(known: Configuration) -> None:
    """Also if it is a known command."""
    call = recognize(["gh", "release", "create"], known)
    assert call is not None
    assert upload_of(call, {"HOME": "/nonexistent"}) is None


@pytest.mark.parametrize(
    ("line", "environ", "pypirc", "words"),
    [
        ("publish --repository corp", {}, "", "FLIT_INDEX_URL"),
        ("publish --repository testpypi", {}, "", "'testpypi'"),
        ("publish --repository corp", {}, CORP.replace("pypi corp", "pypi"), "index-servers"),
        ("publish --repository https://a.example/", {}, "", "FLIT_INDEX_URL=https://a.example/"),
        ("publish --repository https://me:canary-1@a.example/", {}, "", "FLIT_INDEX_URL"),
        ("--repository= publish", {}, "", "knows no index ''"),
        ("publish --repository corp", {"FLIT_INDEX_URL": ""}, CORP, "unset FLIT_INDEX_URL"),
        ("publish", {"FLIT_INDEX_URL": ""}, "", "no host"),
        ("publish", {"FLIT_INDEX_URL": "a.example"}, "", "no host"),
        ("publish", {"FLIT_INDEX_URL": "http://a.example\\@b.example/"}, "", "differently"),
        ("publish", {}, "[pypi]\nrepository =\n", "no host"),
        ("publish", {}, "[pypi", "pypirc"),
        ("publish --pypirc missing", {}, "", "missing"),
        ("publish --pypirc=~/.pypirc", {}, "", "~"),
        ("publish dist/*", {}, "", "takes no files"),
        ("publish --bogus", {}, "", "leave it out"),
        ("publish -f other.toml", {}, "", "leave it out"),
    ],
)
def test_a_call_that_flit_would_refuse_or_that_is_unclear_is_refused(
    flit: Calls, line: str, environ: Mapping[str, str], pypirc: str, words: str
) -> None:
    """The message says what to write instead, and repeats no password."""
    assert_refused(flit, line, environ, pypirc, words)


@pytest.mark.parametrize(
    ("line", "environ", "left", "variables"),
    [
        ("publish", {}, "publish", {}),
        ("publish --format wheel", {}, "publish --format wheel", {}),
        ("publish", {"FLIT_INDEX_URL": URL}, "publish", {"FLIT_INDEX_URL": URL}),
        ("publish --repository corp", {}, "publish", {"FLIT_INDEX_URL": URL}),
        (
            "--repository x --debug publish --pypirc=mine --repo=corp --use-vcs",
            {},
            "--debug publish --use-vcs",
            {"FLIT_INDEX_URL": URL},
        ),
    ],
)
def test_the_destination_is_pinned(
    flit: Calls, line: str, environ: Mapping[str, str], left: str, variables: Mapping[str, str]
) -> None:
    """flit takes no name together with the variable for the URL, and an empty file in any case."""
    upload = flit.upload(line, environ, {"~/.pypirc": CORP, "mine": CORP})
    upload.make_empty()
    *arguments, last = upload.pin.arguments
    option, _, empty = last.partition("=")
    assert (" ".join(arguments), upload.pin.environ) == (left, {"NETRC": empty, **variables})
    assert (option, os.path.getsize(empty)) == ("--pypirc", 0)


@pytest.mark.parametrize(
    ("line", "needs_none"),
    [
        ("publish", False),
        ("--debug publish", False),
        ("publish --help", True),
        ("-h publish", True),
        ("-V publish", True),
        ("--logo publish", True),
    ],
)
def test_some_calls_need_no_secret(flit: Calls, line: str, needs_none: bool) -> None:
    """Help, the version and the logo send nothing. flit has no option for a password."""
    found = flit.upload(line)
    assert bool(found.why_needs_none) is needs_none
    assert found.given_by == ""


@pytest.mark.parametrize(
    ("line", "files", "number"),
    [
        ("publish", {}, 0),
        ("publish", {".git/config": ""}, 1),
        ("publish", {".git/config": "", ".hg/hgrc": ""}, 2),
        ("-f sub/own.toml publish", {"sub/own.toml": "", "sub/.hg/hgrc": ""}, 1),
        ("publish --no-use-vcs", {".git/config": "", ".hg/hgrc": ""}, 0),
        ("publish --format=wheel", {".git/config": ""}, 0),
        ("publish", {"pyproject.toml": '[project]\nname = "demo"\ndynamic = ["version"]\n'}, 1),
        ("publish", {"pyproject.toml": '[project]\nname = "demo"\ndynamic = 1\n'}, 0),
        ("publish", {"pyproject.toml": '[tool.flit.metadata]\nmodule = "demo"\n'}, 1),
        (
            "-f sub/own.toml publish",
            {"sub/own.toml": '[project]\nname = "demo"\ndynamic = ["description"]\n'},
            1,
        ),
    ],
)
def test_code_that_would_see_the_token_is_named(
    flit: Calls, line: str, files: Mapping[str, str], number: int
) -> None:
    """flit may import the module, and starts git with the repository's own settings."""
    assert len(flit.call(line, {}, files).code()) == number


@given(generated.cases())
@fewer([HealthCheck.filter_too_much])
def test_the_pinned_call_leads_to_the_same_destination(known: Configuration, case: Case) -> None:
    """Whatever the call and the settings are, and whatever the settings become."""
    evil = "[pypi]\nrepository=https://evil.example/\nusername=evil\n"
    hostile = {"home/.pypirc": evil, "project/mine": evil}
    assert_goes_where_shown("flit", known, case, hostile)
