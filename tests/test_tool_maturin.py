"""How secretly reads a call of maturin: its index, its user name, and how it is held to them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import fewer
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from toolcalls import known_fixture

from secretly.config.command_line import recognize
from secretly.config.model import Configuration
from secretly.errors import Refused
from secretly.publishing.destination import Destination
from secretly.publishing.parsers import ini
from secretly.publishing.steering import check_variables
from secretly.publishing.tools.maturin import Maturin

__all__ = ["known_fixture"]

URL = "https://packages.example.org:8443/upload/"
HOST = "packages.example.org:8443"
#: What may be maturin's own URL.
LEGACY = "https://upload.pypi.example/legacy/"

RC = f"""
[corp]
repository = {URL}
username = rc
[whole]
repository: {URL} ; the company's
USERNAME=rc
password=canary-file
"""
PYPI_WHOLE = "[pypi]\nusername = {}\npassword = canary-file\n"


class Case(NamedTuple):
    """A project's folder, which is the working folder, and a home."""

    home: Path
    shipped: Configuration

    def call(
        self,
        line: str,
        environ: Mapping[str, str] | None = None,
        pypirc: str = "",
        locations: Mapping[str, str] | None = None,
    ) -> Maturin:
        """Return secretly's look at a call, with this ``.pypirc``."""
        if pypirc:
            (self.home / ".pypirc").write_text(pypirc)
        invocation = recognize(shlex.split(line), self.shipped)
        assert invocation is not None
        found = {"HOME": str(self.home), **(environ or {})}
        return Maturin(invocation, found, locations=locations or {})


