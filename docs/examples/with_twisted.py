"""Ask for a secret in a Twisted program."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

import secretly


async def main(reactor: Any) -> None:
    token = await secretly.secret("Example", description="to greet the server")
    print(f"a secret of {len(token)} characters, shown as {token!r}")


react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
