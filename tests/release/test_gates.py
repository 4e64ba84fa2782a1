"""The controller's health gates, on a real ledger, a real store and a real health database."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from beacons.core.beacon import Outcome
from bundles.core.errors import Refused
from bundles.core.version import Version
from headrace.health_wiring import HealthStore, health_store
from release.advance import advance
from release.change import Author, Control
from release.core.audit import CONTROLLER, Entry, open_row
from release.core.bucket import BasisPoints, bucket_of, cohort_size
from release.core.commands import Abort, Command, Pause, Promote, Resume, Rollback, Start
from release.core.counts import SLOT_SECONDS, slot_of
from release.core.gate import Evidence, Verdict
from release.core.health import SETTLE_SECONDS, STALE_SECONDS, Metric, begin_watch
from release.core.health_rule import HealthRule
from release.core.lag import LAG_SLOTS
from release.core.names import PRODUCTION, STABLE, Tenant
from release.core.plan import parse_plan
from release.core.policy import Policy
from release.core.resolve import resolve_tenant
from release.core.routing import Pin, PinKey
from release.gates import Gatekeeper, Looked
from release.pins import set_pin
from release.policies import apply_policy
from release.ports import Kind
from release.rollouts import ChannelAt, command_channel, read_channel
from release.watches import WATCHES, watch_name
from tests.release.conftest import BUILDS, SDK
from tests.support.reports import ERRORED, LOADED, Outcomes, report

pytestmark = pytest.mark.anyio

OLD, NEW, NEXT = BUILDS
ALICE = Author("alice")
TENANTS = [Tenant(f"tenant-{number}") for number in range(200)]
BEGUN = 1_800_000_000
DAY = 24 * 3600


@pytest.fixture
async def reports(data: Path) -> AsyncIterator[HealthStore]:
    async with health_store(data, None) as opened:
        yield opened


class MovingClock:
    """A clock that goes on when it is told to."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def now(self) -> int:
        return self.seconds


class World:
    """A rollout at its first stage of 25%, with a gate; time goes on slot by slot."""

    def __init__(self, control: Control, reports: HealthStore) -> None:
        self.clock = MovingClock(BEGUN)
        self.control = msgspec.structs.replace(control, clock=self.clock)
        self.reports = reports
        self.keeper = Gatekeeper(self.control, reports.health)

    async def begin(self, rule: HealthRule | None = None, stages: str = "25@1m,100@1m") -> None:
        """The first release of the old build, then a rollout of the new one."""
        await apply_policy(self.control, Policy(gate=(rule or HealthRule(),)), ALICE)
        await self.command(Start(OLD, parse_plan("100", (), None), "salt"))
        await self.command(Promote())
        await self.command(Start(NEW, parse_plan(stages, (), None), "salt"))

    async def command(self, command: Command, author: Author = ALICE) -> ChannelAt:
        return await command_channel(self.control, SDK, STABLE, command, author)

    async def gets(self, tenant: Tenant) -> Version | None:
        routes = (await self.control.ledger.table()).products[SDK]
        return resolve_tenant(routes, tenant, now=self.clock.now(), known={}).build

    async def slots(self, count: int, new: Outcomes, old: Outcomes, tenants: list[Tenant] = TENANTS) -> None:
        """In so many slots each tenant reports these outcomes, by the build that it gets."""
        builds = {tenant: await self.gets(tenant) for tenant in tenants}
        for _ in range(count):
            for build, outcomes in ((OLD, old), (NEW, new)):
                theirs = {tenant: outcomes for tenant in tenants if builds[tenant] == build}
                await self.report(build, theirs)
            self.clock.seconds += SLOT_SECONDS

    async def report(self, build: Version, by_tenant: Mapping[Tenant, Outcomes], ago: int = 0) -> None:
        slot = slot_of(self.clock.now() - ago)
        await report(self.reports.counting, slot, SDK, build, by_tenant)

    async def look(self) -> list[Looked]:
        """What the gates say once all that was reported is settled, a slot later."""
        self.clock.seconds += LAG_SLOTS * SLOT_SECONDS + SETTLE_SECONDS
        try:
            return await self.keeper.look()
        finally:
            self.clock.seconds -= SETTLE_SECONDS

    async def verdict(self) -> Verdict:
        (looked,) = await self.look()
        return looked.judgement.verdict

    async def channel(self) -> ChannelAt:
        return await read_channel(self.control, SDK, STABLE)

    async def last_change(self) -> Entry:
        async with self.control.ledger.reading() as reading:
            return open_row([row async for row in reading.trail(SDK)][-1])


