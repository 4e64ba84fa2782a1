"""The snapshot: there, believed, of the ledger's revision, and not too old."""

from datetime import timedelta

import anyio

from headrace import wiring
from headrace.doctor.finding import Finding, Role, failed, ok, skipped, warning
from headrace.doctor.setup import Setup
from release.core.snapshot import VALID_SECONDS, Root, open_root
from release.snapshot import read_table

NAME = "snapshot"
_START = "start `headrace controller`, which writes it anew (docs/snapshots.md)"
_GRACE_SECONDS = 1.0


async def check_snapshot(setup: Setup) -> Finding:
    """What origins serve by, read and verified as they do it."""
    root = await read_root(setup)
    if root is None:
        if setup.role is Role.ORIGIN:
            return failed(NAME, "none: an origin has nothing to serve by", "copy it here, or name its --database")
        return skipped(NAME, "none yet: the first change makes it")
    trusted = wiring.keys(setup.data).trusted_keys()
    async with wiring.snapshot_store(setup.data, setup.database) as store:
        await read_table(store, trusted)
    revision = await ledger_revision(setup)
    if revision is not None and revision != root.revision:
        await anyio.sleep(_GRACE_SECONDS)  # a change was perhaps just between its commit and its snapshot
        root, revision = await read_root(setup) or root, await ledger_revision(setup)
    return _judge(root, revision, setup.now)


def _judge(root: Root, revision: int | None, now: int) -> Finding:
    if revision is not None and root.revision < revision:
        return failed(NAME, f"at revision {root.revision}, and the control database at {revision}", _START)
    if revision is not None and root.revision > revision:
        return failed(
            NAME,
            f"at revision {root.revision}, and the control database is older, at {revision}: no change is made",
            "name the right --database, or restore a newer backup (docs/snapshots.md, Fast-forward)",
        )
    age = timedelta(seconds=max(0, now - (root.expires_at - VALID_SECONDS)))
    if root.expires_at <= now:
        return failed(
            NAME, f"signed {age} ago: it has expired, and origins say that they serve by a stale one", _START
        )
    if not root.is_fresh(now):
        return warning(NAME, f"signed {age} ago: no controller has renewed it, and it expires after a day", _START)
    return ok(NAME, f"verifies, at revision {root.revision}, signed {age} ago")


async def read_root(setup: Setup) -> Root | None:
    """The verified root; None before the first. Raises `Failed` for one that is not to be believed."""
    async with wiring.snapshot_store(setup.data, setup.database) as store:
        sealed = await store.read()
    return None if sealed is None else open_root(sealed, wiring.keys(setup.data).trusted_keys())


async def ledger_revision(setup: Setup) -> int | None:
    """The control database's revision; None where it can't be known here, which its own check tells of."""
    async with setup.ledger() as ledger:
        return None if ledger is None else await ledger.revision()
