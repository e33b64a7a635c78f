"""``~/.aws/credentials``: the long-lived pair of the default profile."""

from __future__ import annotations

from ...redacted import Secret
from ...text import escape
from .. import ini
from ..finding import Document, FileKind, Finding, Parsed
from ..naming import secret_of

_ID, _SECRET = "aws_access_key_id", "aws_secret_access_key"
_TEMPORARY = ("aws_session_token", "aws_security_token")


def find(document: Document) -> list[Finding]:
    """The secret keys of all profiles."""
    values = ini.parse(document.data)
    return [
        _finding(document, values, section)
        for section, key in values
        if key == _SECRET and values[section, key]
    ]


def _finding(document: Document, values: Parsed, section: str) -> Finding:
    secret = ini.find_key(document.data, section, _SECRET)
    found = [secret, ini.find_key(document.data, section, _ID)]
    identifier = values.get((section, _ID), "")
    cuts = tuple(one[1] for one in found if one)
    return Finding(
        f"[{escape(section)}] {_ID} and {_SECRET}",
        secret[0] if secret else 0,
        Secret(values[section, _SECRET]),
        "AWS key",
        secret_of("aws", document.configuration),
        identifier or None,
        cuts,
        ((section, _ID), (section, _SECRET)),
        problem=_problem(values, section, len(cuts)),
        command="secretly run aws …",
        revoke="in AWS's console: IAM, Security credentials (deactivate the key)",
    )


def _problem(values: Parsed, section: str, cuts: int) -> str:
    identifier = values.get((section, _ID), "")
    if section != "default":
        return "aws ignores variables with --profile: secretly can't take this profile's place yet"
    if identifier.startswith("ASIA") or any((section, key) in values for key in _TEMPORARY):
        return "it is temporary: it ends without you"
    if cuts != 2 or not identifier:
        return "half of the pair is not there"
    return ""


KINDS = [
    FileKind(
        "AWS's credentials",
        ("$AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", "$AWS_CONFIG_FILE", "~/.aws/config"),
        (),
        find,
        ini.parse,
    )
]
