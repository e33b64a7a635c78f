"""The subcommands of npm that send something."""

from __future__ import annotations

#: The subcommands, and the other names of some.
_COMMANDS = (
    *("publish", "unpublish", "stage", "deprecate", "undeprecate", "dist-tag", "access", "owner"),
    *("author", "org", "ogr", "team", "profile", "star", "stars", "token", "trust", "unstar"),
    "whoami",
)
_ALIASES = {
    "author": "owner",
    "ogr": "org",
    **dict.fromkeys(("dist-tags", "distTag", "distTags"), "dist-tag"),
}

#: The subcommands for which ``--dry-run`` counts, and those for which npm 10 ignores it.
DRY = ("publish", "unpublish")
DRY_SINCE_11 = ("deprecate", "undeprecate")

#: What only reads, after some subcommands.
LISTING = {
    "owner": ("ls", "list"),
    "dist-tag": ("ls", "l", "sl", "list"),
}

#: The other spellings of what changes something.
ACTIONS = {
    "owner": {"add": "add", "rm": "rm", "remove": "rm"},
    "dist-tag": {
        **dict.fromkeys(("add", "a", "set", "s"), "add"),
        **dict.fromkeys(("rm", "r", "del", "d", "remove"), "rm"),
    },
}


def own_name(command: str) -> str:
    """The own name of a subcommand, which may have another name, or be cut short.

    >>> own_name("publ"), own_name("author")
    ('publish', 'owner')
    """
    if command not in (*_COMMANDS, *_ALIASES):
        command = next((name for name in _COMMANDS if name.startswith(command)), command)
    return _ALIASES.get(command, command)
