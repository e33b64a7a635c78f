"""Calls of pdm, with settings of the project and of the user."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from hypothesis.strategies import SearchStrategy

from secretly.publishing.collecting import collect
from secretly.publishing.upload import Upload

from .cases import Answer, Case, answer_of
from .chosen import GOOD, ODD, ODD_USERS, USERS, WITH_USER, Chooser, choices

_A, _B = "http://127.0.0.1:9001", "http://127.0.0.1:9002"
_URLS = [
    *(f"{_A}/", f"{_A}/up/", f"{_A}/up", f"{_B}/", f"{_B}/up/?x=1", f"{_A}/#part"),
    *("https://packages.example.org/legacy/", "HTTP://Packages.Example.org:8443/"),
    *(f"http://ada@{_A[7:]}/", f"http://ada:canary-url@{_A[7:]}/up/"),
    *(f"http://:canary-url@{_B[7:]}/", "http://[::1]:9001/", *GOOD, *WITH_USER),
]
_ODD_URLS = [*ODD, f"http://{_A[7:]}\\@{_B[7:]}/", f"{_A}/a b", f"{_A}/{{x}}", "ftp://127.0.0.1/"]
_NAMES = ["pypi", "testpypi", "corp", "corp", "corp"]
_ODD_NAMES = ["Corp", "a.b", "PyPI", "my index", "-x", ""]

_Values = dict[tuple[str, ...], tuple[float, list[str], list[str]]]

#: How often each option is given, in percent, with its values.
_BEFORE: _Values = {("-c", "--config"): (12, ["named.toml"], ["", "none.toml", "publish"])}
_ODD_BEFORE = [
    "-V",
    "--version",
    "--pep582",
    "-h",
    "--pr",
    "-p",
    "-vc",
    "--",
    "corp",
    "-vcnamed.toml",
]
_BEFORE_FLAGS = ["-v", "-q", "--no-cache", "-I", "--ignore-python", "-n", "--no-c", "--non"]

_OPTIONS: _Values = {
    ("-u", "--username"): (25, [*USERS, ""], [*ODD_USERS, "-x", "ü"]),
    ("-P", "--password"): (12, ["canary-typed", ""], []),
    ("-d", "--dest"): (12, ["dist", "dist", "out"], ["", "none"]),
    ("-c", "--comment"): (8, ["", "a comment", "x", "publish"], []),
    ("-k", "--skip"): (8, [":all", "pre_publish", ""], []),
    ("-i", "--identity"): (6, ["me", ""], []),
}
_FLAGS = "--no-build --no-b --skip-existing --skip-e -S --sign -v -vv --verbose -Sv".split()
_ODD = [
    *"--no --v --ver -q --help -- x --unknown -1 --no-build=x --no-ver --projec=. -vp -Pvx".split(),
    *("-vr corp", "-vrcorp", "-vu ada", "-vuada", "-vd dist", "-vcx", "-vk :all", "--use ada"),
]
_TRUST = [
    "--no-verify-ssl",
    "--no-very-ssl",
    "--ca-certs ca.pem",
    "--ca-certs=",
    "--ca-cert ca.pem",
]

#: The keys of an index that a project may not set.
_HOSTILE = ("verify_ssl", "ca_certs", "client_cert")


def _repository(chooser: Chooser) -> str:
    """The name of an index, or its URL."""
    if chooser.chance(60):
        return chooser.of(_NAMES, _ODD_NAMES)
    return chooser.of(_URLS, _ODD_URLS)


def _arguments(chooser: Chooser, *, inside: bool) -> tuple[str, ...]:
    """The words of a call.

    :param inside: whether it starts below the project's folder.
    """
    before = chooser.options(_BEFORE)
    before += [[flag] for flag in chooser.some(_BEFORE_FLAGS, 2) if chooser.chance(20)]
    if chooser.odd(8):
        before.append(chooser.of(_ODD_BEFORE).split())
    command = chooser.of(["publish"], ["pub", "PUBLISH", "corp"], 4)
    return tuple(w for part in (*before, [command], *_after(chooser, inside=inside)) for w in part)


def _after(chooser: Chooser, *, inside: bool) -> list[list[str]]:
    """The options of ``pdm publish``."""
    values = {
        ("-r", "--repository"): (60, [_repository(chooser)], [""]),
        **_OPTIONS,
        ("-p", "--project"): (10, [".." if inside else ".", ""], ["sub", "sub/deep"]),
    }
    found = chooser.options(values)
    found += [[flag] for flag in chooser.some(_FLAGS, 2) if chooser.chance(50)]
    if not chooser.odd(10):
        found.append(["--no-build"])
    if chooser.chance(10):
        found.append(chooser.of(_TRUST).split())
    if chooser.odd(14):
        found.append(chooser.of(_ODD).split())
    chooser.random.shuffle(found)
    return found


def _entry(chooser: Chooser, *, of_project: bool) -> dict[str, object]:
    """What settings say about an index. Few of a project's say more than where it is."""
    values: dict[str, tuple[float, object]] = {
        "url": (85, chooser.of(_URLS, _ODD_URLS)),
        "username": (50, chooser.of([*USERS, ""], ODD_USERS)),
        "password": (30, chooser.of(["", "canary-set"])),
        "verify_ssl": (12, chooser.chance(50)),
        "ca_certs": (12, "own.pem"),
        "client_cert": (8, "cert.pem"),
        "type": (20, "index"),
    }
    return {
        key: value
        for key, (percent, value) in values.items()
        if (chooser.odd(6) if of_project and key in _HOSTILE else chooser.chance(percent))
    }


