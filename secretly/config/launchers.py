"""Launchers: programs that start the command which is on their own command line."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Options of the launchers that take a value in the following argument.
_PYTHON = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_UV = frozenset(
    "--extra --no-extra --group --no-group --only-group --no-editable-package --env-file -w --with "
    "--with-editable --with-requirements --package --python-platform --index --default-index -i "
    "--index-url --extra-index-url -f --find-links --index-strategy --keyring-provider -P "
    "--upgrade-package --upgrade-group --resolution --prerelease --prerelease-package "
    "--fork-strategy --exclude-newer --exclude-newer-package --no-sources-package "
    "--reinstall-package --link-mode -C --config-setting --config-settings-package "
    "--no-build-isolation-package --no-build-package --no-binary-package --cache-dir "
    "--refresh-package -p --python --color --allow-insecure-host --directory --project "
    "--config-file --from -c --constraints -b --build-constraints --overrides "
    "--torch-backend".split()
)
_PIPX = frozenset(
    "--spec --python --pip-args --index-url -i --with --backend --fetch-python".split()
)
_CONDA = frozenset({"-n", "--name", "-p", "--prefix", "--cwd"})
_PIXI = frozenset({"--environment", "-m", "--manifest-path"})
# Options of poetry, pdm and hatch, before and after their `run`.
_RUNNERS = frozenset(
    "-C --directory -P --project -p -c --config -e --env --data-dir --cache-dir -k --skip --venv "
    "--env-file --working-dir".split()
)

#: Each launcher but Python: its options with a value, and the words after which the command
#: follows that it starts.
LAUNCHERS: dict[str, tuple[frozenset[str], tuple[list[str], ...]]] = {
    "uv": (_UV, (["run"], ["tool", "run"])),
    "uvx": (_UV, ([],)),
    "poetry": (_RUNNERS, (["run"],)),
    "pdm": (_RUNNERS, (["run"],)),
    "hatch": (_RUNNERS, (["run"],)),
    "pipx": (_PIPX, (["run"],)),
    "pipenv": (frozenset({"--python", "--pypi-mirror"}), (["run"],)),
    "conda": (_CONDA, (["run"],)),
    "mamba": (_CONDA, (["run"],)),
    "pixi": (_RUNNERS | _PIXI, (["run"],)),
    "rye": (frozenset({"--pyproject"}), (["run"],)),
    "nice": (frozenset({"-n", "--adjustment"}), ([],)),
    "nohup": (frozenset(), ([],)),
    "time": (frozenset({"-f", "--format", "-o", "--output"}), ([],)),
    "timeout": (frozenset({"-k", "--kill-after", "-s", "--signal"}), ([],)),
    "env": (frozenset(), ([],)),
}

#: The launchers that start the command as it is, in the same folder; ``env`` sets variables.
PLAIN = frozenset({"env", "nice", "nohup", "time", "timeout"})

#: The options and variables that make a launcher start the command in another folder, with other
#: variables, or from a file of that name. The lists are from each tool's own help.
REDIRECTING = {
    "uv tool run": ("--directory", "--env-file", "UV_WORKING_DIR", "UV_ENV_FILE"),
    "uv run": (
        "--directory",
        "--project",
        "--env-file",
        "--script",
        "-s",
        "--gui-script",
        "UV_WORKING_DIR",
        "UV_PROJECT",
        "UV_ENV_FILE",
    ),
    "uvx": ("--directory", "--env-file", "UV_WORKING_DIR", "UV_ENV_FILE"),
    "poetry run": ("--directory", "-C", "--project", "-P"),
    "pdm run": ("--project", "-p", "--env", "--env-file", "--working-dir", "PDM_PROJECT"),
    "hatch run": ("--project", "-p", "HATCH_PROJECT"),
    "pipenv run": ("PIPENV_PIPFILE", "PIPENV_DOTENV_LOCATION"),
}

#: The launchers that start the command in the project's own environment.
IN_PROJECT = frozenset(
    {"uv run", "poetry run", "pdm run", "hatch run", "pipenv run", "pixi run", "rye run"}
)


class Start(Record):
    """A launcher that starts a command.

    :param name: its name with its subcommand, as in ``"uv run"``.
    :param options: its own options.
    :param word: the word that it starts, as it was typed: ``release:twine`` for hatch.
    """

    name: str
    options: Sequence[tuple[str, str | None]]
    word: str


def in_project(starts: Iterable[Start]) -> str:
    """The launcher that runs the command in the project's environment, as in ``"uv run"``."""
    return next((one.name for one in starts if one.name in IN_PROJECT), "")


def redirected(starts: Iterable[Start], environ: Mapping[str, str]) -> str:
    """The launcher that starts the command in another folder, or with other variables.

    It is given with the option or variable that says so; empty if none does. What the
    command reads there is not what secretly sees here.
    """
    for start in starts:
        redirecting = REDIRECTING.get(start.name, ())
        found = [name for name, _ in start.options if name in redirecting]
        found += [part for part in redirecting if environ.get(part)]
        if found:
            return f"{start.name} with {found[0]}"
    return ""


def values_of(launcher: str) -> frozenset[str]:
    """The options of a launcher that take a value in the following argument."""
    return LAUNCHERS[launcher][0] if launcher in LAUNCHERS else _PYTHON


def started_by(name: str, arguments: Sequence[str]) -> list[str]:
    """The command line that a launcher starts; empty if *name* is not a launcher."""
    if name.startswith("py") and _is_python(name):
        return _module(arguments)
    if name not in LAUNCHERS:
        return []
    if name == "env":  # its options take variables away, or split words
        rest = list(arguments)
        while rest and not rest[0].startswith("-") and "=" in rest[0]:
            del rest[0]
        return [] if rest[:1] and rest[0].startswith("-") else rest
    if name == "timeout":
        return skip_options(arguments, LAUNCHERS[name][0])[1:]
    options, verbs = LAUNCHERS[name]
    rest = skip_options(arguments, options)
    for verb in verbs:
        if rest[: len(verb)] == verb:
            return skip_options(rest[len(verb) :], options) if verb else rest
    return []


def _is_python(name: str) -> bool:
    import re

    return re.fullmatch(r"(python|pypy|py)(\d(\.\d+)?)?t?", name) is not None


def skip_options(arguments: Sequence[str], values: frozenset[str]) -> list[str]:
    """The arguments from the first word on.

    :param values: the options that take a value in the following argument.
    """
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            break
        if option in values and rest:
            rest.pop(0)
    return rest


def _module(arguments: Sequence[str]) -> list[str]:
    """The module of ``python … -m`` and its arguments; empty if Python runs something else."""
    import re

    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        # -m may follow other flags, but c, W and X take the rest as their value (-Ximporttime).
        if found := re.fullmatch(r"-[^-cmWX]*m(.*)", option):
            return [found[1], *rest] if found[1] else rest
        if option in _PYTHON and rest:
            rest.pop(0)
        elif option.startswith("-c"):
            break
    return []
