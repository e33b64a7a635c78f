"""A user's mistakes: a typo in a name, another program's verb, a ``$X`` that the shell expands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Home
from command import quick as fresh_home

from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.cli import guesses, run_options
from secretly.cli.console import UsageError
from secretly.cli.verbs import VERBS
from secretly.config import loading
from secretly.config.command_line import recognize
from secretly.config.model import Command, Configuration, Entry, Profile
from secretly.resolving.similar import configured_names, did_you_mean, similar_names
from secretly.testing import FakePinentry


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with fresh_home() as found:
        found.keep_in_a_file()
        yield found


# -- uploads that secretly doesn't see ---------------------------------------------


def line_for(words: str, alias: str | None = None) -> str:
    """The line about a call, and whether the call needs no secret, as it must for a line."""
    known = loading.load({"SECRETLY_CONFIG": "/dev/null"})
    command = words.split()
    call = recognize(command, known, alias)
    assert call is not None
    assert not call.needs_secret
    return guesses.unseen_upload(command, call, alias)


@pytest.mark.parametrize(
    ("words", "alias", "how"),
    [
        ("hatch run release", None, "--as twine --project NAME hatch run release"),
        ("hatch run docs:deploy", None, "--as twine --project NAME"),
        ("uv run poe publish", None, "--as twine --project NAME uv run poe publish"),
        ("poetry run nox -s release", None, "--as twine --project NAME"),
        ("npm run release", None, "-e NPM_TOKEN=npm npm run release"),
        ("npm run publish:docs", None, "-e NPM_TOKEN=npm"),
        ("cargo release", None, "-e CARGO_REGISTRY_TOKEN=Cargo cargo release"),
        ("cargo xtask publish", None, "-e CARGO_REGISTRY_TOKEN=Cargo"),
        ("make all", "twine", "--wrap twine make all"),
        ("make release", "uv", "--wrap uv make release"),
        ("make release", "npm", "--wrap npm make release"),
        ("make release", "cargo", "--wrap cargo make release"),
        ("nox -s all", "npm", "-e NPM_TOKEN=npm nox -s all"),
        ("nox -s all", "twine", "--as twine --project NAME nox -s all"),
    ],
)
def test_a_call_that_may_publish_is_named_with_what_helps(
    words: str, alias: str | None, how: str
) -> None:
    """The line has a command that one can paste."""
    line = line_for(words, alias)
    assert "gets no secret" in line
    assert f"secretly run {how}" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("words", "packing"),
    [
        ("pnpm publish --no-git-checks", "pnpm pack"),
        ("/opt/bin/yarn npm publish", "yarn pack"),
        ("bun publish", "bun pm pack"),
    ],
)
def test_what_npm_has_to_publish_is_named_with_the_commands(words: str, packing: str) -> None:
    """pnpm, yarn and bun can't be held to a registry."""
    assert f"{packing}, then secretly run npm publish" in guesses.for_recipe(words.split())
    assert guesses.for_recipe([words.split()[0], "install"]) == ""


@pytest.mark.parametrize(
    ("words", "alias"),
    [
        ("hatch run test", None),
        ("hatch version release", None),
        ("uv run pytest tests/test_upload.py", None),
        ("uv run pytest upload.py", None),
        ("uv build", None),
        ("cargo build --release", None),
        ("npm test", None),
        ("twine upload --help", None),
        ("twine check dist/x", None),
        ("twine check dist/x", "twine"),
        ("gh auth login", None),
    ],
)
def test_a_call_that_does_not_seem_to_publish_has_no_line(words: str, alias: str | None) -> None:
    """Paths, options and other words don't count."""
    assert line_for(words, alias) == ""


@pytest.mark.parametrize(
    ("words", "how"),
    [
        (
            "make release",
            "to be asked when it starts twine: secretly run --wrap twine make release",
        ),
        ("npx npm publish", "start npm without npx: secretly run npm publish"),
        ("just deploy-docs", "secretly run --wrap twine just deploy-docs"),
        ("nox -s release", "secretly run --as twine --project NAME nox -s release"),
        ("make test", ""),
        ("./release.sh", ""),
    ],
)
def test_an_unknown_command_that_may_publish_has_a_hint(words: str, how: str) -> None:
    """secretly refuses it, as nothing names a secret."""
    found = guesses.for_recipe(words.split())
    assert found.endswith(how)
    assert bool(found) == bool(how)


