"""The real KeePassXC as the Secret Service, on a screen: it asks before an item is replaced."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from command import SECRETLY
from ptys import DEADLINE, wait_until
from secretservice import KeePassXC, SecretService, secret_service
from test_pinentry_screen import Screen, virtual_screen

pytestmark = [pytest.mark.real, pytest.mark.outside]


@pytest.fixture(name="screen", scope="module")
def _screen() -> Iterator[Screen]:
    """A screen for the windows of KeePassXC."""
    with virtual_screen() as found:
        yield found


@pytest.fixture(name="service", scope="module")
def _service(screen: Screen) -> Iterator[SecretService]:
    """A running KeePassXC on that screen."""

    class Shown(KeePassXC):
        display = screen.environ["DISPLAY"]

    with secret_service(kind=Shown) as found:
        yield found


def start(service: SecretService, *argv: str, typed: str = "") -> subprocess.Popen[str]:
    """Start a command that reads *typed* from standard input."""
    process = subprocess.Popen(
        argv,
        env=service.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(typed)
    process.stdin.close()
    process.stdin = None
    return process


def stored(service: SecretService, value: str) -> None:
    """Store the secret Name, where there is none."""
    start(service, *SECRETLY, "forget", "Name").communicate(timeout=DEADLINE)
    made = start(service, *SECRETLY, "set", "Name", "--stdin", typed=value)
    assert "stored Name" in made.communicate(timeout=DEADLINE)[0]


def kept(service: SecretService) -> str:
    """Return what is stored as Name."""
    return start(service, *SECRETLY, "get", "-n", "Name").communicate(timeout=DEADLINE)[0]


def request(screen: Screen) -> str:
    """Return the window in which KeePassXC asks; empty without one."""
    named = screen.xdotool("search", "--onlyvisible", "--name", "Access Request")
    return named[-1] if named else ""


@pytest.mark.parametrize("key", ["Return", "Escape"])
def test_what_set_says_after_keepassxcs_question_is_so(
    key: str, service: SecretService, screen: Screen
) -> None:
    """KeePassXC asks before ``set`` replaces an item. Only a stored secret is called stored."""
    stored(service, "canary-old")
    replacing = start(service, *SECRETLY, "set", "Name", "--stdin", typed="canary-new")
    wait_until(lambda: request(screen), what="KeePassXC's question")
    assert replacing.poll() is None

    def answered() -> bool:
        if not (window := request(screen)):
            return True
        screen.xdotool("windowfocus", window)
        screen.key(key)
        return False

    wait_until(answered)
    out, err = replacing.communicate(timeout=DEADLINE)
    assert ("stored Name" in out) is (replacing.returncode == 0)
    assert kept(service) == ("canary-new" if replacing.returncode == 0 else "canary-old"), err
    if key == "Return":
        assert replacing.returncode == 0, err


def test_keepassxcs_question_has_a_deadline(service: SecretService, screen: Screen) -> None:
    """If you don't answer, the library raises in time, and the old secret stays."""
    stored(service, "canary-old")
    code = (
        "import asyncio, secretly; asyncio.run(secretly.remember('Name', 'canary-new', timeout=9))"
    )
    replacing = start(service, sys.executable, "-c", code)
    wait_until(lambda: request(screen), what="KeePassXC's question")
    _, err = replacing.communicate(timeout=DEADLINE)
    assert "KeychainTimeout" in err
    assert kept(service) == "canary-old"
