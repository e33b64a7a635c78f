"""The configuration: the shipped tables and the user's, as typed values."""

from __future__ import annotations

import os
import pwd
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly import safefiles
from secretly.config import known_commands, loading, places, toml
from secretly.config.model import Configuration, Entry
from secretly.config.schema import ConfigFile
from secretly.config.values import check_variable, duration
from secretly.errors import BadConfiguration, Refused, SecretlyError
from secretly.publishing.tools import tool_for
from secretly.reference import Reference
from secretly.sources import passwordstore


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file that is named in the environment."""
    return tmp_path / "config.toml"


def load(config: Path, text: str | bytes = "") -> Configuration:
    """Read a configuration with this text."""
    config.write_bytes(text.encode() if isinstance(text, str) else text)
    return loading.load({"SECRETLY_CONFIG": str(config)})


def trouble(config: Path, text: str | bytes) -> BadConfiguration:
    """The error that this text is."""
    with pytest.raises(BadConfiguration) as caught:
        load(config, text)
    assert caught.value.hint
    assert str(caught.value).startswith(str(config))
    return caught.value


# -- what is shipped -------------------------------------------------------------


def test_pypi_and_testpypi_are_shipped(config: Path) -> None:
    """Their user name is __token__, and their tokens are known by their beginning."""
    for name in ("PyPI", "TestPyPI"):
        assert load(config).entry(name) == Entry(name, username="__token__", prefix="pypi-")


def test_the_publishing_tools_are_shipped(config: Path) -> None:
    """Each is one row, which publishes, and whose secret the index chooses."""
    rows = {name: row for name, row in load(config).commands.items() if tool_for(name)}
    assert sorted(rows) == [
        "cargo",
        "demo_upload",
        "flit",
        "hatch",
        "maturin",
        "npm",
        "pdm",
        "poetry",
        "twine",
        "uv",
    ]
    own = {"cargo": "Cargo", "npm": "npm"}  # their registries know no user names
    for name, row in rows.items():
        assert row.publishes
        assert list(row.secrets.values()) == [own.get(name, "")]
        assert bool(row.username) is (name not in own)


def test_without_a_file_the_shipped_tables_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who configured nothing is none the worse."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    found = loading.load({"HOME": str(tmp_path)})
    assert found.path is None
    assert "twine" in found.commands


def test_the_shipped_tables_have_no_error() -> None:
    """Without a user's file, a start reads only those that it needs."""
    tables = {"secrets": known_commands.SECRETS, "commands": known_commands.COMMANDS}
    checked = ConfigFile("").configuration(tables)
    found = loading.load({"SECRETLY_CONFIG": os.devnull})
    assert dict(found.secrets) == dict(checked.secrets)
    assert dict(found.commands) == dict(checked.commands)
    assert found._replace(secrets={}, commands={}) == checked._replace(secrets={}, commands={})


def test_the_users_folder_is_looked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless SECRETLY_CONFIG names a file, it is config.toml in the platform's folder."""
    environ = dict.fromkeys(("HOME", "XDG_CONFIG_HOME"), str(tmp_path))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)  # for platformdirs
    path = Path(places.config_path(environ))
    assert path.name == "config.toml"
    assert path.parent.name == "secretly"
    assert path.is_relative_to(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("[secrets.Mine]\n")
    found = loading.load(environ)
    assert (found.path, "Mine" in found.secrets) == (str(path), True)


# -- what is read ----------------------------------------------------------------


def test_an_entry_has_all_its_keys(config: Path) -> None:
    """A secret's source, user name, and whether it is kept and confirmed."""
    found = load(
        config,
        """
        [secrets.Mine]
        source = "op://Private/Mine#token"
        username = "me"
        remember = "15m"
        confirm = true
        prefix = "mine-"
        hosts = ["mine.example.org"]
        """,
    )
    source = Reference("op", "Private/Mine", "token")
    assert found.entry("Mine") == Entry(
        "Mine", source, "me", 900.0, True, "mine-", ("mine.example.org",)
    )


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("false", False), ('"ask"', "ask"), ('"2h"', 7200.0)]
)
def test_remember_is_a_choice_or_a_duration(config: Path, text: str, value: object) -> None:
    """Yes, no, ask, or for so long."""
    assert load(config, f"[secrets.X]\nremember = {text}").entry("X").remember == value


