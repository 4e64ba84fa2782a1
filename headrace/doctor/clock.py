"""The clock: not behind what was written last, nor apart from servers'."""

from contextlib import aclosing, suppress
from email.utils import parsedate_to_datetime

import msgspec

from api.times import format_time
from bundles.core.errors import Failed
from headrace.doctor.finding import Finding, failed, ok, warning
from headrace.doctor.setup import Setup
from headrace.doctor.snapshot import read_root
from release.core.audit import open_row

NAME = "clock"
_MOST_SECONDS = 5
_REMEDY = "have the machines' clocks set by NTP (chrony, systemd-timesyncd)"


async def check_clock(setup: Setup) -> Finding:
    """Nothing was signed or changed in the future."""
    newest = {what: at for what, at in (await _signed(setup), await _changed(setup)) if at is not None}
    for what, at in newest.items():
        if at > setup.now + _MOST_SECONDS:
            seen = f"the newest {what} is of {at - setup.now} s in the future: this clock is behind, or was ahead"
            return failed(NAME, seen, _REMEDY)
    compared = (
        f"later than the newest {' and '.join(newest)}" if newest else "there is nothing yet to compare it with"
    )
    return ok(NAME, f"{format_time(setup.now)}: {compared}")


async def _signed(setup: Setup) -> tuple[str, int | None]:
    with suppress(Failed):  # the snapshot's own check tells
        root = await read_root(setup)
        return "snapshot", None if root is None else root.issue
    return "snapshot", None


async def _changed(setup: Setup) -> tuple[str, int | None]:
    with suppress(Failed, msgspec.MsgspecError):  # the database's own check tells, and `headrace audit verify`
        async with setup.ledger() as ledger:
            if ledger is not None:
                async with aclosing(ledger.trail(after=await ledger.revision() - 1)) as rows:
                    return "change", max([open_row(row).at async for row in rows], default=None)
    return "change", None


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
