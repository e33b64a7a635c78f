"""What the password managers write, whatever it is: an item's fields, or a typed error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly.errors import SourceFailed
from secretly.processes.output import Finished
from secretly.redacted import Secret
from secretly.sources import (
    Item,
    Program,
    aws_sm,
    aws_ssm,
    bw,
    bws,
    gopass,
    keepassxc,
    lpass,
    op,
    passwordstore,
    rbw,
    vault_kv,
)
from secretly.sources.json_fields import with_fields


class Manager(NamedTuple):
    """How what a manager's program writes is read.

    :param read: gives the fields for what it wrote.
    """

    program: Program
    read: Callable[[Secret], Mapping[str, str]]


def by_op(said: Secret, fields: Callable[..., Any], *own: str) -> Mapping[str, str]:
    """How a version of op is read, for the fields in 1Password's own form."""
    found: Mapping[str, str] = op.program.parsed(said, lambda item: fields(item, own), "x")
    return found


MANAGERS = {
    "op 1": Manager(op.program, lambda said: by_op(said, op._fields_of_1)),
    "op 1, a field": Manager(op.program, lambda said: by_op(said, op._fields_of_1, "/s/f")),
    "op 2": Manager(op.program, lambda said: by_op(said, op._fields_of_2)),
    "op 2, a field": Manager(op.program, lambda said: by_op(said, op._fields_of_2, "/f")),
    "bw": Manager(bw.program, lambda said: bw._item(said, "x")),
    "lpass": Manager(lpass.program, lambda said: lpass._item(said, "x")),
    "pass": Manager(passwordstore.program, passwordstore.fields_of),
    "gopass": Manager(gopass.program, lambda said: gopass._item(said, "x")),
    "rbw": Manager(rbw.program, lambda said: rbw._item(said, "x")),
    "aws-sm": Manager(
        aws_sm.program, lambda said: with_fields(aws_sm.program.parsed(said, aws_sm._value, "x"))
    ),
    "aws-ssm": Manager(
        aws_ssm.program, lambda said: with_fields(aws_ssm.program.parsed(said, aws_ssm._value, "x"))
    ),
    "bws": Manager(bws.program, lambda said: bws.program.parsed(said, bws._fields, "x")),
    "vault": Manager(
        vault_kv.program, lambda said: vault_kv.program.parsed(said, vault_kv._fields, "x")
    ),
    "keepassxc-cli": Manager(keepassxc.program, lambda said: {"password": said}),
}

#: What the managers' keys are called, and what else may stand for one.
KEYS = st.sampled_from(
    "fields value label id purpose section login password username totp name details sections "
    "designation title t n v x f s note Notes url "
    "SecretString SecretBinary Parameter Value data metadata key".split()
) | st.text(max_size=3)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS
ANY = st.recursive(
    PLAIN, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(KEYS, parts, max_size=4)
)

# Items in the form that each manager has, with anything in it.
FIELD = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "label", "purpose", "name", "designation", "n", "t"), ANY)
    | dict.fromkeys(("value", "v"), PLAIN),
)
FIELDS = st.lists(FIELD | ANY, max_size=3) | ANY
ITEM = st.fixed_dictionaries(
    {"name": st.just("x") | ANY, "fields": FIELDS},
    optional={
        "login": st.dictionaries(KEYS, PLAIN, max_size=3) | ANY,
        "password": PLAIN,
        "details": st.fixed_dictionaries(
            {"fields": FIELDS, "sections": st.lists(FIELD, max_size=2) | ANY}
        ),
    },
)
STRUCTURED = (ITEM | st.lists(ITEM, max_size=2) | ANY).map(json.dumps).map(str.encode)
# As lpass writes what is not ASCII; a key of a line, as pass has them.
ODD = st.lists(
    st.sampled_from(
        ['[{"password": "', '"}]', "\\uffffffc3", "\\uffffff", "\\u", "user:", "\n", "}"]
    )
    | st.text(max_size=4)
).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))
DEEP = st.sampled_from([b"[" * 5000, b'{"fields":' * 5000, b"1" * 5000])

SAID = st.sampled_from(
    "not signed in|session expired|more than one item|isn't an item|dial tcp|vault is locked|"
    "not found|Could not find specified|is not in the password store|unknown attribute".split("|")
).map(str.encode)


@pytest.mark.parser("what password managers write")
@given(
    name=st.sampled_from(sorted(MANAGERS)),
    done=st.builds(Finished, st.just(0), STRUCTURED | ODD | DEEP | st.binary())
    | st.builds(Finished, st.integers(-64, 255), st.binary(), SAID | st.binary()),
    field=st.sampled_from(["", "password", "username"]) | KEYS,
)
def test_whatever_is_written_it_is_an_item_or_a_typed_error(
    name: str, done: Finished, field: str
) -> None:
    """No output makes reading it fail in another way; what is read is text."""
    program, read = MANAGERS[name]
    try:
        said = program.read(done, "x")
        item = Item.of(read(said))
        assert all(
            type(part) is str or type(part) is Secret for pair in item.items() for part in pair
        )
        value = item.chosen(field, program.title, "x")
    except SourceFailed as error:
        assert error.hint
        assert f"{error}{error.hint}".isprintable()
    else:
        assert value
        assert "\0" not in value
        assert value.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda said: bw._item(said, "x"), {"fields": [{"name": 5, "value": "canary-1"}]}),
        (lambda said: bw._item(said, "x"), {"login": {"username": ["me"], "password": 5}}),
        (lambda said: by_op(said, op._fields_of_2), {"fields": [{"id": "password", "value": [1]}]}),
        (lambda said: lpass._item(said, "x"), [{"password": {"a": "canary-1"}, "username": True}]),
    ],
)
def test_a_value_that_is_not_text_is_not_a_field(read: Callable[[Secret], Any], said: Any) -> None:
    """JSON has numbers, lists and tables where a name or a value should be."""
    item = Item.of(read(Secret(json.dumps(said))))
    assert item == {}
    with pytest.raises(SourceFailed, match=r"its fields: none|has no field"):
        item.chosen("", "x", "x")
