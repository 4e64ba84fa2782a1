"""The audit trail as a chain of hashes, and idempotency keys.

Rows of before are brought into the chain as they are; what they changed was not kept. The form that is hashed is
written out here: what this step has made must not change with the program.
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_GENESIS = "0" * 64


def upgrade() -> None:
    """Make the tables, bring the old rows over, and note the last hash beside the revision."""
    entries = op.create_table(
        "audit_entries",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("product", sa.String, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
    )
    op.create_index("audit_entries_by_product", "audit_entries", ["product", "revision"])
    op.add_column("current_revision", sa.Column("audit_head", sa.String, nullable=False, server_default=_GENESIS))
    head = _bring_over(entries)
    op.execute(sa.text("UPDATE current_revision SET audit_head = :head").bindparams(head=head))
    op.drop_table("audit")
    op.create_table(
        "idempotency_keys",
        sa.Column("actor", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("idempotency_keys_by_time", "idempotency_keys", ["at"])


def _bring_over(entries: sa.Table) -> str:
    connection, head = op.get_bind(), _GENESIS
    old = sa.text("SELECT at, actor, verb, product, subject, reason, revision FROM audit ORDER BY revision")
    for row in connection.execute(old).mappings().all():
        document = {**row, "previous": head, "before": None, "after": None}
        entry = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        head = hashlib.sha256(entry.encode()).hexdigest()
        connection.execute(
            entries.insert().values(revision=row["revision"], product=row["product"], entry=entry, hash=head)
        )
    return head
