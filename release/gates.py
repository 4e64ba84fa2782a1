"""Health gates: look at what SDKs report of each live rollout, and take candidates back that do harm."""

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec
import structlog

from bundles.core.errors import HeadraceError, Refused
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.load import load_build
from bundles.verify import verify
from release.audience import Audience
from release.change import Author, Control
from release.core.audit import CONTROLLER
from release.core.commands import Abort
from release.core.counts import Slot, slot_of
from release.core.gate import Judgement, Verdict
from release.core.health import SETTLE_SECONDS, Rows, Side, Watch, judge_watch, see, summary
from release.core.lag import LAG_SLOTS, with_lag
from release.core.names import PRODUCTION, Channel
from release.core.plan import StageKind
from release.core.routing import ChannelState, Rollout
from release.core.smoke import clean_finding
from release.policies import policy_in_force
from release.ports import Health, Transaction
from release.rollouts import ChannelAt, command_channel
from release.watches import WATCHES, begun_watch, watch_name, watch_of

_log = structlog.get_logger()

_SLOTS_AT_ONCE = 12
"""What came in while nobody looked is not all in memory at once."""
_VERIFY_EVERY_SECONDS = 300


class Looked(msgspec.Struct, frozen=True):
    """What a gate concluded at a look; `aborted` is the channel after the candidate was taken back for it."""

    product: Product
    channel: Channel
    candidate: Version
    judgement: Judgement
    aborted: ChannelAt | None = None


class _Gate:
    """The gate of one live rollout."""

    def __init__(
        self, control: Control, health: Health, product: Product, channel: Channel, rollout: Rollout
    ) -> None:
        self.identity = rollout.identity
        self._control = control
        self._health = health
        self._product = product
        self._channel = channel
        self._audience = Audience(control, health, product, rollout)
        self.fault: str | None = None
        self._looked: Slot | None = None
        self._verified_at: int | None = None
        self._damage_reported = False

    async def look(self, state: ChannelState, rollout: Rollout, revision: int) -> Looked | None:
        """Count what has come in since the last look; None where there is no gate, or nothing new to see."""
        until = slot_of(self._control.clock.now() - SETTLE_SECONDS)
        if self._looked is not None and until <= self._looked:
            return None
        async with self._control.ledger.transaction() as transaction:
            policy = await policy_in_force(transaction)
            watch = await begun_watch(transaction, policy, self._product, self._channel, rollout)
        if watch is None:
            self._looked = until  # the policy is read again in the next slot, not at each tick
            return None
        while (judgement := judge_watch(watch)).verdict is not Verdict.ABORT and watch.looked < until:
            part = Slot(min(until, watch.looked + _SLOTS_AT_ONCE))
            watch = await self._see(watch, state, rollout, revision, part)
            if not await self._keep(watch, rollout):
                return None
        if judgement.verdict is Verdict.ABORT:
            return await self._abort(rollout, judgement, summary(watch, judgement))
        fault = await self._fault(rollout)
        if fault is not None:
            return await self._abort(rollout, judgement, f"its bytes are damaged: {fault}")
        self._looked = watch.looked
        return Looked(self._product, self._channel, rollout.candidate, judgement)

    async def _see(self, watch: Watch, state: ChannelState, rollout: Rollout, revision: int, until: Slot) -> Watch:
        """The watch after the slots that have come in."""
        builds = {rollout.candidate} if state.stable is None else {rollout.candidate, state.stable}
        await self._audience.at(revision, rollout)
        candidate, stable = self._audience.sides(state, rollout)
        since = Slot(max(watch.begun, watch.through - LAG_SLOTS))
        slots = await self._health.slots(self._product, PRODUCTION, builds, since, until)
        self._damage_reported |= any(
            _reports_damage(candidate, rows) for slot, rows in slots.items() if slot >= watch.looked
        )
        odds = await self._audience.odds(range(watch.through, until), rollout)
        baseline = await self._audience.baseline(watch, state)
        # Of many tenants it takes a while, in which other tasks are to go on.
        return await anyio.to_thread.run_sync(
            lambda: see(watch, with_lag(slots), until, candidate, stable, baseline, odds.__getitem__)
        )

    async def _fault(self, rollout: Rollout) -> str | None:
        """What is wrong with the candidate's bytes in the store, looked at once, and when pages report damage.

        That pages report it is no proof: proxies and extensions alter scripts, and anyone can send a beacon.
        What is damaged is looked at again at each look, until the candidate is taken back.
        """
        now = self._control.clock.now()
        if self._verified_at is not None and not (
            self._damage_reported and now - self._verified_at >= _VERIFY_EVERY_SECONDS
        ):
            return None
        manifest = await load_build(self._control.builds, self._control.trusted, self._product, rollout.candidate)
        if manifest is None:
            return "its manifest is gone"
        damages = await verify(self._control.builds, manifest, lambda _: None)
        certain = next((each for each in damages if each.is_certain), None)
        if certain is not None:
            return f"{certain.path} ({certain.encoding}): {certain.fault}"
        self._verified_at, self._damage_reported = now, bool(damages)  # what can't be read now may be damaged
        return None

    async def _keep(self, watch: Watch, rollout: Rollout) -> bool:
        """Save the watch; False where the rollout has ended, or another controller has seen as much.

        A verdict to abort is kept all the same: it may be by reports that came late, of slots that were seen.
        """
        async with self._control.ledger.transaction() as transaction:
            if not await self._is_live(transaction):
                return False
            kept = await watch_of(transaction, self._product, self._channel, rollout)
            is_abort = judge_watch(watch).verdict is Verdict.ABORT
            if kept is not None and kept.looked >= watch.looked and not is_abort:
                self._looked = kept.looked
                return False
            await transaction.save_document(WATCHES, watch_name(self._product, self._channel), watch)
        return True

    async def _is_live(self, transaction: Transaction) -> bool:
        state = await transaction.channel(self._product, self._channel)
        return state is not None and state.rollout is not None and state.rollout.identity == self.identity

    async def _abort(self, rollout: Rollout, judgement: Judgement, why: str) -> Looked | None:
        """Take the candidate back; None where a person ended the rollout first."""
        author = Author(CONTROLLER, clean_finding(f"health gate: {why}"))
        command = Abort(of=self.identity)
        try:
            at = await command_channel(self._control, self._product, self._channel, command, author)
        except Refused:
            async with self._control.ledger.transaction() as transaction:
                if await self._is_live(transaction):
                    raise
            return None
        return Looked(self._product, self._channel, rollout.candidate, judgement, at)


