"""The texts of prompts and of consent, all in one place. Tests take them from here.

The functions escape nothing but a reason: the caller escapes what comes from outside.
"""

from __future__ import annotations

from ..text import escape, shorten

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence

#: The title of every dialog.
TITLE = "secretly"

NOT_ACCEPTED = "The secret was not accepted."
NOTHING_ENTERED = "Nothing was entered."
CUT_SHORT = "The secret is only the beginning of several lines."
A_REFERENCE = "The secret is itself a reference."
SEALED = "The secret is sealed: an age file."
KEYCHAIN_LOCKED = "The keychain is locked."
KEYCHAIN_SILENT = "The keychain did not answer."
KEYCHAIN_UNREACHABLE = "The secret is in the keychain, which can't be reached from here."


# -- a secret that the user types ------------------------------------------------


_SECRET, _TOKEN, _USERNAME = "Secret", "API token", "User name"


def secret_label(name: str, prefix: str | None = None) -> str:
    """Return the label of the entry field for a secret, or for a token with a prefix."""
    return f"{_TOKEN} for {name} ({prefix}…)" if prefix else f"{_SECRET} for {name}"


def username_label(name: str) -> str:
    """Return the label of the entry field for a user name."""
    return f"{_USERNAME} for {name}"


def not_accepted(name: str) -> str:
    """Return the error above a prompt after a stored secret did not work."""
    return f"The stored secret for {name} was not accepted."


def not_a_token(name: str, prefix: str) -> str:
    """Return the error above a prompt after something that is not a token was entered."""
    return f"That is not an API token for {name}: those start with '{prefix}'."


def no_such_name(name: str, question: str) -> str:
    """Return the line about a name that resembles a known name."""
    return f"No stored secret is named {name}. {question}"


def store_question(name: str, wanted_by: str = "") -> str:
    """Return the question whether to store what was typed, below the line that says who asked."""
    return "\n\n".join(filter(None, (wanted_by, f"Store {name} in your keychain for next time?")))


def users(names: Sequence[str]) -> str:
    """Return user names in a sentence; empty without any."""
    if not names:
        return ""
    return f"the user{'s' if len(names) > 1 else ''} {' and '.join(names)}"


def replace_question(name: str, username: str, others: Sequence[str]) -> str:
    """Return the question whether to replace the secrets of other user names."""
    return (
        f"{TITLE} set stores {name} for {users([username])}.\n"
        f"Delete the stored secret of {users(others)}?"
    )


def import_question(names: Sequence[str], what: str, file: str) -> str:
    """Return the question before secrets move from a file to the keychain.

    :param what: what happens in the file: ``"takes out of"``; empty: nothing.
    """
    stored = f"{TITLE} import stores in the keychain: {', '.join(names)}."
    if not what:
        return f"{stored}\nThe file {file} stays as it is. Go on?"
    if what == "deletes":
        return f"{stored}\nThen it deletes {file}, which holds nothing else. Go on?"
    return f"{stored}\nThen it takes {'them' if len(names) > 1 else 'it'} out of {file}. Go on?"


# -- what every way of asking adds ------------------------------------------------

#: At the end of a question that is answered with a letter.
YES_OR_NO = "[y/N]"

#: The letters that the terminal shows for an answer: No, Yes.
LETTERS = ("n", "y")

#: Before the entry field of a question that is answered with a word.
TYPE_YES = 'Type "yes" to agree:'

#: The answer of a user who agreed for this once.
YES = "yes"

#: The answer of a user who wants to type another secret than the stored one.
ANOTHER = "new"


def yes_or_no(longer: str) -> str:
    """The end of a question that is answered with a letter, or with a duration."""
    return f"[y/N/{longer}]" if longer else YES_OR_NO


def type_yes(longer: str) -> str:
    """The text before the entry field of a question that is answered with a word."""
    if longer == ANOTHER:
        return f'Type "yes", or "{ANOTHER}" for another secret:'
    return f'Type "yes", or "{longer}" for longer:' if longer else TYPE_YES


#: A pinentry's own second entry field, and its error if the two entries differ.
REPEAT_LABEL = "Again:"
REPEAT_DIFFERS = "The two entries are not the same."


def entry_label(label: str, emacs: bool = False) -> str:
    """Return the label of an entry field, as the prompt shows it.

    :param emacs: whether Emacs must recognize the label: otherwise it shows the input
        (``comint-password-prompt-regexp``).
    """
    if emacs:
        kind, _, name = label.partition(" for ")
        if kind in (_SECRET, _TOKEN):
            label = f"Password for {name}"
        elif "assword" in label:
            label = f"Enter the {label[:1].lower()}{label[1:]}"
        elif kind != _USERNAME:
            label = f"Password for {label}"
    return f"{label}:"


