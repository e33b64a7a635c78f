"""Signs of a secret: the variable's name, the token's shape."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from ..config.model import Configuration
from ..reference import SHAPES, shape

__all__ = ["IN_URL", "PERHAPS", "assess", "is_example", "known_variables", "shape_of"]

#: The kind of a value that only the name of its variable gives away.
PERHAPS = "perhaps a secret, by its name"

#: The kind of a value with a URL that has a password.
IN_URL = "password or token in a URL"

_NAMED = re.compile(
    r"(?:^|_)(?:TOKEN|API_?KEY|ACCESS_KEY|AUTH_KEY|SECRET|SECRET_KEY|SIGNING_KEY|ENCRYPTION_KEY"
    r"|PRIVATE_KEY|PASSWORD|PASSWD|PASSPHRASE|PWD|PASS|PAT|DSN)$|PASSWORD$|^SSHPASS$"
)
_NOT_NAMED = re.compile(
    r"_(?:FILE|PATH|DIR|CMD|COMMAND|URL|URI|NAME|ID|TTL|EXPIRATION|EMAIL|USERNAME|USER|FD|SID)$"
    r"|^(?:OLD)?PWD$"
)

#: A URL with a password or a token in it; a URL that anyone may post to who knows it.
_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://(?:[^\s/:@'\"]*:[^\s/:@'\"]+|[^\s/:@'\"]{20,})@"
    r"|https://(?:hooks\.slack\.com/(?:services|workflows)|[\w.]*discord(?:app)?\.com/api/webhooks"
    r"|[\w.-]+/webhookb2)/[\w/-]{12,}"
)
_PLACEHOLDER = re.compile(
    r"your|xxx|change|example|placeholder|replace|dummy|redacted|insert|todo|secret_?here"
    r"|^<|>$|here$|^\.\.\.|\*{3}|\.\.\.$|^(?:none|null|true|false|password|secret|token|test)$",
    re.IGNORECASE,
)

_EXAMPLE = re.compile(r"\.(?:example|sample|template|dist|tmpl|tpl)(?:\.|$)", re.IGNORECASE)


def is_example(name: str) -> bool:
    """Whether a file is an example, by its name: ``.env.example``."""
    return _EXAMPLE.search(name) is not None


@functools.cache
def _shapes() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(shape(marks, pattern))) for kind, marks, pattern in SHAPES)


def shape_of(text: str) -> str:
    """The kind of token that is in a text, by its shape; empty if none is."""
    for kind, pattern in _shapes():
        if found := pattern.search(text):
            if kind == "key in PEM" and "PRIVATE KEY" not in text[found.start() :][:60]:
                continue
            return "" if _PLACEHOLDER.search(text[found.start() : found.start() + 40]) else kind
    if (found := _URL.search(text)) and not _stands_in(found[0]):
        return IN_URL
    return ""


def _stands_in(url: str) -> bool:
    """Whether the password in a URL is a variable or a word of an example."""
    secret = url.partition("://")[2].rpartition("@")[0].rpartition(":")[2]
    words = ("password", "pass", "pw", "secret", "postgres", "root", "user", "token")
    return "$" in url or "{" in url or secret.lower() in words or bool(_PLACEHOLDER.search(secret))


def known_variables(configuration: Configuration) -> dict[str, str]:
    """The variables that known commands read secrets from, each with the secret's name.

    Where the index and the project choose the secret, the name is empty.
    """
    found: dict[str, str] = {}
    for command in configuration.commands:
        row = configuration.commands[command]
        names = [name for name in row.secrets.values() if "#" not in name] or [""]
        for variable, name in row.secrets.items():
            if "#" not in name and "{" not in variable:
                found.setdefault(variable, name)
        for variable in row.alternatives:
            if "{" not in variable:
                found.setdefault(variable, names[0])
        for variable in filter(_is_secrets, row.removes):
            found.setdefault(variable, variable)
    return found


def assess(variable: str, value: str, known: Mapping[str, str]) -> str:
    """What kind of secret a variable holds, in words; empty if it seems to hold none.

    :param known: the variables of the known commands.
    """
    if _is_plain(value):
        return ""
    if kind := shape_of(value):
        return kind
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        return ""
    if variable in known:
        return f"secret of {known[variable]}" if known[variable] else "token for an index"
    return PERHAPS if _is_secrets(variable) else ""


def _is_secrets(variable: str) -> bool:
    """Whether a variable's name is that of a secret."""
    upper = variable.upper()
    return _NAMED.search(upper) is not None and not _NOT_NAMED.search(upper)


def _is_plain(value: str) -> bool:
    """Whether a value can't be a secret, whatever its variable is called."""
    return (
        len(value) < 6
        or value.startswith(("$", "`", "/", "~", "./", "(", "op://", "secretly://"))
        or "$(" in value
        or "`" in value
        or "${" in value
        or value.isdigit()
        or _PLACEHOLDER.search(value) is not None
    )
