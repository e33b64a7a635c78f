"""What a publishing tool would upload, where, and with which token."""
