"""How the snapshot is brought up to the ledger, on a real database and a real disk."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from bundles.core.errors import Failed, Refused
from bundles.core.names import Product
from bundles.core.version import Range, Version
from headrace import wiring
from release.adapters import schema
from release.adapters.disk_snapshots import DROPPED_STAY_SECONDS
from release.blocks import set_block
from release.change import Author, Control
from release.core.audit import Change
from release.core.commands import Start
from release.core.limits import MAX_CHANNELS
from release.core.names import PRODUCTION, STABLE, Channel, Environment, Tenant
from release.core.plan import parse_plan
from release.core.routing import Block, ChannelState, Pin, PinKey
from release.core.snapshot import VALID_SECONDS, Root, open_root
from release.near_limits import near_limits
from release.pins import set_pin
from release.ports import TENANTS, Transaction
from release.rollouts import command_channel
from release.snapshot import read_table
from tests.support.snapshots import in_shards

pytestmark = pytest.mark.anyio

SDK, MENU = Product("sdk"), Product("@acme/menu")
ONE, TWO = Version("1.0.0"), Version("1.1.0")
SAM = Author("sam", "because")
MANY = 100
CHANGE = Change(at=1, actor="sam", verb="test", product=SDK, subject="", reason="")


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.time = 1_700_000_000

    def now(self) -> int:
        return self.time


def pin(target: str) -> Pin:
    return Pin(Range(target), "sam", "")


def key(tenant: str, environment: str = PRODUCTION) -> PinKey:
    return PinKey(Tenant(tenant), Environment(environment))


@pytest.fixture
async def pinned(control: Control) -> Control:
    """A control plane with a stable build and many pins, in one revision."""
    async with control.ledger.transaction() as transaction:
        await transaction.save_channel(SDK, STABLE, ChannelState((ONE,)))
        for number in range(MANY):
            await transaction.save_pin(SDK, key(f"t{number}"), pin("1.0.0"))
        await transaction.record(CHANGE)
    await control.sync()
    return control


async def root_of(control: Control) -> Root:
    sealed = await control.snapshots.read()
    assert sealed is not None
    return open_root(sealed, control.trusted)


def files(data: Path) -> dict[str, int]:
    """The snapshot's files, each with its inode: what is written anew has another."""
    return {path.name: path.stat().st_ino for path in (data / "snapshots").rglob("*.json")}


async def test_a_changed_pin_writes_the_root_and_one_shard(pinned: Control, data: Path) -> None:
    before = files(data)
    await set_pin(pinned, SDK, key("t7"), pin(TWO), SAM)
    after = files(data)
    assert len({name for name, inode in after.items() if before.get(name) != inode}) == 2
    assert await read_table(pinned.snapshots, pinned.trusted) == await pinned.ledger.table()


async def test_after_any_changes_the_snapshot_is_that_of_the_whole_ledger(control: Control) -> None:
    dice = random.Random(6)

    async def change(transaction: Transaction) -> None:
        product = dice.choice([SDK, MENU])
        match dice.randrange(7):
            case 0:
                await transaction.save_channel(
                    product, dice.choice([STABLE, Channel("2")]), ChannelState((ONE, TWO))
                )
            case 1:
                await transaction.save_block(product, ONE, dice.choice([None, Block("sam", "")]))
            case 2:
                retired = await transaction.retired(product)
                versions = {Version(f"0.0.{number}") for number in range(9)} - retired
                if versions:
                    await transaction.add_retired(product, [dice.choice(sorted(versions))])
            case 3:
                about = dice.choice([None, {"tier": "free"}])
                await transaction.save_document(TENANTS, f"t{dice.randrange(12)}", about)
            case _:
                owner = key(f"t{dice.randrange(12)}", dice.choice([PRODUCTION, "qa"]))
                await transaction.save_pin(product, owner, dice.choice([None, pin("^1"), pin("1.1.0")]))

    for _ in range(40):
        for _ in range(dice.choice([1, 1, 3])):  # of which only the last is seen by the snapshot
            async with control.ledger.transaction() as transaction:
                await change(transaction)
                await transaction.record(CHANGE)
        root = await control.sync()
        expected, _ = in_shards(await control.ledger.table())
        assert root.shards == expected.shards
        assert await read_table(control.snapshots, control.trusted) == await control.ledger.table()


@contextmanager
def nothing_changed(data: Path) -> Iterator[None]:
    before = files(data)
    yield
    assert files(data) == before


async def test_a_table_that_origins_would_not_load_is_refused_before_anything_is_changed(
    control: Control, data: Path
) -> None:
    async with control.ledger.transaction() as transaction:
        for number in range(MAX_CHANNELS):
            await transaction.save_channel(SDK, Channel(str(number)), ChannelState())
        await transaction.record(CHANGE)
    root = await control.sync()
    start = Start(candidate=ONE, plan=parse_plan("100", [], None), salt="salt")
    with nothing_changed(data), pytest.raises(Refused, match="1001 channels of sdk are too many: at most 1000"):
        await command_channel(control, SDK, STABLE, start, SAM)
    assert await control.sync() == root
    assert (await control.ledger.table()).revision == 1
    assert [(use.what, use.used, use.level) for use in await near_limits(control, root)] == [
        ("channels of sdk", MAX_CHANNELS, 80)
    ]


async def test_the_root_is_signed_anew_in_time_and_the_shards_stay(pinned: Control, data: Path) -> None:
    clock = Clock()
    control = msgspec.structs.replace(pinned, clock=clock)
    await set_pin(control, SDK, key("t7"), pin(TWO), SAM)
    first = await control.sync()
    assert first.expires_at == clock.time + VALID_SECONDS
    clock.time += VALID_SECONDS // 2 - 1
    with nothing_changed(data):
        assert await control.sync() == first
    clock.time += 1
    before = files(data)
    again = await control.sync()
    assert (again.revision, again.shards) == (first.revision, first.shards)
    assert (again.issue, again.expires_at) == (clock.time, clock.time + VALID_SECONDS)
    assert {name for name, inode in files(data).items() if before[name] != inode} == {"routing.json"}


