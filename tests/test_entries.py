"""The secrets in the configuration: all are checked, and those that are used are read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly.config import schema
from secretly.config.model import Configuration, Entry
from secretly.config.schema import are_right
from secretly.errors import BadConfiguration
from secretly.reference import parse

ENTRY = st.dictionaries(
    st.sampled_from([*schema._ENTRY, "sources"]),
    st.sampled_from(
        [
            *("", "x", "15m", "ask", "text", "json", "a\0", True, False, 0, 1, 1.0),
            *(
                ["a"],
                [],
                ["a", 1],
                {},
                ["pypi-canary0canary0"],
                "op://a",
                "op://a#b",
                "command://a",
            ),
        ]
    ),
    max_size=3,
)


@given(st.dictionaries(st.sampled_from("abcd"), ENTRY | st.just("x"), max_size=4))
def test_an_entry_that_is_read_later_has_no_error(tables: dict[str, Any]) -> None:
    """The errors are found when the file is loaded: the first one, as if all were read."""
    file = schema.ConfigFile("/config.toml")

    def error(names: Any) -> str:
        try:
            for name in names:
                file.entry(name, tables[name])
        except BadConfiguration as error:
            return str(error)
        return ""

    assert error(schema._unclear(tables)) == error(tables)


def test_only_entries_that_may_be_wrong_are_read_early() -> None:
    """A list, a command and what is sealed get a closer look; all do, if one may be a secret."""
    right = {"source": "op://Private/Item#x", "username": "me", "confirm": True, "remember": "15m"}
    unclear = {"A": right, "B": {"hosts": ["a"]}, "C": {"command": ["a"]}, "D": {"sealed": True}}
    assert schema._unclear(unclear) == ["B", "C", "D"]
    assert schema._unclear({"A": {"confirm": True}, "B": {"confirm": 1}}) == ["B"]
    assert schema._unclear({"A": right, "E": {"source": "op://ghp_canary0canary0"}}) == ["A", "E"]


@given(
    st.lists(
        st.sampled_from(
            ["op", "OP", "secretly", "command", "my vault", "1a", "a+b", "é", "", " op"]
        )
        | st.sampled_from(
            ["://", ":/", "#", "/", " ", "x", "\n", "\xa0", "\x7f", "ghp_canary0canary0"]
        ),
        max_size=5,
    ).map("".join)
)
def test_a_source_that_needs_no_closer_look_is_a_reference(text: str) -> None:
    """With a scheme."""
    if are_right([text]):
        assert parse(text).scheme
    for other in ("op://a", "a"):
        assert are_right([text, other]) == are_right([other, text])
        assert are_right([text, "op://a"]) == are_right([text])


@pytest.mark.parametrize(
    "text",
    ["secretly://a", "op://", "op://#a", "op://a#", "op://a ", "op://a\n", "op://\x7fa", "a"],
)
def test_a_source_that_may_be_wrong_gets_a_closer_look(text: str) -> None:
    """Also among others."""
    assert not are_right([text]) and not are_right(["op://a", text])


def test_entries_are_found_by_a_key_without_reading_the_others() -> None:
    """Entries that were made in another way may all be found."""
    tables = {"A": {"confirm": True}, "B": {"confirm": "30m"}, "C": {"command": ["a"]}}
    found = schema.ConfigFile("/config.toml").configuration({"secrets": tables, "commands": {}})
    assert found.having("confirm", str) == {"B": Entry("B", confirm=1800.0)}
    assert list(found.having("command", list)) == ["C"]
    assert Configuration(secrets={"A": Entry("A")}).having("confirm", str) == {"A": Entry("A")}
    assert ("A" in found.secrets, "D" in found.secrets, len(found.secrets)) == (True, False, 3)
