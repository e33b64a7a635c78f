"""The texts of the question whose answer may be good for a while. See ``wording``."""

from __future__ import annotations

from collections.abc import Sequence


def confirm_several_text(secrets: Sequence[tuple[str, str]], purpose: str) -> str:
    """Return the question before stored secrets are used, with what they are for.

    :param secrets: each name, and where it comes from.
    """
    places: dict[str, list[str]] = {}
    for name, where in secrets:
        places.setdefault(where, []).append(name)
    named = "; ".join(f"{', '.join(names)} from {where}" for where, names in places.items())
    return f"Use {named} for this?\n\n{purpose}".strip()


def wanted(names: Sequence[str]) -> str:
    """The secrets in the line that says who wants them."""
    return names[0] if len(names) == 1 else f"these {len(names)} secrets"


def lease_lines(longer: str, program: str, folder: str, root: str) -> str:
    """What a duration in place of Yes agrees to.

    :param program: the program's path.
    :param root: whose calls it is for.
    """
    return (
        f'"{longer}" also agrees, without asking, to all calls of\n{program}\n'
        f"in {folder}\nwith these secrets, whatever its arguments, that {root} starts"
    )


def asking_root(name: str, pid: int) -> str:
    """The process whose calls an answer is good for."""
    return f"{name} (process {pid})"
