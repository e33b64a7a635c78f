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
import textwrap
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, Self

from . import assuan, concurrency, eventloop, processes
from .discovery import Place, Way, find, here, notebook_kernel
from .display import visible
from .errors import (
    Cancelled,
    NoPinentry,
    NotConfirmed,
    PinentryFailed,
    PromptTimeout,
    Refused,
)
from .redacted import Environment, Secret
from .terminal import gone, vanished

__all__ = ["Prompt", "ask", "confirm", "elsewhere", "probe", "show"]

#: How long, in seconds, a pinentry may take to start and to answer anything but the person's part.
MACHINE = 10.0

#: How long, in seconds, a pinentry has after the person's time to say itself that it is over.
_GRACE = 0.2

#: How often, in seconds, to see whether the terminal is still there: where nothing heeds the
#: hang-up (nohup), pinentry-curses asks on without it.
_LOOK = 0.25

#: pinentry-curses 1.2.1 keeps this many bytes of what is typed, and says nothing.
CURSES_LIMIT = 2047

#: The flavors in which no key that is pressed by habit was seen to say yes: see
#: :func:`_confirm_pinentry`.
_NO_YES_BY_HABIT = frozenset({"gtk2", "qt", "qt5", "qt6", "tty"})

#: What no secret has: the control characters but tab, LF and CR, which a paste may bring.
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\r") | {0x7F}

_turns = concurrency.Turns()


class Prompt(NamedTuple):
    """What a person is asked.

    :param repeat: ask for it twice, as for a new password.
    :param whole: refuse rather than cut the description: a person consents to all of it.
    """

    title: str
    description: str
    prompt: str
    error: str = ""
    repeat: bool = False
    whole: bool = False


# -- asking ----------------------------------------------------------------------


async def ask(
    prompt: Prompt, seconds: float, environ: Mapping[str, str], setting: str | None = None
) -> Secret:
    """Ask a person for a secret.

    :param seconds: how long the person has.
    :raises Cancelled: if they cancel.
    :raises PromptTimeout: if they do not answer in time.
    :raises NoPinentry: if there is no way to ask.
    :raises PinentryFailed: if the pinentry dies, hangs or talks nonsense.
    """
    async with _asking(environ, setting, seconds) as (way, place):
        for _ in range(3):
            typed, twice = await _ask_once(way, place, prompt, seconds)
            if twice or not prompt.repeat:
                return _text(typed)
            again = prompt._replace(prompt=f"{prompt.prompt} (again)", error="")
            if (await _ask_once(way, place, again, seconds))[0] == typed:
                return _text(typed)
            prompt = prompt._replace(error="The two were not the same.")
        raise Refused("what was entered twice was never the same", "try again")


async def confirm(
    question: Prompt, seconds: float, environ: Mapping[str, str], setting: str | None = None
) -> None:
    """Ask a person to agree.

    :raises NotConfirmed: if they do not.
    """
    async with _asking(environ, setting, seconds) as (way, place):
        if not await _confirm_once(way, place, question, seconds):
            raise NotConfirmed("not confirmed: you said no", "nothing was handed over")


async def show(
    message: Prompt, seconds: float, environ: Mapping[str, str], setting: str | None = None
) -> None:
    """Show a person a message until they have seen it."""
    async with _asking(environ, setting, seconds) as (way, place):
        if way.kind != "pinentry":
            await _confirm_once(way, place, message, seconds)
            return
        async with _Conversation(way, place, message, seconds) as talk:
            await talk.person("MESSAGE", seconds)


@contextlib.asynccontextmanager
async def elsewhere(
    environ: Mapping[str, str], seconds: float, asking: bool = True
) -> AsyncIterator[dict[str, str]]:
    """Have the person's turn, for a program that asks by itself, as gpg's agent does.

    :param asking: whether it is certain to ask: if not, what was typed ahead is left alone.
    :returns: the variables that tell it which terminal to ask on, if there is one.
    """
    async with _turns.one():
        place = here(environ)
        if place.terminal is None or not place.foreground:
            yield {}
            return
        async with place.terminal.turn(seconds):
            with place.terminal.opened(asking):
                yield {"GPG_TTY": place.terminal.path}


