"""When tokens were used last, in a SQL database."""

from collections.abc import Mapping

from sqlalchemy import delete, select

from api.adapters.schema import token_uses
from api.core.token import TokenId
from bundles.adapters.database import Database, upsert


class SqlTokenUses:
    """A row for each token."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, uses: Mapping[TokenId, int]) -> None:
        """Note that tokens were used at these times; of two nodes' times the later one stays."""
        if not uses:
            return
        rows = [{"id": token_id, "last_used_at": at} for token_id, at in sorted(uses.items())]
        async with self._database.writing(alone=False) as connection:
            statement = upsert(connection, token_uses)
            new = statement.excluded.last_used_at
            statement = statement.on_conflict_do_update(
                index_elements=[token_uses.c.id],
                set_={"last_used_at": new},
                where=token_uses.c.last_used_at < new,
            )
            await connection.execute(statement, rows)

    async def last(self) -> Mapping[TokenId, int]:
        """When each token was used last."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(token_uses.c.id, token_uses.c.last_used_at))
            return {TokenId(token_id): at for token_id, at in rows}

    async def forget(self, before: int) -> None:
        """Forget tokens that were used last before this time."""
        async with self._database.writing(alone=False) as connection:
            await connection.execute(delete(token_uses).where(token_uses.c.last_used_at < before))