def test_the_users_tables_override_the_shipped_ones_key_by_key(config: Path) -> None:
    """What the user does not name stays as shipped, at any depth."""
    found = load(
        config,
        """
        [secrets.PyPI]
        source = "op://Private/PyPI"
        [commands.twine]
        publishes = false
        [commands.twine.secrets]
        MY_OWN = "Mine"
        """,
    )
    assert found.entry("PyPI") == Entry(
        "PyPI", Reference("op", "Private/PyPI"), "__token__", prefix="pypi-"
    )
    row = found.commands["twine"]
    assert row.publishes is False
    assert row.subcommands == ("upload",)
    assert row.secrets == {"TWINE_PASSWORD": "", "MY_OWN": "Mine"}
    assert "uv" in found.commands


def test_a_new_command_is_one_table(config: Path) -> None:
    """What is shipped and what a user adds have one schema."""
    row = load(
        config,
        """
        [commands.deploy]
        secrets = { DEPLOY_KEY = "Deploy#key", OTHER = "env://OTHER" }
        env = { DEPLOY_HOST = "host.example.org" }
        """,
    ).commands["deploy"]
    assert row.secrets == {"DEPLOY_KEY": "Deploy#key", "OTHER": "env://OTHER"}
    assert row.env == {"DEPLOY_HOST": "host.example.org"}
    assert (row.publishes, row.subcommands) == (False, ())


def test_profiles_are_read(config: Path) -> None:
    """Each has its plain variables and its secrets; one may be the default."""
    row = load(
        config,
        """
        [commands.twine]
        default = "dev"
        [commands.twine.profiles.dev]
        env = { TWINE_USERNAME = "root", TWINE_PASSWORD = "" }
        [commands.twine.profiles.prod]
        secrets = { TWINE_PASSWORD = "PyPI" }
        """,
    ).commands["twine"]
    assert row.default == "dev"
    assert sorted(row.profiles) == ["dev", "prod"]
    assert row.profiles["dev"].env == {"TWINE_USERNAME": "root", "TWINE_PASSWORD": ""}
    assert row.profiles["dev"].secrets == {}
    assert row.profiles["prod"].secrets == {"TWINE_PASSWORD": "PyPI"}


def test_the_prompt_and_the_keychain_are_read(config: Path) -> None:
    """The user's pinentry, and more keyring backends."""
    text = '[prompt]\npinentry = "/opt/pinentry"\n[keychain]\nbackends = ["mine.Keyring"]'
    found = load(config, text)
    assert found.pinentry == "/opt/pinentry"
    assert found.backends == ("mine.Keyring",)
    assert found.path == str(config)


def test_a_projects_entry_inherits_from_its_index(config: Path) -> None:
    """PyPI/demo has what PyPI has, except for its source, unless it has an entry."""
    found = load(
        config,
        """
        [secrets.PyPI]
        source = "op://Private/PyPI"
        confirm = false
        [secrets."PyPI/other"]
        username = "other"
        """,
    )
    assert found.entry("PyPI/demo") == Entry(
        "PyPI/demo", username="__token__", confirm=False, prefix="pypi-"
    )
    assert found.entry("PyPI/other") == Entry("PyPI/other", username="other")
    assert found.entry("Else/demo") == Entry("Else/demo")
    assert found.entry("unknown") == Entry("unknown")


