"""How secretly reads a call of uv: its index, its user name, and how it is held to them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import fewer
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from toolcalls import known_fixture

from secretly.config.command_line import recognize
from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.publishing.destination import Destination
from secretly.publishing.steering import check_variables
from secretly.publishing.tool import Network
from secretly.publishing.tools.uv import Uv

__all__ = ["known_fixture"]

URL = "https://packages.example.org:8443/upload/"
HOST = "packages.example.org:8443"
CORP = f"[[index]]\nname = 'corp'\nurl = 'https://get.example.org/simple'\npublish-url = '{URL}'\n"
TOOL_CORP = CORP.replace("[[index]]", "[[tool.uv.index]]")
OWN = "~/.config/uv/uv.toml"

MEMBERS = "[tool.uv.workspace]\nmembers = ['packages/*']\n"
ROOT = f"{MEMBERS}[tool.uv]\npublish-url = '{URL}'\n"
MEMBER = "[project]\nname = 'one'\nversion = '1'\n"
SOURCES = "[tool.uv.sources]\ntwo = { workspace = true }\n"


class Case(NamedTuple):
    """A project's folder, which is the working folder, and a home."""

    project: Path
    home: Path
    shipped: Configuration

    def call(
        self,
        line: str,
        environ: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        locations: Mapping[str, str] | None = None,
    ) -> Uv:
        """Return secretly's look at a call, with these settings files. ``~`` is the home."""
        for name, text in (files or {}).items():
            root = self.home if name.startswith("~/") else self.project
            path = root / name.removeprefix("~/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        invocation = recognize(shlex.split(line), self.shipped)
        assert invocation is not None
        return Uv(
            invocation, {"HOME": str(self.home), **(environ or {})}, locations=locations or {}
        )

    def again(self, call: Uv) -> Uv:
        """Return secretly's look at the call as it is pinned."""
        pin = call.pin()
        environ = {**call.environ, **pin.environ}
        for name in pin.removes:
            environ.pop(name, None)
        return Uv(call.invocation._replace(arguments=pin.arguments), environ)


@pytest.fixture(name="case")
def _case(tmp_path: Path, known: Configuration, monkeypatch: pytest.MonkeyPatch) -> Case:
    case = Case(tmp_path / "project", tmp_path / "home", known)
    case.project.mkdir()
    case.home.mkdir()
    monkeypatch.chdir(case.project)
    return case


# -- the index and the user name -------------------------------------------------

PYPI = Destination("pypi", "PyPI")
BY_URL = Destination("", HOST, URL)
BY_NAME = Destination("corp", "corp", URL)

#: A command line, its variables, the settings files, and the destination.
FOUND: list[tuple[str, Mapping[str, str], Mapping[str, str], Destination]] = [
    ("uv publish", {}, {}, PYPI),
    ("uv publish dist/*.whl -- -x.whl", {}, {}, PYPI),
    (f"uv publish --publish-url={URL}", {}, {}, BY_URL),
    (f"uv -q --no-config publish -v --publish-url {URL} x", {}, {}, BY_URL),
    ("uv publish -u= ", {}, {}, PYPI._replace(username="")),
    (f"uv publish -u= --publish-url={URL}", {}, {}, BY_URL._replace(username="")),
    ("uv publish -qu=ada", {}, {}, PYPI._replace(username="ada")),
    ("uv publish -vuada", {}, {}, PYPI._replace(username="ada")),
    ("uv publish", {"UV_PUBLISH_USERNAME": "ada"}, {}, PYPI._replace(username="ada")),
    ("uv publish -u bob", {"UV_PUBLISH_USERNAME": "ada"}, {}, PYPI._replace(username="bob")),
    ("uv publish", {"UV_PUBLISH_USERNAME": ""}, {}, PYPI._replace(username="")),
    ("uv publish", {"UV_PUBLISH_TOKEN": ""}, {}, PYPI),  # the plan removes it
    ("uv publish", {"UV_PUBLISH_TOKEN": "canary"}, {}, PYPI._replace(username="__token__")),
    ("uv publish", {"UV_PUBLISH_URL": URL}, {}, BY_URL),
    (
        f"uv publish --publish-url https://ada@{HOST}/upload/",
        {},
        {},
        BY_URL._replace(username="ada"),
    ),
    (
        f"uv publish -u ada --publish-url https://ada:canary-1@{HOST}/upload/",
        {},
        {},
        BY_URL._replace(username="ada"),
    ),
    (
        "uv publish",
        {"UV_PUBLISH_URL": f"https://a%40b@{HOST}/upload/"},
        {},
        BY_URL._replace(username="a%40b"),
    ),
    ("uv publish --index corp", {}, {"uv.toml": CORP}, BY_NAME),
    ("uv publish", {"UV_PUBLISH_INDEX": "corp"}, {"pyproject.toml": TOOL_CORP}, BY_NAME),
    ("uv publish --index corp", {}, {OWN: CORP}, BY_NAME),
    (
        "uv publish --index corp",
        {},
        {"pyproject.toml": TOOL_CORP, OWN: CORP.replace("upload", "own")},
        BY_NAME,
    ),
    (
        "uv publish --index corp",
        {},
        {"uv.toml": CORP.replace("https://packages", "http://VssSessionToken@packages")},
        Destination("corp", "corp", URL.replace("https:", "http:"), "VssSessionToken"),
    ),
    ("uv publish --index pypi", {}, {"uv.toml": CORP.replace("corp", "pypi")}, ("pypi", HOST, URL)),
    ("uv publish --index PyPI", {}, {"uv.toml": CORP.replace("corp", "PyPI")}, ("PyPI", HOST, URL)),
    (
        "uv publish --index testpypi",
        {},
        {"uv.toml": CORP.replace("corp", "testpypi")},
        ("testpypi", HOST, URL),
    ),
    ("uv publish", {}, {"pyproject.toml": TOOL_CORP.replace("corp", "pypi")}, PYPI),
    ("uv publish", {}, {"pyproject.toml": f"tool.uv.publish-url = '{URL}'"}, BY_URL),
    ("uv publish", {}, {"uv.toml": "", "pyproject.toml": f"tool.uv.publish-url = '{URL}'"}, PYPI),
    ("uv publish", {}, {"uv.toml": "", OWN: f"publish-url = '{URL}'"}, BY_URL),
    ("uv publish --no-config", {}, {"uv.toml": f"publish-url = '{URL}'"}, PYPI),
    ("uv --isolated publish", {}, {"uv.toml": f"publish-url = '{URL}'"}, PYPI),
    ("uv publish", {"UV_NO_CONFIG": "true"}, {"uv.toml": f"publish-url = '{URL}'"}, PYPI),
    ("uv publish", {"UV_NO_CONFIG": "0"}, {"uv.toml": f"publish-url = '{URL}'"}, BY_URL),
    (
        "uv publish --config-file c.toml",
        {"UV_NO_CONFIG": "1"},
        {"c.toml": f"publish-url = '{URL}'", "uv.toml": "publish-url = 'https://no.example/'"},
        BY_URL,
    ),
    ("uv publish", {"UV_CONFIG_FILE": "/dev/null"}, {"uv.toml": f"publish-url = '{URL}'"}, PYPI),
    (
        "uv publish",
        {"XDG_CONFIG_DIRS": "xdg", "UV_NO_SYSTEM_CONFIG": "1"},
        {"xdg/uv/uv.toml": f"publish-url = '{URL}'"},
        PYPI,
    ),
    (
        "uv --project no publish --project sub",
        {},
        {"sub/uv.toml": f"publish-url = '{URL}'"},
        BY_URL,
    ),
    (
        "uv publish --project sub/pyproject.toml",
        {},
        {"sub/pyproject.toml": f"tool.uv.publish-url = '{URL}'"},
        BY_URL,
    ),
    # A setting of the project that secretly switches off may be there.
    (
        "uv publish",
        {},
        {"uv.toml": "native-tls = true\nkeyring-provider = 'subprocess'\nrequired-version = '>=0'"},
        PYPI,
    ),
]


@pytest.mark.parametrize(("line", "environ", "files", "wanted"), FOUND)
def test_the_destination_is_the_one_that_uv_finds(
    case: Case,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    wanted: Destination,
) -> None:
    """The index, the secret that belongs to it, and the user name that uv itself would send."""
    found = case.call(line, environ, files).destination
    assert found == (wanted if isinstance(wanted, Destination) else Destination(*wanted))


@pytest.mark.parametrize(
    ("name", "secret"), [("pypi", "PyPI"), ("testpypi", "PyPI"), ("", "PyPI"), ("corp", "PyPI")]
)
def test_a_stored_token_says_which_index_it_is_for(case: Case, name: str, secret: str) -> None:
    """PyPI by its own URL is PyPI, also where a project's settings have the URL."""
    at = {"packages.example.org": "PyPI"}
    if not name:
        assert (
            case.call(f"uv publish --publish-url {URL}", locations=at).destination.secret == secret
        )
        files = {"uv.toml": f"publish-url = '{URL}'"}
        assert case.call("uv publish", {}, files, at).destination.secret == secret
        return
    files = {"uv.toml": CORP.replace("corp", name)}
    assert case.call(f"uv publish --index {name}", {}, files, at).destination.secret == secret


@pytest.mark.parametrize(
    ("root", "member", "wanted"),
    [
        (ROOT, MEMBER + SOURCES, URL),
        (ROOT, MEMBER, URL),
        (ROOT, MEMBER + "[tool.uv]\npublish-url = 'https://member.example/'\n", URL),
        (ROOT, MEMBER + SOURCES + "[tool.uv]\nmanaged = false\n", ""),
        (ROOT, SOURCES, ""),
        (ROOT.replace("members", "exclude = ['packages/on*']\nmembers"), MEMBER + SOURCES, ""),
        (ROOT.replace("packages/*", "other/*"), MEMBER + SOURCES, ""),
        (ROOT.replace("packages/*", "./pack*/*"), MEMBER + SOURCES, URL),
        (ROOT.replace("packages/*", "**/one"), MEMBER + SOURCES, URL),
        (ROOT.replace("packages/*", "packages/**/*"), MEMBER + SOURCES, URL),
        (f"[project]\nname = 'two'\n[tool.uv]\npublish-url = '{URL}'", MEMBER + SOURCES, ""),
    ],
)
def test_a_member_of_a_workspace_uploads_where_its_root_says(
    case: Case, root: str, member: str, wanted: str
) -> None:
    """The root's settings hide those of its members, and of nothing else."""
    files = {"pyproject.toml": root, "packages/one/pyproject.toml": member}
    found = case.call("uv publish --directory packages/one", {}, files).destination
    assert found.url == wanted


# -- what is refused ---------------------------------------------------------------

REFUSED: list[tuple[str, Mapping[str, str], Mapping[str, str], str]] = [
    ("uv publish --publish", {}, {}, "--publish"),
    ("uv publish --publish-ur x", {}, {}, "--publish-ur"),
    ("uv publish --newest", {}, {}, "--newest"),
    ("uv publish -z", {}, {}, "-z"),
    ("uv --index corp publish", {}, {}, "--index"),
    ("uv -- publish", {}, {}, "--"),
    ("uv publish --dry-run=true", {}, {}, "takes no value: --dry-run"),
    ("uv publish --index", {}, {}, "--index"),
    ("uv publish -u -x", {}, {}, "-u"),
    ("uv publish --index=a --index=b", {}, {}, "--index"),
    ("uv publish -ua -ub", {}, {}, "--username"),
    ("uv publish --project a --project b", {}, {}, "--project"),
    ("uv publish --index=", {}, {}, "''"),
    ("uv publish --index missing", {}, {"uv.toml": CORP}, "missing"),
    ("uv publish --index Corp", {}, {"uv.toml": CORP}, "Corp"),
    ("uv publish", {"UV_PUBLISH_INDEX": ""}, {}, "UV_PUBLISH_INDEX"),
    (f"uv publish --index corp --publish-url {URL}", {}, {"uv.toml": CORP}, "--publish-url"),
    ("uv publish --index corp", {"UV_PUBLISH_URL": URL}, {"uv.toml": CORP}, "UV_PUBLISH_URL"),
    (f"uv publish --publish-url {URL}", {"UV_PUBLISH_INDEX": ""}, {}, "UV_PUBLISH_INDEX"),
    ("uv publish --index corp --check-url x", {}, {"uv.toml": CORP}, "--check-url"),
    ("uv publish --index corp", {}, {"uv.toml": CORP[: CORP.index("publish-url")]}, "publish-url"),
    ("uv publish --publish-url=", {}, {}, "no host"),
    ("uv publish", {"UV_PUBLISH_URL": ""}, {}, "no host"),
    ("uv publish --publish-url http:one.example", {}, {}, "no host"),
    ("uv publish --publish-url 'http://a\\@b/'", {}, {}, "differently"),
    ("uv publish --publish-url 'https://one.example/{x}'", {}, {}, "one.example"),
    ("uv publish --publish-url https://%6fne.example/", {}, {}, "differently"),
    ("uv publish --publish-url https://öne.example/", {}, {}, "differently"),
    ("uv publish --publish-url ftp://one.example/", {}, {}, "differently"),
    ("uv publish --publish-url https://a;b@one.example/", {}, {}, "user name"),
    ("uv publish -u bob --publish-url https://ada@one.example/", {}, {}, "user name"),
    (
        "uv publish --publish-url https://ada@one.example/",
        {"UV_PUBLISH_USERNAME": ""},
        {},
        "user name",
    ),
    ("uv publish", {}, {"uv.toml": "https-proxy = 'http://127.0.0.1:1'"}, "https-proxy"),
    ("uv publish", {}, {"uv.toml": "allow-insecure-host = ['*']"}, "allow-insecure-host"),
    ("uv publish", {}, {"pyproject.toml": "tool.uv.no-proxy = ['*']"}, "no-proxy"),
    ("uv publish", {}, {"pyproject.toml": "tool.uv.offline = true"}, "offline"),
    ("uv publish", {}, {"pyproject.toml": "tool.uv.new-key = 1"}, "new-key"),
    ("uv publish", {}, {"uv.toml": CORP + "new-key = 1\n"}, "index.new-key"),
    ("uv publish --config-file c.toml", {}, {"c.toml": "http-proxy = 'http://x'"}, "http-proxy"),
    ("uv publish --config-file c.toml", {}, {}, "c.toml"),
    ("uv publish", {}, {"uv.toml": "["}, "uv.toml"),
    ("uv publish", {}, {"uv.toml": "publish-url = 1"}, "publish-url"),
    ("uv publish", {}, {"uv.toml": "publish-url = ''"}, "no host"),
    ("uv publish", {}, {"uv.toml": "index = 1"}, "index"),
    ("uv publish", {}, {"~/.config/uv/uv.toml": "allow-insecure-host = 1"}, "allow-insecure"),
    ("uv publish", {}, {"uv.toml": "index = [1]"}, "index"),
    ("uv publish", {}, {"uv.toml": "[[index]]\nname = 'x'"}, "index"),
    ("uv publish", {}, {"pyproject.toml": "tool = 1"}, "tool.uv"),
    ("uv publish", {}, {"pyproject.toml": "tool.uv = 1"}, "tool.uv"),
    (
        "uv publish --directory sub",
        {},
        {"pyproject.toml": "tool.uv.workspace = 1", "sub/pyproject.toml": MEMBER},
        "workspace",
    ),
    (
        "uv publish --directory sub",
        {},
        {"pyproject.toml": "tool.uv.workspace.members = ['[s]*']", "sub/pyproject.toml": MEMBER},
        "workspace",
    ),
    (
        "uv publish --directory packages/one",
        {},
        {"pyproject.toml": ROOT, "packages/one/pyproject.toml": MEMBER + SOURCES}
        | {"packages/two/setup.py": ""},
        "packages/two",
    ),
]


@pytest.mark.parametrize(("line", "environ", "files", "word"), REFUSED)
def test_what_secretly_cant_know_is_refused(
    case: Case, line: str, environ: Mapping[str, str], files: Mapping[str, str], word: str
) -> None:
    """The error names the word or the key, and says what to do."""
    with pytest.raises(Refused) as caught:
        _ = case.call(line, environ, files).destination
    assert word in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "steers"),
    [
        ("UV_PUBLISH_URL", False),
        ("UV_PUBLISH_USERNAME", False),
        ("UV_INDEX_CORP_PASSWORD", False),
        ("UV_HTTP_TIMEOUT", False),
        ("UV_CONFIG_FILE", True),
        ("UV_NO_CONFIG", True),
        ("UV_WORKING_DIR", True),
        ("UV_PROJECT", True),
        ("UV_INSECURE_HOST", True),
        ("UV_KEYRING_PROVIDER", True),
        ("UV_SOMETHING_NEW", True),
        ("UV_INTERNAL__TEST_DIR", True),
        ("PYX_API_URL", True),
        ("SSL_CERT_FILE", True),
        ("https_proxy", True),
    ],
)
def test_an_env_file_may_only_name_the_index(case: Case, name: str, steers: bool) -> None:
    """Any other variable of uv's that isn't known as harmless is refused there."""
    call = case.call("uv publish", {name: "x"})
    call.origins = {name: "an env file"}
    if not steers:
        return check_variables(call)
    with pytest.raises(Refused, match=name):
        check_variables(call)


