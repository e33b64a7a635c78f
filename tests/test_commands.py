"""Command lines: which known command one is, and what its words say."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from agreement.cases import configuration
from hypothesis import given
from hypothesis import strategies as st

from secretly.config import launchers, model
from secretly.config.command_line import recognize
from secretly.config.invocation import Invocation, parse_words
from secretly.config.model import Configuration
from secretly.publishing import tools


@pytest.fixture(scope="session")
def shipped() -> Configuration:
    """The shipped configuration."""
    return configuration()


def call(line: str, shipped: Configuration) -> Invocation | None:
    """What is known of a command line."""
    return recognize(shlex.split(line), shipped)


# -- which command it is ---------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "row", "arguments"),
    [
        ("twine upload dist/a.whl", "twine", "upload dist/a.whl"),
        ("/usr/local/bin/twine upload x", "twine", "upload x"),
        ("./twine upload x", "twine", "upload x"),
        ("python -m twine upload x", "twine", "upload x"),
        ("python3 -m twine upload x", "twine", "upload x"),
        ("python3.11 -Im twine upload x", "twine", "upload x"),
        ("/opt/bin/python3.13t -m twine upload x", "twine", "upload x"),
        ("python -mtwine upload x", "twine", "upload x"),
        ("python -W error -X dev -m twine upload x", "twine", "upload x"),
        ("python -Werror -Ximporttime -m twine upload x", "twine", "upload x"),
        ("python -I -sE -bbm twine upload x", "twine", "upload x"),
        ("python --check-hash-based-pycs always -m twine upload", "twine", "upload"),
        ("uvx twine upload x", "twine", "upload x"),
        ("uvx twine@7.0 upload x", "twine", "upload x"),
        ("uvx 'twine>=6' upload x", "twine", "upload x"),
        ("uvx 'twine[keyring]' upload x", "twine", "upload x"),
        ("uvx --from twine==7 twine upload x", "twine", "upload x"),
        ("uvx --from=twine==7 twine upload x", "twine", "upload x"),
        ("uvx -q --with keyring --python 3.12 twine upload x", "twine", "upload x"),
        ("uv run twine upload x", "twine", "upload x"),
        ("uv run -- twine upload x", "twine", "upload x"),
        ("uv run --with x twine upload x", "twine", "upload x"),
        ("uv run --with=x --no-project twine upload x", "twine", "upload x"),
        ("uv run -m twine upload x", "twine", "upload x"),
        ("uv run --module twine upload x", "twine", "upload x"),
        ("uv run python -m twine upload x", "twine", "upload x"),
        ("uv run -p 3.12 --env-file .env python3.12 -Im twine upload x", "twine", "upload x"),
        ("uv --directory there run twine upload x", "twine", "upload x"),
        ("uv tool run twine upload x", "twine", "upload x"),
        ("uv tool run --from twine==7 twine upload x", "twine", "upload x"),
        ("pipx run twine upload x", "twine", "upload x"),
        ("pipx run twine==7.0 upload x", "twine", "upload x"),
        ("pipx run --spec twine==7 twine upload x", "twine", "upload x"),
        ("uv publish", "uv", "publish"),
        ("uv run uv publish", "uv", "publish"),
        ("uv run make", "uv", "run make"),
        ("uvx hatch publish", "hatch", "publish"),
        ("python -m flit publish", "flit", "publish"),
        ("pipx run poetry publish", "poetry", "publish"),
        ("python3 -m pdm publish", "pdm", "publish"),
        ("uvx maturin publish", "maturin", "publish"),
    ],
)
def test_a_known_command_is_found(
    line: str, row: str, arguments: str, shipped: Configuration
) -> None:
    """By its last path part, and behind whatever starts it."""
    found = call(line, shipped)
    assert found is not None
    assert (found.row.name, shlex.join(found.arguments)) == (row, arguments)


@pytest.mark.parametrize(
    "line",
    [
        "make publish",
        "twine-upload x",
        "python",
        "python twine upload x",
        "python -c pass -m twine upload",
        "python -cm twine upload",
        "python -cpass -m twine upload",
        "python -c 'import m' twine upload",
        "python - -m twine upload",
        "python -m",
        "python -m twines upload",
        "pythonic -m twine upload",
        "uvx",
        "uvx make",
        "pipx install twine",
        "pipx run",
        "pipx run make twine",
    ],
)
def test_another_command_is_not_known(line: str, shipped: Configuration) -> None:
    """What merely names a known command does not count as it."""
    assert call(line, shipped) is None


def test_another_known_command_may_be_chosen(shipped: Configuration) -> None:
    """As --as does: the arguments are the command's own, or those behind its launcher."""
    found = recognize(["./upload.sh", "upload", "x"], shipped, "twine")
    assert found is not None
    assert (found.row.name, found.arguments) == ("twine", ("upload", "x"))
    behind = recognize(["python", "-m", "mytwine", "upload"], shipped, "twine")
    assert behind is not None
    assert behind.arguments == ("upload",)
    assert recognize(["twine", "upload"], shipped, "unknown") is None


