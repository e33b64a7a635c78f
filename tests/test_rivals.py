"""Credentials that a known command would use in place of the variable."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from command import quick

from secretly.config import loading
from secretly.config.command_line import recognize
from secretly.errors import BadConfiguration, Refused
from secretly.running import rivals

KNOWN = loading.load({"SECRETLY_CONFIG": os.devnull})


@pytest.fixture(name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without settings, on a system without any for all users."""
    from secretly.running.rivals import libpq, mysql

    monkeypatch.setattr(mysql, "_SYSTEM", (str(tmp_path / "system.cnf"),))
    monkeypatch.setattr(libpq, "_SYSTEM", (str(tmp_path / "system"),))
    return tmp_path


def write(home: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("~", str(home)))


def refusal(home: Path, line: str, **environ: str) -> str:
    """What secretly says of a call whose own variables all get a secret; empty if it runs."""
    call = recognize(shlex.split(line.replace("~", str(home))), KNOWN)
    assert call is not None
    given = {name: text.replace("~", str(home)) for name, text in environ.items()}
    try:
        rivals.refuse_rivals(call, call.row.secrets, {"HOME": str(home), **given})
    except Refused as error:
        assert error.hint.endswith(f"or run {call.row.name} without secretly")
        assert "canary" not in f"{error}{error.hint}"
        return str(error)
    return ""


CLIENT = {".my.cnf": "[client]\npassword=canary-file\n"}


@pytest.mark.parametrize(
    ("line", "files", "named"),
    [
        ("mysql -u ada db", CLIENT, "/.my.cnf ([client])"),
        ("mysqldump db", CLIENT, "/.my.cnf ([client])"),
        ("mysql", {".my.cnf": " [client]  # c\n  password   =\n"}, "/.my.cnf ([client])"),
        ("mysql", {".my.cnf": "[CLIENT]\nPassword\n"}, "/.my.cnf ([CLIENT])"),
        ("mysql", {".my.cnf": "[mysql]\nloose_pass=canary-file\n"}, "/.my.cnf ([mysql])"),
        ("mysql", {".my.cnf": "[client-mariadb]\nskip-password\n"}, "([client-mariadb])"),
        ("mariadb", {".my.cnf": "[mariadb-client]\npassword=x\n"}, "([mariadb-client])"),
        ("mariadb-dump", {".my.cnf": "[mariadb-dump]\npassword=x\n"}, "([mariadb-dump])"),
        ("mysql", {"system.cnf": "[client]\npassword=x\n"}, "/system.cnf"),
        ("mysql", {".my.cnf": "!include ~/a.cnf\n", "a.cnf": CLIENT[".my.cnf"]}, "/a.cnf"),
        ("mysql", {".my.cnf": "!includedir ~/d\n", "d/a.cnf": CLIENT[".my.cnf"]}, "/d/a.cnf"),
        ("mysql", {".my.cnf": "!include ~/.my.cnf\n"}, "the settings that"),
        ("mysql --defaults-file=~/a.cnf", {"a.cnf": CLIENT[".my.cnf"]}, "/a.cnf"),
        ("mysql --defaults-extra-file ~/a.cnf", {"a.cnf": CLIENT[".my.cnf"]}, "/a.cnf"),
        ("mysql --defaults-group-suffix=W", {".my.cnf": "[clientw]\npassword=x\n"}, "[clientw]"),
        ("mysql", {".mylogin.cnf": "\0"}, "/.mylogin.cnf"),
        ("mysql -u ada -pcanary-opt", {}, "-p"),
        ("mysql -p db", {}, "-p"),
        ("mysql --password=canary-opt", {}, "--password"),
        ("mysql --skip-password", {}, "--skip-password"),
        ("mysqldump -e -pcanary-opt db", {}, "-p"),
    ],
)
def test_a_password_of_mysqls_own_is_refused(
    home: Path, line: str, files: dict[str, str], named: str
) -> None:
    """In a file and a group that this client reads, in any form, or in the call."""
    write(home, files)
    assert named in refusal(home, line)


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("mysql -upete -Ppassword", {}),
        ("mysql", {".my.cnf": "[client]\n#password=x\n; password=x\nuser=ada\n"}),
        ("mysql", {".my.cnf": "[mysqldump]\npassword=x\n[mysqld]\npassword=x\n"}),
        ("mysqldump", {".my.cnf": "[mysql]\npassword=x\n"}),
        ("mysql", {".my.cnf": "[client]\nport=3306\np\nplugin-dir=x\n"}),
        ("mysql --no-defaults", CLIENT),
        ("mysql --defaults-file=~/a.cnf", CLIENT),
        ("mysql", {".my.cnf": "!includedir ~/d\n", "d/a.txt": CLIENT[".my.cnf"]}),
        ("mysql", {".my.cnf": "[clientw]\npassword=x\n"}),
        ("mariadb", {".mylogin.cnf": "\0"}),
    ],
)
def test_other_settings_of_mysql_are_not(home: Path, line: str, files: dict[str, str]) -> None:
    """Another group, another file, a comment."""
    write(home, files)
    assert refusal(home, line) == ""


