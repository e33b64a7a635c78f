"""What the user is asked, and what an answer means."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Cancelled, NotConfirmed, PinentryFailed, PromptTimeout
from ..text import escape
from . import assuan
from .choosing import PromptMethod

#: How long, in seconds, a pinentry may take to start and to answer anything but the person's part.
MACHINE_TIMEOUT = 10.0


class Prompt(NamedTuple):
    """What a person is asked.

    :param repeat: ask for it twice, as for a new password.
    :param whole: refuse rather than cut the description: a person consents to all of it.
    """

    title: str
    description: str
    prompt: str
    error: str = ""
    repeat: bool = False
    whole: bool = False


def program_name(way: PromptMethod) -> str:
    return "pinentry" if way.program is None else escape(way.program.name)


class Unsuitable(Exception):
    """This pinentry cannot use this terminal; another way may."""


def check_code(code: int, name: str, seconds: float) -> None:
    """Raise what an answer to the person's command means."""
    if code == 0:
        return
    if code == assuan.TIMEOUT:
        raise PromptTimeout(
            f"nobody answered within {seconds:.0f} s", "try again; --prompt-timeout gives more time"
        )
    if code == assuan.NOT_CONFIRMED:
        raise NotConfirmed("not confirmed: you said no", "nothing was handed over")
    if code in (assuan.CANCELED, assuan.FULLY_CANCELED):
        raise Cancelled("cancelled at the prompt", "nothing was done")
    if code == assuan.WINDOW_TOO_SMALL:
        raise Unsuitable
    raise PinentryFailed(
        f"{name} failed with error {code}",
        "'secretly doctor' says which pinentry is used, and how to choose another",
    )
