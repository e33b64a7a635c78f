"""npm: its settings, its packages, and where these go. ``tools/npm.py`` is the adapter."""
