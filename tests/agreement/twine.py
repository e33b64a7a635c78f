"""Calls of twine, and what secretly says of them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .cases import Case, answer_with_files
from .spellings import NAMES, URLS, USERS, mostly, pypircs, sdist, spelled, wheel

_WHEEL, _SDIST = "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"

_DIST = {
    f"project/dist/{_WHEEL}": wheel(),
    f"project/dist/{_SDIST}": sdist(),
    f"project/dist/{_SDIST}.asc": "a signature",
    f"project/dist/{_WHEEL}.publish.attestation": "{}",
    "project/more/other-2.0-py3-none-any.whl": wheel("other", "2.0"),
    "project/dist-notes/README": "notes",
}

_FILES = mostly(
    [f"dist/{_WHEEL}", f"./dist/{_SDIST}", "dist/*.whl", "dist/*", "more/*"],
    [
        *(f"dist/{_SDIST}.asc", f"dist/{_WHEEL}.publish.attestation", "dist/*.asc", "dist"),
        *("missing", "", "-", "--", "**/*.whl", "dist/demo-1.0[-.]*", "--repository corp"),
        *("-r corp", "--config-file=mine"),
    ],
)

_ODD = [
    *("-s --sign-with gpg", "-s --sign-w=./g", "-srcorp", "-sr corp", "-sr=corp", "-s=rcorp"),
    *("--help", "-h", "--no-color", "--unknown", "-x", "--verbose=", "-u -p", "--sign=", "- x"),
]

_OPTIONS = st.one_of(
    spelled(("-r", "--repository"), NAMES),
    spelled(("-r", "--repository"), NAMES),
    spelled(("--repository-url",), URLS),
    spelled(("-u", "--username"), USERS),
    spelled(("-p", "--password"), st.sampled_from(["canary-typed", ""])),
    spelled(("-c", "--comment"), st.sampled_from(["a comment", "-c", "x=y"])),
    spelled(("--config-file",), st.sampled_from(["mine", "~/.pypirc", "missing", "/dev/null"])),
    spelled(("--cert", "--client-cert"), st.sampled_from(["own.pem", ""])),
    spelled(("-i", "--identity"), st.just("0xC0FFEE")),
    st.sampled_from([["-s"], ["--skip-existing"], ["--verbose"], ["--disable-progress-bar"]]),
    st.sampled_from([["--non-interactive"], ["--attestations"], ["--verb"], ["--att"]]),
    st.sampled_from(_ODD).map(str.split),
)


@st.composite
def _arguments(draw: st.DrawFn) -> tuple[str, ...]:
    usual: list[list[str]] = [[], [], [], ["--no-color"]]
    odd = [["--no"], ["--version"], ["-h"], ["--"], ["-r", "x"]]
    before = draw(st.sampled_from(odd if draw(st.integers(0, 9)) == 9 else usual))
    options = draw(st.lists(_OPTIONS, max_size=4))
    files = [[name] for name in draw(st.lists(_FILES, min_size=1, max_size=2))]
    if draw(st.integers(0, 3)):
        parts = draw(st.sampled_from([[*options, *files], [*files, *options]]))
    else:
        parts = draw(st.permutations([*options, *files]))
    return (*before, "upload", *(word for part in parts for word in part))


_ENVIRON = st.fixed_dictionaries(
    {},
    optional={
        "TWINE_REPOSITORY": NAMES,
        "TWINE_REPOSITORY_URL": URLS,
        "TWINE_USERNAME": USERS,
        "TWINE_CERT": st.sampled_from(["env.pem", ""]),
        "TWINE_NON_INTERACTIVE": st.sampled_from(["1", ""]),
    },
)

_SETTINGS = st.fixed_dictionaries(
    {}, optional={"home/.pypirc": pypircs(), "project/.pypirc": pypircs()}
)


def cases() -> SearchStrategy[Case]:
    """Calls of ``twine upload``."""
    return st.builds(
        lambda arguments, environ, settings, mine: Case(
            arguments, environ, {**_DIST, **settings, "project/mine": mine}
        ),
        _arguments(),
        st.just({}) | _ENVIRON,
        _SETTINGS,
        pypircs(),
    )


answer = answer_with_files
