"""Which beacons are counted: so many of each tenant, and so many rows, in one slot."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from beacons.core.beacon import Beacon
from beacons.core.limits import (
    MOST_CELLS,
    MOST_CELLS_OF_TENANT,
    MOST_ERRORS,
    MOST_ERRORS_OF_BUILD,
    MOST_ERRORS_OF_TENANT,
    Limits,
)
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.counts import Slot
from release.core.names import Environment, Tenant

Cell = tuple[Product, Version, Environment]


class Excess(StrEnum):
    """Of what there was too much in this slot, as metrics name it."""

    TENANT = "tenant"
    TENANT_CELLS = "tenant-cells"
    CELLS = "cells"
    ALL = "all"


class _Taken:
    """Of one tenant in the slot."""

    __slots__ = ("beacons", "cells")

    def __init__(self) -> None:
        self.beacons = 0
        self.cells: set[Cell] = set()


class Admission:
    """Counts what it admitted in the present slot, and forgets it with the slot. It is of one process.

    What became of an installation decides nothing: a flood must not hide failures more than successes.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._begin(Slot(-1))

    def admit(self, beacons: Sequence[Beacon], slot: Slot) -> Excess | None:
        """Admit all of these, or say why none of them is."""
        if slot != self._slot:
            self._begin(slot)
        asked: dict[Tenant, _Taken] = {}
        for beacon in beacons:
            of_tenant = asked.get(beacon.tenant)
            if of_tenant is None:
                of_tenant = asked[beacon.tenant] = _Taken()
            of_tenant.beacons += 1
            of_tenant.cells.add((beacon.product, beacon.version, beacon.environment))
        excess = self._excess(len(beacons), asked)
        if excess is None:
            self._take(len(beacons), asked)
        return excess

    def bounded(self, beacons: Iterable[Beacon]) -> list[Beacon]:
        """The same beacons, without those errors of which enough are kept in this slot."""
        return [beacon if beacon.error is None else self._with_or_without_error(beacon) for beacon in beacons]

    def _begin(self, slot: Slot) -> None:
        self._slot = slot
        self._beacons = 0
        self._cells = 0
        self._tenants: dict[Tenant, _Taken] = {}
        self._errors: Counter[tuple[Product, Version]] = Counter()
        self._errors_of_tenants: Counter[Tenant] = Counter()
        self._all_errors = 0

    def _excess(self, count: int, asked: dict[Tenant, _Taken]) -> Excess | None:
        if self._beacons + count > self._limits.beacons:
            return Excess.ALL
        new_cells = 0
        for tenant, more in asked.items():
            taken = self._tenants.get(tenant)
            beacons, cells = (more.beacons, more.cells) if taken is None else _sum(taken, more)
            if beacons > self._limits.beacons_of_tenant:
                return Excess.TENANT
            if len(cells) > MOST_CELLS_OF_TENANT:
                return Excess.TENANT_CELLS
            new_cells += len(cells) - (0 if taken is None else len(taken.cells))
        return Excess.CELLS if self._cells + new_cells > MOST_CELLS else None

    def _take(self, count: int, asked: dict[Tenant, _Taken]) -> None:
        self._beacons += count
        for tenant, more in asked.items():
            taken = self._tenants.setdefault(tenant, _Taken())
            before = len(taken.cells)
            taken.beacons += more.beacons
            taken.cells |= more.cells
            self._cells += len(taken.cells) - before

    def _with_or_without_error(self, beacon: Beacon) -> Beacon:
        build = beacon.product, beacon.version
        if (
            self._all_errors >= MOST_ERRORS
            or self._errors[build] >= MOST_ERRORS_OF_BUILD
            or self._errors_of_tenants[beacon.tenant] >= MOST_ERRORS_OF_TENANT
        ):
            return msgspec.structs.replace(beacon, error=None)
        self._all_errors += 1
        self._errors[build] += 1
        self._errors_of_tenants[beacon.tenant] += 1
        return beacon


def _sum(taken: _Taken, more: _Taken) -> tuple[int, set[Cell]]:
    return taken.beacons + more.beacons, taken.cells | more.cells
