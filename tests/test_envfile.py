"""``--env-file``: plain values as they are, and references in place of secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokens
from command import Ended, Home, Watch, home
from hypothesis import given
from hypothesis import strategies as st

from secretly.errors import BadConfiguration, BadReference, Refused
from secretly.running import env_file
from secretly.testing import FakePinentry

MISTAKE = "pypi-" + "AgEIcHlwaS5vcmc" * 3


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with home() as found:
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


def written(home: Home, text: str, name: str = ".env") -> str:
    """A file in the home, by its name from there."""
    (home.folder / name).write_text(text)
    return name


def assert_refused(done: Ended, *words: str) -> None:
    """It ended as secretly's own failures do: two lines, which have these words."""
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
    """Quotes, export, comments, several lines, any line ends; nothing in it is executed."""
    assert read(place, text) == ({**values}, {})


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
    ],
)
def test_a_line_that_sets_nothing_is_refused(place: Path, text: str) -> None:
    """Not passed over: what it was to set would be missing. The line is named, not shown."""
    with pytest.raises(Refused, match=r"sets no variable in line \d") as caught:
        read(place, text)
    assert "line 1" in str(caught.value) or "line 2" in str(caught.value)
    assert "not" not in str(caught.value).partition("sets")[0]


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
def test_whatever_is_in_it_it_is_read_or_refused(data: bytes, spot: Path) -> None:
    """No file ends in anything but values or an error of our own."""
    try:
        found = read(spot, data)
    except (Refused, BadReference, BadConfiguration) as error:
        assert error.hint
        assert f"{error}{error.hint}".isprintable()
    else:
        for name in (*found.plain, *found.references):
            assert name
            assert not set(name) & {"=", "\0"}


def test_what_it_says_is_not_in_its_repr(place: Path) -> None:
    """A log or a traceback that has it shows how much there is, not what."""
    assert repr(read(place, "A=canary-1\nB=env://canary-2\n")) == "<env file of 2 variables>"


# -- references ------------------------------------------------------------------

KNOWN = "op lpass pass bw keepassxc keyring env file".split()


@pytest.mark.parametrize("scheme", KNOWN)
def test_a_reference_of_a_known_scheme_is_one(place: Path, scheme: str) -> None:
    """Quoted or not; nothing is fetched yet."""
    text = f'A={scheme}://Vault/Item#field\nB="{scheme}://Vault/An Item"\n'
    assert read(place, text) == (
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
        "see op://a/b",
        "op:/a/b",
        "env",
        "PyPI",
    ],
)
def test_another_value_is_kept_as_it_is(place: Path, value: str) -> None:
    """URLs are values; so are names, and what only a configuration can mean."""
    assert read(place, f"A='{value}'\n") == ({"A": value}, {})


@pytest.mark.parametrize(
    "name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "A.b"]
)
def test_a_secret_is_not_put_where_it_would_steer(place: Path, name: str) -> None:
    """Nor where no variable can be."""
    with pytest.raises(BadConfiguration, match=re.escape(name)):
        read(place, f"{name}=env://VALUE\n")


@pytest.mark.parametrize("value", ["env://", "op://#field", "env://A#", f"env://{MISTAKE}"])
def test_a_reference_that_is_none_is_an_error(place: Path, value: str) -> None:
    """One that names nothing, and one that is a secret itself, which is not repeated."""
    with pytest.raises(BadReference) as caught:
        read(place, f"A={value}\n")
    assert MISTAKE not in f"{caught.value}{caught.value.hint}"
    assert str(caught.value).startswith("A in an env file: ")


# -- which files -----------------------------------------------------------------


