"""The D-Bus client agrees with jeepney, message by message, and survives a bad bus."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jeepney import (
    DBusAddress,
    Endianness,
    Header,
    HeaderFields,
    Message,
    MessageType,
    Parser,
    new_method_call,
)

from secretly.config import places
from secretly.keeping import batch, dbus, dbus_messages

TARGET = ("org.example.Service", "/org/example", "org.example.Interface")


# -- values of all types ---------------------------------------------------------------

_INTEGERS = {
    "y": (0, 2**8 - 1),
    "n": (-(2**15), 2**15 - 1),
    "q": (0, 2**16 - 1),
    "i": (-(2**31), 2**31 - 1),
    "u": (0, 2**32 - 1),
    "x": (-(2**63), 2**63 - 1),
    "t": (0, 2**64 - 1),
}
_TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
_BASIC = {
    **{kind: st.integers(*bounds) for kind, bounds in _INTEGERS.items()},
    "b": st.booleans(),
    "d": st.floats(allow_nan=False),
    "s": _TEXTS,
    "o": st.sampled_from(["/", "/a", "/org/example/1"]),
    "g": st.sampled_from(["", "s", "a{sv}", "(ii)"]),
}
_KINDS = st.recursive(
    st.sampled_from([*_BASIC, "v"]),
    lambda inner: st.one_of(
        inner.map("a{}".format),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({''.join(parts)})"),
        st.tuples(st.sampled_from([*_BASIC]), inner).map(lambda pair: f"a{{{pair[0]}{pair[1]}}}"),
    ),
    max_leaves=5,
)


def values_of(kind: str) -> st.SearchStrategy[Any]:
    """Generate values of a D-Bus type, as jeepney represents them."""
    if kind in _BASIC:
        return _BASIC[kind]
    if kind == "v":
        return st.sampled_from(["s", "u", "as", "(sb)", "a{su}"]).flatmap(
            lambda inner: st.tuples(st.just(inner), values_of(inner))
        )
    if kind == "ay":
        return st.binary(max_size=20)
    if kind.startswith("a{"):
        return st.dictionaries(values_of(kind[2]), values_of(kind[3:-1]), max_size=3)
    if kind[0] == "a":
        return st.lists(values_of(kind[1:]), max_size=3)
    return st.tuples(*map(values_of, dbus_messages._types(kind[1:-1])))


#: A signature, and values of its types.
BODIES = st.lists(_KINDS, max_size=3).flatmap(
    lambda kinds: st.tuples(st.just("".join(kinds)), st.tuples(*map(values_of, kinds)))
)


def answer(
    signature: str = "",
    body: tuple[object, ...] = (),
    *,
    serial: int = 1,
    kind: MessageType = MessageType.method_return,
    order: Endianness = Endianness.little,
    sender: str = ":1.7",
) -> bytes:
    """Return an answer, as jeepney writes it."""
    fields: dict[HeaderFields, object] = {
        HeaderFields.reply_serial: serial,
        HeaderFields.sender: sender,
    }
    if signature:
        fields[HeaderFields.signature] = signature
    header = Header(order, kind, 0, 1, -1, -1, fields)
    return bytes(Message(header, body).serialise(serial=7))


# -- messages --------------------------------------------------------------------------


@given(st.integers(1, 2**32 - 1), BODIES)
def test_jeepney_reads_what_is_sent(serial: int, body: tuple[str, tuple[Any, ...]]) -> None:
    """jeepney reads the same fields and values. (No call that secretly sends has a double.)"""
    signature, values = body
    if "d" not in signature and "d" not in repr(values):
        check_sent(serial, signature, values)


#: A signature with values of its types, for each way in which a value is written.
EACH_KIND: list[tuple[str, tuple[Any, ...]]] = [
    ("", ()),
    ("ybnqiuxt", (255, True, -1, 2**16 - 1, -(2**31), 2**32 - 1, -(2**63), 2**64 - 1)),
    ("sog", ("é", "/a", "a{sv}")),
    ("v", (("(sb)", ("a", False)),)),
    ("asay", (["a", ""], b"canary-1")),
    ("ya(ys)", (1, [(2, "a"), (3, "")])),
    ("a{sv}a{ou}", ({"a": ("as", ["b"])}, {})),
    ("(y(sax))s", ((1, ("a", [-1])), "b")),
]


@pytest.mark.parametrize(("signature", "values"), EACH_KIND)
def test_jeepney_reads_each_kind_of_value(signature: str, values: tuple[Any, ...]) -> None:
    """Also after the types of as many signatures as are remembered."""
    check_sent(1, signature, values)
    for number in range(dbus_messages._REMEMBERED):
        dbus_messages._types("y" * (number + 1))
    check_sent(2**32 - 1, signature + "yy(s)", (*values, 1, 2, ("",)))


def check_sent(serial: int, signature: str, values: tuple[Any, ...]) -> None:
    message = dbus_messages.call_message(serial, TARGET, "Member", signature, values)
    parser = Parser()
    parser.add_data(message)
    seen = parser.get_next_message()
    service, path, interface = TARGET
    expected = new_method_call(DBusAddress(path, service, interface), "Member", signature, values)
    assert seen.header.serial == serial
    assert seen.header.message_type is MessageType.method_call
    assert seen.header.fields == {
        field: value for field, value in expected.header.fields.items() if value
    }
    assert seen.body == values
    assert parser.bytes_desired() == 16, "nothing is left over"


@given(st.sampled_from(list(Endianness)), st.integers(1, 2**32 - 1), BODIES)
def test_what_jeepney_sends_is_read(
    order: Endianness, serial: int, body: tuple[str, tuple[Any, ...]]
) -> None:
    """secretly reads the same values from an answer of jeepney's, in either byte order."""
    check_read(order, serial, *body)


