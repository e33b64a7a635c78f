"""The publishing tool pdm."""

from __future__ import annotations

from ..tool import Artifacts, PackageIndex, PublishingTool

TOOL = PublishingTool(
    PackageIndex(
        names={"pypi": "PyPI", "testpypi": "TestPyPI"},
        name_options=("-r", "--repository"),
        name_variables=("PDM_PUBLISH_REPO",),
        folder_options=("-p", "--project", "$PDM_PROJECT"),
        settings=(
            "pdm.toml repository.{name}.url",
            ".pdm.toml repository.{name}.url",
            "-c repository.{name}.url",
            "--config repository.{name}.url",
            "$PDM_CONFIG_FILE repository.{name}.url",
            "~/.config/pdm/config.toml repository.{name}.url",
            "~/Library/Application Support/pdm/config.toml repository.{name}.url",
            "$XDG_CONFIG_DIRS/pdm/config.toml repository.{name}.url",
        ),
    ),
    Artifacts(
        folder="dist",
        strict=True,
        endings=(".whl", ".tar.gz", ".zip", ".tar.bz2"),
        anywhere=(".whl",),
        signatures=True,
        folder_options=("-d", "--dest"),
        root=True,
        builds=("publish",),
        no_build_options=("--no-build",),
        separately="pdm build && secretly run pdm publish --no-build",
    ),
)
