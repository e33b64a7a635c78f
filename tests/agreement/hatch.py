"""The cases of hatch: options, variables, its settings, ``.pypirc``, and what it remembers."""

from __future__ import annotations

import json
import os

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from secretly.publishing.upload import Upload

from .cases import Answer, Case, answer_of
from .generating import ODD_URLS, URLS, USERS, arguments, distribution, mostly, once_in, toml

NAMES = st.sampled_from(["main", "test", "corp"])
ODD_NAMES = st.sampled_from(["", "Corp", "pypi", "a.b", "https://named.example/", "none", "x y"])
REPOS = mostly(NAMES | URLS, ODD_NAMES | ODD_URLS)
PATHS = mostly(st.just("h.toml"), st.sampled_from(["ca.pem", "none.toml", ""]))
FILES = st.sampled_from(["dist", "dist/demo-1.0-py3-none-any.whl", "dist/demo-1.0.tar.gz", "out"])
ODD_FILES = st.sampled_from([".", "-x", "none"])

BEFORE: dict[tuple[str, ...], SearchStrategy[str]] = {
    ("--env", "-e"): st.sampled_from(["default", "x"]),
    ("--config",): PATHS,
    ("--data-dir",): st.just("data"),
    ("--cache-dir",): st.sampled_from(["cache", "~/cache", ""]),
}
AFTER: dict[tuple[str, ...], SearchStrategy[str]] = {
    ("--repo", "-r"): REPOS,
    ("--user", "-u"): USERS,
    ("--auth", "-a"): st.sampled_from(["canary-typed", ""]),
    ("--ca-cert",): st.just("ca.pem"),
}
FLAGS = ["-n", "--no-prompt", "-y", "--yes", "--initialize-auth"]


def _urls() -> SearchStrategy[str]:
    return mostly(URLS, ODD_URLS)


def _tables(user: SearchStrategy[str]) -> SearchStrategy[dict[str, object]]:
    """A repository's settings."""
    own = {"user": user, "auth": st.just("canary-kept"), "ca-cert": st.just("ca.pem")}
    return st.fixed_dictionaries({}, optional=own)


@st.composite
def _settings(draw: st.DrawFn) -> str:
    """The user's settings."""
    index = draw(_tables(USERS))
    names = draw(st.lists(mostly(NAMES, ODD_NAMES), max_size=3, unique=True))
    repos: dict[str, object] = {}
    for name in names:
        url = draw(_urls())
        repos[name] = draw(st.just(url) | _tables(USERS).map(lambda t, u=url: {"url": u, **t}))
    if repos:
        index["repos"] = repos
    if draw(st.booleans()):
        index["repo"] = draw(REPOS)
    if draw(once_in(30)):
        index["disable"] = True
    tables: dict[str, object] = {"publish": {"index": index}}
    if draw(once_in(5)):
        tables = {"mode": draw(st.sampled_from(["local", "aware"])), "project": "x", **tables}
    return toml(tables)


@st.composite
def _pypirc(draw: st.DrawFn) -> str:
    lines = []
    names = draw(st.lists(REPOS, max_size=2, unique=True))
    for name in names:
        lines += [f"[{name}]", f"username = {draw(USERS)}", "password = canary-file"]
        if draw(st.booleans()):
            # Whether such a URL is that of the built-in index, only hatch knows.
            url = draw(_urls().filter(lambda u: "//upload." not in u and "//test." not in u))
            lines.append(f"repository = {url}")
    if draw(once_in(10)):
        lines = [*lines, "[DEFAULT]", f"username = {draw(USERS)}"]
    return "\n".join(lines)


@st.composite
def _files(draw: st.DrawFn) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, text in (
        ("home/.config/hatch/config.toml", _settings()),
        ("project/h.toml", _settings()),
        ("home/.pypirc", _pypirc()),
    ):
        if path.endswith("h.toml") or draw(st.booleans()):
            found[path] = draw(text)
    if draw(once_in(4)):
        folder = draw(st.sampled_from(["home/.cache/hatch", "home/cache", "project/cache"]))
        names = draw(st.dictionaries(REPOS, USERS, max_size=2))
        found[f"{folder}/publish/index/previous_working_users.json"] = json.dumps(names)
    own = draw(
        st.sampled_from([*[{}] * 20, {"repo": "corp"}, {"disable": False}, {"ca-cert": "x"}])
    )
    project = {"project": {"name": "demo", "version": "1.0"}}
    extra = {"tool": {"hatch": {"publish": {"index": own}}}} if own else {}
    found["project/pyproject.toml"] = toml({**project, **extra})
    for name, version in draw(st.lists(_RELEASES, min_size=1, max_size=2, unique=True)):
        for wheel in draw(st.sampled_from([(True, False), (True,), (False,)])):
            file, text = distribution(name, version, wheel=wheel)
            found[f"project/{draw(st.sampled_from(['dist', 'dist', 'out']))}/{file}"] = text
    found["project/dist/README.md"] = found["project/out/README.md"] = "x"
    found["project/sub/x"] = found["project/ca.pem"] = ""
    return found


_RELEASES = st.sampled_from([("demo", "1.0"), ("demo", "1.1"), ("other", "1.0")])

VARIABLES: dict[str, SearchStrategy[str]] = {
    "HATCH_INDEX_REPO": REPOS,
    "HATCH_INDEX_USER": USERS,
    "HATCH_INDEX_AUTH": st.sampled_from(["canary-variable", ""]),
    "HATCH_CONFIG": mostly(st.sampled_from(["h.toml", "{project}/h.toml"]), st.just("")),
    "HATCH_INDEX_CA_CERT": st.sampled_from(["ca.pem", ""]),
    "HATCH_CACHE_DIR": st.sampled_from(["cache", "{home}/cache", "", "$HOME/cache"]),
    "HATCH_PUBLISHER": mostly(st.sampled_from(["index", ""]), st.just("x")),
    "HATCH_PUBLISHER_OPTIONS": mostly(st.just(""), st.just("a=b")),
    "XDG_CONFIG_HOME": st.sampled_from(["{home}/.config", "", "relative", "{home}/none"]),
}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A call of ``hatch publish``."""
    words = draw(st.lists(mostly(FILES, ODD_FILES), max_size=1) | st.just(["dist", "out"]))
    before = draw(arguments(BEFORE, ["-v", "-q", "--no-color"], 1))
    options = list(draw(arguments(AFTER, FLAGS)))
    mark = ["--"] if draw(once_in(10)) else []
    after = draw(st.sampled_from([[*options, *mark, *words], [*words, *options]]))
    names = draw(st.lists(st.sampled_from(sorted(VARIABLES)), max_size=2, unique=True))
    environ = {name: draw(VARIABLES[name]) for name in names}
    if draw(once_in(10)):
        after.insert(0, draw(st.sampled_from(["-pindex", "--publisher=x", "-p=index"])))
    folder = draw(st.sampled_from(["project"] * 4 + ["project/sub"]))
    return Case((*before, "publish", *after), environ, draw(_files()), folder)


def answer(upload: Upload) -> Answer:
    """What secretly says, with the files."""
    files = tuple(sorted({os.path.basename(file.path) for file in upload.release.files}))
    return answer_of(upload)._replace(files=files)
