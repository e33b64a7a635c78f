"""The real publishing tools, with random options, variables and settings for where they upload.

Two indexes, A and B, and a proxy, C, on loopback, which is the only network. Whatever is combined:
no upload, and no secret, reaches another server than the one that the dialog showed. Where secretly
refuses a combination, the tool runs without secretly, which shows whether it would have uploaded.

``SECRETLY_MATRIX=300 pytest -m real tests/test_matrix.py --matrix docs/explanation/matrix.csv``
tries so many combinations for each tool, from ``SECRETLY_MATRIX_SEED``, and writes the figures. It
writes the refusals next to it, with their reasons.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tokens
from agreement import cargo, npm
from agreement.cases import HERE
from agreement.real import alone
from command import SECRETLY, Home, home
from conftest import lacking
from test_publishing import FILE, project, tool

from secretly.asking import upload_wording
from secretly.testing import FakePinentry

pytestmark = [pytest.mark.real, pytest.mark.outside]

NUMBER = int(os.environ.get("SECRETLY_MATRIX", "3"))
SEED = int(os.environ.get("SECRETLY_MATRIX_SEED", "1"))

#: Among so many combinations, each tool uploads at least once.
ENOUGH = 20

#: The token that is typed at each prompt. Each index here takes it for its own.
TOKEN = tokens.token("127.0.0.1")


class Ports(NamedTuple):
    """The servers: two indexes and a proxy."""

    a: int
    b: int
    c: int


class Moves:
    """What one combination consists of.

    :param pick: chooses at random.
    """

    def __init__(self, ports: Ports, pick: random.Random) -> None:
        self.ports, self.pick = ports, pick
        self.options: list[str] = []
        self.environ: dict[str, str] = {}
        self.env_file: list[str] = []
        self.files: dict[str, str] = {}

    def url(self) -> str:
        """The URL of one of the indexes."""
        host = f"127.0.0.1:{self.pick.choice(self.ports[:2])}"
        user = self.pick.choice(["", "", "", "", "ada@"])
        return f"http://{user}{host}/legacy/"

    def option(self, *names: str, value: str) -> None:
        """An option, in one of its spellings. Sometimes an empty one comes before it."""
        name = self.pick.choice(names)
        if self.pick.random() < 0.1:
            self.options.append("-u=")
        if name.startswith("--") and self.pick.random() < 0.5:
            self.options.append(f"{name}={value}")
        else:
            self.options += [name, value]

    def variable(self, name: str, value: str) -> None:
        """A variable of the user's shell, or of the project's env file."""
        if self.pick.random() < 0.3:
            self.env_file.append(f"{name}={value}\n")
        else:
            self.environ[name] = value

    def file(self, path: str, text: str) -> None:
        """Lines of a settings file. ``~/`` is the home, another path the project."""
        self.files[path] = self.files.get(path, "") + text

    def proxy(self) -> None:
        """The user's own proxy."""
        for name in ("http_proxy", "HTTP_PROXY"):
            self.environ[name] = f"http://127.0.0.1:{self.ports.c}"


def _pypirc(moves: Moves, name: str = "corp") -> None:
    section = f"[{name}]\nrepository = {moves.url()}\n"
    moves.files["~/.pypirc"] = f"[distutils]\nindex-servers = {name}\n{section}"


def _by_options(moves: Moves, prefix: str) -> list[Callable[[], None]]:
    """The options, variables and settings that twine and maturin share."""
    return [
        lambda: moves.option("--repository-url", value=moves.url()),
        lambda: moves.option("-r", "--repository", value="corp"),
        lambda: moves.variable(f"{prefix}_REPOSITORY_URL", moves.url()),
        lambda: moves.variable(f"{prefix}_REPOSITORY", "corp"),
        lambda: _pypirc(moves),
        lambda: _pypirc(moves, moves.url()),
        lambda: moves.option("-u", "--username", value="ada"),
    ]


def _twine(moves: Moves) -> list[Callable[[], None]]:
    return _by_options(moves, "TWINE")


def _uv(moves: Moves) -> list[Callable[[], None]]:
    def index(path: str, table: str) -> None:
        moves.file(path, f'[[{table}]]\nname = "corp"\nurl = "{moves.url()}"\n')
        moves.file(path, f'publish-url = "{moves.url()}"\n')

    proxy = f"http://127.0.0.1:{moves.ports.c}"
    return [
        lambda: moves.option("--publish-url", value=moves.url()),
        lambda: moves.option("--index", value="corp"),
        lambda: moves.variable("UV_PUBLISH_URL", moves.url()),
        lambda: moves.variable("UV_PUBLISH_INDEX", "corp"),
        lambda: index("uv.toml", "index"),
        lambda: index("pyproject.toml", "tool.uv.index"),
        lambda: index("~/.config/uv/uv.toml", "index"),
        lambda: moves.file("uv.toml", f'http-proxy = "{proxy}"\n'),
        lambda: moves.file("~/.config/uv/uv.toml", f'publish-url = "{moves.url()}"\n'),
    ]


