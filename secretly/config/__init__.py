"""What is configured, and which commands are known."""
