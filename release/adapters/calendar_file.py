"""Periods from an iCalendar file (RFC 5545), as calendars of holidays are published."""

from datetime import date, datetime, tzinfo
from pathlib import Path

import recurring_ical_events
from icalendar import Calendar, Event

from bundles.core.errors import Invalid
from release.core.freeze import MAX_PERIODS, Period

_MAX_BYTES = 4 * 1024 * 1024
_MAX_NAME_LENGTH = 100


def read_calendar(file: Path, zone: tzinfo, since: datetime, until: datetime) -> tuple[Period, ...]:
    """The events from `since` until `until`, recurring ones at each of their times.

    What names no time zone, as a whole day does, is in `zone`. Raises `Invalid` for what is no calendar.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Invalid(f"can't read {file}: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise Invalid(f"{file} has more than {_MAX_BYTES} bytes: it is no calendar of freezes")
    try:
        calendar = Calendar.from_ical(content)
        events = recurring_ical_events.of(calendar).between(since, until)
        periods = tuple(sorted((_period(event, zone) for event in events), key=lambda period: period.starts))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Invalid(f"{file} is no iCalendar file that can be read: {error}") from None
    if len(periods) > MAX_PERIODS:
        raise Invalid(f"{file} has more than {MAX_PERIODS} events until {until.date()}")
    return periods


def _period(event: Event, zone: tzinfo) -> Period:
    name = "".join(filter(str.isprintable, str(event.get("SUMMARY", ""))))
    return Period(
        starts=_in_zone(event.start, zone), until=_in_zone(event.end, zone), name=name[:_MAX_NAME_LENGTH]
    )


def _in_zone(moment: date, zone: tzinfo) -> str:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=zone)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()
