"""How secretly reads a call of npm: the packages, the registry, and how it is held to that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import npms
import pytest
from agreement import cases
from toolcalls import Calls, root_fixture

from secretly.asking import upload_wording
from secretly.errors import Refused
from secretly.publishing.parsers import npmrc
from secretly.publishing.steering import check_variables
from secretly.publishing.upload import Upload

__all__ = ["root_fixture"]

OWN = npms.REGISTRY
CORP, OTHER = "https://corp.example:8443/npm/", "https://other.example/"

DEMO = {"name": "demo", "version": "1.0.0"}
SCOPED = {"name": "@sc/demo", "version": "1.0.0"}


@pytest.fixture(name="calls")
def _calls(root: Path) -> Calls:
    calls = Calls("npm", root)
    calls.write({"package.json": json.dumps(DEMO)})
    return calls


def look(
    calls: Calls,
    line: str,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    version: str = "11.19.1",
) -> Upload:
    """Look at a call of this version of npm, after writing some files."""
    path = calls.root / f"npm-{version}" / "bin"
    if not path.exists():
        npms.install(calls.root, version)
    return calls.upload(line, {"PATH": str(path), **(environ or {})}, files)


def package(**more: object) -> dict[str, str]:
    """The manifest of the project's folder."""
    return {"package.json": json.dumps({**DEMO, **more})}


# -- the registry ------------------------------------------------------------------

#: A command line, files, variables, and the registry.
FOUND: list[tuple[str, Mapping[str, str], Mapping[str, str], str]] = [
    ("publish", {}, {}, OWN),
    ("publ", {}, {}, OWN),
    (f"publish --registry={CORP}", {}, {}, CORP),
    (f"publish --registry {CORP[:-1]}", {}, {}, CORP),
    (f"publish -reg={CORP}", {}, {}, CORP),
    (f"publish -registry {CORP} --tag next", {}, {}, CORP),
    (f"--regis {CORP} publish", {}, {}, CORP),
    (f"publish --registry={OTHER} --registry={CORP}", {}, {}, CORP),
    ("publish --registry=", {}, {}, OWN),
    (f"publish --registry= --tag=x --registry {CORP}", {}, {}, CORP),
    ("publish --registry=https://CORP.example:443/a", {}, {}, "https://corp.example/a/"),
    ("publish --registry=http://corp.example:80", {}, {}, "http://corp.example/"),
    ("publish --registry=http://127.0.0.1:8080", {}, {}, "http://127.0.0.1:8080/"),
    ("publish --registry=http://[::1]:8080", {}, {}, "http://[::1]:8080/"),
    ("publish", {".npmrc": f"registry={CORP}"}, {}, CORP),
    ("publish", {".npmrc": f"registry = '{CORP}'\n"}, {}, CORP),
    ("publish", {".npmrc": f"; x\r\n\"registry\"={CORP} ; x\n"}, {}, CORP),
    ("publish", {"~/.npmrc": f"registry={CORP}"}, {}, CORP),
    ("publish", {"~/.npmrc": "registry=https://${WHERE}/"}, {"WHERE": "a.example"},
     "https://a.example/"),
    ("publish", {".npmrc": f"registry={CORP}", "~/.npmrc": f"registry={OTHER}"}, {}, CORP),
    ("publish", {".npmrc": f"registry={OTHER}"}, {"npm_config_registry": CORP}, CORP),
    ("publish", {}, {"NPM_CONFIG_REGISTRY": CORP}, CORP),
    ("publish", {}, {"NPM_CONFIG_REGISTRY": ""}, OWN),
    ("publish", {"~/own": f"registry={CORP}"}, {"NPM_CONFIG_USERCONFIG": "{home}/own"}, CORP),
    ("publish --userconfig ../home/own", {"~/own": f"registry={CORP}"}, {}, CORP),
    ("publish", package(publishConfig={"registry": CORP}), {"npm_config_registry": OTHER}, CORP),
    (f"publish --registry={OTHER}", package(publishConfig={"registry": CORP}), {}, OTHER),
    # A scope's registry beats all others.
    (f"publish --registry={OTHER}", {"package.json": json.dumps(SCOPED),
                                      ".npmrc": f"@sc:registry={CORP}"}, {}, CORP),
    (f"publish --@sc:registry={CORP} --registry={OTHER}",
     {"package.json": json.dumps(SCOPED)}, {}, CORP),
    ("publish", {".npmrc": f"@sc:registry={CORP}"}, {}, OWN),
    ("publish --scope=@sc", {".npmrc": f"@sc:registry={CORP}"}, {}, CORP),
    ("publish", {"package.json": json.dumps({**SCOPED, "publishConfig": {"@sc:registry": CORP}})},
     {"npm_config_@sc:registry": OTHER}, CORP),
    ("publish", {"package.json": json.dumps(SCOPED)}, {"npm_config_@sc:registry": CORP}, CORP),
    # Another folder.
    ("publish ./sub", {"sub/package.json": json.dumps({**DEMO, "publishConfig": {
        "registry": CORP}})}, {}, CORP),
    ("publish sub/", {"sub/package.json": json.dumps(
        {**DEMO, "publishConfig": {"registry": CORP}})}, {}, CORP),
    ("publish sub/one/two", {"sub/one/two/package.json": json.dumps(
        {**DEMO, "publishConfig": {"registry": CORP}})}, {}, CORP),
    ("publish --prefix ../home", {"~/.npmrc": f"registry={CORP}"}, {}, CORP),
    # Other subcommands.
    ("deprecate @sc/demo@<2 old", {".npmrc": f"@sc:registry={CORP}"}, {}, CORP),
    ("owner add ada demo", {"~/.npmrc": f"registry={CORP}"}, {}, CORP),
    ("dist-tag add demo@1.0.0 next", package(publishConfig={"registry": CORP}), {}, OWN),
    ("unpublish demo@1.0.0", {"package.json": json.dumps(SCOPED)}, {}, OWN),
    ("unpublish demo@0.9.0", package(publishConfig={"registry": CORP}), {}, CORP),
    ("unpublish other@0.9.0", package(publishConfig={"registry": CORP}), {}, OWN),
    ("whoami", {"~/.npmrc": f"registry={CORP}"}, {}, CORP),
]  # fmt: skip


