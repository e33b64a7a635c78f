"""Variables that steer an upload, as well as its command line."""

from __future__ import annotations

from ..asking import upload_wording
from ..config.values import steers
from ..errors import Refused
from ..text import escape
from .tool import Launched, Network, Pin
from .tool_call import ToolCall

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The variables of what the tools depend on: the C library, TLS, HTTP clients, Python, the finders
#: of programs and files, the programs that they start, CI's identities. Two underscores begin what
#: is for a program's own tests: one such variable gives cargo another public registry.
_BENEATH = (
    r"(?i)__\w+|_?PY\w+|VIRTUAL_ENV|CONDA_\w+|PIPX?_\w+|COVERAGE_\w+"
    r"|(\w+_)?PROXY|REQUEST_METHOD|(NIX_)?SSL_(CERT|VERIFY|CLIENT)\w*|SSLKEYLOGFILE|OPENSSL_\w+"
    r"|REQUESTS_\w+|CURL_\w+|NETRC|(\w+_)?CA_BUNDLE|\w*(INSECURE|STRICT_SSL|REJECT_UNAUTHORIZED)\w*"
    r"|HOME|USERPROFILE|PATH|XDG_\w+|TMPDIR|TE?MP|GCONV_PATH|LOCPATH|NLSPATH|LOCALDOMAIN|RES_OPTIONS"
    r"|HOSTALIASES|DBUS_\w+|KEYRING_\w+|GIT_(CONFIG|DIR|WORK|INDEX|SSH|ASKPASS|EXEC|PROXY|SSL|EDITOR|PAGER"
    r"|EXTERNAL|ATTR|CEILING|COMMON|OBJECT|ALTERNATE|NAMESPACE|TEMPLATE|TRACE|ALLOW|PROTOCOL)\w*"
    r"|SSH_\w+|GNUPGHOME|ACTIONS_\w+|GITHUB_ACTIONS|GITLAB_CI|\w+_ID_TOKEN"
)

#: Those of them that change nothing of an upload.
_HARMLESS = (
    r"PYTHON(UNBUFFERED|IOENCODING|UTF8|DONTWRITEBYTECODE|HASHSEED|FAULTHANDLER|NOUSERSITE"
    r"|SAFEPATH|WARNDEFAULTENCODING)|PYPI_((API_)?TOKEN|USER(NAME)?|PASSWORD)"
    r"|(PYTEST|PYLINT|PYRIGHT|PYDANTIC|PYCHARM)_\w+"
)

#: The variables that say which certificates OpenSSL, requests, the publishing tools, cargo and
#: npm trust.
_TRUSTING = (
    r"(?i)SSL_CERT_(FILE|DIR)|(\w*_)?CA_?(BUNDLE|CERTS?|FILE|INFO)|\w+_CERT|NPM_CONFIG_CA"
    r"|\w*(INSECURE|STRICT_SSL|REJECT_UNAUTHORIZED)\w*"
)


#: The variables that decide what an upload is, where it goes and how it gets there: those of the
#: publishing tools, of what they start, and of the libraries that they use.
_UPLOADING = (
    r"(?i)(TWINE|UV|FLIT|HATCH|POETRY|PDM|MATURIN|CARGO|NPM_CONFIG|PNPM|YARN|PIPX?|NODE|GIT"
    r"|XDG|OPENSSL|REQUESTS|CURL|KEYRING|SOURCE_DATE)_\w+|__\w+"
    r"|(\w+_)?PROXY|RUST\w+|HOME|USERPROFILE|NETRC|TMPDIR|GCONV_PATH|SSLKEYLOGFILE"
)

#: The upload variables that hold a credential.
_CREDENTIAL = r"(?i)\w+_(PASSWORD|TOKEN|USERNAME|USER|AUTH)"

#: How the variables of each launcher begin.
_LAUNCHERS = {
    "uv": "UV_",
    "uvx": "UV_",
    "poetry": "POETRY_",
    "pdm": "PDM_",
    "hatch": "HATCH_",
    "pipx": "PIPX_",
    "pipenv": "PIPENV_",
}

#: The variables that only name an index, among those that a tool reads.
_NAMING = r"\w+_(URL|INDEX|REPO|REPOSITORY)"

