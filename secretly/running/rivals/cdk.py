"""``cdk``: a profile in the settings hides the keys in the variables, as ``--profile`` does.

Tried with the AWS CDK's command 2.1148.1. secretly removes the variables, but ``env`` may set them.
"""

from __future__ import annotations

from ...config.command_line import Invocation
from .rival import Rival, home_path, in_file, read_settings, unknown

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping


def find(known: Invocation, environ: Mapping[str, str]) -> Rival | None:
    """The profile in a variable, in the project's settings or in the user's."""
    import json

    for name in ("CDK_PROFILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        if environ.get(name):
            return Rival(f"the profile of {name}", f"leave out {name}")
    for path in ("cdk.json", home_path(".cdk.json", environ)):
        try:
            settings = json.loads(read_settings(path) or "{}")
        except (ValueError, RecursionError):
            return unknown(path, "it is not valid JSON")
        if isinstance(settings, dict) and settings.get("profile"):
            return in_file(path, "profile")
    return None
