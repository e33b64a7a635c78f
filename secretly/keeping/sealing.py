"""Sealed secrets: age files, which the keychain stores in place of the secrets.

Anyone who knows the identity's recipient can seal, and only the identity opens. The identity is an
age file itself, which a passphrase opens. pyrage writes and reads both: https://age-encryption.org/v1

pyrage aborts the whole process when the memory for a passphrase's work fails. So the header is read
here before, and so is how much memory there is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Refused
from ..redacted import NotASecret, Secret, to_secret
from ..text import format_size

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "LEAST_WORK",
    "MOST_WORK",
    "Damaged",
    "Header",
    "Keys",
    "OtherIdentity",
    "check_memory",
    "check_sealed",
    "library",
    "read_header",
    "read_work",
    "seal",
    "unseal",
]

#: The work factors that are accepted, as powers of two. Less protects no passphrase, and more takes
#: over 1 GiB of memory. pyrage takes what takes a second: 18 to 20. age takes 18.
LEAST_WORK, MOST_WORK = 10, 20

#: The bytes of memory that scrypt takes for each unit of work, with age's block size (RFC 7914).
_UNIT = 128 * 8

#: What else the process needs, in bytes.
_SPARE = 32 << 20

_VERSION = b"age-encryption.org/v1"
_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"

#: The longest header, in bytes. That of a sealed secret has 200 to 400.
_LONGEST = 1 << 16

#: The kind of recipient that stands for a name, and what is before its key (RFC 8709).
_OF_NAME = "ssh-ed25519"
_SSH = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"

#: What pyrage says of a file that was sealed for other identities.
_NOT_THESE_KEYS = "No matching keys found"


class Damaged(ValueError):
    """An age file that secretly can't open; the text says why, and goes on after ``it``."""


class OtherIdentity(Damaged):
    """An age file that was sealed for another identity."""


class Header(NamedTuple):
    """What the header of an age file says.

    :param stanzas: the words of each stanza: the kind of its recipient, and its arguments.
    """

    stanzas: tuple[tuple[str, ...], ...]

    @property
    def kinds(self) -> set[str]:
        """The kinds of the recipients."""
        return {words[0] for words in self.stanzas}


class Keys(NamedTuple):
    """The keys of an identity, the one to seal with first.

    :param texts: each as age writes it: ``AGE-SECRET-KEY-1…``.
    """

    texts: tuple[Secret, ...]

    @property
    def recipient(self) -> str:
        """What secrets are sealed for."""
        return self.recipients[0]

    @property
    def recipients(self) -> list[str]:
        """The recipients of all keys."""
        read = library().x25519.Identity.from_str
        return [str(read(text).to_public()) for text in self.texts]

    @classmethod
    def parse(cls, text: str) -> Keys:
        """Read an identity file: a key a line, and comments.

        :raises Damaged: if it has no key, or something else.
        """
        lines = [line.strip() for line in text.splitlines()]
        found = [Secret(line) for line in lines if line and not line.startswith("#")]
        if not found:
            raise Damaged("has no key in it")
        pyrage = library()
        for one in found:
            try:
                pyrage.x25519.Identity.from_str(one)
            except pyrage.IdentityError:
                raise Damaged("has a line that is not an age X25519 key") from None
        return cls(tuple(found))

    @classmethod
    def generate(cls) -> Keys:
        """Make a new key."""
        return cls((Secret(str(library().x25519.Identity.generate())),))

    def text(self) -> Secret:
        """The keys as an identity file, as age-keygen writes it."""
        return Secret(f"# public key: {self.recipient}\n" + "".join(f"{k}\n" for k in self.texts))


def library() -> Any:
    """Load pyrage.

    :raises Refused: if it is not installed.
    """
    try:
        import pyrage
    except ImportError:
        raise Refused(
            "sealed secrets need the package pyrage, which is not installed",
            "run: pip install 'secretly[sealed]' (with pipx: pipx inject secretly pyrage; with"
            " uv: uv tool install --with pyrage path/to/secretly)",
        ) from None
    loaded: ModuleType = pyrage
    return loaded


# -- the header --------------------------------------------------------------------


def read_header(data: bytes) -> Header:
    """Read the header of an age file, in its text form or its binary form.

    :raises Damaged: if it is not the whole header of an age file.
    """
    first, *lines = _binary(data.strip(b"\xef\xbb\xbf \t\r\n"))[:_LONGEST].split(b"\n")
    if first != _VERSION:
        raise Damaged("is not an age file of version 1")
    stanzas: list[tuple[str, ...]] = []
    for line in lines:
        if line.startswith(b"--- ") and stanzas:
            return Header(tuple(stanzas))
        if line.startswith(b"-> "):
            words = tuple(line[3:].decode("ascii", "replace").split(" "))
            if not all(words):
                raise Damaged("has a damaged header")
            stanzas.append(words)
        elif not stanzas or line.startswith(b"-"):
            raise Damaged("has a damaged header")
    raise Damaged("has no end of its header")


