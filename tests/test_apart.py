"""The tests run again, apart from an agent that started them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from apart import run_apart, without_marks
from command import home

from secretly.config import agents

pytestmark = pytest.mark.process

_AGAIN = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import apart
status = apart.run_apart()
if status is None:
    marks = [name for name in os.environ if name == "CLAUDECODE"]
    print("apart", marks, flush=True)
    sys.exit(7)
print("ended with", status)
"""


def test_under_an_agent_the_tests_run_apart_from_it() -> None:
    """With the same words, and the same status at the end."""
    with home() as here:
        done = here.run_any([sys.executable, "-c", _AGAIN], environ={"CLAUDECODE": "1"})
        assert (done.stdout, done.stderr) == ("apart []\nended with 7\n", "")


def test_here_no_agent_is_an_ancestor() -> None:
    """Else the tests of the command would find one."""
    assert run_apart() is None
    names = {variable.partition("=")[0] for variable, _ in agents.VARIABLES}
    assert names.isdisjoint(without_marks(dict.fromkeys(names, "1")))
