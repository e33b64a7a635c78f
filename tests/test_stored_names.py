"""The list of stored names: complete, whole at every moment, and without a value."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretly import testing
from secretly.api import remember
from secretly.errors import KeychainUnavailable, Refused, SecretlyError
from secretly.keeping import name_changes, stored_names
from secretly.keeping.stored_names import NameTable, StoredNames


def in_a_process(script: str, *arguments: str, seconds: float = 60) -> Any:
    """Run a script, which forks as it likes and prints JSON, in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        timeout=seconds,
        check=True,
    )
    return json.loads(done.stdout)


def names(folder: Path) -> list[str]:
    """The names on the list, in its order."""
    return [item.name for item in StoredNames(folder).items()]


def test_entries_are_sorted_by_name(tmp_path: Path) -> None:
    """The entries are in the order of their names, each with its user name and time."""
    stored = StoredNames(tmp_path / "state")
    assert stored.items() == []
    name_changes.add(stored, "b", "user", False)
    name_changes.add(stored, "a", "__token__", True)
    first, second = stored.items()
    assert (first.name, first.username, first.has_own_username) == ("a", "__token__", True)
    assert (second.name, second.username, second.has_own_username) == ("b", "user", False)
    assert second.stored < first.stored


def test_a_secret_stored_again_is_listed_once(tmp_path: Path) -> None:
    """A secret that is stored again has one entry, with the last time."""
    stored = StoredNames(tmp_path)
    name_changes.add(stored, "a", "user", False)
    (before,) = stored.items()
    name_changes.add(stored, "a", "user", True)
    (after,) = stored.items()
    assert after.has_own_username
    assert after.stored > before.stored


def test_the_newest_entry_of_a_name_is_found(tmp_path: Path) -> None:
    """If a name has several user names, the last stored one is found."""
    stored = StoredNames(tmp_path)
    name_changes.add(stored, "a", "first", True)
    name_changes.add(stored, "a", "second", True)
    name_changes.add(stored, "b", "third", True)
    found = stored.find("a")
    assert found is not None
    assert found.username == "second"
    name_changes.add(stored, "a", "first", True)
    found = stored.find("a")
    assert found is not None
    assert found.username == "first"
    assert stored.find("c") is None


def test_a_removed_entry_is_gone(tmp_path: Path) -> None:
    """Removing takes one entry off; removing a missing entry changes nothing."""
    stored = StoredNames(tmp_path)
    name_changes.add(stored, "a", "one", True)
    name_changes.add(stored, "a", "two", True)
    name_changes.remove(stored, "a", "one")
    name_changes.remove(stored, "nothing", "user")
    assert [item.username for item in stored.items()] == ["two"]


def test_difficult_names_survive(tmp_path: Path) -> None:
    """Each name comes back unchanged, whatever characters are in it."""
    stored = StoredNames(tmp_path)
    difficult = [name for name in testing.KeychainContract.DIFFICULT if name]
    for name in difficult:
        name_changes.add(stored, name, name, True)
    assert {item.name for item in stored.items()} == set(difficult)
    assert all(item.name == item.username for item in stored.items())


