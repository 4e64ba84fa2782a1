"""`headrace doctor`: what is as it should be, each thing that can be wrong, and that looking changes nothing."""

import json
import shutil
import socket
import sqlite3
import time
from contextlib import closing
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace.access_wiring import access_schema
from headrace.doctor import run as doctor_run
from headrace.doctor.finding import Finding, ok
from headrace.wiring import keys
from release.core.routing import RoutingTable
from tests.support.cli import fail, run, succeed
from tests.support.edge import Headers, edge
from tests.support.postgresql import PASSWORD, PostgresServer
from tests.support.processes import origin
from tests.support.snapshots import in_shards, put_snapshot, seal_root

SECRET = "not-to-be-shown-either-0123456789abcdef"


def look(data: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The findings by their names; the verb must end with this code."""
    result = run(data, "doctor", *arguments, "--json")
    assert (result.returncode, result.stderr) == (code, ""), result.stdout
    for secret in (PASSWORD, SECRET, "PRIVATE KEY"):
        assert secret not in result.stdout
    report = json.loads(result.stdout)
    assert report["healthy"] is (code == 0)
    for finding in report["findings"]:
        assert (finding["remedy"] is None) is (finding["state"] in ("ok", "skipped"))
    return {finding["name"]: finding for finding in report["findings"]}


def states(findings: dict[str, Any], *wanted: str) -> set[str]:
    """The names of the findings that are in one of these states."""
    return {name for name, finding in findings.items() if finding["state"] in wanted}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, and its bytes; SQLite's own journals come and go."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("control.db-"))
    return {str(path): path.read_bytes() for path in files}


def execute(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()


def put_root(data: Path, *, issue: int, expires_at: int) -> None:
    """Put an empty snapshot in place of the one that is there, at its revision."""
    root, bodies = in_shards(RoutingTable(2), issue, expires_at)
    put_snapshot(data / "snapshots", seal_root(root, keys(data).signing_key()), bodies)


def test_a_set_up_that_is_well_and_nothing_is_changed(released_data: Path) -> None:
    before = contents(released_data)
    found = look(released_data)
    assert states(found, "failed", "warning") == set()
    assert states(found, "skipped") == {"health database", "access database"}
    assert "revision 2" in found["control database"]["seen"]
    assert "revision 2" in found["snapshot"]["seen"]
    assert contents(released_data) == before


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    found = look(tmp_path / "none")
    assert states(found, "ok") == {"clock", "store", "disk space"}
    assert not (tmp_path / "none").exists()


def test_each_of_many_faults_is_told_beside_the_others(released_data: Path) -> None:
    (released_data / "keys" / "signing.pem").chmod(0o644)
    shutil.rmtree(released_data / "store")
    (released_data / "store").write_text("")
    for shard in (released_data / "snapshots" / "shards").iterdir():  # some are of earlier revisions
        shard.write_bytes(b"{}")
    with closing(sqlite3.connect(released_data / "control.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        found = look(released_data, code=1)
    assert states(found, "failed") >= {"signing key", "store", "control database", "snapshot"}
    assert "chmod 600" in found["signing key"]["seen"]
    assert "Not a directory" in found["store"]["seen"]
    assert "busy" in found["control database"]["seen"]
    assert found["trusted keys"]["state"] == "ok"


def test_an_origins_machine_has_public_keys_alone(released_data: Path) -> None:
    (released_data / "control.db").unlink()
    (released_data / "keys" / "signing.pem").unlink()
    found = look(released_data)
    assert states(found, "skipped") >= {"signing key", "control database"}
    assert "nothing was written" in found["store"]["seen"]
    assert "nothing can be published" in look(released_data, "--role", "control", code=1)["signing key"]["seen"]


def test_a_database_that_is_gone_old_or_newer_is_told_and_left_as_it_is(
    released_data: Path, tmp_path: Path
) -> None:
    database = released_data / "control.db"
    gone = look(released_data, "--database", str(tmp_path / "none.db"), code=1)["control database"]
    assert "there is a snapshot at revision 2" in gone["seen"]
    assert not (tmp_path / "none.db").exists()
    execute(database, "UPDATE alembic_version SET version_num = '0001'")
    assert look(released_data)["control database"]["state"] == "warning"
    execute(database, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer Headrace" in look(released_data, code=1)["control database"]["seen"]


def test_who_asks_is_kept_where_it_can_be_used_and_no_longer_than_it_may(released_data: Path) -> None:
    database, now = released_data / "access.db", int(time.time())

    def found(code: int = 0) -> dict[str, str]:
        return dict(look(released_data, code=code)["access database"])

    def refused(at: int) -> None:
        execute(database, "DELETE FROM refusals")
        execute(database, f"INSERT INTO refusals VALUES ({at // 60}, 'eve', '192.0.2.1', 'listTokens', 'x', 1)")

    assert succeed(released_data, "token", "list") == []  # which asks when each was used
    assert (found()["state"], found()["seen"]) == (
        "ok",
        f"reachable, schema {access_schema().version}, free for a writer",
    )
    refused(now - 89 * 86_400)
    assert "; refusals since " in found()["seen"]
    refused(now - 92 * 86_400)
    assert found()["state"] == "warning"
    assert "start `headrace api`" in found()["remedy"]
    refused(now + 3_600)
    assert "in the future: this clock is behind" in found(1)["seen"]
    execute(database, "DELETE FROM refusals")
    execute(
        database,
        "INSERT INTO sessions VALUES ('d', 'browser', '{}', 1, 1, NULL, 2)",
    )
    assert "sessions that ended 1970-01-01T00:00:02" in found()["seen"]
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert "busy" in found(1)["seen"]
    execute(database, "UPDATE access_version SET version_num = '9999'")
    assert "newer Headrace" in found(1)["seen"]
    database.write_bytes(b"no database at all" * 100)
    assert "move access.db away" in found(1)["remedy"]
    database.unlink()
    assert found()["state"] == "skipped"


def test_a_snapshot_that_is_behind_old_or_of_the_future(released_data: Path) -> None:
    now = int(time.time())
    put_root(released_data, issue=now - 90_000, expires_at=now - 3_600)
    expired = look(released_data, code=1)["snapshot"]
    assert "it has expired" in expired["seen"]
    assert "headrace controller" in expired["remedy"]
    put_root(released_data, issue=now - 50_000, expires_at=now + 36_400)
    assert look(released_data)["snapshot"]["state"] == "warning"
    put_root(released_data, issue=now + 3_600, expires_at=now + 90_000)
    assert "in the future" in look(released_data, code=1)["clock"]["seen"]
    execute(released_data / "control.db", "UPDATE current_revision SET revision = 7")
    assert "and the control database at 7" in look(released_data, code=1)["snapshot"]["seen"]


def test_what_the_policy_needs(released_data: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[[gate]]\nproducts = ["sdk"]\n')
    succeed(released_data, "apply", str(policy))
    succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "50,100")
    found = look(released_data, code=1)
    assert states(found, "failed") == {"health database"}
    assert "health gates of sdk stable" in found["policy"]["seen"]
    assert "headrace collect" in found["policy"]["remedy"]
    soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86_400))
    policy.write_text(
        f'[[freeze]]\nname = "holidays"\nweekly = ["sun 00:00-sun 00:01"]\ncalendar_until = "{soon}"\n'
    )
    succeed(released_data, "apply", str(policy))
    found = look(released_data)
    assert states(found, "warning") == {"policy"}
    assert soon in found["policy"]["seen"]


def test_a_database_in_postgresql(released_data: Path, postgresql: PostgresServer) -> None:
    empty = postgresql.new_database()
    found = look(released_data, "--database", empty)["control database"]
    assert "not begun" in found["seen"]
    away = empty.replace(f":{postgresql.port}/", ":1/")
    found = look(released_data, "--database", away, "--health-database", away, code=1)
    assert "can't connect" in found["control database"]["seen"]
    assert found["health database"]["state"] == "warning"
    assert states(found, "ok") >= {"signing key", "store"}


def test_a_set_up_on_postgresql_that_is_well(tmp_path: Path, postgresql: PostgresServer) -> None:
    database, policy = postgresql.new_database(), tmp_path / "policy.toml"
    policy.write_text('[[rollout]]\nstages = "100"\n')
    succeed(tmp_path / "data", "apply", str(policy), "--database", database)
    found = look(tmp_path / "data", "--database", database)
    assert states(found, "failed", "warning") == set()
    assert "revision 1" in found["control database"]["seen"]
    assert "revision 1" in found["snapshot"]["seen"]
    assert "its tables are not there yet" in found["access database"]["seen"]
    assert succeed(tmp_path / "data", "token", "list", "--database", database) == []
    assert look(tmp_path / "data", "--database", database)["access database"]["state"] == "ok"


def test_an_origin_and_its_edge(released_data: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(SECRET)
    with origin(released_data, "--edge-secrets", str(secrets)) as served, edge(served.url, SECRET) as url:
        asked = ("--origin", served.url, "--probes", served.probes, "--edge-secrets", str(secrets), "--edge", url)
        found = look(released_data, *asked)
        assert states(found, "ok") >= {
            *(f"origin: {what}" for what in ("ready", "moving URL", "exact URL", "clock", "strangers")),
            *(f"edge: {what}" for what in ("moving URL", "exact URL", "clock")),
        }
        assert "status 403" in look(released_data, "--origin", served.url, code=1)["origin: exact URL"]["seen"]
    with origin(released_data) as served:
        found = look(released_data, "--origin", served.url, "--edge-secrets", str(secrets), code=1)
        assert "go round the edge" in found["origin: strangers"]["seen"]


def spoil(headers: Headers) -> None:
    """Do what zones do that were not set up."""
    headers["cache-control"] = "public, max-age=14400"
    headers["date"] = formatdate(time.time() - 60, usegmt=True)
    if "etag" in headers:
        headers["etag"] = f"W/{headers['etag']}"


def test_an_edge_that_changes_what_it_passes_on(released_data: Path) -> None:
    with origin(released_data) as served, edge(served.url, None, spoil) as url:
        found = look(released_data, "--edge", url, code=1)
    assert "not public, max-age=31536000, immutable" in found["edge: exact URL"]["seen"]
    assert 'ETag W/"' in found["edge: exact URL"]["seen"]
    assert "stale-while-revalidate" in found["edge: moving URL"]["seen"]
    assert found["edge: clock"]["state"] == "warning"
    assert "docs/cloudflare.md" in found["edge: exact URL"]["remedy"]


def test_a_server_that_is_away_and_a_url_that_is_none(released_data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert "no answer" in look(released_data, "--origin", away, code=1)["origin"]["seen"]
    line = fail(released_data, "doctor", "--edge", f"https://sam:{PASSWORD}@sdk.example.com", code=2)
    assert PASSWORD not in line


@pytest.mark.anyio
async def test_a_check_that_breaks_or_hangs_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks() -> Finding:
        raise ValueError("with a secret in it")

    async def fine() -> Finding:
        return ok("fine", "well")

    monkeypatch.setattr(doctor_run, "LIMIT_SECONDS", 0.05)

    async def hangs() -> Finding:
        await anyio.sleep_forever()
        raise AssertionError

    checks: list[doctor_run.Check] = [("breaks", breaks), ("hangs", hangs), ("fine", fine)]
    found = await doctor_run.run_checks(checks)
    assert [(each.name, each.state) for each in found] == [
        ("breaks", "failed"),
        ("hangs", "failed"),
        ("fine", "ok"),
    ]
    assert "secret" not in found[0].seen


def test_text_for_people(released_data: Path) -> None:
    shown = run(released_data, "doctor").stdout
    assert "ok       trusted keys: 1 of the vendor's, 0 of tenants\n" in shown
    assert shown.endswith("10 looked at: 0 failed, 0 warnings\n")
