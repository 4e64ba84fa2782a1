"""Reports of SDKs, as the collector hands them on to be counted."""

import secrets
from collections.abc import Mapping

from beacons.core.beacon import Beacon, Outcome
from beacons.ports import Counting
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.counts import Slot
from release.core.lag import LAG_SLOTS
from release.core.names import PRODUCTION, Tenant

Outcomes = Mapping[Outcome, int]
LOADED, ERRORED = Outcome.LOADED, Outcome.ERRORED


async def report(
    counting: Counting, slot: Slot, product: Product, version: Version, by_tenant: Mapping[Tenant, Outcomes]
) -> None:
    """So many installations of each tenant with each outcome, of pages that loaded the SDK in this slot.

    As pages do it: those that fail say so at once, and the others later.
    """
    beacons = [
        Beacon(product, version, tenant, PRODUCTION, secrets.token_bytes(16), outcome)
        for tenant, outcomes in by_tenant.items()
        for outcome, count in outcomes.items()
        for _ in range(count)
    ]
    await counting.add([each for each in beacons if each.outcome is not LOADED], slot)
    await counting.add([each for each in beacons if each.outcome is LOADED], Slot(slot + LAG_SLOTS))
