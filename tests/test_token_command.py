"""Test ``secretly token``, which shows what a token allows and makes weaker tokens."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import tokens
from command import Ended, Home, Warm, home, quick
from tokens import KEY, TOKEN, token

from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.publishing import pypi_token
from secretly.publishing.pypi_token import token_scope
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

DEMO = token("pypi.example", [1, ["demo"]], identifier="canary-of-demo")
TWO = token("pypi.example", [1, ["demo", "my-proj-1"]])
ENDED = token("pypi.example", [0, 1_000_000_000, 0])

#: Malformed tokens, by the environment variable that holds them.
MALFORMED = {
    "EMPTY": "pypi-",
    "CUT": TOKEN[:-9],
    "CUT_IN_ITS_NAME": TOKEN[:30],
    "LONGER": f"{TOKEN}AAAA",
    "TWICE": TOKEN + TOKEN,
    "QUOTED": f"'{TOKEN}'",
    "WITH_A_LINE_FEED": f"{TOKEN[:40]}\n{TOKEN[40:]}",
    "WITH_AN_ESCAPE": f"{TOKEN[:40]}\x1b[2J{TOKEN[40:]}",
    "NOT_ASCII": f"{TOKEN[:40]}é{TOKEN[41:]}",
    "OF_ANOTHER_KIND": "ghp_canary0123456789",
    "WITHOUT_PREFIX": TOKEN.removeprefix("pypi-"),
    "PASSWORD": "canary-password",
    "NOT_BASE64": "pypi-canary-0123456789",
}


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as new_home:
        yield new_home


@pytest.fixture(scope="module", name="warm")
def _warm() -> Iterator[Warm]:
    """Start the command with tokens in environment variables, and without a way to prompt."""
    with home() as new_home:
        environ = {
            **MALFORMED,
            "WHOLE": TOKEN,
            "DEMO": DEMO,
            "TWO": TWO,
            "ENDED": ENDED,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        with Warm(new_home, environ) as warm:
            yield warm


@pytest.fixture(scope="module")
def pypitoken() -> Any:
    """Return pypitoken, which checks tokens as PyPI does."""
    return tokens.need_pypitoken()


def good(pypitoken: Any, text: str, project: str, now: float) -> bool:
    """Return whether pypitoken accepts a token for an upload to this project at this time."""
    try:
        pypitoken.Token.load(text).check(KEY, project_name=project, now=int(now))
    except pypitoken.PyPITokenException:
        return False
    return True


def assert_nothing_of(text: str, done: Ended) -> None:
    """Check that the output contains no part of *text*."""
    body = text.removeprefix("pypi-")
    both = done.stdout + done.stderr
    assert "canary" not in both
    assert not any(body[at : at + 8] in both for at in range(max(len(body) - 7, 0)))


def assert_fails(done: Ended, status: int) -> None:
    """Check for *status*, and for an error and a hint on standard error."""
    assert (done.status, done.stdout) == (status, ""), done
    assert re.fullmatch(r"secretly: \S[^\n]*\n  \S[^\n]*\n", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.replace("\n", "").isprintable()


def narrow(home: Home, *options: str, of: str = TOKEN) -> str:
    """Return the token that ``secretly token narrow`` prints."""
    done = home.run("token", "narrow", "env://T", *options, environ={"T": of})
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.endswith("\n")
    assert done.stdout.count("\n") == 1
    return done.stdout.removesuffix("\n")


def moment(seconds: int) -> str:
    """Format a time as secretly does on any other day."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


# -- show ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            TOKEN,
            [
                "index: pypi.example",
                "projects: not limited by the token itself; the index may know more",
                "expires: not limited by the token itself; the index may know more",
            ],
        ),
        (
            DEMO,
            [
                "index: pypi.example",
                "projects: demo",
                "expires: not limited by the token itself; the index may know more",
            ],
        ),
        (
            token("test.pypi.example", {"version": 1, "permissions": {"projects": ["b", "a"]}}),
            [
                "index: test.pypi.example",
                "projects: a, b",
                "expires: not limited by the token itself; the index may know more",
            ],
        ),
        (
            token("pypi.example", [0, 4_000_000_000, 1_000_000_000], [3, "canary-user"]),
            [
                "index: pypi.example",
                "projects: not limited by the token itself; the index may know more",
                f"good from: {moment(1_000_000_000)}",
                f"expires: {moment(4_000_000_000)}",
                "further restrictions, which only the index can judge: 1",
            ],
        ),
        (
            ENDED,
            [
                "index: pypi.example",
                "projects: not limited by the token itself; the index may know more",
                f"good from: {moment(0)}",
                f"expires: {moment(1_000_000_000)}",
            ],
        ),
    ],
    ids=["whole", "demo", "2019", "times", "ended"],
)
def test_show_says_what_a_token_allows(home: Home, text: str, lines: list[str]) -> None:
    """The output has the index, the projects and the expiry, but no part of the token."""
    done = home.run("token", "show", "env://T", environ={"T": text})
    said = "secretly: this token has expired\n" if text == ENDED else ""
    assert done == Ended(0, "".join(f"{line}\n" for line in lines), said)
    assert_nothing_of(text, done)


