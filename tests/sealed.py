"""An identity for tests, whose passphrase takes little work."""

from __future__ import annotations

from pathlib import Path

#: The passphrase of the identity.
PASSPHRASE = "canary of seven words"

#: What secrets are sealed for.
RECIPIENT = "age1pg4wjm05l5ghvvvyy3rvtrkf9a6emkdyk4uzvfkc9naglpc0ju8qvrsz9f"

#: The identity, with the least work that secretly accepts: 10.
IDENTITY = """-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCA5eHJZd0p2eFh1UDYzTlFi
RmZaQVp3IDEwCnB6cE5ONStheTVvSFRlY0NUaGN5ZXUzTndueVY2cFU2Zi9UTGdS
VXFvaWsKLS0tIEcvQ0NvbU8rRWlKd1ViUXRGVEZHUk1HVzRWQlhVdWs3NFZqb0RV
d29pMzQKzA+Xx10GrIu118wMmT5Kx75ih7v2DAWZJzdebX2oQ2A5C4JbHxgq+Txu
UQzbgsvKe2S/1F9zmwI3tIUr32CiQ6UlGZVrLegHsbvhOwdO2o1KKtQ1Upnlheki
bL50UGnr2lKkN76S8lRuX6gETcnxCCAJ/Y69MDNlp6UrOrZLtQOBgqfcDf0s8Tzv
jOa+NzFVmegBisWfxFZvwC3OAOnKCWvfF0JucW2V7dKxqvxOWAM3Qy+7xd1N7Q==
-----END AGE ENCRYPTED FILE-----
"""

#: Another identity, with the same passphrase.
OTHER_IDENTITY = """-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCB2c2FNUG9YM2Z3Z0lVdDNY
NEd1VDBRIDEwCnJuL0NjQ1Nsb0JHejlWdHYzUzhibWNHN1RiaUxFQ3F4YlpLNkpl
V2c1QjAKLS0tIEJGWTE0ZFl2ZUhjQnZuSkhGM0V0M0dGR2cvOHIxbUdCY2VPWWYx
c21KYjgKKimTTdFMwenzB1LzxpPt9iwLjJXflmPQzXnmIFrCO6+lay8RqM5zSOfc
wK/+6aRzeJURk5qTclS6F7BRSbc2cuc8s1m1tcYUtWcaBEXFBbXOpYskxq5WFaWr
qLDd1nFUsQjZswWoeHuc3U9zpKUDabINdPVmRryk0HyrxZvG3MQ0WjD6/Bor6wNS
al1tpFP90yg/pigm4fr7KtnxzQ0Uzv5hce7UjBJ9qwAuyGcYZJkelhkYR+iHpA==
-----END AGE ENCRYPTED FILE-----
"""


def put_identity(data_folder: str | Path) -> Path:
    """Put the identity into secretly's folder, below this data folder; return that folder."""
    folder = Path(data_folder, "secretly")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in (("identity.age", IDENTITY), ("identity.pub", f"{RECIPIENT}\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder
