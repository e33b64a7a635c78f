"""Checks before a file is rewritten: it must be the user's alone, and in no version control."""

from __future__ import annotations

import glob
import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .. import safefiles
from ..config import places
from ..errors import Refused
from ..safefiles.permissions import user_name
from ..text import escape

__all__ = ["check_changeable", "copies", "was_in_git"]

#: How long git may take, in seconds.
_GIT_TIMEOUT = 20.0

#: The folders in which version control keeps its data. Only git is asked whether it has a file.
_CONTROLS = (".git", ".hg", ".svn", ".jj", ".bzr", ".pijul", "_darcs", ".fslckout", "CVS")


#: Where repositories of settings are, in the home.
_BARE = (".[!.]*", "dotfiles*", ".local/share/yadm/repo.git", ".config/vcsh/repo.d/*.git")


def check_changeable(
    path: str, environ: Mapping[str, str], *, tracked: bool = False, linked: bool = False
) -> None:
    """Refuse a file that secretly must not rewrite.

    :param path: the file, with links resolved.
    :param tracked: accept a file that is under version control.
    :param linked: accept a file with several hard links.
    :raises Refused: naming what is wrong, and what to do.
    """
    shown, facts = escape(path), os.lstat(path)
    if not stat.S_ISREG(facts.st_mode):
        raise Refused(f"{shown} is not a regular file", "name the file itself")
    if facts.st_uid != os.geteuid():
        raise Refused(
            f"{shown} belongs to {user_name(facts.st_uid)}: rewriting would make it yours",
            "its owner has to import it",
        )
    if facts.st_nlink > 1 and not linked:
        raise Refused(
            f"{shown} has {facts.st_nlink} hard links: the others would keep the secret",
            "remove the other names first, or add --linked and do it afterwards",
        )
    safefiles.refuse_if_others_can_write(path, "the file")
    if not os.access(os.path.dirname(path), os.W_OK):
        raise Refused(
            f"you can't write in the folder of {shown}, so the file can't be replaced",
            "allow it, or take the secret out by hand",
        )
    control = "" if tracked else _controlled_by(path, environ)
    if control:
        raise Refused(
            f"{shown} is under version control ({control}): its history keeps the secret",
            "revoke the secret first; then add --tracked",
        )


def _controlled_by(path: str, environ: Mapping[str, str]) -> str:
    """The version control that has a file, or may have it; empty if none has."""
    for folder in Path(path).parents:
        for control in _CONTROLS:
            if os.path.lexists(folder / control):
                free = control == ".git" and _git_has_not(path, environ)
                return "" if free else control.strip("._")
    tracking = [one for one in _bare(path, environ) if _tracks(one, path, environ)]
    return f"git, {escape(tracking[0])}" if tracking else ""


def _bare(path: str, environ: Mapping[str, str]) -> list[str]:
    """The git repositories without a folder of their own that may have a file of the home.

    People keep their settings in such a one: ``git --git-dir ~/.dotfiles --work-tree ~``, or yadm.
    """
    home = places.home_folder(environ)
    if home == "/" or not path.startswith(f"{home}/"):
        return []
    hidden = (glob.glob(os.path.join(glob.escape(home), one)) for one in _BARE)
    return [
        folder
        for folders in hidden
        for folder in sorted(folders)
        if all(os.path.exists(os.path.join(folder, part)) for part in ("HEAD", "objects", "refs"))
    ]


def _tracks(repository: str, path: str, environ: Mapping[str, str]) -> bool:
    """Whether a repository has a file of the home. Without git, it may have it."""
    home = places.home_folder(environ)
    of = (f"--git-dir={repository}", f"--work-tree={home}")
    done = _git(path, environ, *of, "ls-files", "--error-unmatch")
    return done is None or done.returncode == 0


def _git_has_not(path: str, environ: Mapping[str, str]) -> bool:
    """Whether git says that it doesn't have a file. Without an answer, it may have it."""
    done = _git(path, environ, "ls-files", "--error-unmatch")
    return done is not None and done.returncode == 1


def was_in_git(path: str, environ: Mapping[str, str]) -> bool:
    """Whether a commit of a git repository has, or had, a file of that name in that place."""
    done = _git(path, environ, "rev-list", "--all", "--max-count=1")
    return done is not None and bool(done.stdout.strip())


def _git(
    path: str, environ: Mapping[str, str], *words: str
) -> subprocess.CompletedProcess[bytes] | None:
    """Ask git about a file; None if it can't be asked. No program of the repository's is run."""
    program = safefiles.program_on_path("git", environ)
    if program is None:
        return None
    folder, name = os.path.split(path)
    clean = {key: value for key, value in environ.items() if key[:4] != "GIT_"}
    clean |= {"GIT_LITERAL_PATHSPECS": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    line = [program, "-C", folder, "-c", "core.fsmonitor=false", *words, "--", name]
    try:
        return subprocess.run(
            line, env=clean, capture_output=True, stdin=subprocess.DEVNULL, timeout=_GIT_TIMEOUT
        )
    except (OSError, subprocess.SubprocessError):
        return None


def copies(path: str) -> list[str]:
    """The files next to a file that look like copies of it, by their names."""
    folder, name = os.path.split(path)
    names = (
        *(f"{name}{end}" for end in ("~", ".bak", ".orig", ".old", ".save", ".swp", ".un~")),
        *(f".{name}.swp", f"{name}.swo", f"#{name}#", f".{name.lstrip('.')}.swp"),
    )
    return [one for one in (os.path.join(folder, n) for n in names) if os.path.lexists(one)]
