"""How a fault of our own is logged: its kind and its place, and nothing of what it was about."""

import traceback


def fault_of(error: Exception) -> str:
    """As in `ValueError at parse.py:12`. The error's text stays out: it may hold a part of what was sent."""
    *_, place = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {place.filename.rpartition('/')[2]}:{place.lineno}"
