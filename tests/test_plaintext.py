"""Secrets in plain files: what is found, and what exactly is cut. No process is started."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import npms
import pytest
from command import wait_until
from hypothesis import given
from hypothesis import strategies as st

from secretly.config import known_commands, loading
from secretly.errors import Refused
from secretly.plaintext import guarding, ini, naming, replacing, toml
from secretly.plaintext.finding import Document, FileKind, Finding, cut_out
from secretly.plaintext.kinds import (
    aws,
    cargo,
    databases,
    env_file,
    gh,
    indexes,
    npmrc,
    pypirc,
    reported,
    shell,
    tokens,
)
from secretly.plaintext.lines import NoParse, TextLine, decoded, read_lines
from secretly.plaintext.reading import search
from secretly.plaintext.registry import KINDS
from secretly.plaintext.shapes import assess, is_example, known_variables, shape_of
from secretly.reference import SHAPES, looks_secret

#: The adapters of publishing tools read their settings themselves.
_FOLDER = tempfile.TemporaryDirectory(prefix="secretly-")
HOME = os.path.realpath(_FOLDER.name)
CANARY = "canary5e81"


def token(beginning: str, length: int = 40) -> str:
    """A made-up token."""
    return beginning + (CANARY * 10)[:length]


CONFIGURATION = loading.load({"HOME": HOME})


def document(path: str, data: bytes, **environ: str) -> Document:
    """A file that was read. It is there, too."""
    file = Path(HOME, path)
    file.parent.mkdir(0o700, parents=True, exist_ok=True)
    file.write_bytes(data)
    known = {"HOME": HOME, "PATH": "/nowhere/bin", **environ}
    return Document(f"{HOME}/{path}", path, data, known, CONFIGURATION)


# -- what looks like a secret ----------------------------------------------------

#: Made-up secrets of 44 kinds, each with a variable that people keep it in.
MADE_UP = {
    "GH_TOKEN": token("ghp_", 36),
    "GITHUB_PAT": token("github_pat_", 82),
    "CI_JOB": token("glpat-", 20),
    "RUNNER": token("glrt-", 20),
    "NPM_TOKEN": token("npm_", 36),
    "TWINE_PASSWORD": token("pypi-AgE", 120),
    "CARGO_REGISTRY_TOKEN": token("cio", 32),
    "SLACK_BOT": token("xoxb-", 40),
    "STRIPE_KEY": token("sk_live_", 24),
    "SENDGRID": f"SG.{token('', 22)}.{token('', 43)}",
    "TELEGRAM": f"1234567890:AA{token('', 33)}",
    "OPENAI_API_KEY": token("sk-proj-", 48),
    "CLAUDE": token("sk-ant-", 48),
    "OPENROUTER": token("sk-or-v1-", 64),
    "GROQ": token("gsk_", 52),
    "XAI": token("xai-", 60),
    "HF_TOKEN": token("hf_", 34),
    "REPLICATE": token("r8_", 37),
    "GOOGLE_MAPS": token("AIza", 35),
    "MY_AWS_ID": "AKIA" + "CANARY5E81CANARY",
    "AWS_SECRET_ACCESS_KEY": token("", 40),
    "DO": "dop_v1_" + "5e81" * 16,
    "DATABRICKS": "dapi" + "5e81" * 8,
    "DOPPLER": token("dp.pt.", 40),
    "VAULT": token("hvs.", 24),
    "PULUMI": "pul-" + "5e81" * 10,
    "DOCKER": token("dckr_pat_", 27),
    "SENTRY": token("sntrys_", 40),
    "LINEAR": token("lin_api_", 40),
    "POSTMAN": token("PMAK-", 40),
    "TAILSCALE": token("tskey-", 40),
    "NEWRELIC": token("NRAK-", 27),
    "HCLOUD_TOKEN": token("", 64),
    "WANDB_API_KEY": "5e81" * 10,
    "CLOUDFLARE_API_TOKEN": token("", 40),
    "HEROKU_API_KEY": "5e815e81-5e81-4e81-8e81-5e815e815e81",
    "MISTRAL_API_KEY": token("", 32),
    "PGPASSWORD": token("", 12),
    "SQLCMDPASSWORD": token("", 12),
    "SSHPASS": token("", 12),
    "TF_TOKEN_app_terraform_io": token("", 24),
    "DATABASE_URL": f"postgres://app:{CANARY}@db.example.org/main",
    "SESSION": f"eyJ{token('', 30)}.eyJ{token('', 30)}.{token('', 30)}",
    "DJANGO_SECRET_KEY": token("", 50),
}

#: How people write them in start-up files.
FORMS = (
    "export {n}={v}",
    "{n}='{v}'",
    'export {n}="{v}"',
    "set -gx {n} {v}",
    "setenv {n} {v}",
    "declare -x {n}={v}",
    "# export {n}={v}",
    "SETUVAR --export {n}:{v}",
    "true; export {n}={v}; echo",
)


@pytest.mark.parametrize("form", FORMS)
def test_each_of_44_kinds_of_secrets_is_found(form: str) -> None:
    """In the ways in which start-up files set variables."""
    lines = [form.format(n=variable, v=value) for variable, value in MADE_UP.items()]
    found = {f.line: f.value for f in shell.find(document(".bashrc", "\n".join(lines).encode()))}
    missed = [n for n, v in enumerate(MADE_UP.values(), 1) if v not in found.get(n, "")]
    assert (missed, len(MADE_UP)) == ([], 44)


#: What people have in start-up files that is not a secret.
ORDINARY = r"""
# don't: an apostrophe in a comment opens no text
export PATH="$HOME/bin:/usr/local/bin:$PATH" EDITOR=vim
export GITHUB_TOKEN=$(gh auth token)
export OPENAI_API_KEY=$(pass show openai) ANTHROPIC_API_KEY="`op read op://Work/Claude/key`"
set -gx HF_TOKEN (cat /run/agenix/hf)
export SSH_AUTH_SOCK=$XDG_RUNTIME_DIR/ssh-agent.socket GPG_TTY=$(tty)
export PGPASSFILE=~/.pgpass BORG_PASSCOMMAND="pass show borg" VAULT_TOKEN_FILE=/etc/vault
export MY_API_KEY="your-key-here" SOME_TOKEN=<token> OTHER_SECRET=changeme DB_PASSWORD=
export AWS_PROFILE=work AWS_DEFAULT_REGION=eu-central-1 AWS_ACCESS_KEY_ID_NAME=x
OLDPWD=/tmp; PWD=/home/ada/src
alias gs='git status' tokei='tokei --sort code' ssh-add-all="ssh-add ~/.ssh/*"
alias pw='pwgen -s 24 1'
PS1='\[\e[1;32m\]\u@\h\[\e[0m\]:\w\$ '
export LESS_TERMCAP_mb=$'\e[1;31m' HISTCONTROL=ignoreboth TOKENIZERS_PARALLELISM=false
[ -f ~/.fzf.bash ] && source ~/.fzf.bash
export NODE_OPTIONS=--max-old-space-size=4096 HOMEBREW_NO_ANALYTICS=1
export http_proxy=http://proxy.example.org:3128 DOCKER_HOST=tcp://127.0.0.1:2375
curl -fsSL https://example.org/install.sh | sh -s -- --token "$TOKEN"
git clone https://${GITHUB_TOKEN}@github.example/x/y.git
cat > ~/.pypirc <<EOF
[pypi]
password = canary-in-a-here-document-5e81
export GH_TOKEN=canary-5e81
EOF
awk '
BEGIN { export GH_TOKEN=canary-5e81
}'
zstyle ':completion:*' matcher-list 'm:{a-z}={A-Z}'
bindkey '^R' history-incremental-search-backward
export DATABASE_URL=postgres://postgres:postgres@localhost/dev
export SECRET_KEY_BASE=$SECRET_KEY_BASE PASSWORD_STORE_DIR=~/.password-store
"""


def test_an_ordinary_start_up_file_has_no_secret() -> None:
    """Neither commands in place of values, nor paths, stand-ins, here-documents and quotes."""
    assert [(f.line, f.label) for f in shell.find(document(".bashrc", ORDINARY.encode()))] == []


@pytest.mark.parametrize("path", [*Path("/etc/skel").glob(".*"), *Path("/etc").glob("*rc")])
def test_the_systems_start_up_files_have_no_secret(path: Path) -> None:
    """As far as they are here."""
    if path.is_file() and os.access(path, os.R_OK):
        assert shell.find(document(".bashrc", path.read_bytes())) == []


def test_every_shape_is_one_that_references_refuse() -> None:
    """One table for both: a token of each shape looks secret, and has its kind."""
    shaped = {kind for kind, _, _ in SHAPES}
    found = {shape_of(value) for value in MADE_UP.values()} - {"", "password or token in a URL"}
    assert found == shaped - {"key in PEM"}
    for value in MADE_UP.values():
        if shape_of(value) in shaped:
            assert looks_secret(value)


def test_a_certificate_in_pem_is_not_a_secret() -> None:
    """A private key is."""
    assert shape_of("-----BEGIN CERTIFICATE-----") == ""
    assert shape_of("-----BEGIN OPENSSH PRIVATE KEY-----") == "key in PEM"


def test_variables_have_the_names_that_run_looks_up() -> None:
    """From the table of known commands: no second table."""
    known = known_variables(CONFIGURATION)
    for row in known_commands.COMMANDS.values():
        secrets = row["secrets"]
        assert isinstance(secrets, dict)
        for variable, name in secrets.items():
            if "#" not in name and "{" not in variable:
                assert known[variable] in {name, *known.values()}
    assert known["GH_TOKEN"] == known["GITHUB_TOKEN"] == "GitHub"
    assert known["TWINE_PASSWORD"] == ""
    assert "AWS_ACCESS_KEY_ID" not in known
    assert "AWS_PROFILE" not in known


@pytest.mark.parametrize("value", ["", "short", "12345678", "/a/path", "$OTHER", "op://a/b/c"])
def test_what_cannot_be_a_secret_is_none_whatever_its_name(value: str) -> None:
    """So a known variable may hold it."""
    assert assess("GH_TOKEN", value, known_variables(CONFIGURATION)) == ""


def test_example_files_are_known_by_their_names() -> None:
    """They hold stand-ins."""
    for name in (".env.example", ".env.sample", ".env.dist", "env.template"):
        assert is_example(name)
    assert not is_example(".env.local")


# -- each kind: what is cut, and nothing else ------------------------------------

PYPI = token("pypi-", 60)


class Case:
    """A file with one secret that can be moved.

    :ivar before: the bytes before the part that is cut; ``after`` those after it.
    :ivar cut: the part that is cut; ``new`` what takes its place.
    """

    def __init__(
        self,
        kind: FileKind,
        path: str,
        before: str,
        cut: str,
        after: str,
        name: str,
        value: str,
        username: str | None = None,
        new: str = "",
    ) -> None:
        self.kind, self.path, self.name, self.value = kind, path, name, value
        self.before, self.cut, self.after = before.encode(), cut.encode(), after.encode()
        self.username, self.new = username, new.encode()

    def __repr__(self) -> str:
        return f"{self.kind.title}: {self.name}"

    def found(self, data: bytes | None = None) -> Finding:
        """The one that can be moved."""
        data = self.before + self.cut + self.after if data is None else data
        (found,) = (f for f in self.kind.find(document(self.path, data)) if f.movable)
        return found


(_, SHELL), (ENV,), (PYPIRC,), (NPMRC,) = shell.KINDS, env_file.KINDS, pypirc.KINDS, npmrc.KINDS
(CARGO,), (GH,), (AWS,) = cargo.KINDS, gh.KINDS, aws.KINDS
POETRY, HATCH, PDM = indexes.KINDS
PGPASS, MY_CNF = databases.KINDS
LISTED = "[distutils]\nindex-servers =\n  pypi\n  mine\n[pypi]\n"

CASES = [
    Case(PYPIRC, ".pypirc", f"{LISTED}username: __token__\n", f"password = {PYPI}\n",
         "# end\n", "PyPI", PYPI, "__token__"),
    Case(PYPIRC, ".pypirc", f"{LISTED}[mine]\nrepository=http://127.0.0.1:1/\nusername=ada\n",
         "PassWord: canary %% (x) # y\n", "", "mine", "canary %% (x) # y", "ada"),
    Case(PYPIRC, ".pypirc", "[pypi]\nrepository=http://pypi.example:80/\nusername=ada\n",
         "password=canary-1\n", "\n", "pypi.example:80", "canary-1", "ada"),
    Case(SHELL, ".bashrc", "#!/bin/sh\nif true; then\n  :\nfi\n",
         "export GH_TOKEN=canary-5e81 # x\n",
         "echo\n", "GitHub", "canary-5e81"),
    Case(SHELL, ".config/fish/config.fish", "set -gx A b\n", "set -gx OPENAI_API_KEY 'canary 1'\n",
         "fish_add_path x\n", "OpenAI", "canary 1"),
    Case(SHELL, ".bashrc", "x=1\r\n", f"TWINE_PASSWORD='{PYPI}'\r\n", "y=2", "PyPI", PYPI),
    Case(ENV, "proj/.env", "A=1\nexport DB_PASSWORD=", '"canary # 1"', " # c\r\nB=2\n",
         "proj/DB_PASSWORD", "canary # 1", new="secretly://proj/DB_PASSWORD"),
    Case(ENV, "proj/.env", "\ufeff# é\nAPI_TOKEN = ", "canary-é", "", "proj/API_TOKEN", "canary-é",
         new="secretly://proj/API_TOKEN"),
    Case(ENV, "my proj/.env", "API_TOKEN=", "'canary-1'", "\n", "my proj/API_TOKEN", "canary-1",
         new='"secretly://my proj/API_TOKEN"'),
    Case(ENV, "proj/.env", "API_TOKEN=", '"canary\\" # 1"', " # c\n", "proj/API_TOKEN",
         'canary" # 1', new="secretly://proj/API_TOKEN"),
    Case(ENV, "proj/.env", "API_TOKEN=", r"'canary\' # 1'", "\nB='c'\n", "proj/API_TOKEN",
         "canary' # 1", new="secretly://proj/API_TOKEN"),
    Case(SHELL, ".config/fish/config.fish", "", "set -gx GH_TOKEN 'canary\\\\1'\n", "", "GitHub",
         "canary\\1"),
    Case(SHELL, ".bashrc", "set -o vi\nX='\\'\nY=$'it\\'s'\n", "GH_TOKEN=canary-1\n", "", "GitHub",
         "canary-1"),
    Case(NPMRC, ".npmrc", "; mine\n//npm.example/:_authToken=", "canary-1", "\nsave-exact=true\n",
         "npm", "canary-1", new="${NPM_TOKEN?}"),
    Case(CARGO, ".cargo/credentials.toml", "# mine\n[registry]\n", 'token = "canary-1"\n',
         "[registries.x]\nindex = 'y'\n", "Cargo", "canary-1"),
    Case(CARGO, ".cargo/credentials.toml", "[registries.mine]\n", "token = 'canary-1' # x\n", "",
         "mine", "canary-1"),
    Case(CARGO, ".cargo/credentials.toml", "", 'registry.token = "canary-1"\n', "a = 1\n", "Cargo",
         "canary-1"),
    Case(POETRY, ".config/pypoetry/auth.toml", '[http-basic.pypi]\nusername = "__token__"\n',
         f'password = "{PYPI}"\n', "", "PyPI", PYPI, "__token__"),
    Case(POETRY, ".config/pypoetry/auth.toml", "[pypi-token]\n", f'pypi = "{PYPI}"\n', "", "PyPI",
         PYPI, "__token__"),
    Case(HATCH, ".config/hatch/config.toml", "[publish.index.repos.mine]\n"
         'url = "http://127.0.0.1:1/"\nuser = "ada"\n',
         'auth = "canary-1"\n', "[x]\n", "mine", "canary-1", "ada"),
    Case(PDM, ".config/pdm/config.toml", '[repository.mine]\nurl = "http://127.0.0.1:1/"\n'
         'username = "ada"\n', 'password = "canary-1"\n', "", "mine", "canary-1", "ada"),
    Case(AWS, ".aws/credentials", "[default]\nregion = x\n",
         "aws_access_key_id = AKIAX\naws_secret_access_key = canary/1+2\n",
         "[w]\nregion = y\n", "AWS", "canary/1+2", "AKIAX"),
    Case(PGPASS, ".pgpass", "# mine\n", "db.example:*:*:ada:can\\:ary\\\\1\n", "", "PostgreSQL",
         "can:ary\\1", "ada"),
    Case(MY_CNF, ".my.cnf", "[client]\nuser = ada\n", 'password = "canary-1"\n', "host = db\n",
         "MySQL", "canary-1", "ada"),
    Case(MY_CNF, ".my.cnf", "[client]\nuser = 'ada' # me\n", "password=canary-1\n", "", "MySQL",
         "canary-1", "ada"),
    Case(CARGO, ".cargo/credentials.toml", "[registries.'a;b']\n", "token = 'canary-1'\n", "",
         "a;b", "canary-1"),
    Case(MY_CNF, ".my.cnf", "[client-mariadb]\nuser=ada\n", "pass=canary-1\n", "[x]\nskip-ssl\n",
         "MariaDB", "canary-1", "ada"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_the_secret_is_cut_and_every_other_byte_stays(case: Case) -> None:
    """It has its value, the name that ``run`` looks up, and its user name."""
    found, parse = case.found(), case.kind.parse
    assert (found.name, str(found.value), found.username) == (case.name, case.value, case.username)
    assert parse is not None
    after = cut_out(case.before + case.cut + case.after, [found], parse)
    assert after == case.before + case.new + case.after
    left = [f for f in case.kind.find(document(case.path, after)) if f.movable]
    assert left == []


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_each_finding_names_the_command_that_works_then(case: Case) -> None:
    """And where to revoke the value."""
    assert case.found().command.startswith("secretly run ")
    assert ";" not in re.sub("'[^']*'", "", case.found().command)
    assert case.found().revoke


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_no_finding_shows_its_value(case: Case) -> None:
    """In no text that is printed, nor in what a traceback shows."""
    found = case.found()
    assert case.value not in repr(found)
    assert case.value not in "".join(f"{x}" for x in found if x is not found.value)
    assert case.value not in repr(document(case.path, case.cut))


#: Lines that may be around a secret of a kind, for files that end lines in either way.
AROUND: dict[str, tuple[Case, str]] = {
    "ini": (CASES[1], "# x|; y|[other]|key = value|k2: v|empty =|  |u = %(no)s"),
    "shell": (CASES[3], "# don't|export A=b|echo 'a b'|x=\"$(y)\"|if a; then b; fi|f() { c; }"),
    "fish": (CASES[4], "# don't|set -gx A b|echo 'a b'|abbr x y"),
    "env": (CASES[6], "# don't|A=b|export C='d e'|F=\"g\\nh\"|  I = j # k"),
    "npmrc": (CASES[13], "; x|# y|registry=https://npm.example/|save=true"),
    "toml": (CASES[14], "# x|[a]|[b.c]|d = 1|e.f = 'g'|h = [1, 2]|[[i]]"),
    "pgpass": (CASES[22], "# x|# y"),
}


@pytest.mark.parametrize("name", AROUND)
@given(data=st.data())
def test_whatever_is_around_it_only_the_secret_goes(name: str, data: st.DataObject) -> None:
    """With any lines before and after, and either line end. Or nothing is changed at all."""
    case, lines = AROUND[name]
    pieces = st.lists(st.sampled_from(lines.split("|")), max_size=4, unique=True)
    end = data.draw(st.sampled_from(["\n", "\r\n"]))

    def drawn() -> bytes:
        return "".join(piece + end for piece in data.draw(pieces)).encode()

    check_cut(case, drawn(), drawn(), end)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", AROUND)
def test_with_each_line_around_it_only_the_secret_goes(name: str, end: str) -> None:
    """One line before it, and one after it."""
    case, lines = AROUND[name]
    around = [f"{line}{end}".encode() for line in lines.split("|")]
    cut = [check_cut(case, *pair, end) for line in around for pair in ((line, b""), (b"", line))]
    assert sum(cut) > len(cut) / 2


def check_cut(case: Case, before: bytes, after: bytes, end: str) -> bool:
    """Check what is cut, and return whether the secret was found and nothing else."""
    own = case.before, case.cut, case.after
    start, cut, rest = (part.replace(b"\r\n", b"\n").replace(b"\n", end.encode()) for part in own)
    before, after = before + start, rest + after
    whole, parse = before + cut + after, case.kind.parse
    assert parse is not None
    try:
        found = [f for f in case.kind.find(document(case.path, whole)) if f.movable]
        result = cut_out(whole, found, parse)
    except ValueError:
        return False  # the tool itself couldn't read this file
    alone = [(f.name, f.value) for f in found] == [(case.name, case.value)]
    assert not alone or result == before + case.new + after
    return alone


#: Those that are only reported differ in a pattern.
DIFFERENT = [kind for kind in KINDS if kind not in reported.KINDS[2:]]


@pytest.mark.parametrize("kind", DIFFERENT, ids=lambda kind: kind.title)
@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_read_or_refused(kind: FileKind, data: bytes) -> None:
    """By each kind: a file may be anything."""
    try:
        found = kind.find(document("x/file", data))
        movable = [one for one in found if one.movable]
        if movable and kind.parse is not None:
            cut_out(data, movable, kind.parse)
    except ValueError:
        pass


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", [" ", "\n", "a.", "eyJ", "'", "a=", "GH_TOKEN=canary-1\n"])
def test_a_long_file_takes_a_time_that_grows_gently(part: str) -> None:
    """If it grew with the square, these would take minutes at the limit of 1 MiB."""
    data = (part * 30_000)[:30_000].encode()
    assigning = [kind for kind in KINDS if kind.title == "settings of an editor"]
    for kind in (*DIFFERENT, *assigning):
        with contextlib.suppress(ValueError):
            kind.find(document("x/file", data))


# -- what is not moved -----------------------------------------------------------

#: Files with a secret that secretly leaves alone, and a word of the reason.
STAYS: dict[str, tuple[FileKind, str, str]] = {
    "server-login": (PYPIRC, f"{LISTED}password={PYPI}\n[server-login]\npassword=canary\n",
                     "server-login"),
    "DEFAULT": (PYPIRC, f"[DEFAULT]\npassword=canary-1\n{LISTED}password={PYPI}\n", "DEFAULT"),
    "a password for PyPI": (PYPIRC, f"{LISTED}username=ada\npassword=canary-1\n", "API token"),
    "several lines": (PYPIRC, f"{LISTED}password={PYPI}\n  more\n", "several lines"),
    "not listed": (PYPIRC, "[mine]\nrepository=http://h/\npassword=canary-1\n", "knows no index"),
    "a block's only line": (SHELL, "if x; then\n  export GH_TOKEN=canary-1\nfi\n", "around"),
    "a continued line": (SHELL, "true && \\\nexport GH_TOKEN=canary-1\n", "around"),
    "a block with comments": (SHELL, "f() { # 'x\n  GH_TOKEN=canary-1\n} # x\n", "around"),
    "a block's last part": (SHELL, "if x\nthen\n:\nelse # x\nGH_TOKEN=canary-1\nfi\n", "around"),
    "a condition with a comment": (SHELL, "x && # y\nGH_TOKEN=canary-1\n", "around"),
    "a comment": (SHELL, "# export GH_TOKEN=canary-1\n", "comment"),
    "more in the line": (SHELL, "export GH_TOKEN=canary-1 A=b\n", "more in it"),
    "only by name": (SHELL, "export SOME_PASSWORD=canary-1\n", "no command"),
    "twice": (SHELL, "GH_TOKEN=canary-1\nGH_TOKEN=canary-2\n", "more than once"),
    "which index": (SHELL, "export TWINE_PASSWORD=canary-1\n", "which index"),
    "two registries": (NPMRC, "//a/:_authToken=canary-1\n//b/:_authToken=canary-2\n", "several"),
    "a comment after a token": (NPMRC, "//a/:_authToken=canary-1 ; x\n", "comment"),
    "an indented password": (PYPIRC, "[a]\nusername=a\n  password=canary-1\n", "indented"),
    "a password in a URL": (PYPIRC, "[a]\nrepository=http://a:canary-1@h/\n", "out of the URL"),
    "npm's password": (NPMRC, "//a/:_password=Y2FuYXJ5LTE=\n", "_authToken"),
    "several users": (GH, "github.com:\n  users:\n    a:\n      oauth_token: canary-1\n"
                      "    b:\n      oauth_token: canary-2\n", "several"),
    "another profile": (AWS, "[w]\naws_access_key_id=AKIAX\naws_secret_access_key=canary-1\n",
                        "--profile"),
    "a temporary key": (AWS, "[default]\naws_access_key_id=ASIAX\naws_secret_access_key=canary-1\n",
                        "temporary"),
    "two lines": (PGPASS, "h:*:*:a:canary-1\nh2:*:*:b:canary-2\n", "several lines"),
    "a loose password": (MY_CNF, "[client]\nloose-password=canary-1\npass=canary-2\n", "MYSQL_PWD"),
    "two groups": (MY_CNF, "[client]\npassword=canary-1\n[mysql]\npassword=canary-2\n",
                   "MYSQL_PWD"),
    "an escape": (MY_CNF, "[client]\npassword=can\\ary-1\n", "escapes"),
    "an unknown group": (MY_CNF, "[mine]\npassword=canary-1\n", "[mine]"),
    "half a pair": (AWS, "[default]\naws_secret_access_key=canary-1\n", "half"),
    "poetry's password for PyPI": (POETRY, "[http-basic.pypi]\nusername='a'\npassword='canary-1'\n",
                                   "API token"),
    "an env value of several lines": (ENV, "A_TOKEN='canary\n1'\n", "line of its own"),
    "an include": (MY_CNF, "[client]\npassword=canary-1\n!include x\n", "includes"),
    "an inline table": (CARGO, "registry = {token = 'canary-1', x = 1}\n", "line of its own"),
}  # fmt: skip


@pytest.mark.parametrize("name", STAYS)
def test_what_secretly_cannot_move_is_reported_with_the_reason(name: str) -> None:
    """None of these files is changed."""
    kind, text, reason = STAYS[name]
    path = kind.usual[0].removeprefix("~/") if kind in (NPMRC, PYPIRC) else "x/file"
    path = ".npmrc" if kind is NPMRC else path
    found = kind.find(document(path, text.encode()))
    assert found
    assert [f for f in found if f.movable] == []
    assert any(reason in f.problem for f in found)


def test_an_env_file_in_a_folder_that_no_reference_can_name_stays() -> None:
    """A reference ends at a #."""
    (found,) = env_file.find(document("c#/.env", b"A_TOKEN=canary-1\n"))
    assert "rename the folder" in found.problem


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ENV, "A_TOKEN=canary-1\nA_TOKEN=canary-2\n"),
        (NPMRC, "//a/:_authToken=canary-1\nx=1\nx=2\n"),
        (GH, "github.com:\n  oauth_token: canary-1\n  oauth_token: canary-1\n"),
    ],
    ids=lambda value: getattr(value, "title", ""),
)
def test_a_file_with_a_key_twice_is_not_changed(kind: FileKind, text: str) -> None:
    """Programs differ in which of the two counts."""
    found = [f for f in kind.find(document(".npmrc", text.encode())) if f.movable]
    assert found
    assert kind.parse is not None
    with pytest.raises(NoParse):
        cut_out(text.encode(), found, kind.parse)


