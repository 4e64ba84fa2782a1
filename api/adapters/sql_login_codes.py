"""Codes for command lines that wait for a login, in a SQL database."""

from sqlalchemy import delete, insert, select

from api.adapters.schema import login_codes
from api.core.access import Caller
from api.core.command_line import LoginCode
from bundles.adapters.database import Database
from bundles.core.digest import Digest
from release.core.codec import decode_document, encode_document


class SqlLoginCodes:
    """A row for each code, until it is redeemed; of two who redeem it at once, the database says who was first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, code: LoginCode) -> None:
        """Keep a code."""
        row = {
            "digest": code.digest,
            "code_challenge": code.code_challenge,
            "caller": encode_document(code.caller).decode(),
            "ends_at": code.ends_at,
        }
        async with self._database.writing(alone=False) as connection:
            await connection.execute(insert(login_codes).values(row))

    async def redeem(self, digest: Digest, code_challenge: str, now: int) -> Caller | None:
        """Who has logged in, the first time; None for a code that is no more, or has another challenge."""
        statement = (
            delete(login_codes)
            .where(
                login_codes.c.digest == digest,
                login_codes.c.code_challenge == code_challenge,
                login_codes.c.ends_at > now,
            )
            .returning(login_codes.c.caller)
        )
        async with self._database.writing(alone=False) as connection:
            caller = (await connection.execute(statement)).scalar_one_or_none()
        return None if caller is None else decode_document(caller, Caller)

    async def end_granted(self, person: str) -> None:
        """End the codes of this person, and of whose grant was set for this person or group."""
        async with self._database.writing(alone=False) as connection:
            rows = await connection.execute(select(login_codes.c.digest, login_codes.c.caller))
            theirs = [digest for digest, caller in rows if decode_document(caller, Caller).is_known_as(person)]
            await connection.execute(delete(login_codes).where(login_codes.c.digest.in_(sorted(theirs))))

    async def forget(self, before: int) -> None:
        """Forget the codes that have ended before this time."""
        async with self._database.writing(alone=False) as connection:
            await connection.execute(delete(login_codes).where(login_codes.c.ends_at < before))
