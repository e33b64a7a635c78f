"""Calls of uv, and what secretly says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis.strategies import SearchStrategy

from . import real
from .archives import wheel
from .cases import Answer, Case, answer_with_files
from .chosen import DIST, GOOD, SDIST, WHEEL, WITH_USER, Chooser, choices

_DIST = {
    **DIST,
    f"project/dist/{SDIST}.asc": "a signature",
    "project/sub/dist/member-2.0-py3-none-any.whl": wheel("member", "2.0"),
    "project/sub/deep/dist/deep-3.0-py3-none-any.whl": wheel("deep", "3.0"),
    # uv's patterns find hidden folders, and it skips names that aren't a release's.
    "project/.hidden/dist/hidden-4.0-py3-none-any.whl": wheel("hidden", "4.0"),
    "project/dist/._demo-1.0.tar.gz": "what macOS leaves on foreign disks",
}


def _name(chooser: Chooser) -> str:
    return chooser.of(["corp", "corp", "pypi"], ["Corp", "missing", "", "http://two.example"])


def _index(chooser: Chooser) -> list[list[str]]:
    """The option that names the index, if one does."""
    index = chooser.spelled(("--index",), _name(chooser))
    url = chooser.spelled(("--publish-url",), chooser.url())
    if chooser.odd(4):
        return [index, url]
    return [] if chooser.chance(30) else [index] if chooser.chance(45) else [url]


def _options(chooser: Chooser) -> list[list[str]]:
    """Other options: each once, and few that stop uv."""
    values: dict[tuple[str, ...], tuple[float, list[str]]] = {
        ("-u", "--username"): (25, [chooser.user()]),
        ("-p", "--password"): (4, ["canary-typed", ""]),
        ("-t", "--token"): (4, ["canary-typed", ""]),
        ("--check-url",): (3, ["https://check.example/simple/"]),
        ("--trusted-publishing",): (5, ["automatic", "never", "never", "always"]),
        ("--keyring-provider",): (5, ["disabled", "disabled", "subprocess"]),
        ("--config-file",): (10, ["mine.toml", "../home/own.toml", "../project/mine.toml"]),
        ("--directory",): (12, ["sub", ".", "sub/deep", "./sub/"]),
        ("--project",): (12, ["sub", ".", "sub/deep", "..", "sub/pyproject.toml", "sub/../sub"]),
        ("--color",): (3, ["never", "always"]),
    }
    found = [
        chooser.spelled(names, chooser.of(texts))
        for names, (percent, texts) in values.items()
        if chooser.chance(percent)
    ]
    flags = ["--no-config", "-q", "-n", "--no-progress", "--isolated", "--native-tls", "-nq"]
    flags += ["--no-offline", "--no-preview"]
    odd = ["--help", "--unknown", "-x", "--dry-run=true", "-u -p", "--dry-run", "--show-settings"]
    odd += ["-nu=ada", "-nuada", "-nu ada", "--index", "-V", "--no-attestations"]
    found += [[flag] for flag in chooser.some(flags, 1)]
    return [*found, chooser.of(odd).split()] if chooser.odd(6) else found


def _arguments(chooser: Chooser) -> tuple[str, ...]:
    files = [f"dist/{WHEEL}", f"./dist/{SDIST}", "dist/*.whl", "dist/*", "dist/demo-1.0[-.]*"]
    files += ["*/dist/*.whl"]
    odd = ["dist", "missing", "dist/README.md", "-", "sub/dist/*"]
    named = [[chooser.of(files, odd)] for _ in range(chooser.random.choice((0, 0, 1, 2)))]
    if named and chooser.chance(8):
        named[-1].insert(0, "--")
        words = [w for o in (*_index(chooser), *_options(chooser)) for w in o]
        words += [w for file in sorted(named, key=len) for w in file]
    else:
        words = chooser.ordered([*_index(chooser), *_options(chooser)], named)
    before = ["", "", "", "-n", "--no-config", "--directory sub", "--project=sub"]
    return (*chooser.of(before, ["--index corp", "-u x", "--"], 2).split(), "publish", *words)


def _environ(chooser: Chooser) -> dict[str, str]:
    if chooser.chance(40):
        return {}
    values = {
        "UV_PUBLISH_URL": (12, [chooser.url()]),
        "UV_PUBLISH_INDEX": (8, [_name(chooser)]),
        "UV_PUBLISH_USERNAME": (20, [chooser.user()]),
        "UV_NO_CONFIG": (10, ["1", "true", "0", "off", "No"]),
        "UV_CONFIG_FILE": (10, ["mine.toml", "{home}/own.toml", "/dev/null"]),
        "UV_PROJECT": (10, ["sub", "sub/deep"]),
        "UV_WORKING_DIR": (8, ["sub", "sub/deep"]),
        "XDG_CONFIG_HOME": (15, ["{home}/other", ""]),
        "XDG_CONFIG_DIRS": (20, ["{home}/xdg", "", "{home}/none:{home}/xdg", "{home}/xdg:"]),
        "UV_PUBLISH_TOKEN": (2, ["canary-token"]),  # an empty one is removed
    }
    return chooser.variables(values)


def _settings(chooser: Chooser, table: str = "", *, own: bool = False) -> str:
    """The text of a ``uv.toml``, or of the table ``tool.uv``.

    :param own: whether the file is the user's own.
    """
    lines = [f"[{table}]"] if table else []
    urls = [*GOOD, *GOOD, *WITH_USER]
    if chooser.chance(50):
        lines.append(f"publish-url = '{chooser.of(urls, ['eight.example', ''], 3)}'")
    harmless = ['resolution = "highest"', "no-cache = true", "native-tls = false"]
    harmless += ['trusted-publishing = "never"', 'keyring-provider = "disabled"']
    odd = ['check-url = "https://check.example/simple/"', 'trusted-publishing = "always"']
    odd += ["unknown = 1", "offline = true", "cache-keys = []", "native-tls = true", "index = []"]
    lines += chooser.some(harmless, 2)
    if not own and chooser.odd(6):
        lines.append(chooser.of(odd))
    prefix = f"{table}." if table else ""
    for name in chooser.random.choices(
        ["corp", "corp", "pypi", "Corp"], k=chooser.random.choice((0, 1, 2))
    ):
        lines += [f"[[{prefix}index]]", f'name = "{name}"', f'url = "https://{name}.example/x/"']
        if chooser.chance(90):
            lines.append(f"publish-url = '{chooser.of(urls)}'")
    return "\n".join(lines) + "\n"


def _project(chooser: Chooser, name: str, *, root: bool = False) -> str:
    """The text of a ``pyproject.toml``."""
    text = f'[project]\nname = "{name}"\nversion = "1.0"\n' if chooser.chance(75) else ""
    if chooser.chance(60):
        text += _settings(chooser, "tool.uv")
    elif chooser.chance(10):
        text += "[tool.uv]\nmanaged = false\n"
    if root and chooser.chance(40):
        members = chooser.of(['"sub"', '"s*"', '"./sub"', '"other*"', '"sub", "sub/deep"'])
        exclude = chooser.of(["", "", 'exclude = ["sub"]\n', 'exclude = ["sub/d*"]\n'])
        text += f"[tool.uv.workspace]\nmembers = [{members}]\n{exclude}"
    return text


def _files(chooser: Chooser) -> dict[str, str]:
    found = {
        "project/pyproject.toml": (60, _project(chooser, "demo", root=True)),
        "project/dist/demo-1.0.zip": (4, "uv stops there"),
        "project/uv.toml": (20, _settings(chooser)),
        "project/sub/pyproject.toml": (40, _project(chooser, "member")),
        "project/sub/uv.toml": (10, _settings(chooser)),
        "project/sub/deep/pyproject.toml": (25, _project(chooser, "deep")),
        "home/.config/uv/uv.toml": (35, _settings(chooser, own=True)),
        "home/other/uv/uv.toml": (60, _settings(chooser, own=True)),
        "home/xdg/uv/uv.toml": (60, _settings(chooser, own=True)),
        "project/mine.toml": (100, _settings(chooser)),
        "home/own.toml": (100, _settings(chooser, own=True)),
    }
    return {name: text for name, (percent, text) in found.items() if chooser.chance(percent)}


def case(chooser: Chooser) -> Case:
    files = {**_DIST, **_files(chooser)}
    return Case(_arguments(chooser), _environ(chooser), files)


def cases() -> SearchStrategy[Case]:
    """Calls of ``uv publish``."""
    return choices(case)


answer, missing = answer_with_files, real.missing


#: The version that doesn't know UV_WORKING_DIR. It would upload the files of another folder.
_OLD = "0.8.24"


def ask(version: str, calls: Sequence[tuple[Case, Path]]) -> Sequence[Answer]:
    """What a version of uv does."""
    password = {"UV_PUBLISH_PASSWORD": "canary-password", "UV_HTTP_RETRIES": "0"}
    nobody = {**password, "UV_PUBLISH_USERNAME": real.NOBODY}
    own = {"": ["publish", "-q"]}
    found = real.ask("uv", version, calls, own, [password, nobody, {"UV_HTTP_RETRIES": "0"}])
    unknown = Answer(error="UV_WORKING_DIR is unknown")
    return [
        unknown if version == _OLD and "UV_WORKING_DIR" in case.environ else one
        for one, (case, _) in zip(found, calls, strict=True)
    ]
