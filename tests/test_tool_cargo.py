"""Test what secretly sees of calls of cargo, and how it forces the registry on cargo."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import crates
import pytest
import tokens
from agreement import cases
from agreement.cases import Case
from crates import Registry
from toolcalls import Calls, root_fixture

from secretly.asking import upload_wording
from secretly.config.command_line import recognize
from secretly.config.model import Entry
from secretly.errors import Refused
from secretly.publishing.cargo import index
from secretly.publishing.cargo.settings import variable_of
from secretly.publishing.destination import Destination
from secretly.publishing.tools import cargo
from secretly.publishing.upload import Upload
from secretly.redacted import Secret
from secretly.text import READ_LIMIT

__all__ = ["root_fixture"]

DEMO = '[package]\nname = "demo"\nversion = "1.0.0"\n'

#: A workspace with a package in its own folder, one that it lists, and one that this depends on.
WORKSPACE = {
    "Cargo.toml": (
        '[workspace]\nmembers = ["crates/*"]\nexclude = ["crates/apart"]\n'
        '[workspace.package]\nversion = "0.3.0"\npublish = ["corp"]\n'
        '[workspace.dependencies]\ndeep = { path = "deep" }\n' + DEMO
    ),
    "crates/one/Cargo.toml": (
        '[package]\nname = "one"\nversion.workspace = true\npublish = false\n'
        '[target."cfg(unix)".dev-dependencies]\ndeep.workspace = true\n'
    ),
    "crates/two/Cargo.toml": (
        '[package]\nname = "two"\nversion.workspace = true\n'
        '[dependencies]\na = { path = "../apart" }\n'
    ),
    "crates/apart/Cargo.toml": '[package]\nname = "apart"\nversion = "9.0.0"\n',
    "deep/Cargo.toml": '[package]\nname = "deep"\n',
}


@pytest.fixture(name="calls")
def _calls(root: Path) -> Calls:
    """Calls of cargo, in a package's folder."""
    found = Calls("cargo", root)
    found.write({"Cargo.toml": DEMO})
    return found


@pytest.fixture(name="corp", scope="module")
def _corp() -> Iterator[Registry]:
    """A registry on loopback."""
    with crates.registry() as found:
        yield found


def shown(upload: Upload) -> str:
    """The dialog, in long lines."""
    text = upload.release.consent("/bin/cargo", ["cargo", *upload.arguments]).text("x")
    return text.replace("\n> ", "")


def words(error: Refused) -> str:
    """Both lines of an error."""
    return f"{error}\n{error.hint}"


def assert_refused(
    calls: Calls,
    line: str,
    text: str,
    environ: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    """secretly refuses a call: the message has this text, and repeats no secret."""
    with pytest.raises(Refused) as caught:
        upload = calls.upload(line, environ, files)
        _ = upload.why_needs_none, upload.pin, upload.release
    assert text in words(caught.value)
    assert "canary" not in words(caught.value)


# -- the command line ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("publish", "upload: demo 1.0.0"),
        ("+nightly publish -q --locked", "upload: demo 1.0.0"),
        ("-v publish --no-verify -j 2 -F a,b -Fc --target=x", "upload: demo 1.0.0"),
        ("publish -pdemo --manifest-path ./Cargo.toml", "upload: demo 1.0.0"),
        ("yank demo@1.0.0", "yank: demo 1.0.0"),
        ("yank --version 2.0.0", "yank: demo 2.0.0"),
        ("yank other --version=2.0.0 --undo", f"{upload_wording.UNDO_YANK}: other 2.0.0"),
        ("owner --add ada", f"{upload_wording.change_owners('add ada')}: demo"),
        (
            "owner -aada --add=github:x:y -r bob other",
            f"{upload_wording.change_owners('add ada, github:x:y; remove bob')}: other",
        ),
    ],
)
def test_the_dialog_says_what_happens_at_the_registry(
    calls: Calls, line: str, expected: str
) -> None:
    """The public crate registry is shown by its name. The token goes there as it is stored."""
    upload = calls.upload(line)
    assert (upload.why_needs_none, upload.given_by, upload.narrows) == ("", "", False)
    assert upload.destination == Destination("crates-io", "Cargo")
    assert shown(upload).splitlines()[:4] == [
        expected,
        "to: crates-io",
        upload_wording.NOT_LIMITED,
        "program: /bin/cargo",
    ]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("publish --dry-run", "--dry-run"),
        ("publish -n", "--dry-run"),
        ("publish -vn", "--dry-run"),
        ("publish --list", "--list"),
        ("publish -h", "--help"),
        ("owner --list", "--list"),
        ("owner -l demo", "--list"),
        ("+nightly owner --list --registry corp", "--list"),
    ],
)
def test_what_changes_nothing_asks_for_nothing(calls: Calls, line: str, word: str) -> None:
    """No settings file is looked at for it either."""
    calls.write({".cargo/config.toml": "[http]\nproxy = 'x'\n"})
    assert word in calls.upload(line).why_needs_none


