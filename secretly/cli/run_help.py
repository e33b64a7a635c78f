"""The help of ``secretly run``, as argparse would print it, which takes longer to load."""

from __future__ import annotations

from .run_options import OPTIONS, RunOption

#: The end of the help.
EXAMPLE = """examples:
  secretly run twine upload dist/*
  secretly run -e API_KEY=OpenAI sh -c 'echo "$API_KEY" | wc -c'
  secretly run --wrap twine -- make release
"""

_HELP = RunOption(("-h", "--help"), "", "show this help message and exit")


def print_help(about: str) -> None:
    """Print the help.

    :param about: what the verb does.
    """
    print(
        f"usage: secretly run [options] [--] COMMAND [ARG...]\n\n{about[0].upper()}{about[1:]}.\n"
    )
    print("options:")
    for option in (_HELP, *OPTIONS):
        optional = option.takes.endswith("?")
        takes = f"[={option.takes[:-1]}]" if optional else f" {option.takes}".rstrip()
        names = ", ".join(option.names) + takes
        start = f"  {names:20}  " if len(names) <= 20 else f"  {names}\n{' ' * 24}"
        print(start + option.help)
    print(f"\n{EXAMPLE}", end="")
