"""The errors for command lines that every version of a tool refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from toolcalls import Calls, root_fixture

from secretly.errors import Refused

__all__ = ["root_fixture"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("flit publish dist/x", "flit publish takes no files: dist/x"),
        ("poetry publish dist/x", "poetry publish takes no files: dist/x"),
        ("pdm publish dist/x", "pdm publish takes no files: dist/x"),
        ("pdm -v -q publish", "pdm takes only one of these: --verbose with --quiet"),
        ("pdm release publish", "pdm reads this as its subcommand: release"),
        ("twine release upload x", "twine reads this as its subcommand: release"),
        ("twine upload -r", "option of twine without its value: --repository"),
        ("hatch publish -r", "option of hatch without its value: --repo"),
        ("poetry publish -r", "option of poetry without its value: -r"),
        ("uv publish -t", "option of uv without its value: -t"),
        ("twine upload --sign=canary-1", "option of twine that takes no value: --sign"),
        ("hatch publish --yes=canary-1", "option of hatch that takes no value: --yes"),
        ("uv publish --dry-run=canary-1", "option of uv that takes no value: --dry-run"),
        ("uv publish --index a --index b", "uv takes this option only once: --index"),
    ],
)
def test_what_every_version_refuses_is_said_so(root: Path, line: str, text: str) -> None:
    """The error doesn't speak of versions, and has a way out."""
    tool, _, arguments = line.partition(" ")
    with pytest.raises(Refused) as caught:
        _ = Calls(tool, root).call(arguments).words
    assert str(caught.value).splitlines()[0] == text
    assert caught.value.hint
