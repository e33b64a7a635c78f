"""The policy: where a secret is looked for, what is asked, and what is kept."""

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

from secretly import sources
from secretly.config.model import Entry
from secretly.errors import (
    BadReference,
    Cancelled,
    KeychainLocked,
    KeychainUnavailable,
    NotConfirmed,
    NotFound,
    Refused,
    SecretlyError,
    SourceFailed,
)
from secretly.redacted import Secret
from secretly.reference import parse
from secretly.resolving import keep, model
from secretly.resolving.keep import forget_secret
from secretly.resolving.lookup import _Patience
from secretly.resolving.model import Context, ResolvedSecret, SecretRequest
from secretly.resolving.obtain import obtain, obtain_all
from secretly.testing import FakePinentry, MemoryKeychain, sandbox

pytestmark = pytest.mark.process

ME = getpass.getuser()


class Watched(MemoryKeychain):
    """A keychain that remembers what it was asked for."""

    def __init__(self, *, locked: bool = False, absent: bool = False, **kept: str) -> None:
        super().__init__(locked=locked, absent=absent)
        self.asked: list[str] = []
        for name, value in kept.items():
            self.items[name, ME] = Secret(value)

    async def get(self, service: str, username: str, person: float | None) -> Secret | None:
        """Note the name and look."""
        self.asked.append(service)
        return await super().get(service, username, person)


class Broken(MemoryKeychain):
    """A keychain that finds nothing and can keep nothing."""

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Fail."""
        raise KeychainUnavailable("the disk is full", "empty it")


class Wedged(Watched):
    """A keychain that lets every question's time pass."""

    def _check(self) -> None:
        error = KeychainUnavailable("the keychain did not answer within 30 s", "restart it")
        error.answered = False
        raise error

    async def set(self, service: str, username: str, value: str, person: float | None) -> None:
        """Note that something was to be kept."""
        self.asked.append(f"keep {service}")
        self._check()


@contextmanager
def place(
    *answers: Any,
    keychain: MemoryKeychain | None = None,
    config: str = "",
    environ: dict[str, str] | None = None,
) -> Iterator[tuple[FakePinentry, Context, list[str]]]:
    """A person who gives these answers; a keychain; what was noted."""
    notes: list[str] = []
    with (
        FakePinentry(answers) as pinentry,
        sandbox(pinentry, keychain or Watched(), environ, config) as here,
    ):
        yield pinentry, here._replace(note=notes.append), notes


def wish(reference: str, **more: Any) -> SecretRequest:
    """A wish for a reference."""
    return SecretRequest(parse(reference), **more)


def got(reference: str, here: Context, **more: Any) -> ResolvedSecret:
    """What is obtained."""
    return asyncio.run(obtain(wish(reference, **more), here))


def errors(pinentry: FakePinentry) -> list[str | None]:
    """The error that each prompt showed."""
    return [prompt.get("SETERROR") for prompt in pinentry.prompts]


# -- where it is looked for --------------------------------------------------------


def test_what_the_keychain_has_is_not_asked_for() -> None:
    """A hit in the keychain needs no prompt."""
    with place(keychain=Watched(OpenAI="canary-1")) as (pinentry, here, _):
        found = got("OpenAI", here)
        assert (found.secret, found.origin, found.name) == ("canary-1", "keychain", "OpenAI")
        assert type(found.secret) is Secret
        assert pinentry.lines == []


def test_what_the_keychain_has_not_is_asked_for() -> None:
    """A miss is a prompt, which names the secret and what it is for."""
    with place("canary-typed") as (pinentry, here, _):
        found = got("OpenAI", here, purpose="for: call.py")
        assert (found.secret, found.origin) == ("canary-typed", "typed")
        (prompt,) = pinentry.prompts
        assert prompt["SETPROMPT"] == "Secret for OpenAI:"
        assert prompt["SETDESC"] == "for: call.py"
        assert "SETERROR" not in prompt
        assert here.keychain.items == {}  # type: ignore[attr-defined]


def test_a_wish_can_ignore_what_is_stored() -> None:
    """``--ask`` asks for what is in the keychain all the same."""
    with place("canary-typed", keychain=Watched(OpenAI="canary-1")) as (_pinentry, here, _):
        assert got("OpenAI", here, ignore_stored=True).secret == "canary-typed"
        assert here.keychain.asked == []  # type: ignore[attr-defined]


def test_the_projects_secret_comes_before_the_names() -> None:
    """``NAME/<project>`` is used before ``NAME`` where both are kept."""
    keychain = Watched()
    keychain.items["PyPI/demo", "__token__"] = Secret("pypi-canary-project")
    keychain.items["PyPI", "__token__"] = Secret("pypi-canary-account")
    with place(keychain=keychain) as (_, here, _notes):
        found = got("PyPI", here, names=("PyPI/demo",))
        assert (found.secret, found.name) == ("pypi-canary-project", "PyPI/demo")
        assert found.username == "__token__"
        assert got("PyPI", here, names=("PyPI/other",)).secret == "pypi-canary-account"
        assert keychain.asked == ["PyPI/demo", "PyPI/other", "PyPI"]


