"""Sources that follow their programs' documentation, with scripts in place of the programs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest
from test_sources import run_of

from secretly import BadReference, sources
from secretly.reference import parse
from secretly.sources import Items, Run
from secretly.testing import SourceContract

# The programs start often, and json takes longer to load than Python.
_BEGIN = f"""#!{sys.executable} -IS
import os, sys
items = eval(open(os.path.dirname(__file__) + "/items").read())
words = sys.argv[1:]
def shown(value):
    if isinstance(value, dict):
        return "{{" + ", ".join(shown(k) + ": " + shown(v) for k, v in value.items()) + "}}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if not isinstance(value, str):
        return "null" if value is None else str(value)
    escaped = (f"\\\\u{{ord(c):04x}}" if c < " " or c in '"\\\\' else c for c in value)
    return '"' + "".join(escaped) + '"'
"""

BWS = f"""{_BEGIN}
assert words[:2] == ["secret", "get"] and words[3:] == ["--output", "json", "--color", "no"]
if words[2] not in items:
    sys.exit("Error: Received error message from server: [404 Not Found] Resource not found.")
print(shown({{"id": words[2], "value": items[words[2]]["password"], **items[words[2]]}}))
"""

PROTON = f"""{_BEGIN}
assert words[:2] == ["item", "view"] and len(words) == 3
vault, item, field = words[2].removeprefix("pass://").split("/")
if item not in items:
    sys.exit("Error: Item not found")
if field not in items[item]:
    sys.exit(f"Error: Field {{field}} not found")
print(items[item][field])
"""

VAULT = f"""{_BEGIN}
assert words[:3] == ["kv", "get", "-format=json"]
name = words[3].split("/")[-1]
if name not in items:
    sys.exit(f"No value found at secret/data/{{name}}")
second = words[3].startswith("secret/")
data = {{"data": items[name], "metadata": {{"version": 5}}}} if second else items[name]
print(shown({{"request_id": "x", "data": data}}))
"""

# rbw also takes a part of a name for it, if one item has it.
RBW = f"""{_BEGIN}
here = os.path.dirname(__file__)
if words == ["unlocked"]:
    sys.exit(0 if os.path.exists(here + "/open") else "rbw unlocked: agent is locked")
if words == ["unlock"]:
    open(here + "/open", "w").close()
    sys.exit(0)
assert words[:2] == ["get", "--raw"] and len(words) == 3
found = [name for name in items if words[2] in (name[:len(words[2])], "0-" + name)]
if len(found) != 1:
    said = "multiple entries found: " + ", ".join(found) if found else "no entry found"
    sys.exit(f"rbw get: couldn't find entry for {{words[2]!r}}: {{said}}")
print(shown({{"id": "0-" + found[0], "folder": None, "name": found[0], **items[found[0]]}}))
"""

GOPASS = f"""{_BEGIN}
assert words[:3] == ["show", "--unsafe", "--alsoclip=false"] and len(words) == 4
quiet = "--pinentry-mode error" in os.environ.get("GOPASS_GPG_OPTS", "")
locked = os.path.dirname(__file__) + "/locked"
if os.path.exists(locked):
    if quiet:
        sys.exit("gpg: decryption failed: No secret key\\n\\nError: failed to decrypt")
    os.remove(locked)
else:
    assert quiet
if words[3] + "/" in [name[:name.rfind("/") + 1] for name in items]:
    print(f"{{words[3]}}/\\n└── Example")
elif words[3] in items:
    print(items[words[3]])
else:
    sys.exit(f"\\nError: failed to retrieve secret: entry is not in the password store")