@pytest.mark.parametrize("order", list(Endianness))
@pytest.mark.parametrize(("signature", "values"), [*EACH_KIND, ("dad", (0.5, [-1.25]))])
def test_each_kind_of_value_is_read(
    order: Endianness, signature: str, values: tuple[Any, ...]
) -> None:
    """In either byte order; secretly gets doubles, but sends none."""
    check_read(order, 2**31, signature, values)


def check_read(order: Endianness, serial: int, signature: str, values: tuple[Any, ...]) -> None:
    message = answer(signature, values, serial=serial, order=order)
    assert dbus_messages.parse_message(message) == (serial, ":1.7", signature, values)
    assert dbus_messages.message_size(message[:16]) == len(message)


@pytest.mark.parser("D-Bus")
@given(st.binary(max_size=80) | BODIES.map(lambda body: answer(*body)), st.data())
def test_a_malformed_message_is_an_error_that_is_known(message: bytes, data: st.DataObject) -> None:
    """A random or damaged message is read, or raises an error that callers expect."""
    damaged = bytearray(message)
    for at in data.draw(st.lists(st.integers(0, max(0, len(message) - 1)), max_size=4)):
        damaged[at : at + 1] = data.draw(st.binary(max_size=2))
    try:
        dbus_messages.parse_message(bytes(damaged))
        dbus_messages.message_size(bytes(damaged[:16]))
    except dbus_messages.Malformed:
        pass


@pytest.mark.parametrize("parts", ["s", "sss"])
def test_the_entries_of_a_dictionary_have_two_parts(parts: str) -> None:
    """Also those of an empty dictionary."""
    message = answer(f"a({parts})", ([],)).replace(f"({parts})".encode(), f"{{{parts}}}".encode())
    with pytest.raises(dbus_messages.Malformed):
        dbus_messages.parse_message(message)


@pytest.mark.parametrize("inner", ["()", "a()", "a(", "", "yy", "a{"])
def test_a_variant_has_one_type(inner: str) -> None:
    """An array of structures without parts would be read without end: they have no size."""
    message = answer("v", (("ay", b"1234567"),))
    signature = bytes([len(inner)]) + inner.encode() + b"\0"
    with pytest.raises(dbus_messages.Malformed):
        dbus_messages.parse_message(message.replace(b"\x02ay\0", signature.ljust(4, b"\0")))


def test_an_error_has_no_values() -> None:
    """After an error, the caller learns that the call failed, but not why."""
    message = answer("s", ("why",), kind=MessageType.error)
    assert dbus_messages.parse_message(message) == (1, ":1.7", "", None)


def test_a_signal_answers_no_call() -> None:
    """A message of another kind does not contain the number of a call."""
    assert dbus_messages.parse_message(answer(kind=MessageType.signal)) == (None, ":1.7", "", None)


