"""Sealed secrets as the command has them: one question, whose answer is the passphrase."""

from __future__ import annotations

import asyncio
import base64
import datetime
import getpass
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import sealed
import tokens
from command import SECRETLY, Ended, Home, quick
from conftest import COVERAGE, need, need_package
from secretservice import secret_service

import secretly
from secretly.asking import sealed_wording, wording
from secretly.asking.assuan import unescape
from secretly.keeping import sealing
from secretly.keeping.kernel_keyring import KernelKeyring
from secretly.keeping.sealing import Keys
from secretly.redacted import is_sealed
from secretly.testing import FakePinentry, MemoryKeychain, sandbox
from secretly.waiting import own_loop

need_package("pyrage")

pytestmark = pytest.mark.process

ME = getpass.getuser()
P = sealed.PASSPHRASE


@pytest.fixture(name="filled", scope="module")
def _filled() -> Iterator[Home]:
    """A home with an identity, and a keychain in a file: two sealed secrets, and a plain one."""
    with quick() as found:
        found.keep_in_a_file()
        sealed.put_identity(found.environ["XDG_DATA_HOME"])
        for name, options in (("One", ["--sealed"]), ("Two", ["--sealed"]), ("Plain", [])):
            done = found.run("set", name, "--stdin", *options, stdin=f"canary-{name}")
            assert done.status == 0, done
        yield found


@pytest.fixture(name="home")
def _home(filled: Home) -> Iterator[Home]:
    """A home of its own for each test, with the same in it."""
    with quick() as found:
        found.keep_in_a_file()
        shutil.copytree(filled.folder, found.folder, dirs_exist_ok=True)
        yield found


def stored(home: Home) -> dict[str, str]:
    """What the keychain has, by name."""
    items = json.loads((home.folder / "keychain.json").read_text())
    return {json.loads(name)[0]: text for name, text in items.items()}


def descriptions(fake: FakePinentry) -> list[str]:
    """What each prompt said."""
    return [unescape(prompt["SETDESC"].encode()).decode() for prompt in fake.prompts]


def errors(fake: FakePinentry) -> list[str]:
    """The error of each prompt, in one line; empty without one."""
    found = [prompt.get("SETERROR", "") for prompt in fake.prompts]
    return [unescape(text.encode()).decode().replace("\n", " ") for text in found]


SHOW = ("sh", "-c", 'echo "$A $B $C"')


def test_all_sealed_secrets_of_a_run_are_one_question(home: Home) -> None:
    """The dialog names them and the command; the keychain has age files in their place."""
    assert [is_sealed(stored(home)[name]) for name in ("One", "Two", "Plain")] == [
        True,
        True,
        False,
    ]
    with FakePinentry([P]) as fake:
        words = ("-e", "A=One", "-e", "B=Two", "-e", "C=Plain", *SHOW)
        assert home.run("run", *words, environ=fake.environ).stdout == (
            "canary-One canary-Two canary-Plain\n"
        )
        (text,) = descriptions(fake)
        assert text.startswith(sealed_wording.open_text(["One", "Two"], "secretly: sh -c"))
        assert sealed_wording.THEM in text
        assert [one["SETPROMPT"] for one in fake.prompts] == [f"{sealed_wording.PASSPHRASE}:"]


@pytest.mark.parametrize("option", ["--no-confirm", "--confirm", "--no-remember"])
def test_no_option_takes_the_place_of_the_passphrase(home: Home, option: str) -> None:
    """It is the key; and it is the confirmation, so there is one question."""
    with FakePinentry([P]) as fake:
        done = home.run("run", option, "-e", "A=One", *SHOW, environ=fake.environ)
        assert (done.stdout, len(fake.prompts)) == ("canary-One  \n", 1)


