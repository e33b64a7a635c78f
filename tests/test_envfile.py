"""``--env-file``: plain values, and references to secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokens
from command import SECRETLY, Ended, Home, Watch, home, quick
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from secretly.errors import BadConfiguration, BadReference, Refused
from secretly.reference import Reference
from secretly.resolving.request import SecretRequest
from secretly.running import env_file
from secretly.running.derived import Composed
from secretly.running.plain import plain_variables, separate, texts
from secretly.running.planning import PlanInput, plan_delivery
from secretly.sources import SCHEMES
from secretly.testing import FakePinentry

MISTAKE = "pypi-" + "AgEIcHlwaS5vcmc" * 3


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        found.program("show", '#!/bin/sh\nenv | grep "^T_" | sort\n')
        yield found


@pytest.fixture(name="place")
def _place() -> Iterator[Path]:
    with home() as found:
        yield found.folder


def read(place: Path, text: str | bytes) -> env_file.EnvFile:
    """What a file with this text says."""
    path = place / ".env"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return env_file.read_env_files([str(path)])


def parted(found: env_file.EnvFile) -> tuple[dict[str, str], dict[str, str]]:
    """Return a file's plain values, and its references."""
    both = separate(plain_variables(None, None, found), SecretRequest(Reference("", "")), {})
    held = both.secret.items()
    references = {name: str(one.reference) for name, one in held if not isinstance(one, Composed)}
    return dict(texts(both.plain)), references


def written(home: Home, text: str, name: str = ".env") -> str:
    """A file in the home, by its name from there."""
    (home.folder / name).write_text(text)
    return name


def assert_refused(done: Ended, *words: str) -> None:
    """secretly failed, with an error and a hint that have these words."""
    assert done.status == 125, done
    assert re.fullmatch(r"secretly: [^\n]+\n  [^\n]+\n", done.stderr), done.stderr
    assert all(word in done.stderr for word in words), done.stderr


# -- the syntax ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=b\nC=d\n", {"A": "b", "C": "d"}),
        ("A=b", {"A": "b"}),
        ("", {}),
        ("# A=b\n\n  # C=d\nE=f # not this\n", {"E": "f"}),
        ("export A=b\nexport C='d'\n", {"A": "b", "C": "d"}),
        ("A='b c # d'\nC=\"e f\"\n", {"A": "b c # d", "C": "e f"}),
        ("A=\"b\nc\"\nC='d\ne'\nF=g\n", {"A": "b\nc", "C": "d\ne", "F": "g"}),
        ("A=\"b\\nc\"\nC='d\\ne'\n", {"A": "b\nc", "C": "d\\ne"}),
        ("A=b\r\nC='d'\r\n", {"A": "b", "C": "d"}),
        ("\ufeffA=\"b\r\nc\"\r\nC='d\r\ne'\r\n", {"A": "b\nc", "C": "d\ne"}),
        ("\ufeffA=b\n", {"A": "b"}),
        ("A=\nC=''\n", {"A": "", "C": ""}),
        ("A = b\n", {"A": "b"}),
        ("A=b=c\n", {"A": "b=c"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("A=1\nB=${A}\nC=$HOME\nD=$(id)\n", {"A": "1", "B": "${A}", "C": "$HOME", "D": "$(id)"}),
        ("A=grün\n", {"A": "grün"}),
        ("A.b=c\n", {"A.b": "c"}),
    ],
)
def test_the_syntax_is_that_of_env_files(place: Path, text: str, values: dict[str, str]) -> None:
    """Quotes, export, comments, several lines, all line ends; nothing is executed."""
    assert read(place, text).values == values


@pytest.mark.parametrize(
    "text",
    [
        "A=b\nC\n",
        "A=b\nnot a line\n",
        "A=b\nnot this=c\n",
        "A='b\nC=d\n",
        "A=b\n=c\n",
        "A=b\n'C D'=e\n",
        "A=b\n1C=d\n",
        "A=-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
    ],
)
def test_a_line_that_sets_nothing_is_refused(place: Path, text: str) -> None:
    """Skipping it would lose a variable. The error names the line and doesn't show it."""
    with pytest.raises(Refused, match=r"line \d") as caught:
        read(place, text)
    assert "line 1" in str(caught.value) or "line 2" in str(caught.value)
    assert "quote a value of several lines" in caught.value.hint
    assert not any(text in str(caught.value) for text in ("not this", "not a line", "C D"))


@pytest.fixture(name="spot", scope="module")
def _spot() -> Iterator[Path]:
    with home() as found:
        yield found.folder


