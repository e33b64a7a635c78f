"""How Sphinx builds these pages."""

from __future__ import annotations

import csv
import re
from importlib.metadata import version as _version
from pathlib import Path
from typing import Any

from docutils.parsers.rst import Directive

project = "secretly"
copyright = "the secretly developers"
release = version = _version("secretly")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.doctest", "sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "secretly"
html_static_path = ["_static"]
html_css_files = ["secretly.css"]
html_show_sourcelink = False
html_copy_source = False

# A copied console block is the commands alone, without prompts and output.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_line_continuation_character = "\\"
copybutton_here_doc_delimiter = "END"
copybutton_selector = "div:not(.dialog) > div.highlight > pre"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

# Python's own names, and Twisted's, have their pages elsewhere, out of reach of a build
# without a network; the context is not a public name.
nitpick_ignore_regex = [
    ("py:class", r"(collections\.abc|datetime|typing|twisted(\.\w+)*)\.\w+"),
    ("py:class", r"Deferred|T|secretly\.resolving\.\w+\.Context"),
    ("py:class", r"pydantic(_settings)?\.[\w.]+"),
    ("py:func", r"repr"),
]

doctest_global_setup = "import secretly\nfrom secretly import Secret"


def _public(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Point what autodoc names by its module at the public name that it has."""
    inside = r"^secretly\.(redacted|errors|api(\.\w+)?)\."
    target = re.sub(inside, "secretly.", node.get("reftarget", ""))
    if node.get("refdomain") != "py" or target == node["reftarget"]:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, contnode
    )


class Tried(Directive):
    """What was tried, by what it was tried against: how much, the slowest, and all of it."""

    required_arguments = 1

    def run(self) -> list[Any]:
        """Give the tables in place of the directive."""
        env = self.state.document.settings.env
        name, path = env.relfn2path(self.arguments[0])
        env.note_dependency(name)
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = [[*map(_plain, row[:3]), row[3]] for row in csv.reader(file)]
        lines = []
        for against in dict.fromkeys(row[0] for row in rows):
            mine = [row[1:] for row in rows if row[0] == against]
            what, _, seconds = max(mine, key=lambda row: float(row[2]))
            title = against[0].upper() + against[1:]
            lines += ["", title, "-" * len(title), ""]
            lines += [
                f"{len(mine)} attempts, each with the right result. "
                f"The slowest took {seconds} s ({what}).",
                "",
            ]
            lines += [".. list-table::", "   :header-rows: 1", "   :widths: 45 45 10", ""]
            for row in (["attempt", "result", "seconds"], *mine):
                lines += [f"   {'*' if at == 0 else ' '} - {cell}" for at, cell in enumerate(row)]
        self.state_machine.insert_input([*lines, ""], path)
        return []


def _plain(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"([^\w\s])", r"\\\1", text)


def setup(app: Any) -> None:
    """Connect them."""
    app.add_directive("tried", Tried)
    app.connect("missing-reference", _public)
