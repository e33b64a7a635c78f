"""Make vaults for the real programs of password managers, without a network.

The formats come from those programs. A vault contains only the data that its program needs to
show an item.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import functools
import hashlib
import hmac
import json
import os
import shutil
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import tokens
from command import Home
from conftest import need

from secretly.testing import SourceContract

#: The time limit of a program, in seconds.
PATIENCE = 60.0


class Login(NamedTuple):
    """An item of a vault.

    :param more: the item's other fields.
    :param guarded: whether the manager asks for the master password again to show the item.
    """

    name: str
    password: str
    username: str = ""
    more: Mapping[str, str] = {}
    guarded: bool = False


def _run(argv: Sequence[str], environ: Mapping[str, str], stdin: str = "") -> str:
    """Run a program that must succeed, and return its output."""
    done = subprocess.run(
        argv,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environ},
        input=stdin.encode(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, (argv[0], done.stdout, done.stderr)
    return done.stdout.decode()


def _cbc(key: bytes, data: bytes) -> bytes:
    """Encrypt with AES-256-CBC and PKCS#7. The result begins with the initialization vector."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    vector, padder = os.urandom(16), PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return vector + encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


# -- LastPass --------------------------------------------------------------------


def _lastpass(
    folder: Path, master: str, logins: Sequence[Login], *, email: str = "me@example.org"
) -> dict[str, str]:
    """Make the files that ``lpass`` has after a login, and return the variables that name them.

    A low number of iterations saves time. ``LPASS_AGENT_DISABLE`` prevents a leftover agent.
    """
    iterations = 5000
    key = hashlib.pbkdf2_hmac("sha256", master.encode(), email.lower().encode(), iterations, 32)
    blob = _chunk(b"LPAV", b"1")
    for number, login in enumerate(logins, 1001):
        blob += _chunk(b"ACCT", _account(key, str(number), login))
    folder.mkdir(mode=0o700, parents=True)
    (folder / "iterations").write_text(str(iterations))
    (folder / "username").write_text(email)
    for name, data in {
        "verify": b"`lpass` was written by LastPass.\n",
        "session_uid": b"1",
        "session_sessionid": b"1234",
        "session_token": b"abcd",
        "blob": blob,
    }.items():
        encrypted = _cbc(key, data)
        (folder / name).write_bytes(hmac.digest(key, encrypted, "sha256") + encrypted)
    return {"LPASS_HOME": str(folder), "LPASS_AGENT_DISABLE": "1"}


def _chunk(tag: bytes, data: bytes) -> bytes:
    return tag + struct.pack(">I", len(data)) + data


def _account(key: bytes, number: str, login: Login) -> bytes:
    """Encode an item: each field follows its length, in the order in which ``lpass`` reads."""
    group, _, name = login.name.rpartition("/")

    def secret(text: str) -> bytes:
        return b"!" + _cbc(key, text.encode()) if text else b""

    fields = [number.encode(), secret(name), secret(group)]
    fields += [
        login.more.get("url", "").encode().hex().encode(),
        secret(login.more.get("note", "")),
    ]
    fields += [b"0", b"", secret(login.username), secret(login.password)]
    fields += [b"1" if login.guarded else b"0", b"", b"", b"0"]
    # Fields that lpass ignores, a flag, more such fields, the time of the last change, the rest.
    fields += [b""] * 14 + [b"0"] + [b""] * 3 + [b"0"] + [b""] * 4
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


# -- pass ------------------------------------------------------------------------


def gpg_home(folder: Path, passphrase: str) -> dict[str, str]:
    """Make a gpg key, and return the variable that names its folder. Leave no agent running."""
    folder.mkdir(mode=0o700, parents=True)
    environ = {"GNUPGHOME": str(folder)}
    quick = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", passphrase]
    try:
        # An elliptic-curve key without an expiry takes the least time.
        options = ["future-default", "default", "never"]
        _run([*quick, "--quick-generate-key", "me@example.org", *options], environ)
    finally:
        end_gpg_agent(folder)
    return environ