def test_mysqls_variables_name_files_and_groups(home: Path) -> None:
    """``MYSQL_HOME`` and the suffixes count as for the client."""
    write(home, {"h/my.cnf": CLIENT[".my.cnf"]})
    assert "/h/my.cnf" in refusal(home, "mysql", MYSQL_HOME="~/h")
    write(home, {".my.cnf": "[clientw]\npassword=x\n"})
    assert "[clientw]" in refusal(home, "mysql", MARIADB_GROUP_SUFFIX="w")
    write(home, {"other": "\0"})
    assert "/other" in refusal(home, "mysql --no-defaults", MYSQL_TEST_LOGIN_FILE="~/other")


SERVICE = {".pg_service.conf": "# c\n[v]\nhost=h\n[w]\nhost=h\npassword=canary-file\n"}


@pytest.mark.parametrize(
    ("line", "files", "named"),
    [
        ("psql postgres://ada:canary-opt@h/db", {}, "arguments"),
        ("psql postgresql://ada:@h", {}, "arguments"),
        ("psql 'postgres://ada@h/db?password=canary-opt'", {}, "arguments"),
        ("psql -d 'host=h password = canary-opt'", {}, "arguments"),
        ("psql \"password='a b' host=h\"", {}, "arguments"),
        ("pg_dump -v postgres://ada:canary-opt@h/db", {}, "arguments"),
        ("pg_dumpall --dbname='host=h password=x'", {}, "arguments"),
        ("psql service=w", SERVICE, "the service w in"),
        ("psql 'postgres:///?service=w'", SERVICE, "the service w in"),
        ("env PGSERVICE=w psql", SERVICE, "the service w in"),
        ("psql service=w", {"system/pg_service.conf": SERVICE[".pg_service.conf"]}, "/system/"),
        ("psql service=w", {".pg_service.conf": "[w]\nldap://h/dc=x\n"}, "what a server gives"),
        ("psql service=gone", SERVICE, "can't find"),
        ("pgcli postgres://ada:canary-opt@h/db", {}, "arguments"),
        ("pgcli service=w", SERVICE, "the service w in"),
        (
            "pgcli -D w",
            {".config/pgcli/config": "[main]\n[alias_dsn]\nw = 'postgres://a:canary-f@h'\n"},
            "the alias w",
        ),
        ("pgcli -D gone", {}, "the alias gone"),
        ("pgcli --pgclirc ~/c --dsn w", {"c": "[alias_dsn]\nw=postgres://a:x@h\n"}, "/c"),
    ],
)
def test_a_password_of_libpqs_own_is_refused(
    home: Path, line: str, files: dict[str, str], named: str
) -> None:
    """In the call, or in the service that it names."""
    write(home, files)
    assert named in refusal(home, line)


@pytest.mark.parametrize(
    "line",
    [
        "psql -h h -U ada db",
        "psql postgres://ada@h:5432/db?sslmode=require",
        "psql 'host=h user=ada passfile=/x'",
        "psql -c \"select 'password=x'\" db",
        "psql --command \"select 'password=x'\"",
        "psql service=v",
        "pgcli -D v",
        "pg_dump -v -t password=x db",
        "pg_restore -d db password.dump",
    ],
)
def test_other_calls_of_libpq_are_not(home: Path, line: str) -> None:
    """``.pgpass`` does not hide the variable, and a service may have no password."""
    alias = "[main]\nv = postgres://a:x@h\n[alias_dsn]\nw = postgres://a:x@h\nv=postgres://a@h\n"
    write(home, {**SERVICE, ".pgpass": "*:*:*:*:canary-file\n", ".config/pgcli/config": alias})
    assert refusal(home, line) == ""


