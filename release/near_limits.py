"""Which limits of the routing table are nearly reached."""

from release.change import Control
from release.core.limits import Use, uses_of_routes
from release.core.snapshot import Root, uses_of_root


async def near_limits(control: Control, root: Root) -> list[Use]:
    """The limits of which half or more is used."""
    table = await control.overview.look(control.ledger)
    return [use for use in (*uses_of_root(root), *uses_of_routes(table.products)) if use.level]
