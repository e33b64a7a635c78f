"""The library's calls, under asyncio and Twisted."""

from __future__ import annotations

import asyncio
import datetime
import getpass
import json
import logging
import math
import os
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from command import TWISTED, Quick, quick
from ptys import DEADLINE, SOON
from secretservice import wait_until

import secretly
from secretly import (
    BadReference,
    Cancelled,
    Credential,
    KeychainLocked,
    KeychainUnavailable,
    NoPinentry,
    NotFound,
    PinentryFailed,
    PromptTimeout,
    Refused,
    Secret,
    SecretlyError,
    confirm,
    credential,
    forget,
    remember,
    secret,
)
from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.keeping import name_changes
from secretly.resolving.request import calling_program
from secretly.testing import FakePinentry, MemoryKeychain, sandbox

pytestmark = pytest.mark.process

ME = getpass.getuser()


def running(program: Path) -> list[int]:
    """The processes that run a program."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if os.fsencode(program) in command and state != "Z":
                found.append(int(entry.name))
    return found


def verbs(pinentry: FakePinentry) -> list[str]:
    """The commands that pinentries received, in order."""
    return [line.split()[0].decode() for line in pinentry.lines]


# -- secret ------------------------------------------------------------------------


def test_a_stored_secret_is_typed_once() -> None:
    """With ``remember=True`` the second call takes it from the keychain."""
    with FakePinentry(["pypi-canary-1"]) as pinentry, sandbox(pinentry) as here:

        async def main() -> list[Secret]:
            return [await secret("PyPI", remember=True), await secret("PyPI")]

        assert asyncio.run(main()) == ["pypi-canary-1"] * 2
        assert len(pinentry.prompts) == 1
        assert here.keychain.items == {("PyPI", "__token__"): "pypi-canary-1"}  # type: ignore[attr-defined]


def test_a_repr_shows_no_secret() -> None:
    """Typed or stored, a secret comes back as a Secret."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        assert repr(asyncio.run(secret("A", remember=True))) == "Secret('…')"
        assert repr(asyncio.run(secret("A"))) == "Secret('…')"
        assert "canary" not in repr(asyncio.run(credential("A")))


def test_prompts_name_the_program_and_the_secret() -> None:
    """The label and a description may be the caller's; the program is always named."""
    with FakePinentry(["canary-1", "canary-2"]) as pinentry, sandbox(pinentry):
        asyncio.run(secret("A", prompt="The key", description="to open the door\n50%"))
        asyncio.run(secret("A"))
        first, second = pinentry.prompts
        assert first["SETPROMPT"] == "The key:"
        program = calling_program()
        shown = [unescape(prompt["SETDESC"].encode()).decode() for prompt in (first, second)]
        assert shown[0] == wording.wants(program, "A", "to open the door\n50%")
        assert shown[1] == wording.wants(program, "A")
        assert all(program in text for text in shown)
        assert second["SETPROMPT"] == f"{wording.secret_label('A')}:"


@pytest.mark.parametrize("words", ["a\x1b[2Jb", "a\u202eb", "a\rb"])
def test_the_callers_words_are_escaped(words: str) -> None:
    """Control and bidi characters reach pinentry as visible escapes."""
    with FakePinentry(["canary-1", True]) as pinentry, sandbox(pinentry):
        asyncio.run(secret("A", prompt=words, description=words))
        asyncio.run(confirm(words, description=words))
        for line in pinentry.lines:
            text = line.decode()
            assert "\u202e" not in text
            assert "\x1b" not in text
            assert "%0D" not in text
            assert len(line) < 1000


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(None, 300), (7, 7), (7.2, 7.2), (datetime.timedelta(minutes=2), 120)],
)
def test_the_time_limit_is_a_number_or_a_timedelta(timeout: Any, seconds: float) -> None:
    """pinentry gets what is left of it in whole seconds, rounded up; the default is 300."""
    with FakePinentry(["canary-1", True]) as pinentry, sandbox(pinentry):
        started = time.monotonic()
        asyncio.run(secret("A", timeout=timeout))
        asyncio.run(confirm("Sure?", timeout=timeout))
        left = seconds - (time.monotonic() - started)
        for prompt in pinentry.prompts:
            assert math.ceil(left) <= int(prompt["SETTIMEOUT"]) <= math.ceil(seconds)
        assert len(pinentry.prompts) == 2


