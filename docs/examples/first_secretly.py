"""Call an action with a password, as in the first version of secretly."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from secretly import Secret, secretly


def log_in(password: Secret) -> str:
    return f"logged in with {len(password)} characters"


def main(reactor: Any) -> "Deferred[Any]":
    return secretly(reactor, log_in, system="Example", username="ada").addCallback(print)


react(main)
