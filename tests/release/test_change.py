"""Changes, on a real SQLite database and a real disk: all or nothing, and never lost."""

from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from bundles.core.errors import Conflict, Failed, Invalid, Refused
from bundles.core.names import Product
from bundles.core.version import Range, Version
from headrace import wiring
from release.adapters import schema
from release.adapters.migrations import newest_step
from release.adapters.sql_schema import CONTROL
from release.advance import advance
from release.blocks import clear_block, list_blocks, set_block
from release.change import Author, Control
from release.core.audit import document_at
from release.core.commands import Pause, Promote, Rollback, Start
from release.core.names import PRODUCTION, STABLE, Tenant
from release.core.plan import parse_plan
from release.core.routing import ChannelState, Pin, PinKey, RoutingTable
from release.pins import WatchedPin, clear_pin, list_pins, set_pin
from release.rollouts import command_channel, read_channel
from release.snapshot import read_table
from release.trail import read_history

pytestmark = pytest.mark.anyio

SDK = Product("sdk")
ONE, TWO = Version("1.0.0"), Version("1.1.0")
SAM = Author("sam", "because")
ACME = PinKey(Tenant("acme"), PRODUCTION)


def start(version: Version, stages: str = "staging,100", bake: str | None = None) -> Start:
    return Start(candidate=version, plan=parse_plan(stages, [], bake), salt="salt")


async def snapshot_of(control: Control) -> RoutingTable:
    table = await read_table(control.snapshots, control.trusted)
    assert table is not None
    return table


async def released(control: Control) -> None:
    await command_channel(control, SDK, STABLE, start(ONE, "100"), SAM)
    await command_channel(control, SDK, STABLE, Promote(), SAM)


async def test_each_change_is_one_revision_and_is_in_the_snapshot(control: Control) -> None:
    revisions = []
    for command in (start(ONE), Promote(), Promote(), start(TWO), Pause(), Rollback()):
        changed = await command_channel(control, SDK, STABLE, command, SAM)
        revisions.append(changed.revision)
        table = await snapshot_of(control)
        assert table.revision == changed.revision
        assert table.products[SDK].channels[STABLE] == changed.state
    assert revisions == [1, 2, 3, 4, 5, 6]


async def test_a_refused_change_leaves_no_trace(control: Control) -> None:
    await released(control)
    before = await control.ledger.table()
    with pytest.raises(Refused):
        await command_channel(control, SDK, STABLE, Promote(), SAM)
    assert await control.ledger.table() == before == await snapshot_of(control)


async def test_a_change_on_an_old_view_is_a_conflict(control: Control) -> None:
    await released(control)
    with pytest.raises(Conflict, match="revision 2, not 1"):
        await command_channel(control, SDK, STABLE, start(TWO), Author("sam", expected_revision=1))
    changed = await command_channel(control, SDK, STABLE, start(TWO), Author("sam", expected_revision=2))
    assert changed.revision == 3


async def test_of_many_that_race_from_one_revision_exactly_one_wins(control: Control, data: Path) -> None:
    await released(control)
    results: list[str] = []

    async def race() -> None:
        async with wiring.control(data) as own:
            try:
                await command_channel(own, SDK, STABLE, start(TWO), Author("sam", expected_revision=2))
            except Conflict:
                results.append("conflict")
            else:
                results.append("won")

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(race)
    assert sorted(results) == ["conflict"] * 7 + ["won"]
    assert (await snapshot_of(control)).revision == 3


async def test_changes_of_many_writers_are_all_kept_and_the_snapshot_has_the_last(
    control: Control, data: Path
) -> None:
    async def pin_some(writer: int) -> None:
        async with wiring.control(data) as own:
            for n in range(5):
                key = PinKey(Tenant(f"t{writer}-{n}"), PRODUCTION)
                await set_pin(own, SDK, key, Pin(Range("1.0.0"), "sam", ""), SAM)

    async with anyio.create_task_group() as group:
        for writer in range(4):
            group.start_soon(pin_some, writer)
    table = await snapshot_of(control)
    assert table.revision == 20
    assert len(table.products[SDK].pins) == 20


