"""The index of a cargo registry, which says where the registry takes uploads."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ...errors import Refused
from ...text import escape
from ..addresses import read_address
from ..destination import host_of

#: How long an index may take to answer, in seconds, and the longest answer, in bytes.
PATIENCE, LONGEST = 15.0, 1 << 16

_SPARSE = "sparse+"


class IndexAnswer(NamedTuple):
    """What an index says.

    :param api: the URL that takes uploads.
    :param gets_token: whether the index itself gets the token, too.
    """

    api: str
    gets_token: bool = False


class Way(NamedTuple):
    """How to get to an index.

    :param environ: the variables for proxies.
    :param proxy: the proxy of cargo's own settings; None: that of the variables.
    :param certificates: the file with the certificates to trust; empty: the system's.
    """

    environ: Mapping[str, str]
    proxy: str | None = None
    certificates: str = ""


def check_index(name: str, index: str) -> str:
    """The URL of an index that secretly can read.

    :raises Refused: for other kinds of indexes.
    """
    if not index.startswith(_SPARSE):
        raise Refused(
            f"can't determine where {escape(name)} takes uploads: its index is a Git repository",
            f"name its sparse index: [registries.{escape(name)}] index = 'sparse+https://…'",
        )
    found = read_address(index.removeprefix(_SPARSE))
    if found.username is not None or found.has_password:
        raise Refused(
            f"cargo takes no user name in the index of {escape(name)}", "remove it from the URL"
        )
    if not found.url.endswith("/"):
        raise Refused(
            f"the index of {escape(name)} doesn't end with a slash, so cargo refuses it",
            f"add the slash: {escape(_SPARSE + found.url)}/",
        )
    return found.url


def canonical(index: str) -> str:
    """An index as cargo compares it with others: without one slash, and one ``.git``, at its end.

    >>> canonical("sparse+https://a.example/x.git/") == canonical("sparse+https://a.example/x")
    True
    """
    return index.removesuffix("/").removesuffix(".git")


def ask(name: str, url: str, way: Way) -> IndexAnswer:
    """Ask an index where its registry takes uploads. It gets no secret.

    An index that only shows this to users with a token gets the token in any case.

    :param url: what :func:`check_index` returned.
    :raises Refused: if it doesn't answer in time, or says nothing that can be used.
    """
    answers: list[tuple[int, bytes]] = []
    # A thread, because nothing else ends a look-up of a name that hangs.
    thread = threading.Thread(
        target=_get, args=(f"{url.rstrip('/')}/config.json", way, answers), daemon=True
    )
    thread.start()
    thread.join(PATIENCE)
    status, text = answers[0] if answers else (0, b"")
    if status in (401, 403):
        return IndexAnswer(url, gets_token=True)
    said: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        said = json.loads(text)
    api = said.get("api") if isinstance(said, dict) and status == 200 else None
    if not isinstance(api, str):
        raise Refused(
            f"can't determine where {escape(name)} takes uploads: {_why(status)}",
            f"check the registry's index at {escape(host_of(url))}, then try again",
        )
    return IndexAnswer(read_address(api).url, said.get("auth-required") is True)


def _why(status: int) -> str:
    if not status:
        return "its index doesn't answer"
    return "its index doesn't say it" if status == 200 else f"its index answers {status}"


def _get(url: str, way: Way, answers: list[tuple[int, bytes]]) -> None:
    """Put the status and the text of a page into *answers*; nothing if it can't be had."""
    from http.client import HTTPException
    from urllib import error

    with contextlib.suppress(OSError, ValueError, LookupError, HTTPException):
        try:
            with _opener(url, way).open(url, timeout=PATIENCE) as answer:
                answers.append((answer.status, answer.read(LONGEST)))
        except error.HTTPError as refused:
            with refused:
                answers.append((refused.code, b""))


def _opener(url: str, way: Way) -> Any:
    import ssl
    from urllib import request

    context = ssl.create_default_context(cafile=way.certificates or None)
    handlers = (
        request.ProxyHandler(proxies(url, way)),
        request.HTTPHandler(),
        request.HTTPSHandler(context=context),
        request.HTTPDefaultErrorHandler(),
        request.HTTPRedirectHandler(),
        request.HTTPErrorProcessor(),
    )
    opener = request.OpenerDirector()
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def proxies(url: str, way: Way) -> dict[str, str]:
    """The proxy for each kind of URL, as cargo's HTTP client chooses it.

    Only small letters count for ``http_proxy``: a web server may set the other from a request.
    """
    environ, kinds = way.environ, ("http", "https")
    if way.proxy is not None:
        used = way.proxy if not way.proxy or "://" in way.proxy else f"http://{way.proxy}"
        return dict.fromkeys(kinds, used) if used else {}
    hidden = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    host = urlsplit(url).hostname or ""
    for name in filter(None, (part.strip().lstrip(".") for part in hidden.split(","))):
        if name == "*" or host == name or host.endswith(f".{name}"):
            return {}
    general = environ.get("all_proxy") or environ.get("ALL_PROXY")
    by_kind = {
        "http": environ.get("http_proxy"),
        "https": environ.get("https_proxy") or environ.get("HTTPS_PROXY"),
    }
    return {kind: found for kind in kinds if (found := by_kind[kind] or general)}
