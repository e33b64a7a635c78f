"""The command's finder: it finds and loads the same as Python's own."""

from __future__ import annotations

import importlib
import importlib.util
import marshal
import os
import py_compile
import subprocess
import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

import pytest
from house import MODULES

import secretly
from secretly import cli

ROOT = Path(secretly.__file__).parent


def found(name: str, folder: Path) -> ModuleSpec | None:
    """What the command's finder says of a module in a folder."""
    return cli._Finder.find_spec(f"secretly.{name}", [str(folder)])


def loaded(spec: ModuleSpec | None) -> dict[str, object]:
    """The names that a module has once it is loaded."""
    assert spec is not None
    assert isinstance(spec.loader, cli._Loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def differences(name: str, folders: list[str]) -> list[str]:
    """In what the command's finder and Python's differ about a module."""
    ours = cli._Finder.find_spec(name, folders)
    theirs = PathFinder.find_spec(name, folders)
    assert ours is not None
    assert theirs is not None
    assert isinstance(ours.loader, SourceFileLoader)
    assert isinstance(theirs.loader, SourceFileLoader)
    facts = "name origin cached has_location parent submodule_search_locations".split()
    found = [fact for fact in facts if getattr(ours, fact) != getattr(theirs, fact)]
    codes = [loader.get_code(name) for loader in (ours.loader, theirs.loader)]
    found += ["code"] * (codes[0] != codes[1])
    modules = [vars(importlib.util.module_from_spec(spec)) for spec in (ours, theirs)]
    modules[1].setdefault("__cached__", modules[0]["__cached__"])  # Python 3.15 sets it no more
    names = {*modules[0], *modules[1]} - {"__loader__", "__spec__"}
    found += [name for name in sorted(names) if modules[0].get(name) != modules[1].get(name)]
    places = [code and code.co_filename for code in codes]  # not compared with the code
    return found + ["place"] * (places[0] != places[1])


def test_python_finds_the_same_modules() -> None:
    names = {*MODULES} - {"__init__", "__main__"}
    found = {
        name: differences(f"secretly.{name}", [str(ROOT.joinpath(*name.split(".")[:-1]))])
        for name in names
    }
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        ("secretly_more.text", [str(ROOT)]),
        ("secretly", [str(ROOT.parent)]),
        ("text", [str(ROOT)]),
        ("secretly.text", None),
        ("secretly.text", []),
        ("secretly.text", [str(ROOT), str(ROOT)]),
        ("secretly.nowhere", [str(ROOT)]),
        ("secretly.completions", [str(ROOT / "cli")]),  # a folder without Python
    ],
)
def test_the_rest_is_left_to_python(name: str, folders: list[str] | None) -> None:
    assert cli._Finder.find_spec(name, folders) is None


@pytest.mark.parametrize("name", ["ONE", "one\u017f", "one/two", "one\0"])
def test_a_file_of_a_name_that_no_module_has_is_left_to_python(tmp_path: Path, name: str) -> None:
    """Names of tools come from the user. On macOS, ``UV.py`` is the same file as ``uv.py``."""
    (tmp_path / "one").mkdir()
    for file in ("ONE", "one\u017f", "one/two"):
        (tmp_path / f"{file}.py").touch()
    assert found(name, tmp_path) is None


def test_a_package_comes_before_a_module_that_an_older_version_left(tmp_path: Path) -> None:
    package = tmp_path / "one"
    package.mkdir()
    (package / "__init__.py").write_text("value = 'package'\n")
    (tmp_path / "one.py").write_text("value = 'module'\n")
    assert differences("secretly.one", [str(tmp_path)]) == []
    assert loaded(found("one", tmp_path))["value"] == "package"


def test_compiled_code_that_was_moved_names_its_new_place(tmp_path: Path) -> None:
    """A traceback shows it."""
    before, now = tmp_path / "before", tmp_path / "now"
    before.mkdir()
    (before / "one.py").write_text("value = 'first'\n")
    py_compile.compile(str(before / "one.py"), doraise=True)
    before.rename(now)
    assert differences("secretly.one", [str(now)]) == []


def not_code(source: Path, compiled: Path) -> None:
    compiled.write_bytes(compiled.read_bytes()[:16] + marshal.dumps(5))