def test_a_wrong_passphrase_is_asked_for_again_and_then_refused(home: Home) -> None:
    """Three times, and nothing runs."""
    wrong = sealed_wording.WRONG_PASSPHRASE
    with FakePinentry(["wrong", "", P]) as fake:
        assert home.run("get", "One", environ=fake.environ).stdout == "canary-One\n"
        assert errors(fake) == ["", wrong, wrong]
    with FakePinentry(["wrong"] * 4) as fake:
        done = home.run("run", "-e", "A=One", *SHOW, environ=fake.environ)
        assert_fails(done, 125, "passphrase")
        assert len(fake.prompts) == 3


def assert_fails(done: Ended, status: int, what: str) -> None:
    """It failed with two lines that have these words, and printed nothing."""
    assert (done.status, done.stdout, done.stderr.count("\n")) == (status, "", 2), done
    assert what in done.stderr
    assert "canary-" not in done.stderr


def test_a_no_and_a_closed_door(home: Home) -> None:
    """Cancelling is 130; without prompts, or a list of options that contradict a seal, 125."""
    with FakePinentry([None]) as fake:
        assert_fails(home.run("run", "-e", "A=One", *SHOW, environ=fake.environ), 130, "cancelled")
    with FakePinentry([P]) as fake:
        for option, what in (("--no-input", "switched off"), ("--remember=15m", "in memory")):
            done = home.run("run", option, "-e", "A=One", *SHOW, environ=fake.environ)
            assert_fails(done, 125, what)
        assert fake.prompts == []


def test_a_passphrase_that_fills_a_pipe_is_too_long(home: Home) -> None:
    """It could not be given to the process that tries it."""
    with FakePinentry(["x" * 70_000]) as fake:
        assert_fails(home.run("get", "One", environ=fake.environ), 1, "is too long")


def test_damage_is_told_apart_from_a_wrong_passphrase(home: Home) -> None:
    """A damaged secret and a damaged identity are named, before anything is asked."""
    path = home.folder / "keychain.json"
    path.write_text(path.read_text().replace("-----END AGE", "-----END"))
    identity = Path(home.environ["XDG_DATA_HOME"], "secretly/identity.age")
    with FakePinentry([P]) as fake:
        assert_fails(home.run("get", "One", environ=fake.environ), 1, "for One is cut short")
        assert home.run("set", "--sealed", "One", "--stdin", stdin="canary-1").status == 0
        identity.write_text(sealed.IDENTITY.replace("-----END AGE", "-----END"))
        assert_fails(home.run("get", "One", environ=fake.environ), 1, "identity.age is cut short")
        assert fake.prompts == []
        line = base64.b64encode(b"x" * 48).decode()
        identity.write_text(sealed.IDENTITY.replace(sealed.IDENTITY.splitlines()[7], line))
        assert_fails(home.run("get", "One", environ=fake.environ), 1, "identity.age is damaged")
        assert len(fake.prompts) == 1


def test_little_memory_is_an_error_before_anything_is_typed(home: Home) -> None:
    """The library would abort."""
    with FakePinentry([P]) as fake:
        words = ("-c", 'ulimit -v 200000; exec "$@"', "sh", *SECRETLY, "get", "One")
        identity = Path(home.environ["XDG_DATA_HOME"], "secretly/identity.age")
        text = base64.b64decode("".join(sealed.IDENTITY.splitlines()[1:-1]))
        data = base64.encodebytes(text.replace(b" 10\n", b" 20\n", 1)).decode()
        lines = sealed.IDENTITY.splitlines()
        identity.write_text(f"{lines[0]}\n{data}{lines[-1]}\n")
        done = home.run_any(["/bin/sh", *words], environ=fake.environ)
        assert_fails(done, 1, "of memory for a moment")
        shutil.rmtree(identity.parent)  # making one takes as much
        done = home.run_any(["/bin/sh", *words[:-2], "identity", "create"], environ=fake.environ)
        assert_fails(done, 1, "of memory for a moment")
        assert fake.prompts == []


# -- an age file is not a secret ---------------------------------------------------


