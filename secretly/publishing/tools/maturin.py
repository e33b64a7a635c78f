"""The publishing tool maturin."""

from __future__ import annotations

from ..table import TableCall
from ..tool import Artifacts, PackageIndex


class Maturin(TableCall):
    """A call of maturin."""

    package_index = PackageIndex(
        names={"pypi": "PyPI", "testpypi": "TestPyPI"},
        name_options=("-r", "--repository"),
        name_variables=("MATURIN_REPOSITORY",),
        url_options=("--repository-url",),
        url_variables=("MATURIN_REPOSITORY_URL",),
        pypirc=True,
    )
    artifacts = Artifacts(
        arguments=True,
        strict=True,
        endings=(".whl", ".gz", ".tgz", ".zip", ".egg"),
        anywhere=(".tar.gz", ".zip"),
        manifest_options=("-m", "--manifest-path"),
        builds=("publish",),
        separately="maturin build -o dist && secretly run maturin upload dist/*",
    )


TOOL = Maturin
