"""Which ID tokens were exchanged, in a SQL database."""

import hashlib

from sqlalchemy import delete

from api.adapters.schema import used_tokens
from api.core.id_token import LEEWAY_SECONDS, IdToken
from bundles.adapters.database import Database, upsert


class SqlUsedTokens:
    """A row for each token that was exchanged; of two exchanges at once, the database says which was the first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use(self, token: IdToken) -> bool:
        """Remember the token for as long as it holds; false where it was used before."""
        name = hashlib.sha256(f"{token.issuer}\0{token.jti}".encode()).hexdigest()
        row = {"name": name, "until": token.expires + LEEWAY_SECONDS}
        async with self._database.writing(alone=False) as connection:
            statement = upsert(connection, used_tokens).values(row).on_conflict_do_nothing()
            return (await connection.execute(statement)).rowcount == 1

    async def forget(self, before: int) -> None:
        """Forget the tokens that have held no longer than this time."""
        async with self._database.writing(alone=False) as connection:
            await connection.execute(delete(used_tokens).where(used_tokens.c.until < before))
