"""The command, as users and scripts see it."""

from __future__ import annotations

import configparser
import datetime
import getpass
import importlib
import json
import os
import re
import shlex
import shutil
import signal
import stat
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import tokens
from command import (
    SECRETLY,
    Ended,
    Home,
    Warm,
    children,
    ended,
    files_with,
    holders,
    home,
    quick,
    wait_until,
)
from conftest import fewer, need
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tokens import TOKEN, wheel

from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.cli import run_options, verbs
from secretly.cli.main import VERSION
from secretly.config import command_line, launchers
from secretly.publishing.pypi_token import token_scope
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

WHEEL = "dist/demo-1.0-py3-none-any.whl"
A_SECRET_BY_MISTAKE = "pypi-" + "AgEIcHlwaS5vcmc" * 3


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        yield found


@pytest.fixture(scope="module", name="warm")
def _warm() -> Iterator[Warm]:
    """The command without a way to ask, and with no stored secret."""
    with home() as folder:
        folder.program("others", "#!/bin/sh\n", 0o777)
        folder.program("not-executable", "#!/bin/sh\n", 0o644)
        folder.program("no-interpreter", "#!/nowhere/at-all\n")
        folder.program("twine", '#!/bin/sh\necho "ran $*"\n')
        wheel(folder.folder / "dist")
        environ = {
            "VALUE": "canary-value",
            "TOKEN": TOKEN,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        with Warm(folder, environ) as warm:
            yield warm


@pytest.fixture(scope="module", name="only_stand_ins")
def _only_stand_ins() -> Iterator[Warm]:
    """The same, where the only commands there are do nothing."""
    with home() as folder:
        for name in ("true", "twine", "python"):
            folder.program(name, "#!/bin/sh\n")
        wheel(folder.folder / "dist")
        backend = "keyring.backends.fail.Keyring"
        environ = {"PATH": str(folder.programs), "PYTHON_KEYRING_BACKEND": backend, "VALUE": "x"}
        with Warm(folder, environ) as warm:
            yield warm


def texts(prompt: dict[str, str], verb: str = "SETDESC") -> str:
    """What a prompt showed."""
    return unescape(prompt.get(verb, "").encode()).decode()


def assert_fails(done: Ended, status: int) -> None:
    """It ended with *status*, and two lines on stderr: what happened, and a hint."""
    assert done.status == status, done
    assert "Traceback" not in done.stderr
    lines = done.stderr.split("\n")
    assert len(lines) == 3, done.stderr
    assert lines[0].startswith("secretly: ")
    assert re.match(r"  \S", lines[1]), done.stderr
    assert lines[2] == ""


# -- what it says of itself ------------------------------------------------------


def test_it_names_its_version(home: Home) -> None:
    """``secretly --version`` prints the name and a version."""
    done = home.run("--version")
    assert done.status == 0
    assert re.fullmatch(r"secretly \d+\.\d+(\.\d+)?\S*\n", done.stdout)


def test_the_version_is_that_of_the_package() -> None:
    """It stands twice, so that ``--version`` needs no metadata."""
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")
    assert parser["metadata"]["version"] == VERSION


@pytest.mark.outside
def test_a_version_costs_what_a_help_costs(home: Home) -> None:
    """Neither loads what only other calls need."""
    loaded = []
    for option in ("--version", "--help"):
        done = home.run_any([sys.executable, "-X", "importtime", "-m", "secretly", option])
        assert done.status == 0
        loaded.append({line.rpartition("|")[2].strip() for line in done.stderr.splitlines()})
    assert loaded[0] == loaded[1]
    assert "secretly.cli.main" in loaded[0]


def test_a_help_can_be_asked_for_with_a_verb(warm: Warm) -> None:
    """``secretly help`` is ``--help``, and of a verb's verb too."""
    assert warm.run("help") == warm.run("--help")
    for call in ("run", "list", "token show", "help"):
        assert warm.run("help", *call.split()) == warm.run(*call.split(), "--help")
    assert warm.run("help", "rm") == warm.run("forget", "--help")
    assert "Did you mean 'run'?" in warm.run("help", "rnu").stderr


def test_other_words_for_verbs_are_verbs_that_no_help_lists(home: Home) -> None:
    """Scripts of other programs' users work; the status of ``exec`` is ``run``'s."""
    home.keep_in_a_file()
    for word in ("delete", "rm", "unset"):
        assert home.run("set", "Name", "--stdin", stdin="canary-1").status == 0
        assert home.run(word, "Name") == Ended(0, "forgot Name\n", "")
    done = home.run("exec", "-e", "A=env://HOME", "sh", "-c", "echo out; exit 7")
    assert done == Ended(7, "out\n", "")
    assert_fails(home.run("exec", "true"), 125)
    listed = re.findall(r"^    ([a-z]+) ", home.run("--help").stdout, re.M)
    assert not {*verbs.ALIASES} & {*listed}


@pytest.mark.parametrize("verb", verbs.VERBS)
def test_every_help_has_an_example(warm: Warm, verb: str) -> None:
    """The help of each verb ends with an example."""
    done = warm.run(verb, "--help")
    assert (done.status, done.stderr) == (0, "")
    assert re.search(rf"examples?:\n  secretly {verb}\b", done.stdout)


def test_help_names_every_verb(warm: Warm) -> None:
    """The command's own help names each verb, and has an example."""
    done = warm.run("--help")
    assert done.status == 0
    assert "example:\n  secretly run" in done.stdout
    assert all(re.search(rf"^    {verb} ", done.stdout, re.M) for verb in verbs.VERBS)


@pytest.mark.parametrize("verb", sorted({*verbs.VERBS} - {"run"}))
def test_the_help_explains_every_argument(verb: str) -> None:
    """Each option and each positional argument of a verb has a help of its own, with a noun."""
    reader = ArgumentParser()
    importlib.import_module(f"secretly.cli.{verb}").add_arguments(reader)
    waiting = [*reader._actions]
    while waiting:
        action = waiting.pop()
        if isinstance(action.choices, dict):  # verbs of its own
            waiting += [one for own in action.choices.values() for one in own._actions]
            continue
        assert action.help, action
        assert not {*re.findall(r"\w+", action.help)} & {"it", "them", "one"}, action.help


def test_the_help_of_run_names_every_option_in_at_most_two_lines(warm: Warm) -> None:
    """The second line is for an option that is too long for the first column."""
    text = warm.run("run", "--help").stdout.partition("options:\n")[2].partition("\n\n")[0]
    options = re.split(r"\n(?=  -)", text)
    named = [word.strip(",") for one in options for word in one.split() if word.startswith("-")]
    assert "--remember[=DURATION]" in named
    assert {*run_options.NAMES, "-h", "--help"} == {re.split(r"[\[=]", word)[0] for word in named}
    assert all(len(one.splitlines()) <= 2 for one in options)
    assert all(len(line) < 80 for line in text.splitlines())


def test_the_examples_of_run_can_be_pasted(home: Home) -> None:
    """The shell that the text is pasted into runs it: it asks for the secret, and counts it."""
    text = home.run("run", "--help").stdout
    (line,) = re.findall(r"^  (secretly run -e .*)$", text, re.M)
    with FakePinentry(["canary-1"]) as fake:
        command = line.replace("secretly", shlex.join(SECRETLY), 1)
        done = home.run_any(["sh", "-c", command], environ=fake.environ)
    assert (done.status, done.stdout.split()) == (0, ["9"]), done


# -- exit statuses ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (2, ["--nonsense"]),
        (2, ["nonsense"]),
        (2, ["--", "run"]),
        (2, ["get"]),
        (2, ["get", ""]),
        (2, ["get", "two", "names"]),
        (2, ["get", "no-such-scheme://item"]),
        (2, ["get", A_SECRET_BY_MISTAKE]),
        (2, ["--vers"]),
        (2, ["set", A_SECRET_BY_MISTAKE]),
        (2, ["set", "env://VALUE"]),
        (2, ["set", "Name", "--username"]),
        (2, ["forget", "Name#field"]),
        (2, ["list", "more"]),
        (2, ["doctor", "more"]),
        (2, ["help", "nonsense"]),
        (2, ["completion"]),
        (2, ["completion", "nonsense"]),
        (2, ["check"]),
        (1, ["check", "-f", "no-such-file"]),
        (1, ["get", "Name"]),
        (1, ["get", "env://NOT_SET"]),
        (1, ["get", "file:///no/such/file"]),
        (1, ["forget", "Name"]),
        (1, ["set", "Name"]),
        (1, ["set", "Name", "--stdin"]),
        (2, ["token"]),
        (2, ["token", "nonsense"]),
        (2, ["token", "show"]),
        (2, ["token", "show", A_SECRET_BY_MISTAKE]),
        (2, ["token", "narrow", "env://TOKEN", "--project", "a b"]),
        (2, ["token", "narrow", "env://TOKEN", "--project", A_SECRET_BY_MISTAKE + "/"]),
        (2, ["token", "narrow", "env://TOKEN", "--expires", "soon"]),
        (1, ["token", "show", "Name"]),
        (1, ["token", "show", "env://VALUE"]),
        (1, ["token", "narrow", "Name"]),
        (1, ["token", "narrow", "env://VALUE"]),
        (125, ["run"]),
        (125, ["run", "--"]),
        (125, ["run", "--nonsense", "true"]),
        (125, ["run", "--no-inp", "-e", "A=env://VALUE", "true"]),
        (125, ["run", "-e"]),
        (125, ["run", "-e", "A=Name"]),
        (125, ["run", "-e", "A=Name", "true"]),
        (125, ["run", "-e", "A=", "true"]),
        (125, ["run", "-e", "", "true"]),
        (125, ["run", "-e", "A=env://NOT_SET", "true"]),
        (125, ["run", "-e", f"A={A_SECRET_BY_MISTAKE}", "true"]),
        (125, ["run", "-e", A_SECRET_BY_MISTAKE, "true"]),
        (125, ["run", "-e", f"{A_SECRET_BY_MISTAKE}=", "true"]),
        (125, ["run", "--no-input", "-e", "A=Name", "true"]),
        (125, ["run", "-p", "prod", "true"]),
        (125, ["run", "-p", "prod", "twine", "upload", WHEEL]),
        (125, ["run", "--as", "nonsense", "true"]),
        (125, ["run", "--prompt-timeout", "5", "-e", "A=Name", "true"]),
        (125, ["run", "--prompt-timeout=0s", "-e", "A=Name", "true"]),
        (125, ["run", "--remember=soon", "-e", "A=Name", "true"]),
        (125, ["run", "sort"]),
        (125, ["run", "twine", "upload"]),
        (125, ["run", "twine", "upload", "x"]),
        (125, ["run", "twine", "upload", WHEEL]),
        (125, ["run", "twine", "upload", "--repository-url", "no-host", WHEEL]),
        (125, ["run", "--no-input", "-e", "TWINE_PASSWORD=env://TOKEN", "twine", "upload", WHEEL]),
        (125, ["run", "-e", "A=env://VALUE", "others"]),
        (127, ["run", "-e", "A=Name", "no-such-command"]),
        (127, ["run", "-e", "A=Name", "./no-such-command"]),
        (127, ["run", "-e", "A=Name", "/no/such/command"]),
        (127, ["run", "-e", "A=Name", ""]),
        (127, ["run", "-e", "A=env://VALUE", "no-interpreter"]),
        (126, ["run", "-e", "A=Name", "not-executable"]),
        (126, ["run", "-e", "A=Name", "/dev/null"]),
        (126, ["run", "-e", "A=Name", "/"]),
    ],
)
def test_each_failure_has_its_status_and_two_lines(
    warm: Warm, status: int, arguments: Sequence[str]
) -> None:
    """The status says whether secretly or the command failed; stderr has two lines."""
    done = warm.run(*arguments)
    assert_fails(done, status)
    assert done.stdout == ""
    assert A_SECRET_BY_MISTAKE not in done.stderr


