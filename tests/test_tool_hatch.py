"""Test the adapter of hatch: what hatch would do with a call, and how secretly pins it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from agreement import cases as agreed
from agreement import hatch as generated
from agreement.archives import distribution
from agreement.cases import Case
from conftest import fewer
from hypothesis import HealthCheck, given
from test_publishing import tool
from toolcalls import (
    MEANT,
    OTHER,
    Look,
    Servers,
    assert_goes_where_shown,
    assert_really_goes_where_shown,
    known_fixture,
    looker,
    servers_fixture,
)

from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.publishing.destination import Destination
from secretly.publishing.options import Options
from secretly.publishing.parsers import click

__all__ = ["known_fixture", "servers_fixture"]

A, B = MEANT, OTHER
CONFIG = "home/.config/hatch/config.toml"
PYPIRC = "home/.pypirc"
REMEMBERED = "home/.cache/hatch/publish/index/previous_working_users.json"
INDEX, REPOS = "[publish.index]\n", "[publish.index.repos]\n"
PROJECT = "project/pyproject.toml"
NAMED = '[project]\nname = "demo"\nversion = "1.0"\n'


@pytest.fixture(name="look")
def _look(tmp_path: Path, known: Configuration, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Return a function that lays out files, and looks at a call of hatch."""
    monkeypatch.chdir(tmp_path)
    return looker("hatch", tmp_path, known, {})


# -- the command line ------------------------------------------------------------

#: A command line, and the URL that it uploads to; None: PyPI.
LINES: list[tuple[str, str | None]] = [
    ("publish", None),
    ("publish -r main", None),
    ("publish --repo=", None),
    (f"publish -r {A}", A),
    (f"publish -r{A}", A),
    (f"publish --repo {A}", A),
    (f"publish --repo={A} --repo={B}", B),
    (f"publish dist -nyr{A} dist", A),
    (f"publish -u --repo -r {A}", A),
    (f"publish -r {A} -- -r {B}", A),
    (f"-- publish -r {A}", A),
    (f"-vvq --no-color -e x --config={{h}} publish -r {A}", A),
    (f"--data-dir publish publish -r {A}", A),
    (f"publish -u= --repo={A} dist", A),
]


@pytest.mark.parametrize(("line", "url"), LINES)
def test_the_command_line_is_read_as_click_does(look: Look, line: str, url: str | None) -> None:
    """An empty value swallows no word, and after -- nothing is an option."""
    upload = look(line.replace("{h}", "h.toml"), {}, {"project/h.toml": ""})
    assert upload.destination.url == (url or "")
    assert upload.destination.secret == (
        "a.example" if url == A else "b.example" if url else "PyPI"
    )


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("publish --rep x", "--rep"),
        ("--repo x publish", "--repo"),
        ("publish --config x", "--config"),
        ("publish --yes=1", "takes no value: --yes"),
        ("publish -x", "-x"),
        ("publish -nx", "-x"),
        ("publish -r", "--repo"),
        ("publish -r=x", "=x"),
        ("publish -p other", "'other'"),
        ("publish -p=index", "'=index'"),
        ("publish -o a=b", "--option"),
    ],
)
def test_what_hatch_would_refuse_or_a_plugin_would_get_is_refused(
    look: Look, line: str, named: str
) -> None:
    """The error names the option, and says what to do."""
    with pytest.raises(Refused) as caught:
        _ = look(line).destination
    assert named in str(caught.value)
    assert caught.value.hint


def test_the_words_of_a_group_are_its_own() -> None:
    """The same letter may be two options: one before the command, one after it."""
    before, after = Options("--project/-p= --help/-h"), Options("--publisher/-p= --help/-h")
    words = click.read("hatch", ["-px", "publish", "-p", "y", "-h", "z"], before, after)
    assert words.options == [("--project", "x"), ("--publisher", "y"), ("--help", None)]
    assert (words.words, words.before) == (["publish", "z"], 1)


