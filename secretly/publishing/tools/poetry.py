"""The publishing tool poetry."""

from __future__ import annotations

from ..table import TableCall
from ..tool import Artifacts, PackageIndex


class Poetry(TableCall):
    """A call of poetry."""

    package_index = PackageIndex(
        names={"pypi": "PyPI"},
        name_options=("-r", "--repository"),
        url_variables=("POETRY_REPOSITORIES_{REPOSITORY}_URL",),
        named_only=True,
        settings=(
            "poetry.toml repositories.{name}.url",
            "$POETRY_CONFIG_DIR/config.toml repositories.{name}.url",
            "~/.config/pypoetry/config.toml repositories.{name}.url",
            "~/Library/Application Support/pypoetry/config.toml repositories.{name}.url",
        ),
    )
    artifacts = Artifacts(
        folder="dist",
        folder_options=("--dist-dir",),
        endings=(".whl", ".tar.gz"),
        root=True,
        own=True,
        builds=("publish",),
        build_options=("--build",),
        separately="poetry build && secretly run poetry publish",
    )
    folder_options = ("-C", "--directory")
    project_options = ("-P", "--project")


TOOL = Poetry