@pytest.mark.parametrize(
    "text", ["github.com: {oauth_token: canary-1}\n", "- a\n", "a: |\n  b\n", "a: b # c\n"]
)
def test_a_hosts_file_that_gh_did_not_write_is_refused(text: str) -> None:
    """Other YAML may mean anything."""
    with pytest.raises(NoParse):
        gh.parse(text.encode())


def test_a_password_in_a_key_is_not_shown() -> None:
    """npm's keys have a part of a URL."""
    (found,) = npmrc.find(document(".npmrc", b"//ada:canary-2@h/:_authToken=canary-1\n"))
    assert found.label == "//…@h/:_authToken"


def test_a_user_name_that_is_a_secret_is_not_shown() -> None:
    """A token in the wrong key: user names are shown, and listed."""
    text = f"{LISTED}[mine]\nrepository=http://127.0.0.1:1/\nusername={PYPI}\npassword=canary-1\n"
    file = document(".pypirc", text.encode())
    searched = search(file.path, PYPIRC, file.environ, CONFIGURATION)
    (found,) = searched.findings
    assert (found.username, found.movable) == (None, False)


def test_a_token_for_another_registry_has_the_name_of_its_host(tmp_path: Path) -> None:
    """As secretly looks it up for a call of npm. Without an npm, secretly can't know its own."""
    path = npms.install(tmp_path)
    for host, name in (("registry.example", "npm"), ("a.example:8443", "a.example:8443")):
        data = f"//{host}/x/:_authToken=canary-1\n".encode()
        (found,) = npmrc.find(document(".npmrc", data, PATH=path))
        assert found.name == name
        (found,) = npmrc.find(document(".npmrc", data))
        assert found.name == "npm"