# -- whether a secret is needed ----------------------------------------------------

GITHUB = {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://id.example/"}
ALWAYS = {"uv.toml": "trusted-publishing = 'always'"}
NEVER = {"uv.toml": "trusted-publishing = 'never'"}


@pytest.mark.parametrize(
    ("line", "environ", "files", "why"),
    [
        ("uv publish", {}, {}, ""),
        ("uv publish --dry-run", {}, {}, "--dry-run"),
        ("uv publish -h", {}, {}, "--help"),
        ("uv --show-settings publish", {}, {}, "--show-settings"),
        ("uv publish --trusted-publishing always", {}, {}, "trusted publishing"),
        ("uv publish --trusted-publishing=automatic", {}, {}, ""),
        ("uv publish", {}, ALWAYS, "trusted publishing"),
        ("uv publish --trusted-publishing always", {}, NEVER, ""),
    ],
)
def test_a_call_that_sends_nothing_needs_no_secret(
    case: Case, line: str, environ: Mapping[str, str], files: Mapping[str, str], why: str
) -> None:
    """Nor does one with trusted publishing. A settings file takes precedence over the option."""
    found = case.call(line, environ, files).why_needs_none()
    assert found.startswith(why) if why else not found


@pytest.mark.parametrize(
    ("line", "environ", "files", "identity"),
    [
        ("uv publish", GITHUB, {}, "ACTIONS_ID_TOKEN_REQUEST_URL"),
        ("uv publish", GITHUB, NEVER, ""),
        ("uv publish -u ada", GITHUB, {}, ""),
        ("uv publish --keyring-provider subprocess", GITHUB, {}, ""),
        ("uv publish", GITHUB | {"UV_PUBLISH_PASSWORD": "canary-1"}, {}, ""),
        ("uv publish", {"GITHUB_ACTIONS": "true"}, {}, ""),
        ("uv publish", {"GITLAB_CI": "true", "PYPI_ID_TOKEN": "canary-1"}, {}, "PYPI_ID_TOKEN"),
        ("uv publish", {"GITLAB_CI": "true"}, {}, ""),
    ],
)
def test_uv_uses_an_identity_of_ci_if_it_knows_no_credentials(
    case: Case, line: str, environ: Mapping[str, str], files: Mapping[str, str], identity: str
) -> None:
    """GitHub's or GitLab's. A stored secret takes its place: uv prefers credentials."""
    call = case.call(line, environ, files)
    assert call.identity() == (f"{identity} is set" if identity else "")
    assert call.why_needs_none() == ""


@pytest.mark.parametrize(
    ("line", "files", "origin"),
    [
        ("uv publish -t canary-1", {}, "--token"),
        ("uv publish --password=", {}, "--password"),
        ("uv publish --publish-url https://ada:canary-1@one.example/", {}, "--publish-url"),
        ("uv publish", {"uv.toml": "publish-url = 'https://a:canary-1@b/'"}, "publish-url in "),
        ("uv publish -u ada --publish-url https://ada:@one.example/", {}, ""),
        ("uv publish", {}, ""),
    ],
)
def test_a_call_may_give_the_secret_itself(
    case: Case, line: str, files: Mapping[str, str], origin: str
) -> None:
    """Then secretly asks for nothing. It doesn't repeat the secret."""
    found = case.call(line, {}, files).given_by()
    assert found.startswith(origin) if origin else not found
    assert "canary" not in found


# -- the connection ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "environ", "files", "network"),
    [
        ("uv publish", {}, {}, Network()),
        (
            "uv publish",
            {"SSL_CLIENT_CERT": "x"},
            {OWN: "https-proxy = 'http://me:canary-1@proxy.example:3128'"},
            Network(("proxy proxy.example:3128", "a client certificate")),
        ),
        (
            "uv publish --allow-insecure-host x --trusted-host=packages.example.org",
            {"UV_PUBLISH_URL": URL},
            {},
            Network((), "--allow-insecure-host"),
        ),
        (
            "uv publish",
            {"UV_PUBLISH_URL": URL, "UV_INSECURE_HOST": f"x {HOST}"},
            {},
            Network((), "UV_INSECURE_HOST"),
        ),
        ("uv publish", {"UV_INSECURE_HOST": "*"}, {}, Network((), "UV_INSECURE_HOST")),
        ("uv publish", {"UV_INSECURE_HOST": "packages.example.org"}, {}, Network()),
        (
            "uv publish",
            {"UV_PUBLISH_URL": URL, "UV_INSECURE_HOST": "packages.example.org:1"},
            {},
            Network(),
        ),
    ],
)
def test_the_users_own_settings_of_the_connection_are_shown(
    case: Case,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    network: Network,
) -> None:
    """A proxy without its password; what makes uv accept any certificate from this index."""
    assert case.call(line, environ, files).network() == network


