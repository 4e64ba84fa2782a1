"""Retired builds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "retired",
        sa.Column("product", sa.String, primary_key=True),
        sa.Column("version", sa.String, primary_key=True),
    )
