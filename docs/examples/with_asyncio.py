"""Ask for a secret in an asyncio program."""

import asyncio

import secretly


async def main() -> None:
    token = await secretly.secret("Example", description="to greet the server")
    print(f"a secret of {len(token)} characters, shown as {token!r}")


asyncio.run(main())
