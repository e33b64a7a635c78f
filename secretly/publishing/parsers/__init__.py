"""Parsers of command lines that read as the tools' own parsers do: a module for each.

Each refuses what its tool would refuse, and the forms that versions of the parser read differently.
"""
