"""The configuration, and the known commands."""
