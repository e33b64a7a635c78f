"""Start-up files of shells: a statement that exports a secret goes whole.

No file is ever run. Only a statement on a line of its own, with a plain value, is cut.
"""

from __future__ import annotations

import bisect
import contextlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from ...redacted import Secret
from ..finding import Cut, Document, FileKind, Finding, Parsed
from ..lines import NoParse, TextLine, decoded, read_lines
from ..naming import command_with
from ..shapes import PERHAPS, assess, known_variables, shape_of
from ..shell_code import CLOSES, CONTINUES, OPENS, code_lines, without_comment

_VALUE = rb"(?P<value>'[^'\n]*'|\"[^\"\n]*\"|[^\s;|&<>()'\"]*)"
_NAME = rb"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
_POSIX = rb"(?:(?:export|declare|typeset|local|readonly)[ \t]+(?:-\w+[ \t]+)*)?" + _NAME + rb"="
_FISH = rb"set[ \t]+(?:-{1,2}[a-zA-Z-]+[ \t]+)+" + _NAME + rb"[ \t]+"
_SET = re.compile(rb"[ \t#]*set[ \t]")
_CSH = rb"setenv[ \t]+" + _NAME + rb"[ \t]+"
_UNIVERSAL = rb"SETUVAR[ \t]+(?:--\w+[ \t]+)*" + _NAME + rb":"

_FORMS = [
    re.compile(
        rb"(?P<comment>[ \t]*#[# \t]*)?[ \t]*" + form + _VALUE + rb"[ \t]*;?[ \t]*(?P<rest>#.*)?"
    )
    for form in (_POSIX, _FISH, _CSH)
]
_IN_LINE = [re.compile(rb"(?:^|[\s;&({'\"])" + f + _VALUE) for f in (_POSIX, _FISH, _CSH)]


class Assignment(NamedTuple):
    """A variable that a line sets.

    :param value: the text that it gets; None if that isn't plain.
    :param alone: whether the line has nothing else.
    :param universal: whether it is one of fish's universal variables.
    """

    name: str
    value: Secret | None
    line: TextLine
    alone: bool
    commented: bool = False
    universal: bool = False


def assignments(data: bytes) -> Iterator[Assignment]:
    """The variables that a start-up file sets, also those in comments."""
    for line in code_lines(data):
        if found := re.fullmatch(rb"[ \t]*" + _UNIVERSAL + rb"(?P<value>.*)", line.text):
            value = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), found["value"])
            text = Secret(value.decode("utf-8", "replace"))
            yield Assignment(found["name"].decode(), text, line, False, universal=True)
            continue
        whole = next(filter(None, (form.fullmatch(line.text) for form in _FORMS)), None)
        if whole is not None:
            yield _assignment(whole, line, True, bool(whole["comment"]))
            continue
        commented = line.text.lstrip().startswith(b"#")
        for form in _IN_LINE:
            for part in form.finditer(line.text):
                yield _assignment(part, line, False, commented)


def _assignment(found: re.Match[bytes], line: TextLine, alone: bool, commented: bool) -> Assignment:
    value, text = found["value"], None
    quoted = value[:1] in (b"'", b'"')
    inner = value[1:-1] if quoted else value
    if value[:1] == b"'" and _SET.match(line.text):  # fish has escapes in single quotes
        inner = re.sub(rb"\\([\\'])", rb"\1", inner)
    if value[:1] == b"'" or not re.search(rb"[$`\\]", inner):
        with contextlib.suppress(NoParse):  # then it is not a secret
            text = decoded(inner)
    return Assignment(found["name"].decode(), text, line, alone, commented)


def parse(data: bytes) -> Parsed:
    """Each assignment that stands alone by its name and how often it came before, and the rest."""
    values: dict[tuple[str, ...], str] = {}
    counts: dict[str, int] = {}
    gone = set()
    for one in assignments(data):
        if one.alone and not one.commented and one.value is not None:
            counts[one.name] = counts.get(one.name, 0) + 1
            values[one.name, str(counts[one.name])] = one.value
            gone.add(one.line.number)
    left = [line.text for line in read_lines(data) if line.number not in gone]
    values[("",)] = b"\n".join(left).decode("utf-8", "surrogateescape")
    return values


class _Reading:
    """A start-up file as it was read, once for all that is found in it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.known = known_variables(document.configuration)
        self.assignments = list(assignments(document.data))
        self.times = Counter(one.name for one in self.assignments if not one.commented)
        lines = (line.text.strip() for line in read_lines(document.data))
        #: The lines without blank ones and comments, by number.
        self.code = {n: t for n, t in enumerate(lines, 1) if t and not t.startswith(b"#")}
        self._numbers = list(self.code)
        self.users = _users(self.code, set(self.times))

    def problem(self, one: Assignment, kind: str) -> str:
        """Why the statement can't be cut; empty if it can."""
        value = one.value or ""
        found = [
            (one.universal, f"fish writes this file itself: set -e --universal {one.name}"),
            (one.commented, "it is in a comment: remove the line, and revoke the secret"),
            (not one.alone, "its line has more in it"),
            (kind == PERHAPS, "secretly knows no command that reads this variable"),
            (self.times[one.name] > 1, "the file sets this variable more than once"),
            (not self.name(one.name, value), "secretly can't know which index it is for"),
            (self._holds_together(one.line), "the lines around it need it"),
        ]
        return next((why for applies, why in found if applies), "")

    def name(self, variable: str, value: str) -> str:
        """The name of the secret: the known command's, else the variable's."""
        return self.known.get(variable, variable) or ("PyPI" if value.startswith("pypi-") else "")

    def _holds_together(self, line: TextLine) -> bool:
        """Whether a shell couldn't read the file without this line: a block would be empty."""
        at = bisect.bisect_left(self._numbers, line.number)
        before = self.code[self._numbers[at - 1]] if at else b""
        after = self.code[self._numbers[at + 1]] if at + 1 < len(self._numbers) else b""
        bare = without_comment(before).strip()  # too short, if the comment is in quotes
        if any(map(CONTINUES.search, (before, bare, line.text.strip()))):
            return True
        return any(map(OPENS.search, (before, bare))) and bool(CLOSES.match(after))


