"""What ``pdm run`` and other launchers add to an upload because their project says so."""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import tokens
from agreement import cases

from secretly import config
from secretly.asking.upload_wording import project_plugins, project_program, project_script
from secretly.config.command_line import recognize
from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.publishing.upload import Upload, upload_of

#: Looks at a command line, after writing the project's files.
Look = Callable[..., Upload]

PDM = "[tool.pdm.scripts]\n"
HATCH = "[tool.hatch.envs."
OVERRIDES = HATCH + "default.overrides]\n"
NETRC = HATCH + "default.env-vars]\nNETRC = ''\n"


@pytest.fixture(name="root")
def root_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is the working folder."""
    (tmp_path / "home").mkdir()
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return tmp_path


@pytest.fixture(name="known")
def known_fixture() -> Configuration:
    """The shipped configuration."""
    return cases.configuration()


@pytest.fixture(name="look")
def look_fixture(root: Path, known: Configuration) -> Look:
    """Looks at a command line in a project with ``pyproject.toml`` and a wheel."""
    tokens.wheel(root / "project" / "dist")

    def look(
        line: str,
        pyproject: str = "",
        files: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Upload:
        for name, text in {"pyproject.toml": pyproject, **(files or {})}.items():
            path = root / "home" / name[2:] if name.startswith("~/") else root / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        invocation = recognize(shlex.split(line), known)
        assert invocation is not None
        found = upload_of(invocation, {"HOME": str(root / "home"), **(environ or {})})
        assert found is not None
        return found

    return look


UPLOAD = "twine upload dist/demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("line", "pyproject", "files", "named"),
    [
        ("pdm run", PDM + '_.env.HTTPS_PROXY = "x"', {}, "tool.pdm.scripts._.env"),
        ("pdm run", PDM + '_.env.REQUESTS_CA_BUNDLE = "x"', {}, "REQUESTS_CA_BUNDLE"),
        ("pdm run", PDM + '_.env.TWINE_USERNAME = "eve"', {}, "TWINE_USERNAME"),
        ("pdm run", PDM + '_.env.TWINE_PASSWORD = "x"', {}, "TWINE_PASSWORD"),
        ("pdm run", PDM + '_.env.TWINE_REPOSITORY_URL = "${X}"', {}, "TWINE_REPOSITORY_URL"),
        ("pdm run", PDM + '_.env_file = "e"', {"e": "A=b\nexport HTTPS_PROXY=x"}, "HTTPS_PROXY"),
        ("pdm run", PDM + '_.env_file.override = "e"', {"e": "TWINE_REPOSITORY=x"}, "the file"),
        ("pdm run", PDM + '_.working_dir = "other"', {}, "working_dir"),
        ("pdm run", PDM + 'twine = "twine -r other"', {}, "tool.pdm.scripts.twine"),
        ("pdm run", PDM + 'twine.shell = "x"', {}, "tool.pdm.scripts.twine"),
        ("pdm run", "", {"pdm.toml": 'cache_dir = "x"'}, "cache_dir in pdm.toml"),
        ("hatch run", HATCH + 'default.env-vars]\nHTTPS_PROXY = "x"', {}, "envs.default.env-vars"),
        ("hatch run", "", {"hatch.toml": '[envs.default.env-vars]\nSSL_CERT_FILE = "x"'}, "SSL_"),
        ("hatch run", HATCH + 'default.env-vars]\nTWINE_REPOSITORY = "{env:X}"', {}, "TWINE_REP"),
        ("hatch run", HATCH + 'default]\nenv-exclude = ["TWINE_*"]', {}, "env-exclude"),
        ("hatch run", HATCH + 'default]\nenv-include = ["X"]', {}, "env-include"),
        ("hatch run", HATCH + 'default]\ntype = "other"', {}, "envs.default.type"),
        ("hatch run", HATCH + 'default.scripts]\ntwine = "x"', {}, "scripts.twine"),
        ("hatch run", HATCH + 'default.extra-scripts]\ntwine = ["x"]', {}, "extra-scripts.twine"),
        (
            "hatch run",
            OVERRIDES + 'env.HOME.env-vars = "HTTPS_PROXY=x"',
            {},
            "overrides: env-vars",
        ),
        (
            "hatch run",
            HATCH
            + 'default.overrides]\nplatform.linux.set-env-vars = [{key = "NETRC", value = ""}]',
            {},
            "NETRC",
        ),
        (
            "hatch run",
            OVERRIDES + 'platform.linux.scripts = ["twine=x"]',
            {},
            "overrides: scripts",
        ),
        ("hatch run", "[tool.hatch.env.collectors.custom]\n", {}, "collectors.custom"),
        ("hatch -e a run", HATCH + 'a.env-vars]\nHTTPS_PROXY = "x"', {}, "envs.a.env-vars"),
        ("hatch run a:", HATCH + 'a.env-vars]\nHTTPS_PROXY = "x"', {}, "envs.a.env-vars"),
        ("hatch run a.py3:", HATCH + 'a.env-vars]\nHTTPS_PROXY = "x"', {}, "envs.a.env-vars"),
        (
            "hatch run a:",
            HATCH + 'a]\ntemplate = "b"\n' + HATCH + 'b.env-vars]\nNETRC = "x"',
            {},
            "envs.b.env-vars",
        ),
        ("hatch run a:", HATCH + 'default.env-vars]\nNETRC = "x"', {}, "envs.default.env-vars"),
        ("hatch run :", '[tool.hatch.scripts]\ntwine = "x"', {}, "tool.hatch.scripts.twine"),
        ("hatch run python -m", HATCH + 'default.scripts]\npython = "x"', {}, "scripts.python"),
        ("uv run", "", {"twine/__main__.py": ""}, "./twine"),
        ("pipx run", "", {"twine": ""}, "./twine"),
        ("pipx run", "", {"__pypackages__/3.11/lib/bin/twine": ""}, "__pypackages__"),
        ("uv run hatch run", HATCH + 'default.env-vars]\nNETRC = "x"', {}, "NETRC"),
    ],
)
def test_a_project_that_steers_through_a_launcher_is_refused(
    line: str, pyproject: str, files: Mapping[str, str], named: str, look: Look
) -> None:
    """The message names the setting, and how to run the tool without it."""
    line = f"{line}{'' if line.endswith(':') else ' '}{UPLOAD}"
    upload = look(line, pyproject, files)
    with pytest.raises(Refused) as caught:
        _ = upload.destination
    assert named in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("line", "pyproject"),
    [
        ("pdm run", ""),
        ("pdm run", PDM + '_.env.DEBUG = "1"\n_.env_file = "missing"\nlint = "ruff"'),
        ("hatch run", HATCH + 'default.env-vars]\nDEBUG = "1"'),
        ("hatch run", HATCH + 'test.env-vars]\nHTTPS_PROXY = "x"'),
        (
            "hatch run a:",
            HATCH + 'a.env-vars]\nA = "1"\n' + HATCH + 'default.env-vars]\nNETRC = ""',
        ),
        ("hatch run a:", HATCH + "a]\ndetached = true\n" + NETRC),
        ("hatch run :", HATCH + 'default.scripts]\ntwine = "x"'),
        ("poetry run", '[project.scripts]\ndemo = "demo:main"'),
        ("uv run", PDM + '_.env.HTTPS_PROXY = "x"'),
        ("uvx", PDM + 'twine = "x"'),
        ("pipx run", PDM + 'twine = "x"'),
        ("python -m", PDM + 'twine = "x"'),
    ],
)
def test_a_project_that_steers_nothing_is_fine(line: str, pyproject: str, look: Look) -> None:
    """Settings of other launchers and environments don't count, nor do harmless ones."""
    upload = look(f"{line}{'' if line.endswith(':') else ' '}{UPLOAD}", pyproject)
    assert upload.destination.builtin
    assert upload.pin
    assert upload.release.code == ()


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ("-e a", {}),
        ("-e b --env=a", {"HATCH_ENV": "b"}),
        ("", {"HATCH_ENV": "a", "HATCH_ENV_ACTIVE": "b"}),
        ("", {"HATCH_ENV_ACTIVE": "a"}),
    ],
)
def test_the_environment_of_hatchs_is_the_one_that_is_chosen(
    options: str, environ: Mapping[str, str], look: Look
) -> None:
    """By an option, else by a variable."""
    upload = look(
        f"hatch {options} run {UPLOAD}",
        HATCH + 'a.env-vars]\nHTTPS_PROXY = ""\n' + HATCH + "b.env-vars]\nNETRC = ''",
        environ=environ,
    )
    with pytest.raises(Refused, match="HTTPS_PROXY"):
        _ = upload.destination