def test_only_the_user_can_read_the_files(tmp_path: Path) -> None:
    """The folder is 0700 and the files 0600, whatever the umask."""
    folder = tmp_path / "made" / "state"
    before = os.umask(0)
    try:
        os.makedirs(folder.parent, 0o755)
        name_changes.add(StoredNames(folder), "a", "user", True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "kept.tsv").stat().st_mode) == 0o600


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """No list is written where others could replace it."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(Refused) as caught:
        name_changes.add(StoredNames(folder), "a", "user", True)
    assert "chmod" in caught.value.hint
    assert names(folder) == []


def test_no_value_is_in_it() -> None:
    """The list has the name of a stored secret, and nothing of its value."""
    with testing.sandbox() as here:
        asyncio.run(remember("PyPI", "pypi-canary-1234567890"))
        folder = Path(here.stored_names._path).parent
        (item,) = here.stored_names.items()
        assert item.name == "PyPI"
        assert folder.is_dir()
        for path in folder.iterdir():
            assert b"canary" not in path.read_bytes()


def test_the_calls_of_a_program_share_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the list is parsed once for all of them. Another folder has another list."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "one"))
    shared = StoredNames.default()
    assert StoredNames.default() is shared
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "two"))
    assert StoredNames.default().path == str(tmp_path / "two/secretly/kept.tsv")


def test_the_list_knows_each_user_name_of_a_name(tmp_path: Path) -> None:
    """A name is stored for a user name only if the list has both in one entry."""
    stored = StoredNames(tmp_path)
    name_changes.add(stored, "a", "ada", True)
    name_changes.add(stored, "b", "bob", True)
    table = stored.read()
    assert table.has("a", "ada") and table.has("b", "bob")
    assert not table.has("a", "bob") and not table.has("c", "ada")


# -- read once -------------------------------------------------------------------


def settled(folder: Path) -> None:
    """Wait until a change of the file would have another time."""
    until = (folder / "kept.tsv").stat().st_ctime + 0.1
    while time.time() < until:
        time.sleep(0.01)


def test_an_unchanged_list_is_parsed_once(tmp_path: Path) -> None:
    """Reading an unchanged list again returns the same table, and a changed one a new table."""
    name_changes.add(StoredNames(tmp_path), "a", "user", True, "backend")
    settled(tmp_path)
    stored = StoredNames(tmp_path)
    table = stored.read()
    assert stored.read() is table
    assert (table.names, table.backend_of("a", "user")) == (["a"], "backend")
    name_changes.add(stored, "b", "user", True)
    assert stored.read().names == ["a", "b"]


def test_another_processes_change_is_seen(tmp_path: Path) -> None:
    """A list that was already read is read again after another one has changed the file."""
    reader, writer = StoredNames(tmp_path), StoredNames(tmp_path)
    name_changes.add(writer, "a", "user", False)
    for number in range(20):
        assert reader.find("a") == writer.find("a")
        if number % 5 == 0:
            settled(tmp_path)
        name_changes.add(writer, "a", "user", number % 2 == 0)
    name_changes.remove(writer, "a", "user")
    assert reader.items() == []


def test_a_table_answers_without_the_file(tmp_path: Path) -> None:
    """A table that was read stays as it was, whatever happens to the file."""
    stored = StoredNames(tmp_path)
    name_changes.add(stored, "a", "one", True, "first")
    name_changes.add(stored, "a", "two", False)
    table = stored.read()
    (tmp_path / "kept.tsv").unlink()
    newest = table.find("a")
    assert newest is not None
    assert (newest.username, newest.has_own_username) == ("two", False)
    assert [table.backend_of("a", user) for user in ("one", "two", "three")] == ["first", "", ""]
    assert [item.username for item in table.items] == ["one", "two"]
    assert table.find("b") is None
    assert stored.items() == []


def test_a_list_that_others_come_to_write_is_refused(tmp_path: Path) -> None:
    """A list that was read is checked again once its permissions have changed."""
    stored = StoredNames(tmp_path)
    name_changes.add(stored, "a", "user", True)
    settled(tmp_path)
    assert stored.read() is stored.read()
    (tmp_path / "kept.tsv").chmod(0o666)
    with pytest.raises(Refused):
        stored.read()


# -- many at the same time ---------------------------------------------------------


@pytest.mark.process
def test_fifty_processes_lose_nothing(tmp_path: Path) -> None:
    """If fifty processes store at the same moment, the entries of all are listed."""
    script = """
    import json, os, sys
    from pathlib import Path
    from secretly.keeping import name_changes
    from secretly.keeping.stored_names import StoredNames
    ready, go = os.pipe(), os.pipe()
    children = []
    for number in range(50):
        child = os.fork()
        if child == 0:
            try:
                os.close(go[1])
                os.write(ready[1], b".")
                os.read(go[0], 1)
                stored = StoredNames(Path(sys.argv[1]))
                for turn in range(4):
                    name_changes.add(stored, f"name-{number}-{turn}", "user", True)
                name_changes.remove(stored, f"name-{number}-0", "user")
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(child)
    waiting = 50
    while waiting:
        waiting -= len(os.read(ready[0], waiting))
    os.close(go[1])
    print(json.dumps([os.waitpid(child, 0)[1] for child in children]))
    """
    assert in_a_process(script, os.fspath(tmp_path / "state")) == [0] * 50
    expected = {f"name-{n}-{turn}" for n in range(50) for turn in range(1, 4)}
    assert set(names(tmp_path / "state")) == expected


@pytest.mark.process
def test_readers_always_see_a_whole_list(tmp_path: Path) -> None:
    """While the list is being rewritten, each reader gets the old one or the new one."""
    script = """
    import json, os, signal, sys
    from pathlib import Path
    from secretly.keeping import name_changes
    from secretly.keeping.stored_names import StoredNames
    stored = StoredNames(Path(sys.argv[1]))
    name_changes.add(stored, "always", "user", True)
    parent, number = os.getpid(), 0
    child = os.fork()
    if child == 0:
        while os.getppid() == parent:
            name_changes.add(stored, f"name-{number}", "user", True)
            number += 1
        os._exit(0)
    sizes = []
    try:
        while len(set(sizes)) < 15:
            found = [item.name for item in stored.items()]
            assert "always" in found
            sizes.append(len(found))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(json.dumps(sizes))
    """
    sizes = in_a_process(script, os.fspath(tmp_path))
    assert sizes == sorted(sizes)
    assert max(sizes) > 1


# -- crashes -----------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.outside
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """After kill -9 at any moment the list is whole, and has everything that was added."""
    script = """
    import json, os, random, signal, sys, time
    from pathlib import Path
    from secretly.keeping import name_changes
    from secretly.keeping.stored_names import StoredNames
    stored = StoredNames(Path(sys.argv[1]))
    random.seed(1)
    lost, added = [], 0
    for round in range(60):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            number = 0
            while True:
                name_changes.add(stored, f"name-{round}-{number}", "user", True)
                os.write(writing, b".")
                number += 1
        os.close(writing)
        os.read(reading, 1)
        time.sleep(random.random() * 0.004)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told = 1
        while chunk := os.read(reading, 65536):
            told += len(chunk)
        os.close(reading)
        found = {item.name for item in stored.items()}
        lost += [n for n in range(told) if f"name-{round}-{n}" not in found]
        added += told
    print(json.dumps({"lost": lost, "added": added, "files": sorted(os.listdir(sys.argv[1]))}))
    """
    found = in_a_process(script, os.fspath(tmp_path))
    assert found["lost"] == []
    assert found["added"] >= 60
    # A crash leaves one unfinished file behind at most, and it is used again.
    assert set(found["files"]) <= {"kept.tsv", "kept.lock", "kept.new"}


@pytest.mark.process
@pytest.mark.outside
@pytest.mark.timeout(400)
def test_killed_before_and_after_each_system_call(tmp_path: Path) -> None:
    """Wherever the process dies, it leaves the old list or the new one, and both still work."""
    script = """
    import json, os, signal, sys
    from pathlib import Path
    from secretly.keeping import name_changes
    from secretly.keeping.stored_names import StoredNames
    folder = Path(sys.argv[1])
    stored = StoredNames(folder)
    calls = set()

    def attempt(step):
        # Die at the step'th call into C (which every system call is) or return from one.
        count = 0
        def profile(frame, event, argument):
            nonlocal count
            if event.startswith("c_"):
                count += 1
                if count == step:
                    os.write(writing, getattr(argument, "__name__", "?").encode())
                    os.kill(os.getpid(), signal.SIGKILL)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            sys.setprofile(profile)
            name_changes.add(stored, "new", "user", True)
            sys.setprofile(None)
            os._exit(0)
        os.close(writing)
        status = os.waitpid(child, 0)[1]
        calls.add(os.read(reading, 100).decode())
        os.close(reading)
        return status

    name_changes.add(stored, "old", "user", True)
    seen, wrong, step, status = {}, [], 0, None
    while status != 0:
        step += 1
        status = attempt(step)
        found = sorted(item.name for item in stored.items())
        seen[" ".join(found)] = seen.get(" ".join(found), 0) + 1
        if status not in (0, 9):
            wrong.append([step, status])
        name_changes.remove(stored, "new", "user")
        if [item.name for item in stored.items()] != ["old"]:
            wrong.append([step, "not repaired"])
    print(json.dumps({"seen": seen, "wrong": wrong, "calls": sorted(calls), "steps": step}))
    """
    found = in_a_process(script, os.fspath(tmp_path), seconds=300)
    assert found["wrong"] == []
    assert set(found["seen"]) == {"old", "new old"}
    assert min(found["seen"].values()) > 1
    assert {"open", "flock", "write", "fsync", "replace"} <= set(found["calls"])
    assert names(tmp_path) == ["old"]


@pytest.mark.process
def test_a_full_disk_leaves_the_old_list(tmp_path: Path) -> None:
    """A failed write is an error with a hint, and leaves the list unchanged."""
    script = """
    import json, resource, signal, sys
    from pathlib import Path
    from secretly import KeychainUnavailable
    from secretly.keeping import name_changes
    from secretly.keeping.stored_names import StoredNames
    stored = StoredNames(Path(sys.argv[1]))
    name_changes.add(stored, "old", "user", True)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
    try:
        name_changes.add(stored, "new", "user", True)
    except KeychainUnavailable as error:
        message = [str(error), error.hint]
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    print(json.dumps(message))
    """
    message, hint = in_a_process(script, os.fspath(tmp_path))
    assert os.fspath(tmp_path) in message
    assert hint
    assert names(tmp_path) == ["old"]


HEAD = b"name\tusername\town\tstored\tkeeper"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b"name\tusername\n",
        HEAD,
        HEAD + b"\na",
        HEAD + b"\na\tb\tyes\tnow\n",
        HEAD + b"\na\tb\tperhaps\tnow\t\n",
        HEAD + b"\na\tb\tyes\tnow\t\\x\n",
        HEAD + b"\na\tb\tyes\tnow\t\tmore\n",
        HEAD + b"\na\tb\tyes\tnow\t\nc\td\xe9\tyes\tnow\t\n",
        HEAD + b"s\na\tb\tyes\tnow\t\n",
    ],
    ids=range(12),
)
def test_a_broken_list_is_an_error_that_loses_nothing(tmp_path: Path, content: bytes) -> None:
    """A corrupt list is named in the error, and neither deleted nor overwritten."""
    path = tmp_path / "kept.tsv"
    path.write_bytes(content)
    stored = StoredNames(tmp_path)
    for call in (
        stored.items,
        lambda: stored.find("a"),
        lambda: name_changes.add(stored, "a", "user", True),
        lambda: name_changes.remove(stored, "a", "user"),
    ):
        with pytest.raises(KeychainUnavailable) as caught:
            call()
        assert os.fspath(path) in str(caught.value)
        assert caught.value.hint
        assert path.read_bytes() == content


FIELDS = st.lists(
    st.sampled_from([b"yes", b"no", b"name", b"", b"\\x", b"\\ud800", b"\\N{", b"\\"])
    | st.text(max_size=4).map(str.encode),
    max_size=6,
).map(b"\t".join)
TEXTS = st.binary(max_size=4) | st.just(b"a") | st.just(b"\\t\\n\\u20ac\\U0001f600\\d")
WHOLE = st.tuples(TEXTS, TEXTS, st.sampled_from([b"yes", b"no"]), TEXTS, TEXTS).map(b"\t".join)


@pytest.mark.filterwarnings("ignore:invalid .*escape:DeprecationWarning")  # \\d is read as it is
@pytest.mark.parser("the list of stored names")
@given(
    content=st.lists(WHOLE | FIELDS, max_size=4).map(lambda ls: b"\n".join([HEAD, *ls, b""]))
    | st.binary(max_size=60)
)
def test_any_bytes_are_a_list_or_an_error(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever bytes the file has, reading gives the list or secretly's own error."""
    folder = tmp_path_factory.getbasetemp()
    (folder / "kept.tsv").write_bytes(content)
    try:
        found = StoredNames(folder).items()
    except KeychainUnavailable as error:
        assert error.hint
    else:
        assert len(found) == content.count(b"\n") - 1
        for item in found:
            assert isinstance(item.has_own_username, bool)
            texts = (item.name, item.username, item.stored, item.backend)
            assert all(isinstance(text, str) for text in texts)