def test_an_age_file_is_never_handed_over(home: Home) -> None:
    """No source, no env file and no prompt gives one to a command."""
    (home.folder / "file").write_text(stored(home)["One"])
    (home.folder / "file").chmod(0o600)
    (home.folder / "binary").write_bytes(b"age-encryption.org/v1\n-> X25519 a\n")
    (home.folder / "binary").chmod(0o600)
    home.configure(
        home.config.read_text() + f'[secrets.Command]\ncommand = ["cat", "{home.folder}/file"]\n'
    )
    references = (
        *(f"keyring://One/{ME}", f"file://{home.folder}/file", f"file://{home.folder}/binary"),
        *("env://SEALED", "Command"),
    )
    environ = {"SEALED": stored(home)["One"]}
    for reference in references:
        for words in (("get", reference), ("run", "-e", f"A={reference}", *SHOW)):
            done = home.run(*words, environ=environ)
            assert_fails(done, 125 if words[0] == "run" else 1, checking_says())
    (home.folder / ".env").write_text(f'A="{stored(home)["One"]}"\n')
    assert_fails(home.run("run", "-f", ".env", *SHOW), 125, "--literal A")
    assert home.run("run", "-f", ".env", "--literal", "A", *SHOW).stdout.startswith(
        "-----BEGIN AGE"
    )
    done = home.run("set", "Other", "--stdin", stdin=stored(home)["One"])
    assert_fails(done, 1, "nothing was stored")
    with FakePinentry(["age-encryption.org/v1", None]) as fake:
        assert home.run("run", "-e", "A=New", *SHOW, environ=fake.environ).status == 130
        assert errors(fake) == ["", wording.SEALED]


def checking_says() -> str:
    """What the error about an age file says."""
    from secretly.resolving import checking

    return checking.SEALED


@pytest.mark.outside
def test_without_the_package_no_sealed_secret_is_handed_over(home: Home) -> None:
    """The error names the package; what is not sealed works, and the identity can be backed up."""
    (home.folder / "pyrage.py").write_text("raise ImportError\n")
    with FakePinentry([P]) as fake:
        for words in (("run", "-e", "A=One", *SHOW), ("seal", "Plain"), ("identity", "replace")):
            done = home.run_any([*SECRETLY, *words], environ=fake.environ)
            assert_fails(done, 125 if words[0] == "run" else 1, "secretly[sealed]")
        done = home.run_any([*SECRETLY, "run", "-e", f"A=keyring://One/{ME}", *SHOW])
        assert_fails(done, 125, checking_says())
        words = ("run", "-e", "A=Plain", *SHOW)
        assert home.run_any([*SECRETLY, *words]).stdout == "canary-Plain  \n"
        assert is_sealed(home.run_any([*SECRETLY, "identity", "export"]).stdout)
        assert fake.prompts == []


def test_an_age_file_inside_a_sealed_secret_is_refused(home: Home) -> None:
    """What opens is checked as any other secret is."""
    from secretly.keeping import sealing

    items = json.loads((home.folder / "keychain.json").read_text())
    items[json.dumps(["One", ME])] = sealing.seal(stored(home)["Two"], sealed.RECIPIENT, "One")
    (home.folder / "keychain.json").write_text(json.dumps(items))
    with FakePinentry([P]) as fake:
        assert_fails(home.run("get", "One", environ=fake.environ), 1, checking_says())


def test_a_sealed_secret_that_was_moved_is_refused(home: Home) -> None:
    """Another program can store it under another name, but you don't hand it over as that."""
    items = json.loads((home.folder / "keychain.json").read_text())
    items[json.dumps(["One", ME])] = items[json.dumps(["Two", ME])]
    (home.folder / "keychain.json").write_text(json.dumps(items))
    with FakePinentry([P]) as fake:
        assert_fails(home.run("get", "One", environ=fake.environ), 1, "under another name")


def test_a_seal_that_is_configured_is_demanded(home: Home) -> None:
    """A secret that is stored without its seal is refused, with the way to seal it."""
    home.configure(f"{home.config.read_text()}[secrets.Plain]\nsealed = true\n")
    assert_fails(home.run("get", "Plain"), 1, "secretly seal Plain")
    with FakePinentry([P, P]) as fake:
        assert home.run("seal", "Plain", environ=fake.environ).stdout == "sealed Plain\n"
        assert home.run("get", "Plain", environ=fake.environ).stdout == "canary-Plain\n"
    assert_fails(home.run("unseal", "Plain"), 1, "sealed = true for Plain")


