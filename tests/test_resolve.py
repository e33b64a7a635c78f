"""Resolving: where a secret may come from, what secretly asks, and what it stores."""

from __future__ import annotations

import asyncio
import fcntl
import getpass
import os
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import COVERAGE
from ptys import SOON

from secretly import sources
from secretly.asking import wording
from secretly.asking.assuan import unescape
from secretly.config.model import Configuration, Entry
from secretly.config.policy import Policy
from secretly.errors import (
    BadReference,
    Cancelled,
    KeychainLocked,
    KeychainTimeout,
    KeychainUnavailable,
    NotConfirmed,
    NotFound,
    Refused,
    SecretlyError,
    SourceFailed,
)
from secretly.keeping import name_changes
from secretly.redacted import Secret
from secretly.reference import parse
from secretly.resolving import storing
from secretly.resolving.candidates import ResolvedSecret, Username
from secretly.resolving.lookup import CircuitBreaker
from secretly.resolving.obtain import obtain, obtain_all
from secretly.resolving.request import Context, SecretRequest, login_name
from secretly.resolving.storing import forget_secret, store_secret
from secretly.testing import FakePinentry, MemoryKeychain, MemorySession, sandbox

pytestmark = pytest.mark.process

ME = getpass.getuser()


class Watched(MemoryKeychain):
    """A keychain that notes which names it was asked for."""

    def __init__(self, *, locked: bool = False, absent: bool = False, **stored: str) -> None:
        super().__init__(locked=locked, absent=absent)
        self.asked: list[str] = []
        for name, value in stored.items():
            self.items[name, ME] = Secret(value)

    async def get(self, service: str, username: str, prompt_timeout: float | None) -> Secret | None:
        """Note the name and look."""
        self.asked.append(service)
        return await super().get(service, username, prompt_timeout)


class Planned(Watched):
    """A keychain that is told about a run before its first look-up."""

    told: tuple[Any, ...] = ()

    def end_by(self, until: float) -> None:
        """Note the time."""
        self.told += (until,)

    def expect(self, wanted: Any) -> None:
        """Note the items."""
        self.told += (wanted,)


class Broken(MemoryKeychain):
    """A keychain that finds nothing and can't store anything."""

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> None:
        """Fail."""
        raise KeychainUnavailable("the disk is full", "empty it")


class Stuck(Watched):
    """A keychain that lets every deadline pass."""

    def _check(self) -> None:
        raise KeychainTimeout("the keychain did not answer within 30 s", "restart it")

    async def set(
        self, service: str, username: str, value: str, prompt_timeout: float | None
    ) -> None:
        """Note the name, and let the deadline pass."""
        self.asked.append(f"set {service}")
        self._check()


@contextmanager
def prepared(
    *answers: Any,
    keychain: MemoryKeychain | None = None,
    config: str = "",
    environ: dict[str, str] | None = None,
) -> Iterator[tuple[FakePinentry, Context, list[str]]]:
    """Answers for the prompts, a keychain, and the notes that the user gets."""
    notes: list[str] = []
    with (
        FakePinentry(answers) as pinentry,
        sandbox(pinentry, keychain or Watched(), environ, config) as here,
    ):
        yield pinentry, here._replace(note=notes.append), notes


def request_for(reference: str, **more: Any) -> SecretRequest:
    """A request for a reference."""
    return SecretRequest(parse(reference), **more)


def obtained(reference: str, here: Context, **more: Any) -> ResolvedSecret:
    """Obtain one secret."""
    return asyncio.run(obtain(request_for(reference, **more), here))


def errors(pinentry: FakePinentry) -> list[str | None]:
    """The error that each prompt showed."""
    return [prompt.get("SETERROR") for prompt in pinentry.prompts]


# -- look up ------------------------------------------------------------------------


def test_a_stored_secret_needs_no_prompt() -> None:
    """A secret from the keychain comes back as a Secret, and nothing asks the user."""
    with prepared(keychain=Watched(OpenAI="canary-1")) as (pinentry, here, _):
        found = obtained("OpenAI", here)
        assert (found.secret, found.origin, found.name) == ("canary-1", "keychain", "OpenAI")
        assert type(found.secret) is Secret
        assert pinentry.lines == []


def test_any_store_may_be_told_about_a_run_before() -> None:
    """It gets the deadline, and what is looked up first; a store that doesn't care is not asked."""
    keychain = Planned(A="canary-1", B="canary-2")
    with prepared(keychain=keychain) as (_, here, _notes):
        requests = [request_for(name, time_limit=60.0) for name in "AB"]
        assert [one.secret for one in asyncio.run(obtain_all(requests, here))] == [
            "canary-1",
            "canary-2",
        ]
        until, wanted = keychain.told
    assert 0 < until - time.monotonic() <= 60
    assert wanted == [("A", ME), ("B", ME)]


def test_a_missing_secret_is_asked_for() -> None:
    """The prompt names the secret and its purpose, and nothing is stored."""
    with prepared("canary-typed") as (pinentry, here, _):
        found = obtained("OpenAI", here, purpose="for: call.py")
        assert (found.secret, found.origin) == ("canary-typed", "typed")
        (prompt,) = pinentry.prompts
        assert prompt["SETPROMPT"] == f"{wording.secret_label('OpenAI')}:"
        assert prompt["SETDESC"] == "for: call.py"
        assert "SETERROR" not in prompt
        assert here.keychain.items == {}  # type: ignore[attr-defined]


def test_a_request_can_ignore_what_is_stored() -> None:
    """With ``--ask`` the user types the secret, and the keychain is not read."""
    with prepared("canary-typed", keychain=Watched(OpenAI="canary-1")) as (_pinentry, here, _):
        assert obtained("OpenAI", here, ignore_stored=True).secret == "canary-typed"
        assert here.keychain.asked == []  # type: ignore[attr-defined]


def test_a_projects_secret_takes_precedence() -> None:
    """``NAME/<project>`` is used before ``NAME`` where both are stored."""
    keychain = Watched()
    keychain.items["PyPI/demo", "__token__"] = Secret("pypi-canary-project")
    keychain.items["PyPI", "__token__"] = Secret("pypi-canary-account")
    with prepared(keychain=keychain) as (_, here, _notes):
        found = obtained("PyPI", here, names=("PyPI/demo",))
        assert (found.secret, found.name) == ("pypi-canary-project", "PyPI/demo")
        assert found.username == "__token__"
        assert obtained("PyPI", here, names=("PyPI/other",)).secret == "pypi-canary-account"
        assert keychain.asked == ["PyPI/demo", "PyPI/other", "PyPI"]