LINES = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "export ", "# "]),
    st.sampled_from(["A", "A.b", "PATH", "1", "'A B'", ""]) | st.text(max_size=3),
    st.sampled_from(["=", " = ", "", "=="]),
    st.sampled_from(["env://B", "file:///x#", "op://a/b", '"x', "'y'", r"\n", "${A}", "pypi-" * 9])
    | st.text(max_size=8),
    st.sampled_from(["", " # x", '"', "'", "\r"]),
)


@pytest.mark.parser("env files")
@given(
    data=st.lists(LINES, max_size=5).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))
    | st.binary(max_size=60)
)
def test_every_file_is_read_or_refused(data: bytes, spot: Path) -> None:
    """Every file yields values or one of our errors."""
    try:
        found = read(spot, data)
    except (Refused, BadReference, BadConfiguration) as error:
        assert error.hint
        assert f"{error}{error.hint}".isprintable()
    else:
        for name in found.values:
            assert name
            assert not set(name) & {"=", "\0"}


def test_its_repr_shows_no_value(place: Path) -> None:
    """A log or a traceback shows only the number of variables."""
    assert repr(read(place, "A=canary-1\nB=env://canary-2\n")) == "<env file of 2 variables>"


TEXTS = ["A=b", "B='c\nd'", 'C="e\n\nf"', "'", '"', "# g", "", "D=h\\", "E=i # j", "\ufeff"]