def test_libpqs_variables_name_the_service_and_its_file(home: Path) -> None:
    """``PGSERVICE``, ``PGSERVICEFILE`` and ``PGSYSCONFDIR`` count as for libpq."""
    write(home, {"a": SERVICE[".pg_service.conf"], "s/pg_service.conf": "[x]\npassword=\n"})
    assert "/a" in refusal(home, "psql", PGSERVICE="w", PGSERVICEFILE="~/a")
    assert "/s/" in refusal(home, "psql", PGSERVICE="x", PGSYSCONFDIR="~/s")
    assert refusal(home, "psql service=v", PGSERVICE="w", PGSERVICEFILE="~/a") == ""


AWS = {
    ".aws/credentials": "[default]\naws_access_key_id=a\n[w]\naws_secret_access_key=canary-w\n",
    ".aws/config": (
        "[default]\nregion=x\n"
        "[profile e]\nrole_arn=r\ncredential_source = Environment\n"
        "[profile e2]\nrole_arn=r\nsource_profile=e\n"
        "[profile w2]\nrole_arn=r\nsource_profile=w\n"
        "[profile both]\nrole_arn=r\nsource_profile=e\ncredential_source=Environment\n"
        "[profile circle]\nrole_arn=r\nsource_profile=circle2\n"
        "[profile circle2]\nrole_arn=r\nsource_profile=circle\n"
        "[profile ec2]\nrole_arn=r\ncredential_source=Ec2InstanceMetadata\n"
    ),
}


@pytest.mark.parametrize("profile", ["w", "default", "w2", "both", "circle", "ec2", "gone"])
def test_a_profile_of_awss_is_refused(home: Path, profile: str) -> None:
    """aws signs with its keys, whatever the variables hold; a beginning of the option counts."""
    write(home, AWS)
    for line in (f"aws --profile {profile} s3 ls", f"aws s3 ls --prof={profile}"):
        assert f"--profile {profile}" in refusal(home, line)


def test_a_profile_that_takes_its_keys_from_variables_is_not(home: Path) -> None:
    """Itself, or the one that it names; and AWS_PROFILE alone changes nothing."""
    write(home, AWS)
    assert refusal(home, "aws --profile e s3 ls") == ""
    assert refusal(home, "aws --profile e2 s3 ls") == ""
    assert refusal(home, "aws s3 ls", AWS_PROFILE="w") == ""
    write(home, {".aws/config": "not a section\n"})
    assert refusal(home, "aws --profile e s3 ls")


