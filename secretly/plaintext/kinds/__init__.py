"""The kinds of files that hold secrets: a module or a row for each.

Each module has ``KINDS``. To add a kind, add a module here and its name to ``registry.py``.
"""
