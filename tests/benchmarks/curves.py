"""How the time grows with what is stored, asked for, configured, read, uploaded and called.

The keychain is a double that takes the same time for each call, however many items there are:
what grows is secretly's own.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import prompting
import secretservice
import stocks
import tokens
import uploads
from contenders import Installed, configuration, env_file

__all__ = ["FACTORS", "LIMIT", "POINTS", "Curve", "trace"]

POINTS = (1, 10, 100, 1000, 10_000)

#: What grows.
FACTORS = (
    "stored names, one asked for",
    "secrets asked for",
    "secrets configured",
    "lines of an env file",
    "wheels to upload",
    "calls for one name together, asyncio",
    "calls for one name together, Twisted",
    "calls for as many names, asyncio",
    "calls for as many names, Twisted",
)

#: The steepest slope: 1 is a cost that grows with the number itself, the rest is the noise.
LIMIT = 1.15

#: How long one may take, in seconds, and from when on it is not measured again.
_LONGEST, _LONG = 120.0, 5.0

#: A function that makes a command line, and its variables, for a number.
_Made = Callable[[int], tuple[Sequence[str], Mapping[str, str]]]


class Curve(NamedTuple):
    """How long it takes, for each number of what grows.

    :param times: the quickest of the rounds, in seconds; without those that took too long.
    """

    factor: str
    times: Mapping[int, float]

    @property
    def slope(self) -> float:
        """The slope from the last number but one to the last, both axes logarithmic.

        1: the time grows like the number. 0: it doesn't grow.
        """
        (n, before), (more, after) = self._last
        return math.log(after / before) / math.log(more / n)

    @property
    def each(self) -> float:
        """The seconds that one more takes there."""
        (n, before), (more, after) = self._last
        return (after - before) / (more - n)

    @property
    def _last(self) -> list[tuple[int, float]]:
        return sorted(self.times.items())[-2:]

    @property
    def holds(self) -> bool:
        """Whether it was measured up to the largest number, and grows at most like the number."""
        return max(self.times) == POINTS[-1] and self.slope <= LIMIT

    def row(self) -> tuple[str, ...]:
        """The curve as a row of the table: in milliseconds; the slope; µs for one more."""
        cells = (f"{self.times[n] * 1e3:.0f}" if n in self.times else "" for n in POINTS)
        holds = "yes" if self.holds else "no"
        return (self.factor, *cells, f"{self.slope:.2f}", f"{self.each * 1e6:.1f}", holds)


def trace(programs: Installed, rounds: int, tell: Callable[[str], object]) -> list[Curve]:
    """Measure each curve.

    :param tell: is told what was measured, and what was left out.
    """
    found = []
    with _factors(programs) as factors:
        for factor in FACTORS:
            measure = factors[factor]
            times = dict(_points(factor, measure, rounds, tell))
            if len(times) > 1:
                found.append(Curve(factor, times))
    return found


def _points(
    factor: str, measure: Callable[[int], float], rounds: int, tell: Callable[[str], object]
) -> Iterator[tuple[int, float]]:
    """Measure until a number takes too long or fails."""
    for number in POINTS:
        took: list[float] = []
        try:
            while len(took) < rounds and (not took or took[-1] < _LONG):
                took.append(measure(number))
        except subprocess.TimeoutExpired:
            tell(f"left out: {factor}, {number:,} and more: it takes more than {_LONGEST:.0f} s")
            return
        except subprocess.CalledProcessError as error:
            why = error.stderr.decode().strip().splitlines()[-2:]
            tell(f"left out: {factor}, {number:,} and more: {' / '.join(why)}")
            return
        tell(f"{factor}, {number:,}: {min(took) * 1e3:.0f} ms")
        yield number, min(took)


@contextlib.contextmanager
def _factors(programs: Installed) -> Iterator[dict[str, Callable[[int], float]]]:
    """What grows, and functions that return how long it takes for a number."""
    with (
        secretservice.secret_service(kind=stocks.Endless) as service,
        tempfile.TemporaryDirectory(prefix="secretly-") as temporary,
    ):
        folder = Path(temporary)
        path = {"LC_ALL": "C.UTF-8", "PATH": f"{programs.bin}:{os.defpath}"}
        service.environ.update(path)
        for number in POINTS:
            stocks.list_names(folder / f"names-{number}", number)
        environ = {**service.environ, "XDG_STATE_HOME": str(folder / f"names-{POINTS[-1]}")}
        yield {
            **_growing_runs(programs, environ, folder),
            "wheels to upload": _timed(_uploading(programs, service, folder), {}),
            **_growing_calls(programs, environ),
        }


def _timed(made: _Made, environ: Mapping[str, str]) -> Callable[[int], float]:
    """A function that returns how long a command line takes."""

    def run(number: int) -> float:
        argv, more = made(number)
        before = time.perf_counter()
        _run(argv, {**environ, **more})
        return time.perf_counter() - before

    return run


def _run(argv: Sequence[str], environ: Mapping[str, str]) -> bytes:
    done = subprocess.run(
        argv,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        timeout=_LONGEST,
        check=True,
    )
    return done.stdout


def _growing_runs(
    programs: Installed, environ: Mapping[str, str], folder: Path
) -> dict[str, Callable[[int], float]]:
    run = [programs.program("secretly"), "run"]
    one = [*run, f"-eX={stocks.ITEM.format(0)}", "true"]
    for number in POINTS:
        (folder / f"{number}.toml").write_text(configuration(number))
        (folder / f"{number}.env").write_text(env_file(number))

    def asking(number: int) -> list[str]:
        return [f"-eX{each}={stocks.ITEM.format(each)}" for each in range(number)]

    made: dict[str, _Made] = {
        "stored names, one asked for": lambda number: (
            one,
            {"XDG_STATE_HOME": str(folder / f"names-{number}")},
        ),
        "secrets asked for": lambda number: ([*run, *asking(number), "true"], {}),
        "secrets configured": lambda number: (
            one,
            {"SECRETLY_CONFIG": str(folder / f"{number}.toml")},
        ),
        "lines of an env file": lambda number: (
            [*run, "-f", str(folder / f"{number}.env"), "true"],
            {},
        ),
    }
    return {factor: _timed(each, environ) for factor, each in made.items()}


def _uploading(programs: Installed, service: secretservice.SecretService, folder: Path) -> _Made:
    """Uploads of small wheels to a stand-in for twine, answered immediately."""
    pinentry = prompting.StandIn(folder, tokens.TOKEN)
    twine = folder / "twine"
    twine.symlink_to("/bin/true")
    environ = {**service.environ, **pinentry.environ}
    made: dict[int, list[str]] = {}

    def upload(number: int) -> tuple[Sequence[str], Mapping[str, str]]:
        if number not in made:
            made[number] = uploads.wheels(folder / f"wheels-{number}", number)
        return [programs.program("secretly"), "run", str(twine), "upload", *made[number]], environ

    return upload


def _growing_calls(
    programs: Installed, environ: Mapping[str, str]
) -> dict[str, Callable[[int], float]]:
    script = str(Path(__file__).with_name("callers.py"))

    def calling(driver: str, names: int) -> Callable[[int], float]:
        def run(number: int) -> float:
            argv = [programs.program("python"), script, driver, str(names or number), str(number)]
            return float(_run(argv, environ))

        return run

    return {
        f"{what}, {driver}": calling(driver.lower(), names)
        for what, names in (("calls for one name together", 1), ("calls for as many names", 0))
        for driver in ("asyncio", "Twisted")
    }
