"""Make the documentation's pictures: the dialog of an upload, in each pinentry.

    python tests/pictures.py

The real pinentries show it: those with a window under Xvfb, those of a terminal in tmux. A program
that is missing leaves its picture as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from html import escape
from pathlib import Path

from ptys import ASKS, Asking, wait_until
from test_pinentry_screen import Screen, asking

from secretly.asking import wording
from secretly.asking.questions import with_caller
from secretly.publishing.archives import Distribution
from secretly.publishing.destination import Destination
from secretly.publishing.release import Release

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"

#: The files of the pages: each page's dialog has these.
FILES = (
    ("dist/demo-1.0-py3-none-any.whl", 1100, "7362688ab15d84eb491a2b260abcdeed"),
    ("dist/demo-1.0.tar.gz", 814, "e85c0f9b6e78e057458327060f6b5ba7"),
)

WINDOWS = {"qt": "pinentry-qt", "gtk": "pinentry-gtk-2", "gnome": "pinentry-gnome3"}
TERMINALS = {"curses": "pinentry-curses", "tty": "pinentry-tty"}
COLUMNS, ROWS = 80, 22


def upload() -> str:
    """What the dialog of an upload says, above the question or the field for a token."""
    files = tuple(Distribution(path, size, sha, "demo", "1.0") for path, size, sha in FILES)
    release = Release("twine", Destination("pypi", "PyPI"), files)
    words = ["twine", "upload", *(file.path for file in files)]
    return release.consent("/home/you/venv/bin/twine", words).text("__token__")


def question() -> str:
    """The whole question before a stored token is used."""
    asks = with_caller([upload()], wording.asked_by_line("zsh"))
    return wording.confirm_use_text("PyPI", wording.place("keychain"), asks)


# -- windows -----------------------------------------------------------------------


@contextlib.contextmanager
def screen_in_a_file() -> Iterator[tuple[Screen, Path]]:
    """Start a virtual screen; give it with the file that has its pixels."""
    with tempfile.TemporaryDirectory() as folder:
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "900x700x24"]
        command += ["-nolisten", "tcp", "-noreset", "-fbdir", folder]
        server = subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL)
        os.close(writing)
        try:
            number = os.read(reading, 16).decode().strip()
            yield Screen(f":{number}"), Path(folder, "Xvfb_screen0")
        finally:
            os.close(reading)
            server.terminate()
            server.wait()


def pixels(file: Path, left: int, top: int, width: int, height: int) -> list[bytes]:
    """The rows of a part of the screen, three bytes a pixel, from an XWD file."""
    data = file.read_bytes()
    header = struct.unpack(">25I", data[:100])
    start, line = header[0] + header[19] * 12, header[12]
    rows = []
    for y in range(top, top + height):
        row = data[start + y * line + left * 4 :][: width * 4]
        rows.append(bytes(row[at + part] for at in range(0, len(row), 4) for part in (2, 1, 0)))
    return rows


def png(rows: list[bytes]) -> bytes:
    """The rows as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", size) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def place(screen: Screen) -> tuple[int, int, int, int]:
    """Where the dialog is, and its size: that of the largest window."""
    found = []
    for window in screen.windows():
        lines = screen.xdotool("getwindowgeometry", "--shell", window)
        values = dict(line.split("=") for line in lines)
        found.append(tuple(int(values[key]) for key in ("X", "Y", "WIDTH", "HEIGHT")))
    left, top, width, height = max(found, key=lambda one: one[2] * one[3])
    return max(left, 0), max(top, 0), min(width, 900 - left), min(height, 700 - top)


def window(program: str, what: str, typed: str, **prompt: str) -> bytes:
    """A picture of a pinentry's window, in which something was typed."""
    with (
        screen_in_a_file() as (screen, file),
        tempfile.TemporaryDirectory() as folder,
        asking(screen, Path(folder), program, what, title="secretly", **prompt) as terminal,
    ):
        screen.dialog(terminal)
        screen.type(typed)
        still(terminal, file)
        picture = png(pixels(file, *place(screen)))
        screen.key("Escape")
        terminal.result()
    return picture


def still(terminal: Asking, file: Path) -> None:
    """Wait until the screen has been the same for a while: shorter than the cursor blinks."""
    before, since = b"", time.monotonic()

    def unchanged() -> bool:
        nonlocal before, since
        if (now := file.read_bytes()) != before:
            before, since = now, time.monotonic()
        return time.monotonic() - since > 0.4

    terminal.until(unchanged)


# -- terminals ---------------------------------------------------------------------