def test_a_wrong_configuration_is_2_and_125_for_run(home: Home) -> None:
    """An error in the configuration names the file and key; ``run`` keeps to its 125."""
    home.configure("[secrets.Name]\nunknown = 1\n")
    for status, arguments in ((2, ["get", "Name"]), (125, ["run", "-e", "A=Name", "true"])):
        done = home.run(*arguments)
        assert_fails(done, status)
        assert str(home.config) in done.stderr
        assert "secrets.Name.unknown" in done.stderr


def test_the_commands_own_status_is_returned(home: Home) -> None:
    """Success and failure are the command's own."""
    for status in (0, 1, 77):
        done = home.run("run", "-e", "A=env://HOME", "sh", "-c", f"echo out; exit {status}")
        assert done == Ended(status, "out\n", "")


@pytest.mark.parametrize("name", ["no-such-command", "/dev/null"])
def test_a_command_that_cannot_run_is_found_before_anything_is_asked(home: Home, name: str) -> None:
    """127 and 126 come before a prompt."""
    with FakePinentry(["canary-1"]) as fake:
        done = home.run("run", "-e", "A=Name", name, environ=fake.environ)
        assert_fails(done, 126 if os.path.exists(name) else 127)
        assert fake.prompts == []


@pytest.mark.parametrize("verb", ["run", "set"])
def test_a_cancelled_prompt_runs_nothing(home: Home, verb: str) -> None:
    """Cancelling the prompt ends it with 130, and nothing is run or stored."""
    kept = home.keep_in_a_file()
    arguments = ["run", "-e", "A=Name", "touch", "ran"] if verb == "run" else ["set", "Name"]
    with FakePinentry([None]) as fake:
        assert_fails(home.run(*arguments, environ=fake.environ), 130)
        assert len(fake.prompts) == 1
    assert not (home.folder / "ran").exists()
    assert not kept.exists()


WORDS = st.one_of(
    st.sampled_from(
        "run set get forget list token show narrow doctor --project --expires=1s "
        "-e --env -p --profile --as --remember --remember=1s "
        "--no-remember --ask --confirm --no-confirm --no-input --prompt-timeout 1s --dry-run -q -v "
        "-qv -ve --stdin --username -n -- - --version -h twine upload dist/* check python -m true "
        "A=Name A A=env://VALUE A=env://NOT_SET PATH=x Name# #x env:// :// PyPI PyPI/x".split()
    ),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12),
    st.binary(max_size=6).filter(lambda data: b"\0" not in data).map(os.fsdecode),
)


@fewer([HealthCheck.too_slow])
@given(arguments=st.lists(WORDS, max_size=6), running=st.booleans())
def test_odd_arguments_fail_in_two_lines(
    only_stand_ins: Warm, arguments: list[str], running: bool
) -> None:
    """All arguments end in a documented status, and none in a traceback."""
    if running:
        arguments = ["run", "-e", "A=env://VALUE", *arguments]
    done = only_stand_ins.run(*arguments)
    assert "report this line" not in done.stderr
    if done.status and arguments[:1] != ["doctor"]:
        warning = r"\Asecretly: an argument is empty, or a part of one\. .*\n"
        assert_fails(done._replace(stderr=re.sub(warning, "", done.stderr)), done.status)
        assert done.status in ({125, 126, 127} if arguments[:1] == ["run"] else {1, 2})
    assert done.stderr.replace("\n", "").isprintable(), done.stderr


def test_a_closed_output_gives_no_traceback(home: Home) -> None:
    """If its output is closed, it prints no error about it."""
    process = home.start(["sh", "-c", 'sleep 0.1; exec "$@"', "sh", *SECRETLY, "--help"])
    with ended(process):
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(30) != 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_standard_stream_may_be_closed(home: Home, descriptor: int) -> None:
    """Its output is dropped: it goes to no other stream, and into no traceback."""
    close = ["sh", "-c", f'exec "$@" {descriptor}>&-', "sh", *SECRETLY]
    environ = {"VALUE": "canary-1"}
    done = home.run_any([*close, "get", "env://VALUE"], environ=environ)
    assert done == Ended(0, "" if descriptor == 1 else "canary-1\n", "")
    done = home.run_any([*close, "run", "-v", "-e", "A=env://VALUE", "true"], environ=environ)
    assert (done.status, done.stdout) == (0, "")
    assert done.stderr.count("\n") == (0 if descriptor == 2 else 2)


@pytest.mark.parametrize("verb", [["list"], ["get", "env://HOME"]])
def test_a_full_disk_is_an_error_of_two_lines(home: Home, verb: Sequence[str]) -> None:
    """If the output can't be written, the command fails."""
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    full = ["sh", "-c", 'exec "$@" >/dev/full', "sh", *SECRETLY]
    assert_fails(home.run_any([*full, *verb]), 1)


@pytest.mark.parametrize(
    ("status", "arguments"),
    [(125, ["run", "true"]), (1, ["get", "Nope"]), (2, ["bogus"]), (2, ["--version", "x"])],
)
def test_a_message_that_cannot_be_written_leaves_its_status(
    home: Home, status: int, arguments: list[str]
) -> None:
    """A full disk behind standard error does not change what is returned."""
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    full = ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", *SECRETLY]
    assert home.run_any([*full, *arguments]).status == status


# -- run: what is delivered ------------------------------------------------------


def test_what_is_typed_reaches_the_command(home: Home) -> None:
    """secretly asks for a secret that isn't stored, and sets the variable."""
    with FakePinentry(["canary-é 100%"]) as fake:
        done = home.run("run", "-e", "A=Name", "sh", "-c", 'printf %s "$A"', environ=fake.environ)
        assert done == Ended(0, "canary-é 100%", "")
        assert wording.secret_label("Name") in texts(fake.prompts[0], "SETPROMPT")


def test_a_variable_alone_names_its_secret(home: Home) -> None:
    """``-e X`` means ``X=X``."""
    with FakePinentry(["canary-1"]) as fake:
        done = home.run("run", "-e", "API_KEY", "sh", "-c", "echo $API_KEY", environ=fake.environ)
        assert done.stdout == "canary-1\n"
        assert wording.secret_label("API_KEY") in texts(fake.prompts[0], "SETPROMPT")


def test_short_options_may_stand_together(warm: Warm) -> None:
    """``-qe X=Y`` and ``-eX=Y`` are read as getopt reads them."""
    for options in (["-qe", "A=env://VALUE"], ["-eA=env://VALUE"], ["--env=A=env://VALUE"]):
        assert warm.run("run", *options, "sh", "-c", "echo $A").stdout == "canary-value\n"


