"""Snapshots as the controller writes them, and as it would not."""

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.adapters.files import write_atomically
from bundles.core.digest import Digest
from bundles.core.envelope import seal
from release.core.routing import RoutingTable
from release.core.shards import split
from release.core.snapshot import PAYLOAD_TYPE, Root, encode_root, encode_shard

LATER = 4_000_000_000


def in_shards(table: RoutingTable, issue: int = 1, expires_at: int = LATER) -> tuple[Root, Mapping[Digest, bytes]]:
    """The table's root and the bytes of its shards."""
    refs, bodies = {}, {}
    for name, shard in split(table).items():
        refs[name], body = encode_shard(name, shard)
        bodies[refs[name].digest] = body
    return Root(table.revision, issue, expires_at, table.audit_head, refs), bodies


def seal_root(root: Root, key: Ed25519PrivateKey) -> bytes:
    """The root, signed."""
    return seal(PAYLOAD_TYPE, encode_root(root), key)


def put_snapshot(folder: Path, sealed: bytes, bodies: Mapping[Digest, bytes]) -> None:
    """Put it where origins look, as the controller does."""
    for digest, body in bodies.items():
        write_atomically(folder / "shards" / f"{digest}.json", body)
    write_atomically(folder / "routing.json", sealed)