# -- tokens, and what is uploaded --------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("0.0", 0), ('"15m"', 900), ('"30s"', 30), ('"2h"', 7200)]
)
def test_a_tokens_lifetime_is_a_duration_or_zero(config: Path, text: str, value: float) -> None:
    """Or 0: as long as the one that it is made of, which is another thing than left out."""
    expires = load(config, f"[commands.twine]\nexpires = {text}").commands["twine"].expires
    assert (expires, type(expires)) == (value, float)
    assert load(config).commands["twine"].expires is None


@pytest.mark.parametrize("text", ["15", "1", "-1", "0.5", "false", "true", "[]", "nan"])
def test_a_number_as_lifetime_is_refused_by_its_key(config: Path, text: str) -> None:
    """A number has no unit, and false does not mean 0."""
    error = trouble(config, f"[commands.twine]\nexpires = {text}")
    assert str(error).startswith(f"{config}: commands.twine.expires ")


@pytest.mark.parametrize("text", ['"0"', '"0m"', '"15"', '""', '"never"', '"-15m"'])
def test_an_invalid_lifetime_is_refused_by_its_key(config: Path, text: str) -> None:
    """None of them means 'no end' by mistake: that is 0 alone."""
    error = trouble(config, f"[commands.twine]\nexpires = {text}")
    assert str(error).startswith(f"{config}: commands.twine.expires ")


def test_the_hosts_that_a_token_may_go_to_are_read(config: Path) -> None:
    """A project's own token takes after the index's; shipped, there is none."""
    found = load(config, '[secrets.PyPI]\nhosts = ["pypi.example", "127.0.0.1"]')
    assert found.entry("PyPI").hosts == ("pypi.example", "127.0.0.1")
    assert found.entry("PyPI/demo").hosts == ("pypi.example", "127.0.0.1")
    assert found.entry("TestPyPI").hosts == ()


# -- what is refused -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[secret.PyPI]", "secret"),
        ("[secrets.PyPI]\nsoruce = 'x'", "secrets.PyPI.soruce"),
        ("[secrets.'my own']\nx = 1", "secrets.my own.x"),
        ("[commands.twine]\nsecret = {}", "commands.twine.secret"),
        ("[commands.twine.index]\ndefault = 'x'", "commands.twine.index"),
        ("[commands.x.index]\ndefault = 'x'", "commands.x.index"),
        ("[commands.twine.files]\nfolder = 'x'", "commands.twine.files"),
        ("[commands.x.files]\nfolder = 'x'", "commands.x.files"),
        ("[commands.x]\nflags = ['-x']", "commands.x.flags"),
        ("[secrets.X]\nhost = 'x'", "secrets.X.host"),
        ("[commands.x]\nexpiry = '15m'", "commands.x.expiry"),
        (
            "[commands.x.profiles.dev]\nenvironment = {}",
            "commands.x.profiles.dev.environment",
        ),
        ("[prompt]\npinentri = 'x'", "prompt.pinentri"),
        ("[keychain]\nbackend = 'x'", "keychain.backend"),
    ],
)
def test_an_unknown_key_is_named(config: Path, text: str, key: str) -> None:
    """With its file and its table, and the keys that there are."""
    error = trouble(config, text)
    assert str(error).startswith(f"{config}: {key} ")
    assert "known: " in str(error)