def parsed(parse: Callable[[list[str]], object], lines: list[str]) -> object:
    """What a function makes of the lines of a list; None if it refuses them."""
    try:
        return parse(lines)
    except (ValueError, DeprecationWarning):
        return None


@pytest.mark.filterwarnings("ignore:invalid .*escape:DeprecationWarning")
@given(lines=st.lists((WHOLE | FIELDS).map(os.fsdecode), max_size=6))
def test_lines_that_are_split_together_say_the_same(lines: list[str]) -> None:
    """Lines are parsed together in a third less time, and the result is that of each alone."""
    together = parsed(stored_names._rows, lines)
    assert together == parsed(lambda them: list(map(stored_names._row, them)), lines)


@given(
    lines=st.lists(WHOLE.map(lambda line: line.decode("ascii", "ignore")), max_size=6),
    more=st.text(alphabet="a\t\nbé\\", max_size=3),
)
@pytest.mark.filterwarnings("ignore:invalid .*escape:DeprecationWarning")
def test_a_name_is_found_in_the_bytes_as_in_the_parsed_list(lines: list[str], more: str) -> None:
    """The first searches don't parse the list, and say the same as the later ones."""
    lines = [line for line in lines if "\n" not in line and line.count("\t") == 4]
    data = b"\n".join((HEAD, *map(str.encode, lines), b""))
    whole = NameTable(data)
    try:
        known = whole.names
    except ValueError:  # an escape that is none
        return
    for name in {*known, more, f"a{more}", ""}:
        few = NameTable(data)
        assert few.find(name) == whole.find(name)
        assert few.usernames(name) == whole.usernames(name)
        assert few.is_sealed(name) == whole.is_sealed(name)
        for user in (*whole.usernames(name), "somebody"):
            assert NameTable(data).has(name, user) == whole.has(name, user)
            assert NameTable(data).backend_of(name, user) == whole.backend_of(name, user)


