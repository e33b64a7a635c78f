"""``secretly run``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from ..config import command_line, loading, model
from ..errors import Refused
from ..redacted import Environ
from ..reference import Reference, parse
from ..running import launch, program
from ..text import escape, format_command
from .console import UsageError, drive, hardening, quiet, say, user_context
from .run_options import RunOptions, parse_options, parse_variable, print_help

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from ..resolving.request import Context
    from ..running.env_file import EnvFile
    from ..running.planning import PlannedDelivery


def run(about: str, arguments: Sequence[str]) -> int:
    """Carry out the verb; on success the command takes this process's place.

    :param about: what it does, for its help.
    """
    options, command = parse_options(arguments)
    if options is None:
        print_help(about)
        return 0
    if not command:
        raise UsageError("there is no command to run", "secretly run [options] COMMAND [ARG...]")
    environ = Environ(os.environ)
    known = loading.load(environ)
    call = command_line.recognize(command, known, options.alias)
    if options.alias is not None and call is None:
        raise UsageError(
            f"no command {options.alias} is known", "--as takes a name that is configured"
        )
    explicit = dict(parse_variable(text) for text in options.env)
    profile = command_line.chosen_profile(call, options.profile)
    file = None
    if options.env_file:
        from ..running import env_file

        file = env_file.read_env_files(options.env_file)
        if not options.quiet:
            for line in env_file.doubtful_lines(file):
                say(line)
    if call is None and not explicit and file is None:
        raise Refused(
            f"nothing to hand to {escape(command[0])}",
            "say which: secretly run -e VARIABLE=NAME " + format_command(command, 60),
        )
    plan = launch.LaunchPlan(program.find_program(command[0], environ), command)
    if explicit or options.dry_run or (file and file.references) or (call and call.needs_secret):
        delivered = _deliver(options, plan, call, profile, explicit, file, known)
        if delivered is None:
            return 0
        plan = delivered
    else:
        plain = {**(file.plain if file else {}), **(profile.env if profile else {})}
        plan = plan._replace(environ=plain)
        if call is not None and options.verbose:
            say(f"{escape(call.row.name)} gets no secret: as far as is known, this needs none")
    launch.execute(plan, quiet if options.quiet else say, hardening.lifted())
    raise AssertionError("execve returned")


def _deliver(
    options: RunOptions,
    plan: launch.LaunchPlan,
    call: command_line.Invocation | None,
    profile: model.Profile | None,
    explicit: Mapping[str, str],
    file: EnvFile | None,
    known: model.Configuration,
) -> launch.LaunchPlan | None:
    """Put the secrets into the plan; None if it was only to be shown."""
    from ..resolving import request
    from ..running import filling, planning

    context = user_context(known, options.no_input, quiet if options.quiet else say)
    wish = request.SecretRequest(
        Reference("", ""),
        remember=options.remember,
        confirm=options.confirm,
        prompt_timeout=options.prompt_timeout or request.PROMPT_TIMEOUT,
        ignore_stored=options.ask,
    )
    planned = planning.plan_delivery(plan, wish, call, profile, explicit, context, file)
    if planned.deliveries:
        program.check_program(plan.program, context.environ)
    if options.dry_run:
        filed = set(file.plain if file else ()) - set(profile.env if profile else ())
        _print_plan(planned, context, filed)
        return None
    if not planned.deliveries:
        return planned.plan
    if options.confirm is not False:
        for line in planned.listing:  # harmless already, and part of the question
            print(line, file=sys.stderr)
    tell = say if options.verbose else quiet
    launch.locale_as_given()  # it cannot be read any more once secrets are near
    return drive(
        filling.obtain_values(planned.plan, planned.deliveries, planned.release, context, tell)
    )


def _print_plan(planned: PlannedDelivery, context: Context, filed: set[str]) -> None:
    deliveries, plan, upload = planned.deliveries, planned.plan, planned.release
    print(f"program: {escape(plan.program)}")
    for name in plan.environ:
        if name not in [one.variable for one in deliveries]:
            by = "an env file" if name in filed else "the configuration"
            what = "set" if plan.environ[name] else "set to nothing"
            print(f"{escape(name)}: {what} by {by}")
    for one in deliveries:
        wish = one.wish
        places = [_place(name, context) for name in (*wish.names, str(wish.reference))]
        print(f"{escape(one.variable)}: {', else '.join(places)}")
        if one.username:
            print(f"{escape(one.username)}: the user name that goes with it")
    for name in plan.removes:
        if name in context.environ and name not in plan.environ:
            print(f"{escape(name)}: removed")
    if upload is not None:
        for line in upload.described():
            print(line)


def _place(reference: str, context: Context) -> str:
    found = parse(reference)
    entry = context.configuration.entry(found.name)
    if found.scheme:
        return escape(str(found))
    if entry.source is not None:
        return f"{escape(reference)} from {escape(str(entry.source))}"
    if any(one.name == found.name for one in context.memory.held()):
        return f"{escape(reference)} from memory"
    return f"{escape(reference)} from the keychain or typed"
