"""What the collection of beacons needs from outside: a place for counts and errors, source maps, and a clock."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from beacons.core.beacon import Beacon, Frame
from beacons.core.groups import ErrorGroup
from beacons.core.sources import Place
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.beacon_retention import BeaconRetention
from release.core.counts import Slot
from release.core.names import Environment


class Counting(Protocol):
    """Where beacons are counted, durably. Failing surroundings raise `Failed`."""

    async def add(self, beacons: Sequence[Beacon], slot: Slot) -> int:
        """Count these beacons in a slot, all or none of them; how many were new.

        Of an installation the first beacon counts, whoever received it, within the last quarter of an hour.
        """
        ...


class ErrorGroups(Protocol):
    """The errors that builds' installations have reported. Failing surroundings raise `Failed`."""

    async def groups(self, product: Product, version: Version, environment: Environment) -> Sequence[ErrorGroup]:
        """A build's groups in an environment, those of most units first: at most `MAX_GROUPS`, and `OTHER`."""
        ...


class SourceMap(Protocol):
    """Says where a script's code comes from."""

    def place(self, frame: Frame) -> Place | None:
        """Where the frame's code is in the sources; None where that is not known."""
        ...


class OpenSourceMap(Protocol):
    """Reads source maps."""

    def __call__(self, script: bytes, source_map: bytes) -> SourceMap:
        """The source map (ECMA-426) of this script. Raises `Invalid` for what is none."""
        ...


class Upkeep(Protocol):
    """What is kept of beacons. It may be broken off at any time, and done twice at once. Raises `Failed`."""

    async def upkeep(self, now: int, retention: BeaconRetention) -> None:
        """Remove what is older than it is kept; what is counted meanwhile hardly waits."""
        ...


class Clock(Protocol):
    """What time it is."""

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        ...


class Edge(Protocol):
    """Knows the edge by its requests, where nobody else is to be answered."""

    def knows(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """True for a request of the edge's, by its header fields."""
        ...

    async def follow(self, adopted: Callable[[], None]) -> None:
        """Keep up with what the edge is known by, until cancelled; `adopted` is called after each change."""
        ...