def test_a_projects_npmrc_stays() -> None:
    """pnpm refuses references there."""
    (found,) = npmrc.find(document("proj/.npmrc", b"//a/:_authToken=canary-1\n"))
    assert "project" in found.problem


def test_with_pnpm_about_the_npmrc_stays(tmp_path: Path) -> None:
    """Its references have another meaning."""
    program = tmp_path / "pnpm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    data = b"//a/:_authToken=canary-1\n"
    (found,) = npmrc.find(document(".npmrc", data, PATH=str(tmp_path)))
    assert "pnpm" in found.problem


REPORTED = {
    ".netrc": "machine h login a password canary-1\n",
    "git's stored passwords": "https://ada:canary-1@git.example\n",
    "docker's settings": '{"auths": {"h": {"auth": "Y2FuYXJ5"}}}\n',
    "kubeconfig": "users:\n- name: a\n  user:\n    token: canary-1\n",
    "pip's settings": "[global]\nindex-url = https://a:canary-1@pypi.example/simple\n",
    "uv's stored passwords": '[[credential]]\npassword = "canary-1"\n',
    "uv's settings": '[[index]]\nurl = "https://a:canary-1@pypi.example/"\n',
    "rclone's settings": "[x]\npass = canary-1\n",
    ".s3cfg": "secret_key = canary-1\n",
    ".curlrc": 'user = "a:canary-1"\n',
    ".yarnrc.yml": 'npmAuthToken: "canary-1"\n',
    "PostgreSQL's services": "[x]\npassword=canary-1\n",
    "systemd's units": '[Service]\nEnvironment="GH_TOKEN=canary-1" A=b\n',
    "settings of an editor": '{"env": {"GITHUB_TOKEN": "canary-1", "a.b": 1}}\n',
    "settings of stripe": "live_mode_api_key = 'canary-1'\n",
    "settings of snyk": '{"api": "canary-1"}\n',
}


