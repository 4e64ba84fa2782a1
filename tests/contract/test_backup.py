"""Backup and restore, from each database to each, and what a damaged backup does: nothing."""

import json
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import anyio
import msgspec
import pytest

from bundles.core.errors import Failed, Invalid, Refused
from headrace import wiring
from release.adapters.backup_file import BackupFile
from release.backup import Restored, Right, back_up
from release.backup import restore as restore_backup
from release.core.backup import CHUNK_BYTES, HEADER_BYTES
from release.core.names import STABLE
from release.core.routing import ChannelState
from release.ports import Backup, Ledger, Record
from release.trail import check_trail
from tests.contract.test_ledger import BLOCK, CHANGE, NOTES, ONE, SDK, TWO, change
from tests.support.cli import fail, run, succeed
from tests.support.postgresql import PostgresServer

pytestmark = pytest.mark.anyio

SECRET = b"correct horse battery staple"
CHEAP = 4
"""A cost for scrypt that a test can pay hundreds of times."""
FLIPS = 600
RESTORE = msgspec.structs.replace(CHANGE, verb="restore", subject="rights")


def file(path: Path, secret: bytes = SECRET) -> BackupFile:
    return BackupFile(path, secret, CHEAP)


async def restore(ledger: Ledger, backup: Backup, *, overwrite: bool, accept_faults: bool) -> Restored:
    """Notes stand for what gives rights."""
    rights = [Right(NOTES, lambda before, now: None if "?" in now else min(before, now))]
    return await restore_backup(ledger, backup, rights, RESTORE, overwrite=overwrite, accept_faults=accept_faults)


async def fill(ledger: Ledger, changes: int = 40) -> None:
    """Something in every table."""
    async with ledger.transaction() as transaction:
        await transaction.save_channel(SDK, STABLE, ChannelState((ONE, TWO)))
        await transaction.save_block(SDK, TWO, BLOCK)
        await transaction.add_retired(SDK, [ONE])
        await transaction.save_document(NOTES, "one", "text \u2603")
        await transaction.record(msgspec.structs.replace(CHANGE, reason="caf\u00e9"))
    for _ in range(changes):
        await change(ledger)


async def contents(ledger: Ledger) -> list[Record]:
    async with ledger.reading() as reading:
        return [record async for record in reading.records()]


