"""Who started a process: its ancestors, in order and in few words."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from command import Home, ended, home
from conftest import need

from secretly.processes import ancestry, ps
from secretly.processes.ancestry import UNKNOWN, Ancestor

CLAUDE = "/home/ada/.local/share/claude/versions/2.1.37"


def made(*names: str) -> tuple[Ancestor, ...]:
    """Ancestors with these names; a ``*`` marks the leader of a session."""
    return tuple(
        Ancestor(100 - at, 100 - at, name.removesuffix("*"), name.endswith("*"))
        for at, name in enumerate(names)
    )


# -- names -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "arguments", "name"),
    [
        ("/usr/bin/make", [], "make"),
        (CLAUDE, [], "claude"),
        ("/opt/tool/v1.2.3/bin/tool", [], "tool"),
        ("/usr/bin/node", ["node", "/usr/lib/node_modules/@openai/codex/bin/codex.js"], "codex"),
        ("/usr/bin/node", ["node", "/opt/@google/gemini-cli/dist/index.js"], "gemini-cli"),
        ("/usr/bin/node", ["claude", "", ""], "claude"),
        ("/usr/bin/node", ["node"], "node"),
        ("/usr/bin/python3.11", ["python3", "-m", "nox", "-s", "x"], "nox"),
        ("/usr/bin/python3.11", ["python3", "/home/ada/aider.py"], "aider"),
        ("/usr/bin/python3.11", ["python3", "/usr/bin/py"], "py"),
        ("/usr/bin/python3.11", ["python3", "/home/ada/.py"], "ada"),
        ("/usr/bin/python3.11", ["python3", "-c", "print()"], "python3.11"),
        ("/bin/bash", ["bash", "./release.sh"], "release.sh"),
        ("/bin/bash", ["bash", "/dev/fd/63"], "bash"),
        ("/bin/zsh", ["-zsh"], "zsh"),
    ],
)
def test_a_program_has_the_name_that_people_know(
    path: str, arguments: list[str], name: str
) -> None:
    """Not the interpreter's, and not a version."""
    assert ancestry.program_name(path, lambda: arguments) == name


# -- in few words ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "agent", "said"),
    [
        (["make", "zsh*", "gnome-terminal"], "", "make ← zsh"),
        (["zsh*", "gnome-terminal"], "", "zsh"),
        (["bash", "make", "sh", "zsh*", "tmux"], "", "make ← zsh"),
        (["make", "bash*", "claude", "zsh*", "sshd"], "claude", "make ← claude ← zsh"),
        (["bash*", "claude", "zsh*", "sshd"], "claude", "claude ← zsh"),
        (["bash*", "codex", "node"], "codex", "codex"),
        (["cron"], "", "cron"),
        ([], "", "an unknown program"),
    ],
)
def test_the_names_go_to_the_terminals_shell(names: list[str], agent: str, said: str) -> None:
    """With an agent, to the shell that the agent was started from."""
    found = made(*names)
    pid = next((one.pid for one in found if one.name == agent), 0)
    assert ancestry.asked_by(found, pid) == said


def test_a_sandbox_is_named() -> None:
    """The names end inside it, and there is always one."""
    assert ancestry.asked_by(made("bash"), sandboxed=True) == "bash, in a sandbox"
    assert ancestry.asked_by((), sandboxed=True) == "an unknown program, in a sandbox"


def test_names_are_harmless() -> None:
    """A process chooses its own name."""
    assert ancestry.asked_by(made("a\x1b[2Jb\u202ec")) == r"a\x1b[2Jb\u202ec"


@pytest.mark.parametrize("limit", [40, 80, 160])
@pytest.mark.parametrize("name", ["tool", "x" * 500, "é" * 40, "\U0001f600" * 40, "\x1b" * 40])
def test_all_of_it_fits_into_a_line(name: str, limit: int) -> None:
    """The names in the middle go first."""
    found = made(name, *[f"step{number}" for number in range(14)], "zsh*")
    said = ancestry.asked_by(found, limit=limit)
    assert len(said.encode()) <= limit
    assert "…" in said or limit == 160
    assert said.isprintable()


