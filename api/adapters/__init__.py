"""One file for each real component."""
