"""``secretly import`` and ``secretly doctor --plaintext``: as commands, and killed at any point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokens
from command import PATIENCE, SECRETLY, Ended, Home, ended, files_with, home, quick, wait_until
from conftest import Tried
from secretservice import secret_service
from test_publishing import FILE, project, publish, tool

from secretly.testing import FakePinentry

pytestmark = [pytest.mark.process]

CANARY = "canary-5e81"
PYPI = f"pypi-{CANARY}-{'x' * 40}1"

PYPIRC = f"""\
# mine
[distutils]
index-servers = pypi mine
[pypi]
username = __token__
password = {PYPI}
[mine]
repository = http://127.0.0.1:1/
username = ada
password: {CANARY}-mine
"""
LEFT = PYPIRC.replace(f"password = {PYPI}\n", "").replace(f"password: {CANARY}-mine\n", "")


@pytest.fixture(name="here")
def _here() -> Iterator[Home]:
    with quick() as found:
        found.keep_in_a_file()
        yield found


def write(here: Home, name: str, text: str) -> Path:
    """Write a file in the home."""
    path = here.folder / name
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def kept(here: Home) -> dict[tuple[str, str], str]:
    """What is in the keychain."""
    path = here.folder / "keychain.json"
    items = json.loads(path.read_text()) if path.exists() else {}
    return {tuple(json.loads(key)): value for key, value in items.items()}


def shows_no_value(done: Ended) -> None:
    """Nothing that was printed has a value, or a traceback."""
    for text in (done.stdout, done.stderr):
        assert CANARY not in text
        assert "Traceback" not in text
        assert "an error in secretly" not in text


def test_the_secrets_of_a_file_move_to_the_keychain(here: Home) -> None:
    """Each with its user name; the other bytes stay; a second run changes nothing."""
    path = write(here, ".pypirc", PYPIRC)
    done = here.run("import", "--yes", ".pypirc")
    shows_no_value(done)
    assert (done.status, done.stderr) == (0, "")
    assert kept(here) == {("PyPI", "__token__"): PYPI, ("mine", "ada"): f"{CANARY}-mine"}
    assert path.read_text() == LEFT
    assert "secretly run twine upload -r mine" in done.stdout
    assert "revoke" in done.stdout
    again = here.run("import", "--yes", ".pypirc")
    assert (again.status, path.read_text()) == (0, LEFT)
    assert here.run("get", "mine").stdout == f"{CANARY}-mine\n"


def test_an_env_file_gets_references_that_run_resolves(here: Home) -> None:
    """Named after its folder."""
    path = write(here, "proj/.env", f"A=1\nDB_PASSWORD='{CANARY}' # x\n")
    shows_no_value(here.run("import", "--yes", "proj/.env"))
    assert path.read_text() == "A=1\nDB_PASSWORD=secretly://proj/DB_PASSWORD # x\n"
    done = here.run("run", "--env-file", "proj/.env", "sh", "-c", 'echo "$A $DB_PASSWORD"')
    assert done.stdout == f"1 {CANARY}\n"


def test_a_bare_token_goes_with_its_file(here: Home) -> None:
    """Under the name that is given."""
    path = write(here, "token", f"{CANARY}\n")
    done = here.run("import", "--yes", "token", "--as", "Mine")
    shows_no_value(done)
    assert (done.status, path.exists()) == (0, False)
    assert list(kept(here).values()) == [CANARY]


@pytest.mark.parametrize("option", ["--dry-run", "--keep-file"])
def test_a_file_that_is_to_stay_stays(here: Home, option: str) -> None:
    """With ``--keep-file`` its secrets are stored."""
    path = write(here, ".pypirc", PYPIRC)
    done = here.run("import", "--yes", option, ".pypirc")
    shows_no_value(done)
    assert (done.status, path.read_text()) == (0, PYPIRC)
    assert bool(kept(here)) == (option == "--keep-file")


@pytest.mark.parametrize(("answer", "status"), [(True, 0), (False, 130)])
def test_you_are_asked_before_a_file_is_changed(here: Home, answer: bool, status: int) -> None:
    """No leaves all as it is."""
    path = write(here, ".pypirc", PYPIRC)
    with FakePinentry([answer]) as pinentry:
        done = here.run("import", ".pypirc", environ=pinentry.environ)
        assert len(pinentry.prompts) == 1
    shows_no_value(done)
    assert (done.status, path.read_text()) == (status, LEFT if answer else PYPIRC)
    assert bool(kept(here)) == answer


def test_a_failure_that_is_not_about_the_file_ends_all(here: Home) -> None:
    """No pinentry answers: the other file's question is not asked."""
    write(here, ".pypirc", PYPIRC)
    write(here, ".cargo/credentials.toml", f'[registry]\ntoken = "{CANARY}"\n')
    with FakePinentry([[("kill", 9)], True]) as pinentry:
        done = here.run("import", environ=pinentry.environ)
        assert len(pinentry.prompts) == 1
    shows_no_value(done)
    assert (done.status, kept(here)) == (1, {})