# -- the destination -------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "environ", "files", "destination"),
    [
        ("publish", {"HATCH_INDEX_REPO": "test"}, {}, ("test", "TestPyPI", "")),
        ("publish", {"HATCH_INDEX_REPO": ""}, {}, ("main", "PyPI", "")),
        ("publish -r test", {"HATCH_INDEX_REPO": A}, {}, ("test", "TestPyPI", "")),
        ("publish --repo=", {"HATCH_INDEX_REPO": A}, {}, ("main", "PyPI", "")),
        ("publish", {}, {CONFIG: f"{INDEX}repo = '{A}'"}, ("", "a.example", A)),
        ("publish -r corp", {}, {CONFIG: f"{REPOS}corp = '{A}'"}, ("corp", "corp", A)),
        ("publish -r corp", {}, {CONFIG: f"{REPOS}corp.url = '{A}'"}, ("corp", "corp", A)),
        ("publish -r main", {}, {CONFIG: f"{REPOS}main = '{A}'"}, ("main", "PyPI", "")),
        ("publish -r main", {}, {CONFIG: f"{REPOS}main.url = '{A}'"}, ("main", "PyPI", "")),
        ("publish", {}, {CONFIG: f"{REPOS}test = '{A}'"}, ("main", "PyPI", "")),
        ("publish -r test", {}, {CONFIG: f"{REPOS}test = '{A}'"}, ("test", "TestPyPI", "")),
        ("publish", {}, {CONFIG: f"{INDEX}repo = 'test'"}, ("test", "TestPyPI", "")),
        ("publish -r main", {}, {CONFIG: f"{INDEX}repo = 'test'"}, ("main", "PyPI", "")),
        (
            "publish",
            {"HATCH_INDEX_REPO": "main"},
            {CONFIG: f"{INDEX}repo = 'test'"},
            ("main", "PyPI", ""),
        ),
        (
            "publish",
            {},
            {CONFIG: f"{INDEX}repo = 'corp'\n{REPOS}corp = '{A}'"},
            ("corp", "corp", A),
        ),
        (
            "--config h.toml publish -r corp",
            {},
            {"project/h.toml": f"{REPOS}corp = '{A}'"},
            ("corp", "corp", A),
        ),
        (f"publish -r {A}", {}, {CONFIG: f"{REPOS}'{A}' = '{B}'"}, ("", "b.example", B)),
        (
            "--config h.toml publish",
            {},
            {"project/h.toml": f"{INDEX}repo = '{A}'", CONFIG: f"{INDEX}repo = '{B}'"},
            ("", "a.example", A),
        ),
        (
            "publish",
            {"HATCH_CONFIG": "{project}/h.toml"},
            {"project/h.toml": f"{INDEX}repo = '{A}'"},
            ("", "a.example", A),
        ),
        (
            "publish",
            {"XDG_CONFIG_HOME": "{home}/x"},
            {"home/x/hatch/config.toml": f"{INDEX}repo = '{A}'", CONFIG: f"{INDEX}repo = '{B}'"},
            ("", "a.example", A),
        ),
        (
            "publish",
            {},
            {PROJECT: f"[tool.hatch.publish.index]\nrepo = '{A}'\n", "project/hatch.toml": "a=1"},
            ("main", "PyPI", ""),
        ),
        (f"publish -r {A.replace('//', '//ada:canary-1@')}", {}, {}, ("", "a.example", A)),
    ],
)
def test_the_index_is_the_one_that_hatch_finds(
    look: Look,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    destination: tuple[str, str, str],
) -> None:
    """An option, then a variable, then the user's settings; a name, then a URL."""
    assert look(line, environ, files).destination == Destination(*destination)


def test_a_url_whose_index_made_a_stored_token_has_that_token(look: Look) -> None:
    """A token names the index that made it, and so the secret for its URL."""
    upload = look(f"publish -r {A.replace('a.', 'upload.a.')}")
    upload._call.locations = {"a.example": "Mine"}
    assert upload.destination.secret == "Mine"