@pytest.mark.parametrize(
    ("text", "key", "table"),
    [("pinentry = 'x'", "pinentry", "prompt"), ("backends = ['x']", "backends", "keychain")],
)
def test_a_key_outside_of_its_table_is_pointed_to_it(
    config: Path, text: str, key: str, table: str
) -> None:
    """A policy has ``pinentry`` at the top; the configuration has it in a table."""
    error = trouble(config, text)
    assert str(error) == f"{config}: {key} is a key of the table [{table}]"
    assert f"[{table}]" in error.hint
    load(config, f"[{table}]\n{text}")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("secrets = 1", "secrets"),
        ("[secrets]\nPyPI = 'x'", "secrets.PyPI"),
        ("[secrets.X]\nsource = 1", "secrets.X.source"),
        ("[secrets.X]\nusername = ['me']", "secrets.X.username"),
        ("[secrets.X]\nusername = 'a\\u0000b'".replace("'", '"'), "secrets.X.username"),
        ("[secrets.X]\nremember = 15", "secrets.X.remember"),
        ("[secrets.X]\nremember = 'often'", "secrets.X.remember"),
        ("[secrets.X]\nconfirm = 'yes'", "secrets.X.confirm"),
        ("[secrets.X]\nconfirm = 1", "secrets.X.confirm"),
        ("commands = []", "commands"),
        ("[commands]\nx = 1", "commands.x"),
        ("[commands.x]\nprofiles = 1", "commands.x.profiles"),
        ("[commands.x.profiles]\ndev = 1", "commands.x.profiles.dev"),
        ("[commands.x]\nenv = 1", "commands.x.env"),
        ("[commands.x]\nenv = { A = 1 }", "commands.x.env"),
        ("[commands.x]\nenv = { 'A=B' = 'x' }", "commands.x.env"),
        ("[commands.x]\nsubcommands = 'upload'", "commands.x.subcommands"),
        ("[commands.x]\nsubcommands = [1]", "commands.x.subcommands"),
        ("[commands.gh]\nsubcommands = 'api, pr'", "commands.gh.subcommands"),
        ("[secrets.X]\nhosts = 'pypi.example'", "secrets.X.hosts"),
        ("[secrets.X]\nhosts = ['pypi.example', 1]", "secrets.X.hosts"),
        ("[commands.x]\ndefault = 'dev'", "commands.x.default"),
        ("prompt = 1", "prompt"),
        ("[keychain]\nbackends = 'x'", "keychain.backends"),
    ],
)
def test_a_wrong_type_is_named(config: Path, text: str, key: str) -> None:
    """With its file and key, and what the key takes."""
    assert str(trouble(config, text)).startswith(f"{config}: {key} ")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[secrets.X]\nsource = ''", "secrets.X.source"),
        ("[secrets.X]\nsource = 'op://'", "secrets.X.source"),
        ("[secrets.X]\nsource = ' a'", "secrets.X.source"),
        ("[commands.x]\nsecrets = { A = 'X#' }", "commands.x.secrets"),
        (
            "[commands.x.profiles.p]\nsecrets = { A = '#' }",
            "commands.x.profiles.p.secrets",
        ),
    ],
)
def test_a_bad_reference_is_named(config: Path, text: str, key: str) -> None:
    """With its file and key."""
    assert str(trouble(config, text)).startswith(f"{config}: {key} ")


@pytest.mark.parametrize(
    "text",
    [
        "[secrets.X]\nsource = 'pypi-canary0canary0canary0'",
        "[commands.x]\nsecrets = { A = 'ghp_canary0canary0canary0' }",
    ],
)
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(config: Path, text: str) -> None:
    """Someone who writes the token where its reference belongs sees it nowhere."""
    error = trouble(config, text)
    assert "canary" not in f"{error} {error.hint}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[secrets.PyPI]\n\nsource = \n", "line 3"),
        ("a = 1\na = 2\n", "line 2"),
        ("[secrets\n", "line 1"),
        ("a = 1\nb = ", "at end of document"),
    ],
)
def test_invalid_toml_is_named_with_its_line(config: Path, text: str, line: str) -> None:
    """The file and the line."""
    error = trouble(config, text)
    assert line in str(error)


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"a = " + b"1" * 5000, b"a = " + b"[" * 5000, b"a = " + b"{a=" * 5000, b"\0"],
    ids=["not UTF-8", "a long number", "deep lists", "deep tables", "NUL"],
)
def test_input_that_breaks_a_parser_is_a_typed_error(config: Path, data: bytes) -> None:
    """Not UTF-8, a number of 5000 digits, 5000 brackets: each is 'not TOML'."""
    assert "TOML" in str(trouble(config, data))


