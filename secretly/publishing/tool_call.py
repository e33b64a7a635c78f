"""The interface of the publishing tools: one look at a call of one."""

from __future__ import annotations

import os

from .. import safefiles
from ..config.invocation import Invocation, Words
from ..config.model import Command
from ..errors import Refused
from ..record import computed
from ..text import escape
from .archives import Readings
from .destination import Destination
from .pypirc import Pypirc
from .tool import Artifacts, Network, Packages, Pin

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path
    from typing import Any, Self


class ToolCall:
    """One look at a call of a publishing tool: a subclass for each tool, its adapter.

    Each file is read once. The variables in the lists are whole names, or beginnings that end
    with ``*``; where options are listed, ``$VARIABLE`` may be among them.

    :cvar narrows: whether the tool's indexes take PyPI tokens, which secretly narrows. If not,
        :meth:`packages` takes the place of *artifacts*.
    :cvar artifacts: which files the tool uploads.
    :cvar names: the tool's own names for indexes whose URL it knows, and the secret of each.
    :cvar secret_options: the options whose value is a secret.
    :cvar folder_options: options that name the folder in which the tool starts.
    :cvar project_options: those that name the project's folder, relative to that one.
    :cvar reads: the variables that name a destination or a user. The adapter reads, shows and
        pins them, so that an env file or a profile may set them.
    :cvar harmless: the tool's own variables that don't matter for the connection, for trust, or
        for what is uploaded.
    :cvar own_variables: the beginnings of all the tool's own variables. One that is in neither of
        the two lists steers the upload.
    :cvar proxies: whether the tool's HTTP client uses the variables for proxies.
    :cvar trusts: the variables with which the user chooses certificates that the tool trusts.
    :ivar invocation: the command line.
    :ivar environ: the environment that the tool will have.
    :ivar readings: the results of reading the files to upload.
    :ivar origins: the variables that this run sets, with what sets each: ``an env file``.
    :ivar locations: the names of the stored tokens, by the index that made each. What is computed
        once doesn't depend on them, apart from :attr:`destination`: see :meth:`located`.
    :ivar commands: the known commands, by their names.
    :ivar program: the path of the program that is started; empty if it is not known.
    :ivar chosen: the variables for which the user chose a secret; what they will hold isn't known.
    """

    narrows: bool = True
    artifacts: Artifacts = Artifacts()
    names: Mapping[str, str] = {}
    secret_options: tuple[str, ...] = ("--password",)
    folder_options: tuple[str, ...] = ()
    project_options: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    own_variables: tuple[str, ...] = ()
    proxies: bool = True
    trusts: tuple[str, ...] = ()

    def __init__(
        self,
        invocation: Invocation,
        environ: Mapping[str, str],
        readings: Readings | None = None,
        *,
        origins: Mapping[str, str] | None = None,
        locations: Mapping[str, str] | None = None,
        commands: Mapping[str, Command] | None = None,
        program: str = "",
        chosen: Collection[str] = (),
    ) -> None:
        self.invocation = invocation
        self.readings: Readings = {} if readings is None else readings
        self.environ = environ
        self.origins = {} if origins is None else origins
        self.locations = {} if locations is None else locations
        self.commands = {} if commands is None else commands
        self.program, self.chosen = program, chosen
        self._tables: dict[Path, dict[str, Any]] = {}

    # -- what each adapter answers ---------------------------------------------------

    def read(self) -> Words:
        """Read the arguments of an upload, as the tool's own parser does.

        The first of the words is the subcommand. Options have the names by which the adapter
        knows them, wherever they are.

        :raises Refused: for an unknown option, and for a form that versions of the tool read
            differently.
        """
        raise NotImplementedError

    def find_destination(self) -> Destination:
        """Where the bare tool would upload to, and as whom.

        :raises Refused: if that can't be known, or a setting of the project steers more than the
            destination.
        """
        raise NotImplementedError

    def pin(self) -> Pin:
        """How to force the destination on the tool.

        :raises Refused: if it can't be forced against what the project says.
        """
        raise NotImplementedError

    def without_alias(self) -> tuple[str, ...]:
        """The arguments without an alias of the user's that stands for a call with a secret.

        A tool that has aliases is in ``ALIASED`` of ``config/known_commands.py``.

        :returns: the arguments as they were typed, if there is none.
        :raises Refused: if such an alias is not the user's own.
        """
        return self.arguments

    def why_needs_none(self) -> str:
        """Why this call sends nothing that needs a secret, in words; empty if it does.

        Examples: ``--dry-run sends nothing``, ``trusted publishing was asked for``.
        """
        return ""

    def identity(self) -> str:
        """The CI's identity that the tool uses where it has no secret, in words; usually none.

        Example: ``ACTIONS_ID_TOKEN_REQUEST_URL is set``. A stored secret takes its place.
        """
        return ""

    def wants_identity(self) -> bool:
        """Whether the call asks for the CI's identity, so that a secret would be an error."""
        return False

    def is_named_by_project(self) -> bool:
        """Whether the project's settings say where the index of that name is."""
        return False

    def given_by(self) -> str:
        """What gives the secret in the call itself, such as an option; empty if nothing does."""
        return ""

    def network(self) -> Network:
        """What the user's own settings change about the connection, apart from the usual variables.

        :raises Refused: for a setting of the project's that does.
        """
        return Network()

    def code(self) -> tuple[str, ...]:
        """Which code of the project's own would see the token, in words; usually none.

        Example: ``the script pre_publish``. Builds are not named here.
        """
        return ()

    def packages(self) -> Packages:
        """What the call sends or changes, if the tool's registries take no PyPI tokens.

        :raises Refused: if that can't be known.
        """
        raise NotImplementedError

    def variable(self, name: str) -> str:
        """A variable of the known command as it is named for this index.

        :raises Refused: if the tool reads no variable for this index.
        """
        return name

    def secrets(self, configured: Mapping[str, str]) -> Mapping[str, str]:
        """The known command's variables for this index, each with its reference.

        :param configured: those of the known command. An empty reference means the index's own
            secret.
        """
        return {self.variable(name): reference for name, reference in configured.items()}

    def collects(self, path: str) -> bool:
        """Whether the tool uploads a file that has one of its endings.

        :param path: the file's path.
        """
        return True

    def named(self, folder: Path) -> tuple[str, str]:
        """The project's name and version; each is empty if its settings don't give it.

        :param folder: the folder in which the tool works.
        """
        manifest = self.words.last(self.artifacts.manifest_options) or "pyproject.toml"
        tables = self.read_toml(folder / os.path.basename(manifest))
        return first_text(tables, self.artifacts.names), first_text(tables, self.artifacts.versions)

    def check_secret(self, secret: str, username: str) -> None:
        """Refuse a secret, or a user name, that the tool would read otherwise.

        :raises Refused: naming what the tool does with it. The error has nothing of the secret.
        """

    def read_pypirc(self) -> Pypirc:
        """The ``.pypirc`` that the tool reads; an empty one if it reads none.

        :raises Refused: if the file can't be read.
        """
        return Pypirc("")

    # -- what they look at -----------------------------------------------------------

    @computed
    def words(self) -> Words:
        """The arguments, as the tool's own parser reads them.

        :raises Refused: if they can't be read for certain.
        """
        return self.read()

    @computed
    def destination(self) -> Destination:
        """Where the bare tool would upload to, and as whom.

        :raises Refused: if that can't be known.
        """
        return self.find_destination()

    def located(self, locations: Mapping[str, str]) -> Self:
        """The same look, with the names of the stored tokens: only the destination is found again.

        :param locations: the names, by the index that made each token.
        """
        found = self.__new__(type(self))
        found.__dict__.update(self.__dict__, locations=locations)
        found.__dict__.pop("destination", None)
        return found

    @computed
    def pypirc(self) -> Pypirc:
        """The ``.pypirc`` that the tool reads.

        :raises Refused: if the file can't be read.
        """
        return self.read_pypirc()

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments as they were typed."""
        return self.invocation.arguments

    def value(self, options: Sequence[str]) -> str | None:
        """The value of the last of these options, else of the first ``$VARIABLE`` in them."""
        found = self.words.last(options)
        if found is not None:
            return found
        variables = (name[1:] for name in options if name.startswith("$"))
        return next(filter(None, map(self.environ.get, variables)), None)

    def has_secret(self, variable: str, own: Collection[str] = ()) -> bool:
        """Whether a variable of the tool's own has a secret, or gets one that the user chose.

        An empty one has none, and what this run sets takes the place of what was inherited: the
        plan of the run removes or fills it.

        :param own: the variables that the tool takes the secret from; empty: those of its row.
        """
        set_here = {name for name in self.origins if self.environ.get(name)}.union(self.chosen)
        if variable in set_here or not self.environ.get(variable):
            return variable in set_here
        row = self.invocation.row
        return set_here.isdisjoint(own or (*[*row.secrets][:1], *row.alternatives))

    @property
    def start_path(self) -> str:
        """The path of the folder in which the tool starts. Most of them need no more of it.

        :raises Refused: if the working folder was deleted.
        """
        try:
            here = os.getcwd()
        except OSError:
            raise Refused("the working folder was deleted", "cd to another folder") from None
        named = self.value(self.folder_options)
        return os.path.join(here, named) if named else here

    @computed
    def start_folder(self) -> Path:
        """The folder in which the tool starts: the working folder, or the one that is named.

        :raises Refused: if the working folder was deleted.
        """
        from pathlib import Path

        return Path(self.start_path)

    @computed
    def named_folder(self) -> Path:
        """The folder in which the tool looks for its project."""
        return self.start_folder / (self.value(self.project_options) or "")

    @computed
    def project_folder(self) -> Path:
        """The project's folder: the nearest with a ``pyproject.toml``, if there is one."""
        folder = self.named_folder
        found = (f for f in (folder, *folder.parents) if (f / "pyproject.toml").is_file())
        return next(found, folder)

    def read_toml(self, path: Path) -> dict[str, Any]:
        """The tables of a settings file; empty without the file.

        :raises Refused: if the file can't be read.
        """
        if path not in self._tables:
            self._tables[path] = read_toml(path)
        return self._tables[path]


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a settings file; empty without the file.

    :raises Refused: if the file can't be read.
    """
    try:
        import tomllib  # twine reads none

        return tomllib.loads(safefiles.read_file(path).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError):
        pass
    # Raised outside: a traceback may show locals, and the parser's hold the file's text.
    raise Refused(
        f"can't read {escape(os.fspath(path))}",
        "fix the file: it may name the index or the project",
    )


def table_at(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The table under *keys*; an empty one without it."""
    found = value_at(table, keys)
    return found if isinstance(found, dict) else {}


def first_text(tables: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The first text under one of these keys, which have dots; empty without one."""
    values = (value_at(tables, key.split(".")) for key in keys)
    return next((value for value in values if isinstance(value, str)), "")


def value_at(value: Any, keys: Sequence[str]) -> object:
    """The value under *keys*, or None. In a list of tables, a key is the ``name`` of a table."""
    for key in keys:
        if isinstance(value, list):
            value = next((v for v in value if isinstance(v, dict) and v.get("name") == key), None)
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value
