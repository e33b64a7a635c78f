"""``cdk``: a profile in the settings hides the keys in the variables, as ``--profile`` does.

Tried with the AWS CDK's command 2.1148.1. secretly removes CDK_PROFILE, but ``env`` may
set it. AWS_PROFILE leaves the variables in force.
"""

from __future__ import annotations

from ...config.invocation import Invocation
from .rival import Rival, home_path, in_file, read_settings, unknown

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The profile in CDK_PROFILE, in the project's settings or in the user's."""
    import json

    if environ.get("CDK_PROFILE"):
        return Rival("the profile of CDK_PROFILE", "leave out CDK_PROFILE")
    for path in ("cdk.json", home_path(".cdk.json", environ)):
        try:
            settings = json.loads(read_settings(path) or "{}")
        except (ValueError, RecursionError):
            return unknown(path, "it is not valid JSON")
        if isinstance(settings, dict) and settings.get("profile"):
            return in_file(path, "profile")
    return None