@pytest.mark.parametrize("kind", reported.KINDS, ids=lambda kind: kind.usual[-1])
def test_other_kinds_are_reported_only(kind: FileKind) -> None:
    """Each with what to do in place of moving it."""
    keys = "token access-token access_token api-key secret_key auth-token api_key".split()
    text = REPORTED.get(kind.title) or "".join(f"{key}: canary-1\n" for key in keys)
    found = kind.find(document("x/file", text.encode()))
    assert len(found) == 1
    assert found[0].problem
    assert not found[0].movable
    assert "canary" not in found[0].problem


def test_both_copies_of_ghs_token_go() -> None:
    """The active user's token is there twice."""
    text = (
        "github.com:\n    users:\n        ada:\n            oauth_token: gho_canary5e81x2\n"
        "    git_protocol: https\n    oauth_token: gho_canary5e81x2\n    user: ada\n"
    )
    (found,) = gh.find(document("hosts.yml", text.encode()))
    after = cut_out(text.encode(), [found], gh.parse).decode()
    assert (found.name, after) == (
        "GitHub",
        "github.com:\n    users:\n        ada:\n    git_protocol: https\n    user: ada\n",
    )


def test_a_bare_tokens_file_is_its_token() -> None:
    """Without the line end; other files are none."""
    kind = tokens.token_file("Mine")
    (found,) = kind.find(document("x/t", b"canary-1\n"))
    assert (str(found.value), found.name, kind.whole) == ("canary-1", "Mine", True)
    assert kind.find(document("x/t", b"two words\n")) == []


