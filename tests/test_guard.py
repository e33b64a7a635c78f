"""The checks before a publishing command gets its secret, and the refusals.

Most of it is tried with a stand-in for the tool, which keeps what it was given; that
the tools' own configuration leads where it is thought to lead, with the real ones.
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

from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.config import command_line
from secretly.errors import BadToken
from secretly.publishing.pypi_token import token_scope
from secretly.reference import Reference
from secretly.resolving.request import SecretRequest
from secretly.running import planning, preparing
from secretly.testing import FakePinentry, sandbox
from secretly.testing.pinentry import Answer

pytestmark = pytest.mark.process

#: A stand-in for any tool: it says what it was given, and uploads nothing.
STAND_IN = '#!/bin/sh\nenv > "$HOME/given"\n'

#: A token that the test index made.
TEST_TOKEN = tokens.token("test.pypi.example")


# What would otherwise be loaded at each start.
_LOADED = (
    "import filekeychain, packaging.metadata, packaging.version, pexpect.fdpexpect, secretly.cli\n"
)


@pytest.fixture(name="started", scope="module")
def _started() -> Iterator[tuple[Home, Warm]]:
    """A home with the command already loaded, shared by the hundreds of runs here."""
    with home() as found:
        found.keep_in_a_file()
        (found.folder / "sitecustomize.py").write_text(_LOADED)
        pinentry = found.folder / "tmp" / "pinentry"
        with Warm(found, {"PINENTRY": str(pinentry), "DISPLAY": ":fake"}) as warm:
            yield found, warm


class Outcome(NamedTuple):
    """The result of a run.

    :param prompts: the texts of each prompt that the user was shown, by command.
    """

    status: int
    stdout: str
    stderr: str
    prompts: list[dict[str, str]]

    @property
    def asked(self) -> list[str]:
        """The descriptions that the user was shown."""
        return [prompt["SETDESC"] for prompt in self.prompts]


class Place:
    """A home that is also the project ``demo``, with a stand-in for twine."""

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
        """Put a program on PATH: without a text, a stand-in."""
        return self.home.program(name, text)

    def configure(self, text: str) -> None:
        """Write the configuration, without the keychain's part."""
        self.home.configure(f'[keychain]\nbackends = ["filekeychain.Keyring"]\n{text}')

    def asking(self, pinentry: Path) -> None:
        """Use this pinentry."""
        link = self.folder / "tmp" / "pinentry"
        link.unlink(missing_ok=True)
        link.symlink_to(pinentry)

    def secretly(
        self, *arguments: str, answers: Sequence[Answer] = (), flavor: str = "gtk2"
    ) -> Outcome:
        """Run the command with a user who gives these answers."""
        with FakePinentry(answers, flavor=flavor) as fake:
            self.asking(fake.path)
            done = self.with_same_pinentry(*arguments)
            prompts = [
                {verb: unescape(text.encode()).decode() for verb, text in prompt.items()}
                for prompt in fake.prompts
            ]
        return Outcome(*done, prompts)

    def with_same_pinentry(self, *arguments: str) -> Ended:
        """Run the command with the pinentry that is already there."""
        return self._warm.run(*arguments)

    def run(self, *arguments: str, answers: Sequence[Answer] = (), flavor: str = "gtk2") -> Outcome:
        """``secretly run`` with a user who gives these answers."""
        return self.secretly("run", *arguments, answers=answers, flavor=flavor)

    def keep(self, token: str, name: str = "PyPI") -> None:
        """Store a token in the keychain."""
        done = self.secretly("set", name, answers=[token] * 2)
        assert done.status == 0, done

    @property
    def ran(self) -> bool:
        """Whether the stand-in ran."""
        return (self.folder / "given").exists()

    @property
    def given(self) -> list[str]:
        """The tokens that the stand-in got; an error if it never ran."""
        lines = (self.folder / "given").read_text().splitlines()
        pairs = (line.partition("=") for line in lines)
        return [value for _, _, value in pairs if value.startswith("pypi-")]


@pytest.fixture(name="place")
def _place(started: tuple[Home, Warm]) -> Place:
    return Place(*started)


UPLOAD = ("twine", "upload", "dist/*")


