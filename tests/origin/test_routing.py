"""The routing table in force, whatever its feed does."""

from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.envelope import add_signature, seal
from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.trust import KeyRing, TrustedKey
from origin.routing import Routing
from release.core.routing import ProductRoutes, RoutingTable
from release.core.snapshot import PAYLOAD_TYPE, encode_table

pytestmark = pytest.mark.anyio

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
TRUSTED = KeyRing(TrustedKey(KEY.public_key()))


def sealed(revision: int) -> bytes:
    return seal(PAYLOAD_TYPE, encode_table(RoutingTable(revision)), KEY)


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


class Kept:
    """The origin's own copy, in memory."""

    def __init__(self, kept: bytes | None = None, fault: Failed | None = None) -> None:
        self.kept = kept
        self._fault = fault

    async def read(self) -> bytes | None:
        return self.kept

    async def write(self, sealed: bytes) -> None:
        if self._fault:
            raise self._fault
        self.kept = sealed


async def revision_after(kept: Kept, *snapshots: bytes | Exception | None) -> int | None:
    routing = Routing(Feed(*snapshots), kept, TRUSTED, adopted=lambda: None)
    await routing.start()
    await routing.follow()
    return None if routing.table is None else routing.table.revision


async def test_the_newest_snapshot_is_in_force_and_kept() -> None:
    kept = Kept()
    assert await revision_after(kept, sealed(3), sealed(4)) == 4
    assert kept.kept == sealed(4)


async def test_a_feed_that_fails_changes_nothing_and_is_followed_on() -> None:
    for fault in (RuntimeError("broken"), MemoryError(), None, b"", b"\x00" * 99, sealed(3)[:-9]):
        kept = Kept()
        assert await revision_after(kept, sealed(3), fault) == 3
        assert await revision_after(kept, sealed(3), fault, sealed(5)) == 5


async def test_an_older_snapshot_is_never_taken_not_even_at_start() -> None:
    assert await revision_after(Kept(sealed(7)), sealed(6), sealed(5)) == 7
    assert await revision_after(Kept(sealed(7)), None) == 7
    assert await revision_after(Kept(sealed(7)), sealed(8)) == 8


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


async def test_the_table_in_force_is_kept_under_its_new_signature_and_no_other_of_its_revision_is() -> None:
    new = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
    resigned = add_signature(PAYLOAD_TYPE, sealed(7), new, [])
    other = seal(PAYLOAD_TYPE, encode_table(RoutingTable(7, products={Product("sdk"): ProductRoutes()})), KEY)
    kept = Kept(sealed(7))
    both = KeyRing(TrustedKey(KEY.public_key()), TrustedKey(new.public_key()))
    routing = Routing(Feed(sealed(7), other, resigned), kept, both, adopted=lambda: None)
    await routing.start()
    await routing.refresh()
    assert (routing.table, kept.kept) == (RoutingTable(7), sealed(7))
    await routing.refresh()
    assert (routing.table, kept.kept) == (RoutingTable(7), resigned)