# -- who is behind it --------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "agent", "name"),
    [
        (["make", "zsh*", "gnome-terminal*"], "", "zsh"),
        (["bash*", "claude", "zsh*"], "claude", "claude"),
        (["make", "cron"], "", "cron"),
    ],
)
def test_the_root_is_the_agent_or_the_terminals_shell(
    names: list[str], agent: str, name: str
) -> None:
    """A consent that lasts a while is for what they start."""
    found = made(*names)
    pid = next((one.pid for one in found if one.name == agent), 0)
    assert ancestry.root(found, pid).name == name


def test_nothing_known_has_no_root() -> None:
    """Then nothing that lasts can be bound to it."""
    assert ancestry.root(()) == UNKNOWN


# -- from the system ---------------------------------------------------------------

_PS = b"""\
    1     0 Ss   Mon Nov 30 01:47:02 2026 /sbin/launchd
  410     1 Ss   Mon Nov 30 09:00:00 2026 /usr/bin/login
  411   410 S+   Mon Nov 30 09:00:01 2026 -zsh
  500   411 S+   Tue Dec  1 10:00:00 2026 /Users/ada/.local/share/claude/versions/2.1.37
  501   500 Ss   Tue Dec  1 10:00:01 2026 /bin/bash
 a line that is something else
"""


def test_what_ps_shows_is_read() -> None:
    """As on macOS: the name of the first process says nothing."""
    found = list(ancestry._from_ps(ps.parsed(_PS), 501))
    assert [(one.pid, one.name, one.leader) for one in found] == [
        (501, "bash", True),
        (500, "claude", False),
        (411, "zsh", False),
        (410, "login", True),
    ]
    assert len({one.started for one in found}) == 4
    assert list(ancestry._from_ps(ps.parsed(b""), 501)) == []


def test_ps_shows_many_ancestors() -> None:
    """No more are looked at than are of use."""
    lines = (f"{n} {n - 1} S Mon Nov 30 09:00:00 2026 /bin/x{n}" for n in range(2, 60))
    assert len(list(ancestry._from_ps(ps.parsed("\n".join(lines).encode()), 59))) == 16


PARENT = os.getppid()


def proc(folder: Path, itself: int, *processes: tuple[int, int, int]) -> None:
    """A /proc with these processes: each has a number, a parent and a start."""
    (folder / "self").symlink_to(str(itself))
    for pid, parent, started in processes:
        made = folder / str(pid)
        made.mkdir()
        fields = " ".join(["S", str(parent), "1", "1", *["0"] * 15, str(started)])
        (made / "stat").write_text(f"{pid} (a) b) {fields} 0 0\n")


