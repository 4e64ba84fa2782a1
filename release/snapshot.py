"""Bring the snapshot that origins read up to what the ledger says."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.envelope import add_signature, seal, signers, unseal
from bundles.core.errors import Failed
from bundles.core.trust import TrustedKeys, check_signer, key_id_of
from release.core.routing import RoutingTable
from release.core.snapshot import PAYLOAD_TYPE, decode_table, encode_table
from release.ports import Ledger, SnapshotStore


async def sync_snapshot(
    ledger: Ledger, snapshots: SnapshotStore, key: Ed25519PrivateKey, trusted: TrustedKeys
) -> RoutingTable:
    """Sign and write the ledger's routing table, unless the snapshot has its revision already.

    It is read inside the lock, so that writers that finish out of order never put an older revision over a newer.
    A snapshot that is ahead of the ledger (an old backup was restored) is left alone and raises `Failed`:
    origins would refuse to go back. Raises `Refused` for a key that may not sign the routing table.
    """
    check_signer(key, trusted, None)
    async with snapshots.exclusive():
        table = await ledger.table()
        written = await _written(snapshots, trusted)
        if written is not None and written.revision > table.revision:
            raise Failed(
                f"the snapshot is at revision {written.revision}, the control database only at {table.revision}:"
                " it was restored from an older backup; restore a newer one"
            )
        if written is not None and written.revision == table.revision and _differ(written, table):
            raise Failed(
                f"the snapshot and the control database are both at revision {table.revision}, but have come there"
                " by different changes: the database was restored from an older backup, or altered; see"
                " `headrace audit verify`"
            )
        if written is None or written.revision != table.revision:
            payload = encode_table(table)
            decode_table(payload)
            await snapshots.replace(seal(PAYLOAD_TYPE, payload, key))
        return table


async def read_table(snapshots: SnapshotStore, trusted: TrustedKeys) -> RoutingTable | None:
    """The routing table that origins serve by, or None before the first. Raises `Failed` for a damaged one."""
    sealed = await snapshots.read()
    return None if sealed is None else decode_table(unseal(PAYLOAD_TYPE, sealed, trusted, "the snapshot"))


async def resign_snapshot(snapshots: SnapshotStore, key: Ed25519PrivateKey, trusted: TrustedKeys) -> bool:
    """Sign the present snapshot with this key too. False where it is signed by it, or there is none to believe."""
    check_signer(key, trusted, None)
    async with snapshots.exclusive():
        sealed = await snapshots.read()
        believed = frozenset[str]() if sealed is None else signers(PAYLOAD_TYPE, sealed, trusted)
        if sealed is None or not believed or key_id_of(key.public_key()) in believed:
            return False
        await snapshots.replace(add_signature(PAYLOAD_TYPE, sealed, key, believed))
        return True


def _differ(written: RoutingTable, table: RoutingTable) -> bool:
    """Whether the audit trails behind them do; a snapshot by a Headrace without one says nothing of it."""
    return written.audit_head not in {"", table.audit_head}


async def _written(snapshots: SnapshotStore, trusted: TrustedKeys) -> RoutingTable | None:
    """The table in force, or None where the snapshot is missing or damaged and must be written anew."""
    try:
        return await read_table(snapshots, trusted)
    except Failed:
        return None
