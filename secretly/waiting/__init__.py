"""One way of waiting, for Twisted, asyncio and neither."""
