"""Where pdm would upload to: its own parser and settings, up to its first request.

Runs in the Python of a version of pdm. Reads a line of JSON for each call, and writes one.
"""

import json
import os
import socket
import sys
import tempfile
import types

REAL, sys.stdout = sys.stdout, sys.stderr
START = {"HOME": tempfile.mkdtemp(), "PATH": "/usr/bin:/bin", "PDM_CHECK_UPDATE": "0"}
os.environ.clear()
os.environ.update(START)


def _refuse(*_):
    raise OSError("this driver opens no connection")


socket.socket.connect = socket.create_connection = socket.getaddrinfo = _refuse

try:  # the HTTP client of this version
    import httpx2 as httpx
except ImportError:
    import httpx
from pdm.cli import options as pdm_options  # noqa: E402
from pdm.cli.commands import build, publish  # noqa: E402
from pdm.cli.commands.publish import repository  # noqa: E402
from pdm.cli.commands.publish.package import DIST_EXTENSIONS  # noqa: E402
from pdm.core import Core  # noqa: E402
from pdm.models.auth import keyring  # noqa: E402
from pdm.project.config import DEFAULT_REPOSITORIES, Config  # noqa: E402

keyring.provider, keyring.enabled = None, False

#: What the call would do.
found = {}


class _Repository:
    """Notes the connection that pdm would make, and refuses to make it."""

    def __init__(self, project, config):
        url = config.url.partition("#")[0]
        sent = httpx.URL(url)  # or the HTTP client refuses it
        if sent.scheme not in ("http", "https") or not sent.host:
            raise ValueError("not a URL of HTTP")
        scheme, _, rest = url.partition("://")
        user, _, host = rest.partition("/")[0].rpartition("@")
        known = {value: name for name, value in DEFAULT_REPOSITORIES.items()}
        found["url"] = {"pypi": "", "testpypi": "test"}.get(
            known.get(url), f"{scheme}://{host}{rest[len(rest.partition('/')[0]) :]}"
        )
        self.url = config.url
        nobody = config.username is None and not config.password and ":" not in user
        password = config.password or (None if ":" in user else "canary")
        found["username"] = None if nobody else _ensure(self, config.username, password)[0]
        found["reached"] = True

    def upload(self, package):
        found["files"] += [package.base_filename, *package.signatures]
        return types.SimpleNamespace(url="", status_code=200, reason_phrase="")

    def get_release_urls(self, packages):
        return []


class _Package:
    """A file, by its name alone."""

    def __init__(self, filename):
        self.base_filename = os.path.basename(filename)
        self.signatures = []

    def add_gpg_signature(self, filename, name):
        self.signatures.append(name)

    def sign(self, identity):
        pass


def _from_filename(filename, comment):
    if not filename.endswith(tuple(DIST_EXTENSIONS)) or os.path.isdir(filename):
        raise ValueError(f"not a distribution: {filename}")
    return _Package(filename)


def _build(*_, **__):
    found["built"] = True


publish.PackageFile = type("PackageFile", (), {"from_filename": staticmethod(_from_filename)})
publish.Repository = _Repository  # 2.22 imports it at the top, 2.29 in the function
build.Command.do_build = staticmethod(_build)
publish.Command._check_response = staticmethod(lambda response: None)
publish.Command._skip_upload = staticmethod(lambda response: False)


_ensure = repository.Repository._ensure_credentials
repository.Repository = _Repository  # 2.29 imports it in the function


CORE = Core()
PUBLISH = CORE.subparsers.choices["publish"]


def answer(case):
    """What one call would do."""
    os.environ.clear()
    os.environ.update({**START, **case["environ"], "PDM_CHECK_UPDATE": "0"})
    os.chdir(case["folder"])
    # pdm reads these when it is loaded.
    hooks = pdm_options.from_splitted_env("PDM_SKIP_HOOKS", ",")
    PUBLISH.set_defaults(project_path=os.getenv("PDM_PROJECT"), skip=hooks)
    Config.site = None
    found.clear()
    found.update(url="", username=None, files=[], built=False, reached=False)
    error = "nothing was sent"
    try:
        CORE._add_project_plugins_library()
        with CORE.exit_stack:
            CORE.main(list(case["arguments"]))
        error = "" if found["reached"] else error
    except SystemExit as ended:
        error = f"exit {ended.code}"
    except BaseException as failed:
        error = f"{type(failed).__name__}: {failed}"
    files = None if found["built"] else sorted(found["files"])
    return {"url": found["url"], "username": found["username"], "files": files, "error": error}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), file=REAL, flush=True)
