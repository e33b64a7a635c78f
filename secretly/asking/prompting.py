"""Ask the user for a secret, ask to confirm, or show a message."""

from __future__ import annotations

from ..config.asking_limits import AskingLimits
from ..errors import PinentryFailed, Refused
from ..record import Record
from ..text import escape
from ..waiting import turns
from ..waiting.blocks import asynccontextmanager
from . import assuan, choosing, measured, screens, wording
from .choosing import PromptMethod, Surroundings
from .pinentry import Conversation, Killed
from .questions import (
    DOCTOR,
    NEVER,
    Patience,
    Prompt,
    agreed,
    pasted,
    said_no,
    several_lines,
)

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from ..redacted import Secret

__all__ = ["Asker", "ask", "confirm", "probe", "turn", "turn_for_program"]

#: pinentry-curses 1.2.1 drops what is typed beyond this many bytes, without a word.
_CURSES_LIMIT = 2047

#: How often the user is asked to enter a new secret twice.
_ATTEMPTS = 3

#: The width of an error in a pinentry, in characters: pinentry-curses cuts a longer line.
_ERROR_WIDTH = 70

#: How long, in seconds, a question waits that the user chose no time for.
USUAL_TIMEOUT = 300.0

_turns = turns.Turns()


def _tell_nothing(line: str) -> None:
    """Programs that use the library hear of no wait."""


async def ask(
    prompt: Prompt,
    prompt_timeout: float,
    environ: Mapping[str, str],
    setting: str | AskingLimits | None = None,
    *,
    until: float = NEVER,
    tell: Callable[[str], None] = _tell_nothing,
) -> Secret:
    """Take the turn to ask, and ask the user for a secret: see :meth:`Asker.ask`.

    The parameters are those of :func:`turn`.
    """
    async with turn(prompt_timeout, environ, setting, until=until, tell=tell) as asker:
        return await asker.ask(prompt)


async def confirm(
    question: Prompt,
    prompt_timeout: float,
    environ: Mapping[str, str],
    setting: str | AskingLimits | None = None,
    *,
    until: float = NEVER,
    tell: Callable[[str], None] = _tell_nothing,
) -> str:
    """Take the turn to ask, and ask the user to confirm; return the answer.

    The parameters are those of :func:`turn`.

    :raises NotConfirmed: if the user answers No.
    """
    async with turn(prompt_timeout, environ, setting, until=until, tell=tell) as asker:
        return await asker.confirm(question)


@asynccontextmanager
async def turn(
    prompt_timeout: float,
    environ: Mapping[str, str],
    setting: str | AskingLimits | None = None,
    *,
    until: float = NEVER,
    tell: Callable[[str], None] = _tell_nothing,
) -> AsyncIterator[Asker]:
    """Take the turn to ask, and choose how. Others who would ask here wait until the block ends.

    :param prompt_timeout: how long the user has for each question, in seconds.
    :param setting: the configuration's ``prompt.pinentry``, or what limits how to ask.
    :param until: when all must have ended, the turn included: a time of the monotonic clock.
    :param tell: called with what secretly waits for, if another dialog stays on the screen.
    :raises PromptTimeout: if the turn doesn't come in time.
    :raises NoPinentry: if secretly can't ask here.
    """
    if not isinstance(setting, AskingLimits) or setting.agent is None:
        async with _turn(prompt_timeout, environ, setting, until=until, tell=tell) as asker:
            yield asker
        return
    from . import agent_prompts

    # Who chose a time, even the usual one, limited the whole call to it.
    usual = USUAL_TIMEOUT if until == NEVER else 0.0
    seconds = agent_prompts.limit_of(prompt_timeout, usual)
    kept = agent_prompts.variables(environ)
    with agent_prompts.watched(setting, environ, seconds):
        async with _turn(seconds, kept, setting, until=until, tell=tell) as asker:
            yield asker


@asynccontextmanager
async def _turn(
    prompt_timeout: float,
    environ: Mapping[str, str],
    setting: str | AskingLimits | None,
    *,
    until: float,
    tell: Callable[[str], None],
) -> AsyncIterator[Asker]:
    patience = Patience(prompt_timeout, until)
    async with _turns.take(patience.left()) as ours:
        method = await choosing.choose(environ, setting)
        around = choosing.surroundings(environ, setting)
        if method.graphical and method.program is not None:
            from . import screen_turns

            screen = screen_turns.turn(environ, patience.left(), ours, tell)
        else:
            screen = _no_turn()
        async with screen:
            terminal = around.usable_terminal
            async with terminal.turn(patience.left(), ours) if terminal else _no_turn():
                asker = Asker((method, around), patience, [], tell)
                try:
                    yield asker
                finally:
                    asker.drop()


