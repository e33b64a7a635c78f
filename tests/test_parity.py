"""A command that secretly runs is as if it had been started directly.

Each test starts the same command line in three ways and compares what can be seen
of it: directly; with a secret that is found without waiting; and with one that the user
typed, so that an event loop was loaded and has run.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pytest
from command import SECRETLY, Ended, Home, Terminal, Warm, ended, home, wait_until
from conftest import need

from secretly.testing import FakePinentry

pytestmark = [pytest.mark.process, pytest.mark.outside]

SECRET = "canary-1"


class Ways(NamedTuple):
    """The ways of starting a command, all with the same environment.

    :param home: where they start.
    :param environ: what they are started with.
    """

    home: Home
    environ: dict[str, str]

    def lines(self, argv: Sequence[str]) -> list[list[str]]:
        """The command line for each way; the first is the direct one."""
        run = [*SECRETLY, "run", "-e"]
        return [
            ["env", f"SECRET={SECRET}", *argv],
            [*run, "SECRET=env://FOUND", *argv],
            [*run, "SECRET=Asked", *argv],
        ]

    def ended(self, argv: Sequence[str], before: Sequence[str] = (), stdin: str = "") -> Ended:
        """How the command ends, which must be the same in each way.

        :param before: a command line that the whole is given to.
        """
        outcomes = [
            self.home.run_any([*before, *line], environ=self.environ, stdin=stdin)
            for line in self.lines(argv)
        ]
        assert outcomes == [outcomes[0]] * 3
        return outcomes[0]

    def on_terminal(self, argv: Sequence[str], script: Callable[[Terminal], int]) -> int:
        """What *script* returns with the command on a terminal, the same in each way."""
        outcomes = []
        for line in self.lines(argv):
            with self.home.terminal(line, environ=self.environ) as terminal:
                status = script(terminal)
                outcomes.append((status, terminal.screen, terminal.left_over))
        assert outcomes == [outcomes[0]] * 3
        assert outcomes[0][2] == []
        return status


@pytest.fixture(name="ways")
def _ways() -> Iterator[Ways]:
    # It takes its time, or no event loop would be needed.
    answer = [("wait", 0.15), ("raw", f"D {SECRET}\nOK\n".encode())]
    with home() as folder, FakePinentry([answer] * 20) as fake:
        yield Ways(folder, {**fake.environ, "FOUND": SECRET})


# -- how it ends -----------------------------------------------------------------


def test_exit_statuses() -> None:
    """Each status is the command's own: every fifth from 0 to 255, and those of secretly."""
    with home() as folder, Warm(folder, {"FOUND": SECRET}) as warm:
        for status in (*range(0, 256, 5), 1, 2, 126, 127):
            done = warm.run("run", "-e", "S=env://FOUND", "sh", "-c", f"exit {status}")
            assert done == Ended(status, "", "")


@pytest.mark.parametrize("status", [0, 125, 130])
def test_exit_statuses_that_are_also_secretlys(ways: Ways, status: int) -> None:
    """Statuses that secretly gives a meaning to pass through as well."""
    assert ways.ended(["sh", "-c", f"exit {status}"]).status == status


SIGNALS = "HUP INT QUIT ILL ABRT FPE KILL USR1 SEGV PIPE ALRM TERM XCPU XFSZ".split()


def test_deaths_by_signal() -> None:
    """Whatever signal the command dies of, its parent sees that it did."""
    with home() as folder, Warm(folder, {"FOUND": SECRET}) as warm:
        for name in SIGNALS:
            script = f"ulimit -c 0; kill -{name} $$; sleep 9"
            number = signal.Signals[f"SIG{name}"]
            assert folder.run_any(["sh", "-c", script]).status == -number
            done = warm.run("run", "-e", "S=env://FOUND", "sh", "-c", script)
            assert done == Ended(-number, "", "")


@pytest.mark.parametrize("name", ["INT", "TERM", "PIPE"])
def test_deaths_by_signals_that_secretly_handles(ways: Ways, name: str) -> None:
    """The signals that it or Python handles have their default meaning in the command."""
    done = ways.ended(["sh", "-c", f"echo out; kill -{name} $$; echo not here"])
    assert done == Ended(-signal.Signals[f"SIG{name}"], "out\n", "")