@pytest.mark.parametrize("line", ["owner --list --add ada", "owner -l -r ada", "yank demo@1.0.0"])
def test_what_changes_something_is_not_idle(calls: Calls, line: str) -> None:
    """A list that changes the owners before it is printed does."""
    assert calls.upload(line).why_needs_none == ""


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("publish --lst", "unknown option of cargo: --lst"),
        ("publish --all", "unknown option of cargo: --all"),
        ("publish --regis corp", "unknown option of cargo: --regis"),
        ("publish --registry corp --registry corp", "only once: --registry"),
        ("publish --registry", "without its value: --registry"),
        ("publish --registry -q", "without its value: --registry"),
        ("publish demo", "takes no word: demo"),
        ("publish -- demo", "takes no word: demo"),
        ("publish --index sparse+http://a.example/", "--registry NAME"),
        ("publish --registry=", "not a valid name of a registry"),
        ("publish --registry a.b", "not a valid name of a registry"),
        ("publish --registry corp", "no registry named 'corp'"),
        ("publish -p other", "no package other"),
        ("publish -p demo@2", "no package demo@2"),
        ("publish -p file:///x", "which package"),
        ("publish --manifest-path sub", "sub"),
        ("publish --config x", "--config"),
        ("publish --config 'registries.corp.token=\"canary\"'", "takes no token"),
        ("publish --config 'registries.corp.secret-key=\"canary\"'", "takes no token"),
        ("yank demo", "yank demo@VERSION"),
        ("yank demo@1 --version 1", "yank demo@VERSION"),
        ("yank a@1 b@1", "takes one crate: b@1"),
        ("yank 'a b@1'", "not a valid name of a crate"),
        ("owner", "--add LOGIN"),
        ("owner --add ada demo@1", "not a valid name of a crate"),
    ],
)
def test_what_cargo_takes_otherwise_is_refused_and_named(
    calls: Calls, line: str, text: str
) -> None:
    """Most of these stop cargo, too."""
    assert_refused(calls, line, text)


def test_an_empty_variable_is_named(calls: Calls) -> None:
    """cargo takes it for the registry's name, where nothing on the command line says so."""
    text = "CARGO_REGISTRY_DEFAULT has no valid name of a registry: ''"
    assert_refused(calls, "publish", text, {"CARGO_REGISTRY_DEFAULT": ""})


def test_a_token_in_the_call_is_used_as_it_is_and_hidden(calls: Calls) -> None:
    """Nothing is asked, and the option's value is shown nowhere."""
    for line in ("publish --token canary-1", "yank --token=canary-1 --index http://x.example/"):
        upload = calls.upload(line)
        assert upload.given_by == "--token"
        assert upload.secrets({"CARGO_REGISTRY_TOKEN": "Cargo"}) == {
            "CARGO_REGISTRY_TOKEN": "Cargo"
        }
        assert "canary" not in " ".join(upload.masked(upload.arguments))


# -- aliases -------------------------------------------------------------------------

ALIASES = {
    "~/.cargo/config.toml": (
        "[alias]\npub = 'publish --locked'\nrel = ['-q', 'pub', '--no-verify']\nx = 'run'\n"
        "build = 'publish'\nloop = 'loop'\n"
    ),
    ".cargo/config.toml": "[alias]\nmine = 'publish'\ntask = 'run -p task --'\nover = 'pub'\n",
}


@pytest.mark.parametrize(
    ("line", "environ", "expected"),
    [
        ("pub -p demo", {}, "publish --locked -p demo"),
        ("+nightly -v --color never pub", {}, "+nightly -v --color never publish --locked"),
        ("rel --dry-run", {}, "-q publish --locked --no-verify --dry-run"),
        ("out 1.0.0", {"CARGO_ALIAS_OUT": "yank --version"}, "yank --version 1.0.0"),
        # These need no secret, and stay as they were typed.
        ("x -- publish", {}, "x -- publish"),
        ("task publish", {}, "task publish"),
        ("build --release", {}, "build --release"),
        ("loop", {}, "loop"),
        ("unknown --pub", {}, "unknown --pub"),
        ("--unknown pub", {}, "--unknown pub"),
        ("--list", {}, "--list"),
    ],
)
def test_an_alias_of_the_users_stands_for_what_cargo_makes_of_it(
    calls: Calls, line: str, environ: Mapping[str, str], expected: str
) -> None:
    """cargo ignores one for its own commands."""
    calls.write(ALIASES)
    assert " ".join(alias_of(calls, line, environ)) == expected


@pytest.mark.parametrize("line", ["mine", "over --dry-run"])
def test_an_alias_of_the_projects_gets_no_secret(calls: Calls, line: str) -> None:
    """It could hold options that send the token elsewhere."""
    calls.write(ALIASES)
    with pytest.raises(Refused, match="says what cargo"):
        alias_of(calls, line, {})
    calls.write({"~/.cargo/config.toml": "[broken\n", ".cargo/config.toml": ""})
    assert alias_of(calls, line, {}) == tuple(line.split())


