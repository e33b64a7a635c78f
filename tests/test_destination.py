"""Where a publishing command would upload to, and so with which secret."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly import configuration
from secretly.commands import Call, call_of
from secretly.configuration import Configuration
from secretly.destination import Destination, find, folder_of, plain_password
from secretly.errors import Refused, SecretlyError

TOOLS = ("twine", "uv", "flit", "hatch", "poetry", "pdm", "maturin")
INTERNAL = "https://packages.example.org:8443/simple/"
HOST = "packages.example.org:8443"


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """What secretly knows by itself."""
    empty = tmp_path_factory.mktemp("configuration") / "empty.toml"
    empty.touch(0o600)
    return configuration.load({"SECRETLY_CONFIG": str(empty)})


class Place:
    """A project's folder, in which one is, and a home with nothing in it."""

    def __init__(self, folder: Path, shipped: Configuration) -> None:
        self.project = folder / "project"
        self.home = folder / "home"
        self.shipped = shipped
        self.project.mkdir()
        self.home.mkdir()

    def call(self, line: str) -> Call:
        """What is known of a command line."""
        found = call_of(shlex.split(line), self.shipped)
        assert found is not None
        return found

    def secret(self, line: str, environ: Mapping[str, str] | None = None) -> str:
        """The secret that a command line needs."""
        return self.destination(line, environ).secret

    def destination(self, line: str, environ: Mapping[str, str] | None = None) -> Destination:
        """Where a command line would upload to."""
        return find(self.call(line), {"HOME": str(self.home), **(environ or {})})

    def plain(self, line: str, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Where a password for its index stands in plain text: the file as it is named here."""
        call, environ = self.call(line), {"HOME": str(self.home), **(environ or {})}
        path, section = plain_password(call, find(call, environ), environ)
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
        "flit publish --repository testpypi",
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
def test_another_index_has_the_tools_name_for_it(
    place: Place, line: str, environ: Mapping[str, str]
) -> None:
    """So that its secret is kept under the name by which the person calls it."""
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
def test_an_index_given_by_url_is_its_host(place: Place, line: str) -> None:
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


def test_a_host_by_another_port_is_another(place: Place) -> None:
    """What listens there need not be the same."""
    hosts = [
        place.secret(f"twine upload --repository-url http://127.0.0.1{port}/ x")
        for port in ("", ":8080", ":8081")
    ]
    assert hosts == ["127.0.0.1", "127.0.0.1:8080", "127.0.0.1:8081"]


@pytest.mark.parametrize(
    "url", ["upload.example.org", "https://", "https:///x", "http://[", "http://[::1", "x:y", "//"]
)
def test_a_url_without_a_host_is_refused(place: Place, url: str) -> None:
    """Nobody could tell whose secret it needs."""
    with pytest.raises(Refused, match="has no host") as caught:
        place.secret(f"twine upload --repository-url {url} x")
    assert caught.value.hint


def test_a_password_in_a_url_is_not_repeated(place: Place) -> None:
    """Not even in the error that says what is wrong with it."""
    with pytest.raises(Refused) as caught:
        place.secret("twine upload --repository-url https://me:canary-1@/ x")
    assert "canary" not in str(caught.value)


@given(st.text(st.characters(exclude_characters="\0")))
def test_whatever_the_url_it_is_a_host_or_a_typed_error(shipped: Configuration, url: str) -> None:
    """And never PyPI."""
    call = call_of(["twine", "upload", "x"], shipped)
    assert call is not None
    try:
        found = find(call, {"TWINE_REPOSITORY_URL": url, "HOME": "/nonexistent"})
    except SecretlyError as error:
        assert isinstance(error, Refused)
        assert str(error).isprintable()
    else:
        assert found.secret not in ("PyPI", "TestPyPI") or not url


# -- settings files --------------------------------------------------------------


def test_pypirc_names_the_other_indexes(place: Place) -> None:
    """A section's name is the secret's; its URL says where it is."""
    place.write("~/.pypirc", f"[internal]\nrepository = {INTERNAL}\nusername = me\n")
    for line in ("twine upload -r internal x", "flit publish --repository internal"):
        assert place.destination(line) == Destination("internal", "internal", INTERNAL)


@pytest.mark.parametrize("tool", ["twine", "flit", "maturin"])
@pytest.mark.parametrize("name", ["pypi", "testpypi"])
def test_pypirc_may_send_a_known_name_elsewhere(place: Place, tool: str, name: str) -> None:
    """Then it is another host, and has the host's secret."""
    place.write("~/.pypirc", f"[{name}]\nrepository = {INTERNAL}\n")
    option = "-r" if tool != "flit" else "--repository"
    assert place.secret(f"{publish(tool)} {option} {name}") == HOST
    if name == "pypi":
        assert place.secret(publish(tool)) == HOST


def test_a_section_without_a_url_changes_nothing(place: Place) -> None:
    """Many have one with the user name alone."""
    place.write("~/.pypirc", "[pypi]\nusername = __token__\n")
    assert place.secret("twine upload x") == "PyPI"


UPLOAD = "https://upload.pypi.example/legacy/"

#: Each tool with a file of the person's own, and what is in it that says where PyPI is.
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
def test_the_persons_own_settings_may_say_where_pypi_is(
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
def test_a_projects_own_settings_may_not(place: Place, line: str, file: str, text: str) -> None:
    """Any host can begin with 'upload.': what a project says of PyPI is not believed."""
    place.write(file, text.format(url=UPLOAD))
    assert place.secret(line) == "upload.pypi.example"


def test_a_url_on_the_command_line_is_no_name(place: Place) -> None:
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


def test_a_pypirc_that_cannot_be_read_is_refused(place: Place) -> None:
    """The index stands in it: to guess would be to send a token to anybody."""
    place.write("~/.pypirc", "repository = no section\n")
    with pytest.raises(Refused, match=r"\.pypirc cannot be read"):
        place.secret("twine upload x")


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
def test_settings_may_name_an_index_of_ones_own(
    place: Place, line: str, file: str, text: str
) -> None:
    """Its name is the secret's; what a person is told is the host."""
    place.write(file, text.format(url=INTERNAL))
    found = place.destination(line)
    assert found[:2] == ("mine", "mine")
    known = "{url}" in text
    assert (found.url, found.shown) == ((INTERNAL, HOST) if known else ("", "mine"))


def test_a_test_index_that_the_settings_describe_is_testpypi(place: Place) -> None:
    """The person's own settings may say where it is, if that is a test index's host."""
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


def test_hatchs_own_settings_choose_its_index(place: Place) -> None:
    """An option or a variable beats them."""
    place.write("~/.config/hatch/config.toml", "[publish.index]\nrepo = 'test'")
    assert place.secret("hatch publish") == "TestPyPI"
    assert place.secret("hatch publish -r main") == "PyPI"
    assert place.secret("hatch publish", {"HATCH_INDEX_REPO": "main"}) == "PyPI"


@pytest.mark.parametrize("text", ["[", "a = " + "[" * 5000, "a = " + "1" * 5000, "\udcff"])
def test_settings_that_cannot_be_read_are_refused(place: Place, text: str) -> None:
    """They may name the index."""
    (place.project / "uv.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused, match=r"uv\.toml cannot be read"):
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


# -- what a person is told -------------------------------------------------------


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
def test_of_a_url_the_host_is_shown_and_compared(
    place: Place, url: str, shown: str, host: str
) -> None:
    """With its port where a person sees it, without where a token's index is compared."""
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
    words = place.call("uv publish").taken_apart()
    options = ("--directory", "$FIRST", "$SECOND")
    assert folder_of(words, options, {"FIRST": "", "SECOND": "b"}) == place.project / "b"
    assert folder_of(words, options, {"FIRST": "a", "SECOND": "b"}) == place.project / "a"
    assert folder_of(words, options, {}) == place.project
    words = place.call("uv --directory c publish --directory d").taken_apart()
    assert folder_of(words, options, {"FIRST": "a"}) == place.project / "d"


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
def test_another_indexs_password_is_not(place: Place, line: str) -> None:
    """Nor an empty one, nor any where the tool does not read the file."""
    place.write("~/.pypirc", PYPIRC)
    assert place.plain(line) == ("", "")


def test_without_a_file_there_is_no_password(place: Place) -> None:
    """An empty one is none either."""
    assert place.plain("twine upload x") == ("", "")
    place.write("~/.pypirc")
    assert place.plain("twine upload x") == ("", "")


def test_the_file_that_was_named_is_looked_at(place: Place) -> None:
    """In place of the one at home."""
    place.write("~/.pypirc", PYPIRC)
    place.write("mine", "[pypi]\nusername = me\n")
    assert place.plain("twine upload --config-file mine x") == ("", "")
    place.write("mine", PYPIRC)
    assert place.plain("flit publish --pypirc mine") == ("mine", "pypi")


def test_a_percent_sign_in_a_password_is_no_trouble(place: Place) -> None:
    """The file has no interpolation."""
    place.write("~/.pypirc", "[pypi]\npassword = canary-100%(x)s%\n")
    assert place.plain("twine upload x") == ("~/.pypirc", "pypi")


def test_without_home_it_is_the_systems(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.pypirc` is not looked for in the folder where one happens to be."""
    place.write("~/.pypirc", f"[mine]\nrepository = {INTERNAL}\n")
    place.write(".pypirc", "[mine]\nrepository = http://planted.example.org/\n")
    monkeypatch.setenv("HOME", str(place.home))
    assert find(place.call("twine upload -r mine x"), {}).url == INTERNAL
