"""The command under a policy of the system's or the user's own, and in an agent's sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest
from command import PATIENCE, SECRETLY, Ended, Home, home
from sandboxes import under_policy, without_sockets

from secretly.testing import FakePinentry

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def stored() -> Iterator[Home]:
    """A home with a stored secret."""
    with home() as here:
        here.reach("unshare", "mount", "sh")
        here.keep_in_a_file()
        assert here.run("set", "Name", "--stdin", stdin="canary-1").status == 0
        yield here


def run(
    here: Home, start: Sequence[str], *words: str, environ: Mapping[str, str] | None = None
) -> Ended:
    """Run secretly there."""
    return here.run_any([*start, *SECRETLY, *words], environ=environ, seconds=2 * PATIENCE)


_PRINT = ("sh", "-c", 'echo "$A"')


def test_no_option_lowers_a_policy(stored: Home) -> None:
    """Each use is confirmed: of stored and of sourced secrets, with get and with run."""
    elsewhere = {
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "SECRETLY_CONFIG": str(stored.config),
        "TOKEN": "canary-2",
    }
    uses = [
        ("get", "Name"),
        ("get", "env://TOKEN"),
        ("run", "-e", "A=Name", *_PRINT),
        ("run", "-e", "A=env://TOKEN", *_PRINT),
        ("run", "--no-confirm", "-e", "A=Name", *_PRINT),
    ]
    for place in ("system", "own"):
        start = under_policy(stored, **{place: 'confirm = "stored"\n'})
        with FakePinentry([True] + [False] * 9) as fake:
            environ = {
                **elsewhere,
                **fake.environ,
                "XDG_DATA_HOME": f"{stored.folder}/.local/share",
            }
            agreed = run(stored, start, *uses[0], environ=environ)
            assert (agreed.status, agreed.stdout) == (0, "canary-1\n"), agreed.stderr
            for words in uses:
                done = run(stored, start, *words, environ=environ)
                assert (done.status, done.stdout) == (130, ""), (words, done.stderr)
            assert len(fake.prompts) == 1 + len(uses)


def test_the_policys_pinentry_is_the_only_one(stored: Home) -> None:
    """``PINENTRY`` names another, which is never asked."""
    with FakePinentry([True]) as chosen, FakePinentry([True]) as mine:
        start = under_policy(stored, f'confirm = "stored"\npinentry = "{chosen.path}"\n')
        environ = {**mine.environ, "AI_AGENT": "tester"}
        done = run(stored, start, "run", "-e", "A=Name", *_PRINT, environ=environ)
        assert (done.status, done.stdout) == (0, "canary-1\n"), done.stderr
        assert (len(chosen.prompts), len(mine.prompts)) == (1, 0)


@pytest.mark.parametrize(
    ("rules", "words", "said"),
    [
        ('agents = "refuse"', ("run", "-e", "A=Name", *_PRINT), "gives no secret to agents"),
        ("no_confirm = false", ("run", "--no-confirm", "-e", "A=Name", *_PRINT), "--no-confirm"),
        ("require_reason = true", ("run", "-e", "A=Name", *_PRINT), "requires a reason"),
        ("confirmed = true", ("run", "-e", "A=Name", *_PRINT), "confirmed is not a known key"),
    ],
)
def test_what_a_policy_refuses_is_said_in_two_lines(
    rules: str, words: Sequence[str], said: str, stored: Home
) -> None:
    """Nothing is run, and the secret is nowhere."""
    start = under_policy(stored, f"{rules}\n")
    done = run(stored, start, *words, environ={"AI_AGENT": "tester"})
    assert done.status == 125
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert "canary" not in done.stdout + done.stderr


def test_the_policy_can_let_agents_do_what_the_user_does(stored: Home) -> None:
    """``as-me`` in the user's file, unless the system's file is stricter."""
    words, mark = ("get", "Name"), {"AI_AGENT": "tester"}
    start = under_policy(stored, own='agents = "as-me"\n')
    assert run(stored, start, *words, environ=mark).stdout == "canary-1\n"
    start = under_policy(stored, 'agents = "ask"\n', 'agents = "as-me"\n')
    assert run(stored, start, *words, environ=mark).stdout == ""


@pytest.mark.parametrize("call", ["socket", "connect"])
def test_in_an_agents_sandbox_the_error_names_it(call: str) -> None:
    """It can reach neither the keychain nor a window; the error says how to get out."""
    with home() as here, FakePinentry([True]) as fake:
        here.configure('[secrets.Name]\nconfirm = true\nsource = "env://TOKEN"\n')
        start = without_sockets(call)
        environ = {**fake.environ, "TOKEN": "canary-1", "CLAUDECODE": "1"}
        done = run(here, start, "run", "-e", "A=Name", *_PRINT, environ=environ)
        assert done.status == 125
        assert "the agent's sandbox" in done.stderr
        assert "excludedCommands" in done.stderr
        bus = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={here.folder}/bus"}
        done = run(here, start, "run", "--no-input", "-e", "A=Other", *_PRINT, environ=bus)
        assert done.status == 125
        assert "the agent's sandbox" in done.stderr, done.stderr
