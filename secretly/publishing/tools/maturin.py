"""The publishing tool maturin."""

from __future__ import annotations

from ..tool import Artifacts, PackageIndex, PublishingTool

TOOL = PublishingTool(
    PackageIndex(
        names={"pypi": "PyPI", "testpypi": "TestPyPI"},
        name_options=("-r", "--repository"),
        name_variables=("MATURIN_REPOSITORY",),
        url_options=("--repository-url",),
        url_variables=("MATURIN_REPOSITORY_URL",),
        pypirc=True,
    ),
    Artifacts(
        arguments=True,
        strict=True,
        endings=(".whl", ".gz", ".tgz", ".zip", ".egg"),
        anywhere=(".tar.gz", ".zip"),
        manifest_options=("-m", "--manifest-path"),
        builds=("publish",),
        separately="maturin build -o dist && secretly run maturin upload dist/*",
    ),
)
