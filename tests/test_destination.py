"""Test how secretly finds the index of a publishing command, and so the secret."""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tokens
from agreement.cases import configuration
from conftest import lacking, need
from hypothesis import given
from hypothesis import strategies as st
from test_publishing import project, tool

from secretly.config import places
from secretly.config.command_line import recognize
from secretly.config.invocation import Invocation, Words
from secretly.config.model import Configuration
from secretly.errors import Refused, SecretlyError
from secretly.publishing.destination import Destination
from secretly.publishing.tool_call import ToolCall
from secretly.publishing.upload import Upload, upload_of

TOOLS = ("twine", "uv", "flit", "hatch", "poetry", "pdm", "maturin")
INTERNAL = "https://packages.example.org:8443/simple/"
HOST = "packages.example.org:8443"


@pytest.fixture(scope="session")
def shipped() -> Configuration:
    """Return the shipped configuration."""
    return configuration()


class Workdir:
    """The folder of a project, which is also the working folder, and an empty home."""

    def __init__(self, folder: Path, shipped: Configuration) -> None:
        self.project = folder / "project"
        self.home = folder / "home"
        self.shipped = shipped
        self.project.mkdir()
        self.home.mkdir()

    def invocation(self, line: str) -> Invocation:
        """Return what secretly recognizes in a command line."""
        invocation = recognize(shlex.split(line), self.shipped)
        assert invocation is not None
        return invocation

    def secret(self, line: str, environ: Mapping[str, str] | None = None) -> str:
        """Return the name of the secret that a command line needs."""
        return self.destination(line, environ).secret

    def upload(self, line: str, environ: Mapping[str, str] | None = None) -> Upload:
        """Return the upload of a command line."""
        environ = {"HOME": str(self.home), **(environ or {})}
        upload = upload_of(self.invocation(line), environ)
        assert upload is not None
        return upload

    def destination(self, line: str, environ: Mapping[str, str] | None = None) -> Destination:
        """Return the index that a command line would upload to."""
        return self.upload(line, environ).destination

    def plain(self, line: str, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Return the file and the section with a password for the index. ~ is the home."""
        path, section = self.upload(line, environ).plain_password()
        return path.replace(str(self.home), "~"), section

    def write(self, name: str, text: str = "") -> Path:
        """Write a file in the project, or in the home if the name begins with '~/'."""
        root = self.home if name.startswith("~/") else self.project
        path = root / name.removeprefix("~/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def workdir(tmp_path: Path, shipped: Configuration, monkeypatch: pytest.MonkeyPatch) -> Workdir:
    """Make a project's folder and an empty home, and work in the folder."""
    workdir = Workdir(tmp_path, shipped)
    monkeypatch.chdir(workdir.project)
    return workdir


def publish(tool: str) -> str:
    """Return a tool's command that publishes."""
    return {"twine": "twine upload dist/*", "maturin": "maturin upload x"}.get(
        tool, f"{tool} publish"
    )


# -- the index by name -----------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_the_default_index_is_pypi(workdir: Workdir, tool: str) -> None:
    """Without settings, every tool uploads to PyPI, whatever the tool calls PyPI."""
    assert workdir.secret(publish(tool)) == "PyPI"


@pytest.mark.parametrize(
    "line",
    [
        "twine upload -r testpypi x",
        "twine upload -rtestpypi x",
        "twine upload --repository=testpypi x",
        "python3.11 -Im twine --no-color upload --repository testpypi x",
        "uvx twine upload -r testpypi x",
        "hatch publish -r test",
        "hatch publish -rtest",
        "hatch publish --repo=test",
        "pdm publish -r testpypi",
        "maturin upload -r testpypi x",
        "maturin publish --repository=testpypi",
    ],
)
def test_each_tools_test_index_is_testpypi(workdir: Workdir, line: str) -> None:
    """Every tool has a name for the test index, and the secret is always TestPyPI."""
    assert workdir.secret(line) == "TestPyPI"


@pytest.mark.parametrize(
    ("tool", "variable", "name"),
    [
        ("twine", "TWINE_REPOSITORY", "testpypi"),
        ("hatch", "HATCH_INDEX_REPO", "test"),
        ("pdm", "PDM_PUBLISH_REPO", "testpypi"),
    ],
)
def test_a_variable_names_the_index(workdir: Workdir, tool: str, variable: str, name: str) -> None:
    """The tool's variable names the index, unless it is empty or an option names another."""
    assert workdir.secret(publish(tool), {variable: name}) == "TestPyPI"
    if tool in ("twine", "pdm"):  # they take no empty name
        with pytest.raises(Refused, match="empty"):
            workdir.secret(publish(tool), {variable: ""})
    else:
        assert workdir.secret(publish(tool), {variable: ""}) == "PyPI"
    default = "main" if tool == "hatch" else "pypi"
    assert workdir.secret(f"{publish(tool)} -r {default}", {variable: name}) == "PyPI"


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("twine upload -r internal x", {}),
        ("twine upload x", {"TWINE_REPOSITORY": "internal"}),
        ("flit publish --repository internal", {}),
    ],
)
def test_an_index_that_the_tool_does_not_know_is_refused(
    workdir: Workdir, line: str, environ: Mapping[str, str]
) -> None:
    """twine and flit would stop there, so secretly asks for no secret."""
    with pytest.raises(Refused, match="knows no index 'internal'") as caught:
        workdir.destination(line, environ)
    assert ".pypirc" in str(caught.value.hint)


# -- the index by URL ------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        f"twine upload --repository-url {INTERNAL} x",
        f"twine upload --repository-url={INTERNAL} x",
        f"twine upload --repository-u {INTERNAL} x",
        f"twine upload -r testpypi --repository-url {INTERNAL} x",
        f"uv publish --publish-url {INTERNAL}",
        f"uv --offline publish --publish-url={INTERNAL}",
        f"hatch publish -r {INTERNAL}",
        f"pdm publish --repository {INTERNAL}",
        f"maturin upload --repository-url {INTERNAL} x",
        "twine upload --repository-url HTTPS://me:canary-1@Packages.Example.org:8443/ x",
    ],
)
def test_the_secret_of_an_index_given_by_url_is_named_after_its_host(
    workdir: Workdir, line: str
) -> None:
    """The secret's name has the host and the port, but no user name or password of the URL."""
    destination = workdir.destination(line)
    assert (destination.repository, destination.secret) == ("", HOST)
    assert (destination.shown, destination.host) == (HOST, "packages.example.org")
    assert not destination.builtin


