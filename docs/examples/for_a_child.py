"""Give a secret to a child process, as a variable."""

import subprocess

import secretly

command = ["sh", "-c", "echo the child has ${#API_TOKEN} characters"]
with secretly.environment({"API_TOKEN": "Example"}, description="to greet") as env:
    subprocess.run(command, env=env, check=True)
