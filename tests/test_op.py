"""1Password, with scripts in place of its program ``op`` of versions 1 and 2."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from command import SECRETLY, Ended, Home, Watch, files_with, quick

from secretly import BadReference, SourceFailed, sources
from secretly.asking import wording
from secretly.processes.output import Finished
from secretly.reference import Reference, parse
from secretly.sources import Items, Run
from secretly.sources.op import program
from secretly.testing import FakePinentry, SourceContract
from secretly.text import Environ

pytestmark = pytest.mark.process

VERSIONS = {1: "1.12.9", 2: "2.30.3"}

#: Which variable each has its session in: by the account's short name, or by the user's id.
VARIABLES = {1: "OP_SESSION_my", 2: "OP_SESSION_USERUUID"}

ACCOUNT = {
    "url": "my.1password.example",
    "email": "me@example.org",
    "user_uuid": "USERUUID",
    "account_uuid": "ACCOUNTUUID",
}
OTHER = {**ACCOUNT, "url": "work.1password.example", "user_uuid": "OTHERUUID", "account_uuid": "A2"}

# Of this process alone: other runs of these tests may be watched for theirs.
_OWN = os.urandom(4).hex()

MASTER = f"canary-master pass é {_OWN}"
TOKEN = f"canary-session-token-{_OWN}"

# Behaves as op does, with op's own messages, and logs each call. It starts often, and json takes
# longer to load than Python, so it gets its answers ready made.
_OP = r"""
import os, sys, time

here = os.path.dirname(os.path.abspath(__file__))
facts = eval(open(here + "/op.facts").read())
words, first = sys.argv[1:], facts["version"].startswith("1.")
started = time.monotonic()

def log(**more):
    held = [name for name, value in os.environ.items() if "canary" in value]
    entry = {"argv": sys.argv[1:], "held": held, "start": started, "end": time.monotonic(), **more}
    with open(here + "/op.calls", "a") as file:
        file.write(ascii(entry) + "\n")

def fail(text, status=1):
    log()
    sys.stderr.write(f"[ERROR] 2026/01/02 03:04:05 {text}\n")
    sys.exit(status)

def give(text):
    log()
    sys.stdout.write(text)
    sys.exit(0)

def option(name):
    for number, word in enumerate(words):
        if word == name:
            return words.pop(number) and words.pop(number)
    return None

def ask(prompt):
    import termios
    terminal = os.open("/dev/tty", os.O_RDWR)
    assert os.isatty(0)
    before = termios.tcgetattr(terminal)
    quiet = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSADRAIN, quiet)
    os.write(terminal, prompt.encode())
    typed = b""
    while not typed.endswith(b"\n"):
        typed += os.read(terminal, 1)
    termios.tcsetattr(terminal, termios.TCSADRAIN, before)
    os.write(terminal, b"\n")
    return typed[:-1].decode()

def signed_in():
    if facts["app"]:
        return os.path.exists(here + "/op.authorised")
    return os.environ.get(facts["variable"]) == facts["token"]

def sign_in():
    if facts["app"]:
        open(here + "/op.authorised", "w").close()
        give("")
    if words[1:] != (["my", "--raw"] if first else ["--raw"]):
        fail(f"unknown command {words}")
    if not first and len(facts["accounts"]) > 1 and "OP_ACCOUNT" not in os.environ:
        ask("Select account: ")
    typed = ask("Enter the password for me@example.org at my.1password.example: ")
    if typed != facts["master"]:
        fail("401: Authentication required." if first else "(401) Unauthorized: not allowed.")
    give(facts["token"] + "\n")

def find(name, vault):
    if vault is not None and vault not in ("Private", "Shared"):
        fail(f'"{vault}" isn\'t a vault in this account. Specify the vault with its ID or name.')
    found = [i for i in facts["items"] if name in (i["title"], i["id"])]
    found = [i for i in found if vault in (None, i["vault"])]
    if not found:
        fail(f'"{name}" isn\'t an item. Specify the item with its UUID, name, or domain.')
    if len(found) > 1:
        fail(f'More than one item matches "{name}". Try again and specify the item by its ID')
    return found[0]

def read(reference):
    path, _, query = reference.removeprefix("op://").partition("?")
    vault, name, *section, wanted = path.split("/")
    item = find(name, vault)
    for field in item["fields"]:
        known = [str(field.get(key)).casefold() for key in ("id", "label")]
        if wanted.casefold() in known and section in ([], [field.get("section")]):
            return f'{field.get("value", "")}{query and "?" + query}'
    missing = f"item '{vault}/{name}' does not have a field '{wanted}'"
    fail(f"could not read secret '{reference}': {missing}")

if words == ["--version"]:
    give(facts["version"] + "\n")
counts = signed_in() or not facts["signed_in_count"]
open(f"{here}/op.{'begun' if counts else 'called'}.{os.getpid()}", "w").close()
free = not counts or (
    facts["first_alone"] and sum(".begun." in name for name in os.listdir(here)) == 1
)
while not free and sum(".begun." in name for name in os.listdir(here)) < facts["together"]:
    if time.monotonic() > started + 20:
        fail("the others have not begun", 9)
    time.sleep(0.005)
time.sleep(facts["sleep"])
if words[0] == "signin":
    sign_in()
if not first and words == ["account", "list", "--format", "json"]:
    give(facts["listed"])
if not signed_in():
    fail("You are not currently signed in. Please run `op signin --help` for instructions")
if facts["fault"]:
    sys.stdout.write("canary-out")
    fail(facts["fault"], 6)
vault = option("--vault")
if first and words[:2] == ["get", "item"] and len(words) == 3:
    give(find(words[2], vault)["form"])
