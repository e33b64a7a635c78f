"""References: the names of secrets, and where they come from."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly.errors import BadReference
from secretly.reference import (
    _SHORTEST,
    SHAPES,
    Reference,
    looks_secret,
    parse,
    parse_name,
    shape,
    substitute,
)

PLAIN = st.text("abcPyI0-_./ é%?=&:", min_size=1, max_size=20).map(str.strip).filter(bool)


@pytest.mark.parametrize(
    ("text", "scheme", "path", "field"),
    [
        ("PyPI", "", "PyPI", ""),
        ("PyPI/demo", "", "PyPI/demo", ""),
        ("PyPI#username", "", "PyPI", "username"),
        ("my own name", "", "my own name", ""),
        ("op://Private/PyPI", "op", "Private/PyPI", ""),
        ("op://Private/PyPI#username", "op", "Private/PyPI", "username"),
        (
            "op://Vault/Item/Section/Field?attribute=otp",
            "op",
            "Vault/Item/Section/Field?attribute=otp",
            "",
        ),
        ("OP://Private/PyPI", "op", "Private/PyPI", ""),
        ("env://TOKEN", "env", "TOKEN", ""),
        ("file:///home/me/token", "file", "/home/me/token", ""),
        ("keyring://service/with/slashes/user", "keyring", "service/with/slashes/user", ""),
        ("a#b#c", "", "a", "b#c"),
        ("one:two", "", "one:two", ""),
    ],
)
def test_a_reference_is_parsed(text: str, scheme: str, path: str, field: str) -> None:
    """NAME, NAME#field and scheme://path[#field]; the source interprets the path."""
    assert parse(text) == Reference(scheme, path, field)


@given(PLAIN, PLAIN | st.just(""), st.sampled_from(["", "op", "env", "file", "x-y.z+1"]))
def test_a_printed_reference_parses_to_itself(path: str, field: str, scheme: str) -> None:
    """Its text parses to the same reference."""
    try:
        reference = parse(str(Reference(scheme, path, field)))
    except BadReference:
        assert "://" in path  # 'a://' is a scheme without a path
        return
    assert parse(str(reference)) == reference
    if "://" not in path:
        assert reference == Reference(scheme, path, field)


@pytest.mark.parser("references")
@given(st.text(st.characters()) | st.text("ab#:/ \n-pyi_"))
def test_any_text_is_a_reference_or_a_bad_reference(text: str) -> None:
    """No text makes parsing fail in another way, and each reference has a name."""
    try:
        reference = parse(text)
    except BadReference as error:
        assert error.hint
        assert str(error).isprintable()
    else:
        assert reference.path
        assert str(reference).isprintable() or not text.isprintable()
        assert parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("A", "password"),
        ("A#PassWord", "password"),
        ("A#Username", "username"),
        ("A#user", ""),
    ],
)
def test_the_usual_fields_are_known_ignoring_case(text: str, usual: str) -> None:
    """Each secret has them; a reference prints as it was written."""
    assert parse(text).usual == usual
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", ["", "#", "#field", "\u202e#", "env://", "env://#field"])
def test_a_reference_without_a_name_is_refused(text: str) -> None:
    """A field or a scheme alone is not a reference."""
    with pytest.raises(BadReference, match="reference") as caught:
        parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text", [" PyPI", "PyPI ", "PyPI\n", "Py\nPI", "Py\x1b[2JPI", "a\x00b", "a\x7f"]
)
def test_white_space_around_and_control_characters_are_refused(text: str) -> None:
    """Such a name looks like another one. The error shows it escaped."""
    with pytest.raises(BadReference, match="white space") as caught:
        parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, 3, b"PyPI", ["PyPI"]])
