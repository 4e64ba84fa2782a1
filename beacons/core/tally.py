"""Beacons added up."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from beacons.core.beacon import Beacon, Outcome
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.counts import Counts
from release.core.names import Environment, Tenant

_ID_BYTES = 16


class CountKey(NamedTuple):
    """What is counted apart."""

    product: Product
    environment: Environment
    version: Version
    tenant: Tenant


def installation_id(beacon: Beacon) -> bytes:
    """By what an installation is known again: a hash of all that makes it one, 16 bytes of BLAKE2b."""
    names = (beacon.product, beacon.version, beacon.tenant, beacon.environment)
    text = "\0".join(names).encode() + b"\0"
    return hashlib.blake2b(text + beacon.installation, digest_size=_ID_BYTES).digest()


def tally(beacons: Iterable[Beacon]) -> Mapping[CountKey, Counts]:
    """What these beacons come to, in the order of the keys."""
    outcomes: dict[CountKey, Counter[Outcome]] = {}
    for beacon in beacons:
        key = CountKey(beacon.product, beacon.environment, beacon.version, beacon.tenant)
        outcomes.setdefault(key, Counter())[beacon.outcome] += 1
    return {key: _counts(found) for key, found in sorted(outcomes.items())}


def _counts(outcomes: Counter[Outcome]) -> Counts:
    return Counts(
        units=outcomes.total(),
        errored=outcomes[Outcome.ERRORED],
        render_dropped=outcomes[Outcome.RENDER_DROPPED],
        integrity_failed=outcomes[Outcome.INTEGRITY_FAILED],
    )
