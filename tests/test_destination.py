"""Where a publishing command would upload to, and so with which secret."""

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
from conftest import lacking, need
from hypothesis import given
from hypothesis import strategies as st
from test_publishing import project, tool

from secretly.config import loading, places
from secretly.config.command_line import Invocation, recognize
from secretly.config.model import Configuration
from secretly.errors import Refused, SecretlyError
from secretly.publishing.destination import Destination
from secretly.publishing.tool import Artifacts, PackageIndex, PublishingTool
from secretly.publishing.tool_call import ToolCall
from secretly.publishing.upload import Upload, upload_of

TOOLS = ("twine", "uv", "flit", "hatch", "poetry", "pdm", "maturin")
INTERNAL = "https://packages.example.org:8443/simple/"
HOST = "packages.example.org:8443"


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """The shipped configuration."""
    empty = tmp_path_factory.mktemp("configuration") / "empty.toml"
    empty.touch(0o600)
    return loading.load({"SECRETLY_CONFIG": str(empty)})


class Place:
    """A project's folder, in which one is, and a home with nothing in it."""

    def __init__(self, folder: Path, shipped: Configuration) -> None:
        self.project = folder / "project"
        self.home = folder / "home"
        self.shipped = shipped
        self.project.mkdir()
        self.home.mkdir()

    def call(self, line: str) -> Invocation:
        """What is known of a command line."""
        found = recognize(shlex.split(line), self.shipped)
        assert found is not None
        return found

    def secret(self, line: str, environ: Mapping[str, str] | None = None) -> str:
        """The secret that a command line needs."""
        return self.destination(line, environ).secret

    def upload(self, line: str, environ: Mapping[str, str] | None = None) -> Upload:
        """A look at the upload of a command line."""
        found = upload_of(self.call(line), {"HOME": str(self.home), **(environ or {})})
        assert found is not None
        return found

    def destination(self, line: str, environ: Mapping[str, str] | None = None) -> Destination:
        """Where a command line would upload to."""
        return self.upload(line, environ).destination

    def plain(self, line: str, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
        """The file, with ~ for the home, and the section with a password for its index."""
        path, section = self.upload(line, environ).plain_password()
        return path.replace(str(self.home), "~"), section

    def write(self, name: str, text: str = "") -> Path:
        """Write a file of the project, or of the home if its name begins with '~/'."""
        root = self.home if name.startswith("~/") else self.project
        path = root / name.removeprefix("~/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def place(tmp_path: Path, shipped: Configuration, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A project's folder, in which one is."""
    found = Place(tmp_path, shipped)
    monkeypatch.chdir(found.project)
    return found


def publish(tool: str) -> str:
    """A tool's command that publishes."""
    return {"twine": "twine upload dist/*", "maturin": "maturin upload x"}.get(
        tool, f"{tool} publish"
    )


# -- the index by name -----------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_the_default_index_is_pypi(place: Place, tool: str) -> None:
    """Whatever the tool calls it."""
    assert place.secret(publish(tool)) == "PyPI"


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
def test_the_tools_test_index_is_testpypi(place: Place, line: str) -> None:
    """By whichever name the tool has for it."""
    assert place.secret(line) == "TestPyPI"


@pytest.mark.parametrize(
    ("tool", "variable", "name"),
    [
        ("twine", "TWINE_REPOSITORY", "testpypi"),
        ("hatch", "HATCH_INDEX_REPO", "test"),
        ("pdm", "PDM_PUBLISH_REPO", "testpypi"),
        ("maturin", "MATURIN_REPOSITORY", "testpypi"),
    ],
)
def test_a_variable_names_the_index(place: Place, tool: str, variable: str, name: str) -> None:
    """The tool's own one; an option of the command line beats it, an empty one is none."""
    assert place.secret(publish(tool), {variable: name}) == "TestPyPI"
    assert place.secret(publish(tool), {variable: ""}) == "PyPI"
    default = "main" if tool == "hatch" else "pypi"
    assert place.secret(f"{publish(tool)} -r {default}", {variable: name}) == "PyPI"


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("twine upload -r internal x", {}),
        ("twine upload x", {"TWINE_REPOSITORY": "internal"}),
        ("uv publish --index internal", {}),
        ("uv publish", {"UV_PUBLISH_INDEX": "internal"}),
        ("flit publish --repository internal", {}),
        ("hatch publish -r internal", {}),
        ("poetry publish -r internal", {}),
        ("poetry publish --repository=internal", {}),
        ("pdm publish -r internal", {}),
        ("maturin upload -r internal x", {}),
    ],
)
def test_another_index_has_the_name_that_the_tool_uses(
    place: Place, line: str, environ: Mapping[str, str]
) -> None:
    """The user stores its secret under that name."""
    assert place.destination(line, environ) == Destination("internal", "internal")


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
    place: Place, line: str
) -> None:
    """With its port, without a user name and password that stand in it."""
    found = place.destination(line)
    assert found[:2] == ("", HOST)
    assert (found.shown, found.host) == (HOST, "packages.example.org")
    assert not found.builtin


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
def test_a_url_may_come_from_a_variable(place: Place, tool: str, variable: str) -> None:
    """A forgotten export of it sends no PyPI token there."""
    assert place.secret(publish(tool), {variable: INTERNAL}) == HOST


