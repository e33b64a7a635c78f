"""The Assuan dialogue, as bytes: what is sent, and what is made of what comes back."""

from __future__ import annotations

import itertools
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly import text as display
from secretly.asking import assuan
from secretly.asking.assuan import Answer, Reader, command, escape, fits, unescape
from secretly.errors import PinentryFailed

VERBS = ("SETTITLE", "SETDESC", "SETPROMPT", "SETERROR", "SETOK", "SETREPEATERROR", "OPTION")

#: Any text: every code point, lone surrogates (undecodable arguments) among them.
CHARACTERS = st.one_of(st.characters(), st.sampled_from("%\r\n\t\x1b\x00\x7f\x9b\u202e\u2028é€😀"))
TEXTS = st.one_of(
    st.text(CHARACTERS),
    st.builds(
        lambda text, times: text * times, st.text(CHARACTERS, min_size=1), st.integers(1, 2000)
    ),
)


# -- what is sent ----------------------------------------------------------------


@given(st.sampled_from(VERBS), TEXTS, st.sampled_from(["", "\n"]))
def test_a_text_is_one_line(verb: str, text: str, keep: str) -> None:
    """Whatever the text, its command is one line of at most 1000 bytes, and UTF-8."""
    line = command(verb, text, keep)
    assert line.endswith(b"\n")
    assert len(line) <= 1000
    assert not {0x0A, 0x0D, 0x00} & set(line[:-1])
    assert line.decode("utf-8").startswith(verb)


@given(TEXTS, st.sampled_from(["", "\n"]))
def test_a_text_arrives_whole_or_as_a_beginning_with_an_ellipsis(text: str, keep: str) -> None:
    """What fits arrives as it is shown; else as much as fits, never half a character."""
    line = command("SETDESC", text, keep)
    seen = unescape(line[len(b"SETDESC ") : -1]).decode("utf-8")
    whole = display.escape(text, keep)
    if len(escape(whole.encode())) + len(b"SETDESC \n") <= 1000:
        assert seen == whole
    else:
        assert seen.endswith("…")
        assert whole.startswith(seen[:-1])
        assert len(line) > 1000 - 4  # the longest character takes four bytes


@given(TEXTS)
def test_no_escape_is_cut_in_half(text: str) -> None:
    """Each percent sign that is sent begins a whole escape."""
    line = command("SETPROMPT", text, keep="\n")
    for part in line.split(b"%")[1:]:
        assert part[:2] in (b"25", b"0A", b"0D")


@given(TEXTS)
def test_control_and_bidi_characters_are_sent_as_visible_escapes(text: str) -> None:
    """Nothing that is sent moves the cursor, changes the terminal or turns the text around."""
    seen = unescape(command("SETDESC", text, keep="\n")[:-1]).decode()
    assert all(c == "\n" or c.isprintable() for c in seen)


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x9b", "\x7f", "\u202e", "\u2066", "\u200b"]
)
def test_a_character_that_steers_the_terminal_is_named(character: str) -> None:
    """An ESC, a bell or a bidi override is shown by its number."""
    line = command("SETDESC", f"a{character}b").decode()
    assert character not in line
    assert f"{ord(character):02x}b" in line


@pytest.mark.parametrize("length", [991, 992, 993, 100_000])
def test_the_limit_is_exact(length: int) -> None:
    """A line of 1000 bytes is sent whole, one byte more is cut."""
    line = command("SETDESC", "x" * length)
    assert len(line) <= 1000
    assert line.endswith(b"x\n") == (length <= 991)


