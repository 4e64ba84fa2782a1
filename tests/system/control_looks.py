"""What the crash harness looks at, after a change of the control plane was broken off."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from bundles.core.errors import Failed, HeadraceError
from headrace import origin_wiring, wiring
from origin.routing import Routing
from release.change import Control
from release.core.audit import Row, TrailCheck
from release.core.shards import split
from release.core.snapshot import encode_shard, open_root
from tests.system.control_changes import NOW, Change, FixedClock, House

_VARYING = re.compile(r'"(?:at|started_at)":\d+|"seconds":[\d.e-]+|"(?:previous|hash|audit_head)":"[0-9a-f]{64}"')
"""When a smoke test ran and how long, and the hashes of what says so; those are verified by themselves."""


class Content(msgspec.Struct, frozen=True):
    """All that a control database holds, but for who runs a smoke test now; and the part that is its trail."""

    revision: int
    rows: list[str]
    trail: list[str]


class Known(msgspec.Struct, frozen=True):
    """What there is before the change, by which revision origins serve then, and what the change makes of it."""

    before: Content
    after: Content
    served: int

    def allows(self, seen: Content) -> bool:
        """True for the one or the other; of a use case with several changes, also for the first ones of them."""
        if seen in (self.before, self.after):
            return True
        made = len(seen.trail)
        return len(self.before.trail) < made < len(self.after.trail) and seen.trail == self.after.trail[:made]


async def inspect(control: Control) -> tuple[Content, list[str]]:
    """What the database holds, and what is wrong with its trail."""
    rows, trail, check = [], [], TrailCheck({})
    async with control.ledger.reading() as reading:
        revision, head = await reading.revision(), await reading.audit_head()
        async for name, row in reading.records():
            text = f"{name} {msgspec.json.encode(row).decode()}".replace('\\"', '"')
            text = _VARYING.sub("", text)
            if row.get("kind") != "smoke_claim":
                rows.append(text)
            if name == "audit_entries":
                trail.append(text)
                check.add(Row(**row))
    check.finish(revision, head)
    return Content(revision, rows, trail), [f"{fault.revision} {fault.what}" for fault in check.faults]


async def is_served(control: Control) -> bool:
    """Whether the snapshot says what the ledger has."""
    sealed, table = await control.snapshots.read(), await control.ledger.table()
    if sealed is None:
        return False
    root = open_root(sealed, control.trusted)
    shards = {name: encode_shard(name, shard)[0] for name, shard in split(table).items()}
    return (root.revision, root.audit_head, root.shards) == (table.revision, table.audit_head, shards)


@asynccontextmanager
async def following(house: House) -> AsyncIterator[Routing | None]:
    """An origin that has just started, and has read what there is; None where it has no key to trust yet."""
    if not any(wiring.keys(house.data).trusted_keys()):
        yield None
        return
    async with origin_wiring.snapshot_feed(house.data, house.database) as (feed, shards):
        kept, trusted = origin_wiring.kept_snapshot(house.data), wiring.trusted_keys(house.data)
        routing = Routing(feed, shards, kept, trusted, FixedClock(NOW), lambda: None)
        await routing.start()
        yield routing


async def served_revision(house: House, origin: Routing | None) -> int:
    """The snapshot's revision, which a fresh reader and the origin must agree on; -1 before the first."""
    table = await wiring.routing_table(house.data, house.database, wiring.keys(house.data).trusted_keys())
    if table is not None and origin is not None and origin.table != table:
        raise Failed(f"the origin did not take the snapshot of revision {table.revision}")
    return -1 if table is None else table.revision


async def look(house: House, change: Change, known: Known, *, acknowledged: bool, restarts: bool) -> list[str]:
    """What is wrong: as an origin sees it, after the next start, and once the change was sent again.

    Where the controller `restarts`, that is before the change is sent again; else nobody mends anything before.
    """
    faults: list[str] = []

    def must(holds: bool, what: str) -> None:
        if not holds:
            faults.append(what)

    try:
        async with following(house) as origin:
            # PostgreSQL has no place for snapshots before it is migrated.
            seen = -1 if change.is_first else await served_revision(house, origin)
            expected = known.after.revision if acknowledged and not change.is_first else known.served
            must(seen >= expected, "the snapshot was behind")
            async with house.control() as control:
                if restarts:
                    await control.sync(thorough=True)
                    must(await is_served(control), "the next start did not write the snapshot")
                started, wrong = await inspect(control)
            faults += wrong
            must(known.allows(started), f"half of the change was there, at revision {started.revision}")
            must(started.revision >= seen, "the revision went back")
            must(not acknowledged or started == known.after, "what was acknowledged was lost")
            await change.act(house)
            async with house.control() as control:
                must(await is_served(control), "the change that was sent again is not served")
                ended, wrong = await inspect(control)
            faults += wrong
            must(ended == known.after, "the change was not made, or not once, when it was sent again")
            if origin is not None and not change.is_first:
                await origin.refresh()
                must(await served_revision(house, origin) == known.after.revision, "the origin did not follow")
        async with following(house) as another:
            must(await served_revision(house, another) == known.after.revision, "an origin's start failed")
    except HeadraceError as error:
        faults.append(str(error))
    return faults
