"""Test how secretly reads and narrows PyPI's tokens, and compare the results with pypitoken's.

pypitoken verifies a token as PyPI does. On purpose, secretly differs from pypitoken in two ways:

* secretly rejects tokens that no index writes. Examples are a location that is not a host name,
  characters outside base64, fields for third parties, bytes after the end, and a caveat that is
  not JSON.
* secretly accepts restrictions that only the index understands.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest
import tokens
from hypothesis import given
from hypothesis import strategies as st
from tokens import KEY, TOKEN, token

from secretly.errors import BadToken
from secretly.publishing.pypi_token import PREFIX, TokenScope, is_pypi_token, narrow, token_scope
from secretly.redacted import Secret


@pytest.fixture(scope="module")
def pypitoken() -> Any:
    """Return pypitoken, the library that these tests compare secretly with."""
    return tokens.need_pypitoken()


@pytest.mark.parametrize(
    "before",
    ["", " ", "\t \n", "\ufeff", "\u200b", "\u00a0", "'", '"', " '", '\ufeff"', "\u201c", "\x00"],
)
def test_a_token_is_recognized_with_other_text_before_it(before: str) -> None:
    """secretly recognizes such a token and refuses it: the tool would send the other text too."""
    assert is_pypi_token(f"{before}{TOKEN}")
    assert is_pypi_token(f"{before}pypi-")
    if before:
        with pytest.raises(BadToken):
            token_scope(f"{before}{TOKEN}")


@pytest.mark.parametrize("before", ["TOKEN=", "' ", '""', "a b ", "https://user:", "x", "my-"])
def test_a_token_copied_with_its_line_is_recognized(before: str) -> None:
    """The user may copy the whole line of a settings file together with the token."""
    assert is_pypi_token(f"{before}{TOKEN}")


@pytest.mark.parametrize(
    "value", ["", "canary", "PYPI-AgE", "xpypi-AgE", "a pypi-AgE", "pypi", "-pypi-x", " py pi-"]
)
def test_a_password_is_not_a_token(value: str) -> None:
    """A password may have the prefix in its middle."""
    assert not is_pypi_token(value)


def bytes_of(text: str) -> bytes:
    """Return the macaroon in a token, as bytes."""
    text = text.removeprefix(PREFIX)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def token_of(data: bytes) -> str:
    """Return the token that contains these bytes."""
    return PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int) -> bytes:
    """Encode a number in groups of seven bits, the lowest group first."""
    groups = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def field(kind: int, data: bytes) -> bytes:
    """Encode a field of a macaroon."""
    return number(kind) + number(len(data)) + data


class Parts(NamedTuple):
    """The parts of a macaroon."""

    location: bytes = b"pypi.example"
    identifier: bytes = b"canary-token"
    caveats: tuple[bytes, ...] = ()
    signature: bytes = b"canary-signature-of-32-bytes-000"

    @property
    def signed(self) -> tuple[bytes, tuple[bytes, ...], bytes]:
        """Everything except the location, which is not signed."""
        return self.identifier, self.caveats, self.signature

    @property
    def token(self) -> str:
        """The parts as a token."""
        return written(
            field(1, self.location) + field(2, self.identifier),
            *(field(2, caveat) for caveat in self.caveats),
            signature=field(6, self.signature),
        )


def written(*sections: bytes, signature: bytes = field(6, Parts().signature)) -> str:
    """Return a token with these sections: the head, and one section for each caveat."""
    return token_of(b"\2" + b"".join(part + b"\0" for part in sections) + b"\0" + signature)


def parsed(pypitoken: Any, text: str) -> Parts:
    """Return the parts of a token, as pypitoken reads them."""
    macaroon = pypitoken.Token.load(text)._macaroon
    return Parts(
        macaroon.location.encode(),
        macaroon.identifier_bytes,
        tuple(caveat.caveat_id_bytes for caveat in macaroon.caveats),
        bytes.fromhex(macaroon.signature),
    )


def good(pypitoken: Any, text: str, project: str, now: int) -> bool:
    """Return whether pypitoken accepts a token for an upload to this project at this time."""
    try:
        pypitoken.Token.load(text).check(KEY, project_name=project, now=now)
    except (pypitoken.PyPITokenException, ValueError):
        return False  # ValueError: pypitoken expects at most one caveat to fail
    return True


def allowed(scope: TokenScope, project: str, now: int) -> bool:
    """Return whether a token allows an upload, as secretly reads the token."""
    started = scope.not_before is None or scope.not_before <= now
    ended = scope.expires is not None and scope.expires <= now
    return started and not ended and not scope.lacks([project]) and not scope.others


# -- what a token allows ---------------------------------------------------------


def test_a_token_without_restrictions_allows_everything() -> None:
    """A token without restrictions is valid for all of its user's projects, at any time."""
    assert token_scope(TOKEN) == TokenScope("pypi.example", None, None, None, 0)