def _flit(moves: Moves) -> list[Callable[[], None]]:
    return [
        lambda: moves.option("--repository", value="corp"),
        lambda: moves.variable("FLIT_INDEX_URL", moves.url()),
        lambda: _pypirc(moves),
        lambda: _pypirc(moves, "pypi"),
    ]


def _hatch(moves: Moves) -> list[Callable[[], None]]:
    own = "~/.config/hatch/config.toml"
    return [
        lambda: moves.option("-r", "--repo", value=moves.url()),
        lambda: moves.option("-r", "--repo", value="corp"),
        lambda: moves.variable("HATCH_INDEX_REPO", moves.pick.choice(["corp", moves.url()])),
        lambda: moves.file(own, f'[publish.index.repos.corp]\nurl = "{moves.url()}"\n'),
        lambda: moves.file(own, f'[publish.index.repos."{moves.url()}"]\nurl = "{moves.url()}"\n'),
        lambda: moves.file("hatch.toml", f'[publish.index]\nrepo = "{moves.url()}"\n'),
        lambda: moves.file("mine.toml", f'[publish.index]\nrepo = "{moves.url()}"\n'),
        lambda: moves.variable("HATCH_CONFIG", "mine.toml"),
    ]


def _poetry(moves: Moves) -> list[Callable[[], None]]:
    own = "~/.config/pypoetry/config.toml"
    source = '[[tool.poetry.source]]\nname = "corp"\nurl = "{}"\n'
    return [
        lambda: moves.option("-r", "--repository", value="corp"),
        lambda: moves.option("-r", "--repository", value="corp"),
        lambda: moves.option("-r", "--repository", value="corp2"),
        lambda: moves.variable("POETRY_REPOSITORIES_CORP_URL", moves.url()),
        lambda: moves.variable("POETRY_REPOSITORIES_CORP2_URL", moves.url()),
        lambda: moves.file("poetry.toml", f'[repositories.corp]\nurl = "{moves.url()}"\n'),
        lambda: moves.file(own, f'[repositories.corp]\nurl = "{moves.url()}"\n'),
        lambda: moves.file("pyproject.toml", source.format(moves.url())),
        lambda: moves.variable("POETRY_REPOSITORIES_CORP_URL", "{repositories.corp2.url}"),
    ]


def _pdm(moves: Moves) -> list[Callable[[], None]]:
    own, table = "~/.config/pdm/config.toml", '[repository.{}]\nurl = "{}"\n'
    added = '[tool.pdm.options]\npublish = ["--repository", "{}"]\n'
    return [
        lambda: moves.option("-r", "--repository", "--repo", value=moves.url()),
        lambda: moves.option("-r", "--repository", value="corp"),
        lambda: moves.variable("PDM_PUBLISH_REPO", moves.pick.choice(["corp", moves.url()])),
        lambda: moves.file("pdm.toml", table.format("corp", moves.url())),
        lambda: moves.file("pdm.toml", table.format("pypi", moves.url())),
        lambda: moves.file(own, table.format("corp", moves.url())),
        lambda: moves.file(own, table.format("pypi", moves.url()) + 'username = "ada"\n'),
        lambda: moves.file("pyproject.toml", added.format(moves.url())),
        lambda: moves.file("pyproject.toml", '[tool.pdm.scripts]\npre_publish = "true"\n'),
        lambda: moves.variable("PDM_CONFIG_FILE", "pdm.toml"),
    ]


def _maturin(moves: Moves) -> list[Callable[[], None]]:
    return _by_options(moves, "MATURIN")


