"""``gopass://NAME[#key]``: gopass, by its program ``gopass``.

``#all`` is the whole text, if no line has that key. After the documentation and the source of
gopass 1.16.1; it was not run here. Debian 12's package of that name is another program.
"""

from __future__ import annotations

import re

from ..errors import SourceFailed
from ..redacted import Secret
from ..text import escape, shell_quote
from .failures import Locked, NoItem, SignedOut
from .passwordstore import fields_of, no_pinentry_left
from .programs import Program, operand
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

title = "gopass"

program = Program(
    title,
    "gopass",
    (
        ("is not in the password store", NoItem, "can't find the item {item}", "gopass ls"),
        ("empty secret", NoItem, "the item {item} is empty", "gopass edit {item}"),
        ("not initialized", SignedOut, "it has no store yet", "gopass setup"),
        (
            "failed to decrypt|decryption failed",
            Locked,
            "gopass can't decrypt {item}: its key is locked or missing",
            "gopass show {item}",
        ),
        (
            "flag provided but not defined",
            SourceFailed,
            "this gopass is another program, or too old, and can't show {item}",
            "gopass version: secretly needs gopass 1.10; Debian 12 has a program of that name",
        ),
    ),
)
_asking = program._replace(asks=True)

#: What keeps gpg, and an age key's passphrase, from a prompt of their own.
_QUIET = {"GOPASS_AGE_STDIN_PASSPHRASE": "1", "GOPASS_NO_NOTIFY": "1"}


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the first line, or a whole PEM block, as the password; then ``key: value`` lines."""
    given = run.environ.get("GOPASS_GPG_OPTS") or run.environ.get("PASSWORD_STORE_GPG_OPTS", "")
    # The user's settings may hide the password, and copy it to the clipboard.
    words = ("show", "--unsafe", "--alsoclip=false", operand(path))

    async def attempt() -> Secret:
        options = {"GOPASS_GPG_OPTS": f"{given} --pinentry-mode error".strip(), **_QUIET}
        return await program.call(run, *words, item=path, environ=options)

    async def unlock(wrong: str) -> None:
        """Let gpg's agent, or gopass's own pinentry for age, ask for the passphrase."""
        async with run.attention(
            "gopass's key is locked", f"gopass show {shell_quote(path)}"
        ) as environ:
            with no_pinentry_left(run) as mark:
                await _asking.call(run, *words, item=path, environ={**environ, **mark})

    return _item(await program.unlocking(run, attempt, unlock, times=1), path)


def _item(shown: Secret, path: str) -> Mapping[str, str]:
    """Return the fields of an item.

    :raises NoItem: if it is a folder, which gopass lists.
    """
    first, _, rest = shown.partition("\n")
    if first == f"{path.strip('/')}/" or rest.startswith(("├── ", "└── ")):
        raise NoItem(f"{title}: can't find the item {escape(path)}: it is a folder", "gopass ls")
    # Below that line is YAML, where a text may be quoted, and a number written anew.
    plain, *yaml = re.split(r"^---\n", shown, maxsplit=1, flags=re.MULTILINE)
    found = dict(fields_of(plain))
    if yaml and found.get("all") == plain:
        found["all"] = str(shown)
    return found