@pytest.fixture
async def world(control: Control, reports: HealthStore) -> World:
    return World(control, reports)


BAD: Outcomes = {LOADED: 4, ERRORED: 1}
WELL: Outcomes = {LOADED: 5}
USUAL: Outcomes = {LOADED: 49, ERRORED: 1}


async def test_a_broken_candidate_is_taken_back_and_the_audit_trail_says_why(world: World) -> None:
    await world.begin()
    assert await world.verdict() is Verdict.HOLD  # nothing has come in yet
    await world.slots(1, BAD, WELL)
    (looked,) = await world.look()
    assert looked.judgement.verdict is Verdict.ABORT
    assert looked.aborted is not None
    assert looked.aborted.state.rollout is None
    assert {await world.gets(tenant) for tenant in TENANTS} == {OLD}
    change = await world.last_change()
    assert (change.actor, change.verb) == (CONTROLLER, "abort")
    assert change.reason.startswith("health gate: its error rate is above the stable build's (e-value ")
    assert await world.look() == []


async def test_a_candidate_does_not_look_worse_for_pages_that_say_late_that_all_is_well(world: World) -> None:
    await world.begin()
    await world.report(OLD, dict.fromkeys(TENANTS, USUAL), ago=SLOT_SECONDS)  # of pages that were open before
    for _ in range(3):
        await world.slots(1, USUAL, USUAL)
        world.clock.seconds += SETTLE_SECONDS
        (looked,) = await world.keeper.look()
        world.clock.seconds -= SETTLE_SECONDS
        assert looked.judgement.verdict is not Verdict.ABORT
    assert await world.verdict() is Verdict.PROMOTE


async def test_a_paused_rollout_is_taken_back_too(world: World) -> None:
    await world.begin()
    await world.command(Pause())
    await world.slots(1, BAD, WELL)
    assert await world.verdict() is Verdict.ABORT
    assert (await world.channel()).state.rollout is None


async def test_a_candidate_goes_on_by_evidence_not_for_want_of_it(world: World) -> None:
    await world.begin()
    await world.slots(7, WELL, WELL)  # the stage has baked, and there were no errors at all
    assert await world.verdict() is Verdict.HOLD
    assert await advance(world.control) == []
    at = await world.channel()
    assert at.held is not None
    assert "too few reports" in at.held
    with pytest.raises(Refused, match=r"the rollout of 1\.1\.0 stays at 25%: its health gate: there are too few"):
        await world.command(Promote(), Author("bob", "I am sure"))
    await world.slots(3, USUAL, USUAL)
    assert await world.verdict() is Verdict.PROMOTE
    assert (await world.channel()).held is None
    (step,) = await advance(world.control)
    assert step.step == "promoted"
    assert {await world.gets(tenant) for tenant in TENANTS} == {NEW}


async def test_the_evidence_is_one_process_through_all_stages(world: World) -> None:
    await world.begin(stages="5@1m,25@1m,50@1m,100")
    await world.slots(7, USUAL, USUAL)
    await world.look()
    before = (await world.channel()).watch
    await advance(world.control)
    await world.slots(1, USUAL, USUAL)
    await world.look()
    after = (await world.channel()).watch
    assert before is not None
    assert after is not None
    assert after.begun == before.begun
    assert after.evidence[Metric.ERRORS].candidate_units > before.evidence[Metric.ERRORS].candidate_units > 0


async def test_break_glass_goes_past_a_gate_and_so_does_a_reason_after_the_longest_hold(world: World) -> None:
    await world.begin(HealthRule(longest_hold="1h"), stages="25,50,100")
    await world.slots(1, WELL, WELL)
    await world.look()
    await world.command(Promote(), Author("bob", "we must", breaks_glass=True))
    world.clock.seconds += 3600
    await world.slots(1, WELL, WELL)
    await world.look()
    with pytest.raises(Refused, match="stays at 50%: its health gate"):
        await world.command(Promote())
    await world.command(Promote(), Author("bob", "a quiet week: looked at by hand"))
    assert (await world.last_change()).reason == "a quiet week: looked at by hand"


