"""The known commands: each row is sound, and real tools read the variables that theirs name."""

from __future__ import annotations

import ast
import base64
import contextlib
import csv
import hashlib
import hmac
import http.server
import importlib
import json
import os
import pkgutil
import re
import shlex
import socketserver
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from command import Ended, Home, Warm, home, quick
from conftest import need, need_package

from secretly.asking.assuan import unescape
from secretly.config import known_commands, loading
from secretly.config.invocation import Invocation
from secretly.config.model import Command
from secretly.config.schema import ConfigFile
from secretly.config.values import check_variable
from secretly.publishing import tools
from secretly.publishing.options import Options
from secretly.publishing.parsers.clap import Clap
from secretly.publishing.parsers.nopt import Nopt
from secretly.publishing.tools import tool_for
from secretly.reference import looks_secret, parse
from secretly.testing import FakePinentry

SHIPPED = Path(loading.__file__).with_name("known_commands.py")
ROWS = loading.load({"SECRETLY_CONFIG": os.devnull}).commands
#: The first arguments with which most of those need no secret that have no subcommands listed.
COMMON = ROWS["aws"].exceptions
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.rst"
TRIED = PAGE.with_name("commands-tried.csv")


def filled(name: str) -> str:
    """A variable's name, where the index's name is part of it."""
    return name.replace("{REPOSITORY}", "PYPI")


def calls(row: Command) -> list[list[str]]:
    """A command line for each subcommand that needs the secret."""
    return [[row.name, *wanted.split()] for wanted in row.subcommands] or [[row.name]]


# -- every row -------------------------------------------------------------------


def test_no_key_stands_twice_in_the_table() -> None:
    """And no key stands there twice: the second would hide the first."""
    assert len(ROWS) >= 45
    assert sorted(known_commands.COMMANDS) == sorted(ROWS)
    for node in ast.walk(ast.parse(SHIPPED.read_text("utf-8"))):
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            assert len(keys) == len(set(keys)) == len(node.keys)


def test_the_shipped_tables_are_right() -> None:
    """A start doesn't check them with the schema, which takes time to load. This test does."""
    read, shipped = ConfigFile("known_commands"), loading.load({"SECRETLY_CONFIG": os.devnull})
    assert {name: read.command(name, known_commands.row(name)) for name in ROWS} == dict(ROWS)
    assert shipped.secrets == {
        name: read.entry(name, table) for name, table in known_commands.SECRETS.items()
    }


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_sound(name: str) -> None:
    """It has secrets; no variable that steers programs gets one; nothing is said twice."""
    row = ROWS[name]
    assert row.secrets
    for variable in (*row.secrets, *filter(None, [row.username])):
        assert check_variable(filled(variable))
    for reference in row.secrets.values():
        assert not looks_secret(reference)
        tool = tool_for(name)
        assert (reference == "") == (tool is not None and tool.narrows)
        if reference:
            assert (
                parse(reference).scheme == ""
            )  # a name: the user decides where the secret comes from
            assert parse(reference).field in ("", "username")
    others = [*row.secrets, *row.alternatives, *row.removes, *row.env, row.username or ""]
    assert max(Counter(others).values()) == 1
    for variable in (*row.alternatives, *row.removes):
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*", filled(variable))
    assert not (row.subcommands and row.exceptions)
    for several in (row.subcommands, row.exceptions, row.values):
        assert max(Counter(several).values(), default=1) == 1
    assert all(option.startswith("-") for option in row.values)
    assert not row.profiles
    assert row.default is None


@pytest.mark.parametrize("name", ROWS)
def test_a_row_needs_its_secret_where_it_says_so(name: str) -> None:
    """For each subcommand, after options too; and not to be told of help or the version."""
    row = ROWS[name]
    for _, *words in calls(row):
        options = [part for option in row.values for part in (option, "value")]
        assert Invocation(row, (*options, *words)).needs_secret
        assert Invocation(row, (*words, "-method=oauth", "--", "--help")).needs_secret
        assert not Invocation(row, (*words, "--help")).needs_secret
        assert Invocation(row, (*words, "-h", "x")).needs_secret == ("-h" in row.values)
    assert not Invocation(row, ("--version",)).needs_secret
    assert not Invocation(row, ("--help",)).needs_secret
    assert Invocation(row, ("no-such-subcommand",)).needs_secret == (not row.subcommands)
    for words in map(str.split, row.exceptions):
        assert not Invocation(row, (*words, "x")).needs_secret


