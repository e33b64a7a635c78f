"""``command = ["…"]`` of a secret's configuration: whatever that writes.

It is no scheme: what a reference says, which may stand in a project's file, is never run.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import safefiles
from ..text import escape, shorten
from .failures import NotInstalled
from .programs import Program
from .runs import Run


@dataclass(frozen=True)
class Command:
    """A source that runs a command."""

    argv: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"the command {escape(self.argv[0])}"

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return what it writes, as the password."""
        program = Program(self.title, self.argv[0], asks=True)
        if safefiles.program_on_path(program.name, run.environ) is None:
            if os.sep in program.name:
                raise NotInstalled(
                    f"{self.title} is not there, or cannot be executed",
                    f"check its path in the configuration: {escape(program.name)}",
                )
            raise NotInstalled(
                f"{self.title} is not installed",
                f"install it, so that {escape(program.name)} is on PATH",
            )
        item = shorten(path, 60)
        # What it does is not known: any of them may ask, the second time as well, if it can.
        nobody = contextlib.nullcontext[Mapping[str, str]]({})
        async with run.turn() if run.attended else nobody as environ:
            variables = {"LANGUAGE": run.environ.get("LANGUAGE"), **environ}  # as it is
            found = await program.call(run, *self.argv[1:], item=item, environ=variables)
        return {"password": found}