@pytest.mark.parametrize(
    ("line", "environ", "named"),
    [
        ("gh api --hostname ghe.example user", {}, "ghe.example"),
        ("gh pr list -R ghe.example/o/r", {}, "ghe.example"),
        ("gh pr list --repo=https://ghe.example/o/r", {}, "ghe.example"),
        ("gh pr list", {"GH_HOST": "ghe.example"}, "ghe.example"),
        ("gh pr list", {"GH_REPO": "git@ghe.example:o/r.git"}, "ghe.example"),
        ("gh pr list", {"GH_HOST": "notgithub.com"}, "notgithub.com"),
        ("gh pr list -R o/r", {}, ""),
        ("gh pr list -R github.com/o/r", {"GH_HOST": "ghe.example"}, ""),
        ("gh api user", {"GH_HOST": "acme.ghe.com"}, ""),
        ("gh api user", {"GH_HOST": "ghe.example", "GH_ENTERPRISE_TOKEN": "x"}, ""),
        ("doctl --context work account get", {}, "context work"),
        ("doctl account get", {"DIGITALOCEAN_CONTEXT": "work"}, "context work"),
        ("doctl --context default account get", {"DIGITALOCEAN_CONTEXT": "work"}, ""),
        ("doctl -t canary-opt account get", {}, "-t"),
        ("redis-cli -p 6379 -a canary-opt PING", {}, "-a"),
        ("redis-cli -u redis://:canary-opt@h PING", {}, "-u"),
        ("redis-cli -u redis://h PING", {}, ""),
        ("redis-cli -n 3 SET -a x", {}, ""),
        ("llm --key canary-opt hello", {}, "--key"),
        ("llm hello", {}, ""),
        ("restic -r x -p file snapshots", {}, "-p"),
        ("restic -rpath snapshots", {}, ""),
        ("databricks --profile w jobs list", {}, "--profile"),
        ("cdk deploy --profile w", {}, "--profile"),
        ("cdk deploy", {}, ""),
        ("env CDK_PROFILE=w cdk deploy", {}, "CDK_PROFILE"),
        ("env AWS_PROFILE=w cdk deploy", {}, ""),
        ("sam logs -t --profile w", {}, "--profile"),
        ("sam deploy", {"AWS_PROFILE": "w"}, ""),
        ("fastly service list --profile w", {}, "--profile"),
        ("fastly service list -o w", {}, "-o"),
        ("fastly service list", {}, ""),
        ("rclone --password-command x lsd far:", {}, "--password-command"),
        ("sqlcmd -SmyServerP -Q 'select 1'", {}, ""),
        ("sqlcmd -S h -P canary-opt", {}, "-P"),
        ("hf download x --token canary-opt", {}, "--token"),
        ("gemini -p x", {"GEMINI_CLI_HOME": "/nowhere"}, ""),
    ],
)
def test_what_other_tools_prefer_is_refused(
    home: Path, line: str, environ: dict[str, str], named: str
) -> None:
    """An option or a variable that chooses another credential; nothing else."""
    said = refusal(home, line, **environ)
    assert named in said
    assert bool(said) == bool(named)


#: A profile for all of sam's subcommands.
FOR_ALL = '[default.global.parameters]\nprofile = "w"\n'
#: Where programs of macOS have their settings.
MAC = "Library/Application Support"


@pytest.mark.parametrize(
    ("line", "path", "text", "refused"),
    [
        ("doctl account get", ".config/doctl/config.yaml", "context: work\n", True),
        ("doctl account get", ".config/doctl/config.yaml", "a: b\ncontext: default\n", False),
        ("doctl account get", ".config/doctl/config.yaml", "auth-contexts:\n  context: x\n", False),
        ("doctl account get", ".config/doctl/config.yaml", '{"context": "work"}', True),
        ("doctl -c ~/c account get", "c", '"context" : "work"\n', True),
        ("llm hello", ".config/io.datasette.llm/keys.json", '{"openai": "canary-file"}', True),
        ("llm hello", ".config/io.datasette.llm/keys.json", '{"claude": "canary-file"}', False),
        ("llm hello", ".config/io.datasette.llm/keys.json", "[", False),
        ("llm hello", f"{MAC}/io.datasette.llm/keys.json", '{"openai": "canary-file"}', True),
        ("doctl account get", f"{MAC}/doctl/config.yaml", "context: work\n", True),
        ("gemini -p x", ".gemini/settings.json", '{"selectedType": "oauth-personal"}', True),
        ("gemini -p x", ".gemini/settings.json", '{"selectedAuthType" : "vertex-ai"}', True),
        ("gemini -p x", ".gemini/settings.json", '{"selectedType": "gemini-api-key"}', False),
        ("gemini -p x", ".gemini/settings.json", '{"theme": "oauth-personal"}', False),
        ("cdk deploy", ".cdk.json", '{"profile": "w"}', True),
        ("cdk deploy", ".cdk.json", '{"context": {"profile": "w"}}', False),
        ("cdk deploy", ".cdk.json", "{", True),
        ("cdk deploy", "cdk.json", '{"profile": "w"}', True),
        ("cdk deploy", "cdk.json", '{"profile": ""}', False),
        ("sam deploy", "samconfig.toml", FOR_ALL, True),
        ("sam deploy", "samconfig.toml", FOR_ALL.replace("global", "deploy"), True),
        ("sam list endpoints", "samconfig.toml", FOR_ALL.replace("global", "list_endpoints"), True),
        ("sam", "samconfig.toml", FOR_ALL.replace("global", "deploy"), True),
        ("sam delete", "samconfig.toml", FOR_ALL.replace("global", "deploy"), False),
        ("sam deploy", "samconfig.toml", FOR_ALL.replace("default", "prod"), False),
        (
            "sam deploy --config-env prod",
            "samconfig.toml",
            FOR_ALL.replace("default", "prod"),
            True,
        ),
        ("sam deploy --config-file ~/o.toml", "o.toml", FOR_ALL, True),
        ("sam deploy", "o.toml", FOR_ALL, False),
        ("sam deploy -t t/a.yaml", "t/samconfig.toml", FOR_ALL, True),
        ("sam deploy -tt/a.yaml", "t/samconfig.toml", FOR_ALL, True),
        ("sam deploy --template=t/a.yaml", "t/samconfig.toml", FOR_ALL, True),
        ("env SAM_TEMPLATE_FILE=t/a.yaml sam deploy", "t/samconfig.toml", FOR_ALL, True),
        ("sam deploy", "t/samconfig.toml", FOR_ALL, False),
        ("sam deploy", "samconfig.toml", "[", True),
        (
            "sam deploy",
            "samconfig.yml",
            "default:\n  global:\n    parameters: {profile: w}\n",
            True,
        ),
        ("sam deploy", "samconfig.yaml", "default:\n  global:\n    profile : w\n", True),
        ("sam deploy", "samconfig.yaml", "default:\n  no_profile: w\n", False),
    ],
)
def test_settings_files_of_other_tools(
    home: Path, monkeypatch: pytest.MonkeyPatch, line: str, path: str, text: str, refused: bool
) -> None:
    """The key that counts, and no other of that name."""
    monkeypatch.setattr("sys.platform", "darwin" if path.startswith(MAC) else "linux")
    monkeypatch.chdir(home)
    write(home, {path: text})
    assert bool(refusal(home, line)) == refused