def test_several_files_are_read_and_the_later_wins(place: Path) -> None:
    """Whether it has a value or a reference."""
    (place / "1").write_text("A=one\nB=env://ONE\nC=one\nD=env://ONE\n")
    (place / "2").write_text("A=two\nB=two\nC=env://TWO\nD=env://TWO\n")
    both = env_file.read_env_files([str(place / "1"), str(place / "2")])
    assert both == ({"A": "two", "B": "two"}, {"C": "env://TWO", "D": "env://TWO"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"A=\xff\n", "it is not UTF-8 text"),
        (b"A=b\0c\n", "there is a NUL byte in it"),
        (b"A=" + b"b" * (1 << 20), "it is larger than 1 MiB"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_text_is_refused(place: Path, data: bytes | None, said: str) -> None:
    """Not UTF-8, a NUL, over a mebibyte, or not there at all."""
    path = place / "to\x1bo.env"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Refused, match=said) as caught:
        env_file.read_env_files([str(path)])
    assert str(caught.value).isprintable()


def test_what_is_no_plain_file_is_refused_at_once(place: Path) -> None:
    """A pipe would be waited for, or be empty for want of a writer; a device has no end."""
    os.mkfifo(place / "pipe")
    for path in (place / "pipe", place, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(Refused, match=r"cannot be read: (it is no file|Is a directory)"):
            env_file.read_env_files([str(path)])
    writer = os.open(place / "pipe", os.O_RDWR)  # now there is one, that says nothing
    with pytest.raises(Refused, match="it is no file"):
        env_file.read_env_files([str(place / "pipe")])
    os.close(writer)


@pytest.mark.process
def test_a_file_that_may_not_be_read_is_refused(home: Home) -> None:
    """It says why. (A link that leads round stands in for the mode: root may read all.)"""
    (home.folder / ".env").symlink_to(".env")
    assert_refused(home.run("run", "--env-file", ".env", "show"), "cannot be read", ".env")


def test_a_file_that_others_can_write_is_refused(place: Path) -> None:
    """It says where secrets go; so does a folder on the way to it."""
    read(place, "A=b\n")
    (place / ".env").chmod(0o666)
    with pytest.raises(Refused, match="could be changed by others"):
        env_file.read_env_files([str(place / ".env")])
    (place / ".env").chmod(0o644)  # may be read by all: it holds no secrets
    assert env_file.read_env_files([str(place / ".env")]).plain == {"A": "b"}
    place.chmod(0o777)
    with pytest.raises(Refused, match="could be changed by others"):
        env_file.read_env_files([str(place / ".env")])


@pytest.mark.process
def test_nothing_is_asked_or_run_before_the_file_is_right(home: Home) -> None:
    """Neither a person nor a program hears of it."""
    home.program("show", "#!/bin/sh\ntouch ran\n")
    name = written(home, "A\n")
    with FakePinentry(["canary-1"]) as fake:
        done = home.run("run", "--env-file", name, "-e", "X=Name", "show", environ=fake.environ)
        assert fake.prompts == []
    assert_refused(done, "line 1")
    assert not (home.folder / "ran").exists()


# -- with a command --------------------------------------------------------------


@pytest.mark.process
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("bitwarden://canary-1", "and there is no source bitwarden://:"),
        ("1Password://canary-1/b", "and there is no source 1password://:"),
        (" op://canary-1/b", "and begins with white space:"),
    ],
)
def test_what_is_nearly_a_reference_is_said_to_be_none(home: Home, value: str, why: str) -> None:
    """By its variable; it is passed on, for it may be meant so. A URL is nothing to speak of."""
    file = written(home, f"X='{value}'\nY=https://example.org/\nZ='see op://a/b'\n")
    command = ["--env-file", file, "sh", "-c", 'echo "$X"']
    done = home.run("run", *command)
    said = f"secretly: X looks like a reference, {why} it is passed on as it is\n"
    assert done == (0, f"{value}\n", said)
    assert home.run("run", "--quiet", *command) == (0, f"{value}\n", "")


@pytest.mark.process
def test_any_command_gets_what_the_file_says(home: Home) -> None:
    """Plain values as they are, references resolved; it need not be a known command."""
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
def test_a_file_without_variables_is_enough(home: Home) -> None:
    """The command is run as it is."""
    assert home.run("run", "--env-file", written(home, "# none\n"), "show") == Ended(0, "", "")


