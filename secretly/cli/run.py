"""``secretly run``: parse the call, plan, obtain the secrets, become the command."""

from __future__ import annotations

import os

from ..config import command_line, loading
from ..errors import Cancelled, SecretlyError
from ..record import Record, computed
from ..running import launch
from ..text import Environ, escape
from .console import UsageError, drive, quiet, say, user_context
from .run_options import RunOptions, expanded_by_the_shell, parse_options, parse_variable

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..config.invocation import Invocation
    from ..config.model import Command, Configuration, Profile
    from ..resolving.request import Context, SecretRequest
    from ..running.delivery import DeliveryMethod
    from ..running.env_file import EnvFile
    from ..running.plain import PlainVariable, Separated
    from ..running.planning import PlanInput
    from .noting import Attempt

#: What a recipe is called that publishes.
_PUBLISHING = ("publish", "upload", "release", "deploy")


class _Call(Record):
    """What was typed, and what is known of it."""

    options: RunOptions
    command: Sequence[str]
    environ: Mapping[str, str]
    configuration: Configuration
    invocation: Invocation | None
    explicit: Mapping[DeliveryMethod, str]
    env_file: EnvFile | None
    projects: tuple[str, ...]

    @computed
    def profile(self) -> Profile | None:
        """The profile that the call uses."""
        known, name = self.invocation, self.options.profile
        if name is None and (known is None or not known.row.profiles):
            return None  # most commands have none
        from ..config.profiles import chosen_profile

        return chosen_profile(known, name)

    @property
    def needs_secret(self) -> bool:
        """Whether anything here names a secret: the user, a variable, or what is known."""
        known = self.invocation is not None and self.invocation.needs_secret
        given = known or self.explicit or self.options.resolve_env
        return bool(given or (self.plain(None) and self.separated(None).secret))

    def plain(self, row: Command | None) -> dict[str, PlainVariable]:
        """The variables that the call sets without a secret's name."""
        if row is None and self.profile is None and self.env_file is None:
            return {}  # most calls have none, and what follows takes time to load
        from ..running.plain import plain_variables

        return plain_variables(row, self.profile, self.env_file)

    def separated(self, row: Command | None) -> Separated:
        """The plain variables, and those whose text holds references.

        :param row: what is known of the command; None for a call that needs no secret.
        """
        from ..running.plain import Separated, separate

        found = self.plain(row)
        if not found:
            return Separated({}, {})
        return separate(found, self.common, self.environ, self.options.literal)

    @property
    def variables(self) -> tuple[Mapping[str, PlainVariable], set[str]]:
        """The plain variables of a known call, and the names of those with a chosen secret."""
        assert self.invocation is not None
        found = self.separated(self.invocation.row)
        by_profile = self.profile.secrets if self.profile is not None else {}
        by_hand = {name for by in self.explicit for name in by.variables}
        resolved = self._resolved(self.invocation.row) if self.options.resolve_env else ()
        return found.plain, by_hand.union(found.secret, by_profile, resolved)

    def _resolved(self, row: Command) -> Sequence[str]:
        """The inherited variables whose references are resolved."""
        from ..running.plain import inherited_references

        names, own = self.environ.keys() - self.options.literal, (*row.secrets, *row.alternatives)
        return inherited_references(names, self.environ, self.common, own)

    @property
    def set_names(self) -> set[str]:
        """The names of the variables that something has a text for."""
        row = self.invocation.row if self.invocation else None
        return {*self.plain(row), *self.environ}

    @property
    def common(self) -> SecretRequest:
        """What all requests of this run have in common."""
        from ..reference import Reference
        from ..resolving.request import PROMPT_TIMEOUT, SecretRequest

        return SecretRequest(
            Reference("", ""),
            remember=self.options.remember,
            confirm=self.options.confirm,
            prompt_timeout=self.options.prompt_timeout or PROMPT_TIMEOUT,
            time_limit=self.options.prompt_timeout,
            ignore_stored=self.options.ask,
        )