@pytest.mark.parametrize("username", ["ada", "bo"])
def test_it_stops_where_another_value_is_stored(here: Home, username: str) -> None:
    """Of the same user, or of another one. Nothing is stored, and the file stays."""
    path = write(here, ".pypirc", PYPIRC)
    here.run("set", "mine", "--username", username, "--stdin", stdin="other")
    done = here.run("import", "--yes", ".pypirc")
    shows_no_value(done)
    assert (done.status, path.read_text()) == (1, PYPIRC)
    assert kept(here) == {("mine", username): "other"}
    assert len(done.stderr.splitlines()) == 2
    assert "secretly forget mine" in done.stderr


def test_the_same_value_may_be_stored_already(here: Home) -> None:
    """Then the file alone changes."""
    path = write(here, ".pypirc", PYPIRC)
    here.run("set", "mine", "--username", "ada", "--stdin", stdin=f"{CANARY}-mine")
    assert here.run("import", "--yes", ".pypirc").status == 0
    assert path.read_text() == LEFT


def test_a_link_stays_and_its_file_changes(here: Home) -> None:
    """As in a folder of dotfiles."""
    path = write(here, "dotfiles/pypirc", PYPIRC)
    (here.folder / ".pypirc").symlink_to(path)
    assert here.run("import", "--yes").status == 0
    assert (here.folder / ".pypirc").is_symlink()
    assert path.read_text() == LEFT
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_under_version_control_is_refused_unless_said(here: Home) -> None:
    """git's history keeps the secret: secretly says so."""
    need_git()
    path = write(here, "dotfiles/.pypirc", PYPIRC)
    git(path.parent, "init", "-q")
    assert here.run("import", "--yes", "--dry-run", str(path)).status == 0
    git(path.parent, "add", ".pypirc")
    git(path.parent, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "x")
    done = here.run("import", "--yes", str(path))
    assert (done.status, path.read_text(), kept(here)) == (1, PYPIRC, {})
    assert "version control" in done.stderr
    done = here.run("import", "--yes", "--tracked", str(path))
    assert (done.status, path.read_text()) == (0, LEFT)
    assert "history" in done.stdout


@pytest.mark.parametrize("place", [".cfg", ".local/share/yadm/repo.git"])
def test_a_file_in_a_repository_of_settings_is_refused_unless_said(here: Home, place: str) -> None:
    """Such a one has no ``.git`` in the home."""
    path, folder = write(here, ".pypirc", PYPIRC), here.folder / place
    git = ["git", "--git-dir", str(folder), "--work-tree", str(here.folder)]
    here.run_any(["git", "init", "-q", "--bare", str(folder)])
    here.run_any([*git, "add", ".pypirc"])
    done = here.run("import", "--yes", ".pypirc")
    shows_no_value(done)
    assert (done.status, path.read_text(), kept(here)) == (1, PYPIRC, {})
    assert "under version control" in done.stderr
    here.run_any([*git, "rm", "-q", "--cached", ".pypirc"])
    assert here.run("import", "--yes", ".pypirc").status == 0


def test_git_gets_no_value(here: Home) -> None:
    """Neither as an argument, nor in a variable, nor as input. What it says decides."""
    path = write(here, "dotfiles/.pypirc", PYPIRC)
    (path.parent / ".git").mkdir()
    here.program("git", '#!/bin/sh\n{ echo "$@"; env; cat; } >> "$HOME/seen"; exit $STATUS\n')
    for status in ("128", "1"):  # it can't tell; it has no such file
        done = here.run("import", "--yes", str(path), environ={"STATUS": status})
        shows_no_value(done)
        assert (done.status, path.read_text()) == ((0, LEFT) if status == "1" else (1, PYPIRC))
    seen = (here.folder / "seen").read_text()
    assert "ls-files" in seen
    assert CANARY not in seen


def need_git() -> None:
    """Skip where git is not installed."""
    if not any(os.access(f"{f}/git", os.X_OK) for f in os.defpath.split(":")):
        pytest.skip("needs git")


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, with no settings but the repository's."""
    environ = {"PATH": os.defpath, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *words], cwd=folder, env=environ, check=True, timeout=30)


