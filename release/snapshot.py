"""Bring the snapshot that origins read up to what the ledger says."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.digest import Digest
from bundles.core.envelope import add_signature, claimed_signers, seal, signers
from bundles.core.errors import Failed, Refused
from bundles.core.trust import TrustedKeys, check_signer, key_id_of
from release.core.routing import RoutingTable
from release.core.shards import EMPTY_SHARD, Shard, ShardName, patch, split
from release.core.snapshot import (
    PAYLOAD_TYPE,
    VALID_SECONDS,
    Root,
    decode_root,
    encode_root,
    encode_shard,
    load,
    load_shard,
    open_root,
)
from release.ports import Ledger, Reading, SnapshotStore, Transaction, Unanswered

Position = tuple[int, str]
"""A revision, and the hash of its audit row."""


async def sync_snapshot(
    ledger: Ledger,
    snapshots: SnapshotStore,
    key: Ed25519PrivateKey,
    trusted: TrustedKeys,
    now: int,
    *,
    thorough: bool = False,
) -> Root:
    """Sign and write what the ledger says, unless the snapshot says so already and is fresh. Returns its root.

    Only the shards that changed are read from the ledger and written. Where it is to be `thorough`, all is
    compared with the ledger, and each shard that is damaged is mended.

    It is done inside the lock, so that writers that finish out of order never put an older revision over a newer.
    A snapshot that is ahead of the ledger is left alone and raises `Failed`: origins would refuse to go back.
    Raises `Refused` for a key that may not sign the routing table.
    """
    check_signer(key, trusted, None)
    if not thorough:
        written = await _written(snapshots, trusted)
        async with ledger.reading() as reading:
            if written is not None and await _is_in_force(written, reading, now):
                return written
    async with snapshots.exclusive():
        before = await _written(snapshots, trusted)
        async with ledger.reading() as reading:
            _refuse_to_go_back(before, await reading.revision(), await reading.audit_head())
            if before is not None and not thorough and await _is_in_force(before, reading, now):
                return before
            root, bodies = await _draft(reading, snapshots, before, now, thorough=thorough)
            lacking = set(await snapshots.lacks(root.shards.values(), thorough=thorough))
            if not lacking <= bodies.keys():
                root, bodies = await _draft(reading, snapshots, before, now, thorough=True)
        if before is not None and not lacking and before.says_the_same(root) and before.is_fresh(now):
            return before
        dropped = frozenset[Digest]() if before is None else before.digests - root.digests
        new = {digest: bodies[digest] for digest in lacking}
        await snapshots.replace(seal(PAYLOAD_TYPE, encode_root(root), key), new, dropped)
        await snapshots.sweep(root.digests)
        return root


async def check_change(
    transaction: Transaction, snapshots: SnapshotStore, trusted: TrustedKeys, begun: Position, now: int
) -> None:
    """See that origins can load the routing table as the transaction, begun at this position, leaves it.

    Raises `Refused` where they could not, and `Failed` where the ledger is older than the snapshot.
    """
    before = await _written(snapshots, trusted)
    _refuse_to_go_back(before, *begun)
    try:
        await _draft(transaction, snapshots, before, now)
    except Failed as error:
        raise Refused(
            f"origins could not load the routing table after this change, so it is not made: {error}"
        ) from None


async def read_table(snapshots: SnapshotStore, trusted: TrustedKeys) -> RoutingTable | None:
    """The routing table that origins serve by, or None before the first. Raises `Failed` for a damaged one."""
    sealed = await snapshots.read()
    if sealed is None:
        return None
    root = open_root(sealed, trusted)
    return load(root, await snapshots.read_shards(root.shards.values()), None).table


async def refuse_strangers(snapshots: SnapshotStore, trusted: TrustedKeys) -> None:
    """Raise `Failed` where the snapshot was signed by others, of whose keys this machine knows none.

    It would take such a snapshot for a damaged one, and write another that no origin believes.
    """
    sealed = await snapshots.read()
    claimed = frozenset[str]() if sealed is None else claimed_signers(sealed)
    if claimed and all(trusted.find(key_id, None) is None for key_id in claimed):
        raise Failed(
            f"the snapshot is signed by none of the keys that are known here, but by {', '.join(sorted(claimed))}:"
            " copy keys/ from where it was signed; docs/snapshots.md says what to do where that key was stolen or"
            " lost"
        )


async def refuse_to_begin_anew(ledger: Ledger, left: SnapshotStore, trusted: TrustedKeys) -> None:
    """Raise `Failed` where the snapshot that another ledger has `left` is of changes that this one does not have.

    Origins that have it would refuse the new one's snapshots, until its revision is beyond, and then take them.
    """
    before = await _written(left, trusted)
    async with ledger.reading() as reading:
        _refuse_to_go_back(before, await reading.revision(), await reading.audit_head())


async def resign_snapshot(snapshots: SnapshotStore, key: Ed25519PrivateKey, trusted: TrustedKeys) -> bool:
    """Sign the present snapshot with this key too. False where it is signed by it, or there is none to believe."""
    check_signer(key, trusted, None)
    async with snapshots.exclusive():
        sealed = await snapshots.read()
        believed = frozenset[str]() if sealed is None else signers(PAYLOAD_TYPE, sealed, trusted)
        if sealed is None or not believed or key_id_of(key.public_key()) in believed:
            return False
        await snapshots.replace(add_signature(PAYLOAD_TYPE, sealed, key, believed), {}, ())
        return True


async def _draft(
    reading: Reading, snapshots: SnapshotStore, before: Root | None, now: int, *, thorough: bool = False
) -> tuple[Root, Mapping[Digest, bytes]]:
    """What the ledger's table is as a snapshot, with the bytes of the shards that were made for it.

    Unless it is to be `thorough`, those that did not change are taken from the snapshot before. What it gives went
    through the loader of origins, which raises `Failed`.
    """
    changed = None if before is None or thorough else await _changed(reading, snapshots, before)
    if before is None or changed is None:
        refs, changed = {}, split(await reading.table())
    else:
        refs = {name: ref for name, ref in before.shards.items() if name not in changed}
    bodies = {}
    for name, shard in changed.items():
        if shard != EMPTY_SHARD:
            ref, body = encode_shard(name, shard)
            load_shard(name, ref, body)
            refs[name], bodies[ref.digest] = ref, body
    revision = await reading.revision()
    issue = now if before is None or before.revision != revision else max(now, before.issue + 1)
    root = Root(revision, issue, now + VALID_SECONDS, await reading.audit_head(), refs)
    return decode_root(encode_root(root)), bodies


async def _changed(reading: Reading, snapshots: SnapshotStore, before: Root) -> Mapping[ShardName, Shard] | None:
    """The shards that changed since a snapshot; None where that can't be told from it and the ledger."""
    parts = await reading.changed_since(before.revision, before.audit_head)
    if parts is None:
        return None
    refs = {name: before.shards[name] for name in {key.shard for key in parts} & before.shards.keys()}
    try:
        bodies = await snapshots.read_shards(refs.values())
        return patch({name: load_shard(name, ref, bodies[ref.digest]) for name, ref in refs.items()}, parts)
    except Failed:
        return None


