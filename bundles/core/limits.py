"""How much may be asked for of builds."""

MAX_BASES = 16
"""So many builds, at most, are deltas of one made against."""
DEFAULT_KEEP = 10
MAX_KEEP = 10_000
"""So many of a product's newest builds stay, however old they are."""
