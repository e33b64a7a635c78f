"""Calls of pdm, with settings of the project and of the user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeVar

from hypothesis import strategies as st

from secretly.publishing.collecting import collect
from secretly.publishing.upload import Upload

from .cases import Answer, Case, answer_of

A, B = "http://127.0.0.1:9001", "http://127.0.0.1:9002"

_T = TypeVar("_T")


def _rarely(odd: st.SearchStrategy[_T], usual: st.SearchStrategy[_T]) -> st.SearchStrategy[_T]:
    """One of twenty is odd."""
    return st.sampled_from(range(20)).flatmap(lambda number: odd if number == 11 else usual)


_URLS = _rarely(
    st.sampled_from(
        [f"http://{A[7:]}\\@{B[7:]}/", f"{A}/a b", f"{A}/{{x}}", "ftp://127.0.0.1/", "://"]
    ),
    st.sampled_from(
        [
            f"{A}/",
            f"{A}/up/",
            f"{A}/up",
            f"{B}/",
            f"{B}/up/?x=1",
            f"{A}/#part",
            "https://packages.example.org/legacy/",
            "HTTP://Packages.Example.org:8443/",
            f"http://ada@{A[7:]}/",
            f"http://ada:canary-url@{A[7:]}/up/",
            f"http://:canary-url@{B[7:]}/",
            "http://[::1]:9001/",
        ]
    ),
)
_NAMES = _rarely(
    st.sampled_from(["Corp", "a.b", "PyPI", "my index", "-x"]),
    st.sampled_from(["pypi", "testpypi", "corp", "corp", "corp", ""]),
)
_USERS = st.sampled_from(["", "ada", "__token__", "a b", "ü", "-x"])
_REPOSITORIES = st.one_of(_NAMES, _URLS)


def _options(short: str, long: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """An option in its spellings."""
    names = _rarely(st.just(long[:4]), st.sampled_from([long, long, long[:-1], long[:-2]]))
    both = st.tuples(names, values)
    found = [
        both.map(lambda each: [each[0], each[1]]),
        both.map(lambda each: [f"{each[0]}={each[1]}"]),
    ]
    if short:
        found += [
            values.map(lambda value: [short, value]),
            values.map(lambda value: [f"{short}{value}"] if value else [short, value]),
            values.map(lambda value: [f"{short}={value}"]),
        ]
    cluster = values.map(lambda value: [f"-v{short[-1:]}{value}"] if value else [])
    return _rarely(cluster, st.one_of(*found))


_FLAGS = _rarely(
    st.sampled_from("--no --v --ver -q --help -- x --unknown -1 --no-build=x --no-ver".split()),
    st.sampled_from(
        "--no-build --no-b --skip-existing --skip-e -S --sign -v -vv --verbose -Sv --no-verify-ssl "
        "--no-very-ssl".split()
    ),
).map(lambda word: [word])
_PUBLISHING = st.one_of(
    _options("-r", "--repository", _REPOSITORIES),
    _options("-r", "--repository", _REPOSITORIES),
    _options("-u", "--username", _USERS),
    _options("-P", "--password", st.sampled_from(["", "canary-typed"])),
    _options(
        "-d", "--dest", _rarely(st.sampled_from(["", "none"]), st.sampled_from(["dist", "out"]))
    ),
    _options("-p", "--project", st.sampled_from([".", "sub", "", "sub/deep"])),
    _options("-c", "--comment", st.sampled_from(["", "a comment", "x", "publish"])),
    _options("-k", "--skip", st.sampled_from([":all", "pre_publish", ""])),
    _options("-i", "--identity", st.sampled_from(["me", ""])),
    _options("", "--ca-certs", st.sampled_from(["ca.pem", ""])),
    _FLAGS,
)
_BEFORE = _rarely(
    st.sampled_from("-V --version --pep582 -h --pr -p -vc -- corp".split()).map(
        lambda word: [word]
    ),
    st.one_of(
        _options("-c", "--config", st.sampled_from(["named.toml", "", "none.toml", "publish"])),
        st.sampled_from("-v -q --no-cache -I --ignore-python -n --no-c --non".split()).map(
            lambda word: [word]
        ),
    ),
)


def _some(words: st.SearchStrategy[list[str]], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(words, max_size=most).map(lambda each: [word for some in each for word in some])


_LINES = st.tuples(
    st.one_of(st.just([]), _some(_BEFORE, 2)),
    _rarely(st.sampled_from(["pub", "PUBLISH", "corp"]), st.just("publish")),
    _rarely(st.just([]), st.just(["--no-build"])),
    _some(_PUBLISHING, 4),
).map(lambda each: (*each[0], each[1], *each[2], *each[3]))


def _text(value: str) -> str:
    """A text as TOML."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "url": _URLS.map(_text),
        "username": _USERS.map(_text),
        "password": st.sampled_from(['""', '"canary-set"']),
        "verify_ssl": st.sampled_from(["true", "false"]),
        "ca_certs": st.just('"own.pem"'),
        "client_cert": st.just('"cert.pem"'),
        "type": st.just('"index"'),
    },
)
_HOSTILE = ("verify_ssl", "ca_certs", "client_cert")