def _npm(moves: Moves) -> list[Callable[[], None]]:
    package: dict[str, Any] = {"name": "demo", "version": "1.0.0"}

    def manifest(**more: object) -> None:
        package.update(more)
        moves.files["package.json"] = json.dumps(package)

    def url() -> str:
        return moves.url().replace("ada@", "")  # npm takes no user name in it

    def token() -> None:
        host = url().partition(":")[2]
        moves.file(moves.pick.choice([".npmrc", "~/.npmrc"]), f"{host}:_authToken=${{NPM_TOKEN}}\n")

    manifest()
    scoped = "@sc:registry"
    proxy = f"http://127.0.0.1:{moves.ports.c}"
    return [
        lambda: moves.options.append(f"{moves.pick.choice(['--reg', '-registry'])}={url()}"),
        lambda: moves.options.extend(["--registry", url()]),
        lambda: moves.options.append(f"--{scoped}={url()}"),
        lambda: moves.variable("npm_config_registry", url()),
        lambda: moves.environ.update({f"npm_config_{scoped}": url()}),
        lambda: moves.file(".npmrc", f"registry={url()}\n"),
        lambda: moves.file("~/.npmrc", f"registry={url()}\n"),
        lambda: moves.file("~/.npmrc", "access=public\nfund=false\n"),
        lambda: moves.file(".npmrc", f"{scoped}={url()}\n"),
        lambda: moves.file(".npmrc", f"https-proxy={proxy}\n"),
        lambda: moves.file("~/.npmrc", f"https-proxy={proxy}\n"),
        lambda: manifest(publishConfig={"registry": url()}),
        lambda: manifest(name="@sc/demo", publishConfig={"access": "public"}),
        token,
    ]


def _cargo(moves: Moves) -> list[Callable[[], None]]:
    def index() -> str:
        path = moves.pick.choice(["index", "index", "moved"])
        return f"sparse+http://127.0.0.1:{moves.pick.choice(moves.ports[:2])}/{path}/"

    def manifest(publish: str = "") -> None:
        moves.files["Cargo.toml"] = (
            '[package]\nname = "demo"\nversion = "1.0.0"\nedition = "2021"\nlicense = "MIT"\n'
            f'description = "x"\n{publish}'
        )

    manifest()
    moves.files["src/lib.rs"] = ""
    own, project = "~/.cargo/config.toml", ".cargo/config.toml"
    table, proxy = '[registries.{}]\nindex = "{}"\n', f'proxy = "127.0.0.1:{moves.ports.c}"\n'
    return [
        lambda: moves.option("--registry", value="corp"),
        lambda: moves.option("--registry", value=moves.pick.choice(["corp2", "crates-io"])),
        lambda: moves.option("--config", value=f'registries.corp.index="{index()}"'),
        lambda: moves.variable("CARGO_REGISTRIES_CORP_INDEX", index()),
        lambda: moves.variable("CARGO_REGISTRIES_CORP2_INDEX", index()),
        lambda: moves.variable("CARGO_REGISTRY_DEFAULT", "corp"),
        lambda: moves.variable("__CARGO_TEST_CRATES_IO_URL_DO_NOT_USE_THIS", index()),
        lambda: moves.file(project, table.format("corp", index())),
        lambda: moves.file(own, table.format("corp", index())),
        lambda: moves.file(own, table.format("corp2", index())),
        lambda: moves.file(own, '[registry]\ndefault = "corp"\n'),
        lambda: moves.file(project, f"[http]\n{proxy}"),
        lambda: moves.file(own, f"[http]\n{proxy}"),
        lambda: manifest('publish = ["corp"]\n'),
    ]


#: Each tool's words, and what may be combined with them.
TOOLS: Mapping[str, tuple[list[str], list[str], Callable[[Moves], list[Callable[[], None]]]]] = {
    "twine": (["upload"], [FILE], _twine),
    "uv": (["publish"], [FILE], _uv),
    "flit": (["publish"], ["--format", "wheel"], _flit),
    "hatch": (["publish"], [FILE], _hatch),
    "poetry": (["publish"], [], _poetry),
    "pdm": (["publish"], ["--no-build"], _pdm),
    "maturin": (["upload"], [FILE], _maturin),
    "cargo": (["publish", "--no-verify", "--allow-dirty"], [], _cargo),
    "npm": (["publish"], [], _npm),
}

#: The tools whose registries know no tokens that could be narrowed.
WHOLE = ("cargo", "npm")

#: The variables with which each tool has a user and a secret without secretly.
BARE: Mapping[str, Mapping[str, str]] = {
    "twine": {"TWINE_USERNAME": "__token__", "TWINE_PASSWORD": "canary-bare"},
    "uv": {"UV_PUBLISH_USERNAME": "__token__", "UV_PUBLISH_PASSWORD": "canary-bare"},
    "flit": {"FLIT_USERNAME": "__token__", "FLIT_PASSWORD": "canary-bare"},
    "hatch": {"HATCH_INDEX_USER": "__token__", "HATCH_INDEX_AUTH": "canary-bare"},
    "poetry": {f"POETRY_PYPI_TOKEN_{name}": "canary-bare" for name in ("CORP", "CORP2", "PYPI")},
    "pdm": {"PDM_PUBLISH_USERNAME": "__token__", "PDM_PUBLISH_PASSWORD": "canary-bare"},
    "maturin": {"MATURIN_USERNAME": "__token__", "MATURIN_PASSWORD": "canary-bare"},
    "cargo": {
        f"CARGO_{name}_TOKEN": "canary-bare"
        for name in ("REGISTRY", "REGISTRIES_CORP", "REGISTRIES_CORP2")
    },
}


