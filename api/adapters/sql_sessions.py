"""Sessions in a SQL database."""

from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, delete, insert, select, update

from api.adapters.schema import sessions
from api.core.access import Caller
from api.core.session import OF_PEOPLE, Session, SessionKind
from bundles.adapters.database import Database
from bundles.core.digest import Digest
from release.core.codec import decode_document, encode_document


class SqlSessions:
    """A row for each session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: Session) -> None:
        """Begin a session."""
        row = {
            "digest": session.digest,
            "kind": session.kind.value,
            "caller": encode_document(session.caller).decode(),
            "created_at": session.created_at,
            "used_at": session.used_at,
            "idle_seconds": session.idle_seconds,
            "ends_at": session.ends_at,
        }
        async with self._database.writing(alone=False) as connection:
            await connection.execute(insert(sessions).values(row))

    async def find(self, digest: Digest) -> Session | None:
        """The session whose secret has this digest, whether it has ended or not."""
        async with self._database.reading() as connection:
            found = (await connection.execute(select(sessions).filter_by(digest=digest))).mappings().first()
        if found is None:
            return None
        kind, caller = SessionKind(found["kind"]), decode_document(found["caller"], Caller)
        return Session(**{**found, "kind": kind, "caller": caller})

    async def use(self, uses: Mapping[Digest, int]) -> None:
        """Note that sessions were used at these times; of two nodes' times the later one stays."""
        if not uses:
            return
        statement = (
            update(sessions)
            .where(sessions.c.digest == bindparam("of"), sessions.c.used_at < bindparam("at"))
            .values(used_at=bindparam("at"))
        )
        async with self._database.writing(alone=False) as connection:
            await connection.execute(statement, [{"of": digest, "at": at} for digest, at in sorted(uses.items())])

    async def end(self, digests: Collection[Digest]) -> int:
        """End these sessions; how many there were."""
        async with self._database.writing(alone=False) as connection:
            ended = await connection.execute(delete(sessions).where(sessions.c.digest.in_(sorted(digests))))
            return ended.rowcount

    async def end_granted(self, person: str) -> int:
        """End the sessions of this person, and of whose grant was set for this person or group; how many."""
        async with self._database.writing(alone=False) as connection:
            rows = await connection.execute(
                select(sessions.c.digest, sessions.c.caller).where(sessions.c.kind.in_(sorted(OF_PEOPLE)))
            )
            theirs = [digest for digest, caller in rows if decode_document(caller, Caller).is_known_as(person)]
            await connection.execute(delete(sessions).where(sessions.c.digest.in_(sorted(theirs))))
        return len(theirs)

    async def forget(self, before: int) -> None:
        """Forget the sessions that have ended before this time."""
        async with self._database.writing(alone=False) as connection:
            await connection.execute(delete(sessions).where(sessions.c.ends_at < before))
