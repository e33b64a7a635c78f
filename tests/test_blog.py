"""The page 'From the blog post to a profile': each of its commands is run, in its order.

``op`` and ``lpass`` are stand-ins with the real ones' words; twine is the real one, and uploads
to a server on loopback whatever index it believes to talk to.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sys
import threading
import tomllib
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tokens
from command import Ended, Home, home
from conftest import need

from secretly.testing import FakePinentry

pytestmark = [pytest.mark.process, pytest.mark.outside]

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "from-the-blog-post.rst"

#: The password of the account, and of the vault.
MASTER = "canary-master"

#: How a command ends that does not end with 0.
STATUS = {"secretly run twine upload dist/*": 125, "twine upload dist/*": 1}

#: The variable of a session, which nothing but op gets.
SESSION = "OP_SESSION_my"

_OP = r"""
import json, os, sys
from datetime import datetime
version, app, log, token, master = VALUES
words = sys.argv[1:]
session = os.environ.get("OP_SESSION_my") == "canary-session"
with open(log, "a") as file:
    print("op", *words, file=file)

def fail(text):
    sys.exit(f"[ERROR] {datetime.now():%Y/%m/%d %H:%M:%S} {text}")

if words == ["--version"]:
    print(version)
elif words[0] == "signin":
    if app:
        sys.exit()
    if words[1:] != (["my", "--raw"] if version[0] == "1" else ["--raw"]):
        fail("sign in to which account?")
    with open("/dev/tty", "r+b", buffering=0) as tty:
        tty.write(b"Enter the password for ada@example.org at my.example.org: ")
        typed = tty.readline().decode().rstrip("\n")
    if typed != master:
        fail("401: Unauthorized")
    print("canary-session")
elif words == ["account", "list", "--format", "json"] and version > "2":
    print(json.dumps([{"url": "my.example.org", "user_uuid": "my"}]))
elif not (session or app):
    fail("You are not currently signed in. Please run `op signin --help` for instructions")
elif words == ["item", "get", "PyPI", "--vault", "Private", "--format", "json"] and version > "2":
    fields = [("username", "STRING", "ada"), ("password", "CONCEALED", token)]
    made = [
        {"id": name, "type": kind, "purpose": name.upper(), "label": name, "value": value}
        for name, kind, value in fields
    ]
    print(json.dumps({"id": "x", "title": "PyPI", "category": "LOGIN", "fields": made}))
elif words == ["get", "item", "PyPI", "--vault", "Private"] and version < "2":
    fields = [("username", "T", "ada"), ("password", "P", token)]
    made = [
        {"designation": name, "name": name, "type": kind, "value": value}
        for name, kind, value in fields
    ]
    overview = {"title": "PyPI"}
    print(json.dumps({"uuid": "x", "overview": overview, "details": {"fields": made}}))
else:
    fail(f'"{words[-1]}" isn\'t an item. Specify the item with its UUID, name, or domain.')
"""

_LPASS = r"""
import json, os, subprocess, sys
_, _, log, token, master = VALUES
words = sys.argv[1:]
with open(log, "a") as file:
    print("lpass", *words, file=file)
if "LPASS_ASKPASS" in os.environ:
    asked = subprocess.run([os.environ["LPASS_ASKPASS"], "Master Password"], capture_output=True)
    if asked.returncode:
        sys.exit("Error: Unable to get password from askpass.")
    typed = asked.stdout.decode()
else:
    with open("/dev/tty", "r+b", buffering=0) as tty:
        tty.write(b"Please enter the LastPass master password for <ada@example.org>.\n\n")
        tty.write(b"Master Password: ")
        typed = tty.readline().decode()
if typed.rstrip("\n") != master:
    sys.exit("Error: Could not find decryption key. Perhaps you need to login with `lpass login`.")
if words[0] != "show" or words[-1] != "PyPI" or "--json" not in words:
    sys.exit("Error: Could not find specified account(s).")
