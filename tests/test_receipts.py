"""Receipts: each hand-over and each refusal is one line, without a value."""

from __future__ import annotations

import datetime
import errno
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import PATIENCE, SECRETLY, Ended, Home, home, quick
from conftest import fewer
from hypothesis import given
from hypothesis import strategies as st
from sandboxes import account_home, under_policy
from tokens import TOKEN, wheel

import secretly
from secretly.config.model import Configuration
from secretly.config.policy import Policy
from secretly.errors import Cancelled, NotFound, Refused, SecretlyError
from secretly.processes import ancestry
from secretly.processes.ancestry import Ancestor
from secretly.publishing.archives import Distribution
from secretly.resolving.request import Context
from secretly.running import past_receipts, receipt_file, receipts
from secretly.running.receipt_file import ReceiptFile, to_json
from secretly.running.receipts import HandedSecret, Journal, Use
from secretly.testing import FakePinentry, MemoryKeychain, sandbox

# -- the line ----------------------------------------------------------------------

TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF)) | st.text(
    st.sampled_from('a"\\\n\r\x7f\x85\u2028\ud800\udcff😀é')
)
VALUES = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(VALUES)
def test_a_line_says_to_json_what_was_written(value: Any) -> None:
    """The standard library reads the same value, from one line of ASCII."""
    check_line(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        [],
        {},
        [None, ["a", {"b": [1, 2]}]],
        {"quote": '"', "back": "\\", "lines": "a\r\n\tb", "delete": "\x7f", "nul": "\0"},
        {"é": "\u2028\uffff", "half": "\ud800", "two halves": "\udbff\udfff"},
        ["\U00010000", "😀 and \U0010ffff"],
    ],
)
def test_each_kind_of_value_is_written(value: Any) -> None:
    """Characters above U+FFFF are written as two surrogates."""
    check_line(value)


def check_line(value: Any) -> None:
    line = to_json(value)
    assert json.loads(line) == json.loads(json.dumps(value))
    assert line.isascii()
    assert line.isprintable()


# -- the file ----------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> ReceiptFile:
    """A file of receipts that does not exist yet, in a folder that doesn't either."""
    return ReceiptFile(str(tmp_path / "state" / "secretly"))


def names(file: ReceiptFile) -> list[str]:
    """The files of receipts that exist."""
    return sorted(os.listdir(os.path.dirname(file.path)))


def test_the_file_is_private(file: ReceiptFile) -> None:
    """Only the user can read the file and its folder, whatever the umask."""
    before = os.umask(0)
    try:
        file.append("{}")
    finally:
        os.umask(before)
    assert os.stat(file.path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(file.path)).st_mode & 0o777 == 0o700


