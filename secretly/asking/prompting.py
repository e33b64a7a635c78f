"""Ask the user for a secret, or to confirm."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import AsyncIterator, Mapping

from ..errors import NotConfirmed, PinentryFailed, Refused
from ..redacted import NotASecret, Secret, to_secret
from ..text import escape
from ..waiting import turns
from . import assuan
from .choosing import PromptMethod, Surroundings, choose, surroundings
from .dialogs import ask_notebook, ask_osascript
from .pinentry import Conversation
from .questions import Prompt, Unsuitable, program_name

#: pinentry-curses 1.2.1 keeps this many bytes of what is typed, and says nothing.
CURSES_LIMIT = 2047

#: The flavors in which no key that is pressed by habit was seen to say yes: see
#: :func:`_confirm_pinentry`.
_NO_YES_BY_HABIT = frozenset({"gtk2", "qt", "qt5", "qt6", "tty"})

#: What no secret has: the control characters but tab, LF and CR, which a paste may bring.
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\r") | {0x7F}

_turns = turns.Turns()


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
        async with Conversation(way, place, message, seconds) as talk:
            await talk.ask_user("MESSAGE", seconds)


@contextlib.asynccontextmanager
async def elsewhere(
    environ: Mapping[str, str], seconds: float, asking: bool = True
) -> AsyncIterator[dict[str, str]]:
    """Have the person's turn, for a program that asks by itself, as gpg's agent does.

    :param asking: whether it is certain to ask: if not, what was typed ahead is left alone.
    :returns: the variables that tell it which terminal to ask on, if there is one.
    """
    async with _turns.one():
        place = surroundings(environ)
        if place.terminal is None or not place.foreground:
            yield {}
            return
        async with place.terminal.turn(seconds):
            with place.terminal.opened(asking):
                yield {"GPG_TTY": place.terminal.path}


async def probe(way: PromptMethod, environ: Mapping[str, str], seconds: float = 2) -> str:
    """Start a pinentry, ask it for its flavor, and end it: no prompt, no terminal.

    :param seconds: how long each of its two answers may take.
    :raises PinentryFailed: if it does not talk as a pinentry does.
    """
    place = Surroundings(environ, None, False)
    async with Conversation(way, place, None, seconds, machine=seconds) as talk:
        return await talk.flavor()


@contextlib.asynccontextmanager
async def _asking(
    environ: Mapping[str, str], setting: str | None, seconds: float
) -> AsyncIterator[tuple[PromptMethod, Surroundings]]:
    async with _turns.one():
        way = await choose(environ, setting)
        place = surroundings(environ)
        if place.terminal is None or not place.foreground:
            yield way, place._replace(terminal=None)
            return
        async with place.terminal.turn(seconds):
            yield way, place


async def _ask_once(
    way: PromptMethod, place: Surroundings, prompt: Prompt, seconds: float
) -> tuple[bytearray, bool]:
    """Return what was typed, and whether it was typed twice."""
    try:
        if way.kind == "pinentry":
            return await _ask_pinentry(way, place, prompt, seconds)
    except Unsuitable:
        if place.terminal is None or not place.foreground:
            raise PinentryFailed(
                f"{program_name(way)} cannot use this screen", "choose another with PINENTRY"
            ) from None
    text = "\n".join(filter(None, (prompt.error, prompt.description)))
    if way.kind == "osascript":
        return assuan.Data(await ask_osascript(way, prompt, seconds)), False
    if way.kind == "notebook":
        return assuan.Data(ask_notebook(f"{text}\n{prompt.prompt}")), False
    assert place.terminal is not None
    return assuan.Data(await place.terminal.ask(text, f"{prompt.prompt}:", seconds)), False


async def _confirm_once(
    way: PromptMethod, place: Surroundings, question: Prompt, seconds: float
) -> bool:
    try:
        if way.kind == "pinentry":
            return await _confirm_pinentry(way, place, question, seconds)
    except Unsuitable:
        if place.terminal is None or not place.foreground:
            raise PinentryFailed(
                f"{program_name(way)} cannot ask this", "choose another pinentry with PINENTRY"
            ) from None
    if way.kind == "osascript":
        how = 'buttons {"No", "Yes"} default button "No"'
        return await ask_osascript(way, question, seconds, how) == b"Yes"
    if way.kind == "notebook":
        return ask_notebook(f"{question.description} [y/N]").lower() in (b"y", b"yes")
    assert place.terminal is not None
    return await place.terminal.confirm(question.description, seconds)


async def _confirm_pinentry(
    way: PromptMethod, place: Surroundings, question: Prompt, seconds: float
) -> bool:
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
    async with Conversation(way, place, question, seconds) as talk:
        flavor = await talk.flavor()
        if "fltk" in flavor:
            raise Unsuitable
        curses = "curses" in flavor
        if not curses and flavor not in _NO_YES_BY_HABIT:
            await talk.call("SETPROMPT", 'Type "yes" to agree:')
            typed = (await talk.ask_user("GETPIN", seconds)).data or b""
            return typed.strip().lower() in (b"y", b"yes")
        await talk.call("SETOK", "_No" if curses else "_Yes")
        await talk.call("SETNOTOK", "_Yes" if curses else "_No")
        try:
            await talk.ask_user("CONFIRM", seconds)
        except NotConfirmed:
            return curses
        return not curses


async def _ask_pinentry(
    way: PromptMethod, place: Surroundings, prompt: Prompt, seconds: float
) -> tuple[bytearray, bool]:
    async with Conversation(way, place, prompt, seconds) as talk:
        await talk.call("SETPROMPT", f"{prompt.prompt}:")
        if prompt.error:
            # pinentry-curses cuts a line at the edge of the screen.
            await talk.call("SETERROR", _in_lines(prompt.error), keep="\n")
        curses = "curses" in await talk.flavor()
        if prompt.repeat and not curses:  # 1.2.1 of it shows what is typed the second time
            await talk.call("SETREPEAT", "Again:", may_fail=True)
            await talk.call("SETREPEATERROR", "They are not the same", may_fail=True)
        answer = await talk.ask_user("GETPIN", seconds)
    typed = answer.data if answer.data is not None else bytearray()
    if curses and len(typed) >= CURSES_LIMIT:
        raise PinentryFailed(
            f"{program_name(way)} cut what was entered at {CURSES_LIMIT} bytes",
            "use another pinentry for so long a secret: PINENTRY=pinentry-tty",
        )
    return typed, "PIN_REPEATED" in answer.status


def _in_lines(text: str) -> str:
    """*text* in lines that are short enough for a terminal, broken between words."""
    return "\n".join(textwrap.wrap(escape(text), 70, break_on_hyphens=False))


def _text(typed: bytearray) -> Secret:
    try:
        if _CONTROLS.isdisjoint(typed):
            return to_secret(typed)
        raise PinentryFailed(
            "what was entered has a control character in it: Ctrl-Z?",
            "enter it again without; a prompt cannot be put aside",
        )
    except NotASecret as error:
        raise PinentryFailed(
            f"what was entered {error}", "check the terminal's locale (LC_CTYPE)"
        ) from None
    finally:
        typed[:] = bytes(len(typed))
