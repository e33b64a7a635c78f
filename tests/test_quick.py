"""What a start loads and reads, and the small readers that stand for slow modules."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from ptys import wait_until
from test_distributions import metadata, tarred, zipped

import secretly
from secretly.asking import screens
from secretly.publishing import metadata as read
from secretly.publishing import unpacking
from secretly.publishing.archives import Named
from secretly.reference import Reference
from secretly.resolving.request import SecretRequest
from secretly.running import env_file
from secretly.running.plain import may_refer
from secretly.running.templates import ValueReader
from secretly.safefiles import hashing

ROOT = Path(secretly.__file__).parents[1]

#: Modules that take longer to load than what they would do before an upload's question.
SLOW = (
    "asyncio base64 configparser dataclasses dotenv enum glob hashlib importlib.util json keyring"
    " packaging pathlib pexpect random re selectors signal socket subprocess textwrap threading"
    " tomllib twisted typing urllib.parse zipfile"
).split()

#: Modules that a prompt and a password manager's program would wait for: together they load longer
#: than all of ``secretly.asking``.
SLOW_FOR_PROMPTS = [
    *SLOW,
    *"collections contextlib functools getpass importlib math warnings".split(),
]

#: Runs secretly until pexpect is loaded, which reads the answer: the question is there by then.
UNTIL_ASKED = f"""
import os, sys, time
sys.path.append({str(ROOT)!r})
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "pexpect":
            until = time.monotonic() + 10  # the pinentry ends with this process
            while "GETPIN" not in open(os.environ["ASKED"]).read() and time.monotonic() < until:
                time.sleep(0.01)
            slow = os.environ["SLOW"].split()
            os.write(1, " ".join(n for n in slow if n in sys.modules).encode() + b".")
            os._exit(0)
sys.meta_path.insert(0, Watch())
from secretly.cli import main
main(sys.argv[1:])
"""


def at_exec(
    seen: str, words: list[str], environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Print what an expression gives just before the command is executed.

    :param seen: the expression; ``environ`` is what the command would get.
    :param words: secretly's arguments.
    """
    code = f"""
import os, sys
sys.path += {[str(ROOT), str(Path(pexpect.__file__).parents[1])]!r}
def executed(program, argv, environ):
    os.write(1, repr(({seen})).encode())
    os._exit(0)
os.execve = lambda *given, start=os.execve, own=os.getpid(): (
    executed(*given) if os.getpid() == own else start(*given)  # a child starts a program, too
)
from secretly.cli import main
main({words!r})
"""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        start_new_session=True,
    )


#: A pinentry that says OK to all, and notes what is asked.
PINENTRY = """\
#!/bin/sh
echo OK
while read line; do echo "$line" >> "$ASKED"; echo OK; done
"""


@pytest.mark.process
@pytest.mark.parametrize("what", ["wheel", "sdist"])
def test_an_upload_loads_nothing_slow_before_its_question(tmp_path: Path, what: str) -> None:
    """The rest loads while you read."""
    pinentry, asked = tmp_path / "pinentry", tmp_path / "asked"
    pinentry.write_text(PINENTRY)
    (tmp_path / "twine").write_text("#!/bin/sh\n")
    for path in (pinentry, tmp_path / "twine"):
        path.chmod(0o700)
    if what == "wheel":
        member = ("demo-1.0.dist-info/METADATA", metadata())
        file = zipped(tmp_path / "demo-1.0-py3-none-any.whl", member)
    else:
        file = tarred(tmp_path / "demo-1.0.tar.gz", ("demo-1.0/PKG-INFO", metadata()))
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin", "ASKED": str(asked)}
    environ |= {"PINENTRY": str(pinentry), "DISPLAY": "other.example:0", "CI": ""}
    environ["SLOW"] = " ".join(SLOW)
    assert until_asked(environ, "twine", "upload", str(file)) == (".", "")
    wait_until(lambda: "GETPIN" in asked.read_text())  # the pinentry may still be reading


