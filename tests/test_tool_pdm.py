"""Test how secretly reads a call of pdm: where it goes, as whom, what is pinned and refused."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from agreement.cases import configuration
from conftest import fewer
from hypothesis import given
from hypothesis import strategies as st
from test_destination import HOST, INTERNAL, Workdir

from secretly.asking.upload_wording import PROJECT_PYTHON, project_plugins, project_script
from secretly.config.command_line import recognize
from secretly.config.invocation import Invocation
from secretly.errors import Refused
from secretly.publishing.destination import Destination
from secretly.publishing.steering import check_variables, network_of
from secretly.publishing.tool_call import ToolCall
from secretly.publishing.tools.pdm import Pdm

A = "http://127.0.0.1:9001/up/"
CORP = f"[repository.corp]\nurl = '{INTERNAL}'\n"
PROJECT = "[project]\nname = 'demo'\nrequires-python = '>=3.8'\n"


class Project(Workdir):
    """A project of pdm's."""

    def call(self, line: str, environ: Mapping[str, str] | None = None) -> ToolCall:
        """Return what secretly reads in a command line."""
        environ = {"HOME": str(self.home), **(environ or {})}
        return Pdm(self.invocation(line), environ)

    def whole(self, line: str, environ: Mapping[str, str] | None = None) -> Destination:
        """Return the destination of a command line."""
        return self.call(line, environ).destination


def in_folder(folder: Path) -> Project:
    """Make a project's folder and an empty home, without a configuration of the user's."""
    return Project(folder, configuration())


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Make a project's folder and an empty home, and work in the folder."""
    found = in_folder(tmp_path)
    found.write("pyproject.toml", PROJECT)
    monkeypatch.chdir(found.project)
    return found


# -- the command line ------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "option", "value"),
    [
        (f"publish -r {A}", "--repository", A),
        (f"publish -r{A}", "--repository", A),
        (f"publish -r={A}", "--repository", A),
        (f"publish -Sr{A}", "--repository", A),
        (f"publish --repo {A}", "--repository", A),
        (f"publish -r {A} --repository=corp", "--repository", "corp"),
        ("publish -u=", "--username", ""),
        ("publish -c 'a comment'", "--comment", "a comment"),
        ("publish --no-build -c publish", "--comment", "publish"),
        ("-c conf publish", "--config", "conf"),
        ("-v --config=conf publish -c there", "--config", "conf"),
        ("-c publish publish", "--config", "publish"),
    ],
)
def test_an_option_is_read_as_pdm_does(work: Project, line: str, option: str, value: str) -> None:
    """``-c`` is a settings file before the subcommand, and a comment after it."""
    words = work.call(f"pdm {line}").words
    assert words.words == ["publish"]
    assert words.last((option,)) == value


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("publish --unknown", "unknown option of pdm: --unknown"),
        ("publish -x", "unknown option of pdm: -x"),
        ("publish dist/x.whl", "takes no files: dist/x.whl"),
        ("publish -- -r corp", "--"),
        ("-- publish", "--"),
        ("publish -Sr=corp", "-Sr=corp"),
        ("publish -d=", "--dest="),
        ("publish -r", "-r"),
        ("publish -u -r corp", "-u"),
        ("publish --v", "--v"),  # pdm would run the project's script 'publish'
        ("publish --ver", "--ver"),
        ("publish --no", "--no"),
        ("-v -q publish", "--verbose with --quiet"),
        ("publish -v -q", "--verbose with --quiet"),
        ("publish --no-very-ssl --ca-certs x", "--no-verify-ssl with --ca-certs"),
        ("--conf x publish", "--conf"),
        ("-vc x publish", "-c"),
        ("-p sub publish", "-p"),
        ("--pep582 publish", "--pep582"),
        ("release publish", "release"),
    ],
)
def test_what_pdm_refuses_or_runs_as_a_script_is_refused(
    work: Project, line: str, reason: str
) -> None:
    """pdm takes a line that it can't read for the name of a script of the project's."""
    row = work.invocation("pdm publish").row
    call = Pdm(Invocation(row, tuple(shlex.split(line))), {"HOME": str(work.home)})
    with pytest.raises(Refused, match=re.escape(reason)):
        call.destination  # noqa: B018


