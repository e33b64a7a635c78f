"""PyPI's API tokens: read one, and make a weaker one from it, offline.

A token is ``pypi-`` and a macaroon in libmacaroons' binary format, version 2
(https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt), in URL-safe base64.
The signature is a chain: each caveat is signed with the signature before it. So anyone who has
a token can add a caveat, and only the index can remove one. PyPI decides what the caveats mean
(``warehouse/macaroons/caveats`` in its sources).
"""

from __future__ import annotations

import binascii

from ..errors import BadToken
from ..record import Record
from ..redacted import Secret
from ..text import escape, format_time, from_json

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

__all__ = [
    "PREFIX",
    "TokenScope",
    "is_genuine",
    "is_pypi_token",
    "make_token",
    "narrow",
    "token_scope",
]

#: The start of every PyPI token.
PREFIX = "pypi-"

#: What the user reads of a limit that the token doesn't have. PyPI adds limits of its own when it
#: verifies a token, and is about to stop writing them into new ones.
NOT_LIMITED = "not limited by the token itself; the index may know more"

_HINT = "copy the whole token again from the page that shows it"

#: The characters of URL-safe base64, and those of a location: a host, perhaps with its port.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE64, _HOST = frozenset(f"{_LETTERS}-_"), frozenset(f"{_LETTERS}.:-".encode())

# The types of the format's fields. PyPI does not use 4, for third parties.
_END, _LOCATION, _IDENTIFIER, _SIGNATURE = 0, 1, 2, 6


class _Macaroon(Record):
    location: bytes
    identifier: bytes
    caveats: tuple[bytes, ...]
    signature: bytes

    def __repr__(self) -> str:
        return f"<macaroon of {self.location.decode()}>"


class TokenScope(Record):
    """What a token says it allows. Only its index can check that the token is genuine.

    :param location: the host name of the index that made the token.
    :param projects: the projects that the token is for; None: all projects of its user.
    :param not_before: when the token starts, in seconds since 1970; None if it doesn't say.
    :param expires: when the token ends (exclusive), in seconds since 1970; None if it doesn't say.
    :param others: how many more restrictions the token has. Only its index can judge them.
    """

    location: str
    projects: frozenset[str] | None = None
    not_before: int | None = None
    expires: int | None = None
    others: int = 0

    def lacks(self, projects: Collection[str]) -> list[str]:
        """The names in *projects* (normalized) that the token is not for."""
        return sorted(set(projects) - self.projects) if self.projects is not None else []

    def described(self) -> list[str]:
        """What the token allows, in lines for the user."""
        names = ", ".join(sorted(self.projects or ())) or "none"
        projects = names if self.projects is not None else NOT_LIMITED
        lines = [f"index: {self.location}", f"projects: {escape(projects)}"]
        if self.not_before is not None:
            lines.append(f"good from: {format_time(self.not_before)}")
        end = NOT_LIMITED if self.expires is None else format_time(self.expires)
        lines.append(f"expires: {end}")
        if self.others:
            lines.append(f"further restrictions, which only the index can judge: {self.others}")
        return lines


def is_pypi_token(value: str) -> bool:
    """Whether a secret is a token, or contains one after something else."""
    if value.startswith(PREFIX):  # as most of them do
        return True
    if PREFIX not in value:
        return False
    import re

    start = rf"\A[^!-~]*['\"]?{PREFIX}"
    anywhere = rf"(?<![A-Za-z0-9_-]){PREFIX}[A-Za-z0-9_-]{{16}}"
    whole = rf"{PREFIX}AgE[A-Za-z0-9_-]{{80}}"  # a real one, even after a letter
    return any(re.search(pattern, value) for pattern in (start, anywhere, whole))


def token_scope(token: str) -> TokenScope:
    """Read what a token allows.

    :raises BadToken: if *token* is not a valid PyPI token.
    """
    macaroon = _read(token)
    found = TokenScope(macaroon.location.decode().lower())
    for caveat in macaroon.caveats:
        found = _within(found, _json(caveat))
    return found


def narrow(
    token: str,
    *,
    not_before: int | None = None,
    expires: int | None = None,
    projects: Collection[str] | None = None,
) -> Secret:
    """Make a token that allows less. This needs no network: the index checks the signatures.

    :param not_before: when the token starts, in seconds since 1970; used with *expires*.
    :param expires: when the token ends (exclusive), in seconds since 1970; None: unchanged.
    :param projects: the only projects that the token is for, normalized; None: unchanged.
    :raises BadToken: if *token* is not a valid PyPI token.
    """
    import json

    macaroon = _read(token)
    caveats: list[Any] = []
    if expires is not None:
        caveats.append([0, expires, not_before or 0])
    if projects is not None:
        caveats.append([1, sorted(projects)])
    for caveat in caveats:
        data = json.dumps(caveat).encode()
        signature = _signed(macaroon.signature, data)
        macaroon = macaroon._replace(caveats=(*macaroon.caveats, data), signature=signature)
    return _written(macaroon)


# -- what an index does ----------------------------------------------------------


def make_token(location: str, identifier: str, key: bytes) -> Secret:
    """Make a token for all projects of a user, as an index does.

    :param location: the host name of the index.
    :param identifier: what the index finds the token by.
    :param key: the index's own key for this token.
    """
    signature = _signed(_derived(key), identifier.encode())
    return _written(_Macaroon(location.encode(), identifier.encode(), (), signature))