def test_a_missing_projects_secret_is_asked_for_by_its_index() -> None:
    """If neither is stored, the prompt asks for ``NAME``."""
    with prepared("pypi-canary-1") as (pinentry, here, _):
        assert obtained("PyPI", here, names=("PyPI/demo",), remember=True).name == "PyPI"
        assert pinentry.prompts[0]["SETPROMPT"] == f"{wording.secret_label('PyPI', 'pypi-')}:"
        assert list(here.keychain.items) == [("PyPI", "__token__")]  # type: ignore[attr-defined]


ENV = '[secrets.OpenAI]\nsource = "env://TOKEN"\n'


def test_a_configured_source_is_the_only_candidate() -> None:
    """A secret with a source comes from there, whatever the keychain has."""
    keychain = Watched(OpenAI="canary-keychain")
    with prepared(keychain=keychain, config=ENV, environ={"TOKEN": "canary-env"}) as (_, here, _n):
        found = obtained("OpenAI", here)
        assert (found.secret, found.origin) == ("canary-env", "env")
        assert keychain.asked == []


def test_a_failing_configured_source_ends_the_run() -> None:
    """Its failure falls back neither to the keychain nor to a prompt."""
    keychain = Watched(OpenAI="canary-keychain")
    with prepared("canary-typed", keychain=keychain, config=ENV) as (pinentry, here, _):
        with pytest.raises(SourceFailed) as caught:
            obtained("OpenAI", here)
        assert "TOKEN" in str(caught.value)
        assert caught.value.hint
        assert keychain.asked == []
        assert pinentry.lines == []


@pytest.mark.parametrize("reference", ["env://TOKEN", "op://Private/PyPI", "nonsense://x"])
def test_a_failing_scheme_ends_the_run(reference: str) -> None:
    """A reference with a scheme falls back to nothing either."""
    with prepared("canary-typed", keychain=Watched(TOKEN="canary-1")) as (pinentry, here, _):
        with pytest.raises((SourceFailed, BadReference)):
            obtained(reference, here)
        assert pinentry.lines == []
        assert here.keychain.asked == []  # type: ignore[attr-defined]


def test_a_file_is_a_source(tmp_path: Path) -> None:
    """``file://`` gives the content of the user's file."""
    path = tmp_path / "token"
    path.write_text("canary-file\n")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    with prepared() as (_, here, _notes):
        assert obtained(f"file://{path}", here).secret == "canary-file"


def test_a_locked_keychain_falls_back_to_a_prompt() -> None:
    """The prompt says that the keychain is locked."""
    keychain = Watched(locked=True)
    with prepared("canary-typed", keychain=keychain) as (pinentry, here, _):
        assert obtained("OpenAI", here).secret == "canary-typed"
        assert errors(pinentry) == [wording.KEYCHAIN_LOCKED]


def test_a_wider_token_never_replaces_a_narrower_one_in_a_locked_keychain() -> None:
    """A wider token from a source is refused while the keychain with the narrower one is locked."""
    config = '[secrets.PyPI]\nsource = "env://WIDE"\n'
    environ = {"WIDE": "pypi-canary-wide"}
    with prepared(keychain=Watched(locked=True), config=config, environ=environ) as (
        _,
        here,
        _notes,
    ):
        assert obtained("PyPI", here, names=("PyPI/demo",)).secret == "pypi-canary-wide"
        name_changes.add(here.stored_names, "PyPI/demo", "__token__", True)
        with pytest.raises(KeychainLocked, match="PyPI"):
            obtained("PyPI", here, names=("PyPI/demo",))


def test_a_silent_keychain_falls_back_to_a_prompt() -> None:
    """The prompt says that the keychain did not answer. It says nothing about a missing one."""
    for keychain, said in (
        (Stuck(), wording.KEYCHAIN_SILENT),
        (Watched(absent=True), None),
    ):
        with prepared("canary-typed", keychain=keychain) as (pinentry, here, _):
            assert obtained("OpenAI", here).secret == "canary-typed"
            assert errors(pinentry) == [said]


@pytest.mark.parametrize(
    ("rules", "more", "also"),
    [
        (Policy(), {"confirm": True}, ", or set confirm = false for it"),
        (Policy(), {"elsewhere": lambda _: True}, "set hosts for it"),
        (Policy(confirm="stored"), {"elsewhere": lambda _: True}, "SECRETLY_NO_INPUT"),
    ],
)
def test_if_secretly_must_not_ask_it_names_what_counts_instead(
    rules: Policy, more: dict[str, Any], also: str
) -> None:
    with prepared(keychain=Watched(A="canary-1")) as (_, here, _notes):
        with pytest.raises(Refused) as caught:
            obtained("A", here._replace(no_input=True, policy=rules), **more)
        assert caught.value.hint.endswith(also)


def test_a_locked_keychain_is_not_asked_again_when_the_turn_to_ask_comes() -> None:
    """It would ask a second time to be unlocked."""
    keychain = Watched(locked=True)
    with prepared("canary-1", "canary-2", keychain=keychain) as (_, here, _notes):
        found = asyncio.run(obtain_all([request_for("A"), request_for("B")], here))
        assert [one.secret for one in found] == ["canary-1", "canary-2"]
    assert keychain.asked == ["A", "B"]


@pytest.mark.parametrize("remember", [False, True])
def test_a_silent_keychain_is_asked_once_a_run(remember: bool) -> None:
    """Three secrets with narrower names, and storing them, take one timeout together."""
    keychain = Stuck()
    typed = [f"canary-{number}" for number in range(4)]
    with prepared(*typed, keychain=keychain) as (pinentry, here, notes):
        requests = [request_for(name, names=(f"{name}/x",), remember=remember) for name in "ABC"]
        found = asyncio.run(obtain_all(requests, here))
        assert [f.secret for f in found] == typed[:3]
        assert keychain.asked == ["A/x"]
        assert errors(pinentry) == [wording.KEYCHAIN_SILENT] * 3
        assert len(notes) == (3 if remember else 0)
        obtained("A", here)
        assert keychain.asked == ["A/x", "A"]  # another run asks it anew


def test_without_a_keychain_each_run_asks() -> None:
    """A missing keychain is not an error where secretly may ask."""
    keychain = Watched(absent=True)
    with prepared("canary-1", "canary-2", keychain=keychain) as (pinentry, here, _):
        assert [obtained("OpenAI", here).secret, obtained("OpenAI", here).secret] == [
            "canary-1",
            "canary-2",
        ]
        assert len(pinentry.prompts) == 2


