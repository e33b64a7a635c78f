"""The files that a publishing tool collects: distributions, signatures, attestations."""

from __future__ import annotations

import os

from ..errors import Refused
from ..record import Record
from ..text import escape, shorten
from .metadata import is_project_name, normalize_project
from .tool_call import ToolCall

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SIGNATURE, _ATTESTATION = ".asc", ".attestation"


class Collected(Record):
    """A file that a tool collects.

    :param path: the path in the command line, or in the tool's folder.
    :param accompanies: the path of the distribution that this is a signature or an attestation of;
        empty for a distribution.
    """

    path: str
    accompanies: str = ""

    @property
    def is_attestation(self) -> bool:
        """Whether the file is an attestation."""
        return bool(self.accompanies) and self.path.endswith(_ATTESTATION)


def collect(call: ToolCall, folder: str, project: str = "", version: str = "") -> list[Collected]:
    """The files that the tool would upload.

    :param folder: the folder that relative names start from.
    :param project: the name of the project, if the tool uploads only the files of one.
    :param version: its version, if the settings give it.
    :raises Refused: if no file is found, or the tool would refuse a file.
    """
    artifacts = call.artifacts
    named = call.words.words[1:] if artifacts.arguments else []
    if named:
        paths = [path for word in named for path in _matching(call, word, folder)]
    elif artifacts.folder:
        # All files in the folder: pdm and hatch upload hidden ones too.
        named = [os.path.join(call.words.last(artifacts.folder_options) or artifacts.folder, "")]
        paths = _files_in(named[0], folder)
    else:
        raise Refused("found no file to upload", "name the files, such as dist/*")
    ending = (path for path in dict.fromkeys(paths) if path.endswith(artifacts.endings))
    found = [path for path in ending if call.collects(os.path.join(folder, path))]
    if artifacts.newest_only:
        found = _newest(found, project, version)
    if artifacts.strict:
        _refuse_others(call, paths, folder)
    if artifacts.stops:
        _refuse_stops(call, paths)
    if not found:
        raise _nothing(" ".join(named))
    return [*map(Collected, found), *_companions(call, found, paths)]


def _nothing(named: str) -> Refused:
    return Refused(
        f"found no file to upload: {escape(shorten(named, 60))}",
        "build the release first (python -m build), or check the name",
    )


def _matching(call: ToolCall, word: str, folder: str) -> list[str]:
    """The files that a word of the command line means: a file, a pattern, or a folder."""
    artifacts, path = call.artifacts, os.path.join(folder, word)
    exists = os.path.lexists(path)
    if artifacts.folders and os.path.isdir(path):
        return _files_in(word, folder)
    if artifacts.patterns == "never" or (artifacts.patterns == "missing" and exists):
        found = [word] if exists else []
    elif "**" in word:
        raise Refused(
            f"{escape(word)}: tools disagree about which files '**' means",
            "remove the quotes: then the shell expands the pattern",
        )
    else:
        # uv's patterns find hidden files and folders, those of a shell and of twine don't.
        import glob  # the shell has expanded most patterns

        hidden = artifacts.patterns == "always"
        found = sorted(glob.glob(word, root_dir=folder, include_hidden=hidden))
    if not found and artifacts.patterns != "always" and not artifacts.skips:
        raise _nothing(word)  # uv ignores a pattern without a file
    return found


def _files_in(named: str, folder: str) -> list[str]:
    """The files in a folder."""
    try:
        names = sorted(os.listdir(os.path.join(folder, named)))
    except (FileNotFoundError, NotADirectoryError):
        raise _nothing(named) from None
    except OSError as error:
        raise Refused(
            f"can't read {escape(named)}: {error.strerror}",
            "check the permissions of the folder: its files would be uploaded",
        ) from None
    return [os.path.join(named, name) for name in names]


