"""Test which of a publishing tool's own variables gets a secret, and what the dialogs say of it.

The tool is a stand-in, which records its environment and its arguments.
"""

from __future__ import annotations

import pytest
from test_guard import FILE, Workdir, _started, _workdir, assert_refused, settle
from tokens import token

from secretly.asking.assuan import unescape
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

__all__ = ["_started", "_workdir"]  # fixtures

URL = "https://upload.example/legacy/"

#: Writes its environment and its arguments.
_RECORDER = '#!/bin/sh\nenv > "$HOME/given"\nprintf "%s\\n" "$@" > "$HOME/words"\n'

#: Each tool's variables: for the secret, for a token in its place, and for the user name.
VARIABLES = {
    "uv": ("UV_PUBLISH_PASSWORD", "UV_PUBLISH_TOKEN", "UV_PUBLISH_USERNAME"),
    "maturin": ("MATURIN_PASSWORD", "MATURIN_PYPI_TOKEN", "MATURIN_USERNAME"),
    "poetry": (
        "POETRY_HTTP_BASIC_MINE_PASSWORD",
        "POETRY_PYPI_TOKEN_MINE",
        "POETRY_HTTP_BASIC_MINE_USERNAME",
    ),
}


#: The variables for the user name of tools that have none for a token.
OTHERS = {"twine": "TWINE_USERNAME", "hatch": "HATCH_INDEX_USER"}


def made(workdir: Workdir, tool: str) -> list[str]:
    """A call of a tool with a stored password of the user octocat for its index ``mine``."""
    workdir.program(tool, _RECORDER)
    workdir.keep("canary-mine", "mine", "--username", "octocat")
    return [tool, *settle(workdir, tool, URL)[1]]


def cargo_package(workdir: Workdir) -> None:
    """Make the workdir a package of cargo's."""
    text = '[package]\nname = "demo"\nversion = "1.0.0"\nedition = "2021"\n'
    (workdir.folder / "Cargo.toml").write_text(text)


def environ(workdir: Workdir) -> dict[str, str]:
    """The environment that the tool had."""
    lines = (workdir.folder / "given").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.mark.parametrize("tool", VARIABLES)
def test_an_empty_variable_for_a_token_is_not_a_secret(workdir: Workdir, tool: str) -> None:
    """CI sets one for a secret that isn't there. The tool gets the stored secret in its place."""
    secret, token, name = VARIABLES[tool]
    call = made(workdir, tool)
    (workdir.folder / "empty.env").write_text(f"{token}=\n{secret}=\n")
    outcome = workdir.run("--env-file", "empty.env", *call, answers=[True])
    assert (outcome.status, len(outcome.prompts)) == (0, 1), outcome
    assert "user: octocat\n" in outcome.asked[0]
    found = environ(workdir)
    assert (found[secret], found[name]) == ("canary-mine", "octocat")
    assert not found.get(token)


@pytest.mark.parametrize("tool", VARIABLES)
def test_a_token_is_shown_and_sent_with_its_own_user_name(workdir: Workdir, tool: str) -> None:
    """A tool that takes a token from a variable of its own sends it as ``__token__``."""
    _, token, name = VARIABLES[tool]
    call = made(workdir, tool)
    outcome = workdir.run("-e", f"{token}=mine", *call, answers=[True])
    assert (outcome.status, len(outcome.prompts)) == (0, 1), outcome
    assert "user: __token__\n" in outcome.asked[0]
    found = environ(workdir)
    assert (found[token], found.get(name, "__token__")) == ("canary-mine", "__token__")


@pytest.mark.parametrize("name", ["ada", ""])
def test_uv_gets_no_token_next_to_a_user_name(workdir: Workdir, name: str) -> None:
    """An empty one counts for uv, too."""
    call = made(workdir, "uv")
    (workdir.folder / "name.env").write_text(f"UV_PUBLISH_USERNAME={name}\n")
    token = ["-e", "UV_PUBLISH_TOKEN=mine"]
    done = workdir.run("--env-file", "name.env", *token, *call)
    assert_refused(workdir, done, "UV_PUBLISH_TOKEN", "unset UV_PUBLISH_USERNAME")
    assert_refused(workdir, workdir.run(*token, *call, "-u", name), "leave out --username")