async def probe(way: Way, environ: Mapping[str, str], seconds: float = 2) -> str:
    """Start a pinentry, ask it for its flavor, and end it: no prompt, no terminal.

    :param seconds: how long each of its two answers may take.
    :raises PinentryFailed: if it does not talk as a pinentry does.
    """
    place = Place(environ, None, False)
    async with _Conversation(way, place, None, seconds, machine=seconds) as talk:
        return await talk.flavor()


@contextlib.asynccontextmanager
async def _asking(
    environ: Mapping[str, str], setting: str | None, seconds: float
) -> AsyncIterator[tuple[Way, Place]]:
    async with _turns.one():
        way = await find(environ, setting)
        place = here(environ)
        if place.terminal is None or not place.foreground:
            yield way, place._replace(terminal=None)
            return
        async with place.terminal.turn(seconds):
            yield way, place


async def _ask_once(
    way: Way, place: Place, prompt: Prompt, seconds: float
) -> tuple[bytearray, bool]:
    """Return what was typed, and whether it was typed twice."""
    try:
        if way.kind == "pinentry":
            return await _ask_pinentry(way, place, prompt, seconds)
    except _Unsuitable:
        if place.terminal is None or not place.foreground:
            raise PinentryFailed(
                f"{_name(way)} cannot use this screen", "choose another with PINENTRY"
            ) from None
    text = "\n".join(filter(None, (prompt.error, prompt.description)))
    if way.kind == "osascript":
        return assuan.Data(await _osascript(way, prompt, seconds)), False
    if way.kind == "notebook":
        return assuan.Data(_ask_notebook(f"{text}\n{prompt.prompt}")), False
    assert place.terminal is not None
    return assuan.Data(await place.terminal.ask(text, f"{prompt.prompt}:", seconds)), False


async def _confirm_once(way: Way, place: Place, question: Prompt, seconds: float) -> bool:
    try:
        if way.kind == "pinentry":
            return await _confirm_pinentry(way, place, question, seconds)
    except _Unsuitable:
        if place.terminal is None or not place.foreground:
            raise PinentryFailed(
                f"{_name(way)} cannot ask this", "choose another pinentry with PINENTRY"
            ) from None
    if way.kind == "osascript":
        how = 'buttons {"No", "Yes"} default button "No"'
        return await _osascript(way, question, seconds, how) == b"Yes"
    if way.kind == "notebook":
        return _ask_notebook(f"{question.description} [y/N]").lower() in (b"y", b"yes")
    assert place.terminal is not None
    return await place.terminal.confirm(question.description, seconds)


async def _confirm_pinentry(way: Way, place: Place, question: Prompt, seconds: float) -> bool:
    """Have a pinentry confirm so that no key says yes by mistake.

    - curses, also as ``gtk2:curses``: Return presses the OK button, which therefore says
      No, and the other one Yes. Closing it is told from either.
    - gtk2, qt, tty: Return was seen to cancel in the first two, and to say nothing in
      tty, where ``y`` is pressed: there the OK button says Yes.
    - fltk: Escape answers OK, so consent is never rested on it.
    - All others have a word typed: in gnome3 Return and space press OK, and Escape is
      told from no button; the rest (mac, efl, tqt, w32) was not measured, and may answer
      that a window was closed as if its button had been pressed.
    """
    async with _Conversation(way, place, question, seconds) as talk:
        flavor = await talk.flavor()
        if "fltk" in flavor:
            raise _Unsuitable
        curses = "curses" in flavor
        if not curses and flavor not in _NO_YES_BY_HABIT:
            await talk.call("SETPROMPT", 'Type "yes" to agree:')
            typed = (await talk.person("GETPIN", seconds)).data or b""
            return typed.strip().lower() in (b"y", b"yes")
        await talk.call("SETOK", "_No" if curses else "_Yes")
        await talk.call("SETNOTOK", "_Yes" if curses else "_No")
        try:
            await talk.person("CONFIRM", seconds)
        except NotConfirmed:
            return curses
        return not curses