@pytest.mark.parametrize("option", ["-help", "-h", "--help"])
def test_only_a_whole_word_asks_for_help(option: str) -> None:
    """Of programs written in Go, an option with an h in it is not the one for help."""
    assert not Invocation(ROWS["vault"], ("kv", "get", option)).needs_secret
    assert Invocation(ROWS["vault"], ("kv", "get", "-format=json", "-path=x")).needs_secret
    assert Invocation(ROWS["terraform"], ("-chdir=x", "plan", "-refresh=false")).needs_secret


def test_a_version_may_be_an_argument() -> None:
    """``cargo yank --version 1.0`` needs the token."""
    assert Invocation(ROWS["cargo"], ("yank", "--version", "1.0.0", "demo")).needs_secret


@pytest.mark.parametrize(
    "line",
    [
        *("gh --version", "gh completion", "gh auth login", "terraform fmt", "terraform login"),
        *("npm install", "npm version patch", "cargo build", "cargo login", "restic version"),
        *("vault server", "hf cache scan", "wrangler dev", "ngrok api x", "borg break-lock x"),
        # These would keep what they are given in a file.
        *("doctl auth init", "glab auth login", "fly auth docker", "snyk auth", "scw init"),
        *(
            "twilio profiles:create",
            "fastly profile create",
            "fastly auth login",
            "databricks auth login",
        ),
        *("doppler setup", "cachix use x", "vault login", "circleci setup", "llm keys set x"),
        *("wandb login", "heroku auth:login", "aws configure", "stripe config --list"),
    ],
)
def test_a_call_that_needs_no_secret_gets_none(line: str) -> None:
    """Nor what would store it."""
    name, *words = line.split()
    assert not Invocation(ROWS[name], tuple(words)).needs_secret


@pytest.mark.parametrize(
    "line",
    [
        *("npm publ", "npm profile get", "npm author ls", "npm dist-tags ls", "npm trust list"),
        *("gh cs list", "gh ext search x", "gh co 1", "hf cp x y", "hf sandbox run"),
        *("cargo +nightly publish", "borg --debug-profile x list", "borg --remote-buffer 5 list x"),
        *("doctl auth token", "glab auth status", "fly auth whoami", "terraform providers"),
    ],
)
def test_aliases_of_subcommands_are_known(line: str) -> None:
    """Aliases and what is short for a subcommand: it would run without its secret."""
    name, *words = line.split()
    assert Invocation(ROWS[name], tuple(words)).needs_secret


@pytest.mark.parametrize(
    ("line", "host"),
    [(f"{name} -h db.example.org", True) for name in ROWS if "-h" in ROWS[name].values],
)
def test_a_databases_host_option_does_not_ask_for_help(line: str, host: bool) -> None:
    """``psql -h HOST`` needs the password."""
    name, *words = line.split()
    assert Invocation(ROWS[name], tuple(words)).needs_secret == host


@pytest.fixture(scope="module", name="warm")
def _warm() -> Iterator[Warm]:
    """The command where each known one is there, and every other credential is set."""
    with home() as folder:
        for row in ROWS.values():
            folder.program(row.name, "#!/bin/sh\ntouch ran\n")
        environ = {
            name: "canary-stale" for row in ROWS.values() for name in row.removes if "{" not in name
        }
        environ["PATH"] = str(folder.programs)
        environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
        with Warm(folder, environ) as warm:
            yield warm
        assert not (folder.folder / "ran").exists()


def where(reference: str) -> str:
    """Where a dry run says that a secret comes from: a user name is not an item of its own."""
    typed = reference.endswith("#username")
    return f"{reference} typed" if typed else f"{reference} from the keychain or typed"


