"""Find out what a publishing command would upload."""

from __future__ import annotations

import os

from ..config import launchers
from ..errors import Refused
from . import archives, together
from .collecting import Collected, collect
from .destination import Destination
from .release import LIFETIME, LIFETIME_BUILDING, LONGEST, SLOWEST, Release
from .steering import network_of
from .tool_call import ToolCall

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Sequence


def examine_release(
    call: ToolCall, destination: Destination, launched: Sequence[str] = ()
) -> Release:
    """Find out what a publishing command would upload.

    :param launched: the project's own code that runs because of a launcher, in words.
    :raises Refused: if there is nothing to upload, or a file that can't be uploaded.
    """
    row = call.invocation.row
    if redirected := launchers.redirected(call.invocation.starts, call.environ):
        raise Refused(
            f"can't determine what would be uploaded, or where: {redirected}",
            f"run {row.name} without its launcher, or leave out that option or variable",
        )
    network = network_of(call)
    release = Release(
        row.name,
        destination,
        launcher=launchers.in_project(call.invocation.starts),
        code=(*launched, *call.code(), *_shadowing_modules(call)),
        network=network.settings,
        unverified=network.unverified,
    )
    if not call.narrows:
        packages = call.packages()
        return release._replace(packages=packages, files=packages.files)
    folder = _folder(call)
    if _builds(call):
        project, version = _named(call, folder)
        release = release._replace(
            builds=True, project=project, version=version, separately=call.artifacts.separately
        )
    else:
        release = _with_files(release, call, folder)
    release = release._replace(expires=lifetime(release, row.expires))
    release.check()
    return release


def _shadowing_modules(call: ToolCall) -> Sequence[str]:
    if not call.invocation.is_module:
        return ()
    from .shadowing import shadowing_modules

    return shadowing_modules(call)


def _with_files(release: Release, call: ToolCall, folder: str) -> Release:
    """The release with the files that the tool collects."""
    artifacts = call.artifacts
    named = _named(call, folder) if artifacts.newest_only else ()
    collected = collect(call, folder, *named)

    def read(file: Collected) -> archives.Distribution:
        return archives.read_distribution(
            file.path,
            folder,
            anywhere=file.path.endswith(artifacts.anywhere),
            accompanies=file.accompanies,
            readings=call.readings,
        )

    files = together.read_all(collected, read)
    attests = any(file.is_attestation for file in collected)
    return release._replace(files=files, attestations=artifacts.leaving_out if attests else "")


def lifetime(release: Release, configured: float | None) -> float:
    """How long the tool's token is good, in seconds: at most :data:`.release.LONGEST`.

    :param configured: what the configuration says; 0: the longest; None: nothing.
    """
    usual = LIFETIME_BUILDING if release.builds else LIFETIME
    expires = usual if configured is None else configured or LONGEST
    # The upload of each file must start in the first half of this time.
    needed = 2 * sum(file.size for file in release.files) / SLOWEST
    return min(max(expires, needed), LONGEST)


def _builds(call: ToolCall) -> bool:
    """Whether the tool builds before it uploads."""
    artifacts, words = call.artifacts, call.words
    return (
        bool(words.words and words.words[0] in artifacts.builds)
        and (not artifacts.build_options or words.has(artifacts.build_options))
        and not words.has(artifacts.no_build_options)
    )


def _folder(call: ToolCall) -> str:
    """The folder in which the tool works.

    :raises Refused: if the command line doesn't show it.
    """
    elsewhere, words = call.artifacts.elsewhere_options, call.words
    option = words._replace(options=words.options[: words.before]).last(elsewhere)
    variables = [name[1:] for name in elsewhere if name.startswith("$")]
    if option is not None or any(map(call.environ.get, variables)):
        raise Refused(
            "can't determine which project would be uploaded: a project's name doesn't say where "
            "its folder is",
            "run the command in the project's folder",
        )
    if (manifest := words.last(call.artifacts.manifest_options)) is not None:
        return os.fspath((call.start_folder / manifest).parent)
    return os.fspath(call.project_folder) if call.artifacts.root else call.start_path


def _named(call: ToolCall, folder: str) -> tuple[str, str]:
    """The project's name and version; both are empty if its settings give no valid name."""
    from pathlib import Path

    name, version = call.named(Path(folder))
    return (name, version) if archives.is_project_name(name) else ("", "")