def test_a_projects_secret_that_is_nowhere_is_asked_for_by_the_name() -> None:
    """Where neither is kept, the person is asked for ``NAME``."""
    with place("pypi-canary-1") as (pinentry, here, _):
        assert got("PyPI", here, names=("PyPI/demo",), remember=True).name == "PyPI"
        assert pinentry.prompts[0]["SETPROMPT"] == "API token for PyPI (pypi-…):"
        assert list(here.keychain.items) == [("PyPI", "__token__")]  # type: ignore[attr-defined]


ENV = '[secrets.OpenAI]\nsource = "env://TOKEN"\n'


def test_a_configured_source_is_the_only_place() -> None:
    """What has a source comes from there, whatever the keychain has."""
    keychain = Watched(OpenAI="canary-keychain")
    with place(keychain=keychain, config=ENV, environ={"TOKEN": "canary-env"}) as (_, here, _n):
        found = got("OpenAI", here)
        assert (found.secret, found.origin) == ("canary-env", "env")
        assert keychain.asked == []


def test_a_configured_source_that_fails_is_the_end() -> None:
    """Its failure falls through neither to the keychain nor to a prompt."""
    keychain = Watched(OpenAI="canary-keychain")
    with place("canary-typed", keychain=keychain, config=ENV) as (pinentry, here, _):
        with pytest.raises(SourceFailed) as caught:
            got("OpenAI", here)
        assert "TOKEN" in str(caught.value)
        assert caught.value.hint
        assert keychain.asked == []
        assert pinentry.lines == []


@pytest.mark.parametrize("reference", ["env://TOKEN", "op://Private/PyPI", "nonsense://x"])
def test_a_reference_with_a_scheme_that_fails_is_the_end(reference: str) -> None:
    """A place that is named in the reference is the only one as well."""
    with place("canary-typed", keychain=Watched(TOKEN="canary-1")) as (pinentry, here, _):
        with pytest.raises((SourceFailed, BadReference)):
            got(reference, here)
        assert pinentry.lines == []
        assert here.keychain.asked == []  # type: ignore[attr-defined]


def test_a_file_is_a_source(tmp_path: Path) -> None:
    """``file://`` gives what a file of the user's has in it."""
    path = tmp_path / "token"
    path.write_text("canary-file\n")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    with place() as (_, here, _notes):
        assert got(f"file://{path}", here).secret == "canary-file"


def test_a_locked_keychain_is_said_and_the_person_asked() -> None:
    """The prompt says that the keychain is locked."""
    keychain = Watched(locked=True)
    with place("canary-typed", keychain=keychain) as (pinentry, here, _):
        assert got("OpenAI", here).secret == "canary-typed"
        (shown,) = errors(pinentry)
        assert shown is not None
        assert "keychain is locked" in shown


def test_a_locked_keychain_that_keeps_a_narrower_one_is_not_passed_over() -> None:
    """A wider token from a source does not stand in for one that a locked keychain keeps."""
    config = '[secrets.PyPI]\nsource = "env://WIDE"\n'
    environ = {"WIDE": "pypi-canary-wide"}
    with place(keychain=Watched(locked=True), config=config, environ=environ) as (_, here, _notes):
        assert got("PyPI", here, names=("PyPI/demo",)).secret == "pypi-canary-wide"
        here.stored_names.add("PyPI/demo", "__token__", True)
        with pytest.raises(KeychainLocked, match="PyPI is not to be had"):
            got("PyPI", here, names=("PyPI/demo",))


def test_a_keychain_that_does_not_answer_is_said_and_the_person_asked() -> None:
    """The prompt says that the keychain did not answer; of one that is absent it says nothing."""
    for keychain, said in (
        (Wedged(), "The keychain did not answer."),
        (Watched(absent=True), None),
    ):
        with place("canary-typed", keychain=keychain) as (pinentry, here, _):
            assert got("OpenAI", here).secret == "canary-typed"
            assert errors(pinentry) == [said]


@pytest.mark.parametrize("remember", [False, True])
def test_a_keychain_that_does_not_answer_is_asked_once(remember: bool) -> None:
    """Three secrets, each with a narrower name, and what is kept of them: one time-out in all."""
    keychain = Wedged()
    typed = [f"canary-{number}" for number in range(4)]
    with place(*typed, keychain=keychain) as (pinentry, here, notes):
        wishes = [wish(name, names=(f"{name}/x",), remember=remember) for name in "ABC"]
        found = asyncio.run(obtain_all(wishes, here))
        assert [f.secret for f in found] == typed[:3]
        assert keychain.asked == ["A/x"]
        assert errors(pinentry) == ["The keychain did not answer."] * 3
        assert len(notes) == (3 if remember else 0)
        got("A", here)
        assert keychain.asked == ["A/x", "A"]  # another run asks it anew


def test_without_a_keychain_the_person_is_asked_each_time() -> None:
    """No keychain is no error where there is a person."""
    keychain = Watched(absent=True)
    with place("canary-1", "canary-2", keychain=keychain) as (pinentry, here, _):
        assert [got("OpenAI", here).secret, got("OpenAI", here).secret] == ["canary-1", "canary-2"]
        assert len(pinentry.prompts) == 2


# -- where nobody may be asked -----------------------------------------------------