async def test_a_gate_that_could_not_look_holds(world: World) -> None:
    await world.begin()
    await world.slots(7, USUAL, USUAL)
    assert await world.verdict() is Verdict.PROMOTE
    world.clock.seconds += STALE_SECONDS + SLOT_SECONDS
    assert await advance(world.control) == []
    with pytest.raises(Refused, match="its gate has not looked for"):
        await world.command(Promote())


async def test_before_its_first_look_a_gate_holds(world: World) -> None:
    await world.begin()
    world.clock.seconds += 61
    assert "too few reports" in str((await world.channel()).held)
    assert await advance(world.control) == []


async def test_one_tenant_whose_page_breaks_by_itself_takes_nothing_back(world: World) -> None:
    await world.begin()
    broken, *_ = [tenant for tenant in TENANTS if await world.gets(tenant) == NEW]
    for _ in range(5):
        await world.report(NEW, {broken: {ERRORED: 200}})
        await world.slots(1, USUAL, USUAL, [tenant for tenant in TENANTS if tenant != broken])
    (looked,) = await world.look()
    assert looked.judgement.verdict is not Verdict.ABORT
    assert (await world.channel()).state.rollout is not None


async def test_who_chose_the_candidate_itself_is_not_counted_nor_who_does_not_get_it(world: World) -> None:
    await world.begin()
    volunteers = [tenant for tenant in TENANTS if await world.gets(tenant) == OLD]
    for tenant in volunteers[:20]:
        await set_pin(world.control, SDK, PinKey(tenant, PRODUCTION), Pin(None, "alice", ""), ALICE)
    await world.report(NEW, {tenant: {ERRORED: 20} for tenant in volunteers})
    await world.slots(1, USUAL, USUAL, [tenant for tenant in TENANTS if tenant not in volunteers[:20]])
    (looked,) = await world.look()
    assert looked.judgement.verdict is not Verdict.ABORT


async def test_a_candidate_that_says_nothing_is_taken_back_by_what_is_usual_at_that_hour(world: World) -> None:
    await world.begin()
    await world.report(OLD, {tenant: {LOADED: 20} for tenant in TENANTS}, ago=DAY)
    await world.slots(2, {}, USUAL)
    (looked,) = await world.look()
    assert (looked.judgement.verdict, looked.judgement.reason) == (
        Verdict.ABORT,
        "most of the reports that were to be expected are missing",
    )


async def test_a_tenant_that_always_failed_is_known_for_it(world: World) -> None:
    failing = [tenant for tenant in TENANTS if bucket_of("salt", tenant) < cohort_size(BasisPoints(2500))]
    at_times: Outcomes = {LOADED: 40, ERRORED: 10}
    usual = {tenant: {ERRORED: 50} if tenant in failing else at_times for tenant in TENANTS}
    await world.report(OLD, usual, ago=3600)
    await world.begin()
    await world.slots(1, {ERRORED: 2}, {LOADED: 8, ERRORED: 2})
    assert await world.verdict() is not Verdict.ABORT


async def test_another_rollout_of_the_same_build_begins_anew(world: World) -> None:
    await world.begin()
    await world.slots(1, BAD, WELL)
    await world.look()
    await world.command(Start(NEW, parse_plan("25,100", (), None), "other"))
    assert (await world.channel()).watch is None
    await world.slots(1, WELL, WELL)
    assert await world.verdict() is Verdict.HOLD


async def test_a_rule_that_changes_is_for_the_next_rollout(world: World) -> None:
    await world.begin()
    await world.slots(1, WELL, WELL)
    await world.look()
    await apply_policy(world.control, Policy(), ALICE)
    await world.slots(1, BAD, WELL)
    assert await world.verdict() is Verdict.ABORT


async def test_damaged_bytes_take_a_candidate_back_at_once_and_a_mere_claim_does_not(
    world: World, data: Path
) -> None:
    await world.begin()
    await world.slots(1, {LOADED: 49, Outcome.INTEGRITY_FAILED: 1}, USUAL)
    assert await world.verdict() is not Verdict.ABORT
    await damage(world, data)
    world.clock.seconds += 300
    await world.slots(1, {LOADED: 49, Outcome.INTEGRITY_FAILED: 1}, USUAL)
    (looked,) = await world.look()
    assert looked.aborted is not None
    assert "health gate: its bytes are damaged: sdk.js (identity)" in (await world.last_change()).reason


