"""How a driver answers: a call a line of standard input, an answer a line of standard output."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable


def answer_lines(answer: Callable[[list[str]], dict[str, object]]) -> None:
    """Answer each line. Nothing else may read the input, or get into the output.

    :param answer: what the tool does with some arguments, in the folder and with the variables of
        the call.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lines, sys.stdin = sys.stdin.readlines(), io.StringIO()  # the tool may ask
    for line in lines:
        call = json.loads(line)
        os.environ.clear()
        os.environ.update(call["environ"])
        os.chdir(call["folder"])
        print(json.dumps(answer(call["arguments"])), file=answers, flush=True)
