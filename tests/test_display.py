"""Text from outside, made harmless before a person sees it."""

from __future__ import annotations

import shlex
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly.display import shortened, shown, visible

TEXTS = st.text(st.characters())


@given(TEXTS)
def test_whatever_the_text_what_is_shown_prints(text: str) -> None:
    """No control, format, surrogate or unassigned character and no odd space is left."""
    assert visible(text).isprintable()


@given(TEXTS)
def test_what_prints_is_shown_as_it_is(text: str) -> None:
    """Letters, digits, marks and symbols of any script are left alone."""
    fillers = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that print nothing
    shown = [c for c in text if unicodedata.category(c)[0] in "LNPS" and c not in fillers]
    assert visible("".join(shown)) == "".join(shown)


def test_ordinary_text_is_shown_as_it_is() -> None:
    """In any script, with its marks."""
    text = "naïve café, e\u0301té, Ωμέγα, 日本語, 100 % €, 😀"
    assert visible(text) == text


@given(TEXTS)
def test_showing_twice_changes_nothing(text: str) -> None:
    """What is harmless already stays as it is, so that rooms need not agree who does it."""
    assert visible(visible(text)) == visible(text)


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
        ("a\ufe0fb", "a\\ufe0fb"),
        ("a\U000e0001b", "a\\U000e0001b"),
        ("a\U000e0100b", "a\\U000e0100b"),
        ("a\udcffb", "a\\xffb"),
        ("a\ud800b", "a\\ud800b"),
    ],
)
def test_what_steers_or_hides_is_named(text: str, seen: str) -> None:
    """Controls, bidi marks, invisible ones, odd spaces, bytes that were no UTF-8: by number."""
    assert visible(text) == seen


def test_a_character_that_is_meant_is_kept() -> None:
    """Where lines are meant, newlines stay, and nothing else with them."""
    assert visible("two\nlines\r\x1b", keep="\n") == "two\nlines\\x0d\\x1b"


@given(TEXTS, st.integers(1, 60))
def test_what_is_shortened_fits_and_keeps_both_ends(text: str, limit: int) -> None:
    """A text that is too long loses its middle to an ellipsis; another is left alone."""
    short = shortened(text, limit)
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
    """Whatever the arguments, what a prompt says of them is one short printable line."""
    text = shown(command, limit)
    assert len(text) <= limit
    assert text.isprintable()


@given(st.lists(st.text("ab '\"\\$*;é", max_size=8), min_size=1, max_size=5))
def test_a_command_line_that_fits_could_be_typed_again(command: list[str]) -> None:
    """It is quoted as a shell wants it, so that 'a b' is told from 'a' and 'b'."""
    assert shlex.split(shown(command, 10_000)) == command