@pytest.mark.parametrize("option", ["-v", "--dry-run"])
def test_a_variable_that_is_set_already_is_named(workdir: Workdir, option: str) -> None:
    """Nothing is asked then, and the tool sends what the variable has."""
    call = made(workdir, "twine")
    done = workdir.home.run("run", option, *call, environ={"TWINE_PASSWORD": "canary-old"})
    assert done.status == 0
    assert "twine gets no secret: TWINE_PASSWORD is set already\n" in done.stderr
    assert "canary" not in done.stdout + done.stderr


def test_a_dry_run_names_each_variable_once(workdir: Workdir) -> None:
    """An empty variable of poetry's is set to nothing: it is not removed as well."""
    call = made(workdir, "poetry")
    environ = {"POETRY_PYPI_TOKEN_MINE": ""}
    outcome = workdir.home.run("run", "--dry-run", *call, environ=environ)
    names = [line.split(":")[0] for line in outcome.stdout.splitlines()]
    assert names.count("POETRY_PYPI_TOKEN_MINE") == 1, outcome


@pytest.mark.parametrize("tool", VARIABLES)
def test_two_secrets_for_one_upload_are_refused(workdir: Workdir, tool: str) -> None:
    """However the second one was chosen."""
    secret, token, _ = VARIABLES[tool]
    call = made(workdir, tool)
    workdir.keep("canary-other", "Other")
    both = ["-e", f"{token}=Other", "-e", f"{secret}=mine"]
    assert_refused(workdir, workdir.run(*both, *call), secret, token, tool)
    workdir.configure(f"[commands.{tool}.secrets]\n{token} = 'Other'\n")
    assert_refused(workdir, workdir.run(*call), secret, token, tool)


@pytest.mark.parametrize("tool", VARIABLES)
@pytest.mark.parametrize("inherited", [False, True])
def test_no_user_name_goes_with_a_token(workdir: Workdir, tool: str, inherited: bool) -> None:
    """The tool would send another one than the dialog shows."""
    _, token, name = VARIABLES[tool]
    call = made(workdir, tool)
    given = ["-e", f"{name}=mine#username"] + ([] if inherited else ["-e", f"{token}=mine"])
    found = {token: "canary-inherited"} if inherited else {}
    outcome = workdir.home.run("run", "--no-input", *given, *call, environ=found)
    assert outcome.status == 125, outcome
    assert (token in outcome.stderr) and (name in outcome.stderr), outcome
    assert not workdir.ran


@pytest.mark.parametrize("tool", VARIABLES)
def test_a_chosen_password_takes_the_place_of_an_inherited_token(
    workdir: Workdir, tool: str
) -> None:
    """With the user name that it was stored under."""
    secret, token, name = VARIABLES[tool]
    call = made(workdir, tool)
    with FakePinentry([True]) as fake:
        found = {**fake.environ, token: "canary-inherited"}
        done = workdir.home.run("run", "-e", f"{secret}=mine", *call, environ=found)
        assert done.status == 0, done
        assert "user: octocat\n" in unescape(fake.prompts[0]["SETDESC"].encode()).decode()
    given = environ(workdir)
    assert (given[secret], given[name]) == ("canary-mine", "octocat")
    assert not given.get(token)


