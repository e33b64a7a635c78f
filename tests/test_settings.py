"""Secrets for pydantic-settings, Django and Flask, with the real ones."""

from __future__ import annotations

import asyncio
import importlib
import json
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest
from conftest import need_package
from ptys import DEADLINE

import secretly
from secretly.testing import FakePinentry, sandbox

pydantic = need_package("pydantic")
pydantic_settings = need_package("pydantic_settings")

from pydantic import AliasChoices, AliasPath, BaseModel, Field, SecretBytes, SecretStr  # noqa: E402
from pydantic_settings import BaseSettings, SettingsConfigDict  # noqa: E402

from secretly.settings import From, with_secretly  # noqa: E402

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


class Sourced(BaseSettings):
    """Settings whose last source is secretly."""

    model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__")

    @classmethod
    def settings_customise_sources(cls, settings_cls: Any, **sources: Any) -> Any:
        return with_secretly(settings_cls, **sources, prefix="app/", description="to greet")


class Database(BaseModel):
    """Nested settings."""

    host: str = "localhost"
    password: SecretStr


class Everything(Sourced):
    """Each kind of field that secretly provides, and those that it leaves alone."""

    token: SecretStr
    own: secretly.Secret
    raw: SecretBytes
    union: Optional[SecretStr]  # noqa: UP045
    constrained: Annotated[SecretStr, Field(min_length=2)]
    alias: SecretStr = Field(validation_alias="ALIAS")
    choice: SecretStr = Field(validation_alias=AliasChoices("FIRST", "SECOND"))
    named: Annotated[str, From("Other")] = "unused"
    database: Database
    optional: SecretStr | None = None
    spare: Database | None = None
    plain: str = "plain"


NAMES = [
    "token",
    "own",
    "raw",
    "union",
    "constrained",
    "alias",
    "choice",
    None,
    "database/password",
]


def test_the_user_is_asked_for_what_no_source_has() -> None:
    """Each secret goes where it belongs, of the type that the field has; defaults stay."""
    answers = [f"canary-{number}" for number in range(len(NAMES))]
    with FakePinentry(answers) as pinentry, sandbox(pinentry):
        found = Everything()
        labels = [prompt["SETPROMPT"] for prompt in pinentry.prompts]
        assert all(prompt["SETDESC"].endswith("to greet") for prompt in pinentry.prompts)
    wanted = ["Other" if name is None else f"app/{name}" for name in NAMES]
    assert labels == [f"Secret for {name}:" for name in wanted]
    assert found.token.get_secret_value() == "canary-0"
    assert type(found.own) is secretly.Secret
    assert found.raw.get_secret_value() == b"canary-2"
    assert found.union is not None
    assert found.choice.get_secret_value() == "canary-6"
    assert (found.named, found.database.password.get_secret_value()) == ("canary-7", "canary-8")
    assert (found.optional, found.spare, found.plain) == (None, None, "plain")
    assert "canary" not in repr(found.model_copy(update={"named": ""}))


def test_other_sources_take_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, variables, by alias and in nested models: the user is not asked for those."""
    for name, value in {
        "APP_TOKEN": "canary-env",
        "SECOND": "canary-second",
        "APP_DATABASE__PASSWORD": "canary-nested",
        "APP_UNION": "canary-union",
        "APP_SPARE__HOST": "example.org",
    }.items():
        monkeypatch.setenv(name, value)
    given = {"own": "canary-given", "raw": b"canary", "constrained": "canary", "ALIAS": "canary"}
    with FakePinentry(["canary-other", "canary-spare"]) as pinentry, sandbox(pinentry):
        found = Everything(**given)  # type: ignore[arg-type]
        labels = [prompt["SETPROMPT"] for prompt in pinentry.prompts]
    assert labels == ["Secret for Other:", "Secret for app/spare/password:"]
    assert found.token.get_secret_value() == "canary-env"
    assert found.choice.get_secret_value() == "canary-second"
    assert found.database.password.get_secret_value() == "canary-nested"
    assert found.spare is not None
    assert found.spare.host == "example.org"


def test_fields_that_one_secret_cannot_fill_are_left_alone() -> None:
    """A list or a mapping of secrets, and a field that is found by a path alone."""

    class Others(Sourced):
        several: list[SecretStr]
        by_name: dict[str, SecretStr]
        by_path: SecretStr = Field(validation_alias=AliasPath("tokens", 0))

    with FakePinentry(["canary-1"] * 3) as pinentry, sandbox(pinentry):
        with pytest.raises(pydantic.ValidationError) as caught:
            Others()  # type: ignore[call-arg]
        assert pinentry.prompts == []
    assert caught.value.error_count() == 3

    class ByName(Sourced):
        model_config = SettingsConfigDict(populate_by_name=True)
        by_path: SecretStr = Field(validation_alias=AliasPath("tokens", 0))

    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        assert ByName().by_path.get_secret_value() == "canary-1"  # type: ignore[call-arg]


def test_an_empty_variable_is_not_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its value would win over ours, so it is an error that names the field and what to do."""

    class Ignoring(Sourced):
        model_config = SettingsConfigDict(env_ignore_empty=True)
        token: SecretStr

    monkeypatch.setenv("APP_TOKEN", "")
    monkeypatch.setenv("APP_DATABASE__PASSWORD", "")
    with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
        with pytest.raises(secretly.Refused, match="the secret token is empty") as caught:
            Small()
        assert "env_ignore_empty=True" in caught.value.hint
        with pytest.raises(secretly.Refused, match=r"the secret database\.password is empty"):
            Nested()
        for empty in ("", SecretStr("")):
            with pytest.raises(secretly.Refused, match="the secret token is empty"):
                Small(token=empty)  # type: ignore[arg-type]
        assert pinentry.prompts == []
        assert Ignoring().token.get_secret_value() == "canary-1"


