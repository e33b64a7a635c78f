"""Asking with a pinentry that follows a script: what it is sent, and every way in which it ends."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ptys import DEADLINE, PATIENCE, SOON, children, running, wait_until

from secretly.asking import channel, choosing, pinentry, prompting, questions, wording
from secretly.asking.questions import Prompt
from secretly.errors import (
    Cancelled,
    NoPinentry,
    NotConfirmed,
    PinentryFailed,
    PromptTimeout,
    Refused,
    SecretlyError,
)
from secretly.processes import child
from secretly.testing import FakePinentry
from secretly.testing.pinentry import Answer

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("no_quick_homes")]

PROMPT = Prompt("a title", "a description", "a prompt")
OK = ("raw", b"OK\n")
KEY = "-----BEGIN PRIVATE KEY-----\ncanary-1\n-----END PRIVATE KEY-----"


def signals() -> dict[int, Any]:
    """How each signal is handled; ALRM is pytest-timeout's own."""
    return {n: signal.getsignal(n) for n in signal.valid_signals() if n != signal.SIGALRM}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After each test: no child, not even a zombie, no descriptor more, signals as they were."""
    descriptors = set(os.listdir("/proc/self/fd"))
    handlers = signals()
    threads = threading.enumerate()
    yield
    assert children(os.getpid()) == []
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert set(os.listdir("/proc/self/fd")) <= descriptors
    assert signals() == handlers
    assert set(threading.enumerate()) <= set(threads)


def environ(fake: FakePinentry) -> dict[str, str]:
    """The environment in which *fake* is asked."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **fake.environ}


def ask(fake: FakePinentry, prompt: Prompt = PROMPT, seconds: float = PATIENCE) -> str:
    """Ask, and return what was typed, as a plain text."""
    return str(asyncio.run(prompting.ask(prompt, seconds, environ(fake))))


def confirm(fake: FakePinentry, seconds: float = PATIENCE) -> None:
    """Ask to confirm."""
    asyncio.run(prompting.confirm(PROMPT, seconds, environ(fake)))


def since(fake: FakePinentry) -> float:
    """Seconds since the pinentry was sent its last line."""
    return time.time() - (fake.path.parent / "lines").stat().st_mtime


# -- what it is sent -------------------------------------------------------------


def test_a_prompt_is_sent_as_it_is() -> None:
    """Title, description, prompt and time-out are each one command, with line breaks escaped."""
    prompt = Prompt("100% a title", "two\nlines \x1b[2J", "Token (pypi-…)")
    with FakePinentry(["canary-1"]) as fake:
        assert ask(fake, prompt, seconds=19.2) == "canary-1"
        (shown,) = fake.prompts
        assert shown["SETTITLE"] == "100%25 a title"
        assert shown["SETDESC"] == "two%0Alines \\x1b[2J"
        assert shown["SETPROMPT"] == wording.entry_label("Token (pypi-…)")
        assert shown["SETTIMEOUT"] == str(math.ceil(19.2))
        assert shown["GETPIN"] == ""
        assert not {"SETERROR", "SETREPEAT", "SETREPEATERROR", "SETKEYINFO"} & set(shown)
        assert b"OPTION no-grab" in fake.lines
        assert b"OPTION lc-ctype=C.UTF-8" in fake.lines
        assert not [line for line in fake.lines if b"external-password-cache" in line]
        assert fake.lines[-1] == b"BYE"


def test_the_error_is_sent() -> None:
    """Why the user is asked again is sent as the pinentry's error."""
    with FakePinentry(["canary-1"]) as fake:
        ask(fake, PROMPT._replace(error="not\naccepted"))
        assert fake.prompts[0]["SETERROR"] == "not\\x0aaccepted"


def test_a_long_error_is_sent_in_lines() -> None:
    """pinentry-curses cuts a line that is wider than the screen."""
    words = [f"word{number}" for number in range(40)]
    with FakePinentry(["canary-1"]) as fake:
        ask(fake, PROMPT._replace(error=" ".join(words)))
        lines = fake.prompts[0]["SETERROR"].split("%0A")
    assert max(map(len, lines)) <= 70
    assert " ".join(lines).split() == words


def test_a_description_injects_nothing() -> None:
    """Line breaks of any kind in any text do not begin a command."""
    bad = "x\nSETKEYINFO y\r\nGETPIN\rBYE\u2028NOP"
    with FakePinentry(["canary-1"]) as fake:
        ask(fake, Prompt(bad, bad, bad, error=bad))
        verbs = [line.partition(b" ")[0] for line in fake.lines]
        assert verbs.count(b"GETPIN") == verbs.count(b"BYE") == 1
        assert not {b"SETKEYINFO", b"NOP"} & set(verbs)


def test_a_long_description_is_cut() -> None:
    """No line that is sent is longer than 1000 bytes with its end."""
    with FakePinentry(["canary-1"]) as fake:
        ask(fake, Prompt("t" * 5000, "é%" * 5000, "p" * 5000, error="e" * 5000))
        assert max(map(len, fake.lines)) <= 999
        assert fake.prompts[0]["SETDESC"].endswith("…")


#: How much of a description there is room for: ``x`` is one byte, a line break is three.
ROOM = 1000 - len("SETDESC ") - 1


