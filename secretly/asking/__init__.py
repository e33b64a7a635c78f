"""Ask the user: pinentry, the terminal, a dialog or a notebook."""
