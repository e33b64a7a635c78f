"""The publishing tool twine."""

from __future__ import annotations

from ..tool import Artifacts, PackageIndex, PublishingTool

TOOL = PublishingTool(
    PackageIndex(
        names={"pypi": "PyPI", "testpypi": "TestPyPI"},
        name_options=("-r", "--repository"),
        name_variables=("TWINE_REPOSITORY",),
        url_options=("--repository-url",),
        url_variables=("TWINE_REPOSITORY_URL",),
        pypirc=True,
        pypirc_options=("--config-file",),
        pypirc_servers=("pypi", "testpypi"),
    ),
    Artifacts(
        arguments=True,
        patterns="missing",
        strict=True,
        signatures=True,
        attestation_options=("--attestations",),
        leaving_out="remove --attestations",
    ),
)