@pytest.mark.parametrize(
    ("line", "environ", "files"),
    [
        ("publish -r none", {}, {}),
        ("publish -r none", {}, {CONFIG: f"{REPOS}other = '{A}'"}),
        ("publish", {}, {CONFIG: f"{INDEX}repo = ''"}),
        ("publish", {}, {CONFIG: f"{INDEX}repo = 1"}),
        ("publish -r corp", {}, {CONFIG: f"{REPOS}corp = 1"}),
        ("publish -r corp", {}, {CONFIG: "[publish.index.repos.corp]\nuser = 'ada'"}),
        ("publish", {}, {CONFIG: "publish = 1"}),
        ("publish", {}, {CONFIG: "[publish.index]\nrepos = 1"}),
        ("--config none publish", {}, {}),
        ("publish", {"XDG_CONFIG_HOME": "here"}, {}),
        ("publish", {"HOME": "here"}, {}),
        ("publish", {"HATCH_PUBLISHER": "x"}, {}),
        ("publish", {"HATCH_PUBLISHER_OPTIONS": "a=b"}, {}),
        ("publish", {}, {CONFIG: "mode = 'project'\nproject = 'x'"}),
        ("publish", {}, {PROJECT: "[tool.hatch.publish.index]\nca-cert = 'x'"}),
        ("publish", {}, {"project/hatch.toml": "[publish.index]\nnew = 'x'"}),
        ("publish", {}, {PYPIRC: "[main\n"}),
        ("publish", {}, {PYPIRC: "[main]\nusername = %(x\n"}),
        ("publish", {}, {REMEMBERED: "["}),
        ("publish", {}, {REMEMBERED: '{"main": 1}'}),
        *(
            (f"publish -r {url}", {}, {})
            for url in (
                "https://a.example\\@b.example/",
                "https://a.example/{x}",
                "https://%61.example/",
                "https://a.example:x/",
                "https://ä.example/",
                "ftp://a.example/",
            )
        ),
    ],
)
def test_what_is_not_certain_is_refused(
    look: Look, line: str, environ: Mapping[str, str], files: Mapping[str, str]
) -> None:
    """The error comes before any prompt, and says what to do."""
    with pytest.raises(Refused) as caught:
        _ = look(line, environ, files).destination
    assert caught.value.hint


