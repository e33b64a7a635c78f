"""A program that uses the library: mypy checks its types, and nothing runs it.

A line that mypy has to object to says so in a comment. mypy also objects to a comment that nothing
needs, so each of them is a test.
"""

from __future__ import annotations

import asyncio
import datetime
import subprocess
from collections.abc import Coroutine
from typing import Any, assert_type

import secretly
from secretly import testing
from secretly.testing import FakePinentry, MemoryKeychain, sandbox


async def accepted(token: secretly.Secret) -> bool:
    """A *verify* may be a coroutine function."""
    return token.startswith("pypi-")


async def program() -> None:
    """The coroutines."""
    coroutine = assert_type(secretly.secret("A"), Coroutine[Any, Any, secretly.Secret])
    assert_type(await coroutine, secretly.Secret)
    assert_type(await secretly.secret("A", remember="ask", verify=accepted), secretly.Secret)
    await secretly.secret("A", remember=datetime.timedelta(minutes=5), timeout=3, verify=bool)
    user, password = await secretly.credential("A", username="ada")
    assert_type((user, password), tuple[str, secretly.Secret])
    assert_type(await secretly.confirm("Delete it?", timeout=2.5), bool)
    assert_type(await secretly.remember("A", "canary-1"), None)
    assert_type(await secretly.forget("A"), bool)
    task = asyncio.create_task(secretly.secret("A"))
    assert_type(await task, secretly.Secret)
    async with secretly.environment({"TOKEN": "A"}) as env:
        assert_type(env, dict[str, str])


def script() -> None:
    """The same without async."""
    assert_type(secretly.secret_sync("A", remember=True, verify=accepted), secretly.Secret)
    assert_type(secretly.credential_sync("A").password, secretly.Secret)
    with secretly.environment({"TOKEN": "A"}, confirm=True) as env:
        subprocess.run(["true"], env=env, check=True)
    try:
        secretly.secret_sync("A")
    except secretly.NotFound as error:
        assert_type(error.hint, str)
    assert_type(secretly.__version__, str)


def test() -> None:
    """The doubles."""
    with FakePinentry(["canary-1", None, True]) as pinentry, sandbox(pinentry, MemoryKeychain()):
        assert_type(pinentry.prompts, list[dict[str, str]])


async def mistakes() -> None:
    """What a type checker finds."""
    secretly.secrte  # type: ignore[attr-defined]  # noqa: B018
    testing.FakePinetry  # type: ignore[attr-defined]  # noqa: B018
    secretly.secret("A", remember="yes")  # type: ignore[arg-type, unused-coroutine]
    secretly.secret("A")  # type: ignore[unused-coroutine]
    _ = "Bearer " + secretly.secret("A")  # type: ignore[operator]
    secretly.secret_sync("A", promt="The key")  # type: ignore[call-arg]
    secretly.secret_sync(b"A")  # type: ignore[arg-type]
    secretly.environment(["A"])  # type: ignore[arg-type]