def test_only_a_secret_that_is_delivered_can_be_hidden(home: Path) -> None:
    """If the user has set the variable, secretly gives the command nothing of its own."""
    write(home, CLIENT)
    call = recognize(["mysql"], KNOWN)
    assert call is not None
    rivals.refuse_rivals(call, {"OTHER"}, {"HOME": str(home)})


def test_an_unknown_name_in_a_configuration_is_an_error(home: Path) -> None:
    """The message says which names there are."""
    call = recognize(["mysql"], KNOWN)
    assert call is not None
    call = call._replace(row=call.row._replace(beaten_by=("other",)))
    with pytest.raises(BadConfiguration, match=r"commands\.mysql\.beaten_by"):
        rivals.refuse_rivals(call, call.row.secrets, {"HOME": str(home)})


def test_each_row_names_a_module_or_an_option() -> None:
    """And each module is named by a row."""
    named = {word for row in KNOWN.commands.values() for word in row.beaten_by}
    assert {word for word in named if not word.startswith("-")} == set(rivals.MODULES)


@pytest.mark.process
def test_the_command_asks_before_it_looks_anything_up() -> None:
    """The refusal comes first; an empty list in the configuration switches the check off."""
    with quick() as home:
        home.program("mysql", "#!/bin/sh\n")
        (home.folder / ".my.cnf").write_text(CLIENT[".my.cnf"])
        done = home.run("run", "--no-input", "mysql", "db")
        assert (done.status, done.stdout) == (125, "")
        assert "/.my.cnf ([client])" in done.stderr.splitlines()[0]
        assert len(done.stderr.splitlines()) == 2
        home.program("recipe", "#!/bin/sh\n")
        said = home.run("run", "--no-input", "--as", "mysql", "recipe", "-p").stderr
        assert "/.my.cnf ([client])" in said
        (home.folder / ".my.cnf").write_text("")
        said = home.run("run", "--no-input", "--as", "mysql", "recipe", "-p").stderr
        assert "get MySQL" in said  # its -p is not mysql's
        (home.folder / ".my.cnf").write_text(CLIENT[".my.cnf"])
        home.configure("[commands.mysql]\nbeaten_by = []\n")
        assert "get MySQL" in home.run("run", "--no-input", "mysql").stderr
