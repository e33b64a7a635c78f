"""The publishing tool flit."""

from __future__ import annotations

from ..tool import Artifacts, PackageIndex, PublishingTool

TOOL = PublishingTool(
    PackageIndex(
        names={"pypi": "PyPI"},
        name_options=("--repository",),
        url_variables=("FLIT_INDEX_URL",),
        pypirc=True,
        pypirc_options=("--pypirc",),
        pypirc_servers=("pypi",),
    ),
    Artifacts(
        manifest_options=("-f", "--ini-file"),
        builds=("publish",),
        separately="flit build && secretly run twine upload dist/*",
    ),
)