def alias_of(calls: Calls, line: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The arguments of a call without its alias."""
    found = recognize(["cargo", *line.split()], calls.known)
    assert found is not None
    return cargo.TOOL(found, {"HOME": str(calls.home), **environ}).without_alias()


# -- the packages --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("publish", "demo 1.0.0"),
        ("publish -p two --registry crates-io", "two 0.3.0"),
        ("publish -p d* --registry crates-io", "deep 0.0.0, demo 1.0.0"),
        ("publish --package two@0.3 -pdeep", "deep 0.0.0, two 0.3.0"),
        ("publish --workspace", "deep 0.0.0, demo 1.0.0, two 0.3.0"),
        # cargo publishes them all, whatever is named.
        ("publish --workspace -p two", "deep 0.0.0, demo 1.0.0, two 0.3.0"),
        ("publish --workspace --exclude d*", "two 0.3.0"),
        ("publish --manifest-path crates/two/Cargo.toml", "two 0.3.0"),
        ("publish --manifest-path crates/apart/Cargo.toml", "apart 9.0.0"),
    ],
)
def test_each_package_of_the_workspace_is_shown(calls: Calls, line: str, expected: str) -> None:
    """Those that may not be published are left out, as cargo does it."""
    upload = calls.upload(line, None, WORKSPACE)
    assert shown(upload).splitlines()[0] == f"upload: {expected}"
    assert upload.release.projects == sorted(one.split()[0] for one in expected.split(", "))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", "deep 0.0.0, two 0.3.0"),
        ('default-members = ["crates/two"]\n', "two 0.3.0"),
        ('default-members = ["crates/t*", "crates/one"]\n', "two 0.3.0"),
    ],
)
def test_a_workspace_without_a_package_of_its_own_has_usual_ones(
    calls: Calls, settings: str, expected: str
) -> None:
    """All of them, or those that it names."""
    root = WORKSPACE["Cargo.toml"].replace(DEMO, "")
    root = root.replace("[workspace]\n", f"[workspace]\n{settings}", 1)
    upload = calls.upload("publish", None, {**WORKSPACE, "Cargo.toml": root})
    assert shown(upload).splitlines()[0] == f"upload: {expected}"


def test_many_packages_are_listed_above_the_dialog(calls: Calls) -> None:
    """The dialog has their number, and the hash of the list."""
    files = {"Cargo.toml": '[workspace]\nmembers = ["c/*"]\n'}
    for number in range(60):
        name = f"a-crate-with-a-long-name-{number:02}"
        files[f"c/{number}/Cargo.toml"] = f'[package]\nname = "{name}"\nversion = "1.0.0"\n'
    release = calls.upload("publish --workspace", None, files).release
    consent = release.consent("/bin/cargo", ["cargo", "publish", "--workspace"])
    assert len(consent.listing) == 60
    assert consent.listing[1] == "a-crate-with-a-long-name-01 1.0.0"
    digest = hashlib.sha256("".join(f"{line}\n" for line in consent.listing).encode()).hexdigest()
    first = upload_wording.upload_line(upload_wording.packages_line(60, digest[:12]))
    assert consent.text("x").splitlines()[0] == first
    assert release.described("x")[-60:] == [*consent.listing]


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        (f"{DEMO}publish = false\n", "publish = false"),
        (f"{DEMO}publish = []\n", "publish = false"),
        (f'{DEMO}publish = ["a", "b"]\n', "--registry NAME"),
        ('[package]\nname = "demo"\nversion.workspace = true\n', "package and its version"),
        ("[package\n", "can't read"),
        ("[lib]\n", "package and its version"),
    ],
)
def test_a_package_that_is_not_known_is_refused(calls: Calls, manifest: str, text: str) -> None:
    """As one is that may not be published."""
    assert_refused(calls, "publish", text, None, {"Cargo.toml": manifest})


def test_another_registry_than_the_package_allows_is_refused(calls: Calls) -> None:
    """cargo would refuse it, too."""
    manifest = {"Cargo.toml": f'{DEMO}publish = ["corp"]\n'}
    assert_refused(calls, "publish --registry crates-io", "--registry corp", None, manifest)
    environ = {"CARGO_REGISTRY_DEFAULT": "crates-io"}
    assert_refused(calls, "publish", "--registry corp", environ, manifest)
    assert calls.upload("yank demo@1.0.0", environ).destination.secret == "Cargo"


# -- the registry ----------------------------------------------------------------------

#: A call, its variables, whether the project or the user has settings, and what chose the registry.
CHOSEN: list[tuple[str, Mapping[str, str], Mapping[str, str], str]] = [
    (
        "publish --registry corp",
        {},
        {"~/.cargo/config.toml": "{corp}"},
        "{home}/.cargo/config.toml",
    ),
    ("publish --registry corp", {}, {".cargo/config.toml": "{corp}"}, ".cargo/config.toml"),
    ("publish --registry corp", {}, {".cargo/config": "{corp}"}, ".cargo/config"),
    (
        "yank demo@1 --registry=corp",
        {"CARGO_REGISTRIES_CORP_INDEX": "{index}"},
        {},
        "CARGO_REGISTRIES_CORP_INDEX",
    ),
    (
        "publish",
        {},
        {".cargo/config.toml": "{corp}[registry]\ndefault = 'corp'\n"},
        ".cargo/config.toml",
    ),
    (
        "publish",
        {"CARGO_REGISTRY_DEFAULT": "corp"},
        {"~/.cargo/config.toml": "{corp}"},
        "CARGO_REGISTRY_DEFAULT",
    ),
    (
        "publish",
        {},
        {"Cargo.toml": f'{DEMO}publish = ["corp"]\n', "~/.cargo/config.toml": "{corp}"},
        "publish in Cargo.toml",
    ),
    ("publish --registry corp --config x.toml", {}, {"x.toml": "{corp}"}, "--config x.toml"),
    (
        "publish --registry corp --config registries.corp.index='\"sparse+http://b.example/\"' "
        "--config x.toml",
        {},
        {"x.toml": "{corp}"},
        "--config x.toml",
    ),
    ("publish --registry corp --config registries.corp.index='\"{index}\"'", {}, {}, "--config"),
    (
        "--config registries.corp.index='\"{index}\"' publish --registry corp",
        {"CARGO_REGISTRIES_CORP_INDEX": "sparse+http://b.example/"},
        {".cargo/config.toml": "[registries.corp]\nindex = 'sparse+http://b.example/'\n"},
        "--config",
    ),
    (
        "publish --registry corp",
        {},
        {
            ".cargo/config.toml": "[registries.corp]\nindex = 'sparse+http://b.example/'\n",
            ".cargo/config": "{corp}",
        },
        ".cargo/config",
    ),
    (
        "publish --registry corp",
        {},
        {"~/.cargo/config.toml": "include = 'more.toml'\n", "~/.cargo/more.toml": "{corp}"},
        "{home}/.cargo/more.toml",
    ),
    (
        "publish --registry corp",
        {"CARGO_HOME": "{home}/own"},
        {"~/own/config.toml": "{corp}"},
        "{home}/own/config.toml",
    ),
]


@pytest.mark.parametrize(("line", "environ", "files", "place"), CHOSEN)
def test_the_dialog_shows_the_registry_and_what_chose_it(
    calls: Calls,
    corp: Registry,
    line: str,
    environ: Mapping[str, str],
    files: Mapping[str, str],
    place: str,
) -> None:
    """Its own secret goes into its own variable. The pinned call goes there, whatever changes."""

    def filled(text: str) -> str:
        text = text.replace("{corp}", corp.settings()).replace("{index}", corp.index)
        return text.replace("{home}", str(calls.home))

    files = {name: filled(text) for name, text in files.items()}
    upload = calls.upload(filled(line), {k: filled(v) for k, v in environ.items()}, files)
    wanted = Destination("corp", "corp", f"http://{corp.host}")
    assert upload.destination == wanted
    assert upload.secrets({"CARGO_REGISTRY_TOKEN": "Cargo"}) == {"CARGO_REGISTRIES_CORP_TOKEN": ""}
    lines = shown(upload).splitlines()
    assert lines[1] == f"to: {corp.host} (corp)"
    assert upload_wording.note_line(upload_wording.chosen_by(filled(place))) in lines
    assert upload.is_named_by_project == (
        not place.startswith(("{home}", "CARGO", "publish")) and place != "--config"
    )
    calls.write({".cargo/config.toml": "[registries.corp]\nindex = 'sparse+http://b.example/'\n"})
    assert calls.pinned(upload).destination == wanted


@pytest.mark.parametrize(
    ("name", "variable"),
    [("my-corp", "CARGO_REGISTRIES_MY_CORP_TOKEN"), ("My_corp", "CARGO_REGISTRIES_MY_CORP_TOKEN")],
)
def test_the_variable_is_named_after_the_registry(
    calls: Calls, corp: Registry, name: str, variable: str
) -> None:
    """Variables of the user's for other things stay, and those of other registries don't."""
    upload = calls.upload(
        f"publish --registry {name}", None, {".cargo/config.toml": corp.settings(name)}
    )
    own = {"CARGO_REGISTRY_TOKEN": "Cargo", variable: "mine", "GITHUB_TOKEN": "GitHub"}
    own["CARGO_REGISTRIES_OTHER_TOKEN"] = "other"
    assert upload.secrets(own) == {variable: "mine", "GITHUB_TOKEN": "GitHub"}
    assert upload.secret == name
    assert variable_of("registries", name, "token") == variable


def test_a_variable_with_the_same_index_names_the_secret(calls: Calls, corp: Registry) -> None:
    """cargo looks the token up by the index, and variables come before the chosen name."""
    files = {".cargo/config.toml": corp.settings("mine")}
    environ = {"CARGO_REGISTRIES_MY_CORP_INDEX": corp.index.rstrip("/")}
    upload = calls.upload("publish --registry mine", environ, files)
    assert list(upload.secrets({})) == ["CARGO_REGISTRIES_MY_CORP_TOKEN"]
    assert (upload.secret, upload.is_named_by_project) == ("my_corp", False)
    assert upload_wording.chosen_by("CARGO_REGISTRIES_MY_CORP_INDEX") in shown(upload)
    environ["CARGO_REGISTRIES_OTHER_INDEX"] = corp.index
    assert_refused(calls, "publish --registry mine", "MY_CORP", environ)


@pytest.mark.parametrize(
    ("index", "name"),
    [("{}.git/", "my_corp"), ("{}", "my_corp"), ("{}//", "mine"), ("{url}", "mine")],
)
def test_a_variable_has_the_same_index_only_if_cargo_says_so(
    calls: Calls, corp: Registry, index: str, name: str
) -> None:
    """``.git`` at the end doesn't matter to cargo, and the kind of index does."""
    own = corp.index.rstrip("/")
    other = index.format(own, url=own.removeprefix("sparse+"))
    environ = {"CARGO_REGISTRIES_MY_CORP_INDEX": other}
    files = {".cargo/config.toml": corp.settings("mine")}
    assert calls.upload("publish --registry mine", environ, files).secret == name


def test_no_variable_for_cargos_own_tests_reaches_it(calls: Calls) -> None:
    """One of them names another host for the public registry. In your own shell it is removed."""
    name = "__CARGO_TEST_CRATES_IO_URL_DO_NOT_USE_THIS"
    found = calls.upload("publish", {name: "sparse+http://evil.example/", "__OTHER": "x"})
    assert found.pin.removes == (name,)


@pytest.mark.parametrize("name", ["corp", "crates-io"])
def test_your_list_for_a_credential_provider_is_replaced_by_a_variable(
    calls: Calls, corp: Registry, name: str
) -> None:
    """cargo refuses an option that has a text where a file has a list."""
    table, variable = "[registry]", "CARGO_REGISTRY_CREDENTIAL_PROVIDER"
    if name == "corp":
        table, variable = corp.settings(), "CARGO_REGISTRIES_CORP_CREDENTIAL_PROVIDER"
    line = f"publish --registry {name}"
    for value, environ in (("['x']", {variable: "cargo:token"}), ("'x'", {})):
        calls.write({"~/.cargo/config.toml": f"{table}\ncredential-provider = {value}\n"})
        pin = calls.upload(line).pin
        assert pin.environ == environ
        assert any("credential-provider" in one for one in pin.arguments) is not bool(environ)


@pytest.mark.parametrize("name", ["Cargo", "npm", "PyPI", "TestPyPI", "GitHub"])
def test_a_registry_of_the_project_gets_no_other_secret(
    calls: Calls, corp: Registry, name: str
) -> None:
    """Its host names its secret, if it is called like another one.

    The secrets of other tools' own registries stay there even if the user chose the name.
    """
    files = {".cargo/config.toml": corp.settings(name)}
    assert calls.upload(f"publish --registry {name}", None, files).secret == corp.host
    if name != "GitHub":
        calls.write({".cargo/config.toml": "", "~/.cargo/config.toml": corp.settings(name)})
        assert calls.upload(f"publish --registry {name}").secret == corp.host


@pytest.mark.parametrize(
    ("config", "status", "note", "url"),
    [
        (
            {"api": "http://api.example:81/v"},
            200,
            "its index is at {host}",
            "http://api.example:81/v",
        ),
        (
            {"api": "http://{host}", "auth-required": True},
            200,
            "its index is at {host}, which gets the token, too",
            "http://{host}",
        ),
        ({"api": "x"}, 401, upload_wording.ASKS_FIRST, "http://{host}/index/"),
        ({"api": "x"}, 403, upload_wording.ASKS_FIRST, "http://{host}/index/"),
        ({"api": "http://api.example/"}, 200, upload_wording.PLAIN_HTTP, "http://api.example/"),
    ],
)
def test_the_index_says_where_uploads_go(
    calls: Calls, config: Mapping[str, object], status: int, note: str, url: str
) -> None:
    """secretly asks it, as cargo does. One that shows it only to users gets the token anyway."""
    with crates.registry() as found:
        texts = {
            k: v.replace("{host}", found.host) if isinstance(v, str) else v
            for k, v in config.items()
        }
        found.config, found.status = texts, status
        files = {".cargo/config.toml": found.settings()}
        upload = calls.upload("publish --registry corp", None, files)
        assert upload.destination.url == url.replace("{host}", found.host)
        assert (
            upload_wording.note_line(note.replace("{host}", found.host))
            in shown(upload).splitlines()
        )


@pytest.mark.parametrize(
    ("config", "status", "text"),
    [
        (None, 200, "doesn't say it"),
        ({}, 200, "doesn't say it"),
        ({"api": None}, 200, "doesn't say it"),
        ({"api": "http://x.example"}, 500, "answers 500"),
        ({"api": "http://x.example"}, 404, "answers 404"),
        ({"api": "ftp://x.example"}, 200, "programs may read"),
        ({"api": "http://[x"}, 200, "has no host"),
    ],
)
def test_an_index_that_does_not_say_it_is_refused(
    calls: Calls, config: Mapping[str, object] | None, status: int, text: str
) -> None:
    """So is one that says what can't be used."""
    with crates.registry() as found:
        found.config, found.status = None if config is None else dict(config), status
        files = {".cargo/config.toml": found.settings()}
        assert_refused(calls, "publish --registry corp", text, None, files)


def test_an_index_that_does_not_answer_is_refused(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a time that is limited, whatever it does. No one listens at the second one."""
    monkeypatch.setattr(index, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], 1):
            text = f"[registries.corp]\nindex = 'sparse+http://127.0.0.1:{port}/'\n"
            start = time.monotonic()
            assert_refused(
                calls,
                "publish --registry corp",
                "doesn't answer",
                None,
                {".cargo/config.toml": text},
            )
            assert time.monotonic() - start < 30


def test_an_index_that_never_ends_its_answer_is_refused(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is for the whole answer, not for each part of it."""
    monkeypatch.setattr(index, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def dribble() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                for _ in range(600):
                    connection.sendall(b"A: b\r\n")
                    time.sleep(0.1)

        threading.Thread(target=dribble, daemon=True).start()
        url = f"sparse+http://127.0.0.1:{server.getsockname()[1]}/"
        start = time.monotonic()
        environ = {"CARGO_REGISTRIES_CORP_INDEX": url}
        assert_refused(calls, "publish --registry corp", "doesn't answer", environ)
        assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nothing that HTTP knows\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * 100_000,
    ],
    ids=["nothing", "noise", "cut off", "a file", "too much"],
)
def test_an_index_that_answers_nonsense_is_refused(
    calls: Calls, capfd: pytest.CaptureFixture[str], said: bytes
) -> None:
    """Without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1000)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"sparse+http://127.0.0.1:{server.getsockname()[1]}/"
        environ = {"CARGO_REGISTRIES_CORP_INDEX": url}
        assert_refused(calls, "publish --registry corp", "its index", environ)
        thread.join()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://git.example/index", "Git repository"),
        ("registry+https://git.example/index", "Git repository"),
        ("file:///srv/index", "Git repository"),
        ("sparse+ftp://a.example/", "programs may read"),
        ("sparse+https://ada:canary@a.example/", "user name"),
        ("sparse+", "has no host"),
    ],
)
def test_an_index_that_secretly_cannot_ask_is_refused(calls: Calls, url: str, text: str) -> None:
    """The message says what to name instead."""
    files = {".cargo/config.toml": f"[registries.corp]\nindex = '{url}'\n"}
    assert_refused(calls, "publish --registry corp", text, None, files)


@pytest.mark.parametrize(
    ("environ", "proxy", "expected"),
    [
        ({}, None, {}),
        ({"http_proxy": "http://p:1"}, None, {"http": "http://p:1"}),
        ({"HTTP_PROXY": "http://p:1"}, None, {}),
        ({"HTTPS_PROXY": "http://p:1"}, None, {"https": "http://p:1"}),
        ({"ALL_PROXY": "http://p:1"}, None, {"http": "http://p:1", "https": "http://p:1"}),
        ({"all_proxy": "http://p:1", "no_proxy": "b.example, .a.example"}, None, {}),
        ({"all_proxy": "http://p:1", "NO_PROXY": "*"}, None, {}),
        ({"http_proxy": "http://p:1"}, "", {}),
        ({"http_proxy": "http://p:1"}, "q:2", {"http": "http://q:2", "https": "http://q:2"}),
    ],
)
def test_the_index_is_asked_through_cargos_proxy(
    environ: Mapping[str, str], proxy: str | None, expected: Mapping[str, str]
) -> None:
    """cargo's own setting counts first, and switches the variables off if it is empty."""
    assert index.proxies("http://x.a.example/", index.Way(environ, proxy)) == expected


# -- what a project may set ------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[term]\nquiet = true\n[net]\ngit-fetch-with-cli = true\nretry = 3\n",
        "[http]\ntimeout = 5\nmultiplexing = false\n[alias]\npublish = 'yank'\n",
        "[build]\ntarget = 'x'\nrustflags = []\n[env]\nA = { value = 'b', force = true }\n",
        "[target.x]\nlinker = 'y'\n[profile.release]\nlto = true\n[doc]\nbrowser = 'x'\n",
        "[source.crates-io]\nreplace-with = 'x'\n[source.x]\ndirectory = 'vendor'\n",
        "[registries.corp]\nindex = 'sparse+http://a.example/'\n",
        "[registries.corp]\ncredential-provider = 'cargo:token'\n",
        "[registry]\nglobal-credential-providers = ['cargo:token']\n",
        "[unstable]\nbuild-std = ['core']\n",
        "",
    ],
)
def test_a_project_may_set_what_changes_nothing(calls: Calls, text: str) -> None:
    """The token of the public crate registry can't go elsewhere."""
    upload = calls.upload("publish", None, {".cargo/config.toml": text})
    assert upload.destination.secret == "Cargo"
    assert "--registry=crates-io" in upload.pin.arguments


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[http]\nproxy = 'http://ada:canary@p'\n", "http.proxy"),
        ("[http]\ncainfo = 'x'\n", "http.cainfo"),
        ("[http]\ncheck-revoke = false\n", "http.check-revoke"),
        ("[http]\nssl-version = 'tlsv1.0'\n", "http.ssl-version"),
        ("[registry]\ncredential-provider = ['x']\n", "registry.credential-provider"),
        ("[registry]\nglobal-credential-providers = ['x']\n", "global-credential-providers"),
        ("[registries.a]\ncredential-provider = 'x'\n", "registries.a.credential-provider"),
        ("[credential-alias]\nx = ['y']\n", "credential-alias"),
        ("[net]\nssh.known-hosts = ['x']\n", "net.ssh"),
        ("[unstable]\ngc = true\n", "unstable.gc"),
        ("include = ['x.toml']\n", "include"),
        ("[new-in-cargo]\nx = 1\n", "new-in-cargo"),
        ("[broken\n", "can't read"),
    ],
)
@pytest.mark.parametrize("name", [".cargo/config.toml", ".cargo/config", "../.cargo/config.toml"])
def test_what_else_a_project_sets_is_refused_and_named(
    calls: Calls, name: str, text: str, key: str
) -> None:
    """The user's own settings may have it."""
    assert_refused(calls, "yank demo@1", key, None, {name: text})
    if text != "[broken\n":
        (calls.project / name).unlink()
        (calls.project / "x.toml").touch()
        upload = calls.upload(
            "yank demo@1", None, {"~/.cargo/config.toml": text.replace("x.toml", "y")}
        )
        assert upload.destination.secret == "Cargo"


