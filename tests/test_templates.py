"""References in the values of variables: secretly resolves or refuses each of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly.errors import BadReference
from secretly.redacted import Secret
from secretly.reference import Reference
from secretly.resolving.request import SecretRequest
from secretly.running.delivery import Delivery, Environment
from secretly.running.derived import Composed, Inserted
from secretly.running.plain import PlainVariable, separate
from secretly.running.templates import ValueReader
from secretly.sources import SCHEMES
from secretly.sources.unreadable import INSTEAD

COMMON = SecretRequest(Reference("", ""))
READER = ValueReader(COMMON, {"STAGE": "dev"})

#: The schemes of references that secretly refuses in a longer text without braces.
MANAGERS = sorted({*SCHEMES, "secretly"} - {"env", "file"})


def shown(value: SecretRequest | Composed | None) -> str | None:
    """Show a value with its references in angle brackets, or None for a plain text."""
    if value is None:
        return None
    if not isinstance(value, Composed):
        return f"<{value.reference}>"
    return "".join(
        part
        if isinstance(part, str)
        else f"<{'url ' if part.encoded else ''}{part.request.reference}>"
        for part in value.parts
    )


def read(text: str, variable: str = "X") -> str | None:
    """Read a variable's text as if from an env file, and show the value."""
    return shown(READER.read(text, variable, "an env file"))


# -- references and plain texts ---------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("op://V/I/f", "<op://V/I/f>"),
        ("OP://V/An Item", "<op://V/An Item>"),
        ("env://A", "<env://A>"),
        ("secretly://Name", "<Name>"),
        ("secretly://", "<X>"),
        ("op://$STAGE/db", "<op://dev/db>"),
        ("Bearer {{ op://V/I/c }}", "Bearer <op://V/I/c>"),
        ("{{op://V/I/c}}", "<op://V/I/c>"),
        ("db://a:{{ op://V/I/p | url }}@h/d", "db://a:<url op://V/I/p>@h/d"),
        ("{{ env://A }}{{ file:///b|url }}:", "<env://A><url file:///b>:"),
        ("{{ bw://Item#notes }}\n{{ secretly:// }}", "<bw://Item#notes>\n<X>"),
        ("{{ op://${NONE:-test}/${STAGE}}} {{ x }}", "<op://test/dev> {{ x }}"),
        ("{{{ OP://a }}}", "{<op://a>}"),
        ("{{ x }} {{ env://A }}", "{{ x }} <env://A>"),
    ],
)
def test_references_are_found(text: str, expected: str) -> None:
    """A reference is the whole value or is in braces, anywhere in the text."""
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Name",
        "{{ Name }} {{ .Values.x }} {{ a | b }} {{",
        "https://example.org/#part?a=b:8080",
        "see env://B, file:///c and xop://a/b or top://x",
        "op:/a/b op: //a op.//b",
        "vault://127.0.0.1:8200/secret",
        "vault://ada@vault.example.org/secret",
        "doppler://example.org/path?x=y",
        "vault:",
        "not encrypted:x",
        "encrypted:",
        "a preference+x://y",
        "arn:aws:secretsmanager:eu-west-1:1:secret:x",
        "{{ https://example.org }}",
    ],
)
def test_another_text_is_plain(text: str) -> None:
    """URLs, other programs' braces and texts that only resemble references are plain."""
    assert read(text) is None


UNREADABLE = [
    *(f"{scheme}://a/b" for scheme in INSTEAD),
    *("ref+vault://a/b#/c", "ref+awssecrets://a?region=b", "secretref+gcpsecrets://a/b"),
    *("AKEYLESS://0001", "x=ref+file://a", "Bearer doppler://a/b/C", "{{ vault://a/b }}"),
    *("encrypted:BDq8sQ0=", "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]", " akeyless://a "),
    "db://u:akeyless://abc@h/x",
    *("vault:secret/data/x#KEY", '{"a": "akeyless://x", "b": "y@z"}', "${A:-doppler://b}"),
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_the_reference_of_a_store_that_secretly_cannot_read_is_refused(text: str) -> None:
    """The error names the variable, where it is set, and ``--literal``."""
    with pytest.raises(BadReference, match=r"X in an env file: ") as caught:
        read(text)
    assert "--literal X" in caught.value.hint


def test_another_name_of_a_store_is_told_its_own() -> None:
    """The hint names secretly's scheme, such as ``bw://`` for ``bitwarden://``."""
    for name, instead in INSTEAD.items():
        assert instead in {*SCHEMES, ""}
        assert name not in SCHEMES
    with pytest.raises(BadReference) as caught:
        read("Bitwarden://Item")
    assert "write bw://" in caught.value.hint


def test_a_store_that_another_package_reads_is_read() -> None:
    """A scheme that another package reads is a reference, although secretly doesn't read it."""
    reader = ValueReader(COMMON, {})
    reader.__dict__["_readable"] = frozenset({*SCHEMES, "secretly", "vault"})
    assert shown(reader.read("vault://a/b", "X", "an env file")) == "<vault://a/b>"
    assert shown(reader.read("a {{ vault://b }}", "X", "an env file")) == "a <vault://b>"
    with pytest.raises(BadReference, match="longer text"):
        reader.read("a vault://b", "X", "an env file")


@pytest.mark.parametrize("scheme", MANAGERS)
@pytest.mark.parametrize(
    "around",
    [
        *("db://u:{}V/I/f@h", "see {}a", '"{}a"', "${{X:-{}a}}", "x={}a", "\u200b{}a", "-{}a"),
        *("{{{{ env://A }}}} {}a", "{{{{ {}a", "{}a {{{{ env://A }}}}", "{{{{ x {}a }}}}", "é{}a"),
    ],
)
def test_a_bare_reference_in_a_longer_text_is_refused(scheme: str, around: str) -> None:
    """It isn't clear where a reference in a longer text ends, so the hint shows the braces."""
    for name in (scheme, scheme.upper()):
        text = around.format(f"{name}://")
        with pytest.raises(BadReference, match=f"{scheme}://") as caught:
            read(text)
        assert re.search(r"\{\{ .* \}\}.*--literal X", caught.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        *("{{ op:// }}", "{{ op://# }}", "{{ op://a | base64 }}", "{{ op://a | url | url }}"),
        *(
            "{{ op://a |}}",
            "{{ env://A",
            "{{ file:///a }",
            "{{ op://$NONE }}",
            "op://a\n",
            "env://",
        ),
        *(" env://A", "env://A {{ env://B }}", "{{ secretly://op://a }}", "{{ op://a\x07 }}"),
    ],
)
def test_a_broken_reference_is_refused(text: str) -> None:
    """The error about a broken reference has one line and names the variable."""
    with pytest.raises(BadReference, match="X in an env file") as caught:
        read(text)
    assert f"{caught.value}{caught.value.hint}".isprintable()