if not first and words[:2] == ["item", "get"] and option("--format") == "json" and len(words) == 3:
    give(find(words[2], vault)["form"])
if words[:2] == (["get", "document"] if first else ["document", "get"]) and len(words) == 3:
    give(find(words[2], vault)["text"])
if not first and words[0] == "read":
    newline = "" if "--no-newline" in words else "\n"
    give(read(words[-1]) + newline)
fail(f"unknown command {words}")
"""


def item(title: str, *fields: dict[str, str], **more: str) -> dict[str, Any]:
    """An item, which is a login in the vault Private unless said."""
    known = {"vault": "Private", "category": "LOGIN", "id": f"id-of-{title}", **more}
    return {"title": title, "fields": list(fields), **known}


def login(title: str, password: str, username: str, **more: str) -> dict[str, Any]:
    """A login with the fields that every login has; one of them is empty."""
    return item(
        title,
        {"id": "username", "purpose": "USERNAME", "label": "username", "value": username},
        {"id": "password", "purpose": "PASSWORD", "label": "password", "value": password},
        {"id": "notesPlain", "purpose": "NOTES", "label": "notesPlain"},
        {"id": "x1", "label": "PIN", "value": "canary-pin", "section": "More"},
        {"id": "x2", "label": "Empty", "section": "More"},
        {"id": "x3", "label": "PIN", "value": "canary-other-pin", "section": "Others"},
        **more,
    )


ITEMS = [
    login("PyPI", "canary-pypi", "__token__"),
    login("Contract", SourceContract.PASSWORD, SourceContract.USERNAME or ""),
    login("Two words", "canary-two", "me"),
    login("Twin", "canary-twin-1", "me", id="id-1"),
    login("Twin", "canary-twin-2", "me", id="id-2"),
    login("Shared one", "canary-shared", "we", vault="Shared"),
    item(
        "Pass",
        {"id": "password", "label": "password", "value": "canary-pass"},
        category="PASSWORD",
    ),
    item(
        "API",
        {"id": "username", "label": "username", "value": "robot"},
        {"id": "credential", "label": "credential", "value": "canary-api"},
        category="API_CREDENTIAL",
    ),
    item(
        "Note",
        {"id": "notesPlain", "purpose": "NOTES", "label": "notesPlain", "value": "canary-note"},
        {"id": "x4", "label": "Colour", "value": "canary-colour", "section": "More"},
        category="SECURE_NOTE",
    ),
    item(
        "Key file",
        {"id": "notesPlain", "purpose": "NOTES", "label": "notesPlain", "value": "canary-note"},
        category="DOCUMENT",
        text="canary-1\n\ncanary-2\n\n",
    ),
    item(
        "Blank",
        {"id": "username", "purpose": "USERNAME", "label": "username", "value": "me"},
        {"id": "password", "purpose": "PASSWORD", "label": "password"},
        {"id": "password", "label": "password", "value": "canary-router", "section": "Router"},
        {"id": "x9", "label": "credential", "value": "canary-cred", "section": "Router"},
    ),
    item(
        "Sections",
        {"id": "password", "label": "other", "value": "canary-router", "section": "Router"},
        {"id": "password", "label": "password", "value": "canary-own"},
    ),
    item(
        "Odd",
        {"id": "x5", "label": "password", "value": "canary-label"},
        {"id": "Password", "label": "other", "value": "canary-id"},
        {"id": "x6", "purpose": "PASSWORD", "label": "Kennwort", "value": "canary-purpose"},
    ),
    item(
        "Odd id",
        {"id": "x7", "label": "password", "value": "canary-label"},
        {"id": "PassWord", "label": "other", "value": "canary-id"},
    ),
    item(
        "Odd label",
        {"id": "x8", "label": "PASSWORD", "value": "canary-label", "section": "More"},
    ),
]


def form_2(item: Any) -> Any:
    """What version 2 shows of an item."""
    fields = []
    for field in item["fields"]:
        field = {"type": "STRING", **field}
        if field.get("section"):
            field["section"] = {"id": field["section"], "label": field["section"]}
        fields.append(field)
    return {
        "id": item["id"],
        "title": item["title"],
        "version": 1,
        "category": item["category"],
        "vault": {"id": "v", "name": item["vault"]},
        "fields": fields,
        "urls": [],
    }


def form_1(item: Any) -> Any:
    """What version 1 shows of an item."""
    plain = [f for f in item["fields"] if not f.get("section")]
    titles = list(dict.fromkeys(f["section"] for f in item["fields"] if f.get("section")))
    details = {
        "sections": [
            {
                "name": f"Section_{title}",
                "title": title,
                "fields": [
                    {"k": "string", "n": f["id"], "t": f["label"], "v": f.get("value", "")}
                    for f in item["fields"]
                    if f.get("section") == title
                ],
            }
            for title in titles
        ]
    }
    if item["category"] == "PASSWORD":
        details["password"] = plain[0]["value"]
    else:
        details["fields"] = [
            {
                "designation": f.get("purpose", "").lower(),
                "name": f["id"],
                "type": "P",
                "value": f.get("value", ""),
            }
            for f in plain
        ]
    kind = "006" if item["category"] == "DOCUMENT" else "001"
    return {
        "uuid": item["id"],
        "templateUuid": kind,
        "vaultUuid": "v",
        "overview": {"title": item["title"]},
        "details": details,
    }


class OnePassword:
    """A home with a script in the place of ``op``, which logs its calls.

    :param signed_in: whether the shell has a session, as after ``eval $(op signin)``.
    """

    def __init__(self, here: Home, version: int, *, signed_in: bool = True, **facts: Any) -> None:
        self.home, self.version = here, version
        here.program("op", f"#!{sys.executable} -IS\n{_OP}")
        self._facts = {
            "version": VERSIONS[version],
            "items": ITEMS,
            "master": MASTER,
            "token": TOKEN,
            "variable": VARIABLES[version],
            "accounts": [ACCOUNT],
            "app": False,
            "sleep": 0,
            "signed_in_count": False,
            "first_alone": False,
            "together": 0,
            "fault": "",
        }
        self.change(**facts)
        self.variable = VARIABLES[version]
        if signed_in:
            here.environ[self.variable] = TOKEN
        if version == 1:
            (here.folder / ".op").mkdir()
            (here.folder / ".op" / "config").write_text('{"latest_signin": "my", "accounts": []}')

    def change(self, **facts: Any) -> None:
        """Make op behave differently."""
        self._facts |= facts
        shown = {**self._facts, "listed": json.dumps(self._facts["accounts"], indent=2) + "\n"}
        form = {1: form_1, 2: form_2}[self.version]
        shown["items"] = [{**one, "form": json.dumps(form(one))} for one in self._facts["items"]]
        (self.home.programs / "op.facts").write_text(ascii(shown))

    @property
    def log(self) -> list[Any]:
        """Its calls so far: arguments, variables that held a secret, start and end."""
        path = self.home.programs / "op.calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [ast.literal_eval(line) for line in lines]

    @property
    def calls(self) -> list[str]:
        """The arguments of each call, without the calls for the version."""
        return [" ".join(call["argv"]) for call in self.log if call["argv"] != ["--version"]]

    @property
    def signing_in(self) -> list[str]:
        """The arguments of the calls that sign in."""
        if self.version == 1:
            return ["signin my --raw"]
        return ["account list --format json", "signin --raw"]

    def run_of(self, **more: Any) -> Run:
        """A run in which secretly finds op."""
        return Run(Environ(self.home.environ), **{"prompt_timeout": 10, **more})

    def get(self, reference: str, **more: Any) -> tuple[str, str | None]:
        """The value of a reference, and its user name."""
        return asyncio.run(Items(self.run_of(**more)).get(parse(f"op://{reference}")))

    def get_each(self, *references: str) -> list[tuple[str, str | None]]:
        """The value and the user name of each reference, each by a call of its own."""
        run = self.run_of()

        async def each() -> list[tuple[str, str | None]]:
            parsed = [parse(f"op://{reference}") for reference in references]
            return await asyncio.gather(*(Items(run).get(one) for one in parsed))

        return asyncio.run(each())

    def get_item(self, name: str, vault: str = "Private") -> str:
        """The arguments that ask for an item."""
        if self.version == 1:
            return f"get item {name} --vault {vault}"
        return f"item get {name} --vault {vault} --format json"


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        yield found


@pytest.fixture(params=VERSIONS)
def op(home: Home, request: pytest.FixtureRequest) -> OnePassword:
    """Either version, signed in."""
    return OnePassword(home, request.param)


@pytest.fixture(params=VERSIONS)
def closed(home: Home, request: pytest.FixtureRequest) -> OnePassword:
    """Either version, not signed in, without the desktop app."""
    return OnePassword(home, request.param, signed_in=False)


#: Shows what a command was given, and whether a session was among it.
SHOW = ("sh", "-c", r"""printf '%s|%s|%s\n' "$A" "$B" "$OP_SESSION_my$OP_SESSION_USERUUID" """)


# -- the contract ------------------------------------------------------------------


class TestVersion2(SourceContract):
    """Version 2 passes the contract tests."""

    PROGRAM = "op"
    version = 2

    @pytest.fixture(autouse=True)
    def _there(self, home: Home) -> None:
        self._op = OnePassword(home, self.version)

    def source(self) -> sources.Source:
        return sources.find("op")

    def run(self) -> Run:
        return self._op.run_of()

    def item(self) -> str:
        return "Private/Contract"

    def missing(self) -> str:
        return "Private/Missing"


class TestVersion1(TestVersion2):
    """Version 1 passes the contract tests."""

    version = 1


# -- items and fields --------------------------------------------------------------

#: References without their scheme, and what they give: its value, its user name.
FOUND = [
    ("Private/PyPI", "canary-pypi", "__token__"),
    ("Private/PyPI#password", "canary-pypi", "__token__"),
    ("Private/PyPI#USERNAME", "__token__", "__token__"),
    ("Private/PyPI#pin", "canary-pin", "__token__"),
    ("Private/id-of-PyPI", "canary-pypi", "__token__"),
    ("PyPI", "canary-pypi", "__token__"),
    ("PyPI#username", "__token__", "__token__"),
    ("Private/Two words", "canary-two", "me"),
    ("Shared/Shared one", "canary-shared", "we"),
    ("Private/PyPI/password", "canary-pypi", None),
    ("Private/PyPI/Username", "__token__", None),
    ("Private/PyPI/More/pin", "canary-pin", None),
    ("Private/PyPI/Others/PIN", "canary-other-pin", None),
    ("Private/id-1", "canary-twin-1", "me"),
    ("Private/Pass", "canary-pass", None),
    ("Private/Pass/password", "canary-pass", None),
    ("Private/API", "canary-api", "robot"),
    ("Private/API/credential", "canary-api", None),
    ("Private/Note#colour", "canary-colour", None),
    ("Private/Odd", "canary-purpose", None),
    ("Private/Odd id", "canary-id", None),
    ("Private/Odd label", "canary-label", None),
    ("Private/Sections", "canary-own", None),
]


def test_a_reference_gives_its_field(op: OnePassword) -> None:
    """Of a login, a password, an API credential, a note; by purpose, then id, then label."""
    references = [reference for reference, _, _ in FOUND]
    found = op.get_each(*references)
    assert [(name, *got) for name, got in zip(references, found, strict=True)] == FOUND
    assert len(op.calls) == len(FOUND)


def test_op_gets_the_query_of_a_reference(home: Home) -> None:
    """1Password's own form of a reference has queries."""
    op = OnePassword(home, 2)
    assert op.get("Private/PyPI/password?attribute=otp")[0] == "canary-pypi?attribute=otp"
    assert op.calls == ["read op://Private/PyPI/password?attribute=otp"]


