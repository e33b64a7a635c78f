"""Records behave like frozen dataclasses."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from secretly.record import Record, computed


class Point(Record):
    """A record with three fields, two of them with a default."""

    x: int
    y: int = 2
    z: int = 3


def test_fields_are_given_in_order_or_by_name() -> None:
    """A field that is not given has its default."""
    assert Point(1, z=5) == Point(x=1, y=2, z=5)
    assert (Point(1).x, Point(1).y) == (1, 2)


@pytest.mark.parametrize("values", [(), (1, 2, 3, 4)])
def test_too_few_or_too_many_fields_are_an_error(values: tuple[int, ...]) -> None:
    """As with any function."""
    with pytest.raises(TypeError, match="Point"):
        Point(*values)


def test_a_wrong_name_is_an_error() -> None:
    """An unknown field is an error, and so is one that is given twice."""
    with pytest.raises(TypeError, match="takes x, y, z"):
        Point(1, w=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes x, y, z"):
        Point(1)._replace(w=2)
    with pytest.raises(TypeError, match="twice"):
        Point(1, x=2)  # type: ignore[misc]


def test_a_record_does_not_change() -> None:
    """A copy may differ."""
    point = Point(1)
    with pytest.raises(AttributeError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del point.x
    assert point._replace(x=2) == Point(2)
    assert point == Point(1)


def test_equal_records_have_the_same_hash() -> None:
    """Records of different classes are never equal."""

    class Other(Record):
        x: int
        y: int = 2
        z: int = 3

    assert len({Point(1), Point(1, 2), Point(2)}) == 2
    assert Point(1) != Other(1)


def test_a_record_that_is_a_part_of_itself_has_a_repr() -> None:
    """Once inside of itself, it is shown as dots."""
    parts: list[Any] = []
    one = Point(1, parts)  # type: ignore[arg-type]
    parts.append(one)
    assert repr(one) == "Point(x=1, y=[...], z=3)"


def test_the_repr_shows_the_fields() -> None:
    """It looks like the call that makes the record."""
    assert repr(Point(1)) == "Point(x=1, y=2, z=3)"


def test_a_function_may_be_a_default() -> None:
    """It is a value, not a method."""

    class Call(Record):
        what: object = len

    class Other(Record):
        what: object = lambda value: value * 2

    assert Call().what is len
    assert Other().what(2) == 4  # type: ignore[operator]


def test_a_subclass_has_the_fields_of_both() -> None:
    """As with any class that is derived from another."""

    class Place(Point):
        name: str = "here"
        z: int = 9

    assert repr(Place(1, z=4)) == "Place(x=1, y=2, z=4, name='here')"
    assert Place(1).z == 9


def test_a_type_that_only_checkers_know_is_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.14 evaluates annotations when they are read. Older ones use its module here."""

    class Lazy(type):
        @property
        def __annotations__(cls) -> Any:
            raise NameError("Reactor")

    def forward(cls: type, *, format: str) -> dict[str, object]:
        assert format == "FORWARDREF"
        return {"reactor": object()}

    format_names = SimpleNamespace(FORWARDREF="FORWARDREF")
    lib: Any = SimpleNamespace(get_annotations=forward, Format=format_names)
    monkeypatch.setitem(sys.modules, "annotationlib", lib)

    class Waiting(Record, metaclass=Lazy):
        reactor = 1

    assert Waiting(2)._asdict() == {"reactor": 2}  # type: ignore[call-arg]
    assert Waiting() == Waiting(1)  # type: ignore[call-arg]


def test_fields_are_found_without_the_future_import() -> None:
    """Annotations that are values, or that Python 3.14 evaluates late, are the same fields."""
    namespace: dict[str, Any] = {"Record": Record}
    exec(
        compile("class Late(Record):\n    x: int\n    y: int = 2", "late", "exec", 0, True),
        namespace,
    )
    assert repr(namespace["Late"](1)) == "Late(x=1, y=2)"


def test_a_copy_computes_anew_what_depends_on_its_fields() -> None:
    """What the first record has computed is not taken over."""

    class Text(Record):
        text: str

        @computed
        def length(self) -> int:
            return len(self.text)

    first = Text("a")
    assert first.length == 1
    assert first._replace(text="ab").length == 2
    assert first == Text("a")
