"""What the health gate promises, by simulation."""
