"""The publishing tool hatch."""

from __future__ import annotations

from ..table import TableCall
from ..tool import Artifacts, PackageIndex


class Hatch(TableCall):
    """A call of hatch."""

    package_index = PackageIndex(
        default="main",
        names={"main": "PyPI", "test": "TestPyPI"},
        name_options=("-r", "--repo"),
        name_variables=("HATCH_INDEX_REPO",),
        name_settings=(
            "--config publish.index.repo",
            "$HATCH_CONFIG publish.index.repo",
            "~/.config/hatch/config.toml publish.index.repo",
            "~/Library/Application Support/hatch/config.toml publish.index.repo",
        ),
        settings=(
            "--config publish.index.repos.{name}",
            "--config publish.index.repos.{name}.url",
            "$HATCH_CONFIG publish.index.repos.{name}",
            "$HATCH_CONFIG publish.index.repos.{name}.url",
            "~/.config/hatch/config.toml publish.index.repos.{name}",
            "~/.config/hatch/config.toml publish.index.repos.{name}.url",
            "~/Library/Application Support/hatch/config.toml publish.index.repos.{name}",
            "~/Library/Application Support/hatch/config.toml publish.index.repos.{name}.url",
        ),
        fixed=True,
    )
    artifacts = Artifacts(
        arguments=True,
        folders=True,
        folder="dist",
        elsewhere_options=("-p", "--project", "$HATCH_PROJECT"),
        endings=(".whl", ".tar.gz"),
        root=True,
    )


TOOL = Hatch