# -- the pin -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "environ", "files", "arguments", "variables"),
    [
        ("uv publish x", {}, {}, "publish x", {"UV_NO_CONFIG": "1"}),
        (
            "uv -q publish --index corp -- x",
            {},
            {"uv.toml": CORP},
            f"-q publish --publish-url={URL} --check-url=https://get.example.org/simple -- x",
            {"UV_NO_CONFIG": "1"},
        ),
        (
            "uv publish --publish-url https://ada@one.example/ -q",
            {},
            {OWN: "https-proxy = 'http://proxy.example'"},
            "publish -q --publish-url=https://one.example/",
            {"UV_CONFIG_FILE": OWN},
        ),
        (
            "uv publish --index corp",
            {"UV_INDEX_CORP_PASSWORD": "canary-1"},
            {OWN: CORP},
            f"publish --publish-url={URL} --check-url=https://get.example.org/simple",
            {"UV_CONFIG_FILE": OWN},
        ),
        (
            "uv publish -q --index corp",
            {},
            {
                OWN: CORP.replace("https://get", "https://ada:canary-1@get"),
                "uv.toml": CORP.replace("corp", "other"),
            },
            "publish -q --index=corp",
            {"UV_CONFIG_FILE": OWN},
        ),
        (
            "uv publish",
            {"UV_PUBLISH_INDEX": "corp"},
            {OWN: CORP.replace("https://get.example.org/simple", "packages")},
            "publish --index=corp",
            {"UV_CONFIG_FILE": OWN},
        ),
        (
            "uv publish",
            {"UV_PUBLISH_CHECK_URL": "https://get.example.org/simple"},
            {"uv.toml": f"publish-url = '{URL}'\ncheck-url = 'https://no.example'"},
            f"publish --publish-url={URL}",
            {"UV_NO_CONFIG": "1"},
        ),
        (
            "uv publish",
            {},
            {"uv.toml": f"publish-url = '{URL}'\ncheck-url = 'https://get.example.org/'"},
            f"publish --publish-url={URL} --check-url=https://get.example.org/",
            {"UV_NO_CONFIG": "1"},
        ),
        (
            "uv publish --config-file c.toml",
            {},
            {"c.toml": f"publish-url = '{URL}'"},
            f"publish --publish-url={URL}",
            {"UV_NO_CONFIG": "1"},
        ),
        (
            "uv publish --config-file ../home/c.toml",
            {},
            {"~/c.toml": f"publish-url = '{URL}'\nhttp-proxy = 'http://proxy.example'"},
            f"publish --config-file ../home/c.toml --publish-url={URL}",
            {},
        ),
        (
            "uv publish",
            {},
            {"uv.toml": "native-tls = false\nkeyring-provider = 'disabled'"},
            "publish",
            {"UV_NO_CONFIG": "1"},
        ),
        (
            "uv publish",
            {},
            {"uv.toml": "native-tls = false", OWN: "native-tls = true"},
            "publish --no-native-tls",
            {"UV_CONFIG_FILE": OWN},
        ),
        (
            "uv publish",
            {"UV_WORKING_DIR": "sub"},
            {"sub/uv.toml": "native-tls = true\nkeyring-provider = 'subprocess'"},
            "publish --directory=sub --native-tls --keyring-provider=subprocess",
            {"UV_NO_CONFIG": "1"},
        ),
    ],
)
def test_the_call_is_pinned(
    case: Case,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    arguments: str,
    variables: Mapping[str, str],
) -> None:
    """The URL is an option, the project's settings are off, and the user's own stay."""
    pin = case.call(line, environ, files).pin()
    assert shlex.join(pin.arguments) == arguments
    home = {name: value.replace("~", str(case.home)) for name, value in variables.items()}
    assert pin.environ == home
    assert {"UV_PUBLISH_INDEX", "UV_PUBLISH_URL"} <= {*pin.removes}


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({"UV_INDEX_CORP_USERNAME": "ada"}, {"uv.toml": CORP}),
        ({}, {"uv.toml": CORP.replace("https://get", "https://ada:canary-1@get")}),
        ({}, {"uv.toml": CORP.replace("https://get.example.org/simple", "packages")}),
        (
            {"XDG_CONFIG_DIRS": "{home}/xdg"},
            {"~/xdg/uv/uv.toml": "http-proxy = 'http://x'", OWN: CORP},
        ),
    ],
)
def test_what_a_pin_would_lose_is_refused(
    case: Case, environ: Mapping[str, str], files: Mapping[str, str]
) -> None:
    """A password for the check of existing files, and settings in two files of the user's."""
    environ = {name: value.replace("{home}", str(case.home)) for name, value in environ.items()}
    call = case.call("uv publish --index corp", environ, files)
    assert call.destination.url == URL
    with pytest.raises(Refused) as caught:
        call.pin()
    assert caught.value.hint
    assert "canary" not in str(caught.value)