def test_the_users_own_proxy_and_certificates_are_shown(calls: Calls) -> None:
    """No password of a proxy is shown. Without a proxy, none can come from elsewhere."""
    none = '--config=http.proxy=""'
    upload = calls.upload("publish")
    assert (upload.release.network, none in upload.pin.arguments) == ((), True)
    text = "[http]\nproxy = 'http://ada:canary@proxy.example:3128'\ncainfo = '/x.pem'\n"
    upload = calls.upload("publish", None, {"~/.cargo/config.toml": text})
    assert upload.release.network == ("proxy proxy.example:3128", upload_wording.OWN_CERTIFICATES)
    assert "canary" not in " ".join(upload.pin.arguments)
    upload = calls.upload("publish", {"CARGO_HTTP_PROXY": ""})
    assert upload.release.network == (upload_wording.OWN_CERTIFICATES,)
    upload = calls.upload("publish", {"https_proxy": "http://p:1"}, {"~/.cargo/config.toml": ""})
    assert (upload.release.network, none in upload.pin.arguments) == (("proxy p:1",), False)
    upload = calls.upload("publish", None, {"~/.gitconfig": "[http]\nproxy = p\n"})
    assert "Git" in upload.release.network[0]
    assert none not in upload.pin.arguments


def test_the_users_own_settings_may_be_above_the_project(calls: Calls) -> None:
    """cargo reads ``~/.cargo`` for a project in the home, wherever ``CARGO_HOME`` is."""
    own = "[http]\nproxy = 'http://p:1'\n"
    calls.write({"~/.cargo/config.toml": own, "~/project/Cargo.toml": DEMO})
    for environ in ({}, {"CARGO_HOME": str(calls.root / "other")}):
        case = Case(("publish",), environ, {}, "home/project")
        upload = cases.upload("cargo", case, calls.root, calls.known)
        assert upload.release.network == ("proxy p:1",)


