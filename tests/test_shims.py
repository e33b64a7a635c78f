"""``secretly shim``: small programs for a command's profiles."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokens
from command import PATIENCE, SECRETLY, Ended, Home, ended, quick
from conftest import need

from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

PROFILES = """
[commands.twine.profiles.dev]
env = { TWINE_USERNAME = "root", TWINE_PASSWORD = "", TWINE_REPOSITORY_URL = "http://127.0.0.1:9/" }

[commands.twine.profiles.prod]
env = { TWINE_USERNAME = "ada", TWINE_REPOSITORY_URL = "http://127.0.0.1:8/" }
secrets = { TWINE_PASSWORD = "env://VALUE" }
"""

#: A twine that says what it got: its variables, each argument in quotes, and its input.
TWINE = """#!/bin/sh
echo "$TWINE_USERNAME:$TWINE_PASSWORD@$TWINE_REPOSITORY_URL"
for word; do printf '<%s>' "$word"; done
echo
if [ "$1" = cat ]; then shift; cat; fi
if [ "$1" = fail ]; then exit "$2"; fi
exit 0
"""

UPLOAD = "dist/demo-1.0-py3-none-any.whl"
DEV = "root:@http://127.0.0.1:9/\n"


class Shims:
    """A home with a twine, profiles, and their shims.

    :ivar folder: where these are; it is first on PATH.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.folder / "shims"
        home.program("twine", TWINE)
        home.configure(PROFILES)
        tokens.wheel(home.folder / "dist")
        # The folder of Python's own programs, and of secretly's, is not on it.
        self.path = os.pathsep.join(map(str, (self.folder, home.programs, "/usr/bin", "/bin")))
        self.environ = {"PATH": self.path, "VALUE": "canary-1"}

    def make(self, *options: str, command: str = "twine") -> Ended:
        """Make the shims."""
        return self.home.run("shim", *options, "--dir", str(self.folder), command)

    def run(self, *argv: str, **more: str) -> Ended:
        """Run a command line as the user's shell would."""
        stdin = more.pop("stdin", "")
        return self.home.run_any(argv, environ={**self.environ, **more}, stdin=stdin)


@pytest.fixture(name="shims")
def _shims() -> Iterator[Shims]:
    with quick() as folder:
        found = Shims(folder)
        assert found.make().status == 0
        yield found


@pytest.fixture(name="none")
def _none() -> Iterator[Shims]:
    """The same home before any shim is made."""
    with quick() as folder:
        yield Shims(folder)


# -- making them -----------------------------------------------------------------


def test_each_profile_gets_a_shim(none: Shims) -> None:
    """The output names them, and says to put their folder on PATH."""
    done = none.make()
    assert done.status == 0
    assert done.stdout == "".join(f"wrote {none.folder}/{p}.twine\n" for p in ("dev", "prod"))
    assert re.fullmatch(rf"secretly: .*{re.escape(str(none.folder))}.*PATH.*\n", done.stderr)
    assert sorted(path.name for path in none.folder.iterdir()) == ["dev.twine", "prod.twine"]
    for path in none.folder.iterdir():
        assert os.access(path, os.X_OK)
        assert not path.stat().st_mode & 0o022


def test_nothing_is_printed_if_the_folder_is_on_path(none: Shims) -> None:
    """The user doesn't have to do anything else."""
    path = f"{none.folder}:{none.home.environ['PATH']}"
    done = none.home.run("shim", "--dir", str(none.folder), "twine", environ={"PATH": path})
    assert done.status == 0
    assert done.stderr == ""


def test_the_default_folder_is_in_the_users_data(none: Shims) -> None:
    """The output names it."""
    done = none.home.run("shim", "twine")
    place = none.home.folder / ".local/share/secretly/shims"
    assert f"wrote {place}/dev.twine\n" in done.stdout
    assert place.stat().st_mode & 0o777 == 0o700
    assert none.home.run("shim", "--list").stdout == f"{place}/dev.twine\n{place}/prod.twine\n"


def test_a_relative_folder_is_in_the_current_one(none: Shims) -> None:
    """The output has the whole path."""
    done = none.home.run("shim", "--dir", "shims", "twine")
    assert f"wrote {none.folder}/dev.twine\n" in done.stdout


