"""Random choices for cases of real runs: most are good calls, as each run takes its time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .cases import Case


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
