"""Pins: hold a tenant at the build it has tested, or give it candidates early."""

from collections.abc import Mapping

import msgspec

from bundles.core.errors import Invalid, NotFound, Refused
from bundles.core.names import Product
from bundles.core.version import Range, Version
from release.change import Author, Begin, Control, Subject, refuse_retired
from release.core.audit import document_at
from release.core.moves import resolve_in
from release.core.names import STABLE
from release.core.pins import (
    PinnedBuild,
    PinRule,
    check_pin,
    check_replaced,
    ends_soon,
    pinned_version,
    releases_behind,
    warnings,
)
from release.core.routing import Pin, PinKey, ProductRoutes
from release.policies import policy_in_force
from release.ports import Reading, Transaction


class WatchedPin(msgspec.Struct, frozen=True):
    """A pin, the build that it comes to now, and what is to be said of it."""

    pin: Pin
    build: Version | None
    warnings: tuple[str, ...]


class PinAt(msgspec.Struct, frozen=True):
    """A pin as it is at a revision of the routing table."""

    watched: WatchedPin
    revision: int


async def set_pin(
    control: Control, product: Product, key: PinKey, pin: Pin, author: Author, *, hold: bool = False
) -> Pin:
    """Pin a tenant, with `hold` at the build that it gets now; an earlier pin is replaced. Returns the pin.

    An exact pin may name any published build, a range must have a released one. Raises `Refused` for what the
    policy does not allow, a build that is blocked or a range that nothing satisfies, `Invalid` for an unknown
    build or a date that has passed.
    """
    subject = Subject("pin-set", product, str(key), asked=(pin, hold))

    async def act(begin: Begin) -> Pin:
        wanted = msgspec.structs.replace(pin, target=await present_build(control, product, key)) if hold else pin
        await _set_pin(control, begin, product, key, wanted)
        return wanted

    place = f"pins/{product}/{key.tenant}/{key.environment}"
    return await control.once(subject, author, act, lambda entry: document_at(entry.after, place, Pin))


async def _set_pin(control: Control, begin: Begin, product: Product, key: PinKey, pin: Pin) -> None:
    now = control.clock.now()
    if pin.expires_at is not None and pin.expires_at <= now:
        raise Invalid("the pin would have expired already: name a time that is yet to come")
    if pin.target is not None and pin.target.exact is not None:
        await control.require_build(product, pin.target.exact)
    published_at = await control.builds.published_at(product)
    if not published_at:
        raise await control.unknown_product(product)
    async with begin() as transaction:
        check_replaced(await transaction.pin(product, key), by_customer=pin.by_customer)
        routes = await _routes_but_pins(transaction, product)
        await _require_satisfiable(transaction, product, routes, pin)
        rule = (await policy_in_force(transaction)).pin_rule(product)
        check_pin(rule, pin, _pinned_build(routes, pin, published_at), now)
        await transaction.save_pin(product, key, pin)


async def present_build(control: Control, product: Product, key: PinKey) -> Range:
    """What to pin a tenant to that shall stay where it is. Raises `Invalid` where it gets no build."""
    table = await control.ledger.table()
    resolution = resolve_in(table, product, STABLE, key, control.clock.now())
    if resolution.build is None:
        raise Invalid(f"{key.tenant} gets no build of {product} that it could be held at: name one")
    return Range(resolution.build)


async def clear_pin(
    control: Control, product: Product, key: PinKey, author: Author, *, by_customer: bool = False
) -> Pin:
    """Take a tenant's pin away, and return it.

    Raises `Invalid` where it has none, `Refused` where a customer would take away what it did not set itself.
    """
    subject = Subject("pin-clear", product, str(key), asked=by_customer)
    place = f"pins/{product}/{key.tenant}/{key.environment}"

    async def act(begin: Begin) -> Pin:
        async with begin() as transaction:
            pin = await transaction.pin(product, key)
            if pin is None:
                raise _no_pin(product, key)
            check_replaced(pin, by_customer=by_customer)
            await transaction.save_pin(product, key, None)
        return pin

    return await control.once(subject, author, act, lambda entry: document_at(entry.before, place, Pin))


async def read_pin(control: Control, product: Product, key: PinKey) -> PinAt:
    """A tenant's pin as it is now. Raises `NotFound` where it has none."""
    async with control.ledger.transaction() as transaction:
        pin = await transaction.pin(product, key)
        routes = await _routes_but_pins(transaction, product)
        rule = (await policy_in_force(transaction)).pin_rule(product)
        revision = await transaction.revision()
    if pin is None:
        raise _no_pin(product, key)
    published_at = await control.builds.published_at(product)
    return PinAt(_watched(rule, routes, pin, published_at, control.clock.now()), revision)


async def list_pins(
    control: Control, product: Product, *, after: PinKey | None = None, limit: int | None = None
) -> Mapping[str, WatchedPin]:
    """The product's pins by `tenant~environment`, or so many that come after one; in order.

    Raises `Invalid` for an unknown product.
    """
    async with control.ledger.reading() as reading:
        pins = await reading.pins(product, after=after, limit=limit)
        routes = await _routes_but_pins(reading, product)
        rule = (await policy_in_force(reading)).pin_rule(product)
    published_at = await control.builds.published_at(product)
    if not pins and after is None and not published_at:
        raise await control.unknown_product(product)
    now = control.clock.now()
    return {key: _watched(rule, routes, pin, published_at, now) for key, pin in pins.items()}


async def pins_ending(control: Control) -> list[tuple[Product, str, Pin]]:
    """The pins of all products that end within their policy's time of warning."""
    async with control.ledger.transaction() as transaction:
        policy = await policy_in_force(transaction)
    now = control.clock.now()
    return [
        (product, key, pin)
        for product, routes in (await control.ledger.table()).products.items()
        for key, pin in routes.pins.items()
        if ends_soon(policy.pin_rule(product), pin, now)
    ]


def _no_pin(product: Product, key: PinKey) -> NotFound:
    return NotFound(f"{key.tenant} has no pin on {product} in {key.environment}")


def _watched(
    rule: PinRule, routes: ProductRoutes, pin: Pin, published_at: Mapping[Version, int], now: int
) -> WatchedPin:
    build = _pinned_build(routes, pin, published_at)
    told = tuple(warnings(rule, routes, pin, build, now))
    return WatchedPin(pin, None if build is None else build.version, told)


async def _routes_but_pins(reading: Reading, product: Product) -> ProductRoutes:
    """What pins are checked against; to read all other tenants' pins would take long."""
    return ProductRoutes(channels=await reading.channels(product), blocks=await reading.blocks(product))


async def _require_satisfiable(
    transaction: Transaction, product: Product, routes: ProductRoutes, pin: Pin
) -> None:
    if pin.target is None:
        return
    if pin.target.exact is not None:
        await refuse_retired(transaction, product, pin.target.exact)
        if pin.target.exact in routes.blocks:
            raise Refused(f"{product}@{pin.target.exact} is blocked: nobody may get it, pinned or not")
    elif routes.newest(pin.target) is None:
        raise Refused(f"no released build of {product} satisfies {pin.target.text!r}")


def _pinned_build(routes: ProductRoutes, pin: Pin, published_at: Mapping[Version, int]) -> PinnedBuild | None:
    version = pinned_version(routes, pin)
    if version is None:
        return None
    return PinnedBuild(version, published_at.get(version), releases_behind(routes, version))
