"""Where secrets are stored: the OS keychain and the kernel keyring."""
