"""A small MCP server over standard input and output: it answers, and says that it has its key."""

import json
import os
import sys

#: The versions of the protocol are dates.
VERSION = "2025-06-18"


def result(method: str) -> dict[str, object]:
    """The answer to a request."""
    if method == "initialize":
        server = {"name": "example", "version": "1.0"}
        return {"protocolVersion": VERSION, "capabilities": {"tools": {}}, "serverInfo": server}
    if method == "tools/list":
        schema = {"type": "object", "properties": {}}
        about = "Say whether the key is there"
        return {"tools": [{"name": "has_key", "description": about, "inputSchema": schema}]}
    text = "yes" if os.environ.get("API_KEY") else "no"
    return {"content": [{"type": "text", "text": text}]}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:  # a notification has none, and gets no answer
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": result(request["method"])}
        print(json.dumps(answer), flush=True)
