"""Runs a real npm where loopback is the only network, and tells what it sent to which registry.

Started as ``alone.py`` is. Most calls run in one process, with npm's own code: see ``npm.js``. The
first ones run once more as npm's program, and must do the same there.

The server answers as a registry does that has the packages in two versions, and notes each request
that changes something: its registry, its token and its packages.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))

import alone

#: The registry and the package of a request.
_REQUEST = re.compile(
    r"(?i)(.*?/)(?:-/package/)?((?:@\w+%2f)?(?:demo|one|two|other))(?:/(?:-rev|dist-tags)/.*)?"
)

#: How long a call may take, in seconds.
PATIENCE = 60

#: So many calls run as npm's program, too.
COMPARED = int(os.environ.get("SECRETLY_NPM_COMPARED", "3"))


class Handler(alone.Handler):
    """A connection to a registry."""

    def _request(self, method: str, target: str, headers: dict[str, str]) -> None:
        body = self._body(headers)
        if method not in ("PUT", "POST", "DELETE"):
            self._reply(_document(target))
            return
        found = _REQUEST.fullmatch(target)
        if found is None:
            raise SystemExit(f"an odd request: {method} {target}")
        name = found[2].replace("%2f", "/").replace("%2F", "/")
        sent = json.loads(body or b"{}")
        attached = sent.get("_attachments") if isinstance(sent, dict) else None
        if attached:
            name = "@".join((name, *sent["versions"]))
        token = headers.get("authorization", "").removeprefix("Bearer ")
        self.seen.uploads.append((found[1], token, name))
        self._reply({"ok": True})

    def _reply(self, document: dict[str, Any]) -> None:
        text = json.dumps(document).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
        self.wfile.write(head.encode() + b"\r\n\r\n" + text)


def _document(target: str) -> dict[str, Any]:
    """What a registry has at a URL."""
    if "/-/user/" in target:
        return {"name": target.rpartition(":")[2], "email": "ada@example.org"}
    if target.endswith("/dist-tags"):
        return {"latest": "0.0.2", "beta": "0.0.1"}
    found = _REQUEST.fullmatch(target.partition("?")[0])
    name = found[2].replace("%2f", "/") if found else "other"
    return {
        "_id": name,
        "_rev": "1-1",
        "name": name,
        "versions": {v: {"name": name, "version": v} for v in ("0.0.1", "0.0.2")},
        "dist-tags": {"latest": "0.0.2"},
        "maintainers": [{"name": "ada", "email": "x"}, {"name": "bob", "email": "x"}],
    }


def variables(proxy: str, authority: str) -> dict[str, str]:
    """What each call is given."""
    given = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), proxy)
    quiet = {"fetch_retries": "0", "update_notifier": "false", "fund": "false", "audit": "false"}
    return {
        **given,
        **{f"npm_config_{name}": value for name, value in quiet.items()},
        "npm_config_cafile": authority,
    }


class Process:
    """The process in which npm's calls run. It is started again if it ends, or takes too long.

    :param program: the path of npm's own program.
    """

    def __init__(self, program: str) -> None:
        self._program = program
        self._start()

    def _start(self) -> None:
        (asked, asking), (answers, answered) = os.pipe(), os.pipe()
        driver = os.path.join(os.path.dirname(__file__), "npm.js")
        self._process = subprocess.Popen(
            ["node", driver, self._program, str(asked), str(answered)],
            pass_fds=(asked, answered),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(asked)
        os.close(answered)
        self._asking = os.fdopen(asking, "w")
        self._answers = os.fdopen(answers)

    def ask(self, call: dict[str, Any]) -> tuple[str, bool]:
        """What npm says to a call, and whether that fails."""
        self._asking.write(f"{json.dumps(call)}\n")
        self._asking.flush()
        ready, _, _ = select.select([self._answers], [], [], PATIENCE)
        if line := self._answers.readline() if ready else "":
            found = json.loads(line)
            return found["said"], found["failed"]
        self.end()
        self._start()
        return "npm ended, or took too long", True

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._asking.close()
        self._answers.close()


def main() -> None:
    """Answer cases until the input ends."""
    process, compared = Process(sys.argv[1]), 0

    def run(tool: str, case: dict[str, Any], given: dict[str, str]) -> tuple[str, bool]:
        nonlocal compared
        said, failed = process.ask({**case, "environ": given | case["environ"]})
        if compared < COMPARED:
            compared += 1
            own, alone.Handler.seen = alone.Handler.seen.uploads, alone.Seen()
            alone_said, fails = alone.run(tool, case, given)
            both = (own, failed, said), (alone.Handler.seen.uploads, fails, alone_said)
            assert both[0][:2] == both[1][:2], (case["arguments"], both)
        return said, failed

    try:
        alone.main(Handler, variables, run)
    finally:
        process.end()


if __name__ == "__main__":
    main()