@pytest.mark.parametrize(
    ("tool", "variable"),
    [
        ("twine", "TWINE_REPOSITORY_URL"),
        ("uv", "UV_PUBLISH_URL"),
        ("flit", "FLIT_INDEX_URL"),
        ("hatch", "HATCH_INDEX_REPO"),
        ("pdm", "PDM_PUBLISH_REPO"),
        ("maturin", "MATURIN_REPOSITORY_URL"),
    ],
)
def test_a_url_may_come_from_a_variable(workdir: Workdir, tool: str, variable: str) -> None:
    """A forgotten variable never sends a PyPI token to the index that it names."""
    assert workdir.secret(publish(tool), {variable: INTERNAL}) == HOST


def test_a_url_in_a_variable_takes_precedence_over_a_name(workdir: Workdir) -> None:
    """secretly follows twine, in which a URL in a variable overrides a named index."""
    assert workdir.secret("twine upload -r pypi x", {"TWINE_REPOSITORY_URL": INTERNAL}) == HOST


def test_a_host_with_another_port_is_another_index(workdir: Workdir) -> None:
    """Each port of a host may belong to another server, so each has its own secret."""
    hosts = [
        workdir.secret(f"twine upload --repository-url http://127.0.0.1{port}/ x")
        for port in ("", ":8080", ":8081")
    ]
    assert hosts == ["127.0.0.1", "127.0.0.1:8080", "127.0.0.1:8081"]


@pytest.mark.parametrize(
    "url",
    [
        "upload.example.org",
        "https://",
        "https:///x",
        "http://[",
        "http://[::1",
        "x:y",
        "//",
        "https://evil.example\\@example.org/",
        "https://example.org/\\",
        "https://evil.example @example.org/",
        "https://evil.example\t@example.org/",
        "https://evil.example\u2003@example.org/",
        "https://exam\nple.org/",
        "https://example.org/\r\n",
        " https://example.org/",
        "https://example.org\x7f/",
        "https://exam\x00ple.org/",
    ],
)
def test_a_url_without_a_host_is_refused(workdir: Workdir, url: str) -> None:
    """secretly refuses a URL if programs could disagree about its host."""
    with pytest.raises(Refused, match=r"no host|differently") as caught:
        workdir.destination("twine upload x", {"TWINE_REPOSITORY_URL": url})
    assert caught.value.hint
    assert str(caught.value).isprintable()


def test_a_password_in_a_url_is_not_repeated(workdir: Workdir) -> None:
    """The error about a URL never shows the password in that URL."""
    with pytest.raises(Refused) as caught:
        workdir.secret("twine upload --repository-url https://me:canary-1@/ x")
    assert "canary" not in str(caught.value)


@given(st.text(st.characters(exclude_characters="\0")))
def test_any_url_has_a_host_or_is_refused(shipped: Configuration, url: str) -> None:
    """No URL leads to a secret of PyPI or TestPyPI."""
    invocation = recognize(["twine", "upload", "x"], shipped)
    assert invocation is not None
    upload = upload_of(invocation, {"TWINE_REPOSITORY_URL": url, "HOME": "/nonexistent"})
    assert upload is not None
    try:
        destination = upload.destination
    except SecretlyError as error:
        assert isinstance(error, Refused)
        assert str(error).isprintable()
    else:
        assert destination.secret not in ("PyPI", "TestPyPI") or not url


# -- settings files --------------------------------------------------------------


def test_pypirc_names_the_other_indexes(workdir: Workdir) -> None:
    """A section's name is also the secret's name, and the URL in the section is the index."""
    section = f"[internal]\nrepository = {INTERNAL}\nusername = me\n"
    workdir.write("~/.pypirc", f"[distutils]\nindex-servers =\n  pypi\n  internal\n{section}")
    lines = ["twine upload -r internal x", "flit publish --repository internal"]
    for line in (*lines, "maturin upload -r internal x"):
        found = workdir.destination(line)
        assert found._replace(username=None) == Destination("internal", "internal", INTERNAL)
        assert found.username == "me" or line.startswith("maturin")
    for text in (section, f"[distutils]\nindex-servers = pypi\n{section}"):
        workdir.write("~/.pypirc", text)
        for line in lines:  # twine and flit ignore sections that are not listed
            with pytest.raises(Refused, match="'internal'") as caught:
                workdir.destination(line)
            assert "index-servers" in str(caught.value.hint)


@pytest.mark.parametrize("tool", ["twine", "flit", "maturin"])
@pytest.mark.parametrize("name", ["pypi", "testpypi"])
def test_pypirc_may_send_a_known_name_elsewhere(workdir: Workdir, tool: str, name: str) -> None:
    """If .pypirc gives PyPI's name another URL, the secret is named after the URL's host."""
    section = f"[{name}]\nrepository = {INTERNAL}\n"
    option = "-r" if tool != "flit" else "--repository"
    listed = f"[distutils]\nindex-servers = pypi testpypi\n{section}"
    # flit lists PyPI alone, unless told otherwise.
    for text in [listed] if (tool, name) == ("flit", "testpypi") else [listed, section]:
        workdir.write("~/.pypirc", text)
        assert workdir.secret(f"{publish(tool)} {option} {name}") == HOST
        if name == "pypi":
            assert workdir.secret(publish(tool)) == HOST


def test_a_section_without_a_url_changes_nothing(workdir: Workdir) -> None:
    """Many users have a section that contains only the user name."""
    workdir.write("~/.pypirc", "[pypi]\nusername = __token__\n")
    assert workdir.secret("twine upload x") == "PyPI"


UPLOAD = "https://upload.pypi.example/legacy/"