@asynccontextmanager
async def _no_turn() -> AsyncIterator[None]:
    """No other process asks there."""
    yield


class Asker(Record):
    """What has the turn to ask.

    :param way: how to ask, and where.
    :param patience: how long the user may take.
    :param started: the pinentry for the next question, if it was started already.
    :param tell: called with what secretly waits for, if that takes a while.
    """

    way: tuple[PromptMethod, Surroundings]
    patience: Patience
    started: list[Conversation]
    tell: Callable[[str], None]

    def start(self) -> None:
        """Start the pinentry of the next question. It loads while secretly does other things."""
        if self.way[0].kind == "pinentry" and not self.started:
            begun = self.conversation()
            try:
                begun.start()
            except PinentryFailed:  # the question has the same error, and may be asked elsewhere
                return
            self.started.append(begun)

    def conversation(self) -> Conversation:
        """The pinentry of the next question."""
        if self.started:
            return self.started.pop()
        return Conversation(*self.way, self.patience, tell=self.tell)

    def drop(self) -> None:
        """End the pinentry that was started for a question that was not asked."""
        while self.started:
            self.started.pop().drop()

    async def confirm(self, question: Prompt) -> str:
        """Ask to confirm; return the answer: Yes, or what else the question offers.

        :raises NotConfirmed: if the user answers No.
        """
        answer = await _confirm_once(self, question)
        if not answer:
            raise said_no()
        return answer

    async def ask(self, prompt: Prompt) -> Secret:
        """Ask for a secret. A new secret is entered twice, until both entries are the same.

        :raises Cancelled: if the user cancels.
        :raises PromptTimeout: if the user does not answer in time.
        :raises PinentryFailed: if the pinentry dies, hangs or breaks the protocol.
        :raises Refused: if several lines were entered, or two texts three times.
        """
        for _ in range(_ATTEMPTS):
            typed = await _ask_once(self, prompt)
            if typed.twice or not prompt.repeat:
                return _checked(typed)
            again = prompt._replace(prompt=wording.again_label(prompt.prompt), error="")
            if (await _ask_once(self, again)).text == typed.text:
                return _checked(typed)
            prompt = prompt._replace(error=wording.REPEAT_DIFFERS)
        raise Refused("what you entered twice was not the same, three times", "try again")


@asynccontextmanager
async def turn_for_program(
    environ: Mapping[str, str],
    timeout: float,
    asking: bool = True,
    setting: str | AskingLimits | None = None,
) -> AsyncIterator[dict[str, str]]:
    """Take the turn for a program that asks the user itself, as gpg-agent does.

    :param timeout: how long to wait for others' turns at most, in seconds.
    :param asking: whether the program certainly asks. If not, what was typed ahead is kept.
    :param setting: what limits how to ask: under an agent, no terminal.
    :returns: the variables that tell the program which terminal to ask on, if there is one.
    """
    async with _turns.take(timeout) as ours:
        found = choosing.surroundings(environ, setting).usable_terminal
        if found is None:
            yield {}
            return
        async with found.turn(timeout, ours):
            with found.opened(asking):
                yield {"GPG_TTY": found.path} if found.named else {}


async def probe(method: PromptMethod, environ: Mapping[str, str], timeout: float = 15) -> str:
    """Start a pinentry, ask for its flavor, and end it. It shows no prompt and has no terminal.

    :param timeout: how long each of its two answers may take, in seconds.
    :raises PinentryFailed: if it does not behave as a pinentry does.
    """
    around = Surroundings(environ, None, False)
    patience = Patience(timeout)
    async with Conversation(method, around, patience, machine_timeout=timeout) as pinentry:
        return await pinentry.flavor()


class _Typed(Record):
    """What the user typed.

    :param twice: whether the pinentry had it typed twice.
    """

    text: bytearray
    twice: bool = False

    def __repr__(self) -> str:
        return "<typed>"