@pytest.mark.parametrize("limit", [0.2, datetime.timedelta(seconds=0.2)])
def test_an_unanswered_prompt_ends_in_time(limit: Any) -> None:
    """Its pinentry ends with it."""
    answers = [[("hang", False)], [("hang", True)]]
    with FakePinentry(answers) as pinentry, sandbox(pinentry):
        for call in (lambda: secret("A", timeout=limit), lambda: confirm("Sure?", timeout=limit)):
            started = time.monotonic()
            with pytest.raises(PromptTimeout) as caught:
                asyncio.run(call())
            assert time.monotonic() - started < SOON
            assert caught.value.hint
            assert running(pinentry.path) == []


def test_the_user_cancels() -> None:
    """Cancelling has an error of its own."""
    with FakePinentry([None]) as pinentry, sandbox(pinentry), pytest.raises(Cancelled):
        asyncio.run(secret("A"))


@pytest.mark.parametrize(
    "actions", [[("kill", 9)], [("exit", 0)], [("raw", b"nonsense\n")], [("raw", b"x" * 5000)]]
)
def test_a_failing_pinentry_is_an_error(actions: Any) -> None:
    """A pinentry that dies or breaks the protocol is an error within seconds."""
    with FakePinentry([actions]) as pinentry, sandbox(pinentry):
        started = time.monotonic()
        with pytest.raises(PinentryFailed) as caught:
            asyncio.run(secret("A"))
        assert time.monotonic() - started < SOON
        assert caught.value.hint
        assert running(pinentry.path) == []


def test_without_prompts_a_missing_secret_is_an_error() -> None:
    """The error names the secret, and no pinentry is started."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(environ=pinentry.environ):
        with pytest.raises(NotFound, match="OpenAI"):
            asyncio.run(secret("OpenAI"))
        with pytest.raises(NotFound, match="OpenAI"):
            asyncio.run(credential("OpenAI"))
        assert pinentry.lines == []


@pytest.mark.parametrize(
    "reference",
    [
        "pypi-canary1234567890abcdef",
        "ghp_canary1234567890abcdef",
        " pypi-canary1234567890abcdef\n",
        "github_pat_canary1234567890",
        "glpat-canary1234567890abcd",
    ],
)
def test_a_reference_that_looks_like_a_secret_is_not_repeated(reference: str) -> None:
    """A caller who passes the secret instead of its name gets an error without the secret."""
    with FakePinentry(["canary-1"] * 4) as pinentry, sandbox(pinentry):
        for call in (
            lambda: secret(reference),
            lambda: credential(reference),
            lambda: remember(reference, "canary-value"),
            lambda: forget(reference),
        ):
            with pytest.raises(BadReference) as caught:
                asyncio.run(call())
            assert "canary" not in str(caught.value) + caught.value.hint
            assert caught.value.hint
        assert pinentry.lines == []


@pytest.mark.parametrize("reference", ["", "A#", "#x", "env://", "A\n", "A\0B", None, 7])
def test_a_malformed_reference_is_an_error(reference: Any) -> None:
    """The error comes before anything is looked up."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        with pytest.raises(BadReference):
            asyncio.run(secret(reference))
        assert pinentry.lines == []


@pytest.mark.parametrize("value", ["yes", 1.5, object()])
def test_remember_rejects_other_values(value: Any) -> None:
    """Anything but True, False, ``"ask"`` or a timedelta is a TypeError."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        with pytest.raises(TypeError):
            asyncio.run(secret("A", remember=value))
        assert pinentry.lines == []


class Stars(str):
    """A text whose ``str()`` is another text, as that of some enums."""

    __slots__ = ()

    def __str__(self) -> str:
        return "**********"


class SecretStr:
    """As pydantic's."""

    def __str__(self) -> str:
        return "**********"


@pytest.mark.parametrize("value", [None, b"canary-1", bytearray(b"canary-1"), 5, SecretStr()])
def test_only_a_text_is_remembered(value: Any) -> None:
    """Not the ``str()`` of anything else: the stored secret stays, and the error has no value."""
    with sandbox() as here:
        asyncio.run(remember("A", "canary-good"))
        with pytest.raises(TypeError, match=f"not {type(value).__name__}") as caught:
            asyncio.run(remember("A", value))
        assert isinstance(caught.value, SecretlyError)
        assert caught.value.hint
        assert here.keychain.items == {("A", ME): "canary-good"}  # type: ignore[attr-defined]
        assert "canary-1" not in shown_by_secretly(caught.value)
        asyncio.run(remember("A", Stars("canary-stars")))
        assert asyncio.run(secret("A")) == "canary-stars"