item = {"id": "1", "name": "PyPI", "fullname": "PyPI", "username": "ada", "password": token}
print(json.dumps([item]))
"""

_TWINE = """#!/bin/sh
env | cut -d= -f1 >>"$HOME/seen"
case $1 in upload) exec >>"$HOME/uploaded" 2>&1 ;; esac
case $TWINE_REPOSITORY_URL in
http://127.0.0.1:3141/*) path=${TWINE_REPOSITORY_URL#http://127.0.0.1:3141} ;;
*) path=/legacy/ ;;
esac
export TWINE_REPOSITORY_URL="http://127.0.0.1:PORT$path"
exec PYTHON -m twine --no-color "$@"
"""


class Step(NamedTuple):
    """A command on the page.

    :param section: the heading that it stands under.
    :param tables: the configuration of that place, by the tables' names.
    :param says: what the page lets one expect of it.
    """

    section: str
    tables: dict[str, str]
    command: str
    says: list[str]


def blocks() -> Iterator[tuple[str, str, list[str]]]:
    """Each code block of the page: its section, its language and its lines."""
    text = PAGE.read_text("utf-8")
    parts = re.split(r"^(.+)\n-{3,}\n", text, flags=re.MULTILINE)
    for section, part in zip(["", *parts[1::2]], [parts[0], *parts[2::2]], strict=True):
        for found in re.finditer(r"^\.\. code-block:: (\w+)\n((?:\n|   .*\n)+)", part, re.M):
            yield section, found[1], [line[3:] for line in found[2].strip("\n").splitlines()]


def steps() -> list[Step]:
    """The page's commands, in order; a table that is shown again replaces what it was."""
    found: list[Step] = []
    tables: dict[str, str] = {}
    for section, language, lines in blocks():
        if language == "toml":
            shown = re.split(r"^(?=\[)", "\n".join(lines), flags=re.MULTILINE)
            tables = {**tables, **{table.partition("\n")[0]: table for table in shown if table}}
        for line in lines if language == "console" else ():
            if line.startswith("$ "):
                found.append(Step(section, tables, line.removeprefix("$ "), []))
            else:
                found[-1].says.append(line)
    return found


def functions(name: str) -> list[str]:
    """The post's shell functions of that name."""
    shown = ["\n".join(lines) for _, language, lines in blocks() if language == "bash"]
    return [text for text in shown if text.startswith(f"function {name} ()")]


class Upload(NamedTuple):
    """An upload that arrived at the server."""

    path: str
    username: str
    password: str


class World(NamedTuple):
    """A home with a project, the stand-ins and the server.

    :param home: the user's.
    :param uploads: what arrived.
    """

    home: Home
    uploads: list[Upload]

    @property
    def calls(self) -> list[str]:
        """The calls of op and lpass."""
        log = self.home.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def seen(self) -> set[str]:
        """The names of all variables that twine got."""
        return set((self.home.folder / "seen").read_text().split())

    def sh(self, command: str, answers: Sequence[Any] = (), shell: str = "sh") -> Ended:
        """Run a line of shell; the user gives all of these answers."""
        with FakePinentry(answers) as fake:
            done = self.home.run_any([shell, "-c", command], environ=fake.environ)
            prompts = [prompt["SETDESC"] for prompt in fake.prompts]
            assert len(prompts) == len(answers), prompts
        return done

    def follow(self, step: Step, before: str = "") -> Ended:
        """Run the page's commands, and check that they print what the page shows.

        No upload is the one before again: a reader makes a new release each time.
        """
        (self.home.folder / ".local/state/secretly/receipts.jsonl").unlink(missing_ok=True)
        self.home.configure("\n".join(step.tables.values()))
        answers: list[Any] = [MASTER, True] if "prod" in step.command else []
        if step.command.startswith("secretly get"):
            answers = [MASTER]
        done = self.sh(before + step.command, answers)
        assert done.status == STATUS.get(step.command, 0), done
        said = masked(done.stdout + done.stderr, self.home.folder).splitlines()
        if "--version" not in step.command:
            assert said == [masked(line) for line in step.says]
        return done


def masked(text: str, folder: Path | None = None) -> str:
    """A text without what differs between days and homes."""
    text = text.replace(str(folder), "/home/you") if folder else text
    return re.sub(r"until (\d{4}-\d\d-\d\d )?\d\d:\d\d$", "until HH:MM", text, flags=re.M)


@contextlib.contextmanager
def server(uploads: list[Upload]) -> Iterator[int]:
    """Takes every upload; returns its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            username, _, password = base64.b64decode(given).decode().partition(":")
            uploads.append(Upload(self.path, username, password))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found.server_port
        finally:
            found.shutdown()
            thread.join()


@contextlib.contextmanager
def world(version: str = "2.30.0", app: bool = False) -> Iterator[World]:
    """A user's machine with this version of op, with or without its desktop app."""
    uploads: list[Upload] = []
    with home() as found, server(uploads) as port:
        tokens.wheel(found.folder / "dist")
        values = (version, app, str(found.folder / "calls"), tokens.TOKEN, MASTER)
        for name, text in (("op", _OP), ("lpass", _LPASS)):
            text = text.replace("VALUES", repr(values))
            found.program(name, f"#!{sys.executable} -IS\n{text}")
        twine = _TWINE.replace("PORT", str(port)).replace("PYTHON", sys.executable)
        found.program("twine", twine)
        (found.folder / ".op").mkdir()
        (found.folder / ".op" / "config").write_text(json.dumps({"latest_signin": "my"}))
        found.environ["LPASS_ASKPASS"] = "/bin/false"  # the user's own, which is not called
        yield World(found, uploads)