async def _ask_once(asker: Asker, prompt: Prompt) -> _Typed:
    """Ask for a secret, on the terminal if the pinentry can't."""
    (method, around), patience = asker.way, asker.patience
    instead = ""
    if method.kind == "pinentry":
        try:
            typed, curses = await _ask_pinentry(asker, prompt)
        except PinentryFailed as error:
            instead = _pass_over(method, around, error)
        else:
            return _not_cut(typed, curses, method)
    if method.kind == "osascript":
        from .dialogs import ask_osascript

        return _Typed(assuan.Data(await ask_osascript(method, prompt, patience)))
    text = "\n".join(filter(None, (instead, prompt.error, prompt.description)))
    if method.kind == "notebook":
        from .dialogs import ask_notebook

        return _Typed(assuan.Data(ask_notebook(f"{text}\n{prompt.prompt}")))
    assert around.terminal is not None
    label = wording.entry_label(prompt.prompt, around.in_emacs)
    return _Typed(await around.terminal.ask(text, label, patience))


async def _confirm_once(asker: Asker, question: Prompt) -> str:
    """Ask to confirm, on the terminal if the pinentry can't; return the answer, empty for No."""
    (method, around), patience = asker.way, asker.patience
    instead = ""
    if method.kind == "pinentry":
        try:
            return await _confirm_pinentry(asker, question)
        except PinentryFailed as error:
            instead = _pass_over(method, around, error)
    if method.kind == "osascript":
        from .dialogs import ask_osascript

        question = question._replace(prompt=wording.type_yes(question.longer))
        return agreed(await ask_osascript(method, question, patience), question.longer)
    if method.kind == "notebook":
        from .dialogs import ask_notebook

        text = f"{question.description} {wording.yes_or_no(question.longer)}"
        return agreed(ask_notebook(text), question.longer)
    assert around.terminal is not None
    text = "\n".join(filter(None, (instead, question.description)))
    return await around.terminal.confirm(text, patience, question.longer)


def _pass_over(method: PromptMethod, around: Surroundings, error: PinentryFailed) -> str:
    """Return the line which says that the terminal asks in place of a pinentry that can't.

    :raises PinentryFailed: if the terminal can't ask either.
    """
    if isinstance(error, Killed) or method.only:
        raise PinentryFailed(str(error), error.hint) from None
    missing = screens.missing(around.environ) if method.graphical else ""
    if around.usable_terminal is not None:
        return wording.passed_over(str(error), missing)
    raise PinentryFailed(
        str(error), f"{missing} names a screen that is not there: unset it" if missing else DOCTOR
    ) from None


async def _confirm_pinentry(asker: Asker, question: Prompt) -> str:
    """Ask to confirm with a word that the user types.

    No pinentry is sent CONFIRM, because a text that is typed or pasted by mistake may press its
    buttons: a ``y`` in pinentry-qt and -tty, a Tab and Return in -curses, two Tabs in -gtk-2.
    """
    method = asker.way[0]
    label = wording.type_yes(question.longer)
    async with asker.conversation().about(question, label) as pinentry:
        if not measured.may_confirm(await pinentry.flavor()):
            raise PinentryFailed(f"{method.name} takes Escape for a Yes", DOCTOR)
        answer = await pinentry.ask_user("GETPIN")
        if "PASSWORD_FROM_CACHE" in answer.status:
            raise PinentryFailed(f"{method.name} did not ask you", DOCTOR)
        said = agreed(answer.data or b"", question.longer)
        if await pinentry.more_lines_follow() and said:
            raise pasted()
        return said


async def _ask_pinentry(asker: Asker, prompt: Prompt) -> tuple[_Typed, bool]:
    """Return what was typed, and whether it may have been cut as curses does."""
    label = wording.entry_label(prompt.prompt, asker.way[1].in_emacs)
    async with asker.conversation().about(prompt, label) as pinentry:
        if prompt.error:
            await pinentry.set_error(_in_lines(prompt.error), prompt)
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
    return _Typed(typed, "PIN_REPEATED" in answer.status), curses


def _not_cut(typed: _Typed, curses: bool, method: PromptMethod) -> _Typed:
    if curses and len(typed.text) >= _CURSES_LIMIT:
        raise PinentryFailed(
            f"{method.name} cut what you entered at {_CURSES_LIMIT} bytes",
            "use another pinentry for a secret of this length: PINENTRY=pinentry-tty",
        )
    return typed


def _checked(typed: _Typed) -> Secret:
    from .typed import checked

    return checked(typed.text)


def _in_lines(text: str) -> str:
    """Return *text* in lines that are short enough for a terminal, broken between words."""
    import textwrap  # few prompts show an error

    return "\n".join(textwrap.wrap(escape(text), _ERROR_WIDTH, break_on_hyphens=False))
