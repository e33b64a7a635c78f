"""From a request to a secret."""
