"""Rollouts and rollbacks: run one command of the state machine on one channel."""

import secrets

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from release.change import Author, Control, Subject, refuse_retired
from release.core.audit import document_at
from release.core.commands import Command, Schedule, Start
from release.core.names import Channel
from release.core.routing import ChannelState
from release.core.transition import Circumstances, transition
from release.policies import frozen_words, policy_in_force
from release.ports import Transaction


class ChannelAt(msgspec.Struct, frozen=True):
    """A channel's state, as it is at a revision of the routing table, and which freeze holds it, in words."""

    revision: int
    state: ChannelState
    frozen: str | None


async def command_channel(
    control: Control, product: Product, channel: Channel, command: Command, author: Author
) -> ChannelAt:
    """The channel after the command, committed and served.

    A channel comes to be with its first `Start` or `Schedule`. Raises `Refused` where the state machine does not
    allow the command, `Invalid` for an unknown product, channel or build, `Conflict` as `Control.change` says.
    """
    subject = Subject(type(command).__name__.lower(), product, channel, asked=_without_salt(command))
    place = f"channels/{product}/{channel}"
    return await control.once(
        subject,
        author,
        lambda: _command_channel(control, subject, channel, command, author),
        lambda entry: ChannelAt(entry.revision, document_at(entry.after, place, ChannelState), None),
    )


async def _command_channel(
    control: Control, subject: Subject, channel: Channel, command: Command, author: Author
) -> ChannelAt:
    product, candidate = subject.product, _new_candidate(command)
    if candidate is not None:
        await control.require_build(product, candidate)
    async with control.change(subject, author) as transaction:
        revision = await transaction.revision() + 1
        state = await transaction.channel(product, channel)
        if state is None and candidate is None:
            raise await _unknown_channel(control, product, channel)
        if candidate is not None:
            await refuse_retired(transaction, product, candidate)
        around = await _circumstances(control, transaction, product, channel, author)
        changed = transition(state or ChannelState(), command, around)
        await transaction.save_channel(product, channel, changed)
    return ChannelAt(revision, changed, around.frozen)


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
    )


def _without_salt(command: Command) -> Command:
    """What was asked for: the salt is drawn anew for each request, also for one that is sent again."""
    match command:
        case Start():
            return msgspec.structs.replace(command, salt="")
        case Schedule():
            return msgspec.structs.replace(command, start=msgspec.structs.replace(command.start, salt=""))
        case _:
            return command


def _new_candidate(command: Command) -> Version | None:
    match command:
        case Start():
            return command.candidate
        case Schedule():
            return command.start.candidate
        case _:
            return None


async def read_channel(control: Control, product: Product, channel: Channel) -> ChannelAt:
    """The channel as it is now. Raises `Invalid` for an unknown product or channel."""
    async with control.ledger.transaction() as transaction:
        state = await transaction.channel(product, channel)
        revision = await transaction.revision()
        policy = await policy_in_force(transaction)
    if state is None:
        raise await _unknown_channel(control, product, channel)
    return ChannelAt(revision, state, frozen_words(policy, product, channel, control.clock.now()))


async def _unknown_channel(control: Control, product: Product, channel: Channel) -> Invalid:
    """The error for a channel that no rollout ever began, or for a product that nothing is known of."""
    if not await control.builds.versions(product):
        return await control.unknown_product(product)
    return Invalid(
        f"{product} has no channel {channel!r}: a channel begins with its first `headrace rollout start`"
    )


def new_salt() -> str:
    """128 random bits: each rollout begins with other tenants, so that the same ones are not always first."""
    return secrets.token_hex(16)
