"""Coding agents: which signs make secretly careful, and which are stale."""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping, Sequence

import pytest
from agents import TABLE, rows
from command import home

from secretly.config import agents
from secretly.config.agents import Agent, find_mark
from secretly.processes import ancestry
from secretly.processes.ancestry import UNKNOWN, Ancestor

#: A process: its name, and its environment; None: that can't be read.
Process = tuple[str, Mapping[str, str] | None]

#: A shell as a person has it.
PLAIN = {"HOME": "/home/ada"}
MARKED = {"HOME": "/home/ada", "CLAUDECODE": "1"}


def recognize(
    environ: Mapping[str, str],
    processes: Sequence[Process] = (),
    *,
    foreground: bool = False,
    more: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Agent | None:
    """Recognize an agent among made-up ancestors, the parent first."""
    chain = [Ancestor(100 + at, 1, name, False) for at, (name, _) in enumerate(processes)]
    environs = {100 + at: found for at, (_, found) in enumerate(processes)}

    def environment(pid: int, names: Container[str]) -> Mapping[str, str] | None:
        found = environs[pid]
        return found and {name: value for name, value in found.items() if name in names}

    return agents.recognize(environ, more, lambda: chain, environment, lambda: foreground)


# -- marks -------------------------------------------------------------------------


@pytest.mark.parametrize(("variable", "name"), agents.VARIABLES)
def test_each_mark_marks(variable: str, name: str) -> None:
    """With its value, if it has one; an empty variable marks nothing."""
    key, _, value = variable.partition("=")
    assert find_mark({key: value or "x1"}) == (name or "x1", key)
    assert find_mark({key: ""}) is None
    if value:
        assert find_mark({key: "another"}) is None


@pytest.mark.parametrize(
    "variable",
    [
        *("CURSOR_TRACE_ID=1", "REPL_ID=1", "GOOSE_PROVIDER=x", "COPILOT_MODEL=x", "CI=1"),
        *("TERM_PROGRAM=vscode", "TERM_PROGRAM=kiro", "AGENT=smith", "SSH_AGENT_PID=1"),
        *("ZED_TERM=true", "CLAUDE_CONFIG_DIR=/x", "AGENT=0"),
    ],
)
def test_what_people_have_themselves_marks_nothing(variable: str) -> None:
    """Each was reported as an agent by another program's table, and was a person's."""
    name, _, value = variable.partition("=")
    assert find_mark({name: value}) is None


def test_the_name_of_an_agent_is_harmless_and_short() -> None:
    """It is a variable's value."""
    found = find_mark({"AI_AGENT": "a\x1b[2J" + "x" * 100})
    assert found is not None
    assert len(found[0]) == 32
    assert found[0].startswith(r"a\x1b[2Jx")
    assert find_mark({"AI_AGENT": "a\x1b"}) == (r"a\x1b", "AI_AGENT")
    assert find_mark({"AI_AGENT": " "}) == ("an agent", "AI_AGENT")


def test_the_policy_adds_marks() -> None:
    """Variables and programs."""
    assert recognize({"MY_AGENT": "1"}) is None
    more = (["MY_AGENT", "MODE=agent"], ["my-agent"])
    assert recognize({"MY_AGENT": "1"}, more=more) == Agent("an agent", "MY_AGENT")
    assert recognize({"MODE": "person"}, more=more) is None
    for pattern, program in (("my-agent", "my-agent"), ("my-*", "my-agent"), ("*", "x")):
        found = recognize({}, [(program, PLAIN)], more=([], [pattern]))
        assert found is not None
        assert found.name == program
    assert recognize({}, [("my-agent-2", PLAIN)], more=more) is None


# -- ancestors -----------------------------------------------------------------------


def test_without_a_mark_no_agent_is_recognized() -> None:
    """Also where nothing is known of the ancestors."""
    assert recognize(PLAIN) is None
    assert recognize(PLAIN, [("zsh", PLAIN), ("gnome-terminal-server", None)]) is None


@pytest.mark.parametrize(
    "program",
    ["claude", "claude-code", "codex", "gemini", "cursor-agent", "aider", "kiro-cli-chat", "goose"],
)
def test_a_living_agent_counts_on_a_terminal_too(program: str) -> None:
    """By its name, though the marks were unset: what an agent types in is its terminal."""
    found = recognize({}, [("bash", {}), (program, PLAIN), ("zsh", PLAIN)], foreground=True)
    assert found is not None
    assert found.process.pid == 101


@pytest.mark.parametrize("program", ["goosey", "codexer", "ampere", "my-claude", "code"])
def test_a_name_that_only_starts_like_an_agents_is_another_program(program: str) -> None:
    """Except where the agent's own programs have several names."""
    assert recognize({}, [(program, PLAIN)]) is None


def test_an_unset_mark_is_found_in_the_parent() -> None:
    """``env -u CLAUDECODE`` and ``env -i``."""
    assert recognize({}, [("bash", MARKED), ("node", PLAIN)]) == Agent(
        "Claude Code", "CLAUDECODE", Ancestor(101, 1, "node", False)
    )


@pytest.mark.parametrize(
    ("what", "environ", "processes"),
    [
        ("a server that an agent started", MARKED, [("bash", MARKED), ("tmux", MARKED)]),
        ("the agent has ended", MARKED, [("bash", MARKED)]),
        ("exported by hand", MARKED, [("zsh", PLAIN), ("gnome-terminal-server", None)]),
        ("set for one command", MARKED, [("zsh", PLAIN), ("tmux", PLAIN)]),
        ("exported in another shell", MARKED, [("nu", PLAIN), ("kitty", PLAIN)]),
        ("kept by sudo", MARKED, [("sudo", None), ("zsh", PLAIN)]),
    ],
)
def test_a_stale_mark_locks_nobody_out(
    what: str, environ: Mapping[str, str], processes: list[Process]
) -> None:
    """On a terminal a mark counts only if the agent lives. Elsewhere it counts."""
    assert recognize(environ, processes, foreground=True) is None, what
    found = recognize(environ, processes, foreground=False)
    assert found == Agent("Claude Code", "CLAUDECODE", UNKNOWN), what


def test_the_first_process_of_a_container_adds_no_mark() -> None:
    """A server that an agent started there is its child once the agent has ended."""
    chain = [Ancestor(200, 2, "tmux", False), Ancestor(1, 1, "tini", True)]
    environs = {200: MARKED, 1: PLAIN}
    found = agents.recognize(
        MARKED, ((), ()), lambda: chain, lambda pid, _: environs[pid], lambda: True
    )
    assert found is None


def test_what_adds_a_mark_is_the_agent() -> None:
    """An editor whose name says nothing, on the person's own terminal."""
    marked = {**PLAIN, "COPILOT_AGENT": "1"}
    found = recognize(marked, [("bash", marked), ("code", PLAIN), ("zsh", PLAIN)], foreground=True)
    assert found is not None
    assert (found.name, found.process.name) == ("Copilot", "code")


def test_the_nearest_agent_counts() -> None:
    """One agent can start another."""
    processes: list[Process] = [("codex", MARKED), ("bash", MARKED), ("claude", PLAIN)]
    found = recognize(MARKED, processes, foreground=True)
    assert found is not None
    assert found.name == "Codex"


@pytest.mark.process
@pytest.mark.parametrize("background", [False, True])
def test_the_foreground_is_what_may_read_from_the_terminal(background: bool) -> None:
    """Without a terminal there is none."""
    words = "from secretly.config import agents; print('it is', agents._in_foreground(), end='.')"
    with home() as place:
        with place.terminal([sys.executable, "-c", words], background=background) as terminal:
            terminal.expect(f"it is {not background}.")
        assert place.run_any([sys.executable, "-c", words]).stdout == "it is False."


def test_the_page_has_each_mark() -> None:
    """``python tests/agents.py`` writes the table."""
    assert TABLE.read_text("utf-8") == rows()


def test_calls_at_the_same_time_look_for_an_agent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is looked for again after a moment, or if the environment or the policy differ."""
    more = ((), (ancestry.chain()[0].name,))
    first = agents.recognize_recently({}, more)
    assert first is not None
    assert agents.recognize_recently({}, more) is first
    assert agents.recognize_recently({"AI_AGENT": "canary"}, more) is not first
    assert agents.recognize_recently({}, ((), ("other", *more[1]))) is not first
    again = agents.recognize_recently({}, more)
    monkeypatch.setattr(agents, "_MOMENT", 0.0)
    assert agents.recognize_recently({}, more) is not again
    assert again == first


def test_an_agent_is_looked_for_among_the_given_ancestors() -> None:
    """Those that a dialog names."""
    found = Ancestor(1 << 22, 1, "claude", False)
    agent = agents.recognize_recently({}, ((), ("nothing",)), lambda: (found,))
    assert agent is not None
    assert agent.process == found
