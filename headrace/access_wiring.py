"""Joins what is kept of those who ask the admin API to its database.

It is one of its own, `access.db` in the data folder, so that who asks does not keep a change waiting; where the
control database is PostgreSQL, it is the same one, with tables of its own.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from api.core.leak_report import Reporters, parse_reporters_keys
from api.ports import Access
from bundles.core.errors import Failed
from headrace.wiring import is_postgresql

if TYPE_CHECKING:
    from release.adapters.sql_database import SqlDatabase
    from release.adapters.sql_schema import Schema


@asynccontextmanager
async def access_store(data: Path, database: str | None) -> AsyncIterator[Access]:
    """The access database, made and brought up to date by its first use.

    That fails where the database is away, as any later use does, and nothing else. `database` is the control
    database's name.
    """
    from api.adapters.sql_login_codes import SqlLoginCodes  # SQLAlchemy is slow to load, and few verbs need it
    from api.adapters.sql_refusals import SqlRefusals
    from api.adapters.sql_sessions import SqlSessions
    from api.adapters.sql_token_uses import SqlTokenUses
    from api.adapters.sql_used_tokens import SqlUsedTokens
    from release.adapters.late_database import LateDatabase

    async with LateDatabase(lambda: _opening(data, database)) as opened:
        yield Access(
            uses=SqlTokenUses(opened),
            sessions=SqlSessions(opened),
            login_codes=SqlLoginCodes(opened),
            used_tokens=SqlUsedTokens(opened),
            refusals=SqlRefusals(opened),
        )


def leak_reporters(secret: Path | None, keys: Path | None) -> Reporters:
    """Whose reports of leaked tokens are believed: who knows the secret in this file, and who has one of the keys
    in that one, in the form in which GitHub publishes them.
    """
    from bundles.adapters.key_files import read_private

    known = None if secret is None else read_private(secret, "the secret of leak reports").removesuffix(b"\n")
    try:
        listed = {} if keys is None else parse_reporters_keys(keys.read_bytes())
    except OSError as error:
        raise Failed(f"can't read {keys}: {error.strerror}") from None
    return Reporters(known, listed)


def access_schema() -> "Schema":
    """The tables of an access database."""
    from api.adapters.schema import STEPS, VERSION, VERSION_TABLE
    from release.adapters.sql_schema import Schema

    return Schema(
        owner="access database",
        version=VERSION,
        version_table=VERSION_TABLE,
        steps=STEPS,
        remedy="Nobody is logged in until it does; tokens, origins and rollouts go on without it",
    )


def _opening(data: Path, database: str | None) -> "AbstractAsyncContextManager[SqlDatabase]":
    if is_postgresql(database):
        from release.adapters.postgresql_database import open_for_access

        return open_for_access(database, access_schema())
    from release.adapters.sqlite_database import open_sqlite

    return open_sqlite(data / "access.db", access_schema())
