"""An item that is nearly the one that is meant is never taken for it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from secretly import BadReference, Refused, SourceFailed, sources
from secretly.reference import parse
from secretly.testing import FakePinentry

pytestmark = pytest.mark.process

PEM = "-----BEGIN PRIVATE KEY-----\ncanary-1\n-----END PRIVATE KEY-----"
ID = "0a1b2c3d-0000-4000-8000-00000000000a"


def login(name: str, password: str = "canary-1", **more: Any) -> dict[str, Any]:
    """An item as Bitwarden's program prints it."""
    return {"id": ID, "name": name, "login": {"username": "me", "password": password}, **more}


def got(reference: str, **environ: str) -> str:
    """Return the secret that a reference names, without prompts."""
    path = os.pathsep.join((environ.pop("PATH", ""), os.defpath))
    run = sources.Run({"PATH": path, **environ})
    return str(asyncio.run(sources.Items(run).get(parse(reference)))[0])


def bitwarden(folder: Path, *items: dict[str, Any]) -> str:
    """A folder with a program that lists those items, and gives the first by its id."""
    script = folder / "bw"
    script.write_text(
        f"""#!/bin/sh
case "$2 $3" in
"list items") cat <<'END'
{json.dumps(items)}
END
;;
"get item") [ "$4" = {ID} ] || {{ echo "Not found." >&2; exit 1; }}
cat <<'END'
{json.dumps(items[0] if items else None)}
END
;;
*) exit 9
esac
"""
    )
    script.chmod(0o755)
    return str(folder)


def test_a_name_that_is_a_part_of_anothers_is_not_that(tmp_path: Path) -> None:
    """Bitwarden's search finds TestPyPI for PyPI."""
    with pytest.raises(sources.NoItem, match="PyPI"):
        got("bw://PyPI", PATH=bitwarden(tmp_path, login("TestPyPI"), login("PyPI old")))


def test_the_item_that_is_called_so_is_found_among_others(tmp_path: Path) -> None:
    """An item with the same capitals takes precedence over others."""
    items = [login("TestPyPI", "canary-test"), login("pypi", "canary-small"), login("PyPI")]
    folder = bitwarden(tmp_path, *items)
    assert got("bw://PyPI", PATH=folder) == "canary-1"
    assert got("bw://TESTPYPI", PATH=folder) == "canary-test"


@pytest.mark.parametrize("name", ["Café crème", "Key é", "é", "été -x", "-é", "Ключ"])
def test_an_item_whose_name_has_an_accent_is_found(tmp_path: Path, name: str) -> None:
    """bw takes the accents from what it searches for, and not from the items' names."""
    folder = bitwarden(tmp_path, login(name), login("Cafe Key", "canary-2"), login("Key", "no"))
    script = tmp_path / "bw"
    plain = 'case "$5" in *[!\\ -~]*) echo "[]"; exit;; esac\n'
    script.write_text(script.read_text().replace("case", f"{plain}case", 1))
    if name.startswith("-"):
        with pytest.raises(BadReference):
            got(f"bw://{name}", PATH=folder)
    else:
        assert got(f"bw://{name}", PATH=folder) == "canary-1"
        assert got("bw://Cafe Key", PATH=folder) == "canary-2"


def test_a_vault_with_long_notes_is_read(tmp_path: Path) -> None:
    """More than other managers print of one item; which has an end, too."""
    items = [login("PyPI"), login("Notes on PyPI", notes="x" * (2 << 20))]
    assert got("bw://PyPI", PATH=bitwarden(tmp_path, *items)) == "canary-1"
    items.append(login("PyPI too", notes="x" * (15 << 20)))
    with pytest.raises(SourceFailed, match="more than 16 MiB"):
        got("bw://PyPI", PATH=bitwarden(tmp_path, *items))


def test_two_of_one_name_are_ambiguous(tmp_path: Path) -> None:
    """Neither of them is used."""
    with pytest.raises(sources.Ambiguous):
        got("bw://PyPI", PATH=bitwarden(tmp_path, login("PyPI"), login("PyPI")))


def test_an_item_is_found_by_its_id(tmp_path: Path) -> None:
    """An id finds the item, whatever its name."""
    assert got(f"bw://{ID}", PATH=bitwarden(tmp_path, login("PyPI"))) == "canary-1"


def test_a_field_of_ones_own_is_not_the_logins(tmp_path: Path) -> None:
    """Though it may be called so; it counts where the login has none."""
    own = [{"name": "password", "value": "canary-own"}, {"name": "token", "value": "canary-t"}]
    folder = bitwarden(tmp_path, login("PyPI", fields=own), login("Key", "", fields=own))
    assert got("bw://PyPI", PATH=folder) == "canary-1"
    assert got("bw://PyPI#token", PATH=folder) == "canary-t"
    assert got("bw://Key", PATH=folder) == "canary-own"


