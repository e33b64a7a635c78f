"""Drive a pinentry: start it, talk with it, and end it.

A pinentry is a subprocess that speaks Assuan on a socket pair. pexpect's ``fdspawn`` reads and
writes, when the event loop says that there is something to read. ``read_nonblocking`` is used
rather than ``expect``, which would keep copies of the secret in ``before``, ``after`` and the
text of its exceptions.
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
from .questions import DOCTOR, MACHINE_TIMEOUT, Prompt, check_code
from .terminal import is_gone, more_lines_follow, terminal_gone

__all__ = ["Conversation"]

#: How long, in seconds, a pinentry has after the user's time to report that it has passed.
_GRACE = 0.2

#: How long, in seconds, a pinentry has to end itself when it is told BYE, and after it closed
#: its side.
_FAREWELL, _DEATH = 0.3, 0.2

#: How often, in seconds, to check that the terminal still exists. Where the hang-up signal is
#: ignored (nohup), pinentry-curses goes on without a terminal.
_CHECK_INTERVAL = 0.25

_UNASKED = "sent an answer before it was asked"


class Conversation:
    """One pinentry, from its start to its end.

    :param method: which pinentry.
    :param surroundings: what it can ask on.
    :param prompt: the texts to set; None: none.
    :param prompt_timeout: how long the user has, in seconds.
    :param machine_timeout: how long it may take, in seconds, for what the user does not answer.
    """

    def __init__(
        self,
        method: PromptMethod,
        surroundings: Surroundings,
        prompt: Prompt | None,
        prompt_timeout: float,
        machine_timeout: float = MACHINE_TIMEOUT,
    ) -> None:
        self._method, self._surroundings, self._prompt = method, surroundings, prompt
        self._prompt_timeout, self._machine_timeout = prompt_timeout, machine_timeout
        self._reader = assuan.Reader()
        self._answers: list[assuan.Answer] = []
        self._restore = contextlib.ExitStack()
        self._terminal: int | None = None
        self._flavor: str | None = None

    async def __aenter__(self) -> Self:
        try:
            self._start()
            if (await self._receive(self._machine_timeout)).code:
                raise self._failed("greeted with an error")
            if self._prompt is not None:
                await self._set_options()
                await self._set_texts(self._prompt)
        except BaseException:
            self._end()
            raise
        return self

    def _start(self) -> None:
        environ = Environ(self._surroundings.environ)
        if not self._method.graphical:
            # Some pinentries would open a window, here or on another screen, if they could.
            for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
                environ.pop(name, None)
        if self._surroundings.terminal is not None:
            # A graphical pinentry may fall back to the terminal, if its screen does not answer.
            asking = not self._method.graphical
            opened = self._restore.enter_context(self._surroundings.terminal.opened(asking))
            self._terminal = opened if asking else None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # a pinentry that reads nothing must not stop us
        with theirs:
            self._socket = ours
            self._restore.callback(ours.close)
            try:
                self._child = child.Child(
                    [os.fspath(self._method.program or "")],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    environ=environ,
                )
            except OSError as error:
                raise PinentryFailed(
                    f"can't start {self._method.name}: {error.strerror}", DOCTOR
                ) from None
        self._restore.callback(self._child.end)
        from pexpect.fdpexpect import fdspawn  # while the pinentry starts

        self._spawn: Any = fdspawn(ours.fileno(), timeout=0)

    async def _set_options(self) -> None:
        environ = self._surroundings.environ
        await self._set_option("no-grab")
        if self._surroundings.terminal is not None:
            await self._set_option(f"ttyname={self._surroundings.terminal.path}")
            if kind := environ.get("TERM"):
                await self._set_option(f"ttytype={kind}")
        for option, names in (
            ("lc-ctype", ("LC_ALL", "LC_CTYPE", "LANG")),
            ("lc-messages", ("LC_ALL", "LC_MESSAGES", "LANG")),
        ):
            if value := next(filter(None, map(environ.get, names)), ""):
                await self._set_option(f"{option}={value}")

    async def _set_option(self, option: str) -> None:
        await self.send_command("OPTION", option, may_fail=True)

    async def _set_texts(self, prompt: Prompt) -> None:
        timeout = str(math.ceil(self._prompt_timeout))
        await self.send_command("SETTIMEOUT", timeout, may_fail=True)
        await self.send_command("SETTITLE", prompt.title, may_fail=True)
        if prompt.whole and not assuan.fits("SETDESC", prompt.description, keep="\n"):
            raise Refused(
                "the text that you must confirm is too long for the prompt",
                "shorten the command's path or the secret's name, or do less in one command",
            )
        await self.send_command("SETDESC", prompt.description, keep="\n")

    async def send_command(
        self, verb: str, text: str = "", keep: str = "", may_fail: bool = False
    ) -> assuan.Answer:
        """Send a command that the user does not answer, and return the pinentry's answer.

        :param keep: characters of *text* to send as they are (``"\\n"`` in a description).
        :param may_fail: whether the pinentry may refuse the command.
        """
        self._write_command(assuan.command(verb, text, keep))
        answer = await self._receive(self._machine_timeout)
        if answer.data is not None and verb != "GETINFO":  # no other command has data
            raise self._failed(_UNASKED)
        if answer.code and not may_fail:
            raise self._failed(f"refused {verb} (error {answer.code})")
        return answer

    async def flavor(self) -> str:
        """Return what the pinentry says it is. Without a screen, gtk2 says ``gtk2:curses``."""
        answer = await self.send_command("GETINFO", "flavor", may_fail=True)
        said = (answer.data or b"").decode("ascii", "replace")
        if self._flavor not in (None, said):
            raise self._failed(_UNASKED)
        self._flavor = said
        return said or os.path.basename(os.path.realpath(self._method.program or ""))

    async def ask_user(self, verb: str) -> assuan.Answer:
        """Send a command that the user answers, and return the answer.

        The pinentry's flavor is asked for just before. If it is not the same as last time, the
        pinentry sent an OK too many, and this is the answer to an earlier command: its next one
        would pass for the user's.

        :raises Cancelled: if the user cancels.
        :raises PromptTimeout: if the user does not answer in time.
        :raises Unsuitable: if the pinentry can't ask here.
        """
        await self.flavor()
        try:
            self._write_command(assuan.command(verb))
            answer = await self._receive(self._prompt_timeout + _GRACE)
        except _Hung:
            answer = assuan.Answer(assuan.TIMEOUT)
        except _Gone:
            if self._interrupted():
                answer = assuan.Answer(assuan.CANCELED)
            else:
                raise self._failed("died before you answered") from None
        check_code(answer.code, self._method.name, self._prompt_timeout)
        return answer

    async def more_lines_follow(self) -> bool:
        """Return whether a pinentry on the terminal left lines of a paste unread.

        pinentry-tty and pinentry-curses read the first line and leave the others.
        """
        return self._terminal is not None and await more_lines_follow(self._terminal)

    def _interrupted(self) -> bool:
        """Return whether it ended as pinentry-curses does at Ctrl-C: with status 1, or by INT."""
        self._child.has_ended(_DEATH)
        return self._child.status in (1, -2) and not self._method.graphical

    def _write_command(self, line: bytes) -> None:
        """Send a command. An answer that is there already would pass for the command's own."""
        with contextlib.suppress(OSError):
            if self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                self._read()
        if self._answers:
            raise self._failed(_UNASKED)
        self._write(line)

    def _write(self, line: bytes) -> None:
        try:
            sent = self._spawn.send(line)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it has ended; reading says so
        if sent < len(line):
            raise self._failed("does not read what it is sent")

    async def _receive(self, timeout: float) -> assuan.Answer:
        deadline = time.monotonic() + timeout
        while not self._answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._failed(f"did not answer in {timeout:.0f} s", _Hung)
            if self._terminal is not None:
                left = min(left, _CHECK_INTERVAL)
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
            raise self._failed("ended without an answer", _Gone)
        chunks = [chunk]
        del chunk  # a traceback may show locals
        for answer in self._reader.feed(chunks.pop()):
            if not answer.inquiry:
                self._answers.append(answer)
            elif not self._answers:  # it has nothing to inquire once it has answered
                self._write(b"CAN\n")

    def _failed(self, what: str, kind: type[PinentryFailed] = PinentryFailed) -> PinentryFailed:
        return kind(f"{self._method.name} {what}", DOCTOR)

    async def __aexit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        try:
            if kind is None or not issubclass(kind, GeneratorExit):
                with contextlib.suppress(PinentryFailed):
                    self._write(b"BYE\n")
                    if kind is None:
                        await self._wait_for_end()
        finally:
            self._end()

    async def _wait_for_end(self) -> None:
        """Let it end itself, for a moment. Ending it means looking at all processes."""
        deadline = time.monotonic() + _FAREWELL
        with contextlib.suppress(PinentryFailed):
            while True:
                await self._receive(deadline - time.monotonic())
        while not self._child.has_ended() and time.monotonic() < deadline:
            await requests.sleep(0.002)

    def _end(self) -> None:
        self._answers.clear()
        self._restore.close()


class _Hung(PinentryFailed):
    """It did not answer in time."""


class _Gone(PinentryFailed):
    """It ended, or closed its side."""