def test_version_1_rejects_a_query(home: Home) -> None:
    """It would return another value, such as the key of the one-time password."""
    op = OnePassword(home, 1)
    with pytest.raises(BadReference, match="version 1"):
        op.get("Private/PyPI/password?attribute=otp")
    assert op.calls == []


def test_a_document_comes_whole(op: OnePassword) -> None:
    """Its text takes the place of the password; one line end at its end goes, as of a file."""
    assert op.get("Private/Key file")[0] == "canary-1\n\ncanary-2\n"
    assert op.get("Private/Key file#password")[0] == "canary-1\n\ncanary-2\n"
    if op.version == 2:
        assert op.get("Private/Key file/notesPlain")[0] == "canary-note"


def test_a_newline_of_the_secret_stays(op: OnePassword) -> None:
    """Only the newline that op adds is removed."""
    values = ["canary-1\n", "canary-1\n\n", " canary-1 ", "canary\n1"]
    op.change(items=[login(f"Key{number}", value, "me") for number, value in enumerate(values)])
    for form in ("Private/Key{}", "Private/Key{}/password"):
        found = op.get_each(*map(form.format, range(len(values))))
        assert [value for value, _ in found] == values


#: All that may be wanted of one item, and what it is.
OF_ONE = {
    "op://Private/PyPI/password": "canary-pypi",
    "op://Private/PyPI/username": "__token__",
    "op://Private/PyPI/More/pin": "canary-pin",
    "op://Private/PyPI/others/PIN": "canary-other-pin",
    "op://Private/PyPI": "canary-pypi",
    "op://Private/PyPI#username": "__token__",
}


