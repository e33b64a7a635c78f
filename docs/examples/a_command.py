"""Run the command with a fake pinentry and an empty home."""

import os
import subprocess
import sys
import tempfile

from secretly.testing import FakePinentry

with FakePinentry(["canary-1"]) as pinentry, tempfile.TemporaryDirectory() as home:
    environ = {"HOME": home, "PATH": os.environ["PATH"], **pinentry.environ}
    command = [sys.executable, "-m", "secretly", "run", "--ask", "-e", "TOKEN=Example"]
    command += ["sh", "-c", "echo $TOKEN"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30)
    print(done.stdout.strip(), done.returncode, len(pinentry.prompts))
