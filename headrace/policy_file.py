"""A policy file: the vendor's rules in TOML."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import parse_product
from headrace.toml_file import read_toml
from release.adapters.system_clock import SystemClock
from release.core.freeze import Freeze
from release.core.names import parse_channel
from release.core.policy import Policy, RolloutRule, first_for
from release.zones import zone_of

_MAX_BYTES = 1024 * 1024
_HORIZON = timedelta(days=730)  # how far calendars are read ahead


def read_policy_file(file: Path, now: int) -> Policy:
    """The rules in the file, with the periods of the calendars that its freezes name, from `now` on.

    Raises `Invalid` with the file's name and the key for what is unknown or makes no sense.
    """
    return policy_in(read_toml(file, _MAX_BYTES, "policy"), file, now)


def policy_in(document: Mapping[str, Any], file: Path, now: int) -> Policy:
    """The same of what was read from the file already."""
    try:
        policy = msgspec.convert(_plain(document), Policy)
    except msgspec.ValidationError as error:
        raise Invalid(f"{file}: {error}") from None
    freezes = tuple(_with_calendar(freeze, file.parent, now) for freeze in policy.freeze)
    return msgspec.structs.replace(policy, freeze=freezes)


def rule_in(file: Path, product: str, channel: str) -> RolloutRule:
    """How the file's rules have a rollout on this channel go. Raises `Invalid`."""
    policy = read_policy_file(file, SystemClock().now())
    return first_for(policy.rollout, parse_product(product), parse_channel(channel)) or RolloutRule()


def _with_calendar(freeze: Freeze, folder: Path, now: int) -> Freeze:
    if freeze.calendar is None:
        return freeze
    from release.adapters.calendar_file import read_calendar  # slow to load, and few policies have one

    zone = zone_of(freeze.zone)
    # Whole days: by what a file comes to, a request that is sent again is known.
    since = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0)
    until = since + _HORIZON
    periods = (*freeze.periods, *read_calendar(folder / freeze.calendar, zone, since, until))
    return msgspec.structs.replace(freeze, periods=periods, calendar_until=until.isoformat())


def _plain(value: Any) -> Any:
    """TOML's own dates and times as text, as in JSON."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case date() | datetime() | time():
            return value.isoformat()
        case _:
            return value
