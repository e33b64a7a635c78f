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

_OBJECT, _STRING = b"os"
_PATH, _INTERFACE, _MEMBER, REPLY_SERIAL, _DESTINATION, _SENDER, _SIGNATURE = 1, 2, 3, 5, 6, 7, 8

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


def _write(data: bytearray, kind: str, value: Any) -> None:
    """Append a value. A variant is a tuple of its signature and its value."""
    _pad(data, kind)
    first = kind[0]
    if first in _INTEGERS:
        size, signed = _INTEGERS[first]
        data += int(value).to_bytes(size, "little", signed=signed)
    elif first in "so":
        text = value.encode()
        data += len(text).to_bytes(4, "little") + text + b"\0"
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
    named = [(_PATH, "o", path), (_DESTINATION, "s", service), (_INTERFACE, "s", interface)]
    named += [(_MEMBER, "s", member), (_SIGNATURE, "g", signature)][: 2 if signature else 1]
    for code, kind, text in named:
        _pad(fields, "(")
        fields += bytes((code, 1, ord(kind), 0))
        _write(fields, kind, text)
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

    def align(self, kind: str) -> None:
        """Skip what is before the next value of that type."""
        self._at += -self._at % _ALIGNMENT[kind[0]]

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
        self.align(kind)
        if first in _INTEGERS:
            size, signed = _INTEGERS[first]
            number = int.from_bytes(self._bytes(size), self._order, signed=signed)
            return bool(number) if first == "b" else number
        if first == "g":
            return self._text(1)
        if first == "v":
            inner = self.read("g")
            return inner, self.read(inner)
        if first == "a":
            return self._array(kind[1:])
        if first == "d":
            import struct

            return struct.unpack("<d" if self._order == "little" else ">d", self._bytes(8))[0]
        return tuple(self.read(part) for part in _types(kind[1:-1]))

    def fields(self) -> dict[int, Any]:
        """Return the fields of a message's header, each with its code; go on to its body.

        They are an array of ``(yv)``. To read each as a text takes half of the time.
        """
        self._at = FIXED - 4
        end = self.read("u") + FIXED
        if end > len(self._data):
            raise Malformed("the message ends within its header")
        found: dict[int, Any] = {}
        while self._at < end:
            self.align("(")
            code, *kind = self._bytes(4)
            if kind in ([1, _OBJECT, 0], [1, _STRING, 0]):
                found[code] = self._text(4)
            else:
                self._at -= 3
                found[code] = self.read("v")[1]
        self.align("(")
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
        self.align(kind)
        if kind == "y":
            return self._bytes(size)
        end = self._at + size
        if end > len(self._data):
            raise Malformed("the message ends within an array")
        values = []
        while self._at < end:
            values.append(self.read(kind))
        return dict(values) if kind[0] == "{" else values


def _order(start: bytes) -> str:
    """Return the byte order that the first byte of a message names."""
    if start[:1] not in (b"l", b"B"):
        raise Malformed("not a D-Bus message")
    return "little" if start[:1] == b"l" else "big"


def message_size(start: bytes) -> int:
    """Return the size of a message in bytes, from its fixed part."""
    order: Any = _order(start)
    body, fields = (int.from_bytes(start[at : at + 4], order) for at in (4, 12))
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