@pytest.mark.parametrize("location", ["pypi.example", "test.pypi.example", "127.0.0.1"])
def test_the_location_is_returned_in_lower_case(location: str) -> None:
    """Host names ignore case."""
    assert token_scope(token(location)).location == location
    assert token_scope(token(location.upper())).location == location


@pytest.mark.parametrize(
    ("caveats", "projects"),
    [
        ([[1, ["demo"]]], {"demo"}),
        ([[1, ["demo", "other"]]], {"demo", "other"}),
        ([{"version": 1, "permissions": {"projects": ["demo"]}}], {"demo"}),
        ([[1, ["a", "b"]], [1, ["b", "c"]]], {"b"}),
        ([[1, ["a", "b"]], {"version": 1, "permissions": {"projects": ["b", "c"]}}], {"b"}),
        ([[1, ["a", "b"]], [1, ["b", "c"]], [1, ["c", "a"]]], set()),
        ([[1, []]], set()),
        ([{"version": 1, "permissions": "user"}, [1, ["demo"]]], {"demo"}),
        ([{"version": 1, "permissions": "user"}], None),
    ],
)
def test_the_projects_are_those_of_every_caveat(
    caveats: list[Any], projects: set[str] | None
) -> None:
    """In both of PyPI's forms, a project must be in every caveat."""
    assert token_scope(token("pypi.example", *caveats)) == TokenScope(
        "pypi.example", None if projects is None else frozenset(projects)
    )


@pytest.mark.parametrize(
    ("caveats", "not_before", "expires"),
    [
        ([[0, 2000, 1000]], 1000, 2000),
        ([{"nbf": 1000, "exp": 2000}], 1000, 2000),
        ([[0, 2000, 1000], [0, 3000, 1500]], 1500, 2000),
        ([[0, 2000, 1000], {"nbf": 500, "exp": 1200}], 1000, 1200),
        ([[0, 0, 0]], 0, 0),
        ([[0, -5, -10]], -10, -5),
        ([[0, 10**30, 0]], 0, 10**30),
    ],
)
def test_the_time_is_that_of_every_caveat(
    caveats: list[Any], not_before: int, expires: int
) -> None:
    """In both forms, the latest start and the earliest end count."""
    scope = token_scope(token("pypi.example", *caveats))
    assert scope == TokenScope("pypi.example", None, not_before, expires)


@pytest.mark.parametrize(
    "caveat",
    [
        [2, ["00000000-0000-0000-0000-000000000000"]],
        [3, "00000000-0000-0000-0000-000000000000"],
        [4, "canary-publisher"],
        [5],
        [0, 2000],
        [0, 2000, 1000, 0],
        [0, "2000", "1000"],
        [0, 2000.0, 1000],
        [False, 2000, 1000],
        [0, True, False],
        [1, "demo"],
        [1, ["demo", 1]],
        [1],
        {"nbf": 1000, "exp": 2000, "more": 1},
        {"nbf": 1000},
        {"nbf": "1000", "exp": 2000},
        {"version": 2, "permissions": {"projects": ["demo"]}},
        {"version": 1, "permissions": "all"},
        {"version": 1, "permissions": {"projects": "demo"}},
        {},
        [],
        "demo",
        1,
        None,
    ],
    ids=repr,
)
def test_unknown_restrictions_are_counted(caveat: Any) -> None:
    """secretly counts the restrictions that it can't interpret."""
    assert token_scope(token("pypi.example", caveat)) == TokenScope("pypi.example", others=1)
    both = token_scope(token("pypi.example", caveat, [1, ["demo"]], caveat))
    assert both == TokenScope("pypi.example", frozenset({"demo"}), others=2)


def test_the_projects_that_a_token_lacks_are_named() -> None:
    """Each missing project is named once, in order. A token for all projects lacks none."""
    scope = token_scope(token("pypi.example", [1, ["demo", "other"]]))
    assert scope.lacks(["demo"]) == []
    assert scope.lacks(["demo", *"zfbdcaez", "other"]) == list("abcdefz")
    assert scope.lacks([]) == []
    assert token_scope(TOKEN).lacks(["demo", "other"]) == []
    assert token_scope(token("pypi.example", [1, []])).lacks(["demo"]) == ["demo"]


def test_a_token_is_described_in_lines() -> None:
    """Index, projects and end are on separate lines."""
    assert token_scope(TOKEN).described() == [
        "index: pypi.example",
        "projects: not limited by the token itself; the index may know more",
        "expires: not limited by the token itself; the index may know more",
    ]
    start, end = 1_000_000_000, 2_000_000_000
    caveats = [[1, ["other", "demo"]], [0, end, start], [3, "canary-user"]]
    day = "%Y-%m-%d %H:%M"
    assert token_scope(token("test.pypi.example", *caveats)).described() == [
        "index: test.pypi.example",
        "projects: demo, other",
        f"good from: {time.strftime(day, time.localtime(start))}",
        f"expires: {time.strftime(day, time.localtime(end))}",
        "further restrictions, which only the index can judge: 1",
    ]


