"""Sealed secrets: the age files, the identity, and how much memory a passphrase takes."""

from __future__ import annotations

import asyncio
import base64
import os
import resource
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import sealed
from conftest import need_package
from hypothesis import given
from hypothesis import strategies as st

import secretly
from secretly.config.model import Entry
from secretly.config.schema import ConfigFile
from secretly.errors import BadConfiguration, NotFound, Refused
from secretly.keeping import memory, name_changes, passphrases, sealing
from secretly.keeping.identity import IdentityFiles
from secretly.keeping.sealing import Damaged, Keys
from secretly.redacted import Secret, is_sealed
from secretly.reference import Reference
from secretly.resolving import checking, confirming, unsealing
from secretly.resolving.candidates import KEYCHAIN, Candidate, ResolvedSecret, find_candidates
from secretly.resolving.request import SecretRequest, login_name
from secretly.testing import MemorySession, sandbox

pyrage = need_package("pyrage")

HEADER = b"age-encryption.org/v1\n"
SCRYPT = b"-> scrypt 9xrYwJvxXuP63NQbFfZAZw %s\npzpNN5\n"
END = b"--- abc\nrest"

#: A sealed secret, and the keys that open it.
KEYS = Keys.generate()
SEALED = sealing.seal("canary-1", KEYS.recipient, "Name")


def armored(data: bytes) -> bytes:
    """An age file in its text form."""
    text = base64.encodebytes(data)
    return b"-----BEGIN AGE ENCRYPTED FILE-----\n%s-----END AGE ENCRYPTED FILE-----\n" % text


DATA = base64.b64decode("".join(SEALED.splitlines()[1:-1]))

#: The same with another last byte.
DAMAGED = armored(DATA[:-1] + bytes([DATA[-1] ^ 1])).decode()


# -- what is an age file -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "it_is"),
    [
        (SEALED, True),
        (sealed.IDENTITY, True),
        (f"\ufeff\r\n {SEALED}", True),
        (f"\x0b\xa0\0\u200b\udcff{SEALED}", True),
        ("-----BEGIN AGE ENCRYPTED FILE-----", True),
        ("age-encryption.org/v1\n-> X25519 a\n", True),
        ("age-encryption.org/v2", True),
        ("sops:\n-----BEGIN AGE ENCRYPTED FILE-----", False),
        ("-----BEGIN PRIVATE KEY-----", False),
        ("canary-1", False),
        ("", False),
    ],
)
def test_an_age_file_is_known_by_its_beginning(text: str, it_is: bool) -> None:
    """Text form and binary form count, of any version; a file inside another text doesn't."""
    assert is_sealed(text) is it_is
    assert (checking.find_fault(text) == checking.SEALED) is it_is


# -- headers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", [bytes, armored, lambda data: armored(data).replace(b"\n", b"\r\n")]
)
def test_a_header_is_read_in_each_form(form: Callable[[bytes], bytes]) -> None:
    """The binary form, the text form and its Windows line ends say the same."""
    header = sealing.read_header(form(HEADER + SCRYPT % b"18" + END))
    assert header.stanzas == (("scrypt", "9xrYwJvxXuP63NQbFfZAZw", "18"),)


def test_the_librarys_own_files_are_read() -> None:
    """pyrage adds stanzas of made-up kinds; an X25519 stanza is among them."""
    assert "X25519" in sealing.read_header(SEALED.encode()).kinds
    assert sealing.read_work(sealed.IDENTITY.encode()) == 10


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"canary",
        HEADER,
        HEADER + END,
        b"age-encryption.org/v2\n" + SCRYPT % b"18" + END,
        HEADER + b"pzpNN5\n" + END,
        HEADER + SCRYPT % b"18",
        HEADER + b"->  18\n" + END,
        HEADER + b"-> scrypt a  18\n" + END,
        HEADER + SCRYPT % b"18" + b"-x\n" + END,
        HEADER + SCRYPT % b"18" + b"a\n" * 70_000 + END,
        SEALED.encode()[:-40],
        SEALED.encode() + b"x",
        SEALED.encode().replace(b"Y", b"*"),
        b"-----BEGIN AGE ENCRYPTED FILE-----",
    ],
)
def test_a_damaged_header_is_refused(data: bytes) -> None:
    """A header that is cut short, too long or of another version is not read."""
    with pytest.raises(Damaged):
        sealing.read_header(data)


