"""Freezes: weekly and in the calendar, in a time zone of their own."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from bundles.core.names import Product
from release.core.freeze import Freeze, Frozen, Period, calendars_ending, frozen_at
from release.core.names import STABLE, Channel
from release.zones import zone_of

SDK = Product("sdk")
WEEKEND = Freeze(name="weekend", zone="Europe/Berlin", weekly=("fri 16:00-mon 08:00",))
YEARS_END = Freeze(name="year's end", periods=(Period("2026-12-24", "2027-01-02T08:00:00+01:00"),))

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
moments = st.builds(
    "{} {:02}:{:02}".format, st.sampled_from(DAYS), st.integers(0, 23), st.sampled_from([0, 30, 59])
)
weekly = st.tuples(moments, moments).filter(lambda pair: pair[0] != pair[1]).map("-".join)


def seconds(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def frozen(freeze: Freeze, now: int) -> Frozen | None:
    return frozen_at([freeze], SDK, STABLE, now, zone_of)


def end_of(freeze: Freeze, now: int) -> int:
    """When the freeze that holds at this time ends."""
    found = frozen(freeze, now)
    assert found is not None
    assert found.until is not None
    return found.until


@pytest.mark.parametrize(
    ("local", "is_frozen"),
    [
        ("2026-11-27T15:59:59", False),
        ("2026-11-27T16:00:00", True),
        ("2026-11-29T12:00:00", True),
        ("2026-11-30T07:59:59", True),
        ("2026-11-30T08:00:00", False),
    ],
)
def test_a_weekly_freeze_holds_in_its_own_zone(local: str, is_frozen: bool) -> None:
    found = frozen(WEEKEND, seconds(local, "Europe/Berlin"))
    assert found == (Frozen("weekend", seconds("2026-11-30T08:00:00", "Europe/Berlin")) if is_frozen else None)


def test_it_keeps_to_the_wall_clock_when_summer_time_ends() -> None:
    """On 25 October 2026 the night in Berlin has an hour more."""
    begins = seconds("2026-10-23T16:00:00", "Europe/Berlin")
    assert end_of(WEEKEND, begins) - begins == 65 * 3600


@pytest.mark.parametrize(
    ("time", "is_frozen"),
    [
        ("2026-12-23T23:59:59", False),
        ("2026-12-24T00:00:00", True),
        ("2027-01-02T06:59:59", True),
        ("2027-01-02T07:00:00", False),
    ],
)
def test_a_period_holds_from_its_beginning_until_just_before_its_end(time: str, is_frozen: bool) -> None:
    assert (frozen(YEARS_END, seconds(time)) is not None) == is_frozen


@given(weekly, st.sampled_from(ZONES), st.integers(1_600_000_000, 2_000_000_000))
def test_what_is_frozen_is_free_when_it_says(text: str, zone: str, now: int) -> None:
    freeze = Freeze(name="weekly", zone=zone, weekly=(text,))
    found = frozen(freeze, now)
    if found is not None:
        end = end_of(freeze, now)
        assert now < end <= now + 8 * 86_400
        assert frozen(freeze, end) is None
        assert frozen(freeze, end - 1) == found


@given(weekly, st.integers(1_600_000_000, 2_000_000_000))
def test_a_week_is_frozen_for_as_long_as_is_written(text: str, now: int) -> None:
    """In UTC, where no week has another length; by the minute, for all its minutes would take long."""
    freeze = Freeze(name="weekly", weekly=(text,))
    begins, ends = (DAYS.index(part[:3]) * 1440 + int(part[4:6]) * 60 + int(part[7:]) for part in text.split("-"))
    moment = datetime.fromtimestamp(now, UTC)
    minute = moment.weekday() * 1440 + moment.hour * 60 + moment.minute
    within = begins <= minute < ends if begins < ends else minute >= begins or minute < ends
    assert (frozen(freeze, now) is not None) == within


def test_of_several_freezes_the_one_that_ends_last_is_named() -> None:
    long = Freeze(name="long", periods=(Period("2026-11-28", "2026-12-10"),))
    now = seconds("2026-11-28T12:00:00")
    found = frozen_at([WEEKEND, long, WEEKEND], SDK, STABLE, now, zone_of)
    assert found is not None
    assert str(found) == "the freeze 'long' holds until 2026-12-10T00:00:00+00:00"


def test_a_freeze_holds_from_where_its_calendar_was_read_to_and_is_told_of_90_days_ahead() -> None:
    read = Freeze(name="holidays", calendar="holidays.ics", calendar_until="2028-11-25T12:00:00+01:00")
    end = seconds("2028-11-25T11:00:00")
    ahead = end - 90 * 86_400
    assert frozen(read, end - 1) is None
    assert str(frozen(read, end)).startswith("the freeze 'holidays' holds, since its calendar was read up to here")
    assert frozen_at([WEEKEND, read], SDK, STABLE, end + 999_999_999, zone_of) == Frozen("holidays", None)
    assert frozen_at([read], Product("other"), STABLE, end, zone_of) is not None
    assert calendars_ending([WEEKEND, YEARS_END, read], ahead) == []
    [told] = calendars_ending([WEEKEND, YEARS_END, read], ahead + 1)
    assert "was read up to 2028-11-25T11:00:00+00:00" in str(told)
    assert calendars_ending([read], end + 1) == [told]


def test_a_freeze_holds_only_what_it_is_for() -> None:
    freeze = Freeze(
        name="old", products=("sdk", "@*/content"), channels=("1", "stable"), periods=YEARS_END.periods
    )
    now = seconds("2026-12-25T00:00:00")
    for product, channel, holds in [
        ("sdk", "stable", True),
        ("@acme/content", "1", True),
        ("sdk", "next", False),
        ("sdk-extra", "stable", False),
    ]:
        found = frozen_at([freeze], Product(product), Channel(channel), now, zone_of)
        assert (found is not None) == holds


@pytest.mark.parametrize(
    "build",
    [
        lambda: Freeze(name="none"),
        lambda: Freeze(name="", weekly=("fri 16:00-mon 08:00",)),
        lambda: Freeze(name="odd", weekly=("friday 16:00-mon 08:00",)),
        lambda: Freeze(name="odd", weekly=("fri 24:00-mon 08:00",)),
        lambda: Freeze(name="empty", weekly=("fri 16:00-fri 16:00",)),
        lambda: Period("2026-12-24", "2026-12-24"),
        lambda: Period("2026-12-24", "soon"),
        lambda: zone_of("Europe/Atlantis"),
        lambda: zone_of("../etc/passwd"),
    ],
)
def test_what_makes_no_sense_is_invalid(build: object) -> None:
    with pytest.raises(Invalid):
        build()  # type: ignore[operator]


def test_a_freeze_of_a_whole_week_but_a_minute_holds() -> None:
    freeze = Freeze(name="nearly", weekly=("mon 00:00-sun 23:59",))
    sunday = datetime(2026, 11, 29, 23, 59, tzinfo=UTC)
    assert frozen(freeze, int(sunday.timestamp())) is None
    assert frozen(freeze, int((sunday + timedelta(minutes=1)).timestamp())) is not None