def until_asked(environ: dict[str, str], *words: str) -> tuple[str, str]:
    """What a run prints that was ended when it had asked: the slow modules that it had loaded."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", UNTIL_ASKED, "run", *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        start_new_session=True,
    )
    return done.stdout, done.stderr


@pytest.mark.process
def test_a_prompt_loads_nothing_slow_before_its_question(tmp_path: Path) -> None:
    """What only the end of a run needs loads while you read, as pexpect does."""
    pinentry, asked = tmp_path / "pinentry", tmp_path / "asked"
    pinentry.write_text(PINENTRY)
    pinentry.chmod(0o700)
    paths = ("asking.gnupg", "asking.typed", "resolving.storing", "running.receipt_file")
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "ASKED": str(asked), "CI": ""}
    environ |= {"PINENTRY": str(pinentry), "DISPLAY": "other.example:0"}
    environ["SLOW"] = " ".join([*SLOW_FOR_PROMPTS, *(f"secretly.{path}" for path in paths)])
    assert until_asked(environ, "-e", "A=Unknown", "true") == (".", "")
    wait_until(lambda: "GETPIN" in asked.read_text())


@pytest.mark.process
def test_to_look_at_an_upload_takes_few_modules_of_python() -> None:
    """Nor does a receipt that is read, or what a token says of itself."""
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
from secretly.publishing import release, upload
from secretly.publishing.tools import tool_for
from secretly.running import last_use
from secretly.text import from_json
assert tool_for("twine") and from_json("[1]") == [1]
slow = "calendar collections contextlib datetime functools importlib json typing".split()
print([name for name in slow if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


#: A pinentry whose user thinks for a while, longer than secretly waits without an event loop.
SLOW_PINENTRY = """\
#!/bin/sh
echo OK
while read line; do
    [ "$line" = GETPIN ] && { sleep 0.3; echo "D canary-1"; }
    echo OK
    [ "$line" = BYE ] && exit
done
"""

#: Modules that took more memory than all of the command, while a prompt waited.
LARGE = "_ssl asyncio email hashlib http importlib.metadata jeepney json keyring packaging twisted"


@pytest.mark.process
def test_a_prompt_that_waits_loads_no_large_module(tmp_path: Path) -> None:
    """A user may read a question for minutes: the command has its own event loop."""
    (tmp_path / "pinentry").write_text(SLOW_PINENTRY)
    (tmp_path / "pinentry").chmod(0o700)
    large = f"[n for n in {LARGE!r}.split() if n in sys.modules]"
    seen = f'environ[b"A"], "secretly.waiting.poll_loop" in sys.modules, {large}'
    environ = {"PATH": "/usr/bin:/bin", "DISPLAY": "other.example:0", "CI": ""}
    environ |= {"HOME": str(tmp_path), "PINENTRY": str(tmp_path / "pinentry")}
    done = at_exec(seen, ["run", "-e", "A=Unknown", "true"], environ)
    assert (done.stdout, done.stderr) == ("(b'canary-1', True, [])", "")


@pytest.mark.process
def test_a_password_manager_is_started_without_slow_modules(tmp_path: Path) -> None:
    """They would take longer than the manager itself. Nor is the keychain's client needed."""
    (tmp_path / "pass").write_text("#!/bin/sh\necho canary-1\n")
    (tmp_path / "pass").chmod(0o700)
    slow = [*SLOW_FOR_PROMPTS, "_socket", "secretly.keeping.secret_service"]
    seen = f'environ[b"A"], [n for n in {slow!r} if n in sys.modules]'
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = at_exec(seen, ["run", "-e", "A=pass://Example", "true"], environ)
    assert (done.stdout, done.stderr) == ("(b'canary-1', [])", "")


@pytest.mark.process
def test_an_env_file_without_references_loads_no_source(tmp_path: Path) -> None:
    """Nor python-dotenv."""
    (tmp_path / ".env").write_text("A=1\nURL=https://example.org/\n")
    (tmp_path / ".env").chmod(0o600)
    slow = f'[n for n in sys.modules if n in {SLOW!r} or n.startswith("secretly.sources")]'
    words = ["run", "--env-file", str(tmp_path / ".env"), "true"]
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = at_exec(f'environ[b"A"], {slow}', words, environ)
    assert (done.stdout, done.stderr) == ("(b'1', [])", "")


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["--version"], "secretly.reference"),
        (["--help"], "secretly.errors"),
        (["run", "twine", "check"], "secretly.cli.noting"),
        (["run", "twine", "check"], "secretly.config.launchers"),
        (["run", "twine", "check"], "secretly.config.profiles"),
        (["run", "twine", "check"], "secretly.config.schema"),
        (["run", "twine", "check"], "secretly.processes.hardening"),
        (["run", "twine", "check"], "secretly.running.delivery"),
        (["run", "twine", "check"], "secretly.redacted"),
        (["run", "twine", "check"], "secretly.reference"),
        (["run", "twine", "check"], "secretly.running.not_started"),
        (["run", "twine", "check"], "secretly.running.plain"),
        (["run", "twine", "check"], "secretly.running.program"),
        (["run", "twine", "check"], "itertools"),
    ],
)
def test_a_start_without_secrets_loads_nothing_for_them(
    tmp_path: Path, words: list[str], module: str
) -> None:
    """No references, no receipts, no launchers, and nothing that reports failures."""
    (tmp_path / "twine").write_text("#!/bin/sh\n")
    (tmp_path / "twine").chmod(0o700)
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
import os
def ended(*_):
    os.write(2, str({module!r} in sys.modules).encode())
    os._exit(0)