def test_a_token_for_no_project_is_described_as_such() -> None:
    """Two caveats without a common project allow none, which differs from allowing all."""
    scope = token_scope(token("pypi.example", [1, ["a"]], [1, ["b"]]))
    assert "projects: none" in scope.described()


@pytest.mark.parametrize("end", [10**11, 10**30, 10**4000, -1, -(10**11), -(10**30)])
def test_a_time_that_no_calendar_has_is_described(end: int) -> None:
    """A year that is too large is shown as a number."""
    lines = token_scope(token("pypi.example", [0, end, -end])).described()
    assert [line.partition(":")[0] for line in lines[2:]] == ["good from", "expires"]


def test_odd_names_are_escaped() -> None:
    """A stranger's token can't send escape sequences to the user's terminal."""
    names = ["\x1b[2J", "a\nprojects: all", "\u202egnp", "\ud800"]
    lines = token_scope(token("pypi.example", [1, names])).described()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


# -- narrowing -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "scope"),
    [
        (
            {"not_before": 940, "expires": 1900, "projects": ["demo"]},
            TokenScope("pypi.example", frozenset({"demo"}), 940, 1900),
        ),
        ({"expires": 1900}, TokenScope("pypi.example", None, 0, 1900)),
        ({"projects": ["b", "a"]}, TokenScope("pypi.example", frozenset({"a", "b"}))),
        ({"projects": []}, TokenScope("pypi.example", frozenset())),
        ({"expires": 0}, TokenScope("pypi.example", None, 0, 0)),
        ({"not_before": 940}, TokenScope("pypi.example")),
        ({}, TokenScope("pypi.example")),
    ],
)
def test_a_narrowed_token_says_what_it_was_narrowed_to(
    options: dict[str, Any], scope: TokenScope
) -> None:
    """A start needs an end. Values that are not given stay unchanged."""
    assert token_scope(narrow(TOKEN, **options)) == scope


def test_narrowing_equals_pypitokens(pypitoken: Any) -> None:
    """secretly and pypitoken narrow a token to the same bytes."""
    theirs = pypitoken.Token.load(TOKEN)
    theirs.restrict(not_before=940, not_after=1900, project_names=["a", "b"])
    ours = narrow(TOKEN, not_before=940, expires=1900, projects=["b", "a"])
    assert str(ours) == theirs.dump().rstrip("=")


def test_a_narrowed_token_can_be_narrowed_again() -> None:
    """The new token never allows more, whatever the user asks for."""
    once = narrow(TOKEN, not_before=100, expires=200, projects=["a", "b"])
    twice = narrow(once, not_before=50, expires=500, projects=["b", "c"])
    assert token_scope(twice) == TokenScope("pypi.example", frozenset({"b"}), 100, 200)
    assert bytes_of(twice).startswith(bytes_of(once)[:-35])  # all but the end and the signature


def test_a_token_with_padding_is_read() -> None:
    """A copied token may end with '=' or not."""
    for identifier in ("canary-1", "canary-12", "canary-123"):
        bare = token(identifier=identifier)
        padded = bare + "=" * (-(len(bare) - len(PREFIX)) % 4)
        assert token_scope(padded) == token_scope(bare)
        assert narrow(padded, expires=5) == narrow(bare, expires=5)


@pytest.mark.parametrize("size", [1, 127, 128, 16383, 16384, 100_000])
def test_long_fields_are_read_and_written(size: int, pypitoken: Any) -> None:
    """A length has one byte for every seven bits."""
    theirs = pypitoken.Token.create("pypi.example", "x" * size, KEY)
    assert token_scope(theirs.dump()) == TokenScope("pypi.example")
    ours = narrow(theirs.dump(), expires=1900, not_before=940)
    assert str(ours) == theirs.restrict(not_before=940, not_after=1900).dump().rstrip("=")


def test_no_repr_shows_a_narrowed_token() -> None:
    """A narrowed token is a secret too, for as long as it is valid."""
    narrowed = narrow(TOKEN, expires=1900)
    assert isinstance(narrowed, Secret)
    assert repr(narrowed) == "Secret('…')"
    assert f"{narrowed}".startswith(PREFIX)


# -- malformed tokens ------------------------------------------------------------

_HEAD = field(1, b"pypi.example") + field(2, b"canary-token")
_END = b"\0\0" + field(6, Parts().signature)
_VID = field(2, b"canary-caveat") + field(4, b"canary-verification")

