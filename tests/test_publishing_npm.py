"""The real npm, held to the registry that the dialog shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import npms
import pytest
from command import Ended, Home, quick
from conftest import need
from test_rows import Server, Web, serving

from secretly.asking import upload_wording
from secretly.asking.assuan import unescape
from secretly.testing import FakePinentry

pytestmark = [pytest.mark.real, pytest.mark.outside]

SECRET = "canary-1"
DEMO = {"name": "demo", "version": "1.0.0"}


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    need("npm")
    with quick() as found:
        found.keep_in_a_file()
        found.reach("npm", "node")
        quiet = {"update_notifier": "false", "fund": "false", "fetch_retries": "0"}
        found.environ |= {f"npm_config_{name}": value for name, value in quiet.items()}
        yield found


@pytest.fixture(name="servers")
def _servers() -> Iterator[tuple[Server, Server]]:
    with serving(Web) as meant, serving(Web) as other:
        yield meant, other


def url(server: Server) -> str:
    """The URL of a registry."""
    return f"http://127.0.0.1:{server.port}/"


def run(home: Home, line: str, files: Mapping[str, str], asked: bool = True) -> tuple[Ended, str]:
    """Run npm in a project, type the secret, and return its end and what the dialog has shown."""
    project = home.folder / "project"
    for name, text in files.items():
        path = home.folder / name[2:] if name.startswith("~/") else project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with FakePinentry([SECRET]) as fake:
        done = home.run("run", "npm", *line.split(), environ=fake.environ, cwd=project)
        shown = [unescape(prompt["SETDESC"].encode()).decode() for prompt in fake.prompts]
    assert bool(shown) is asked, done
    return done, "\n".join(shown)


def sent(server: Server) -> set[tuple[str, str, str]]:
    """What changed something: its method, its path, and the token that came with it."""
    return {one for one in server.heard if one[0] != "GET"}


ARRIVED = {("PUT", "/demo", f"Bearer {SECRET}")}


def test_the_token_arrives_without_a_line_in_any_file(
    home: Home, servers: tuple[Server, Server]
) -> None:
    """The project's registry, and its ``publishConfig``, lose against the option."""
    meant, other = servers
    config = {**DEMO, "publishConfig": {"registry": url(other), "access": "public"}}
    rc = f"registry={url(other)}\n//127.0.0.1:{other.port}/:_authToken=${{NPM_TOKEN}}\n"
    files = {"package.json": json.dumps(config), ".npmrc": rc}
    done, shown = run(home, f"publish --registry {url(meant)}", files)
    assert done.status == 0, done
    assert (sent(meant), other.heard) == (ARRIVED, [])
    assert f"to: 127.0.0.1:{meant.port}\n" in shown
    assert "publish: demo 1.0.0" in shown
    assert SECRET not in done.stderr


def test_a_registry_that_the_project_chose_gets_its_own_secret(
    home: Home, servers: tuple[Server, Server]
) -> None:
    """Not the one for npm's own registry, and the dialog says what chose it."""
    meant, _ = servers
    host = f"127.0.0.1:{meant.port}"
    files = {"package.json": json.dumps(DEMO), ".npmrc": f"registry={url(meant)}\n"}
    stored = home.run("set", "npm", "--stdin", stdin="canary-of-npms-own")
    assert stored.status == 0, stored
    done, shown = run(home, "publish", files)
    assert done.status == 0, done
    assert sent(meant) == ARRIVED
    assert host in shown
    assert "chosen by" in shown


def test_a_users_own_reference_in_npmrc_works(home: Home, servers: tuple[Server, Server]) -> None:
    """``${NPM_TOKEN}`` for that registry, as many people have it."""
    meant, _ = servers
    rc = f"registry={url(meant)}\n//127.0.0.1:{meant.port}/:_authToken=${{NPM_TOKEN}}\n"
    done, _ = run(home, "publish", {"package.json": json.dumps(DEMO), "~/.npmrc": rc})
    assert (done.status, sent(meant)) == (0, ARRIVED)


def test_a_tarball_runs_no_script_and_a_folder_is_said_to(
    home: Home, servers: tuple[Server, Server]
) -> None:
    """The scripts of a folder see the token."""
    meant, _ = servers
    scripts = {"prepack": "env > ../seen"}
    files = {"package.json": json.dumps({**DEMO, "scripts": scripts})}
    done, shown = run(home, f"publish --registry {url(meant)}", files)
    assert (done.status, sent(meant)) == (0, ARRIVED)
    assert upload_wording.project_script("prepack") in shown
    assert "npm pack" in shown
    assert f"NPM_TOKEN={SECRET}" in (home.folder / "seen").read_text()
    (home.folder / "seen").unlink()
    (home.folder / "project/x.tgz").write_bytes(
        npms.tarball({"package/package.json": files["package.json"]})
    )
    done, shown = run(home, f"publish x.tgz --registry {url(meant)}", {})
    assert (done.status, len([one for one in meant.heard if one[0] == "PUT"])) == (0, 2)
    assert "script" not in shown
    assert not (home.folder / "seen").exists()


def test_a_tag_is_set_where_it_was_shown(home: Home, servers: tuple[Server, Server]) -> None:
    """Other changes of a registry have the same check."""
    meant, other = servers
    files = {"package.json": json.dumps(DEMO), ".npmrc": f"registry={url(other)}\n"}
    done, shown = run(home, f"dist-tag add demo@1.0.0 next --registry={url(meant)}", files)
    assert done.status == 0, done
    assert sent(meant) == {("PUT", "/-/package/demo/dist-tags/next", f"Bearer {SECRET}")}
    assert other.heard == []
    assert "dist-tag add next: demo 1.0.0" in shown


@pytest.mark.parametrize(
    ("line", "files", "word"),
    [
        ("publish", {".npmrc": "https-proxy=http://127.0.0.1:9/"}, "https-proxy"),
        ("publish", {".npmrc": "user-agent=${NPM_TOKEN}"}, "user-agent"),
        ("publish sub", {}, "./FOLDER"),
    ],
)
def test_what_could_take_the_token_elsewhere_is_refused_before_you_are_asked(
    home: Home, line: str, files: Mapping[str, str], word: str
) -> None:
    """The error has two lines."""
    done, _ = run(home, line, {"package.json": json.dumps(DEMO), **files}, asked=False)
    assert done.status == 125
    assert word in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_dry_run_asks_for_nothing(home: Home, servers: tuple[Server, Server]) -> None:
    """And sends nothing."""
    line = f"publish --dry-run --registry {url(servers[0])}"
    done, _ = run(home, line, {"package.json": json.dumps(DEMO)}, asked=False)
    assert done.status == 0, done
    assert sent(servers[0]) == set()


def test_each_of_npms_settings_is_known() -> None:
    """What npm itself lists: a new one would be refused on the command line."""
    import os
    import re

    from secretly.publishing.npm.keys import KINDS
    from secretly.publishing.npm.program import find_npm

    need("npm")
    found = find_npm("npm", dict(os.environ))
    assert found.keys - KINDS.all - KINDS.newer <= {"_auth"}
    assert re.fullmatch(r"https://[\w.]+/", found.registry)
    assert Path(found.folder).is_dir()
