"""Calls of cargo, and what secretly says of them."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hypothesis.strategies import SearchStrategy

from secretly.publishing.upload import Upload

from . import real
from .cases import HERE, Answer, Case, answer_of, environ_of
from .chosen import Chooser, choices
from .drivers.crates import config_of

#: The indexes, then the odd ones.
_GOOD = [
    *("sparse+http://one.example/index/", "sparse+http://two.example:8080/x/index/"),
    *("sparse+http://three.example/index/", "sparse+http://asks.example/index/"),
]
_ODD = [
    *("sparse+http://one.example/index", "http://one.example/git", "", "sparse+one.example/"),
    *("sparse+http://ada@one.example/index/", "sparse+http://ada:canary-url@one.example/index/"),
    *(
        "registry+http://one.example/git",
        "sparse+ftp://one.example/",
        "sparse+http://one.example/?a=b",
    ),
]

_NAMES = ["corp", "corp", "my-corp", "crates-io"]
_ODD_NAMES = ["missing", "Corp", "my_corp", "a.b", "", "Cargo"]

#: The marks of the secrets in the variables of all registries.
_TOKENS = {
    "CARGO_REGISTRY_TOKEN": "of-CARGO_REGISTRY_TOKEN",
    "CARGO_REGISTRIES_CORP_TOKEN": "of-CARGO_REGISTRIES_CORP_TOKEN",
    "CARGO_REGISTRIES_MY_CORP_TOKEN": "of-CARGO_REGISTRIES_MY_CORP_TOKEN",
    "CARGO_REGISTRIES_CARGO_TOKEN": "of-CARGO_REGISTRIES_CARGO_TOKEN",
}

#: Settings that change nothing, then some that would.
_HARMLESS = [
    *("[term]\nquiet = true\n", "[net]\ngit-fetch-with-cli = true\n", "[http]\ntimeout = 20\n"),
    *("[alias]\npublish = 'yank'\n", "[profile.release]\nlto = true\n", "[build]\njobs = 1\n"),
]
_STEERING = [
    *("[http]\nproxy = 'http://127.0.0.1:1'\n", "[http]\ncainfo = '/dev/null'\n"),
    *(
        "[registry]\nglobal-credential-providers = ['/bin/false']\n",
        "[credential-alias]\nx = ['y']\n",
    ),
    *("[source.crates-io]\nreplace-with = 'x'\n[source.x]\ndirectory = 'x'\n", "[broken\n"),
]


def _index(chooser: Chooser) -> str:
    return chooser.of(_GOOD, _ODD)


def _setting(chooser: Chooser) -> str:
    """A setting for the command line."""
    usual = [
        f"registries.corp.index={json.dumps(_index(chooser))}",
        f"registries.my-corp.index={json.dumps(_index(chooser))}",
        'registry.default="corp"',
        "term.quiet=true",
        "extra.toml",
    ]
    return chooser.of(usual, ['registries.corp.token="canary-typed"', "", "x", "a = 1\nb = 2"], 6)


def _registry(chooser: Chooser) -> list[list[str]]:
    found = []
    if chooser.chance(55):
        found.append(chooser.spelled(("--registry",), chooser.of(_NAMES, _ODD_NAMES)))
    if chooser.odd(4):
        found.append(["--index", "sparse+http://one.example/index/"])
    if chooser.odd(5):
        found.append(chooser.spelled(("--token",), "canary-typed"))
    for _ in range(chooser.random.choice((0, 0, 1, 2))):
        if chooser.chance(50):
            found.append(chooser.spelled(("--config",), _setting(chooser)))
    found += [[one] for one in chooser.some(["-v", "-q", "--locked", "--color=never"], 1)]
    return found


def _publish(chooser: Chooser) -> list[str]:
    options = _registry(chooser) + ([["--no-verify"]] if chooser.chance(97) else [])
    options += chooser.options(
        {
            ("-p", "--package"): (
                25,
                ["demo", "member", "memb*", "demo@1.0.0"],
                ["nope", "demo@2", "path", "", "*"],
            ),
            ("--exclude",): (8, ["member", "mem*"], ["nope"]),
            ("-m", "--manifest-path"): (10, ["member/Cargo.toml", "./Cargo.toml"], ["member", "x"]),
            ("--target-dir",): (5, ["target"], []),
        }
    )
    options += [["--workspace"]] if chooser.chance(15) else []
    options += (
        [[one] for one in chooser.some(["--allow-dirty", "--offline"], 1)]
        if chooser.chance(30)
        else []
    )
    odd = ["-n", "--dry-run", "-vn", "--list", "--unknown", "-h", "x", "--", "--all"]
    options += [[chooser.of(odd)]] if chooser.odd(8) else []
    return ["publish", *chooser.ordered(options, [])]


def _yank(chooser: Chooser) -> list[str]:
    options, words = _registry(chooser), []
    if chooser.chance(60):
        words = [[chooser.of(["demo@1.0.0", "other@0.1.0"], ["demo", "demo@", "@1", "-"])]]
    else:
        options.append(chooser.spelled(("--version",), "1.0.0"))
        words = [["demo"]] if chooser.chance(50) else []
    options += [["--undo"]] if chooser.chance(30) else []
    return ["yank", *chooser.ordered(options, words)]


def _owner(chooser: Chooser) -> list[str]:
    options = _registry(chooser)
    if chooser.chance(80):
        options.append(chooser.spelled(("-a", "--add"), "ada"))
    if chooser.chance(30):
        options.append(chooser.spelled(("-r", "--remove"), "bob"))
    options += [["--list"]] if chooser.chance(15) else []
    words = [[chooser.of(["demo", "other"], ["a b", "demo@1"])]] if chooser.chance(70) else []
    return ["owner", *chooser.ordered(options, words)]


def _before(chooser: Chooser) -> list[str]:
    if chooser.chance(15):
        return [*chooser.spelled(("--config",), _setting(chooser))]
    return chooser.of(["", "", "", "-v", "-q"], ["--registry=corp", "-n", "--"], 3).split()


def _config(chooser: Chooser, percent: float) -> str:
    """The text of a settings file."""
    parts = []
    if chooser.chance(percent):
        parts.append(f"[registries.corp]\nindex = {json.dumps(_index(chooser))}\n")
    if chooser.chance(percent):
        parts.append(f"[registries.my-corp]\nindex = {json.dumps(_index(chooser))}\n")
    if chooser.chance(15):
        parts.append(f"[registry]\ndefault = {json.dumps(chooser.of(_NAMES, _ODD_NAMES))}\n")
    if chooser.chance(30):
        parts.append(chooser.of(_HARMLESS, _STEERING, 30))
    return "".join(parts)


def _manifest(chooser: Chooser, name: str, version: str) -> str:
    publish = ""
    if chooser.chance(20):
        usual = ['["corp"]', '["corp", "crates-io"]', '["my-corp"]', "true"]
        publish = f"publish = {chooser.of(usual, ['false', '[]'])}\n"
    return (
        f'[package]\nname = "{name}"\n{version}\nedition = "2021"\nlicense = "MIT"\n'
        f'description = "x"\n{publish}'
    )


def _files(chooser: Chooser) -> dict[str, str]:
    root = _manifest(chooser, "demo", 'version = "1.0.0"')
    member = _manifest(chooser, "member", "version.workspace = true")
    workspace = (
        '[workspace]\nmembers = ["mem*"]\nresolver = "2"\n[workspace.package]\nversion = "0.3.0"\n'
    )
    if chooser.chance(25):
        root = ""  # a workspace without a package of its own
    files = {
        "project/Cargo.toml": f"{workspace}{root}",
        "project/src/lib.rs": "",
        "project/member/Cargo.toml": member,
        "project/member/src/lib.rs": "",
        "project/extra.toml": _config(chooser, 60),
    }
    for name, percent in (
        ("project/.cargo/config.toml", 65),
        ("home/.cargo/config.toml", 75),
        ("project/.cargo/config", 5),
        ("project/member/.cargo/config.toml", 10),
    ):
        if chooser.chance(percent):
            files[name] = _config(chooser, 80)
    return files


def case(chooser: Chooser) -> Case:
    make = chooser.random.choice((_publish, _publish, _publish, _publish, _yank, _owner))
    environ = chooser.variables(
        {
            "CARGO_REGISTRIES_CORP_INDEX": (25, [_index(chooser)]),
            "CARGO_REGISTRIES_MY_CORP_INDEX": (15, [_index(chooser)]),
            "CARGO_REGISTRY_DEFAULT": (10, ["corp", "my-corp", "crates-io"]),
        }
    )
    folder = "project/member" if chooser.chance(10) else "project"
    words = (*_before(chooser), *make(chooser))
    return Case(words, {**environ, "http_proxy": _index_server()}, _files(chooser), folder)


def cases() -> SearchStrategy[Case]:
    """Calls of ``cargo publish``, ``cargo yank`` and ``cargo owner``."""
    return choices(case)


# -- what secretly says --------------------------------------------------------------


class _Index(BaseHTTPRequestHandler):
    """The index at each host, as the driver's server is for cargo: secretly asks it."""

    def do_GET(self) -> None:
        config = config_of(self.path)
        self.send_response(401 if "auth-required" in config else 200)
        text = json.dumps(config).encode()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@functools.cache
