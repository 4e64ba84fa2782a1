"""PostgreSQL as it is when it fails: away, hung, lost in the midst of a change. The password is never shown."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest

from bundles.core.errors import Failed, Invalid
from headrace import wiring
from release.adapters import postgresql_database
from release.change import Author, Control, Subject
from release.ports import Ledger, Transaction
from tests.contract.test_ledger import ACME, CHANGE, PIN, SDK, change
from tests.support import changes
from tests.support.cli import fail, publish, release, run, succeed
from tests.support.postgresql import PASSWORD, PostgresServer
from tests.support.processes import controller

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which is up again when the test ends."""
    yield postgresql
    postgresql.ensure_running()


@pytest.fixture
async def ledger(server: PostgresServer, tmp_path: Path) -> AsyncIterator[Ledger]:
    async with wiring.ledger(tmp_path, server.new_database()) as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs that a test can wait for."""
    monkeypatch.setattr(postgresql_database, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(postgresql_database, "ANSWER_SECONDS", 2)


async def test_a_server_that_is_away_is_told_and_used_again_once_it_is_back(
    ledger: Ledger, server: PostgresServer
) -> None:
    assert await change(ledger) == 1
    server.stop()
    for _ in range(2):
        with pytest.raises(Failed, match=r"control database postgresql://127\.0\.0\.1:\d+/postgres"):
            await change(ledger)
    server.start()
    assert await change(ledger) == 2


async def test_a_connection_lost_in_a_change_leaves_nothing_of_it(ledger: Ledger, server: PostgresServer) -> None:
    async def change_and_lose() -> None:
        async with ledger.transaction() as transaction:
            await transaction.save_pin(SDK, ACME, PIN)
            server.stop()
            await transaction.record(CHANGE)

    with pytest.raises(Failed, match=r"the control database postgresql://.* does not work: .*connection"):
        await change_and_lose()
    server.start()
    assert (await ledger.table()).revision == 0


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_hangs_is_told_in_time_and_keeps_nobody(
    server: PostgresServer, tmp_path: Path
) -> None:
    database = server.new_database()
    async with wiring.ledger(tmp_path, database) as ledger:
        await change(ledger)
        server.hang()
        with pytest.raises(Failed, match="no answer within 1 seconds"):
            await change(ledger)  # a connection that is there already hangs too, and is replaced
        with pytest.raises(Failed, match="no answer within 1 seconds"):
            async with wiring.ledger(tmp_path, database):
                pytest.fail("opened")
        server.resume()
        assert await change(ledger) == 2


async def test_where_the_answer_to_a_commit_is_lost_nobody_says_that_nothing_was_changed(
    server: PostgresServer, tmp_path: Path
) -> None:
    database = server.new_database()
    async with cut_after(b"COMMIT", server.port) as port:
        async with wiring.ledger(tmp_path, database) as direct:
            assert await change(direct) == 1
        async with wiring.ledger(tmp_path, database.replace(f":{server.port}/", f":{port}/")) as cut:
            with pytest.raises(Failed, match=r"while a change was being committed.*may be made or not"):
                await change(cut)
        async with wiring.ledger(tmp_path, database) as direct:
            assert await change(direct) == 3


@asynccontextmanager
async def cut_after(word: bytes, port: int) -> AsyncIterator[int]:
    """A way to the server that breaks as soon as the client has sent this word."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(pump(far_reader, writer))
        while sent := await reader.read(65536):
            far_writer.write(sent)
            if word in sent:
                break
        back.cancel()
        await asyncio.sleep(0.5)
        writer.transport.abort()
        far_writer.close()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while answered := await reader.read(65536):
        writer.write(answered)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((f":{PASSWORD}@", ":wrong-word@"), "password authentication failed"),
        (("/postgres?", "/nothing?"), "does not exist"),
        (("127.0.0.1:", "127.0.0.1:9"), "port must be 0-65535"),
        (("127.0.0.1", "nowhere.invalid"), "can't connect to the control database postgresql://nowhere.invalid:"),
    ],
)
async def test_what_can_not_be_opened_is_told_without_its_password(
    server: PostgresServer, tmp_path: Path, change: tuple[str, str], why: str
) -> None:
    url = server.new_database()
    with pytest.raises(Failed, match=why) as told:
        async with wiring.ledger(tmp_path, url.replace(*change)):
            pytest.fail("opened")
    assert PASSWORD not in str(told.value)
    assert "wrong-word" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://sam:se/cret@host/name",
        "postgresql://sam:se?cret@host/name",
        "postgresql://sam:se#cret@host/name",
        "postgresql://sam:se@cret@host/name",
        "postgresql://sam:secret/name",
        "postgresql://sam:secret@host",
        "postgres://sam:secret@ho st/name",
        "postgresql://host/name@secret",
        "mysql://sam:secret@host/name",
        "postgresql+asyncpg://sam:secret@host/name",
        "postgresql:/sam:secret@host/name",
        "sam:secret@host/name",
        "host=localhost user=sam password=secret dbname=name",
    ],
)
async def test_a_url_of_another_form_is_not_shown(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where it would become a file's name
    with pytest.raises(Invalid, match="postgresql://") as told:
        async with wiring.ledger(tmp_path, url):
            pytest.fail("opened")
    assert "cret" not in str(told.value)


async def test_an_error_in_the_parameters_of_a_url_is_told_without_it(
    server: PostgresServer, tmp_path: Path
) -> None:
    with pytest.raises(Failed, match="sslmode") as told:
        async with wiring.ledger(tmp_path, f"{server.new_database()}&sslmode=never"):
            pytest.fail("opened")
    assert PASSWORD not in str(told.value)


def look_at_snapshots(data: Path, folder: Path) -> None:
    """Each verb that reads the snapshot finds it in the database."""
    assert succeed(data, "why", "acme", "sdk")["version"] == "1.1.0"
    assert succeed(data, "who", "sdk", "1.1.0")["revision"] == 4
    assert succeed(data, "export-static", str(folder / "export"))["revision"] == 4
    assert succeed(data, "audit", "verify")["vouched_for"] == 4
    [old] = succeed(data, "keys", "list")
    succeed(data, "keys", "rotate")
    assert "the snapshot" in fail(data, "keys", "distrust", old["key_id"], code=3)
    assert succeed(data, "keys", "resign")["snapshot"]
    succeed(data, "keys", "distrust", old["key_id"])
    assert succeed(data, "why", "acme", "sdk")["version"] == "1.1.0"


def test_the_command_line_and_the_controller_work_on_it(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, database = tmp_path / "data", server.new_database()
    publish(data, tmp_path, "1.0.0")
    publish(data, tmp_path, "1.1.0")
    assert "no channel" in fail(data, "rollout", "status", "sdk", "--database", database, code=2)
    monkeypatch.setenv("HEADRACE_DATABASE", database)
    release(data, "1.0.0")
    with controller(data) as process:
        succeed(data, "rollout", "start", "sdk", "1.1.0", "--stages", "100@0s")
        assert process.wait_for("promoted")["revision"] == 4
        server.stop()
        failed = process.wait_for("tick failed")
        server.start()
        assert PASSWORD not in str(process.log)
        assert "postgresql://127.0.0.1" in failed["why"]
    assert succeed(data, "rollout", "status", "sdk")["stable"] == "1.1.0"
    assert not (data / "control.db").exists()
    look_at_snapshots(data, tmp_path)
    assert not (data / "snapshots").exists()
    shown = run(data, "rollout", "status", "--help")
    assert "HEADRACE_DATABASE" in shown.stdout
    assert PASSWORD not in shown.stdout


def test_the_first_verb_on_an_empty_database_is_a_publish(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_DATABASE", server.new_database())
    publish(tmp_path / "data", tmp_path, "1.0.0")
    assert "nothing has been released yet" in fail(tmp_path / "data", "why", "acme", "sdk", code=2)


def test_a_machine_without_the_others_keys_changes_nothing(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, stranger = tmp_path / "data", tmp_path / "stranger"
    monkeypatch.setenv("HEADRACE_DATABASE", server.new_database())
    publish(data, tmp_path, "1.0.0")
    release(data, "1.0.0")
    for keys in ("none", "of its own"):
        assert "signed by none of the keys" in fail(stranger, "tenant", "set", "acme", "tier=free", code=1), keys
        assert "signed by none of the keys" in run(stranger, "controller").stderr
        assert (stranger / "keys").exists() == (keys == "of its own")
        succeed(stranger, "keys", "rotate")
    assert succeed(data, "why", "acme", "sdk")["revision"] == 2


def test_what_was_restored_is_told_also_where_the_snapshot_is_not_believed(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, backup = tmp_path / "data", str(tmp_path / "control.backup")
    monkeypatch.setenv("HEADRACE_DATABASE", server.new_database())
    monkeypatch.setenv("HEADRACE_BACKUP_SECRET", "a secret of the tests")
    publish(data, tmp_path, "1.0.0")
    release(data, "1.0.0")
    succeed(data, "backup", backup)
    told = run(tmp_path / "elsewhere", "restore", backup, "--overwrite", "--json")
    assert json.loads(told.stdout)["revision"] == 2
    assert told.returncode == 1
    assert "is restored, but" in told.stderr


async def test_a_snapshot_that_can_not_be_read_now_is_not_taken_for_none(
    server: PostgresServer, released_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgresql_database._SETTINGS, "lock_timeout", "200ms")
    newer, older = server.new_database(), server.new_database()
    shutil.rmtree(released_data / "snapshots")  # they are of another database
    async with wiring.control(released_data, newer) as control, wiring.ledger(released_data, older) as restored:
        await set_pin(control)
        going_back = msgspec.structs.replace(control, ledger=restored)
        connection = await asyncpg.connect(newer)
        async with connection.transaction():
            await connection.execute("LOCK TABLE snapshot_root")
            with pytest.raises(Failed, match="is busy"):
                await set_pin(going_back)
        await connection.close()
        assert (await restored.table()).revision == 0
        with pytest.raises(Failed, match="restored from an older backup"):
            await set_pin(going_back)


async def set_pin(control: Control) -> None:
    async def write(transaction: Transaction) -> None:
        await transaction.save_pin(SDK, ACME, PIN)

    await changes.change(control, Subject("test", SDK, "acme"), Author("sam"), write)


def test_an_empty_database_does_not_begin_anew_what_the_data_folder_has_released(
    server: PostgresServer, released_data: Path, tmp_path: Path
) -> None:
    database, backup, secret = server.new_database(), str(tmp_path / "control.backup"), tmp_path / "secret"
    secret.write_text("a secret of the tests")
    secret.chmod(0o600)
    sealed = (backup, "--secret-file", str(secret))
    pin = ("pin", "set", "acme", "sdk", "1.0.0", "--database", database)
    assert "the control database only at 0" in fail(released_data, *pin, code=1)
    succeed(released_data, "backup", *sealed)
    succeed(released_data, "restore", *sealed, "--database", database)
    succeed(released_data, *pin)
