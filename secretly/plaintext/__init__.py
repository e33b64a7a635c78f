"""Secrets in plain files: find them, store them in the keychain, take them out of the file."""