async def _ask_pinentry(
    way: Way, place: Place, prompt: Prompt, seconds: float
) -> tuple[bytearray, bool]:
    async with _Conversation(way, place, prompt, seconds) as talk:
        await talk.call("SETPROMPT", f"{prompt.prompt}:")
        if prompt.error:
            # pinentry-curses cuts a line at the edge of the screen.
            await talk.call("SETERROR", _in_lines(prompt.error), keep="\n")
        curses = "curses" in await talk.flavor()
        if prompt.repeat and not curses:  # 1.2.1 of it shows what is typed the second time
            await talk.call("SETREPEAT", "Again:", may_fail=True)
            await talk.call("SETREPEATERROR", "They are not the same", may_fail=True)
        answer = await talk.person("GETPIN", seconds)
    typed = answer.data if answer.data is not None else bytearray()
    if curses and len(typed) >= CURSES_LIMIT:
        raise PinentryFailed(
            f"{_name(way)} cut what was entered at {CURSES_LIMIT} bytes",
            "use another pinentry for so long a secret: PINENTRY=pinentry-tty",
        )
    return typed, "PIN_REPEATED" in answer.status


def _in_lines(text: str) -> str:
    """*text* in lines that are short enough for a terminal, broken between words."""
    return "\n".join(textwrap.wrap(visible(text), 70, break_on_hyphens=False))


def _text(typed: bytearray) -> Secret:
    try:
        if _CONTROLS.isdisjoint(typed):
            return Secret(typed.decode("utf-8"))
        control = True
    except UnicodeDecodeError:
        control = False
    finally:
        typed[:] = bytes(len(typed))
    if control:
        raise PinentryFailed(
            "what was entered has a control character in it: Ctrl-Z?",
            "enter it again without; a prompt cannot be put aside",
        )
    raise PinentryFailed(
        "what was entered is not UTF-8 text", "check the terminal's locale (LC_CTYPE)"
    )


def _name(way: Way) -> str:
    return "pinentry" if way.program is None else visible(way.program.name)


class _Unsuitable(Exception):
    """This pinentry cannot use this terminal; another way may."""


