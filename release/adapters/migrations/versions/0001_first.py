"""Channels, pins, blocks, the revision and the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, and the one row that holds the revision."""
    revisions = op.create_table(
        "current_revision",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revisions, [{"id": 1, "revision": 0}])
    _create_documents("channels", ["product", "name"], "state")
    _create_documents("pins", ["product", "tenant", "environment"], "pin")
    _create_documents("blocks", ["product", "version"], "block")
    op.create_table(
        "audit",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.String, nullable=False)
            for name in ("actor", "verb", "product", "subject", "reason")
        ),
    )


def _create_documents(table: str, key: list[str], document: str) -> None:
    op.create_table(
        table,
        *(sa.Column(name, sa.String, primary_key=True) for name in key),
        sa.Column(document, sa.Text, nullable=False),
    )
