"""Coroutine functions whose result complains if it is used without ``await``."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar

__all__ = ["CoroutineFunction", "NotAwaited", "must_be_awaited"]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class NotAwaited(Coroutine[Any, Any, T_co]):
    """A coroutine that raises TypeError if it is formatted, added, compared or tested.

    A plain coroutine is true and can be formatted, so ``f"Bearer {secretly.secret('A')}"`` would
    send the words ``<coroutine object…`` to a server, and ``if secretly.confirm(…):`` would not
    ask. Everything else is left to the coroutine. If nothing awaits it, Python warns.

    It says that it is a :class:`types.CoroutineType`, for programs that look for one.
    """

    __slots__ = ("__weakref__", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, T_co]) -> None:
        self._coroutine = coroutine

    # Properties, not methods: a method's frame would show what is sent, which may be a secret.

    @property
    def send(self) -> Any:
        return self._coroutine.send

    @property
    def throw(self) -> Any:
        return self._coroutine.throw

    @property
    def close(self) -> Any:
        return self._coroutine.close

    def __await__(self) -> Generator[Any, Any, T_co]:
        return self._coroutine.__await__()

    def __repr__(self) -> str:
        return repr(self._coroutine)

    @property
    def _missing(self) -> str:
        text = f"secretly.{self.__name__}() was not awaited: await it"
        if self.__name__ in ("secret", "credential"):
            text += f", or call secretly.{self.__name__}_sync()"
        return text

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(self._missing)

    __str__ = __format__ = __add__ = __radd__ = _refuse

    def __bool__(self) -> bool:
        # Since Python 3.12 the repr of asyncio's tasks tests its coroutine (asyncio.base_tasks).
        if _caller()[0] == "asyncio":
            return True
        self._refuse()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (str, bytes, bool, tuple)):
            self._refuse()
        return self is other

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("cr_") or name in ("__name__", "__qualname__"):
            return getattr(self._coroutine, name)
        raise AttributeError(f"no attribute {name!r}: {self._missing}")

    if not TYPE_CHECKING:  # pragma: no branch
        __class__ = property(lambda self: types.CoroutineType)


def _caller() -> tuple[str, str]:
    """The package and the function that call the function that calls this.

    Both are empty if no Python code calls it.
    """
    frame = sys._getframe(1).f_back
    if frame is None:
        return "", ""
    module: str = frame.f_globals.get("__name__") or ""
    return module.partition(".")[0], frame.f_code.co_name


class CoroutineFunction(Generic[P, T]):
    """A coroutine function as others see it, whose coroutines are :class:`NotAwaited`.

    :mod:`inspect` and :mod:`asyncio` see a coroutine function in it, as it has what a function
    has. A function of another kind could say so only since Python 3.12.
    """

    def __init__(self, function: Callable[P, Coroutine[Any, Any, T]]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        for name in ("__code__", "__defaults__", "__kwdefaults__", "__annotations__"):
            setattr(self, name, getattr(function, name))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        try:
            coroutine = self._function(*args, **kwargs)
            # Twisted's (DeferredLock.run, LoopingCall) awaits what is exactly a coroutine.
            awaits = _caller() == ("twisted", "maybeDeferred")
            return coroutine if awaits else NotAwaited(coroutine)
        except TypeError as error:  # a wrong parameter
            wrong = error.with_traceback(None)
        del args, kwargs  # a traceback may show locals
        raise wrong

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return repr(self._function)

    def __reduce__(self) -> str:
        return self._function.__qualname__


def must_be_awaited(
    function: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a coroutine function complain where its result is used without ``await``."""
    return CoroutineFunction(function)