def assert_refused(place: Place, outcome: Outcome, *said: str, asked: int = 0) -> None:
    """Check for status 125, an error and a hint, without a prompt or a run."""
    assert outcome.status == 125, outcome
    message, hint = outcome.stderr.splitlines()[-2:]
    assert message.startswith("secretly: ")
    assert hint.startswith("  ")
    for text in said:
        assert text in f"{message}\n{hint}"
    assert len(outcome.prompts) == asked
    assert not place.ran


# -- the index that made the token -----------------------------------------------

#: The settings that lead each tool to an index of its own name for it, ``mine``.
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


def settle(place: Place, name: str, url: str) -> tuple[str, list[str]]:
    """Write a tool's settings; return its name, and the arguments that use them."""
    path, text, arguments = SETTINGS[name]
    (place.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (place.folder / path).write_text(text.replace("{url}", url))
    return name.split()[0], arguments


@pytest.mark.parametrize("name", SETTINGS)
def test_a_token_goes_only_to_the_index_that_made_it(place: Place, name: str) -> None:
    """Wherever the tool's settings lead; the configuration may allow another index."""
    program, arguments = settle(place, name, "http://127.0.0.1:9/legacy/")
    place.program(program)
    place.keep(TOKEN, "mine")
    outcome = place.run(program, *arguments, answers=[True])
    assert_refused(place, outcome, "mine", "pypi.example", program, 'hosts = ["127.0.0.1')
    place.configure('[secrets.mine]\nhosts = ["127.0.0.1:9"]\n')
    outcome = place.run(program, *arguments, answers=[True])
    assert outcome.status == 0, outcome
    assert "to: 127.0.0.1:9 (mine)\n" in outcome.asked[0]
    assert len(place.given) == 1


@pytest.mark.real
@pytest.mark.parametrize("name", SETTINGS)
def test_the_real_tool_uses_the_index_that_secretly_found(place: Place, name: str) -> None:
    """Its own settings choose the index. secretly asks again for another index's token."""
    path = tool(name.split()[0])
    with tokens.warehouse() as index:
        skip_if_it_cannot(place.home, index, name, place.folder)
        _, arguments = settle(place, name, index.url)
        outcome = place.run(path, *arguments, answers=[TOKEN, index.token()])
        assert outcome.status == 0, outcome
        error = outcome.prompts[1]["SETERROR"].replace("\n", " ")
        assert all(part in error for part in ("mine", "pypi.example", index.host))
        assert [(u.project, u.status) for u in index.uploads] == [("demo", 200)]


@pytest.mark.parametrize("host", ["pypi.example", "upload.pypi.example", "pypi.example:8080"])
def test_the_index_and_its_upload_host_match(place: Place, host: str) -> None:
    """Port and case don't matter."""
    url = f"https://{host.upper()}/legacy/"
    outcome = place.run("twine", "upload", "--repository-url", url, FILE, answers=[TOKEN])
    assert outcome.status == 0, outcome
    assert f"to: {host}\n" in outcome.asked[0]


@pytest.mark.parametrize(
    "host", ["pypi.example.org", "xpypi.example", "x.pypi.example", "upload.upload.pypi.example"]
)
def test_a_similar_host_is_another_index(place: Place, host: str) -> None:
    """Neither a host that begins nor one that ends like the index matches."""
    place.keep(TOKEN, host)
    url = f"https://{host}/legacy/"
    outcome = place.run("twine", "upload", "--repository-url", url, FILE, answers=[True])
    assert_refused(place, outcome, "pypi.example", host)


def test_a_test_token_is_not_for_the_default_index(place: Place) -> None:
    """A token of the default index is not for the test index either."""
    place.keep(TEST_TOKEN)
    place.keep(TOKEN, "TestPyPI")
    outcome = place.run(*UPLOAD, answers=[True])
    assert_refused(place, outcome, "test.pypi.example", "PyPI")
    outcome = place.run("twine", "upload", "-rtestpypi", FILE, answers=[True])
    assert_refused(place, outcome, "pypi.example", "TestPyPI")
    place.keep(TEST_TOKEN, "TestPyPI")
    assert place.run("twine", "upload", "-rtestpypi", FILE, answers=[True]).status == 0


# -- what the token allows -------------------------------------------------------


def test_a_token_for_another_project_is_refused(place: Place) -> None:
    """The hint says how to store one for this project, which is then used."""
    place.keep(tokens.token("pypi.example", [1, ["other"]]))
    outcome = place.run(*UPLOAD, answers=[True])
    assert_refused(place, outcome, "secretly set PyPI/demo")
    place.keep(tokens.token("pypi.example", [1, ["demo"]]), "PyPI/demo")
    outcome = place.run(*UPLOAD, answers=[True])
    assert outcome.status == 0, outcome
    question = wording.confirm_use_text("PyPI/demo", wording.place("keychain"), "")
    assert outcome.asked[0].startswith(question)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [(0, 1000, ("expired", "\n  secretly set PyPI")), (2**40, 2**41, ("clock",))],
    ids=["ended", "not begun"],
)
def test_a_token_that_is_not_valid_now_is_refused(
    place: Place, start: int, end: int, said: tuple[str, ...]
) -> None:
    """One that has ended, or has not begun."""
    place.keep(tokens.token("pypi.example", [0, end, start]))
    assert_refused(place, place.run(*UPLOAD, answers=[True]), "for PyPI", *said)