# -- without prompts ----------------------------------------------------------------


def test_without_prompts_a_missing_secret_is_an_error() -> None:
    """The error names the secret and how to store it, and nothing is waited for."""
    with prepared("canary-typed") as (pinentry, here, _):
        started = time.monotonic()
        with pytest.raises(NotFound) as caught:
            obtained("OpenAI", here._replace(no_input=True))
        assert time.monotonic() - started < SOON
        assert "OpenAI" in str(caught.value)
        assert "secretly set OpenAI" in caught.value.hint
        assert pinentry.lines == []


@pytest.mark.parametrize(
    ("keychain", "kind"),
    [
        (MemoryKeychain(locked=True), KeychainLocked),
        (MemoryKeychain(absent=True), KeychainUnavailable),
    ],
)
def test_without_prompts_an_unavailable_keychain_is_the_error(
    keychain: MemoryKeychain, kind: type[SecretlyError]
) -> None:
    """A locked or missing keychain is not reported as a missing secret."""
    with prepared("canary-typed", keychain=keychain) as (pinentry, here, _):
        with pytest.raises(KeychainUnavailable) as caught:
            obtained("OpenAI", here._replace(no_input=True))
        assert type(caught.value) is kind
        assert pinentry.lines == []


def test_without_prompts_the_keychain_must_not_ask() -> None:
    """The keychain learns that it must not ask, or how long the user has."""
    seen: list[float | None] = []

    class Noting(MemoryKeychain):
        async def get(
            self, service: str, username: str, prompt_timeout: float | None
        ) -> Secret | None:
            seen.append(prompt_timeout)
            return Secret("canary-1")

    with prepared(keychain=Noting()) as (_, here, _notes):
        obtained("OpenAI", here._replace(no_input=True))
        obtained("OpenAI", here, prompt_timeout=7)
        assert seen == [None, 7]


def test_without_prompts_one_missing_secret_of_several_is_an_error() -> None:
    """The error comes before any prompt, even if only the last secret is missing."""
    with prepared("canary-typed", keychain=Watched(One="canary-1")) as (pinentry, here, _):
        with pytest.raises(NotFound, match="Two"):
            asyncio.run(
                obtain_all([request_for("One"), request_for("Two")], here._replace(no_input=True))
            )
        assert pinentry.lines == []


# -- tokens ------------------------------------------------------------------------


def test_white_space_around_a_typed_token_is_stripped() -> None:
    """A copied newline is not part of a token; the label names the token."""
    with prepared(" pypi-canary-1\r\n") as (pinentry, here, _):
        assert obtained("PyPI", here).secret == "pypi-canary-1"
        assert pinentry.prompts[0]["SETPROMPT"] == f"{wording.secret_label('PyPI', 'pypi-')}:"


def test_white_space_is_part_of_any_other_secret() -> None:
    """Without a prefix, the secret is what the user typed."""
    with prepared(" canary 1 ") as (_, here, _notes):
        assert obtained("OpenAI", here).secret == " canary 1 "


@pytest.mark.parametrize(
    "wrong", ["canary-password", "", "pypi-canary 1", "pypi-canary\u200b", "  "]
)
def test_something_else_than_a_token_is_asked_for_again(wrong: str) -> None:
    """The next prompt shows the reason, not the value."""
    with prepared(wrong, "pypi-canary-1", keychain=Watched()) as (pinentry, here, _):
        assert obtained("TestPyPI", here, remember=True).secret == "pypi-canary-1"
        first, second = errors(pinentry)
        assert first is None
        assert second is not None
        said = wording.not_a_token("TestPyPI", "pypi-")
        assert second == (said if wrong.strip() else wording.NOTHING_ENTERED)
        assert "canary" not in second
        assert list(here.keychain.items.values()) == ["pypi-canary-1"]  # type: ignore[attr-defined]


def test_three_wrong_tokens_end_the_run() -> None:
    """The third wrong token is an error, and nothing is stored."""
    with prepared("canary-a", "canary-b", "canary-c", "pypi-canary-1") as (pinentry, here, _):
        with pytest.raises(SecretlyError) as caught:
            obtained("PyPI", here, remember=True)
        assert len(pinentry.prompts) == 3
        assert "3 attempts" in str(caught.value)
        assert "canary" not in str(caught.value) + caught.value.hint
        assert here.keychain.items == {}  # type: ignore[attr-defined]


def test_a_stored_secret_that_is_not_a_token_is_refused() -> None:
    """The command does not get it, and the user is not asked for another."""
    keychain = MemoryKeychain()
    keychain.items["PyPI", "__token__"] = Secret("canary-password")
    with prepared("pypi-canary-1", keychain=keychain) as (pinentry, here, _):
        with pytest.raises(Refused) as caught:
            obtained("PyPI", here)
        assert "'pypi-'" in str(caught.value)
        assert "secretly set PyPI" in caught.value.hint
        assert "canary" not in str(caught.value) + caught.value.hint
        assert pinentry.lines == []


def test_a_source_that_gives_something_else_than_a_token_is_refused() -> None:
    """White space around a source's token is stripped too."""
    config = '[secrets.PyPI]\nsource = "env://TOKEN"\n'
    wrong = {"TOKEN": "canary-password"}
    with prepared(config=config, environ=wrong) as (_, here, _n), pytest.raises(Refused):
        obtained("PyPI", here)
    with prepared(config=config, environ={"TOKEN": "pypi-canary-1\n"}) as (_, here, _notes):
        assert obtained("PyPI", here).secret == "pypi-canary-1"


CUT = "-----BEGIN PRIVATE KEY-----"