@given(
    lines=st.lists(st.sampled_from(TEXTS), max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_ends_of_lines_are_read_as_python_dotenv_reads_them(
    lines: list[str], end: str, spot: Path
) -> None:
    """Line ends in quotes count too, and a byte order mark is not part of the first name."""
    data = "\n".join(lines).replace("\n", end).encode()
    try:
        found = read(spot, data).values
    except Refused:
        return
    (spot / "plain.env").write_bytes(data.removeprefix("\ufeff".encode()))
    assert found == dotenv_values(spot / "plain.env", interpolate=False)


# -- references ------------------------------------------------------------------

KNOWN = sorted(SCHEMES)


@pytest.mark.parametrize("scheme", KNOWN)
def test_a_value_with_a_known_scheme_is_a_reference(place: Path, scheme: str) -> None:
    """Quoted or not; nothing is fetched yet."""
    text = f'A={scheme}://Vault/Item#field\nB="{scheme}://Vault/An Item"\n'
    assert parted(read(place, text)) == (
        {},
        {"A": f"{scheme}://Vault/Item#field", "B": f"{scheme}://Vault/An Item"},
    )


@pytest.mark.parametrize(
    "value",
    [
        "postgres://user@db.example.org/name?sslmode=require",
        "https://example.org/#part",
        "redis://127.0.0.1:6379/0",
        "command://PyPI",
        "xop://a",
        "see env://B and file:///c",
        "op:/a/b",
        "env",
        "PyPI",
    ],
)
def test_another_value_is_kept_as_it_is(place: Path, value: str) -> None:
    """URLs and names are plain values, and so is a scheme that only a configuration has."""
    assert parted(read(place, f"A='{value}'\n")) == ({"A": value}, {})


@pytest.mark.parametrize(
    "name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "A.b"]
)
def test_a_reference_for_a_steering_variable_is_refused(place: Path, name: str) -> None:
    """So is one for an invalid name."""
    found = read(place, f"{name}=env://VALUE\n")
    common = SecretRequest(Reference("", ""))
    with pytest.raises(BadConfiguration, match=re.escape(name)):
        plan_delivery(PlanInput("/bin/show", ["show"], common, env_file=found))


@pytest.mark.parametrize("value", ["env://", "op://#field", "env://A#", f"env://{MISTAKE}"])
def test_a_wrong_reference_is_an_error(place: Path, value: str) -> None:
    """It names nothing, or is a secret itself, which the error doesn't repeat."""
    with pytest.raises(BadReference) as caught:
        parted(read(place, f"A={value}\n"))
    assert MISTAKE not in f"{caught.value}{caught.value.hint}"
    assert str(caught.value).startswith("A ")


# -- which files -----------------------------------------------------------------


def test_several_files_are_read_and_the_later_wins(place: Path) -> None:
    """The later file counts, with a value or a reference."""
    (place / "1").write_text("A=one\nB=env://ONE\nC=one\nD=env://ONE\n")
    (place / "2").write_text("A=two\nB=two\nC=env://TWO\nD=env://TWO\n")
    both = env_file.read_env_files([str(place / "1"), str(place / "2")])
    assert parted(both) == ({"A": "two", "B": "two"}, {"C": "env://TWO", "D": "env://TWO"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"A=\xff\n", "UTF-8"),
        (b"A=b\0c\n", "NUL"),
        (b"A=" + b"b" * (1 << 20), "1 MiB"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_not_text_is_refused(place: Path, data: bytes | None, said: str) -> None:
    """It isn't UTF-8, has a NUL byte, is larger than a mebibyte, or doesn't exist."""
    path = place / "to\x1bo.env"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Refused, match=said) as caught:
        env_file.read_env_files([str(path)])
    assert str(caught.value).isprintable()


def test_a_pipe_or_device_is_refused_without_waiting(place: Path) -> None:
    """Reading a pipe could block or yield nothing; a device never ends."""
    os.mkfifo(place / "pipe")
    for path in (place / "pipe", place, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(Refused, match=re.escape(str(path))):
            env_file.read_env_files([str(path)])
    writer = os.open(place / "pipe", os.O_RDWR)  # now there is one, that says nothing
    with pytest.raises(Refused, match="pipe"):
        env_file.read_env_files([str(place / "pipe")])
    os.close(writer)


@pytest.mark.process
def test_a_file_that_may_not_be_read_is_refused(home: Home) -> None:
    """The error names it. (The file is a link to itself: root could read any mode.)"""
    (home.folder / ".env").symlink_to(".env")
    assert_refused(home.run("run", "--env-file", ".env", "show"), ".env")


def test_a_file_that_others_can_write_is_refused(place: Path) -> None:
    """It decides where secrets go, and so does a folder on its path."""
    read(place, "A=b\n")
    (place / ".env").chmod(0o666)
    with pytest.raises(Refused, match=re.escape(str(place))):
        env_file.read_env_files([str(place / ".env")])
    (place / ".env").chmod(0o644)  # may be read by all: it holds no secrets
    assert env_file.read_env_files([str(place / ".env")]).values == {"A": "b"}
    place.chmod(0o777)
    with pytest.raises(Refused, match=re.escape(str(place))):
        env_file.read_env_files([str(place / ".env")])


@pytest.mark.process
def test_nothing_is_asked_or_run_before_the_file_is_right(home: Home) -> None:
    """A wrong file stops the run before any prompt."""
    home.program("show", "#!/bin/sh\ntouch ran\n")
    name = written(home, "A\n")
    with FakePinentry(["canary-1"]) as fake:
        done = home.run("run", "--env-file", name, "-e", "X=Name", "show", environ=fake.environ)
        assert fake.prompts == []
    assert_refused(done, "line 1")
    assert not (home.folder / "ran").exists()


# -- with a command --------------------------------------------------------------


@pytest.mark.process
def test_any_command_gets_the_files_variables(home: Home) -> None:
    """Plain values unchanged, references resolved; the command needn't be known."""
    text = "T_URL=postgres://db.example.org/x\nT_KEY=env://VALUE\nT_COMMAND=command://Own\n"
    home.configure(f'[secrets.Own]\ncommand = ["touch", "{home.folder}/ran"]\n')
    done = home.run(
        *("run", "--env-file", written(home, text), "show"), environ={"VALUE": "canary-1"}
    )
    assert done == Ended(
        0, "T_COMMAND=command://Own\nT_KEY=canary-1\nT_URL=postgres://db.example.org/x\n", ""
    )
    assert not (home.folder / "ran").exists()


@pytest.mark.process
def test_references_are_put_into_longer_texts(home: Home) -> None:
    """secretly replaces references in braces, keeps other braces, and asks once for each secret."""
    text = (
        "T_A=postgres://app:{{ env://VALUE | url }}@db/{{ secretly://Name }}\n"
        'T_B="Bearer {{ secretly://Name }} {{ x }}"\n'
        "T_C=env://$WHICH\nT_D=secretly://\nT_E={{ .Values.x }}\nT_F=${WHICH} $$\n"
    )
    environ = {"VALUE": "canary/1", "WHICH": "VALUE"}
    with FakePinentry(["canary-2", "canary-3"]) as fake:
        words = ("run", "--env-file", written(home, text), "show")
        done = home.run(*words, environ={**environ, **fake.environ})
        assert len(fake.prompts) == 2
    assert done == Ended(
        0,
        "T_A=postgres://app:canary%2F1@db/canary-2\nT_B=Bearer canary-2 {{ x }}\nT_C=canary/1\n"
        "T_D=canary-3\nT_E={{ .Values.x }}\nT_F=${WHICH} $$\n",
        "",
    )


@pytest.mark.process
@pytest.mark.parametrize(
    "value",
    [
        *("postgres://u:op://V/I/password@h/db", "akeyless://1", "ref+vault://a/b"),
        *("encrypted:BDq8", " op://a", "op://$NOT_SET/db/password"),
    ],
)
def test_a_reference_is_never_passed_on(home: Home, value: str) -> None:
    """A text that resembles a reference is an error, and the command doesn't run."""
    home.program("show", "#!/bin/sh\ntouch ran\n")
    file = written(home, f"T_A='{value}'\n")
    assert_refused(home.run("run", "--no-input", "--env-file", file, "show"), "T_A")
    assert not (home.folder / "ran").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    "words", [["-p", "p"], ["-p", "q"], ["-p", "r", "-eT_A=x op://a"], ["-p", "r"]]
)
def test_a_reference_is_passed_on_by_nothing_else(home: Home, words: list[str]) -> None:
    """A profile, ``-e`` and the configuration refuse such a text too."""
    home.program("show", "#!/bin/sh\ntouch ran\n")
    home.configure(
        "[commands.show.env]\nT_A = 'x op://a'\n"
        "[commands.show.profiles.p]\nenv = { T_A = 'x op://a' }\n"
        "[commands.show.profiles.q]\nsecrets = { T_A = 'x op://a' }\n"
        "[commands.show.profiles.r]\n"
    )
    assert_refused(home.run("run", "--no-input", *words, "show"), "T_A")
    assert not (home.folder / "ran").exists()


@pytest.mark.process
def test_a_literal_variable_is_passed_on(home: Home) -> None:
    """secretly passes on the text from a file, the configuration or the environment unchanged."""
    home.configure("[commands.show.profiles.p]\nenv = { T_B = 'env://NOT_SET' }\n")
    file = written(home, "T_A=akeyless://1\n")
    words = [f"--literal=T_{letter}" for letter in "ABC"]
    environ = {"T_C": "x op://a"}
    done = home.run(
        *("run", "--env-file", file, "-p", "p", "--resolve-env", *words, "show"), environ=environ
    )
    assert done == Ended(0, "T_A=akeyless://1\nT_B=env://NOT_SET\nT_C=x op://a\n", "")
    missing = ("run", "--env-file", file, "-p", "p", *words[:2], "--literal=T_AA", "show")
    done = home.run(*missing)
    assert (done.status, done.stdout) == (0, "T_A=akeyless://1\nT_B=env://NOT_SET\n")
    [line] = done.stderr.splitlines()
    assert "--literal T_AA " in line
    assert "Did you mean 'T_A'?" in line
    assert home.run("run", "-q", *missing[1:]) == Ended(0, done.stdout, "")
    assert_refused(home.run("run", "--literal=X", "-eX=Name", "show"), "--literal X", "-e X")
    assert_refused(home.run("run", "--literal=X=akeyless://1", "show"), "--literal X")


@pytest.mark.process
def test_references_in_the_environment_are_resolved_if_wanted(home: Home) -> None:
    """``--resolve-env`` resolves references to password managers, but not a plain ``env://``."""
    item = '[{"id": "1", "name": "Item", "username": "ada", "password": "canary-1"}]'
    home.program("lpass", f"#!/bin/sh\ncat <<'END'\n{item}\nEND\n")
    environ = {
        "T_A": "lpass://Item",
        "T_B": "http://u:{{ lpass://Item }}@h/{{ env://T_C }}",
        "T_C": "env://T_D",
        "T_D": "{{ file:///none }}",
        "T_E": "lpass://Other",
    }
    given = ("-e", "T_E=env://T_D", "show")
    done = home.run("run", "--resolve-env", *given, environ=environ)
    assert done == Ended(
        0,
        "T_A=canary-1\nT_B=http://u:canary-1@h/env://T_D\nT_C=env://T_D\nT_D={{ file:///none }}\n"
        "T_E={{ file:///none }}\n",
        "",
    )
    done = home.run("run", *given, environ=environ)
    assert done.stdout.startswith("T_A=lpass://Item\n")
    assert_refused(
        home.run("run", "--resolve-env", "show", environ={"T_A": "x lpass://Item"}), "T_A"
    )


@pytest.mark.process
def test_an_upload_is_not_steered_by_a_reference(home: Home) -> None:
    """Otherwise the dialog could show another index than the one that gets the token."""
    home.program("twine", "#!/bin/sh\necho ran\n")
    wheel = tokens.wheel(home.folder / "dist")
    options = ("--env-file", written(home, "TWINE_REPOSITORY_URL=env://WHERE\n"))
    environ = {"WHERE": "http://127.0.0.1:9/", "VALUE": "canary-1"}
    words = ("-eTWINE_PASSWORD=env://VALUE", "twine", "upload", str(wheel))
    done = home.run("run", "--no-confirm", *options, *words, environ=environ)
    assert_refused(done, "TWINE_REPOSITORY_URL")


@pytest.mark.process
def test_a_file_without_variables_is_enough(home: Home) -> None:
    """The command runs."""
    assert home.run("run", "--env-file", written(home, "# none\n"), "show") == Ended(0, "", "")


@pytest.mark.process
def test_minus_e_takes_precedence_over_files_and_these_over_the_environment(home: Home) -> None:
    """Of several files, the last one counts."""
    one = written(home, "T_A=1\nT_B=1\nT_C=env://ONE\nT_D=env://ONE\nT_F=1\n", "1.env")
    two = written(home, "T_B=2\nT_C=2\nT_D=env://TWO\n", "2.env")
    environ = {"ONE": "one", "TWO": "two", "SAID": "said"}
    done = home.run(
        *("run", "--env-file", one, "--env-file", two, "-e", "T_D=env://SAID"),
        *("-e", "T_F=env://SAID", "show"),
        environ={**environ, "T_A": "0", "T_B": "0", "T_C": "0", "T_D": "0", "T_E": "0"},
    )
    assert done.stdout.split() == ["T_A=1", "T_B=2", "T_C=2", "T_D=said", "T_E=0", "T_F=said"]


PROFILES = """
[commands.show.profiles.p]
env = { T_A = "profile", T_B = "profile" }
secrets = { T_C = "env://SAID", T_D = "env://SAID" }
"""


@pytest.mark.process
def test_a_profile_takes_precedence_over_the_file(home: Home) -> None:
    """Its plain variables and its secrets do, and ``-e`` over both."""
    home.configure(PROFILES)
    name = written(home, "T_A=file\nT_B=env://FILE\nT_C=file\nT_D=env://FILE\nT_E=env://FILE\n")
    environ = {"FILE": "file", "SAID": "profile"}
    run = ("run", "--env-file", name, "-p", "p")
    done = home.run(*run, "show", environ=environ)
    assert done.stdout.split() == [
        "T_A=profile",
        "T_B=profile",
        "T_C=profile",
        "T_D=profile",
        "T_E=file",
    ]
    explicit = ("-e", "T_B=env://FILE", "-e", "T_C=env://FILE", "-e", "T_E=env://SAID")
    done = home.run(*run, *explicit, "show", environ=environ)
    assert done.stdout.split()[1:3] == ["T_B=file", "T_C=file"]
    assert done.stdout.split()[-1] == "T_E=profile"


def _gh(home: Home) -> None:
    home.program("gh", '#!/bin/sh\necho "$GH_TOKEN ${GITHUB_TOKEN-none}"\n')


@pytest.mark.process
@pytest.mark.parametrize("stale", ["", "stale"])
def test_a_known_commands_variable_may_be_in_the_file(home: Home, stale: str) -> None:
    """A plain value is used, a reference resolved; a stale alternative is removed."""
    _gh(home)
    environ = {"VALUE": "canary-1", **({"GITHUB_TOKEN": stale} if stale else {})}
    with FakePinentry(["canary-typed"]) as fake:
        for value, got in (("canary-file", "canary-file"), ("env://VALUE", "canary-1")):
            name = written(home, f"GH_TOKEN={value}\n")
            run = ("run", "--env-file", name, "gh", "api", "user")
            done = home.run(*run, environ={**environ, **fake.environ})
            assert done == Ended(0, f"{got} none\n", "")
        assert fake.prompts == []


@pytest.mark.process
@pytest.mark.parametrize("value", ["canary-1", "env://VALUE"])
def test_an_alternative_variable_may_be_in_the_file(home: Home, value: str) -> None:
    """Then secretly doesn't ask for the usual one."""
    _gh(home)
    name = written(home, f"GITHUB_TOKEN={value}\n")
    with FakePinentry(["canary-typed"]) as fake:
        done = home.run(
            *("run", "--env-file", name, "gh", "api", "user"),
            environ={"VALUE": "canary-1", **fake.environ},
        )
        assert done == Ended(0, " canary-1\n", "")
        assert fake.prompts == []


@pytest.mark.process
@pytest.mark.parametrize("how", ["-e", "-p", "plain"])
def test_a_given_alternative_takes_precedence_over_the_inherited_usual_one(
    home: Home, how: str
) -> None:
    """gh itself prefers GH_TOKEN."""
    _gh(home)
    environ = {"GH_TOKEN": "stale", "VALUE": "canary-1"}
    home.configure(
        '[commands.gh.profiles.work]\nsecrets = { GITHUB_TOKEN = "env://VALUE" }\n'
        '[commands.gh.profiles.plain]\nenv = { GITHUB_TOKEN = "canary-1" }\n'
    )
    options = {"-e": ["-p", "plain", "-eGITHUB_TOKEN=env://VALUE"], "-p": ["-p", "work"]}
    words = options.get(how, ["-p", "plain"])
    done = home.run("run", *words, "gh", "api", "user", environ=environ)
    assert done == Ended(0, " canary-1\n", "")


@pytest.mark.process
def test_variables_that_belong_together_stay_together(home: Home) -> None:
    """One of a command's variables may be given, and another inherited."""
    home.program("aws", '#!/bin/sh\necho "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"\n')
    environ = {"AWS_ACCESS_KEY_ID": "AKIA", "VALUE": "canary-1"}
    words = ("run", "-eAWS_SECRET_ACCESS_KEY=env://VALUE", "aws", "s3", "ls")
    assert home.run(*words, environ=environ) == Ended(0, "AKIA canary-1\n", "")


@pytest.mark.process
@pytest.mark.parametrize("words", [["gh", "api", "user"], ["-eX=env://VALUE", "echo", "ran"]])
def test_a_file_must_not_change_how_a_program_with_a_secret_loads(
    home: Home, words: list[str]
) -> None:
    """A project's file could run its own code there. secretly refuses before it asks."""
    _gh(home)
    file = written(home, "HARMLESS=1\nLD_PRELOAD=./evil.so\n")
    with FakePinentry(["canary-typed"]) as fake:
        environ = {"VALUE": "canary-1", **fake.environ}
        done = home.run("run", "--env-file", file, *words, environ=environ)
        assert fake.lines == []
    assert (done.status, done.stdout) == (125, "")
    assert "LD_PRELOAD" in done.stderr.splitlines()[0]
    assert "export LD_PRELOAD" in done.stderr.splitlines()[1]


@pytest.mark.process
def test_a_file_may_set_the_paths_of_a_project(home: Home) -> None:
    """Such files do, and the command isn't a publishing one."""
    home.program("show", '#!/bin/sh\necho "$PATH $X"\n')
    file = written(home, "PATH=/project/bin\n")
    words = ("run", "--env-file", file, "-eX=env://VALUE", "show")
    done = home.run(*words, environ={"VALUE": "canary-1"})
    assert done == Ended(0, "/project/bin canary-1\n", "")


@pytest.mark.process
def test_a_file_without_a_secret_may_set_everything(home: Home) -> None:
    """The project's program runs with the project's variables."""
    home.program("gh", '#!/bin/sh\necho "$BASH_ENV"\n')
    file = written(home, "BASH_ENV=/project/env\n")
    done = home.run("run", "--env-file", file, "gh", "--version")
    assert done == Ended(0, "/project/env\n", "")


@pytest.mark.process
def test_a_file_changes_neither_the_program_of_an_upload_nor_whom_it_trusts(home: Home) -> None:
    """It could have it load something else, or with a proxy read the token in transit."""
    home.program("twine", "#!/bin/sh\necho ran\n")
    wheel = tokens.wheel(home.folder / "dist")
    words = ("-eTWINE_PASSWORD=env://VALUE", "twine", "upload", str(wheel))
    environ = {"VALUE": "canary-1", "TWINE_REPOSITORY_URL": "http://127.0.0.1:9/"}
    for name in ("PYTHONPATH", "SSL_CERT_FILE"):
        file = written(home, f"ENV=production\n{name}=x\n")
        done = home.run("run", "--no-confirm", "--env-file", file, *words, environ=environ)
        assert_refused(done, name)
    file = written(home, "ENV=production\nCERTAIN=x\n")
    done = home.run("run", "--no-confirm", "--env-file", file, *words, environ=environ)
    assert done == Ended(0, "ran\n", "")


@pytest.mark.process
@pytest.mark.parametrize("how", ["file", "profile", "shell"])
def test_what_steers_a_launcher_is_seen_wherever_it_is_set(home: Home, how: str) -> None:
    """The upload would go somewhere else than the dialog says."""
    name = "UV_PROJECT"
    home.program("uv", "#!/bin/sh\necho ran\n")
    wheel = tokens.wheel(home.folder / "dist")
    home.configure(
        f'[commands.twine.profiles.odd]\nenv = {{ {name} = "o" }}\n'
        "[commands.twine.profiles.plain]\n"
    )
    options = {
        "file": ("--env-file", written(home, f"{name}=o\n"), "-p", "plain"),
        "profile": ("-p", "odd"),
        "shell": ("-p", "plain"),
    }[how]
    environ = {name: "o"} if how == "shell" else {}
    line = ("uv", "run", "twine", "upload")
    words = (*options, "-eTWINE_PASSWORD=env://VALUE", *line, str(wheel))
    for more in ("--dry-run", "--no-confirm"):
        done = home.run("run", more, *words, environ={"VALUE": "canary-1", **environ})
        assert done.stdout == ""
        assert_refused(done, name)


@pytest.mark.process
def test_a_file_can_choose_the_index_of_an_upload(home: Home) -> None:
    """The dialog shows that index. The file must not choose the home with its settings."""
    home.program("twine", "#!/bin/sh\necho ran\n")
    wheel = tokens.wheel(home.folder / "dist")
    for text in ("TWINE_REPOSITORY_URL=http://127.0.0.1:9/\n", f"HOME={home.folder}/o\n"):
        file = written(home, text)
        done = home.run("run", "--dry-run", "--env-file", file, "twine", "upload", str(wheel))
        if text.startswith("HOME"):
            assert_refused(done, "HOME")
        else:
            assert "\nto: 127.0.0.1:9" in done.stdout


@pytest.mark.process
@pytest.mark.parametrize("how", ["file", "-e", "profile", "named", "own name"])
def test_the_user_name_for_pypi_is_token(home: Home, how: str) -> None:
    """PyPI takes no other, whatever the configuration or a password manager's item say."""
    home.program("twine", '#!/bin/sh\necho "$TWINE_USERNAME"\n')
    item = f'[{{"id": "1", "name": "PyPI", "username": "ada", "password": "{tokens.TOKEN}"}}]'
    home.program("lpass", f"#!/bin/sh\ncat <<'END'\n{item}\nEND\n")
    wheel = tokens.wheel(home.folder / "dist")
    home.configure(
        '[commands.twine.profiles.x]\nsecrets = { TWINE_PASSWORD = "lpass://PyPI" }\n'
        "[commands.twine.profiles.y]\n"
        '[secrets.Other]\nsource = "lpass://PyPI"\n'
        '[secrets.Own]\nsource = "lpass://PyPI"\nusername = "own"\n'
    )
    options = {
        "file": ("--env-file", written(home, "TWINE_PASSWORD=lpass://PyPI\n"), "-p", "y"),
        "-e": ("-eTWINE_PASSWORD=lpass://PyPI", "-p", "y"),
        "profile": ("-p", "x"),
        "named": ("-eTWINE_PASSWORD=Other", "-p", "y"),
        "own name": ("-eTWINE_PASSWORD=Own", "-p", "y"),
    }[how]
    done = home.run("run", "--no-confirm", *options, "twine", "upload", str(wheel))
    assert (done.status, done.stdout) == (0, "__token__\n")
    elsewhere = {"TWINE_REPOSITORY_URL": "http://127.0.0.1:9/"}
    home.program("lpass", "#!/bin/sh\ncat <<'END'\n" + item.replace("pypi-", "canary-") + "\nEND\n")
    done = home.run(
        *("run", "--no-confirm", *options, "twine", "upload", str(wheel)), environ=elsewhere
    )
    assert done.stdout == ("own\n" if how == "own name" else "ada\n")


@pytest.mark.process
def test_a_profile_takes_precedence_for_a_call_without_a_secret(home: Home) -> None:
    """``gh config`` needs none: the profile's plain variable replaces the file's reference."""
    home.program("gh", '#!/bin/sh\necho "$GH_HOST $T_A"\n')
    home.configure('[commands.gh.profiles.work]\nenv = { GH_HOST = "ghe.example.org" }\n')
    file = written(home, "GH_HOST=env://VALUE\nT_A=env://VALUE\n")
    for line in ("gh config list", "gh api user"):
        done = home.run(
            *("run", "-p", "work", "--env-file", file, *line.split()),
            environ={"VALUE": "file", "GH_TOKEN": "canary-1"},
        )
        assert done == Ended(0, "ghe.example.org file\n", "")


@pytest.mark.process
@pytest.mark.parametrize("line", ["npm run release", "cargo release", "uv run ./release.sh"])
def test_a_command_that_may_publish_needs_consent(home: Home, line: str) -> None:
    """A publishing tool's other subcommands may publish too, if they get a secret.

    Env files must not change how they load.
    """
    name = line.split()[0]
    home.program(name, '#!/bin/sh\necho "$X"\n')
    words = ("-eX=env://VALUE", *line.split())
    done = home.run("run", "--no-input", *words, environ={"VALUE": "canary-1"})
    assert_refused(done, "env://VALUE")
    file = written(home, "PYTHONPATH=/project\n")
    done = home.run(
        "run", "--no-confirm", "--env-file", file, *words, environ={"VALUE": "canary-1"}
    )
    assert_refused(done, "PYTHONPATH")


@pytest.mark.process
def test_user_name_and_password_come_from_the_file(home: Home) -> None:
    """The file's user name counts, in any order, over an inherited one."""
    home.program("twine", '#!/bin/sh\necho "$TWINE_USERNAME:$TWINE_PASSWORD"\n')
    wheel = tokens.wheel(home.folder / "dist")
    name = written(home, "TWINE_USERNAME=env://WHO\nTWINE_PASSWORD=env://VALUE\n")
    environ = {"WHO": "ada", "VALUE": "canary-1", "TWINE_PASSWORD": "stale"}
    environ["TWINE_REPOSITORY_URL"] = "http://127.0.0.1:9/"
    run = ("run", "--no-confirm", "--env-file", name, "twine", "upload", str(wheel))
    assert home.run(*run, environ=environ).stdout == "ada:canary-1\n"


@pytest.mark.process
def test_a_dry_run_names_variables_and_references(home: Home) -> None:
    """It shows the origin of each, and never a value."""
    name = written(home, "T_A=canary-plain\nT_B=env://VALUE\nT_C=canary-other\n")
    done = home.run(
        *("run", "--dry-run", "--env-file", name, "-e", "T_C=Name", "show"),
        environ={"VALUE": "canary-value"},
    )
    assert done.stdout.splitlines() == [
        f"program: {home.programs / 'show'}",
        "T_A: set by an env file",
        "T_B: env://VALUE",
        "T_C: Name from the keychain or typed",
    ]
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.process
def test_a_dry_run_tells_the_file_from_the_profile(home: Home) -> None:
    """If both set a variable, the profile counts."""
    home.configure(PROFILES)
    name = written(home, "T_A=file\nT_E=file\n")
    done = home.run("run", "--dry-run", "--env-file", name, "-p", "p", "show")
    assert "T_A: set by the configuration\n" in done.stdout
    assert "T_E: set by an env file\n" in done.stdout


@pytest.mark.process
def test_nothing_of_the_file_is_in_any_argument(home: Home) -> None:
    """Only the command's environment has its values."""
    value = f"canary-{os.urandom(8).hex()}"  # other runs of this test may be watched for theirs
    home.program("show", "#!/bin/sh\nsleep 0.3\n")
    name = written(home, f"T_A={value}\nT_B=env://VALUE\n")
    run = [*SECRETLY, "run", "--env-file", name, "show"]
    with Watch(value) as watch:
        done = home.run_any(run)
        assert done.status == 125  # VALUE is not set
        assert value not in done.stdout + done.stderr
        written(home, f"T_A={value}\n")
        assert home.run_any(run).status == 0
    assert {part for _, part, _ in watch.seen} == {"environ"}
    assert {name for _, _, name in watch.seen} <= {"show", "sleep", "sh"}


@pytest.mark.process
def test_a_reference_that_fails_runs_nothing(home: Home) -> None:
    """A command never starts without one of its secrets."""
    home.program("show", "#!/bin/sh\ntouch ran\n")
    name = written(home, "T_A=b\nT_B=env://NOT_SET\n")
    assert_refused(home.run("run", "--env-file", name, "show"), "NOT_SET")
    assert not (home.folder / "ran").exists()


@pytest.mark.process
def test_a_secret_in_place_of_a_reference_is_not_repeated(home: Home) -> None:
    """Neither is one in place of the file's name."""
    done = home.run("run", "--env-file", written(home, f"T_A=env://{MISTAKE}\n"), "show")
    assert_refused(done)
    assert MISTAKE not in done.stderr
    done = home.run("run", "--env-file", MISTAKE, "show")
    assert_refused(done)
    assert MISTAKE not in done.stderr
