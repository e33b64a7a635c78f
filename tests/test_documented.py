"""Sources that follow their programs' documentation, with scripts in place of the programs."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from test_sources import run_of

from secretly import BadReference, sources
from secretly.reference import parse
from secretly.sources import Items, Run
from secretly.testing import SourceContract

_BEGIN = f"""#!{sys.executable} -IS
import json, os, sys
items = json.load(open(os.path.dirname(__file__) + "/items.json"))
words = sys.argv[1:]
"""

BWS = f"""{_BEGIN}
assert words[:2] == ["secret", "get"] and words[3:] == ["--output", "json", "--color", "no"]
if words[2] not in items:
    sys.exit("Error: Received error message from server: [404 Not Found] Resource not found.")
print(json.dumps({{"id": words[2], "value": items[words[2]]["password"], **items[words[2]]}}))
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
print(json.dumps({{"request_id": "x", "data": data}}))
"""


class _Documented(SourceContract):
    """The contract, with a script that behaves as the documentation says."""

    scheme = ""
    script = ""
    place = "secret/Example"

    @pytest.fixture(autouse=True)
    def _there(self, tmp_path: Path) -> None:
        made = {"username": self.USERNAME, "password": self.PASSWORD, "port": "5432"}
        items = {"Example": made, "Lines": {"password": "canary-1\n\ncanary-2\n"}}
        (tmp_path / "items.json").write_text(json.dumps(items))
        (tmp_path / self.PROGRAM).write_text(self.script)
        (tmp_path / self.PROGRAM).chmod(0o700)
        self._folder = tmp_path

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
class TestBitwardenSecretsManager(_Documented):
    """``bws://ID``; its items have no user names."""

    PROGRAM, scheme, script, place = "bws", "bws", BWS, "Example"
    USERNAME = None

    @pytest.fixture(autouse=True)
    def _there(self, tmp_path: Path) -> None:
        super()._there.__wrapped__(self, tmp_path)  # type: ignore[attr-defined]
        items = {"Example": {"key": "KEY", "note": "canary-n", "password": self.PASSWORD}}
        items["Lines"] = {"password": "canary-1\n\ncanary-2\n"}
        (tmp_path / "items.json").write_text(json.dumps(items))

    def test_the_name_and_the_note_are_fields(self) -> None:
        """Under bws's own names for them."""
        assert self.got("Example#key") == "KEY"
        assert self.got("Example#note") == "canary-n"


@pytest.mark.process
class TestProtonPass(_Documented):
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
class TestVault(_Documented):
    """``vault-kv://PATH``, with either version of the engine."""

    PROGRAM, scheme, script = "vault", "vault-kv", VAULT

    def test_both_versions_of_the_engine_are_read(self) -> None:
        """The second one has the fields one level deeper, and the metadata."""
        assert self.got("secret/Example#port") == self.got("kv1/Example#port") == "5432"


@pytest.mark.process
def test_openbao_is_read_as_vault(tmp_path: Path) -> None:
    """By its own program."""
    (tmp_path / "items.json").write_text('{"Example": {"password": "canary-1"}}')
    (tmp_path / "bao").write_text(VAULT)
    (tmp_path / "bao").chmod(0o700)
    items = Items(run_of(tmp_path))
    assert asyncio.run(items.get(parse("bao-kv://secret/Example")))[0] == "canary-1"
    with pytest.raises(sources.NoItem, match=r"OpenBao: can't find secret/Gone"):
        asyncio.run(items.get(parse("bao-kv://secret/Gone")))
