"""Freezes: times at which no candidate is brought to more tenants.

A local time is read in the freeze's own zone. One that the change to summer time leaves out counts as the same
distance from midnight; of one that comes twice, the first is meant (PEP 495, fold 0).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated

import msgspec
from msgspec import Meta

from bundles.core.errors import Invalid
from bundles.core.names import Product
from release.core.names import Channel
from release.core.scope import Scoped
from release.core.written import Text, Texts

MAX_PERIODS = 1_000
WARN_SECONDS = 90 * 24 * 3600
"""How long ahead it is told that a freeze's calendar ends."""

Zones = Callable[[str], tzinfo]
"""The time zone of an IANA name, as in `Europe/Berlin`. Raises `Invalid` for an unknown one."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOMENT = r"(mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-3]):([0-5][0-9])"
_WEEKLY = re.compile(rf"{_MOMENT} ?- ?{_MOMENT}")


class Span(msgspec.Struct, frozen=True):
    """From one time until just before another, in seconds since the epoch."""

    starts_at: int
    ends_at: int


class Period(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"starts": "from"}, omit_defaults=True
):
    """One time in the calendar. `starts` and `until` are dates or times by ISO 8601, in the freeze's zone if they
    name none; a date is its midnight.
    """

    starts: Text
    until: Text
    name: Text = ""

    def __post_init__(self) -> None:
        span = self.span(UTC)
        if span.ends_at <= span.starts_at:
            raise Invalid(f"a freeze from {self.starts} until {self.until} ends before it begins")

    def span(self, zone: tzinfo) -> Span:
        """When it begins and ends."""
        return Span(parse_time(self.starts, zone), parse_time(self.until, zone))


class Freeze(Scoped, frozen=True, kw_only=True):
    """A named freeze: each week, as in `fri 16:00-mon 08:00`, at periods of the calendar, or both.

    `calendar` is the iCalendar file that periods were taken from, up to `calendar_until`. What comes then is not
    known, so that the freeze holds from then on: a holiday is never gone through for want of its date.
    """

    name: Text
    zone: Text = "UTC"
    weekly: Texts = ()
    periods: Annotated[tuple[Period, ...], Meta(max_length=MAX_PERIODS)] = ()
    calendar: Text | None = None
    calendar_until: Text | None = None

    def __post_init__(self) -> None:
        if self.calendar_until is not None:
            parse_time(self.calendar_until, UTC)
        if not self.name.isprintable() or not 0 < len(self.name) <= 100:
            raise Invalid("a freeze's name is one line of 1 to 100 characters")
        if len(self.periods) > MAX_PERIODS or len(self.weekly) > MAX_PERIODS:
            raise Invalid(f"freeze {self.name!r} has more than {MAX_PERIODS} periods")
        if not (self.weekly or self.periods or self.calendar):
            raise Invalid(f"freeze {self.name!r} has no time: give weekly, periods or calendar")
        for text in self.weekly:
            _parse_weekly(text)


class Frozen(msgspec.Struct, frozen=True):
    """A freeze that holds, and until when, in seconds since the epoch; None until its calendar is read anew."""

    name: str
    until: int | None

    def __str__(self) -> str:
        if self.until is None:
            return (
                f"the freeze {self.name!r} holds, since its calendar was read up to here and no further"
                " (`headrace apply` reads it anew)"
            )
        return f"the freeze {self.name!r} holds until {_utc(self.until)}"


class CalendarEnd(msgspec.Struct, frozen=True):
    """A freeze whose calendar was read up to a time that is near, in seconds since the epoch, or has come."""

    name: str
    at: int

    def __str__(self) -> str:
        return (
            f"the calendar of the freeze {self.name!r} was read up to {_utc(self.at)}, and from then on the freeze"
            " holds: `headrace apply` reads it anew"
        )


def frozen_at(
    freezes: Iterable[Freeze], product: Product, channel: Channel, now: int, zones: Zones
) -> Frozen | None:
    """The freeze that holds a channel at `now`: of several, the one that ends last."""
    ours = [freeze for freeze in freezes if freeze.is_for(product, channel)]
    for freeze in ours:
        if (end := _calendar_end(freeze)) is not None and now >= end:
            return Frozen(freeze.name, None)
    holding = [
        (span.ends_at, name)
        for freeze in ours
        for name, span in _spans(freeze, now, zones(freeze.zone))
        if span.starts_at <= now < span.ends_at
    ]
    if not holding:
        return None
    until, name = max(holding)
    return Frozen(name, until)


def calendars_ending(freezes: Iterable[Freeze], now: int) -> list[CalendarEnd]:
    """The freezes whose calendars end soon, or have ended: the policy is to be applied anew."""
    ends = ((freeze.name, _calendar_end(freeze)) for freeze in freezes)
    return [CalendarEnd(name, at) for name, at in ends if at is not None and at - now < WARN_SECONDS]


def parse_time(text: str, zone: tzinfo) -> int:
    """Seconds since the epoch of a date or time by ISO 8601, in the zone if it names none.

    Raises `Invalid`, also for one that has no year of four digits in UTC: nobody could be shown it.
    """
    try:
        parsed = datetime.fromisoformat(text)
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        raise Invalid(f"{text!r} is no time: write a date, as in 2027-01-31, or 2027-01-31T12:00:00Z") from None


def _calendar_end(freeze: Freeze) -> int | None:
    return None if freeze.calendar_until is None else parse_time(freeze.calendar_until, UTC)


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _spans(freeze: Freeze, now: int, zone: tzinfo) -> Iterator[tuple[str, Span]]:
    for period in freeze.periods:
        yield period.name or freeze.name, period.span(zone)
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    monday = today - timedelta(days=today.weekday())
    for text in freeze.weekly:
        starts, ends = _parse_weekly(text)
        for week in (monday - timedelta(weeks=1), monday):
            yield freeze.name, Span(_seconds(week + starts, zone), _seconds(week + ends, zone))


def _parse_weekly(text: str) -> tuple[timedelta, timedelta]:
    """Its beginning and its end, from the midnight on which the week begins; the end may be in the next week."""
    match = _WEEKLY.fullmatch(text)
    if match is None:
        raise Invalid(f"{text!r} is no weekly freeze: write days and times, as in 'fri 16:00-mon 08:00'")
    starts, ends = _since_monday(*match.group(1, 2, 3)), _since_monday(*match.group(4, 5, 6))
    if starts == ends:
        raise Invalid(f"{text!r} begins when it ends: to freeze for good, give a period")
    return starts, ends if ends > starts else ends + timedelta(weeks=1)


def _since_monday(day: str, hour: str, minute: str) -> timedelta:
    return timedelta(days=_DAYS.index(day), hours=int(hour), minutes=int(minute))


def _seconds(local: datetime, zone: tzinfo) -> int:
    return int(local.replace(tzinfo=zone).timestamp())