# -- storing, sealing and unsealing ------------------------------------------------


def test_what_was_sealed_stays_sealed_when_it_is_stored_again(home: Home) -> None:
    """``set`` and ``run --remember`` seal it too, and ask for no passphrase."""
    before = stored(home)["One"]
    assert home.run("set", "One", "--stdin", stdin="canary-again").stdout == (
        "stored One in the keychain, sealed\n"
    )
    with FakePinentry(["canary-typed", P]) as fake:
        words = ("run", "--ask", "--remember", "-e", "A=Two", *SHOW)
        assert home.run(*words, environ=fake.environ).stdout == "canary-typed  \n"
        assert is_sealed(stored(home)["Two"])
        assert home.run("get", "Two", environ=fake.environ).stdout == "canary-typed\n"
    assert is_sealed(stored(home)["One"])
    assert stored(home)["One"] != before


def test_sealing_and_unsealing_change_what_is_stored_and_listed(home: Home) -> None:
    """Each shows itself in ``list``, and a wrong passphrase changes nothing."""
    before = stored(home)
    with FakePinentry(["wrong"] * 3) as fake:
        assert_fails(home.run("seal", "Plain", environ=fake.environ), 1, "passphrase")
    with FakePinentry(["wrong"] * 3) as fake:
        assert_fails(home.run("unseal", "One", environ=fake.environ), 1, "passphrase")
    assert stored(home) == before
    with FakePinentry([P, P]) as fake:
        assert home.run("seal", "Plain", environ=fake.environ).stdout == "sealed Plain\n"
        assert home.run("unseal", "One", environ=fake.environ).stdout == "unsealed One\n"
    assert {name: is_sealed(text) for name, text in stored(home).items()} == listed(home)
    assert listed(home) == {"One": False, "Two": True, "Plain": True}
    assert stored(home)["One"] == "canary-One"
    assert home.run("seal", "Plain").stdout == "Plain is sealed already\n"
    assert home.run("unseal", "One").stdout == "One is not sealed\n"
    assert "the keychain, sealed, user" in home.run("list").stdout
    home.configure(f'{home.config.read_text()}[secrets.Elsewhere]\nsource = "env://X"\n')
    for verb in ("seal", "unseal"):
        assert_fails(home.run(verb, "Elsewhere"), 1, "to come from env://X")
    assert_fails(home.run("seal", "Missing"), 1, "no secret Missing")


def test_each_item_of_a_name_is_sealed(home: Home) -> None:
    """A name may have several, with other user names, and one of them may be sealed already."""
    path = home.folder / "keychain.json"
    words = ("set", "Plain", "--stdin", "--username", "other", "--sealed", "--replace")
    before = path.read_text()
    assert home.run(*words, stdin="canary-other").status == 0
    path.write_text(json.dumps({**json.loads(before), **json.loads(path.read_text())}))
    with FakePinentry([P]) as fake:
        assert home.run("seal", "Plain", environ=fake.environ).stdout == "sealed Plain\n"
    items = json.loads(path.read_text())
    assert len([key for key in items if json.loads(key)[0] == "Plain"]) == 2
    assert all(map(is_sealed, items.values()))


def listed(home: Home) -> dict[str, bool]:
    """Whether each stored secret is listed as sealed."""
    found = json.loads(home.run("list", "--json").stdout)["secrets"]
    return {one["name"]: one["places"][0]["sealed"] for one in found if one["places"]}


#: A keychain that loses what it is given: it returns another text.
FORGETFUL = """
    def set_password(self, service, username, password):
        if password != "canary-Plain":
            password = password.swapcase()
        self._write({**self._items(), json.dumps([service, username]): password})
"""