@pytest.mark.parametrize(("line", "files", "environ", "url"), FOUND)
def test_the_registry_is_the_one_that_npm_chooses(
    calls: Calls, line: str, files: Mapping[str, str], environ: Mapping[str, str], url: str
) -> None:
    """And the secret is that registry's own: npm's own has the secret ``npm``."""
    upload = look(calls, line, files, environ)
    assert upload.destination.url == url
    host = url.partition("//")[2].partition("/")[0]
    assert upload.secret == ("npm" if url == OWN else host)
    assert upload.secrets({"NPM_TOKEN": "npm"}) == {"NPM_TOKEN": "npm" if url == OWN else ""}


def test_a_secret_that_you_configured_stays_where_you_chose_the_registry(calls: Calls) -> None:
    """A registry that the project chose gets its own."""
    mine, own = {"NPM_TOKEN": "work"}, {".npmrc": f"registry={CORP}"}
    assert look(calls, "publish").secrets(mine) == mine
    assert look(calls, f"publish --registry={CORP}").secrets(mine) == mine
    assert look(calls, "publish", own).secrets(mine) == {"NPM_TOKEN": ""}


def test_an_env_file_chooses_a_registry_as_the_project_does(calls: Calls) -> None:
    """Your own variable is yours."""
    found, mine = look(calls, "publish", None, {"npm_config_registry": CORP}), {"NPM_TOKEN": "work"}
    assert found.secrets(mine) == mine
    call = found._call
    origins = {"npm_config_registry": "an env file"}
    again = type(call)(call.invocation, call.environ, origins=origins)
    assert (again.destination.url, again.secrets(mine)) == (CORP, {"NPM_TOKEN": ""})


@pytest.mark.parametrize(
    ("host", "given"), [("registry.example/", True), ("other.example/", False)]
)
def test_a_token_in_the_call_counts_for_its_own_registry(
    calls: Calls, host: str, given: bool
) -> None:
    """One for another host leaves this registry without a token."""
    assert bool(look(calls, f"publish --//{host}:_authToken=canary-1").given_by) is given


@pytest.mark.parametrize("line", ["publish", "publish --registry HTTP://NPM"])
def test_a_host_called_npm_does_not_get_the_secret_of_npm(calls: Calls, line: str) -> None:
    """Its own secret has the port in its name."""
    upload = look(calls, line, {".npmrc": "registry=http://npm/"})
    assert (upload.destination.url, upload.secret) == ("http://npm/", "npm:80")
    assert upload.secrets({"NPM_TOKEN": "npm"}) == {"NPM_TOKEN": ""}


@pytest.mark.parametrize(
    ("short", "action"),
    [
        ("publis", "publish: demo 1.0.0"),
        ("unpub demo@1.0.0", "unpublish: demo 1.0.0"),
        ("dep demo old", "deprecate: demo"),
        ("undep demo", "undeprecate: demo"),
        ("own add ada demo", "owner add ada: demo"),
        ("autho rm ada demo", "owner rm ada: demo"),
        ("distTag add demo@1.0.0 next", "dist-tag add next: demo 1.0.0"),
        ("stag publish", "stage: demo 1.0.0"),
        ("tok revoke x", "npm token revoke x"),
        ("whoam", "npm whoami"),
    ],
)
def test_a_command_may_be_cut_short(calls: Calls, short: str, action: str) -> None:
    """As npm takes it. A call that is about no package shows its words alone."""
    upload = look(calls, short)
    assert not upload.why_needs_none
    assert upload.release.consent("/bin/npm", ["npm"]).text("").splitlines()[0] == action


@pytest.mark.parametrize("line", ["own ls", "distTag", "unpubl --dry-run", "help publish"])
def test_a_call_that_changes_nothing_gets_no_secret(calls: Calls, line: str) -> None:
    """However it is written."""
    assert look(calls, line).why_needs_none


@pytest.mark.parametrize(
    ("files", "environ", "place"),
    [
        ({}, {}, ""),
        ({".npmrc": f"registry={CORP}"}, {}, "project/.npmrc"),
        ({"~/.npmrc": f"registry={CORP}"}, {}, "home/.npmrc"),
        ({}, {"NPM_CONFIG_REGISTRY": CORP}, "npm_config_registry"),
        (package(publishConfig={"registry": CORP}), {}, "publishConfig in package.json"),
    ],
)
def test_the_prompt_says_what_chose_the_registry(
    calls: Calls, files: Mapping[str, str], environ: Mapping[str, str], place: str
) -> None:
    """The file or the variable."""
    release = look(calls, "publish", files, environ).release
    notes = [note for note in release.notes() if "npm pack" not in note]
    assert len(notes) == bool(place)
    assert place in "".join(notes)