def test_shims_that_are_made_again_are_the_same(shims: Shims) -> None:
    """Only a renamed profile gets a new shim."""
    before = {path: path.read_bytes() for path in shims.folder.iterdir()}
    assert shims.make().status == 0
    assert {path: path.read_bytes() for path in shims.folder.iterdir()} == before
    shims.home.configure(PROFILES.replace("dev", "test"))
    assert shims.make().status == 0
    assert shims.run("test.twine", "upload", UPLOAD).stdout.startswith(DEV)
    gone = shims.run("dev.twine", "upload", UPLOAD)
    assert gone.status == 125
    assert "prod, test" in gone.stderr


def test_a_shim_contains_no_secret(shims: Shims) -> None:
    """It contains names and the path of secretly, and no reference."""
    for path in shims.folder.iterdir():
        text = path.read_text()
        assert "VALUE" not in text
        assert text.splitlines()[1] == "# Made by secretly."


# -- using them ------------------------------------------------------------------


def test_each_shim_uses_its_profile(shims: Shims) -> None:
    """They find the real twine, though secretly itself is not on PATH."""
    assert shims.run("sh", "-c", "command -v secretly").status != 0
    assert shims.run("dev.twine", "upload", UPLOAD) == Ended(0, f"{DEV}<upload><{UPLOAD}>\n", "")
    with FakePinentry([True]) as fake:  # it publishes, so the user confirms
        done = shims.run("prod.twine", "upload", UPLOAD, **fake.environ)
    assert done.stdout == f"ada:canary-1@http://127.0.0.1:8/\n<upload><{UPLOAD}>\n"
    assert shims.run("twine", "upload", UPLOAD).stdout.startswith(":@\n")


def test_a_shim_asks_for_a_missing_secret(shims: Shims) -> None:
    """secretly asks for a profile's secret that isn't stored."""
    shims.home.configure(PROFILES.replace("env://VALUE", "House"))
    with FakePinentry(["canary-typed"]) as fake:
        done = shims.run("prod.twine", "upload", UPLOAD, **fake.environ)
        assert done.stdout.startswith("ada:canary-typed@http://127.0.0.1:8/\n"), done
        assert len(fake.prompts) == 1


def test_a_subcommand_that_needs_no_secret_asks_nothing(shims: Shims) -> None:
    """``prod.twine check`` is ``twine check``, with the profile's plain variables."""
    shims.home.configure(PROFILES.replace("env://VALUE", "House"))
    with FakePinentry(["canary-typed"]) as fake:
        for name in ("dev.twine", "prod.twine"):
            done = shims.run(name, "check", UPLOAD, **fake.environ)
            assert (done.status, done.stderr) == (0, "")
            assert done.stdout.endswith(f"\n<check><{UPLOAD}>\n")
            assert done.stdout.startswith(DEV) == (name == "dev.twine")
        assert fake.prompts == []


ODD = ["a b", "c\nd", "*.whl", "$HOME", "`id`", "'", '"', "\\", "", "--", "-p", "--dry-run", "é"]


def test_arguments_arrive_unchanged(shims: Shims) -> None:
    """White space, newlines, patterns, quotes and options of secretly's arrive at twine."""
    done = shims.run("dev.twine", "check", *ODD)
    assert done == Ended(0, DEV + "".join(f"<{word}>" for word in ("check", *ODD)) + "\n", "")


def test_standard_input_and_the_exit_status_pass_through(shims: Shims) -> None:
    """They are the same as for twine itself."""
    assert shims.run("dev.twine", "cat", stdin="one\ntwo").stdout == f"{DEV}<cat>\none\ntwo"
    for status in (1, 3, 125):
        assert shims.run("dev.twine", "fail", str(status)).status == status


def test_a_shim_becomes_the_command(shims: Shims) -> None:
    """The process stays the same: signals reach twine, and no shell waits for it."""
    shims.home.program("twine", "#!/bin/sh\necho $$\n")
    process = shims.home.start([str(shims.folder / "dev.twine"), "check"], environ=shims.environ)
    with ended(process):
        out, _ = process.communicate(timeout=PATIENCE)
    assert int(out) == process.pid