@pytest.mark.parametrize(
    ("signature", "values", "cut"),
    [("t", (1,), 1), ("s", ("long",), 1), ("as", (["a", "b"],), 3), ("ax", ([1, 2],), 9)],
)
def test_a_message_that_ends_within_a_value_is_refused(
    signature: str, values: tuple[Any, ...], cut: int
) -> None:
    """The bus has sent less than the values need."""
    message = answer(signature, values)
    assert dbus_messages.parse_message(message)[3] == values
    with pytest.raises(dbus_messages.Malformed, match=r"ends within|malformed"):
        dbus_messages.parse_message(message[:-cut])


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"x" + answer()[1:],
        answer("y", (1,)).replace(b"\x01g\0\x01y", b"\x01g\0\x01!"),
        answer("(y)", ((1,),)).replace(b"(y)", b"()y"),
        answer("(y)", ((1,),)).replace(b"(y)", b"(yy"),
    ],
)
def test_a_message_that_is_malformed_is_refused(message: bytes) -> None:
    """Another first byte, an unknown type, an empty structure, one without an end."""
    with pytest.raises(dbus_messages.Malformed):
        dbus_messages.parse_message(message)


def test_a_message_that_is_too_large_is_refused() -> None:
    """Its size is in its first bytes, so secretly reads no more."""
    start = bytearray(answer()[:16])
    start[4:8] = (2**25).to_bytes(4, "little")
    with pytest.raises(dbus_messages.Malformed, match="too large"):
        dbus_messages.message_size(bytes(start))


def test_a_message_that_nests_without_end_is_refused() -> None:
    """A variant can contain a variant, but a service can't overflow the interpreter's stack."""
    deep = b"\x01v\0" * 5000 + b"\x01y\0\x05"
    message = bytearray(answer("v", (("s", ""),)))
    with pytest.raises(dbus_messages.Malformed):
        dbus_messages.parse_message(bytes(message[: -len(b"\x01s\0\0\0\0\0\0")]) + deep)


# -- addresses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "paths"),
    [
        ("unix:path=/run/user/1000/bus", [b"/run/user/1000/bus"]),
        ("unix:path=/tmp/a,guid=0123", [b"/tmp/a"]),
        ("unix:guid=0123,path=/tmp/a", [b"/tmp/a"]),
        ("unix:abstract=/tmp/dbus-x", [b"\0/tmp/dbus-x"]),
        ("unix:path=/tmp/a%20b%2c%3b", [b"/tmp/a b,;"]),
        ("unix:path=/a;unix:path=/b", [b"/a", b"/b"]),
        ("tcp:host=localhost,port=1;unix:path=/b;", [b"/b"]),
        ("unix:runtime=yes", []),
        ("autolaunch:", []),
        ("", []),
    ],
)
def test_addresses(address: str, paths: list[bytes]) -> None:
    """secretly tries the Unix sockets in a list of addresses in order."""
    assert list(places.socket_paths(address)) == paths


@pytest.mark.parametrize("address", ["unix:path=/a%", "unix:path=/a%zz", "unix:path=/a%2"])
def test_an_invalid_escape_is_refused(address: str) -> None:
    """An invalid escape in an address is an error, and doesn't lead to another path."""
    with pytest.raises(ValueError, match="escape"):
        list(places.socket_paths(address))


# -- a connection ----------------------------------------------------------------------

Script = Callable[[socket.socket], None]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Callable[[Script], str]]:
    """Start a bus that handles its first connection with a function, and return its address."""
    threads = []

    def start(script: Script) -> str:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.fspath(tmp_path / "bus"))
        listener.listen()

        def serve() -> None:
            with listener, listener.accept()[0] as connection:
                connection.settimeout(10)
                script(connection)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"unix:path={tmp_path}/bus"

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def connected(address: str, seconds: float = 10) -> dbus.Connection:
    """Return a connection to the bus at that address."""
    until = time.monotonic() + seconds
    return dbus.Connection(dbus.connect(address, until), until)


def expect(connection: socket.socket, end: bytes) -> bytes:
    """Read until the bytes end in *end*, and return them."""
    seen = b""
    while not seen.endswith(end):
        seen += connection.recv(1)
    return seen


def calls(connection: socket.socket) -> Iterator[Message]:
    """Yield each call until the client closes the connection."""
    parser = Parser()
    while data := connection.recv(4096):
        parser.add_data(data)
        while (message := parser.get_next_message()) is not None:
            yield message