def test_what_reads_an_env_file_too_is_named(tmp_path: Path) -> None:
    """compose would give the reference to its containers."""
    (tmp_path / "compose.yaml").write_text("services: {a: {env_file: .env}}\n")
    (tmp_path / "Makefile").write_text("all:\n\techo\n")
    path = str(tmp_path / ".env")
    data = b"API_TOKEN=canary-1\n"
    (found,) = env_file.find(Document(path, path, data, {"HOME": HOME}, CONFIGURATION))
    assert [note.split()[0] for note in found.also] == ["compose.yaml"]


def test_another_use_of_the_variable_is_named() -> None:
    """That line gets nothing from then on."""
    text = b"export GH_TOKEN=canary-1\nexport OTHER=$GH_TOKEN\n"
    (found,) = shell.find(document(".bashrc", text))
    assert "line 2" in found.also[0]


def test_a_statement_of_direnv_stays() -> None:
    """After a change direnv would run nothing of it."""
    kind = shell.KINDS[0]
    (found,) = kind.find(document("x/.envrc", b"export GH_TOKEN=canary-1\n"))
    assert "direnv allow" in found.problem
    assert not found.movable


def test_a_universal_variable_of_fish_stays() -> None:
    """fish writes that file."""
    (found,) = shell.find(document("x/fish_variables", b"SETUVAR --export GH_TOKEN:canary-1\n"))
    assert "set -e" in found.problem


