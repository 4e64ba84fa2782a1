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
        written = await _written_revision(snapshots, trusted)
        if written is not None and written > table.revision:
            raise Failed(
                f"the snapshot is at revision {written}, the control database only at {table.revision}: it was"
                " restored from an older backup; restore a newer one"
            )
        if written != table.revision:
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


async def _written_revision(snapshots: SnapshotStore, trusted: TrustedKeys) -> int | None:
    """The revision in force, or None where the snapshot is missing or damaged and must be written anew."""
    try:
        table = await read_table(snapshots, trusted)
    except Failed:
        return None
    return None if table is None else table.revision