"""


class Scripted(SourceContract):
    """The contract, with a script that behaves as the documentation says.

    The script reads the items from ``items`` in its own folder.
    """

    scheme = ""
    script = ""
    place = "secret/Example"

    @pytest.fixture(autouse=True)
    def _there(self, tmp_path: Path) -> None:
        (tmp_path / "items").write_text(ascii(self.items()))
        (tmp_path / self.PROGRAM).write_text(self.script)
        (tmp_path / self.PROGRAM).chmod(0o700)
        self._folder = tmp_path

    def items(self) -> Mapping[str, object]:
        """What the manager has."""
        made = {"username": self.USERNAME, "password": self.PASSWORD, "port": "5432"}
        return {"Example": made, "Lines": {"password": "canary-1\n\ncanary-2\n"}}

    def source(self) -> sources.Source:
        return sources.find(self.scheme)

    def run(self) -> Run:
        return run_of(self._folder, prompt_timeout=10.0)

    def item(self) -> str:
        return self.place

    def missing(self) -> str:
        return self.place.replace("Example", "Missing")

    def got(self, path: str) -> str:
        """The value that a reference names."""
        return str(asyncio.run(Items(self.run()).get(parse(f"{self.scheme}://{path}")))[0])

    def test_a_text_comes_whole(self) -> None:
        """All lines of it, and other fields by their names."""
        lines = self.place.replace("Example", "Lines")
        assert self.got(lines) == "canary-1\n\ncanary-2\n"


@pytest.mark.process
class TestBitwardenSecretsManager(Scripted):
    """``bws://ID``; its items have no user names."""

    PROGRAM, scheme, script, place = "bws", "bws", BWS, "Example"
    USERNAME = None

    def items(self) -> Mapping[str, object]:
        made = {"key": "KEY", "note": "canary-n", "password": self.PASSWORD}
        return {"Example": made, "Lines": {"password": "canary-1\n\ncanary-2\n"}}

    def test_the_name_and_the_note_are_fields(self) -> None:
        """Under bws's own names for them."""
        assert self.got("Example#key") == "KEY"
        assert self.got("Example#note") == "canary-n"


@pytest.mark.process
class TestProtonPass(Scripted):
    """``protonpass://VAULT/ITEM``, and Proton's own form with the field."""

    PROGRAM, scheme, script = "pass-cli", "protonpass", PROTON

    def test_the_own_form_has_the_field(self) -> None:
        """It may be any field; a path of another length names no item."""
        assert self.got("secret/Example/port") == "5432"
        assert self.got("secret/Example#port") == "5432"
        for path in ("secret", "a/b/c/d#e", "a//b"):
            with pytest.raises((BadReference, sources.NoField, sources.NoItem)):
                self.got(path)


@pytest.mark.process
class TestVault(Scripted):
    """``vault-kv://PATH``, with either version of the engine."""

    PROGRAM, scheme, script = "vault", "vault-kv", VAULT

    def test_both_versions_of_the_engine_are_read(self) -> None:
        """The second one has the fields one level deeper, and the metadata."""
        assert self.got("secret/Example#port") == self.got("kv1/Example#port") == "5432"


class TestOpenBao(TestVault):
    """``bao-kv://PATH``, by its own program."""

    PROGRAM, scheme = "bao", "bao-kv"

    def test_its_errors_name_it(self) -> None:
        """And not Vault."""
        with pytest.raises(sources.NoItem, match=r"OpenBao: can't find secret/Gone"):
            self.got("secret/Gone")


