"""The origin's own copy of the snapshot in force, for its next start."""

from bundles.core.digest import digest_of
from bundles.core.errors import Failed
from bundles.core.trust import TrustedKeys
from origin.ports import KeptSnapshot, Shards
from release.core.snapshot import Root, open_root


async def keep_snapshot(
    kept: KeptSnapshot, shards: Shards, trusted: TrustedKeys, sealed: bytes, root: Root, *, mend: bool
) -> None:
    """Copy the shards that are not kept yet and then the root, unless another worker keeps a newer one.

    `mend` looks for shards whose bytes are wrong, too. Raises `Failed`: what was kept before is whole then.
    """
    async with kept.exclusive():
        before = await _kept_root(kept, trusted)
        if before is not None and before.order > root.order:
            return
        lacking = await kept.lacks(root.shards.values(), thorough=mend)
        bodies = await shards.read_shards(ref for ref in root.shards.values() if ref.digest in lacking)
        for digest, body in bodies.items():
            if digest_of(body) != digest:
                raise Failed(f"the shard {digest} is damaged")
        dropped = frozenset() if before is None else before.digests - root.digests
        await kept.replace(sealed, bodies, dropped)
        await kept.sweep(root.digests)


async def _kept_root(kept: KeptSnapshot, trusted: TrustedKeys) -> Root | None:
    """The root that is kept, or None where it is missing, damaged or not to be believed."""
    try:
        sealed = await kept.read()
        return None if sealed is None else open_root(sealed, trusted)
    except Failed:
        return None
