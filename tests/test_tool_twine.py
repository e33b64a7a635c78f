"""Test what secretly sees of calls of twine, and how it forces the destination on twine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from agreement import twine as generated
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

from secretly.asking import upload_wording
from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.publishing.destination import Destination
from secretly.publishing.steering import check_variables, network_of

__all__ = ["known_fixture", "root_fixture"]

URL = "https://packages.example.org:8443/simple/"
HOST = "packages.example.org:8443"
CORP = f"[distutils]\nindex-servers = pypi corp\n[corp]\nrepository = {URL}\n"
PYPI = Destination("pypi", "PyPI", "", "__token__")


@pytest.fixture
def twine(root: Path) -> Calls:
    """Calls of twine."""
    return Calls("twine", root)


@pytest.mark.parametrize(
    ("line", "environ", "pypirc", "expected"),
    [
        ("upload x", {}, "", PYPI),
        ("--no-color upload x", {}, "", PYPI),
        ("upload -r testpypi x", {}, "", Destination("testpypi", "TestPyPI", "", "__token__")),
        ("upload -r=pypi x", {"TWINE_REPOSITORY": "testpypi"}, "", PYPI),
        # The user name of a section doesn't count for PyPI, nor does an option's.
        ("upload x", {}, "[pypi]\nusername = ada\n", PYPI),
        ("upload -u ada x", {}, "", PYPI),
        ("upload x", {"TWINE_USERNAME": "ada"}, "", PYPI),
        ("upload -u= x", {}, "", PYPI),
        # The user names that twine knows for other indexes.
        ("upload -r corp x", {}, CORP, Destination("corp", "corp", URL, None)),
        (
            "upload -r corp x",
            {},
            f"{CORP}username = ada\n",
            Destination("corp", "corp", URL, "ada"),
        ),
        ("upload -r corp -u=bo x", {}, CORP, Destination("corp", "corp", URL, "bo")),
        ("upload -r corp -u= x", {}, CORP, Destination("corp", "corp", URL, "")),
        ("upload -r corp x", {"TWINE_USERNAME": ""}, CORP, Destination("corp", "corp", URL, "")),
        (
            "upload -r corp x",
            {},
            f"{CORP}[server-login]\nusername = old\n",
            Destination("corp", "corp", URL, "old"),
        ),
        (
            "upload -r corp x",
            {},
            f"{CORP}[DEFAULT]\nusername = all\n",
            Destination("corp", "corp", URL, "all"),
        ),
        (
            "upload --repository-url http://aws@127.0.0.1:1/ x",
            {},
            "",
            Destination("", "127.0.0.1:1", "http://127.0.0.1:1/", "aws"),
        ),
        (
            "upload x",
            {"TWINE_REPOSITORY_URL": "http://aws@127.0.0.1:1/", "TWINE_USERNAME": "bo"},
            "",
            Destination("", "127.0.0.1:1", "http://127.0.0.1:1/", "bo"),
        ),
        # An empty value swallows no other word, and hides the variable.
        (f"upload -u= --repository-url={URL} x", {}, "", Destination("", HOST, URL, "")),
        ("upload --repository-url= x", {"TWINE_REPOSITORY_URL": URL}, "", PYPI),
        ("upload x", {"TWINE_REPOSITORY_URL": ""}, "", PYPI),
        # A name with '://' is looked up before it counts as a URL.
        (
            "upload -r https://a.example/ x",
            {},
            f"[distutils]\nindex-servers = https://a.example/\n"
            f"[https://a.example/]\nrepository = {URL}\n",
            Destination("https://a.example/", HOST, URL, None),
        ),
        # PyPI by its own URL takes no other user name either.
        (
            "upload -u bo x",
            {},
            "[pypi]\nrepository = https://upload.pypi.example/legacy/\nusername = ada\n",
            Destination("pypi", "PyPI", "https://upload.pypi.example/legacy/", "__token__"),
        ),
        # A known name with another URL.
        ("upload x", {}, f"[pypi]\nrepository = {URL}\n", Destination("pypi", HOST, URL, None)),
        ("upload x", {}, f"[pypi]\nrepository =\n  {URL}\n", Destination("pypi", HOST, URL, None)),
        ("upload x", {}, f"[pypi]\r\nREPOSITORY: {URL}\r", Destination("pypi", HOST, URL, None)),
    ],
)
def test_the_destination_is_where_twine_would_upload(
    twine: Calls, line: str, environ: Mapping[str, str], pypirc: str, expected: Destination
) -> None:
    """The index, its URL without a user name, and the user name that twine would send."""
    found = twine.upload(line, environ, {"~/.pypirc": pypirc})
    assert found.destination == expected
    # The pinned call leads to the same, whatever the settings files say by then.
    for text in (pypirc, "[pypi]\nrepository=http://evil.example/\nusername=evil\n", "broken"):
        twine.write({"~/.pypirc": text})
        again = twine.pinned(found).destination
        username = "__token__" if expected.username is None else expected.username
        assert (again.url, again.username) == (expected.url, username)
        assert again.builtin == expected.builtin
        assert again.secret == expected.secret or not again.pypis


@pytest.mark.parametrize(
    ("line", "environ", "pypirc", "words"),
    [
        ("upload -- --config-file=.evil.cfg .evil.cfg", {}, "", "--"),
        ("upload -r corp x", {}, "", "corp"),
        ("upload -r corp x", {}, CORP.replace("pypi corp", "pypi"), "index-servers"),
        ("upload -r corp x", {}, CORP.replace(URL, ""), "[corp]"),
        ("upload -r https://a.example/ x", {}, "", "--repository-url"),
        ("upload -r https://me:canary-1@a.example/ x", {}, "", "--repository-url"),
        ("upload x", {"TWINE_REPOSITORY": ""}, "", "-r pypi"),
        ("upload -r '' x", {}, "", "-r pypi"),
        ("upload -r testpypi x", {}, "[distutils]\nindex-servers = pypi\n", "index-servers"),
        ("upload -r corp x", {}, f"{CORP}username = ada\nusername = bo\n", "pypirc"),
        ("upload --config-file missing x", {}, "", "missing"),
        ("upload --repository-url https://:canary-1@a.example/ x", {}, "", "'@'"),
        ("upload --repository-url https://{a}.example/ x", {}, "", "https://host/path"),
        ("upload --repository-url 'https://a.example\\@b.example/' x", {}, "", "https://host/path"),
        ("upload --bogus x", {}, "", "leave it out"),
        ("upload '--repository corp' x", {}, "", "two words"),
        ("upload --repo testpypi x", {}, "", "leave it out"),
    ],
)
def test_a_call_that_twine_would_refuse_or_that_is_unclear_is_refused(
    twine: Calls, line: str, environ: Mapping[str, str], pypirc: str, words: str
) -> None:
    """The message says what to write instead, and repeats no password."""
    assert_refused(twine, line, environ, pypirc, words)


@pytest.mark.parametrize(
    ("line", "environ", "given"),
    [
        ("upload x", {}, ""),
        ("upload -p canary-1 x", {}, "--password"),
        ("upload --pass=canary-1 x", {}, "--password"),
        ("upload --repository-url https://me:canary-1@a.example/ x", {}, "--repository-url"),
        ("upload --repository-url https://me@a.example/ x", {}, ""),
        (
            "upload x",
            {"TWINE_REPOSITORY_URL": "https://me:canary-1@a.example/"},
            "TWINE_REPOSITORY_URL",
        ),
        (
            "upload --repository-url https://a.example/ x",
            {"TWINE_REPOSITORY_URL": "https://me:canary-1@a.example/"},
            "",
        ),
    ],
)
def test_a_call_may_give_the_secret_itself(
    twine: Calls, line: str, environ: Mapping[str, str], given: str
) -> None:
    """An option may, and a URL with a password. The destination doesn't repeat it."""
    found = twine.upload(line, environ)
    assert found.given_by == given
    assert "canary" not in repr(found.destination)