os.execve = ended
from secretly.cli import main
main({words!r})
ended()
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        env={"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == "False"


# -- metadata --------------------------------------------------------------------


FIELDS = st.lists(
    st.sampled_from(
        ["Name: demo", "name:x", "Version: 1.0", "Metadata-Version: 2.1", "A: b", "\ty"]
    )
    | st.text("Nam:e \t\r-1", max_size=8),
    max_size=6,
)


@given(FIELDS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_fields_are_read_as_packaging_reads_them(lines: list[str], end: str, more: bool) -> None:
    """What programs read differently is refused."""
    data = end.join([*(["Metadata-Version: 2.1"] if more else []), *lines, ""]).encode()
    found = read._read_fields(data)
    assert found == fields_by_pattern(data)
    if isinstance(found, Named):
        raw, unknown = parse_email(data)
        assert not {"name", "version", "metadata-version"} & unknown.keys()
        assert (raw["name"], raw["version"]) == (found.project, found.version)


def fields_by_pattern(data: bytes) -> Named | str:
    """The project and the version, or why they are unknown."""
    values: dict[bytes, bytes | None] = {}
    at, key = 0, b""
    while at < len(data):
        line = re.compile(
            rb"([!-9;-~]+):[ \t]*([^\r\n]*)\r?|[ \t][^\r\n]*\r?",
        ).match(data, at)
        if line is None or data[line.end() : line.end() + 1] not in (b"\n", b""):
            return "is not metadata"
        key = (line[1] or key).lower()
        if key in (b"name", b"version", b"metadata-version"):
            values[key] = None if key in values else line[2]
        at = line.end() + 1
    project, version = ((values.get(key) or b"").decode() for key in (b"name", b"version"))
    if not values.get(b"metadata-version"):
        return "is not metadata"
    if not read.is_project_name(project) or not version:
        return "has no project and version"
    return Named(project, version)


@given(st.binary(max_size=40) | st.text("a\n\r", max_size=12).map(str.encode))
def test_the_fields_end_at_the_first_blank_line(data: bytes) -> None:
    """A blank line may end with a carriage return."""
    end = re.search(rb"\n\r?\n", data)
    assert read._before_blank_line(data) == (data[: end.start() + 1] if end else data)


@given(st.text("aB1-_. \u00e9\n", max_size=8) | st.text(max_size=4))
def test_projects_have_the_names_that_packaging_knows(name: str) -> None:
    """Normalized they are the same, and the same ones are valid."""
    assert read.normalize_project(name) == canonicalize_name(name)
    valid = re.fullmatch(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", name) is not None
    assert read.is_project_name(name) == valid


@given(st.text("0123.\u0661v", max_size=8) | st.text(max_size=4))
def test_a_plain_version_is_valid_for_packaging_and_not_for_development(version: str) -> None:
    """Others are left to packaging."""
    if read.is_plain_version(version):
        assert not Version(version).is_devrelease
    elif re.fullmatch(r"[0-9]+(\.[0-9]+)*", version):
        raise AssertionError(version)


def test_a_long_version_is_left_to_packaging() -> None:
    """Python refuses numbers with thousands of digits."""
    assert read.is_plain_version("1.0") and not read.is_plain_version("1" * 5000)
    with pytest.raises((InvalidVersion, ValueError)):
        Version("1" * 5000)


# -- env files -------------------------------------------------------------------


ENV_LINE = st.sampled_from(
    [
        "A=1",
        "export B=2",
        "export =",
        "C='a b#c'",
        'D="a"',
        'E="a\\n"',
        "F = x",
        "# c",
        "G",
        "",
        "H=",
    ]
) | st.text("Ab=\"' #\\$:1\t\r\x85.{}", max_size=8)


@given(st.lists(ENV_LINE, max_size=4).map("\n".join))
def test_plain_lines_are_read_as_python_dotenv_reads_them(text: str) -> None:
    """All other files are left to python-dotenv."""
    plain = env_file._plain_lines(text)
    assert plain is None or [(name, value) for name, value, _ in plain] == [
        (name, value) for name, value, _ in env_file._lines(text)
    ]


@pytest.mark.parametrize(
    "text", ["", "# a comment\n\nA=1\nexport B_2='x y'\nURL=https://example.org:8/a?b=c\n", "A="]
)
def test_usual_files_are_plain(text: str) -> None:
    """Then neither python-dotenv nor the sources are loaded."""
    found = env_file._plain_lines(text)
    assert found is not None
    assert not any(may_refer(value or "") for _, value, _ in found)


@given(
    st.lists(
        st.sampled_from(
            ["op://", "https://", "http://", "://", "{{", "}}", "ref+x", "vault:", "#k"]
        )
        | st.sampled_from(
            ["encrypted:", "ENC[AES256_GCM,", "doppler://a/b", "?", "x", ":", " ", "9"]
        ),
        max_size=4,
    ).map("".join)
)
def test_a_text_that_is_not_looked_at_is_plain(text: str) -> None:
    """The reader of references would find none in it."""
    if not may_refer(text):
        reader = ValueReader(SecretRequest(Reference("", "")), {})
        assert reader.read(text, "X", "a test") is None


# -- hashes ----------------------------------------------------------------------


def test_many_small_files_are_hashed_by_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is loaded once they are more than a megabyte."""
    monkeypatch.delitem(sys.modules, "hashlib")
    monkeypatch.setattr(hashing, "_left", 1 << 20)
    used = []
    for _ in range(3):
        hashing.new(600_000)
        used.append("hashlib" in sys.modules)
    assert used == [False, True, True]


# -- tar headers, tokens, screens, hashes -----------------------------------------


@given(st.text("0178 \0+_x", max_size=12).map(str.encode))
def test_a_number_in_a_tar_header_is_read_strictly(field: bytes) -> None:
    """As the pattern says."""
    found = re.fullmatch(rb" *([0-7]*)[ \0]*", field)
    assert unpacking._octal(field) == (None if found is None else int(found[1] or b"0", 8))


RECORD = st.builds(
    lambda key, value, more: f"{len(key + value) + 5 + more} {key}={value}\n",
    st.sampled_from(["path", "size", "mtime", "", "GNU.sparse.x", "a\nb"]),
    st.text("ab=\n1 ", max_size=6) | st.sampled_from(["1\n5 a=b", "x" * 90]),
    st.integers(-1, 1),
)


@given(st.lists(RECORD, max_size=3).map("".join) | st.text("0123 =\npath", max_size=9))
def test_an_extended_header_is_read_as_its_patterns_say(text: str) -> None:
    """A length that is wrong, or a record that is hidden in another, is refused."""
    try:
        found = unpacking._records(text.encode())
    except read.BadArchive:
        found = None
    assert found == records_by_patterns(text.encode())


def records_by_patterns(data: bytes) -> dict[bytes, bytes] | None:
    """The path and the size in an extended header; None if it is odd."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        start = re.compile(rb"([1-9]\d{0,6}) ([^=\n]+)=").match(data, at)
        end = at + int(start[1]) if start else 0
        if start is None or end <= start.end() or data[end - 1 : end] != b"\n":
            return None
        key, value = start[2], data[start.end() : end - 1]
        if re.search(rb"\n\d+ [^=\n]+=", value) or key.startswith(b"GNU.sparse"):
            return None
        if key in (b"path", b"size") and found.setdefault(key, value) != value:
            return None
        at = end
    return found


@given(st.text("unixlocalhost:127.09", max_size=16) | st.text(max_size=6))
def test_a_display_of_this_machine_is_recognized(display: str) -> None:
    """As the pattern says."""
    found = re.fullmatch(r"(|unix|localhost|127\.0\.0\.1):([0-9]{1,5})(?:\.[0-9]+)?", display)
    assert screens._read_display(display) == (found and (found[1], int(found[2])))


@pytest.mark.parametrize("size", [0, 1, 1000, (1 << 18) + 7, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_hash_is_that_of_hashlib(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small and large files are hashed by different code."""
    monkeypatch.delitem(sys.modules, "hashlib")  # loaded, it is used for all files
    monkeypatch.setattr(hashing, "_left", 1 << 20)
    data = os.urandom(1000) * (size // 1000 + 1)
    data = data[:size]
    expected = hashlib.sha256(data).hexdigest()
    assert hashing.of_file(io.BytesIO(data), size) == expected
    assert hashing.of_file(io.BytesIO(data), 0) == expected  # it has grown
    assert hashing.of_bytes(data) == expected


def test_a_python_without_its_own_sha256_uses_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some builds of Python have none."""
    monkeypatch.setattr(hashing, "_left", 1 << 20)
    monkeypatch.delitem(sys.modules, "hashlib")
    for name in ("_sha256", "_sha2"):
        monkeypatch.setitem(sys.modules, name, None)
    assert hashing.of_bytes(b"x") == hashlib.sha256(b"x").hexdigest()
