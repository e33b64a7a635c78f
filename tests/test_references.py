"""References: the names by which secrets are asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly.errors import BadReference
from secretly.reference import Reference, parse

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
def test_a_reference_is_read(text: str, scheme: str, path: str, field: str) -> None:
    """NAME, NAME#field and scheme://path[#field]; the path is the source's own matter."""
    assert parse(text) == Reference(scheme, path, field)


@given(PLAIN, PLAIN | st.just(""), st.sampled_from(["", "op", "env", "file", "x-y.z+1"]))
def test_what_is_printed_is_read_again(path: str, field: str, scheme: str) -> None:
    """A reference prints as the text that reads as it."""
    try:
        reference = parse(str(Reference(scheme, path, field)))
    except BadReference:
        assert "://" in path  # 'a://' is a scheme with nothing after it
        return
    assert parse(str(reference)) == reference
    if "://" not in path:
        assert reference == Reference(scheme, path, field)


@pytest.mark.parser("references")
@given(st.text(st.characters()) | st.text("ab#:/ \n-pyi_"))
def test_whatever_the_text_it_is_a_reference_or_a_typed_error(text: str) -> None:
    """No text makes reading fail in another way, and what is read names something."""
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
    """Those that everything has; what is printed stays as it was written."""
    assert parse(text).usual == usual
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", ["", "#", "#field", "\u202e#", "env://", "env://#field"])
def test_a_reference_that_names_nothing_is_refused(text: str) -> None:
    """There is no secret without a name, nor a field without one."""
    with pytest.raises(BadReference, match="names nothing") as caught:
        parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text", [" PyPI", "PyPI ", "PyPI\n", "Py\nPI", "Py\x1b[2JPI", "a\x00b", "a\x7f"]
)
def test_white_space_around_and_control_characters_are_refused(text: str) -> None:
    """A name that cannot be told from another by looking is none; it is shown harmless."""
    with pytest.raises(BadReference, match="control characters or white space") as caught:
        parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, 3, b"PyPI", ["PyPI"]])
def test_what_is_no_text_is_no_reference(value: object) -> None:
    """A caller's mistake is a typed error too, and shows the type alone."""
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
    """Someone who pastes the token in place of its name is told so, and sees none of it."""
    text = around.format(prefix + "canary0canary0canary0")
    with pytest.raises(BadReference, match="looks like a secret") as caught:
        parse(text)
    assert "canary" not in f"{caught.value} {caught.value.hint} {caught.value!r}"


@pytest.mark.parametrize("text", ["PyPI", "pypi", "pypi-demo", "sk", "ghp_demo", "npm", "AKIA"])
def test_a_name_that_merely_begins_like_a_secret_is_one(text: str) -> None:
    """The prefixes alone, with little after them, are names."""
    assert parse(text).name == text


@pytest.mark.parametrize(
    "name", ["npm_publish_token", "cio-dashboards-prod", "sk-learn", "PyPI/pypi-helper", "ghp_name"]
)
def test_a_name_may_begin_like_a_token(name: str) -> None:
    """A name that begins as a service's tokens do is a name all the same."""
    assert parse(name).path == name


@pytest.mark.parametrize("around", ["env://{}", "op://Private/{}", "PyPI/{}", "PyPI#{}", "x {}"])
def test_a_secret_inside_a_reference_is_not_repeated(around: str) -> None:
    """Wherever a secret stands in a reference, it is refused unechoed."""
    with pytest.raises(BadReference) as caught:
        parse(around.format("pypi-canary-1234567890"))
    assert "canary" not in str(caught.value) + caught.value.hint