#: Kinds of malformed tokens.
MALFORMED = {
    "empty": "",
    "the prefix alone": PREFIX,
    "no prefix": TOKEN.removeprefix(PREFIX),
    "another prefix": TOKEN.replace(PREFIX, "npm_"),
    "the prefix in capitals": TOKEN.replace(PREFIX, "PyPI-"),
    "white space before it": f" {TOKEN}",
    "white space after it": f"{TOKEN} ",
    "a newline after it": f"{TOKEN}\n",
    "a newline in it": f"{TOKEN[:20]}\n{TOKEN[20:]}",
    "in quotes": f'"{TOKEN}"',
    "base64 that is not for URLs": f"{TOKEN[:20]}+/{TOKEN[22:]}",
    "letters outside ASCII": f"{TOKEN[:20]}äé{TOKEN[22:]}",
    "digits outside ASCII": f"{TOKEN[:20]}١٢{TOKEN[22:]}",
    "a surrogate": f"{TOKEN[:20]}\udc80{TOKEN[21:]}",
    "NUL": f"{TOKEN[:20]}\0{TOKEN[21:]}",
    "padding in it": f"{TOKEN[:21]}=={TOKEN[23:]}",
    "padding alone": f"{PREFIX}==",
    "too much padding": f"{TOKEN}===",
    "twice": TOKEN + TOKEN,
    "a length that no bytes have": token_of(b"\2" + _HEAD + _END)[: len(PREFIX) + 21],
    "one letter": f"{PREFIX}A",
    "not base64 at all": f"{PREFIX}canary-0123456789",
    "format 1": token_of(b"0016location pypi.example\n001dcanary-identifier\n"),
    "format 1, by pymacaroons": token_of(b"MDAxY2xvY2F0aW9u"),
    "format 3": token_of(b"\3" + _HEAD + _END),
    "JSON": token_of(b'{"v":2,"l":"pypi.example","i":"canary-token"}'),
    "the version alone": token_of(b"\2"),
    "no location": written(field(2, b"canary-token")),
    "an empty location": Parts(location=b"").token,
    "a location outside ASCII": Parts(location="pypi.exämple".encode()).token,
    "a location that is not text": Parts(location=b"\xff\xfe").token,
    "a location with a line feed": Parts(location=b"pypi.example\n").token,
    "a location with an escape": Parts(location=b"pypi.example\x1b[2J").token,
    "a location with a user": Parts(location=b"canary@pypi.example").token,
    "a location with a path": Parts(location=b"pypi.example/canary").token,
    "no identifier": written(field(1, b"pypi.example")),
    "an empty head": written(b""),
    "two locations": written(field(1, b"a.example") + _HEAD),
    "two identifiers": written(_HEAD + field(2, b"canary-other")),
    "the wrong order": written(field(2, b"canary-token") + field(1, b"pypi.example")),
    "an unknown field": written(_HEAD + field(3, b"canary")),
    "a signature in the head": written(_HEAD + field(6, Parts().signature)),
    "a caveat with a location": written(_HEAD, field(1, b"pypi.example") + field(2, b"[5]")),
    "a caveat of a third party": written(_HEAD, field(1, b"other.example") + _VID),
    "a caveat with a vid field": written(_HEAD, _VID),
    "a caveat that is a location": written(_HEAD, field(1, b"[5]")),
    "a caveat of two": written(_HEAD, field(2, b"[5]") + field(2, b"[5]")),
    "a caveat without an end": token_of(b"\2" + _HEAD + b"\0" + field(2, b"[5]") + _END[1:]),
    "no end of the caveats": token_of(b"\2" + _HEAD + _END[1:]),
    "no signature": token_of(b"\2" + _HEAD + b"\0\0"),
    "an identifier for a signature": written(_HEAD, signature=field(2, Parts().signature)),
    "an empty signature": written(_HEAD, signature=field(6, b"")),
    "a signature of 31 bytes": written(_HEAD, signature=field(6, b"c" * 31)),
    "a signature of 33 bytes": written(_HEAD, signature=field(6, b"c" * 33)),
    "two signatures": token_of(b"\2" + _HEAD + _END + _END[2:]),
    "an end after the signature": token_of(b"\2" + _HEAD + _END + b"\0"),
    "one byte after the end": token_of(b"\2" + _HEAD + _END + b"c"),
    "a length beyond the end": token_of(b"\2" + field(1, b"pypi.example") + b"\2\x7fcanary"),
    "an enormous length": token_of(b"\2\1" + number(2**34) + b"canary"),
    "a length without an end": token_of(b"\2\1" + b"\xff" * 400),
    "a length of too many bytes": token_of(
        b"\2\1\x8c" + b"\x80" * 5 + b"\0pypi.example" + field(2, b"canary-token") + _END
    ),
    "a field's kind without an end": token_of(b"\2" + b"\x81" * 400),
    "an enormous kind": token_of(b"\2" + number(2**34) + b"\1c"),
    "an end with bits to spare": token_of(b"\2" + _HEAD + b"\0\x80\0" + _END[2:]),
    "zeros": token_of(b"\2" + bytes(400)),
    "an empty caveat": Parts(caveats=(b"",)).token,
    "a caveat that is not JSON": Parts(caveats=(b"canary",)).token,
    "a caveat that is cut": Parts(caveats=(b'[1, ["canary"]',)).token,
    "a caveat that is not text": Parts(caveats=(b'["\xff"]',)).token,
    "a caveat with something after it": Parts(caveats=(b"[5] canary",)).token,
    "the second caveat is not JSON": Parts(caveats=(b"[5]", b"canary")).token,
    "an enormous number in a caveat": Parts(caveats=(b"[0, " + b"1" * 5000 + b", 0]",)).token,
    "a hundred thousand lists in a caveat": Parts(caveats=(b"[" * 100_000,)).token,
    "a hundred thousand tables": Parts(caveats=(b'{"a":' * 100_000,)).token,
}