# -- what is refused ---------------------------------------------------------------

EVIL = "https://evil.example/"

REFUSED: list[tuple[str, Mapping[str, str], Mapping[str, str], str]] = [
    # The command line.
    ("publish --unknown", {}, {}, "--unknown"),
    ("publish --t next", {}, {}, "--t"),
    ("publish --tag", {}, {}, "--tag"),
    ("publish --tag --json", {}, {}, "--tag"),
    ("publish --tag=", {}, {}, "--tag"),
    ("publish --tag=-x", {}, {}, "--tag"),
    ("publish --tag false", {}, {}, "--tag"),
    ("publish --json=no", {}, {}, "--json"),
    ("publish --json null", {}, {}, "--json"),
    ("publish --no-no-json", {}, {}, "--no-no-json"),
    ("publish --no-registry", {}, {}, "--no-registry"),
    ("publish --color always", {}, {}, "--color"),
    ("publish -fw demo", {}, {}, "-fw"),
    ("publish --registry '${WHERE}'", {}, {"WHERE": EVIL}, "--registry"),
    ("publish --@sc:registry https://a.example/", {}, {}, "--@sc:registry"),
    ("publish . ./sub", {}, {}, "./sub"),
    ("publish sub", {"sub/package.json": json.dumps(DEMO)}, {}, "sub"),
    ("publish demo@1.0.0", {}, {}, "demo@1.0.0"),
    ("publish ada/demo", {}, {}, "ada/demo"),
    ("publish dist/x.tgz", {"dist/x.tgz": ""}, {}, "dist/x.tgz"),
    ("publish a@b/c/d", {}, {}, "a@b/c/d"),
    ("publish a:b/c/d", {}, {}, "a:b/c/d"),
    ("publish https://evil.example/x.tgz", {}, {}, "evil.example"),
    ("publish git+ssh://evil.example/x.tgz", {}, {}, "evil.example"),
    ("publish file:sub", {}, {}, "file:sub"),
    ("publish x.tar", {}, {}, "x.tar"),
    ("publish missing.tgz", {}, {}, "missing.tgz"),
    ("publish ./missing", {}, {}, "missing"),
    ("publish --registry=x", {}, {}, "no host"),
    ("publish --registry=https://ada@corp.example/", {}, {}, "corp.example"),
    ("publish --registry=https://corp.example/a/../b", {}, {}, "a/../b"),
    # npm writes these hosts as addresses, and then finds no token for them.
    ("publish --registry=https://127.1/", {}, {}, "127.1"),
    ("publish --registry=https://corp.0x7f/", {}, {}, "corp.0x7f"),
    ("publish --registry=https://[0::1]/", {}, {}, "0::1"),
    ("publish --registry=https://corp.example/?x", {}, {}, "?x"),
    ("owner add ada", {"sub/x": ""}, {"npm_config_workspaces": "true"}, "owner"),
    ("dist-tag rm", {}, {}, "needs a package"),
    ("deprecate", {}, {}, "deprecate"),
    ("deprecate git+ssh://x/demo old", {}, {}, "git+ssh"),
    # The project's settings.
    ("publish", {".npmrc": f"https-proxy={EVIL}"}, {}, "https-proxy"),
    ("publish", {".npmrc": "cafile=x.pem"}, {}, "cafile"),
    ("publish", {".npmrc": "strict-ssl=false"}, {}, "strict-ssl"),
    ("publish", {".npmrc": "userconfig=evil"}, {}, "userconfig"),
    ("publish", {".npmrc": "globalconfig=evil"}, {}, "globalconfig"),
    ("publish", {".npmrc": "prefix=evil"}, {}, "prefix"),
    ("publish", {".npmrc": "script-shell=./evil"}, {}, "script-shell"),
    ("publish", {".npmrc": "node-options=--require ./evil"}, {}, "node-options"),
    ("publish", {".npmrc": "browser=./evil"}, {}, "browser"),
    ("publish", {".npmrc": "user-agent=x${NPM_TOKEN}"}, {}, "user-agent"),
    ("publish", {".npmrc": "registry=https://${NPM_TOKEN}.evil.example/"}, {}, "registry"),
    ("publish", {".npmrc": "some=${NPM_TOKEN}"}, {}, "some"),
    ("publish", {".npmrc": "//evil/${NPM_TOKEN}:_authToken=x"}, {}, "_authToken"),
    ("publish", {".npmrc": f"{OWN[6:]}:certfile=x"}, {}, "certfile"),
    ("publish", {".npmrc": "[registry]\nx=1"}, {}, "line 1"),
    ("publish", {".npmrc": "dry-run=true"}, {}, "dry-run"),
    ("publish", package(publishConfig={f"{OWN[6:]}:_authToken": "x"}), {}, "_authToken"),
    ("publish", package(publishConfig={"proxy": EVIL}), {}, "proxy"),
    ("publish", package(publishConfig={"strict-ssl": False}), {}, "strict-ssl"),
    ("publish", package(publishConfig={"scope": "@sc"}), {}, "scope"),
    ("publish", package(publishConfig={"registry": 7}), {}, "registry"),
    ("publish", package(publishConfig={"x@y:registry": EVIL}), {}, "x@y:registry"),
    ("publish", package(publishConfig=[]), {}, "publishConfig"),
    ("publish", package(name="a b"), {}, "name"),
    ("publish", package(version="one"), {}, "version"),
    ("publish", package(private=True), {}, "private"),
    ("publish", {"package.json": "{"}, {}, "package.json"),
    ("unpublish demo@1.0.0", package(publishConfig={"proxy": EVIL}), {}, "proxy"),
    # Variables.
    ("publish", {}, {"npm_config_registry": CORP, "NPM_CONFIG_REGISTRY": OTHER}, "registry"),
    ("publish", {}, {"npm_config_workspaces": "1", "NPM_CONFIG_WORKSPACES": "0"}, "workspaces"),
    # A list is a flag that is on, whatever is in it.
    ("publish", {".npmrc": "workspaces[]=false"}, {}, "line 1"),
]


