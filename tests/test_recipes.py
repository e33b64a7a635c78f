"""Test that secretly accepts uploads as public projects write them in their release recipes."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from agreement.recipes import Outcome, Recipe, distinct, outcomes, read_recipes, refusals

#: The refusals that the documentation lists.
LISTED = Path(__file__).parent.parent / "docs/explanation/refused.csv"

RECIPES = read_recipes()

#: The options that give an index by its URL.
URL = re.compile(r'--(?:repository|publish)-url[= ]"?([^ "]+)')


@pytest.fixture(name="found", scope="module")
def _found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What secretly makes of each recipe."""
    some = distinct(RECIPES)
    found = outcomes(some, tmp_path_factory.mktemp("recipes").resolve())
    return {repr(recipe): outcome for recipe, outcome in zip(some, found, strict=True)}


def test_the_recipes_are_many_and_of_each_tool() -> None:
    """200 different ones in all, and 15 or more of each tool."""
    tools = Counter(recipe.tool for recipe in distinct(RECIPES))
    assert set(tools) == {*"twine uv poetry flit hatch pdm maturin cargo npm".split()}
    assert (sum(tools.values()) >= 200, min(tools.values()) >= 15) == (True, True)


def refused(recipes: list[Recipe], found: dict[str, Outcome]) -> list[Recipe]:
    """The recipes that secretly refuses."""
    return [recipe for recipe in recipes if found[repr(recipe)].kind == "refused"]


def test_at_most_a_twentieth_is_refused(found: dict[str, Outcome]) -> None:
    """Each counts as often as projects write it."""
    assert len(refused(RECIPES, found)) <= len(RECIPES) * 0.05


def test_at_most_a_twentieth_is_refused_of_what_the_tools_accept(
    found: dict[str, Outcome],
) -> None:
    """Each counts once, and those that the tool itself refuses don't count."""
    accepted = [recipe for recipe in distinct(RECIPES) if not recipe.fails]
    assert len(refused(accepted, found)) <= len(accepted) * 0.05


def test_each_refusal_is_listed(found: dict[str, Outcome]) -> None:
    """Run ``python -m agreement.recipes --write docs/explanation/refused.csv`` if it changes."""
    rows = refusals(RECIPES, [found[repr(recipe)] for recipe in RECIPES])
    with LISTED.open(encoding="utf-8", newline="") as file:
        listed = [row[:2] for row in csv.reader(file)]
    assert listed == [row[:2] for row in rows]


def test_a_typed_url_is_the_index(found: dict[str, Outcome]) -> None:
    """PyPI's own URL too."""
    typed = [
        (got.url, url[1])
        for recipe in distinct(RECIPES)
        if (url := URL.search(recipe.command)) and (got := found[repr(recipe)]).url
    ]
    assert len(typed) >= 10
    assert [pair for pair in typed if pair[0] != pair[1]] == []


def test_the_recipes_name_no_real_host() -> None:
    """Each host is an example or this machine."""
    texts = "\n".join(text for one in RECIPES for text in (one.command, *one.environ.values()))
    texts += "\n".join(text for one in RECIPES for text in one.settings.values())
    hosts = {urlsplit(url).hostname or "" for url in re.findall(r"https?://[^\s\"]+", texts)}
    real = [
        host for host in hosts if not re.search(r"\.example$|\.example\.org$|^localhost$", host)
    ]
    assert (len(hosts) >= 5, real) == (True, ["127.0.0.1"])
