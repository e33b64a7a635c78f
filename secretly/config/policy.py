"""The policy: rules that no option, variable or configuration lowers.

The system's file is root's. The user's is in the home folder that the password database names,
wherever ``HOME`` and other variables point. The stricter value counts, key by key.
"""

from __future__ import annotations

import os

from ..record import Record

__all__ = ["SYSTEM", "Policy", "as_me", "load", "users_file"]

#: The policy of the whole system.
SYSTEM = "/etc/secretly/policy.toml"


class Policy(Record):
    """What the policy files say together.

    :param confirm: ``"stored"``: you confirm each use of a secret that you don't type;
        ``"configured"``: as the configuration says.
    :param no_confirm: whether ``--no-confirm`` is allowed.
    :param pinentry: the only pinentry that may ask; None: secretly chooses one.
    :param require_reason: whether each call must give a reason.
    :param log: how much is logged: ``"off"``, ``"on"`` or ``"full"``; empty: no file says it.
    :param needs_receipt: whether a secret is handed over only with a receipt.
    :param agents: what coding agents may do: ``"ask"``, ``"refuse"`` or ``"as-me"``.
    :param agent_variables: more variables that mark an agent, ``NAME`` or ``NAME=value``.
    :param agent_programs: more programs that are agents.
    :param paths: the files that were read.
    :param careful: those of them that let agents do less than the user.
    """

    confirm: str = "configured"
    no_confirm: bool = True
    pinentry: str | None = None
    require_reason: bool = False
    log: str = ""
    needs_receipt: bool = False
    agents: str = "ask"
    agent_variables: tuple[str, ...] = ()
    agent_programs: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    careful: tuple[str, ...] = ()


def users_file() -> str:
    """The user's own policy file; empty if the password database names no home folder."""
    import pwd

    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
    return os.path.join(home, ".config/secretly/policy.toml") if os.path.isabs(home) else ""


def as_me(rules: Policy) -> str:
    """How the user lets agents do what the user does, in words: each file can forbid it."""
    return f'agents = "as-me" in {" and in ".join(rules.careful) or users_file() or SYSTEM}'


def load(system: str = SYSTEM, users_path: str | None = None) -> Policy:
    """Read the policy files. Without one, only their absence is found out.

    :param users_path: the user's file; None: see :func:`users_file`.
    :raises BadConfiguration: naming the file and the key.
    :raises Refused: if somebody else could change a file.
    """
    users = users_file() if users_path is None else users_path
    paths = [path for path in (system, users) if _exists(path)]
    if not paths:
        return Policy()
    from . import policy_file

    return Policy(**policy_file.read(paths, system))


def _exists(path: str) -> bool:
    """Whether there is such a file, also one that can't be read.

    A link that leads nowhere counts, and so does one in place of the folder: the policy that it led
    to may be on a disk that is not there now.
    """
    if not path:
        return False
    try:
        os.lstat(path)
    except FileNotFoundError:
        return os.path.islink(os.path.dirname(path)) and not os.path.exists(os.path.dirname(path))
    except NotADirectoryError:
        return False
    except OSError:
        pass  # reading it says what is wrong
    return True
