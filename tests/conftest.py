"""What all tests stand on."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import settings

settings.register_profile("tox", max_examples=2000, deadline=None)
settings.register_profile("fuzz", max_examples=100_000, deadline=None)
settings.register_profile("quick", max_examples=50, deadline=None)
settings.load_profile("quick")  # another by --hypothesis-profile


#: How coverage follows children, where it is at work: for environments made from nothing.
COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


def need(*programs: str) -> None:
    """Skip the test where a real part is missing; in CI that is a failure.

    Real parts are tried in one of tox's environments: the others set SECRETLY_REAL=0.
    """
    if os.environ.get("SECRETLY_REAL") == "0":
        pytest.skip("real parts are tried in another environment")
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        reason = f"needs {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
