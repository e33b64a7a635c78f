"""Where configured secrets come from: variables and files, so far."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest

from secretly import BadReference, Secret, SourceFailed, sources
from secretly.references import parse


def fetch(reference: str, environ: Mapping[str, str] | None = None) -> Secret:
    """What a reference gives."""
    return asyncio.run(sources.fetch(parse(reference), environ or {}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that only its owner can read."""
    path = tmp_path / "token"
    path.touch(0o600)
    return path


def trouble(reference: str, environ: Mapping[str, str] | None = None) -> SourceFailed:
    """The error that a reference is, which shows no secret, has a hint and can be printed."""
    with pytest.raises(SourceFailed) as caught:
        fetch(reference, environ)
    error = caught.value
    assert error.hint
    frames = traceback.walk_tb(error.__traceback__)
    kept = [str(f.f_locals) for f, _ in frames if "/sources/file" in f.f_code.co_filename]
    assert "canary" not in f"{error} {error.hint} {kept}"
    assert f"{error} {error.hint}".isprintable()
    assert error.__context__ is None or error.__suppress_context__
    return error


# -- env:// ----------------------------------------------------------------------


def test_a_variable_is_read() -> None:
    """As it is, from the environment that is given."""
    found = fetch("env://TOKEN", {"TOKEN": " canary-1\n"})
    assert found == " canary-1\n"
    assert type(found) is Secret
    assert fetch("env://TOKEN#password", {"TOKEN": "canary-1"}) == "canary-1"


@pytest.mark.parametrize("environ", [{}, {"TOKEN": ""}, {"token": "canary-1"}])
def test_a_variable_that_is_not_set_fails(environ: dict[str, str]) -> None:
    """An empty one is no secret either; the name is said."""
    assert "the variable TOKEN is not set" in str(trouble("env://TOKEN", environ))


def test_a_variable_of_another_process_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The given environment is the only one."""
    monkeypatch.setenv("SECRETLY_CANARY", "canary-1")
    trouble("env://SECRETLY_CANARY", {})


# -- file:// ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b"canary-1", "canary-1"),
        (b"canary-1\n", "canary-1"),
        (b"canary-1\n\n", "canary-1\n"),
        (b" canary-1 ", " canary-1 "),
        ("canary-é€😀\n".encode(), "canary-é€😀"),
        (b"two\nlines\n", "two\nlines"),
    ],
)
def test_a_file_is_read_without_its_last_newline(file: Path, data: bytes, secret: str) -> None:
    """Which editors and echo add; nothing else is taken off."""
    file.write_bytes(data)
    found = fetch(f"file://{file}")
    assert found == secret
    assert type(found) is Secret


def test_a_file_at_home_may_be_named_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tilde."""
    file.write_text("canary-1")
    monkeypatch.setenv("HOME", str(file.parent))
    assert fetch("file://~/token") == "canary-1"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_use_is_refused(file: Path, mode: int) -> None:
    """With the way to mend it."""
    file.write_text("canary-1")
    file.chmod(mode)
    error = trouble(f"file://{file}")
    assert "others can read" in str(error)
    assert f"chmod 600 {file}" in error.hint


def test_a_file_of_another_is_refused(file: Path) -> None:
    """Whoever owns it reads and changes it as they like."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to own a file as somebody else")
    file.write_text("canary-1")
    os.chown(file, 54_321, -1)
    assert "others can read" in str(trouble(f"file://{file}"))


def test_a_file_that_is_not_there_fails(file: Path) -> None:
    """And so does one whose name is odd; it is shown harmless."""
    file.unlink()
    assert "cannot be read: No such file" in str(trouble(f"file://{file}"))
    assert "\\u202e" in str(trouble(f"file://{file}\u202e"))


def test_what_is_no_plain_file_fails_at_once(file: Path) -> None:
    """A folder, a device; a pipe that nobody writes to is not waited for."""
    assert "Is a directory" in str(trouble(f"file://{file.parent}"))
    assert "is no file" in str(trouble("file:///dev/null"))
    file.unlink()
    os.mkfifo(file, 0o600)
    assert "is no file" in str(trouble(f"file://{file}"))


def test_a_file_that_is_no_text_fails(file: Path) -> None:
    """And nothing of its bytes is shown."""
    file.write_bytes(b"canary-\xff")
    assert "is not UTF-8 text" in str(trouble(f"file://{file}"))


def test_a_file_of_the_wrong_length_fails(file: Path) -> None:
    """An empty one is no secret, and half of one would be a wrong one."""
    assert "is empty" in str(trouble(f"file://{file}"))
    file.write_bytes(b"x" * (1 << 20))
    assert len(fetch(f"file://{file}")) == 1 << 20
    file.write_bytes(b"x" * ((1 << 20) + 1))
    assert "longer than 1 MiB" in str(trouble(f"file://{file}"))


# -- the others ------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["env", "file"])
def test_a_field_that_a_source_has_not_fails(scheme: str, file: Path) -> None:
    """The secret is not handed out as a user name."""
    file.write_text("canary-1")
    path = {"env": "TOKEN", "file": str(file)}[scheme]
    environ = {"TOKEN": "canary-1"} if scheme == "env" else {}
    error = trouble(f"{scheme}://{path}#username", environ)
    assert "has no field 'username'" in str(error)


@pytest.mark.parametrize("scheme", sorted(sources.MANAGERS))
def test_a_password_manager_is_named(scheme: str) -> None:
    """What cannot be read yet is said to be so, and never asked for instead."""
    assert sources.MANAGERS[scheme][0] in str(trouble(f"{scheme}://Private/PyPI"))


def test_an_unknown_scheme_is_a_bad_reference() -> None:
    """The known ones are named."""
    with pytest.raises(BadReference, match="no source 'http://'") as caught:
        fetch("http://example.org/token")
    assert "env://" in caught.value.hint


def test_no_scheme_is_both_read_and_a_managers() -> None:
    """And each that is read has its module."""
    assert not set(sources.SCHEMES) & set(sources.MANAGERS)
    modules = {path.stem for path in Path(sources.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(sources.SCHEMES.values()) == modules