@given(st.lists(st.text("abm-=@[ /.:") | st.sampled_from("uv uvx python -m run --".split())))
def test_any_command_line_is_read(shipped: Configuration, arguments: list[str]) -> None:
    """No words make reading them fail."""
    for launcher in ("uv", "uvx", "python", "pipx", "twine"):
        found = recognize([launcher, *arguments], shipped)
        if found is not None:
            assert found.needs_secret in (True, False)
            assert found.parsed


# -- whether it needs the secret -------------------------------------------------

PUBLISHING = {
    "twine": ["upload x", "--no-color upload x", "upload -r testpypi --verbose x", "upload"],
    "uv": [
        "publish",
        "--offline --directory there publish",
        "--cache-dir=c publish dist/x",
        "-q --color never publish -t x",
    ],
    "flit": ["publish", "-f pyproject.toml publish", "--ini-file=x publish", "--debug publish"],
    "hatch": [
        "publish",
        "-e default publish",
        "-v --project p --config c publish -n",
        "-pp publish",
    ],
    "poetry": ["publish", "-n -C there publish", "--directory=there -vv publish --build"],
    "pdm": ["publish", "-v -c there publish", "--config=there publish --no-build"],
    "maturin": ["publish", "upload x", "-v publish"],
}

OTHERS = {
    "twine": ["check x", "--version", "", "check upload", "-h", "register --cert upload x"],
    "uv": ["sync", "run make publish", "--directory publish sync", "help publish", ""],
    "flit": ["build", "-f publish build", "install"],
    "hatch": ["build", "-e publish build", "run publish", "--env publish run x"],
    "poetry": ["install", "-C publish build", "run publish", "config repositories.publish x"],
    "pdm": ["build", "-c publish build", "run publish"],
    "maturin": ["build", "develop publish", "--version"],
}


@pytest.mark.parametrize(
    "line", [f"{tool} {rest}" for tool, lines in PUBLISHING.items() for rest in lines]
)
def test_publishing_needs_the_secret(line: str, shipped: Configuration) -> None:
    """Whatever options stand before the subcommand or after it."""
    found = call(line, shipped)
    assert found is not None
    assert found.needs_secret


@pytest.mark.parametrize(
    "line", [f"{tool} {rest}" for tool, lines in OTHERS.items() for rest in lines]
)
def test_another_subcommand_needs_no_secret(line: str, shipped: Configuration) -> None:
    """Nor does an option's value that is named like one that does."""
    found = call(line, shipped)
    assert found is not None
    assert not found.needs_secret


def test_a_command_without_subcommands_needs_its_secret() -> None:
    """And one whose subcommand has two words needs both."""
    configured = model.Command("deploy")
    assert Invocation(configured, ("--now",)).needs_secret
    two = model.Command("cargo", subcommands=("hack publish",))
    assert Invocation(two, ("-v", "hack", "publish")).needs_secret
    assert not Invocation(two, ("hack", "build")).needs_secret


def test_an_exception_needs_no_secret() -> None:
    """By the first argument, or the first two; another may be an option's value."""
    one = model.Command("deploy", exceptions=("login", "auth init"))
    assert not Invocation(one, ("login",)).needs_secret
    assert not Invocation(one, ("login", "--more")).needs_secret
    assert not Invocation(one, ("auth", "init", "x")).needs_secret
    for line in ("auth", "auth list", "-u login", "run login", "login-all", "-v auth init"):
        assert Invocation(one, tuple(line.split())).needs_secret
    listed = model.Command("x", subcommands=("login",), exceptions=("login",))
    assert Invocation(listed, ("login",)).needs_secret


@pytest.mark.parametrize("name", "psql pg_dump mysql redis-cli duplicity sqlcmd".split())
@pytest.mark.parametrize("word", "help login version configure".split())
def test_a_database_may_have_any_name(name: str, word: str, shipped: Configuration) -> None:
    """``psql login`` opens the database of that name."""
    assert Invocation(shipped.commands[name], (word,)).needs_secret


@pytest.mark.parametrize("toolchain", ["", "+nightly ", "+1.80 "])
def test_rustups_toolchain_is_not_a_subcommand(toolchain: str, shipped: Configuration) -> None:
    """``cargo +nightly publish`` publishes."""
    for line, needed in (("publish --dry-run", True), ("build", False), ("", False)):
        found = call(f"cargo {toolchain}{line}", shipped)
        assert found is not None
        assert found.needs_secret == needed