#: What a project may come to say while the user reads the dialog.
HOSTILE = (
    "publish-url = 'https://evil.example/'\n"
    "https-proxy = 'http://evil.example'\nallow-insecure-host = ['*']\n"
    "[[{0}index]]\nname = 'corp'\nurl = 'https://evil.example'\n"
    "publish-url = 'https://evil.example/'\n"
)


def _choices() -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    yield "", {}, {}
    yield "--index corp", {}, {"uv.toml": CORP}
    yield "", {"UV_PUBLISH_INDEX": "corp"}, {"pyproject.toml": TOOL_CORP}
    yield "--index corp", {}, {OWN: CORP}
    yield f"--publish-url {URL}", {}, {}
    yield "", {"UV_PUBLISH_URL": URL}, {OWN: "https-proxy = 'http://proxy.example'"}
    yield "--config-file c.toml", {}, {"c.toml": f"publish-url = '{URL}'"}
    yield "--config-file ../home/c.toml", {}, {"~/c.toml": f"publish-url = '{URL}'"}
    yield "", {"UV_CONFIG_FILE": "c.toml"}, {"c.toml": f"publish-url = '{URL}'"}
    yield "--no-config", {}, {"uv.toml": CORP}
    yield "--directory sub", {}, {"pyproject.toml": ROOT, "sub/pyproject.toml": MEMBER}


