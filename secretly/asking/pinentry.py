"""Asking a person: drive a pinentry, and have it gone afterwards.

A pinentry is a subprocess that speaks Assuan on a socket pair; pexpect's
``fdspawn`` reads and writes it, when the event loop says that there is something
to read. Its ``read_nonblocking`` is used rather than ``expect``, which would keep
copies of the secret in ``before``, ``after`` and the text of its exceptions.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import subprocess
import time
from typing import Any, Self

from ..errors import PinentryFailed, Refused
from ..processes import child
from ..redacted import Environ
from ..waiting import requests
from . import assuan
from .choosing import PromptMethod, Surroundings
from .questions import MACHINE_TIMEOUT, Prompt, check_code, program_name
from .terminal import is_gone, terminal_gone

#: How long, in seconds, a pinentry has after the person's time to say itself that it is over.
_GRACE = 0.2

#: How often, in seconds, to see whether the terminal is still there: where nothing heeds the
#: hang-up (nohup), pinentry-curses asks on without it.
_LOOK = 0.25


class Conversation:
    """One pinentry, from its start to its end, with the texts set, if any.

    :param machine: how long it may take for what it answers by itself.
    """

    def __init__(
        self,
        way: PromptMethod,
        place: Surroundings,
        prompt: Prompt | None,
        seconds: float,
        machine: float = MACHINE_TIMEOUT,
    ) -> None:
        self._way, self._place, self._seconds, self._machine = way, place, seconds, machine
        self._prompt = prompt
        self._reader = assuan.Reader()
        self._answers: list[assuan.Answer] = []
        self._restore = contextlib.ExitStack()
        self._terminal: int | None = None
        self._flavor: str | None = None

    async def __aenter__(self) -> Self:
        try:
            self._start()
            if (await self._receive(self._machine)).code:
                raise self._failed(f"{program_name(self._way)} greeted with an error")
            if self._prompt is not None:
                await self._introduce(self._prompt)
        except BaseException:
            self._end()
            raise
        return self

    def _start(self) -> None:
        environ = Environ(self._place.environ)
        if not self._way.graphical:
            # A graphical one would open its window, here or on another screen, if it could.
            for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
                environ.pop(name, None)
        if self._place.terminal is not None:
            # A graphical one may fall back to it, where its screen turns out not to answer.
            asking = not self._way.graphical
            opened = self._restore.enter_context(self._place.terminal.opened(asking))
            self._terminal = opened if asking else None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # a pinentry that reads nothing must not stop us
        with theirs:
            self._socket = ours
            self._restore.callback(ours.close)
            try:
                self._child = child.Child(
                    [os.fspath(self._way.program or "")],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    environ=environ,
                )
            except OSError as error:
                raise PinentryFailed(
                    f"{program_name(self._way)} cannot be started: {error.strerror}",
                    "'secretly doctor' says which pinentry is used, and how to choose another",
                ) from None
        self._restore.callback(self._child.end)
        from pexpect.fdpexpect import fdspawn  # while the pinentry starts

        self._spawn: Any = fdspawn(ours.fileno(), timeout=0)

    async def _introduce(self, prompt: Prompt) -> None:
        environ = self._place.environ
        await self.call("OPTION", "no-grab", may_fail=True)
        if self._place.terminal is not None:
            await self.call("OPTION", f"ttyname={self._place.terminal.path}", may_fail=True)
            if kind := environ.get("TERM"):
                await self.call("OPTION", f"ttytype={kind}", may_fail=True)
        for option, names in (
            ("lc-ctype", ("LC_ALL", "LC_CTYPE", "LANG")),
            ("lc-messages", ("LC_ALL", "LC_MESSAGES", "LANG")),
        ):
            if value := next(filter(None, map(environ.get, names)), ""):
                await self.call("OPTION", f"{option}={value}", may_fail=True)
        await self.call("SETTIMEOUT", str(math.ceil(self._seconds)), may_fail=True)
        await self.call("SETTITLE", prompt.title, may_fail=True)
        if prompt.whole and not assuan.fits("SETDESC", prompt.description, keep="\n"):
            raise Refused(
                "what is to be consented to does not fit into a dialog",
                "shorten the command's path or the secret's name, or do less at a time",
            )
        await self.call("SETDESC", prompt.description, keep="\n")

    async def call(
        self, verb: str, text: str = "", keep: str = "", may_fail: bool = False
    ) -> assuan.Answer:
        """Send a command that the pinentry answers by itself."""
        self._command(assuan.command(verb, text, keep))
        answer = await self._receive(self._machine)
        if answer.data is not None and verb != "GETINFO":  # no other command has any
            raise self._failed(f"{program_name(self._way)} answered what it was not asked")
        if answer.code and not may_fail:
            raise self._failed(f"{program_name(self._way)} refused {verb} (error {answer.code})")
        return answer

    async def flavor(self) -> str:
        """What it is, as it says itself: a graphical one without a screen is ``gtk2:curses``."""
        answer = await self.call("GETINFO", "flavor", may_fail=True)
        said = (answer.data or b"").decode("ascii", "replace")
        if self._flavor not in (None, said):
            raise self._failed(f"{program_name(self._way)} answered what it was not asked")
        self._flavor = said
        return said or os.path.basename(os.path.realpath(self._way.program or ""))

    async def ask_user(self, verb: str, seconds: float) -> assuan.Answer:
        """Send the command that the person answers.

        The flavor is asked for just before. Where it is another than before, this is the answer
        to an earlier command, after an OK too many; the next would be taken for the person's.
        """
        await self.flavor()
        try:
            self._command(assuan.command(verb))
            answer = await self._receive(seconds + _GRACE)
        except _Hung:
            answer = assuan.Answer(assuan.TIMEOUT)
        except _Gone:
            if self._interrupted():
                answer = assuan.Answer(assuan.CANCELED)
            else:
                raise self._failed(
                    f"{program_name(self._way)} died before it was answered"
                ) from None
        check_code(answer.code, program_name(self._way), seconds)
        return answer

    def _interrupted(self) -> bool:
        """Whether it ended as pinentry-curses does at Ctrl-C: no answer, status 1 or by INT."""
        self._child.ended(0.2)
        return self._child.status in (1, -2) and not self._way.graphical

    def _command(self, line: bytes) -> None:
        """Send a command; an answer that was there before it would be taken for its own."""
        with contextlib.suppress(OSError):
            if self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                self._read()
        if self._answers:
            raise self._failed(f"{program_name(self._way)} answered what it was not asked")
        self._send(line)

    def _send(self, line: bytes) -> None:
        try:
            sent = self._spawn.send(line)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it is gone; reading says so
        if sent < len(line):
            raise self._failed(f"{program_name(self._way)} reads nothing of what it is sent")

    async def _receive(self, seconds: float) -> assuan.Answer:
        deadline = time.monotonic() + seconds
        while not self._answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._failed(
                    f"{program_name(self._way)} did not answer within {seconds:.0f} s", _Hung
                )
            if self._terminal is not None:
                left = min(left, _LOOK)
            if await requests.readable(self._socket.fileno(), left):
                self._read()
            elif self._terminal is not None and is_gone(self._terminal):
                raise terminal_gone()
        return self._answers.pop(0)

    def _read(self) -> None:
        import pexpect

        try:
            chunk = self._spawn.read_nonblocking(4096, 0)
        except (pexpect.TIMEOUT, BlockingIOError):
            return  # nothing yet
        except (pexpect.EOF, OSError):
            chunk = b""
        if not chunk:
            raise self._failed(f"{program_name(self._way)} ended without an answer", _Gone)
        chunks = [chunk]
        del chunk  # a traceback may show locals
        for answer in self._reader.feed(chunks.pop()):
            if not answer.inquiry:
                self._answers.append(answer)
            elif not self._answers:  # once it has answered there is nothing to ask
                self._send(b"CAN\n")

    def _failed(self, message: str, kind: type[PinentryFailed] = PinentryFailed) -> PinentryFailed:
        return kind(
            message, "'secretly doctor' says which pinentry is used, and how to choose another"
        )

    async def __aexit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        try:
            if kind is None or not issubclass(kind, GeneratorExit):
                with contextlib.suppress(PinentryFailed):
                    self._send(b"BYE\n")
                    if kind is None:
                        await self._farewell()
        finally:
            self._end()

    async def _farewell(self) -> None:
        """Let it go by itself, for a moment: to end it takes a look at all processes."""
        deadline = time.monotonic() + 0.3
        with contextlib.suppress(PinentryFailed):
            while True:
                await self._receive(deadline - time.monotonic())
        while not self._child.ended() and time.monotonic() < deadline:
            await requests.sleep(0.002)

    def _end(self) -> None:
        self._answers.clear()
        self._restore.close()


class _Hung(PinentryFailed):
    pass


class _Gone(PinentryFailed):
    pass