def test_a_call_for_help_needs_no_secret(shipped: Configuration) -> None:
    """``--help`` does nothing else, wherever it stands."""
    for line in ("twine upload --help", "uv --help publish", "poetry publish --help"):
        found = call(line, shipped)
        assert found is not None
        assert not found.needs_secret
    found = call("twine upload -h", shipped)
    assert found is not None
    assert not found.needs_secret
    found = call("twine upload -- --help", shipped)
    assert found is not None
    assert found.needs_secret


# -- what its options are --------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "upload -r testpypi x",
        "upload -rtestpypi x",
        "upload -r=testpypi x",
        "upload --repository testpypi x",
        "upload --repository=testpypi x",
        "upload x --repository testpypi",
        "upload -srtestpypi x",
        "upload -sr testpypi x",
        "upload -r pypi -r testpypi x",
        "upload --sign -r testpypi x",
        "upload -u me -p canary-1 -r testpypi -- x",
        "upload --u me --pass canary-1 -r testpypi x",
    ],
)
def test_an_option_is_read_however_it_is_written(line: str, shipped: Configuration) -> None:
    """Apart, joined, after '=', behind flags; the last of several counts."""
    found = call(f"twine {line}", shipped)
    assert found is not None
    words = found.parsed
    assert words.words == ["upload", "x"]
    assert words.last(["-r", "--repository"]) == "testpypi"


def test_a_long_option_may_be_cut_short(shipped: Configuration) -> None:
    """As argparse allows where it is the only one."""
    for line in ("upload --repository-u=http://a x", "upload --repository-u http://a x"):
        found = call(f"twine {line}", shipped)
        assert found is not None
        words = found.parsed
        assert words.words == ["upload", "x"]
        assert words.last(["--repository-url"]) == "http://a"
        assert words.last(["-r", "--repository"]) is None


def test_a_flag_takes_no_value_though_an_option_begins_like_it(shipped: Configuration) -> None:
    """twine's --sign is whole, and no short form of --sign-with."""
    found = call("twine upload --sign a.whl --sign-w gpg2 b.whl", shipped)
    assert found is not None
    assert found.parsed.words == ["upload", "a.whl", "b.whl"]


def test_arguments_after_two_dashes_are_words() -> None:
    """A file may be called -r."""
    words = parse_words(["upload", "--", "-r", "x", "--"], {"-r"})
    assert words.words == ["upload", "-r", "x", "--"]
    assert words.options == []


def test_a_single_dash_is_a_word() -> None:
    """It stands for standard input."""
    assert parse_words(["-", "-v", "-"], set()).words == ["-", "-"]


def test_an_option_at_the_end_has_an_empty_value() -> None:
    """The tool will say what is missing."""
    assert parse_words(["upload", "-r"], {"-r"}).last(["-r"]) == ""
    assert parse_words(["upload", "--repository"], {"--repository"}).last(["--repository"]) == ""


@given(st.lists(st.text("-=rx") | st.sampled_from(["-r", "--repo", "--repository=x", "--", "-"])))
def test_the_words_are_some_of_the_arguments_in_their_order(arguments: list[str]) -> None:
    """No word is invented, cut or lost."""
    found = parse_words(arguments, {"-r", "--repository"})
    left = iter(arguments)
    assert all(word in left for word in found.words)


@pytest.mark.parametrize(
    "line",
    [
        "poetry run twine upload x",
        "pdm run -p . twine upload x",
        "hatch -e default run twine upload x",
        "hatch run release:twine upload x",
    ],
)
def test_a_command_that_a_project_tool_runs_is_known(line: str, shipped: Configuration) -> None:
    """``poetry run X`` and the like count as X."""
    found = call(line, shipped)
    assert found is not None
    assert found.row.name == "twine"
    assert found.needs_secret


# -- what of a project starts it ---------------------------------------------------


@pytest.mark.parametrize(
    ("line", "launcher"),
    [
        ("twine upload x", ""),
        ("python -m twine upload x", ""),
        ("uvx twine upload x", ""),
        ("uv tool run twine upload x", ""),
        ("pipx run twine upload x", ""),
        ("uv publish", ""),
        ("hatch -e x publish run", ""),
        ("uv run twine upload x", "uv run"),
        ("uv run python -m twine upload x", "uv run"),
        ("/usr/bin/uv --offline run --with twine twine upload x", "uv run"),
        ("uv run --with run --with tool twine upload x", "uv run"),
        ("poetry run twine upload x", "poetry run"),
        ("pdm run twine upload x", "pdm run"),
        ("hatch -e release run twine upload x", "hatch run"),
        ("hatch run release:twine upload x", "hatch run"),
        ("uv run --no-project uv publish", "uv run"),
    ],
)
def test_a_launcher_in_a_project_is_named(line: str, launcher: str, shipped: Configuration) -> None:
    """The project may say how it is run; what makes an environment of its own asks no project."""
    found = call(line, shipped)
    assert found is not None
    assert launchers.in_project(found.starts) == launcher
    assert launchers.redirected(found.starts, {}) == ""


