"""Run processes as a user without privileges, even if root runs the tests."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import need

#: The ID of the user ``nobody`` and of the group ``nogroup``, who own nothing.
_NOBODY = 65534

_DROP = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]

#: With this capability ``nobody`` can start an interpreter from root's folder, but still can't
#: look into other processes.
_REACH = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]

_LOADS = "import sys, secretly.cli, keyring, twisted; sys.exit(sys.base_prefix != sys.argv[1])"


@functools.cache
def nobody() -> tuple[str, ...]:
    """Return the words that start a command as ``nobody``. Only root needs any."""
    if os.geteuid() != 0:
        return ()
    need("setpriv")
    # Check through sh, because setpriv still has root's rights when it executes a program.
    check = ["sh", "-c", 'exec "$@"', "sh", sys.executable, "-c", _LOADS, sys.base_prefix]
    for more in ([], _REACH):
        start = ["setpriv", *_DROP, *more, "--"]
        if not subprocess.run([*start, *check], capture_output=True, timeout=60).returncode:
            return tuple(start)
    pytest.skip("another user cannot reach this interpreter")


def give(*folders: Path) -> None:
    """Make ``nobody`` the owner of folders and their contents, if root runs the tests."""
    if os.geteuid() == 0:
        for folder in folders:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, _NOBODY, _NOBODY)