@pytest.mark.parametrize(("line", "files", "environ", "word"), REFUSED)
def test_what_secretly_cant_know_is_refused(
    calls: Calls, line: str, files: Mapping[str, str], environ: Mapping[str, str], word: str
) -> None:
    """The error names the word or the setting, and says what to do."""
    upload = look(calls, line, files, environ)
    with pytest.raises(Refused) as caught:
        _ = upload.why_needs_none, upload.release, upload.pin
    assert word in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("place", [".npmrc", "~/.npmrc"])
def test_a_credential_that_npm_would_prefer_is_refused(calls: Calls, place: str) -> None:
    """npm takes the one for the longest path. One for the registry itself doesn't count."""
    for where in ("corp.example:8443/npm/demo", "corp.example:8443/npm/x/"):
        upload = look(calls, f"publish --registry={CORP}", {place: f"//{where}:_authToken=x"})
        with pytest.raises(Refused, match="prefer"):
            _ = upload.pin
    for where in ("corp.example:8443/npm/", "corp.example:8443/", "other.example/npm/x/"):
        upload = look(calls, f"publish --registry={CORP}", {place: f"//{where}:_authToken=x"})
        assert upload.pin


@pytest.mark.parametrize("version", ["9.9.4", "8.19.4", "13.0.0"])
def test_a_version_that_cant_be_held_to_a_registry_is_refused(calls: Calls, version: str) -> None:
    """The error names the version."""
    with pytest.raises(Refused, match=version):
        _ = look(calls, "publish", version=version).destination


@pytest.mark.parametrize("version", ["10.9.9", "11.19.1", "12.2.2"])
def test_the_versions_that_secretly_knows(calls: Calls, version: str) -> None:
    """Options beat ``publishConfig`` in them."""
    assert look(calls, "publish", version=version).destination.url == OWN


def test_what_is_not_npms_own_program_is_refused(calls: Calls) -> None:
    """Such as the starter of a version manager: it may start any npm."""
    path = calls.root / "shims"
    path.mkdir()
    (path / "npm").write_text("#!/bin/sh\n")
    (path / "npm").chmod(0o755)
    with pytest.raises(Refused, match="not npm's own program"):
        _ = calls.upload("publish", {"PATH": str(path)}).destination
    with pytest.raises(Refused, match="not npm's own program"):
        _ = calls.upload("publish", {"PATH": "/nowhere"}).destination


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("package.json", '{"name": "npx", "version": "11.0.0"}', "not npm's own program"),
        ("package.json", '{"name": "npm", "version": "v11"}', "not npm's own program"),
        ("package.json", '{"name": "npm"}', "not npm's own program"),
        ("package.json", "[", "not npm's own program"),
        ("package.json", '{"name": "npm", "version": "9.9.9"}', "can't hold npm 9.9.9"),
        (npms.DEFINITIONS, "registry: new Definition('x',", "registry npm has built in"),
        (npms.DEFINITIONS, "\xff", "registry npm has built in"),
    ],
)
def test_an_npm_that_is_built_differently_is_refused(
    calls: Calls, file: str, text: str, said: str
) -> None:
    """secretly reads which npm it is, and its registry, from the installed files."""
    npms.install(calls.root)
    (calls.root / "npm-11.19.1" / file).write_text(text, "latin-1")
    with pytest.raises(Refused, match=said):
        _ = look(calls, "publish").destination


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("npm_config_registry", False),
        ("NPM_CONFIG_LOGLEVEL", False),
        ("npm_config_@sc:registry", False),
        ("NODE_ENV", False),
        ("npm_config_https_proxy", True),
        ("Npm_Config_Userconfig", True),
        ("npm_config_//corp.example/:_authToken", True),
        ("NODE_OPTIONS", True),
        ("NODE_EXTRA_CA_CERTS", True),
        ("BROWSER", True),
        ("TESTING_TAR_FAKE_PLATFORM", True),
        ("__FAKE_PLATFORM__", True),
        ("COREPACK_HOME", True),
        ("PREFIX", True),
        ("HOME", True),
    ],
)
def test_an_env_file_may_only_name_the_registry(calls: Calls, name: str, refused: bool) -> None:
    """Any other variable of npm's that isn't known as harmless is refused there."""
    call = look(calls, "publish", environ={name: "x"} if refused else {})._call
    call.origins = {name: "an env file"}
    if not refused:
        check_variables(call)
        return
    with pytest.raises(Refused, match="an env file"):
        check_variables(call)