@pytest.mark.parametrize("count", [2, len(OF_ONE)])
def test_the_fields_of_one_item_are_one_call(op: OnePassword, count: int) -> None:
    """One call fetches all fields of an item, in either form of reference or both."""
    wanted = dict([*OF_ONE.items()][:count])
    options = [f"-eA{number}={reference}" for number, reference in enumerate(wanted)]
    shown = " ".join(f"$A{number}" for number in range(count))
    done = op.home.run("run", *options, "sh", "-c", f"echo {shown}")
    assert done == (0, " ".join(wanted.values()) + "\n", "")
    assert op.calls == [op.get_item("PyPI")]


def test_op_chooses_among_fields_of_the_same_name(home: Home) -> None:
    """op has its own rules for such names, and for files of an item."""
    op = OnePassword(home, 2)
    wanted = ("-eA=op://Private/PyPI/password", "-eB=op://Private/PyPI/pin")
    assert op.home.run("run", *wanted, *SHOW).stdout.startswith("canary-pypi|canary-pin|")
    assert op.calls == [op.get_item("PyPI"), "read op://Private/PyPI/pin"]


def test_one_missing_field_runs_nothing(op: OnePassword) -> None:
    """The command does not start, and the error names the item."""
    wanted = ("-eA=op://Private/PyPI/password", "-eB=op://Private/PyPI/nothing")
    done = op.home.run("run", *wanted, *SHOW)
    assert (done.status, done.stdout) == (125, "")
    assert "1Password: Private/PyPI has no " in done.stderr
    assert "canary" not in done.stderr


def test_a_later_field_is_fetched_with_the_first(op: OnePassword) -> None:
    """A field that was fetched before needs no other call."""

    async def work() -> list[str]:
        found = Items(op.run_of(), [parse("op://Private/PyPI/password")])
        names = ("password", "username", "password")
        return [(await found.get(parse(f"op://Private/PyPI/{name}")))[0] for name in names]

    assert asyncio.run(work()) == ["canary-pypi", "__token__", "canary-pypi"]
    assert op.calls[1:] == [op.get_item("PyPI")]


def test_a_traceback_shows_no_field_of_the_item(home: Home) -> None:
    """A traceback may show local variables."""
    op = OnePassword(home, 2)
    wanted = [parse(f"op://Private/PyPI/{name}") for name in ("password", "nothing")]
    with pytest.raises(sources.NoField) as caught:
        asyncio.run(Items(op.run_of(), wanted).get(wanted[0]))
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert len(frames) > 5
    assert "canary-pypi" not in repr(frames[1:])


@pytest.mark.parametrize(
    ("reference", "field", "names"),
    [
        ("Private/Note", "password", ["colour"]),
        ("Private/PyPI#nothing", "nothing", ["username", "password", "pin"]),
        ("Private/PyPI#empty", "empty", ["username", "password"]),
    ],
)
def test_a_field_without_a_value_is_missing(
    op: OnePassword, reference: str, field: str, names: Sequence[str]
) -> None:
    """An empty password is an error that names the fields with a value, and no values."""
    with pytest.raises(sources.NoField) as caught:
        op.get(reference)
    assert f"'{field}'" in str(caught.value)
    listed = caught.value.hint.casefold().removeprefix("its fields: ").split(", ")
    assert set(names) <= set(listed)
    assert field not in listed
    assert "canary" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("field", ["", "#password", "#PassWord"])
