"""A sandbox for tests."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from .. import api
from ..config import loading
from ..keeping.stored_names import StoredNames
from ..resolving import request
from ..text import Environ
from .pinentry import FakePinentry
from .stores import MemoryKeychain, MemorySession


@contextlib.contextmanager
def sandbox(
    pinentry: FakePinentry | None = None,
    keychain: MemoryKeychain | None = None,
    environ: Mapping[str, str] | None = None,
    config: str = "",
    session: MemorySession | None = None,
) -> Iterator[request.Context]:
    """Make the library use doubles, and nothing that belongs to this user.

    :param pinentry: the pinentry that asks; None: secretly must not ask.
    :param keychain: where secrets are stored; None: a new :class:`MemoryKeychain`.
    :param environ: more variables.
    :param config: the text of a configuration file.
    :param session: where secrets are held for a while; None: a new :class:`MemorySession`.
    """
    # A call that was cancelled may still write into the folder.
    with tempfile.TemporaryDirectory(prefix="secretly-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, "config.toml")
        path.write_text(config, "utf-8")
        variables = {"HOME": folder, "PATH": os.defpath, "SECRETLY_CONFIG": str(path)}
        variables |= {**(pinentry.environ if pinentry else {}), **(environ or {})}
        found = loading.load(variables)
        double = MemoryKeychain() if keychain is None else keychain
        # Not by Context.of: the user's policy, and who started the tests, change nothing here.
        here = request.Context(
            found,
            Environ(variables),
            keychain=double,
            stored_names=StoredNames(Path(folder, "state")),
            no_input=pinentry is None,
            temporary_store=MemorySession() if session is None else session,
        )
        before = api.context
        api.context = lambda: here
        try:
            yield here
        finally:
            api.context = before
