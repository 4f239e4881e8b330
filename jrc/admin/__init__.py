"""The API on the local socket, metrics and health."""