def test_without_a_person_what_is_missing_is_said_at_once() -> None:
    """A secret that is kept nowhere is named, with what to do, and nobody is asked."""
    with place("canary-typed") as (pinentry, here, _):
        started = time.monotonic()
        with pytest.raises(NotFound) as caught:
            got("OpenAI", here._replace(no_input=True))
        assert time.monotonic() - started < 1
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
def test_without_a_person_a_keychain_that_cannot_tell_is_the_error(
    keychain: MemoryKeychain, kind: type[SecretlyError]
) -> None:
    """A locked or absent keychain is not 'no such secret'."""
    with place("canary-typed", keychain=keychain) as (pinentry, here, _):
        with pytest.raises(KeychainUnavailable) as caught:
            got("OpenAI", here._replace(no_input=True))
        assert type(caught.value) is kind
        assert pinentry.lines == []


def test_without_a_person_the_keychain_may_ask_nobody_either() -> None:
    """The keychain is told that it must not ask, or how long the person has."""
    told: list[float | None] = []

    class Told(MemoryKeychain):
        async def get(self, service: str, username: str, person: float | None) -> Secret | None:
            told.append(person)
            return Secret("canary-1")

    with place(keychain=Told()) as (_, here, _notes):
        got("OpenAI", here._replace(no_input=True))
        got("OpenAI", here, prompt_timeout=7)
        assert told == [None, 7]


def test_of_several_the_first_that_is_missing_is_said_before_anybody_is_asked() -> None:
    """Without a person, nothing is asked for even if only the last one is missing."""
    with place("canary-typed", keychain=Watched(One="canary-1")) as (pinentry, here, _):
        with pytest.raises(NotFound, match="Two"):
            asyncio.run(obtain_all([wish("One"), wish("Two")], here._replace(no_input=True)))
        assert pinentry.lines == []


# -- tokens ------------------------------------------------------------------------


def test_white_space_around_a_token_goes() -> None:
    """A copied newline is no part of a token; the prompt says what is wanted."""
    with place(" pypi-canary-1\r\n") as (pinentry, here, _):
        assert got("PyPI", here).secret == "pypi-canary-1"
        assert pinentry.prompts[0]["SETPROMPT"] == "API token for PyPI (pypi-…):"


def test_white_space_is_part_of_any_other_secret() -> None:
    """Without a prefix, what was typed is taken as it is."""
    with place(" canary 1 ") as (_, here, _notes):
        assert got("OpenAI", here).secret == " canary 1 "


@pytest.mark.parametrize(
    "wrong", ["canary-password", "", "pypi-canary 1", "pypi-canary\u200b", "  "]
)
def test_what_is_no_token_is_asked_for_again(wrong: str) -> None:
    """A wrong one is not handed over: the next prompt shows the reason, not the value."""
    with place(wrong, "pypi-canary-1", keychain=Watched()) as (pinentry, here, _):
        assert got("TestPyPI", here, remember=True).secret == "pypi-canary-1"
        first, second = errors(pinentry)
        assert first is None
        assert second is not None
        assert "pypi-" in second if wrong.strip() else "Nothing was entered" in second
        assert "canary" not in second
        assert list(here.keychain.items.values()) == ["pypi-canary-1"]  # type: ignore[attr-defined]


def test_three_wrong_tokens_are_the_end() -> None:
    """After three attempts it is an error, and nothing was kept."""
    with place("canary-a", "canary-b", "canary-c", "pypi-canary-1") as (pinentry, here, _):
        with pytest.raises(SecretlyError) as caught:
            got("PyPI", here, remember=True)
        assert len(pinentry.prompts) == 3
        assert "3 attempts" in str(caught.value)
        assert "canary" not in str(caught.value) + caught.value.hint
        assert here.keychain.items == {}  # type: ignore[attr-defined]


def test_a_stored_one_that_is_no_token_is_refused() -> None:
    """What is kept and does not start as it must is not handed over, nor asked for again."""
    keychain = MemoryKeychain()
    keychain.items["PyPI", "__token__"] = Secret("canary-password")
    with place("pypi-canary-1", keychain=keychain) as (pinentry, here, _):
        with pytest.raises(Refused) as caught:
            got("PyPI", here)
        assert "'pypi-'" in str(caught.value)
        assert "secretly set PyPI" in caught.value.hint
        assert "canary" not in str(caught.value) + caught.value.hint
        assert pinentry.lines == []


def test_a_source_that_gives_no_token_is_refused() -> None:
    """The same for what a configured source gives; white space goes there as well."""
    config = '[secrets.PyPI]\nsource = "env://TOKEN"\n'
    wrong = {"TOKEN": "canary-password"}
    with place(config=config, environ=wrong) as (_, here, _n), pytest.raises(Refused):
        got("PyPI", here)
    with place(config=config, environ={"TOKEN": "pypi-canary-1\n"}) as (_, here, _notes):
        assert got("PyPI", here).secret == "pypi-canary-1"


def test_any_entry_may_have_a_prefix() -> None:
    """A configured prefix holds as the shipped ones do."""
    with place("canary-x", "gl-canary", config='[secrets.Lab]\nprefix = "gl-"\n') as (p, here, _):
        assert got("Lab", here).secret == "gl-canary"
        assert "'gl-'" in str(errors(p)[1])


# -- remembering -------------------------------------------------------------------

REMEMBER = "[secrets.OpenAI]\nremember = true\n"
ASK = '[secrets.OpenAI]\nremember = "ask"\n'


