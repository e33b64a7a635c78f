"""Running a command: plan, prepare, obtain the secrets, become the program."""