def test_the_first_word_that_is_not_an_option_starts_the_command(warm: Warm) -> None:
    """Options after the command are the command's; ``--`` ends secretly's."""
    for dashes in ([], ["--"]):
        done = warm.run(
            "run", "-e", "A=env://VALUE", *dashes, "echo", "-e", "--dry-run", "--", "-v"
        )
        assert (done.status, done.stdout.split()[-3:]) == (0, ["--dry-run", "--", "-v"])


def test_what_is_delivered_replaces_what_was_inherited(home: Home) -> None:
    """The environment has the variable once, with the secret."""
    done = home.run(
        *("run", "-e", "A=env://VALUE", sys.executable, "-c"),
        "import os; print(open('/proc/self/environ').read().count('\\0A='), os.environ['A'])",
        environ={"A": "stale", "VALUE": "canary-1"},
    )
    assert done == Ended(0, "1 canary-1\n", "")


def test_several_secrets_are_asked_for_in_turn(home: Home) -> None:
    """Each prompt shows its number and the total; stored secrets aren't counted."""
    with FakePinentry(["canary-1", "canary-2", "canary-3"]) as fake:
        done = home.run(
            *("run", "-e", "A=One", "-e", "B=Two", "-e", "H=env://HOME", "-e", "C=Three"),
            *("sh", "-c", "echo $A $B $C $H"),
            environ=fake.environ,
        )
        assert done.stdout == f"canary-1 canary-2 canary-3 {home.folder}\n"
        positions = [texts(prompt).splitlines()[0] for prompt in fake.prompts]
        assert positions == ["1 of 3", "2 of 3", "3 of 3"]
        for prompt, name in zip(fake.prompts, ("One", "Two", "Three"), strict=True):
            assert wording.secret_label(name) in texts(prompt, "SETPROMPT")


def test_a_secret_for_two_variables_is_asked_for_once(home: Home) -> None:
    """The same reference is one prompt."""
    with FakePinentry(["canary-1"]) as fake:
        done = home.run(
            *("run", "-e", "A=One", "-e", "B=One", "sh", "-c", "echo $A $B"), environ=fake.environ
        )
        assert (done.stdout, len(fake.prompts)) == ("canary-1 canary-1\n", 1)


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_cancel_at_any_of_several_runs_nothing(home: Home, answered: int) -> None:
    """The command gets all of its secrets, or isn't run."""
    with FakePinentry(["canary"] * answered) as fake:
        done = home.run(
            *("run", "-e", "A=One", "-e", "B=Two", "-e", "C=Three", "touch", "ran"),
            environ=fake.environ,
        )
        assert_fails(done, 130)
        assert len(fake.prompts) == answered + 1
    assert not (home.folder / "ran").exists()


@pytest.mark.parametrize(
    "name",
    "PATH LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES PYTHONPATH PYTHONSTARTUP "
    "BASH_ENV ENV IFS NODE_OPTIONS GIT_SSH_COMMAND PERL5LIB RUBYOPT ld_preload 1A A-B A. é".split(),
)
def test_variables_that_steer_programs_are_refused(warm: Warm, name: str) -> None:
    """No secret goes into a variable that changes how programs load, or an invalid name."""
    done = warm.run("run", "-e", f"{name}=env://VALUE", "true")
    assert_fails(done, 125)
    assert name in done.stderr or not name.isascii()


def test_what_an_environment_cannot_hold_is_an_error(home: Home) -> None:
    """A value that is too long, or has a NUL byte, is refused and not shown."""
    (home.folder / "long").write_text("canary" * 30_000)
    (home.folder / "nul").write_text("canary\0canary")
    for name in ("long", "nul"):
        path = home.folder / name
        path.chmod(0o600)
        done = home.run("run", "-e", f"A=file://{path}", "sh", "-c", "touch ran")
        assert_fails(done, 125)
        assert "canary" not in done.stderr
    assert not (home.folder / "ran").exists()


def test_a_program_that_others_can_write_is_refused(home: Home) -> None:
    """Other users must not be able to change the program or a folder on its path."""
    mine = home.program("mine", "#!/bin/sh\necho ran\n")
    run = ("run", "-e", "A=env://HOME", "mine")
    assert home.run(*run).stdout == "ran\n"
    for path in (mine, home.programs):
        before = stat.S_IMODE(path.stat().st_mode)
        path.chmod(0o777)
        done = home.run(*run)
        assert_fails(done, 125)
        assert str(path) in done.stderr
        path.chmod(before)


def test_a_configuration_that_others_can_write_is_refused(home: Home) -> None:
    """The configuration decides where secrets go."""
    home.configure("")
    assert home.run("list").status == 0
    home.config.chmod(0o666)
    assert_fails(home.run("list"), 1)


def test_nothing_runs_from_the_current_folder_by_accident(home: Home) -> None:
    """Entries of PATH that are empty or relative are skipped, for the command and the pinentry."""
    folder = home.folder / "cloned"
    folder.mkdir()
    for name in ("tool", "pinentry", "pinentry-curses", "pinentry-gtk-2", "gpgconf"):
        (folder / name).write_text("#!/bin/sh\ntouch ran\n")
        (folder / name).chmod(0o755)
    for entry in (".", "", "../cloned"):
        environ = {"PATH": f"{entry}:{home.programs}", "DISPLAY": ":99"}
        done = home.run("run", "-e", "A=env://HOME", "tool", environ=environ, cwd=folder)
        assert_fails(done, 127)
        assert "./tool" in done.stderr
        home.program("there", "#!/bin/sh\n")
        assert_fails(home.run("run", "-e", "A=Name", "there", environ=environ, cwd=folder), 125)
    assert not (folder / "ran").exists()
    assert_fails(home.run("run", "-e", "A=env://HOME", "tool", cwd=folder), 127)
    assert home.run("run", "-e", "A=env://HOME", "./tool", cwd=folder).status == 0


# -- run: known commands ---------------------------------------------------------


def _twine(home: Home) -> None:
    """A stand-in that prints what a twine would see, and a wheel for it."""
    home.program(
        "twine", '#!/bin/sh\necho "$TWINE_USERNAME:$TWINE_PASSWORD@$TWINE_REPOSITORY_URL $*"\n'
    )
    wheel(home.folder / "dist")


def without_token(stdout: str) -> str:
    """What was printed, with ``NARROWED`` in the place of a token for ``demo`` alone."""
    assert TOKEN not in stdout
    found = re.search(r"pypi-[\w-]+", stdout)
    assert found is not None, stdout
    got = token_scope(found[0])
    assert (got.location, got.projects) == ("pypi.example", {"demo"})
    assert got.expires is not None
    return stdout.replace(found[0], "NARROWED")


def test_a_known_command_needs_no_option(home: Home) -> None:
    """``secretly run twine upload`` asks for the token, and gives the user name with it.

    What twine gets is a narrowed one, which a line says.
    """
    _twine(home)
    with FakePinentry([TOKEN]) as fake:
        done = home.run("run", "twine", "--no-color", "upload", "dist/*", environ=fake.environ)
        pin = f"--config-file={home.folder}/.local/state/secretly/empty.toml"
        words = f"--no-color upload dist/* {pin}"
        assert without_token(done.stdout) == f"__token__:NARROWED@ {words}\n"
        assert re.fullmatch(r"secretly: twine .*\bdemo\b.*\n", done.stderr)
        assert wording.secret_label("PyPI", "pypi-") in texts(fake.prompts[0], "SETPROMPT")


def test_an_unknown_command_without_a_secret_is_refused(warm: Warm) -> None:
    """The error names the command, and the hint is a command line that adds a secret."""
    done = warm.run("run", "sort", "file")
    assert_fails(done, 125)
    assert "sort" in done.stderr.splitlines()[0]
    assert "secretly run -e VARIABLE=NAME sort file" in done.stderr.splitlines()[1]


@pytest.mark.parametrize(
    "command",
    [
        ["python", "-m", "twine"],
        ["python3", "-I", "-m", "twine"],
        ["uv", "run", "twine"],
        ["uv", "run", "--with", "x", "--", "twine"],
        ["uv", "run", "python", "-m", "twine"],
        ["uv", "tool", "run", "twine"],
        ["uvx", "twine"],
        ["uvx", "--from", "twine", "twine"],
        ["uvx", "twine@7.0.0"],
        ["pipx", "run", "twine"],
    ],
)
def test_launchers_count_as_what_they_start(warm: Warm, command: Sequence[str]) -> None:
    """``python -m X``, ``uv run X``, ``uvx X`` and ``pipx run X`` count as X."""
    folder = warm.home
    folder.program(command[0], "#!/bin/sh\n")
    try:
        done = warm.run("run", "--dry-run", *command, "upload", WHEEL)
        places = [f"{name} from the keychain or typed" for name in ("PyPI/demo", "PyPI")]
        assert f"\nTWINE_PASSWORD: {', else '.join(places)}\n" in done.stdout, done
        assert "TWINE" not in warm.run("run", *command, "check", "x").stdout
    finally:
        (folder.programs / command[0]).unlink()