@pytest.mark.parametrize("shift", range(4))
def test_an_escape_at_the_limit_goes_or_stays_whole(shift: int) -> None:
    """Wherever the cut falls among percent signs, no escape is cut."""
    line = command("SETDESC", "x" * shift + "%" * 500)
    body = line[len(b"SETDESC ") : -1].removesuffix("…".encode())
    assert body == b"x" * shift + b"%25" * ((len(body) - shift) // 3)


@given(st.sampled_from(VERBS), TEXTS, st.sampled_from(["", "\n"]))
def test_what_fits_is_sent_whole(verb: str, text: str, keep: str) -> None:
    """A text that ``fits`` says does not fit would be cut: the caller refuses it first."""
    seen = unescape(command(verb, text, keep)[len(verb) + 1 : -1]).decode()
    assert fits(verb, text, keep) == (seen == display.escape(text, keep))


@pytest.mark.parametrize("text", ["{}", "{}\n", "\x1b{}", "%{}", "é{}", "\U0001f600{}"])
def test_what_just_fits_is_known_to_the_byte(text: str) -> None:
    """However many bytes a character takes once it is escaped."""
    filled = next(n for n in itertools.count() if not fits("SETDESC", text.format("x" * n), "\n"))
    for count, whole in ((filled - 1, True), (filled, False)):
        line = command("SETDESC", text.format("x" * count), "\n")
        assert line.endswith("…\n".encode()) != whole
    assert len(command("SETDESC", text.format("x" * (filled - 1)), "\n")) == 1000


def test_a_command_without_a_text_is_its_verb() -> None:
    """GETPIN takes nothing, and nothing is sent with it."""
    assert command("GETPIN") == b"GETPIN\n"


@given(st.binary())
def test_escaping_round_trips(data: bytes) -> None:
    """Whatever bytes are escaped, unescaping returns them, and the escaped is one line."""
    assert unescape(escape(data)) == data
    assert not {0x0A, 0x0D} & set(escape(data))


@given(st.binary(), st.data())
def test_any_byte_may_come_as_an_escape(data: bytes, choice: st.DataObject) -> None:
    """A pinentry may escape more than it must, with either kind of digit."""
    forms = [
        choice.draw(st.sampled_from([escape(bytes([b])), b"%%%02X" % b, b"%%%02x" % b]))
        for b in data
    ]
    assert unescape(b"".join(forms)) == data


@pytest.mark.parametrize(
    "data", [b"%", b"%%", b"100%", b"%G0", b"%0", b"%-1", b"% 1", b"%1_", b"%+1"]
)
def test_a_percent_sign_outside_an_escape_is_kept(data: bytes) -> None:
    """A pinentry that does not escape its percent signs is understood too."""
    assert unescape(data) == data


# -- what comes back -------------------------------------------------------------

WORDS = st.text(st.characters(codec="ascii", exclude_characters="\n\r "), min_size=1, max_size=20)
TAILS = st.binary(max_size=60).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b""))


@st.composite
def data_lines(draw: st.DrawFn) -> tuple[bytes, bytes | None]:
    """Lines that carry some data, and the data."""
    pieces = draw(st.lists(st.binary(max_size=80), max_size=5))
    lines = b"".join(b"D " + escape(piece) + b"\n" for piece in pieces)
    return lines, b"".join(pieces) if pieces else None


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, bytes | None, tuple[str, ...], str]]]:
    """One answer to a command as a pinentry may give it, and what must be read from it."""
    lines, data = draw(data_lines())
    parts = [(line + b"\n", "") for line in lines.split(b"\n")[:-1]]
    status = []
    inquiries = []
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(parts)))
        kind = draw(st.sampled_from("#SI"))
        word = draw(WORDS)
        if kind == "#":
            parts.insert(place, (b"#" + draw(TAILS) + b"\n", ""))
        elif kind == "S":
            parts.insert(place, (f"S {word} ".encode() + draw(TAILS) + b"\n", "S" + word))
        else:
            parts.insert(place, (f"INQUIRE {word} ".encode() + draw(TAILS) + b"\n", "I" + word))
    for _, what in parts:
        if what.startswith("S"):
            status.append(what[1:])
        elif what:
            inquiries.append((0, None, (), what[1:]))
    code = draw(st.sampled_from([0, 62, 99, 114, 198, 301]))
    if code:
        source = draw(st.sampled_from([0, 5, 32, 127]))
        end = b"ERR %d " % (source << 24 | code) + draw(TAILS) + b"\n"
    else:
        end = draw(st.sampled_from([b"OK\n", b"OK closing connection\n", b"OK\r\n"]))
    wire = b"".join(line for line, _ in parts) + end
    return wire, [*inquiries, (code, data, tuple(status), "")]


def read(reader: Reader, *chunks: bytes) -> list[tuple[int, bytes | None, tuple[str, ...], str]]:
    """What the reader makes of the chunks, as plain values."""
    return [
        (a.code, None if a.data is None else bytes(a.data), a.status, a.inquiry)
        for chunk in chunks
        for a in reader.feed(chunk)
    ]


@given(st.lists(answers(), max_size=4), st.lists(st.integers(1, 90), min_size=1))
def test_any_split_of_a_dialogue_reads_the_same(
    dialogue: list[tuple[bytes, list[tuple[int, bytes | None, tuple[str, ...], str]]]],
    sizes: list[int],
) -> None:
    """In whatever pieces a dialogue comes, the same answers are read."""
    wire = b"".join(lines for lines, _ in dialogue)
    wanted = [answer for _, some in dialogue for answer in some]
    chunks, rest = [], wire
    for size in itertools.cycle(sizes):
        if not rest:
            break
        chunks.append(rest[:size])
        rest = rest[size:]
    assert read(Reader(), wire) == wanted
    assert read(Reader(), *chunks) == wanted
    assert read(Reader(), *(wire[i : i + 1] for i in range(len(wire)))) == wanted


