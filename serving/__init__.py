"""What every server of Headrace's has: a socket, TLS, and an end by signals."""