KEYS = st.sampled_from(
    "secrets commands prompt keychain X twine source username remember confirm prefix removes "
    "profiles default env subcommands exceptions values pinentry backends publishes a.b "
    "hosts expires blanks beaten_by command format".split()
)
VALUES = st.sampled_from(
    ["1", "true", '"x"', '""', "[]", '["a"]', "{}", '{ a = "b" }', "1979-05-27", "nan", '"op://a"']
)
LINES = st.one_of(
    st.builds("[{}]".format, st.lists(KEYS, min_size=1, max_size=4).map(".".join)),
    st.builds("{} = {}".format, KEYS, VALUES),
    st.text(max_size=10),
)


@pytest.mark.parser("configuration")
@given(
    data=st.lists(LINES, max_size=8).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))
    | st.binary(max_size=60)
)
def test_any_text_is_a_configuration_or_a_typed_error(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No bytes make reading fail in another way, and plain files are read as all others."""
    plain = toml.plain_tables(data)
    assert plain is None or repr(plain) == repr(tomllib.loads(data.decode()))
    config = tmp_path_factory.getbasetemp() / "whatever.toml"
    try:
        found = load(config, data)
    except BadConfiguration as error:
        assert error.hint
        assert str(config) in str(error)
        assert str(error).isprintable()
    else:
        assert "twine" in found.commands


def test_a_named_file_must_exist(config: Path) -> None:
    """If SECRETLY_CONFIG names a missing file, the command stops."""
    with pytest.raises(BadConfiguration, match=re.escape(str(config))) as caught:
        loading.load({"SECRETLY_CONFIG": str(config)})
    assert "SECRETLY_CONFIG" in (caught.value.hint or "")


def test_a_folder_as_configuration_is_refused(tmp_path: Path) -> None:
    """What cannot be read is said to be so."""
    with pytest.raises(BadConfiguration, match="Is a directory"):
        loading.load({"SECRETLY_CONFIG": str(tmp_path)})


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_file_that_others_can_change_is_refused(config: Path, mode: int) -> None:
    """They could have the secrets sent anywhere."""
    config.write_text("")
    config.chmod(mode)
    with pytest.raises(Refused, match=safefiles.BY_OTHERS):
        loading.load({"SECRETLY_CONFIG": str(config)})


def test_a_file_that_the_group_can_write_is_refused(config: Path) -> None:
    """Unless the user is alone in the group."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file to a group")
    import pwd

    others = {user.pw_gid for user in pwd.getpwall() if user.pw_uid != 0} - {0}
    if not others:
        pytest.skip("needs another user")
    config.write_text("")
    os.chown(config, -1, min(others))
    config.chmod(0o664)
    with pytest.raises(Refused, match=safefiles.BY_OTHERS):
        loading.load({"SECRETLY_CONFIG": str(config)})


def test_a_folder_that_others_can_write_is_refused(config: Path) -> None:
    """Other users could replace the file."""
    config.write_text("")
    config.parent.chmod(0o777)
    with pytest.raises(Refused, match=safefiles.BY_OTHERS):
        loading.load({"SECRETLY_CONFIG": str(config)})


# -- durations and variables -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"), [("1s", 1), ("60s", 60), ("15m", 900), ("2h", 7200), ("090s", 90)]
)
def test_a_duration_is_read_in_seconds(text: str, value: float) -> None:
    """In seconds, minutes or hours."""
    assert duration(text) == value


@pytest.mark.parametrize(
    "text", ["", "s", "15", "0s", "-1s", "1.5m", "1 m", "15M", "1d", "1h30m", "9999999s", "1s\n"]
)
def test_an_invalid_duration_is_refused(text: str) -> None:
    """Without a unit one could not tell; nought would never be meant."""
    with pytest.raises(BadConfiguration) as caught:
        duration(text)
    assert caught.value.hint


