"""Show the main job: start an index, let ``secretly run`` upload, and say what happened."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..keeping import name_changes
from ..keeping.stored_names import StoredNames
from ..redacted import Secret
from ..resolving.request import Context
from ..running.usernames import TOKEN
from ..text import format_command
from . import package, uploader
from .index import PracticeIndex, ReceivedUpload
from .keychain import PracticeKeychain
from .tools import OWN, Tool, filled, find_tool

#: The exit status of ``secretly run`` if the user answers No.
_NO = 130

#: How far the index's clock is put forward, in seconds: the temporary token has ended then.
_LATER = 3600.0

#: Runs ``secretly`` with some arguments and the stores that it is to use; returns the status.
Run = Callable[[Sequence[str], Callable[[Context], Context]], int]


class _Setting(NamedTuple):
    """What the demo has set up.

    :param folder: a temporary folder, for the project and for secretly's own files.
    """

    folder: Path
    practice: PracticeIndex
    token: Secret
    tool: Tool
    yes: bool

    @property
    def arguments(self) -> list[str]:
        """The arguments of ``secretly``."""
        options = ["--no-confirm"] if self.yes else []
        return ["run", *options, self.tool.program, *self.tool.arguments]

    @property
    def project(self) -> Path:
        """The folder of the project."""
        return self.folder / "project"

    @property
    def secret(self) -> str:
        """The name of the practice token."""
        return self.tool.secret or self.practice.host

    def command(self) -> str:
        """What the user would type."""
        given = [f"{name}={value}" for name, value in self.tool.environ.items()]
        return " ".join([*given, format_command(["secretly", *self.arguments], 400)])

    def stores(self, context: Context) -> Context:
        """The user's own setup, but with the demo's keychain."""
        return context._replace(
            keychain=PracticeKeychain(self.secret, TOKEN, self.token),
            stored_names=StoredNames(self.folder / "state"),
        )


class Ending(NamedTuple):
    """How the demo ended: its exit status, and the last lines that the user reads."""

    status: int
    text: str


def show(run: Run, yes: bool, say: Callable[[str], None]) -> Ending:
    """Show the main job.

    :param run: runs ``secretly``.
    :param yes: don't ask the user to confirm the upload.
    :param say: prints a text for the user.
    """
    with _set_up(yes) as setting:
        say(_start(setting))
        status = _run_in_child(setting, run)
        taken = [one for one in setting.practice.uploads if not one.refused]
        if status == 0 and taken:
            say(_result(setting, taken[0]))
    return _end(setting, status, bool(taken))


@contextlib.contextmanager
def _set_up(yes: bool) -> Iterator[_Setting]:
    """The index, the project and the token, until the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="secretly-demo-") as folder,
        contextlib.closing(PracticeIndex()) as practice,
    ):
        root = Path(folder).resolve()
        setting = _Setting(root, practice, practice.make_token(), find_tool(os.environ), yes)
        setting.project.mkdir()
        file = package.make_project(setting.project)
        if setting.tool is OWN:
            uploader.install(root)
        name_changes.add(StoredNames(root / "state"), setting.secret, TOKEN, True)
        yield setting._replace(tool=filled(setting.tool, practice.url, str(file)))


def _run_in_child(setting: _Setting, run: Run) -> int:
    """Run ``secretly`` in a process of its own, which becomes the tool; return its status.

    The process starts before the index's thread does: a fork takes no threads along.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = _become(setting, run)
        finally:
            sys.stdout.flush()
            os._exit(status)
    with _passing_signals_on(child):
        setting.practice.start()
        _, ended = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(ended)
    return code if code >= 0 else 128 - code


def _become(setting: _Setting, run: Run) -> int:
    """Run ``secretly`` in this process, in the project's folder."""
    os.chdir(setting.project)
    settings = f"{setting.tool.program.upper()}_"
    for name in list(os.environ):  # the user's own settings for the tool would steer it
        if name.startswith(settings) or name.lower().endswith("_proxy"):
            del os.environ[name]
    path = os.environ.get("PATH", os.defpath)
    os.environ |= {
        **setting.tool.environ,
        "PATH": f"{setting.folder}{os.pathsep}{path}",
        "XDG_STATE_HOME": str(setting.folder / "state"),
    }
    return run(setting.arguments, setting.stores)


@contextlib.contextmanager
def _passing_signals_on(child: int) -> Iterator[None]:
    """Leave the signals of the keyboard to the child, which gets them too; pass the others on."""

    def pass_on(number: int, frame: object) -> None:
        os.kill(child, number)

    before = {
        **{n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGQUIT)},
        **{n: signal.signal(n, pass_on) for n in (signal.SIGTERM, signal.SIGHUP)},
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- what the user reads -------------------------------------------------------------


def _start(setting: _Setting) -> str:
    return (
        f"1. secretly started a practice index on this computer: {setting.practice.url}\n"
        "   It made a token for all your projects, as PyPI does. The token is stored in memory,\n"
        "   in place of your keychain.\n"
        f"2. secretly now runs what you would type to upload the package {package.NAME}:\n\n"
        f"   $ {setting.command()}\n"
    )


def _result(setting: _Setting, upload: ReceivedUpload) -> str:
    stored = upload.token == setting.token
    return (
        f"\n3. The index received {upload.file} ({upload.project} {upload.version}),\n"
        f"   from the user {upload.username}, with "
        f"{'the stored token' if stored else 'a temporary token, not the stored one'}.\n"
        "4. The demo sent that token again:\n"
        f"   for another project, the index {_try_again(setting, upload, 'another-project')}\n"
        f"   an hour later, the index {_try_again(setting, upload, package.NAME, _LATER)}\n"
    )


def _try_again(setting: _Setting, upload: ReceivedUpload, project: str, later: float = 0.0) -> str:
    """Send the token that the index received once more; return what the index does, in words."""
    setting.practice.put_clock_forward(later)
    sent = uploader.Sent(project, package.VERSION, upload.file, b"")
    answer = uploader.send(setting.practice.host, upload.username, upload.token, sent)
    return "took it" if answer.status == 200 else f"refused it: {answer.reason}"


def _end(setting: _Setting, status: int, uploaded: bool) -> Ending:
    """How the demo ended. A tool that ends well without an upload has shown nothing."""
    if status == 0 and uploaded:
        text = (
            "The index, the package and both tokens are removed now.\n"
            "Next, with secretly installed, store your own token and upload:\n"
            f"   secretly set PyPI\n   secretly run {setting.tool.usual}"
        )
    elif status == _NO:
        text = f"\nYou answered No: {setting.tool.program} was not run. That is how it should be."
    else:
        hint = "" if setting.yes else "\nTo see the demo without a question: secretly demo --yes"
        ended = f"ended with the status {status}" if status else "uploaded nothing"
        text = f"\n'{setting.command()}' {ended}, so the demo stopped there.{hint}"
        status = status or 1
    return Ending(status, text)
