"""Retiring builds, on a real SQLite database and a real disk: nothing that is needed goes, whoever is faster."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from bundles.adapters.directory import directory
from bundles.adapters.disk_store import DiskStore
from bundles.core.errors import Conflict, Failed, Invalid, Refused
from bundles.core.names import Product
from bundles.core.retention import Policy
from bundles.core.version import Range, Version
from bundles.cores import Cores
from bundles.load import load_build
from bundles.order import Order, Publisher
from bundles.ports import Sweeper
from bundles.publish import publish
from bundles.sweep import Garbage, TimeIsOver
from bundles.verify import verify
from headrace import wiring
from release.adapters import schema
from release.adapters.system_clock import SystemClock
from release.change import Author, Control
from release.core.commands import Promote, Rollback, Start
from release.core.names import PRODUCTION, STABLE, Tenant
from release.core.plan import parse_plan
from release.core.routing import Pin, PinKey
from release.pins import set_pin
from release.retire import Wanted, preview_retirement, retire
from release.rollouts import command_channel, read_channel
from release.snapshot import read_table
from tests.support.cli import write_build

pytestmark = pytest.mark.anyio

SDK, MENU = Product("sdk"), Product("@acme/menu")
OLD, OLDER, STABLE_BUILD, NEXT = (Version(text) for text in ("1.0.1", "1.0.0", "1.0.2", "1.0.3"))
BUILDS = (OLDER, OLD, STABLE_BUILD, NEXT)
SAM = Author("sam", "because")
KEEP_ONE = Wanted("*", Policy(keep=1))


class NextYear:
    """A clock that is a year ahead: all that was published today is old."""

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        return SystemClock().now() + 365 * 86_400


def start(version: Version) -> Start:
    return Start(candidate=version, plan=parse_plan("100", [], None), salt="salt")


async def release(control: Control, version: Version) -> None:
    await command_channel(control, SDK, STABLE, start(version), SAM)
    await command_channel(control, SDK, STABLE, Promote(), SAM)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(data: Path) -> DiskStore:
    return DiskStore(data / "store")


@pytest.fixture
async def control(data: Path, store: DiskStore, tmp_path: Path) -> AsyncIterator[Control]:
    """Four builds, each with deltas from the one before; the first three were released one after the other."""
    async with wiring.control(data) as opened:
        publisher = Publisher(store, opened.signing_key, opened.trusted, Cores())
        for number, version in enumerate(BUILDS):
            lines = "".join(f"let a{n * 7919 % 10_007} = {n};\n" for n in range(400))
            folder = write_build(tmp_path / version, {"sdk.js": f"{lines}// {version}", "same.js": lines})
            order = Order(SDK, version, bases=BUILDS[:number][-1:])
            await publish(publisher, order, directory(folder), lambda _: None)
        for version in BUILDS[:3]:
            await release(opened, version)
        yield msgspec.structs.replace(opened, clock=NextYear())


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("control.db-"))
    return {str(path): path.read_bytes() for path in files}


async def assert_well(control: Control, store: DiskStore, version: Version) -> None:
    manifest = await load_build(store, control.trusted, SDK, version)
    assert manifest is not None
    assert await verify(store, manifest, lambda _: None) == []


def audit(data: Path) -> list[tuple[str, str]]:
    engine = sa.create_engine(f"sqlite:///{data / 'control.db'}")
    with engine.connect() as connection:
        query = sa.select(schema.audit.c.entry).order_by(schema.audit.c.revision)
        entries = [json.loads(entry) for entry in connection.scalars(query)]
    engine.dispose()
    return [(entry["verb"], entry["subject"]) for entry in entries]


async def test_what_nobody_needs_goes_with_its_blobs_and_all_else_stays_well(
    control: Control, store: DiskStore, data: Path
) -> None:
    before = contents(data)
    shown = await preview_retirement(control, store, KEEP_ONE)
    assert contents(data) == before
    assert [each.retired for each in shown.products] == [[OLDER]]
    done = await retire(control, store, KEEP_ONE, SAM)
    assert done == shown
    gone = before.keys() - contents(data).keys()
    assert done.garbage == Garbage(len(gone) - 1, sum(len(before[name]) for name in gone if "/blobs/" in name))
    assert await store.versions(SDK) == [OLD, STABLE_BUILD, NEXT]
    for version in (OLD, STABLE_BUILD, NEXT):
        await assert_well(control, store, version)
    assert (await read_channel(control, SDK, STABLE)).state.history == (OLD, STABLE_BUILD)
    table = await read_table(control.snapshots, control.trusted)
    assert table is not None
    assert table == await control.ledger.table()
    assert table.products[SDK].retired == {OLDER}
    assert audit(data)[-1] == ("retire", "1.0.0")


async def test_to_retire_again_changes_nothing(control: Control, store: DiskStore, data: Path) -> None:
    await retire(control, store, KEEP_ONE, SAM)
    before = contents(data)
    again = await retire(control, store, KEEP_ONE, SAM)
    assert (again.products[0].retired, again.garbage) == ([], Garbage())
    assert (await retire(control, store, Wanted("sdk", Policy(), (OLDER,)), SAM)).garbage == Garbage()
    assert contents(data) == before


async def test_a_key_retires_no_more_of_a_product_than_it_did(control: Control, store: DiskStore) -> None:
    keyed = Author("sam", key="key-1")
    await retire(control, store, KEEP_ONE, keyed)
    await release(control, NEXT)
    again = await retire(control, store, KEEP_ONE, keyed)
    assert [(each.retired, each.already) for each in again.products] == [([], (OLDER,))]
    with pytest.raises(Conflict, match="another request"):
        await retire(control, store, Wanted("*", Policy(keep=2)), keyed)
    more = await retire(control, store, KEEP_ONE, SAM)
    assert [each.retired for each in more.products] == [[OLD]]


async def test_a_key_finishes_what_was_broken_off(control: Control, store: DiskStore, data: Path) -> None:
    keyed = Author("sam", key="key-1")
    with pytest.raises(Failed, match=r"no sdk@1\.0\.0"):
        await retire(control, BreaksOff(data / "store"), KEEP_ONE, keyed)
    again = await retire(control, store, KEEP_ONE, keyed)
    assert [each.retired for each in again.products] == [[OLDER]]
    assert await store.versions(SDK) == [OLD, STABLE_BUILD, NEXT]


async def test_a_dictionary_outlives_its_build(control: Control, store: DiskStore) -> None:
    await retire(control, store, KEEP_ONE, SAM)
    manifest = await load_build(store, control.trusted, SDK, OLD)
    assert manifest is not None
    assert {delta.base for artifact in manifest.artifacts for delta in artifact.deltas} == {OLDER}
    await assert_well(control, store, OLD)


async def test_a_retired_version_is_neither_published_nor_released_nor_pinned_again(
    control: Control, store: DiskStore, tmp_path: Path
) -> None:
    await retire(control, store, KEEP_ONE, SAM)
    publisher = Publisher(store, control.signing_key, control.trusted, Cores())
    with pytest.raises(Refused, match=r"sdk@1\.0\.0 was retired"):
        await publish(publisher, Order(SDK, OLDER), directory(tmp_path / OLDER), lambda _: None)
    with pytest.raises(Invalid, match="no build"):
        await command_channel(control, SDK, STABLE, start(OLDER), SAM)
    with pytest.raises(Refused, match="is no stable build that this channel can go back to"):
        await command_channel(control, SDK, STABLE, Rollback(OLDER), SAM)


class RetiresFirst(DiskStore):
    """Lets others retire a build between the moment that it is seen and the change that needs it."""

    control: Control
    store: DiskStore

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The manifest as it was before."""
        sealed = await super().read_manifest(product, version)
        await retire(self.control, self.store, Wanted("sdk", Policy(keep=1), (version,)), SAM)
        return sealed


