"""``python -m secretly``."""

import os  # Python has loaded these two already: not from the current folder
import sys

try:
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
        # ``-m`` puts the current folder first: its files would be loaded in place of libraries.
        del sys.path[0]
except OSError:  # pragma: no cover - the current folder was removed
    pass

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
