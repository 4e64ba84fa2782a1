"""The databases: reachable, at this version's schema, and free for a writer."""

import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from headrace.doctor.finding import Finding, Role, failed, ok, skipped, warning
from headrace.doctor.policy import has_gate
from headrace.doctor.setup import BUSY_SECONDS, Setup
from headrace.doctor.snapshot import read_root
from headrace.health_wiring import health_schema
from release.adapters.sql_ledger import SqlLedger
from release.adapters.sql_schema import CONTROL, Schema
from release.ports import Unanswered

if TYPE_CHECKING:
    from release.adapters.sql_database import SqlDatabase

CONTROL_NAME, HEALTH_NAME = "control database", "health database"
_SLOW_SECONDS = 1.0
_RESTORE = "name the right one with --database, or `headrace restore` a backup (docs/control-plane.md)"


async def check_control_database(setup: Setup) -> Finding:
    """The ledger's database."""
    if setup.role is Role.ORIGIN:
        return skipped(CONTROL_NAME, "an origin needs none but for its snapshots")
    if _is_absent(setup.control_file):
        root = await read_root(setup)
        if root is not None:
            seen = f"{setup.control_file} is not there, though there is a snapshot at revision {root.revision}"
            return failed(CONTROL_NAME, seen, _RESTORE)
        return skipped(CONTROL_NAME, f"{setup.control_file} is not there yet: the first change makes it")
    async with setup.control() as database:
        found = await look_at_database(CONTROL_NAME, database, CONTROL)
        if found is not None:
            return found
        async with SqlLedger(database).reading() as reading:
            revision = await reading.revision()
    return ok(CONTROL_NAME, f"reachable, schema {CONTROL.version}, revision {revision}, free for a writer")


async def check_health_database(setup: Setup) -> Finding:
    """Where beacons are counted: needed only where a gate goes by them."""
    if setup.role is Role.ORIGIN:
        return skipped(HEALTH_NAME, "an origin needs none")
    gated = await has_gate(setup)
    if _is_absent(setup.health_file):
        seen = f"{setup.health_file} is not there"
        if gated:
            return failed(
                HEALTH_NAME,
                f"{seen}, and the policy has a health gate",
                "start `headrace collect` (docs/beacons.md)",
            )
        return skipped(HEALTH_NAME, f"{seen} yet: `headrace collect` makes it")
    try:
        async with setup.health() as database:
            found = await look_at_database(HEALTH_NAME, database, health_schema())
    except Unanswered as error:
        found = failed(HEALTH_NAME, str(error), "mend it, or name the right one with --health-database")
    if found is None:
        return ok(HEALTH_NAME, f"reachable, schema {health_schema().version}, free for a writer")
    if gated or found.remedy is None:
        return found
    return warning(HEALTH_NAME, found.seen, found.remedy)


def _is_absent(file: Path | None) -> bool:
    return file is not None and not file.exists()


async def look_at_database(name: str, database: "SqlDatabase", schema: Schema) -> Finding | None:
    """What is wrong with a database that is there, if anything."""
    version = await database.version()
    if version is None or version < schema.version:
        return warning(
            name,
            f"its schema is {version or 'not begun'}, this version's is {schema.version}",
            "the next verb that uses it brings it up to date: take a backup first (docs/control-plane.md)",
        )
    if version > schema.version:
        return failed(
            name,
            f"its schema {version} is of a newer Headrace; this one knows {schema.version}",
            "run that version",
        )
    return await _wait_for_a_turn(name, database.writing())


async def _wait_for_a_turn(name: str, writing: AbstractAsyncContextManager[AsyncConnection]) -> Finding | None:
    """Take a writer's turn, and write nothing in it."""
    begun = time.monotonic()
    remedy = "look for a change that hangs, or a disk that is slow; writers wait ten seconds and give up"
    with anyio.move_on_after(BUSY_SECONDS + _SLOW_SECONDS):
        try:
            async with writing as connection:
                await connection.execute(text("SELECT 1"))
        except Unanswered as error:
            if "is busy" not in str(error):
                raise
        else:
            waited = time.monotonic() - begun
            return None if waited < _SLOW_SECONDS else warning(name, f"a writer waited {waited:.1f} s", remedy)
    return failed(name, f"busy: another writer has held it for {BUSY_SECONDS:.0f} s", remedy)
