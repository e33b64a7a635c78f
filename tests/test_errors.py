"""The errors, and the names that the library has."""

from __future__ import annotations

import ast
import inspect
import pickle
import re
from pathlib import Path

import pytest

import secretly
from secretly import SecretlyError, errors
from secretly.config import model
from secretly.running import launch

#: What the contract promises.
ERRORS = (
    "Cancelled PromptTimeout NoPinentry PinentryFailed NotFound KeychainUnavailable "
    "KeychainLocked SourceFailed NotConfirmed BadReference BadConfiguration BadToken Refused"
).split()
OTHERS = (
    "secret credential confirm remember forget secretly Secret Credential SecretlyError".split()
)

SOURCE = Path(secretly.__file__).parent


def subclasses(kind: type[SecretlyError]) -> set[type[SecretlyError]]:
    """All that is of this kind, in any module of secretly."""
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_has_the_one_root(name: str) -> None:
    """So that a caller can catch all of them by it."""
    kind = getattr(secretly, name)
    assert issubclass(kind, SecretlyError)
    assert kind is getattr(errors, name)
    assert SecretlyError.__bases__ == (Exception,)


@pytest.mark.parametrize("name", [*ERRORS, "SecretlyError"])
def test_each_error_has_a_hint_apart_from_what_happened(name: str) -> None:
    """The text is what happened, the hint what to do; there may be none."""
    error = getattr(secretly, name)("it broke", "mend it")
    assert (str(error), error.hint) == ("it broke", "mend it")
    assert getattr(secretly, name)("it broke").hint == ""


def test_an_error_can_be_sent_between_processes() -> None:
    """A worker's failure arrives with its hint."""
    error = pickle.loads(pickle.dumps(secretly.NotFound("it is not there", "put it there")))
    assert (type(error), str(error), error.hint) == (
        secretly.NotFound,
        "it is not there",
        "put it there",
    )


def test_what_a_person_declines_is_cancelled() -> None:
    """NotConfirmed is one way of it; a locked keychain is one that cannot be used."""
    assert issubclass(secretly.NotConfirmed, secretly.Cancelled)
    assert issubclass(secretly.KeychainLocked, secretly.KeychainUnavailable)


def test_the_errors_that_are_listed_are_all() -> None:
    """No public error is left out of the names, and none is there twice."""
    assert sorted(errors.__all__) == sorted([*ERRORS, "SecretlyError"])


def raised() -> list[tuple[str, ast.Call]]:
    """Each place where an error of secretly's is made, and the call that makes it."""
    names = {kind.__name__ for kind in subclasses(SecretlyError)} | {"_Usage"}
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and not isinstance(node.func, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                if name in names:
                    found.append((f"{path.relative_to(SOURCE)}:{node.lineno}", node))
    return found


def test_every_error_that_is_raised_says_what_to_do() -> None:
    """Each is made with a hint, but for those of a private kind that are caught on the way."""
    assert launch.NotThere in subclasses(SecretlyError)
    without = [
        place
        for place, call in raised()
        if len(call.args) < 2 and not ast.unparse(call.func).rpartition(".")[2].startswith("_")
    ]
    assert len(raised()) > 50
    assert without == []


# -- the public names ------------------------------------------------------------


def test_the_names_of_the_contract_are_there() -> None:
    """Every one of them, and no other is announced."""
    assert sorted(secretly.__all__) == sorted(ERRORS + OTHERS)
    assert dir(secretly) == sorted(secretly.__all__)
    for name in secretly.__all__:
        assert getattr(secretly, name) is not None


def test_another_name_is_none() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="'secretly' has no attribute 'nothing'"):
        _ = secretly.nothing


@pytest.mark.parametrize("name", secretly.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """With what it is, in its own words, and since when."""
    thing = getattr(secretly, name)
    assert thing.__module__.startswith("secretly.")
    text = thing.__doc__ or ""  # a class's own: it inherits none
    assert text.partition("\n")[0].endswith((".", ":"))
    assert re.search(r"\.\. versionadded:: \d+\.\d+", text)


def test_the_testing_names_are_documented() -> None:
    """Users test with them."""
    from secretly import testing

    assert ".. versionadded::" in (testing.__doc__ or "")
    for name in testing.__all__:
        assert inspect.getdoc(getattr(testing, name))


def test_settings_are_documented() -> None:
    """Each class that a configuration is made of says what it is."""
    for kind in (model.Command, model.Profile, model.Entry):
        assert kind.__doc__
        assert not kind.__doc__.startswith(f"{kind.__name__}(")
