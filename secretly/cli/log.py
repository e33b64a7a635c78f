"""``secretly log``: which program got which secret, and what was refused."""

from __future__ import annotations

import datetime
import json
import os
import re
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from ..config import policy
from ..errors import BadConfiguration, SecretlyError
from ..running import past_receipts
from ..running.receipt_file import ReceiptFile
from ..running.receipts import FAILED, folder
from ..text import escape, format_time, shorten
from .as_json import add_json, print_json
from .console import say

EXAMPLE = "examples:\n  secretly log\n  secretly log --since 1d PyPI\n"

#: The units of ``--since``, in seconds.
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

#: How many secrets, or projects, are named in a line.
_NAMED = 8


def add_arguments(verb: ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_json(verb)
    verb.add_argument(
        "--since",
        type=_ago,
        metavar="DURATION",
        help="only what happened since then: 30m, 12h, 1d, 2w ago",
    )
    verb.add_argument("name", metavar="NAME", nargs="?", help="only this secret")


def execute(options: Namespace) -> int:
    """Carry out the verb; return the exit status."""
    file = ReceiptFile(_folder())
    try:
        lines = past_receipts.lines(file)
    except OSError as error:
        raise SecretlyError(
            f"can't read {escape(file.path)}: {error.strerror}",
            "check its permissions; if you move it away, secretly begins a new one",
        ) from None
    found = [receipt for line in lines if (receipt := _parsed(line)) is not None]
    if broken := len(lines) - len(found):
        say(f"{broken} {'line' if broken == 1 else 'lines'} of {escape(file.path)} can't be read")
    earliest = "" if options.since is None else _iso(time.time() - options.since)
    chosen = [one for one in found if _is_chosen(one, earliest, options.name)]
    if options.json:
        print_json(receipts=chosen)
        return 0
    for receipt in chosen:
        print("\n  ".join(_told(receipt)))
    if not chosen:
        say("no receipt matches" if found else "no receipts yet")
    return 0


def _folder() -> str:
    """The folder of the receipts, also if the policy is wrong: then nothing was handed over."""
    try:
        return folder(os.environ, policy.load())
    except SecretlyError:
        return folder(os.environ, policy.Policy())


def _ago(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if found is None:
        raise BadConfiguration(f"'{escape(text)}' is not a valid duration", "try 30m, 12h or 1d")
    return int(found[1]) * _UNITS[found[2]]


def _iso(moment: float) -> str:
    moment = max(moment, 0)
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="milliseconds")


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line as an object; None if it is not one of secretly's."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("time"), str):
        return None
    secrets = found.get("secrets")
    named = isinstance(secrets, list) and all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in secrets
    )
    return found if named else None


def _is_chosen(receipt: dict[str, Any], earliest: str, name: str | None) -> bool:
    names = [secret["name"] for secret in receipt["secrets"]]
    return receipt["time"] >= earliest and (name is None or name in names)


def _told(receipt: dict[str, Any]) -> Iterator[str]:
    """A receipt in lines. All of it is from a file, so nothing is printed as it is."""
    secrets = [_secret(one) for one in receipt["secrets"][:_NAMED]]
    if (more := len(receipt["secrets"]) - _NAMED) > 0:
        secrets.append(f"{more} more")
    outcome = _text(receipt, "outcome")
    if outcome == FAILED:
        outcome = f"{outcome} ({_text(receipt, 'error')})"
    to = _text(receipt, "line") or _text(receipt, "command")
    parts = [_local(receipt["time"]), outcome, ", ".join(secrets) or "no secret", to]
    yield "  ".join(filter(None, parts))
    yield f"program: {_text(receipt, 'program')}, in {_text(receipt, 'folder')}"
    yield f"asked by: {_text(receipt, 'asked_by')}"
    if reason := _text(receipt, "reason"):
        yield f"reason, in its own words: {reason}"
    if message := _text(receipt, "message"):
        yield message
    for file in _listed(receipt, "files"):
        yield f"{_text(file, 'path')}, sha256 {_text(file, 'sha256')}"
    if number := _text(receipt, "more_files"):
        yield f"and {number} more files"


def _secret(secret: dict[str, Any]) -> str:
    name, origin, answer = (_text(secret, key) for key in ("name", "from", "answer"))
    facts = list(dict.fromkeys(filter(None, (origin, answer))))
    limits = secret.get("limits")
    if isinstance(limits, dict):
        projects = [escape(str(one)) for one in _items(limits.get("projects"))][:_NAMED]
        facts += [f"only {' and '.join(projects)}"] if projects else []
        facts += [f"until {_local(limits['expires'])}"] if limits.get("expires") else []
    return f"{name} ({', '.join(facts)})" if facts else name


def _local(moment: object) -> str:
    """A time in ISO 8601 in the local time zone."""
    try:
        return format_time(datetime.datetime.fromisoformat(str(moment)).timestamp())
    except (ValueError, OverflowError):
        return shorten(escape(str(moment)), 40)


def _text(found: dict[str, Any], key: str) -> str:
    return escape(str(found.get(key) or ""))


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _listed(found: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [one for one in _items(found.get(key)) if isinstance(one, dict)]
