"""A hundred tasks that want the same secret share one prompt."""

import asyncio

import secretly


async def fetch(number: int) -> str:
    token = await secretly.secret("Example")
    return f"{number}: {len(token)}"


async def main() -> None:
    pages = await asyncio.gather(*(fetch(number) for number in range(100)))
    print(len(pages), "pages")


asyncio.run(main())