#: The variables with which the tools' HTTP clients find a proxy, in small letters. Python's take
#: any letters.
_PROXIES = ("https_proxy", "http_proxy", "all_proxy")


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a variable is in a list of names, and of beginnings that end with ``*``."""
    return any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
        for pattern in patterns
    )


def _is_like(pattern: str, name: str) -> bool:
    import re  # most uploads have no variable to look at

    return re.fullmatch(pattern, name) is not None


def could_steer(name: str) -> bool:
    """Whether a variable could steer an upload of some tool's, or what it trusts.

    For a value that isn't known yet, so that no adapter can look at it.
    """
    steering = _is_like(_UPLOADING, name) and not _is_like(_CREDENTIAL, name)
    return steering or changes_trust(name)


def changes_trust(name: str) -> bool:
    """Whether a variable says which certificates are trusted."""
    return _is_like(_TRUSTING, name)


def check_variables(call: ToolCall) -> None:
    """Refuse variables that an env file or a profile sets, and that steer the upload.

    Those that only name the destination are read, shown and pinned; all others of the tool and
    of what it depends on must be known as harmless.

    :raises Refused: naming the variable.
    """
    for name, origin in sorted(call.origins.items()):
        if steers_upload(call, name):
            raise Refused(
                f"{origin} sets {escape(name)}, which could change where or how the upload goes",
                f"remove it there; if you mean it, export {escape(name)} in your shell",
            )


def check_launched(call: ToolCall, launched: Launched) -> None:
    """Refuse what a launcher's project makes of the upload, unless it only names the index.

    :raises Refused: naming the setting.
    """
    if launched.problem is not None:
        raise launched.problem
    row = call.invocation.row
    ours = {*row.secrets, *row.alternatives, *row.blanks, *row.removes}
    for name, one in sorted(launched.variables.items(), key=lambda item: item[0]):
        reads = matches(name, call.reads)
        unknown = reads and (one.value is None or not _is_like(_NAMING, name))
        if unknown or name in ours or steers_upload(call, name):
            raise _launched(
                call, name, one.set_by, "could change where, how or as whom the upload goes"
            )


def check_pin(pin: Pin, launched: Launched, call: ToolCall) -> None:
    """Refuse a pin that a launcher would undo.

    :raises Refused: naming the setting, or the argument that the launcher replaces.
    """
    for name, one in launched.variables.items():
        if name in pin.removes or pin.environ.get(name, one.value) != one.value:
            raise _launched(call, name, one.set_by, "undoes what holds the upload to the index")
    for text, launcher in launched.replaced:
        for word in pin.arguments:
            if text in word:
                raise Refused(
                    f"{launcher} would replace what begins with {text} in {escape(word)}",
                    f"run {call.invocation.row.name} without {launcher}, or rename the file",
                )


def _launched(call: ToolCall, name: str, set_by: str, does: str) -> Refused:
    tool, launcher = call.invocation.row.name, call.invocation.starts[-1].name
    return Refused(
        f"{escape(set_by)} sets {escape(name)}, which {does}",
        f"remove it there, or run {tool} without {launcher}",
    )


def steers_upload(call: ToolCall, name: str) -> bool:
    """Whether a variable changes where or how an upload goes, or what is uploaded."""
    if matches(name, call.reads):
        return False
    if any(name.startswith(_LAUNCHERS.get(by, "-")) for by, _ in call.invocation.launching):
        return True  # it may say where the launcher takes the tool from
    if matches(name, call.harmless) or name == "ENV":  # most often ENV means something else
        return False
    if matches(name, call.own_variables) or steers(name):
        return True
    return _is_like(_BENEATH, name) and not _is_like(_HARMLESS, name)


def network_of(call: ToolCall) -> Network:
    """What the user's own variables and settings change about the connection.

    :raises Refused: if a setting of the project's does.
    """
    network = call.network()
    return network._replace(
        settings=tuple(dict.fromkeys((*_by_variables(call), *network.settings)))
    )


def _by_variables(call: ToolCall) -> Iterator[str]:
    environ = call.environ
    if call.proxies:
        # In any letters: clients disagree about which of several spellings counts.
        named = sorted(name for name in environ if name.lower() in _PROXIES)
        used = filter(None, (environ[n] for p in _PROXIES for n in named if n.lower() == p))
        yield from (upload_wording.proxy(proxy_host(proxy)) for proxy in used)
    if any(environ.get(name) for name in call.trusts):
        yield upload_wording.OWN_CERTIFICATES
    if environ.get("SSLKEYLOGFILE"):
        yield upload_wording.KEYS_IN_A_FILE


def proxy_host(proxy: str) -> str:
    """The host and port of a proxy: its user name and password are not shown."""
    rest = proxy.partition("://")[2] or proxy
    netloc = min((rest.partition(mark)[0] for mark in "/?#"), key=len)
    if "@" in rest[len(netloc) :]:  # a password with such a character in it: programs disagree
        return upload_wording.UNREADABLE
    return escape(netloc.rpartition("@")[2])
