"""Which limits of the routing table are nearly reached."""

from release.core.limits import Use, uses_of_routes
from release.core.snapshot import Root, uses_of_root
from release.ports import Ledger


async def near_limits(ledger: Ledger, root: Root) -> list[Use]:
    """The limits of which half or more is used."""
    async with ledger.reading() as reading:
        table = await reading.table(with_tenants=False)
    return [use for use in (*uses_of_root(root), *uses_of_routes(table.products)) if use.level]