# -- the destination -------------------------------------------------------------

NAMED = "[repository.corp]\nusername = 'ada'\n"


@pytest.mark.parametrize(
    ("line", "environ", "files", "expected"),
    [
        ("pdm publish", {}, {}, Destination("pypi", "PyPI")),
        ("pdm publish -r testpypi", {}, {}, Destination("testpypi", "TestPyPI")),
        ("pdm publish -r=", {}, {}, Destination("pypi", "PyPI")),
        (
            "pdm publish -r=",
            {"PDM_PUBLISH_REPO": "testpypi"},
            {},
            Destination("testpypi", "TestPyPI"),
        ),
        (f"pdm publish -r {A}", {}, {}, Destination("", "127.0.0.1:9001", A)),
        (f"pdm publish -r {A}#x", {}, {}, Destination("", "127.0.0.1:9001", A)),
        ("pdm publish", {"PDM_PUBLISH_REPO": A}, {}, Destination("", "127.0.0.1:9001", A)),
        ("pdm publish -r corp", {}, {"pdm.toml": CORP}, Destination("corp", "corp", INTERNAL)),
        # Any host can begin with 'test.', so a project's URL is not TestPyPI's.
        (
            "pdm publish -r testpypi",
            {},
            {"pdm.toml": "repository.testpypi.url = 'https://test.x.example/'"},
            Destination("testpypi", "test.x.example", "https://test.x.example/"),
        ),
        # A project can call its own index 'PyPI' too.
        (
            "pdm publish -r PyPI/demo",
            {},
            {"pdm.toml": CORP.replace("corp", "'PyPI/demo'")},
            Destination("PyPI/demo", HOST, INTERNAL),
        ),
        (
            "pdm publish -r corp",
            {},
            {"~/.config/pdm/config.toml": CORP + "username = 'ada'"},
            Destination("corp", "corp", INTERNAL, "ada"),
        ),
        (
            "pdm publish -r corp",
            {},
            {"pdm.toml": NAMED, "~/.config/pdm/config.toml": CORP + "username = 'bob'"},
            Destination("corp", "corp", INTERNAL, "ada"),
        ),
        (
            f"pdm publish -r {INTERNAL}",
            {},
            {"~/.config/pdm/config.toml": CORP + "username = 'ada'"},
            Destination("", HOST, INTERNAL, "ada"),
        ),
        (
            f"pdm publish -r {INTERNAL}",
            {},
            {"pdm.toml": NAMED, "~/.config/pdm/config.toml": CORP},
            Destination("", HOST, INTERNAL),
        ),
        (
            "pdm publish",
            {},
            {"pdm.toml": "repository.pypi.username = 'ada'"},
            Destination("pypi", "PyPI", "", "ada"),
        ),
        ("pdm publish -u ada", {}, {}, Destination("pypi", "PyPI", "", "ada")),
        (
            "pdm publish",
            {"PDM_PUBLISH_USERNAME": "ada"},
            {},
            Destination("pypi", "PyPI", "", "ada"),
        ),
        (
            "pdm publish -u=",
            {"PDM_PUBLISH_USERNAME": "ada"},
            {},
            Destination("pypi", "PyPI", "", "ada"),
        ),
        (
            "pdm publish",
            {"PDM_PUBLISH_USERNAME": ""},
            {},
            Destination("pypi", "PyPI", "", "__token__"),
        ),
        # pdm takes a user name in a URL only with a password there.
        (
            "pdm publish -r http://ada@127.0.0.1:9001/up/",
            {},
            {},
            Destination("", "127.0.0.1:9001", A),
        ),
        (
            "pdm publish -r http://ada:canary-1@127.0.0.1:9001/up/",
            {},
            {},
            Destination("", "127.0.0.1:9001", A, "ada"),
        ),
        # A name with :// is a URL, whatever the settings call it.
        (
            f"pdm publish -r {A}",
            {},
            {"~/.config/pdm/config.toml": f"[repository.'{A}']\nurl = '{INTERNAL}'"},
            Destination("", "127.0.0.1:9001", A),
        ),
        (
            "pdm publish",
            {},
            {"pyproject.toml": f"tool.pdm.options.publish = ['-r', '{A}', '-u', 'ada']"},
            Destination("", "127.0.0.1:9001", A, "ada"),
        ),
        (
            "pdm publish -r pypi",
            {},
            {"pyproject.toml": f"tool.pdm.options.publish = ['-r', '{A}']"},
            Destination("pypi", "PyPI"),
        ),
        (
            "pdm publish",
            {"PDM_PUBLISH_REPO": "testpypi"},
            {"pyproject.toml": f"tool.pdm.options.publish = ['-r', '{A}']"},
            Destination("", "127.0.0.1:9001", A),
        ),
        ("pdm publish", {"PDM_CONFIG_FILE": "/dev/null"}, {}, Destination("pypi", "PyPI")),
    ],
)
def test_the_destination_is_that_of_the_bare_tool(
    work: Project,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    expected: Destination,
) -> None:
    """Options, the project's options, variables, the project's settings, then the user's own."""
    for path, text in files.items():
        work.write(path, text)
    assert work.whole(line, environ) == expected