def test_a_malformed_token_is_refused(place: Place) -> None:
    """It is never passed on, and no part of it is shown."""
    for wrong in ("pypi-canary-0123456789", TOKEN[:-3], TOKEN + "AAAA"):
        place.keep(wrong)
        outcome = place.run("-v", *UPLOAD, answers=[True])
        with pytest.raises(BadToken) as caught:
            token_scope(wrong)
        assert_refused(place, outcome, f"PyPI: {caught.value}")
        shown = outcome.stdout + outcome.stderr
        assert not any(wrong[at : at + 8] in shown for at in range(5, len(wrong) - 8))


def test_a_typed_token_is_inspected_too(place: Place) -> None:
    """The prompt says what is wrong, and asks again."""
    outcome = place.run(*UPLOAD, answers=[TEST_TOKEN, "pypi-canary-0123456789", TOKEN])
    assert outcome.status == 0, outcome
    errors = [prompt.get("SETERROR", "").replace("\n", " ") for prompt in outcome.prompts]
    assert errors[0] == ""
    assert errors[1] == (
        "The token for PyPI was made by test.pypi.example, and twine would send it to PyPI."
    )
    assert "the token is malformed" in errors[2]
    assert "canary" not in errors[2]


def test_three_wrong_tokens_end_the_run(place: Place) -> None:
    """The status is 125, and the error has the last objection."""
    outcome = place.run(*UPLOAD, answers=[TEST_TOKEN] * 3 + [TOKEN])
    assert_refused(place, outcome, "PyPI", "test.pypi.ex", asked=3)


# -- consent ---------------------------------------------------------------------


def whole(text: str) -> str:
    """A text without its line breaks and the marks of continued lines."""
    return re.sub(r"(?<=[^\n]{72})\n> ", "", text)


def described(place: Place, file: str = FILE) -> str:
    """The line about a file, if there is room for it."""
    data = (place.folder / file).read_bytes()
    return f"{file} ({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:12]})"


def test_the_prompt_shows_the_upload(place: Place) -> None:
    """The prompt for a token and the question before its use have the same text."""
    tokens.wheel(place.folder / "dist", version="1.0", name="demo-1.0-1-py3-none-any.whl")
    typed = place.run(*UPLOAD, answers=[TOKEN])
    assert typed.status == 0, typed
    assert typed.asked[0].splitlines() == [
        "upload: demo 1.0",
        "to: PyPI",
        wording.limits_line(1, 15, certain=True),
        f"program: {place.programs}/twine",
        "for: twine upload 'dist/*'",
        "",
        described(place, "dist/demo-1.0-1-py3-none-any.whl"),
        described(place),
    ]
    place.keep(TOKEN)
    stored = place.run(*UPLOAD, answers=[True])
    assert stored.status == 0, stored
    where = wording.place("keychain")
    assert stored.asked == [wording.confirm_use_text("PyPI", where, typed.asked[0])]


