"""Ask real programs, which have no parser to import, in a network that is loopback alone."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .archives import wheel
from .cases import HERE, Answer, Case, environ_of, interpreter, npm

#: The file of the calls that show where the tool's own indexes are.
FILE = "demo-1.0-py3-none-any.whl"

#: Who a tool is told to be where it knows no user of its own.
NOBODY = "nobody-known"


@functools.cache
def alone() -> tuple[str, ...] | None:
    """The words that start a command in a network namespace; None if the system allows none."""
    for words in (("unshare", "-n"), ("unshare", "-rn")):
        try:
            subprocess.run([*words, "true"], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            continue
        return words
    return None


def missing() -> str:
    """Why real tools can't be asked here; empty if they can."""
    return "" if alone() else "this system allows no network namespace"


def ask(
    tool: str,
    version: str,
    calls: Sequence[tuple[Case, Path]],
    own: Mapping[str, Sequence[str]],
    tries: Sequence[Mapping[str, str]],
) -> list[Answer]:
    """What a version of a tool does with the calls, whose folders are laid out.

    :param own: the tool's own indexes, each with the arguments of a call that uploads there.
    :param tries: further variables. The first with which the tool sends anything count; those of
        the call take precedence.
    """
    words = alone() or ()
    assert words, missing()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_bytes(wheel().encode("utf-8", "surrogateescape"))
        lines = [
            {
                "arguments": [*arguments, FILE],
                "environ": {"HOME": folder},
                "folder": folder,
                "default": name,
                "tries": list(tries),
            }
            for name, arguments in own.items()
        ]
        lines += [
            {
                "arguments": case.arguments,
                "environ": environ_of(case, root),
                "folder": str(root / case.folder),
                "tries": list(tries),
            }
            for case, root in calls
        ]
        answers = _answers([*words, *_command(tool, version)], lines)
    assert len(answers) == len(calls), (tool, version, len(answers))
    return [_answer(found) for found in answers]


def ask_npm(
    version: str, calls: Sequence[tuple[Case, Path]], given: Mapping[str, str]
) -> list[Answer]:
    """What a version of npm does with the calls, whose folders are laid out.

    :param given: further variables; those of the call take precedence.
    """
    words = alone() or ()
    assert words, missing()
    lines = [
        {
            "arguments": case.arguments,
            "environ": environ_of(case, root),
            "folder": str(root / case.folder),
            "tries": [dict(given)],
        }
        for case, root in calls
    ]
    command = [sys.executable, "-P", HERE / "drivers" / "npm.py", npm(version)]
    answers = _answers([*words, *command], lines)
    assert len(answers) == len(calls), (version, len(answers))
    return [_answer(found) for found in answers]


def _command(tool: str, version: str) -> list[str | Path]:
    python = interpreter(tool, version)
    return [python, "-P", HERE / "drivers" / "alone.py", python.with_name(tool)]


def _answers(command: Sequence[str | Path], lines: Sequence[Mapping[str, Any]]) -> list[Any]:
    done = subprocess.run(
        command,
        input="".join(f"{json.dumps(line)}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=60 + 30 * len(lines),
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def _answer(found: Mapping[str, Any]) -> Answer:
    user, files = found["username"], found["files"]
    return Answer(
        found["url"],
        None if user == NOBODY else user,
        None if files is None else tuple(files),
        found["error"],
    )
