"""An MCP server over standard input and output, started by ``secretly run``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from command import SECRETLY, Home, ended, home

pytestmark = pytest.mark.process

SERVER = Path(__file__).parent.parent / "docs/examples/mcp_server.py"
WORDS = [*SECRETLY, "run", "-e", "API_KEY=Example", "--", "python", str(SERVER)]


def requests(*methods: str) -> bytes:
    """A line for each request."""
    lines = [{"jsonrpc": "2.0", "id": at, "method": name} for at, name in enumerate(methods)]
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def bare(here: Home) -> Mapping[str, str]:
    """The variables that clients pass on, with those of the test's own keychain."""
    kept = ("HOME", "PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    tests = ("PYTHONPATH", "PYTHON_KEYRING_BACKEND", "TEST_KEYCHAIN")
    return {name: here.environ[name] for name in (*kept, *tests) if name in here.environ}


def test_a_server_answers_through_secretly() -> None:
    """secretly becomes the server, which has its key: only the protocol's lines are written."""
    with home() as here:
        here.keep_in_a_file()
        assert here.run("set", "Example", "--stdin", stdin="canary-1").status == 0
        here.environ = dict(bare(here))
        process = here.start(WORDS)
        with ended(process):
            out, err = process.communicate(requests("initialize", "tools/list", "tools/call"), 60)
    answers = [json.loads(line)["result"] for line in out.splitlines()]
    assert answers[0]["serverInfo"]["name"] == "example"
    assert answers[1]["tools"][0]["name"] == "has_key"
    assert answers[2]["content"][0]["text"] == "yes"
    assert (process.returncode, err) == (0, b"")


def test_a_server_that_gets_no_secret_says_why() -> None:
    """On standard error; nothing on standard output confuses the client."""
    with home() as here:
        here.keep_in_a_file()
        assert here.run("set", "Example", "--stdin", stdin="canary-1").status == 0
        here.environ = {**bare(here), "CLAUDECODE": "1"}
        process = here.start(WORDS)
        with ended(process):
            out, err = process.communicate(requests("initialize"), 60)
    assert (process.returncode, out) == (125, b"")
    assert len(err.splitlines()) == 2
    assert b"Claude Code" in err
    assert b"canary" not in err
