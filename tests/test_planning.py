"""The plan of a run as a table: it needs no file and no process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from secretly.config.invocation import Invocation
from secretly.config.model import Command, Profile
from secretly.errors import BadReference, Refused
from secretly.reference import Reference
from secretly.resolving.request import SecretRequest
from secretly.running.delivery import Environment
from secretly.running.derived import Composed, UsernameOf
from secretly.running.env_file import EnvFile
from secretly.running.planning import DeliveryPlan, PlanInput, plan_delivery

#: A known command with one of everything.
TOOL = Command(
    "tool",
    subcommands=("upload",),
    secrets={"TOKEN": "Tool"},
    username="USER",
    alternatives=("OTHER",),
    removes=("OLD",),
    blanks=("FILE",),
    env={"MODE": "row"},
)

#: A command that takes two secrets, with no user name.
PAIR = Command("pair", secrets={"ID": "Pair#username", "KEY": "Pair"})

#: A command to which the user's own table has added a secret.
MORE = TOOL._replace(secrets={"TOKEN": "Tool", "MORE": "Other"})

#: A publishing tool, whose variables are named after the index.
PUBLISHER = Command(
    "publisher",
    subcommands=("upload",),
    secrets={"TOKEN_{REPOSITORY}": ""},
    username="USER_{REPOSITORY}",
    publishes=True,
    seal_keyring=True,
)


class Index(NamedTuple):
    """What a plan needs of an upload."""

    secret: str = "TestPyPI"
    knows_username: bool = False

    def variable(self, name: str) -> str:
        """A variable as it is named for this index."""
        return name.replace("{REPOSITORY}", "TEST")

    def secrets(self, configured: Mapping[str, str]) -> Mapping[str, str]:
        """The variables as they are named for this index."""
        return {self.variable(name): reference for name, reference in configured.items()}

    def steers(self, name: str) -> bool:
        """Whether a variable steers the upload."""
        return name == "RES_OPTIONS"

    def has_secret(self, variable: str) -> bool:
        """Whether a token takes the place of the secret."""
        return False


class Case(NamedTuple):
    """A row of the table: what was asked for, and what is planned."""

    name: str
    row: Command | None = TOOL
    arguments: tuple[str, ...] = ("upload",)
    explicit: Mapping[str, str] = {}
    profile: Profile | None = None
    plain: Mapping[str, str] = {}
    references: Mapping[str, str] = {}
    inherited: frozenset[str] = frozenset()
    index: Any = None
    # -- planned
    secrets: Mapping[str, str] = {}
    users: tuple[str, ...] = ()
    sets: Mapping[str, str] = {"MODE": "row"}
    blanked: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


STALE = {"blanked": ("FILE",), "removed": ("OTHER", "OLD")}
OWN = {"secrets": {"TOKEN": "Tool"}, "users": ("USER",), **STALE}


def profile(env: Mapping[str, str] = {}, **secrets: str) -> Profile:
    """A profile with these plain variables and secrets."""
    return Profile(env, secrets)


CASES = [
    # The command's own secret.
    Case("the row's own secret", **OWN),
    Case("no secret for another subcommand", arguments=("check",), sets={}),
    Case("an inherited one is used", inherited=frozenset({"TOKEN"})),
    Case("an inherited alternative is used", inherited=frozenset({"OTHER"})),
    Case("an inherited user name changes no plan", inherited=frozenset({"USER", "OLD"}), **OWN),
    Case("a command that is not known", row=None, explicit={"A": "Name"},
         secrets={"A": "Name"}, sets={}),
    Case("each secret of a pair", row=PAIR, secrets={"ID": "Pair#username", "KEY": "Pair"},
         sets={}),
    Case("the missing one of a pair", row=PAIR, inherited=frozenset({"ID"}),
         secrets={"KEY": "Pair"}, sets={}),
    Case("the user name is the first secret's", row=MORE,
         **{**OWN, "secrets": {"TOKEN": "Tool", "MORE": "Other"}}),
    Case("an inherited first secret gets no user name of another", row=MORE,
         inherited=frozenset({"TOKEN"}), secrets={"MORE": "Other"}, **STALE),
    Case("-e keeps the user name's place", row=MORE, explicit={"MORE": "Mine", "TOKEN": "Me"},
         **{**OWN, "secrets": {"TOKEN": "Me", "MORE": "Mine"}}),
    # An env file's empty variable is not a secret. Its user name counts.
    Case("an empty variable of an env file", plain={"TOKEN": ""},
         **{**OWN, "sets": {"MODE": "row", "TOKEN": ""}}),
    Case("an empty alternative of an env file", plain={"OTHER": ""}, **OWN),
    Case("an env file's empty variable over an inherited one", plain={"OTHER": ""},
         inherited=frozenset({"OTHER"}), **OWN),
    Case("an env file's empty user name", plain={"USER": ""},
         **{**OWN, "users": (), "sets": {"MODE": "row", "USER": ""}}),
    # -e takes precedence over everything.
    Case("-e over the row", explicit={"TOKEN": "Mine"}, **{**OWN, "secrets": {"TOKEN": "Mine"}}),
    Case("-e over an inherited one", explicit={"TOKEN": "Mine"}, inherited=frozenset({"TOKEN"}),
         **{**OWN, "secrets": {"TOKEN": "Mine"}}),
    Case("-e over a profile's secret", explicit={"TOKEN": "Mine"}, profile=profile(TOKEN="Work"),
         **{**OWN, "secrets": {"TOKEN": "Mine"}}),
    Case("-e over an env file", explicit={"TOKEN": "Mine"}, references={"TOKEN": "env://FILE"},
         **{**OWN, "secrets": {"TOKEN": "Mine"}}),
    Case("-e for a user name", explicit={"USER": "Me"},
         secrets={"TOKEN": "Tool", "USER": "Me"}, **STALE),
    Case("-e for an alternative", explicit={"OTHER": "Mine"}, inherited=frozenset({"TOKEN"}),
         secrets={"OTHER": "Mine"}, removed=("TOKEN", "OLD")),
    Case("-e for an alternative and the usual one", explicit={"OTHER": "A", "TOKEN": "B"},
         secrets={"OTHER": "A", "TOKEN": "B"}, users=("USER",), blanked=("FILE",),
         removed=("OLD",)),
    Case("-e for a call that needs nothing", arguments=("check",), explicit={"TOKEN": "Mine"},
         secrets={"TOKEN": "Mine"}, sets={}),
    # A profile.
    Case("a profile's secret over the row", profile=profile(TOKEN="Work"),
         **{**OWN, "secrets": {"TOKEN": "Work"}}),
    Case("a profile's secret over an inherited one", profile=profile(TOKEN="Work"),
         inherited=frozenset({"TOKEN"}), **{**OWN, "secrets": {"TOKEN": "Work"}}),
    Case("a profile's secret over its plain variable", profile=profile({"TOKEN": "x"}, TOKEN="W"),
         **{**OWN, "secrets": {"TOKEN": "W"}, "sets": {"MODE": "row", "TOKEN": "x"}}),
    Case("a profile's secret over an env file", profile=profile(TOKEN="Work"),
         references={"TOKEN": "env://FILE"}, **{**OWN, "secrets": {"TOKEN": "Work"}}),
    Case("a profile's plain variable in place of the secret", profile=profile({"TOKEN": ""}),
         sets={"MODE": "row", "TOKEN": ""}, **STALE),
    Case("a profile's plain variable over the row's", profile=profile({"MODE": "mine"}),
         **OWN, sets={"MODE": "mine"}),
    Case("a profile's plain user name", profile=profile({"USER": "ada"}),
         secrets={"TOKEN": "Tool"}, sets={"MODE": "row", "USER": "ada"}, **STALE),
    Case("a profile's plain alternative", profile=profile({"OTHER": "x"}),
         sets={"MODE": "row", "OTHER": "x"}, removed=("TOKEN", "OLD")),
    Case("a profile's secrets need a call that needs one", arguments=("check",),
         profile=profile({"A": "x"}, TOKEN="Work"), sets={"A": "x"}),
    # Env files.
    Case("an env file's reference over the row", references={"TOKEN": "env://FILE"},
         **{**OWN, "secrets": {"TOKEN": "env://FILE"}}),
    Case("an env file's reference over an inherited one", references={"TOKEN": "env://FILE"},
         inherited=frozenset({"TOKEN"}), **{**OWN, "secrets": {"TOKEN": "env://FILE"}}),
    Case("a profile's plain variable over an env file's reference", profile=profile({"A": "x"}),
         references={"A": "env://FILE"}, **OWN, sets={"MODE": "row", "A": "x"}),
    Case("an env file's plain value in place of the secret", plain={"TOKEN": "x"},
         sets={"MODE": "row", "TOKEN": "x"}, **STALE),
    Case("an env file's plain value over the row's", plain={"MODE": "file"}, **OWN,
         sets={"MODE": "file"}),
    Case("a profile over an env file", plain={"MODE": "file"}, profile=profile({"MODE": "mine"}),
         **OWN, sets={"MODE": "mine"}),
    Case("an env file's value for what is else blanked", plain={"FILE": "x"},
         **{**OWN, "blanked": ()}, sets={"MODE": "row", "FILE": "x"}),
    Case("an env file counts for a call that needs nothing", arguments=("check",),
         plain={"A": "x"}, references={"B": "env://FILE"}, secrets={"B": "env://FILE"},
         sets={"A": "x"}),
    # References in texts.
    Case("braces in an env file", plain={"URL": "db://app:{{ op://V/db/password | url }}@host"},
         **{**OWN, "secrets": {"TOKEN": "Tool", "URL": "db://app:<op://V/db/password>@host"}}),
    Case("braces with -e", row=None, explicit={"A": "Bearer {{ secretly://Name }}"},
         secrets={"A": "Bearer <Name>"}, sets={}),
    Case("braces in a profile", profile=profile(TOKEN="{{ env://A }}-{{ env://B }}"),
         **{**OWN, "users": (), "secrets": {"TOKEN": "<env://A>-<env://B>"}}),
    Case("a user name is of the one secret in a text", profile=profile(TOKEN="x {{ env://A }}"),
         **{**OWN, "secrets": {"TOKEN": "x <env://A>"}}),
    Case("a reference in a profile's plain variable", profile=profile({"A": "op://V/$APP_ENV"}),
         **{**OWN, "secrets": {"TOKEN": "Tool", "A": "op://V/dev"}}),
    Case("a reference in the row's own plain variable", arguments=("check",),
         row=TOOL._replace(env={"A": "op://V/I"}), sets={}),
    Case("the same, for a call that needs a secret", row=TOOL._replace(env={"A": "op://V/I"}),
         **{**OWN, "secrets": {"TOKEN": "Tool", "A": "op://V/I"}, "sets": {}}),
    Case("a plain text over a reference", profile=profile({"A": "x"}),
         row=TOOL._replace(env={"A": "op://V/I"}), **OWN, sets={"A": "x"}),
    Case("the variable's own name", row=None, plain={"A": "secretly://"}, secrets={"A": "A"},
         sets={}),
    Case("the variable's own name with -e", row=None, explicit={"A": "secretly://"},
         secrets={"A": "A"}, sets={}),
    # A publishing tool.
    Case("the index names variables and secret", row=PUBLISHER, index=Index(),
         secrets={"TOKEN_TEST": "TestPyPI"}, users=("USER_TEST",), sets={}),
    Case("the index names a profile's variables", row=PUBLISHER, index=Index(),
         profile=profile(**{"TOKEN_{REPOSITORY}": "Work"}),
         secrets={"TOKEN_TEST": "Work"}, users=("USER_TEST",), sets={}),
    Case("the inherited variable of this index", row=PUBLISHER, index=Index(),
         inherited=frozenset({"TOKEN_TEST"}), sets={}),
]  # fmt: skip


def shown(value: SecretRequest | UsernameOf | Composed) -> str:
    """A value, with its references as they are written."""
    if isinstance(value, Composed):
        return "".join(
            part if isinstance(part, str) else f"<{part.request.reference}>" for part in value.parts
        )
    return str((value.request if isinstance(value, UsernameOf) else value).reference)


def planned(case: Case, **more: Any) -> DeliveryPlan:
    """The plan for a row of the table."""
    invocation = Invocation(case.row, case.arguments) if case.row else None
    filed = case.plain or case.references
    given = PlanInput(
        "/bin/tool",
        ["tool", *case.arguments],
        SecretRequest(Reference("", "")),
        invocation=invocation,
        profile=case.profile,
        explicit={Environment(name): text for name, text in case.explicit.items()},
        env_file=EnvFile({**case.plain, **case.references}) if filed else None,
        environ={"APP_ENV": "dev"},
        inherited=case.inherited,
        upload=case.index,
    )
    return plan_delivery(given._replace(**more))


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (Case("the command's own secret"), ""),
        (Case("it is inherited", inherited=frozenset({"TOKEN"})), "TOKEN is set already"),
        (Case("another one is", inherited=frozenset({"OTHER"})), "OTHER is set already"),
        (Case("a file has it", plain={"TOKEN": "x"}), "TOKEN is set already"),
        (Case("-e", explicit={"TOKEN": "N"}, inherited=frozenset({"TOKEN", "OTHER"})), ""),
        (Case("-e for the other", explicit={"OTHER": "N"}, inherited=frozenset({"TOKEN"})), ""),
        (Case("-e for more", explicit={"X": "N"}, inherited=frozenset({"TOKEN"})),
         "TOKEN is set already"),
        (Case("an unknown command", row=None, inherited=frozenset({"TOKEN"})), ""),
    ],
)  # fmt: skip
def test_the_plan_says_why_a_command_gets_no_secret(case: Case, why: str) -> None:
    """One of its own variables has a text, and nothing takes its place."""
    assert planned(case).why_none == why


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_row_of_the_table_is_planned(case: Case) -> None:
    """Who decides about a variable, and what is removed so that no stale one wins."""
    plan = planned(case)
    secrets = [one for one in plan.deliveries if not isinstance(one.value, UsernameOf)]
    users = [one for one in plan.deliveries if isinstance(one.value, UsernameOf)]
    assert {one.by: shown(one.value) for one in secrets} == {
        Environment(name): text for name, text in case.secrets.items()
    }
    assert tuple(one.by.describe() for one in users) == case.users
    assert {name: one.value for name, one in plan.plain.items()} == case.sets
    assert plan.blanked == case.blanked
    assert plan.removed == case.removed


def test_a_user_name_is_of_the_secret_before_it() -> None:
    """Both values come from the same request, so that it is obtained once."""
    secret, user = planned(CASES[0]).deliveries
    assert user.value == UsernameOf(secret.requests[0])


def test_only_a_row_and_a_profile_try_the_projects_secret_first() -> None:
    """``PyPI/demo`` before ``PyPI``: but what ``-e`` names is meant, and so is a source."""
    case = Case("", row=PUBLISHER, index=Index())
    assert [one.by_project for one in planned(case).deliveries] == [True, True]
    explicit = case._replace(explicit={"TOKEN_TEST": "PyPI"})
    assert not any(one.by_project for one in planned(explicit).deliveries)
    sourced = case._replace(profile=profile(**{"TOKEN_{REPOSITORY}": "op://Vault/PyPI"}))
    assert not any(one.by_project for one in planned(sourced).deliveries)


def test_a_command_that_publishes_does_so_with_any_subcommand() -> None:
    """``npm run release`` may: its secrets are confirmed. Only known calls get a sealed keyring."""
    case = Case("", row=PUBLISHER, arguments=("run",), explicit={"A": "Name"})
    plan = planned(case)
    assert (plan.publishes, plan.seal_keyring) == (True, False)
    known = planned(Case("", row=PUBLISHER, index=Index()))
    assert (known.publishes, known.seal_keyring) == (True, True)


@pytest.mark.parametrize("text", ["", "#field", "command://x"])
def test_an_invalid_reference_gives_no_plan(text: str) -> None:
    """It fails before anything is looked at."""
    with pytest.raises(BadReference):
        planned(Case("", explicit={"A": text}))


@pytest.mark.parametrize(
    ("name", "row", "refused"),
    [
        *((name, TOOL, True) for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")),
        *((name, TOOL, True) for name in ("DYLD_INSERT_LIBRARIES", "BASH_ENV", "bash_env")),
        *((name, TOOL, False) for name in ("PATH", "PYTHONPATH", "NODE_OPTIONS", "ENV")),
        *((name, PUBLISHER, True) for name in ("PATH", "PYTHONPATH", "PYTHONSTARTUP", "PERL5LIB")),
        *((name, PUBLISHER, False) for name in ("ENV", "CERTAIN", "AFRICA_INFO")),
        ("SSL_CERT_FILE", TOOL, False),
        *((name, PUBLISHER, True) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")),
        *((name, PUBLISHER, True) for name in ("CURL_CA_BUNDLE", "TWINE_CERT")),
        *((name, PUBLISHER, True) for name in ("UV_INSECURE_HOST", "PDM_PUBLISH_CA_CERTS")),
        *((name, PUBLISHER, True) for name in ("POETRY_CERTIFICATES_PYPI_CERT", "npm_config_ca")),
        *((name, PUBLISHER, True) for name in ("npm_config_cafile", "NPM_CONFIG_CAFILE")),
        *((name, PUBLISHER, True) for name in ("npm_config_strict_ssl", "NODE_EXTRA_CA_CERTS")),
        ("NODE_TLS_REJECT_UNAUTHORIZED", PUBLISHER, True),
        ("CARGO_HTTP_CAINFO", PUBLISHER, True),
    ],
)
def test_an_env_file_must_not_change_which_program_gets_the_secret(
    name: str, row: Command, refused: bool
) -> None:
    """Nor, for an upload, whom it trusts. Without a secret it may set what it likes."""
    index = Index() if row.publishes else None
    case = Case("", row=row, plain={name: "x"}, index=index)
    if refused:
        with pytest.raises(Refused, match=name):
            planned(case)
    else:
        assert name in planned(case).plain
    assert name in planned(case._replace(arguments=("check",))).plain


def test_the_launch_has_what_is_planned_and_no_value_in_its_repr() -> None:
    """Env files may have secrets as plain values."""
    plan = planned(Case("", plain={"A": "canary-1"}))
    assert plan.launch.environ == {"FILE": "", "MODE": "row", "A": "canary-1"}
    assert plan.launch.removes == ("OTHER", "OLD")
    assert "canary" not in f"{plan!r} {plan.launch!r}"


def test_a_replaced_reference_keeps_its_place_in_the_order_of_prompts() -> None:
    """``-e`` and a profile replace what a row has; new variables come after the row's."""
    row = Command("two", secrets={"A": "X", "B": "Y"})

    def order(**more: Any) -> list[str]:
        common = SecretRequest(Reference("", ""))
        given = PlanInput("/bin/two", ["two"], common, Invocation(row, ()), **more)
        return [name for one in plan_delivery(given).deliveries for name in one.by.variables]

    replaced = {Environment("Q"): "New9", Environment("B"): "New8"}
    assert order(explicit=replaced) == ["A", "B", "Q"]
    assert order(profile=profile(B="New1", A="New2", D="New3")) == ["A", "B", "D"]


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        *((name, True) for name in ("TWINE_REPOSITORY_URL", "UV_PUBLISH_URL", "SSL_CERT_FILE")),
        *((name, True) for name in ("REQUESTS_CA_BUNDLE", "TWINE_CERT", "https_proxy", "HOME")),
        *((name, True) for name in ("XDG_CONFIG_HOME", "CARGO_HTTP_PROXY", "npm_config_registry")),
        *(
            (name, True)
            for name in (
                "RES_OPTIONS",
                "UV_NO_CONFIG",
                "POETRY_CERTIFICATES_X_CERT",
                "OPENSSL_CONF",
            )
        ),
        *((name, False) for name in ("TOKEN_TEST", "MY_KEY", "UV_INDEX_CORP_PASSWORD", "HOMES")),
        *((name, False) for name in ("CARGO_REGISTRIES_CORP_TOKEN", "API_TOKEN", "USER_TEST")),
    ],
)
def test_an_upload_is_not_steered_by_a_reference(name: str, refused: bool) -> None:
    """The dialog couldn't show the value of such a variable. A credential steers nothing."""
    for given in ({"plain": {name: "op://V/I"}}, {"explicit": {name: "{{ op://V/I }}"}}):
        case = Case("", row=PUBLISHER, index=Index(), **given)
        if refused:
            with pytest.raises(Refused, match=name) as caught:
                planned(case)
            assert "plain value" in caught.value.hint
        else:
            assert name in {one.by.describe() for one in planned(case).deliveries}
        other = case._replace(arguments=("check",))  # it publishes nothing
        assert name in {one.by.describe() for one in planned(other).deliveries}