@pytest.mark.parametrize(
    ("name", "text", "good"),
    [
        ("rust-toolchain.toml", "[toolchain]\nchannel = '1.80'\ncomponents = ['x']\n", True),
        ("rust-toolchain", "nightly-2026-01-01\n", True),
        ("rust-toolchain", "[toolchain]\nchannel = 'stable'\n", True),
        ("rust-toolchain.toml", "[toolchain]\npath = 'x'\n", False),
        ("rust-toolchain", "[toolchain]\npath = 'x'\n", False),
        ("rust-toolchain", "/tmp/x\n", False),
        # What rustup reads, and Python does not: newer TOML, and a large file.
        ("rust-toolchain.toml", "toolchain = {\n path = '\\u002fx',\n}\n", False),
        ("rust-toolchain", 'toolchain = {\n path = "\\u002fx",\n}\n', False),
        ("rust-toolchain.toml", f"[toolchain]\npath = 'x'\n{'#' * READ_LIMIT}\n", False),
        ("../rust-toolchain.toml", "[toolchain]\npath = 'x'\n", False),
    ],
)
def test_a_project_may_choose_a_toolchain_but_not_the_program(
    calls: Calls, name: str, text: str, good: bool
) -> None:
    """A toolchain that the user names takes precedence, so that nothing is refused."""
    calls.write({name: text})
    if good:
        assert calls.upload("publish").destination.secret == "Cargo"
    else:
        assert_refused(calls, "publish", "the program that would run as cargo")
    assert calls.upload("+stable publish").destination.secret == "Cargo"
    assert calls.upload("publish", {"RUSTUP_TOOLCHAIN": "stable"}).destination.secret == "Cargo"