def _settings(
    entries: Mapping[str, Mapping[str, str]], keys: Mapping[str, str], *, of_project: bool
) -> str:
    """The text of a settings file. Few of a project's say more than where the index is."""
    lines = [f"{key} = {value}" for key, value in keys.items()]
    for number, (name, entry) in enumerate(entries.items()):
        lines.append(f"[repository.{_text(name)}]")
        lines += [
            f"{key} = {value}"
            for key, value in entry.items()
            if not (of_project and number % 4 < 3 and key in _HOSTILE)
        ]
    return "\n".join(lines) + "\n"


_KEYS = st.fixed_dictionaries(
    {}, optional={"check_update": st.just("false"), "global_project.fallback": st.just("false")}
)
_INDEXES = st.dictionaries(_NAMES, _ENTRY, max_size=3)
_OWN = st.builds(_settings, _INDEXES, _KEYS, of_project=st.just(False))
_PROJECTS = st.builds(
    _settings,
    _INDEXES,
    st.fixed_dictionaries({}, optional={"use_uv": st.just("false")}),
    of_project=st.just(True),
)
_ADDED = st.one_of(
    st.just([]),
    st.just([]),
    _some(_options("-r", "--repository", _REPOSITORIES), 1),
    _some(_options("-u", "--username", _USERS), 1),
    _rarely(_some(_PUBLISHING, 2), st.just(["--no-build", "-v"])),
).map(lambda words: "".join(f"{_text(word)}," for word in words))
_PYPROJECT = _ADDED.map(
    lambda added: (
        '[project]\nname = "demo"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
        + (f"[tool.pdm.options]\npublish = [{added}]\n" if added else "")
    )
)
_DIST = _rarely(
    st.sampled_from([("demo-1.0.tar.gz", "README.md"), ()]),
    st.sampled_from(
        [
            ("demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"),
            ("demo-1.0.zip", "demo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl.asc"),
            ("other-2.tar.bz2", ".hidden.whl", "stray.asc"),
        ]
    ),
)


def _files(
    own: str, project: str, pyproject: str, dist: tuple[str, ...], more: Mapping[str, str]
) -> dict[str, str]:
    found = {
        "home/.config/pdm/config.toml": own,
        "project/pdm.toml": project,
        "project/pyproject.toml": pyproject,
        **{f"project/dist/{name}": "" for name in dist},
        **{f"project/out/{name}": "" for name in dist[:1]},
        "project/sub/dist/sub-1.0.tar.gz": "",
        "project/sub/deep/x": "",
    }
    return {**found, **more}


_MORE = st.fixed_dictionaries(
    {},
    optional={
        "project/named.toml": _OWN,
        "project/sub/pdm.toml": _PROJECTS,
        "project/sub/pyproject.toml": _PYPROJECT,
        "xdg/pdm/config.toml": _OWN,
        "site/pdm/config.toml": _OWN,
    },
)
_LEGACY = st.sampled_from(["use_uv = false\n", "[repository.corp]\nusername = 'x'\n", "x = 1\n"])
_MORE = _rarely(st.builds(lambda text: {"project/.pdm.toml": text}, _LEGACY), _MORE)
_ENVIRON = st.fixed_dictionaries(
    {},
    optional={
        "PDM_PUBLISH_REPO": _REPOSITORIES,
        "PDM_PUBLISH_USERNAME": _USERS,
        "PDM_PUBLISH_PASSWORD": st.sampled_from(["", "canary-set"]),
        "PDM_CONFIG_FILE": st.sampled_from(["", "named.toml", "{project}/named.toml", "/dev/null"]),
        "PDM_PROJECT": st.sampled_from(["", "sub", "{project}/sub"]),
        "PDM_PUBLISH_CA_CERTS": st.sampled_from(["", "ca.pem"]),
        "XDG_CONFIG_HOME": st.sampled_from(["", "{home}/../xdg"]),
        "XDG_CONFIG_DIRS": st.sampled_from(["", "{home}/../site:/x"]),
    },
)


def cases() -> st.SearchStrategy[Case]:
    """Calls, each in a folder of its own."""
    return st.builds(
        Case,
        _LINES,
        st.one_of(st.just({}), _ENVIRON),
        st.builds(_files, _OWN, _PROJECTS, _PYPROJECT, _DIST, _MORE),
        st.sampled_from(["project"] * 4 + ["project/sub", "project/sub/deep"]),
    )


def answer(upload: Upload) -> Answer:
    """The destination, and the files unless pdm builds them."""
    found, call = answer_of(upload), upload._call
    if upload.idle or not call.words.has(("--no-build",)):
        return found
    files = [os.path.basename(file.path) for file in collect(call, call.project_folder, "")]
    return found._replace(files=tuple(sorted(files)))