@pytest.mark.parametrize("tool", ["twine", "uv", "maturin"])
def test_a_url_in_the_environment_beats_a_name(place: Place, tool: str) -> None:
    """As it does for the tools themselves."""
    variable = {"twine": "TWINE_REPOSITORY_URL", "uv": "UV_PUBLISH_URL"}.get(
        tool, "MATURIN_REPOSITORY_URL"
    )
    option = "--index" if tool == "uv" else "-r"
    line = f"{publish(tool)} {option} pypi"
    assert place.secret(line, {variable: INTERNAL}) == HOST


def test_a_host_with_another_port_is_another_index(place: Place) -> None:
    """What listens there need not be the same."""
    hosts = [
        place.secret(f"twine upload --repository-url http://127.0.0.1{port}/ x")
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
def test_a_url_without_a_host_is_refused(place: Place, url: str) -> None:
    """It needs no secret that secretly knows, or programs disagree about its host."""
    with pytest.raises(Refused, match="no host") as caught:
        place.destination("twine upload x", {"TWINE_REPOSITORY_URL": url})
    assert caught.value.hint
    assert str(caught.value).isprintable()


def test_a_password_in_a_url_is_not_repeated(place: Place) -> None:
    """Not even in the error that says what is wrong with it."""
    with pytest.raises(Refused) as caught:
        place.secret("twine upload --repository-url https://me:canary-1@/ x")
    assert "canary" not in str(caught.value)


@given(st.text(st.characters(exclude_characters="\0")))
def test_any_url_has_a_host_or_is_refused(shipped: Configuration, url: str) -> None:
    """And never PyPI."""
    call = recognize(["twine", "upload", "x"], shipped)
    assert call is not None
    upload = upload_of(call, {"TWINE_REPOSITORY_URL": url, "HOME": "/nonexistent"})
    assert upload is not None
    try:
        found = upload.destination
    except SecretlyError as error:
        assert isinstance(error, Refused)
        assert str(error).isprintable()
    else:
        assert found.secret not in ("PyPI", "TestPyPI") or not url


# -- settings files --------------------------------------------------------------


def test_pypirc_names_the_other_indexes(place: Place) -> None:
    """A section's name is the secret's; its URL says where it is."""
    section = f"[internal]\nrepository = {INTERNAL}\nusername = me\n"
    place.write("~/.pypirc", f"[distutils]\nindex-servers =\n  pypi\n  internal\n{section}")
    lines = ["twine upload -r internal x", "flit publish --repository internal"]
    for line in (*lines, "maturin upload -r internal x"):
        assert place.destination(line) == Destination("internal", "internal", INTERNAL)
    for text in (section, f"[distutils]\nindex-servers = pypi\n{section}"):
        place.write("~/.pypirc", text)
        for line in lines:  # they look at no section that is not listed
            assert place.destination(line) == Destination("internal", "internal")


@pytest.mark.parametrize("tool", ["twine", "flit", "maturin"])
@pytest.mark.parametrize("name", ["pypi", "testpypi"])
def test_pypirc_may_send_a_known_name_elsewhere(place: Place, tool: str, name: str) -> None:
    """Then it is another host, and has the host's secret."""
    section = f"[{name}]\nrepository = {INTERNAL}\n"
    option = "-r" if tool != "flit" else "--repository"
    listed = f"[distutils]\nindex-servers = pypi testpypi\n{section}"
    # flit lists PyPI alone, unless told otherwise.
    for text in [listed] if (tool, name) == ("flit", "testpypi") else [listed, section]:
        place.write("~/.pypirc", text)
        assert place.secret(f"{publish(tool)} {option} {name}") == HOST
        if name == "pypi":
            assert place.secret(publish(tool)) == HOST


def test_a_section_without_a_url_changes_nothing(place: Place) -> None:
    """Many have one with the user name alone."""
    place.write("~/.pypirc", "[pypi]\nusername = __token__\n")
    assert place.secret("twine upload x") == "PyPI"


UPLOAD = "https://upload.pypi.example/legacy/"

#: Each tool with a file of the user's own, and the text in it that says where PyPI is.
OWN = [
    ("twine upload x", "~/.pypirc", "[pypi]\nrepository = {url}"),
    ("twine upload --config-file mine x", "mine", "[pypi]\nrepository = {url}"),
    ("flit publish", "~/.pypirc", "[pypi]\nrepository = {url}"),
    ("maturin upload x", "~/.pypirc", "[pypi]\nrepository = {url}"),
    ("uv publish", "~/.config/uv/uv.toml", "publish-url = '{url}'"),
    ("uv publish --config-file mine", "mine", "publish-url = '{url}'"),
    ("poetry publish -r pypi", "~/.config/pypoetry/config.toml", "repositories.pypi.url='{url}'"),
    ("pdm publish", "~/.config/pdm/config.toml", "repository.pypi.url='{url}'"),
    ("pdm publish -c mine", "mine", "repository.pypi.url='{url}'"),
]


@pytest.mark.parametrize(("line", "file", "text"), OWN)
def test_the_users_own_settings_may_say_where_pypi_is(
    place: Place, line: str, file: str, text: str
) -> None:
    """Many have done so for years: its secret is PyPI's, and its host is known and shown."""
    place.write(file, text.format(url=UPLOAD))
    found = place.destination(line)
    assert (found.secret, found.url, found.builtin) == ("PyPI", UPLOAD, False)
    assert found.shown == found.host == "upload.pypi.example"
    for host in (HOST, "pypi.example", "uploads.example.org", "xupload.example.org", "upload"):
        place.write(file, text.format(url=f"https://{host}/"))
        assert place.secret(line) == host


@pytest.mark.parametrize(
    ("line", "file", "text"),
    [
        ("uv publish", "uv.toml", "publish-url = '{url}'"),
        ("uv publish", "pyproject.toml", "tool.uv.publish-url = '{url}'"),
        ("uv publish --index pypi", "uv.toml", "[[index]]\nname='pypi'\npublish-url='{url}'"),
        ("poetry publish -r pypi", "poetry.toml", "repositories.pypi.url = '{url}'"),
        ("pdm publish", "pdm.toml", "repository.pypi.url = '{url}'"),
        ("pdm publish", ".pdm.toml", "repository.pypi.url = '{url}'"),
    ],
)
def test_a_projects_settings_may_not_say_where_pypi_is(
    place: Place, line: str, file: str, text: str
) -> None:
    """Any host can begin with 'upload.': what a project says of PyPI is not believed."""
    place.write(file, text.format(url=UPLOAD))
    assert place.secret(line) == "upload.pypi.example"


def test_a_url_on_the_command_line_is_never_pypis_name(place: Place) -> None:
    """It may have been copied from anywhere: the secret is the host's."""
    assert place.secret(f"twine upload --repository-url {UPLOAD} x") == "upload.pypi.example"
    environ = {"TWINE_REPOSITORY_URL": UPLOAD}
    assert place.secret("twine upload -r pypi x", environ) == "upload.pypi.example"


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
    place: Place, line: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of the one at home."""
    monkeypatch.setenv("HOME", str(place.home))
    place.write(file, f"[pypi]\nrepository = {INTERNAL}\n")
    assert place.secret(line) == HOST


@pytest.mark.parametrize("text", ["repository = no section\n", "[pypi\n", "[pypi]\na=1\na=1\n"])
def test_a_broken_pypirc_is_refused(place: Place, text: str) -> None:
    """It says where the index is: a guess could send the token anywhere."""
    place.write("~/.pypirc", text)
    for line in ("twine upload x", "flit publish", "maturin upload x"):
        with pytest.raises(Refused, match=r"\.pypirc"):
            place.secret(line)


def test_a_broken_pypirc_does_not_matter_if_the_url_is_given(place: Place) -> None:
    """The index does not stand in it then."""
    place.write("~/.pypirc", "[pypi\n")
    assert place.secret(f"twine upload --repository-url {INTERNAL} x") == HOST
    assert place.secret("flit publish", {"FLIT_INDEX_URL": INTERNAL}) == HOST
    assert place.secret("uv publish") == "PyPI"


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
    place: Place, line: str, file: str
) -> None:
    """To open it would wait for a writer."""
    path = place.write(file)
    path.unlink()
    os.mkfifo(path)
    code = (
        "import os, sys; from secretly.config import loading;"
        "from secretly.config.command_line import recognize;"
        "from secretly.publishing.upload import upload_of;"
        "os.environ['SECRETLY_CONFIG'] = os.devnull;"
        "upload_of(recognize(sys.argv[1:], loading.load(os.environ)), os.environ).destination"
    )
    done = subprocess.run(  # it must not wait
        [sys.executable, "-c", code, *shlex.split(line)],
        env={**os.environ, "HOME": str(place.home), "XDG_CONFIG_HOME": ""},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert re.search(rf"Refused: .*{re.escape(path.name)}", done.stderr), done


@pytest.mark.parametrize("text", ["[{}]\n", "[pypi]\n[{}]\n", "[{}]\n[pypi]\n"])
@pytest.mark.parametrize("name", ["PyPI", "PYPI", "pyPI"])
def test_a_section_whose_name_differs_by_case_is_refused(
    place: Place, text: str, name: str
) -> None:
    """Some tools take the two for one, others do not."""
    listed = "[distutils]\nindex-servers = pypi\n"
    place.write(
        "~/.pypirc", listed + text.format(name).replace("]\n", f"]\nrepository={INTERNAL}\n")
    )
    for line in ("maturin upload x", "twine upload x", "flit publish"):
        with pytest.raises(Refused, match=rf"\.pypirc .*\[{name}\]") as caught:
            place.secret(line)
        assert caught.value.hint
    assert place.secret(f"maturin upload --repository-url {INTERNAL} x") == HOST


#: Where each tool lets a project's, a user's or the command line's settings say where a name is.
REDIRECTS = [
    ("uv publish", {}, "uv.toml", "publish-url = '{url}'"),
    ("uv publish", {}, "pyproject.toml", "[tool.uv]\npublish-url = '{url}'"),
    ("uv publish", {}, "../pyproject.toml", "[tool.uv]\npublish-url = '{url}'"),
    ("uv publish --directory sub", {}, "sub/uv.toml", "publish-url = '{url}'"),
    ("uv --project sub publish", {}, "sub/pyproject.toml", "[tool.uv]\npublish-url = '{url}'"),
    ("uv publish", {}, "~/.config/uv/uv.toml", "publish-url = '{url}'"),
    ("uv publish", {"UV_CONFIG_FILE": "my.toml"}, "my.toml", "publish-url = '{url}'"),
    ("uv publish --config-file my.toml", {}, "my.toml", "publish-url = '{url}'"),
    ("uv publish --index pypi", {}, "uv.toml", "[[index]]\nname='pypi'\npublish-url = '{url}'"),
    (
        "uv publish --index pypi",
        {},
        "pyproject.toml",
        "[[tool.uv.index]]\nname='other'\n[[tool.uv.index]]\nname='pypi'\npublish-url = '{url}'",
    ),
    (
        "uv publish --index pypi",
        {},
        "~/.config/uv/uv.toml",
        "[[index]]\nname='pypi'\npublish-url = '{url}'",
    ),
    (
        "uv publish --index pypi --config-file my.toml",
        {},
        "my.toml",
        "[[index]]\nname='pypi'\npublish-url = '{url}'",
    ),
    (
        "uv publish --index PyPI",
        {},
        "pyproject.toml",
        "[[tool.uv.index]]\nname='PyPI'\npublish-url = '{url}'",
    ),
    (
        "uv publish --index TestPyPI",
        {},
        "pyproject.toml",
        "[[tool.uv.index]]\nname='TestPyPI'\npublish-url = '{url}'",
    ),
    ("hatch publish", {}, "~/.config/hatch/config.toml", "[publish.index]\nrepo = '{url}'"),
    (
        "hatch publish",
        {},
        "~/Library/Application Support/hatch/config.toml",
        "[publish.index]\nrepo = '{url}'",
    ),
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
    ("pdm publish", {}, "pdm.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm publish -r testpypi", {}, "pdm.toml", "[repository.testpypi]\nurl = '{url}'"),
    ("pdm publish", {}, ".pdm.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm publish -p sub", {}, "sub/pdm.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm publish", {}, "~/.config/pdm/config.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm publish", {"PDM_CONFIG_FILE": "p.toml"}, "p.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm -c p.toml publish", {}, "p.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm --config=p.toml publish", {}, "p.toml", "[repository.pypi]\nurl = '{url}'"),
    ("pdm publish -r 'PyPI/demo'", {}, "pdm.toml", "[repository.'PyPI/demo']\nurl = '{url}'"),
]


@pytest.mark.parametrize(
    ("line", "environ", "file", "text"), REDIRECTS, ids=[f"{r[0]} {r[2]}" for r in REDIRECTS]
)
def test_settings_that_send_a_known_name_elsewhere_never_get_pypis_token(
    place: Place, line: str, environ: Mapping[str, str], file: str, text: str
) -> None:
    """Nor a project that calls an index of its own 'PyPI': each has its host's secret."""
    before = place.secret(line, environ)
    assert before.partition("/")[0] in ("PyPI", "TestPyPI", "pypi")
    place.write(file, text.format(url=INTERNAL))
    assert place.secret(line, environ) == HOST


def test_a_folder_for_settings_may_be_elsewhere(place: Place) -> None:
    """XDG_CONFIG_HOME moves what is otherwise in ~/.config."""
    path = place.write("conf/pdm/config.toml", f"[repository.pypi]\nurl = '{INTERNAL}'")
    environ = {"XDG_CONFIG_HOME": str(path.parents[1])}
    assert place.secret("pdm publish", environ) == HOST


@pytest.mark.parametrize(
    ("line", "file", "text"),
    [
        ("uv publish --index mine", "uv.toml", "[[index]]\nname = 'mine'\npublish-url = '{url}'"),
        ("pdm publish -r mine", "pdm.toml", "[repository.mine]\nurl = '{url}'"),
        ("poetry publish -r mine", "poetry.toml", "[repositories.mine]\nurl = '{url}'"),
        ("hatch publish", "~/.config/hatch/config.toml", "[publish.index]\nrepo = 'mine'"),
        (
            "hatch publish",
            "~/.config/hatch/config.toml",
            "[publish.index]\nrepo = 'mine'\n[publish.index.repos]\nmine = '{url}'",
        ),
        (
            "hatch publish -r mine",
            "~/.config/hatch/config.toml",
            "[publish.index.repos.mine]\nurl = '{url}'",
        ),
        (
            "hatch --config h.toml publish -r mine",
            "h.toml",
            "[publish.index.repos]\nmine = '{url}'",
        ),
    ],
)
def test_settings_may_name_another_index(place: Place, line: str, file: str, text: str) -> None:
    """Its name is the secret's name. The dialog shows its host."""
    place.write(file, text.format(url=INTERNAL))
    found = place.destination(line)
    assert found[:2] == ("mine", "mine")
    known = "{url}" in text
    assert (found.url, found.shown) == ((INTERNAL, HOST) if known else ("", "mine"))


def test_a_test_index_that_the_settings_describe_is_testpypi(place: Place) -> None:
    """The user's own settings may say where it is, if the host is a test index's."""
    text = "[[index]]\nname = 'testpypi'\npublish-url = '{}'"
    url = "https://test.pypi.example/legacy/"
    place.write("~/.config/uv/uv.toml", text.format(url))
    found = place.destination("uv publish --index testpypi")
    assert found == Destination("testpypi", "TestPyPI", url)
    assert found.shown == "test.pypi.example"
    place.write("~/.config/uv/uv.toml", text.format(INTERNAL))
    assert place.secret("uv publish --index testpypi") != "TestPyPI"


@pytest.mark.parametrize(
    ("line", "file", "text"),
    [
        (
            "uv publish --index testpypi",
            "pyproject.toml",
            "[[tool.uv.index]]\nname = 'testpypi'\npublish-url = '{}'",
        ),
        ("pdm publish -r testpypi", "pdm.toml", "[repository.testpypi]\nurl = '{}'"),
        ("poetry publish -r testpypi", "poetry.toml", "[repositories.testpypi]\nurl = '{}'"),
    ],
)
def test_a_projects_settings_get_no_token_of_the_test_index(
    place: Place, line: str, file: str, text: str
) -> None:
    """Any host can begin with 'test.': what a project says of it is not believed."""
    place.write(file, text.format("https://test.evil.example/"))
    assert place.secret(line) not in ("PyPI", "TestPyPI")


def test_flit_knows_no_test_index(place: Place) -> None:
    """The name has no meaning but the user's."""
    line = "flit publish --repository testpypi"
    assert place.destination(line) == Destination("testpypi", "testpypi")
    section = "[testpypi]\nrepository = https://test.pypi.example/legacy/\n"
    place.write("~/.pypirc", f"[distutils]\nindex-servers = pypi testpypi\n{section}")
    assert place.secret(line) == "TestPyPI"


@pytest.mark.parametrize(
    ("line", "file", "key"),
    [
        ("pdm publish -r x", "pdm", "repository"),
        ("pdm publish -r x", ".pdm", "repository"),
        ("poetry publish -r x", "poetry", "repositories"),
    ],
)
def test_the_settings_of_a_folder_above_the_project_do_not_count(
    place: Place, line: str, file: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pdm and poetry look in the project's own; in a folder of the project that is above."""
    place.write(f"{file}.toml", f"[{key}.x]\nurl = 'https://above.example.org/'\n")
    place.write("sub/pyproject.toml")
    (place.project / "sub" / "deep").mkdir()
    for folder in ("sub", "sub/deep"):
        monkeypatch.chdir(place.project / folder)
        assert place.destination(line).url == ""
    place.write(f"sub/{file}.toml", f"[{key}.x]\nurl = '{INTERNAL}'\n")
    assert place.destination(line).url == INTERNAL


@pytest.mark.parametrize(
    "text", ["[publish.index.repos]\n{} = '{}'", "publish.index.repos.{}.url='{}'"]
)
def test_no_setting_moves_hatchs_own_two_indexes(place: Place, text: str) -> None:
    """No setting moves them; it moves others."""
    for name, secret in (("main", "PyPI"), ("test", "TestPyPI")):
        place.write("~/.config/hatch/config.toml", text.format(name, INTERNAL))
        assert place.destination(f"hatch publish -r {name}") == Destination(name, secret)
    place.write("~/.config/hatch/config.toml", text.format("mine", INTERNAL))
    assert place.destination("hatch publish -r mine").url == INTERNAL


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
def test_an_upload_over_http_can_be_read(place: Place, url: str, readable: bool) -> None:
    """Unless it never leaves this machine."""
    assert place.destination(f"twine upload --repository-url {url} x").plaintext is readable


def test_hatchs_own_settings_choose_its_index(place: Place) -> None:
    """An option or a variable beats them."""
    place.write("~/.config/hatch/config.toml", "[publish.index]\nrepo = 'test'")
    assert place.secret("hatch publish") == "TestPyPI"
    assert place.secret("hatch publish -r main") == "PyPI"
    assert place.secret("hatch publish", {"HATCH_INDEX_REPO": "main"}) == "PyPI"


@pytest.mark.parametrize("text", ["[", "a = " + "[" * 5000, "a = " + "1" * 5000, "\udcff"])
def test_broken_settings_are_refused(place: Place, text: str) -> None:
    """They may name the index."""
    (place.project / "uv.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused, match=r"uv\.toml"):
        place.secret("uv publish")


@pytest.mark.parametrize(
    "text",
    [
        "tool = 1",
        "[tool]\nuv = 1",
        "[tool.uv]\npublish-url = 1",
        "[tool.uv]\npublish-url = ''",
        "[tool.uv]\nindex = 1",
        "[tool.uv]\nindex = [1]",
        "[[tool.uv.index]]\nname = 1",
        "[[tool.uv.index]]\nname = 'pypi'",
        "[[tool.uv.index]]\nname = 'pypi'\npublish-url = 1",
        "project = 1",
        "[project]\nname = 1",
        "[tool]\nflit = 1\npoetry = []",
        "[tool.flit]\nmetadata = 1",
    ],
)
def test_settings_of_another_shape_say_nothing(place: Place, text: str) -> None:
    """The tool will say what it thinks of them."""
    place.write("pyproject.toml", text)
    assert place.secret("uv publish") == "PyPI"
    assert place.secret("uv publish --index pypi") == "PyPI"


# -- poetry's variables ----------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        ("poetry publish", "POETRY_HTTP_BASIC_PYPI_PASSWORD"),
        ("poetry publish -r my-own", "POETRY_HTTP_BASIC_MY_OWN_PASSWORD"),
        ("poetry publish -r internal2", "POETRY_HTTP_BASIC_INTERNAL2_PASSWORD"),
    ],
)
def test_poetrys_variables_are_named_after_the_index(
    place: Place, line: str, variable: str
) -> None:
    """In capitals, with underscores."""
    found = place.destination(line)
    assert found.filled("POETRY_HTTP_BASIC_{REPOSITORY}_PASSWORD") == variable
    assert found.filled("TWINE_PASSWORD") == "TWINE_PASSWORD"


def test_a_variable_may_say_where_poetrys_index_is(place: Place) -> None:
    """The index keeps its name, and so its secret and its variables; PyPI's name does not."""
    environ = {"POETRY_REPOSITORIES_MY_OWN_URL": INTERNAL}
    found = place.destination("poetry publish -r my-own", environ)
    assert found == Destination("my-own", "my-own", INTERNAL)
    assert found.filled("X_{REPOSITORY}") == "X_MY_OWN"
    assert place.secret("poetry publish", environ) == "PyPI"
    environ = {"POETRY_REPOSITORIES_PYPI_URL": INTERNAL}
    found = place.destination("poetry publish -r pypi", environ)
    assert found == Destination("pypi", HOST, INTERNAL)


# -- what the real tools do ------------------------------------------------------

#: Two indexes with loopback as the only network: nothing can go to a real index. It reads
#: commands, one in a line, and says of each how it ended and which index took uploads.
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
    """Two indexes, and no way to any other.

    :ivar a: the URL of the one.
    :ivar b: that of the other.
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
        """*text* with the indexes' URLs for URL-A and URL-B."""
        return text.replace("URL-A", self.a).replace("URL-B", self.b)

    def run(self, line: str, folder: Path, environ: Mapping[str, str]) -> tuple[int, str, str]:
        """Run a command; return its status, which index took an upload, and what was said."""
        words = shlex.split(line)
        command = {"args": [tool(words[0]), *words[1:]], "cwd": str(folder), "env": dict(environ)}
        assert self._process.stdin is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)
        status, took, said = self._answer()
        return status, "".join("B" if url == self.b else "A" for url in took), said