@given(st.text("0123456789smh\u0661 -", max_size=8) | st.from_regex(r"[0-9]{1,7}[smhd]\n?"))
def test_a_duration_is_digits_and_a_unit(text: str) -> None:
    """As the pattern says."""
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    try:
        seconds = duration(text)
    except SecretlyError:
        assert found is None or int(found[1]) == 0
    else:
        assert found is not None
        assert seconds == int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


@pytest.mark.parser("durations")
@given(st.text())
def test_any_text_is_a_duration_or_a_typed_error(text: str) -> None:
    """No text makes reading it fail in another way, or gives a time that is none."""
    try:
        assert 0 < duration(text) < float("inf")
    except BadConfiguration as error:
        assert str(error).isprintable()


@pytest.mark.parametrize(
    "name", ["TOKEN", "_x", "TWINE_PASSWORD", "my_path", "LDAP_PASSWORD", "A1"]
)
def test_an_ordinary_variable_takes_a_secret(name: str) -> None:
    """Letters, digits and underscores."""
    assert check_variable(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "path",
        "IFS",
        "ENV",
        "BASH_ENV",
        "BASH_FUNC_x",
        "SHELLOPTS",
        "PROMPT_COMMAND",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONHOME",
        "PERL5LIB",
        "PERL5OPT",
        "RUBYOPT",
        "RUBYLIB",
        "NODE_OPTIONS",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
    ],
)
def test_a_variable_that_changes_how_programs_load_is_refused(config: Path, name: str) -> None:
    """On the command line and in the configuration."""
    with pytest.raises(BadConfiguration, match=name) as caught:
        check_variable(name)
    assert caught.value.hint
    assert name in str(trouble(config, f"[commands.x]\nsecrets = {{ {name} = 'X' }}"))
    assert name in str(trouble(config, f"[commands.x.profiles.p]\nsecrets = {{ {name} = 'X' }}"))


@pytest.mark.parametrize(
    "name", ["", "1A", "A-B", "A=B", "A B", "Ä", "A\n", "A\0", "A{REPOSITORY}"]
)
def test_an_invalid_name_of_a_variable_is_refused(name: str) -> None:
    """And shown harmless."""
    with pytest.raises(BadConfiguration, match="variable") as caught:
        check_variable(name)
    assert str(caught.value).isprintable()


@pytest.mark.parser("names of variables")
@given(st.text())
def test_any_name_is_a_variable_or_a_typed_error(name: str) -> None:
    """What is accepted can be put into an environment."""
    try:
        check_variable(name)
    except SecretlyError as error:
        assert isinstance(error, BadConfiguration)
    else:
        assert name.isascii() and name.isidentifier()


def test_the_null_device_is_an_empty_configuration() -> None:
    """SECRETLY_CONFIG=/dev/null is the usual way to say: none; so is an empty value."""
    for value in (os.devnull, ""):
        found = loading.load({"SECRETLY_CONFIG": value, "HOME": "/nonexistent"})
        assert set(found.secrets) == {"PyPI", "TestPyPI"}


def test_a_source_has_a_scheme(tmp_path: Path) -> None:
    """A source that is only a name would be looked for nowhere: it is refused while reading."""
    path = tmp_path / "config.toml"
    path.write_text('[secrets.PyPI]\nsource = "Other"\n')
    with pytest.raises(BadConfiguration, match=r"secrets\.PyPI\.source "):
        loading.load({"SECRETLY_CONFIG": str(path)})


# -- a command as the source -----------------------------------------------------


def test_a_command_is_a_source(config: Path) -> None:
    """It is kept as its words, and reached by the secret's name."""
    found = load(config, '[secrets.X]\ncommand = ["show", "a b", "", "$HOME"]').entry("X")
    assert found.command == ("show", "a b", "", "$HOME")
    assert found.source == Reference("command", "X")
    assert load(config, '[secrets.PyPI]\ncommand = ["a"]').entry("PyPI").prefix == "pypi-"


def test_a_project_does_not_inherit_its_parents_command(config: Path) -> None:
    """It would be given the parent's secret."""
    found = load(config, '[secrets.X]\ncommand = ["show"]\nusername = "me"')
    assert found.entry("X/demo") == Entry("X/demo", username="me")


