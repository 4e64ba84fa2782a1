"""Backup and restore: the ledger's whole content, whatever database it is in."""

from collections.abc import Callable, Collection
from contextlib import aclosing
from typing import Any

import msgspec

from bundles.core.errors import Failed, Refused
from release.core.audit import Change, Fault
from release.ports import Backup, Kind, Ledger, Reading, Transaction
from release.trail import check_trail


class Content(msgspec.Struct, frozen=True):
    """What a backup holds: how many records, at which revision, and what is wrong with their audit trail."""

    revision: int
    records: int
    faults: tuple[Fault, ...]


async def back_up(ledger: Ledger, backup: Backup) -> Content:
    """Write the ledger's content, as it is at one moment, while others go on.

    A damaged audit trail is told and backed up as it is.
    """
    async with ledger.reading() as reading:
        faults = await check_trail(reading, {})
        async with aclosing(reading.records()) as records:
            written = await backup.write(records)
        return Content(await reading.revision(), written, faults)


class Right(msgspec.Struct, frozen=True):
    """A kind of document that gives a right.

    `least` is which of two documents of one name gives less, that of the backup or that of now; None where neither
    does.
    """

    kind: Kind[Any]
    least: Callable[[Any, Any], Any | None]


class Restored(msgspec.Struct, frozen=True):
    """What was restored, and which rights of the backup were withheld, as in `token/0123456789abcdef`.

    `is_compared` is false where the ledger that was replaced did not go on from the backup, as an empty one: what
    was taken away since is not known then.
    """

    content: Content
    withheld: tuple[str, ...]
    is_compared: bool


async def restore(
    ledger: Ledger,
    backup: Backup,
    rights: Collection[Right],
    change: Change,
    *,
    overwrite: bool,
    accept_faults: bool,
) -> Restored:
    """Put a backup's content into the ledger, all of it or nothing.

    But no right comes back that was taken away in the ledger since, and none gives more than it did then or does
    now: what is withheld is recorded as this change. Raises `Refused` for a ledger that is not empty unless
    `overwrite`, `Failed` for a backup that is damaged, or whose audit trail is unless `accept_faults`.
    """
    async with ledger.transaction() as transaction:
        revision = await transaction.revision()
        if revision and not overwrite:
            raise Refused(
                f"the control database is not empty, it is at revision {revision}: name another one, or replace"
                " all that is in it with --overwrite"
            )
        async with aclosing(backup.read()) as records:
            loaded = await transaction.load(records)
        faults = await check_trail(transaction, {})
        if faults and not accept_faults:
            raise Failed(
                f"the backup's audit trail is damaged: revision {faults[0].revision} {faults[0].what}. Nothing was"
                " restored; --accept-faults takes it as it is"
            )
        withheld: list[str] = []
        async with ledger.reading() as present:  # as it is for all others still
            is_compared = await _goes_on_from(present, transaction)
            for right in rights if is_compared else ():
                withheld += await _withhold(transaction, present, right)
        if withheld:
            await transaction.record(change)
        content = Content(await transaction.revision(), loaded, faults)
        return Restored(content, tuple(sorted(withheld)), is_compared)


async def _goes_on_from(present: Reading, restored: Reading) -> bool:
    revision, head = await restored.revision(), await restored.audit_head()
    async with aclosing(present.trail(after=revision - 1, limit=1)) as rows:
        async for row in rows:
            return (row.revision, row.hash) == (revision, head)
    return False


async def _withhold(transaction: Transaction, present: Reading, right: Right) -> list[str]:
    """Leave of the right's documents what gives no more than at present; which gave more."""
    kind, withheld = right.kind, []
    now = await present.documents(kind)
    for name, before in (await transaction.documents(kind)).items():
        left = right.least(before, now[name]) if name in now else None
        if left != before:
            await transaction.save_document(kind, name, left)
            withheld.append(f"{kind.name}/{name}")
    return withheld
