"""The cases of hatch: options, variables, its settings, ``.pypirc``, and what it remembers."""

from __future__ import annotations

import json
import os

from hypothesis.strategies import SearchStrategy

from secretly.publishing.upload import Upload

from .archives import distribution
from .cases import Answer, Case, answer_of
from .chosen import ODD_USERS, USERS, Chooser, choices
from .settings import toml

_NAMES = ["main", "test", "corp", "corp"]
_ODD_NAMES = ["", "Corp", "pypi", "a.b", "https://named.example/", "none", "x y"]
_FILES = ["dist", "dist/demo-1.0-py3-none-any.whl", "dist/demo-1.0.tar.gz", "out", "dist out"]
_ODD_FILES = [".", "-x", "none", "sub"]

_Values = dict[tuple[str, ...], tuple[float, list[str], list[str]]]

#: How often each option is given, in percent, with its values.
_BEFORE: _Values = {
    ("--env", "-e"): (8, ["default", "x"], []),
    ("--config",): (15, ["h.toml"], ["ca.pem", "none.toml", ""]),
    ("--data-dir",): (8, ["data"], []),
    ("--cache-dir",): (12, ["cache", "~/cache"], [""]),
}
_AFTER: _Values = {
    ("--user", "-u"): (30, USERS, ODD_USERS),
    ("--auth", "-a"): (15, ["canary-typed"], [""]),
    ("--ca-cert",): (10, ["ca.pem"], [""]),
}
_FLAGS = ["-n", "--no-prompt", "-y", "--yes", "--initialize-auth"]
_ODD = ["-pindex", "--publisher=x", "-p=index", "-px", "--option a=b", "--help", "-nyx", "-nu ada"]
_BEFORE_FLAGS = ["-v", "-q", "--no-color"]

_RELEASES = [("demo", "1.0"), ("demo", "1.1"), ("other", "1.0")]


def _name(chooser: Chooser) -> str:
    return chooser.of(_NAMES, _ODD_NAMES)


def _repo(chooser: Chooser) -> str:
    """The name of a repository, or its URL."""
    return _name(chooser) if chooser.chance(60) else chooser.url(with_user=False)


def _table(chooser: Chooser) -> dict[str, object]:
    """A repository's settings."""
    found: dict[str, object] = {}
    values = {"user": chooser.user(), "auth": "canary-kept", "ca-cert": "ca.pem"}
    return {**found, **{key: text for key, text in values.items() if chooser.chance(35)}}


def _settings(chooser: Chooser) -> str:
    """The user's settings: most know the repository that calls name."""
    index = _table(chooser)
    names = ["corp", *chooser.some(["main", "test"], 2)] if chooser.chance(92) else []
    if chooser.odd(20):
        names.append(chooser.of(_ODD_NAMES))
    repos: dict[str, object] = {}
    for name in names:
        url = chooser.url(with_user=False)
        repos[name] = url if chooser.chance(50) else {"url": url, **_table(chooser)}
    if repos:
        index["repos"] = repos
    if chooser.chance(50):
        index["repo"] = _repo(chooser)
    if chooser.odd(6):
        index["disable"] = True
    tables: dict[str, object] = {"publish": {"index": index}}
    if chooser.chance(15):
        mode = chooser.of(["local", "aware"], ["project"])
        tables = {"mode": mode, "project": "x", **tables}
    return toml(tables)


def _pypirc(chooser: Chooser) -> str:
    lines = []
    for name in {_repo(chooser) for _ in range(chooser.random.randint(0, 2))}:
        lines += [f"[{name}]", f"username = {chooser.user()}", "password = canary-file"]
        if chooser.chance(50):
            url = chooser.url(with_user=False)
            # Whether such a URL is that of the built-in index, only hatch knows.
            if "//upload." not in url and "//test." not in url:
                lines.append(f"repository = {url}")
    if chooser.odd(10):
        lines += ["[DEFAULT]", f"username = {chooser.user()}"]
    return "\n".join(lines)