@pytest.mark.process
class TestRbw(Scripted):
    """``rbw://NAME``, and the item's id."""

    PROGRAM, scheme, script, place = "rbw", "rbw", RBW, "Example"

    def items(self) -> Mapping[str, object]:
        login = {"username": self.USERNAME, "password": self.PASSWORD, "totp": None, "uris": []}
        own = [{"name": "port", "value": "5432", "type": "text"}, {"name": "password"}]
        key = {"private_key": "canary-key", "public_key": "ssh-ed25519 A", "fingerprint": None}
        return {
            "Example": {"data": login, "fields": own, "notes": "a\nb"},
            "Lines": {"data": {**login, "password": "canary-1\n\ncanary-2\n"}, "fields": []},
            "Key": {"data": key, "fields": [], "notes": None},
            "Note": {"data": None, "fields": [], "notes": "canary-note"},
            "Twice A": {"data": login, "fields": []},
            "Twice B": {"data": login, "fields": []},
        }

    def test_each_kind_of_item_has_its_fields(self) -> None:
        """Under rbw's own names; a login's own fields come before those of the same name."""
        assert self.got("Example#port") == self.got("0-Example#port") == "5432"
        assert self.got("Example#notes") == "a\nb"
        assert self.got("Key#private_key") == "canary-key"
        assert self.got("Note#notes") == "canary-note"

    @pytest.mark.parametrize("name", ["Exampl", "Twice", "0-Exampl"])
    def test_a_part_of_a_name_names_no_item(self, name: str) -> None:
        """rbw itself takes it for the item, or lists the items that it may mean."""
        with pytest.raises((sources.NoItem, sources.Ambiguous)):
            self.got(name)

    def test_a_locked_vault_stays_locked_if_secretly_must_not_ask(self) -> None:
        """Otherwise rbw asks, once."""
        with pytest.raises(sources.Locked):
            asyncio.run(self.source().fetch("Example", ("",), run_of(self._folder)))
        assert not (self._folder / "open").exists()
        self.got("Example")
        assert (self._folder / "open").exists()


@pytest.mark.process
class TestGopass(Scripted):
    """``gopass://NAME``."""

    PROGRAM, scheme, script, place = "gopass", "gopass", GOPASS, "web/Example"

    def items(self) -> Mapping[str, object]:
        pem = "-----BEGIN X-----\ncanary-1\n\n-----END X-----"
        return {
            "web/Example": f"{self.PASSWORD}\nusername: {self.USERNAME}\nport: 5432\n",
            "web/Lines": pem,
            "Yaml": 'canary-1\nuser: ada\n---\nport: "5432"\nuser: bob\n',
        }

    def test_a_text_comes_whole(self) -> None:
        """A key in PEM is a password; ``#all`` is the text as it is."""
        assert self.got("web/Lines").count("\n") == 3
        assert self.got("web/Example#port") == "5432"
        assert self.got("Yaml#all").endswith('port: "5432"\nuser: bob\n')

    def test_a_field_in_yaml_is_not_read(self) -> None:
        """gopass would write a number anew, and this source would keep the quotes of a text."""
        assert self.got("Yaml") == "canary-1"
        assert self.got("Yaml#username") == "ada"
        with pytest.raises(sources.NoField):
            self.got("Yaml#port")

    def test_a_locked_key_is_unlocked_by_gpgs_own_prompt(self) -> None:
        """Once, and only if secretly may ask."""
        locked = self._folder / "locked"
        locked.touch()
        with pytest.raises(sources.Locked, match="locked"):
            asyncio.run(self.source().fetch(self.place, ("",), run_of(self._folder)))
        assert locked.exists()
        assert self.got(self.place) == self.PASSWORD
        assert not locked.exists()

    def test_a_folder_is_not_an_item(self) -> None:
        """gopass lists it, with the status 0."""
        with pytest.raises(sources.NoItem, match="folder"):
            self.got("web")


# -- every source ------------------------------------------------------------------


def _suites(kind: type[SourceContract]) -> Iterator[type[SourceContract]]:
    for one in kind.__subclasses__():
        yield from (one, *_suites(one))


def test_each_source_has_a_contract_suite() -> None:
    """A suite names its source's scheme or program, or returns the source."""
    for name in ("aws", "managers", "op", "sources"):
        import_module(f"test_{name}")
    found = set()
    for suite in _suites(SourceContract):
        if not suite.__name__.startswith("Test") or not suite.__module__.startswith("test_"):
            continue
        if scheme := getattr(suite, "scheme", ""):
            found.add(scheme)
        elif suite.PROGRAM:
            found |= {one for one in sources.SCHEMES if _program(one) == suite.PROGRAM}
        else:
            title = suite().source().title
            found |= {one for one in sources.SCHEMES if sources.find(one).title == title}
    assert found == set(sources.SCHEMES)


def _program(scheme: str) -> str:
    """The name of the program that a source runs; empty if it runs none."""
    program = getattr(sources.find(scheme), "program", None)
    return program.name if program is not None else ""