@pytest.mark.parametrize(
    "argv",
    [
        ["sh", "./release"],
        ["./release"],
        ["env", "dev.twine", "upload", UPLOAD],
        ["env", "-i", "HOME={home}", "PATH={path}", "dev.twine", "upload", UPLOAD],
        ["find", "dist", "-name", "*.whl", "-exec", "dev.twine", "upload", "{}", ";"],
        ["xargs", "dev.twine", "upload"],
    ],
)
def test_shims_work_where_shell_functions_do_not(shims: Shims, argv: list[str]) -> None:
    """Scripts and other programs can start them."""
    script = shims.home.folder / "release"
    script.write_text(f"#!/bin/sh\nset -e\ndev.twine upload {UPLOAD}\n")
    script.chmod(0o755)
    argv = [a.replace("{home}", str(shims.home.folder)).replace("{path}", shims.path) for a in argv]
    assert shims.run(*argv, stdin=UPLOAD) == Ended(0, f"{DEV}<upload><{UPLOAD}>\n", "")


@pytest.mark.real
def test_shims_work_from_make(shims: Shims) -> None:
    """sh runs a rule's commands, and the rule fails if a command does."""
    need("make")
    rules = f"release:\n\t@dev.twine upload {UPLOAD}\nbroken:\n\t@dev.twine fail 3\n"
    (shims.home.folder / "Makefile").write_text(rules)
    assert shims.run("make", "release") == Ended(0, f"{DEV}<upload><{UPLOAD}>\n", "")
    assert shims.run("make", "broken").status == 2


def test_a_shim_loads_nothing_from_the_current_folder(none: Shims) -> None:
    """It starts the secretly that made it, even if ``python -m secretly`` did."""
    run = (sys.executable, "-m", "secretly", "shim", "--dir", str(none.folder), "twine")
    assert none.home.run_any(run).status == 0
    for name in ("secretly", "platformdirs", "argparse"):
        (none.home.folder / f"{name}.py").write_text("print('hijacked')\nraise SystemExit(9)\n")
    done = none.run("dev.twine", "upload", UPLOAD)
    assert done == Ended(0, f"{DEV}<upload><{UPLOAD}>\n", "")


# -- the one that refuses --------------------------------------------------------


def test_a_refusing_shim_names_the_others(none: Shims) -> None:
    """It fails with any arguments."""
    done = none.make("--refuse")
    assert f"wrote {none.folder}/twine\n" in done.stdout
    for arguments in (["upload", UPLOAD], [], ["--help"]):
        refused = none.run("twine", *arguments)
        assert refused == Ended(1, "", "twine: use dev.twine or prod.twine\n")


@pytest.mark.parametrize("how", ["once", "twice", "link", "copy", "deep"])
def test_the_real_twine_is_found_behind_a_refusing_shim(none: Shims, how: str) -> None:
    """Its folder may be anywhere on PATH."""
    none.make("--refuse")
    folder = none.folder
    link = none.home.folder / "link"
    link.symlink_to("shims")
    (none.home.folder / "copy").mkdir()
    (none.home.folder / "copy/twine").write_bytes((folder / "twine").read_bytes())
    (none.home.folder / "copy/twine").chmod(0o755)
    (none.home.folder / "deep").mkdir()
    (none.home.folder / "deep/twine").symlink_to("../link/twine")
    first = {
        "once": f"{folder}",
        "twice": f"{folder}:{folder}/:{folder}",
        "link": f"{link}:{folder}",
        "copy": f"{folder}:{none.home.folder}/copy",
        "deep": f"{none.home.folder}/deep:{folder}",
    }[how]
    path = f"{first}:{none.home.programs}:/usr/bin:/bin"
    assert none.run("twine", "upload", PATH=path).status == 1
    done = none.run(str(folder / "dev.twine"), "upload", UPLOAD, PATH=path)
    assert done == Ended(0, f"{DEV}<upload><{UPLOAD}>\n", "")
    done = none.home.run("run", "-p", "dev", "twine", "upload", UPLOAD, environ={"PATH": path})
    assert done.stdout.startswith(DEV)


