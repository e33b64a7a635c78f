"""The small uploader that ``secretly demo`` uses where it finds no publishing tool."""

from __future__ import annotations

from ...config.invocation import Words
from ...errors import Refused
from ..addresses import read_address
from ..destination import Destination, secret_at
from ..options import Options
from ..parsers import argparse
from ..tool import Artifacts, Pin
from ..tool_call import ToolCall

#: The variables that it reads.
USERNAME, PASSWORD = "DEMO_UPLOAD_USERNAME", "DEMO_UPLOAD_PASSWORD"

_TOP = Options("-h/--help")

_UPLOAD = Options("-h/--help --to=")


class DemoUpload(ToolCall):
    """A call of the uploader: ``upload --to URL FILE``."""

    artifacts = Artifacts(arguments=True, strict=True)
    secret_options = ()
    own_variables = ("DEMO_UPLOAD_*",)
    reads = (USERNAME, PASSWORD)
    proxies = False

    def read(self) -> Words:
        """Read the arguments with argparse's rules."""
        return argparse.read("demo_upload", self.arguments, _TOP, {"upload": _UPLOAD}, files=True)

    def find_destination(self) -> Destination:
        """The URL that the option gives."""
        given = self.words.last(["--to"])
        if given is None:
            raise Refused("demo_upload knows no index of its own", "give a URL: --to https://…")
        url = read_address(given).url
        return Destination("", secret_at(url, self.locations), url)

    def pin(self) -> Pin:
        """Nothing can change the destination."""
        return Pin(self.arguments)


TOOL = DemoUpload
