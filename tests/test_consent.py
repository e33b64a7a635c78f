"""Consent: no answer of a pinentry turns a No into a Yes."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Home
from command import quick as fresh_home
from conftest import fewer
from hypothesis import given
from hypothesis import strategies as st
from ptys import DEADLINE

from secretly.asking import assuan, measured, prompting
from secretly.asking.questions import Prompt
from secretly.errors import PinentryFailed, SecretlyError
from secretly.testing.pinentry import _executable

EVERY_FLAVOR = (
    *("curses", "tty", "gtk2", "gtk2:curses", "qt", "qt:curses", "gnome3", "gnome3:curses"),
    *("curses:curses", "qt5", "qt6", "mac", "efl", "tqt", "w32", "gtk2:emacs", "unheard-of", ""),
)


# -- what was measured -----------------------------------------------------------


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """A folder with a compiled program for each measured name."""
    for name in ("pinentry-curses", "pinentry-tty", "pinentry-gtk-2", "pinentry-qt"):
        (tmp_path / name).write_bytes(b"\x7fELF" + struct.pack("12x"))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "flavor", "opens"),
    [
        ("pinentry-gtk-2", "gtk2", True),
        ("pinentry-qt", "qt", True),
        ("pinentry-qt", "gtk2", False),
        ("pinentry-qt", "qt:curses", False),
        ("pinentry-curses", "curses", False),
        ("pinentry-tty", "gtk2", False),
    ],
)
def test_a_window_needs_a_measured_program_and_its_flavor(
    name: str, flavor: str, opens: bool, compiled: Path
) -> None:
    """Neither the name nor the flavor alone says that a pinentry opens a window."""
    assert measured.opens_window(compiled / name, flavor) is opens
    for other in ("pinentry-other", "missing/pinentry-qt", "missing/pinentry-gtk-2"):
        assert not measured.opens_window(compiled / other, flavor)


@pytest.mark.parametrize("flavor", EVERY_FLAVOR)
def test_a_script_was_not_measured(flavor: str, tmp_path: Path) -> None:
    """A script never counts as measured, whatever its name and whatever flavor it reports."""
    for name in ("pinentry-curses", "pinentry-tty", "pinentry-gtk-2", "pinentry-rofi"):
        script = tmp_path / name
        script.write_text("#!/bin/sh\n")
        assert measured.name_of(script) == ""
        assert not measured.opens_window(script, flavor)


def test_a_link_is_the_program_that_it_leads_to(compiled: Path) -> None:
    """Debian's ``pinentry`` is a link, so secretly looks at the target of a link."""
    link = compiled / "pinentry"
    link.symlink_to("pinentry-curses")
    assert measured.name_of(link) == "pinentry-curses"
    wrapper = compiled / "pinentry-rofi"
    wrapper.write_text("#!/bin/sh\n")
    (compiled / "pinentry-qt").unlink()
    (compiled / "pinentry-qt").symlink_to("pinentry-rofi")
    assert measured.name_of(compiled / "pinentry-qt") == ""


def test_in_fltk_escape_agrees() -> None:
    """pinentry-fltk answers OK to Escape, so secretly never asks it to confirm."""
    for flavor in ("fltk", "fltk:curses"):
        assert not measured.may_confirm(flavor)
    assert all(measured.may_confirm(flavor) for flavor in EVERY_FLAVOR)


# -- any answer ------------------------------------------------------------------

#: A pinentry that reads its answers from files, so that one program serves for all answers.
_WRAPPER = """#!/bin/sh
cd "${0%/*}"
echo "OK Please go ahead"
while read -r verb rest; do
    echo "$verb" >>verbs
    case $verb in
        GETPIN | CONFIRM) cat "$verb"; exit ;;
        GETINFO | SETOK | SETNOTOK | BYE) cat "$verb" ;;
        *) echo OK ;;
    esac
done
"""

