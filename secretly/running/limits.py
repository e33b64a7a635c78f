"""How a PyPI token is limited for a command whose upload secretly can't see."""

from __future__ import annotations

from ..config.model import Entry
from ..record import Record
from ..redacted import Secret
from ..text import escape, format_time, shell_quote, shorten

#: How long such a token is good, in seconds.
LIFETIME = 3600.0

#: The start of every token. What does not have it anywhere is not looked at further, as that would
#: take time to load.
_PREFIX = "pypi-"


class TokenLimits(Record):
    """The limits of the tokens of one run.

    :param command: the command's name, escaped.
    :param projects: the only projects, normalized; empty: the token is not limited to any.
    """

    command: str
    projects: tuple[str, ...] = ()

    def applies(self, value: Secret | None, entry: Entry) -> bool:
        """Whether the command gets a token that is made from this secret.

        :param value: None if the user has not typed it yet.
        """
        if not entry.narrow and not self.projects:
            return False
        if value is None:
            return entry.prefix == _PREFIX
        if _PREFIX not in value:
            return False
        from ..publishing.pypi_token import is_pypi_token

        return is_pypi_token(value)

    def describe(self, value: Secret | None, entry: Entry) -> str:
        """What the command gets, in lines for the prompt; empty if it gets the secret as it is."""
        if not self.applies(value, entry):
            return ""
        from ..asking import upload_wording

        count = len(self.projects) or None
        lines = [upload_wording.limits_line(count, LIFETIME / 60, certain=True)]
        if self.projects:
            named = shorten(", ".join(self.projects), 200)
            lines = [
                upload_wording.project_line(escape(named)),
                *lines,
                upload_wording.note_line(upload_wording.UNSEEN),
            ]
        return "\n".join(lines)

    def inspect(self, value: Secret, entry: Entry) -> None:
        """Refuse a token that can't be limited.

        :raises BadToken: if it is malformed, or only a part of the secret.
        :raises Refused: if it is for another project or another time.
        """
        if self.applies(value, entry):
            from ..errors import BadToken
            from ..publishing import token_use

            try:
                scope = token_use.read_scope(value, entry)
            except BadToken as error:
                name = escape(entry.name)
                raise BadToken(
                    str(error), f'{error.hint}; to pass it on: [secrets."{name}"] narrow = false'
                ) from None
            token_use.check_scope(scope, entry, self.projects)

    def narrowed(self, value: Secret, entry: Entry, now: float) -> Secret:
        """The token for the command; the secret itself if the limits don't apply to it.

        :param now: the time, in seconds since 1970.
        """
        if not self.applies(value, entry):
            return value
        from ..publishing import pypi_token, token_use

        return pypi_token.narrow(
            value,
            not_before=int(now) - token_use.SKEW,
            expires=int(now + LIFETIME),
            projects=self.projects or None,
        )

    def said(self, token: Secret, name: str) -> str:
        """The line about the command's token.

        :param name: the name of the secret.
        """
        from ..asking import upload_wording
        from ..publishing.pypi_token import token_scope

        got = token_scope(token)
        until = "" if got.expires is None else format_time(got.expires)
        if self.projects:
            named = shorten(escape(", ".join(sorted(got.projects or ()))), 200)
            return upload_wording.gets_token(self.command, named, until)
        return upload_wording.gets_limited_token(self.command, shell_quote(name), until)
