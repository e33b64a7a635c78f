"""Ask the user for a secret, ask to confirm, or show a message."""

from __future__ import annotations

import contextlib
import math
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from ..errors import NotConfirmed, PinentryFailed, Refused
from ..redacted import NotASecret, Secret, is_cut_short, to_secret
from ..text import escape
from ..waiting import turns
from . import assuan, choosing, wording
from .choosing import PromptMethod, Surroundings
from .dialogs import ask_notebook, ask_osascript, confirm_osascript
from .pinentry import Conversation
from .questions import Prompt, Unsuitable, no_answer, said_no, several_lines

__all__ = ["ask", "confirm", "probe", "turn_for_program"]

#: pinentry-curses 1.2.1 drops what is typed beyond this many bytes, without a word.
_CURSES_LIMIT = 2047

#: The flavors in which no key that is pressed by habit means Yes: see :func:`_confirm_pinentry`.
_NO_YES_BY_HABIT = frozenset({"gtk2", "qt", "qt5", "qt6", "tty"})

#: What no secret has: the control characters except tab, LF and CR, which a paste may have.
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\r") | {0x7F}

#: How often the user is asked to enter a new secret twice.
_ATTEMPTS = 3

#: The width of an error in a pinentry, in characters: pinentry-curses cuts a longer line.
_ERROR_WIDTH = 70

_turns = turns.Turns()


async def ask(
    prompt: Prompt,
    prompt_timeout: float,
    environ: Mapping[str, str],
    setting: str | None = None,
    *,
    until: float = math.inf,
    look_again: Callable[[], Awaitable[None]] | None = None,
    keep: Callable[[Secret], Awaitable[None]] | None = None,
) -> Secret:
    """Ask the user for a secret.

    :param prompt_timeout: how long the user has for each question, in seconds.
    :param setting: the configuration's ``prompt.pinentry``.
    :param until: when all must have ended, the turn included: a time of the monotonic clock.
    :param look_again: called before the user is asked, if another one had the turn before and
        may have stored the secret. If it raises, the user is not asked.
    :param keep: called with what was typed, before another one has its turn.
    :raises Cancelled: if the user cancels.
    :raises PromptTimeout: if the user does not answer in time.
    :raises NoPinentry: if secretly can't ask here.
    :raises PinentryFailed: if the pinentry dies, hangs or breaks the protocol.
    """
    async with _turn(environ, setting, _left(prompt_timeout, until)) as (method, around, waited):
        if waited and look_again is not None:
            await look_again()
        secret = await _ask_repeatedly(method, around, prompt, lambda: _left(prompt_timeout, until))
        if keep is not None:
            await keep(secret)
        return secret


async def _ask_repeatedly(
    method: PromptMethod, around: Surroundings, prompt: Prompt, time_left: Callable[[], float]
) -> Secret:
    """Ask for a secret; if it is to be entered twice, until both are the same."""
    for _ in range(_ATTEMPTS):
        typed, twice = await _ask_once(method, around, prompt, time_left())
        if twice or not prompt.repeat:
            return _checked(typed)
        again = prompt._replace(prompt=wording.again_label(prompt.prompt), error="")
        if (await _ask_once(method, around, again, time_left()))[0] == typed:
            return _checked(typed)
        prompt = prompt._replace(error=wording.REPEAT_DIFFERS)
    raise Refused("what you entered twice was not the same, three times", "try again")


async def confirm(
    question: Prompt,
    prompt_timeout: float,
    environ: Mapping[str, str],
    setting: str | None = None,
    *,
    until: float = math.inf,
) -> None:
    """Ask the user to confirm. The parameters are those of :func:`ask`.

    :raises NotConfirmed: if the user answers No.
    """
    async with _turn(environ, setting, _left(prompt_timeout, until)) as (method, around, _):
        if not await _confirm_once(method, around, question, _left(prompt_timeout, until)):
            raise said_no()


def _left(prompt_timeout: float, until: float) -> float:
    """How long the user has for the next question, in seconds.

    :raises PromptTimeout: if there is no time left.
    """
    left = min(prompt_timeout, until - time.monotonic())
    if left <= 0:
        raise no_answer(prompt_timeout)
    return left