@pytest.mark.process
@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if tool_for(row.name) is None])
def test_a_dry_run_says_what_a_known_command_would_get(warm: Warm, name: str) -> None:
    """Which variables, from which secret, and which are removed. Nothing is asked."""
    row = ROWS[name]
    done = warm.run("run", "--no-input", "--dry-run", *calls(row)[0])
    assert done.status == 0, done
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"program: {warm.home.programs / name}",
        *(f"{variable}: set by the configuration" for variable in row.env),
        *(f"{variable}: {where(ref)}" for variable, ref in row.secrets.items()),
        *(f"{variable}: removed" for variable in row.removes),
    ]


@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if tool_for(row.name) is None])
def test_the_tables_of_the_page_say_what_the_rows_say(name: str) -> None:
    """Each has its line, in the rows' order."""
    row = ROWS[name]
    secrets = ", ".join(f"``{variable}`` ← ``{ref}``" for variable, ref in row.secrets.items())

    def listed(names: tuple[str, ...]) -> str:
        return ", ".join(f"``{name}``" for name in names) or "–"

    others = tuple(word for word in row.exceptions if word not in COMMON)
    called = f"all but {listed(others)}" if others else listed(row.subcommands)
    cells = [f"``{name}``", called, secrets]
    cells += [listed(row.alternatives), listed(row.removes)]
    text = "   * - " + "\n     - ".join(cells) + "\n"
    assert PAGE.read_text("utf-8").count(text) == 1


def test_the_page_has_no_other_commands() -> None:
    """In the order of the rows."""
    lines = re.findall(r"^   \* - ``([\w-]+)``$", PAGE.read_text("utf-8"), re.M)
    others = [row.name for row in ROWS.values() if tool_for(row.name) is None]
    assert [name for name in lines if name in others] == others
    assert set(lines) == set(ROWS)


# -- real tools ------------------------------------------------------------------

SECRET = "canary-7e4d19"


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        yield found


def typed(home: Home, *argv: str, environ: dict[str, str] | None = None) -> Ended:
    """Run a known command: the user types the secret once, and sees what it is for."""
    home.reach(argv[0])
    with FakePinentry([SECRET]) as fake:
        done = home.run("run", *argv, environ={**(environ or {}), **fake.environ})
        assert len(fake.prompts) == 1, done
        assert argv[0] in unescape(fake.prompts[0]["SETDESC"].encode()).decode()
    assert SECRET not in done.stderr
    return done


class Server(socketserver.ThreadingTCPServer):
    """A server on loopback, of which each connection is one dialogue.

    :ivar heard: what the dialogues noted.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: Any) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.heard: list[Any] = []
        self.port = str(self.server_address[1])


@contextlib.contextmanager
def serving(handler: Any) -> Iterator[Server]:
    """Have a server at work."""
    with Server(handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


Dialogue = Callable[[Any, Any, list[Any]], None]


def dialogue(talk: Dialogue) -> type[socketserver.StreamRequestHandler]:
    """A handler that holds this dialogue: with what to read from, to write to, and the notes."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = 10

        def handle(self) -> None:
            with contextlib.suppress(OSError, struct.error):
                talk(self.rfile, self.wfile, self.server.heard)  # type: ignore[attr-defined]

    return Handler


def postgres(reads: Any, writes: Any, heard: list[Any]) -> None:
    """Ask for the password in clear, as PostgreSQL can, and then refuse it."""
    while True:
        (length,) = struct.unpack("!i", reads.read(4))
        code = struct.unpack("!i", reads.read(length - 4)[:4])[0]
        if code >> 16 == 3:
            break
        writes.write(b"N")  # no TLS, no GSS
    writes.write(b"R" + struct.pack("!ii", 8, 3))
    kind, length = struct.unpack("!ci", reads.read(5))
    if kind == b"p":
        heard.append(reads.read(length - 4).rstrip(b"\0").decode())
    fields = b"SFATAL\0C28P01\0Mcanary refused\0\0"
    writes.write(b"E" + struct.pack("!i", 4 + len(fields)) + fields)