def test_a_program_is_shown_by_its_real_path(place: Place) -> None:
    """A link is shown with its target."""
    (place.programs / "twine").rename(place.programs / "real")
    (place.programs / "twine").symlink_to("real")
    outcome = place.run(*UPLOAD, answers=[TOKEN])
    lines = whole(outcome.asked[0]).splitlines()
    assert f"program: {place.programs}/twine -> {place.programs}/real" in lines


@pytest.mark.parametrize(
    ("flavor", "no", "yes"),
    [("gtk2", None, True), ("qt", False, True), ("curses", True, False), ("gnome3", "", "yes")],
)
def test_no_is_the_default(place: Place, flavor: str, no: Answer, yes: Answer) -> None:
    """Return and Escape mean No in every pinentry: status 130, and no command runs."""
    place.keep(TOKEN)
    for answer in (no, None):
        outcome = place.run(*UPLOAD, answers=[answer], flavor=flavor)
        assert outcome.status == 130, outcome
        assert len(outcome.prompts) == 1
        assert not place.ran
    assert place.run(*UPLOAD, answers=[yes], flavor=flavor).status == 0
    assert place.ran


@pytest.mark.parametrize(
    "arguments",
    [
        ("flit", "publish"),
        ("poetry", "publish", "--build"),
        ("pdm", "publish"),
        ("maturin", "publish"),
    ],
)
def test_a_tool_that_builds_first_shows_no_hashes(place: Place, arguments: Sequence[str]) -> None:
    """The files don't exist yet: the settings name the project; the token is valid an hour."""
    place.program(arguments[0])
    outcome = place.run(*arguments, answers=[TOKEN])
    assert outcome.status == 0, outcome
    lines = outcome.asked[0].splitlines()
    assert lines[0] == "upload: demo 1.0"
    assert "note: builds first; files not yet known" in lines
    assert "sha256" not in outcome.asked[0]
    assert ".whl" not in outcome.asked[0]
    (token,) = place.given
    found = tokens.limits(token)
    assert found.projects == ["demo"]
    assert found.expires is not None
    assert 3500 < found.expires - time.time() <= 3600


def test_many_files_are_summed_up(place: Place) -> None:
    """Their list goes to standard error, and its hash is in the dialog."""
    names = [f"dist/demo-1.0-{number}-py3-none-any.whl" for number in range(1, 41)]
    for name in names:
        tokens.wheel(place.folder / "dist", name=os.path.basename(name))
    (place.folder / FILE).unlink()
    place.keep(TOKEN)
    outcome = place.run(*UPLOAD, answers=[True])
    assert outcome.status == 0, outcome
    listing = re.findall(r"(?m)^[0-9a-f]{64}  .*\n", outcome.stderr)
    wanted = {name: (place.folder / name).read_bytes() for name in sorted(names)}
    # What sha256sum prints, and so can check.
    assert listing == [f"{hashlib.sha256(data).hexdigest()}  {n}\n" for n, data in wanted.items()]
    digest = hashlib.sha256("".join(listing).encode()).hexdigest()[:12]
    total = sum(map(len, wanted.values())) / 1000
    summary = f"40 files, {total:.1f} kB, sha256 of their list {digest}"
    assert outcome.asked[0].splitlines()[-1] == summary
    # Part of the question: -q does not take it away, where there is one.
    assert place.run("-q", *UPLOAD, answers=[True]).stderr == "".join(listing)
    assert place.run("-q", "--no-confirm", *UPLOAD).stderr == ""


def test_an_upload_that_does_not_fit_the_dialog_is_refused(place: Place) -> None:
    """A program's path is never cut, so a path of this length is refused."""
    folder = place.folder.joinpath(*(str(number) * 200 for number in range(6)))
    folder.mkdir(parents=True)
    (place.programs / "twine").rename(folder / "twine")
    place.keep(TOKEN)
    outcome = place.run(f"{folder}/twine", "upload", FILE, answers=[True])
    assert_refused(place, outcome)
    shorter = folder.parents[3]
    (folder / "twine").rename(shorter / "twine")
    outcome = place.run(f"{shorter}/twine", "upload", FILE, answers=[True])
    assert outcome.status == 0, outcome
    assert f"program: {shorter}/twine" in whole(outcome.asked[0]).splitlines()


