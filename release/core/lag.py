"""Reports by when their pages have loaded: a page says late that all is well, and at once that it is not.

Counted by when they came in, a candidate's first slots would hold its failures and not yet most of its units: one
that is as good as the stable build would look far worse, and be taken back. So it would again at each stage.
"""

from collections.abc import Iterator, Mapping

from bundles.core.version import Version
from release.core.counts import Counts, Slot
from release.core.health import Rows
from release.core.names import Tenant

LAG_SLOTS = 1
"""After so many slots a page that is still open says that the SDK has loaded (`beacons/client/beacon.js`)."""


def with_lag(slots: Mapping[Slot, Rows]) -> Mapping[Slot, Rows]:
    """The same reports, each failure in the slot in which its page would have said that the SDK has loaded.

    Pages that are left say it sooner: while a candidate's share grows, some of its units come before the failures
    of the same time, and none after them.
    """
    found: dict[Slot, dict[Version, dict[Tenant, Counts]]] = {}
    for slot, build, tenant, counts in _parts(slots):
        if counts.units:
            tenants = found.setdefault(slot, {}).setdefault(build, {})
            tenants[tenant] = tenants[tenant].plus(counts) if tenant in tenants else counts
    return found


def _parts(slots: Mapping[Slot, Rows]) -> Iterator[tuple[Slot, Version, Tenant, Counts]]:
    """What was well where it is, and what failed where it belongs."""
    for slot, rows in slots.items():
        for build, by_tenant in rows.items():
            for tenant, counts in by_tenant.items():
                failed = counts.errored + counts.render_dropped + counts.integrity_failed
                yield slot, build, tenant, Counts(counts.units - failed)
                later = Counts(failed, counts.errored, counts.render_dropped, counts.integrity_failed)
                yield Slot(slot + LAG_SLOTS), build, tenant, later
