"""``secretly completion``: the script by which a shell completes secretly's command lines."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

EXAMPLE = """examples:
  secretly completion fish | source
  secretly completion zsh >~/.zfunc/_secretly
  eval "$(secretly completion bash)"
"""

#: The file of each shell's script, as the shell wants it named.
SCRIPTS = {"bash": "secretly", "zsh": "_secretly", "fish": "secretly.fish"}


def add_arguments(verb: ArgumentParser) -> None:
    """Add the verb's arguments."""
    verb.add_argument("shell", metavar="SHELL", choices=list(SCRIPTS), help="bash, zsh or fish")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    folder = os.path.join(os.path.dirname(__file__), "completions")
    with open(os.path.join(folder, SCRIPTS[options.shell]), encoding="utf-8") as file:
        print(file.read(), end="")
    return 0
