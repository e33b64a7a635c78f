"""Open sealed secrets: one question for all of a run, answered with the identity's passphrase."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from ..asking import prompting, sealed_wording, wording
from ..asking.questions import Prompt, with_caller
from ..config.model import Entry
from ..errors import Refused
from ..keeping import passphrases, sealing
from ..keeping.identity import IdentityFiles
from ..keeping.sealing import Keys
from ..redacted import Secret
from ..text import escape, shell_quote
from .candidates import Candidate, ResolvedSecret
from .checking import check_stored
from .lookup import NameList
from .request import PROMPT_TIMEOUT, Context, SecretRequest

__all__ = [
    "ask_passphrase",
    "check_can_open",
    "new_passphrase",
    "open_all",
    "open_text",
    "refuse_remembering",
    "sealed",
]

#: How often the user may try.
ATTEMPTS = 3

#: The user's answer to the question: the use was allowed with the passphrase.
PASSPHRASE = "passphrase"


def sealed(found: ResolvedSecret | Entry) -> bool:
    """Whether a secret is sealed: then each use of it is asked for, whatever else is configured."""
    return found.sealed


def refuse_remembering(
    wanted: Sequence[tuple[SecretRequest, Sequence[Candidate]]], names: NameList
) -> None:
    """Refuse to remember a sealed secret in memory, where all of your programs can read it.

    :raises Refused: naming the first such secret.
    """
    for request, candidates in wanted:
        if not isinstance(request.remember, float):
            continue
        for one in candidates:
            listed = names.find(one.name) if one.username is not None else None
            if one.entry.sealed or (listed is not None and listed.sealed):
                raise Refused(
                    f"{escape(one.name)} is sealed, so it can't be remembered in memory: each of"
                    " your programs could read it there",
                    f"leave out --remember, or unseal it first: secretly unseal"
                    f" {shell_quote(one.name)}",
                )


async def open_all(
    wanted: Sequence[tuple[SecretRequest, ResolvedSecret]], context: Context
) -> list[ResolvedSecret]:
    """Open the sealed secrets of one run. The user types the passphrase, and so agrees to the use.

    :raises Cancelled: if the user cancels.
    :raises Refused: if the passphrase is wrong three times, a secret is damaged, or secretly must
        not ask.
    """
    names = list(dict.fromkeys(escape(found.name) for _, found in wanted))
    for _, found in wanted:
        with _named(found.name):
            sealing.check_sealed(found.secret)
    (first, _), *_ = wanted
    check_can_open(names, context)
    for request, _ in wanted:
        request.before_prompt()
    text = with_caller(
        [_purposes(wanted)], context.asked_by, lambda asks: sealed_wording.open_text(names, asks)
    )
    keys = await ask_passphrase(text, context, first.prompt_timeout, first.until)
    return [_opened(found, keys) for _, found in wanted]


def _opened(found: ResolvedSecret, keys: Keys) -> ResolvedSecret:
    value = open_text(found.name, found.secret, keys)
    return found._replace(secret=check_stored(found.candidate, value), answer=PASSPHRASE)


def open_text(name: str, text: str, keys: Keys) -> Secret:
    """Open one sealed secret.

    :raises Refused: if it can't be opened with these keys.
    """
    with _named(name):
        return sealing.unseal(text, keys, name)


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Put the secret's name, and the fix, into the error of the block."""
    try:
        yield
    except sealing.Damaged as error:
        replace = f"replace it: secretly set --sealed {shell_quote(name)}"
        if isinstance(error, sealing.OtherIdentity):
            replace = f"open it with that identity (age -d -i FILE), or {replace}"
        raise Refused(f"the sealed secret for {escape(name)} {error}", replace) from None


def _purposes(wanted: Sequence[tuple[SecretRequest, ResolvedSecret]]) -> str:
    """Who asks for the secrets, and for what: each line once."""
    lines: list[str] = []
    for request, found in wanted:
        limits = request.limits(None, found.entry) if request.limits is not None else ""
        asks = request.who_asks(found.entry.username, found.username)
        if len(wanted) > 1 and request.command is not None and not request.describes:
            asks = wording.purpose(request.command[0], sealed_wording.THEM, request.command[1])
        text = "\n".join(filter(None, (asks, limits)))
        lines += [line for line in text.split("\n") if line not in lines or not lines]
    return "\n".join(lines)


def check_can_open(names: Sequence[str], context: Context) -> None:
    """Refuse before the user is asked, if nothing can be opened.

    :param names: the secrets that are wanted, escaped.
    :raises Refused: if secretly must not ask, or pyrage is not installed.
    """
    sealing.library()
    if context.no_input:
        raise Refused(
            f"can't open {sealed_wording.listed(names)}: sealed, and prompts are switched off",
            "run it without --no-input and SECRETLY_NO_INPUT",
        )


async def ask_passphrase(
    text: str,
    context: Context,
    prompt_timeout: float = PROMPT_TIMEOUT,
    until: float = float("inf"),
) -> Keys:
    """Have the user type the identity's passphrase, and return its keys.

    :param text: what the prompt says, all of it.
    :raises NotFound: if the user has no identity.
    :raises Refused: if it is damaged, the work gets no memory, or the passphrase is wrong
        three times.
    """
    files = IdentityFiles.of(context.environ)
    locked = files.read()
    try:
        sealing.check_memory(sealing.read_work(locked.encode()))  # before anything is typed
        prompt = Prompt(wording.TITLE, text, sealed_wording.PASSPHRASE, whole=True)
        pinentry = context.configuration.pinentry
        for _ in range(ATTEMPTS):
            typed = await prompting.ask(
                prompt, prompt_timeout, context.environ, pinentry, until=until, tell=context.note
            )
            with contextlib.suppress(passphrases.WrongPassphrase):
                keys = await passphrases.unlock(locked, typed)
                files.check_recipient(keys, context.note)
                return keys
            prompt = prompt._replace(error=sealed_wording.WRONG_PASSPHRASE)
    except sealing.Damaged as error:
        raise files.damaged(str(error)) from None
    raise Refused(
        f"that was not the passphrase of your identity, {ATTEMPTS} times",
        "nothing was opened; the passphrase can't be recovered, only a backup of the secret helps",
    )


async def new_passphrase(text: str, context: Context) -> Secret:
    """Have the user choose a passphrase, and say if it is weak; a weak one is typed once more.

    :raises Refused: if none was chosen in three attempts.
    """
    prompt = Prompt(wording.TITLE, text, sealed_wording.NEW_PASSPHRASE, repeat=True, whole=True)
    before = ""
    for _ in range(ATTEMPTS):
        pinentry = context.configuration.pinentry
        typed = await prompting.ask(prompt, PROMPT_TIMEOUT, context.environ, pinentry)
        weak = passphrases.weakness(typed)
        if typed and (not weak or typed == before):
            return typed
        before = typed
        prompt = prompt._replace(
            error=sealed_wording.weak_passphrase(weak) if typed else wording.NOTHING_ENTERED
        )
    raise Refused(f"no passphrase was chosen in {ATTEMPTS} attempts", "try again")
