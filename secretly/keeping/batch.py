"""Many items that are read together.

The next search is written, and the last answer is read, while the service works: a thousand
items take as long as the service itself does.
"""

from __future__ import annotations

from . import dbus_messages

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from . import dbus

__all__ = ["call_each", "stored_once"]


def call_each(
    bus: dbus.Connection,
    target: dbus_messages.Target,
    member: str,
    types: tuple[str, str],
    calls: Iterable[Sequence[object]],
) -> list[tuple[Any, ...] | None]:
    """Call a method with each of these values; each call waits for the answer to the one before.

    :param types: what the method returns, and what it takes.
    :returns: what each call returned: None if that was an error.
    """
    returns, signature = types
    found: list[tuple[Any, ...] | None] = []
    waiting = False
    for values in calls:
        message = dbus_messages.call_message(bus.serial + 1, target, member, signature, values)
        answer = bus.answer() if waiting else b""
        bus.send_call(message)
        if waiting:
            found.append(bus.returned(answer, target, returns, before=1))
        waiting = True
    if waiting:
        found.append(bus.returned(bus.answer(), target, returns))
    return found


def stored_once(paths: Iterable[str], stored: Iterable[str]) -> frozenset[str]:
    """Return the items that keyring stored, and that one search alone found.

    The search that found an item says what its service and its user name are. Another search,
    for keyring's own items, says that :func:`~secretly.keeping.secret_service.is_own` holds. An
    item that several searches found needs a look at its attributes, as does one without a number:
    KeePassXC up to 2.7.0 searches by patterns, and names items by UUIDs.

    :param paths: what each of the searches found.
    :param stored: what the search for keyring's own items found.
    """
    found: dict[str, int] = {}
    for path in paths:
        found[path] = found.get(path, 0) + 1
    once = (path for path in stored if found.get(path) == 1)
    return frozenset(path for path in once if path[path.rindex("/") + 1 :].isdecimal())