def shown_by_secretly(error: BaseException) -> str:
    """The local variables of secretly's own frames in a traceback."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [f.locals for f in shown.stack if "/secretly/" in f.filename]
    assert ours
    return str(ours)


@pytest.mark.parametrize("value", ["canary-1\0", "canary-1\ud800", "op://canary-1"])
def test_a_refused_value_is_in_no_frame(value: str) -> None:
    """A traceback with locals doesn't show what ``remember`` refuses."""
    with sandbox(), pytest.raises(Refused) as caught:
        asyncio.run(remember("A", value))
    assert "canary" not in shown_by_secretly(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"username": b"ada"},
        {"prompt": 5},
        {"description": b"x"},
        {"confirm": "no"},
        {"verify": "x"},
    ],
)
def test_an_option_of_the_wrong_type_is_an_error(given: Any) -> None:
    """Before the user is asked; in each of the calls that has the option."""
    ((name, value),) = given.items()
    calls: list[Any] = [
        lambda: asyncio.run(secret("A", **given)),
        lambda: asyncio.run(credential("A", **given)),
        lambda: secretly.secret_sync("A", **given),
    ]
    if name == "username":
        calls.append(lambda: asyncio.run(remember("A", "canary-1", **given)))
        calls.append(lambda: asyncio.run(forget("A", **given)))
    elif name == "description":
        calls.append(lambda: asyncio.run(confirm("Sure?", **given)))
        calls.append(secretly.environment({"A": "A"}, **given).__enter__)
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        for call in calls:
            with pytest.raises(TypeError, match=f"{name} takes .*not {type(value).__name__}"):
                call()
        with pytest.raises(TypeError, match="question takes a text, not NoneType"):
            asyncio.run(confirm(None))  # type: ignore[arg-type]
        assert pinentry.lines == []


def test_a_storage_failure_is_logged_without_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    """The secret comes back, and a warning names what was not stored."""
    with (
        FakePinentry(["canary-1"]) as pinentry,
        sandbox(pinentry, MemoryKeychain(locked=True)),
        caplog.at_level(logging.DEBUG),
    ):
        assert asyncio.run(secret("A", remember=True)) == "canary-1"
    (record,) = [r for r in caplog.records if r.name == "secretly"]
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("A ")
    assert "locked" in record.getMessage()
    assert "canary" not in caplog.text


def test_the_prompt_says_that_the_keychain_is_locked() -> None:
    """secretly asks, and the prompt says why."""
    with (
        FakePinentry(["canary-1"]) as pinentry,
        sandbox(pinentry, MemoryKeychain(locked=True)),
    ):
        asyncio.run(secret("A"))
        assert pinentry.prompts[0]["SETERROR"] == wording.KEYCHAIN_LOCKED


def test_every_error_has_the_same_root() -> None:
    """Each kind has a message and a hint."""
    kinds = [getattr(secretly, name) for name in secretly.__all__]
    errors = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(errors) == 14
    for kind in errors:
        assert issubclass(kind, SecretlyError)
        error = kind("what happened", "what to do")
        assert (str(error), error.hint) == ("what happened", "what to do")


# -- credential --------------------------------------------------------------------


def test_the_user_name_of_a_credential() -> None:
    """The caller's, else the configured, else the one it was stored with, else the login name."""
    config = '[secrets.Conf]\nusername = "configured"\n'
    keychain = MemoryKeychain()
    with FakePinentry(["canary"] * 4) as pinentry, sandbox(pinentry, keychain, config=config):

        async def main() -> list[str]:
            return [
                (await credential("A", username="given", remember=True)).username,
                (await credential("Conf", remember=True)).username,
                (await credential("Conf", username="given")).username,
                (await credential("B", remember=True)).username,
                (await credential("A")).username,
                (await credential("B")).username,
                (await credential("PyPI/demo", username=None, timeout=1)).username,
            ]

        with pytest.raises(Cancelled):  # the fifth prompt has no answer
            asyncio.run(main())
        found = asyncio.run(credential("A"))
        assert found == Credential("given", Secret("canary"))
        assert asyncio.run(credential("Conf")).username == "configured"
        assert asyncio.run(credential("B")).username == ME
        assert set(keychain.items) == {("A", "given"), ("Conf", "configured"), ("B", ME)}