@pytest.mark.parametrize(
    "value", ['"show it"', "[]", '[""]', '["", "a"]', "[1]", "true", '["a\\u0000"]']
)
def test_a_command_is_a_list_of_words(config: Path, value: str) -> None:
    """No shell reads it, so a single text is refused."""
    error = trouble(config, f"[secrets.X]\ncommand = {value}")
    assert "secrets.X.command takes " in str(error)


def test_a_secret_has_one_source(config: Path) -> None:
    """A reference or a command."""
    error = trouble(config, '[secrets.X]\ncommand = ["show"]\nsource = "env://X"')
    assert str(error).startswith(f"{config}: secrets.X ")


def test_a_command_has_no_secret_among_its_words(config: Path) -> None:
    """Any process can read them; the secret is not repeated."""
    error = trouble(config, '[secrets.X]\ncommand = ["echo", "pypi-canary0canary0canary0"]')
    assert "canary" not in f"{error} {error.hint}"


def test_no_reference_names_a_command(config: Path) -> None:
    """What a project's file may hold runs nothing: only what is configured does."""
    text = '[secrets.X]\ncommand = ["show"]\nconfirm = true\n[secrets.Y]\nsource = "command://X"'
    error = trouble(config, text)
    assert str(error).startswith(f"{config}: secrets.Y.source ")


@pytest.mark.parametrize("kind", ["config", "data", "state"])
def test_elsewhere_than_on_linux_platformdirs_decides(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS has other folders than Linux, and platformdirs knows them."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert places.secretly_folder(kind, {"HOME": "/nowhere"}).endswith("secretly")


def test_a_user_without_an_entry_has_the_root_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as a user number without an entry. HOME takes precedence."""
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert places.home_folder({}) == places.expand_user("~", {}) == "/"
    assert places.home_folder({"HOME": "/home/me"}) == "/home/me"


@pytest.mark.parametrize("home", ["", ".", "relative/home", "~"])
def test_a_home_that_is_not_a_full_path_does_not_count(home: str) -> None:
    """Instead, secretly uses the home from the system's password database."""
    system = pwd.getpwuid(os.getuid()).pw_dir
    assert places.home_folder({"HOME": home}) == places.home_folder({}) == system
    assert places.expand_user("~/x", {"HOME": home}) == os.path.join(system, "x")
    for kind in ("config", "data", "state"):
        for root in ("", "relative", "./x"):
            variables = {"HOME": home, f"XDG_{kind.upper()}_HOME": root}
            assert places.xdg_folder(kind, variables).startswith(system)
            assert os.path.isabs(places.secretly_folder(kind, variables))
    for folder in ("", "run", "~/run"):
        variables = {"XDG_RUNTIME_DIR": folder}
        assert places.runtime_folder(variables) == f"/run/user/{os.geteuid()}"
    for variables in ({"HOME": home}, {"HOME": home, "PASSWORD_STORE_DIR": ""}):
        assert passwordstore.folder(variables) == os.path.join(system, ".password-store")
    assert passwordstore.folder({"PASSWORD_STORE_DIR": "/srv/store"}) == "/srv/store"


def test_elsewhere_the_home_is_the_systems_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """platformdirs alone would use the root folder if HOME is empty."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("HOME", "")
    system = pwd.getpwuid(os.getuid()).pw_dir
    assert places.secretly_folder("config", {"HOME": ""}).startswith(system)
    monkeypatch.setenv("HOME", "/home/other")
    assert places.secretly_folder("config", {}).startswith(system)


def test_a_relative_configuration_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path could name a file in any working folder."""
    (tmp_path / "config.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    for named in ("config.toml", "./config.toml"):
        with pytest.raises(BadConfiguration, match="full path") as caught:
            loading.load({"SECRETLY_CONFIG": named})
        assert named in caught.value.hint
