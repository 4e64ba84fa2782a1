"""The installations that were heard from lately: what comes twice need not go to the database."""

from collections.abc import Iterable

from beacons.core.beacon import Beacon
from beacons.core.tally import installation_id
from release.core.counts import Slot

_MOST = 50_000
_SLOTS = 30


class Recent:
    """Remembers installations in two generations, bounded in number and to ten minutes.

    Older ones are the database's to know.
    An installation is of one build: the same page may report another build too.
    """

    def __init__(self) -> None:
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._since = Slot(0)

    def unseen(self, beacons: Iterable[Beacon], slot: Slot) -> list[Beacon]:
        """Those whose installation was not heard from, which from now on it was."""
        if len(self._young) >= _MOST or slot - self._since >= _SLOTS:
            self._young, self._old = set(), self._young
            self._since = slot
        found = []
        for beacon in beacons:
            key = installation_id(beacon)
            if key not in self._young and key not in self._old:
                self._young.add(key)
                found.append(beacon)
        return found
