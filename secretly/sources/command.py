"""``command = ["…"]`` of a secret's configuration: the output of a command.

No scheme names it: a reference may come from a project's file, and must never run a command.
"""

from __future__ import annotations

import os

from .. import safefiles
from ..errors import SourceFailed
from ..record import Record
from ..text import escape, shorten
from ..waiting.blocks import asynccontextmanager
from .failures import NotInstalled
from .programs import Program
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence


class CommandSource(Record):
    """A source that runs a command.

    :param argv: its words.
    :param is_json: whether it prints a JSON object, whose texts and numbers are the fields.
    """

    argv: tuple[str, ...]
    is_json: bool = False

    @property
    def title(self) -> str:
        """The command's name in messages."""
        return f"the command {escape(self.argv[0])}"

    async def fetch(self, path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
        """Return the command's output, as the password; of JSON, its fields."""
        program = Program(self.title, self.argv[0], asks=True)
        if safefiles.program_on_path(program.name, run.environ) is None:
            if os.sep in program.name:
                raise NotInstalled(
                    f"{self.title} does not exist, or can't be executed",
                    f"check its path in the configuration: {escape(program.name)}",
                )
            raise NotInstalled(
                f"{self.title} is not installed",
                f"install it, so that {escape(program.name)} is on PATH",
            )
        item = shorten(path, 60)
        # Any command may ask, each time that it runs, so each call needs a turn.
        async with run.turn() if run.attended else _no_turn() as environ:
            # The command keeps its language: secretly recognizes nothing that it says.
            variables = {"LANGUAGE": run.environ.get("LANGUAGE"), **environ}
            found = await program.call(run, *self.argv[1:], item=item, environ=variables)
        if not self.is_json:
            return {"password": found}
        from .json_fields import read_fields

        values = read_fields(found)
        if values is None:
            raise SourceFailed(
                f"{self.title} did not print a JSON object for {escape(item)}",
                'leave out format = "json", or run the command in a shell to see its output',
            )
        return values


@asynccontextmanager
async def _no_turn() -> AsyncIterator[Mapping[str, str]]:
    """The user sees no prompt, so nothing else needs to wait."""
    yield {}