def test_an_index_that_only_the_launcher_names_is_shown(look: Look) -> None:
    """The variable is in the environment that the tool gets."""
    url = "https://index.example/legacy/"
    upload = look(f"pdm run {UPLOAD}", PDM + f'_.env.TWINE_REPOSITORY_URL = "{url}"')
    assert upload.destination.url == url
    assert upload.pin


def test_a_variable_that_would_undo_the_pin_is_refused(look: Look) -> None:
    """hatch's project sets what the pin has to remove."""
    upload = look(
        "hatch run uv publish dist/demo-1.0-py3-none-any.whl",
        HATCH + 'default.env-vars]\nUV_PUBLISH_URL = "https://index.example/"',
    )
    assert upload.destination.url == "https://index.example/"
    with pytest.raises(Refused, match="UV_PUBLISH_URL, which undoes"):
        _ = upload.pin


@pytest.mark.parametrize(
    ("line", "text"),
    [("pdm run", "${TWINE_PASSWORD}"), ("hatch run", "{env:TWINE_PASSWORD}")],
)
def test_an_argument_that_a_launcher_replaces_is_refused(line: str, text: str, look: Look) -> None:
    """Such a file name would become another one, with the secret in it."""
    with pytest.raises(Refused, match="would replace what begins with"):
        _ = look(f"{line} twine upload 'dist/demo-{text}.whl'").pin


