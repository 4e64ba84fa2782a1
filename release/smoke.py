"""Smoke tests: run those that a rollout's plan names, and keep the candidate in staging until they have passed."""

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import msgspec

from bundles.core.errors import Failed, Invalid, NotFound, Refused
from bundles.core.manifest import manifest_digest
from bundles.core.names import Product
from bundles.core.version import Version
from release.change import Author, Begin, Control, Subject
from release.core.audit import document_at
from release.core.commands import Promote
from release.core.names import Channel
from release.core.plan import StageKind
from release.core.routing import ChannelState, Rollout
from release.core.smoke import (
    AnySmokeTest,
    BrowserTest,
    CommandTest,
    SmokeClaim,
    SmokeOutcome,
    WebhookTest,
    clean_finding,
    clean_output,
    latest_outcomes,
    why_unproven,
)
from release.ports import Candidate, Kind, SmokeResult, SmokeRunner, Transaction

GRACE_SECONDS = 60
"""What a test may need beside its own time: to bring the build here, and to end."""


CLAIMS = Kind("smoke_claim", SmokeClaim)


class SmokeRunners(msgspec.Struct, frozen=True):
    """Who runs the tests of each kind."""

    command: SmokeRunner[CommandTest]
    webhook: SmokeRunner[WebhookTest]
    browser: SmokeRunner[BrowserTest]

    async def run(self, test: AnySmokeTest, candidate: Candidate) -> SmokeResult:
        """The test's result; a failed one where it can't be run, or does not come to an end."""
        try:
            with anyio.fail_after(test.timeout_seconds + GRACE_SECONDS):
                match test:
                    case CommandTest():
                        return await self.command.run(test, candidate)
                    case WebhookTest():
                        return await self.webhook.run(test, candidate)
                    case BrowserTest():
                        return await self.browser.run(test, candidate)
        except (Failed, Invalid) as error:
            return SmokeResult(False, str(error))
        except TimeoutError:
            return SmokeResult(False, "it did not come to an end in its time")
        except OSError as error:  # a full disk, too many open files
            return SmokeResult(False, f"it can't be run: {error.filename or 'the system'}: {error.strerror}")


class SmokeRun(msgspec.Struct, frozen=True):
    """A test to run on the candidate of a rollout. With `once`, only if there is no outcome of it yet."""

    product: Product
    channel: Channel
    rollout: Rollout
    test: AnySmokeTest
    once: bool

    @property
    def key(self) -> str:
        """What a test is claimed by: of a channel's tests of one name, one is run at a time."""
        return f"{self.product} {self.channel} {self.test.name}"

    def is_of(self, state: ChannelState | None) -> bool:
        """True while the channel's rollout is the one that the test is for, at whatever stage."""
        live = _live(state)
        wanted = self.rollout
        return live is not None and (live.candidate, live.identity) == (wanted.candidate, wanted.identity)


async def runs_of(
    control: Control, product: Product, channel: Channel, names: Collection[str] = ()
) -> list[SmokeRun]:
    """The tests of the channel's live rollout, or those named, whether they have run or not."""
    async with control.ledger.transaction() as transaction:
        rollout = _live(await transaction.channel(product, channel))
    if rollout is None:
        raise Refused(f"there is no live rollout of {product} on channel {channel}")
    known = {test.name: test for test in rollout.plan.smoke_tests}
    if unknown := sorted(set(names) - known.keys()):
        raise Invalid(f"the rollout's plan has no smoke test {unknown[0]!r}; it has {', '.join(known) or 'none'}")
    if not known:
        raise Refused(f"the plan of {rollout.candidate}'s rollout names no smoke tests: there is nothing to run")
    wanted = [test for name, test in known.items() if not names or name in names]
    return [SmokeRun(product, channel, rollout, test, once=False) for test in wanted]


async def due_runs(control: Control) -> list[SmokeRun]:
    """Of all rollouts in staging, the tests that nobody has run and nobody runs."""
    table = await control.overview.look(control.ledger)
    runs = [
        SmokeRun(product, channel, state.rollout, test, once=True)
        for product, routes in table.products.items()
        for channel, state in routes.channels.items()
        if state.rollout is not None
        and _must_prove(state.rollout)
        and state.rollout.candidate not in routes.blocks
        for test in state.rollout.plan.smoke_tests
    ]
    if not runs:
        return []
    async with control.ledger.transaction() as transaction:
        now = control.clock.now()
        return [run for run in runs if await _why_not(transaction, run, now) is None]


async def run_smoke_test(
    control: Control, runners: SmokeRunners, run: SmokeRun, actor: str, key: str | None = None
) -> SmokeOutcome:
    """Run the test and keep its outcome; where this was asked for before with the key, what was kept then.

    Raises `Refused` where somebody else runs it, or the rollout has ended: then nothing is kept.
    """
    rollout = run.rollout
    asked = (rollout.candidate, rollout.identity)
    subject = Subject("smoke", run.product, run.channel, asked, part=run.test.name)
    return await control.once(
        subject,
        Author(actor, key=key),
        lambda begin: _run_and_keep(control, begin, runners, run, actor),
        lambda entry: document_at(
            entry.after, f"smoke_outcomes/{run.product}/{run.channel}/{entry.revision}", SmokeOutcome
        ),
    )