#: What CI sets where it gives programs an identity.
GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example/", "GITHUB_ACTIONS": "true"}
GITLAB = {"PYPI_ID_TOKEN": "canary-id", "GITLAB_CI": "true"}


@pytest.mark.parametrize(
    ("line", "environ", "needs_none"),
    [
        ("upload x", {}, False),
        ("upload --help", {}, True),
        ("--version upload", {}, True),
        ("upload x", GITHUB, True),
        ("upload x", {**GITHUB, "GITHUB_ACTIONS": ""}, False),
        ("upload x", GITLAB, True),
        ("upload x", {"PYPI_ID_TOKEN": "canary-id", "GITHUB_ACTIONS": "true"}, False),
        ("upload -r testpypi x", GITLAB, False),
        ("upload -r testpypi x", {"TESTPYPI_ID_TOKEN": "canary-id", "GITLAB_CI": "true"}, True),
        ("upload x", {**GITLAB, "TWINE_PASSWORD": "canary-1"}, False),
        ("upload -p canary-1 x", GITLAB, False),
        (f"upload --repository-url {URL} x", GITLAB, False),
    ],
)
def test_some_calls_need_no_secret(
    twine: Calls, line: str, environ: Mapping[str, str], needs_none: bool
) -> None:
    """Help and the version send nothing. A CI's identity takes a token's place on PyPI."""
    found = twine.upload(line, environ)
    assert bool(found.why_needs_none or found.identity) is needs_none