@pytest.mark.parametrize("number", [b"10", b"17", b"18", b"20"])
def test_a_usual_work_factor_is_accepted(number: bytes) -> None:
    """From 10 to 20."""
    assert sealing.read_work(HEADER + SCRYPT % number + END) == int(number)


@pytest.mark.parametrize(
    "stanzas",
    [
        *(
            SCRYPT % one
            for one in b"0 9 21 24 63 018 +18 -18 18.0 1e1 \xd9\xa1\xd9\xa8 9999".split()
        ),
        SCRYPT % b"18 x",
        SCRYPT % b"18" + SCRYPT % b"18",
        SCRYPT % b"18" + b"-> X25519 abc\n",
        b"-> X25519 abc\n",
        b"-> scrypt abc\n",
    ],
)
def test_other_work_is_refused_before_it_is_done(stanzas: bytes) -> None:
    """24 would take 16 GiB; more than one recipient is not a file of a passphrase."""
    with pytest.raises(Damaged):
        sealing.read_work(HEADER + stanzas + END)


@pytest.mark.parser("headers of age files")
@given(
    st.binary()
    | st.builds(
        lambda *parts: b"".join(parts),
        *[
            st.sampled_from(
                [
                    HEADER,
                    SCRYPT % b"18",
                    SCRYPT % b"99",
                    b"-> X25519 a\n",
                    b"\n",
                    b"-> \n",
                    b"a\xff\n",
                    END,
                ]
            )
        ]
        * 6,
    )
    | st.binary(max_size=60).map(armored)
    | st.tuples(st.integers(0, len(SEALED)), st.binary(max_size=3)).map(
        lambda cut: SEALED.encode()[: cut[0]] + cut[1] + SEALED.encode()[cut[0] :]
    )
)
def test_any_bytes_are_a_header_or_damaged(data: bytes) -> None:
    """Nothing else is raised, and work that is accepted is from 10 to 20."""
    try:
        stanzas = sealing.read_header(data).stanzas
    except Damaged as error:
        assert str(error)
        return
    assert all(words and all(words) for words in stanzas)
    try:
        assert 10 <= sealing.read_work(data) <= 20
    except Damaged as error:
        assert str(error)


# -- sealing -----------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_what_is_sealed_opens_again(text: str) -> None:
    """Whatever text is sealed, the keys return it, and the file does not contain it."""
    file = sealing.seal(text, KEYS.recipient, "Name")
    assert is_sealed(file)
    assert sealing.unseal(file, KEYS, "Name") == text
    assert (
        sealing.unseal(
            f"\r\n{file.strip()}\n\n", Keys((*Keys.generate().texts, *KEYS.texts)), "Name"
        )
        == text
    )


@pytest.mark.parametrize(
    ("text", "keys", "why"),
    [
        (SEALED, Keys.generate(), "is sealed for another identity"),
        (DAMAGED, KEYS, "is damaged"),
        (sealed.IDENTITY, KEYS, "is protected by a passphrase of its own"),
        ("canary-1", KEYS, "is not an age file of version 1"),
        (
            pyrage.encrypt(
                b"\xff", [pyrage.x25519.Recipient.from_str(KEYS.recipient)], armored=True
            ).decode(),
            KEYS,
            "is not UTF-8 text",
        ),
    ],
)
def test_what_does_not_open_says_why(text: str, keys: Keys, why: str) -> None:
    """Damage, another identity and a planted passphrase are told apart."""
    with pytest.raises(Damaged) as caught:
        sealing.unseal(text, keys, "Name")
    assert str(caught.value) == why


