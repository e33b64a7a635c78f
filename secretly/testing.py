"""Doubles for tests of programs that use secretly, which secretly's own tests use too.

.. versionadded:: 1.0
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import api, configuration, resolve
from .errors import KeychainLocked, KeychainUnavailable
from .index import Index
from .redacted import Secret

__all__ = ["FakePinentry", "KeychainContract", "MemoryKeychain", "sandbox"]

_PROGRAM = r"""
import base64, fcntl, json, os, signal, sys, time

script = json.loads(SCRIPT)
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

def act(action):
    kind, value = action
    if kind == "raw":
        write(base64.b64decode(value))
    elif kind == "drip":
        for byte in base64.b64decode(value):
            write(bytes([byte]))
            time.sleep(0.005)
    elif kind == "wait":
        time.sleep(value)
    elif kind == "hang":
        for number in (signal.SIGINT, signal.SIGTERM) if value else ():
            signal.signal(number, signal.SIG_IGN)
        time.sleep(3600)
    elif kind == "kill":
        if value not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(value, signal.SIG_DFL)
        os.kill(os.getpid(), value)
        time.sleep(10)
    elif kind == "exit":
        os._exit(value)

def answer(verb, default):
    for action in script["on"].get(verb, [["raw", base64.b64encode(default).decode()]]):
        act(action)

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
            file.write(json.dumps(said) + "\n")
        number = turn()
        answers = script["answers"]
        actions = answers[number] if number < len(answers) else script["otherwise"]
        for action in actions:
            act(action)
    elif verb == "BYE":
        answer(verb, b"OK closing connection\n")
        break
    elif verb == "GETINFO" and text == b"flavor":
        answer(verb, b"D " + script["flavor"].encode() + b"\nOK\n")
    else:
        answer(verb, b"OK\n")
"""

Action = tuple[str, Any]
#: What a fake pinentry does at a prompt: type a text, cancel (None), say yes or no,
#: or a list of actions: ``("raw", bytes)``, ``("drip", bytes)``, ``("wait", seconds)``,
#: ``("hang", whether to ignore signals)``, ``("kill", signal)``, ``("exit", status)``.
Answer = str | None | bool | Sequence[Action]

_CANCEL = b"ERR 83886179 Operation cancelled <Pinentry>\n"


class FakePinentry:
    """A pinentry that follows a script: a real process, as a real one is.

    :param answers: what it does at each prompt in turn; after the last one it cancels.
    :param on: what it does at other commands, by verb, or at its ``"greeting"``.
    :param flavor: what it says that it is.

    ``path`` is the program, to be named in ``PINENTRY``; ``prompts`` are the texts
    that each prompt was shown with, by command. Use it as a context manager.
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
        program = _PROGRAM.replace("SCRIPT", repr(json.dumps(script)))
        program = program.replace("FOLDER", repr(str(self._folder)))
        self.path.write_text(f"#!{sys.executable} -IS\n{program}", "utf-8")
        self.path.chmod(0o700)

    def __enter__(self) -> FakePinentry:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._folder)

    @property
    def environ(self) -> dict[str, str]:
        """Variables with which this pinentry is the one that is asked."""
        return {"PINENTRY": str(self.path), "DISPLAY": ":fake"}

    @property
    def prompts(self) -> list[dict[str, str]]:
        """The texts of each prompt that was shown, by command, as they were sent."""
        with contextlib.suppress(FileNotFoundError):
            text = (self._folder / "prompts").read_text("utf-8")
            return [json.loads(line) for line in text.splitlines()]
        return []

    @property
    def lines(self) -> list[bytes]:
        """Every line that it was sent."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "lines").read_bytes().splitlines()
        return []


def _actions(answer: Answer) -> list[list[Any]]:
    if answer is None:
        return _encoded([("raw", _CANCEL)])
    if answer is True:
        return _encoded([("raw", b"OK\n")])
    if answer is False:
        return _encoded([("raw", b"ERR 83886194 Not confirmed <Pinentry>\n")])
    if isinstance(answer, str):
        from .assuan import escape

        data = escape(answer.encode())
        lines = b"".join(b"D " + data[i : i + 900] + b"\n" for i in range(0, len(data), 900))
        return _encoded([("raw", lines + b"OK\n")])
    return _encoded(answer)


def _encoded(actions: Sequence[Action]) -> list[list[Any]]:
    return [
        [kind, base64.b64encode(value).decode() if isinstance(value, bytes) else value]
        for kind, value in actions
    ]


class MemoryKeychain:
    """A keychain that forgets everything at the end; it passes :class:`KeychainContract`.

    :param locked: whether it is locked and stays so.
    :param absent: whether there is none.
    """

    def __init__(self, *, locked: bool = False, absent: bool = False) -> None:
        self.items: dict[tuple[str, str], Secret] = {}
        self._locked, self._absent = locked, absent

    def _check(self) -> None:
        if self._absent:
            raise KeychainUnavailable("there is no keychain", "install one")
        if self._locked:
            raise KeychainLocked("the keychain is locked", "unlock it")

    async def get(self, service: str, username: str, person: float | None) -> Secret | None:
        """Return what is kept, or None."""
        self._check()
        return self.items.get((service, username))

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Keep a secret."""
        self._check()
        self.items[service, username] = Secret(value)

    async def delete(self, service: str, username: str, person: float | None) -> bool:
        """Delete an item; return whether there was one."""
        self._check()
        return self.items.pop((service, username), None) is not None

    async def describe(self) -> str:
        """Name it."""
        self._check()
        return "memory"