@pytest.mark.parametrize("what", ["ask", "confirm"])
@pytest.mark.parametrize("text", ["x", "é", "\n", "%", "\u202e"])
def test_a_text_to_consent_to_is_shown_whole_or_not_at_all(what: str, text: str) -> None:
    """If a byte of it is too much, that is an error and no prompt appears.

    The pinentry that was started has ended by then, and the next one can ask.
    """
    sent = {"é": "é".encode(), "\n": b"%0A", "%": b"%25", "\u202e": b"\\u202e"}.get(text, b"x")
    count, rest = divmod(ROOM, len(sent))
    fitting = text * count + "x" * rest
    answers: list[Answer] = ["canary-1" if what == "ask" else True] * 2
    with FakePinentry(answers) as fake:

        async def asked(description: str) -> None:
            prompt = Prompt("a title", description, "a prompt", whole=True)
            await getattr(prompting, what)(prompt, PATIENCE, environ(fake))

        with pytest.raises(Refused) as caught:
            asyncio.run(asked(f"{fitting}x"))
        assert caught.value.hint
        assert children(os.getpid()) == []
        assert fake.prompts == []
        asyncio.run(asked(fitting))
        (line,) = [line for line in fake.lines if line.startswith(b"SETDESC")]
        assert line == b"SETDESC " + sent * count + b"x" * rest


def test_the_pinentry_asks_twice_for_a_new_secret() -> None:
    """If it reports that it did."""
    with FakePinentry([[("raw", b"S PIN_REPEATED\nD canary-1\nOK\n")]]) as fake:
        assert ask(fake, PROMPT._replace(repeat=True)) == "canary-1"
        (shown,) = fake.prompts
        assert shown["SETREPEAT"] and shown["SETREPEATERROR"]


@pytest.mark.parametrize("flavor", ["gtk2", "curses"])
def test_secretly_asks_twice_for_a_new_secret(flavor: str) -> None:
    """If the pinentry does not report that it asked twice."""
    with FakePinentry(["canary-1", "canary-1"], flavor=flavor) as fake:
        assert ask(fake, PROMPT._replace(repeat=True, error="because")) == "canary-1"
        first, second = fake.prompts
        assert first["SETPROMPT"] == wording.entry_label("a prompt")
        assert second["SETPROMPT"] == wording.entry_label(wording.again_label("a prompt"))
        assert ("SETREPEAT" in first) is (flavor == "gtk2")
        assert "SETERROR" not in second


def test_two_different_entries_are_asked_for_again() -> None:
    """Both entries, three times at most."""
    with FakePinentry(["canary-1", "canary-2", "canary-3", "canary-3"]) as fake:
        assert ask(fake, PROMPT._replace(repeat=True)) == "canary-3"
        assert fake.prompts[2]["SETERROR"] == wording.REPEAT_DIFFERS
    with FakePinentry([f"canary-{i}" for i in range(9)]) as fake:
        with pytest.raises(Refused) as caught:
            ask(fake, PROMPT._replace(repeat=True))
        assert len(fake.prompts) == 6
        assert "canary" not in f"{caught.value} {caught.value.hint}"


def test_a_question_is_answered_with_a_word() -> None:
    """In an untested pinentry only the word agrees. Another word or closing the dialog does not."""
    with FakePinentry([True, False, " Y ", "", "yesterday", None]) as fake:
        confirm(fake)
        shown = fake.prompts[0]
        assert not {"CONFIRM", "SETOK", "SETNOTOK"} & set(shown)
        assert shown["SETPROMPT"] == wording.TYPE_YES
        assert shown["SETDESC"] == "a description"
        with pytest.raises(NotConfirmed):
            confirm(fake)
        confirm(fake)
        for _ in range(2):
            with pytest.raises(NotConfirmed):
                confirm(fake)
        with pytest.raises(Cancelled) as caught:
            confirm(fake)
        assert not isinstance(caught.value, NotConfirmed)


def test_a_word_from_a_cache_does_not_agree() -> None:
    """A cached *yes* is not the user's answer, so it is an error."""
    cached = [("raw", b"S PASSWORD_FROM_CACHE\nD yes\nOK\n")]
    with FakePinentry([cached]) as fake, pytest.raises(PinentryFailed):
        confirm(fake)


def test_fltk_is_not_used_for_consent() -> None:
    """In pinentry-fltk Escape answers OK."""
    with FakePinentry([True], flavor="fltk") as fake:
        with pytest.raises(PinentryFailed) as caught:
            confirm(fake)
        assert caught.value.hint
        assert fake.prompts == []


# -- what it answers -------------------------------------------------------------

LONG = "".join(chr(0x21 + i % 90) for i in range(3000)).replace("%", "é")


