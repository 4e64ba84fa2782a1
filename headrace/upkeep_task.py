"""What the controller does for the health database: removes what is older than the policy keeps it."""

import anyio
import structlog

from beacons.ports import Upkeep
from bundles.core.errors import HeadraceError
from release.change import Control
from release.policies import read_policy
from release.ports import Leadership

_INTERVAL_SECONDS = 60.0

_log = structlog.get_logger()


async def keep_up(control: Control, leadership: Leadership, upkeep: Upkeep, interval: float) -> None:
    """Each minute while it leads, for ever. Where the database is away, what is old stays there for longer."""
    while True:
        leads = False
        try:
            # What has begun in the control database is finished, however soon the controller is asked to stop.
            with anyio.CancelScope(shield=True):
                leads = await leadership.holds()
                retention = (await read_policy(control)).beacons if leads else None
            if retention is not None:
                await upkeep.upkeep(control.clock.now(), retention)
        except HeadraceError as error:
            _log.error("health database not kept up", why=str(error))
        await anyio.sleep(_INTERVAL_SECONDS if leads else interval)