def test_the_token_may_come_from_any_source(home: Home) -> None:
    """A token from any source works: keychain, file, variable or configuration."""
    home.keep_in_a_file()
    home.configure(home.config.read_text() + '[secrets.Mine]\nsource = "env://T"\n')
    assert home.run("set", "PyPI", "--stdin", stdin=f"{DEMO}\n").status == 0
    path = home.folder / "token"
    path.write_text(f"{DEMO}\n")
    path.chmod(0o600)
    expected = Ended(
        0,
        f"index: pypi.example\nprojects: demo\nexpires: {pypi_token.NOT_LIMITED}\n",
        "",
    )
    for reference in ("PyPI", "Mine", "env://T", f"file://{path}"):
        assert home.run("token", "show", reference, environ={"T": DEMO}) == expected
        done = home.run("token", "narrow", reference, environ={"T": DEMO})
        assert (done.status, done.stderr) == (0, "")
        assert token_scope(done.stdout.strip()).projects == {"demo"}


def test_odd_characters_in_a_name_are_escaped(home: Home) -> None:
    """A stranger's token can't send escape sequences to the user's terminal."""
    odd = token(
        "pypi.example",
        [
            1,
            [
                "\x1b[2J\u202e",
                "a\nexpires: not limited by the token itself; the index may know more",
            ],
        ],
    )
    done = home.run("token", "show", "env://T", environ={"T": odd})
    assert done.status == 0
    assert done.stdout.count("\n") == 3
    assert all(line.isprintable() for line in done.stdout.splitlines())


# -- narrow ----------------------------------------------------------------------


def test_a_narrowed_token_is_valid_only_for_the_project_and_the_time(
    home: Home, pypitoken: Any
) -> None:
    """pypitoken accepts a narrowed token only for the named project, until the expiry."""
    before = time.time()
    narrowed = narrow(home, "--project", "demo", "--expires", "15m")
    after = time.time()
    assert good(pypitoken, narrowed, "demo", after)
    assert good(pypitoken, narrowed, "demo", before + 899)
    assert good(pypitoken, narrowed, "demo", after - 60)  # for an index with a slow clock
    assert not good(pypitoken, narrowed, "demo", before - 62)
    assert not good(pypitoken, narrowed, "demo", after + 900)
    assert not good(pypitoken, narrowed, "other", after)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [([], 900), (["--expires", "30s"], 30), (["--expires=2h"], 7200)],
    ids=["default", "30s", "2h"],
)
def test_the_narrowed_token_ends_when_the_option_says(
    home: Home, options: list[str], seconds: int
) -> None:
    """A narrowed token lasts for 15 minutes, or for as long as ``--expires`` says."""
    before = int(time.time())
    scope = token_scope(narrow(home, "--project", "demo", *options))
    after = int(time.time())
    assert scope.expires is not None
    assert scope.not_before is not None
    assert before <= scope.expires - seconds <= after
    assert before <= scope.not_before + 60 <= after


def test_a_narrowed_token_does_not_reveal_the_original(home: Home) -> None:
    """The output lacks the original signature, so the restrictions can't be removed."""
    narrowed = narrow(home, "--project", "demo")
    assert narrowed != TOKEN
    assert tokens.KEY not in narrowed
    assert TOKEN[-40:] not in narrowed


@pytest.mark.parametrize("name", ["My.Proj_1", "my-proj-1", "MY--.__PROJ-1"])
def test_a_projects_name_is_normalized(home: Home, pypitoken: Any, name: str) -> None:
    """An index compares normalized names, so the token must contain the normalized name."""
    narrowed = narrow(home, "--project", name)
    assert token_scope(narrowed).projects == {"my-proj-1"}
    assert good(pypitoken, narrowed, "my-proj-1", time.time())
    assert token_scope(narrow(home, "--project", name, of=TWO)).projects == {"my-proj-1"}