@pytest.mark.parametrize(
    "text", ["canary-1", "", "a%25b%\t", "é€😀", " x ", LONG, "\nD x", "ERR 99"]
)
def test_a_typed_text_comes_back(text: str) -> None:
    """Any text comes back as it is."""
    with FakePinentry([text]) as fake:
        assert ask(fake) == text


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        ([("raw", b"D can\nD ary\nD -1\nOK\n")], "canary-1"),
        ([("drip", b"S X\n# c\n\nD canary%2D1\r\nOK done\r\n")], "canary-1"),
        ([("raw", b"D ca"), ("wait", 0.05), ("raw", b"nary\nO"), ("wait", 0.05), ("raw", b"K\n")],
         "canary"),
        ([("raw", b"S ERROR x 1\nS PASSWORD_FROM_CACHE\nD x\nOK\n")], "x"),
        ([("raw", b"D \xc3"), ("wait", 0.05), ("raw", b"\xa9\nOK\n")], "é"),
        ([("raw", b"D 100%\nOK\n")], "100%"),
    ],
)  # fmt: skip
def test_an_answer_may_come_in_any_pieces(actions: Answer, text: str) -> None:
    """Several lines, status lines, comments, bytes one by one: the text is the same."""
    with FakePinentry([actions]) as fake:
        assert ask(fake) == text


@pytest.mark.parametrize("keyword", [b"QUALITY", b"CHECKPIN", b"GENPIN", b"X"])
def test_an_inquiry_is_declined(keyword: bytes) -> None:
    """An INQUIRE of the pinentry is answered with CAN, and the secret comes."""
    inquiry = [("raw", b"INQUIRE " + keyword + b" canary-0\n"), ("wait", 0.05)]
    with FakePinentry([[*inquiry, ("raw", b"D canary-1\nOK\n")]]) as fake:
        assert ask(fake) == "canary-1"
        assert b"CAN" in fake.lines


@pytest.mark.parametrize("code", [b"ERR 83886254 Unknown option <Pinentry>\n", b"ERR\n"])
@pytest.mark.parametrize("verb", ["OPTION", "SETTIMEOUT", "SETTITLE", "SETREPEAT"])
def test_an_option_that_is_refused_is_left_out(verb: str, code: bytes) -> None:
    """secretly goes on after an error for an option, with or without an error number."""
    refusal = ("raw", code)
    with FakePinentry(["canary-1", "canary-1"], on={verb: [refusal]}) as fake:
        assert ask(fake, PROMPT._replace(repeat=True)) == "canary-1"


@pytest.mark.parametrize("whole", [False, True])
def test_an_error_that_is_refused_is_in_the_description(whole: bool) -> None:
    """Without SETERROR, the error is above the description, if that leaves enough room."""
    refused = {"SETERROR": [("raw", b"ERR 536871187 Unknown command\n")]}
    with FakePinentry(["canary-1"] * 2, on=refused) as fake:
        prompt = PROMPT._replace(error="not accepted", whole=whole)
        assert ask(fake, prompt) == "canary-1"
        assert fake.prompts[0]["SETDESC"] == "not accepted%0A%0Aa description"
        if whole:
            long = "x" * ROOM
            ask(fake, prompt._replace(description=long))
            assert fake.prompts[1]["SETDESC"] == long


@pytest.mark.parametrize("verb", ["greeting", "SETDESC"])
def test_a_slow_pinentry_is_waited_for(verb: str) -> None:
    """A slow program gets at least thirty seconds to start and to answer commands."""
    assert questions.MACHINE_TIMEOUT >= 30
    slow = {verb: [("wait", 0.3), ("raw", b"OK\n")]}
    with FakePinentry(["canary-1"], on=slow) as fake:
        assert ask(fake) == "canary-1"


