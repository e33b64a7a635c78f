"""Calls of npm, and what secretly says of them."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis.strategies import SearchStrategy

from secretly.publishing.upload import Upload

from . import real
from .cases import Answer, Case
from .chosen import Chooser, choices

#: Registries that npm takes, and odd ones.
GOOD = [
    *("https://one.example/", "http://two.example:8080/x/", "https://three.example"),
    *("https://one.example/npm", "https://one.example:443/"),
]
ODD = [
    *("", "HTTPS://One.Example/", "one.example", "https://one.example/a/../b/", "two example"),
    *("https://one.example/?x", "https://ada@one.example/", "https://one.example//x", "x:y"),
]

NAMES = ["demo", "demo", "@sc/demo"]

#: What stands for the secret in a call as it was typed.
TYPED = "canary-typed"


def tarball(manifest: str, more: Mapping[str, str] | None = None) -> str:
    """A package as npm packs it, as text for the files of a case."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as file:
        for name, text in {"package/package.json": manifest, **(more or {})}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            file.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue().decode("utf-8", "surrogateescape")


def manifest(chooser: Chooser, name: str) -> str:
    """A ``package.json``."""
    found: dict[str, object] = {"name": name, "version": "1.0.0"}
    config: dict[str, object] = {}
    if chooser.chance(25):
        config["registry"] = chooser.of(GOOD, ODD, 2)
    if chooser.chance(10):
        config["@sc:registry"] = chooser.of(GOOD)
    if chooser.chance(15):
        config["access"] = "public"
    odd = [
        {"//one.example/:_authToken": "canary-published"},
        {"proxy": "http://evil.example"},
        {"strict-ssl": False},
        {"scope": "@sc"},
        {"directory": "dist"},
    ]
    if chooser.odd(1):
        config.update(chooser.random.choice(odd))
    if config:
        found["publishConfig"] = config
    if chooser.odd(2):
        found["private"] = True
    return json.dumps(found)


def _npmrc(chooser: Chooser, *, own: bool) -> str:
    lines = []
    if chooser.chance(40):
        lines.append(f"registry{chooser.of(['=', ' = '])}{chooser.of(GOOD, ODD, 2)}")
    if chooser.chance(20):
        lines.append(f"@sc:registry={chooser.of(GOOD)}")
    if chooser.chance(30):
        lines.append(f"//one.example/:_authToken={chooser.of(['${NPM_TOKEN}', 'canary-file'])}")
    lines += chooser.some(["fund=false", "save-exact=true", "access=public", "; x", "tag=next"], 2)
    flags = ["workspaces", "include-workspace-root", "ignore-scripts"]
    if chooser.chance(8):
        lines.append(f"{chooser.of(flags)}{chooser.of(['', '=', '=1', '=off', '=0', '=null'])}")
    odd = [
        *("workspace=one", "workspaces[]=true", "workspaces=undefined"),
        "[one]",
        "//one.example/npm/:_authToken=canary-longer",
        "registry='https://three.example/'",
        'registry="https://three.example/"',
        "registry=https://three.example/ ; x",
        "registry",
        "scope=@sc",
        "dry-run=true",
    ]
    risky = [
        "user-agent=${NPM_TOKEN}",
        "registry=https://${NPM_TOKEN}.example/",
        "userconfig=evil",
        "https-proxy=http://evil.example/",
    ]
    if chooser.odd(3):
        lines.append(chooser.of(odd if own else [*odd, *risky]))
    chooser.random.shuffle(lines)
    return "\n".join(lines) + "\n"


def _options(chooser: Chooser) -> list[list[str]]:
    found = []
    if chooser.chance(35):
        names = ("--registry", "--registry", "--reg", "-registry", "--regis")
        found.append(_spelled(chooser, names, chooser.of(GOOD, ODD, 2)))
    if chooser.chance(10):
        found.append([f"--@sc:registry={chooser.of(GOOD)}"])
    if chooser.chance(25):
        found.append(_spelled(chooser, ("--tag", "-tag"), chooser.of(["next", "beta"])))
    if chooser.chance(15):
        found.append(_spelled(chooser, ("--access",), "public"))
    flags = ["--no-fund", "--json", "-s", "--silent", "--no-progress", "--ignore-scripts", "-f"]
    found += [[flag] for flag in chooser.some(flags, 1)]
    odd = [
        *("--dry-run", "--dry-run false", "--no-dry-run", "-n", "--unknown", "--scope=@sc"),
        *("--//one.example/:_authToken=canary-line", "--tag", "--registry", "--json=no", "-sf"),
        *("--dry", "--prefix=../home", "--no-no-json", "--registry=--json"),
    ]
    if chooser.odd(3):
        found.append(chooser.of(odd).split())
    return found


def _spelled(chooser: Chooser, names: Sequence[str], value: str) -> list[str]:
    name = chooser.random.choice(names)
    if not value or chooser.chance(50):
        return [f"{name}={value}"]
    return [name, value]


