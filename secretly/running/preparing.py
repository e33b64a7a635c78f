"""The step between the plan and the secrets: look at what the user is going to agree to."""

from __future__ import annotations

import os

from ..text import escape, format_command
from . import program
from .delivery import Delivery, PreparedRun, TokenLimits

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..resolving.request import Context
    from .leases import Terms
    from .planning import DeliveryPlan, PlanInput


def prepare(plan: DeliveryPlan, given: PlanInput, context: Context) -> PreparedRun:
    """Look at what the user is going to agree to, and put it into the requests.

    :raises Refused: if the program or the upload must not get a secret.
    """
    launch = plan.launch
    if not plan.deliveries:
        if given.upload is not None and given.invocation is not None:
            from .uploading import credentials

            given.upload.refuse_unseen(credentials(given.invocation.row, given.upload))
        return PreparedRun(launch)
    # Taken before anything is shown: the launch compares it.
    fingerprint = program.fingerprint(plan.program, content=plan.publishes)
    launch = launch._replace(fingerprint=fingerprint)
    path, argv = _real_path(plan.program), given.shown or plan.argv
    run = PreparedRun(launch, plan.deliveries)
    shown: dict[str, Any] = {"publishes": plan.publishes, "command": (format_command(argv), path)}
    if given.upload is not None:
        from .uploading import with_upload

        run, more = with_upload(run, given, (path, argv), context)
        shown |= more
    else:
        limits = TokenLimits(escape(os.path.basename(plan.argv[0])), given.projects)
        run = run._replace(limits=limits)
        shown |= {"inspect": limits.inspect, "limits": limits.describe}
        shown |= {"lease": _lease_terms(plan, fingerprint, context)}
    projects = given.projects or tuple((run.release and run.release.projects) or ())
    deliveries = tuple(_narrower_first(delivery, projects) for delivery in plan.deliveries)
    deliveries = tuple(
        delivery.with_requests(lambda one: one._replace(**shown)) for delivery in deliveries
    )
    if given.upload is not None:
        from .uploading import shown_by_place

        deliveries = shown_by_place(deliveries, given, (path, argv), context)
    program.check_program(plan.program, context.environ)
    return run._replace(deliveries=deliveries)


def _lease_terms(
    plan: DeliveryPlan, fingerprint: tuple[int | str, ...], context: Context
) -> Terms | None:
    """What the user may agree to for a while, if that is configured; None for a publishing command.

    There the Yes is for what is uploaded now.
    """
    entries = context.configuration.having("confirm", str).values()
    if (
        plan.publishes
        or context.ancestors is None
        or all(one.confirm is None or isinstance(one.confirm, bool) for one in entries)
    ):
        return None
    from ..processes import ancestry
    from .leases import Terms

    agent = context.agent.process.pid if context.agent is not None else 0
    root = ancestry.root(context.ancestors(), agent)
    try:
        return Terms(plan.program, fingerprint, root, context.environ) if root.pid else None
    except OSError:  # the folder was deleted: each use is a question of its own
        return None


def _narrower_first(delivery: Delivery, projects: Sequence[str]) -> Delivery:
    """The delivery, which tries the secret of the one project first that is uploaded."""
    if not delivery.by_project or len(projects) != 1:
        return delivery
    return delivery.with_requests(
        lambda one: one._replace(names=(f"{one.reference.path}/{projects[0]}",))
    )


def _real_path(program: str) -> str:
    """The program's path, and, if that is a link, where it leads."""
    path, real = os.path.abspath(program), os.path.realpath(program)
    return escape(path if path == real else f"{path} -> {real}")