async def test_two_controllers_count_each_report_once(world: World) -> None:
    await world.begin()
    other = Gatekeeper(world.control, world.reports.health)
    for _ in range(3):
        await world.slots(1, USUAL, USUAL)
        await world.look()
        world.clock.seconds += SETTLE_SECONDS
        await other.look()
        world.clock.seconds -= SETTLE_SECONDS
    watch = (await world.channel()).watch
    assert watch is not None
    candidates = [tenant for tenant in TENANTS if await world.gets(tenant) == NEW]
    assert watch.evidence[Metric.ERRORS].candidate_units == 3 * 50 * len(candidates)


async def test_without_a_gate_nothing_is_held(world: World) -> None:
    await world.begin()
    await apply_policy(world.control, Policy(), ALICE)
    await world.command(Rollback())
    await world.command(Start(NEW, parse_plan("25@1m,100@1m", (), None), "salt"))
    await world.slots(7, BAD, WELL)
    assert await world.look() == []
    assert len(await advance(world.control)) == 1


async def of_another_version(world: World) -> None:
    """What the gate knows, as a version with fewer bets and another metric would have kept it."""
    name = watch_name(SDK, STABLE)
    async with world.control.ledger.transaction() as transaction:
        kept = await transaction.document(Kind(WATCHES.name, dict), name)
        assert kept is not None
        kept["evidence"] = {"errors": {"worse": [0.5], "no_worse": [0.5]}, "page-speed": {}}
        await transaction.save_document(Kind(WATCHES.name, dict), name, kept)


@pytest.mark.parametrize("ending", [Abort(), Rollback()])
async def test_what_another_version_kept_holds_and_keeps_nobody_from_taking_the_candidate_back(
    world: World, ending: Command
) -> None:
    await world.begin()
    await world.slots(7, USUAL, USUAL)
    await world.look()
    await of_another_version(world)
    await world.slots(1, USUAL, USUAL)
    assert await world.look() == []
    assert await advance(world.control) == []
    assert "another version of Headrace" in str((await world.channel()).held)
    with pytest.raises(Refused, match="another version of Headrace"):
        await world.command(Promote(), Author("bob", "I am sure"))
    await world.command(Pause())
    await world.command(Resume())
    await world.command(ending)
    # The channel's next rollout has a gate again.
    await world.command(Start(NEW, parse_plan("25,100", (), None), "other"))
    await world.slots(1, BAD, WELL)
    assert await world.verdict() is Verdict.ABORT


async def test_a_gate_that_never_looked_could_not_tell_either(world: World) -> None:
    """As where the health database was away all the time."""
    await world.begin(HealthRule(longest_hold="1h"))
    world.clock.seconds += 3599
    with pytest.raises(Refused, match="its health gate"):
        await world.command(Promote(), Author("bob", "looked at by hand"))
    world.clock.seconds += 1
    await world.command(Promote(), Author("bob", "looked at by hand"))


async def test_no_reason_goes_past_a_gate_that_found_harm(world: World) -> None:
    """As where the controller was killed before it could take the candidate back."""
    await world.begin(HealthRule(longest_hold="1m"))
    await world.slots(7, BAD, WELL)
    await found_harm(world)
    with pytest.raises(Refused, match="is above the stable build's"):
        await world.command(Promote(), Author("bob", "I am sure"))
    assert (await world.look())[0].aborted is not None


async def found_harm(world: World) -> None:
    """The gate looks, and keeps what it has seen; before the abort the controller is killed."""
    async with world.control.ledger.transaction() as transaction:
        state = await transaction.channel(SDK, STABLE)
        assert state is not None
        assert state.rollout is not None
        watch = begin_watch(state.rollout.identity, HealthRule(longest_hold="1m"), BEGUN)
        evidence = {Metric.ERRORS: Evidence(candidate_units=9, worse=(20.0,) * 8)}
        kept = msgspec.structs.replace(watch, looked=slot_of(world.clock.now()), evidence=evidence)
        await transaction.save_document(WATCHES, watch_name(SDK, STABLE), kept)


