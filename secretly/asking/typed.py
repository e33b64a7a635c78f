"""The answer to a prompt, checked and made into a secret. It loads while the prompt is open."""

from __future__ import annotations

from ..errors import PinentryFailed
from ..redacted import NotASecret, Secret, is_cut_short, to_secret
from .questions import several_lines

__all__ = ["checked"]

#: The control characters that no secret has: all but tab, LF and CR, which a paste may have.
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\r") | {0x7F}


def checked(typed: bytearray) -> Secret:
    """Return the answer as a secret, and overwrite its bytes.

    :raises PinentryFailed: if the answer can't be a secret.
    :raises Refused: if the answer has several lines, or is the first line of several.
    """
    try:
        if _CONTROLS.isdisjoint(typed):
            secret = to_secret(typed, trim=True)
            if _has_several_lines(secret):
                raise several_lines()
            return secret
        if 0x1A in typed:
            raise PinentryFailed(
                "you pressed Ctrl-Z: a prompt can't be suspended", "enter the secret again"
            )
        raise PinentryFailed(
            "what you entered has a control character in it",
            "enter it again; if you pasted it, copy it again",
        )
    except NotASecret as error:
        raise PinentryFailed(
            f"what you entered {error}", "check the terminal's locale (LC_CTYPE)"
        ) from None
    finally:
        typed[:] = bytes(len(typed))


def _has_several_lines(secret: str) -> bool:
    """Return whether several lines were entered, whole, cut or run together.

    Some pinentries replace the line ends of a paste by spaces.
    """
    lines = secret.replace("\r", "\n").split("\n")
    if len([line for line in lines if line.strip()]) > 1 or is_cut_short(secret):
        return True
    return secret.lstrip().startswith("-----BEGIN ") and "\\n" not in secret
