"""What an upload shows, sends and refuses, with stand-ins for the tools."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping

import pytest
import tokens
from command import Home, quick

from secretly.asking import upload_wording, wording
from secretly.asking.assuan import unescape
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

TOKEN = tokens.token()

#: What twine prints here: the user name, how its secret begins, the variables and the words.
TWINE = (
    '#!/bin/sh\necho "$TWINE_USERNAME ${TWINE_PASSWORD%"${TWINE_PASSWORD#??????}"}'
    ' $PYTHONSAFEPATH $*"\n'
)


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    """A home with a twine that prints what it gets, a wheel, and a keychain in a file."""
    with quick() as found:
        found.program("twine", TWINE)
        tokens.wheel(found.folder / "dist")
        found.keep_in_a_file()
        yield found


def texts(prompt: Mapping[str, str]) -> list[str]:
    """The lines that a prompt shows."""
    return unescape(prompt["SETDESC"].encode()).decode().splitlines()


def store(home: Home, name: str, text: str, *options: str) -> None:
    """Store a secret."""
    assert home.run("set", name, "--stdin", *options, stdin=text).status == 0


#: Carries out a call, and prints how often the call and the index were read until the upload is
#: checked once more, and until the tool starts.
COUNTED = """
import collections, json, os, sys
from secretly.cli import main
counts, before, me = collections.Counter(), {}, os.getpid()
def calls(frame, event, argument):
    code = frame.f_code
    if event == "call" and "/secretly/" in code.co_filename:
        place = code.co_filename.rpartition("/secretly/")[2]
        if code.co_qualname == "Upload.recheck":
            before.update(counts)
        counts[f"{place} {code.co_qualname}"] += 1
def show():
    print(json.dumps([before or counts, counts]), flush=True)
def events(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".pypirc") and arguments[1] is None:
        counts["open .pypirc"] += 1
    if event == "os.exec" and os.getpid() == me:
        sys.setprofile(None)
        show()
sys.addaudithook(events)
sys.setprofile(calls)
main(["run", *sys.argv[1:]])
sys.setprofile(None)
show()
"""

#: What reads the call and its index.
READINGS = (
    "config/command_line.py recognize",
    "publishing/upload.py upload_of",
    "publishing/tools/twine.py Twine.read",
    "publishing/tools/twine.py Twine.find_destination",
    "publishing/pypirc.py read_pypirc",
    "publishing/tool_call.py ToolCall.pypirc",
    "open .pypirc",
)


def readings(home: Home, *words: str) -> tuple[dict[str, int], dict[str, int]]:
    """How often a call is read until its upload is checked once more, and until the tool starts."""
    (home.folder / ".pypirc").write_text(
        "[distutils]\nindex-servers = corp\n"
        "[corp]\nrepository = https://corp.example/\nusername = ada\n"
    )
    with FakePinentry([True]) as fake:
        done = home.run_any([sys.executable, "-c", COUNTED, *words], environ=fake.environ)
    assert done.status == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("[{"))
    before, all_of_them = ({name: found[name] for name in READINGS} for found in json.loads(line))
    return before, all_of_them


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_the_call_and_its_index_are_read_once(home: Home, options: list[str]) -> None:
    """One recognition, one reading by the tool's rules, one look at ``.pypirc``.

    Just before the tool starts, all but the recognition is done again, on purpose.
    """
    store(home, "corp", "canary-password")
    before, all_of_them = readings(home, *options, "twine", "upload", "-r", "corp", "dist/*")
    once = dict.fromkeys(READINGS, 1)
    assert before == once
    again = {} if options else dict.fromkeys(READINGS[1:], 2)
    assert all_of_them == once | again


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_a_token_found_by_its_index_reads_nothing_again(home: Home, options: list[str]) -> None:
    """An index by URL may be that of a stored token: only the destination is found once more."""
    store(home, "PyPI", TOKEN)
    words = ["twine", "upload", "--repository-url=https://upload.pypi.example/legacy/", "dist/*"]
    before, all_of_them = readings(home, *options, *words)
    found_again = {"publishing/tools/twine.py Twine.find_destination": 2}
    assert before == dict.fromkeys(READINGS, 1) | found_again
    assert all_of_them["publishing/tools/twine.py Twine.read"] == (1 if options else 2)
    assert all_of_them["open .pypirc"] == 1  # for the warning about passwords in it


URL = "--repository-url https://corp.example/simple/"


def test_the_dialog_has_the_user_name_that_the_tool_sends(home: Home) -> None:
    """A password's own user name is shown, and goes to the tool."""
    store(home, "corp.example", "canary-password", "--username", "ada")
    with FakePinentry([True]) as fake:
        words = ("-v", "twine", "upload", *URL.split(), "dist/*")
        done = home.run("run", *words, environ=fake.environ)
        assert done.stdout.startswith("ada canary "), done
        assert f"secretly: {upload_wording.user_line('ada')}\n" in done.stderr
        lines = texts(fake.prompts[0])
        assert upload_wording.user_line("ada") in lines
        assert upload_wording.index_line("corp.example") in lines
        shown = home.run("run", "--dry-run", "twine", "upload", *URL.split(), "dist/*").stdout
        assert upload_wording.user_line("ada") in shown.splitlines()