@pytest.mark.parametrize(
    ("line", "pyproject", "files", "named"),
    [
        ("pdm run", PDM + 'pre_run = "x"\npost_run = "y"', {}, project_script("pre_run")),
        ("pdm run", PDM + 'pre_invoke = "x"', {}, project_script("pre_invoke")),
        ("pdm run", "", {".pdm-plugins/x": ""}, project_plugins(".pdm-plugins")),
        ("pdm run", '[tool.pdm]\nplugins = ["x"]', {}, project_plugins("tool.pdm.plugins")),
        (
            "hatch run",
            '[tool.hatch.env]\nrequires = ["x"]',
            {},
            project_plugins("tool.hatch.env.requires"),
        ),
        ("poetry run", "", {".poetry/plugins/x": ""}, project_plugins(".poetry/plugins")),
        (
            "poetry run",
            '[tool.poetry.scripts]\ntwine = "a:b"',
            {},
            project_program("twine", "tool.poetry.scripts"),
        ),
        (
            "uv run",
            '[project.scripts]\ntwine = "a:b"',
            {},
            project_program("twine", "project.scripts"),
        ),
    ],
)
def test_code_of_the_project_that_a_launcher_starts_is_named(
    line: str, pyproject: str, files: Mapping[str, str], named: str, look: Look
) -> None:
    """The dialog says that it can read the token."""
    release = look(f"{line} {UPLOAD}", pyproject, files).release
    assert any(named in one for one in release.code)


def test_an_archive_that_uv_starts_in_place_of_the_tool_is_refused(look: Look, root: Path) -> None:
    """uv starts a file with a program in it, if it is named like the command."""
    with zipfile.ZipFile(root / "project" / "twine", "w") as archive:
        archive.writestr("__main__.py", "")
    with pytest.raises(Refused, match=r"\./twine replaces it"):
        _ = look(f"uv run {UPLOAD}").destination


@pytest.mark.parametrize("mode", ["project", "aware"])
def test_hatch_in_the_folder_of_another_project_is_refused(mode: str, look: Look) -> None:
    """Its user's settings can name a project, where the files would be others."""
    files = {"~/.config/hatch/config.toml": f'mode = "{mode}"\nproject = "other"'}
    line = f"hatch run {UPLOAD}"
    if mode == "aware":  # only outside of a project
        assert look(line, "", files).destination
        Path("pyproject.toml").unlink()
        upload = look(line, "", files)
        Path("pyproject.toml").unlink()
    else:
        upload = look(line, "", files)
    with pytest.raises(Refused, match="another project"):
        _ = upload_of(upload._call.invocation, upload._environ).destination  # type: ignore[union-attr]


def test_a_setting_that_comes_after_the_look_is_found(look: Look) -> None:
    """The settings of launchers are read again, just before the tool starts."""
    upload = look(f"pdm run {UPLOAD}")
    assert upload.release
    Path("pyproject.toml").write_text(PDM + '_.env.TWINE_REPOSITORY_URL = "https://other.example/"')
    with pytest.raises(Refused, match="since it was shown"):
        upload.recheck()


