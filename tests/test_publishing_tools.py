"""What holds for several publishing tools: real tools, with two indexes on loopback.

One index is meant. The other is the one that a setting, a file name or an empty value tries to put
in its place, or the one whose token must not arrive there.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest
import tokens
from command import Ended, Home, home
from test_publishing import FILE, project, publish, skip_if_it_cannot, tool
from test_publishing_binaries import write
from tokens import Warehouse

from secretly.asking import upload_wording, wording
from secretly.asking.assuan import unescape
from secretly.testing import FakePinentry

pytestmark = [pytest.mark.real, pytest.mark.outside]

#: The user names that the indexes take as well as ``__token__``.
USERS = ("ada", "")

#: What keeps a tool from other servers. pdm has https at a proxy that isn't there.
QUIET = {
    "pdm": {"PDM_CHECK_UPDATE": "0", "HTTPS_PROXY": "http://127.0.0.1:1"},
    "uv": {"UV_HTTP_RETRIES": "0"},
}


class Place(NamedTuple):
    """A home with the project ``demo``, the index that is meant, and another one."""

    home: Home
    index: Warehouse
    evil: Warehouse

    def filled(self, text: str) -> str:
        """*text* with the URLs and a token of the index in it."""
        for name, value in (
            ("url", self.index.url),
            ("evil", self.evil.url),
            ("host", self.index.host),
            ("token", self.index.token()),
            ("home", os.fspath(self.home.folder)),
        ):
            text = text.replace("{" + name + "}", value)
        return text

    def write(self, files: Mapping[str, str]) -> None:
        """Add to files of the project, or of the home."""
        write(self.home, {name: self.filled(text) for name, text in files.items()})

    def store(self, name: str, text: str = "{token}", *options: str) -> None:
        """Store a secret."""
        done = self.home.run("set", name, "--stdin", *options, stdin=self.filled(text))
        assert done.status == 0, done

    def run(
        self,
        line: str,
        environ: Mapping[str, str] | None = None,
        *options: str,
        answers: Sequence[object] = ("{token}",),
    ) -> tuple[Ended, list[str]]:
        """Run a command, and return its end, and the text of each prompt.

        :param options: secretly's own.
        :param answers: what is typed at each prompt; True for a yes.
        """
        name, *words = shlex.split(self.filled(line))
        if name == "flit":  # it uploads what it builds
            (self.home.folder / "demo" / FILE).unlink(missing_ok=True)
        typed = [self.filled(one) if isinstance(one, str) else one for one in answers]
        with FakePinentry(typed) as fake:  # type: ignore[arg-type]
            given = {key: self.filled(value) for key, value in (environ or {}).items()}
            command = [name if os.path.isabs(name) else tool(name), *words]
            done = publish(
                self.home, command, {**QUIET.get(name, {}), **given, **fake.environ}, *options
            )
            shown = [unescape(prompt["SETDESC"].encode()).decode() for prompt in fake.prompts]
        return done, shown

    def users(self) -> list[tuple[str, int]]:
        """The user name of each upload that arrived at the index, and the index's answer."""
        return [(one.username, one.status) for one in self.index.uploads]


@pytest.fixture(name="place")
def _place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with home() as found, tokens.warehouse(*USERS) as index, tokens.warehouse(*USERS) as evil:
        (found.folder / "demo").mkdir()
        project(found.folder / "demo")
        if "pdm" in request.node.name:
            skip_if_it_cannot(found, index, "pdm", found.folder / "demo")
        yield Place(found, index, evil)


UV = f"uv publish --publish-url {{url}} {FILE}"
TWINE = f"twine upload --repository-url {{url}} {FILE}"
MATURIN = f"maturin upload --repository-url {{url}} {FILE}"


# -- where it goes, and as whom --------------------------------------------------

PYPIRC = "[distutils]\nindex-servers = {evil}\n[{evil}]\nrepository = {url}\n"

POETRY = "~/.config/pypoetry/config.toml"