def trouble(text: str) -> str:
    """Return the error and the hint for a text. Reading and narrowing raise the same error."""
    with pytest.raises(BadToken) as caught:
        token_scope(text)
    with pytest.raises(BadToken) as again:
        narrow(text, expires=1900, projects=["demo"])
    assert str(again.value) == str(caught.value)
    assert caught.value.hint
    return f"{caught.value}\n{caught.value.hint}"


@pytest.fixture(scope="module")
def sentences() -> set[str]:
    """Return the messages about all malformed tokens."""
    return {trouble(text) for text in MALFORMED.values()}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_token_raises_bad_token(kind: str) -> None:
    """The error has a hint and doesn't contain the token."""
    text = MALFORMED[kind]
    said = trouble(text)
    assert all(line.isprintable() for line in said.splitlines())
    assert "canary" not in said
    body = text.removeprefix(PREFIX)
    assert not any(body[i : i + 8] in said for i in range(len(body) - 7))


def test_malformed_tokens_have_different_messages(sentences: set[str]) -> None:
    """Six messages cover all malformed tokens, so the user learns what is wrong."""
    kinds = (
        "no prefix",
        "a newline after it",
        "format 1",
        "one byte after the end",
        "a location with a user",
        "a caveat that is not JSON",
    )
    assert {trouble(MALFORMED[kind]) for kind in kinds} == sentences
    assert len(sentences) == len(kinds)


@pytest.mark.parametrize("caveats", [[], [[1, ["demo"]], [0, 2000, 1000]]], ids=["bare", "scoped"])
def test_a_token_that_is_cut_anywhere_is_malformed(caveats: list[Any], sentences: set[str]) -> None:
    """A token that is cut after any byte or character is refused, instead of allowing more."""
    text = token("pypi.example", *caveats)
    data = bytes_of(text)
    for end in range(len(data)):
        assert trouble(token_of(data[:end])) in sentences
    for end in range(len(text)):
        assert trouble(text[:end]) in sentences
    assert token_scope(text).location == "pypi.example"


def test_a_token_with_anything_added_is_malformed() -> None:
    """A byte added at the end, or a zero byte added anywhere, makes a token malformed."""
    data = bytes_of(token("pypi.example", [1, ["demo"]]))
    malformed = trouble(MALFORMED["one byte after the end"])
    for byte in range(256):
        assert trouble(token_of(data + bytes([byte]))) == malformed
        assert trouble(token_of(data + bytes([byte]) * 40)) == malformed
    for at in range(len(data)):
        longer = token_of(data[:at] + b"\0" + data[at:])
        with pytest.raises(BadToken):
            token_scope(longer)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("kind", [kind for kind in MALFORMED if "hundred" not in kind])
def test_a_traceback_with_locals_shows_no_token(kind: str) -> None:
    """Error trackers make such tracebacks, and show the contents of local variables."""
    text = MALFORMED[kind]
    shown = []
    for read in (token_scope, lambda text: narrow(text, expires=1900, projects=["demo"])):
        with pytest.raises(BadToken) as caught:
            read(Secret(text))
        for error in chain(caught.value):
            assert error.__traceback__ is not None
            for frame, _ in traceback.walk_tb(error.__traceback__.tb_next):
                for value in frame.f_locals.values():
                    shown.append(repr(value))
                    with contextlib.suppress(TypeError):
                        shown.append(repr(vars(value)))
    both = "\n".join(shown)
    assert "Secret('…')" in both
    assert "canary" not in both
    body = text.removeprefix(PREFIX)
    assert not any(body[i : i + 8] in both for i in range(len(body) - 7))


