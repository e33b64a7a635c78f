"""What would be used here and why, what steers it, and what is wrong."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import NamedTuple

from . import configuration, discovery, pinentry, sources, terminal, trust
from .display import visible
from .errors import KeychainUnavailable, SecretlyError
from .index import Index
from .keychain import Keychain, named_by

__all__ = ["STEERING", "STEERING_PREFIXES", "Line", "examine", "steering"]

#: Variables that steer which programs see a secret, and how.
STEERING = (
    *("PINENTRY", "PINENTRY_USER_DATA", "GNUPGHOME", "DBUS_SESSION_BUS_ADDRESS"),
    *("SECRETLY_CONFIG", "SECRETLY_NO_INPUT"),
    *("PASSWORD_STORE_DIR", "PASSWORD_STORE_GPG_OPTS"),
    *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "GLIBC_TUNABLES"),
    *("DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH"),
    *("PYTHON_KEYRING_BACKEND", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONSTARTUP"),
    *("BASH_ENV", "PERL5LIB", "PERL5OPT"),
    *("GTK_MODULES", "GTK_PATH", "GIO_EXTRA_MODULES", "GIO_MODULE_DIR"),
    *("QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH"),
    *sorted(configuration.STEERING - {"PATH"}),
)

#: And all that begin so. Among these may be another program's own, with a secret in it.
STEERING_PREFIXES = ("KEYRING_PROPERTY_", *configuration.STEERING_PREFIXES)


class Line(NamedTuple):
    """One finding.

    :param good: True or False where it decides whether the main job works.
    """

    good: bool | None
    text: str


async def examine(environ: Mapping[str, str]) -> list[Line]:
    """Look at everything that the main job needs."""
    lines = []
    try:
        found = configuration.load(environ)
        where = found.path or f"{configuration.path_of(environ)} (not there: nothing is needed)"
        lines.append(Line(True, f"configuration: {visible(str(where))}"))
    except SecretlyError as error:
        found = configuration.Configuration()
        lines += _wrong("configuration", error)
    lines += await _asking(environ, found)
    lines += await _keychain(environ, found)
    lines += _kept()
    lines += _managers(environ)
    lines += _path(environ)
    return lines + steering(environ)


def steering(environ: Mapping[str, str]) -> list[Line]:
    """The variables that are set and steer; with what, of those that are known by name."""
    known = [name for name in STEERING if name in environ]
    others = sorted(name for name in environ if name.startswith(STEERING_PREFIXES))
    texts = [f"{name}={visible(environ[name])[:200]}" for name in known]
    texts += [f"{visible(name)} is set" for name in others if name not in known]
    return [Line(None, f"environment: {text}") for text in texts]


def _wrong(what: str, error: SecretlyError) -> list[Line]:
    return [Line(False, f"{what}: {error}"), Line(None, f"  {error.hint}")]


async def _asking(environ: Mapping[str, str], found: configuration.Configuration) -> list[Line]:
    here = terminal.find()
    if here is None:
        lines = [Line(None, "terminal: none")]
    else:
        place = "in the foreground" if here.in_foreground() else "in the background"
        lines = [Line(None, f"terminal: {visible(here.path)}, {place}")]
    skipped: list[str] = []
    try:
        way = await discovery.find(environ, found.pinentry, skipped)
    except SecretlyError as error:
        lines += _wrong("pinentry", error)
    else:
        lines += await _way(way, environ)
    return lines + [Line(None, f"  passed over: {line}") for line in skipped]


async def _way(way: discovery.Way, environ: Mapping[str, str]) -> list[Line]:
    program = f"{visible(str(way.program))} " if way.program else ""
    what = f"pinentry: {program}({way.why})"
    flavor = ""
    if way.kind == "pinentry":
        try:
            flavor = f", flavor {visible(await pinentry.probe(way, environ))[:40]}"
        except SecretlyError as error:
            return _wrong(what, error)
    kind = "a window" if way.graphical else "the terminal"
    return [Line(True, f"{what}, on {kind}{flavor}")]


async def _keychain(environ: Mapping[str, str], found: configuration.Configuration) -> list[Line]:
    named: list[Line] = []
    try:
        if where := named_by(environ):
            named = [Line(None, f"  named by {visible(where)}")]
        backend = await Keychain(environ, found.backends).describe()
    except KeychainUnavailable as error:
        # Without a keychain the main job works: one is asked each time.
        return [
            Line(None, f"keychain: {error}"),
            *named,
            Line(None, "  secrets are asked for each time"),
            Line(None, f"  {error.hint}"),
        ]
    except SecretlyError as error:
        return _wrong("keychain", error)
    return [Line(True, f"keychain: {visible(backend)}"), *named]


def _kept() -> list[Line]:
    index = Index.default()
    try:
        names = len(index.items())
    except SecretlyError as error:
        return _wrong("list of kept names", error)
    return [Line(True, f"list of kept names: {visible(index.path)} ({names} of them)")]


def _path(environ: Mapping[str, str]) -> list[Line]:
    """The folders of PATH from which others' programs might be started."""
    lines = []
    for folder in dict.fromkeys(environ.get("PATH", os.defpath).split(os.pathsep)):
        if not os.path.isabs(folder):
            named = f"'{visible(folder)}'" if folder else "an empty entry"
            lines.append(f"{named} is the current folder's: secretly passes over it, others do not")
            continue
        with contextlib.suppress(OSError):
            if weak := trust.writable_by_others(folder):
                lines.append(f"{visible(folder)} {trust.BY_OTHERS}: {visible(weak)}")
    return [Line(None, f"PATH: {line}") for line in lines]


def _managers(environ: Mapping[str, str]) -> list[Line]:
    there, others = [], []
    for scheme in sources.schemes():
        try:
            source = sources.find(scheme)
        except SecretlyError as error:
            others += _wrong(f"source {visible(scheme)}://", error)
            continue
        name = visible(str(getattr(source, "title", scheme)))
        program = getattr(source, "program", None)
        path = program and trust.program_on_path(str(program.name), environ)
        if path:
            there.append(f"{name} ({visible(os.fspath(path))})")
        if scheme not in sources.SCHEMES:
            text = f"source {visible(scheme)}://, of another package: {name}"
            missing = program is not None and path is None
            others.append(
                Line(None, f"{text}, whose program is not installed" if missing else text)
            )
    return [Line(None, f"password managers: {', '.join(there) or 'none'}"), *others]
