"""``aws --profile NAME``: the profile's keys are used, and the variables are not.

Tried with awscli 1.45 and 1.46: AWS_PROFILE alone leaves the variables in force, and so does a
profile that points to them (``credential_source = Environment``).
"""

from __future__ import annotations

import os

from ...config import places
from ...config.invocation import Invocation
from ...text import escape
from .rival import Rival, home_path, read_settings

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping
    from configparser import RawConfigParser

#: How long a chain of profiles may be that point to each other.
_CHAIN = 8


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The profile that the call names, unless its keys come from the variables."""
    given = [v for n, v in known.parsed.options if len(n) > 4 and "--profile".startswith(n)]
    if not given:
        return None
    name = given[-1] or ""
    if _from_variables(name, environ):
        return None
    return Rival(
        f"the profile of --profile {escape(name)}",
        "leave out --profile, or give that profile's section a role_arn and "
        "credential_source = Environment",
    )


def _from_variables(name: str, environ: Mapping[str, str]) -> bool:
    """Whether a profile, or the one that it takes its keys from, says that they are variables."""
    config = _parsed("AWS_CONFIG_FILE", ".aws/config", environ)
    keys = _parsed("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", environ)
    if config is None or keys is None:
        return False
    for _ in range(_CHAIN):
        section = "default" if name == "default" else f"profile {name}"
        values = dict(keys[name]) if keys.has_section(name) else {}
        for title in (name, section) if name == "default" else (section,):
            values |= dict(config[title]) if config.has_section(title) else {}
        if "role_arn" not in values or values.keys() & {"web_identity_token_file", "sso_session"}:
            return False
        if "source_profile" not in values:
            return values.get("credential_source") == "Environment"
        if "credential_source" in values or values["source_profile"] == name:
            return False
        name = values["source_profile"]
    return False


def _parsed(variable: str, usual: str, environ: Mapping[str, str]) -> RawConfigParser | None:
    """A file of aws's, read as botocore reads it; None if it can't be."""
    import configparser

    named = environ.get(variable)
    path = places.expand_user(named, environ) if named else home_path(usual, environ)
    parser = configparser.RawConfigParser(default_section="\0")
    try:
        parser.read_string(read_settings(os.path.abspath(path)) or "")
    except configparser.Error:
        return None
    return parser