def user_name(reference: str, **environ: str) -> str | None:
    """The user name that goes with a password."""
    environ["PATH"] = os.pathsep.join((environ["PATH"], os.defpath))
    run = sources.Run(environ)
    return asyncio.run(sources.Items(run).get(parse(reference)))[1]


def test_a_user_name_of_ones_own_is_not_the_logins(tmp_path: Path) -> None:
    """It counts where the login has none, however it is written."""
    own = [{"name": "Username", "value": "ada"}]
    for mine, expected in (("me", "me"), ("", "ada"), (None, "ada")):
        item = login("PyPI", fields=own)
        item["login"]["username"] = mine
        folder = bitwarden(tmp_path, item)
        for name in ("username", "Username"):
            assert got(f"bw://PyPI#{name}", PATH=folder) == expected
        assert user_name("bw://PyPI", PATH=folder) == expected


def test_notes_and_keys_of_bitwarden_come_whole(tmp_path: Path) -> None:
    """An item's own fields take precedence, and values of several lines stay whole."""
    key = {"privateKey": PEM, "publicKey": "ssh-ed25519 canary-p", "keyFingerprint": "SHA256:x"}
    items = [
        {**login("Noted"), "notes": f"{PEM}\n"},
        {"name": "Deploy", "notes": None, "sshKey": key},
        {"name": "Own", "notes": "canary-n", "fields": [{"name": "Notes", "value": "canary-o"}]},
    ]
    folder = bitwarden(tmp_path, *items)
    assert got("bw://Noted#notes", PATH=folder) == f"{PEM}\n"
    assert got("bw://Deploy#privateKey", PATH=folder) == PEM
    assert got("bw://Deploy#publickey", PATH=folder) == "ssh-ed25519 canary-p"
    assert got("bw://Own#notes", PATH=folder) == "canary-o"
    with pytest.raises(sources.NoField) as caught:
        got("bw://Deploy", PATH=folder)
    assert "privateKey" in caught.value.hint


def store(tmp_path: Path, *items: str, shown: str = "canary-1\nuser: ada") -> dict[str, str]:
    """Make a password store whose items all have the same text."""
    for item in items:
        (tmp_path / "store" / item).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "store" / f"{item}.gpg").touch()
    script = tmp_path / "pass"
    script.write_text(f"#!/bin/sh\ncat <<'E'\n{shown}\nE\n")
    script.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.defpath}"
    return {"PATH": path, "PASSWORD_STORE_DIR": str(tmp_path / "store")}


def test_the_whole_text_of_an_item_of_pass_is_a_field(tmp_path: Path) -> None:
    """``#all``; an item may have a line with that key, which then takes precedence."""
    environ = store(tmp_path, "a", shown="canary-1\n\nuser: ada\ncanary-2")
    assert got("pass://a#all", **environ) == "canary-1\n\nuser: ada\ncanary-2"
    environ = store(tmp_path, "a", shown="canary-1\nAll: canary-own")
    assert got("pass://a#all", **environ) == "canary-own"


def test_gpg_asks_as_the_user_has_set(tmp_path: Path) -> None:
    """secretly tells gpg not to ask yet, unless the user's own options say how it asks."""
    variables = store(tmp_path, "Key")
    (tmp_path / "pass").write_text('#!/bin/sh\necho "$PASSWORD_STORE_GPG_OPTS"\n')
    for given, expected in (
        ("", "--pinentry-mode error"),
        ("--no-tty", "--no-tty --pinentry-mode error"),
        ("--pinentry-mode loopback", "--pinentry-mode loopback"),
    ):
        assert got("pass://Key", PASSWORD_STORE_GPG_OPTS=given, **variables) == expected


#: A pass whose key is locked until gpg has asked: it notes what gpg's agent gives its pinentry.
LOCKED = """#!/bin/sh
case "$PASSWORD_STORE_GPG_OPTS" in
*error*) [ -e "{asked}" ] || {{ echo "gpg: decryption failed: No pinentry" >&2; exit 2; }} ;;
*) echo "$PINENTRY_USER_DATA" >"{asked}"; {then} ;;
esac
echo canary-1
"""


