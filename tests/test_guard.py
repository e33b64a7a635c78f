"""Test the checks before a publishing command gets its secret.

Most tests use a stand-in for the tool, which records its environment. Only the real tools can show
that secretly reads their settings correctly.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import tokens
from command import SECRETLY, Ended, Home, Warm, home
from test_publishing import FILE, project, skip_if_it_cannot, tool
from tokens import TOKEN

from secretly.asking import upload_wording, wording
from secretly.asking.assuan import unescape
from secretly.config import command_line
from secretly.reference import Reference
from secretly.resolving.request import SecretRequest
from secretly.running import planning, preparing, uploading
from secretly.testing import FakePinentry, sandbox
from secretly.testing.pinentry import Answer

pytestmark = [pytest.mark.process, pytest.mark.outside]

#: A stand-in for any tool: writes its environment to a file, and uploads nothing.
STAND_IN = '#!/bin/sh\nenv > "$HOME/given"\n'

#: A token that the test index made.
TEST_TOKEN = tokens.token("test.pypi.example")


# Modules to import once, instead of at each start.
_LOADED = (
    "import filekeychain, packaging.metadata, packaging.version, pexpect.fdpexpect, secretly.cli\n"
)


@pytest.fixture(name="started", scope="module")
def _started() -> Iterator[tuple[Home, Warm]]:
    """Make one home and load secretly once, for the hundreds of runs in this file."""
    with home() as shared:
        shared.keep_in_a_file()
        (shared.folder / "sitecustomize.py").write_text(_LOADED)
        pinentry = shared.folder / "tmp" / "pinentry"
        with Warm(shared, {"PINENTRY": str(pinentry), "DISPLAY": ":fake"}) as warm:
            yield shared, warm


class Outcome(NamedTuple):
    """The result of a run.

    :param prompts: the texts of each prompt, by pinentry command.
    """

    status: int
    stdout: str
    stderr: str
    prompts: list[dict[str, str]]

    @property
    def asked(self) -> list[str]:
        """The descriptions in the prompts."""
        return [prompt["SETDESC"] for prompt in self.prompts]


class Workdir:
    """The working folder: a home that is also the project ``demo``, with a stand-in for twine."""

    def __init__(self, home: Home, warm: Warm) -> None:
        self.folder, self.programs, self.home, self._warm = home.folder, home.programs, home, warm
        for path in self.folder.iterdir():
            if path.suffix != ".py":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for part in ("tmp", "programs", ".config/secretly"):
            (self.folder / part).mkdir(mode=0o700, parents=True)
        project(self.folder)
        self.program("twine")
        self.configure("")

    def program(self, name: str, text: str = STAND_IN) -> Path:
        """Put a program on PATH, by default a stand-in."""
        return self.home.program(name, text)

    def configure(self, text: str) -> None:
        """Write the configuration. The table for the keychain is added to *text*."""
        self.home.configure(f'[keychain]\nbackends = ["filekeychain.Keyring"]\n{text}')

    def asking(self, pinentry: Path) -> None:
        """Make secretly use this pinentry."""
        link = self.folder / "tmp" / "pinentry"
        link.unlink(missing_ok=True)
        link.symlink_to(pinentry)

    def secretly(
        self, *arguments: str, answers: Sequence[Answer] = (), flavor: str = "gtk2"
    ) -> Outcome:
        """Run secretly with a user who gives these answers."""
        with FakePinentry(answers, flavor=flavor) as fake:
            self.asking(fake.path)
            done = self.with_same_pinentry(*arguments)
            prompts = [
                {verb: unescape(text.encode()).decode() for verb, text in prompt.items()}
                for prompt in fake.prompts
            ]
        return Outcome(*done, prompts)

    def with_same_pinentry(self, *arguments: str) -> Ended:
        """Run secretly with the pinentry of the last call."""
        return self._warm.run(*arguments)

    def run(self, *arguments: str, answers: Sequence[Answer] = (), flavor: str = "gtk2") -> Outcome:
        """Run ``secretly run`` with a user who gives these answers."""
        return self.secretly("run", *arguments, answers=answers, flavor=flavor)

    def keep(self, token: str, name: str = "PyPI", *options: str) -> None:
        """Store a token in the keychain."""
        done = self._warm.run("set", *options, name, "--stdin", stdin=token)
        assert done.status == 0, done

    @property
    def ran(self) -> bool:
        """Whether the stand-in ran."""
        return (self.folder / "given").exists()

    @property
    def given(self) -> list[str]:
        """The tokens that the stand-in got. Fails if the stand-in never ran."""
        lines = (self.folder / "given").read_text().splitlines()
        pairs = (line.partition("=") for line in lines)
        return [value for _, _, value in pairs if value.startswith("pypi-")]


@pytest.fixture(name="workdir")
def _workdir(started: tuple[Home, Warm]) -> Workdir:
    return Workdir(*started)


UPLOAD = ("twine", "upload", "dist/*")


def assert_refused(workdir: Workdir, outcome: Outcome, *said: str, asked: int = 0) -> None:
    """Check for status 125, an error, a hint and *asked* prompts, and that the tool didn't run."""
    assert outcome.status == 125, outcome
    message, hint = outcome.stderr.splitlines()[-2:]
    assert message.startswith("secretly: ")
    assert hint.startswith("  ")
    for text in said:
        assert text in f"{message}\n{hint}"
    assert len(outcome.prompts) == asked
    assert not workdir.ran


