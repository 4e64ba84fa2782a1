"""The policy in force, through the use cases: freezes hold, break-glass goes through, schedules begin."""

from datetime import UTC, datetime

import msgspec
import pytest

from bundles.core.errors import Invalid, Refused
from bundles.core.names import Product
from bundles.core.version import Version
from release.advance import advance
from release.blocks import set_block
from release.change import Author, Control
from release.core.commands import Abort, Approve, Pause, Promote, Resume, Rollback, Schedule, Start
from release.core.freeze import Freeze, Period
from release.core.names import STABLE
from release.core.plan import parse_plan
from release.core.policy import ApprovalRule, Policy
from release.policies import apply_policy, read_policy
from release.rollouts import command_channel, read_channel
from release.trail import read_history
from tests.release.conftest import at

pytestmark = pytest.mark.anyio

SDK = Product("sdk")
ONE, TWO, THREE = Version("1.0.0"), Version("1.1.0"), Version("1.2.0")
SAM = Author("sam")
NOON = int(datetime(2026, 12, 24, 12, tzinfo=UTC).timestamp())
CHRISTMAS = Policy(freeze=(Freeze(name="christmas", periods=(Period("2026-12-24", "2026-12-27"),)),))


def start(version: Version, stages: str = "staging,100", bake: str | None = None) -> Start:
    return Start(candidate=version, plan=parse_plan(stages, [], bake), salt="salt")


async def released(control: Control) -> Control:
    """The same control plane at noon, with a build that is stable."""
    await command_channel(control, SDK, STABLE, start(ONE, "100"), SAM)
    await command_channel(control, SDK, STABLE, Promote(), SAM)
    return at(control, NOON)


async def test_a_calendar_that_ends_soon_is_told_of_where_a_channel_is_looked_at(control: Control) -> None:
    noon = await released(control)
    freezes = [
        Freeze(name=name, channels=(channel,), calendar="c.ics", calendar_until=f"2027-{month}-24T12:00:00+00:00")
        for name, channel, month in (("near", "stable", "01"), ("far", "stable", "06"), ("other's", "next", "01"))
    ]
    await apply_policy(noon, Policy(freeze=tuple(freezes)), SAM)
    looked = await read_channel(noon, SDK, STABLE)
    assert looked.frozen is None
    [warning] = looked.warnings
    assert "'near'" in warning
    assert "`headrace apply`" in warning
    with pytest.raises(Refused, match="'near' holds, since its calendar was read up to here and no further"):
        await command_channel(at(control, NOON + 32 * 86_400), SDK, STABLE, start(TWO), SAM)


async def test_a_frozen_channel_goes_only_back(control: Control) -> None:
    noon = await released(control)
    await command_channel(noon, SDK, STABLE, start(TWO), SAM)
    await apply_policy(noon, CHRISTMAS, SAM)
    for command in (Promote(), msgspec.structs.replace(start(THREE), supersede=True)):
        with pytest.raises(Refused, match="'christmas' holds until 2026-12-27T00:00:00"):
            await command_channel(noon, SDK, STABLE, command, SAM)
    await command_channel(noon, SDK, STABLE, Pause(), SAM)
    with pytest.raises(Refused, match="christmas"):
        await command_channel(noon, SDK, STABLE, Resume(), SAM)
    await command_channel(noon, SDK, STABLE, Abort(), SAM)
    with pytest.raises(Refused, match="christmas"):
        await command_channel(noon, SDK, STABLE, start(TWO), SAM)
    await set_block(noon, SDK, TWO, SAM)
    looked = await read_channel(noon, SDK, STABLE)
    assert looked.frozen is not None
    assert (await read_channel(at(noon, NOON + 3 * 86_400), SDK, STABLE)).frozen is None


async def test_a_rollback_is_one_revision_in_a_freeze_too(control: Control) -> None:
    noon = await released(control)
    await command_channel(noon, SDK, STABLE, start(TWO), SAM)
    await apply_policy(noon, CHRISTMAS, SAM)
    before = (await read_channel(noon, SDK, STABLE)).revision
    back = await command_channel(noon, SDK, STABLE, Rollback(), SAM)
    assert (back.revision, back.state.stable, back.state.rollout) == (before + 1, ONE, None)


