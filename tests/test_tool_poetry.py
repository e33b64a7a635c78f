"""Test the adapter of poetry: what poetry would do with a call, and how secretly pins it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from agreement import poetry as generated
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

from secretly.asking import upload_wording
from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.publishing.destination import Destination

__all__ = ["known_fixture", "servers_fixture"]

A, B = MEANT, OTHER
CONFIG, AUTH = "home/.config/pypoetry/config.toml", "home/.config/pypoetry/auth.toml"
OWN, PROJECT = "project/poetry.toml", "project/pyproject.toml"
NAMED = '[tool.poetry]\nname = "demo"\nversion = "1.0"\ndescription = ""\nauthors = []\n'
SOURCE = f"{NAMED}[[tool.poetry.source]]\nname = 'corp'\nurl = '{{}}'\n"
CORP_A, CORP_B = f"repositories.corp.url = '{A}'\n", f"repositories.corp.url = '{B}'\n"
URL = "POETRY_REPOSITORIES_CORP_URL"


@pytest.fixture(name="look")
def _look(tmp_path: Path, known: Configuration, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Return a function that lays out files, and looks at a call of poetry."""
    monkeypatch.chdir(tmp_path)
    return looker("poetry", tmp_path, known, {PROJECT: NAMED})


# -- the command line ------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("publish", "pypi"),
        ("publish -r corp", "corp"),
        ("publish -rcorp", "corp"),
        ("publish --repository corp", "corp"),
        ("publish --repository=corp", "corp"),
        ("publish -r x --repository corp", "corp"),
        ("--repository=corp publish", "corp"),
        ("-rcorp publish", "corp"),
        ("publish --repository=", "pypi"),
        ("publish -r corp --username= --skip-existing", "corp"),
        ("-n -vvv publish -r corp --ansi --no-plugins -q --no-cache", "corp"),
        ("-C . publish -r corp", "corp"),
        ("publish --directory=. -r corp -P .", "corp"),
        ("-C. publish -r corp", "corp"),
        ("publish --cert x --client-cert=y --dist-dir d -r corp --build", "corp"),
    ],
)
def test_the_command_line_is_read_as_cleo_does(look: Look, line: str, name: str) -> None:
    """An empty value swallows no word."""
    assert look(line, {}, {CONFIG: CORP_A}).destination.repository == name


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("publish -- -r corp", "--"),
        ("-- publish", "--"),
        ("publish --repo corp", "--repo"),
        ("publish --dir .", "--dir"),
        ("publish --d .", "--d"),
        ("publish -x", "-x"),
        ("publish -nq", "-nq"),
        ("publish -nr corp", "-nr"),
        ("-r corp publish", "-r"),
        ("--repository corp publish", "--repository"),
        ("publish -C=.", "-C=."),
        ("publish --directory=", "--directory="),
        ("publish --build=1", "--build=1"),
        ("publish -u -n", "-u"),
        ("publish -u", "-u"),
        ("publish dist/x.whl", "dist/x.whl"),
        ("publish --dist-dir=", "--dist-dir="),
        ("publish -p canary-1", "--password"),
        (f"publish -r {A}", "URL"),
        ("publish -r corp.example", "corp.example"),
        ("publish -r=corp", "=corp"),
        ("publish -r none", "none"),
        ("publish -r pypi", "pypi"),
    ],
)
def test_what_poetry_refuses_or_versions_read_differently_is_refused(
    look: Look, line: str, named: str
) -> None:
    """The error names the word, and says what to write instead."""
    with pytest.raises(Refused) as caught:
        _ = look(line).destination
    assert named in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.hint


# -- the destination -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("repositories = 1", "repositories"),
        ("repositories.corp = 1", "repositories.corp"),
        ("certificates = 1", "certificates"),
    ],
)
def test_a_setting_that_must_be_a_table_is_named(look: Look, text: str, key: str) -> None:
    """The error has the key and the file."""
    with pytest.raises(Refused, match=rf"^{key} in .*/poetry\.toml is not a table"):
        _ = look("publish -r corp", {}, {OWN: text}).destination


