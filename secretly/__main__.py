"""``python -m secretly``."""

import os  # these two are loaded at every start: nothing in the current folder can be them
import sys

try:
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
        # ``-m`` puts the current folder first: what lies there would be loaded for a library.
        del sys.path[0]
except OSError:  # pragma: no cover - the current folder has gone, and none can be measured in
    pass

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
