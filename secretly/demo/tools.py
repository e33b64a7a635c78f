"""The publishing tools that the demo can use: a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .. import safefiles
from .uploader import PROGRAM


class Tool(NamedTuple):
    """How a publishing tool uploads a file to an index that is given by URL.

    :param arguments: its arguments; ``{url}`` and ``{file}`` stand for those of the demo.
    :param usual: how it uploads to PyPI.
    :param environ: variables that the tool needs, with ``{url}`` as well.
    :param secret: the name of the index's secret, where it isn't the index's host.
    """

    program: str
    arguments: tuple[str, ...]
    usual: str
    environ: Mapping[str, str] = {}
    secret: str = ""


#: In the order in which the demo looks for them.
TOOLS = (
    Tool("twine", ("upload", "--repository-url", "{url}", "{file}"), "twine upload dist/*"),
    Tool("uv", ("publish", "--publish-url", "{url}", "{file}"), "uv publish"),
    Tool("hatch", ("publish", "-r", "{url}", "{file}"), "hatch publish"),
    Tool(
        "flit",
        ("publish", "--format", "wheel"),
        "flit publish",
        environ={"FLIT_INDEX_URL": "{url}"},
    ),
    Tool(
        "poetry",
        ("publish", "-r", "secretly-demo"),
        "poetry publish",
        environ={"POETRY_REPOSITORIES_SECRETLY_DEMO_URL": "{url}"},
        secret="secretly-demo",
    ),
)

#: The demo's own uploader, for a computer without one of these tools.
OWN = Tool(PROGRAM, ("upload", "--to", "{url}", "{file}"), TOOLS[0].usual)


def find_tool(environ: Mapping[str, str]) -> Tool:
    """The first of the tools that is on PATH, else the demo's own uploader."""
    there = (tool for tool in TOOLS if safefiles.program_on_path(tool.program, environ))
    return next(there, OWN)


def filled(tool: Tool, url: str, file: str) -> Tool:
    """The tool with the demo's own URL and file."""
    values = {"url": url, "file": file}
    return tool._replace(
        arguments=tuple(text.format(**values) for text in tool.arguments),
        environ={name: text.format(**values) for name, text in tool.environ.items()},
    )