def test_the_launchers_are_those_of_the_table() -> None:
    """The names of all but Python, for calls that need nothing else of the table."""
    assert launchers.LAUNCHERS.keys() == command_line.LAUNCHERS
    assert not any(name.startswith("py") for name in command_line.LAUNCHERS)


def test_the_row_of_another_command_can_be_used(home: Home) -> None:
    """``--as twine`` treats a wrapper as twine."""
    home.program("publish", '#!/bin/sh\necho "$TWINE_USERNAME:$TWINE_PASSWORD"\n')
    wheel(home.folder / "dist")
    with FakePinentry([TOKEN]) as fake:
        done = home.run("run", "--as", "twine", "publish", "upload", WHEEL, environ=fake.environ)
        assert without_token(done.stdout) == "__token__:NARROWED\n"


def test_the_callers_own_variable_is_used_unasked(home: Home) -> None:
    """In CI the variable is set already: secretly uses it and doesn't ask."""
    _twine(home)
    environ = {"TWINE_PASSWORD": "canary-ci", "TWINE_USERNAME": "ci"}
    with FakePinentry([TOKEN]) as fake:
        done = home.run("run", "twine", "upload", "x", environ={**environ, **fake.environ})
        assert done == Ended(0, "ci:canary-ci@ upload x\n", "")
        assert fake.prompts == []


def test_an_explicit_secret_overrides_the_callers_variable(home: Home) -> None:
    """``-e`` takes precedence over the inherited environment."""
    _twine(home)
    environ = {"TWINE_PASSWORD": "stale", "VALUE": "canary-1"}
    done = home.run(
        *("run", "--no-confirm", "-e", "TWINE_PASSWORD=env://VALUE", "twine", "upload", WHEEL),
        environ=environ,
    )
    assert ":canary-1@" in done.stdout


def test_a_stale_credential_is_removed(home: Home) -> None:
    """A variable that the tool prefers is removed when a secret is delivered."""
    home.program("uv", '#!/bin/sh\necho "$UV_PUBLISH_PASSWORD ${UV_PUBLISH_TOKEN-removed}"\n')
    wheel(home.folder / "dist")
    environ = {"UV_PUBLISH_TOKEN": "stale", "VALUE": "canary-1"}
    run = ("run", "--no-confirm", "-e", "UV_PUBLISH_PASSWORD=env://VALUE", "uv", "publish")
    assert home.run(*run, environ=environ).stdout == "canary-1 removed\n"
    assert home.run("run", "uv", "publish", environ=environ).stdout == " stale\n"


PROFILES = """
[commands.twine.profiles.dev]
env = { TWINE_USERNAME = "root", TWINE_PASSWORD = "", TWINE_REPOSITORY_URL = "http://127.0.0.1:9/" }

[commands.twine.profiles.prod]
env = { TWINE_USERNAME = "__token__" }
secrets = { TWINE_PASSWORD = "PyPI" }
"""


def test_a_profile_is_chosen(home: Home) -> None:
    """``-p`` chooses a profile: its variables are set, and secretly asks for its secrets only."""
    _twine(home)
    home.configure(PROFILES)
    with FakePinentry([TOKEN]) as fake:
        dev = home.run("run", "-p", "dev", "twine", "upload", "x", environ=fake.environ)
        assert dev == Ended(0, "root:@http://127.0.0.1:9/ upload x\n", "")
        assert fake.prompts == []
        prod = home.run("run", "-pprod", "twine", "upload", WHEEL, environ=fake.environ)
        pin = f"--config-file={home.folder}/.local/state/secretly/empty.toml"
        assert without_token(prod.stdout) == f"__token__:NARROWED@ upload {WHEEL} {pin}\n"


def test_a_chosen_profiles_plain_variables_are_always_there(home: Home) -> None:
    """Every subcommand gets them; only those that need a secret get the profile's secrets."""
    _twine(home)
    home.configure(PROFILES)
    with FakePinentry([TOKEN]) as fake:
        for subcommand in ("check", "--version"):
            done = home.run("run", "-p", "dev", "twine", subcommand, environ=fake.environ)
            assert done == Ended(0, f"root:@http://127.0.0.1:9/ {subcommand}\n", "")
        assert fake.prompts == []


def test_a_default_profile_is_used(home: Home) -> None:
    """Without ``-p``, the configured default counts."""
    _twine(home)
    home.configure('[commands.twine]\ndefault = "dev"\n' + PROFILES)
    assert home.run("run", "twine", "upload", "x").stdout.startswith("root:@http://127.0.0.1:9/")


def test_without_a_chosen_profile_it_is_refused_by_their_names(home: Home) -> None:
    """Without a default an upload is refused and names them; a check needs none."""
    _twine(home)
    home.configure(PROFILES)
    with FakePinentry([TOKEN]) as fake:
        done = home.run("run", "twine", "upload", "x", environ=fake.environ)
        assert_fails(done, 125)
        assert "dev, prod" in done.stderr
        assert home.run("run", "twine", "check", "x").stdout == ":@ check x\n"
        done = home.run("run", "-p", "nonsense", "twine", "upload", "x", environ=fake.environ)
        assert_fails(done, 125)
        assert "dev, prod" in done.stderr
        assert fake.prompts == []


# -- run: what the user is told ------------------------------------------------


def test_the_prompt_says_who_asks_and_for_what(home: Home) -> None:
    """The command line, the secret, the path of the program that gets it, and what started it."""
    program = home.program("tool", "#!/bin/sh\n")
    with FakePinentry(["canary-1"]) as fake:
        home.run("run", "-e", "A=Name", "tool", "two words", "x", environ=fake.environ)
        shown, _, asked_by = texts(fake.prompts[0]).rpartition("\n")
        assert shown == wording.purpose("tool 'two words' x", "Name", str(program))
        assert asked_by.startswith(wording.asked_by_line(""))
        assert all(part in shown for part in ("tool 'two words' x", "Name", str(program)))


def test_the_prompt_is_harmless_and_short(home: Home) -> None:
    """Control and bidi characters are escaped, and a long command line is cut."""
    home.program("tool", "#!/bin/sh\n")
    evil = "\x1b[2Jx\nfor: twine\u202e\x9b\ud7ff\u2066é"
    with FakePinentry(["canary-1", "canary-2"]) as fake:
        home.run("run", "-e", "A=Name", "tool", evil, environ=fake.environ)
        home.run("run", "-e", "A=Name", "tool", *["long"] * 5000, environ=fake.environ)
        shown, long = map(texts, fake.prompts)
        lines = shown.split("\n")
        assert len(lines) == 3
        assert all(line.isprintable() for line in lines), shown
        assert "\\x1b[2Jx\\x0afor: twine\\u202e\\x9b" in lines[0]
        assert "é" in lines[0]
        assert len(long) < 400
        assert all(len(line) <= 1000 for line in fake.lines)


def test_a_name_with_bidi_characters_is_made_visible(home: Home) -> None:
    """The name in the prompt can't be written backwards."""
    with FakePinentry(["canary-1"]) as fake:
        home.run("run", "-e", "A=Na\u202eme", "true", environ=fake.environ)
        assert wording.secret_label("Na\\u202eme") in texts(fake.prompts[0], "SETPROMPT")


def test_the_prompts_time_can_be_set(home: Home) -> None:
    """``--prompt-timeout`` ends an unanswered prompt: 125, and nothing runs."""
    with FakePinentry([[("hang", True)]]) as fake:
        done = home.run(
            *("run", "--prompt-timeout", "3s", "-e", "A=Name", "touch", "ran"), environ=fake.environ
        )
        assert_fails(done, 125)
        assert "--prompt-timeout" in done.stderr
        assert texts(fake.prompts[0], "SETTIMEOUT") in ("1", "2", "3")  # the rest of the time
    assert not (home.folder / "ran").exists()


def test_no_input_never_asks(home: Home) -> None:
    """``--no-input`` and ``SECRETLY_NO_INPUT=1`` fail instead; ``0`` and empty don't count."""
    run = ("-e", "A=Name", "sh", "-c", "echo $A")
    with FakePinentry(["canary-1", "canary-2"]) as fake:
        environ = fake.environ
        assert_fails(home.run("run", "--no-input", *run, environ=environ), 125)
        for verb in (("run", *run), ("set", "Name")):
            done = home.run(*verb, environ={**environ, "SECRETLY_NO_INPUT": "1"})
            assert_fails(done, 125 if verb[0] == "run" else 1)
        assert fake.prompts == []
        for value in ("0", ""):
            done = home.run("run", *run, environ={**environ, "SECRETLY_NO_INPUT": value})
            assert done.status == 0


def test_verbose_says_that_a_known_command_gets_none(home: Home) -> None:
    """A user who expected one learns that this call doesn't need it."""
    home.program("gh", "#!/bin/sh\necho ran\n")
    done = home.run("run", "-v", "gh", "config", "list")
    assert (done.status, done.stdout) == (0, "ran\n")
    assert re.fullmatch(r"secretly: gh .*\n", done.stderr)
    assert home.run("run", "gh", "config", "list") == Ended(0, "ran\n", "")


