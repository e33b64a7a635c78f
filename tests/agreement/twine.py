"""Calls of twine, and what secretly says of them."""

from __future__ import annotations

from hypothesis.strategies import SearchStrategy

from .archives import sdist, wheel
from .cases import Case, answer_with_files
from .chosen import ODD_USERS, SDIST, USERS, WHEEL, Chooser, choices
from .pypircs import pypirc

_DIST = {
    f"project/dist/{WHEEL}": wheel(),
    f"project/dist/{SDIST}": sdist(),
    f"project/dist/{SDIST}.asc": "a signature",
    f"project/dist/{WHEEL}.publish.attestation": "{}",
    "project/more/other-2.0-py3-none-any.whl": wheel("other", "2.0"),
    "project/dist-notes/README": "notes",
}

_FILES = [f"dist/{WHEEL}", f"./dist/{SDIST}", "dist/*.whl", "dist/*", "more/*"]
_ODD_FILES = [
    *(f"dist/{SDIST}.asc", f"dist/{WHEEL}.publish.attestation", "dist/*.asc", "dist", "missing"),
    *("", "-", "--", "**/*.whl", "dist/demo-1.0[-.]*", "--repository corp", "-r corp"),
    "--config-file=mine",
]

_NAMES = ["pypi", "testpypi", "corp", "corp"]
ODD_NAMES = [
    *("Corp", "PyPI", "corp.example", "https://named.example/", "DEFAULT", "", "server-login"),
    *("distutils", "a b", "ünïcode", "-x", "pypi "),
]

#: How often each option is given, in percent, with its values.
_OPTIONS: dict[tuple[str, ...], tuple[float, list[str], list[str]]] = {
    ("-u", "--username"): (25, USERS, ODD_USERS),
    ("-p", "--password"): (8, ["canary-typed"], [""]),
    ("-c", "--comment"): (8, ["a comment", "x=y"], ["-c"]),
    ("--config-file",): (15, ["mine", "mine", "~/.pypirc"], ["missing", "/dev/null"]),
    ("--cert", "--client-cert"): (10, ["own.pem"], [""]),
}

_FLAGS = ["-s", "--skip-existing", "--verbose", "--disable-progress-bar", "--non-interactive"]
_ODD = [
    *("-i 0xC0FFEE", "--identity=0xC0FFEE"),
    *("-s --sign-with gpg", "-s --sign-w=./g", "-srcorp", "-sr corp", "-sr=corp", "-s=rcorp"),
    *("--help", "-h", "--no-color", "--unknown", "-x", "--verbose=", "-u -p", "--sign=", "- x"),
    *("--attestations", "--verb", "--att", "--"),
]


def _index(chooser: Chooser) -> list[list[str]]:
    """The options that name the index, if any do."""
    name = ("-r", "--repository")
    values: dict[tuple[str, ...], tuple[float, list[str], list[str]]]
    values = {name: (55, _NAMES, ODD_NAMES), ("--repository-url",): (25, [chooser.url()], [""])}
    return chooser.options(values)


def _arguments(chooser: Chooser) -> tuple[str, ...]:
    before = chooser.of(["", "", "", "--no-color"], ["--no", "--version", "-h", "--", "-r x"], 3)
    options = [*_index(chooser), *chooser.options(_OPTIONS)]
    options += [[flag] for flag in chooser.some(_FLAGS, 2) if chooser.chance(50)]
    if ["-s"] in options and chooser.chance(40):
        options.append(chooser.spelled(("-i", "--identity"), "0xC0FFEE"))
    if chooser.odd(20):
        options.append(chooser.of(_ODD).split())
    files = [[chooser.of(_FILES, _ODD_FILES, 8)] for _ in range(chooser.random.choice((1, 1, 2)))]
    if chooser.chance(4):
        options.append(["--attestations"])
        files = [[f"dist/{WHEEL}"], [f"dist/{WHEEL}.publish.attestation"]]
    if chooser.odd(10):
        files.insert(chooser.random.randint(0, len(files)), ["--"])
    return (*before.split(), "upload", *chooser.ordered(options, files))


def _environ(chooser: Chooser) -> dict[str, str]:
    if chooser.chance(50):
        return {}
    return chooser.variables(
        {
            "TWINE_REPOSITORY": (25, [chooser.of(_NAMES, ODD_NAMES)]),
            "TWINE_REPOSITORY_URL": (25, [chooser.url()]),
            "TWINE_USERNAME": (35, [chooser.user()]),
            "TWINE_CERT": (15, ["env.pem", ""]),
            "TWINE_NON_INTERACTIVE": (15, ["1", ""]),
        }
    )


def case(chooser: Chooser) -> Case:
    shares = {"home/.pypirc": 92, "project/.pypirc": 20, "project/mine": 100}
    settings = {path: pypirc(chooser) for path, share in shares.items() if chooser.chance(share)}
    return Case(_arguments(chooser), _environ(chooser), {**_DIST, **settings})


def cases() -> SearchStrategy[Case]:
    """Calls of ``twine upload``."""
    return choices(case)


answer = answer_with_files