#: A command for each tool, a settings file of the user, and the text there that gives PyPI a URL.
OWN = [
    ("twine upload x", "~/.pypirc", "[pypi]\nrepository = {url}"),
    ("twine upload --config-file mine x", "mine", "[pypi]\nrepository = {url}"),
    ("flit publish", "~/.pypirc", "[pypi]\nrepository = {url}"),
    ("maturin upload x", "~/.pypirc", "[pypi]\nrepository = {url}"),
    ("uv publish", "~/.config/uv/uv.toml", "publish-url = '{url}'"),
    ("uv publish --config-file mine", "mine", "publish-url = '{url}'"),
    ("poetry publish -r pypi", "~/.config/pypoetry/config.toml", "repositories.pypi.url='{url}'"),
    ("pdm publish", "~/.config/pdm/config.toml", "repository.pypi.url='{url}'"),
    ("pdm -c mine publish", "mine", "repository.pypi.url='{url}'"),
]


@pytest.mark.parametrize(("line", "file", "text"), OWN)
def test_the_users_own_settings_may_say_where_pypi_is(
    workdir: Workdir, line: str, file: str, text: str
) -> None:
    """Many users set PyPI's URL. The secret is still PyPI, and the dialog shows the host."""
    workdir.write(file, text.format(url=UPLOAD))
    destination = workdir.destination(line)
    assert (destination.secret, destination.url, destination.builtin) == ("PyPI", UPLOAD, False)
    assert destination.shown == destination.host == "upload.pypi.example"
    for host in (HOST, "pypi.example", "uploads.example.org", "xupload.example.org", "upload"):
        workdir.write(file, text.format(url=f"https://{host}/"))
        assert workdir.secret(line) == host


@pytest.mark.parametrize(
    ("line", "file", "text"),
    [
        ("uv publish", "uv.toml", "publish-url = '{url}'"),
        ("uv publish", "pyproject.toml", "tool.uv.publish-url = '{url}'"),
        ("poetry publish -r pypi", "poetry.toml", "repositories.pypi.url = '{url}'"),
        ("pdm publish", "pdm.toml", "repository.pypi.url = '{url}'"),
    ],
)
def test_a_projects_settings_may_not_say_where_pypi_is(
    workdir: Workdir, line: str, file: str, text: str
) -> None:
    """Any host can begin with 'upload.', so secretly distrusts a project's URL for PyPI."""
    workdir.write(file, text.format(url=UPLOAD))
    assert workdir.secret(line) == "upload.pypi.example"


