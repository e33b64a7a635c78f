"""A cell of a notebook asks, in a real kernel whose loop runs already."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import need, need_package
from ptys import DEADLINE, Pty, children, running, wait_until

from secretly.testing import FakePinentry

#: A kernel of a busy machine may take minutes to start, and a cell to run: it is waited for. The
#: tests of this module have twice that time.
_KERNEL_TIMEOUT = 4 * DEADLINE

pytestmark = [pytest.mark.real, pytest.mark.outside, pytest.mark.timeout(2 * _KERNEL_TIMEOUT)]


class Notebook:
    """A kernel, and the front end that the user types in.

    :ivar asked: the prompts of the kernel, each with whether the input is hidden.
    """

    def __init__(self, client: Any) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.pid = 0
        self.client = client
        self.client.start_channels()
        self._wait_until_ready()
        self.pid = int(self.run("import os; print(os.getpid())"))

    def _wait_until_ready(self) -> None:
        """Wait for the kernel. A kernel that misses a heartbeat on a busy machine has not died."""
        deadline = time.monotonic() + _KERNEL_TIMEOUT
        while True:
            try:
                self.client.wait_for_ready(timeout=_KERNEL_TIMEOUT)
                return
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def run(self, cell: str, answer: str = "", stdin: bool = True) -> str:
        """Run a cell; return what it wrote, and the name of its error.

        :param answer: what the user types.
        :param stdin: whether the front end can ask.
        """
        found: list[str] = []

        def output(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                found.append(content["text"])
            elif message["msg_type"] == "error":
                found.append(f"{content['ename']}: {content['evalue']}\n")

        def user(message: dict[str, Any]) -> None:
            content = message["content"]
            self.asked.append((content["prompt"], content["password"]))
            self.client.input(answer)

        self.client.execute_interactive(
            textwrap.dedent(cell),
            allow_stdin=stdin,
            stdin_hook=user,
            output_hook=output,
            timeout=_KERNEL_TIMEOUT,
        )
        return "".join(found)


def new_kernel(**options: str) -> Any:
    """A kernel that has not started. Runs without these tests don't wait for its packages."""
    need_package("ipykernel")
    return need_package("jupyter_client.manager").KernelManager(kernel_name="python3", **options)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A kernel without a screen; the real pinentries are installed, and a PATH leads to them."""
    kernel = new_kernel()
    kernel.start_kernel(env=environ(tmp_path_factory.mktemp("home")))
    try:
        found = Notebook(kernel.client())
        yield found
        found.client.stop_channels()
    finally:
        kernel.shutdown_kernel(now=True)
        kernel.cleanup_resources()


def environ(home: Path) -> dict[str, str]:
    """The environment of a kernel."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        **{key: value for key, value in os.environ.items() if key.startswith("COV")},
    }


@pytest.fixture(autouse=True)
def fresh(notebook: Notebook) -> None:
    """Each test finds that nothing was asked yet, and no screen."""
    notebook.asked.clear()
    notebook.run("import os; [os.environ.pop(n, 0) for n in ('PINENTRY', 'DISPLAY')]")


def test_a_cell_awaits_a_secret(notebook: Notebook) -> None:
    """The kernel's own password input asks, hidden. The secret comes back and is not shown."""
    found = notebook.run(
        "import secretly; token = await secretly.secret('Demo'); print(len(token)); token",
        answer="canary-1",
    )
    assert found == "8\n"
    ((prompt, hidden),) = notebook.asked
    assert hidden is True
    assert "Demo" in prompt
    assert notebook.run("print(str(token))") == "canary-1\n"


def test_a_token_is_pasted(notebook: Notebook) -> None:
    """A pasted token loses the white space around it."""
    cell = "import secretly; print(str(await secretly.secret('PyPI')))"
    assert notebook.run(cell, answer=" pypi-canary-1 \n") == "pypi-canary-1\n"


def test_many_requests_in_a_cell_ask_once(notebook: Notebook) -> None:
    """Tasks and ``gather`` in a cell are asyncio's, and share one prompt for the same secret."""
    found = notebook.run(
        """
        import asyncio, secretly
        tasks = [asyncio.create_task(secretly.secret('Demo')) for _ in range(10)]
        print(len(set(await asyncio.gather(*tasks))))
        """,
        answer="canary-1",
    )
    assert found == "1\n"
    assert len(notebook.asked) == 1


