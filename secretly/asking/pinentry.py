"""Drive a pinentry: start it, talk with it, and end it.

A pinentry is a subprocess that speaks Assuan on a socket pair. pexpect's ``fdspawn`` reads the
user's answer, when the event loop says that there is something to read. ``read_nonblocking`` is
used rather than ``expect``, which would keep copies of the secret in ``before``, ``after`` and
the text of its exceptions.
"""

from __future__ import annotations

import os
import time

from ..errors import Cancelled, PinentryFailed, PromptTimeout
from ..processes import child
from ..waiting import requests
from ..waiting.blocks import suppress, undo_all
from . import assuan, channel, measured, screens, wording
from .choosing import PromptMethod, Surroundings, in_background
from .pastes import modes_of, more_lines_follow
from .questions import DOCTOR, MACHINE_TIMEOUT, NEVER, Patience, Prompt, check_code, check_room
from .terminal import terminal_gone

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, Self
else:
    import _signal as signal  # signal loads enum

__all__ = ["Conversation", "Killed"]

#: How long, in seconds, a pinentry has after the user's time to report that it has passed.
_GRACE = 0.2

#: After how long, in seconds, secretly says that it waits for the pinentry, not for the user.
_SILENT = 5.0

#: How long, in seconds, a pinentry has to end itself when it is told BYE, and after it closed
#: its side.
_FAREWELL, _DEATH = 0.3, 0.2

#: When to look at the terminal first, and how often later, in seconds: whether the pinentry
#: asks there, and whether the terminal still exists. Under nohup, pinentry-curses
#: goes on without a terminal.
_FIRST_LOOK, _LOOK_INTERVAL = 0.02, 0.25

#: The signals with which users and systems end a pinentry. No pinentry sends them to itself.
_ENDED_BY_OTHERS = frozenset(
    -number
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
)

_UNASKED = "sent an answer before it was asked"