def test_project_may_be_given_several_times(home: Home, pypitoken: Any) -> None:
    """A narrowed token is valid for every project that ``--project`` names, and no other."""
    narrowed = narrow(home, "--project", "a", "--project", "B", "--project", "a")
    assert token_scope(narrowed).projects == {"a", "b"}
    now = time.time()
    accepted = [name for name in ("a", "b", "c") if good(pypitoken, narrowed, name, now)]
    assert accepted == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "projects"), [(TOKEN, None), (TWO, {"demo", "my-proj-1"})], ids=["whole", "two"]
)
def test_without_a_project_the_projects_stay_the_same(
    home: Home, text: str, projects: set[str] | None
) -> None:
    """Without ``--project``, narrowing only adds an expiry."""
    scope = token_scope(narrow(home, of=text))
    assert scope.projects == projects
    assert scope.expires is not None


def test_an_earlier_expiry_is_kept(home: Home) -> None:
    """Narrowing to two hours can't extend a token that expires in a minute."""
    end = int(time.time()) + 60
    short = token("pypi.example", [0, end, 0])
    assert token_scope(narrow(home, "--expires", "2h", of=short)).expires == end


def test_n_omits_the_newline(home: Home) -> None:
    """``-n`` suits programs that would read a newline as part of the token."""
    done = home.run("token", "narrow", "env://T", "-n", environ={"T": TOKEN})
    assert (done.status, done.stderr) == (0, "")
    assert re.fullmatch(r"pypi-[A-Za-z0-9_-]+", done.stdout)


# -- errors ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "project"),
    [
        (["env://DEMO", "--project", "other"], "other"),
        (["env://DEMO", "--project", "demo", "--project", "Oth.er"], "oth-er"),
        (["env://TWO", "--project", "my-proj"], "my-proj"),
    ],
)
def test_a_project_that_the_token_lacks_is_refused(
    warm: Warm, options: list[str], project: str
) -> None:
    """The error names the project, so the user learns of the mistake before an upload."""
    done = warm.run("token", "narrow", *options)
    assert_fails(done, 1)
    assert re.search(rf"\b{project}\n", done.stderr)
    assert_nothing_of(DEMO, done)
    assert_nothing_of(TWO, done)


def test_an_expired_token_is_refused(warm: Warm) -> None:
    """Narrowing can't renew an expired token, but ``token show`` still describes that token."""
    done = warm.run("token", "narrow", "env://ENDED", "--project", "demo")
    assert_fails(done, 1)
    assert "expired" in done.stderr
    assert "ENDED" in done.stderr
    assert_nothing_of(ENDED, done)
    assert warm.run("token", "show", "env://ENDED").status == 0


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize(
    "verb", [["show"], ["narrow"], ["narrow", "--project", "demo"]], ids=" ".join
)
def test_a_malformed_token_is_refused_and_not_repeated(
    warm: Warm, verb: list[str], kind: str
) -> None:
    """The error says what is wrong and has a hint, but no traceback and no part of the token."""
    done = warm.run("token", *verb, f"env://{kind}")
    assert_fails(done, 1)
    assert "token" in done.stderr
    assert_nothing_of(MALFORMED[kind], done)


@pytest.mark.parametrize("verb", ["show", "narrow"])
def test_a_missing_token_is_an_error_without_a_prompt(home: Home, verb: str) -> None:
    """``secretly token`` never asks for a token. The error names the missing secret."""
    home.keep_in_a_file()
    with FakePinentry([TOKEN]) as fake:
        for reference, words in (
            ("PyPI", "PyPI"),
            ("PyPI/demo", "PyPI/demo"),
            ("env://NOT_SET", "NOT_SET"),
            ("file:///nonexistent/token", "/nonexistent/token"),
        ):
            done = home.run("token", verb, reference, environ=fake.environ)
            assert_fails(done, 1)
            assert words in done.stderr
        assert fake.prompts == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["token"],
        ["token", "shows", "PyPI"],
        ["token", "show"],
        ["token", "show", "PyPI", "PyPI/demo"],
        ["token", "show", "PyPI", "--project", "demo"],
        ["token", "show", "-n", "PyPI"],
        ["token", "show", ""],
        ["token", "narrow"],
        ["token", "narrow", "--project", "demo"],
        ["token", "narrow", "env://WHOLE", "--project"],
        ["token", "narrow", "env://WHOLE", "--proj", "demo"],
        ["token", "narrow", "env://WHOLE", "--expires"],
        *(["token", "narrow", "env://WHOLE", "--expires", e] for e in ("0", "0s", "15", "", "1d")),
        *(
            ["token", "narrow", "env://WHOLE", f"--project={name}"]
            for name in ("", "-", "a b", "demo,other", "../demo", "demo==1.0", "dämo", "demo\n")
        ),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_status_2(warm: Warm, arguments: list[str]) -> None:
    """Wrong usage is an error with a hint, and prints nothing on standard output."""
    assert_fails(warm.run(*arguments), 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["token", "show", TOKEN],
        ["token", "narrow", TOKEN],
        ["token", TOKEN],
        ["token", "show", "PyPI", TOKEN],
        ["token", "narrow", "env://WHOLE", "--expires", TOKEN],
        ["token", "narrow", "env://WHOLE", "--project", f"{TOKEN}!"],
    ],
    ids=["show", "narrow", "verb", "too many", "time", "project"],
)
def test_a_token_in_a_wrong_place_is_not_repeated(warm: Warm, arguments: list[str]) -> None:
    """If the user types a token in place of a reference or an option, no error shows the token."""
    done = warm.run(*arguments)
    assert_fails(done, 2)
    assert_nothing_of(TOKEN, done)