def test_verbose_says_where_each_secret_came_from(home: Home) -> None:
    """``-v`` names the variable, the secret, its origin and the program; never a value."""
    environ = {"VALUE": "canary-1"}
    done = home.run("run", "-v", "-e", "A=env://VALUE", "sh", "-c", ":", environ=environ)
    assert done.stderr.splitlines() == [
        "secretly: A: env://VALUE (env)",
        f"secretly: program: {shutil.which('sh', path=home.environ['PATH'])}",
    ]
    assert "canary" not in done.stderr


def test_quiet_says_nothing_but_errors(home: Home) -> None:
    """``-q`` hides notes: here, that a secret couldn't be stored."""
    run = ("--remember", "-e", "A=Name", "true")
    with FakePinentry(["canary-1", "canary-2"]) as fake:
        loud = home.run("run", *run, environ=fake.environ)
        assert loud.status == 0
        assert "Name" in loud.stderr
        assert home.run("run", "-q", *run, environ=fake.environ) == Ended(0, "", "")
    assert_fails(home.run("run", "-q", *run), 125)


def test_a_dry_run_asks_and_runs_nothing(home: Home) -> None:
    """It prints which variables, from where, and which program; no value."""
    home.keep_in_a_file()
    home.configure(home.config.read_text() + "[secrets.Named]\nsource = 'env://VALUE'\n")
    program = home.program("tool", "#!/bin/sh\ntouch ran\n")
    environ = {"VALUE": "canary-value"}
    with FakePinentry(["canary-1"]) as fake:
        done = home.run(
            *("run", "--dry-run", "-e", "A=Name", "-e", "B=Named", "-e", "C=env://VALUE", "tool"),
            environ={**environ, **fake.environ},
        )
        assert done.status == 0
        assert done.stdout.splitlines() == [
            f"program: {program}",
            "A: Name from the keychain or typed",
            "B: Named from env://VALUE",
            "C: env://VALUE",
        ]
        assert "canary" not in done.stdout + done.stderr
        assert fake.prompts == []
    assert not (home.folder / "ran").exists()


def test_a_dry_run_says_what_is_set_and_removed(home: Home) -> None:
    """It names plain variables of the configuration, and stale ones that are removed."""
    _twine(home)
    home.program("uv", "#!/bin/sh\n")
    home.configure(PROFILES)
    done = home.run("run", "--dry-run", "-p", "prod", "twine", "upload", WHEEL)
    assert "TWINE_USERNAME: set by the configuration\n" in done.stdout
    done = home.run(
        *("run", "--dry-run", "-e", "UV_PUBLISH_PASSWORD=Name", "uv", "publish"),
        environ={"UV_PUBLISH_TOKEN": "canary-1"},
    )
    assert "UV_PUBLISH_TOKEN: removed\n" in done.stdout
    assert "canary" not in done.stdout


# -- the keychain's verbs --------------------------------------------------------


def test_set_get_list_forget(home: Home) -> None:
    """A stored secret is printed, listed without its value, and deleted."""
    home.keep_in_a_file()
    with FakePinentry([TOKEN]) as fake:
        assert home.run("set", "PyPI", environ=fake.environ).status == 0
        assert wording.secret_label("PyPI", "pypi-") in texts(fake.prompts[0], "SETPROMPT")
    assert home.run("get", "PyPI") == Ended(0, f"{TOKEN}\n", "")
    assert home.run("get", "-n", "PyPI") == Ended(0, TOKEN, "")
    assert home.run("get", "PyPI#username") == Ended(0, "__token__\n", "")
    listed = home.run("list").stdout
    assert re.search(r"^PyPI +the keychain, user __token__, since \d{4}-\d\d-\d\d$", listed, re.M)
    assert TOKEN not in listed
    assert home.run("forget", "PyPI").status == 0
    assert_fails(home.run("get", "PyPI"), 1)
    assert_fails(home.run("forget", "PyPI"), 1)
    assert "since" not in home.run("list").stdout


def test_the_list_has_the_age_of_each_stored_secret(home: Home) -> None:
    """``--older`` lists only those that are at least that old."""
    home.keep_in_a_file()
    home.configure(f'{home.config.read_text()}[secrets.Elsewhere]\nsource = "env://X"\n')
    for name in ("New", "Old", "Odd"):
        assert home.run("set", name, "--stdin", stdin="canary-1").status == 0
    path = home.folder / ".local/state/secretly/kept.tsv"
    now = datetime.datetime.now(datetime.UTC)
    lines = path.read_text().splitlines(keepends=True)
    for number, line in enumerate(lines):
        cells = line.split("\t")
        then = {"Old": str(now - datetime.timedelta(days=91)), "Odd": "once"}.get(cells[0])
        lines[number] = "\t".join([*cells[:3], then, *cells[4:]]) if then else line
    path.write_text("".join(lines))
    listed = home.run("list").stdout
    assert listed.count("(91 days)") == 1
    assert "day" not in listed.replace("(91 days)", "")
    for age in ("91d", "13w"):
        assert home.run("list", "--older", age).stdout.startswith("Old ")
    assert home.run("list", "--older", "92d").stdout == ""
    (found,) = json.loads(home.run("list", "--older=0d", "--json").stdout)["secrets"][-1:]
    assert (found["name"], found["places"][0]["age_days"]) == ("Old", 91)
    assert_fails(home.run("list", "--older", "3"), 2)
    assert_fails(home.run("list", "--older=3d", "--others"), 2)
    assert_fails(home.run("list", "--others"), 1)  # a file can't list its items


def test_set_reads_standard_input(home: Home) -> None:
    """``--stdin`` reads the secret without its last newline, and asks nothing."""
    home.keep_in_a_file()
    with FakePinentry([TOKEN]) as fake:
        done = home.run(
            *("set", "Name", "--stdin", "--username", "me"),
            stdin="canary line 1\ncanary é\n",
            environ=fake.environ,
        )
        assert done.status == 0
        assert "canary" not in done.stdout + done.stderr
        assert fake.prompts == []
    assert home.run("get", "Name").stdout == "canary line 1\ncanary é\n"
    assert home.run("get", "Name#username").stdout == "me\n"
    assert "user me" in home.run("list").stdout


def piped(home: Home, value: str, *arguments: str) -> Ended:
    """Store a secret named Srv from standard input."""
    return home.run("set", "Srv", "--stdin", *arguments, stdin=value)


def handed_over(home: Home) -> Ended:
    """Run a command with the secret Srv, without prompts, and return what the command prints."""
    return home.run("run", "--no-input", "-e", "K=Srv", "sh", "-c", 'echo "$K"')


def test_a_name_has_one_item(home: Home) -> None:
    """A secret for another user name replaces the old one only if the user agrees."""
    kept = home.keep_in_a_file()
    assert piped(home, "canary-1").status == 0
    before = kept.read_text()
    for options in (["--username", "ada"], ["--username", "ada", "--no-input"]):
        refused = piped(home, "canary-2", *options)
        assert_fails(refused, 1)
        assert "--replace" in refused.stderr
        assert kept.read_text() == before
    done = piped(home, "canary-2", "--username", "ada", "--replace")
    assert done.status == 0
    assert getpass.getuser() in done.stdout
    assert "canary-1" not in kept.read_text()
    assert handed_over(home).stdout == "canary-2\n"
    assert [line.split()[0] for line in home.run("list").stdout.splitlines()].count("Srv") == 1
    assert home.run("forget", "Srv").stdout == "forgot Srv\n"
    assert_fails(handed_over(home), 125)


@pytest.mark.parametrize("yes", [True, False])
def test_set_asks_before_it_replaces(home: Home, yes: bool) -> None:
    """The question names both user names. After a No, the stored secret stays the same."""
    kept = home.keep_in_a_file()
    assert piped(home, "canary-1", "--username", "ada").status == 0
    with FakePinentry([True, "canary-2", "canary-2"] if yes else [False]) as fake:
        done = home.run("set", "Srv", "--username", "bob", environ=fake.environ)
        question = texts(fake.prompts[0], "SETDESC")
        assert wording.replace_question("Srv", "bob", ["ada"]) in question
    assert (done.status == 0) is yes
    assert ("nothing was stored" in done.stderr) is not yes
    assert ("canary-1" in kept.read_text(), "canary-2" in kept.read_text()) == (not yes, yes)
    assert ("ada" in done.stdout) is yes
    assert handed_over(home).stdout == ("canary-2\n" if yes else "canary-1\n")


def test_an_unlisted_item_is_replaced_too(home: Home) -> None:
    """``set`` also replaces the login name's secret, which ``run`` would find without the list."""
    home.keep_in_a_file()
    assert piped(home, "canary-1").status == 0
    (home.folder / ".local/state/secretly/kept.tsv").unlink()
    assert handed_over(home).stdout == "canary-1\n"
    assert_fails(piped(home, "canary-2", "--username", "ada"), 1)
    assert piped(home, "canary-2", "--username", "ada", "--replace").status == 0
    (home.folder / ".local/state/secretly/kept.tsv").unlink()
    assert_fails(handed_over(home), 125)


