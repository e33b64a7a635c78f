"""The canary test: a known secret is found nowhere but where it was sent.

It is pushed through success, cancel and forced failures of the library, under
asyncio and under Twisted, and of the command, while everything that could write
it down does: debug logs, captured locals, Twisted's text and JSON logs, and more.

Started as a program, this file is the library's caller: see :func:`drive`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import faulthandler
import functools
import gc
import hashlib
import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import command
import pytest
import sealed
from command import Ended, Warm, children
from conftest import need
from tokens import token, wheel

from secretly import credential, environment, forget, remember, secret, secret_sync
from secretly.asking import assuan, upload_wording, wording
from secretly.asking.questions import Patience
from secretly.asking.terminal import Terminal
from secretly.config.command_line import recognize
from secretly.config.model import Entry
from secretly.errors import KeychainUnavailable, Refused, SecretlyError
from secretly.keeping import keychain
from secretly.keeping.keychain import Keychain
from secretly.publishing.archives import Distribution
from secretly.publishing.destination import Destination
from secretly.publishing.pypi_token import narrow, token_scope
from secretly.publishing.release import Release
from secretly.publishing.upload import upload_of
from secretly.redacted import Secret
from secretly.reference import Reference
from secretly.resolving import storing
from secretly.resolving.candidates import username_for
from secretly.resolving.obtain import obtain
from secretly.resolving.request import Context, SecretRequest
from secretly.running import launch
from secretly.running.delivery import Delivery, Environment, PreparedRun
from secretly.running.derived import UsernameOf
from secretly.running.obtaining import obtain_values
from secretly.testing import FakePinentry, MemoryKeychain, sandbox
from secretly.testing.pinentry import Answer
from secretly.waiting import requests, tasks

pytestmark = [pytest.mark.process, pytest.mark.outside]

# -- the canary, and every shape of it ---------------------------------------------


#: What the tokens of these scenarios are restricted to.
RESTRICTED: dict[str, Any] = {
    "token, typed for another project": [1, ["another"]],
    "token, stored for another project": [1, ["another"]],
    "token, narrowed to another project": [1, ["another"]],
    "token, stored and expired": [0, 5, 0],
    "token, narrowed and expired": [0, 5, 0],
    "token, stored and restricted by invalid JSON": [1, ["demo"]],
    "token, shown": [1, ["demo"]],
}


def is_token(name: str) -> bool:
    """Whether the scenario's canary is a token that an index made, to be narrowed."""
    return name.startswith("token")


def signature(name: str) -> bytes:
    """What a token has that no token narrowed from it has."""
    text = canary(name).removeprefix("pypi-")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[-32:]


def core(name: str) -> str:
    """What each canary has in it and nothing else has: letters that no escaping changes."""
    if is_token(name):
        return canary(name)[-40:-12]  # of the signature; one that was cut short has it still
    return hashlib.sha256(name.encode()).hexdigest()[:20]


@functools.cache
def canary(name: str) -> Secret:
    """A token of its own for each scenario, with what percent-escapes, quotes and UTF-8 touch.

    One that secretly narrows is well-formed instead.
    """
    if is_token(name):
        caveats = [RESTRICTED[name]] if name in RESTRICTED else []
        return Secret(token("pypi.example", *caveats, identifier=f"canary {name}"))
    return Secret(f"pypi-canary-{core(name)}%é\"'")