def test_no_other_field_replaces_an_empty_password(op: OnePassword, field: str) -> None:
    """Neither a field of a section nor a credential takes its place."""
    with pytest.raises(sources.NoField, match="'password' of Private/Blank") as caught:
        op.get(f"Private/Blank{field}")
    assert "password" not in caught.value.hint.split(", ")
    assert "username" in caught.value.hint


def test_no_other_user_name_replaces_an_empty_one(op: OnePassword) -> None:
    """A section's user name belongs to something else."""
    router = {"id": "username", "label": "username", "value": "admin", "section": "Router"}
    op.change(
        items=[
            {
                **login("Key", "canary-1", ""),
                "fields": [
                    {"id": "username", "purpose": "USERNAME", "label": "username", "value": ""},
                    {
                        "id": "password",
                        "purpose": "PASSWORD",
                        "label": "password",
                        "value": "canary-1",
                    },
                    router,
                ],
            }
        ]
    )
    assert op.get("Private/Key") == ("canary-1", None)


@pytest.mark.parametrize("reference", ["Private/PyPI/nothing", "Private/PyPI/More/password"])
def test_a_missing_field_of_1passwords_own_form_is_an_error(
    op: OnePassword, reference: str
) -> None:
    """A field of another section doesn't match."""
    with pytest.raises(sources.NoField) as caught:
        op.get(reference)
    assert "1Password" in str(caught.value)
    assert "Private/PyPI" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("path", ["/", "Private/", "/PyPI", "Private//password", "a/b/c/d/e"])
def test_a_reference_without_an_item_is_an_error(op: OnePassword, path: str) -> None:
    """secretly doesn't start op."""
    with pytest.raises(BadReference):
        op.get(path)
    assert op.log == []


@pytest.mark.parametrize("path", ["--help", "--vault/PyPI", "Private/-h", "Private/--x/password"])
def test_a_part_is_never_an_option(op: OnePassword, path: str) -> None:
    """op's help text is never used as a secret."""
    with pytest.raises(BadReference):
        op.get(path)
    assert op.log == []


def test_user_name_and_password_are_one_call(op: OnePassword) -> None:
    """One run fetches an item once, whichever fields it needs."""
    path = "op://Private/PyPI"
    done = op.home.run("run", "-e", f"A={path}", "-e", f"B={path}#username", *SHOW)
    assert done == (0, f"canary-pypi|__token__|{TOKEN}\n", "")  # the session is the caller's
    assert op.calls == [op.get_item("PyPI")]


def test_a_configured_secret_has_its_user_name(op: OnePassword) -> None:
    """The item's user name is used, unless one is configured."""
    op.home.configure(
        '[secrets.X]\nsource = "op://Private/PyPI"\n'
        '[secrets.Y]\nsource = "op://Private/PyPI"\nusername = "configured"\n'
    )
    done = op.home.run("run", "-e", "A=X#username", "-e", "B=Y#username", *SHOW)
    assert done.stdout.startswith("__token__|configured|")


# -- signing in --------------------------------------------------------------------


def ask(op: OnePassword, *answers: str | None) -> tuple[Ended, list[dict[str, str]]]:
    """Run a command that needs a secret, with these answers. Return the prompts too."""
    with FakePinentry(answers) as pinentry:
        show = f'echo "$A|${op.variable}"'
        words = ("run", "-eA=op://Private/PyPI", "sh", "-c", show)
        done = op.home.run(*words, environ=pinentry.environ)
        return done, pinentry.prompts


def test_secretly_signs_in_without_a_token(closed: OnePassword) -> None:
    """op asks on its terminal, the user answers in pinentry, and only op gets the token."""
    done, prompts = ask(closed, MASTER)
    assert done == (0, "canary-pypi|\n", "")
    (prompt,) = prompts
    assert "1Password is locked" in prompt["SETDESC"]
    assert "SETERROR" not in prompt
    item = closed.get_item("PyPI")
    assert closed.calls == [item, *closed.signing_in, item]
    held = [call["held"] for call in closed.log if call["argv"] != ["--version"]]
    assert held == [*[[]] * (len(held) - 1), [closed.variable]]


def test_a_wrong_password_is_asked_for_again(closed: OnePassword) -> None:
    """The next prompt says that the password was wrong."""
    done, prompts = ask(closed, "canary-wrong", MASTER)
    assert done == (0, "canary-pypi|\n", "")
    wrong = [prompt.get("SETERROR") for prompt in prompts]
    assert wrong == [None, wording.WRONG_PASSWORD]


def test_secretly_shows_no_prompt_with_no_input(closed: OnePassword) -> None:
    """secretly doesn't run ``op signin`` either: the desktop app would ask."""
    closed.change(app=True)
    with FakePinentry([MASTER]) as pinentry:
        done = closed.home.run(
            "run", "--no-input", "-eA=op://Private/PyPI", "true", environ=pinentry.environ
        )
        assert pinentry.lines == []
    assert done.status == 125
    assert "op signin" in done.stderr
    assert "op signin" in done.stderr
    assert closed.calls == [closed.get_item("PyPI")]


def test_an_expired_token_is_replaced(closed: OnePassword) -> None:
    """The token from the shell has expired, so secretly signs in again."""
    closed.home.environ[closed.variable] = "canary-expired"
    done, prompts = ask(closed, MASTER)
    assert done.stdout.startswith("canary-pypi|")
    assert len(prompts) == 1


