"""The publishing tool twine."""

from __future__ import annotations

from ..table import TableCall
from ..tool import Artifacts, PackageIndex


class Twine(TableCall):
    """A call of twine."""

    package_index = PackageIndex(
        names={"pypi": "PyPI", "testpypi": "TestPyPI"},
        name_options=("-r", "--repository"),
        name_variables=("TWINE_REPOSITORY",),
        url_options=("--repository-url",),
        url_variables=("TWINE_REPOSITORY_URL",),
        pypirc=True,
        pypirc_options=("--config-file",),
        pypirc_servers=("pypi", "testpypi"),
    )
    artifacts = Artifacts(
        arguments=True,
        patterns="missing",
        strict=True,
        signatures=True,
        attestation_options=("--attestations",),
        leaving_out="remove --attestations",
    )


TOOL = Twine
