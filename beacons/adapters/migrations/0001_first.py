"""Counts, since when they are kept, the installations that have been counted, and groups of their errors."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "counts",
        sa.Column("width", sa.Integer, primary_key=True),
        sa.Column("product", sa.String, primary_key=True),
        sa.Column("environment", sa.String, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.String, primary_key=True),
        sa.Column("tenant", sa.String, primary_key=True),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("units", "errored", "render_dropped", "integrity_failed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_counts_start", "counts", ["width", "start"])
    op.create_table(
        "kept_counts",
        sa.Column("width", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "installations",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("slot", sa.BigInteger, nullable=False, index=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "error_groups",
        *(
            sa.Column(name, sa.String, primary_key=True)
            for name in ("product", "version", "environment", "fingerprint")
        ),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "message", "frames")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("first_seen", "last_seen", "units")),
    )
