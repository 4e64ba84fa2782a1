"""The access database: who asks the admin API, and what was refused."""

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from api.adapters.schema import refusals, sessions
from api.core.refusal import KEPT_SECONDS
from api.times import format_time
from headrace.access_wiring import access_schema
from headrace.doctor.databases import look_at_database
from headrace.doctor.finding import Finding, Role, failed, ok, skipped, warning
from headrace.doctor.setup import Setup
from release.ports import Unanswered

if TYPE_CHECKING:
    from release.adapters.sql_database import SqlDatabase

ACCESS_NAME = "access database"
_ABSENT = "`headrace api` makes it"
_SWEEP = "start `headrace api`, which removes them each hour, or look for `access not noted` in its log"
_LATE_SECONDS = 24 * 3600
"""It is swept each hour while `headrace api` runs: what is a day late was not."""
_AHEAD_SECONDS = 120
"""Refusals are of a whole minute, and nodes' clocks may differ by some seconds."""


async def check_access_database(setup: Setup) -> Finding:
    """Reachable, of this schema, and free for a writer; and nothing in it is older than it is kept.

    Without it tokens go on, and nobody is logged in: so what is wrong with it is a failure.
    """
    if setup.role is Role.ORIGIN:
        return skipped(ACCESS_NAME, "an origin needs none")
    file = setup.access_file
    if file is not None and not file.exists():
        return skipped(ACCESS_NAME, f"{file} is not there yet: {_ABSENT}")
    schema = access_schema()
    try:
        async with setup.access() as database:
            if file is None and await database.version() is None:
                return skipped(ACCESS_NAME, f"its tables are not there yet: {_ABSENT}")
            found = await look_at_database(ACCESS_NAME, database, schema)
            return found or await _judge_ages(database, setup.now)
    except Unanswered as error:
        remedy = "give the user that runs this the file and its folder; or move access.db away: all log in anew"
        return failed(ACCESS_NAME, str(error), remedy if file is not None else "mend it: see the control database")


async def _judge_ages(database: "SqlDatabase", now: int) -> Finding:
    span = select(func.min(refusals.c.minute) * 60, func.max(refusals.c.minute) * 60)
    async with database.reading() as connection:
        oldest, newest = (await connection.execute(span)).one()
        ended = await connection.scalar(select(func.min(sessions.c.ends_at)))
    if newest is not None and newest > now + _AHEAD_SECONDS:
        seen = f"its newest refusal is of {newest - now} s in the future: this clock is behind, or was ahead"
        return failed(ACCESS_NAME, seen, "have the machines' clocks set by NTP (chrony, systemd-timesyncd)")
    late = []
    if oldest is not None and oldest < now - KEPT_SECONDS - _LATE_SECONDS:
        late.append(f"refusals of {format_time(oldest)}")
    if ended is not None and ended < now - _LATE_SECONDS:
        late.append(f"sessions that ended {format_time(ended)}")
    if late:
        return warning(ACCESS_NAME, f"it still has {' and '.join(late)}, longer than they are kept", _SWEEP)
    kept = f"reachable, schema {access_schema().version}, free for a writer"
    return ok(ACCESS_NAME, kept if oldest is None else f"{kept}; refusals since {format_time(oldest)}")