@pytest.mark.parametrize(
    ("name", "steers"),
    [
        ("CARGO_REGISTRY_DEFAULT", True),
        ("CARGO_REGISTRIES_CORP_CREDENTIAL_PROVIDER", True),
        ("CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS", True),
        ("CARGO_HTTP_PROXY", True),
        ("CARGO_HOME", True),
        ("CARGO_BUILD_RUSTC_WRAPPER", True),
        ("RUSTUP_TOOLCHAIN", True),
        ("RUSTC_WRAPPER", True),
        ("__CARGO_TEST_CRATES_IO_URL_DO_NOT_USE_THIS", True),
        ("CARGO_TERM_COLOR", False),
        ("CARGO_NET_GIT_FETCH_WITH_CLI", False),
        ("CARGO_INCREMENTAL", False),
        ("RUST_BACKTRACE", False),
        ("MY_VARIABLE", False),
    ],
)
def test_a_variable_of_an_env_file_may_only_name_the_registry(
    calls: Calls, name: str, steers: bool
) -> None:
    """All others of cargo's and of rustup's are refused, unless they change nothing."""
    assert calls.upload("publish").steers(name) == steers


def test_an_env_file_may_name_the_registry(calls: Calls, corp: Registry) -> None:
    """The user confirms that a secret goes there, as for one that the project names."""
    name = "CARGO_REGISTRIES_CORP_INDEX"
    found = calls.upload("publish --registry corp", {name: corp.index})
    again = type(found._call)(
        found._call.invocation, found._call.environ, origins={name: "an env file"}
    )
    assert again.is_named_by_project()
    assert found.steers(name)


