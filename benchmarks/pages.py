"""What a page of a list costs among many: `python -m benchmarks.pages [--json]`.

The processor's time for a page of a hundred in the midst of each list that grows with tenants or time, in a
control plane with few of everything and in one with many, which take turns; the median of the ratios. 1 is flat.
"""

import argparse
import asyncio
import contextlib
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from api.core.access import Caller, Grant
from api.core.operation import Operation, Terms
from api.core.page import seal_cursor
from api.core.role import Role
from api.operations.changes import ListAuditRows, ListChanges, Order
from api.operations.pins import ListPins
from api.operations.resolutions import ListHolders
from api.operations.tenants import ListTenants
from api.perform import Plane, perform
from api.sources import OpenedSources
from benchmarks.many_rows import RARE_CHANNEL, RARE_PRODUCT, SDK, filling
from headrace import wiring
from headrace.access_wiring import access_store

_FEW, _MANY = 1_000, 100_000
_PAGES_A_TURN = 10
_VIEWER = Caller("benchmark", Grant(roles=frozenset({Role.VIEWER})))
_MIDST: Mapping[str, Operation[Any]] = {
    "tenants": ListTenants(cursor=seal_cursor("tenant-500")),
    "pins": ListPins(product=SDK, cursor=seal_cursor("tenant-500~production")),
    "pins with warnings": ListPins(product=SDK, warned=True),
    "changes, the newest": ListChanges(),
    "changes, the oldest": ListChanges(order=Order.OLDEST, cursor=seal_cursor("500")),
    "a product's changes": ListChanges(product=SDK),
    "a rare product's": ListChanges(product=RARE_PRODUCT),
    "a rare channel's": ListChanges(product=SDK, channel=RARE_CHANNEL),
    "rows of the audit trail": ListAuditRows(cursor=seal_cursor("500")),
    "who has a build": ListHolders(
        product=SDK, version="1.0.0", limit=100, cursor=seal_cursor("tenant-500~production")
    ),
}


class Figure(msgspec.Struct, frozen=True):
    """Milliseconds of the processor's for a page among few and among many, and the ratio; medians."""

    what: str
    few_ms: float
    many_ms: float
    ratio: float


async def _fill(folder: Path, count: int) -> Path:
    async with wiring.control(folder) as control:
        with contextlib.closing(sqlite3.connect(folder / "control.db")) as connection:
            connection.executescript(";".join(filling(count)))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log of one large change slows what is read
        await control.sync(thorough=True)
    return folder


async def _milliseconds(folder: Path) -> dict[str, float]:
    """Of a page of each list, in a control plane that was just opened: which thread is where is by chance."""
    found = {}
    async with wiring.control(folder) as control, access_store(folder, None) as access:
        plane = Plane(control, access, OpenedSources(control))
        for what, asked in _MIDST.items():
            await perform(plane, _VIEWER, asked, Terms())
            began = time.process_time()
            for _ in range(_PAGES_A_TURN):
                await perform(plane, _VIEWER, asked, Terms())
            found[what] = (time.process_time() - began) / _PAGES_A_TURN * 1000
    return found


async def _measure(scratch: Path, rounds: int) -> list[Figure]:
    few, many = await _fill(scratch / "few", _FEW), await _fill(scratch / "many", _MANY)
    turns = [(await _milliseconds(few), await _milliseconds(many)) for _ in range(rounds)]
    return [
        Figure(
            what=what,
            few_ms=round(statistics.median(few[what] for few, _ in turns), 2),
            many_ms=round(statistics.median(many[what] for _, many in turns), 2),
            ratio=round(statistics.median(many[what] / few[what] for few, many in turns), 2),
        )
        for what in _MIDST
    ]


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.pages", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is asked; the median counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        figures = asyncio.run(_measure(Path(scratch), options.rounds))
    if options.json:
        print(json.dumps(msgspec.to_builtins(figures), indent=2))
        return
    table = Table("a page of 100 of", f"{_FEW}, ms", f"{_MANY}, ms", "ratio")
    for each in figures:
        table.add_row(each.what, f"{each.few_ms}", f"{each.many_ms}", f"{each.ratio}")
    Console().print(table)


if __name__ == "__main__":
    main()
