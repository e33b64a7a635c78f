"""The publishing tool uv."""

from __future__ import annotations

from ..table import TableCall
from ..tool import Artifacts, PackageIndex


class Uv(TableCall):
    """A call of uv."""

    package_index = PackageIndex(
        names={"pypi": "PyPI"},
        name_options=("--index",),
        name_variables=("UV_PUBLISH_INDEX",),
        url_options=("--publish-url",),
        url_variables=("UV_PUBLISH_URL",),
        named_only=True,
        settings=(
            "--config-file index.{name}.publish-url",
            "$UV_CONFIG_FILE index.{name}.publish-url",
            "uv.toml index.{name}.publish-url",
            "pyproject.toml tool.uv.index.{name}.publish-url",
            "~/.config/uv/uv.toml index.{name}.publish-url",
            "$XDG_CONFIG_DIRS/uv/uv.toml index.{name}.publish-url",
            "/etc/uv/uv.toml index.{name}.publish-url",
        ),
        url_settings=(
            "--config-file publish-url",
            "$UV_CONFIG_FILE publish-url",
            "uv.toml publish-url",
            "pyproject.toml tool.uv.publish-url",
            "~/.config/uv/uv.toml publish-url",
            "$XDG_CONFIG_DIRS/uv/uv.toml publish-url",
            "/etc/uv/uv.toml publish-url",
        ),
        nearest=True,
        replaces=True,
        no_settings_options=("--no-config", "$UV_NO_CONFIG"),
    )
    artifacts = Artifacts(
        arguments=True,
        patterns="always",
        folder="dist",
        endings=(".whl", ".tar.gz", ".zip"),
        no_attestation_options=("--no-attestations", "$UV_PUBLISH_NO_ATTESTATIONS"),
        leaving_out="add --no-attestations",
    )
    folder_options = ("--directory", "$UV_WORKING_DIR")
    project_options = ("--project", "$UV_PROJECT")


TOOL = Uv