def test_a_typed_password_is_asked_for_with_its_user_name(home: Home) -> None:
    """Nothing knows the user name: the second prompt asks for it."""
    with FakePinentry(["canary-password", "ada"]) as fake:
        done = home.run("run", "twine", "upload", *URL.split(), "dist/*", environ=fake.environ)
        assert done.stdout.startswith("ada canary "), done
        label = f"{wording.username_label('corp.example')}:"
        assert [prompt["SETPROMPT"] for prompt in fake.prompts][1:] == [label]


@pytest.mark.parametrize("host", ["pypi.example", "upload.pypi.example"])
def test_an_index_by_url_belongs_to_the_token_that_it_made(home: Home, host: str) -> None:
    """PyPI's own URL is PyPI: its token is used, and local versions are refused."""
    store(home, "PyPI", TOKEN)
    url = f"--repository-url=https://{host}/legacy/"
    with FakePinentry([True]) as fake:
        done = home.run("run", "twine", "upload", url, "dist/*", environ=fake.environ)
        assert done.stdout.startswith("__token__ pypi-A "), done
        question = wording.confirm_use_text("PyPI", wording.place("keychain"), "")
        assert fake.prompts[0]["SETDESC"].startswith(question)
        tokens.wheel(home.folder / "dist", "demo", "1.0+local")
        done = home.run("run", "twine", "upload", url, "dist/*")
        assert done.status == 125
        assert "local versions" in done.stderr


def test_another_index_by_url_does_not_get_the_token(home: Home) -> None:
    """Its secret is the one with its host's name."""
    store(home, "PyPI", TOKEN)
    done = home.run("run", "--no-input", "twine", "upload", *URL.split(), "dist/*")
    assert done.status == 125
    assert "corp.example" in done.stderr.splitlines()[0]


def test_projects_with_a_token_each_are_uploaded_one_after_another(home: Home) -> None:
    """The error has the commands. A token for all of them is used."""
    tokens.wheel(home.folder / "dist", "other")
    for name in ("PyPI/demo", "PyPI/other"):
        store(home, name, TOKEN)
    done = home.run("run", "twine", "upload", "dist/*")
    assert done.status == 125
    error, fix = done.stderr.splitlines()
    assert "demo, other" in error
    assert re.search(r"dist/demo-\S+\.whl; secretly run twine \S+ dist/other-\S+\.whl$", fix), fix
    store(home, "PyPI", TOKEN)
    with FakePinentry([True]) as fake:
        assert home.run("run", "twine", "upload", "dist/*", environ=fake.environ).status == 0


def test_the_hint_about_a_plain_password_keeps_working(home: Home) -> None:
    """It says how to store the password with the user name that the file has."""
    (home.folder / ".pypirc").write_text(
        "[distutils]\nindex-servers = corp\n[corp]\nrepository = https://corp.example/\n"
        "username = ada\npassword = canary-plain\n"
    )
    done = home.run("run", "--no-input", "twine", "upload", "-r", "corp", "dist/*")
    hint = next(line for line in done.stderr.splitlines() if "plain text" in line)
    assert "1) secretly set corp --username ada 2) remove `password` under [corp] 3) " in hint


@pytest.mark.parametrize("text", ["[corp", "[corp]\nusername = ada\nusername = bob\n", "\x80"])
def test_a_damaged_pypirc_does_not_matter_where_the_index_is_named(home: Home, text: str) -> None:
    """twine reads no such file for this call, so secretly says nothing of a password in it."""
    (home.folder / ".pypirc").write_text(text, "latin-1")
    store(home, "corp.example", "canary-1", "--username", "ada")
    with FakePinentry([True]) as fake:
        words = ["twine", "upload", "--repository-url", "https://corp.example/", "dist/*"]
        done = home.run("run", *words, environ=fake.environ)
    assert (done.status, done.stdout[:10]) == (0, "ada canary"), done
    assert "plain text" not in done.stderr


