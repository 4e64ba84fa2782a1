"""What the controller looks at each interval: every product's routes, without tenants' pins and attributes."""

from release.core.routing import ProductRoutes, RoutingTable
from release.ports import Ledger, Reading


class Overview:
    """Remembers what it has seen: of each look only what was changed since is read."""

    def __init__(self) -> None:
        self._seen: RoutingTable | None = None

    async def look(self, ledger: Ledger) -> RoutingTable:
        """The routing table as it is now, but for tenants. A product without any routes may be in it."""
        async with ledger.reading() as reading:
            self._seen = await _look(reading, self._seen)
        return self._seen


async def _look(reading: Reading, seen: RoutingTable | None) -> RoutingTable:
    position = await reading.revision(), await reading.audit_head()
    if seen is not None and position == (seen.revision, seen.audit_head):
        return seen
    changed = None if seen is None else await reading.changed_since(seen.revision, seen.audit_head)
    if seen is None or changed is None:
        return await reading.table(with_tenants=False)
    routes = {
        key.product: part
        for key, part in changed.items()
        if key.product is not None and key.tenant is None and isinstance(part, ProductRoutes)
    }
    revision, audit_head = position
    return RoutingTable(revision, {**seen.products, **routes}, audit_head)