@pytest.mark.parametrize("name", ["NPM_TOKEN", "NODE_AUTH_TOKEN"])
def test_a_secret_that_you_set_yourself_is_used_as_it_is(calls: Calls, name: str) -> None:
    """With any npm, and whatever the project says: secretly claims nothing then."""
    files = {".npmrc": "strict-ssl=false\n"}
    upload = look(calls, "publish", files, {name: "canary-1"}, version="8.19.4")
    assert upload.why_needs_none == upload.given_by == upload.identity == ""
    assert [*upload.secrets({"NPM_TOKEN": "npm"})] == ["NPM_TOKEN"]


# -- what is harmless --------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("publish --access public --tag next --provenance", {}),
        ("publish --no-fund --workspaces=false", {}),
        ("publish --json false --color=always -s -dd", {}),
        ("publish -- .", {}),
        ("publish", {".npmrc": "save-exact=true\nfund=false\naccess=public\ntag=next\n"}),
        ("publish", {".npmrc": "shamefully-hoist=true\n; a comment\nstrict-ssl=true\n"}),
        ("publish", {".npmrc": "//evil.example/:_authToken=${NPM_TOKEN}\n"}),
        ("publish", {".npmrc": f"{OWN[6:]}:_authToken=${{NPM_TOKEN}}\n"}),
        ("publish", {"~/.npmrc": f"{OWN[6:]}:_authToken=${{NPM_TOKEN}}\nprefix=~/.local\n"}),
        ("publish", package(publishConfig={"access": "public", "tag": "x", "directory": "d"})),
        ("publish", package(publishConfig={"main": "x.js", "exports": {}})),
    ],
)
def test_what_changes_neither_the_way_nor_the_registry_is_accepted(
    calls: Calls, line: str, files: Mapping[str, str]
) -> None:
    """A token that belongs to another registry is never sent."""
    upload = look(calls, line, files)
    assert upload.destination.url == OWN
    assert upload.pin
    assert upload.release.releases == [("demo", "1.0.0")]


# -- whether a secret is needed ----------------------------------------------------


@pytest.mark.parametrize(
    ("line", "files", "environ", "needs_none"),
    [
        ("publish --dry-run", {}, {}, True),
        ("publish --dry", {}, {}, True),
        ("publish --dry-run true", {}, {}, True),
        ("publish --dry-run false", {}, {}, False),
        ("publish --no-dry-run", {}, {"npm_config_dry_run": "true"}, False),
        ("publish", {}, {"NPM_CONFIG_DRY_RUN": "true"}, True),
        ("publish", {"~/.npmrc": "dry-run=true"}, {}, True),
        ("publish -n", {}, {}, False),
        ("publish --help", {}, {}, True),
        ("deprecate demo old --dry-run", {}, {}, True),
        ("unpublish demo@1.0.0 --dry-run", {}, {}, True),
        ("owner add ada demo --dry-run", {}, {}, False),
        ("dist-tag add demo@1.0.0 x --dry-run", {}, {}, False),
        ("owner ls demo", {}, {}, True),
        ("owner list", {}, {}, True),
        ("dist-tag ls", {}, {}, True),
        ("dist-tag demo", {}, {}, True),
        ("dist-tags rm demo x", {}, {}, False),
        ("author rm ada demo", {}, {}, False),
    ],
)
def test_what_sends_nothing_needs_no_secret(
    calls: Calls, line: str, files: Mapping[str, str], environ: Mapping[str, str], needs_none: bool
) -> None:
    """``npm owner`` and ``npm dist-tag`` know no dry run: they change the registry all the same."""
    assert bool(look(calls, line, files, environ).why_needs_none) is needs_none


@pytest.mark.parametrize(("version", "needs_none"), [("10.9.9", False), ("11.19.1", True)])
def test_npm_10_knows_no_dry_run_of_a_deprecation(
    calls: Calls, version: str, needs_none: bool
) -> None:
    """It sends it in any case."""
    assert (
        bool(look(calls, "deprecate demo old --dry-run", version=version).why_needs_none)
        is needs_none
    )


def test_the_credential_may_be_in_the_call(calls: Calls) -> None:
    """It is used as it is, and not shown."""
    upload = look(calls, f"publish --{OWN[6:]}:_authToken=canary-1 --otp 123456")
    assert upload.given_by == f"--{OWN[6:]}:_authToken"
    shown = " ".join(upload.masked(["npm", *upload.arguments]))
    assert "canary" not in shown
    assert "123456" not in shown


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://id.example/",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-1",
}


