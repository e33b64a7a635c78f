"""Measure the cost of the library in a program that has loaded it; print JSON.

    python library.py ROUNDS

Run by the interpreter of the installation that is measured: it uses nothing but that.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prompting import StandIn, by_hand

import secretly
from secretly.redacted import Secret
from secretly.testing import MemoryKeychain, sandbox


class Noting(MemoryKeychain):
    """A store without secrets that notes when it was last asked, in nanoseconds (monotonic)."""

    missed = 0

    async def get(self, service: str, username: str, person: float | None) -> Secret | None:
        found = await super().get(service, username, person)
        self.missed = time.monotonic_ns()
        return found


def main(rounds: int) -> dict[str, Any]:
    """Measure, and return the results in seconds."""
    found: dict[str, Any] = {"missed": [], "raw": [], "thousand": [], "prompts": []}
    with tempfile.TemporaryDirectory(prefix="secretly-") as folder:
        pinentry, keychain = StandIn(Path(folder)), Noting()
        raw = by_hand(pinentry)
        variables: Any = SimpleNamespace(environ=pinentry.environ)
        with sandbox(variables, keychain):

            async def missed() -> float:
                await secretly.secret("Unknown")
                return (pinentry.asked() - keychain.missed) / 1e9

            async def thousand() -> float:
                before = time.process_time()
                calls = [secretly.secret("Example") for _ in range(1000)]
                assert set(await asyncio.gather(*calls)) == {"canary-1"}
                used = time.process_time() - before
                pinentry.asked()  # and notes nothing a second time
                return used

            async def all_rounds() -> None:
                for turn in range(rounds + 3):
                    times = {"missed": await missed(), "raw": raw(), "thousand": await thousand()}
                    if turn >= 3:  # the first load what is not loaded yet
                        for name, took in times.items():
                            found[name].append(took)

            asyncio.run(all_rounds())
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