def assert_from_prod(upload: Upload) -> None:
    """Check that PyPI's stand-in got a token made from the stored one."""
    assert (upload.path, upload.username) == ("/legacy/", "__token__")
    assert upload.password.startswith("pypi-")
    assert upload.password != tokens.TOKEN


DEV = Upload("/root/plus/", "root", "")


def test_every_command_of_the_page_prints_what_the_page_shows() -> None:
    """In the page's order, each with its configuration."""
    before, arrived = "", []
    with world() as found:
        for step in steps():
            count = len(found.uploads)
            if step.command.startswith("export "):
                before += f"{step.command}; "
            done = found.follow(step, before)
            arrived = found.uploads[count:]
            if " upload " not in step.command or done.status:
                assert not arrived, step
            elif "prod" in step.command:
                [upload] = arrived
                assert_from_prod(upload)
            else:
                assert arrived == [DEV], step
        shims = found.home.folder / ".local/share/secretly/shims"
        assert list(shims.iterdir()) == []
        assert "TWINE_PASSWORD" in found.seen
        assert not {SESSION, "LPASS_DISABLE_PINENTRY"} & found.seen
    commands = [step.command for step in steps()]
    assert len(commands) == len(set(commands)) + 1  # prod, from either manager
    assert {len(functions(name)) for name in ("dev.twine", "twine")} == {1}


def one(section: str, command: str) -> Step:
    """A command in a section."""
    [found] = [s for s in steps() if s.section == section and s.command.startswith(command)]
    return found


@pytest.mark.parametrize(
    ("version", "app", "calls"),
    [
        (
            "1.12.9",
            False,
            ["get item PyPI --vault Private", "signin my --raw", "get item PyPI --vault Private"],
        ),
        (
            "2.30.0",
            False,
            [
                "item get PyPI --vault Private --format json",
                "account list --format json",
                "signin --raw",
                "item get PyPI --vault Private --format json",
            ],
        ),
        ("2.30.0", True, ["item get PyPI --vault Private --format json"]),
    ],
)
def test_1password_signs_in_as_opme_did(version: str, app: bool, calls: list[str]) -> None:
    """With either version of op, and with the app; user name and password are one call."""
    step = one("prod.twine, with 1Password", "secretly run")
    with world(version, app) as found:
        found.home.configure("\n".join(step.tables.values()))
        done = found.sh(step.command, [True] if app else [MASTER, True])
        assert done.status == 0, done
        [upload] = found.uploads
        assert_from_prod(upload)
        made = [call.removeprefix("op ") for call in found.calls if call != "op --version"]
        # Whether it is locked is looked at again once it is this one's turn to ask.
        assert list(dict.fromkeys(made)) == list(dict.fromkeys(calls))
        assert made[-1] == calls[-1]
        assert made.count(calls[-1]) <= 3


def test_the_shells_session_is_used() -> None:
    """After ``eval $(op signin)`` secretly asks for no password."""
    step = one("prod.twine, with 1Password", "secretly run")
    with world() as found:
        found.home.configure("\n".join(step.tables.values()))
        found.home.environ[SESSION] = "canary-session"
        assert found.sh(step.command, [True]).status == 0
        assert not [call for call in found.calls if "signin" in call]


@pytest.mark.real
def test_the_profile_does_what_the_function_did() -> None:
    """With both, twine uploads the same in the same way."""
    need("bash")
    [function] = functions("dev.twine")
    with world() as found:
        # POSIX wants 'command' to be a program as well; not every system has it.
        found.home.program("command", '#!/bin/sh\nexec "$@"\n')
        done = found.sh(f"{function}\ndev.twine upload dist/*", shell="bash")
        assert (done.status, found.uploads) == (0, [DEV]), done


@pytest.mark.real
def test_the_shim_refuses_as_the_function_did() -> None:
    """It has the same status, and nothing is uploaded."""
    need("bash")
    [function] = functions("twine")
    with world() as found:
        done = found.sh(f"{function}\ntwine upload dist/*", shell="bash")
        assert (done.status, found.uploads) == (STATUS["twine upload dist/*"], [])
        assert {"dev.twine", "prod.twine"} <= set(done.stdout.split())


def test_each_function_is_two_lines_of_configuration() -> None:
    """A profile is a heading and one line, and so is a secret."""
    for step in steps():
        for table in step.tables.values():
            assert len(table.strip().splitlines()) == 2
            assert tomllib.loads(table)
