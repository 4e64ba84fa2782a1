"""Times as users read them."""

from datetime import UTC, datetime


def format_time(seconds: int) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