def archive() -> bytes:
    """A dump of PostgreSQL's with nothing in it, in its custom format 1.14."""

    def number(value: int) -> bytes:
        return b"\0" + struct.pack("<i", value)  # the sign apart

    version = number(2) + b"14"
    times = b"".join(map(number, (0, 0, 0, 1, 0, 100, 0)))
    return (
        b"PGDMP\x01\x0e\0\x04\x08\x01"
        + number(0)
        + times
        + number(2)
        + b"db"
        + version * 2
        + number(0)
    )


POSTGRES = ("psql", "pg_dump", "pg_dumpall", "pg_restore", "pgcli")


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", POSTGRES)
def test_postgresqls_tools_read_it(home: Home, name: str) -> None:
    """The password that was typed is what the server is told; ``-h`` is the host."""
    need(name)
    (home.folder / "dump").write_bytes(archive())
    with serving(dialogue(postgres)) as server:
        place = ["-h", "127.0.0.1", "-p", server.port, "-U", "ada"]
        place += {"pg_restore": ["-d", "db", "dump"], "pgcli": ["--no-password", "db"]}.get(
            name, []
        )
        done = typed(home, name, *place, environ={"PGCONNECT_TIMEOUT": "10"})
    assert "canary refused" in done.stdout + done.stderr
    assert set(server.heard) == {SECRET}  # pg_dumpall tries two databases


def redis(reads: Any, writes: Any, heard: list[Any]) -> None:
    """Read commands as RESP has them, and say yes to each."""
    while line := reads.readline():
        words = []
        for _ in range(int(line[1:])):
            words.append(reads.read(int(reads.readline()[1:])).decode())
            reads.readline()
        heard.append(words)
        writes.write(b"+PONG\r\n" if words[0].upper() == "PING" else b"+OK\r\n")


@pytest.mark.outside
@pytest.mark.real
def test_redis_cli_reads_it(home: Home) -> None:
    """It authenticates before the command."""
    need("redis-cli")
    with serving(dialogue(redis)) as server:
        done = typed(home, "redis-cli", "-h", "127.0.0.1", "-p", server.port, "PING")
    assert done.stdout == "PONG\n"
    assert server.heard[:2] == [["AUTH", SECRET], ["PING"]]


NONCE = b"canary-nonce-20bytes"


def mariadb(reads: Any, writes: Any, heard: list[Any]) -> None:
    """Greet, and note the answer to the nonce (mysql_native_password)."""

    def packet(number: int, data: bytes) -> None:
        writes.write(len(data).to_bytes(3, "little") + bytes([number]) + data)

    flags = 0x0000_0200 | 0x8000 | 0x0008_0000 | 0x0001  # protocol 4.1, authentication, plugins
    packet(
        0,
        b"\x0a5.5.5-10.11.0-MariaDB\0"
        + struct.pack("<I8sxHBHH", 1, NONCE[:8], flags & 0xFFFF, 33, 2, flags >> 16)
        + bytes([21])
        + bytes(10)
        + NONCE[8:]
        + b"\0mysql_native_password\0",
    )
    size = int.from_bytes(reads.read(3), "little")
    reads.read(1)
    rest = reads.read(size)[32:].partition(b"\0")[2]
    heard.append(rest[1 : 1 + rest[0]])
    packet(2, b"\xff" + struct.pack("<H", 1045) + b"#28000canary refused")


def scrambled(password: str) -> bytes:
    """What a client answers: SHA1(p) XOR SHA1(nonce + SHA1(SHA1(p)))."""
    one = hashlib.sha1(password.encode()).digest()
    two = hashlib.sha1(NONCE + hashlib.sha1(one).digest()).digest()
    return bytes(a ^ b for a, b in zip(one, two, strict=True))