def run(about: str, arguments: Sequence[str]) -> int:
    """Carry out the verb; on success the command takes this process's place.

    :param about: what it does, for its help.
    """
    options, command = parse_options(arguments)
    if options is None:
        from .run_help import print_help

        print_help(about)
        return 0
    _check_words(options, command)
    call = _read_call(options, command)
    path = _find_program(call)
    folder = _wrapping_folder(call)
    tell = quiet if options.quiet else say
    if not (options.dry_run or call.needs_secret):
        launch.execute(_ready(call, _without_secrets(call, path), folder), tell)
    from .noting import Attempt

    attempt = Attempt(call, path, tell)
    if options.dry_run:
        _with_secrets(call, path, attempt)
        return 0
    with attempt:
        found = _with_secrets(call, path, attempt)
        assert found is not None
        from ..processes.hardening import hardening

        launch.execute(_ready(call, found, folder), tell, hardening.lifted(), attempt.handed_over)
    raise AssertionError("execve returned")


def _ready(call: _Call, found: launch.Launch, folder: str) -> launch.Launch:
    """The launch with the folder of the wrapped commands; says what is literal.

    :param folder: the folder; empty if no command is wrapped.
    """
    _say_what_is_literal(call)
    return found.search_first(folder, call.environ) if folder else found


def _say_what_is_literal(call: _Call) -> None:
    if call.options.literal:
        from .guesses import without_text

        for line in without_text(call.options.literal, call.set_names):
            (quiet if call.options.quiet else say)(line)


def _wrapping_folder(call: _Call) -> str:
    """The folder with the programs for the wrapped commands; empty if none is wrapped."""
    if not call.options.wrap or call.options.dry_run:
        return ""
    from .recipes import wrapping_folder

    return wrapping_folder(call.options, call.configuration, call.environ)


def _check_words(options: RunOptions, command: Sequence[str]) -> None:
    """Refuse a call without a command, and options that don't go with it.

    :raises UsageError: for such a call.
    """
    if not command:
        raise UsageError("no command to run", "secretly run [options] COMMAND [ARG...]")
    if options.json and not options.dry_run:
        raise UsageError("--json needs --dry-run", "secretly run --dry-run --json COMMAND [ARG...]")
    if options.remember is True and command[0][:1].isdigit():
        from .guesses import not_joined

        if wrong := not_joined(command):
            raise UsageError(wrong[0], wrong[1])


def _read_call(options: RunOptions, command: Sequence[str]) -> _Call:
    environ = Environ(os.environ)
    known = loading.load(environ)
    invocation = command_line.recognize(command, known, options.alias)
    if options.alias is not None and invocation is None:
        from .guesses import suggestion

        raise UsageError(
            f"unknown command '{options.alias}'{suggestion(options.alias, known.commands)}",
            "--as takes a known command: one with [commands.NAME]",
        )
    env_file = _read_env_files(options)
    projects: tuple[str, ...] = ()
    if options.wrap or options.project:
        from . import recipes

        recipes.check_wrapped(options, invocation, known)
        if options.project:
            invocation, projects = recipes.as_recipe(invocation, options)
    explicit: dict[DeliveryMethod, str] = dict(parse_variable(text) for text in options.env)
    for name in {name for by in explicit for name in by.variables} & {*options.literal}:
        raise UsageError(
            f"--literal {name} and -e {name} contradict each other",
            "-e always takes a reference: leave one of them out",
        )
    call = _Call(options, command, environ, known, invocation, explicit, env_file, projects)
    _ = call.profile  # a wrong one is told first
    nothing = not (explicit or env_file is not None or options.resolve_env or options.wrap)
    if invocation is None and nothing:
        from .guesses import no_secret

        _find_program(call)
        raise no_secret(command)
    if options.alias is None and invocation is not None and invocation.may_be_alias:
        call = _without_alias(call, invocation)
        _ = call.profile  # that of the call which the alias stands for
    return call


def _find_program(call: _Call) -> str:
    """The path of the command's program.

    :raises NotThere: if it doesn't exist; with the known command that was perhaps meant.
    """
    try:
        return launch.find_program(call.command[0], call.environ)
    except SecretlyError as error:
        from ..running.not_started import NotThere
        from .guesses import installed

        if not isinstance(error, NotThere):
            raise
        raise NotThere(
            f"{error}{installed(call.command[0], call.configuration.commands)}", error.hint
        ) from None


