"""What a call of cargo shows, and what cargo gets: a stand-in, and the real one on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import crates
import pytest
from command import Ended, Home, quick
from crates import Change, Registry

from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

#: What cargo prints here: the tokens of two registries, and its words.
CARGO = '#!/bin/sh\necho "$CARGO_REGISTRY_TOKEN/$CARGO_REGISTRIES_CORP_TOKEN $*"\n'

MANIFEST = (
    '[package]\nname = "demo"\nversion = "1.0.0"\nedition = "2021"\nlicense = "MIT"\n'
    'description = "x"\n'
)


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    """A home with a cargo that prints what it gets, a package, and two stored secrets."""
    with quick() as found:
        found.program("cargo", CARGO)
        found.keep_in_a_file()
        write(found, "Cargo.toml", MANIFEST)
        write(found, "src/lib.rs", "")
        for name in ("Cargo", "corp"):
            done = found.run("set", name, "--stdin", stdin=f"canary-{name}")
            assert done.status == 0, done
        yield found


@pytest.fixture(name="corp")
def _corp() -> Iterator[Registry]:
    with crates.registry() as found:
        yield found


def write(home: Home, name: str, text: str) -> None:
    """Write a file of the project, or of the home if its name begins with ``~/``."""
    path = home.folder / ("" if name.startswith("~/") else "demo") / name.removeprefix("~/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(
    home: Home, line: str, answers: list[object], environ: Mapping[str, str] | None = None
) -> tuple[Ended, list[str]]:
    """Run a call of cargo, and return its end and the text of each prompt."""
    with FakePinentry(answers) as fake:
        done = home.run(
            *("run", *line.split()),
            environ={**(environ or {}), **fake.environ},
            cwd=home.folder / "demo",
        )
        return done, [unescape(one["SETDESC"].encode()).decode() for one in fake.prompts]


def test_the_stored_token_goes_to_the_public_registry_after_a_question(home: Home) -> None:
    """The dialog says that code of the project can read it. Without a Yes, cargo doesn't start."""
    done, shown = run(home, "cargo publish", [True])
    assert done.status == 0, done
    assert done.stdout.startswith("canary-Cargo/ publish --registry=crates-io ")
    lines = shown[0].replace("\n> ", "").splitlines()
    assert {"upload: demo 1.0.0", "to: crates-io", wording.NOT_LIMITED} <= {*lines}
    assert any("cargo publish --no-verify" in line for line in lines)
    assert not any(line.startswith("user:") for line in lines)
    done, _ = run(home, "cargo publish", [False])
    assert (done.stdout, done.status != 0) == ("", True)


def test_another_registry_gets_its_own_token_in_its_own_variable(
    home: Home, corp: Registry
) -> None:
    """Even if the default registry's variable is there."""
    write(home, "~/.cargo/config.toml", corp.settings())
    inherited = {"CARGO_REGISTRY_TOKEN": "canary-inherited"}
    line = "-v cargo publish --no-verify --registry corp"
    done, shown = run(home, line, [True], inherited)
    assert done.stdout.startswith("canary-inherited/canary-corp publish "), done
    assert f"to: {corp.host} (corp)" in shown[0].splitlines()
    assert f'registries.corp.index="{corp.index}"' in done.stderr


def test_a_registry_of_the_project_gets_nothing_but_its_own_secret(
    home: Home, corp: Registry
) -> None:
    """It is asked for under the registry's name, and confirmed whatever the configuration says."""
    text = f"{corp.settings('other')}[registry]\ndefault = 'other'\n"
    write(home, ".cargo/config.toml", text)
    done, shown = run(home, "cargo publish", ["canary-typed"])
    assert done.status == 0, done
    assert done.stdout.startswith("/ publish "), done
    assert wording.chosen_by(".cargo/config.toml") in shown[0].replace("\n> ", "")
    write(home, ".cargo/config.toml", text.replace("other", "corp"))
    with home.config.open("a") as file:
        file.write("[secrets.corp]\nconfirm = false\n")
    done, shown = run(home, "cargo publish", [True])
    assert (done.stdout.startswith("/canary-corp publish"), len(shown)) == (True, 1), done


