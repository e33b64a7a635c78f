"""cargo's credentials."""

from __future__ import annotations

from ...redacted import Secret
from ...text import shell_quote
from .. import toml
from ..finding import Document, FileKind, Finding, Key
from ..naming import secret_of


def find(document: Document) -> list[Finding]:
    """The tokens of registries."""
    values = toml.parse(document.data)
    return [
        _finding(document, key, Secret(value))
        for key, value in values.items()
        if key == ("registry", "token")
        or (len(key) == 3 and key[0] == "registries" and key[2] == "token")
    ]


def _finding(document: Document, key: Key, value: Secret) -> Finding:
    line, cut = toml.find_key(document.data, key) or (0, None)
    is_registry = key[0] == "registries"
    name = key[1] if is_registry else secret_of("cargo", document.configuration)
    registry = f" --registry {shell_quote(name)}" if is_registry else ""
    return Finding(
        ".".join(key),
        line,
        value,
        "token for a cargo registry",
        name,
        None,
        (cut,) if cut else (),
        (key,),
        problem="" if cut else "its key is not on a line of its own",
        command=f"secretly run cargo publish{registry}",
        revoke=f"in your account at {name if is_registry else 'the registry, under API Tokens'}",
    )


KINDS = [
    FileKind(
        "cargo's credentials",
        (
            *("$CARGO_HOME/credentials.toml", "$CARGO_HOME/credentials"),
            *("~/.cargo/credentials.toml", "~/.cargo/credentials", "~/.cargo/config.toml"),
        ),
        ("credentials.toml",),
        find,
        toml.parse,
    )
]