MARIADB = ("mariadb", "mysql", "mariadb-dump", "mysqldump")


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", MARIADB)
def test_mariadbs_tools_read_it(home: Home, name: str) -> None:
    """The server is given proof of the password that was typed; ``-h`` is the host."""
    need(name)
    with serving(dialogue(mariadb)) as server:
        place = ("--protocol=tcp", "-h", "127.0.0.1", "-P", server.port, "-u", "ada", "db")
        done = typed(home, name, *place)
    assert "canary refused" in done.stderr
    assert server.heard == [scrambled(SECRET)]


class Web(http.server.BaseHTTPRequestHandler):
    """Notes each request's method, path and authorization, and says yes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        note = (self.command, self.path, self.headers.get("Authorization"))
        self.server.heard.append(note)  # type: ignore[attr-defined]
        body = json.dumps({"login": "ada", "ok": True}).encode()
        self.send_response(200)
        for name, value in (("Type", "application/json"), ("Length", str(len(body)))):
            self.send_header(f"Content-{name}", value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_GET

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("stale", [{}, {"GITHUB_TOKEN": "canary-stale"}])
def test_gh_reads_it(home: Home, stale: dict[str, str]) -> None:
    """Its requests bear the token; what the caller has set instead is used, unasked."""
    need("gh")
    with serving(Web) as server:
        # A host of this name is spoken to without TLS, so a proxy sees it all.
        environ = {"GH_HOST": "github.localhost", "HTTP_PROXY": f"http://127.0.0.1:{server.port}"}
        environ |= {"GH_NO_UPDATE_NOTIFIER": "1", **stale}
        if stale:
            done = home.run("run", "--no-input", "gh", "api", "user", environ=environ)
        else:
            done = typed(home, "gh", "api", "user", environ=environ)
    assert json.loads(done.stdout)["login"] == "ada"
    token = stale.get("GITHUB_TOKEN", SECRET)
    assert server.heard == [("GET", "http://api.github.localhost/user", f"token {token}")]


#: Tools that send it as it is, and the variables and arguments by which they send it here.
BEARERS = {
    "databricks": ({"DATABRICKS_HOST": "http://databricks.example"}, "clusters list"),
    "hcloud": ({"HCLOUD_ENDPOINT": "{url}"}, "server list"),
    "hf": ({"HF_ENDPOINT": "{url}"}, "auth whoami"),
    "linode-cli": (
        {"LINODE_CLI_API_HOST": "{host}", "LINODE_CLI_API_SCHEME": "http"},
        "--no-defaults account view",
    ),
    "llm": ({"OPENAI_BASE_URL": "{url}"}, "-m gpt-4o-mini --no-stream hello"),
    "openai": ({"OPENAI_BASE_URL": "{url}"}, "api models.list"),
    "sentry-cli": ({"SENTRY_URL": "{url}"}, "info"),
}


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", BEARERS)
def test_the_tools_requests_carry_the_secret(home: Home, name: str) -> None:
    """What was typed is what the tool's first request with a credential has."""
    need(name)
    variables, arguments = BEARERS[name]
    with serving(Web) as server:
        host = f"127.0.0.1:{server.port}"
        environ = {
            key: value.format(url=f"http://{host}", host=host) for key, value in variables.items()
        }
        environ |= {"HTTP_PROXY": f"http://{host}", "NO_PROXY": "127.0.0.1"}
        typed(home, name, *arguments.split(), environ=environ)
    borne = {authorization for _, _, authorization in server.heard if authorization}
    assert borne == {f"Bearer {SECRET}"}


