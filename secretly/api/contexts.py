"""What a call of the library works with: the configuration, the environment and the policy.

A program may call a thousand times together. So the configuration is loaded again only if its file
has changed, and the environment is copied again only if a variable has.
"""

from __future__ import annotations

import os
import time

from .. import safefiles
from ..config import loading, places
from ..config.model import Configuration
from ..redacted import Environ
from ..resolving.request import Context

__all__ = ["current"]

_environment: tuple[object, Environ] = (None, Environ({}))
_configuration: tuple[object, Configuration] | None = None


def current() -> Context:
    """Return a context for a call that begins now.

    :raises SecretlyError: if the configuration or the policy can't be used.
    """
    environ = _environ()
    return Context.of(_configured(environ), environ)


def _environ() -> Environ:
    """The environment. ``os.environ`` decodes each variable anew; its bytes are compared faster.

    ``_data`` is not documented: without it, the environment is copied each time.
    """
    global _environment
    data = getattr(os.environ, "_data", None)
    if data is None:
        return Environ(os.environ)
    known = _environment
    if data != known[0]:
        now = dict(data)  # another thread may change a variable before its value is decoded
        decoded = {os.fsdecode(name): os.fsdecode(value) for name, value in now.items()}
        known = _environment = now, Environ(decoded)
    return known[1]


def _configured(environ: Environ) -> Configuration:
    """The configuration; one whose file has not changed is loaded only once."""
    global _configuration
    facts, changed = _facts(environ)
    known = _configuration  # which another thread may change
    if known is not None and known[0] == facts:
        return known[1]
    _configuration = None
    found = loading.load(environ)
    if safefiles.is_settled(changed, time.time_ns()) and facts == _facts(environ)[0]:
        _configuration = facts, found
    return found


def _facts(environ: Environ) -> tuple[tuple[object, ...], int]:
    """Where the file is, and what changes if the file does (inode(7)); when it last changed.

    What others could change depends on the user that this process is now.
    """
    path = places.config_path(environ)
    where = path, environ.get("SECRETLY_CONFIG", ""), os.geteuid()
    try:
        found = os.stat(path)
    except OSError as error:
        return (*where, error.errno), 0
    who = found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_size
    return (*where, *who, found.st_mtime_ns, found.st_ctime_ns), found.st_ctime_ns