def test_projects_of_one_token_are_uploaded_together(home: Home) -> None:
    """One of them having a token of its own doesn't change that."""
    tokens.wheel(home.folder / "dist", "other")
    store(home, "PyPI/demo", TOKEN)
    store(home, "PyPI", TOKEN)
    with FakePinentry([True]) as fake:
        assert home.run("run", "twine", "upload", "dist/*", environ=fake.environ).status == 0


def test_python_starts_no_module_of_the_folder(home: Home) -> None:
    """The working folder is not searched, and a module with the tool's name is shown."""
    home.program("python", TWINE)
    (home.folder / "twine.py").touch()
    store(home, "PyPI", TOKEN)
    words = ["python", "-m", "twine", "upload", "dist/*"]
    with FakePinentry([True]) as fake:
        done = home.run("run", *words, environ=fake.environ)
        assert done.stdout.startswith("__token__ pypi-A 1 -m twine upload"), done
        note = upload_wording.note_line(upload_wording.project_code("twine.py"))
        assert note in texts(fake.prompts[0])


def test_an_older_python_loads_any_module_of_the_folder(home: Home) -> None:
    """Python 3.10 can't be told to leave the folder out, so the dialog names what is there."""
    home.program("python3.10", TWINE)
    folder = home.folder / "work"
    tokens.wheel(folder / "dist")
    for name in ("setup.py", "requests.py", "notes.txt"):
        (folder / name).touch()
    store(home, "PyPI", TOKEN)
    for flags, named in (["-m"], True), (["-I", "-m"], False):
        with FakePinentry([True]) as fake:
            words = ("python3.10", *flags, "twine", "upload", "dist/*")
            assert home.run("run", *words, environ=fake.environ, cwd=folder).status == 0
            note = upload_wording.note_line(upload_wording.project_code("requests.py"))
            assert (note in texts(fake.prompts[0])) == named


@pytest.mark.parametrize(
    "line",
    [
        "twine check dist/x",
        "python -m twine check dist/x",
        "twine upload --help",
        "twine upload -p canary-1 dist/x",
    ],
)
def test_a_call_that_gets_no_secret_is_not_changed(home: Home, line: str) -> None:
    """It gets no words and no variables that would force an index on it."""
    home.program("python", TWINE)
    (home.folder / ".pypirc").write_text("[pypi]\nusername = ada\n")
    assert home.run("run", *line.split()).stdout.split() == line.split()[1:]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["upload", "-p", "canary-typed", "dist/*"], "gives one, which is used as it is"),
        (["upload", "--help"], "this call doesn't need one"),
    ],
)
def test_nothing_is_asked_where_the_call_needs_nothing(
    home: Home, words: list[str], why: str
) -> None:
    """A secret on the command line is used as it is, and never printed."""
    planned = home.run("run", "--dry-run", "twine", *words)
    assert (planned.status, "canary" in planned.stdout + planned.stderr) == (0, False)
    assert (why in planned.stderr) == ("-p" in words)
    with FakePinentry([TOKEN]) as fake:
        done = home.run("run", "-v", "twine", *words, environ=fake.environ)
        assert done.status == 0
        assert fake.prompts == []
        assert done.stdout.split()[:2] == words[:2], done
        assert why in done.stderr
        assert "canary" not in done.stderr


@pytest.mark.parametrize("stored", [False, True])
def test_a_ci_identity_is_used_where_no_secret_is_stored(home: Home, stored: bool) -> None:
    """The tool gets nothing from secretly, and ``-v`` says why."""
    if stored:
        store(home, "PyPI", TOKEN)
    environ = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example/", "GITHUB_ACTIONS": "true"}
    with FakePinentry([True]) as fake:
        words = ("run", "-v", "twine", "upload", "dist/*")
        done = home.run(*words, environ={**environ, **fake.environ})
        assert done.status == 0
        assert len(fake.prompts) == stored
    assert done.stdout.startswith("__token__ pypi-A " if stored else "   upload"), done
    assert ("ACTIONS_ID_TOKEN_REQUEST_URL is set" in done.stderr) != stored


@pytest.mark.parametrize(
    ("words", "hidden"),
    [
        (["-p", "canary-typed"], "-p '***'"),
        (["-pcanary-typed"], "'-p***'"),
        (["--password=canary-typed"], "'--password=***'"),
        (["--repository-url", "https://ada:canary-typed@corp.example/"], "//ada:***@corp.example/"),
    ],
)
def test_a_secret_in_the_command_line_is_not_shown(
    home: Home, words: list[str], hidden: str
) -> None:
    """Another secret is asked for: the prompt shows the command without it."""
    with FakePinentry(["canary-other"]) as fake:
        command = ("run", "-v", "-e", "X=Other", "twine", "upload", *words, "dist/*")
        done = home.run(*command, environ=fake.environ)
        assert done.status == 0, done
        (prompt,) = fake.prompts
    shown = "\n".join(texts(prompt))
    assert "canary" not in shown + done.stderr
    assert hidden in shown