# -- any token -------------------------------------------------------------------

NAMES = st.sampled_from(["demo", "other", "a-b", "x1", "0"])
PROJECTS = st.lists(NAMES, unique=True, max_size=3)
MOMENTS = st.integers(1, 12) | st.integers(1, 2**40)
IDS = st.uuids().map(str)

#: Restrictions: options of pypitoken, or the text of a restriction that pypitoken doesn't know.
RESTRICTIONS = st.one_of(
    st.builds(dict, project_names=PROJECTS),
    st.builds(dict, not_before=st.integers(1, 6), not_after=MOMENTS),
    st.builds(dict, legacy_project_names=PROJECTS),
    st.builds(dict, legacy_not_before=st.integers(1, 6), legacy_not_after=MOMENTS),
    st.just({"legacy_noop": True}),
    st.one_of(
        st.builds(dict, project_ids=st.lists(IDS, max_size=2)),
        st.builds(dict, user_id=IDS),
        st.sampled_from(["[4, null]", "[5]", "{}", "[]", '"demo"', "1", "null", "[1]", "[0, 9]"]),
    ),
)

HEADS = st.fixed_dictionaries(
    {
        "domain": st.sampled_from(["pypi.example", "test.pypi.example", "127.0.0.1:8080"])
        | st.from_regex(r"[A-Za-z0-9.:-]{1,150}", fullmatch=True),
        "identifier": st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
        | st.text("canry", min_size=120, max_size=300),
    }
)


class Narrowing(NamedTuple):
    """The restrictions that a token is narrowed to."""

    not_before: int | None
    expires: int | None
    projects: list[str] | None


NARROWINGS = st.builds(
    Narrowing, st.none() | st.integers(0, 6), st.none() | MOMENTS, st.none() | PROJECTS
)


def made(pypitoken: Any, head: dict[str, str], restrictions: Sequence[Any]) -> str:
    """Return a token that pypitoken makes."""
    new_token = pypitoken.Token.create(key=KEY, **head)
    for restriction in restrictions:
        if isinstance(restriction, str):
            new_token._macaroon.add_first_party_caveat(restriction)
        else:
            new_token.restrict(**restriction)
    dumped: str = new_token.dump()
    return dumped


@given(
    head=HEADS,
    restrictions=st.lists(RESTRICTIONS, max_size=2),
    narrowing=NARROWINGS,
    project=NAMES,
    now=st.integers(0, 13) | MOMENTS,
)
def test_secretly_and_pypitoken_agree_about_a_narrowed_token(
    pypitoken: Any,
    head: dict[str, str],
    restrictions: list[Any],
    narrowing: Narrowing,
    project: str,
    now: int,
) -> None:
    """For any project and time, secretly reads from the token what pypitoken allows."""
    # pypitoken denies restrictions to IDs, to users and of unknown kinds, because this test names
    # no ID and no user. So allowed() denies these restrictions too.
    narrowed = narrow(made(pypitoken, head, restrictions), **narrowing._asdict())
    assert good(pypitoken, narrowed, project, now) == allowed(token_scope(narrowed), project, now)


@given(
    caveats=st.lists(
        st.builds(lambda start, end: [0, end, start], MOMENTS, MOMENTS)
        | st.builds(lambda names: [1, names], PROJECTS)
        | st.just([3, "canary-user"]),
        max_size=4,
    ),
    narrowing=NARROWINGS,
    project=NAMES,
    now=MOMENTS,
)
def test_narrowing_never_adds(
    caveats: list[Any], narrowing: Narrowing, project: str, now: int
) -> None:
    """The new token allows what the old token did, within the new restrictions."""
    before = token_scope(token("pypi.example", *caveats))
    after = token_scope(narrow(token("pypi.example", *caveats), **narrowing._asdict()))
    start, end, projects = narrowing
    within = (end is None or (start or 0) <= now < end) and (
        projects is None or project in projects
    )
    assert allowed(after, project, now) == (allowed(before, project, now) and within)
    assert (after.location, after.others) == (before.location, before.others)


@given(
    head=HEADS,
    restrictions=st.lists(RESTRICTIONS, max_size=4),
    start=MOMENTS,
    end=MOMENTS,
    projects=PROJECTS,
)
def test_narrowing_gives_pypitokens_own_bytes(
    pypitoken: Any,
    head: dict[str, str],
    restrictions: list[Any],
    start: int,
    end: int,
    projects: list[str],
) -> None:
    """Whatever token pypitoken made, both libraries restrict it to the same bytes."""
    whole = made(pypitoken, head, restrictions)
    theirs = pypitoken.Token.load(whole).restrict(
        not_before=start, not_after=end, project_names=sorted(projects)
    )
    ours = narrow(whole, not_before=start, expires=end, projects=projects)
    assert str(ours) == theirs.dump()
    assert str(narrow(whole)) == whole


