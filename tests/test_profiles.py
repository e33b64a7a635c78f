"""Profiles: the post's ``dev.twine`` and ``prod.twine``, with the real twine.

The one uploads to a real devpi on loopback, the other to an index that checks each token as
PyPI does, with a token from each of the password managers.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tokens
import vaults
from command import SECRETLY, Ended, Home, Watch, ended, files_with, home, quick, wait_until
from conftest import need
from tokens import Warehouse
from vaults import MASTER, TOKEN, Vault

from secretly.asking import wording
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

FILE = "dist/demo-1.0-py3-none-any.whl"


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    """A home, in which the project ``demo`` has a wheel."""
    with quick() as found:
        tokens.wheel(found.folder / "demo" / "dist")
        yield found


@pytest.fixture(name="index")
def _index() -> Iterator[Warehouse]:
    with tokens.warehouse() as found:
        yield found


def configure(
    home: Home,
    dev: str = "http://127.0.0.1:9/root/plus/",
    prod: str = "http://127.0.0.1:9/legacy/",
    source: str = "env://NOT_SET",
    more: str = "",
) -> None:
    """Write the post's two profiles, and the source of the second one's token."""
    home.configure(
        f'[secrets.PyPI]\nsource = "{source}"\n'
        f"[commands.twine]\n{more}\n"
        "[commands.twine.profiles.dev]\n"
        'env = { TWINE_USERNAME = "root", TWINE_PASSWORD = "", '
        f'TWINE_REPOSITORY_URL = "{dev}" }}\n'
        "[commands.twine.profiles.prod]\n"
        f'env = {{ TWINE_USERNAME = "__token__", TWINE_REPOSITORY_URL = "{prod}" }}\n'
        'secrets = { TWINE_PASSWORD = "PyPI" }\n'
    )


def twine(home: Home, *arguments: str, fake: FakePinentry, options: tuple[str, ...] = ()) -> Ended:
    """Run twine through secretly, in the project's folder."""
    argv = ["run", *options, "twine", *arguments]
    return home.run(*argv, environ=fake.environ, cwd=home.folder / "demo")


# -- dev -------------------------------------------------------------------------


class Devpi(NamedTuple):
    """A devpi server whose root has an empty password.

    :param url: its index, as twine is given it.
    """

    url: str

    def versions(self, project: str) -> dict[str, Any]:
        """The versions of a project on the index."""
        try:
            found: dict[str, Any] = _call("GET", f"{self.url}{project}")
        except urllib.error.HTTPError as error:
            error.close()
            assert error.code == 404
            return {}
        return found


def _call(method: str, url: str, data: object = None, auth: str = "") -> Any:
    """Call devpi without a proxy, and return its answer."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if auth:
        headers["X-Devpi-Auth"] = base64.b64encode(auth.encode()).decode()
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)["result"]


def _devpi_program(name: str) -> str:
    """The path of one of devpi's programs: next to this Python, or on PATH."""
    sibling = Path(sys.executable).with_name(name)
    if not sibling.exists():
        need(name)
    return str(sibling) if sibling.exists() else shutil.which(name) or ""


