"""The checks of ``secretly doctor``: what secretly uses here, why, and what is wrong."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import NamedTuple

from .. import safefiles
from ..asking import choosing, measured, prompting, screens
from ..config import agents, loading, model, places, policy, values
from ..config.asking_limits import AskingLimits
from ..errors import KeychainUnavailable, SecretlyError
from ..keeping import sealing
from ..keeping.identity import IdentityFiles
from ..keeping.keychain import Keychain, named_backend
from ..keeping.stored_names import StoredNames
from ..sources import registry
from ..text import escape

__all__ = ["SHOWN", "STEERING", "STEERING_PREFIXES", "Line", "examine", "steering"]

#: The variables whose value is shown: a path, a list of paths, or a name. People paste the output
#: of doctor, and options of programs may hold a password.
SHOWN = frozenset(
    "PINENTRY GNUPGHOME SECRETLY_CONFIG SECRETLY_NO_INPUT PASSWORD_STORE_DIR "
    "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GCONV_PATH DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH "
    "PYTHON_KEYRING_BACKEND PYTHONPATH PYTHONHOME PYTHONUSERBASE PYTHONSTARTUP BASH_ENV ENV "
    "PERL5LIB RUBYLIB GTK_MODULES GTK_PATH GIO_EXTRA_MODULES GIO_MODULE_DIR "
    "QT_PLUGIN_PATH QT_QPA_PLATFORM_PLUGIN_PATH".split()
)

#: Variables that decide which programs see a secret, and how.
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
    *sorted(values.STEERING - {"PATH"}),
)

#: The beginnings of others. A variable of another program may begin so and hold a secret.
STEERING_PREFIXES = ("KEYRING_PROPERTY_", *values.STEERING_PREFIXES)


class Line(NamedTuple):
    """One finding.

    :param good: True or False if the main job depends on it; else None.
    """

    good: bool | None
    text: str


async def examine(environ: Mapping[str, str]) -> list[Line]:
    """Check everything that the main job needs."""
    lines = []
    try:
        found = loading.load(environ)
        where = found.path or f"{places.config_path(environ)} (optional, doesn't exist)"
        lines.append(Line(True, f"configuration: {escape(str(where))}"))
    except SecretlyError as error:
        found = model.Configuration()
        lines += _wrong("configuration", error)
    rules, setting = _policy(environ, found.pinentry)
    lines += rules
    asking = await _asking(environ, setting)
    can_ask = all(line.good is not False for line in asking)
    lines += asking + await _keychain(environ, found, can_ask)
    lines += _stored_names()
    lines += _sealed(environ)
    lines += _managers(environ)
    lines += _path(environ)
    return lines + steering(environ)


def steering(environ: Mapping[str, str]) -> list[Line]:
    """Lines about the variables that matter; with values only if these can't be secret."""
    names = [name for name in STEERING if name in environ]
    others = sorted(name for name in environ if name.startswith(STEERING_PREFIXES))
    names += [name for name in others if name not in names]
    texts = [
        f"{name}={escape(environ[name])[:200]}"
        if name in SHOWN
        else f"{escape(name)} is {'set' if environ[name] else 'empty'}"
        for name in names
    ]
    return [Line(None, f"environment: {text}") for text in texts]


def _wrong(what: str, error: SecretlyError) -> list[Line]:
    return [Line(False, f"{what}: {error}"), *_hint(error)]


def _hint(error: SecretlyError) -> list[Line]:
    """The line about what to do, without the part that names ``secretly doctor``."""
    parts = [part for part in error.hint.split("; ") if "secretly doctor" not in part]
    return [Line(None, f"  {'; '.join(parts)}")] if parts else []


def _policy(
    environ: Mapping[str, str], setting: str | AskingLimits | None
) -> tuple[list[Line], str | AskingLimits | None]:
    """Lines about the policy and a recognized agent, and how a prompt is limited."""
    try:
        rules, agent = policy.load(), None
        if rules.agents != "as-me":
            agent = agents.recognize(environ, (rules.agent_variables, rules.agent_programs))
    except SecretlyError as error:
        return _wrong("policy", error), setting
    where = ", ".join(map(escape, rules.paths)) or "none"
    lines = [Line(None, f"policy: {where}")]
    if agent is not None:
        lines.append(Line(None, f"agent: {agent.name}, recognized by {agent.mark}"))
    if agent is None and rules.pinentry is None:
        return lines, setting
    return lines, AskingLimits(rules.pinentry, agent, as_me=policy.as_me(rules))


async def _asking(environ: Mapping[str, str], setting: str | AskingLimits | None) -> list[Line]:
    around = choosing.surroundings(environ)
    if around.terminal is None:
        lines = [Line(None, "terminal: none")]
    else:
        place = "in the foreground" if around.foreground else "in the background"
        lines = [Line(None, f"terminal: {escape(around.terminal.path)}, {place}")]
    if missing := screens.missing(environ):
        lines.append(Line(None, f"screen: {missing} names no screen: unset it"))
    skipped: list[str] = []
    try:
        way = await choosing.choose(environ, setting, skipped)
    except SecretlyError as error:
        lines += _wrong("pinentry", error)
    else:
        lines += await _way(way, choosing.surroundings(environ, setting), missing)
    return lines + [Line(None, f"  skipped: {line}") for line in skipped]