@pytest.mark.parametrize(
    ("config", "given", "answers", "kept"),
    [
        ("", None, [], False),
        ("", True, [], True),
        ("", False, [], False),
        (REMEMBER, None, [], True),
        (REMEMBER, False, [], False),
        ("", "ask", [True], True),
        ("", "ask", [False], False),
        ("", "ask", [None], False),
        (ASK, None, [True], True),
        (ASK, None, [False], False),
        (ASK, True, [], True),
        (ASK, False, [], False),
    ],
)
def test_what_was_typed_is_kept_as_wanted(
    config: str, given: Any, answers: list[Any], kept: bool
) -> None:
    """The call says whether to keep it, else the configuration, else it is not kept."""
    with place("canary-1", *answers, config=config) as (pinentry, here, notes):
        assert got("OpenAI", here, remember=given).secret == "canary-1"
        expected = {("OpenAI", ME): "canary-1"} if kept else {}
        assert here.keychain.items == expected  # type: ignore[attr-defined]
        assert [item.name for item in here.stored_names.items()] == ["OpenAI"] * kept
        assert len(pinentry.prompts) == 1 + len(answers)
        assert notes == []


def test_whether_to_keep_it_is_asked_after_it_was_accepted() -> None:
    """``"ask"`` asks last: a secret that was not accepted is not offered to be kept."""
    seen: list[str] = []

    def verify(secret: Secret) -> bool:
        seen.append(str(secret))
        return secret == "canary-2"

    with place("canary-1", "canary-2", True) as (pinentry, here, _):
        got("OpenAI", here, remember="ask", verify=verify)
        assert seen == ["canary-1", "canary-2"]
        assert ["GETPIN" in prompt for prompt in pinentry.prompts] == [True, True, False]
        assert list(here.keychain.items.values()) == ["canary-2"]  # type: ignore[attr-defined]


def test_what_came_out_of_the_keychain_is_not_kept_again() -> None:
    """Only what was typed is kept."""
    with place(keychain=Watched(OpenAI="canary-1")) as (_, here, _notes):
        got("OpenAI", here, remember=True)
        assert here.stored_names.items() == []


@pytest.mark.parametrize(
    "keychain", [MemoryKeychain(locked=True), MemoryKeychain(absent=True), Broken()]
)
def test_a_keychain_that_cannot_keep_it_does_not_lose_it(keychain: MemoryKeychain) -> None:
    """The typed secret is handed over; that it was not kept is noted, without it."""
    with place("canary-1", keychain=keychain) as (pinentry, here, notes):
        assert got("OpenAI", here, remember=True).secret == "canary-1"
        (note,) = notes
        assert note.startswith("OpenAI was not kept: ")
        assert "canary" not in note
        assert len(pinentry.prompts) == 1


def test_a_broken_list_does_not_lose_it() -> None:
    """A list of names that cannot be read loses nothing typed: it is used, and not kept."""
    with place("canary-1") as (_, here, notes):
        folder = Path(here.stored_names._path).parent
        folder.mkdir(mode=0o700)
        Path(here.stored_names._path).write_text("broken")
        assert got("OpenAI", here, remember=True).secret == "canary-1"
        assert Path(here.stored_names._path).read_text() == "broken"
        assert any("cannot be read" in note for note in notes)
        with pytest.raises(NotFound):  # told, and nothing done: not kept without its name
            got("OpenAI", here._replace(no_input=True))