class _Conversation:
    """One pinentry, from its start to its end, with the texts set, if any.

    :param machine: how long it may take for what it answers by itself.
    """

    def __init__(
        self,
        way: Way,
        place: Place,
        prompt: Prompt | None,
        seconds: float,
        machine: float = MACHINE,
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
                raise self._failed(f"{_name(self._way)} greeted with an error")
            if self._prompt is not None:
                await self._introduce(self._prompt)
        except BaseException:
            self._end()
            raise
        return self

    def _start(self) -> None:
        environ = Environment(self._place.environ)
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
                self._child = processes.Child(
                    [os.fspath(self._way.program or "")],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    environ=environ,
                )
            except OSError as error:
                raise PinentryFailed(
                    f"{_name(self._way)} cannot be started: {error.strerror}",
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
            raise self._failed(f"{_name(self._way)} answered what it was not asked")
        if answer.code and not may_fail:
            raise self._failed(f"{_name(self._way)} refused {verb} (error {answer.code})")
        return answer

    async def flavor(self) -> str:
        """What it is, as it says itself: a graphical one without a screen is ``gtk2:curses``."""
        answer = await self.call("GETINFO", "flavor", may_fail=True)
        said = (answer.data or b"").decode("ascii", "replace")
        if self._flavor not in (None, said):
            raise self._failed(f"{_name(self._way)} answered what it was not asked")
        self._flavor = said
        return said or os.path.basename(os.path.realpath(self._way.program or ""))

    async def person(self, verb: str, seconds: float) -> assuan.Answer:
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
                raise self._failed(f"{_name(self._way)} died before it was answered") from None
        _check(answer.code, _name(self._way), seconds)
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
            raise self._failed(f"{_name(self._way)} answered what it was not asked")
        self._send(line)

    def _send(self, line: bytes) -> None:
        try:
            sent = self._spawn.send(line)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it is gone; reading says so
        if sent < len(line):
            raise self._failed(f"{_name(self._way)} reads nothing of what it is sent")

    async def _receive(self, seconds: float) -> assuan.Answer:
        deadline = time.monotonic() + seconds
        while not self._answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._failed(
                    f"{_name(self._way)} did not answer within {seconds:.0f} s", _Hung
                )
            if self._terminal is not None:
                left = min(left, _LOOK)
            if await eventloop.readable(self._socket.fileno(), left):
                self._read()
            elif self._terminal is not None and gone(self._terminal):
                raise vanished()
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
            raise self._failed(f"{_name(self._way)} ended without an answer", _Gone)
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
            await eventloop.sleep(0.002)

    def _end(self) -> None:
        self._answers.clear()
        self._restore.close()


class _Hung(PinentryFailed):
    pass


class _Gone(PinentryFailed):
    pass


def _check(code: int, name: str, seconds: float) -> None:
    """Raise what an answer to the person's command means."""
    if code == 0:
        return
    if code == assuan.TIMEOUT:
        raise PromptTimeout(
            f"nobody answered within {seconds:.0f} s", "try again; --prompt-timeout gives more time"
        )
    if code == assuan.NOT_CONFIRMED:
        raise NotConfirmed("not confirmed: you said no", "nothing was handed over")
    if code in (assuan.CANCELED, assuan.FULLY_CANCELED):
        raise Cancelled("cancelled at the prompt", "nothing was done")
    if code == assuan.WINDOW_TOO_SMALL:
        raise _Unsuitable
    raise PinentryFailed(
        f"{name} failed with error {code}",
        "'secretly doctor' says which pinentry is used, and how to choose another",
    )


# -- without a pinentry ----------------------------------------------------------


async def _osascript(way: Way, prompt: Prompt, seconds: float, how: str = "") -> bytes:
    """macOS's own dialog. The texts are arguments, not parts of the script."""
    hidden = how or 'default answer "" with hidden answer'
    dialog = (
        f"display dialog (item 2 of argv) with title (item 1 of argv) {hidden} "
        f"giving up after {math.ceil(seconds)}"
    )
    result = "button returned" if how else "text returned"
    script = ["on run argv", "try", f"set found to {dialog}"]
    script += ["on error number -128", 'return "cancelled"', "end try"]
    script += ['if gave up of found then return "gave up"', f'return "=" & {result} of found']
    command = [os.fspath(way.program or "osascript")]
    for line in (*script, "end run"):
        command += ["-e", line]
    text = "\n\n".join(filter(None, (prompt.error, prompt.description, prompt.prompt)))
    command += [visible(prompt.title), visible(text, keep="\n")]
    try:
        found = await processes.output(command, seconds=seconds + 5, environ=os.environ)
    except OSError:
        raise PinentryFailed("osascript cannot be started", "install pinentry-mac") from None
    except TimeoutError:
        found = processes.Finished(0, b"gave up\n")
    if found.status:
        raise PinentryFailed(
            f"osascript failed with status {found.status}",
            "install pinentry-mac, or use a terminal",
        )
    if found.stdout.startswith(b"cancelled"):
        _check(assuan.CANCELED, "osascript", seconds)
    if not found.stdout.startswith(b"="):
        _check(assuan.TIMEOUT, "osascript", seconds)
    return found.stdout[1:].removesuffix(b"\n")


def _ask_notebook(text: str) -> bytes:
    """The notebook's own password input, which is asked for in place."""
    try:
        return str(notebook_kernel().getpass(visible(text, keep="\n"))).encode()
    except (KeyboardInterrupt, EOFError):
        raise Cancelled("cancelled at the prompt", "nothing was done") from None
    except Exception:
        pass
    raise NoPinentry(
        "this notebook cannot ask for a password", "run it where a person can be asked"
    )