def test_the_comment_after_the_subcommand_names_no_settings_file(work: Project) -> None:
    """``pdm publish -c "a comment"`` leaves the user's own settings in force."""
    work.write("~/.config/pdm/config.toml", f"repository.pypi.url = '{INTERNAL}'")
    assert work.whole("pdm publish -r pypi -c 'a comment'").url == INTERNAL
    assert work.whole("pdm -c other.toml publish -r pypi").url == ""


@pytest.mark.parametrize(
    ("line", "environ", "files", "reason"),
    [
        ("pdm publish -r corp", {}, {}, "no URL for the index corp"),
        ("pdm publish", {"PDM_PUBLISH_REPO": ""}, {}, "PDM_PUBLISH_REPO is empty"),
        ("pdm publish -r 'http://a/{x}'", {}, {}, "differently"),
        ("pdm publish -r ftp://a/", {}, {}, "programs may read the index URL"),
        (r"pdm publish -r 'http://a\@b/'", {}, {}, "differently"),
        ("pdm publish -r 'http://a/b c'", {}, {}, "differently"),
        ("pdm publish", {}, {"pdm.toml": "repository.pypi.verify_ssl = false"}, "verify_ssl"),
        ("pdm publish", {}, {"pdm.toml": "repository.pypi.ca_certs = 'x'"}, "ca_certs"),
        ("pdm publish", {}, {"pdm.toml": "repository.pypi.proxy = 'x'"}, "proxy"),
        ("pdm publish", {}, {"pdm.toml": "cache_dir = 'x'"}, "pdm.toml sets cache_dir"),
        ("pdm publish", {}, {"pdm.toml": "unknown = 'x'"}, "pdm.toml sets unknown"),
        ("pdm publish", {}, {".pdm.toml": CORP}, r"\.pdm.toml sets repository"),
        ("pdm publish", {}, {"pdm.toml": "repository = 'x'"}, "can't read the indexes"),
        ("pdm publish", {}, {"pdm.toml": "repository.pypi.url = 1"}, "can't read the indexes"),
        ("pdm publish", {}, {"pdm.toml": "["}, "can't read"),
        ("pdm publish", {}, {"~/.config/pdm/config.toml": "["}, "can't read"),
        *(
            (
                "pdm publish",
                {},
                {"pyproject.toml": f"tool.pdm.options.publish = {words}"},
                "options",
            )
            for words in (
                "['-P', 'canary-1']",
                "['--no-very-ssl']",
                "['--ca-certs', 'x']",
                "['-p', 'sub']",
                "['-h']",
                "['x']",
                "'-r x'",
                "[1]",
            )
        ),
        ("pdm publish", {"XDG_CONFIG_HOME": "conf"}, {}, "XDG_CONFIG_HOME"),
    ],
)
def test_what_steers_more_than_the_destination_is_refused(
    work: Project,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    reason: str,
) -> None:
    """A project may name the index and the user, and nothing about certificates and plugins."""
    for path, text in files.items():
        work.write(path, text)
    with pytest.raises(Refused, match=reason):
        work.whole(line, environ)


