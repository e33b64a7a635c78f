"""What the cases of several tools are made of: options in each spelling, URLs, distributions."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

#: URLs of indexes: common ones, then those that programs read differently.
URLS = st.sampled_from(
    [
        "https://one.example/legacy/",
        "https://one.example/legacy",
        "http://two.example:8080/simple/",
        "https://upload.three.example/legacy/",
        "https://test.four.example/legacy/",
    ]
)
ODD_URLS = st.sampled_from(
    [
        "https://ada@five.example/",
        "https://ada:canary-url@six.example/x/",
        "https://a%40b:@seven.example/",
        "https://:canary-url@eight.example/",
        "HTTPS://Nine.Example/",
        "https://ten.example",
        "https://eleven.example/a/../b/?q=1#z",
        "https://twelve.example\\@thirteen.example/",
        " https://fourteen.example/",
        "https://fifteen.example/{x}",
        "https://{cache-dir}.example/",
        "https://sixteen.example:port/",
        "https://[::1]:8/",
        "ftp://seventeen.example/",
        "eighteen.example",
        "https://exämple.example/",
        "https://a@b@twenty.example/",
        "",
    ]
)
USERS = st.sampled_from(["ada", "__token__", "ada@corp.example", "", "a b", "ä", "-u"])


def mostly(common: SearchStrategy[str], rare: SearchStrategy[str]) -> SearchStrategy[str]:
    """The common ones in four cases of five."""
    return once_in(5).flatmap(lambda now: rare if now else common)


def once_in(number: int) -> SearchStrategy[bool]:
    """True in one case of so many: integers would be small ones too often."""
    return st.sampled_from(range(number)).map(lambda found: not found)


def spelled(names: Sequence[str], value: str) -> SearchStrategy[tuple[str, ...]]:
    """An option with a value, in each of its spellings; sometimes abbreviated."""
    long = [name for name in names if name.startswith("--")]
    cut = st.sampled_from(long).map(lambda name: (name[:-2], value))
    found: list[tuple[str, ...]] = []
    for name in names:
        if name.startswith("--"):
            found += [(name, value), (f"{name}={value}",), (name, value)]
        else:
            found += [(name, value), (f"{name}{value}",), (f"{name}={value}",)]
    return once_in(50).flatmap(lambda now: cut if now and long else st.sampled_from(found))


@st.composite
def arguments(
    draw: st.DrawFn,
    values: Mapping[tuple[str, ...], SearchStrategy[str]],
    flags: Sequence[str],
    most: int = 3,
) -> tuple[str, ...]:
    """Options with values and without, in any order.

    :param values: the options with a value, by their names, and their values.
    """
    found: list[tuple[str, ...]] = []
    for names in draw(st.lists(st.sampled_from(sorted(values)), max_size=most)):
        found.append(draw(spelled(names, draw(values[names]))))
    if flags:
        chosen = draw(st.lists(st.sampled_from(list(flags)), max_size=2))
        found += [(flag,) for flag in chosen]
    return tuple(word for words in draw(st.permutations(found)) for word in words)


def toml(tables: Mapping[str, object]) -> str:
    """TOML with these tables: JSON's texts, numbers and lists are TOML's, too."""
    return "".join(_lines(tables, ()))


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> list[str]:
    lines = [f"[{'.'.join(map(json.dumps, path))}]\n"] if path else []
    below: list[str] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            below += _lines(value, (*path, key))
        else:
            lines.append(f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}\n")
    return lines + below


def distribution(name: str, version: str, *, wheel: bool) -> tuple[str, str]:
    """The name of a wheel or a source distribution, and its bytes as text."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    file = io.BytesIO()
    if wheel:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"{name}-{version}.dist-info/METADATA"), metadata)
        return f"{name}-{version}-py3-none-any.whl", _text(file)
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        member.size = len(metadata)
        tar.addfile(member, io.BytesIO(metadata))
    return f"{name}-{version}.tar.gz", _text(io.BytesIO(gzip.compress(file.getvalue(), mtime=0)))


def _text(file: io.BytesIO) -> str:
    return file.getvalue().decode("utf-8", "surrogateescape")