#: A command line, the variables, the files, and the user name that arrives.
ARRIVES: dict[str, tuple[str, Mapping[str, str], Mapping[str, str], str]] = {
    # An empty value takes no other word.
    "twine: empty": (f"twine upload -u= --repository-url={{url}} {FILE}", {}, {}, ""),
    "uv: empty": (f"uv publish -u= --publish-url={{url}} {FILE}", {}, {}, ""),
    "hatch: empty": (f"hatch publish --user= --repo={{url}} {FILE}", {}, {}, "__token__"),
    "pdm: empty": ("pdm publish --no-build -u= --repository={url}", {}, {}, "__token__"),
    "maturin: empty": (f"maturin upload -u= --repository-url={{url}} {FILE}", {}, {}, ""),
    # An index whose name is a URL.
    "flit: URL as a name": (
        "flit publish --format wheel --repository {evil}",
        {},
        {"~/.pypirc": PYPIRC},
        "__token__",
    ),
    "hatch: URL as a name": (
        f"hatch publish -r {{evil}} {FILE}",
        {},
        {"~/.config/hatch/config.toml": '[publish.index.repos."{evil}"]\nurl = "{url}"\n'},
        "__token__",
    ),
    "maturin: URL as a name": (
        f"maturin upload -r {{evil}} {FILE}",
        {},
        {"~/.pypirc": PYPIRC},
        "__token__",
    ),
    # The tool knows who the user is.
    "poetry: the settings' user": (
        "poetry publish -r company",
        {},
        {POETRY: 'repositories.company.url = "{url}"\nhttp-basic.company.username = "ada"\n'},
        "ada",
    ),
    "poetry: a name with a hyphen": (
        "poetry publish -r corp-example",
        {},
        {POETRY: 'repositories.corp-example.url = "{url}"\n'},
        "__token__",
    ),
}


@pytest.mark.parametrize("name", ARRIVES)
def test_the_upload_arrives_where_every_preview_says(place: Place, name: str) -> None:
    """The prompt, ``--dry-run`` and ``-v`` name the index and the user that the upload has."""
    line, environ, files, username = ARRIVES[name]
    place.write(files)
    done, (shown, *_) = place.run(line, environ, "-v")
    assert done.status == 0, done
    assert place.users() == [(username, 200)]
    assert place.evil.uploads == []
    texts = [shown]
    if username == "ada":
        planned, prompts = place.run(line, environ, "--dry-run")
        assert prompts == []
        texts.append(planned.stdout)
    for text in texts:
        assert f"\n{upload_wording.index_line(place.index.host)}" in text
        assert f"\n{upload_wording.user_line(username)}" in text
    assert f"secretly: {upload_wording.user_line(username)}\n" in done.stderr, done.stderr


def test_python_starts_no_module_of_the_folder(place: Place) -> None:
    """With ``python -m twine``, a ``twine.py`` of the project is named, and doesn't run."""
    place.write({"twine.py": "open('ran', 'w').close()\n"})
    line = TWINE.replace("twine", f"{shlex.quote(sys.executable)} -m twine", 1)
    done, (shown,) = place.run(line)
    assert (done.status, place.users()) == (0, [("__token__", 200)]), done
    assert upload_wording.note_line(upload_wording.project_code("twine.py")) in shown.splitlines()
    assert not (place.home.folder / "demo" / "ran").exists()


# -- what is refused before anybody is asked -------------------------------------

