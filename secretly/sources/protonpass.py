"""``protonpass://VAULT/ITEM[#field]``: Proton Pass, by its program ``pass-cli``.

Proton's own form is ``pass://VAULT/ITEM/FIELD``, which belongs to another source here:
``protonpass://VAULT/ITEM/FIELD`` is the same. After its documentation; it was not run here.
"""

from __future__ import annotations

from ..errors import BadReference, SourceFailed
from ..redacted import Secret
from ..text import escape
from ..waiting import tasks
from ..waiting.blocks import suppress
from .failures import NoField, NoItem, SignedOut, Unreachable
from .programs import Program, operand
from .runs import Run

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

title = "Proton Pass"

program = Program(
    title,
    "pass-cli",
    (
        (
            "log ?in|logged|session|authenticat|unauthori[sz]ed",
            SignedOut,
            "you are not logged in",
            "pass-cli login",
        ),
        ("field", NoField, "{item} has no such field", "pass-cli item view"),
        ("not found|no such|could not find", NoItem, "can't find {item}", "pass-cli item list"),
        ("network|connect|timed? ?out|dns", Unreachable, "can't reach the server", "pass-cli test"),
    ),
)


def parted(path: str) -> tuple[str, str]:
    """Split Proton's own form into the item and the field."""
    vault, item, field = [*path.split("/", 2), "", ""][:3]
    return (f"{vault}/{item}", field) if field else (path, "")


async def fetch(path: str, fields: Sequence[str], run: Run) -> Mapping[str, str]:
    """Return the wanted fields, and the user name."""
    parts = [operand(part) for part in path.split("/")]
    if len(parts) != 2 or not all(parts):
        raise BadReference(
            f"protonpass://{escape(path)} does not say which item",
            "write protonpass://VAULT/ITEM, or protonpass://VAULT/ITEM/FIELD",
        )
    wanted = dict.fromkeys(map(_called, fields))

    async def one(field: str) -> Mapping[str, str]:
        with suppress(NoField):
            return {field: await _view(run, path, operand(field))}
        return {}

    async def username() -> Mapping[str, str]:
        if "username" not in wanted:
            with suppress(SourceFailed):  # the other calls say what is wrong
                return await one("username")
        return {}

    found = await tasks.gather(*map(one, wanted), username())
    return {name: value for part in found for name, value in part.items()}


def _called(field: str) -> str:
    """Return a field's name: those that all items have are in small letters."""
    small = field.casefold() or "password"
    return small if small in ("password", "username") else field


async def _view(run: Run, path: str, field: str) -> Secret:
    reference = f"pass://{path}/{field}"
    return await program.call(run, "item", "view", reference, item=path)