def test_files_that_a_start_up_file_leads_to() -> None:
    """Those that it sources, and those that hold a token."""
    text = (
        b'. ~/.a\nsource "$HOME/.b"\n[ -f x ] && source ~/.c # y\n# source ~/.d\n'
        b"export GH_TOKEN=$(cat ~/.gh)\nset -gx HF_TOKEN (cat ~/.hf)\n"
    )
    assert shell.sourced(text) == ["~/.a", "$HOME/.b", "~/.c"]
    assert shell.bare_files(text) == {"GH_TOKEN": "~/.gh", "HF_TOKEN": "~/.hf"}


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf[a]\nb=c\n", b"[a]\nb=1\nb=2\n", b"\xff", b"x"])
def test_an_ini_file_that_its_programs_refuse_is_refused(data: bytes) -> None:
    """A byte order mark, a key twice, other bytes than text, no section."""
    with pytest.raises(NoParse):
        ini.parse(data)


@pytest.mark.parametrize(
    "data", [b"a =\n", b"[a]\n[a]\n", b"a = 1\na = 2\n", b"\xff = 1\n", b"a = " + b"[" * 5000]
)
def test_a_toml_file_that_its_programs_refuse_is_refused(data: bytes) -> None:
    """No value, a table or a key twice, other bytes than text, lists without end."""
    with pytest.raises(NoParse, match="TOML"):
        toml.parse(data)