@functools.cache
def shapes(name: str) -> list[bytes]:
    """The canary as it is (and so percent-encoded, escaped or in a repr), base64 and hex."""
    found = []
    for plain in [core(name).encode(), *([signature(name)] if is_token(name) else [])]:
        found += [plain, plain[::-1], plain.hex().encode(), repr(plain)[2:-1].encode()]
        found.append(plain.decode("latin-1").encode("utf-16-le"))
        for offset in range(3):
            whole = b"x" * offset + plain
            found.append(base64.b64encode(whole[: len(whole) // 3 * 3])[4:])
            found.append(base64.urlsafe_b64encode(whole[: len(whole) // 3 * 3])[4:])
    return list(dict.fromkeys(found))


def found_in(data: bytes, name: str) -> bool:
    """Whether a canary is in these bytes, in any shape."""
    return any(shape in data for shape in shapes(name))


@pytest.mark.parametrize(
    "written",
    [
        lambda c: c.encode(),
        lambda c: repr(str(c)).encode(),
        lambda c: repr(c.encode()).encode(),
        lambda c: json.dumps(str(c)).encode(),
        lambda c: c.encode().replace(b"%", b"%25"),
        lambda c: base64.b64encode(c.encode()),
        lambda c: base64.b64encode(b"user:" + c.encode()),
        lambda c: base64.urlsafe_b64encode(b"__token__:" + c.encode()),
        lambda c: c.encode().hex().encode(),
        lambda c: c[::-1].encode(),
        lambda c: c.encode("utf-16"),
    ],
)
def test_a_canary_is_found_in_whatever_shape(written: Callable[[Secret], bytes]) -> None:
    """The search finds it raw, percent-encoded, quoted, in base64 at any offset, in hex."""
    for name in ("shape", "token"):
        assert found_in(b"before " + written(canary(name)) + b" after", name)
        assert not found_in(b"before " + written(canary(f"{name}s")) + b" after", name)


def test_a_narrowed_token_is_not_the_long_lived_one() -> None:
    """The search finds the token itself and its signature alone, but none narrowed from it."""
    name = "token, shown"
    weaker = narrow(canary(name), expires=100, projects=["demo"])
    assert not found_in(weaker.encode(), name)
    assert not found_in(base64.b64encode(b"__token__:" + weaker.encode()), name)
    assert found_in(signature(name), name)
    assert found_in(repr([b"x", signature(name)]).encode(), name)
    assert found_in(canary(name)[:-10].encode(), name)


# -- the library's scenarios -------------------------------------------------------

Work = Callable[[Secret, Context], Awaitable[object]]


async def ask(c: Secret, here: Context) -> object:
    """Ask for a secret that is kept nowhere."""
    return await secret("A", timeout=20)


async def ask_briefly(c: Secret, here: Context) -> object:
    """Ask, and have little time."""
    return await secret("A", timeout=3)


async def ask_for_a_token(c: Secret, here: Context) -> object:
    """Ask for one that must start with 'pypi-'."""
    return await secret("PyPI", timeout=60, remember=True)


async def ask_and_keep(c: Secret, here: Context) -> object:
    """Ask for one, and keep it."""
    return [await secret("A", timeout=20, remember=True), await credential("A")]


async def ask_twice(c: Secret, here: Context) -> object:
    """Ask for a new one, to be typed twice."""
    return await obtain(SecretRequest(Reference("", "A"), repeat=True, prompt_timeout=60), here)


def verified(verify: Callable[[Secret], Any]) -> Work:
    """Ask for one that is tried."""

    async def work(c: Secret, here: Context) -> object:
        return await secret("A", timeout=60, verify=verify, remember=True)

    return work


def raising(value: Secret) -> bool:
    """A ``verify`` that cannot tell."""
    raise LookupError("the server is away")


async def raising_later(value: Secret) -> bool:
    """One that cannot tell after a while."""
    await requests.sleep(0.01)
    raise LookupError("the server is away")


def not_ascii(value: Secret) -> bool:
    """One that trips over the secret itself."""
    return bool(value.encode("ascii"))


def not_a_number(value: Secret) -> bool:
    """One whose error repeats what it was given."""
    return bool(int(value))


async def shared(c: Secret, here: Context) -> object:
    """Several callers of one prompt."""
    return await tasks.gather(*(secret("A", timeout=60) for _ in range(5)))


async def remembered(c: Secret, here: Context) -> object:
    """Keep, find and forget it."""
    await remember("A", c)
    return [await secret("A"), await forget("A")]


async def sealed_and_opened(c: Secret, here: Context) -> object:
    """Keep it sealed, and open it with the passphrase."""
    sealed.put_identity(Path(here.environ["HOME"], ".local/share"))
    user = username_for(None, Entry("A"))
    await storing.store_secret(Entry("A"), c, user, here, sealed=True)
    return await secret("A", timeout=20)


async def ask_for_longer(c: Secret, here: Context) -> object:
    """Ask, and have time."""
    return await secret("A", timeout=20, remember=True)


async def not_accepted(c: Secret, here: Context) -> object:
    """Take it from a variable, and refuse it."""
    return await secret("env://TOKEN", verify=lambda value: False)


async def ask_and_wait_a_little(c: Secret, here: Context) -> object:
    """Ask, and give the keychain as little time as the user."""
    return await secret("A", timeout=4, remember=True)


async def remember_text(c: Secret, here: Context) -> object:
    """Keep what is a plain text to the caller, where that fails."""
    return await remember("A", str(c))


async def remember_only(c: Secret, here: Context) -> object:
    """Keep it, where that fails."""
    return await remember("A", c)


def in_a_thread(verify: Callable[[Secret], Any]) -> Work:
    """Ask for one as a program that is not async does, and try it."""

    async def work(c: Secret, here: Context) -> object:
        return await requests.in_thread(lambda: secret_sync("A", timeout=20, verify=verify), 30)

    return work


async def lent(c: Secret, here: Context) -> object:
    """Lend it to a child that fails."""
    async with environment({"TOKEN": "A"}, timeout=20):
        raise LookupError("the child is away")


async def stored_with_consent(c: Secret, here: Context) -> object:
    """Use a stored one that needs consent."""
    await remember("A", c)
    return await secret("A", confirm=True, timeout=60)


async def stored_and_refused(c: Secret, here: Context) -> object:
    """Use a stored one that is not accepted."""
    await remember("A", c)
    return await secret("A", verify=lambda value: False, timeout=60)


async def stored_and_no_token(c: Secret, here: Context) -> object:
    """Use a stored one that does not start as it must."""
    await remember("PyPI", Secret(c[1:]))
    return await secret("PyPI", timeout=60)


def from_a_file(text: Callable[[Secret], bytes], mode: int = 0o600) -> Work:
    """Take it from a file outside the folders that are searched."""

    async def work(c: Secret, here: Context) -> object:
        with tempfile.TemporaryDirectory(dir=os.environ["ELSEWHERE"]) as folder:
            path = Path(folder, "token")
            path.write_bytes(text(c))
            path.chmod(mode)
            return await obtain(SecretRequest(Reference("file", os.fspath(path))), here)

    return work


def executed(value: Callable[[Secret], str], program: str = "/bin/true") -> Work:
    """Hand it to a program that cannot be started."""

    async def work(c: Secret, here: Context) -> object:
        launch.execute(launch.Launch(program, [program], environ={"TOKEN": Secret(value(c))}))
        raise AssertionError("it was started")

    return work


#: What is uploaded where, in the scenarios with a token.
RELEASE = Release(
    "twine",
    Destination("pypi", "PyPI"),
    (Distribution("demo-1.0.tar.gz", 1000, "0" * 64, "demo", "1.0", (1,)),),
)


def upload(
    given: Callable[[Secret], str] = str,
    *,
    stored: bool = True,
    release: Release = RELEASE,
    plan: launch.Launch | None = None,
) -> Work:
    """Narrow one for a publishing command: that is stored so, or typed; and run it, maybe."""

    async def work(c: Secret, here: Context) -> object:
        if stored:
            await remember("PyPI", Secret(given(c)))
        request = SecretRequest(
            Reference("", "PyPI"),
            publishes=True,
            inspect=release.inspect,
            prompt_timeout=60,
            purpose="x",
        )
        deliveries = (
            Delivery(request, Environment("TWINE_PASSWORD")),
            Delivery(UsernameOf(request), Environment("TWINE_USERNAME")),
        )
        before = plan or launch.Launch("/bin/true", ["true"])
        prepared = PreparedRun(before, deliveries, release)
        ready = await obtain_values(prepared, here, logging.debug)
        if plan is not None:
            launch.execute(ready)
        return ready

    return work


def cut(c: str) -> str:
    """A token of which the end was not copied."""
    return c[:-10]


def respelt(before: bytes, after: bytes) -> Callable[[str], str]:
    """A token with other bytes in it."""

    def given(c: str) -> str:
        data = base64.urlsafe_b64decode(c[5:] + "=" * (-len(c[5:]) % 4))
        assert before in data
        return "pypi-" + base64.urlsafe_b64encode(data.replace(before, after)).decode()

    return given


def settings(command: str, text: bytes) -> Work:
    """Look for the index in a settings file with the canary in it, ``{c}``, that is broken."""

    async def work(c: Secret, here: Context) -> object:
        with tempfile.TemporaryDirectory(dir=os.environ["ELSEWHERE"]) as folder:
            path = Path(folder, "settings")
            path.write_bytes(text.replace(b"{c}", c.encode()))
            call = recognize([*command.split(), os.fspath(path)], here.configuration)
            assert call is not None
            upload = upload_of(call, here.environ)
            return upload and upload.destination

    return work


def was_changed() -> None:
    """Look at the files again."""
    raise Refused("dist/demo-1.0.tar.gz was changed since it was shown", "look at it")


class Full(MemoryKeychain):
    """A keychain that cannot keep anything more."""

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Fail."""
        raise KeychainUnavailable("the disk is full", "empty it")


def planted(kind: str) -> Keychain:
    """The real keychain on a backend that fails in its own way; see :data:`BACKEND`."""
    name = f"canary_backend.{kind}"
    return Keychain({**os.environ, "PYTHON_KEYRING_BACKEND": name}, (name,))


#: Backends that repeat the secret in their errors and locals, as careless ones do.
BACKEND = """
import time
import keyring.backend
class Base(keyring.backend.KeyringBackend):
    priority = 1
    def __init_subclass__(cls):
        super().__init_subclass__()
        cls.kept = {}
    def get_password(self, service, username):
        return self.kept.get((service, username))
    def set_password(self, service, username, password):
        self.kept[service, username] = password
class Talking(Base):
    def set_password(self, service, username, password):
        plain = password.encode()
        raise RuntimeError(f"cannot keep {plain!r} and {str(password)}")
class TalkingGet(Base):
    def get_password(self, service, username):
        found = self.kept[service, username]
        raise ValueError("module " + str(found))
class Binary(Base):
    def get_password(self, service, username):
        return (str(self.kept[service, username]).encode() + b"\\xff").decode()
class Hanging(Base):
    def set_password(self, service, username, password):
        plain = str(password)
        time.sleep(3600)
class Late(Base):
    def set_password(self, service, username, password):
        plain = str(password)
        time.sleep(4.3)
        raise RuntimeError(plain)
"""


def typing(*texts: Callable[[str], str]) -> Callable[[Secret], Sequence[Answer]]:
    """A user who types these texts made of the canary; by default the canary itself."""
    return lambda c: [text(str(c)) for text in texts or (str,)]


_TYPED = typing()


def says(*actions: Any) -> Callable[[Secret], Sequence[Answer]]:
    """A pinentry that does these actions; ``{D}`` is the line with the canary, ``{c}`` itself."""

    def made(c: Secret) -> Sequence[Answer]:
        plain = str(c).encode()
        line = b"D " + plain.replace(b"%", b"%25") + b"\n"
        return [
            [
                (kind, value.replace(b"{D}", line).replace(b"{c}", plain))
                if isinstance(value, bytes)
                else (kind, value)
                for kind, value in actions
            ]
        ]

    return made


@dataclass(frozen=True)
class Scenario:
    """One way through the library.

    :param outcome: the name of the error that ends it, and of those that it came from;
        ``""`` for none.
    :param named: what the error and its hint have in them, and no other error of that type.
    :param prompts: how often the user is asked.
    :param cancel: cancel it once the prompt has got its answer so far.
    :param exported: the caller's own environment has the canary as well.
    """

    outcome: str
    answers: Callable[[Secret], Sequence[Answer]] = _TYPED
    work: Work = ask
    named: tuple[str, ...] = ()
    prompts: int = 1
    keychain: Callable[[], Any] = MemoryKeychain
    flavor: str = "gtk2"
    cancel: bool = False
    exported: bool = False


def refusal(read: Callable[..., object], *given: object) -> str:
    """What a parser says of something, to know its error by."""
    with pytest.raises(SecretlyError) as caught:
        read(*given)
    return str(caught.value)


def nonsense(data: bytes) -> tuple[str, ...]:
    """What is said of a pinentry that sends this."""
    return (refusal(assuan.Reader().feed, data),)


def bad_token(given: str) -> tuple[str, ...]:
    """What is said of this token, stored as the one for PyPI."""
    return (f"PyPI: {refusal(token_scope, given)}",)


GONE = "PinentryFailed"
DIED = ("pinentry-gtk-fake", "secretly doctor")
#: The hint, and nothing else, is to store another token.
EXPIRED = ("expired", "run: secretly set PyPI\n")
BROKEN_JSON = respelt(b'["demo"]', b'["demo"}')(token("pypi.example", [1, ["demo"]]))
MALFORMED = refusal(token_scope, cut(canary("token")))
LIBRARY: dict[str, Scenario] = {
    # success
    "typed": Scenario(""),
    "typed as a token": Scenario("", typing(lambda c: f" {c}\n"), ask_for_a_token),
    "typed and kept": Scenario("", work=ask_and_keep),
    "typed slowly": Scenario("", says(("drip", b"{D}OK\n"))),
    "in two lines": Scenario("", says(("raw", b"D pypi-\nD {c}\nOK\n"))),
    "in a status": Scenario("", says(("raw", b"S {c}\n{D}OK\n"))),
    "in an inquiry": Scenario("", says(("raw", b"INQUIRE QUALITY {c}\n{D}OK\n"))),
    "in a comment": Scenario("", says(("raw", b"# {c}\n{D}OK\n"))),
    "twice the same": Scenario("", typing(str, str), ask_twice, prompts=2),
    "accepted": Scenario("", work=verified(lambda value: True)),
    "accepted the second time": Scenario(
        "", typing(str, lambda c: f"{c}2"), verified(lambda value: value.endswith("2")), prompts=2
    ),
    "asked by several": Scenario("", work=shared),
    "asked in a thread": Scenario("", work=in_a_thread(lambda value: True)),
    "kept and forgotten": Scenario("", work=remembered, prompts=0),
    "stored, with consent": Scenario("", lambda c: [True], stored_with_consent),
    "sealed": Scenario("", lambda c: [sealed.PASSPHRASE], sealed_and_opened),
    "kept by no keychain": Scenario("", work=ask_for_longer, keychain=lambda: Full()),
    "from a file": Scenario("", work=from_a_file(str.encode), prompts=0),
    # cancel
    "cancelled after it was typed": Scenario(
        "Cancelled", says(("raw", b"{D}ERR 83886179 cancelled\n"))
    ),
    "cancelled at the second prompt": Scenario(
        "Cancelled", typing(lambda c: c[1:]), ask_for_a_token, prompts=2
    ),
    "cancelled at the repetition": Scenario("Cancelled", work=ask_twice, prompts=2),
    "no passphrase": Scenario("Cancelled", lambda c: [None], sealed_and_opened),
    "no consent": Scenario("NotConfirmed", lambda c: [False], stored_with_consent),
    "consent cancelled": Scenario("Cancelled", lambda c: [None], stored_with_consent),
    "its task cancelled": Scenario(
        "CancelledError", says(("raw", b"{D}"), ("hang", False)), cancel=True
    ),
    "its task cancelled in mid-line": Scenario(
        "CancelledError", says(("raw", b"D {c}"), ("hang", False)), cancel=True
    ),
    # forced failures
    "killed after it was typed": Scenario(GONE, says(("raw", b"{D}"), ("kill", 9)), named=DIED),
    "killed in mid-line": Scenario(GONE, says(("raw", b"D {c}"), ("kill", 9)), named=DIED),
    "terminated after it was typed": Scenario(
        GONE, says(("raw", b"{D}"), ("kill", 15)), named=DIED
    ),
    "crashed after it was typed": Scenario(GONE, says(("raw", b"{D}"), ("kill", 11)), named=DIED),
    "exit 0 after it was typed": Scenario(GONE, says(("raw", b"{D}"), ("exit", 0)), named=DIED),
    "exit 1 after it was typed": Scenario(GONE, says(("raw", b"{D}"), ("exit", 1)), named=DIED),
    "exit 2 in mid-line": Scenario(GONE, says(("drip", b"D {c}"), ("exit", 2)), named=DIED),
    "hangs after it was typed": Scenario(
        "PromptTimeout", says(("raw", b"{D}"), ("hang", False)), ask_briefly
    ),
    "hangs in mid-line": Scenario(
        "PromptTimeout", says(("raw", b"D {c}"), ("hang", False)), ask_briefly
    ),
    "hangs and ignores signals": Scenario(
        "PromptTimeout", says(("raw", b"{D}"), ("hang", True)), ask_briefly
    ),
    "nonsense after it": Scenario(
        "PinentryFailed", says(("raw", b"{D}nonsense\n")), named=nonsense(b"nonsense\n")
    ),
    "nonsense after a while": Scenario(
        "PinentryFailed",
        says(("raw", b"{D}"), ("wait", 0.1), ("raw", b"nonsense\n")),
        named=nonsense(b"nonsense\n"),
    ),
    "nonsense itself": Scenario(
        "PinentryFailed", says(("raw", b"{c}\n")), named=nonsense(b"nonsense\n")
    ),
    "nonsense before it": Scenario(
        "PinentryFailed", says(("raw", b"nonsense\n{D}OK\n")), named=nonsense(b"nonsense\n")
    ),
    "a line too long": Scenario(
        "PinentryFailed",
        says(("raw", b"D " + b"{c}" * 40 + b"\nOK\n")),
        named=nonsense(b"D " + b"x" * 2000 + b"\n"),
    ),
    "a line without an end": Scenario(
        "PinentryFailed",
        says(("raw", b"D " + b"{c}" * 40), ("hang", False)),
        named=nonsense(b"D " + b"x" * 2000),
    ),
    "an error after it": Scenario(
        "PinentryFailed",
        says(("raw", b"{D}ERR 83886081 general\n")),
        named=("pinentry-gtk-fake", "error 1\n"),
    ),
    "an error that repeats it": Scenario("Cancelled", says(("raw", b"ERR 83886179 {c}\n"))),
    "an error without a number": Scenario(
        "PinentryFailed", says(("raw", b"{D}ERR {c}\n")), named=("pinentry-gtk-fake", "error 1")
    ),
    "more than there may be": Scenario(
        "PinentryFailed",
        says(("raw", (b"D " + b"{c}" * 20 + b"\n") * 1500)),
        ask_for_longer,
        named=nonsense((b"D " + b"x" * 900 + b"\n") * 1500),
    ),
    "no UTF-8": Scenario(
        "PinentryFailed", says(("raw", b"D {c}\xff\nOK\n")), named=("UTF-8", "LC_CTYPE")
    ),
    "cut by curses": Scenario(
        "PinentryFailed",
        typing(lambda c: (c * 60)[:2047]),
        flavor="gtk2:curses",
        named=("pinentry-gtk-fake", "2047", "PINENTRY="),
    ),
    "no token, three times": Scenario(
        "Refused",
        typing(*[lambda c: c[1:]] * 3),
        ask_for_a_token,
        named=("for PyPI", wording.not_a_token("PyPI", "pypi-")),
        prompts=3,
    ),
    "never twice the same": Scenario(
        "Refused", typing(*[str, lambda c: f"{c}2"] * 3), ask_twice, prompts=6
    ),
    "killed at the repetition": Scenario(
        GONE, lambda c: [str(c), [("kill", 9)]], ask_twice, named=DIED, prompts=2
    ),
    "never accepted": Scenario(
        "Refused",
        typing(str, str, str),
        verified(lambda value: False),
        named=("for A", wording.NOT_ACCEPTED),
        prompts=3,
    ),
    "verify raises": Scenario("LookupError", work=verified(raising)),
    "verify raises later": Scenario("LookupError", work=verified(raising_later)),
    "verify trips over it in a thread": Scenario("UnicodeEncodeError", work=in_a_thread(not_ascii)),
    "lent to a child": Scenario("LookupError", work=lent),
    "verify trips over it": Scenario("UnicodeEncodeError", work=verified(not_ascii)),
    "verify repeats it": Scenario("ValueError", work=verified(not_a_number)),
    "stored and not accepted": Scenario("Cancelled", lambda c: [None], stored_and_refused),
    "stored and no token": Scenario(
        "Refused",
        work=stored_and_no_token,
        named=("for PyPI", "'pypi-'", "secretly set PyPI\n"),
        prompts=0,
    ),
    "the keychain is full": Scenario(
        "KeychainUnavailable",
        work=remember_only,
        keychain=lambda: Full(),
        named=("the disk is full",),
        prompts=0,
    ),
    "the keychain is full, of a text": Scenario(
        "KeychainUnavailable",
        work=remember_text,
        keychain=lambda: Full(),
        named=("the disk is full",),
        prompts=0,
    ),
    "the keychain is locked": Scenario(
        "KeychainLocked",
        work=remember_only,
        keychain=lambda: MemoryKeychain(locked=True),
        prompts=0,
    ),
    "the backend repeats it": Scenario(
        "KeychainUnavailable",
        work=remember_only,
        keychain=lambda: planted("Talking"),
        named=("(RuntimeError)",),
        prompts=0,
    ),
    "typed, and the backend repeats it": Scenario(
        "", work=ask_for_a_token, keychain=lambda: planted("Talking")
    ),
    "the backend repeats what it has": Scenario(
        "KeychainUnavailable",
        work=remembered,
        keychain=lambda: planted("TalkingGet"),
        named=("PYTHON_KEYRING_BACKEND",),
        prompts=0,
    ),
    "the backend has no UTF-8": Scenario(
        "KeychainUnavailable",
        work=remembered,
        keychain=lambda: planted("Binary"),
        named=("UTF-8", "secretly forget"),
        prompts=0,
    ),
    "the backend hangs": Scenario(
        "", work=ask_and_wait_a_little, keychain=lambda: planted("Hanging")
    ),
    "the backend fails late": Scenario(
        "", work=ask_and_wait_a_little, keychain=lambda: planted("Late")
    ),
    "a file that is not text": Scenario(
        "SourceFailed",
        work=from_a_file(lambda c: c.encode() + b"\xff"),
        named=("/token ", "UTF-8"),
        prompts=0,
    ),
    "a file that others read": Scenario(
        "SourceFailed", work=from_a_file(str.encode, 0o644), named=("chmod 600 ",), prompts=0
    ),
    "a variable that is not accepted": Scenario(
        "Refused", work=not_accepted, exported=True, named=("env://TOKEN",), prompts=0
    ),
    "a variable, and another is asked for": Scenario(
        GONE, lambda c: [[("kill", 9)]], exported=True, named=DIED
    ),
    "NUL at exec": Scenario(
        "Refused", work=executed(lambda c: f"{c}\0"), named=("TOKEN", "NUL"), prompts=0
    ),
    "too long at exec": Scenario(
        "Refused", work=executed(lambda c: c * 5000), named=("/bin/true", "128 KiB"), prompts=0
    ),
    "no such program at exec": Scenario(
        "NotThere",
        work=executed(str, "/nonexistent/program"),
        named=("/nonexistent/program",),
        prompts=0,
    ),
    "no program at exec": Scenario(
        "NotExecutable", work=executed(str, "/etc/passwd"), named=("/etc/passwd",), prompts=0
    ),
    "a surrogate at exec": Scenario(
        "Refused", work=executed(lambda c: f"{c}\ud800"), named=("TOKEN", "Unicode"), prompts=0
    ),
    # a token that is narrowed
    "token, typed": Scenario("", work=upload(stored=False)),
    "token, typed the second time": Scenario("", typing(cut, str), upload(stored=False), prompts=2),
    "token, typed and cut short": Scenario(
        "Refused",
        typing(*[cut] * 3),
        upload(stored=False),
        named=("for PyPI", MALFORMED),
        prompts=3,
    ),
    "token, typed for another project": Scenario(
        "Refused", typing(*[str] * 3), upload(stored=False), named=("for PyPI", "demo"), prompts=3
    ),
    "token, typed for another index": Scenario(
        "Refused",
        typing(*[str] * 3),
        upload(
            stored=False,
            release=RELEASE._replace(destination=Destination("", "x", "https://other.example/")),
        ),
        named=("for PyPI", "pypi.example", "other.example"),
        prompts=3,
    ),
    "token, stored": Scenario("", lambda c: [True], upload()),
    "token, stored, no consent": Scenario("NotConfirmed", lambda c: [False], upload()),
    "token, stored, killed at the question": Scenario(
        GONE, lambda c: [[("kill", 9)]], upload(), named=DIED
    ),
    "token, stored and cut short": Scenario(
        "BadToken", work=upload(cut), named=bad_token(cut(canary("token"))), prompts=0
    ),
    "token, stored with more at its end": Scenario(
        "BadToken",
        work=upload(lambda c: f"{c}AAAA"),
        named=bad_token(cut(canary("token"))),
        prompts=0,
    ),
    "token, stored with what is in none": Scenario(
        "BadToken", work=upload(lambda c: f"{c}!"), named=bad_token("pypi-!"), prompts=0
    ),
    "token, stored without its beginning": Scenario(
        "BadToken",
        work=upload(lambda c: f"pypi-{c[9:]}"),
        named=bad_token("pypi-" + "x" * 80),
        prompts=0,
    ),
    "token, stored and made by no index": Scenario(
        "BadToken",
        work=upload(respelt(b"pypi.example", b"pypi example")),
        named=bad_token(token("pypi example")),
        prompts=0,
    ),
    "token, stored and restricted by invalid JSON": Scenario(
        "BadToken",
        work=upload(respelt(b'["demo"]', b'["demo"}')),
        named=bad_token(BROKEN_JSON),
        prompts=0,
    ),
    "token, stored for another project": Scenario(
        "Refused", work=upload(), named=("for PyPI", "secretly set PyPI/demo\n"), prompts=0
    ),
    "token, stored for another index": Scenario(
        "Refused",
        work=upload(release=RELEASE._replace(destination=Destination("test", "TestPyPI"))),
        named=("pypi.example", "TestPyPI", "hosts = ["),
        prompts=0,
    ),
    "token, stored and expired": Scenario("Refused", work=upload(), named=EXPIRED, prompts=0),
    "token, and a file was changed": Scenario(
        "Refused",
        lambda c: [True],
        upload(plan=launch.Launch("/bin/true", ["true"], recheck=was_changed)),
        named=("dist/demo-1.0.tar.gz", "look at it"),
    ),
    "token, and the program was changed": Scenario(
        "Refused",
        lambda c: [True],
        upload(plan=launch.Launch("/bin/true", ["true"], fingerprint=(1, 2, ""))),
        named=("/bin/true",),
    ),
    "token, in a .pypirc that is broken": Scenario(
        "Refused",
        work=settings("twine upload --config-file", b"[pypi]\npassword {c}\n"),
        named=("/settings\n",),
        prompts=0,
    ),
    "token, in a .pypirc that is not text": Scenario(
        "Refused",
        work=settings("twine upload --config-file", b"[pypi]\npassword = {c}\xff\n"),
        named=("/settings\n",),
        prompts=0,
    ),
    "token, in settings that are broken": Scenario(
        "Refused",
        work=settings("uv publish --config-file", b"publish-url = {c}\n"),
        named=("/settings\n",),
        prompts=0,
    ),
    "token, in settings that are not text": Scenario(
        "Refused",
        work=settings("uv publish --config-file", b"publish-url = '{c}\xff'\n"),
        named=("/settings\n",),
        prompts=0,
    ),
    "token, and no program at exec": Scenario(
        "NotExecutable",
        lambda c: [True],
        upload(plan=launch.Launch("/etc/passwd", ["passwd"])),
        named=("/etc/passwd",),
    ),
}


# -- everything that could write it down -------------------------------------------


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error with all that it came from, suppressed ones too."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            yield current
            todo += [current.__cause__, current.__context__]


def dumped(error: BaseException) -> Iterator[str]:
    """An error as plain tracebacks, captured locals, cgitb and other reporters show it."""
    for part in chain(error):
        yield from traceback.format_exception(part)
        yield repr(part)
        yield repr(part.args)
        yield repr(vars(part))
        yield from traceback.TracebackException(
            type(part), part, part.__traceback__, capture_locals=True, compact=False
        ).format()
        for frame, _ in traceback.walk_tb(part.__traceback__):
            for value in list(frame.f_locals.values()):
                yield repr(value)
                with contextlib.suppress(TypeError):
                    yield repr(vars(value))  # as reporters show 'self' and its parts
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # It is gone since 3.13, trips over an OSError's unset attributes, and reads properties.
            with contextlib.suppress(ImportError, AttributeError, Refused):
                import cgitb

                yield cgitb.text((type(part), part, part.__traceback__), context=9)


def recorded(error: BaseException, found: object, out: Any) -> None:
    """Have everything that writes things down write this outcome down."""
    log = logging.getLogger("canary")
    log.info("the outcome: %r", found)
    if not isinstance(error, NoError):
        log.error("it failed: %s %r", error, error, exc_info=error)
        for text in dumped(error):
            print(text, file=out)
    out.flush()


class NoError(Exception):
    """There was none."""


def drive(driver: str, folder: Path) -> None:
    """Go through the library's scenarios, and leave what was written down in *folder*."""
    logging.basicConfig(filename=folder / "debug.log", level=logging.DEBUG, force=True)
    faulthandler.enable((folder / "faulthandler").open("w"))  # open for as long as it runs
    warnings.simplefilter("always")
    keychain.MACHINE_TIMEOUT = 0.6
    import keyring.core  # noqa: F401  # this takes longer than the keychain has here

    results: dict[str, Any] = {}
    (_in_asyncio if driver == "asyncio" else _in_twisted)(folder, results)
    with open(folder / "faulthandler-end", "w") as file:
        faulthandler.dump_traceback(file, all_threads=True)
    (folder / "results.json").write_text(json.dumps(results))


@contextlib.contextmanager
def _prepared(name: str) -> Iterator[tuple[Any, FakePinentry, dict[str, Any]]]:
    """The doubles of a scenario, and after it what files have the canary in them."""
    scenario, c = LIBRARY[name], canary(name)
    result: dict[str, Any] = {}
    fake = FakePinentry(scenario.answers(c), flavor=scenario.flavor)
    exported = {"TOKEN": str(c)} if scenario.exported else {}
    with fake, sandbox(fake, scenario.keychain(), exported) as here:
        yield (lambda: scenario.work(c, here)), fake, result
        folders = [Path(os.environ["HOME"]), Path(os.environ["TMPDIR"])]
        # Only its script has the canary: it says what the user types.
        result["files"] = files_with(name, folders, but=fake.path)


def files_with(name: str, folders: Sequence[Path], but: Path | None = None) -> list[str]:
    """The files under these folders that have a canary in them, or in their name."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if found_in(os.fsencode(path), name):
                found.append(os.fspath(path))
            if path.is_file() and path != but and found_in(path.read_bytes(), name):
                found.append(os.fspath(path))
    return found


def _in_asyncio(folder: Path, results: dict[str, Any]) -> None:
    async def main(work: Any, fake: FakePinentry, cancel: bool) -> object:
        asyncio.get_running_loop().slow_callback_duration = 0  # have each be logged
        call = asyncio.ensure_future(work())
        logging.debug("%r", call)
        if cancel:
            while not fake.prompts:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            call.cancel()
        try:
            return await call
        finally:
            logging.debug("%r", call)

    for name, scenario in LIBRARY.items():
        with _prepared(name) as (work, fake, result):
            error, found = BaseException(), None
            try:
                found = asyncio.run(main(work, fake, scenario.cancel), debug=True)
                error = NoError()
            except BaseException as caught:
                error = caught
            with open(folder / "dump", "a") as out:
                recorded(error, found, out)
            result |= ended_by(error, fake)
            del error, found
            results[name] = result


def ended_by(error: BaseException, fake: FakePinentry) -> dict[str, Any]:
    """How a scenario ended: the error's type and text, and how often the user was asked."""
    return {
        "types": [] if isinstance(error, NoError) else [type(e).__name__ for e in chain(error)],
        "text": f"{error}\n{error.hint}\n" if isinstance(error, SecretlyError) else "",
        "prompts": len(fake.prompts),
    }


def _in_twisted(folder: Path, results: dict[str, Any]) -> None:
    from twisted.internet import defer, task
    from twisted.logger import (
        Logger,
        globalLogBeginner,
        jsonFileLogObserver,
        textFileLogObserver,
    )
    from twisted.python.failure import Failure

    observers = [
        textFileLogObserver((folder / "twisted.log").open("w")),
        jsonFileLogObserver((folder / "twisted.json").open("w")),
    ]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)
    defer.setDebugging(True)
    log = Logger("canary")

    async def one(reactor: Any, work: Any, fake: FakePinentry, cancel: bool) -> object:
        call = defer.ensureDeferred(work())
        log.debug("{call} {call!r}", call=call)
        if cancel:
            while not fake.prompts:
                await task.deferLater(reactor, 0.01)
            await task.deferLater(reactor, 0.1)
            call.cancel()
        return await call

    async def main(reactor: Any) -> None:
        gc.freeze()  # what was loaded takes longer to look through than what a scenario leaves
        for name, scenario in LIBRARY.items():
            with _prepared(name) as (work, fake, result):
                error, found = BaseException(), None
                try:
                    found = await one(reactor, work, fake, scenario.cancel)
                    error = NoError()
                    done = defer.succeed(found)
                    log.info("{done} {done!r}", done=done)
                except BaseException as caught:
                    error = caught
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        failure = Failure(captureVars=True)
                    with open(folder / "dump", "a") as out:
                        print(failure, repr(failure), file=out)
                        print(failure.getTraceback(detail="verbose"), file=out)
                    lost = defer.fail(failure)  # 'Unhandled error in Deferred'
                    lost.addCallback(len)
                    del lost, failure
                    gc.collect()
                with open(folder / "dump", "a") as out:
                    recorded(error, found, out)
                result |= ended_by(error, fake)
                del error, found
                results[name] = result

    with contextlib.suppress(SystemExit):
        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))


# -- watching ----------------------------------------------------------------------


def descendants(pid: int) -> list[int]:
    """A process and all that it started."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        with contextlib.suppress(OSError):
            for thread in os.listdir(folder := f"/proc/{current}/task"):
                todo += map(int, content(f"{folder}/{thread}/children").split())
    return found


def content(path: str) -> bytes:
    """What a file has in it. This is read often, so it is read without a buffer."""
    with open(path, "rb", buffering=0) as file:
        return file.read()


class Watch(threading.Thread):
    """Read the arguments and the environment of every process of a run, all the time."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._over = pid, threading.Event()
        #: What was seen, by the program's name and the file in ``/proc``.
        self.seen: dict[tuple[str, str], set[bytes]] = {}

    def run(self) -> None:
        """Look until told to end."""
        known: set[tuple[int, bytes]] = set()
        while not self._over.wait(0.01):
            for pid in descendants(self._pid):
                with contextlib.suppress(OSError):
                    words = content(f"/proc/{pid}/cmdline")
                    if (pid, words) in known:  # the environment changes only with them
                        continue
                    program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
                    self.seen.setdefault((program, "cmdline"), set()).add(words)
                    data = content(f"/proc/{pid}/environ")
                    self.seen.setdefault((program, "environ"), set()).add(data)
                    known.add((pid, words))

    def end(self) -> dict[tuple[str, str], set[bytes]]:
        """Stop looking, and return what was seen."""
        self._over.set()
        self.join(10)
        return self.seen


@dataclass(frozen=True)
class Run:
    """What a run of many scenarios left."""

    results: Mapping[str, Any]
    written: Mapping[str, bytes]
    seen: Mapping[tuple[str, str], set[bytes]]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """Make an environment with folders of its own, all under one folder of that name."""

    def make(name: str) -> dict[str, str]:
        root = tmp_path_factory.mktemp(name)
        for folder in ("home", "tmp", "out", "elsewhere", "modules", "run"):
            (root / folder).mkdir()
        (root / "modules/canary_backend.py").write_text(BACKEND)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": os.fspath(root / "home"),
            "XDG_RUNTIME_DIR": os.fspath(root / "run"),  # no keychain of the user's own login
            "TMPDIR": os.fspath(root / "tmp"),
            "OUT": os.fspath(root / "out"),
            "ELSEWHERE": os.fspath(root / "elsewhere"),
            "PYTHONPATH": os.fspath(root / "modules"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    return make


@pytest.fixture(scope="module")
def runs(homes: Callable[[str], dict[str, str]]) -> dict[str, Run]:
    """All the library's scenarios, in processes that write down all that they can."""
    begun = {driver: _begin(driver, homes(driver)) for driver in ("asyncio", "twisted")}
    return {driver: _ended(*started) for driver, started in begun.items()}


@pytest.fixture(params=["asyncio", "twisted"])
def library(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    """The run under asyncio, and the one under Twisted."""
    return runs[request.param]


def _begin(
    driver: str, environ: dict[str, str]
) -> tuple[dict[str, str], subprocess.Popen[bytes], Watch]:
    out = Path(environ["OUT"])
    with open(out / "stdout", "wb") as stdout, open(out / "stderr", "wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", __file__, driver, os.fspath(out)],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    watch = Watch(process.pid)
    watch.start()
    return environ, process, watch


def _ended(environ: dict[str, str], process: subprocess.Popen[bytes], watch: Watch) -> Run:
    try:
        process.wait(550)  # both run at the same time
    finally:
        process.kill()
        process.wait(10)
        seen = watch.end()
    out = Path(environ["OUT"])
    assert process.returncode == 0, (out / "stderr").read_text()[-4000:]
    written = {path.name: path.read_bytes() for path in out.iterdir()}
    results = json.loads(written.pop("results.json"))
    for name in LIBRARY:
        folders = [Path(environ["HOME"]), Path(environ["TMPDIR"])]
        results[name]["files"] += files_with(name, folders)
    return Run(results, {name: unique(data) for name, data in written.items()}, seen)


def unique(data: bytes) -> bytes:
    """Each part of a text once: the logs are long, and repeat themselves."""
    return b"\n".join(set(data.replace(b",", b"\n").split(b"\n")))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LIBRARY)
def test_the_library_leaves_no_trace(library: Run, name: str) -> None:
    """After the scenario, the canary is in no log, dump, stream, file, argument or environment."""
    scenario, result = LIBRARY[name], library.results[name]
    outcome = scenario.outcome.split()
    assert result["types"][:1] == outcome[:1], result
    assert set(outcome) <= set(result["types"])
    assert [part for part in scenario.named if part not in result["text"]] == [], result
    assert result["prompts"] == scenario.prompts
    for stream, data in library.written.items():
        assert not found_in(data, name), (stream, around(data, name))
    for (program, kind), contents in library.seen.items():
        for data in contents:
            # A variable that the caller has exported is inherited, as every other.
            inherited = scenario.exported and kind == "environ"
            assert inherited or not found_in(data, name), (program, kind)
    assert result["files"] == []


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (lambda c: c * 200 + "\n", "PinentryFailed"),
        (lambda c: c + "\x04\x04", "Cancelled"),
        (lambda c: c, "PromptTimeout"),
    ],
)
def test_a_terminal_leaves_no_trace(keys: Callable[[str], str], kind: str) -> None:
    """What is typed at the terminal itself, and is too long or not ended, is in no traceback."""
    name = "terminal"
    master, slave = pty.openpty()

    async def main() -> None:
        terminal = Terminal(os.ttyname(slave))
        call = asyncio.ensure_future(terminal.ask("", "Secret:", Patience(1)))
        shown = b""
        while b"Secret:" not in shown:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
            with contextlib.suppress(BlockingIOError):
                shown += os.read(master, 1000)
        typed = keys(str(canary(name))).encode()
        while typed:
            typed = typed[os.write(master, typed[:512]) :]
            await asyncio.sleep(0.001)
        await call

    try:
        os.set_blocking(master, False)
        with pytest.raises(SecretlyError) as caught:
            asyncio.run(main())
        assert type(caught.value).__name__ == kind
        # Not the frames of this test, which knows what was typed.
        while caught.value.__traceback__ and not is_ours(caught.value.__traceback__):
            caught.value.__traceback__ = caught.value.__traceback__.tb_next
        text = "\n".join(dumped(caught.value))
        assert "_line" in text
        assert not found_in(text.encode(), name)
    finally:
        os.close(master)
        os.close(slave)


def is_ours(trace: types.TracebackType) -> bool:
    """Whether a frame is one of secretly's."""
    return os.path.basename(trace.tb_frame.f_code.co_filename) == "terminal.py"


def around(data: bytes, name: str) -> list[bytes]:
    """The lines in which a canary was found, and those before them: for the report of a failure."""
    lines = data.splitlines()
    hits = [n for n, line in enumerate(lines) if found_in(line, name)]
    return [line[:300] for n in hits[:3] for line in lines[max(0, n - 12) : n + 1]]


def test_the_run_wrote_down_all_that_it_could(library: Run) -> None:
    """The search is in earnest: the logs, the dumps and the processes were really looked at."""
    assert len([s for s in LIBRARY.values() if s.outcome]) >= 40
    assert len(library.written["dump"]) > 100_000
    log = library.written["debug.log"]
    assert re.search(rb"\bA .*\bthe disk is full", log)  # kept by no keychain
    assert re.search(rb"\bA .*\bkeychain\b.* s\b", log)  # the backend hangs, and fails late
    assert re.search(rb"\bPyPI .*\(RuntimeError\)", log)  # typed, and the backend repeats it
    assert b"Secret('\xe2\x80\xa6')" in library.written["dump"]
    assert b"canary" in library.written["debug.log"]
    programs = {program for program, _ in library.seen}
    assert any(b"pinentry-gtk-fake" in d for k, v in library.seen.items() for d in v), programs
    if "twisted.json" in library.written:
        assert b"Unhandled error in Deferred" in library.written["twisted.log"]
        assert len(library.written["twisted.json"]) > 10_000
        assert b"log_failure" in library.written["twisted.json"]
    else:
        assert b"took" in library.written["debug.log"]  # asyncio's slow callbacks


# -- the command -------------------------------------------------------------------

#: What Python loads at the start of the command: logs everything, and shows locals at the end.
CUSTOMIZED = """
import faulthandler, logging, os, sys, traceback, warnings
if sys.argv[:1] == ["-m"] or "secretly" in " ".join(sys.orig_argv):
    out = os.environ["OUT"]
    logging.basicConfig(filename=out + "/debug.log", level=logging.DEBUG)
    faulthandler.enable(open(out + "/faulthandler", "a"))
    warnings.simplefilter("always")
    def hook(kind, error, trace):
        text = traceback.TracebackException(kind, error, trace, capture_locals=True).format()
        print(*text, file=sys.stderr)
    sys.excepthook = hook
"""


@dataclass(frozen=True)
class Command:
    """One way through the command.

    :param arguments: those of ``secretly``; ``{HOME}`` and ``{ELSEWHERE}`` are folders,
        of which the second one is not searched.
    :param said: what it says on standard error, and does for no other reason.
    :param prompts: how often the user is asked.
    :param given: what is in the file ``{ELSEWHERE}/token``.
    :param config: its configuration.
    :param files: more files, each with the canary as ``{c}``.
    :param meanwhile: what changes while the user is asked, in ``{HOME}``.
    """

    status: int
    arguments: Sequence[str]
    answers: Callable[[Secret], Sequence[Answer]] = _TYPED
    stdin: Callable[[Secret], bytes] = lambda c: b""
    sent: signal.Signals | None = None
    said: tuple[str, ...] = ()
    prompts: int = 1
    given: Callable[[Secret], str] = str
    config: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    meanwhile: Callable[[Path], object] | None = None


RUN = ("run", "-v", "-e", "TOKEN=OpenAI", "--prompt-timeout", "60s")
HASH = ("sh", "-c", 'printf %s "$TOKEN" | sha256sum')
#: These canaries start as a token does, and are none.
WHOLE = "[secrets.OpenAI]\nnarrow = false\n"
STORED = '[secrets.PyPI]\nsource = "file://{ELSEWHERE}/token"\n'
WHEEL = "demo-1.0-py3-none-any.whl"
TWINE = ("run", "-v", "--prompt-timeout", "60s", "{HOME}/twine", "upload")
UPLOAD = (*TWINE, "{HOME}/dist/*")
ELSEWHERE = (*UPLOAD, "--repository-url", "https://other.example/legacy/")
NARROW = ("token", "narrow", "PyPI", "--project", "demo")
#: The line about the narrowed token, up to the time.
NARROWED = upload_wording.gets_token("twine", "demo", "TIME").partition("TIME")[0]
NOT_A_TOKEN = wording.not_a_token("PyPI", "pypi-")[1:]  # it may be in the middle of a sentence


def yes(c: Secret) -> Sequence[Answer]:
    """A user who agrees."""
    return [True]


def yes_later(c: Secret) -> Sequence[Answer]:
    """One who needs a while to."""
    return [[("wait", 1.0), ("raw", b"D yes\nOK\n")]]


COMMAND: dict[str, Command] = {
    "run": Command(0, (*RUN, *HASH), said=("TOKEN: OpenAI",)),
    "run, in a text": Command(
        0,
        (*RUN[:2], "-e", "TOKEN={{ secretly://OpenAI }}", *HASH),
        said=("TOKEN: OpenAI",),
    ),
    "run, kept by no keychain": Command(
        0, (*RUN, "--remember", *HASH), said=("secretly: OpenAI ", "TOKEN: OpenAI")
    ),
    "run, cancelled": Command(130, (*RUN, *HASH), lambda c: [None], said=("\n  sh ",)),
    "run, cancelled late": Command(
        130, (*RUN, *HASH), says(("raw", b"{D}ERR 83886179 cancelled\n")), said=("\n  sh ",)
    ),
    "run, killed": Command(125, (*RUN, *HASH), says(("raw", b"{D}"), ("kill", 9)), said=DIED),
    "run, killed in mid-line": Command(
        125, (*RUN, *HASH), says(("raw", b"D {c}"), ("kill", 9)), said=DIED
    ),
    "run, nonsense": Command(
        125, (*RUN, *HASH), says(("raw", b"{D}{c}\n")), said=nonsense(b"nonsense\n")
    ),
    "run, hangs": Command(
        125,
        (*RUN[:-1], "6s", *HASH),
        says(("raw", b"{D}"), ("hang", True)),
        said=("6 s\n", "--prompt-timeout"),
    ),
    "run, no UTF-8": Command(
        125, (*RUN, *HASH), says(("raw", b"D {c}\xff\nOK\n")), said=("UTF-8", "LC_CTYPE")
    ),
    "run, NUL at exec": Command(
        125, (*RUN, *HASH), says(("raw", b"D {c}\0\nOK\n")), said=("control character",)
    ),
    "run, too long at exec": Command(
        125, (*RUN, *HASH), typing(lambda c: c * 5000), said=("TOKEN: OpenAI", "/sh: ", "128 KiB")
    ),
    "run, no interpreter at exec": Command(
        127,
        (*RUN, "{HOME}/no-interpreter"),
        said=("TOKEN: OpenAI", "{HOME}/no-interpreter", "(#!)"),
    ),
    "run, no token": Command(
        125,
        ("run", "-e", "TOKEN=PyPI", *HASH),
        typing(*[lambda c: c[1:]] * 3),
        said=("PyPI", NOT_A_TOKEN),
        prompts=3,
    ),
    "run, the second one cancelled": Command(
        130,
        (*RUN, "-e", "OTHER=Other", *HASH),
        lambda c: [str(c), None],
        said=("\n  sh ",),
        prompts=2,
    ),
    "run, interrupted": Command(
        -2, (*RUN, *HASH), says(("raw", b"{D}"), ("hang", False)), sent=signal.SIGINT
    ),
    "run, terminated": Command(
        -15, (*RUN, *HASH), says(("raw", b"D {c}"), ("hang", True)), sent=signal.SIGTERM
    ),
    "run, hung up": Command(
        -1, (*RUN, *HASH), says(("raw", b"{D}"), ("hang", False)), sent=signal.SIGHUP
    ),
    "set, no keychain": Command(
        1,
        ("set", "OpenAI", "--stdin"),
        stdin=str.encode,
        said=("D-Bus", "DBUS_SESSION_BUS_ADDRESS"),
        prompts=0,
    ),
    "set, no UTF-8": Command(
        1,
        ("set", "OpenAI", "--stdin"),
        stdin=lambda c: c.encode() + b"\xff",
        said=("UTF-8",),
        prompts=0,
    ),
    "set, no token": Command(
        1,
        ("set", "PyPI", "--stdin"),
        stdin=lambda c: c[1:].encode(),
        said=(NOT_A_TOKEN,),
        prompts=0,
    ),
    "get, no token": Command(
        1,
        ("get", "Wrong"),
        given=lambda c: c[1:],
        config=f'{STORED.replace("PyPI", "Wrong")}prefix = "pypi-"\n',
        said=("Wrong", "'pypi-'", "file://{ELSEWHERE}/token"),
        prompts=0,
    ),
    # publishing commands: the long-lived token goes nowhere at all
    "token, typed": Command(0, UPLOAD, said=(NARROWED,)),
    "token, for a recipe": Command(
        0,
        (
            "run",
            "--as",
            "twine",
            "--project",
            "demo",
            "sh",
            "-c",
            'printf %s "$TWINE_PASSWORD"; sleep 1',
        ),
        said=("sh gets a token for demo only",),
    ),
    "token, typed, kept by no keychain": Command(
        0,
        ("run", "--remember", *UPLOAD[1:]),
        said=("secretly: PyPI ", "DBUS_SESSION_BUS_ADDRESS", NARROWED),
    ),
    "token, typed the second time": Command(
        0, UPLOAD, typing(cut, str), said=(NARROWED,), prompts=2
    ),
    "token, typed and cut short": Command(
        125, UPLOAD, typing(*[cut] * 3), said=("PyPI", MALFORMED), prompts=3
    ),
    "token, typed for another project": Command(
        125, UPLOAD, typing(*[str] * 3), said=("for PyPI", "demo"), prompts=3
    ),
    "token, typed for another index": Command(
        125, ELSEWHERE, typing(*[str] * 3), said=("other.example", "pypi.example"), prompts=3
    ),
    "token, typed, then cancelled": Command(
        130, UPLOAD, lambda c: [cut(c), None], said=("\n  {HOME}/twine ",), prompts=2
    ),
    "token, typed, then killed": Command(
        125, UPLOAD, lambda c: [cut(c), [("kill", 9)]], said=DIED, prompts=2
    ),
    "token, stored": Command(0, UPLOAD, yes, config=STORED, said=("PyPI (file)", NARROWED)),
    "token, stored, in a text": Command(
        0,
        (*TWINE[:2], "-e", "TWINE_PASSWORD={{ file://{ELSEWHERE}/token }}", *UPLOAD[2:]),
        yes,
        said=("(file)", NARROWED),
    ),
    "token, stored for the project": Command(
        0,
        UPLOAD,
        yes,
        config=STORED.replace("PyPI", '"PyPI/demo"'),
        said=("PyPI/demo (file)", NARROWED),
    ),
    "token, stored, not confirmed": Command(
        0,
        ("run", "--no-confirm", *UPLOAD[1:]),
        config=STORED,
        said=("--no-confirm", NARROWED),
        prompts=0,
    ),
    "token, stored, declined": Command(
        130, UPLOAD, lambda c: [False], config=STORED, said=("\n  {HOME}/twine ",)
    ),
    "token, stored, cancelled": Command(
        130, UPLOAD, lambda c: [None], config=STORED, said=("\n  {HOME}/twine ",)
    ),
    "token, stored, killed": Command(
        125, UPLOAD, lambda c: [[("kill", 9)]], config=STORED, said=DIED
    ),
    "token, stored, interrupted": Command(
        -2, UPLOAD, lambda c: [[("hang", False)]], config=STORED, sent=signal.SIGINT
    ),
    "token, stored, and nobody to ask": Command(
        125,
        ("run", "--no-input", *UPLOAD[1:]),
        config=STORED,
        said=("PyPI", "file://", "--no-input", "confirm = false"),
        prompts=0,
    ),
    "token, stored and cut short": Command(
        125, UPLOAD, config=STORED, given=cut, said=bad_token(cut(canary("token"))), prompts=0
    ),
    "token, stored for another project": Command(
        125, UPLOAD, config=STORED, said=("for PyPI", "\n  secretly set PyPI/demo\n"), prompts=0
    ),
    "token, stored for another index": Command(
        125,
        ELSEWHERE,
        config=STORED.replace("PyPI", '"other.example"'),
        said=("pypi.example", "secretly set other.example", "hosts = ["),
        prompts=0,
    ),
    "token, stored and expired": Command(
        125, UPLOAD, config=STORED, said=("expired", "run: secretly set PyPI\n"), prompts=0
    ),
    "token, and a file was changed": Command(
        125,
        UPLOAD,
        yes_later,
        config=STORED,
        meanwhile=lambda home: wheel(home / "dist", version="2.0", name=WHEEL),
        said=("PyPI (file)", "secretly: {HOME}/dist/demo-1.0"),
    ),
    "token, and the program was changed": Command(
        125,
        UPLOAD,
        yes_later,
        config=STORED,
        meanwhile=lambda home: (home / "twine").write_text("#!/bin/sh\nenv\n"),
        said=("PyPI (file)", "secretly: {HOME}/twine "),
    ),
    "token, a local version": Command(
        125, (*TWINE, "{ELSEWHERE}/local/*"), config=STORED, said=("1.0+local", "'+'"), prompts=0
    ),
    "token, no file": Command(
        125,
        (*TWINE, "{HOME}/none/*"),
        config=STORED,
        said=("/none/*", "python -m build"),
        prompts=0,
    ),
    "token, no wheel": Command(
        125,
        (*TWINE, "{ELSEWHERE}/x.whl"),
        config=STORED,
        files={"x.whl": "{c}"},
        said=("{ELSEWHERE}/x.whl", "python -m build"),
        prompts=0,
    ),
    "token, in .pypirc as well": Command(
        0,
        (*UPLOAD, "--config-file", "{ELSEWHERE}/pypirc"),
        yes,
        config=STORED,
        files={"pypirc": "[pypi]\nusername = __token__\npassword = {c}\n"},
        said=("{ELSEWHERE}/pypirc", "secretly set PyPI", "[pypi]", NARROWED),
    ),
    "token, in a .pypirc that is broken": Command(
        125,
        (*UPLOAD, "--config-file", "{ELSEWHERE}/pypirc"),
        config=STORED,
        files={"pypirc": "[pypi]\npassword {c}\n"},
        said=("{ELSEWHERE}/pypirc\n",),
        prompts=0,
    ),
    "token, in settings that are broken": Command(
        125,
        ("run", "--as", "uv", "{HOME}/twine", "publish", "--config-file", "{ELSEWHERE}/uv.toml"),
        config=STORED,
        files={"uv.toml": "publish-url = {c}\n"},
        said=("{ELSEWHERE}/uv.toml\n",),
        prompts=0,
    ),
    "token, no interpreter at exec": Command(
        127,
        ("run", "--as", "twine", "{HOME}/no-interpreter", "upload", f"{{HOME}}/dist/{WHEEL}"),
        yes,
        config=STORED,
        said=(NARROWED, "{HOME}/no-interpreter", "(#!)"),
    ),
    # the verbs about tokens
    "token, shown": Command(0, ("token", "show", "PyPI"), config=STORED, prompts=0),
    "token, checked": Command(
        0,
        ("check", "--deep", "--json", "-f", "{ELSEWHERE}/env"),
        config=STORED,
        files={"env": "TOKEN=secretly://PyPI\nTEXT=Bearer {{ secretly://PyPI }}\n"},
        prompts=0,
    ),
    "token, planned": Command(
        0,
        ("run", "--dry-run", "--json", *UPLOAD[1:]),
        config=STORED,
        prompts=0,
    ),
    "token, shown and cut short": Command(
        1, ("token", "show", "PyPI"), config=STORED, given=cut, said=(MALFORMED,), prompts=0
    ),
    "token, narrowed": Command(0, NARROW, config=STORED, prompts=0),
    "token, narrowed and cut short": Command(
        1, NARROW, config=STORED, given=cut, said=(MALFORMED,), prompts=0
    ),
    "token, narrowed to another project": Command(
        1, NARROW, config=STORED, said=("for PyPI", "demo"), prompts=0
    ),
    "token, narrowed and expired": Command(
        1, NARROW, config=STORED, said=("for PyPI", "expired"), prompts=0
    ),
    "token, narrowed for an invalid project": Command(
        2,
        (*NARROW, "--project", "a b"),
        config=STORED,
        said=("'a b'", "\n  --project demo\n"),
        prompts=0,
    ),
    "token, narrowed, declined": Command(
        130, NARROW, lambda c: [False], config=f"{STORED}confirm = true\n"
    ),
}


def filler(name: str, root: Path) -> Callable[[str], str]:
    """A function that fills a case's canary and folders into a text."""

    def filled_in(text: str) -> str:
        text = text.replace("{HOME}", os.fspath(root / "home")).replace("{c}", canary(name))
        return text.replace("{ELSEWHERE}", os.fspath(root / "elsewhere"))

    return filled_in


def prepared(case: Command, name: str, root: Path) -> list[str]:
    """Write what a case needs into the folders under *root*; return the command's arguments."""
    home, elsewhere, c = root / "home", root / "elsewhere", canary(name)
    filled_in = filler(name, root)
    (root / "modules/sitecustomize.py").write_text(CUSTOMIZED)
    programs = {
        "no-interpreter": "#!/nonexistent/interpreter\n",
        # It stays for long enough to be looked at.
        "twine": '#!/bin/sh\nsleep 0.1\nprintf %s "$TWINE_PASSWORD"\n',
    }
    for program, text in programs.items():
        (home / program).write_text(text)
        (home / program).chmod(0o700)
    wheel(home / "dist")
    wheel(elsewhere / "local", version="1.0+local")
    (elsewhere / "token").touch(0o600)
    (elsewhere / "token").write_text(case.given(c))
    for file, text in case.files.items():
        (elsewhere / file).write_text(filled_in(text))
    (home / "config.toml").write_text(filled_in(f"{case.config}{WHOLE}"))
    return [filled_in(word) for word in case.arguments]


@pytest.fixture(scope="module")
def dev() -> Iterator[Warm]:
    """What starts secretly quickly, in Python's development mode."""
    with command.home() as empty:  # the folder is gone later, so what is temporary goes elsewhere
        warm = Warm(empty, {"TMPDIR": tempfile.gettempdir()}, ["-X", "dev"])
        warm.run("--version")
    with warm:
        yield warm


@pytest.mark.parametrize("name", COMMAND)
def test_the_command_leaves_no_trace(
    name: str, homes: Callable[[str], dict[str, str]], dev: Warm
) -> None:
    """The canary is in nothing but the environment of the command that it was for.

    A token that is narrowed is not even there.
    """
    case, c = COMMAND[name], canary(name)
    environ = homes("command")
    root = Path(environ["HOME"]).parent
    arguments = prepared(case, name, root)
    environ["SECRETLY_CONFIG"] = os.fspath(root / "home/config.toml")
    with FakePinentry(case.answers(c)) as fake, ThreadPoolExecutor(1) as pool:
        given = {**environ, **fake.environ}
        watch = Watch(dev.pid)
        watch.start()
        try:
            call = pool.submit(
                dev.run, *arguments, environ=given, stdin=os.fsdecode(case.stdin(c)), cwd=root
            )
            meanwhile(case, call, fake, root / "home", dev)
            status, stdout, stderr = call.result(30)
        finally:
            seen = watch.end()
        assert not found_in(b"\n".join(fake.lines), name)
        prompts = len(fake.prompts)
    assert status == case.status, stderr
    said = map(filler(name, root), case.said)
    assert [part for part in said if part not in stderr] == [], stderr
    assert prompts == case.prompts
    if case.status:
        assert stdout == ""
    elif is_token(name):
        assert_narrowed(name, stdout)
    else:
        assert stdout.split()[0] == hashlib.sha256(c.encode()).hexdigest()
    assert not found_in(os.fsencode(stdout + stderr), name), stderr
    assert "Traceback" not in stderr
    for (program, kind), contents in seen.items():
        for data in contents:
            sent_there = kind == "environ" and not program.startswith("python")
            sent_there = sent_there and not is_token(name)
            assert sent_there or not found_in(data, name), (program, kind)
    runs = arguments[0] == "run" and "--dry-run" not in arguments
    if is_token(name) and case.status == 0 and runs:
        assert any(b"TWINE_PASSWORD=pypi-" in d for kept in seen.values() for d in kept)
    assert files_with(name, [root / "home", root / "tmp", root / "out"]) == []
    assert (root / "out/debug.log").exists()  # Python was set up to log everything


def meanwhile(
    case: Command, call: Future[Ended], fake: FakePinentry, home: Path, dev: Warm
) -> None:
    """Do what happens while the user is asked: a change in the home, or a signal."""
    if case.sent is None and case.meanwhile is None:
        return
    while not fake.prompts:
        assert not call.done()
        time.sleep(0.01)
    if case.meanwhile is not None:
        case.meanwhile(home)
    if case.sent is not None:
        time.sleep(0.05)
        (process,) = children(dev.pid)
        os.kill(process, case.sent)


def assert_narrowed(name: str, stdout: str) -> None:
    """What was printed is a token for demo that ends soon; or what the token allows."""
    if COMMAND[name].arguments[:2] == ("token", "show"):
        assert stdout.splitlines()[:2] == ["index: pypi.example", "projects: demo"]
        return
    if "--json" in COMMAND[name].arguments:
        assert json.loads(stdout)["version"] == 1
        return
    got = token_scope(stdout.strip())
    assert got.projects == {"demo"}
    assert got.expires is not None


# -- for real ----------------------------------------------------------------------


TRACED = "strace -f -A -y -v -s 100000 -e trace=execve,openat,write,writev,pwrite64,sendto,sendmsg"
RUN_KEPT = "-m secretly run --remember -e TOKEN=PyPI"


@pytest.mark.real
def test_a_real_run_writes_it_nowhere(homes: Callable[[str], dict[str, str]]) -> None:
    """Every system call of two runs, one typed and kept, one from the keychain, is looked at.

    The canary comes out of pinentry by its socket, and goes into the environment of
    the command that it is for: into no file, no other execve, no other descriptor.
    """
    need("strace")
    from secretservice import secret_service

    name, made = "real", homes("real")
    with secret_service() as service:
        environ = {**made, **service.environ, "SECRETLY_CONFIG": os.fspath(service.folder / "c")}
        (service.folder / "c").write_text("[secrets.PyPI]\nnarrow = false\n")
        trace = Path(made["ELSEWHERE"], "trace")
        with FakePinentry([str(canary(name))]) as fake:
            for _ in range(2):
                done = subprocess.run(
                    [*TRACED.split(), "-o", trace, sys.executable, *RUN_KEPT.split(), *HASH],
                    env={**environ, **fake.environ},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=60,
                    check=False,
                )
                if b"ptrace" in done.stderr and b"not permitted" in done.stderr:
                    need("a strace that may trace")
                assert done.returncode == 0, done.stderr.decode()
                assert not found_in(done.stderr, name)
            assert len(fake.prompts) == 1  # the second one came from the keychain
        folders = [service.folder, Path(made["HOME"]), Path(made["TMPDIR"])]
        assert files_with(name, folders) == []
    lines = [line for line in trace.read_bytes().splitlines() if found_in(line, name)]
    typed = [line for line in lines if b" write(" in line and b'"D pypi-' in line]
    given = [line for line in lines if b" execve(" in line]
    # sh's own printf, which writes it to sha256sum, is where it was sent.
    piped = [line for line in lines if b" write(1<pipe:" in line]
    assert len(typed) == 1
    assert b"write(1<socket:" in typed[0] or b"write(1<UNIX" in typed[0]
    assert {line.split(b"execve(")[1].split(b",")[0].rsplit(b"/")[-1] for line in given} <= {
        b'sh"',
        b'sha256sum"',
    }
    assert len(given) >= 2
    assert set(lines) == {*typed, *given, *piped}


@pytest.mark.real
def test_a_real_upload_writes_the_long_lived_token_nowhere(
    homes: Callable[[str], dict[str, str]],
) -> None:
    """The same of two uploads: it comes out of pinentry, and goes into no program at all."""
    need("strace")
    from secretservice import secret_service

    name, made = "token, for real", homes("upload")
    home, trace = Path(made["HOME"]), Path(made["ELSEWHERE"], "trace")
    prepared(COMMAND["token, typed"], name, home.parent)
    (home.parent / "modules/sitecustomize.py").unlink()
    with secret_service() as service, FakePinentry([str(canary(name)), True]) as fake:
        environ = {**made, **service.environ, **fake.environ}
        upload = ["run", "--remember", home / "twine", "upload", home / "dist" / WHEEL]
        for _ in range(2):
            done = subprocess.run(
                [*TRACED.split(), "-o", trace, sys.executable, "-m", "secretly", *upload],
                env={**environ, "SECRETLY_CONFIG": os.fspath(home / "config.toml")},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            if "ptrace" in done.stderr and "not permitted" in done.stderr:
                need("a strace that may trace")
            assert done.returncode == 0, done.stderr
            assert token_scope(done.stdout).projects == {"demo"}
            assert not found_in(done.stderr.encode(), name)
        # It was typed, and came from the keychain.
        typed, stored = (prompt["SETPROMPT"] for prompt in fake.prompts)
        assert stored == wording.type_yes(wording.ANOTHER)  # the same files again
        assert typed not in (stored, wording.TYPE_YES)
        folders = [service.folder, home, Path(made["TMPDIR"])]
        assert files_with(name, folders) == []
    traced = trace.read_bytes().splitlines()
    lines = [line for line in traced if found_in(line, name)]
    assert len(lines) == 1
    assert b"write(1<" in lines[0] and b'"D pypi-' in lines[0]
    given = [line for line in traced if b" execve(" in line and b"TWINE_PASSWORD=pypi-" in line]
    assert len(given) >= 2


if __name__ == "__main__":
    drive(sys.argv[1], Path(sys.argv[2]))
    # What a stuck backend's thread holds must not keep the process from exiting.
