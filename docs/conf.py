"""How Sphinx builds these pages."""

from __future__ import annotations

import re
from importlib.metadata import version as _version
from typing import Any

project = "secretly"
copyright = "the secretly developers"
release = version = _version("secretly")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.doctest"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Hand a secret to one program, for one moment",
    "show_powered_by": False,
}
html_show_sourcelink = False
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

# Python's own names, and Twisted's, have their pages elsewhere, out of reach of a build
# without a network; the context is no public name.
nitpick_ignore_regex = [
    ("py:class", r"(collections\.abc|datetime|typing|twisted(\.\w+)*)\.\w+"),
    ("py:class", r"Deferred|secretly\.resolve\.Context|secretly\.sources\.programs\.T"),
    ("py:func", r"repr"),
]

doctest_global_setup = "import secretly\nfrom secretly import Secret"


def _public(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Point what autodoc names by its module at the public name that it has."""
    target = re.sub(r"^secretly\.(redacted|errors|api)\.", "secretly.", node.get("reftarget", ""))
    if node.get("refdomain") != "py" or target == node["reftarget"]:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, contnode
    )


def setup(app: Any) -> None:
    """Connect it."""
    app.connect("missing-reference", _public)