@pytest.mark.parametrize("tool", VARIABLES)
@pytest.mark.parametrize("way", ["file", "reference"])
def test_a_password_of_this_run_takes_the_place_of_an_inherited_token(
    workdir: Workdir, tool: str, way: str
) -> None:
    """Also one in plain text, and one that is inherited as a reference."""
    secret, token, name = VARIABLES[tool]
    call = made(workdir, tool)
    (workdir.folder / "plain.env").write_text(f"{secret}=canary-plain\n{name}=ada\n")
    given = ["--env-file", "plain.env"] if way == "file" else ["--resolve-env"]
    found = {token: "canary-inherited", secret: "secretly://mine"}
    with FakePinentry([True]) as fake:
        done = workdir.home.run("run", *given, *call, environ={**fake.environ, **found})
        assert (done.status, len(fake.prompts)) == (0, int(way == "reference")), done
        for prompt in fake.prompts:
            assert "user: octocat\n" in unescape(prompt["SETDESC"].encode()).decode()
    wanted = ("canary-plain", "ada") if way == "file" else ("canary-mine", "octocat")
    given_to_it = environ(workdir)
    assert (given_to_it[secret], given_to_it[name]) == wanted
    assert not given_to_it.get(token)


@pytest.mark.parametrize("tool", ["twine", "hatch", *VARIABLES])
@pytest.mark.parametrize("way", ["file", "profile"])
def test_an_empty_user_name_is_the_one_that_is_shown(workdir: Workdir, tool: str, way: str) -> None:
    """Some tools send an empty one, and some take it for none: then they get the secret's own."""
    name = VARIABLES[tool][2] if tool in VARIABLES else OTHERS[tool]
    call = made(workdir, tool)
    given = ["-p", "x"]
    if way == "file":
        (workdir.folder / "empty.env").write_text(f"{name}=\n")
        given = ["--env-file", "empty.env"]
    else:
        workdir.configure(f"[commands.{tool}.profiles.x]\nenv = {{ {name} = '' }}\n")
    outcome = workdir.run(*given, *call, answers=[True])
    assert (outcome.status, len(outcome.asked)) == (0, 1), outcome
    sent = environ(workdir)[name]
    assert f"user: {sent or '(empty)'}\n" in outcome.asked[0]
    assert sent == ("octocat" if tool in ("hatch", "poetry") else "")


def test_the_dialog_names_each_variable_of_the_secret(workdir: Workdir) -> None:
    """One question, for the upload and for what else gets the same secret."""
    call = made(workdir, "twine")
    others = ["-e", "MY_TOKEN=mine", "-e", "MORE=mine"]
    outcome = workdir.run("-e", "TWINE_PASSWORD=mine", *others, *call, answers=[True])
    assert (outcome.status, len(outcome.asked)) == (0, 1), outcome
    assert "user: octocat\nalso for: MY_TOKEN, MORE\n" in outcome.asked[0]


def test_the_index_has_the_name_of_the_token_that_it_made(workdir: Workdir) -> None:
    """Also if the user chose the token."""
    workdir.program("twine", _RECORDER)
    workdir.keep(token("upload.example"))
    for given in ([], ["-e", "TWINE_PASSWORD=PyPI"]):
        call = ["twine", "upload", "--repository-url", URL, FILE]
        outcome = workdir.run(*given, *call, answers=[True])
        assert (outcome.status, len(outcome.asked)) == (0, 1), outcome
        assert "to: PyPI (upload.example)\n" in outcome.asked[0]


@pytest.mark.parametrize("words", [["publish"], ["rel"]])
def test_an_alias_of_cargos_has_the_profile_of_what_it_stands_for(
    workdir: Workdir, words: list[str]
) -> None:
    """The default profile; without one the user has to choose."""
    workdir.program("cargo", _RECORDER)
    cargo_package(workdir)
    (workdir.folder / ".cargo").mkdir()
    (workdir.folder / ".cargo/config.toml").write_text("[alias]\nrel = 'publish'\n")
    for name in ("Cargo", "Work", "X"):
        workdir.keep(f"canary-{name}", name)
    profile = "[commands.cargo.profiles.work.secrets]\nCARGO_REGISTRY_TOKEN = 'Work'\nMORE = 'X'\n"
    workdir.configure(profile)
    assert_refused(workdir, workdir.run("cargo", *words), "several profiles")
    workdir.configure(f"[commands.cargo]\ndefault = 'work'\n{profile}")
    outcome = workdir.run("cargo", *words, answers=[True, True])
    assert outcome.status == 0, outcome
    given = environ(workdir)
    assert (given["CARGO_REGISTRY_TOKEN"], given["MORE"]) == ("canary-Work", "canary-X")