def _binary(data: bytes) -> bytes:
    """The binary form of an age file."""
    if not data.startswith(_BEGIN):
        return data
    first, *lines = data.splitlines()
    if first != _BEGIN or not lines or lines[-1] != _END:
        raise Damaged("is cut short, or has something after its end")
    try:
        return base64.b64decode(b"".join(lines[:-1]), validate=True)
    except binascii.Error:
        raise Damaged("is not valid base64") from None


def read_work(data: bytes) -> int:
    """Return the work factor of a file that a passphrase opens, as a power of two.

    :raises Damaged: if no passphrase opens it, or the work is not one that secretly does.
    """
    stanzas = read_header(data).stanzas
    if len(stanzas) != 1 or stanzas[0][0] != "scrypt" or len(stanzas[0]) != 3:
        raise Damaged("is not protected by a passphrase")
    number = stanzas[0][2]
    work = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    if number.startswith("0") or not LEAST_WORK <= work <= MOST_WORK:
        raise Damaged(f"has a work factor that is not from {LEAST_WORK} to {MOST_WORK}")
    return work


def check_sealed(text: str) -> None:
    """Check that a text is a file which the keys of an identity may open.

    :raises Damaged: if it is not. A file that a passphrase opens would have any work factor.
    """
    if read_header(text.encode("utf-8", "replace")).kinds & {"scrypt"}:
        raise Damaged("is protected by a passphrase of its own")


def check_memory(work: int) -> None:
    """Check that there is memory for a passphrase's work.

    :raises Refused: if there is not.
    """
    from .memory import available

    needed, there = (_UNIT << work) + _SPARE, available()
    if there < needed:
        raise Refused(
            f"your passphrase needs {format_size(needed)} of memory for a moment, and"
            f" {format_size(there)} are free",
            "end other programs, or raise the limit (ulimit -v, or the container's), and try again",
        )


# -- sealing -----------------------------------------------------------------------


def seal(value: str, recipient: str, name: str) -> str:
    """Return a secret as an age file for this recipient, in age's text form.

    :param name: the secret's name: it is opened under no other one.
    :raises Damaged: if the recipient is not one of age's.
    :raises UnicodeEncodeError: if the secret is not Unicode text.
    """
    pyrage = library()
    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise Damaged("is not a recipient of age's (age1…)") from None
    named, _ = _name_as_recipient(name)
    sealed: bytes = pyrage.encrypt(value.encode(), [to, named], armored=True)
    return sealed.decode("ascii")


def unseal(text: str, keys: Keys, name: str) -> Secret:
    """Open a sealed secret.

    :param name: the secret's name. A file that age itself has made may be under any name.
    :raises Damaged: if it is damaged, or sealed for another identity or under another name.
    """
    check_sealed(text)
    pyrage = library()
    identities = [pyrage.x25519.Identity.from_str(key) for key in keys.texts]
    data = text.strip("\ufeff \t\r\n").encode()
    try:
        found = to_secret(pyrage.decrypt(data, identities), nul=True)
    except pyrage.DecryptError as error:
        if str(error) == _NOT_THESE_KEYS:
            raise OtherIdentity("is sealed for another identity") from None
        raise Damaged("is damaged") from None
    except NotASecret as error:
        raise Damaged(str(error)) from None
    tags = {words[1] for words in read_header(data).stanzas if words[0] == _OF_NAME and words[1:]}
    if tags and tags != {_name_as_recipient(name)[1]}:
        raise Damaged("was sealed under another name, and copied here")
    return found


def _name_as_recipient(name: str) -> tuple[Any, str]:
    """A recipient that stands for a name, and the tag by which the header shows it.

    Without it, another program could store one secret's file under the name of another, and you
    would hand over the wrong secret. It is an SSH key without a private half, because the
    public half is a hash. age's header names such a key by 32 bits of its hash, and only those who
    can open the file can change its header: https://age-encryption.org/v1
    """
    pyrage = library()
    for number in range(256):  # every second number is a point of the curve
        point = hashlib.sha256(
            f"secretly seals\0{number}\0{name}".encode("utf-8", "replace")
        ).digest()
        wire = _SSH + point
        try:
            to = pyrage.ssh.Recipient.from_str(f"{_OF_NAME} {base64.b64encode(wire).decode()}")
        except pyrage.RecipientError:
            continue
        tag = base64.b64encode(hashlib.sha256(wire).digest()[:4]).decode().rstrip("=")
        return to, tag
    raise Damaged("has a name that can't be sealed")
