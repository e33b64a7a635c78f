"""Count the instructions of a command with valgrind: they are the same on a busy machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["count"]

#: How long one count may take, in seconds.
PATIENCE = 300


def count(argv: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """How many instructions a process takes, until it ends or becomes another program.

    What its children do is not counted.

    :returns: None without valgrind.
    """
    program = shutil.which("valgrind")
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="secretly-") as folder:
        # callgrind writes what it has before each exec, and then follows the process no further.
        options = ("--tool=callgrind", "--dump-before=execve", "--dump-before=fexecve")
        out = f"--callgrind-out-file={folder}/%p"
        with subprocess.Popen(
            [program, *options, out, *argv],
            env={**environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                assert process.wait(PATIENCE) == 0, argv
            finally:
                process.kill()  # nothing, if it has ended
        texts = [path.read_text() for path in Path(folder).glob(f"{process.pid}*")]
    counted = [re.search(r"^summary: (\d+)", text, re.MULTILINE) for text in texts]
    return sum(int(found[1]) for found in counted if found)