OWN = "ca_cert = own.pem\nclient_cert = client.pem\n"


@pytest.mark.parametrize(
    ("line", "environ", "settings", "added", "variables"),
    [
        (f"upload --repository-url {URL} x", {}, CORP, [], {}),
        ("upload x", {"TWINE_REPOSITORY_URL": URL}, CORP, [], {}),
        ("upload x", {}, CORP, ["EMPTY"], {}),
        ("upload -u ada x", {}, CORP, ["EMPTY", "--username=__token__"], {}),
        ("upload -u ada -p canary-1 x", {}, CORP, ["EMPTY"], {}),
        ("upload -r corp x", {}, CORP, [], {"TWINE_REPOSITORY_URL": URL}),
        (
            "upload -r corp --repository-url= x",
            {},
            CORP,
            [f"--repository-url={URL}"],
            {"TWINE_REPOSITORY_URL": URL},
        ),
        (
            "upload -r corp x",
            {},
            CORP + OWN,
            ["--client-cert=client.pem"],
            {"TWINE_REPOSITORY_URL": URL, "TWINE_CERT": "own.pem"},
        ),
        (
            "upload -r corp --cert mine --client-cert mine x",
            {},
            CORP + OWN,
            [],
            {"TWINE_REPOSITORY_URL": URL},
        ),
        (
            "upload -r corp x",
            {"TWINE_CERT": ""},
            CORP + OWN,
            ["--client-cert=client.pem"],
            {"TWINE_REPOSITORY_URL": URL},
        ),
        (
            "upload x",
            {},
            f"[pypi]\n{OWN}",
            ["--client-cert=client.pem", "EMPTY"],
            {"TWINE_CERT": "own.pem"},
        ),
    ],
)
def test_the_destination_is_pinned(
    twine: Calls,
    line: str,
    environ: Mapping[str, str],
    settings: str,
    added: list[str],
    variables: Mapping[str, str],
) -> None:
    """The URL is given in a variable, or no settings file is. Certificates are passed on."""
    upload = twine.upload(line, environ, {"~/.pypirc": settings})
    upload.make_empty()
    pin = upload.pin
    empty = str(twine.home / ".local/state/secretly/empty.toml")
    expected = [f"--config-file={empty}" if word == "EMPTY" else word for word in added]
    assert list(pin.arguments) == [*twine.case(line).arguments, *expected]
    assert pin.environ == variables
    assert "EMPTY" not in added or os.path.getsize(empty) == 0


def test_added_options_come_before_no_end_of_the_options(twine: Calls) -> None:
    """After ``--`` they would be files."""
    arguments = twine.upload("upload --verbose -- a -b").pin.arguments
    assert arguments[:-1] == ("upload", "--verbose", "a", "./-b")