@pytest.mark.parametrize(
    ("odd", "escape"),
    [("\x1b", r"\x1b"), ("\u202e", r"\u202e"), ("\n", r"\x0a"), ("\x9b", r"\x9b")],
)
def test_odd_characters_are_shown_as_escapes(place: Place, odd: str, escape: str) -> None:
    """In the name of a file or a folder: in the dialog, the list and the messages."""
    folder = place.folder / f"dist{odd}x"
    name = f"demo-1.0-py3-none-any{odd}.whl"
    tokens.wheel(folder, name=name)
    program = folder / "twine"
    (place.programs / "twine").rename(program)
    words = (os.fspath(program), "upload", f"{folder.name}/{name}")
    outcome = place.run(*words, answers=[TOKEN])
    assert outcome.status == 0, outcome
    lines = whole(outcome.asked[0]).split("\n")
    path = f"dist{escape}x/demo-1.0-py3-none-any{escape}.whl"
    heads = ["upload: ", "to: ", f"program: {place.folder}/dist{escape}x/twine", "for: ", "", path]
    assert all(line.startswith(head) for line, head in zip(lines, heads, strict=False))
    assert len(lines) - len(heads) in (0, 1)  # size and hash may have a line of their own
    assert odd not in "".join(lines)
    (folder / name).write_bytes(b"no wheel")
    outcome = place.run(*words, answers=[TOKEN])
    assert outcome.status == 125
    assert f"dist{escape}x/demo-1.0-py3-none-any{escape}.whl" in outcome.stderr
    for number in range(9):
        tokens.wheel(folder, name=f"demo-1.0-{number}{odd}-py3-none-any.whl")
    (folder / name).unlink()
    outcome = place.run(os.fspath(program), "upload", f"{folder.name}/*.whl", answers=[TOKEN])
    assert outcome.status == 0, outcome
    assert f"  dist{escape}x/demo-1.0-0{escape}-py3-none-any.whl\n" in outcome.stderr
    assert all(line.isprintable() for line in outcome.stderr.splitlines())
    assert len(re.findall(r"(?m)^[0-9a-f]{64}  .*whl$", outcome.stderr)) == 9


# -- without consent -------------------------------------------------------------


def test_consent_can_be_switched_off(place: Place) -> None:
    """By an option or in the configuration. -v says so."""
    place.keep(TOKEN)
    for options, configured, why in (
        (["--no-confirm"], "", "--no-confirm"),
        ([], "[secrets.PyPI]\nconfirm = false\n", "confirm = false in the configuration"),
    ):
        place.configure(configured)
        outcome = place.run(*options, *UPLOAD)
        assert (outcome.status, outcome.prompts) == (0, [])
        assert "confirm" not in outcome.stderr
        outcome = place.run("-v", *options, *UPLOAD)
        assert (outcome.status, outcome.prompts) == (0, [])
        assert f"secretly: TWINE_PASSWORD: not confirmed, by {why}\n" in outcome.stderr
    outcome = place.run("-v", "--confirm", *UPLOAD, answers=[True])
    assert (outcome.status, len(outcome.prompts)) == (0, 1)
    assert "not confirmed" not in outcome.stderr


def test_no_stored_secret_is_used_without_consent(place: Place) -> None:
    """The error says that consent is missing. --no-confirm waives it."""
    place.keep(TOKEN)
    outcome = place.run("--no-input", *UPLOAD, answers=[True])
    assert_refused(place, outcome, "PyPI", "confirm = false")
    assert place.run("--no-input", "--no-confirm", *UPLOAD).status == 0


def test_a_dry_run_shows_the_upload_and_asks_nothing(place: Place) -> None:
    """It shows files, index and token, and doesn't read the secret."""
    place.keep(TEST_TOKEN)
    outcome = place.run("--dry-run", *UPLOAD, answers=[True])
    assert (outcome.status, outcome.prompts, outcome.stderr) == (0, [], "")
    lines = outcome.stdout.splitlines()
    for line in ("upload: demo 1.0", "to: PyPI", described(place)):
        assert line in lines
    assert wording.limits_line(1, 15, certain=True) in lines
    assert not place.ran