@pytest.mark.parametrize(
    ("line", "environ", "version", "used"),
    [
        ("publish", GITHUB, "11.19.1", True),
        ("publish", GITHUB, "10.9.9", False),
        ("publish", {"GITHUB_ACTIONS": "true"}, "11.19.1", False),
        ("publish", {"GITLAB_CI": "true", "NPM_ID_TOKEN": "canary-1"}, "11.19.1", True),
        ("publish", {"NPM_ID_TOKEN": "canary-1"}, "11.19.1", False),
        ("deprecate demo old", GITHUB, "11.19.1", False),
    ],
)
def test_npm_uses_a_cis_identity(
    calls: Calls, line: str, environ: Mapping[str, str], version: str, used: bool
) -> None:
    """From version 11 on. The pin takes the identity away, but not from a provenance."""
    upload = look(calls, line, {}, environ, version)
    assert bool(upload.identity) is used
    removes = upload.pin.removes
    assert ("NPM_ID_TOKEN" in removes) is (line == "publish" and version != "10.9.9")
    assert look(calls, f"{line} --provenance", {}, environ, version).pin.removes == ()
    wanted = package(publishConfig={"provenance": True})
    assert look(calls, line, wanted, environ, version).pin.removes == ()
    assert look(calls, f"{line} --no-provenance", wanted, environ, version).pin.removes == removes


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("a = 'b;c' ; d", {"a": "'b"}),
        ("a = 'b;c'", {"a": "b;c"}),
        ('a = "b\\tc"', {"a": "b\tc"}),
        ("a = '1'\nb = 'true'", {"a": "1", "b": "true"}),
        ("a = '\"b\"'", {"a": "b"}),
        ("a = b\\;c\\#d ; e", {"a": "b;c#d"}),
        ("a = b\\c", {"a": "b\\c"}),
        ("a = b\\", {"a": "b\\"}),
        ("a[] = 1\na[] = 2\n\nb", {"a": "1\n\n2", "b": "true"}),
    ],
)
def test_settings_are_read_as_npm_reads_them(text: str, settings: Mapping[str, str]) -> None:
    """Quotes, escapes, comments and lists, as npm's parser takes them."""
    assert npmrc.read(text) == settings


@pytest.mark.parametrize("text", ["[a]\nb=1", "=a", 'a = "\\q"', "a = \x1b"])
def test_settings_that_programs_read_differently_are_refused(text: str) -> None:
    """With the number of the line, and without what is in it."""
    with pytest.raises(npmrc.Unreadable, match="its line 1 "):
        npmrc.read(text)


# -- what is published -------------------------------------------------------------

MONOREPO = {
    "package.json": json.dumps(
        {**DEMO, "private": True, "workspaces": ["packages/*", "!packages/x"]}
    ),
    "packages/one/package.json": json.dumps({"name": "one", "version": "1.0.0"}),
    "packages/two/package.json": json.dumps({"name": "@sc/two", "version": "2.0.0"}),
    "packages/no/package.json": json.dumps({"name": "no", "version": "1.0.0", "private": True}),
    "packages/x/package.json": json.dumps({"name": "x", "version": "1.0.0"}),
}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("publish -w one", ["one"]),
        ("publish -w=packages/two", ["@sc/two"]),
        ("publish --workspace ./packages/one -w @sc/two", ["@sc/two", "one"]),
        ("publish --workspaces", ["@sc/two", "one"]),
        ("publish -ws --access public", ["@sc/two", "one"]),
        ("publish -w packages", ["@sc/two", "one"]),
        ("publish ./packages/x", ["x"]),
        ("publish -w one --include-workspace-root", ["one"]),
    ],
)
def test_the_workspaces_that_are_published(calls: Calls, line: str, names: list[str]) -> None:
    """Private ones are left out, as npm does it."""
    found = look(calls, line, MONOREPO).release.releases
    assert [name for name, _ in found] == names


@pytest.mark.parametrize("value", ["=", "=1", " = yes", "=off", "=TRUE", "=NULL", "=00.5", ""])
def test_a_flag_is_on_with_almost_any_value(calls: Calls, value: str) -> None:
    """npm takes even ``off`` and nothing for *on*: then it publishes the workspaces."""
    found = look(calls, "publish", {**MONOREPO, ".npmrc": f"workspaces{value}\n"})
    assert found.release.releases == [("@sc/two", "2.0.0"), ("one", "1.0.0")]


@pytest.mark.parametrize("value", ["false", "null", "undefined", "0", "-0.0", "0e5", "0x0"])
def test_a_flag_is_off_with_few_values(calls: Calls, value: str) -> None:
    """In a variable as well. An empty variable is none."""
    files = {**MONOREPO, **package(workspaces=["packages/*"])}
    found = look(calls, "publish", {**files, ".npmrc": f"workspaces={value}\n"})
    assert found.release.releases == [("demo", "1.0.0")]
    for text, on in ((value, False), ("", False), ("1", True)):
        found = look(calls, "publish", files, {"npm_config_workspaces": text})
        assert (found.release.releases != [("demo", "1.0.0")]) is on
        (calls.project / ".npmrc").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("line", "names"),
    [("publish", ["one"]), ("publish -ws", ["one"]), ("publish -ws -w @sc/two", ["@sc/two"])],
)
def test_in_a_workspace_npm_publishes_that_one(calls: Calls, line: str, names: list[str]) -> None:
    """Unless another one is named. ``--workspaces`` names none."""
    look(calls, line, MONOREPO)
    case = calls.case(line, {"PATH": str(calls.root / "npm-11.19.1/bin")})
    case = case._replace(folder="project/packages/one")
    upload = cases.upload("npm", case, calls.root, calls.known)
    assert [name for name, _ in upload.release.releases] == names