@pytest.mark.parametrize(
    ("line", "environ", "files", "destination"),
    [
        ("publish", {"POETRY_REPOSITORIES_PYPI_URL": A}, {}, ("pypi", "PyPI", "")),
        ("publish", {}, {OWN: f"repositories.pypi.url = '{A}'"}, ("pypi", "PyPI", "")),
        ("publish -r pypi", {"POETRY_REPOSITORIES_PYPI_URL": A}, {}, ("pypi", "a.example", A)),
        ("publish -r corp", {URL: A}, {CONFIG: CORP_B, OWN: CORP_B}, ("corp", "corp", A)),
        ("publish -r corp", {}, {CONFIG: CORP_B, OWN: CORP_A}, ("corp", "corp", A)),
        ("publish -r corp", {}, {CONFIG: CORP_B, AUTH: CORP_A}, ("corp", "corp", A)),
        ("publish -r corp", {}, {PROJECT: SOURCE.format(A)}, ("corp", "corp", A)),
        (
            "publish -r corp",
            {},
            {PROJECT: SOURCE.format(B), CONFIG: CORP_A},
            ("corp", "corp", A),
        ),
        (  # poetry then knows the repositories of variables alone, and merges the source
            "publish -r corp",
            {"POETRY_REPOSITORIES_OTHER_URL": B},
            {PROJECT: SOURCE.format(A), CONFIG: CORP_B},
            ("corp", "corp", A),
        ),
        ("publish -r Corp", {URL: A}, {}, ("Corp", "Corp", A)),
        ("publish -r my_own", {"POETRY_REPOSITORIES_MY_OWN_URL": A}, {}, ("my_own", "my_own", A)),
        (
            "publish -r corp",
            {URL: "https://a.example/legacy"},
            {},
            ("corp", "corp", "https://a.example/legacy/"),
        ),
        (
            "publish -r corp",
            {URL: "https://ada@a.example/"},
            {},
            ("corp", "corp", "https://a.example/"),
        ),
        (
            "publish -r corp",
            {"POETRY_CONFIG_DIR": "{home}/c"},
            {"home/c/config.toml": CORP_A, CONFIG: CORP_B},
            ("corp", "corp", A),
        ),
        ("-C sub publish -r corp", {}, {"project/sub/x": "", OWN: CORP_A}, ("corp", "corp", A)),
        (
            "publish -P sub -r corp",
            {},
            {"project/sub/pyproject.toml": NAMED, "project/sub/poetry.toml": CORP_A, OWN: CORP_B},
            ("corp", "corp", A),
        ),
        (
            "publish -r testpypi",
            {},
            {CONFIG: "repositories.testpypi.url = 'https://test.x.example/'"},
            ("testpypi", "TestPyPI", "https://test.x.example/"),
        ),
        (
            "publish -r testpypi",
            {},
            {OWN: "repositories.testpypi.url = 'https://test.x.example/'"},
            ("testpypi", "test.x.example", "https://test.x.example/"),
        ),
    ],
)
def test_the_index_is_the_one_that_poetry_finds(
    look: Look,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    destination: tuple[str, str, str],
) -> None:
    """A variable, then the project's poetry.toml, then the user's files, then the sources."""
    assert look(line, environ, files).destination == Destination(*destination)


def test_the_settings_of_a_folder_above_the_project_do_not_count(look: Look) -> None:
    """poetry reads settings in the project's own folder, also from a folder below that."""
    files = {OWN: CORP_B, "project/sub/pyproject.toml": NAMED, "project/sub/deep/x": ""}
    with pytest.raises(Refused, match="knows no"):
        _ = look("-C sub publish -r corp", {}, files).destination
    files["project/sub/poetry.toml"] = CORP_A
    assert look("-C sub/deep publish -r corp", {}, files).destination.url == A


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({URL: ""}, {}),
        ({URL: "{repositories.q.url}"}, {OWN: f"repositories.q.url = '{A}'"}),
        ({}, {OWN: "repositories.corp.url = 'https://{x}.example/'"}),
        ({}, {OWN: "repositories.corp.url = 1"}),
        ({}, {OWN: "repositories.corp = 1"}),
        ({}, {OWN: "repositories = 1"}),
        ({URL: "https://a.example\\@b.example/"}, {}),
        ({URL: A}, {OWN: "certificates.corp.cert = false"}),
        ({URL: A}, {OWN: "certificates.Corp.cert = 'x'"}),
        (
            {URL: A},
            {OWN: "certificates.corp.cert = true", CONFIG: "certificates.Corp.cert = 'own.pem'"},
        ),
        ({URL: A}, {OWN: "new-setting = 1"}),
        ({}, {OWN: f"{CORP_A}repositories.corp.proxy = 'x'"}),
        ({}, {CONFIG: "repositories.corp.url = 'https://ada:canary-1@a.example/'"}),
        ({URL: A}, {PROJECT: NAMED + "[project]\nname = 'other'\n"}),
        ({URL: A, "XDG_CONFIG_HOME": "here"}, {}),
    ],
)
def test_what_is_not_certain_is_refused(
    look: Look, environ: Mapping[str, str], files: Mapping[str, str]
) -> None:
    """The error comes before any prompt, and says what to do."""
    with pytest.raises(Refused) as caught:
        _ = look("publish -r corp", environ, files).destination
    assert caught.value.hint
    assert "canary" not in f"{caught.value}{caught.value.hint}"


