"""An npm to look at: the files of it that secretly reads, and packages as it packs them."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from secretly.publishing.npm.keys import KINDS

#: The registry that this npm has built in.
REGISTRY = "https://registry.example/"

#: The file that has npm's settings, and its registry.
DEFINITIONS = "node_modules/@npmcli/config/lib/definitions/definitions.js"


def install(root: Path, version: str = "11.19.1", registry: str = REGISTRY) -> str:
    """Make the files of an npm, and return the folder for ``PATH``."""
    folder = root / f"npm-{version}"
    lines = [f"  '{key}': new Definition('{key}', {{\n  }})," for key in sorted(KINDS.all)]
    own = f"  registry: new Definition('registry', {{\n    default: '{registry}',\n"
    files = {
        "package.json": json.dumps({"name": "npm", "version": version}),
        "bin/npm-cli.js": "#!/usr/bin/env node\n",
        DEFINITIONS: "\n".join([own, *lines]),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "bin/npm-cli.js").chmod(0o755)
    os.symlink("npm-cli.js", folder / "bin/npm")
    return str(folder / "bin")


def tarball(files: Mapping[str, str]) -> bytes:
    """An archive as ``npm pack`` makes it: the names are below ``package/``."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as file:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            file.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()