async def _way(
    way: choosing.PromptMethod, around: choosing.Surroundings, missing: str
) -> list[Line]:
    program = f"{escape(str(way.program))} " if way.program else ""
    what = f"pinentry: {program}({way.why})"
    if way.kind != "pinentry":
        return [Line(True, f"{what}, on {'a window' if way.graphical else 'the terminal'}")]
    other = "name another pinentry that is installed: PINENTRY=pinentry-tty"
    hint = f"{missing} names no screen: unset it, or {other}" if missing else other
    instead = [Line(None, "  secretly asks on the terminal itself")]
    instead = instead if around.usable_terminal is not None else []
    try:
        flavor = await prompting.probe(way, around.environ)
    except SecretlyError as error:
        return [Line(False, f"{what}: {error}"), Line(None, f"  {hint}"), *instead]
    on_terminal = not way.graphical or measured.asks_on_terminal(flavor)
    known = bool(measured.name_of(way.program))
    if known and on_terminal and not instead:
        if way.only and way.graphical:
            what += ": it can't open a window here"
            hint = 'install another one with a window, and name it in the policy: pinentry = "…"'
            return [Line(False, what), Line(None, f"  {hint}")]
        return [Line(False, f"{what}: it needs a terminal to ask on"), Line(None, f"  {hint}")]
    said = f"on {'the terminal' if on_terminal else 'a window'}, flavor {escape(flavor)[:40]}"
    lines = [Line(True, f"{what}, {said}")]
    if on_terminal and not known:
        lines.append(Line(None, "  if it needs a screen, secretly asks on the terminal itself"))
    return lines


async def _keychain(
    environ: Mapping[str, str], found: model.Configuration, can_ask: bool
) -> list[Line]:
    named: list[Line] = []
    try:
        if by := named_backend(environ):
            named = [Line(None, f"  named by {escape(by[0])}")]
        backend = await Keychain(environ, found.backends).describe()
    except KeychainUnavailable as error:
        # Without a keychain the main job works: secretly asks each time.
        asks = [Line(None, "  secretly asks for secrets each time")] if can_ask else []
        return [Line(None, f"keychain: {error}"), *named, *asks, *_hint(error)]
    except SecretlyError as error:
        return _wrong("keychain", error)
    return [Line(True, f"keychain: {escape(backend)}"), *named]


def _stored_names() -> list[Line]:
    stored = StoredNames.default()
    try:
        names = len(stored.items())
    except SecretlyError as error:
        return _wrong("list of stored names", error)
    count = "1 name" if names == 1 else f"{names} names"
    return [Line(True, f"list of stored names: {escape(stored.path)} ({count})")]


def _sealed(environ: Mapping[str, str]) -> list[Line]:
    """The identity that opens sealed secrets, if there is one, or something is sealed."""
    files = IdentityFiles.of(environ)
    try:
        sealed = sum(item.sealed for item in StoredNames.default().items())
        if not (sealed or files.exist):
            return []
        sealing.library()
        files.recipient()
        sealing.read_work(files.read().encode())
    except sealing.Damaged as error:
        return _wrong("sealed secrets", files.damaged(str(error)))
    except SecretlyError as error:
        return _wrong("sealed secrets", error)
    return [Line(True, f"sealed secrets: {sealed}, opened by {escape(files.path)}")]


def _path(environ: Mapping[str, str]) -> list[Line]:
    """The folders of PATH that other people's programs could be started from."""
    lines = []
    for folder in dict.fromkeys(environ.get("PATH", os.defpath).split(os.pathsep)):
        if not os.path.isabs(folder):
            named = f"'{escape(folder)}'" if folder else "an empty entry"
            lines.append(
                f"{named} means the current folder: secretly skips it, other programs don't"
            )
            continue
        with contextlib.suppress(OSError):
            if weak := safefiles.find_writable_by_others(folder):
                lines.append(f"{escape(folder)} {safefiles.BY_OTHERS}: {escape(weak)}")
    return [Line(None, f"PATH: {line}") for line in lines]


def _managers(environ: Mapping[str, str]) -> list[Line]:
    there, others = [], []
    for scheme in registry.schemes():
        try:
            source = registry.find(scheme)
        except SecretlyError as error:
            others += _wrong(f"source {escape(scheme)}://", error)
            continue
        name = escape(str(getattr(source, "title", scheme)))
        program = getattr(source, "program", None)
        path = program and safefiles.program_on_path(str(program.name), environ)
        if path:
            there.append(f"{name} ({escape(os.fspath(path))})")
        if scheme not in registry.SCHEMES:
            text = f"source {escape(scheme)}://, from another package: {name}"
            missing = program is not None and path is None
            others.append(Line(None, f"{text} (its program is not installed)" if missing else text))
    return [Line(None, f"password managers: {', '.join(there) or 'none'}"), *others]