@pytest.fixture(scope="module", name="devpi")
def _devpi() -> Iterator[Devpi]:
    """A real devpi server, with the index ``root/plus``."""
    init, server = _devpi_program("devpi-init"), _devpi_program("devpi-server")
    with home() as place:
        environ = {"HOME": str(place.folder), "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        data, secret = place.folder / "devpi", place.folder / "devpi-secret"
        # Without these, hashing alone takes it seconds.
        cheap = ["--argon2-memory-cost", "64", "--argon2-parallelism", "1"]
        cheap += ["--argon2-time-cost", "1", "--secretfile", str(secret)]
        secret.touch(0o600)
        secret.write_text(base64.b64encode(os.urandom(32)).decode())
        made = [init, "--serverdir", str(data), "--no-root-pypi", "--root-passwd", ""]
        subprocess.run(made, env=environ, capture_output=True, timeout=90, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        argv = [server, "--serverdir", str(data), "--host", "127.0.0.1", "--port", str(port)]
        log = place.folder / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*argv, "--offline-mode", *cheap],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        with ended(process):
            url = f"http://127.0.0.1:{port}"

            def answers() -> bool:
                assert process.poll() is None, log.read_text()
                with contextlib.suppress(OSError):
                    return bool(_call("GET", f"{url}/+api"))
                return False

            wait_until(answers, 90)
            password = _call("POST", f"{url}/+login", {"user": "root", "password": ""})["password"]
            index = {"type": "stage", "bases": [], "volatile": True}
            _call("PUT", f"{url}/root/plus", index, f"root:{password}")
            yield Devpi(f"{url}/root/plus/")


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("how", ["profile", "default"])
def test_the_posts_dev_profile_uploads_to_devpi(home: Home, devpi: Devpi, how: str) -> None:
    """As root, with an empty password, and without asking the user."""
    project = f"demo-{how}"
    file = tokens.wheel(home.folder / "demo" / "dist", project)
    configure(home, dev=devpi.url, more='default = "dev"' if how == "default" else "")
    # What the shell has of another upload is not used.
    home.environ |= {"TWINE_PASSWORD": "canary-stale", "TWINE_USERNAME": "canary-stale"}
    home.environ["TWINE_REPOSITORY_URL"] = "http://127.0.0.1:9/"
    assert devpi.versions(project) == {}
    with FakePinentry() as fake:
        options = ("-p", "dev") if how == "profile" else ()
        done = twine(home, "upload", str(file), fake=fake, options=options)
        assert fake.lines == []
    assert done.status == 0, done
    assert list(devpi.versions(project)) == ["1.0"]


@pytest.mark.outside
@pytest.mark.real
def test_devpi_rejects_a_wrong_password(home: Home, devpi: Devpi) -> None:
    """So the test above doesn't pass only because devpi accepts anything."""
    configure(home, dev=devpi.url)
    config = home.config.read_text().replace('TWINE_PASSWORD = ""', 'TWINE_PASSWORD = "no"')
    home.configure(config)
    with FakePinentry() as fake:
        done = twine(home, "--no-color", "upload", FILE, fake=fake, options=("-p", "dev"))
    assert done.status == 1
    assert "401" in done.stdout + done.stderr
    assert devpi.versions("demo") == {}


# -- prod ------------------------------------------------------------------------

#: The output of version 1 of 1Password's program after signing in.
SESSION = f"canary-session-{os.getpid()}-{os.urandom(4).hex()}"

#: That program: signed out, and it asks for the password on its terminal.
_OP_1 = """#!PYTHON -IS
import getpass, json, os, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("1.12.9")
elif arguments == ["signin", "my", "--raw"]:
    if getpass.getpass("Enter the password for me@example.org at my.example.org: ") != MASTER:
        sys.exit("[ERROR] 2026/01/01 00:00:00 (401) Unauthorized")
    print("SESSION")
elif os.environ.get("OP_SESSION_my") != "SESSION":
    sys.exit("[ERROR] 2026/01/01 00:00:00 You are not currently signed in. Please run "
             "`op signin --help` for instructions")
elif arguments == ["get", "item", "Index", "--vault", "Private"]:
    fields = [{"designation": "username", "name": "username", "type": "T", "value": "__token__"},
              {"designation": "password", "name": "password", "type": "P", "value": TOKEN}]
    print(json.dumps({"uuid": "u", "vaultUuid": "v", "overview": {"title": "Index"},
                      "details": {"fields": fields, "sections": []}}))
else:
    sys.exit(f"[ERROR] 2026/01/01 00:00:00 {arguments!r}")
"""

#: Version 2, with the desktop app signed in.
_OP_2 = """#!PYTHON -IS
import json, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("2.30.3")
elif arguments == ["item", "get", "Index", "--vault", "Private", "--format", "json"]:
    fields = [{"id": "username", "type": "STRING", "purpose": "USERNAME", "label": "username",
               "value": "__token__", "reference": "op://Private/Index/username"},
              {"id": "password", "type": "CONCEALED", "purpose": "PASSWORD", "label": "password",
               "value": TOKEN, "reference": "op://Private/Index/password"}]
    print(json.dumps({"id": "i", "title": "Index", "vault": {"id": "v", "name": "Private"},
                      "category": "LOGIN", "fields": fields}))
else:
    sys.exit(f"[ERROR] 2026/01/01 00:00:00 {arguments!r}")
"""


def _op(home: Home, text: str) -> Vault:
    text = text.replace("PYTHON", sys.executable).replace("MASTER", ascii(MASTER))
    text = text.replace('"SESSION', f'"{SESSION}')
    home.program("op", text.replace("TOKEN}", f"{TOKEN!r}}}").replace("TOKEN,", f"{TOKEN!r},"))
    return Vault("op", "1Password", "op://Private/", {})


def op_1(home: Home) -> Vault:
    """1Password with version 1 of its program, signed out."""
    (home.folder / ".op").mkdir()
    (home.folder / ".op" / "config").write_text('{"latest_signin": "my"}')
    return _op(home, _OP_1)


def op_2(home: Home) -> Vault:
    """1Password with version 2 of its program and the desktop app."""
    return _op(home, _OP_2)


#: Where the token comes from, and whether that is unlocked first.
ORIGINS: dict[Callable[[Home], Vault], bool] = {
    vaults.lastpass: True,
    op_1: True,
    op_2: False,
    vaults.password_store: True,
    vaults.keepassxc: True,
    vaults.unlocked_bitwarden: False,
}


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("make", ORIGINS)
def test_the_posts_prod_profile_uploads_with_the_managers_token(
    home: Home, index: Warehouse, make: Callable[[Home], Vault]
) -> None:
    """The token that arrives is valid for this project only."""
    vault = make(home)
    home.environ |= vault.environ
    source = f"{vault.prefix}Index"
    configure(home, prod=index.url, source=source)
    with FakePinentry([MASTER, True] if ORIGINS[make] else [True]) as fake:
        vault.let_ask(fake.path)
        try:
            with Watch(TOKEN[-40:]) as watch, Watch(MASTER) as master, Watch(SESSION) as session:
                done = twine(home, "upload", FILE, fake=fake, options=("-p", "prod"))
        finally:
            vault.end()
        *unlocking, consent = fake.prompts
    assert done.status == 0, done
    assert len(unlocking) == ORIGINS[make]
    scheme = source.partition(":")[0]
    assert consent["SETDESC"].startswith(
        wording.confirm_use_text("PyPI", wording.place(scheme), "")
    )
    assert "demo" in consent["SETDESC"]
    assert index.host in consent["SETDESC"]
    (upload,) = index.uploads
    assert upload[:3] == ("demo", os.path.basename(FILE), "__token__")
    assert upload.status == 200
    assert upload.token != TOKEN
    assert tokens.limits(upload.token).projects == ["demo"]
    assert watch.rounds > 1
    assert watch.seen == master.seen == set()
    # The manager's session is for its own program alone.
    assert {(part, name) for _, part, name in session.seen} <= {("environ", "op")}
    assert SESSION not in done.stdout + done.stderr
    own = [home.programs / "op"] if vault.program == "op" else []
    assert files_with(TOKEN, home.folder) == files_with(TOKEN[-40:], home.folder) == own
    assert TOKEN[-40:] not in done.stdout + done.stderr


@pytest.mark.outside
@pytest.mark.real
@pytest.mark.parametrize("answers", [[MASTER, False], [MASTER, None], [None]])
def test_cancelling_a_prod_upload_uploads_nothing(
    home: Home, index: Warehouse, answers: list[str | bool | None]
) -> None:
    """The user cancels at the master password, or answers No at the upload."""
    vault = vaults.lastpass(home)
    home.environ |= vault.environ
    configure(home, prod=index.url, source="lpass://Index")
    with FakePinentry(answers) as fake:
        done = twine(home, "upload", FILE, fake=fake, options=("-p", "prod"))
        assert len(fake.prompts) == len(answers)
    assert done.status == 130
    assert index.uploads == []


# -- the guard -------------------------------------------------------------------


@pytest.fixture(name="echoing")
def _echoing() -> Iterator[Home]:
    """A home in which twine prints its arguments and variables."""
    with quick() as found:
        tokens.wheel(found.folder / "demo" / "dist")
        found.program("twine", '#!/bin/sh\necho "ran $*"; env | grep "^TWINE" | sort\nexit 0\n')
        yield found


def test_without_a_profile_nothing_is_uploaded(echoing: Home) -> None:
    """The error names the profiles. secretly asks nothing and doesn't start twine."""
    configure(echoing)
    for arguments in (["upload", FILE], ["--no-color", "upload", "--skip-existing", FILE]):
        with FakePinentry() as fake:
            done = twine(echoing, *arguments, fake=fake)
            assert fake.lines == []
        assert (done.status, done.stdout) == (125, "")
        first, second = done.stderr.splitlines()
        assert first.startswith("secretly: twine ") and first.endswith(": dev, prod")
        assert "secretly run -p dev" in second


def test_a_profile_is_chosen_for_a_module_as_for_its_program(echoing: Home) -> None:
    """``python -m twine`` needs a profile too."""
    configure(echoing)
    argv = [*SECRETLY, "run", sys.executable, "-m", "twine", "upload", FILE]
    done = echoing.run_any(argv, cwd=echoing.folder / "demo")
    assert done.status == 125
    assert "dev, prod" in done.stderr


def test_the_default_profile_is_used_unless_another_is_named(echoing: Home) -> None:
    """Its variables take precedence over the caller's."""
    echoing.environ |= {"TWINE_PASSWORD": "canary-stale", "TOKEN": TOKEN}
    configure(echoing, source="env://TOKEN", more='default = "dev"')
    with FakePinentry([True]) as fake:
        done = twine(echoing, "upload", FILE, fake=fake)
        assert fake.lines == []
        url = "TWINE_REPOSITORY_URL=http://127.0.0.1:9/root/plus/"
        given = f"TWINE_PASSWORD=\n{url}\nTWINE_USERNAME=root\n"
        assert done == (0, f"ran upload {FILE}\n{given}", "")
        done = twine(echoing, "upload", FILE, fake=fake, options=("-p", "prod"))
        assert len(fake.prompts) == 1
    assert done.status == 0
    assert "TWINE_USERNAME=__token__\n" in done.stdout
    assert "TWINE_PASSWORD=pypi-" in done.stdout
    assert TOKEN[-40:] not in done.stdout


def test_an_unknown_profile_is_refused(echoing: Home) -> None:
    """The error names the known profiles."""
    configure(echoing, more='default = "dev"')
    with FakePinentry() as fake:
        done = twine(echoing, "upload", FILE, fake=fake, options=("-p", "test"))
        assert fake.lines == []
    assert (done.status, done.stdout) == (125, "")
    assert "'test'" in done.stderr
    assert "dev, prod" in done.stderr


def test_a_default_that_names_no_profile_is_a_bad_configuration(echoing: Home) -> None:
    """It is an error, whichever command runs."""
    configure(echoing, more='default = "test"')
    with FakePinentry() as fake:
        done = twine(echoing, "upload", FILE, fake=fake)
    assert (done.status, done.stdout) == (125, "")
    assert "commands.twine.default" in done.stderr
    assert "'test'" in done.stderr


@pytest.mark.parametrize("command", ["echo", "gh"])
def test_a_command_without_profiles_refuses_a_profile(echoing: Home, command: str) -> None:
    """Both known and unknown commands do."""
    configure(echoing)
    echoing.program("gh", "#!/bin/sh\necho ran\n")
    done = echoing.run("run", "-p", "dev", "-e", "TOKEN=PyPI", command, "ran")
    assert (done.status, done.stdout) == (125, "")
    assert "profile" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_dry_run_shows_the_profile(echoing: Home) -> None:
    """It shows the variables and their origins, shows no value, and asks nothing."""
    configure(echoing, source="lpass://Index")
    with FakePinentry() as fake:
        done = twine(echoing, "upload", FILE, fake=fake, options=("--dry-run", "-p", "prod"))
        assert fake.lines == []
    assert done.status == 0
    lines = done.stdout.splitlines()
    assert "TWINE_USERNAME: set by the configuration" in lines
    assert "TWINE_REPOSITORY_URL: set by the configuration" in lines
    assert any(line.startswith("TWINE_PASSWORD: ") and "lpass://Index" in line for line in lines)
    assert "ran" not in lines