@pytest.mark.parametrize("own", ["", "mine"])
@pytest.mark.parametrize("then", ["true", "echo 'gpg: cancelled' >&2; exit 2"])
def test_gpgs_pinentry_gets_a_mark_unless_it_reads_the_users(
    tmp_path: Path, own: str, then: str
) -> None:
    """By that mark, a pinentry that gpg's agent leaves behind is found and ended."""
    variables = store(tmp_path, "Key")
    asked = tmp_path / "asked"
    (tmp_path / "pass").write_text(LOCKED.format(asked=asked, then=then))
    with FakePinentry() as fake:
        run = sources.Run({**fake.environ, **variables, "PINENTRY_USER_DATA": own}, 60.0)
        fetched = sources.Items(run).get(parse("pass://Key"))
        if then == "true":
            assert str(asyncio.run(fetched)[0]) == "canary-1"
        else:
            with pytest.raises(sources.Locked):
                asyncio.run(fetched)
    mark = asked.read_text().strip()
    assert mark == own if own else mark.startswith("secretly-")


def test_a_key_in_the_password_store_comes_whole(tmp_path: Path) -> None:
    """A PEM block is a password of several lines, and further fields may follow."""
    variables = store(tmp_path, "Key", shown=f"{PEM}\n{PEM}\nuser: ada")
    assert got("pass://Key", **variables) == f"{PEM}\n{PEM}"
    assert user_name("pass://Key", **variables) == "ada"


@pytest.mark.parametrize("path", ["A/B/C", "A/B/C/D", "/A/B/C"])
def test_a_reference_of_proton_pass_is_not_read_from_another_store(
    tmp_path: Path, path: str
) -> None:
    """Both programs use ``pass://``, so the error names both if either may be meant."""
    variables = store(tmp_path)
    with pytest.raises(sources.NoItem, match=r"(?s)pass.*Proton Pass"):
        got(f"pass://{path}", **variables)
    variables = store(tmp_path, path.lstrip("/"), "Short")
    assert got(f"pass://{path}", **variables) == "canary-1"
    proton = tmp_path / "pass-cli"
    proton.write_text("#!/bin/sh\n")
    proton.chmod(0o755)
    with pytest.raises(sources.Ambiguous, match="Proton Pass") as caught:
        got(f"pass://{path}", **variables)
    assert f"pass://{path}#password" in caught.value.hint
    assert got(f"pass://{path}#password", **variables) == "canary-1"
    assert got(f"pass://{path}#user", **variables) == "ada"
    assert got("pass://Short", **variables) == "canary-1"


@pytest.mark.parametrize("line", ["Username", "USERNAME", "User", "user", "Login", "LOGIN"])
def test_a_line_of_pass_is_the_user_name_whatever_its_case(tmp_path: Path, line: str) -> None:
    """Asked for, and with the password."""
    script = tmp_path / "pass"
    script.write_text(f"#!/bin/sh\nprintf 'canary-1\\n{line}: ada\\nlogin: eve\\n'\n")
    script.chmod(0o755)
    variables = {"PATH": str(tmp_path), "PASSWORD_STORE_DIR": str(tmp_path / "store")}
    assert user_name("pass://PyPI", **variables) == "ada"
    assert got("pass://PyPI#username", **variables) == "ada"
    assert got(f"pass://PyPI#{line}", **variables) == "ada"


@pytest.mark.parametrize("path", ["Work", "Work/", ".", "/", "Work/.."])
def test_a_folder_of_the_password_store_is_not_an_item(tmp_path: Path, path: str) -> None:
    """``pass show`` would print its contents, with status 0."""
    (tmp_path / "store" / "Work").mkdir(parents=True)
    script = tmp_path / "pass"
    script.write_text("#!/bin/sh\necho Work\n")
    script.chmod(0o755)
    with pytest.raises(sources.NoItem, match="folder"):
        got(f"pass://{path}", PATH=str(tmp_path), PASSWORD_STORE_DIR=str(tmp_path / "store"))


@pytest.mark.parametrize("folder", ["store", "./store", "~/store", ".."])
def test_a_relative_password_store_is_refused(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``pass`` would read an item of the current folder, and anyone can encrypt one."""
    variables = store(tmp_path, "PyPI")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match="PASSWORD_STORE_DIR") as caught:
        got("pass://PyPI", **{**variables, "PASSWORD_STORE_DIR": folder})
    assert "unset" in caught.value.hint
    assert got("pass://PyPI", **variables) == "canary-1"


def test_an_empty_field_is_none(tmp_path: Path) -> None:
    """A command never gets an empty text as its secret."""
    script = tmp_path / "pass"
    script.write_text("#!/bin/sh\nprintf 'canary-1\\ntoken:\\nspaced: two  \\n'\n")
    script.chmod(0o755)
    variables = {"PATH": str(tmp_path), "PASSWORD_STORE_DIR": str(tmp_path / "store")}
    with pytest.raises(sources.NoField):
        got("pass://PyPI#token", **variables)
    assert got("pass://PyPI#spaced", **variables) == "two  "
