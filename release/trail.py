"""The audit trail: whether it is whole, and what it says."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec

from bundles.core.errors import Conflict, Failed
from bundles.core.names import Product
from bundles.core.trust import TrustedKeys
from release.core.audit import GENESIS, Entry, Fault, Row, TrailCheck, open_row
from release.core.names import Channel
from release.core.snapshot import open_root
from release.ports import Ledger, Reading, SnapshotStore

MOST_AT_ONCE = 500
"""So many changes are read on at once: no slow reader of theirs holds a transaction open."""


class Verdict(msgspec.Struct, frozen=True):
    """What a look at the trail has found, of a ledger at a revision.

    `vouched_for` is the revision up to which the signed snapshot vouches for the trail; None where there is no
    snapshot to believe, or one by a Headrace that kept no chain.
    """

    revision: int
    vouched_for: int | None
    faults: tuple[Fault, ...]


async def verify_trail(ledger: Ledger, snapshots: SnapshotStore, trusted: TrustedKeys) -> Verdict:
    """Whether each row is as it was written, and none is missing. Raises `Failed` for a damaged snapshot."""
    sealed = await snapshots.read()
    root = None if sealed is None else open_root(sealed, trusted)
    anchors = {root.revision: root.audit_head} if root is not None and root.audit_head else {}
    async with ledger.reading() as reading:
        faults = await check_trail(reading, anchors)
        revision = await reading.revision()
    return Verdict(revision, max(anchors, default=None), faults)


async def check_trail(reading: Reading, anchors: dict[int, str]) -> tuple[Fault, ...]:
    """The faults of the trail, of which `anchors` has hashes by revision that are vouched for."""
    check = TrailCheck(anchors)
    async with aclosing(reading.trail()) as rows, aclosing(reading.changed_channels()) as channels:
        found_by = _FoundBy(channels)
        async for row in rows:
            check.add(row)
            check.look_up(row, await found_by.channels_of(row))
    check.finish(await reading.revision(), await reading.audit_head())
    return tuple(check.faults)


class Sought(msgspec.Struct, frozen=True):
    """Which changes are sought: a product's or those of a channel of it, after a revision and before another."""

    product: Product | None = None
    channel: Channel | None = None
    after: int = 0
    before: int | None = None


async def read_rows(ledger: Ledger, sought: Sought, limit: int, *, newest_first: bool) -> list[Row]:
    """So many rows of the changes that are sought, from the newest on or from the oldest.

    Raises `Conflict` where the control database is not at the revision after which they are sought.
    """
    async with ledger.reading() as reading:
        _refuse_ahead(await reading.revision(), sought.after)
        found = reading.trail(
            sought.product,
            sought.channel,
            after=sought.after,
            before=sought.before,
            newest_first=newest_first,
            limit=limit,
        )
        async with aclosing(found) as rows:
            return [row async for row in rows]


async def read_history(ledger: Ledger, product: Product, channel: Channel | None, limit: int) -> list[Entry]:
    """The newest changes of a product, or of one channel of it; the oldest of them first."""
    rows = await read_rows(ledger, Sought(product, channel), limit, newest_first=True)
    return [opened(row) for row in reversed(rows)]


class _FoundBy:
    """By which channels rows are found, for who reads the trail beside it from the first row on."""

    def __init__(self, channels: AsyncIterator[tuple[int, Product, Channel]]) -> None:
        self._channels = channels
        self._next: tuple[int, Product, Channel] | None = (0, Product(""), Channel(""))

    async def channels_of(self, row: Row) -> frozenset[str]:
        """The channels of its product that this row is found by."""
        found = set[str]()
        while self._next is not None and self._next[0] <= row.revision:
            revision, product, channel = self._next
            if revision == row.revision:
                found.add(channel if product == row.product else f"{product}/{channel}")
            self._next = await anext(self._channels, None)
        return frozenset(found)


class TrailReader:
    """Reads the trail on after a revision, each change once, however often reading fails in between.

    It must go on from what was read last: a database that was restored has other changes at the same revisions.
    """

    def __init__(self, ledger: Ledger, after: int) -> None:
        self._ledger = ledger
        self._revision = after
        self._head = None if after else GENESIS

    async def read_on(self) -> list[tuple[Row, Entry]]:
        """The next changes, the oldest first; none where nothing is new.

        Raises `Conflict` where the trail does not go on from what was read last, and `Failed` for a damaged row.
        """
        async with self._ledger.reading() as reading:
            newest, head = await reading.revision(), await reading.audit_head()
            _refuse_ahead(newest, self._revision)
            rows = await _first_rows(reading, self._revision) if newest > self._revision else []
        found = [(row, opened(row)) for row in rows]
        follows_on = found[0][1].previous if found else head
        if self._head not in (None, follows_on):
            raise Conflict(
                f"the control database has other changes up to revision {self._revision} than were read: it was"
                " restored from a backup. Begin anew"
            )
        self._revision, self._head = (rows[-1].revision, rows[-1].hash) if rows else (newest, head)
        return found


def opened(row: Row) -> Entry:
    """The entry of a row. Raises `Failed` for a damaged one."""
    try:
        return open_row(row)
    except msgspec.MsgspecError:
        raise Failed(
            f"revision {row.revision} of the audit trail is damaged: see `headrace audit verify`"
        ) from None


async def _first_rows(reading: Reading, after: int) -> list[Row]:
    async with aclosing(reading.trail(after=after, limit=MOST_AT_ONCE)) as rows:
        return [row async for row in rows]


def _refuse_ahead(newest: int, revision: int) -> None:
    if newest < revision:
        raise Conflict(
            f"the control database is at revision {newest}, before {revision}: it was restored from a"
            " backup, or it is another one"
        )
