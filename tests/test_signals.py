"""The signals that end the command."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from secretly.processes.signals import Interrupted, Signals


@pytest.fixture(name="signals")
def _signals() -> Iterator[Signals]:
    """Its handlers installed; afterwards everything is as it was."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    found = Signals()
    found.install()
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_between_two_waits_is_noted(signals: Signals) -> None:
    """It raises nothing, and is checked before the next wait."""
    signals.check()
    signal.raise_signal(signal.SIGTERM)
    assert signals.pending
    with pytest.raises(Interrupted):
        signals.check()


def test_a_signal_ends_a_wait_in_place(signals: Signals) -> None:
    """The handler raises."""
    signals.waiting = True
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGINT)
    assert signals.pending


def test_a_signal_cancels_what_an_event_loop_runs(signals: Signals) -> None:
    """With a loop the handler raises nothing: it could raise anywhere in the loop."""
    cancelled: list[bool] = []
    signals.cancel, signals.waiting = (lambda: cancelled.append(True)), True
    signal.raise_signal(signal.SIGQUIT)
    assert (cancelled, signals.pending) == ([True], True)


def test_an_ignored_signal_stays_ignored(signals: Signals) -> None:
    """nohup's SIGHUP is ignored before, during and after."""
    signal.raise_signal(signal.SIGHUP)
    assert not signals.pending
    signals.release()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.process
@pytest.mark.parametrize(("blocked", "status"), [("", -signal.SIGTERM), ("SIGTERM", 128 + 15)])
def test_the_command_dies_of_the_signal_that_came(blocked: str, status: int) -> None:
    """If that signal is blocked, it exits with the status that a shell gives it."""
    program = f"""
import signal
from secretly.processes.signals import Signals
signals = Signals()
signals.install()
signal.raise_signal(signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in {blocked!r}.split()])
signals.die()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (status, b"")