@pytest.mark.parametrize("source", ["", "file://{path}", "env://KEY"])
def test_the_first_line_of_a_key_is_refused(source: str, tmp_path: Path) -> None:
    """A secret that is cut short stops the run, from any source, and the error has a hint."""
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(f"{CUT}\n")
    config = f'[secrets.Key]\nsource = "{source.format(path=path)}"\n' if source else ""
    with prepared(keychain=Watched(Key=CUT), config=config, environ={"KEY": CUT}) as (_, here, _n):
        with pytest.raises(Refused) as caught:
            obtained("Key", here)
        assert ("--stdin" in caught.value.hint) is (source == "")
        assert "BEGIN" not in f"{caught.value}"
        whole = f"{CUT}\ncanary-1\n-----END PRIVATE KEY-----"
        path.write_text(f"\ufeff{whole}\r\n")
        assert obtained(f"file://{path}", here).secret == whole
        with pytest.raises(Refused) as caught:
            obtained("env://KEY", here)
        assert "--stdin" not in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        *("op://V/I/f", "secretly://Foo", " PASS://a/b ", "akeyless://0001", "Doppler://p/c/N"),
        *("ref+vault://a#/b", "bitwarden://Item"),
    ],
)
def test_a_reference_in_the_place_of_a_secret_is_refused(text: str, tmp_path: Path) -> None:
    """The command would use the reference as its secret, whatever source has the reference.

    secretly reads only some of these stores, and the hint fits both.
    """
    path = tmp_path / "text"
    path.touch(0o600)
    path.write_text(text)
    with prepared(keychain=Watched(Key=text), environ={"KEY": text}) as (_, here, _n):
        for name in ("Key", "env://KEY", f"file://{path}"):
            with pytest.raises(Refused, match="reference") as caught:
                obtained(name, here)
            follows = text.strip().lower().startswith(("op:", "secretly:", "pass:"))
            assert ("follows no reference" in caught.value.hint) is follows


@pytest.mark.parametrize(
    "text",
    [
        *(
            "vault://127.0.0.1:8200/a",
            "https://a.example/b",
            "a akeyless://b",
            "postgres://u:p@h/d",
        ),
        *("akeyless://a\nb", "env://A", "file:///a", "encrypted:abc", "ref+x"),
    ],
)
def test_another_url_may_be_a_secret(text: str) -> None:
    """A URL of a server or a longer text is not a reference."""
    with prepared(keychain=Watched(Key=text)) as (_, here, _n):
        assert obtained("Key", here).secret == text


def test_any_entry_may_have_a_prefix() -> None:
    """A configured prefix works like the shipped ones."""
    with prepared("canary-x", "gl-canary", config='[secrets.Lab]\nprefix = "gl-"\n') as (
        p,
        here,
        _,
    ):
        assert obtained("Lab", here).secret == "gl-canary"
        assert "'gl-'" in str(errors(p)[1])


# -- storing -----------------------------------------------------------------------

REMEMBER = "[secrets.OpenAI]\nremember = true\n"
ASK = '[secrets.OpenAI]\nremember = "ask"\n'


@pytest.mark.parametrize(
    ("config", "given", "answers", "stored"),
    [
        ("", None, [], False),
        ("", True, [], True),
        (REMEMBER, None, [], True),
        (REMEMBER, False, [], False),
        ("", "ask", [True], True),
        ("", "ask", [None], False),
        (ASK, None, [False], False),
    ],
)
def test_a_typed_secret_is_stored_as_wanted(
    config: str, given: Any, answers: list[Any], stored: bool
) -> None:
    """The caller decides whether to store it, else the configuration, else it is not stored."""
    with prepared("canary-1", *answers, config=config) as (pinentry, here, notes):
        assert obtained("OpenAI", here, remember=given).secret == "canary-1"
        expected = {("OpenAI", ME): "canary-1"} if stored else {}
        assert here.keychain.items == expected  # type: ignore[attr-defined]
        assert [item.name for item in here.stored_names.items()] == ["OpenAI"] * stored
        assert len(pinentry.prompts) == 1 + len(answers)
        assert notes == []


def test_the_question_whether_to_store_comes_last() -> None:
    """With ``"ask"``, the question comes after a secret was accepted."""
    seen: list[str] = []

    def verify(secret: Secret) -> bool:
        seen.append(str(secret))
        return secret == "canary-2"

    with prepared("canary-1", "canary-2", True) as (pinentry, here, _):
        obtained("OpenAI", here, remember="ask", verify=verify)
        assert seen == ["canary-1", "canary-2"]
        questions = [prompt["SETPROMPT"] == wording.TYPE_YES for prompt in pinentry.prompts]
        assert questions == [False, False, True]
        assert list(here.keychain.items.values()) == ["canary-2"]  # type: ignore[attr-defined]


def test_a_secret_from_the_keychain_is_not_stored_again() -> None:
    """Only a typed secret is stored."""
    with prepared(keychain=Watched(OpenAI="canary-1")) as (_, here, _notes):
        obtained("OpenAI", here, remember=True)
        assert here.stored_names.items() == []


@pytest.mark.parametrize(
    "keychain", [MemoryKeychain(locked=True), MemoryKeychain(absent=True), Broken()]
)
def test_a_failure_to_store_does_not_lose_a_typed_secret(keychain: MemoryKeychain) -> None:
    """The command gets it, and a note without the secret says that it was not stored."""
    with prepared("canary-1", keychain=keychain) as (pinentry, here, notes):
        assert obtained("OpenAI", here, remember=True).secret == "canary-1"
        (note,) = notes
        assert "OpenAI" in note
        assert "canary" not in note
        assert len(pinentry.prompts) == 1


def test_where_nothing_forgets_a_secret_a_note_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On macOS the command gets what was typed, and the note names the keychain."""
    with prepared("canary-1") as (_, here, notes):
        monkeypatch.setattr(sys, "platform", "darwin")
        here = here._replace(temporary_store=None)
        assert obtained("OpenAI", here, remember=60.0).secret == "canary-1"
        (note,) = notes
        assert note.startswith("OpenAI is not remembered: ")
        assert "macOS" in note
        assert "--remember" in note


def test_a_corrupt_list_does_not_lose_a_typed_secret() -> None:
    """The command gets it, nothing is stored, and the list's file stays as it is."""
    with prepared("canary-1") as (_, here, notes):
        folder = Path(here.stored_names._path).parent
        folder.mkdir(mode=0o700)
        Path(here.stored_names._path).write_text("broken")
        assert obtained("OpenAI", here, remember=True).secret == "canary-1"
        assert Path(here.stored_names._path).read_text() == "broken"
        assert len(notes) == 2  # the list can't be read; the secret was not stored
        with pytest.raises(NotFound):  # not stored without its name on the list
            obtained("OpenAI", here._replace(no_input=True))


