"""Records: values with named fields that do not change.

dataclasses and NamedTuple do more, but the modules that they load would make each start half as
long again.
"""

from __future__ import annotations

import _thread  # threading is slow to load

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn, Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        return lambda cls: cls


__all__ = ["Record", "computed"]

if TYPE_CHECKING:
    from functools import cached_property as computed
else:

    class computed:
        """A property that is computed once. functools has it, and loads collections."""

        def __init__(self, function: Any) -> None:
            self._function = function
            self.__doc__ = function.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, record: Any, owner: type) -> Any:
            if record is None:
                return self
            value = record.__dict__[self._name] = self._function(record)
            return value


def _annotated(cls: type) -> tuple[str, ...]:
    """The names that a class itself annotates, in order.

    Since Python 3.14 annotations are evaluated when they are read, and a name that is imported
    for type checkers alone is not defined then.
    """
    try:
        return tuple(cls.__annotations__)
    except NameError:
        lib: Any = __import__("annotationlib")
        return tuple(lib.get_annotations(cls, format=lib.Format.FORWARDREF))


#: The records whose repr is being made, each with its thread. reprlib is slow to load.
_shown: set[tuple[int, int]] = set()


@dataclass_transform(frozen_default=True)
class Record:
    """A value whose fields are the annotations of its class, with their defaults.

    >>> class Point(Record):
    ...     x: int
    ...     y: int = 0
    >>> Point(1)._replace(y=2)
    Point(x=1, y=2)
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _field_set: ClassVar[frozenset[str]] = frozenset()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        names, inherited, attributes = _annotated(cls), cls._fields, vars(cls)
        if inherited:
            names = (*inherited, *(name for name in names if name not in inherited))
        defaults = {name: attributes[name] for name in names if name in attributes}
        cls._defaults = {**cls._defaults, **defaults} if inherited else defaults
        cls._fields, cls._field_set = names, frozenset(names)

    def __init__(self, *values: Any, **named: Any) -> None:
        fields, found = self._fields, self.__dict__
        found.update(self._defaults)
        if values:
            count = len(values)
            if count > len(fields) or (named and not named.keys().isdisjoint(fields[:count])):
                raise TypeError(f"{type(self).__name__} was given too many fields, or one twice")
            for at, value in enumerate(values):
                found[fields[at]] = value
        if named:
            found.update(named)
        if len(found) != len(fields) or (named and not self._field_set.issuperset(named)):
            raise TypeError(f"{type(self).__name__} takes {', '.join(fields)}")

    def _values(self) -> tuple[Any, ...]:
        return tuple(map(self.__dict__.__getitem__, self._fields))

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self._values(), strict=True))

    def _replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        found = self.__dict__
        if len(found) > len(self._fields):  # something was computed
            found = self._asdict()
        if not self._field_set.issuperset(changes):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields)}")
        copy = self.__new__(type(self))
        copy.__dict__.update(found, **changes)
        return copy

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} does not change")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._values() == self._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        mine = id(self), _thread.get_ident()
        if mine in _shown:  # it is a part of itself
            return "..."
        _shown.add(mine)
        try:
            shown = (f"{name}={getattr(self, name)!r}" for name in self._fields)
            return f"{type(self).__name__}({', '.join(shown)})"
        finally:
            _shown.discard(mine)