def test_one_file_that_is_refused_does_not_keep_the_others(here: Home) -> None:
    """The status says that something stayed."""
    path = write(here, ".pypirc", PYPIRC)
    other = write(here, ".cargo/credentials.toml", f'[registry]\ntoken = "{CANARY}"\n')
    os.link(path, here.folder / "other")
    done = here.run("import", "--yes")
    shows_no_value(done)
    assert (done.status, path.read_text(), other.read_text()) == (1, PYPIRC, "[registry]\n")
    assert "hard links" in done.stderr


def test_in_a_pipe_an_error_comes_after_its_file(here: Home) -> None:
    """Where both streams are one, as in a log."""
    write(here, ".pypirc", PYPIRC)
    os.link(here.folder / ".pypirc", here.folder / "other")
    words = [*SECRETLY, "import", "--yes", ".pypirc"]
    process = here.start(words, stderr=subprocess.STDOUT)
    with ended(process):
        printed = process.communicate(timeout=PATIENCE)[0]
    assert 0 < printed.index(b"  line 6: ") < printed.index(b"hard links"), printed


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (2, ["nowhere"]),
        (2, ["unknown"]),
        (2, ["--as", "Name"]),
        (2, ["unknown", "--as", "op://x/y"]),
        (1, ["unknown", "--as", "Name"]),
        (1, ["--no-input", ".pypirc"]),
        (1, ["--yes", "broken.pypirc"]),
    ],
)
def test_each_failure_has_its_status_and_two_lines(
    here: Home, status: int, arguments: list[str]
) -> None:
    """And nothing changes."""
    write(here, ".pypirc", PYPIRC)
    write(here, "unknown", f"two words {CANARY}\n")
    write(here, "broken.pypirc", f"{CANARY}\n")
    done = here.run("import", *arguments)
    shows_no_value(done)
    assert done.status == status
    assert len(done.stderr.splitlines()) == 2
    assert kept(here) == {}


def test_what_else_has_the_secret_is_named(here: Home) -> None:
    """Copies, other files with the same value, and start-up files that read the file."""
    write(here, "proj/.env", f"GH_TOKEN={CANARY}\n")
    write(here, "proj/.env~", "")
    write(here, ".bashrc", f"export GITHUB_TOKEN={CANARY}\nsource ~/proj/.env\n")
    done = here.run("import", "--yes", "proj/.env")
    shows_no_value(done)
    assert "proj/.env~ may be a copy" in done.stdout
    assert "the same secret is in ~/.bashrc:1" in done.stdout
    assert "~/.bashrc reads this file" in done.stdout


def test_a_file_that_secretly_cannot_change_stays(here: Home) -> None:
    """Each secret with the reason. So does one whose change its programs would see otherwise."""
    path = write(here, ".netrc", f"machine h login a password {CANARY}\n")
    done = here.run("import", "--yes", ".netrc")
    shows_no_value(done)
    assert done.status == 1
    assert " stays: " in done.stdout
    assert CANARY in path.read_text()


def test_what_else_reads_the_file_is_said(here: Home) -> None:
    """compose would give the reference to its containers."""
    write(here, "proj/.env", f"GH_TOKEN={CANARY}\n")
    write(here, "proj/compose.yaml", "services: {a: {env_file: .env}}\n")
    done = here.run("import", "--yes", "proj/.env")
    shows_no_value(done)
    assert "  note: compose.yaml" in done.stdout


def test_doctor_finds_what_lies_in_plain_text(here: Home) -> None:
    """Files, what start-up files lead to, and variables, each with the command that moves it."""
    here.environ["PATH"] = os.defpath  # it names no folder of the home
    clean = here.run("doctor", "--plaintext")
    assert (clean.status, clean.stdout.count("\n")) == (0, 1)
    write(here, ".pypirc", PYPIRC)
    write(here, ".netrc", f"machine h login a password {CANARY}\n")
    write(here, ".bashrc", "source ~/.mine\nexport HF_TOKEN=$(cat ~/.hf)\n")
    write(here, ".mine", f"export GH_TOKEN={CANARY}\n")
    write(here, ".hf", f"{CANARY}\n")
    write(here, "proj/.env", f"A_TOKEN={CANARY}\n")
    write(here, "proj/.env.example", f"A_TOKEN={CANARY}\n")
    done = here.run(
        "doctor", "--plaintext", environ={"OPENAI_API_KEY": CANARY}, cwd=here.folder / "proj"
    )
    shows_no_value(done)
    assert done.status == 1
    lines = done.stdout.splitlines()
    for place, advice in {
        "~/.pypirc:6": "secretly import ~/.pypirc",
        "~/.netrc:1": "can't take its place",
        "~/.mine:1": "secretly import ~/.mine",
        "~/.hf:1": "secretly import ~/.hf --as 'Hugging Face'",
        "~/proj/.env:1": "secretly import ~/proj/.env",
        "$OPENAI_API_KEY": "secretly set OpenAI",
    }.items():
        (at,) = (n for n, line in enumerate(lines) if line.startswith(f"!!  {place} "))
        assert advice in lines[at + 1]
    assert "example" not in done.stdout


