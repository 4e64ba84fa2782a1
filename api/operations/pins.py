"""Pins: hold a tenant at the build that it has tested, or give it candidates early."""

from typing import Annotated

from msgspec import Meta

from api.core.access import CUSTOMERS, READERS, RELEASERS
from api.core.fields import CursorField, EnvironmentField, ManyField, ProductField, TenantField, TimeField
from api.core.operation import Change, Method, Operation, route
from api.core.page import Page
from api.views.pin import PinAtView, PinView

_PINS = "/products/{product}/pins"
_PIN = f"{_PINS}/{{tenant}}/{{environment}}"

_Target = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="An exact version, a range of them, or `candidates`; without it, the build that is got now",
        examples=["1.4.2", "^1.4", "candidates"],
    ),
]


@route(Method.PUT, _PIN, RELEASERS | CUSTOMERS)
class SetPin(Change[PinView], frozen=True, kw_only=True):
    """Pin a tenant to a build, to the newest released one in a range, or opt it in to candidates.

    A pin that is there already is replaced. What a customer may pin itself to, and for how long, is in the policy;
    with `as_customer` the vendor acts as the customer would, within the same limits.
    """

    product: ProductField
    tenant: TenantField
    environment: EnvironmentField
    target: _Target | None = None
    until: TimeField | None = None
    as_customer: bool = False


@route(Method.GET, _PIN, READERS | CUSTOMERS)
class ReadPin(Operation[PinAtView], frozen=True, kw_only=True):
    """A tenant's pin, with what it comes to and what is to be said of it."""

    product: ProductField
    tenant: TenantField
    environment: EnvironmentField


@route(Method.DELETE, _PIN, RELEASERS | CUSTOMERS)
class ClearPin(Change[PinView], frozen=True, kw_only=True):
    """Take a tenant's pin away; a customer may take away what it has set itself."""

    product: ProductField
    tenant: TenantField
    environment: EnvironmentField
    as_customer: bool = False


@route(Method.GET, _PINS, READERS)
class ListPins(Operation[Page[PinView]], frozen=True, kw_only=True):
    """A product's pins, each with what it comes to and what is to be said of it.

    `warned` are only those that end soon, are over a limit, or hold nothing.
    """

    product: ProductField
    warned: bool = False
    cursor: CursorField = ""
    limit: ManyField = 100
