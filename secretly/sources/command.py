"""``command = ["…"]`` of a secret's configuration: whatever that writes.

It is no scheme: what a reference says, which may stand in a project's file, is never run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..display import shortened, visible
from .programs import Program, Run


@dataclass(frozen=True)
class Command:
    """A source that runs a command."""

    argv: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"the command {visible(self.argv[0])}"

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what it writes, as the password."""
        program = Program(self.title, self.argv[0], asks=True)
        item = shortened(path, 60)
        return {"password": await program.call(run, *self.argv[1:], item=item)}
