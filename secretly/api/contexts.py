"""The context of a library call: the configuration, the environment and the policy.

A program may call a thousand times together. So the configuration is loaded again only if its file
has changed, and the environment is copied again only if a variable has.
"""

from __future__ import annotations

import os
import time

from .. import safefiles
from ..config import loading, places
from ..config.model import Configuration
from ..resolving.request import Context
from ..text import Environ

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
    """The configuration; one whose file has not changed is loaded only once.

    What others could change depends on the user that this process is now.
    """
    global _configuration
    path = places.config_path(environ)
    where, marks = (path, environ.get("SECRETLY_CONFIG", "")), safefiles.change_marks(path)
    facts = *where, os.geteuid(), marks
    known = _configuration  # which another thread may change
    if known is not None and known[0] == facts:
        return known[1]
    _configuration = None
    found = loading.load(environ)
    settled = safefiles.is_settled(marks[-1], time.time_ns())
    if settled and marks == safefiles.change_marks(path):
        _configuration = facts, found
    return found
