"""Text from outside, made harmless before the user sees it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import secretly
from secretly.publishing.consent import wrap
from secretly.text import (
    escape,
    format_command,
    format_size,
    format_time,
    from_json,
    shorten,
)

TEXTS = st.text(st.characters())


@given(TEXTS)
def test_escaped_text_is_printable(text: str) -> None:
    """No control, format, surrogate or unassigned character and no odd space is left."""
    assert escape(text).isprintable()


@given(TEXTS)
def test_printable_text_stays_as_it_is(text: str) -> None:
    """Letters, digits, marks and symbols of any script are left alone."""
    fillers = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that print nothing
    format_command = [c for c in text if unicodedata.category(c)[0] in "LNPS" and c not in fillers]
    assert escape("".join(format_command)) == "".join(format_command)


def test_ordinary_text_stays_as_it_is() -> None:
    """In any script, with its marks."""
    text = "naïve café, e\u0301té, Ωμέγα, 日本語, 100 % €, 😀"
    assert escape(text) == text


@given(TEXTS)
def test_escaping_twice_changes_nothing(text: str) -> None:
    """Text that is harmless stays as it is, so that it does not matter who escapes."""
    assert escape(escape(text)) == escape(text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb", "a\\x0ab"),
        ("a\x9bb", "a\\x9bb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2066b", "a\\u2066b"),
        ("a\u200bb", "a\\u200bb"),
        ("a\u2028b", "a\\u2028b"),
        ("a\u00a0b", "a\\xa0b"),
        ("a\u2003b", "a\\u2003b"),
        ("a\u3164b", "a\\u3164b"),
        ("a\ufe00b", "a\\ufe00b"),
        ("a\ufe0fb", "a\\ufe0fb"),
        ("a\U000e0001b", "a\\U000e0001b"),
        ("a\U000e0100b", "a\\U000e0100b"),
        ("a\U000e01efb", "a\\U000e01efb"),
        ("a\udcffb", "a\\xffb"),
        ("a\ud800b", "a\\ud800b"),
    ],
)
def test_characters_that_steer_or_hide_are_shown_by_number(text: str, seen: str) -> None:
    """Controls, bidi marks, invisible ones, odd spaces, bytes that were not UTF-8."""
    assert escape(text) == seen


def test_characters_to_keep_are_kept() -> None:
    """In a text of several lines the newlines stay, and nothing else."""
    assert escape("two\nlines\r\x1b", keep="\n") == "two\nlines\\x0d\\x1b"


@given(TEXTS, st.integers(1, 60))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, limit: int) -> None:
    """A text that is too long loses its middle; another stays as it is."""
    short = shorten(text, limit)
    assert len(short) <= limit
    if len(text) <= limit:
        assert short == text
    else:
        assert len(short) == limit
        head, tail = short[: limit - 1 - (limit - 1) // 2], short[limit - (limit - 1) // 2 :]
        assert short == f"{head}…{tail}"
        assert text.startswith(head)
        assert text.endswith(tail)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.integers(10, 200))
def test_a_command_line_is_shown_harmless_and_short(command: list[str], limit: int) -> None:
    """Whatever the arguments, a prompt shows them in one short printable line."""
    text = format_command(command, limit)
    assert len(text) <= limit
    assert text.isprintable()


@given(st.lists(st.text("ab '\"\\$*;é", max_size=8), min_size=1, max_size=5))
def test_a_command_line_that_fits_could_be_typed_again(command: list[str]) -> None:
    """It is quoted for a shell, so that 'a b' is not shown as 'a' and 'b'."""
    assert shlex.split(format_command(command, 10_000)) == command


# -- lines -----------------------------------------------------------------------


@given(st.text(st.sampled_from("ab \n/é") | st.characters()), st.integers(5, 80))
def test_a_wrapped_text_fits_and_loses_nothing(text: str, width: int) -> None:
    """No line is too long, and each continued line has a mark."""
    lines = wrap(text, width).split("\n")
    assert max(map(len, lines)) <= width
    again: list[str] = []
    for line in text.split("\n"):
        again.append(line[:width])
        rest = line[width:]
        while rest:
            again.append("> " + rest[: width - 2])
            rest = rest[width - 2 :]
    assert lines == again


def test_a_text_that_fits_is_not_wrapped() -> None:
    """Its own lines stay, empty ones and the last one too."""
    for text in ("", "a", "x" * 72, "a\n\nb\n", "\n"):
        assert wrap(text, 72) == text
    assert wrap("x" * 73, 72) == "x" * 72 + "\n> x"


def test_a_continued_line_looks_like_no_other_line() -> None:
    """A file's name may be as long as a line, and go on with the words of a head line."""
    text = wrap("x" * 72 + "program: /usr/bin/harmless", 72)
    assert "program:" not in [line[:8] for line in text.split("\n")]


