"""Requests for secrets, and the context in which they are resolved."""

from __future__ import annotations

import os
import sys
import time

from ..config import agents, policy
from ..config.model import Configuration, Entry
from ..keeping.keychain import Keychain
from ..keeping.stored_names import StoredNames
from ..processes import ancestry
from ..record import Record
from ..redacted import Secret
from ..reference import Reference
from ..text import Environ, escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol, Self

    from ..config.model import Remember
    from ..keeping.kernel_keyring import TemporaryStore
    from ..keeping.store import SecretStore

    class LeaseTerms(Protocol):
        """What the user may agree to for longer than one call."""

        def covers(self, secrets: tuple[str, ...]) -> bool:
            """Whether the user has agreed to this use of these secrets, and that is not over."""

        def grant(self, secrets: tuple[str, ...], seconds: float) -> None:
            """Note that the user agrees to this use for a while.

            :raises OSError: if that can't be noted.
            """

        def describe(self, longer: str) -> str:
            """Say what it is, in lines for the dialog.

            :param longer: the duration that the user types.
            """


#: How long the user has to answer a prompt, in seconds, unless told otherwise.
PROMPT_TIMEOUT = 300.0

#: How often the user may try to type a secret.
ATTEMPTS = 3


def _nothing() -> None:
    """Most questions fit into a dialog, and most waits are short."""


class SecretRequest(Record):
    """A request for a secret, and how to get it.

    :param reference: where to look for it.
    :param names: plain names to try in turn before the reference's own
        (``PyPI/demo`` before ``PyPI``).
    :param username: the user name that it is stored under; None: see
        :func:`~secretly.resolving.candidates.username_for`.
    :param prompt: the label of the entry field; None: made from the name.
    :param purpose: who asks and for what, as the prompt shows it; already escaped.
    :param describe: makes the purpose where it depends on the secret: from the configured user
        name and the secret's own one, each None if there is none, and whether it is typed.
    :param command: the command line that wants it and its program's path, escaped: they say who
        asks if *purpose* is empty.
    :param position: ``"1 of 3"``, where the user types several.
    :param remember: whether to store what was typed; None: as configured.
    :param confirm: whether to confirm the use of a stored one; None: as configured.
    :param verify: a function, or a coroutine function, that tries the secret; False means
        that it was not accepted.
    :param prompt_timeout: how long the user has for each question, in seconds.
    :param time_limit: how long everything may take together, in seconds; None: each wait has its
        own limit.
    :param until: when everything must have ended, a time of the monotonic clock.
    :param ignore_stored: ask, even if it is stored.
    :param repeat: have the user type it twice.
    :param token_prefix: what is typed and does not start with this is not a token: the user types
        its user name, too. Empty: the user name is not asked for.
    :param publishes: confirm the use of a stored one, unless configured otherwise. The
        prompt shows the whole purpose, or the use is refused.
    :param elsewhere: says whether a secret with this configuration would go where only the project
        says. Then the configuration doesn't count, and its use is confirmed.
    :param inspect: gets the secret and its configuration before the user is asked to
        confirm; raises if the secret must not be used for this.
    :param limits: says what the command gets in place of a PyPI token, for the prompt; empty if it
        gets the secret as it is. It is called with the secret, which is None before the user types
        it, and its configuration. The use of a stored one that is limited is confirmed, unless
        configured otherwise.
    :param lease: what the user may agree to for longer; None: each use is a question of its own.
    :param before_prompt: shows the part of the question that a dialog has no room for.
    :param used_before: how many minutes ago the same upload had the secret of a name, which may
        have been refused; None if it had not.
    """

    reference: Reference
    names: tuple[str, ...] = ()
    username: str | None = None
    prompt: str | None = None
    purpose: str = ""
    describe: Callable[[str | None, str | None, bool], str] | None = None
    command: tuple[str, str] | None = None
    position: str = ""
    remember: Remember | None = None
    confirm: bool | None = None
    verify: Callable[[Secret], Any] | None = None
    prompt_timeout: float = PROMPT_TIMEOUT
    time_limit: float | None = None
    until: float = float("inf")
    ignore_stored: bool = False
    repeat: bool = False
    token_prefix: str = ""
    publishes: bool = False
    elsewhere: Callable[[Entry], bool] | None = None
    inspect: Callable[[Secret, Entry], None] | None = None
    limits: Callable[[Secret | None, Entry], str] | None = None
    before_prompt: Callable[[], None] = _nothing
    lease: LeaseTerms | None = None
    used_before: Callable[[str], int | None] | None = None

    def __hash__(self) -> int:
        """What requests of one run differ in, if they differ. To hash all fields takes longer."""
        return hash((self.reference, self.names, self.position))

    def time_left(self) -> float:
        """How long the user has for the next question, in seconds; less than 0: no time is left."""
        return min(self.prompt_timeout, self.until - time.monotonic())

    @property
    def wanted_by(self) -> str:
        """The one line that says who asks, for prompts about something on the way to the secret."""
        if self.command is None:
            return self.purpose.partition("\n")[0]
        from ..asking import wording

        return wording.wants(self.command[0], escape(self.reference.name))

    @property
    def describes(self) -> bool:
        """Whether the caller has texts of its own for prompts."""
        return self.describe is not None or self.purpose != ""

    def who_asks(self, configured: str | None, own: str | None, *, typed: bool = False) -> str:
        """Who asks and for what, as a prompt shows it.

        :param configured: the user name that is configured for the secret.
        :param own: the secret's own user name.
        :param typed: whether the user types the secret.
        """
        if self.describe is not None:
            return self.describe(configured, own, typed)
        if self.purpose or self.command is None:
            return self.purpose
        from ..asking import wording  # only a prompt pays for loading it

        command, program = self.command
        return wording.purpose(command, escape(self.reference.name), program)