class Small(Sourced):
    """One secret."""

    token: SecretStr


class Nested(Sourced):
    """One secret in another model."""

    database: Database


def test_where_nobody_can_be_asked_it_is_an_error() -> None:
    """Immediately, with secretly's own error. A stored secret, or one in a variable, is found."""
    with sandbox():
        with pytest.raises(secretly.NotFound, match="app/token"):
            Small()
        asyncio.run(secretly.remember("app/token", "canary-1"))
        assert Small().token.get_secret_value() == "canary-1"
    with FakePinentry([None]) as pinentry, sandbox(pinentry), pytest.raises(secretly.Cancelled):
        Small()


def test_in_an_event_loop_the_hint_says_what_to_do() -> None:
    """Settings that need nothing can be made there."""

    async def main() -> None:
        Small(token="canary-given")  # type: ignore[arg-type]
        Small()

    with sandbox():
        with pytest.raises(secretly.SecretlyError, match=r"Small\(\) can't wait here") as caught:
            asyncio.run(main())
        assert "asyncio.to_thread(Small)" in caught.value.hint


def test_a_model_hides_a_secret() -> None:
    """In its repr, in JSON, in what is dumped and in errors."""

    class Model(BaseModel):
        own: secretly.Secret
        number: int = 0

    model = Model.model_validate_json('{"own": "canary-1"}')
    assert type(model.own) is secretly.Secret
    assert str(model.own) == "canary-1"
    assert json.loads(model.model_dump_json()) == {"own": "**********", "number": 0}
    assert json.loads(Model(own=secretly.Secret("")).model_dump_json())["own"] == ""
    assert repr(model.model_dump()["own"]) == "Secret('…')"
    with pytest.raises(pydantic.ValidationError) as caught:
        Model(own=secretly.Secret("canary-1"), number="x")  # type: ignore[arg-type]
    assert "canary" not in f"{model!r} {model} {model.model_copy()!r} {caught.value}"
    assert Model.model_json_schema()["properties"]["own"]["type"] == "string"


def test_without_pydantic_settings_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is an ImportError, as programs expect."""
    monkeypatch.setitem(sys.modules, "pydantic_settings", None)
    monkeypatch.delitem(sys.modules, "secretly.settings")
    with pytest.raises(ImportError, match=r"pip install 'secretly\[settings\]'"):
        importlib.import_module("secretly.settings")


# -- the recipes -------------------------------------------------------------------


def test_the_recipe_for_flask_works() -> None:
    """A session is signed with the secret, which no page or repr shows."""
    need_package("flask")
    with FakePinentry(["canary-key"]) as pinentry, sandbox(pinentry):
        create_app = runpy.run_path(str(EXAMPLES / "with_flask.py"))["create_app"]
        client = create_app().test_client()
        assert [client.get("/").text for _ in range(2)] == ["visit 1", "visit 2"]
        again = create_app()
        assert len(pinentry.prompts) == 1
    assert again.secret_key == "canary-key"
    assert "canary" not in repr(again.config)


@pytest.mark.outside
def test_the_recipe_for_django_works() -> None:
    """What is signed can be read again; the page for errors shows no secret."""
    need_package("django")
    source = f"""
        import os, sys
        from secretly.testing import FakePinentry, sandbox
        sys.path.insert(0, {str(EXAMPLES)!r})
        os.environ["DJANGO_SETTINGS_MODULE"] = "with_django"
        with FakePinentry(["canary-key", "canary-password"]) as pinentry, sandbox(pinentry):
            from django.conf import settings
            from django.core import signing
            from django.views.debug import get_exception_reporter_filter
            assert signing.loads(signing.dumps("greeting")) == "greeting"
            assert settings.DATABASES["default"]["PASSWORD"] == "canary-password"
            assert len(pinentry.prompts) == 2
        shown = repr(get_exception_reporter_filter(None).get_safe_settings())
        print("mysite" in shown, "canary" in shown, "canary" in repr(settings.SECRET_KEY))
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert (done.stdout, done.stderr) == ("True False False\n", "")
