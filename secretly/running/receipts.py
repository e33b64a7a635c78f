"""Receipts: what was handed to which program, and what was refused. Never a value."""

from __future__ import annotations

import os
import sys
import time

from ..config import places, policy
from ..errors import Cancelled, Refused, SecretlyError
from ..processes import ancestry
from ..record import Record
from ..reference import Reference, without_secrets
from ..text import escape, format_command, shorten

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..config.invocation import Invocation
    from ..publishing.archives import Distribution
    from ..resolving.request import Context
    from .receipt_file import Json, ReceiptFile

#: How much is recorded: nothing; each hand-over; the command line as well.
OFF, ON, FULL = "off", "on", "full"

#: The outcomes.
HANDED_OVER, NO, REFUSED, FAILED = "handed over", "no", "refused", "failed"

#: How the use of a secret was allowed, where you did not answer a question.
NOT_ASKED = "not asked"

#: How many files an upload's receipt names, and how long a command line may be.
FILES, _LINE = 100, 4000


class HandedSecret(Record):
    """A secret that a program gets, without its value.

    :param name: its name.
    :param origin: where it came from: a store, a source's scheme, or typed.
    :param answer: how its use was allowed.
    :param places: the variables that it goes to.
    :param projects: the only projects that the token is for which the program gets in its place.
    :param expires: when that token ends, in seconds since 1970.
    """

    name: str
    origin: str = ""
    answer: str = ""
    places: tuple[str, ...] = ()
    projects: tuple[str, ...] | None = None
    expires: float | None = None

    def as_json(self) -> dict[str, Json]:
        """It, for a receipt."""
        found: dict[str, Json] = {"name": self.name}
        if self.answer:
            found |= {"from": self.origin, "answer": self.answer, "to": self.places}
        if self.projects is not None or self.expires is not None:
            end = None if self.expires is None else utc(self.expires)
            found["limits"] = {"projects": self.projects, "expires": end}
        return found


def utc(moment: float) -> str:
    """A time in ISO 8601, in UTC.

    :param moment: the time, in seconds since 1970.

    >>> utc(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment))}.{int(moment % 1 * 1000):03}Z"


class Use(Record):
    """A use of secrets, whatever comes of it.

    :param program: the path of the program that wants them.
    :param command: the known command and its subcommand, else the program's name.
    :param words: the command line; recorded only if that is wanted.
    """

    program: str
    command: str
    words: Sequence[str] = ()


class Journal:
    """Writes the receipts of one use.

    :param use: the use.
    :param context: what the secrets are looked up with: the policy says how much is recorded.
    :param note: called with a line for the user, if a receipt can't be written.
    """

    def __init__(
        self,
        use: Use,
        environ: Mapping[str, str],
        context: Context | None,
        note: Callable[[str], None],
    ) -> None:
        self._use, self._context, self._note = use, context, note
        rules = policy.Policy() if context is None else context.policy
        self._level, self._needed = rules.log or ON, rules.needs_receipt
        self._file = _file_in(folder(environ, rules))
        self._works = True

    def handed_over(
        self, secrets: Sequence[HandedSecret], files: Sequence[Distribution] = ()
    ) -> None:
        """Record that a program gets secrets, just before it does.

        :param files: the files that it uploads.
        :raises Refused: if that can't be recorded, and must be.
        """
        if self._level == OFF:
            return
        receipt = self._receipt(HANDED_OVER, secrets)
        if files:
            named = [{"path": one.path, "sha256": one.sha256} for one in files[:FILES]]
            receipt |= {"files": named, "more_files": max(0, len(files) - FILES)}
        if wrong := self._written(receipt):
            if self._needed:
                raise Refused(
                    f"can't write the receipt, and the policy requires one: {wrong}",
                    f"check {escape(os.path.dirname(self._file.path))}; nothing was handed over",
                )
            self._note(f"can't write the receipt of this use: {wrong}")

    def not_handed_over(self, names: Iterable[str], error: SecretlyError) -> None:
        """Record that a program got nothing, and the kind of the error that says why.

        The error's text may quote the command line, so only the fullest level has it.
        """
        if self._level == OFF or not self._works:
            return
        outcome = NO if isinstance(error, Cancelled) else FAILED
        receipt = self._receipt(
            REFUSED if isinstance(error, Refused) else outcome, [HandedSecret(n) for n in names]
        )
        receipt["error"] = type(error).__name__
        if self._level == FULL:
            receipt["message"] = _without_values(escape(str(error)))
        if wrong := self._written(receipt):
            self._note(f"can't write the receipt of this use: {wrong}")

    def _receipt(self, outcome: str, secrets: Sequence[HandedSecret]) -> dict[str, Json]:
        found: dict[str, Json] = {
            "version": 1,
            "time": utc(time.time()),
            "outcome": outcome,
            "secrets": [secret.as_json() for secret in secrets],
            "program": self._use.program,
            "command": self._use.command,
            "folder": current_folder(),
            "asked_by": self._asked_by,
        }
        if self._context is not None and self._context.reason:
            found["reason"] = _without_values(self._context.reason)[:_LINE]
        if self._level == FULL:
            # Shortened last: the end of a token is not known without its beginning.
            line = _without_values(format_command(self._use.words, sys.maxsize))
            found["line"] = shorten(line, _LINE)
        return found

    @property
    def _asked_by(self) -> str:
        agent, find = None, None
        if self._context is not None:
            agent, find = self._context.agent, self._context.ancestors
        pid = agent.process.pid if agent is not None else 0
        found = (find or ancestry.chain)()
        return ancestry.asked_by(found, pid, sandboxed=ancestry.in_sandbox())

    def _written(self, receipt: dict[str, Json]) -> str:
        """Write a receipt; return what is wrong, empty if nothing is."""
        from .receipt_file import to_json

        try:
            self._file.append(to_json(receipt))
        except OSError as error:
            self._works = False
            return f"{escape(self._file.path)}: {error.strerror}"
        return ""


def _file_in(folder: str) -> ReceiptFile:
    from .receipt_file import ReceiptFile  # a prompt need not wait for it

    return ReceiptFile(folder)


def folder(environ: Mapping[str, str], rules: policy.Policy) -> str:
    """The folder of the receipts.

    Where a policy asks for them, it is in the home folder that the password database names. Else
    a caller could have them written where the user doesn't look.
    """
    return places.secretly_folder("state", {} if rules.log else environ)


def _without_values(text: str) -> str:
    """A text without what looks like a token, or is the password in a URL."""
    text = without_secrets(text)
    if "//" not in text or "@" not in text:
        return text
    import re

    return re.sub(r"(//[^/@\s:]*:)[^/@\s]*@", r"\1***@", text)


def current_folder() -> str:
    """The current folder; empty if it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def use_of(
    program: str, argv: Sequence[str], invocation: Invocation | None, shown: Sequence[str]
) -> Use:
    """The use that a command line makes of secrets.

    :param program: the program's path.
    :param shown: the command line as prompts show it, if it holds a secret itself.
    """
    command = os.path.basename(argv[0])
    if invocation is not None:
        command = " ".join(filter(None, (invocation.row.name, invocation.subcommand)))
    return Use(os.path.abspath(program), command, shown or argv)


def known_name(reference: Reference, context: Context) -> str:
    """A secret's name, if secretly knows it: any other text may be a secret in the wrong place."""
    if reference.scheme:
        return f"{reference.scheme}://…"
    name, configured = reference.path, context.configuration.secrets
    try:
        if name in configured or context.stored_names.find(name) is not None:
            return name
    except SecretlyError:  # the list can't be read
        pass
    return "…"