def test_a_relative_folder_of_settings_is_refused_with_another_folder(look: Look) -> None:
    """Some versions look below the working folder, others below the one that is named."""
    files = {"project/c/config.toml": CORP_A}
    environ = {"POETRY_CONFIG_DIR": "c"}
    assert look("publish -r corp", environ, files).destination.url == A
    with pytest.raises(Refused, match="POETRY_CONFIG_DIR"):
        _ = look("-C . publish -r corp", environ, files).destination


def test_a_project_may_ask_for_the_usual_certificates(look: Look) -> None:
    """As long as the user's own settings name no others."""
    files = {OWN: "certificates.corp.cert = true", CONFIG: "certificates.other.cert = 'own.pem'"}
    assert look("publish -r corp", {URL: A}, files).destination.url == A


def test_the_settings_of_real_projects_pass(look: Look) -> None:
    """Certificates for another repository, and how poetry installs, are not about the upload."""
    text = """
        virtualenvs.in-project = true
        installer.max-workers = 4
        cache-dir = "{data-dir}/x"
        keyring.enabled = false
        certificates.corp.cert = "/etc/ssl/corp.pem"
        repositories.corp.url = "https://corp.example/"
        http-basic.corp.username = "ada"
    """
    project = (
        SOURCE.format(A)
        + "[tool.poetry.requires-plugins]\nx = '*'\n[tool.poetry.scripts]\nx = 'x:x'\n"
    )
    assert look("publish", {}, {OWN: text, PROJECT: project}).destination.builtin


# -- credentials -----------------------------------------------------------------

BASIC = "http-basic.corp.username = 'ada'\n"


@pytest.mark.parametrize(
    ("line", "environ", "files", "username"),
    [
        ("publish", {}, {}, None),
        ("publish", {"POETRY_HTTP_BASIC_PYPI_USERNAME": "ada"}, {}, "ada"),
        ("publish", {"POETRY_PYPI_TOKEN_PYPI": "canary-1"}, {}, "__token__"),
        ("publish -r corp", {URL: A}, {}, None),
        ("publish -r corp -u bob -p canary-1", {URL: A}, {CONFIG: BASIC}, "bob"),
        ("publish -r corp -u bob", {URL: A}, {CONFIG: BASIC}, "ada"),
        ("publish -r corp -u bob --password=", {URL: A}, {}, None),
        (  # an empty password counts where poetry looks for no other
            "publish -r corp -u bob --password=",
            {"POETRY_REPOSITORIES_OTHER_URL": B},
            {CONFIG: CORP_A},
            "bob",
        ),
        ("publish -r corp", {}, {CONFIG: CORP_A + BASIC}, "ada"),
        ("publish -r corp", {}, {OWN: CORP_A, AUTH: BASIC}, "ada"),
        ("publish -r corp", {URL: A, "POETRY_HTTP_BASIC_CORP_USERNAME": "bob"}, {}, "bob"),
        ("publish -r corp", {URL: A}, {CONFIG: BASIC + "pypi-token.corp = 'x'"}, "__token__"),
        (
            "publish -r corp",
            {URL: A, "POETRY_PYPI_TOKEN_CORP": ""},
            {CONFIG: BASIC + "pypi-token.corp = 'x'"},
            "ada",
        ),
        (  # poetry looks for credentials of the repositories of variables alone
            "publish -r corp",
            {"POETRY_REPOSITORIES_OTHER_URL": B},
            {CONFIG: CORP_A + BASIC},
            None,
        ),
        ("publish -r corp", {URL: "https://ada@a.example/"}, {}, None),
        ("publish -r corp", {URL: "https://a%64a:@a.example/"}, {}, "ada"),
        ("publish -r corp", {URL: "https://ada:x@a.example/"}, {}, "ada"),
        ("publish -r corp", {URL: "https://bob:x@a.example/"}, {CONFIG: BASIC}, "ada"),
    ],
)
def test_the_users_name_is_the_one_that_poetry_would_send(
    look: Look,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    username: str | None,
) -> None:
    """poetry takes a typed name only with a password, and a token before a name."""
    assert look(line, environ, files).destination.username == username