@contextmanager
def locked_list(here: Context) -> Iterator[None]:
    """Another program holds the lock on the list of kept names."""
    folder = Path(here.stored_names._path).parent
    folder.mkdir(mode=0o700, exist_ok=True)
    with open(folder / "kept.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_locked_list_does_not_lose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that stays locked is noted, and what was typed is handed over."""
    monkeypatch.setattr("secretly.resolving.keep.LISTING", 0.2)
    with place("canary-1") as (_, here, notes), locked_list(here):
        assert got("OpenAI", here, remember=True).secret == "canary-1"
        (note,) = notes
        assert note.startswith("OpenAI is not listed: the keychain keeps it, and ")
        assert "the list of kept names is locked by another process" in note
        assert asyncio.run(here.keychain.get("OpenAI", model.login_name(), None)) == "canary-1"


def test_a_locked_list_is_an_error_of_secretlys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps or forgets a secret is told, with what to do."""
    monkeypatch.setattr("secretly.resolving.keep.LISTING", 0.2)
    with place() as (_, here, _notes), locked_list(here):
        for change in (
            lambda: keep.store_secret("A", "canary-1", "me", True, 5, here),
            lambda: forget_secret("A", "me", 5, here),
        ):
            with pytest.raises(KeychainUnavailable, match="locked by another process") as caught:
                asyncio.run(change())
            assert caught.value.hint


# -- trying it ---------------------------------------------------------------------


def refuse(*wrong: str) -> Any:
    """A ``verify`` that accepts all but these."""
    return lambda secret: secret not in wrong


async def refuse_slowly(secret: Secret) -> bool:
    """One that waits before it says no."""
    await asyncio.sleep(0.01)
    return False


def test_what_is_not_accepted_is_asked_for_again() -> None:
    """The next prompt says that it was not accepted, and only the accepted one is kept."""
    with place("canary-1", "canary-2") as (pinentry, here, _):
        found = got("OpenAI", here, verify=refuse("canary-1"), remember=True)
        assert found.secret == "canary-2"
        first, second = errors(pinentry)
        assert first is None
        assert second == "That was not accepted."
        assert list(here.keychain.items.values()) == ["canary-2"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("verify", [lambda secret: False, refuse_slowly])
def test_it_is_asked_for_three_times_at_most(verify: Any) -> None:
    """Whether ``verify`` is a function or a coroutine function."""
    with place(*(f"canary-{n}" for n in range(9))) as (pinentry, here, _):
        with pytest.raises(SecretlyError) as caught:
            got("OpenAI", here, verify=verify, remember=True)
        assert len(pinentry.prompts) == 3
        assert "canary" not in str(caught.value) + caught.value.hint
        assert here.keychain.items == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [True, None, 0, ""])
def test_only_false_says_no(answer: Any) -> None:
    """A ``verify`` that returns nothing, or anything but False, accepts."""
    with place("canary-1") as (_pinentry, here, _):
        assert got("OpenAI", here, verify=lambda secret: answer).secret == "canary-1"


def test_a_stored_one_that_is_not_accepted_is_not_used_again() -> None:
    """The person is asked, told why, and what they type is tried, and kept in its place."""
    tried: list[str] = []

    def verify(secret: Secret) -> bool:
        tried.append(str(secret))
        return secret != "canary-old"

    keychain = Watched(OpenAI="canary-old")
    with place("canary-old", "canary-new", keychain=keychain) as (pinentry, here, _):
        assert got("OpenAI", here, verify=verify, remember=True).secret == "canary-new"
        assert tried == ["canary-old", "canary-old", "canary-new"]
        first, second = errors(pinentry)
        assert first == "The stored secret for OpenAI was not accepted."
        assert second == "That was not accepted."
        assert keychain.items["OpenAI", ME] == "canary-new"
        assert keychain.asked == ["OpenAI"]


def test_a_stored_one_that_is_accepted_is_not_asked_for() -> None:
    """``verify`` is given what is stored, and its yes is enough."""
    with place(keychain=Watched(OpenAI="canary-1")) as (pinentry, here, _):
        assert got("OpenAI", here, verify=refuse()).secret == "canary-1"
        assert pinentry.lines == []


def test_what_a_source_gives_and_is_not_accepted_is_the_end() -> None:
    """A configured source does not fall through to a prompt here either."""
    with place("canary-typed", config=ENV, environ={"TOKEN": "canary-env"}) as (p, here, _):
        with pytest.raises(Refused) as caught:
            got("OpenAI", here, verify=lambda secret: False)
        assert "canary" not in str(caught.value) + caught.value.hint
        assert p.lines == []


def test_without_a_person_one_that_is_not_accepted_is_the_end() -> None:
    """A stored secret that is not accepted, and nobody to ask, is an error."""
    with place("canary-typed", keychain=Watched(OpenAI="canary-1")) as (pinentry, here, _):
        with pytest.raises(Refused):
            got("OpenAI", here._replace(no_input=True), verify=lambda secret: False)
        assert pinentry.lines == []


class Trouble(Exception):
    """An error of the caller's own."""


async def in_trouble(secret: Secret) -> bool:
    """A ``verify`` that cannot tell."""
    raise Trouble


def in_trouble_at_once(secret: Secret) -> bool:
    """The same as a function."""
    raise Trouble


@pytest.mark.parametrize("verify", [in_trouble, in_trouble_at_once])
@pytest.mark.parametrize("stored", [True, False])
def test_an_error_of_verify_passes_through(verify: Any, stored: bool) -> None:
    """It is the caller's own, ends the call, and nothing is kept or asked again."""
    keychain = Watched(**{"OpenAI": "canary-1"} if stored else {})
    with place("canary-typed", keychain=keychain) as (pinentry, here, _):
        with pytest.raises(Trouble):
            got("OpenAI", here, verify=verify, remember=True)
        assert len(pinentry.prompts) == (0 if stored else 1)
        assert list(keychain.items.values()) == (["canary-1"] if stored else [])
        assert here.stored_names.items() == []


# -- inspecting it -----------------------------------------------------------------


class Inspection:
    """An ``inspect`` that keeps what it was given, and takes nothing that ends in ``wrong``."""

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
def test_a_stored_one_that_is_not_for_this_is_refused_before_anybody_is_asked(source: bool) -> None:
    """Nobody consents to what could not be used, and ``verify`` never sees it."""
    keychain, inspect = Watched(OpenAI="canary-wrong"), Inspection()
    config, environ = (ENV, {"TOKEN": "canary-wrong"}) if source else ("", {})
    with place(True, "canary-1", keychain=keychain, config=config, environ=environ) as (
        pin,
        here,
        _,
    ):
        with pytest.raises(Refused, match="is for another index") as caught:
            got("OpenAI", here, inspect=inspect, verify=inspect.verify, publishes=True)
        said = (str(caught.value), caught.value.hint)
        assert said == ("the token is for another index", "make another")
        assert inspect.seen == [("canary-wrong", "OpenAI")]
        assert pin.lines == []


def test_a_typed_one_that_is_not_for_this_is_asked_for_again() -> None:
    """The next prompt shows why; only what may be used is tried and kept."""
    inspect = Inspection()
    with place("canary-wrong", "canary-1") as (pinentry, here, _):
        found = got("OpenAI", here, inspect=inspect, verify=inspect.verify, remember=True)
        assert found.secret == "canary-1"
        assert errors(pinentry) == [None, "The token is for another index."]
        assert inspect.seen == [
            ("canary-wrong", "OpenAI"),
            ("canary-1", "OpenAI"),
            ("canary-1", "verify"),
        ]
        assert list(here.keychain.items.values()) == ["canary-1"]  # type: ignore[attr-defined]


def test_three_that_are_not_for_this_are_the_end() -> None:
    """After three attempts it is an error that says what was wrong with the last one."""
    with place(*["canary-wrong"] * 4) as (pinentry, here, _):
        with pytest.raises(Refused, match="OpenAI after 3 attempts") as caught:
            got("OpenAI", here, inspect=Inspection(), remember=True)
        assert caught.value.hint == "the last: The token is for another index."
        assert len(pinentry.prompts) == 3
        assert here.keychain.items == {}  # type: ignore[attr-defined]


def test_what_is_typed_in_the_place_of_a_stored_one_is_inspected_too() -> None:
    """A stored one that was not accepted is no leave for whatever comes next."""
    inspect, keychain = Inspection(), Watched(OpenAI="canary-old")
    with place("canary-wrong", "canary-new", keychain=keychain) as (pinentry, here, _):
        assert (
            got("OpenAI", here, inspect=inspect, verify=refuse("canary-old")).secret == "canary-new"
        )
        assert errors(pinentry)[1] == "The token is for another index."
        assert [secret for secret, _name in inspect.seen] == [
            "canary-old",
            "canary-wrong",
            "canary-new",
        ]


def test_what_is_inspected_is_judged_by_the_name_that_it_was_found_under() -> None:
    """What the configuration says of ``PyPI/demo`` counts for that one, and not PyPI's."""
    keychain, inspect = MemoryKeychain(), Inspection()
    keychain.items["PyPI/demo", "__token__"] = Secret("pypi-canary-project\n")
    keychain.items["PyPI", "__token__"] = Secret("pypi-canary-account")
    with place(" pypi-canary-typed\n", keychain=keychain) as (_, here, _notes):
        got("PyPI", here, names=("PyPI/demo",), inspect=inspect)
        got("PyPI", here, names=("PyPI/other",), inspect=inspect)
        got("PyPI", here, names=("PyPI/demo",), inspect=inspect, ignore_stored=True)
        assert inspect.seen == [
            ("pypi-canary-project", "PyPI/demo"),
            ("pypi-canary-account", "PyPI"),
            ("pypi-canary-typed", "PyPI"),
        ]


def test_what_is_no_token_is_not_inspected() -> None:
    """What does not start as it must is said to be so first."""
    inspect = Inspection()
    with place("canary-wrong", "pypi-canary-1") as (pinentry, here, _):
        got("PyPI", here, inspect=inspect)
        assert "'pypi-'" in str(errors(pinentry)[1])
        assert inspect.seen == [("pypi-canary-1", "PyPI")]


def test_an_error_that_inspecting_did_not_foresee_is_no_leave() -> None:
    """What fails otherwise than by refusing ends the call: nothing is handed over or kept."""

    def inspect(secret: Secret, entry: Entry) -> None:
        raise Trouble

    for stored in ({"OpenAI": "canary-1"}, {}):
        with place("canary-typed", keychain=Watched(**stored)) as (pinentry, here, _):
            with pytest.raises(Trouble):
                got("OpenAI", here, inspect=inspect, remember=True)
            assert len(pinentry.prompts) == 1 - len(stored)
            assert here.stored_names.items() == []


# -- confirming --------------------------------------------------------------------

CONFIRM = "[secrets.OpenAI]\nconfirm = true\n"
NO_CONFIRM = "[secrets.OpenAI]\nconfirm = false\n"


@pytest.mark.parametrize(
    ("config", "given", "publishes", "asked"),
    [
        ("", None, False, False),
        ("", None, True, True),
        ("", True, False, True),
        ("", False, True, False),
        (CONFIRM, None, False, True),
        (CONFIRM, False, False, False),
        (NO_CONFIRM, None, True, False),
        (NO_CONFIRM, True, False, True),
    ],
)
def test_the_use_of_a_stored_one_is_confirmed_as_wanted(
    config: str, given: bool | None, publishes: bool, asked: bool
) -> None:
    """The call says whether, else the configuration, else only publishing commands do."""
    keychain = Watched(OpenAI="canary-1")
    more = {"confirm": given, "publishes": publishes, "purpose": "for: call.py"}
    with place(True, keychain=keychain, config=config) as (pinentry, here, _):
        assert got("OpenAI", here, **more).secret == "canary-1"
        assert len(pinentry.prompts) == asked
        for prompt in pinentry.prompts:
            assert "CONFIRM" in prompt
            assert prompt["SETDESC"] == "Hand over OpenAI from the keychain?%0A%0Afor: call.py"
    if not asked:
        return
    for answer, kind in ((False, NotConfirmed), (None, Cancelled)):
        with place(answer, "canary-typed", keychain=keychain, config=config) as (pin, here, _):
            with pytest.raises(kind):
                got("OpenAI", here, **more)
            assert len(pin.prompts) == 1


def test_what_was_just_typed_needs_no_consent() -> None:
    """Typing it is consent enough."""
    with place("canary-1") as (pinentry, here, _):
        got("OpenAI", here, confirm=True, publishes=True)
        assert len(pinentry.prompts) == 1


def test_a_sources_secret_is_confirmed_as_well() -> None:
    """Stored is stored, in whatever place."""
    environ = {"TOKEN": "canary-1"}
    with place(False, config=ENV + "confirm = true\n", environ=environ) as (pinentry, here, _):
        with pytest.raises(NotConfirmed):
            got("OpenAI", here)
        assert pinentry.prompts[0]["SETDESC"].startswith("Hand over OpenAI from env://?")


def test_without_a_person_consent_cannot_be_had() -> None:
    """What needs consent is not handed over where nobody can give it."""
    with place(True, keychain=Watched(OpenAI="canary-1")) as (pinentry, here, _):
        with pytest.raises(SecretlyError, match="consent"):
            got("OpenAI", here._replace(no_input=True), confirm=True)
        assert pinentry.lines == []


def test_consent_comes_before_verify() -> None:
    """A stored secret reaches nobody, ``verify`` included, before the person agrees."""
    stored = Watched(OpenAI="canary-1")
    with place(False, keychain=stored) as (_, here, _n), pytest.raises(NotConfirmed):
        got("OpenAI", here, confirm=True, verify=in_trouble_at_once)


@pytest.mark.parametrize("stored", [True, False])
def test_a_publishing_commands_purpose_is_shown_whole_or_not_at_all(stored: bool) -> None:
    """What is consented to is never cut: for a use that nobody can read whole nobody is asked."""
    keychain = Watched(**{"OpenAI": "canary-1"} if stored else {})
    purpose = "program: /" + "x" * 940
    with place(True if stored else "canary-1", keychain=keychain) as (pinentry, here, _):
        with pytest.raises(Refused, match="does not fit"):
            got("OpenAI", here, publishes=True, purpose=f"{purpose}{purpose}", remember=True)
        assert pinentry.prompts == []
        assert list(keychain.items) == ([("OpenAI", ME)] if stored else [])
        assert got("OpenAI", here, publishes=True, purpose=purpose).secret == "canary-1"
        assert purpose in pinentry.prompts[0]["SETDESC"]


def test_another_commands_purpose_may_be_cut() -> None:
    """What is only told, and not consented to, is shortened to what the prompt can hold."""
    with place("canary-1") as (pinentry, here, _):
        assert got("OpenAI", here, purpose="x" * 5000).secret == "canary-1"
        assert pinentry.prompts[0]["SETDESC"].endswith("x…")


# -- several -----------------------------------------------------------------------


def test_several_are_asked_for_one_after_another() -> None:
    """Each prompt says which of how many it is; what is stored is not counted."""
    with place("canary-1", "canary-3", keychain=Watched(Two="canary-2")) as (p, here, _):
        found = asyncio.run(obtain_all([wish("One"), wish("Two"), wish("Three")], here))
        assert [f.secret for f in found] == ["canary-1", "canary-2", "canary-3"]
        first, second = p.prompts
        assert "1 of 2" in first["SETTITLE"]
        assert "One" in first["SETPROMPT"]
        assert "2 of 2" in second["SETTITLE"]
        assert "Three" in second["SETPROMPT"]


def test_a_cancel_at_one_of_several_is_the_end() -> None:
    """After it nothing more is asked."""
    with place("canary-1", None, "canary-3") as (pinentry, here, _):
        with pytest.raises(Cancelled):
            asyncio.run(obtain_all([wish("One"), wish("Two"), wish("Three")], here))
        assert len(pinentry.prompts) == 2


@pytest.mark.parametrize("configured", [False, True])
def test_sources_are_asked_at_the_same_time(
    configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that come from a source are fetched beside each other, and are given in order."""
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
    with place("canary-typed", keychain=Watched(Kept="canary-kept"), config=config) as (
        _,
        here,
        _n,
    ):
        wishes = [wish(name) for name in (first, "Missing", "Kept", last)]
        found = asyncio.run(asyncio.wait_for(obtain_all(wishes, here), 5))
    assert [f.secret for f in found] == ["canary-1", "canary-typed", "canary-kept", "canary-2"]


def test_one_source_needs_no_event_loop() -> None:
    """Whatever else is wanted: what the keychain has and one source are there at once."""
    with place(keychain=Watched(Kept="canary-2", Other="canary-3"), environ={"X": "canary-1"}) as (
        _,
        here,
        _notes,
    ):
        found = obtain_all([wish("env://X"), wish("Kept"), wish("Other")], here)
        with pytest.raises(StopIteration) as ended:
            found.send(None)
        assert [f.secret for f in ended.value.value] == ["canary-1", "canary-2", "canary-3"]


@pytest.mark.parametrize("broken", [0, 1])
def test_a_source_that_fails_is_the_end_of_all(broken: int) -> None:
    """Its error is raised, and neither keychain nor person is asked for the others."""
    with place("canary-typed", environ={"X": "canary-1"}) as (pinentry, here, _):
        names = ["env://X", "env://X"]
        names[broken] = "env://MISSING"
        with pytest.raises(SourceFailed, match="MISSING"):
            asyncio.run(obtain_all([wish("A"), *map(wish, names)], here))
        assert here.keychain.asked == []  # type: ignore[attr-defined]
        assert pinentry.lines == []


# -- user names --------------------------------------------------------------------


def test_the_user_name_it_is_kept_under() -> None:
    """The call's, else the configured one, else the one it was stored with, else the login name."""
    config = '[secrets.Configured]\nusername = "conf"\n'
    answers = ["canary-1", "canary-2", "canary-3", "canary-4", "canary-5"]
    with place(*answers, config=config) as (_, here, _notes):
        assert got("A", here, username="given", remember=True).username == "given"
        assert got("Configured", here, remember=True).username == "conf"
        assert got("B", here, remember=True).username is None
        assert list(here.keychain.items) == [  # type: ignore[attr-defined]
            ("A", "given"),
            ("Configured", "conf"),
            ("B", ME),
        ]
        # Stored with a user name of its own, it is found by it the next time.
        found = got("A", here)
        assert (found.secret, found.username, found.origin) == ("canary-1", "given", "keychain")
        assert got("B", here).username is None
        # Another user name is another secret.
        assert got("A", here, username="other").secret == "canary-4"


def test_a_user_without_a_name_goes_by_the_number() -> None:
    """A user id that has no name, as containers have, is no reason to fail."""
    script = """
        import asyncio, os, pwd
        from secretly import credential, forget, remember, resolve, testing
        uid = os.getuid()
        def nobody(uid):
            raise KeyError(uid)
        pwd.getpwuid = nobody  # this user has a name: hide it

        async def main(here):
            await remember("A", "canary-1")
            assert list(here.keychain.items) == [("A", str(uid))], here.keychain.items
            assert await credential("A") == (str(uid), "canary-1")
            assert await forget("A")

        assert resolve.login_name() == str(uid)
        with testing.sandbox() as here:
            asyncio.run(main(here))
    """
    # Nor coverage's variables: another user cannot write where it keeps its data.
    gone = ("LOGNAME", "USER", "LNAME", "USERNAME", *COVERAGE)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={name: value for name, value in os.environ.items() if name not in gone},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_project_takes_after_its_index() -> None:
    """``PyPI/demo`` has PyPI's user name and prefix, and none of its source."""
    config = '[secrets.PyPI]\nsource = "env://TOKEN"\n'
    with place("canary-x", "pypi-canary-1", config=config) as (pinentry, here, _):
        assert got("PyPI/demo", here).username == "__token__"
        assert len(pinentry.prompts) == 2


def test_a_field_of_a_kept_secret() -> None:
    """``#username`` is the user name, ``#password`` the secret; there is no other field."""
    with place("canary-1") as (pinentry, here, _):
        got("A", here, username="given", remember=True)
        assert got("A#username", here).secret == "given"
        assert got("A#password", here).secret == "canary-1"
        with pytest.raises(BadReference):
            got("A#note", here)
        assert len(pinentry.prompts) == 1


def test_forgetting_takes_it_out_of_both_places() -> None:
    """The keychain and the list forget it, and it says whether it was there."""
    with place("canary-1") as (_, here, _notes):
        got("A", here, username="given", remember=True)
        assert asyncio.run(forget_secret("A", None, 5, here)) is True
        assert here.keychain.items == {}  # type: ignore[attr-defined]
        assert here.stored_names.items() == []
        assert asyncio.run(forget_secret("A", None, 5, here)) is False


def test_prompts_show_names_made_harmless() -> None:
    """A name with bidi or control characters is shown as escapes."""
    with place("canary-1", True) as (pinentry, here, _):
        strange = SecretRequest(parse("a")._replace(path="a\u202eb\x1b[2J"), remember="ask")
        asyncio.run(obtain(strange, here))
        for prompt in pinentry.prompts:
            for text in prompt.values():
                assert "\u202e" not in text
                assert "\x1b" not in text
        assert "a\\u202eb\\x1b[2J" in pinentry.prompts[0]["SETPROMPT"]


def test_fields_beside_the_password(tmp_path: Path) -> None:
    """A configured user name goes before the source's; another field is not the keychain's."""
    config = '[secrets.PyPI]\nsource = "env://TOKEN"\n'
    with place(config=config, environ={"TOKEN": "pypi-canary-1"}) as (_, here, _notes):
        assert got("PyPI#username", here).secret == "__token__"
        assert got("PyPI#password", here).secret == "pypi-canary-1"
        with pytest.raises(BadReference, match="no field 'otp'"):
            got("OpenAI#otp", here)


def test_a_stored_secret_that_is_not_accepted_where_nobody_is(tmp_path: Path) -> None:
    """Where nobody may be asked, one that is not accepted is refused."""
    with place(keychain=Watched(OpenAI="canary-1")) as (_, here, _notes):
        with pytest.raises(Refused, match="was not accepted"):
            got("OpenAI", here._replace(no_input=True), verify=lambda _: False)
        with pytest.raises(NotFound):
            got("OpenAI", here._replace(no_input=True), ignore_stored=True)


def test_a_user_name_is_asked_for_as_one() -> None:
    """Where there is none, the prompt says that it is the user name, and nothing is kept."""
    with place("me") as (pinentry, here, _):
        assert got("Example#username", here, remember=True).secret == "me"
        assert pinentry.prompts[0]["SETPROMPT"] == "User name for Example:"
        assert here.stored_names.items() == []


def test_patience_is_a_keychain_like_any_other() -> None:
    """What stands between a run and the keychain does all that a keychain does."""
    patient = _Patience(MemoryKeychain())

    async def use() -> None:
        await patient.set("name", "user", "canary-1", 5)
        assert await patient.get("name", "user", 5) == "canary-1"
        assert await patient.delete("name", "user", 5)
        assert await patient.describe() == "memory"

    asyncio.run(use())
