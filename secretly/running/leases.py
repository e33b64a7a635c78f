"""Leases: an answer of the user that is good for later calls of the same program, for a while.

A lease is a memory for good manners: other programs of the user could write one. So it holds no
value, and nothing that gets a secret relies on it where more is wanted.
"""

from __future__ import annotations

import codecs
import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

from ..asking import lease_wording
from ..config import places
from ..processes import ancestry
from ..safefiles import shared
from ..text import READ_LIMIT, escape

__all__ = ["Lease", "Leases", "Terms"]

#: How long, in seconds, another process may have the file locked.
_PATIENCE = 1.0

#: How many leases there are at most; the one that ends first goes.
_MOST = 100


class Lease(NamedTuple):
    """An answer of the user.

    :param until: when it ends, in seconds since the system started.
    :param boot: which start of the system.
    :param root: the process whose calls it is for: its number and when it started.
    :param program: the program's path.
    :param identity: what identifies the program's file.
    :param folder: the folder that it runs in.
    :param secrets: the names of the secrets, each with where it comes from, sorted.
    """

    until: float
    boot: str
    root: str
    program: str
    identity: str
    folder: str
    secrets: tuple[str, ...]

    @property
    def left(self) -> float:
        """How long it is still good, in seconds; 0 or less: it is over."""
        return self.until - _now() if self.boot == _boot() else 0.0

    @property
    def text(self) -> str:
        """It in words, harmless."""
        names = ", ".join(escape(secret.rpartition(" ")[0]) for secret in self.secrets)
        where = f"{escape(self.program)} in {escape(self.folder)}"
        return f"{names} for {where}, {math.ceil(self.left / 60)} min left"

    def same_use(self, other: Lease) -> bool:
        """Whether both are for the same use."""
        return self._replace(until=0.0) == other._replace(until=0.0)

    def _line(self) -> str:
        texts = (str(self.until), *self[1:6], *self.secrets)
        return "\t".join(codecs.unicode_escape_encode(text)[0].decode("ascii") for text in texts)

    @classmethod
    def _parsed(cls, line: bytes) -> Self | None:
        """A line as a lease; None for any other line."""
        try:
            texts = [codecs.unicode_escape_decode(text)[0] for text in line.split(b"\t")]
            end, boot, root, program, identity, folder, *secrets = texts
            until = float(end)
            if not math.isfinite(until):
                return None
            return cls(until, boot, root, program, identity, folder, tuple(secrets))
        except (ValueError, Warning):
            return None


class Leases:
    """The leases of this user.

    :param environ: the environment that says which folder they are in.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = os.path.join(places.shared_folder(environ), "leases.tsv")

    def all(self) -> list[Lease]:
        """Those that are not over; none if they can't be read."""
        with contextlib.suppress(OSError), self._locked(os.O_RDONLY) as descriptor:
            return _read(descriptor)
        return []

    def add(self, lease: Lease) -> None:
        """Add one, in place of an earlier one for the same use.

        :raises OSError: if that can't be done.
        """
        with self._locked(os.O_RDWR | os.O_CREAT) as descriptor:
            others = [one for one in _read(descriptor) if not one.same_use(lease)]
            kept = sorted(others, key=lambda one: one.until)[1 - _MOST :]
            data = "".join(f"{one._line()}\n" for one in (*kept, lease)).encode("ascii")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, data, 0)

    def drop(self) -> list[Lease]:
        """Drop all; return those that were not over.

        :raises OSError: if that can't be done.
        """
        try:
            with self._locked(os.O_RDWR) as descriptor:
                found = _read(descriptor)
                os.ftruncate(descriptor, 0)
                return found
        except FileNotFoundError:
            return []

    @contextlib.contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        descriptor = shared.open_own(self._path, flags)
        try:
            shared.lock(descriptor, _PATIENCE)
            yield descriptor
        finally:
            os.close(descriptor)


def _read(descriptor: int) -> list[Lease]:
    lines = os.pread(descriptor, READ_LIMIT, 0).split(b"\n")
    return [lease for line in lines if (lease := Lease._parsed(line)) and lease.left > 0]


class Terms:
    """What the user may agree to: all calls of a program, in this folder, by the same process.

    :param program: the program's path.
    :param identity: what identifies its file.
    :param root: the process whose calls they are.
    """

    def __init__(
        self,
        program: str,
        identity: tuple[int | str, ...],
        root: ancestry.Ancestor,
        environ: Mapping[str, str],
    ) -> None:
        self._leases, self._root = Leases(environ), root
        whose = f"{root.pid} {root.started}"
        folder = os.getcwd()
        # Not the real path: one file may be many programs, as busybox is.
        path, facts = os.path.abspath(program), " ".join(map(str, identity))
        self._use = Lease(0.0, _boot(), whose, path, facts, folder, ())

    def covers(self, secrets: tuple[str, ...]) -> bool:
        """Whether the user has agreed to this use of these secrets, and that is not over."""
        wanted = self._use._replace(secrets=secrets)
        return any(lease.same_use(wanted) for lease in self._leases.all())

    def grant(self, secrets: tuple[str, ...], seconds: float) -> None:
        """Note that the user agrees to this use for a while.

        :raises OSError: if that can't be noted.
        """
        self._leases.add(self._use._replace(secrets=secrets, until=_now() + seconds))

    def describe(self, longer: str) -> str:
        """Say what it is, in lines for the dialog."""
        root = lease_wording.asking_root(escape(self._root.name), self._root.pid)
        program, folder = escape(self._use.program), escape(self._use.folder)
        return lease_wording.lease_lines(longer, program, folder, root)


def _now() -> float:
    """The seconds since the system started; the time that it sleeps counts."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _boot() -> str:
    """Which start of the system this is; empty if it does not say."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:
        return file.read(64).strip()
    return ""