@pytest.mark.process
def test_the_line_is_printed_and_the_call_is_run(home: Home) -> None:
    """``-q`` hides the line. With ``--wrap`` there is none."""
    home.program("hatch", "#!/bin/sh\necho ran\n")
    call = ("hatch", "run", "release")
    done = home.run("run", *call)
    assert (done.status, done.stdout) == (0, "ran\n")
    assert done.stderr == f"secretly: {line_for(' '.join(call))}\n"
    for options in (("-q",), ("--wrap", "twine")):
        done = home.run("run", *options, *call)
        assert (done.status, done.stdout, done.stderr) == (0, "ran\n", "")


@pytest.mark.process
def test_a_recipe_that_names_no_secret_is_refused_with_the_hint(home: Home) -> None:
    """Nothing is run."""
    home.program("make", "#!/bin/sh\necho ran\n")
    done = home.run("run", "make", "release")
    assert (done.status, done.stdout) == (125, "")
    assert done.stderr.splitlines()[1].strip() == guesses.for_recipe(["make", "release"])


# -- names -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stored", "near"),
    [
        ("pypi", [], ["PyPI"]),
        ("PYPI", [], ["PyPI"]),
        ("PyPi", ["PyPI"], ["PyPI"]),
        ("testpypi", [], ["TestPyPI"]),
        ("openai", ["OpenAI"], ["OpenAI"]),
        ("OpenIA", [], ["OpenAI"]),
        ("OpnAI", [], ["OpenAI"]),
        ("OpenAII", [], ["OpenAI"]),
        ("0penAI", ["OpenAI"], []),  # a digit tells names apart
        ("Deplpy", ["Deploy"], ["Deploy"]),
        ("my-key", ["my_key"], ["my_key"]),
        ("PyPI/Demo", ["PyPI/demo"], ["PyPI/demo"]),
        ("Key1", ["Key2", "Key"], []),
        ("db", ["DB"], ["DB"]),
        ("DB", ["DC", "D"], []),
        ("Foo", ["Fob", "Foo1"], []),
        ("Github", ["GitHub", "github"], ["GitHub", "github"]),
        ("PyPI", ["pypi"], ["pypi"]),
        ("PyPI", [], []),  # a configured name
        ("OpenAI", ["OpenAI", "openai"], []),  # a stored name
        ("Something", ["Else"], []),
        ("", ["A"], []),
    ],
)
def test_names_that_are_near_are_found(name: str, stored: list[str], near: list[str]) -> None:
    """Similar names differ only in case, or in one letter: missing, wrong, added or swapped."""
    configuration = loading.load({"SECRETLY_CONFIG": "/dev/null"})
    assert similar_names(name, stored, configuration) == near
    question = did_you_mean(name, stored, configuration)
    assert all(other in question for other in near)
    assert bool(question) is bool(near)


def test_the_names_in_the_configuration_are_plain_ones() -> None:
    """Neither a field nor another store is a part of a name."""
    texts = {
        "A": "AWS#username",
        "B": "secretly://Own",
        "C": "secretly://",
        "D": "op://V/I",
        "E": "{{ X }}",
        "F": "",
        "G": "Plain",
    }
    row = Command("show", secrets=texts, profiles={"p": Profile(secrets={"P": "Named#password"})})
    known = Configuration({"PyPI": Entry("PyPI")}, {"show": row})
    assert configured_names(known) == {"PyPI", "AWS", "Own", "C", "Plain", "Named"}


def test_rows_give_their_names_unread(tmp_path: Path) -> None:
    """A prompt does not make commands of all rows, and finds the same names as if it did."""
    file = tmp_path / "config.toml"
    file.write_text('[commands]\ne.secrets.X = "Own"\nf.profiles.p.secrets.X = "Other#user"\n')
    known = loading.load({"SECRETLY_CONFIG": str(file)})
    names = configured_names(known)
    assert names >= {"Own", "Other", "PyPI", "GitHub"}
    assert configured_names(Configuration(known.secrets, dict(known.commands))) == names


def near(name: str, other: str) -> str:
    configuration = loading.load({"SECRETLY_CONFIG": "/dev/null"})
    return wording.no_such_name(name, did_you_mean(name, [other], configuration))