def end_gpg_agent(folder: Path) -> None:
    """End the agent that gpg started for this home folder."""
    _run(["gpgconf", "--homedir", str(folder), "--kill", "gpg-agent"], {})


def password_store_of(folder: Path, gnupg: Path, logins: Sequence[Login]) -> dict[str, str]:
    """Make a password store, and return the variables that ``pass`` needs to find it."""
    folder.mkdir(mode=0o700, parents=True)
    (folder / ".gpg-id").write_text("me@example.org\n")
    environ = {"GNUPGHOME": str(gnupg)}
    encrypt = ["gpg", "--batch", "--quiet", "--trust-model", "always", "-e", "-r", "me@example.org"]
    for login in logins:
        lines = [login.password]
        lines += [f"username: {login.username}"] if login.username else []
        lines += [f"{key}: {value}" for key, value in login.more.items()]
        path = folder / f"{login.name}.gpg"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _run([*encrypt, "-o", str(path)], environ, "\n".join(lines) + "\n")
    return {**environ, "PASSWORD_STORE_DIR": str(folder)}


# -- KeePassXC -------------------------------------------------------------------


def database(
    path: Path,
    password: str,
    logins: Sequence[Login],
    groups: Mapping[str, Sequence[Login]] = {},
) -> None:
    """Import a KeePassXC database from XML, the only way to create custom attributes."""
    entries = _entries(logins)
    for name, inside in groups.items():
        entries += f"<Group>{_uuid()}<Name>{escape(name)}</Name>{_entries(inside)}</Group>"
    source = path.with_suffix(".xml")
    source.touch(0o600)
    source.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><KeePassFile><Meta/><Root><Group>'
        f"{_uuid()}<Name>Root</Name>{entries}</Group></Root></KeePassFile>",
        "utf-8",
    )
    argv = ["keepassxc-cli", "import", "-q", "-p", "-t", "100", str(source), str(path)]
    try:
        _run(argv, {"HOME": str(path.parent)}, f"{password}\n{password}\n")
    finally:
        source.unlink()


def _entries(logins: Sequence[Login]) -> str:
    entries = ""
    for login in logins:
        strings = {"Title": login.name, "UserName": login.username, "Password": login.password}
        entries += "<Entry>" + _uuid()
        for key, value in {**strings, **login.more}.items():
            entries += f"<String><Key>{escape(key)}</Key><Value>{escape(value)}</Value></String>"
        entries += "</Entry>"
    return entries


def _uuid() -> str:
    return f"<UUID>{base64.b64encode(uuid.uuid4().bytes).decode()}</UUID>"


# -- Bitwarden -------------------------------------------------------------------

_NOW = "2026-01-01T00:00:00.000Z"


