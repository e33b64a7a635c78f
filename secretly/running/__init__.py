"""Plan a run, deliver the secrets, become the program."""
