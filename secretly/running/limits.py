"""Limit a PyPI token for a command whose upload secretly can't see."""

from __future__ import annotations

from ..asking import upload_wording
from ..config.model import Entry
from ..errors import BadToken
from ..redacted import Secret
from ..text import escape, format_time, shell_quote, shorten

#: How long such a token is good, in seconds.
LIFETIME = 3600.0

__all__ = ["LIFETIME", "describe", "inspect", "narrow", "said"]


def describe(projects: tuple[str, ...]) -> str:
    """What the command gets, in lines for the prompt.

    :param projects: the only projects, normalized; empty: the token is not limited to any.
    """
    count = len(projects) or None
    line = upload_wording.limits_line(count, LIFETIME / 60, certain=True)
    if not projects:
        return line
    named = shorten(", ".join(projects), 200)
    project = upload_wording.project_line(escape(named))
    return "\n".join([project, line, upload_wording.note_line(upload_wording.UNSEEN)])


def inspect(value: Secret, entry: Entry, projects: tuple[str, ...]) -> None:
    """Refuse a token that can't be limited.

    :raises BadToken: if it is malformed, or only a part of the secret.
    :raises Refused: if it is for another project or another time.
    """
    from ..publishing import token_use

    try:
        scope = token_use.read_scope(value, entry)
    except BadToken as error:
        name = escape(entry.name)
        raise BadToken(
            str(error), f'{error.hint}; to pass it on: [secrets."{name}"] narrow = false'
        ) from None
    token_use.check_scope(scope, entry, projects)


def narrow(value: Secret, projects: tuple[str, ...], now: float) -> Secret:
    """The token for the command.

    :param now: the time, in seconds since 1970.
    """
    from ..publishing import pypi_token, token_use

    return pypi_token.narrow(
        value,
        not_before=int(now) - token_use.SKEW,
        expires=int(now + LIFETIME),
        projects=projects or None,
    )


def said(token: Secret, name: str, command: str, projects: tuple[str, ...]) -> str:
    """The line about the command's token.

    :param name: the name of the secret.
    :param command: the command's name, escaped.
    """
    from ..publishing.pypi_token import token_scope

    got = token_scope(token)
    until = "" if got.expires is None else format_time(got.expires)
    if projects:
        named = shorten(escape(", ".join(sorted(got.projects or ()))), 200)
        return upload_wording.gets_token(command, named, until)
    return upload_wording.gets_limited_token(command, shell_quote(name), until)