def test_a_real_dialogue_is_read() -> None:
    """The bytes that a real pinentry-tty sent: greeting, status, a secret in two lines, an end."""
    found = read(
        Reader(),
        b"OK Pleased to meet you, process 4711\n",
        b"S PIN_REPEATED \nD canary-\nD 100%25\nOK\n",
        b"ERR 83886179 Operation cancelled <Pinentry>\n",
    )
    assert found == [
        (0, None, (), ""),
        (0, b"canary-100%", ("PIN_REPEATED",), ""),
        (99, None, (), ""),
    ]


def test_lines_may_end_as_on_windows() -> None:
    """A carriage return before the line feed belongs to neither."""
    found = read(Reader(), b"OK\r\nD canary-1\r\nS WORD\r\nOK\r\nERR 99\r\n")
    assert found == [(0, None, (), ""), (0, b"canary-1", ("WORD",), ""), (99, None, (), "")]


def test_an_empty_secret_has_empty_data() -> None:
    """An OK without a D line has no data; one with an empty D line has empty data."""
    assert read(Reader(), b"OK\nD \nOK\n") == [(0, None, (), ""), (0, b"", (), "")]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (83886179, assuan.CANCELED),
        (83886278, assuan.FULLY_CANCELED),
        (83886142, assuan.TIMEOUT),
        (83886194, assuan.NOT_CONFIRMED),
        (83886381, assuan.WINDOW_TOO_SMALL),
        (83918950, 0x8000 | 102),
        (99, assuan.CANCELED),
        (32 << 24 | 99, assuan.CANCELED),
        (5 << 24 | 127 << 16 | 99, assuan.CANCELED),
    ],
)
def test_an_error_is_known_by_its_low_sixteen_bits(number: int, code: int) -> None:
    """Which part of GnuPG an error comes from makes no difference."""
    assert [a.code for a in Reader().feed(b"ERR %d whatever\n" % number)] == [code]


def test_the_data_of_one_answer_is_not_that_of_the_next() -> None:
    """Each answer begins without data and without status."""
    reader = Reader()
    read(reader, b"S ONE\nD canary-1\nOK\n")
    assert read(reader, b"OK\n") == [(0, None, (), "")]


ODD_LINES = st.builds(
    lambda keyword, rest, end: keyword + rest + end,
    st.sampled_from([b"OK", b"ERR ", b"D ", b"S ", b"INQUIRE ", b"END", b"# ", b"", b"BYE "]),
    st.binary(max_size=20)
    | st.integers(-1, 2**40).map(lambda number: b"%d x" % number)
    | st.sampled_from([b"x" * 999, b"x" * 1003, b"%", b"%0", b"%g0", b"%+1"]),
    st.sampled_from([b"\n", b"\r\n", b""]),
)


@pytest.mark.parser("Assuan answers")
@given(
    st.binary(max_size=200) | st.lists(ODD_LINES, max_size=8).map(b"".join),
    st.lists(st.integers(1, 500), min_size=1, max_size=5),
)
def test_any_bytes_give_answers_or_a_typed_error(data: bytes, sizes: list[int]) -> None:
    """No bytes make the reader fail in another way."""
    reader = Reader()
    try:
        for size in itertools.cycle(sizes):
            for answer in reader.feed(data[:size]):
                assert isinstance(answer, Answer)
            data = data[size:]
            if not data:
                break
    except PinentryFailed as error:
        assert error.hint


@pytest.mark.parametrize(
    "garbage",
    [
        b"Hello\n",
        b"ok\n",
        b"OKAY\n",
        b" OK\n",
        b"\x00\xff\n",
        b"bash: pinentry: No such file\n",
        b"D " + b"x" * 1001 + b"\n",
        b"#" + b"x" * 5000 + b"\nOK\n",
        b"D " + b"x" * 1001,
        b"x" * 20_000,
    ],
)
def test_bytes_that_break_the_protocol_are_an_error(garbage: bytes) -> None:
    """Garbage and lines without an end are errors, whose messages don't repeat the bytes."""
    with pytest.raises(PinentryFailed) as caught:
        Reader().feed(garbage)
    assert caught.value.hint
    assert not {"Hello", "xx", "bash", "99"} & {*str(caught.value).split()}
    assert "xx" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ["ERR", "ERR cancelled", "ERR -99 x", "ERR 0 x", "ERR 65536 x", "ERR 99999999999999999999 x"],
)
def test_an_error_without_a_number_is_the_failure_of_that_call(line: str) -> None:
    """An ERR line without a valid number is an error, and the next answer is read as usual."""
    reader = Reader()
    assert read(reader, f"{line}\nD x\nOK\n".encode()) == [
        (assuan.GENERAL, None, (), ""),
        (0, b"x", (), ""),
    ]


@pytest.mark.parametrize("length", [998, 1000])
def test_the_longest_lines_that_pinentries_send_are_read(length: int) -> None:
    """A D line of 998 bytes of data, as libassuan fills them, is not too long."""
    data = b"x" * length
    assert read(Reader(), b"D " + data + b"\nOK\n") == [(0, data, (), "")]