async def test_where_the_clock_goes_back_issues_go_on_growing(pinned: Control) -> None:
    clock = Clock()
    clock.time += 10 * 365 * 86_400
    control = msgspec.structs.replace(pinned, clock=clock)
    await set_pin(control, SDK, key("t7"), pin(TWO), SAM)
    ahead = await root_of(control)
    clock.time -= 10 * 365 * 86_400
    mended = await control.sync()
    assert (mended.revision, mended.issue) == (ahead.revision, ahead.issue + 1)
    assert mended.expires_at == clock.time + VALID_SECONDS


async def test_what_is_missing_is_written_again_by_the_next_change_and_what_is_damaged_by_a_thorough_look(
    pinned: Control, data: Path
) -> None:
    one, other = sorted((data / "snapshots" / "shards").iterdir())[:2]
    whole, cut = one.read_bytes(), other.read_bytes()
    one.unlink()
    other.write_bytes(cut[:-1])
    await set_block(pinned, SDK, TWO, SAM)
    assert (one.read_bytes(), other.read_bytes()) == (whole, cut)
    one.write_bytes(b" " + whole[1:])
    await pinned.sync(thorough=True)
    assert one.read_bytes() == whole
    with nothing_changed(data):
        await pinned.sync(thorough=True)


async def test_a_damaged_shard_is_not_built_upon(pinned: Control, data: Path) -> None:
    for shard in (data / "snapshots" / "shards").iterdir():
        shard.write_bytes(shard.read_bytes().replace(b"1.0.0", b"1.1.0"))
    await set_pin(pinned, SDK, key("t7"), pin(TWO), SAM)
    await pinned.sync(thorough=True)
    assert await read_table(pinned.snapshots, pinned.trusted) == await pinned.ledger.table()


async def test_a_dropped_shard_stays_for_an_hour_for_those_who_are_reading(pinned: Control, data: Path) -> None:
    before = await root_of(pinned)
    await set_pin(pinned, SDK, key("t7"), pin(TWO), SAM)
    (dropped,) = before.digests - (await root_of(pinned)).digests
    shard = data / "snapshots" / "shards" / f"{dropped}.json"
    leftover = shard.with_name(".killed.tmp")
    leftover.write_bytes(b"half")
    an_hour_ago = time.time() - DROPPED_STAY_SECONDS
    os.utime(shard, (an_hour_ago + 60, an_hour_ago + 60))
    os.utime(leftover, (an_hour_ago - 60, an_hour_ago - 60))
    await set_pin(pinned, SDK, key("t8"), pin(TWO), SAM)
    assert (shard.exists(), leftover.exists()) == (True, False)
    os.utime(shard, (an_hour_ago - 60, an_hour_ago - 60))
    await set_pin(pinned, SDK, key("t9"), pin(TWO), SAM)
    assert not shard.exists()
    assert (await root_of(pinned)).digests <= {path.stem for path in shard.parent.iterdir()}


async def test_a_shard_that_is_dropped_was_written_long_ago_and_has_its_hour_all_the_same(
    pinned: Control, data: Path
) -> None:
    before = await root_of(pinned)
    for shard in (data / "snapshots" / "shards").iterdir():
        os.utime(shard, (1, 1))
    await set_pin(pinned, SDK, key("t7"), pin(TWO), SAM)
    assert before.digests <= {path.stem for path in (data / "snapshots" / "shards").iterdir()}


OLD_FORM = (
    b'{"payloadType":"application/vnd.headrace.routing.v1+json","payload":"eyJyZXZpc2lvbiI6MX0=","signatures":[]}'
)


async def test_the_snapshot_of_an_older_version_is_taken_over(pinned: Control, data: Path) -> None:
    (data / "snapshots" / "routing.json").write_bytes(OLD_FORM)
    with pytest.raises(Failed, match="older version of Headrace: start this version's `headrace controller`"):
        await read_table(pinned.snapshots, pinned.trusted)
    await pinned.sync()
    assert await read_table(pinned.snapshots, pinned.trusted) == await pinned.ledger.table()


@pytest.mark.usefixtures("pinned")
async def test_a_database_older_than_its_snapshot_is_not_changed(data: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    older.mkdir()
    for name in ("keys", "snapshots", "store"):
        (older / name).symlink_to(data / name)
    async with wiring.control(older) as restored:
        with nothing_changed(data), pytest.raises(Failed, match="restored from an older backup"):
            await set_block(restored, SDK, TWO, SAM)
        assert (await restored.ledger.table()).revision == 0


async def test_of_more_changes_than_are_known_the_whole_table_is_written(pinned: Control, data: Path) -> None:
    behind = (data / "snapshots" / "routing.json").read_bytes()
    async with pinned.ledger.transaction() as transaction:
        for number in range(1_001):
            await transaction.save_pin(SDK, key(f"t{number}"), pin("1.1.0"))
        await transaction.record(CHANGE)
    await pinned.sync()
    assert await read_table(pinned.snapshots, pinned.trusted) == await pinned.ledger.table()
    engine = sa.create_engine(f"sqlite:///{data / 'control.db'}")
    with engine.begin() as connection:
        connection.execute(sa.update(schema.revisions).values(revision=2_000))
    engine.dispose()
    (data / "snapshots" / "routing.json").write_bytes(behind)
    await pinned.sync()
    assert await read_table(pinned.snapshots, pinned.trusted) == await pinned.ledger.table()