def test_a_workspace_has_the_settings_of_its_root(calls: Calls) -> None:
    """npm reads no ``.npmrc`` of its own, but such a file may not be there to deceive."""
    files = {**MONOREPO, ".npmrc": f"registry={CORP}", "packages/one/.npmrc": f"registry={EVIL}"}
    look(calls, "publish", files)
    case = calls.case("publish", {"PATH": str(calls.root / "npm-11.19.1/bin")})
    upload = cases.upload(
        "npm", case._replace(folder="project/packages/one"), calls.root, calls.known
    )
    assert upload.destination.url == CORP
    assert upload.release.releases == [("one", "1.0.0")]


def test_packages_for_different_registries_are_published_one_after_another(calls: Calls) -> None:
    """One prompt shows one registry."""
    other = {"name": "@sc/two", "version": "2.0.0", "publishConfig": {"registry": CORP}}
    files = {**MONOREPO, "packages/two/package.json": json.dumps(other)}
    with pytest.raises(Refused, match="different registries") as caught:
        _ = look(calls, "publish --workspaces", files).destination
    assert "corp.example" in str(caught.value)


def test_an_unknown_workspace_is_refused(calls: Calls) -> None:
    """By the name that was typed. So is a pattern that programs read differently."""
    with pytest.raises(Refused, match="missing"):
        _ = look(calls, "publish -w missing", MONOREPO).destination
    with pytest.raises(Refused, match="no private workspace"):
        _ = look(calls, "publish -w no", MONOREPO).destination
    odd = {"package.json": json.dumps({**DEMO, "workspaces": ["packages/{one,two}"]})}
    with pytest.raises(Refused, match="workspaces"):
        _ = look(calls, "publish --workspaces", odd).destination


def test_a_tarball_is_published_without_the_projects_code(calls: Calls) -> None:
    """Its manifest counts, and none of the folder."""
    scripts = {"prepack": "./evil", "test": "true"}
    manifest = {
        **SCOPED,
        "version": "v2.0.0",
        "scripts": scripts,
        "publishConfig": {"registry": CORP},
    }
    (calls.project / "x.tgz").write_bytes(
        npms.tarball(
            {"package/package.json": json.dumps(manifest), "package/sub/package.json": "{}"}
        )
    )
    for word in ("x.tgz", "./x.tgz"):
        release = look(calls, f"publish {word}").release
        assert release.releases == [("@sc/demo", "2.0.0")]
        assert [file.path for file in release.files] == [word]
        assert release.destination.url == CORP
        assert release.code == ()


@pytest.mark.parametrize(
    "files",
    [
        {"package/index.js": ""},
        {"package/package.json": "{}", "other/package.json": "{}"},
        {"package/PACKAGE.json": json.dumps(DEMO)},
        {"./package/package.json": json.dumps(DEMO)},
        {"package/./package.json": json.dumps(DEMO)},
        {"package/package.json": "[]"},
        {"package/package.json": json.dumps({"name": "demo"})},
    ],
)
def test_a_tarball_that_programs_read_differently_is_refused(
    calls: Calls, files: Mapping[str, str]
) -> None:
    """And one without a name and a version."""
    (calls.project / "x.tgz").write_bytes(npms.tarball(files))
    with pytest.raises(Refused, match=r"x\.tgz|package\.json"):
        _ = look(calls, "publish x.tgz").release


def test_a_damaged_tarball_is_refused(calls: Calls) -> None:
    """Whatever is wrong with it."""
    whole = npms.tarball({"package/package.json": json.dumps(DEMO)})
    for data in (b"", b"x" * 1000, whole[:-20], whole[:30] + b"xxxx" + whole[34:]):
        (calls.project / "x.tgz").write_bytes(data)
        with pytest.raises(Refused, match=r"x\.tgz"):
            _ = look(calls, "publish x.tgz").release


def test_the_code_that_sees_the_token_is_named_with_the_commands_that_avoid_it(
    calls: Calls,
) -> None:
    """npm runs these scripts when it publishes a folder, and others never."""
    scripts = {"prepack": "x", "prepare": "x", "prepublish": "x", "test": "x", "postpack": ""}
    files = package(scripts=scripts)
    release = look(calls, "publish", files).release
    assert release.code == tuple(map(upload_wording.project_script, ("prepack", "prepare")))
    notes = "\n".join(release.notes())
    assert "npm pack, then secretly run npm publish ./demo-1.0.0.tgz" in notes
    assert look(calls, "publish --ignore-scripts", files).release.code == ()
    old = look(calls, "publish --ignore-scripts", files, version="10.9.9").release
    assert old.code == (upload_wording.project_script("prepare"),)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("publish", "publish: demo 1.0.0"),
        ("unpublish demo", "unpublish: demo (all versions)"),
        ("unpublish demo@1.0.0", "unpublish: demo 1.0.0"),
        ("unpublish", "unpublish: demo 1.0.0"),
        ("deprecate demo@<2 old", "deprecate: demo <2"),
        ("owner add ada", "owner add ada: demo"),
        ("author remove ada @sc/demo", "owner rm ada: @sc/demo"),
        ("dist-tag add demo@1.0.0 next", "dist-tag add next: demo 1.0.0"),
        ("dist-tag rm demo next", "dist-tag rm next: demo"),
        ("star demo", "npm star demo: demo"),
        ("whoami", "npm whoami"),
        ("team create @sc:crew", "npm team create @sc:crew"),
    ],
)
def test_the_prompt_says_what_changes(calls: Calls, line: str, shown: str) -> None:
    """The package, and what happens to it."""
    lines = look(calls, line).release.described("")
    assert lines[0].startswith(shown.removesuffix(" 1.0.0"))
    assert lines[:2] == [lines[0], "to: registry.example (npm)"]