@pytest.mark.parametrize("way", ["profile", "reference", "file"])
def test_an_alias_of_cargos_that_is_set_is_refused(workdir: Workdir, way: str) -> None:
    """It may stand for an upload, which would start without its secret."""
    workdir.program("cargo", _RECORDER)
    workdir.configure("[commands.cargo.profiles.x]\nenv = { CARGO_ALIAS_REL = 'publish' }\n")
    (workdir.folder / "e.env").write_text("CARGO_ALIAS_REL=secretly://mine\n")
    cargo_package(workdir)
    options = {
        "profile": ["-p", "x"],
        "reference": ["-e", "CARGO_ALIAS_REL=mine"],
        "file": ["--env-file", "e.env"],
    }
    assert_refused(workdir, workdir.run(*options[way], "cargo", "rel"), "CARGO_ALIAS_REL")


def test_an_empty_token_of_a_profile_is_not_set(workdir: Workdir) -> None:
    call = made(workdir, "uv")
    workdir.configure("[commands.uv.profiles.x]\nenv = { UV_PUBLISH_TOKEN = '' }\n")
    outcome = workdir.run("-p", "x", *call, answers=[True])
    assert (outcome.status, len(outcome.asked)) == (0, 1), outcome
    assert environ(workdir)["UV_PUBLISH_PASSWORD"] == "canary-mine"


def test_a_secret_of_the_users_own_table_gets_no_user_name(workdir: Workdir) -> None:
    call = made(workdir, "twine")
    workdir.keep("canary-other", "Other", "--username", "eve")
    workdir.configure("[commands.twine.secrets]\nEXTRA = 'Other'\n")
    outcome = workdir.run(*call, answers=[True, True])
    assert outcome.status == 0, outcome
    assert "but for: EXTRA\n" in outcome.asked[1]
    assert environ(workdir)["TWINE_USERNAME"] == "octocat"


def test_a_text_of_several_secrets_gets_no_user_name_of_one(workdir: Workdir) -> None:
    call = made(workdir, "twine")
    workdir.keep("canary-other", "Other")
    text = "TWINE_PASSWORD={{ secretly://mine }}-{{ secretly://Other }}"
    assert_refused(workdir, workdir.run("-e", text, *call), "TWINE_PASSWORD", "TWINE_USERNAME")
    outcome = workdir.run("-e", text, *call, "-u", "ada", answers=[True] * 2)
    assert (outcome.status, len(outcome.asked)) == (0, 2), outcome
    assert all("user: ada\n" in text for text in outcome.asked)
    given = environ(workdir)
    assert given["TWINE_USERNAME"] == "ada"
    assert given["TWINE_PASSWORD"] == "canary-mine-canary-other"


def test_a_token_of_several_secrets_needs_no_user_name(workdir: Workdir) -> None:
    """The tool sends its own."""
    call = made(workdir, "uv")
    workdir.keep("canary-other", "Other")
    text = "UV_PUBLISH_TOKEN={{ secretly://mine }}-{{ secretly://Other }}"
    outcome = workdir.run("-e", text, *call, answers=[True] * 2)
    assert outcome.status == 0, outcome
    assert all("user: __token__\n" in text for text in outcome.asked)
    assert environ(workdir)["UV_PUBLISH_TOKEN"] == "canary-mine-canary-other"


@pytest.mark.parametrize("variable", ["POETRY_PYPI_TOKEN_MINE", VARIABLES["poetry"][0]])
@pytest.mark.parametrize("text", ["Brace", "{{ secretly://Brace }}!", "{{{ secretly://Dir }}}"])
def test_no_variable_of_poetrys_gets_a_text_that_it_replaces(
    workdir: Workdir, variable: str, text: str
) -> None:
    call = made(workdir, "poetry")
    workdir.keep("canary-{cache-dir}", "Brace")
    workdir.keep("cache-dir", "Dir")
    (workdir.folder / "name.env").write_text("POETRY_HTTP_BASIC_MINE_USERNAME=eve\n")
    for more in ([], ["--env-file", "name.env"]):
        outcome = workdir.run(*more, "-e", f"{variable}={text}", *call, answers=[True])
        assert_refused(workdir, outcome, "braces", asked=1)


