"""The fixtures that pytest finds without an import, as a project that uses secretly has them."""

from __future__ import annotations

import pytest

import secretly
from secretly.resolving.request import Context
from secretly.testing import FakePinentry, MemoryKeychain

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.process

#: What a plugin that loads with each run of pytest may load.
LIGHT = ["secretly", "secretly.testing", "secretly.testing.pytest_plugin"]

TESTS = f"""
    import os, sys
    import pytest

    def test_without_a_fixture_nothing_is_loaded():
        assert sorted(name for name in sys.modules if name.startswith("secretly")) == {LIGHT}
        assert not {{"twisted", "keyring", "pexpect"}} & sys.modules.keys()

    @pytest.mark.secretly("canary-1", None, True)
    def test_the_user_answers(secretly_sandbox, secretly_pinentry, secretly_keychain):
        import secretly
        assert secretly.secret_sync("Example", remember=True, username="ada") == "canary-1"
        with pytest.raises(secretly.Cancelled):
            secretly.secret_sync("Other")
        assert len(secretly_pinentry.prompts) == 2
        assert secretly_keychain.items == {{("Example", "ada"): "canary-1"}}
        assert secretly_sandbox.keychain is secretly_keychain

    def test_without_answers_the_user_cancels(secretly_sandbox):
        import secretly
        with pytest.raises(secretly.Cancelled):
            secretly.secret_sync("Example")

    @pytest.mark.secretly(
        config="[secrets.Example]\\nsource = 'env://TOKEN'", environ={{"TOKEN": "canary-2"}}
    )
    def test_the_sandbox_is_configured(secretly_sandbox):
        import secretly
        assert secretly.secret_sync("Example") == "canary-2"

    @pytest.mark.secretly("canary-3")
    class TestTheMarkerOfAClass:
        def test_it_counts(self, secretly_pinentry, monkeypatch):
            monkeypatch.setenv("PINENTRY", secretly_pinentry.environ["PINENTRY"])
            assert os.access(os.environ["PINENTRY"], os.X_OK)
"""


@pytest.mark.outside
def test_a_project_uses_the_fixtures(pytester: pytest.Pytester) -> None:
    """With strict markers, and no conftest of its own."""
    pytester.makepyfile(TESTS)
    done = pytester.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=5)


@pytest.mark.secretly("canary-1", config="[secrets.B]\nsource = 'env://B'", environ={"B": "b"})
def test_secretly_itself_uses_the_fixtures(
    secretly_sandbox: Context, secretly_pinentry: FakePinentry, secretly_keychain: MemoryKeychain
) -> None:
    """The sandbox has the other two, and the marker's configuration."""
    assert secretly.secret_sync("A", username="ada", remember=True) == "canary-1"
    assert secretly.secret_sync("B") == "b"
    with pytest.raises(secretly.Cancelled):
        secretly.secret_sync("C")
    assert len(secretly_pinentry.prompts) == 2
    assert secretly_keychain.items == {("A", "ada"): "canary-1"}
    assert secretly_sandbox.keychain is secretly_keychain


def test_a_failed_comparison_shows_no_secret(pytester: pytest.Pytester) -> None:
    """pytest shows both texts and where they differ; with ``str()`` it still does."""
    pytester.makepyfile("""
        import dataclasses, typing
        import secretly

        @dataclasses.dataclass
        class Login:
            token: str

        class Pair(typing.NamedTuple):
            number: int
            login: Login

        def test_equal():
            assert secretly.Secret("canary-1") == "canary-2"

        def test_other_side():
            assert "canary-2" == secretly.Secret("canary-1")

        def test_not_in():
            assert secretly.Secret("canary-1") not in "a canary-1 b"

        def test_none():
            assert secretly.Secret("canary-1") is None

        def test_dataclass():
            assert Login(secretly.Secret("canary-1")) == Login(secretly.Secret("canary-2"))

        def test_named_tuple():
            assert Pair(1, Login(secretly.Secret("canary-1"))) == Pair(1, Login("canary-2"))

        def test_in_itself():
            login = Login("canary")
            login.token = login
            assert login is None

        def test_plain():
            assert str(secretly.Secret("plain-1")) == "plain-2"
    """)
    done = pytester.runpytest_inprocess("-vv", "--tb=short", "-p", "no:cacheprovider")
    done.assert_outcomes(failed=8)
    compared = [line for line in done.outlines if line.startswith("E ")]
    assert "canary" not in "".join(compared)
    assert "E   AssertionError: assert Secret('…') == str('…')" in compared
    assert "E   AssertionError: assert Secret('…') is None" in compared
    assert "E   AssertionError: assert Login('…') == Login('…')" in compared
    assert "E   AssertionError: assert Pair('…') == Pair('…')" in compared
    assert "plain-1" in "".join(compared)


def test_a_mistake_in_the_marker_is_told(pytester: pytest.Pytester) -> None:
    """It names the keyword; ``--markers`` describes the right ones."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.secretly("canary-1", answer="canary-2")
        def test_it(secretly_sandbox):
            pass
        """
    )
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--markers")
    done.stdout.fnmatch_lines(["@pytest.mark.secretly(*answers, *"])
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*the marker 'secretly' has no answer"])
