"""The policy in force: read it, and put another in its place."""

from bundles.core.errors import Invalid
from bundles.core.names import Product
from release.change import Author, Begin, Control, Subject
from release.core.freeze import CalendarEnd, calendars_ending, frozen_at
from release.core.names import Channel
from release.core.policy import Policy
from release.ports import Kind, Reading
from release.zones import zone_of

POLICIES = Kind("policy", Policy)
IN_FORCE = "in-force"
EVERY_PRODUCT = Product("*")


async def apply_policy(control: Control, policy: Policy, author: Author) -> None:
    """Put a policy in force, in the place of the one before.

    Raises `Invalid` for a time that can't be read, and for a freeze whose calendar was not read.
    """
    for freeze in policy.freeze:
        if freeze.calendar is not None and freeze.calendar_until is None:
            raise Invalid(
                f"freeze {freeze.name!r} names a calendar that was not read: give its periods, and calendar_until"
                " as the time up to which they are known; `headrace apply` does so"
            )
        zone = zone_of(freeze.zone)
        for period in freeze.periods:
            period.span(zone)
    subject = Subject("policy-apply", EVERY_PRODUCT, IN_FORCE, asked=policy)

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            await transaction.save_document(POLICIES, IN_FORCE, policy)

    await control.once(subject, author, act, lambda _: None)


async def read_policy(control: Control) -> Policy:
    """The policy in force; an empty one before the first."""
    async with control.ledger.reading() as reading:
        return await policy_in_force(reading)


async def policy_in_force(reading: Reading) -> Policy:
    """The same, within a look or a change."""
    return await reading.document(POLICIES, IN_FORCE) or Policy()


async def calendars_to_renew(control: Control) -> list[CalendarEnd]:
    """The freezes whose calendars end soon, or have ended."""
    return calendars_ending((await read_policy(control)).freeze, control.clock.now())


def calendar_warnings(policy: Policy, product: Product, channel: Channel, now: int) -> tuple[str, ...]:
    """The same for the freezes of one channel, in words."""
    ours = [freeze for freeze in policy.freeze if freeze.is_for(product, channel)]
    return tuple(str(end) for end in calendars_ending(ours, now))


def frozen_words(policy: Policy, product: Product, channel: Channel, now: int) -> str | None:
    """Which freeze holds the channel and until when, in words; None where none does."""
    frozen = frozen_at(policy.freeze, product, channel, now, zone_of)
    return None if frozen is None else str(frozen)
