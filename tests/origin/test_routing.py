"""The snapshot in force, whatever its feed does: each attack of docs/snapshots.md, one by one."""

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bundles.core.digest import Digest
from bundles.core.envelope import add_signature
from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.trust import KeyRing, TrustedKey, TrustedKeys
from bundles.core.version import Range, Version
from origin.ports import Away
from origin.routing import Routing
from release.adapters.disk_snapshots import DiskSnapshots
from release.core.names import STABLE
from release.core.routing import ChannelState, Pin, ProductRoutes, RoutingTable
from release.core.shards import Counts
from release.core.snapshot import PAYLOAD_TYPE, Root, ShardRef
from tests.support.snapshots import LATER, in_shards, put_snapshot, seal_root

pytestmark = pytest.mark.anyio

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NEW_KEY = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
TRUSTED = KeyRing(TrustedKey(KEY.public_key()))
SDK = Product("sdk")
NOW = 1_000_000


def table(revision: int, pins: Mapping[str, Pin] | None = None) -> RoutingTable:
    """A table whose stable build is of that revision."""
    routes = ProductRoutes({STABLE: ChannelState((Version(f"1.0.{revision}"),))}, pins or {})
    return RoutingTable(revision, {SDK: routes})


class Shards:
    """Every shard of the tables that were made here."""

    def __init__(self) -> None:
        self.bodies: dict[Digest, bytes] = {}
        self.asked: list[Digest] = []

    def sealed(
        self, of: RoutingTable | int, issue: int = 1, expires_at: int = LATER, key: Ed25519PrivateKey = KEY
    ) -> bytes:
        root, bodies = in_shards(of if isinstance(of, RoutingTable) else table(of), issue, expires_at)
        self.bodies.update(bodies)
        return seal_root(root, key)

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        found = {}
        for ref in refs:
            self.asked.append(ref.digest)
            if ref.digest not in self.bodies:
                raise Failed("no such shard")
            found[ref.digest] = self.bodies[ref.digest]
        return found


SHARDS = Shards()
sealed = SHARDS.sealed


class Feed:
    """A feed that gives what it was made with, in turn; an exception is raised."""

    def __init__(self, *snapshots: bytes | Exception | None) -> None:
        self._snapshots = list(snapshots)

    async def read(self) -> bytes | None:
        snapshot = self._snapshots.pop(0)
        if isinstance(snapshot, Exception):
            raise snapshot
        return snapshot

    async def changes(self) -> AsyncIterator[None]:
        while self._snapshots:
            yield


class Kept(Shards):
    """The origin's own copy, in memory."""

    def __init__(self, kept: bytes | None = None, fault: Failed | None = None) -> None:
        super().__init__()
        self.kept = kept
        self._fault = fault
        if kept is not None:
            self.bodies.update(SHARDS.bodies)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        yield

    async def read(self) -> bytes | None:
        return self.kept

    async def lacks(self, refs: Iterable[ShardRef], *, thorough: bool) -> Collection[Digest]:
        del thorough
        return {ref.digest for ref in refs} - self.bodies.keys()

    async def replace(self, sealed: bytes, new: Mapping[Digest, bytes], dropped: Collection[Digest]) -> None:
        del dropped
        if self._fault:
            raise self._fault
        self.bodies.update(new)
        self.kept = sealed

    async def sweep(self, named: Collection[Digest]) -> None:
        self.bodies = {digest: body for digest, body in self.bodies.items() if digest in named}


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: int = NOW) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


class Keys:
    """Trusted keys that come and go."""

    def __init__(self, *keys: Ed25519PrivateKey) -> None:
        self.ring = KeyRing(*(TrustedKey(key.public_key()) for key in keys))

    def find(self, key_id: str, product: Product | None) -> Ed25519PublicKey | None:
        return self.ring.find(key_id, product)

    def __iter__(self) -> Iterator[TrustedKey]:
        return iter(self.ring)


def routing_of(
    kept: Any, *snapshots: bytes | Exception | None, trusted: TrustedKeys = TRUSTED, clock: Clock | None = None
) -> Routing:
    return Routing(Feed(*snapshots), SHARDS, kept, trusted, clock or Clock(), adopted=lambda: None)


