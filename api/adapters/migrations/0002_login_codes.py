"""Codes for command lines that wait for a login."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "login_codes",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("code_challenge", sa.String, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False, index=True),
        sqlite_with_rowid=False,
    )
