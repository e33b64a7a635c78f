"""The door to publishing: what the rest of secretly asks about an upload."""

from __future__ import annotations

from ..config.invocation import Invocation
from ..config.model import Command
from ..errors import Refused
from ..record import computed
from ..text import Environ, escape, format_command
from . import pins
from .archives import Readings
from .changes import changed
from .destination import Destination
from .examine import examine_release
from .metadata import normalize_project
from .release import Release
from .steering import check_launched, check_pin, check_variables, matches, steers_upload
from .tool import Launched, Pin
from .tool_call import ToolCall
from .tools import tool_for

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["Upload", "changed", "upload_of"]

#: So many subcommands can be named in a line.
_FEW = 5


class Upload:
    """One look at an upload: it reads each settings file once.

    To look at the files again, make another one with :func:`upload_of`.

    :param launched: what the launchers of the call add to it.
    :param environ: the environment without that.
    """

    def __init__(self, call: ToolCall, launched: Launched, environ: Mapping[str, str]) -> None:
        self._call = call
        self._launched = launched
        self._environ = environ

    def located(self, locations: Mapping[str, str]) -> Upload:
        """The same look, with the names of the stored tokens: a token's own index may be this one.

        :param locations: the names, by the index that made each token.
        """
        return Upload(self._call.located(locations), self._launched, self._environ)

    @computed
    def destination(self) -> Destination:
        """The index.

        :raises Refused: if a settings file can't be read, or a URL has no host; if a variable
            that an env file, a profile or a launcher's project sets steers the upload.
        """
        check_launched(self._call, self._launched)
        check_variables(self._call)
        return self._call.destination

    @computed
    def pin(self) -> Pin:
        """How the destination is forced on the tool.

        :raises Refused: if it can't be.
        """
        pin = self._call.pin()
        if self._call.invocation.is_module:
            # Without it, the modules of the working folder come before the tool's (Python 3.11).
            pin = pin._replace(environ={**pin.environ, "PYTHONSAFEPATH": "1"})
        check_pin(pin, self._launched, self._call)
        return pin

    def make_empty(self) -> None:
        """Make the empty settings that the pin names, if they aren't there.

        :raises Refused: if they can't be made, or aren't empty.
        """
        pins.make(self.pin, self._environ)

    @property
    def why_needs_none(self) -> str:
        """Why the call sends nothing that needs a secret, in words; empty if it does.

        :raises Refused: if the command line can't be read for certain.
        """
        subcommand = self._call.words.words[:1]
        row = self._call.invocation.row
        if not {*subcommand} & {*row.subcommands}:  # an option has the word as its value
            several = len(row.subcommands) > _FEW
            which = "one that sends anything" if several else " or ".join(row.subcommands)
            return f"the subcommand of {row.name} is not {which}"
        return self._call.why_needs_none()

    @property
    def identity(self) -> str:
        """The CI's identity that the tool uses where it has no secret; empty if there is none."""
        return self._call.identity()

    @property
    def wants_identity(self) -> bool:
        """Whether the call asks for the CI's identity, so that a secret would be an error."""
        return self._call.wants_identity()

    @property
    def given_by(self) -> str:
        """What gives the secret in the call itself, such as an option; empty if nothing does."""
        return self._call.given_by()

    @property
    def is_named_by_project(self) -> bool:
        """Whether the project's settings say where the index of that name is."""
        return self._call.is_named_by_project()

    def refuse_unseen(self, credentials: Collection[str]) -> None:
        """Refuse an env file that steers an upload which the user is not asked about.

        The secret is in the call or in an inherited variable, or it is the CI's identity.

        :param credentials: the tool's own variables for the secret and the user name. An env file
            with a secret of its own may say where that one goes.
        :raises Refused: naming the variable.
        """
        call = self._call
        check_variables(call)
        filed = {name for name, origin in call.origins.items() if origin == "an env file"}
        if any(call.environ.get(name) for name in filed.intersection(credentials)):
            return
        for name in sorted(filed.difference(credentials)):
            if matches(name, call.reads):
                raise Refused(
                    f"an env file sets {escape(name)}, and the secret comes from elsewhere: you "
                    "wouldn't be asked whether it may go there",
                    f"remove it there; if you mean it, export {escape(name)} in your shell",
                )

    def steers(self, name: str) -> bool:
        """Whether a variable changes where or how the upload goes, or as whom, or what it is."""
        return matches(name, self._call.reads) or steers_upload(self._call, name)

    def variable(self, name: str) -> str:
        """A variable of the known command as it is named for this index.

        :raises Refused: if the tool reads no variable for this index.
        """
        return self._call.variable(name)

    def secrets(self, configured: Mapping[str, str]) -> Mapping[str, str]:
        """The known command's variables for this index, each with its reference.

        :param configured: those of the known command. An empty reference means the index's own
            secret.
        """
        return self._call.secrets(configured)

    @property
    def narrows(self) -> bool:
        """Whether the index may take PyPI tokens, which secretly narrows."""
        return self._call.narrows

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self._call.invocation.row.name

    @property
    def arguments(self) -> tuple[str, ...]:
        """The tool's arguments as they were typed."""
        return self._call.arguments

    @property
    def without_alias(self) -> tuple[str, ...]:
        """The tool's arguments without an alias of the user's that stands for a call with a secret.

        :raises Refused: if such an alias is not the user's own.
        """
        return self._call.without_alias()

    def commands(self) -> list[str]:
        """The commands that upload one project after another; empty if files can't be named."""
        call, found = self._call, list[str]()
        if not call.artifacts.arguments:
            return found
        typed = [word for word in call.arguments if word not in call.words.words[1:]]
        for project in self.release.projects or ():
            files = [f for f in self.release.files if normalize_project(f.project) == project]
            words = ["secretly", "run", self.tool, *typed, *(f.path for f in files)]
            found.append(format_command(self.masked(words), 400))
        return found

    def masked(self, argv: Sequence[str]) -> list[str]:
        """The command line with ``***`` in the place of each secret in it."""
        secrets = {
            value
            for name, value in self._call.words.options
            if value and name in self._call.secret_options
        }
        return [_masked(word, secrets) for word in argv]

    @property
    def secret(self) -> str:
        """The name of the secret that belongs to the index.

        :raises Refused: what :attr:`destination` does.
        """
        return self.destination.secret

    @computed
    def release(self) -> Release:
        """What would be uploaded.

        :raises Refused: if there is nothing to upload, or a file that can't be uploaded.
        """
        return examine_release(self._call, self.destination, self._launched.code)

    @property
    def knows_username(self) -> bool:
        """Whether the call, or the tool's own configuration, has the user name."""
        return self.destination.username is not None

    def has_secret(self, variable: str) -> bool:
        """Whether a variable of the tool's own has a secret that the tool would send."""
        return self._call.has_secret(variable)

    def check_secret(self, secret: str, username: str) -> None:
        """Refuse a secret, or a user name, that the tool would read otherwise.

        :param secret: the text of one of the tool's own variables.
        :raises Refused: naming what the tool does with it.
        """
        self._call.check_secret(secret, username)

    def plain_password(self) -> tuple[str, str]:
        """The ``.pypirc`` and its section with a password in plain text for the index.

        Both are empty if there is none.

        :raises Refused: if the file can't be read.
        """
        pypirc = self._call.pypirc
        section = pypirc.section_with_password(self.destination.repository, self.destination.url)
        return (pypirc.path, section) if section else ("", "")

    def recheck(self) -> None:
        """Look at everything again, just before the tool starts: each file is read anew.

        :raises Refused: if anything differs from what the user saw.
        """
        self.make_empty()
        call = self._call
        again = upload_of(
            call.invocation,
            self._environ,
            call.readings,
            origins=call.origins,
            locations=call.locations,
            commands=call.commands,
            program=call.program,
            chosen=call.chosen,
        )
        assert again is not None
        what = changed(self.release, again.release)
        if not what and again.pin != self.pin:
            what = "a setting of the tool's was changed"
        if what:
            raise Refused(f"{what} since it was shown", "check the change, then try again")