def _settings(chooser: Chooser, *, of_project: bool = False) -> str:
    """The text of a settings file: most of the user's own know the index that calls name."""
    keys = ["use_uv"] if of_project else ["check_update", "global_project.fallback"]
    lines = [f"{key} = false" for key in keys if chooser.chance(40)]
    names = set(chooser.some(["pypi", "testpypi"], 2))
    if chooser.chance(30 if of_project else 92):
        names.add("corp")
    if chooser.odd(12):
        names.add(chooser.of(_ODD_NAMES))
    for name in sorted(names):
        lines.append(f"[repository.{_text(name)}]")
        entry = _entry(chooser, of_project=of_project)
        lines += [f"{key} = {_text(value)}" for key, value in entry.items()]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    """A value as TOML."""
    return json.dumps(value, ensure_ascii=False)


def _pyproject(chooser: Chooser) -> str:
    """The text of a ``pyproject.toml``, which may add options."""
    added: list[list[str]] = []
    if chooser.chance(20):
        added.append(chooser.spelled(("-r", "--repository"), _repository(chooser)))
    if chooser.chance(15):
        added.append(chooser.spelled(("-u", "--username"), chooser.user()))
    if chooser.chance(20):
        added.append(["--no-build", "-v"])
    if chooser.odd(8):
        added += chooser.some(_after(chooser, inside=False), 2)
    words = ", ".join(_text(word) for part in added for word in part)
    text = '[project]\nname = "demo"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
    return f"{text}[tool.pdm.options]\npublish = [{words}]\n" if words else text


_DIST = [
    ("demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"),
    ("demo-1.0.zip", "demo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl.asc"),
    ("other-2.tar.bz2", ".hidden.whl", "stray.asc"),
]


def _files(chooser: Chooser) -> dict[str, str]:
    dist: tuple[str, ...] = chooser.random.choice(_DIST)
    if chooser.odd(6):
        dist = chooser.random.choice((("demo-1.0.tar.gz", "README.md"), ()))
    found = {
        "home/.config/pdm/config.toml": _settings(chooser),
        "project/pdm.toml": _settings(chooser, of_project=True),
        "project/pyproject.toml": _pyproject(chooser),
        **{f"project/dist/{name}": "" for name in dist},
        **{f"project/out/{name}": "" for name in dist[:1]},
        "project/sub/dist/sub-1.0.tar.gz": "",
        "project/sub/deep/x": "",
    }
    if chooser.odd(4):
        legacy = ["use_uv = false\n", "[repository.corp]\nusername = 'x'\n", "x = 1\n"]
        found["project/.pdm.toml"] = chooser.of(legacy)
    more: Mapping[str, tuple[float, str]] = {
        "project/named.toml": (80, _settings(chooser)),
        "project/sub/pdm.toml": (25, _settings(chooser, of_project=True)),
        "project/sub/pyproject.toml": (25, _pyproject(chooser)),
        "xdg/pdm/config.toml": (75, _settings(chooser)),
        "site/pdm/config.toml": (50, _settings(chooser)),
    }
    return {**found, **{path: t for path, (share, t) in more.items() if chooser.chance(share)}}


def _environ(chooser: Chooser) -> dict[str, str]:
    if chooser.chance(45):
        return {}
    return chooser.variables(
        {
            "PDM_PUBLISH_REPO": (25, [_repository(chooser)]),
            "PDM_PUBLISH_USERNAME": (25, [chooser.of([*USERS, ""], ODD_USERS)]),
            "PDM_PUBLISH_PASSWORD": (20, ["", "canary-set"]),
            "PDM_CONFIG_FILE": (15, ["{project}/named.toml", "/dev/null", "", "named.toml"]),
            "PDM_PROJECT": (8, [chooser.of(["", "{project}"], ["sub", "{project}/sub"])]),
            "PDM_PUBLISH_CA_CERTS": (10, ["", "ca.pem"]),
            "XDG_CONFIG_HOME": (15, ["", "{home}/../xdg"]),
            "XDG_CONFIG_DIRS": (15, ["", "{home}/../site:/x"]),
        }
    )


def case(chooser: Chooser) -> Case:
    folder = chooser.of(["project"] * 4 + ["project/sub", "project/sub/deep"])
    words = _arguments(chooser, inside=folder != "project")
    return Case(words, _environ(chooser), _files(chooser), folder)


def cases() -> SearchStrategy[Case]:
    """Calls, each in a folder of its own."""
    return choices(case)


def answer(upload: Upload) -> Answer:
    """The destination, and the files unless pdm builds them."""
    found, call = answer_of(upload), upload._call
    if upload.why_needs_none or not call.words.has(("--no-build",)):
        return found
    files = [os.path.basename(file.path) for file in collect(call, call.project_folder, "")]
    return found._replace(files=tuple(sorted(files)))