def _index_server() -> str:
    """The URL of the proxy with which secretly gets to all indexes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def answer(upload: Upload) -> Answer:
    """What secretly says of an upload, with its packages, and the variable of its secret.

    :raises Refused: if secretly refuses the call.
    """
    if upload.why_needs_none:
        return Answer()
    found, packages = answer_of(upload), upload._call.packages()
    (variable,) = upload.secrets({"CARGO_REGISTRY_TOKEN": ""})
    files = tuple(sorted(f"{name} {version}".strip() for name, version in packages.releases))
    return Answer(found.url.rstrip("/"), f"of-{variable}", files)


# -- what cargo says -----------------------------------------------------------------


@functools.cache
def path() -> str:
    """The path of the stable cargo; empty if it isn't there."""
    rustup = shutil.which("rustup")
    if rustup is None:
        return ""
    done = subprocess.run(
        [rustup, "which", "--toolchain", "stable", "cargo"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def missing() -> str:
    """Why cargo can't be asked here; empty if it can."""
    return real.missing() or ("" if path() else "rustup has no stable cargo")


def ask(version: str, calls: Sequence[tuple[Case, Path]]) -> Sequence[Answer]:
    """What cargo does."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            {
                "arguments": ["yank", "--registry", "crates-io", "demo@1.0.0"],
                "environ": {"HOME": folder, "PATH": _path(), **_TOKENS},
                "folder": folder,
                "default": "the index named crates-io",
            },
            *(
                {
                    "arguments": case.arguments,
                    "environ": _environ(case, root),
                    "folder": str(root / case.folder),
                }
                for case, root in calls
            ),
        ]
        command = [*(real.alone() or ()), sys.executable, "-P"]
        answers = real._answers([*command, HERE / "drivers" / "crates.py", path()], lines)
    assert len(answers) == len(calls), (version, len(answers))
    return [real._answer(found) for found in answers]


def _path() -> str:
    return f"{Path(path()).parent}:/usr/bin:/bin"


def _environ(case: Case, root: Path) -> dict[str, str]:
    """The variables of a call, with marks in the place of secrets."""
    found = environ_of(case, root) | {"PATH": _path()}
    found.pop("http_proxy", None)
    pinned = {name for name, value in found.items() if value == "canary-secret"}
    marks = {name: f"of-{name}" for name in pinned} if pinned else _TOKENS
    return {**found, **marks}
