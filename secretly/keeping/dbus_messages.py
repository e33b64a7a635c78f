"""The messages of D-Bus, as bytes.

https://dbus.freedesktop.org/doc/dbus-specification.html
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    #: The name of a service on the bus, an object's path, and an interface.
    Target = tuple[str, str, str]

__all__ = [
    "ANSWERS",
    "FIXED",
    "LARGEST",
    "REPLY_SERIAL",
    "Malformed",
    "call_message",
    "message_size",
    "parse_message",
]

#: The largest message that is read, in bytes: a quarter of what the specification allows.
LARGEST = 2**25

#: How many signatures are remembered with their types: a service may send any.
_REMEMBERED = 100

#: The size of a message's fixed part, in bytes, with the length of the fields that follow.
FIXED = 16

_METHOD_CALL, _METHOD_RETURN = 1, 2

#: The kinds of messages that answer a call: with values, or with an error.
ANSWERS = _METHOD_RETURN, 3

#: The codes of fields of a header.
REPLY_SERIAL, _SENDER, _SIGNATURE = 5, 7, 8

#: The other fields of a call's header begin with their code and the type of their text.
_PATH, _INTERFACE, _MEMBER, _DESTINATION = b"\1\1o\0", b"\2\1s\0", b"\3\1s\0", b"\6\1s\0"

#: Integers of a fixed size: how many bytes they have, and whether they have a sign.
_INTEGERS = {
    **{"y": (1, False), "b": (4, False), "q": (2, False), "u": (4, False), "h": (4, False)},
    **{"t": (8, False), "n": (2, True), "i": (4, True), "x": (8, True)},
}

#: The alignment of each type: a value begins at a multiple of so many bytes.
_ALIGNMENT = {kind: size for kind, (size, _) in _INTEGERS.items()}
_ALIGNMENT |= {**dict.fromkeys("d({", 8), **dict.fromkeys("soa", 4), **dict.fromkeys("gv", 1)}

_CLOSING = {"(": ")", "{": "}"}


class Malformed(ValueError):
    """A message that does not follow the specification."""


def _end(signature: str, at: int) -> int:
    """Return where the single complete type that begins at *at* ends."""
    kind = signature[at]
    if kind == "a":
        return _end(signature, at + 1)
    at += 1
    if kind in _CLOSING:
        if signature[at] == _CLOSING[kind]:
            raise Malformed("a structure without parts")
        while signature[at] != _CLOSING[kind]:
            at = _end(signature, at)
        at += 1
    return at


_known: dict[str, tuple[str, ...]] = {}


def _types(signature: str) -> tuple[str, ...]:
    """Each single complete type of a signature."""
    found = _known.get(signature)
    if found is None:
        parts, at = [], 0
        while at < len(signature):
            end = _end(signature, at)
            parts.append(signature[at:end])
            at = end
        found = tuple(parts)
        if len(_known) < _REMEMBERED:
            _known[signature] = found
    return found


# -- writing ---------------------------------------------------------------------------


def _pad(data: bytearray, kind: str) -> None:
    data += bytes(-len(data) % _ALIGNMENT[kind[0]])


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(4, "little") + data + b"\0"


def _write(data: bytearray, kind: str, value: Any) -> None:
    """Append a value. A variant is a tuple of its signature and its value."""
    _pad(data, kind)
    first = kind[0]
    if first in _INTEGERS:
        size, signed = _INTEGERS[first]
        data += int(value).to_bytes(size, "little", signed=signed)
    elif first in "so":
        data += _text(value)
    elif first == "g":
        data += bytes([len(value)]) + value.encode() + b"\0"
    elif first == "v":
        _write(data, "g", value[0])
        _write(data, *value)
    elif first == "a":
        _write_array(data, kind[1:], value)
    else:
        for part, one in zip(_types(kind[1:-1]), value, strict=True):
            _write(data, part, one)


def _write_array(data: bytearray, kind: str, value: Any) -> None:
    at = len(data)
    data += bytes(4)
    _pad(data, kind)  # not counted as a part of the array
    start = len(data)
    for one in value.items() if kind[0] == "{" else value:
        _write(data, kind, one)
    data[at : at + 4] = (len(data) - start).to_bytes(4, "little")


def call_message(
    serial: int, target: Target, member: str, signature: str, values: Sequence[Any]
) -> bytes:
    """Return the bytes of a method call.

    :param serial: the call's number on its connection.
    :param signature: the types of *values*.
    """
    body = bytearray()
    for kind, value in zip(_types(signature), values, strict=True):
        _write(body, kind, value)
    service, path, interface = target
    fields = bytearray()
    named = (_PATH, path), (_DESTINATION, service), (_INTERFACE, interface), (_MEMBER, member)
    for start, text in named:
        fields += bytes(-len(fields) % 8) + start + _text(text)
    if signature:
        fields += bytes(-len(fields) % 8) + bytes((_SIGNATURE, 1, ord("g"), 0))
        _write(fields, "g", signature)
    sizes = (len(body), serial, len(fields))
    message = b"l" + bytes((_METHOD_CALL, 0, 1))
    message += b"".join([number.to_bytes(4, "little") for number in sizes]) + fields
    return message + bytes(-len(message) % 8) + body


# -- reading ---------------------------------------------------------------------------


class _Values:
    """The values of a message, read one after another.

    :param order: ``little`` or ``big``, the order of the bytes of a number.
    """

    def __init__(self, data: bytes, order: Any) -> None:
        self._data = data
        self._order = order
        self._at = 0

    def _bytes(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise Malformed("the message ends within a value")
        taken, self._at = self._data[self._at : end], end
        return taken

    def read(self, kind: str) -> Any:
        """Return the next value; a variant as its signature and its value."""
        first = kind[0]
        if first in "so":
            return self._text(4)
        self._at += -self._at % _ALIGNMENT[first]
        if first in _INTEGERS:
            size, signed = _INTEGERS[first]
            number = int.from_bytes(self._bytes(size), self._order, signed=signed)
            return bool(number) if first == "b" else number
        if first == "g":
            return self._text(1)
        if first == "v":
            inner = self.read("g")
            if len(_types(inner)) != 1:  # a structure without parts would have no size
                raise Malformed("a variant with other than one type")
            return inner, self.read(inner)
        if first == "a":
            return self._array(kind[1:])
        if first == "d":
            import struct

            return struct.unpack("<d" if self._order == "little" else ">d", self._bytes(8))[0]
        return tuple(self.read(part) for part in _types(kind[1:-1]))

    def fields(self) -> dict[int, Any]:
        """Return the fields of a message's header, each with its code; go on to its body.

        They are an array of ``(yv)``. Those whose type is one letter are read without reading it.
        """
        self._at = FIXED - 4
        end = self.read("u") + FIXED
        if end > len(self._data):
            raise Malformed("the message ends within its header")
        found: dict[int, Any] = {}
        while self._at < end:
            at = self._at + -self._at % 8
            code, size, kind, nul = self._data[at : at + 4]
            if size == 1 and nul == 0:
                self._at = at + 4
                found[code] = self._text(4) if kind in b"so" else self.read(chr(kind))
            else:
                self._at = at + 1
                found[code] = self.read("v")[1]
        self._at += -self._at % 8
        return found

    def _text(self, size: int) -> str:
        """Return the next text, the length of which has that many bytes."""
        at = self._at + -self._at % size
        start = at + size
        end = start + int.from_bytes(self._data[at:start], self._order)
        if end >= len(self._data):
            raise Malformed("the message ends within a text")
        self._at = end + 1  # there is a NUL after it
        return self._data[start:end].decode()

    def _array(self, kind: str) -> Any:
        size = self.read("u")
        self._at += -self._at % _ALIGNMENT[kind[0]]
        if kind == "y":
            return self._bytes(size)
        end = self._at + size
        if end > len(self._data):
            raise Malformed("the message ends within an array")
        if kind[0] == "{":
            return self._entries(end, *_types(kind[1:-1]))
        values: list[Any] = []
        while self._at < end:
            values.append(self._text(4) if kind in "so" else self.read(kind))
        return values

    def _entries(self, end: int, of_key: str, of_value: str) -> dict[Any, Any]:
        """Return the entries of a dictionary, which are structures of two parts."""
        found = {}
        while self._at < end:
            self._at += -self._at % 8
            key = self.read(of_key)
            found[key] = self.read(of_value)
        return found


def _order(start: bytes) -> str:
    """Return the byte order that the first byte of a message names."""
    if start[:1] not in (b"l", b"B"):
        raise Malformed("not a D-Bus message")
    return "little" if start[:1] == b"l" else "big"


def message_size(start: bytes) -> int:
    """Return the size of a message in bytes, from its fixed part."""
    order: Any = _order(start)
    body, fields = int.from_bytes(start[4:8], order), int.from_bytes(start[12:16], order)
    size = FIXED + fields + -fields % 8 + body
    if size > LARGEST:
        raise Malformed("the message is too large")
    return size


def parse_message(message: bytes) -> tuple[int | None, str, str, tuple[Any, ...] | None]:
    """Return the number of the call that a message answers, and what it returned.

    :returns: the number (None if the message is not an answer), who sent it (empty if the bus
        doesn't say), the types of the values, and the values (None if it is an error).
    :raises Malformed: if the message does not follow the specification.
    """
    try:
        values, kind = _Values(message, _order(message)), message[1]
        fields = values.fields()
        serial = fields[REPLY_SERIAL] if kind in ANSWERS else None
        sender = fields.get(_SENDER, "")
        if kind != _METHOD_RETURN:
            return serial, sender, "", None
        signature = fields.get(_SIGNATURE, "")
        return serial, sender, signature, tuple(map(values.read, _types(signature)))
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise Malformed(f"a malformed message: {type(error).__name__}") from None
