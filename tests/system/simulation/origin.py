"""One origin: its real code, on a disk, a clock and a feed of the simulation."""

from collections.abc import Callable

from bundles.core.envelope import unseal
from bundles.core.errors import Failed
from bundles.core.trust import TrustedKeys
from origin.routing import Routing
from release.core.routing import RoutingTable
from release.core.snapshot import PAYLOAD_TYPE, decode_root
from tests.system.simulation.network import Mirror
from tests.system.simulation.parts import Disk, SkewedClock
from tests.system.simulation.turns import Turns


class Origin:
    """It may be killed at any of its steps, and is then started again on the disk that it had."""

    def __init__(self, name: str, turns: Turns, time: Callable[[], int], skew: int, trusted: TrustedKeys) -> None:
        self.name = name
        self.clock = SkewedClock(time, skew)
        self.mirror = Mirror(turns)
        self.disk = Disk(turns, self.clock.now)
        self._trusted = trusted
        self._seen: RoutingTable | None = None
        self.floor = 0
        self.new_process()

    def new_process(self) -> None:
        """What the one before knew is lost; what it kept is not."""
        self.routing = Routing(self.mirror, self.mirror, self.disk, self._trusted, self.clock, lambda: None)
        self.is_started = False
        self._seen = None
        self.floor = self._kept_revision()

    async def look(self) -> str:
        """Start, or look at the feed once."""
        if self.is_started:
            await self.routing.refresh()
        else:
            await self.routing.start()
            self.is_started = True
        return f"is at {self.revision}"

    @property
    def revision(self) -> int:
        """That of the table in force; 0 before the first."""
        return 0 if self.routing.table is None else self.routing.table.revision

    def adopted(self) -> RoutingTable | None:
        """A table that it has taken since this was last asked."""
        table = self.routing.table
        if table is None or table is self._seen:
            return None
        self._seen = table
        return table

    def _kept_revision(self) -> int:
        """What the next process may not go back from."""
        if self.disk.root is None:
            return 0
        try:
            root = decode_root(unseal(PAYLOAD_TYPE, self.disk.root, self._trusted, "it"))
        except Failed:
            return 0
        whole = all(self.disk.holds(ref, thorough=True) for ref in root.shards.values())
        return root.revision if whole else 0
