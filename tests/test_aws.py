"""AWS's stores: with a script in place of ``aws``, and with aws itself."""

from __future__ import annotations

import base64
import http.server
import json
import sys
import threading
from collections.abc import Iterator, Mapping

import pytest
from command import Home, quick
from conftest import need
from test_documented import Scripted

from secretly import BadReference, SourceFailed

# Behaves as aws does, with aws's own messages.
_AWS = f"""#!{sys.executable} -IS
import json, os, sys
folder, words = os.path.dirname(__file__), sys.argv[1:]
assert words[-2:] == ["--output", "json"] and os.environ["AWS_PAGER"] == ""
items = eval(open(folder + "/items").read())
kind, name = words[0], words[-3]
if name not in items:
    sys.exit("An error occurred (%s) when calling the operation: it is not there" % (
        "ParameterNotFound" if kind == "ssm" else "ResourceNotFoundException"))
if kind == "ssm":
    assert words[1:-3] == ["get-parameter", "--with-decryption", "--name"]
    print(json.dumps({{"Parameter": {{"Name": name, "Value": items[name]}}}}))
else:
    assert words[1:-3] == ["get-secret-value", "--secret-id"]
    key = "SecretBinary" if name.startswith("bin") else "SecretString"
    print(json.dumps({{"Name": name, key: items[name]}}))
"""


@pytest.mark.process
class TestSecretsManager(Scripted):
    """``aws-sm://`` keeps the contract: the item is a JSON object with a user name."""

    PROGRAM, scheme, script, place = "aws", "aws-sm", _AWS, "prod/Example"

    def items(self) -> Mapping[str, object]:
        made = {"username": self.USERNAME, "password": self.PASSWORD, "port": 5432}
        return {
            "prod/Example": json.dumps(made),
            "number": 5,
            "key": "canary-1\n\ncanary-2\n",
            "bin": base64.b64encode(b"canary-3\n").decode(),
            "binary": "AP8=",
        }

    def test_a_text_comes_whole(self) -> None:
        """A text without an object has no other field; numbers are fields as they are written."""
        assert self.got("key") == "canary-1\n\ncanary-2\n"
        assert self.got("prod/Example#port") == "5432"
        assert json.loads(self.got("prod/Example#all"))["port"] == 5432

    def test_bytes_that_are_text_are_a_secret(self) -> None:
        """One line end goes, as of a file; other bytes are an error."""
        if self.scheme == "aws-sm":  # the other store has none
            assert self.got("bin") == "canary-3"
            with pytest.raises(SourceFailed, match="not UTF-8"):
                self.got("binary")

    def test_a_value_that_is_not_text_is_not_a_secret(self) -> None:
        """The answer was understood differently than aws meant it."""
        with pytest.raises(SourceFailed):
            self.got("number")

    def test_a_name_that_aws_would_open_is_refused(self) -> None:
        """aws reads a file for ``file://…``, and version 1 a web page for ``https://…``."""
        for path in ("file:///etc/passwd", "http://example.org"):
            with pytest.raises(BadReference):
                self.got(path)


class TestParameterStore(TestSecretsManager):
    """``aws-ssm://`` keeps the contract, too."""

    scheme = "aws-ssm"


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    with quick() as found:
        yield found


#: What moto's server answered, by the call and the item.
ANSWERS = {
    ("secretsmanager.GetSecretValue", "prod/db"): {
        "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-lokEyC",
        "Name": "prod/db",
        "SecretString": '{"username": "ada", "password": "canary-1\\ncanary-2"}',
        "VersionStages": ["AWSCURRENT"],
        "CreatedDate": 1796008386,
    },
    ("AmazonSSM.GetParameter", "/prod/db"): {
        "Parameter": {"Name": "/prod/db", "Type": "SecureString", "Value": "canary-3"}
    },
}


class Aws(http.server.BaseHTTPRequestHandler):
    """Answers as AWS does."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked.get("SecretId") or asked.get("Name")
        body = json.dumps(ANSWERS[self.headers["X-Amz-Target"], name]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.mark.real
def test_aws_reads_both_stores(home: Home) -> None:
    """The real aws, with a server on loopback."""
    need("aws")
    home.reach("aws")
    home.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "canary-id"}
    # An aws that doesn't know AWS_ENDPOINT_URL reaches nothing.
    home.environ |= {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    options = ["-eA=aws-sm://prod/db", "-eB=aws-sm://prod/db#username", "-eC=aws-ssm:///prod/db"]
    show = ("sh", "-c", 'printf "%s|" "$A" "$B" "$C"')
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Aws) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        home.environ |= {"AWS_SECRET_ACCESS_KEY": "canary-k", "AWS_ENDPOINT_URL": url}
        try:
            done = home.run("run", *options, *show)
        finally:
            server.shutdown()
            thread.join()
    assert done == (0, "canary-1\ncanary-2|ada|canary-3|", "")