@fewer([HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([*_choices()]),
    st.lists(
        st.sampled_from(["-q", "-v", "-n", "--no-progress", "-u ada", "-uada", "x"]), max_size=3
    ),
    st.booleans(),
)
def test_a_pinned_call_goes_where_it_was_shown_whatever_the_project_says_then(
    case: Case,
    choice: tuple[str, dict[str, str], dict[str, str]],
    words: list[str],
    dashes: bool,
) -> None:
    """Reading the pinned call gives the same index and user, after all its settings changed."""
    option, environ, files = choice
    if len([word for word in words if word.startswith("-u")]) > 1:
        words = []
    line = " ".join(["uv publish", *words, option, *(["--", "y"] if dashes else [])])
    written = {"uv.toml", "pyproject.toml", "sub/uv.toml", "sub/pyproject.toml", "c.toml"}
    for name in (*written, "../home/c.toml", "../home/.config/uv/uv.toml"):
        (case.project / name).unlink(missing_ok=True)
    call = case.call(line, environ, files)
    shown, again = call.destination, case.again(call)
    for name in written:
        table = "tool.uv." if name.endswith("pyproject.toml") else ""
        text = HOSTILE.format(table)
        (case.project / name).parent.mkdir(exist_ok=True)
        (case.project / name).write_text(f"[tool.uv]\n{text}" if table else text)
    assert (again.destination.url, again.destination.username) == (shown.url, shown.username)
    assert again.network() == call.network()
    assert again.words.words == call.words.words
    assert case.again(again).destination.url == shown.url
