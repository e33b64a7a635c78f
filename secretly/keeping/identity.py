"""The files of the user's identity, which opens sealed secrets.

``identity.age`` is the identity, locked with a passphrase; ``identity.pub`` is its recipient, in
plain text, because storing a secret asks for nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Self

from .. import safefiles
from ..config import places
from ..errors import NotFound, Refused
from ..safefiles import shared
from ..text import escape
from . import sealing

__all__ = ["IdentityFiles"]

_WHAT = "your identity"


class IdentityFiles:
    """The identity of one user, in a folder.

    Each file is replaced whole, so a crash leaves the old one or the new one.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = os.fspath(folder)
        self.path = os.path.join(self._folder, "identity.age")
        self._recipient_path = os.path.join(self._folder, "identity.pub")

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """The user's own identity."""
        return cls(places.secretly_folder("data", environ))

    @property
    def exist(self) -> bool:
        """Whether there is an identity, with or without its recipient."""
        return os.path.lexists(self.path)

    @property
    def complete(self) -> bool:
        """Whether there is an identity with its recipient."""
        return self.exist and os.path.lexists(self._recipient_path)

    def read(self) -> str:
        """Return the locked identity.

        :raises NotFound: if there is none.
        :raises Refused: if others could change it, or it can't be read.
        """
        if not self.exist:
            raise self._missing()
        return self._read(self.path)

    def recipient(self) -> str:
        """Return what secrets are sealed for.

        :raises NotFound: if there is none.
        :raises Refused: if others could change it, or it can't be read.
        """
        if not self.exist:
            raise self._missing()
        if not self.complete:
            raise NotFound(
                f"the recipient of your identity is missing: {escape(self._recipient_path)}",
                "make it: secretly identity create",
            )
        return self._read(self._recipient_path).strip()

    def refuse_if_lost(self) -> None:
        """Refuse to make a new identity in place of a lost one, which a backup may bring back.

        :raises NotFound: if there is a recipient, and no identity.
        """
        if not self.exist and os.path.lexists(self._recipient_path):
            raise self._missing()

    def _missing(self) -> NotFound:
        if os.path.lexists(self._recipient_path):
            return NotFound(
                f"{_WHAT}, which opens sealed secrets, is missing: {escape(self.path)}",
                "restore it from your backup. There is none? Delete"
                f" {escape(self._recipient_path)}, then run: secretly identity create",
            )
        return NotFound(
            "you have no identity, which opens sealed secrets",
            f"restore it from your backup, as {escape(self.path)}, or make one: secretly identity"
            " create",
        )

    def refuse_other_recipient(self, keys: sealing.Keys) -> None:
        """Refuse to seal if somebody else could open it.

        :raises Refused: if the recipient is not one of these keys'.
        """
        if self.recipient() not in keys.recipients:
            raise Refused(
                f"nothing was sealed: the recipient in {escape(self._recipient_path)} is not your"
                " identity's",
                "move that file away, then run: secretly identity create",
            )

    def _read(self, path: str) -> str:
        safefiles.refuse_if_others_can_write(path, _WHAT)
        try:
            return safefiles.read_file(path).decode("ascii")
        except UnicodeDecodeError:
            raise self.damaged("is not text") from None
        except OSError as error:
            raise Refused(
                f"can't read {_WHAT} {escape(path)}: {error.strerror}", "check its permissions"
            ) from None

    def damaged(self, why: str) -> Refused:
        """Return the error for an identity that can't be used."""
        return Refused(
            f"{_WHAT} {escape(self.path)} {why}",
            "restore the file from your backup (secretly identity export made it)",
        )

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other processes from sealing, and from changing the identity, in the block.

        :raises Refused: if another process does so now.
        """
        with self._locked(exclusive=True):
            yield

    @contextlib.contextmanager
    def sealed(self, value: str, name: str) -> Iterator[str]:
        """Give a secret as a sealed text. The identity stays until the end of the block.

        :param name: the name that it is stored under.
        :raises NotFound: if the user has no identity.
        :raises Refused: if it is being changed, or can't be used.
        """
        with self._locked(exclusive=False):
            try:
                text = sealing.seal(value, self.recipient(), name)
            except UnicodeEncodeError:
                raise Refused("the secret is not Unicode text", "store the text itself") from None
            except sealing.Damaged as error:
                raise Refused(
                    f"the recipient in {escape(self._recipient_path)} {error}",
                    "move that file away, then restore it: secretly identity create",
                ) from None
            yield text

    @contextlib.contextmanager
    def _locked(self, exclusive: bool) -> Iterator[None]:
        import fcntl

        self._prepare()
        try:
            lock = _open_private(os.path.join(self._folder, "identity.lock"), os.O_RDWR)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._lock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield
        finally:
            os.close(lock)

    @staticmethod
    def _lock(descriptor: int, how: int) -> None:
        import fcntl

        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                "another secretly uses your identity now: it seals, or changes the identity",
                "wait until it has ended, and try again",
            ) from None

    def write(self, locked: str, recipient: str) -> None:
        """Store the identity, then its recipient: nothing is sealed for an identity that is lost.

        :raises Refused: if that can't be written.
        """
        self._prepare()
        self._replace(self.path, locked)
        self.write_recipient(recipient)

    def write_recipient(self, recipient: str) -> None:
        """Store the recipient, unless it is there."""
        if not (self.complete and self._read(self._recipient_path).strip() == recipient):
            self._replace(self._recipient_path, f"{recipient}\n")

    def check_recipient(self, keys: sealing.Keys, note: Callable[[str], None]) -> None:
        """Restore the recipient of this identity if it is missing, or older than the newest key.

        :param note: gets a line about a recipient that is not this identity's.
        """
        if self.complete and self.recipient() not in keys.recipients:
            note(
                f"the recipient in {escape(self._recipient_path)} is not your identity's: somebody"
                " else can open what was sealed since. Move that file away, run: secretly identity"
                " create, and replace those secrets"
            )
            return
        with contextlib.suppress(Refused):  # a folder that is read-only
            self.write_recipient(keys.recipient)

    def keep_old(self) -> str:
        """Copy the identity to a file that nothing replaces; return its path."""
        old, number = self.read(), 1
        while os.path.lexists(path := os.path.join(self._folder, f"identity-{number}.age")):
            with contextlib.suppress(Refused):
                if self._read(path) == old:
                    return path
            number += 1
        self._replace(path, old)
        return path

    def _prepare(self) -> None:
        try:
            shared.make_private_folder(self._folder)
        except OSError as error:
            raise self._unwritable(error) from None
        safefiles.refuse_if_others_can_write(self._folder, "the folder for your identity")

    def _replace(self, path: str, text: str) -> None:
        # Always the same name, so that crashes leave at most one such file behind.
        new = os.path.join(self._folder, "identity.new")
        try:
            with open(_open_private(new, os.O_WRONLY | os.O_TRUNC), "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> Refused:
        return Refused(
            f"can't write your identity in {escape(self._folder)}: {error.strerror}",
            "check the folder's permissions and the disk",
        )


def _open_private(path: str, flags: int) -> int:
    """Open a file that only this user can read, whatever the umask."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor
