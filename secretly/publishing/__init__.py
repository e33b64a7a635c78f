"""Uploads of publishing tools: the files, the index and the token."""