def test_an_upload_that_is_configured_as_none_is_not_steered_either() -> None:
    """If the dialog shows an upload, the same is refused under ``publishes = false``."""
    quiet = PUBLISHER._replace(publishes=False)
    case = Case("", row=quiet, index=Index(), plain={"TWINE_REPOSITORY_URL": "op://V/I"})
    with pytest.raises(Refused, match="TWINE_REPOSITORY_URL"):
        planned(case)


INHERITED = {
    "TOKEN": "op://V/Token",
    "OLD": "op://V/Old",
    "MODE": "op://V/Mode",
    "MINE": "op://V/Mine",
    "PLAIN": "env://A {{ file:///b }}",
    "BASH_FUNC_x%%": "() {  op read op://V/I\n}",
}


def test_inherited_references_are_resolved_in_their_places() -> None:
    """``--resolve-env`` resolves inherited references, and higher layers still take precedence."""
    inherited: dict[str, Any] = {"inherited": frozenset(INHERITED), "environ": INHERITED}
    case = Case("", explicit={"MINE": "Mine"})

    def found(**more: Any) -> dict[str, str]:
        return {
            one.by.describe(): shown(one.value)
            for one in planned(case, **inherited, **more).deliveries
        }

    assert found(resolve_env=True) == {
        "MINE": "Mine",
        "TOKEN": "op://V/Token",
        "USER": "op://V/Token",
        "OLD": "op://V/Old",
    }
    assert found(literal=frozenset({"TOKEN"})) == {"MINE": "Mine"}
    assert found(resolve_env=True, literal=frozenset({"OLD", "TOKEN"})) == {"MINE": "Mine"}
    own = planned(Case("", explicit={"TOKEN": "Mine"}), **inherited, resolve_env=True)
    assert {one.by.describe() for one in own.deliveries} == {"TOKEN", "USER", "MINE"}
    assert "OLD" in own.removed


