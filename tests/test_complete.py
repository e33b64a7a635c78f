"""What a shell offers for a word: ``secretly __complete`` and ``secretly completion``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command import PATIENCE, quick

from secretly.cli import complete, described
from secretly.cli.complete import Known, offer
from secretly.cli.completion import SCRIPTS
from secretly.cli.verbs import ALIASES, VERBS
from secretly.keeping import name_changes
from secretly.keeping.stored_names import StoredNames

CONFIG = """
[secrets.Configured]
username = "ada"
[commands.twine.profiles.staging]
env = { A = "b" }
[commands.deploy.profiles.staging]
env = { A = "b" }
"""


@pytest.fixture(name="known")
def _known(tmp_path: Path) -> Known:
    """A user with two stored names and a configuration."""
    config, state = tmp_path / "config.toml", tmp_path / "state"
    config.write_text(CONFIG)
    names = StoredNames(state / "secretly")
    name_changes.add(names, "API_KEY", "ada", True)
    name_changes.add(names, "My Key", "login", False)
    return Known(
        {
            "HOME": str(tmp_path),
            "SECRETLY_CONFIG": str(config),
            "XDG_STATE_HOME": str(state),
        }
    )


def offered(known: Known, *words: str) -> set[str]:
    found = offer(words, known)
    assert found.kind == "words"
    return {*found.words}


NAMES = {"API_KEY", "My Key", "Configured", "PyPI", "TestPyPI"}


@pytest.mark.parametrize(
    ("call", "there"),
    [
        (["get", ""], NAMES),
        (["set", ""], NAMES),
        (["forget", ""], {"API_KEY", "My Key"}),
        (["rm", "--username", "x", ""], {"API_KEY", "My Key"}),
        (["get", "PyPI", ""], set()),
        (["forget", "--username", ""], {"ada", "login"}),
        (["token", ""], {"show", "narrow"}),
        (["token", "show", ""], NAMES),
        (["token", "narrow", "--project", "demo", ""], NAMES),
        (["token", "narrow", "--project", ""], set()),
        (["run", "-e", "X="], {f"X={name}" for name in NAMES}),
        (["run", "-eX="], {f"-eX={name}" for name in NAMES}),
        (["run", "--env=X="], {f"--env=X={name}" for name in NAMES}),
        (["run", "-qe", "X="], {f"X={name}" for name in NAMES}),
        (["run", "-e", ""], NAMES - {"My Key"}),  # -e X means X=X
        (["run", "-p", ""], {"staging"}),
        (["run", "--profile=st"], {"--profile=staging"}),
        (["exec", "-p", ""], {"staging"}),
        (["shim", ""], {"twine", "deploy"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
        (["help", ""], {*VERBS}),
        (["help", "token", ""], {"show", "narrow"}),
        (["help", "run", ""], set()),
        (["nonsense", ""], set()),
        (["lock", ""], set()),
        (["list", "-"], {"-h", "--help", "--json", "--older", "--others"}),
        (["help", "-"], {"-h", "--help"}),
        (["get", "--", ""], NAMES),
        (["get", "--", "-"], NAMES),
        (["run", "--remember=1"], set()),
        (["run", "--nonsense=1"], set()),
        (["-"], {"--help", "--version"}),
        ([""], {*VERBS}),
        (["ru"], {*VERBS}),
    ],
)
def test_words_are_offered(known: Known, call: list[str], there: set[str]) -> None:
    """Verbs, options, names, profiles, known commands."""
    assert offered(known, *call) == there


def test_known_commands_are_offered(known: Known) -> None:
    """The shipped ones and the configured ones."""
    assert {"twine", "hcloud", "deploy"} <= offered(known, "run", "--as", "")


@pytest.mark.parametrize(
    ("call", "kind", "detail"),
    [
        (["run", ""], "command", "1"),
        (["run", "tw"], "command", "1"),
        (["run", "twine", "up"], "command", "1"),
        (["run", "twine", "-"], "command", "1"),
        (["run", "-e", "X=Y", "twine", "--r"], "command", "3"),
        (["run", "--remember", "twine", ""], "command", "2"),
        (["run", "-q", "--", "-x", ""], "command", "3"),
        (["run", "--", "-"], "command", "2"),
        (["exec", "--dry-run", "twine", ""], "command", "2"),
        (["run", "-f", "x"], "files", ""),
        (["run", "--env-file=x"], "files", "--env-file="),
        (["run", "-fx"], "files", "-f"),
        (["check", "-f", ""], "files", ""),
        (["shim", "--dir", ""], "folders", ""),
    ],
)
def test_paths_and_commands_are_the_shells(
    known: Known, call: list[str], kind: str, detail: str
) -> None:
    """After ``run`` the shell completes the command as if secretly were not there."""
    assert offer(call, known) == (kind, {}, detail)


def test_every_option_of_the_help_is_offered_with_its_text(known: Known) -> None:
    """They are made from what ``--help`` prints; and the value of each is thought of."""
    verbs = described.describe_all()
    assert [verb.name for verb in verbs] == [*VERBS]
    for verb in (inner for one in verbs for inner in (one, *one.verbs)):
        found = offer([*verb.name.split(), "-"], known).words
        assert found == {name: one.help for one in verb.options for name in one.names}
        assert all(one.help and verb.example and verb.text for one in verb.options)
        for one in verb.options:
            assert not one.takes or one.names[-1] in complete.OF_OPTIONS
    assert {*ALIASES.values()} <= {*VERBS}


def test_a_wrong_configuration_and_a_corrupt_list_offer_nothing(tmp_path: Path) -> None:
    """The rest is still offered."""
    (tmp_path / "secretly").mkdir(mode=0o700)
    (tmp_path / "secretly/kept.tsv").write_text("nonsense")
    (tmp_path / "config.toml").write_text("bogus = 1")
    known = Known(
        {
            "HOME": str(tmp_path),
            "SECRETLY_CONFIG": str(tmp_path / "config.toml"),
            "XDG_STATE_HOME": str(tmp_path),
        }
    )
    assert offered(known, "get", "") == offered(known, "run", "-p", "") == set()
    assert offered(known, "forget", "--username", "") == set()
    assert "--json" in offered(known, "list", "-")


def test_a_name_that_changes_a_terminal_is_not_printed(
    known: Known, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell writes what it gets to the terminal."""
    known.__dict__["stored"] = {"Good": "stored", "Bad\x1b[2J": "stored", "Bidi\u202e": "stored"}
    monkeypatch.setattr(complete, "Known", lambda environ: known)
    assert complete.complete(["forget", ""]) == 0
    assert capsys.readouterr().out == "words\nGood\tstored\n"


@pytest.mark.process
def test_the_command_answers_the_scripts() -> None:
    """Without a word, it offers the verbs; no help lists the hidden verb."""
    with quick() as home:
        assert home.run("__complete").stdout.startswith("words\nrun\t")
        assert home.run("__complete", "run", "x", "y").stdout == "command 1\n"
        assert "__complete" not in home.run("--help").stdout
        for shell, name in SCRIPTS.items():
            done = home.run("completion", shell)
            path = Path(complete.__file__).parent / "completions" / name
            assert (done.status, done.stdout) == (0, path.read_text("utf-8"))
        assert home.run("completion", "tcsh").status == 2


@pytest.mark.outside
@pytest.mark.process
def test_a_completion_of_run_loads_no_password_manager() -> None:
    """And neither keyring nor an event loop: it runs at each Tab."""
    code = (
        "import sys; from secretly.cli import main; main(['__complete', 'run', '-e', 'X=']); "
        "print([name for name in ('keyring', 'twisted', 'asyncio', 'pexpect', 'json') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env={"HOME": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout.splitlines()[-1] == "[]", done