@pytest.fixture(name="case")
def _case(tmp_path: Path, known: Configuration, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.chdir(tmp_path)
    return Case(tmp_path, known)


# -- the index and the user name -------------------------------------------------

PYPI = Destination("pypi", "PyPI")
BY_URL = Destination("", HOST, URL)
BY_NAME = Destination("corp", "corp", URL)

#: A command line, its variables, the ``.pypirc``, and the destination.
FOUND: list[tuple[str, Mapping[str, str], str, Destination]] = [
    ("maturin upload x", {}, "", PYPI),
    ("maturin publish", {}, "", PYPI),
    ("maturin upload -r testpypi x", {}, "", Destination("testpypi", "TestPyPI")),
    ("maturin -v upload -vrtestpypi x", {}, "", Destination("testpypi", "TestPyPI")),
    ("maturin upload x", {"MATURIN_REPOSITORY": "testpypi"}, "", ("testpypi", "TestPyPI")),
    ("maturin upload -r=corp x", {}, RC, BY_NAME),
    ("maturin upload -r CORP x", {}, RC, BY_NAME._replace(repository="CORP", secret="CORP")),
    ("maturin upload x", {"MATURIN_REPOSITORY": "corp"}, RC, BY_NAME),
    (f"maturin upload --repository-url={URL} x", {}, "", BY_URL),
    ("maturin upload x", {"MATURIN_REPOSITORY_URL": URL}, "", BY_URL),
    (f"maturin upload -r corp --repository-url {URL} x", {}, RC, BY_URL),
    ("maturin upload --repository-url https://no.example/ -r corp x", {}, RC, BY_NAME),
    ("maturin upload x", {}, RC.replace("corp", "PyPI"), ("pypi", HOST, URL)),
    ("maturin upload x", {}, f"[pypi]\nrepository = {LEGACY}\n", ("pypi", "PyPI", LEGACY)),
    ("maturin upload x", {}, f"repository = {URL}\n", PYPI),
    ("maturin upload x", {}, f"[DEFAULT]\nrepository = {URL}\n", PYPI),
    ("maturin upload x", {}, "[pypi]\nrepository\n", PYPI),
    ("maturin publish -r corp -i python3 -F x --no-sdist -- -C x", {}, RC, BY_NAME),
    # Who it is.
    ("maturin upload -u ada x", {}, "", PYPI._replace(username="ada")),
    ("maturin upload -vuada x", {}, "", PYPI._replace(username="ada")),
    ("maturin upload -u= x", {}, "", PYPI._replace(username="")),
    ("maturin upload x", {"MATURIN_USERNAME": ""}, "", PYPI._replace(username="")),
    ("maturin upload -u ada x", {"MATURIN_USERNAME": "bob"}, "", PYPI._replace(username="ada")),
    (
        "maturin upload -u ada x",
        {"MATURIN_PYPI_TOKEN": ""},  # the plan removes it
        "",
        PYPI._replace(username="ada"),
    ),
    ("maturin upload -r corp x", {"MATURIN_USERNAME": "ada"}, RC, BY_NAME._replace(username="ada")),
    (
        "maturin upload -r whole -u ada x",
        {},
        RC,
        Destination("whole", "whole", URL, "rc"),
    ),
    (
        "maturin upload -r whole x",
        {"MATURIN_PYPI_TOKEN": "canary-1"},
        RC,
        Destination("whole", "whole", URL, "__token__"),
    ),
    (f"maturin upload --repository-url https://ada@{HOST}/upload/ x", {}, RC, BY_URL),
    (
        "maturin upload --repository-url https://one.example/legacy/ -u ada x",
        {},
        PYPI_WHOLE.format("rc"),
        Destination("", "one.example", "https://one.example/legacy/", "ada"),
    ),
]


@pytest.mark.parametrize(("line", "environ", "pypirc", "wanted"), FOUND)
def test_the_destination_is_the_one_that_maturin_finds(
    case: Case, line: str, environ: Mapping[str, str], pypirc: str, wanted: Destination
) -> None:
    """The index, the secret that belongs to it, and the user name that maturin would send."""
    found = case.call(line, environ, pypirc).destination
    assert found == (wanted if isinstance(wanted, Destination) else Destination(*wanted))


@pytest.mark.parametrize(
    ("url", "secret", "section"),
    [
        (LEGACY, "PyPI", "pypi"),
        (LEGACY.replace("upload.", "test."), "TestPyPI", "testpypi"),
    ],
)
def test_a_stored_token_says_which_index_it_is_for(
    case: Case, url: str, secret: str, section: str
) -> None:
    """PyPI by its own URL is PyPI. There maturin takes a password from ``.pypirc`` too."""
    at = {"pypi.example": "PyPI", "test.pypi.example": "TestPyPI"}
    line = f"maturin upload --repository-url {url} -u ada x"
    assert case.call(line, locations=at).destination == Destination("", secret, url, "ada")
    whole = PYPI_WHOLE.format("rc").replace("pypi", section)
    assert case.call(line, {}, whole, at).destination == Destination("", secret, url, "rc")
    with pytest.raises(Refused, match="may send") as caught:
        _ = case.call(line, {}, whole).destination
    assert f"--repository {section}" in caught.value.hint
    # Without the stored token it may be another index, for which maturin sends what is typed.
    token = PYPI_WHOLE.format("__token__").replace("pypi", section)
    assert case.call(line, {}, token).destination.username == "ada"
    with pytest.raises(Refused, match="would send"):
        case.call(line, {}, token).pin()


# -- what is refused ---------------------------------------------------------------

REFUSED: list[tuple[str, Mapping[str, str], str, str]] = [
    ("maturin upload --repo corp x", {}, RC, "--repo"),
    ("maturin upload --newest x", {}, "", "--newest"),
    ("maturin upload -i python3 x", {}, "", "-i"),
    ("maturin -r corp upload x", {}, RC, "-r"),
    ("maturin -- upload x", {}, "", "--"),
    ("maturin upload -r corp -r corp x", {}, RC, "--repository"),
    ("maturin upload x -u", {}, "", "-u"),
    ("maturin upload --skip-existing=true x", {}, "", "takes no value: --skip-existing"),
    ("maturin upload -r missing x", {}, RC, "missing"),
    ("maturin upload -r= x", {}, RC, "''"),
    ("maturin upload x", {"MATURIN_REPOSITORY": ""}, RC, "''"),
    ("maturin upload x", {"MATURIN_REPOSITORY_URL": ""}, RC, "no host"),
    ("maturin upload --repository-url= x", {}, RC, "no host"),
    ("maturin upload -r corp x", {"MATURIN_REPOSITORY_URL": ""}, RC, "MATURIN_REPOSITORY_URL"),
    (f"maturin upload --repository-url {URL} x", {"MATURIN_REPOSITORY": "x"}, "", "MATURIN_REP"),
    (
        "maturin upload x",
        {"MATURIN_REPOSITORY": "corp", "MATURIN_REPOSITORY_URL": URL},
        RC,
        "MATURIN_REP",
    ),
    ("maturin upload x", {}, "[pypi]\nrepository =\n", "no host"),
    ("maturin upload x", {}, f"[pypi]\nrepository =\n  {URL}\n", "no host"),
    ("maturin upload x", {}, f"[pypi]\nrepository = '{URL}'\n", "no host"),
    ("maturin upload x", {}, RC + "[unclosed\n", ".pypirc"),
    ("maturin upload x", {}, RC + "= x\n", ".pypirc"),
]


@pytest.mark.parametrize(("line", "environ", "pypirc", "word"), REFUSED)
def test_what_secretly_cant_know_is_refused(
    case: Case, line: str, environ: Mapping[str, str], pypirc: str, word: str
) -> None:
    """The error names the word or the variable, and says what to do."""
    with pytest.raises(Refused) as caught:
        _ = case.call(line, environ, pypirc).destination
    assert word in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["MATURIN_CA_BUNDLE", "MATURIN_NEW", "HOME", "RUSTC_WRAPPER"])
