"""Child processes, and this process's own protection."""