@pytest.mark.parametrize(
    ("line", "environ", "given"),
    [
        ("publish", {}, ""),
        ("publish -u ada", {}, ""),
        ("publish -u ada -p canary-1", {}, "--password"),
        ("publish -u ada --password=", {}, ""),
        ("publish -r corp", {URL: "https://ada:canary-1@a.example/"}, URL),
        (
            "publish -r corp",
            {URL: "https://ada:canary-1@a.example/", "POETRY_PYPI_TOKEN_CORP": "x"},
            "",
        ),
    ],
)
def test_a_password_in_the_call_is_the_secret(
    look: Look, line: str, environ: Mapping[str, str], given: str
) -> None:
    """It counts with a name, or in a URL that the user's variable holds."""
    upload = look(line, environ)
    assert upload.given_by == given
    assert "canary" not in f"{upload.destination}{upload.pin.environ}"


@pytest.mark.parametrize(
    ("name", "password", "username"),
    [
        ("corp", "POETRY_HTTP_BASIC_CORP_PASSWORD", "POETRY_HTTP_BASIC_CORP_USERNAME"),
        ("my-corp", "POETRY_HTTP_BASIC_MY_CORP_PASSWORD", "POETRY_HTTP_BASIC_MY_CORP_USERNAME"),
        ("corp2", "POETRY_PYPI_TOKEN_CORP2", "POETRY_HTTP_BASIC_CORP2_USERNAME"),
        ("my_corp", "POETRY_PYPI_TOKEN_MY_CORP", "POETRY_HTTP_BASIC_MY_CORP_USERNAME"),
        ("Corp", "POETRY_PYPI_TOKEN_CORP", "POETRY_HTTP_BASIC_CORP_USERNAME"),
    ],
)
def test_the_variables_are_those_that_poetry_reads_for_the_index(
    look: Look, name: str, password: str, username: str
) -> None:
    """poetry reads the name and password of variables for small letters and hyphens only."""
    files = {CONFIG: f"repositories.{name}.url = '{A}'\nhttp-basic.{name}.username = '__token__'"}
    upload = look(f"publish -r {name}", {}, files)
    found = [
        upload.variable(f"POETRY_HTTP_BASIC_{{REPOSITORY}}_{w}") for w in ("PASSWORD", "USERNAME")
    ]
    assert found == [password, username]
    assert upload.variable("POETRY_KEYRING_ENABLED") == "POETRY_KEYRING_ENABLED"


@pytest.mark.parametrize(
    ("name", "environ"),
    [("my_corp", {}), ("Corp", {}), ("corp2", {"POETRY_REPOSITORIES_X_URL": B})],
)
def test_a_user_that_no_variable_can_name_is_refused(
    look: Look, name: str, environ: Mapping[str, str]
) -> None:
    """A name that poetry would not read leads to an upload without credentials."""
    files = {CONFIG: f"repositories.{name}.url = '{A}'\nhttp-basic.{name}.username = 'ada'"}
    kept = {**environ, f"POETRY_REPOSITORIES_{name.upper()}_URL": A}
    for variables in (environ, kept):
        upload = look(f"publish -r {name}", variables, files)
        try:
            assert upload.destination.username is None  # poetry doesn't know the repository
        except Refused as error:
            assert name in str(error)
    assert look(f"publish -r {name} -u ada -p x", {}, files).destination.username == "ada"


def test_a_repository_that_only_settings_make_known_keeps_them(look: Look) -> None:
    """poetry reads the name and password of variables for repositories of files, too."""
    files = {CONFIG: f"repositories.corp2.url = '{A}'\nhttp-basic.corp2.username = 'ada'"}
    upload = look("publish -r corp2", {}, files)
    assert upload.destination.username == "ada"
    assert upload.variable("POETRY_HTTP_BASIC_{REPOSITORY}_PASSWORD") == (
        "POETRY_HTTP_BASIC_CORP2_PASSWORD"
    )
    assert upload.pin.environ == {
        "POETRY_REPOSITORIES_CORP2_URL": A,
        "POETRY_HTTP_BASIC_CORP2_USERNAME": "ada",
    }


# -- the other answers -----------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["publish --dry-run", "--dry-run publish", "publish -h", "-V publish"]
)
def test_some_calls_upload_nothing(look: Look, line: str) -> None:
    """Nothing is asked for them."""
    assert "uploads nothing" in look(line).why_needs_none
    assert not look("publish").why_needs_none