def bare(name: str, ports: Ports) -> Mapping[str, str]:
    """The variables with which a tool has a user and a secret without secretly."""
    if name != "npm":
        return BARE[name]
    hosts = [f"//127.0.0.1:{port}{path}" for port in ports[:2] for path in ("/", "/legacy/")]
    hosts.append(npm.builtin().partition(":")[2])
    return {f"npm_config_{host}:_authToken": "canary-bare" for host in hosts}


def program(name: str, found: Home) -> str:
    """The path of a tool. cargo is the toolchain's own: an empty home has none for rustup."""
    if name != "cargo":
        return tool(name)
    if cargo.missing():
        pytest.skip("needs cargo")  # CI has none: it would take longer to install than to test
    path = Path(cargo.path())
    found.environ["PATH"] += f"{os.pathsep}{path.parent}"
    return str(path)


#: What keeps tools from the network for other things.
QUIET = {
    **{"FLIT_NO_NETWORK": "1", "PDM_CHECK_UPDATE": "0", "UV_HTTP_RETRIES": "0"},
    **{"npm_config_update_notifier": "false", "npm_config_fetch_retries": "0"},
    "CARGO_NET_RETRY": "0",
}


class Loopback:
    """The servers, and commands that run next to them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ports = Ports(*self._read())

    def run(self, argv: list[str], environ: Mapping[str, str], folder: Path) -> Any:
        """Run a command, and return how it ended and what the servers got."""
        assert self._process.stdin is not None
        line = json.dumps({"argv": argv, "environ": dict(environ), "folder": str(folder)})
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@pytest.fixture(name="loopback")
def _loopback() -> Iterator[Loopback]:
    """The servers in a network of their own."""
    words = alone()
    if words is None:
        lacking("this system allows no network namespace")
    command = [*words, sys.executable, "-P", str(HERE / "drivers" / "matrix.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Loopback(process)
        finally:
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(30)


def combine(name: str, ports: Ports, pick: random.Random) -> Moves:
    """A combination of a tool's options, variables and settings."""
    moves = Moves(ports, pick)
    possible = TOOLS[name][2](moves)
    for move in pick.sample(possible, pick.randint(1, min(4, len(possible)))):
        move()
    if pick.random() < 0.2:
        moves.proxy()
    return moves


def lay_out(name: str, found: Home, moves: Moves) -> Path:
    """Make the project and the settings of a combination, and return the project's folder."""
    folder = found.folder / "demo"
    folder.mkdir()
    project(folder)
    if name == "flit":  # it uploads what it builds
        (folder / FILE).unlink()
    for path, text in moves.files.items():
        file = found.folder / path[2:] if path.startswith("~/") else folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as stream:
            stream.write(text)
    if moves.env_file:
        (folder / ".env").write_text("".join(moves.env_file))
    return folder


def typed(name: str) -> str:
    """What is typed at each prompt of a tool."""
    return "canary-typed" if name in WHOLE else TOKEN


def attempt(name: str, loopback: Loopback, moves: Moves) -> tuple[Any, list[str]]:
    """Run secretly with a tool, and return what came of it, and the lines of the first prompt."""
    first, last, _ = TOOLS[name]
    with home() as found, FakePinentry([typed(name)] * 3) as fake:
        folder = lay_out(name, found, moves)
        own = ["--env-file", ".env"] if moves.env_file else []
        argv = [*SECRETLY, "run", *own, program(name, found), *first, *moves.options, *last]
        environ = {**found.environ, **QUIET, **moves.environ, **fake.environ}
        done = loopback.run(argv, environ, folder)
        text = fake.prompts[0]["SETDESC"] if fake.prompts else ""
        return done, text.replace("%0A", "\n").splitlines()


#: What tools say if they tried to reach another server than those on loopback.
UNREACHED = re.compile(
    r"(?i)name or service|name resolution|resolve host|lookup address|dns error|unreachable"
)


