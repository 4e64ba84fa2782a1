"""Pure values and functions of the data plane: URLs, negotiation and headers."""