def test_the_error_does_not_show_the_text() -> None:
    """A text with a reference may also contain a password, so the error doesn't show the text."""
    for text in (
        "db://u:canary-1@h?k=op://V/I",
        "canary-1 akeyless://a",
        "canary-1 {{ op://a | x }}",
    ):
        with pytest.raises(BadReference) as caught:
            read(text)
        assert "canary" not in f"{caught.value}{caught.value.hint}"


# -- -e and the configuration -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name", "<Name>"),
        ("my own name#username", "<my own name#username>"),
        ("op://V/$STAGE", "<op://V/dev>"),
        ("secretly://", "<X>"),
        ("Bearer {{ secretly://Name }}", "Bearer <Name>"),
        ("https://example.org", "<https://example.org>"),
    ],
)
def test_a_reference_for_a_variable_is_read(text: str, expected: str) -> None:
    """``-e`` takes a name, a reference or a text with braces. The look-up checks the scheme."""
    assert shown(READER.read_reference(text, "X")) == expected


@pytest.mark.parametrize(
    "text", ["Bearer {{ Name }}", "db://u:op://V/I@h", "akeyless://a", "a op://b"]
)
def test_a_reference_for_a_variable_is_refused(text: str) -> None:
    """The text can only be a mistake, so the error doesn't suggest ``--literal``."""
    with pytest.raises(BadReference, match=r"^X: ") as caught:
        READER.read_reference(text, "X")
    assert "--literal" not in caught.value.hint


# -- properties ------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(
            "op://V/I/f",
            "env://A",
            "file:///a",
            "secretly://N",
            "secretly://",
            "pass://a",
            "OP://a",
        ),
        *(
            "akeyless://a",
            "vault://h:1",
            "ref+a://b",
            "encrypted:a",
            "bitwarden://a",
            "{{",
            "}}",
            " ",
        ),
        *("|", "url", "@", "?", ":", "$", "$STAGE", "${STAGE}", "x", "-", "+", ".", "é", "\n", "#"),
        *("postgres://u:", "{{ op://V/I }}", "{{ env://A | url }}", "{{ x }}", '"', "\u200b", "1"),
    ]
)

#: Doesn't use the code under test: a scheme is the longest match that ends at ``://``.
_ANY = re.compile(r"([A-Za-z0-9+.-]+)://")


def schemes_in(text: str) -> list[str]:
    """Return the schemes in a text, by the rules for URLs."""
    runs = (found[1].lstrip("0123456789+.-").lower() for found in _ANY.finditer(text))
    return [scheme for scheme in runs if scheme]


@given(st.lists(PIECES, max_size=7).map("".join) | st.text("op://enva{} |-"))
def test_no_reference_is_ever_passed_on(text: str) -> None:
    """Every text is resolved, refused, or contains no reference."""
    try:
        value = READER.read(text, "X", "an env file")
    except BadReference as error:
        assert "--literal X" in error.hint
        assert f"{error}{error.hint}".isprintable()
        return
    if value is None:
        left = [text]
    elif isinstance(value, Composed):
        left = [part for part in value.parts if isinstance(part, str)]
        assert value.requests
    else:
        left = []
        assert text.partition("://")[0].lower() in {*SCHEMES, "secretly"}
    for part in left:
        assert not {*schemes_in(part)} & {*MANAGERS}
        assert not any(scheme.startswith("ref+") for scheme in schemes_in(part))
        assert "akeyless" not in schemes_in(part) or re.search("[@?]|:[0-9]", part)
    assert value or not re.match(r"\s*(env|file)://", text, re.IGNORECASE)