class _Account:
    """The encrypted data that a Bitwarden server stores for its only user."""

    iterations = 5000

    def __init__(self, url: str, email: str, master: str, logins: Sequence[Login]) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            PublicFormat,
        )

        self.url, self.email, self.number = url, email, str(uuid.uuid4())
        key = hashlib.pbkdf2_hmac("sha256", master.encode(), email.encode(), self.iterations, 32)
        login_hash = hashlib.pbkdf2_hmac("sha256", key, master.encode(), 1, 32)
        self.login_hash = base64.b64encode(login_hash).decode()
        stretched = b"".join(
            HKDFExpand(SHA256(), 32, part).derive(key) for part in (b"enc", b"mac")
        )
        user_key = os.urandom(64)
        self.key = _encrypted(stretched, user_key)
        pair = rsa.generate_private_key(65537, 2048)
        private = pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self.private = _encrypted(user_key, private)
        public = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public = base64.b64encode(public).decode()
        self.items = [_item(user_key, login) for login in logins]

    @property
    def unlocking(self) -> dict[str, Any]:
        return {
            "kdf": {
                "kdfType": 0,
                "iterations": self.iterations,
                "memory": None,
                "parallelism": None,
            },
            "masterKeyEncryptedUserKey": self.key,
            "masterKeyWrappedUserKey": self.key,
            "salt": self.email,
        }

    @property
    def keys(self) -> dict[str, Any]:
        pair = {
            "wrappedPrivateKey": self.private,
            "publicKey": self.public,
            "signedPublicKey": None,
        }
        return {
            "signatureKeyPair": None,
            "publicKeyEncryptionKeyPair": {**pair, "object": "publicKeyEncryptionKeyPair"},
            "securityState": None,
            "object": "privateKeys",
        }

    def prelogin(self) -> dict[str, Any]:
        settings = self.unlocking["kdf"]
        return {"kdf": 0, "kdfIterations": self.iterations, "kdfSettings": settings}

    def token(self) -> dict[str, Any]:
        def part(claims: Mapping[str, Any]) -> str:
            return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

        now = int(time.time())
        claims = {
            "sub": self.number,
            "email": self.email,
            "email_verified": True,
            "name": "Me",
            "premium": False,
            "iss": self.url,
            "nbf": now,
            "iat": now,
            "exp": now + 36000,
            "amr": ["Application"],
            "scope": ["api", "offline_access"],
            "sstamp": "s",
            "device": "d",
        }
        return {
            "access_token": f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.c2ln",
            "refresh_token": "r",
            "expires_in": 36000,
            "token_type": "Bearer",
            "scope": "api offline_access",
            "PrivateKey": self.private,
            "AccountKeys": self.keys,
            "Key": self.key,
            "MasterPasswordPolicy": {"Object": "masterPasswordPolicy"},
            "ForcePasswordReset": False,
            "ResetMasterPassword": False,
            "Kdf": 0,
            "KdfIterations": self.iterations,
            "UserDecryptionOptions": {
                "HasMasterPassword": True,
                "MasterPasswordUnlock": _capital(self.unlocking),
                "Object": "userDecryptionOptions",
            },
        }

    def profile(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "name": "Me",
            "email": self.email,
            "emailVerified": True,
            "premium": False,
            "culture": "en-US",
            "twoFactorEnabled": False,
            "key": self.key,
            "privateKey": self.private,
            "accountKeys": self.keys,
            "securityStamp": "s",
            "creationDate": _NOW,
            "organizations": [],
            "providers": [],
            "providerOrganizations": [],
            "object": "profile",
        }

    def sync(self) -> dict[str, Any]:
        return {
            "profile": self.profile(),
            "folders": [],
            "collections": [],
            "policies": [],
            "ciphers": self.items,
            "sends": [],
            "userDecryption": {"masterPasswordUnlock": self.unlocking},
            "object": "sync",
        }

    def settings(self) -> dict[str, Any]:
        urls = {"vault": self.url, "api": f"{self.url}/api", "identity": f"{self.url}/identity"}
        return {
            "version": "2026.1.0",
            "gitHash": "",
            "server": {"name": "stand-in", "url": ""},
            "environment": {**urls, "notifications": "", "sso": ""},
            "featureStates": {},
            "object": "config",
        }


def _capital(value: Any) -> Any:
    """Capitalize the keys, as in the server's older answers."""
    if not isinstance(value, dict):
        return value
    return {name[0].upper() + name[1:]: _capital(part) for name, part in value.items()}


def _encrypted(key: bytes, data: bytes) -> str:
    """Encrypt as Bitwarden's type 2 does: with AES-256-CBC, then an HMAC."""
    encrypted = _cbc(key[:32], data)
    parts = (encrypted[:16], encrypted[16:], hmac.digest(key[32:], encrypted, "sha256"))
    return "2." + "|".join(base64.b64encode(part).decode() for part in parts)