def test_shims_without_a_twine_are_an_error(none: Shims) -> None:
    """The error comes before any prompt, and the shims don't start each other forever."""
    none.make("--refuse")
    (none.home.programs / "twine").unlink()
    none.home.configure(PROFILES.replace("env://VALUE", "House"))
    path = f"{none.folder}:/usr/bin:/bin"
    with FakePinentry(["canary-typed"]) as fake:
        done = none.run("prod.twine", "upload", UPLOAD, PATH=path, **fake.environ)
        assert fake.prompts == []
    assert done.status == 127
    assert "twine" in done.stderr


# -- refused ---------------------------------------------------------------------


def assert_refused(done: Ended, *words: str, status: int = 1) -> None:
    """Check that it failed with an error and a hint that contain these words."""
    assert done.status == status, done
    assert done.stdout == ""
    assert re.fullmatch(r"secretly: [^\n]+\n  [^\n]+\n", done.stderr), done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def facts(path: Path) -> tuple[int, ...]:
    """The facts that change if a file is replaced or written."""
    found = path.lstat()
    return (found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@pytest.mark.parametrize("kind", ["file", "folder", "link", "broken link", "empty"])
def test_another_programs_file_is_not_replaced(none: Shims, kind: str) -> None:
    """No shim is written, and the file stays unchanged."""
    none.folder.mkdir()
    path = none.folder / "prod.twine"
    if kind == "folder":
        path.mkdir()
    elif "link" in kind:
        path.symlink_to("/nowhere" if kind == "broken link" else "/bin/true")
    else:
        path.write_text("" if kind == "empty" else "#!/bin/sh\necho mine\n# Made by secretly.\n")
    before = facts(path)
    assert_refused(none.make(), "prod.twine", "--dir")
    assert [p.name for p in none.folder.iterdir()] == ["prod.twine"]
    assert facts(path) == before


def test_leftovers_of_a_killed_run_are_removed(none: Shims) -> None:
    """Files of a running process, and files that aren't secretly's, stay."""
    done = subprocess.Popen(["true"])
    done.wait()
    none.folder.mkdir()
    shim = "#!/bin/sh\n# Made by secretly.\n"
    kept = {f".dev.twine.{os.getpid()}": shim, f".dev.twine.{'9' * 30}": "", ".dev.twine.old": ""}
    kept[f".prod.twine.{done.pid}"] = "another's"
    for name, text in {**kept, f".dev.twine.{done.pid}": shim}.items():
        (none.folder / name).write_text(text)
    assert none.make().status == 0
    there = {path.name for path in none.folder.iterdir()}
    assert there == {*kept, "dev.twine", "prod.twine"}


def test_a_folder_that_others_can_write_is_refused(none: Shims) -> None:
    """Anyone who can put a twine there would get the secrets."""
    none.folder.mkdir()
    none.folder.chmod(0o777)
    assert_refused(none.make(), str(none.folder))
    assert list(none.folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error(none: Shims) -> None:
    """A file may be in its place, for example."""
    (none.home.folder / "shims").write_text("")
    assert_refused(none.make(), "--dir")


def test_a_relative_folder_needs_a_working_folder(none: Shims) -> None:
    """In a deleted folder, a relative name means nothing."""
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"'
    argv = ["sh", "-c", script, *SECRETLY, "shim", "--dir", "x", "twine"]
    assert_refused(none.home.run_any(argv), "folder")


@pytest.mark.parametrize(
    "name", ["a b", "a/b", "../a", "-p", "a;id", "$(id)", "a\\nb", ".hidden", "é", ""]
)
def test_a_profile_name_that_no_file_can_have_is_refused(none: Shims, name: str) -> None:
    """No shim is written, not even for the other profiles."""
    table = f'[commands.twine.profiles."{name}"]\nenv = {{ TWINE_USERNAME = "x" }}\n'
    none.home.configure(PROFILES + table)
    assert_refused(none.make(), "program's name")
    assert not none.folder.exists()


def test_a_command_without_profiles_is_refused(none: Shims) -> None:
    """A program that refuses names profiles. The hint says how to add one."""
    assert_refused(none.make("--refuse", command="gh"), "[commands.gh.profiles.NAME]")


def test_without_profiles_the_shim_runs_the_command_with_secretly(none: Shims) -> None:
    """It has the command's own name, and must come before the command on PATH."""
    none.home.configure("")
    none.home.program("gh", '#!/bin/sh\necho "gh got $GH_TOKEN for $1"\n')
    assert none.make(command="gh").stdout == f"wrote {none.folder / 'gh'}\n"
    environ = {**none.environ, "SECRETLY_NO_INPUT": "1"}
    none.home.configure('[secrets.GitHub]\nsource = "env://VALUE"\n')
    done = none.home.run_any([str(none.folder / "gh"), "pr"], environ=environ)
    assert (done.status, done.stdout) == (0, "gh got canary-1 for pr\n")


def test_an_unknown_command_is_refused(none: Shims) -> None:
    """The status is 2. A call without a command has the same status."""
    assert_refused(none.make(command="no-such"), "no-such", status=2)
    assert_refused(none.home.run("shim"), "secretly shim", status=2)
    assert not none.folder.exists()


# -- listing and taking away -----------------------------------------------------

OTHERS = """
[commands."my.twine".profiles.dev]
env = { A = "b" }

[commands.gh.profiles.work]
secrets = { GH_TOKEN = "Work" }
"""


def _three(none: Shims) -> None:
    """The shims of three commands, next to a file that isn't one."""
    none.home.configure(PROFILES + OTHERS)
    none.make("--refuse")
    none.make(command="my.twine")
    none.make(command="gh")
    for name in ("own.twine", "other.gh"):
        (none.folder / name).write_text("#!/bin/sh\n")


def names(done: Ended) -> list[str]:
    """The names that were printed."""
    return [os.path.basename(line) for line in done.stdout.splitlines()]


def test_shims_are_listed(none: Shims) -> None:
    """For one command or for all, without files that aren't secretly's."""
    _three(none)
    place = ("--dir", str(none.folder))
    assert names(none.home.run("shim", "--list", *place)) == [
        *("dev.my.twine", "dev.twine", "prod.twine", "twine", "work.gh"),
    ]
    assert names(none.home.run("shim", "--list", *place, "twine")) == [
        *("dev.twine", "prod.twine", "twine"),
    ]
    assert none.home.run("shim", "--list", *place, "npm") == Ended(0, "", "")
    assert none.home.run("shim", "--list", "--dir", "nowhere") == Ended(0, "", "")


def test_only_shims_are_removed(none: Shims) -> None:
    """For one command or for all; each is named. Other files stay."""
    _three(none)
    place = ("--dir", str(none.folder))
    done = none.home.run("shim", "--remove", *place, "twine")
    assert done.stdout == "".join(
        f"removed {none.folder}/{name}\n" for name in ("dev.twine", "prod.twine", "twine")
    )
    left = ["dev.my.twine", "other.gh", "own.twine", "work.gh"]
    assert sorted(path.name for path in none.folder.iterdir()) == left
    assert none.home.run("shim", "--remove", *place, "twine") == Ended(0, "", "")
    assert names(none.home.run("shim", "--remove", *place)) == ["dev.my.twine", "work.gh"]
    assert sorted(path.name for path in none.folder.iterdir()) == ["other.gh", "own.twine"]


def test_each_shim_says_how_to_remove_it(none: Shims) -> None:
    """The command in its comment works."""
    none.make("--refuse")
    for name in ("dev.twine", "twine"):
        [line] = re.findall(r"'secretly (.+?)'", (none.folder / name).read_text())
        assert line == "shim --remove twine"
    none.home.run(*shlex.split(line), "--dir", str(none.folder))
    assert list(none.folder.iterdir()) == []


#: secretly's own executable, as pip makes it, and as it or a packager does in odd places.
SCRIPTS = {
    "python": f"#!{sys.executable}\nimport sys\nfrom secretly.cli import main\nsys.exit(main())\n",
    "python with an option": (
        f"#!{sys.executable} -s\nimport sys\nfrom secretly.cli import main\nsys.exit(main())\n"
    ),
    "sh": f'#!/bin/sh\nexec {sys.executable} -m secretly "$@"\n',
    "a long path": (
        "#!/bin/sh\n"
        f"'''exec' {sys.executable} \"$0\" \"$@\"\n' '''\n"
        "import sys\nfrom secretly.cli import main\nsys.exit(main())\n"
    ),
}


@pytest.mark.parametrize("kind", SCRIPTS)
@pytest.mark.parametrize("folder", ["bin", "it's a $folder"])
def test_a_shim_starts_the_secretly_that_made_it(none: Shims, kind: str, folder: str) -> None:
    """For every way to start secretly; a Python shim loads nothing next to it."""
    script = none.home.folder / folder / "secretly"
    script.parent.mkdir()
    script.write_text(SCRIPTS[kind])
    script.chmod(0o755)
    none.home.run_any([str(script), "shim", "--refuse", "--dir", str(none.folder), "twine"])
    for path in none.folder.iterdir():
        if path.read_text().startswith("#!/bin/sh\n"):
            subprocess.run(["sh", "-n", path], check=True, timeout=10)
    text = (none.folder / "dev.twine").read_text()
    assert text.startswith(f"#!{sys.executable}") == (kind != "a long path")
    for name in ("secretly", "platformdirs", "argparse"):
        (none.folder / f"{name}.py").write_text("print('hijacked')\nraise SystemExit(9)\n")
    assert none.run("dev.twine", "upload", UPLOAD) == Ended(0, f"{DEV}<upload><{UPLOAD}>\n", "")


def test_the_environment_passes_through(shims: Shims) -> None:
    """It includes variables that no shell can set, such as npm's, and nothing is added."""
    shims.home.program("twine", f"#!{sys.executable} -IS\nimport os\nprint(sorted(os.environb))\n")
    odd = ["npm_config_//h/:_authToken=x", "a.b=c", "BASH_FUNC_f%%=() { :; }", "ümlaut=1"]
    given = [f"HOME={shims.home.folder}", f"PATH={shims.path}", *odd]
    names = {part.partition("=")[0].encode() for part in given}
    own = {b"TWINE_USERNAME", b"TWINE_PASSWORD", b"TWINE_REPOSITORY_URL"}
    direct = shims.run("env", "-i", *given, str(shims.home.programs / "twine"))
    for name, more in (("twine", set()), ("dev.twine", own)):
        done = shims.run("env", "-i", *given, name, "check")
        assert done.status == 0, done
        assert set(ast.literal_eval(done.stdout)) == {*ast.literal_eval(direct.stdout), *more}
        assert names <= set(ast.literal_eval(done.stdout))


def test_another_commands_shim_is_not_replaced(none: Shims) -> None:
    """``dev.my.twine`` may be twine's, for its profile ``dev.my``, or my.twine's."""
    none.home.configure(PROFILES + PROFILES.replace("commands.twine", 'commands."my.twine"'))
    assert none.make(command="my.twine").status == 0
    before = (none.folder / "dev.my.twine").read_bytes()
    none.home.configure(PROFILES.replace("profiles.dev", 'profiles."dev.my"'))
    assert_refused(none.make(), "dev.my.twine", "--dir")
    assert (none.folder / "dev.my.twine").read_bytes() == before
    assert not (none.folder / "prod.twine").exists()


def test_list_and_remove_exclude_each_other(shims: Shims) -> None:
    """With both options no shim is removed."""
    done = shims.home.run("shim", "--list", "--remove", "--dir", str(shims.folder))
    assert done.status == 2
    assert len(list(shims.folder.iterdir())) == 2


@pytest.mark.parametrize("options", [["--refuse"], []])
def test_a_refusing_shim_must_come_first_on_path(none: Shims, options: list[str]) -> None:
    """Otherwise the real ``twine`` runs, and the shim refuses nothing."""
    where = ("--dir", str(none.folder), "twine")
    path = f"{none.home.programs}:{none.folder}"
    done = none.home.run("shim", *options, *where, environ={"PATH": path})
    assert done.status == 0
    assert (str(none.folder) in done.stderr) == bool(options)
    path = f"{none.folder}:{none.home.programs}"
    assert none.home.run("shim", *options, *where, environ={"PATH": path}).stderr == ""
