"""The rows of builds that were published, on each kind of control database."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bundles.core.errors import Failed, Stale
from bundles.core.manifest import Manifest, manifest_digest
from bundles.core.names import Product
from bundles.core.version import Range, Version
from headrace import wiring
from release import change as changing
from release.change import Author, Control
from release.core.audit import Entry
from release.core.names import PRODUCTION, Tenant
from release.core.notices import notice_of
from release.core.routing import Pin, PinKey
from release.pins import set_pin
from release.publications import read_publication, record_publication
from release.trail import Sought, opened, read_rows, verify_trail

pytestmark = pytest.mark.anyio

SDK = Product("sdk")
CI, ADA = Author("github:acme/sdk:release.yml@refs/tags/v1", "a release"), Author("ada@example.com")


@pytest.fixture
async def control(database: str, released_data: Path) -> AsyncIterator[Control]:
    """A control plane on each kind of database: two builds are published, and nothing of them is known to it."""
    (released_data / "control.db").rename(released_data / "other.db")
    snapshots = released_data / "snapshots"
    snapshots.rename(released_data / "other-snapshots")
    async with wiring.control(released_data, database) as opened_control:
        yield opened_control


async def built(control: Control, version: str) -> Manifest:
    return await control.require_build(SDK, Version(version))


async def rows(control: Control) -> list[Entry]:
    return [opened(row) for row in await read_rows(control.ledger, Sought(), 1_000, newest_first=False)]


async def pin(control: Control, expected: int) -> None:
    author = Author("sam", expected_revision=expected)
    await set_pin(control, SDK, PinKey(Tenant("acme"), PRODUCTION), Pin(Range("1.0.0"), "sam", ""), author)


async def test_a_build_has_one_row_and_changes_nothing_that_is_served(control: Control) -> None:
    one = await built(control, "1.0.0")
    await pin(control, 0)
    before, served = await control.ledger.table(), (await control.sync()).shards
    for _ in range(3):
        await record_publication(control, one, CI, was_there=False)
        await record_publication(control, one, ADA, was_there=True)
    _, row = await rows(control)
    assert (row.verb, row.product, row.subject) == ("publish", "sdk", "1.0.0")
    assert (row.actor, row.reason) == (CI.actor, "a release")
    assert row.after is not None
    assert row.after["documents/publication/sdk@1.0.0"]["digest"] == manifest_digest(one)
    assert notice_of(row, "0" * 64) is None
    after = await control.ledger.table()
    assert (after.products, after.tenants, after.revision) == (before.products, before.tenants, 2)
    root = await control.sync()
    assert (root.revision, root.shards) == (2, served)
    verdict = await verify_trail(control.ledger, control.snapshots, control.trusted)
    assert (verdict.faults, verdict.vouched_for) == ((), 2)


async def test_who_made_a_build_has_a_row_though_another_was_first_to_write_one(control: Control) -> None:
    one = await built(control, "1.0.0")
    await record_publication(control, one, ADA, was_there=True)
    known = await read_publication(control.ledger, SDK, one.version)
    assert known is not None
    assert (known.actor, known.was_there, known.revision) == (ADA.actor, True, 1)
    await record_publication(control, one, CI, was_there=False)
    await record_publication(control, one, ADA, was_there=True)
    assert [row.actor for row in await rows(control)] == [ADA.actor, CI.actor]
    known = await read_publication(control.ledger, SDK, one.version)
    assert known is not None
    assert (known.actor, known.was_there) == (CI.actor, False)


async def test_other_bytes_in_the_place_of_a_build_have_a_row_of_their_own(control: Control) -> None:
    one = await built(control, "1.0.0")
    await record_publication(control, one, CI, was_there=False)
    other = msgspec.structs.replace(one, artifacts=one.artifacts[:1])
    await record_publication(control, other, ADA, was_there=True)
    assert [row.actor for row in await rows(control)] == [CI.actor, ADA.actor]


async def test_what_was_published_since_keeps_nobody_from_a_change(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "MOST_PUBLISHED", 2)
    await record_publication(control, await built(control, "1.0.0"), CI, was_there=False)
    await record_publication(control, await built(control, "1.1.0"), CI, was_there=False)
    await pin(control, 0)
    for expected in (-1, 0, 1, 2, 4):
        with pytest.raises(Stale, match="at revision 3, not"):
            await pin(control, expected)
    monkeypatch.setattr(changing, "MOST_PUBLISHED", 1)
    one = await built(control, "1.0.0")
    for size in (1, 2):
        other = msgspec.structs.replace(one, artifacts=one.artifacts[:size])
        await record_publication(control, other, CI, was_there=False)
    with pytest.raises(Stale, match="at revision 5, not 3"):
        await pin(control, 3)
    await pin(control, 4)


async def test_where_the_row_can_not_be_written_it_is_said_that_the_build_exists(
    control: Control, tmp_path: Path
) -> None:
    await pin(control, 0)
    one = await built(control, "1.0.0")
    async with wiring.ledger(tmp_path / "restored", None) as older:
        with pytest.raises(Failed, match=r"sdk@1.0.0 is published, but whether .* Publish the same files again"):
            await record_publication(msgspec.structs.replace(control, ledger=older), one, CI, was_there=False)
        assert await read_publication(older, SDK, one.version) is None