def let_in(connection: socket.socket) -> None:
    """Greet the client as a bus does, up to the client's first call."""
    user = str(os.geteuid()).encode().hex().encode()
    assert expect(connection, b"\r\n") == b"\0AUTH EXTERNAL " + user + b"\r\n"
    connection.sendall(b"OK 0123\r\n")
    assert expect(connection, b"\r\n") == b"BEGIN\r\n"


def expect_nothing(connection: socket.socket) -> None:
    """The client waits for the answer to its last call before it sends the next."""
    connection.setblocking(False)
    with pytest.raises(BlockingIOError):
        connection.recv(1)
    connection.settimeout(10)


def test_each_call_waits_for_its_answer(bus: Callable[[Script], str]) -> None:
    """The client skips signals and other answers, however the bytes are split."""
    seen = []

    def script(connection: socket.socket) -> None:
        let_in(connection)
        for message in calls(connection):
            expect_nothing(connection)
            serial = message.header.serial
            seen.append(message.header.fields[HeaderFields.member])
            data = answer("s", ("no",), serial=99) + answer(kind=MessageType.signal)
            for byte in data + answer("s", (f"answer {serial}",), serial=serial):
                connection.sendall(bytes([byte]))

    connection = connected(bus(script))
    assert connection.call(TARGET, "One", "s", "s", "x") == ("answer 2",)
    assert connection.call(TARGET, "Two", "s") == ("answer 3",)
    connection.close()
    assert seen == ["Hello", "One", "Two"]


def test_each_of_many_calls_waits_for_the_answer_to_the_one_before(
    bus: Callable[[Script], str],
) -> None:
    """gnome-keyring crashes otherwise. An error is one call's alone, and the order is kept."""
    seen = []

    def script(connection: socket.socket) -> None:
        let_in(connection)
        for message in calls(connection):
            expect_nothing(connection)
            serial = message.header.serial
            seen.append((serial, *message.body))
            if serial == 1:
                connection.sendall(answer("s", ("x",), sender="bus"))
                continue
            connection.sendall(answer("u", (0,), serial=serial - 1))  # a late one is skipped
            kind = MessageType.error if message.body == (3,) else MessageType.method_return
            connection.sendall(answer("u", (serial,), serial=serial, kind=kind))

    connection = connected(bus(script))
    numbers = [(number,) for number in range(5)]
    found = batch.call_each(connection, TARGET, "Double", ("u", "u"), numbers)
    assert found == [(2,), (3,), (4,), None, (6,)]
    assert batch.call_each(connection, TARGET, "Double", ("u", "u"), []) == []
    assert connection.call(TARGET, "Double", "u", "u", 9) == (7,)
    connection.close()
    assert seen[1:] == [(2, 0), (3, 1), (4, 2), (5, 3), (6, 4), (7, 9)]


@pytest.mark.parametrize("wrong", ["types", "sender", "serial", "end"])
@pytest.mark.parametrize("at", [2, 4])
def test_a_wrong_answer_to_one_of_many_calls_is_refused(
    bus: Callable[[Script], str], wrong: str, at: int
) -> None:
    """Whether it is the last answer or one before."""

    def answered(serial: int) -> bytes:
        if serial == 1:
            return answer("s", ("x",), sender="bus")
        if serial != at:
            return answer("u", (1,), serial=serial)
        field = b"\x05\x01u\0" + bytes((serial, 0, 0, 0))
        return {
            "types": answer("s", ("x",), serial=serial),
            "sender": answer("u", (1,), serial=serial, sender=":1.8"),
            "serial": answer("ay", (field,), serial=99),  # it looks like the one that is awaited
            "end": answer("u", (1,), serial=serial)[:20],
        }[wrong]

    def script(connection: socket.socket) -> None:
        let_in(connection)
        with contextlib.suppress(ConnectionError):  # the client may close it before
            for message in calls(connection):
                connection.sendall(answered(message.header.serial))
                if (message.header.serial, wrong) == (at, "end"):
                    return

    connection = connected(bus(script))
    with pytest.raises((dbus_messages.Malformed, ConnectionError)):
        batch.call_each(connection, TARGET, "One", ("u", ""), [()] * 3)
    connection.close()