TAG = "D1gzhw"  # of PyPI


@given(st.text(max_size=30))
def test_a_sealed_secret_opens_under_its_own_name_only(name: str) -> None:
    """Another program can't have you hand over one secret in place of another."""
    file = sealing.seal("canary-1", KEYS.recipient, name)
    assert sealing.unseal(file, KEYS, name) == "canary-1"
    with pytest.raises(Damaged, match="another name"):
        sealing.unseal(file, KEYS, f"{name}x")


def test_the_mark_of_a_name_never_changes_and_cannot_be_changed() -> None:
    """Old files must open with later versions. A mark of another name doesn't fit the header."""
    file = sealing.seal("canary-1", KEYS.recipient, "PyPI")
    stanzas = sealing.read_header(file.encode()).stanzas
    assert [words[1] for words in stanzas if words[0] == "ssh-ed25519"] == [TAG]
    data = base64.b64decode("".join(file.splitlines()[1:-1]))
    moved = armored(data.replace(f"ssh-ed25519 {TAG} ".encode(), b"ssh-ed25519 AAAAAA ")).decode()
    for name in ("PyPI", "Other"):
        with pytest.raises(Damaged, match="is damaged"):
            sealing.unseal(moved, KEYS, name)


def test_what_age_has_sealed_may_have_any_name() -> None:
    """age knows no names."""
    to = [pyrage.x25519.Recipient.from_str(KEYS.recipient)]
    file = pyrage.encrypt(b"canary-1", to, armored=True).decode()
    assert sealing.unseal(file, KEYS, "Any") == "canary-1"


@pytest.mark.parametrize("text", ["", "# a comment\n", "AGE-PLUGIN-X-1ABC", "AGE-SECRET-KEY-1ABC"])
def test_an_identity_without_an_x25519_key_is_refused(text: str) -> None:
    """Comments alone, a plugin's identity and a broken key are not keys."""
    with pytest.raises(Damaged):
        Keys.parse(text)


def test_an_identity_is_read_as_age_writes_it() -> None:
    """Comments and empty lines are skipped, and no repr shows a key."""
    assert Keys.parse(f"# created: today\r\n\n{KEYS.text()}") == KEYS
    assert "AGE-SECRET" not in repr(KEYS)


def test_without_the_library_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sealed secrets need the extra."""
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(Refused) as caught:
        sealing.unseal(SEALED, KEYS, "Name")
    assert "secretly[sealed]" in caught.value.hint


@pytest.mark.parametrize(
    ("passphrase", "weak"),
    [
        ("canary", True),
        ("aaaaaaaaaaaaaaaaaaaaaa", True),
        ("1234567890123456", True),
        ("12345678901234567890123", False),
        ("correct horse battery staple", False),
        ("kX3!vq9Zp-2mTw", False),
    ],
)
def test_a_weak_passphrase_is_told(passphrase: str, weak: bool) -> None:
    """Short ones, the same few characters, and short numbers are weak."""
    assert bool(passphrases.weakness(passphrase)) is weak


# -- memory ------------------------------------------------------------------------


def system(folder: Path, **files: str) -> tuple[str, str]:
    """A /proc and a folder of control groups, with these files."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("__"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder / "proc"), str(folder / "cgroup")