def test_three_older_files_are_kept(file: ReceiptFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its limit the file gets an older name, and the oldest lines go."""
    monkeypatch.setattr(receipt_file, "_LIMIT", 30)
    for number in range(100):
        file.append(f"line {number:03}")
    assert names(file) == [f"receipts.jsonl{end}" for end in ("", ".1", ".2", ".3")]
    assert all(os.stat(f"{file.path}{end}").st_size <= 30 for end in ("", ".1", ".2", ".3"))
    found = past_receipts.lines(file)
    assert found == [f"line {n:03}".encode() for n in range(100 - len(found), 100)]
    assert 9 < len(found) <= 12


def test_a_line_that_is_longer_than_the_limit_has_its_own_file(
    file: ReceiptFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is lost because of its length."""
    monkeypatch.setattr(receipt_file, "_LIMIT", 30)
    for line in ("a", "b" * 100, "c"):
        file.append(line)
    assert past_receipts.lines(file) == [b"a", b"b" * 100, b"c"]


def test_threads_that_add_lines_lose_none(
    file: ReceiptFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that are added at the same time, while the file is replaced, are all there, whole."""
    monkeypatch.setattr(receipt_file, "_LIMIT", 2000)

    def add(letter: str) -> None:
        for number in range(40):
            file.append(f"{letter * 30}{number}")

    threads = [threading.Thread(target=add, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = sorted(f"{letter * 30}{n}".encode() for letter in "abcd" for n in range(40))
    assert sorted(past_receipts.lines(file)) == wanted


def test_older_lines_are_there_without_the_newest_file(file: ReceiptFile) -> None:
    """A process was killed just after it had moved the file."""
    file.append("a")
    os.rename(file.path, f"{file.path}.1")
    assert past_receipts.lines(file) == [b"a"]


@pytest.mark.parametrize("reason", [errno.EROFS, errno.EACCES])
def test_what_this_process_may_only_read_is_shown(
    reason: int, file: ReceiptFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sandbox the home folder may be read-only, so that the file can't be locked."""
    file.append("a")
    really = os.open

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(reason, os.strerror(reason))
        return really(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    assert past_receipts.lines(file) == [b"a"]


@pytest.mark.parametrize("end", ["", ".2"])
def test_a_file_that_is_too_large_is_not_read(end: str, file: ReceiptFile) -> None:
    """secretly wrote no such file, and it may have no end."""
    file.append("a")
    with open(f"{file.path}{end}", "a", encoding="ascii") as opened:
        opened.truncate(1 << 40)
    with pytest.raises(OSError, match=f"receipts.jsonl{end} is larger than 16 MiB"):
        past_receipts.lines(file)


def test_a_line_that_was_cut_is_ended_first(file: ReceiptFile) -> None:
    """After a power failure the next line is a line of its own."""
    file.append("a")
    with open(file.path, "a", encoding="ascii") as opened:
        opened.write("cut")
    file.append("b")
    assert past_receipts.lines(file) == [b"a", b"cut", b"b"]


@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_is_always_another_one_is_given_up(
    moved: bool, file: ReceiptFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may replace the file, or delete it, just before each line."""
    real = receipt_file.shared.lock

    def lock(descriptor: int, patience: float) -> None:
        os.unlink(file.path)
        if moved:
            Path(file.path).touch()
        real(descriptor, patience)

    monkeypatch.setattr(receipt_file.shared, "lock", lock)
    with pytest.raises(OSError, match="keep replacing it"):
        file.append("{}")


@pytest.mark.parametrize("what", ["link", "folder", "pipe", "second name"])
def test_what_is_not_an_own_file_is_not_written(what: str, file: ReceiptFile) -> None:
    """Nothing is written elsewhere, and nothing waits."""
    folder = Path(file.path).parent
    folder.mkdir(parents=True)
    if what == "link":
        os.symlink(folder / "elsewhere", file.path)
    elif what == "folder":
        os.mkdir(file.path)
    elif what == "pipe":
        os.mkfifo(file.path)
    else:
        (folder / "elsewhere").write_text("")
        os.link(folder / "elsewhere", file.path)
    with pytest.raises(OSError, match=r"."):
        file.append("{}")
    assert not (folder / "elsewhere").exists() or not (folder / "elsewhere").read_text()


def test_a_locked_file_is_waited_for_a_while_only(
    file: ReceiptFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that keeps the lock stops no run."""
    monkeypatch.setattr(receipt_file, "PATIENCE", 0.05)
    file.append("a")
    descriptor = receipt_file.shared.open_own(file.path, os.O_RDWR)
    receipt_file.shared.lock(descriptor, 0)
    with pytest.raises(TimeoutError):
        file.append("b")
    os.close(descriptor)
    assert past_receipts.lines(file) == [b"a"]


# -- what a receipt says -----------------------------------------------------------

USE = Use("/usr/bin/twine", "twine upload", ["twine", "upload", "canary-line", "a b"])
SECRET = HandedSecret("PyPI", "keychain", "yes", ("TWINE_PASSWORD",), ("demo",), 0.0)


class Written:
    """A journal in a folder of its own, and what it wrote and said."""

    def __init__(self, folder: Path, level: str) -> None:
        self.said: list[str] = []
        self.environ = {"HOME": str(folder)}
        context = Context.of(Configuration(), self.environ)
        words = level.split()
        rules = Policy(log=words[0] if words else "", needs_receipt="required" in words)
        context = context._replace(policy=rules, reason="a reason")
        with account_home(folder):
            self.journal = Journal(USE, self.environ, context, self.said.append)
        self.path = folder / ".local/state/secretly/receipts.jsonl"

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The receipts."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text("ascii").splitlines()]


def test_a_receipt_says_who_got_what(tmp_path: Path) -> None:
    """Everything that the page describes, and no command line."""
    written, before = Written(tmp_path, "on"), receipts.utc(time.time())
    written.journal.handed_over([SECRET], [Distribution("dist/demo.whl", 1, "ab12", "demo", "1")])
    (found,) = written.lines
    assert before <= found.pop("time") <= receipts.utc(time.time())
    assert found.pop("asked_by")
    assert found == {
        "version": 1,
        "outcome": "handed over",
        "secrets": [
            {
                "name": "PyPI",
                "from": "keychain",
                "answer": "yes",
                "to": ["TWINE_PASSWORD"],
                "limits": {"projects": ["demo"], "expires": "1970-01-01T00:00:00.000Z"},
            }
        ],
        "program": "/usr/bin/twine",
        "command": "twine upload",
        "folder": os.getcwd(),
        "reason": "a reason",
        "files": [{"path": "dist/demo.whl", "sha256": "ab12"}],
        "more_files": 0,
    }


def test_a_receipt_names_the_ancestors_that_were_found_for_the_run(tmp_path: Path) -> None:
    """As the dialog does. Without any, it looks for them."""
    written = Written(tmp_path, "on")
    context = written.journal._context
    assert context is not None
    asking = (Ancestor(3, 3, "make", False), Ancestor(2, 2, "zsh", True))
    for chain in (lambda: asking, None):
        with account_home(tmp_path):
            journal = Journal(
                USE, written.environ, context._replace(ancestors=chain), written.said.append
            )
        journal.handed_over([SECRET])
    named, found = (line["asked_by"] for line in written.lines)
    own = ancestry.asked_by(ancestry.chain(), sandboxed=ancestry.in_sandbox())
    assert named.removesuffix(", in a sandbox") == "make ← zsh"
    assert found == own


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("canary-text"), "refused"),
        (Cancelled("canary-text"), "no"),
        (NotFound("canary-text"), "failed"),
    ],
)
def test_what_was_not_handed_over_is_recorded_too(
    error: SecretlyError, outcome: str, tmp_path: Path
) -> None:
    """The kind of the error, and not its text, which may quote the command line."""
    written = Written(tmp_path, "on")
    written.journal.not_handed_over(["PyPI"], error)
    (found,) = written.lines
    assert (found["outcome"], found["error"]) == (outcome, type(error).__name__)
    assert found["secrets"] == [{"name": "PyPI"}]
    assert "canary" not in written.path.read_text()


def test_the_fullest_level_has_the_command_line(tmp_path: Path) -> None:
    """With ``full`` the command line and the error's text are recorded."""
    written = Written(tmp_path, "full")
    written.journal.handed_over([SECRET])
    written.journal.not_handed_over([], Refused("canary-text"))
    first, second = written.lines
    assert first["line"] == "twine upload canary-line 'a b'"
    assert second["message"] == "canary-text"


@pytest.mark.parametrize(
    "text",
    [
        "https://ada:canary-1@example.org/x",
        "run --db=postgres://ada:canary-1@db/x and pypi-canary-123456",
        "x" * 1990 + " ghp_1" + "canary" * 400 + " " + "y" * 1900,
    ],
)
def test_what_is_known_to_be_a_value_is_never_recorded(text: str, tmp_path: Path) -> None:
    """Not in the command line, in a reason or in an error; also where a text is shortened."""
    written = Written(tmp_path, "full")
    use, context = Use("/bin/x", "x", ["x", text]), written.journal._context
    assert context is not None
    with account_home(tmp_path):
        context = context._replace(reason=text)
        journal = Journal(use, written.environ, context, written.said.append)
    journal.handed_over([SECRET])
    journal.not_handed_over([], Refused(text))
    assert len(written.lines) == 2
    assert "canary" not in written.path.read_text()


def test_no_variable_moves_the_receipts_that_a_policy_asks_for(tmp_path: Path) -> None:
    """They are in the home that the password database names, where the user looks."""
    elsewhere = {"HOME": "/nonexistent", "XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    with account_home(tmp_path):
        for log, wanted in (("", "elsewhere"), ("on", ".local/state"), ("full", ".local/state")):
            found = receipts.folder(elsewhere, Policy(log=log))
            assert found == str(tmp_path / wanted / "secretly")


def test_nothing_is_recorded_if_it_is_switched_off(tmp_path: Path) -> None:
    """With ``off`` not even a folder is made."""
    written = Written(tmp_path, "off")
    written.journal.handed_over([SECRET])
    written.journal.not_handed_over([], Refused("no"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("level", ["", "on", "full", "on required", "full required"])
def test_a_receipt_that_can_not_be_written_stops_only_what_requires_it(
    level: str, tmp_path: Path
) -> None:
    """A line says so; with ``required`` nothing is handed over."""
    written = Written(tmp_path, level)
    (tmp_path / ".local").write_text("in the way")
    if "required" in level:
        with pytest.raises(Refused, match="can't write the receipt"):
            written.journal.handed_over([SECRET])
        assert written.said == []
    else:
        written.journal.handed_over([SECRET])
        assert len(written.said) == 1
    written.journal.not_handed_over([], Refused("again"))
    assert len(written.said) == ("required" not in level)


def test_a_refusal_that_can_not_be_recorded_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that was deleted, too."""
    written, gone = Written(tmp_path, "on"), tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    written.journal.not_handed_over([], Refused("no"))
    assert written.lines[0]["folder"] == ""
    written.path.unlink()
    written.path.mkdir()
    written.journal.not_handed_over([], Refused("no"))
    assert written.said == [f"can't write the receipt of this use: {written.path}: Is a directory"]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written of a line is taken back."""
    written = Written(tmp_path, "on")
    written.journal.handed_over([SECRET])
    before, write = written.path.read_bytes(), os.write
    monkeypatch.setattr(receipt_file.os, "write", lambda fd, data: write(fd, data[:10]))
    written.journal.handed_over([SECRET])
    assert written.path.read_bytes() == before
    assert "No space left" in written.said[0]


def test_an_upload_of_many_files_names_the_first_hundred(tmp_path: Path) -> None:
    """The receipt of a large upload stays short, and says how many more there were."""
    written = Written(tmp_path, "on")
    files = [Distribution(f"{n}.whl", 1, "ab", "demo", "1") for n in range(120)]
    written.journal.handed_over([SECRET], files)
    (found,) = written.lines
    assert (len(found["files"]), found["more_files"]) == (100, 20)


# -- the command -------------------------------------------------------------------


@pytest.fixture(name="place")
def _place() -> Iterator[Home]:
    with quick() as found:
        found.keep_in_a_file()
        assert found.run("set", "Example", "--stdin", stdin="canary-1").status == 0
        yield found


def told(place: Home, *arguments: str) -> list[dict[str, Any]]:
    """What ``secretly log`` has."""
    found: list[dict[str, Any]] = json.loads(place.run("log", "--json", *arguments).stdout)[
        "receipts"
    ]
    return found


@pytest.mark.process
def test_each_use_has_one_receipt_without_a_value(place: Home) -> None:
    """A run, a No, a secret in the place of a name, and ``get``."""
    words = ["--", "sh", "-c", "true canary-2"]
    with FakePinentry(["canary-3", False]) as pinentry:
        screen = pinentry.environ
        assert place.run("run", "-e", "X=Other", "-e", "Y=Example", *words, environ=screen) == (
            Ended(0, "", "")
        )
        assert (
            place.run("run", "--confirm", "-e", "X=Example", *words, environ=screen).status == 130
        )
    assert place.run("run", "--no-input", "-e", "X=canary-4", *words).status == 125
    assert place.run("get", "--reason", "to look", "Example").stdout == "canary-1\n"
    assert place.run("run", "--dry-run", "-e", "X=Example", *words).status == 0
    assert place.run("list").status == 0
    ran, no, failed, got = told(place)
    assert [one["outcome"] for one in (ran, no, failed, got)] == [
        *("handed over", "no", "failed", "handed over")
    ]
    assert ran["secrets"] == [
        {"name": "Other", "from": "typed", "answer": "typed", "to": ["X"]},
        {"name": "Example", "from": "keychain", "answer": "not asked", "to": ["Y"]},
    ]
    assert no["secrets"] == [{"name": "Example"}]
    assert failed["secrets"] == [{"name": "…"}]
    assert (got["command"], got["secrets"][0]["to"]) == ("secretly get", [])
    assert (got["reason"], "reason" in ran) == ("to look", False)
    assert os.path.isabs(ran["program"])
    assert (ran["command"], ran["folder"]) == ("sh", str(place.folder))
    folder = place.folder / ".local/state/secretly"
    assert "canary" not in "".join(path.read_text() for path in folder.iterdir())


@pytest.mark.process
def test_an_uploads_receipt_has_the_limits_and_the_files(place: Home) -> None:
    """What the token was narrowed to, and the hash of what was uploaded; never the token."""
    assert place.run("set", "PyPI", "--stdin", stdin=TOKEN).status == 0
    place.program("twine", "#!/bin/sh\n")
    built = wheel(place.folder / "dist")
    with FakePinentry([True]) as pinentry:
        words = ["run", "twine", "upload", f"dist/{built.name}"]
        assert place.run(*words, environ=pinentry.environ).status == 0
    (found,) = told(place)
    (secret,) = found["secrets"]
    assert (secret["answer"], secret["limits"]["projects"]) == ("yes", ["demo"])
    assert secret["limits"]["expires"] > found["time"]
    assert found["files"] == [
        {"path": f"dist/{built.name}", "sha256": hashlib.sha256(built.read_bytes()).hexdigest()}
    ]
    path = place.folder / ".local/state/secretly/receipts.jsonl"
    assert not re.search("pypi-[A-Za-z]", path.read_text())


@pytest.mark.process
def test_the_answer_yes_is_recorded(place: Home) -> None:
    """Whether you were asked is in the receipt."""
    with FakePinentry([True]) as pinentry:
        words = ["run", "--confirm", "-e", "X=Example", "true"]
        assert place.run(*words, environ=pinentry.environ).status == 0
    assert told(place)[0]["secrets"][0]["answer"] == "yes"


@pytest.mark.process
def test_a_disk_that_takes_no_receipt_stops_no_run(place: Home) -> None:
    """The command runs, and a line says that the receipt is missing; -q hides it."""
    path = place.folder / ".local/state/secretly/receipts.jsonl"
    path.mkdir()
    words = ["-e", "X=Example", "--", "sh", "-c", "echo $X"]
    done = place.run("run", *words)
    assert (done.status, done.stdout) == (0, "canary-1\n")
    assert f"can't write the receipt of this use: {path}: Is a directory" in done.stderr
    assert place.run("run", "-q", *words).stderr == ""
    done = place.run("log")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith(f"secretly: can't read {path}: Is a directory\n")


@pytest.mark.process
def test_the_log_is_chosen_and_shown(place: Home) -> None:
    """By the name of a secret, and by time; what is in the file can't change the terminal."""
    path = place.folder / ".local/state/secretly/receipts.jsonl"
    lines = [
        {"time": receipts.utc(time.time() - ago), "secrets": [{"name": name}], **more}
        for ago, name, more in [
            (90000, "A", {}),
            (60, "A", {"outcome": "failed", "error": "NotFound", "program": "\x1b[2J\n"}),
            (30, "B", {"outcome": "no", "command": "twine upload", "reason": "a\x1b"}),
        ]
    ]
    broken = [b"{", b"[]", b'{"time": 1}', b'{"time": "x", "secrets": [{}]}', b"\xff", b"[" * 9999]
    path.write_bytes(b"\n".join([*(json.dumps(one).encode() for one in lines), *broken]) + b"\n")
    assert [one["secrets"][0]["name"] for one in told(place)] == ["A", "A", "B"]
    assert [one["secrets"][0]["name"] for one in told(place, "--since", "1d")] == ["A", "B"]
    assert len(told(place, "A")) == 2
    assert told(place, "--since", "10s") == []
    assert place.run("log", "C").stderr.endswith("secretly: no receipt matches\n")
    shown = place.run("log", "--since", "1h")
    assert "failed (NotFound)  A" in shown.stdout
    assert "no  B  twine upload" in shown.stdout
    assert "own words: a\\x1b\n" in shown.stdout
    assert "program: \\x1b[2J\\x0a" in shown.stdout
    assert "6 lines of" in shown.stderr
    for wrong in ("1x", "d", "", "-1h"):
        assert place.run("log", "--since", wrong).status == 2


@pytest.mark.process
def test_without_receipts_the_log_is_empty(place: Home) -> None:
    """An empty log is not an error."""
    assert place.run("log") == Ended(0, "", "secretly: no receipts yet\n")
    assert told(place) == []


def test_a_receipt_is_shown_with_everything_that_it_has() -> None:
    """What was handed over, to which program, its limits and its files; each is harmless."""
    from secretly.cli import log
    from secretly.text import format_time

    expires = "2026-11-30T09:00:00.000Z"
    limits = {"projects": ["demo", "\x1b"], "expires": expires}
    secrets = [
        {"name": "PyPI", "from": "keychain", "answer": "keychain", "limits": limits},
        {"name": "Other", "limits": {"projects": "demo", "expires": "\x1b" + "x" * 99}},
        *({"name": f"S{number}"} for number in range(3, 25)),
    ]
    receipt = {
        "time": expires,
        "outcome": "failed",
        "error": "NotFound",
        "message": "not\nfound",
        "secrets": secrets,
        "line": "twine upload dist/*",
        "files": [{"path": "a\x1b.whl", "sha256": "ab12"}, "no file"],
        "more_files": 7,
    }
    first, *lines = log._told(receipt)
    local = format_time(datetime.datetime.fromisoformat(expires).timestamp())
    assert first.startswith(
        f"{local}  failed (NotFound)  "
        f"PyPI (keychain, only demo and \\x1b, until {local}), Other (until \\x1bxxx"
    )
    assert first.endswith("S8, 16 more  twine upload dist/*")
    assert lines[2:] == ["not\\x0afound", r"a\x1b.whl, sha256 ab12", "and 7 more files"]
    assert next(log._told({"time": "x", "secrets": []})) == "x  no secret"


@fewer()
@given(
    line=st.dictionaries(
        st.sampled_from("time secrets outcome files more_files program error line".split()),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["name", "limits", "projects", "expires", "path"]), inner
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_any_line_can_be_shown(line: dict[str, Any]) -> None:
    """Whatever is in the file, the log shows it or passes over it."""
    from secretly.cli import log

    found = log._parsed(json.dumps(line).encode())
    if found is not None:
        assert all("\n" not in part for part in log._told(found))


def test_a_program_that_uses_the_library_leaves_a_receipt_where_one_is_required(
    tmp_path: Path,
) -> None:
    """Each call, also for several secrets; without one it gets nothing."""
    keychain, path = MemoryKeychain(), tmp_path / ".local/state/secretly/receipts.jsonl"
    keychain.items["Example", "ada"] = secretly.Secret("canary-1")
    config = '[secrets.Example]\nusername = "ada"\n'
    with sandbox(keychain=keychain, config=config) as here, account_home(tmp_path):
        assert len(secretly.secret_sync("Example")) == 8
        assert not path.exists()
        context = here._replace(policy=Policy(log="on", needs_receipt=True))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(secretly.api, "context", lambda: context)
            assert len(secretly.secret_sync("Example")) == 8
            with secretly.environment({"X": "Example"}):
                lines = [json.loads(line) for line in path.read_text().splitlines()]
            asked = {"name": "Example", "from": "keychain", "answer": "not asked", "to": []}
            assert [one["secrets"] for one in lines] == [[asked], [asked]]
            assert lines[0]["command"]
            assert "canary" not in path.read_text()
            path.unlink()
            path.mkdir()
            with pytest.raises(Refused, match="the policy requires one"):
                secretly.secret_sync("Example")


@pytest.mark.real
def test_the_policy_says_how_much_is_recorded() -> None:
    """Nothing, everything, or a receipt for each use without exception, whatever is set."""
    with home() as here:
        here.reach("unshare", "mount", "sh")
        words = ["run", "-e", "X=env://VALUE", "--", "sh", "-c", "echo $X"]

        def ran(policy: str) -> Ended:
            start = under_policy(here, policy)
            command = [*start, *SECRETLY, *words]
            environ = {"VALUE": "canary-1", "XDG_STATE_HOME": f"{here.folder}/elsewhere"}
            return here.run_any(command, environ=environ, seconds=2 * PATIENCE)

        path = here.folder / ".local/state/secretly/receipts.jsonl"
        assert ran('log = "off"\n').status == 0
        assert not path.exists()
        assert ran('log = "full"\n').status == 0
        assert json.loads(path.read_text())["line"] == "sh -c 'echo $X'"
        path.unlink()
        assert ran('log = ["full", "required"]\n').status == 0
        assert "line" in json.loads(path.read_text())
        path.unlink()
        path.mkdir()
        done = ran('log = "required"\n')
        assert (done.status, done.stdout) == (125, "")
        assert "the policy requires one" in done.stderr
