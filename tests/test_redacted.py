"""Values that hold secrets and show none of it where values are usually shown."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import marshal
import pickle
import pprint
import reprlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.logger import formatEventAsClassicLogText
from twisted.python.failure import Failure

from secretly import Credential, Secret
from secretly.redacted import NotASecret, is_cut_short, to_secret
from secretly.text import READ_LIMIT, Environ


def canary() -> str:
    """A secret. A function, since a Failure that captures variables captures globals too."""
    return "-".join(["canary", "4711"])


@dataclass
class Login:
    """A user's value that has a secret in it."""

    password: str


def failing(password: str) -> None:
    """Fail with a secret among the locals."""
    again = [password, {"password": password}, Credential("me", Secret(password))]
    raise ValueError(f"{len(again)} things were wrong")


async def finished(value: object) -> object:
    """A coroutine that has a result."""
    return value


# -- it is a str -----------------------------------------------------------------


@given(st.text())
def test_a_secret_is_the_text_itself(text: str) -> None:
    """str(), formatting and comparisons are plain, so that it can be used."""
    secret = Secret(text)
    assert isinstance(secret, str)
    assert secret == text
    assert str(secret) == text
    assert type(str(secret)) is str
    assert f"{secret}" == text
    assert "%s" % secret == text  # noqa: UP031
    assert "{:>40}".format(secret) == f"{text:>40}"  # noqa: UP032
    assert secret[1:] == text[1:]
    assert secret + "x" == text + "x"
    assert secret.encode() == text.encode()
    assert hash(secret) == hash(text)
    assert json.loads(json.dumps(secret)) == text


def test_a_secret_can_be_put_to_use() -> None:
    """Joined, compared, looked up: as any text."""
    assert "".join(["a", Secret("b")]) == "ab"
    assert {"a": 1}[Secret("a")] == 1
    assert Secret("canary").startswith("can")
    assert not Secret("")


def test_copies_are_the_secret_itself() -> None:
    """There is one of it, however often what holds it is copied."""
    secret = Secret(canary())
    assert copy.copy(secret) is secret
    assert copy.deepcopy(secret) is secret
    assert copy.deepcopy({"a": [secret]})["a"][0] is secret
    both = copy.deepcopy(Credential("me", secret))
    assert both == ("me", secret)
    assert both.password is secret


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: [s], lambda s: Credential("me", s), Login])
def test_a_secret_is_not_pickled(protocol: int, wrap: Callable[[Secret], object]) -> None:
    """Nor what holds it; and the refusal does not name it."""
    file = io.BytesIO()
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dump(wrap(Secret(canary())), file, protocol)
    assert canary() not in str(caught.value)
    assert canary().encode() not in file.getvalue()


def test_a_secret_is_not_marshalled() -> None:
    """Python's other format does not take it either."""
    with pytest.raises(ValueError, match="unmarshallable"):
        marshal.dumps(Secret(canary()))


def test_a_secret_has_no_place_for_more() -> None:
    """No attribute is hung on it, which could hold a part of it."""
    with pytest.raises(AttributeError):
        Secret(canary()).note = "x"  # type: ignore[attr-defined]


def test_a_credential_is_a_pair() -> None:
    """A user name and a password, by position and by name."""
    username, password = credential = Credential("me", Secret(canary()))
    assert (credential.username, credential.password) == (username, password) == ("me", canary())


# -- where values are shown ------------------------------------------------------

SHOWN: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "!r": lambda v: f"{v!r}",
    "%r": lambda v: "%r" % (v,),  # noqa: UP031
    "ascii": ascii,
    "%a": lambda v: "%a" % (v,),  # noqa: UP031
    "a list": lambda v: str([v]),
    "a dict": lambda v: str({"a": v, "b": (v, {v})}),
    "a tuple": lambda v: str((v,)),
    "a credential": lambda v: str(Credential("me", v)) + repr(Credential("me", v)),
    "a dataclass": lambda v: repr(Login(v)) + str(Login(v)),
    "an exception's repr": lambda v: repr(ValueError(v)) + repr(KeyError(v)) + str(KeyError(v)),
    "pprint": lambda v: pprint.pformat({"a": [v, [v] * 30]}),
    "reprlib": lambda v: reprlib.repr([v]) + reprlib.repr(v),
    "the beginning, as rich shows it": lambda v: f"{v[:80]!r}+{len(v) - 80}",
    "an asyncio future": lambda v: asyncio_reprs(v),
    "a Deferred": lambda v: repr(succeed(v)) + str(succeed([v])),
}


def asyncio_reprs(value: object) -> str:
    """What asyncio shows of a Future and a Task that have a value."""

    async def main() -> str:
        future = asyncio.get_running_loop().create_future()
        future.set_result(value)
        task = asyncio.create_task(finished(value), name="canary's task")
        await task
        both = f"{future!r} {task!r}"
        assert both.count("result=") == 2
        return both

    return asyncio.run(main())


@pytest.mark.parametrize("way", SHOWN)
def test_nothing_of_a_secret_is_shown(way: str) -> None:
    """A Secret shows three dots where a str shows itself."""
    assert canary() not in SHOWN[way](Secret(canary()))
    assert canary() in SHOWN[way](canary())  # a str would have been seen


@given(st.text())
def test_every_repr_is_the_same(text: str) -> None:
    """Neither a character nor the length shows."""
    assert repr(Secret(text)) == repr(Secret("")) == "Secret('…')"


def test_a_traceback_with_locals_shows_nothing() -> None:
    """As cgitb, rich and error trackers make them."""

    def report(value: str) -> str:
        try:
            failing(value)
        except ValueError as error:
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
            return "".join(shown.format())
        raise AssertionError

    assert "password = " in report(Secret(canary()))
    assert canary() not in report(Secret(canary()))
    assert canary() in report(canary())


