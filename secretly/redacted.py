"""Values that hold secrets and show none of it where values are usually shown."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any, NoReturn, Self, SupportsIndex

__all__ = ["Environ", "Secret"]


class Secret(str):
    """A secret: a :class:`str` that keeps out of logs, tracebacks and pickles.

    Most of the ways in which a value leaks go through :func:`repr`: tracebacks
    with captured locals, the ``repr`` of a Future, a dataclass, a Deferred.
    ``str()``, formatting and slices are plain, so that it can be used.

    >>> Secret("canary-1")
    Secret('…')
    >>> str(Secret("canary-1"))
    'canary-1'

    .. versionadded:: 1.0
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret is not pickled: pickles end up in files")


class Environ(dict[str, str]):
    """Environment variables, whose values a traceback with captured locals does not show.

    >>> Environment({"TOKEN": "canary-1"})
    <environment of 1 variables>
    """

    def __repr__(self) -> str:
        return f"<environment of {len(self)} variables>"