def test_an_env_file_may_only_name_the_index(case: Case, name: str) -> None:
    """Any other variable of maturin's that isn't known as harmless is refused there."""
    call = case.call("maturin upload x", {name: "x"})
    call.origins = dict.fromkeys(("MATURIN_REPOSITORY_URL", "MATURIN_NON_INTERACTIVE"), "x")
    check_variables(call)
    call.origins = {name: "an env file"}
    with pytest.raises(Refused, match=name):
        check_variables(call)


# -- whether a secret is needed ----------------------------------------------------

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://id.example/",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-1",
}


@pytest.mark.parametrize(
    ("line", "environ", "why"),
    [
        ("maturin upload x", {}, ""),
        ("maturin upload -h", {}, "--help"),
        ("maturin -V upload", {}, "--version"),
    ],
)
def test_a_call_that_sends_nothing_needs_no_secret(
    case: Case, line: str, environ: Mapping[str, str], why: str
) -> None:
    """Nor does one for help."""
    found = case.call(line, environ).why_needs_none()
    assert found.startswith(why) if why else not found


@pytest.mark.parametrize(
    ("line", "environ", "used"),
    [
        ("maturin upload x", GITHUB, True),
        ("maturin upload -u ada x", GITHUB, True),
        ("maturin upload x", {**GITHUB, "MATURIN_PYPI_TOKEN": "canary-1"}, False),
        ("maturin upload x", {"GITHUB_ACTIONS": "true"}, False),
    ],
)
def test_maturin_uses_githubs_identity(
    case: Case, line: str, environ: Mapping[str, str], used: bool
) -> None:
    """Whatever the options give. The pin takes the identity away, for a stored secret."""
    call = case.call(line, environ)
    assert bool(call.identity()) is used
    assert call.why_needs_none() == ""
    again = {name: value for name, value in environ.items() if name not in call.pin().removes}
    assert case.call(line, again).identity() == ""


def test_the_password_may_be_given_as_an_option(case: Case) -> None:
    """A password in the index's URL isn't one: maturin doesn't send it."""
    assert case.call("maturin upload -vp=canary-1 x").given_by() == "--password"
    assert case.call("maturin upload --repository-url https://a:canary-1@b/ x").given_by() == ""