def revision_of(routing: Routing) -> int | None:
    return None if routing.table is None else routing.table.revision


async def revision_after(kept: Kept, *snapshots: bytes | Exception | None) -> int | None:
    routing = routing_of(kept, *snapshots)
    await routing.start()
    await routing.follow()
    return revision_of(routing)


async def test_the_newest_snapshot_is_in_force_and_kept() -> None:
    kept = Kept()
    assert await revision_after(kept, sealed(3), sealed(4)) == 4
    assert kept.kept == sealed(4)
    assert await revision_after(kept, None) == 4


async def test_a_feed_that_fails_changes_nothing_and_is_followed_on() -> None:
    for fault in (RuntimeError("broken"), MemoryError(), None, b"", b"\x00" * 99, sealed(3)[:-9]):
        kept = Kept()
        assert await revision_after(kept, sealed(3), fault) == 3
        assert await revision_after(kept, sealed(3), fault, sealed(5)) == 5


async def test_rollback_an_older_revision_is_never_taken_not_even_at_start() -> None:
    assert await revision_after(Kept(sealed(7)), sealed(6), sealed(5)) == 7
    assert await revision_after(Kept(sealed(7)), None) == 7
    assert await revision_after(Kept(sealed(7)), sealed(8)) == 8


async def test_rollback_an_older_issue_of_the_revision_in_force_is_not_taken() -> None:
    kept = Kept()
    newer, older = sealed(7, issue=20, expires_at=LATER), sealed(7, issue=19, expires_at=LATER + 9)
    with capture_logs() as logs:
        assert await revision_after(kept, newer, older) == 7
    assert kept.kept == newer
    assert [line["why"] for line in logs if line["event"] == "snapshot refused"] == [
        "its issue 19 is older than the one in force, or another of the same"
    ]
    assert await revision_after(kept, older, sealed(8, issue=1)) == 8


async def test_mix_and_match_a_shard_of_another_snapshot_is_not_taken() -> None:
    """The root names each shard by its digest: an older or newer one in its place does not fit."""
    first, second = sealed(3), sealed(4)
    (old,), (new,) = (in_shards(table(revision))[1] for revision in (3, 4))
    good = SHARDS.bodies[new]
    try:
        SHARDS.bodies[new] = SHARDS.bodies[old]
        kept = Kept()
        assert await revision_after(kept, first, second) == 3
        assert kept.kept == first
    finally:
        SHARDS.bodies[new] = good
    assert await revision_after(kept, second) == 4


async def test_a_missing_shard_leaves_the_snapshot_in_force_and_is_looked_for_again() -> None:
    (digest,) = in_shards(table(4))[1]
    first, second = sealed(3), sealed(4)
    del SHARDS.bodies[digest]
    routing = routing_of(Kept(), first, second, second)
    await routing.start()
    await routing.refresh()
    assert revision_of(routing) == 3
    sealed(4)
    await routing.refresh()
    assert revision_of(routing) == 4


async def test_freeze_without_news_the_origin_goes_on_serving_and_says_so() -> None:
    clock = Clock()
    routing = routing_of(
        Kept(), *[sealed(3, issue=1, expires_at=NOW + 60)] * 3, sealed(3, 2, NOW + 180), clock=clock
    )
    with capture_logs() as logs:
        await routing.start()
        assert not routing.is_stale
        clock.time += 60
        await routing.refresh()
        await routing.refresh()
        assert (routing.is_stale, revision_of(routing)) == (True, 3)
        await routing.refresh()
        assert (routing.is_stale, revision_of(routing)) == (False, 3)
    told = [line["event"] for line in logs if line["event"] in ("snapshot stale", "snapshot fresh")]
    assert told == ["snapshot stale", "snapshot fresh"]


async def test_freeze_at_a_cold_start_an_expired_snapshot_is_served_and_told() -> None:
    for kept, fed in ((sealed(3, expires_at=NOW), None), (None, sealed(3, expires_at=NOW))):
        routing = routing_of(Kept(kept), fed)
        with capture_logs() as logs:
            await routing.start()
        assert (routing.is_stale, revision_of(routing)) == (True, 3)
        assert "snapshot stale" in [line["event"] for line in logs]


