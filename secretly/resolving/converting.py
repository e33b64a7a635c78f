"""Seal a stored secret, unseal it, and replace the identity: each step can be repeated."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from ..asking import sealed_wording
from ..errors import KeychainUnavailable, NotFound, Refused, SecretlyError
from ..keeping import passphrases, sealing
from ..keeping.identity import IdentityFiles
from ..keeping.sealing import Keys
from ..redacted import Secret, is_sealed
from ..text import escape, shell_quote
from .candidates import Username, username_for
from .request import Context
from .storing import Unlisted, patience, store_text
from .unsealing import ask_passphrase, check_can_open, new_passphrase, open_text

__all__ = [
    "change_passphrase",
    "create_identity",
    "ensure_identity",
    "replace_identity",
    "seal_stored",
    "unseal_stored",
]


class _Item(NamedTuple):
    """An item of the keychain.

    :param text: the secret, or the age file.
    """

    name: str
    username: Username
    text: Secret


# -- the identity ------------------------------------------------------------------


async def ensure_identity(context: Context) -> bool:
    """Make the identity if there is none; return whether it was made.

    :raises Refused: if secretly must not ask.
    """
    sealing.library()
    if IdentityFiles.of(context.environ).complete:
        return False
    await create_identity(context)
    return True


async def create_identity(context: Context) -> str:
    """Make an identity, and return its recipient; or find the recipient of the one that is there.

    :raises Refused: if there is a complete one, or secretly must not ask.
    """
    check_can_open(["your identity"], context)
    files = IdentityFiles.of(context.environ)
    with files.changing():
        if files.complete:
            raise Refused(
                f"you have an identity: {escape(files.path)}",
                "for a new one: secretly identity replace",
            )
        files.refuse_if_lost()
        if files.exist:
            keys = await ask_passphrase(sealed_wording.RESTORE, context)
            files.write_recipient(keys.recipient)
            return keys.recipient
        keys = Keys.generate()
        locked = await _locked(keys, sealed_wording.CREATE, context)
        files.write(locked, keys.recipient)
        return keys.recipient


async def change_passphrase(context: Context) -> None:
    """Give the identity another passphrase."""
    check_can_open(["your identity"], context)
    files = IdentityFiles.of(context.environ)
    with files.changing():
        keys = await ask_passphrase(sealed_wording.CHANGE_PASSPHRASE, context)
        locked = await _locked(keys, sealed_wording.CHANGE_PASSPHRASE, context)
        files.write(locked, keys.recipient)


async def _locked(keys: Keys, text: str, context: Context) -> str:
    """Have the user choose a passphrase; return the locked identity."""
    sealing.check_memory(sealing.MOST_WORK)  # before anything is typed
    passphrase = await new_passphrase(sealed_wording.new_passphrase_text(text), context)
    return await passphrases.lock(keys, passphrase)


class Replaced(NamedTuple):
    """What came of replacing the identity.

    :param sealed: the names of the secrets that are sealed for the new one.
    :param failed: the errors about secrets that are not.
    :param old: the file with the old identity.
    """

    sealed: list[str]
    failed: list[SecretlyError]
    old: str


async def replace_identity(context: Context) -> Replaced:
    """Make a new identity, and seal all sealed secrets for it, one after another.

    Meanwhile the identity has both keys, and opens all. If this is interrupted, the next call goes
    on. The old identity stays in a file of its own: it opens old backups.
    """
    check_can_open(["your identity"], context)
    files = IdentityFiles.of(context.environ)
    with files.changing():
        items = await _sealed_items(context)
        text = sealed_wording.replace_text(len(items))
        keys = await ask_passphrase(text, context)
        old = files.keep_old() if len(keys.texts) == 1 else ""
        if old:
            keys = Keys((*Keys.generate().texts, *keys.texts))
        passphrase = await new_passphrase(sealed_wording.new_passphrase_text(text), context)
        files.write(await passphrases.lock(keys, passphrase), keys.recipient)
        new, done, failed = Keys(keys.texts[:1]), list[str](), list[SecretlyError]()
        for item in items:
            try:
                await _reseal(item, keys, new, context)
                done.append(item.name)
            except SecretlyError as error:
                failed.append(error)
        if not failed:
            files.write(await passphrases.lock(new, passphrase), new.recipient)
        return Replaced(done, failed, old)


async def _reseal(item: _Item, keys: Keys, new: Keys, context: Context) -> None:
    with contextlib.suppress(sealing.Damaged):
        sealing.unseal(item.text, new, item.name)
        return
    opened = open_text(item.name, item.text, keys)
    text = sealing.seal(opened, new.recipient, item.name)
    await _exchange(item, text, context)


# -- stored secrets ----------------------------------------------------------------


async def seal_stored(name: str, context: Context) -> bool:
    """Seal a stored secret; return whether it was not sealed before.

    The user types the passphrase: what can't be opened again would be lost.

    :raises NotFound: if it is not stored.
    """
    _refuse_source(name, context)
    items = await _items(name, context)
    shut = [item for item in items if is_sealed(item.text)]
    if len(shut) == len(items):
        for item in shut:  # another program may have sealed it
            await store_text(name, item.text, item.username, context)
        return False
    check_can_open([escape(name)], context)
    await ensure_identity(context)
    keys = await ask_passphrase(sealed_wording.seal_text(escape(name)), context)
    files = IdentityFiles.of(context.environ)
    files.refuse_other_recipient(keys)
    for item in items:
        if item in shut:
            continue
        with files.sealed(item.text, name) as text:
            if open_text(name, text, keys) != item.text:
                raise Refused(f"{escape(name)} could not be opened again", "nothing was changed")
            await _exchange(item, text, context)
    return True


async def unseal_stored(name: str, context: Context) -> bool:
    """Store a sealed secret as it is; return whether it was sealed.

    :raises NotFound: if it is not stored.
    :raises Refused: if the configuration says that it is sealed.
    """
    _refuse_source(name, context)
    if context.configuration.entry(name).sealed:
        raise Refused(
            f"the configuration has sealed = true for {escape(name)}",
            f"remove it there first: {escape(str(context.configuration.path))}",
        )
    items = await _items(name, context)
    shut = [item for item in items if is_sealed(item.text)]
    listed = {
        one.username for one in context.stored_names.items() if one.name == name and one.sealed
    }
    for item in items:
        if item not in shut and item.username.name in listed:  # an earlier call was interrupted
            await store_text(name, item.text, item.username, context)
    if not shut:
        return False
    check_can_open([escape(name)], context)
    keys = await ask_passphrase(sealed_wording.unseal_text(escape(name)), context)
    for item in shut:
        await _exchange(item, open_text(name, item.text, keys), context)
    return True


def _refuse_source(name: str, context: Context) -> None:
    source = context.configuration.entry(name).source
    if source is not None:
        raise Refused(
            f"{escape(name)} is configured to come from {escape(str(source))}",
            "only secrets in the keychain are sealed",
        )


async def _exchange(item: _Item, text: str, context: Context) -> None:
    """Store a text in place of an item; if the keychain does not return it, put the old one back.

    :raises KeychainUnavailable: if the keychain did not take it.
    :raises Refused: if the item has changed since it was read: the user had to be asked, and may
        have stored a newer secret.
    """
    name, username = item.name, item.username
    if await context.keychain.get(name, username.name, patience(context)) != item.text:
        raise Refused(f"what is stored for {escape(name)} has changed meanwhile", "run it again")
    try:
        await store_text(name, text, username, context)
    except Unlisted:
        raise
    except KeychainUnavailable:
        with contextlib.suppress(KeychainUnavailable):
            if await context.keychain.get(name, username.name, patience(context)) != item.text:
                await store_text(name, item.text, username, context)
        raise


async def _items(name: str, context: Context) -> list[_Item]:
    """The items of a name in the keychain, listed or not.

    :raises NotFound: if there is none.
    """
    found = []
    for username in _usernames(name, context):
        text = await context.keychain.get(name, username.name, patience(context))
        if text is not None:
            found.append(_Item(name, username, text))
    if found:
        return found
    raise NotFound(
        f"no secret {escape(name)} in the keychain",
        f"store it: secretly set --sealed {shell_quote(name)}",
    )


def _usernames(name: str, context: Context) -> list[Username]:
    """The user names under which a secret may be stored, the listed ones first."""
    listed = [one for one in context.stored_names.items() if one.name == name]
    names = [Username(one.username, one.has_own_username) for one in listed]
    unlisted = username_for(None, context.configuration.entry(name))
    return names + [unlisted] * all(one.name != unlisted.name for one in names)


async def _sealed_items(context: Context) -> list[_Item]:
    """The sealed items of all names that are listed, or configured as sealed.

    The list is not asked which are sealed: a call that was interrupted, or another program, may
    have sealed one without changing the list.
    """
    entries = context.configuration.secrets.values()
    listed = [one.name for one in context.stored_names.items()]
    found = []
    for name in dict.fromkeys((*listed, *(entry.name for entry in entries if entry.sealed))):
        with contextlib.suppress(NotFound):
            found += [one for one in await _items(name, context) if is_sealed(one.text)]
    return found
