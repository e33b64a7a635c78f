"""``python -m secretly``."""

from __future__ import annotations

import contextlib
import os
import sys

with contextlib.suppress(OSError):  # the current folder may have gone
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
        # ``-m`` puts the current folder first: what lies there would be loaded for a library.
        del sys.path[0]

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