def _refuse_others(call: ToolCall, paths: Sequence[str], folder: str) -> None:
    """Refuse files that stop the tool, perhaps after it has uploaded others."""
    tool = call.invocation.row.name
    for path in paths:
        if os.path.isdir(os.path.join(folder, path)):
            what = "is a folder"
        elif not path.endswith((*call.artifacts.endings, *_companion_endings(call))):
            what = "is not a distribution"
        else:
            continue
        raise _stopping(path, what, tool)


def _refuse_stops(call: ToolCall, paths: Sequence[str]) -> None:
    """Refuse source distributions that stop the tool, perhaps after it has uploaded others."""
    for path in paths:
        endings = [end for end in call.artifacts.stops if path.endswith(end)]
        stem = os.path.basename(path).removesuffix(max(endings, key=len, default=""))
        if endings and _names_release(stem):
            raise _stopping(path, "is not a .tar.gz", call.invocation.row.name)


def _names_release(stem: str) -> bool:
    """Whether a name is that of a source distribution: ``demo-1.0``."""
    from packaging.version import InvalidVersion, Version

    project, _, version = stem.rpartition("-")
    try:
        return is_project_name(project) and bool(Version(version))
    except InvalidVersion:
        return False


def _stopping(path: str, what: str, tool: str) -> Refused:
    return Refused(
        f"{escape(path)} {what}: {tool} would stop there",
        "move it elsewhere, or name the files: dist/*.whl dist/*.tar.gz",
    )


def _companion_endings(call: ToolCall) -> list[str]:
    """The endings of files that the tool does not refuse next to distributions."""
    artifacts = call.artifacts
    found = [_SIGNATURE] if artifacts.signatures else []
    known = artifacts.attestation_options or artifacts.no_attestation_options
    return [*found, _ATTESTATION] if known else found


def _companions(
    call: ToolCall, distributions: Sequence[str], paths: Sequence[str]
) -> Iterator[Collected]:
    """The signatures and attestations that the tool uploads with distributions."""
    endings = _companion_endings(call)
    if _ATTESTATION in endings and not _sends_attestations(call):
        endings.remove(_ATTESTATION)
    for path in dict.fromkeys(paths):
        name = os.path.basename(path)
        for owner in distributions if path.endswith(tuple(endings)) else ():
            beginning = os.path.basename(owner)
            signs = name == beginning + _SIGNATURE
            if signs or (name.startswith(beginning) and name.endswith(_ATTESTATION)):
                yield Collected(path, owner)
                break


def _sends_attestations(call: ToolCall) -> bool:
    """Whether this call uploads the attestations that it collects."""
    artifacts = call.artifacts
    if artifacts.attestation_options:
        return call.words.has(artifacts.attestation_options)
    without = artifacts.no_attestation_options
    return not call.words.has(without) and (call.value(without) or "").lower() != "true"


def _newest(paths: list[str], project: str, in_settings: str) -> list[str]:
    """The files of the project's newest version, which poetry uploads.

    Versions until 2.0 upload the files of the version in the settings instead.

    :param in_settings: that version.
    :raises Refused: if these are not the same.
    """
    import contextlib

    from packaging.version import Version

    if not project:
        return paths
    by_version: dict[Version, list[str]] = {}
    start = f"{normalize_project(project).replace('-', '_')}-"
    spelled: set[str] = set()
    for path in paths:
        name = os.path.basename(path)
        version = name.removeprefix(start).removesuffix(".tar.gz").partition("-")[0]
        if name.startswith(start) and (name.endswith(".tar.gz") or name.count("-") > 2):
            with contextlib.suppress(ValueError):
                by_version.setdefault(Version(version), []).append(path)
                spelled.add(version)
    if not by_version:
        return []
    newest = max(by_version)
    differs = False
    if in_settings and len(by_version) > 1:
        with contextlib.suppress(ValueError):  # an invalid version stops poetry
            differs = Version(in_settings) != newest
    if differs or len(spelled) > len(by_version):
        raise Refused(
            "versions of poetry disagree which files to upload: the folder has those of several "
            f"versions, and the project's is {escape(shorten(in_settings, 40)) or 'not known'}",
            "remove the files of the other versions",
        )
    return by_version[newest]