def test_another_process_does_not_answer_for_a_service(bus: Callable[[Script], str]) -> None:
    """A service that was started anew knows no session of the one before."""

    def script(connection: socket.socket) -> None:
        let_in(connection)
        for message, sender in zip(calls(connection), ("bus", ":1.7", ":1.7", ":1.8"), strict=True):
            connection.sendall(answer("s", ("x",), serial=message.header.serial, sender=sender))
        connection.recv(100)

    connection = connected(bus(script))
    for _ in range(2):
        assert connection.call(TARGET, "One", "s") == ("x",)
    with pytest.raises(dbus_messages.Malformed):
        connection.call(TARGET, "One", "s")
    connection.close()


@pytest.mark.parametrize("line", [b"REJECTED EXTERNAL\r\n", b"ERROR\r\n", b"OKAY\r\n"])
def test_a_bus_that_rejects_the_user_is_refused(bus: Callable[[Script], str], line: bytes) -> None:
    """After the bus rejects the user, the client sends no call."""

    def script(connection: socket.socket) -> None:
        expect(connection, b"\r\n")
        connection.sendall(line)
        assert connection.recv(100) == b""

    address = bus(script)
    with pytest.raises(ConnectionError):
        connected(address)


def hangs_up(connection: socket.socket) -> None:
    """End the connection before the answer."""
    let_in(connection)
    next(calls(connection))


def cuts_off(connection: socket.socket) -> None:
    """End the connection within the answer."""
    let_in(connection)
    next(calls(connection))
    connection.sendall(answer("s", (":1.9",))[:-3])


def answers_with_a_number(connection: socket.socket) -> None:
    """Answer the first call, which returns a text, with a number."""
    let_in(connection)
    next(calls(connection))
    connection.sendall(answer("u", (9,)))
    connection.recv(100)


def fails(connection: socket.socket) -> None:
    """Answer the first call with an error."""
    let_in(connection)
    next(calls(connection))
    connection.sendall(answer(kind=MessageType.error))
    connection.recv(100)


def sends_too_much(connection: socket.socket) -> None:
    """Announce a message of two gigabytes."""
    let_in(connection)
    next(calls(connection))
    connection.sendall(b"l\x02\0\x01" + b"\xff\xff\xff\x7f" + bytes(8))
    connection.recv(100)


def talks_nonsense(connection: socket.socket) -> None:
    """Send bytes that are not a D-Bus message."""
    let_in(connection)
    next(calls(connection))
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.recv(100)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (hangs_up, ConnectionError),
        (cuts_off, ConnectionError),
        (answers_with_a_number, dbus_messages.Malformed),
        (fails, ConnectionError),
        (sends_too_much, dbus_messages.Malformed),
        (talks_nonsense, dbus_messages.Malformed),
    ],
)
def test_a_bus_that_fails(
    bus: Callable[[Script], str], script: Script, error: type[Exception]
) -> None:
    """A faulty bus raises an error that callers expect, and the socket is closed."""
    address = bus(script)
    with pytest.raises(error):
        connected(address)


def test_a_bus_that_never_stops_talking_meets_the_deadline(bus: Callable[[Script], str]) -> None:
    """A stream of answers to other calls doesn't extend the wait."""

    def script(connection: socket.socket) -> None:
        let_in(connection)
        with pytest.raises(OSError):
            while True:
                connection.sendall(answer(kind=MessageType.signal))

    address = bus(script)
    with pytest.raises(TimeoutError):
        connected(address, seconds=0.3)


def test_a_silent_bus_meets_the_deadline(bus: Callable[[Script], str]) -> None:
    """The wait for the bus's first line has a limit too."""
    address = bus(lambda connection: expect(connection, b"\r\n") and connection.recv(1) and None)
    with pytest.raises(TimeoutError):
        connected(address, seconds=0.3)


def test_the_next_address_is_tried(bus: Callable[[Script], str], tmp_path: Path) -> None:
    """If the first address has no bus, the client uses the second."""
    address = bus(lambda connection: None)
    dbus.connect(f"unix:path={tmp_path}/none;{address}", time.monotonic() + 10).close()


@pytest.mark.parametrize("address", ["", "autolaunch:", "tcp:host=localhost,port=1"])
def test_an_address_without_a_socket_is_refused(address: str) -> None:
    """The client connects only to Unix sockets, and leaves other addresses to keyring."""
    with pytest.raises(ValueError, match="no address"):
        dbus.connect(address, time.monotonic() + 1)
