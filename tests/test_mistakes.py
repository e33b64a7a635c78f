"""Mistakes of a user: a token in the wrong place, a folder full of surprises."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest
from command import SECRETLY, Home
from command import quick as fresh_home
from tokens import wheel

from secretly.cli import main
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

TOKEN = "pypi-canary-0123456789"
WHEEL = "dist/demo-1.0-py3-none-any.whl"


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with fresh_home() as found:
        yield found


@pytest.mark.parametrize(
    "arguments",
    [
        (TOKEN,),
        ("set", "PyPI", TOKEN),
        ("set", TOKEN),
        ("get", TOKEN),
        ("get", f"PyPI#{TOKEN}"),
        ("forget", f"--{TOKEN}", "x"),
        ("run", "-p", TOKEN, "twine", "upload", "x"),
        ("run", "--as", TOKEN, "twine", "upload", "x"),
        ("run", "--prompt-timeout", TOKEN, "true"),
        ("run", f"--remember={TOKEN}", "true"),
        ("run", "-e", TOKEN, "true"),
        ("run", "-e", f"X={TOKEN}", "true"),
        ("run", "-e", f"{TOKEN}=X", "true"),
        ("run", "--literal", f"{TOKEN}=X", "true"),
        ("run", "--literal", TOKEN, "-e", "X={{ env://" + TOKEN + " }}", "true"),
        ("run", TOKEN),
        ("run", "-e", "X=Name", TOKEN),
        ("run", "twine", "upload", TOKEN),
        ("run", "twine", "upload", f"--repository={TOKEN}", WHEEL),
        ("run", "twine", "upload", "--repository-url", TOKEN, WHEEL),
        ("token", TOKEN),
        ("token", "show", TOKEN),
        ("token", "narrow", TOKEN),
        ("token", "narrow", "PyPI", "--project", f"{TOKEN}/"),
        ("token", "narrow", "PyPI", "--expires", TOKEN),
    ],
)
def test_a_token_in_the_wrong_place_is_not_repeated(home: Home, arguments: tuple[str, ...]) -> None:
    """Whatever the message is about, the token is not in it."""
    home.program("twine", "#!/bin/sh\n")
    wheel(home.folder / "dist")
    done = home.run(*arguments)
    assert done.status in (1, 2, 125, 127)
    assert "canary" not in done.stdout + done.stderr
    assert re.fullmatch(r"secretly: .*\n  \S.*\n", done.stderr), done.stderr


def test_a_variable_that_is_not_text_is_printed_as_it_is(home: Home) -> None:
    """``get`` gives back the bytes that the variable has."""
    environ = {os.fsencode(k): os.fsencode(v) for k, v in home.environ.items()}
    done = subprocess.run(
        [*SECRETLY, "get", "env://VALUE"],
        env={**environ, b"VALUE": b"canary-\xff"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"canary-\xff\n", b"")


def test_python_loads_nothing_from_the_current_folder(home: Home) -> None:
    """``python -m secretly`` loads nothing from the current folder."""
    folder = home.folder / "project"
    folder.mkdir()
    for name in ("platformdirs", "tomllib", "argparse", "keyring", "pexpect"):
        (folder / f"{name}.py").write_text("print('planted')\n")
    done = subprocess.run(
        [sys.executable, "-m", "secretly", "list"],
        env=home.environ,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "planted" not in done.stdout


def test_a_closed_standard_input_is_an_error(home: Home) -> None:
    """``set --stdin <&-`` stores nothing, and says why."""
    home.keep_in_a_file()
    command = ["/bin/sh", "-c", '"$@" <&-', "sh", *SECRETLY, "set", "Name", "--stdin"]
    done = subprocess.run(command, env=home.environ, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith("secretly: standard input is closed\n  ")


class Full:
    """A stream whose other end is in trouble."""

    def write(self, text: str) -> int:
        """Fail as nothing of ours would."""
        raise ZeroDivisionError("canary-1")

    def flush(self) -> None:
        """Have nothing to do."""


def test_an_error_of_our_own_shows_no_traceback(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error has two lines too: where it happened, and no value."""
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Full())
    with handlers_kept():
        assert main(["list"]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"secretly: an error in secretly itself: ZeroDiv.* at .*\n  \S.*\n", said)
    assert "canary" not in said


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """Put signal handlers back that the command changes: it expects to be a process."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_odd_programs_and_a_safe_path(home: Home) -> None:
    """A script without '#!' is run by sh, a missing interpreter is named, LC_CTYPE is kept."""
    home.program("plain", 'echo "$X $LC_CTYPE"\n')
    home.program("orphan", "#!/nonexistent/interpreter\n")
    environ = {"VALUE": "canary-1", "LC_CTYPE": "C"}
    # Python itself may set LC_CTYPE, as it starts.
    plain = [*SECRETLY, "run", "-e", "X=env://VALUE", "plain"]
    done = home.run_any(plain, environ=environ)
    assert (done.status, done.stdout) == (0, "canary-1 C\n")
    done = home.run("run", "-e", "X=env://VALUE", "orphan", environ=environ)
    assert done.status == 127
    assert "interpreter" in done.stderr
    safe = subprocess.run(
        [sys.executable, "-P", "-m", "secretly", "--version"],
        env=home.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (safe.returncode, safe.stderr) == (0, "")


@pytest.mark.parametrize(
    ("flavor", "verb"), [("gtk2", "ask"), ("fltk", "confirm")], ids=["ask", "confirm"]
)
def test_a_pinentry_that_cannot_ask_is_an_error_without_a_terminal(
    home: Home, flavor: str, verb: str
) -> None:
    """A window that is too small, or a pinentry that no consent rests on: a clear error."""
    code = """
        import asyncio, os, sys
        from secretly import PinentryFailed
        from secretly.asking import prompting
        from secretly.asking.questions import Prompt
        asked = getattr(prompting, sys.argv[1])
        try:
            asyncio.run(asked(Prompt("a", "b", "c"), 5, os.environ))
        except PinentryFailed as error:
            print(error)
    """
    small = [("raw", b"ERR 83886381 Window too small <Pinentry>\n")]
    with FakePinentry([small], flavor=flavor) as fake:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), verb],
            env={**home.environ, **fake.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            text=True,
            timeout=30,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