class Gatekeeper:
    """The gates of all live rollouts. What was worked out for one is remembered until it ends."""

    def __init__(self, control: Control, health: Health) -> None:
        self._control = control
        self._health = health
        self._gates: dict[tuple[Product, Channel], _Gate] = {}

    async def look(self) -> list[Looked]:
        """Look at each rollout that has left staging, also while it is paused: tenants have its candidate.

        Where one gate can't look, the others do; it is logged once, and tried again at each look.
        """
        with anyio.CancelScope(shield=True):
            table = await self._control.overview.look(self._control.ledger)
        found, live = [], set()
        for product, routes in table.products.items():
            for channel, state in routes.channels.items():
                rollout = state.rollout
                if (
                    rollout is None
                    or rollout.stage.kind is StageKind.STAGING
                    or rollout.candidate in routes.blocks
                ):
                    continue
                live.add((product, channel))
                gate = self._gate(product, channel, rollout)
                await anyio.lowlevel.checkpoint()  # a controller that is to stop does not look at all others first
                # A change that has begun is finished.
                with anyio.CancelScope(shield=True):
                    looked = await _look_or_tell(gate, product, channel, state, rollout, table.revision)
                if looked is not None:
                    found.append(looked)
        self._gates = {key: gate for key, gate in self._gates.items() if key in live}
        return found

    def _gate(self, product: Product, channel: Channel, rollout: Rollout) -> _Gate:
        gate = self._gates.get((product, channel))
        if gate is None or gate.identity != rollout.identity:
            gate = _Gate(self._control, self._health, product, channel, rollout)
            self._gates[product, channel] = gate
        return gate


async def _look_or_tell(
    gate: _Gate, product: Product, channel: Channel, state: ChannelState, rollout: Rollout, revision: int
) -> Looked | None:
    """What the gate concluded. What keeps it from looking is logged as long as it is news."""
    try:
        looked = await gate.look(state, rollout, revision)
    except HeadraceError as error:
        if gate.fault != str(error):
            _log.error("gate can't look", product=product, channel=channel, why=str(error))
        gate.fault = str(error)
        return None
    if looked is not None:
        gate.fault = None
    return looked


def _reports_damage(candidate: Side, rows: Rows) -> bool:
    return any(counts.integrity_failed for counts in candidate.counts(rows).values())