async def test_break_glass_goes_through_and_is_in_the_audit_trail(control: Control) -> None:
    noon = await released(control)
    await apply_policy(noon, CHRISTMAS, SAM)
    glass = Author("sam", "checkout is down", breaks_glass=True)
    await command_channel(noon, SDK, STABLE, start(TWO), glass)
    entries = await read_history(noon.ledger, SDK, STABLE, limit=10)
    reasons = [entry.reason for entry in entries if entry.verb == "start"]
    assert reasons == ["", "break-glass: checkout is down"]
    with pytest.raises(Invalid, match="give a reason"):
        Author("sam", " ", breaks_glass=True)


async def test_the_controller_waits_until_a_freeze_is_over(control: Control) -> None:
    noon = await released(control)
    await command_channel(noon, SDK, STABLE, start(TWO, bake="1h"), SAM)
    await apply_policy(noon, CHRISTMAS, SAM)
    assert await advance(at(noon, NOON + 7_200)) == []
    [promoted] = await advance(at(noon, NOON + 3 * 86_400))
    assert promoted.step == "promoted"
    assert promoted.at.state.rollout is not None
    assert promoted.at.state.rollout.stage_index == 1


async def test_a_scheduled_rollout_begins_when_its_time_has_come_and_no_freeze_holds_it(control: Control) -> None:
    noon = await released(control)
    await apply_policy(noon, CHRISTMAS, SAM)
    scheduled = await command_channel(noon, SDK, STABLE, Schedule(start(TWO), at=NOON + 60), SAM)
    assert scheduled.state.stable == ONE
    assert await advance(at(noon, NOON + 59)) == []
    assert await advance(at(noon, NOON + 60)) == []
    [begun] = await advance(at(noon, NOON + 3 * 86_400))
    assert begun.step == "begun"
    assert begun.at.state.rollout is not None
    assert (begun.at.state.rollout.candidate, begun.at.state.rollout.author) == (TWO, "sam")
    assert await advance(at(noon, NOON + 3 * 86_400)) == []


async def test_a_scheduled_rollout_of_a_blocked_build_does_not_begin(control: Control) -> None:
    noon = await released(control)
    await command_channel(noon, SDK, STABLE, Schedule(start(TWO), at=NOON + 60), SAM)
    await set_block(noon, SDK, TWO, SAM)
    assert await advance(at(noon, NOON + 60)) == []


async def test_a_policy_takes_the_place_of_the_one_before(control: Control) -> None:
    assert await read_policy(control) == Policy()
    await apply_policy(control, CHRISTMAS, SAM)
    assert await read_policy(control) == CHRISTMAS
    await apply_policy(control, Policy(), SAM)
    assert await read_policy(control) == Policy()


async def test_a_policy_with_an_unknown_zone_is_not_put_in_force(control: Control) -> None:
    odd = Policy(freeze=(Freeze(name="odd", zone="Europe/Atlantis", weekly=("fri 16:00-mon 08:00",)),))
    with pytest.raises(Invalid, match="no time zone"):
        await apply_policy(control, odd, SAM)
    assert await read_policy(control) == Policy()


TWO_PEOPLE = Policy(approval=(ApprovalRule(channels=("stable",)),))


async def test_the_controller_waits_for_an_approval(control: Control) -> None:
    noon = await released(control)
    await apply_policy(noon, TWO_PEOPLE, SAM)
    await command_channel(noon, SDK, STABLE, start(TWO, bake="1h"), SAM)
    later = at(noon, NOON + 3_600)
    assert await advance(later) == []
    assert (await read_channel(later, SDK, STABLE)).waits_for_approval
    with pytest.raises(Refused, match="someone else must approve"):
        await command_channel(later, SDK, STABLE, Approve(TWO), SAM)
    await command_channel(later, SDK, STABLE, Approve(TWO), Author("kim"))
    assert not (await read_channel(later, SDK, STABLE)).waits_for_approval
    assert len(await advance(later)) == 1


async def test_break_glass_needs_no_approval_and_a_rollback_never_does(control: Control) -> None:
    noon = await released(control)
    await apply_policy(noon, TWO_PEOPLE, SAM)
    glass = Author("sam", "checkout is down", breaks_glass=True)
    await command_channel(noon, SDK, STABLE, start(TWO, "100"), glass)
    with pytest.raises(Refused, match="waits for an approval"):
        await command_channel(noon, SDK, STABLE, Promote(), SAM)
    await command_channel(noon, SDK, STABLE, Promote(), glass)
    assert (await command_channel(noon, SDK, STABLE, Rollback(), SAM)).state.stable == ONE