# -- killed ----------------------------------------------------------------------

#: Runs ``secretly import`` in homes, each in a process of its own, which is killed at one of the
#: calls that storing and replacing make. A whole run prints the calls.
_KILLED = """
import os, signal, sys, threading
import keyring.core, twisted.internet.reactor
import secretly.keeping.backends, secretly.plaintext.surveying
from secretly.cli import main
PARTS = ("replacing.py", "storing.py", "name_changes.py", "keychain.py", "keyring_calls.py")

def run(home, point):
    os.environ.update(HOME=home, XDG_STATE_HOME=home + "/state")
    os.environ.update(TEST_KEYCHAIN=home + "/keychain.json")
    os.chdir(home)
    calls, own = [], os.getpid()  # the hook goes along into other processes
    def hook(frame, event, argument):
        if event == "c_call" and os.getpid() == own and frame.f_code.co_filename.endswith(PARTS):
            calls.append(os.path.basename(frame.f_code.co_filename) + ":" + argument.__name__)
            if len(calls) == point:
                os.kill(os.getpid(), signal.SIGKILL)
    threading.setprofile(hook)
    sys.setprofile(hook)
    main(["import", "--yes", ".pypirc"])
    sys.setprofile(None)
    print("calls", *calls, flush=True)
    os._exit(0)

for home, point in zip(sys.argv[2:], map(int, sys.argv[1].split(","))):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        run(home, point)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def import_in_homes(here: Home, points: list[int]) -> tuple[list[Path], str]:
    """Import the same file in a home for each point, and kill it there; 0 kills nothing."""
    homes = [here.folder / f"home{point}" for point in points]
    for one in homes:
        one.mkdir()
        (one / ".pypirc").write_text(PYPIRC)
        (one / ".pypirc").chmod(0o640)
    line = [sys.executable, "-c", _KILLED, ",".join(map(str, points)), *map(str, homes)]
    done = here.run_any(line, seconds=100)
    ended = [int(x.split()[1]) for x in done.stdout.splitlines() if x.startswith("ended")]
    assert ended == [-9 if point else 0 for point in points], done.stderr[-2000:]
    return homes, done.stdout


def test_killed_at_any_point_it_loses_nothing_and_leaves_no_file(tried: Tried) -> None:
    """At 20 points, half of them while the file is replaced. The next run completes it."""
    with home() as here:
        here.keep_in_a_file()
        (whole,), said = import_in_homes(here, [0])
        calls = said.partition("calls ")[2].split("\n")[0].split(" ")
        replacing = [n for n, call in enumerate(calls, 1) if call.startswith("replacing")]
        others = [n for n in range(1, len(calls) + 1) if n not in replacing]
        points = [
            numbers[len(numbers) * n // 10] for numbers in (others, replacing) for n in range(10)
        ]
        assert "replacing.py:replace" in calls
        started = time.monotonic()
        homes, _ = import_in_homes(here, points)
        took = time.monotonic() - started
        assert {nothing_is_lost(one) for one in homes} == {PYPIRC, LEFT}
        again = homes[::4]
        import_again(here, again)
        for one in (whole, *again):
            assert (one / ".pypirc").read_text() == LEFT
            assert (one / ".pypirc").stat().st_mode & 0o777 == 0o640
            assert files_with(CANARY, one) == [one / "keychain.json"]
    tried("killed with -9", "import: 20 points", "nothing is lost, nothing is left", took)


def nothing_is_lost(one: Path) -> str:
    """Check that no secret is lost and no other file is left; return what the file has."""
    wait_until(lambda: not [n for n in os.listdir(one) if ".secretly-" in n])
    text = (one / ".pypirc").read_text()
    stored = (one / "keychain.json").read_text() if (one / "keychain.json").exists() else ""
    for secret in (PYPI, f"{CANARY}-mine"):
        assert secret in text or secret in stored
    assert set(os.listdir(one)) <= {".pypirc", "keychain.json", "state", "__pycache__"}
    return text


def import_again(here: Home, homes: list[Path]) -> None:
    """Run it again in the same homes, and let it end."""
    line = [sys.executable, "-c", _KILLED, ",".join("0" for _ in homes), *map(str, homes)]
    done = here.run_any(line, seconds=100)
    assert done.stdout.count("ended 0") == len(homes), done.stderr[-2000:]


# -- with the real parts ---------------------------------------------------------


@pytest.mark.real
@pytest.mark.outside
def test_twine_uploads_with_the_imported_secret_and_not_without_secretly() -> None:
    """Without the key, the bare twine sends nothing: it has no password."""
    with home() as here, tokens.warehouse("ada") as index:
        here.keep_in_a_file()
        (here.folder / "demo").mkdir()
        project(here.folder / "demo")
        listed = f"[distutils]\nindex-servers = corp\n[corp]\nrepository = {index.url}\n"
        secret = index.token()
        write(here, ".pypirc", f"{listed}username = ada\npassword = {secret}\n")
        assert here.run("import", "--yes").status == 0
        assert (here.folder / ".pypirc").read_text() == f"{listed}username = ada\n"
        twine = [tool("twine"), "upload", "--non-interactive", "-r", "corp", FILE]
        bare = here.run_any(twine, cwd=here.folder / "demo")
        assert bare.status != 0
        assert index.uploads == []
        done = publish(here, twine, {}, "--no-confirm")
        assert done.status == 0, done
        assert [(one.username, one.status) for one in index.uploads] == [("ada", 200)]


@pytest.mark.real
def test_secrets_move_to_the_real_keychain() -> None:
    """It reads each back before it changes the file."""
    with secret_service() as service, quick() as here:
        here.environ |= service.environ | {"HOME": str(here.folder)}
        path = write(here, ".pypirc", PYPIRC)
        done = here.run("import", "--yes", ".pypirc")
        shows_no_value(done)
        assert (done.status, path.read_text()) == (0, LEFT), done
        assert here.run("get", "PyPI").stdout == f"{PYPI}\n"
        assert here.run("import", "--yes", ".pypirc").status == 0


# -- refusals that leave everything as it is -------------------------------------


@pytest.mark.parametrize(
    ("configured", "name", "text", "said"),
    [
        ('[secrets.PyPI]\nsource = "env://X"\n', ".pypirc", PYPIRC, "is configured to come from"),
        ('[secrets.Mine]\nprefix = "good-"\n', "mine", f"{CANARY}\n", "can't be stored as it is"),
    ],
)
def test_a_secret_that_would_not_be_found_again_is_refused(
    here: Home, configured: str, name: str, text: str, said: str
) -> None:
    """``run`` would look elsewhere, or refuse it. The file stays as it is."""
    here.configure(here.config.read_text() + configured)
    path = write(here, name, text)
    words = ("--as", "Mine") if name == "mine" else ()
    done = here.run("import", "--yes", name, *words)
    shows_no_value(done)
    assert (done.status, said in done.stderr) == (1, True)
    assert path.read_text() == text
    assert kept(here) == {}


def test_a_file_that_its_programs_could_not_read_is_refused(here: Home) -> None:
    """Neither is its text quoted."""
    path = write(here, ".pypirc", f"[pypi]\npassword = {CANARY}\n[pypi]\n{CANARY}\n")
    path.write_bytes(path.read_bytes() + b"\xff\n")
    done = here.run("import", "--yes", ".pypirc")
    shows_no_value(done)
    assert done.status == 1
    assert "can't read .pypirc" in done.stderr
    assert done.stderr.count("\n") == 2


def test_without_files_the_usual_ones_are_searched(here: Home) -> None:
    """Without any, the line says where else to look."""
    done = here.run("import")
    assert (done.status, done.stderr) == (0, "")
    assert "secretly doctor --plaintext" in done.stdout
    path = write(here, ".pypirc", PYPIRC)
    assert here.run("import", "--yes").status == 0
    assert path.read_text() == LEFT


def test_doctor_prints_json_of_what_lies_in_plain_text(here: Home) -> None:
    """The places, kinds and advice of the text, and no value."""
    here.environ["PATH"] = os.defpath
    clean = here.run("doctor", "--plaintext", "--json")
    assert json.loads(clean.stdout) == {"version": 1, "good": True, "found": []}
    write(here, ".pypirc", PYPIRC)
    done = here.run("doctor", "--plaintext", "--json")
    shows_no_value(done)
    found = json.loads(done.stdout)
    assert (done.status, found["good"], len(found["found"])) == (1, False, 2)
    assert found["found"][0]["place"] == "~/.pypirc:6"
    assert found["found"][0]["advice"] == "secretly import ~/.pypirc"
    assert set(found["found"][0]) == {"place", "what", "advice"}