def test_several_items_of_a_name_are_listed_and_forgotten(home: Home) -> None:
    """The library can store a typed secret for each of several user names, and each has a line."""
    kept = home.keep_in_a_file()
    remember = "import asyncio, secretly, sys\nfor n in 'ada', 'bob', 'eve': "
    remember += "asyncio.run(secretly.secret('Srv', username=n, remember=True))"
    with FakePinentry(["canary-ada", "canary-bob", "canary-eve"]) as fake:
        done = home.run_any([sys.executable, "-c", remember], environ=fake.environ)
    assert done.status == 0, done.stderr
    listed = [line for line in home.run("list").stdout.splitlines() if line.startswith("Srv ")]
    assert [re.search("user (\\w+)", line)[1] for line in listed] == ["ada", "bob", "eve"]  # type: ignore[index]
    assert handed_over(home).stdout == "canary-eve\n"
    assert_fails(home.run("forget", "Srv", "--username", ""), 2)
    assert home.run("forget", "Srv", "--username", "eve").status == 0
    assert_fails(home.run("forget", "Srv", "--username", "eve"), 1)
    assert handed_over(home).stdout == "canary-bob\n"
    assert home.run("forget", "Srv").stdout == "forgot Srv (2 items)\n"
    assert_fails(handed_over(home), 125)
    assert "canary" not in kept.read_text()


@pytest.mark.parametrize("umask", [0, 0o277])
def test_folders_are_the_users_alone_whatever_the_umask(home: Home, umask: int) -> None:
    """secretly makes folders with mode 0700, and the stored secret is on the list."""
    home.keep_in_a_file()
    shutil.rmtree(home.folder / ".local")
    done = home.run_any([*SECRETLY, "set", "Srv", "--stdin"], stdin="canary-1", umask=umask)
    assert done.status == 0, done.stderr
    for made in (".local", ".local/state", ".local/state/secretly"):
        assert stat.S_IMODE((home.folder / made).stat().st_mode) == 0o700
    for made in ("kept.tsv", "kept.lock"):
        file = home.folder / ".local/state/secretly" / made
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert handed_over(home).stdout == "canary-1\n"


@pytest.mark.parametrize("mode", [0o777, 0o500])
def test_the_place_of_the_list_is_checked_before_a_secret_is_stored(home: Home, mode: int) -> None:
    """If the list can't be written, or others can change it, ``set`` stores nothing."""
    if mode == 0o500 and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    kept = home.keep_in_a_file()
    state = home.folder / ".local/state"
    state.chmod(mode)
    try:
        assert_fails(piped(home, "canary-1"), 1)
        assert not kept.exists()
    finally:
        state.chmod(0o700)


@pytest.mark.parametrize("piped", ["", "no token\n", "\udcff\udcfe\n"])
def test_set_refuses_a_text_that_is_not_a_secret(home: Home, piped: str) -> None:
    """An empty one, a wrong prefix, or not text: refused, not shown and not stored."""
    kept = home.keep_in_a_file()
    done = home.run("set", "PyPI", "--stdin", stdin=piped)
    assert_fails(done, 1)
    assert "no token\n" not in done.stderr.splitlines()[0]
    assert not kept.exists()


def test_set_has_a_new_secret_typed_twice(home: Home) -> None:
    """secretly asks twice for a secret that it can't check; two that differ aren't stored."""
    kept = home.keep_in_a_file()
    with FakePinentry(["canary-1", "canary-1"]) as fake:
        assert home.run("set", "Name", environ=fake.environ).status == 0
    assert home.run("get", "Name").stdout == "canary-1\n"
    before = kept.read_text()
    with FakePinentry(["canary-1", "canary-2"]) as fake:
        assert home.run("set", "Name", environ=fake.environ).status != 0
    assert kept.read_text() == before


@pytest.mark.parametrize(
    ("name", "location", "other"),
    [
        ("PyPI", "test.pypi.example", "TestPyPI"),
        ("TestPyPI", "pypi.example", "PyPI"),
        ("PyPI", "pypi.example", ""),
        ("TestPyPI", "test.pypi.example", ""),
    ],
)
def test_set_says_which_index_made_a_token(
    home: Home, name: str, location: str, other: str
) -> None:
    """An upload would refuse a token of the other index. It is stored, as you may want that."""
    home.keep_in_a_file()
    done = home.run("set", name, "--stdin", stdin=tokens.token(location))
    assert (done.status, done.stdout) == (0, f"stored {name} in the keychain\n")
    said = f"made by {location}, so it can't be used for uploads to {name}"
    assert (said in done.stderr, f"secretly set {other}" in done.stderr) == (bool(other),) * 2
    assert bool(done.stderr) == bool(other)


def test_set_refuses_a_name_that_comes_from_elsewhere(home: Home) -> None:
    """A secret with a configured source is changed there."""
    home.keep_in_a_file()
    home.configure(home.config.read_text() + "[secrets.Name]\nsource = 'env://VALUE'\n")
    assert_fails(home.run("set", "Name", "--stdin", stdin="canary"), 1)
    assert home.run("get", "Name", environ={"VALUE": "canary-1"}).stdout == "canary-1\n"
    assert re.search(r"^Name +env://VALUE$", home.run("list").stdout, re.M)


@pytest.mark.parametrize("verb", ["get", "forget"])
def test_get_and_forget_never_prompt_for_a_value(home: Home, verb: str) -> None:
    """A missing secret is an error, even if secretly could ask."""
    home.keep_in_a_file()
    with FakePinentry(["canary-1"]) as fake:
        done = home.run(verb, "Name", environ=fake.environ)
        assert_fails(done, 1)
        assert "Name" in done.stderr
        assert fake.prompts == []


def test_confirm_binds_get(home: Home) -> None:
    """With ``confirm = true`` you confirm each use; answering No prints nothing."""
    home.keep_in_a_file()
    home.configure(home.config.read_text() + "[secrets.Name]\nconfirm = true\n")
    home.run("set", "Name", "--stdin", stdin="canary-1")
    with FakePinentry([True, False, None]) as fake:
        environ = fake.environ
        assert home.run("get", "Name", environ=environ) == Ended(0, "canary-1\n", "")
        for _ in range(2):
            declined = home.run("get", "Name", environ=environ)
            assert_fails(declined, 130)
            assert declined.stdout == ""
        asks = wording.get_purpose("Name")
        question = wording.confirm_use_text("Name", wording.place("keychain"), asks)
        assert texts(fake.prompts[0]).startswith(f"{question}\n{wording.asked_by_line('')}")
        done = home.run("get", "Name", environ={**environ, "SECRETLY_NO_INPUT": "1"})
        assert_fails(done, 1)
        assert len(fake.prompts) == 3


def test_remember_keeps_what_was_typed(home: Home) -> None:
    """``--remember`` stores it in the keychain; the next run doesn't ask."""
    kept = home.keep_in_a_file()
    run = ("-e", "A=Name", "sh", "-c", "echo $A")
    with FakePinentry(["canary-1", "canary-2", "canary-3"]) as fake:
        environ = fake.environ
        assert home.run("run", *run, environ=environ).stdout == "canary-1\n"
        assert not kept.exists()
        assert home.run("run", "--remember", *run, environ=environ).stdout == "canary-2\n"
        assert home.run("run", *run, environ=environ).stdout == "canary-2\n"
        assert home.run("run", "--no-input", *run, environ=environ).stdout == "canary-2\n"
        assert len(fake.prompts) == 2
        assert home.run("run", "--ask", *run, environ=environ).stdout == "canary-3\n"
        assert home.run("run", *run, environ=environ).stdout == "canary-2\n"


@pytest.mark.parametrize("answer", ["canary-1", ""])
def test_two_that_wait_for_their_turn_ask_once(home: Home, answer: str) -> None:
    """The second run looks again before it asks. If nothing was stored, it asks too."""
    home.keep_in_a_file()
    one = [*SECRETLY, "run", "--remember", "-e", "X=Name", "/bin/sh", "-c", 'echo "got $X;"']
    both = f"{shlex.join(one)} & {shlex.join(one)} & wait"
    environ = {"PATH": str(home.programs)}
    label = wording.entry_label(wording.secret_label("Name"))
    with home.terminal(["/bin/sh", "-c", both], environ=environ) as terminal:
        terminal.expect(label)
        terminal.wait_for_prompt()
        wait_until(lambda: terminal.opened_by("python") == 2)
        if answer:
            terminal.type(f"{answer}\n")
        else:
            terminal.type("\x04")  # cancel the first prompt
            terminal.expect(label)
            terminal.wait_for_prompt()
            terminal.type("canary-1\n")
        terminal.wait()
        assert terminal.screen.count(label) == (1 if answer else 2)
        assert terminal.screen.count("got canary-1;") == (2 if answer else 1)


def test_a_secret_that_is_stored_before_the_turn_is_not_asked_for(home: Home) -> None:
    """Another program stores the secret while this command still looks for its pinentry."""
    kept = home.keep_in_a_file()
    assert home.run("set", "Name", "--stdin", stdin="canary-stored").status == 0
    stored = [kept, home.folder / ".local/state/secretly/kept.tsv"]
    for path in stored:
        path.rename(f"{path}.later")
    with FakePinentry(["canary-typed"]) as fake:
        store = "\n".join(f"mv '{path}.later' '{path}'" for path in stored)
        named = f"pinentry:Passphrase Entry:{fake.path}"
        home.program("gpgconf", f"#!/bin/sh\n{store}\necho '{named}'\n")
        environ = {"PATH": f"{home.programs}:{os.defpath}", "DISPLAY": ":0"}
        done = home.run("run", "-e", "X=Name", "sh", "-c", "echo $X", environ=environ)
        assert (done.status, done.stdout) == (0, "canary-stored\n"), done.stderr
        assert fake.prompts == []


