"""Try a secret before storing it, and ask again if the server rejects it."""

import asyncio

import secretly


async def accepted(password: secretly.Secret) -> bool:
    await asyncio.sleep(0)  # here: try to log in with it
    return password == "canary-right"


async def main() -> None:
    try:
        found = await secretly.credential("Example", verify=accepted, remember="ask", timeout=120)
    except secretly.Cancelled:
        print("cancelled")
    except secretly.SecretlyError as error:
        print(f"{error}; {error.hint}")
    else:
        print(f"logged in as {found.username}")


asyncio.run(main())