def test_the_desktop_app_asks_itself(home: Home) -> None:
    """secretly doesn't ask: with the app, signing in needs no answer and prints no token."""
    op = OnePassword(home, 2, signed_in=False, app=True)
    done, prompts = ask(op)
    assert done == (0, "canary-pypi|\n", "")
    assert prompts == []
    assert op.calls == [op.get_item("PyPI"), *op.signing_in, op.get_item("PyPI")]
    done, _ = ask(op)
    assert op.calls[4:] == [op.get_item("PyPI")]  # the app remembers


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"latest_signin": null}', "\xff"])
def test_version_1_without_an_account_is_signed_out(home: Home, text: str | None) -> None:
    """The error is SignedOut."""
    op = OnePassword(home, 1, signed_in=False)
    config = home.folder / ".op" / "config"
    config.unlink()
    if text is not None:
        config.write_bytes(text.encode("latin-1"))
    done, prompts = ask(op, MASTER)
    assert done.status == 125
    assert done.stderr.startswith("secretly: 1Password")
    assert "no account is set up" in done.stderr
    assert "op signin ADDRESS EMAIL" in done.stderr
    assert prompts == []
    assert op.calls == [op.get_item("PyPI")]


#: Where version 1 may keep what it knows, in the order in which it looks.
_PLACES = ("own/config", ".op/config", "xdg/.op/config", ".config/op/config", "xdg/op/config")


@pytest.mark.parametrize("place", range(len(_PLACES)))
def test_version_1_has_its_account_in_one_of_several_folders(home: Home, place: int) -> None:
    """The first folder that exists counts."""
    op = OnePassword(home, 1, signed_in=False)
    (home.folder / ".op" / "config").unlink()
    home.environ["OP_CONFIG_DIR"] = str(home.folder / "own")
    home.environ["XDG_CONFIG_HOME"] = str(home.folder / "xdg")
    for number, path in enumerate(_PLACES[place:]):
        path = home.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"latest_signin": "another" if number else "my"}))
    done, prompts = ask(op, MASTER)
    assert done.stdout.startswith("canary-pypi|"), done
    assert len(prompts) == 1


@pytest.mark.parametrize("latest", [None, '{"latest_signin": "another"}'])
def test_op_account_chooses_the_account_of_version_1(home: Home, latest: str | None) -> None:
    """OP_ACCOUNT takes precedence over the last account, as in version 2."""
    op = OnePassword(home, 1, signed_in=False)
    config = home.folder / ".op" / "config"
    config.write_text(latest) if latest else config.unlink()
    home.environ["OP_ACCOUNT"] = "my"
    done, _ = ask(op, MASTER)
    assert done.stdout.startswith("canary-pypi|"), done
    home.environ["OP_ACCOUNT"] = "--help"
    assert "taken for an option" in ask(op, MASTER)[0].stderr


@pytest.mark.parametrize(
    "known", ["work.1password.example", "WORK", "OTHERUUID", "a2", "mine"], ids=str
)
def test_op_account_chooses_one_of_several_accounts(home: Home, known: str) -> None:
    """OP_ACCOUNT may be any name of the account."""
    op = OnePassword(home, 2, signed_in=False, variable="OP_SESSION_OTHERUUID")
    op.change(accounts=[ACCOUNT, {**OTHER, "shorthand": "mine"}])
    home.environ["OP_ACCOUNT"] = known
    done, prompts = ask(op, MASTER)
    assert done.stdout.startswith("canary-pypi|")
    assert len(prompts) == 1


@pytest.mark.parametrize(
    ("accounts", "named", "what", "hint"),
    [
        ([ACCOUNT, OTHER], "", "1Password has several accounts", "OP_ACCOUNT"),
        ([ACCOUNT, {**ACCOUNT, "email": "x"}], "my", "several accounts", "op account list"),
        ([ACCOUNT, OTHER], "nowhere", "no account is set up", "op account add"),
        ([], "", "no account is set up", "op account add"),
        ([{}], "", "1Password (op)", "op --version"),
        ({}, "", "no account is set up", "op account add"),
        (3, "", "1Password (op)", "op --version"),
    ],
)
def test_an_unclear_account_is_an_error(
    home: Home, accounts: Any, named: str, what: str, hint: str
) -> None:
    """secretly shows no password prompt in vain, and op doesn't ask for a choice."""
    op = OnePassword(home, 2, signed_in=False, accounts=accounts)
    if named:
        home.environ["OP_ACCOUNT"] = named
    done, prompts = ask(op, MASTER)
    assert (done.status, done.stdout) == (125, "")
    assert what in done.stderr.splitlines()[0]
    assert hint in done.stderr.splitlines()[1]
    assert prompts == []


def test_an_accounts_name_is_never_an_option(home: Home) -> None:
    """The name of the variable has only characters that variables may have."""
    op = OnePassword(home, 1, signed_in=False)
    config = home.folder / ".op" / "config"
    config.write_text('{"latest_signin": "--help"}')
    assert "taken for an option" in ask(op, MASTER)[0].stderr


def test_only_op_gets_the_token(closed: OnePassword) -> None:
    """Neither another source's program nor the command gets the token, and no file has it."""
    home = closed.home
    home.program("other", '#!/bin/sh\nenv > "$HOME/other.environ"\necho canary-2\n')
    home.configure('[secrets.Other]\ncommand = ["other"]\n')
    wanted = ("-eA=op://Private/PyPI", "-eB=Other", "-eC=op://Private/API")
    with FakePinentry([MASTER]) as pinentry, Watch(TOKEN) as tokens, Watch(MASTER) as masters:
        done = home.run("run", *wanted, "env", environ=pinentry.environ)
        # The one who saw nothing looked.
        assert tokens.rounds
        assert masters.rounds
    assert "A=canary-pypi" in done.stdout
    assert "B=canary-2" in done.stdout
    assert "C=canary-api" in done.stdout
    assert "OP_SESSION" not in done.stdout + (home.folder / "other.environ").read_text()
    assert TOKEN not in done.stdout + done.stderr
    assert {(part, name) for _, part, name in tokens.seen} <= {("environ", "op")}
    assert masters.seen == set()
    assert TOKEN not in str([call["argv"] for call in closed.log])
    assert [path.name for path in files_with(TOKEN, home.folder)] == ["op.facts"]
    assert [path.name for path in files_with(MASTER, home.folder)] == []  # escaped in op.facts


