"""References of stores that secretly knows by name and can't read.

A command that gets such a text often goes on and uses the text as its password.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    from collections.abc import Collection


__all__ = ["INSTEAD", "OTHERS", "find_unreadable"]

#: The schemes of their references, and the scheme to write instead, if any.
INSTEAD = {
    # Other names of stores that secretly reads.
    **dict.fromkeys(("1password", "1pass", "onepassword"), "op"),
    "bitwarden": "bw",
    "lastpass": "lpass",
    **dict.fromkeys(("keepass", "keepassxc-cli", "kdbx"), "keepassxc"),
    **dict.fromkeys(("passwordstore", "password-store", "passage"), "pass"),
    "keychain": "keyring",
    # Stores that secretly doesn't read.
    **dict.fromkeys(("akeyless", "berglas", "conjur", "dashlane", "dl", "doppler"), ""),
    **dict.fromkeys(("awssm", "azkv", "gcpsm"), ""),
    **dict.fromkeys(("enpass", "infisical", "keeper", "nordpass", "passbolt"), ""),
    "vault": "vault-kv",
    **dict.fromkeys(("psono", "sm", "ssm"), ""),  # sm: berglas; ssm: ssm-env
}

#: Other forms: those of vals, which also finds them in longer texts, and of whole
#: values of dotenvx, sops and vault-env.
OTHERS = (
    r"(?<![A-Za-z0-9+.-])[0-9+.-]*(?:secret)?ref\+[^\s+:]+://",
    r"^\s*encrypted:(?=[^\s@?]+$)",
    r"^\s*ENC\[AES256_GCM,",
    r"^\s*(?:>>)?(?:vault|bao):(?=[\w./-]+#)",
)

#: A URL of a server, not a reference: with a user, a query or a port. Inside another URL, these may
#: belong to the outer URL.
_OF_A_SERVER = r"[@?]|:\d+(?:[/#]|$)"


def find_unreadable(text: str, readable: Collection[str]) -> tuple[str, str] | None:
    """Find the reference of a store that secretly can't read in a text.

    :param readable: the schemes that secretly reads here: another package may read more.
    :returns: how the reference starts, and the scheme to write instead, which may be empty.

    >>> find_unreadable("doppler://project/config/NAME", {"op"})
    ('doppler://', '')
    >>> find_unreadable("vault://127.0.0.1:8200/x", {"op"})
    """
    import re

    names = "|".join(re.escape(name) for name in INSTEAD if name not in readable)
    pattern = rf"(?<![A-Za-z0-9+.-])[0-9+.-]*({names})://([^\s\"'`,;<>]+)"
    for found in re.finditer(pattern, text, re.IGNORECASE | re.ASCII):
        in_a_url = text[: found.start()].endswith((":", "/", "@"))
        if in_a_url or not re.search(_OF_A_SERVER, found[2]):
            return f"{found[1].lower()}://", INSTEAD[found[1].lower()]
    other = re.search("|".join(OTHERS), text)
    return (other[0].strip(), "") if other else None