@pytest.mark.process
def test_a_name_that_is_near_is_said_in_the_prompt_and_without_one(home: Home) -> None:
    """secretly suggests the similar name, but not for the right name and not with ``--ask``."""
    assert home.run("set", "Deploy", "--stdin", stdin="canary-1").status == 0
    done = home.run("run", "--no-input", "-e", "K=deploy", "touch", "ran")
    assert (done.status, len(done.stderr.splitlines())) == (125, 2)
    assert "Did you mean Deploy?" in done.stderr
    assert "Did you mean Deploy?" in home.run("get", "Deply").stderr
    assert "Did you mean Deploy?" in home.run("forget", "deploy").stderr
    assert "Did you mean" not in home.run("get", "Another").stderr
    with FakePinentry(["canary-2"] * 3) as fake:
        for words in (("K=deploy",), ("K=Another",), ("K=deploy", "--ask")):
            assert home.run("run", "-e", *words, "true", environ=fake.environ).status == 0
        shown = [prompt.get("SETERROR", "") for prompt in fake.prompts]
    assert [unescape(text.encode()).decode() for text in shown] == [
        near("deploy", "Deploy"),
        "",
        "",
    ]


@pytest.mark.process
def test_set_says_a_name_that_is_near(home: Home) -> None:
    """``set`` stores the secret, and names the similar name on standard error and in the prompt."""
    done = home.run("set", "pypi", "--stdin", stdin="canary-1")
    assert (done.status, done.stderr) == (0, f"secretly: {near('pypi', 'PyPI')}\n")
    with FakePinentry(["canary-2"] * 2) as fake:
        done = home.run("set", "Opnai", environ=fake.environ)
        assert near("Opnai", "OpenAI") in done.stderr
        text = unescape(fake.prompts[0]["SETDESC"].encode()).decode()
    assert near("Opnai", "OpenAI") in text
    assert home.run("set", "OpenAI", "--stdin", stdin="canary-1").stderr == ""
    assert home.run("set", "Another", "--stdin", stdin="canary-1").stderr == ""


# -- verbs and options ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        ("rnu", "'run'"),
        ("SET", "'set'"),
        ("lsit", "'list'"),
        ("improt", "'import'"),
        ("delte X", "'forget'"),
        ("erase PyPI", "'forget'"),
        ("show X", "'get'"),
        ("HELP", "'help'"),
        ("twine upload", "'secretly run twine upload'"),
        ("twine upload dist/demo-1.0.tar.gz", "'secretly run twine upload dist/demo-1.0.tar.gz'"),
        ("twine upload -p canary-1", "'secretly run twine upload …'"),
        ("sh Canary-1", "'secretly run sh …'"),
        ("nothing-like-it", ""),
    ],
)
def test_an_unknown_verb_is_answered_with_the_right_one(call: str, meant: str) -> None:
    """For a command secretly suggests ``run``. The message never shows a possible password."""
    said = guesses.unknown_verb(call.split(), VERBS)
    assert said.partition("Did you mean ")[2] == (f"{meant}?" if meant else "")
    assert "anary" not in said


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        ("-e X=Y true", "'secretly run -e'"),
        ("--env=X", "'secretly run --env'"),
        ("-eX=Y", "'secretly run -e'"),
        ("--vresion", "'--version'"),
        ("-V", "'--version'"),
        ("-v", "'--version'"),
        ("--remeber=15m true", "'secretly run --remember'"),
        ("--x", ""),
    ],
)
def test_an_unknown_option_is_answered_with_the_right_one(call: str, meant: str) -> None:
    """For an option of ``run`` before the verb, secretly suggests ``run`` with this option."""
    said = guesses.unknown_option(call.split(), run_options.NAMES)
    assert said.partition("Did you mean ")[2] == (f"{meant}?" if meant else "")


def test_an_unknown_option_of_run_is_answered_with_the_right_one() -> None:
    """``run`` suggests the right option also if a known command's name follows."""
    with pytest.raises(UsageError, match="Did you mean '--env-file'"):
        run_options.parse_options(["--evn-file", "x", "true"])
    with pytest.raises(UsageError) as caught:
        run_options.parse_options(["--zzzzzz", "true"])
    assert "mean" not in str(caught.value)


