"""The stores of secrets: the OS keychain and the kernel keyring."""
