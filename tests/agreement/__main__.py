"""Ask the tools themselves whether secretly reads their calls as they do.

    python -m agreement twine flit --cases 300 --seed 1

Each generated call, with its variables and settings files, is read by secretly and by each version
of the tool. Where secretly finds a destination, each version must find the same, or fail and send
nothing: for the call as it was typed, and for the call as secretly pins it. The pin must break no
call that a version sends as it was typed. The exit status is 1 if one differs, or is broken.
A module ``agreement/TOOL.py`` has the cases:

- ``cases()``: the strategy that makes them.
- ``answer(upload)``: what secretly says; without it, :func:`.cases.answer_of`.
- ``ask(version, cases)``: what the tool says; without it, ``drivers/TOOL.py`` is asked.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, given, seed, settings

from secretly.config.model import Configuration
from secretly.errors import Refused

from . import cases
from .cases import VERSIONS, Answer, Case

#: How many cases a tool reads in one process.
_AT_ONCE = 500


class Shown(NamedTuple):
    """What secretly says of a case.

    :param answer: the destination, the user name and the files.
    :param idle: why the call needs no secret; empty if it does.
    :param given: what gives the secret in the call itself: then secretly claims no user name.
    :param pinned: the call as secretly starts it.
    :param expected: what the tool must make of it.
    """

    answer: Answer
    idle: str
    given: str
    pinned: Case
    expected: Answer


class Figures:
    """What came of the cases of one tool.

    :ivar refused: how often secretly refused, by the reason.
    :ivar broken: how many cases a version sends as they were typed, but not as they are pinned.
    :ivar disagreed: each case in which a version of the tool differs, or is broken, in words.
    """

    def __init__(self, tool: str) -> None:
        self.tool = tool
        self.cases = self.agreed = self.failed = self.differing = self.broken = 0
        self.refused: Counter[str] = Counter()
        self.disagreed: list[str] = []

    def report(self) -> str:
        """The figures in lines."""
        both = self.refused["the tool fails too"]
        refused = sum(self.refused.values()) - both
        share = refused / max(self.cases, 1)
        reasons = [(n, r) for r, n in self.refused.most_common(25) if r != "the tool fails too"]
        lines = [
            f"{self.tool} {', '.join(VERSIONS[self.tool])}: {self.cases:,} cases",
            f"  agreed {self.agreed:,}",
            f"    where the tool sends nothing, in each version {self.failed:,}",
            f"    where versions differ, and the pin decides {self.differing:,}",
            f"  refused, as each version of the tool does {both:,}",
            f"  refused, though a version would send {refused:,} ({share:.1%})",
            *(f"    {count:6,}  {reason}" for count, reason in reasons),
            f"  disagreed {len(self.disagreed):,}",
            f"    broken by the pin {self.broken:,}",
            *self.disagreed[:20],
        ]
        return "\n".join(lines)


def generated(module: ModuleType, number: int, start: int) -> list[Case]:
    """So many cases of a tool."""
    found: list[Case] = []

    @seed(start)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(module.cases())
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def compare(tool: str, number: int, start: int) -> Figures:
    """Compare secretly with each version of a tool."""
    module = importlib.import_module(f".{tool}", __package__)
    figures = Figures(tool)
    every = generated(module, number, start)
    for first in range(0, len(every), _AT_ONCE):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            root = Path(folder).resolve()
            _compare(module, figures, root, every[first : first + _AT_ONCE])
        print(f"  {figures.cases:,}", end="\r", file=sys.stderr)
    return figures


def _compare(module: ModuleType, figures: Figures, root: Path, some: Sequence[Case]) -> None:
    """Compare some cases, in one folder each."""
    known = cases.configuration(root)
    before = Path.cwd()
    shown: list[tuple[Case, Path, Shown]] = []
    refused: list[tuple[Case, Path, str]] = []
    for number, case in enumerate(some):
        folder = root / str(number)
        cases.lay_out(case, folder)
        figures.cases += 1
        try:
            shown.append((case, folder, _shown(module, figures.tool, case, folder, known)))
        except Refused as error:
            refused.append((case, folder, _reason(error)))
    os.chdir(before)
    _count_refused(module, figures, refused)
    figures.disagreed += _wrong(module, figures, shown)


def _count_refused(
    module: ModuleType, figures: Figures, refused: Sequence[tuple[Case, Path, str]]
) -> None:
    """Ask the tool about what secretly refuses: it may refuse as much itself."""
    calls = [(case, folder) for case, folder, _ in refused]
    answers = (
        [_ask(module, figures.tool, v, calls) for v in VERSIONS[figures.tool]] if calls else []
    )
    for number, (_, _, reason) in enumerate(refused):
        fails = all(one[number].error for one in answers)
        figures.refused["the tool fails too" if fails else reason] += 1


def _shown(module: ModuleType, tool: str, case: Case, folder: Path, known: Configuration) -> Shown:
    """What secretly says of a case.

    :raises Refused: if it refuses the call.
    """
    upload = cases.upload(tool, case, folder, known)
    answer = getattr(module, "answer", cases.answer_of)(upload)
    pinned = cases.pinned(tool, case, folder, upload, known)
    expected = answer
    if answer.username is None and not upload.given:  # secretly's own default
        expected = answer._replace(username="__token__")
    return Shown(answer, upload.idle or upload.identity, upload.given, pinned, expected)


def _wrong(
    module: ModuleType, figures: Figures, shown: Sequence[tuple[Case, Path, Shown]]
) -> Iterator[str]:
    """Each case in which a version of the tool differs, in words."""
    if not shown:
        return
    typed = [(case, folder) for case, folder, _ in shown]
    pinned = [(found.pinned, folder) for _, folder, found in shown]
    answers = {
        (version, kind): _ask(module, figures.tool, version, calls)
        for version in VERSIONS[figures.tool]
        for kind, calls in (("typed", typed), ("pinned", pinned))
    }
    for number, (case, _, found) in enumerate(shown):
        mine = {key: answers[key][number] for key in answers}
        differing = [key for key in mine if not _agrees(found, mine[key], key[1])]
        if _versions_differ(mine, found.answer) and {kind for _, kind in differing} == {"typed"}:
            figures.differing += 1  # no answer is right for all, and the pin makes them the same
            differing = []
        broken = _broken(mine)
        figures.broken += bool(broken)
        if not differing and not broken:
            figures.agreed += 1
            figures.failed += all(one.error for one in mine.values())
            continue
        yield "\n".join(
            (
                f"    {_brief(case)}",
                f"      secretly: {found.answer} {found.idle}",
                f"      pinned: {found.pinned.arguments} {found.pinned.environ}",
                *(f"      {version}, {kind}: {mine[version, kind]}" for version, kind in differing),
                *(f"      {v}, broken by the pin: {mine[v, 'pinned'].error}" for v in broken),
            )
        )


def _broken(answers: Mapping[tuple[str, str], Answer]) -> list[str]:
    """The versions of the tool that send the call as it was typed, and fail when it is pinned."""
    sent = [key[0] for key, one in answers.items() if key[1] == "typed" and not one.error]
    return [version for version in sent if answers[version, "pinned"].error]


def _versions_differ(answers: Mapping[tuple[str, str], Answer], shown: Answer) -> bool:
    """Whether versions of the tool would send to different places, or as different users.

    flit 4.2 and poetry 2.5 add the slash after ``/legacy``: an older version that is the only one
    to send differs from what they do.
    """
    sent = [a for (_, kind), a in answers.items() if kind == "typed" and not a.error]
    older = any(f"{one.url}/" == shown.url for one in sent if one.url.endswith("/legacy"))
    return older or len({(_normal(one.url), one.username) for one in sent}) > 1


def _ask(
    module: ModuleType, tool: str, version: str, some: Sequence[tuple[Case, Path]]
) -> Sequence[Answer]:
    """What a version of the tool says of some cases."""
    if hasattr(module, "ask"):
        answers: Sequence[Answer] = module.ask(version, some)
        return answers
    return cases.ask(tool, version, some)


def _agrees(found: Shown, answer: Answer, kind: str) -> bool:
    """Whether a version of the tool does what secretly shows, or sends nothing."""
    if answer.error:
        return True
    if found.idle:
        return False
    shown = found.answer if kind == "typed" else found.expected
    if found.given:
        shown, answer = shown._replace(username=None), answer._replace(username=None)
    if None in (shown.files, answer.files):  # not asked
        shown, answer = shown._replace(files=()), answer._replace(files=())
    return (_normal(shown.url), shown.username, sorted(shown.files or ())) == (
        _normal(answer.url),
        answer.username,
        sorted(answer.files or ()),
    )


def _brief(case: Case) -> Case:
    """The case without its archives."""
    texts = {k: v for k, v in case.files.items() if "\0" not in v and len(v) < 1000}
    return case._replace(files=texts)


def _normal(url: str) -> tuple[str, ...]:
    """A URL without what doesn't change where it leads: case, user, the slash of no path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    host = parts.netloc.rpartition("@")[2].lower()
    return (parts.scheme, host, parts.path or "/", parts.query)


def _reason(error: Refused) -> str:
    """A refusal without what differs from case to case."""
    text = re.sub(r"'[^']*'|\[[^]]*\]|\S*/\S*", "…", str(error))
    return text[:100]


def main() -> int:
    """Compare the tools that are named."""
    parser = argparse.ArgumentParser(prog="agreement", description="compare secretly with a tool")
    parser.add_argument("tools", nargs="+", choices=sorted(VERSIONS))
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given_here = parser.parse_args()
    wrong = 0
    for tool in given_here.tools:
        figures = compare(tool, given_here.cases, given_here.seed)
        print(f"seed {given_here.seed}; {figures.report()}", flush=True)
        wrong += len(figures.disagreed)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