def _users(code: Mapping[int, bytes], variables: Collection[str]) -> dict[str, list[int]]:
    """The lines that use a variable of the file, or export it."""
    found: dict[str, list[int]] = {}
    pattern = re.compile(rb"\$\{?(\w+)|\bexport\s+(\w+)\s*$")
    for number, text in code.items():
        for match in pattern.finditer(text):
            name = (match[1] or match[2]).decode("ascii", "replace")
            if name in variables:
                found.setdefault(name, []).append(number)
    return found


def find(document: Document) -> list[Finding]:
    """The variables with secrets, and other tokens by their shape."""
    reading, found, counts = _Reading(document), [], Counter[str]()
    seen = set[int]()
    for one in reading.assignments:
        if one.alone and not one.commented and one.value is not None:
            counts[one.name] += 1
        if kind := assess(one.name, one.value, reading.known) if one.value else "":
            seen.add(one.line.number)
            found.append(_finding(reading, one, kind, counts[one.name]))
    for line in code_lines(document.data):
        text = Secret(line.text.decode("utf-8", "replace"))
        if line.number not in seen and (kind := shape_of(text)):
            why = "it is part of a longer line"
            found.append(Finding("a token", line.number, text, kind, problem=why))
    return sorted(found, key=lambda one: one.line)


def _finding(reading: _Reading, one: Assignment, kind: str, count: int) -> Finding:
    value = one.value or Secret("")
    name = reading.name(one.name, value)
    command = command_with(one.name, reading.document.configuration)
    note = f"shells that are open have {one.name} until they end, or: unset {one.name}"
    uses = [n for n in reading.users.get(one.name, ()) if n != one.line.number]
    return Finding(
        f"{one.name}{' (in a comment)' if one.commented else ''}",
        one.line.number,
        value,
        kind,
        name,
        None,
        (Cut(one.line.start, one.line.end),),
        ((one.name, str(count)),),
        problem=reading.problem(one, kind),
        command=f"secretly run {command} …" if command else f"secretly run -e {one.name} COMMAND",
        revoke=f"at {name}" if command else "where you got it",
        also=(*(f"line {n} uses {one.name}, and gets nothing from then on" for n in uses), note),
    )


def sourced(data: bytes) -> list[str]:
    """The files that a start-up file reads: ``source FILE``, ``. FILE``."""
    pattern = re.compile(rb"(?:^|[;&{]|\bthen|&&)\s*(?:source|\.)\s+[\"']?([^\s\"';&|]+)")
    lines = [line.text for line in code_lines(data) if not line.text.lstrip().startswith(b"#")]
    return [m[1].decode("utf-8", "replace") for text in lines for m in pattern.finditer(text)]


def bare_files(data: bytes) -> Mapping[str, str]:
    """The files that nothing but a secret is in, by the variable that gets it: ``(cat FILE)``."""
    pattern = re.compile(
        rb"\b([A-Za-z_][A-Za-z0-9_]*)[= ]\"?(?:\$?\(|`)\s*(?:cat\s+|<\s*)[\"']?([^\s\"'()`|]+)"
    )
    return {
        m[1].decode(): m[2].decode("utf-8", "replace")
        for line in code_lines(data)
        if not line.text.lstrip().startswith(b"#")
        for m in pattern.finditer(line.text)
    }


_START_UP = (
    *("~/.bashrc", "~/.bash_profile", "~/.bash_login", "~/.profile", "~/.bash_aliases"),
    *("~/.zshrc", "~/.zshenv", "~/.zprofile", "~/.zlogin", "~/.xprofile", "~/.kshrc"),
    *("~/.config/fish/config.fish", "~/.config/fish/conf.d/*.fish", "~/.cshrc", "~/.tcshrc"),
    *("~/.config/fish/fish_variables", "~/.secrets", "~/.secrets.sh", "~/.secrets.env"),
    *("~/.privaterc", "~/.pam_environment", "~/.config/environment.d/*.conf", "~/.exports"),
)
_NAMES = ("*.sh", "*.bash", "*.zsh", "*.fish", ".*rc.local", ".exports", ".secrets", "*.secrets")


def find_for_direnv(document: Document) -> list[Finding]:
    """The variables of an ``.envrc``, which direnv blocks after each change."""
    why = "direnv blocks the file after a change: take the line out, then run direnv allow"
    return [found._replace(problem=why) for found in find(document)]


KINDS = [
    FileKind("direnv's .envrc", ("~/.envrc",), (".envrc",), find_for_direnv),
    FileKind("start-up file of a shell", _START_UP, _NAMES, find, parse),
]
