"""Drive a coroutine without an event loop for as long as that works, then with a small one.

Most runs of the command never need an event loop. So the command drives its coroutine itself: each
request that the coroutine yields waits in place. The first one that can't is left to the command's
own loop.
"""

from __future__ import annotations

from .request import NeedsLoop, Request, Waited

__all__ = ["drive", "drive_in_place"]

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    from .loop import Interruptions

    T = TypeVar("T")


def drive(coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> T:
    """Drive *coroutine* to its end, and return its value.

    When it first waits for longer than a moment, the command's own event loop takes over. Only one
    call in a process can await a Deferred, as Twisted's reactor does not start twice.
    """
    done, returned = _advance(coroutine, interruptions)
    if not done:
        try:
            from .poll_loop import PollLoop

            loop = PollLoop()
        except BaseException:  # there may be no descriptor left
            coroutine.close()
            raise
        return loop.run(coroutine, interruptions)
    value: T = returned
    return value


def drive_in_place(
    coroutine: Coroutine[Any, Any, T], interruptions: Interruptions, otherwise: T
) -> T:
    """Drive *coroutine* for as long as it needs no event loop, and return its value.

    :param otherwise: the value if it would need an event loop: then it is given up.
    """
    done, returned = _advance(coroutine, interruptions)
    if not done:
        coroutine.close()
        return otherwise
    value: T = returned
    return value


def _advance(coroutine: Coroutine[Any, Any, T], interruptions: Interruptions) -> tuple[bool, Any]:
    """Drive *coroutine* to its end, or until it needs an event loop.

    :returns: whether it came to its end, and its value.
    """
    try:
        request = coroutine.send(None)
        while True:
            try:
                interruptions.waiting = True
                interruptions.check()
                if not isinstance(request, Request):  # a Deferred, for example
                    raise NeedsLoop
                outcome = Waited(request.wait_in_place())
            except NeedsLoop:
                return False, None
            finally:
                interruptions.waiting = False
            request = coroutine.send(outcome)
    except StopIteration as stop:
        return True, stop.value
    except BaseException:
        coroutine.close()
        raise