def _unshared() -> Sequence[str]:
    """What starts a command without a network, if that is allowed here."""
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
    with process:  # the end of its input is its own
        yield Island(process)


#: All that the tools could ask for, and nothing that says where to.
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

#: The command, its variables, the settings files, and the index that takes the upload: A, B,
#: or none of them, and then the known name that it is shown as.
LEAD: dict[str, tuple[str, Mapping[str, str], Mapping[str, str], str]] = {
    "uv: its URL": ("uv publish", {}, {"pyproject.toml": UV_A, USERS: "publish-url='URL-B'"}, "A"),
    "uv: its user's URL": ("uv publish", {}, {USERS: "publish-url = 'URL-B'"}, "B"),
    "uv: a project's folder is in the working folder": (
        "uv publish --project b --directory d",
        {},
        {"b/pyproject.toml": UV_A, "d/b/pyproject.toml": UV_B},
        "B",
    ),
    "uv: both from variables": (
        "uv publish",
        {"UV_PROJECT": "b", "UV_WORKING_DIR": "d"},
        {"b/pyproject.toml": UV_A, "d/b/pyproject.toml": UV_B},
        "B",
    ),
    "uv: a name beats the URL": ("uv publish --index foo", {}, {"pyproject.toml": UV_A + FOO}, "B"),
    "uv: without a name no index counts": (
        "uv publish",
        {},
        {"pyproject.toml": FOO.replace("foo", "pypi")},
        "PyPI",
    ),
    "uv: the nearest hides a uv.toml above": (
        "uv publish --directory sub",
        {},
        {"uv.toml": "publish-url = 'URL-A'", "sub/pyproject.toml": UV_B},
        "B",
    ),
    "uv: the nearest hides all above": (
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
    "uv: what has no tool.uv hides nothing": (
        "uv publish --directory sub",
        {},
        {"pyproject.toml": UV_A, "sub/pyproject.toml": "", USERS: "publish-url = 'URL-B'"},
        "A",
    ),
    "uv: a workspace that agrees": (
        "uv publish --directory sub",
        {},
        {"pyproject.toml": MEMBERS + UV_A, "sub/pyproject.toml": UV_A},
        "A",
    ),
    "uv: --config-file replaces all": (
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
        {"XDG_CONFIG_DIRS": "none:xdg:more"},
        {"xdg/uv/uv.toml": "publish-url = 'URL-B'", "more/uv/uv.toml": "publish-url = 'URL-A'"},
        "B",
    ),
    "uv: the user's before the system's": (
        "uv publish",
        {"XDG_CONFIG_DIRS": "xdg"},
        {"xdg/uv/uv.toml": "publish-url = 'URL-B'", USERS: "publish-url = 'URL-A'"},
        "A",
    ),
    "uv: an option that takes a value": (
        "uv publish --preview-features pylock --publish-url URL-B",
        {},
        {"pyproject.toml": UV_A},
        "B",
    ),
    "twine: a section that is listed": (
        f"twine upload -r foo {WHEEL}",
        {},
        {"~/.pypirc": "[distutils]\nindex-servers = foo\n[foo]\nrepository = URL-B\n"},
        "B",
    ),
    "twine: one that is not": (
        f"twine upload -r foo {WHEEL}",
        {},
        {"~/.pypirc": "[foo]\nrepository = URL-B\n"},
        "foo",
    ),
    "twine: its own two are": (
        f"twine upload -r testpypi {WHEEL}",
        {},
        {"~/.pypirc": "[testpypi]\nrepository = URL-B\n"},
        "B",
    ),
    "twine: unless others are": (
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
    "flit: its own is listed": (
        "flit publish --format wheel",
        {},
        {"~/.pypirc": "[pypi]\nrepository = URL-A\n"},
        "A",
    ),
    "flit: unless others are": (
        "flit publish --format wheel",
        {},
        {"~/.pypirc": "[distutils]\nindex-servers = foo\n[pypi]\nrepository = URL-A\n"},
        "PyPI",
    ),
    "flit: the test index is not its own": (
        "flit publish --format wheel --repository testpypi",
        {},
        {"~/.pypirc": "[testpypi]\nrepository = URL-B\n"},
        "testpypi",
    ),
    "hatch: its own cannot be moved": (
        "hatch publish -n",
        {},
        {"~/.config/hatch/config.toml": "[publish.index.repos.main]\nurl = 'URL-A'\n"},
        "PyPI",
    ),
    "hatch: nor its test index": (
        "hatch publish -n -r test",
        {},
        {"~/.config/hatch/config.toml": "[publish.index.repos]\ntest = 'URL-A'\n"},
        "TestPyPI",
    ),
    "hatch: others can": (
        "hatch publish -n -r foo",
        {},
        {"~/.config/hatch/config.toml": "[publish.index.repos]\nfoo = 'URL-A'\n"},
        "A",
    ),
    "poetry: the project's own folder alone": (
        "poetry -C own publish -n -r x",
        {},
        {"poetry.toml": X_A, "own/pyproject.toml": "", "~/.config/pypoetry/config.toml": X_B},
        "B",
    ),
    "poetry: a folder below the project's": (
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
    "poetry: without a name no setting counts": (
        "poetry publish -n",
        {},
        {"poetry.toml": "repositories.pypi.url = 'URL-A'"},
        "PyPI",
    ),
    "maturin: what is not listed counts": (
        f"maturin upload -r foo {WHEEL}",
        {},
        {"~/.pypirc": "[foo]\nrepository = URL-B\n"},
        "B",
    ),
}


def settled(place: Place, island: Island, files: Mapping[str, str]) -> None:
    """Write settings files; each `pyproject.toml` is a whole project's, with its wheel."""
    project(place.project)
    for name, text in files.items():
        if name.endswith("/pyproject.toml"):
            (place.project / name).parent.mkdir(parents=True, exist_ok=True)
            project((place.project / name).parent)
        before = ""
        if name.endswith("pyproject.toml"):
            before = (place.project / name).read_text()
        if name.startswith("sub/"):  # no two members of a workspace are called the same
            before = before.replace('"demo"', '"member"')
        place.write(name, before + island.filled(text))
    for folder in ("d", "deep"):  # uv uploads from where it works
        shutil.copytree(place.project / "dist", place.project / folder / "dist", dirs_exist_ok=True)


@pytest.mark.real
@pytest.mark.parametrize("name", LEAD)
def test_the_real_tool_uploads_to_the_destination_that_was_found(
    place: Place, island: Island, name: str
) -> None:
    """Whichever of its settings count; where none does, to the index that it knows itself."""
    line, variables, files, where = LEAD[name]
    settled(place, island, files)
    line = island.filled(line).replace("HERE", str(place.project))
    url = {"A": island.a, "B": island.b}.get(where, "")
    found = place.destination(line, variables)
    status, took, said = island.run(
        line, place.project, {**GIVEN, "HOME": str(place.home), **variables}
    )
    assert (took, status == 0) == (where if url else "", bool(url)), said
    assert found.url == url
    assert found.shown == (url.split("/")[2] if url else where)


#: What is refused, for what the real tool does is not what one would think: the command, the
#: settings files, which index takes the upload.
ODD: dict[str, tuple[str, Mapping[str, str], str]] = {
    "uv: a workspace's settings hide its members'": (
        "uv publish --directory sub",
        {"pyproject.toml": MEMBERS + UV_A, "sub/pyproject.toml": UV_B},
        "A",
    ),
    "uv: a project's settings hide those of its folders": (
        "uv publish --directory d",
        {"pyproject.toml": UV_A, "d/uv.toml": "publish-url = 'URL-B'"},
        "A",
    ),
    "uv: even where these say nothing": (
        "uv publish --directory d",
        {"pyproject.toml": UV_A, "d/uv.toml": NO_URL, USERS: "publish-url = 'URL-B'"},
        "A",
    ),
    "uv: but not where it is none": (
        "uv publish --directory d",
        {"pyproject.toml": UV_A + "managed = false\n", "d/uv.toml": "publish-url='URL-B'"},
        "B",
    ),
    "uv: a workspace doesn't hide the settings of other projects": (
        "uv publish --directory d",
        {"pyproject.toml": MEMBERS + UV_A, "d/pyproject.toml": UV_B},
        "B",
    ),
    "maturin: the case of a section does not count": (
        f"maturin upload {WHEEL}",
        {"~/.pypirc": "[PyPI]\nrepository = URL-B\n"},
        "B",
    ),
    "maturin: of two it takes the last": (
        f"maturin upload -r foo {WHEEL}",
        {"~/.pypirc": "[foo]\nrepository = URL-A\n[FOO]\nrepository = URL-B\n"},
        "B",
    ),
    "uv: where a backslash ends the host": (
        "uv publish --publish-url 'http://127.0.0.1:PORT-B\\@127.0.0.1:PORT-A/legacy/'",
        {},
        "B",
    ),
}


@pytest.mark.real
@pytest.mark.parametrize("name", ODD)
def test_surprising_destinations_are_refused(place: Place, island: Island, name: str) -> None:
    """The real tool goes where a user would not expect."""
    line, files, where = ODD[name]
    for port, url in (("PORT-A", island.a), ("PORT-B", island.b)):
        line = line.replace(port, url.split("/")[2].partition(":")[2])
    settled(place, island, files)
    with pytest.raises(Refused) as caught:
        place.destination(line)
    assert caught.value.hint
    _, took, said = island.run(line, place.project, {**GIVEN, "HOME": str(place.home)})
    assert took == where, said


# -- the words for an index -------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tools_own_index_is_shown_by_its_name(place: Place, tool: str) -> None:
    """Where it is, the tool alone knows."""
    found = place.destination(publish(tool))
    assert found.builtin
    assert (found.url, found.host, found.shown) == ("", "", "PyPI")


def test_an_index_that_only_the_tool_knows_is_shown_by_the_tools_name(place: Place) -> None:
    """It is not one of the two that tools know by themselves."""
    found = place.destination("uv publish --index internal")
    assert not found.builtin
    assert (found.url, found.host, found.shown) == ("", "", "internal")
    assert not place.destination("uv publish --index my-PyPI").builtin


@pytest.mark.parametrize(
    ("url", "shown", "host"),
    [
        ("https://example.org/", "example.org", "example.org"),
        ("https://example.org", "example.org", "example.org"),
        ("https://Example.ORG:8443/x", "example.org:8443", "example.org"),
        ("https://me@example.org/x", "example.org", "example.org"),
        ("https://me:canary-1@example.org:1/x", "example.org:1", "example.org"),
        ("https://pypi.example@evil.example/", "evil.example", "evil.example"),
        ("https://a@pypi.example:1@evil.example:2/", "evil.example:2", "evil.example"),
        ("http://[::1]/", "[::1]", "::1"),
        ("http://me:canary-1@[::1]:8080/", "[::1]:8080", "::1"),
        ("https://example.org?x=@pypi.example", "example.org", "example.org"),
        ("https://example.org#@pypi.example", "example.org", "example.org"),
    ],
)
def test_the_host_of_a_url_is_shown_and_compared(
    place: Place, url: str, shown: str, host: str
) -> None:
    """With its port in the dialog, and without it where a token's index is compared."""
    found = place.destination(f"twine upload --repository-url '{url}' x")
    assert (found.secret, found.shown, found.host) == (shown, shown, host)


# -- the folder ------------------------------------------------------------------


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
    place: Place, line: str, environ: Mapping[str, str]
) -> None:
    """An option or the tool's variable names it; the option wins."""
    for name, text in (
        ("uv.toml", "publish-url"),
        ("pdm.toml", "repository.pypi.url"),
        ("poetry.toml", "repositories.pypi.url"),
    ):
        place.write(f"sub/{name}", f"{text} = '{INTERNAL}'")
        place.write(f"other/{name}", f"{text} = 'https://other.example.org/'")
    assert place.secret(line, environ) == HOST


def test_an_empty_variable_names_no_folder(place: Place) -> None:
    """Nor does one that is not set; the last option counts; else it is where one is."""

    def folder(line: str, environ: Mapping[str, str]) -> str:
        index = PackageIndex(folder_options=("--directory", "$FIRST", "$SECOND"))
        tool = PublishingTool(index, Artifacts())
        found = ToolCall(place.call(line), tool, environ).start_folder
        return os.path.relpath(found, place.project)

    assert folder("uv publish", {"FIRST": "", "SECOND": "b"}) == "b"
    assert folder("uv publish", {"FIRST": "a", "SECOND": "b"}) == "a"
    assert folder("uv publish", {}) == "."
    assert folder("uv --directory c publish --directory d", {"FIRST": "a"}) == "d"


# -- a password in plain text ----------------------------------------------------

PYPIRC = f"""
[distutils]
index-servers = pypi
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
def test_a_password_in_plain_text_is_found(place: Place, line: str, section: str) -> None:
    """By the index's name, or by where it is."""
    place.write("~/.pypirc", PYPIRC)
    assert place.plain(line) == ("~/.pypirc", section)


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
        "poetry publish -r internal",
        "pdm publish",
    ],
)
def test_the_password_of_another_index_is_not_found(place: Place, line: str) -> None:
    """Nor an empty one, nor any where the tool does not read the file."""
    place.write("~/.pypirc", PYPIRC)
    assert place.plain(line) == ("", "")


