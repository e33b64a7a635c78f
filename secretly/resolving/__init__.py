"""From a request to a secret: candidates, look up, confirm or ask, store."""
