"""References in the values of variables: found, or refused if secretly can't resolve them.

A value is a reference, a text with ``{{ REFERENCE }}`` in it, or a plain text. A plain text
contains nothing that a reader would take for a reference.
"""

from __future__ import annotations

from ..errors import BadReference
from ..record import computed
from ..reference import OWN, parse
from ..resolving.request import SecretRequest
from ..sources import registry
from ..text import escape
from .derived import Composed, Inserted

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping

__all__ = ["ValueReader"]

#: Schemes that are common in plain texts too, so a longer text may contain them.
_PLAIN_INSIDE = frozenset(("env", "file"))

#: The text between braces, where ``${NAME}`` has braces of its own.
_INSIDE = r"(?:\$\{[^{}]*\}|[^{}])*?"

#: A match can't begin after these characters, because the scheme is longer.
_START = r"(?<![A-Za-z0-9+.-])[0-9+.-]*"


class ValueReader:
    """Reads the values of variables.

    :param common: what all requests of a run have in common.
    :param environ: the environment that variables in references come from.
    """

    def __init__(self, common: SecretRequest, environ: Mapping[str, str]) -> None:
        self._common, self._environ = common, environ

    @computed
    def _readable(self) -> frozenset[str]:
        """The schemes of references that secretly can resolve."""
        return frozenset({*registry.schemes(), OWN})

    @computed
    def _known(self) -> str:
        return _any_of(self._readable)

    @computed
    def _managers(self) -> str:
        return _any_of(self._readable - _PLAIN_INSIDE)

    def names_store(self, text: str) -> bool:
        """Whether a text contains a reference to a store, such as a password manager.

        ``env://`` and ``file://`` don't count: they are common in texts for other programs.
        """
        if "://" in text and _search(rf"{_START}({self._managers})://", text):
            return True
        return _unreadable(text, self._readable) is not None

    def holds_reference(self, text: str) -> bool:
        """Whether a text is a reference, or contains one in braces or one to a store."""
        of_any_kind = rf"(?:\s*|.*\{{\{{\s*)({self._known})://"
        return _match(of_any_kind, text) is not None or self.names_store(text)

    def read(self, text: str, variable: str, where: str) -> SecretRequest | Composed | None:
        """Read the value of a variable; None for a plain text.

        :param where: the place that sets the variable, for messages.
        :raises BadReference: for a reference that can't be read, or would not be resolved.
        """
        try:
            return self._read(text, variable)
        except BadReference as error:
            raise BadReference(
                f"{escape(variable)} in {where}: {error}",
                f"{error.hint}; to pass the text on: --literal {escape(variable)}",
            ) from None

    def read_reference(self, text: str, variable: str) -> SecretRequest | Composed:
        """Read the reference that ``-e`` or the configuration has for a variable.

        :raises BadReference: as :meth:`read`, and for braces that hold no known reference.
        """
        simple = "{{" not in text
        if simple and text.partition("://")[0].lower() in (*registry.SCHEMES, OWN, text.lower()):
            return self._request(text, variable)
        try:
            found = self._read(text, variable)
            if found is None and not simple:
                raise BadReference(
                    "no known reference is in the braces",
                    "write its scheme as well: {{ secretly://NAME }}",
                )
        except BadReference as error:
            raise BadReference(f"{escape(variable)}: {error}", error.hint) from None
        return found or self._request(text, variable)

    def _request(self, text: str, variable: str) -> SecretRequest:
        return self._common._replace(reference=parse(text, self._environ, variable))

    def _read(self, text: str, variable: str) -> SecretRequest | Composed | None:
        if whole := _match(rf"\s*({self._known})://", text):
            if _search(rf"\{{\{{\s*({self._known})://", text):
                raise _bare(whole[1])
            return self._request(text, variable)
        parts = tuple(part for part in self._parts(text, variable) if part != "")
        return Composed(parts) if any(isinstance(part, Inserted) for part in parts) else None

    def _parts(self, text: str, variable: str) -> Iterator[str | Inserted]:
        """The parts of a text that is more than a reference, or a plain text."""
        import re

        pattern = rf"\{{\{{\s*((?:{self._known})://{_INSIDE})\}}\}}"
        end = 0
        for found in re.finditer(pattern, text, re.IGNORECASE | re.ASCII):
            yield self._plain(text[end : found.start()])
            yield self._inserted(found[1], variable)
            end = found.end()
        yield self._plain(text[end:])

    def _inserted(self, inside: str, variable: str) -> Inserted:
        """Read the text between braces: a reference, and perhaps ``| url``."""
        reference, bar, name = inside.partition("|")
        if bar and name.strip() != "url":
            raise BadReference(
                f"unknown '| {escape(name.strip())}' after a reference in braces",
                "only '| url' may be there, which percent-encodes the secret; for an item with "
                "'|' in its name, use its id",
            )
        return Inserted(self._request(reference.strip(), variable), bool(bar))

    def _plain(self, text: str) -> str:
        """Check a text outside of braces, which must not contain a reference."""
        if "://" in text:
            if found := _search(rf"\{{\{{\s*({self._known})://", text):
                raise BadReference(
                    f"the braces around {found[1].lower()}:// don't end", "write {{ REFERENCE }}"
                )
            if found := _search(rf"{_START}({self._managers})://", text):
                raise _bare(found[1])
        if other := _unreadable(text, self._readable):
            start, instead = other
            fix = f"write {instead}://" if instead else "use a store that secretly reads"
            raise BadReference(f"secretly can't read the reference {escape(start)}…", fix)
        return text


def _unreadable(text: str, readable: frozenset[str]) -> tuple[str, str] | None:
    from ..sources import unreadable  # most references are simpler

    return unreadable.find_unreadable(text, readable)


def _any_of(schemes: frozenset[str]) -> str:
    """The pattern of any of these schemes."""
    import re

    return "|".join(map(re.escape, sorted(schemes)))


def _search(pattern: str, text: str) -> re.Match[str] | None:
    import re

    return re.search(pattern, text, re.IGNORECASE | re.ASCII)


def _match(pattern: str, text: str) -> re.Match[str] | None:
    import re

    return re.match(pattern, text, re.IGNORECASE | re.ASCII | re.DOTALL)


def _bare(scheme: str) -> BadReference:
    return BadReference(
        f"the reference {scheme.lower()}://… is in a longer text, so its end is not clear",
        f"write it in braces: {{{{ {scheme.lower()}://… }}}}",
    )