def _item(key: bytes, login: Login) -> dict[str, Any]:
    def secret(text: str) -> str | None:
        return _encrypted(key, text.encode()) if text else None

    fields = [
        {"type": 1, "name": secret(name), "value": secret(value), "linkedId": None}
        for name, value in login.more.items()
    ]
    return {
        "id": str(uuid.uuid4()),
        "organizationId": None,
        "folderId": None,
        "type": 1,
        "name": secret(login.name),
        "notes": None,
        "login": {
            "uris": None,
            "username": secret(login.username),
            "password": secret(login.password),
            "totp": None,
        },
        "fields": fields,
        "edit": True,
        "viewPassword": True,
        "favorite": False,
        "reprompt": 0,
        "key": None,
        "collectionIds": [],
        "creationDate": _NOW,
        "revisionDate": _NOW,
        "deletedDate": None,
        "object": "cipherDetails",
    }


@contextlib.contextmanager
def _bitwarden_server(
    folder: Path, email: str, master: str, logins: Sequence[Login]
) -> Iterator[tuple[str, Path]]:
    """Run a server on loopback for ``bw``. Yield its URL and the certificate to trust."""
    certificate, key = _certificate(folder)
    account: _Account

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            path = self.path.partition("?")[0]
            form = dict(urllib.parse.parse_qsl(body))
            if path.endswith("/prelogin") or "/prelogin/" in path:
                self.answer(account.prelogin())
            elif path.endswith("/connect/token"):
                if form.get("password") in (None, account.login_hash):
                    self.answer(account.token())
                else:
                    self.answer({"error": "invalid_grant"}, 400)
            elif path.endswith("/sync"):
                self.answer(account.sync())
            elif path.endswith("/config"):
                self.answer(account.settings())
            elif path.endswith("/revision-date"):
                self.answer(1767225600000)
            elif path.endswith("/profile"):
                self.answer(account.profile())
            else:
                self.answer({"message": "no such thing", "object": "error"}, 404)

        do_POST = do_PUT = do_GET

        def answer(self, value: Any, status: int = 200) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"https://127.0.0.1:{server.server_port}"
        account = _Account(url, email, master, logins)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield url, certificate
        finally:
            server.shutdown()
            thread.join()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1, and return its path and the path of the key."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def _bitwarden(folder: Path, master: str, logins: Sequence[Login]) -> tuple[Path, str]:
    """Log in with the real ``bw``, and return its data folder and the session.

    The server ends after the login. ``bw`` can still unlock and read the synchronized data.
    """
    data, email = folder / "data", "me@example.org"
    data.mkdir(mode=0o700, parents=True)
    environ = {"BITWARDENCLI_APPDATA_DIR": str(data), "HOME": str(folder)}
    with _bitwarden_server(folder, email, master, logins) as (url, certificate):
        environ["NODE_EXTRA_CA_CERTS"] = str(certificate)
        _run(["bw", "config", "server", url], environ)
        login = ["bw", "--nointeraction", "login", email, "--passwordenv", "MASTER", "--raw"]
        return data, _run(login, {**environ, "MASTER": master})


# -- a vault of each manager -----------------------------------------------------

# Unique to this process, because tests search all processes for their secrets.
_OWN = os.urandom(4).hex()

#: The master password of each vault below.
MASTER = f"canary-mäster pass {_OWN}"

#: A token of :func:`tokens.warehouse` for all projects.
TOKEN = tokens.token("127.0.0.1", identifier=f"canary-{_OWN}")

#: The items in each vault. The token is in ``Index``.
LOGINS = [
    Login("PyPI", "canary-pypi", "__token__"),
    Login("Index", TOKEN, "__token__"),
    Login("Other", "canary-other", "somebody"),
    Login("Empty", "", "somebody"),
    Login("contract", SourceContract.PASSWORD, SourceContract.USERNAME or ""),
]


#: Secure notes with a type, as LastPass writes them.
SERVER = """NoteType:Server
Language:en-US
Hostname:h.example.org
Username:ada
Password:canary-server:1
Notes:one
Password:canary-two"""
KEY = """NoteType:SSH Key
Passphrase:
Private Key:-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED

canary-key
-----END RSA PRIVATE KEY-----
Hostname:h.example.org"""


