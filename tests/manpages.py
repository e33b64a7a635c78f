"""The man pages in docs/man, made from what ``--help`` prints.

    python tests/manpages.py

Writes them anew. A test compares them with what this makes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from secretly.cli.described import Described, DescribedVerb, describe_all
from secretly.cli.main import VERSION

FOLDER = Path(__file__).parent.parent / "docs/man"

_ABOUT = "Give one command your secret, for as long as it runs"

#: What roff reads otherwise, or shows as another character (groff_char(7)).
_SPECIAL = {
    "\\": r"\e",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    "…": r"\(u2026",
}

_STATUSES = (
    ("0", "success"),
    ("1", "failure, or something is missing or wrong"),
    ("2", "wrong usage or configuration"),
    ("130", "you cancelled, or answered No"),
)
_STATUSES_OF_RUN = (
    ("125", "every failure of secretly's own, including wrong usage and configuration"),
    ("126", "the command exists but can't be executed"),
    ("127", "the command doesn't exist"),
    ("130", "you cancelled, or answered No"),
    ("any other", "the command's own"),
)
_VARIABLES = (
    ("PINENTRY", "the pinentry to use"),
    ("SECRETLY_CONFIG", "the full path of the configuration"),
    ("SECRETLY_NO_INPUT", "with 1, secretly never asks: it fails instead"),
)
_FILES = (
    ("~/.config/secretly/config.toml", "the configuration"),
    ("~/.local/state/secretly/kept.tsv", "the names of the stored secrets, never their values"),
    ("~/Library/Application Support/secretly", "the folder of both on macOS"),
)


def plain(text: str) -> str:
    """A text as roff shows it unchanged."""
    found = "".join(_SPECIAL.get(character, character) for character in text)
    return rf"\&{found}" if found.startswith(".") else found


def bold(text: str) -> str:
    return rf"\fB{plain(text)}\fR"


def italic(text: str) -> str:
    return rf"\fI{plain(text)}\fR"


def file_name(verb: str) -> str:
    """The name of a verb's page; of secretly's own for an empty one."""
    return f"secretly-{verb}" if verb else "secretly"


def _reference(verb: str) -> str:
    """The name of a page, which is not hyphenated."""
    return rf"\%{bold(file_name(verb))}(1)"


def pages() -> dict[str, str]:
    """The text of each page, by its file's name."""
    verbs = describe_all()
    found = {"secretly.1": _page("", _ABOUT, _of_all(verbs))}
    for verb in verbs:
        found[f"{file_name(verb.name)}.1"] = _page(verb.name, verb.about, _of_verb(verb, verbs))
    return found


def _page(verb: str, about: str, body: Iterable[str]) -> str:
    name = file_name(verb)
    head = [
        r".\" Made by tests/manpages.py from what --help prints: don't edit.",
        f'.TH {name.upper()} 1 "" "secretly {VERSION}" "User Commands"',
        # No hyphens in options, and no wide spaces.
        ".nh",
        ".ad l",
        ".SH NAME",
        rf"{plain(name)} \- {plain(about)}",
    ]
    return "\n".join((*head, *body, ""))


def _of_all(verbs: Iterable[DescribedVerb]) -> Iterator[str]:
    """The body of secretly's own page."""
    yield ".SH SYNOPSIS"
    yield rf"{bold('secretly')} {italic('VERB')} [{italic('options')}]"
    yield ".br"
    yield rf"{bold('secretly')} [{bold('--help')} | {bold('--version')}]"
    yield ".SH DESCRIPTION"
    yield plain("secretly asks for a secret with pinentry, or takes it from the keychain or a")
    yield plain("password manager, checks that this use is meant, and hands it to one program.")
    yield ".SH VERBS"
    for verb in verbs:
        yield from _entry(_reference(verb.name), verb.about)
    yield ".SH OPTIONS"
    yield from _entry(f"{bold('-h')}, {bold('--help')}", "show the help and exit")
    yield from _entry(bold("--version"), "print the version")
    yield from _table("EXIT STATUS", _STATUSES)
    yield from _table("ENVIRONMENT", _VARIABLES)
    yield from _table("FILES", _FILES)
    yield ".SH EXAMPLES"
    yield from _example("example:\n  secretly run twine upload dist/*\n")


def _of_verb(verb: DescribedVerb, verbs: list[DescribedVerb]) -> Iterator[str]:
    """The body of a verb's page."""
    yield ".SH SYNOPSIS"
    for number, one in enumerate(verb.verbs or (verb,)):
        yield from (".br",) if number else ()
        yield _synopsis(one)
    yield ".SH DESCRIPTION"
    yield plain(verb.text)
    for one in verb.verbs:
        yield f".SH {plain(one.name.upper())}"
        yield plain(one.text)
        yield from _options(one)
    if not verb.verbs:
        yield ".SH OPTIONS"
        yield from _options(verb)
    yield from _table("EXIT STATUS", _STATUSES_OF_RUN if verb.name == "run" else _STATUSES)
    yield ".SH EXAMPLES"
    yield from _example(verb.example)
    yield ".SH SEE ALSO"
    others = ("", *(one.name for one in verbs if one.name != verb.name))
    yield ",\n".join(map(_reference, others))


def _synopsis(verb: DescribedVerb) -> str:
    words = [bold(f"secretly {verb.name}")]
    if verb.name == "run":
        words += [f"[{italic('options')}]", f"[{bold('--')}]"]
    else:
        words += [_in_synopsis(one) for one in verb.options if "--help" not in one.names]
    return " ".join((*words, *map(_in_synopsis, verb.arguments)))


def _in_synopsis(one: Described) -> str:
    text = " ".join(filter(None, (bold(one.names[0]) if one.names else "", _taken(one))))
    return text if one.required else f"[{text}]"


def _taken(one: Described) -> str:
    if not one.takes:
        return ""
    return italic(f"{one.takes}...") if one.number == "*" else italic(one.takes)


def _options(verb: DescribedVerb) -> Iterator[str]:
    for one in (*verb.arguments, *verb.options):
        title = ", ".join(map(bold, one.names))
        if one.names and one.number == "?":
            title += f"[={italic(one.takes)}]"
        else:
            title = f"{title} {_taken(one)}".strip()
        yield from _entry(title, one.help)


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f".SH {title}"
    for name, about in rows:
        yield from _entry(bold(name), about)


def _entry(title: str, about: str) -> Iterator[str]:
    yield ".TP"
    yield title
    yield plain(about)


def _example(text: str) -> Iterator[str]:
    yield ".EX"
    for line in text.splitlines()[1:]:
        yield plain(line.removeprefix("  "))
    yield ".EE"


def main() -> int:
    """Write the pages, and return the exit status."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.1"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
