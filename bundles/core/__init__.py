"""Pure values and functions of publishing: no I/O, clock or randomness."""