async def test_a_rollout_or_a_pin_that_comes_too_late_is_refused(
    control: Control, store: DiskStore, data: Path
) -> None:
    builds = RetiresFirst(data / "store")
    builds.control, builds.store = control, store
    late = msgspec.structs.replace(control, builds=builds)
    with pytest.raises(Refused, match=r"sdk@1\.0\.3 was retired"):
        await command_channel(late, SDK, STABLE, start(NEXT), SAM)
    with pytest.raises(Refused, match=r"sdk@1\.0\.0 was retired"):
        await set_pin(late, SDK, PinKey(Tenant("acme"), PRODUCTION), Pin(Range(OLDER), "sam", ""), SAM)


class RollsOutFirst(DiskStore):
    """Lets others begin a rollout between the decision to retire and the change."""

    control: Control

    async def published_at(self, product: Product) -> Mapping[Version, int]:
        """As ever."""
        await command_channel(self.control, SDK, STABLE, start(NEXT), SAM)
        return await super().published_at(product)


async def test_a_retirement_that_comes_too_late_changes_nothing(control: Control, data: Path) -> None:
    store = RollsOutFirst(data / "store")
    store.control = control
    with pytest.raises(Conflict, match="try again"):
        await retire(control, store, Wanted("sdk", Policy(), (NEXT,)), SAM)
    assert await store.versions(SDK) == list(BUILDS)
    assert audit(data)[-1][0] == "start"
    with pytest.raises(Refused, match=r"1\.0\.3 is the candidate of the rollout on channel stable"):
        await retire(control, DiskStore(data / "store"), Wanted("sdk", Policy(), (NEXT,)), SAM)


