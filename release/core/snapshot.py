"""The routing table as bytes. One decoder, with the same limits, serves the controller before it signs and the
origin before it adopts: what the one lets pass, the other can load.
"""

from typing import TypeVar

import msgspec
from msgspec.structs import replace

from bundles.core.errors import Failed
from bundles.core.names import parse_product
from bundles.core.version import parse_version
from release.core.codec import decode_document, encode_document
from release.core.names import parse_channel, parse_tenant
from release.core.routing import ChannelState, Rollout, RoutingTable, Scheduled, parse_pin_key
from release.core.targeting import check_attributes

PAYLOAD_TYPE = "application/vnd.headrace.routing.v1+json"
MAX_SNAPSHOT_BYTES = 256 * 1024 * 1024
MAX_SEALED_BYTES = MAX_SNAPSHOT_BYTES * 4 // 3 + 64 * 1024  # base64 makes four bytes of three


Rolled = TypeVar("Rolled", Rollout | None, Scheduled | None)


def encode_table(table: RoutingTable) -> bytes:
    """Canonical JSON: sorted keys, no white space. Smoke tests are left out: they are no origin's business."""
    products = {
        product: replace(routes, channels={name: _for_origins(state) for name, state in routes.channels.items()})
        for product, routes in table.products.items()
    }
    return encode_document(replace(table, products=products))


def _for_origins(state: ChannelState) -> ChannelState:
    return replace(state, rollout=_untested(state.rollout), scheduled=_untested(state.scheduled))


def _untested(rolled: Rolled) -> Rolled:
    """The same, live or scheduled, without the smoke tests of its plan."""
    if rolled is None or not rolled.plan.smoke_tests:
        return rolled
    return replace(rolled, plan=replace(rolled.plan, smoke_tests=()))


def decode_table(payload: bytes) -> RoutingTable:
    """The routing table, with every name, version and range in it checked. Raises `Failed`."""
    if len(payload) > MAX_SNAPSHOT_BYTES:
        raise Failed(
            f"the routing table has {len(payload)} bytes; the most that is loaded is {MAX_SNAPSHOT_BYTES}"
        )
    try:
        table = decode_document(payload, RoutingTable)
        _check_names(table)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Failed(f"the routing table is damaged: {error}") from None
    return table


def _check_names(table: RoutingTable) -> None:
    if table.revision < 0:
        raise ValueError(f"a revision can't be {table.revision}")
    for tenant, attributes in table.tenants.items():
        parse_tenant(tenant)
        check_attributes(attributes)
    for product, routes in table.products.items():
        parse_product(product)
        for channel in routes.channels:
            parse_channel(channel)
        for key in routes.pins:
            parse_pin_key(key)
        for version in (*routes.blocks, *routes.retired):
            parse_version(version)
