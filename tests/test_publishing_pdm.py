"""The real pdm, held to the index, the user and the code that the dialog shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import tokens
from command import Home
from test_publishing import home_with_project, skip_if_it_cannot
from test_publishing_binaries import filled, run, write
from tokens import Warehouse

from secretly.asking import upload_wording

pytestmark = [pytest.mark.real, pytest.mark.outside]

#: Nothing leaves this machine: https goes to a proxy that isn't there, and the index has http.
NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:1", "PDM_CHECK_UPDATE": "0"}

NETWORK = upload_wording.note_line(upload_wording.network(""))

OWN = "~/.config/pdm/config.toml"


@pytest.fixture(name="index")
def _index() -> Iterator[Warehouse]:
    with tokens.warehouse("ada") as found:
        yield found


@pytest.fixture(name="home")
def _home(index: Warehouse) -> Iterator[Home]:
    """A home with the project ``demo``, where pdm publishes."""
    with home_with_project() as found:
        skip_if_it_cannot(found, index, "pdm", found.folder / "demo")
        yield found


#: A command line, the files, and the user name that arrives.
ARRIVES: dict[str, tuple[str, Mapping[str, str], str]] = {
    "the project's default options name the index": (
        "pdm publish --no-build",
        {"pyproject.toml": '[tool.pdm.options]\npublish = ["--repository", "{url}"]\n'},
        "__token__",
    ),
    "-c after the subcommand is a comment, and names no settings": (
        "pdm publish --no-build -r corp -c 'a comment'",
        {OWN: '[repository.corp]\nurl = "{url}"\nusername = "ada"\n'},
        "ada",
    ),
    "-c before the subcommand names the settings": (
        "pdm -c mine.toml publish --no-build -r corp",
        {
            OWN: '[repository.corp]\nurl = "http://127.0.0.1:1/"\nusername = "eve"\n',
            "mine.toml": '[repository.corp]\nurl = "{url}"\nusername = "ada"\n',
        },
        "ada",
    ),
    "the user's own settings give the tool's own index another URL": (
        "pdm publish --no-build -r pypi -c 'a comment'",
        {OWN: '[repository.pypi]\nurl = "{url}"\n'},
        "__token__",
    ),
}


@pytest.mark.parametrize("name", ARRIVES)
def test_the_upload_arrives_at_the_index_that_is_shown(
    home: Home, index: Warehouse, name: str
) -> None:
    """As the user that is shown, with a token for this upload only."""
    line, files, user = ARRIVES[name]
    write(home, {path: filled(text, home, index) for path, text in files.items()})
    done, shown = run(home, index, line, NOWHERE)
    assert done.status == 0, done
    assert [(u.username, u.status) for u in index.uploads] == [(user, 200)]
    assert tokens.limits(index.uploads[0].token).projects == ["demo"]
    assert index.host in shown
    assert f"\n{upload_wording.user_line(user)}" in shown


UNVERIFIED = '[repository.corp]\nurl = "{url}"\nverify_ssl = false\n'


def test_a_project_cannot_switch_the_checks_of_certificates_off(
    home: Home, index: Warehouse
) -> None:
    """Nothing is asked, nothing arrives, and the file is named."""
    write(home, {"pdm.toml": filled(UNVERIFIED, home, index)})
    done, shown = run(home, index, "pdm publish --no-build -r corp", NOWHERE)
    assert (done.status, shown, index.uploads) == (125, "", [])
    assert "verify_ssl" in done.stderr
    assert "pdm.toml" in done.stderr


@pytest.mark.parametrize("allowed", [False, True])
def test_your_own_settings_can_if_you_allow_it(home: Home, index: Warehouse, allowed: bool) -> None:
    """The dialog says so. Without your leave nothing is asked, and nothing arrives."""
    write(home, {OWN: filled(UNVERIFIED, home, index)})
    if allowed:
        home.configure("[secrets.corp]\nunverified = true\n")
    done, shown = run(home, index, "pdm publish --no-build -r corp", NOWHERE)
    assert (done.status == 0) == allowed, done
    assert index.statuses == [200] * allowed
    notes = [line for line in shown.splitlines() if line.startswith(NETWORK)]
    assert all(upload_wording.UNVERIFIED in note for note in notes)
    assert bool(notes) == allowed


HOOK = "[tool.pdm.scripts]\npre_publish = { shell = 'echo $PDM_PUBLISH_PASSWORD > seen' }\n"


@pytest.mark.parametrize("skipped", [False, True])
def test_a_script_of_the_project_is_shown_where_it_sees_the_token(
    home: Home, index: Warehouse, skipped: bool
) -> None:
    """pdm runs it before the upload, with its own variables, unless you skip it."""
    write(home, {"pyproject.toml": HOOK})
    line = f"pdm publish --no-build -r {index.url}" + " --skip=:pre" * skipped
    done, shown = run(home, index, line, NOWHERE)
    assert done.status == 0, done
    (sent,) = index.uploads
    seen = home.folder / "demo" / "seen"
    assert (seen.read_text().strip() if seen.exists() else "") == ("" if skipped else sent.token)
    assert (upload_wording.project_script("pre_publish") in shown) != skipped
