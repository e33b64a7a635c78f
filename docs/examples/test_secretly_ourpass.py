"""Tests of the source for ourpass, with an ``ourpass`` that knows one item."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import secretly_ourpass

from secretly.sources import Locked, Run, Source
from secretly.testing import SourceContract

OURPASS = f"""#!{sys.executable} -IS
import os, sys
folder = os.path.dirname(__file__)
match sys.argv[1:]:
    case ["unlocked"]:
        sys.exit(not os.path.exists(folder + "/unlocked"))
    case ["unlock"]:
        open(folder + "/unlocked", "w").close()
    case ["get", "--raw", "Example"]:
        print(open(folder + "/item.json").read())
    case ["get", "--raw", name]:
        sys.exit(f"ourpass get: couldn't find entry for '{{name}}': no entry found")
"""


class TestOurPass(SourceContract):
    """The source passes the contract tests."""

    PROGRAM = "ourpass"

    @pytest.fixture(autouse=True)
    def _program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        data = {"username": self.USERNAME, "password": self.PASSWORD}
        (tmp_path / "item.json").write_text(json.dumps({"data": data, "fields": []}))
        (tmp_path / "ourpass").write_text(OURPASS)
        (tmp_path / "ourpass").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        self.folder = tmp_path
        yield

    def source(self) -> Source:
        """Return the module, which has ``title`` and ``fetch``."""
        return secretly_ourpass

    def item(self) -> str:
        """Return the name of an item that exists."""
        return "Example"

    def missing(self) -> str:
        """Return the name of an item that doesn't exist."""
        return "Another"

    def test_a_locked_vault_is_an_error_if_secretly_must_not_ask(self) -> None:
        """Without prompts the vault stays locked; with prompts ourpass unlocks it."""
        no_prompts = Run(self.run().environ, prompt_timeout=None)
        with pytest.raises(Locked):
            asyncio.run(secretly_ourpass.fetch("Example", ("",), no_prompts))
        assert not (self.folder / "unlocked").exists()
        asyncio.run(secretly_ourpass.fetch("Example", ("",), self.run()))
        assert (self.folder / "unlocked").exists()