@pytest.mark.parametrize("detail", ["brief", "default", "verbose"])
def test_a_twisted_failure_with_locals_shows_nothing(detail: str) -> None:
    """Nor its traceback in any detail, nor what it is as a log event."""

    def report(value: str) -> str:
        try:
            failing(value)
        except ValueError:
            failure = Failure(captureVars=True)  # type: ignore[no-untyped-call]
        event = {"log_failure": failure, "log_format": "{value!r}", "value": value}
        return "".join(
            [
                failure.getTraceback(detail=detail),
                repr(failure),
                str(failure.frames),
                str(formatEventAsClassicLogText({**event, "log_time": 0.0})),
            ]
        )

    shown = report(Secret(canary()))  # outside the assert: pytest keeps its parts in locals
    assert canary() not in shown
    assert canary() in report(canary())


def test_logging_shows_nothing() -> None:
    """With %r, in a container, or in the traceback of an exception that was logged."""
    stream = io.StringIO()
    logger = logging.Logger("canary")
    logger.addHandler(logging.StreamHandler(stream))
    for value in (Secret(canary()), Credential("me", Secret(canary())), [Secret(canary())]):
        logger.info("here: %r", value)
        logger.info("here: %s", {"value": value})
    try:
        failing(Secret(canary()))
    except ValueError:
        logger.exception("it failed")
    assert stream.getvalue().count("here") == 6
    assert "Traceback" in stream.getvalue()
    assert canary() not in stream.getvalue()


# -- what may be a secret --------------------------------------------------------

FIT: dict[str, tuple[bytes | str, str]] = {
    "bytes": (b"canary-\xe2\x82\xac", "canary-€"),
    "text": ("canary-€", "canary-€"),
    "a byte of a variable that is not UTF-8": ("canary-\udcff", "canary-\udcff"),
    "nothing": (b"", ""),
    "as much as is read": (b"x" * READ_LIMIT, "x" * READ_LIMIT),
}

UNFIT: dict[str, bytes | str] = {
    "not UTF-8": b"canary-\xff",
    "not Unicode": "canary-\ud800",
    "a NUL byte": b"canary-\0",
    "a NUL byte in text": "canary-\0",
    "too long": b"canary-".ljust(READ_LIMIT + 1, b"x"),
    "too long in UTF-8": "€" * (READ_LIMIT // 3 + 1),
}


@pytest.mark.parametrize("what", FIT)
def test_a_text_becomes_a_secret(what: str) -> None:
    """UTF-8 does, and the text that stands for other bytes in variables."""
    data, expected = FIT[what]
    found = to_secret(data)
    assert isinstance(found, Secret)
    assert found == expected


@pytest.mark.parametrize("what", UNFIT)
def test_a_text_that_cannot_be_a_secret_is_refused_unseen(what: str) -> None:
    """One error says why; neither it nor its traceback with locals shows the text."""

    def refusal() -> NotASecret:
        with pytest.raises(NotASecret) as caught:
            to_secret(UNFIT[what])
        return caught.value

    error = refusal()
    assert str(error)
    assert error.__context__ is None  # a decoding error would hold the bytes
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in shown.stack if frame.name == "to_secret"]
    assert ours
    assert not any("canary" in value or "€" in value for f in ours for value in f.locals.values())


def test_limits_and_nul_bytes_are_the_callers_choice() -> None:
    """What was stored is given back as it is."""
    assert to_secret(b"canary-\0", nul=True) == "canary-\0"
    assert len(to_secret(b"x" * (READ_LIMIT + 1), limit=None)) == READ_LIMIT + 1


@pytest.mark.parametrize(
    ("end", "left"),
    [("", ""), ("\n", ""), ("\r\n", ""), ("\n\n", "\n"), ("\r", "\r"), ("\n\r\n", "\n")],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_one_line_end_and_a_byte_order_mark_are_removed(end: str, left: str, mark: str) -> None:
    """This applies to files and to output of programs. Other texts stay unchanged."""
    data = f"{mark}canary-1{end}"
    assert to_secret(data) == data
    assert to_secret(data, trim=True) == f"canary-1{left}"
    assert to_secret(data.encode(), trim=True) == f"canary-1{left}"


PEM = "-----BEGIN PRIVATE KEY-----\ncanary-1\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (PEM, False),
        (PEM.replace("\n", "\\n"), False),
        (PEM.partition("\n")[0], True),
        (f" {PEM.partition(chr(10))[0]}\r", True),
        (PEM.rpartition("\n")[0], True),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", True),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", True),
        ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", True),
        ("PuTTY-User-Key-File-3: ssh-ed25519", True),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none", False),
        ("# created: 2026-01-01T00:00:00Z", True),
        (f"{PEM}{PEM.partition(chr(10))[0]}", True),
        (f"{PEM}{PEM}", False),
        (f"Bag Attributes\n  friendlyName: a\n{PEM.partition(chr(10))[0]}\nMIIB", True),
        (f"Bag Attributes\n  friendlyName: a\n{PEM}", False),
        ("{", True),
        ('{"a": "canary-1"}', False),
        ("canary-1", False),
        ("", False),
    ],
)
def test_a_block_without_its_end_is_known(text: str, cut: bool) -> None:
    """The first line of a key file is never the whole key, and each block needs its end."""
    assert is_cut_short(text) is cut


# -- the environment -------------------------------------------------------------


def test_an_environment_shows_no_value() -> None:
    """Variables may hold other secrets: the repr of an environment shows how many there are."""
    found = Environ({"TOKEN": "canary-1", "PATH": "/bin"})
    assert repr(found) == "<environment of 2 variables>"
    assert found["TOKEN"] == "canary-1"
