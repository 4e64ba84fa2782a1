"""Reports of SDKs, as the collector hands them on to be counted."""

import secrets
from collections.abc import Mapping

from beacons.core.beacon import Beacon, Outcome
from beacons.ports import Counting
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.counts import Slot
from release.core.names import PRODUCTION, Tenant

Outcomes = Mapping[Outcome, int]
LOADED, ERRORED = Outcome.LOADED, Outcome.ERRORED


async def report(
    counting: Counting, slot: Slot, product: Product, version: Version, by_tenant: Mapping[Tenant, Outcomes]
) -> None:
    """So many installations of each tenant with each outcome."""
    beacons = [
        Beacon(product, version, tenant, PRODUCTION, secrets.token_bytes(16), outcome)
        for tenant, outcomes in by_tenant.items()
        for outcome, count in outcomes.items()
        for _ in range(count)
    ]
    await counting.add(beacons, slot)