@pytest.fixture
async def ledger(database: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    async with wiring.ledger(tmp_path, database) as opened:
        await fill(opened)
        yield opened


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
async def test_what_is_restored_is_what_was_backed_up_whichever_the_databases(
    ledger: Ledger, tmp_path: Path, target: str, postgresql: PostgresServer
) -> None:
    made = await back_up(ledger, file(tmp_path / "backup"))
    other = str(tmp_path / "other.db") if target == "sqlite" else postgresql.new_database()
    async with wiring.ledger(tmp_path, other) as restored:
        done = await restore(restored, file(tmp_path / "backup"), overwrite=False, accept_faults=False)
        assert (done.content, done.withheld, done.is_compared) == (made, (), False)
        assert await contents(restored) == await contents(ledger)
        assert await restored.table() == await ledger.table()
        assert made.records == len(await contents(ledger))
        assert await change(restored) == made.revision + 1


async def test_a_backup_is_of_one_moment_and_nothing_in_it_can_be_read(ledger: Ledger, tmp_path: Path) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(change, ledger)
        made = await back_up(ledger, file(tmp_path / "backup"))
    written = (tmp_path / "backup").read_bytes()
    assert b"sdk" not in written
    assert b"audit" not in written
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    async with wiring.ledger(tmp_path, str(tmp_path / "other.db")) as restored:
        await restore(restored, file(tmp_path / "backup"), overwrite=False, accept_faults=False)
        assert (await restored.table()).revision == made.revision


async def test_a_database_that_is_not_empty_is_kept_unless_told(ledger: Ledger, tmp_path: Path) -> None:
    await back_up(ledger, file(tmp_path / "backup"))
    backed_up = await contents(ledger)
    await change(ledger)
    before = await contents(ledger)
    with pytest.raises(Refused, match=r"not empty, it is at revision 42: .*--overwrite"):
        await restore(ledger, file(tmp_path / "backup"), overwrite=False, accept_faults=False)
    assert await contents(ledger) == before
    await restore(ledger, file(tmp_path / "backup"), overwrite=True, accept_faults=False)
    assert await contents(ledger) == backed_up


async def test_no_flipped_bit_cut_or_swap_of_a_backup_is_ever_restored(tmp_path: Path) -> None:
    path, seed = tmp_path / "backup", random.Random(7)
    async with wiring.ledger(tmp_path, str(tmp_path / "control.db")) as ledger:
        await fill(ledger, 500)
        await back_up(ledger, file(path))
    whole = path.read_bytes()
    assert len(whole) > 3 * CHUNK_BYTES
    places = [
        *range(HEADER_BYTES * 8),
        *seed.sample(range(HEADER_BYTES * 8, len(whole) * 8), FLIPS - HEADER_BYTES * 8),
    ]
    damaged = [flipped(whole, place) for place in places]
    ends = [0, 1, HEADER_BYTES, len(whole) - 1, HEADER_BYTES + CHUNK_BYTES + 16]
    damaged += [whole[:end] for end in ends] + [whole + b"\0", whole[:HEADER_BYTES] + whole[-(CHUNK_BYTES // 2) :]]
    first = slice(HEADER_BYTES, HEADER_BYTES + CHUNK_BYTES + 16)
    second = slice(first.stop, first.stop + CHUNK_BYTES + 16)
    damaged.append(whole[:HEADER_BYTES] + whole[second] + whole[first] + whole[second.stop :])
    async with wiring.ledger(tmp_path, str(tmp_path / "other.db")) as other:
        empty = await contents(other)
        for body in damaged:
            path.write_bytes(body)
            with pytest.raises(Failed, match=r"the backup .* can't be restored: it is"):
                await restore(other, file(path), overwrite=False, accept_faults=False)
        assert await contents(other) == empty
        path.write_bytes(whole)
        await restore(other, file(path), overwrite=False, accept_faults=False)
        assert (await other.table()).revision == 501


async def note(ledger: Ledger, **notes: str | None) -> int:
    async with ledger.transaction() as transaction:
        for name, text in notes.items():
            await transaction.save_document(NOTES, name, text)
        return await transaction.record(CHANGE)


async def notes_in(ledger: Ledger) -> Mapping[str, str]:
    async with ledger.reading() as reading:
        return await reading.documents(NOTES)


async def test_a_right_that_was_taken_away_since_the_backup_does_not_come_back(
    ledger: Ledger, tmp_path: Path
) -> None:
    await note(ledger, kept="2", revoked="2", narrowed="2", widened="2", other="2")
    made = await back_up(ledger, file(tmp_path / "backup"))
    await note(ledger, revoked=None, narrowed="1", widened="3", other="?", new="2")
    before = (await ledger.table()).revision
    done = await restore(ledger, file(tmp_path / "backup"), overwrite=True, accept_faults=False)
    assert (done.withheld, done.is_compared) == (
        ("notes/narrowed", "notes/other", "notes/revoked"),
        True,
    )
    assert await notes_in(ledger) == {"one": "text \u2603", "kept": "2", "narrowed": "1", "widened": "2"}
    assert done.content.revision == made.revision + 1 == before
    async with ledger.transaction() as transaction:
        row = await transaction.entry(done.content.revision)
        assert await check_trail(transaction, {}) == ()
    assert (row.verb, row.subject) == ("restore", "rights")
    assert row.after == {
        "documents/notes/narrowed": "1",
        "documents/notes/other": None,
        "documents/notes/revoked": None,
    }
    again = await restore(ledger, file(tmp_path / "backup"), overwrite=True, accept_faults=False)
    assert again.withheld == done.withheld


async def test_of_a_ledger_that_did_not_go_on_from_the_backup_nothing_is_taken_for_revoked(
    ledger: Ledger, tmp_path: Path
) -> None:
    await back_up(ledger, file(tmp_path / "older"))
    at = await note(ledger, kept="1")
    await back_up(ledger, file(tmp_path / "newer"))
    await restore(ledger, file(tmp_path / "older"), overwrite=True, accept_faults=False)
    for _ in range(2):  # at an earlier revision, then at the same one by another change
        done = await restore(ledger, file(tmp_path / "newer"), overwrite=True, accept_faults=False)
        assert (done.withheld, done.is_compared, done.content.revision) == ((), False, at)
        assert (await notes_in(ledger))["kept"] == "1"
        await restore(ledger, file(tmp_path / "older"), overwrite=True, accept_faults=False)
        await change(ledger)


def flipped(body: bytes, place: int) -> bytes:
    changed = bytearray(body)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


async def test_another_secret_opens_nothing_and_a_short_one_seals_nothing(ledger: Ledger, tmp_path: Path) -> None:
    await back_up(ledger, file(tmp_path / "backup"))
    with pytest.raises(Failed, match="this is not its secret"):
        await restore(ledger, file(tmp_path / "backup", SECRET + b"!"), overwrite=True, accept_faults=False)
    with pytest.raises(Invalid, match="at least 12 bytes"):
        await back_up(ledger, file(tmp_path / "short", b"short"))
    assert not (tmp_path / "short").exists()


async def test_a_backup_is_never_half_written_and_never_over_another_file(ledger: Ledger, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[Record]:
        yield "schema", {"version": "x" * (3 * CHUNK_BYTES)}
        raise Failed("the database is away")

    with pytest.raises(Failed, match="is away"):
        await file(tmp_path / "folder" / "backup").write(broken())
    assert [found async for found in anyio.Path(tmp_path / "folder").iterdir()] == []
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(Refused, match="is there already"):
        await back_up(ledger, file(tmp_path / "taken"))
    assert (tmp_path / "taken").read_text() == "mine"


async def test_content_of_another_schema_or_table_is_not_taken(ledger: Ledger, tmp_path: Path) -> None:
    async def records(*given: Record) -> AsyncIterator[Record]:
        for record in given:
            yield record

    before = await contents(ledger)
    cases: list[tuple[str, list[Record], str]] = [
        ("schema", [("schema", {"version": "0001"})], "is in schema 0001"),
        ("none", [], "has no content"),
        ("table", [before[0], ("sqlite_master", {})], "'sqlite_master' that is not understood"),
        ("column", [before[0], ("channels", {"product": "sdk"})], "'channels' that is not understood"),
    ]
    for name, given, why in cases:
        await file(tmp_path / name).write(records(*given))
        with pytest.raises(Failed, match=why):
            await restore(ledger, file(tmp_path / name), overwrite=True, accept_faults=False)
    assert await contents(ledger) == before


async def test_a_damaged_audit_trail_is_backed_up_but_restored_only_if_told(
    ledger: Ledger, tmp_path: Path
) -> None:
    async def records() -> AsyncIterator[Record]:
        for table, row in await contents(ledger):
            altered = {**row, "hash": "0" * 64}
            yield table, altered if row.get("revision") == 7 and "hash" in row else row

    await file(tmp_path / "altered").write(records())
    with pytest.raises(Failed, match=r"audit trail is damaged: revision 7 was altered.*--accept-faults"):
        await restore(ledger, file(tmp_path / "altered"), overwrite=True, accept_faults=False)
    restored = await restore(ledger, file(tmp_path / "altered"), overwrite=True, accept_faults=True)
    assert restored.content.faults[0].revision == 7
    assert (await back_up(ledger, file(tmp_path / "again"))).faults == restored.content.faults


def test_a_disaster_is_undone_from_the_command_line(
    released_data: Path, tmp_path: Path, postgresql: PostgresServer
) -> None:
    secret, made = tmp_path / "secret", str(tmp_path / "backup")
    secret.write_bytes(SECRET + b"\n")
    assert "can be read by others" in fail(released_data, "backup", made, "--secret-file", str(secret), code=3)
    secret.chmod(0o600)
    assert "sealed by a secret" in fail(released_data, "backup", made, code=2)
    sealed = ["--secret-file", str(secret)]
    assert succeed(released_data, "backup", made, *sealed)["revision"] == 2
    status = succeed(released_data, "rollout", "status", "sdk")
    for found in released_data.glob("control.db*"):
        found.unlink()
    assert succeed(released_data, "restore", made, *sealed)["snapshot_revision"] == 2
    assert succeed(released_data, "rollout", "status", "sdk") == status
    assert "--overwrite" in fail(released_data, "restore", made, *sealed, code=3)
    moved = ["--database", postgresql.new_database()]
    assert succeed(released_data, "restore", made, *sealed, *moved)["revision"] == 2
    assert succeed(released_data, "rollout", "start", "sdk", "1.1.0", *moved)["revision"] == 3
    assert succeed(released_data, "audit", "verify", *moved)["faults"] == []
    overwritten = run(released_data, "restore", made, *sealed, *moved, "--overwrite")
    assert "origins serve by revision 3" in overwritten.stdout


def test_a_token_that_was_revoked_stays_revoked_through_a_restore(
    released_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_BACKUP_SECRET", SECRET.decode())
    made, given = str(tmp_path / "backup"), ("--role", "viewer", "--product", "sdk")
    lost, rotated, _ = (
        succeed(released_data, "token", "create", name, *given)["token"] for name in ("lost", "rotated", "kept")
    )
    for person in ("ada@example.com", "bob@example.com"):
        succeed(released_data, "person", "set", person, *given, "--role", "releaser")
    succeed(released_data, "backup", made)
    succeed(released_data, "token", "revoke", lost["id"])
    succeed(released_data, "token", "rotate", rotated["id"], "--overlap", "0s")
    succeed(released_data, "person", "remove", "ada@example.com")
    succeed(released_data, "person", "set", "bob@example.com", *given)
    restored = succeed(released_data, "restore", made, "--overwrite", "--reason", "a drill")
    tokens = sorted(f"token/{token['id']}" for token in (lost, rotated))
    assert restored["withheld"] == ["person/ada@example.com", "person/bob@example.com", *tokens]
    assert restored["is_compared"]
    assert {each["name"]: each["state"] for each in succeed(released_data, "token", "list")} == {
        "rotated": "ended",
        "kept": "valid",
    }
    (bob,) = succeed(released_data, "person", "list")
    assert (bob["person"], bob["roles"]) == ("bob@example.com", ["viewer"])
    row = json.loads(run(released_data, "audit", "export").stdout.splitlines()[-1])
    assert (row["verb"], row["actor"], row["reason"]) == ("restore", "sam", "a drill")
    assert row["revision"] == restored["revision"]
    for found in released_data.glob("control.db*"):
        found.unlink()
    told = run(released_data, "restore", made).stdout
    assert "what was taken away since the backup is there again" in told
    assert "valid" in [each["state"] for each in succeed(released_data, "token", "list") if each["name"] == "lost"]
