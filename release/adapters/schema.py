"""The control database's tables. Documents are JSON of the core's types; what is searched by is a column."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, String, Table, Text

VERSION = "0007"
"""The newest step in `migrations`; written here too, so that most starts need not load alembic."""

metadata = MetaData()

revisions = Table(
    "current_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("audit_head", String, nullable=False),
)
channels = Table(
    "channels",
    metadata,
    Column("product", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("state", Text, nullable=False),
)
pins = Table(
    "pins",
    metadata,
    Column("product", String, primary_key=True),
    Column("tenant", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("pin", Text, nullable=False),
)
blocks = Table(
    "blocks",
    metadata,
    Column("product", String, primary_key=True),
    Column("version", String, primary_key=True),
    Column("block", Text, nullable=False),
)
retired = Table(
    "retired",
    metadata,
    Column("product", String, primary_key=True),
    Column("version", String, primary_key=True),
)
documents = Table(
    "documents",
    metadata,
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("document", Text, nullable=False),
)
audit = Table(
    "audit_entries",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("product", String, nullable=False),
    Column("entry", Text, nullable=False),
    Column("hash", String, nullable=False),
)
changed_channels = Table(
    "changed_channels",
    metadata,
    Column("product", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
)
keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("request", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)
smoke_outcomes = Table(
    "smoke_outcomes",
    metadata,
    Column("product", String, primary_key=True),
    Column("channel", String, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("candidate", String, nullable=False),
    Column("outcome", Text, nullable=False),
)

# In PostgreSQL alone, and no part of the ledger's content: a snapshot is made anew from that.
snapshot_metadata = MetaData()

snapshot_root = Table(
    "snapshot_root",
    snapshot_metadata,
    Column("id", Integer, primary_key=True),
    Column("writes", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
snapshot_shards = Table(
    "snapshot_shards",
    snapshot_metadata,
    Column("digest", String, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("touched_at", DateTime(timezone=True), nullable=False),
)