def _published(chooser: Chooser) -> tuple[list[list[str]], dict[str, str]]:
    name = chooser.of(NAMES)
    files = {"project/package.json": manifest(chooser, name)}
    kind = chooser.random.choice(("folder", "folder", "file", "below", "workspace"))
    if kind == "file":
        files["project/x.tgz"] = tarball(manifest(chooser, chooser.of(NAMES)))
        return [[chooser.of(["x.tgz", "./x.tgz"], ["x.tar", "missing.tgz", "@x.tgz"])]], files
    if kind == "below":
        files["project/sub/package.json"] = manifest(chooser, "other")
        return [[chooser.of(["./sub", "./sub/"], ["sub", "sub/", "a/sub"])]], files
    if kind == "workspace":
        root = {"name": "demo", "version": "1.0.0", "workspaces": ["sub/*"]}
        files["project/package.json"] = json.dumps(root)
        files["project/sub/one/package.json"] = manifest(chooser, "one")
        files["project/sub/two/package.json"] = files["project/sub/one/package.json"].replace(
            '"one"', '"two"'
        )
        words = ["-w one", "--workspace=sub/two", "-w one -w two", "--workspaces", "-ws", ""]
        return [
            chooser.of(words, ["-w sub", "--workspaces -iwr", "-w missing", "-w ."]).split()
        ], files
    return [[chooser.of([".", "./"])]] if chooser.chance(25) else [], files


def _arguments(chooser: Chooser) -> tuple[tuple[str, ...], dict[str, str]]:
    if chooser.chance(70):
        named, files = _published(chooser)
        first = chooser.of(["publish", "publish", "pub", "publ"])
    else:
        line = chooser.of(
            [
                *("deprecate demo@<2 message", "deprecate @sc/demo message"),
                *("owner add carol demo", "owner rm ada @sc/demo", "dist-tag add demo@0.0.1 next"),
                *("dist-tag rm @sc/demo beta", "unpublish demo@0.0.1", "unpublish @sc/demo@0.0.2"),
            ],
            ["owner add carol", "dist-tag rm demo", "unpublish demo", "owner ls demo"],
        )
        first, *rest = line.split()
        named, files = [rest], {"project/package.json": manifest(chooser, chooser.of(NAMES))}
    parts = _options(chooser)
    before = parts.pop() if parts and chooser.chance(10) else []
    words = [word for part in (*parts, *named) for word in part]
    if chooser.chance(40):
        words = [word for part in (*named, *parts) for word in part]
    return (*before, first, *words), files


def case(chooser: Chooser) -> Case:
    arguments, files = _arguments(chooser)
    if chooser.chance(45):
        files["project/.npmrc"] = _npmrc(chooser, own=False)
    if chooser.chance(45):
        files["home/.npmrc"] = _npmrc(chooser, own=True)
    environ = chooser.variables(
        {
            "npm_config_registry": (15, GOOD),
            "NPM_CONFIG_REGISTRY": (5, GOOD),
            "NPM_CONFIG_TAG": (5, ["beta"]),
            "npm_config_dry_run": (4, ["true", "false", "1"]),
            "npm_config_workspaces": (4, ["true", "0", "yes"]),
        }
    )
    below = "project/sub/one/package.json" in files and chooser.chance(15)
    folder = "project/sub/one" if below else "project"
    return Case(arguments, {**environ, "NPM_TOKEN": ""}, files, folder)


def cases() -> SearchStrategy[Case]:
    """Calls of npm that change something in a registry."""
    return choices(case)


def answer(upload: Upload) -> Answer:
    """What secretly says of an upload: its registry, and the packages.

    :raises Refused: if secretly refuses the call.
    """
    if upload.why_needs_none:
        return Answer()
    publishes = upload._call.words.words[0].startswith("pub")
    releases = upload.release.releases
    names = [f"{name}@{version}" if publishes else name for name, version in releases]
    return Answer(upload.destination.url, None, tuple(sorted(names)))


def missing() -> str:
    """Why npm can't be asked here; empty if it can."""
    return real.missing() or ("" if shutil.which("npm") else "npm is not installed")


def ask(version: str, calls: Sequence[tuple[Case, Path]]) -> Sequence[Answer]:
    """What a version of npm does: as nobody it would send nothing."""
    hosts = ("one.example", "one.example/npm", "two.example:8080/x", "three.example")
    own = "//" + builtin().partition("//")[2]
    given = {f"npm_config_//{host}/:_authToken": real.NOBODY for host in hosts}
    given[f"npm_config_{own}:_authToken"] = real.NOBODY
    answers = real.ask_npm(version, calls, given)
    pairs = zip(calls, answers, strict=True)
    return [found._replace(username=_user(case, found)) for (case, _), found in pairs]


def builtin() -> str:
    """The registry that npm has built in."""
    from secretly.publishing.npm.program import find_npm

    return find_npm("npm", {"PATH": "/usr/local/bin:/usr/bin:/bin"}).registry


def _user(case: Case, found: Answer) -> str | None:
    """Whose token npm sent: the one that secretly gives, or another."""
    if case.environ.get("NPM_TOKEN"):  # pinned
        return "__token__" if found.username == "canary-secret" else found.username
    return None