class _Broken:
    """A sweeper whose disk fails."""

    async def retire_manifest(self, product: Product, version: Version) -> None:
        raise Failed(f"no {product}@{version}")


class BreaksOff(DiskStore):
    """A store that fails once the control plane has said that a build is retired."""

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[Sweeper]:  # type: ignore[override]
        """The lock, and nothing that works."""
        async with super().sweeping():
            yield _Broken()  # type: ignore[misc]


async def test_what_was_broken_off_is_done_by_the_next_run_whatever_it_is_asked_for(
    control: Control, store: DiskStore, data: Path
) -> None:
    with pytest.raises(Failed, match=r"no sdk@1\.0\.0"):
        await retire(control, BreaksOff(data / "store"), KEEP_ONE, SAM)
    assert await store.versions(SDK) == list(BUILDS)
    shown = await preview_retirement(control, store, Wanted("sdk", Policy()))
    assert shown.products[0].retired == [OLDER]
    assert shown.products[0].decisions[-1].reason == "retired before, but not taken away yet"
    done = await retire(control, store, Wanted("sdk", Policy()), SAM)
    assert (done.garbage, done.garbage.blobs > 0) == (shown.garbage, True)
    assert await store.versions(SDK) == [OLD, STABLE_BUILD, NEXT]
    assert [verb for verb, _ in audit(data)].count("retire") == 1


async def test_where_origins_can_not_be_told_nothing_is_taken_away(
    control: Control, store: DiskStore, data: Path
) -> None:
    (data / "snapshots").rename(data / "away")
    (data / "snapshots").write_text("no folder")
    with pytest.raises(Failed, match=r"can't write"):
        await retire(control, store, KEEP_ONE, SAM)
    assert await store.versions(SDK) == list(BUILDS)


async def test_a_database_older_than_its_snapshot_decides_nothing(
    control: Control, store: DiskStore, data: Path
) -> None:
    backup = (data / "control.db").read_bytes()
    await release(control, NEXT)
    ahead = await control.snapshots.read()
    (data / "older").mkdir()
    (data / "older" / "control.db").write_bytes(backup)
    for name in ("keys", "snapshots"):
        (data / "older" / name).symlink_to(data / name)
    async with wiring.control(data / "older") as restored:
        with pytest.raises(Failed, match="older backup"):
            await retire(restored, store, KEEP_ONE, SAM)
    assert await control.snapshots.read() == ahead
    assert await store.versions(SDK) == list(BUILDS)


async def test_where_nothing_was_ever_released_it_is_not_known_what_is_needed(
    control: Control, store: DiskStore, tmp_path: Path
) -> None:
    async with wiring.control(tmp_path / "elsewhere") as empty:
        elsewhere = msgspec.structs.replace(control, ledger=empty.ledger, snapshots=empty.snapshots)
        for act in (preview_retirement(elsewhere, store, KEEP_ONE), retire(elsewhere, store, KEEP_ONE, SAM)):
            with pytest.raises(Refused, match="not known which builds are needed"):
                await act
    assert await store.versions(SDK) == list(BUILDS)


async def test_a_build_that_can_not_be_read_keeps_every_blob_until_it_is_retired_by_name(
    control: Control, store: DiskStore, data: Path
) -> None:
    damaged = data / "store" / "builds" / "sdk" / f"{NEXT}.json"
    damaged.write_bytes(damaged.read_bytes().replace(b'"sig":"', b'"sig":"AAAA'))
    blobs = {blob.digest async for blob in store.blobs()}
    for act in (preview_retirement(control, store, KEEP_ONE), retire(control, store, KEEP_ONE, SAM)):
        with pytest.raises(Failed, match=r"sdk@1\.0\.3 .*No blob is removed"):
            await act
    assert {blob.digest async for blob in store.blobs()} == blobs
    named = Wanted("sdk", Policy(), (NEXT,))
    assert (await preview_retirement(control, store, named)).garbage.blobs > 0
    assert (await retire(control, store, named, SAM)).garbage.blobs > 0
    assert await store.versions(SDK) == [OLDER, OLD, STABLE_BUILD]