def _without_alias(call: _Call, known: Invocation) -> _Call:
    """The call without an alias of the user's that stands for a call with a secret.

    A variable may have the alias: one of secretly's own, of the configuration, of an env file, or
    of ``env``.
    """
    from .upload_call import without_alias

    arguments = without_alias(known, call.environ, *call.variables)
    start = call.command[: len(call.command) - len(known.arguments)]
    invocation = known._replace(arguments=arguments)
    return call._replace(invocation=invocation, command=(*start, *arguments))


def _read_env_files(options: RunOptions) -> EnvFile | None:
    if not options.env_file:
        return None
    from ..running import env_file

    return env_file.read_env_files(options.env_file)


def _with_secrets(call: _Call, path: str, attempt: Attempt) -> launch.Launch | None:
    """Plan, prepare, obtain: the launch with all its secrets; None for ``--dry-run``.

    :param attempt: is told how far it came, for the receipt.
    """
    from ..running import obtaining, planning, preparing

    options, context = call.options, _context(call)
    attempt.begin(context)
    given = _plan_input(call, path, context)
    plan = planning.plan_delivery(given)
    known = given.invocation
    if known is not None and known.row.beaten_by and plan.deliveries:
        from ..running import rivals

        # With --as, the arguments are another program's.
        own = known._replace(arguments=()) if options.alias else known
        rivals.refuse_in_plan(own, plan, context.environ)
    prepared = preparing.prepare(plan, given, context)
    attempt.prepared(prepared, given)
    if known is not None and plan.why_none and (options.verbose or options.dry_run):
        say(f"{escape(known.row.name)} gets no secret: {plan.why_none}")
    if options.dry_run:
        from . import dry_run, recipes

        wrapped = recipes.wrapped_calls(options, call.configuration)
        dry_run.print_plan(plan, prepared, context, wrapped, options.json)
        return None
    if not prepared.deliveries:
        return prepared.launch
    if prepared.make_files is not None:
        prepared.make_files()
    variables = [name for by in call.explicit for name in by.variables]
    if line := expanded_by_the_shell(call.command, variables):
        context.note(line)
    if prepared.listing:
        from .upload_call import with_listing

        prepared = with_listing(prepared)
    launch.locale_as_given()  # before hardening: afterwards it can't be read
    try:
        return drive(obtaining.obtain_values(prepared, context, say if options.verbose else quiet))
    except Cancelled as error:
        error.hint = f"{escape(call.command[0])} was not run"
        raise


def _context(call: _Call) -> Context:
    """The user's context, with what the options say about asking."""
    options = call.options
    context = user_context(call.configuration, options.no_input, quiet if options.quiet else say)
    return context if options.reason is None else context._replace(reason=options.reason)


def _without_secrets(call: _Call, path: str) -> launch.Launch:
    """The launch of a call that needs no secret. If its words may publish, one line says so."""
    known, options = call.invocation, call.options
    if known is not None and not (options.quiet or options.wrap):
        words = " ".join(known.arguments)
        if options.alias is not None or any(map(words.__contains__, _PUBLISHING)):
            from .guesses import unseen_upload

            if line := unseen_upload(call.command, known, options.alias):
                say(line)
        if options.verbose:
            say(f"{escape(known.row.name)} gets no secret: this call doesn't need one")
    if not (found := call.plain(None)):
        return launch.Launch(path, call.command)
    from ..running.plain import texts

    return launch.Launch(path, call.command, texts(found))


def _plan_input(call: _Call, path: str, context: Context) -> PlanInput:
    from ..running import planning

    known, upload = call.invocation, None
    shown: Sequence[str] = ()
    if known is not None and known.needs_secret and not call.projects:
        from ..running.uploading import why_gets_none
        from .upload_call import look_at_upload

        upload = look_at_upload(known, path, *call.variables, context)
        if upload is not None:
            shown = upload.masked(call.command)
            if why := why_gets_none(call.explicit, known.row, upload, context):
                known, upload = known._replace(why_needs_none=why), None
    return planning.PlanInput(
        path,
        call.command,
        call.common,
        invocation=known,
        profile=call.profile,
        explicit=call.explicit,
        env_file=call.env_file,
        inherited=frozenset(context.environ),
        environ=call.environ,
        literal=frozenset(call.options.literal),
        resolve_env=call.options.resolve_env,
        projects=call.projects,
        upload=upload,
        shown=shown,
    )