@contextmanager
def locked_list(here: Context) -> Iterator[None]:
    """Another program holds the lock on the list of stored names."""
    folder = Path(here.stored_names._path).parent
    folder.mkdir(mode=0o700, exist_ok=True)
    with open(folder / "kept.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_locked_list_does_not_lose_a_typed_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keychain has it, the command gets it, and a note says that the list is locked."""
    monkeypatch.setattr("secretly.resolving.storing.LISTING", 0.2)
    with prepared("canary-1") as (_, here, notes), locked_list(here):
        assert obtained("OpenAI", here, remember=True).secret == "canary-1"
        (note,) = notes
        assert "OpenAI" in note
        assert "list" in note
        assert asyncio.run(here.keychain.get("OpenAI", login_name(), None)) == "canary-1"


def test_a_locked_list_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Storing and forgetting a secret raise it, with a hint."""
    monkeypatch.setattr("secretly.resolving.storing.LISTING", 0.2)
    with prepared() as (_, here, _notes), locked_list(here):
        for change in (
            lambda: store_secret(Entry("A"), "canary-1", Username("me", True), here, 5),
            lambda: forget_secret("A", "me", here, 5),
        ):
            with pytest.raises(KeychainUnavailable, match="list") as caught:
                asyncio.run(change())
            assert caught.value.hint


# -- verifying ---------------------------------------------------------------------


def refuse(*wrong: str) -> Any:
    """A ``verify`` that accepts all secrets except these."""
    return lambda secret: secret not in wrong


async def refuse_slowly(secret: Secret) -> bool:
    """A ``verify`` that waits before it returns False."""
    await asyncio.sleep(0.01)
    return False


def test_a_secret_that_is_not_accepted_is_asked_for_again() -> None:
    """The next prompt says why, and only the accepted secret is stored."""
    with prepared("canary-1", "canary-2") as (pinentry, here, _):
        found = obtained("OpenAI", here, verify=refuse("canary-1"), remember=True)
        assert found.secret == "canary-2"
        first, second = errors(pinentry)
        assert first is None
        assert second == wording.NOT_ACCEPTED
        assert list(here.keychain.items.values()) == ["canary-2"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("verify", [lambda secret: False, refuse_slowly])
def test_the_user_has_three_attempts(verify: Any) -> None:
    """Whether ``verify`` is a function or a coroutine function."""
    with prepared(*(f"canary-{n}" for n in range(9))) as (pinentry, here, _):
        with pytest.raises(SecretlyError) as caught:
            obtained("OpenAI", here, verify=verify, remember=True)
        assert len(pinentry.prompts) == 3
        assert "canary" not in str(caught.value) + caught.value.hint
        assert here.keychain.items == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [None, 0])
def test_only_false_rejects_a_secret(answer: Any) -> None:
    """A ``verify`` that returns None, or anything else than False, accepts it."""
    with prepared("canary-1") as (_pinentry, here, _):
        assert obtained("OpenAI", here, verify=lambda secret: answer).secret == "canary-1"


def test_a_typed_secret_replaces_a_stored_one_that_is_not_accepted() -> None:
    """The prompt says why it asks; the typed secret is verified and stored."""
    tried: list[str] = []

    def verify(secret: Secret) -> bool:
        tried.append(str(secret))
        return secret != "canary-old"

    keychain = Watched(OpenAI="canary-old")
    with prepared("canary-old", "canary-new", keychain=keychain) as (pinentry, here, _):
        assert obtained("OpenAI", here, verify=verify, remember=True).secret == "canary-new"
        assert tried == ["canary-old", "canary-old", "canary-new"]
        first, second = errors(pinentry)
        assert first == wording.not_accepted("OpenAI")
        assert second == wording.NOT_ACCEPTED
        assert keychain.items["OpenAI", ME] == "canary-new"
        assert keychain.asked == ["OpenAI"]


def test_a_stored_secret_that_is_accepted_needs_no_prompt() -> None:
    """``verify`` gets the stored secret, and accepts it."""
    with prepared(keychain=Watched(OpenAI="canary-1")) as (pinentry, here, _):
        assert obtained("OpenAI", here, verify=refuse()).secret == "canary-1"
        assert pinentry.lines == []


def test_a_sources_secret_that_is_not_accepted_ends_the_run() -> None:
    """A configured source does not fall back to a prompt here either."""
    with prepared("canary-typed", config=ENV, environ={"TOKEN": "canary-env"}) as (p, here, _):
        with pytest.raises(Refused) as caught:
            obtained("OpenAI", here, verify=lambda secret: False)
        assert "canary" not in str(caught.value) + caught.value.hint
        assert p.lines == []


def test_without_prompts_a_secret_that_is_not_accepted_ends_the_run() -> None:
    """secretly must not ask for another, so it raises an error."""
    with prepared("canary-typed", keychain=Watched(OpenAI="canary-1")) as (pinentry, here, _):
        with pytest.raises(Refused):
            obtained("OpenAI", here._replace(no_input=True), verify=lambda secret: False)
        assert pinentry.lines == []


class CallersError(Exception):
    """An error of the caller's own."""


async def failing(secret: Secret) -> bool:
    """A ``verify`` that raises."""
    raise CallersError


def failing_function(secret: Secret) -> bool:
    """The same, as a plain function."""
    raise CallersError


@pytest.mark.parametrize("verify", [failing, failing_function])
@pytest.mark.parametrize("stored", [True, False])
def test_an_error_of_verify_passes_through(verify: Any, stored: bool) -> None:
    """The caller's own error ends the call; nothing is stored or asked again."""
    keychain = Watched(**{"OpenAI": "canary-1"} if stored else {})
    with prepared("canary-typed", keychain=keychain) as (pinentry, here, _):
        with pytest.raises(CallersError):
            obtained("OpenAI", here, verify=verify, remember=True)
        assert len(pinentry.prompts) == (0 if stored else 1)
        assert list(keychain.items.values()) == (["canary-1"] if stored else [])
        assert here.stored_names.items() == []


# -- inspecting --------------------------------------------------------------------


class Inspection:
    """An ``inspect`` that notes what it gets, and refuses secrets that end in ``wrong``."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, secret: Secret, entry: Entry) -> None:
        """Note the secret and the entry's name, and look at it."""
        self.seen.append((str(secret), entry.name))
        if secret.endswith("wrong"):
            raise Refused("the token is for another index", "make another")

    def verify(self, secret: Secret) -> None:
        """Note that it was tried."""
        self.seen.append((str(secret), "verify"))


@pytest.mark.parametrize("source", [False, True])
def test_an_unsuitable_stored_secret_is_refused_before_a_prompt(source: bool) -> None:
    """The user does not confirm what can't be used, and ``verify`` never gets it."""
    keychain, inspect = Watched(OpenAI="canary-wrong"), Inspection()
    config, environ = (ENV, {"TOKEN": "canary-wrong"}) if source else ("", {})
    with prepared(True, "canary-1", keychain=keychain, config=config, environ=environ) as (
        pin,
        here,
        _,
    ):
        with pytest.raises(Refused, match="is for another index") as caught:
            obtained("OpenAI", here, inspect=inspect, verify=inspect.verify, publishes=True)
        said = (str(caught.value), caught.value.hint)
        assert said == ("the token is for another index", "make another")
        assert inspect.seen == [("canary-wrong", "OpenAI")]
        assert pin.lines == []


def test_an_unsuitable_typed_secret_is_asked_for_again() -> None:
    """The next prompt says why; only a suitable secret is verified and stored."""
    inspect = Inspection()
    with prepared("canary-wrong", "canary-1") as (pinentry, here, _):
        found = obtained("OpenAI", here, inspect=inspect, verify=inspect.verify, remember=True)
        assert found.secret == "canary-1"
        assert errors(pinentry) == [None, "The token is for another index."]
        assert inspect.seen == [
            ("canary-wrong", "OpenAI"),
            ("canary-1", "OpenAI"),
            ("canary-1", "verify"),
        ]
        assert list(here.keychain.items.values()) == ["canary-1"]  # type: ignore[attr-defined]


def test_three_unsuitable_secrets_end_the_run() -> None:
    """The error after three attempts has the last reason."""
    with prepared(*["canary-wrong"] * 4) as (pinentry, here, _):
        with pytest.raises(Refused, match="OpenAI after 3 attempts") as caught:
            obtained("OpenAI", here, inspect=Inspection(), remember=True)
        assert "The token is for another index." in caught.value.hint
        assert len(pinentry.prompts) == 3
        assert here.keychain.items == {}  # type: ignore[attr-defined]


def test_a_replacement_for_a_stored_secret_is_inspected_too() -> None:
    """Each secret that the user types is inspected."""
    inspect, keychain = Inspection(), Watched(OpenAI="canary-old")
    with prepared("canary-wrong", "canary-new", keychain=keychain) as (pinentry, here, _):
        assert (
            obtained("OpenAI", here, inspect=inspect, verify=refuse("canary-old")).secret
            == "canary-new"
        )
        assert errors(pinentry)[1] == "The token is for another index."
        assert [secret for secret, _name in inspect.seen] == [
            "canary-old",
            "canary-wrong",
            "canary-new",
        ]


def test_inspection_gets_the_configuration_of_the_name_it_was_found_under() -> None:
    """A secret of ``PyPI/demo`` is inspected as that, not as PyPI's."""
    keychain, inspect = MemoryKeychain(), Inspection()
    keychain.items["PyPI/demo", "__token__"] = Secret("pypi-canary-project\n")
    keychain.items["PyPI", "__token__"] = Secret("pypi-canary-account")
    with prepared(" pypi-canary-typed\n", keychain=keychain) as (_, here, _notes):
        obtained("PyPI", here, names=("PyPI/demo",), inspect=inspect)
        obtained("PyPI", here, names=("PyPI/other",), inspect=inspect)
        obtained("PyPI", here, names=("PyPI/demo",), inspect=inspect, ignore_stored=True)
        assert inspect.seen == [
            ("pypi-canary-project", "PyPI/demo"),
            ("pypi-canary-account", "PyPI"),
            ("pypi-canary-typed", "PyPI"),
        ]


def test_only_tokens_are_inspected() -> None:
    """A secret without the right prefix is rejected first."""
    inspect = Inspection()
    with prepared("canary-wrong", "pypi-canary-1") as (pinentry, here, _):
        obtained("PyPI", here, inspect=inspect)
        assert "'pypi-'" in str(errors(pinentry)[1])
        assert inspect.seen == [("pypi-canary-1", "PyPI")]


def test_an_unexpected_error_of_inspect_ends_the_call() -> None:
    """The secret is neither used nor stored."""

    def inspect(secret: Secret, entry: Entry) -> None:
        raise CallersError

    for stored in ({"OpenAI": "canary-1"}, {}):
        with prepared("canary-typed", keychain=Watched(**stored)) as (pinentry, here, _):
            with pytest.raises(CallersError):
                obtained("OpenAI", here, inspect=inspect, remember=True)
            assert len(pinentry.prompts) == 1 - len(stored)
            assert here.stored_names.items() == []


# -- confirming --------------------------------------------------------------------

CONFIRM = "[secrets.OpenAI]\nconfirm = true\n"


@pytest.mark.parametrize(
    ("config", "given", "publishes", "asked"),
    [
        ("", None, True, True),
        (CONFIRM, None, False, True),
        (CONFIRM, False, False, False),
    ],
)
def test_the_use_of_a_stored_secret_is_confirmed_as_wanted(
    config: str, given: bool | None, publishes: bool, asked: bool
) -> None:
    """The caller decides, else the configuration; else only publishing commands ask."""
    keychain = Watched(OpenAI="canary-1")
    more = {"confirm": given, "publishes": publishes, "purpose": "for: call.py"}
    with prepared(True, keychain=keychain, config=config) as (pinentry, here, _):
        assert obtained("OpenAI", here, **more).secret == "canary-1"
        assert len(pinentry.prompts) == asked
        for prompt in pinentry.prompts:
            assert prompt["SETPROMPT"] == wording.TYPE_YES
            assert unescape(prompt["SETDESC"].encode()).decode() == wording.confirm_use_text(
                "OpenAI", wording.place("keychain"), "for: call.py"
            )
    if not asked:
        return
    for answer, kind in ((False, NotConfirmed), (None, Cancelled)):
        with prepared(answer, "canary-typed", keychain=keychain, config=config) as (pin, here, _):
            with pytest.raises(kind):
                obtained("OpenAI", here, **more)
            assert len(pin.prompts) == 1


def test_a_typed_secret_needs_no_confirmation() -> None:
    """The user agreed by typing it."""
    with prepared("canary-1") as (pinentry, here, _):
        obtained("OpenAI", here, confirm=True, publishes=True)
        assert len(pinentry.prompts) == 1


def test_a_sources_secret_is_confirmed_as_well() -> None:
    """A secret from a source is a stored secret."""
    environ = {"TOKEN": "canary-1"}
    with prepared(False, config=ENV + "confirm = true\n", environ=environ) as (pinentry, here, _):
        with pytest.raises(NotConfirmed):
            obtained("OpenAI", here)
        assert pinentry.prompts[0]["SETDESC"] == wording.confirm_use_text("OpenAI", "env://", "")


def test_without_prompts_a_use_that_needs_confirmation_is_refused() -> None:
    """The error names the secret, and the hint how to switch confirmation off."""
    with prepared(True, keychain=Watched(OpenAI="canary-1")) as (pinentry, here, _):
        with pytest.raises(Refused, match="OpenAI") as caught:
            obtained("OpenAI", here._replace(no_input=True), confirm=True)
        assert "confirm = false" in caught.value.hint
        assert pinentry.lines == []


def test_confirmation_comes_before_verify() -> None:
    """``verify`` gets a stored secret only after the user agreed."""
    stored = Watched(OpenAI="canary-1")
    with prepared(False, keychain=stored) as (_, here, _n), pytest.raises(NotConfirmed):
        obtained("OpenAI", here, confirm=True, verify=failing_function)


@pytest.mark.parametrize("stored", [True, False])
def test_a_publishing_commands_purpose_is_shown_whole_or_refused(stored: bool) -> None:
    """The user never agrees to a text that was cut."""
    keychain = Watched(**{"OpenAI": "canary-1"} if stored else {})
    purpose = "program: /" + "x" * 900
    with prepared(True if stored else "canary-1", keychain=keychain) as (pinentry, here, _):
        with pytest.raises(Refused):
            obtained("OpenAI", here, publishes=True, purpose=f"{purpose}{purpose}", remember=True)
        assert pinentry.prompts == []
        assert list(keychain.items) == ([("OpenAI", ME)] if stored else [])
        assert obtained("OpenAI", here, publishes=True, purpose=purpose).secret == "canary-1"
        assert purpose in pinentry.prompts[0]["SETDESC"]


def test_another_commands_purpose_may_be_cut() -> None:
    """A purpose that needs no consent is shortened to what the prompt can hold."""
    with prepared("canary-1") as (pinentry, here, _):
        assert obtained("OpenAI", here, purpose="x" * 5000).secret == "canary-1"
        assert pinentry.prompts[0]["SETDESC"].endswith("x…")


# -- several -----------------------------------------------------------------------


def test_several_are_asked_for_one_after_another() -> None:
    """Each prompt says which of how many it is, without the stored ones."""
    with prepared("canary-1", "canary-3", keychain=Watched(Two="canary-2")) as (p, here, _):
        found = asyncio.run(
            obtain_all([request_for("One"), request_for("Two"), request_for("Three")], here)
        )
        assert [f.secret for f in found] == ["canary-1", "canary-2", "canary-3"]
        first, second = p.prompts
        assert first["SETTITLE"] == wording.title("1 of 2")
        assert "One" in first["SETPROMPT"]
        assert second["SETTITLE"] == wording.title("2 of 2")
        assert "Three" in second["SETPROMPT"]


def test_a_cancel_at_one_of_several_ends_the_run() -> None:
    """No further prompt comes."""
    with prepared("canary-1", None, "canary-3") as (pinentry, here, _):
        with pytest.raises(Cancelled):
            asyncio.run(
                obtain_all([request_for("One"), request_for("Two"), request_for("Three")], here)
            )
        assert len(pinentry.prompts) == 2


@pytest.mark.parametrize("configured", [False, True])
def test_sources_are_asked_at_the_same_time(
    configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two secrets from sources are fetched concurrently, and come back in order."""
    begun: list[str] = []

    class Slow(ModuleType):
        """A source that answers once both were asked for."""

        title = "the slow one"

        async def fetch(
            self, path: str, fields: Sequence[str], run: sources.Run
        ) -> Mapping[str, str]:
            begun.append(path)
            while len(begun) < 2:
                await asyncio.sleep(0.001)
            return {"password": f"canary-{path}"}

    monkeypatch.setitem(sys.modules, "secretly.sources.slow", Slow("slow"))
    monkeypatch.setitem(sources.SCHEMES, "slow", "slow")
    config = '[secrets.One]\nsource = "slow://1"\n[secrets.Two]\nsource = "slow://2"\n'
    first, last = ("One", "Two") if configured else ("slow://1", "slow://2")
    with prepared("canary-typed", keychain=Watched(Stored="canary-stored"), config=config) as (
        _,
        here,
        _n,
    ):
        requests = [request_for(name) for name in (first, "Missing", "Stored", last)]
        found = asyncio.run(asyncio.wait_for(obtain_all(requests, here), 5))
    assert [f.secret for f in found] == ["canary-1", "canary-typed", "canary-stored", "canary-2"]


def test_one_source_needs_no_event_loop() -> None:
    """A secret from one source and several from the keychain come without an event loop."""
    with prepared(
        keychain=Watched(Stored="canary-2", Other="canary-3"), environ={"X": "canary-1"}
    ) as (
        _,
        here,
        _notes,
    ):
        found = obtain_all(
            [request_for("env://X"), request_for("Stored"), request_for("Other")], here
        )
        with pytest.raises(StopIteration) as ended:
            found.send(None)
        assert [f.secret for f in ended.value.value] == ["canary-1", "canary-2", "canary-3"]


@pytest.mark.parametrize("broken", [0, 1])
def test_a_failing_source_ends_the_run(broken: int) -> None:
    """Its error is raised before the keychain or the user is asked for the others."""
    with prepared("canary-typed", environ={"X": "canary-1"}) as (pinentry, here, _):
        names = ["env://X", "env://X"]
        names[broken] = "env://MISSING"
        with pytest.raises(SourceFailed, match="MISSING"):
            asyncio.run(obtain_all([request_for("A"), *map(request_for, names)], here))
        assert here.keychain.asked == []  # type: ignore[attr-defined]
        assert pinentry.lines == []


# -- user names --------------------------------------------------------------------


def test_the_user_name_of_a_stored_secret() -> None:
    """A secret is stored with its user name, and found by that. The login name is none."""
    with prepared("canary-1", "canary-2", "canary-3") as (_, here, _notes):
        assert obtained("A", here, username="given", remember=True).username == "given"
        assert obtained("B", here, remember=True).username is None
        keychain = here.keychain
        assert list(keychain.items) == [("A", "given"), ("B", ME)]  # type: ignore[attr-defined]
        found = obtained("A", here)
        assert (found.secret, found.username, found.origin) == ("canary-1", "given", "keychain")
        assert obtained("A", here, username="other").secret == "canary-3"


def test_a_user_without_a_name_has_a_number() -> None:
    """In a container, the user's number may have no name."""
    script = """
        import asyncio, os, pwd
        from secretly import credential, forget, remember, testing
        from secretly.resolving.request import login_name
        uid = os.getuid()
        def no_user(uid):
            raise KeyError(uid)
        pwd.getpwuid = no_user  # this user has a name: hide it

        async def main(here):
            await remember("A", "canary-1")
            assert list(here.keychain.items) == [("A", str(uid))], here.keychain.items
            assert await credential("A") == (str(uid), "canary-1")
            assert await forget("A")

        assert login_name() == str(uid)
        with testing.sandbox() as here:
            asyncio.run(main(here))
    """
    # Another user can't write where measured processes write.
    gone = ("LOGNAME", "USER", "LNAME", "USERNAME", *COVERAGE)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={name: value for name, value in os.environ.items() if name not in gone},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_project_inherits_from_its_index() -> None:
    """``PyPI/demo`` has PyPI's user name and prefix, but not its source."""
    config = '[secrets.PyPI]\nsource = "env://TOKEN"\n'
    with prepared("canary-x", "pypi-canary-1", config=config) as (pinentry, here, _):
        assert obtained("PyPI/demo", here).username == "__token__"
        assert len(pinentry.prompts) == 2


def test_the_fields_of_a_stored_secret() -> None:
    """``#username`` is the user name and ``#password`` the secret. Any other field is an error."""
    with prepared("canary-1") as (pinentry, here, _):
        obtained("A", here, username="given", remember=True)
        assert obtained("A#username", here).secret == "given"
        assert obtained("A#password", here).secret == "canary-1"
        with pytest.raises(BadReference):
            obtained("A#note", here)
        assert len(pinentry.prompts) == 1


def test_forgetting_deletes_from_the_keychain_and_the_list() -> None:
    """``forget`` returns how many items it deleted."""
    with prepared("canary-1") as (_, here, _notes):
        obtained("A", here, username="given", remember=True)
        assert asyncio.run(forget_secret("A", None, here, 5)) == 1
        assert here.keychain.items == {}  # type: ignore[attr-defined]
        assert here.stored_names.items() == []
        assert asyncio.run(forget_secret("A", None, here, 5)) == 0


def test_nothing_is_forgotten_if_the_list_is_corrupt() -> None:
    """Also where the name's own line is whole."""
    with prepared("canary-1") as (_, here, _notes):
        obtained("A", here, username="given", remember=True)
        with open(here.stored_names.path, "a") as file:
            file.write("broken\n")
        with pytest.raises(KeychainUnavailable, match="list of stored names"):
            asyncio.run(forget_secret("A", None, here, 5))
        assert asyncio.run(here.keychain.get("A", "given", None)) == "canary-1"


def test_prompts_show_names_escaped() -> None:
    """Bidi and control characters in a name are shown as escapes."""
    with prepared("canary-1", True) as (pinentry, here, _):
        strange = SecretRequest(parse("a")._replace(path="a\u202eb\x1b[2J"), remember="ask")
        asyncio.run(obtain(strange, here))
        for prompt in pinentry.prompts:
            for text in prompt.values():
                assert "\u202e" not in text
                assert "\x1b" not in text
        assert "a\\u202eb\\x1b[2J" in pinentry.prompts[0]["SETPROMPT"]


def test_other_fields_than_the_password(tmp_path: Path) -> None:
    """A configured user name takes precedence over the source's; the keychain has two fields."""
    config = '[secrets.PyPI]\nsource = "env://TOKEN"\n'
    with prepared(config=config, environ={"TOKEN": "pypi-canary-1"}) as (_, here, _notes):
        assert obtained("PyPI#username", here).secret == "__token__"
        assert obtained("PyPI#password", here).secret == "pypi-canary-1"
        with pytest.raises(BadReference, match="'otp'"):
            obtained("OpenAI#otp", here)


def test_without_prompts_a_rejected_or_ignored_secret_is_an_error(tmp_path: Path) -> None:
    """A stored secret that is not accepted, or not to be used, can't be replaced."""
    with prepared(keychain=Watched(OpenAI="canary-1")) as (_, here, _notes):
        with pytest.raises(Refused, match="OpenAI"):
            obtained("OpenAI", here._replace(no_input=True), verify=lambda _: False)
        with pytest.raises(NotFound):
            obtained("OpenAI", here._replace(no_input=True), ignore_stored=True)


def test_a_user_name_is_asked_for_as_a_user_name() -> None:
    """The label says so, and nothing is stored."""
    with prepared("me") as (pinentry, here, _):
        assert obtained("Example#username", here, remember=True).secret == "me"
        assert pinentry.prompts[0]["SETPROMPT"] == f"{wording.username_label('Example')}:"
        assert here.stored_names.items() == []


def test_the_circuit_breaker_works_like_a_keychain() -> None:
    """It passes each call on to the keychain."""
    patient = CircuitBreaker(MemoryKeychain())

    async def use() -> None:
        await patient.set("name", "user", "canary-1", 5)
        assert await patient.get("name", "user", 5) == "canary-1"
        assert await patient.delete("name", "user", 5)
        assert await patient.describe() == "memory"

    asyncio.run(use())


def test_what_was_typed_in_place_of_a_source_is_not_stored() -> None:
    """A note says so, because the next run would read the source again."""
    notes: list[str] = []
    configuration = Configuration(secrets={"A": Entry("A", parse("env://NOT_SET"))})
    with FakePinentry(["canary-1"]) as fake, sandbox(pinentry=fake) as here:
        here = here._replace(configuration=configuration, note=notes.append)
        request = SecretRequest(parse("A"), ignore_stored=True, remember=True)
        assert asyncio.run(obtain(request, here)).secret == "canary-1"
        assert here.stored_names.items() == []
    (note,) = notes
    assert "A " in note


def test_a_memory_that_fails_drops_nothing() -> None:
    """If deleting fails, reading fails too, so the secret in memory can't be used."""

    class Failing(MemorySession):
        def drop(self, name: str | None = None, username: str | None = None) -> int:
            raise KeychainUnavailable("no memory", "none")

    with sandbox(session=Failing()) as here:
        assert not storing.drop_remembered("A", None, here)


def test_a_user_name_of_a_source_is_not_checked_as_a_token() -> None:
    """The configured prefix applies to the secret, and not to the user name."""
    entry = Entry("A", parse("op://Vault/Item#username"), username="bob", prefix="own-")
    with sandbox() as here:
        here = here._replace(configuration=Configuration(secrets={"A": entry}))
        assert asyncio.run(obtain(SecretRequest(parse("A")), here)).secret == "bob"