def _dist(chooser: Chooser) -> dict[str, str]:
    """The distributions of the project: most have those of its version in ``dist``."""
    found: dict[str, str] = {}
    releases = [(*each, "out") for each in chooser.random.sample(_RELEASES, 1)]
    if not chooser.odd(8):
        releases.append(("demo", "1.0", "dist"))
    if chooser.chance(20):
        releases.append((*chooser.random.choice(_RELEASES), "dist"))
    for name, version, folder in releases:
        for wheel in chooser.random.choice(((True, False), (True, False), (True,), (False,))):
            file, text = distribution(name, version, wheel=wheel)
            found[f"project/{folder}/{file}"] = text
    found["project/dist/README.md"] = found["project/out/README.md"] = "x"
    return found


def _files(chooser: Chooser) -> dict[str, str]:
    found = {"project/h.toml": _settings(chooser), **_dist(chooser)}
    if chooser.chance(75):
        found["home/.config/hatch/config.toml"] = _settings(chooser)
    if chooser.chance(50):
        found["home/.pypirc"] = _pypirc(chooser)
    if chooser.chance(25):
        folder = chooser.of(["home/.cache/hatch", "home/cache", "project/cache"])
        names = {_repo(chooser): chooser.user() for _ in range(chooser.random.randint(0, 2))}
        found[f"{folder}/publish/index/previous_working_users.json"] = json.dumps(names)
    own: dict[str, object] = {}
    if chooser.odd(12):
        own = chooser.random.choice(({"repo": "corp"}, {"disable": False}, {"ca-cert": "x"}))
    extra = {"tool": {"hatch": {"publish": {"index": own}}}} if own else {}
    found["project/pyproject.toml"] = toml({"project": {"name": "demo", "version": "1.0"}, **extra})
    found["project/sub/x"] = found["project/ca.pem"] = ""
    return found


def _environ(chooser: Chooser) -> dict[str, str]:
    if chooser.chance(35):
        return {}
    folders = chooser.of(["{home}/.config", "", "{home}/none"], ["relative"])
    return chooser.variables(
        {
            "HATCH_INDEX_REPO": (25, [_repo(chooser)]),
            "HATCH_INDEX_USER": (25, [chooser.user()]),
            "HATCH_INDEX_AUTH": (15, ["canary-variable", ""]),
            "HATCH_CONFIG": (15, [chooser.of(["{project}/h.toml"], ["h.toml", ""], 30)]),
            "HATCH_INDEX_CA_CERT": (10, ["ca.pem", ""]),
            "HATCH_CACHE_DIR": (10, ["cache", "{home}/cache", "", "$HOME/cache"]),
            "HATCH_PUBLISHER": (5, [chooser.of(["index", ""], ["x"])]),
            "HATCH_PUBLISHER_OPTIONS": (5, [chooser.of([""], ["a=b"])]),
            "XDG_CONFIG_HOME": (15, [folders]),
        }
    )


def _arguments(chooser: Chooser, *, inside: bool) -> tuple[str, ...]:
    """The words of a call.

    :param inside: whether it starts below the project's folder.
    """
    before = chooser.options(_BEFORE, equals=False)
    if inside:  # hatch looks for the settings from there
        before = [[word.replace("h.toml", "../h.toml") for word in words] for words in before]
    before += [[flag] for flag in chooser.some(_BEFORE_FLAGS, 2) if chooser.chance(30)]
    chooser.random.shuffle(before)
    repo = {("--repo", "-r"): (45, [_repo(chooser)], [""])}
    after = [*chooser.options(repo, equals=False), *chooser.options(_AFTER, equals=False)]
    after += [[flag] for flag in chooser.some(_FLAGS, 2) if chooser.chance(50)]
    if chooser.odd(20):
        after.append(chooser.of(_ODD).split())
    files = [chooser.of(_FILES, _ODD_FILES).split()] if chooser.chance(50) else []
    if chooser.odd(12):
        return tuple(w for part in (*before, ["publish"], *after, ["--"], *files) for w in part)
    words = chooser.ordered(after, files)
    return (*(word for part in before for word in part), "publish", *words)


def case(chooser: Chooser) -> Case:
    folder = "project/sub" if chooser.chance(15) else "project"
    words = _arguments(chooser, inside=folder == "project/sub")
    return Case(words, _environ(chooser), _files(chooser), folder)


def cases() -> SearchStrategy[Case]:
    """Calls of ``hatch publish``."""
    return choices(case)


def answer(upload: Upload) -> Answer:
    """What secretly says, with the files."""
    files = tuple(sorted({os.path.basename(file.path) for file in upload.release.files}))
    return answer_of(upload)._replace(files=files)
