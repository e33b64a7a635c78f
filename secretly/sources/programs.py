"""Run a password manager's program, read its output, and recognize its failures."""

from __future__ import annotations

from .. import safefiles
from ..errors import BadReference, SecretlyError, SourceFailed
from ..processes import output
from ..record import Record
from ..redacted import NotASecret, Secret, to_secret
from ..text import READ_LIMIT, Environ, escape, shell_quote
from ..waiting.blocks import suppress
from .failures import Ambiguous, Locked, NoField, NoItem, NotInstalled, Unasked, Unreachable
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")

    Failure = tuple[str, type[SecretlyError], str, str]

__all__ = ["MACHINE_TIMEOUT", "Program", "operand", "text"]

#: How long, in seconds, a program may take that does not ask the user.
MACHINE_TIMEOUT = 30.0


class Program(Record):
    """A password manager's program.

    :param title: the manager's name in messages: ``"Bitwarden"``.
    :param name: the program's name: ``"bw"``.
    :param failures: how to recognize the program's failures. Each is a pattern of its stderr,
        the error to raise, what happened, and the command that fixes it; ``{item}`` is replaced
        in both texts.
    :param asks: whether the program may ask the user itself. If so, it has the terminal, and as
        much time as the user has, where the user can see its prompt. Call it inside
        ``run.attention`` or ``run.turn``.
    """

    title: str
    name: str
    failures: Sequence[Failure] = ()
    asks: bool = False

    def path(self, run: Run) -> str:
        """Return where the program is.

        :raises NotInstalled: if it is not installed.
        :raises Refused: if others could change it.
        """
        found = safefiles.program_on_path(self.name, run.environ)
        if found is None:
            raise NotInstalled(
                f"{self.title}'s program {self.name} is not installed",
                f"install it, so that {self.name} is on PATH",
            )
        safefiles.refuse_if_others_can_write(found, f"{self.title}'s program")
        return str(found)

    def limit(self, run: Run) -> float:
        """Return how long the program may take, in seconds."""
        seconds = run.prompt_timeout
        if seconds is None:
            return MACHINE_TIMEOUT
        return seconds if self.asks and run.attended else min(MACHINE_TIMEOUT, seconds)

    async def call(
        self,
        run: Run,
        *arguments: str,
        item: str = "",
        stdin: str = "",
        environ: Mapping[str, str | None] | None = None,
        limit: int = READ_LIMIT,
    ) -> Secret:
        """Run the program and return its output.

        :param item: the item's name, for error messages.
        :param environ: more variables for the program; None removes a variable.
        :param limit: how many bytes the program may write.
        :raises SourceFailed: if the program fails, hangs, or writes something other than text.
        """
        argv = [self.path(run), *arguments]
        try:
            done = await output.read_output(
                argv,
                timeout=run.at_most(self.limit(run)),
                environ=_with(run.environ, environ),
                stdin=stdin.encode("utf-8", "surrogateescape"),
                # With no terminal it cannot ask.
                new_session=not self.asks or run.prompt_timeout is None,
                limit=limit,
                meanwhile=run.meanwhile,
            )
        except output.TooMuch:
            raise self.long(limit, item) from None
        except TimeoutError:
            raise self.slow(run, item) from None
        except OSError as error:
            raise NotInstalled(
                f"can't start {self.name}: {error.strerror}", f"try it in a shell: {self.name}"
            ) from None
        return self.read(done, item)

    async def asked(
        self,
        run: Run,
        *arguments: str,
        prompt: bytes,
        answer: Callable[[], Awaitable[Secret]],
        item: str = "",
        environ: Mapping[str, str | None] | None = None,
    ) -> Secret:
        """Run the program on a terminal of its own, answer its prompt, and return its output.

        :param prompt: the pattern of the program's prompt.
        :param answer: returns the answer; called only if the program asks.
        :param item: the item's name, for error messages.
        :param environ: more variables for the program; None removes a variable.
        :raises Locked: if the program asks again.
        """
        from ..processes import dialogue

        try:
            done = await dialogue.run_and_answer(
                [self.path(run), *arguments],
                timeout=run.at_most(self.limit(run)),
                environ=_with(run.environ, environ),
                prompt=prompt,
                answer=answer,
                limit=READ_LIMIT,
            )
        except output.TooMuch:
            raise self.long(READ_LIMIT, item) from None
        except TimeoutError:
            raise self.slow(run, item) from None
        if done is None:
            raise Locked(
                f"{self.title}: that was not the right password",
                f"try the password with {self.name} in a shell",
            )
        return self.read(done, item)

    def long(self, limit: int, item: str) -> SourceFailed:
        """Return the error for a program that wrote too much."""
        return SourceFailed(
            f"{self.title} ({self.name}) wrote more than {limit >> 20} MiB for {escape(item)}",
            f"run {self.name} in a shell to see what it writes",
        )

    def slow(self, run: Run, item: str) -> SourceFailed:
        """Return the error for a program that did not answer."""
        within = f"within {self.limit(run):.0f} s"
        return Unreachable(
            f"{self.title} ({self.name}) did not answer {within} for {escape(item)}",
            f"run {self.name} in a shell to see whether it works",
        )

    def read(self, done: output.Finished, item: str) -> Secret:
        """Return what a finished call wrote, or raise its failure as an error."""
        if done.status == 0:
            what = f"what {self.title} has for {escape(item)}"
            return text(done.stdout, what, f"run {self.name} in a shell to see what it writes")
        if done.status is None:
            raise SourceFailed(
                f"{self.title} ({self.name}) may have failed for {escape(item)}: this process "
                "ignores SIGCHLD, or has waited for children that are not its own",
                output.KEEP_STATUSES,
            )
        import re

        for pattern, kind, what, hint in self.failures:
            # stderr may hold a secret, so no variable refers to it: a traceback may show locals.
            if re.search(pattern, done.stderr.decode("utf-8", "replace"), re.IGNORECASE):
                raise kind(
                    f"{self.title}: {what.format(item=escape(item))}",
                    hint.format(item=shell_quote(item)),
                )
        raise SourceFailed(
            f"{self.title} ({self.name}) failed with status {done.status} for {escape(item)}",
            f"run {self.name} in a shell to see what it says",
        )

    def parsed(self, said: Secret, read: Callable[[Any], T], item: str) -> T:
        """Parse the program's JSON output, and return the result of *read* for it.

        :raises SourceFailed: if the output is not JSON, or not as *read* expects it.
        """
        import json

        failed = SourceFailed(
            f"{self.title} ({self.name}) wrote something unexpected for {escape(item)}",
            f"check its version: {self.name} --version",
        )
        try:
            return read(json.loads(said))
        except SourceFailed as error:
            failed = error.with_traceback(None)  # a traceback may show what was read
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            pass
        raise failed

    async def unlocking(
        self,
        run: Run,
        attempt: Callable[[], Awaitable[T]],
        unlock: Callable[[str], Awaitable[None]],
        times: int = 3,
        alone: bool = False,
    ) -> T:
        """Call *attempt*; if the vault is locked, call *unlock* and then *attempt* again.

        Only one vault is unlocked at a time.

        :param unlock: unlocks the vault; its argument says what was wrong with the last answer.
        :param times: how often to ask the user.
        :param alone: whether *attempt* may ask the user as well. If so, nothing else calls
            *attempt* or *unlock* until the first *attempt* has succeeded.
        """
        alone = alone and run.prompt_timeout is not None and self.name not in run.asked
        while True:
            seen = run.opened.count(self.title)
            if not alone:
                with suppress(Locked):
                    return await attempt()
            async with run.off_the_clock(run.turns.take()):
                if run.opened.count(self.title) > seen or (alone and self.name in run.asked):
                    alone = False
                    continue  # another call has unlocked it meanwhile
                if alone:
                    with suppress(Locked):
                        return await attempt()
                return await self._unlocked(run, attempt, unlock, times)

    async def _unlocked(
        self,
        run: Run,
        attempt: Callable[[], Awaitable[T]],
        unlock: Callable[[str], Awaitable[None]],
        times: int,
    ) -> T:
        from ..asking import wording

        wrong = ""
        for left in reversed(range(times)):
            try:
                await unlock(wrong)
                found = await attempt()
            except Locked as error:
                if not left or isinstance(error, Unasked):
                    raise
                wrong = wording.WRONG_PASSWORD
            except (NoItem, NoField, Ambiguous):
                run.opened.append(self.title)  # the program could look, so the vault is open
                raise
            else:
                run.opened.append(self.title)
                return found
        raise AssertionError("the last attempt raised")


def _with(environ: Mapping[str, str], more: Mapping[str, str | None] | None) -> Environ:
    """Return a program's environment. It makes the program speak English, as the patterns do.

    gettext and Qt read ``LANGUAGE`` before the locale, so the locale's encoding stays: the
    program reads a master password in it. In the C locale gettext ignores ``LANGUAGE``, and
    that locale is English.
    """
    changed = {**environ, "LANGUAGE": "en", **(more or {})}
    return Environ({name: value for name, value in changed.items() if value is not None})


def operand(name: str) -> str:
    """Return a name for a program's command line.

    :raises BadReference: if the program would take the name for an option: its help text, say,
        would then be used as the secret.
    """
    if name.startswith("-"):
        raise BadReference(
            f"'{escape(name)}' would be taken for an option", "use the item's id, or rename it"
        )
    return name


def text(data: bytes, what: str, hint: str) -> Secret:
    """Return a program's output as text, without the one line end at its end.

    :raises SourceFailed: if the output is not UTF-8 text, or has a NUL byte.
    """
    try:
        return to_secret(data, limit=None, trim=True)
    except NotASecret as error:
        data = b""  # a traceback may show locals
        raise SourceFailed(f"{what} {error}", hint) from None