def signature(secret: str, day: str, text: str) -> str:
    """A signature of version 4, as AWS has it, for its ``sts`` in us-east-1."""
    key = f"AWS4{secret}".encode()
    for part in (day, "us-east-1", "sts", "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


@pytest.mark.outside
@pytest.mark.real
def test_aws_reads_both(home: Home) -> None:
    """The key's id is the item's user name, and what it signs with is the secret.

    A session token that is set would have made another of them.
    """
    need("aws")
    home.reach("aws")

    class Signed(Web):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            del self.headers["Content-Length"]
            self.server.heard.append((self.headers, body))  # type: ignore[attr-defined]
            self.do_GET()

    with serving(Signed) as server, FakePinentry(["canary-id", SECRET]) as fake:
        url = f"http://127.0.0.1:{server.port}"
        environ = {**fake.environ, "AWS_SESSION_TOKEN": "canary-stale", "AWS_MAX_ATTEMPTS": "1"}
        call = ("--endpoint-url", url, "--region", "us-east-1", "sts", "get-caller-identity")
        done = home.run("run", "aws", *call, environ=environ)
        assert len(fake.prompts) == 2, done
    headers, body = server.heard[0]
    assert "X-Amz-Security-Token" not in headers
    stated = re.findall(r"(Credential|SignedHeaders|Signature)=([^,]+)", headers["Authorization"])
    credential, names, signed = (value for _, value in stated)
    identity, _, scope = credential.partition("/")
    assert identity == "canary-id"
    canonical = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
    request = f"POST\n/\n\n{canonical}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['X-Amz-Date']}\n{scope}\n{digest}"
    assert signed == signature(SECRET, scope.partition("/")[0], text)


@pytest.mark.outside
@pytest.mark.real
def test_npm_reads_it_through_npmrc(home: Home) -> None:
    """``${NPM_TOKEN}`` in .npmrc is what it publishes with, and only to that registry."""
    need("npm")
    (home.folder / "package.json").write_text('{"name": "demo-canary", "version": "1.0.0"}')
    with serving(Web) as server:
        host = f"127.0.0.1:{server.port}"
        (home.folder / ".npmrc").write_text(
            f"registry=http://{host}/\n//{host}/:_authToken=${{NPM_TOKEN}}\nupdate-notifier=false\n"
        )
        done = typed(home, "npm", "publish")
    assert done.status == 0, done
    assert ("PUT", "/demo-canary", f"Bearer {SECRET}") in server.heard
    assert {authorization for _, _, authorization in server.heard} == {f"Bearer {SECRET}"}
    assert SECRET not in (home.folder / ".npmrc").read_text()


@pytest.mark.outside
@pytest.mark.real
def test_restic_reads_it(home: Home) -> None:
    """A repository made with what was typed opens with it, and with nothing else.

    A password file or command of the caller's would take precedence.
    """
    need("restic")
    environ = {"RESTIC_PASSWORD_COMMAND": "echo canary-stale"}
    assert typed(home, "restic", "-r", "made", "init", environ=environ).status == 0
    cat = ("restic", "--no-cache", "-r", "made", "cat", "config")
    assert home.run_any(cat, environ={"RESTIC_PASSWORD": SECRET}).status == 0
    assert home.run_any(cat, environ=environ).status != 0


@pytest.mark.outside
@pytest.mark.real
def test_borg_reads_it(home: Home) -> None:
    """A repository made with what was typed opens with it, and with nothing else."""
    need("borg")
    environ = {"BORG_PASSCOMMAND": "echo canary-stale"}
    options = ("--lock-wait", "5", "init", "-e", "repokey", "made")
    assert typed(home, "borg", *options, environ=environ).status == 0
    assert home.run_any(["borg", "list", "made"], environ={"BORG_PASSPHRASE": SECRET}).status == 0
    assert home.run_any(["borg", "list", "made"], environ=environ).status != 0


@pytest.mark.outside
@pytest.mark.real
def test_duplicity_reads_it(home: Home) -> None:
    """What it writes is encrypted with what was typed, and opens with it."""
    need("duplicity", "gpg")
    (home.folder / "kept").mkdir()
    (home.folder / "kept" / "file").write_text("canary text")
    environ = {"GNUPGHOME": str(home.folder)}
    done = typed(home, "duplicity", "full", "kept", "file://made", environ=environ)
    assert done.status == 0, done
    back = ["duplicity", "restore", "file://made"]
    with_it = {**environ, "PASSPHRASE": SECRET}
    assert home.run_any([*back, "back"], environ=with_it).status == 0
    assert (home.folder / "back" / "file").read_text() == "canary text"


@pytest.mark.outside
@pytest.mark.real
def test_rclone_reads_it(home: Home) -> None:
    """It opens a configuration that is encrypted with it; a command would take precedence."""
    need("rclone")
    need_package("nacl")
    import nacl.secret as secret

    key = hashlib.sha256(f"[{SECRET}][rclone-config]".encode()).digest()
    box = secret.SecretBox(key).encrypt(b"[far]\ntype = local\n", bytes(24))
    config = home.folder / "rclone.conf"
    config.write_text(
        "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\n"
        + base64.b64encode(box).decode()
    )
    environ = {"RCLONE_CONFIG": str(config), "RCLONE_PASSWORD_COMMAND": "echo canary-stale"}
    done = typed(home, "rclone", "--ask-password=false", "listremotes", environ=environ)
    assert done.stdout == "far:\n", done


#: Where a tool prefers a credential of its own: what the call or the files have, and what it sends.
RIVALS = {
    "mysql": (
        {".my.cnf": "[client]\npassword=canary-file\n"},
        "--protocol=tcp -h 127.0.0.1 -P {port} -u ada db",
    ),
    "psql": (
        {".pg_service.conf": "[w]\nhost=127.0.0.1\nuser=ada\npassword=canary-file\n"},
        "'service=w port={port}'",
    ),
    "redis-cli": ({}, "-p {port} -a canary-file PING"),
}


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("name", RIVALS)
def test_a_call_is_refused_in_which_the_tool_would_use_its_own_credential(
    home: Home, name: str
) -> None:
    """Run without secretly, the tool sends that credential, although the variable is set."""
    need(name)
    files, arguments = RIVALS[name]
    for path, text in files.items():
        (home.folder / path).write_text(text)
    talk = {"mysql": mariadb, "psql": postgres, "redis-cli": redis}[name]
    sent = {"mysql": scrambled("canary-file"), "psql": "canary-file"}
    sent["redis-cli"] = ["AUTH", "canary-file"]  # type: ignore[assignment]
    home.reach(name)
    with serving(dialogue(talk)) as server:
        call = [name, *shlex.split(arguments.format(port=server.port))]
        home.run_any(call, environ=dict.fromkeys(ROWS[name].secrets, SECRET))
        assert server.heard[0] == sent[name]
        del server.heard[:]
        done = home.run("run", "--no-input", *call)
        assert server.heard == []
    assert done.status == 125
    assert done.stderr.startswith(f"secretly: {name} would use the password")


#: What the modules of ``running/rivals`` look for, as the page says it.
LOOKED_FOR = {
    "aws": "``--profile``, unless that profile takes its keys from variables",
    "cdk": "a profile in its settings",
    "doctl": "another context than ``default``",
    "gemini": "another way to log in that its settings choose",
    "gh": "another host than GitHub's",
    "libpq": "a password in the arguments or in a service",
    "llm": "a stored key of OpenAI",
    "mysql": "``-p``, or a password in an option file",
    "pgcli": "a password in the arguments, in a service or in the URL of ``--dsn``",
    "redis": "``-a``, ``--askpass``, or a password in the URL of ``-u``",
    "sam": "a profile in its settings",
}


def refused_because(row: Command) -> str:
    """What a row's ``beaten_by`` says, as the page says it."""
    words = [LOOKED_FOR.get(word, f"``{word}``") for word in row.beaten_by]
    return "; ".join(words) or "–"


def test_the_page_says_which_were_tried() -> None:
    """Run with a version, or after the documentation; and what secretly refuses."""
    singly = re.findall(r"^def test_([a-z_]+?)_reads_(?:it|both)", Path(__file__).read_text(), re.M)
    tried = {*(name.replace("_", "-") for name in singly), *POSTGRES, *MARIADB, *BEARERS}
    elsewhere = {"cargo", "npm"}  # they publish
    found = [*csv.reader(TRIED.read_text("utf-8").splitlines())]
    others = [row for row in ROWS.values() if tool_for(row.name) is None]
    assert [(name, because) for name, _, because in found] == [
        (f"``{row.name}``", refused_because(row)) for row in others if row.name not in elsewhere
    ]
    by_hand = {
        *("cdk", "eas", "fastly", "gemini", "heroku", "netlify", "sam", "twilio", "vercel"),
        *("huggingface-cli", "wandb", "wrangler"),
    }
    for name, how, _ in found:
        command = name.strip("`")
        run = "run with" if command in tried else "after its documentation"
        run = "run once with" if command in by_hand else run
        assert re.fullmatch(rf"{run}( [^,]+)?, 20\d\d-\d\d-\d\d", how), name


def test_the_page_lists_the_common_exceptions() -> None:
    """In one sentence, for all that have no other word there."""
    text = " ".join(PAGE.read_text("utf-8").split())
    words = [f"``{word}``" for word in COMMON]
    assert f"first argument is {', '.join(words[:-1])} or {words[-1]}" in text
    for row in ROWS.values():
        assert set(COMMON) <= set(row.exceptions) or not row.exceptions


# -- publishing tools ------------------------------------------------------------

PUBLISHING = [name for name, row in ROWS.items() if tool_for(name)]


def test_each_publishing_tool_has_a_module_and_a_row() -> None:
    """A module that no row names would never be used."""
    modules = {info.name for info in pkgutil.iter_modules(tools.__path__)}
    assert modules == set(PUBLISHING) == set(known_commands.OPTIONS)


@pytest.mark.parametrize("name", ["gh", "unknown", "os.path", "__init__", "../twine", ""])
def test_another_command_is_not_a_publishing_tool(name: str) -> None:
    """A command of the user's may have any name: no module of that name is loaded."""
    assert tool_for(name) is None


@pytest.mark.process
def test_only_the_module_of_the_tool_is_loaded() -> None:
    """The others would make the start longer."""
    code = (
        "import sys; from secretly.publishing.tools import tool_for; tool_for('flit');"
        "print(*(name for name in sys.modules if name.startswith('secretly.publishing.tools.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["secretly.publishing.tools.flit"], done


def option_tables(module: ModuleType) -> Iterator[Options]:
    """The tables of options in a tool's module, and in the parser that it uses."""
    for value in vars(module).values():
        if isinstance(value, Options):
            yield value
        elif isinstance(value, Clap):
            yield from (value.options, *value.subcommands.values())
        elif isinstance(value, Nopt):
            values, short = value.kinds.values, value.kinds.short
            names = [*values, *(name for name, long in short.items() if long[2:] in values)]
            yield Options(" ".join(f"{'-' * min(len(n), 2)}{n}=" for n in names))
        elif isinstance(value, ModuleType) and value.__name__.endswith("parsers.pdm"):
            yield from option_tables(value)


@pytest.mark.parametrize("name", PUBLISHING)
def test_the_options_that_a_tool_names_are_read_with_their_values(name: str) -> None:
    """An option that was read as a flag would hide the subcommand, and the upload with it."""
    tables = list(option_tables(importlib.import_module(f"secretly.publishing.tools.{name}")))
    assert tables
    values = {n for table in tables for one in table if one.takes_value for n in one.names}
    assert values - {*known_commands.OPTIONS[name].split()} == set()
    assert "values" not in known_commands.COMMANDS[name]  # each option is listed once
    assert max(Counter(known_commands.OPTIONS[name].split()).values()) == 1


@pytest.mark.parametrize("name", PUBLISHING)
def test_a_configuration_cannot_change_how_a_tool_is_read(name: str, tmp_path: Path) -> None:
    """With other ``values`` the destination and the subcommand are found all the same."""
    config = tmp_path / "config.toml"
    config.write_text(f"[commands.{name}]\nvalues = ['--other']\n")
    row = loading.load({"SECRETLY_CONFIG": str(config)}).commands[name]
    assert row.values == ("--other",)
    subcommand = row.subcommands[0]
    for option in known_commands.OPTIONS[name].split():
        call = Invocation(row, ("--other", "x", option, "value", subcommand))
        assert call.needs_secret
        assert call.parsed.last([option]) == "value"
