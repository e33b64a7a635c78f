"""How each tool's own parser reads a command line: a module for each parser.

Each refuses what its tool would refuse, and the forms that versions of the parser read differently.
"""
