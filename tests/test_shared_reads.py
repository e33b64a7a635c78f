"""Calls that want items at the same time share a read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from secretly.keeping.shared_reads import SharedReads, WaitingCall

Item = tuple[str, str]

#: How long a test waits at most, in seconds.
PATIENCE = 20.0


class Reader:
    """Reads each item as its name, and lets a test act while it does.

    :param meanwhile: is called with what is read, before the read ends.
    :ivar reads: what each read was for, at its end.
    """

    def __init__(self, meanwhile: Callable[[Sequence[Item]], object] = len) -> None:
        self.meanwhile = meanwhile
        self.reads: list[list[Item]] = []

    def read(self, wanted: Sequence[Item], seconds: float) -> list[str]:
        self.meanwhile(wanted)
        self.reads.append(list(wanted))
        return [name for name, _ in wanted]


class Answers:
    """What calls were answered."""

    def __init__(self, count: int) -> None:
        self._came, self._count = threading.Event(), count
        self.given: dict[str, Any] = {}

    def call(self, *names: str, seconds: float = PATIENCE) -> WaitingCall:
        def done(answer: Any) -> None:
            self.given[" ".join(names)] = answer
            if len(self.given) == self._count:
                self._came.set()

        return WaitingCall([(name, "ada") for name in names], time.monotonic() + seconds, done)

    def wait(self) -> dict[str, Any]:
        assert self._came.wait(PATIENCE)
        return self.given


def test_calls_for_other_items_join_a_read() -> None:
    """Each gets its own items."""
    shared, answers = SharedReads(), Answers(3)

    def meanwhile(wanted: Sequence[Item]) -> None:
        if len(wanted) == 2:
            shared.add(answers.call("c", "d"), reader.read)
            shared.add(answers.call("e"), reader.read)

    reader = Reader(meanwhile)
    shared.add(answers.call("a", "b"), reader.read)
    assert answers.wait() == {
        "a b": (["a", "b"], None),
        "c d": (["c", "d"], None),
        "e": (["e"], None),
    }
    assert reader.reads == [[(name, "ada") for name in "abcde"]]


def test_a_call_gets_what_was_stored_before_it_began() -> None:
    """An item that a read has searched for already is read once more, with others for that read."""
    shared, answers = SharedReads(), Answers(4)
    stored = {"a": "old"}

    class Storing(Reader):
        def read(self, wanted: Sequence[Item], seconds: float) -> list[str]:
            found = [stored.get(name, name) for name, _ in wanted]
            if len(self.reads) == 0:
                stored["a"] = "new"
                for names in ("a", "b", "c a"):
                    shared.add(answers.call(*names.split()), self.read)
            super().read(wanted, seconds)
            return found

    reader = Storing()
    shared.add(answers.call("a", "x"), reader.read)
    assert answers.wait() == {
        "a x": (["old", "x"], None),
        "a": (["new"], None),
        "b": (["b"], None),
        "c a": (["new" if name == "a" else name for name in "ca"], None),
    }
    assert len(reader.reads) == 2


def test_what_comes_too_late_for_a_read_is_read_next() -> None:
    """As when a call joins while the values of a read are got already."""
    shared, answers = SharedReads(), Answers(2)

    class Late(Reader):
        def read(self, wanted: Sequence[Item], seconds: float) -> list[str]:
            found = super().read(wanted, seconds)
            if len(self.reads) == 1:
                shared.add(answers.call("a", "b"), self.read)
            return found

    reader = Late()
    shared.add(answers.call("a"), reader.read)
    assert answers.wait() == {"a": (["a"], None), "a b": (["a", "b"], None)}
    assert reader.reads == [[("a", "ada")], [("a", "ada"), ("b", "ada")]]


def test_a_read_has_a_limit() -> None:
    """A program that goes on asking gets answers. One call's items are read together."""
    count = 600
    shared, answers = SharedReads(), Answers(3)

    def meanwhile(wanted: Sequence[Item]) -> None:
        if not reader.reads and len(wanted) == 1:
            shared.add(answers.call(*map(str, range(count))), reader.read)
            shared.add(answers.call("next"), reader.read)

    reader = Reader(meanwhile)
    shared.add(answers.call("first"), reader.read)
    answers.wait()
    assert [len(read) for read in reader.reads] == [1 + count, 1]


def test_only_the_calls_whose_time_has_passed_get_a_timeout() -> None:
    """A call that came later, or has more time, is read for once more."""
    shared, answers = SharedReads(), Answers(2)

    class Silent(Reader):
        def read(self, wanted: Sequence[Item], seconds: float) -> list[str]:
            if not self.reads:
                shared.add(answers.call("b"), self.read)
                self.reads.append(list(wanted))
                time.sleep(max(0.0, seconds))
                raise TimeoutError
            return super().read(wanted, seconds)

    reader = Silent()
    shared.add(answers.call("a", seconds=0.01), reader.read)
    given = answers.wait()
    assert isinstance(given["a"][1], TimeoutError)
    assert given["b"] == (["b"], None)
    assert reader.reads[1:] == [[("b", "ada")]]


def test_a_thread_that_cannot_start_is_the_callers_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call tries again, and is answered with it."""
    shared, answers, reader = SharedReads(), Answers(2), Reader()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            shared.add(answers.call("a"), reader.read)
    shared.add(answers.call("b"), reader.read)
    assert answers.wait() == {"a": (["a"], None), "b": (["b"], None)}
    assert len(reader.reads) == 1