def test_the_lines_that_toml_keys_have_to_themselves() -> None:
    """Not a key of one of several tables, nor one that shares its line with another key."""
    data = (
        b"a = 1\n[b.'c d']\ne = 2\nf = {g = 3, h = 4}\n[[i]]\nj = 5\n[[k.l]]\nm = 6\n[b]\nn.o = 7"
    )
    found = {key: place[0] for key in toml.parse(data) if (place := toml.find_key(data, key))}
    assert found == {("a",): 1, ("b", "c d", "e"): 3, ("b", "n", "o"): 10}


def test_a_line_of_a_file_has_its_bytes() -> None:
    """LF and CR LF end a line, other characters don't. Its ``repr`` has no value."""
    data = b"a\r\nb\x0bc\rd\n\ncanary-1"
    found = list(read_lines(data))
    assert [line.text for line in found] == [b"a", b"b\x0bc\rd", b"", b"canary-1"]
    assert b"".join(data[line.start : line.end] for line in found) == data
    assert repr(found[3]) == "<line 4>"
    assert list(read_lines(b"a\n")) == [TextLine(1, 0, 2, b"a")]


@pytest.mark.parametrize("value", [b"\xff", b"a\0b", b"\xed\xa0\x80"])
def test_a_value_that_is_not_text_is_refused(value: bytes) -> None:
    """Programs cut it at a NUL byte, or read other characters."""
    with pytest.raises(NoParse, match="UTF-8"):
        decoded(value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"A=\xff\n", "UTF-8"),
        (b"A=\0\n", "UTF-8"),
        (b"A=1\n= 2\n", "line 2"),
        (b"A=1\n\nA=2\n", "line 3 sets A a second time"),
    ],
)
def test_an_env_file_that_programs_read_differently_is_refused(data: bytes, said: str) -> None:
    """The error says where, without a value."""
    with pytest.raises(NoParse, match=said):
        env_file.parse(data)


def test_a_text_in_toml_that_looks_like_a_key_is_not_cut() -> None:
    """The parser is the judge, before and after."""
    data = b'note = """\n[registry]\ntoken = "canary-1"\n"""\n[registry]\ntoken = "canary-1"\n'
    (found,) = cargo.find(document("credentials.toml", data))
    with pytest.raises(ValueError, match="secret"):
        cut_out(data, [found], toml.parse)


# -- replacing a file ------------------------------------------------------------


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    yield path
    assert [one.name for one in tmp_path.iterdir() if ".secretly-" in one.name] == []


@pytest.mark.process
def test_a_replaced_file_keeps_its_mode_and_attributes(file: Path) -> None:
    """The access list too, which is an attribute on Linux."""
    file.chmod(0o640)
    kept = []
    if hasattr(os, "setxattr"):
        acl = bytes.fromhex(  # user::rw-, user:0:r--, group::r--, mask::r--, other::---
            "02000000 0100 0600 ffffffff 0200 0400 00000000 0400 0400 ffffffff"
            "1000 0400 ffffffff 2000 0000 ffffffff".replace(" ", "")
        )
        for name, value in (("user.mine", b"x"), ("system.posix_acl_access", acl)):
            try:
                os.setxattr(file, name, value)
            except OSError:  # not on this file system
                continue
            kept.append((name, os.getxattr(file, name)))
    before = file.stat()
    replacing.replace_file(str(file), b"old", b"new")
    after = file.stat()
    assert file.read_bytes() == b"new"
    for fact in ("st_mode", "st_uid", "st_gid"):
        assert getattr(after, fact) == getattr(before, fact)
    assert [(name, os.getxattr(file, name)) for name, _ in kept] == kept