@pytest.mark.parametrize(
    ("verb", "example"),
    [
        ([], "secretly token show PyPI"),
        (["show"], "secretly token show PyPI"),
        (["narrow"], "secretly token narrow PyPI --project demo --expires 15m"),
    ],
    ids=["token", "show", "narrow"],
)
def test_every_help_has_an_example(warm: Warm, verb: list[str], example: str) -> None:
    """Each help text has an example, and ``narrow --help`` lists every option."""
    done = warm.run("token", *verb, "--help")
    assert (done.status, done.stderr) == (0, "")
    assert re.search(rf"examples?:\n(  .*\n)*  {example}\n", done.stdout)
    if verb == ["narrow"]:
        assert all(f" {name} " in done.stdout for name in ("--project", "--expires", "-n"))


# -- confirmation ----------------------------------------------------------------


@pytest.fixture
def confirmed(home: Home) -> Home:
    """Return a home with a stored token that the user must confirm for each use."""
    home.keep_in_a_file()
    home.configure(home.config.read_text() + "[secrets.PyPI]\nconfirm = true\n")
    assert home.run("set", "PyPI", "--stdin", stdin=TOKEN).status == 0
    return home


def test_narrow_asks_to_confirm(confirmed: Home) -> None:
    """The user confirms each narrowing and sees the command. After No, nothing is printed."""
    with FakePinentry([True, False, None]) as fake:
        done = confirmed.run("token", "narrow", "PyPI", environ=fake.environ)
        assert (done.status, done.stderr) == (0, "")
        assert token_scope(done.stdout.strip()).expires is not None
        for _ in range(2):
            assert_fails(confirmed.run("token", "narrow", "PyPI", environ=fake.environ), 130)
        shown = [unescape(prompt["SETDESC"].encode()).decode() for prompt in fake.prompts]
    assert len(shown) == 3
    question = wording.confirm_use_text("PyPI", wording.place("keychain"), "")
    assert shown[0].startswith(question)
    assert "secretly token narrow" in shown[0]
    assert_nothing_of(TOKEN, Ended(0, shown[0], ""))


def test_narrow_is_refused_if_it_cannot_ask_to_confirm(confirmed: Home) -> None:
    """``confirm = true`` covers stored tokens and tokens from a configured source."""
    done = confirmed.run("token", "narrow", "PyPI", environ={"SECRETLY_NO_INPUT": "1"})
    assert_fails(done, 1)
    assert "confirm = false" in done.stderr
    assert_fails(confirmed.run("token", "narrow", "PyPI"), 1)  # no pinentry is installed
    confirmed.configure('[secrets.PyPI]\nconfirm = true\nsource = "env://T"\n')
    done = confirmed.run("token", "narrow", "PyPI", environ={"SECRETLY_NO_INPUT": "1", "T": TOKEN})
    assert_fails(done, 1)
    assert "confirm = false" in done.stderr


def test_show_does_not_ask_to_confirm(confirmed: Home) -> None:
    """``token show`` prints no secret, so the user need not confirm."""
    with FakePinentry([False]) as fake:
        for environ in (fake.environ, {"SECRETLY_NO_INPUT": "1"}):
            done = confirmed.run("token", "show", "PyPI", environ=environ)
            assert (done.status, done.stderr) == (0, "")
            assert done.stdout.startswith("index: pypi.example\n")
        assert fake.prompts == []
