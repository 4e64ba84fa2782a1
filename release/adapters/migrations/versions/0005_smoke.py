"""What came of smoke tests."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "smoke_outcomes",
        sa.Column("product", sa.String, primary_key=True),
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("candidate", sa.String, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
    )