def test_no_remember_overrides_the_configuration(home: Home) -> None:
    """``remember = true`` stores what you type, unless ``--no-remember``."""
    kept = home.keep_in_a_file()
    home.configure(home.config.read_text() + "[secrets.Name]\nremember = true\n")
    with FakePinentry(["canary-1", "canary-2"]) as fake:
        home.run("run", "--no-remember", "-e", "A=Name", "true", environ=fake.environ)
        assert not kept.exists()
        home.run("run", "-e", "A=Name", "true", environ=fake.environ)
        assert "canary-2" in kept.read_text()


# -- who sees the secret ---------------------------------------------------------


def test_only_the_command_and_its_children_hold_the_secret(home: Home) -> None:
    """No argument list has it, and no other process's environment."""
    first, second = f"canary-{os.urandom(8).hex()}", f"canary-{os.urandom(8).hex()}"
    with FakePinentry([first, [("wait", 1.5), ("raw", f"D {second}\nOK\n".encode())]]) as fake:
        process = home.start(
            [*SECRETLY, "run", "-e", "A=One", "-e", "B=Two", "sh", "-c", "cat; exit 3"],
            environ=fake.environ,
        )
        with ended(process):
            assert process.stdin is not None
            wait_until(lambda: len(fake.prompts) == 2)
            # The second pinentry is there, and the first secret is known.
            assert list(holders(first)) == []
            wait_until(lambda: len(list(holders(second))) == 2)
            for secret in (first, second):
                found = list(holders(secret))
                assert {part for _, part, _ in found} == {"environ"}
                assert sorted(name for _, _, name in found) == ["cat", "sh"]
                assert process.pid in {pid for pid, _, _ in found}
            process.stdin.close()
            assert process.wait(30) == 3
    assert files_with(first, home.folder) == []
    assert files_with(second, home.folder) == []


# -- doctor ----------------------------------------------------------------------


def test_doctor_fails_without_a_terminal_and_a_screen(home: Home) -> None:
    """secretly couldn't ask, so the main job doesn't work, and the status is 1."""
    done = home.run("doctor")
    assert (done.status, done.stderr) == (1, "")
    assert re.search(r"^!!  pinentry: ", done.stdout, re.M)
    assert "terminal: none" in done.stdout
    assert "run it from a terminal" in done.stdout
    assert "asks for secrets each time" not in done.stdout


@pytest.mark.parametrize("backend", ["null", "fail", "missing"])
def test_doctor_does_not_send_you_to_itself(home: Home, backend: str) -> None:
    """Other commands' hints name ``secretly doctor``. Its own output doesn't."""
    environ = {"PYTHON_KEYRING_BACKEND": f"keyring.backends.{backend}.Keyring"}
    done = home.run("doctor", environ=environ)
    assert "keychain: " in done.stdout
    assert "secretly doctor" not in done.stdout, done.stdout
    assert all(line.strip() for line in done.stdout.splitlines())


def test_doctor_names_the_agent_that_it_recognizes(home: Home) -> None:
    """And how: secretly is more careful then."""
    done = home.run("doctor", environ={"AI_AGENT": "tester"})
    assert "    agent: tester, recognized by AI_AGENT\n" in done.stdout


def test_doctor_succeeds_without_a_keychain(home: Home) -> None:
    """With a pinentry alone, secretly asks each time, and the status is 0."""
    with FakePinentry() as fake:
        done = home.run("doctor", environ=fake.environ)
        assert done.status == 0
        assert re.search(rf"^ok  pinentry: {fake.path} \(PINENTRY\)", done.stdout, re.M)
        assert re.search(r"^    keychain: .*\n      secretly asks for ", done.stdout, re.M)
        assert "!!" not in done.stdout
        assert fake.prompts == []


@pytest.mark.real
def test_doctor_succeeds_on_a_terminal(home: Home) -> None:
    """The main job works there, with a pinentry or without."""
    with home.terminal([*SECRETLY, "doctor"], environ={"PATH": str(home.programs)}) as terminal:
        assert terminal.wait() == 0
        assert f"terminal: {terminal.path}, in the foreground" in terminal.screen
        assert re.search(r"ok  pinentry: .*terminal", terminal.screen)
    need("pinentry-curses")
    environ = {"PINENTRY": "pinentry-curses"}
    with home.terminal([*SECRETLY, "doctor"], environ=environ) as terminal:
        assert terminal.wait() == 0
        found = r"ok  pinentry: /\S*/pinentry-curses \(PINENTRY\), on the terminal"
        assert re.search(found, terminal.screen)


@pytest.mark.parametrize("backend", ["null", "SecretService"])
@pytest.mark.parametrize("where", ["the variable", "the file"])
def test_doctor_says_what_names_the_keychain(home: Home, where: str, backend: str) -> None:
    """For a usable and an unusable one; and the path of the list of stored names."""
    name = f"keyring.backends.{backend}.Keyring"
    rc = home.folder / ".config" / "python_keyring" / "keyringrc.cfg"
    rc.parent.mkdir()
    rc.write_text(f"[backend]\ndefault-keyring={name}\n")
    environ = {"PYTHON_KEYRING_BACKEND": name} if where == "the variable" else {}
    done = home.run("doctor", environ=environ)
    named = "PYTHON_KEYRING_BACKEND" if environ else str(rc)
    _, _, after = done.stdout.partition("keychain: ")
    assert f"named by {named}" in [line.strip() for line in after.splitlines()], done
    kept = home.folder / ".local" / "state" / "secretly" / "kept.tsv"
    assert re.search(rf"^ok  .*{re.escape(str(kept))}.*\b0\b", done.stdout, re.M)
    rc.unlink()
    assert "named by" not in home.run("doctor").stdout


def test_doctor_reports_a_broken_configuration(home: Home) -> None:
    """It names the file and the key, and the status is 1."""
    home.configure("[nonsense]\n")
    with FakePinentry() as fake:
        done = home.run("doctor", environ=fake.environ)
    assert done.status == 1
    assert re.search(rf"^!!  configuration: {home.config}: nonsense", done.stdout, re.M)


# -- signals ---------------------------------------------------------------------

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_at_a_prompt_ends_it_by_that_signal(home: Home, number: signal.Signals) -> None:
    """secretly cleans up and dies of that signal, so the shell sees what happened."""
    with FakePinentry([[("hang", False)]]) as fake:
        process = home.start(
            [*SECRETLY, "run", "-e", "A=Name", "touch", "ran"], environ=fake.environ
        )
        with ended(process):
            wait_until(lambda: fake.prompts)
            pinentry = children(process.pid)
            assert pinentry
            os.kill(process.pid, number)
            assert process.wait(5) == -number
            assert not any(os.path.exists(f"/proc/{pid}") for pid in pinentry)
            assert process.stderr is not None
            assert process.stderr.read() == b""
    assert not (home.folder / "ran").exists()


@pytest.mark.real
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("pinentry", ["pinentry-curses", "pinentry-tty", ""])
def test_a_signal_gives_the_terminal_back(
    home: Home, number: signal.Signals, pinentry: str
) -> None:
    """The terminal's modes are as before, and no pinentry is left."""
    environ = {"PATH": f"{home.programs}:/bin"}
    if pinentry:
        need(pinentry)
        environ = {"PINENTRY": pinentry}
    else:
        home.program("touch", "#!/bin/sh\n: > ran\n")
        environ = {"PATH": str(home.programs)}
    run = [*SECRETLY, "run", "-e", "A=Name", "touch", "ran"]
    with home.terminal(run, environ=environ) as terminal:
        terminal.expect("Name")
        terminal.wait_for_prompt()
        os.kill(terminal.pid, number)
        assert terminal.wait() == -number
        assert terminal.left_over == []
        assert terminal.modes_now == terminal.modes
        assert "Traceback" not in terminal.screen
    assert not (home.folder / "ran").exists()


@pytest.mark.real
def test_ctrl_c_at_a_prompt_ends_it(home: Home) -> None:
    """At pinentry-curses: nothing runs, and the terminal is as before."""
    need("pinentry-curses")
    run = [*SECRETLY, "run", "-e", "A=Name", "touch", "ran"]
    with home.terminal(run, environ={"PINENTRY": "pinentry-curses"}) as terminal:
        terminal.expect("Name")
        terminal.wait_for_prompt()
        terminal.type("half\x03")
        assert terminal.wait() in (130, -signal.SIGINT)
        assert terminal.left_over == []
        assert terminal.modes_now == terminal.modes
    assert not (home.folder / "ran").exists()


def test_a_hang_up_that_is_ignored_stays_ignored(home: Home) -> None:
    """Under nohup a prompt stays after the hang-up."""
    wait = [("wait", 0.5), ("raw", b"D canary-1\nOK\n")]
    run = ("run", "-e", "A=Name", "sh", "-c", "kill -HUP $$; echo $A")
    with FakePinentry([wait]) as fake:
        process = home.start(
            ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *SECRETLY, *run],
            environ=fake.environ,
        )
        with ended(process):
            wait_until(lambda: fake.prompts)
            os.kill(process.pid, signal.SIGHUP)
            out, _ = process.communicate(timeout=30)
            assert (process.returncode, out) == (0, b"canary-1\n")