# -- the index that made the token -----------------------------------------------

#: Each tool's settings for an index named ``mine``, and the arguments that select this index.
SETTINGS: dict[str, tuple[str, str, list[str]]] = {
    "twine": (
        ".pypirc",
        "[distutils]\nindex-servers = mine\n[mine]\nrepository = {url}\n",
        ["upload", "-r", "mine", FILE],
    ),
    "uv": (
        "uv.toml",
        '[[index]]\nname = "mine"\nurl = "{url}"\npublish-url = "{url}"\n',
        ["publish", "--index", "mine", FILE],
    ),
    "uv pyproject.toml": (
        "pyproject.toml",
        '[project]\nname = "demo"\nversion = "1.0"\n[[tool.uv.index]]\nname = "mine"\n'
        'url = "{url}"\npublish-url = "{url}"\n',
        ["publish", "--index=mine"],
    ),
    "flit": (
        ".pypirc",
        "[distutils]\nindex-servers = mine\n[mine]\nrepository = {url}\n",
        ["publish", "--repository", "mine", "--format", "wheel"],
    ),
    "hatch": (
        ".config/hatch/config.toml",
        '[publish.index.repos]\nmine = "{url}"\n',
        ["publish", "-r", "mine", FILE],
    ),
    "poetry": (
        ".config/pypoetry/config.toml",
        '[repositories.mine]\nurl = "{url}"\n',
        ["publish", "-r", "mine"],
    ),
    "pdm": (
        ".config/pdm/config.toml",
        '[repository.mine]\nurl = "{url}"\n',
        ["publish", "--no-build", "-r", "mine"],
    ),
    "maturin": (
        ".pypirc",
        "[distutils]\nindex-servers = mine\n[mine]\nrepository = {url}\n",
        ["upload", "-r", "mine", FILE],
    ),
}