@contextlib.asynccontextmanager
async def turn_for_program(
    environ: Mapping[str, str], timeout: float, asking: bool = True
) -> AsyncIterator[dict[str, str]]:
    """Take the turn for a program that asks the user itself, as gpg-agent does.

    :param timeout: how long to wait for others' turns at most, in seconds.
    :param asking: whether the program certainly asks. If not, what was typed ahead is kept.
    :returns: the variables that tell the program which terminal to ask on, if there is one.
    """
    async with _turns.take(timeout):
        around = choosing.surroundings(environ)
        if around.terminal is None or not around.foreground:
            yield {}
            return
        async with around.terminal.turn(timeout):
            with around.terminal.opened(asking):
                yield {"GPG_TTY": around.terminal.path}


async def probe(method: PromptMethod, environ: Mapping[str, str], timeout: float = 2) -> str:
    """Start a pinentry, ask for its flavor, and end it. It shows no prompt and has no terminal.

    :param timeout: how long each of its two answers may take, in seconds.
    :raises PinentryFailed: if it does not behave as a pinentry does.
    """
    around = Surroundings(environ, None, False)
    async with Conversation(method, around, None, timeout, machine_timeout=timeout) as pinentry:
        return await pinentry.flavor()


@contextlib.asynccontextmanager
async def _turn(
    environ: Mapping[str, str], setting: str | None, prompt_timeout: float
) -> AsyncIterator[tuple[PromptMethod, Surroundings, bool]]:
    """Take the turn to ask, and choose how. Say last whether another one had the turn before."""
    taken = _turns.taken
    async with _turns.take(prompt_timeout):
        method = await choosing.choose(environ, setting)
        around = choosing.surroundings(environ)
        if around.terminal is None or not around.foreground:
            yield method, around._replace(terminal=None), taken
            return
        async with around.terminal.turn(prompt_timeout) as waited:
            yield method, around, taken or waited


async def _ask_once(
    method: PromptMethod, around: Surroundings, prompt: Prompt, prompt_timeout: float
) -> tuple[bytearray, bool]:
    """Return what was typed, and whether the pinentry had it typed twice."""
    try:
        if method.kind == "pinentry":
            return await _ask_pinentry(method, around, prompt, prompt_timeout)
    except Unsuitable:
        _check_terminal(method, around)
    if method.kind == "osascript":
        return assuan.Data(await ask_osascript(method, prompt, prompt_timeout)), False
    text = "\n".join(filter(None, (prompt.error, prompt.description)))
    if method.kind == "notebook":
        return assuan.Data(ask_notebook(f"{text}\n{prompt.prompt}")), False
    assert around.terminal is not None
    label = wording.entry_label(prompt.prompt)
    return await around.terminal.ask(text, label, prompt_timeout), False


async def _confirm_once(
    method: PromptMethod, around: Surroundings, question: Prompt, prompt_timeout: float
) -> bool:
    try:
        if method.kind == "pinentry":
            return await _confirm_pinentry(method, around, question, prompt_timeout)
    except Unsuitable:
        _check_terminal(method, around)
    if method.kind == "osascript":
        return await confirm_osascript(method, question, prompt_timeout)
    if method.kind == "notebook":
        text = f"{question.description} {wording.YES_OR_NO}"
        return ask_notebook(text).lower() in (b"y", b"yes")
    assert around.terminal is not None
    return await around.terminal.confirm(question.description, prompt_timeout)


def _check_terminal(method: PromptMethod, around: Surroundings) -> None:
    """Raise if the terminal can't ask in place of a pinentry that can't."""
    if around.terminal is None or not around.foreground:
        raise PinentryFailed(
            f"{method.name} can't ask this here", "choose another pinentry: PINENTRY=PROGRAM"
        ) from None


