"""Whether the adapters agree with the tools: the tool's own parser and settings code is asked."""