@contextlib.contextmanager
def sandbox(
    pinentry: FakePinentry | None = None,
    keychain: MemoryKeychain | None = None,
    environ: Mapping[str, str] | None = None,
    config: str = "",
) -> Iterator[resolve.Context]:
    """Have the library use doubles, and nothing of this user's.

    :param pinentry: what is asked; None: nobody is there.
    :param keychain: where secrets are kept; None: a fresh :class:`MemoryKeychain`.
    :param environ: more variables.
    :param config: the text of a configuration file.
    """
    with tempfile.TemporaryDirectory(prefix="secretly-") as folder:
        path = Path(folder, "config.toml")
        path.write_text(config, "utf-8")
        variables = {"HOME": folder, "PATH": os.defpath, "SECRETLY_CONFIG": str(path)}
        variables |= {**(pinentry.environ if pinentry else {}), **(environ or {})}
        found = configuration.load(variables)
        double = MemoryKeychain() if keychain is None else keychain
        here = replace(
            resolve.Context.of(found, variables),
            keychain=double,
            index=Index(Path(folder, "state")),
            no_input=pinentry is None,
        )
        before = api.context
        api.context = lambda: here
        try:
            yield here
        finally:
            api.context = before


class KeychainContract:
    """What every keychain must do: inherit it, and override :meth:`keychain`."""

    #: Texts that keychains were seen to trip over.
    DIFFICULT = ("", " ", "a b", "é€😀", "a=b&c", "100%", "x" * 5000, "\t\n", "'\"\\", "/../", "#")

    def keychain(self) -> Any:
        """Return the keychain to be tested, empty."""
        raise NotImplementedError

    def test_what_is_kept_comes_back(self) -> None:
        """Whatever text is kept, the same comes back."""
        keychain = self.keychain()
        for number, text in enumerate(self.DIFFICULT):
            asyncio.run(keychain.set(f"canary-{number}", "user", text, 5))
        for number, text in enumerate(self.DIFFICULT):
            assert asyncio.run(keychain.get(f"canary-{number}", "user", 5)) == text

    def test_names_may_be_difficult(self) -> None:
        """Whatever the name and the user name, each has its own secret."""
        keychain = self.keychain()
        names = [name for name in self.DIFFICULT if name]
        for name in names:
            asyncio.run(keychain.set(name, name, f"canary-{name}", 5))
        for name in names:
            assert asyncio.run(keychain.get(name, name, 5)) == f"canary-{name}"

    def test_what_is_not_there_is_none(self) -> None:
        """An item that was never kept, or under another user name, is None."""
        keychain = self.keychain()
        asyncio.run(keychain.set("there", "user", "canary-1", 5))
        assert asyncio.run(keychain.get("not there", "user", 5)) is None
        assert asyncio.run(keychain.get("there", "another", 5)) is None

    def test_the_last_one_counts(self) -> None:
        """A secret that is kept again replaces the one before."""
        keychain = self.keychain()
        asyncio.run(keychain.set("name", "user", "canary-1", 5))
        asyncio.run(keychain.set("name", "user", "canary-2", 5))
        assert asyncio.run(keychain.get("name", "user", 5)) == "canary-2"

    def test_what_is_deleted_is_gone(self) -> None:
        """Deleting says whether there was something, and leaves nothing."""
        keychain = self.keychain()
        asyncio.run(keychain.set("name", "user", "canary-1", 5))
        assert asyncio.run(keychain.delete("name", "user", 5)) is True
        assert asyncio.run(keychain.delete("name", "user", 5)) is False
        assert asyncio.run(keychain.get("name", "user", 5)) is None

    def test_it_names_itself(self) -> None:
        """A keychain that can keep something says what it is."""
        assert asyncio.run(self.keychain().describe())
