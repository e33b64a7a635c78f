"""The cases of poetry: options, variables, the project's files, and the user's settings."""

from __future__ import annotations

import os

from hypothesis.strategies import SearchStrategy

from secretly.publishing.upload import Upload

from .archives import distribution
from .cases import Answer, Case, answer_of
from .chosen import ODD_USERS, USERS, Chooser, choices
from .settings import toml

_NAMES = ["corp", "testpypi", "my-corp", "corp"]
_ODD_NAMES = ["corp2", "Corp", "my_corp", "corp.example", "pypi", "", "none", "a b"]
_ODD_FOLDERS = ["none", "{project}", "", "sub", ".."]

_Values = dict[tuple[str, ...], tuple[float, list[str], list[str]]]

#: How often each option is given, in percent, with its values.
_OWN: _Values = {
    ("--cert",): (8, ["ca.pem"], [""]),
    ("--client-cert",): (8, ["ca.pem"], [""]),
    ("--dist-dir",): (15, ["dist", "dist", "out"], ["{project}/out", "sub", ""]),
}
_COMMON_FLAGS = ["-n", "--no-interaction", "-q", "-v", "-vv", "-vvv", "--ansi", "--no-cache"]
_FLAGS = [*_COMMON_FLAGS, "--skip-existing", "--skip-existing", "--build"]
_ODD = ["--dry-run", "-nv", "-x", "--no-plugins", "--help", "-V", "--skip-existing=x", "dist/*"]
_ODD += ["--", "--verbose=3", "-y", "--skip-existing=", "publish", "--ansi=1"]

#: The settings files, and how often each is there, in percent.
_SETTINGS = {
    "home/.config/pypoetry/config.toml": 85,
    "home/.config/pypoetry/auth.toml": 35,
    "project/poetry.toml": 40,
    "project/conf/config.toml": 70,
    "project/sub/poetry.toml": 40,
}

_RELEASES = [
    *(("other", "1.0"), ("demo_extra", "9.0"), ("other", "2")),
    *(("demo", "0.9"), ("demo", "1.0.0")),
]


def _name(chooser: Chooser) -> str:
    return chooser.of(_NAMES, _ODD_NAMES)


def _settings(chooser: Chooser, own: str) -> str:
    """The text of ``config.toml``, ``auth.toml`` or ``poetry.toml``.

    :param own: the repository of the call.
    """
    tables: dict[str, dict[str, object]] = {}
    for name in {own} if chooser.chance(70) else {own, _name(chooser)}:
        if name != own or chooser.chance(75):
            tables.setdefault("repositories", {})[name] = {"url": chooser.url(with_user=False)}
    if chooser.chance(40):
        name = own if chooser.chance(60) else _name(chooser)
        kept = {"password": "canary-kept"} if chooser.chance(50) else {}
        tables["http-basic"] = {name: {"username": chooser.user(), **kept}}
    if chooser.chance(20):
        tables["pypi-token"] = {chooser.of([own, _name(chooser), "pypi"]): "canary-token"}
    if chooser.chance(12):
        value = chooser.random.choice(("ca.pem", False, True))
        tables["certificates"] = {_name(chooser): {"cert": value}}
    tables["virtualenvs"] = {"in-project": True}
    return toml(tables)


def _project(chooser: Chooser, own: str, version: str) -> str:
    poetry = {"name": "Demo", "version": version, "description": "", "authors": []}
    text = toml({"tool": {"poetry": poetry}})
    if chooser.chance(35):
        name = own if chooser.chance(60) else _name(chooser)
        text += f"[[tool.poetry.source]]\nname = '{name}'\nurl = '{chooser.url(with_user=False)}'\n"
        text += chooser.of(["", "priority = 'explicit'\n"])
    return text


def _dist(chooser: Chooser, version: str) -> dict[str, str]:
    """The distributions of the project: most have only those of its version in ``dist``."""
    found: dict[str, str] = {}
    releases = [("demo", version, "out" if chooser.odd(8) else "dist")]
    if chooser.chance(40):
        releases.append(("demo", version, "out"))
    if chooser.chance(35):
        releases.append((*chooser.random.choice(_RELEASES[:3]), "dist"))
    if chooser.odd(12):
        releases.append(
            (*chooser.random.choice(_RELEASES[3:]), chooser.of(["dist", "dist", "out"]))
        )
    for name, number, folder in releases:
        for wheel in chooser.random.choice(((True, False), (True,), (False,))):
            file, text = distribution(name, number, wheel=wheel)
            found[f"project/{folder}/{file}"] = text
    return found


