"""A snapshot as rows of a database, for who writes it and for who follows it."""

from collections.abc import Iterable, Iterator, Mapping

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from release.core.snapshot import ShardRef

CHANNEL = "headrace_snapshot"
"""On which PostgreSQL tells of each new root, once it is committed."""
BATCH_BYTES = 16 * 1024**2

Found = tuple[str, int, bytes | None]
"""A digest, how many bytes there are, and these, unless they are more than was asked for."""


def in_batches(refs: Iterable[ShardRef]) -> Iterator[list[ShardRef]]:
    """All of them, each batch with about as many bytes as one answer should have; a large shard goes alone."""
    batch: list[ShardRef] = []
    for ref in {ref.digest: ref for ref in refs}.values():
        if batch and sum(each.size for each in (*batch, ref)) > BATCH_BYTES:
            yield batch
            batch = []
        batch.append(ref)
    if batch:
        yield batch


def whole_bodies(refs: Iterable[ShardRef], found: Iterable[Found]) -> Mapping[Digest, bytes]:
    """The bytes, not yet checked. Raises `Failed` where a shard is missing or has another size."""
    by_digest = {digest: (size, body) for digest, size, body in found}
    bodies = {}
    for ref in refs:
        size, body = by_digest.get(ref.digest, (None, None))
        if size is None:
            raise Failed(f"the shard {ref.digest} is missing in the database")
        if body is None or len(body) != ref.size:
            raise Failed(f"the shard {ref.digest} in the database has {size} bytes, not {ref.size}")
        bodies[ref.digest] = body
    return bodies