class Conversation:
    """One pinentry, from its start to its end.

    :param method: which pinentry.
    :param surroundings: the terminal and the screen.
    :param patience: how long the user has.
    :param machine_timeout: how long the pinentry's own answers may take, in seconds.
    :param tell: called once if one of those takes a while, with what secretly waits for.
    """

    def __init__(
        self,
        method: PromptMethod,
        surroundings: Surroundings,
        patience: Patience,
        machine_timeout: float = MACHINE_TIMEOUT,
        *,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._method, self._surroundings = method, surroundings
        self._patience, self._machine_timeout = patience, machine_timeout
        self._prompt: Prompt | None = None
        self._reader = assuan.Reader()
        self._answers: list[assuan.Answer] = []
        self._tell = tell
        self._undo: list[Callable[[], object]] = []
        self._terminal: int | None = None
        self._modes: list[Any] | None = None
        self._flavor: str | None = None
        self._measured, self._touched = measured.name_of(method.program), False

    def start(self) -> None:
        """Start the pinentry, which shows nothing yet: it loads while secretly does other things.

        :raises PinentryFailed: if it can't be started.
        """
        if self._undo:  # it runs already
            return
        try:
            self._start()
        except BaseException:
            self._end()
            raise

    def about(self, prompt: Prompt, label: str) -> Self:
        """Set what the user is asked, and the label of the entry field."""
        self._prompt, self._label = prompt, label
        return self

    def drop(self) -> None:
        """End a pinentry that was started and has no question to ask."""
        try:
            self._write(b"BYE\n")
            self._child.has_ended(_FAREWELL)
        finally:
            self._end()

    async def __aenter__(self) -> Self:
        self.start()
        try:
            if (await self._receive_at_once()).code:
                raise self._failed("greeted with an error")
            if self._prompt is not None:
                await self._set_up(self._prompt)
        except BaseException:
            self._end()
            raise
        return self

    def _start(self) -> None:
        if terminal := self._surroundings.usable_terminal:
            # Any pinentry may use it: a graphical one without its screen, a script that starts one.
            used = terminal.opened(
                drop_typed=lambda: self._prompt is not None and not self._opens_window()
            )
            self._terminal = used.__enter__()
            self._undo.append(lambda: used.__exit__(None, None, None))
            self._modes = modes_of(self._terminal)
        self._channel = channel.Channel()
        self._undo.append(self._channel.close)
        theirs = self._channel.theirs
        try:
            self._child = child.Child(
                [self._method.program or ""],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=child.NULL,
                environ=self._surroundings.for_pinentry(self._method.graphical),
            )
        except OSError as error:
            raise PinentryFailed(
                f"can't start {self._method.name}: {error.strerror}", DOCTOR
            ) from None
        finally:
            theirs.close()
        self._undo.append(self._child.end)

    async def _set_up(self, prompt: Prompt) -> None:
        """Set options and texts. One that was not measured gets them as gpg-agent sends them."""
        check_room(prompt)
        commands = [
            *(("OPTION", option, "", True) for option in self._surroundings.options()),
            ("SETTIMEOUT", str(int(-(-self._patience.left() // 1))), "", True),  # rounded up
            ("SETTITLE", prompt.title, "", True),
            ("SETDESC", prompt.description, "\n", False),
            ("SETPROMPT", self._label, "", False),
        ]
        together = len(commands) if self._measured else 1
        while commands:
            sent, commands = commands[:together], commands[together:]
            self._write_command(b"".join(assuan.command(*one[:3]) for one in sent))
            for verb, *_, may_fail in sent:
                await self._answer_of(verb, may_fail)

    async def set_error(self, error: str, prompt: Prompt) -> None:
        """Show an error, in the description if the pinentry has no other place."""
        if not (await self.send_command("SETERROR", error, keep="\n", may_fail=True)).code:
            return
        text = f"{error}\n\n{prompt.description}"
        if not prompt.whole or assuan.fits("SETDESC", text, keep="\n"):
            await self.send_command("SETDESC", text, keep="\n")

    async def send_command(
        self, verb: str, text: str = "", keep: str = "", may_fail: bool = False
    ) -> assuan.Answer:
        """Send a command that the user does not answer, and return the pinentry's answer.

        :param keep: characters of *text* to send as they are (``"\\n"`` in a description).
        :param may_fail: whether the pinentry may refuse the command.
        """
        self._write_command(assuan.command(verb, text, keep))
        return await self._answer_of(verb, may_fail)

    async def _answer_of(self, verb: str, may_fail: bool) -> assuan.Answer:
        answer = await self._receive_at_once()
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

        First, ask for the flavor again. If the flavor differs, the answer belongs to an earlier
        command, because the pinentry sent an additional OK. Then its next answer could be
        mistaken for the user's.

        :raises Cancelled: if the user cancels.
        :raises PromptTimeout: if the user does not answer in time.
        :raises PinentryFailed: if the pinentry can't ask here.
        :raises NoPinentry: if it asks on the terminal, and this is a background job.
        """
        await self.flavor()
        try:
            answer = await self._answer_to(verb)
            nothing = answer.code in assuan.DECLINED or not (answer.code or answer.data)
            if nothing and not self._could_be_seen():
                raise self._failed("can't ask you here")
            check_code(answer.code, self._method.name, self._patience)
        except PinentryFailed:
            around = self._surroundings
            if around.terminal and not around.foreground and self._says_terminal():
                raise in_background() from None
            raise
        except Cancelled:
            await self.more_lines_follow()  # the cause may be a paste
            raise
        return answer

    async def _answer_to(self, verb: str) -> assuan.Answer:
        try:
            self._write_command(assuan.command(verb))
            left = self._patience.left() + _GRACE
            self._channel.expect_answer()
            return await self._receive(left)
        except _Hung:
            return assuan.Answer(assuan.TIMEOUT)
        except _Gone:
            if self._interrupted():
                return assuan.Answer(assuan.CANCELED)
            raise self._failed("died before you answered") from None

    async def more_lines_follow(self) -> bool:
        """Return whether a pinentry on the terminal left lines of a paste unread.

        pinentry-tty and pinentry-curses read only the first line. While a window is open,
        the user may type on the terminal for another program.
        """
        if self._terminal is None or (self._may_open_window() and not self._asked_on_terminal()):
            return False
        return await more_lines_follow(self._terminal)

    def _interrupted(self) -> bool:
        """Return whether it ended as pinentry-curses does at Ctrl-C: with status 1, or by INT."""
        return self._child.status in (1, -signal.SIGINT) and self._asked_on_terminal()

    def _could_be_seen(self) -> bool:
        """Return whether the user can have declined, or entered nothing.

        Some pinentries give such an answer when they have no screen.
        """
        if self._terminal is None:
            return self._flavor != "tty"  # without a terminal, pinentry-tty cancels
        return self._may_open_window() or self._asked_on_terminal()

    def _asked_on_terminal(self) -> bool:
        """Return whether the pinentry asked on the terminal: by its name or by changed modes."""
        if self._terminal is None or self._opens_window():
            return False
        return bool(self._measured) or modes_of(self._terminal) != self._modes or self._touched

    def _may_open_window(self) -> bool:
        windows = self._method.graphical and not screens.gone(self._surroundings.environ)
        return windows or self._opens_window()

    def _opens_window(self) -> bool:
        return measured.opens_window(self._method.program, self._flavor or "")

    def _says_terminal(self) -> bool:
        return measured.asks_on_terminal(self._flavor or "")

    def _write_command(self, line: bytes) -> None:
        """Send a command. An answer that is there already would pass for the command's own."""
        if self._channel.has_more():
            self._read()
        if self._answers:
            raise self._failed(_UNASKED)
        self._write(line)

    def _write(self, line: bytes) -> None:
        try:
            sent = self._channel.send(line)
        except OSError:
            return  # it has ended; reading says so
        if sent < len(line):
            raise self._failed("does not read what it is sent")

    async def _receive_at_once(self) -> assuan.Answer:
        """Receive an answer that doesn't depend on the user.

        :raises PromptTimeout: if the whole limit is over before the pinentry's own time.
        """
        left = self._patience.until - time.monotonic()
        try:
            return await self._receive(min(self._machine_timeout, left), _SILENT)
        except _Hung:
            if left >= self._machine_timeout:
                raise
            raise PromptTimeout(f"{self._method.name} did not answer in time", DOCTOR) from None

    async def _receive(self, timeout: float, silent: float = NEVER) -> assuan.Answer:
        """Receive an answer.

        :param silent: after how long to say that it is waited for, in seconds.
        """
        deadline = time.monotonic() + timeout
        look = _FIRST_LOOK
        while not self._answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._failed(f"did not answer in {timeout:.0f} s", _Hung)
            if self._tell is not None and timeout - left >= silent:
                self._tell(wording.slow(self._method.name, timeout))
                self._tell = None
            if self._terminal is not None or silent < timeout:
                left = min(left, look)
                look = min(2 * look, _LOOK_INTERVAL)
            if await requests.readable(self._channel.descriptor, left):
                self._read()
            elif self._terminal is not None:
                self._look_at(self._terminal)
        return self._answers.pop(0)

    def _look_at(self, terminal: int) -> None:
        modes = modes_of(terminal)
        if modes is None and not self._opens_window():
            raise terminal_gone()
        self._touched = self._touched or modes != self._modes

    def _read(self) -> None:
        chunk = self._channel.read()
        if chunk is None:
            return  # nothing yet
        if not chunk:
            self._child.has_ended(_DEATH)
            if self._child.status in _ENDED_BY_OTHERS and not self._interrupted():
                raise self._failed("was killed", Killed)
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
                with suppress(PinentryFailed):
                    self._write(b"BYE\n")
                    if kind is None:
                        await self._wait_for_end()
        finally:
            self._end()

    async def _wait_for_end(self) -> None:
        """Let it end itself, for a moment. Ending it means looking at all processes."""
        deadline = time.monotonic() + _FAREWELL
        with suppress(PinentryFailed):
            while True:
                await self._receive(deadline - time.monotonic())
        while not self._child.has_ended() and time.monotonic() < deadline:
            await requests.sleep(0.002)

    def _end(self) -> None:
        self._answers.clear()
        undo_all(self._undo)


class Killed(PinentryFailed):
    """A signal killed a pinentry that was able to ask, so nothing else asks in its place."""


class _Hung(PinentryFailed):
    """It did not answer in time."""


class _Gone(PinentryFailed):
    """It ended, or closed its side."""