# JSON that resembles PyPI's caveats.
LEAVES = st.sampled_from(
    [0, 1, 2, 9, 0.0, 1.0, 2.0, 9.0, -1, 10**30, True, False, None, "demo", "user", "My.Demo", ""]
)
LISTS = st.lists(st.sampled_from(["demo", "other", "My.Demo", 1]), max_size=2)
NEARLY = st.one_of(
    st.builds(lambda tag, a, b: [tag, a, b], st.sampled_from([0, 0.0, False, 1]), LEAVES, LEAVES),
    st.builds(lambda tag, a: [tag, a], st.sampled_from([1, 1.0, True, 0]), LISTS | LEAVES),
    st.dictionaries(st.sampled_from(["nbf", "exp", "more"]), LEAVES, min_size=2),
    st.builds(
        lambda version, permissions, more: {"version": version, "permissions": permissions} | more,
        st.sampled_from([1, 1.0, True, 2]),
        LEAVES | st.dictionaries(st.sampled_from(["projects", "more"]), LISTS | LEAVES),
        st.sampled_from([{}, {}, {"more": 1}]),
    ),
    st.lists(LEAVES | LISTS, max_size=4),
    LEAVES,
)


@given(caveat=NEARLY, project=st.sampled_from(["demo", "other"]), now=st.integers(0, 10))
def test_a_caveat_like_pypis_refuses_nothing_that_the_index_allows(
    pypitoken: Any, caveat: Any, project: str, now: int
) -> None:
    """secretly refuses a project or a time only if pypitoken refuses it too."""
    # The converse is false: pypitoken rejects names that aren't normalized, and additional keys.
    # PyPI accepts them, and so does secretly.
    text = token("pypi.example", caveat)
    if not allowed(token_scope(text)._replace(others=0), project, now):
        assert not good(pypitoken, text, project, now)


# -- attacks ---------------------------------------------------------------------


class Attack(NamedTuple):
    """The knowledge of an attacker who lacks the key.

    :param parts: the parts of the narrowed token.
    :param before: the signature of the original token.
    :param other: the signature of another token with the same restrictions.
    :param first: a number that selects what to change, like *second*.
    """

    parts: Parts
    before: bytes
    other: bytes
    first: int
    second: int

    def stripped(self) -> str:
        """Remove one restriction."""
        caveats, at = self.parts.caveats, self.first % len(self.parts.caveats)
        return self.parts._replace(caveats=caveats[:at] + caveats[at + 1 :]).token

    def bare(self) -> str:
        """Remove all restrictions."""
        return self.parts._replace(caveats=()).token

    def swapped(self) -> str:
        """Swap two restrictions."""
        caveats = list(self.parts.caveats)
        one, two = self.first % len(caveats), self.second % len(caveats)
        caveats[one], caveats[two] = caveats[two], caveats[one]
        return self.parts._replace(caveats=tuple(caveats)).token

    def widened(self) -> str:
        """Make one restriction allow more, or something else."""
        caveats = list(self.parts.caveats)
        at = self.first % len(caveats)
        caveats[at] = json.dumps(wider(json.loads(caveats[at]), self.second)).encode()
        return self.parts._replace(caveats=tuple(caveats)).token

    def another_user(self) -> str:
        """Replace the token's identifier."""
        return self.parts._replace(identifier=self.parts.identifier + b"x").token

    def signed_as_before(self) -> str:
        """Give the token the signature of the original token."""
        return self.parts._replace(signature=self.before).token

    def signed_as_another(self) -> str:
        """Give the token the signature of another token."""
        return self.parts._replace(signature=self.other).token

    def flipped(self) -> str:
        """Flip one bit."""
        data = bytearray(bytes_of(self.parts.token))
        data[self.first % len(data)] ^= 1 << self.second % 8
        return token_of(bytes(data))


def wider(caveat: Any, number: int) -> Any:
    """Return a restriction that allows more."""
    match caveat:
        case [0, int(end), start]:
            return [0, end + 1 + number, start] if number % 2 else [0, end, start - 1 - number]
        case [1, list(names)]:
            return [1, [*names, "wider"]] if number % 2 else [1, ["wider"]]
        case {"nbf": start, "exp": end}:
            return {"nbf": start, "exp": end + 1 + number}
        case {"version": 1, "permissions": {"projects": names}}:
            return {"version": 1, "permissions": {"projects": [*names, "wider"]}}
        case {"version": 1, "permissions": "user"}:
            return [1, ["demo", "other"]]
    return {"version": 1, "permissions": "user"}


ATTACKS: list[Callable[[Attack], str]] = [
    Attack.stripped,
    Attack.bare,
    Attack.swapped,
    Attack.widened,
    Attack.another_user,
    Attack.signed_as_before,
    Attack.signed_as_another,
    Attack.flipped,
]