MEMINFO = """MemTotal: 9 kB
MemAvailable: 2048 kB
SwapFree: 1024 kB
CommitLimit: 7 kB
Committed_AS: 5 kB
"""


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 1 << 62),
        ({"proc__meminfo": MEMINFO}, 3072 << 10),
        ({"proc__meminfo": "what\n"}, 1 << 62),
        ({"proc__meminfo": MEMINFO, "proc__sys__vm__overcommit_memory": "1"}, 3072 << 10),
        ({"proc__meminfo": MEMINFO, "proc__sys__vm__overcommit_memory": "2"}, 2 << 10),
        (
            {
                "proc__self__cgroup": "1:name=x:/\n0::/a/b\n",
                "cgroup__a__b__memory.max": "max",
                "cgroup__a__memory.max": "1000",
                "cgroup__a__memory.current": "900",
                "cgroup__a__memory.stat": "anon 1\ninactive_file 50\n",
            },
            150,
        ),
        (
            {
                "proc__self__cgroup": "0::/\n",
                "cgroup__memory.max": "1000",
                "cgroup__memory.current": "5000",
                "cgroup__memory.stat": "",
            },
            0,
        ),
    ],
)
def test_the_least_that_anything_leaves_is_what_is_free(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    """The machine, its promises, and each control group around the process have a say."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        assert memory.available(*system(tmp_path, **files)) == expected


def test_work_without_memory_is_refused() -> None:
    """The library would abort the process. No machine has the memory of this factor."""
    with pytest.raises(Refused, match="memory"):
        sealing.check_memory(50)
    sealing.check_memory(10)


# -- the work in a process of its own ----------------------------------------------


def work(python: Path, what: Callable[[], Coroutine[Any, Any, object]], text: str = "") -> str:
    """What is said of the work if Python is this script; empty if nothing is."""
    if text:
        python.write_text(f"#!/bin/sh\nprintf ready\n{text}\n")
        python.chmod(0o700)
    try:
        asyncio.run(what())
    except Refused as error:
        return str(error)
    return ""


def unlock() -> Coroutine[Any, Any, object]:
    """Open the identity of the tests."""
    return passphrases.unlock(sealed.IDENTITY, sealed.PASSPHRASE)


@pytest.mark.process
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -ABRT $$", "it got no memory"),
        ("kill -KILL $$", "it was killed"),
        ("exit 3", "status 3"),
        ("sleep 60", "took more than"),
        ("", "can't start Python for the passphrase's work: No such file"),
    ],
)
def test_work_that_fails_is_refused(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ran out of memory, was killed, took too long, or is not there."""
    python = tmp_path / "python3"
    monkeypatch.setattr(sys, "executable", str(python))
    if script == "sleep 60":
        monkeypatch.setattr(passphrases, "_WORK", 0.1)
    assert said in work(python, unlock, script)


@pytest.mark.process
@pytest.mark.usefixtures("children_ignored")
def test_work_whose_end_nobody_saw_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of an identity is not one."""
    python = tmp_path / "python3"
    monkeypatch.setattr(sys, "executable", str(python))
    assert "ignores SIGCHLD" in work(python, unlock, "echo AGE-SECRET-KEY-1")


@pytest.mark.process
def test_a_fast_machine_makes_no_identity_that_takes_too_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library measures the machine; secretly would refuse what it made."""
    python = tmp_path / "python3"
    (tmp_path / "locked").write_bytes(armored(HEADER + SCRYPT % b"21" + END))
    monkeypatch.setattr(sys, "executable", str(python))
    said = work(python, lambda: passphrases.lock(KEYS, "canary"), f"cat {tmp_path}/locked")
    assert said.startswith("this machine is so fast")


@pytest.mark.parametrize("program", ["/usr/bin/blender", "", "python3"])
def test_a_program_that_has_python_in_it_opens_nothing(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """secretly doesn't start that program in place of Python."""
    monkeypatch.setattr(sys, "executable", program)
    assert "has Python in it" in work(Path(), unlock)


# -- the identity's files ----------------------------------------------------------


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> IdentityFiles:
    return IdentityFiles(sealed.put_identity(tmp_path))


#: The keys of the identity for tests.
MINE = Keys.parse(pyrage.passphrase.decrypt(sealed.IDENTITY.encode(), sealed.PASSPHRASE).decode())


def test_an_identity_is_written_for_this_user_alone(tmp_path: Path) -> None:
    """The folder is 0700, and each file 0600, whatever the umask."""
    before = os.umask(0)
    try:
        files = IdentityFiles(tmp_path / "new" / "secretly")
        files.write(sealed.IDENTITY, sealed.RECIPIENT)
        with files.sealed("canary-1", "Name"):
            pass
    finally:
        os.umask(before)
    folder = Path(files.path).parent
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == dict.fromkeys(("identity.age", "identity.pub", "identity.lock"), 0o600)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (files.read(), files.recipient()) == (sealed.IDENTITY, sealed.RECIPIENT)


def test_without_an_identity_the_error_says_how_to_make_it(tmp_path: Path) -> None:
    """Neither sealing nor opening works."""
    files = IdentityFiles(tmp_path)
    for call in (files.read, files.recipient):
        with pytest.raises(NotFound) as caught:
            call()
        assert "secretly identity create" in caught.value.hint


def test_an_identity_that_others_can_change_is_refused(files: IdentityFiles) -> None:
    """They could have put theirs there."""
    Path(files.path).with_suffix(".pub").chmod(0o666)
    with pytest.raises(Refused), files.sealed("canary-1", "Name"):
        raise AssertionError
    Path(files.path).chmod(0o666)
    with pytest.raises(Refused):
        files.read()


def test_a_lost_identity_is_restored_and_not_made_again(files: IdentityFiles) -> None:
    """A new one could not open what is sealed, and the backup would then take its place."""
    Path(files.path).unlink()
    for call in (files.read, files.recipient, files.refuse_if_lost):
        with pytest.raises(NotFound, match="is missing") as caught:
            call()
        assert "from your backup" in caught.value.hint
    Path(files.path).with_suffix(".pub").unlink()
    files.refuse_if_lost()


def test_nothing_is_sealed_for_somebody_else(files: IdentityFiles) -> None:
    """The recipient must be one of the identity's."""
    files.refuse_other_recipient(Keys((*Keys.generate().texts, *MINE.texts)))
    with pytest.raises(Refused, match="not your identity's") as caught:
        files.refuse_other_recipient(KEYS)
    assert "secretly identity create" in caught.value.hint


@pytest.mark.parametrize("text", ["age1wrong\n", "\xff", ""])
def test_a_damaged_recipient_seals_nothing(files: IdentityFiles, text: str) -> None:
    """The checksum of a recipient finds a wrong letter."""
    Path(files.path).with_suffix(".pub").write_bytes(text.encode("latin-1"))
    with pytest.raises(Refused), files.sealed("canary-1", "Name"):
        raise AssertionError


def test_nothing_is_sealed_while_the_identity_changes(files: IdentityFiles) -> None:
    """It would be sealed for an identity that is about to go; several may seal together."""
    with files.changing():
        for block in (files.sealed("canary-1", "Name"), files.changing()):
            with pytest.raises(Refused, match="another secretly"), block:
                raise AssertionError
    with files.sealed("canary-1", "Name"), files.sealed("canary-2", "Other"):
        pass


def test_a_text_that_is_not_unicode_is_not_sealed(files: IdentityFiles) -> None:
    """age files are bytes, and a secret is text."""
    with pytest.raises(Refused, match="not Unicode"), files.sealed("canary\udcff", "Name"):
        raise AssertionError


def test_an_identity_that_cannot_be_read_is_told(files: IdentityFiles) -> None:
    """A folder in its place, and a file in the place of its folder."""
    Path(files.path).unlink()
    Path(files.path).mkdir()
    with pytest.raises(Refused, match="can't read"):
        files.read()
    other = IdentityFiles(Path(files.path).with_suffix(".pub") / "secretly")
    with pytest.raises(Refused, match="can't write"):
        other.write(sealed.IDENTITY, sealed.RECIPIENT)


def test_a_folder_that_cannot_be_written_is_told(files: IdentityFiles) -> None:
    """A lock that is a folder, and a next version that is one."""
    folder = Path(files.path).parent
    for name in ("identity.lock", "identity.new"):
        (folder / name).mkdir()
    with pytest.raises(Refused, match="can't write"), files.sealed("canary-1", "Name"):
        raise AssertionError
    with pytest.raises(Refused, match="can't write"):
        files.write(sealed.IDENTITY, sealed.RECIPIENT)


def test_the_recipient_is_restored_and_never_trusted_blindly(files: IdentityFiles) -> None:
    """A missing or older one is written again; one of somebody else's is told, and stays."""
    notes: list[str] = []
    old, new = KEYS, Keys.generate()
    path = Path(files.path).with_suffix(".pub")
    both = Keys((*new.texts, *old.texts))
    path.unlink()
    files.check_recipient(old, notes.append)
    assert files.recipient() == old.recipient
    files.check_recipient(both, notes.append)
    assert (files.recipient(), notes) == (new.recipient, [])
    path.write_text(sealed.RECIPIENT)
    files.check_recipient(both, notes.append)
    assert len(notes) == 1
    assert files.recipient() == sealed.RECIPIENT


def test_old_identities_are_kept_each_once(files: IdentityFiles) -> None:
    """A second copy of the same one is not made, and none is replaced."""
    first = files.keep_old()
    assert files.keep_old() == first
    files.write(sealed.IDENTITY.replace("\n", "\n", 1) + "\n", sealed.RECIPIENT)
    assert files.keep_old() != first
    assert Path(first).read_text() == sealed.IDENTITY


# -- what else knows of seals ------------------------------------------------------


def found(name: str = "Name", **entry: object) -> ResolvedSecret:
    """A sealed secret, as the keychain has it."""
    one = Entry(name, **entry)
    return ResolvedSecret(Secret(SEALED), None, Candidate(KEYCHAIN, name, one), sealed=True)


def test_a_passphrase_is_the_confirmation() -> None:
    """A sealed secret is not confirmed a second time, nor is its question waived."""
    request = SecretRequest(Reference("", "Name"), publishes=True, confirm=False)
    assert not confirming.decide_confirmation(request, found()).needed
    assert confirming.decide_confirmation(request, found()).waived_by == ""
    assert unsealing.sealed(found())
    assert found().shut
    assert not found()._replace(secret=Secret("canary-1")).shut


def test_a_sealed_secret_is_never_looked_for_in_memory() -> None:
    """Each program of the user could have put it there."""
    configuration = ConfigFile("x").configuration({"secrets": {"Name": {"sealed": True}}})
    request = SecretRequest(Reference("", "Name"))
    candidates = find_candidates(request, configuration, lambda name: None, {})
    assert [one.origin for one in candidates] == ["keychain", "typed"]


def test_memory_never_stands_for_a_secret_that_is_listed_as_sealed() -> None:
    """Another program could put its own value there, which would be used without a question."""
    memory, user = MemorySession(), login_name()
    with sandbox(session=memory) as here:
        here.keychain.items["Name", user] = Secret(SEALED)  # type: ignore[attr-defined]
        memory.hold("Name", user, "canary-planted", 60)
        assert secretly.secret_sync("Name") == "canary-planted"
        name_changes.add(here.stored_names, "Name", user, False, "", sealed=True)
        with pytest.raises(Refused, match="sealed"):
            secretly.secret_sync("Name")


@pytest.mark.parametrize(
    "entry",
    [
        {"sealed": 1},
        {"sealed": True, "remember": "15m"},
        {"sealed": True, "source": "env://X"},
        {"sealed": True, "command": ["true"]},
    ],
)
def test_what_contradicts_a_seal_is_an_error_of_the_configuration(entry: object) -> None:
    """A source is not sealed, and memory isn't either."""
    with pytest.raises(BadConfiguration, match=r"secrets\.Name"):
        ConfigFile("x").configuration({"secrets": {"Name": entry}})


def test_projects_inherit_the_seal() -> None:
    """``PyPI/demo`` is sealed if ``PyPI`` is."""
    configuration = ConfigFile("x").configuration({"secrets": {"PyPI": {"sealed": True}}})
    assert unsealing.sealed(configuration.entry("PyPI/demo"))
