"""What the command says of its own end, and with which status it ends."""

from __future__ import annotations

import pytest

from secretly.cli import reporting
from secretly.errors import Cancelled, SecretlyError
from secretly.processes.signals import Interrupted, signals
from secretly.running.not_started import NotExecutable, NotThere


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Cancelled("no", "try again"), 130),
        (NotThere("no", "try again"), 127),
        (NotExecutable("no", "try again"), 126),
        (SecretlyError("no", "try again"), 125),
        (Interrupted(), 125),
        (KeyboardInterrupt(), 125),
        (ValueError("canary-1"), 125),
    ],
)
def test_a_signal_that_ends_the_command_is_not_an_error(
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says nothing then: the signal ends the process, and the shell says so."""
    monkeypatch.setattr(signals, "pending", True)
    assert reporting.report(error, 125) == status
    assert capsys.readouterr() == ("", "")


def test_an_interruption_ends_the_command_by_its_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noted, so that the process dies of the signal at its end."""
    monkeypatch.setattr(signals, "pending", False)
    reporting.report(Interrupted(), 125)
    assert signals.pending


def test_an_error_in_secretly_is_said_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text could have a value."""
    monkeypatch.setattr(signals, "pending", False)
    try:
        int("canary-1")
    except ValueError as error:
        assert reporting.report(error, 125) == 125
    said = capsys.readouterr().err
    assert "an error in secretly itself: ValueError at test_reporting.py" in said
    assert "canary" not in said