@pytest.mark.parametrize(("answer", "said"), [("y", "True"), ("yes", "True"), ("", "False")])
def test_a_cell_confirms(notebook: Notebook, answer: str, said: str) -> None:
    """The notebook asks the question, and only y or yes agrees."""
    cell = "import secretly; print(await secretly.confirm('Shall I?'))"
    assert notebook.run(cell, answer=answer) == f"{said}\n"
    assert "Shall I?" in notebook.asked[0][0]


def test_a_front_end_that_cannot_ask_is_an_error(notebook: Notebook) -> None:
    """As where a notebook is run as a batch."""
    found = notebook.run("import secretly; await secretly.secret('Demo')", stdin=False)
    assert found.startswith("NoPinentry: ")


def test_a_cell_is_told_to_await(notebook: Notebook) -> None:
    """A kernel runs its cells in an event loop: the call for other programs names the coroutine."""
    found = notebook.run("import secretly; secretly.secret_sync('Demo')")
    assert found.startswith("SecretlyError: secretly.secret_sync can't wait here: asyncio")
    assert notebook.asked == []


def test_the_end_of_the_input_cancels(notebook: Notebook) -> None:
    """Ctrl-D in the notebook's input cancels; the next cell can ask again.

    (In a cell that awaits, ipykernel itself does not let an interrupt end its input.)
    """
    found = notebook.run("import secretly; await secretly.secret('Demo')", answer="\x04")
    assert found.startswith("Cancelled: ")
    assert notebook.run("print(len(await secretly.secret('Demo')))", answer="canary-1") == "8\n"


def test_a_window_is_preferred(notebook: Notebook) -> None:
    """With a screen a graphical pinentry asks, and the kernel's loop goes on."""
    with FakePinentry([[("wait", 0.3), ("raw", b"D canary-1\nOK\n")]]) as fake:
        found = notebook.run(
            f"""
            import asyncio, os, secretly, threading
            os.environ.update({fake.environ!r})
            before, ticks = set(threading.enumerate()), []
            async def ticking():
                while True:
                    ticks.append(set(threading.enumerate()) - before)
                    await asyncio.sleep(0.01)
            ticker = asyncio.create_task(ticking())
            print(str(await secretly.secret('Demo')))
            print(ticker.cancel() and len(ticks) > 5)
            """
        )
        assert found == "canary-1\nTrue\n"
        assert notebook.asked == []
        assert len(fake.prompts) == 1
        assert children(notebook.pid) == []


def test_interrupting_ends_the_pinentry(notebook: Notebook) -> None:
    """Interrupting a cell that waits for a window ends the pinentry."""
    with FakePinentry([[("hang", False)], "canary-1"]) as fake:
        notebook.run(f"import os, secretly; os.environ.update({fake.environ!r})")
        # An interrupt does not wake a kernel's idle loop (ipykernel 7.4): something else does.
        cell = """
            import asyncio
            async def ticking():
                while True:
                    await asyncio.sleep(0.1)
            ticker = asyncio.create_task(ticking())
            await secretly.secret('Demo')
        """
        # A kernel drops what comes just after an error, unless it is told not to.
        request = notebook.client.execute(
            textwrap.dedent(cell), allow_stdin=True, stop_on_error=False
        )
        wait_until(lambda: fake.prompts, what="a prompt")
        (pid,) = children(notebook.pid)
        os.kill(notebook.pid, signal.SIGINT)
        reply = {"parent_header": {"msg_id": None}}
        while reply["parent_header"]["msg_id"] != request:
            reply = notebook.client.get_shell_msg(timeout=_KERNEL_TIMEOUT)
        assert reply["content"]["status"] == "error"
        assert not running(pid)
        cell = "ticker.cancel(); print(len(await secretly.secret('Demo')))"
        assert notebook.run(cell) == "8\n"


def test_the_servers_terminal_is_left_alone(tmp_path: Path) -> None:
    """A kernel that was started from a terminal asks in the notebook, never there."""
    need("pinentry-tty")
    kernel = new_kernel(connection_file=str(tmp_path / "kernel.json"))
    kernel.write_connection_file()
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", kernel.connection_file]
    variables = {**environ(tmp_path), "PINENTRY": "pinentry-tty"}
    try:
        with Pty(argv, variables) as screen:
            notebook = Notebook(kernel.client())
            assert notebook.pid == screen.pid
            assert notebook.run("print(open('/dev/tty').isatty())") == "True\n"
            found = notebook.run(
                "import secretly; print(len(await secretly.secret('Demo')))", answer="canary-1"
            )
            assert found == "8\n"
            assert len(notebook.asked) == 1
            assert "Demo" not in screen.shown
            assert screen.modes() == screen.before
            notebook.client.stop_channels()
    finally:
        kernel.cleanup_resources()