@pytest.mark.parametrize("verb", ["greeting", "SETDESC"])
def test_a_wait_for_the_pinentry_itself_is_said_once(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five seconds without a question look like a command that hangs."""
    assert pinentry._SILENT == 5
    monkeypatch.setattr(pinentry, "_SILENT", 0.2)
    slow = [("wait", 0.5), ("raw", b"OK\n")]
    told: list[str] = []

    async def asked(fake: FakePinentry) -> str:
        return await prompting.ask(PROMPT, PATIENCE, environ(fake), tell=told.append)

    with FakePinentry(["canary-1"], on={verb: slow, "SETPROMPT": slow}) as fake:
        assert asyncio.run(asked(fake)) == "canary-1"
        assert told == [wording.slow(Path(fake.path).name, 30)]


ONE_LINE_A_READ = """#!{python} -IS
import os
os.write(1, b"OK\\n")
while line := os.read(0, 4096):
    if line.count(b"\\n") != 1:
        os._exit(3)
    answer = {{b"GETPIN\\n": b"D canary-1\\n", b"GETINFO flavor\\n": b"D own\\n"}}.get(line, b"")
    os.write(1, answer + b"OK\\n")
"""


def test_a_program_that_was_not_measured_gets_one_command_at_a_time(tmp_path: Path) -> None:
    """It may be a script that expects no more than a line, as gpg-agent sends no more."""
    script = tmp_path / "pinentry"
    script.write_text(ONE_LINE_A_READ.format(python=sys.executable))
    script.chmod(0o700)
    method = choosing.PromptMethod("pinentry", str(script), True, "a test")
    around = choosing.Surroundings({}, None, False)
    patience = questions.Patience(PATIENCE)
    asker = prompting.Asker((method, around), patience, [], lambda line: None)
    assert asyncio.run(asker.ask(PROMPT)) == "canary-1"


@pytest.mark.parametrize("asks", [True, False])
def test_a_pinentry_that_was_started_early_asks_or_ends(asks: bool) -> None:
    """It shows nothing before its question. Without one it is told to end, and is not killed."""

    async def take_turn(fake: FakePinentry) -> str:
        async with prompting.turn(PATIENCE, environ(fake)) as asker:
            asker.start()
            asker.start()
            return await asker.ask(PROMPT) if asks else ""

    with FakePinentry(["canary-1"]) as fake:
        assert asyncio.run(take_turn(fake)) == ("canary-1" if asks else "")
        assert child.living() == frozenset()
        assert (fake.lines.count(b"BYE"), fake.lines.count(b"GETPIN")) == (1, int(asks))


def test_a_forked_process_leaves_the_pinentry_to_its_parent() -> None:
    """A program may fork during the look-up. The forked process asks nothing and ends nothing."""
    parent = os.getpid()

    async def take_turn(fake: FakePinentry) -> str:
        try:
            async with prompting.turn(PATIENCE, environ(fake)) as asker:
                asker.start()
                if not (forked := os.fork()):
                    return ""
                os.waitpid(forked, 0)
                return await asker.ask(PROMPT)
        finally:
            if os.getpid() != parent:
                os._exit(0)

    with FakePinentry(["canary-1"]) as fake:
        assert asyncio.run(take_turn(fake)) == "canary-1"


def test_a_pinentry_that_can_not_be_started_early_is_an_error_of_the_question() -> None:
    """So another way to ask can take its place then."""

    async def take_turn() -> str:
        method = choosing.PromptMethod("pinentry", "/nonexistent/pinentry", True, "a test")
        around = choosing.Surroundings({}, None, False)
        patience = questions.Patience(PATIENCE)
        asker = prompting.Asker((method, around), patience, [], lambda line: None)
        asker.start()
        assert asker.started == []
        return await asker.ask(PROMPT)

    with pytest.raises(PinentryFailed, match="can't start pinentry"):
        asyncio.run(take_turn())


@pytest.mark.parametrize("verb", ["SETDESC", "SETPROMPT"])
def test_a_pinentry_must_accept_the_texts(verb: str) -> None:
    """One that refuses the description or the prompt is not used."""
    with FakePinentry(["canary-1"], on={verb: [("raw", b"ERR 83886254 no\n")]}) as fake:
        with pytest.raises(PinentryFailed, match=verb):
            ask(fake)
        assert fake.prompts == []


def test_a_mebibyte_is_the_most() -> None:
    """A secret of 1 MiB comes whole; more is an error, never a part."""
    with FakePinentry(["x" * (1 << 20), "x" * ((1 << 20) + 1)]) as fake:
        assert ask(fake) == "x" * (1 << 20)
        with pytest.raises(PinentryFailed, match="1 MiB"):
            ask(fake)


def test_a_text_that_is_not_utf8_is_an_error() -> None:
    """The error shows nothing of it."""
    with FakePinentry([[("raw", b"D canary-\xe9\nOK\n")]]) as fake:
        with pytest.raises(PinentryFailed, match="UTF-8") as caught:
            ask(fake)
        assert "canary" not in f"{caught.value!r} {caught.value.hint} {caught.value.__context__!r}"


def test_a_secret_that_curses_cut_is_an_error() -> None:
    """pinentry-curses drops all beyond 2047 bytes: such a secret is refused."""
    with FakePinentry(["x" * 2046, "x" * 2047], flavor="curses") as fake:
        assert ask(fake) == "x" * 2046
        with pytest.raises(PinentryFailed, match="2047"):
            ask(fake)


# -- how it ends -----------------------------------------------------------------

Ending = tuple[type[SecretlyError], list[tuple[str, Any]]]
NONSENSE: dict[str, list[tuple[str, Any]]] = {
    "garbage": [("raw", b"\x00\xffhello\n")],
    "garbage without an end": [("raw", b"\x00\xff" * 5000), ("hang", False)],
    "a line of 20,000 bytes": [("raw", b"D " + b"x" * 20_000 + b"\nOK\n")],
    "a status of 20,000 bytes": [("raw", b"S " + b"x" * 20_000 + b"\nOK\n")],
    "another case": [("raw", b"ok\n")],
    "killed": [("kill", signal.SIGKILL)],
    "terminated": [("kill", signal.SIGTERM)],
    "hung up": [("kill", signal.SIGHUP)],
    "exit 0": [("exit", 0)],
    "exit 1": [("exit", 1)],
    "half a line": [("raw", b"D canary"), ("exit", 0)],
    "data without OK": [("raw", b"D canary-1\n"), ("exit", 0)],
    "data, then killed": [("raw", b"D canary-1\n"), ("kill", signal.SIGKILL)],
}


@pytest.mark.parametrize("ending", NONSENSE)
@pytest.mark.parametrize("verb", ["greeting", "OPTION", "SETDESC", "GETINFO", "GETPIN"])
def test_a_pinentry_that_fails_is_an_error(verb: str, ending: str) -> None:
    """Wherever and however it fails: an error soon, with nothing of a secret in it."""
    actions = NONSENSE[ending]
    fake = FakePinentry([actions]) if verb == "GETPIN" else FakePinentry(on={verb: actions})
    with fake:
        started = time.monotonic()
        with pytest.raises(PinentryFailed) as caught:
            ask(fake)
        assert (since(fake) if verb != "greeting" else time.monotonic() - started) < SOON
        assert "canary" not in f"{caught.value} {caught.value.hint}"
        assert caught.value.hint
        assert fake.path.name in str(caught.value) or "the pinentry" in str(caught.value)


@pytest.mark.parametrize("ending", ["killed", "exit 1", "garbage", "half a line"])
def test_a_failure_at_a_question_is_not_a_yes(ending: str) -> None:
    """A pinentry that fails while it asks to confirm is an error, never consent."""
    with FakePinentry([NONSENSE[ending]]) as fake, pytest.raises(PinentryFailed):
        confirm(fake)


@pytest.mark.parametrize("ending", ["killed", "exit 1", "garbage", "a line of 20,000 bytes"])
def test_a_pinentry_that_fails_after_its_answer_has_answered(ending: str) -> None:
    """A failure after the secret was sent does no harm."""
    with FakePinentry(["canary-1"], on={"BYE": NONSENSE[ending]}) as fake:
        assert ask(fake) == "canary-1"


@pytest.mark.parametrize("ending", ["killed", "terminated", "exit 1"])
def test_a_pinentry_that_dies_after_its_answer_has_answered(ending: str) -> None:
    """Even if it dies in the moment of its answer."""
    with FakePinentry([[("raw", b"D canary-1\nOK\n"), *NONSENSE[ending]]]) as fake:
        assert ask(fake) == "canary-1"


FLOOD = """#!/bin/sh
echo OK
while read -r verb rest; do
    case $verb in
        {verb}) exec yes "{line}" ;;
        GETPIN) echo "D x"; echo OK ;;
        *) echo OK ;;
    esac
