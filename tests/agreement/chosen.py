"""Random choices for cases of real runs: most are good calls, as each run takes its time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .cases import Case
from .spellings import sdist, wheel

WHEEL, SDIST = "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"

#: The files of a project's ``dist``.
DIST = {
    f"project/dist/{WHEEL}": wheel(),
    f"project/dist/{SDIST}": sdist(),
    "project/dist/README.md": "notes",
}

#: URLs that tools take, with a user name, and odd ones.
GOOD = ["https://one.example/legacy/", "http://two.example:8080/x", "https://three.example"]
WITH_USER = [
    "https://ada@four.example/",
    "http://a%40b@five.example/",
    "http://ada:canary-url@six.example/",
]
ODD = [
    *("", "HTTP://Seven.Example", "eight.example/legacy", "http://a;b@nine.example/"),
    *("https://[::1]:9/", "http://ten.example\\@two.example/", " https://two.example/"),
    *("ftp://two.example", "https://two.example/{x}", "https://two.example/?q=1#f"),
    *("http://:x@two.example", "http://a@b@two.example/", "http:two.example"),
    *("https://two.example/a b", "http://two.example%2f@ten.example/"),
]
USERS = ["ada", "__token__", "ada", "", "a%b", "ä", "ada lovelace"]


class Chooser:
    """Chooses at random, from a number that names all its choices."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)

    def chance(self, percent: float) -> bool:
        """True in so many of a hundred cases."""
        return self.random.random() * 100 < percent

    def of(self, common: Sequence[str], rare: Sequence[str] = (), percent: float = 8) -> str:
        """One of the common texts, or rarely one of the others."""
        return self.random.choice(rare if rare and self.chance(percent) else common)

    def url(self) -> str:
        """The URL of an index."""
        return self.of([*GOOD, *GOOD, *WITH_USER], ODD)

    def variables(self, values: Mapping[str, tuple[float, Sequence[str]]]) -> dict[str, str]:
        """Some of the variables.

        :param values: how often each is set, in percent, and its values.
        """
        return {
            name: self.of(texts)
            for name, (percent, texts) in values.items()
            if self.chance(percent)
        }

    def some(self, texts: Sequence[str], most: int) -> list[str]:
        """Up to so many of the texts, each once."""
        return self.random.sample(texts, self.random.randint(0, min(most, len(texts))))

    def spelled(self, names: Sequence[str], value: str) -> list[str]:
        """An option with a value, in one of its spellings."""
        name = self.random.choice(names)
        long = name.startswith("--")
        if self.chance(1) and long:  # cut short, which clap refuses
            name = name[: self.random.randint(4, len(name) - 1)]
        if value.startswith("-") or not value:
            return [f"{name}={value}"]
        forms = [[name, value], [f"{name}={value}"], [f"{name}{value}"]]
        return self.random.choice(forms[:2] if long else forms)

    def ordered(self, options: list[list[str]], files: list[list[str]]) -> list[str]:
        """The words of options and files, in some order."""
        parts = options + files
        if self.chance(30):
            self.random.shuffle(parts)
        elif self.chance(30):
            parts = [*files, *options]
        return [word for part in parts for word in part]


def choices(make: Callable[[Chooser], Case]) -> SearchStrategy[Case]:
    """The strategy for what *make* chooses."""
    return st.integers(0, 2**62).map(lambda number: make(Chooser(number)))