def test_an_inherited_reference_that_cannot_be_resolved_is_refused() -> None:
    """``--resolve-env`` refuses a reference that it can't resolve, instead of passing it on."""
    environ = {"A": "x op://V/I"}
    with pytest.raises(BadReference, match="A in the environment"):
        planned(Case("", row=None), environ=environ, resolve_env=True)
    assert planned(Case("", row=None), environ=environ).deliveries == ()


def test_an_inherited_reference_of_another_store_is_refused() -> None:
    """A command never gets such a reference in its own variable, with or without the option."""
    for more in ({"resolve_env": True}, {}):
        environ: dict[str, Any] = {"environ": {"TOKEN": "akeyless://1"}, "inherited": {"TOKEN"}}
        with pytest.raises((Refused, BadReference), match="TOKEN in the environment") as caught:
            planned(Case(""), **environ, **more)
        assert "--literal TOKEN" in caught.value.hint


@pytest.mark.parametrize("name", ["TOKEN", "OTHER"])
def test_a_command_does_not_get_a_reference_in_its_own_variable(name: str) -> None:
    """Without one of two options, the command would use the reference as its secret."""
    environ = {name: "op://V/I", "X": "op://V/I"}
    inherited: dict[str, Any] = {"environ": environ, "inherited": frozenset(environ)}
    with pytest.raises(Refused, match=name) as caught:
        planned(Case(""), **inherited)
    assert "--resolve-env" in caught.value.hint
    assert planned(Case(""), **inherited, literal=frozenset({name})).deliveries == ()
    found, *others = planned(Case(""), **inherited, resolve_env=True).deliveries
    assert (found.by, shown(found.value)) == (Environment(name), "op://V/I")
    # The user name belongs to the secret, as with secrets from elsewhere.
    own = [Environment("USER")] if name == "TOKEN" else []
    assert [one.by for one in others] == [*own, Environment("X")]
    assert planned(Case("", arguments=("check",)), **inherited).deliveries == ()
    own = planned(Case("", explicit={"TOKEN": "Mine"}), **inherited)
    assert [shown(one.value) for one in own.deliveries] == ["Mine", "Mine"]