# -- confirm, remember, forget -----------------------------------------------------


def test_confirm_returns_the_answer() -> None:
    """Yes is True and No is False; cancelling is neither."""
    with FakePinentry([True, False, None]) as pinentry, sandbox(pinentry):
        assert asyncio.run(confirm("Delete it?", description="all of it")) is True
        assert asyncio.run(confirm("Delete it?")) is False
        with pytest.raises(Cancelled):
            asyncio.run(confirm("Delete it?"))
        first = pinentry.prompts[0]
        shown = unescape(first["SETDESC"].encode()).decode()
        assert shown == wording.asks(calling_program(), "Delete it?", "all of it")
        assert first["SETPROMPT"] == wording.TYPE_YES


def test_confirm_without_prompts_is_an_error() -> None:
    """It never returns Yes."""
    with FakePinentry([True]) as pinentry, sandbox(environ=pinentry.environ):
        with pytest.raises(NoPinentry) as caught:
            asyncio.run(confirm("Delete it?"))
        assert caught.value.hint
        assert pinentry.lines == []


def test_a_remembered_secret_is_found_and_forgotten() -> None:
    """``remember`` stores, ``secret`` finds, ``forget`` returns whether there was one."""
    with sandbox() as here:

        async def main() -> None:
            await remember("A", "canary-1")
            await remember("B", "canary-2", username="user")
            await remember("PyPI", "pypi-canary-3")
            assert await secret("A") == "canary-1"
            assert await credential("B") == ("user", "canary-2")
            assert await credential("PyPI") == ("__token__", "pypi-canary-3")
            assert await forget("A") is True
            assert await forget("A") is False
            assert await forget("B", username="other") is False
            assert await forget("B") is True
            assert await forget("B") is False

        asyncio.run(main())
        assert [item.name for item in here.stored_names.items()] == ["PyPI"]


def test_a_name_has_one_remembered_secret() -> None:
    """``remember`` deletes the secret of another user name, also one that is not on the list."""
    with sandbox() as here:

        async def main() -> None:
            for username in ("ada", "bob", None):
                await remember("A", f"canary-{username}", username=username)
                assert (await credential("A")).password == f"canary-{username}"
                assert [item.name for item in here.stored_names.items()] == ["A"]
            name_changes.remove(here.stored_names, "A", ME)
            await remember("A", "canary-eve", username="eve")
            name_changes.remove(here.stored_names, "A", "eve")
            with pytest.raises(SecretlyError):
                await secret("A")

        asyncio.run(main())


def test_a_typed_secret_is_stored_in_place_of_another() -> None:
    """Only with ``username=`` does a name have the secrets of several users."""
    with FakePinentry(["canary-ada", "canary-bob", "canary-new"]) as pinentry:
        config = "[secrets.A]\nusername = 'eve'\n"
        with sandbox(pinentry, config=config) as here:

            async def main() -> None:
                for username in ("ada", "bob"):
                    await secret("A", username=username, remember=True)
                for username in ("ada", "bob"):
                    assert await secret("A", username=username) == f"canary-{username}"
                assert await secret("A", remember=True) == "canary-new"
                assert [item.username for item in here.stored_names.items()] == ["eve"]

            asyncio.run(main())


def test_remember_and_forget_raise_if_the_keychain_is_unavailable() -> None:
    """A failure to store or to forget is an error, and the list stays empty."""
    for keychain, kind in (
        (MemoryKeychain(locked=True), KeychainLocked),
        (MemoryKeychain(absent=True), KeychainUnavailable),
    ):
        with sandbox(keychain=keychain) as here:
            for call in (lambda: remember("A", "canary-1"), lambda: forget("A")):
                with pytest.raises(KeychainUnavailable) as caught:
                    asyncio.run(call())
                assert type(caught.value) is kind
            assert here.stored_names.items() == []


@pytest.mark.parametrize("reference", ["env://TOKEN", "A#username"])
def test_only_plain_names_are_remembered(reference: str) -> None:
    """A reference with a scheme or a field is not a name in the keychain."""
    with sandbox():
        for call in (lambda: remember(reference, "canary-1"), lambda: forget(reference)):
            with pytest.raises(BadReference) as caught:
                asyncio.run(call())
            assert "canary" not in str(caught.value)


