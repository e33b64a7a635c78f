"""Strategies that several tools share: options in all their spellings, URLs, ``.pypirc``."""

from __future__ import annotations

import io
import tarfile
import zipfile

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


def mostly(common: list[str], rare: list[str]) -> SearchStrategy[str]:
    """One of the common texts four times in five, else one of the rare ones."""
    often = st.sampled_from(common)
    return st.one_of(often, often, often, often, st.sampled_from(rare))


NAMES = mostly(
    ["pypi", "testpypi", "corp"],
    [
        *("Corp", "PyPI", "corp.example", "https://named.example/", "DEFAULT", "", "server-login"),
        *("distutils", "a b", "ünïcode", "-x", "pypi "),
    ],
)

URLS = mostly(
    [
        "https://one.example/legacy/",
        "http://two.example:8080/x",
        "https://three.example",
        "https://ada@four.example/",
        "https://ada:canary-url@five.example/",
    ],
    [
        "",
        "HTTPS://Six.Example/",
        "https://seven.example/legacy",
        "https://:canary-url@eight.example/",
        "https://@nine.example/",
        "https://a@b@ten.example/",
        "https://a%40b:c%3A@eleven.example/",
        "ftp://twelve.example/",
        "thirteen.example/legacy/",
        "https://fourteen.example\\@fifteen.example/",
        " https://sixteen.example/",
        "https://seventeen.example/?q=1#fragment",
        "https://eighteen.example/{x}",
        "https://[::1]:9/",
        "https://[::1/",
        "https://nineteen.example:port/",
        "https://twenty.example/a b",
        "https://under_score.example/",
    ],
)

USERS = mostly(["ada", "__token__"], ["", "ada lovelace", "ä", "-u", "a%b"])


def spelled(names: tuple[str, ...], values: SearchStrategy[str]) -> SearchStrategy[list[str]]:
    """An option with a value, in one of its spellings; sometimes abbreviated, or without a value.

    :param names: its names, such as ``-r`` and ``--repository``.
    """
    long = [name for name in names if name.startswith("--")]
    short = [name for name in names if not name.startswith("--")]
    cut = [name[:end] for name in long for end in range(3, len(name))]
    common: list[SearchStrategy[list[str]]] = []
    for name in names:
        common.append(values.map(lambda v, n=name: [n, v]))
        common.append(values.map(lambda v, n=name: [f"{n}={v}"]))
    common += [values.map(lambda v, n=name: [n + v]) for name in short]
    rare = [
        st.tuples(st.sampled_from(cut or names), values).map(list),
        st.tuples(st.sampled_from(cut or names), values).map(lambda t: [f"{t[0]}={t[1]}"]),
        st.sampled_from([[f"{n}="] for n in names] + [[n] for n in names]),
    ]
    return st.one_of(*common, *common, *common, *common, *rare)


@st.composite
def pypircs(draw: st.DrawFn) -> str:
    """The text of a ``.pypirc``."""
    listed = st.sampled_from(["pypi", "testpypi", "corp", "https://named.example/", "DEFAULT"])
    blocks = []
    if draw(st.booleans()):
        section = f"[corp]\nrepository = {draw(URLS)}\n{draw(_keys(('username', 'client_cert')))}"
        return f"[distutils]\nindex-servers =\n    pypi\n    testpypi\n    corp\n\n{section}"
    if draw(st.booleans()):
        servers = draw(st.lists(listed, max_size=4))
        blocks.append("[distutils]\nindex-servers =\n" + "".join(f"    {s}\n" for s in servers))
    names = ["pypi", "testpypi", "corp", "pypi", "corp", "PyPI", "Corp", "https://named.example/"]
    names += ["DEFAULT", "server-login", "distutils"]
    for name in draw(
        st.lists(st.sampled_from(names), max_size=4, unique=draw(st.integers(0, 9)) > 0)
    ):
        blocks.append(f"[{name}]\n{draw(_keys(tuple(_VALUES)))}")
    text = draw(st.sampled_from(["", "", "", "# a comment\n", "\ufeff", "broken\n"])) + "".join(
        blocks
    )
    return text.replace("\n", draw(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])))


_VALUES = {
    "repository": URLS,
    "username": USERS,
    "password": st.just("canary-file%(x)s"),
    "ca_cert": st.sampled_from(["own.pem", ""]),
    "client_cert": st.sampled_from(["client.pem", ""]),
}


@st.composite
def _keys(draw: st.DrawFn, names: tuple[str, ...]) -> str:
    """Some of the keys of a section."""
    lines = []
    for key in names:
        if draw(st.integers(0, 3)) > (1 if key in ("repository", "username") else 2):
            name = draw(st.sampled_from([key, key, key.upper()]))
            equals = draw(st.sampled_from([" = ", "=", ": ", " =\n    "]))
            lines.append(f"{name}{equals}{draw(_VALUES[key])}\n")
    return "".join(lines)


def wheel(project: str = "demo", version: str = "1.0") -> str:
    """A wheel with metadata alone, as the text of a file."""
    data = io.BytesIO()
    stem = f"{project}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(f"{stem}.dist-info/METADATA", metadata)
        file.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{stem}.dist-info/RECORD", "")
    return data.getvalue().decode("utf-8", "surrogateescape")


def sdist(project: str = "demo", version: str = "1.0") -> str:
    """A source distribution with metadata alone, as the text of a file."""
    data = io.BytesIO()
    text = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
    with tarfile.open(fileobj=data, mode="w:gz") as file:
        for name in ("PKG-INFO", "README"):  # twine 7 refuses an archive of one file
            member = tarfile.TarInfo(f"{project}-{version}/{name}")
            member.size = len(text)
            file.addfile(member, io.BytesIO(text))
    return data.getvalue().decode("utf-8", "surrogateescape")
