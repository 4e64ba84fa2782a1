"""The health database's tables: what SDKs have reported. In no table is anything of a visitor or a page."""

from pathlib import Path

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

VERSION = "0001"
"""The newest step in `migrations`; written here too, so that most starts need not load alembic."""
VERSION_TABLE = "health_version"
STEPS = Path(__file__).parent / "migrations"

metadata = MetaData()

COUNTED = ("units", "errored", "render_dropped", "integrity_failed")

# One product's counts in one environment in a stretch of time are one range of the key.
counts = Table(
    "counts",
    metadata,
    Column("width", Integer, primary_key=True),
    Column("product", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("version", String, primary_key=True),
    Column("tenant", String, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in COUNTED),
    # What is old is found by this, however many products and environments somebody has made up.
    Index("ix_counts_start", "width", "start"),
    sqlite_with_rowid=False,
)
# Since when all counts of a width are there; a width without a row was never shortened.
kept = Table(
    "kept_counts",
    metadata,
    Column("width", Integer, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),
)
installations = Table(
    "installations",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("slot", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
error_groups = Table(
    "error_groups",
    metadata,
    Column("product", String, primary_key=True),
    Column("version", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("fingerprint", String, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("frames", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
)