done
"""


@pytest.mark.parametrize(("verb", "line"), [("GETPIN", "S x"), ("GETPIN", "# x"), ("BYE", "OK")])
def test_a_pinentry_that_never_stops_talking_is_ended(verb: str, line: str, tmp_path: Path) -> None:
    """One that always sends more has the same deadline."""
    program = tmp_path / "pinentry-gtk-flood"
    program.write_text(FLOOD.format(verb=verb, line=line))
    program.chmod(0o700)
    variables = {"PINENTRY": str(program), "DISPLAY": f":fake{os.getpid()}", "PATH": os.defpath}
    started = time.monotonic()
    asked = prompting.ask(PROMPT, 0.5, variables)
    if verb == "GETPIN":
        with pytest.raises(PromptTimeout):
            asyncio.run(asked)
    else:
        assert asyncio.run(asked) == "x"
    assert time.monotonic() - started < SOON


@pytest.mark.parametrize("deaf", [False, True])
@pytest.mark.parametrize("verb", ["GETPIN", "BYE"])
def test_a_pinentry_that_hangs_is_ended(verb: str, deaf: bool) -> None:
    """One that ignores its own time-out, its end, and even signals has a deadline."""
    hang = [("hang", deaf)]
    fake = FakePinentry([hang]) if verb == "GETPIN" else FakePinentry(["x"], on={verb: hang})
    with fake:
        if verb == "BYE":
            assert ask(fake) == "x"
        else:
            with pytest.raises(PromptTimeout):
                ask(fake, seconds=0.5)
            assert fake.prompts[0]["SETTIMEOUT"] == "1"
        assert since(fake) < SOON


ERRORS = [
    (b"83886179", Cancelled),
    (b"83886278", Cancelled),
    (b"83886142", PromptTimeout),
    (b"83886194", NotConfirmed),
    (b"536870975 x", PinentryFailed),
    (b"99", Cancelled),
    (b"83886381", PinentryFailed),
    (b"83918950", PinentryFailed),
    (b"1", PinentryFailed),
    (b"65535", PinentryFailed),
    (b"0", PinentryFailed),
    (b"83886080", PinentryFailed),
    (b"canary", PinentryFailed),
    (b"", PinentryFailed),
    (b"-1", PinentryFailed),
    (b"9" * 100, PinentryFailed),
]


@pytest.mark.parametrize(("code", "kind"), ERRORS)
def test_an_error_code_has_its_kind(code: bytes, kind: type[SecretlyError]) -> None:
    """The low 16 bits of a code say what happened, whatever program it came from."""
    with FakePinentry([[("raw", b"S ERROR x 1\nERR " + code + b" text canary\n")]]) as fake:
        with pytest.raises(SecretlyError) as caught:
            ask(fake)
        assert type(caught.value) is kind
        assert since(fake) < SOON
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("verb", ["greeting", "OPTION", "SETPROMPT"])
def test_an_answer_before_its_question_is_an_error(verb: str) -> None:
    """Otherwise it would pass for the secret."""
    text = b"OK one\nD canary-0\nOK two\n"
    with FakePinentry(["canary-1"], on={verb: [("raw", text)]}) as fake:
        with pytest.raises(PinentryFailed):
            ask(fake)
        assert fake.prompts == []


@pytest.mark.parametrize(
    "actions",
    [
        [("raw", b"D canary-0\nOK\n")],
        [("raw", b"OK\n"), ("wait", 0.1), ("raw", b"OK\n")],
    ],
)
@pytest.mark.parametrize("verb", ["SETDESC", "SETPROMPT"])
def test_more_than_an_ok_is_not_consent(verb: str, actions: list[Any]) -> None:
    """Neither data nor a second OK, which would pass for the user's Yes if it came later."""
    with FakePinentry([[("raw", b"OK\n")]], on={verb: actions}) as fake:
        with pytest.raises(PinentryFailed):
            confirm(fake)
        assert b"CONFIRM" not in fake.lines