# -- before anything is asked ----------------------------------------------------


def test_an_upload_without_files_asks_nothing(place: Place) -> None:
    """No file is named, exists, or can be uploaded."""
    (place.folder / "dist" / "notes.txt").write_text("notes")
    os.mkfifo(place.folder / "dist" / "pipe.whl")
    for words, said in (
        ([], ""),
        (["nothing/*"], "nothing/*"),
        (["dist/demo-2.0-py3-none-any.whl"], "dist/demo-2.0"),
        ([FILE, "dist/demo-2.0.tar.gz"], "dist/demo-2.0.tar.gz"),
        (["dist/*.txt"], ""),
        (["dist/pipe.whl"], "dist/pipe.whl"),
    ):
        outcome = place.run("twine", "upload", *words, answers=[TOKEN])
        assert_refused(place, outcome, said)


def test_a_removed_working_folder_is_an_error_of_two_lines(place: Place) -> None:
    """For every way to start secretly."""
    gone = place.folder / "gone"
    for start in (SECRETLY, [sys.executable, "-m", "secretly"]):
        gone.mkdir()
        script = 'cd gone && rmdir ../gone && exec "$@"'
        words = [*start, "run", "--dry-run", "twine", "upload", "x.whl"]
        done = place.home.run_any(["sh", "-c", script, "sh", *words])
        assert done.status == 125, done
        assert re.fullmatch(r"secretly: .*\n  \S.*\n", done.stderr)


def test_a_local_version_is_refused_for_pypi(place: Place) -> None:
    """PyPI would reject it after the upload. Other indexes accept it."""
    tokens.wheel(place.folder / "dist", version="1.0+local")
    outcome = place.run(*UPLOAD, answers=[TOKEN])
    assert_refused(place, outcome, "1.0+local")
    url = "https://pypi.example/legacy/"
    outcome = place.run("twine", "upload", "--repository-url", url, "dist/*", answers=[TOKEN])
    assert outcome.status == 0, outcome


def test_several_versions_are_noted(place: Place) -> None:
    """A development version is noted too: often the folder was not emptied."""
    tokens.wheel(place.folder / "dist", version="1.1.dev3")
    lines = place.run(*UPLOAD, answers=[TOKEN]).asked[0].splitlines()
    assert lines[0] == "upload: demo 1.0 and 1.1.dev3"
    assert "note: files of several versions" in lines
    assert "note: 1.1.dev3 is a development version" in lines
    (place.folder / "dist" / "demo-1.1.dev3-py3-none-any.whl").unlink()
    assert "note:" not in place.run(*UPLOAD, answers=[TOKEN]).asked[0]


def test_a_password_in_plain_text_is_warned_of(place: Place) -> None:
    """The line says how to fix it. -q hides it, and other indexes don't cause it."""
    path = place.folder / ".pypirc"
    path.write_text("[pypi]\nusername = __token__\npassword = canary-plain\n")
    outcome = place.run(*UPLOAD, answers=[TOKEN])
    assert outcome.status == 0, outcome
    warning = next(line for line in outcome.stderr.splitlines() if str(path) in line)
    for part in ("PyPI", "secretly set PyPI", "password", "[pypi]"):
        assert part in warning
    assert "canary" not in outcome.stderr
    assert place.run("-q", *UPLOAD, answers=[TOKEN]).stderr == ""
    outcome = place.run("twine", "upload", "-rtestpypi", FILE, answers=[TEST_TOKEN])
    assert (outcome.status, str(path) in outcome.stderr) == (0, False)


def test_the_variable_with_the_original_token_is_removed(place: Place) -> None:
    """The tool would have it next to the narrowed token."""
    place.configure('[secrets.PyPI]\nsource = "env://MINE"\nconfirm = false\n')
    done = place.home.run("run", *UPLOAD, environ={"MINE": TOKEN})
    assert done.status == 0, done
    (got,) = place.given
    assert got != TOKEN
    assert tokens.limits(got).projects == ["demo"]