# -- code of the project, and the secret -----------------------------------------------


def test_a_build_that_sees_the_token_is_shown_with_the_way_around_it(calls: Calls) -> None:
    """cargo builds the crate to verify it, with the token in the environment."""
    code = upload_wording.note_line(upload_wording.project_code(upload_wording.CRATE_BUILD))
    safer = upload_wording.note_line(upload_wording.safer(upload_wording.SAFER_CRATE))
    text = shown(calls.upload("publish"))
    assert (code in text, safer in text) == (True, True)
    assert "cargo package, then secretly run cargo publish --no-verify" in safer
    for line in ("publish --no-verify", "yank demo@1.0.0", "owner --add ada"):
        text = shown(calls.upload(line))
        assert (code in text, safer in text) == (False, False)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[build]\nrustc = './x'\n", "build.rustc"),
        ("[build]\nrustc-wrapper = 'x'\n", "build.rustc-wrapper"),
        ("build.rustc-workspace-wrapper = 'x'\n", "build.rustc-workspace-wrapper"),
        ("[env]\nLD_PRELOAD = { value = 'x.so', relative = true }\n", "env.LD_PRELOAD"),
        ("[env]\nRUSTUP_TOOLCHAIN = { value = '/x', force = true }\n", "env.RUSTUP_TOOLCHAIN"),
        ("[env]\nCARGO_WORKSPACE_DIR = '.'\n[build]\njobs = 2\nrustc-wrapper = ''\n", ""),
    ],
)
def test_a_compiler_of_the_project_sees_the_token_without_a_build(
    calls: Calls, text: str, key: str
) -> None:
    """cargo asks it for its version to choose dependencies. Your own is yours."""
    calls.write({".cargo/config.toml": text})
    release = calls.upload("publish --no-verify").release
    runs = upload_wording.run_by_cargo(".cargo/config.toml", key)
    assert release.code == ((runs,) if key else ())
    both = calls.upload("publish").release
    assert len(both.code) == len(release.code) + 1
    assert both.packages is not None
    assert (both.packages.safer == upload_wording.SAFER_CRATE_ELSEWHERE) is bool(key)
    assert ("in a folder without that file" in both.packages.safer) is bool(key)
    assert calls.upload("yank demo@1.0.0").release.code == ()
    calls.write({".cargo/config.toml": "", "~/.cargo/config.toml": text})
    assert calls.upload("publish --no-verify").release.code == ()