@pytest.mark.real
def test_a_writer_into_head_dies_quietly(ways: Ways) -> None:
    """SIGPIPE is at its default: 141 in the shell, and no error line."""
    need("bash")
    before = ["bash", "-c", '"$@" | head -n 1; echo "${PIPESTATUS[0]}"', "bash"]
    assert ways.ended(["yes"], before) == Ended(0, "y\n141\n", "")


def test_a_file_that_grows_too_big_ends_it(ways: Ways) -> None:
    """SIGXFSZ is at its default."""
    before = ["sh", "-c", 'ulimit -c 0; ulimit -f 64; exec "$@"', "sh"]
    done = ways.ended(["sh", "-c", "exec dd if=/dev/zero of=big bs=1024 count=200"], before)
    assert done.status == -signal.SIGXFSZ


# -- what it is given ------------------------------------------------------------


def test_output_and_errors_stay_apart(ways: Ways) -> None:
    """stdout and stderr are the command's own, to the byte."""
    script = r"printf 'out\0\377'; printf 'err\r' >&2; exit 7"
    assert ways.ended(["sh", "-c", script]) == Ended(7, "out\0\udcff", "err\r")


def test_arguments(ways: Ways) -> None:
    """Arguments arrive as they are: empty, with any bytes, the first as it was typed."""
    odd = ["", " ", "-e", "--", "é", "\udcff\udcfe", "\n", "$SECRET", "\x1b[2J"]
    arguments = "".join(f"{word}\0" for word in odd)
    assert ways.ended(["printf", r"%s\0", *odd]).stdout == arguments
    assert ways.ended(["cat", "/proc/self/cmdline"]).stdout == "cat\0/proc/self/cmdline\0"
    ways.home.program("tool", "#!/bin/sh\necho $0\n")
    for name in ("tool", "programs/tool", "./programs/../programs/tool"):
        ways.ended([name])


def test_a_script_without_an_interpreter_line(ways: Ways) -> None:
    """The shell runs a text that has no ``#!``; so does secretly, as ``env`` does."""
    ways.home.program("script", 'echo "$0" "$#" "$2"\n')
    done = ways.ended(["script", "a b", "c"])
    assert done == Ended(0, f"{ways.home.programs}/script 2 c\n", "")


@pytest.mark.parametrize("locale", [{}, {"LC_CTYPE": "C"}, {"LANG": "C"}, {"LC_ALL": "C.UTF-8"}])
def test_the_environment(ways: Ways, locale: dict[str, str]) -> None:
    """The variables are the caller's and the secret, whatever Python adds for itself."""
    ways.environ.update(locale)
    before = ["env", "-u", "LC_ALL", *(f"{name}={value}" for name, value in locale.items())]
    found = []
    for line in ways.lines(["env", "-0"]):
        done = ways.home.run_any([*before, *line], environ=ways.environ)
        found.append(sorted(done.stdout.split("\0")))
    assert found == [found[0]] * 3
    assert f"SECRET={SECRET}" in found[0]


def test_standard_input_is_untouched(ways: Ways) -> None:
    """Nothing is read from it, by secretly or by a prompt: the command gets all of it."""
    text = "first line\n" + "x" * 200_000
    assert ways.ended(["cat"], stdin=text) == Ended(0, text, "")


def test_open_files_are_kept(ways: Ways) -> None:
    """Descriptors of the caller's are the command's, and it has no others."""
    program = (
        "import os; os.write(7, b'through 7'); print(os.read(9, 99), "
        "[n for n in range(256) if os.path.exists(f'/proc/self/fd/{n}')])"
    )
    before = ["sh", "-c", 'echo in > in; exec 7>out 9<in; exec "$@"', "sh"]
    done = ways.ended([sys.executable, "-IS", "-c", program], before)
    assert done.stdout == "b'in\\n' [0, 1, 2, 7, 9]\n"
    assert (ways.home.folder / "out").read_text() == "through 7"


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_streams_stay_closed(ways: Ways, closed: str) -> None:
    """Descriptors that the caller has closed are not there, and no other takes their place."""
    program = (
        "import os; open('seen', 'w').write(str([n for n in range(256) if n != 3 and "
        "os.path.exists(f'/proc/self/fd/{n}')]))"
    )
    found = []
    for line in ways.lines([sys.executable, "-IS", "-c", program]):
        before = ["sh", "-c", f'exec 3>/dev/null; exec "$@" {closed}', "sh"]
        assert ways.home.run_any([*before, *line], environ=ways.environ).status == 0
        found.append((ways.home.folder / "seen").read_text())
    assert found == [found[0]] * 3


