"""Values that hold secrets, and never show them in a repr, a traceback or a pickle."""

from __future__ import annotations

from .text import READ_LIMIT

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any, NoReturn, Self, SupportsIndex

__all__ = [
    "NotASecret",
    "Secret",
    "is_cut_short",
    "is_sealed",
    "to_secret",
]


class Secret(str):
    """A secret: a :class:`str` that keeps out of logs, tracebacks and pickles.

    Most of the ways in which a value leaks go through :func:`repr`: tracebacks
    with captured locals, the ``repr`` of a Future, a dataclass, a Deferred.
    ``str()`` and formatting are plain, so that it can be used. A slice is a secret too: printers
    of tracebacks, such as rich's, show the beginning of a long text.

    >>> Secret("canary-1")
    Secret('…')
    >>> str(Secret("canary-1"))
    'canary-1'

    .. versionadded:: 1.0
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"

    def __getitem__(self, key: SupportsIndex | slice) -> Self:
        return type(self)(str.__getitem__(self, key))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret is not pickled: pickles end up in files")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let models of pydantic have secrets. JSON hides them, as it does pydantic's own."""
        from importlib import import_module

        schemas: Any = import_module("pydantic_core.core_schema")
        hidden = schemas.plain_serializer_function_ser_schema(_stars, when_used="json")
        return schemas.no_info_after_validator_function(
            cls, schemas.str_schema(), serialization=hidden
        )


def _stars(secret: Secret) -> str:
    return "**********" if secret else ""


class NotASecret(ValueError):
    """The text can't be a secret: says why, and never shows the text."""


def to_secret(
    data: bytes | bytearray | str,
    *,
    limit: int | None = READ_LIMIT,
    trim: bool = False,
    nul: bool = False,
) -> Secret:
    r"""Return *data* as a secret if it may be one.

    Bytes must be UTF-8. Text may also have the surrogates that stand for other bytes in
    variables and file names (PEP 383).

    :param limit: how many bytes it may have, the end of the line included; None: any number.
    :param trim: whether it is the text of a file, or the output of a program: a byte order mark
        at its start is removed, and one ``\n`` or ``\r\n`` at its end, and nothing else.
    :param nul: whether it may have a NUL byte, which no environment variable can hold.
    :raises NotASecret: if it may not.

    >>> str(to_secret(b"canary-1\n", trim=True))
    'canary-1'
    """
    try:
        size = len(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
        if limit is not None and size > limit:
            wrong = f"is longer than {limit >> 20} MiB"
        else:
            text = data if isinstance(data, str) else data.decode("utf-8")
            if nul or "\0" not in text:
                return Secret(_trimmed(text) if trim else text)
            wrong = "has a NUL byte in it"
    except UnicodeDecodeError:
        wrong = "is not UTF-8 text"
    except UnicodeEncodeError:
        wrong = "is not Unicode text"
    data = text = ""  # a traceback may show locals
    raise NotASecret(wrong)


def _trimmed(text: str) -> str:
    end = "\r\n" if text.endswith("\r\n") else "\n"
    return text.removeprefix("\ufeff").removesuffix(end)


def is_cut_short(text: str) -> bool:
    """Whether *text* opens a block of several lines, and the block's end is missing.

    These are a key or a certificate in PEM or the form of RFC 4716, the first line of a PuTTY or
    an age key file, and the first line of a JSON object.

    >>> is_cut_short("-----BEGIN PRIVATE KEY-----")
    True
    """
    text = text.strip()
    begins = max(map(text.rfind, ("-----BEGIN ", "---- BEGIN ")))
    if begins >= 0:  # of several blocks, the last may be cut off
        return max(map(text.rfind, ("-----END ", "---- END "))) < begins
    opens = text in ("{", "[") or text.startswith(("PuTTY-User-Key-File-", "# created: "))
    return opens and "\n" not in text


#: How an age file begins, in its text form and in its binary form: https://age-encryption.org/v1
_SEALED = ("-----BEGIN AGE ENCRYPTED FILE-----", "age-encryption.org/")


def is_sealed(text: str) -> bool:
    """Whether *text* begins as an age file: then it is not a secret, but an encrypted one.

    Before the beginning may be invisible text: white space of any kind, a byte order mark.

    >>> is_sealed("-----BEGIN AGE ENCRYPTED FILE-----")
    True
    """
    for beginning in _SEALED:
        before, found, _ = text.partition(beginning)
        if found and not any(letter.isprintable() and letter != " " for letter in before):
            return True
    return False