def test_an_unknown_option_of_a_verb_is_answered_with_the_right_one() -> None:
    """secretly adds the right option to argparse's message."""
    told = guesses.unrecognized("unrecognized arguments: --usrname x", ["--username", "-h"])
    assert told.endswith("Did you mean '--username'?")
    assert guesses.unrecognized("the following: x", ["--username"]) == "the following: x"
    for choices in ("'show', 'narrow'", "show, narrow"):  # Python 3.11, and newer ones
        wrong = "argument VERB: invalid choice: '{}' (choose from " + f"{choices})"
        told = guesses.unrecognized(wrong.format("sho"), ["--help"])
        assert told == "'sho' is not a valid VERB. Did you mean 'show'?"
        told = guesses.unrecognized(wrong.format("x' (y)"), ["--help"])
        assert told == "'x' (y)' is not a valid VERB: choose from show, narrow"
    told = guesses.unrecognized("unrecognized arguments: --stdin", ["--stdin"])
    assert told.endswith("--stdin: write options before '--'")


@pytest.mark.process
def test_the_command_says_what_was_meant(home: Home) -> None:
    """Each mistake gets a message of two lines and the exit status for wrong usage."""
    home.program("twine", "#!/bin/sh\necho ran\n")
    for call, meant, status in (
        ("rnu", "'run'", 2),
        ("twine upload", "'secretly run twine upload'", 2),
        ("-e X=Y true", "'secretly run -e'", 2),
        ("set --usrname x y", "'--username'", 2),
        ("run --evn X=Y true", "'--env'", 125),
        ("run --as twin true", "'twine'", 125),
        ("run --remember 15m twine upload", "--remember=15m", 125),
        ("run twin upload", "'twine'", 127),
        ("run -e X=Y twin upload", "'twine'", 127),
        ("token sho PyPI", "'show'", 2),
        ("completion bsh", "'bash'", 2),
    ):
        done = home.run(*call.split())
        assert (done.status, len(done.stderr.splitlines())) == (status, 2), call
        assert meant in done.stderr


@pytest.mark.process
def test_a_program_that_does_not_exist_is_named_before_its_missing_secret(home: Home) -> None:
    """A known command that isn't installed is not suggested."""
    done = home.run("run", "./absent", "upload")
    assert (done.status, done.stdout) == (127, "")
    assert "command not found: ./absent" in done.stderr
    done = home.run("run", "poetri", "publish", environ={"PATH": str(home.programs)})
    assert (done.status, len(done.stderr.splitlines())) == (127, 2)
    assert "mean" not in done.stderr


# -- the shell -----------------------------------------------------------------------


@pytest.mark.parametrize("word", ["15m", "15", "900s", "2h", "15min", "1d"])
def test_a_duration_in_the_place_of_the_command_is_answered(word: str) -> None:
    """The message has the duration joined with ``=``, and the rest of the call."""
    message, hint = guesses.not_joined([word, "twine", "upload"]) or ("", "")
    assert "--remember=" in message
    assert hint.endswith("twine upload")


@pytest.mark.parametrize("word", ["7z", "1password-cli", "2to3", "./15m"])
def test_a_command_that_begins_with_a_digit_is_not_a_duration(
    word: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word that is not a duration, or names an existing program, is a command."""
    home.program("7z", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(home.programs))
    assert guesses.not_joined([word]) is None


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["echo", ""], True),
        (["echo"], True),
        (["curl", "-H", "Authorization: Bearer ", "x"], True),
        (["tool", "--token="], True),
        (["psql", "postgres://u:@host/db"], True),
        (["echo", "a"], False),
        (["twine"], False),
        (["tool", "--token=x", "a=b", "u:p@host"], False),
        (["sh", "-c", 'echo "$X"'], False),
    ],
)
def test_an_argument_that_the_shell_has_emptied_gets_a_line(
    command: list[str], said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """secretly warns only about variables that get a secret and weren't set before."""
    monkeypatch.delenv("X", raising=False)
    assert bool(run_options.expanded_by_the_shell(command, ["X"])) is said
    assert run_options.expanded_by_the_shell(command, []) == ""
    monkeypatch.setenv("X", "set")  # so the shell inserted this value
    assert run_options.expanded_by_the_shell(command, ["X"]) == ""


@pytest.mark.process
def test_the_line_about_the_shell_is_on_standard_error(home: Home) -> None:
    """The warning names the variable and the command still runs. ``-q`` hides the warning."""
    environ = {"VALUE": "canary-1"}
    done = home.run("run", "-e", "X=env://VALUE", "echo", "", environ=environ)
    assert (done.status, done.stdout) == (0, "\n")
    (line,) = done.stderr.splitlines()
    assert "$X" in line and "canary" not in line
    done = home.run("run", "-q", "-e", "X=env://VALUE", "echo", "", environ=environ)
    assert done.stderr == ""