@pytest.mark.parametrize(
    ("line", "environ", "lines"),
    [
        ("upload x", {}, []),
        ("upload -r corp x", {}, ["your own certificates", "a client certificate"]),
        ("upload -r corp --cert= --client-cert= x", {}, []),
        ("upload --cert mine x", {}, ["your own certificates"]),
        ("upload x", {"TWINE_CERT": "mine"}, ["your own certificates"]),
        ("upload x", {"https_proxy": "http://me:canary-1@corp:3128"}, ["proxy corp:3128"]),
        ("upload x", {"https_proxy": "corp:3128/x"}, ["proxy corp:3128"]),
        ("upload x", {"Https_Proxy": "corp:3128"}, ["proxy corp:3128"]),
        ("upload x", {"all_proxy": "b", "HTTP_PROXY": "a"}, ["proxy a", "proxy b"]),
        ("upload x", {"https_proxy": "", "HTTPS_PROXY": "a", "hTTps_proxy": "a"}, ["proxy a"]),
        # Programs disagree where the host is, and what the user and the password are.
        (
            "upload x",
            {"https_proxy": "http://me:canary/1@corp"},
            [upload_wording.proxy(upload_wording.UNREADABLE)],
        ),
        (
            "upload x",
            {"https_proxy": "http://corp/@other"},
            [upload_wording.proxy(upload_wording.UNREADABLE)],
        ),
        (
            "upload x",
            {"https_proxy": "http://me:a#b@corp"},
            [upload_wording.proxy(upload_wording.UNREADABLE)],
        ),
    ],
)
def test_what_the_users_settings_change_about_the_connection_is_shown(
    twine: Calls, line: str, environ: Mapping[str, str], lines: list[str]
) -> None:
    """Certificates come from options, a variable, or the section of the index."""
    call = twine.call(line, environ, {"~/.pypirc": CORP + OWN})
    assert list(network_of(call).settings) == lines


@pytest.mark.parametrize(
    ("name", "steers"),
    [
        *((name, False) for name in ("PYPI_TOKEN", "PYPI_API_TOKEN", "PYTEST_ADDOPTS")),
        *((name, True) for name in ("PYPI_ID_TOKEN", "PYENV_VERSION", "PYTHONPATH")),
        *((name, True) for name in ("DBUS_SESSION_BUS_ADDRESS", "All_Proxy", "NETRC")),
    ],
)
def test_an_env_file_may_set_what_no_upload_depends_on(
    twine: Calls, name: str, steers: bool
) -> None:
    """A project's own token in its ``.env`` is not twine's."""
    call = twine.call("upload x", {name: "x"})
    call.origins = {name: "an env file"}
    if not steers:
        return check_variables(call)
    with pytest.raises(Refused, match=name):
        check_variables(call)


def test_a_program_that_signs_is_named(twine: Calls) -> None:
    """It would see the token. GnuPG's own is not the project's."""
    assert twine.call("upload -s --sign-with ./g x").code() != ()
    assert twine.call("upload --sign-with ./g x").code() == ()
    assert twine.call("upload -s x").code() == ()


def test_no_file_is_read_for_a_url(twine: Calls) -> None:
    """twine opens no .pypirc then, so a broken one doesn't matter."""
    found = twine.upload(f"upload --repository-url {URL} x", {}, {"~/.pypirc": "broken"})
    assert found.destination.url == URL
    assert found.pin.environ == {}


def test_the_file_with_the_index_is_read_once(root: Path, twine: Calls) -> None:
    """All that an upload asks is answered from the same text, also if the file changes."""
    found = twine.upload("upload -r corp x", {}, {"~/.pypirc": f"{CORP}username = ada\n"})
    assert found.destination == Destination("corp", "corp", URL, "ada")
    (root / "home" / ".pypirc").write_text(
        f"{CORP.replace(URL, 'https://evil.example/')}password = x\n"
    )
    assert (found.secret, found.pin.environ["TWINE_REPOSITORY_URL"]) == ("corp", URL)
    assert found.plain_password() == ("", "")


@given(generated.cases())
@fewer([HealthCheck.filter_too_much])
def test_the_pinned_call_leads_to_the_same_destination(known: Configuration, case: Case) -> None:
    """Whatever the call and the settings are, and whatever the settings become."""
    evil = "[distutils]\nindex-servers = pypi testpypi corp\n" + "".join(
        f"[{name}]\nrepository=https://evil.example/\nusername=evil\nca_cert=evil\n"
        for name in ("pypi", "testpypi", "corp", "DEFAULT")
    )
    hostile = {"home/.pypirc": evil, "project/mine": evil}
    assert_goes_where_shown("twine", known, case, hostile)
