"""The command line of a call of cargo, and the settings that it and the user's files give."""

from __future__ import annotations

import functools

from ...config.invocation import Words
from ..options import Options
from ..parsers.clap import Clap
from ..tool_call import ToolCall
from .settings import OPTION, CargoSettings

#: What the subcommands have in common.
_REGISTRY = "--index= --registry= --token="

CLAP = Clap(
    "cargo",
    Options(
        "-v/--verbose -q/--quiet -h/--help -V/--version --color= --config= -Z= --locked --offline "
        "--frozen"
    ),
    {
        "publish": Options(
            f"{_REGISTRY} -n/--dry-run --no-verify --allow-dirty -p/--package= --workspace --list "
            "--exclude= -F/--features= --all-features --no-default-features -j/--jobs= "
            "--keep-going --target= --target-dir= -m/--manifest-path="
        ),
        "owner": Options(f"{_REGISTRY} -a/--add= -r/--remove= -l/--list"),
        "yank": Options(f"{_REGISTRY} --version/--vers= --undo"),
    },
    frozenset(
        (OPTION, "-Z", "--package", "--exclude", "--features", "--target", "--add", "--remove")
    ),
)


class CargoCall(ToolCall):
    """What is read of a call of cargo before its subcommand is looked at."""

    def read(self) -> Words:
        """Read the command line as clap does, without the toolchain that rustup takes from it."""
        return CLAP.read(self._arguments)

    @property
    def toolchain(self) -> tuple[str, ...]:
        """The word with a toolchain of the user's: ``+nightly``."""
        return tuple(word for word in self.arguments[:1] if word.startswith("+"))

    @property
    def _arguments(self) -> tuple[str, ...]:
        return self.arguments[len(self.toolchain) :]

    @functools.cached_property
    def settings(self) -> CargoSettings:
        """The settings that count. Options before the subcommand don't, if others follow it."""
        return CargoSettings(self, self._typed_settings)

    @property
    def _typed_settings(self) -> list[str]:
        options, before = self.words.options, self.words.before
        after = [value or "" for name, value in options[before:] if name == OPTION]
        return after or [value or "" for name, value in options[:before] if name == OPTION]