def _log(message: str) -> None:
    import logging

    logging.getLogger("secretly").warning("%s", message)


class Context(Record):
    """What a resolution works with.

    :param no_input: never ask the user.
    :param note: gets each message for the user that is not an error.
    :param temporary_store: remembers secrets for a while; None: the kernel keyring.
    :param policy: the rules that nothing else lowers.
    :param agent: the coding agent that started this process, unless it may do what you do.
    :param reason: why the caller wants secrets, in the caller's words.
    :param ancestors: finds the processes that started this one; None: dialogs don't name them.
    :param meanwhile: called while a password manager's program works: loads what is needed next.
    """

    configuration: Configuration
    environ: Mapping[str, str]
    keychain: SecretStore
    stored_names: StoredNames
    no_input: bool = False
    note: Callable[[str], None] = _log
    temporary_store: TemporaryStore | None = None
    policy: policy.Policy = policy.Policy()
    agent: agents.Agent | None = None
    reason: str = ""
    ancestors: Callable[[], Sequence[ancestry.Ancestor]] | None = None
    meanwhile: Callable[[], None] = _nothing

    @property
    def must_confirm(self) -> bool:
        """Whether each use of a secret that was not typed is confirmed, whatever else says."""
        return self.agent is not None or self.policy.confirm == "stored"

    @property
    def asked_by(self) -> str:
        """The lines that say who asks and why, for a dialog; they are harmless and short."""
        if self.ancestors is None:
            return ""
        from ..asking import wording

        why = wording.reason_line(self.reason)
        pid = self.agent.process.pid if self.agent is not None else 0
        limit = wording.CALLER_LIMIT - len(wording.asked_by_line(why).encode()) - 1
        who = ancestry.asked_by(self.ancestors(), pid, sandboxed=ancestry.in_sandbox(), limit=limit)
        return "\n".join(filter(None, (wording.asked_by_line(who), why)))

    @property
    def memory(self) -> TemporaryStore:
        """What remembers secrets for a while."""
        from ..keeping.kernel_keyring import KernelKeyring

        return KernelKeyring() if self.temporary_store is None else self.temporary_store

    @classmethod
    def of(cls, configuration: Configuration, environ: Mapping[str, str]) -> Self:
        """The user's own keychain and list of stored names, in this environment.

        :raises SecretlyError: if the policy can't be used.
        """
        environ = Environ(environ)
        rules, agent, ancestors = policy.load(), None, ancestry.chain_once()
        if rules.agents != "as-me":
            more = rules.agent_variables, rules.agent_programs
            agent = agents.recognize_recently(environ, more, ancestors)
        if agent is not None or rules.pinentry is not None:
            from ..config.asking_limits import AskingLimits

            limits = AskingLimits(rules.pinentry, agent, as_me=policy.as_me(rules))
            configuration = configuration._replace(pinentry=limits)
        stored_names = StoredNames.default()
        keychain = Keychain(environ, configuration.backends, stored_names)
        return cls(
            configuration,
            environ,
            keychain,
            stored_names,
            policy=rules,
            agent=agent,
            reason=environ.get("SECRETLY_REASON", ""),
            ancestors=ancestors,
        )


def login_name() -> str:
    """Return the name that this user is logged in under, or the user's number.

    In a container, the number may have no name.
    """
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):  # as getpass, which is slow to load
        if name := os.environ.get(variable):
            return name
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def this_script() -> str:
    """Return the file that Python runs, as ``sys.argv`` has it; empty if nothing says so.

    A program that embeds Python may have no ``sys.argv``.
    """
    argv = getattr(sys, "argv", None)
    return str(argv[0]) if argv else ""


def calling_program() -> str:
    """Return the name of this program, for prompts of the library; already escaped.

    It is the module of ``python -m``, else the file, else Python itself.
    """
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:
        return escape(spec.name.removesuffix(".__main__"))
    name = os.path.basename(this_script())
    return escape(name if name not in ("", "-", "-c") else "Python")