def test_without_a_file_there_is_no_password(place: Place) -> None:
    """An empty one is none either."""
    assert place.plain("twine upload x") == ("", "")
    place.write("~/.pypirc")
    assert place.plain("twine upload x") == ("", "")


def test_the_named_pypirc_is_read(place: Place) -> None:
    """In place of the one at home."""
    place.write("~/.pypirc", PYPIRC)
    place.write("mine", "[pypi]\nusername = me\n")
    assert place.plain("twine upload --config-file mine x") == ("", "")
    place.write("mine", PYPIRC)
    assert place.plain("flit publish --pypirc mine") == ("mine", "pypi")


def test_a_percent_sign_in_a_password_is_read_as_it_is(place: Place) -> None:
    """The file has no interpolation."""
    place.write("~/.pypirc", "[pypi]\npassword = canary-100%(x)s%\n")
    assert place.plain("twine upload x") == ("~/.pypirc", "pypi")


def test_without_home_the_system_says_where_the_home_folder_is(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.pypirc` is not looked for in the folder where one happens to be."""
    listed = "[distutils]\nindex-servers = mine\n[mine]\nrepository ="
    place.write(".pypirc", f"{listed} http://planted.example.org/\n")
    home = pwd.getpwuid(os.getuid()).pw_dir
    if os.path.exists(os.path.join(home, ".pypirc")):
        pytest.skip("this user has a .pypirc")
    monkeypatch.setenv("HOME", str(place.project))
    for environ in ({"HOME": ""}, {}):
        assert places.home_folder(environ) == home
        upload = upload_of(place.call("twine upload -r mine x"), environ)
        assert upload is not None
        assert upload.destination.url == ""