def test_only_text_can_be_a_reference(value: object) -> None:
    """Another type is a BadReference, and its message has only the type."""
    with pytest.raises(BadReference, match=f"not {type(value).__name__}"):
        parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "prefix",
    [
        "pypi-",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "npm_",
        "AKIA",
        "ASIA",
        "xoxb-",
        "sk_live_",
        "rk_test_",
        "sk-",
        "AIza",
        "hf_",
    ],
)
@pytest.mark.parametrize("around", ["{}", "  {}", "{}\n", "{}#username"])
def test_a_reference_that_is_a_secret_is_refused_and_not_repeated(prefix: str, around: str) -> None:
    """A user who pastes the token instead of its name gets an error without the token."""
    text = around.format(prefix + "canary0canary0canary0")
    with pytest.raises(BadReference, match="looks like a secret") as caught:
        parse(text)
    assert "canary" not in f"{caught.value} {caught.value.hint} {caught.value!r}"


@pytest.mark.parametrize("text", ["PyPI", "pypi", "pypi-demo", "sk", "ghp_demo", "npm", "AKIA"])
def test_a_tokens_prefix_can_be_a_name(text: str) -> None:
    """A prefix with few characters after it is a name."""
    assert parse(text).name == text


@pytest.mark.parametrize(
    "name", ["npm_publish_token", "cio-dashboards-prod", "sk-learn", "PyPI/pypi-helper", "ghp_name"]
)
def test_a_name_may_begin_like_a_token(name: str) -> None:
    """A name may begin with a token's prefix."""
    assert parse(name).path == name


@pytest.mark.parametrize("around", ["env://{}", "op://Private/{}", "PyPI/{}", "PyPI#{}", "x {}"])
def test_a_secret_inside_a_reference_is_not_repeated(around: str) -> None:
    """In any part of a reference, a secret is refused and not shown."""
    with pytest.raises(BadReference) as caught:
        parse(around.format("pypi-canary-1234567890"))
    assert "canary" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "rest", ["canary1" * 8, "0123456789abcdef" * 3, "a1" * 20 + "." + "a1" * 9]
)
def test_a_token_in_a_long_text_is_found_as_in_a_short_one(rest: str) -> None:
    found = 0
    for mark in (mark for _, marks, _ in SHAPES for mark in marks.split()):
        for text in (f"{mark}{rest}", f"12345678{mark}{rest}", f"{mark} {rest}", mark):
            long = f"{'word ' * 300}{text} {'word ' * 300}"
            assert looks_secret(long) == looks_secret(f"{text} "), text
            found += looks_secret(long)
    assert found > 50


def test_no_token_is_shorter_than_the_texts_that_need_no_look() -> None:
    """The library tells how long a text is at least that a pattern matches."""
    parser: Any = importlib.import_module("re._parser")
    shortest = [parser.parse(shape(marks, pattern)).getwidth()[0] for _, marks, pattern in SHAPES]
    assert min(shortest) == _SHORTEST
    assert looks_secret("-----BEGIN ") and not looks_secret("-----BEGIN")


@pytest.mark.parametrize("text", ["PyPI", "PyPI/demo", "one:two", "/home/me/a.py"])
def test_a_plain_name_is_the_whole_text(text: str) -> None:
    """The keychain stores a secret under it."""
    assert parse(text).is_plain
    assert parse_name(text) == text


@pytest.mark.parametrize("text", ["env://TOKEN", "A#username", "op://Private/PyPI#otp"])
def test_a_scheme_or_a_field_is_not_part_of_a_plain_name(text: str) -> None:
    """The error names the text."""
    assert not parse(text).is_plain
    with pytest.raises(BadReference, match=text) as caught:
        parse_name(text)
    assert caught.value.hint


# -- variables -------------------------------------------------------------------

SET = {"STAGE": "dev", "EMPTY": "", "_a1": "x y"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("op://$STAGE/db/password", "op://dev/db/password"),
        ("op://${STAGE}x/db", "op://devx/db"),
        ("op://V/$_a1#$STAGE", "op://V/x y#dev"),
        ("op://${NONE:-test}/db", "op://test/db"),
        ("op://${EMPTY:-a#b}/db", "op://a#b/db"),
        ("op://${STAGE:-test}/${NONE:-}x${STAGE}", "op://dev/xdev"),
        ("op://V/a$$b$$STAGE", "op://V/a$b$STAGE"),
        ("OP://$STAGE", "op://dev"),
        ("secretly://$STAGE/key#username", "dev/key#username"),
        ("a$STAGE", "a$STAGE"),
        ("a$", "a$"),
    ],
)
def test_variables_in_a_reference_come_from_the_environment(text: str, expected: str) -> None:
    """Variables have the form that 1Password's program uses. A plain name keeps its dollars."""
    assert str(parse(text, SET)) == expected


