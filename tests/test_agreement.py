"""Test the figures that show whether secretly reads the calls of tools as the tools do."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from agreement.cases import VERSIONS
from agreement.chosen import Chooser
from agreement.figures import BOTH, Figures, reason_of, write

#: The figures that the documentation shows.
LISTED = Path(__file__).parent.parent / "docs/explanation/agreement.csv"


def rows(path: Path) -> list[list[str]]:
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_the_documented_figures_are_of_each_tool_and_of_these_versions() -> None:
    """Run ``python -m agreement TOOL --write docs/explanation/agreement.csv`` if they change."""
    assert [row[:2] for row in rows(LISTED)] == [
        [tool, ", ".join(versions)] for tool, versions in VERSIONS.items()
    ]


@pytest.mark.parametrize("row", rows(LISTED), ids=lambda row: row[0])
def test_no_documented_call_goes_elsewhere(row: list[str]) -> None:
    """No version disagrees, and no pin breaks a call."""
    assert row[9:] == ["0", "0"]


@pytest.mark.parametrize("row", rows(LISTED), ids=lambda row: row[0])
def test_few_documented_calls_are_refused(row: list[str]) -> None:
    """At most a twentieth; poetry's may be a little more, as its versions differ in many forms."""
    share = float(row[8].partition("(")[2].partition(" ")[0])
    assert share <= (5.5 if row[0] == "poetry" else 5)


def figures(tool: str, refused: dict[str, int]) -> Figures:
    """The figures of ten cases, some of them refused."""
    found = Figures(tool, 1)
    found.cases = 10
    found.refused.update(refused)
    found.same = 10 - found.refused.total()
    return found


def test_what_the_tool_refuses_too_does_not_count_as_refused_alone() -> None:
    """The share is that of all cases."""
    found = figures("flit", {BOTH: 3, "a reason": 1})
    assert found.row()[4:] == ["6", "0", "0", "3", "1 (10.0 %)", "0", "0"]
    assert found.reasons == [("a reason", 1)]


def test_a_tool_has_one_row_in_the_order_of_the_tools(tmp_path: Path) -> None:
    """Writing its figures again replaces its row and its reasons, and no others."""
    path = tmp_path / "figures.csv"
    for tool, reason in (("flit", "old"), ("twine", "kept"), ("flit", "new")):
        write(figures(tool, {reason: 2}), path)
    assert [row[0] for row in rows(path)] == ["twine", "flit"]
    reasons = rows(tmp_path / "figures-refused.csv")
    assert reasons == [["twine", "kept", "2"], ["flit", "new", "2"]]


def test_a_reason_has_no_names_of_its_case() -> None:
    """So that equal refusals count as one."""
    assert reason_of("flit knows no index 'corp'") == reason_of("flit knows no index 'a b'")


def test_a_case_has_at_most_two_odd_things() -> None:
    """Or the tool itself would refuse most calls. Two are not rare."""
    counts = [sum(chooser.odd(100) for _ in range(9)) for chooser in map(Chooser, range(50))]
    assert set(counts) == {0, 1, 2}