def test_a_url_on_the_command_line_never_gets_pypis_secret(workdir: Workdir) -> None:
    """The user may have copied the URL from anywhere, so the secret is named after the host."""
    assert workdir.secret(f"twine upload --repository-url {UPLOAD} x") == "upload.pypi.example"
    environ = {"TWINE_REPOSITORY_URL": UPLOAD}
    assert workdir.secret("twine upload -r pypi x", environ) == "upload.pypi.example"


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("twine upload --config-file mine x", "mine"),
        ("twine upload --config mine x", "mine"),
        ("twine upload --config-file=~/mine x", "~/mine"),
        ("flit publish --pypirc mine", "mine"),
    ],
)
def test_another_pypirc_may_be_named(
    workdir: Workdir, line: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option makes the tool and secretly read another file than ~/.pypirc."""
    monkeypatch.setenv("HOME", str(workdir.home))
    workdir.write(file, f"[pypi]\nrepository = {INTERNAL}\n")
    assert workdir.secret(line) == HOST


@pytest.mark.parametrize("text", ["repository = no section\n", "[pypi\n", "[pypi]\na=1\na=1\n"])
def test_a_broken_pypirc_is_refused(workdir: Workdir, text: str) -> None:
    """A broken .pypirc may name an index, and a guess could send the token anywhere."""
    workdir.write("~/.pypirc", text)
    for line in ("twine upload x", "flit publish"):
        with pytest.raises(Refused, match=r"\.pypirc"):
            workdir.secret(line)


def test_a_broken_pypirc_does_not_matter_if_the_url_is_given(workdir: Workdir) -> None:
    """If a URL names the index, the index doesn't come from .pypirc."""
    workdir.write("~/.pypirc", "[pypi\n")
    assert workdir.secret(f"twine upload --repository-url {INTERNAL} x") == HOST
    assert workdir.secret("flit publish", {"FLIT_INDEX_URL": INTERNAL}) == HOST
    assert workdir.secret("uv publish") == "PyPI"


@pytest.mark.process
@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("twine upload x", "~/.pypirc"),
        ("uv publish", "pyproject.toml"),
        ("uv publish", "uv.toml"),
        ("poetry publish -r x", "~/.config/pypoetry/config.toml"),
    ],
)
def test_a_pipe_as_settings_file_is_refused_without_waiting(
    workdir: Workdir, line: str, file: str
) -> None:
    """Opening a pipe would wait for a writer."""
    path = workdir.write(file)
    path.unlink()
    os.mkfifo(path)
    code = (
        "import os, sys; from secretly.config import loading;"
        "from secretly.config.command_line import recognize;"
        "from secretly.publishing.upload import upload_of;"
        "os.environ['SECRETLY_CONFIG'] = os.devnull;"
        "upload_of(recognize(sys.argv[1:], loading.load(os.environ)), os.environ).destination"
    )
    done = subprocess.run(  # fails after 30 seconds if secretly waits
        [sys.executable, "-c", code, *shlex.split(line)],
        env={**os.environ, "HOME": str(workdir.home), "XDG_CONFIG_HOME": ""},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert re.search(rf"Refused: .*{re.escape(path.name)}", done.stderr), done


@pytest.mark.parametrize("text", ["[{}]\n", "[pypi]\n[{}]\n", "[{}]\n[pypi]\n"])
@pytest.mark.parametrize("name", ["PyPI", "PYPI", "pyPI"])
def test_the_case_of_a_sections_name_counts(workdir: Workdir, text: str, name: str) -> None:
    """For twine and flit, which don't take ``[PyPI]`` for ``[pypi]``."""
    listed = "[distutils]\nindex-servers = pypi\n"
    workdir.write(
        "~/.pypirc", listed + text.format(name).replace("]\n", f"]\nrepository={INTERNAL}\n")
    )
    for line in ("twine upload x", "flit publish"):
        assert workdir.secret(line) == (HOST if "[pypi]" in text else "PyPI")
    assert workdir.secret(f"maturin upload --repository-url {INTERNAL} x") == HOST


#: Settings of a project, a user or a command line that give the name of an index another URL.
REDIRECTS = [
    ("uv publish", {}, "uv.toml", "publish-url = '{url}'"),
    ("uv publish", {}, "pyproject.toml", "[tool.uv]\npublish-url = '{url}'"),
    ("uv publish", {}, "../pyproject.toml", "[tool.uv]\npublish-url = '{url}'"),
    ("uv publish --directory sub", {}, "sub/uv.toml", "publish-url = '{url}'"),
    ("uv --project sub publish", {}, "sub/pyproject.toml", "[tool.uv]\npublish-url = '{url}'"),
    ("uv publish", {}, "~/.config/uv/uv.toml", "publish-url = '{url}'"),
    ("hatch publish", {}, "~/.config/hatch/config.toml", "[publish.index]\nrepo = '{url}'"),
    ("pdm publish", {}, "pdm.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm publish -r testpypi", {}, "pdm.toml", "[repository.testpypi]\nurl = '{url}'"),
    ("pdm publish -p sub", {}, "sub/pdm.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm publish", {}, "~/.config/pdm/config.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm publish", {"PDM_CONFIG_FILE": "p.toml"}, "p.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm -c p.toml publish", {}, "p.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm --config=p.toml publish", {}, "p.toml", "[repository.pypi]\nurl = '{url}'"),
]


#: The same, of tools that know no such index without the settings.
NEW = [
    ("hatch publish", {"HATCH_CONFIG": "h.toml"}, "h.toml", "[publish.index]\nrepo = '{url}'"),
    ("hatch --config h.toml publish", {}, "h.toml", "[publish.index]\nrepo = '{url}'"),
    ("poetry publish -r pypi", {}, "poetry.toml", "[repositories.pypi]\nurl = '{url}'"),
    ("poetry publish -C sub -r pypi", {}, "sub/poetry.toml", "[repositories.pypi]\nurl = '{url}'"),
    (
        "poetry publish -r pypi",
        {},
        "~/.config/pypoetry/config.toml",
        "[repositories.pypi]\nurl = '{url}'",
    ),
    (
        "poetry publish -r pypi",
        {"POETRY_CONFIG_DIR": "conf"},
        "conf/config.toml",
        "[repositories.pypi]\nurl = '{url}'",
    ),
    ("poetry publish -r PyPI", {}, "poetry.toml", "[repositories.PyPI]\nurl = '{url}'"),
    ("pdm publish -r 'PyPI/demo'", {}, "pdm.toml", "[repository.'PyPI/demo']\nurl = '{url}'"),
]


@pytest.mark.parametrize(
    ("line", "environ", "file", "text"), NEW, ids=[f"{r[0]} {r[2]}" for r in NEW]
)
def test_an_index_that_only_settings_define_never_gets_pypis_token(
    workdir: Workdir, line: str, environ: Mapping[str, str], file: str, text: str
) -> None:
    """Without the settings the tool would fail, and secretly refuses."""
    with pytest.raises(Refused) as caught:
        workdir.secret(line, environ)
    assert caught.value.hint
    workdir.write(file, text.format(url=INTERNAL))
    assert workdir.secret(line, environ) == HOST


@pytest.mark.parametrize(
    ("line", "environ", "file", "text"), REDIRECTS, ids=[f"{r[0]} {r[2]}" for r in REDIRECTS]
)
def test_settings_that_send_a_known_name_elsewhere_never_get_pypis_token(
    workdir: Workdir, line: str, environ: Mapping[str, str], file: str, text: str
) -> None:
    """If settings give a known name a URL, the secret is named after the host of that URL."""
    before = workdir.secret(line, environ)
    assert before.partition("/")[0] in ("PyPI", "TestPyPI", "pypi")
    workdir.write(file, text.format(url=INTERNAL))
    assert workdir.secret(line, environ) == HOST


def test_a_folder_for_settings_may_be_elsewhere(workdir: Workdir) -> None:
    """XDG_CONFIG_HOME replaces ~/.config as the folder for settings."""
    path = workdir.write("conf/pdm/config.toml", f"[repository.pypi]\nurl = '{INTERNAL}'")
    environ = {"XDG_CONFIG_HOME": str(path.parents[1])}
    assert workdir.secret("pdm publish", environ) == HOST


@pytest.mark.parametrize(
    "line", ["pdm publish", "hatch publish", "poetry publish -r mine", "uv publish"]
)
@pytest.mark.parametrize("folder", ["conf", "./conf", "~/conf"])
def test_a_relative_folder_for_settings_is_refused(
    workdir: Workdir, line: str, folder: str
) -> None:
    """Some tools would read the settings in the current folder, and some would ignore them."""
    with pytest.raises(Refused, match="XDG_CONFIG_HOME") as caught:
        workdir.destination(line, {"XDG_CONFIG_HOME": folder})
    assert "unset" in caught.value.hint
    if line in ("pdm publish", "uv publish"):
        for several in (folder, f"/nonexistent:{folder}"):
            with pytest.raises(Refused, match="XDG_CONFIG_DIRS"):
                workdir.destination(line, {"XDG_CONFIG_DIRS": several})
        for empty in ("/nonexistent:", ":/nonexistent", ":"):
            workdir.destination(line, {"XDG_CONFIG_DIRS": empty})


@pytest.mark.parametrize(
    ("url", "readable"),
    [
        ("https://example.org/", False),
        ("http://example.org/", True),
        ("HTTP://example.org:8080/", True),
        ("http://127.0.0.1:1/", False),
        ("http://127.1.2.3/", False),
        ("http://localhost:8080/", False),
        ("http://LOCALHOST/", False),
        ("http://[::1]/", False),
        ("http://127.0.0.1.example.org/", True),
        ("http://localhost.example.org/", True),
        ("http://[::2]/", True),
        ("http://localhost@example.org/", True),
    ],
)
def test_others_can_read_an_upload_over_http(workdir: Workdir, url: str, readable: bool) -> None:
    """Others on the network can read plain HTTP, unless the index is on this machine."""
    assert workdir.destination(f"twine upload --repository-url {url} x").plaintext is readable


@pytest.mark.parametrize("text", ["[", "a = " + "[" * 5000, "a = " + "1" * 5000, "\udcff"])
def test_broken_settings_are_refused(workdir: Workdir, text: str) -> None:
    """Broken settings may name the index, so secretly doesn't guess."""
    (workdir.project / "uv.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused, match=r"uv\.toml"):
        workdir.secret("uv publish")


@pytest.mark.parametrize(
    "text",
    [
        "project = 1",
        "[project]\nname = 1",
        "[tool]\nflit = 1\npoetry = []",
        "[tool.flit]\nmetadata = 1",
    ],
)
def test_settings_of_a_wrong_type_are_ignored(workdir: Workdir, text: str) -> None:
    """secretly leaves it to the tool to report settings of a wrong type."""
    workdir.write("pyproject.toml", text)
    assert workdir.secret("uv publish") == "PyPI"


# -- poetry's variables ----------------------------------------------------------


# -- what the real tools do ------------------------------------------------------

#: Runs two indexes with loopback as the only network, so that no upload reaches a real index.
#: Reads one command per line, and prints its status, the indexes that accepted it, and its output.
_ISLAND = """
import fcntl, json, socket, struct, subprocess, sys
with socket.socket() as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up
import tokens
with tokens.warehouse() as a, tokens.warehouse() as b:
    print(json.dumps([a.url, b.url]), flush=True)
    for line in sys.stdin:
        try:
            done = subprocess.run(**json.loads(line), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
            status, said = done.returncode, done.stdout
        except Exception as error:
            status, said = -1, repr(error)
        took = [index.url for index in (a, b) if 200 in index.statuses]
        a.uploads.clear(), b.uploads.clear()
        print(json.dumps([status, took, said[-500:]]), flush=True)
"""


class Island:
    """Two indexes in a network without any others.

    :ivar a: the URL of the first index.
    :ivar b: the URL of the second index.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.a, self.b = self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()  # each command has 60 seconds
        assert line, self._process.wait(30)
        return json.loads(line)

    def filled(self, text: str) -> str:
        """Return *text* with the URLs of the indexes in place of URL-A and URL-B."""
        return text.replace("URL-A", self.a).replace("URL-B", self.b)

    def run(self, line: str, folder: Path, environ: Mapping[str, str]) -> tuple[int, str, str]:
        """Run a command. Return its status, the index that accepted the upload, and the output."""
        words = shlex.split(line)
        command = {"args": [tool(words[0]), *words[1:]], "cwd": str(folder), "env": dict(environ)}
        assert self._process.stdin is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)
        status, took, said = self._answer()
        return status, "".join("B" if url == self.b else "A" for url in took), said


def _unshared() -> Sequence[str]:
    """Return the words that start a command without a network, or skip the test."""
    need("unshare")
    for command in (["unshare", "-n"], ["unshare", "-rn"]):
        if subprocess.run([*command, "true"], capture_output=True, timeout=30).returncode == 0:
            return command
    lacking("needs a network namespace, which this user may not make")


@pytest.fixture(name="island", scope="module")
def _island() -> Iterator[Island]:
    tokens.need_pypitoken()
    path = os.pathsep.join([os.path.dirname(__file__), *filter(None, sys.path)])
    process = subprocess.Popen(
        [*_unshared(), sys.executable, "-c", _ISLAND],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # closes its input at the end, and so ends the process
        yield Island(process)


#: Variables with every user name and password that the tools need, but no index.
GIVEN = {
    f"{start}_{name}": value
    for start, names in (
        ("TWINE", ("USERNAME", "PASSWORD")),
        ("UV_PUBLISH", ("USERNAME", "PASSWORD")),
        ("FLIT", ("USERNAME", "PASSWORD")),
        ("HATCH_INDEX", ("USER", "AUTH")),
        ("POETRY_HTTP_BASIC_X", ("USERNAME", "PASSWORD")),
        ("POETRY_HTTP_BASIC_PYPI", ("USERNAME", "PASSWORD")),
        ("MATURIN", ("USERNAME", "PASSWORD")),
    )
    for name, value in zip(names, ("__token__", tokens.token("127.0.0.1")), strict=True)
} | {
    "PATH": os.defpath,
    "LC_ALL": "C.UTF-8",
    "UV_HTTP_RETRIES": "0",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}

WHEEL = "dist/demo-1.0-py3-none-any.whl"
UV_A, UV_B = "[tool.uv]\npublish-url = 'URL-A'\n", "[tool.uv]\npublish-url = 'URL-B'\n"
FOO = "[[tool.uv.index]]\nname = 'foo'\nurl = 'URL-A'\npublish-url = 'URL-B'\n"
MEMBERS = "[tool.uv.workspace]\nmembers = ['sub']\n"
USERS = "~/.config/uv/uv.toml"
X_A, X_B = "repositories.x.url = 'URL-A'", "repositories.x.url = 'URL-B'"
NO_URL = "offline = false\n"

#: The command, its variables, the settings files, and the index that accepts the upload: A, B, or
#: the name of an index that secretly shows and that can't be reached here.
LEAD: dict[str, tuple[str, Mapping[str, str], Mapping[str, str], str]] = {
    "uv: the project's URL": (
        "uv publish",
        {},
        {"pyproject.toml": UV_A, USERS: "publish-url='URL-B'"},
        "A",
    ),
    "uv: the user's URL": ("uv publish", {}, {USERS: "publish-url = 'URL-B'"}, "B"),
    "uv: a project's folder is in the working folder": (
        "uv publish --project b --directory d",
        {},
        {"b/pyproject.toml": UV_A, "d/b/pyproject.toml": UV_B},
        "B",
    ),
    "uv: variables name both folders": (
        "uv publish",
        {"UV_PROJECT": "b", "UV_WORKING_DIR": "d"},
        {"b/pyproject.toml": UV_A, "d/b/pyproject.toml": UV_B},
        "B",
    ),
    "uv: a name takes precedence over the URL": (
        "uv publish --index foo",
        {},
        {"pyproject.toml": UV_A + FOO},
        "B",
    ),
    "uv: only a named index counts": (
        "uv publish",
        {},
        {"pyproject.toml": FOO.replace("foo", "pypi")},
        "PyPI",
    ),
    "uv: the nearest file hides a uv.toml above": (
        "uv publish --directory sub",
        {},
        {"uv.toml": "publish-url = 'URL-A'", "sub/pyproject.toml": UV_B},
        "B",
    ),
    "uv: the nearest file hides all files above": (
        "uv publish --directory d",
        {},
        {"pyproject.toml": UV_A, "d/pyproject.toml": "", "d/uv.toml": NO_URL}
        | {USERS: "publish-url = 'URL-B'"},
        "B",
    ),
    "uv: uv.toml hides the pyproject.toml in its folder": (
        "uv publish",
        {},
        {"uv.toml": NO_URL, "pyproject.toml": UV_A, USERS: "publish-url = 'URL-B'"},
        "B",
    ),
    "uv: a pyproject.toml without tool.uv hides nothing": (
        "uv publish --directory sub",
        {},
        {"pyproject.toml": UV_A, "sub/pyproject.toml": "", USERS: "publish-url = 'URL-B'"},
        "A",
    ),
    "uv: a workspace and its member agree": (
        "uv publish --directory sub",
        {},
        {"pyproject.toml": MEMBERS + UV_A, "sub/pyproject.toml": UV_A},
        "A",
    ),
    "uv: --config-file replaces all other files": (
        "uv publish --config-file c.toml",
        {},
        {"c.toml": "publish-url = 'URL-B'", "pyproject.toml": UV_A},
        "B",
    ),
    "uv: --config-file without a URL": (
        "uv publish --config-file c.toml",
        {},
        {"c.toml": NO_URL, "pyproject.toml": UV_A, USERS: "publish-url = 'URL-B'"},
        "PyPI",
    ),
    "uv: UV_CONFIG_FILE without a URL": (
        "uv publish",
        {"UV_CONFIG_FILE": "c.toml"},
        {"c.toml": NO_URL, "pyproject.toml": UV_A, USERS: "publish-url = 'URL-B'"},
        "PyPI",
    ),
    "uv: --no-config": (
        "uv publish --no-config",
        {},
        {"pyproject.toml": UV_A, USERS: "publish-url = 'URL-B'"},
        "PyPI",
    ),
    "uv: UV_NO_CONFIG": (
        "uv publish",
        {"UV_NO_CONFIG": "1"},
        {"pyproject.toml": UV_A, USERS: "publish-url = 'URL-B'"},
        "PyPI",
    ),
    "uv: the system's folders": (
        "uv publish",
        {"XDG_CONFIG_DIRS": "HERE/none:HERE/xdg:HERE/more"},
        {"xdg/uv/uv.toml": "publish-url = 'URL-B'", "more/uv/uv.toml": "publish-url = 'URL-A'"},
        "B",
    ),
    "uv: the user's file takes precedence over the system's": (
        "uv publish",
        {"XDG_CONFIG_DIRS": "HERE/xdg"},
        {"xdg/uv/uv.toml": "publish-url = 'URL-B'", USERS: "publish-url = 'URL-A'"},
        "A",
    ),
    "uv: an option that takes a value": (
        "uv publish --preview-features pylock --publish-url URL-B",
        {},
        {"pyproject.toml": UV_A},
        "B",
    ),
    "twine: a listed section counts": (
        f"twine upload -r foo {WHEEL}",
        {},
        {"~/.pypirc": "[distutils]\nindex-servers = foo\n[foo]\nrepository = URL-B\n"},
        "B",
    ),
    "twine: pypi and testpypi need no list": (
        f"twine upload -r testpypi {WHEEL}",
        {},
        {"~/.pypirc": "[testpypi]\nrepository = URL-B\n"},
        "B",
    ),
    "twine: a list without pypi hides pypi": (
        f"twine upload {WHEEL}",
        {},
        {"~/.pypirc": "[distutils]\nindex-servers = foo\n[pypi]\nrepository = URL-A\n"},
        "PyPI",
    ),
    "twine: a broken file does not matter to a URL": (
        f"twine upload --repository-url URL-A {WHEEL}",
        {},
        {"~/.pypirc": "[pypi\nbroken"},
        "A",
    ),
    "flit: pypi needs no list": (
        "flit publish --format wheel",
        {},
        {"~/.pypirc": "[pypi]\nrepository = URL-A\n"},
        "A",
    ),
    "flit: a list without pypi hides pypi": (
        "flit publish --format wheel",
        {},
        {"~/.pypirc": "[distutils]\nindex-servers = foo\n[pypi]\nrepository = URL-A\n"},
        "PyPI",
    ),
    "hatch: main can't be moved": (
        "hatch publish -n",
        {},
        {"~/.config/hatch/config.toml": "[publish.index.repos.main]\nurl = 'URL-A'\n"},
        "PyPI",
    ),
    "hatch: test can't be moved": (
        "hatch publish -n -r test",
        {},
        {"~/.config/hatch/config.toml": "[publish.index.repos]\ntest = 'URL-A'\n"},
        "TestPyPI",
    ),
    "hatch: other names can be moved": (
        "hatch publish -n -r foo",
        {},
        {"~/.config/hatch/config.toml": "[publish.index.repos]\nfoo = 'URL-A'\n"},
        "A",
    ),
    "poetry: only the project's own folder counts": (
        "poetry -C own publish -n -r x",
        {},
        {"poetry.toml": X_A, "own/pyproject.toml": "", "~/.config/pypoetry/config.toml": X_B},
        "B",
    ),
    "poetry: a subfolder of the project is ignored": (
        "poetry -C HERE/deep publish -n -r x",
        {},
        {"poetry.toml": X_A, "deep/poetry.toml": X_B},
        "A",
    ),
    "poetry: a project's folder is in the working folder": (
        "poetry -C d -P b publish -n -r x",
        {},
        {"b/pyproject.toml": "", "b/poetry.toml": X_A}
        | {"d/b/pyproject.toml": "", "d/b/poetry.toml": X_B},
        "B",
    ),
    "poetry: only a named index counts": (
        "poetry publish -n",
        {},
        {"poetry.toml": "repositories.pypi.url = 'URL-A'"},
        "PyPI",
    ),
    "uv: a workspace's settings hide its members'": (
        "uv publish --directory sub",
        {},
        {"pyproject.toml": MEMBERS + UV_A, "sub/pyproject.toml": UV_B},
        "A",
    ),
    "uv: a project's settings hide those of its folders": (
        "uv publish --directory d",
        {},
        {"pyproject.toml": UV_A, "d/uv.toml": "publish-url = 'URL-B'"},
        "A",
    ),
    "uv: a project's settings hide those of a folder without a URL": (
        "uv publish --directory d",
        {},
        {"pyproject.toml": UV_A, "d/uv.toml": NO_URL, USERS: "publish-url = 'URL-B'"},
        "A",
    ),
    "uv: an unmanaged project hides nothing": (
        "uv publish --directory d",
        {},
        {"pyproject.toml": UV_A + "managed = false\n", "d/uv.toml": "publish-url='URL-B'"},
        "B",
    ),
    "uv: a workspace doesn't hide the settings of other projects": (
        "uv publish --directory d",
        {},
        {"pyproject.toml": MEMBERS + UV_A, "d/pyproject.toml": UV_B},
        "B",
    ),
    "maturin: the case of a section is ignored": (
        f"maturin upload {WHEEL}",
        {},
        {"~/.pypirc": "[PyPI]\nrepository = URL-B\n"},
        "B",
    ),
    "maturin: the last of two sections counts": (
        f"maturin upload -r foo {WHEEL}",
        {},
        {"~/.pypirc": "[foo]\nrepository = URL-A\n[FOO]\nrepository = URL-B\n"},
        "B",
    ),
    "maturin: an unlisted section counts": (
        f"maturin upload -r foo {WHEEL}",
        {},
        {"~/.pypirc": "[foo]\nrepository = URL-B\n"},
        "B",
    ),
}


def settled(workdir: Workdir, island: Island, files: Mapping[str, str]) -> None:
    """Write settings files. Make a whole project with a wheel around each ``pyproject.toml``."""
    project(workdir.project)
    for name, text in files.items():
        if name.endswith("/pyproject.toml"):
            (workdir.project / name).parent.mkdir(parents=True, exist_ok=True)
            project((workdir.project / name).parent)
        before = ""
        if name.endswith("pyproject.toml"):
            before = (workdir.project / name).read_text()
        if name.startswith("sub/"):  # the members of a workspace need different names
            before = before.replace('"demo"', '"member"')
        workdir.write(name, before + island.filled(text))
    for folder in ("d", "deep"):  # uv uploads from its working folder
        shutil.copytree(
            workdir.project / "dist", workdir.project / folder / "dist", dirs_exist_ok=True
        )


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", LEAD)
def test_the_real_tool_uploads_to_the_destination_that_was_found(
    workdir: Workdir, island: Island, name: str
) -> None:
    """secretly finds the same index as the tool, whichever settings the tool uses."""
    line, named, files, where = LEAD[name]
    settled(workdir, island, files)
    variables = {key: text.replace("HERE", str(workdir.project)) for key, text in named.items()}
    line = island.filled(line).replace("HERE", str(workdir.project))
    url = {"A": island.a, "B": island.b}.get(where, "")
    destination = workdir.destination(line, variables)
    status, took, said = island.run(
        line, workdir.project, {**GIVEN, "HOME": str(workdir.home), **variables}
    )
    assert (took, status == 0) == (where if url else "", bool(url)), said
    assert destination.url == url
    assert destination.shown == (url.split("/")[2] if url else where)


#: Commands that secretly refuses, because the real tool would surprise the user, or stop: the
#: command, the settings files, and the index that accepts the upload.
ODD: dict[str, tuple[str, Mapping[str, str], str]] = {
    "twine: an unlisted section is ignored": (
        f"twine upload -r foo {WHEEL}",
        {"~/.pypirc": "[foo]\nrepository = URL-B\n"},
        "",
    ),
    "flit: testpypi needs a list": (
        "flit publish --format wheel --repository testpypi",
        {"~/.pypirc": "[testpypi]\nrepository = URL-B\n"},
        "",
    ),
    "uv: a backslash ends the host": (
        "uv publish --publish-url 'http://127.0.0.1:PORT-B\\@127.0.0.1:PORT-A/legacy/'",
        {},
        "B",
    ),
}


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", ODD)
def test_surprising_destinations_are_refused(workdir: Workdir, island: Island, name: str) -> None:
    """secretly refuses if the real tool uploads to an index that the user doesn't expect."""
    line, files, where = ODD[name]
    for port, url in (("PORT-A", island.a), ("PORT-B", island.b)):
        line = line.replace(port, url.split("/")[2].partition(":")[2])
    settled(workdir, island, files)
    with pytest.raises(Refused) as caught:
        workdir.destination(line)
    assert caught.value.hint
    _, took, said = island.run(line, workdir.project, {**GIVEN, "HOME": str(workdir.home)})
    assert took == where, said


# -- how an index is shown -------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tools_own_index_is_shown_by_its_name(workdir: Workdir, tool: str) -> None:
    """Only the tool knows the URL of its own index, so the dialog shows the name."""
    destination = workdir.destination(publish(tool))
    assert destination.builtin
    assert (destination.url, destination.host, destination.shown) == ("", "", "PyPI")


@pytest.mark.parametrize(
    ("url", "shown", "host"),
    [
        ("https://example.org/", "example.org", "example.org"),
        ("https://example.org", "example.org", "example.org"),
        ("https://Example.ORG:8443/x", "example.org:8443", "example.org"),
        ("https://me@example.org/x", "example.org", "example.org"),
        ("https://me:canary-1@example.org:1/x", "example.org:1", "example.org"),
        ("https://pypi.example@evil.example/", "evil.example", "evil.example"),
        ("http://[::1]/", "[::1]", "::1"),
        ("http://me:canary-1@[::1]:8080/", "[::1]:8080", "::1"),
        ("https://example.org?x=@pypi.example", "example.org", "example.org"),
        ("https://example.org#@pypi.example", "example.org", "example.org"),
    ],
)
def test_the_host_of_a_url_is_shown_and_compared(
    workdir: Workdir, url: str, shown: str, host: str
) -> None:
    """The dialog shows the port too, but a token's index is compared without the port."""
    destination = workdir.destination(f"twine upload --repository-url '{url}' x")
    assert (destination.secret, destination.shown, destination.host) == (shown, shown, host)


@pytest.mark.parametrize(
    "url",
    [
        "https://a@pypi.example:1@evil.example:2/",
        "https://exämple.org/",
        "https://example.org:x/",
        "https://example.org:0/",
        "https://{corp}.example.org/",
        "ftp://example.org/",
    ],
)
def test_a_url_that_programs_may_read_differently_is_refused(workdir: Workdir, url: str) -> None:
    """The error shows no user name and no password."""
    with pytest.raises(Refused, match=r"differently|no host") as caught:
        workdir.destination(f"twine upload --repository-url '{url}' x")
    assert ("xn--" in caught.value.hint) == (not url.isascii())
    assert "pypi.example" not in str(caught.value)


# -- the tool's folder -----------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("uv publish", {"UV_WORKING_DIR": "sub"}),
        ("uv publish", {"UV_PROJECT": "sub"}),
        ("uv publish --directory=sub", {"UV_WORKING_DIR": "other"}),
        ("uv --project sub publish", {"UV_PROJECT": "other"}),
        ("pdm publish", {"PDM_PROJECT": "sub"}),
        ("pdm publish --project sub", {"PDM_PROJECT": "other"}),
        ("poetry -P sub publish -r pypi", {}),
    ],
)
def test_the_settings_are_those_of_the_folder_that_the_tool_works_in(
    workdir: Workdir, line: str, environ: Mapping[str, str]
) -> None:
    """An option or a variable names the tool's folder. The option takes precedence."""
    for name, text in (
        ("uv.toml", "publish-url"),
        ("pdm.toml", "repository.pypi.url"),
        ("poetry.toml", "repositories.pypi.url"),
    ):
        workdir.write(f"sub/{name}", f"{text} = '{INTERNAL}'")
        workdir.write(f"other/{name}", f"{text} = 'https://other.example.org/'")
    assert workdir.secret(line, environ) == HOST


