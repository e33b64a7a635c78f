"""Find the known command in a command line."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .invocation import Invocation
    from .model import Configuration

__all__ = ["LAUNCHERS", "recognize"]

#: The launchers but Python. What is known of each is in ``launchers``, which most calls don't need.
LAUNCHERS = frozenset(
    "uv uvx poetry pdm hatch pipx pipenv conda mamba pixi rye nice nohup time timeout env".split()
)


def recognize(
    argv: Sequence[str],
    configuration: Configuration,
    alias: str | None = None,
) -> Invocation | None:
    """Find the known command in a command line.

    The last part of the command's path is its name. ``python -m X``, ``uv run X``,
    ``uvx X`` and ``pipx run X`` count as ``X``, and so on.

    :param alias: the name of the known command to use in place of the command's own name.
    """
    readings = _readings(argv)
    for last, (name, arguments) in reversed([*enumerate(readings)]):
        row = configuration.commands.get(name if alias is None else alias)
        if row is not None:
            pairs = zip(readings[:last], readings[1 : last + 1], strict=True)  # noqa: RUF007
            # The first word after a launcher's own ones is the name of the next reading.
            split = [(by, words, len(words) - len(rest) - 1) for (by, words), (_, rest) in pairs]
            launching = tuple((by, words[:at]) for by, words, at in split)
            started = tuple(words[at] for _, words, at in split)
            from .invocation import Invocation  # most commands are not known ones

            return Invocation(row, tuple(arguments), launching, started)
    return None


def _readings(argv: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """The command line as name and arguments, then the one that each launcher in it starts."""
    name, arguments = os.path.basename(argv[0]), argv[1:]
    readings = [(name, arguments)]
    if name not in LAUNCHERS and not name.startswith("py"):  # most often
        return readings
    from .launchers import started_by

    if inner := started_by(name, arguments):
        word = inner[0]
        if name == "hatch":  # ENVIRONMENT:COMMAND
            word = word.rpartition(":")[2]
        elif name in ("uv", "uvx", "pipx"):  # a requirement, as in twine@7.0 or twine[keyring]
            import re

            word = re.split(r"[@=<>~!\[]", word)[0] or word
        readings += _readings([word, *inner[1:]])
    return readings
