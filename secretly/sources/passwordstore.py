"""``pass://NAME[#key]``: the standard Unix password manager, by its program ``pass``.

``#all`` is the whole text, if no line has that key.
"""

from __future__ import annotations

import os

from .. import safefiles
from ..config import places
from ..processes import child
from ..redacted import Secret
from ..text import escape, shell_quote
from ..waiting.blocks import contextmanager
from .failures import Ambiguous, Locked, NoItem
from .programs import Program, operand
from .runs import Item, Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

title = "pass"

_FAILURES = (
    ("is not in the password store", NoItem, "can't find the item {item}", "pass ls"),
    (
        "decryption failed|no secret key|no pinentry|cancelled|timeout",
        Locked,
        "gpg can't decrypt {item}: its key is locked or missing",
        "pass show {item}",
    ),
)

program = Program(title, "pass", _FAILURES)
_asking = program._replace(asks=True)


def folder(environ: Mapping[str, str]) -> str:
    """The folder in which ``pass`` keeps its items.

    :raises Refused: if ``PASSWORD_STORE_DIR`` is relative: ``pass`` would read from the current
        folder, where anyone can put an item that is encrypted for the user.
    """
    if named := environ.get("PASSWORD_STORE_DIR"):
        return places.full_path(named, "PASSWORD_STORE_DIR")
    return os.path.join(places.home_folder(environ), ".password-store")


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the first line, or a whole PEM block, as the password; then ``key: value`` lines."""
    given = run.environ.get("PASSWORD_STORE_GPG_OPTS", "")
    place = os.path.join(folder(run.environ), path.strip("/"))
    if "" in fields and path.strip("/").count("/") >= 2:
        _refuse_protons(path, os.path.isfile(f"{place}.gpg"), run)
    if os.path.isdir(place) and not os.path.isfile(f"{place}.gpg"):  # pass would list it
        raise NoItem(f"{title}: can't find the item {escape(path)}: it is a folder", "pass ls")

    own = "--pinentry-mode" in given  # then gpg may ask the user right away

    async def attempt() -> Secret:
        if own:
            async with run.turn(program.name) as environ:
                return await _asking.call(run, "show", operand(path), item=path, environ=environ)
        options = {"PASSWORD_STORE_GPG_OPTS": f"{given} --pinentry-mode error".strip()}
        return await program.call(run, "show", operand(path), item=path, environ=options)

    async def unlock(wrong: str) -> None:
        """Let gpg's own agent ask for the passphrase. The agent remembers it."""
        async with run.attention(
            "gpg's passphrase is needed", f"pass show {shell_quote(path)}"
        ) as environ:
            with no_pinentry_left(run) as mark:
                await _asking.call(run, "show", path, item=path, environ={**environ, **mark})

    return fields_of(await program.unlocking(run, attempt, unlock, times=1, alone=own))


def fields_of(shown: str) -> Mapping[str, str]:
    """Return the fields of an item's whole text."""
    first, *lines = _parted(shown)
    found = {"password": first} if first else {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip():
            found.setdefault(key.strip(), value.removeprefix(" "))
    item = Item(found)
    if item.called("username") is None and (name := item.called("user", "login")) is not None:
        found["username"] = name
    if shown and item.called("all") is None:
        found["all"] = shown
    return found


def _refuse_protons(path: str, there: bool, run: Run) -> None:
    """Refuse a reference of three parts that may be Proton Pass's, which has the same scheme.

    A reference with a field always belongs to the password store.

    :param there: whether the password store has an item of that path.
    :raises Ambiguous: if Proton's program is installed.
    :raises NoItem: if the password store does not have the item.
    """
    name = escape(path)
    configure = "for Proton Pass, write protonpass://VAULT/ITEM/FIELD"
    if safefiles.program_on_path(_PROTON, run.environ) is not None:
        raise Ambiguous(
            f"pass://{name} may mean an item of {title}, or one of Proton Pass (pass-cli)",
            f"for {title}, write pass://{name}#password; {configure}",
        )
    if not there:
        raise NoItem(
            f"{title}: can't find the item {name}; references of Proton Pass look the same",
            f"for {title}: pass ls; {configure}",
        )


#: The program of Proton Pass, whose references are ``pass://VAULT/ITEM/FIELD``.
_PROTON = "pass-cli"


def _parted(shown: str) -> list[str]:
    """Return the password and the lines after it. A PEM block is a password of several lines."""
    lines = shown.split("\n")
    ends = [number for number, line in enumerate(lines) if line.startswith("-----END ")]
    if not (ends and lines[0].startswith("-----BEGIN ")):
        return lines
    return ["\n".join(lines[: ends[-1] + 1]), *lines[ends[-1] + 1 :]]


@contextmanager
def no_pinentry_left(run: Run) -> Iterator[Mapping[str, str]]:
    """End the pinentry of gpg's agent if the call is cancelled.

    The agent of gpg 2.2 keeps asking after gpg has ended, on a terminal that another program
    may be reading from by then. secretly must not end the agent, which serves other programs
    too. The agent passes this variable on to its pinentry, and to nothing else.
    """
    if run.environ.get("PINENTRY_USER_DATA"):  # the user's own pinentry reads it
        yield {}
        return
    mark = {"PINENTRY_USER_DATA": f"secretly-{os.urandom(8).hex()}"}
    try:
        yield mark
    except BaseException:
        (found,) = mark.items()
        child.end_marked("=".join(found))
        raise
