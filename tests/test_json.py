"""What ``--json`` prints is what the page about it describes, and holds no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import Home, quick
from sandboxes import account_home
from tokens import TOKEN, wheel

from secretly.config.model import Configuration
from secretly.config.policy import Policy
from secretly.errors import Refused
from secretly.keeping.foreign import recognized
from secretly.publishing.archives import Distribution
from secretly.resolving.request import Context
from secretly.running.receipts import HandedSecret, Journal, Use

PAGE = Path(__file__).parent.parent / "docs/reference/json.rst"

pytestmark = pytest.mark.process

#: The types of JSON, as the page names them.
KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def described(verb: str) -> dict[str, str]:
    """The keys that the page has for a verb, and the type of each."""
    _, *parts = re.split(r"^(.+)\n-{3,}\n", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    section = dict(zip(parts[::2], parts[1::2], strict=True))[verb]
    return dict(re.findall(r"^   \* - ``(.+)``\n     - (.+)$", section, re.MULTILINE))


def keys_of(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Each key of an object with its value, named as on the page."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{place}.{name}".lstrip("."), inner
            yield from keys_of(inner, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner, f"{place}[]")


def is_a(value: Any, kinds: str) -> bool:
    """Whether a value has one of the types: a boolean is not a number."""
    return any(
        isinstance(value, KINDS[kind]) and isinstance(value, bool) <= (kind == "boolean")
        for kind in kinds.split(" or ")
    )


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        found.keep_in_a_file()
        found.configure(f"{found.config.read_text()}[secrets.Elsewhere]\nsource = 'env://VALUE'\n")
        found.environ |= {"VALUE": "canary-value", "TOKEN": TOKEN, "TWINE_USERNAME": "__token__"}
        found.program("twine", "#!/bin/sh\n")
        wheel(found.folder / "dist")
        for name in ("PyPI", "Naïve\u202e"):
            done = found.run("set", name, "--stdin", stdin=TOKEN if name == "PyPI" else "canary-1")
            assert done.status == 0, done
        yield found


def printed(home: Home, *calls: str, status: int = 0) -> list[dict[str, Any]]:
    """The objects that calls print, which are ASCII and hold no secret."""
    found = []
    for call in calls:
        done = home.run(*call.split())
        assert done.status == status, done
        assert done.stdout.isascii()
        assert not re.search(f"canary|{TOKEN[:12]}", done.stdout + done.stderr)
        found.append(json.loads(done.stdout))
    return found


def assert_described(verb: str, objects: list[dict[str, Any]]) -> None:
    """The objects have the keys on the page, with these types, and together all of them."""
    there, page = dict[str, Any](), described(verb)
    for key, value in (pair for one in objects for pair in keys_of(one)):
        assert key in page, key
        assert is_a(value, page[key]), (key, value)
        there[key] = value
    assert there.keys() == page.keys()
    assert {one["version"] for one in objects} == {1}


def test_the_list_is_as_described(home: Home) -> None:
    """A stored secret, one with a source, and one that secretly asks for."""
    (found,) = printed(home, "list --json")
    places = {one["name"]: [at["place"] for at in one["places"]] for one in found["secrets"]}
    assert places == {
        "Elsewhere": ["source"],
        "Naïve\u202e": ["keychain"],
        "PyPI": ["keychain"],
        "TestPyPI": [],
    }
    found["secrets"].append(  # the tests hold nothing in memory
        {"name": "x", "places": [{"place": "memory", "used": True, "username": "u", "left": ""}]}
    )
    found["leases"].append(  # no call of these tests is asked for
        {"secrets": ["x"], "program": "/bin/x", "folder": "/", "seconds_left": 1}
    )
    assert_described("list", [found])


def test_the_list_of_others_items_is_as_described() -> None:
    """``test_keychain.py`` has the command with the real keychain."""
    item = recognized({"service": "gh:github.com", "username": ""})
    assert item is not None
    assert_described("list --others", [{"version": 1, "others": [item._asdict()]}])


def test_the_receipts_are_as_described(home: Home) -> None:
    """What was handed over and what was refused, with all that can be recorded."""
    context = Context.of(Configuration(), home.environ)
    context = context._replace(policy=Policy(log="full"), reason="a reason")
    with account_home(home.folder):
        journal = Journal(Use("/bin/x", "x", ["x"]), home.environ, context, print)
    secret = HandedSecret("PyPI", "keychain", "yes", ("X",), ("demo",), 1.0)
    journal.handed_over([secret], [Distribution("dist/x.whl", 1, "ab", "demo", "1")])
    journal.not_handed_over(["PyPI"], Refused("no"))
    assert_described("log", printed(home, "log --json"))


def test_the_findings_of_doctor_are_as_described(home: Home) -> None:
    """The status is the one of the text; a line that is indented belongs to the one before."""
    (found,) = printed(home, "doctor --json", status=1)
    assert_described("doctor", [found])
    states = {one["about"]: one["state"] for one in found["checks"]}
    assert states["pinentry"] == "wrong" and states["keychain"] == "ok" and not found["good"]
    assert [one["details"] for one in found["checks"] if one["about"] == "pinentry"] != [[]]


def test_what_lies_in_plain_text_is_as_described(home: Home) -> None:
    """The place, the kind and the advice."""
    path = home.folder / ".pypirc"
    path.write_text(f"[pypi]\npassword = {TOKEN}\n")
    path.chmod(0o600)
    (found,) = printed(home, "doctor --plaintext --json", status=1)
    assert_described("doctor --plaintext", [found])


def test_what_a_check_finds_is_as_described(home: Home) -> None:
    """A secret that is there, and one that is missing."""
    path = home.folder / ".env"
    path.write_text("A=secretly://PyPI\nB=secretly://Nope\n")
    path.chmod(0o600)
    (found,) = printed(home, "check -f .env --json", status=1)
    assert_described("check", [found])
    assert [one["state"] for one in found["references"]] == ["there", "missing"]


def test_what_a_token_allows_is_as_described(home: Home) -> None:
    """Without limits, a token has null."""
    (found,) = printed(home, "token show --json env://TOKEN")
    assert_described("token show", [found])
    assert (found["name"], found["projects"]) == ("env://TOKEN", None)


def test_a_dry_run_is_as_described(home: Home) -> None:
    """An upload, and a call of another command."""
    upload = "run --dry-run --json twine upload dist/demo-1.0-py3-none-any.whl"
    found = printed(home, upload, "run --dry-run --json -e X=Elsewhere -e Y=PyPI#username ls")
    assert_described("run --dry-run", found)
    assert [file["size"] > 0 for file in found[0]["upload"]["files"]] == [True]
    variables = [(one["name"], one["action"], one["references"]) for one in found[1]["variables"]]
    assert variables == [("X", "secret", ["Elsewhere"]), ("Y", "secret", ["PyPI#username"])]


def test_an_error_is_text_on_standard_error(home: Home) -> None:
    """Standard output stays empty: no half of an object."""
    for call in ("token show --json Nope", "run --json true", "list --json more"):
        done = home.run(*call.split())
        assert (done.status > 0, done.stdout, len(done.stderr.splitlines())) == (True, "", 2), call