def test_no_user_name_of_poetrys_gets_a_text_that_it_replaces(workdir: Workdir) -> None:
    """By reference: the one of an index may come from a password manager."""
    call = made(workdir, "poetry")
    workdir.keep("canary-{cache-dir}", "Brace")
    outcome = workdir.run("-e", f"{VARIABLES['poetry'][2]}=Brace", *call, answers=[True, True])
    assert outcome.status == 125, outcome
    assert "braces" in outcome.stderr
    assert not workdir.ran


def test_another_secret_of_the_run_is_shown_with_its_variable(workdir: Workdir) -> None:
    """Not as the secret of the upload, and without a user name."""
    call = made(workdir, "twine")
    workdir.keep("canary-other", "Other", "--username", "eve")
    given = ["-e", "EXTRA=Other", "-e", "GH_TOKEN=Other", "-e", "KEY=Typed"]
    outcome = workdir.run(*given, *call, answers=[True, True, "canary-typed"])
    assert (outcome.status, len(outcome.prompts)) == (0, 3), outcome
    upload, other, typed = outcome.asked
    assert "user: octocat\n" in upload
    assert "not for the upload itself" not in upload
    assert "not for the upload itself, but for: EXTRA, GH_TOKEN\n" in other
    assert "not for the upload itself, but for: KEY\n" in typed
    assert "user:" not in other + typed
    found = environ(workdir)
    assert [found[name] for name in ("EXTRA", "GH_TOKEN", "KEY")] == [
        *["canary-other"] * 2,
        "canary-typed",
    ]
    assert (found["TWINE_USERNAME"], found["TWINE_PASSWORD"]) == ("octocat", "canary-mine")


@pytest.mark.parametrize("option", ["-v", "--dry-run"])
def test_the_changed_command_line_hides_what_the_dialog_hides(
    workdir: Workdir, option: str
) -> None:
    workdir.program("uv", _RECORDER)
    workdir.keep("canary-mine", "upload.example")
    check = "https://ada:canary-check@check.example/simple/"
    call = ["uv", "publish", "--publish-url", URL, "--check-url", check, FILE]
    outcome = workdir.run(option, *call, answers=[True])
    assert outcome.status == 0, outcome
    assert "ada:***@check.example" in outcome.stdout + outcome.stderr
    assert "canary-check" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize(("way", "named"), [(["env"], "env sets"), (["--env-file"], "env file")])
def test_an_alias_of_cargos_is_seen_wherever_it_comes_from(
    workdir: Workdir, way: list[str], named: str
) -> None:
    """cargo would publish. So a variable that is not the user's own may not have the alias."""
    manifest = '[package]\nname = "demo"\nversion = "1.0.0"\nedition = "2021"\n'
    (workdir.folder / "Cargo.toml").write_text(manifest)
    workdir.program("cargo", _RECORDER)
    workdir.keep("canary-cargo", "Cargo")
    alias = "CARGO_ALIAS_REL=publish --locked"
    (workdir.folder / "alias.env").write_text(f"{alias}\n")
    given = "alias.env" if way == ["--env-file"] else alias
    outcome = workdir.run(*way, given, "cargo", "rel", answers=[True])
    assert_refused(workdir, outcome, "CARGO_ALIAS_REL", named)


def test_a_variable_that_the_tool_does_not_read_here_is_refused_with_the_one_it_reads(
    workdir: Workdir,
) -> None:
    """Not with the advice to write the secret down in plain text."""
    call = made(workdir, "poetry")
    outcome = workdir.run("-e", "POETRY_PYPI_TOKEN_OTHER=mine", *call)
    assert_refused(workdir, outcome, "POETRY_PYPI_TOKEN_OTHER", VARIABLES["poetry"][0])