async def test_a_clock_that_jumps_ten_years_neither_refuses_nor_forgets_anything() -> None:
    clock = Clock()
    feed = [sealed(revision, expires_at=NOW + 60) for revision in (3, 4, 5)]
    routing = routing_of(Kept(), *feed, clock=clock)
    await routing.start()
    for jump, revision in ((3650 * 86_400, 4), (-7300 * 86_400, 5)):
        clock.time += jump
        await routing.refresh()
        assert revision_of(routing) == revision


async def test_a_reissue_changes_no_answer() -> None:
    changes: list[None] = []
    routing = Routing(
        Feed(sealed(3), sealed(3, issue=2)), SHARDS, Kept(), TRUSTED, Clock(), adopted=lambda: changes.append(None)
    )
    await routing.start()
    before = routing.table
    await routing.refresh()
    assert routing.table is before
    assert len(changes) == 1


async def test_fast_forward_after_the_stolen_key_is_distrusted_the_true_revision_is_taken() -> None:
    """A thief has signed an absurd revision. The vendor rotates its key and distrusts the stolen one."""
    keys = Keys(KEY, NEW_KEY)
    thiefs, true = sealed(2**52, issue=2**52), sealed(8, key=NEW_KEY)
    kept = Kept()
    routing = routing_of(kept, sealed(7), thiefs, true, true, thiefs, sealed(7, key=NEW_KEY), trusted=keys)
    await routing.start()
    await routing.refresh()
    await routing.refresh()
    assert revision_of(routing) == 2**52  # as long as the stolen key is trusted
    keys.ring = KeyRing(TrustedKey(NEW_KEY.public_key()))
    await routing.refresh()
    assert (revision_of(routing), kept.kept) == (8, true)
    await routing.refresh()
    await routing.refresh()
    assert revision_of(routing) == 8  # and not what only the stolen key has signed, nor an older one again
    restarted = routing_of(Kept(thiefs), true, trusted=keys)
    await restarted.start()
    assert revision_of(restarted) == 8


async def test_a_bad_copy_of_its_own_is_passed_over() -> None:
    kept = Kept(b"cut")
    assert await revision_after(kept, sealed(2)) == 2
    assert kept.kept == sealed(2)


async def test_a_copy_that_can_not_be_kept_does_not_stop_the_snapshot() -> None:
    assert await revision_after(Kept(fault=Failed("full disk")), sealed(2), sealed(3)) == 3


