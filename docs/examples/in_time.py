"""Ask with a time limit: asyncio's own time-out ends the prompt."""

import asyncio

import secretly


async def main() -> None:
    try:
        async with asyncio.timeout(2):
            await secretly.secret("Example")
    except TimeoutError:
        print("no answer in time")


asyncio.run(main())