@pytest.mark.parametrize(
    ("line", "environ", "steered"),
    [
        ("uv run --directory o twine upload x", {}, "--directory"),
        ("uv --directory o run twine upload x", {}, "--directory"),
        ("uv run --directory=o python -m twine upload x", {}, "--directory"),
        ("uv --project o run twine upload x", {}, "--project"),
        ("uv run --env-file .env twine upload x", {}, "--env-file"),
        ("uv run --script twine upload x", {}, "--script"),
        ("uv run -qs twine upload x", {}, "-s"),
        ("uv run twine upload x", {"UV_WORKING_DIR": "o"}, "UV_WORKING_DIR"),
        ("uv run twine upload x", {"UV_PROJECT": "o"}, "UV_PROJECT"),
        ("uv run twine upload x", {"UV_ENV_FILE": ".env"}, "UV_ENV_FILE"),
        ("poetry -C o run twine upload x", {}, "-C"),
        ("poetry -Co run twine upload x", {}, "-C"),
        ("poetry -vCo run twine upload x", {}, "-C"),
        ("poetry --dir=o run twine upload x", {}, "--directory"),
        ("poetry --directory o run twine upload x", {}, "--directory"),
        ("poetry -P o run twine upload x", {}, "-P"),
        ("pdm run -p o twine upload x", {}, "-p"),
        ("pdm run --project=o twine upload x", {}, "--project"),
        ("pdm run --proj=o twine upload x", {}, "--project"),
        ("pdm run -spo twine upload x", {}, "-p"),
        ("pdm run --env A=b twine upload x", {}, "--env"),
        ("pdm run --env-file .env twine upload x", {}, "--env-file"),
        ("pdm run --working-dir=o twine upload x", {}, "--working-dir"),
        ("pdm run -k :all --venv x twine upload x", {}, ""),
        ("pdm run twine upload x", {"PDM_PROJECT": "o"}, "PDM_PROJECT"),
        ("hatch -p o run twine upload x", {}, "-p"),
        ("hatch run twine upload x", {"HATCH_PROJECT": "o"}, "HATCH_PROJECT"),
        ("twine upload x", {"UV_PROJECT": "o"}, ""),
        ("poetry run twine upload x", {"UV_PROJECT": "o"}, ""),
        ("uv run twine upload x", {"UV_PROJECT": ""}, ""),
        ("uv run twine upload --directory o -p x y", {}, ""),
        ("uvx --directory o twine upload x", {}, "--directory"),
        ("uvx --env-file=.env twine upload x", {}, "--env-file"),
        ("uvx twine upload x", {"UV_WORKING_DIR": "o"}, "UV_WORKING_DIR"),
        ("uvx twine upload x", {"UV_ENV_FILE": "o"}, "UV_ENV_FILE"),
        ("uvx --project o twine upload x", {"UV_PROJECT": "o"}, ""),
        ("uv tool run --directory o twine upload x", {}, "--directory"),
        ("uv --project tool run twine upload x", {}, "--project"),
        ("uv run --project tool pdm run twine upload x", {}, "--project"),
        ("uv run --with tool pdm run -p o twine upload x", {}, "-p"),
        ("uv --directory o tool run twine upload x", {}, "--directory"),
        ("uv tool run twine upload x", {"UV_ENV_FILE": "o"}, "UV_ENV_FILE"),
        ("uv --project o tool run twine upload x", {"UV_PROJECT": "o"}, ""),
    ],
)
def test_an_option_or_variable_that_redirects_is_named(
    line: str, environ: Mapping[str, str], steered: str, shipped: Configuration
) -> None:
    """The launcher's options and variables alone, not the tool's own."""
    found = call(line, shipped)
    assert found is not None
    assert found.row.name == "twine"
    assert launchers.redirected(found.starts, environ).rpartition(" ")[2] == steered


def test_the_options_before_the_subcommand_are_known(shipped: Configuration) -> None:
    """hatch's -p names the project there, and the publisher behind."""
    for line, before in (
        ("hatch publish -p x", []),
        ("hatch -p x publish -r y", ["-p"]),
        ("hatch -v --project=x publish -p y", ["-v", "--project"]),
    ):
        found = call(line, shipped)
        assert found is not None
        words = found.parsed
        assert [name for name, _ in words.options[: words.before]] == before
    assert parse_words(["-v"], set()).before == 1
    assert parse_words(["-v", "--", "x", "-w"], set()).before == 1


def test_a_tools_module_that_cannot_load_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise secretly would not recognize the tool, and would hand over the stored token."""
    (tmp_path / "broken.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.setattr(tools, "__path__", [*tools.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        tools.tool_for("broken")
    assert tools.tool_for("gh") is None