@pytest.mark.parametrize("answering", [False, True])
def test_our_end_of_a_channel_never_waits(answering: bool) -> None:
    """Reading returns None while nothing came, and empty bytes at the end. Sending fails then."""
    ours = channel.Channel()
    with contextlib.closing(ours):
        if answering:
            ours.expect_answer()
        assert ours.read() is None
        assert not ours.has_more()
        ours.theirs.send(b"OK\n")
        assert ours.has_more()
        assert ours.read() == b"OK\n"
        ours.theirs.close()
        assert ours.read() == b""
        with pytest.raises(OSError, match="pipe"):
            ours.send(b"BYE\n")


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    """The error names a pinentry whose interpreter is missing, or that is not a program."""
    for name, content in (("pinentry-gtk-a", "#!/nonexistent\n"), ("pinentry-gtk-b", "\x7fELF")):
        program = tmp_path / name
        program.write_text(content)
        program.chmod(0o700)
        variables = {"PINENTRY": str(program), "DISPLAY": f":fake{os.getpid()}", "PATH": os.defpath}
        with pytest.raises(PinentryFailed, match=name) as caught:
            asyncio.run(prompting.ask(PROMPT, PATIENCE, variables))
        assert caught.value.hint


# -- ended from outside ----------------------------------------------------------


def prompted(fake: FakePinentry) -> Callable[[], Any]:
    """Return a function that says whether a prompt is shown."""
    return lambda: fake.prompts


async def until(true: Callable[[], Any]) -> None:
    """Wait until *true*, in a loop that goes on."""
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


HANGING: list[Answer] = [[("hang", False)]] * 3


def test_cancelling_ends_the_pinentry() -> None:
    """A cancelled prompt raises asyncio's own error, and the pinentry has ended by then."""

    async def main(fake: FakePinentry) -> None:
        task = asyncio.create_task(prompting.ask(PROMPT, PATIENCE, environ(fake)))
        await until(prompted(fake))
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children(os.getpid()) == []
        assert time.monotonic() - started < SOON

    with FakePinentry(HANGING) as fake:
        asyncio.run(main(fake))


def test_cancelling_before_the_greeting_ends_the_pinentry() -> None:
    """A prompt that is cancelled before the pinentry said a word leaves nothing behind."""

    async def main(fake: FakePinentry) -> None:
        task = asyncio.create_task(prompting.ask(PROMPT, PATIENCE, environ(fake)))
        await until(lambda: children(os.getpid()))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children(os.getpid()) == []

    with FakePinentry(on={"greeting": [("hang", False)]}) as fake:
        asyncio.run(main(fake))


def test_a_loop_that_ends_ends_the_pinentry() -> None:
    """When ``asyncio.run`` returns, a prompt that a task left behind is over."""

    async def main(fake: FakePinentry) -> asyncio.Task[Any]:
        task = asyncio.create_task(prompting.ask(PROMPT, PATIENCE, environ(fake)))
        await until(prompted(fake))
        return task

    with FakePinentry(HANGING) as fake:
        assert asyncio.run(main(fake)).cancelled()
        assert children(os.getpid()) == []


def test_closing_the_coroutine_ends_the_pinentry() -> None:
    """Also in a loop that is closed; nothing is printed.

    After it another prompt can be shown.
    """
    with FakePinentry([*HANGING[:1], "canary-1"]) as fake:
        loop = asyncio.new_event_loop()
        coroutine = prompting.ask(PROMPT, PATIENCE, environ(fake))
        task = loop.create_task(coroutine)
        loop.run_until_complete(until(prompted(fake)))
        loop.close()
        coroutine.close()
        assert children(os.getpid()) == []
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        assert ask(fake) == "canary-1"


def test_a_prompt_in_a_closed_loop_does_not_block_the_next() -> None:
    """It was left behind in a loop that is closed."""
    with FakePinentry([*HANGING[:1], "canary-1"]) as fake:
        loop = asyncio.new_event_loop()
        coroutine = prompting.ask(PROMPT, PATIENCE, environ(fake))
        task = loop.create_task(coroutine)
        loop.run_until_complete(until(prompted(fake)))
        loop.close()
        assert asyncio.run(
            asyncio.wait_for(prompting.ask(PROMPT, PATIENCE, environ(fake)), DEADLINE)
        )
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        coroutine.close()


