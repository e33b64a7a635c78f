"""Calls of flit."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .cases import Case
from .spellings import NAMES, URLS, USERS, mostly, pypircs, spelled

_PROJECT = {
    "project/pyproject.toml": '[project]\nname = "demo"\nversion = "1.0"\n',
    "project/other.toml": "",
}

_PYPIRC = spelled(("--pypirc",), mostly(["mine"], ["~/.pypirc", "missing", "/dev/null", ""]))

_OPTIONS = st.one_of(
    spelled(("--repository",), NAMES),
    spelled(("--repository",), NAMES),
    _PYPIRC,
    spelled(("--format",), st.sampled_from(["wheel", "sdist", "egg"])),
    st.sampled_from([["--use-vcs"], ["--no-use-vcs"], ["--no-u"], ["--setup-py"]]),
    st.sampled_from([["--help"], ["-h"], ["--"], ["dist/*"], ["-f", "x"], ["--debug"], ["-x"]]),
)

_BEFORE = st.one_of(
    spelled(("--repository",), NAMES),
    spelled(("-f", "--ini-file"), mostly(["pyproject.toml"], ["other.toml", "missing", ""])),
    st.sampled_from([["--debug"], ["--deb"]]),
    st.sampled_from([["--debug"], ["-V"], ["--version"], ["--logo"], ["--pypirc=mine"], ["--"]]),
)


@st.composite
def _arguments(draw: st.DrawFn) -> tuple[str, ...]:
    before = draw(st.lists(_BEFORE, max_size=2)) if draw(st.integers(0, 2)) == 2 else []
    parts = [*before, ["publish"], *draw(st.lists(_OPTIONS, max_size=3))]
    return tuple(word for part in parts for word in part)


_ENVIRON = st.fixed_dictionaries({}, optional={"FLIT_INDEX_URL": URLS, "FLIT_USERNAME": USERS})
_NAMED = st.fixed_dictionaries({}, optional={"FLIT_USERNAME": USERS})


def cases() -> SearchStrategy[Case]:
    """Calls of ``flit publish``."""
    return st.builds(
        lambda arguments, environ, own, mine: Case(
            arguments, environ, {**_PROJECT, "home/.pypirc": own, "project/mine": mine}
        ),
        _arguments(),
        _NAMED | _ENVIRON,
        pypircs(),
        pypircs(),
    )