@pytest.mark.parametrize("place", ["$NONE", "${NONE}", "$EMPTY", "${NONE:-$STAGE}", "${EMPTY}"])
def test_a_variable_that_is_not_set_is_an_error(place: str) -> None:
    """An empty variable counts as not set, because the reference would name another item."""
    with pytest.raises(BadReference) as caught:
        parse(f"op://{place}/db", SET)
    assert f"op://{place}/db" in str(caught.value)
    assert "$$" in caught.value.hint


@pytest.mark.parametrize("text", ["$", "$1", "$(id)", "${", "${}", "${A-b}", "${A:?}", "$é", "a$"])
def test_any_other_dollar_is_an_error(text: str) -> None:
    """A shell might expand such a dollar, so the user must write ``$$``."""
    with pytest.raises(BadReference, match="names no variable") as caught:
        parse(f"op://{text}", SET)
    assert caught.value.hint == "write $$ for a dollar"


@given(st.text("ab$ {}:-#/_A1"), st.dictionaries(st.sampled_from("abA_"), st.text("x/$ ")))
def test_variables_are_replaced_once(text: str, environ: dict[str, str]) -> None:
    """secretly doesn't expand a variable's value again, and ``$$`` becomes one dollar."""
    assert substitute(f"op://{text.replace('$', '$$')}", environ) == f"op://{text}"
    try:
        found = substitute(f"op://{text}", environ)
    except BadReference as error:
        assert error.hint
    else:
        assert found.count("$") <= text.count("$$") + sum(
            v.count("$") for v in environ.values()
        ) * (text.count("$"))


def test_a_variable_cannot_bring_a_secret_or_control_characters() -> None:
    """secretly checks the reference again after replacing variables, and shows no value."""
    for value in ("pypi-canary-1234567890", "canary-1\x1b[2J", "canary-1 "):
        with pytest.raises(BadReference) as caught:
            parse("file://$A", {"A": value})
        assert "canary" not in f"{caught.value}"
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["env://$TOKEN", "ENV://${TOKEN}", "env://$TOKEN#password"])
def test_a_dollar_before_the_name_of_a_variable_is_refused(text: str) -> None:
    """The secret would be taken for a name, and the error about it would show the secret."""
    with pytest.raises(BadReference, match="TOKEN") as caught:
        parse(text, {"TOKEN": "canary-1"})
    assert caught.value.hint == "write env://TOKEN"
    assert "canary" not in f"{caught.value}"
    assert parse("env://${STAGE}_TOKEN", {"STAGE": "DEV"}).path == "DEV_TOKEN"
    assert parse(text, {"TOKEN": "OTHER", "OTHER": "canary-1"}).path == "OTHER"


# -- our own secrets -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "variable", "expected"),
    [
        ("secretly://PyPI", "", "PyPI"),
        ("Secretly://PyPI/demo#username", "X", "PyPI/demo#username"),
        ("secretly://", "API_KEY", "API_KEY"),
        ("secretly://#username", "API_KEY", "API_KEY#username"),
    ],
)
def test_our_own_scheme_names_a_plain_secret(text: str, variable: str, expected: str) -> None:
    """``secretly://NAME`` means NAME, and without a name it means the variable's own name."""
    found = parse(text, variable=variable)
    assert (found.scheme, str(found)) == ("", expected)


@pytest.mark.parametrize("text", ["secretly://", "secretly://#username", "secretly://op://a/b"])
def test_our_own_scheme_takes_a_plain_name(text: str) -> None:
    """Without a variable to name the secret, ``secretly://`` needs a plain name."""
    with pytest.raises(BadReference):
        parse(text)