def test_on_macos_the_settings_are_in_the_library(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer versions respect XDG_CONFIG_HOME there too: secretly asks for one of the two."""
    monkeypatch.setattr(sys, "platform", "darwin")
    library = "home/Library/Application Support/hatch/config.toml"
    files = {library: f"{INDEX}repo = '{A}'", CONFIG: f"{INDEX}repo = '{B}'"}
    assert look("publish -u ada", {}, files).destination.url == A
    assert look("publish -u ada", {"XDG_CONFIG_HOME": "/none"}, files).destination.url == A
    with pytest.raises(Refused, match="XDG_CONFIG_HOME"):
        _ = look("publish", {"XDG_CONFIG_HOME": "{home}/.config"}, files).destination


# -- the user's name -------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "environ", "files", "username"),
    [
        ("publish", {}, {}, None),
        ("publish -u ada", {"HATCH_INDEX_USER": "bob"}, {}, "ada"),
        ("publish --user=", {"HATCH_INDEX_USER": "bob"}, {}, None),
        ("publish", {"HATCH_INDEX_USER": "bob"}, {CONFIG: f"{INDEX}user = 'eve'"}, "bob"),
        ("publish", {"HATCH_INDEX_USER": ""}, {CONFIG: f"{INDEX}user = 'eve'"}, "eve"),
        (f"publish -r {A}", {}, {CONFIG: f"{INDEX}user = 'eve'"}, None),
        (
            "publish -r corp",
            {},
            {CONFIG: f"{INDEX}user = 'eve'\n{REPOS}corp = {{url='{A}', user='ada'}}"},
            "ada",
        ),
        ("publish -r corp", {}, {CONFIG: f"{INDEX}user='eve'\n{REPOS}corp = '{A}'"}, "eve"),
        ("publish", {}, {PYPIRC: "[main]\nusername = ada\n"}, "ada"),
        (f"publish -r {A}", {}, {PYPIRC: f"[x]\nrepository = {A}\nusername = ada\n"}, "ada"),
        (f"publish -r {A}", {}, {PYPIRC: f"[{A}]\nusername = ada\n"}, "ada"),
        ("publish -u ada", {}, {PYPIRC: "[main\n"}, "ada"),
        ("publish", {}, {REMEMBERED: '{"main": "ada"}'}, "ada"),
        ("publish", {}, {PYPIRC: "[main]\nusername =\n", REMEMBERED: '{"main": "ada"}'}, "ada"),
        (
            "--cache-dir $HERE/c publish",
            {"HERE": "{home}"},
            {"home/c/publish/index/previous_working_users.json": '{"main": "ada"}'},
            "ada",
        ),
        (f"publish -r {A.replace('//', '//ada@')}", {}, {}, None),
    ],
)
def test_the_users_name_is_the_one_that_hatch_would_send(
    look: Look,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    username: str | None,
) -> None:
    """hatch takes it from an option, a variable, its settings, .pypirc, or its last answer."""
    assert look(line, environ, files).destination.username == username


@pytest.mark.parametrize(
    ("path", "username"), [("upload.x", "__token__"), ("upload.x", "ada"), ("x", "ada")]
)
def test_a_pypirc_may_have_hatchs_own_url(look: Look, path: str, username: str) -> None:
    """Only hatch knows the URL of its default index, so a section may be for that one."""
    files = {PYPIRC: f"[pypi]\nrepository = https://{path}.example/\nusername = {username}\n"}
    if path == "x":
        assert look("publish", {}, files).destination.username is None
    elif username == "__token__":
        assert look("publish", {}, files).destination.username == username
    else:
        with pytest.raises(Refused, match="pypirc"):
            _ = look("publish", {}, files).destination


# -- the other answers -----------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("publish", ""),
        ("publish -a x", "--auth"),
        ("publish -a=", "--auth"),
        ("publish --auth=", ""),
    ],
)
def test_a_typed_password_is_the_secret(look: Look, line: str, given: str) -> None:
    """An empty one counts as none."""
    assert look(line).given_by == given


@pytest.mark.parametrize("line", ["publish --help", "publish -nh", "--version publish"])
def test_a_call_for_help_uploads_nothing(look: Look, line: str) -> None:
    """Nothing is asked for it."""
    assert "uploads nothing" in look(line).why_needs_none
    assert not look("publish").why_needs_none


@pytest.mark.parametrize("line", ["-e publish", "-e publish build", "--config publish clean x"])
def test_the_value_of_an_option_is_not_a_subcommand(look: Look, line: str) -> None:
    """Nothing is asked, and no other subcommand gets the token."""
    assert look(line).why_needs_none == "the subcommand of hatch is not publish"


def test_the_users_own_certificates_are_shown(look: Look) -> None:
    """Those of a variable are shown for each tool, and not twice."""
    files = {CONFIG: f"{INDEX}ca-cert='c'\nclient-cert='d'\n{REPOS}corp='{A}'", "project/x": ""}
    call = look("publish -r corp", {}, files)._call
    assert call.network().settings == ("your own certificates", "a client certificate")
    for line, environ in (("publish --ca-cert c", {}), ("publish", {"HATCH_INDEX_CA_CERT": "c"})):
        found = look(line, environ, {CONFIG: ""})._call.network().settings
        assert found == (("your own certificates",) if "--ca-cert" in line else ())


# -- the pin ---------------------------------------------------------------------


def test_an_upload_to_the_default_index_is_pinned(look: Look) -> None:
    """An empty file replaces the user's settings, and the arguments stay as they are."""
    upload = look("publish -n dist")
    upload.make_empty()
    pin = upload.pin
    assert pin.arguments == ("publish", "-n", "dist")
    assert pin.environ["HATCH_INDEX_REPO"] == "main"
    assert Path(pin.environ["HATCH_CONFIG"]).read_bytes() == b""
    assert pin.removes == ("HATCH_DEBUG",)


def test_the_users_name_survives_the_pin(look: Look) -> None:
    """The pin switches off the settings that have it, also if the password is typed."""
    pin = look("publish -a canary-1", {}, {CONFIG: f"{INDEX}user = 'ada'"}).pin
    assert pin.environ["HATCH_INDEX_USER"] == "ada"
    assert "HATCH_INDEX_USER" not in look("publish", {}, {CONFIG: ""}).pin.environ


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        (f"publish -r {A} x", "publish x"),
        (f"-v --config h publish -nr{A} --user= --auth= x y", "--verbose publish --no-prompt x y"),
        (f"publish -u ada -r {A} -- -x", "publish --user=ada -- -x"),
        (f"--config h --env x publish x -r {A}", "--env=x publish x"),
    ],
)
def test_typed_words_that_clash_with_the_pin_go(look: Look, line: str, arguments: str) -> None:
    """A typed index, and a typed but empty name, would take precedence over the variables."""
    pin = look(line, {}, {"project/h": ""}).pin
    assert pin.arguments == tuple(arguments.split())
    assert pin.environ["HATCH_INDEX_REPO"] == A


def test_certificates_of_the_settings_are_passed_on(look: Look) -> None:
    """The pin switches off the settings that name them."""
    own = f"{INDEX}ca-cert='c'\nclient-key='k'\n{REPOS}corp = {{url='{A}', client-cert='d'}}"
    pin = look("publish -r corp", {}, {CONFIG: own}).pin
    assert {name[12:]: value for name, value in pin.environ.items() if "C" in name[12:]} == {
        "CA_CERT": "c",
        "CLIENT_CERT": "d",
        "CLIENT_KEY": "k",
    }
    pin = look("publish -r corp --ca-cert t", {}, {CONFIG: own}).pin
    assert "HATCH_INDEX_CA_CERT" not in pin.environ