def test_a_line_without_an_end_is_an_error_early() -> None:
    """A pinentry that writes without end is refused after about a thousand bytes."""
    reader = Reader()
    with pytest.raises(PinentryFailed):
        for _ in range(100):
            reader.feed(b"x" * 100)
    assert not any(vars(reader).values())


def test_more_than_a_mebibyte_is_an_error() -> None:
    """A pinentry that sends data without end is refused."""
    reader, line = Reader(), b"D " + b"x" * 998 + b"\n"
    with pytest.raises(PinentryFailed, match="1 MiB"):
        for _ in range(1200):
            reader.feed(line)
    assert not any(vars(reader).values())


def test_a_mebibyte_is_still_read() -> None:
    """The limit is beyond whatever fits into an environment."""
    reader, line = Reader(), b"D " + b"x" * 512 + b"\n"
    for _ in range(2048):
        reader.feed(line)
    assert read(reader, b"OK\n")[0][1] == b"x" * (1 << 20)


# -- what is not kept ------------------------------------------------------------


def held(thing: object) -> str:
    """Everything that an object holds or shows."""
    values = [bytes(v) if isinstance(v, bytearray) else v for v in vars(thing).values()]
    return f"{thing!r} {thing} {values!r}"


@pytest.mark.parametrize("keyword", ["QUALITY", "CHECKPIN", "GENPIN"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_parameters_of_an_inquiry_are_dropped(keyword: str, size: int) -> None:
    """QUALITY and CHECKPIN have what is being typed: only the keyword is kept."""
    reader, wire = Reader(), f"INQUIRE {keyword} canary-typed\n".encode()
    found = [a for i in range(0, len(wire), size) for a in reader.feed(wire[i : i + size])]
    assert [a.inquiry for a in found] == [keyword]
    assert "canary" not in held(reader)
    assert "canary" not in "".join(map(repr, found)) + "".join(str(a._asdict()) for a in found)


def test_the_reader_keeps_nothing_of_an_answer() -> None:
    """After an answer its secret is only in the answer, whose repr does not show it."""
    reader = Reader()
    (answer,) = reader.feed(b"D canary-typed\nOK\n")
    assert bytes(answer.data or b"") == b"canary-typed"
    assert "canary" not in held(reader)
    assert "canary" not in f"{answer} {answer!r} {[answer]}"


@pytest.mark.parametrize(
    "lines",
    [
        (b"D canary-typed\n", b"nonsense\n"),
        (b"D canary-typed\ncanary-typed\n",),
        (b"D canary-typed", b"canary-typed" * 100),
        (b"D canary-typed" + b"x" * 2000 + b"\n",),
        (b"D canary-typed\n", *[b"D " + b"x" * 998 + b"\n"] * 1100),
    ],
)
def test_an_error_leaves_nothing_of_a_secret(lines: tuple[bytes, ...]) -> None:
    """Not in the reader, and not in a traceback with locals."""
    reader = Reader()
    chunks = iter(lines)

    def trouble() -> PinentryFailed:
        try:
            for _ in range(len(lines)):
                reader.feed(next(chunks))
        except PinentryFailed as error:
            return error
        raise AssertionError("it was taken for an answer")

    error = trouble()
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    own = "".join(line for line in shown.format() if "test_assuan" not in line)
    assert "in feed" in own
    assert "canary" not in own + repr(error) + error.hint + held(reader)


# -- what the first secretly got wrong -------------------------------------------


def test_line_ends_are_not_swapped() -> None:
    """%0A is a line feed and %0D a carriage return (0.3 had them the other way round)."""
    assert unescape(b"a%0Ab%0Dc") == b"a\nb\rc"


def test_every_escape_is_decoded() -> None:
    """Not only those of line ends and the percent sign (0.3 decoded no others)."""
    assert unescape(b"%41%e2%82%ac") == "A€".encode()


def test_a_newline_in_a_description_injects_nothing() -> None:
    """A description with a command in it stays a description (0.3 sent the command)."""
    line = command("SETDESC", "for demo\nGETPIN\r\nBYE", keep="\n")
    assert line == b"SETDESC for demo%0AGETPIN\\x0d%0ABYE\n"
    assert command("SETPROMPT", "a\nGETPIN") == b"SETPROMPT a\\x0aGETPIN\n"


def test_a_line_of_twenty_thousand_bytes_is_an_error() -> None:
    """The reader neither waits for its end nor takes it for an answer (0.3 hung)."""
    with pytest.raises(PinentryFailed):
        Reader().feed(b"D " + b"x" * 20_000)
    with pytest.raises(PinentryFailed):
        Reader().feed(b"D " + b"x" * 20_000 + b"\nOK\n")