def settle(workdir: Workdir, name: str, url: str) -> tuple[str, list[str]]:
    """Write a tool's settings. Return the tool's name and the arguments that use the settings."""
    path, text, arguments = SETTINGS[name]
    (workdir.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (workdir.folder / path).write_text(text.replace("{url}", url))
    return name.split()[0], arguments


@pytest.mark.parametrize("name", SETTINGS)
def test_a_token_goes_only_to_the_index_that_made_it(workdir: Workdir, name: str) -> None:
    """secretly refuses any other index in the settings, unless the configuration allows it."""
    program, arguments = settle(workdir, name, "http://127.0.0.1:9/legacy/")
    workdir.program(program)
    workdir.keep(TOKEN, "mine")
    outcome = workdir.run(program, *arguments, answers=[True])
    assert_refused(workdir, outcome, "mine", "pypi.example", program, 'hosts = ["127.0.0.1')
    workdir.configure('[secrets.mine]\nhosts = ["127.0.0.1:9"]\n')
    outcome = workdir.run(program, *arguments, answers=[True])
    assert outcome.status == 0, outcome
    assert "to: 127.0.0.1:9 (mine)\n" in outcome.asked[0]
    assert len(workdir.given) == 1


@pytest.mark.real
@pytest.mark.parametrize("name", SETTINGS)
def test_the_real_tool_uses_the_index_that_secretly_found(workdir: Workdir, name: str) -> None:
    """secretly reads the tool's settings, and asks again if the token is of another index."""
    path = tool(name.split()[0])
    with tokens.warehouse() as index:
        skip_if_it_cannot(workdir.home, index, name, workdir.folder)
        _, arguments = settle(workdir, name, index.url)
        outcome = workdir.run(path, *arguments, answers=[TOKEN, index.token()])
        assert outcome.status == 0, outcome
        error = outcome.prompts[1]["SETERROR"].replace("\n", " ")
        assert all(part in error for part in ("mine", "pypi.example", index.host))
        assert [(u.project, u.status) for u in index.uploads] == [("demo", 200)]


@pytest.mark.parametrize("host", ["pypi.example", "upload.pypi.example", "pypi.example:8080"])
def test_the_index_and_its_upload_host_match(workdir: Workdir, host: str) -> None:
    """The comparison ignores the port, upper case and ``upload.`` at the start of the host."""
    url = f"https://{host.upper()}/legacy/"
    outcome = workdir.run("twine", "upload", "--repository-url", url, FILE, answers=[TOKEN])
    assert outcome.status == 0, outcome
    assert f"to: {host}\n" in outcome.asked[0]


def test_a_test_token_is_not_for_the_default_index(workdir: Workdir) -> None:
    """secretly refuses TestPyPI's token for PyPI, and PyPI's token for TestPyPI."""
    workdir.keep(TEST_TOKEN)
    workdir.keep(TOKEN, "TestPyPI")
    outcome = workdir.run(*UPLOAD, answers=[True])
    assert_refused(workdir, outcome, "test.pypi.example", "PyPI")
    outcome = workdir.run("twine", "upload", "-rtestpypi", FILE, answers=[True])
    assert_refused(workdir, outcome, "pypi.example", "TestPyPI")
    workdir.keep(TEST_TOKEN, "TestPyPI")
    assert workdir.run("twine", "upload", "-rtestpypi", FILE, answers=[True]).status == 0


# -- what the token allows -------------------------------------------------------


def test_a_token_for_another_project_is_refused(workdir: Workdir) -> None:
    """The hint says how to store a token for this project."""
    workdir.keep(tokens.token("pypi.example", [1, ["other"]]))
    outcome = workdir.run(*UPLOAD, answers=[True])
    assert_refused(workdir, outcome, "secretly set PyPI/demo")


def test_a_typed_token_is_checked_too(workdir: Workdir) -> None:
    """If a typed token is wrong, the prompt says why and asks again."""
    outcome = workdir.run(*UPLOAD, answers=[TEST_TOKEN, "pypi-canary-0123456789", TOKEN])
    assert outcome.status == 0, outcome
    errors = [prompt.get("SETERROR", "").replace("\n", " ") for prompt in outcome.prompts]
    assert errors[0] == ""
    assert errors[1] == (
        "The token for PyPI was made by test.pypi.example, and twine would send it to PyPI."
    )
    assert "the token is malformed" in errors[2]
    assert "canary" not in errors[2]


def test_three_wrong_tokens_end_the_run(workdir: Workdir) -> None:
    """The third wrong token ends the run with status 125, and the error says what was wrong."""
    outcome = workdir.run(*UPLOAD, answers=[TEST_TOKEN] * 3 + [TOKEN])
    assert_refused(workdir, outcome, "PyPI", "test.pypi.ex", asked=3)


# -- confirmation ----------------------------------------------------------------


def whole(text: str) -> str:
    """Return the text without the line breaks and the marks of continued lines."""
    return re.sub(r"(?<=[^\n]{72})\n> ", "", text)


def described(workdir: Workdir, file: str = FILE) -> str:
    """The line about a file, if there is room for it."""
    data = (workdir.folder / file).read_bytes()
    return f"{file} ({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:12]})"


def test_the_prompt_shows_the_upload(workdir: Workdir) -> None:
    """The prompt for a token and the question before its use have the same text."""
    tokens.wheel(workdir.folder / "dist", version="1.0", name="demo-1.0-1-py3-none-any.whl")
    typed = workdir.run(*UPLOAD, answers=[TOKEN])
    assert typed.status == 0, typed
    assert typed.asked[0].splitlines() == [
        "upload: demo 1.0",
        "to: PyPI",
        upload_wording.user_line("__token__"),
        upload_wording.limits_line(1, 15, certain=True),
        f"program: {workdir.programs}/twine",
        "for: twine upload 'dist/*'",
        "",
        described(workdir, "dist/demo-1.0-1-py3-none-any.whl"),
        described(workdir),
        "",
        typed.asked[0].splitlines()[-1],  # who asks
    ]
    workdir.keep(TOKEN)
    (workdir.folder / ".local/state/secretly/receipts.jsonl").unlink()  # no upload came before
    stored = workdir.run(*UPLOAD, answers=[True])
    assert stored.status == 0, stored
    where = wording.place("keychain")
    assert stored.asked == [wording.confirm_use_text("PyPI", where, typed.asked[0])]


def test_a_program_is_shown_by_its_real_path(workdir: Workdir) -> None:
    """The dialog shows a symbolic link together with its target."""
    (workdir.programs / "twine").rename(workdir.programs / "real")
    (workdir.programs / "twine").symlink_to("real")
    outcome = workdir.run(*UPLOAD, answers=[TOKEN])
    lines = whole(outcome.asked[0]).splitlines()
    assert f"program: {workdir.programs}/twine -> {workdir.programs}/real" in lines


@pytest.mark.parametrize(
    ("flavor", "no", "yes"),
    [("gtk2", None, True), ("qt", False, True), ("curses", "", True), ("gnome3", "", "yes")],
)
def test_no_is_the_default(workdir: Workdir, flavor: str, no: Answer, yes: Answer) -> None:
    """Return and Escape mean No, whatever the pinentry says that it is: no command runs."""
    workdir.keep(TOKEN)
    for answer in (no, None):
        outcome = workdir.run(*UPLOAD, answers=[answer], flavor=flavor)
        assert outcome.status == 130, outcome
        assert len(outcome.prompts) == 1
        assert not workdir.ran
    assert workdir.run(*UPLOAD, answers=[yes], flavor=flavor).status == 0
    assert workdir.ran


def test_a_tool_that_builds_first_shows_no_hashes(workdir: Workdir) -> None:
    """The files don't exist yet, so the settings name the project, and the token lasts an hour."""
    workdir.program("flit")
    outcome = workdir.run("flit", "publish", answers=[TOKEN])
    assert outcome.status == 0, outcome
    lines = outcome.asked[0].splitlines()
    assert lines[0] == "upload: demo 1.0"
    assert "note: builds first; files not yet known" in lines
    assert "sha256" not in outcome.asked[0]
    assert ".whl" not in outcome.asked[0]
    (token,) = workdir.given
    limits = tokens.limits(token)
    assert limits.projects == ["demo"]
    assert limits.expires is not None
    assert 3500 < limits.expires - time.time() <= 3600


def test_the_list_of_many_files_is_part_of_the_question(workdir: Workdir) -> None:
    """``-q`` hides the list only if secretly asks nothing."""
    for number in range(1, 10):
        name = f"demo-1.0-{number}-py3-none-any.whl"
        tokens.wheel(workdir.folder / "dist", name=name)
    workdir.keep(TOKEN)
    outcome = workdir.run("-q", *UPLOAD, answers=[True])
    assert outcome.status == 0, outcome
    assert re.fullmatch(r"([0-9a-f]{64}  dist/demo-1\.0-\S+\.whl\n){10}", outcome.stderr)
    digest = hashlib.sha256(outcome.stderr.encode()).hexdigest()[:12]
    assert f" {digest}\n" in outcome.asked[0]
    assert workdir.run("-q", "--no-confirm", *UPLOAD).stderr == ""
    workdir.configure("[secrets.PyPI]\nconfirm = false\n")
    assert workdir.run("-q", *UPLOAD).stderr == ""
    assert workdir.run("-q", "--ask", *UPLOAD, answers=[TOKEN]).stderr == outcome.stderr
    workdir.configure("[secrets.PyPI]\nconfirm = true\n")
    assert workdir.run("-q", *UPLOAD, answers=[True]).stderr == outcome.stderr


# -- without confirmation --------------------------------------------------------


def test_confirmation_can_be_switched_off(workdir: Workdir) -> None:
    """An option or the configuration skips the question. ``-v`` says which of them did."""
    workdir.keep(TOKEN)
    for options, configured, why in (
        (["--no-confirm"], "", "--no-confirm"),
        ([], "[secrets.PyPI]\nconfirm = false\n", "confirm = false in the configuration"),
    ):
        workdir.configure(configured)
        outcome = workdir.run(*options, *UPLOAD)
        assert (outcome.status, outcome.prompts) == (0, [])
        assert "confirm" not in outcome.stderr
        outcome = workdir.run("-v", *options, *UPLOAD)
        assert (outcome.status, outcome.prompts) == (0, [])
        assert f"secretly: TWINE_PASSWORD: not confirmed, by {why}\n" in outcome.stderr
    outcome = workdir.run("-v", "--confirm", *UPLOAD, answers=[True])
    assert (outcome.status, len(outcome.prompts)) == (0, 1)
    assert "not confirmed" not in outcome.stderr


#: Projects that say where the index ``mine`` is: the file, its text and the command.
BY_PROJECT: dict[str, tuple[str, str, str]] = {
    "uv": ("uv.toml", SETTINGS["uv"][1], "publish --index mine"),
    "poetry": ("poetry.toml", '[repositories.mine]\nurl = "{url}"\n', "publish -r mine"),
    "pdm": ("pdm.toml", '[repository.mine]\nurl = "{url}"\n', "publish --no-build -r mine"),
}


@pytest.mark.parametrize("secret", ["mine", "mine/demo"])
@pytest.mark.parametrize("name", BY_PROJECT)
def test_a_project_sends_no_password_elsewhere_without_confirmation(
    workdir: Workdir, name: str, secret: str
) -> None:
    """You have allowed the use of a secret, and not the place that a project gives its name."""
    file, text, line = BY_PROJECT[name]
    workdir.keep("canary-password", secret)
    workdir.program(name)
    (workdir.folder / file).write_text(text.replace("{url}", "https://evil.example/"))
    for entry, options, asked in (
        ("confirm = false\n", [], 1),
        ("confirm = false\n", ["--no-confirm"], 0),
        ('confirm = false\nhosts = ["evil.example"]\n', [], 0),
    ):
        workdir.configure(f'[secrets."{secret}"]\n{entry}')
        outcome = workdir.run(*options, name, *line.split(), answers=[False] * asked)
        assert len(outcome.prompts) == asked, outcome
        assert all("evil.example (mine)" in text for text in outcome.asked)
        assert workdir.ran == (not asked)
        (workdir.folder / "given").unlink(missing_ok=True)


def of_a_project(workdir: Workdir, tool: str = "pdm") -> list[str]:
    """A call of a tool in a project that says where the index ``mine`` is."""
    file, text, line = BY_PROJECT[tool]
    workdir.program(tool)
    (workdir.folder / file).write_text(text.replace("{url}", "https://evil.example/"))
    return [tool, *line.split()]


@pytest.mark.parametrize(
    ("tool", "variable"),
    [
        ("uv", "UV_PUBLISH_TOKEN"),
        ("uv", "UV_PUBLISH_PASSWORD"),
        ("uv", "UV_PUBLISH_USERNAME"),
        ("poetry", "POETRY_PYPI_TOKEN_MINE"),
        ("poetry", "POETRY_HTTP_BASIC_MINE_PASSWORD"),
        ("poetry", "POETRY_HTTP_BASIC_MINE_USERNAME"),
        ("pdm", "PDM_PUBLISH_PASSWORD"),
        ("pdm", "PDM_PUBLISH_USERNAME"),
    ],
)
def test_each_variable_that_a_tool_sends_is_asked_about(
    workdir: Workdir, tool: str, variable: str
) -> None:
    """Each by the configuration of its own secret."""
    call = of_a_project(workdir, tool)
    for name in ("Other", "mine"):
        workdir.keep(f"canary-{name}", name)
    allowed = '[secrets.mine]\nconfirm = false\nhosts = ["evil.example"]\n'
    workdir.configure(f"{allowed}[secrets.Other]\nconfirm = false\n")
    outcome = workdir.run("-e", f"{variable}=Other", *call, answers=[False])
    assert (outcome.status, len(outcome.prompts), workdir.ran) == (130, 1, False), outcome
    assert "Other" in outcome.asked[0]


def test_an_env_file_that_names_the_place_is_of_the_project(workdir: Workdir) -> None:
    workdir.program("poetry")
    (workdir.folder / ".env").write_text("POETRY_REPOSITORIES_MINE_URL=https://evil.example/\n")
    workdir.keep("canary-password", "mine")
    workdir.configure("[secrets.mine]\nconfirm = false\n")
    call = ["--env-file", ".env", "poetry", "publish", "-r", "mine"]
    outcome = workdir.run(*call, answers=[False])
    assert (outcome.status, len(outcome.prompts), workdir.ran) == (130, 1, False), outcome


@pytest.mark.parametrize("configured", ["", "[secrets.mine]\nconfirm = false\n"])
def test_a_project_sends_no_password_elsewhere_though_the_command_may_not_publish(
    workdir: Workdir, configured: str
) -> None:
    call = of_a_project(workdir)
    workdir.keep("canary-password", "mine/demo")
    workdir.configure(f"[commands.pdm]\npublishes = false\n{configured}")
    outcome = workdir.run(*call, answers=[False])
    assert (outcome.status, len(outcome.asked), workdir.ran) == (130, 1, False), outcome
    assert wording.confirm_use_text("mine/demo", wording.place("keychain"), "") in outcome.asked[0]


def test_only_the_password_that_the_tool_sends_is_asked_about(
    workdir: Workdir,
) -> None:
    """The other one goes to no index: a program that the tool starts may need it."""
    call = of_a_project(workdir)
    for name in ("Other", "Extra"):
        workdir.keep(f"canary-{name}", name)
    workdir.configure("[secrets.Other]\nconfirm = false\n[secrets.Extra]\nconfirm = false\n")
    given = ["-e", "PDM_PUBLISH_PASSWORD=Other", "-e", "EXTRA=Extra"]
    outcome = workdir.run(*given, *call, answers=[True])
    assert (outcome.status, len(outcome.prompts), workdir.ran) == (0, 1, True)
    assert "Other" in outcome.asked[0]
    hint = "set hosts for it"
    assert hint in workdir.run("--no-input", *given, *call).stderr


def test_a_variable_that_the_tool_does_not_read_is_judged_as_before(workdir: Workdir) -> None:
    """Though it has the index's own secret, or is configured for the tool."""
    call = of_a_project(workdir)
    workdir.keep("canary-password", "mine/demo")
    workdir.keep("canary-index", "mine")
    workdir.configure(
        "[commands.pdm]\npublishes = false\n[commands.pdm.secrets]\nOWN = 'mine'\n"
        "[secrets.'mine/demo']\nhosts = ['evil.example']\n"
    )
    outcome = workdir.run("-e", "EXTRA=mine", *call)
    assert (outcome.status, outcome.prompts) == (0, [])


def test_no_stored_secret_is_used_without_confirmation(workdir: Workdir) -> None:
    """If secretly can't ask, only ``--no-confirm`` allows the use of a stored secret."""
    workdir.keep(TOKEN)
    outcome = workdir.run("--no-input", *UPLOAD, answers=[True])
    assert_refused(workdir, outcome, "PyPI", "confirm = false")
    assert workdir.run("--no-input", "--no-confirm", *UPLOAD).status == 0


def test_a_dry_run_shows_the_upload_and_asks_nothing(workdir: Workdir) -> None:
    """``--dry-run`` shows files, index and token lifetime, and doesn't read the secret."""
    workdir.keep(TEST_TOKEN)
    outcome = workdir.run("--dry-run", *UPLOAD, answers=[True])
    assert (outcome.status, outcome.prompts, outcome.stderr) == (0, [], "")
    lines = outcome.stdout.splitlines()
    for line in ("upload: demo 1.0", "to: PyPI", described(workdir)):
        assert line in lines
    assert upload_wording.limits_line(1, 15, certain=True) in lines
    assert not workdir.ran
    # The file is named, and not yet made.
    assert "empty.toml" in outcome.stdout
    assert not [*workdir.folder.rglob("empty.toml")]


#: What decides the user name of an upload to ``nexus``: the secret of its one project comes first.
_OF_THE_PROJECT = """[secrets."nexus/demo"]
username = "deploy"
command = ["echo", "canary-1"]
"""


@pytest.mark.parametrize(
    ("configured", "words", "user"),
    [
        (_OF_THE_PROJECT, (), "deploy"),
        ('[secrets.nexus]\nusername = "ada"\ncommand = ["echo", "canary-1"]\n', (), "ada"),
        (_OF_THE_PROJECT, ("-e", "TWINE_USERNAME=Who"), "Who"),
    ],
)
def test_a_dry_run_names_the_user_that_the_run_sends(
    workdir: Workdir, configured: str, words: tuple[str, ...], user: str
) -> None:
    """The dialog, the tool and the dry run have the same user name."""
    (workdir.folder / ".pypirc").write_text(
        "[distutils]\nindex-servers = nexus\n[nexus]\nrepository = https://nexus.example/\n"
    )
    workdir.configure(f'{configured}[secrets.Who]\ncommand = ["echo", "canary-who"]\n')
    call = (*words, "twine", "upload", "-r", "nexus", "dist/*")
    line = upload_wording.user_line(user)
    assert line in workdir.run("--dry-run", *call).stdout.splitlines()
    outcome = workdir.run(*call, answers=[True, True])
    assert outcome.status == 0, outcome
    assert line in outcome.asked[0].splitlines()
    given = (workdir.folder / "given").read_text().splitlines()
    assert f"TWINE_USERNAME={'canary-who' if user == 'Who' else user}" in given


# -- checks before the first prompt ----------------------------------------------


def test_an_upload_without_files_asks_nothing(workdir: Workdir) -> None:
    """If no file is named, exists or can be uploaded, the error comes before a prompt."""
    (workdir.folder / "dist" / "notes.txt").write_text("notes")
    os.mkfifo(workdir.folder / "dist" / "pipe.whl")
    for words, said in (
        ([], ""),
        (["nothing/*"], "nothing/*"),
        (["dist/demo-2.0-py3-none-any.whl"], "dist/demo-2.0"),
        ([FILE, "dist/demo-2.0.tar.gz"], "dist/demo-2.0.tar.gz"),
        (["dist/*.txt"], ""),
        (["dist/pipe.whl"], "dist/pipe.whl"),
    ):
        outcome = workdir.run("twine", "upload", *words, answers=[TOKEN])
        assert_refused(workdir, outcome, said)


def test_a_removed_working_folder_is_an_error_of_two_lines(workdir: Workdir) -> None:
    """Both ways to start secretly report a removed working folder in two lines."""
    gone = workdir.folder / "gone"
    for start in (SECRETLY, [sys.executable, "-m", "secretly"]):
        gone.mkdir()
        script = 'cd gone && rmdir ../gone && exec "$@"'
        words = [*start, "run", "--dry-run", "twine", "upload", "x.whl"]
        done = workdir.home.run_any(["sh", "-c", script, "sh", *words])
        assert done.status == 125, done
        assert re.fullmatch(r"secretly: .*\n  \S.*\n", done.stderr)


def test_a_password_in_plain_text_is_warned_of(workdir: Workdir) -> None:
    """secretly warns if .pypirc has a password for the index of the upload. ``-q`` hides this."""
    path = workdir.folder / ".pypirc"
    path.write_text("[pypi]\nusername = __token__\npassword = canary-plain\n")
    outcome = workdir.run(*UPLOAD, answers=[TOKEN])
    assert outcome.status == 0, outcome
    warning = next(line for line in outcome.stderr.splitlines() if str(path) in line)
    for part in ("PyPI", "secretly set PyPI", "password", "[pypi]"):
        assert part in warning
    assert "canary" not in outcome.stderr
    assert workdir.run("-q", *UPLOAD, answers=[TOKEN]).stderr == ""
    outcome = workdir.run("twine", "upload", "-rtestpypi", FILE, answers=[TEST_TOKEN])
    assert (outcome.status, str(path) in outcome.stderr) == (0, False)
    checks = ("-e", "X=env://HOME", "twine", "check")  # it uploads nothing
    outcome = workdir.run(*checks, answers=[True])
    assert (outcome.status, str(path) in outcome.stderr) == (0, False)


def test_the_variable_with_the_original_token_is_removed(workdir: Workdir) -> None:
    """Otherwise the tool would get the original token as well as the narrowed token."""
    workdir.configure('[secrets.PyPI]\nsource = "env://MINE"\nconfirm = false\n')
    done = workdir.home.run("run", *UPLOAD, environ={"MINE": TOKEN})
    assert done.status == 0, done
    (got,) = workdir.given
    assert got != TOKEN
    assert tokens.limits(got).projects == ["demo"]


@pytest.mark.parametrize("chosen", ["", "[commands.twine.secrets]\nTWINE_PASSWORD = 'PyPI'\n"])
def test_a_configuration_does_not_give_twine_the_stored_token(
    workdir: Workdir, chosen: str
) -> None:
    """``publishes = false`` skips the question, but twine still gets only a narrowed token."""
    workdir.keep(TOKEN)
    workdir.configure(f"[commands.twine]\npublishes = false\n{chosen}")
    for words in ((), ("-e", "TWINE_PASSWORD=PyPI")):
        outcome = workdir.run(*words, *UPLOAD)
        assert outcome.status == 0, outcome
        assert outcome.prompts == []
        (given,) = workdir.given
        assert given != TOKEN
        assert tokens.limits(given).projects == ["demo"]
        (workdir.folder / "given").unlink()


# -- the line about the token ----------------------------------------------------


def test_quiet_hides_the_line_about_the_token(workdir: Workdir) -> None:
    """``-q`` hides the line about the token, but secretly still narrows the token."""
    outcome = workdir.run(*UPLOAD, answers=[TOKEN])
    said = upload_wording.gets_token("twine", "demo", "TIME").partition("TIME")[0]
    assert outcome.stderr.startswith(f"secretly: {said}")
    outcome = workdir.run("-q", *UPLOAD, answers=[TOKEN])
    assert outcome.stderr == ""
    assert tokens.limits(workdir.given[0]).projects == ["demo"]


def test_the_lifetime_of_the_token_can_be_configured(workdir: Workdir) -> None:
    """The tool's token is valid for as long as the configuration says."""
    workdir.configure('[commands.twine]\nexpires = "5m"\n')
    assert workdir.run(*UPLOAD, answers=[TOKEN]).status == 0
    limits = tokens.limits(workdir.given[0])
    assert limits.projects == ["demo"]
    assert limits.expires is not None
    assert 250 < limits.expires - time.time() <= 300


# -- changes after the question --------------------------------------------------

# A pinentry that sources a file before it answers Yes. A shell script, because it starts fast.
_SWAPPER = """#!/bin/sh
echo OK
while read -r verb rest; do
  case "$verb $rest" in
    "GETINFO flavor") printf 'D gtk2\\nOK\\n' ;;
    GETPIN*) . "$HOME/swap"; echo asked >> "$HOME/asked"; printf 'D yes\\nOK\\n' ;;
    BYE*) echo OK; exit ;;
    *) echo OK ;;
  esac
done
"""

#: Shell commands that change a file: $F is the wheel, $O is another wheel.
FILE_SWAPS = {
    "in place": 'cat "$O" > "$F"',
    "in workdir, with its time and size": (
        'cp -p "$F" "$HOME/before"; printf X | dd of="$F" bs=1 seek=10 conv=notrunc 2>"$HOME/dd"; '
        'touch -r "$HOME/before" "$F"; [ $(wc -c < "$F") = $(wc -c < "$HOME/before") ]'
    ),
    "by another": 'mv "$O" "$F"',
    "by its like": 'cp -p "$F" "$HOME/like"; mv "$HOME/like" "$F"',
    "removed": 'rm "$F"',
    "a new one": 'cp "$O" dist/demo-1.0-2-py3-none-any.whl',
}

#: Shell commands that change the program: $R is the program, $P a link to $R, $S another program.
PROGRAM_SWAPS = {
    "in place": 'echo : >> "$R"',
    "in workdir, with its time and size": (
        'cp -p "$R" "$HOME/before"; printf X | dd of="$R" bs=1 seek=12 conv=notrunc 2>"$HOME/dd"; '
        'touch -r "$HOME/before" "$R"'
    ),
    "by another": 'mv "$S" "$R"',
    "the link": 'ln -sfn "$S" "$P"',
    "the link by a program": 'rm "$P"; cp "$S" "$P"',
}


class Swaps:
    """Swap a file or a program while the user confirms an upload."""

    def __init__(self, workdir: Workdir) -> None:
        self.workdir, self.rounds = workdir, 0
        self.link, self.program = workdir.programs / "twine", workdir.programs / "real"
        self.other = workdir.folder / "other"
        workdir.keep(TOKEN)
        workdir.asking(workdir.program("pinentry-gtk-swap", _SWAPPER))

    def refused(self, swap: str) -> str:
        """Swap during the question. Return the error message, or the outcome if the tool ran."""
        folder = self.workdir.folder
        shutil.rmtree(folder / "dist")
        tokens.wheel(folder / "dist", name="demo-1.0-1-py3-none-any.whl")
        file = tokens.wheel(folder / "dist")
        another = tokens.wheel(folder / "another", version="1.0.0", name="other.whl")
        for path, text in ((self.program, STAND_IN), (self.other, f"{STAND_IN}# another\n")):
            path.unlink(missing_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to("real")
        names = {"F": file, "O": another, "P": self.link, "R": self.program, "S": self.other}
        variables = "".join(f"{name}='{path}'\n" for name, path in names.items())
        (folder / "swap").write_text(f"set -e\n{variables}{swap}\n")
        done = self.workdir.with_same_pinentry("run", *UPLOAD)
        self.rounds += 1
        asked = (folder / "asked").read_text()
        assert asked == "asked\n" * self.rounds, done
        if done.status != 125:
            return f"{done}"
        assert "secretly: twine" not in done.stderr  # twine got no token
        return done.stderr.splitlines()[-2]


@pytest.fixture(name="swaps")
def _swaps(workdir: Workdir) -> Swaps:
    return Swaps(workdir)


def test_a_file_that_is_swapped_meanwhile_is_refused(swaps: Swaps) -> None:
    """secretly refuses every kind of swapped file, each time, and the tool never runs."""
    for _ in range(2):
        for name, swap in FILE_SWAPS.items():
            message = swaps.refused(swap)
            assert ".whl " in message, (name, message)
            assert not swaps.workdir.ran
    assert swaps.rounds == 2 * len(FILE_SWAPS)


def test_a_program_that_is_swapped_meanwhile_is_refused(swaps: Swaps) -> None:
    """secretly refuses every kind of swapped program, each time, and neither runs."""
    for _ in range(2):
        for name, swap in PROGRAM_SWAPS.items():
            message = swaps.refused(swap)
            assert message.startswith(f"secretly: {swaps.link} "), (name, message)
            assert not swaps.workdir.ran
    assert swaps.rounds == 2 * len(PROGRAM_SWAPS)


def test_without_a_swap_the_command_runs(swaps: Swaps) -> None:
    """So the tests above fail because of the swap."""
    for swap in ("true", "echo > notes.txt", "touch later"):
        assert "status=0" in swaps.refused(swap)
    assert swaps.workdir.ran


def test_the_programs_content_is_compared(workdir: Workdir) -> None:
    """secretly hashes the tool, because a file's times can be set back or be coarse."""
    program = workdir.programs / "twine"
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    argv = ["twine", "upload", f"{workdir.folder}/{FILE}"]
    with sandbox() as context:
        invocation = command_line.recognize(argv, context.configuration)
        assert invocation is not None
        upload = uploading.look_at_upload(invocation, {}, context)
        assert upload is not None
        given = planning.PlanInput(
            str(program),
            argv,
            SecretRequest(Reference("", "")),
            invocation=invocation,
            upload=upload,
        )
        prepared = preparing.prepare(planning.plan_delivery(given), given, context)
    assert prepared.launch.fingerprint is not None
    assert prepared.launch.fingerprint[-1] == digest


def test_settings_that_are_swapped_meanwhile_are_refused(workdir: Workdir) -> None:
    """The upload would go to another index than the dialog showed."""
    settle(workdir, "twine", "https://pypi.example/legacy/")
    workdir.keep(TOKEN, "mine")
    (workdir.folder / "swap").write_text("sed -i s/pypi.example/example.org/ .pypirc")
    workdir.asking(workdir.program("pinentry-gtk-swap", _SWAPPER))
    done = workdir.with_same_pinentry("run", "twine", "upload", "-rmine", FILE)
    assert done.status == 125, done
    assert "example.org" in done.stderr
    assert not workdir.ran