@pytest.mark.process
def test_what_is_said_nearer_wins(home: Home) -> None:
    """The caller's own variable, then the files in their order, then ``-e``."""
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
def test_a_profile_wins_over_the_file(home: Home) -> None:
    """Its plain variables and its secrets alike; and ``-e`` over both."""
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
    """Its plain value is used as it is, its reference resolved; a stale other one goes."""
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
def test_a_variable_that_the_tool_takes_instead_may_be_in_the_file(home: Home, value: str) -> None:
    """Then nobody is asked for the usual one."""
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
def test_an_inherited_usual_one_does_not_win_over_what_is_given_instead(
    home: Home, how: str
) -> None:
    """gh itself would take GH_TOKEN first."""
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
    """Of those that a command takes, one may be given, and another be the caller's."""
    home.program("aws", '#!/bin/sh\necho "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"\n')
    environ = {"AWS_ACCESS_KEY_ID": "AKIA", "VALUE": "canary-1"}
    words = ("run", "-eAWS_SECRET_ACCESS_KEY=env://VALUE", "aws", "s3", "ls")
    assert home.run(*words, environ=environ) == Ended(0, "AKIA canary-1\n", "")


LOADING = ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV"]


@pytest.mark.process
@pytest.mark.parametrize("name", LOADING)
@pytest.mark.parametrize("words", [["gh", "api", "user"], ["-eX=env://VALUE", "echo", "ran"]])
def test_a_file_changes_nothing_of_how_a_program_with_a_secret_loads(
    home: Home, name: str, words: list[str]
) -> None:
    """A project's file could have its own code run in it; nobody is asked for anything."""
    _gh(home)
    file = written(home, f"HARMLESS=1\n{name}=./evil.so\n")
    with FakePinentry(["canary-typed"]) as fake:
        environ = {"VALUE": "canary-1", **fake.environ}
        done = home.run("run", "--env-file", file, *words, environ=environ)
        assert fake.lines == []
    assert (done.status, done.stdout) == (125, "")
    assert f"the env file sets {name}" in done.stderr.splitlines()[0]
    assert f"export {name}" in done.stderr.splitlines()[1]


@pytest.mark.process
@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "NODE_OPTIONS", "ENV"])
def test_a_file_may_say_where_a_projects_own_programs_are(home: Home, name: str) -> None:
    """As such files do; and to a command that gets no secret it may say anything."""
    home.program("show", f'#!/bin/sh\necho "${name} $X"\n')
    file = written(home, f"{name}=/project/bin\n")
    words = ("run", "--env-file", file, "-eX=env://VALUE", "show")
    done = home.run(*words, environ={"VALUE": "canary-1"})
    assert done == Ended(0, "/project/bin canary-1\n", "")


@pytest.mark.process
def test_a_file_may_load_what_it_likes_where_there_is_no_secret(home: Home) -> None:
    """It is the project's program, then, with the project's variables."""
    home.program("gh", '#!/bin/sh\necho "$BASH_ENV"\n')
    file = written(home, "BASH_ENV=/project/env\n")
    done = home.run("run", "--env-file", file, "gh", "--version")
    assert done == Ended(0, "/project/env\n", "")


