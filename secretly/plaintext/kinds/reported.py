"""Files that secretly can't take the place of yet: their secrets are reported only. A row each."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from ...redacted import Secret
from ..finding import Document, FileKind, Finding
from ..lines import read_lines
from ..naming import secret_of
from ..shapes import assess, known_variables, shape_of

#: A URL with a password, and a key of TOML, YAML or an INI file.
_URL = rb"(?<![A-Za-z0-9+.-])(?P<label>[A-Za-z][A-Za-z0-9+.-]*)://[^\s/:@]*:(?P<value>[^\s/@]+)@"


def _key(*names: str) -> bytes:
    return (
        rb"(?:^|[{,])\s*[\"']?(?P<label>" + "|".join(names).encode() + rb")[\"']?\s*[=:]\s*"
        rb"[\"']?(?P<value>[^\s\"',]+)"
    )


def _find(document: Document, pattern: bytes, advice: str, command: str = "") -> list[Finding]:
    name = secret_of(command, document.configuration) if command else ""
    if name:
        advice = f"secretly set {name}, remove the line, then: secretly run {command} …"
    found = []
    for line in read_lines(document.data):
        for match in re.finditer(pattern, line.text):
            value = match["value"].decode("utf-8", "replace")
            if not value.startswith(("${", "$(")):
                label = match["label"].decode("utf-8", "replace")
                kind = shape_of(value) or "secret, by its key"
                found.append(Finding(label, line.number, Secret(value), kind, problem=advice))
    return found


def _find_assigned(document: Document, advice: str) -> list[Finding]:
    """The variables with secrets among all texts that look like ``NAME=value`` or JSON."""
    known, found = known_variables(document.configuration), []
    for line in read_lines(document.data):
        for match in re.finditer(_ASSIGNED, line.text):
            label, value = (match[name].decode("utf-8", "replace") for name in ("label", "value"))
            if kind := assess(label, value, known):
                found.append(Finding(label, line.number, Secret(value), kind, problem=advice))
    return found


def _assigning(title: str, advice: str, *usual: str) -> FileKind:
    return FileKind(title, usual, (), functools.partial(_find_assigned, advice=advice))


def _row(title: str, usual: Sequence[str], pattern: bytes, advice: str) -> FileKind:
    names = tuple(path.rpartition("/")[2] for path in usual if path.startswith("~/."))
    special = tuple(name for name in names if name.startswith(".") or name == "pip.conf")
    find = functools.partial(_find, pattern=pattern, advice=advice)
    return FileKind(title, tuple(usual), special, find)


def _of(command: str, pattern: bytes, *usual: str) -> FileKind:
    find = functools.partial(_find, pattern=pattern, advice="", command=command)
    return FileKind(f"settings of {command}", usual, (), find)


_ASSIGNED = (
    rb"(?<![\w$])[\"']?(?P<label>[A-Za-z_][A-Za-z0-9_]*)[\"']?\s*[=:]\s*[\"']?"
    rb"(?![A-Za-z_]\w*=[^=])(?P<value>[^\s\"',]+)"  # in Environment="NAME=value", the inner one
)
_START_IT_SO = "start it with 'secretly run -e VARIABLE=NAME', and take the value out"

_NO_STAND_IN = "its programs send an empty password without it: secretly can't take its place yet"
_HELPER = "use a credential helper that keeps it in your keychain"

KINDS = [
    _row(
        ".netrc",
        ("$NETRC", "~/.netrc"),
        rb"\b(?P<label>password)\s+(?P<value>\"[^\"]+\"|\S+)",
        _NO_STAND_IN,
    ),
    _row("git's stored passwords", ("~/.git-credentials",), _URL, f"git: {_HELPER}"),
    _row("git's stored passwords", ("~/.config/git/credentials",), _URL, f"git: {_HELPER}"),
    _row(
        "docker's settings",
        ("$DOCKER_CONFIG/config.json", "~/.docker/config.json"),
        rb"\"(?P<label>auth|identitytoken|password)\"\s*:\s*\"(?P<value>[^\"]+)\"",
        f"docker (credsStore): {_HELPER}",
    ),
    _row(
        "kubeconfig",
        ("~/.kube/config",),
        _key("token", "password", "client-key-data"),
        "kubectl can call a program for it: users.NAME.user.exec",
    ),
    _row(
        "pip's settings",
        ("~/.config/pip/pip.conf", "~/.pip/pip.conf"),
        _URL,
        "take USER:PASSWORD@ out of the URL: pip asks then",
    ),
    _row(
        "uv's stored passwords",
        ("$UV_CREDENTIALS_DIR/credentials.toml", "~/.local/share/uv/credentials/credentials.toml"),
        _key("password"),
        "uv sends an empty password without it: secretly can't take its place yet",
    ),
    _row("uv's settings", ("~/.config/uv/uv.toml",), _URL, "take USER:PASSWORD@ out of the URL"),
    _row(
        "rclone's settings",
        ("~/.config/rclone/rclone.conf",),
        _key("pass", "password", "token", "secret_access_key", "client_secret"),
        "encrypt the file (rclone config), then: secretly run rclone …",
    ),
    _row(
        ".s3cfg",
        ("~/.s3cfg",),
        _key("secret_key"),
        "remove access_key and secret_key: s3cmd reads AWS's variables then",
    ),
    _row(
        ".curlrc",
        ("~/.curlrc",),
        rb"^\s*(?P<label>-u|(?:proxy-)?user)\b[\s=\"']+[^\s:]+:"
        rb"(?P<value>[^\s\"']+)",
        "leave the user name alone there: curl asks then",
    ),
    _row(
        ".yarnrc.yml",
        ("~/.yarnrc.yml",),
        _key("npmAuthToken"),
        "write ${NPM_TOKEN-} in its place, then: secretly run -e NPM_TOKEN=npm yarn …",
    ),
    _row(
        "PostgreSQL's services",
        ("$PGSERVICEFILE", "~/.pg_service.conf"),
        _key("password"),
        "secretly set PostgreSQL, remove the line, then: secretly run psql …",
    ),
    _assigning("systemd's units", _START_IT_SO, "~/.config/systemd/user/*.service"),
    _assigning(
        "settings of an editor",
        _START_IT_SO,
        *("~/.config/Code/User/settings.json", "~/.config/Code/User/mcp.json"),
        *("~/.cursor/mcp.json", "~/.codeium/windsurf/mcp_config.json"),
    ),
    _of("glab", _key("token"), "~/.config/glab-cli/config.yml"),
    _of("hcloud", _key("token"), "~/.config/hcloud/cli.toml"),
    _of("doctl", _key("access-token"), "~/.config/doctl/config.yaml"),
    _of("fly", _key("access_token"), "~/.fly/config.yml"),
    _of("stripe", _key("(?:live|test)_mode_api_key"), "~/.config/stripe/config.toml"),
    _of("vultr-cli", _key("api-key"), "~/.vultr-cli.yaml"),
    _of("scw", _key("secret_key"), "~/.config/scw/config.yaml"),
    _of("databricks", _key("token"), "~/.databrickscfg"),
    _of("sentry-cli", _key("token"), "~/.sentryclirc"),
    _of("argocd", _key("auth-token"), "~/.config/argocd/config"),
    _of("circleci", _key("token"), "~/.circleci/cli.yml"),
    _of("linode-cli", _key("token"), "~/.config/linode-cli"),
    _of("doppler", _key("token"), "~/.doppler/.doppler.yaml"),
    _of("snyk", _key("api"), "~/.config/configstore/snyk.json"),
    _of("terraform", _key("token"), "~/.terraform.d/credentials.tfrc.json"),
    _of("openai", _key("api_key"), "~/.config/openai/config.toml"),
]