def test_no_later_program_gets_the_token(closed: OnePassword) -> None:
    """Even a program that starts after signing in doesn't get it."""
    closed.home.program("other", "#!/bin/sh\nenv\n")
    with FakePinentry([MASTER]) as pinentry:
        closed.home.environ |= pinentry.environ
        run = closed.run_of()

        async def work() -> str:
            found = Items(run, commands={"Other": ("other",)})
            assert (await found.get(parse("op://Private/PyPI")))[0] == "canary-pypi"
            return (await found.get(Reference("command", "Other")))[0]

        given = asyncio.run(work())
    assert "HOME=" in given
    assert "OP_SESSION" not in given
    assert "canary" not in given


# -- failures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind", "what"),
    [
        (
            "dial tcp: lookup my.1password.example: no such host",
            sources.Unreachable,
            "can't reach the server",
        ),
        ("Get https://my.1password.example: network is down", sources.Unreachable, "can't reach"),
        ("No accounts configured for use with 1Password CLI.", sources.SignedOut, "no account"),
        (
            "error initializing client: connecting to desktop app timed out",
            sources.Unreachable,
            "desktop app does not answer",
        ),
        ("error initializing client: request timed out", sources.Unreachable, "can't reach"),
        (
            "a vault query must be provided when this command is called by a service account",
            SourceFailed,
            "the vault of Private/PyPI",
        ),
        ("something else: canary-err", SourceFailed, "failed with status 6"),
    ],
)
def test_each_failure_has_its_error(said: str, kind: type[SourceFailed], what: str) -> None:
    """The error names 1Password and the cause, has a hint, and shows no output of op."""
    with pytest.raises(SourceFailed) as caught:
        program.read(Finished(6, b"canary-out", f"{said} canary-err".encode()), "Private/PyPI")
    error = caught.value
    assert type(error) is kind
    assert "1Password" in str(error)
    assert what in str(error)
    assert error.hint
    assert "canary" not in f"{error} {error.hint}"


@pytest.mark.parametrize(
    "said", ["authorization prompt dismissed, please try again", "authorization denied"]
)
def test_refusing_in_the_app_cancels(op: OnePassword, said: str) -> None:
    """As with secretly's own prompt, no command runs and no other prompt follows."""
    op.change(fault=f"error initializing client: {said} canary-err")
    done = op.home.run("run", "-eA=op://Private/PyPI", "echo", "ran")
    assert (done.status, done.stdout) == (130, "")
    assert "canary" not in done.stderr
    assert [call for call in op.calls if "signin" in call] == []


@pytest.mark.parametrize(
    ("path", "kind", "what"),
    [
        ("Private/Nothing", sources.NoItem, "Private/Nothing"),
        ("Nowhere/PyPI", sources.NoItem, "Nowhere/PyPI"),
        ("Shared/PyPI/password", sources.NoItem, "Shared/PyPI"),
        ("Private/Twin", sources.Ambiguous, "several items match Private/Twin"),
    ],
)
def test_a_missing_or_ambiguous_item_is_named(
    op: OnePassword, path: str, kind: type[SourceFailed], what: str
) -> None:
    """The error names the item, and has its own type."""
    with pytest.raises(kind, match=what) as caught:
        op.get(path)
    assert "op item list" in caught.value.hint


def test_a_missing_op_is_an_error(home: Home) -> None:
    """The error has two lines, and no command runs."""
    done = home.run("run", "-eA=op://Private/PyPI", "echo", "ran")
    assert (done.status, done.stdout) == (125, "")
    said = "secretly: 1Password's program op is not installed (op://Private/PyPI)"
    assert done.stderr.splitlines()[0] == said


def test_a_hanging_op_is_ended(op: OnePassword) -> None:
    """secretly ends op when the user's time is over: the app may need all of it."""
    op.change(sleep=60)
    done = op.home.run("run", "--prompt-timeout", "3s", "-eA=op://Private/PyPI", "echo", "ran")
    assert (done.status, done.stdout) == (125, "")
    assert "1Password (op) did not answer within 3 s" in done.stderr


def test_an_op_that_hangs_while_signing_in_is_ended(home: Home) -> None:
    """op may ask for something other than a password, and wait."""
    op = OnePassword(home, 2, signed_in=False)
    text = (home.programs / "op").read_text()
    home.program("op", text.replace("Enter the password for", "Select an account:"))
    done = home.run("run", "--prompt-timeout", "5s", "-eA=op://Private/PyPI", "echo", "ran")
    assert (done.status, done.stdout) == (125, "")
    assert "1Password (op)" in done.stderr
    assert "5 s" in done.stderr
    assert op.calls == [op.get_item("PyPI"), "account list --format json"]


# -- many --------------------------------------------------------------------------


def overlap(calls: Sequence[Any]) -> int:
    """How many calls ran at the same time, at most."""
    return max(sum(c["start"] <= one["start"] < c["end"] for c in calls) for one in calls)


