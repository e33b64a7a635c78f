"""Write the table of the agents that secretly recognizes, for the page about the policy.

python tests/agents.py
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from secretly.config.agents import PROGRAMS, VARIABLES

#: The table on the page.
TABLE = Path(__file__).parent.parent / "docs/reference/agents.csv"


def rows() -> str:
    """The table: an agent a line, with its variables and its programs."""
    names = dict.fromkeys(name for _, name in (*VARIABLES, *PROGRAMS))
    file = io.StringIO()
    for name in sorted(names, key=str.casefold):
        both = [
            ", ".join(f"``{one}``" for one, of in t if of == name) for t in (VARIABLES, PROGRAMS)
        ]
        csv.writer(file, lineterminator="\n").writerow([name or "its value", *both])
    return file.getvalue()


if __name__ == "__main__":
    TABLE.write_text(rows(), "utf-8")
