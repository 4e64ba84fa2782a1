"""Snapshots in PostgreSQL, for origins and controllers on several machines. With SQLite they are files."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "snapshot_root",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("writes", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "snapshot_shards",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
    )