async def test_the_audit_row_says_who_what_why_and_from_what_to_what(control: Control) -> None:
    await released(control)
    entries = await read_history(control.ledger, SDK, STABLE, limit=10)
    assert [(entry.revision, entry.verb, entry.subject) for entry in entries] == [
        (1, "start", "stable"),
        (2, "promote", "stable"),
    ]
    assert {(entry.actor, entry.reason, entry.product) for entry in entries} == {("sam", "because", "sdk")}
    place = "channels/sdk/stable"
    assert [entry.before and entry.before[place] is None for entry in entries] == [True, False]
    assert document_at(entries[0].after, place, ChannelState).rollout is not None
    assert entries[1].before == entries[0].after
    assert document_at(entries[1].after, place, ChannelState) == (await read_channel(control, SDK, STABLE)).state


async def test_a_crash_between_commit_and_snapshot_is_mended_by_the_controller(
    control: Control, data: Path
) -> None:
    await released(control)
    behind = await control.snapshots.read()
    await command_channel(control, SDK, STABLE, start(TWO), SAM)
    assert behind is not None
    wiring.snapshot_file(data).write_bytes(behind)
    await advance(control)
    assert await snapshot_of(control) == await control.ledger.table()


async def test_a_snapshot_that_is_up_to_date_is_left_alone(control: Control, data: Path) -> None:
    await released(control)
    before = wiring.snapshot_file(data).stat()
    await advance(control)
    assert wiring.snapshot_file(data).stat() == before


async def test_writers_of_the_snapshot_take_turns(control: Control) -> None:
    await released(control)
    async with anyio.create_task_group() as group, control.snapshots.exclusive():
        group.start_soon(command_channel, control, SDK, STABLE, start(TWO), SAM)
        while (await control.ledger.table()).revision < 3:
            await anyio.sleep(0.01)
        await anyio.sleep(0.1)
        assert (await snapshot_of(control)).revision == 2
    assert (await snapshot_of(control)).revision == 3


@pytest.mark.parametrize("damage", [b"", b"{}", b"\x00" * 100])
async def test_a_damaged_snapshot_is_written_anew(control: Control, data: Path, damage: bytes) -> None:
    await released(control)
    wiring.snapshot_file(data).write_bytes(damage)
    await control.sync()
    assert await snapshot_of(control) == await control.ledger.table()


async def test_a_database_older_than_its_snapshot_never_takes_the_snapshot_back(
    control: Control, data: Path, tmp_path: Path
) -> None:
    await released(control)
    ahead = await control.snapshots.read()
    older = tmp_path / "older"
    (older / "keys").parent.mkdir()
    (data / "keys").rename(older / "keys")
    (data / "snapshots").rename(older / "snapshots")
    async with wiring.control(older) as restored:
        with pytest.raises(Failed, match="older backup"):
            await advance(restored)
        assert await restored.snapshots.read() == ahead


async def test_an_unwritable_snapshot_is_told_and_the_change_is_not_lost(control: Control, data: Path) -> None:
    await released(control)
    folder = data / "snapshots"
    folder.rename(data / "away")
    folder.write_text("no folder")
    with pytest.raises(Failed, match="revision 3 is committed"):
        await command_channel(control, SDK, STABLE, start(TWO), SAM)
    folder.unlink()
    (data / "away").rename(folder)
    await advance(control)
    assert (await snapshot_of(control)).revision == 3


async def test_the_controller_promotes_what_has_baked_and_nothing_else(control: Control) -> None:
    await released(control)
    await command_channel(control, SDK, STABLE, start(TWO, "staging@0s,50,100"), SAM)
    assert len(await advance(control)) == 1
    waiting = await read_channel(control, SDK, STABLE)
    assert waiting.state.rollout is not None
    assert str(waiting.state.rollout.stage) == "50%"
    assert await advance(control) == []
    await command_channel(control, SDK, STABLE, Rollback(), SAM)
    await command_channel(control, SDK, STABLE, start(TWO, "100", bake="0s"), SAM)
    await command_channel(control, SDK, STABLE, Pause(), SAM)
    assert await advance(control) == []