def test_only_one_prompt_is_shown_at_a_time() -> None:
    """Two threads with a loop each, and two tasks in each, ask one after another."""
    answer: Answer = [("wait", 0.1), ("raw", b"D canary-1\nOK\n")]
    most: list[int] = []

    async def both(fake: FakePinentry) -> None:
        asked = [prompting.ask(PROMPT, PATIENCE, environ(fake)) for _ in range(2)]
        assert await asyncio.gather(*asked) == ["canary-1"] * 2

    with FakePinentry([answer] * 4) as fake:
        threads = [threading.Thread(target=lambda: asyncio.run(both(fake))) for _ in range(2)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            most.append(len(children(os.getpid())))
            time.sleep(0.005)
        assert len(fake.prompts) == 4
    assert max(most) == 1
    assert time.monotonic() - started > 0.4


@pytest.mark.parametrize("error", ["killed", "cancel"])
def test_a_failed_prompt_gives_the_turn_to_the_next(error: str) -> None:
    """Whether it failed or was cancelled."""
    failing: Answer = None if error == "cancel" else NONSENSE[error]
    with FakePinentry([failing, "canary-1"]) as fake:

        async def both() -> list[Any]:
            asked = [prompting.ask(PROMPT, PATIENCE, environ(fake)) for _ in range(2)]
            return await asyncio.gather(*asked, return_exceptions=True)

        first, second = asyncio.run(both())
        assert isinstance(first, SecretlyError)
        assert second == "canary-1"


@pytest.mark.alone
def test_a_prompt_has_no_thread_and_costs_nothing() -> None:
    """In two seconds: no new thread, under 1 % of a core, and the process is not woken."""
    before = threading.enumerate()
    measured: list[Any] = []

    def measure() -> None:
        measured.append(resource.getrusage(resource.RUSAGE_THREAD))
        assert set(threading.enumerate()) <= set(before)

    async def main(fake: FakePinentry) -> None:
        task = asyncio.create_task(prompting.ask(PROMPT, PATIENCE, environ(fake)))
        await until(prompted(fake))
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, measure)
        loop.call_later(2.1, measure)
        assert await task == "canary-1"

    with FakePinentry([[("wait", 2.4), ("raw", b"D canary-1\nOK\n")]]) as fake:
        asyncio.run(main(fake))
    used = sum(getattr(measured[1], n) - getattr(measured[0], n) for n in ("ru_utime", "ru_stime"))
    assert used < 0.02 + 0.03
    assert measured[1].ru_nvcsw - measured[0].ru_nvcsw < 40


# -- in a process of its own -----------------------------------------------------

PROGRAM = """
import os, sys
from secretly.asking import prompting
from secretly.asking.questions import Prompt

async def ask(seconds=60):
    return await prompting.ask(Prompt("t", "d", "p"), seconds, os.environ)
"""


def program(source: str, fake: FakePinentry) -> subprocess.Popen[str]:
    """Start a Python program in which ``ask()`` asks the fake."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + textwrap.dedent(source)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ(fake)},
    )


def over(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end; return its status and what it wrote."""
    try:
        out, err = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, out, err


TWISTED = {
    "epoll": "from twisted.internet import epollreactor; epollreactor.install()",
    "asyncio": "from twisted.internet import asyncioreactor; asyncioreactor.install()",
}


@pytest.mark.parametrize("reactor", TWISTED)
def test_twisted_asks(reactor: str) -> None:
    """Under ``react``: success, an error, cancelling, with no thread and no child left."""
    with FakePinentry(["canary-1", None, *HANGING[:1]]) as fake:
        process = program(
            f"""
            {TWISTED[reactor]}
            import signal, threading
            from twisted.internet import task
            from twisted.internet.defer import CancelledError, Deferred
            from secretly.errors import Cancelled
            def handlers():
                return [signal.getsignal(n) for n in signal.valid_signals()]
            async def main(reactor):
                await task.deferLater(reactor, 0)  # it runs now, with handlers of its own
                before = handlers()
                print(str(await ask()))
                try:
                    await ask()
                except Cancelled:
                    print("declined")
                waiting = Deferred.fromCoroutine(ask())
                while len(open({str(fake.path.parent / "prompts")!r}).readlines()) < 3:
                    await task.deferLater(reactor, 0.01)
                print(threading.active_count())
                waiting.cancel()
                try:
                    os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    print("no child")
                try:
                    await waiting
                except CancelledError:
                    print("cancelled")
                assert handlers() == before
            task.react(main)
            """,
            fake,
        )
        assert over(process) == (
            0,
            "canary-1\ndeclined\n1\nno child\ncancelled\n",
            "",
        )


STOPPED = {
    "react": "from twisted.internet.task import react; react(lambda _: ask())",
    "asyncio reactor": TWISTED["asyncio"]
    + "; from twisted.internet.task import react; react(lambda _: ask())",
}


@pytest.mark.parametrize("driver", STOPPED)
def test_a_reactor_that_is_terminated_ends_the_pinentry(driver: str) -> None:
    """SIGTERM stops Twisted's reactor, which leaves no pinentry."""
    with FakePinentry(HANGING) as fake:
        process = program(STOPPED[driver], fake)
        try:
            wait_until(prompted(fake))
            (pid,) = children(process.pid)
            started = time.monotonic()
            process.terminate()
            process.wait(DEADLINE)
            assert time.monotonic() - started < SOON
            assert not running(pid)
        finally:
            over(process)