# -- the pin -----------------------------------------------------------------------

TAIL = "--//registry.example/:_authToken=${NPM_TOKEN}${NODE_AUTH_TOKEN}"


@pytest.mark.parametrize(
    ("line", "manifest", "arguments"),
    [
        ("publish", DEMO, f"publish --registry={OWN} {TAIL}"),
        ("pub --tag next .", DEMO, f"pub --tag next . --registry={OWN} {TAIL}"),
        ("publish -- .", DEMO, f"publish --registry={OWN} {TAIL} -- ."),
        (f"publish -reg {OWN} -s", DEMO, f"publish -s --registry={OWN} {TAIL}"),
        (
            f"publish --@sc:registry={OWN}",
            SCOPED,
            f"publish --registry={OWN} --@sc:registry={OWN} {TAIL}",
        ),
        ("publish --scope sc", DEMO,
         f"publish --scope sc --registry={OWN} --@sc:registry={OWN} {TAIL}"),
        (f"publish {TAIL}", DEMO, f"publish --registry={OWN} {TAIL}"),
        ("publish --//corp.example/:_authToken='${NPM_TOKEN?}'", DEMO,
         f"publish --registry={OWN} {TAIL}"),
    ],
)  # fmt: skip
def test_the_call_is_pinned(
    calls: Calls, line: str, manifest: Mapping[str, object], arguments: str
) -> None:
    """The registry and a credential that is bound to it are the last options.

    No argument has the secret: npm replaces the names of the variables. One of them has it.
    """
    pin = look(calls, line, {"package.json": json.dumps(manifest)}).pin
    assert " ".join(pin.arguments) == arguments
    assert pin.environ == {"NPM_TOKEN": "", "NODE_AUTH_TOKEN": ""}


def test_a_pinned_call_goes_where_it_was_shown_whatever_files_say_then(calls: Calls) -> None:
    """Options beat the files, and ``publishConfig``."""
    upload = look(calls, "publish", {**package(), "package.json": json.dumps(SCOPED)})
    shown = upload.destination
    evil = {"registry": EVIL, "@sc:registry": EVIL}
    later = {
        "package.json": json.dumps({**SCOPED, "publishConfig": evil}),
        **dict.fromkeys((".npmrc", "~/.npmrc"), f"registry={EVIL}\n@sc:registry={EVIL}\n"),
    }
    calls.write(later)
    environ = {"PATH": upload._call.environ["PATH"], "npm_config_registry": EVIL}
    again = calls.upload(upload.pin.arguments, environ)
    assert again.destination.url == shown.url
    assert again.pin.arguments == upload.pin.arguments


def test_two_variables_with_a_secret_are_refused(calls: Calls) -> None:
    """npm would get both of them as one."""
    environ = {"NPM_TOKEN": "canary-1", "NODE_AUTH_TOKEN": "canary-2"}
    with pytest.raises(Refused, match="both set"):
        _ = look(calls, "publish", environ=environ).pin


# -- the connection ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "environ", "words"),
    [
        ("https-proxy=http://ada:canary-1@proxy.example:3128", {}, "proxy proxy.example:3128"),
        ("", {"PROXY": "http://proxy.example"}, "proxy proxy.example"),
        ("cafile=/ca.pem", {}, "your own certificates"),
        ("ca[]=x\nca[]=y", {}, "your own certificates"),
        (f"{OWN[6:]}:certfile=/x", {}, "a client certificate"),
        ("strict-ssl=false", {}, "certificates are not checked"),
        ("strict-ssl=0", {}, "certificates are not checked"),
        ("", {"npm_config_strict_ssl": "null"}, "certificates are not checked"),
        ("strict-ssl=1", {}, ""),
        ("proxy=false", {}, ""),
    ],
)
def test_the_users_own_connection_is_shown(
    calls: Calls, text: str, environ: Mapping[str, str], words: str
) -> None:
    """Proxies and certificates."""
    release = look(calls, "publish", {"~/.npmrc": text}, environ).release
    notes = [note for note in release.notes() if "npm pack" not in note]
    assert bool(notes) is bool(words)
    assert words in "".join(notes)
    assert "canary" not in "".join(notes)


def test_the_pin_names_only_the_variable_that_was_chosen(calls: Calls) -> None:
    """What is inherited in the other one is removed before npm starts."""
    call = look(calls, "publish", {}, {"NODE_AUTH_TOKEN": "canary"})._call
    call.chosen = {"NPM_TOKEN"}
    pin = call.pin()
    assert any(word.endswith(":_authToken=${NPM_TOKEN}") for word in pin.arguments)
    assert pin.environ == {"NPM_TOKEN": ""}
    call.chosen = {"NODE_AUTH_TOKEN"}
    assert any(word.endswith(":_authToken=${NODE_AUTH_TOKEN}") for word in call.pin().arguments)
