"""Note what a run hands over, or does not: see ``running/receipts.py``."""

from __future__ import annotations

from ..errors import SecretlyError
from ..running import receipts
from ..text import Environ

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol, Self

    from ..config.invocation import Invocation
    from ..resolving.request import Context
    from ..running.delivery import PreparedRun
    from ..running.planning import PlanInput
    from ..running.receipts import HandedSecret
    from .run_options import RunOptions

    class Call(Protocol):
        """A call of ``secretly run``."""

        @property
        def options(self) -> RunOptions:
            """Its options."""

        @property
        def command(self) -> Sequence[str]:
            """The command line of the program."""

        @property
        def environ(self) -> Mapping[str, str]:
            """The environment of secretly itself."""

        @property
        def invocation(self) -> Invocation | None:
            """The command line, recognized."""


class Attempt:
    """A ``secretly run`` that wants secrets: a context that records what comes of it.

    :param path: the program's path.
    :param note: called with a line for the user.
    :ivar context: what the secrets are looked up with, once that is known.
    """

    def __init__(self, call: Call, path: str, note: Callable[[str], None]) -> None:
        self._call, self._path, self._note = call, path, note
        self._run: PreparedRun | None = None
        self._shown: Sequence[str] = ()
        self.context: Context | None = None
        self._made: receipts.Journal | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        wants_none = self._run is not None and not self._run.deliveries
        if isinstance(error, SecretlyError) and not wants_none:
            self._journal().not_handed_over(self._names(), error)

    def begin(self, context: Context) -> None:
        """Note what the secrets are looked up with.

        :raises Refused: if the call waives a confirmation that it needs.
        """
        self.context = context
        if self._call.options.confirm is False:
            from ..resolving.caller import check_waiver

            check_waiver(context)

    def prepared(self, run: PreparedRun, given: PlanInput) -> None:
        """Remember what is prepared, before the secrets are obtained."""
        self._run, self._shown = run, given.shown

    def handed_over(self, secrets: Sequence[HandedSecret]) -> None:
        """Record that the program gets these secrets.

        :raises Refused: if that must be recorded, and can't be.
        """
        release = self._run and self._run.release
        self._journal().handed_over(secrets, release.files if release else ())

    def _journal(self) -> receipts.Journal:
        if self._made is None:
            self._made = self._new_journal()
        return self._made

    def _new_journal(self) -> receipts.Journal:
        call = self._call
        use = receipts.use_of(self._path, call.command, call.invocation, self._shown)
        return receipts.Journal(use, Environ(call.environ), self.context, self._note)

    def _names(self) -> list[str]:
        """The names of the secrets that were wanted, as far as secretly knows them."""
        if self._run is None or self.context is None:
            return []
        requests = [one for delivery in self._run.deliveries for one in delivery.requests]
        names = [receipts.known_name(one.reference, self.context) for one in requests]
        return list(dict.fromkeys(names))