_LINES = st.sampled_from(
    [
        *(b"OK", b"OK yes", b"ERR 83886194 Not confirmed <rofi>", b"ERR 83886179 Cancelled"),
        *(b"ERR 83886254 x", b"ERR", b"ERR 0", b"ERR yes", b"D", b"D yes", b"D y", b"D no", b"D 1"),
        *(b"D ye", b"D s", b"D %79es", b"S PIN_REPEATED", b"S yes", b"# yes", b"INQUIRE X y"),
        *(b"S PASSWORD_FROM_CACHE", b"yes", b"", b"CONFIRM", b"END", b"D yes%0A", b"D  YES "),
    ]
)
_SAID = st.lists(_LINES, max_size=4).map(lambda lines: b"".join(line + b"\n" for line in lines))
#: An answer to a command, often a complete one: others end the conversation early.
_ANSWER = st.one_of(st.sampled_from([b"OK\n", b"ERR 83886194 x\n", b"D yes\nOK\n"]), _SAID)


def agrees(said: bytes) -> bool:
    """Return whether a pinentry's answer to GETPIN is the word that agrees."""
    try:
        first = next((a for a in assuan.Reader().feed(said) if not a.inquiry), None)
    except PinentryFailed:
        return False
    if first is None or first.code or "PASSWORD_FROM_CACHE" in first.status:
        return False
    return (first.data or b"").strip().lower() in (b"y", b"yes")


@pytest.fixture(scope="module")
def wrapper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A script with the name of a measured pinentry."""
    path = tmp_path_factory.mktemp("wrapper") / "pinentry-curses"
    _executable(path, _WRAPPER)
    return path


@pytest.mark.process
@given(
    flavor=st.sampled_from(EVERY_FLAVOR),
    said=st.fixed_dictionaries(
        dict.fromkeys(("GETPIN", "CONFIRM", "SETOK", "SETNOTOK", "BYE"), _ANSWER)
    ),
)
@fewer()
def test_no_answer_turns_a_no_into_a_yes(
    flavor: str, said: dict[str, bytes], wrapper: Path
) -> None:
    """Only the typed word agrees, for any flavor and any answers. secretly never sends CONFIRM."""
    folder = wrapper.parent
    (folder / "verbs").write_bytes(b"")
    for verb, answer in said.items():
        (folder / verb).write_bytes(answer)
    (folder / "GETINFO").write_bytes(b"D " + flavor.encode() + b"\nOK\n")
    environ = {"PATH": os.defpath, "PINENTRY": str(wrapper), "DISPLAY": f":fake{os.getpid()}"}
    question = Prompt("a title", "a question", "a prompt")
    try:
        asyncio.run(prompting.confirm(question, DEADLINE, environ))
        agreed = True
    except SecretlyError:
        agreed = False
    sent = (folder / "verbs").read_text().split()
    assert not {"CONFIRM", "SETOK", "SETNOTOK"} & set(sent)
    assert not agreed or agrees(said["GETPIN"])
    if said["GETPIN"] == b"D yes\nOK\n":
        assert agreed


# -- the command -----------------------------------------------------------------

#: Three public wrappers answer like this: flavor ``curses``, and "not confirmed" for No.
_ROFI = """#!/bin/sh
echo "OK Please go ahead"
while read -r verb rest; do
    case "$verb $rest" in
        "GETINFO flavor") printf 'D curses:curses\\nOK\\n' ;;
        CONFIRM*) echo "ERR 83886194 Not confirmed <rofi>" ;;
        GETPIN*) printf 'D %s\\nOK\\n' "$TYPED" ;;
        *) echo OK ;;
    esac
done
"""


@pytest.fixture
def home() -> Iterator[Home]:
    """A home with a stored secret that needs confirmation."""
    with fresh_home() as found:
        found.keep_in_a_file()
        found.configure(found.config.read_text() + "[secrets.Name]\nconfirm = true\n")
        found.run("set", "Name", "--stdin", stdin="canary-1")
        yield found


@pytest.mark.process
@pytest.mark.parametrize(("typed", "status"), [("no", 130), ("", 130), ("yes", 0)])
def test_a_no_in_a_wrapper_runs_nothing(home: Home, typed: str, status: int) -> None:
    """The wrapper answers No with the code that pinentry-curses uses for its Yes button."""
    program = home.program("pinentry-rofi", _ROFI)
    environ = {"PINENTRY": str(program), "DISPLAY": f":fake{os.getpid()}", "TYPED": typed}
    done = home.run("run", "-e", "A=Name", "sh", "-c", "echo got=[$A]", environ=environ)
    assert done.status == status
    assert done.stdout == ("got=[canary-1]\n" if status == 0 else "")