def uploads_without_secretly(name: str, loopback: Loopback, moves: Moves) -> bool:
    """Whether the tool alone sends the upload to any server, or tries to.

    It has its secret in variables, and the proxy for ``https``.
    """
    first, last, _ = TOOLS[name]
    with home() as found:
        folder = lay_out(name, found, moves)
        filed = dict(line.rstrip("\n").split("=", 1) for line in moves.env_file)
        proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{loopback.ports.c}"}
        argv = [program(name, found), *first, *moves.options, *last]
        given = bare(name, loopback.ports)
        environ = {**found.environ, **QUIET, **given, **proxy, **filed, **moves.environ}
        done = loopback.run(argv, environ, folder)
        sent = any(password or method == "CONNECT" for _, _, password, method in done["got"])
        return sent or UNREACHED.search(done["said"]) is not None


def outcome(name: str, done: Any, prompt: list[str], ports: Ports) -> str:
    """What came of an attempt, in a word. What must not happen fails."""
    # uv looks for existing files at the index's other URL, without credentials. Before the prompt,
    # secretly asks an index of crates where its registry is.
    got = [one for one in done["got"] if one[2:] != ["", "GET"]]
    assert typed(name) not in done["said"]
    if not prompt:
        assert (got if name == "cargo" else done["got"]) == [], done
        return "refused" if done["status"] == 125 else "no secret needed"
    shown = next(line for line in prompt if line.startswith("to: "))
    proxied = any("network: " in line and f"proxy 127.0.0.1:{ports.c}" in line for line in prompt)
    host = re.match(r"to: (127\.0\.0\.1:\d+)", shown)
    for server, where, password, _ in got:
        if host is None:  # the tool's own index, which only a proxy could reach
            assert server == "C", (shown, done)
            assert not where.startswith("127.0.0.1"), (shown, done)
        else:
            assert where == host[1], (shown, done)
        assert proxied or server != "C", (prompt, done)
        assert name in WHOLE or TOKEN not in password, "the long token"
    if not got:
        return "the tool sent nothing"
    return "through the proxy" if got[0][0] == "C" else "uploaded"


#: What may come of a combination, in the table's order.
OUTCOMES = (
    "uploaded",
    "through the proxy",
    "the tool sent nothing",
    "no secret needed",
    "refused, like the tool",
    "refused",
)


@pytest.mark.timeout(60 + 90 * NUMBER)
@pytest.mark.parametrize("name", TOOLS)
def test_no_upload_reaches_another_server_than_the_one_shown(
    name: str, loopback: Loopback, record_property: Callable[[str, object], None]
) -> None:
    """For each combination: the server that the dialog shows, or none."""
    pick = random.Random(f"{SEED} {name}")
    counted: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for number in range(NUMBER):
        moves = combine(name, loopback.ports, pick)
        done, prompt = attempt(name, loopback, moves)
        context = (number, moves.options, moves.environ, moves.env_file, moves.files)
        try:
            found = outcome(name, done, prompt, loopback.ports)
        except AssertionError as error:
            raise AssertionError(f"{context}: {error}") from None
        if found == "refused" and not uploads_without_secretly(name, loopback, moves):
            found = "refused, like the tool"
        counted[found] += 1
        if found == "refused":
            reasons[why(done["said"])] += 1
    # No upload went elsewhere, or the test would have failed.
    figures = (name, NUMBER, *(counted[outcome] for outcome in OUTCOMES), 0)
    record_property("matrix", figures)
    for reason, count in reasons.items():
        record_property("refused in the matrix", (name, count, reason))
    if NUMBER >= ENOUGH:  # else each combination may well be one that is refused
        assert counted["uploaded"], f"no upload at all: {dict(counted)}"


def why(said: str) -> str:
    """secretly's error, without what differs from one combination to the next."""
    line = next(line for line in said.splitlines() if line.startswith("secretly: "))
    line = re.sub(r"/\S*/(?=[\w.])", "…/", line.removeprefix("secretly: "))
    return re.sub(r"127\.0\.0\.1:\d+\S*|\d{4,}", "HOST", line)


def test_a_variable_for_poetrys_own_index_moves_no_upload(loopback: Loopback) -> None:
    """poetry ignores the variable, and so does the dialog: the mirror gets nothing."""
    moves = Moves(loopback.ports, random.Random(1))
    moves.environ["POETRY_REPOSITORIES_PYPI_URL"] = f"http://127.0.0.1:{loopback.ports.a}/legacy/"
    moves.environ["HTTPS_PROXY"] = f"http://127.0.0.1:{loopback.ports.c}"
    done, prompt = attempt("poetry", loopback, moves)
    assert upload_wording.index_line("PyPI") in prompt
    # The upload would have gone to another host: the proxy was asked for it.
    assert {one[0] for one in done["got"]} == {"C"}, done
    assert not any(one[1].startswith("127.0.0.1") for one in done["got"]), done
