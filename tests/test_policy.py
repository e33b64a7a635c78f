"""The policy files: what they may say, and that the stricter value counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from secretly.config import policy, policy_file
from secretly.config.policy import Policy
from secretly.errors import BadConfiguration, Refused, SecretlyError


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The system's file and the user's own, which don't exist."""
    for name in ("etc", "home"):
        (tmp_path / name).mkdir(mode=0o755)
    return tmp_path / "etc/policy.toml", tmp_path / "home/policy.toml"


def load(files: tuple[Path, Path], system: str | None, own: str | None) -> Policy:
    """The policy that two files make together; None: both files are missing."""
    for path, text in zip(files, (system, own), strict=True):
        if text is not None:
            path.write_text(text)
            path.chmod(0o644)
    return policy.load(*map(str, files))


def test_without_a_file_nothing_is_stricter(files: tuple[Path, Path]) -> None:
    """And agents are asked about."""
    found = load(files, None, None)
    assert found == Policy()
    assert (found.confirm, found.no_confirm, found.agents, found.log) == (
        *("configured", True, "ask"),
        "",
    )


def test_a_folder_that_is_missing_is_not_a_policy(tmp_path: Path) -> None:
    """Nor is one that is a file."""
    (tmp_path / "file").touch()
    missing = str(tmp_path / "missing/policy.toml")
    assert policy.load(missing, str(tmp_path / "file/policy.toml")) == Policy()


def test_a_file_that_can_not_be_read_is_not_a_missing_one(tmp_path: Path) -> None:
    """A link to itself stops the call, as a file of somebody else's does."""
    (tmp_path / "policy.toml").symlink_to("policy.toml")
    with pytest.raises(SecretlyError, match="policy"):
        policy.load(str(tmp_path / "missing"), str(tmp_path / "policy.toml"))


@pytest.mark.skipif(os.geteuid() != 0, reason="the system's file must be root's")
@pytest.mark.parametrize("key", policy_file.ORDER)
def test_the_stricter_value_counts(key: str, files: tuple[Path, Path]) -> None:
    """Whichever file has it; a file that doesn't say it lowers nothing."""
    values = policy_file.ORDER[key]
    texts = [f"{key} = {policy_file._written(value)}\n" for value in values]
    for at, weaker in enumerate(texts):
        for above, stricter in enumerate(texts[at:], at):
            for pair in ((weaker, stricter), (stricter, weaker), ("", stricter), (stricter, "")):
                assert getattr(load(files, *pair), key) == values[above], pair


@pytest.mark.skipif(os.geteuid() != 0, reason="the system's file must be root's")
@pytest.mark.parametrize(
    ("system", "own", "named"),
    [
        ("ask", None, [0]),
        ("refuse", "ask", [0, 1]),
        ("as-me", "ask", [1]),
        (None, "refuse", [1]),
    ],
)
def test_each_file_that_keeps_agents_out_is_named(
    system: str | None, own: str | None, named: list[int], files: tuple[Path, Path]
) -> None:
    """The user's own file can't change what the system's says."""
    texts = [value and f'agents = "{value}"\n' for value in (system, own)]
    said = policy.as_me(load(files, *texts))
    assert said == f'agents = "as-me" in {" and in ".join(str(files[at]) for at in named)}'
    assert policy.as_me(Policy()).endswith(policy.users_file())


@pytest.mark.skipif(os.geteuid() != 0, reason="the system's file must be root's")
@pytest.mark.parametrize(
    ("one", "other", "level", "needed"),
    [
        ('"off"', '"off"', "off", False),
        ('"off"', '"on"', "on", False),
        ('"on"', '"full"', "full", False),
        ('"off"', '"required"', "on", True),
        ('"full"', '"required"', "full", True),
        ('["required", "full"]', '"off"', "full", True),
        ('["full"]', None, "full", False),
    ],
)
def test_a_receipt_without_exception_takes_no_command_line_away(
    one: str, other: str | None, level: str, needed: bool, files: tuple[Path, Path]
) -> None:
    """How much is logged, and whether it must be, are two things, and both can be asked for."""
    for pair in ((one, other), (other, one)):
        for path in files:
            path.unlink(missing_ok=True)
        found = load(files, *(value and f"log = {value}\n" for value in pair))  # type: ignore[arg-type]
        assert (found.log, found.needs_receipt) == (level, needed)