def test_too_long_a_standard_input_is_refused(home: Home) -> None:
    """Too long an input is refused, never cut."""
    home.keep_in_a_file()
    done = home.run("set", "Name", "--stdin", stdin="c" * ((1 << 20) + 1))
    assert_fails(done, 1)
    assert "1 MiB" in done.stderr


def test_doctor_reports_a_broken_list_of_stored_names(home: Home) -> None:
    """It names the file, and the status is 1."""
    kept = home.folder / ".local" / "state" / "secretly" / "kept.tsv"
    kept.parent.mkdir(mode=0o700)
    kept.write_text("not a list\n")
    with FakePinentry() as fake:
        done = home.run("doctor", environ=fake.environ)
    assert done.status == 1
    assert re.search(rf"^!!  list of stored names: .*{re.escape(str(kept))}", done.stdout, re.M)


def test_doctor_lists_the_odd_folders_of_path(home: Home) -> None:
    """Programs would be found in the current folder, or in one that others can write to."""
    shared = home.folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    path = f"{home.environ['PATH']}::bin:{shared}:{shared}:/nonexistent"
    with FakePinentry() as fake:
        done = home.run("doctor", environ={**fake.environ, "PATH": path})
    lines = re.findall("^    PATH: (.*)$", done.stdout, re.M)
    starts = ["an empty entry means", "'bin' means", f"{shared} "]
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 3
    assert done.status == 0


# -- other programs in place of a pinentry ---------------------------------------


def test_doctor_tries_the_pinentry(home: Home) -> None:
    """A broken pinentry, or another program, is an error: the status is 1."""
    done = home.run("doctor", environ={"PINENTRY": "/bin/true", "DISPLAY": ":fake"})
    assert done.status == 1
    assert re.search(r"^!!  pinentry: /\S*true \(PINENTRY\): ", done.stdout, re.M)
    assert "doctor" not in done.stdout
    with FakePinentry(on={"greeting": [("exit", 1)]}) as fake:
        done = home.run("doctor", environ=fake.environ)
        assert done.status == 1
        assert re.search(rf"^!!  pinentry: {fake.path} ", done.stdout, re.M)


def test_doctor_shows_the_flavor(home: Home) -> None:
    """The line of a working pinentry has its flavor. No prompt appears."""
    with FakePinentry(flavor="gtk2:\x1bcurses") as fake:
        done = home.run("doctor", environ=fake.environ)
        assert done.status == 0
        assert re.search(r"^ok  pinentry: .*, flavor gtk2:\\x1bcurses$", done.stdout, re.M)
        assert [line.split()[0] for line in fake.lines] == [b"GETINFO", b"BYE"]


@pytest.mark.real
@pytest.mark.parametrize("variable", ["DISPLAY=:65000", "WAYLAND_DISPLAY=/nonexistent/wayland-0"])
def test_doctor_names_a_screen_that_is_not_there(home: Home, variable: str) -> None:
    """doctor starts pinentry-qt with the environment for prompts, and so finds the fault."""
    need("pinentry-qt")
    name, _, value = variable.partition("=")
    environ = {"PINENTRY": "pinentry-qt", name: value, "QT_QPA_PLATFORM": "xcb"}
    with home.terminal([*SECRETLY, "doctor"], environ=environ) as terminal:
        assert terminal.wait() == 1
        assert re.search(r"!!  pinentry: /\S*pinentry-qt ", terminal.screen)
        assert f"screen: {variable}" in terminal.screen
        assert "itself" in terminal.screen
        assert "secretly doctor" not in terminal.screen.partition("keychain:")[0]


@pytest.mark.real
def test_doctor_says_that_under_an_agent_the_pinentry_can_open_no_window(home: Home) -> None:
    """The terminal is the agent's, so what asks there is not good enough."""
    need("pinentry-gnome3")
    agent = home.programs / "claude"
    shutil.copy("/bin/sh", agent)
    call = shlex.join([str(agent), "-c", shlex.join([*SECRETLY, "doctor"]) + "; exit $?"])
    environ = {"DISPLAY": "screen.invalid:0"}
    with home.terminal(["/bin/sh", "-c", call + "; exit $?"], environ=environ) as terminal:
        assert terminal.wait() == 1
        assert "recognized by the program claude" in terminal.screen
        assert re.search(r"!!  pinentry: .* it can't open a window here", terminal.screen)
        assert "in the policy" in terminal.screen


@pytest.mark.real
def test_doctor_finds_a_pinentry_that_can_ask_nowhere(home: Home) -> None:
    """Without its screen, pinentry-gtk-2 needs a terminal, and the test has none."""
    need("pinentry-gtk-2")
    environ = {"PINENTRY": "pinentry-gtk-2", "DISPLAY": ":65000"}
    done = home.run("doctor", environ=environ)
    assert done.status == 1
    assert re.search(r"^!!  pinentry: /\S*pinentry-gtk-2 ", done.stdout, re.M)
    assert re.search("^      DISPLAY=:65000 names no screen", done.stdout, re.M)


def test_doctor_says_what_an_unknown_pinentry_may_need(home: Home) -> None:
    """doctor can't know whether a script needs a screen: only a prompt shows it."""
    with FakePinentry(flavor="curses:curses") as fake:
        run = [*SECRETLY, "doctor"]
        with home.terminal(run, environ={"PINENTRY": str(fake.path)}) as terminal:
            assert terminal.wait() == 0
            assert "if it needs a screen, secretly asks on the terminal itself" in terminal.screen


@pytest.mark.real
@pytest.mark.parametrize("pinentry", ["pinentry-curses", "pinentry-tty"])
def test_doctor_leaves_the_terminal_alone(home: Home, pinentry: str) -> None:
    """It tries a real pinentry without a prompt, and doesn't change the modes."""
    need(pinentry)
    with home.terminal([*SECRETLY, "doctor"], environ={"PINENTRY": pinentry}) as terminal:
        assert terminal.wait() == 0
        assert f"flavor {pinentry.removeprefix('pinentry-')}\r\n" in terminal.screen
        assert terminal.modes_now == terminal.modes
        assert terminal.left_over == []


# -- env files, and shims --------------------------------------------------------


@pytest.mark.parametrize("options", [["--env-file", "a.env"], ["--env-file=a.env"]])
def test_an_env_file_is_an_option_of_run(home: Home, options: list[str]) -> None:
    """The option takes the file's name in each of its forms."""
    (home.folder / "a.env").write_text("A=env://VALUE\nB=plain\n")
    done = home.run(
        *("run", *options, "sh", "-c", 'echo "$A $B"'), environ={"VALUE": "canary-value"}
    )
    assert done == Ended(0, "canary-value plain\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--env-file"],
        ["run", "--env-file", "true"],
        ["run", "--env-file", "no-such.env", "true"],
        ["run", "--env-file", A_SECRET_BY_MISTAKE, "true"],
        ["run", "--env-file", "/dev", "true"],
    ],
)
def test_a_wrong_env_file_is_125_and_two_lines(warm: Warm, arguments: list[str]) -> None:
    """An unreadable, missing or unnamed file: nothing is run."""
    done = warm.run(*arguments)
    assert_fails(done, 125)
    assert A_SECRET_BY_MISTAKE not in done.stderr


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (2, ["shim"]),
        (2, ["shim", "no-such-command"]),
        (2, ["shim", "two", "names"]),
        (1, ["shim", "--refuse", "twine"]),
    ],
)
def test_a_wrong_call_of_shim_is_two_lines(warm: Warm, status: int, arguments: list[str]) -> None:
    """A wrong call has status 2; a command without profiles 1."""
    assert_fails(warm.run(*arguments), status)


def test_listing_and_removing_nothing_succeeds(warm: Warm) -> None:
    """Both have status 0."""
    for option in ("--list", "--remove"):
        assert warm.run("shim", option) == Ended(0, "", "")
        assert warm.run("shim", option, "twine") == Ended(0, "", "")


def test_the_help_of_shim_has_an_example(warm: Warm) -> None:
    """It ends with examples."""
    done = warm.run("shim", "--help")
    assert (done.status, done.stderr) == (0, "")
    assert re.search(r"examples:\n  secretly shim twine\b", done.stdout)


@pytest.mark.process
def test_a_dry_run_shows_a_variable_that_is_set_to_nothing(home: Home) -> None:
    """The dry run shows the variables that secretly empties to keep a tool out of its own store."""
    home.configure('[commands.tool]\nsecrets = { TOKEN = "Tool" }\nblanks = ["STORE"]\n')
    home.program("tool", "#!/bin/sh\ntouch ran\n")
    done = home.run("run", "--dry-run", "tool")
    assert done.status == 0, done
    assert any(line.startswith("STORE: ") for line in done.stdout.splitlines())
    assert not (home.folder / "ran").exists()


@pytest.mark.process
def test_the_help_of_run_takes_no_value(home: Home) -> None:
    """``--help=x`` is an error, as for each option without a value."""
    done = home.run("run", "--help=x", "true")
    assert (done.status, done.stdout) == (125, "")
    assert "--help" in done.stderr