#: A command line, the files, and words of the error.
REFUSED: dict[str, tuple[str, Mapping[str, str], Sequence[str]]] = {
    "uv: a proxy in [tool.uv]": (
        UV,
        {"pyproject.toml": "[tool.uv]\nhttps-proxy = '{evil}'\n"},
        ["pyproject.toml", "https-proxy", "--no-config"],
    ),
    "uv: no certificates in [tool.uv]": (
        UV,
        {"pyproject.toml": "[tool.uv]\nallow-insecure-host = ['127.0.0.1']\n"},
        ["pyproject.toml", "allow-insecure-host", "--no-config"],
    ),
    "poetry: no certificates": (
        "poetry publish -r corp",
        {
            POETRY: 'repositories.corp.url = "{url}"\n',
            "poetry.toml": "[certificates.corp]\ncert = false\n",
        },
        ["poetry.toml", "certificates.corp", "poetry config"],
    ),
    "poetry: a name with a dot": (
        "poetry publish -r corp.example",
        {POETRY: '[repositories."corp.example"]\nurl = "{url}"\n'},
        ["corp.example", "letters, digits and hyphens"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_of_the_project_that_steers_more_is_refused(place: Place, name: str) -> None:
    """The error names the file and the key, and says what to do instead."""
    line, files, words = REFUSED[name]
    place.write(files)
    done, prompts = place.run(line)
    assert (done.status, prompts, place.users(), place.evil.uploads) == (125, [], [], []), done
    for word in words:
        assert word in done.stderr


#: A command line, and a variable that its author must not set.
STEERED = [
    (f"twine upload {FILE}", "TWINE_REPOSITORY_URL=file://{home}/where"),
    (f"uv publish {FILE}", "UV_PUBLISH_URL=file://{home}/where"),
    (TWINE, "TWINE_CERT=file://{home}/where"),
    (TWINE, "REQUESTS_CA_BUNDLE=file://{home}/where"),
    (UV, "SSL_CERT_FILE=file://{home}/where"),
    (TWINE, "OPENSSL_CONF=evil.cnf"),
    (TWINE, "HOME={home}/other"),
    (TWINE, "GCONV_PATH=."),
    (MATURIN, "RUSTC_WRAPPER=./evil"),
]


@pytest.mark.parametrize(("line", "setting"), STEERED, ids=[one[1] for one in STEERED])
def test_an_env_file_or_a_reference_steers_no_upload(place: Place, line: str, setting: str) -> None:
    """Whether with ``-e`` or in the file: the dialog couldn't show it. The variable is named."""
    place.write({"~/where": "{evil}", ".env": f"{setting}\n"})
    (place.home.folder / "demo" / ".env").chmod(0o600)
    ways = [("--env-file", ".env")]
    if "file://" in setting:
        ways.append(("-e", place.filled(setting)))
    for way in ways:
        done, prompts = place.run(line, {}, *way)
        assert (done.status, prompts, place.users(), place.evil.uploads) == (125, [], [], []), way
        assert setting.partition("=")[0] in done.stderr.splitlines()[0]
        assert "\n" in done.stderr.strip()


# -- when secretly steps aside ---------------------------------------------------

GIVEN = {
    "twine": f"twine upload -u __token__ -p {{token}} --repository-url {{url}} {FILE}",
    "uv": f"uv publish -t {{token}} --publish-url {{url}} {FILE}",
    "hatch": f"hatch publish -u __token__ -a {{token}} -r {{url}} {FILE}",
    "poetry": "poetry publish -u __token__ -p {token} -r corp",
}


@pytest.mark.parametrize("name", GIVEN)
def test_a_secret_in_the_call_is_used_as_it_is(place: Place, name: str) -> None:
    """Nothing is asked and nothing claimed, and secretly never prints the secret."""
    environ = {"POETRY_REPOSITORIES_CORP_URL": "{url}"} if name == "poetry" else {}
    done, prompts = place.run(GIVEN[name], environ, "-v")
    assert (done.status, prompts) == (0, []), done
    assert [one.token for one in place.index.uploads] == [place.index.token()]
    said = [one for one in done.stderr.splitlines() if one.startswith("secretly: ")]
    assert any("used as it is" in one for one in said), said
    assert not any("gets a token" in one or place.index.token() in one for one in said)


@pytest.mark.parametrize(
    "line",
    ["poetry publish --dry-run -r corp", f"uv publish --dry-run --publish-url {{url}} {FILE}"],
)
def test_a_dry_run_of_the_tool_asks_for_nothing(place: Place, line: str) -> None:
    """Nothing is sent, so no secret is needed; the tool runs."""
    done, prompts = place.run(line, {"POETRY_REPOSITORIES_CORP_URL": "{url}"}, "-v")
    assert (prompts, place.users()) == ([], [])
    assert "--dry-run" in done.stderr, done
    assert re.search("demo", done.stdout + done.stderr)
    assert done.status == 0, done


#: The variables of GitHub's identity, which leads to an index that gives no token.
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "{url}?x=1",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-identity",
}


@pytest.mark.parametrize("asked", ["--trusted-publishing always", ""])
def test_secretly_steps_aside_for_trusted_publishing(place: Place, asked: str) -> None:
    """uv asks the index for a token itself: it runs as it would without secretly."""
    line = f"uv publish {asked} --publish-url {{url}} {FILE}"
    done, prompts = place.run(line, GITHUB, "-v")
    assert (prompts, place.users()) == ([], [])
    assert "trusted publishing" in done.stderr
    assert "gets a token" not in done.stderr
    # Where a secret is stored, the identity doesn't take its place unless uv is told so.
    place.home.keep_in_a_file()
    place.store(place.index.host)
    done, prompts = place.run(line, GITHUB, answers=[True])
    assert len(prompts) == (not asked), done
    assert place.users() == ([] if asked else [("__token__", 200)])


# -- which secret ----------------------------------------------------------------


def test_pypi_by_its_own_url_is_pypi(place: Place) -> None:
    """The stored token says which index made it, so all the checks for PyPI apply."""
    place.home.keep_in_a_file()
    place.store("PyPI")
    done, (shown,) = place.run(TWINE, answers=[True])
    assert (done.status, place.users()) == (0, [("__token__", 200)]), done
    assert shown.startswith(wording.confirm_use_text("PyPI", wording.place("keychain"), ""))
    assert tokens.limits(place.index.uploads[0].token).projects == ["demo"]
    tokens.wheel(place.home.folder / "demo" / "dist", "demo", "1.0+mine")
    done, prompts = place.run(TWINE.replace(FILE, "dist/*"))
    assert (done.status, prompts) == (125, [])
    assert "local versions" in done.stderr


def test_uvs_documented_testpypi_is_testpypi(place: Place) -> None:
    """An index of that name in the project's settings needs no third secret."""
    place.home.keep_in_a_file()
    place.store("TestPyPI")
    index = "[[tool.uv.index]]\nname = 'testpypi'\nurl = '{url}'\npublish-url = '{url}'\n"
    place.write({"pyproject.toml": index})
    done, (shown,) = place.run(f"uv publish --index testpypi {FILE}", answers=[True])
    assert (done.status, place.users()) == (0, [("__token__", 200)]), done
    assert shown.startswith(wording.confirm_use_text("TestPyPI", wording.place("keychain"), ""))


def test_two_projects_with_a_token_each_are_uploaded_by_the_commands_that_are_named(
    place: Place,
) -> None:
    """The error has a command for each project, and these commands work."""
    place.home.keep_in_a_file()
    tokens.wheel(place.home.folder / "demo" / "dist", "other")
    for name in ("demo", "other"):
        place.store(f"corp/{name}", place.index.token([1, [name]]))
    place.write({"~/.pypirc": "[distutils]\nindex-servers = corp\n[corp]\nrepository = {url}\n"})
    done, prompts = place.run("twine upload -r corp dist/*.whl")
    assert (done.status, prompts, place.users()) == (125, [], []), done
    commands = done.stderr.splitlines()[1].partition(": ")[2].split("; ")
    for command in commands:
        assert command.startswith("secretly run twine "), command
        done, _ = place.run(command.removeprefix("secretly run "), answers=[True])
        assert done.status == 0, done
    uploaded = [(one.project, one.status) for one in place.index.uploads]
    assert uploaded == [("demo", 200), ("other", 200)]


@pytest.mark.parametrize("command", ["twine upload", "maturin upload"])
def test_the_hint_about_a_plain_password_can_be_followed(place: Place, command: str) -> None:
    """After its steps, the same command uploads as the user of the section.

    Without the password there, maturin takes no notice of the section's user name.
    """
    place.home.keep_in_a_file()
    section = "[company]\nrepository = {url}\nusername = ada\npassword = canary-old\n"
    place.write({"~/.pypirc": f"[distutils]\nindex-servers = company\n{section}"})
    line = f"{command} -r company {FILE}"
    done, _ = place.run(line, answers=[])
    found = re.search(r"1\) (secretly set .*?) 2\) remove `password` ", done.stderr)
    assert found is not None, done
    _, verb, *words = shlex.split(found[1])
    stored = place.home.run(verb, *words, "--stdin", stdin=place.index.token())
    assert stored.status == 0, stored
    pypirc = place.home.folder / ".pypirc"
    pypirc.write_text(pypirc.read_text().replace("password = canary-old\n", ""))
    done, (shown,) = place.run(line, answers=[True])
    assert (done.status, place.users()) == (0, [("ada", 200)]), done
    assert upload_wording.user_line("ada") in shown.splitlines()
    assert "plain text" not in done.stderr


# -- which files -----------------------------------------------------------------

#: A command, and files next to the distribution that the tool uploads with it.
UPLOADED_WITH_A_FILE = {
    "twine": (f"twine upload --repository-url {{url}} {FILE} {FILE}.asc", f"{FILE}.asc"),
    "uv": ("uv publish --publish-url {url}", f"{FILE}.publish.attestation"),
}


@pytest.mark.parametrize("name", UPLOADED_WITH_A_FILE)
def test_what_is_uploaded_with_a_file_is_shown(place: Place, name: str) -> None:
    """A signature, or an attestation: with a hash, and the index gets it."""
    line, path = UPLOADED_WITH_A_FILE[name]
    attests = path.endswith("attestation")
    place.write({path: "[]" if attests else "-----BEGIN PGP SIGNATURE-----\n"})
    # Attestations are refused with a token of PyPI's, so here is a password.
    place.home.configure(f'[secrets."{place.index.host}"]\nusername = "ada"\n')
    done, (shown, *_) = place.run(line, answers=["canary-password" if attests else "{token}"])
    assert re.search(rf"\n{re.escape(path)}\s.*sha256 \w{{12}}", shown), shown
    (sent,) = place.index.uploads
    assert ("attestations" if attests else "gpg_signature") in sent.fields, done


def test_attestations_with_a_token_of_pypis_are_refused(place: Place) -> None:
    """The error names the option that leaves them out, and that option helps."""
    place.write({f"{FILE}.publish.attestation": "[]"})
    place.home.keep_in_a_file()
    place.store("PyPI")
    done, prompts = place.run("uv publish --publish-url {url}", answers=[True])
    assert (done.status, prompts, place.users()) == (125, [], []), done
    assert "add --no-attestations" in done.stderr
    done, _ = place.run("uv publish --no-attestations --publish-url {url}", answers=[True])
    assert (done.status, place.users()) == (0, [("__token__", 200)]), done
    assert "attestations" not in place.index.uploads[0].fields