@given(st.lists(st.text("ab{} \n:/@é") | st.sampled_from([0, 1]), max_size=6))
def test_a_text_comes_back_with_its_secrets_in_place(parts: list[Any]) -> None:
    """The text outside the braces stays the same, and secretly doesn't look into secrets."""
    secrets = ["{{ op://a }} %", "$1 & é"]
    texts = [part.replace("{", "(") if isinstance(part, str) else part for part in parts]
    text = "".join(
        part if isinstance(part, str) else f"{{{{ secretly://{part} }}}}" for part in texts
    )
    value = READER.read(f"x{text}", "X", "an env file")
    expected = "x" + "".join(part if isinstance(part, str) else secrets[part] for part in texts)
    if value is None:
        assert f"x{text}" == expected
    else:
        assert isinstance(value, Composed)
        known = {one: secrets[int(one.reference.path)] for one in value.requests}
        assert value.text(known) == expected


@pytest.mark.parametrize(
    ("start", "more"),
    [
        *(
            ("{{ op://", " "),
            ("{{ op://${", "a"),
            ("", "{{ "),
            ("", "-"),
            ("", "{{ op://"),
            ("", "1."),
        ),
        *(
            ("", "akeyless://@"),
            ("ref+", "a"),
            ("", "ref+"),
            ("vault:", "a"),
            ("encrypted:", "a@"),
            ("", ":"),
        ),
    ],
)
def test_a_long_text_takes_no_longer_for_each_character(start: str, more: str) -> None:
    """Reading takes linear time, so that a file can't keep secretly busy."""
    text = (start + more * (1 << 17))[: 1 << 17]
    try:
        assert read(text) is None
    except BadReference as error:
        assert "--literal" in error.hint


# -- composed values -------------------------------------------------------------


def test_a_secret_in_a_url_is_percent_encoded() -> None:
    """``| url`` encodes the whole secret. Without it, the secret is unchanged."""
    one, two = (COMMON._replace(reference=Reference("", name)) for name in "ab")
    value = Composed(("db://u:", Inserted(one, encoded=True), "@h/", Inserted(two)))
    text = value.text({one: Secret("a/@:é %"), two: Secret("/@")})
    assert text == "db://u:a%2F%40%3A%C3%A9%20%25@h//@"
    assert isinstance(text, Secret)


def test_the_repr_of_a_value_shows_no_text() -> None:
    """``repr`` hides the texts between the secrets too, because they may be secret."""
    value = READER.read("canary-1 {{ env://A }} {{ env://B }}", "X", "an env file")
    assert repr(value) == "<text with 2 secrets>"
    assert "canary" not in repr(Delivery(value, Environment("X")))  # type: ignore[arg-type]


def test_the_requests_of_a_text_are_changed_together() -> None:
    """Each secret in a text gets the same changes as a secret of its own, such as its purpose."""
    value = READER.read("{{ env://A }} {{ env://B }}", "X", "an env file")
    assert isinstance(value, Composed)
    delivery = Delivery(value, Environment("X"))
    changed = delivery.with_requests(lambda one: one._replace(purpose="test"))
    assert [one.purpose for one in changed.requests] == ["test", "test"]
    assert [str(one.reference) for one in changed.requests] == ["env://A", "env://B"]


# -- variables -------------------------------------------------------------------


def held(variables: dict[str, str], **more: Any) -> dict[str, str | None]:
    """Return the values of an env file's variables that contain references."""
    texts = {name: PlainVariable(text, "an env file") for name, text in variables.items()}
    found = separate(texts, COMMON, {"STAGE": "dev"}, **more)
    assert found.plain.keys() | found.secret.keys() == variables.keys()
    return {name: shown(value) for name, value in found.secret.items()}


def test_a_literal_variable_is_passed_on() -> None:
    """secretly passes on the text of a literal variable, and still reads the other variables."""
    variables = {"A": "akeyless://a", "B": "op://V/I", "C": "x op://V/I"}
    assert held(variables, literal={"A", "C"}) == {"B": "<op://V/I>"}


def test_a_variable_with_two_values_is_refused_in_a_reference() -> None:
    """The env file and the environment disagree, so it isn't clear which item is meant."""
    assert held({"A": "op://$STAGE/b", "STAGE": "dev"}) == {"A": "<op://dev/b>"}
    assert held({"A": "x $STAGE", "STAGE": "prod"}) == {}
    for text in ("op://$STAGE/b", "{{ op://${STAGE:-x}/b }}"):
        with pytest.raises(BadReference, match="STAGE"):
            held({"A": text, "STAGE": "prod"})


# -- real-looking files ----------------------------------------------------------


def test_lines_as_public_projects_have_them_pass_unchanged() -> None:
    """About two hundred realistic settings, such as URLs, JSON and keys, stay unchanged."""
    lines = Path(__file__).with_name("example.env").read_text("utf-8").splitlines()
    texts = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert len(texts) >= 200
    assert held(texts) == {}
