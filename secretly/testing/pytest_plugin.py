"""Fixtures and a hook for pytest.

Each run of pytest loads this module, so it loads nothing of secretly.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..resolving.request import Context
    from .pinentry import FakePinentry
    from .stores import MemoryKeychain

#: The keywords of the marker, by the fixture that they are for.
_PINENTRY, _SANDBOX = ("on", "flavor"), ("config", "environ")

_MARKER = (
    "secretly(*answers, on=None, flavor='gtk2', config='', environ=None): what the user answers in "
    "turn (a text, True, False, or None to cancel), and what the sandbox is configured with"
)


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Hide the texts of a comparison with a secret, or with an object that has one in a field.

    pytest shows where two texts differ, and where two fields do.
    """
    loaded = sys.modules.get("secretly.redacted")
    if loaded is None or not any(_has_secret(side, loaded.Secret) for side in (left, right)):
        return None
    shown = [
        repr(side) if isinstance(side, (int, NoneType)) else f"{type(side).__name__}('…')"
        for side in (left, right)
    ]
    return [f"{shown[0]} {op} {shown[1]}", "str(secret) is compared in plain text"]


def _has_secret(value: object, secret: type, depth: int = 9) -> bool:
    """Whether a value is a secret, or is an object that has one in its fields.

    :param depth: how many objects deep to look: an object may be in its own field.
    """
    if isinstance(value, secret):
        return True
    return depth > 0 and any(_has_secret(one, secret, depth - 1) for one in _fields(value))


def _fields(value: object) -> list[object]:
    """The values of the fields that pytest compares: of dataclasses, attrs and named tuples."""
    names: list[str] = []
    for kept in ("__dataclass_fields__", "_fields", "__attrs_attrs__"):
        names += [getattr(one, "name", one) for one in getattr(type(value), kept, ())]
    return [getattr(value, name, None) for name in names]


def _marked(request: pytest.FixtureRequest, names: tuple[str, ...]) -> Mapping[str, Any]:
    """The keywords of the test's marker that have these names."""
    marker = request.node.get_closest_marker("secretly")
    given = {} if marker is None else marker.kwargs
    if unknown := given.keys() - {*_PINENTRY, *_SANDBOX}:
        pytest.fail(f"the marker 'secretly' has no {', '.join(sorted(unknown))}", pytrace=False)
    return {name: given[name] for name in names if name in given}


@pytest.fixture
def secretly_keychain() -> MemoryKeychain:
    """A keychain in memory, which ends with the test: a ``secretly.testing.MemoryKeychain``."""
    from .stores import MemoryKeychain

    return MemoryKeychain()


@pytest.fixture
def secretly_pinentry(request: pytest.FixtureRequest) -> Iterator[FakePinentry]:
    """A user who answers as ``@pytest.mark.secretly("canary-1")`` says, and cancels what is left.

    It is a ``secretly.testing.FakePinentry``: ``prompts`` has what the user saw.
    """
    from .pinentry import FakePinentry

    marker = request.node.get_closest_marker("secretly")
    answers = () if marker is None else marker.args
    with FakePinentry(answers, **_marked(request, _PINENTRY)) as pinentry:
        yield pinentry


@pytest.fixture
def secretly_sandbox(
    request: pytest.FixtureRequest,
    secretly_pinentry: FakePinentry,
    secretly_keychain: MemoryKeychain,
) -> Iterator[Context]:
    """What ``secretly.testing.sandbox`` does, with that user and that keychain."""
    from .sandbox import sandbox

    marked = _marked(request, _SANDBOX)
    with sandbox(secretly_pinentry, secretly_keychain, **marked) as context:
        yield context