def _files(chooser: Chooser, own: str) -> dict[str, str]:
    version = chooser.of(["1.0", "1.0", "1.1"])
    found = {"project/pyproject.toml": _project(chooser, own, version), **_dist(chooser, version)}
    for path, share in _SETTINGS.items():
        if chooser.chance(share):
            found[path] = _settings(chooser, own)
    if chooser.odd(16):
        found["project/sub/pyproject.toml"] = _project(chooser, own, "1.0")
    found["project/dist/README.md"] = "x"
    found["project/sub/x"] = found["project/ca.pem"] = ""
    return found


def _environ(chooser: Chooser) -> dict[str, str]:
    if chooser.chance(40):
        return {}
    tokens, users = ["canary-token", ""], [chooser.user()]
    folders = chooser.of(["{home}/.config", ""], ["relative", "{home}/none"])
    return chooser.variables(
        {
            "POETRY_REPOSITORIES_CORP_URL": (15, [chooser.url(with_user=False)]),
            "POETRY_REPOSITORIES_MY_CORP_URL": (10, [chooser.url(with_user=False)]),
            "POETRY_REPOSITORIES_CORP2_URL": (6, [chooser.url(with_user=False)]),
            "POETRY_REPOSITORIES_PYPI_URL": (6, [chooser.url(with_user=False)]),
            "POETRY_REPOSITORIES_TESTPYPI_URL": (10, [chooser.url(with_user=False)]),
            "POETRY_PYPI_TOKEN_PYPI": (10, tokens),
            "POETRY_PYPI_TOKEN_CORP": (10, tokens),
            "POETRY_HTTP_BASIC_CORP_USERNAME": (15, users),
            "POETRY_HTTP_BASIC_PYPI_USERNAME": (10, users),
            "POETRY_HTTP_BASIC_CORP_PASSWORD": (10, ["canary-variable"]),
            "POETRY_CONFIG_DIR": (12, [chooser.of(["{project}/conf"], ["conf", "", "{home}"], 30)]),
            "POETRY_CERTIFICATES_CORP_CERT": (6, ["ca.pem"]),
            "POETRY_CACHE_DIR": (4, ["{repositories.corp.url}"]),
            "XDG_CONFIG_HOME": (12, [folders]),
        }
    )


def _folders(chooser: Chooser, *, inside: bool) -> list[list[str]]:
    """The options that name a folder.

    :param inside: whether the call starts below the project's folder.
    """
    usual = [".", ".."] if inside else [".", "sub"]
    values: _Values = {
        ("--directory", "-C"): (10, usual, _ODD_FOLDERS),
        ("--project", "-P"): (10, usual, _ODD_FOLDERS),
    }
    return chooser.options(values, equals=False)


def _own(chooser: Chooser, own: str) -> list[list[str]]:
    """The options of ``poetry publish``.

    :param own: the repository of the call; empty for PyPI.
    """
    values = dict(_OWN)
    if chooser.chance(25):
        alone = chooser.odd(24)
        values["--username", "-u"] = (100, USERS, ODD_USERS)
        values["--password", "-p"] = (0 if alone else 100, ["canary-typed"], ["", "x y"])
    if own:
        values["--repository", "-r"] = (100, [own], [_name(chooser)])
    return chooser.options(values, equals=False)


def _arguments(chooser: Chooser, own: str, *, inside: bool) -> tuple[str, ...]:
    before, after = [], _own(chooser, own)
    (before if chooser.chance(30) else after).extend(_folders(chooser, inside=inside))
    if chooser.odd(6) and after:
        before.append(after.pop())
    before += [[flag] for flag in chooser.some(_COMMON_FLAGS, 2) if chooser.chance(25)]
    after += [[flag] for flag in chooser.some(_FLAGS, 2) if chooser.chance(60)]
    if chooser.odd(16):
        after.append([chooser.of(_ODD)])
    if chooser.odd(4):
        before.append(["--"])
    chooser.random.shuffle(after)
    return tuple(word for part in (*before, ["publish"], *after) for word in part)


def case(chooser: Chooser) -> Case:
    folder = "project/sub" if chooser.chance(15) else "project"
    own = _name(chooser)
    typed = "" if chooser.chance(25) else own
    words = _arguments(chooser, typed, inside=folder == "project/sub")
    return Case(words, _environ(chooser), _files(chooser, own), folder)


def cases() -> SearchStrategy[Case]:
    """Calls of ``poetry publish``."""
    return choices(case)


def answer(upload: Upload) -> Answer:
    """What secretly says, with the files; a build's are not known yet."""
    release = upload.release
    files = tuple(sorted({os.path.basename(file.path) for file in release.files}))
    return answer_of(upload)._replace(files=None if release.builds else files)
