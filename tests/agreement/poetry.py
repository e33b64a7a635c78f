"""The cases of poetry: options, variables, the project's files, and the user's settings."""

from __future__ import annotations

import os

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from secretly.publishing.upload import Upload

from .cases import Answer, Case, answer_of
from .generating import ODD_URLS, URLS, USERS, arguments, distribution, mostly, once_in, toml

NAMES = st.sampled_from(["corp", "testpypi", "my-corp", "corp"])
ODD_NAMES = st.sampled_from(["corp2", "Corp", "my_corp", "corp.example", "pypi", "", "none", "a b"])
ANY_NAMES = mostly(NAMES, ODD_NAMES)
FOLDERS = st.sampled_from([".", "sub", "{project}", "none"])

COMMON: dict[tuple[str, ...], SearchStrategy[str]] = {
    ("--directory", "-C"): FOLDERS,
    ("--project", "-P"): FOLDERS,
}
OWN: dict[tuple[str, ...], SearchStrategy[str]] = {
    ("--repository", "-r"): ANY_NAMES,
    ("--username", "-u"): USERS,
    ("--password", "-p"): st.sampled_from(["canary-typed", "", "x y"]),
    ("--cert",): st.just("ca.pem"),
    ("--client-cert",): st.just("ca.pem"),
    ("--dist-dir",): st.sampled_from(["dist", "out", "{project}/out", "sub"]),
}
COMMON_FLAGS = ["-n", "--no-interaction", "-q", "-v", "-vv", "-vvv", "--ansi", "--no-cache"]
FLAGS = [*COMMON_FLAGS, "--skip-existing", "--skip-existing", *COMMON_FLAGS, "--build", "--dry-run"]


def _urls() -> SearchStrategy[str]:
    return mostly(URLS, ODD_URLS)


@st.composite
def _settings(draw: st.DrawFn, own: str) -> str:
    """The text of ``config.toml``, ``auth.toml`` or ``poetry.toml``.

    :param own: the repository of the call.
    """
    tables: dict[str, dict[str, object]] = {}
    names = draw(st.lists(ANY_NAMES, max_size=1))
    for name in {*names, own} - ({own} if draw(once_in(3)) else set()):
        tables.setdefault("repositories", {})[name] = {"url": draw(_urls())}
    for name in draw(st.lists(ANY_NAMES | st.just(own), max_size=1)):
        user = draw(USERS)
        kept = {"password": "canary-kept"} if draw(st.booleans()) else {}
        tables["http-basic"] = {name: {"username": user, **kept}}
    for name in draw(st.lists(ANY_NAMES | st.just("pypi"), max_size=1)):
        if draw(st.booleans()):
            tables["pypi-token"] = {name: "canary-token"}
    if draw(once_in(6)):
        value = draw(st.sampled_from(["ca.pem", False, True]))
        tables["certificates"] = {draw(ANY_NAMES): {"cert": value}}
    tables["virtualenvs"] = {"in-project": True}
    return toml(tables)


@st.composite
def _project(draw: st.DrawFn, own: str, version: str) -> str:
    poetry: dict[str, object] = {
        "name": "Demo",
        "version": version,
        "description": "",
        "authors": [],
    }
    text = toml({"tool": {"poetry": poetry}})
    for name in draw(st.lists(ANY_NAMES | st.just(own), max_size=1)):
        text += f"[[tool.poetry.source]]\nname = '{name}'\nurl = '{draw(_urls())}'\n"
        text += draw(st.sampled_from(["", "priority = 'explicit'\n"]))
    return text


@st.composite
def _files(draw: st.DrawFn, own: str) -> dict[str, str]:
    version = draw(st.sampled_from(["1.0", "1.0", "1.1"]))
    found = {"project/pyproject.toml": draw(_project(own, version))}
    for path in (
        "home/.config/pypoetry/config.toml",
        "home/.config/pypoetry/auth.toml",
        "project/poetry.toml",
        "project/conf/config.toml",
        "project/sub/poetry.toml",
    ):
        if draw(st.booleans()):
            found[path] = draw(_settings(own))
    if draw(once_in(5)):
        found["project/sub/pyproject.toml"] = draw(_project(own, "1.0"))
    releases = draw(st.lists(_RELEASES, min_size=1, max_size=2, unique=True))
    for name, number in [("demo", version), *releases]:
        for wheel in draw(st.sampled_from([(True, False), (True,), (False,)])):
            file, text = distribution(name, number, wheel=wheel)
            found[f"project/{draw(st.sampled_from(['dist', 'dist', 'out']))}/{file}"] = text
    found["project/dist/README.md"] = "x"
    found["project/sub/x"] = found["project/ca.pem"] = ""
    return found


_RELEASES = st.sampled_from(
    [("other", "1.0"), ("demo_extra", "9.0"), ("demo", "0.9"), ("demo", "1.0.0"), ("other", "2")]
)

VARIABLES: dict[str, SearchStrategy[str]] = {
    "POETRY_REPOSITORIES_CORP_URL": _urls(),
    "POETRY_REPOSITORIES_MY_CORP_URL": _urls(),
    "POETRY_REPOSITORIES_CORP2_URL": _urls(),
    "POETRY_REPOSITORIES_PYPI_URL": _urls(),
    "POETRY_REPOSITORIES_TESTPYPI_URL": _urls(),
    "POETRY_PYPI_TOKEN_PYPI": st.sampled_from(["canary-token", ""]),
    "POETRY_PYPI_TOKEN_CORP": st.sampled_from(["canary-token", ""]),
    "POETRY_HTTP_BASIC_CORP_USERNAME": USERS,
    "POETRY_HTTP_BASIC_PYPI_USERNAME": USERS,
    "POETRY_HTTP_BASIC_CORP_PASSWORD": st.just("canary-variable"),
    "POETRY_CONFIG_DIR": st.sampled_from(["{project}/conf", "conf", "", "{home}"]),
    "POETRY_CERTIFICATES_CORP_CERT": st.just("ca.pem"),
    "POETRY_CACHE_DIR": st.just("{repositories.corp.url}"),
    "XDG_CONFIG_HOME": st.sampled_from(["{home}/.config", "", "relative", "{home}/none"]),
}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A call of ``poetry publish``."""
    before = draw(arguments(COMMON, COMMON_FLAGS, 1))
    if draw(once_in(10)):
        before += draw(arguments(OWN, FLAGS, 1))
    after = draw(arguments({**OWN, **(COMMON if draw(st.booleans()) else {})}, FLAGS))
    own = draw(ANY_NAMES)
    if draw(st.booleans()) and not any(word.startswith(("-r", "--rep")) for word in after):
        after = ("-r", own, *after)
    names = draw(st.lists(st.sampled_from(sorted(VARIABLES)), max_size=3, unique=True))
    environ = {name: draw(VARIABLES[name]) for name in names}
    folder = draw(st.sampled_from(["project"] * 4 + ["project/sub"]))
    mark = ("--",) if draw(once_in(20)) else ()
    return Case((*before, *mark, "publish", *after), environ, draw(_files(own)), folder)


def answer(upload: Upload) -> Answer:
    """What secretly says, with the files; a build's are not known yet."""
    release = upload.release
    files = tuple(sorted({os.path.basename(file.path) for file in release.files}))
    return answer_of(upload)._replace(files=None if release.builds else files)
