"""The texts of ``.pypirc`` files, usual ones and odd ones."""

from __future__ import annotations

from hypothesis.strategies import SearchStrategy

from .chosen import Chooser, choices

_LISTED = ["pypi", "testpypi", "corp", "https://named.example/", "DEFAULT"]
_SECTIONS = ["pypi", "testpypi", "corp", "pypi", "corp", "PyPI", "Corp", "https://named.example/"]
_SECTIONS += ["DEFAULT", "server-login", "distutils"]


def pypirc(chooser: Chooser) -> str:
    """The text of a ``.pypirc``: most have the indexes that calls name."""
    servers = ["pypi", "testpypi", "corp"]
    names = ["corp", *chooser.some(["pypi", "testpypi", "DEFAULT"], 2)]
    if chooser.odd(12):
        servers = chooser.some(_LISTED, 4)
    if chooser.odd(12):
        names = chooser.some(_SECTIONS, 4)
    if chooser.odd(4):
        names += chooser.some(names, 1)
    listed = "".join(f"    {server}\n" for server in servers)
    blocks = [] if chooser.odd(12) else [f"[distutils]\nindex-servers =\n{listed}"]
    blocks += [f"[{name}]\n{_keys(chooser, name)}" for name in names]
    if chooser.chance(20):
        chooser.random.shuffle(blocks)
    before = chooser.of(["", "", "", "# a comment\n"], ["\ufeff", "broken\n"], 4)
    return (before + "".join(blocks)).replace("\n", chooser.of(["\n"] * 8 + ["\r\n", "\r"]))


def pypircs() -> SearchStrategy[str]:
    """The strategy for such texts."""
    return choices(pypirc)


def _keys(chooser: Chooser, name: str) -> str:
    """Some of the keys of a section."""
    url = chooser.url()
    # Whether such a URL is the tool's own for the index, only the tool knows.
    own = {"pypi": ("upload",), "testpypi": ("test",), "DEFAULT": ("upload", "test")}.get(name, ())
    like = any(f"//{start}." in url for start in own)
    keys = {
        "repository": (95 if name == "corp" else 0 if like else 25, url),
        "username": (50, chooser.user()),
        "password": (25, "canary-file%(x)s"),
        "ca_cert": (12, chooser.of(["own.pem"], [""])),
        "client_cert": (12, chooser.of(["client.pem"], [""])),
    }
    lines = []
    for key, (percent, text) in keys.items():
        if chooser.chance(percent):
            spelled = chooser.of([key, key, key, key.upper()])
            equals = chooser.of([" = ", "=", ": ", " =\n    "])
            lines.append(f"{spelled}{equals}{text}\n")
    return "".join(lines)