class Starting(ToolCall):
    """A call of a tool that starts in the folder that one of these names."""

    folder_options = ("--directory", "$FIRST", "$SECOND")

    def read(self) -> Words:
        """Read the arguments as most parsers do."""
        return self.invocation.parsed


def test_an_empty_variable_names_no_folder(workdir: Workdir) -> None:
    """Only a variable with a value names a folder. The last option takes precedence."""

    def folder(line: str, environ: Mapping[str, str]) -> str:
        start = Starting(workdir.invocation(line), environ).start_folder
        return os.path.relpath(start, workdir.project)

    assert folder("uv publish", {"FIRST": "", "SECOND": "b"}) == "b"
    assert folder("uv publish", {"FIRST": "a", "SECOND": "b"}) == "a"
    assert folder("uv publish", {}) == "."
    assert folder("uv --directory c publish --directory d", {"FIRST": "a"}) == "d"


# -- a password in plain text ----------------------------------------------------

PYPIRC = f"""
[distutils]
index-servers = pypi testpypi internal tidy empty
[pypi]
username = __token__
password = canary-1
[internal]
repository = {INTERNAL}
password = canary-2
[tidy]
repository = https://tidy.example.org/
username = me
[empty]
repository = https://empty.example.org/
password =
"""


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("twine upload x", "pypi"),
        ("twine upload -r pypi x", "pypi"),
        ("flit publish", "pypi"),
        ("maturin upload x", "pypi"),
        ("twine upload -r internal x", "internal"),
        (f"twine upload --repository-url {INTERNAL} x", "internal"),
        (f"maturin upload --repository-url {INTERNAL} x", "internal"),
    ],
)
def test_a_password_in_plain_text_is_found(workdir: Workdir, line: str, section: str) -> None:
    """The section matches by the name or by the URL of the index."""
    workdir.write("~/.pypirc", PYPIRC)
    assert workdir.plain(line) == ("~/.pypirc", section)