# -- the pin -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "environ", "pypirc", "arguments"),
    [
        ("maturin upload x", {}, "", "upload x --repository=pypi"),
        ("maturin upload -vrtestpypi x", {}, "", "upload -v x --repository=testpypi"),
        (
            "maturin upload x",
            {"MATURIN_REPOSITORY": "testpypi"},
            "",
            "upload x --repository=testpypi",
        ),
        ("maturin upload -r corp -- -x", {}, RC, f"upload --repository-url={URL} -- -x"),
        (
            f"maturin upload --repository-url https://ada:canary-1@{HOST}/upload/ x",
            {},
            "",
            f"upload x --repository-url={URL}",
        ),
        ("maturin upload -r whole -vu bob x", {}, RC, f"upload -v x --repository-url={URL}"),
        ("maturin upload -r corp -u bob x", {}, RC, f"upload -u bob x --repository-url={URL}"),
        ("maturin publish -- -C x", {}, "", "publish --repository=pypi -- -C x"),
    ],
)
def test_the_call_is_pinned(
    case: Case, line: str, environ: Mapping[str, str], pypirc: str, arguments: str
) -> None:
    """The index is the last option, and a user name that doesn't count is left out."""
    pin = case.call(line, environ, pypirc).pin()
    assert shlex.join(pin.arguments) == arguments
    assert {"MATURIN_REPOSITORY", "MATURIN_REPOSITORY_URL"} <= {*pin.removes}
    assert "ACTIONS_ID_TOKEN_REQUEST_TOKEN" in pin.removes


@pytest.mark.parametrize(
    "line", ["maturin upload x", f"maturin upload --repository-url {LEGACY} x"]
)
def test_a_password_in_pypirc_is_beaten_or_refused(case: Case, line: str) -> None:
    """For maturin's own index it beats all variables but one, which has no user name."""
    at = {"pypi.example": "PyPI"}
    call = case.call(line, {}, PYPI_WHOLE.format("__token__"), at)
    assert call.variable("MATURIN_PASSWORD") == "MATURIN_PYPI_TOKEN"
    assert call.variable("MATURIN_USERNAME") == "MATURIN_USERNAME"
    assert call.pin()
    with pytest.raises(Refused, match=r"\.pypirc") as caught:
        case.call(line, {}, PYPI_WHOLE.format("ada"), at).pin()
    odd = f"maturin upload -u ada --repository-url {LEGACY.replace('//', '//x@')} x"
    with pytest.raises(Refused, match=r"\.pypirc"):
        case.call(odd, {}, PYPI_WHOLE.format("__token__"), at).pin()
    assert "secretly set" in caught.value.hint
    (case.home / ".pypirc").unlink()
    assert case.call(line).variable("MATURIN_PASSWORD") == "MATURIN_PASSWORD"


@fewer([HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["-r corp", "-rcorp", "-vr corp", f"--repository-url {URL}", "-r whole"]),
    st.lists(st.sampled_from(["-v", "--skip-existing", "-vu bob", "y"]), max_size=2, unique=True),
    st.booleans(),
)
def test_a_pinned_call_goes_where_it_was_shown_whatever_pypirc_says_then(
    case: Case, option: str, words: list[str], dashes: bool
) -> None:
    """Reading the pinned call gives the same index, and the user name where the line has it."""
    line = " ".join(["maturin upload", *words, option, *(["--", "z"] if dashes else ["z"])])
    call = case.call(line, {}, RC)
    shown, pin = call.destination, call.pin()
    evil = RC.replace(HOST, "evil.example").replace("rc", "evil") + "[pypi]\nrepository=http://evil"
    (case.home / ".pypirc").write_text(evil)
    again = Maturin(call.invocation._replace(arguments=pin.arguments), call.environ)
    assert again.destination.url == shown.url
    assert again.destination.username == (None if "whole" in option else shown.username)
    assert again.words.words == call.words.words


# -- the file ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {"default": {}}),
        ("a", {"default": {"a": None}}),
        ("[A b] x\r\n C : d = e # f\r\n", {"default": {}, "a b": {"c": "d = e"}}),
        ("[a]\nx=1\n[A]\ny=\n[a]\nx=2;3", {"default": {}, "a": {"x": "2", "y": ""}}),
        ("[a][b]\n", {"default": {}, "a][b": {}}),
        ("# [\n  ; x\n\n", {"default": {}}),
        ("[a", None),
        ("[a ; ]", None),
        (":", None),
        ("=x", None),
    ],
)
def test_a_settings_file_is_read_as_maturin_does(text: str, wanted: object) -> None:
    """Names have no case, comments end a line, and one bad line spoils the file."""
    assert ini.read(text) == wanted