def test_settings_of_ordinary_projects_pass(work: Project) -> None:
    """What pdm itself writes into a project's settings steers no upload."""
    work.write(
        "pdm.toml",
        "check_update = false\nuse_uv = true\n[python]\nuse_venv = false\n[venv]\n"
        "in_project = true\n[pypi]\nurl = 'https://mirror.example.org/simple'\n[strategy]\n"
        "save = 'compatible'\n[repository.other]\nurl = 'https://other.example.org/'\n",
    )
    work.write(
        "pyproject.toml",
        f"{PROJECT}[tool.pdm]\ndistribution = true\n[tool.pdm.scripts]\ntest = 'pytest'\n"
        "_.env_file = '.env'\n[tool.pdm.build]\nincludes = ['x']\n[tool.pdm.dev-dependencies]\n"
        "test = ['pytest']\n[tool.pdm.options]\nadd = ['--no-sync']\npublish = ['--no-build']\n"
        "[[tool.pdm.source]]\nname = 'corp'\nurl = 'https://corp.example.org/simple'\n",
    )
    call = work.call("pdm publish")
    assert call.destination == Destination("pypi", "PyPI")
    assert call.code() == ()


def test_the_options_of_the_project_in_which_pdm_starts_must_be_those_of_the_named_one(
    work: Project,
) -> None:
    """pdm 2.22 adds the words of the one, pdm 2.29 those of the other."""
    work.write("sub/pyproject.toml", f"{PROJECT}[tool.pdm.options]\npublish = ['-r', '{A}']")
    with pytest.raises(Refused, match="different projects"):
        work.whole("pdm publish -p sub")
    work.write("pyproject.toml", f"{PROJECT}[tool.pdm.options]\npublish = ['-r', '{A}']")
    assert work.whole("pdm publish -p sub").url == A


def test_the_project_is_the_one_that_is_named_or_found(
    work: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named folder counts even without a pyproject.toml; an empty name is none."""
    work.write("pdm.toml", "repository.pypi.url = 'https://above.example.org/'")
    work.write("sub/pdm.toml", f"repository.pypi.url = '{INTERNAL}'")
    for line, environ in (
        ("pdm publish -p sub", {}),
        ("pdm publish", {"PDM_PROJECT": "sub"}),
        ("pdm publish -p sub", {"PDM_PROJECT": "other"}),
    ):
        assert work.whole(line, environ).url == INTERNAL
    monkeypatch.chdir(work.project / "sub")
    for line in ("pdm publish", "pdm publish -p="):
        assert work.whole(line, {"PDM_PROJECT": ""}).host == "above.example.org"


def test_settings_above_the_project_do_not_count(
    work: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pdm reads settings in the project's own folder, even if it starts in a subfolder."""
    work.write("pdm.toml", "repository.pypi.url = 'https://above.example.org/'")
    work.write("sub/pyproject.toml", PROJECT)
    work.write("sub/deep/x")
    for folder in ("sub", "sub/deep"):
        monkeypatch.chdir(work.project / folder)
        assert work.whole("pdm publish").url == ""
    work.write("sub/pdm.toml", f"repository.pypi.url = '{INTERNAL}'")
    assert work.whole("pdm publish").url == INTERNAL


def test_the_global_project_is_refused(work: Project, tmp_path: Path) -> None:
    """Without a project, pdm may upload what is in the folder of its global one."""
    work.write("~/.config/pdm/config.toml", "global_project.fallback = true")
    assert work.whole("pdm publish").secret == "PyPI"
    (work.project / "pyproject.toml").unlink()
    with pytest.raises(Refused, match="global"):
        work.whole("pdm publish")


def test_the_settings_of_all_users_come_last(work: Project) -> None:
    """The user's own table for an index hides that of all users."""
    site = work.write("xdg/pdm/config.toml", CORP + "username = 'bob'").parents[1]
    environ = {"XDG_CONFIG_DIRS": f"{site}:/x"}
    assert work.whole("pdm publish -r corp", environ).username == "bob"
    work.write("~/.config/pdm/config.toml", CORP)
    assert work.whole("pdm publish -r corp", environ).username is None
    # Of several with one URL, pdm takes the first, and looks at those of all users first.
    work.write("~/.config/pdm/config.toml", f"[repository.a]\nurl = '{INTERNAL}'\nusername = 'ada'")
    assert work.whole(f"pdm publish -r {INTERNAL}", environ).username == "bob"


# -- credentials, and whether they are needed ------------------------------------


@pytest.mark.parametrize(
    ("line", "environ", "given_by"),
    [
        ("pdm publish", {}, ""),
        ("pdm publish -P canary-1", {}, "--password"),
        ("pdm publish -P=", {}, ""),
        ("pdm publish -r http://ada:canary-1@a/", {}, "the password in the index's URL"),
        ("pdm publish", {"PDM_PUBLISH_REPO": "http://:canary-1@a/"}, "the password in the index"),
        ("pdm publish -r http://ada@a/", {}, ""),
        ("pdm publish -r http://ada:canary-1@a/", {"PDM_PUBLISH_PASSWORD": "canary-2"}, ""),
    ],
)
def test_a_password_in_the_call_is_known(
    work: Project, line: str, environ: Mapping[str, str], given_by: str
) -> None:
    """Then secretly has nothing to ask for."""
    found = work.call(line, environ).given_by()
    assert found.startswith(given_by) if given_by else found == ""


def test_an_empty_variable_hides_the_password_of_settings(work: Project) -> None:
    """Then the one in the URL counts, with the URL's user name."""
    text = "[repository.corp]\nurl = 'http://:canary-1@a/'\npassword = 'canary-2'"
    work.write("pdm.toml", text)
    assert work.call("pdm publish -r corp").destination.username == "__token__"
    assert work.call("pdm publish -r corp", {"PDM_PUBLISH_PASSWORD": ""}).destination.username == ""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("pdm publish", ""),
        ("pdm publish -h", "--help sends nothing"),
        ("pdm -V publish", "--version sends nothing"),
    ],
)
def test_help_and_the_version_need_no_secret(work: Project, line: str, why: str) -> None:
    """pdm ends as soon as it reads such an option."""
    assert work.call(line).why_needs_none() == why


GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-1", "ACTIONS_ID_TOKEN_REQUEST_URL": "x"}


@pytest.mark.parametrize(
    ("line", "environ", "identity"),
    [
        ("pdm publish", {}, ""),
        ("pdm publish", GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL is set"),
        ("pdm publish", {"GITLAB_CI": "x", "PYPI_ID_TOKEN": "canary-1"}, "PYPI_ID_TOKEN is set"),
        ("pdm publish -r testpypi", {"GITLAB_CI": "x", "PYPI_ID_TOKEN": "canary-1"}, ""),
        ("pdm publish", {"PYPI_ID_TOKEN": "canary-1"}, ""),
        ("pdm publish", {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}, ""),
        ("pdm publish", {**GITHUB, "PDM_PUBLISH_PASSWORD": "canary-1"}, ""),
        ("pdm publish -P canary-1", GITHUB, ""),
        (f"pdm publish -r {INTERNAL}", GITHUB, ""),
    ],
)
def test_pdm_uses_a_ci_identity_where_it_knows_no_password(
    work: Project, line: str, environ: Mapping[str, str], identity: str
) -> None:
    """It exchanges the identity for a token."""
    assert work.call(line, environ).identity() == identity


# -- who else sees the token, and what changes the connection --------------------


@pytest.mark.parametrize(
    ("line", "text", "code"),
    [
        ("pdm publish", "", ()),
        ("pdm publish", "scripts.pre_publish = 'x'", (project_script("pre_publish"),)),
        (
            "pdm publish --no-build",
            "scripts = {pre_invoke = 'x', post_publish = {cmd = 'x'}, publish = 'x'}",
            (project_script("pre_invoke"), project_script("post_publish")),
        ),
        ("pdm publish -k :all", "scripts.pre_publish = 'x'", ()),
        ("pdm publish -k x,pre_publish", "scripts.pre_publish = 'x'", ()),
        ("pdm publish -k :pre -k :post", "scripts = {pre_publish='x', post_publish='x'}", ()),
        ("pdm publish", "plugins = ['x']", (project_plugins("tool.pdm.plugins"),)),
    ],
)
def test_code_of_the_project_is_named(
    work: Project, line: str, text: str, code: tuple[str, ...]
) -> None:
    """Scripts that the command line skips don't run."""
    work.write("pyproject.toml", f"{PROJECT}[tool.pdm]\n{text}\n")
    assert work.call(line).code() == code


def test_the_projects_own_python_and_plugins_are_named(work: Project) -> None:
    """The Python, if it can't be replaced by secretly's."""
    work.write(".pdm-plugins/x")
    assert work.call("pdm publish --no-build").code() == (project_plugins(".pdm-plugins"),)
    work.write("pyproject.toml", "[project]\nname = 'demo'\nrequires-python = '<3'\n")
    call = work.call("pdm publish --no-build")
    assert call.code()[1:] == (PROJECT_PYTHON,)
    assert "PDM_PYTHON" not in call.pin().environ
    own = {"PDM_PYTHON": "/usr/bin/python3"}
    assert work.call("pdm publish --no-build", own).code()[1:] == ()


def test_the_users_own_settings_of_the_connection_are_shown(work: Project) -> None:
    """Certificates are shown. That their checks are off is for the caller to refuse."""
    path = work.write("~/.config/pdm/config.toml", f"{CORP}ca_certs = 'x'\nclient_cert = 'y'")
    call = work.call("pdm publish -r corp", {"https_proxy": "http://me:canary-1@proxy:1"})
    assert list(network_of(call).settings) == [
        "proxy proxy:1",
        "your own certificates",
        "a client certificate",
    ]
    path.write_text(f"{CORP}verify_ssl = false")
    assert work.call("pdm publish -r corp").network().unverified.endswith("pdm/config.toml")
    assert work.call("pdm publish --no-very-ssl").network().unverified == "--no-verify-ssl"
    assert work.call("pdm publish").network().unverified == ""


@pytest.mark.parametrize(
    ("name", "steers"),
    [
        ("PDM_PUBLISH_REPO", False),
        ("PDM_CHECK_UPDATE", False),
        ("PDM_LOCK_FORMAT", False),
        ("PDM_PYTHON", True),
        ("PDM_CONFIG_FILE", True),
        ("PDM_PUBLISH_CA_CERTS", True),
        ("PDM_SKIP_HOOKS", True),
        ("PDM_SOMETHING_NEW", True),
        ("VIRTUAL_ENV", True),
        ("https_proxy", True),
        ("DEMO", False),
    ],
)
def test_variables_that_others_set_must_be_known(work: Project, name: str, steers: bool) -> None:
    """An env file may name the index; it may not choose the interpreter, or trust."""
    call = Pdm(work.invocation("pdm publish"), {}, origins={name: "an env file"})
    if not steers:
        check_variables(call)
        return
    with pytest.raises(Refused, match=name):
        check_variables(call)


# -- the pin ---------------------------------------------------------------------


def pinned(call: ToolCall) -> list[str]:
    """The arguments that a pin adds, with the made-up part as N."""
    added = call.pin().arguments[len(call.arguments) :]
    return [re.sub(r"#[0-9a-f]{16}$", "#N", word) for word in added]


@pytest.mark.parametrize(
    ("line", "own", "added"),
    [
        ("pdm publish", "", ["--dest=dist", "--repository=pypi"]),
        ("pdm publish -d out", "", ["--dest=out", "--repository=pypi"]),
        ("pdm publish -u ada", "", ["--dest=dist", "--username=ada", "--repository=pypi"]),
        (f"pdm publish -r {A}", "", ["--dest=dist", f"--repository={A}#N"]),
        ("pdm publish -r corp", CORP, ["--dest=dist", f"--repository={INTERNAL}#N"]),
        (
            "pdm publish -r corp",
            f"{CORP}ca_certs = '/x'",
            ["--dest=dist", f"--repository={INTERNAL}#N", "--ca-certs=/x"],
        ),
        (
            "pdm publish -r corp --ca-certs y",
            f"{CORP}ca_certs = '/x'",
            ["--dest=dist", f"--repository={INTERNAL}#N"],
        ),
        (
            "pdm publish -r corp",
            f"{CORP}verify_ssl = false\nca_certs = '/x'",
            ["--dest=dist", f"--repository={INTERNAL}#N", "--no-very-ssl"],
        ),
        (
            "pdm publish -r http://ada@127.0.0.1:9001/up/",
            "",
            ["--dest=dist", f"--repository={A}#N"],
        ),
        ("pdm publish -r http://ada:canary-1@127.0.0.1:9001/up/", "", []),
    ],
)
def test_the_pin_repeats_the_destination(
    work: Project, line: str, own: str, added: list[str]
) -> None:
    """With the user's own certificates, which the made-up fragment drops."""
    work.write("~/.config/pdm/config.toml", own)
    call = work.call(line)
    assert pinned(call) == added
    assert call.pin().arguments[: len(call.arguments)] == call.arguments


def test_a_client_certificate_that_a_pin_would_drop_is_refused(work: Project) -> None:
    """pdm has no option for one. It stays where the index has only its name."""
    work.write("~/.config/pdm/config.toml", f"{CORP}client_cert = 'x'")
    with pytest.raises(Refused, match="client_cert"):
        work.call("pdm publish -r corp").pin()
    work.write("~/.config/pdm/config.toml", "repository.pypi.client_cert = 'x'")
    assert pinned(work.call("pdm publish")) == ["--dest=dist", "--repository=pypi"]


def test_an_upload_without_a_build_starts_secretlys_python(work: Project) -> None:
    """In place of the project's, which would see the token. A build needs the project's."""
    pin = work.call("pdm publish --no-build").pin()
    assert dict(pin.environ) == {"PDM_PYTHON": sys.executable}
    assert pin.removes == ("PDM_IGNORE_SAVED_PYTHON",)
    assert not work.call("pdm publish").pin().environ
    assert not work.call("pdm publish --no-build", {"PDM_PYTHON": "/x"}).pin().environ


HOSTILE = st.sampled_from(
    [
        {"pdm.toml": f"[repository.corp]\nurl = '{A}'\nusername = 'eve'"},
        {"pdm.toml": f"[repository.x]\nurl = '{INTERNAL}'\nusername = 'eve'\nverify_ssl = false"},
        {"pyproject.toml": f"tool.pdm.options.publish = ['-r', '{A}', '-u', 'eve', '-d', 'out']"},
        {"pyproject.toml": "tool.pdm.options.publish = ['-P', 'canary-2']"},
        {"pyproject.toml": "tool.pdm.options.publish = ['--no-verify-ssl']"},
        {".pdm.toml": f"[repository.corp]\nurl = '{A}'"},
        {"named.toml": f"[repository.corp]\nurl = '{A}'\nusername = 'eve'"},
    ]
)
LINES = st.sampled_from(
    [
        f"pdm publish -r {INTERNAL}",
        "pdm publish -r corp",
        "pdm -c named.toml publish -rcorp --no-build",
        "pdm publish -r corp -d dist -u ada",
        f"pdm publish --no-build --repository=pypi -r={INTERNAL}",
    ]
)


@given(
    line=LINES, hostile=st.lists(HOSTILE, max_size=3), user=st.sampled_from(["ada", "a b", "-x"])
)
@fewer()
def test_a_pinned_call_goes_where_it_was_shown(
    line: str, hostile: list[Mapping[str, str]], user: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the project's settings say when pdm reads them: the same, or nothing is sent."""
    work = in_folder(tmp_path_factory.mktemp("pinned"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work.project)
        work.write("pyproject.toml", PROJECT)
        for path in ("~/.config/pdm/config.toml", "named.toml"):
            work.write(path, f"{CORP}username = '{user}'")
        shown = work.whole(line)
        pin = work.call(line).pin()
        for files in hostile:
            for path, text in files.items():
                work.write(path, text)
        invocation = recognize(["pdm", *pin.arguments], work.shipped)
        assert invocation is not None
        again = Pdm(invocation, {"HOME": str(work.home), **pin.environ})
        try:
            found = again.destination
        except Refused:
            assert any("options" in str(files) or ".pdm.toml" in files for files in hostile)
            return
        assert (found.url, found.username) == (shown.url, shown.username)
        assert again.words.last(("--dest",)) == "dist"
        assert again.network().unverified == ""
