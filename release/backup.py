"""Backup and restore: the ledger's whole content, whatever database it is in."""

from contextlib import aclosing

import msgspec

from bundles.core.errors import Failed, Refused
from release.core.audit import Fault
from release.ports import Backup, Ledger
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


async def restore(ledger: Ledger, backup: Backup, *, overwrite: bool, accept_faults: bool) -> Content:
    """Put a backup's content into the ledger, all of it or nothing.

    Raises `Refused` for a ledger that is not empty unless `overwrite`, `Failed` for a backup that is damaged, or
    whose audit trail is unless `accept_faults`.
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
        return Content(await transaction.revision(), loaded, faults)