def test_an_alias_is_shown_and_started_as_what_it_stands_for(home: Home) -> None:
    """What you confirm is what runs."""
    write(home, "~/.cargo/config.toml", "[alias]\npub = 'publish --no-verify'\n")
    done, shown = run(home, "cargo pub -q", [True])
    assert done.stdout.startswith("canary-Cargo/ publish --no-verify -q "), done
    assert wording.command_line("cargo publish --no-verify -q") in shown[0].splitlines()


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("cargo publish --dry-run", "/ publish --dry-run\n"),
        ("cargo owner --list", "/ owner --list\n"),
        ("cargo publish --token canary-typed", "/ publish --token canary-typed\n"),
        ("cargo build --release", "/ build --release\n"),
        ("cargo --unknown pub", "/ --unknown pub\n"),
    ],
)
def test_what_needs_no_secret_is_started_as_it_was_typed(
    home: Home, line: str, printed: str
) -> None:
    """Nothing is asked."""
    done, shown = run(home, line, [])
    assert (done.stdout, shown) == (printed, []), done


def test_an_inherited_token_is_used_as_it_is(home: Home) -> None:
    """As in CI: nothing is asked or looked at."""
    done, shown = run(home, "cargo publish", [], {"CARGO_REGISTRY_TOKEN": "canary-ci"})
    assert (done.stdout, shown) == ("canary-ci/ publish\n", []), done


def test_an_index_that_names_another_registry_meanwhile_is_refused(
    home: Home, corp: Registry
) -> None:
    """secretly asks it once more before cargo starts."""
    write(home, "~/.cargo/config.toml", corp.settings())
    corp.later = {"api": "http://other.example"}
    done, _ = run(home, "cargo publish --registry corp", [True])
    assert (done.status, done.stdout) == (125, ""), done
    assert "other.example" in done.stderr
    assert "since it was shown" in done.stderr


def test_a_recipe_gets_no_token_for_a_project_from_cargo(home: Home) -> None:
    """``--project`` would promise a limit that no registry of crates knows."""
    done, shown = run(home, "--as cargo --project demo make", [])
    assert (done.status, done.stdout, shown) == (125, "", []), done
    assert "--project needs the publishing tool" in done.stderr


# -- the real cargo --------------------------------------------------------------------


@pytest.fixture(name="environ")
def _environ(home: Home) -> dict[str, str]:
    """The variables with which the real cargo starts. No proxy leads out of loopback."""
    rustup = shutil.which("rustup")
    found = shutil.which("cargo")
    if rustup:
        words = [rustup, "which", "--toolchain", "stable", "cargo"]
        found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    if not found:
        pytest.skip("needs cargo")  # CI has none: it would take longer to install than to test
    (home.programs / "cargo").unlink()
    (home.programs / "cargo").symlink_to(found)
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    path = os.pathsep.join((home.environ["PATH"], str(Path(found).parent)))
    return {**nowhere, "no_proxy": "127.0.0.1", "PATH": path}


@pytest.mark.real
def test_the_real_cargo_uploads_to_the_registry_that_was_shown(
    home: Home, corp: Registry, environ: Mapping[str, str]
) -> None:
    """With that registry's token, and as the registry asks for it."""
    write(home, ".cargo/config.toml", corp.settings())
    assert corp.config is not None
    corp.config["auth-required"] = True
    line = "cargo publish --no-verify --registry corp"
    done, shown = run(home, line, [True], environ)
    assert done.status == 0, done
    assert corp.changes == [Change("PUT /api/v1/crates/new", "canary-corp", "demo 1.0.0")]
    assert "which gets the token, too" in shown[0].replace("\n> ", "")
    done, _ = run(home, "cargo yank demo@1.0.0 --registry corp", [True], environ)
    assert corp.changes[1:] == [Change("DELETE /api/v1/crates/demo/1.0.0/yank", "canary-corp")]


@pytest.mark.real
def test_the_real_cargo_starts_no_program_of_the_project(
    home: Home, corp: Registry, environ: Mapping[str, str]
) -> None:
    """Without secretly, a project's settings start one, which has the token in its environment."""
    program = home.program("provider", f"#!/bin/sh\ntouch {home.folder}/started\nexit 1\n")
    text = f"{corp.settings()}credential-provider = ['{program}']\n"
    write(home, ".cargo/config.toml", text)
    line = "cargo yank demo@1.0.0 --registry corp"
    done, shown = run(home, line, [], environ)
    assert (done.status, shown, corp.changes) == (125, [], []), done
    assert not (home.folder / "started").exists()
    bare = {**home.environ, **environ, "CARGO_REGISTRIES_CORP_TOKEN": "canary-corp"}
    subprocess.run(
        line.split(), env=bare, cwd=home.folder / "demo", capture_output=True, check=False
    )
    assert (home.folder / "started").exists()