def test_references_take_variables_from_the_environment() -> None:
    """Each call reads the variables anew, and an unset variable is an error."""
    environ = {"STAGE": "A", "A": "canary-1", "B": "canary-2"}
    with sandbox(environ=environ):
        assert asyncio.run(secret("env://$STAGE")) == "canary-1"
        with pytest.raises(BadReference, match="NONE"):
            asyncio.run(secret("env://$NONE"))
    with sandbox(environ={**environ, "STAGE": "B"}):
        assert asyncio.run(secret("env://${STAGE}")) == "canary-2"


def test_our_own_scheme_names_a_stored_secret() -> None:
    """``secretly://NAME`` means the same secret as ``NAME``."""
    with sandbox():
        asyncio.run(remember("Example", "canary-1"))
        assert asyncio.run(secret("secretly://Example")) == "canary-1"


# -- concurrent calls, in asyncio --------------------------------------------------


def test_a_hundred_calls_are_one_prompt() -> None:
    """Concurrent calls for the same secret share the prompt and its answer."""
    with FakePinentry([[("wait", 0.1), *typed("pypi-canary-1")]]) as pinentry, sandbox(pinentry):

        async def main() -> list[Secret]:
            return await asyncio.gather(*(secret("PyPI") for _ in range(100)))

        assert asyncio.run(main()) == ["pypi-canary-1"] * 100
        assert len(pinentry.prompts) == 1


def typed(text: str) -> list[Any]:
    """The actions of a pinentry in which the user types this."""
    return [("raw", b"D " + text.encode() + b"\nOK\n")]


def test_a_shared_prompt_shows_the_first_calls_texts() -> None:
    """Several calls share a prompt; the first one's texts are shown."""
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):

        async def main() -> None:
            await asyncio.gather(secret("A", description="first"), secret("A", description="2nd"))

        asyncio.run(main())
        (prompt,) = pinentry.prompts
        assert prompt["SETDESC"].endswith("first")


def test_a_shared_prompts_failure_reaches_each_call() -> None:
    """If the user cancels, each call raises it."""
    with FakePinentry([None]) as pinentry, sandbox(pinentry):

        async def main() -> list[Any]:
            calls = (secret("A") for _ in range(20))
            return await asyncio.gather(*calls, return_exceptions=True)

        assert {type(found) for found in asyncio.run(main())} == {Cancelled}
        assert len(pinentry.prompts) == 1


def test_different_secrets_are_asked_for_one_after_another() -> None:
    """Other user names, names and verifiers have prompts of their own, one at a time."""
    slow = [[("wait", 0.05), *typed(f"canary-{n}")] for n in range(4)]
    with FakePinentry(slow) as pinentry, sandbox(pinentry):

        async def main() -> list[Secret]:
            return await asyncio.gather(
                secret("A", username="one"),
                secret("A", username="two"),
                secret("B"),
                secret("A", username="one", verify=lambda value: True),
            )

        assert sorted(asyncio.run(main())) == [f"canary-{n}" for n in range(4)]
        one_after_another(pinentry, 4)


def one_after_another(pinentry: FakePinentry, count: int) -> None:
    """Each prompt had ended before the next one began."""
    order = [verb for verb in verbs(pinentry) if verb in ("SETDESC", "GETPIN", "BYE")]
    assert order == ["SETDESC", "GETPIN", "BYE"] * count


def test_threads_take_turns_as_well() -> None:
    """Event loops in several threads ask one after another."""
    slow = [[("wait", 0.05), *typed(f"canary-{n}")] for n in range(4)]
    found: list[str] = []
    with FakePinentry(slow) as pinentry, sandbox(pinentry):

        def ask() -> None:
            found.append(asyncio.run(secret("A")))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(found) == [f"canary-{n}" for n in range(4)]
        one_after_another(pinentry, 4)


def test_a_shared_prompt_ends_with_its_last_waiter() -> None:
    """Cancelling some calls leaves the prompt to the others; cancelling the last ends pinentry."""
    with FakePinentry([[("hang", False)]]) as pinentry, sandbox(pinentry):

        async def main() -> None:
            tasks = [asyncio.ensure_future(secret("A")) for _ in range(3)]
            while not pinentry.prompts:
                await asyncio.sleep(0.01)
            for task in tasks[:2]:
                task.cancel()
            await asyncio.wait(tasks[:2])
            assert all(task.cancelled() for task in tasks[:2])
            assert len(running(pinentry.path)) == 1
            assert not tasks[2].done()
            tasks[2].cancel()
            await asyncio.wait(tasks[2:])
            assert tasks[2].cancelled()
            assert running(pinentry.path) == []

        asyncio.run(main())