def test_a_keychain_that_fails_gets_the_old_secret_back(home: Home) -> None:
    """What was stored is read back before the old one is given up."""
    with (home.folder / "filekeychain.py").open("a") as file:
        file.write(FORGETFUL)
    with FakePinentry([P]) as fake:
        words = [*SECRETLY, "seal", "Plain"]
        assert_fails(home.run_any(words, environ=fake.environ), 1, "does not return")
    assert stored(home)["Plain"] == "canary-Plain"
    assert not listed(home)["Plain"]


#: A keychain in which another program stores a newer secret after the first look-up.
MEANWHILE = """
    def get_password(self, service, username):
        items, key = self._items(), json.dumps([service, username])
        if os.path.exists(self.path + ".armed"):
            os.unlink(self.path + ".armed")
            self._write({**items, key: "canary-newer"})
        return items.get(key)
"""


@pytest.mark.parametrize("words", [("seal", "Plain"), ("unseal", "One")])
def test_a_secret_that_was_stored_meanwhile_is_not_replaced(
    words: tuple[str, str], home: Home
) -> None:
    """While secretly asks for the passphrase, you may store a newer one in another terminal."""
    with (home.folder / "filekeychain.py").open("a") as file:
        file.write(MEANWHILE)
    (home.folder / "keychain.json.armed").touch()
    with FakePinentry([P]) as fake:
        done = home.run(*words, environ=fake.environ)
        assert_fails(done, 1, "has changed meanwhile")
    assert stored(home)[words[1]] == "canary-newer"


def test_an_upload_shows_everything_in_the_dialog_of_the_passphrase(home: Home) -> None:
    """The files, the index and the limits of the token; the tool gets a narrowed token."""
    home.program("twine", '#!/bin/sh\necho "${TWINE_PASSWORD%"${TWINE_PASSWORD#?????}"}"\n')
    tokens.wheel(home.folder / "dist")
    token = tokens.token("pypi.example")
    assert home.run("set", "PyPI", "--sealed", "--stdin", stdin=token).status == 0
    home.configure(f'{home.config.read_text()}[secrets.PyPI]\nhosts = ["PyPI", "pypi"]\n')
    with FakePinentry([P]) as fake:
        words = ("run", "twine", "upload", "-r", "pypi", "dist/*")
        done = home.run(*words, environ=fake.environ)
        (text,) = descriptions(fake)
        for line in ("upload: ", "to: ", "user: __token__", "token: this project only", "sha256"):
            assert f"\n{line}" in text or line in text, text
        assert text.startswith("Use PyPI, sealed in your keychain, for this?")
        assert done.stdout == "pypi-\n", done


def test_an_import_over_a_sealed_secret_does_not_advise_to_unseal_it(home: Home) -> None:
    """secretly can't compare the two. Forgotten and imported again, it would not be sealed."""
    assert home.run("set", "PyPI", "--sealed", "--stdin", stdin=tokens.TOKEN).status == 0
    before, file = stored(home), home.folder / ".pypirc"
    file.write_text(f"[pypi]\nusername = __token__\npassword = {tokens.TOKEN}\n")
    text = file.read_text()
    with FakePinentry([True]) as fake:
        done = home.run("import", ".pypirc", environ=fake.environ)
    assert (done.status, done.stderr.count("\n")) == (1, 2), done
    assert "can't compare" in done.stderr
    assert "secretly set --sealed PyPI" in done.stderr
    assert (stored(home), file.read_text()) == (before, text)


def test_an_index_is_not_found_by_a_sealed_token(home: Home) -> None:
    """No passphrase is asked for to find out which index made it."""
    home.program("twine", "#!/bin/sh\n")
    tokens.wheel(home.folder / "dist")
    token = tokens.token("corp.example")
    assert home.run("set", "PyPI", "--sealed", "--stdin", stdin=token).status == 0
    with FakePinentry([P]) as fake:
        url = ("--repository-url", "https://upload.corp.example/legacy/")
        words = ("run", "--no-input", "twine", "upload", *url, "dist/*")
        assert home.run(*words, environ=fake.environ).status == 125
        assert fake.prompts == []


