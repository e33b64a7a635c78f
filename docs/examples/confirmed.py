"""Ask the person to agree to something."""

import asyncio

import secretly


async def main() -> None:
    if await secretly.confirm("Delete everything?", description="There is no way back."):
        print("deleted")
    else:
        print("left as it was")


asyncio.run(main())