@pytest.mark.process
@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "PYTHONSTARTUP", "PERL5LIB"])
def test_an_upload_is_made_by_the_program_that_was_agreed_to(home: Home, name: str) -> None:
    """Not by what a project's file has it load."""
    home.program("twine", "#!/bin/sh\necho ran\n")
    wheel = tokens.wheel(home.folder / "dist")
    file = written(home, f"{name}=/project\nENV=production\n")
    words = ("run", "--env-file", file, "-eTWINE_PASSWORD=env://VALUE", "twine", "upload")
    environ = {"VALUE": "canary-1", "TWINE_REPOSITORY_URL": "http://127.0.0.1:9/"}
    done = home.run(*words, str(wheel), environ=environ)
    assert (done.status, done.stdout) == (125, "")
    assert f"the env file sets {name}" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize(
    "name",
    [
        *(
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "TWINE_CERT",
            "UV_INSECURE_HOST",
        ),
        *("POETRY_CERTIFICATES_PYPI_CERT", "PDM_PUBLISH_CA_CERTS", "npm_config_cafile"),
        *("NODE_EXTRA_CA_CERTS", "npm_config_strict_ssl", "NODE_TLS_REJECT_UNAUTHORIZED"),
        *("npm_config_ca", "NPM_CONFIG_CAFILE", "CARGO_HTTP_CAINFO"),
    ],
)
def test_an_upload_trusts_whom_the_person_trusts(home: Home, name: str) -> None:
    """A file with this, and a proxy, would have the token read on the way."""
    home.program("twine", "#!/bin/sh\necho ran\n")
    wheel = tokens.wheel(home.folder / "dist")
    words = ("-eTWINE_PASSWORD=env://VALUE", "twine", "upload", str(wheel))
    environ = {"VALUE": "canary-1", "TWINE_REPOSITORY_URL": "http://127.0.0.1:9/"}
    file = written(home, f"HTTPS_PROXY=http://127.0.0.1:9\n{name}=x\n")
    done = home.run("run", "--no-confirm", "--env-file", file, *words, environ=environ)
    assert_refused(done, f"the env file sets {name}, which changes whom programs trust")
    file = written(home, "HTTPS_PROXY=http://127.0.0.1:9\nCERTAIN=x\nAFRICA_INFO=x\n")
    done = home.run("run", "--no-confirm", "--env-file", file, *words, environ=environ)
    assert done == Ended(0, "ran\n", "")


@pytest.mark.process
@pytest.mark.parametrize("how", ["file", "profile", "shell"])
@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("uv run twine upload", "UV_ENV_FILE"),
        ("uv run twine upload", "UV_PROJECT"),
        ("uvx twine upload", "UV_WORKING_DIR"),
        ("hatch run twine upload", "HATCH_PROJECT"),
        ("pdm run twine upload", "PDM_PROJECT"),
    ],
)
def test_what_steers_a_launcher_is_seen_wherever_it_is_set(
    home: Home, line: str, name: str, how: str
) -> None:
    """It would have the upload go elsewhere than the person is told."""
    for program in ("uv", "uvx", "hatch", "pdm"):
        home.program(program, "#!/bin/sh\necho ran\n")
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
    words = (*options, "-eTWINE_PASSWORD=env://VALUE", *line.split(), str(wheel))
    for more in ("--dry-run", "--no-confirm"):
        done = home.run("run", more, *words, environ={"VALUE": "canary-1", **environ})
        assert done.stdout == ""
        assert_refused(done, f"with {name}: what would be uploaded where cannot be told")


@pytest.mark.process
@pytest.mark.parametrize("name", ["HOME", "TWINE_REPOSITORY_URL"])
def test_a_file_that_says_where_an_upload_goes_is_heeded(home: Home, name: str) -> None:
    """What the person is told is where it goes, whether by a URL or by another ``.pypirc``."""
    home.program("twine", "#!/bin/sh\necho ran\n")
    wheel = tokens.wheel(home.folder / "dist")
    (home.folder / "o").mkdir()
    (home.folder / "o" / ".pypirc").write_text("[pypi]\nrepository = http://127.0.0.1:9/\n")
    value = {"HOME": str(home.folder / "o"), "TWINE_REPOSITORY_URL": "http://127.0.0.1:9/"}[name]
    file = written(home, f"{name}={value}\n")
    done = home.run("run", "--dry-run", "--env-file", file, "twine", "upload", str(wheel))
    assert "\nto: 127.0.0.1:9" in done.stdout


@pytest.mark.process
@pytest.mark.parametrize("how", ["file", "-e", "profile", "named", "own name"])
def test_pypi_takes_a_token_under_one_name_alone(home: Home, how: str) -> None:
    """Whatever the manager's item says, unless the configuration says another."""
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
    assert (done.status, done.stdout) == (0, "own\n" if how == "own name" else "__token__\n")
    elsewhere = {"TWINE_REPOSITORY_URL": "http://127.0.0.1:9/"}
    home.program("lpass", "#!/bin/sh\ncat <<'END'\n" + item.replace("pypi-", "canary-") + "\nEND\n")
    done = home.run(
        *("run", "--no-confirm", *options, "twine", "upload", str(wheel)), environ=elsewhere
    )
    assert done.stdout == ("own\n" if how == "own name" else "ada\n")


