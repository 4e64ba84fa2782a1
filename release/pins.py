"""Pins: hold a tenant at the build it has tested."""

from collections.abc import Mapping

from bundles.core.errors import Invalid, Refused
from bundles.core.names import Product
from release.change import Author, Control, Subject, refuse_retired
from release.core.resolve import resolve_range
from release.core.routing import Pin, PinKey, ProductRoutes
from release.ports import Transaction


async def set_pin(control: Control, product: Product, key: PinKey, pin: Pin, author: Author) -> None:
    """Pin a tenant; an earlier pin is replaced.

    An exact pin may name any published build, a range must have a released one. Raises `Refused` for a build that
    is blocked or a range that nothing satisfies, `Invalid` for an unknown build or a date that has passed.
    """
    if pin.expires_at is not None and pin.expires_at <= control.clock.now():
        raise Invalid("the pin would have expired already: name a time that is yet to come")
    if pin.target.exact is not None:
        await control.require_build(product, pin.target.exact)
    elif not await control.builds.versions(product):
        raise await control.unknown_product(product)
    async with control.change(Subject("pin-set", product, str(key)), author) as transaction:
        await _require_satisfiable(transaction, product, pin)
        await transaction.save_pin(product, key, pin)


async def clear_pin(control: Control, product: Product, key: PinKey, author: Author) -> Pin:
    """Take a tenant's pin away, and return it. Raises `Invalid` where it has none."""
    async with control.change(Subject("pin-clear", product, str(key)), author) as transaction:
        pin = await transaction.pin(product, key)
        if pin is None:
            raise Invalid(f"{key.tenant} has no pin on {product} in {key.environment}")
        await transaction.save_pin(product, key, None)
    return pin


async def list_pins(control: Control, product: Product) -> Mapping[str, Pin]:
    """The product's pins by `tenant~environment`. Raises `Invalid` for an unknown product."""
    async with control.ledger.transaction() as transaction:
        pins = await transaction.pins(product)
    if not pins and not await control.builds.versions(product):
        raise await control.unknown_product(product)
    return pins


async def _require_satisfiable(transaction: Transaction, product: Product, pin: Pin) -> None:
    blocks = await transaction.blocks(product)
    if pin.target.exact is not None:
        await refuse_retired(transaction, product, pin.target.exact)
        if pin.target.exact in blocks:
            raise Refused(f"{product}@{pin.target.exact} is blocked: nobody may get it, pinned or not")
        return
    routes = ProductRoutes(channels=await transaction.channels(product), blocks=blocks)
    if resolve_range(routes, pin.target).build is None:
        raise Refused(f"no released build of {product} satisfies {pin.target.text!r}")