@pytest.mark.skipif(os.geteuid() != 0, reason="the system's file must be root's")
def test_the_systems_pinentry_counts_and_marks_add_up(files: tuple[Path, Path]) -> None:
    """A stricter pinentry does not exist, and each mark makes secretly more careful."""
    found = load(
        files,
        'pinentry = "/usr/bin/a"\nagent_variables = ["A"]\n',
        'pinentry = "/usr/bin/b"\nagent_variables = ["B=1"]\nagent_programs = ["c"]\n',
    )
    assert found.pinentry == "/usr/bin/a"
    assert found.agent_variables == ("A", "B=1")
    assert found.agent_programs == ("c",)
    assert found.paths == tuple(map(str, files))


@pytest.mark.parametrize(
    "text",
    [
        "confirm = true",
        'confirm = "always"',
        "no_confirm = 0",
        'no_confirm = "false"',
        "require_reason = 1",
        'log = "none"',
        "log = []",
        'log = ["off", "required"]',
        'log = ["full", "full"]',
        "log = [1, {}]",
        'agents = "yes"',
        'agents = ["ask"]',
        "pinentry = true",
        'pinentry = "pinentry-qt"',
        'agent_variables = "A"',
        'agent_variables = [""]',
        'agent_variables = ["=agent"]',
        'agent_variables = ["MY AGENT"]',
        f'"{"x" * 9999}\\u001b" = 1',
        'agent_programs = ["/usr/bin/x"]',
        'confirmed = "stored"',
        "[secrets.X]\nconfirm = false",
        "confirm = ",
        "\xff",
        "[" * 2000,
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str, files: tuple[Path, Path]) -> None:
    """With its name, and what to do: a key that is misspelled would protect nothing."""
    files[1].write_bytes(text.encode("latin-1"))
    files[1].chmod(0o644)
    with pytest.raises(BadConfiguration, match="policy") as caught:
        policy.load(*map(str, files))
    assert str(files[1]) in str(caught.value)
    assert caught.value.hint
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("mode", [0o646, 0o666])
def test_a_file_that_others_can_change_is_refused(mode: int, files: tuple[Path, Path]) -> None:
    """They could lower the policy."""
    files[1].touch()
    files[1].chmod(mode)
    with pytest.raises(Refused, match="could be changed by others"):
        policy.load(*map(str, files))


def test_what_is_not_a_file_is_refused(files: tuple[Path, Path]) -> None:
    """A folder, or a pipe that nothing writes to."""
    files[1].mkdir()
    with pytest.raises(BadConfiguration, match="can't read the policy"):
        policy.load(*map(str, files))
    files[1].rmdir()
    os.mkfifo(files[1])
    with pytest.raises(BadConfiguration, match="not a regular file"):
        policy.load(*map(str, files))


@pytest.mark.parametrize("what", ["file", "folder", "both"])
def test_a_link_that_leads_nowhere_is_refused(what: str, files: tuple[Path, Path]) -> None:
    """The disk with the policy may be missing, and without it everything would be allowed."""
    own = files[1]
    if what != "file":
        own.parent.rmdir()
        own.parent.symlink_to("elsewhere")
    if what == "both":
        (own.parent.parent / "elsewhere").mkdir()
    if what != "folder":
        own.symlink_to("/nonexistent/policy.toml")
    with pytest.raises(BadConfiguration, match="No such file"):
        policy.load(*map(str, files))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["policy.toml", "."])
def test_the_systems_file_must_be_roots(
    what: str, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so must its folder: the user's programs may not change it."""
    files[0].touch()
    os.chown(files[0].parent / what, 4711, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(SecretlyError, match="is not root's") as caught:
        policy.load(*map(str, files))
    assert "chown root" in caught.value.hint


@pytest.mark.parametrize("name", ["HOME", "XDG_CONFIG_HOME", "SECRETLY_CONFIG", "USER", "LOGNAME"])
def test_no_variable_moves_the_users_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the home that the password database names."""
    before = policy.users_file()
    assert before.endswith("/.config/secretly/policy.toml")
    monkeypatch.setenv(name, "/elsewhere")
    assert policy.users_file() == before
