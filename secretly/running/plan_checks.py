"""Refuse variables that must not get a secret, or must not be set together with one."""

from __future__ import annotations

from ..config.values import steers
from ..errors import Refused
from ..text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from ..config.model import Command
    from ..publishing.upload import Upload
    from .delivery import Delivery
    from .plain import PlainVariable

#: The loader's variables, and those that a shell reads before its first line; ENV most often
#: means something else.
_LOADING = tuple("LD_ DYLD_ BASH_ENV".split())


def check(
    row: Command,
    plain: Mapping[str, PlainVariable],
    secrets: Sequence[Delivery],
    *,
    upload: Upload | None,
    uploads: bool,
) -> None:
    """Refuse variables that must not get a secret, or must not be set together with a secret.

    :param row: what is known of the command, with its variables named as they are for this index.
    :param plain: the variables with a plain text.
    :param uploads: whether the prompt shows an upload.
    :raises Refused: for an env file that :func:`_check_env_file` refuses; for a variable that
        steers an upload, as the dialog can't show what secretly hasn't looked up yet; for two
        secrets of which the tool would send one.
    """
    _check_env_file(plain, uploads)
    if not (uploads and row.name):
        return
    delivered = {name: secret for secret in secrets for name in secret.by.variables}
    if upload is not None:
        filled = {name for name, variable in plain.items() if variable.value}
        _check_credential(row, upload, delivered, filled)
    first = next(iter(row.secrets), "")
    of_row = {*row.secrets, *row.alternatives, *row.removes, row.username}
    for name in sorted(delivered.keys() - of_row):
        if _steers(upload, name):
            if {"AUTH", "PASSWORD", "TOKEN"}.intersection(name.upper().split("_")):
                raise Refused(
                    f"{escape(row.name)} doesn't read {escape(name)} for the upload itself",
                    f"it reads {escape(first)}; for another use, set {escape(name)} in the shell",
                )
            raise Refused(
                f"can't set {escape(name)} from a reference: it steers what {escape(row.name)} "
                "does, and you couldn't see where the upload goes",
                f"set {escape(name)} to its plain value",
            )


def _check_credential(
    row: Command, upload: Upload, delivered: Mapping[str, Delivery], filled: Container[str]
) -> None:
    """Refuse secrets of which it isn't certain what the tool would send.

    :param delivered: the variables with secrets.
    :param filled: the variables that this run sets to a plain text.
    :raises Refused: for two in the tool's own variables, for a user name next to a token in a
        variable of its own, and for a password that is made of several secrets, whose user name
        nobody knows.
    """
    tool, password = escape(row.name), [*row.secrets][:1]
    credentials = dict.fromkeys((*password, *row.alternatives))
    own = [name for name in credentials if name in delivered or name in filled]
    if len(own) > 1 and not delivered.keys().isdisjoint(own):
        raise Refused(
            f"{escape(own[0])} and {escape(own[1])} would both get a secret, and {tool} sends one",
            f"give the secret to {escape(own[0])} alone",
        )
    tokens = [] if own == password else [n for n in row.alternatives if upload.has_secret(n)]
    if row.username and row.username in delivered and tokens:
        raise Refused(
            f"{tool} sends no user name from {escape(row.username)} with {escape(tokens[0])}",
            f"leave out {escape(row.username)}, or use {escape(password[0])}",
        )
    several = [n for n in password if n in delivered and len(delivered[n].requests) > 1]
    if several and row.username and row.username not in delivered and not upload.knows_username:
        raise Refused(
            f"{escape(several[0])} is made of several secrets, so {tool} would get no user name",
            f"export {escape(row.username)} with one, or put the whole text into one secret",
        )


def _steers(upload: Upload | None, name: str) -> bool:
    """Whether a variable steers an upload."""
    if upload is not None and upload.steers(name):
        return True
    from ..publishing.steering import could_steer  # only publishing commands pay for loading it

    return could_steer(name)


def _changes_trust(name: str) -> bool:
    """Whether a variable says which certificates a publishing tool trusts."""
    from ..publishing.steering import changes_trust

    return changes_trust(name)


def _check_env_file(plain: Mapping[str, PlainVariable], uploads: bool) -> None:
    """Refuse env files that have another program get the secret than the user means.

    ``PATH`` and ``PYTHONPATH`` are usual in a project's file. But a user who agrees to an
    upload agrees to this program as it is, and to this index.

    :raises Refused: if one does.
    """
    for name in (name for name, variable in plain.items() if variable.is_from_file):
        does = ""
        if name.upper().startswith(_LOADING) or (uploads and name != "ENV" and steers(name)):
            does = "changes how programs load"
        elif uploads and _changes_trust(name):
            does = "changes whom programs trust"
        if does:
            raise Refused(
                f"the env file sets {escape(name)}, which {does}: not allowed next to a secret",
                f"remove it from the file; if you mean it, export {escape(name)} in the shell",
            )