# -- the library -------------------------------------------------------------------


@pytest.mark.parametrize(
    "drive", [asyncio.run, lambda one: own_loop.run_blocking(lambda: one, None)]
)
def test_the_library_opens_a_sealed_secret_with_the_same_question(
    drive: Callable[[Coroutine[Any, Any, Any]], Any],
) -> None:
    """In a loop and without one; several are one question, and what is stored is sealed."""
    keychain = MemoryKeychain()
    config = "[secrets.One]\nsealed = true\n[secrets.Two]\nsealed = true\n"
    with FakePinentry([P, P]) as fake, sandbox(fake, keychain, config=config) as here:
        sealed.put_identity(f"{here.environ['HOME']}/.local/share")

        async def use() -> tuple[object, ...]:
            for name in ("One", "Two"):
                await secretly.remember(name, f"canary-{name}")
            one = await secretly.secret("One", description="to greet")
            async with secretly.environment({"A": "One", "B": "Two"}) as variables:
                return one, variables["A"], variables["B"]

        assert drive(use()) == ("canary-One", "canary-One", "canary-Two")
        assert all(map(is_sealed, keychain.items.values()))
        assert "to greet" in descriptions(fake)[0]
        assert len(fake.prompts) == 2
        with pytest.raises(secretly.Refused, match="in memory"):
            drive(secretly.secret("One", remember=datetime.timedelta(minutes=5)))


# -- the identity ------------------------------------------------------------------

#: A keychain that kills its process when it is given the second age file.
DEADLY = """
    def set_password(self, service, username, password):
        if os.path.exists(self.path + ".deadly"):
            os.kill(os.getpid(), 9)
        if os.path.exists(self.path + ".armed"):
            os.rename(self.path + ".armed", self.path + ".deadly")
        self._write({**self._items(), json.dumps([service, username]): password})
"""


def test_replacing_the_identity_goes_on_after_a_kill(home: Home) -> None:
    """At each moment all secrets open, and afterwards the old key opens none of them."""
    with (home.folder / "filekeychain.py").open("a") as file:
        file.write(DEADLY)
    armed = home.folder / "keychain.json.armed"
    armed.touch()
    before, new = stored(home), "canary of other words"
    with FakePinentry([P, new, new, new, new, new, new, new, new]) as fake:
        words = [*SECRETLY, "identity", "replace"]
        assert home.run_any(words, environ=fake.environ).status == -signal.SIGKILL
        (home.folder / "keychain.json.deadly").unlink()
        changed = [name for name in before if stored(home)[name] != before[name]]
        assert len(changed) == 1
        show = ("run", "-e", "A=One", "-e", "B=Two", *SHOW)
        assert home.run(*show, environ=fake.environ).stdout == "canary-One canary-Two \n"
        done = home.run_any(words, environ=fake.environ)
        assert (done.status, done.stdout) == (0, "sealed for the new identity: One, Two\n"), done
        assert home.run(*show, environ=fake.environ).stdout == "canary-One canary-Two \n"
    folder = Path(home.environ["XDG_DATA_HOME"], "secretly")
    assert (folder / "identity-1.age").read_text() == sealed.IDENTITY
    sealed.put_identity(home.environ["XDG_DATA_HOME"])
    with FakePinentry([P]) as fake:
        done = home.run("get", "One", environ=fake.environ)
        assert_fails(done, 1, "another identity")
        assert "age -d -i" in done.stderr


@pytest.mark.outside
def test_what_a_killed_seal_left_behind_is_found(home: Home) -> None:
    """The keychain has changed and the list has not: ``replace`` and ``unseal`` look there."""
    new, path = "canary of other words", home.folder / "keychain.json"
    items = json.loads(path.read_text())
    plain, one = (json.dumps([name, ME]) for name in ("Plain", "One"))
    items[plain] = sealing.seal("canary-Plain", sealed.RECIPIENT, "Plain")
    items[one] = "canary-One"
    path.write_text(json.dumps(items))
    assert listed(home) == {"One": True, "Two": True, "Plain": False}
    assert home.run("unseal", "One").stdout == "One is not sealed\n"
    assert listed(home)["One"] is False
    with FakePinentry([P, new, new, new]) as fake:
        done = home.run("identity", "replace", environ=fake.environ)
        assert done.stdout == "sealed for the new identity: Plain, Two\n", done
        assert home.run("get", "Plain", environ=fake.environ).stdout == "canary-Plain\n"
    assert listed(home)["Plain"] is True