@pytest.mark.process
def test_a_file_with_other_bytes_by_then_stays(file: Path) -> None:
    """It was read before the user was asked."""
    with pytest.raises(Refused, match="meanwhile"):
        replacing.replace_file(str(file), b"other", b"new")
    assert file.read_bytes() == b"old"


@pytest.mark.process
@pytest.mark.parametrize("change", ["write", "replace", "link"])
def test_a_file_that_changes_while_it_is_replaced_stays(
    file: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just before the new file would take its place."""
    real = os.fsync

    def changing(descriptor: int) -> None:
        real(descriptor)
        other = file.with_name("other")
        if change == "write":
            file.write_bytes(b"theirs")
        else:
            other.write_bytes(b"theirs")
            if change == "link":
                file.unlink()
                file.symlink_to(other)
            else:
                other.replace(file)

    monkeypatch.setattr(os, "fsync", changing)
    with pytest.raises(Refused):
        replacing.replace_file(str(file), b"old", b"new")
    assert file.read_bytes() == b"theirs"


@pytest.mark.process
def test_what_asks_every_process_to_end_leaves_no_file(file: Path) -> None:
    """As the end of a session does: the process that removes the new file goes on."""
    mine = os.fork()
    if mine == 0:
        real, forked = os.fork, list[int]()

        def fork() -> int:
            forked.append(real())
            return forked[-1]

        def end(_: int) -> None:
            os.kill(forked[0], signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGKILL)

        os.fork, os.fsync = fork, end  # type: ignore[assignment]
        replacing.replace_file(str(file), b"old", b"new")
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(mine, 0)[1]) == -signal.SIGKILL
    wait_until(lambda: os.listdir(file.parent) == ["file"])
    assert file.read_bytes() == b"old"


@pytest.mark.process
def test_a_parent_that_ignores_its_children_changes_nothing(file: Path) -> None:
    """Then the system collects them, and there is none to wait for."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        replacing.replace_file(str(file), b"old", b"new")
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert file.read_bytes() == b"new"


@pytest.mark.process
def test_a_long_name_is_not_a_hindrance(file: Path) -> None:
    """A name has at most 255 bytes, which may be fewer characters."""
    long = file.with_name("é" * 120)
    long.write_bytes(b"old")
    replacing.replace_file(str(long), b"old", b"new")
    assert long.read_bytes() == b"new"


@pytest.mark.process
def test_leftovers_of_a_power_failure_go_and_those_in_use_stay(file: Path) -> None:
    """Another run holds a lock on what it writes."""
    import fcntl

    left, used = (file.with_name(f".file.secretly-{n}") for n in (1, 2))
    left.write_bytes(b"")
    with used.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        replacing.replace_file(str(file), b"old", b"new")
        assert not left.exists()
        assert used.exists()
    used.unlink()


def test_a_removed_file_is_gone_and_a_changed_one_stays(file: Path) -> None:
    """A bare token's file."""
    with pytest.raises(Refused):
        replacing.remove_file(str(file), b"other")
    replacing.remove_file(str(file), b"old")
    assert not file.exists()


# -- which files may be changed --------------------------------------------------


def refused(path: Path, tracked: bool = False, linked: bool = False) -> str:
    """Why a file may not be changed; empty if it may."""
    environ = {"PATH": os.environ["PATH"]}
    try:
        guarding.check_changeable(str(path), environ, tracked=tracked, linked=linked)
    except Refused as error:
        return str(error)
    return ""


@pytest.fixture(name="own")
def _own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir(0o700)
    path = folder / "file"
    path.write_bytes(b"x")
    return path


def test_a_file_of_the_users_own_may_be_changed(own: Path) -> None:
    """In a folder that is the user's own too."""
    assert refused(own) == ""


def test_a_file_with_hard_links_is_refused_unless_said(own: Path) -> None:
    """The other names keep the secret."""
    os.link(own, own.with_name("other"))
    assert "2 hard links" in refused(own)
    assert refused(own, linked=True) == ""


def test_a_file_in_a_folder_that_others_can_write_is_refused(own: Path) -> None:
    """They could put another file there."""
    own.parent.chmod(0o777)
    assert "by others" in refused(own)


def test_another_users_file_is_refused(own: Path) -> None:
    """Rewriting would make it the user's."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(own, 12345, -1)
    assert "belongs to" in refused(own)


@pytest.mark.parametrize("control", [".hg", ".svn", ".jj"])
def test_a_file_in_another_version_control_is_refused_unless_said(own: Path, control: str) -> None:
    """secretly doesn't ask these, so the file may be tracked."""
    (own.parent / control).mkdir()
    assert "version control" in refused(own)
    assert refused(own, tracked=True) == ""


def test_copies_are_found_by_their_names(own: Path) -> None:
    """Editors leave them."""
    for name in ("file~", ".file.swp", "file.bak", "other"):
        own.with_name(name).touch()
    found = {os.path.basename(path) for path in guarding.copies(str(own))}
    assert found == {"file~", ".file.swp", "file.bak"}


def test_a_tool_that_secretly_does_not_know_uploads_nowhere() -> None:
    """Its settings are reported, and nothing of them is replaced."""
    found = naming.index_secret("other", "pypi", {}, loading.load({"SECRETLY_CONFIG": os.devnull}))
    assert (found.name, found.problem) == ("", "secretly doesn't know other")