def test_a_ctrl_c_under_asyncio_ends_the_pinentry() -> None:
    """SIGINT to ``asyncio.run`` is its KeyboardInterrupt, and leaves no pinentry."""
    with FakePinentry(HANGING) as fake:
        process = program("import asyncio; asyncio.run(ask())", fake)
        try:
            wait_until(prompted(fake))
            (pid,) = children(process.pid)
            process.send_signal(signal.SIGINT)
        finally:
            status, _, err = over(process)
        assert status == -signal.SIGINT
        assert "KeyboardInterrupt" in err
        assert not running(pid)


def test_an_exit_ends_the_pinentry() -> None:
    """A program that ends with a prompt in a loop that it forgot leaves no pinentry."""
    with FakePinentry(HANGING) as fake:
        process = program(
            f"""
            import asyncio, time
            loop = asyncio.new_event_loop()
            task = loop.create_task(ask())
            async def prompted():
                while not os.path.exists({str(fake.path.parent / "prompts")!r}):
                    await asyncio.sleep(0.01)
            loop.run_until_complete(prompted())
            print(open(f"/proc/self/task/{{os.getpid()}}/children").read())
            task._log_destroy_pending = False
            """,
            fake,
        )
        status, out, err = over(process)
        assert (status, err) == (0, "")
        assert not running(int(out))


def test_without_any_way_to_ask_it_is_an_error() -> None:
    """Without a screen, a terminal or a pinentry."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + "import asyncio; asyncio.run(ask())"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={"PATH": "/nonexistent", "HOME": "/nonexistent"},
    )
    assert NoPinentry.__name__ in done.stderr


# -- a pinentry that does what none should ---------------------------------------


@pytest.mark.parametrize("text", ["canary\x1a", "\x00", "can\x1b[200~ary", "canary\x7f"])
def test_a_control_character_is_refused(text: str) -> None:
    """A key or a paste left it there. The error shows nothing of the text."""
    with FakePinentry([text]) as fake:
        with pytest.raises(PinentryFailed) as caught:
            ask(fake)
        assert caught.value.hint
        assert "ary" not in str(caught.value)
        assert len(fake.prompts) == 1


@pytest.mark.parametrize("text", ["\tcanary\t1", "canary-1\n", "\ncanary-1"])
@pytest.mark.parametrize("end", ["", "\r\n"])
def test_white_space_is_part_of_a_text(text: str, end: str) -> None:
    """secretly keeps tabs and line breaks in a text, except one line end at its end."""
    with FakePinentry([text + end]) as fake:
        assert ask(fake) == (text + end).removesuffix(end or "\n")


@pytest.mark.parametrize(
    "text",
    [
        "canary-1\nx",
        "canary-1\r\nx\r\n",
        "canary-1\rx",
        KEY.partition("\n")[0],
        KEY.replace("\n", " "),
    ],
)
def test_a_paste_of_several_lines_is_refused(text: str) -> None:
    """secretly recognizes several lines even if a window cuts them or replaces the line ends."""
    with FakePinentry([text]) as fake:
        with pytest.raises(Refused) as caught:
            ask(fake)
        assert "--stdin" in caught.value.hint
        assert "canary" not in f"{caught.value}"


def test_a_pinentry_that_reads_nothing_is_ended() -> None:
    """One that sends inquiry after inquiry, and reads no answer, is an error."""
    deaf: Answer = [("raw", b"INQUIRE QUALITY x\n" * 5000), ("hang", False)]
    with FakePinentry([deaf]) as fake:
        started = time.monotonic()
        with pytest.raises(PinentryFailed):
            ask(fake)
        assert time.monotonic() - started < SOON


def test_a_pinentry_that_reads_no_farewell_has_answered() -> None:
    """What it leaves unread once the secret is there does no harm."""
    deaf: Answer = [("raw", b"D canary-1\nOK\n" + b"INQUIRE X\n" * 20_000), ("hang", False)]
    with FakePinentry([deaf]) as fake:
        assert ask(fake) == "canary-1"


def probe(fake: FakePinentry, seconds: float = DEADLINE) -> str:
    """Probe a pinentry that was found."""

    async def main() -> str:
        return await prompting.probe(await choosing.choose(environ(fake)), environ(fake), seconds)

    return asyncio.run(main())


def test_probing_asks_nothing() -> None:
    """A probe is a greeting and a flavor: no text is set, and no prompt appears."""
    with FakePinentry(["canary-1"], flavor="gtk2:curses") as fake:
        assert probe(fake) == "gtk2:curses"
        assert fake.lines == [b"GETINFO flavor", b"BYE"]


@pytest.mark.parametrize(
    "on",
    [
        {"greeting": [("hang", True)]},
        {"greeting": [("exit", 0)]},
        {"greeting": [("raw", b"hello\n")]},
        {"greeting": [("raw", b"ERR 83886179 no\n")]},
        {"GETINFO": [("hang", False)]},
        {"GETINFO": [("exit", 1)]},
    ],
)
def test_a_probe_of_another_program_is_an_error(on: dict[str, Any]) -> None:
    """It does not greet, or does not say what it is."""
    with FakePinentry(on=on) as fake:
        started = time.monotonic()
        with pytest.raises(PinentryFailed):
            probe(fake, 1)
        assert time.monotonic() - started < SOON