def changed_text(source: Path, compiled: Path) -> None:
    source.write_text("value = 'changed'\n")
    later = compiled.stat().st_mtime + 10
    os.utime(source, (later, later))


def changed_size(source: Path, compiled: Path) -> None:
    before = source.stat()
    source.write_text("value = 'changed' # more\n")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut_short(source: Path, compiled: Path) -> None:
    source.write_text("value = 'changed'\n")
    py_compile.compile(str(source), str(compiled))
    compiled.write_bytes(compiled.read_bytes()[:-5])


def another_version(source: Path, compiled: Path) -> None:
    data = compiled.read_bytes()
    compiled.write_bytes(b"\0\0\r\n" + data[4:])
    changed_size(source, compiled)


def checked_by_hash(source: Path, compiled: Path) -> None:
    source.write_text("value = 'changed'\n")
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(str(source), str(compiled), invalidation_mode=mode)


def no_compiled_code(source: Path, compiled: Path) -> None:
    compiled.unlink()
    source.write_text("value = 'changed'\n")


def unreadable_as_file(source: Path, compiled: Path) -> None:
    no_compiled_code(source, compiled)
    compiled.mkdir()


def larger_than_is_read(source: Path, compiled: Path) -> None:
    source.write_text(f"value = 'changed'\nlong = {'x' * (1 << 16)!r}\n")
    py_compile.compile(str(source), str(compiled), doraise=True)


@pytest.mark.parametrize(
    "change",
    [
        changed_text,
        changed_size,
        cut_short,
        another_version,
        checked_by_hash,
        no_compiled_code,
        unreadable_as_file,
        not_code,
        larger_than_is_read,
    ],
)
def test_compiled_code_of_another_source_does_not_count(
    tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    source = tmp_path / "one.py"
    source.write_text("value = 'first'\n")
    compiled = Path(py_compile.compile(str(source), doraise=True))
    assert loaded(found("one", tmp_path))["value"] == "first"
    change(source, compiled)
    if change in (cut_short, not_code):
        # Python refuses it too: it is an error, not another version.
        with pytest.raises((EOFError, ImportError)):
            loaded(found("one", tmp_path))
    else:
        assert loaded(found("one", tmp_path))["value"] == "changed"


def test_a_module_says_that_a_name_is_missing(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("value = 'first'\n")
    spec = found("one", tmp_path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert isinstance(module, types.ModuleType)
    assert module.__dict__["value"] == "first"
    assert not hasattr(module, "__path__")
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        _ = module.other


def test_only_packages_make_names_when_they_are_asked_for() -> None:
    """The finder's other modules would not call a ``__getattr__`` of their own (PEP 562)."""
    packages = {"__init__", *(name.rpartition(".")[0] for name in MODULES)}
    others = {*MODULES} - packages - {"__main__"}
    loaded = {name: vars(importlib.import_module(f"secretly.{name}")) for name in others}
    assert [name for name, names in loaded.items() if "__getattr__" in names] == []


def test_compiled_code_that_fits_is_what_is_loaded(tmp_path: Path) -> None:
    source = tmp_path / "one.py"
    source.write_text("value = 'first'\n")
    compiled = Path(py_compile.compile(str(source), doraise=True))
    facts = source.stat()
    compiled.write_bytes(compiled.read_bytes().replace(b"first", b"other"))
    assert source.stat() == facts
    assert loaded(found("one", tmp_path))["value"] == "other"


COUNT = """
import sys
from secretly.cli import main
main(["--version"])
print(*(name for name, module in sys.modules.items() if name.startswith("secretly.")
        and type(module.__spec__.loader).__name__ == "_Loader"))
"""


@pytest.mark.process
@pytest.mark.parametrize("options", [[], ["-O"], ["-X", "pycache_prefix=cache"]])
def test_the_command_finds_its_modules_itself_where_python_keeps_compiled_code_as_usual(
    tmp_path: Path, options: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, *options, "-c", COUNT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    expected = set() if options else {"secretly.cli.main", "secretly.cli.verbs"}
    assert expected <= {*done.stdout.split()}
    assert bool(expected) == ("secretly.cli.main" in done.stdout)


@pytest.mark.process
def test_the_library_leaves_the_imports_of_a_program_alone() -> None:
    code = (
        "import sys; before = list(sys.meta_path); import secretly.api.blocking;"
        " sys.exit(sys.meta_path != before)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