def test_an_env_file_of_pdms_that_cannot_be_read_is_refused(look: Look) -> None:
    """It might set anything."""
    Path("binary").write_bytes(b"\xff")
    with pytest.raises(Refused, match="binary"):
        _ = look(f"pdm run {UPLOAD}", PDM + '_.env_file = "binary"').destination


@pytest.mark.parametrize("settings", [PDM + 'twine = "x"', "[not toml"])
def test_a_call_that_sends_nothing_is_not_refused(settings: str, look: Look) -> None:
    """Whatever the project says of launchers."""
    assert look("pdm run uv publish --dry-run", settings).why_needs_none


# -- launchers that change nothing, or that nothing is known of ------------------


@pytest.mark.parametrize(
    "before",
    [
        "nice",
        "nice -n 5",
        "nice -10",
        "nohup",
        "time",
        "time -p",
        "time -f %e -o times",
        "timeout 60",
        "timeout -k 5 --signal=INT 1m",
        "timeout --foreground 60 nice",
        "pypy3 -m",
        "pypy3.11 -m",
        "env A=B",
        "env A=B C=D nice",
        "pipenv run",
        "uv run nice",
        "uvx",
        "uv tool run",
    ],
)
def test_a_launcher_that_changes_nothing_is_seen_through(before: str, look: Look) -> None:
    """The files and the index are those of the tool itself."""
    found = look(f"{before} {UPLOAD}")
    assert found.release.destination.secret == "PyPI"
    assert [file.project for file in found.release.files] == ["demo"]


@pytest.mark.parametrize(
    "line",
    [
        "env -i twine upload x",
        "env -u A twine upload x",
        "env -S 'A=B twine upload x'",
        "env A=B",
        "nice",
        "timeout 60",
        "timeout",
        "env -C / twine upload x",
        "time -f",
    ],
)
def test_what_takes_variables_away_is_not_seen_through(line: str, known: Configuration) -> None:
    """``env -u`` could take away the secret, so the call is not a known one."""
    assert recognize(shlex.split(line), known) is None


@pytest.mark.parametrize(
    ("line", "files", "said"),
    [
        ("env HTTPS_PROXY=http://other.example {}", {}, "env sets HTTPS_PROXY"),
        ("env TWINE_PASSWORD=canary-1 {}", {}, "env sets TWINE_PASSWORD"),
        ("pipenv run {}", {"Pipfile": "", ".env": "SSL_CERT_FILE=x\n"}, "sets SSL_CERT_FILE"),
        ("pipenv run {}", {"Pipfile": "", ".env": "TWINE_REPOSITORY_URL=http://x\n"}, "TWINE_REPO"),
        ("pipenv run {}", {"Pipfile": '[scripts]\ntwine = "x"\n'}, "scripts.twine in the Pipfile"),
        ("conda run -n x {}", {}, "what conda run changes for twine"),
        ("mamba run {}", {}, "what mamba run changes"),
        ("pixi run -e x {}", {}, "what pixi run changes"),
        ("rye run {}", {}, "what rye run changes"),
    ],
)
def test_a_launcher_that_steers_is_refused(
    line: str, files: Mapping[str, str], said: str, look: Look
) -> None:
    """The error names what does, and how to do without."""
    with pytest.raises(Refused, match=said) as raised:
        _ = look(line.format(UPLOAD), files=files).destination
    assert raised.value.hint


def test_an_index_that_env_names_is_shown(look: Look) -> None:
    """The URL is the upload's, as if the variable had been there before."""
    line = f"env TWINE_REPOSITORY_URL=https://pypi.example/legacy/ {UPLOAD}"
    assert look(line).destination.url == "https://pypi.example/legacy/"


def test_pipenv_leaves_its_file_out_if_told_to(look: Look) -> None:
    """As pipenv's documentation says of PIPENV_DONT_LOAD_ENV."""
    files = {"Pipfile": "", ".env": "SSL_CERT_FILE=x\n"}
    assert look(f"pipenv run {UPLOAD}", files=files, environ={"PIPENV_DONT_LOAD_ENV": "1"}).release


def test_a_launcher_without_a_reader_is_refused(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is recognized, and whose settings nothing reads: they could steer the upload."""
    monkeypatch.setitem(config.launchers.LAUNCHERS, "another", (frozenset(), (["run"],)))
    names = config.command_line.LAUNCHERS
    monkeypatch.setattr(config.command_line, "LAUNCHERS", names | {"another"})
    with pytest.raises(Refused, match="what another run changes for twine"):
        _ = look(f"another run {UPLOAD}").destination