def _masked(word: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        if word == secret or (word.startswith("-") and word.endswith(secret)):
            return word[: len(word) - len(secret)] + "***"
    if "@" not in word:
        return word
    import re

    return re.sub(r"(//[^/@\s:]*:)[^/@\s]*@", r"\1***@", word)


def _look(invocation: Invocation, environ: Mapping[str, str]) -> Launched:
    from .launcher_settings import look  # most calls start the tool itself

    return look(invocation, environ)


def upload_of(
    invocation: Invocation,
    environ: Mapping[str, str],
    readings: Readings | None = None,
    *,
    origins: Mapping[str, str] | None = None,
    locations: Mapping[str, str] | None = None,
    commands: Mapping[str, Command] | None = None,
    program: str = "",
    chosen: Collection[str] = (),
) -> Upload | None:
    """Look at the upload of a call; None if the command is not a publishing tool.

    :param environ: the environment that the tool will have, or the launcher that starts it.
    :param readings: earlier results, so that unchanged files are not read again.
    :param origins: the variables that this run sets, with what sets each.
    :param locations: the names of the stored tokens, by the index that made each.
    :param commands: the known commands, by their names.
    :param program: the path of the program that is started; empty if it is not known.
    :param chosen: the variables for which the user chose a secret.
    """
    adapter = tool_for(invocation.row.name)
    if adapter is None:
        return None
    launched = _look(invocation, environ) if invocation.launching else Launched()
    known = {name: one.value for name, one in launched.variables.items() if one.value is not None}
    childs = Environ({**environ, **known}) if known else environ
    found = adapter(
        invocation,
        childs,
        readings,
        origins=origins,
        locations=locations,
        commands=commands,
        program=program,
        chosen=chosen,
    )
    return Upload(found, launched, environ)