def test_nothing_is_added_that_changes_what_is_published(calls: Calls) -> None:
    """The typed words stay, in their order, and only the registry's settings are added."""
    pinned = calls.upload("+nightly publish -q -F a --registry crates-io --allow-dirty").pin
    assert pinned.arguments == (
        *("+nightly", "publish", "-q", "-F", "a", "--allow-dirty", "--registry=crates-io"),
        '--config=registry.credential-provider="cargo:token"',
        '--config=http.proxy=""',
    )
    assert (dict(pinned.environ), pinned.removes) == ({}, ())


def test_settings_before_the_subcommand_are_not_lost(calls: Calls) -> None:
    """cargo ignores them where others follow the subcommand, as the pin's do."""
    pinned = calls.upload("--config term.quiet=true publish").pin.arguments
    assert pinned[:3] == ("publish", "--registry=crates-io", "--config=term.quiet=true")


def test_a_token_of_pypi_does_not_go_to_a_registry_of_crates(calls: Calls) -> None:
    """Any other secret does, as it is."""
    release = calls.upload("publish").release
    with pytest.raises(Refused, match="is a PyPI token"):
        release.inspect(Secret(tokens.TOKEN), Entry("Cargo"))
    secret = Secret("canary-1")
    release.inspect(secret, Entry("Cargo"))
    assert release.narrowed(secret, 0) is secret