def run_with(op: OnePassword, count: int, environ: dict[str, str]) -> float:
    """Run a command with so many secrets from as many items; return how long it took."""
    wanted = [f"-eA{number}=op://Private/Item {number}" for number in range(count)]
    show = " ".join(f"$A{number}" for number in range(count))
    started = time.monotonic()
    done = op.home.run("run", *wanted, "sh", "-c", f"echo {show}", environ=environ)
    took = time.monotonic() - started
    assert done == (0, " ".join(f"canary-{n}" for n in range(count)) + "\n", "")
    return took


TEN = [login(f"Item {number}", f"canary-{number}", "me") for number in range(10)]


def test_ten_references_are_fetched_together(
    op: OnePassword, capsys: pytest.CaptureFixture[str]
) -> None:
    """One call each, all at the same time, and one call for op's version."""
    op.change(items=TEN, sleep=0.5)
    one = run_with(op, 1, {})
    for path in op.home.programs.glob("op.[bc]*"):
        path.unlink()
    op.change(together=10)  # none of them goes on before all have begun
    ten = run_with(op, 10, {})
    fetched = [call for call in op.log if call["argv"] != ["--version"]]
    assert sorted(op.calls) == sorted(op.get_item(f"Item {n}") for n in range(10))
    assert len(op.log) == 11
    assert overlap(fetched) == 10
    with capsys.disabled():
        print(f"\nop {VERSIONS[op.version]}: ten references take {ten / one:.2f} times as one")


def test_ten_references_are_one_prompt(closed: OnePassword) -> None:
    """One call signs in, and then the other nine run at the same time.

    Version 1 doesn't ask the user itself, so secretly first tries all ten.
    """
    # None of the nine goes on before all have begun; the one that signed in comes first.
    closed.change(items=TEN, signed_in_count=True, first_alone=True, together=10)
    with FakePinentry([MASTER]) as pinentry:
        run_with(closed, 10, pinentry.environ)
        assert len(pinentry.prompts) == 1
    fetched = [call for call in closed.log if "Item" in " ".join(call["argv"])]
    with_session = [call for call in fetched if call["held"]]
    assert (len(fetched), len(with_session)) == ({1: 20, 2: 11}[closed.version], 10)
    assert sum("signin" in call for call in closed.calls) == 1
    assert overlap(with_session) >= 9


def test_only_one_call_waits_for_the_desktop_app(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The app may ask, so nine calls wait for the first, and then run together."""
    op = OnePassword(home, 2, signed_in=False, app=True, items=TEN)
    (home.programs / "op.authorised").touch()
    one = run_with(op, 1, {})
    for path in op.home.programs.glob("op.[bc]*"):
        path.unlink()
    op.change(first_alone=True, together=10)  # none of the nine goes on before all have begun
    ten = run_with(op, 10, {})
    first, *others = [call for call in op.log if call["argv"] != ["--version"]]
    assert len(others) == 9
    assert all(call["start"] >= first["end"] for call in others)
    assert overlap(others) == 9
    with capsys.disabled():
        print(f"\nop with the app: ten references take {ten / one:.2f} times as one")


def test_the_desktop_app_and_a_command_ask_in_turn(home: Home) -> None:
    """A configured command may ask too if there is a screen."""
    home.environ["DISPLAY"] = ":0"
    op = OnePassword(home, 2, signed_in=False, app=True, sleep=0.3)
    (home.programs / "op.authorised").touch()
    home.program("other", f"#!{sys.executable} -IS\n{_ASKS}")
    home.configure('[secrets.X]\ncommand = ["other"]\n[secrets.Y]\ncommand = ["other", "y"]\n')
    done = home.run("run", "-eA=X", "-eB=op://Private/PyPI", "-eC=Y", *SHOW)
    assert done.stdout == "canary-2|canary-pypi|\n"
    calls = [call for call in op.log if call["argv"] != ["--version"]]
    assert len(calls) == 3
    assert overlap(calls) == 1


#: Takes a moment, as one who is asked does, and logs that as op does.
_ASKS = """
import os, sys, time
started = time.monotonic()
time.sleep(0.3)
entry = {"argv": sys.argv, "start": started, "end": time.monotonic()}
with open(os.path.dirname(os.path.abspath(__file__)) + "/op.calls", "a") as file:
    file.write(ascii(entry) + "\\n")
print("canary-2")
"""


def test_an_item_is_fetched_once(op: OnePassword) -> None:
    """Several configured names of the same item share one call."""
    op.home.configure('[secrets.X]\nsource = "op://Private/PyPI"\n')
    wanted = [f"-eA{number}=op://Private/PyPI" for number in range(9)]
    done = op.home.run("run", *wanted, "-eB=X", "-eC=X#username", "sh", "-c", "echo $A0$A8$B$C")
    assert done.stdout == f"{'canary-pypi' * 3}__token__\n"
    assert op.calls == [op.get_item("PyPI")]


def test_a_missing_item_ends_the_run_early(op: OnePassword) -> None:
    """The first failure ends the run: no command starts, and no op remains."""
    op.change(items=TEN, sleep=0.2)
    wanted = [f"-eA{number}=op://Private/Item {number}" for number in range(8, 12)]
    process = op.home.start([*SECRETLY, "run", *wanted, "echo", "ran"])
    try:
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait(5)
    assert (process.returncode, out) == (125, b"")
    assert re.search(rb"1Password: .*Private/Item 1[01]", err)
    left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if _holds(p, str(op.home.programs))]
    assert left == []


def _holds(path: Path, text: str) -> bool:
    try:
        return os.fsencode(text) in path.read_bytes()
    except OSError:
        return False