def test_a_lost_identity_and_a_wrong_recipient_seal_nothing(home: Home) -> None:
    """No second identity is made, and no secret is sealed for somebody else."""
    before, folder = stored(home), Path(home.environ["XDG_DATA_HOME"], "secretly")
    other = Keys.generate().recipient
    (folder / "identity.pub").write_text(other)
    with FakePinentry([P]) as fake:
        done = home.run("seal", "Plain", environ=fake.environ)
        assert (done.status, "not your identity's" in done.stderr) == (1, True), done
        assert "set --sealed" not in done.stderr
        (folder / "identity.age").unlink()
        for words in (("seal", "Plain"), ("set", "One", "--stdin"), ("identity", "create")):
            done = home.run(*words, environ=fake.environ, stdin="canary-1")
            assert_fails(done, 1, "from your backup")
        assert_fails(home.run("get", "One", environ=fake.environ), 1, "from your backup")
        assert len(fake.prompts) == 1
    assert stored(home) == before
    assert (folder / "identity.pub").read_text() == other


def test_a_new_passphrase_takes_the_place_of_the_old_one(home: Home) -> None:
    """The secrets stay as they are; a second identity is not made by mistake."""
    before, new = stored(home), "canary of other words"
    with FakePinentry([P, new, new, P, new]) as fake:
        done = home.run("identity", "passphrase", environ=fake.environ)
        assert done.stdout == "your identity has the new passphrase\n", done
        assert home.run("get", "One", environ=fake.environ).stdout == "canary-One\n"
        assert errors(fake)[-1] == sealed_wording.WRONG_PASSPHRASE
        assert_fails(home.run("identity", "create", environ=fake.environ), 1, "identity replace")
    assert stored(home) == before
    assert home.run("identity", "export", "--recipient").stdout == f"{sealed.RECIPIENT}\n"


def test_a_secret_that_cannot_be_sealed_again_is_named(home: Home) -> None:
    """The others are; the old identity still opens the rest, and stays."""
    path, new = home.folder / "keychain.json", "canary of other words"
    items = json.loads(path.read_text())
    items[json.dumps(["Two", ME])] = items[json.dumps(["One", ME])]
    path.write_text(json.dumps(items))
    with FakePinentry([P, new, new]) as fake:
        done = home.run("identity", "replace", environ=fake.environ)
    assert (done.status, done.stdout) == (1, "sealed for the new identity: One\n"), done
    assert "under another name" in done.stderr
    old = Path(home.environ["XDG_DATA_HOME"], "secretly/identity-1.age")
    assert f"is in {old}\n" in done.stderr
    assert old.read_text() == sealed.IDENTITY


def test_doctor_examines_the_identity(home: Home) -> None:
    """It says how much is sealed, and what is wrong with the identity."""
    identity = Path(home.environ["XDG_DATA_HOME"], "secretly/identity.age")
    assert f"ok  sealed secrets: 2, opened by {identity}\n" in home.run("doctor").stdout
    identity.write_text("canary")
    assert "is not an age file" in home.run("doctor").stdout
    identity.unlink()
    assert "secretly identity create" in home.run("doctor").stdout


# -- with the real parts -----------------------------------------------------------


