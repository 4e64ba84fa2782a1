"""Rollouts by a policy file: plans, freezes and calendars, through the command line."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release.core.bucket import bucket_of, fraction_of
from tests.support.cli import fail, run, succeed
from tests.support.processes import controller

NOW = datetime.now(UTC)
ALWAYS = f"periods = [{{from = {NOW.date() - timedelta(2)}, until = {NOW.date() + timedelta(2)}}}]"

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//vendor//holidays//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20200101T000000Z
DTSTART;VALUE=DATE:20201224
DTEND;VALUE=DATE:20201227
RRULE:FREQ=YEARLY
SUMMARY:Christmas
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTAMP:20200101T000000Z
DTSTART:{today}T000000Z
DTEND:{later}T000000Z
SUMMARY:Moving house
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def test_a_rollout_goes_as_the_policy_has_it(released_data: Path, policy: Path) -> None:
    policy.write_text(
        '[[rollout]]\nproducts = ["other"]\nstages = "100"\n'
        '[[rollout]]\nstages = "staging,canary@1h,100"\nbake = "2d"\ncanary = ["acme"]\n'
    )
    succeed(released_data, "apply", str(policy))
    assert len(succeed(released_data, "policy", "show")["rollout"]) == 2
    started = succeed(released_data, "rollout", "start", "sdk", "1.1.0")["rollout"]
    assert [(stage["name"], stage["bake_seconds"]) for stage in started["stages"]] == [
        ("staging", 172_800),
        ("canary", 3_600),
        ("100%", 172_800),
    ]
    assert (started["canary_tenants"], started["author"]) == (["acme"], "sam")
    succeed(released_data, "rollout", "abort", "sdk")
    policy.write_text('[[rollout]]\nstages = "5,100"\nsalt = "ours"\n')
    started = succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--policy", str(policy), "--bake", "1m")
    assert [stage["name"] for stage in started["rollout"]["stages"]] == ["5%", "100%"]
    assert started["rollout"]["stages"][0]["bake_seconds"] == 60
    bucket = succeed(released_data, "why", "acme", "sdk")["bucket"]
    assert bucket == fraction_of(bucket_of("ours", "acme"))


def test_a_rollout_goes_straight_to_a_stage_and_a_hotfix_takes_its_place(released_data: Path) -> None:
    succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "staging,5,100")
    assert succeed(released_data, "rollout", "promote", "sdk", "--to", "100")["rollout"]["stage"] == 2
    assert "has no stage '7'" in fail(released_data, "rollout", "promote", "sdk", "--to", "7", code=2)
    superseded = fail(released_data, "rollout", "start", "sdk", "1.1.0", "--supersede", code=3)
    assert "can't supersede itself" in superseded
    assert succeed(released_data, "rollout", "promote", "sdk", "--to", "done")["stable"] == "1.1.0"


def test_a_freeze_is_named_with_its_end_and_break_glass_goes_through_it(released_data: Path, policy: Path) -> None:
    policy.write_text(f'[[freeze]]\nname = "audit week"\n{ALWAYS}\n')
    succeed(released_data, "apply", str(policy))
    ends = f"{NOW.date() + timedelta(2)}T00:00:00+00:00"
    assert f"'audit week' holds until {ends}" in fail(released_data, "rollout", "start", "sdk", "1.1.0", code=3)
    assert "give a reason" in fail(released_data, "rollout", "start", "sdk", "1.1.0", "--break-glass", code=2)
    succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--break-glass", "--reason", "checkout is down")
    assert ends in succeed(released_data, "rollout", "status", "sdk")["frozen"]
    assert succeed(released_data, "rollback", "sdk")["rollout"] is None


def test_a_scheduled_rollout_is_begun_by_the_controller(released_data: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=10)).isoformat()
    scheduled = succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--at", soon)
    assert (scheduled["rollout"], scheduled["scheduled"]["candidate"]) == (None, "1.1.0")
    assert "scheduled: 1.1.0 begins at" in run(released_data, "rollout", "status", "sdk").stdout
    with controller(released_data) as process:
        process.wait_for("begun")
    assert succeed(released_data, "rollout", "status", "sdk")["rollout"]["candidate"] == "1.1.0"


def test_freezes_are_taken_from_a_calendar(released_data: Path, policy: Path) -> None:
    today, later = (f"{day:%Y%m%d}" for day in (NOW - timedelta(1), NOW + timedelta(5)))
    (policy.parent / "holidays.ics").write_text(CALENDAR.format(today=today, later=later))
    policy.write_text('[[freeze]]\nname = "holidays"\nzone = "Europe/Berlin"\ncalendar = "holidays.ics"\n')
    assert succeed(released_data, "apply", str(policy))["changes"]
    [freeze] = succeed(released_data, "policy", "show")["freeze"]
    time.sleep(1)
    assert not succeed(released_data, "apply", str(policy))["changes"]
    names = [period["name"] for period in freeze["periods"]]
    assert names.count("Christmas") in (2, 3)
    [christmas] = [each for each in freeze["periods"] if each["from"].startswith(f"{NOW.year + 1}-12-24")]
    assert christmas["until"] == f"{NOW.year + 1}-12-27T00:00:00+01:00"
    ends = datetime.fromisoformat(freeze["calendar_until"]).date()
    assert NOW.date() + timedelta(728) < ends < NOW.date() + timedelta(732)
    assert "'Moving house' holds" in fail(released_data, "rollout", "start", "sdk", "1.1.0", code=3)
    assert "freeze: name holidays, zone Europe/Berlin" in run(released_data, "policy", "show").stdout


def test_the_controller_warns_before_a_calendar_ends(released_data: Path, policy: Path) -> None:
    soon = f"{(NOW + timedelta(30)).date()}T00:00:00+00:00"
    policy.write_text(
        f'[[freeze]]\nname = "holidays"\nweekly = ["sun 00:00-sun 00:01"]\ncalendar_until = "{soon}"\n'
    )
    succeed(released_data, "apply", str(policy))
    with controller(released_data) as process:
        told = process.wait_for("calendar ends soon")
    assert (told["freeze"], told["at"], told["level"]) == ("holidays", soon, "warning")
    assert f"warning: the calendar of the freeze 'holidays' was read up to {soon}" in run(
        released_data, "rollout", "status", "sdk"
    ).stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("freeze = \n", "is not TOML"),
        ("[[freezes]]\nname = 'x'\n", "unknown field `freezes`"),
        (
            "[[freeze]]\nname = 'x'\nweekly = ['fri 16:00-mon 08:00']\nzones = 'UTC'\n",
            "unknown field `zones` - at `$.freeze[0]`",
        ),
        ("[[freeze]]\nname = 'x'\nweekly = ['someday']\n", "'someday' is no weekly freeze"),
        ("[[freeze]]\nname = 'x'\nweekly = 5\n", "Expected `array`, got `int` - at `$.freeze[0].weekly`"),
        (
            "[[freeze]]\nname = 'x'\nweekly = ['fri 16:00-mon 08:00']\nzone = 'Mars/Base'\n",
            "'Mars/Base' is no time zone",
        ),
        ("[[freeze]]\nname = 'x'\ncalendar = 'none.ics'\n", "can't read"),
        ("[[freeze]]\nname = 'x'\ncalendar = 'policy.toml'\n", "is no iCalendar file"),
        ("[[rollout]]\nstages = '5,3'\n", "percentages must grow"),
        ("[[rollout]]\nbake = 'long'\n", "'long' is not a duration"),
        ("[[rollout]]\nsalt = ''\n", "a salt is one line"),
        ("# " + 1_100_000 * "x", "more than 1048576 bytes"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_wrong_in_the_file_is_named(released_data: Path, policy: Path, text: str, told: str) -> None:
    policy.write_text(text)
    assert told in fail(released_data, "apply", str(policy), code=2)


def test_two_people_let_a_candidate_out_of_staging(released_data: Path, policy: Path) -> None:
    policy.write_text('[[approval]]\nchannels = ["stable"]\n')
    succeed(released_data, "apply", str(policy))
    assert "begin with staging" in fail(
        released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "100", code=3
    )
    started = succeed(released_data, "rollout", "start", "sdk", "1.1.0")
    assert (started["waits_for_approval"], started["rollout"]["approved_by"]) == (True, None)
    assert "waits for an approval" in run(released_data, "rollout", "status", "sdk").stdout
    assert "someone else than sam" in fail(released_data, "rollout", "promote", "sdk", code=3)
    assert "someone else must approve" in fail(released_data, "rollout", "approve", "sdk", "1.1.0", code=3)
    approved = succeed(released_data, "rollout", "approve", "sdk", "1.1.0", "--actor", "kim")
    assert (approved["waits_for_approval"], approved["rollout"]["approved_by"]) == (False, "kim")
    assert succeed(released_data, "rollout", "promote", "sdk")["rollout"]["stage"] == 1
