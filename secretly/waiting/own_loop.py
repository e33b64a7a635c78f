"""Wait in a program that is not async: in an event loop of secretly's own, in a daemon thread.

Calls at the same time, from any threads, share the thread and its loop, so calls for the same
secret share a prompt. The thread ends with the last call. The caller's own thread only waits for an
event: signals reach the program as always, and what their handlers raise cancels the call.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from ..errors import PromptTimeout, SecretlyError
from .request import installed_reactor, poll_loop_runs
from .tasks import CLEANING_UP, MORE_TIME

__all__ = ["refuse_in_loop", "run_blocking", "running_loop"]

T = TypeVar("T")

#: How much longer than its limit a call may take, in seconds. The call itself keeps the limit, and
#: has the better error; this ends the wait for a call that is stuck.
_GRACE = 5.0


def running_loop() -> str:
    """Return what runs an event loop in this thread, such as asyncio or trio; else nothing."""
    if asyncio._get_running_loop() is not None:
        return "asyncio"
    if poll_loop_runs():
        return "the loop of the command"
    if getattr(installed_reactor(), "running", False):
        from twisted.python import threadable

        untyped: Any = threadable
        if untyped.isInIOThread():
            return "Twisted"
    trio: Any = sys.modules.get("trio")
    if trio is not None:
        with contextlib.suppress(RuntimeError):
            trio.lowlevel.current_trio_token()
            return "trio"
    return ""


def refuse_in_loop(called: str, instead: str) -> None:
    """Refuse to wait in a thread in which an event loop runs: nothing else would run there.

    :param called: the function that would wait.
    :param instead: what to write in its place.
    :raises SecretlyError: if an event loop runs in this thread.
    """
    loop = running_loop()
    if loop == "trio":
        instead = f"call it in a thread: await trio.to_thread.run_sync({called}, …)"
    if loop:
        raise SecretlyError(f"{called} can't wait here: {loop} runs in this thread", instead)


def run_blocking(work: Callable[[], Coroutine[Any, Any, T]], limit: float | None = None) -> T:
    """Run a coroutine to its end in secretly's own loop, and return its value.

    :param work: makes the coroutine; it is called in the loop's thread.
    :param limit: how long the coroutine may take, in seconds: it keeps that limit itself.
    :raises PromptTimeout: if the coroutine does not end, long after its limit.
    """
    thread = _LoopThread.join()
    try:
        return _Call(work, thread).outcome(limit)
    finally:
        thread.leave()


class _Call(Generic[T]):
    """A coroutine in the loop, and the thread that waits for its end."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]], thread: _LoopThread) -> None:
        self._work, self._thread, self._ended = work, thread, threading.Event()
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[T] | None = None

    def _start(self) -> None:
        self._task = self._thread.loop.create_task(self._work(), context=self._context)
        self._task.add_done_callback(self._done)

    def _done(self, _: object) -> None:
        if not self._thread.exiting:
            self._ended.set()

    def outcome(self, limit: float | None) -> T:
        """Wait for the end in the caller's thread; cancel the coroutine if the wait is cut short.

        That is what KeyboardInterrupt does, and whatever else a signal handler raises.
        """
        call_in_loop = self._thread.loop.call_soon_threadsafe
        call_in_loop(self._start)
        try:
            if not self._ended.wait(None if limit is None else limit + _GRACE):
                raise PromptTimeout(f"the call did not end in {limit:g} s", MORE_TIME)
        except BaseException:
            call_in_loop(lambda: self._task and self._task.cancel())
            self._ended.wait(2 * CLEANING_UP)
            raise
        assert self._task is not None
        return self._task.result()


class _LoopThread:
    """The thread of the calls that are under way now, and their loop.

    :ivar exiting: whether the program ends, so that its other threads must not go on.
    """

    _lock = threading.Lock()
    _current: _LoopThread | None = None

    def __init__(self) -> None:
        self._calls, self._ending, self.exiting = 0, False, False
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="secretly", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self.loop.close()
            raise SecretlyError(
                f"can't wait for the secret: {error}", "ask before the program ends"
            ) from None

    @classmethod
    def join(cls) -> _LoopThread:
        """Count a call more, and start the thread for the first one."""
        with cls._lock:
            if cls._current is None:
                cls._current = cls()
            cls._current._calls += 1
            return cls._current

    def leave(self) -> None:
        """Count a call less, and end the thread after the last one."""
        with self._lock:
            self._calls -= 1
            if self._calls:
                return
            _LoopThread._current = None
        self._end()

    def _end(self) -> None:
        self._ending = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CLEANING_UP)

    def _run(self) -> None:
        while not self._ending:
            # A task that raises one of these stops the loop; its own caller gets it, too.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self.loop.run_forever()
        try:
            if tasks := asyncio.all_tasks(self.loop):
                for task in tasks:
                    task.cancel()
                self.loop.run_until_complete(asyncio.wait(tasks, timeout=CLEANING_UP))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()

    @classmethod
    def forget(cls) -> None:
        """Begin anew in a forked process: the thread, and who had the lock, are not in it."""
        cls._lock, cls._current = threading.Lock(), None

    @classmethod
    def end_at_exit(cls) -> None:
        """End the prompts of daemon threads with the program. The threads wait until it ends."""
        current, cls._current = cls._current, None
        if current is not None:
            current.exiting = True
            current._end()


os.register_at_fork(after_in_child=_LoopThread.forget)
atexit.register(_LoopThread.end_at_exit)
