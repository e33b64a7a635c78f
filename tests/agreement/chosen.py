"""Random choices for cases: most are good calls, a few things are odd."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .archives import sdist, wheel

_T = TypeVar("_T")

WHEEL, SDIST = "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"

#: The files of a project's ``dist``.
DIST = {
    f"project/dist/{WHEEL}": wheel(),
    f"project/dist/{SDIST}": sdist(),
    "project/dist/README.md": "notes",
}

#: URLs that tools take, then those with a user name, and odd ones.
GOOD = [
    *("https://one.example/legacy/", "http://two.example:8080/x", "https://three.example"),
    *("https://one.example/legacy", "http://two.example:8080/simple/"),
    *("https://upload.three.example/legacy/", "https://test.four.example/legacy/"),
]
WITH_USER = [
    *("https://ada@four.example/", "http://a%40b@five.example/"),
    *("http://ada:canary-url@six.example/", "https://ada:canary-url@six.example/x/"),
]
ODD = [
    *("", "HTTP://Seven.Example", "HTTPS://Six.Example/", "eight.example/legacy", "://"),
    *("http://a;b@nine.example/", "https://[::1]:9/", "https://[::1/", "https://ten.example"),
    *("http://ten.example\\@two.example/", " https://two.example/", "ftp://two.example"),
    *("https://two.example/{x}", "https://{cache-dir}.example/", "https://two.example/?q=1#f"),
    *("http://:x@two.example", "https://:canary-url@eight.example/", "https://@nine.example/"),
    *("http://a@b@two.example/", "https://a%40b:c%3A@two.example/", "https://a%40b:@two.example/"),
    *("http:two.example", "https://two.example/a b", "http://two.example%2f@ten.example/"),
    *("https://two.example/a/../b/", "https://two.example:port/", "https://under_score.example/"),
    "https://exämple.example/",
]
USERS = ["ada", "__token__", "ada", "ada@corp.example"]
ODD_USERS = ["", "a%b", "ä", "ada lovelace", "-u"]


class Chooser:
    """Chooses at random, from a number that names all its choices.

    Most calls must be good ones, or the tool itself refuses them, and nothing is compared: at most
    two things in a case are odd.
    """

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self._odd_left = self.random.choice((0, 1, 1, 2, 2))

    def chance(self, percent: float) -> bool:
        """True in so many of a hundred cases."""
        return self.random.random() * 100 < percent

    def odd(self, percent: float = 8) -> bool:
        """True in so many of a hundred cases, as long as the case has few odd things."""
        if not (self._odd_left and self.chance(percent)):
            return False
        self._odd_left -= 1
        return True

    def of(self, common: Sequence[str], rare: Sequence[str] = (), percent: float = 18) -> str:
        """One of the common texts, or rarely one of the others."""
        return self.random.choice(rare if rare and self.odd(percent) else common)

    def url(self, *, with_user: bool = True) -> str:
        """The URL of an index.

        :param with_user: whether the tool takes a user's name in the URL.
        """
        return self.of([*GOOD, *GOOD, *WITH_USER] if with_user else GOOD, [*ODD, *WITH_USER])

    def user(self) -> str:
        """A user's name."""
        return self.of(USERS, ODD_USERS)

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

    def spelled(self, names: Sequence[str], value: str, *, equals: bool = True) -> list[str]:
        """An option with a value, in one of its spellings.

        :param equals: whether the parser drops an equals sign after a short name.
        """
        name = self.random.choice(names)
        long = name.startswith("--")
        if self.odd(5):
            return self._odd_spelling(name, value)
        together = f"{name}={value}" if long or equals else f"{name}{value}"
        if value.startswith("-") or not value:
            return [together] if value or long or equals else [name, value]
        forms = [[name, value], [together], [name, value] if long else [f"{name}{value}"]]
        return self.random.choice(forms)

    def _odd_spelling(self, name: str, value: str) -> list[str]:
        """An option that is cut short, or without its value, or with one that looks odd."""
        forms = [[name], [f"{name}="], [name, value], [f"{name}={value}"], [f"{name}{value}"]]
        if name.startswith("--"):
            cut = name[: self.random.randint(3, len(name) - 1)]
            forms += [[cut, value], [f"{cut}={value}"], [name[:-2], value]]
        return self.random.choice(forms)

    def options(
        self,
        values: Mapping[tuple[str, ...], tuple[float, Sequence[str], Sequence[str]]],
        *,
        equals: bool = True,
    ) -> list[list[str]]:
        """Some options with values.

        :param values: by the names of each option, how often it is given, in percent, its usual
            values, and its odd ones.
        :param equals: see :meth:`spelled`.
        """
        return [
            self.spelled(names, self.of(usual, odd), equals=equals)
            for names, (percent, usual, odd) in values.items()
            for _ in range(1 + self.odd(1))
            if self.chance(percent)
        ]

    def ordered(self, options: list[list[str]], files: list[list[str]]) -> list[str]:
        """The words of options and files, in some order."""
        parts = options + files
        if self.chance(30):
            self.random.shuffle(parts)
        elif self.chance(30):
            parts = [*files, *options]
        return [word for part in parts for word in part]


def choices(make: Callable[[Chooser], _T]) -> SearchStrategy[_T]:
    """The strategy for what *make* chooses."""
    return st.integers(0, 2**62).map(lambda number: make(Chooser(number)))
