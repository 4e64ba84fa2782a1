"""Time zones by their IANA names, from the tzdata package or the system."""

from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bundles.core.errors import Invalid


def zone_of(name: str) -> tzinfo:
    """The time zone. Raises `Invalid` for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"{name!r} is no time zone: write an IANA name, as in Europe/Berlin or UTC") from None