async def _run_and_keep(
    control: Control, begin: Begin, runners: SmokeRunners, run: SmokeRun, actor: str
) -> SmokeOutcome:
    async with _claimed(control, run):
        manifest = await control.require_build(run.product, run.rollout.candidate)
        candidate = Candidate(run.channel, manifest, manifest_digest(manifest))
        started_at, since = control.clock.now(), anyio.current_time()
        result = await runners.run(run.test, candidate)
        outcome = SmokeOutcome(
            test=run.test.name,
            candidate=run.rollout.candidate,
            rollout=run.rollout.identity,
            digest=candidate.digest,
            passed=result.passed,
            started_at=started_at,
            seconds=round(anyio.current_time() - since, 3),
            actor=actor,
            finding=clean_finding(result.finding),
            output=clean_output(result.output),
        )
        with anyio.CancelScope(shield=True):  # a change that has begun is finished
            await _keep(begin, run, outcome)
    return outcome


async def smoke_of(
    transaction: Transaction, product: Product, channel: Channel, state: ChannelState | None
) -> Mapping[str, SmokeOutcome]:
    """What last came of each smoke test of the channel's live rollout, by the test's name."""
    rollout = _live(state)
    if rollout is None or not rollout.plan.smoke_tests:
        return {}
    outcomes = await transaction.smoke_outcomes(product, channel, rollout.candidate)
    return latest_outcomes(outcomes, rollout.identity)


async def list_outcomes(
    control: Control, product: Product, channel: Channel, candidate: Version | None
) -> Sequence[SmokeOutcome]:
    """All that came of a candidate's smoke tests, oldest first; without its version, of the live rollout's."""
    async with control.ledger.transaction() as transaction:
        if candidate is None:
            rollout = _live(await transaction.channel(product, channel))
            if rollout is None:
                raise NotFound(f"{product} has no live rollout on channel {channel}: name the build")
            candidate = rollout.candidate
        return await transaction.smoke_outcomes(product, channel, candidate)


async def bind_to_proven(control: Control, product: Product, channel: Channel, promote: Promote) -> Promote:
    """The promotion, for no other rollout than one whose candidate may leave its stage.

    Raises `Refused` where a smoke test of its plan has not passed for the candidate as it is published.
    """
    async with control.ledger.transaction() as transaction:
        state = await transaction.channel(product, channel)
        rollout = _live(state)
        if rollout is None or not _must_prove(rollout):
            return promote
        latest = await smoke_of(transaction, product, channel, state)
    tests = rollout.plan.smoke_tests
    why = why_unproven(tests, latest, None)
    if why is None:
        manifest = await control.require_build(product, rollout.candidate)
        why = why_unproven(tests, latest, manifest_digest(manifest))
    if why is not None:
        raise Refused(
            f"{rollout.candidate} stays in staging until its smoke tests have passed: {why}."
            f" `headrace smoke show {product} --channel {channel}` has their output, and"
            f" `headrace smoke run {product} --channel {channel}` runs them again; in an emergency,"
            " --break-glass with a reason goes past them"
        )
    return msgspec.structs.replace(promote, seen=promote.seen or rollout)


def _live(state: ChannelState | None) -> Rollout | None:
    return None if state is None else state.rollout


def _must_prove(rollout: Rollout) -> bool:
    return rollout.stage.kind is StageKind.STAGING and bool(rollout.plan.smoke_tests)


@asynccontextmanager
async def _claimed(control: Control, run: SmokeRun) -> AsyncIterator[None]:
    """Nobody else runs the test meanwhile. The claim of who was killed ends by itself."""
    now = control.clock.now()
    claim = SmokeClaim(
        candidate=run.rollout.candidate,
        rollout=run.rollout.identity,
        holder=secrets.token_hex(8),
        until=now + run.test.timeout_seconds + 2 * GRACE_SECONDS,
    )
    with anyio.CancelScope(shield=True):
        async with control.ledger.transaction() as transaction:
            if (why := await _why_not(transaction, run, now)) is not None:
                raise Refused(why)
            await transaction.save_document(CLAIMS, run.key, claim)
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            async with control.ledger.transaction() as transaction:
                if await transaction.document(CLAIMS, run.key) == claim:
                    await transaction.save_document(CLAIMS, run.key, None)


async def _why_not(transaction: Transaction, run: SmokeRun, now: int) -> str | None:
    """Why the test is not to be run now; None where it is."""
    product, channel, rollout, test = run.product, run.channel, run.rollout, run.test.name
    state = await transaction.channel(product, channel)
    if not run.is_of(state):
        return f"the rollout of {rollout.candidate} on {channel} has ended"
    claim = await transaction.document(CLAIMS, run.key)
    if claim is not None and claim.until > now and claim.is_for(rollout.candidate, rollout.identity):
        return f"smoke test {test!r} of {rollout.candidate} is being run already: wait for its outcome"
    if run.once and test in await smoke_of(transaction, product, channel, state):
        return f"smoke test {test!r} of {rollout.candidate} has run"
    return None


async def _keep(begin: Begin, run: SmokeRun, outcome: SmokeOutcome) -> None:
    """Write the outcome and its audit row; for a rollout that has ended meanwhile, nothing."""
    verdict = "passed" if outcome.passed else "failed"
    async with begin(reason=clean_finding(f"{outcome.test} {verdict}: {outcome.finding}")) as transaction:
        if not run.is_of(await transaction.channel(run.product, run.channel)):
            raise Refused(
                f"the rollout of {outcome.candidate} has ended while smoke test {outcome.test!r} ran:"
                f" that it {verdict} is not kept"
            )
        await transaction.add_smoke_outcome(run.product, run.channel, outcome)