async def test_a_jump_to_a_later_stage_makes_nobody_silent_whose_edge_has_not_followed_yet(world: World) -> None:
    await world.begin(stages="5,25,50,100")
    await world.report(OLD, {tenant: {LOADED: 20} for tenant in TENANTS}, ago=DAY)
    await world.slots(1, USUAL, USUAL)
    assert await world.verdict() is Verdict.HOLD
    followed = [tenant for tenant in TENANTS if await world.gets(tenant) == NEW]
    await world.command(Promote(to="50"), Author("bob", "we must", breaks_glass=True))
    for _ in range(6):
        await world.report(NEW, dict.fromkeys(followed, USUAL))
        await world.report(OLD, {tenant: USUAL for tenant in TENANTS if tenant not in followed})
        world.clock.seconds += SLOT_SECONDS
    assert await world.verdict() is not Verdict.ABORT


async def test_damage_that_was_found_is_not_forgotten_where_another_controller_has_looked_meanwhile(
    world: World, data: Path
) -> None:
    await world.begin()
    await world.slots(1, USUAL, USUAL)
    await world.look()
    await damage(world, data)
    world.keeper = Gatekeeper(world.control, world.reports.health)
    await world.look()
    await world.slots(1, USUAL, USUAL)
    await world.look()
    assert (await world.channel()).state.rollout is None
    assert "its bytes are damaged" in (await world.last_change()).reason


async def damage(world: World, data: Path) -> None:
    """The candidate's bytes in the store are not what was signed any more."""
    manifest = await world.control.require_build(SDK, NEW)
    digest = manifest.artifacts[0].variants[0].digest
    blob = data / "store" / "blobs" / digest[:2] / digest
    blob.chmod(0o644)
    blob.write_bytes(b"// other bytes" * 3)


async def test_a_store_that_is_away_keeps_no_gate_from_counting(world: World, data: Path) -> None:
    await world.begin()
    await world.slots(1, BAD, WELL)
    builds = data / "store" / "builds"
    builds.rename(data / "away")
    builds.write_text("no folder")
    (looked,) = await world.look()
    assert looked.aborted is not None


async def test_an_abort_that_is_refused_is_told_of(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await world.begin()
    await world.slots(1, BAD, WELL)
    untrusted = msgspec.structs.replace(world.control, signing_key=Ed25519PrivateKey.generate())
    keeper = Gatekeeper(untrusted, world.reports.health)
    world.clock.seconds += LAG_SLOTS * SLOT_SECONDS + SETTLE_SECONDS
    assert await keeper.look() == []
    assert await keeper.look() == []
    said = capsys.readouterr().out
    assert said.count("may not sign the routing table") == 1  # as long as it stays so
    assert (await world.channel()).state.rollout is not None


async def test_by_a_candidate_that_was_taken_back_no_tenant_is_known_for_failing(world: World) -> None:
    """The same tenants get the next one first, and their pages would be held to be bad ones."""
    await world.begin()
    early = [tenant for tenant in TENANTS if await world.gets(tenant) == NEW]
    others = {tenant: USUAL for tenant in TENANTS if tenant not in early}
    await world.report(NEW, {tenant: {ERRORED: 50} for tenant in early})
    await world.report(OLD, others)
    await world.command(Abort())
    world.clock.seconds += 60
    await world.command(Start(NEXT, parse_plan("25,100", (), None), "salt"))
    await world.report(NEXT, {tenant: {LOADED: 45, ERRORED: 5} for tenant in early})
    await world.report(OLD, others)
    world.clock.seconds += SLOT_SECONDS
    assert await world.verdict() is Verdict.ABORT


async def test_harm_that_is_told_late_is_seen_too(world: World) -> None:
    await world.begin()
    await world.slots(2, WELL, WELL, TENANTS[:1])  # too few to be a stretch
    assert await world.verdict() is Verdict.HOLD
    await world.slots(1, BAD, WELL, TENANTS[:1])
    early = [tenant for tenant in TENANTS if await world.gets(tenant) == NEW]
    await world.report(NEW, dict.fromkeys(early, BAD), ago=3 * SLOT_SECONDS)
    await world.report(OLD, {tenant: WELL for tenant in TENANTS if tenant not in early}, ago=3 * SLOT_SECONDS)
    assert await world.verdict() is Verdict.ABORT


async def test_what_came_in_while_nobody_looked_is_counted(world: World) -> None:
    await world.begin()
    await world.slots(40, USUAL, USUAL, TENANTS[:20])
    assert await world.verdict() is Verdict.PROMOTE
    watch = (await world.channel()).watch
    assert watch is not None
    assert watch.looked == watch.begun + 40 + LAG_SLOTS
    assert watch.evidence[Metric.ERRORS].stable_units > 40 * 50
