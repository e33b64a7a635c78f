"""Files that hold one token and nothing else. The whole file goes."""

from __future__ import annotations

import functools

from ...redacted import Secret
from ...text import shell_quote
from ..finding import Cut, Document, FileKind, Finding
from ..lines import BOM, decoded
from ..naming import command_with, secret_of


def find_token(
    document: Document, name: str = "", command: str = "", variable: str = ""
) -> list[Finding]:
    """The token, if the file is one line without blanks.

    :param name: the name to store it under; empty: that of *command*.
    :param variable: the variable that gets the token somewhere, if that is known.
    """
    command = command or (command_with(variable, document.configuration) if variable else "")
    text = decoded(document.data.removeprefix(BOM)).strip()
    if not text or len(text.split()) != 1 or len(text) > 4096:
        return []
    stored = name or (secret_of(command, document.configuration) if command else "")
    option = f"-e {variable or 'VARIABLE'}={shell_quote(stored or 'NAME')}"
    return [
        Finding(
            "the whole file",
            1,
            Secret(text),
            "bare token",
            stored,
            None,
            (Cut(0, len(document.data)),),
            problem="" if stored else "add --as NAME: the name to store it under",
            command=f"secretly run {command or option} …",
            revoke=f"at {stored}" if command else "where you got it",
        )
    ]


def token_file(name: str, variable: str = "") -> FileKind:
    """A file whose only content is a token of that name."""
    find = functools.partial(find_token, name=name, variable=variable)
    return FileKind("token file", (), (), find, whole=True)


def _of(command: str, *usual: str) -> FileKind:
    find = functools.partial(find_token, command=command)
    return FileKind(f"token file of {command}", usual, (), find, whole=True)


KINDS = [
    _of("hf", "$HF_TOKEN_PATH", "$HF_HOME/token", "~/.cache/huggingface/token"),
    _of("vault", "~/.vault-token"),
]
