"""Ask the user to confirm something."""

import asyncio

import secretly


async def main() -> None:
    if await secretly.confirm("Delete everything?", description="This can't be undone."):
        print("deleted")
    else:
        print("nothing was deleted")


asyncio.run(main())
