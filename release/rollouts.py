"""Rollouts and rollbacks: run one command of the state machine on one channel."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from bundles.core.errors import NotFound
from bundles.core.names import Product
from release.change import Author, Begin, Control, Subject, refuse_retired
from release.checks import checks_at
from release.core.audit import document_at
from release.core.checks import CheckAt
from release.core.commands import Approve, Command, Promote, Schedule, Start
from release.core.health import Watch
from release.core.names import Channel
from release.core.routing import ChannelState
from release.core.smoke import SmokeOutcome, check_entries
from release.core.transition import Circumstances, transition
from release.holds import why_held
from release.policies import calendar_warnings, frozen_words, policy_in_force
from release.ports import Transaction
from release.smoke import bind_to_proven, smoke_of
from release.watches import UnreadableWatch, watch_of, why_gate_holds


class ChannelAt(msgspec.Struct, frozen=True):
    """A channel's state, as it is at a revision of the routing table, and what holds it.

    `frozen` says which freeze does; `needs_approval` is true for a channel of two people; `smoke` is what last
    came of each smoke test of its live rollout, and `checks` what follows from its checks. `warnings` are of
    freezes whose calendars must be read anew. `watch` is what the rollout's gate knows, and `held` why that lets
    its candidate not go on.
    """

    revision: int
    state: ChannelState
    frozen: str | None = None
    needs_approval: bool = False
    smoke: Mapping[str, SmokeOutcome] = {}
    checks: Sequence[CheckAt] = ()
    warnings: tuple[str, ...] = ()
    watch: Watch | None = None
    held: str | None = None

    @property
    def waits_for_approval(self) -> bool:
        """True where a live rollout needs an approval and has none."""
        return self.needs_approval and self.state.rollout is not None and self.state.rollout.approved_by is None


async def command_channel(
    control: Control, product: Product, channel: Channel, command: Command, author: Author
) -> ChannelAt:
    """The channel after the command, committed and served.

    A channel comes to be with its first `Start` or `Schedule`. Raises `Refused` where the state machine does not
    allow the command, `Invalid` for an unknown product, channel or build, `Conflict` as `Control.once` says.
    """
    subject = Subject(type(command).__name__.lower(), product, channel, asked=_asked(command))
    place = f"channels/{product}/{channel}"
    at = await control.once(
        subject,
        author,
        lambda begin: _command_channel(control, begin, product, channel, command, author),
        lambda entry: ChannelAt(entry.revision, document_at(entry.after, place, ChannelState)),
    )
    async with control.ledger.transaction() as transaction:
        policy, now = await policy_in_force(transaction), control.clock.now()
        return msgspec.structs.replace(
            at,
            smoke=await smoke_of(transaction, product, channel, at.state),
            checks=await checks_at(transaction, policy, product, channel, at.state.rollout, now),
        )


async def _command_channel(
    control: Control, begin: Begin, product: Product, channel: Channel, command: Command, author: Author
) -> ChannelAt:
    started = _started(command)
    if started is not None:
        check_entries(started.plan.smoke_tests, await control.require_build(product, started.candidate))
    if isinstance(command, Promote) and not author.breaks_glass:
        command = await bind_to_proven(control, product, channel, command)
    async with begin() as transaction:
        state = await transaction.channel(product, channel)
        if state is None and started is None:
            raise await _unknown_channel(control, product, channel)
        if started is not None:
            await refuse_retired(transaction, product, started.candidate)
        state = state or ChannelState()
        around = await _circumstances(control, transaction, product, channel, author)
        if isinstance(command, Promote):
            policy = await policy_in_force(transaction)
            held = await why_held(transaction, policy, product, channel, state, author, around.now)
            around = msgspec.structs.replace(around, held=held)
        changed = transition(state, command, around)
        await transaction.save_channel(product, channel, changed)
    return ChannelAt(around.revision, changed, around.frozen, around.needs_approval)


async def _circumstances(
    control: Control, transaction: Transaction, product: Product, channel: Channel, author: Author
) -> Circumstances:
    now = control.clock.now()
    policy = await policy_in_force(transaction)
    return Circumstances(
        now=now,
        blocked=await transaction.blocks(product),
        actor=author.actor,
        frozen=None if author.breaks_glass else frozen_words(policy, product, channel, now),
        needs_approval=policy.needs_approval(product, channel) and not author.breaks_glass,
        revision=await transaction.revision() + 1,
    )


def _asked(command: Command) -> Command:
    """What was asked for: the salt is drawn, and who counts as whom looked up, anew for each request, also for one
    that is sent again.
    """
    match command:
        case Approve():
            return Approve(command.candidate)
        case Start():
            return msgspec.structs.replace(command, salt="")
        case Schedule():
            return msgspec.structs.replace(command, start=msgspec.structs.replace(command.start, salt=""))
        case _:
            return command


def _started(command: Command) -> Start | None:
    """The rollout that the command begins, now or later."""
    match command:
        case Start():
            return command
        case Schedule():
            return command.start
        case _:
            return None


async def read_channel(control: Control, product: Product, channel: Channel) -> ChannelAt:
    """The channel as it is now. Raises `Invalid` for an unknown product or channel."""
    async with control.ledger.transaction() as transaction:
        state = await transaction.channel(product, channel)
        revision = await transaction.revision()
        policy = await policy_in_force(transaction)
        smoke = await smoke_of(transaction, product, channel, state)
        now, rollout = control.clock.now(), None if state is None else state.rollout
        checks = await checks_at(transaction, policy, product, channel, rollout, now)
        watch = held = None
        if state is not None and state.rollout is not None:
            with suppress(UnreadableWatch):  # then it holds, and says why
                watch = await watch_of(transaction, product, channel, state.rollout)
            held = await why_gate_holds(transaction, policy, product, channel, state, now)
    if state is None:
        raise await _unknown_channel(control, product, channel)
    return ChannelAt(
        revision=revision,
        state=state,
        frozen=frozen_words(policy, product, channel, now),
        needs_approval=policy.needs_approval(product, channel),
        smoke=smoke,
        checks=checks,
        warnings=calendar_warnings(policy, product, channel, now),
        watch=watch,
        held=held,
    )


async def _unknown_channel(control: Control, product: Product, channel: Channel) -> NotFound:
    """The error for a channel that no rollout ever began, or for a product that nothing is known of."""
    if not await control.builds.versions(product):
        return await control.unknown_product(product)
    return NotFound(
        f"{product} has no channel {channel!r}: a channel begins with its first `headrace rollout start`"
    )


def new_salt() -> str:
    """128 random bits: each rollout begins with other tenants, so that the same ones are not always first."""
    return secrets.token_hex(16)
