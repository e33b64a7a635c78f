"""The publishing tool flit."""

from __future__ import annotations

from ..table import TableCall
from ..tool import Artifacts, PackageIndex


class Flit(TableCall):
    """A call of flit."""

    package_index = PackageIndex(
        names={"pypi": "PyPI"},
        name_options=("--repository",),
        url_variables=("FLIT_INDEX_URL",),
        pypirc=True,
        pypirc_options=("--pypirc",),
        pypirc_servers=("pypi",),
    )
    artifacts = Artifacts(
        manifest_options=("-f", "--ini-file"),
        builds=("publish",),
        separately="flit build && secretly run twine upload dist/*",
    )


TOOL = Flit