STARTS = {
    "plain": ["env"],
    "in the background of a script": ["sh", "-c", 'trap "" INT QUIT; exec "$@"', "sh"],
    "hang-up ignored": ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"],
    "many ignored": ["sh", "-c", 'trap "" TERM USR1 USR2 ALRM TSTP TTOU WINCH; exec "$@"', "sh"],
    "children ignored": [
        *(sys.executable, "-IS", "-c"),
        "import os, signal, sys; signal.signal(17, signal.SIG_IGN);"
        "signal.signal(13, 0); signal.signal(25, 0);"
        "os.execvp(sys.argv[1], sys.argv[1:])",
    ],
    "some blocked": [
        *(sys.executable, "-IS", "-c"),
        "import os, signal, sys; signal.pthread_sigmask(0, [1, 10, 12, 15, 28]);"
        "signal.signal(13, 0); signal.signal(25, 0);"
        "os.execvp(sys.argv[1], sys.argv[1:])",
    ],
    "limits and mask": ["sh", "-c", 'umask 027; ulimit -c 0; ulimit -n 512; exec "$@"', "sh"],
}


#: The signals that glibc keeps for itself, as a mask: what its posix_spawn starts (with Python
#: 3.13, most of what subprocess does) ignores them, and nobody can handle or reset them.
GLIBCS = 1 << 31 | 1 << 32


def settled(status: str) -> str:
    """A process's status without what differs between any two: numbers, sizes and counters."""
    return re.sub(
        r"(?m)^(P?Pid|TracerPid|Tgid|Ngid|NS\w+|Vm\w+|Rss\w+|\w*switches|Cpus\w*|SigQ|"
        r"Mems\w*|Hugetlb\w+|x86\w*|FDSize):.*\n",
        "",
        status,
    )


@pytest.mark.parametrize("start", STARTS)
def test_signals_limits_and_rights(ways: Ways, start: str) -> None:
    """The signal mask, what is ignored and handled, limits, mask and rights are as at the start."""
    names = "status limits oom_score_adj coredump_filter comm cgroup".split()
    files = [file for name in names if os.path.exists(file := f"/proc/self/{name}")]
    found = []
    for line in ways.lines(["cat", *files]):
        done = ways.home.run_any([*STARTS[start], *line], environ=ways.environ)
        assert done.stderr == ""
        found.append(settled(done.stdout))
    assert found == [found[0]] * 3
    ignored = int(re.findall(r"SigIgn:\s*(\w+)", found[0])[0], 16)
    blocked = int(re.findall(r"SigBlk:\s*(\w+)", found[0])[0], 16)
    assert bool(ignored & ~GLIBCS) == ("ignored" in start or "background" in start)
    assert bool(blocked) == ("blocked" in start)


def test_process_and_session(ways: Ways) -> None:
    """It is the same process, in the same group and session, as the one that was started."""
    for line in ways.lines(["sh", "-c", "echo $$; cut -d' ' -f4-6 /proc/$$/stat; read x"]):
        process = ways.home.start(line, environ=ways.environ)
        with ended(process):
            assert process.stdout is not None
            assert int(process.stdout.readline()) == process.pid
            seen = list(map(int, process.stdout.readline().split()))
            assert seen == [os.getpid(), process.pid, process.pid]


# -- on a terminal ---------------------------------------------------------------


def test_ctrl_c(ways: Ways) -> None:
    """The key ends the command by SIGINT."""

    def script(terminal: Terminal) -> int:
        terminal.expect("ready")
        terminal.type("\x03")
        return terminal.wait()

    assert ways.on_terminal(["sh", "-c", "echo ready; exec sleep 60"], script) == -signal.SIGINT


def test_the_terminals_size_and_modes(ways: Ways) -> None:
    """The command sees the terminal as it is, and learns that its size changes."""
    program = "trap 'stty size; exit 5' WINCH; stty size; stty -a; tty -s; echo rea''dy $?; "

    def script(terminal: Terminal) -> int:
        terminal.expect("ready 0")
        terminal.resize(40, 120)
        terminal.expect("40 120")
        return terminal.wait()

    assert ways.on_terminal(["sh", "-c", f"{program} while :; do sleep 0.02; done"], script) == 5


def test_a_hang_up_ends_it(ways: Ways) -> None:
    """A terminal that goes away ends the command by SIGHUP."""

    def script(terminal: Terminal) -> int:
        terminal.expect("ready")
        terminal.hang_up()
        return terminal.wait()

    assert ways.on_terminal(["sh", "-c", "echo ready; exec sleep 60"], script) == -signal.SIGHUP


