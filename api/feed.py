"""Changes as they are made, for who follows them."""

from collections.abc import AsyncGenerator

import anyio
import structlog

from api.core.access import Grant
from api.views.change import EventView, view_event
from bundles.core.names import Product
from release.core.audit import Entry, Row
from release.ports import Ledger, Unanswered
from release.trail import TrailReader

POLL_SECONDS = 1.0
"""How long after a change it is told at the latest, while the database answers."""

_log = structlog.get_logger()


async def follow(
    ledger: Ledger, product: Product | None, after: int, grant: Grant
) -> AsyncGenerator[EventView | None, None]:
    """Each change after a revision, of the product or of all that the grant is for, as soon as it is made.

    None comes at each look that finds nothing new, so that who follows can see whether anybody still listens.
    While the database is away, nothing is new. Raises `Conflict` where the trail does not go on from what was
    read, and `Failed` for a damaged row.
    """
    reader = _PatientReader(TrailReader(ledger, after))
    while True:
        found = await reader.read_on()
        for row, entry in found:
            if product in (None, entry.product) and grant.is_for_product(Product(entry.product)):
                yield view_event(row, entry)
        if not found:
            yield None
            await anyio.sleep(POLL_SECONDS)


class _PatientReader:
    """A reader that finds nothing new while the database is away, and says so once."""

    def __init__(self, reader: TrailReader) -> None:
        self._reader = reader
        self._is_away = False

    async def read_on(self) -> list[tuple[Row, Entry]]:
        """As `TrailReader.read_on`."""
        try:
            found = await self._reader.read_on()
        except Unanswered as error:
            if not self._is_away:
                _log.warning("waiting for the control database", why=str(error))
            self._is_away = True
            return []
        if self._is_away:
            _log.info("the control database is back")
        self._is_away = False
        return found
