"""Test how command lines are read as argparse reads them."""

from __future__ import annotations

import shlex

import pytest

from secretly.errors import Refused
from secretly.publishing.options import Options
from secretly.publishing.parsers import argparse

TOP = Options("-h/--help --no-color")
UPLOAD = Options(
    "-h/--help -r/--repository= --repository-url= -s/--sign --sign-with= -c/--comment="
)


def read(line: str) -> list[tuple[str, str | None]]:
    """Return the options of a line that is read by one parser."""
    return argparse.read("x", shlex.split(line), UPLOAD).options


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("-r x", "x"),
        ("-rx", "x"),
        ("-r=x", "x"),
        ("-r=", ""),
        ("-r ''", ""),
        ("-r==x", "=x"),
        ("-r -", "-"),
        ("'-r x'", " x"),
        ("--repository x", "x"),
        ("--repository=x", "x"),
        ("--repository=", ""),
        ("--repository='a b'", "a b"),
        ("--repository=-x", "-x"),
    ],
)
def test_an_option_with_a_value(line: str, value: str) -> None:
    """Each spelling of an option has the same name, and an empty value takes no other word."""
    assert read(line) == [("--repository", value)]
    assert read(f"{line} --sign") == [("--repository", value), ("--sign", None)]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("-srx", [("--sign", None), ("--repository", "x")]),
        ("-sr x", [("--sign", None), ("--repository", "x")]),
        ("-sh", [("--sign", None), ("--help", None)]),
        ("--repository-u x", [("--repository-url", "x")]),
        ("--sign", [("--sign", None)]),
        ("--sign-w x", [("--sign-with", "x")]),
        ("--c=x", [("--comment", "x")]),
    ],
)
def test_clusters_and_abbreviations(line: str, options: list[tuple[str, str | None]]) -> None:
    """Short options may stand together, and long ones may be cut. A whole name is preferred."""
    assert read(line) == options


@pytest.mark.parametrize(
    "line",
    [
        "--repo x",
        "--unknown",
        "-x",
        "-sx",
        "--sign=",
        "--sign=x",
        "-s=rx",
        "-sr=x",
        "-r",
        "-r -x",
        "-r --",
        "--repository",
        "--repository --sign",
        "'--repository x'",
        "-- x",
        "x --",
    ],
)
def test_what_argparse_or_a_version_of_it_refuses(line: str) -> None:
    """The error has words to use instead."""
    with pytest.raises(Refused) as caught:
        read(line)
    assert caught.value.hint


def test_a_value_is_not_shown_with_an_unknown_option() -> None:
    """It may be a password."""
    with pytest.raises(Refused) as caught:
        read("--pasword=canary-1")
    assert "canary" not in str(caught.value)


def test_a_subcommand_has_options_of_its_own() -> None:
    """Options before the subcommand belong to the program, those after it to the subcommand."""

    def read(line: str) -> argparse.Words:
        return argparse.read("x", shlex.split(line), TOP, {"upload": UPLOAD})

    words = read("--no upload -rx a b --sign")
    assert words.words == ["upload", "a", "b"]
    assert words.options == [("--no-color", None), ("--repository", "x"), ("--sign", None)]
    assert words.before == 1
    for line in ("upload --no-color x", "-r x upload", "check x", "x upload"):
        with pytest.raises(Refused):
            read(line)


@pytest.mark.parametrize(
    ("line", "words", "plain"),
    [
        ("upload -- a b", ["a", "b"], "upload a b"),
        ("upload -s -- a -x", ["a", "-x"], "upload -s a ./-x"),
        ("upload a -- b", ["a", "b"], "upload a b"),
        ("upload -r x a", ["a"], "upload -r x a"),
    ],
)
def test_two_dashes_may_end_the_options(line: str, words: list[str], plain: str) -> None:
    """Where all versions agree which words are files. Options can be added without them."""
    arguments = shlex.split(line)
    read = argparse.read("x", arguments, TOP, {"upload": UPLOAD}, files=True)
    assert read.words == ["upload", *words]
    assert argparse.without_end(arguments) == tuple(plain.split())


@pytest.mark.parametrize(
    "line",
    ["upload -- -r x", "-- upload -x", "upload -- -- a", "upload a -- b -- c", "upload -r --"],
)
def test_two_dashes_that_are_read_differently_are_refused(line: str) -> None:
    """The outer of two parsers drops the dashes next to the subcommand."""
    with pytest.raises(Refused):
        argparse.read("x", shlex.split(line), TOP, {"upload": UPLOAD}, files=True)
    with pytest.raises(Refused):
        argparse.read("x", ["upload", "a", "--", "b"], TOP, {"upload": UPLOAD})


def test_options_can_be_taken_away() -> None:
    """With their values, in each spelling that a long option has."""
    line = "--no-color upload --repository x a --repository=y --repository= --sign"
    left = argparse.without("x", shlex.split(line), TOP, {"upload": UPLOAD}, ("--repository",))
    assert left == ["--no-color", "upload", "a", "--sign"]
