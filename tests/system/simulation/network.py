"""The way from the controller's snapshots to an origin: late, lossy, out of order, at times in the wrong hands."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from origin.ports import Away
from release.core.snapshot import ShardRef
from tests.system.simulation.turns import Turns

FORGER = Ed25519PrivateKey.from_private_bytes(b"f" * 32)


@dataclass(frozen=True)
class Parcel:
    """What is on its way: a root, and shards."""

    root: bytes
    shards: Mapping[Digest, bytes]


@dataclass
class Mirror:
    """What has arrived where the origin looks. While it is `away`, nothing can be read there."""

    turns: Turns
    root: bytes | None = None
    shards: dict[Digest, bytes] = field(default_factory=dict)
    away: bool = False

    def arrive(self, parcel: Parcel) -> None:
        """It takes the place of what was there, be it newer or older."""
        self.root = parcel.root
        self.shards.update(parcel.shards)

    async def read(self) -> bytes | None:
        """The root that arrived last."""
        await self.turns.gate("reads the feed")
        return None if self.away else self.root

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        """The shards' bytes, as they arrived."""
        found = {}
        for ref in sorted(refs, key=lambda ref: ref.digest):
            await self.turns.gate("reads a mirrored shard")
            if self.away:
                raise Away("the feed can't be asked")
            body = self.shards.get(ref.digest)
            if body is None:
                raise Failed("the shard is not there")
            found[ref.digest] = body
        return found

    async def changes(self) -> AsyncIterator[None]:
        """None: the world says when an origin looks."""
        for _ in ():
            yield


def damaged(body: bytes, chance: Random) -> bytes:
    """Some of it is lost, or one bit is another."""
    place = chance.randrange(len(body))
    if chance.random() < 0.5:
        return body[:place]
    return body[:place] + bytes([body[place] ^ (1 << chance.randrange(8))]) + body[place + 1 :]


def spoiled(parcel: Parcel, chance: Random) -> Parcel:
    """A parcel whose root or shards did not come through well."""
    shards = dict(parcel.shards)
    for digest in sorted(shards):
        fate = chance.random()
        if fate < 0.3:
            shards[digest] = damaged(shards[digest], chance)
        elif fate < 0.5:
            del shards[digest]
    return Parcel(damaged(parcel.root, chance) if chance.random() < 0.5 else parcel.root, shards)
