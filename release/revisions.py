"""Which places of the routing table differ between two of its revisions."""

from contextlib import aclosing

from bundles.core.errors import Failed, NotFound
from release.core.revisions import NetChanges, RevisionDiff
from release.ports import Ledger
from release.trail import opened


async def diff_revisions(ledger: Ledger, before: int, after: int) -> RevisionDiff:
    """What is other at the revision `after` than at `before`, be it the later one or not.

    Raises `Invalid` for a revision that is yet to come, and `Failed` where the trail is not whole in between.
    """
    first, last = sorted((before, after))
    net, revision = NetChanges(), first
    async with ledger.reading() as reading:
        newest = await reading.revision()
        if last > newest:
            raise NotFound(f"there is no revision {last} yet: the control database is at revision {newest}")
        async with aclosing(reading.trail(after=first)) as rows:
            async for row in rows:
                if revision == last or row.revision != revision + 1:
                    break
                net.add(opened(row))
                revision = row.revision
    if revision != last:
        raise Failed(f"revision {revision + 1} of the audit trail is missing: see `headrace audit verify`")
    return RevisionDiff(before, after, net.changes(backwards=before > after), tuple(net.unknown))
