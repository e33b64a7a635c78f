"""``gh`` for another host than GitHub's own: it does not send ``GH_TOKEN`` there.

Tried with gh 2.23. For such a host it takes ``GH_ENTERPRISE_TOKEN``, or what ``gh auth login``
stored.
"""

from __future__ import annotations

import re

from ...config.invocation import Invocation
from ...text import escape
from .rival import Rival

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The host that the call, or a variable, names."""
    options = known.parsed.options
    named = [value for name, value in options if name == "--hostname" and value]
    named += [_host(value) for name, value in options if name in ("-R", "--repo") and value]
    named += [_host(environ.get("GH_REPO", "")), environ.get("GH_HOST", "")]
    host = next(filter(None, named), "github.com").lower()
    if re.fullmatch(r"(?:[\w-]+\.)*github\.(?:com|localhost)|(?:[\w-]+\.)+ghe\.com", host):
        return None
    if any(map(environ.get, _VARIABLES)):
        return None
    return Rival(
        f"another token for {escape(host)}",
        'make a profile with GH_ENTERPRISE_TOKEN as its secret and GH_TOKEN = ""',
    )


def _host(repository: str) -> str:
    """The host in ``HOST/OWNER/NAME``, or in the URL of a repository."""
    if found := re.match(r"(?:[a-z+]+://)?(?:[^@/]*@)?([\w.-]+)(?::\d+)?[:/][^/]+/", repository):
        return found[1]
    return ""
