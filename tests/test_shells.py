"""Completion in real shells, on a real terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import PATIENCE, SECRETLY, Home, home, wait_until
from conftest import lacking, need

pytestmark = [pytest.mark.real, pytest.mark.outside]

#: What each shell reads before the first line: its own completion, that of a command, secretly's.
STARTS = {
    "bash": """
. /usr/share/bash-completion/bash_completion
complete -W 'alpha beta' demotool
eval "$(secretly completion bash)"
PS1='$ '
""",
    "zsh": """
mkdir ~/functions && secretly completion zsh >~/functions/_secretly
fpath=(~/functions $fpath)
autoload -Uz compinit && compinit -u -D
_demotool() { compadd alpha beta }
compdef _demotool demotool
PS1='$ '
""",
    "fish": """
function fish_prompt; echo -n '$ '; end
function fish_greeting; end
complete -c demotool -f -a 'alpha beta'
secretly completion fish | source
""",
}

#: What is typed before the Tab key, and the line afterwards.
LINES = [
    ("secretly doc", "secretly doctor"),
    ("secretly run --profile st", "secretly run --profile staging"),
    ("secretly get Exam", "secretly get Example"),
    ("secretly get My", r"secretly get My\ Key"),
    ("secretly run -e X=Exam", "secretly run -e X=Example"),
    ("secretly run --env=X=Exam", "secretly run --env=X=Example"),
    ("secretly check -f my", "secretly check -f my.env"),
    ("secretly check --env-file=my", "secretly check --env-file=my.env"),
    ("secretly shim --dir fol", "secretly shim --dir folder/"),
    ("secretly run -e X=Example -- demotool al", "secretly run -e X=Example -- demotool alpha"),
]


class Screen:
    """A shell in tmux."""

    def __init__(self, home: Home, argv: list[str]) -> None:
        self._socket = home.folder / "tmux"
        # The tests' own environment has nothing that the shell needs.
        environ = [f"{name}={value}" for name, value in home.environ.items()]
        command = shlex.join(["env", "-i", *environ, *argv])
        start = ["-f", "/dev/null", "new-session", "-d", "-x", "90", "-y", "50", "-c"]
        self._tmux(*start, str(home.folder), command)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return done.stdout

    @property
    def line(self) -> str:
        """The last line that is not empty."""
        lines = [line for line in self._tmux("capture-pane", "-p").splitlines() if line.strip()]
        return lines[-1].rstrip() if lines else ""

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with home() as found:
        found.keep_in_a_file()
        found.configure(
            found.config.read_text() + "[commands.twine.profiles.staging]\nenv = { A = 'b' }\n"
        )
        for name in ("Example", "My Key"):
            done = found.run("set", name, "--stdin", stdin="canary-1")
            assert done.status == 0, done
        (found.folder / "my.env").touch()
        (found.folder / "folder").mkdir()
        found.program("demotool", "#!/bin/sh\n")
        if not Path(SECRETLY[0]).name.startswith("secretly"):  # no script is installed
            found.program("secretly", f'#!/bin/sh\nexec {shlex.join(SECRETLY)} "$@"\n')
        yield found


def started(home: Home, shell: str) -> list[str]:
    """The command line of a shell that has read its start and nothing of the user's."""
    file = home.folder / {"bash": "start", "zsh": ".zshrc", "fish": "start.fish"}[shell]
    file.write_text(STARTS[shell])
    home.environ["ZDOTDIR"] = str(home.folder)
    return {
        "bash": ["bash", "--noprofile", "--rcfile", str(file)],
        "zsh": ["zsh", "-d", "-i"],
        "fish": ["fish", "--no-config", "-i", "-C", f"source {file}"],
    }[shell]


@pytest.mark.parametrize("shell", STARTS)
def test_a_shell_completes(home: Home, shell: str) -> None:
    """Verbs, options, names, profiles, files; and after ``run`` the words of the command."""
    need("tmux", shell)
    if shell == "bash" and not Path("/usr/share/bash-completion/bash_completion").exists():
        lacking("needs bash-completion")
    home.reach(shell)
    screen = Screen(home, started(home, shell))
    try:
        wait_until(lambda: screen.line == "$")
        for typed, wanted in LINES:
            screen.type(typed)
            screen.press("Tab")
            try:
                wait_until(lambda wanted=wanted: screen.line == f"$ {wanted}", PATIENCE)
            except AssertionError:
                raise AssertionError(f"{typed!r} became {screen.text!r}") from None
            screen.press("C-u")
            wait_until(lambda: screen.line == "$")
    finally:
        screen.close()