def test_a_damaged_line_spoils_only_its_own_name(tmp_path: Path) -> None:
    """The others are found. Whether another name is there can't be said, and nothing is written."""
    path = tmp_path / "kept.tsv"
    path.write_bytes(HEAD + b"\na\tuser\tno\tnow\tx\nb\tuser\tperhaps\tnow\tx\n")
    stored = StoredNames(tmp_path)
    assert stored.usernames("a") == ["user"]
    for call in (
        lambda: stored.find("b"),
        lambda: stored.find("c"),
        stored.items,
        lambda: name_changes.add(stored, "c", "user", True),
    ):
        with pytest.raises(KeychainUnavailable):
            call()


def test_an_older_line_does_not_stand_for_a_damaged_newer_one(tmp_path: Path) -> None:
    """A line without its columns may be that of any name."""
    lines = b"\na new now x\na\tuser\tno\tbefore\tx\n"
    (tmp_path / "kept.tsv").write_bytes(HEAD + lines)
    with pytest.raises(KeychainUnavailable):
        StoredNames(tmp_path).find("a")


def test_many_searches_parse_the_list_once() -> None:
    """A program may ask for all of a thousand names."""
    lines = (b"%d\tuser\tno\tnow\tx" % number for number in range(1000))
    table = NameTable(b"\n".join((HEAD, *lines, b"")))
    assert all(table.usernames(str(number)) == ["user"] for number in range(1000))
    assert table._parsed is not None