@given(
    attack=st.sampled_from(ATTACKS),
    restrictions=st.lists(RESTRICTIONS, max_size=1),
    start=st.integers(1, 5),
    end=st.integers(6, 9),
    projects=st.lists(NAMES, unique=True, min_size=1, max_size=2),
    project=NAMES | st.just("wider"),
    now=st.integers(0, 13),
    first=st.integers(0, 2000),
    second=st.integers(0, 7),
)
def test_an_attack_gains_nothing(
    pypitoken: Any,
    attack: Callable[[Attack], str],
    restrictions: list[Any],
    start: int,
    end: int,
    projects: list[str],
    project: str,
    now: int,
    first: int,
    second: int,
) -> None:
    """pypitoken denies a narrowed token if an attacker without the key changes any signed part."""
    head = {"domain": "pypi.example", "identifier": "canary-token"}
    whole = made(pypitoken, head, restrictions)
    other = made(pypitoken, {**head, "identifier": "canary-other"}, restrictions)
    options: dict[str, Any] = {"not_before": start, "expires": end, "projects": projects}
    parts = parsed(pypitoken, text := narrow(whole, **options))
    assert parts.token == text
    signatures = [parsed(pypitoken, value).signature for value in (whole, narrow(other, **options))]
    attacked = attack(Attack(parts, *signatures, first, second))
    # Only the index can check the signature. secretly reads the token, or calls it malformed.
    with contextlib.suppress(BadToken):
        assert token_scope(attacked).location
        again = narrow(attacked, **options)
        assert parsed(pypitoken, again).caveats[-2:] == parts.caveats[-2:]
    # An attacker who knows the original signature could use the original token. So here, choose a
    # project and a time that the restrictions allow.
    if attack is Attack.signed_as_before:
        project, now = projects[0], start
    try:
        changed = parsed(pypitoken, attacked).signed != parts.signed
    except Exception:  # pypitoken can't even load the token
        changed = True
    assert not (changed and good(pypitoken, attacked, project, now))


# -- any text --------------------------------------------------------------------


def read_or_refused(text: str, sentences: set[str]) -> TokenScope | None:
    """Return what a text allows, or None if the text is malformed and raises a known error."""
    try:
        scope = token_scope(text)
    except BadToken as error:
        assert f"{error}\n{error.hint}" in sentences
        with pytest.raises(BadToken):
            narrow(text, expires=1900, projects=["demo"])
        return None
    assert all(line.isprintable() for line in scope.described())
    after = token_scope(narrow(text, expires=1900, projects=["demo"]))
    assert after.projects is not None and after.projects <= {"demo"}
    assert after.expires is not None and after.expires <= 1900
    return scope


@pytest.mark.parser("tokens as text")
@given(
    text=st.text(st.characters())
    | st.text(st.characters()).map(PREFIX.__add__)
    | st.from_regex(r"pypi-[A-Za-z0-9_-]*={0,2}", fullmatch=True)
)
def test_any_text_is_a_token_or_raises_bad_token(text: str, sentences: set[str]) -> None:
    """No text makes reading or narrowing fail in another way, or appears in an error."""
    read_or_refused(text, sentences)


FIELDS = st.builds(
    lambda kind, data, odd: (kind + data)[:odd],
    st.sampled_from([b"\0", b"\1", b"\2", b"\4", b"\6", b"\x80\1"]),
    st.binary(max_size=40).map(lambda data: number(len(data)) + data)
    | st.sampled_from([number(32) + b"c" * 32, b"\x0cpypi.example", b"\3[5]", b"\2{}", b""]),
    st.sampled_from([None, None, None, None, -1]),
)


@pytest.mark.parser("tokens as bytes")
@given(
    data=st.binary()
    | st.binary().map(b"\2".__add__)
    | st.lists(FIELDS, max_size=8).map(lambda fields: b"\2" + b"".join(fields))
    | st.lists(FIELDS, max_size=4).map(lambda fields: b"\2" + _HEAD + b"\0" + b"".join(fields))
    | st.lists(st.binary(max_size=20) | NEARLY.map(json.dumps).map(str.encode), max_size=4).map(
        lambda caveats: bytes_of(Parts(caveats=tuple(caveats)).token)
    )
)
def test_any_bytes_are_a_token_or_raise_bad_token(
    pypitoken: Any, data: bytes, sentences: set[str]
) -> None:
    """If the bytes are a token, pypitoken reads the same token."""
    text = token_of(data)
    if read_or_refused(text, sentences) is None:
        return
    parts = parsed(pypitoken, text)
    assert re.fullmatch(rb"[A-Za-z0-9.:-]+", parts.location)
    assert parsed(pypitoken, narrow(text)) == parts
