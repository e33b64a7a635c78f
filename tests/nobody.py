"""Processes of another user than root, even if root runs the tests."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import need

#: The user and group that have nothing: ``nobody`` and ``nogroup``.
_NOBODY = 65534

_DROP = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]

#: An interpreter in root's own folder is out of reach. With this one capability it is not;
#: it lets no process look into another.
_REACH = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]

_LOADS = "import sys, secretly.cli, keyring, twisted; sys.exit(sys.base_prefix != sys.argv[1])"


@functools.cache
def nobody() -> tuple[str, ...]:
    """What starts a command line as a user who is not root: nothing, where we are none."""
    if os.geteuid() != 0:
        return ()
    need("setpriv")
    # By sh: setpriv itself still has all that root has when it executes the next.
    check = ["sh", "-c", 'exec "$@"', "sh", sys.executable, "-c", _LOADS, sys.base_prefix]
    for more in ([], _REACH):
        start = ["setpriv", *_DROP, *more, "--"]
        if not subprocess.run([*start, *check], capture_output=True, timeout=60).returncode:
            return tuple(start)
    pytest.skip("another user cannot reach this interpreter")


def give(*folders: Path) -> None:
    """Make folders, with all in them, that user's."""
    if os.geteuid() == 0:
        for folder in folders:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, _NOBODY, _NOBODY)
