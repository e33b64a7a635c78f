"""The texts of prompts and of consent, all in one place. Tests take them from here.

The functions escape nothing: the caller escapes what comes from outside.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence

#: The title of every dialog.
TITLE = "secretly"

NOT_ACCEPTED = "The secret was not accepted."
NOTHING_ENTERED = "Nothing was entered."
CUT_SHORT = "The secret is only the beginning of several lines."
A_REFERENCE = "The secret is itself a reference."
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


# -- the use of a stored secret --------------------------------------------------


def place(origin: str) -> str:
    """Return the name of the place that a secret comes from, by its origin."""
    return {"keychain": "your keychain", "memory": "memory"}.get(origin, f"{origin}://")


def confirm_use_text(name: str, where: str, purpose: str) -> str:
    """Return the question before a stored secret is used, with what it is for."""
    return f"Use {name} from {where} for this?\n\n{purpose}".strip()


def purpose(command: str, name: str, program: str) -> str:
    """Which command wants which secret, and the program's real path."""
    return f"secretly: {command} wants {name}\nprogram: {program}"


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


# -- an upload -------------------------------------------------------------------

UNKNOWN_PROJECT = "an unknown project"
UNKNOWN_VERSION = "(version not yet known)"
BUILDS_FIRST = "builds first; files not yet known"
BUILD_READS = "build code can read the token; this is safer:"
SAFER = "python -m build, then secretly run twine upload dist/*"
NOT_LIMITED = "token: the stored one; secretly can't limit it"
PLAIN_HTTP = "http: others can read the upload on its way"
SEVERAL_VERSIONS = "files of several versions"
UNVERIFIED = "certificates are not checked"
OWN_CERTIFICATES = "your own certificates"
CLIENT_CERTIFICATE = "a client certificate"
KEYS_IN_A_FILE = "its keys are written to a file"
UNREADABLE = "with an unreadable address"


def upload_line(releases: str, action: str = "upload") -> str:
    """The line with the projects and their versions.

    :param action: what happens to them: ``yank``.
    """
    return f"{action}: {releases or UNKNOWN_PROJECT}"


def index_line(index: str) -> str:
    """The line with the package index."""
    return f"to: {index}"


def user_line(username: str) -> str:
    """The line with the user name that the tool sends."""
    return f"user: {username or '(empty)'}"


def typed_username(usual: str) -> str:
    """The user name of a secret that is typed: that of a token, or the one that is typed next."""
    return f"{usual} for a PyPI token, else the one you type"


def program_line(program: str) -> str:
    """The line with the path of the program that uploads."""
    return f"program: {program}"


def command_line(command: str) -> str:
    """The line with the command as the user typed it."""
    return f"for: {command}"


def note_line(note: str) -> str:
    """A line about something that is unusual."""
    return f"note: {note}"


def launcher_note(launcher: str, tool: str) -> str:
    """A launcher such as ``uv run`` starts the tool."""
    return f"{launcher} starts {tool}, and this project's settings can change how"


def project_code(what: str) -> str:
    """Code of the project's own sees the token."""
    return f"code of this project can read the token: {what}"


def safer(commands: str) -> str:
    """The commands with which no code of the project sees the token."""
    return f"without that code: {commands}"


def chosen_by(place: str) -> str:
    """A settings file, or a variable, chose the registry."""
    return f"the registry is chosen by {place}"


ASKS_FIRST = "the index says where uploads go only to users with a token, so it gets the token, too"


def index_at(host: str, *, gets_token: bool) -> str:
    """The index of a registry is at another host than the one that takes uploads."""
    return f"its index is at {host}" + (", which gets the token, too" if gets_token else "")


def network(what: str) -> str:
    """The user's own settings change the connection."""
    return f"network: {what}"


def proxy(host: str) -> str:
    """The connection goes through a proxy."""
    return f"proxy {host}"


def unread(name: str, count: int) -> str:
    """secretly can't read the project of some files, of which *name* is one."""
    what = name if count == 1 else f"{name} and {count - 1} more"
    return f"can't read the project of {what}, so the token is not limited to a project"


def development_version(version: str) -> str:
    """A version is for development only."""
    return f"{version} is a development version"


def odd_version(version: str) -> str:
    """A version does not follow the rules."""
    return f"{version} is not a valid version (PEP 440)"


def file_facts(size: str, digest: str) -> str:
    """The facts about a file, after its path."""
    return f"{size}, sha256 {digest}"


def files_line(count: int, size: str, digest: str) -> str:
    """The line in place of the files, if the dialog has no room for them."""
    return f"{count} files, {size}, sha256 of their list {digest}"


def packages_line(count: int, digest: str) -> str:
    """What stands for the packages, if the dialog has no room for their names."""
    return f"{count} packages, sha256 of their list {digest}"


def limits_line(projects: int | None, minutes: float, *, certain: bool) -> str:
    """The line about how the token is limited that the tool would get.

    :param projects: the number of its projects; None if they are not known.
    :param minutes: how long it is valid.
    :param certain: only a PyPI token is possible here.
    """
    end = f"{minutes:.0f} minutes"
    limits = f"{'this project' if projects == 1 else 'these projects'} only, {end}"
    if projects is None:
        limits = f"{end}, not limited to a project"
    return f"token: {limits}" if certain else f"PyPI token: {limits}; any other: unchanged"


def project_line(projects: str) -> str:
    """The line with the projects that the user named for a recipe."""
    return f"project: {projects}"


#: secretly does not see what a command does with a token.
UNSEEN = "secretly can't see what is uploaded, or where"


def gets_limited_token(command: str, name: str, until: str) -> str:
    """The line on standard error about the token that another command gets.

    :param name: the secret's name, as a shell reads it.
    :param until: when the token ends.
    """
    return (
        f"{command} gets a token that ends at {until}, not the stored one. For the stored one: "
        f"secretly get {name}, or narrow = false in the configuration"
    )


def gets_token(tool: str, projects: str | None, until: str) -> str:
    """The line on standard error about the token that the tool gets.

    :param projects: the only projects that the token is for; None if they are not known.
    :param until: when the token ends; empty if it does not.
    """
    end = f"until {until}" if until else "that does not expire"
    if projects is None:
        return f"{tool} gets a token {end}, for {UNKNOWN_PROJECT}"
    return f"{tool} gets a token for {projects} only, {end}"