@pytest.mark.parametrize(
    "line",
    [
        "twine upload -r testpypi x",
        "twine upload -r tidy x",
        "twine upload -r empty x",
        "twine upload --repository-url https://another.example.org/ x",
        "uv publish",
        f"uv publish --publish-url {INTERNAL}",
        "hatch publish",
        "poetry publish",
        "pdm publish",
    ],
)
def test_the_password_of_another_index_is_not_found(workdir: Workdir, line: str) -> None:
    """secretly ignores empty passwords, and files that the tool doesn't read."""
    workdir.write("~/.pypirc", PYPIRC)
    assert workdir.plain(line) == ("", "")


def test_a_missing_file_has_no_password(workdir: Workdir) -> None:
    """Without a .pypirc, or with an empty .pypirc, secretly finds no password."""
    assert workdir.plain("twine upload x") == ("", "")
    workdir.write("~/.pypirc")
    assert workdir.plain("twine upload x") == ("", "")


def test_the_named_pypirc_is_read(workdir: Workdir) -> None:
    """If an option names a file, secretly looks there instead of in ~/.pypirc."""
    workdir.write("~/.pypirc", PYPIRC)
    workdir.write("mine", "[pypi]\nusername = me\n")
    assert workdir.plain("twine upload --config-file mine x") == ("", "")
    workdir.write("mine", PYPIRC)
    assert workdir.plain("flit publish --pypirc mine") == ("mine", "pypi")


def test_a_percent_sign_in_a_password_is_read_as_it_is(workdir: Workdir) -> None:
    """A .pypirc has no interpolation, so a percent sign means itself."""
    workdir.write("~/.pypirc", "[pypi]\npassword = canary-100%(x)s%\n")
    assert workdir.plain("twine upload x") == ("~/.pypirc", "pypi")


def test_without_home_the_system_says_where_the_home_folder_is(
    workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without HOME, secretly doesn't read a .pypirc in the working folder."""
    listed = "[distutils]\nindex-servers = mine\n[mine]\nrepository ="
    workdir.write(".pypirc", f"{listed} http://planted.example.org/\n")
    home = pwd.getpwuid(os.getuid()).pw_dir
    if os.path.exists(os.path.join(home, ".pypirc")):
        pytest.skip("this user has a .pypirc")
    monkeypatch.setenv("HOME", str(workdir.project))
    for environ in ({"HOME": ""}, {}):
        assert places.home_folder(environ) == home
        upload = upload_of(workdir.invocation("twine upload -r mine x"), environ)
        assert upload is not None
        with pytest.raises(Refused, match="'mine'"):
            _ = upload.destination