def screenful(program: str, shown: str, description: str) -> list[str]:
    """The lines of a terminal in which a pinentry asks, with their escape sequences."""
    with tempfile.TemporaryDirectory() as folder:
        texts = {"title": "secretly", "description": description, "prompt": ""}
        how = {"what": "confirm", "seconds": 60, "reference": "", "prompt": texts, "stdin": False}
        how |= {name: str(Path(folder, name)) for name in ("result", "ready")}
        found = shutil.which(program)
        environ = [f"PINENTRY={found}", f"HOME={folder}", f"XDG_RUNTIME_DIR={folder}"]
        command = shlex.join(["env", *environ, sys.executable, "-c", ASKS, json.dumps(how)])
        tmux = ["tmux", "-S", str(Path(folder, "tmux")), "-f", os.devnull]
        size = ["-x", str(COLUMNS), "-y", str(ROWS + 1)]
        environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "TMUX")}
        subprocess.run([*tmux, "new-session", "-d", *size, command], check=True, env=environment)

        def captured() -> str:
            capture = [*tmux, "capture-pane", "-p", "-e"]
            return subprocess.run(capture, capture_output=True, text=True, check=True).stdout

        try:
            wait_until(lambda: shown in captured())
            return captured().rstrip("\n").splitlines()
        finally:
            subprocess.run([*tmux, "kill-server"], check=True)


_SGR = re.compile(r"\x1b\[([\d;]*)m|\x1b[()][A-Z0-9]|[\x0e\x0f]")
_COLOURS = dict(enumerate(("#1b1f24", "#d1242f", "#3fb950", "#d29922", "#539bf5", "#c27ddf")))
#: Pixels a character.
WIDE, HIGH = 8, 18


def svg(lines: list[str]) -> str:
    """The screen as a drawing."""
    blank = [not _SGR.sub("", line).strip() for line in lines]
    lines = lines[blank.index(False) : len(lines) - blank[::-1].index(False)]
    size = f'width="{COLUMNS * WIDE + 16}" height="{len(lines) * HIGH + 16}"'
    box = f'viewBox="0 0 {COLUMNS * WIDE + 16} {len(lines) * HIGH + 16}"'
    drawn = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box}>']
    drawn += ['<rect width="100%" height="100%" rx="6" fill="#1b1f24"/>']
    drawn += ['<g font-family="Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="13">']
    style: dict[str, str] = {}
    for row, line in enumerate(lines):
        column = 0
        for text in _pieces(line, style):
            drawn += _drawn(text, column, row, style)
            column += len(text)
    return "\n".join([*drawn, "</g>", "</svg>", ""])


def _pieces(line: str, style: dict[str, str]) -> Iterator[str]:
    """The parts of a line; *style* is then that of the part."""
    at = 0
    for found in _SGR.finditer(line):
        if found.start() > at:
            yield line[at : found.start()]
        at = found.end()
        for code in (found[1] or "0").split(";") if found[1] is not None else ():
            _restyle(int(code or 0), style)
    if at < len(line):
        yield line[at:]


def _restyle(code: int, style: dict[str, str]) -> None:
    if code == 0:
        style.clear()
    elif code == 1:
        style["bold"] = "1"
    elif code == 7:
        style["reverse"] = "1"
    elif 30 <= code <= 37:
        style["colour"] = _COLOURS.get(code - 30, "#e6e6e6")


def _drawn(text: str, column: int, row: int, style: dict[str, str]) -> Iterator[str]:
    """One part of a line: its ground, if it is in reverse, and its letters."""
    x, y, width = 8 + column * WIDE, 8 + row * HIGH, len(text) * WIDE
    colour = style.get("colour", "#e6e6e6")
    if "reverse" in style:
        yield f'<rect x="{x}" y="{y}" width="{width}" height="{HIGH}" fill="{colour}"/>'
        colour = "#1b1f24"
    weight = ' font-weight="bold"' if "bold" in style else ""
    for words in re.finditer(r"\S+( \S+)*", text):
        where = f'x="{x + words.start() * WIDE}" y="{y + 13}"'
        size = f'textLength="{len(words[0]) * WIDE}" lengthAdjust="spacingAndGlyphs"'
        letters = escape(words[0], quote=False)
        yield f'<text {where} {size} fill="{colour}"{weight}>{letters}</text>'


# -- all ---------------------------------------------------------------------------


def main() -> None:
    """Make each picture whose programs are there."""
    FOLDER.mkdir(exist_ok=True)
    for name, program in WINDOWS.items():
        if shutil.which(program):
            made = window(program, "confirm", "", description=question())
            FOLDER.joinpath(f"confirm-{name}.png").write_bytes(made)
    for name, program in TERMINALS.items():
        if shutil.which(program):
            lines = screenful(program, "agree", question())
            FOLDER.joinpath(f"confirm-{name}.svg").write_text(svg(lines), "utf-8")


if __name__ == "__main__":
    main()