async def _confirm_pinentry(
    method: PromptMethod, around: Surroundings, question: Prompt, prompt_timeout: float
) -> bool:
    """Ask to confirm in such a way that no key means Yes by mistake.

    - curses, also as ``gtk2:curses``: Return presses the OK button, which therefore says No,
      and the other button says Yes. Closing the dialog is reported as neither.
    - gtk2, qt, tty: Return was seen to cancel in the first two, and to do nothing in tty, where
      the user presses ``y``. There the OK button says Yes.
    - fltk: Escape answers OK, so it is never used for consent.
    - In all others the user types a word. In gnome3 Return and space press OK, and Escape can't
      be told from the No button. The rest (mac, efl, tqt, w32) was not measured, and may report
      a closed window as if its button had been pressed.
    """
    async with Conversation(method, around, question, prompt_timeout) as pinentry:
        flavor = await pinentry.flavor()
        if "fltk" in flavor:
            raise Unsuitable
        curses = "curses" in flavor
        if not curses and flavor not in _NO_YES_BY_HABIT:
            await pinentry.send_command("SETPROMPT", wording.TYPE_YES)
            typed = (await pinentry.ask_user("GETPIN")).data or b""
            return typed.strip().lower() in (b"y", b"yes")
        ok, not_ok = wording.YES_BUTTON, wording.NO_BUTTON
        if curses:
            ok, not_ok = not_ok, ok
        await pinentry.send_command("SETOK", ok)
        await pinentry.send_command("SETNOTOK", not_ok)
        return await _pressed_ok(pinentry) is not curses


async def _pressed_ok(pinentry: Conversation) -> bool:
    try:
        await pinentry.ask_user("CONFIRM")
    except NotConfirmed:
        return False
    return True


async def _ask_pinentry(
    method: PromptMethod, around: Surroundings, prompt: Prompt, prompt_timeout: float
) -> tuple[bytearray, bool]:
    async with Conversation(method, around, prompt, prompt_timeout) as pinentry:
        await pinentry.send_command("SETPROMPT", wording.entry_label(prompt.prompt))
        if prompt.error:
            await pinentry.send_command("SETERROR", _in_lines(prompt.error), keep="\n")
        flavor = await pinentry.flavor()
        curses = "curses" in flavor
        # curses 1.2.1 shows what is typed the second time; tty would compare a paste's lines.
        if prompt.repeat and not curses and flavor != "tty":
            await pinentry.send_command("SETREPEAT", wording.REPEAT_LABEL, may_fail=True)
            await pinentry.send_command("SETREPEATERROR", wording.REPEAT_DIFFERS, may_fail=True)
        answer = await pinentry.ask_user("GETPIN")
        if await pinentry.more_lines_follow():
            raise several_lines()
    typed = answer.data if answer.data is not None else bytearray()
    if curses and len(typed) >= _CURSES_LIMIT:
        raise PinentryFailed(
            f"{method.name} cut what you entered at {_CURSES_LIMIT} bytes",
            "use another pinentry for a secret of this length: PINENTRY=pinentry-tty",
        )
    return typed, "PIN_REPEATED" in answer.status


def _in_lines(text: str) -> str:
    """Return *text* in lines that are short enough for a terminal, broken between words."""
    return "\n".join(textwrap.wrap(escape(text), _ERROR_WIDTH, break_on_hyphens=False))


def _checked(typed: bytearray) -> Secret:
    """Return what was typed as a secret, and overwrite the bytes.

    :raises PinentryFailed: if it can't be one.
    :raises Refused: if it has several lines, or is the first line of several.
    """
    try:
        if _CONTROLS.isdisjoint(typed):
            secret = to_secret(typed, trim=True)
            if _has_several_lines(secret):
                raise several_lines()
            return secret
        if 0x1A in typed:
            raise PinentryFailed(
                "you pressed Ctrl-Z: a prompt can't be suspended", "enter the secret again"
            )
        raise PinentryFailed(
            "what you entered has a control character in it",
            "enter it again; if you pasted it, copy it again",
        )
    except NotASecret as error:
        raise PinentryFailed(
            f"what you entered {error}", "check the terminal's locale (LC_CTYPE)"
        ) from None
    finally:
        typed[:] = bytes(len(typed))


def _has_several_lines(secret: str) -> bool:
    """Return whether several lines were entered, whole, cut or run together.

    Some pinentries replace the line ends of a paste by spaces.
    """
    lines = secret.replace("\r", "\n").split("\n")
    if len([line for line in lines if line.strip()]) > 1 or is_cut_short(secret):
        return True
    return secret.lstrip().startswith("-----BEGIN ") and "\\n" not in secret