# -- sizes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1049, "1.0 kB"),
        (1051, "1.1 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (999_999, "1.0 MB"),
        (1_000_000, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (999_950_000, "1.0 GB"),
        (1_500_000_000_000, "1.5 TB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_a_size_is_short(count: int, text: str) -> None:
    """In thousands, with one digit after the point; the unit changes where the number would."""
    assert format_size(count) == text


@given(st.integers(0, 10**14))
def test_a_size_is_exact_to_a_twentieth_of_its_unit(count: int) -> None:
    """In at most three digits."""
    number, unit = format_size(count).split()
    factor = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert abs(float(number) * factor - count) <= 0.0501 * factor
    assert float(number) < 1000


# -- times -----------------------------------------------------------------------


def test_a_time_of_today_has_hours_and_minutes() -> None:
    """They are enough for the next quarter of an hour."""
    for _ in range(2):  # midnight may come between the two
        now = time.time()
        seen = format_time(now)
        if time.localtime()[:3] == time.localtime(now)[:3]:
            break
    assert seen == time.strftime("%H:%M", time.localtime(now))


@pytest.mark.parametrize("days", [-400, -2, 2, 400])
def test_a_time_of_another_day_has_the_day(days: int) -> None:
    """Tomorrow's 14:32 is not today's."""
    moment = time.time() + days * 86400
    assert format_time(moment) == time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


@pytest.mark.parametrize(
    ("zone", "text"), [("UTC", "2001-09-09 01:46"), ("XXX-2", "2001-09-09 03:46")]
)
def test_a_time_is_in_the_local_time_zone(
    zone: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the user's own time zone."""
    try:
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert format_time(1_000_000_000) == text
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("moment", "text"),
    [(10**18, "never"), (10**30, "never"), (-(10**18), "long ago"), (-(10**30), "long ago")],
)
def test_a_time_that_no_calendar_has_is_in_words(moment: int, text: str) -> None:
    """A token may have any number in it."""
    assert format_time(moment) == text


@given(st.integers() | st.floats(allow_nan=False))
def test_any_time_can_be_shown(moment: float) -> None:
    """In a short, printable text."""
    assert format_time(moment).isprintable()
    assert 0 < len(format_time(moment)) < 40


# -- JSON --------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.parametrize("text", ["{", '{"a": 1, "b', "[1,]", '"\\x"', "nul"])
def test_wrong_json_is_a_plain_error_before_json_is_loaded(text: str) -> None:
    code = (
        "import sys; from secretly.text import from_json\n"
        "if 'json.decoder' in sys.modules: sys.exit('loaded')\n"
        "try: from_json(sys.argv[1])\n"
        "except ValueError: sys.exit()\n"
        "sys.exit('valid')"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, text],
        env={"PYTHONPATH": str(Path(secretly.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


#: What JSON can hold.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def read_both(text: str) -> list[str]:
    """What the library's reader makes of a text, and what ours does."""
    found = []
    for read in (json.loads, from_json):
        try:
            found.append(repr(read(text)))
        except ValueError:
            found.append("not valid")
        except RecursionError:
            found.append("too deep")
    return found


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_json_is_read_as_the_library_reads_it(value: object, ascii_only: bool, indent: int) -> None:
    """Whatever it holds, and with blanks in it."""
    theirs, ours = read_both(json.dumps(value, ensure_ascii=ascii_only, indent=indent))
    assert ours == theirs == repr(value)


@given(st.text('[]{}:,"\\ \t\n\r\f\u00a0\ufeff01-.eEtrufalsnNaIity/\x00', max_size=12))
def test_any_text_is_json_for_both_or_for_neither(text: str) -> None:
    """The library's reader stays the referee."""
    theirs, ours = read_both(text)
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1 2", "{} x", "[1,]", "{1: 2}", "nul", "\ufeff1", "\u00a01", '"\n"', '"\\x"'),
        *("NaN", "-Infinity", "1e999", "1.0", "9" * 4000, '{"a": 1, "a": 2}', '"\\ud800"'),
        "[" * 100_000,
    ],
)
def test_odd_json_is_read_as_the_library_reads_it(text: str) -> None:
    """Constants, numbers, a name twice, what follows the end, and what is nested too deeply."""
    theirs, ours = read_both(text)
    assert ours == theirs
