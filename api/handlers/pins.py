"""Pins."""

from datetime import UTC

from api.core.page import MOST_LOOKED_AT, Page, open_cursor, sifted_page
from api.core.role import Role
from api.operations.pins import ClearPin, ListPins, ReadPin, SetPin
from api.perform import Call, handles
from api.views.pin import PinAtView, PinView, view_pin, view_pin_at, view_watched
from bundles.core.names import parse_product
from bundles.core.version import Range
from release.core.freeze import parse_time
from release.core.names import parse_environment, parse_tenant
from release.core.routing import CANDIDATES, Pin, PinKey, parse_pin_key
from release.pins import WatchedPin, clear_pin, list_pins, read_pin, set_pin


@handles(SetPin)
async def set_(call: Call, asked: SetPin) -> PinView:
    """The pin that the tenant has now."""
    product, key, author = parse_product(asked.product), _key(asked), call.author(asked)
    pin = Pin(
        target=None if asked.target in (None, CANDIDATES) else Range(asked.target),
        author=author.actor,
        reason=author.reason,
        expires_at=None if asked.until is None else parse_time(asked.until, UTC),
        by_customer=_is_by_customer(call, asked),
    )
    made = await set_pin(call.control, product, key, pin, author, hold=asked.target is None)
    return view_pin(product, key, made)


@handles(ReadPin)
async def read(call: Call, asked: ReadPin) -> PinAtView:
    """The pin, with what it comes to."""
    product, key = parse_product(asked.product), _key(asked)
    return view_pin_at(product, key, await read_pin(call.control, product, key))


@handles(ClearPin)
async def clear(call: Call, asked: ClearPin) -> PinView:
    """The pin that the tenant had."""
    product, key, by_customer = parse_product(asked.product), _key(asked), _is_by_customer(call, asked)
    had = await clear_pin(call.control, product, key, call.author(asked), by_customer=by_customer)
    return view_pin(product, key, had)


@handles(ListPins)
async def list_(call: Call, asked: ListPins) -> Page[PinView]:
    """A page of the product's pins."""
    product, after = parse_product(asked.product), open_cursor(asked.cursor, parse_pin_key)
    looked_at = max(asked.limit, MOST_LOOKED_AT) if asked.warned else asked.limit
    pins = await list_pins(call.control, product, after=after, limit=looked_at + 1)

    def is_wanted(item: tuple[str, WatchedPin]) -> bool:
        return bool(item[1].warnings) or not asked.warned

    page = sifted_page(list(pins.items()), lambda item: item[0], is_wanted, looked_at, asked.limit)
    return page.each(lambda item: view_watched(product, parse_pin_key(item[0]), item[1]))


def _key(asked: SetPin | ReadPin | ClearPin) -> PinKey:
    return PinKey(parse_tenant(asked.tenant), parse_environment(asked.environment))


def _is_by_customer(call: Call, asked: SetPin | ClearPin) -> bool:
    return asked.as_customer or Role.CUSTOMER in call.caller.grant.roles
