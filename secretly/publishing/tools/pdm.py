"""The publishing tool pdm."""

from __future__ import annotations

from ..table import TableCall
from ..tool import Artifacts, PackageIndex


class Pdm(TableCall):
    """A call of pdm."""

    package_index = PackageIndex(
        names={"pypi": "PyPI", "testpypi": "TestPyPI"},
        name_options=("-r", "--repository"),
        name_variables=("PDM_PUBLISH_REPO",),
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
    )
    artifacts = Artifacts(
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
    )
    folder_options = ("-p", "--project", "$PDM_PROJECT")


TOOL = Pdm