class Vault(NamedTuple):
    """A locked vault.

    :param prefix: the part of a reference before an item's name.
    :param environ: the variables by which the program finds the vault.
    """

    program: str
    title: str
    prefix: str
    environ: dict[str, str]

    def let_ask(self, pinentry: Path) -> None:
        """Make gpg's agent use this pinentry, if the agent unlocks the vault."""
        if "GNUPGHOME" in self.environ:
            Path(self.environ["GNUPGHOME"], "gpg-agent.conf").write_text(
                f"pinentry-program {pinentry}\nno-allow-external-cache\n"
            )
            self.end()

    def end(self) -> None:
        """End gpg's agent, if the agent unlocks the vault."""
        if "GNUPGHOME" in self.environ:
            end_gpg_agent(Path(self.environ["GNUPGHOME"]))


def lastpass(home: Home) -> Vault:
    """Make a logged-in LastPass account whose server can't be reached."""
    need("lpass")
    more = [Login("work/Twice", "canary-1"), Login("play/Twice", "canary-2")]
    more += [Login("Guarded", "canary-guarded", "me", guarded=True)]
    for name, note in (("Server", SERVER), ("SSH", KEY)):
        more += [Login(name, "", "", {"url": "http://sn", "note": note})]
    made = _lastpass(home.folder / "lpass", MASTER, [*LOGINS, *more])
    return Vault("lpass", "LastPass", "lpass://", made)


def password_store(home: Home) -> Vault:
    """Make a password store whose gpg key has a passphrase."""
    need("pass", "gpg", "gpgconf")
    gnupg = home.folder / "gpg"
    _copy(_gpg_key(), gnupg)
    shop = Login("web/shop", "canary-shop", "", {"login": "me", "URL": "https://example.org:8/"})
    try:
        made = password_store_of(home.folder / "store", gnupg, [*LOGINS, shop])
    finally:
        end_gpg_agent(gnupg)
    return Vault("pass", "pass", "pass://", made)


def keepassxc(home: Home) -> Vault:
    """Return a KeePassXC database that all tests share."""
    need("keepassxc-cli")
    return Vault("keepassxc-cli", "KeePassXC", f"keepassxc://{_database()}/", {})


def bitwarden(home: Home, name: str = "bw") -> Vault:
    """Make a logged-in Bitwarden account whose server has ended.

    :param name: the name of the data folder.
    """
    need("bw", "node")
    home.reach("bw", "node")
    _copy(_logged_in()[0], home.folder / name)
    environ = {"BITWARDENCLI_APPDATA_DIR": str(home.folder / name)}
    return Vault("bw", "Bitwarden", "bw://", environ)


def unlocked_bitwarden(home: Home, name: str = "bw") -> Vault:
    """Make a logged-in Bitwarden account, with the session from the login."""
    vault = bitwarden(home, name)
    vault.environ["BW_SESSION"] = _logged_in()[1]
    return vault


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("S.*", "*.lock"))
    target.chmod(0o700)


# The functions below take a second or more, so each runs only once.


@functools.cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="secretly-")
    atexit.register(shutil.rmtree, folder, True)
    return Path(folder)


@functools.cache
def _gpg_key() -> Path:
    gpg_home(_folder() / "gpg", MASTER)
    return _folder() / "gpg"


@functools.cache
def _database() -> Path:
    path = _folder() / "secrets.kdbx"
    own = Login("Own", "canary-own", "", {"API token": "canary-api"})
    database(path, MASTER, [*LOGINS, own])
    return path


@functools.cache
def _logged_in() -> tuple[Path, str]:
    more = [
        Login("Twice", "canary-1"),
        Login("Twice", "canary-2"),
        Login("Twice again", "canary-3"),
    ]
    more += [Login("Key", "", "me", {"credential": "canary-key"})]
    more += [Login("Café crème", "canary-cafe")]
    return _bitwarden(_folder() / "bw", MASTER, [*LOGINS, *more])