def test_an_upload_that_the_settings_disable_is_refused(look: Look) -> None:
    """The pin would switch off the settings that have hatch ask."""
    files = {CONFIG: f"{INDEX}disable = true"}
    with pytest.raises(Refused, match="disables"):
        _ = look("publish", {}, files).pin
    assert look("publish --yes", {}, files).pin
    assert look("publish", {}, {PROJECT: "[tool.hatch.publish.index]\ndisable = false"}).pin


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("HATCH_INDEX_REPO", True),
        ("HATCH_INDEX_USER", True),
        ("HATCH_PYTHON", True),
        ("HATCH_CONFIG", False),
        ("HATCH_INDEX_CA_CERT", False),
        ("HATCH_PUBLISHER", False),
        ("HATCH_DEBUG", False),
        ("HATCH_NEW", False),
        ("SSL_CERT_FILE", False),
    ],
)
def test_an_env_file_may_only_name_the_destination(look: Look, name: str, fine: bool) -> None:
    """All of hatch's variables that are not known to be harmless are refused there."""
    upload = look("publish", {name: ""})
    upload._call.origins = {name: "an env file"}
    if fine:
        assert upload.destination.builtin
    else:
        with pytest.raises(Refused, match=name):
            _ = upload.destination


HOSTILE = {
    PROJECT: f"[tool.hatch.publish.index]\nrepo = '{B}'\nrepos.main = '{B}'",
    CONFIG: f"{INDEX}repo = '{B}'\nuser = 'eve'\n{REPOS}corp = '{B}'\n'{A}' = '{B}'\n",
    PYPIRC: "[main]\nusername = eve\npassword = canary-eve\n",
    REMEMBERED: '{"main": "eve"}',
}


@given(generated.cases())
@fewer([HealthCheck.filter_too_much])
def test_a_pinned_call_goes_where_it_was_shown(known: Configuration, case: Case) -> None:
    """Whatever settings change meanwhile: the project's, and for hatch even the user's own."""
    assert_goes_where_shown("hatch", known, case, HOSTILE)


def test_hatch_looks_for_its_project_as_it_does_for_setup_py(look: Look) -> None:
    """The files are relative to the project's folder, which has one of two files."""
    name, text = distribution("demo", "1.0", wheel=True)
    files = {"project/sub/deep/x": "", "project/sub/setup.py": "", f"project/sub/dist/{name}": text}
    upload = look("publish", {}, {**files, PROJECT: ""})
    with pytest.raises(Refused, match="dist"):
        _ = upload.release
    case = Case(("publish",), {}, {}, "project/sub/deep")
    root = Path.cwd().parent
    upload = agreed.upload("hatch", case, root, agreed.configuration())
    assert [file.path for file in upload.release.files] == [f"dist/{name}"]


# -- the real tool ---------------------------------------------------------------

REAL: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    (f"publish -n --user= --repo={A}", {}, {}, "__token__"),
    ("publish -n", {"HATCH_INDEX_REPO": A}, {}, "__token__"),
    ("publish -r corp", {}, {CONFIG: f"{INDEX}user = 'ada'\n{REPOS}corp = '{A}'"}, "ada"),
    ("publish -r corp -u ada", {}, {CONFIG: f"{REPOS}corp = '{A}'"}, "ada"),
]


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize(("line", "environ", "files", "username"), REAL, ids=[r[0] for r in REAL])
def test_the_real_hatch_uploads_a_pinned_call_where_it_was_shown(
    tmp_path: Path,
    known: Configuration,
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    environ: dict[str, str],
    files: dict[str, str],
    username: str,
) -> None:
    """The secret goes to that index alone, with that user name, whatever settings change."""
    path = tool("hatch")
    monkeypatch.chdir(tmp_path)
    name, wheel = distribution("demo", "1.0", wheel=True)
    files = {PROJECT: NAMED, **files, f"project/dist/{name}": wheel}
    case = Case(tuple(line.split()), environ, files)
    places = tmp_path, known, servers
    assert assert_really_goes_where_shown(path, case, HOSTILE, places) == [(username, name)]
