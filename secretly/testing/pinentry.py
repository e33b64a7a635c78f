"""A pinentry that follows a script."""

from __future__ import annotations

import ast
import base64
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# It starts often, so it loads only modules that load no others: not signal, which loads enum.
_PROGRAM = r"""
import _signal as signal, binascii, fcntl, os, sys, time

script = SCRIPT
folder = FOLDER
said = {}

def write(data):
    while data:
        data = data[os.write(1, data):]

def turn():
    with open(folder + "/turn", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = int(file.read() or 0)
        file.truncate(0)
        file.write(str(number + 1))
    return number

def act(action, verb):
    kind, value = action
    if kind == "agree":
        if verb == "GETPIN":
            write(b"D yes\nOK\n" if value else b"D no\nOK\n")
        else:
            write(b"OK\n" if value else b"ERR 83886194 Not confirmed <Pinentry>\n")
    elif kind == "raw":
        write(binascii.a2b_base64(value))
    elif kind == "drip":
        for byte in binascii.a2b_base64(value):
            write(bytes([byte]))
            time.sleep(0.005)
    elif kind == "wait":
        time.sleep(value)
    elif kind == "hang":
        for number in (signal.SIGINT, signal.SIGTERM) if value else ():
            signal.signal(number, signal.SIG_IGN)
        while os.path.exists(folder):  # the pinentry ends with the test
            time.sleep(0.1)
    elif kind == "kill":
        if value not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(value, signal.SIG_DFL)
        os.kill(os.getpid(), value)
        time.sleep(10)
    elif kind == "exit":
        os._exit(value)

def answer(verb, default):
    for action in script["on"].get(verb, [["raw", binascii.b2a_base64(default)]]):
        act(action, verb)

signal.signal(signal.SIGINT, lambda *_: os._exit(1))
answer("greeting", b"OK Pleased to meet you\n")
while True:
    line = sys.stdin.buffer.readline()
    if not line:
        break
    verb, _, text = line.rstrip(b"\n").partition(b" ")
    verb = verb.decode("ascii", "replace")
    said[verb] = text.decode("utf-8", "replace")
    with open(folder + "/lines", "ab") as file:
        file.write(line)
    if verb in ("GETPIN", "CONFIRM", "MESSAGE"):
        with open(folder + "/prompts", "a") as file:
            file.write(ascii(said) + "\n")
        number = turn()
        answers = script["answers"]
        actions = answers[number] if number < len(answers) else script["otherwise"]
        for action in actions:
            act(action, verb)
    elif verb == "BYE":
        answer(verb, b"OK closing connection\n")
        break
    elif verb == "GETINFO" and text == b"flavor":
        answer(verb, b"D " + script["flavor"].encode() + b"\nOK\n")
    else:
        answer(verb, b"OK\n")
"""

Action = tuple[str, Any]
#: What a fake pinentry does at a prompt: type a text, cancel (None), answer Yes or No (with a
#: button, or with the word where that is typed),
#: or a list of actions: ``("raw", bytes)``, ``("drip", bytes)``, ``("wait", seconds)``,
#: ``("hang", whether to ignore signals)``, ``("kill", signal)``, ``("exit", status)``.
Answer = str | None | bool | Sequence[Action]

_CANCEL = b"ERR 83886179 Operation cancelled <Pinentry>\n"


def _executable(path: Path, text: str) -> None:
    """Have a shell write the program, and wait for the shell's end.

    No process can start a program that another one has open for writing (ETXTBSY, execve(2)).
    If this process wrote it, a child that another thread forks meanwhile would have it open.
    """
    script = 'cat >"$0" && chmod 700 "$0"'
    subprocess.run(["/bin/sh", "-c", script, path], input=text.encode(), check=True, timeout=60)


class FakePinentry:
    """A pinentry that follows a script. It is a real process, like the real one.

    :param answers: what it does at each prompt in turn; after the last one it cancels. ``True``
        and ``False`` answer a question.
    :param on: what it does at other commands, by verb, or at its ``"greeting"``.
    :param flavor: the flavor that it reports.

    ``path`` is the program: set ``PINENTRY`` to it. ``prompts`` has the texts of each prompt,
    by command. Use it as a context manager.
    """

    def __init__(
        self,
        answers: Sequence[Answer] = (),
        *,
        on: Mapping[str, Sequence[Action]] | None = None,
        flavor: str = "gtk2",
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="secretly-"))
        self.path = self._folder / "pinentry-gtk-fake"
        script = {
            "answers": [_actions(answer) for answer in answers],
            "otherwise": _encoded([("raw", _CANCEL)]),
            "on": {verb: _encoded(actions) for verb, actions in (on or {}).items()},
            "flavor": flavor,
        }
        plain = json.loads(json.dumps(script))  # numbers in place of a signal's names
        program = _PROGRAM.replace("SCRIPT", repr(plain))
        program = program.replace("FOLDER", repr(str(self._folder)))
        _executable(self.path, f"#!{sys.executable} -IS\n{program}")

    def __enter__(self) -> FakePinentry:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._folder)

    @property
    def environ(self) -> dict[str, str]:
        """Variables with which secretly uses this pinentry."""
        # A screen of its own: prompts on the same one wait for each other.
        return {"PINENTRY": str(self.path), "DISPLAY": f":{self._folder.name}"}

    @property
    def prompts(self) -> list[dict[str, str]]:
        """The texts of each prompt, by command, as this pinentry received them."""
        with contextlib.suppress(FileNotFoundError):
            text = (self._folder / "prompts").read_text("utf-8")
            return [ast.literal_eval(line) for line in text.splitlines()]
        return []

    @property
    def lines(self) -> list[bytes]:
        """Every line that this pinentry received."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "lines").read_bytes().splitlines()
        return []


def _actions(answer: Answer) -> list[list[Any]]:
    if answer is None:
        return _encoded([("raw", _CANCEL)])
    if isinstance(answer, bool):
        return _encoded([("agree", answer)])
    if isinstance(answer, str):
        from ..asking.assuan import escape

        data = escape(answer.encode())
        lines = b"".join(b"D " + data[i : i + 900] + b"\n" for i in range(0, len(data), 900))
        return _encoded([("raw", lines + b"OK\n")])
    return _encoded(answer)


def _encoded(actions: Sequence[Action]) -> list[list[Any]]:
    return [
        [kind, base64.b64encode(value).decode() if isinstance(value, bytes) else value]
        for kind, value in actions
    ]
