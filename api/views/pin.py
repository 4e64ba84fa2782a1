"""A pin as its users see it."""

from typing import TYPE_CHECKING

import msgspec

from api.times import format_time
from bundles.core.names import Product
from release.core.routing import Pin, PinKey

if TYPE_CHECKING:
    from release.pins import PinAt, WatchedPin


class PinView(msgspec.Struct, frozen=True, kw_only=True):
    """A pin. `expires_at` is RFC 3339 in UTC, or null; `build` and `warnings` are told where pins are read."""

    product: str
    tenant: str
    environment: str
    target: str
    author: str
    by_customer: bool
    reason: str
    expires_at: str | None
    build: str | None = None
    warnings: tuple[str, ...] = ()


class PinAtView(PinView, frozen=True, kw_only=True):
    """A pin at a revision of the routing table."""

    revision: int


def view_pin(product: Product, key: PinKey, pin: Pin) -> PinView:
    """The pin for its users."""
    return PinView(
        product=product,
        tenant=key.tenant,
        environment=key.environment,
        target=pin.text,
        author=pin.author,
        by_customer=pin.by_customer,
        reason=pin.reason,
        expires_at=None if pin.expires_at is None else format_time(pin.expires_at),
    )


def view_watched(product: Product, key: PinKey, watched: "WatchedPin") -> PinView:
    """The pin, with what it comes to and what is to be said of it."""
    view = view_pin(product, key, watched.pin)
    return msgspec.structs.replace(view, build=watched.build, warnings=watched.warnings)


def view_pin_at(product: Product, key: PinKey, at: "PinAt") -> PinAtView:
    """The same at a revision."""
    return PinAtView(**msgspec.structs.asdict(view_watched(product, key, at.watched)), revision=at.revision)