def test_the_projects_plugins_are_code_that_sees_the_token(look: Look) -> None:
    """poetry 2 loads them; secretly never switches them off itself."""
    files = {"project/.poetry/plugins/x.py": ""}
    assert not look("publish")._call.code()
    plugins = upload_wording.project_plugins(".poetry/plugins")
    assert look("publish", {}, files)._call.code() == (plugins,)
    assert not look("publish --no-plugins", {}, files)._call.code()
    assert "--no-plugins" not in look("publish", {}, files).pin.arguments


@pytest.mark.parametrize(
    ("line", "environ", "own", "settings", "unverified"),
    [
        ("publish -r corp", {}, "", (), ""),
        ("publish -r corp --cert c", {}, "", ("your own certificates",), ""),
        ("publish -r corp", {}, "cert = 'c'", ("your own certificates",), ""),
        ("publish -r corp", {}, "client-cert = 'c'", ("a client certificate",), ""),
        ("publish -r corp", {}, "cert = false", (), "certificates.corp"),
        ("publish -r corp --cert c", {}, "cert = false", ("your own certificates",), ""),
        ("publish -r corp", {"REQUESTS_CA_BUNDLE": "c"}, "cert = false", (), ""),
        ("publish", {}, "cert = false", (), ""),
    ],
)
def test_the_users_own_certificates_are_shown(
    look: Look,
    line: str,
    environ: Mapping[str, str],
    own: str,
    settings: tuple[str, ...],
    unverified: str,
) -> None:
    """Certificates that are switched off are told apart: secretly refuses them elsewhere."""
    text = f"{CORP_A}[certificates.corp]\n{own}\n[certificates.pypi]\n{own}"
    found = look(line, environ, {CONFIG: text})._call.network()
    assert found.settings == settings
    assert found.unverified.partition(" ")[0] == unverified


# -- the pin ---------------------------------------------------------------------


def test_a_repository_is_pinned_by_its_variable(look: Look) -> None:
    """An empty folder replaces that of the user's settings; the arguments stay as they are."""
    upload = look("publish -n -r corp", {}, {CONFIG: CORP_A})
    upload.make_empty()
    pin = upload.pin
    assert pin.arguments == ("publish", "-n", "-r", "corp")
    assert pin.environ[URL] == A
    assert os.listdir(pin.environ["POETRY_CONFIG_DIR"]) == []
    assert URL not in look("publish").pin.environ


def test_the_users_name_survives_the_pin(look: Look) -> None:
    """The pin switches off the settings that have it, also if your own variable has the secret."""
    environ = {"POETRY_HTTP_BASIC_CORP_PASSWORD": "canary-1"}
    pin = look("publish -r corp", environ, {CONFIG: CORP_A + BASIC}).pin
    assert pin.environ["POETRY_HTTP_BASIC_CORP_USERNAME"] == "ada"


def test_certificates_of_the_settings_are_passed_on(look: Look) -> None:
    """The pin switches off the settings that name them."""
    text = f"{CORP_A}certificates.corp.cert = 'c'\ncertificates.corp.client-cert = 'd'"
    pin = look("publish -r corp", {}, {CONFIG: text}).pin
    assert pin.arguments == ("publish", "-r", "corp", "--cert=c", "--client-cert=d")
    pin = look("publish -r corp --cert x", {}, {CONFIG: text}).pin
    assert pin.arguments[-3:] == ("--cert", "x", "--client-cert=d")


@pytest.mark.parametrize(
    ("line", "own"),
    [("publish --build", ""), ("publish -r corp", "certificates.corp.cert = false")],
)
def test_settings_that_are_needed_stay(look: Look, line: str, own: str) -> None:
    """A build may need repositories; certificates can be switched off in a file only."""
    pin = look(line, {}, {CONFIG: CORP_A + own}).pin
    assert "POETRY_CONFIG_DIR" not in pin.environ


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        (URL, True),
        ("POETRY_PYPI_TOKEN_CORP", True),
        ("POETRY_HTTP_BASIC_CORP_USERNAME", True),
        ("POETRY_VIRTUALENVS_CREATE", True),
        ("POETRY_CONFIG_DIR", False),
        ("POETRY_CERTIFICATES_CORP_CERT", False),
        ("POETRY_NEW", False),
        ("REQUESTS_CA_BUNDLE", False),
    ],
)
def test_an_env_file_may_only_name_the_destination(look: Look, name: str, fine: bool) -> None:
    """All of poetry's variables that are not known to be harmless are refused there."""
    upload = look("publish", {name: ""})
    upload._call.origins = {name: "an env file"}
    if fine:
        assert upload.destination.builtin
    else:
        with pytest.raises(Refused, match=name):
            _ = upload.destination