def again_label(label: str) -> str:
    """Return the label of the second of two entries."""
    return f"{label} (again)"


def passed_over(why: str, missing: str) -> str:
    """Return the line which says that the terminal asks in place of a pinentry that can't.

    :param missing: the variables that name a screen that is not there.
    """
    note = f" ({missing} names no screen)" if missing else ""
    return f"{TITLE}: {why}{note}. Asking on the terminal:"


def slow(name: str, seconds: float) -> str:
    """Return the line about a pinentry that is slow to answer secretly itself."""
    return f"waiting for {name}, which has not answered yet. It has {seconds:.0f} s"


# -- the use of a stored secret --------------------------------------------------


def place(origin: str) -> str:
    """Return the name of the place that a secret comes from, by its origin."""
    return {"keychain": "your keychain", "memory": "memory"}.get(origin, f"{origin}://")


def confirm_use_text(name: str, where: str, purpose: str) -> str:
    """Return the question before a stored secret is used, with what it is for."""
    return f"Use {name} from {where} for this?\n\n{purpose}".strip()


def used_before(name: str, minutes: int) -> str:
    """Say that the same upload had this secret a while ago, and then what to do if that failed."""
    ago = f"{minutes} minute{'' if minutes == 1 else 's'} ago" if minutes else "a moment ago"
    return f"This upload got {name} {ago}. If the index refused it"


def may_replace(used: str) -> str:
    """The line in a dialog that offers to replace the stored secret.

    :param used: that the same upload had it before.
    """
    return f'{used}, type "{ANOTHER}" to replace it.'


def replaces(name: str) -> str:
    """The line above the prompt for a secret that takes the place of the stored one."""
    return f"What you enter replaces the stored secret {name}."


def purpose(command: str, name: str, program: str) -> str:
    """Which command wants which secret, and the program's real path."""
    return f"secretly: {command} wants {name}\nprogram: {program}"


#: How many bytes the lines may have that say who asks and why.
CALLER_LIMIT = 160


def asked_by_line(who: str) -> str:
    """The line with the programs that led to this question."""
    return f"asked by: {who}"


def reason_line(reason: str) -> str:
    """The line with the reason that the caller gave; empty without one.

    It has at most half of what both lines may have. The caller can't end the quotation.
    """
    text = " ".join(escape(" ".join(reason.split())).replace('"', "'").split())
    said = f'reason, in its own words: "{text}"'
    while len(said.encode()) > CALLER_LIMIT // 2:
        text = shorten(text, len(text) - 1)
        said = f'reason, in its own words: "{text}"'
    return said if text else ""


# -- resolving and the library: who asks, and for what ---------------------------


def title(position: str = "") -> str:
    """Return a dialog's title, with the secret's number where the user types several."""
    return f"{TITLE} ({position})" if position else TITLE


def wants(program: str, name: str, description: str = "") -> str:
    """Return who wants which secret, and the caller's own description."""
    return "\n\n".join(filter(None, (f"{TITLE}: {program} wants {name}", description)))


def asks(program: str, question: str, description: str = "") -> str:
    """Return who asks which question, and the caller's own description."""
    return "\n\n".join(filter(None, (f"{TITLE}: {program} asks: {question}", description)))


def set_purpose(name: str) -> str:
    """What ``secretly set`` does with a secret."""
    return f"{TITLE} set stores {name} in your keychain"


def missing_purpose(name: str, variables: str) -> str:
    """What ``secretly set --missing`` does with a secret.

    :param variables: the variables that it is for.
    """
    return f"{set_purpose(name)}, for {variables}"


def get_purpose(name: str) -> str:
    """What ``secretly get`` does with a secret."""
    return f"{TITLE} get prints {name}"


def show_purpose(name: str) -> str:
    """What ``secretly token show`` does with a token."""
    return f"{TITLE} token show reads {name}"


def narrow_purpose(name: str) -> str:
    """What ``secretly token narrow`` does with a token."""
    return f"{TITLE} token narrow prints a weaker token made from {name}"


# -- a password manager's vault --------------------------------------------------

MASTER_PASSWORD = "Master password"
DATABASE_PASSWORD = "Database password"
ACCOUNT_PASSWORD = "Account password"
WRONG_PASSWORD = "That was not the right password."


def unlock_text(purpose: str, wanted_by: str = "") -> str:
    """Why a vault's password is needed: *purpose* says what is locked, *wanted_by* for what."""
    return "\n\n".join(
        filter(None, (wanted_by, f"{purpose}. secretly needs a secret from this vault."))
    )