def test_a_call_that_asks_to_confirm_or_store_is_not_shared() -> None:
    """Another call of the same name, under way, has neither *confirm* nor *remember*."""
    with FakePinentry([False, "canary-2", "canary-3"]) as pinentry, sandbox(pinentry) as here:

        async def main() -> list[Any]:
            await remember("A", "canary-1")
            calls = (secret("A"), secret("A", confirm=True))
            found = await asyncio.gather(*calls, return_exceptions=True)
            return found + await asyncio.gather(secret("B"), secret("B", remember=True))

        plain, asked, *typed = asyncio.run(main())
        assert (plain, type(asked)) == ("canary-1", secretly.NotConfirmed)
        assert sorted(typed) == ["canary-2", "canary-3"]
        assert here.keychain.items["B", ME] == typed[1]  # type: ignore[attr-defined]


def test_a_shorter_time_ends_no_other_call() -> None:
    """A call that started the first prompt runs out of time; the others are asked."""
    with FakePinentry([[("hang", False)], "canary-1"]) as pinentry, sandbox(pinentry):

        async def main() -> list[Any]:
            late = asyncio.ensure_future(secret("A", timeout=1.0))
            while not pinentry.prompts:
                await asyncio.sleep(0.01)
            return await asyncio.gather(late, secret("A"), secret("A"), return_exceptions=True)

        late, *found = asyncio.run(main())
        assert type(late) is PromptTimeout
        assert found == ["canary-1"] * 2
        assert len(pinentry.prompts) == 2


def test_a_call_with_less_time_keeps_its_own_time() -> None:
    """It ends with its own *timeout*; the prompt goes on for the first call."""
    with FakePinentry([[("hang", False)]]) as pinentry, sandbox(pinentry):

        async def main() -> None:
            first = asyncio.create_task(secret("X", timeout=DEADLINE))
            while not pinentry.prompts:
                await asyncio.sleep(0.01)
            with pytest.raises(PromptTimeout) as caught:
                await secret("X", timeout=0.3)
            assert caught.value.hint
            assert not first.done()
            assert len(running(pinentry.path)) == 1
            first.cancel()
            await asyncio.wait([first])

        asyncio.run(main())
        assert len(pinentry.prompts) == 1


def test_a_new_call_after_a_cancelled_one_is_a_new_prompt() -> None:
    """The next call asks anew, and gets its own answer."""
    with FakePinentry([[("hang", False)], "canary-2"]) as pinentry, sandbox(pinentry):

        async def main() -> Secret:
            first = asyncio.ensure_future(secret("A"))
            while not pinentry.prompts:
                await asyncio.sleep(0.01)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            return await secret("A")

        assert asyncio.run(main()) == "canary-2"


def test_the_first_waiter_may_leave() -> None:
    """The call that started the prompt may be cancelled; the others get the answer."""
    answers = [[("wait", 0.3), *typed("canary-1")]]
    with FakePinentry(answers) as pinentry, sandbox(pinentry):

        async def main() -> Secret:
            first = asyncio.ensure_future(secret("A"))
            second = asyncio.ensure_future(secret("A"))
            while not pinentry.prompts:
                await asyncio.sleep(0.01)
            first.cancel()
            return await second

        assert asyncio.run(main()) == "canary-1"
        assert len(pinentry.prompts) == 1


# -- under a real reactor ----------------------------------------------------------


def in_twisted(body: str, *answers: Any, prelude: str = "", **environ: str) -> dict[str, Any]:
    """Run the body of a coroutine under ``react`` in a process of its own.

    It has ``pinentry``, which gives the answers, ``here``, ``keychain`` and
    ``out``, a dictionary that it fills and that comes back.
    """
    script = f"""
import json, sys
from twisted.internet import defer, task
from secretly import *  # the function of the module's name among them
import secretly
from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.resolving.request import calling_program
from secretly.testing import FakePinentry, MemoryKeychain, sandbox
out = {{}}
keychain = MemoryKeychain()
{textwrap.dedent(prelude)}
async def main(reactor):
{textwrap.indent(textwrap.dedent(body), "    ")}
with FakePinentry({answers!r}) as pinentry, sandbox(pinentry, keychain) as here:
    try:
        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    except SystemExit as end:
        out["exit"] = end.code
    out["prompts"] = pinentry.prompts
    out["lines"] = [line.decode() for line in pinentry.lines]
    out["items"] = [[*key, str(value)] for key, value in keychain.items.items()]
    out["listed"] = [item.name for item in here.stored_names.items()]
print(json.dumps(out))
"""
    with quick() as home:
        done = home.run_code(script, {**os.environ, **environ}, loaded=TWISTED)
    assert (done.status, done.stderr) == (0, ""), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("exit") in (0, None)
    return found