@pytest.mark.parametrize(
    ("processes", "pids"),
    [
        ([(PARENT, -7, 5), (-7, -8, 4)], [PARENT, -7]),
        ([(PARENT, -7, 5), (-7, -8, 6), (-8, 0, 1)], [PARENT]),
        ([(PARENT, 0, 5)], [PARENT]),
        ([], []),
        ([(PARENT, -1, 99), *((-n, -n - 1, 99 - n) for n in range(1, 40))], 16),
    ],
)
def test_what_linux_shows_is_read(
    processes: list[tuple[int, int, int]],
    pids: list[int] | int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Up to a process that is hidden, that is younger than its child, or that is one too many."""
    monkeypatch.setattr(ancestry, "_PROC", str(tmp_path))
    high = 1 << 23  # above each number that Linux gives

    def number(pid: int) -> int:
        return high - pid if pid < 0 else pid

    proc(tmp_path, os.getpid(), *((number(a), number(b), at) for a, b, at in processes))
    found = list(ancestry._from_proc())
    if isinstance(pids, int):
        assert len(found) == pids
    else:
        assert [one.pid for one in found] == list(map(number, pids))
        assert {one.name for one in found} <= {"a) b"}


def test_a_proc_that_shows_little_shows_no_ancestor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another namespace's, or its files can't be read."""
    monkeypatch.setattr(ancestry, "_PROC", str(tmp_path))
    assert list(ancestry._from_proc()) == []
    proc(tmp_path, os.getpid() + 1, (PARENT, 1, 5))
    assert list(ancestry._from_proc()) == []
    (tmp_path / "self").unlink()
    (tmp_path / "self").symlink_to(str(os.getpid()))
    (tmp_path / str(PARENT) / "stat").write_text(f"{PARENT} (a) S 1 1")
    assert list(ancestry._from_proc()) == []
    (tmp_path / str(PARENT) / "stat").unlink()
    (tmp_path / str(PARENT) / "stat").mkdir()
    assert list(ancestry._from_proc()) == []


@pytest.mark.real
def test_ps_and_proc_show_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ancestors, as far as /proc shows them; without ps there are none."""
    need("ps")
    monkeypatch.setattr(ps, "_PATIENCE", 60.0)
    found = [one.pid for one in ancestry._from_ps(ps.programs(), os.getppid())]
    assert found == [one.pid for one in ancestry.chain() if one.pid > 1]
    monkeypatch.setattr(ps, "_PATIENCE", 0.0)
    assert list(ps.programs()) == []


_SHOW = """
from secretly.processes import ancestry
found = ancestry.chain()
print(ancestry.asked_by(found, sandboxed=ancestry.in_sandbox()))
print(*(one.pid for one in found))
"""


def _shown(here: Home, argv: Sequence[str]) -> tuple[str, list[int]]:
    done = here.run_any([*argv, f"{sys.executable} -c '{_SHOW}'; true"])
    assert done.stderr == ""
    said, pids = done.stdout.splitlines()
    return said, list(map(int, pids.split()))


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_finds_its_ancestors() -> None:
    """Here a shell with another name, which leads a session."""
    with home() as here:
        shutil.copy("/bin/sh", here.programs / "claude")
        said, pids = _shown(here, ["claude", "-c"])
    assert said == "claude"
    assert os.getpid() == pids[1]


_ORPHANED = """
import os, signal, time
from secretly.processes import ancestry
ancestors = ancestry.chain_once()
found, parent = ancestors(), os.getppid()
os.kill(parent, signal.SIGKILL)
while os.getppid() == parent:
    time.sleep(0.01)
print(ancestry.asked_by(found), ancestors() == found, ancestry.chain() == found, flush=True)
if os.fork() == 0:
    print(ancestors()[0].pid == os.getppid(), flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ancestors_that_were_found_stay_so_in_one_process() -> None:
    """Also when the parent has ended. A forked process finds its own."""
    with home() as here:
        shutil.copy("/bin/sh", here.programs / "claude")
        done = here.run_any(["claude", "-c", f"{sys.executable} -c '{_ORPHANED}'; true"])
    assert (done.stdout.split(), done.stderr) == (["claude", "True", "False", "True"], "")


@pytest.mark.real
def test_the_names_end_in_the_sandbox() -> None:
    """The first process of a PID namespace is the last one that it can see."""
    need("unshare")
    with home() as here:
        here.reach("unshare")
        shutil.copy("/bin/sh", here.programs / "claude")
        if here.run_any(["unshare", "-rpf", "--mount-proc", "true"]).status:
            pytest.skip("this system allows no namespaces")
        said, pids = _shown(here, ["unshare", "-rpf", "--mount-proc", "claude", "-c"])
        assert (said, pids) == ("claude, in a sandbox", [1])
        # Without a /proc of its own, the numbers are those of other processes.
        said, pids = _shown(here, ["unshare", "-rpf", "claude", "-c"])
        assert (said, pids) == ("an unknown program, in a sandbox", [])


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_process_was_started_with_is_read() -> None:
    """Each of its variables, also behind long ones."""
    environ = {"A": "x" * 20_000, "AI_AGENT": "a=b", "B": "y" * 50_000}
    with home() as here:
        process = here.start(["/bin/sh", "-c", "echo; read x"], environ=environ)
        with ended(process):
            assert process.stdout is not None
            process.stdout.readline()
            found = ancestry.environment(process.pid, {"AI_AGENT", "TMUX"})
    assert found == {"AI_AGENT": "a=b"}
    assert ancestry.environment(1 << 22, {"AI_AGENT"}) is None