def is_genuine(token: str, key: bytes) -> bool:
    """Whether the index with this key made a token, or someone made a weaker one from it.

    :raises BadToken: if *token* is not a valid PyPI token.
    """
    macaroon = _read(token)
    signature = _derived(key)
    for part in (macaroon.identifier, *macaroon.caveats):
        signature = _signed(signature, part)
    import hmac

    return hmac.compare_digest(signature, macaroon.signature)


def _derived(key: bytes) -> bytes:
    """The key of the first signature. libmacaroons derives it with a fixed text."""
    return _signed(b"macaroons-key-generator", key)


def _signed(key: bytes, data: bytes) -> bytes:
    import hmac  # only the token for the tool is made, after the question

    return hmac.digest(key, data, "sha256")


# -- caveats ---------------------------------------------------------------------


def _json(caveat: bytes) -> object:
    try:
        return from_json(caveat.decode())
    except (ValueError, RecursionError):
        pass
    raise BadToken("the token has a restriction that is not valid JSON", _HINT)


def _within(before: TokenScope, caveat: Any) -> TokenScope:
    """What is allowed if *caveat* holds too. PyPI has two forms, the older from 2019."""
    match caveat:
        case [0, end, start] if _numbers(caveat):
            return _in_time(before, start, end)
        case {"nbf": start, "exp": end, **rest} if not rest and _numbers([start, end]):
            return _in_time(before, start, end)
        case [1, list(names)] if _texts(names):
            return _for_projects(before, names)
        case {"version": 1, "permissions": {"projects": list(names)}} if _texts(names):
            return _for_projects(before, names)
        case {"version": 1, "permissions": "user"}:
            return before
    return before._replace(others=before.others + 1)


def _numbers(values: Any) -> bool:
    return all(type(value) is int for value in values)  # True and 1.0 are equal to 1


def _texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _in_time(before: TokenScope, start: int, end: int) -> TokenScope:
    return before._replace(
        not_before=start if before.not_before is None else max(before.not_before, start),
        expires=end if before.expires is None else min(before.expires, end),
    )


def _for_projects(before: TokenScope, names: list[str]) -> TokenScope:
    found = frozenset(names)
    return before._replace(projects=found if before.projects is None else before.projects & found)


# -- the binary format -----------------------------------------------------------


def _read(token: str) -> _Macaroon:
    try:
        return _decoded(token)
    except BadToken as error:
        wrong = error.with_traceback(None)  # its frames hold parts of the token
    raise wrong


def _decoded(token: str) -> _Macaroon:
    if not token.startswith(PREFIX):
        raise BadToken(f"this is not a PyPI token: it does not start with '{PREFIX}'", _HINT)
    text = token.removeprefix(PREFIX)
    text, padding = text.rstrip("="), len(text) - len(text.rstrip("="))
    if not text or padding > 2 or not _BASE64.issuperset(text):
        raise BadToken("the token contains invalid characters", _HINT)
    if len(text) % 4 == 1:  # not a possible length in base64
        raise _malformed()
    plain = text.replace("-", "+").replace("_", "/")
    data = binascii.a2b_base64(plain + "=" * (-len(text) % 4))
    if data[:1] != b"\x02":
        raise BadToken("the token is not in the format of PyPI's tokens", _HINT)
    macaroon = _Fields(data[1:]).macaroon()
    for caveat in macaroon.caveats:
        _json(caveat)
    return macaroon


def _malformed() -> BadToken:
    return BadToken("the token is malformed: a part is missing, or something was added", _HINT)


class _Fields:
    """Reads the fields of a macaroon: type, length, data. Type 0 ends a section."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def macaroon(self) -> _Macaroon:
        location, identifier = self._section(_LOCATION, _IDENTIFIER)
        caveats = []
        while self._data[self._at : self._at + 1] != b"\0":
            caveats += self._section(_IDENTIFIER)
        self._at += 1
        kind, signature = self._field()
        if kind != _SIGNATURE or len(signature) != 32 or self._at != len(self._data):
            raise _malformed()
        if not location or not _HOST.issuperset(location):
            raise BadToken("the token does not name the index that made it", _HINT)
        return _Macaroon(location, identifier, tuple(caveats), signature)

    def _section(self, *kinds: int) -> list[bytes]:
        """The data of a section with exactly these fields."""
        fields = [self._field() for _ in (*kinds, _END)]
        if [kind for kind, _ in fields] != [*kinds, _END]:
            raise _malformed()
        return [data for _, data in fields[:-1]]

    def _field(self) -> tuple[int, bytes]:
        kind = self._number()
        if kind == _END:
            return kind, b""
        length = self._number()
        data = self._data[self._at : self._at + length]
        if len(data) != length:
            raise _malformed()
        self._at += length
        return kind, data

    def _number(self) -> int:
        """A number in groups of 7 bits, the lowest group first."""
        number = 0
        for shift in range(0, 35, 7):
            byte = self._data[self._at] if self._at < len(self._data) else 0x80
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise _malformed()


def _written(macaroon: _Macaroon) -> Secret:
    import base64

    return Secret(PREFIX + base64.urlsafe_b64encode(_encoded(macaroon)).decode().rstrip("="))


def _encoded(macaroon: _Macaroon) -> bytes:
    data = b"\x02" + _field(_LOCATION, macaroon.location)
    data += _field(_IDENTIFIER, macaroon.identifier) + b"\0"
    for caveat in macaroon.caveats:
        data += _field(_IDENTIFIER, caveat) + b"\0"
    return data + b"\0" + _field(_SIGNATURE, macaroon.signature)


def _field(kind: int, data: bytes) -> bytes:
    length, groups = len(data), bytearray()
    while length >= 0x80:
        groups.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([kind, *groups, length]) + data