async def _written(snapshots: SnapshotStore, trusted: TrustedKeys) -> Root | None:
    """The root in force, or None where it is missing, damaged or not to be believed and must be written anew.

    Raises `Unanswered` where that can't be known now.
    """
    try:
        sealed = await snapshots.read()
        return None if sealed is None else open_root(sealed, trusted)
    except Unanswered:
        raise
    except Failed:
        return None


async def _is_in_force(written: Root, reading: Reading, now: int) -> bool:
    position = (await reading.revision(), await reading.audit_head())
    return written.is_fresh(now) and (written.revision, written.audit_head) == position


def _refuse_to_go_back(before: Root | None, revision: int, audit_head: str) -> None:
    """Raise `Failed` where the snapshot is of changes that the ledger does not have."""
    if before is not None and before.revision == revision and before.audit_head != audit_head:
        raise Failed(
            f"the snapshot and the control database are both at revision {revision}, but have come there by"
            " different changes: the database was restored from an older backup, or altered; see"
            " `headrace audit verify`"
        )
    if before is not None and before.revision > revision:
        raise Failed(
            f"the snapshot is at revision {before.revision}, the control database only at {revision}: it was"
            " restored from an older backup, or somebody else signs snapshots. Restore a newer one;"
            " docs/snapshots.md says what to do where there is none"
        )
