"""cargo: its settings, its packages, and its index. ``tools/cargo.py`` is the adapter."""