@pytest.mark.parametrize("chosen", ["", "[commands.twine.secrets]\nTWINE_PASSWORD = 'PyPI'\n"])
def test_a_configuration_does_not_give_twine_the_stored_token(place: Place, chosen: str) -> None:
    """With ``publishes = false`` nothing is confirmed; the token is narrowed all the same."""
    place.keep(TOKEN)
    place.configure(f"[commands.twine]\npublishes = false\n{chosen}")
    for words in ((), ("-e", "TWINE_PASSWORD=PyPI")):
        outcome = place.run(*words, *UPLOAD)
        assert outcome.status == 0, outcome
        assert outcome.prompts == []
        (given,) = place.given
        assert given != TOKEN
        assert tokens.limits(given).projects == ["demo"]
        (place.folder / "given").unlink()


# -- the line about the token ----------------------------------------------------


def test_quiet_hides_the_line_about_the_token(place: Place) -> None:
    """The token is narrowed nevertheless."""
    outcome = place.run(*UPLOAD, answers=[TOKEN])
    said = wording.gets_token("twine", "demo", "TIME").partition("TIME")[0]
    assert outcome.stderr.startswith(f"secretly: {said}")
    outcome = place.run("-q", *UPLOAD, answers=[TOKEN])
    assert outcome.stderr == ""
    assert tokens.limits(place.given[0]).projects == ["demo"]


def test_the_line_says_if_the_project_is_not_known(place: Place) -> None:
    """secretly can't read an egg's metadata, and limits only the token's time."""
    (place.folder / "dist" / "demo-1.0-py3.11.egg").write_bytes(b"egg")
    outcome = place.run(*UPLOAD, answers=[TOKEN])
    assert outcome.status == 0, outcome
    before, after = wording.gets_token("twine", None, "TIME").split("TIME")
    assert outcome.stderr.startswith(f"secretly: {before}")
    assert outcome.stderr.endswith(f"{after}\n")
    assert "demo" not in outcome.stderr
    found = tokens.limits(place.given[0])
    assert found.projects is None
    assert found.expires is not None
    assert 800 < found.expires - time.time() <= 900


def test_a_token_without_an_end_can_be_configured(place: Place) -> None:
    """With ``expires = 0`` only the projects are limited."""
    place.configure("[commands.twine]\nexpires = 0\n")
    outcome = place.run(*UPLOAD, answers=[TOKEN])
    assert outcome.stderr == f"secretly: {wording.gets_token('twine', 'demo', '')}\n"
    found = tokens.limits(place.given[0])
    assert (found.projects, found.expires) == (["demo"], None)


def test_large_files_get_more_time(place: Place) -> None:
    """An upload at 1 MB/s takes at most half of the time."""
    place.configure('[commands.twine]\nexpires = "10s"\n')
    (place.folder / "dist" / "demo-1.0-py3.11.egg").write_bytes(bytes(50_000_000))
    place.run(*UPLOAD, answers=[TOKEN])
    expires = tokens.limits(place.given[0]).expires
    assert expires is not None
    assert 90 < expires - time.time() <= 101


# -- between consent and exec ----------------------------------------------------

# A pinentry that sources a file before it says yes: quick, as a hundred are wanted.
_SWAPPER = """#!/bin/sh
echo OK
while read -r verb rest; do
  case "$verb $rest" in
    "GETINFO flavor") printf 'D gtk2\\nOK\\n' ;;
    CONFIRM*) . "$HOME/swap"; echo asked >> "$HOME/asked"; echo OK ;;
    BYE*) echo OK; exit ;;
    *) echo OK ;;
  esac
done
"""

#: Changes of a file, as shell text: $F is the wheel, $O another one.
FILE_SWAPS = {
    "in place": 'cat "$O" > "$F"',
    "in place, with its time and size": (
        'cp -p "$F" "$HOME/before"; printf X | dd of="$F" bs=1 seek=10 conv=notrunc 2>"$HOME/dd"; '
        'touch -r "$HOME/before" "$F"; [ $(wc -c < "$F") = $(wc -c < "$HOME/before") ]'
    ),
    "by another": 'mv "$O" "$F"',
    "by its like": 'cp -p "$F" "$HOME/like"; mv "$HOME/like" "$F"',
    "removed": 'rm "$F"',
    "a new one": 'cp "$O" dist/demo-1.0-2-py3-none-any.whl',
}

