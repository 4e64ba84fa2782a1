"""The clock: not behind what was written last, nor apart from servers'."""

from contextlib import suppress
from email.utils import parsedate_to_datetime

from bundles.core.errors import Failed
from headrace.doctor.finding import Finding, failed, ok, warning
from headrace.doctor.setup import Setup
from headrace.doctor.snapshot import read_root
from headrace.times import format_time

NAME = "clock"
_MOST_SECONDS = 5
_REMEDY = "have the machines' clocks set by NTP (chrony, systemd-timesyncd)"


async def check_clock(setup: Setup) -> Finding:
    """Nothing was signed in the future."""
    root = None
    with suppress(Failed):  # the snapshot's own check tells
        root = await read_root(setup)
    if root is not None and root.issue > setup.now + _MOST_SECONDS:
        seen = (
            f"the snapshot was signed {root.issue - setup.now} s in the future: this clock is behind, or was ahead"
        )
        return failed(NAME, seen, _REMEDY)
    since = "there is no snapshot to compare it with" if root is None else "later than the snapshot's time"
    return ok(NAME, f"{format_time(setup.now)}: {since}")


def judge_date(name: str, headers: dict[str, str], now: float) -> Finding:
    """How far a server's clock is from ours; what a cache has kept for a while is that much older."""
    try:
        there = parsedate_to_datetime(headers["date"]).timestamp() + int(headers.get("age", "0"))
    except (KeyError, ValueError):
        return warning(
            name, "it sends no Date that can be read", "put a server in front that does (RFC 9110, 6.6.1)"
        )
    apart = now - there
    if abs(apart) > _MOST_SECONDS:
        return warning(
            name, f"its clock is {abs(apart):.0f} s {'behind' if apart > 0 else 'ahead of'} ours", _REMEDY
        )
    return ok(name, f"within {_MOST_SECONDS} s of ours")