async def test_where_another_products_build_can_not_be_read_nothing_is_retired(
    control: Control, store: DiskStore, data: Path, tmp_path: Path
) -> None:
    publisher = Publisher(store, control.signing_key, control.trusted, Cores())
    await publish(publisher, Order(MENU, OLDER), directory(tmp_path / OLDER), lambda _: None)
    (data / "store" / "builds" / MENU / f"{OLDER}.json").write_bytes(b"{}")
    await control.sync()  # by the clock that is a year ahead, the snapshot is to be signed anew
    before = contents(data)
    for wanted in (Wanted("sdk", Policy(keep=1)), Wanted("sdk", Policy(), (NEXT,))):
        with pytest.raises(Failed, match=r"@acme/menu@1\.0\.0 .*No blob is removed"):
            await retire(control, store, wanted, SAM)
    assert contents(data) == before


async def test_a_build_that_is_retired_already_is_told_also_where_it_was_the_products_last(
    control: Control, store: DiskStore, data: Path, tmp_path: Path
) -> None:
    publisher = Publisher(store, control.signing_key, control.trusted, Cores())
    await publish(publisher, Order(MENU, OLDER), directory(tmp_path / OLDER), lambda _: None)
    named = Wanted(MENU, Policy(), (OLDER,))
    (first,) = (await retire(control, store, named, SAM)).products
    assert (first.retired, first.already) == ([OLDER], ())
    before = contents(data)
    for act in (preview_retirement(control, store, named), retire(control, store, named, SAM)):
        (again,) = (await act).products
        assert (again.retired, again.already) == ([], (OLDER,))
    assert contents(data) == before
    with pytest.raises(Invalid, match=r"there is no build @acme/menu@9\.9\.9"):
        await retire(control, store, Wanted(MENU, Policy(), (Version("9.9.9"),)), SAM)


async def test_products_are_chosen_by_pattern(control: Control, store: DiskStore, tmp_path: Path) -> None:
    publisher = Publisher(store, control.signing_key, control.trusted, Cores())
    for version in BUILDS[:2]:
        await publish(publisher, Order(MENU, version), directory(tmp_path / version), lambda _: None)
    shown = await preview_retirement(control, store, Wanted("@acme/*", Policy(keep=1)))
    assert [(each.product, each.retired) for each in shown.products] == [(MENU, [OLDER])]
    assert [each.product for each in (await preview_retirement(control, store, KEEP_ONE)).products] == [MENU, SDK]
    with pytest.raises(Invalid, match=r"no product matches '@zeta/\*'; known are @acme/menu, sdk"):
        await preview_retirement(control, store, Wanted("@zeta/*", Policy()))


async def test_young_blobs_stay_for_a_day(control: Control, store: DiskStore) -> None:
    today = msgspec.structs.replace(control, clock=SystemClock())
    done = await retire(today, store, Wanted("sdk", Policy(), (NEXT,)), SAM)
    assert (done.products[0].retired, done.garbage) == ([NEXT], Garbage())
    assert (await retire(control, store, Wanted("sdk", Policy()), SAM)).garbage.blobs > 0


async def test_once_the_time_is_over_the_rest_is_left_for_the_next_run(
    control: Control, store: DiskStore, data: Path, tmp_path: Path
) -> None:
    publisher = Publisher(store, control.signing_key, control.trusted, Cores())
    for version in BUILDS[:2]:
        await publish(publisher, Order(MENU, version), directory(tmp_path / version), lambda _: None)
    first = data / "store" / "builds" / MENU / f"{OLDER}.json"
    assert first.exists()
    made = await retire(control, store, KEEP_ONE, SAM, is_over=lambda: not first.exists())
    assert ([each.product for each in made.products], made.left) == ([MENU], 1)
    assert made.garbage == Garbage(is_whole=False)
    for version in BUILDS:
        await assert_well(control, store, version)
    again = await retire(control, store, KEEP_ONE, SAM)
    assert ([each.retired for each in again.products], again.left) == ([[], [OLDER]], 0)
    assert again.garbage.is_whole
    assert again.garbage.blobs > 0


async def test_where_the_time_is_too_short_to_know_what_is_needed_nothing_is_changed(
    control: Control, store: DiskStore, data: Path
) -> None:
    await control.sync()
    before = contents(data)
    looks = iter([False])  # over after the products were looked at
    for act in (
        retire(control, store, KEEP_ONE, SAM, lambda: next(looks, True)),
        retire(control, store, KEEP_ONE, SAM, lambda: True),
        preview_retirement(control, store, KEEP_ONE, lambda: True),
    ):
        with pytest.raises(TimeIsOver, match="nothing was changed"):
            await act
    assert contents(data) == before