@pytest.mark.process
def test_a_profile_wins_where_no_secret_is_needed_too(home: Home) -> None:
    """``gh config`` needs none: the profile's plain variable goes before the file's reference."""
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
def test_what_may_publish_needs_consent(home: Home, line: str) -> None:
    """A publishing tool's other subcommands, where they are given a secret: who knows what they do.

    Nor do env files change how they load.
    """
    name = line.split()[0]
    home.program(name, '#!/bin/sh\necho "$X"\n')
    words = ("-eX=env://VALUE", *line.split())
    done = home.run("run", "--no-input", *words, environ={"VALUE": "canary-1"})
    assert_refused(done, "needs a person's consent")
    file = written(home, "PYTHONPATH=/project\n")
    done = home.run(
        "run", "--no-confirm", "--env-file", file, *words, environ={"VALUE": "canary-1"}
    )
    assert_refused(done, "the env file sets PYTHONPATH")


@pytest.mark.process
def test_user_name_and_password_come_from_the_file(home: Home) -> None:
    """The user name is the file's, in whatever order they stand and whatever was inherited."""
    home.program("twine", '#!/bin/sh\necho "$TWINE_USERNAME:$TWINE_PASSWORD"\n')
    wheel = tokens.wheel(home.folder / "dist")
    name = written(home, "TWINE_USERNAME=env://WHO\nTWINE_PASSWORD=env://VALUE\n")
    environ = {"WHO": "ada", "VALUE": "canary-1", "TWINE_PASSWORD": "stale"}
    environ["TWINE_REPOSITORY_URL"] = "http://127.0.0.1:9/"
    run = ("run", "--no-confirm", "--env-file", name, "twine", "upload", str(wheel))
    assert home.run(*run, environ=environ).stdout == "ada:canary-1\n"


@pytest.mark.process
def test_a_dry_run_names_variables_and_references(home: Home) -> None:
    """Where each comes from; never a plain value, nor what a reference leads to."""
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
    """What both set is the profile's."""
    home.configure(PROFILES)
    name = written(home, "T_A=file\nT_E=file\n")
    done = home.run("run", "--dry-run", "--env-file", name, "-p", "p", "show")
    assert "T_A: set by the configuration\n" in done.stdout
    assert "T_E: set by an env file\n" in done.stdout


@pytest.mark.process
def test_nothing_of_the_file_is_in_any_argument(home: Home) -> None:
    """Its values are in the command's environment, and nowhere else."""
    value = f"canary-{os.urandom(8).hex()}"  # other runs of this test may be watched for theirs
    home.program("show", "#!/bin/sh\nsleep 0.3\n")
    name = written(home, f"T_A={value}\nT_B=env://VALUE\n")
    with Watch(value) as watch:
        done = home.run("run", "--env-file", name, "show")
        assert done.status == 125  # VALUE is not set
        assert value not in done.stdout + done.stderr
        written(home, f"T_A={value}\n")
        assert home.run("run", "--env-file", name, "show").status == 0
    assert {part for _, part, _ in watch.seen} == {"environ"}
    assert {name for _, _, name in watch.seen} <= {"show", "sleep", "sh"}


@pytest.mark.process
def test_a_reference_that_fails_runs_nothing(home: Home) -> None:
    """A command never starts without a secret that it was to have."""
    home.program("show", "#!/bin/sh\ntouch ran\n")
    name = written(home, "T_A=b\nT_B=env://NOT_SET\n")
    assert_refused(home.run("run", "--env-file", name, "show"), "NOT_SET")
    assert not (home.folder / "ran").exists()


@pytest.mark.process
def test_a_secret_in_place_of_a_reference_is_not_repeated(home: Home) -> None:
    """Nor is one in place of the file's name."""
    done = home.run("run", "--env-file", written(home, f"T_A=env://{MISTAKE}\n"), "show")
    assert_refused(done, "looks like a secret")
    assert MISTAKE not in done.stderr
    done = home.run("run", "--env-file", MISTAKE, "show")
    assert_refused(done, "cannot be read")
    assert MISTAKE not in done.stderr