def test_a_secret_that_is_given_twice_is_refused(home: Home) -> None:
    """In the call, and with ``-e``: only one of them could count."""
    store(home, "PyPI", TOKEN)
    words = ("-e", "TWINE_PASSWORD=PyPI", "twine", "upload", "-p", "canary-typed", "dist/*")
    done = home.run("run", *words)
    assert done.status == 125
    assert "--password" in done.stderr
    assert "canary" not in done.stderr


def test_code_of_the_project_gets_no_secret_that_cannot_be_limited(home: Home) -> None:
    """A password for a project whose build could read it: the two commands are named."""
    home.program("flit", TWINE)
    (home.folder / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1.0"\n')
    store(home, "corp.example", "canary-password", "--username", "ada")
    environ = {"FLIT_INDEX_URL": "https://corp.example/"}
    done = home.run("run", "flit", "publish", environ=environ)
    assert done.status == 125
    assert "flit build && secretly run twine upload" in done.stderr


def test_a_user_name_that_comes_from_a_reference_is_shown_as_that(home: Home) -> None:
    """The dialog can't know the name yet: it says where it comes from."""
    store(home, "corp.example", "canary-password", "--username", "ada")
    store(home, "Eve", "canary-other", "--username", "eve")
    with FakePinentry([True]) as fake:
        words = ("-e", "TWINE_USERNAME=Eve#username", "twine", "upload", *URL.split(), "dist/*")
        done = home.run("run", *words, environ=fake.environ)
        assert upload_wording.user_line("Eve#username") in texts(fake.prompts[0])
    assert done.stdout.startswith("eve canary "), done


def test_an_empty_variable_does_not_count_as_a_secret(home: Home) -> None:
    """A CI's secret that isn't set is often an empty variable: the token is asked for."""
    with FakePinentry([TOKEN]) as fake:
        environ = {"TWINE_PASSWORD": "", **fake.environ}
        done = home.run("run", "twine", "upload", "dist/*", environ=environ)
    assert done.stdout.startswith("__token__ pypi-A "), done


@pytest.mark.parametrize("how", ["inherited", "option", "file"])
def test_an_env_file_steers_no_upload_that_you_are_not_asked_about(home: Home, how: str) -> None:
    """The secret comes from elsewhere. With the file's own secret, the file may say where."""
    own = "TWINE_PASSWORD=canary-own\n" if how == "file" else ""
    (home.folder / ".env").write_text(f"TWINE_REPOSITORY_URL=https://evil.example/\n{own}")
    (home.folder / ".env").chmod(0o600)
    environ = {"TWINE_PASSWORD": "canary-1"} if how == "inherited" else {}
    words = ["-p", "canary-1"] if how == "option" else []
    command = ("run", "--env-file", ".env", "twine", "upload", *words, "dist/*")
    done = home.run(*command, environ=environ)
    if how == "file":
        assert done.status == 0, done
        return
    assert done.status == 125
    assert "TWINE_REPOSITORY_URL" in done.stderr


@pytest.mark.parametrize("words", ([], ["--trusted-publishing", "always"], ["--dry-run"]))
def test_nor_one_to_which_the_identity_of_ci_would_go(home: Home, words: list[str]) -> None:
    """The index would get a token of the identity's, and you are not asked. A dry run is fine."""
    home.program("uv", "#!/bin/sh\n")
    (home.folder / ".env").write_text("UV_PUBLISH_URL=https://evil.example/\n")
    (home.folder / ".env").chmod(0o600)
    ci = {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example/"}
    command = ("uv", "publish", *words)
    done = home.run("run", "--env-file", ".env", *command, environ=ci)
    assert done.status == (0 if "--dry-run" in words else 125), done
    assert ("UV_PUBLISH_URL" in done.stderr) == (done.status != 0)
    exported = home.run("run", *command, environ={**ci, "UV_PUBLISH_URL": "https://good.example/"})
    assert exported.status == 0, exported


def test_the_prompt_says_that_the_user_name_is_typed_next(home: Home) -> None:
    """It is not known yet whether a token will be typed."""
    with FakePinentry(["canary-password", "ada"]) as fake:
        home.run("run", "twine", "upload", *URL.split(), "dist/*", environ=fake.environ)
        lines = texts(fake.prompts[0])
    assert upload_wording.user_line(upload_wording.typed_username("__token__")) in lines