@given(st.data())
async def test_no_mutant_of_a_snapshot_is_taken(data: st.DataObject) -> None:
    mutant = bytearray(sealed(9))
    for _ in range(data.draw(st.integers(1, 3))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    assert await revision_after(Kept(), sealed(3), bytes(mutant)) in (3, 9)
    assert await revision_after(Kept(), sealed(3), bytes(mutant[: data.draw(st.integers(0, 200))])) == 3


async def test_the_snapshot_in_force_is_kept_under_its_new_signature_and_no_other_of_its_order_is() -> None:
    resigned = add_signature(PAYLOAD_TYPE, sealed(7), NEW_KEY, [])
    other = seal_root(Root(7, 1, LATER, "", {}), KEY)
    kept = Kept(sealed(7))
    both = KeyRing(TrustedKey(KEY.public_key()), TrustedKey(NEW_KEY.public_key()))
    routing = routing_of(kept, sealed(7), other, resigned, trusted=both)
    await routing.start()
    await routing.refresh()
    assert (routing.table, kept.kept) == (table(7), sealed(7))
    await routing.refresh()
    assert (routing.table, kept.kept) == (table(7), resigned)


async def test_of_a_changed_pin_one_shard_is_read_and_one_is_kept() -> None:
    pins = {f"t{number}~production": Pin(Range("^1"), "sam", "") for number in range(300)}
    kept = Kept()
    routing = routing_of(
        kept,
        sealed(table(1, pins)),
        sealed(table(1, {**pins, "t7~production": Pin(Range("^2"), "sam", "")}), issue=2),
    )
    await routing.start()
    SHARDS.asked.clear()
    before = set(kept.bodies)
    await routing.refresh()
    assert routing.table is not None
    assert routing.table.products[SDK].pins["t7~production"].target == Range("^2")
    assert len(set(SHARDS.asked)) == 1 == len(kept.bodies.keys() - before)


@pytest.mark.parametrize("damage", ["gone", "other bytes", "cut"])
async def test_a_damaged_shard_of_its_own_copy_is_never_taken_and_is_mended(tmp_path: Path, damage: str) -> None:
    pins = {f"t{number}~production": Pin(Range("^1"), "sam", "") for number in range(20)}
    root, bodies = in_shards(table(1, pins))
    feed, own = tmp_path / "feed", tmp_path / "own"
    for folder in (feed, own):
        put_snapshot(folder, seal_root(root, KEY), bodies)
    shard = sorted((own / "shards").iterdir())[3]
    whole = shard.read_bytes()
    if damage == "gone":
        shard.unlink()
    else:
        shard.write_bytes(whole[:-1] + (b"" if damage == "cut" else b" "))
    sole = Routing(Feed(None), DiskSnapshots(feed), DiskSnapshots(own), TRUSTED, Clock(), lambda: None)
    await sole.start()
    assert sole.table is None
    both = Routing(
        Feed(seal_root(root, KEY)), DiskSnapshots(feed), DiskSnapshots(own), TRUSTED, Clock(), lambda: None
    )
    await both.start()
    assert both.table == table(1, pins)
    assert shard.read_bytes() == whole
    sole = Routing(Feed(None), DiskSnapshots(feed), DiskSnapshots(own), TRUSTED, Clock(), lambda: None)
    await sole.start()
    assert sole.table == table(1, pins)


async def test_a_worker_that_is_behind_does_not_take_the_kept_copy_back(tmp_path: Path) -> None:
    own = DiskSnapshots(tmp_path)
    slow, fast = routing_of(own, sealed(7), sealed(8)), routing_of(own, sealed(9))
    await slow.start()
    assert await own.read() == sealed(7)
    await fast.start()
    await slow.refresh()
    assert (revision_of(slow), await own.read()) == (8, sealed(9))


async def test_shards_that_can_not_be_asked_for_are_no_refusal_and_asked_for_again() -> None:
    class Faltering(Shards):
        async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
            del refs
            raise Away("for a while")

    shards = Faltering()
    routing = Routing(Feed(sealed(1), sealed(1)), shards, Kept(), TRUSTED, Clock(), lambda: None)
    with capture_logs() as logs:
        await routing.start()
        assert (routing.table, logs) == (None, [])
        shards.read_shards = SHARDS.read_shards  # type: ignore[method-assign]
        await routing.refresh()
    assert (revision_of(routing), [line["event"] for line in logs]) == (1, ["snapshot adopted"])


async def test_a_copy_that_could_not_be_made_is_told_once_and_made_at_a_later_look(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("no folder")
    routing = routing_of(DiskSnapshots(own), *[sealed(1)] * 4)
    with capture_logs() as logs:
        await routing.start()
        await routing.refresh()
        assert [line["event"] for line in logs].count("snapshot not kept") == 1
        own.unlink()
        await routing.refresh()
    assert await DiskSnapshots(own).read() == sealed(1)
    (own / "routing.json").unlink()
    await routing.refresh()
    assert await DiskSnapshots(own).read() is None, "what is kept was written again"


async def test_what_stays_refused_is_told_once() -> None:
    with capture_logs() as logs:
        await revision_after(Kept(), sealed(3), b"bad", b"bad", b"bad", sealed(3), b"bad")
    assert [line["event"] for line in logs].count("snapshot refused") == 2


def test_the_root_of_a_hundred_thousand_pins_is_small() -> None:
    """It is sent with each change, and has the same size for any number of pins."""
    refs = {
        f"{number:02x}": ShardRef(Digest("f" * 64), 16_000_000, Counts(1_000, 10_000, 10_000))
        for number in range(256)
    }
    assert len(msgspec.json.encode(Root(2**50, 2**40, 2**40, "f" * 64, refs))) < 50_000  # type: ignore[arg-type]
