"""Rollouts and rollbacks: run one command of the state machine on one channel."""

import secrets

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import Product
from release.change import Author, Control, Subject, refuse_retired
from release.core.names import Channel
from release.core.routing import ChannelState
from release.core.transition import Command, Start, transition


class ChannelAt(msgspec.Struct, frozen=True):
    """A channel's state, as it is at a revision of the routing table."""

    revision: int
    state: ChannelState


async def command_channel(
    control: Control, product: Product, channel: Channel, command: Command, author: Author
) -> ChannelAt:
    """The channel after the command, committed and served.

    A channel comes to be with its first `Start`. Raises `Refused` where the state machine does not allow the
    command, `Invalid` for an unknown product, channel or build, `Conflict` as `Control.change` says.
    """
    if isinstance(command, Start):
        await control.require_build(product, command.candidate)
    verb = type(command).__name__.lower()
    async with control.change(Subject(verb, product, channel), author) as transaction:
        revision = await transaction.revision() + 1
        state = await transaction.channel(product, channel)
        if state is None and not isinstance(command, Start):
            raise await _unknown_channel(control, product, channel)
        if isinstance(command, Start):
            await refuse_retired(transaction, product, command.candidate)
        blocked = await transaction.blocks(product)
        changed = transition(state or ChannelState(), command, blocked, control.clock.now())
        await transaction.save_channel(product, channel, changed)
    return ChannelAt(revision, changed)


async def read_channel(control: Control, product: Product, channel: Channel) -> ChannelAt:
    """The channel as it is now. Raises `Invalid` for an unknown product or channel."""
    async with control.ledger.transaction() as transaction:
        state = await transaction.channel(product, channel)
        revision = await transaction.revision()
    if state is None:
        raise await _unknown_channel(control, product, channel)
    return ChannelAt(revision, state)


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