async def test_a_blocked_candidate_is_not_promoted(control: Control) -> None:
    await released(control)
    await command_channel(control, SDK, STABLE, start(TWO, "100", bake="0s"), SAM)
    await set_block(control, SDK, TWO, SAM)
    assert await advance(control) == []
    await clear_block(control, SDK, TWO, SAM)
    assert len(await advance(control)) == 1


async def test_pins_are_kept_listed_and_cleared(control: Control) -> None:
    await released(control)
    pin = Pin(Range("^1.0"), "sam", "tested")
    await set_pin(control, SDK, ACME, pin, SAM)
    assert await list_pins(control, SDK) == {"acme~production": WatchedPin(pin, ONE, ())}
    assert (await snapshot_of(control)).products[SDK].pins == {"acme~production": pin}
    assert await clear_pin(control, SDK, ACME, SAM) == pin
    assert await list_pins(control, SDK) == {}
    with pytest.raises(Invalid, match="has no pin"):
        await clear_pin(control, SDK, ACME, SAM)


async def test_a_pin_that_could_never_hold_is_refused(control: Control) -> None:
    await released(control)
    for target, fault, why in [
        ("^9", Refused, "no released build"),
        ("~1.1", Refused, "no released build"),
        ("9.0.0", Invalid, "no build sdk@9.0.0"),
    ]:
        with pytest.raises(fault, match=why):
            await set_pin(control, SDK, ACME, Pin(Range(target), "sam", ""), SAM)
    with pytest.raises(Invalid, match="expired already"):
        await set_pin(control, SDK, ACME, Pin(Range("1.0.0"), "sam", "", expires_at=1), SAM)
    await set_block(control, SDK, TWO, SAM)
    with pytest.raises(Refused, match="blocked"):
        await set_pin(control, SDK, ACME, Pin(Range("1.1.0"), "sam", ""), SAM)
    assert await list_pins(control, SDK) == {}


async def test_blocks_are_kept_listed_and_cleared(control: Control) -> None:
    await set_block(control, SDK, TWO, SAM)
    assert list(await list_blocks(control, SDK)) == [TWO]
    await clear_block(control, SDK, TWO, SAM)
    assert not await list_blocks(control, SDK)
    with pytest.raises(Invalid, match="is not blocked"):
        await clear_block(control, SDK, TWO, SAM)
    with pytest.raises(Invalid, match="no build"):
        await set_block(control, SDK, Version("7.0.0"), SAM)


async def test_a_build_whose_signature_is_wrong_is_not_rolled_out(control: Control, data: Path) -> None:
    manifest = data / "store" / "builds" / "sdk" / "1.0.0.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"sig":"', b'"sig":"AAAA'))
    with pytest.raises(Failed, match=r"not signed by a trusted key|damaged"):
        await command_channel(control, SDK, STABLE, start(ONE), SAM)


async def test_what_is_unknown_is_named_with_what_is_known(control: Control) -> None:
    with pytest.raises(Invalid, match=r"unknown product 'nope'; known are sdk"):
        await command_channel(control, Product("nope"), STABLE, start(ONE), SAM)
    with pytest.raises(Invalid, match=r"no build sdk@3.0.0; the newest published are: 1.2.0, 1.1.0, 1.0.0"):
        await command_channel(control, SDK, STABLE, start(Version("3.0.0")), SAM)
    with pytest.raises(Invalid, match="has no channel 'stable'"):
        await command_channel(control, SDK, STABLE, Promote(), SAM)


@pytest.mark.usefixtures("control")
async def test_a_database_of_a_newer_program_is_left_alone(data: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{data / 'control.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Failed, match="newer than this one"):
        async with wiring.control(data):
            pytest.fail("opened")


@pytest.mark.usefixtures("control")
async def test_the_schema_that_is_written_is_the_newest_migration(data: Path) -> None:
    assert newest_step(CONTROL) == CONTROL.version
    engine = sa.create_engine(f"sqlite:///{data / 'control.db'}")
    found = sa.inspect(engine)
    for table in schema.metadata.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}
    engine.dispose()