def test_a_hundred_calls_are_one_prompt_in_twisted() -> None:
    """Under a reactor, concurrent calls share a prompt too."""
    found = in_twisted(
        """
        calls = [defer.ensureDeferred(secret("PyPI")) for _ in range(100)]
        out["found"] = await defer.gatherResults(calls)
        """,
        [("wait", 0.1), *typed("pypi-canary-1")],
    )
    assert found["found"] == ["pypi-canary-1"] * 100
    assert len(found["prompts"]) == 1


def test_different_user_names_are_two_prompts_in_twisted() -> None:
    """One prompt at a time."""
    found = in_twisted(
        """
        calls = [defer.ensureDeferred(secret("A", username=name)) for name in ("one", "two")]
        out["found"] = await defer.gatherResults(calls)
        """,
        [("wait", 0.1), *typed("canary-1")],
        "canary-2",
    )
    assert found["found"] == ["canary-1", "canary-2"]
    order = [line.split()[0] for line in found["lines"]]
    assert [v for v in order if v in ("SETDESC", "GETPIN", "BYE")] == [
        "SETDESC",
        "GETPIN",
        "BYE",
    ] * 2


def test_a_shared_prompt_ends_with_its_last_waiter_in_twisted() -> None:
    """Cancelling a Deferred ends its waiting; cancelling the last one ends pinentry."""
    found = in_twisted(
        """
        import sys
        from test_api import running
        calls = [defer.ensureDeferred(secret("A")) for _ in range(3)]
        ended = []
        for call in calls:
            call.addErrback(lambda failure: ended.append(failure.type.__name__))
        while not pinentry.prompts:
            await task.deferLater(reactor, 0.01)
        calls[0].cancel()
        calls[1].cancel()
        await task.deferLater(reactor, 0.1)
        out["after two"] = [list(ended), len(running(pinentry.path))]
        calls[2].cancel()
        await calls[2]
        out["after three"] = [list(ended), len(running(pinentry.path))]
        """,
        [("hang", False)],
        PYTHONPATH=os.path.dirname(__file__),
    )
    assert found["after two"] == [["CancelledError"] * 2, 1]
    assert found["after three"] == [["CancelledError"] * 3, 0]


def test_verify_may_return_a_deferred() -> None:
    """Under a reactor, ``verify`` may wait with a Deferred."""
    found = in_twisted(
        """
        def verify(value):
            return task.deferLater(reactor, 0.01, lambda: value == "canary-2")
        out["found"] = await secret("A", verify=verify, remember=True)
        """,
        "canary-1",
        "canary-2",
    )
    assert found["found"] == "canary-2"
    assert found["prompts"][1]["SETERROR"] == wording.NOT_ACCEPTED
    assert [item[2] for item in found["items"]] == ["canary-2"]


# -- the first secretly's call -----------------------------------------------------


def test_the_first_call_stores_a_password_that_worked() -> None:
    """It asks, calls the action, stores the password after success, and returns the result."""
    found = in_twisted(
        """
        def action(password):
            out.setdefault("given", []).append([str(password), len(keychain.items)])
            return task.deferLater(reactor, 0.01, lambda: "result")
        for _ in range(2):
            call = secretly.secretly(reactor, action, "system", "user", "Password for it:")
            assert isinstance(call, defer.Deferred)
            out.setdefault("result", []).append(await call)
        """,
        "canary-1",
    )
    # It is stored after its first use; the second call does not ask.
    assert found["given"] == [["canary-1", 0], ["canary-1", 1]]
    assert found["result"] == ["result", "result"]
    assert found["items"] == [["system", "user", "canary-1"]]
    assert found["listed"] == ["system"]
    assert [prompt["SETPROMPT"] for prompt in found["prompts"]] == ["Password for it:"]


