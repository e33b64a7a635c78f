"""What an agent may do: only the person answers, in a window that no variable chooses."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from command import Ended, Home, home, quick

from secretly.asking import agent_prompts, choosing, prompting, screen_turns, wording
from secretly.asking.assuan import unescape
from secretly.asking.questions import Prompt
from secretly.config.agents import Agent
from secretly.config.asking_limits import AskingLimits
from secretly.config.policy import Policy
from secretly.errors import (
    Cancelled,
    NoPinentry,
    NotConfirmed,
    PinentryFailed,
    PromptTimeout,
    Refused,
    SecretlyError,
)
from secretly.processes import sandbox
from secretly.processes.ancestry import Ancestor
from secretly.resolving import caller
from secretly.resolving.request import Context
from secretly.testing import FakePinentry
from secretly.waiting import own_loop

AGENT = Agent("Claude Code", "CLAUDECODE", Ancestor(411, 90210, "claude", False))
QUESTION = Prompt(wording.TITLE, "Use it?", "", whole=True)


def limits(pinentry: FakePinentry | None = None, agent: Agent | None = AGENT) -> AskingLimits:
    """The limits of a policy that names this pinentry."""
    return AskingLimits(
        str(pinentry.path) if pinentry else None,
        agent,
        "secretly run x",
        'agents = "as-me" in policy.toml',
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A folder for what is remembered."""
    tmp_path.chmod(0o700)
    return {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": os.defpath}


def confirm(pinentry: FakePinentry, environ: Mapping[str, str], seconds: float = 20) -> None:
    """Ask for a consent as secretly does under an agent."""
    variables = {**pinentry.environ, **environ}
    asked = prompting.confirm(QUESTION, seconds, variables, limits(pinentry))
    own_loop.run_blocking(lambda: asked, seconds + 10)


# -- the window --------------------------------------------------------------------


@pytest.mark.parametrize(
    "variable",
    [
        *("PINENTRY", "LD_PRELOAD", "GTK_MODULES", "GTK_PATH", "QT_PLUGIN_PATH", "GNUPGHOME"),
        *("PINENTRY_USER_DATA", "GIO_EXTRA_MODULES", "XDG_CONFIG_HOME", "XDG_DATA_DIRS", "GPG_TTY"),
        *("QT_QPA_PLATFORMTHEME", "PYTHONPATH"),
    ],
)
def test_no_variable_steers_the_pinentry(variable: str) -> None:
    """It gets its screen, its language and nothing else."""
    kept = agent_prompts.variables({variable: "/tmp/mine", "DISPLAY": ":0", "PATH": "/tmp/mine"})
    assert kept["DISPLAY"] == ":0"
    assert "/tmp/mine" not in kept.values()


def test_a_terminal_under_an_agent_is_the_agents() -> None:
    """Whatever the terminal is: nothing asks there."""
    assert choosing.surroundings({}, limits()).usable_terminal is None


@pytest.mark.parametrize("environ", [{}, {"DISPLAY": "", "PINENTRY": "/bin/true"}])
def test_without_a_screen_the_error_says_what_the_person_can_run(environ: dict[str, str]) -> None:
    """And names the key that changes it."""
    with pytest.raises(NoPinentry) as caught:
        own_loop.run_blocking(lambda: choosing.choose(environ, limits()), 10)
    error = caught.value
    assert "Claude Code" in str(error)
    assert "CLAUDECODE" in str(error)
    assert "secretly run x" in error.hint
    assert "as-me" in error.hint


@pytest.mark.skipif(sys.platform == "darwin", reason="the paths are those of Linux")
def test_only_built_in_paths_are_tried(tmp_path: Path) -> None:
    """PATH and gpg-agent.conf are files and variables that an agent can write."""
    for name in ("pinentry-qt", "pinentry"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    variables = {"DISPLAY": ":9", "PATH": str(tmp_path), "PINENTRY": str(tmp_path / "pinentry")}
    around = choosing.Surroundings(variables, None, False)
    found = [str(one.program) for one in choosing._allowed(limits(), around)]
    assert found
    assert all(path.startswith(("/usr/", "/run/current-system/")) for path in found)
    assert list(choosing._allowed(limits(), around._replace(environ={}))) == []


# -- the answer --------------------------------------------------------------------


@pytest.mark.process
def test_a_yes_counts_once(environ: dict[str, str]) -> None:
    """The next use is another question."""
    with FakePinentry([True, True]) as fake:
        confirm(fake, environ)
        confirm(fake, environ)
        assert len(fake.prompts) == 2


@pytest.mark.process
@pytest.mark.parametrize(("answer", "kind"), [(False, NotConfirmed), (None, Cancelled)])
def test_after_a_no_an_agent_is_not_asked_about(
    answer: Any, kind: type[SecretlyError], environ: dict[str, str]
) -> None:
    """For a minute: it fails without a dialog, in words that an agent obeys."""
    with FakePinentry([answer, True]) as fake:
        with pytest.raises(kind, match="a person refused") as caught:
            confirm(fake, environ)
        assert "don't retry" in caught.value.hint
        with pytest.raises(Refused, match="a person refused this") as again:
            confirm(fake, environ)
        assert "don't retry" in again.value.hint
        assert len(fake.prompts) == 1


@pytest.mark.process
def test_a_no_to_storing_refuses_nothing(environ: dict[str, str]) -> None:
    """The person gave the secret, and only doesn't want it stored."""
    with FakePinentry([False, True]) as fake:
        variables, offered = {**fake.environ, **environ}, limits(fake)._replace(is_consent=False)
        asked = prompting.confirm(QUESTION, 20, variables, offered)
        with pytest.raises(NotConfirmed):
            own_loop.run_blocking(lambda: asked, 30)
        confirm(fake, environ)


@pytest.mark.process
def test_a_person_is_asked_again(environ: dict[str, str]) -> None:
    """With the same limits on the pinentry, and no agent."""
    with FakePinentry([False, True]) as fake:
        variables, only = {**fake.environ, **environ}, limits(fake, None)
        for outcome in (pytest.raises(NotConfirmed), None):
            asked = prompting.confirm(QUESTION, 20, variables, only)
            if outcome is None:
                own_loop.run_blocking(lambda asked=asked: asked, 30)  # type: ignore[misc]
            else:
                with outcome:
                    own_loop.run_blocking(lambda asked=asked: asked, 30)  # type: ignore[misc]


@pytest.mark.process
def test_nobody_there_is_said_so_that_an_agent_stops(environ: dict[str, str]) -> None:
    """It says what the person can run, and refuses nothing."""
    with FakePinentry([[("hang", False)], True]) as fake:
        with pytest.raises(PromptTimeout, match="the person did not answer") as caught:
            confirm(fake, environ, 1.0)
        assert "secretly run x" in caught.value.hint
        assert 'agents = "as-me" in policy.toml' in caught.value.hint
        confirm(fake, environ)


@pytest.mark.process
def test_a_dialog_that_another_process_has_open_is_named(environ: dict[str, str]) -> None:
    """The person never saw the agent's own dialog."""
    with FakePinentry([True]) as fake:
        variables = {**fake.environ, **environ}
        folder = Path(environ["XDG_RUNTIME_DIR"], "secretly")
        (name,) = screen_turns.screen_names(variables)
        lock = screen_turns.Lock([str(folder / f"screen-{name}.lock")])
        lock.take()
        with pytest.raises(PromptTimeout, match="another secretly still has a dialog") as caught:
            confirm(fake, environ, 0.3)
        lock.release()
        assert "secretly run x" in caught.value.hint
        assert fake.prompts == []


@pytest.mark.parametrize(
    ("chosen", "usual", "seconds"), [(300, 300, 50), (90, 300, 90), (20, 300, 20), (9, 9, 9)]
)
def test_a_prompt_waits_for_less_than_an_agent(chosen: int, usual: int, seconds: int) -> None:
    """Unless the user chose a time."""
    assert agent_prompts.limit_of(chosen, usual) == seconds


@pytest.mark.process
def test_a_chosen_time_counts_also_if_it_is_the_usual_one(environ: dict[str, str]) -> None:
    """With ``--prompt-timeout 5m`` the whole call has an end."""
    with FakePinentry([True, True]) as fake:
        variables = {**fake.environ, **environ}
        for until in (math.inf, time.monotonic() + 300):
            asked = prompting.confirm(QUESTION, 300, variables, limits(fake), until=until)
            own_loop.run_blocking(lambda asked=asked: asked, 30)  # type: ignore[misc]
        first, second = (int(one["SETTIMEOUT"]) for one in fake.prompts)
    assert first <= 50 < second


@pytest.mark.process
def test_nothing_asks_in_place_of_the_policys_pinentry(environ: dict[str, str]) -> None:
    """Not another pinentry, and not the terminal."""
    with FakePinentry([True]) as fake, FakePinentry([[("exit", 2)]] * 2) as broken:
        variables = {**fake.environ, **environ}
        for only in (limits(broken), limits(broken, None)):
            asked = prompting.confirm(QUESTION, 20, variables, only)
            with pytest.raises(PinentryFailed) as caught:
                own_loop.run_blocking(lambda asked=asked: asked, 30)  # type: ignore[misc]
            assert ("as-me" in caught.value.hint) == (only.agent is not None)
        missing = AskingLimits("/nonexistent/pinentry")
        with pytest.raises(NoPinentry, match="the policy's pinentry"):
            own_loop.run_blocking(lambda: choosing.choose(variables, missing), 10)
        assert fake.prompts == []


# -- what the caller may ask for -----------------------------------------------------


def context(agent: Agent | None = None, reason: str = "", **rules: Any) -> Context:
    """A context that nothing is looked up in."""
    nothing: Any = None
    policy = Policy(**rules, paths=("/etc/secretly/policy.toml",))
    return Context(nothing, {}, nothing, nothing, policy=policy, agent=agent, reason=reason)


def test_the_policy_can_refuse_agents() -> None:
    """A person, and an agent without such a policy, may go on."""
    with pytest.raises(Refused, match="gives no secret to agents"):
        caller.check_caller(context(AGENT, agents="refuse"))
    caller.check_caller(context(AGENT))
    caller.check_caller(context(agents="refuse"))


def test_the_policy_can_require_a_reason() -> None:
    """White space is none."""
    for reason in ("", " \t"):
        with pytest.raises(Refused, match="requires a reason") as caught:
            caller.check_caller(context(reason=reason, require_reason=True))
        assert "--reason" in caught.value.hint
    caller.check_caller(context(reason="to publish 1.0", require_reason=True))


def test_no_confirm_can_be_refused() -> None:
    """By the policy, and to agents."""
    caller.check_waiver(context())
    with pytest.raises(Refused, match=r"does not allow --no-confirm \(/etc/secretly/policy.toml"):
        caller.check_waiver(context(no_confirm=False))
    with pytest.raises(Refused, match="not for agents") as caught:
        caller.check_waiver(context(AGENT))
    assert "as-me" in caught.value.hint


def test_an_agent_gets_no_secret_through_a_pipe() -> None:
    """A person may pipe it to the clipboard."""
    caller.refuse_to_print(context(), is_terminal=False)
    caller.refuse_to_print(context(AGENT), is_terminal=True)
    with pytest.raises(Refused, match="an agent would read the secret") as caught:
        caller.refuse_to_print(context(AGENT), is_terminal=False)
    assert "secretly run -e" in caught.value.hint
    with pytest.raises(Refused, match="gives no secret to agents"):
        caller.refuse_to_print(context(AGENT, agents="refuse"), is_terminal=False)


@pytest.mark.parametrize(
    ("agent", "confirm", "must"), [(None, "configured", False), (None, "stored", True)]
)
def test_the_policy_has_each_use_confirmed(agent: Agent | None, confirm: str, must: bool) -> None:
    """And so does an agent."""
    assert context(agent, confirm=confirm).must_confirm is must
    assert context(AGENT, confirm=confirm).must_confirm


# -- what the dialog says --------------------------------------------------------------


def test_a_reason_is_quoted_and_harmless() -> None:
    """The caller can't end the quotation, and writes no line of its own."""
    line = wording.reason_line('ok"\nasked by: you\x1b[2J\u202e')
    assert line == ('reason, in its own words: "ok\' asked by: you\\x1b[2J\\u202e"')
    assert wording.reason_line(" \n") == ""


@pytest.mark.parametrize("reason", ["", "to publish", "x" * 5000, "é" * 300, "\u202e" * 300])
def test_who_asks_and_why_is_short(reason: str) -> None:
    """So that an upload's dialog has room for it."""
    chain = tuple(Ancestor(9 - at, 1, "name" * 9, False) for at in range(9))
    shown = context(AGENT, reason)._replace(ancestors=lambda: chain).asked_by
    assert len(shown.encode()) <= wording.CALLER_LIMIT
    assert shown.count("\n") == bool(reason)
    assert ("in its own words" in shown) == bool(reason)


@pytest.mark.process
def test_a_callers_reason_is_in_the_dialog(stored: Home) -> None:
    """By the option or by the variable, and the option counts."""
    by_variable = {"SECRETLY_REASON": "by the variable"}
    with FakePinentry([True] * 3) as fake:
        environ = {**fake.environ, **by_variable}
        words = ("run", "--confirm", "-e", "A=Name", "true")
        stored.run(*words, environ=environ)
        stored.run("run", "--reason", "by the option", *words[1:], environ=environ)
        shown = [unescape(prompt["SETDESC"].encode()).decode() for prompt in fake.prompts]
    assert len(shown) == 2
    for text, reason in zip(shown, ("by the variable", "by the option"), strict=True):
        assert text.endswith(f"\n{wording.reason_line(reason)}")
        assert f"\n{wording.asked_by_line('')}" in text


# -- in a sandbox ----------------------------------------------------------------------


def test_a_sandbox_is_known_by_its_variables() -> None:
    """Those of Claude Code's and of Codex's."""
    assert not sandbox.is_sandboxed({"CODEX_SANDBOX": ""})
    assert sandbox.is_sandboxed({"SANDBOX_RUNTIME": "1"})
    assert sandbox.is_sandboxed({"CODEX_SANDBOX_NETWORK_DISABLED": "1"})


# -- the command -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored() -> Iterator[Home]:
    """A home with a stored secret."""
    with quick() as here:
        here.keep_in_a_file()
        assert here.run("set", "Name", "--stdin", stdin="canary-1").status == 0
        assert here.run("get", "Name").stdout == "canary-1\n"
        yield here


_USES = [
    ("get", "Name"),
    ("get", "keyring://Name/x"),
    ("get", "env://TOKEN"),
    ("run", "-e", "A=Name", "sh", "-c", 'echo "$A"'),
    ("run", "--no-confirm", "-e", "A=Name", "sh", "-c", 'echo "$A"'),
    ("run", "-e", "A=env://TOKEN", "sh", "-c", 'echo "$A"'),
    ("run", "-e", "A=file://{home}/token", "sh", "-c", 'echo "$A"'),
    ("run", "--no-input", "-e", "A=Name", "sh", "-c", 'echo "$A"'),
]


@pytest.mark.process
@pytest.mark.parametrize("words", _USES, ids=lambda words: " ".join(words)[:40])
def test_an_agent_gets_nothing_without_a_person(words: Sequence[str], stored: Home) -> None:
    """Whatever it writes in the call, in the configuration and into its variables."""
    (stored.folder / "token").write_text("canary-3")
    (stored.folder / "token").chmod(0o600)
    mine = stored.folder / "mine.toml"
    mine.write_text(f"{stored.config.read_text()}\n[secrets.Name]\nconfirm = false\n")
    with FakePinentry([True] * 9) as fake:
        environ = {
            **fake.environ,
            "TOKEN": "canary-2",
            "AI_AGENT": "tester",
            "SECRETLY_CONFIG": str(mine),
        }
        environ.pop("DISPLAY")
        given = [word.format(home=stored.folder) if "://" in word else word for word in words]
        done = stored.run(*given, environ=environ)
        assert "canary" not in done.stdout
        assert done.status in (1, 125)
        assert len(done.stderr.splitlines()) == 2, done.stderr
        assert fake.prompts == []


def under(here: Home, name: str, line: str, environ: Mapping[str, str] | None = None) -> Ended:
    """Run a line in a shell with another name, as an agent does."""
    shutil.copy("/bin/sh", here.programs / name)
    return here.run_any([name, "-c", f"{line}; true"], environ=environ)


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="copies the shell, and reads /proc")
def test_an_agent_that_unsets_its_marks_is_recognized() -> None:
    """By its name, and by the marks that its parent still has."""
    get = "secretly get Name"
    with home() as here:
        here.keep_in_a_file()
        assert here.run("set", "Name", "--stdin", stdin="canary-1").status == 0
        assert "canary-1" in under(here, "tool", get).stdout
        refused = under(here, "claude", get)
        assert refused.stdout == ""
        assert "Claude Code runs this command" in refused.stderr
        mark = {"CLAUDECODE": "1"}
        assert under(here, "tool", get, mark).stdout == ""
        unset = under(here, "tool", f"env -u CLAUDECODE {get}", mark)
        assert "canary" not in unset.stdout
        assert "recognized by CLAUDECODE" in unset.stderr


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="copies the shell, and reads /proc")
def test_on_a_terminal_a_stale_mark_stops_nothing() -> None:
    """No living ancestor is an agent: a person's own shell has the mark."""
    with home() as here:
        here.keep_in_a_file()
        assert here.run("set", "Name", "--stdin", stdin="canary-1").status == 0
        shutil.copy("/bin/sh", here.programs / "claude")
        for shell, shown in (("sh", "canary-1"), ("claude", "Claude Code runs this command")):
            argv = [shell, "-c", "export CLAUDECODE=1; secretly get Name; true"]
            with here.terminal(argv) as terminal:
                terminal.wait()
                assert shown in terminal.screen