def test_lines_with_and_without_escapes_keep_their_order(tmp_path: Path) -> None:
    """Sealed secrets and names with escapes are between the others, each with its own line."""
    stored = StoredNames(tmp_path)
    for name in ("a", "b\t", "c", "d", "e\u20ac", "f"):
        name_changes.add(stored, name, f"user of {name}", True, "backend", sealed=name in "ad")
    table = stored.read()
    assert [(one.name, one.sealed) for one in table.items] == [
        *(("a", True), ("b\t", False), ("c", False)),
        *(("d", True), ("e\u20ac", False), ("f", False)),
    ]
    assert all(table.usernames(one.name) == [f"user of {one.name}"] for one in table.items)
    assert table.is_sealed("d") and not table.is_sealed("c")


def test_a_list_that_is_not_a_file(tmp_path: Path) -> None:
    """A folder or a link in place of a file is an error, and is never followed or removed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    state = tmp_path / "state"
    (state / "kept.tsv").mkdir(parents=True)
    with pytest.raises(SecretlyError):
        name_changes.add(StoredNames(state), "a", "user", True)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "kept.new").symlink_to(elsewhere)
    with pytest.raises(KeychainUnavailable):
        name_changes.add(StoredNames(linked), "a", "user", True)
    assert elsewhere.read_text() == "precious"


def test_a_pipe_in_the_place_of_the_list_is_not_read(tmp_path: Path) -> None:
    """Not even a pipe that another process holds open: reading would never end."""
    os.mkfifo(tmp_path / "kept.tsv", 0o600)
    writer = os.open(tmp_path / "kept.tsv", os.O_RDWR)
    try:
        with pytest.raises(KeychainUnavailable):
            StoredNames(tmp_path).items()
    finally:
        os.close(writer)


def test_the_format_of_the_file(tmp_path: Path) -> None:
    """The first line names the columns; each entry is a line."""
    name_changes.add(
        StoredNames(tmp_path), "Py\tPI \u20ac", "__token__", True, "keyring.backends.X"
    )
    head, line, end = (tmp_path / "kept.tsv").read_bytes().split(b"\n")
    assert (head, end) == (HEAD, b"")
    name, username, own, stored, backend = line.decode("ascii").split("\t")
    assert (name, username, own) == (r"Py\tPI \u20ac", "__token__", "yes")
    assert (len(stored), backend) == (32, "keyring.backends.X")
