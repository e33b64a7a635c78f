"""The errors and the public names."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import pickle
import pydoc
import re
import traceback
from pathlib import Path

import pytest

import secretly
from secretly import SecretlyError, errors, testing
from secretly.config import model
from secretly.running.not_started import NotThere

#: What the contract promises.
ERRORS = (
    "Cancelled PromptTimeout NoPinentry PinentryFailed NotFound KeychainUnavailable "
    "KeychainLocked SourceFailed NotConfirmed BadReference BadConfiguration BadToken Refused"
).split()
OTHERS = (
    "secret credential confirm remember forget secretly Secret Credential SecretlyError "
    "secret_sync credential_sync environment"
).split()

SOURCE = Path(secretly.__file__).parent


def subclasses(kind: type[SecretlyError]) -> set[type[SecretlyError]]:
    """This kind of error and all below it, in any module of secretly."""
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_has_the_same_root(name: str) -> None:
    """So that a caller can catch all of them by it."""
    kind = getattr(secretly, name)
    assert issubclass(kind, SecretlyError)
    assert kind is getattr(errors, name)
    assert SecretlyError.__bases__ == (Exception,)


@pytest.mark.parametrize("name", [*ERRORS, "SecretlyError"])
def test_each_error_has_a_message_and_a_hint(name: str) -> None:
    """The text is what happened, the hint what to do. The hint may be empty."""
    error = getattr(secretly, name)("it broke", "fix it")
    assert (str(error), error.hint) == ("it broke", "fix it")
    assert getattr(secretly, name)("it broke").hint == ""


def test_an_error_can_be_sent_between_processes() -> None:
    """A worker's failure arrives with its hint."""
    error = pickle.loads(pickle.dumps(secretly.NotFound("no such secret", "store it")))
    assert (type(error), str(error), error.hint) == (
        secretly.NotFound,
        "no such secret",
        "store it",
    )


def test_a_traceback_shows_the_hint() -> None:
    """A hint is a note of the error: also one that was set later, and no other then."""
    error = secretly.NotFound("no such secret", "store it")
    error.add_note("while greeting")
    for hint in ("run: secretly set", ""):
        error.hint = hint
        notes = [*filter(None, [hint]), "while greeting"]
        shown = traceback.format_exception(error)
        assert shown[0] == "secretly.errors.NotFound: no such secret\n"
        assert sorted(shown[1:]) == sorted(f"{note}\n" for note in notes)
    sent = pickle.loads(pickle.dumps(secretly.NotFound("no such secret", "store it")))
    assert sent.__notes__ == ["store it"]
    assert not hasattr(secretly.NotFound("no such secret"), "__notes__")


def test_the_kinds_of_errors() -> None:
    """NotConfirmed is a kind of Cancelled; a locked keychain is an unavailable one."""
    assert issubclass(secretly.NotConfirmed, secretly.Cancelled)
    assert issubclass(secretly.KeychainLocked, secretly.KeychainUnavailable)


def test_each_public_error_is_listed_once() -> None:
    """``__all__`` has no more and no fewer."""
    assert sorted(errors.__all__) == sorted([*ERRORS, "SecretlyError"])


def raised() -> list[tuple[str, ast.Call]]:
    """Each place where an error of secretly's is made, and the call that makes it."""
    names = {kind.__name__ for kind in subclasses(SecretlyError)} | {"UsageError"}
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and not isinstance(node.func, ast.Call):
                module, _, name = ast.unparse(node.func).rpartition(".")
                if name in names and module != "pytest":
                    found.append((f"{path.relative_to(SOURCE)}:{node.lineno}", node))
    return found


def test_every_raised_error_has_a_hint() -> None:
    """Except private kinds, which are caught on the way."""
    assert NotThere in subclasses(SecretlyError)
    without = [
        place
        for place, call in raised()
        if len(call.args) < 2 and not ast.unparse(call.func).rpartition(".")[2].startswith("_")
    ]
    assert len(raised()) > 50
    assert without == []


# -- the public names ------------------------------------------------------------


def test_the_public_names_exist() -> None:
    """Each of them, and no others are announced."""
    assert sorted(secretly.__all__) == sorted(ERRORS + OTHERS)
    assert dir(secretly) == sorted([*secretly.__all__, "__version__"])
    for name in secretly.__all__:
        assert getattr(secretly, name) is not None


def test_the_version_is_the_installed_one() -> None:
    """As the package's metadata has it."""
    assert secretly.__version__ == importlib.metadata.version("secretly")


def test_help_shows_each_public_name() -> None:
    """``help(secretly)`` has each call, each error and the version."""
    text = pydoc.plain(pydoc.render_doc(secretly))
    for name in (*ERRORS, *OTHERS, secretly.__version__):
        assert name in text
    assert "async secret(" in text


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="'secretly' has no attribute 'nothing'"):
        _ = secretly.nothing
    with pytest.raises(AttributeError, match=r"'secretly\.testing' has no attribute 'nothing'"):
        _ = testing.nothing


@pytest.mark.parametrize("name", secretly.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """Each has a sentence of its own, and the version that added it."""
    thing = getattr(secretly, name)
    assert thing.__module__.startswith("secretly.")
    text = thing.__doc__ or ""  # a class does not inherit it
    assert text.partition("\n")[0].endswith((".", ":"))
    assert re.search(r"\.\. versionadded:: \d+\.\d+", text)
    assert ">>> " in text, "an example, which tox -e docs runs"


def test_the_testing_names_are_documented() -> None:
    """Users test with them."""
    assert ".. versionadded::" in (testing.__doc__ or "")
    assert dir(testing) == sorted(testing.__all__)
    for name in testing.__all__:
        assert inspect.getdoc(getattr(testing, name))


def test_settings_are_documented() -> None:
    """Each class of the configuration has a docstring."""
    for kind in (model.Command, model.Profile, model.Entry):
        assert kind.__doc__
        assert not kind.__doc__.startswith(f"{kind.__name__}(")