def test_nohup(ways: Ways) -> None:
    """Under nohup the command outlives a hang-up."""
    done = ways.ended(["sh", "-c", "kill -HUP $$; echo alive"], ["nohup"])
    assert (done.status, done.stdout) == (0, "alive\n")

    def script(terminal: Terminal) -> int:
        terminal.expect("ready")
        terminal.hang_up()
        wait_until((ways.home.folder / "heard").exists)
        return terminal.wait()

    trap = 'trap "" HUP; exec "$@" 2>/dev/null'
    program = "echo ready; while [ -t 0 ]; do sleep 0.02; done; sleep 0.1; rm -f heard; : > heard"
    for line in ways.lines(["sh", "-c", f"{program}; exit 6"]):
        (ways.home.folder / "heard").unlink(missing_ok=True)
        start = ["sh", "-c", trap, "sh", *line]
        with ways.home.terminal(start, environ=ways.environ) as terminal:
            assert script(terminal) == 6


@pytest.mark.real
def test_ctrl_z_and_fg(ways: Ways) -> None:
    """In an interactive shell the command stops, goes on in the foreground, and ends."""
    need("bash")
    shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
    program = "'echo re''ady; read line; echo \"got <$line>\"; exit 4'"
    for line in ways.lines(["sh", "-c"]):
        # Not the direct one's `env`: the job's text is the same then.
        with ways.home.terminal(shell, environ={**ways.environ, "PS1": "ok$ "}) as terminal:
            terminal.expect("ok$ ")
            terminal.type(f"{' '.join(line)} {program}\n")
            terminal.expect("\nready")
            terminal.type("\x1a")
            terminal.expect("Stopped")
            terminal.expect("ok$ ")
            terminal.type("echo stopped=$?; fg\n")
            terminal.expect(f"stopped={128 + signal.SIGTSTP}")
            terminal.expect("read line")  # the shell repeats what goes on
            terminal.type("typed\n")
            terminal.expect("got <typed>")
            terminal.expect("ok$ ")
            terminal.type("echo ended=$?; jobs; exit 9\n")
            terminal.expect("ended=4")
            assert terminal.wait() == 9


@pytest.mark.real
def test_a_pipe_that_a_prompt_leaves_alone(ways: Ways) -> None:
    """What is typed at the terminal goes to the prompt, and what is piped in to the command."""
    need("pinentry-curses")
    pipe = ["sh", "-c", 'printf "piped\\n" | "$@"', "sh", *SECRETLY, "run", "-e", "A=Name"]
    command = ["sh", "-c", 'cat; echo "<$A>"']
    environ = {"PINENTRY": "pinentry-curses"}
    with ways.home.terminal([*pipe, *command], environ=environ) as terminal:
        terminal.expect("Name")
        terminal.wait_for_prompt()
        terminal.type("canary-2\r")
        terminal.expect("piped")
        terminal.expect("<canary-2>")
        assert terminal.wait() == 0


@pytest.mark.real
@pytest.mark.parametrize("pinentry", ["pinentry-curses", "pinentry-tty", "the terminal"])
def test_after_a_prompt_on_it_the_terminal_is_as_before(ways: Ways, pinentry: str) -> None:
    """The command finds the modes, the size and the keys as they were."""
    environ = {"PINENTRY": pinentry}
    for name in ("sh", "stty", "cat"):
        (ways.home.programs / name).symlink_to(f"/bin/{name}")
    if pinentry == "the terminal":
        environ = {"PATH": str(ways.home.programs)}
    else:
        need(pinentry)
    with ways.home.terminal(["stty", "-a"]) as terminal:
        terminal.wait()
        direct = terminal.screen
    run = [*SECRETLY, "run", "-e", "A=Name", "sh", "-c", "echo mo''des; stty -a; exec cat"]
    with ways.home.terminal(run, environ=environ) as terminal:
        terminal.expect("Name")
        terminal.wait_for_prompt()
        terminal.type("canary-2\r")
        terminal.expect("modes\r\n")
        terminal.expect(direct)
        assert terminal.modes_now == terminal.modes
        terminal.type("echoed\n")
        terminal.expect("echoed\r\nechoed\r\n")
        terminal.type("\x03")
        assert terminal.wait() == -signal.SIGINT
        assert "canary" not in terminal.screen
