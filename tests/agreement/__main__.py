"""Ask the tools themselves whether secretly reads their calls as they do.

    python -m agreement twine flit --cases 300 --seed 1

Each generated call, with its variables and settings files, is read by secretly and by each version
of the tool. Where secretly finds a destination, each version must find the same, or fail and send
nothing: for the call as it was typed, and for the call as secretly pins it. The pin must break no
call that a version sends as it was typed. The exit status is 1 if one differs, or is broken.
A module ``agreement/TOOL.py`` has the cases:

- ``case(chooser)``: makes one of random choices.
- ``answer(upload)``: what secretly says; without it, :func:`.cases.answer_of`.
- ``ask(version, cases)``: what the tool says; without it, ``drivers/TOOL.py`` is asked.
- ``missing()``: why the tool can't be asked here; then it is skipped, which fails in CI.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from urllib.parse import urljoin, urlsplit

from secretly.config.model import Configuration
from secretly.errors import Refused

from . import cases
from .cases import VERSIONS, Answer, Case
from .chosen import Chooser
from .figures import BOTH, Figures, Shown, reason_of, write

#: How many cases a tool reads in one process.
_AT_ONCE = 1000

#: Where the cases are laid out: in memory, if the system has such a folder.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def generated(module: ModuleType, number: int, start: int) -> Iterator[Case]:
    """So many cases of a tool."""
    numbers = random.Random(start)
    for _ in range(number):
        yield module.case(Chooser(numbers.getrandbits(62)))


def _module(tool: str) -> ModuleType:
    return importlib.import_module(f".{tool}", __package__)


def compare(tool: str, number: int, start: int, path: Path | None = None) -> Figures:
    """Compare secretly with each version of a tool.

    :param path: where to write the figures, as far as they are known.
    """
    module = _module(tool)
    figures = Figures(tool, start)
    every = generated(module, number, start)
    while some := list(itertools.islice(every, _AT_ONCE)):
        with tempfile.TemporaryDirectory(dir=_MEMORY, ignore_cleanup_errors=True) as folder:
            root = Path(folder).resolve()
            _compare(module, figures, root, some)
        print(f"  {figures.cases:,}", end="\r", file=sys.stderr)
        if path:
            write(figures, path)
    return figures


def _compare(module: ModuleType, figures: Figures, root: Path, some: Sequence[Case]) -> None:
    """Compare some cases, in one folder each."""
    known = cases.configuration()
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
            refused.append((case, folder, reason_of(str(error))))
    os.chdir(before)
    typed = [(case, folder) for case, folder, _ in (*shown, *refused)]
    pinned = [(found.pinned, folder) for _, folder, found in shown]
    answers = _ask_all(module, figures.tool, [*typed, *pinned])
    _count_refused(figures, refused, {v: all_[len(shown) :] for v, all_ in answers.items()})
    by_kind = {
        (version, kind): all_[start : start + len(shown)]
        for version, all_ in answers.items()
        for kind, start in (("typed", 0), ("pinned", len(typed)))
    }
    for wrong in _wrong(figures, shown, by_kind):
        figures.disagreed.append(wrong)
        print(wrong, file=sys.stderr)


def _ask_all(
    module: ModuleType, tool: str, calls: Sequence[tuple[Case, Path]]
) -> dict[str, Sequence[Answer]]:
    """What each version of the tool says of the calls: two versions at a time."""
    with ThreadPoolExecutor(2) as pool:
        versions = VERSIONS[tool]
        found = pool.map(lambda version: _ask(module, tool, version, calls), versions)
        return dict(zip(versions, found, strict=True))


def _count_refused(
    figures: Figures,
    refused: Sequence[tuple[Case, Path, str]],
    answers: Mapping[str, Sequence[Answer]],
) -> None:
    """Count what secretly refuses: the tool may refuse as much itself."""
    for number, (_, _, reason) in enumerate(refused):
        fails = all(one[number].error for one in answers.values())
        figures.refused[BOTH if fails else reason] += 1


def _shown(module: ModuleType, tool: str, case: Case, folder: Path, known: Configuration) -> Shown:
    """What secretly says of a case.

    :raises Refused: if it refuses the call.
    """
    upload = cases.upload(tool, case, folder, known)
    answer = getattr(module, "answer", cases.answer_of)(upload)
    # Without need of a secret, secretly starts the call as it was typed.
    pinned = case if upload.why_needs_none else cases.pinned(tool, case, folder, upload, known)
    expected = answer
    if answer.username is None and not upload.given_by:  # secretly's own default
        expected = answer._replace(username="__token__")
    return Shown(
        answer, upload.why_needs_none or upload.identity, upload.given_by, pinned, expected
    )


def _wrong(
    figures: Figures,
    shown: Sequence[tuple[Case, Path, Shown]],
    answers: Mapping[tuple[str, str], Sequence[Answer]],
) -> Iterator[str]:
    """Each case in which a version of the tool differs, in words; the others are counted."""
    for number, (case, _, found) in enumerate(shown):
        mine = {key: answers[key][number] for key in answers}
        decided = False
        differing = [key for key in mine if not _agrees(found, mine[key], key[1])]
        if _versions_differ(mine, found.answer) and {kind for _, kind in differing} == {"typed"}:
            differing, decided = [], True  # no answer is right for all
        broken = _broken(mine)
        figures.broken += bool(broken)
        if not differing and not broken:
            nothing = all(one.error for one in mine.values())
            figures.differing += decided
            figures.nothing += nothing
            figures.same += not (decided or nothing)
            continue
        yield "\n".join(
            (
                f"    {_brief(case)}",
                f"      secretly: {found.answer} {found.why_needs_none}",
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
    if found.why_needs_none:
        return False
    shown = found.answer if kind == "typed" else found.expected
    if found.given_by:
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
    """A URL without what doesn't change where it leads: case, user, dots, the slash of no path."""
    try:
        parts = urlsplit(url)
        path = urlsplit(urljoin("http://host/", parts.path)).path
    except ValueError:
        return (url,)
    host = parts.netloc.rpartition("@")[2].lower()
    return (parts.scheme, host, path or "/", parts.query)


def main() -> int:
    """Compare the tools that are named."""
    parser = argparse.ArgumentParser(prog="agreement", description="compare secretly with a tool")
    parser.add_argument("tools", nargs="+", choices=sorted(VERSIONS))
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="the documentation's table of figures")
    given_here = parser.parse_args()
    wrong = 0
    for tool in given_here.tools:
        if reason := getattr(_module(tool), "missing", str)():
            print(f"{tool}: skipped, as {reason}", flush=True)
            wrong += "CI" in os.environ
            continue
        figures = compare(tool, given_here.cases, given_here.seed, given_here.write)
        print(figures.report(), flush=True)
        wrong += len(figures.disagreed)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