#: Changes of the program: $P is a link to it, $R itself, $S another one.
PROGRAM_SWAPS = {
    "in place": 'echo : >> "$R"',
    "in place, with its time and size": (
        'cp -p "$R" "$HOME/before"; printf X | dd of="$R" bs=1 seek=12 conv=notrunc 2>"$HOME/dd"; '
        'touch -r "$HOME/before" "$R"'
    ),
    "by another": 'mv "$S" "$R"',
    "the link": 'ln -sfn "$S" "$P"',
    "the link by a program": 'rm "$P"; cp "$S" "$P"',
}


class Swaps:
    """A place in which something is swapped while the user confirms."""

    def __init__(self, place: Place) -> None:
        self.place, self.rounds = place, 0
        self.link, self.program = place.programs / "twine", place.programs / "real"
        self.other = place.folder / "other"
        place.keep(TOKEN)
        place.asking(place.program("pinentry-gtk-swap", _SWAPPER))

    def refused(self, swap: str) -> str:
        """Try one more swap; return the result of the confirmed run."""
        folder = self.place.folder
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
        done = self.place.with_same_pinentry("run", *UPLOAD)
        self.rounds += 1
        asked = (folder / "asked").read_text()
        assert asked == "asked\n" * self.rounds, done
        if done.status != 125:
            return f"{done}"
        assert "secretly: twine" not in done.stderr  # it got no token
        return done.stderr.splitlines()[-2]


@pytest.fixture(name="swaps")
def _swaps(place: Place) -> Swaps:
    return Swaps(place)


def test_a_file_that_is_swapped_meanwhile_is_refused(swaps: Swaps) -> None:
    """Ten times each way: 125, and the program did not run."""
    for _ in range(10):
        for name, swap in FILE_SWAPS.items():
            message = swaps.refused(swap)
            assert ".whl " in message, (name, message)
            assert not swaps.place.ran
    assert swaps.rounds == 10 * len(FILE_SWAPS) >= 50


def test_a_program_that_is_swapped_meanwhile_is_refused(swaps: Swaps) -> None:
    """Ten times each way: 125, and neither program ran."""
    for _ in range(10):
        for name, swap in PROGRAM_SWAPS.items():
            message = swaps.refused(swap)
            assert message.startswith(f"secretly: {swaps.link} "), (name, message)
            assert not swaps.place.ran
    assert swaps.rounds == 10 * len(PROGRAM_SWAPS) >= 50


def test_without_a_swap_the_command_runs(swaps: Swaps) -> None:
    """So the tests above fail because of the swap."""
    for swap in ("true", "echo > notes.txt", "touch later"):
        assert "status=0" in swaps.refused(swap)
    assert swaps.place.ran


def test_the_programs_content_is_compared(place: Place) -> None:
    """A publishing command's: times can be set back, and some disks have coarse ones."""
    program = place.programs / "twine"
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    argv = ["twine", "upload", f"{place.folder}/{FILE}"]
    with sandbox() as context:
        invocation = command_line.recognize(argv, context.configuration)
        upload = preparing.look_at_upload(invocation, context.environ)
        assert upload is not None
        given = planning.PlanInput(
            str(program),
            argv,
            SecretRequest(Reference("", "")),
            invocation=invocation,
            destination=upload.destination,
            upload=upload,
        )
        prepared = preparing.prepare(planning.plan_delivery(given), given, context)
    assert prepared.launch.fingerprint is not None
    assert prepared.launch.fingerprint[-1] == digest


def test_settings_that_are_swapped_meanwhile_are_refused(place: Place) -> None:
    """The upload would go to another index than was shown."""
    settle(place, "twine", "https://pypi.example/legacy/")
    place.keep(TOKEN, "mine")
    (place.folder / "swap").write_text("sed -i s/pypi.example/example.org/ .pypirc")
    place.asking(place.program("pinentry-gtk-swap", _SWAPPER))
    done = place.with_same_pinentry("run", "twine", "upload", "-rmine", FILE)
    assert done.status == 125, done
    assert "example.org" in done.stderr
    assert not place.ran