@pytest.mark.parametrize("how", ["raise KeyError('mine')", "return defer.fail(KeyError('mine'))"])
def test_the_first_call_stores_nothing_after_a_failure(how: str) -> None:
    """The action's error is the Deferred's, and the next call asks again."""
    found = in_twisted(
        f"""
        def action(password):
            {how}
        for _ in range(2):
            try:
                await secretly.secretly(reactor, action, "system", "user")
            except KeyError as error:
                out.setdefault("errors", []).append(error.args)
        """,
        "canary-1",
        "canary-2",
    )
    assert found["errors"] == [["mine"], ["mine"]]
    assert found["items"] == []
    assert found["listed"] == []
    assert [prompt["SETPROMPT"] for prompt in found["prompts"]] == ["Password:"] * 2


def test_the_first_calls_defaults() -> None:
    """The name is the action's module or the program, the user name the login name."""
    found = in_twisted(
        """
        await secretly.secretly(reactor, action)
        """,
        "canary-1",
        prelude="""
        def action(password):
            return len(password)
        """,
    )
    ((name, user, value),) = found["items"]
    assert (os.path.isabs(name), os.path.basename(name)) == (True, "-c")
    assert (user, value) == (ME, "canary-1")
    assert found["prompts"][0]["SETPROMPT"] == "Password:"


def test_the_first_call_survives_an_unavailable_keychain() -> None:
    """A failure to store is noted, and the result comes back."""
    found = in_twisted(
        """
        import logging
        notes = []
        class Notes(logging.Handler):
            def emit(self, record):
                notes.append(record.getMessage())
        logging.getLogger("secretly").addHandler(Notes())
        out["result"] = await secretly.secretly(reactor, len, "system", "user")
        out["notes"] = notes
        """,
        "canary-1",
        prelude="keychain = MemoryKeychain(locked=True)",
    )
    assert found["result"] == 8
    (note,) = found["notes"]
    assert "system" in note


def test_the_first_call_can_be_cancelled() -> None:
    """Cancelling its Deferred ends the prompt; the action is never called."""
    found = in_twisted(
        """
        call = secretly.secretly(reactor, out.setdefault, "system", "user")
        while not pinentry.prompts:
            await task.deferLater(reactor, 0.01)
        call.cancel()
        try:
            await call
        except defer.CancelledError:
            out["cancelled"] = True
        """,
        [("hang", False)],
    )
    assert found["cancelled"]
    assert found["items"] == []


def test_no_pinentry_outlives_these_tests() -> None:
    """Each process that these tests started has ended."""
    Quick.end()  # what quick homes fork from stays for the next tests
    wait_until(lambda: not mine())


def mine() -> list[str]:
    """The children of this process that still run."""
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("reference", ["A", "A#x"])
def test_a_failed_remember_shows_no_secret_in_a_traceback(reference: str) -> None:
    """Not even in one that has the local variables, as error reports do."""
    with sandbox(keychain=MemoryKeychain(absent=True)):
        with pytest.raises(SecretlyError) as caught:
            asyncio.run(secretly.remember(reference, "canary-kept"))
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [frame for frame in shown.stack if "/secretly/api/" in frame.filename]
    assert ours
    assert "canary-kept" not in str([frame.locals for frame in ours])


@pytest.mark.parametrize(
    "value",
    ["canary\0kept", "", "-----BEGIN PRIVATE KEY-----", "{", "op://V/canary/f", "\udcff\ud800"],
)
def test_remember_refuses_what_no_command_can_use(value: str) -> None:
    """A NUL byte ends a variable. A command can't use half a key, or a reference."""
    with sandbox() as here, pytest.raises(Refused) as caught:
        asyncio.run(secretly.remember("A", value))
    assert "canary" not in f"{caught.value} {caught.value.hint}"
    assert here.stored_names.items() == []


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "name"),
    [(["-m", "pk"], "pk"), (["-m", "pk.part"], "pk.part"), (["pk/part.py"], "part.py")],
)
def test_a_prompt_names_the_program_that_asks(words: list[str], name: str, tmp_path: Path) -> None:
    """A package by its name, a script by its file, and code on the command line as Python."""
    code = "from secretly.resolving.request import calling_program; print(calling_program())"
    (tmp_path / "pk").mkdir()
    for file in ("__init__", "__main__", "part"):
        (tmp_path / "pk" / f"{file}.py").write_text("" if file == "__init__" else code)
    without = f"import sys; del sys.argv; {code}"
    for arguments, expected in (
        (words, name),
        (["-c", code], "Python"),
        (["-c", without], "Python"),
    ):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.stdout == f"{expected}\n", done.stderr