@pytest.mark.parametrize("text", ["env://TOK", "file:///secret", "Bearer {{ env://TOK }}"])
def test_a_command_does_not_get_a_reference_of_any_kind_in_its_own_variable(text: str) -> None:
    """The command's own variable may not even hold ``env://``. Other variables may."""
    environ = {"TOKEN": text, "X": text}
    inherited: dict[str, Any] = {"environ": environ, "inherited": frozenset(environ)}
    with pytest.raises(Refused, match="TOKEN"):
        planned(Case(""), **inherited)
    resolved = planned(Case(""), **inherited, resolve_env=True).deliveries
    assert "TOKEN" in {one.by.describe() for one in resolved}
    assert "X" not in {one.by.describe() for one in resolved}


def test_a_dollar_outside_of_braces_is_the_texts_own() -> None:
    """A dollar is special only inside braces, where it takes a variable from the environment."""
    case = Case("", row=None, plain={"X": "db://{{ op://V/p }}@${APP_ENV}/d", "APP_ENV": "test"})
    assert planned(case).deliveries
    case = Case("", row=None, plain={"X": "{{ op://${APP_ENV}/p }}", "APP_ENV": "test"})
    with pytest.raises(BadReference, match="APP_ENV"):
        planned(case)


def test_an_inherited_user_name_is_resolved_as_well() -> None:
    """An inherited reference to a user name takes precedence over the secret's own user name."""
    environ = {"USER": "op://V/I/username"}
    inherited: dict[str, Any] = {"environ": environ, "inherited": frozenset(environ)}
    with pytest.raises(Refused, match="USER"):
        planned(Case(""), **inherited)
    *_, last = planned(Case(""), **inherited, resolve_env=True).deliveries
    assert (last.by, shown(last.value)) == (Environment("USER"), "op://V/I/username")