HOSTILE = {
    OWN: "".join(
        f"repositories.{name}.url = '{B}'\nhttp-basic.{name}.username = 'eve'\n"
        f"pypi-token.{name} = 'canary-eve'\n"
        for name in ("corp", "pypi", "testpypi", "my-corp", "corp2")
    ),
    PROJECT: SOURCE.format(B),
}


@given(generated.cases())
@fewer([HealthCheck.filter_too_much])
def test_a_pinned_call_goes_where_it_was_shown(known: Configuration, case: Case) -> None:
    """Whatever the project's settings are meanwhile."""
    assert_goes_where_shown("poetry", known, case, HOSTILE)


# -- the files -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "versions", "chosen"),
    [
        ("1.1", ("1.0", "1.1"), "1.1"),
        ("1.0", ("1.0", "1.1"), None),  # until 2.0 poetry uploads 1.0, later ones 1.1
        ("2.0", ("1.0", "1.1"), None),
        ("2.0", ("1.1",), "1.1"),
        ("1.0", ("1.0", "1.0.0"), None),
        ("1.0-rc1", ("1.0rc1", "0.9"), "1.0rc1"),
    ],
)
def test_the_versions_of_poetry_must_agree_about_the_files(
    look: Look, own: str, versions: tuple[str, ...], chosen: str | None
) -> None:
    """Some upload the project's version, others the newest in the folder."""
    made = dict(distribution("demo", version, wheel=True) for version in versions)
    files = {f"project/dist/{name}": text for name, text in made.items()}
    upload = look("publish", {}, {**files, PROJECT: NAMED.replace("1.0", own)})
    if chosen:
        (file,) = upload.release.files
        assert f"-{chosen}-" in file.path
    else:
        with pytest.raises(Refused, match="versions"):
            _ = upload.release


# -- the real tool ---------------------------------------------------------------

REAL: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    ("publish -n -r corp", {URL: A}, {}, "__token__"),
    ("publish -n -r corp", {}, {CONFIG: CORP_A + BASIC}, "ada"),
    ("publish -n -r corp", {}, {OWN: CORP_A, AUTH: BASIC}, "ada"),
    ("publish -n --username= -r corp", {}, {PROJECT: SOURCE.format(A)}, "__token__"),
    (
        "publish -n -r corp2",
        {},
        {CONFIG: f"repositories.corp2.url = '{A}'\npypi-token.corp2 = 'canary-kept'"},
        "__token__",
    ),
    (
        "publish -n -r corp3",
        {},
        {CONFIG: f"repositories.corp3.url = '{A}'\nhttp-basic.corp3.username = 'ada'"},
        "ada",
    ),
]


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize(("line", "environ", "files", "username"), REAL, ids=[r[0] for r in REAL])
def test_the_real_poetry_uploads_a_pinned_call_where_it_was_shown(
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
    path = tool("poetry")
    monkeypatch.chdir(tmp_path)
    name, wheel = distribution("demo", "1.0", wheel=True)
    files = {PROJECT: NAMED, **files, f"project/dist/{name}": wheel}
    case = Case(tuple(line.split()), environ, files)
    places = tmp_path, known, servers
    assert assert_really_goes_where_shown(path, case, HOSTILE, places) == [(username, name)]


@pytest.mark.parametrize(
    ("name", "secret", "username", "why"),
    [
        ("corp", "canary-1", "ada", ""),
        ("corp", "canary-{repositories}", "ada", "braces"),
        ("corp", "canary-1", "{ada}", "braces"),
        ("corp2", "canary-1", "__token__", ""),
        ("corp2", "canary-1", "ada", "no user name"),
    ],
)
def test_a_secret_that_poetry_would_read_otherwise_is_refused(
    look: Look, name: str, secret: str, username: str, why: str
) -> None:
    """poetry replaces what is in braces, and takes a user name for some repositories only."""
    found = look(f"publish -r {name}", {}, {CONFIG: f"repositories.{name}.url = '{A}'\n"})
    if not why:
        found.check_secret(secret, username)
        return
    with pytest.raises(Refused, match=why) as caught:
        found.check_secret(secret, username)
    assert "canary" not in str(caught.value)
    assert caught.value.hint
