"""The user's folders.

No relative path is ever read from: it would be in the current folder, which others may have filled.
"""

from __future__ import annotations

import os
import stat
import sys

from ..errors import Refused

TYPE_CHECKING = False  # importing typing would slow down the start
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

#: The variable with the address of the session bus.
BUS_VARIABLE = "DBUS_SESSION_BUS_ADDRESS"

_HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF")


def named_folder(variable: str, environ: Mapping[str, str]) -> str:
    """The folder that a variable names; empty if it names none. A relative path does not count.

    By the XDG Base Directory Specification, programs ignore a relative path.
    """
    folder = environ.get(variable, "").strip()
    return folder if os.path.isabs(folder) else ""


def full_path(path: str, variable: str) -> str:
    """A path from a variable that other programs read as well, some of them also a relative one.

    :raises Refused: if it is relative: then the other program would read from the current folder.
    """
    if os.path.isabs(path):
        return path
    raise Refused(
        f"{variable} is not a full path: programs would read from the current folder",
        f"set {variable} to a path that starts with /, or unset it",
    )


def home_folder(environ: Mapping[str, str]) -> str:
    """The user's home folder: ``HOME``, else the entry in the system's password database.

    Without both, the home is the root folder.
    """
    if home := named_folder("HOME", environ):
        return home
    import pwd

    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container may have no entry for its user
        return "/"
    return home if os.path.isabs(home) else "/"


def expand_user(path: str, environ: Mapping[str, str]) -> str:
    """Replace ``~`` at the start of *path* by the home folder, and ``~NAME`` by NAME's."""
    if path == "~" or path.startswith("~/"):
        return home_folder(environ).rstrip("/") + path[1:] or "/"
    return os.path.expanduser(path)


def xdg_folder(kind: Literal["config", "data", "state"], environ: Mapping[str, str]) -> str:
    """The user's folder for a kind of file, by the XDG Base Directory Specification."""
    below = {"config": ".config", "data": ".local/share", "state": ".local/state"}
    root = named_folder(f"XDG_{kind.upper()}_HOME", environ)
    return root or os.path.join(home_folder(environ), below[kind])


def runtime_folder(environ: Mapping[str, str]) -> str:
    """The folder of the sockets of the user's login; systemd's, if the variable names none."""
    return named_folder("XDG_RUNTIME_DIR", environ) or f"/run/user/{os.geteuid()}"


def shared_folder(environ: Mapping[str, str]) -> str:
    """The folder for the files that secretly's processes share while they run, such as locks.

    It is in the runtime folder, which the system empties when you log out. Where this is not a
    folder of yours alone, as on macOS, it is the folder for secretly's state.
    """
    root = runtime_folder(environ)
    try:
        facts = os.stat(root)
    except OSError:
        return secretly_folder("state", environ)
    if stat.S_ISDIR(facts.st_mode) and (facts.st_uid, facts.st_mode & 0o077) == (
        os.geteuid(),
        0,
    ):
        return os.path.join(root, "secretly")
    return secretly_folder("state", environ)


def socket_paths(address: str) -> Iterator[bytes]:
    """The paths of the Unix sockets in a list of addresses of buses, in order.

    :param address: as in ``DBUS_SESSION_BUS_ADDRESS``: addresses with semicolons between them
        (D-Bus Specification, Server Addresses).
    :raises ValueError: if an escape is not two hexadecimal digits.
    """
    for one in address.split(";"):
        transport, _, rest = one.strip().partition(":")
        keys = dict(pair.partition("=")[::2] for pair in rest.split(","))
        if transport == "unix" and "path" in keys:
            yield _from_address(keys["path"])
        elif transport == "unix" and "abstract" in keys:
            yield b"\0" + _from_address(keys["abstract"])


def _from_address(value: str) -> bytes:
    """Decode a value of an address: ``%2f`` is a slash."""
    first, *others = os.fsencode(value).split(b"%")
    if any(len(one) < 2 or not _HEXADECIMAL.issuperset(one[:2]) for one in others):
        raise ValueError("an address with an invalid escape")
    return first + b"".join(bytes([int(one[:2], 16)]) + one[2:] for one in others)


def secretly_folder(kind: Literal["config", "data", "state"], environ: Mapping[str, str]) -> str:
    """The folder for secretly's configuration, or for the files that it writes.

    On Linux as in platformdirs: to import that takes as long as the rest of a start. Elsewhere
    platformdirs decides.
    """
    if sys.platform != "linux":
        import platformdirs

        folders = {
            "config": platformdirs.user_config_dir,
            "data": platformdirs.user_data_dir,
            "state": platformdirs.user_state_dir,
        }
        folder, theirs = folders[kind]("secretly"), os.path.expanduser("~")
        if folder.startswith(theirs):  # platformdirs knows no other environment
            return home_folder(environ).rstrip("/") + folder[len(theirs.rstrip("/")) :]
        return folder
    return os.path.join(xdg_folder(kind, environ), "secretly")


def config_path(environ: Mapping[str, str]) -> str:
    """The user's configuration file: ``SECRETLY_CONFIG``, else the platform's."""
    return environ.get("SECRETLY_CONFIG") or os.path.join(
        secretly_folder("config", environ), "config.toml"
    )
