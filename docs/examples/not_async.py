"""Ask for a secret in a program that is not async."""

import secretly

token = secretly.secret_sync("Example", description="to greet the server")
print(f"a secret of {len(token)} characters, shown as {token!r}")
