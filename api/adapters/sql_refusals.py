"""What was refused, counted in a SQL database."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, select, tuple_

from api.adapters.schema import refusals
from api.core.refusal import Refusal, Refusals
from bundles.adapters.database import Database, upsert

_KEY = tuple(refusals.primary_key.columns)


class SqlRefusals:
    """A row for what was refused alike within a minute. Nodes write beside each other, in the key's order."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counted: Sequence[Refusals]) -> None:
        """Count these, all or none of them, with those that are like them."""
        if not counted:
            return
        rows = [
            {**msgspec.to_builtins(each.refusal), "count": each.count}
            for each in sorted(counted, key=lambda each: each.refusal)
        ]
        async with self._database.writing(alone=False) as connection:
            statement = upsert(connection, refusals)
            statement = statement.on_conflict_do_update(
                index_elements=_KEY, set_={"count": refusals.c.count + statement.excluded.count}
            )
            await connection.execute(statement, rows)

    async def newest(self, limit: int, before: Refusal | None = None) -> Sequence[Refusals]:
        """The newest of them, the last in their order first; with `before`, those that follow it in the list."""
        query = select(refusals).order_by(*(column.desc() for column in _KEY)).limit(limit)
        if before is not None:
            query = query.where(tuple_(*_KEY) < tuple_(*msgspec.to_builtins(before).values()))
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [Refusals(Refusal(*key), count) for *key, count in rows]

    async def forget(self, before: int) -> None:
        """Forget what was refused before this time."""
        async with self._database.writing(alone=False) as connection:
            await connection.execute(delete(refusals).where(refusals.c.minute < before // 60))
