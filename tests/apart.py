"""Run the tests apart from a coding agent that started them.

secretly recognizes an agent among the ancestors of a process, and no switch turns that off. So
under an agent the tests run again, without the agent's variables, in a process that the agent is
not an ancestor of.
"""

from __future__ import annotations

import os
import sys

from secretly.config import agents

#: Says that the tests run again.
_APART = "SECRETLY_TESTS_APART"

#: Runs a command and writes its status to a pipe. It ends the command if the other pipe ends,
#: because then the process has died that waits for the status.
_SUPERVISOR = """
import os, subprocess, sys, threading
report, alive = int(sys.argv[1]), int(sys.argv[2])
child = subprocess.Popen(sys.argv[3:])
def watch():
    os.read(alive, 1)
    child.terminate()
threading.Thread(target=watch, daemon=True).start()
os.write(report, str(child.wait()).encode())
"""


def run_apart() -> int | None:
    """Run this process's own command again if an agent started it, and return the status."""
    agent = agents.recognize(os.environ, foreground=lambda: False)
    if agent is None or "PYTEST_XDIST_WORKER" in os.environ:
        return None
    if _APART in os.environ:
        sys.exit(f"{agent.name} is still an ancestor ({agent.mark}): run the tests elsewhere")
    return status_of([sys.executable, *sys.orig_argv[1:]], without_marks(dict(os.environ)))


def without_marks(environ: dict[str, str]) -> dict[str, str]:
    """The variables that mark no agent."""
    marks = {variable.partition("=")[0] for variable, _ in agents.VARIABLES}
    kept = {name: value for name, value in environ.items() if name not in marks}
    return {**kept, _APART: "1"}


def status_of(command: list[str], environ: dict[str, str]) -> int:
    """Run a command whose parent is the system's first process, and return its status."""
    report, reporting = os.pipe()
    living, alive = os.pipe()
    for descriptor in (reporting, living):
        os.set_inheritable(descriptor, True)
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            pipes = (str(reporting), str(living))
            words = [sys.executable, "-c", _SUPERVISOR, *pipes, *command]
            os.execve(sys.executable, words, environ)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(reporting)
    os.close(living)
    try:
        status = int(os.read(report, 16) or b"1")
    finally:
        os.close(report)
        os.close(alive)
    return status if status >= 0 else 128 - status