@pytest.mark.real
def test_age_opens_what_secretly_seals(home: Home) -> None:
    """The first sealed secret makes the identity; a weak passphrase is told, and typed again."""
    need("age")
    home.reach("age")
    shutil.rmtree(Path(home.environ["XDG_DATA_HOME"], "secretly"))
    with FakePinentry(["canary", "canary", "canary", "canary"]) as fake:
        words = ("set", "--sealed", "New", "--stdin")
        done = home.run(*words, environ=fake.environ, stdin="canary-new")
        assert (done.status, "secretly identity export" in done.stderr) == (0, True), done
        weak = sealed_wording.weak_passphrase(sealed_wording.characters(6))
        assert errors(fake) == ["", "", weak, ""]
    exported = home.run("identity", "export").stdout
    (home.folder / "identity.age").write_text(exported)
    (home.folder / "sealed.age").write_text(stored(home)["New"])
    with home.terminal(["age", "-d", "-i", "identity.age", "sealed.age"]) as terminal:
        terminal.expect("passphrase")
        terminal.wait_for_prompt()
        terminal.type("canary\n")
        terminal.expect("canary-new")
        assert terminal.wait() == 0


@pytest.mark.real
def test_secretly_opens_what_age_seals(home: Home) -> None:
    """An identity that age made is taken over, and so is what age seals for its recipient."""
    need("age", "age-keygen")
    home.reach("age")
    folder = Path(home.environ["XDG_DATA_HOME"], "secretly")
    (folder / "identity.pub").unlink()
    script = "age-keygen 2>/dev/null | age -p -a > .local/share/secretly/identity.age"
    with home.terminal(["sh", "-c", script]) as terminal:
        for _ in range(2):
            terminal.expect("passphrase")
            terminal.wait_for_prompt()
            terminal.type(f"{P}\n")
        assert terminal.wait() == 0
    with FakePinentry([P, P]) as fake:
        done = home.run("identity", "create", environ=fake.environ)
        assert done.stdout.startswith("your identity is ready: age1"), done
        recipient = home.run("identity", "export", "--recipient").stdout.strip()
        made = subprocess.run(
            ["age", "-a", "-r", recipient],
            input=b"canary-by-age",
            env=home.environ,
            capture_output=True,
            check=True,
            timeout=30,
        )
        items = {json.dumps(["One", ME]): made.stdout.decode()}
        (home.folder / "keychain.json").write_text(json.dumps(items))
        assert home.run("get", "One", environ=fake.environ).stdout == "canary-by-age\n"


@pytest.mark.real
def test_a_hundred_attempts_get_an_age_file() -> None:
    """Other programs of the user read the keychain, the bus, the list and the memory."""
    need("secret-tool")
    with quick() as home, secret_service() as service:
        home.environ |= {"DBUS_SESSION_BUS_ADDRESS": service.address}
        sealed.put_identity(home.environ["XDG_DATA_HOME"])
        words = ("set", "--sealed", "One", "--stdin")
        assert home.run(*words, stdin="canary-one").status == 0
        environ = {**home.environ, **COVERAGE}
        got: list[bytes] = []
        for command in (
            f"secret-tool lookup service One username {ME}",
            "secret-tool search --all service One",
            f"keyring get One {ME}",
        ):
            done = subprocess.run(command.split(), env=environ, capture_output=True, timeout=60)
            assert done.returncode == 0, done
            got.append(done.stdout + done.stderr)
        got += attempts_over_the_bus(service)
        for path in Path(home.folder).rglob("*"):
            got.append(path.read_bytes() if path.is_file() else b"")
        got += [str(one).encode() for one in KernelKeyring().held()]
        assert len(got) >= 100
        assert not [text for text in got if b"canary-one" in text]
        assert sum(b"BEGIN AGE ENCRYPTED FILE" in text for text in got) >= 90
        with FakePinentry([P]) as fake:
            assert home.run("get", "One", environ=fake.environ).stdout == "canary-one\n"


def attempts_over_the_bus(service: object) -> Iterator[bytes]:
    """What a program gets that asks the bus for every item, again and again."""
    import secretstorage

    for _ in range(90):
        with service.connection() as connection:  # type: ignore[attr-defined]
            for item in secretstorage.get_all_collections(connection):
                for one in item.get_all_items():
                    yield one.get_secret() + os.fsencode(repr(one.get_attributes()))
